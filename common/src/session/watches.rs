//! Keys that a client's contact is to tell of, now and whenever their values change.
//!
//! It takes the contact's word for what the value is. A watch has no wait: it goes on until nobody wants it, or the contact
//! is gone.

use std::collections::{BTreeSet, VecDeque};

use crate::limits::WATCHES_PER_CLIENT_MAX;

/// Watches that nobody wants any more and of which something may still be on its way; of those before them nothing is, unless
/// the contact is slow, and then it is a surprise.
const WATCHES_ENDED_KEPT_MAX: usize = 16 * WATCHES_PER_CLIENT_MAX;

/// What ended a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEnd {
    /// Nobody wanted it any more.
    Cancelled,
    /// The contact is gone, or there was none.
    ContactLost,
    /// It was not asked for: the contact did not offer to tell of changes.
    NotUnderstood,
}

/// As many keys are watched as one client may watch. This one is not, and nothing became of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{WATCHES_PER_CLIENT_MAX} keys are watched, and that is the most")]
pub struct TooManyWatches;

/// What the contact tells of.
#[derive(Debug, Default)]
pub(super) struct SaidWatches {
    open: BTreeSet<u64>,
    /// Of which something may still be on its way.
    ended: VecDeque<u64>,
}

impl SaidWatches {
    pub(super) fn are_full(&self) -> bool {
        self.open.len() >= WATCHES_PER_CLIENT_MAX
    }

    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    pub(super) fn begin(&mut self, sequence: u64) {
        self.open.insert(sequence);
    }

    /// Nothing is told of any. Those that were wanted.
    pub(super) fn take_open(&mut self) -> BTreeSet<u64> {
        std::mem::take(self).open
    }

    /// Whether there is one that goes by this.
    pub(super) fn are_open_by(&self, sequence: u64) -> bool {
        self.open.contains(&sequence)
    }

    /// Whether something is known by it.
    pub(super) fn use_sequence(&self, sequence: u64) -> bool {
        self.are_open_by(sequence) || self.ended.contains(&sequence)
    }

    pub(super) fn end(&mut self, sequence: u64) {
        self.open.remove(&sequence);
        if self.ended.len() >= WATCHES_ENDED_KEPT_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(sequence);
    }
}
