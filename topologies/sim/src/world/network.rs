//! The network: machines, the connections between them, and everything that happens to what is on its way.
//!
//! It does what two kernels and the network between them do: holds up, cuts anywhere, delivers in order, resets, waits
//! in vain. It knows neither minds nor messages: the shell tells it what is to be sent and is told what has come.

mod blocking;
mod dialling;
mod ending;
mod passage;

use std::collections::BTreeMap;
use std::net::SocketAddr;

use common::link::Purpose;
use common::message::Role;

use super::clock::{EventQueue, Nanos, SECOND};
use super::dials::Caller;
use super::ends::{Connection, End, EndAt, EndStage, Party};
use super::events::{Notice, WorldEvent};
use super::machines::{Machine, MachineKind};
use super::pipes::{Load, Pipe};
use super::ways::Ways;
use crate::cast;
pub(super) use dialling::Knocked;
pub(super) use passage::Arrived;
use passage::Spare;

/// How long the system takes to notice that an idle connection leads nowhere (keepalive of the programs).
pub(super) const UNHEARD_MAX: Nanos = 11 * SECOND;

pub(super) const IT_BROKE: &str = "the connection broke";
pub(super) const IT_CLOSED: &str = "the other end closed";
pub(super) const IT_IS_GONE: &str = "the other end is gone";

/// What happened to links between servents.
#[derive(Debug)]
pub(super) enum LinkNews {
    /// Both ends of a connection have greeted each other.
    Stands { connection: usize, nodes: [usize; 2] },
    /// One end of a connection has let go, or lost it; it may not have stood.
    Falls { nodes: [usize; 2], had_stood: bool },
}

/// Machines and what is between them.
pub(super) struct SimNetwork<E> {
    pub(super) clock: EventQueue<WorldEvent<E>>,
    pub(super) machines: Vec<Machine>,
    by_address: BTreeMap<SocketAddr, usize>,
    connections: Vec<Connection>,
    pub(super) ways: Ways,
    /// What was sent and is not on its way yet: that begins once the event at hand is dealt with, in the order of the
    /// connections, whichever was written first.
    written: Vec<(EndAt, Load)>,
    /// What the shell has not heard yet: of links, and of what must not be.
    pub(super) news: Vec<LinkNews>,
    pub(super) broken: Vec<String>,
    spare: Spare,
    /// Whether what comes for an end that is gone is answered with a reset.
    resets_late_comers: bool,
}

impl<E> SimNetwork<E> {
    pub(super) fn new(ways: Ways, resets_late_comers: bool) -> SimNetwork<E> {
        SimNetwork {
            clock: EventQueue::new(),
            machines: Vec::new(),
            by_address: BTreeMap::new(),
            connections: Vec::new(),
            ways,
            written: Vec::new(),
            news: Vec::new(),
            broken: Vec::new(),
            spare: Spare::default(),
            resets_late_comers,
        }
    }

    // ---- machines and connections ----

    /// A machine more, which nobody lives on yet.
    pub(super) fn add(&mut self, kind: MachineKind, number: usize, place: usize) -> usize {
        let node = self.machines.len();
        self.machines.push(Machine::new(kind, number, place));
        self.by_address.insert(self.address(node), node);
        node
    }

    /// Nobody is found at a node's port any more, since it has none that anybody could dial: it goes by port 0.
    pub(super) fn close_port(&mut self, node: usize) {
        self.by_address.remove(&self.address(node));
        self.machines[node].address.set_port(0);
        self.by_address.insert(self.address(node), node);
    }

    /// A node is on the host of whoever it attaches to, whom it reaches over a loopback address.
    pub(super) fn share_host(&mut self, node: usize) {
        self.by_address.remove(&self.address(node));
        let ip = cast::on_host(self.address(node).ip());
        self.machines[node].address.set_ip(ip);
        self.by_address.insert(self.address(node), node);
    }

    /// Who is found at an address, if anybody ever was.
    pub(super) fn at_address(&self, address: SocketAddr) -> Option<usize> {
        self.by_address.get(&address).copied()
    }

    pub(super) fn address(&self, node: usize) -> SocketAddr {
        self.machines[node].address
    }

    pub(super) fn connection(&self, connection: usize) -> &Connection {
        &self.connections[connection]
    }

    pub(super) fn connections_count(&self) -> usize {
        self.connections.len()
    }

    pub(super) fn end(&self, at: EndAt) -> &End {
        self.connections[at.connection].end(at.party)
    }

    pub(super) fn end_mut(&mut self, at: EndAt) -> &mut End {
        self.connections[at.connection].end_mut(at.party)
    }

    /// Who is told something.
    pub(super) fn node_of(&self, notice: &Notice) -> usize {
        match notice {
            Notice::Established { at } | Notice::Accepted { at } | Notice::Broken { at } => self.end(*at).node,
            Notice::NoAnswer { node, .. }
            | Notice::LookedUp { node, .. }
            | Notice::JobEnds { node, .. }
            | Notice::FetchTold { node, .. } => *node,
        }
    }

    /// An end learns after so long that its connection broke.
    fn break_after(&mut self, delay: Nanos, at: EndAt) {
        self.clock.schedule(self.clock.now() + delay, WorldEvent::Notice(Box::new(Notice::Broken { at })));
    }

    fn pipe_mut(&mut self, from: EndAt) -> &mut Pipe {
        self.connections[from.connection].pipe_mut(from.party)
    }

    /// Whom a servent visits over this end of a connection, if it is a visit: its mind has dialled, and not a neighbor.
    pub(super) fn visited(&self, at: EndAt) -> Option<usize> {
        let caller = self.connection(at.connection).caller;
        let is_visit = at.party == Party::Dialler && matches!(caller, Caller::Mind(_)) && !caller.is_neighbor();
        is_visit.then(|| self.end(at.other()).node)
    }

    /// The connections between two machines, in the order in which they came.
    pub(super) fn connections_between(&self, a: usize, b: usize) -> Vec<usize> {
        let is_other = |connection: &&usize| [[a, b], [b, a]].contains(&self.connections[**connection].nodes());
        let mut found: Vec<usize> = self.machines[a].connections.iter().filter(is_other).copied().collect();
        found.sort_unstable();
        found
    }

    /// The ends a machine has of connections, in the order in which they came.
    pub(super) fn ends_of(&self, node: usize) -> Vec<EndAt> {
        let mut connections = self.machines[node].connections.clone();
        connections.sort_unstable();
        connections.dedup();
        connections.into_iter().flat_map(|connection| self.ends_at(connection, node)).collect()
    }

    /// The end a machine has of a connection; both, where it has dialled itself.
    pub(super) fn ends_at(&self, connection: usize, node: usize) -> Vec<EndAt> {
        let ends = Party::BOTH.map(|party| EndAt { connection, party });
        ends.into_iter().filter(|at| self.end(*at).node == node).collect()
    }

    /// Whether somebody still counts on a standing link whose other end is gone.
    pub(super) fn has_dead_ends(&self) -> bool {
        let mut known = self.machines.iter().flat_map(|machine| &machine.connections);
        known.any(|connection| {
            let found = &self.connections[*connection];
            let [one, other] = Party::BOTH.map(|party| found.end(party).stage == EndStage::Gone);
            found.caller.purpose() == Purpose::Standing && one != other
        })
    }

    /// What must be, here too: the simulator says of itself that it is wrong.
    pub(super) fn check(&mut self, is_so: bool, otherwise: &str) {
        if !is_so {
            self.broken.push(otherwise.to_owned());
        }
    }

    /// How long it takes until an end is reached from the other.
    fn delay_to(&mut self, at: EndAt) -> Nanos {
        let (from, to) = (self.end(at.other()).node, self.end(at).node);
        self.ways.delay(from, Some(to))
    }

    /// An end hears who the other is. Two servents that have both are linked.
    pub(super) fn on_hello(&mut self, at: EndAt, role: Role) {
        let found = &mut self.connections[at.connection];
        found.end_mut(at.party).hear_hello(at.party, role);
        let have_greeted = found.both(|end| end.stage == EndStage::Open && end.heard_hello);
        if have_greeted && found.caller.is_neighbor() && !found.is_cut && !found.stands {
            found.stands = true;
            let nodes = found.nodes();
            self.news.push(LinkNews::Stands { connection: at.connection, nodes });
        }
    }
}

#[cfg(test)]
mod tests {
    use common::dialect::Dialect;
    use common::overlay::Dial;

    use super::*;
    use crate::world::clock::MILLISECOND;
    use crate::world::dials::{Fate, Knock};
    use crate::world::machines::MachineState;

    pub(super) const FROM: EndAt = EndAt { connection: 0, party: Party::Dialler };
    pub(super) const TO: EndAt = EndAt { connection: 0, party: Party::Acceptor };

    /// Two machines and a connection between them, on which nothing is said yet. What comes to the second is discarded.
    pub(super) fn linked() -> SimNetwork<()> {
        let mut network = SimNetwork::new(Ways::told(10 * MILLISECOND), true);
        network.ways.window_bytes = 64;
        for node in 0..2 {
            network.add(MachineKind::Servent, node, node);
            network.machines[node].state = MachineState::Running;
        }
        let caller = Caller::Mind(Dial::Neighbor(0));
        let address = network.address(1);
        let knock = Knock { node: 0, life: 0, caller, address, to: Some(1), dialect: Dialect::Native, begun: 0 };
        let knocked = network.on_knock(&knock, Fate::Taken { speaks: true });
        assert!(matches!(knocked, Some(Knocked::Connected { connection: 0, is_established: true })));
        network.end_mut(FROM).stage = EndStage::Open;
        network.end_mut(TO).stage = EndStage::Closing;
        network
    }

    /// Lets what is in the pipe arrive, and says when, in milliseconds, and how much was left each time.
    pub(super) fn arrivals(network: &mut SimNetwork<()>) -> Vec<(Nanos, usize)> {
        let mut seen = Vec::new();
        network.send_written();
        while let Some(event) = network.clock.pop() {
            let WorldEvent::Arrival { from } = event else { continue };
            let Some(arrived) = network.arrive(from) else { continue };
            if matches!(arrived.load, Load::End { .. }) {
                network.let_go(arrived.to, IT_CLOSED);
                network.send_written();
            }
            network.kick(from);
            let held_bytes = network.connection(0).pipe(Party::Dialler).held_bytes;
            seen.push((network.clock.now() / MILLISECOND, held_bytes));
        }
        seen
    }

    /// Has the clock go on to a moment, and says who was told by then that the connection broke.
    pub(super) fn go_on(network: &mut SimNetwork<()>, until: Nanos) -> Vec<EndAt> {
        let mut broken = Vec::new();
        network.send_written();
        network.clock.schedule(until, WorldEvent::Due { node: usize::MAX });
        while let Some(event) = network.clock.pop() {
            match event {
                WorldEvent::Due { node: usize::MAX } => break,
                WorldEvent::Notice(notice) => {
                    if let Notice::Broken { at } = *notice {
                        broken.push(at);
                    }
                }
                WorldEvent::Arrival { from } => drop(network.arrive(from)),
                _ => {}
            }
        }
        broken
    }

    #[test]
    fn addresses_lead_back_to_who_has_them() {
        let network = linked();
        for node in 0..2 {
            assert_eq!(network.at_address(network.address(node)), Some(node));
        }
        assert_eq!(network.at_address(MachineKind::Client.address(1)), None);
        // Who has no port is known by that, and dialled by nobody.
        let mut network = network;
        let before = network.address(1);
        network.close_port(1);
        let deaf = network.address(1);
        assert_eq!((deaf.port(), network.at_address(deaf), network.at_address(before)), (0, Some(1), None));
        network.dial(0, Caller::Contact, deaf, Dialect::Native);
        let knock = std::iter::from_fn(|| network.clock.pop()).find_map(|event| match event {
            WorldEvent::Knock(knock) => Some(knock),
            _ => None,
        });
        assert!(knock.is_some_and(|knock| knock.to.is_none()));
    }
}
