//! A copy of a query as it comes: from whom, and whether it may be looked at at all.
//!
//! That is judged by the first three rules of the table in docs/PROTOCOL.md; the others need to know what came before,
//! and are those of `judging` and `flood`.

use std::sync::Arc;

use crate::limits::{TTL_FROM_OTHERS_MAX, TTL_MAX};
use crate::link::LinkId;
use crate::message::Identity;
use crate::query::{Ask, Query};

/// Who waits to hear that a query has finished.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::overlay) enum Asker {
    /// Our own client.
    Client { link: LinkId },
    /// The neighbor that sent us a copy, which came with this TTL.
    Neighbor { link: LinkId, ttl: u8, identity: Option<Identity> },
    /// The same, and its link has fallen since. It may come back and offer the copy again.
    Gone { identity: Option<Identity> },
}

impl Asker {
    pub(in crate::overlay) fn link(self) -> Option<LinkId> {
        match self {
            Asker::Client { link } | Asker::Neighbor { link, .. } => Some(link),
            Asker::Gone { .. } => None,
        }
    }

    pub(super) fn identity(self) -> Option<Identity> {
        match self {
            Asker::Client { .. } => None,
            Asker::Neighbor { identity, .. } | Asker::Gone { identity } => identity,
        }
    }
}

/// A copy as it came, which may be looked at.
#[derive(Debug)]
pub(in crate::overlay) struct Arrival {
    pub(in crate::overlay) asker: Asker,
    /// As it came, with the TTL it came with.
    pub(in crate::overlay) query: Arc<Query>,
    /// How many times it may be passed on from here: that TTL, cut down.
    pub(in crate::overlay) ttl: u8,
}

/// Why a copy may not be looked at.
#[derive(Debug, PartialEq, Eq)]
pub(in crate::overlay) enum Breach {
    /// No contact lets a query go so far.
    TooFar(Arc<Query>),
    /// Its path is longer than the way it took.
    PathTooLong,
}

impl Arrival {
    /// What our own client asks.
    pub(in crate::overlay) fn from_client(link: LinkId, query: Query) -> Arrival {
        Arrival { asker: Asker::Client { link }, ttl: query.ttl, query: Arc::new(query) }
    }

    /// What a neighbor passes on to us, whose own clients ask with `own_ttl`.
    pub(in crate::overlay) fn from_neighbor(
        link: LinkId,
        identity: Option<Identity>,
        query: Arc<Query>,
        own_ttl: u8,
    ) -> Result<Arrival, Breach> {
        // Rule 1: hops plus TTL never grows on the way, and no contact starts with more.
        if u16::from(query.ttl) + u16::from(query.hops) > u16::from(TTL_MAX) + 1 {
            return Err(Breach::TooFar(query));
        }
        // Rule 2: a path longer than the way would grow, as it is passed on, into one that nobody accepts.
        let path_addresses_max = if query.ask == Ask::Topology { usize::from(query.hops) } else { 0 };
        if query.path.is_longer_than(path_addresses_max) {
            return Err(Breach::PathTooLong);
        }
        // Rule 3: what others may spend here has a limit; the echo will name what it came with.
        let ttl = query.ttl.min(TTL_FROM_OTHERS_MAX.max(own_ttl));
        Ok(Arrival { asker: Asker::Neighbor { link, ttl: query.ttl, identity }, query, ttl })
    }

    /// The copy that is this servent's own from now on: to be answered, added to and passed on.
    pub(in crate::overlay) fn into_own(self) -> Query {
        Query { ttl: self.ttl, ..Arc::unwrap_or_clone(self.query) }
    }
}
