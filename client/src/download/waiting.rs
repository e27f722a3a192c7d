//! When it is told that nobody gives what is missing: once in a download, and only where that lasts.
//!
//! It knows no clock, and whether anybody gives anything is for the mind of the fetch to say.

use std::time::Duration;

use common::time::Time;

/// For so long nobody has to give anything. The pause before the only holder is dialled anew is shorter.
const WAITING_TOLD_AFTER: Duration = Duration::from_secs(3);

/// Whether it was told, and since when it has been so.
#[derive(Debug, Default)]
pub(super) struct WaitingNotice {
    since: Option<Time>,
    is_told: bool,
}

impl WaitingNotice {
    /// Now it is so, or not. Whether it is to be told.
    pub(super) fn is_due(&mut self, now: Time, is_waiting: bool) -> bool {
        self.since = is_waiting.then(|| self.since.unwrap_or(now));
        let lasts = self.since.is_some_and(|since| now.since(since) >= WAITING_TOLD_AFTER);
        lasts && !std::mem::replace(&mut self.is_told, true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn that_nobody_gives_anything_is_told_once_it_has_lasted_and_then_no_more() {
        let mut notice = WaitingNotice::default();
        let mut is_due = |milliseconds, is_waiting| {
            notice.is_due(Time::after_start(Duration::from_millis(milliseconds)), is_waiting)
        };
        // A holder that gives a block now and then, and hangs up.
        for second in 0..9 {
            assert!(!is_due(second * 1_000, true) && !is_due(second * 1_000 + 999, true));
            assert!(!is_due(second * 1_000 + 999, false));
        }
        assert!(!is_due(10_000, true) && !is_due(12_999, true));
        assert!(is_due(13_000, true));
        assert!(!is_due(13_001, true) && !is_due(14_000, false) && !is_due(15_000, true) && !is_due(99_000, true));
    }
}
