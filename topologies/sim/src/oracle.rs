//! What a flood must come to: breadth-first search within the horizon, and nothing of the code it judges.

use super::graph::Graph;

/// What must come of one query on a healthy overlay.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Demanded {
    /// The distance of each servent from the contact, within the horizon; `u32::MAX` beyond it.
    pub distances: Vec<u32>,
    /// How many servents the query comes to.
    pub reached: u64,
    /// Copies when none overtakes another; never fewer.
    pub copies: u64,
    /// Servents where the TTL ends it with neighbors unasked.
    pub stopped: u64,
}

impl Demanded {
    /// What must come of a query that enters at `contact` with this TTL.
    #[must_use]
    pub fn new(graph: &Graph, contact: usize, ttl: u8) -> Demanded {
        // A neighbor of the contact gets the query with the whole TTL, so a TTL of n reaches n + 1 links far.
        let horizon = u32::from(ttl) + 1;
        let mut distances = vec![u32::MAX; graph.servents()];
        distances[contact] = 0;
        let mut ball = vec![contact];
        let mut next = 0;
        while let Some(at) = ball.get(next).copied() {
            next += 1;
            let distance = distances[at] + 1;
            if distance > horizon {
                continue;
            }
            for neighbor in graph.neighbors(at) {
                let neighbor = *neighbor as usize;
                if distances[neighbor] == u32::MAX {
                    distances[neighbor] = distance;
                    ball.push(neighbor);
                }
            }
        }
        let degree = |servent: &usize| graph.neighbors(*servent).len() as u64;
        let passing = ball.iter().filter(|servent| distances[**servent] < horizon);
        let copies = passing.map(|servent| degree(servent) - u64::from(*servent != contact)).sum();
        let stopped =
            ball.iter().filter(|servent| distances[**servent] == horizon && degree(servent) > 1).count() as u64;
        Demanded { distances, reached: ball.len() as u64, copies, stopped }
    }

    /// Whether a servent is within the horizon.
    #[must_use]
    pub fn reaches(&self, servent: usize) -> bool {
        self.distances.get(servent).is_some_and(|distance| *distance != u32::MAX)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_diamond_a_chain_and_what_is_out_of_reach() {
        let diamond = Graph::from_links(5, &[(0, 1), (0, 2), (1, 3), (2, 3)]);
        let expected = Demanded::new(&diamond, 0, 3);
        assert_eq!((expected.reached, expected.copies, expected.stopped), (4, 5, 0));
        assert_eq!(expected.distances, [0, 1, 1, 2, u32::MAX]);
        assert!(expected.reaches(3) && !expected.reaches(4) && !expected.reaches(5));

        let chain = Graph::from_links(6, &[(0, 1), (1, 2), (2, 3), (3, 4), (4, 5)]);
        let expected = Demanded::new(&chain, 0, 3);
        assert_eq!((expected.reached, expected.copies, expected.stopped), (5, 4, 1));
        // Nobody is left unasked where the chain itself ends.
        assert_eq!(Demanded::new(&chain, 0, 4).stopped, 0);
        assert_eq!(Demanded::new(&chain, 2, 0).reached, 3);
    }
}
