//! What can come by the clock of a world.

use std::net::SocketAddr;

use common::disk::JobDone;

use super::dials::{Caller, Knock};
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
    NoAnswer { node: usize, life: u32, caller: Caller, address: SocketAddr, refused: bool },
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
