//! The clock of a world, and what is to come by it: one thing after another; at the same moment first what happens, in
//! the order in which it was sent, and then whoever waits for that moment, one after another.
//!
//! It does not know what anything means.

use std::collections::BTreeMap;
use std::time::Duration;

use common::time::Time;

/// A moment, in nanoseconds since everybody was started; or how long something takes.
pub(super) type Nanos = u64;

pub(super) const MILLISECOND: Nanos = 1_000_000;
pub(super) const SECOND: Nanos = 1_000 * MILLISECOND;

pub(super) fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

/// What is to come, and what time it is.
pub(super) struct EventQueue<T> {
    now: Nanos,
    coming: BTreeMap<(Nanos, Rank, u64), T>,
    sequence: u64,
}

impl<T> EventQueue<T> {
    pub(super) fn new() -> EventQueue<T> {
        EventQueue { now: 0, coming: BTreeMap::new(), sequence: 0 }
    }

    pub(super) fn now(&self) -> Nanos {
        self.now
    }

    /// The same as minds are told it.
    pub(super) fn time(&self) -> Time {
        Time::after_start(Duration::from_nanos(self.now))
    }

    /// A place in the order, for something that will be said to come.
    pub(super) fn ticket(&mut self) -> u64 {
        self.sequence += 1;
        self.sequence
    }

    /// Has something come at a moment, or now where that is over.
    pub(super) fn schedule(&mut self, at: Nanos, what: T) {
        let ticket = self.ticket();
        self.schedule_with(ticket, at, what);
    }

    /// The same, in a place of the order that was taken before.
    pub(super) fn schedule_with(&mut self, ticket: u64, at: Nanos, what: T) {
        self.coming.insert((at.max(self.now), Rank::Happens, ticket), what);
    }

    /// Has somebody of this number told that a moment has come; once, however often it asks for that.
    pub(super) fn schedule_due(&mut self, who: usize, at: Nanos, what: T) {
        self.coming.insert((at.max(self.now), Rank::Waits, who as u64), what);
    }

    /// Goes on to what comes next, and gives it.
    pub(super) fn pop(&mut self) -> Option<T> {
        let ((at, ..), what) = self.coming.pop_first()?;
        self.now = at;
        Some(what)
    }

    /// The same, if it comes by then; otherwise goes on to then.
    pub(super) fn pop_until(&mut self, end: Nanos) -> Option<T> {
        if self.coming.first_key_value().is_some_and(|((at, ..), _)| *at <= end) {
            return self.pop();
        }
        self.now = self.now.max(end);
        None
    }

    /// What is to happen, without those who wait.
    pub(super) fn happenings(&self) -> impl Iterator<Item = &T> {
        self.coming.iter().filter(|((_, rank, _), _)| *rank == Rank::Happens).map(|(_, what)| what)
    }
}

/// Of what comes at the same moment the first comes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Rank {
    Happens,
    Waits,
}
