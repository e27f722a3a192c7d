//! What a flood over a declared graph must come to: what the oracle says, and how much of it is certain there.
//!
//! Without a line of the code it is there to check.

use oracle::{Adjacency, Demanded, connected_count};

use crate::declared::Topology;

/// What must come of a query that enters at one servent.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Expected {
    /// What the oracle says.
    pub demanded: Demanded,
    /// Whether its copies and duplicates hold however long each link takes.
    pub exact: bool,
    /// Whether any of the counts is told at all: not where some link speaks TP3, which has no word for them.
    pub told: bool,
}

impl Adjacency for Topology {
    fn servents_count(&self) -> usize {
        self.servents.len()
    }

    fn neighbors_of(&self, servent: usize) -> impl ExactSizeIterator<Item = usize> {
        self.servents[servent].neighbors.iter().copied()
    }
}

impl Expected {
    /// What must come of a query that enters at the servent `contact`.
    #[must_use]
    pub fn new(topology: &Topology, contact: usize) -> Expected {
        let ttl = topology.servents[contact].options.ttl;
        // In a tree there is one way to everybody, so no copy can overtake another. Where each servent passes on once,
        // whichever copy comes first, and even the longest way leaves it the TTL to do so, the sum is the same too.
        let is_tree = topology.links().len() + 1 == connected_count(topology, contact);
        let once = topology.servents.iter().all(|declared| declared.options.forward_once);
        let exact = is_tree || (once && usize::from(ttl) + 1 >= topology.servents.len());
        Expected { demanded: Demanded::new(topology, contact, ttl), exact, told: topology.reports() }
    }
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
        let Demanded { distances, reached, copies, duplicates, stopped } = diamond.demanded;
        assert_eq!((reached, copies, duplicates, stopped), (4, 5, 2, 0));
        assert_eq!(distances, [0, 1, 1, 2]);
        assert!(!diamond.exact);
    }

    #[test]
    fn the_chain_by_hand() {
        let chain = expected("chain");
        let Demanded { distances, reached, copies, duplicates, stopped } = chain.demanded;
        assert_eq!((reached, copies, duplicates, stopped), (5, 4, 0, 1));
        assert_eq!(distances.last(), Some(&Demanded::BEYOND));
        assert!(chain.exact);
    }

    #[test]
    fn a_whole_flood_costs_two_copies_a_link_less_one_a_servent() {
        for name in ["diamond", "ring", "star", "mesh"] {
            let topology = Topology::load(name).unwrap();
            let Expected { demanded, .. } = Expected::new(&topology, 0);
            let servents = topology.servents.len() as u64;
            assert_eq!(demanded.reached, servents, "{name}");
            assert_eq!(demanded.copies, 2 * topology.links().len() as u64 - (servents - 1), "{name}");
        }
    }
}
