//! How a dial goes: to whom it comes, and what the dialler learns of it, and when.

use std::net::SocketAddr;

use common::dialect::Dialect;
use common::limits::DIAL_WAIT_MAX;
use common::link::Purpose;

use crate::world::clock::nanos;
use crate::world::dials::{Caller, Fate, Knock};
use crate::world::ends::{Connection, End, EndStage, Party};
use crate::world::events::What;
use crate::world::machines::MachineKind;
use crate::world::pipes::Pipe;

use super::SimNetwork;

/// What comes of a dial as soon as it comes to whom it was for.
pub(crate) enum Knocked {
    /// A connection, which its dialler knows to stand, or learns of later.
    Connected { connection: usize, is_established: bool },
    /// The dialler's word that there will be none.
    InVain(What),
}

impl SimNetwork {
    pub(crate) fn dial(&mut self, node: usize, caller: Caller, address: SocketAddr, dialect: Dialect) {
        let to = self.at_address(address);
        let life = self.machines[node].life;
        let delay = self.ways.delay(node, to);
        let begun = self.clock.now();
        self.clock.schedule(begun + delay, What::Knock(Knock { node, life, caller, address, to, dialect, begun }));
    }

    /// What a dial to a machine comes to, where nothing else decides.
    pub(crate) fn fate_at(&self, node: usize) -> Fate {
        let machine = &self.machines[node];
        if machine.has_vanished {
            Fate::Silence
        } else if machine.is_there {
            Fate::Taken { speaks: true }
        } else {
            Fate::Refused
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
        let what = What::NoAnswer { node, life, caller, address, refused };
        if at == now {
            return Some(Knocked::InVain(what));
        }
        self.clock.schedule(at, what);
        None
    }

    fn connect(&mut self, knock: &Knock, to: usize, speaks: bool) -> Option<Knocked> {
        let Knock { node, caller, dialect, .. } = *knock;
        if self.machines[node].life != knock.life || !self.machines[node].is_there {
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
            self.clock.schedule(established, What::Established { connection });
        }
        Some(Knocked::Connected { connection, is_established })
    }

    /// The dialler learns that its dial succeeded, unless it does not wait for that any more.
    pub(crate) fn on_established(&mut self, connection: usize) -> bool {
        let found = &mut self.connections[connection];
        let is_cut = found.is_cut;
        let end = found.end_mut(Party::Dialler);
        let succeeds = end.stage == EndStage::Dialling && !is_cut;
        if succeeds {
            end.stage = EndStage::Open;
        }
        succeeds
    }
}
