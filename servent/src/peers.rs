//! The connections with everybody: dialled, read, written, timed and closed.
//!
//! The rules about bytes and time are here: how long half a message and a close may take, what a full link means, what
//! is encoded once. It decides nothing about queries, answers or neighbors: what is heard becomes an [`Input`] of the
//! mind, and what the mind wants is done here without waiting. Time is handed in.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::Duration;

use common::dialect::{Answers, Dialect};
use common::limits::{CONNECTIONS_MAX, FRAME_WAIT_MAX};
use common::link::{Link, LinkId, Purpose, SendError};
use common::message::Message;
use common::overlay::{Dial, Input, Opening, STRANGERS_LOG};
use common::query::Query;
use common::time::Time;
use common::wire::{Accepts, EncodeError, Frame, WireError};
use slotmap::{DefaultKey, Key, KeyData, SlotMap};

use crate::connection::{Connection, Heard, READ_BYTES};
use crate::poller::{Interest, Ready, Watcher};
use crate::sockets;

/// Timers that ended, as they do all at once for a crowd that came at once, seen to in one turn of the loop; the others
/// wait for the next.
const TIMERS_PER_TURN: usize = 128;
/// How long the listening port is not used again towards one client.
const SAME_PORTS_PAUSE: Duration = Duration::from_millis(100);
/// Clients remembered for that; while there are so many, another is answered from any port.
const SAME_PORTS_MAX: usize = 1_024;
/// How long a closed connection may take to send its last words and see the other side close.
const LINGER_MAX: Duration = Duration::from_secs(2);

/// What the mind is to be told, in order.
pub(crate) type Inputs = VecDeque<Input>;

pub(crate) struct Peers {
    watcher: Watcher,
    connections: SlotMap<DefaultKey, Entry>,
    timers: BTreeSet<(Time, LinkId)>,
    unflushed: Vec<LinkId>,
    accepts: Accepts,
    listening: SocketAddr,
    /// The clients answered from the listening port in the last moment.
    dialled_from_listening: BTreeMap<SocketAddr, Time>,
    buffer: Vec<u8>,
}

struct Entry {
    connection: Connection,
    stage: Stage,
    /// When the stage has lasted too long; kept in `timers` too.
    timer: Option<Time>,
    unflushed: bool,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum Stage {
    /// Our dial is under way. The mind does not know the link yet.
    Connecting(Dial),
    /// The mind speaks on it. A timer runs while a frame has begun and not ended.
    Standing,
    /// The same, but nothing is read from it until its timer ends.
    Resting,
    /// The mind has closed it; its last words are on their way. A timer always runs.
    Closing,
}

impl Stage {
    /// Whether the mind knows the link and counts on it.
    fn is_known(self) -> bool {
        matches!(self, Stage::Standing | Stage::Resting)
    }
}

impl Peers {
    pub(crate) fn new(watcher: Watcher, accepts: Accepts, listening: SocketAddr) -> Peers {
        Peers {
            watcher,
            connections: SlotMap::new(),
            timers: BTreeSet::new(),
            unflushed: Vec::new(),
            accepts,
            listening,
            dialled_from_listening: BTreeMap::new(),
            buffer: vec![0; READ_BYTES],
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.timers.first().map(|(due, _)| *due)
    }

    // ---- what happened ----

    pub(crate) fn on_ready(&mut self, now: Time, ready: Ready, inputs: &mut Inputs) {
        // An event of a connection closed earlier in the same batch finds nothing: keys are never used again.
        let link = LinkId(ready.key as u64);
        match self.entry(link).map(|entry| entry.stage) {
            Some(Stage::Connecting(dial)) => self.on_connected(now, link, dial, inputs),
            Some(stage) if ready.readable && stage != Stage::Resting => self.on_readable(now, link, stage, inputs),
            _ => {}
        }
        if ready.writable {
            self.flush_later(link);
        }
    }

    pub(crate) fn on_time(&mut self, now: Time, inputs: &mut Inputs) {
        for _ in 0..TIMERS_PER_TURN {
            let Some((_, link)) = self.timers.first().copied().filter(|(due, _)| *due <= now) else { break };
            self.set_timer(link, None);
            match self.entry(link).map(|entry| entry.stage) {
                Some(Stage::Standing) => inputs.push_back(Input::Malformed { link, error: WireError::Unfinished }),
                Some(Stage::Resting) => self.end_rest(now, link, inputs),
                Some(_) => self.remove(link),
                None => {}
            }
        }
    }

    /// Somebody at this address connected.
    pub(crate) fn accept(&mut self, stream: TcpStream, from: SocketAddr, inputs: &mut Inputs) {
        if self.connections.len() >= CONNECTIONS_MAX {
            log::warn!(target: STRANGERS_LOG, "refusing {from}: {CONNECTIONS_MAX} connections are the most");
            return;
        }
        let link = Link::accepted(self.accepts, Purpose::Standing);
        match sockets::prepare(&stream).and_then(|()| self.insert(stream, link, Stage::Standing)) {
            Ok(link) => inputs.push_back(Input::Opened { link, opening: Opening::Accepted(from) }),
            Err(error) => log::warn!(target: STRANGERS_LOG, "cannot use the connection from {from}: {error}"),
        }
    }

    fn on_readable(&mut self, now: Time, link: LinkId, stage: Stage, inputs: &mut Inputs) {
        let Some(entry) = self.connections.get_mut(key_of(link)) else { return };
        let mut ended = None;
        let mut heard_message = false;
        entry.connection.read(&mut self.buffer, |heard| match heard {
            Heard::Message(message) => {
                heard_message = true;
                inputs.push_back(Input::Received { link, message });
            }
            Heard::Malformed(error) => inputs.push_back(Input::Malformed { link, error }),
            Heard::Ended(reason) => ended = Some(reason),
        });
        let mid_frame = entry.connection.link().is_mid_frame();
        if let Some(reason) = ended {
            self.lose(link, stage, reason, inputs);
        } else if stage == Stage::Standing {
            match (mid_frame, self.entry(link).and_then(|entry| entry.timer)) {
                (true, Some(_)) if !heard_message => {}
                (true, _) => self.set_timer(link, Some(now + FRAME_WAIT_MAX)),
                (false, _) => self.set_timer(link, None),
            }
        }
    }

    /// A dial is over: the socket has become writable, or has failed.
    fn on_connected(&mut self, now: Time, link: LinkId, dial: Dial, inputs: &mut Inputs) {
        let Some(entry) = self.connections.get_mut(key_of(link)) else { return };
        match finish_connect(entry.connection.socket()) {
            Ok(()) => {
                entry.stage = Stage::Standing;
                inputs.push_back(Input::Opened { link, opening: Opening::Dialled(dial) });
                self.flush_later(link);
                // In a dialect where whoever is dialled says nothing there is something to hear at once.
                self.on_readable(now, link, Stage::Standing, inputs);
            }
            Err(error) => {
                self.remove(link);
                inputs.push_back(dial_failed(dial, &error));
            }
        }
    }

    // ---- what is to be done ----

    pub(crate) fn send(&mut self, link: LinkId, message: &Message, inputs: &mut Inputs) {
        self.queue(link, inputs, |link| link.send(message));
    }

    pub(crate) fn send_to_all(&mut self, links: &[LinkId], query: Arc<Query>, inputs: &mut Inputs) {
        let message = Message::Query(query);
        let mut frames: Vec<(Dialect, Result<Frame, EncodeError>)> = Vec::new();
        for link in links {
            let Some(entry) = self.connections.get_mut(key_of(*link)) else { continue };
            let dialect = entry.connection.link().dialect();
            if !frames.iter().any(|(encoded, _)| *encoded == dialect) {
                frames.push((dialect, Frame::new(dialect, &message)));
            }
            let Some((_, frame)) = frames.iter().find(|(encoded, _)| *encoded == dialect) else { continue };
            self.queue(*link, inputs, |link| link.send_frame(frame.as_ref().map_err(Clone::clone)?));
        }
    }

    /// Queues something on a link. What cannot be said there is dropped; a link that takes no more is closed.
    fn queue(&mut self, link: LinkId, inputs: &mut Inputs, say: impl Fn(&mut Link) -> Result<(), SendError>) {
        let Some(entry) = self.connections.get_mut(key_of(link)) else { return };
        if !entry.stage.is_known() {
            return;
        }
        let mut said = say(entry.connection.link());
        if matches!(said, Err(SendError::Full(_))) {
            // Much was queued since the last flush: what counts is what the other end leaves unread, not our turn.
            said = match entry.connection.flush() {
                Ok(()) => say(entry.connection.link()),
                Err(error) => return self.lose(link, Stage::Standing, error.to_string(), inputs),
            };
        }
        match said {
            Ok(()) => self.flush_later(link),
            Err(error @ SendError::Full(_)) => self.lose(link, Stage::Standing, error.to_string(), inputs),
            Err(error) => log::debug!("not said on {link}: {error}"),
        }
    }

    pub(crate) fn dial(&mut self, now: Time, dial: Dial, address: SocketAddr, dialect: Dialect, inputs: &mut Inputs) {
        let purpose = match dial {
            Dial::Neighbor(_) => Purpose::Standing,
            Dial::Answers(_) => Purpose::Answers,
        };
        let dialled = if self.connections.len() >= CONNECTIONS_MAX {
            Err(io::Error::other(format!("{CONNECTIONS_MAX} connections are the most")))
        } else {
            // A client that is told nothing else knows a servent by the address its answer comes from.
            let dialled = match (dialect.manners().answers, dial) {
                (Answers::Alone { .. }, Dial::Answers(_)) if self.may_dial_from_listening(now, address) => {
                    sockets::dial_from(self.listening, address)
                }
                _ => sockets::dial(address),
            };
            dialled.and_then(|stream| self.insert(stream, Link::new(dialect, purpose), Stage::Connecting(dial)))
        };
        if let Err(error) = dialled {
            inputs.push_back(dial_failed(dial, &error));
        }
    }

    pub(crate) fn rest(&mut self, link: LinkId, until: Time, inputs: &mut Inputs) {
        match self.entry(link).map(|entry| entry.stage) {
            Some(Stage::Standing) => log::debug!("{link} asks faster than it may: it is not read for a while"),
            Some(Stage::Resting) => {}
            _ => return,
        }
        self.set_timer(link, Some(until));
        self.set_reading(link, false, inputs);
    }

    fn end_rest(&mut self, now: Time, link: LinkId, inputs: &mut Inputs) {
        self.set_reading(link, true, inputs);
        let Some(entry) = self.connections.get_mut(key_of(link)) else { return };
        // A frame that had begun before is timed from now on: nobody could have ended it meanwhile.
        let mid_frame = entry.connection.link().is_mid_frame();
        self.set_timer(link, mid_frame.then(|| now + FRAME_WAIT_MAX));
    }

    /// Whether the listening port may be used towards this address: not again at once. The end of the connection before
    /// may not have passed yet, and a connection between the same two ports would then wait a second for its first
    /// packet to be taken.
    fn may_dial_from_listening(&mut self, now: Time, address: SocketAddr) -> bool {
        let is_recent = |since: &Time| now.since(*since) < SAME_PORTS_PAUSE;
        if self.dialled_from_listening.get(&address).is_some_and(is_recent) {
            return false;
        }
        if self.dialled_from_listening.len() >= SAME_PORTS_MAX {
            self.dialled_from_listening.retain(|_, since| is_recent(since));
        }
        let has_room = self.dialled_from_listening.len() < SAME_PORTS_MAX;
        if has_room {
            self.dialled_from_listening.insert(address, now);
        }
        has_room
    }

    fn set_reading(&mut self, link: LinkId, reading: bool, inputs: &mut Inputs) {
        let Some(entry) = self.connections.get_mut(key_of(link)) else { return };
        entry.stage = if reading { Stage::Standing } else { Stage::Resting };
        if let Err(error) = entry.connection.set_reading(reading) {
            self.lose(link, Stage::Standing, error.to_string(), inputs);
        }
    }

    pub(crate) fn close(&mut self, now: Time, link: LinkId) {
        if let Some(entry) = self.connections.get_mut(key_of(link)) {
            entry.stage = Stage::Closing;
            entry.connection.close_gently();
            self.set_timer(link, Some(now + LINGER_MAX));
            self.flush_later(link);
        }
    }

    /// Gives up every dial under way: there will be nothing to say.
    pub(crate) fn give_up_dials(&mut self) {
        self.connections.retain(|_, entry| !matches!(entry.stage, Stage::Connecting(_)));
    }

    /// Writes once to every connection something was queued for.
    pub(crate) fn flush(&mut self, inputs: &mut Inputs) {
        for link in std::mem::take(&mut self.unflushed) {
            let Some(entry) = self.connections.get_mut(key_of(link)) else { continue };
            entry.unflushed = false;
            let stage = entry.stage;
            if let Err(error) = entry.connection.flush() {
                self.lose(link, stage, error.to_string(), inputs);
            }
        }
    }

    fn flush_later(&mut self, link: LinkId) {
        if let Some(entry) = self.connections.get_mut(key_of(link))
            && !matches!(entry.stage, Stage::Connecting(_))
            && !std::mem::replace(&mut entry.unflushed, true)
        {
            self.unflushed.push(link);
        }
    }

    /// Whether nothing is left to be sent to anybody.
    pub(crate) fn are_flushed(&self) -> bool {
        self.connections.values().all(|entry| entry.connection.is_flushed())
    }

    // ---- connections ----

    fn entry(&self, link: LinkId) -> Option<&Entry> {
        self.connections.get(key_of(link))
    }

    fn insert(&mut self, stream: TcpStream, link: Link, stage: Stage) -> io::Result<LinkId> {
        let interest = if stage == Stage::Standing { Interest::Read } else { Interest::Write };
        let watcher = &self.watcher;
        let key = self.connections.try_insert_with_key(|key| {
            let poller_key = usize::try_from(key.data().as_ffi()).map_err(io::Error::other)?;
            let watched = watcher.watch(stream, poller_key, interest)?;
            let connection = Connection::new(watched, link);
            Ok::<_, io::Error>(Entry { connection, stage, timer: None, unflushed: false })
        })?;
        Ok(LinkId(key.data().as_ffi()))
    }

    /// A connection is over without the mind having wanted it.
    fn lose(&mut self, link: LinkId, stage: Stage, reason: String, inputs: &mut Inputs) {
        self.remove(link);
        if stage.is_known() {
            inputs.push_back(Input::Closed { link, reason });
        }
    }

    fn remove(&mut self, link: LinkId) {
        self.set_timer(link, None);
        self.connections.remove(key_of(link));
    }

    fn set_timer(&mut self, link: LinkId, timer: Option<Time>) {
        let Some(entry) = self.connections.get_mut(key_of(link)) else { return };
        if let Some(due) = std::mem::replace(&mut entry.timer, timer) {
            self.timers.remove(&(due, link));
        }
        if let Some(due) = timer {
            self.timers.insert((due, link));
        }
    }
}

fn key_of(link: LinkId) -> DefaultKey {
    KeyData::from_ffi(link.0).into()
}

fn dial_failed(dial: Dial, error: &io::Error) -> Input {
    let refused = error.kind() == io::ErrorKind::ConnectionRefused;
    Input::DialFailed { dial, refused, reason: error.to_string() }
}

fn finish_connect(stream: &TcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    // Dialling a free port of this machine can, by chance, use that very port as its own: TCP's simultaneous open.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens there"));
    }
    sockets::prepare(stream)
}
