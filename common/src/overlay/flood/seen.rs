//! The query ids of the last two minutes, or of as long as they are remembered in the dialect of their client.
//!
//! It finds and forgets; what a copy of a known query is good for is judged by `flood`.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::time::Duration;

use hashbrown::HashTable;
use hashbrown::hash_table::Entry;

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
    /// The one before it of the same client, where clients count from zero: one that is no more, if there is none.
    before: u32,
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
    /// Every entry, by its id.
    index: OnDemand<Index>,
    /// The latest entry of each client that may come anew and count from zero. The others follow from it.
    latest: OnDemand<Index>,
}

/// Numbers of entries, by the hash of what they are found by. That comes from the network, hence the keyed hash.
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
            before: 0,
            passes: Vec::new(),
        };
        if place_among_others(dialect).is_some() {
            self.others.make();
        }
        let ring = self.ring_mut(dialect)?;
        let number = ring.push(entry);
        if dialect.manners().counts_from_zero {
            ring.set_latest(number);
        }
        Some(QueryPlace { dialect, number })
    }

    /// Forgets the oldest query that is old enough, and gives it, if there is one.
    pub(super) fn forget_oldest(&mut self, now: Time) -> Option<SeenQuery> {
        let mut dialects = Dialect::ALL.iter();
        dialects.find_map(|dialect| self.ring_mut(*dialect)?.pop_older(now, dialect.manners().remembered))
    }

    /// Forgets what a client asked in its dialect, and gives what was awaited or kept of it. Strangers decide how often
    /// this is done: nothing that others asked is looked at.
    pub(super) fn forget_client(&mut self, client: AnswerAddress) -> Vec<Pass> {
        let mut passes = Vec::new();
        let Some(ring) = self.ring_mut(client.dialect) else { return passes };
        for number in ring.take_numbers_of(client.socket) {
            ring.unindex(number);
            if let Some(entry) = ring.get_mut(number) {
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
        let indexes = [&self.index, &self.latest].into_iter().filter_map(OnDemand::get);
        let indexes = indexes.map(|index| size_of_val(index) + index.numbers.allocation_size()).sum::<usize>();
        self.entries.capacity() * size_of::<SeenQuery>() + indexes + passes
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
        let Ring { entries, first, index, .. } = self;
        let Index { numbers, hasher } = index.make();
        let hash_of = |number: &u32| {
            let entry = entries.get(number.wrapping_sub(*first) as usize);
            entry.map_or(0, |entry| hasher.hash_one(entry.id))
        };
        numbers.insert_unique(hash_of(&number), number, hash_of);
    }

    fn unindex(&mut self, number: u32) {
        let Some(id) = self.get(number).map(|entry| entry.id) else { return };
        if let Some(Index { numbers, hasher }) = self.index.get_mut()
            && let Ok(found) = numbers.find_entry(hasher.hash_one(id), |other| *other == number)
        {
            found.remove();
        }
    }

    /// Makes an entry the latest of its client.
    fn set_latest(&mut self, number: u32) {
        let Ring { entries, first, latest, .. } = self;
        let place = |number: u32| number.wrapping_sub(*first) as usize;
        let client_of = |number: u32| entries.get(place(number)).map(|entry| entry.id.client);
        let Index { numbers, hasher } = latest.make();
        let client = client_of(number);
        let is_it = |other: &u32| client_of(*other) == client;
        let before = match numbers.entry(hasher.hash_one(client), is_it, |other| hasher.hash_one(client_of(*other))) {
            Entry::Occupied(mut found) => std::mem::replace(found.get_mut(), number),
            Entry::Vacant(vacant) => {
                vacant.insert(number);
                first.wrapping_sub(1)
            }
        };
        if let Some(entry) = self.get_mut(number) {
            entry.before = before;
        }
    }

    /// Takes out which entry is the latest of its client, where `is_it` says so of its number.
    fn take_latest(&mut self, client: SocketAddr, is_it: impl Fn(&Ring, u32) -> bool) -> Option<u32> {
        let mut latest = std::mem::take(&mut self.latest);
        let taken = latest.get_mut().and_then(|Index { numbers, hasher }| {
            let found = numbers.find_entry(hasher.hash_one(Some(client)), |number| is_it(self, *number)).ok()?;
            Some(found.remove().0)
        });
        self.latest = latest;
        taken
    }

    /// The numbers of the entries of a client, the latest first. Nothing leads to them any more.
    fn take_numbers_of(&mut self, client: SocketAddr) -> Vec<u32> {
        let of_client = |ring: &Ring, number| ring.get(number).is_some_and(|entry| entry.id.client == client);
        let latest = self.take_latest(client, of_client);
        std::iter::successors(latest, |number| self.get(*number).map(|entry| entry.before))
            .take_while(|number| self.get(*number).is_some())
            .collect()
    }

    fn pop_older(&mut self, now: Time, age_max: Duration) -> Option<SeenQuery> {
        let front = self.entries.front()?;
        if now.since(front.since) < age_max {
            return None;
        }
        let (client, number) = (front.id.client, self.first);
        self.take_latest(client, |_, latest| latest == number);
        self.unindex(number);
        self.first = self.first.wrapping_add(1);
        self.entries.pop_front()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SEEN_TP3_AGE_MAX;

    fn client(port: u16) -> AnswerAddress {
        AnswerAddress { socket: SocketAddr::from(([10, 0, 0, 1], port)), dialect: Dialect::Tp3 }
    }

    fn remember(seen: &mut SeenSet, now: Time, sequence: u64, client: AnswerAddress) -> u32 {
        let id = QueryId { sequence, client: client.socket };
        seen.remember(now, id, client.dialect, 3).unwrap().number
    }

    #[test]
    fn only_what_a_client_asked_is_looked_at_to_forget_it() {
        let (mut seen, mut now) = (SeenSet::default(), Time::START);
        let mut number_of_old = Vec::new();
        // The second time round those of the first are too old, and their numbers are none any more.
        for _ in 0..2 {
            let mut own = Vec::new();
            for sequence in 0..100 {
                remember(&mut seen, now, sequence, client(2));
                if sequence % 30 == 0 {
                    own.insert(0, remember(&mut seen, now, sequence, client(1)));
                }
            }
            let ring = seen.ring_mut(Dialect::Tp3).unwrap();
            assert_eq!(ring.take_numbers_of(client(3).socket), [], "whoever asked nothing");
            assert_eq!(ring.take_numbers_of(client(1).socket), own, "the latest first");
            assert_eq!(ring.take_numbers_of(client(1).socket), [], "taken once");
            assert_ne!(own, number_of_old);
            number_of_old = own;
            now = now + SEEN_TP3_AGE_MAX;
            while seen.forget_oldest(now).is_some() {}
        }
        let ring = seen.ring_mut(Dialect::Tp3).unwrap();
        assert_eq!(ring.latest.get().map(|latest| latest.numbers.len()), Some(0), "nothing is left of anybody");
    }

    #[test]
    fn what_a_client_asked_long_ago_is_not_looked_at_either() {
        let mut seen = SeenSet::default();
        let later = Time::START + SEEN_TP3_AGE_MAX;
        for sequence in 0..10 {
            remember(&mut seen, Time::START, sequence, client(1));
        }
        let kept = remember(&mut seen, later, 10, client(1));
        while seen.forget_oldest(later).is_some() {}
        assert_eq!(seen.ring_mut(Dialect::Tp3).unwrap().take_numbers_of(client(1).socket), [kept]);
    }

    #[test]
    fn who_never_comes_anew_is_in_no_list_of_clients() {
        let mut seen = SeenSet::default();
        let native = AnswerAddress { dialect: Dialect::Native, ..client(1) };
        remember(&mut seen, Time::START, 1, native);
        assert!(seen.own.latest.get().is_none());
    }
}
