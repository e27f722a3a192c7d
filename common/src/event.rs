//! What happened at a servent, one event a line of its log of events: the words alone.
//!
//! Who makes events is the corridor (`overlay/events.rs`), and only where somebody wants them; how a line looks and where
//! it goes is the program's. An event has no time of day: its Lamport clock is what orders it among those of others.

use std::net::SocketAddr;

/// One thing that happened, and the servent's clock then.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LoggedEvent {
    /// The servent's Lamport clock once it had happened.
    pub clock: u64,
    /// What it was.
    pub what: EventKind,
}

/// What happened. A neighbor goes by the address it advertises, a client by that of its connection, and whoever has not
/// said who it is by where it connected from or was dialled.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EventKind {
    /// The servent serves.
    Started,
    /// A link with a neighbor stands.
    Linked {
        /// The neighbor.
        peer: SocketAddr,
    },
    /// It stands no more.
    Unlinked {
        /// Who was the neighbor.
        peer: SocketAddr,
        /// Why.
        reason: String,
    },
    /// The servent thinks otherwise of a member.
    Member {
        /// The member.
        peer: SocketAddr,
        /// What was held of it; nothing where it was not known.
        was: Option<&'static str>,
        /// What is held of it now; nothing where it is forgotten.
        now: Option<&'static str>,
        /// Why.
        why: String,
    },
    /// A client asks: for values or places, which becomes a query, for members, or to have a servent greeted.
    Asked {
        /// The client.
        peer: SocketAddr,
        /// What it asks, as it would be typed, made fit for a terminal and not too long.
        message: String,
    },
    /// A client had something kept, or fetched a file, or tried to.
    Operation {
        /// What it is called: `put`, `del`, `publish`, `unpublish` or `get`.
        command: &'static str,
        /// The client.
        peer: SocketAddr,
        /// The key or the name of the file, made fit for a terminal and not too long; of a file that there is not, its hash.
        subject: String,
        /// What came of it.
        outcome: &'static str,
    },
    /// Something was said.
    Sent {
        /// The name of the message.
        message: &'static str,
        /// To whom.
        peer: SocketAddr,
    },
    /// Something was heard.
    Received {
        /// The name of the message.
        message: &'static str,
        /// From whom.
        peer: SocketAddr,
        /// The clock of whoever said it, as it then was; 0 from who has none.
        stamp: u64,
    },
    /// The servent serves no more.
    Stopped {
        /// Why.
        reason: String,
    },
}

impl EventKind {
    /// The word for it, as it stands in a line.
    #[must_use]
    pub fn name(&self) -> &'static str {
        match self {
            EventKind::Started => "started",
            EventKind::Linked { .. } => "linked",
            EventKind::Unlinked { .. } => "unlinked",
            EventKind::Member { .. } => "member",
            EventKind::Asked { .. } => "asked",
            EventKind::Operation { command, .. } => command,
            EventKind::Sent { .. } => "sent",
            EventKind::Received { .. } => "received",
            EventKind::Stopped { .. } => "stopped",
        }
    }
}
