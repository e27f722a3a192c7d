//! Places that there are only so many of, shared among the neighbors that bring queries: none has more of them than is left
//! for all others.
//!
//! It counts; what a place is taken for is `seen`'s, `contacts`'s and `memory`'s, and what is done where there is none is
//! for whoever asks to say. The rule is that of calls (`shares.rs`), whose owners are networks. Here whoever comes
//! anew is held to what was left behind.

use crate::limits::TTL_MAX;
use crate::link::LinkId;

/// What a place counts for that is taken by a query which has crossed no link.
const WHOLE: usize = 256;

/// For whom a place is taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Bringer {
    /// A client of ours. What they have together is limited elsewhere.
    Own,
    /// The neighbor at this link, with a query that has crossed so many.
    Neighbor { link: LinkId, hops: u8 },
    /// One whose link is gone, with such a query.
    Gone { hops: u8 },
}

impl Bringer {
    /// The same, whose link is this one now, if it has one.
    pub(super) fn now_at(self, link: Option<LinkId>) -> Bringer {
        match (self, link) {
            (Bringer::Own, _) => Bringer::Own,
            (Bringer::Neighbor { hops, .. } | Bringer::Gone { hops }, Some(link)) => Bringer::Neighbor { link, hops },
            (Bringer::Neighbor { hops, .. } | Bringer::Gone { hops }, None) => Bringer::Gone { hops },
        }
    }

    /// What a place counts for in the share of whoever brings it: less with every link that was crossed. So what one servent
    /// takes of others, and a little of its own beside it, the next takes too, though it all comes over one link.
    fn weight(self) -> usize {
        const FARTHEST: usize = TTL_MAX as usize + 1;
        match self {
            Bringer::Own => WHOLE,
            Bringer::Neighbor { hops, .. } | Bringer::Gone { hops } => {
                WHOLE * FARTHEST / (FARTHEST + usize::from(hops))
            }
        }
    }
}

/// A place that was taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct TakenPlace {
    bringer: Bringer,
    is_shared: bool,
}

impl TakenPlace {
    pub(super) fn bringer(self) -> Bringer {
        self.bringer
    }
}

/// Why a query cannot be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NoRoom {
    /// There is no place left.
    Full,
    /// There are some, and whoever brings it, or its contact, has its share.
    OverShare,
    /// Its contact alone has, and more than a contact has under way: others name it.
    OverContactShare,
}

/// Places of one kind.
#[derive(Debug)]
pub(super) struct Places {
    /// How many are left that whoever comes may take.
    free: usize,
    /// How many there are beside those, and how many of them are taken.
    shared: usize,
    taken: usize,
    /// By whom, in the order of the links; and who came while links that are gone still had something.
    by_link: Vec<(LinkId, Share)>,
    /// The weight of what links have that are gone.
    gone: usize,
}

/// What one link has.
#[derive(Clone, Copy, Debug)]
struct Share {
    /// The weight of what it has.
    taken: usize,
    /// Whether it came while links that are gone still had something. That counts as its own, so that nothing is gained by
    /// coming anew.
    is_newcomer: bool,
}

impl Places {
    /// So many that anybody may have, and so many that are shared.
    pub(super) fn new(free: usize, shared: usize) -> Places {
        Places { free, shared, taken: 0, by_link: Vec::new(), gone: 0 }
    }

    /// Whether there is one for this.
    pub(super) fn has_room(&self, bringer: Bringer) -> bool {
        if self.free > 0 {
            return true;
        }
        let had = match bringer {
            Bringer::Own => 0,
            Bringer::Gone { .. } => self.gone,
            Bringer::Neighbor { link, .. } => {
                let share = self.place_of(link).ok().and_then(|place| self.by_link.get(place));
                let (taken, is_newcomer) = share.map_or((0, false), |(_, share)| (share.taken, share.is_newcomer));
                if is_newcomer { taken + self.gone } else { taken }
            }
        };
        had + bringer.weight() <= self.left() * WHOLE
    }

    /// Whether somebody who has so many may have one more, whoever brings it.
    pub(super) fn has_room_beside(&self, count: usize) -> bool {
        self.free > 0 || count < self.left()
    }

    /// Whether nobody could have one.
    pub(super) fn are_full(&self) -> bool {
        self.free == 0 && self.left() == 0
    }

    pub(super) fn take(&mut self, bringer: Bringer) -> TakenPlace {
        let is_shared = self.free == 0;
        if is_shared {
            self.taken += 1;
            match bringer {
                Bringer::Own => {}
                Bringer::Gone { .. } => self.gone += bringer.weight(),
                Bringer::Neighbor { link, .. } => self.share_of(link).taken += bringer.weight(),
            }
        } else {
            self.free -= 1;
        }
        TakenPlace { bringer, is_shared }
    }

    pub(super) fn give_back(&mut self, place: TakenPlace) {
        let TakenPlace { bringer, is_shared } = place;
        if !is_shared {
            self.free += 1;
            return;
        }
        self.taken -= 1;
        let weight = bringer.weight();
        let link = match bringer {
            Bringer::Own => return,
            Bringer::Gone { .. } => None,
            Bringer::Neighbor { link, .. } => self.place_of(link).ok(),
        };
        if let Some((_, share)) = link.and_then(|place| self.by_link.get_mut(place)) {
            share.taken -= weight;
        } else {
            self.gone -= weight;
            if self.gone == 0 {
                self.by_link.iter_mut().for_each(|(_, share)| share.is_newcomer = false);
                self.by_link.retain(|(_, share)| share.taken > 0);
            }
        }
    }

    /// A neighbor came, over this link.
    pub(super) fn on_linked(&mut self, link: LinkId) {
        if self.gone > 0 {
            self.share_of(link).is_newcomer = true;
        }
    }

    /// A link is gone. What it has stays taken until it is given back.
    pub(super) fn on_closed(&mut self, link: LinkId) {
        if let Ok(place) = self.place_of(link) {
            let (_, share) = self.by_link.remove(place);
            self.gone += share.taken;
        }
    }

    /// How many links something is noted of.
    pub(super) fn links_count(&self) -> usize {
        self.by_link.len()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        self.by_link.capacity() * size_of::<(LinkId, Share)>()
    }

    fn left(&self) -> usize {
        self.shared.saturating_sub(self.taken)
    }

    #[expect(clippy::indexing_slicing, reason = "the place was found in this list, or made there just before")]
    fn share_of(&mut self, link: LinkId) -> &mut Share {
        let place = self.place_of(link).unwrap_or_else(|place| {
            self.by_link.insert(place, (link, Share { taken: 0, is_newcomer: false }));
            place
        });
        &mut self.by_link[place].1
    }

    /// Where a link is among those that have one, or else where it belongs.
    fn place_of(&self, link: LinkId) -> Result<usize, usize> {
        self.by_link.binary_search_by_key(&link, |(link, _)| *link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn from(link: u64, hops: u8) -> Bringer {
        Bringer::Neighbor { link: LinkId(link), hops }
    }

    /// Takes as many as there is room for.
    fn fill(places: &mut Places, bringer: Bringer) -> Vec<TakenPlace> {
        std::iter::from_fn(|| places.has_room(bringer).then(|| places.take(bringer))).collect()
    }

    #[test]
    fn a_query_counts_for_less_the_further_it_has_come() {
        assert_eq!([0, 1, 2, 8, 15, 16].map(|hops| from(1, hops).weight()), [256, 240, 227, 170, 132, 128]);
        assert_eq!([Bringer::Own.weight(), Bringer::Gone { hops: 2 }.weight()], [256, 227]);
    }

    #[test]
    fn places_that_are_free_are_anybodys_and_the_others_are_shared() {
        let mut places = Places::new(3, 8);
        let all = fill(&mut places, from(1, 0));
        assert_eq!((all.len(), places.links_count()), (3 + 4, 1));
        assert_eq!((places.has_room(from(1, 0)), places.are_full()), (false, false));
        // Given back, a free one is free again, and a shared one shared.
        places.give_back(all[0]);
        assert!(places.has_room(from(2, 0)));
        assert_eq!(places.take(from(2, 0)), TakenPlace { bringer: from(2, 0), is_shared: false });
        assert_eq!(places.links_count(), 1, "what is free is noted of nobody");
        assert!(!places.has_room(from(1, 0)));
        places.give_back(all[6]);
        assert!(places.has_room(from(1, 0)));
        assert_eq!(fill(&mut places, from(1, 0)).len(), 1);
        assert_eq!([2, 3, 4, 5].map(|link| fill(&mut places, from(link, 0)).len()), [2, 1, 1, 0]);
        assert!(places.are_full() && !places.has_room(Bringer::Own));
        places.give_back(all[5]);
        assert!(!places.are_full() && places.has_room(Bringer::Own) && !places.has_room(from(1, 0)));
    }

    #[test]
    fn what_counts_for_less_takes_a_whole_place_all_the_same() {
        for (hops, share) in [(0, 50), (1, 52), (15, 66)] {
            assert_eq!(fill(&mut Places::new(0, 100), from(1, hops)).len(), share, "{hops} hops");
        }
        assert_eq!(fill(&mut Places::new(0, 100), Bringer::Own).len(), 100);
    }

    #[test]
    fn whoever_has_so_many_may_have_as_many_as_are_left() {
        let mut places = Places::new(1, 8);
        assert!(places.has_room_beside(1_000), "of what is free");
        for left in (1..=8).rev() {
            places.take(Bringer::Own);
            assert_eq!([left - 1, left].map(|count| places.has_room_beside(count)), [true, false], "{left} left");
        }
    }

    #[test]
    fn whoever_comes_anew_is_held_to_what_was_left_behind() {
        let mut places = Places::new(0, 16);
        let had = fill(&mut places, from(1, 0));
        places.on_linked(LinkId(2));
        assert_eq!((had.len(), places.links_count()), (8, 1), "nobody has gone yet");
        places.on_closed(LinkId(1));
        places.on_closed(LinkId(9));
        places.on_linked(LinkId(3));
        assert_eq!(places.links_count(), 1, "whoever came before is no newcomer");
        assert!(!places.has_room(from(3, 0)) && !places.has_room(Bringer::Gone { hops: 0 }));
        assert!(places.has_room(from(2, 0)) && places.has_room(from(4, 0)));
        // Fewer are left behind, and some of them are its own.
        had[..2].iter().for_each(|place| places.give_back(*place));
        let more = fill(&mut places, from(3, 0));
        assert_eq!(more.len(), 2);
        places.give_back(more[0]);
        had[2..].iter().for_each(|place| places.give_back(*place));
        assert_eq!(fill(&mut places, from(3, 0)).len(), 7, "half of all, with the one it has");
        assert_eq!(places.links_count(), 1);
    }

    #[test]
    fn newcomers_that_have_nothing_are_forgotten_with_what_was_left_behind() {
        let mut places = Places::new(0, 16);
        let had = fill(&mut places, from(1, 0));
        places.on_closed(LinkId(1));
        places.on_linked(LinkId(3));
        had.into_iter().for_each(|place| places.give_back(place));
        assert_eq!(places.links_count(), 0);
        assert!(places.memory_bytes() > 0, "the room is kept");
    }

    #[test]
    fn what_is_taken_for_one_that_is_gone_is_noted_of_no_link() {
        let mut places = Places::new(0, 16);
        let [own, near] = [Bringer::Own, from(1, 2)].map(|bringer| bringer.now_at(None));
        assert_eq!((own, near), (Bringer::Own, Bringer::Gone { hops: 2 }));
        assert_eq!([near, from(1, 2)].map(|bringer| bringer.now_at(Some(LinkId(7)))), [from(7, 2); 2]);
        assert_eq!(Bringer::Own.now_at(Some(LinkId(7))), Bringer::Own);
        let place = places.take(near);
        assert_eq!((place.bringer(), places.links_count(), places.gone), (near, 0, 227));
        places.give_back(place);
        assert_eq!((places.taken, places.gone), (0, 0));
    }
}
