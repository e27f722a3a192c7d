//! What is kept as the witness reckons it, and which values each key has had by that.

use std::collections::BTreeMap;

use common::store::Store;
use common::written::{KeptValue, StoreChange, WrittenData};

use crate::world::witness::Nanos;
use crate::world::witness::shared::PublishedNames;

/// What is kept of keys and names at one time.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct KeptState {
    /// Nothing where it is kept that a key has none.
    values: BTreeMap<Vec<u8>, Option<Vec<u8>>>,
    published: PublishedNames,
}

impl KeptState {
    pub(super) fn of(written: &WrittenData) -> KeptState {
        let value = |kept: &KeptValue| match kept {
            KeptValue::Value(value) => Some(value.to_vec()),
            KeptValue::Hidden => None,
        };
        let values = written.values().map(|(key, kept)| (key.as_bytes().to_vec(), value(kept)));
        let published = written.published_from(b"").map(|(name, text)| (name.as_bytes().to_vec(), text.to_vec()));
        KeptState { values: values.collect(), published: published.collect() }
    }

    pub(super) fn apply(&mut self, change: &StoreChange) {
        match change {
            StoreChange::Put { key, value } => {
                self.values.insert(key.as_bytes().to_vec(), Some(value.to_vec()));
            }
            StoreChange::Hide { key } => {
                self.values.insert(key.as_bytes().to_vec(), None);
            }
            StoreChange::Forget { key } => {
                self.values.remove(key.as_bytes());
            }
            StoreChange::Publish { name, text } => {
                self.published.insert(name.as_bytes().to_vec(), text.to_vec());
            }
            StoreChange::Unpublish { name } => {
                self.published.remove(name.as_bytes());
            }
        }
    }

    /// What is published.
    pub(super) fn published(&self) -> &PublishedNames {
        &self.published
    }

    /// The value of a key, of what is kept above and what is said below.
    pub(super) fn value(&self, key: &[u8], below: &Store) -> Option<Vec<u8>> {
        match self.values.get(key) {
            Some(kept) => kept.clone(),
            None => below.get(key).map(<[u8]>::to_vec),
        }
    }
}

/// A value that a key has had, or that it had none, from this time on.
type HadValue = (Nanos, Option<Vec<u8>>);

/// Each value that keys have had since a servent was started, with the time of its beginning.
#[derive(Clone, Debug, Default)]
pub(super) struct KeptHistory {
    keys: BTreeMap<Vec<u8>, Vec<HadValue>>,
    begun: KeptState,
    begun_at: Nanos,
}

impl KeptHistory {
    pub(super) fn begin(now: Nanos, state: &KeptState, below: &Store) -> KeptHistory {
        let mut history = KeptHistory { keys: BTreeMap::new(), begun: state.clone(), begun_at: now };
        history.go_on(now, state, below);
        history
    }

    /// From now on it is as this says.
    pub(super) fn go_on(&mut self, now: Nanos, state: &KeptState, below: &Store) {
        let known: Vec<Vec<u8>> = state.values.keys().chain(self.keys.keys()).cloned().collect();
        for key in known {
            let value = state.value(&key, below);
            let begun = self.begun.value(&key, below);
            let had = self.keys.entry(key).or_insert_with(|| vec![(self.begun_at, begun)]);
            if had.last().is_none_or(|(_, last)| *last != value) {
                had.push((now, value));
            }
        }
    }

    pub(super) fn now(&self, key: &[u8], below: &Store) -> Option<Vec<u8>> {
        match self.keys.get(key).and_then(|had| had.last()) {
            Some((_, value)) => value.clone(),
            None => self.begun.value(key, below),
        }
    }

    /// Whether a key has had this value at any time since then.
    pub(super) fn was(&self, key: &[u8], since: Nanos, value: &[u8], below: &Store) -> bool {
        let Some(had) = self.keys.get(key) else { return self.begun.value(key, below).as_deref() == Some(value) };
        let ends = had.iter().skip(1).map(|(at, _)| *at).chain([Nanos::MAX]);
        had.iter().zip(ends).any(|((_, had), end)| end >= since && had.as_deref() == Some(value))
    }
}
