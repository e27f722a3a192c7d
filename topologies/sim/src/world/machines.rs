//! Machines: somebody with an address, awake or not, there or not. Who lives on one is the shell's.

use std::net::SocketAddr;

use super::clock::Nanos;
use super::events::Notice;
use super::holds::Holds;
use crate::cast;

/// Who lives at an address, or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MachineKind {
    Servent,
    Client,
    /// Nobody of ours.
    Stranger,
}

impl MachineKind {
    /// Where the one of this number is.
    pub(super) fn address(self, number: usize) -> SocketAddr {
        match self {
            MachineKind::Servent => cast::servent_address(number),
            MachineKind::Client => cast::client_address(number),
            MachineKind::Stranger => cast::stranger_address(number),
        }
    }
}

/// How a slow reader reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    pub(super) bytes: usize,
    pub(super) pause: Nanos,
    /// What makes it slow.
    pub(super) faults: Holds,
}

/// How a machine is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MachineState {
    /// Its program runs, or is paused.
    Running,
    /// Its program says goodbye: it refuses whatever comes, and dials nobody any more.
    Leaving,
    /// It has no program, and refuses whatever comes.
    Idle,
    /// It is gone, and not only its program.
    Vanished,
}

/// A machine with one program on it.
pub(super) struct Machine {
    pub(super) address: SocketAddr,
    pub(super) kind: MachineKind,
    /// The servent it shares a machine room with: itself, its contact, or whoever it attached to.
    pub(super) place: usize,
    /// Counts the programs that were started here, and those that went.
    pub(super) life: u32,
    pub(super) state: MachineState,
    /// What keeps the program from running.
    pub(super) pauses: Holds,
    /// What happened to it meanwhile.
    pub(super) postponed: Vec<Notice>,
    /// Its connections, in no order that matters.
    pub(super) connections: Vec<usize>,
    pub(super) slow: Option<Slow>,
    /// Bytes that its program has written.
    pub(super) written_bytes: u64,
    /// Bytes that came and no mind of ours was told of.
    pub(super) unheard_bytes: usize,
}

impl Machine {
    pub(super) fn new(kind: MachineKind, number: usize, place: usize) -> Machine {
        Machine {
            address: kind.address(number),
            kind,
            place,
            life: 0,
            state: MachineState::Idle,
            pauses: Holds::default(),
            postponed: Vec::new(),
            connections: Vec::new(),
            slow: None,
            written_bytes: 0,
            unheard_bytes: 0,
        }
    }

    /// Whether a program runs here; perhaps another than did once.
    pub(super) fn is_running(&self) -> bool {
        self.state == MachineState::Running
    }

    pub(super) fn is_paused(&self) -> bool {
        self.pauses.is_held()
    }
}
