//! Where things are kept that come and go in any order, and how they are found by what strangers call them.
//!
//! What is kept in the slots is `seen`'s and `contacts`'s.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hash};

use hashbrown::HashTable;

/// Where a query is remembered: good for as long as it is, and for none after it.
#[cfg_attr(test, derive(Default))]
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::overlay) struct QueryPlace {
    pub(super) slot: u32,
    /// How many were remembered in that slot before.
    pub(super) life: u32,
}

/// As many slots are looked through; only where there are more is anything hashed.
pub(super) const FEW: usize = 4;

/// Numbers of slots, by the hash of what is found in them. That comes from the network, hence the keyed hash.
#[derive(Debug, Default)]
pub(super) struct SlotIndex {
    slots: HashTable<u32>,
    hasher: RandomState,
}

impl SlotIndex {
    /// The slot with this key, where `is_it` says so of its number.
    pub(super) fn find(&self, key: impl Hash, is_it: impl Fn(u32) -> bool) -> Option<u32> {
        self.slots.find(self.hasher.hash_one(Some(key)), |slot| is_it(*slot)).copied()
    }

    pub(super) fn insert<Key: Hash>(&mut self, slot: u32, key_of: impl Fn(u32) -> Option<Key>) {
        let SlotIndex { slots, hasher } = self;
        let hash_of = |slot: &u32| hasher.hash_one(key_of(*slot));
        slots.insert_unique(hash_of(&slot), slot, hash_of);
    }

    pub(super) fn remove(&mut self, slot: u32, key: impl Hash) {
        if let Ok(found) = self.slots.find_entry(self.hasher.hash_one(Some(key)), |other| *other == slot) {
            found.remove();
        }
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of::<SlotIndex>() + self.slots.allocation_size()
    }
}
