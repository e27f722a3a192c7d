//! What a flood over a declared graph must come to: breadth-first search and the formula of docs/PROTOCOL.md.
//!
//! Small enough to be seen to be right, and without a line of the code it is there to check.

use std::collections::VecDeque;

use crate::declared::Topology;

/// What must come of a query that enters at one servent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// The distance of each servent from where the query enters; nothing for those out of reach of the TTL.
    pub distances: Vec<Option<usize>>,
    /// How many servents the query comes to.
    pub reached: u64,
    /// At how many the TTL ends it with neighbors unasked.
    pub stopped: u64,
    /// Copies when none overtakes another; never fewer.
    pub copies: u64,
    /// Duplicates when no copy overtakes another.
    pub duplicates: u64,
    /// Whether `copies` and `duplicates` hold however long each link takes.
    pub exact: bool,
    /// Whether any of the counts is told at all: not where some link speaks TP3, which has no word for them.
    pub told: bool,
}

impl Expected {
    /// What must come of a query that enters at the servent `contact`.
    #[must_use]
    pub fn new(topology: &Topology, contact: usize) -> Expected {
        let options = &topology.servents[contact].options;
        let ttl = usize::from(options.ttl);
        let all = search(topology, contact);
        // A neighbor of the contact gets the query with the whole TTL, so a TTL of n reaches n + 1 links far.
        let distances: Vec<Option<usize>> = all.iter().map(|distance| distance.filter(|d| *d <= ttl + 1)).collect();
        let degree = |place: usize| topology.servents[place].neighbors.len() as u64;
        let within = || distances.iter().enumerate().filter_map(|(place, distance)| Some((place, (*distance)?)));
        let reached = within().count() as u64;
        let passed_on = within().filter(|(_, distance)| *distance <= ttl);
        let copies = passed_on.map(|(place, distance)| degree(place) - u64::from(distance > 0)).sum();
        let stopped = within().filter(|(place, distance)| *distance == ttl + 1 && degree(*place) > 1).count() as u64;
        // In a tree there is one way to everybody, so no copy can overtake another. Where each servent passes on once,
        // whichever copy comes first, and even the longest way leaves it the TTL to do so, the sum is the same too.
        let is_tree = topology.links().len() + 1 == all.iter().flatten().count();
        let once = topology.servents.iter().all(|declared| declared.options.forward_once);
        let exact = is_tree || (once && ttl + 1 >= topology.servents.len());
        Expected {
            reached,
            stopped,
            copies,
            duplicates: copies + 1 - reached,
            exact,
            told: topology.reports(),
            distances,
        }
    }
}

/// The distance of every servent from one, in links.
fn search(topology: &Topology, from: usize) -> Vec<Option<usize>> {
    let mut distances = vec![None; topology.servents.len()];
    distances[from] = Some(0);
    let mut next = VecDeque::from([(from, 0)]);
    while let Some((place, distance)) = next.pop_front() {
        for neighbor in &topology.servents[place].neighbors {
            if distances[*neighbor].is_none() {
                distances[*neighbor] = Some(distance + 1);
                next.push_back((*neighbor, distance + 1));
            }
        }
    }
    distances
}

#[cfg(test)]
mod tests {
    use super::*;

    fn expected(name: &str) -> Expected {
        Expected::new(&Topology::load(name).unwrap(), 0)
    }

    #[test]
    fn the_diamond_by_hand() {
        let diamond = expected("diamond");
        assert_eq!((diamond.reached, diamond.copies, diamond.duplicates, diamond.stopped), (4, 5, 2, 0));
        assert_eq!(diamond.distances, [Some(0), Some(1), Some(1), Some(2)]);
        assert!(!diamond.exact);
    }

    #[test]
    fn the_chain_by_hand() {
        let chain = expected("chain");
        assert_eq!((chain.reached, chain.copies, chain.duplicates, chain.stopped), (5, 4, 0, 1));
        assert_eq!(chain.distances.last(), Some(&None));
        assert!(chain.exact);
    }

    #[test]
    fn a_whole_flood_costs_two_copies_a_link_less_one_a_servent() {
        for name in ["diamond", "ring", "star", "mesh"] {
            let topology = Topology::load(name).unwrap();
            let expected = Expected::new(&topology, 0);
            let servents = topology.servents.len() as u64;
            assert_eq!(expected.reached, servents, "{name}");
            assert_eq!(expected.copies, 2 * topology.links().len() as u64 - (servents - 1), "{name}");
        }
    }
}
