//! The query ids of the last two minutes, or of as long as they are remembered in the dialect of their client.
//!
//! It finds and forgets; what a copy of a known query is good for is judged by `flood`.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::time::Duration;

use hashbrown::HashTable;

use super::pass::Pass;
use crate::address::AnswerAddress;
use crate::dialect::Dialect;
use crate::limits::SEEN_IDS_MAX;
use crate::link::LinkId;
use crate::on_demand::OnDemand;
use crate::query::QueryId;
use crate::time::Time;

/// Where a query is remembered: good for as long as it is, and for none after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::overlay) struct QueryPlace {
    dialect: Dialect,
    number: u32,
}

#[derive(Debug)]
pub(super) struct SeenQuery {
    pub(super) id: QueryId,
    pub(super) since: Time,
    /// The highest TTL it came with.
    pub(super) ttl: u8,
    /// Whether this servent was counted as one where the TTL ended it.
    is_stopped: bool,
    /// Whether the echo of a copy was not kept.
    pub(super) is_echo_forgotten: bool,
    is_forgotten: bool,
    /// The copies whose echoes are awaited or kept; seldom more than one.
    pub(super) passes: Vec<Pass>,
}

#[derive(Debug, Default)]
pub(super) struct SeenSet {
    /// Of the clients of our own dialect.
    own: Ring,
    /// Of those of the others, one for each, in the order of the dialects.
    others: OnDemand<[Ring; Dialect::ALL.len() - 1]>,
}

/// Entries of one age limit, in the order in which they came, which is the one in which they go.
#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<SeenQuery>,
    /// The number of the first entry.
    first: u32,
    index: OnDemand<Index>,
}

/// The numbers of the entries, by the hash of their ids. The ids come from the network, hence the keyed hash.
#[derive(Debug, Default)]
struct Index {
    numbers: HashTable<u32>,
    hasher: RandomState,
}

/// The copies of one query come close together: as many of the latest entries are looked at before anything is hashed,
/// and where there are no more, nothing is.
const LATEST: usize = 4;

impl SeenSet {
    /// How many there are. Those forgotten early take their place until they are old.
    pub(super) fn len(&self) -> usize {
        let others = self.others.get().into_iter().flatten();
        self.own.entries.len() + others.map(|ring| ring.entries.len()).sum::<usize>()
    }

    pub(super) fn fingerprint(&self) -> u64 {
        let Some(latest) = self.own.entries.back() else { return 0 };
        let passes = latest.passes.last().map_or(0, |pass| pass.tally.reached ^ (pass.awaited.len() as u64) << 8);
        passes ^ latest.id.sequence ^ u64::from(latest.ttl) << 56
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let others = self
            .others
            .get()
            .map_or(0, |rings| size_of_val(rings) + rings.iter().map(Ring::memory_bytes).sum::<usize>());
        self.own.memory_bytes() + others
    }

    pub(super) fn find(&self, id: QueryId) -> Option<QueryPlace> {
        Dialect::ALL.iter().find_map(|dialect| {
            let number = self.ring(*dialect)?.find(id)?;
            Some(QueryPlace { dialect: *dialect, number })
        })
    }

    pub(super) fn get(&self, place: QueryPlace) -> Option<&SeenQuery> {
        self.ring(place.dialect)?.get(place.number).filter(|entry| !entry.is_forgotten)
    }

    pub(super) fn get_mut(&mut self, place: QueryPlace) -> Option<&mut SeenQuery> {
        self.ring_mut(place.dialect)?.get_mut(place.number)
    }

    /// Remembers a query, and says where. Nothing when there are too many.
    pub(super) fn remember(&mut self, now: Time, id: QueryId, dialect: Dialect, ttl: u8) -> Option<QueryPlace> {
        if self.len() >= SEEN_IDS_MAX {
            return None;
        }
        let entry = SeenQuery {
            id,
            since: now,
            ttl,
            is_stopped: false,
            is_echo_forgotten: false,
            is_forgotten: false,
            passes: Vec::new(),
        };
        if place_among_others(dialect).is_some() {
            self.others.make();
        }
        Some(QueryPlace { dialect, number: self.ring_mut(dialect)?.push(entry) })
    }

    /// Forgets the oldest query that is old enough, and gives it, if there is one.
    pub(super) fn forget_oldest(&mut self, now: Time) -> Option<SeenQuery> {
        let mut dialects = Dialect::ALL.iter();
        dialects.find_map(|dialect| self.ring_mut(*dialect)?.pop_older(now, dialect.manners().remembered))
    }

    /// Forgets what a client asked in its dialect, and gives what was awaited or kept of it.
    pub(super) fn forget_client(&mut self, client: AnswerAddress) -> Vec<Pass> {
        let mut passes = Vec::new();
        let Some(ring) = self.ring_mut(client.dialect) else { return passes };
        for place in 0..ring.entries.len() {
            if ring.entries.get(place).is_some_and(|entry| entry.id.client == client.socket) {
                ring.unindex(place);
            }
            if let Some(entry) = ring.entries.get_mut(place).filter(|entry| entry.id.client == client.socket) {
                entry.is_forgotten = true;
                passes.append(&mut entry.passes);
            }
        }
        passes
    }

    /// Sets the mark and says what it was.
    pub(super) fn set_stopped(&mut self, place: QueryPlace, is_stopped: bool) -> bool {
        self.get_mut(place).is_some_and(|seen| std::mem::replace(&mut seen.is_stopped, is_stopped))
    }

    pub(super) fn set_echo_forgotten(&mut self, place: QueryPlace) {
        if let Some(seen) = self.get_mut(place) {
            seen.is_echo_forgotten = true;
        }
    }

    // ---- passes ----

    pub(super) fn pass(&self, place: QueryPlace, ttl: u8) -> Option<&Pass> {
        self.get(place)?.passes.iter().find(|pass| pass.ttl == ttl)
    }

    pub(super) fn pass_mut(&mut self, place: QueryPlace, ttl: u8) -> Option<&mut Pass> {
        self.get_mut(place)?.passes.iter_mut().find(|pass| pass.ttl == ttl)
    }

    pub(super) fn add_pass(&mut self, place: QueryPlace, pass: Pass) {
        if let Some(seen) = self.get_mut(place) {
            seen.passes.reserve_exact(1);
            seen.passes.push(pass);
        }
    }

    pub(super) fn remove_pass(&mut self, place: QueryPlace, ttl: u8) -> Option<Pass> {
        let passes = &mut self.get_mut(place)?.passes;
        let index = passes.iter().position(|pass| pass.ttl == ttl)?;
        Some(passes.swap_remove(index))
    }

    fn ring(&self, dialect: Dialect) -> Option<&Ring> {
        match place_among_others(dialect) {
            None => Some(&self.own),
            Some(place) => self.others.get()?.get(place),
        }
    }

    fn ring_mut(&mut self, dialect: Dialect) -> Option<&mut Ring> {
        match place_among_others(dialect) {
            None => Some(&mut self.own),
            Some(place) => self.others.get_mut()?.get_mut(place),
        }
    }
}

/// Where a dialect stands among those that are not our own.
fn place_among_others(dialect: Dialect) -> Option<usize> {
    (dialect as usize).checked_sub(1)
}

impl Ring {
    fn find(&self, id: QueryId) -> Option<u32> {
        let is_it = |entry: &SeenQuery| entry.id == id && !entry.is_forgotten;
        let length = self.entries.len();
        let mut latest = (length.saturating_sub(LATEST)..length).rev();
        if let Some(place) = latest.find(|place| self.entries.get(*place).is_some_and(is_it)) {
            return Some(self.number_at(place));
        }
        let Index { numbers, hasher } = self.index.get()?;
        let has_id = |number: &u32| self.get(*number).is_some_and(is_it);
        numbers.find(hasher.hash_one(id), has_id).copied()
    }

    fn memory_bytes(&self) -> usize {
        let pass = |pass: &Pass| size_of_val(pass) + pass.awaited.capacity() * size_of::<LinkId>();
        let passes = self.entries.iter().flat_map(|entry| &entry.passes).map(pass).sum::<usize>();
        let index = self.index.get().map_or(0, |index| size_of_val(index) + index.numbers.allocation_size());
        self.entries.capacity() * size_of::<SeenQuery>() + index + passes
    }

    fn get(&self, number: u32) -> Option<&SeenQuery> {
        self.entries.get(number.wrapping_sub(self.first) as usize)
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut SeenQuery> {
        self.entries.get_mut(number.wrapping_sub(self.first) as usize).filter(|entry| !entry.is_forgotten)
    }

    fn number_at(&self, place: usize) -> u32 {
        // There are never more than SEEN_IDS_MAX places.
        self.first.wrapping_add(u32::try_from(place).unwrap_or_default())
    }

    /// Adds an entry, and gives its number.
    fn push(&mut self, entry: SeenQuery) -> u32 {
        if self.entries.is_empty() {
            self.entries.reserve_exact(1);
        }
        let number = self.number_at(self.entries.len());
        self.entries.push_back(entry);
        match self.entries.len() {
            0..=LATEST if self.index.get().is_none() => {}
            // Those that are no longer among the latest have to be found too.
            length if self.index.get().is_none() => (0..length).for_each(|place| self.index_one(place)),
            length => self.index_one(length - 1),
        }
        number
    }

    fn index_one(&mut self, place: usize) {
        let number = self.number_at(place);
        let Ring { entries, first, index } = self;
        let Index { numbers, hasher } = index.make();
        let hash_of = |number: &u32| {
            let entry = entries.get(number.wrapping_sub(*first) as usize);
            entry.map_or(0, |entry| hasher.hash_one(entry.id))
        };
        numbers.insert_unique(hash_of(&number), number, hash_of);
    }

    fn unindex(&mut self, place: usize) {
        let (number, Some(entry)) = (self.number_at(place), self.entries.get(place)) else { return };
        if let Some(Index { numbers, hasher }) = self.index.get_mut()
            && let Ok(found) = numbers.find_entry(hasher.hash_one(entry.id), |other| *other == number)
        {
            found.remove();
        }
    }

    fn pop_older(&mut self, now: Time, age_max: Duration) -> Option<SeenQuery> {
        if now.since(self.entries.front()?.since) < age_max {
            return None;
        }
        self.unindex(0);
        self.first = self.first.wrapping_add(1);
        self.entries.pop_front()
    }
}
