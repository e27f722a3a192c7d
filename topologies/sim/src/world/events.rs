//! What can come by the clock of a world.

use std::net::SocketAddr;

use common::disk::{Job, JobDone};
use common::fetch;

use super::dials::{Caller, Knock};
use super::ends::EndAt;

/// Something that comes at its time; what a face has come beside is its own.
#[derive(Debug)]
pub(super) enum WorldEvent<E> {
    /// A mind wants to be told its deadline.
    Due {
        node: usize,
    },
    /// An exchange wants to be told that time has passed.
    LinksDue {
        node: usize,
    },
    /// What this end sent first of all that is under way has come to the other.
    Arrival {
        from: EndAt,
    },
    /// A dial comes to whom it was for. In a box, like a notice: both are seldom, and what comes mostly is to be small.
    Knock(Box<Knock>),
    /// A system has something to tell its program.
    Notice(Box<Notice>),
    /// What was sent has gone without acknowledgement for as long as the system waits.
    Unacknowledged {
        from: EndAt,
        epoch: u32,
    },
    /// Nothing at all has come from the other end for as long as the system waits.
    Unheard {
        at: EndAt,
        epoch: u32,
    },
    OfFace(E),
}

/// What a system tells its program. It waits while that does not run.
#[derive(Debug)]
pub(super) enum Notice {
    /// The dialler learns that its dial succeeded.
    Established { at: EndAt },
    /// The mind of the acceptor learns of the connection.
    Accepted { at: EndAt },
    /// One end learns that the connection broke.
    Broken { at: EndAt },
    /// A dial came to nothing.
    NoAnswer { node: usize, life: u32, caller: Caller, address: SocketAddr, refused: bool },
    /// A servent in trouble learns where a neighbor is, or that nobody knows.
    LookedUp { node: usize, life: u32, done: JobDone },
    /// Something that a servent wanted done is done.
    JobEnds { node: usize, life: u32, job: Job },
    /// A client that fetches something is told what came of something it wanted done.
    FetchTold { node: usize, life: u32, input: fetch::Input },
}
