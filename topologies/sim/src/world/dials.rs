//! What a dial is, and what it can come to.

use std::net::SocketAddr;

use common::dialect::Dialect;
use common::exchange::purpose_of;
use common::fetch::HolderDial;
use common::link::Purpose;
use common::overlay::Dial;

use super::clock::Nanos;

/// A dial on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Knock {
    pub(super) node: usize,
    pub(super) life: u32,
    pub(super) caller: Caller,
    pub(super) address: SocketAddr,
    /// Whose address that is, if it is anybody's.
    pub(super) to: Option<usize>,
    pub(super) dialect: Dialect,
    pub(super) begun: Nanos,
}

/// Whose dial it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A servent's, for its mind.
    Mind(Dial),
    /// A client's, to its contact.
    Contact,
    /// That of one who fetches a content, to a holder, for its mind.
    Holder(HolderDial),
    /// That of somebody who has no mind of ours, and calls it by this number.
    Stranger { number: usize, purpose: Purpose },
}

impl Caller {
    pub(super) fn purpose(self) -> Purpose {
        match self {
            Caller::Mind(dial) => purpose_of(dial),
            Caller::Contact | Caller::Holder(_) => Purpose::Asking,
            Caller::Stranger { purpose, .. } => purpose,
        }
    }

    /// Whether a servent dials its neighbor.
    pub(super) fn is_neighbor(self) -> bool {
        matches!(self, Caller::Mind(Dial::Neighbor(_)))
    }
}

/// What a dial comes to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Fate {
    /// Somebody is there; and, where nobody speaks, somebody else than whose address it is.
    Taken {
        /// Whether whoever lives there is told.
        speaks: bool,
    },
    /// A system is there and refuses it.
    Refused,
    /// There is no way.
    Unreachable,
    /// Nothing is heard of it.
    Silence,
}
