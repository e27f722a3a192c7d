//! How many links there are from one to another, and who hangs together: breadth-first searches over whatever links they are told of.
//!
//! The tree has a search of its own, which goes over some links before it goes over others, and the figures one that bears thousands
//! of rounds.

use crate::overlay::DrawnOverlay;

/// What is met from one or several starts; nobody is met twice.
#[derive(Debug)]
pub(crate) struct HopWalk {
    /// By place: how many links lie between it and the start it was met from.
    hops: Vec<Option<usize>>,
    /// In the order in which they were met.
    met: Vec<usize>,
}

impl HopWalk {
    pub(crate) fn new(count: usize) -> HopWalk {
        HopWalk { hops: vec![None; count], met: Vec::with_capacity(count) }
    }

    /// Meets whomever links lead to from here and nobody has met, and says who that is, from the start on.
    pub(crate) fn meet<'a>(&mut self, start: usize, neighbors: impl Fn(usize) -> &'a [usize]) -> &[usize] {
        let begin = self.met.len();
        self.add(start, 0);
        let mut next = begin;
        while let Some(place) = self.met.get(next).copied() {
            next += 1;
            let further = self.hops(place).unwrap_or_default() + 1;
            neighbors(place).iter().for_each(|neighbor| self.add(*neighbor, further));
        }
        self.met.get(begin..).unwrap_or_default()
    }

    /// From the start it was met from.
    pub(crate) fn hops(&self, place: usize) -> Option<usize> {
        self.hops.get(place).copied().flatten()
    }

    /// As if nobody had been met.
    pub(crate) fn forget(&mut self) {
        self.hops.fill(None);
        self.met.clear();
    }

    fn add(&mut self, place: usize, hops: usize) {
        if let Some(its @ None) = self.hops.get_mut(place) {
            *its = Some(hops);
            self.met.push(place);
        }
    }
}

/// The servents of an overlay that hang together, each with how many links there are to the first of them: first those around the
/// contact, then by their lowest addresses.
pub(crate) fn linked_parts(overlay: &DrawnOverlay) -> Vec<Vec<(usize, usize)>> {
    let count = overlay.servents().len();
    let mut walk = HopWalk::new(count);
    let mut parts = Vec::new();
    for start in std::iter::once(overlay.contact_place()).chain(0..count) {
        let met = walk.meet(start, |place| overlay.neighbors(place)).to_vec();
        if !met.is_empty() {
            parts.push(met.into_iter().filter_map(|place| Some((place, walk.hops(place)?))).collect());
        }
    }
    parts
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_walk_meets_each_once_and_by_the_shortest_way() {
        let neighbors: [&[usize]; 6] = [&[2, 3], &[4], &[0, 3], &[0, 2, 5], &[1], &[3]];
        let mut walk = HopWalk::new(neighbors.len());
        let of = |place: usize| neighbors.get(place).copied().unwrap_or_default();
        assert_eq!(walk.meet(2, of), [2, 0, 3, 5]);
        assert_eq!([0, 2, 5, 1].map(|place| walk.hops(place)), [Some(1), Some(0), Some(2), None]);
        assert!(walk.meet(5, of).is_empty() && walk.meet(6, of).is_empty());
        assert_eq!(walk.meet(4, of), [4, 1]);
        walk.forget();
        assert_eq!(walk.meet(5, of), [5, 3, 0, 2]);
    }
}
