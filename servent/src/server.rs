//! The loop: wait, read, let the mind decide, do what it wants, write, wait again.
//!
//! It performs the outputs of the mind and reports what comes of them; it decides nothing about queries, answers or
//! neighbors. What it does see to is what only a machine has: descriptors that run out, sockets that linger, signals.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use common::address::canonical;
use common::counted::{counted, grouped, lasted};
use common::dialect::Dialect;
use common::limits::{CONNECTIONS_MAX, FRAME_WAIT_MAX};
use common::link::{Link, LinkId, Purpose, SendError};
use common::message::Message;
use common::overlay::Config;
use common::overlay::{Dial, Input, Opening, Output, Overlay, STRANGERS_LOG};
use common::query::Query;
use common::store::Store;
use common::time::Time;
use common::wire::{Accepts, EncodeError, Frame, WireError};
use slotmap::{DefaultKey, Key, KeyData, SlotMap};

use crate::connection::{Connection, Heard, READ_BYTES};
use crate::data;
use crate::options::{DataSource, Options};
use crate::pauses::Pauses;
use crate::poller::{Interest, Poller, Ready, Watched};
use crate::signals::Signals;
use crate::sockets;

/// Connections accepted in one turn of the loop; the others wait for the next.
const ACCEPTS_PER_TURN: usize = 128;
/// Timers that ended, as they do all at once for a crowd that came at once, seen to in one turn of the loop; the others
/// wait for the next.
const TIMERS_PER_TURN: usize = 128;
/// How long the listening port is not used again towards one client.
const SAME_PORTS_PAUSE: Duration = Duration::from_millis(100);
/// Clients remembered for that; while there are so many, another is answered from any port.
const SAME_PORTS_MAX: usize = 1_024;
/// How long nothing is accepted after descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);
/// How long a closed connection may take to send its last words and see the other side close.
const LINGER_MAX: Duration = Duration::from_secs(2);
/// How long a servent that was told to stop may take to send its last words.
const LEAVE_MAX: Duration = Duration::from_secs(2);

// Keys of what is watched besides connections, whose keys have the version of their slot (1 or more) in the upper half.
const LISTENER: usize = 0;
const LEAVE_SIGNAL: usize = 1;
const RELOAD_SIGNAL: usize = 2;

pub(crate) struct Server {
    poller: Poller,
    listener: Option<Watched<TcpListener>>,
    leave_signal: Watched<UnixStream>,
    reload_signal: Watched<UnixStream>,
    /// While it is true nobody watches for signals.
    starting: Arc<AtomicBool>,
    connections: SlotMap<DefaultKey, Entry>,
    timers: BTreeSet<(Time, LinkId)>,
    unflushed: Vec<LinkId>,
    overlay: Overlay,
    inputs: VecDeque<Input>,
    outputs: Vec<Output>,
    data: DataSource,
    accepts: Accepts,
    listening: SocketAddr,
    /// The clients answered from the listening port in the last moment.
    dialled_from_listening: BTreeMap<SocketAddr, Time>,
    started: Instant,
    leaving_until: Option<Time>,
    accept_again_at: Option<Time>,
    /// Closed for a moment when descriptors run out, so that a connection can be accepted only to be closed: left in
    /// the backlog it would wake the loop for ever.
    spare: Option<File>,
    buffer: Vec<u8>,
    pauses: Pauses,
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

impl Server {
    pub(crate) fn new(
        listener: TcpListener,
        config: &Config,
        store: Arc<Store>,
        options: &Options,
        signals: Signals,
    ) -> anyhow::Result<Server> {
        sockets::raise_descriptor_limit();
        let poller = Poller::new().context("cannot make a poller")?;
        let listening = listener.local_addr().context("cannot tell the address listened on")?;
        let listener = poller.watch(listener, LISTENER, Interest::Read).context("cannot watch the listener")?;
        let watch = |signal, key| poller.watch(signal, key, Interest::Read).context("cannot watch for signals");
        let leave_signal = watch(signals.leave, LEAVE_SIGNAL)?;
        let reload_signal = watch(signals.reload, RELOAD_SIGNAL)?;
        Ok(Server {
            poller,
            listener: Some(listener),
            leave_signal,
            reload_signal,
            starting: signals.starting,
            connections: SlotMap::new(),
            timers: BTreeSet::new(),
            unflushed: Vec::new(),
            overlay: Overlay::new(config, store),
            inputs: VecDeque::new(),
            outputs: Vec::new(),
            data: options.data.clone(),
            accepts: if options.tp3 { Accepts::Both } else { Accepts::Native },
            listening,
            dialled_from_listening: BTreeMap::new(),
            started: Instant::now(),
            leaving_until: None,
            accept_again_at: None,
            spare: open_spare(),
            buffer: vec![0; READ_BYTES],
            pauses: Pauses::default(),
        })
    }

    /// Serves until told to stop. An error is one that no waiting mends.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        self.starting.store(false, Ordering::SeqCst);
        let mut ready = Vec::new();
        loop {
            let timeout = self.deadline().map(|deadline| deadline.since(self.now()));
            self.poller.wait(timeout, &mut ready).context("cannot wait for sockets")?;
            let woken = Instant::now();
            for event in &ready {
                self.on_ready(*event);
                self.think();
            }
            self.on_time();
            self.think();
            self.flush();
            self.pauses.add(woken.elapsed());
            if self.has_left() {
                self.log_last_words();
                return Ok(());
            }
        }
    }

    fn now(&self) -> Time {
        Time::after_start(self.started.elapsed())
    }

    fn deadline(&self) -> Option<Time> {
        if !self.inputs.is_empty() {
            return Some(Time::START);
        }
        let mind = if self.leaving_until.is_none() { self.overlay.deadline() } else { None };
        let timer = self.timers.first().map(|(due, _)| *due);
        [mind, timer, self.accept_again_at, self.leaving_until].into_iter().flatten().min()
    }

    // ---- what happened ----

    fn on_ready(&mut self, ready: Ready) {
        match ready.key {
            LISTENER => self.accept(),
            LEAVE_SIGNAL => self.on_leave_signal(),
            RELOAD_SIGNAL => self.on_reload_signal(),
            // An event of a connection closed earlier in the same batch finds nothing: keys are never used again.
            key => {
                let link = LinkId(key as u64);
                match self.entry(link).map(|entry| entry.stage) {
                    Some(Stage::Connecting(dial)) => self.on_connected(link, dial),
                    Some(stage) if ready.readable && stage != Stage::Resting => self.on_readable(link, stage),
                    _ => {}
                }
                if ready.writable {
                    self.flush_later(link);
                }
            }
        }
    }

    fn on_time(&mut self) {
        let now = self.now();
        for _ in 0..TIMERS_PER_TURN {
            let Some((_, link)) = self.timers.first().copied().filter(|(due, _)| *due <= now) else { break };
            self.set_timer(link, None);
            match self.entry(link).map(|entry| entry.stage) {
                Some(Stage::Standing) => self.inputs.push_back(Input::Malformed { link, error: WireError::Unfinished }),
                Some(Stage::Resting) => self.end_rest(link),
                Some(_) => self.remove(link),
                None => {}
            }
        }
        if self.accept_again_at.is_some_and(|again| again <= now) {
            self.accept_again_at = None;
            if let Some(listener) = &mut self.listener
                && let Err(error) = listener.set_interest(Interest::Read)
            {
                log::error!("cannot watch the listener again: {error}");
            }
        }
        // A servent that leaves dials nobody any more.
        if self.leaving_until.is_none() && self.overlay.deadline().is_some_and(|deadline| deadline <= now) {
            self.inputs.push_back(Input::Deadline);
        }
    }

    fn on_leave_signal(&mut self) {
        drain(&self.leave_signal);
        if self.leaving_until.is_none() {
            log::info!("told to stop: saying goodbye");
            self.leaving_until = Some(self.now() + LEAVE_MAX);
            self.listener = None;
            self.connections.retain(|_, entry| !matches!(entry.stage, Stage::Connecting(_)));
            self.inputs.push_back(Input::Leave);
        }
    }

    fn on_reload_signal(&mut self) {
        drain(&self.reload_signal);
        match data::load(&self.data) {
            Ok(store) => self.inputs.push_back(Input::Reloaded(Arc::new(store))),
            Err(error) => log::error!("{error:#}; the data read before stays"),
        }
    }

    fn on_readable(&mut self, link: LinkId, stage: Stage) {
        let Some(entry) = self.connections.get_mut(key_of(link)) else { return };
        let inputs = &mut self.inputs;
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
            self.lose(link, stage, reason);
        } else if stage == Stage::Standing {
            match (mid_frame, self.entry(link).and_then(|entry| entry.timer)) {
                (true, Some(_)) if !heard_message => {}
                (true, _) => self.set_timer(link, Some(self.now() + FRAME_WAIT_MAX)),
                (false, _) => self.set_timer(link, None),
            }
        }
    }

    /// A dial is over: the socket has become writable, or has failed.
    fn on_connected(&mut self, link: LinkId, dial: Dial) {
        let Some(entry) = self.connections.get_mut(key_of(link)) else { return };
        match finish_connect(entry.connection.socket()) {
            Ok(()) => {
                entry.stage = Stage::Standing;
                self.inputs.push_back(Input::Opened { link, opening: Opening::Dialled(dial) });
                self.flush_later(link);
                // In a dialect where whoever is dialled says nothing there is something to hear at once.
                self.on_readable(link, Stage::Standing);
            }
            Err(error) => {
                self.remove(link);
                self.inputs.push_back(dial_failed(dial, &error));
            }
        }
    }

    fn accept(&mut self) {
        for _ in 0..ACCEPTS_PER_TURN {
            let Some(listener) = &self.listener else { return };
            match listener.accept() {
                Ok((stream, from)) => self.on_accepted(stream, canonical(from)),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return,
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                    _ => return self.on_accept_failed(&error),
                },
            }
        }
    }

    fn on_accepted(&mut self, stream: TcpStream, from: SocketAddr) {
        if self.connections.len() >= CONNECTIONS_MAX {
            log::warn!(target: STRANGERS_LOG, "refusing {from}: {CONNECTIONS_MAX} connections are the most");
            return;
        }
        let link = Link::accepted(self.accepts, Purpose::Standing);
        match sockets::prepare(&stream).and_then(|()| self.insert(stream, link, Stage::Standing)) {
            Ok(link) => self.inputs.push_back(Input::Opened { link, opening: Opening::Accepted(from) }),
            Err(error) => log::warn!(target: STRANGERS_LOG, "cannot use the connection from {from}: {error}"),
        }
    }

    fn on_accept_failed(&mut self, error: &io::Error) {
        log::warn!(target: STRANGERS_LOG, "cannot accept: {error}; trying again in {} ms", ACCEPT_PAUSE.as_millis());
        self.spare = None;
        if let Some(listener) = &mut self.listener {
            // Accepted with the spare descriptor and closed at once, so that somebody is told instead of left waiting.
            let _ = listener.accept();
            if let Err(error) = listener.pause() {
                log::error!("cannot stop watching the listener: {error}");
            }
        }
        self.spare = open_spare();
        self.accept_again_at = Some(self.now() + ACCEPT_PAUSE);
    }

    // ---- what is to be done ----

    /// Lets the mind take every input and performs what it wants, until it wants nothing more.
    fn think(&mut self) {
        while let Some(input) = self.inputs.pop_front() {
            let now = self.now();
            self.overlay.handle(now, input, &mut self.outputs);
            let mut outputs = std::mem::take(&mut self.outputs);
            for output in outputs.drain(..) {
                self.perform(output);
            }
            self.outputs = outputs;
        }
    }

    fn perform(&mut self, output: Output) {
        match output {
            Output::Send { link, message } => self.send(link, &message),
            Output::Flood { links, query } => self.send_to_all(&links, query),
            Output::Dial { dial, address, dialect } => self.dial(dial, address, dialect),
            Output::Rest { link, until } => self.rest(link, until),
            Output::Close { link } => self.close(link),
        }
    }

    fn send(&mut self, link: LinkId, message: &Message) {
        self.queue(link, |link| link.send(message));
    }

    fn send_to_all(&mut self, links: &[LinkId], query: Arc<Query>) {
        let message = Message::Query(query);
        let mut frames: Vec<(Dialect, Result<Frame, EncodeError>)> = Vec::new();
        for link in links {
            let Some(entry) = self.connections.get_mut(key_of(*link)) else { continue };
            let dialect = entry.connection.link().dialect();
            if !frames.iter().any(|(encoded, _)| *encoded == dialect) {
                frames.push((dialect, Frame::new(dialect, &message)));
            }
            let Some((_, frame)) = frames.iter().find(|(encoded, _)| *encoded == dialect) else { continue };
            self.queue(*link, |link| link.send_frame(frame.as_ref().map_err(Clone::clone)?));
        }
    }

    /// Queues something on a link. What cannot be said there is dropped; a link that takes no more is closed.
    fn queue(&mut self, link: LinkId, say: impl Fn(&mut Link) -> Result<(), SendError>) {
        let Some(entry) = self.connections.get_mut(key_of(link)) else { return };
        if !entry.stage.is_known() {
            return;
        }
        let mut said = say(entry.connection.link());
        if matches!(said, Err(SendError::Full(_))) {
            // Much was queued since the last flush: what counts is what the other end leaves unread, not our turn.
            said = match entry.connection.flush() {
                Ok(()) => say(entry.connection.link()),
                Err(error) => return self.lose(link, Stage::Standing, error.to_string()),
            };
        }
        match said {
            Ok(()) => self.flush_later(link),
            Err(error @ SendError::Full(_)) => self.lose(link, Stage::Standing, error.to_string()),
            Err(error) => log::debug!("not said on {link}: {error}"),
        }
    }

    fn dial(&mut self, dial: Dial, address: SocketAddr, dialect: Dialect) {
        let purpose = match dial {
            Dial::Neighbor(_) => Purpose::Standing,
            Dial::Answers(_) => Purpose::Answers,
        };
        let dialled = if self.connections.len() >= CONNECTIONS_MAX {
            Err(io::Error::other(format!("{CONNECTIONS_MAX} connections are the most")))
        } else {
            // A TP3 client knows a servent only by the address its answer comes from.
            let dialled = match (dialect, dial) {
                (Dialect::Tp3, Dial::Answers(_)) if self.may_dial_from_listening(address) => {
                    sockets::dial_from(self.listening, address)
                }
                _ => sockets::dial(address),
            };
            dialled.and_then(|stream| self.insert(stream, Link::new(dialect, purpose), Stage::Connecting(dial)))
        };
        if let Err(error) = dialled {
            self.inputs.push_back(dial_failed(dial, &error));
        }
    }

    fn rest(&mut self, link: LinkId, until: Time) {
        match self.entry(link).map(|entry| entry.stage) {
            Some(Stage::Standing) => log::debug!("{link} asks faster than it may: it is not read for a while"),
            Some(Stage::Resting) => {}
            _ => return,
        }
        self.set_timer(link, Some(until));
        self.set_reading(link, false);
    }

    fn end_rest(&mut self, link: LinkId) {
        self.set_reading(link, true);
        let Some(entry) = self.connections.get_mut(key_of(link)) else { return };
        // A frame that had begun before is timed from now on: nobody could have ended it meanwhile.
        let mid_frame = entry.connection.link().is_mid_frame();
        self.set_timer(link, mid_frame.then(|| self.now() + FRAME_WAIT_MAX));
    }

    /// Whether the listening port may be used towards this address: not again at once. The end of the connection before
    /// may not have passed yet, and a connection between the same two ports would then wait a second for its first
    /// packet to be taken.
    fn may_dial_from_listening(&mut self, address: SocketAddr) -> bool {
        let now = self.now();
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

    fn set_reading(&mut self, link: LinkId, reading: bool) {
        let Some(entry) = self.connections.get_mut(key_of(link)) else { return };
        entry.stage = if reading { Stage::Standing } else { Stage::Resting };
        if let Err(error) = entry.connection.set_reading(reading) {
            self.lose(link, Stage::Standing, error.to_string());
        }
    }

    fn close(&mut self, link: LinkId) {
        let until = self.now() + LINGER_MAX;
        if let Some(entry) = self.connections.get_mut(key_of(link)) {
            entry.stage = Stage::Closing;
            entry.connection.close_gently();
            self.set_timer(link, Some(until));
            self.flush_later(link);
        }
    }

    /// Writes once to every connection something was queued for.
    fn flush(&mut self) {
        for link in std::mem::take(&mut self.unflushed) {
            let Some(entry) = self.connections.get_mut(key_of(link)) else { continue };
            entry.unflushed = false;
            let stage = entry.stage;
            if let Err(error) = entry.connection.flush() {
                self.lose(link, stage, error.to_string());
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

    // ---- connections ----

    fn entry(&self, link: LinkId) -> Option<&Entry> {
        self.connections.get(key_of(link))
    }

    fn insert(&mut self, stream: TcpStream, link: Link, stage: Stage) -> io::Result<LinkId> {
        let interest = if stage == Stage::Standing { Interest::Read } else { Interest::Write };
        let poller = &self.poller;
        let key = self.connections.try_insert_with_key(|key| {
            let poller_key = usize::try_from(key.data().as_ffi()).map_err(io::Error::other)?;
            let watched = poller.watch(stream, poller_key, interest)?;
            let connection = Connection::new(watched, link);
            Ok::<_, io::Error>(Entry { connection, stage, timer: None, unflushed: false })
        })?;
        Ok(LinkId(key.data().as_ffi()))
    }

    /// A connection is over without the mind having wanted it.
    fn lose(&mut self, link: LinkId, stage: Stage, reason: String) {
        self.remove(link);
        if stage.is_known() {
            self.inputs.push_back(Input::Closed { link, reason });
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

    fn has_left(&self) -> bool {
        self.leaving_until.is_some_and(|until| {
            until <= self.now() || self.connections.values().all(|entry| entry.connection.is_flushed())
        })
    }

    fn log_last_words(&self) {
        // What was counted comes before them.
        log::logger().flush();
        let held = self.overlay.holdings().filter(|holding| holding.value > 0);
        let held: Vec<String> = held.map(|holding| holding.to_string()).collect();
        log::debug!("held and counted: {}", held.join(", "));
        log::debug!("{}", self.pauses);
        let [queries, answered] = ["queries", "answered"].map(|name| self.overlay.holding(name).unwrap_or_default());
        let [queries, answered] = [counted(queries, "query").to_string(), grouped(answered).to_string()];
        log::info!("served {queries}, answered {answered}, {}", lasted(self.started.elapsed()));
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

fn drain(signal: &Watched<UnixStream>) {
    let mut bytes = [0; 64];
    while (&**signal).read(&mut bytes).is_ok_and(|count| count > 0) {}
}

fn open_spare() -> Option<File> {
    File::open("/dev/null").ok()
}
