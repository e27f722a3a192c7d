//! Every query, from the day it is drawn: whose it is, what it is called, and whether it is asked yet.
//!
//! - A client is told of nothing but what it asked.
//!
//! What comes of it is for others: here is who asked what, and when.

use std::fmt;
use std::net::SocketAddr;

use common::dialect::Dialect;
use common::limits::SEEN_TP3_AGE_MAX;
use common::query::QueryId;

use super::{Nanos, nanos};
use crate::dialects;
use crate::plan::Wire;
use crate::scene::{Asking, Scene};
use crate::verdict::demand::Demand;

/// A query and its client.
pub(super) struct WatchedQuery {
    pub(super) asking: Asking,
    pub(super) is_probe: bool,
    /// What its client speaks to its contact.
    pub(super) dialect: Dialect,
    client: Option<(usize, SocketAddr)>,
    is_ready: bool,
    /// It was to be asked before its client was ready.
    is_late: bool,
    /// It never will be asked.
    pub(super) is_off: bool,
    pub(super) attached: Nanos,
    pub(super) asked: Option<Nanos>,
    sequence: Option<u64>,
}

impl WatchedQuery {
    pub(super) fn name(&self) -> QueryName {
        if self.is_probe { QueryName::Probe } else { QueryName::Number(self.asking.number) }
    }

    pub(super) fn id(&self) -> Option<QueryId> {
        Some(QueryId { sequence: self.sequence?, client: self.client?.1 })
    }

    pub(super) fn client(&self) -> Option<usize> {
        self.client.map(|(node, _)| node)
    }

    pub(super) fn contact(&self) -> usize {
        self.asking.contact as usize
    }

    /// A query is remembered until it is over. Beside TP3 nobody knows when that is: there it may be forgotten so long after
    /// it was asked.
    pub(super) fn may_be_forgotten(&self, scene: &Scene, now: Nanos) -> bool {
        let may_forget = matches!(scene.plan.wire, Wire::Tp3 | Wire::Mixed);
        may_forget && self.asked.is_some_and(|asked| now >= asked + nanos(SEEN_TP3_AGE_MAX))
    }

    pub(super) fn demand<'s>(&self, scene: &'s Scene) -> Demand<'s> {
        Demand::new(scene, self.asking, self.dialect)
    }
}

/// What a query is called.
#[derive(Clone, Copy, Debug)]
pub(super) enum QueryName {
    Number(u32),
    Probe,
}

impl fmt::Display for QueryName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            QueryName::Number(number) => write!(f, "query {number}"),
            QueryName::Probe => f.write_str("the query after healing"),
        }
    }
}

/// All of them. Each goes by its place here.
#[derive(Default)]
pub(crate) struct WatchedQueries {
    queries: Vec<WatchedQuery>,
    /// Which query each client asked, by the client's number of node.
    by_client: Vec<Option<usize>>,
}

impl WatchedQueries {
    // ---- what happens ----

    pub(super) fn on_announced(&mut self, scene: &Scene, asking: Asking, is_probe: bool) -> usize {
        self.queries.push(WatchedQuery {
            asking,
            is_probe,
            // The query after healing is asked by one who is told all there is to know.
            dialect: if is_probe && scene.plan.wire == Wire::Mixed {
                Dialect::OWN
            } else {
                dialects::of_client(&scene.plan, asking.number)
            },
            client: None,
            is_ready: false,
            is_late: false,
            is_off: false,
            attached: 0,
            asked: None,
            sequence: None,
        });
        self.queries.len() - 1
    }

    pub(crate) fn on_attaching(&mut self, now: Nanos, query: usize, node: usize, address: SocketAddr) {
        if let Some(asked) = self.queries.get_mut(query) {
            asked.attached = now;
            asked.client = Some((node, address));
            self.by_client.resize(self.by_client.len().max(node + 1), None);
            if let Some(place) = self.by_client.get_mut(node) {
                *place = Some(query);
            }
        }
    }

    /// The client's contact has greeted it. Whether it should have asked by now.
    pub(crate) fn on_ready(&mut self, query: usize) -> bool {
        let Some(asked) = self.queries.get_mut(query) else { return false };
        asked.is_ready = true;
        asked.is_late
    }

    /// There is no contact to ask.
    pub(crate) fn on_refused(&mut self, query: usize) {
        if let Some(asked) = self.queries.get_mut(query) {
            asked.is_off = true;
        }
    }

    /// The contact is gone; whoever has not asked by then does not.
    pub(crate) fn on_contact_lost(&mut self, query: usize) {
        if let Some(asked) = self.queries.get_mut(query)
            && asked.asked.is_none()
        {
            asked.is_off = true;
        }
    }

    /// Notes that a client asks now. False when it may not; if it is not ready it asks as soon as it is.
    pub(super) fn begin_asking(&mut self, now: Nanos, query: usize) -> bool {
        let Some(asked) = self.queries.get_mut(query) else { return false };
        asked.is_late = true;
        if !asked.is_ready || asked.is_off || asked.asked.is_some() {
            return false;
        }
        asked.asked = Some(now);
        true
    }

    pub(crate) fn on_request(&mut self, query: usize, sequence: u64) {
        if let Some(asked) = self.queries.get_mut(query) {
            asked.sequence = Some(sequence);
        }
    }

    /// A client reports something of the query that it calls by this number.
    pub(super) fn on_told_of(&self, query: usize, sequence: u64) -> Option<String> {
        let asked = self.queries.get(query)?;
        asked
            .sequence
            .is_some_and(|own| own != sequence)
            .then(|| format!("the client of {} is told of {sequence}, which it did not ask", asked.name()))
    }

    // ---- what is known of it ----

    pub(super) fn get(&self, query: usize) -> Option<&WatchedQuery> {
        self.queries.get(query)
    }

    pub(super) fn count(&self) -> usize {
        self.queries.len()
    }

    /// The one that a client asked under this id.
    pub(super) fn of(&self, client: Option<usize>, id: QueryId) -> Option<(usize, &WatchedQuery)> {
        let query = self.asked_at(client?)?;
        let asked = self.queries.get(query).filter(|asked| asked.sequence == Some(id.sequence))?;
        Some((query, asked))
    }

    /// The query that the client at a node asks, if there is one.
    pub(crate) fn asked_at(&self, node: usize) -> Option<usize> {
        self.by_client.get(node).copied().flatten()
    }

    /// Its place, for those who keep something of each.
    pub(super) fn place_of(&self, client: Option<usize>, id: QueryId) -> Option<usize> {
        self.of(client, id).map(|(place, _)| place)
    }

    /// The one that a client asks, under whatever id.
    pub(super) fn of_client(&self, client: usize) -> Option<&WatchedQuery> {
        self.queries.get(self.asked_at(client)?)
    }

    /// The queries of real clients that a hostile servent might guess.
    pub(crate) fn asked_by_now(&self) -> Vec<QueryId> {
        self.queries.iter().filter_map(WatchedQuery::id).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scene::tests::chain;
    use crate::world::witness::SECOND;
    use crate::world::witness::tests::{CLIENT, asked, assert_broke, client, id};

    #[test]
    fn what_is_told_of_another_query_is_noticed() {
        let scene = chain();
        let mut witness = asked(&scene);
        witness.on_told_of(SECOND, 0, id().sequence);
        assert_broke(&witness, &[]);
        witness.on_told_of(SECOND, 0, id().sequence + 1);
        assert_broke(&witness, &["the client of query 0 is told of"]);
    }

    #[test]
    fn a_query_is_asked_once_its_client_is_ready_and_never_where_that_is_off() {
        let scene = chain();
        let announced = || {
            let mut queries = WatchedQueries::default();
            assert_eq!(queries.on_announced(&scene, scene.queries[0], false), 0);
            queries.on_attaching(1, 0, CLIENT, client());
            queries
        };
        // Too early, and then at once; and not again.
        let mut queries = announced();
        assert!(!queries.begin_asking(2, 0) && queries.on_ready(0));
        assert!(queries.begin_asking(3, 0) && !queries.begin_asking(4, 0));
        // A contact that is lost by then is no matter any more.
        queries.on_contact_lost(0);
        assert!(queries.get(0).is_some_and(|asked| !asked.is_off && asked.asked == Some(3)));
        for off in [WatchedQueries::on_refused, WatchedQueries::on_contact_lost] {
            let mut queries = announced();
            assert!(!queries.on_ready(0));
            off(&mut queries, 0);
            assert!(!queries.begin_asking(3, 0) && queries.get(0).is_some_and(|asked| asked.is_off));
        }
    }

    #[test]
    fn a_query_is_known_by_its_client_and_its_number() {
        let scene = chain();
        let mut queries = WatchedQueries::default();
        queries.on_announced(&scene, scene.queries[0], false);
        queries.on_announced(&scene, scene.queries[0], true);
        queries.on_attaching(1, 1, CLIENT, client());
        assert_eq!((queries.place_of(Some(CLIENT), id()), queries.asked_by_now()), (None, Vec::new()));
        queries.on_request(1, id().sequence);
        assert_eq!((queries.place_of(Some(CLIENT), id()), queries.asked_by_now()), (Some(1), vec![id()]));
        assert_eq!(queries.place_of(Some(CLIENT), QueryId { sequence: 6, ..id() }), None);
        assert_eq!((queries.place_of(None, id()), queries.place_of(Some(0), id())), (None, None));
        assert!(queries.of_client(CLIENT).is_some_and(|asked| asked.is_probe) && queries.of_client(0).is_none());
        let names: Vec<String> = (0..2).filter_map(|query| Some(queries.get(query)?.name().to_string())).collect();
        assert_eq!(names, ["query 0", "the query after healing"]);
    }
}
