//! What the ways between machines are like in a run: how long anything takes, how much is on its way at most, and how
//! writes are cut. What is drawn of each thing that crosses comes from one stream, in the order in which it crosses.

use std::collections::BTreeMap;

use super::clock::{MILLISECOND, Nanos};
use crate::plan::{Delays, Plan};
use crate::random::Random;

/// The narrowest and the widest pipe, and the narrowest in a healthy run: there the pipes must not be what is slow.
const WINDOW_BYTES: (usize, usize) = (64, 256 * 1024);
const WINDOW_BYTES_HEALTHY: usize = 16 * 1024;

// What the streams of random numbers are for.
const CROSSINGS: u64 = 0x776f_726c_6401_0000;
const WAYS: u64 = 0x776f_726c_6402_0000;

/// How long anything takes from one machine to another.
enum Delaying {
    /// Drawn anew for everything.
    Drawn(Delays),
    /// As it was told for these two, or else always the same. Who dials knows what comes of it as soon as whoever is
    /// dialled does.
    Told { usual: Nanos, between: BTreeMap<(usize, usize), Nanos> },
}

/// All ways of a run.
pub(super) struct Ways {
    delaying: Delaying,
    /// The most bytes in one pipe.
    pub(super) window_bytes: usize,
    /// How often in a hundred times a write is cut once more.
    cuts_percent: u64,
    /// Whether a system says that there is room in a pipe only once a third of it is free. Where much is sent, pieces would
    /// become ever smaller otherwise.
    pub(super) tells_of_much_room: bool,
    random: Random,
}

impl Ways {
    /// Those of a plan, where something goes wrong or nothing does.
    pub(super) fn draw(plan: &Plan, is_faulty: bool) -> Ways {
        let random = &mut Random::of(plan.seed, WAYS);
        let is_narrow = random.chance(25) && is_faulty;
        let wide = (WINDOW_BYTES_HEALTHY << random.below(5)).min(WINDOW_BYTES.1);
        let narrow = WINDOW_BYTES.0 << random.below(8);
        Ways {
            delaying: Delaying::Drawn(plan.delays),
            window_bytes: if is_narrow { narrow } else { wide },
            cuts_percent: [0, 30, 60, 90][random.index(4)],
            tells_of_much_room: plan.contents > 0,
            random: Random::of(plan.seed, CROSSINGS),
        }
    }

    /// As wide as they may be, with nothing cut, where everything takes so long until something else is said.
    pub(super) fn told(usual: Nanos) -> Ways {
        let delaying = Delaying::Told { usual, between: BTreeMap::new() };
        let (window_bytes, random) = (WINDOW_BYTES.1, Random::new(0));
        Ways { delaying, window_bytes, cuts_percent: 0, tells_of_much_room: false, random }
    }

    /// From now on what goes this way takes this long, where that is for somebody to say.
    pub(super) fn tell(&mut self, from: usize, to: usize, delay: Nanos) {
        if let Delaying::Told { between, .. } = &mut self.delaying {
            between.insert((from, to), delay);
        }
    }

    /// Whether pipes are so narrow that it is they what is slow.
    pub(super) fn are_narrow(&self) -> bool {
        self.window_bytes < WINDOW_BYTES_HEALTHY
    }

    /// From now on pipes are as wide as they may be.
    pub(super) fn widen(&mut self) {
        self.window_bytes = WINDOW_BYTES.1;
    }

    /// How many bytes of so many are taken where there is room for so many; sometimes not even that.
    pub(super) fn cut(&mut self, count: usize, room: usize) -> usize {
        let count = count.min(room);
        if count > 1 && self.random.chance(self.cuts_percent) { 1 + self.random.index(count - 1) } else { count }
    }

    /// How long something takes from one machine to another.
    pub(super) fn delay(&mut self, from: usize, to: Option<usize>) -> Nanos {
        match &self.delaying {
            Delaying::Drawn(Delays::Equal) => 10 * MILLISECOND,
            Delaying::Drawn(Delays::Mild) => self.random.within(5 * MILLISECOND, 15 * MILLISECOND),
            Delaying::Drawn(Delays::Heavy) if self.random.chance(50) => self.random.below(MILLISECOND),
            Delaying::Drawn(Delays::Heavy) => self.random.below(100 * MILLISECOND),
            Delaying::Told { usual, between } => to.and_then(|to| between.get(&(from, to))).copied().unwrap_or(*usual),
        }
    }

    /// How long whoever has dialled waits for the word of who is there.
    pub(super) fn delay_of_word(&mut self, to: Option<usize>, dialler: usize) -> Nanos {
        match &self.delaying {
            Delaying::Told { .. } => 0,
            Delaying::Drawn(_) => self.delay(to.unwrap_or(dialler), Some(dialler)),
        }
    }
}
