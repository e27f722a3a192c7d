//! What servents hold.
//!
//! - At every event, no more of anything than they may.
//! - Once nothing was asked for as long as anything is remembered, nothing but their links.

use common::overlay::Holding;

/// What of it is more than may be.
pub(super) fn too_many(servent: usize, holdings: impl Iterator<Item = Holding>) -> impl Iterator<Item = String> {
    holdings.filter_map(move |Holding { help, value, limit, .. }| {
        let limit = limit.filter(|limit| value > *limit)?;
        Some(format!("s{servent} has {value} {help}, and {limit} are the most"))
    })
}

/// What of it should be forgotten.
pub(super) fn not_forgotten(servent: usize, holdings: impl Iterator<Item = Holding>) -> impl Iterator<Item = String> {
    let stays = |name| matches!(name, "neighbors" | "clients" | "links" | "members");
    let left = holdings.filter(move |holding| holding.limit.is_some() && holding.value > 0 && !stays(holding.name));
    left.map(move |Holding { help, value, .. }| {
        format!("s{servent} still has {value} {help}, and nothing was asked for long")
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::tests::chain;
    use crate::world::witness::SECOND;
    use crate::world::witness::tests::{asked, assert_broke};

    #[test]
    fn what_is_not_forgotten_is_noticed() {
        let scene = chain();
        let mut witness = asked(&scene);
        let held = |name, value, limit| Holding { name, help: "of these", value, limit };
        witness.check_forgotten(SECOND, 1, [held("neighbors", 5, Some(9)), held("queries", 7, None)].into_iter());
        witness.check_forgotten(SECOND, 1, [held("seen", 0, Some(9))].into_iter());
        assert_broke(&witness, &[]);
        witness.check_forgotten(SECOND, 1, [held("seen", 1, Some(9))].into_iter());
        assert_broke(&witness, &["s1 still has 1 of these"]);
    }
}
