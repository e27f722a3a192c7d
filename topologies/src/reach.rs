//! How far a query goes in a declared overlay, in words, for whoever wonders that not all answer.
//!
//! What must come of it is `expected`'s.

use common::counted::counted;
use common::limits::TTL_FROM_OTHERS_MAX;

use crate::declared::{Declared, Topology};
use crate::expected::Expected;

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

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

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
}
