//! Connections: two ends, a pipe from each to the other, and everything that happens to what is on its way.
//!
//! It does what two kernels and the network between them do: holds up, cuts anywhere, delivers in order, resets, waits
//! in vain. It does not know what a message means.

use std::collections::VecDeque;
use std::net::SocketAddr;

use common::dialect::Dialect;
use common::exchange::Transport;
use common::limits::{LINGER_MAX, STRANGER_UNSENT_BYTES_MAX};
use common::link::{LinkId, Purpose, SendError};
use common::message::{Message, Role};
use common::overlay::{self, Dial, Opening};
use common::session;

use super::super::plan::Wire;
use super::super::random::Random;
use super::messages::{MESSAGE_BYTES, Words};
use super::shell::Caller;
use super::{Knock, Mind, Nanos, SECOND, What, World, is_neighbor_dial, nanos};

/// The narrowest and the widest pipe, and the narrowest in a healthy run: there the pipes must not be what is slow.
const WINDOW_BYTES: (usize, usize) = (64, 256 * 1024);
const WINDOW_BYTES_HEALTHY: usize = 16 * 1024;
/// How long the system lets what was sent go without acknowledgement (`TCP_USER_TIMEOUT` of the programs).
const UNACKNOWLEDGED_MAX: Nanos = 10 * SECOND;
/// How long the system takes to notice that an idle connection leads nowhere (keepalive of the programs).
pub(super) const UNHEARD_MAX: Nanos = 11 * SECOND;

/// What pipes are like in a run.
#[derive(Clone, Copy, Debug)]
pub(super) struct Way {
    /// The most bytes in one pipe.
    pub(super) window_bytes: usize,
    /// How often in a hundred times a write is cut once more.
    cuts_percent: u64,
}

impl Way {
    pub(super) fn draw(random: &mut Random, is_faulty: bool) -> Way {
        let is_narrow = random.chance(25) && is_faulty;
        let wide = WINDOW_BYTES_HEALTHY << random.below(5);
        let narrow = WINDOW_BYTES.0 << random.below(8);
        let cuts_percent = [0, 30, 60, 90][random.index(4)];
        Way { window_bytes: if is_narrow { narrow } else { wide.min(WINDOW_BYTES.1) }, cuts_percent }
    }

    /// From now on pipes are as wide as they may be.
    pub(super) fn widen(&mut self) {
        self.window_bytes = WINDOW_BYTES.1;
    }
}

/// What is on its way from one end to the other.
#[derive(Debug)]
pub(super) enum Load {
    Bytes {
        bytes: Vec<u8>,
        taken: usize,
    },
    Message(Message),
    /// Nothing more will come.
    End,
}

impl Load {
    fn bytes_count(&self) -> usize {
        match self {
            Load::Bytes { bytes, taken } => bytes.len() - taken,
            Load::Message(_) => MESSAGE_BYTES,
            Load::End => 0,
        }
    }
}

#[derive(Debug)]
struct Chunk {
    at: Nanos,
    sent: Nanos,
    load: Load,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    chunks: VecDeque<Chunk>,
    pub(super) held_bytes: usize,
    /// When the last of it arrives; what is sent later arrives no earlier.
    last_arrival: Nanos,
    /// Whether an event is to come for the first of it.
    is_scheduled: bool,
    /// How many faults keep anything from crossing.
    pub(super) blocks: u32,
    /// Counts the changes of `blocks`.
    pub(super) epoch: u32,
}

/// How far an end is, as its machine and the network see it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndStage {
    /// It has dialled and does not know yet that somebody is there.
    Dialling,
    /// A mind, or a hostile servent, speaks on it.
    Open,
    /// The mind has closed it; its last words are on their way, and what comes is discarded.
    Closing,
    /// Its machine knows nothing of it.
    Gone,
}

/// One end of a connection.
pub(super) struct End {
    pub(super) node: usize,
    pub(super) stage: EndStage,
    /// What it holds of what is said, where messages travel as they are; bytes are its node's exchange's.
    pub(super) words: Option<Words>,
    purpose: Purpose,
    /// The most bytes that may wait here unsent.
    unsent_bytes_max: usize,
    heard_hello: bool,
    said_end: bool,
    /// A reset is on its way to it.
    is_doomed: bool,
    pub(super) unflushed: bool,
    /// Whether its exchange reads what comes.
    pub(super) is_read: bool,
    /// Nothing is read before this, whatever an exchange says.
    pub(super) rests_until: Nanos,
    pub(super) slow_until: Nanos,
}

/// Which of the ends dialled.
const DIALLER: usize = 0;

/// Two ends and the way between them. The dialler is the first.
pub(super) struct Connection {
    pub(super) ends: [End; 2],
    /// What each end has sent.
    pub(super) pipes: [Pipe; 2],
    pub(super) caller: Caller,
    pub(super) dialect: Dialect,
    /// A cut connection swallows everything.
    pub(super) is_cut: bool,
    /// How many partitions run through it, and how often that changed.
    pub(super) partitions: u32,
    pub(super) partition_epoch: u32,
    /// Whether both ends have greeted each other as servents, and neither has let go.
    pub(super) stands: bool,
}

/// The pipes under an exchange.
impl Transport for World<'_> {
    fn read(&mut self, _: LinkId, _: &mut [u8]) -> Result<Option<usize>, String> {
        Ok(None)
    }

    fn write(&mut self, link: LinkId, bytes: &[u8]) -> Result<usize, String> {
        let (connection, end) = place_of(link);
        self.check_unsent(connection, end, bytes.len());
        let room = self.way.window_bytes.saturating_sub(self.connections[connection].pipes[end].held_bytes);
        let mut length = bytes.len().min(room);
        if length > 1 && self.random.chance(self.way.cuts_percent) {
            length = 1 + self.random.index(length - 1);
        }
        if length > 0 {
            let mut written = self.spare.pop().unwrap_or_default();
            written.extend_from_slice(bytes.get(..length).unwrap_or_default());
            self.push(connection, end, Load::Bytes { bytes: written, taken: 0 });
        }
        Ok(length)
    }

    fn watch(&mut self, link: LinkId, reads: bool, _: bool) -> Result<(), String> {
        let (connection, end) = place_of(link);
        self.set_is_read(connection, end, reads);
        Ok(())
    }

    fn shut(&mut self, link: LinkId) -> Result<(), String> {
        let (connection, end) = place_of(link);
        self.push_end(connection, end);
        Ok(())
    }

    fn close(&mut self, link: LinkId) {
        let (connection, end) = place_of(link);
        self.let_go(connection, end);
    }

    fn on_said(&mut self, link: LinkId, message: &Message, said: &Result<(), SendError>) {
        if said.is_ok() {
            self.show_said(link, message);
        }
    }
}

impl World<'_> {
    // ---- dials ----

    pub(super) fn dial(&mut self, node: usize, caller: Caller, address: SocketAddr, dialect: Dialect) {
        let to = self.at_address(address);
        let life = self.nodes[node].life;
        let delay = self.draw_delay();
        let begun = self.now;
        self.schedule(begun + delay, What::Knock(Knock { node, life, caller, to, dialect, begun }));
    }

    pub(super) fn on_knock(&mut self, knock: Knock) {
        let Knock { node, life, caller, to, begun, .. } = knock;
        self.note_event(node, 2);
        match self.fate_of(&knock) {
            Fate::Taken => {
                if let Some(to) = to {
                    self.connect(knock, to);
                }
            }
            Fate::Refused { refused } => {
                let delay = self.draw_delay();
                self.schedule(self.now + delay, What::NoAnswer { node, life, caller, refused });
            }
            Fate::Silence => {
                let waited = begun + nanos(common::limits::DIAL_WAIT_MAX);
                self.schedule(waited, What::NoAnswer { node, life, caller, refused: false });
            }
        }
    }

    /// What a dial comes to.
    fn fate_of(&self, knock: &Knock) -> Fate {
        let Some(to) = knock.to else {
            // Nobody ever was there: half of such addresses refuse, half do not even do that.
            let is_even = matches!(knock.caller, Caller::Mind(Dial::Call(_, address)) if ends_even(address));
            return if is_even { Fate::Refused { refused: true } } else { Fate::Silence };
        };
        if let Some(fate) = self.fate_by_trouble(knock.node, to) {
            return fate;
        }
        let node = &self.nodes[to];
        match node.mind {
            _ if node.vanished => Fate::Silence,
            Mind::Gone => Fate::Refused { refused: true },
            Mind::Servent(_) | Mind::Client(_) | Mind::Hostile(_) => Fate::Taken,
        }
    }

    fn connect(&mut self, knock: Knock, to: usize) {
        let Knock { node, caller, dialect, .. } = knock;
        if self.nodes[node].life != knock.life || matches!(self.nodes[node].mind, Mind::Gone) {
            return;
        }
        let connection = self.connections.len();
        let wire = self.scene.plan.wire;
        let dialler_purpose = caller.purpose();
        let acceptor_purpose = match &self.nodes[to].mind {
            Mind::Client(_) => Purpose::Asking,
            _ => Purpose::Standing,
        };
        if wire != Wire::None {
            self.exchanges[node].on_dialled(link_id(connection, 0), dialect, dialler_purpose);
        }
        let established = self.now + self.draw_delay();
        let [blocks, blocks_back] = [self.blocks_between(node, to), self.blocks_between(to, node)];
        let pipe = |blocks, last_arrival| Pipe { blocks, last_arrival, ..Pipe::default() };
        self.connections.push(Connection {
            ends: [
                End::new(node, EndStage::Dialling, wire, dialler_purpose),
                End::new(to, EndStage::Open, wire, acceptor_purpose),
            ],
            // What the acceptor says comes after the word that it is there.
            pipes: [pipe(blocks, 0), pipe(blocks_back, established)],
            caller,
            dialect,
            is_cut: false,
            partitions: 0,
            partition_epoch: 0,
            stands: false,
        });
        self.nodes[node].connections.push(connection);
        self.nodes[to].connections.push(connection);
        self.schedule(self.now, What::Accepted { connection });
        self.schedule(established, What::Established { connection });
    }

    pub(super) fn on_accepted(&mut self, connection: usize) {
        let [dialler, acceptor] = &self.connections[connection].ends;
        if acceptor.stage != EndStage::Open {
            return;
        }
        let (node, dialler) = (acceptor.node, dialler.node);
        self.note_event(node, 3);
        let link = link_id(connection, 1);
        let mut from = self.nodes[dialler].address;
        // Answers in TP3 leave from the port their servent listens on; whatever else leaves from any port.
        if self.connections[connection].caller.purpose() != Purpose::Answers {
            let [.., high, low] = (connection as u64).to_be_bytes();
            from.set_port(u16::from_be_bytes([high, low]) | 0x8000);
        }
        if self.scene.plan.wire != Wire::None {
            self.with_exchange(node, |exchange, _, _| exchange.on_accepted(link, from));
        }
        match &self.nodes[node].mind {
            Mind::Servent(_) => {
                let opening = Opening::Accepted(from);
                self.tell_servent(node, overlay::Input::Opened { link, opening });
            }
            Mind::Client(_) => {
                self.tell_client(node, session::Input::Accepted { link, from });
            }
            Mind::Gone | Mind::Hostile(_) => {}
        }
        self.tell_heard(node);
    }

    pub(super) fn on_established(&mut self, connection: usize) {
        let found = &mut self.connections[connection];
        let end = &mut found.ends[0];
        if end.stage != EndStage::Dialling || found.is_cut {
            return;
        }
        end.stage = EndStage::Open;
        let (node, caller) = (end.node, found.caller);
        let contact = found.ends[1].node;
        self.note_event(node, 4);
        let link = link_id(connection, 0);
        if self.scene.plan.wire != Wire::None {
            self.with_exchange(node, |exchange, _, _| exchange.on_connected(link));
        }
        match caller {
            Caller::Mind(dial) => {
                let opening = Opening::Dialled(dial);
                self.tell_servent(node, overlay::Input::Opened { link, opening });
            }
            Caller::Contact => {
                let contact = self.nodes[contact].address;
                self.tell_client(node, session::Input::Attached { link, contact });
            }
            Caller::Hostile(fault) => self.hostile_attached(fault, connection),
            // In our own dialect the client speaks first.
            Caller::Liar(fault) if self.connections[connection].dialect != Dialect::OWN => {
                self.tell_lies(fault, connection);
            }
            Caller::Liar(_) => {}
        }
        self.tell_heard(node);
        self.kick(connection, 1);
    }

    // ---- what is on its way ----

    /// Puts bytes nobody's link made on their way.
    pub(super) fn push_bytes(&mut self, connection: usize, from: usize, bytes: &[u8]) {
        let room = self.way.window_bytes.saturating_sub(self.connections[connection].pipes[from].held_bytes);
        let bytes = bytes.get(..bytes.len().min(room)).unwrap_or_default().to_vec();
        if !bytes.is_empty() {
            self.push(connection, from, Load::Bytes { bytes, taken: 0 });
        }
    }

    pub(super) fn push(&mut self, connection: usize, from: usize, load: Load) {
        if self.connections[connection].is_cut {
            return;
        }
        let at = self.now + self.draw_delay();
        let (now, window_bytes) = (self.now, self.way.window_bytes);
        let pipe = &mut self.connections[connection].pipes[from];
        pipe.last_arrival = pipe.last_arrival.max(at);
        pipe.held_bytes += load.bytes_count();
        let held_bytes = pipe.held_bytes;
        let waits_in_vain = pipe.blocks > 0 && pipe.chunks.is_empty();
        let epoch = pipe.epoch;
        pipe.chunks.push_back(Chunk { at: pipe.last_arrival, sent: now, load });
        if held_bytes > window_bytes {
            self.witness.broke(now, &format!("{held_bytes} bytes in a pipe of {window_bytes}"));
        }
        if waits_in_vain {
            self.schedule(now + UNACKNOWLEDGED_MAX, What::Unacknowledged { connection, from, epoch });
        }
        self.kick(connection, from);
    }

    /// Says that nothing more will come.
    pub(super) fn push_end(&mut self, connection: usize, from: usize) {
        if !std::mem::replace(&mut self.connections[connection].ends[from].said_end, true) {
            self.push(connection, from, Load::End);
        }
    }

    /// What comes to an end is read from now on, or is not.
    pub(super) fn set_is_read(&mut self, connection: usize, end: usize, is_read: bool) {
        self.connections[connection].ends[end].is_read = is_read;
        if is_read {
            self.kick(connection, 1 - end);
        }
    }

    /// When the first of a pipe may be read; nothing while something else has to happen first.
    fn readable_at(&self, connection: usize, from: usize) -> Option<Nanos> {
        let found = &self.connections[connection];
        let pipe = &found.pipes[from];
        let reader = &found.ends[1 - from];
        let first = pipe.chunks.front()?;
        let is_asleep = reader.stage != EndStage::Gone && self.nodes[reader.node].pauses > 0;
        if pipe.blocks > 0 || is_asleep || reader.stage == EndStage::Dialling {
            return None;
        }
        if reader.stage == EndStage::Open && !reader.is_read {
            return None;
        }
        Some(if reader.stage == EndStage::Open {
            first.at.max(reader.rests_until).max(reader.slow_until)
        } else {
            first.at
        })
    }

    /// Sees to it that the first of a pipe is read when it can be.
    pub(super) fn kick(&mut self, connection: usize, from: usize) {
        if self.connections[connection].pipes[from].is_scheduled {
            return;
        }
        if let Some(at) = self.readable_at(connection, from) {
            self.connections[connection].pipes[from].is_scheduled = true;
            self.schedule(at, What::Arrive { connection, from });
        }
    }

    pub(super) fn on_arrival(&mut self, connection: usize, from: usize) {
        self.connections[connection].pipes[from].is_scheduled = false;
        if self.readable_at(connection, from).is_none_or(|at| at > self.now) {
            return self.kick(connection, from);
        }
        let to = 1 - from;
        let reader = &self.connections[connection].ends[to];
        let (node, stage) = (reader.node, reader.stage);
        let slow = self.nodes[node].slow.filter(|_| stage == EndStage::Open);
        self.note_event(node, 5);
        let Some(chunk) = self.connections[connection].pipes[from].chunks.pop_front() else { return };
        let mut delivered_bytes = chunk.load.bytes_count();
        match chunk.load {
            Load::End => self.on_end(connection, to),
            Load::Message(message) => {
                self.note(essence(&message));
                if let Some(words) = &mut self.connections[connection].ends[to].words {
                    words.received.push_back(message);
                }
                self.on_delivered(connection, to);
                self.hear_words(connection, to);
            }
            Load::Bytes { bytes, taken } => {
                let rest = bytes.get(taken..).unwrap_or_default();
                delivered_bytes = slow.map_or(rest.len(), |slow| slow.bytes.min(rest.len()));
                let heard = rest.get(..delivered_bytes).unwrap_or_default();
                self.hash = heard.chunks(8).fold(self.hash, |hash, word| {
                    let number = word.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
                    super::mix(hash, number)
                });
                let has_rest = delivered_bytes < rest.len();
                if stage == EndStage::Open {
                    let link = link_id(connection, to);
                    self.with_exchange(node, |exchange, _, _| exchange.receive(link, heard));
                }
                if has_rest {
                    let load = Load::Bytes { bytes, taken: taken + delivered_bytes };
                    self.connections[connection].pipes[from].chunks.push_front(Chunk { load, ..chunk });
                } else {
                    self.recycle(bytes);
                }
                self.on_delivered(connection, to);
            }
        }
        let now = self.now;
        let found = &mut self.connections[connection];
        found.pipes[from].held_bytes = found.pipes[from].held_bytes.saturating_sub(delivered_bytes);
        if let Some(slow) = slow {
            found.ends[to].slow_until = now + slow.pause;
        }
        self.make_room(connection, from);
        self.kick(connection, from);
    }

    /// There is room again for what an end has queued.
    fn make_room(&mut self, connection: usize, from: usize) {
        let this = &self.connections[connection].ends[from];
        let node = this.node;
        match &this.words {
            Some(words) if words.unsent.is_empty() => {}
            Some(_) => self.flush_later(connection, from),
            None => {
                self.exchanges[node].on_writable(link_id(connection, from));
                if self.exchanges[node].is_unflushed() {
                    self.touch(node);
                }
            }
        }
    }

    fn on_delivered(&mut self, connection: usize, end: usize) {
        let this = &self.connections[connection].ends[end];
        match this.stage {
            EndStage::Open => self.tell_heard(this.node),
            // Discarded. Nothing is delivered to one that is still dialling.
            EndStage::Closing | EndStage::Dialling => {}
            EndStage::Gone => self.refuse(connection, end),
        }
    }

    /// What came for an end that is gone is answered with a reset, if there is a machine to do so.
    fn refuse(&mut self, connection: usize, end: usize) {
        let found = &self.connections[connection];
        let other = 1 - end;
        let is_heard = found.pipes[end].blocks == 0 && !self.nodes[found.ends[end].node].vanished;
        if is_heard && !found.ends[other].is_doomed && found.ends[other].stage != EndStage::Gone {
            self.connections[connection].ends[other].is_doomed = true;
            let delay = self.draw_delay();
            self.schedule(self.now + delay, What::Broken { connection, end: other });
        }
    }

    fn recycle(&mut self, mut bytes: Vec<u8>) {
        if self.spare.len() < 256 && bytes.capacity() <= 16 * 1024 {
            bytes.clear();
            self.spare.push(bytes);
        }
    }

    pub(super) fn on_hello(&mut self, connection: usize, end: usize, role: Role) {
        let this = &mut self.connections[connection].ends[end];
        this.heard_hello = true;
        this.unsent_bytes_max = this.purpose.unsent_bytes_max(end == DIALLER, role);
        if let Some(words) = &mut this.words {
            words.unsent_bytes_max = this.unsent_bytes_max;
        }
        let found = &self.connections[connection];
        let both = found.ends.iter().all(|end| end.stage == EndStage::Open && end.heard_hello);
        if both && is_neighbor_dial(found.caller) && !found.is_cut && !found.stands {
            let [a, b] = [&found.ends[0], &found.ends[1]].map(|end| end.node);
            self.connections[connection].stands = true;
            self.witness.on_link_stands(self.now, a, b);
            self.flap_if_it_must(connection);
        }
    }

    // ---- how connections end ----

    /// An end lets go of a connection, or loses it.
    fn leave_stage(&mut self, connection: usize, end: usize, stage: EndStage) {
        let now = self.now;
        let found = &mut self.connections[connection];
        let had = std::mem::replace(&mut found.ends[end].stage, stage);
        let was_standing = std::mem::take(&mut found.stands);
        if is_neighbor_dial(found.caller) && matches!(had, EndStage::Open | EndStage::Dialling) {
            let [a, b] = [&found.ends[0], &found.ends[1]].map(|end| end.node);
            self.witness.on_link_falls(now, a, b, was_standing);
        }
        if stage != EndStage::Gone {
            return;
        }
        // What still comes is for the system to refuse, asleep or not.
        self.kick(connection, 1 - end);
        let found = &self.connections[connection];
        if found.ends.iter().all(|end| end.stage == EndStage::Gone) {
            let ends = [found.ends[0].node, found.ends[1].node];
            self.empty(connection);
            for node in ends {
                self.nodes[node].connections.retain(|known| *known != connection);
            }
        }
    }

    fn empty(&mut self, connection: usize) {
        for from in 0..2 {
            let pipe = &mut self.connections[connection].pipes[from];
            pipe.held_bytes = 0;
            while let Some(chunk) = self.connections[connection].pipes[from].chunks.pop_front() {
                if let Load::Bytes { bytes, .. } = chunk.load {
                    self.recycle(bytes);
                }
            }
        }
    }

    /// The mind wants the link closed: what is queued is sent, then nothing more.
    pub(super) fn close(&mut self, connection: usize, end: usize) {
        if self.connections[connection].ends[end].stage == EndStage::Open {
            self.leave_stage(connection, end, EndStage::Closing);
            if self.connections[connection].ends[end].words.is_some() {
                self.schedule(self.now + nanos(LINGER_MAX), What::Lingered { connection, end });
                self.flush_later(connection, end);
            }
        }
    }

    pub(super) fn on_lingered(&mut self, connection: usize, end: usize) {
        if self.connections[connection].ends[end].stage == EndStage::Closing {
            self.let_go(connection, end);
        }
    }

    /// The program drops the connection: what its system has is still sent, and then the end.
    pub(super) fn let_go(&mut self, connection: usize, end: usize) {
        if self.connections[connection].ends[end].stage != EndStage::Gone {
            self.push_end(connection, end);
            self.leave_stage(connection, end, EndStage::Gone);
        }
    }

    /// The other end has said that nothing more will come.
    fn on_end(&mut self, connection: usize, end: usize) {
        let stage = self.connections[connection].ends[end].stage;
        self.let_go(connection, end);
        self.end_link(connection, end, stage, "it closed the connection");
    }

    /// The program learns that a connection is over, if it knew of it.
    fn end_link(&mut self, connection: usize, end: usize, stage: EndStage, reason: &str) {
        let this = &self.connections[connection].ends[end];
        let node = this.node;
        if this.words.is_none() {
            let link = link_id(connection, end);
            let reason = reason.to_owned();
            self.with_exchange(node, |exchange, now, world| exchange.on_closed(now, link, reason, world));
            self.tell_heard(node);
        } else if stage == EndStage::Open {
            self.tell_closed(connection, end, reason);
        }
    }

    pub(super) fn on_broken(&mut self, connection: usize, end: usize) {
        let this = &mut self.connections[connection].ends[end];
        let (stage, node) = (this.stage, this.node);
        if stage == EndStage::Gone {
            return;
        }
        this.said_end = true;
        self.note_event(node, 7);
        self.leave_stage(connection, end, EndStage::Gone);
        self.end_link(connection, end, stage, "the connection broke");
        if stage == EndStage::Dialling {
            let (life, caller) = (self.nodes[node].life, self.connections[connection].caller);
            self.on_no_answer(node, life, caller, false);
        }
    }

    /// A connection breaks: what is on its way is lost, and each end learns of it by itself.
    pub(super) fn reset(&mut self, connection: usize) {
        let found = &mut self.connections[connection];
        if std::mem::replace(&mut found.is_cut, true) {
            return;
        }
        if std::mem::take(&mut found.stands) {
            let [a, b] = [&found.ends[0], &found.ends[1]].map(|end| end.node);
            self.witness.on_link_falls(self.now, a, b, true);
        }
        self.empty(connection);
        for end in 0..2 {
            if self.connections[connection].ends[end].stage != EndStage::Gone {
                let delay = self.draw_delay();
                self.schedule(self.now + delay, What::Broken { connection, end });
            }
        }
    }

    /// An end stops waiting for the other, which learns of it if it can.
    fn give_up_on_other(&mut self, connection: usize, end: usize) {
        self.on_broken(connection, end);
        let found = &self.connections[connection];
        let other = 1 - end;
        if found.ends[other].stage == EndStage::Gone {
            return;
        }
        let is_heard = found.pipes[end].blocks == 0 && !self.nodes[found.ends[other].node].vanished;
        let delay = if is_heard { self.draw_delay() } else { UNHEARD_MAX };
        self.schedule(self.now + delay, What::Broken { connection, end: other });
    }

    /// An end is gone without a word.
    pub(super) fn leave(&mut self, connection: usize, end: usize) {
        let this = &mut self.connections[connection].ends[end];
        if this.stage != EndStage::Gone {
            this.said_end = true;
            self.leave_stage(connection, end, EndStage::Gone);
        }
    }

    /// An end is gone together with its machine: nobody tells the other.
    pub(super) fn vanish(&mut self, connection: usize, end: usize) {
        self.leave(connection, end);
        if self.connections[connection].ends[1 - end].stage != EndStage::Gone {
            self.schedule(self.now + UNHEARD_MAX, What::Broken { connection, end: 1 - end });
        }
    }

    pub(super) fn on_unacknowledged(&mut self, connection: usize, from: usize, epoch: u32) {
        let pipe = &self.connections[connection].pipes[from];
        let waits = pipe.chunks.front().is_some_and(|first| first.sent + UNACKNOWLEDGED_MAX <= self.now);
        if pipe.epoch == epoch && pipe.blocks > 0 && waits {
            self.give_up_on_other(connection, from);
        }
    }

    pub(super) fn on_unheard(&mut self, connection: usize, end: usize, epoch: u32) {
        let found = &self.connections[connection];
        if found.partitions > 0 && found.partition_epoch == epoch {
            self.give_up_on_other(connection, end);
        }
    }

    /// Something begins or ends that keeps anything from crossing in one direction.
    pub(super) fn block(&mut self, connection: usize, from: usize, blocks: bool) {
        let pipe = &mut self.connections[connection].pipes[from];
        pipe.epoch = pipe.epoch.wrapping_add(1);
        if blocks {
            pipe.blocks += 1;
            if !pipe.chunks.is_empty() {
                let epoch = pipe.epoch;
                self.schedule(self.now + UNACKNOWLEDGED_MAX, What::Unacknowledged { connection, from, epoch });
            }
        } else {
            pipe.blocks = pipe.blocks.saturating_sub(1);
            self.kick(connection, from);
        }
    }

    /// Whether what waits at an end is within the limit of its kind.
    pub(super) fn check_unsent(&mut self, connection: usize, end: usize, unsent: usize) {
        let this = &self.connections[connection].ends[end];
        let most = this.unsent_bytes_max;
        if unsent > most {
            let text = format!("{unsent} bytes wait unsent at {}, where {most} are the most", self.name(this.node));
            self.witness.broke(self.now, &text);
        }
    }
}

impl End {
    fn new(node: usize, stage: EndStage, wire: Wire, purpose: Purpose) -> End {
        End {
            node,
            stage,
            words: (wire == Wire::None).then(Words::new),
            purpose,
            unsent_bytes_max: STRANGER_UNSENT_BYTES_MAX,
            heard_hello: false,
            said_end: false,
            is_doomed: false,
            unflushed: false,
            is_read: true,
            rests_until: 0,
            slow_until: 0,
        }
    }
}

/// What a dial comes to.
pub(super) enum Fate {
    Taken,
    Refused {
        /// By somebody there, and not for want of a way.
        refused: bool,
    },
    Silence,
}

/// How a mind calls one end of a connection. Never used again, as connections are never forgotten.
pub(super) fn link_id(connection: usize, end: usize) -> LinkId {
    LinkId((connection * 2 + end) as u64)
}

/// Which end is called that.
pub(super) fn place_of(link: LinkId) -> (usize, usize) {
    let number = usize::try_from(link.0).unwrap_or(usize::MAX);
    (number / 2, number % 2)
}

fn ends_even(address: SocketAddr) -> bool {
    matches!(address, SocketAddr::V4(v4) if v4.ip().octets().last().is_some_and(|last| last.is_multiple_of(2)))
}

/// The numbers that tell one message from another, for the hash over everything that happens.
fn essence(message: &Message) -> u64 {
    let (kind, number) = match message {
        Message::Hello(_) => (1, 0),
        Message::Goodbye(_) => (2, 0),
        Message::Ping => (3, 0),
        Message::Pong => (4, 0),
        Message::Request(request) => (5, request.sequence),
        Message::Query(query) => (6, query.sequence ^ u64::from(query.ttl) << 48 ^ u64::from(query.hops) << 40),
        Message::Answer(answer) => (7, answer.sequence ^ u64::from(answer.hops) << 48),
        Message::Echo(echo) => (8, echo.id.sequence ^ u64::from(echo.ttl) << 48 ^ echo.tally.reached << 32),
        Message::Finished(finished) => (9, finished.sequence ^ finished.tally.reached << 32),
    };
    number ^ kind << 60
}

#[cfg(test)]
mod tests {
    use super::super::super::scene::Scene;
    use super::super::tests::chain;
    use super::super::{Coming, MILLISECOND, Slow};
    use super::*;

    const FROM: usize = 0;
    const TO: usize = 2;

    /// A world whose minds stay as they are, with one connection between two of them.
    fn linked(scene: &Scene) -> World<'_> {
        let mut world = World::new(scene);
        let caller = Caller::Mind(Dial::Neighbor(0));
        let life = world.nodes[FROM].life;
        let knock = Knock { node: FROM, life, caller, to: Some(TO), dialect: Dialect::Native, begun: 0 };
        world.connect(knock, TO);
        world.connections[0].ends[0].stage = EndStage::Open;
        // What comes is discarded: these tests are about its way.
        world.connections[0].ends[1].stage = EndStage::Closing;
        world.coming.clear();
        world
    }

    /// Lets what is in the pipe arrive, and says when and how much was left each time.
    fn arrivals(world: &mut World<'_>) -> Vec<(Nanos, usize)> {
        let mut seen = Vec::new();
        while let Some(Coming { at, what, .. }) = world.coming.pop() {
            if let What::Arrive { connection, from } = what {
                world.now = at;
                let pipe = |world: &World<'_>| {
                    let pipe = &world.connections[0].pipes[0];
                    (pipe.chunks.len(), pipe.held_bytes)
                };
                let before = pipe(world);
                world.on_arrival(connection, from);
                let after = pipe(world);
                if before != after {
                    seen.push((at / MILLISECOND, after.1));
                }
            }
        }
        seen
    }

    #[test]
    fn a_pipe_holds_no_more_than_it_may_and_delivers_in_order() {
        let scene = chain();
        let mut world = linked(&scene);
        world.way = Way { window_bytes: 64, cuts_percent: 0 };
        world.push_bytes(0, 0, &[1; 40]);
        world.now = MILLISECOND;
        world.push_bytes(0, 0, &[2; 100]);
        assert_eq!(world.connections[0].pipes[0].held_bytes, 64);
        assert_eq!(arrivals(&mut world), [(10, 24), (11, 0)]);
    }

    #[test]
    fn nothing_is_read_while_an_end_rests() {
        let scene = chain();
        let mut world = linked(&scene);
        world.connections[0].ends[1].stage = EndStage::Open;
        world.connections[0].ends[1].rests_until = 5_000 * MILLISECOND;
        world.push_bytes(0, 0, &[1; 40]);
        assert_eq!(arrivals(&mut world).first().map(|(at, _)| *at), Some(5_000));
    }

    #[test]
    fn a_slow_reader_takes_a_few_bytes_at_a_time() {
        let scene = chain();
        let mut world = linked(&scene);
        world.connections[0].ends[1].stage = EndStage::Open;
        world.nodes[TO].slow = Some(Slow { bytes: 3, pause: 20 * MILLISECOND, faults: 1 });
        // Too little of a preface to be judged.
        world.push_bytes(0, 0, &common::wire::PREFACE);
        let seen = arrivals(&mut world);
        let places: Vec<Nanos> = (0..seen.len() as u64).map(|turn| 10 + 20 * turn).collect();
        assert_eq!(seen.iter().map(|(at, _)| *at).collect::<Vec<_>>(), places);
        assert_eq!(seen.len(), common::wire::PREFACE.len().div_ceil(3));
    }

    #[test]
    fn what_is_blocked_arrives_late_and_is_not_lost() {
        let scene = chain();
        let mut world = linked(&scene);
        world.push_bytes(0, 0, &[1; 40]);
        world.block(0, 0, true);
        world.push_bytes(0, 0, &[2; 10]);
        assert!(arrivals(&mut world).is_empty());
        assert_eq!(world.connections[0].pipes[0].held_bytes, 50);
        world.now = 3_000 * MILLISECOND;
        world.block(0, 0, false);
        assert_eq!(arrivals(&mut world), [(3_000, 10), (3_000, 0)]);
    }

    #[test]
    fn what_goes_without_acknowledgement_for_too_long_ends_the_connection() {
        let scene = chain();
        let mut world = linked(&scene);
        world.block(0, 0, true);
        world.push_bytes(0, 0, &[1; 40]);
        let epoch = world.connections[0].pipes[0].epoch;
        world.now = UNACKNOWLEDGED_MAX - 1;
        world.on_unacknowledged(0, 0, epoch);
        assert_eq!(world.connections[0].ends[0].stage, EndStage::Open);
        world.now = UNACKNOWLEDGED_MAX;
        world.on_unacknowledged(0, 0, epoch.wrapping_sub(1));
        assert_eq!(world.connections[0].ends[0].stage, EndStage::Open);
        world.on_unacknowledged(0, 0, epoch);
        assert_eq!(world.connections[0].ends[0].stage, EndStage::Gone);
        let is_told = |coming: &Coming| matches!(coming.what, What::Broken { end: 1, .. });
        assert!(world.coming.iter().any(is_told), "the other end never learns of it");
    }

    #[test]
    fn a_reset_loses_what_is_on_its_way_and_tells_each_end_by_itself() {
        let scene = chain();
        let mut world = linked(&scene);
        world.push_bytes(0, 0, &[1; 40]);
        world.push_bytes(0, 1, &[1; 40]);
        world.reset(0);
        assert_eq!(world.connections[0].pipes.each_ref().map(|pipe| pipe.held_bytes), [0, 0]);
        let told = world.coming.iter().filter(|coming| matches!(coming.what, What::Broken { .. })).count();
        assert_eq!(told, 2);
        world.on_broken(0, 0);
        world.on_broken(0, 1);
        assert!(!world.nodes[FROM].connections.contains(&0) && !world.nodes[TO].connections.contains(&0));
    }

    #[test]
    fn who_closes_says_its_last_words_first() {
        let scene = chain();
        let mut world = linked(&scene);
        world.way = Way { window_bytes: 64, cuts_percent: 0 };
        world.push_bytes(0, 0, &[1; 64]);
        let link = link_id(0, 0);
        world.with_exchange(FROM, |exchange, _, _| exchange.on_connected(link));
        world.perform(FROM, overlay::Output::Close { link });
        world.settle();
        assert_eq!(arrivals(&mut world), [(10, 0), (10, 0)]);
        assert_eq!(world.connections[0].ends[1].stage, EndStage::Gone);
    }

    #[test]
    fn what_comes_for_one_that_is_gone_is_answered_with_a_reset() {
        let scene = chain();
        for has_vanished in [false, true] {
            let mut world = linked(&scene);
            world.leave(0, 1);
            world.nodes[TO].vanished = has_vanished;
            world.push_bytes(0, 0, &[1; 40]);
            world.now = 10 * MILLISECOND;
            world.on_arrival(0, 0);
            let is_reset = world.coming.iter().any(|coming| matches!(coming.what, What::Broken { end: 0, .. }));
            assert_eq!(is_reset, !has_vanished);
        }
    }
}
