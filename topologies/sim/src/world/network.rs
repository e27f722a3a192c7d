//! The network: machines, the connections between them, and everything that happens to what is on its way.
//!
//! It does what two kernels and the network between them do: holds up, cuts anywhere, delivers in order, resets, waits
//! in vain. It knows neither minds nor messages: the shell tells it what is to be sent and is told what has come.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use common::dialect::Dialect;
use common::limits::DIAL_WAIT_MAX;
use common::link::Purpose;
use common::message::Role;
use common::overlay::Dial;

use super::super::plan::Delays;
use super::super::random::Random;
use super::clock::{EventQueue, MILLISECOND, Nanos, SECOND, nanos};
use super::dials::{Caller, Fate, Knock};
use super::ends::{Connection, End, EndAt, EndStage, Party};
use super::events::What;
use super::machines::{Machine, MachineKind, Slow};
use super::pipes::{Chunk, Load, Pipe, Way};

/// How long the system lets what was sent go without acknowledgement (`TCP_USER_TIMEOUT` of the programs).
const UNACKNOWLEDGED_MAX: Nanos = 10 * SECOND;
/// How long the system takes to notice that an idle connection leads nowhere (keepalive of the programs).
pub(super) const UNHEARD_MAX: Nanos = 11 * SECOND;
/// Room of what has arrived, kept for what is sent next: so many pieces of so many bytes at most.
const SPARE_MAX: usize = 256;
const SPARE_BYTES_MAX: usize = 16 * 1024;

pub(super) const IT_BROKE: &str = "the connection broke";
pub(super) const IT_CLOSED: &str = "the other end closed";
pub(super) const IT_IS_GONE: &str = "the other end is gone";

/// How long anything takes from one machine to another.
pub(super) enum Delaying {
    /// Drawn anew for everything.
    Drawn(Delays),
    /// As it was told for this way, or else always the same. Who dials knows what comes of it as soon as whoever is
    /// dialled does.
    Told { usual: Nanos, ways: BTreeMap<(usize, usize), Nanos> },
}

/// What happened to links between servents, and what never must to anything.
#[derive(Debug)]
pub(super) enum LinkNews {
    /// Both ends of a connection have greeted each other.
    Stands { connection: usize, nodes: [usize; 2] },
    /// One end of a connection has let go, or lost it; it may not have stood.
    Falls { nodes: [usize; 2], had_stood: bool },
    /// An invariant broke.
    Broke(String),
}

/// What comes of a dial as soon as it comes to whom it was for.
pub(super) enum Knocked {
    /// A connection, which its dialler knows to stand, or learns of later.
    Connected { connection: usize, is_established: bool },
    /// The dialler's word that there will be none.
    Refused(What),
}

/// Something that has come to its end.
pub(super) struct Arrived {
    pub(super) to: EndAt,
    pub(super) node: usize,
    pub(super) stage: EndStage,
    chunk: Chunk,
    /// How much of it is read now.
    delivered_bytes: usize,
    slow: Option<Slow>,
}

impl Arrived {
    /// The bytes that are read now; nothing where it is the end of all.
    pub(super) fn bytes(&self) -> Result<&[u8], &'static str> {
        match &self.chunk.load {
            Load::Bytes { bytes, taken } => Ok(bytes.get(*taken..taken + self.delivered_bytes).unwrap_or_default()),
            Load::End { reason, .. } => Err(reason),
        }
    }
}

/// Machines and what is between them.
pub(super) struct SimNetwork {
    pub(super) clock: EventQueue<What>,
    pub(super) machines: Vec<Machine>,
    by_address: BTreeMap<SocketAddr, usize>,
    connections: Vec<Connection>,
    pub(super) way: Way,
    pub(super) delaying: Delaying,
    random: Random,
    /// What was sent and is not on its way yet: that begins once the event at hand is dealt with, in the order of the
    /// connections, whichever was written first.
    written: Vec<(EndAt, Load)>,
    /// What the shell has not heard yet.
    pub(super) news: Vec<LinkNews>,
    spare: Vec<Vec<u8>>,
}

impl SimNetwork {
    pub(super) fn new(way: Way, delaying: Delaying, random: Random) -> SimNetwork {
        SimNetwork {
            clock: EventQueue::new(),
            machines: Vec::new(),
            by_address: BTreeMap::new(),
            connections: Vec::new(),
            way,
            delaying,
            written: Vec::new(),
            random,
            news: Vec::new(),
            spare: Vec::new(),
        }
    }

    // ---- machines and connections ----

    /// A machine more, which nobody lives on yet.
    pub(super) fn add(&mut self, address: SocketAddr, kind: MachineKind, place: usize) -> usize {
        self.machines.push(Machine::new(address, kind, place));
        let node = self.machines.len() - 1;
        self.by_address.insert(address, node);
        node
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

    fn pipe_mut(&mut self, from: EndAt) -> &mut Pipe {
        self.connections[from.connection].pipe_mut(from.party)
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

    fn broke(&mut self, text: String) {
        self.news.push(LinkNews::Broke(text));
    }

    // ---- how long things take ----

    /// How long something takes from one machine to another.
    fn delay(&mut self, from: usize, to: Option<usize>) -> Nanos {
        match &self.delaying {
            Delaying::Drawn(Delays::Equal) => 10 * MILLISECOND,
            Delaying::Drawn(Delays::Mild) => self.random.within(5 * MILLISECOND, 15 * MILLISECOND),
            Delaying::Drawn(Delays::Heavy) if self.random.chance(50) => self.random.below(MILLISECOND),
            Delaying::Drawn(Delays::Heavy) => self.random.below(100 * MILLISECOND),
            Delaying::Told { usual, ways } => to.and_then(|to| ways.get(&(from, to))).copied().unwrap_or(*usual),
        }
    }

    /// How long it takes until an end is reached from the other.
    fn delay_to(&mut self, at: EndAt) -> Nanos {
        let (from, to) = (self.end(at.other()).node, self.end(at).node);
        self.delay(from, Some(to))
    }

    /// How long whoever has dialled waits for the word of who is there.
    fn delay_of_word(&mut self, to: Option<usize>, dialler: usize) -> Nanos {
        match (&self.delaying, to) {
            (Delaying::Told { .. }, _) => 0,
            (Delaying::Drawn(_), to) => self.delay(to.unwrap_or(dialler), Some(dialler)),
        }
    }

    // ---- dials ----

    pub(super) fn dial(&mut self, node: usize, caller: Caller, address: SocketAddr, dialect: Dialect) {
        let to = self.at_address(address);
        let life = self.machines[node].life;
        let delay = self.delay(node, to);
        let begun = self.clock.now();
        self.clock.schedule(begun + delay, What::Knock(Knock { node, life, caller, address, to, dialect, begun }));
    }

    /// What a dial comes to by who is there, where nothing else decides.
    pub(super) fn fate_of(&self, knock: &Knock) -> Fate {
        let Some(to) = knock.to else {
            // Nobody ever was there: half of such addresses refuse, half do not even do that.
            let is_even = matches!(knock.caller, Caller::Mind(Dial::Call(_, address)) if ends_even(address));
            return if is_even { Fate::Refused { refused: true } } else { Fate::Silence };
        };
        let machine = &self.machines[to];
        if machine.has_vanished {
            Fate::Silence
        } else if machine.is_there {
            Fate::Taken { speaks: true }
        } else {
            Fate::Refused { refused: true }
        }
    }

    /// A dial comes to whom it was for, and gives what comes of that at once.
    pub(super) fn on_knock(&mut self, knock: &Knock, fate: Fate) -> Option<Knocked> {
        let Knock { node, life, caller, address, to, begun, .. } = *knock;
        let now = self.clock.now();
        let (at, refused) = match (fate, to) {
            (Fate::Taken { speaks }, Some(to)) => return self.connect(knock, to, speaks),
            (Fate::Taken { .. }, None) => return None,
            (Fate::Refused { refused }, _) => (now + self.delay_of_word(to, node), refused),
            (Fate::Silence, _) => (begun + nanos(DIAL_WAIT_MAX), false),
        };
        let what = What::NoAnswer { node, life, caller, address, refused };
        if at == now {
            return Some(Knocked::Refused(what));
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
        let established = now + self.delay_of_word(Some(to), node);
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
    pub(super) fn on_established(&mut self, connection: usize) -> bool {
        let found = &mut self.connections[connection];
        let is_cut = found.is_cut;
        let end = found.end_mut(Party::Dialler);
        let succeeds = end.stage == EndStage::Dialling && !is_cut;
        if succeeds {
            end.stage = EndStage::Open;
        }
        succeeds
    }

    // ---- what is on its way ----

    /// Takes as many of these bytes as there is room for, and says how many; sometimes not even that.
    pub(super) fn write(&mut self, from: EndAt, bytes: &[u8]) -> usize {
        self.check_unsent(from, bytes.len());
        let mut length = bytes.len().min(self.connections[from.connection].pipe(from.party).room(self.way));
        if length > 1 && self.random.chance(self.way.cuts_percent) {
            length = 1 + self.random.index(length - 1);
        }
        if length > 0 {
            let mut written = self.spare.pop().unwrap_or_default();
            written.extend_from_slice(bytes.get(..length).unwrap_or_default());
            self.push(from, Load::Bytes { bytes: written, taken: 0 });
        }
        length
    }

    /// Puts bytes that no exchange made on their way, as far as there is room.
    pub(super) fn inject(&mut self, from: EndAt, bytes: &[u8]) {
        let room = self.connections[from.connection].pipe(from.party).room(self.way);
        let bytes = bytes.get(..bytes.len().min(room)).unwrap_or_default().to_vec();
        if !bytes.is_empty() {
            self.push(from, Load::Bytes { bytes, taken: 0 });
        }
    }

    fn push(&mut self, from: EndAt, load: Load) {
        if self.connections[from.connection].is_cut {
            return;
        }
        let window_bytes = self.way.window_bytes;
        let pipe = self.pipe_mut(from);
        pipe.held_bytes += load.bytes_count();
        let held_bytes = pipe.held_bytes;
        if held_bytes > window_bytes {
            self.broke(format!("{held_bytes} bytes in a pipe of {window_bytes}"));
        }
        self.written.push((from, load));
    }

    /// What was sent sets out.
    pub(super) fn send_written(&mut self) {
        let mut written = std::mem::take(&mut self.written);
        written.sort_by_key(|(from, _)| *from);
        for (from, load) in written.drain(..) {
            self.set_out(from, load);
        }
        self.written = written;
    }

    fn set_out(&mut self, from: EndAt, load: Load) {
        let found = &self.connections[from.connection];
        // It may have ended since.
        if found.is_cut || found.both(|end| end.stage == EndStage::Gone) {
            return;
        }
        let now = self.clock.now();
        let at = now + self.delay_to(from.other());
        let ticket = self.clock.ticket();
        let pipe = self.pipe_mut(from);
        let waits_in_vain = pipe.blocks > 0 && pipe.chunks.is_empty();
        pipe.push(now, at, ticket, load);
        let epoch = pipe.epoch;
        if waits_in_vain {
            self.clock.schedule(now + UNACKNOWLEDGED_MAX, What::Unacknowledged { from, epoch });
        }
        self.kick(from);
    }

    /// Says that nothing more will come.
    pub(super) fn push_end(&mut self, from: EndAt, reason: &'static str) {
        if !std::mem::replace(&mut self.end_mut(from).said_end, true) {
            self.push(from, Load::End { reason, is_last: false });
        }
    }

    /// What comes to an end is read from now on, or is not.
    pub(super) fn set_is_read(&mut self, at: EndAt, is_read: bool) {
        self.end_mut(at).is_read = is_read;
        if is_read {
            self.kick(at.other());
        }
    }

    /// When the first of a pipe may be read; nothing while something else has to happen first.
    fn readable_at(&self, from: EndAt) -> Option<Nanos> {
        let found = &self.connections[from.connection];
        let pipe = found.pipe(from.party);
        let reader = found.end(from.party.other());
        let first = pipe.chunks.front()?;
        let is_paused = reader.stage != EndStage::Gone && self.machines[reader.node].is_paused();
        if pipe.blocks > 0 || is_paused {
            return None;
        }
        match reader.stage {
            EndStage::Dialling => None,
            EndStage::Open if !reader.is_read => None,
            EndStage::Open => Some(first.at.max(reader.rests_until).max(reader.slow_until)),
            EndStage::Closing | EndStage::Gone => Some(first.at),
        }
    }

    /// Sees to it that the first of a pipe is read when it can be.
    pub(super) fn kick(&mut self, from: EndAt) {
        if self.connections[from.connection].pipe(from.party).is_scheduled {
            return;
        }
        let Some(at) = self.readable_at(from) else { return };
        let now = self.clock.now();
        let pipe = self.pipe_mut(from);
        pipe.is_scheduled = true;
        // What nothing held up keeps its place in the order.
        match pipe.chunks.front().filter(|first| first.at == at && at > now).map(|first| first.ticket) {
            Some(ticket) => self.clock.schedule_with(ticket, at, What::Arrive { from }),
            None => self.clock.schedule(at, What::Arrive { from }),
        }
    }

    /// Takes what has come out of a pipe, unless it is too early.
    pub(super) fn arrive(&mut self, from: EndAt) -> Option<Arrived> {
        self.pipe_mut(from).is_scheduled = false;
        if self.readable_at(from).is_none_or(|at| at > self.clock.now()) {
            self.kick(from);
            return None;
        }
        let to = from.other();
        let reader = self.end(to);
        let (node, stage) = (reader.node, reader.stage);
        let slow = self.machines[node].slow.filter(|_| stage == EndStage::Open);
        let chunk = self.pipe_mut(from).chunks.pop_front()?;
        let held_bytes = chunk.load.bytes_count();
        let delivered_bytes = slow.map_or(held_bytes, |slow| slow.bytes.min(held_bytes));
        Some(Arrived { to, node, stage, chunk, delivered_bytes, slow })
    }

    /// What has come was received: the rest of it waits.
    pub(super) fn keep_rest(&mut self, arrived: &mut Arrived) {
        let chunk = &mut arrived.chunk;
        let (at, sent, ticket) = (chunk.at, chunk.sent, chunk.ticket);
        let Load::Bytes { bytes, taken } = &mut chunk.load else { return };
        let (bytes, taken) = (std::mem::take(bytes), *taken + arrived.delivered_bytes);
        if taken < bytes.len() {
            let load = Load::Bytes { bytes, taken };
            self.pipe_mut(arrived.to.other()).chunks.push_front(Chunk { at, sent, ticket, load });
        } else {
            self.recycle(bytes);
        }
    }

    /// What has come was dealt with: there is room again for more.
    pub(super) fn make_room(&mut self, arrived: &Arrived) {
        let now = self.clock.now();
        let pipe = self.pipe_mut(arrived.to.other());
        pipe.held_bytes = pipe.held_bytes.saturating_sub(arrived.delivered_bytes);
        if let Some(slow) = arrived.slow {
            self.end_mut(arrived.to).slow_until = now + slow.pause;
        }
    }

    fn recycle(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < SPARE_MAX && bytes.capacity() <= SPARE_BYTES_MAX {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    /// Whether the first of what is on its way from here is the last word between the two.
    pub(super) fn is_last_word(&self, from: EndAt) -> bool {
        let pipe = self.connections[from.connection].pipe(from.party);
        pipe.chunks.front().is_some_and(|first| matches!(first.load, Load::End { is_last: true, .. }))
    }

    /// Whether what waits at an end is within the limit of its kind.
    fn check_unsent(&mut self, at: EndAt, unsent: usize) {
        let end = self.end(at);
        let (node, most) = (end.node, end.unsent_bytes_max);
        if unsent > most {
            let address = self.address(node);
            self.broke(format!("{unsent} bytes wait unsent at {address}, where {most} are the most"));
        }
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

    // ---- how connections end ----

    /// An end lets go of a connection, or loses it.
    fn leave_stage(&mut self, at: EndAt, stage: EndStage) {
        let found = &mut self.connections[at.connection];
        let had = std::mem::replace(&mut found.end_mut(at.party).stage, stage);
        let had_stood = std::mem::take(&mut found.stands);
        if found.caller.is_neighbor() && matches!(had, EndStage::Open | EndStage::Dialling) {
            let nodes = found.nodes();
            self.news.push(LinkNews::Falls { nodes, had_stood });
        }
        if stage != EndStage::Gone {
            return;
        }
        // What still comes is for the system to refuse, asleep or not.
        self.kick(at.other());
        let found = &self.connections[at.connection];
        if found.both(|end| end.stage == EndStage::Gone) {
            let nodes = found.nodes();
            self.empty(at.connection);
            for node in nodes {
                self.machines[node].connections.retain(|known| *known != at.connection);
            }
        }
    }

    fn empty(&mut self, connection: usize) {
        for party in Party::BOTH {
            let from = EndAt { connection, party };
            self.pipe_mut(from).held_bytes = 0;
            while let Some(chunk) = self.pipe_mut(from).chunks.pop_front() {
                if let Load::Bytes { bytes, .. } = chunk.load {
                    self.recycle(bytes);
                }
            }
        }
    }

    /// The mind wants the link closed: what is queued is sent, then nothing more.
    pub(super) fn close(&mut self, at: EndAt) {
        if self.end(at).stage == EndStage::Open {
            self.leave_stage(at, EndStage::Closing);
        }
    }

    /// The program drops the connection: what its system has is still sent, and then the end.
    pub(super) fn let_go(&mut self, at: EndAt, reason: &'static str) {
        if self.end(at).stage != EndStage::Gone {
            let is_last = self.end(at.other()).said_end;
            if !std::mem::replace(&mut self.end_mut(at).said_end, true) {
                self.push(at, Load::End { reason, is_last });
            }
            self.leave_stage(at, EndStage::Gone);
        }
    }

    /// A connection breaks: what is on its way is lost, and each end learns of it by itself.
    pub(super) fn reset(&mut self, connection: usize) {
        let found = &mut self.connections[connection];
        if std::mem::replace(&mut found.is_cut, true) {
            return;
        }
        if std::mem::take(&mut found.stands) {
            let nodes = found.nodes();
            self.news.push(LinkNews::Falls { nodes, had_stood: true });
        }
        self.empty(connection);
        for party in Party::BOTH {
            let at = EndAt { connection, party };
            if self.end(at).stage != EndStage::Gone {
                let delay = self.delay_to(at);
                self.clock.schedule(self.clock.now() + delay, What::Broken { at });
            }
        }
    }

    /// An end learns that its connection broke, and gives how far it was; nothing where it had gone.
    pub(super) fn on_broken(&mut self, at: EndAt) -> Option<EndStage> {
        let stage = self.end(at).stage;
        self.leave(at);
        (stage != EndStage::Gone).then_some(stage)
    }

    /// An end is gone without a word.
    pub(super) fn leave(&mut self, at: EndAt) {
        let end = self.end_mut(at);
        if end.stage != EndStage::Gone {
            end.said_end = true;
            self.leave_stage(at, EndStage::Gone);
        }
    }

    /// An end is gone together with its machine: nobody tells the other.
    pub(super) fn vanish(&mut self, at: EndAt) {
        self.leave(at);
        if self.end(at.other()).stage != EndStage::Gone {
            self.clock.schedule(self.clock.now() + UNHEARD_MAX, What::Broken { at: at.other() });
        }
    }

    /// What came for an end that is gone is answered with a reset, if there is a machine to do so.
    pub(super) fn refuse(&mut self, at: EndAt) {
        // A story is about words that were said, and not about those that came too late.
        if matches!(self.delaying, Delaying::Told { .. }) {
            return;
        }
        let found = &self.connections[at.connection];
        let other = at.other();
        let is_heard = found.pipe(at.party).blocks == 0 && !self.machines[found.end(at.party).node].has_vanished;
        if is_heard && !self.end(other).is_doomed && self.end(other).stage != EndStage::Gone {
            self.end_mut(other).is_doomed = true;
            let delay = self.delay_to(other);
            self.clock.schedule(self.clock.now() + delay, What::Broken { at: other });
        }
    }

    /// An end has stopped waiting for the other, which learns of it if it can.
    pub(super) fn tell_other_of_end(&mut self, at: EndAt) {
        let other = at.other();
        let found = &self.connections[at.connection];
        if found.end(other.party).stage == EndStage::Gone {
            return;
        }
        let delay = if found.pipe(at.party).blocks == 0 { self.delay_to(other) } else { UNHEARD_MAX };
        self.clock.schedule(self.clock.now() + delay, What::Broken { at: other });
    }

    // ---- what keeps anything from crossing ----

    /// Whether an end has waited too long for an acknowledgement.
    pub(super) fn waits_in_vain(&self, from: EndAt, epoch: u32) -> bool {
        let pipe = self.connections[from.connection].pipe(from.party);
        let waits = pipe.chunks.front().is_some_and(|first| first.sent + UNACKNOWLEDGED_MAX <= self.clock.now());
        pipe.epoch == epoch && pipe.blocks > 0 && waits
    }

    /// Whether a partition has kept an end from hearing anything for too long.
    pub(super) fn is_unheard(&self, at: EndAt, epoch: u32) -> bool {
        let found = &self.connections[at.connection];
        found.partitions > 0 && found.partition_epoch == epoch
    }

    /// Something begins or ends that keeps anything from crossing in one direction.
    pub(super) fn block(&mut self, from: EndAt, blocks: bool) {
        let pipe = self.pipe_mut(from);
        pipe.block(blocks);
        if !blocks {
            return self.kick(from);
        }
        if !pipe.chunks.is_empty() {
            let epoch = pipe.epoch;
            self.clock.schedule(self.clock.now() + UNACKNOWLEDGED_MAX, What::Unacknowledged { from, epoch });
        }
    }

    /// A partition begins or ends that lets nothing pass from these ends of a connection.
    pub(super) fn part(&mut self, connection: usize, parted: [bool; 2], begins: bool) {
        let found = &mut self.connections[connection];
        found.partition_epoch = found.partition_epoch.wrapping_add(1);
        found.partitions = if begins { found.partitions + 1 } else { found.partitions.saturating_sub(1) };
        let (epoch, is_parted) = (found.partition_epoch, begins || found.partitions > 0);
        for (party, parted) in Party::BOTH.into_iter().zip(parted) {
            let at = EndAt { connection, party };
            if parted {
                self.block(at, begins);
            }
            if is_parted {
                self.clock.schedule(self.clock.now() + UNHEARD_MAX, What::Unheard { at, epoch });
            }
        }
    }
}

fn ends_even(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V4(v4) if v4.ip().octets().last().is_some_and(|last| last.is_multiple_of(2)))
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;

    const FROM: EndAt = EndAt { connection: 0, party: Party::Dialler };
    const TO: EndAt = EndAt { connection: 0, party: Party::Acceptor };

    /// Two machines and a connection between them, on which nothing is said yet. What comes to the second is discarded.
    fn linked(way: Way) -> SimNetwork {
        let mut network = SimNetwork::new(way, Delaying::Drawn(Delays::Equal), Random::new(1));
        for node in 0..2 {
            network.add(SocketAddr::from((Ipv4Addr::new(10, 0, 0, node), 9000)), MachineKind::Servent, node.into());
            network.machines[usize::from(node)].is_there = true;
        }
        let caller = Caller::Mind(Dial::Neighbor(0));
        let address = network.address(1);
        let knock = Knock { node: 0, life: 0, caller, address, to: Some(1), dialect: Dialect::Native, begun: 0 };
        let knocked = network.on_knock(&knock, Fate::Taken { speaks: true });
        assert!(matches!(knocked, Some(Knocked::Connected { connection: 0, is_established: false })));
        network.end_mut(FROM).stage = EndStage::Open;
        network.end_mut(TO).stage = EndStage::Closing;
        network
    }

    fn narrow() -> Way {
        Way { window_bytes: 64, cuts_percent: 0 }
    }

    /// Lets what is in the pipe arrive, and says when, in milliseconds, and how much was left each time.
    fn arrivals(network: &mut SimNetwork) -> Vec<(Nanos, usize)> {
        let mut seen = Vec::new();
        network.send_written();
        while let Some(what) = network.clock.pop() {
            let What::Arrive { from } = what else { continue };
            let Some(mut arrived) = network.arrive(from) else { continue };
            if arrived.bytes().is_err() {
                network.let_go(arrived.to, IT_CLOSED);
                network.send_written();
            }
            network.keep_rest(&mut arrived);
            network.make_room(&arrived);
            network.kick(from);
            let held_bytes = network.connection(0).pipe(Party::Dialler).held_bytes;
            seen.push((network.clock.now() / MILLISECOND, held_bytes));
        }
        seen
    }

    /// Has the clock go on to a moment, and says who was told by then that the connection broke.
    fn go_on(network: &mut SimNetwork, until: Nanos) -> Vec<EndAt> {
        let mut broken = Vec::new();
        network.send_written();
        network.clock.schedule(until, What::Due { node: usize::MAX });
        while let Some(what) = network.clock.pop() {
            match what {
                What::Due { node: usize::MAX } => break,
                What::Broken { at } => broken.push(at),
                What::Arrive { from } => drop(network.arrive(from)),
                _ => {}
            }
        }
        broken
    }

    #[test]
    fn addresses_lead_back_to_who_has_them() {
        let network = linked(narrow());
        for node in 0..2 {
            assert_eq!(network.at_address(network.address(node)), Some(node));
        }
        assert_eq!(network.at_address(SocketAddr::from((Ipv4Addr::new(10, 0, 0, 1), 7000))), None);
    }

    #[test]
    fn a_pipe_holds_no_more_than_it_may_and_delivers_in_order() {
        let mut network = linked(narrow());
        network.inject(FROM, &[1; 40]);
        go_on(&mut network, MILLISECOND);
        network.inject(FROM, &[2; 100]);
        assert_eq!(network.connection(0).pipe(Party::Dialler).held_bytes, 64);
        assert_eq!(arrivals(&mut network), [(10, 24), (11, 0)]);
    }

    #[test]
    fn nothing_is_read_while_an_end_rests() {
        let mut network = linked(narrow());
        network.end_mut(TO).stage = EndStage::Open;
        network.end_mut(TO).rests_until = 5_000 * MILLISECOND;
        network.inject(FROM, &[1; 40]);
        assert_eq!(arrivals(&mut network), [(5_000, 0)]);
    }

    #[test]
    fn a_slow_reader_takes_a_few_bytes_at_a_time() {
        let mut network = linked(narrow());
        network.end_mut(TO).stage = EndStage::Open;
        network.machines[1].slow = Some(Slow { bytes: 3, pause: 20 * MILLISECOND, faults: 1 });
        network.inject(FROM, &[1; 10]);
        assert_eq!(arrivals(&mut network), [(10, 7), (30, 4), (50, 1), (70, 0)]);
    }

    #[test]
    fn what_is_blocked_arrives_late_and_is_not_lost() {
        let mut network = linked(narrow());
        network.inject(FROM, &[1; 40]);
        network.block(FROM, true);
        network.inject(FROM, &[2; 10]);
        go_on(&mut network, 3_000 * MILLISECOND);
        assert_eq!(network.connection(0).pipe(Party::Dialler).held_bytes, 50);
        network.block(FROM, false);
        assert_eq!(arrivals(&mut network), [(3_000, 10), (3_000, 0)]);
    }

    #[test]
    fn what_goes_without_acknowledgement_for_too_long_ends_the_connection() {
        let mut network = linked(narrow());
        network.block(FROM, true);
        network.inject(FROM, &[1; 40]);
        let epoch = network.connection(0).pipe(Party::Dialler).epoch;
        go_on(&mut network, UNACKNOWLEDGED_MAX - 1);
        assert!(!network.waits_in_vain(FROM, epoch));
        go_on(&mut network, UNACKNOWLEDGED_MAX);
        assert!(!network.waits_in_vain(FROM, epoch.wrapping_sub(1)));
        assert!(network.waits_in_vain(FROM, epoch));
        assert_eq!(network.on_broken(FROM), Some(EndStage::Open));
        network.tell_other_of_end(FROM);
        assert_eq!(go_on(&mut network, 2 * UNACKNOWLEDGED_MAX), [], "it is told, though what it said is held up");
        assert_eq!(go_on(&mut network, 3 * UNACKNOWLEDGED_MAX), [TO], "the other end never learns of it");
    }

    #[test]
    fn a_reset_loses_what_is_on_its_way_and_tells_each_end_by_itself() {
        let mut network = linked(narrow());
        network.inject(FROM, &[1; 40]);
        network.inject(TO, &[1; 40]);
        network.reset(0);
        assert_eq!(Party::BOTH.map(|party| network.connection(0).pipe(party).held_bytes), [0, 0]);
        assert_eq!(go_on(&mut network, SECOND), [FROM, TO]);
        for at in [FROM, TO] {
            assert!(network.on_broken(at).is_some());
        }
        assert!(network.machines.iter().all(|machine| machine.connections.is_empty()));
    }

    #[test]
    fn who_closes_says_its_last_words_first() {
        let mut network = linked(narrow());
        network.inject(FROM, &[1; 64]);
        network.close(FROM);
        network.push_end(FROM, IT_CLOSED);
        // The last is the word of the other, which has nothing more to say either.
        assert_eq!(arrivals(&mut network), [(10, 0), (10, 0), (20, 0)]);
        assert_eq!(network.end(TO).stage, EndStage::Gone);
    }

    #[test]
    fn what_comes_for_one_that_is_gone_is_answered_with_a_reset() {
        for has_vanished in [false, true] {
            let mut network = linked(narrow());
            network.leave(TO);
            network.machines[1].has_vanished = has_vanished;
            network.refuse(TO);
            assert_eq!(go_on(&mut network, SECOND).contains(&FROM), !has_vanished);
        }
    }
}
