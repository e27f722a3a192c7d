//! A moment, as the pure code knows it: counted from a start that only the shell around it can place.
//!
//! It does not read a clock.

use std::ops::Add;
use std::time::Duration;

/// A moment. The shell hands it in; the core compares, adds, and never asks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Time {
    nanoseconds: u64,
}

impl Time {
    /// The moment a shell counts from.
    pub const START: Time = Time { nanoseconds: 0 };
    /// A moment that does not come.
    pub const NEVER: Time = Time { nanoseconds: u64::MAX };

    /// The moment this long after the start.
    #[must_use]
    pub fn after_start(elapsed: Duration) -> Time {
        Time { nanoseconds: u64::try_from(elapsed.as_nanos()).unwrap_or(u64::MAX) }
    }

    /// Nanoseconds after the start.
    #[must_use]
    pub fn nanoseconds(self) -> u64 {
        self.nanoseconds
    }

    /// How long ago `earlier` was; nothing when it was not earlier.
    #[must_use]
    pub fn since(self, earlier: Time) -> Duration {
        Duration::from_nanos(self.nanoseconds.saturating_sub(earlier.nanoseconds))
    }
}

impl Add<Duration> for Time {
    type Output = Time;

    fn add(self, duration: Duration) -> Time {
        let added = u64::try_from(duration.as_nanos()).unwrap_or(u64::MAX);
        Time { nanoseconds: self.nanoseconds.saturating_add(added) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn differences_never_go_below_nothing() {
        let later = Time::START + Duration::from_millis(5);
        assert_eq!(later.since(Time::START), Duration::from_millis(5));
        assert_eq!(Time::START.since(later), Duration::ZERO);
    }

    #[test]
    fn the_far_future_is_a_moment_too() {
        let end = Time::after_start(Duration::MAX);
        assert_eq!(end + Duration::from_secs(1), end);
    }
}
