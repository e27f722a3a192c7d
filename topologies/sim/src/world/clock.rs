//! The clock of a world, and what is to come by it: one thing after another, and what comes at the same moment in the
//! order in which it was said to come.
//!
//! It does not know what anything means.

use std::cmp::Ordering;
use std::collections::BinaryHeap;
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
    coming: BinaryHeap<Coming<T>>,
    sequence: u64,
}

impl<T> EventQueue<T> {
    pub(super) fn new() -> EventQueue<T> {
        EventQueue { now: 0, coming: BinaryHeap::new(), sequence: 0 }
    }

    pub(super) fn now(&self) -> Nanos {
        self.now
    }

    /// The same as minds are told it.
    pub(super) fn time(&self) -> Time {
        Time::after_start(Duration::from_nanos(self.now))
    }

    /// Has something come at a moment, or now where that is over.
    pub(super) fn schedule(&mut self, at: Nanos, what: T) {
        self.sequence += 1;
        self.coming.push(Coming { at: at.max(self.now), sequence: self.sequence, what });
    }

    /// Goes on to what comes next, and gives it.
    pub(super) fn pop(&mut self) -> Option<T> {
        let Coming { at, what, .. } = self.coming.pop()?;
        self.now = at;
        Some(what)
    }
}

struct Coming<T> {
    at: Nanos,
    sequence: u64,
    what: T,
}

impl<T> PartialEq for Coming<T> {
    fn eq(&self, other: &Coming<T>) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl<T> Eq for Coming<T> {}

impl<T> PartialOrd for Coming<T> {
    fn partial_cmp(&self, other: &Coming<T>) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Coming<T> {
    /// The earliest is the greatest: that is what a heap gives first.
    fn cmp(&self, other: &Coming<T>) -> Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}
