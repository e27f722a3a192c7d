//! How far hashing is: how many bytes of all that are to be hashed, and at a terminal how fast and for how long still.
//!
//! It counts what it is told. What is to be hashed is for `looking` to know, and how wide a terminal is for `log_sink`.

use std::time::{Duration, Instant};

use common::counted::{bytes, lasted};
use common::recent_rate::RecentRate;

/// How fast it is, is told by what was hashed in so long: files that lie in memory come first, or last.
const RATE_OVER: Duration = Duration::from_secs(10);

/// Of all files of a pass.
#[derive(Debug)]
pub(super) struct HowFar {
    /// Bytes of those that were to be hashed, and of those that are.
    wanted: u64,
    /// Bytes of those that were taken up, also of the one that is being hashed.
    taken_up: u64,
    hashed: u64,
    /// When hashing began.
    began: Instant,
    rate: RecentRate,
}

impl HowFar {
    /// Nothing is hashed yet.
    pub(super) fn new(now: Instant) -> HowFar {
        HowFar { wanted: 0, taken_up: 0, hashed: 0, began: now, rate: RecentRate::over(RATE_OVER) }
    }

    /// So much is still to be taken up: it is known anew after each walk, and what was done before stays done.
    pub(super) fn set_to_come(&mut self, now: Instant, size: u64) {
        if self.hashed == 0 {
            self.began = now;
        }
        self.wanted = self.taken_up.saturating_add(size);
    }

    pub(super) fn take_up(&mut self, size: u64) {
        self.taken_up = self.taken_up.saturating_add(size);
    }

    /// It is to be taken up once more.
    pub(super) fn put_back(&mut self, size: u64) {
        self.taken_up = self.taken_up.saturating_sub(size);
    }

    pub(super) fn on_hashed(&mut self, count: usize) {
        self.hashed = self.hashed.saturating_add(count as u64);
    }

    #[cfg(test)]
    pub(super) fn wanted(&self) -> u64 {
        self.wanted
    }

    /// In a line of the log, where so much is left of the file that is being hashed.
    pub(super) fn said(&self, left: u64) -> String {
        format!("hashing: {}", self.of_all(left))
    }

    /// In a line that is shown and changes: in parts with two blanks between them, those first that matter most where there is no
    /// room for all.
    pub(super) fn shown(&mut self, now: Instant, left: u64) -> String {
        let done = u128::from(self.done(left));
        let percent = (done * 100).checked_div(u128::from(self.wanted)).unwrap_or(100);
        let mut shown = format!("hashing: {percent} %  {}", self.of_all(left));
        self.rate.note(now.saturating_duration_since(self.began), self.hashed);
        if let Some(rate) = self.rate.per_second() {
            let seconds = self.wanted.saturating_sub(self.done(left)).div_ceil(rate);
            shown += &format!("  {} left  {}/s", lasted(Duration::from_secs(seconds)), bytes(rate));
        }
        shown
    }

    fn done(&self, left: u64) -> u64 {
        self.taken_up.saturating_sub(left).min(self.wanted)
    }

    fn of_all(&self, left: u64) -> String {
        format!("{} of {}", bytes(self.done(left)), bytes(self.wanted))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GB: u64 = 1_000_000_000;

    #[test]
    fn what_is_shown_has_a_part_of_all_and_a_rate_and_a_time_left() {
        let start = Instant::now();
        let at = |millis| start + Duration::from_millis(millis);
        let mut far = HowFar::new(start);
        far.set_to_come(start, 200 * GB);
        far.take_up(150 * GB);
        assert_eq!(far.shown(at(0), 150 * GB), "hashing: 0 %  0 bytes of 200.0 GB");
        far.on_hashed(400_000_000);
        let early = far.shown(at(400), 149_600_000_000);
        assert_eq!(early, "hashing: 0 %  400.0 MB of 200.0 GB  3 min 20 s left  1.0 GB/s");
        far.on_hashed(600_000_000);
        assert_eq!(far.shown(at(1_000), 149 * GB), "hashing: 0 %  1.0 GB of 200.0 GB  3 min 19 s left  1.0 GB/s");
        assert_eq!(far.said(149 * GB), "hashing: 1.0 GB of 200.0 GB");
        // From then on it is slower, which shows when what was before is as long ago.
        for second in 2..30 {
            far.on_hashed(500_000_000);
            far.shown(at(second * 1_000), 149 * GB);
        }
        far.on_hashed(500_000_000);
        assert_eq!(far.shown(at(30_000), 99 * GB), "hashing: 25 %  51.0 GB of 200.0 GB  4 min 58 s left  500.0 MB/s");
        // And where it stands there is no time that it takes.
        for second in 31..41 {
            far.shown(at(second * 1_000), 99 * GB);
        }
        assert_eq!(far.shown(at(41_000), 99 * GB), "hashing: 25 %  51.0 GB of 200.0 GB");
    }

    #[test]
    fn what_was_done_before_another_walk_stays_done() {
        let mut far = HowFar::new(Instant::now());
        far.set_to_come(Instant::now(), 100);
        far.take_up(60);
        far.set_to_come(Instant::now(), 40);
        assert_eq!(far.said(0), "hashing: 60 bytes of 100 bytes");
        // There is more of it by then, or less; or one is begun anew.
        far.set_to_come(Instant::now(), 140);
        assert_eq!(far.said(10), "hashing: 50 bytes of 200 bytes");
        far.put_back(60);
        far.set_to_come(Instant::now(), 60);
        assert_eq!(far.said(0), "hashing: 0 bytes of 60 bytes");
        // What grew meanwhile is no more than all.
        far.take_up(70);
        assert!(far.shown(Instant::now(), 0).starts_with("hashing: 100 %  60 bytes of 60 bytes"));
        assert!(HowFar::new(Instant::now()).shown(Instant::now(), 0).starts_with("hashing: 100 %  0 bytes of 0 bytes"));
    }
}
