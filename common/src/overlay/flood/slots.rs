//! Where things are kept that come and go in any order, and how they are found by what strangers call them.
//!
//! A slot is used again once it is free, and does not say so: whoever may name one too late notes more than its number
//! ([`QueryPlace`]). Whoever keeps things otherwise has the index alone. What is kept, for how long and how many there may be is for `seen` and `contacts` to say.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;

use crate::on_demand::OnDemand;

/// Where a query is remembered: good for as long as it is, and for none after it.
#[cfg_attr(test, derive(Default))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::overlay) struct QueryPlace {
    pub(super) slot: u32,
    /// How many were remembered before it.
    pub(super) life: u32,
}

/// As many slots are looked through; only where there are more is anything hashed.
const FEW: usize = 4;

/// What is found again by what it is called.
pub(super) trait Called {
    type Name: Hash + Eq;

    /// While it is kept, nothing else that is kept beside it goes by this name, and it by no other.
    fn name(&self) -> &Self::Name;
}

/// Things of one kind, each in a slot of its own.
#[derive(Debug)]
pub(super) struct Slots<T> {
    all: Vec<Option<T>>,
    /// Those that hold nothing.
    free: Vec<u32>,
    /// All that is kept, by name, once there was more than a few.
    index: OnDemand<SlotIndex>,
}

impl<T> Default for Slots<T> {
    fn default() -> Slots<T> {
        Slots { all: Vec::new(), free: Vec::new(), index: OnDemand::default() }
    }
}

impl<T: Called> Slots<T> {
    pub(super) fn len(&self) -> usize {
        self.all.len() - self.free.len()
    }

    /// The slot of what goes by this name.
    pub(super) fn find(&self, name: &T::Name) -> Option<u32> {
        let is_it = |kept: &Option<T>| kept.as_ref().is_some_and(|kept| kept.name() == name);
        match self.index.get() {
            None => self.all.iter().position(is_it).and_then(|slot| u32::try_from(slot).ok()),
            Some(index) => index.find(name, |slot| self.all.get(slot as usize).is_some_and(is_it)),
        }
    }

    pub(super) fn get(&self, slot: u32) -> Option<&T> {
        self.all.get(slot as usize)?.as_ref()
    }

    pub(super) fn get_mut(&mut self, slot: u32) -> Option<&mut T> {
        self.all.get_mut(slot as usize)?.as_mut()
    }

    /// Keeps something in a slot that is free.
    pub(super) fn insert(&mut self, new: T) -> u32 {
        let slot = self.free.pop().unwrap_or_else(|| {
            if self.all.is_empty() {
                self.all.reserve_exact(1);
            }
            self.all.push(None);
            // Whoever keeps things here has a limit on them.
            u32::try_from(self.all.len() - 1).unwrap_or_default()
        });
        if let Some(free) = self.all.get_mut(slot as usize) {
            *free = Some(new);
        }
        if self.index.get().is_some() {
            self.index_one(slot);
        } else if self.all.len() > FEW {
            (0..self.all.len()).for_each(|slot| self.index_one(u32::try_from(slot).unwrap_or_default()));
        }
        slot
    }

    /// Gives what is in this slot, which is free then.
    pub(super) fn remove(&mut self, slot: u32) -> Option<T> {
        let gone = self.all.get_mut(slot as usize)?.take()?;
        if let Some(index) = self.index.get_mut() {
            index.remove(slot, gone.name());
        }
        self.free.push(slot);
        Some(gone)
    }

    /// All that is kept, in the order of the slots.
    pub(super) fn iter(&self) -> impl DoubleEndedIterator<Item = (u32, &T)> {
        let numbered = self.all.iter().enumerate();
        numbered.filter_map(|(slot, kept)| Some((u32::try_from(slot).ok()?, kept.as_ref()?)))
    }

    /// What is held beside the struct itself, without what is held by what is kept.
    pub(super) fn memory_bytes(&self) -> usize {
        let index = self.index.get().map_or(0, SlotIndex::memory_bytes);
        self.all.capacity() * size_of::<Option<T>>() + self.free.capacity() * size_of::<u32>() + index
    }

    fn index_one(&mut self, slot: u32) {
        let Slots { all, index, .. } = self;
        let name_of = |slot: u32| all.get(slot as usize)?.as_ref().map(T::name);
        if name_of(slot).is_some() {
            index.make().insert(slot, name_of);
        }
    }
}

/// Numbers of slots, by the hash of what is found in them. That comes from the network, hence the keyed hash.
#[derive(Debug, Default)]
pub(super) struct SlotIndex {
    table: HashTable<u32>,
    hasher: RandomState,
}

impl SlotIndex {
    /// The slot with this name, where `is_it` says so of its number.
    pub(super) fn find(&self, name: &impl Hash, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.table.find(self.hasher.hash_one(name), |slot| is_it(*slot)).copied()
    }

    pub(super) fn insert<'a, Name: Hash + 'a>(&mut self, slot: u32, name_of: impl Fn(u32) -> Option<&'a Name>) {
        let SlotIndex { table, hasher } = self;
        // Those that are indexed have one.
        let hash_of = |slot: &u32| name_of(*slot).map_or(0, |name| hasher.hash_one(name));
        table.insert_unique(hash_of(&slot), slot, hash_of);
    }

    pub(super) fn remove(&mut self, slot: u32, name: &impl Hash) {
        if let Ok(found) = self.table.find_entry(self.hasher.hash_one(name), |other| *other == slot) {
            found.remove();
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<SlotIndex>() + self.table.allocation_size()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Somebody, and what is noted of them.
    #[derive(Debug, PartialEq, Eq)]
    struct Noted(u64, &'static str);

    impl Called for Noted {
        type Name = u64;

        fn name(&self) -> &u64 {
            &self.0
        }
    }

    fn with(names: impl IntoIterator<Item = u64>) -> Slots<Noted> {
        let mut slots = Slots::default();
        for name in names {
            slots.insert(Noted(name, ""));
        }
        slots
    }

    #[test]
    fn what_is_kept_is_found_by_its_name_and_nothing_else_is_however_many_there_are_or_were() {
        let mut slots = with([]);
        let mut kept: Vec<u64> = Vec::new();
        let mut next = 0;
        // No index, one that is made, and one that stays when there are few again.
        for count in [0, 1, FEW, FEW + 1, 40, FEW, 1, 0, 1, 41] {
            while kept.len() > count {
                let gone = kept.remove(kept.len() / 2);
                let slot = slots.find(&gone).unwrap();
                assert_eq!(slots.remove(slot), Some(Noted(gone, "")));
                assert!(slots.find(&gone).is_none() && slots.get(slot).is_none() && slots.remove(slot).is_none());
            }
            while kept.len() < count {
                let slot = slots.insert(Noted(next, ""));
                assert_eq!((slots.find(&next), slots.find(&(next + 1))), (Some(slot), None));
                kept.push(next);
                next += 1;
            }
            assert_eq!((slots.len(), slots.iter().count()), (count, count));
            let indexed = slots.index.get().map_or(count, |index| index.table.len());
            assert_eq!(indexed, count, "what is gone is indexed no more");
            for name in &kept {
                let found = slots.find(name).and_then(|slot| slots.get(slot));
                assert_eq!(found, Some(&Noted(*name, "")), "of {count}");
            }
        }
    }

    #[test]
    fn a_slot_that_is_free_is_used_again_and_what_is_in_one_can_be_changed() {
        let mut slots = with(0..10);
        assert_eq!((slots.remove(3), slots.remove(7)), (Some(Noted(3, "")), Some(Noted(7, ""))));
        assert_eq!([10, 11, 12].map(|name| slots.insert(Noted(name, ""))), [7, 3, 10]);
        slots.get_mut(3).unwrap().1 = "changed";
        assert_eq!(slots.get(3), Some(&Noted(11, "changed")));
        let in_order: Vec<(u32, u64)> = slots.iter().map(|(slot, noted)| (slot, noted.0)).collect();
        assert_eq!(in_order[..4], [(0, 0), (1, 1), (2, 2), (3, 11)]);
        assert_eq!(in_order[4..], [(4, 4), (5, 5), (6, 6), (7, 10), (8, 8), (9, 9), (10, 12)]);
        assert_eq!(slots.iter().next_back().map(|(slot, _)| slot), Some(10));
        // There is no such slot.
        assert!(slots.get(11).is_none() && slots.get_mut(11).is_none() && slots.remove(11).is_none());
    }

    #[test]
    fn nothing_is_held_for_nothing_and_one_thing_takes_one_slot() {
        let mut slots = with([]);
        assert_eq!(slots.memory_bytes(), 0);
        slots.insert(Noted(0, ""));
        let slot_bytes = size_of::<Option<Noted>>();
        assert_eq!(slots.memory_bytes(), slot_bytes);
        slots.remove(0);
        assert_eq!(slots.memory_bytes(), slot_bytes + slots.free.capacity() * size_of::<u32>());
        let many = with(0..1_000);
        let kept = many.all.capacity() * slot_bytes;
        let index = many.index.get().unwrap().table.allocation_size() + size_of::<SlotIndex>();
        assert_eq!(many.memory_bytes(), kept + index);
    }
}
