//! A copy of a query as it comes: from whom.

use crate::link::LinkId;
use crate::message::Identity;

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
