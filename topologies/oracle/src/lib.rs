//! What a flood must come to: breadth-first search within the horizon, and the formula of docs/PROTOCOL.md.
//!
//! Small enough to be seen to be right. It depends on nothing, so it has not a line of the code it judges: who asks it
//! says who is linked with whom, and hears what must come of that.

/// Who is linked with whom. Servents go by their numbers, from 0.
pub trait Adjacency {
    /// How many servents there are.
    fn servents_count(&self) -> usize;

    /// The neighbors of a servent, each once.
    fn neighbors_of(&self, servent: usize) -> impl ExactSizeIterator<Item = usize>;
}

/// What must come of one query on a healthy overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demanded {
    /// The distance of each servent from the contact, within the horizon; [`Demanded::BEYOND`] beyond it.
    pub distances: Vec<u32>,
    /// How many servents the query comes to.
    pub reached: u64,
    /// Copies when none overtakes another; never fewer.
    pub copies: u64,
    /// Duplicates when no copy overtakes another.
    pub duplicates: u64,
    /// Servents where the TTL ends it with neighbors unasked.
    pub stopped: u64,
}

impl Demanded {
    /// The distance of whoever the query does not come to.
    pub const BEYOND: u32 = u32::MAX;

    /// What must come of a query that enters at `contact` with this TTL.
    #[must_use]
    pub fn new(links: &impl Adjacency, contact: usize, ttl: u8) -> Demanded {
        // A neighbor of the contact gets the query with the whole TTL, so a TTL of n reaches n + 1 links far.
        let horizon = u32::from(ttl) + 1;
        let (distances, ball) = search(links, contact, horizon);
        let degree = |servent: usize| links.neighbors_of(servent).len() as u64;
        let (mut copies, mut stopped) = (0, 0);
        for servent in ball.iter().copied() {
            if distances[servent] < horizon {
                // Passed on to all but the one it came from.
                copies += degree(servent) - u64::from(servent != contact);
            } else if degree(servent) > 1 {
                stopped += 1;
            }
        }
        let reached = ball.len() as u64;
        Demanded { distances, reached, copies, duplicates: copies + 1 - reached, stopped }
    }

    /// Whether a servent is within the horizon.
    #[must_use]
    pub fn reaches(&self, servent: usize) -> bool {
        self.distance(servent).is_some()
    }

    /// How far from the contact a servent is, if it is within the horizon.
    #[must_use]
    pub fn distance(&self, servent: usize) -> Option<u32> {
        self.distances.get(servent).copied().filter(|distance| *distance != Demanded::BEYOND)
    }
}

/// How many servents a servent is connected with over any number of links, itself among them.
#[must_use]
pub fn connected_count(links: &impl Adjacency, servent: usize) -> usize {
    search(links, servent, u32::MAX).1.len()
}

/// How many links the two servents are apart that are farthest from each other; nothing where not all are connected.
#[must_use]
pub fn diameter(links: &impl Adjacency) -> Option<u32> {
    let mut longest = 0;
    for servent in 0..links.servents_count() {
        let (distances, connected) = search(links, servent, u32::MAX);
        // The farthest comes last.
        let farthest = connected.last().filter(|_| connected.len() == distances.len())?;
        longest = longest.max(distances[*farthest]);
    }
    Some(longest)
}

/// The distance of every servent from one, and those within the horizon, the nearest first.
fn search(links: &impl Adjacency, from: usize, horizon: u32) -> (Vec<u32>, Vec<usize>) {
    let mut distances = vec![Demanded::BEYOND; links.servents_count()];
    distances[from] = 0;
    let mut ball = vec![from];
    let mut next = 0;
    while let Some(at) = ball.get(next).copied() {
        next += 1;
        let distance = distances[at] + 1;
        if distance > horizon {
            continue;
        }
        for neighbor in links.neighbors_of(at) {
            if distances[neighbor] == Demanded::BEYOND {
                distances[neighbor] = distance;
                ball.push(neighbor);
            }
        }
    }
    (distances, ball)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Lists of neighbors.
    struct Lists(Vec<Vec<usize>>);

    impl Lists {
        fn from_links(servents: usize, links: &[(usize, usize)]) -> Lists {
            let mut lists = vec![Vec::new(); servents];
            for (a, b) in links {
                lists[*a].push(*b);
                lists[*b].push(*a);
            }
            Lists(lists)
        }
    }

    impl Adjacency for Lists {
        fn servents_count(&self) -> usize {
            self.0.len()
        }

        fn neighbors_of(&self, servent: usize) -> impl ExactSizeIterator<Item = usize> {
            self.0[servent].iter().copied()
        }
    }

    #[test]
    fn a_diamond_a_chain_and_what_is_out_of_reach() {
        let diamond = Lists::from_links(5, &[(0, 1), (0, 2), (1, 3), (2, 3)]);
        let expected = Demanded::new(&diamond, 0, 3);
        assert_eq!((expected.reached, expected.copies, expected.duplicates, expected.stopped), (4, 5, 2, 0));
        assert_eq!(expected.distances, [0, 1, 1, 2, Demanded::BEYOND]);
        assert!(expected.reaches(3) && !expected.reaches(4) && !expected.reaches(5));
        assert_eq!([3, 4, 5].map(|servent| expected.distance(servent)), [Some(2), None, None]);

        let chain = Lists::from_links(6, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
        let expected = Demanded::new(&chain, 0, 3);
        assert_eq!((expected.reached, expected.copies, expected.duplicates, expected.stopped), (5, 4, 0, 1));
        // Nobody is left unasked where the chain itself ends.
        assert_eq!(Demanded::new(&chain, 0, 4).stopped, 0);
        assert_eq!(Demanded::new(&chain, 2, 0).reached, 3);
    }

    #[test]
    fn whoever_is_connected_is_counted_however_far_away() {
        let links: Vec<(usize, usize)> = (0..999).map(|servent| (servent, servent + 1)).collect();
        let chain = Lists::from_links(1_002, &[links, vec![(1_000, 1_001)]].concat());
        assert_eq!([0, 500, 1_000].map(|servent| connected_count(&chain, servent)), [1_000, 1_000, 2]);
    }

    #[test]
    fn a_diameter_is_the_longest_of_the_shortest_ways() {
        for (servents, links, expected) in [
            (4, &[(0, 1), (0, 2), (1, 3), (2, 3)][..], Some(2)),
            (6, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)], Some(5)),
            (6, &[(2, 1), (1, 0), (2, 3), (3, 4), (2, 5)], Some(4)),
            (2, &[(0, 1)], Some(1)),
            (3, &[(0, 1)], None),
            (1, &[], Some(0)),
            (0, &[], Some(0)),
        ] {
            assert_eq!(diameter(&Lists::from_links(servents, links)), expected, "{links:?}");
        }
    }

    #[test]
    fn nobody_else_there_is_a_flood_of_one() {
        let alone = Demanded::new(&Lists::from_links(1, &[]), 0, 15);
        assert_eq!((alone.reached, alone.copies, alone.duplicates, alone.stopped), (1, 0, 0, 0));
    }
}
