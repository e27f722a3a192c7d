//! What whoever lives at a node waits for: its deadlines, and that it is awake again.

use common::fetch;
use common::overlay;
use common::session;
use common::time::Time;

use super::{Departure, Mind, Shell};
use crate::world::clock::{Nanos, nanos};
use crate::world::events::WorldEvent;
use crate::world::face::Face;
use crate::world::machines::MachineState;
use crate::world::trace::Noted;

impl<F: Face> Shell<F> {
    pub(super) fn on_due(&mut self, node: usize) {
        self.nodes[node].scheduled = Nanos::MAX;
        if self.network.machines[node].is_paused() {
            return;
        }
        let Some(due) = self.deadline_of(node) else { return };
        if due > self.now() {
            return self.look_at_deadline(node);
        }
        self.note(node, Noted::Due);
        let wanted = match self.nodes[node].mind {
            Mind::Servent(_) => self.tell_servent(node, overlay::Input::Deadline),
            Mind::Client(_) => self.tell_client(node, session::Input::Deadline),
            Mind::Fetch(_) => self.tell_fetch(node, fetch::Input::Deadline),
            Mind::Gone | Mind::Stranger => return,
        };
        // A shell waits until the deadline and tells the mind; were both to stay as they are, it would spin.
        if wanted == 0 && self.deadline_of(node).is_some_and(|due| due <= self.now()) {
            let address = self.network.address(node);
            self.broke(&format!("{address} was told its deadline and wants to be told again"));
            self.kill(node, Departure::Vanished);
        }
    }

    fn deadline_of(&self, node: usize) -> Option<Nanos> {
        let is_leaving = self.network.machines[node].state == MachineState::Leaving;
        let due = match &self.nodes[node].mind {
            // As one that leaves is never told that something is due.
            Mind::Servent(_) if is_leaving => None,
            Mind::Servent(overlay) => overlay.deadline(),
            Mind::Client(session) => session.deadline(),
            Mind::Fetch(fetching) => fetching.deadline(),
            Mind::Gone | Mind::Stranger => None,
        };
        due.map(|due| nanos(due.since(Time::START)))
    }

    /// Sees to it that a mind is told its deadline. Events that have become too early find out by themselves.
    pub(super) fn look_at_deadline(&mut self, node: usize) {
        if let Some(due) = self.deadline_of(node)
            && due < self.nodes[node].scheduled
        {
            self.nodes[node].scheduled = due;
            self.network.clock.schedule_due(2 * node + 1, due, WorldEvent::Due { node });
        }
    }

    /// Something on the links of a node may have lasted too long.
    pub(super) fn on_links_due(&mut self, node: usize) {
        self.nodes[node].links_scheduled = Nanos::MAX;
        if !self.network.machines[node].is_paused() {
            self.with_exchange(node, |exchange, now, pipes| exchange.on_time(now, pipes));
        }
    }

    /// Sees to it that what lasts too long on the links of a node is ended, as above.
    pub(super) fn look_at_links(&mut self, node: usize) {
        let due = self.nodes[node].exchange.deadline().map(|due| nanos(due.since(Time::START)));
        if let Some(due) = due.filter(|due| *due < self.nodes[node].links_scheduled) {
            self.nodes[node].links_scheduled = due;
            self.network.clock.schedule_due(2 * node, due, WorldEvent::LinksDue { node });
        }
    }

    /// A node neither reads nor thinks for a while.
    pub(crate) fn pause(&mut self, node: usize) {
        let _ = self.network.machines[node].pauses.change(true);
    }

    /// It does again, if nothing else keeps it from that.
    pub(crate) fn resume(&mut self, node: usize) {
        let machine = &mut self.network.machines[node];
        let (is_well, is_paused) = (machine.pauses.change(false), machine.is_paused());
        self.network.check(is_well, "somebody is woken that nobody paused");
        if is_paused {
            return;
        }
        let now = self.now();
        for notice in std::mem::take(&mut self.network.machines[node].postponed) {
            self.network.clock.schedule(now, WorldEvent::Notice(Box::new(notice)));
        }
        for connection in self.network.machines[node].connections.clone() {
            for at in self.network.ends_at(connection, node) {
                self.network.kick(at.other());
            }
        }
        self.nodes[node].scheduled = Nanos::MAX;
        self.look_at_deadline(node);
        self.nodes[node].links_scheduled = Nanos::MAX;
        self.look_at_links(node);
    }
}
