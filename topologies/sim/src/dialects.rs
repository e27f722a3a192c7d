//! Who speaks which dialect in a run: each link one, and each client and stranger, drawn where the wire leaves it open.
//!
//! Drawn for each by itself, so that what is left out of a run moves nothing of the rest. What comes of it is `world`'s.

use common::dialect::Dialect;

use super::graph::Graph;
use super::plan::{Plan, Wire};
use super::random::Random;

/// Of a hundred links that many speak TP3 in a run, of which one is drawn: one here and there, some, and most.
const LINKS_PERCENT: [u64; 3] = [10, 30, 60];
/// The same of clients, to their contacts, and of strangers that mean no good.
const CLIENTS_PERCENT: u64 = 20;
const STRANGERS_PERCENT: u64 = 25;

// What the streams are for.
const MIXTURE: u64 = 0x6469_616c_6501_0000;
const LINKS: u64 = 0x6469_616c_6502_0000;
const CLIENTS: u64 = 0x6469_616c_6503_0000;
const STRANGERS: u64 = 0x6469_616c_6504_0000;

/// What two neighbors speak to each other.
pub(crate) fn of_link(plan: &Plan, a: usize, b: usize) -> Dialect {
    of(plan, || {
        let percent = LINKS_PERCENT[Random::of(plan.seed, MIXTURE).index(LINKS_PERCENT.len())];
        Random::of(plan.seed ^ LINKS, (a.min(b) as u64) << 32 | a.max(b) as u64).chance(percent)
    })
}

/// What the client of the query of this number speaks to its contact.
pub(crate) fn of_client(plan: &Plan, query: u32) -> Dialect {
    of(plan, || Random::of(plan.seed, CLIENTS + u64::from(query)).chance(CLIENTS_PERCENT))
}

/// What the stranger of this fault speaks.
pub(crate) fn of_stranger(plan: &Plan, fault: u32) -> Dialect {
    of(plan, || Random::of(plan.seed, STRANGERS + u64::from(fault)).chance(STRANGERS_PERCENT))
}

/// Whether all that a servent says to its neighbors it says in our own dialect.
pub(crate) fn is_native_among(plan: &Plan, graph: &Graph, servent: usize) -> bool {
    graph.neighbors(servent).iter().all(|other| of_link(plan, servent, *other as usize) == Dialect::OWN)
}

fn of(plan: &Plan, is_tp3: impl FnOnce() -> bool) -> Dialect {
    match plan.wire {
        Wire::Tp3 => Dialect::Tp3,
        Wire::Mixed if is_tp3() => Dialect::Tp3,
        Wire::None | Wire::Native | Wire::Mixed => Dialect::Native,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::tests::small;
    use crate::shapes::Shape;

    fn plan(seed: u64, wire: Wire) -> Plan {
        Plan { wire, ..small(Shape::Ring, 100, seed) }
    }

    #[test]
    fn a_wire_that_is_one_dialect_is_that_everywhere() {
        for (wire, dialect) in
            [(Wire::None, Dialect::Native), (Wire::Native, Dialect::Native), (Wire::Tp3, Dialect::Tp3)]
        {
            let plan = plan(1, wire);
            for number in 0..50 {
                let all = [of_link(&plan, 7, number as usize), of_client(&plan, number), of_stranger(&plan, number)];
                assert_eq!(all, [dialect; 3], "{wire}");
            }
        }
    }

    #[test]
    fn where_both_are_spoken_each_link_has_its_own_both_ways_and_some_runs_have_few() {
        let count = |seed| {
            let plan = plan(seed, Wire::Mixed);
            assert!((0..200).all(|other| of_link(&plan, 3, other) == of_link(&plan, other, 3)));
            (0..200).filter(|other| of_link(&plan, 3, *other) == Dialect::Tp3).count()
        };
        let counts: Vec<usize> = (0..60).map(count).collect();
        for range in [8..36, 40..82, 98..142] {
            assert!(counts.iter().any(|count| range.contains(count)), "{counts:?}");
        }
        assert!(counts.iter().all(|count| (8..142).contains(count)), "{counts:?}");
        let mixed = plan(9, Wire::Mixed);
        let clients = (0..200).filter(|client| of_client(&mixed, *client) == Dialect::Tp3).count();
        let strangers = (0..200).filter(|fault| of_stranger(&mixed, *fault) == Dialect::Tp3).count();
        assert!((20..65).contains(&clients) && (28..75).contains(&strangers), "{clients} {strangers}");
        let ring = Graph::from_links(3, &[(0, 1), (1, 2), (0, 2)]);
        let speaks = |a, b| of_link(&mixed, a, b) == Dialect::OWN;
        assert_eq!(is_native_among(&mixed, &ring, 1), speaks(0, 1) && speaks(1, 2));
    }
}
