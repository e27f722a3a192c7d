//! How a dial goes: to whom it comes, and what the dialler learns of it, and when.

use std::net::SocketAddr;

use common::dialect::Dialect;
use common::limits::DIAL_WAIT_MAX;
use common::link::Purpose;

use super::SimNetwork;
use crate::world::clock::nanos;
use crate::world::dials::{Caller, Fate, Knock};
use crate::world::ends::{Connection, End, EndAt, EndStage};
use crate::world::events::{Notice, WorldEvent};
use crate::world::machines::{MachineKind, MachineState};
use crate::world::pipes::Pipe;

/// What comes of a dial as soon as it comes to whom it was for.
pub(crate) enum Knocked {
    /// A connection, which its dialler knows to stand, or learns of later.
    Connected { connection: usize, is_established: bool },
    /// The dialler's word that there will be none.
    InVain(Notice),
}

impl<E> SimNetwork<E> {
    pub(crate) fn dial(&mut self, node: usize, caller: Caller, address: SocketAddr, dialect: Dialect) {
        let to = self.at_address(address).filter(|_| address.port() != 0);
        let life = self.machines[node].life;
        let delay = self.ways.delay(node, to);
        let begun = self.clock.now();
        self.clock.schedule(
            begun + delay,
            WorldEvent::Knock(Box::new(Knock { node, life, caller, address, to, dialect, begun })),
        );
    }

    /// What a dial to a machine comes to, where nothing else decides.
    pub(crate) fn fate_at(&self, node: usize) -> Fate {
        match self.machines[node].state {
            MachineState::Running => Fate::Taken { speaks: true },
            MachineState::Leaving | MachineState::Idle => Fate::Refused,
            MachineState::Vanished => Fate::Silence,
        }
    }

    /// A dial comes to whom it was for, and gives what comes of that at once.
    pub(crate) fn on_knock(&mut self, knock: &Knock, fate: Fate) -> Option<Knocked> {
        let Knock { node, life, caller, address, to, begun, .. } = *knock;
        let now = self.clock.now();
        let (at, refused) = match (fate, to) {
            (Fate::Taken { speaks }, Some(to)) => return self.connect(knock, to, speaks),
            (Fate::Taken { .. }, None) => return None,
            (Fate::Refused | Fate::Unreachable, _) => (now + self.ways.delay_of_word(to, node), fate == Fate::Refused),
            (Fate::Silence, _) => (begun + nanos(DIAL_WAIT_MAX), false),
        };
        let notice = Notice::NoAnswer { node, life, caller, address, refused };
        if at == now {
            return Some(Knocked::InVain(notice));
        }
        self.clock.schedule(at, WorldEvent::Notice(Box::new(notice)));
        None
    }

    fn connect(&mut self, knock: &Knock, to: usize, speaks: bool) -> Option<Knocked> {
        let Knock { node, caller, dialect, .. } = *knock;
        if self.machines[node].life != knock.life || !self.machines[node].is_running() {
            return None;
        }
        let connection = self.connections.len();
        let acceptor_purpose = match self.machines[to].kind {
            MachineKind::Client => Purpose::Asking,
            MachineKind::Servent | MachineKind::Stranger => Purpose::Standing,
        };
        let now = self.clock.now();
        let established = now + self.ways.delay_of_word(Some(to), node);
        let ends = [
            End::new(node, EndStage::Dialling, caller.purpose(), true),
            End::new(to, EndStage::Open, acceptor_purpose, speaks),
        ];
        // What the acceptor says comes after the word that it is there.
        let pipes = [Pipe::new(0), Pipe::new(established)];
        self.connections.push(Connection::new(ends, pipes, caller, dialect));
        self.machines[node].connections.push(connection);
        self.machines[to].connections.push(connection);
        let is_established = established == now;
        if !is_established {
            self.clock.schedule(
                established,
                WorldEvent::Notice(Box::new(Notice::Established { at: EndAt::dialler_of(connection) })),
            );
        }
        Some(Knocked::Connected { connection, is_established })
    }

    /// The dialler learns that its dial succeeded, unless it does not wait for that any more.
    pub(crate) fn on_established(&mut self, dialler: EndAt) -> bool {
        let is_cut = self.connection(dialler.connection).is_cut;
        let end = self.end_mut(dialler);
        let succeeds = end.stage == EndStage::Dialling && !is_cut;
        if succeeds {
            end.stage = EndStage::Open;
        }
        succeeds
    }
}
