//! What was written over the network: values above those of the data file, and which files are published.
//!
//! It is what is on the disk, held in memory too, and changes only by what has got there. Who may write and what waits is
//! known to the servent's mind; where the disk is, to the program.

use std::collections::BTreeMap;
use std::collections::btree_map::Range;
use std::ops::Bound;
use std::sync::Arc;

use crate::content::search::FileName;
use crate::key::Key;

/// One change of what is kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StoreChange {
    /// A key has this value.
    Put {
        /// The key.
        key: Key,
        /// Its value.
        value: Arc<[u8]>,
    },
    /// A key has none, whatever the data file says.
    Hide {
        /// The key.
        key: Key,
    },
    /// Nothing is kept of a key: it has the value of the data file, if there is one.
    Forget {
        /// The key.
        key: Key,
    },
    /// A shared file is described like this, and published.
    Publish {
        /// The file.
        name: FileName,
        /// Its description.
        text: Arc<[u8]>,
    },
    /// It is not published.
    Unpublish {
        /// The file.
        name: FileName,
    },
}

impl StoreChange {
    /// The bytes of all it names.
    #[must_use]
    pub fn bytes_count(&self) -> usize {
        match self {
            StoreChange::Put { key, value } => key.as_bytes().len() + value.len(),
            StoreChange::Hide { key } | StoreChange::Forget { key } => key.as_bytes().len(),
            StoreChange::Publish { name, text } => name.as_bytes().len() + text.len(),
            StoreChange::Unpublish { name } => name.as_bytes().len(),
        }
    }

    /// The bytes of what is kept because of it; nothing where nothing is.
    #[must_use]
    pub fn kept_bytes(&self) -> Option<usize> {
        let is_kept = !matches!(self, StoreChange::Forget { .. } | StoreChange::Unpublish { .. });
        is_kept.then(|| self.bytes_count())
    }
}

/// What is kept of a key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeptValue {
    /// This value.
    Value(Arc<[u8]>),
    /// That it has none.
    Hidden,
}

impl KeptValue {
    /// The bytes of it.
    #[must_use]
    pub fn bytes_count(&self) -> usize {
        if let KeptValue::Value(value) = self { value.len() } else { 0 }
    }
}

/// All that was written and is kept.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct WrittenData {
    values: BTreeMap<Key, KeptValue>,
    published: BTreeMap<FileName, Arc<[u8]>>,
    bytes_count: usize,
}

impl WrittenData {
    /// Makes one change.
    pub fn apply(&mut self, change: StoreChange) {
        match change {
            StoreChange::Put { key, value } => self.keep(key, Some(KeptValue::Value(value))),
            StoreChange::Hide { key } => self.keep(key, Some(KeptValue::Hidden)),
            StoreChange::Forget { key } => self.keep(key, None),
            StoreChange::Publish { name, text } => {
                self.bytes_count += name.as_bytes().len() + text.len();
                if let Some(before) = self.published.insert(name.clone(), text) {
                    self.bytes_count -= name.as_bytes().len() + before.len();
                }
            }
            StoreChange::Unpublish { name } => {
                if let Some(before) = self.published.remove(&name) {
                    self.bytes_count -= name.as_bytes().len() + before.len();
                }
            }
        }
    }

    fn keep(&mut self, key: Key, kept: Option<KeptValue>) {
        let key_bytes = key.as_bytes().len();
        let bytes_of = |kept: &KeptValue| key_bytes + kept.bytes_count();
        self.bytes_count += kept.as_ref().map_or(0, bytes_of);
        let before = match kept {
            Some(kept) => self.values.insert(key, kept),
            None => self.values.remove(&key),
        };
        self.bytes_count -= before.as_ref().map_or(0, bytes_of);
    }

    /// What is kept of a key, if anything is.
    #[must_use]
    pub fn kept(&self, key: &[u8]) -> Option<&KeptValue> {
        self.values.get(key)
    }

    /// What a file is described as that is published.
    #[must_use]
    pub fn description(&self, name: &[u8]) -> Option<&Arc<[u8]>> {
        self.published.get(name)
    }

    /// The files that are published, of this name and behind it, in the order of names.
    pub fn published_from<'a>(&'a self, name: &[u8]) -> Range<'a, FileName, Arc<[u8]>> {
        self.published.range::<[u8], _>((Bound::Included(name), Bound::Unbounded))
    }

    /// What is kept of keys, in their order.
    pub fn values(&self) -> impl ExactSizeIterator<Item = (&Key, &KeptValue)> {
        self.values.iter()
    }

    /// Of how many keys something is kept.
    #[must_use]
    pub fn keys_count(&self) -> usize {
        self.values.len()
    }

    /// How many files are published.
    #[must_use]
    pub fn published_count(&self) -> usize {
        self.published.len()
    }

    /// The bytes of all keys, values, names and descriptions.
    #[must_use]
    pub fn bytes_count(&self) -> usize {
        self.bytes_count
    }

    /// Whether nothing is kept.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.values.is_empty() && self.published.is_empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> Key {
        Key::new(text.as_bytes()).unwrap()
    }

    fn name(text: &str) -> FileName {
        FileName::new(text.as_bytes()).unwrap()
    }

    #[test]
    fn what_is_kept_counts_for_its_bytes_and_no_longer_than_it_is() {
        let mut written = WrittenData::default();
        let put = |key_text, value: &str| StoreChange::Put { key: key(key_text), value: value.as_bytes().into() };
        let publish = |text: &str| StoreChange::Publish { name: name("farol"), text: text.as_bytes().into() };
        for (change, bytes_count) in [
            (put("tea", "green"), 8),
            (put("tea", "red"), 6),
            (put("milk", ""), 10),
            (StoreChange::Hide { key: key("tea") }, 7),
            (StoreChange::Hide { key: key("nobody") }, 13),
            (StoreChange::Forget { key: key("nobody") }, 7),
            (StoreChange::Forget { key: key("nobody") }, 7),
            (publish("at dusk"), 19),
            (publish(""), 12),
            (StoreChange::Unpublish { name: name("farol") }, 7),
            (StoreChange::Unpublish { name: name("farol") }, 7),
            (StoreChange::Forget { key: key("tea") }, 4),
            (StoreChange::Forget { key: key("milk") }, 0),
        ] {
            written.apply(change.clone());
            assert_eq!(written.bytes_count(), bytes_count, "{change:?}");
        }
        assert!(written.is_empty());
    }

    #[test]
    fn what_is_kept_is_what_was_said_last() {
        let mut written = WrittenData::default();
        let value = |text: &str| KeptValue::Value(text.as_bytes().into());
        written.apply(StoreChange::Put { key: key("tea"), value: b"green"[..].into() });
        assert_eq!(written.kept(b"tea"), Some(&value("green")));
        written.apply(StoreChange::Hide { key: key("tea") });
        assert_eq!((written.kept(b"tea"), written.kept(b"te")), (Some(&KeptValue::Hidden), None));
        for file in ["b", "a", "c"] {
            written.apply(StoreChange::Publish { name: name(file), text: file.as_bytes().into() });
        }
        let names: Vec<&[u8]> = written.published_from(b"b").map(|(name, _)| name.as_bytes()).collect();
        assert_eq!(names, [b"b", b"c"]);
        assert_eq!(written.description(b"a").map(AsRef::as_ref), Some(&b"a"[..]));
    }
}
