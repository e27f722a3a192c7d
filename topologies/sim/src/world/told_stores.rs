//! The disks on which servents of a story keep what clients write: as slow as the story says, full or failing.
//!
//! What was put there is there once that is told, and not before; nothing tears. Disks that do are in `keeping`, and what is
//! written, and who is told, is for a servent's mind.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::disk::{CommitFailure, JobDone};
use common::written::{StoreChange, WrittenData};

use super::clock::Nanos;

/// What comes of whatever is put on a disk.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum StoreMood {
    /// It is kept.
    Well,
    /// There is no room for it.
    Full,
    /// It cannot be synced.
    Failing,
}

#[derive(Debug)]
struct ToldStore {
    written: Arc<WrittenData>,
    mood: StoreMood,
    takes: Nanos,
    is_busy: bool,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct ToldStores(BTreeMap<usize, ToldStore>);

impl ToldStores {
    /// A servent has an empty one, which is quick.
    pub(super) fn put(&mut self, servent: usize) {
        let store = ToldStore { written: Arc::default(), mood: StoreMood::Well, takes: 0, is_busy: false };
        self.0.insert(servent, store);
    }

    /// From now on it is like this. False where there is none.
    pub(super) fn befall(&mut self, servent: usize, mood: StoreMood, takes: Nanos) -> bool {
        let store = self.0.get_mut(&servent);
        store.map(|store| (store.mood, store.takes) = (mood, takes)).is_some()
    }

    /// The servent is started: what it finds, and whether it can be written to; nothing where it keeps nothing.
    pub(super) fn on_born(&mut self, servent: usize) -> Option<(Arc<WrittenData>, bool)> {
        let store = self.0.get_mut(&servent)?;
        store.is_busy = false;
        Some((Arc::clone(&store.written), store.mood == StoreMood::Failing))
    }

    /// Whether anything is being put on the one of a servent.
    pub(super) fn is_busy(&self, servent: usize) -> bool {
        self.0.get(&servent).is_some_and(|store| store.is_busy)
    }

    /// A servent puts something there: how long that takes; nothing where it has none.
    pub(super) fn begin(&mut self, servent: usize) -> Option<Nanos> {
        let store = self.0.get_mut(&servent)?;
        store.is_busy = true;
        Some(store.takes)
    }

    /// What came of it.
    pub(super) fn end(&mut self, servent: usize, changes: &[StoreChange]) -> Option<JobDone> {
        let store = self.0.get_mut(&servent)?;
        store.is_busy = false;
        Some(JobDone::Committed(match store.mood {
            StoreMood::Well => {
                let written = Arc::make_mut(&mut store.written);
                changes.iter().for_each(|change| written.apply(change.clone()));
                Ok(())
            }
            StoreMood::Full => Err(CommitFailure::Full("the story says so".to_owned())),
            StoreMood::Failing => Err(CommitFailure::Failed("the story says so".to_owned())),
        }))
    }
}
