//! What will be written once all that waits is on the disk: by this a write is judged that comes meanwhile.
//!
//! Of each key and name that waits it has the last that was wanted, and how much there will be of all. It decides nothing.

use std::collections::BTreeMap;
use std::sync::Arc;

use crate::content::search::FileName;
use crate::key::Key;
use crate::written::{KeptValue, StoreChange, WrittenData};

/// What differs from what is shown.
#[derive(Debug, Default)]
pub(super) struct Ahead {
    values: BTreeMap<Key, AheadChange<KeptValue>>,
    published: BTreeMap<FileName, AheadChange<Arc<[u8]>>>,
    counts: KeptCounts,
}

/// What was wanted last of a key or a name.
#[derive(Debug)]
struct AheadChange<T> {
    /// Nothing where nothing will be kept.
    kept: Option<T>,
    /// The number of the write.
    number: u64,
}

/// How much is kept.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct KeptCounts {
    /// Keys and names.
    pub(super) keys: usize,
    /// Bytes of these and of what is kept of them.
    pub(super) bytes: usize,
}

impl Ahead {
    /// Nothing waits.
    pub(super) fn of(shown: &WrittenData) -> Ahead {
        let counts = KeptCounts { keys: shown.keys_count() + shown.published_count(), bytes: shown.bytes_count() };
        Ahead { counts, ..Ahead::default() }
    }

    /// How much will be kept.
    pub(super) fn counts(&self) -> KeptCounts {
        self.counts
    }

    /// And with one change more.
    pub(super) fn counts_after(&self, change: &StoreChange, shown: &WrittenData) -> KeptCounts {
        let (before, after) = match change {
            StoreChange::Put { key, .. } | StoreChange::Hide { key } | StoreChange::Forget { key } => {
                let kept = self.kept(key, shown);
                (kept.map(|kept| key.as_bytes().len() + kept.bytes_count()), change.kept_bytes())
            }
            StoreChange::Publish { name, .. } | StoreChange::Unpublish { name } => {
                let text = self.description(name, shown);
                (text.map(|text| name.as_bytes().len() + text.len()), change.kept_bytes())
            }
        };
        let KeptCounts { keys, bytes } = self.counts;
        KeptCounts {
            keys: keys + usize::from(after.is_some()) - usize::from(before.is_some()),
            bytes: bytes + after.unwrap_or_default() - before.unwrap_or_default(),
        }
    }

    /// Whether a key will have a value; nothing where that is for the data to say.
    pub(super) fn has_value(&self, key: &Key, shown: &WrittenData) -> Option<bool> {
        self.kept(key, shown).map(|kept| matches!(kept, KeptValue::Value(_)))
    }

    fn kept<'a>(&'a self, key: &Key, shown: &'a WrittenData) -> Option<&'a KeptValue> {
        match self.values.get(key) {
            Some(change) => change.kept.as_ref(),
            None => shown.kept(key.as_bytes()),
        }
    }

    /// What a file will be described as that will be published.
    pub(super) fn description<'a>(&'a self, name: &FileName, shown: &'a WrittenData) -> Option<&'a Arc<[u8]>> {
        match self.published.get(name) {
            Some(change) => change.kept.as_ref(),
            None => shown.description(name.as_bytes()),
        }
    }

    /// One change more waits, of the write of this number.
    pub(super) fn apply(&mut self, change: &StoreChange, number: u64, shown: Option<&WrittenData>) {
        if let Some(shown) = shown {
            self.counts = self.counts_after(change, shown);
        }
        match change {
            StoreChange::Put { key, value } => {
                let kept = Some(KeptValue::Value(Arc::clone(value)));
                self.values.insert(key.clone(), AheadChange { kept, number });
            }
            StoreChange::Hide { key } => {
                self.values.insert(key.clone(), AheadChange { kept: Some(KeptValue::Hidden), number });
            }
            StoreChange::Forget { key } => {
                self.values.insert(key.clone(), AheadChange { kept: None, number });
            }
            StoreChange::Publish { name, text } => {
                self.published.insert(name.clone(), AheadChange { kept: Some(Arc::clone(text)), number });
            }
            StoreChange::Unpublish { name } => {
                self.published.insert(name.clone(), AheadChange { kept: None, number });
            }
        }
    }

    /// The change of the write of this number is shown: it is ahead no more, unless another one of the same waits.
    pub(super) fn on_shown(&mut self, change: &StoreChange, number: u64) {
        match change {
            StoreChange::Put { key, .. } | StoreChange::Hide { key } | StoreChange::Forget { key } => {
                if self.values.get(key).is_some_and(|change| change.number == number) {
                    self.values.remove(key);
                }
            }
            StoreChange::Publish { name, .. } | StoreChange::Unpublish { name } => {
                if self.published.get(name).is_some_and(|change| change.number == number) {
                    self.published.remove(name);
                }
            }
        }
    }
}
