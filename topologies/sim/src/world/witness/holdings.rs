//! What servents hold.
//!
//! - At every event, no more of anything than they may; and no more contents being given out than those who are there may
//!   fetch.
//! - Once nothing was asked for as long as anything is remembered, nothing but their links.

use common::limits::UPLOADS_PER_LINK_MAX;
use common::overlay::Holding;

/// What of it is more than may be.
pub(super) fn too_many(servent: usize, holdings: impl Iterator<Item = Holding>) -> impl Iterator<Item = String> {
    let mut clients = 0;
    holdings.filter_map(move |Holding { name, help, value, limit }| {
        // Clients come before what they fetch.
        let limit = match name {
            "clients" => {
                clients = value;
                limit
            }
            "uploads" => limit.map(|limit| limit.min(clients.saturating_mul(UPLOADS_PER_LINK_MAX as u64))),
            _ => limit,
        };
        let limit = limit.filter(|limit| value > *limit)?;
        Some(format!("s{servent} has {value} {help}, and {limit} are the most"))
    })
}

/// What of it should be forgotten.
pub(super) fn not_forgotten(servent: usize, holdings: impl Iterator<Item = Holding>) -> impl Iterator<Item = String> {
    let stays = |name| matches!(name, "neighbors" | "clients" | "links" | "members" | "written_keys" | "written_bytes");
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
    fn more_contents_given_out_than_clients_can_fetch_are_noticed() {
        let scene = chain();
        let mut witness = asked(&scene);
        let held = |name, value, limit| Holding { name, help: "of these", value, limit };
        let of = |clients, uploads| {
            [held("clients", clients, Some(9)), held("links", 9, Some(9)), held("uploads", uploads, Some(64))]
                .into_iter()
        };
        witness.check_holdings(SECOND, 1, of(2, 2 * UPLOADS_PER_LINK_MAX as u64));
        assert_broke(&witness, &[]);
        witness.check_holdings(SECOND, 1, of(2, 2 * UPLOADS_PER_LINK_MAX as u64 + 1));
        witness.check_holdings(SECOND, 1, of(9, 65));
        assert_broke(&witness, &["s1 has 9 of these, and 8 are", "s1 has 65 of these, and 36 are"]);
    }

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
