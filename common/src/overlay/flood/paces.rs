//! How fast each neighbor may bring new queries, so that whoever hurries leaves room in the seen set to everybody else.
//!
//! It counts and says whether a query is too early; what is done about it is `flood`'s.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::limits::{NEIGHBOR_QUERIES_AT_ONCE_MAX, NEIGHBOR_QUERIES_PER_SECOND_MAX, TTL_MAX};
use crate::link::LinkId;
use crate::overlay::headroom::Headroom;
use crate::rate::Rate;
use crate::time::Time;

/// The paces of the neighbors.
#[derive(Debug, Default)]
pub(super) struct Paces {
    links: BTreeMap<LinkId, Rate<Time>>,
    /// Where a link begins that is not among them: where the hastiest one that is gone left off, so that nothing is
    /// gained by coming anew.
    newcomers: Rate<Time>,
}

impl Paces {
    /// Whether a new query that came over `hops` links may be taken, and counts it if so.
    pub(super) fn take(&mut self, now: Time, link: LinkId, hops: u8, headroom: Headroom) -> bool {
        const INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / NEIGHBOR_QUERIES_PER_SECOND_MAX as u64);
        const AT_ONCE: Duration = INTERVAL.saturating_mul(NEIGHBOR_QUERIES_AT_ONCE_MAX);
        const FARTHEST: u32 = TTL_MAX as u32 + 1;
        let rate = self.links.entry(link).or_insert(self.newcomers);
        if rate.is_ahead(now, headroom.shorten(AT_ONCE)) {
            return false;
        }
        // Cheaper with every hop: what one servent takes, and a little of its own beside it, the next takes too.
        rate.count(now, headroom.lengthen(INTERVAL * FARTHEST / (FARTHEST + u32::from(hops))));
        true
    }

    /// How many links have one: no more than there are neighbors, because each is forgotten with its link.
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    /// A link is gone.
    pub(super) fn forget(&mut self, link: LinkId) {
        if let Some(rate) = self.links.remove(&link) {
            self.newcomers = self.newcomers.max(rate);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::SEEN_IDS_MAX;

    /// How many come at once that have crossed no link, with so much of the ample room.
    fn at_once(part: usize) -> u32 {
        let mut paces = Paces::default();
        let headroom = Headroom::beside(SEEN_IDS_MAX - SEEN_IDS_MAX / 2 / part);
        (0..).find(|_| !paces.take(Time::START, LinkId(1), 0, headroom)).unwrap_or_default()
    }

    #[test]
    fn with_half_the_room_an_eighth_comes_at_once() {
        let most = NEIGHBOR_QUERIES_AT_ONCE_MAX;
        for (part, at_most) in [(1, most), (2, most / 8), (4, most / 64)] {
            assert!((at_most..=at_most + 1).contains(&at_once(part)), "a part of {part}: {}", at_once(part));
        }
    }
}
