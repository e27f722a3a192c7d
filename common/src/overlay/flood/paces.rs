//! How fast each neighbor may bring new queries, so that whoever hurries leaves room in the seen set to everybody else.
//!
//! It counts and says whether a query is too early; what is done about it is `flood`'s.

use std::time::Duration;

use crate::limits::{NEIGHBOR_QUERIES_AT_ONCE_MAX, NEIGHBOR_QUERIES_PER_SECOND_MAX, TTL_MAX};
use crate::link::LinkId;
use crate::overlay::headroom::Headroom;
use crate::rate::Rate;
use crate::time::Time;

/// The paces of the neighbors.
#[derive(Debug, Default)]
pub(super) struct Paces {
    /// In the order of the links.
    links: Vec<(LinkId, Rate<Time>)>,
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
        let place = self.place_of(link).unwrap_or_else(|place| {
            self.links.insert(place, (link, self.newcomers));
            place
        });
        let Some((_, rate)) = self.links.get_mut(place) else { return false };
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
        if let Ok(place) = self.place_of(link) {
            let (_, rate) = self.links.remove(place);
            self.newcomers = self.newcomers.max(rate);
        }
    }

    /// Where a link is among those that have one, or else where it belongs.
    fn place_of(&self, link: LinkId) -> Result<usize, usize> {
        self.links.binary_search_by_key(&link, |(link, _)| *link)
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
    fn each_link_has_a_pace_of_its_own_whichever_came_first() {
        let mut paces = Paces::default();
        let full = Headroom::beside(0);
        let at_once = |paces: &mut Paces, link| {
            (0..).find(|_| !paces.take(Time::START, LinkId(link), 0, full)).unwrap_or_default()
        };
        let most: u32 = at_once(&mut paces, 5);
        assert!(most >= NEIGHBOR_QUERIES_AT_ONCE_MAX);
        for link in [9, 1, 7, 3] {
            assert_eq!(at_once(&mut paces, link), most);
        }
        for link in [5, 9, 1, 7, 3] {
            assert_eq!(at_once(&mut paces, link), 0, "{link}");
        }
        assert_eq!(paces.len(), 5);
        paces.forget(LinkId(2));
        assert_eq!((paces.len(), at_once(&mut paces, 2)), (5, most), "one that had none left off nowhere");
        paces.forget(LinkId(7));
        assert_eq!((paces.len(), at_once(&mut paces, 7)), (5, 0), "where the hastiest that is gone left off");
        assert_eq!(paces.len(), 6);
    }

    #[test]
    fn with_half_the_room_an_eighth_comes_at_once() {
        let most = NEIGHBOR_QUERIES_AT_ONCE_MAX;
        for (part, at_most) in [(1, most), (2, most / 8), (4, most / 64)] {
            assert!((at_most..=at_most + 1).contains(&at_once(part)), "a part of {part}: {}", at_once(part));
        }
    }
}
