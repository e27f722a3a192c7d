//! The trace of a run: a hash over everything that happens, in its order, and how much that was.

use super::clock::Nanos;

/// What is noted. The numbers are in the hashes of all runs that were told.
#[derive(Clone, Copy, Debug)]
pub(super) enum Noted {
    Asks = 1,
    Knocks = 2,
    Accepted = 3,
    Established = 4,
    Arrives = 5,
    EndsInHalfAFrame = 6,
    Broken = 7,
    Due = 8,
    NoAnswer = 9,
    FaultBegins = 10,
    FaultEnds = 11,
    Flaps = 12,
    Misdeed = 13,
    LookedUp = 14,
    JobEnds = 15,
    FetchTold = 16,
    FetchGoesOn = 17,
    Writes = 18,
}

pub(super) struct Trace {
    hash: u64,
    pub(super) events: u64,
}

impl Trace {
    pub(super) fn new(seed: u64) -> Trace {
        Trace { hash: seed, events: 0 }
    }

    pub(super) fn note(&mut self, now: Nanos, node: usize, noted: Noted) {
        self.events += 1;
        self.hash = mix(mix(self.hash, now), (node as u64) << 8 | noted as u64);
    }

    pub(super) fn note_bytes(&mut self, bytes: &[u8]) {
        self.hash = bytes.chunks(8).fold(self.hash, |hash, word| {
            let number = word.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
            mix(hash, number)
        });
    }

    /// What it comes to, up to now.
    pub(super) fn sum(&self, now: Nanos) -> u64 {
        mix(mix(self.hash, now), self.events)
    }
}

fn mix(hash: u64, value: u64) -> u64 {
    let mixed = (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}
