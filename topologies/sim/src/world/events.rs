//! What can come by the clock of a world, and what a dial is.

use common::dialect::Dialect;
use common::disk::JobDone;
use common::exchange::purpose_of;
use common::link::Purpose;
use common::overlay::Dial;

use super::clock::Nanos;
use super::ends::EndAt;

/// Something that comes at its time.
#[derive(Debug)]
pub(super) enum What {
    /// A mind wants to be told its deadline.
    Due { node: usize },
    /// An exchange wants to be told that time has passed.
    LinksDue { node: usize },
    /// What this end sent first of all that is under way has come to the other.
    Arrive { from: EndAt },
    /// A dial comes to whom it was for.
    Knock(Knock),
    /// A dial came to nothing.
    NoAnswer { node: usize, life: u32, caller: Caller, refused: bool },
    /// The dialler learns that its dial succeeded.
    Established { connection: usize },
    /// The mind of the acceptor learns of the connection.
    Accepted { connection: usize },
    /// One end learns that the connection broke.
    Broken { at: EndAt },
    /// What was sent has gone without acknowledgement for as long as the system waits.
    Unacknowledged { from: EndAt, epoch: u32 },
    /// Nothing at all has come from the other end for as long as the system waits.
    Unheard { at: EndAt, epoch: u32 },
    /// A servent in trouble learns where a neighbor is, or that nobody knows.
    LookedUp { node: usize, life: u32, done: JobDone },
    /// What the scene has come.
    Scene(SceneEvent),
}

/// What a scene has come, beside what follows from it.
#[derive(Clone, Copy, Debug)]
pub(super) enum SceneEvent {
    /// A client comes.
    Attach { query: usize },
    /// A client is to ask.
    Ask { query: usize },
    /// A fault begins.
    Begins { fault: usize },
    /// A fault is over.
    Ends { fault: usize },
    /// A connection of a flapping link has stood long enough.
    Flap { connection: usize },
    /// A hostile servent does something.
    Misdeed { fault: usize },
    /// The world looks how far things are.
    Look,
}

/// A dial on its way.
#[derive(Clone, Copy, Debug)]
pub(super) struct Knock {
    pub(super) node: usize,
    pub(super) life: u32,
    pub(super) caller: Caller,
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
    /// That of somebody who has no mind of ours, and calls it by this number.
    Stranger { number: usize, purpose: Purpose },
}

impl Caller {
    pub(super) fn purpose(self) -> Purpose {
        match self {
            Caller::Mind(dial) => purpose_of(dial),
            Caller::Contact => Purpose::Asking,
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
    /// Nobody is.
    Refused {
        /// By a system that is there, and not for want of a way.
        refused: bool,
    },
    /// Nothing is heard of it.
    Silence,
}
