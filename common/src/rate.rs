//! How fast something may come: so much in the long run, and so much at once (the generic cell rate algorithm of ITU-T
//! I.371).
//!
//! It counts. What is done about whoever is ahead of its rate, and how far ahead it may be, is for whoever asks. It reads
//! no clock, and takes the moments of any.

use std::ops::Add;
use std::time::Duration;

/// When all that came would have come, had it come at the most even pace it may.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Rate<T>(T);

impl<T: Copy + Ord + Add<Duration, Output = T>> Rate<T> {
    /// One of which nothing came yet, at this moment.
    #[must_use]
    pub fn starting_at(moment: T) -> Rate<T> {
        Rate(moment)
    }

    /// Counts one more, which is worth so much time.
    pub fn count(&mut self, now: T, cost: Duration) {
        self.0 = self.0.max(now) + cost;
    }

    /// From when on nothing that came is ahead.
    #[must_use]
    pub fn next(&self) -> T {
        self.0
    }

    /// Whether more came than may at once, where it may be this far ahead.
    #[must_use]
    pub fn is_ahead(&self, now: T, at_once: Duration) -> bool {
        self.0 > now + at_once
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::time::Time;

    const COST: Duration = Duration::from_millis(100);
    const AT_ONCE: Duration = Duration::from_secs(1);

    /// How many come one after the other before it is ahead.
    fn burst(rate: &mut Rate<Time>, now: Time) -> usize {
        let comes = |_: &u32| {
            let is_in_time = !rate.is_ahead(now, AT_ONCE);
            if is_in_time {
                rate.count(now, COST);
            }
            is_in_time
        };
        (0..100).take_while(comes).count()
    }

    #[test]
    fn so_many_at_once_and_then_so_many_a_second() {
        let mut rate = Rate::starting_at(Time::START);
        assert_eq!(burst(&mut rate, Time::START), 11, "ten at once, and the one that puts it ahead");
        assert_eq!(burst(&mut rate, Time::START), 0);
        let mut now = Time::START;
        for _ in 0..50 {
            now = now + COST;
            assert_eq!(burst(&mut rate, now), 1);
        }
        // Whoever rests has as much at once again, and no more however long it rests.
        now = now + Duration::from_secs(3_600);
        assert_eq!(burst(&mut rate, now), 11);
    }
}
