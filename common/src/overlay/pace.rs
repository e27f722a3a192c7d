//! How fast new queries may come over one link, so that whoever hurries leaves room in the seen set to everybody else.
//!
//! It counts and says whether something is too early; what is done about it is decided where the link is known: a client
//! is not read for a while (`links`), a query of a neighbor is refused (`flood`).

use std::collections::BTreeMap;
use std::time::Duration;

use crate::limits::{
    NEIGHBOR_QUERIES_AT_ONCE_MAX, NEIGHBOR_QUERIES_PER_SECOND_MAX, QUERY_COST_MAX, SEEN_IDS_MAX, TTL_MAX,
};
use crate::link::LinkId;
use crate::time::Time;

/// How much of the seen set must be free for everybody to have the full pace.
#[allow(clippy::cast_possible_truncation, reason = "a limit far below")]
const AMPLE: u32 = (SEEN_IDS_MAX / 2) as u32;

/// How much room the seen set has: the places that are free, up to what is ample.
///
/// With less, a pace falls with the square of what is left. Were it in proportion, those that hurry would take the same
/// part of the rest again and again, and soon all; so it takes ten times as many, or ten times as long, to leave a tenth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Headroom(u32);

impl Headroom {
    /// The room beside so many queries.
    pub(super) fn beside(seen_count: usize) -> Headroom {
        let free = SEEN_IDS_MAX.saturating_sub(seen_count);
        Headroom(u32::try_from(free).unwrap_or(AMPLE).clamp(1, AMPLE))
    }

    /// What a query costs of a link's time where it costs this much with ample room.
    pub(super) fn lengthen(self, cost: Duration) -> Duration {
        (cost * AMPLE / self.0 * AMPLE / self.0).min(QUERY_COST_MAX)
    }

    /// How far ahead of its pace a link may be where it may be this far with ample room.
    pub(super) fn shorten(self, ahead: Duration) -> Duration {
        ahead * self.0 / AMPLE
    }
}

/// The paces of the neighbors (the generic cell rate algorithm of ITU-T I.371).
#[derive(Debug, Default)]
pub(super) struct Paces {
    /// When each link would have brought all that was taken from it, had it brought it at the most even pace it may.
    links: BTreeMap<LinkId, Time>,
    /// Where a link begins that is not among them: where the hastiest one that is gone left off, so that nothing is
    /// gained by coming anew.
    newcomers: Time,
}

impl Paces {
    /// Whether a new query that came over `hops` links may be taken, and counts it if so.
    pub(super) fn take(&mut self, now: Time, link: LinkId, hops: u8, headroom: Headroom) -> bool {
        const INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / NEIGHBOR_QUERIES_PER_SECOND_MAX as u64);
        const AT_ONCE: Duration = INTERVAL.saturating_mul(NEIGHBOR_QUERIES_AT_ONCE_MAX);
        const FARTHEST: u32 = TTL_MAX as u32 + 1;
        let paced = self.links.entry(link).or_insert(self.newcomers);
        if paced.since(now) > headroom.shorten(AT_ONCE) {
            return false;
        }
        // Cheaper with every hop: what one servent takes, and a little of its own beside it, the next takes too.
        *paced = (*paced).max(now) + headroom.lengthen(INTERVAL * FARTHEST / (FARTHEST + u32::from(hops)));
        true
    }

    /// How many links have one: no more than there are neighbors, because each is forgotten with its link.
    pub(super) fn len(&self) -> usize {
        self.links.len()
    }

    /// A link is gone.
    pub(super) fn forget(&mut self, link: LinkId) {
        if let Some(paced) = self.links.remove(&link) {
            self.newcomers = self.newcomers.max(paced);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

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
