//! What an overlay comes to in figures, and the line that says them.

use std::fmt;

use common::counted::counted;

use crate::overlay::{DrawnOverlay, Since};

/// What an overlay comes to. What is gone is not counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OverlayFigures {
    /// Servents that have answered.
    pub servents: usize,
    /// Links that anybody tells of.
    pub links: usize,
    /// The most links that lie between two that have answered, by the shortest way; nothing where no links lead from one to
    /// the other.
    pub diameter: Option<usize>,
    /// Whether that was found to the end. In an overlay that is too large for that it is at least so much.
    pub diameter_is_exact: bool,
    /// The fewest and the most neighbors of one that has answered.
    pub degrees: Option<Degrees>,
    /// Servents that others tell of, and that have not answered.
    pub heard_of: usize,
    /// Links that an end does not name that says who its neighbors are.
    pub doubtful: usize,
}

/// The fewest and the most neighbors.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Degrees {
    /// The fewest.
    pub least: usize,
    /// The most.
    pub most: usize,
}

impl OverlayFigures {
    /// Those of an overlay.
    #[must_use]
    pub fn of(overlay: &DrawnOverlay) -> OverlayFigures {
        let there: Vec<usize> = (0..overlay.servents().len())
            .filter(|place| {
                overlay
                    .servents()
                    .get(*place)
                    .is_some_and(|servent| servent.has_answered && servent.since != Since::Gone)
            })
            .collect();
        let mut degree = vec![0_usize; overlay.servents().len()];
        for (place, servent) in overlay.servents().iter().enumerate() {
            if let Some(its) = degree.get_mut(place) {
                *its += servent.left_out;
            }
        }
        let (mut links, mut doubtful) = (0, 0);
        for link in overlay.links().iter().filter(|link| link.since != Since::Gone) {
            links += 1;
            doubtful += usize::from(link.is_doubtful);
            for end in [link.one, link.other] {
                if let Some(its) = degree.get_mut(end) {
                    *its += 1;
                }
            }
        }
        let degrees = there.iter().filter_map(|place| degree.get(*place).copied());
        let degrees = degrees.clone().min().zip(degrees.max()).map(|(least, most)| Degrees { least, most });
        let left_out: usize = overlay.servents().iter().map(|servent| servent.left_out).sum();
        let unmet = overlay.servents().iter().filter(|servent| !servent.has_answered && servent.since != Since::Gone);
        let (diameter, diameter_is_exact) = diameter(overlay, &there);
        OverlayFigures {
            servents: there.len(),
            links: links + left_out,
            diameter,
            diameter_is_exact,
            degrees,
            heard_of: unmet.count() + overlay.left_out(),
            doubtful,
        }
    }
}

/// The largest of all shortest ways, found without looking from each: what is known of the ends of one search bounds the others
/// (Takes and Kosters, Determining the Diameter of Small World Networks, 2011).
fn diameter(overlay: &DrawnOverlay, there: &[usize]) -> (Option<usize>, bool) {
    let mut search = HopSearch::new(overlay);
    let searches_max = DIAMETER_LOOKS_MAX / search.ends.len().max(1);
    let mut bounds: Vec<(usize, u32, u32)> = there.iter().map(|place| (*place, 0, u32::MAX)).collect();
    let mut longest = 0;
    for number in 0..=searches_max {
        let next = if number % 2 == 0 {
            bounds.iter().max_by_key(|(place, _, most)| (*most, overlay.neighbors(*place).len()))
        } else {
            bounds.iter().min_by_key(|(_, least, _)| *least)
        };
        let Some((start, ..)) = next.copied() else { break };
        let hops = search.from(start);
        let distance = |place: usize| hops.get(place).copied().filter(|hops| *hops != UNREACHED);
        let farthest = there.iter().try_fold(0, |most: u32, place| Some(most.max(distance(*place)?)));
        let Some(farthest) = farthest else { return (None, true) };
        longest = longest.max(farthest);
        bounds.retain_mut(|(place, least, most)| {
            let between = distance(*place).unwrap_or_default();
            *least = (*least).max(between).max(farthest.saturating_sub(between));
            *most = (*most).min(farthest.saturating_add(between));
            *place != start && *most > longest
        });
    }
    (usize::try_from(longest).ok().filter(|_| !there.is_empty()), bounds.is_empty())
}

/// So many links are looked at for the diameter, a second or less. A ring of 10,000 takes half of it.
const DIAMETER_LOOKS_MAX: usize = 400_000_000;

/// No links lead there.
const UNREACHED: u32 = u32::MAX;

/// Breadth-first searches over the links that are not gone. On a ring there are thousands of them, so that each finds everything
/// in few pieces of memory.
struct HopSearch {
    /// Where the neighbors of each begin in `ends`, and where those of the last end.
    offsets: Vec<usize>,
    ends: Vec<usize>,
    hops: Vec<u32>,
    met: Vec<usize>,
}

impl HopSearch {
    fn new(overlay: &DrawnOverlay) -> HopSearch {
        let count = overlay.servents().len();
        let mut pairs: Vec<(usize, usize)> = overlay
            .links()
            .iter()
            .filter(|link| link.since != Since::Gone)
            .flat_map(|link| [(link.one, link.other), (link.other, link.one)])
            .collect();
        pairs.sort_unstable();
        let offsets = (0..=count).map(|place| pairs.partition_point(|(from, _)| *from < place)).collect();
        let ends = pairs.into_iter().map(|(_, to)| to).collect();
        HopSearch { offsets, ends, hops: vec![UNREACHED; count], met: Vec::with_capacity(count) }
    }

    /// How many links there are to each.
    fn from(&mut self, start: usize) -> &[u32] {
        let HopSearch { offsets, ends, hops, met } = self;
        hops.fill(UNREACHED);
        met.clear();
        if let Some(own) = hops.get_mut(start) {
            *own = 0;
            met.push(start);
        }
        let mut next = 0;
        while let Some(place) = met.get(next).copied() {
            next += 1;
            let count = hops.get(place).map_or(UNREACHED, |hops| hops.saturating_add(1));
            let range = offsets.get(place).copied().zip(offsets.get(place + 1).copied());
            let neighbors = range.and_then(|(begin, end)| ends.get(begin..end)).unwrap_or_default();
            for neighbor in neighbors {
                if let Some(its) = hops.get_mut(*neighbor).filter(|its| **its == UNREACHED) {
                    *its = count;
                    met.push(*neighbor);
                }
            }
        }
        hops
    }
}

/// `12 servents, 17 links, diameter 4, degree 2 to 5`, and what else there is to know.
impl fmt::Display for OverlayFigures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}, {}", counted(self.servents, "servent"), counted(self.links, "link"))?;
        match self.diameter {
            Some(diameter) if self.diameter_is_exact => write!(f, ", diameter {diameter}")?,
            Some(diameter) => write!(f, ", diameter {diameter} or more")?,
            None => f.write_str(", in parts that are not linked")?,
        }
        match self.degrees {
            Some(Degrees { least, most }) if least == most => write!(f, ", degree {least}")?,
            Some(Degrees { least, most }) => write!(f, ", degree {least} to {most}")?,
            None => {}
        }
        match self.heard_of {
            0 => {}
            count => write!(f, ", {} heard of that did not answer", counted(count, "servent"))?,
        }
        match self.doubtful {
            0 => Ok(()),
            count => write!(f, ", {} that one end does not know", counted(count, "link")),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::hops::HopWalk;

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    fn figures(servents: u16, links: &[(u16, u16)]) -> String {
        let all: Vec<_> = (0..servents).map(|port| (address(port), None)).collect();
        let links: Vec<_> = links.iter().map(|(one, other)| (address(*one), address(*other))).collect();
        OverlayFigures::of(&DrawnOverlay::declared(address(0), &all, &links)).to_string()
    }

    #[test]
    fn they_are_said_in_one_line() {
        assert_eq!(figures(1, &[]), "1 servent, 0 links, diameter 0, degree 0");
        assert_eq!(figures(2, &[(0, 1)]), "2 servents, 1 link, diameter 1, degree 1");
        assert_eq!(figures(4, &[(0, 1), (1, 2), (2, 3)]), "4 servents, 3 links, diameter 3, degree 1 to 2");
        assert_eq!(figures(3, &[(0, 1)]), "3 servents, 1 link, in parts that are not linked, degree 0 to 1");
    }

    #[test]
    fn what_is_gone_is_no_way() {
        let all: Vec<_> = (0..4).map(|port| (address(port), None)).collect();
        let chain = [(0, 1), (1, 2), (2, 3)].map(|(one, other)| (address(one), address(other)));
        let chord = (address(0), address(3));
        let before = DrawnOverlay::declared(address(0), &all, &[&chain[..], &[chord]].concat());
        let now = DrawnOverlay::declared(address(0), &all, &chain).since(&before);
        assert_eq!(OverlayFigures::of(&now).to_string(), "4 servents, 3 links, diameter 3, degree 1 to 2");
    }

    #[test]
    fn no_way_is_longer_than_the_diameter() {
        // A ring with tails of every length, and chords: what a search from each servent says.
        for seed in 1..60_u16 {
            let count = 5 + seed % 23;
            let ring = (0..count).map(|place| (place, (place + 1) % count));
            let tail = (0..seed % 9).map(|place| (if place == 0 { 0 } else { count + place - 1 }, count + place));
            let chords = (1..seed % 4).map(|chord| (chord, (chord * seed + 2) % count));
            let links: Vec<_> =
                ring.chain(tail).chain(chords).map(|(one, other)| (address(one), address(other))).collect();
            let all: Vec<_> = (0..count + seed % 9).map(|port| (address(port), None)).collect();
            let overlay = DrawnOverlay::declared(address(0), &all, &links);
            let longest = (0..all.len())
                .flat_map(|start| {
                    let mut walk = HopWalk::new(all.len());
                    walk.meet(start, |place| overlay.neighbors(place));
                    (0..all.len()).map(move |place| walk.hops(place))
                })
                .max()
                .flatten();
            assert_eq!(OverlayFigures::of(&overlay).diameter, longest, "{seed}");
        }
    }
}
