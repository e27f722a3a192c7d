//! What comes to an end of a connection, and how whoever has it learns that it is over.

use common::exchange::Exchange;
use common::wire::Accepts;

use super::{Departure, Mind, Shell};
use crate::world::ends::{EndAt, EndStage};
use crate::world::events::Notice;
use crate::world::face::Face;
use crate::world::holds::Holds;
use crate::world::machines::MachineState;
use crate::world::network::{Arrived, IT_BROKE, IT_CLOSED, IT_IS_GONE};
use crate::world::pipes::Load;
use crate::world::trace::Noted;

impl<F: Face> Shell<F> {
    pub(super) fn on_arrival(&mut self, from: EndAt) {
        let Some(Arrived { to, node, stage, load }) = self.network.arrive(from) else { return };
        self.note(node, Noted::Arrives);
        match &load {
            Load::End { reason, .. } => self.on_end(to, reason),
            Load::Bytes { bytes, taken } => {
                self.receive(node, to, stage, bytes.get(*taken..).unwrap_or_default());
                self.network.recycle(load);
                match self.network.end(to).stage {
                    EndStage::Open if matches!(self.nodes[node].mind, Mind::Fetch(_)) => {
                        self.tell_fetch_heard(node, to);
                    }
                    EndStage::Open => self.tell_heard(node),
                    // Discarded. Nothing is delivered to one that is still dialling.
                    EndStage::Closing | EndStage::Dialling => {}
                    EndStage::Gone => self.network.refuse(to),
                }
            }
        }
        // There is room again for what the other end has queued.
        let sender = self.network.end(from).node;
        if self.network.is_writable(from) {
            self.nodes[sender].exchange.on_writable(from.link());
        }
        if self.nodes[sender].exchange.is_unflushed() {
            self.touch(sender);
        }
        self.network.kick(from);
    }

    fn receive(&mut self, node: usize, at: EndAt, stage: EndStage, bytes: &[u8]) {
        self.trace.note_bytes(bytes);
        if stage == EndStage::Open {
            if !self.network.end(at).speaks || matches!(self.nodes[node].mind, Mind::Stranger) {
                self.network.machines[node].unheard_bytes += bytes.len();
            }
            self.nodes[node].exchange.receive(at.link(), bytes);
            self.touch(node);
        }
    }

    /// The other end has said that nothing more will come.
    fn on_end(&mut self, at: EndAt, reason: &str) {
        self.network.let_go(at, IT_CLOSED);
        self.end_link(at, reason);
    }

    /// The program learns that a connection is over, if it knew of it.
    fn end_link(&mut self, at: EndAt, reason: &str) {
        let node = self.network.end(at).node;
        let (link, reason) = (at.link(), reason.to_owned());
        self.with_exchange(node, |exchange, now, pipes| exchange.on_closed(now, link, reason, pipes));
        self.tell_heard(node);
    }

    pub(super) fn on_broken(&mut self, at: EndAt) {
        let Some(stage) = self.network.on_broken(at) else { return };
        let node = self.network.end(at).node;
        self.note(node, Noted::Broken);
        self.end_link(at, IT_BROKE);
        if stage == EndStage::Dialling {
            let caller = self.network.connection(at.connection).caller;
            let address = self.network.address(self.network.end(at.other()).node);
            self.on_no_answer(node, caller, address, false);
        }
    }

    /// The system of an end stops waiting for the other, which learns of it if it can.
    pub(super) fn give_up_on_other(&mut self, at: EndAt) {
        self.notify(Notice::Broken { at });
        self.network.tell_other_of_end(at);
    }

    /// Whoever lives at a node is gone, and its system ends what it had open, in order or not.
    pub(crate) fn kill(&mut self, node: usize, how: Departure) {
        self.nodes[node].mind = Mind::Gone;
        self.nodes[node].exchange = Exchange::client(Accepts::ANY);
        let machine = &mut self.network.machines[node];
        machine.life += 1;
        machine.state = if how == Departure::Vanished { MachineState::Vanished } else { MachineState::Idle };
        machine.pauses = Holds::default();
        machine.postponed.clear();
        for at in self.network.ends_of(node) {
            match how {
                Departure::Vanished => self.network.vanish(at),
                Departure::Reset if self.network.end(at).stage != EndStage::Gone => {
                    self.network.reset(at.connection);
                    self.network.leave(at);
                }
                Departure::Reset | Departure::Closed => self.network.let_go(at, IT_IS_GONE),
            }
        }
    }
}
