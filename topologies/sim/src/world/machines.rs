//! Machines: somebody with an address, awake or not, there or not. Who lives on one is the shell's.

use std::net::SocketAddr;

use super::clock::Nanos;
use super::events::What;
use super::holds::Holds;

/// Who lives at an address, or did.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MachineKind {
    Servent,
    Client,
    /// Nobody of ours.
    Stranger,
}

/// How a slow reader reads.
#[derive(Clone, Copy, Debug)]
pub(super) struct Slow {
    pub(super) bytes: usize,
    pub(super) pause: Nanos,
    /// What makes it slow.
    pub(super) faults: Holds,
}

/// A machine with one program on it.
pub(super) struct Machine {
    pub(super) address: SocketAddr,
    pub(super) kind: MachineKind,
    /// The servent it shares a machine room with: itself, its contact, or whoever it attached to.
    pub(super) place: usize,
    /// Counts the programs that were started here, and those that went.
    pub(super) life: u32,
    /// Whether the program runs.
    pub(super) is_there: bool,
    /// The machine is gone, and not only the program.
    pub(super) has_vanished: bool,
    /// What keeps the program from running.
    pub(super) pauses: Holds,
    /// What happened to it meanwhile.
    pub(super) postponed: Vec<What>,
    /// Its connections, in no order that matters.
    pub(super) connections: Vec<usize>,
    pub(super) slow: Option<Slow>,
    /// Bytes that came and no mind of ours was told of.
    pub(super) unheard_bytes: usize,
}

impl Machine {
    pub(super) fn new(address: SocketAddr, kind: MachineKind, place: usize) -> Machine {
        Machine {
            address,
            kind,
            place,
            life: 0,
            is_there: false,
            has_vanished: false,
            pauses: Holds::default(),
            postponed: Vec::new(),
            connections: Vec::new(),
            slow: None,
            unheard_bytes: 0,
        }
    }

    pub(super) fn is_paused(&self) -> bool {
        self.pauses.is_held()
    }
}
