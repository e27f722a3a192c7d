//! The query ids of the last two minutes, or of the last half where the client speaks TP3.
//!
//! It finds and forgets; what a copy of a known query is good for is judged by `flood`.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::hash::BuildHasher;
use std::net::SocketAddr;
use std::time::Duration;

use hashbrown::HashTable;

use super::Pass;
use crate::address::Dialect;
use crate::config::{SEEN_AGE_MAX, SEEN_IDS_MAX, SEEN_TP3_AGE_MAX};
use crate::query::QueryId;
use crate::time::Time;

/// Where an entry is: good for as long as the entry is remembered, and for none after it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Place {
    dialect: Dialect,
    number: u32,
}

#[derive(Debug)]
pub(super) struct Seen {
    pub(super) id: QueryId,
    since: Time,
    /// The highest TTL it came with.
    pub(super) ttl: u8,
    /// Whether this servent was counted as one where the TTL ended it.
    is_stopped: bool,
    /// Whether the echo of a copy was not kept.
    pub(super) is_unsure: bool,
    is_forgotten: bool,
    /// The copies whose echoes are awaited or kept; seldom more than one.
    pub(super) passes: Vec<Pass>,
}

#[derive(Debug)]
pub(super) struct SeenSet {
    native: Ring,
    tp3: Ring,
    hasher: RandomState,
}

/// Entries of one age limit, in the order in which they came, which is the one in which they go.
#[derive(Debug, Default)]
struct Ring {
    entries: VecDeque<Seen>,
    /// The number of the first entry.
    first: u32,
    /// The numbers of the entries, by the hash of their ids. The ids come from the network, hence the keyed hash.
    numbers: HashTable<u32>,
}

/// The copies of one query come close together: as many of the latest entries are looked at before anything is hashed.
const LATEST: usize = 4;

impl Default for SeenSet {
    fn default() -> SeenSet {
        SeenSet { native: Ring::default(), tp3: Ring::default(), hasher: RandomState::new() }
    }
}

impl SeenSet {
    /// How many there are. Those forgotten early take their place until they are old.
    pub(super) fn len(&self) -> usize {
        self.native.entries.len() + self.tp3.entries.len()
    }

    pub(super) fn find(&self, id: QueryId) -> Option<Place> {
        [Dialect::Native, Dialect::Tp3].into_iter().find_map(|dialect| {
            let number = self.ring(dialect).find(id, &self.hasher)?;
            Some(Place { dialect, number })
        })
    }

    pub(super) fn get_mut(&mut self, place: Place) -> Option<&mut Seen> {
        self.ring_mut(place.dialect).get_mut(place.number)
    }

    /// Remembers a query. False when there are too many.
    pub(super) fn remember(&mut self, now: Time, id: QueryId, dialect: Dialect, ttl: u8) -> bool {
        if self.len() >= SEEN_IDS_MAX {
            return false;
        }
        let SeenSet { native, tp3, hasher } = self;
        let ring = match dialect {
            Dialect::Native => native,
            Dialect::Tp3 => tp3,
        };
        let entry =
            Seen { id, since: now, ttl, is_stopped: false, is_unsure: false, is_forgotten: false, passes: Vec::new() };
        ring.push(entry, hasher);
        true
    }

    /// Forgets the oldest query that is old enough, and gives it, if there is one.
    pub(super) fn forget_oldest(&mut self, now: Time) -> Option<Seen> {
        let SeenSet { native, tp3, hasher } = self;
        native.pop_older(now, SEEN_AGE_MAX, hasher).or_else(|| tp3.pop_older(now, SEEN_TP3_AGE_MAX, hasher))
    }

    /// Forgets what a TP3 client asked, and gives what was awaited or kept of it.
    pub(super) fn forget_client(&mut self, client: SocketAddr) -> Vec<Pass> {
        let SeenSet { tp3, hasher, .. } = self;
        let mut passes = Vec::new();
        for place in 0..tp3.entries.len() {
            let Some(entry) = tp3.entries.get_mut(place) else { break };
            if entry.id.client == client && !entry.is_forgotten {
                entry.is_forgotten = true;
                passes.append(&mut entry.passes);
                tp3.remove_number(place, hasher);
            }
        }
        passes
    }

    /// Sets the mark and says what it was.
    pub(super) fn set_stopped(&mut self, place: Place, is_stopped: bool) -> bool {
        self.get_mut(place).is_some_and(|seen| std::mem::replace(&mut seen.is_stopped, is_stopped))
    }

    pub(super) fn set_unsure(&mut self, place: Place) {
        if let Some(seen) = self.get_mut(place) {
            seen.is_unsure = true;
        }
    }

    // ---- passes ----

    pub(super) fn pass_mut(&mut self, place: Place, ttl: u8) -> Option<&mut Pass> {
        self.get_mut(place)?.passes.iter_mut().find(|pass| pass.ttl == ttl)
    }

    pub(super) fn add_pass(&mut self, place: Place, pass: Pass) {
        if let Some(seen) = self.get_mut(place) {
            seen.passes.reserve_exact(1);
            seen.passes.push(pass);
        }
    }

    pub(super) fn remove_pass(&mut self, place: Place, ttl: u8) -> Option<Pass> {
        let passes = &mut self.get_mut(place)?.passes;
        let index = passes.iter().position(|pass| pass.ttl == ttl)?;
        Some(passes.swap_remove(index))
    }

    fn ring(&self, dialect: Dialect) -> &Ring {
        match dialect {
            Dialect::Native => &self.native,
            Dialect::Tp3 => &self.tp3,
        }
    }

    fn ring_mut(&mut self, dialect: Dialect) -> &mut Ring {
        match dialect {
            Dialect::Native => &mut self.native,
            Dialect::Tp3 => &mut self.tp3,
        }
    }
}

impl Ring {
    fn find(&self, id: QueryId, hasher: &RandomState) -> Option<u32> {
        let latest = self.entries.iter().enumerate().rev().take(LATEST);
        let is_it = |entry: &Seen| entry.id == id && !entry.is_forgotten;
        if let Some((place, _)) = latest.into_iter().find(|(_, entry)| is_it(entry)) {
            return Some(self.number_at(place));
        }
        if self.entries.len() <= LATEST {
            return None;
        }
        let has_id = |number: &u32| self.get(*number).is_some_and(is_it);
        self.numbers.find(hasher.hash_one(id), has_id).copied()
    }

    fn get(&self, number: u32) -> Option<&Seen> {
        self.entries.get(number.wrapping_sub(self.first) as usize)
    }

    fn get_mut(&mut self, number: u32) -> Option<&mut Seen> {
        self.entries.get_mut(number.wrapping_sub(self.first) as usize).filter(|entry| !entry.is_forgotten)
    }

    fn number_at(&self, place: usize) -> u32 {
        // There are never more than SEEN_IDS_MAX places.
        self.first.wrapping_add(u32::try_from(place).unwrap_or_default())
    }

    fn push(&mut self, entry: Seen, hasher: &RandomState) {
        let number = self.number_at(self.entries.len());
        let hash = hasher.hash_one(entry.id);
        self.entries.push_back(entry);
        let Ring { entries, first, numbers } = self;
        let hash_of = |number: &u32| {
            let entry = entries.get(number.wrapping_sub(*first) as usize);
            entry.map_or(0, |entry| hasher.hash_one(entry.id))
        };
        numbers.insert_unique(hash, number, hash_of);
    }

    fn pop_older(&mut self, now: Time, age_max: Duration, hasher: &RandomState) -> Option<Seen> {
        let oldest = self.entries.front()?;
        if now.since(oldest.since) < age_max {
            return None;
        }
        if !oldest.is_forgotten {
            self.remove_number(0, hasher);
        }
        self.first = self.first.wrapping_add(1);
        self.entries.pop_front()
    }

    fn remove_number(&mut self, place: usize, hasher: &RandomState) {
        let (number, Some(entry)) = (self.number_at(place), self.entries.get(place)) else { return };
        if let Ok(found) = self.numbers.find_entry(hasher.hash_one(entry.id), |other| *other == number) {
            found.remove();
        }
    }
}
