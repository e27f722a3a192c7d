//! The sequences of a client's queries: drawn so that nobody can guess the next one, and none that may still be met.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashSet;

use crate::limits::CLIENT_PENDING_MAX;
use crate::random::Secret;

/// How many of those used lately are kept: of as many queries as can be pending servents may remember each.
const LATELY_MAX: usize = CLIENT_PENDING_MAX;

/// As many bits as fit the signed numbers of nodes that speak TP3.
const BITS: u32 = 31;

/// Draws one sequence after the other.
#[derive(Debug)]
pub(super) struct Sequences {
    /// Nothing where requests are numbered from zero.
    secret: Option<Secret>,
    /// How many places were looked at.
    place: u64,
    /// Those of the queries that ended last, in that order.
    lately: VecDeque<u64>,
    lately_set: HashSet<u64, FixedState>,
}

impl Sequences {
    pub(super) fn new(secret: Option<Secret>) -> Sequences {
        Sequences { secret, place: 0, lately: VecDeque::new(), lately_set: HashSet::default() }
    }

    /// The next one: one that was not used lately, and is not in use.
    pub(super) fn draw(&mut self, is_in_use: impl Fn(u64) -> bool) -> u64 {
        // Of two billion no more than some ten thousand are taken: it ends after one or two.
        loop {
            let place = self.place;
            self.place = place.wrapping_add(1);
            let sequence = self.secret.map_or(place, |secret| secret.nth(place) >> (u64::BITS - BITS));
            if !self.lately_set.contains(&sequence) && !is_in_use(sequence) {
                return sequence;
            }
        }
    }

    /// A query is over. The one that has been for longest may have its sequence drawn again.
    pub(super) fn retire(&mut self, sequence: u64) {
        if self.lately.len() >= LATELY_MAX
            && let Some(oldest) = self.lately.pop_front()
        {
            self.lately_set.remove(&oldest);
        }
        self.lately.push_back(sequence);
        self.lately_set.insert(sequence);
    }
}
