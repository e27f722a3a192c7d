//! What a flood over a declared graph must come to: what the oracle says, and how much of it is certain there.
//!
//! Without a line of the code it is there to check.

use common::counted::counted;
use common::limits::TTL_FROM_OTHERS_MAX;
use oracle::{Adjacency, Demanded, connected_count};

use crate::declared::{Declared, Topology};

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

/// The first servent that would cut down the TTL a query starts with at the first of all. What is then reached depends
/// on where, which is more than a search by distance can tell.
#[must_use]
pub fn who_cuts(topology: &Topology) -> Option<&Declared> {
    let ttl = topology.servents[0].options.ttl;
    topology.servents.iter().find(|declared| declared.options.ttl.max(TTL_FROM_OTHERS_MAX) < ttl)
}

/// How far a query goes that enters at the first servent, where it is known not to come to all.
#[must_use]
pub fn horizon(topology: &Topology) -> Option<String> {
    let Expected { demanded, .. } = Expected::new(topology, 0);
    let [reached, all] = [demanded.reached, topology.servents.len() as u64];
    (reached < all && who_cuts(topology).is_none()).then(|| {
        let links = counted(u64::from(topology.servents[0].options.ttl) + 1, "link");
        format!("a query goes {links} far, to {reached} of {}", counted(all, "servent"))
    })
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
    use std::path::Path;

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
    fn how_far_a_query_goes_is_said_where_it_does_not_come_to_all() {
        let of = |name: &str| horizon(&Topology::load(name).unwrap());
        assert_eq!(of("chain").unwrap(), "a query goes 4 links far, to 5 of 6 servents");
        assert_eq!(of("diamond"), None);
        let row = |first: u8, second: u8| {
            let text = format!("9001 - --ttl {first}\n9002 - 9001 --ttl {second}\n9003 - 9002\n");
            horizon(&Topology::parse("row", text, Path::new("")).unwrap())
        };
        assert_eq!(row(0, 9).unwrap(), "a query goes 1 link far, to 2 of 3 servents");
        assert_eq!(row(1, 9), None);
        let apart = |ttl: u8| {
            let text = format!("9001 - --ttl {ttl}\n9002 -\n");
            horizon(&Topology::parse("apart", text, Path::new("")).unwrap())
        };
        assert_eq!(apart(3).unwrap(), "a query goes 4 links far, to 1 of 2 servents");
        assert_eq!(apart(9), None, "the other would cut it, and so it is not known");
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
