//! The time a client goes by: it passes while somebody waits for what comes, and stands still while what came is told.
//!
//! Nothing is read then, and nobody is to be found silent for that. Whoever has a loop waits there, where it cannot be
//! seen that they do: what is known is when they began to, and when they are back.

use std::time::{Duration, Instant};

use common::time::Time;

#[derive(Debug, Default)]
pub(super) struct Clock {
    passed: Duration,
    going_since: Option<Instant>,
    /// The last wait that was too long was not counted.
    has_spared: bool,
}

impl Clock {
    pub(super) fn now(&self, at: Instant) -> Time {
        Time::after_start(self.passed + self.going_since.map_or(Duration::ZERO, |since| at.duration_since(since)))
    }

    pub(super) fn is_going(&self) -> bool {
        self.going_since.is_some()
    }

    pub(super) fn start(&mut self, at: Instant) {
        self.going_since.get_or_insert(at);
    }

    pub(super) fn stop(&mut self, at: Instant) {
        if let Some(since) = self.going_since.take() {
            self.passed += at.duration_since(since);
        }
    }

    /// Somebody is back who waited by themselves. Where that is late, and something has come that may have come in time,
    /// their wait is not counted: what came is dealt with as if they had been there. But the next one that is late is,
    /// whatever lies between, so that who is late again and again finds an end to every silence.
    pub(super) fn settle(&mut self, at: Instant, due: Option<Time>, has_come: bool) {
        let is_late = due.is_some_and(|due| due <= self.now(at));
        let is_spared = is_late && has_come && !self.has_spared;
        if is_late {
            self.has_spared = is_spared;
        }
        if !is_spared {
            self.stop(at);
        }
        self.going_since = Some(at);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn time(seconds: u64) -> Time {
        Time::after_start(Duration::from_secs(seconds))
    }

    #[test]
    fn it_stands_still_until_it_is_started_and_once_it_is_stopped() {
        let start = Instant::now();
        let mut clock = Clock::default();
        assert_eq!(clock.now(start + SECOND), time(0));
        clock.start(start + SECOND);
        clock.start(start + 2 * SECOND);
        assert_eq!(clock.now(start + 3 * SECOND), time(2));
        clock.stop(start + 4 * SECOND);
        assert_eq!((clock.is_going(), clock.now(start + 9 * SECOND)), (false, time(3)));
    }

    #[test]
    fn a_wait_counts_unless_it_was_too_long_and_something_came_and_then_every_other_one() {
        for (waited, due, has_come, counted) in [
            (3, Some(4), true, [3, 6]),
            (9, None, true, [9, 18]),
            (9, Some(4), false, [9, 18]),
            (4, Some(4), true, [0, 4]),
            (9, Some(4), true, [0, 9]),
        ] {
            let mut at = Instant::now();
            let mut clock = Clock::default();
            clock.start(at);
            for (place, counted) in counted.into_iter().enumerate() {
                at += waited * SECOND;
                // What is pending is put off by what counted, and so is still due.
                let due = due.map(|due| if due > u64::from(waited) { time(u64::MAX >> 32) } else { time(due) });
                clock.settle(at, due, has_come);
                assert_eq!(clock.now(at), time(counted), "{waited} s, due at {due:?}, {has_come}, {place}");
            }
        }
    }

    #[test]
    fn of_waits_that_were_too_long_every_other_one_counts_whatever_lies_between() {
        let mut at = Instant::now();
        let mut clock = Clock::default();
        clock.start(at);
        // Whoever asks before they look settles twice, and the second time is prompt.
        for (waited, has_come, counted) in
            [(9, true, 0), (0, true, 0), (1, false, 1), (9, true, 10), (0, true, 10), (1, true, 11), (9, true, 11)]
        {
            at += waited * SECOND;
            let due = Some(Time::after_start(clock.now(at - waited * SECOND).since(time(0)) + 4 * SECOND));
            clock.settle(at, due, has_come);
            assert_eq!(clock.now(at), time(counted), "{waited} s, {has_come}");
        }
    }
}
