//! How long the loop keeps everybody waiting: the time from one wake-up to the next wait, of every turn, roughly.
//!
//! It counts in a fixed table and never looks at what a turn did.

use std::fmt;
use std::time::Duration;

use common::counted::counted;

/// Steps in each doubling of a pause: a pause is known to an eighth of its length.
const STEPS: u32 = 8;
/// From 0 to more than an hour, in microseconds.
const STEPS_COUNT: usize = 33 * STEPS as usize;

/// The turns of the loop, counted by their length.
#[derive(Debug)]
pub(crate) struct Pauses {
    counts: [u64; STEPS_COUNT],
    longest: Duration,
}

impl Default for Pauses {
    fn default() -> Pauses {
        Pauses { counts: [0; STEPS_COUNT], longest: Duration::ZERO }
    }
}

impl Pauses {
    pub(crate) fn add(&mut self, pause: Duration) {
        if let Some(count) = self.counts.get_mut(step_of(pause)) {
            *count += 1;
        }
        self.longest = self.longest.max(pause);
    }

    /// The pause that so many of a thousand are at most, rounded up to the end of its step.
    fn at_most(&self, per_mille: u64) -> Duration {
        let total: u64 = self.counts.iter().sum();
        let wanted = (total * per_mille).div_ceil(1_000);
        let mut so_far = 0;
        let step = self.counts.iter().position(|count| {
            so_far += count;
            so_far >= wanted
        });
        step.map_or(self.longest, end_of).min(self.longest)
    }
}

impl fmt::Display for Pauses {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let [half, p99, p999] = [500, 990, 999].map(|per_mille| self.at_most(per_mille).as_micros());
        let turns: u64 = self.counts.iter().sum();
        let longest = self.longest.as_micros();
        let turns = counted(turns, "turn");
        write!(f, "{turns} of the loop took, in us: p50 {half}, p99 {p99}, p99.9 {p999}, longest {longest}")
    }
}

/// Below [`STEPS`] microseconds a step is one; from there on each doubling has as many.
fn step_of(pause: Duration) -> usize {
    let micros = u32::try_from(pause.as_micros()).unwrap_or(u32::MAX);
    let doublings = (micros.max(1).ilog2() + 1).saturating_sub(STEPS.ilog2() + 1);
    (doublings * STEPS + (micros >> doublings)) as usize
}

/// The first pause that is beyond a step.
fn end_of(step: usize) -> Duration {
    let step = step as u64 + 1;
    let doublings = (step / u64::from(STEPS)).saturating_sub(1);
    Duration::from_micros((step - doublings * u64::from(STEPS)) << doublings)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_pause_is_in_the_step_that_ends_beyond_it() {
        for micros in (0..40).flat_map(|shift: u32| [(1u64 << shift) - 1, 1 << shift, (1 << shift) + (1 << shift) / 3])
        {
            let pause = Duration::from_micros(micros.min(u64::from(u32::MAX)));
            let step = step_of(pause);
            assert!(step < STEPS_COUNT, "{micros}");
            assert!(pause < end_of(step) && (step == 0 || pause >= end_of(step - 1)), "{micros}: {step}");
        }
    }

    #[test]
    fn the_longest_of_a_thousand_is_not_in_its_p99() {
        let mut pauses = Pauses::default();
        (0..995).for_each(|_| pauses.add(Duration::from_micros(100)));
        (0..5).for_each(|_| pauses.add(Duration::from_millis(50)));
        let text = pauses.to_string();
        assert_eq!(text, "1,000 turns of the loop took, in us: p50 104, p99 104, p99.9 50000, longest 50000");
    }
}
