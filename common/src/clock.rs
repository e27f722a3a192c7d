//! The clock of one servent: it counts events, so that whatever was caused by another comes after it (Lamport 1978, *Time,
//! Clocks, and the Ordering of Events in a Distributed System*).
//!
//! It measures no time (`time`), and does not know what an event is: the mind says (`overlay`), and the wire carries what
//! it shows as a stamp.

use crate::limits::{STAMP_STEP_MAX, STAMPS_PER_SECOND};
use crate::time::Time;

const SECOND_NANOSECONDS: u128 = 1_000_000_000;

/// How many events a servent knows of, as far as they came one after the other.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct LamportClock(u64);

impl LamportClock {
    /// One that goes on from what its servent knew before. What that was may be anything: it moves it no further than a stamp.
    pub(crate) fn from(clock: u64) -> LamportClock {
        LamportClock(clock.min(STAMP_STEP_MAX))
    }

    /// What it shows: the stamp of what is said now.
    pub(crate) fn stamp(self) -> u64 {
        self.0
    }

    /// Something happened here.
    pub(crate) fn tick(&mut self) {
        // At its end it stays: from there on what came first is not told by it.
        self.0 = self.0.saturating_add(1);
    }

    /// Something was heard that was said under this stamp. Somebody who lies moves it no further than others can follow.
    #[inline]
    pub(crate) fn hear(&mut self, now: Time, stamp: u64) {
        if stamp > self.0 {
            let reached = stamp.min(self.0.saturating_add(STAMP_STEP_MAX));
            // What no honest servent comes to in years is looked at more closely.
            let is_far = reached > STAMP_STEP_MAX;
            self.0 = if is_far { reached.min(furthest(now)).max(self.0) } else { reached };
        }
        self.tick();
    }
}

/// How far stamps may have moved a clock by now: never less than one may at once.
fn furthest(now: Time) -> u64 {
    let moved = u128::from(now.nanoseconds()) * u128::from(STAMPS_PER_SECOND) / SECOND_NANOSECONDS;
    STAMP_STEP_MAX.saturating_add(u64::try_from(moved).unwrap_or(u64::MAX))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const HOUR: Duration = Duration::from_secs(3_600);

    #[test]
    fn what_was_heard_comes_after_what_was_said_and_after_all_that_was_before() {
        let mut clock = LamportClock(5);
        for (stamp, after) in [(9, 10), (10, 11), (3, 12), (0, 13), (12, 14)] {
            clock.hear(Time::START, stamp);
            assert_eq!(clock.stamp(), after, "stamp {stamp}");
        }
        clock.tick();
        assert_eq!(clock.stamp(), 15);
    }

    #[test]
    fn one_stamp_moves_it_so_far_and_many_so_far_in_their_time() {
        let mut clock = LamportClock(7);
        clock.hear(Time::START, u64::MAX);
        assert_eq!(clock.stamp(), STAMP_STEP_MAX + 1, "at once");
        for events in 2..1_000 {
            clock.hear(Time::START, u64::MAX);
            assert_eq!(clock.stamp(), STAMP_STEP_MAX + events, "no time has passed: only what happened here counts");
        }
        let mut now = Time::START;
        for second in 1..1_000 {
            now = now + Duration::from_secs(1);
            clock.hear(now, u64::MAX);
            assert_eq!(clock.stamp(), STAMP_STEP_MAX + second * STAMPS_PER_SECOND + 1);
        }
        // Whoever heard nothing for long goes no further at once.
        let mut clock = LamportClock::default();
        clock.hear(Time::START + HOUR, u64::MAX);
        assert_eq!(clock.stamp(), STAMP_STEP_MAX + 1);
    }

    #[test]
    fn a_liar_needs_more_than_a_hundred_years_to_its_end_where_it_stays() {
        let years = |count: u32| Time::START + 24 * 365 * count * HOUR;
        let mut clock = LamportClock(u64::MAX - STAMP_STEP_MAX);
        clock.hear(years(100), u64::MAX);
        assert_eq!(clock.stamp(), u64::MAX - STAMP_STEP_MAX + 1, "it is further than stamps could have brought it");
        clock.hear(years(137), u64::MAX);
        assert_eq!(clock.stamp(), u64::MAX);
        clock.tick();
        clock.hear(years(137), u64::MAX);
        assert_eq!(clock.stamp(), u64::MAX);
    }
}
