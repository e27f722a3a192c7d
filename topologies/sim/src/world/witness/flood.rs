//! Copies and echoes, as they cross links.
//!
//! - No life of a servent sends the same copy (query and TTL) twice over one link. So one query crosses a link in one
//!   direction at most once per TTL: TTL + 1 times at most, as its contact started it, and the sum over the links of a
//!   servent is what it costs there. There are three exceptions: where TP3 is spoken a servent may forget a query for its age,
//!   what a forger asked in the name of a TP3 client before that client's hello was read, and what nobody asked where servents
//!   are stopped for longer than contacts are remembered.
//! - Copies never carry more TTL than the overlay allows: TTL and hops together stay below the contact's TTL plus two.

use std::collections::{BTreeMap, HashMap};

use common::dialect::Dialect;
use common::limits::{TTL_FROM_OTHERS_MAX, TTL_MAX};
use common::link::LinkId;
use common::query::{Query, QueryId, Via};

use crate::scene::Scene;
use crate::verdict::Crossed;

/// A copy that a servent sends, and what is known of its query.
pub(super) struct CopySent<'a> {
    pub(super) servent: usize,
    pub(super) link: LinkId,
    pub(super) dialect: Dialect,
    pub(super) query: &'a Query,
    /// Its place, if its client asked it.
    pub(super) of: Option<usize>,
    /// The TTL it was started with, where nobody forged it.
    pub(super) ttl: Option<u8>,
    /// All of its answers have to go back, and nobody forged it.
    pub(super) is_deaf: bool,
    /// It may be forgotten for its age by now.
    pub(super) may_be_forgotten: bool,
}

/// What crossed links.
pub(super) struct WatchedFlood {
    ttl_most: u8,
    /// Which TTLs a query crossed a link with.
    crossed: HashMap<(LinkId, QueryId), u32>,
    queries: BTreeMap<usize, Crossed>,
}

impl WatchedFlood {
    pub(super) fn new(scene: &Scene) -> WatchedFlood {
        let ttl_most = scene.ttls.iter().copied().max().unwrap_or_default();
        WatchedFlood {
            ttl_most: ttl_most.clamp(TTL_FROM_OTHERS_MAX, TTL_MAX),
            crossed: HashMap::new(),
            queries: BTreeMap::new(),
        }
    }

    // ---- what happens ----

    /// A servent sends a copy. What of that is wrong, unless the query may have come to it anew.
    pub(super) fn on_copy(&mut self, copy: &CopySent<'_>, may_be_new: impl FnOnce() -> bool) -> [Option<String>; 3] {
        let CopySent { servent, link, dialect, query, .. } = *copy;
        let (id, ttl, hops) = (query.id(), query.ttl, query.hops);
        if let Some(crossed) = copy.of.map(|of| self.queries.entry(of).or_default()) {
            crossed.copies += 1;
            crossed.silent_copies += u64::from(dialect != Dialect::OWN);
            crossed.dialled_copies += u64::from(query.via == Via::Direct);
        }
        let ttls = self.crossed.entry((link, id)).or_insert(0);
        if copy.may_be_forgotten {
            *ttls = 0;
        }
        let mark = 1_u32.checked_shl(ttl.into()).unwrap_or_default();
        let is_again = *ttls & mark != 0;
        *ttls |= mark;
        let again = (is_again && !may_be_new())
            .then(|| format!("s{servent} sends query {id} with TTL {ttl} over {link} a second time"));
        // In TP3 a copy does not say how far it has come.
        let far = u16::from(ttl) + if dialect == Dialect::OWN { u16::from(hops) } else { 1 };
        let is_too_far = ttl > self.ttl_most || copy.ttl.is_some_and(|ttl| far > u16::from(ttl) + 1);
        let too_far = is_too_far.then(|| {
            format!("s{servent} passes query {id} on with TTL {ttl} after {hops} hops: more than it began with")
        });
        let is_to_dial = copy.is_deaf && query.via == Via::Direct;
        let to_dial =
            is_to_dial.then(|| format!("s{servent} has a client dialled for query {id} that hears no answers"));
        [again, too_far, to_dial]
    }

    pub(super) fn on_echo(&mut self, query: usize) {
        self.queries.entry(query).or_default().echoes += 1;
    }

    // ---- what is known of it ----

    pub(super) fn crossed(&self, query: usize) -> Crossed {
        self.queries.get(&query).copied().unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use common::limits::SEEN_TP3_AGE_MAX;
    use common::query::Ask;

    use super::*;
    use crate::plan::{ClientVia, Wire};
    use crate::scene::tests::chain;
    use crate::world::witness::tests::{CLIENT, asked, assert_broke, copy, forged, id};
    use crate::world::witness::{SECOND, nanos};

    #[test]
    fn a_second_copy_and_one_that_goes_too_far_are_noticed() {
        let scene = chain();
        let mut witness = asked(&scene);
        witness.on_copy(SECOND, 0, LinkId(0), Dialect::OWN, Some(CLIENT), &copy(2, 1));
        witness.on_copy(SECOND, 0, LinkId(0), Dialect::OWN, Some(CLIENT), &copy(3, 1));
        witness.on_copy(SECOND, 0, LinkId(2), Dialect::OWN, Some(CLIENT), &copy(3, 1));
        assert_broke(&witness, &[]);
        witness.on_copy(SECOND, 0, LinkId(0), Dialect::OWN, Some(CLIENT), &copy(2, 1));
        witness.on_copy(SECOND, 0, LinkId(4), Dialect::OWN, Some(CLIENT), &copy(3, 2));
        // Of a forged one only what the overlay allows anybody is claimed.
        witness.on_forged(Some(CLIENT), &forged(None, Ask::Topology));
        witness.on_copy(SECOND, 0, LinkId(6), Dialect::OWN, Some(CLIENT), &copy(6, 2));
        witness.on_copy(SECOND, 0, LinkId(8), Dialect::OWN, None, &copy(8, 2));
        assert_broke(&witness, &["a second time", "more than it began with", "more than it began with"]);
    }

    #[test]
    fn a_copy_that_has_a_client_dialled_who_hears_nothing_is_noticed() {
        let mut scene = chain();
        scene.plan.via = ClientVia::Back;
        let mut witness = asked(&scene);
        for (link, via) in [(0, Via::Back), (2, Via::Direct)] {
            let copy = Query { via, ..copy(3, 1) };
            witness.on_copy(SECOND, 0, LinkId(link), Dialect::OWN, Some(CLIENT), &copy);
        }
        assert_broke(&witness, &["that hears no answers"]);
    }

    #[test]
    fn where_tp3_is_spoken_a_query_may_be_forgotten_for_its_age_and_not_before() {
        for (wire, breaks) in [(Wire::Native, 2), (Wire::Tp3, 1), (Wire::Mixed, 1)] {
            let mut scene = chain();
            scene.plan.wire = wire;
            let mut witness = asked(&scene);
            let age = nanos(SEEN_TP3_AGE_MAX);
            for now in [SECOND, SECOND + age - 1, SECOND + age] {
                witness.on_answer_said(now, (2, 1), CLIENT, id(), false);
            }
            assert_eq!(witness.broken.len(), breaks, "{wire}: {:?}", witness.broken);
        }
    }

    #[test]
    fn copies_are_counted_by_query_and_those_that_nobody_echoes_besides() {
        let scene = chain();
        let mut flood = WatchedFlood::new(&scene);
        let query = copy(3, 1);
        for (link, dialect, of) in [(0, Dialect::OWN, Some(0)), (2, Dialect::Tp3, Some(0)), (4, Dialect::OWN, None)] {
            let link = LinkId(link);
            let (query, ttl) = (&query, Some(3));
            let sent = CopySent { servent: 0, link, dialect, query, of, ttl, is_deaf: false, may_be_forgotten: false };
            assert_eq!(flood.on_copy(&sent, || false), [None, None, None]);
            // What has come anew may be said anew.
            assert_eq!(flood.on_copy(&sent, || true), [None, None, None]);
        }
        flood.on_echo(0);
        let Crossed { copies, silent_copies, dialled_copies, echoes } = flood.crossed(0);
        assert_eq!((copies, silent_copies, dialled_copies, echoes), (4, 2, 4, 1));
    }
}
