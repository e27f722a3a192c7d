//! How fast something grows, over the last moments: for a line that says how far it is.
//!
//! It is told when how much there was. It knows no clock, and does not say how much is a lot.

use std::collections::VecDeque;
use std::time::Duration;

/// What was noted is kept in so many steps of the time that is looked back over.
const STEPS: u32 = 64;

/// Since it began, and later over a time that is looked back over.
#[derive(Clone, Debug)]
pub struct RecentRate {
    over: Duration,
    /// When there was how much. There is always a first, and what comes within a step of the one before is told in its place.
    noted: VecDeque<(Duration, u64)>,
    now: (Duration, u64),
}

impl RecentRate {
    /// Looks back over so long.
    #[must_use]
    pub fn over(over: Duration) -> RecentRate {
        RecentRate { over, noted: VecDeque::from([(Duration::ZERO, 0)]), now: (Duration::ZERO, 0) }
    }

    /// So long after it began it is so much in all.
    pub fn note(&mut self, at: Duration, all: u64) {
        self.now = (at, all);
        while self.noted.get(1).is_some_and(|(second, _)| at.saturating_sub(*second) >= self.over) {
            self.noted.pop_front();
        }
        if self.noted.back().is_some_and(|(last, _)| at.saturating_sub(*last) >= self.over / STEPS) {
            self.noted.push_back(self.now);
        }
    }

    /// How much more it became in a second; nothing where it stands.
    #[must_use]
    pub fn per_second(&self) -> Option<u64> {
        let (from, before) = self.noted.front()?;
        let (until, now) = self.now;
        let nanos = until.saturating_sub(*from).as_nanos();
        let rate = (u128::from(now.saturating_sub(*before)) * 1_000_000_000).checked_div(nanos)?;
        Some(u64::try_from(rate).unwrap_or(u64::MAX)).filter(|rate| *rate > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const OVER: Duration = Duration::from_secs(5);

    #[test]
    fn it_is_the_rate_since_the_begin_and_then_of_the_last_moments() {
        let mut rate = RecentRate::over(OVER);
        let at = Duration::from_secs;
        assert_eq!(rate.per_second(), None);
        rate.note(at(0), 0);
        rate.note(at(2), 2_000);
        assert_eq!(rate.per_second(), Some(1_000));
        rate.note(at(4), 2_000);
        assert_eq!(rate.per_second(), Some(500), "since it began");
        rate.note(at(9), 12_000);
        assert_eq!(rate.per_second(), Some(2_000), "over the last seconds");
        rate.note(at(20), 12_000);
        rate.note(at(30), 12_000);
        assert_eq!(rate.per_second(), None, "it stands");
    }

    #[test]
    fn what_takes_no_time_to_tell_has_no_rate_and_what_takes_little_has() {
        let mut rate = RecentRate::over(OVER);
        rate.note(Duration::ZERO, 1_000);
        assert_eq!(rate.per_second(), None);
        rate.note(Duration::from_millis(1), 1_000);
        assert_eq!(rate.per_second(), Some(1_000_000));
        rate.note(Duration::from_nanos(1_000_001), u64::MAX);
        assert_eq!(rate.per_second(), Some(u64::MAX));
    }

    #[test]
    fn however_often_it_is_told_it_keeps_as_little() {
        let mut rate = RecentRate::over(OVER);
        for millis in 0..20_000 {
            rate.note(Duration::from_millis(millis), millis);
            assert!(rate.noted.len() <= STEPS as usize + 2, "{}", rate.noted.len());
        }
        assert_eq!(rate.per_second(), Some(1_000));
    }
}
