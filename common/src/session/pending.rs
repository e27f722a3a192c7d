//! The queries a client waits for, by their sequences and by when the wait of each is over.
//!
//! Kept both ways at once, so that ten thousand cost each answer no more than one does. Why a query ends is not decided
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use crate::link::LinkId;
use crate::query::Tally;
use crate::time::Time;

/// A query that is waited for.
#[derive(Debug)]
pub(super) struct Pending {
    /// Whether places are asked for, and not values.
    pub(super) for_places: bool,
    /// The link of the contact it was asked of, where there was one. Nobody else can say that its flood is over.
    pub(super) asked_of: Option<LinkId>,
    pub(super) asked: Time,
    pub(super) silence_max: Duration,
    pub(super) answers_wanted: Option<u64>,
    pub(super) answers: u64,
    /// Those of them that count in what a contact promises: behind a dialect without echoes nobody reports.
    pub(super) reported_answers: u64,
    pub(super) told: Option<Tally>,
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct PendingQueries {
    /// Each with when its wait is over.
    by_sequence: BTreeMap<u64, (Time, Pending)>,
    by_due: BTreeSet<(Time, u64)>,
}

impl PendingQueries {
    pub(super) fn insert(&mut self, now: Time, sequence: u64, pending: Pending) {
        let due = now + pending.silence_max;
        self.by_sequence.insert(sequence, (due, pending));
        self.by_due.insert((due, sequence));
    }

    pub(super) fn get_mut(&mut self, sequence: u64) -> Option<&mut Pending> {
        self.by_sequence.get_mut(&sequence).map(|(_, pending)| pending)
    }

    /// The wait of this one, and of no other, begins anew.
    pub(super) fn wait_anew(&mut self, now: Time, sequence: u64) {
        if let Some((due, pending)) = self.by_sequence.get_mut(&sequence) {
            self.by_due.remove(&(*due, sequence));
            *due = now + pending.silence_max;
            self.by_due.insert((*due, sequence));
        }
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Pending> {
        let (due, pending) = self.by_sequence.remove(&sequence)?;
        self.by_due.remove(&(due, sequence));
        if self.by_sequence.is_empty() {
            // Given back: an emptied map keeps a node, and of all clients in a simulation hardly one is asking.
            *self = PendingQueries::default();
        }
        Some(pending)
    }

    pub(super) fn len(&self) -> usize {
        self.by_sequence.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_sequence.is_empty()
    }

    /// When the first of these waits is over.
    pub(super) fn deadline(&self) -> Time {
        self.by_due.first().map_or(Time::NEVER, |(due, _)| *due)
    }

    /// The one whose wait has been over for longest.
    pub(super) fn overdue(&self, now: Time) -> Option<u64> {
        self.by_due.first().filter(|(due, _)| *due <= now).map(|(_, sequence)| *sequence)
    }
}
