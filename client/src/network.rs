//! The client's sockets: the connection to its contact, the answer address, the connections servents make to it, and those
//! made to fetch what is too long to be brought.
//!
//! It tells `common::session` what happens, has the exchange do what that wants, and keeps what is to be told. Nothing is
//! done but in a turn: between two of them what comes waits in the system's buffers. Who takes turns, and when, is
//! `client`.

mod again;
mod clock;

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::io;
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::{Duration, Instant};

use common::address::{Neighbor, canonical};
use common::dialect::Dialect;
use common::exchange::{Beyond, Exchange, Heard};
use common::features::Features;
use common::key::Key;
use common::limits::{CLIENT_CONNECTIONS_MAX, CLIENT_UNSENT_BYTES_MAX, HELLO_WAIT_MAX};
use common::link::{LinkId, Purpose};
use common::message::{Message, Request};
use common::overlay::STRANGERS_LOG;
use common::random::Secret;
use common::servent_name::ServentName;
use common::session::{FetchId, Input, Output, Question, Session};
use common::time::Time;
use common::wire::{Accepts, EncodeError, Frame};
use common::write::Change;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use servent::connections::Connections;
use servent::poller::{Interest, Poller, Ready, Watched};
use servent::sockets;

use crate::error::{AskError, ConnectError, is_of_this_machine};
use crate::event::{Event, QueryNumber, Spoken};
use crate::untold::Untold;
use clock::Clock;

/// What this machine could not do, in both ways to a contact.
const CANNOT_CONNECT: &str = "cannot connect";
const CANNOT_WAIT: &str = "cannot wait for sockets";

const LISTENER: usize = 0;
const INTERRUPT: usize = 1;

/// The ports taken first where none was named. Some TP3 nodes keep ports as signed numbers, and one that is told of a
/// port above these dies of the answer; queries cross TP3 links whatever the contact speaks.
const ANSWER_PORTS: RangeInclusive<u16> = 10_000..=32_767;
/// How many of them are tried before the system is asked for any.
const ANSWER_PORT_TRIES: usize = 16;

/// More bytes than it takes to ask for members, or to have somebody greeted: a ping, and the longest address.
const MEMBERS_ASKED_BYTES_MAX: usize = 64;

/// How long it may take in all to find a servent at one of a contact's addresses.
const ATTACH_WAIT_MAX: Duration = Duration::from_secs(15);

/// A client's place in the network.
#[derive(Debug)]
pub(crate) struct Sockets {
    poller: Poller,
    /// Nothing where no answer is dialled.
    listener: Option<Watched<TcpListener>>,
    /// What ends a wait once it is readable, and what it is called.
    interrupt: Option<(Watched<OwnedFd>, &'static str)>,
    /// Where answers are heard that are dialled.
    answers_at: Option<SocketAddr>,
    contact_address: SocketAddr,
    /// What the contact has said it goes by; until then where it is.
    contact_goes_by: SocketAddr,
    contact_name: Option<ServentName>,
    /// Whose connection the contact takes it to be.
    own_ip: IpAddr,
    /// The link with the contact, also after it is gone.
    contact_link: LinkId,
    /// It has said hello, and was not told to be lost since. A connection may be there for a moment longer than that.
    is_attached: bool,
    /// What came of the hello that was last waited for.
    hello: Option<Result<(), String>>,
    connections: Connections,
    exchange: Exchange,
    session: Session,
    /// Dials under way to fetch something.
    dials: BTreeMap<LinkId, FetchId>,
    /// Those that came to nothing at once.
    failed_dials: VecDeque<(FetchId, String)>,
    /// What the contact speaks.
    dialect: Dialect,
    pub(crate) untold: Untold,
    /// The first of those who were not read in the last turn, because too much was untold: its turn is next.
    left_out: Option<usize>,
    /// Connections refused since the last query.
    refused_count: u64,
    clock: Clock,
}

impl Sockets {
    /// Connects to a contact and waits until it has said hello: to the first of its addresses where a servent does. Answers
    /// are heard at this port, 0 being any; at none they all come back by way of the contact. From the start this ends its
    /// waits, if it is given.
    pub(crate) fn attach(
        contact: &Neighbor,
        answer_port: Option<u16>,
        interrupt: Option<(BorrowedFd<'_>, &'static str)>,
    ) -> Result<Sockets, ConnectError> {
        if answer_port.is_none() && !contact.dialect.manners().brings_back {
            return Err(ConnectError::NoWayBack { contact: contact.name.clone() });
        }
        let until = Instant::now() + ATTACH_WAIT_MAX;
        let mut refusals = Refusals::default();
        for address in &contact.addresses {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                refusals.add(*address, "there was no time left for it");
                continue;
            }
            let stream = match connect(*address, left.min(HELLO_WAIT_MAX), interrupt.map(|(interrupt, _)| interrupt)) {
                Ok(Some(stream)) => stream,
                Ok(None) => {
                    let called = interrupt.map_or_else(String::new, |(_, called)| format!(" before {called}"));
                    refusals.add(*address, format_args!("it did not take the connection{called}"));
                    return Err(ConnectError::interrupted(&contact.name, refusals));
                }
                Err(error) if is_of_this_machine(&error) => {
                    return Err(ConnectError::machine(CANNOT_CONNECT)(error));
                }
                Err(error) => {
                    refusals.add(*address, error);
                    continue;
                }
            };
            // Nobody is there any more: it took the connection and ended it at once.
            let contact_address = match stream.peer_addr() {
                Ok(contact_address) => canonical(contact_address),
                Err(error) => {
                    refusals.add(*address, error);
                    continue;
                }
            };
            let mut network = Sockets::new(contact.dialect, stream, contact_address, answer_port)?;
            if let Some((interrupt, called)) = interrupt {
                let watched =
                    interrupt.try_clone_to_owned().and_then(|interrupt| network.interrupt_on(interrupt, called));
                watched.map_err(ConnectError::machine(CANNOT_WAIT))?;
            }
            match network.wait_for_hello(until)? {
                Ok(()) => return Ok(network),
                Err(reason) => refusals.add(*address, reason),
            }
            if network.is_interrupted() {
                return Err(ConnectError::interrupted(&contact.name, refusals));
            }
        }
        Err(ConnectError::no_servent(&contact.name, refusals))
    }

    fn new(
        dialect: Dialect,
        stream: TcpStream,
        contact_address: SocketAddr,
        answer_port: Option<u16>,
    ) -> Result<Sockets, ConnectError> {
        let poller = Poller::new().map_err(ConnectError::machine("cannot make a poller"))?;
        let (mut listener, mut answers_at) = (None, None);
        let mut own = stream.local_addr().map_err(ConnectError::machine("cannot tell the own address"))?;
        if let Some(answer_port) = answer_port {
            // Heard on the address the contact sees us at, and on no other.
            let opened = take_answer_port(answer_port, |port| {
                own.set_port(port);
                listen(own)
            })?;
            let opened_at = opened.local_addr().map_err(ConnectError::machine("cannot tell the answer port"))?;
            own.set_port(opened_at.port());
            answers_at = Some(canonical(own));
            listener = Some(watch_answers(&poller, opened)?);
        }
        let session_port = answers_at.map_or(0, |answers_at| answers_at.port());
        let session = Session::new(dialect, session_port, Secret::new(random()?));
        let mut network = Sockets {
            connections: Connections::new(poller.watcher()),
            poller,
            listener,
            interrupt: None,
            answers_at,
            contact_address,
            contact_goes_by: contact_address,
            contact_name: None,
            own_ip: own.ip().to_canonical(),
            contact_link: LinkId(0),
            is_attached: false,
            hello: None,
            exchange: Exchange::client(Accepts::answers_to(dialect)),
            session,
            dials: BTreeMap::new(),
            failed_dials: VecDeque::new(),
            dialect,
            untold: Untold::default(),
            left_out: None,
            refused_count: 0,
            clock: Clock::default(),
        };
        network.greet_contact(stream)?;
        Ok(network)
    }

    /// Has waits end for as long as this is readable.
    pub(crate) fn interrupt_on(&mut self, interrupt: OwnedFd, called: &'static str) -> io::Result<()> {
        self.interrupt = None;
        self.interrupt = Some((self.poller.watch(interrupt, INTERRUPT, Interest::Read)?, called));
        Ok(())
    }

    /// Whether no wait is to last any more.
    pub(crate) fn is_interrupted(&self) -> bool {
        self.interrupt.as_ref().is_some_and(|(interrupt, _)| {
            let mut ends = [PollFd::new(&**interrupt, PollFlags::IN)];
            poll(&mut ends, Some(&Timespec::default())).is_ok() && !ends[0].revents().is_empty()
        })
    }

    /// What ends its waits, and what it is called.
    pub(crate) fn interrupt(&self) -> Option<(BorrowedFd<'_>, &'static str)> {
        self.interrupt.as_ref().map(|(interrupt, called)| (interrupt.as_fd(), *called))
    }

    /// Where answers are heard that are dialled, as the contact sees it.
    pub(crate) fn answers_at(&self) -> Option<SocketAddr> {
        self.answers_at
    }

    /// Whose connection the contact takes it to be.
    pub(crate) fn own_ip(&self) -> IpAddr {
        self.own_ip
    }

    /// Which of the contact's addresses it is attached to.
    pub(crate) fn contact_address(&self) -> SocketAddr {
        self.contact_address
    }

    /// The address the contact goes by, or went by last.
    pub(crate) fn contact_goes_by(&self) -> SocketAddr {
        self.contact_goes_by
    }

    /// What the contact is called, or was called last.
    pub(crate) fn contact_name(&self) -> Option<&ServentName> {
        self.contact_name.as_ref()
    }

    /// The connection to the contact, while there is one.
    pub(crate) fn contact_socket(&self) -> Option<BorrowedFd<'_>> {
        self.connections.socket(self.contact_link).filter(|_| self.is_attached).map(AsFd::as_fd)
    }

    pub(crate) fn pending_count(&self) -> usize {
        let Sockets { session, .. } = self;
        let of_contact = [session.is_listing(), session.is_listing_files(), session.is_greeting()];
        let changes = session.writes_pending_count() + session.watches_count();
        session.pending_count() + changes + of_contact.into_iter().filter(|is_open| *is_open).count()
    }

    /// Asks, if that costs nobody the contact. What comes of it is told by this number, up to and including
    /// [`Event::Finished`].
    pub(crate) fn begin(&mut self, question: Question) -> Result<QueryNumber, AskError> {
        let query = self.ask(question)?;
        self.hear();
        Ok(query)
    }

    /// The same for one after the other until one is not asked, and what they have to say in as few writes as can be.
    pub(crate) fn begin_each(
        &mut self,
        questions: impl IntoIterator<Item = Question>,
        begun: &mut Vec<QueryNumber>,
    ) -> Result<(), AskError> {
        let asked = questions.into_iter().try_for_each(|question| {
            begun.push(self.ask(question)?);
            Ok(())
        });
        self.hear();
        asked
    }

    /// Asks the contact for the members it knows. What comes of it is told by this number, up to and including
    /// [`Event::Listed`].
    pub(crate) fn begin_members(&mut self, silence_max: Duration) -> Result<QueryNumber, AskError> {
        self.begin_of_contact(MEMBERS_ASKED_BYTES_MAX, |session, now, out| {
            Ok(session.ask_members(now, silence_max, out)?)
        })
    }

    /// Asks the contact for the files it shares. What comes of it is told by this number, up to and including
    /// [`Event::FilesListed`].
    pub(crate) fn begin_files(&mut self, prefix: &[u8], silence_max: Duration) -> Result<QueryNumber, AskError> {
        let bytes_max = MEMBERS_ASKED_BYTES_MAX + prefix.len();
        self.begin_of_contact(bytes_max, |session, now, out| Ok(session.ask_files(now, prefix, silence_max, out)?))
    }

    /// Has the contact greet whoever is at an address. What comes of it is told by this number, in [`Event::Greeted`].
    pub(crate) fn begin_greeting(
        &mut self,
        address: SocketAddr,
        silence_max: Duration,
    ) -> Result<QueryNumber, AskError> {
        self.begin_of_contact(MEMBERS_ASKED_BYTES_MAX, |session, now, out| {
            Ok(session.ask_greeting(now, address, silence_max, out)?)
        })
    }

    /// Has the contact keep something. What comes of it is told by this number, in [`Event::Written`].
    pub(crate) fn begin_write(&mut self, change: Change, silence_max: Duration) -> Result<QueryNumber, AskError> {
        let bytes_max = MEMBERS_ASKED_BYTES_MAX + change.bytes_count();
        self.begin_of_contact(bytes_max, |session, now, out| Ok(session.write(now, change, silence_max, out)?))
    }

    /// Has the contact tell of a key. What it tells goes by this number, up to and including [`Event::WatchEnded`].
    pub(crate) fn begin_watch(&mut self, key: Key) -> Result<QueryNumber, AskError> {
        let bytes_max = MEMBERS_ASKED_BYTES_MAX + key.as_bytes().len();
        self.begin_of_contact(bytes_max, |session, _, out| Ok(session.watch(key, out)?))
    }

    /// Asks the contact alone for something that is no query, in few words.
    fn begin_of_contact(
        &mut self,
        bytes_max: usize,
        ask: impl FnOnce(&mut Session, Time, &mut Vec<Output>) -> Result<u64, AskError>,
    ) -> Result<QueryNumber, AskError> {
        self.prepare_to_say(bytes_max)?;
        let now = self.now();
        let mut outputs = Vec::new();
        let sequence = ask(&mut self.session, now, &mut outputs)?;
        self.perform(now, outputs);
        self.hear();
        Ok(QueryNumber(sequence))
    }

    /// Asks, and writes nothing yet, unless that makes room.
    fn ask(&mut self, question: Question) -> Result<QueryNumber, AskError> {
        // Told here, because what its link cannot say would otherwise cost the contact.
        let request = Message::Request(Request { sequence: 0, ask: question.ask.clone(), ttl: question.ttl });
        let bytes_count = match Frame::new(self.dialect, &request) {
            Ok(frame) => frame.as_bytes().len(),
            // Nothing of it will be said: what was not offered is not asked.
            Err(EncodeError::Unspeakable(_)) if question.ask.needs() == Features::CONTENT => 0,
            Err(error) => return Err(error.into()),
        };
        // Its number may take more bytes than the one it was made with.
        self.prepare_to_say(bytes_count + size_of::<u64>())?;
        if let more @ 1.. = std::mem::take(&mut self.refused_count).saturating_sub(1) {
            log::warn!("refused more connections in the meantime: {more}");
        }
        if let Some(Err(error)) = self.listener.as_mut().map(|listener| listener.set_interest(Interest::Read)) {
            log::warn!("cannot watch the answer address: {error}");
        }
        let now = self.now();
        let mut outputs = Vec::new();
        let sequence = self.session.ask(now, question, &mut outputs)?;
        self.perform(now, outputs);
        Ok(QueryNumber(sequence))
    }

    /// Makes room for so much to be said to the contact, if there is one.
    fn prepare_to_say(&mut self, bytes_count: usize) -> Result<(), AskError> {
        if self.clock.is_going() {
            let due = self.due();
            let has_come = due.is_some_and(|due| due <= self.now()) && self.has_come();
            self.clock.settle(Instant::now(), due, has_come);
        }
        if !self.has_room(bytes_count) {
            // Much was asked since the last turn: what counts is what the contact leaves unread.
            self.exchange.on_writable(self.contact_link);
            self.hear();
        }
        if self.contact_socket().is_none() {
            return Err(AskError::ContactLost);
        }
        if !self.has_room(bytes_count) {
            return Err(AskError::Busy);
        }
        Ok(())
    }

    fn has_room(&self, bytes_count: usize) -> bool {
        self.exchange.unsent_bytes_count(self.contact_link) + bytes_count < CLIENT_UNSENT_BYTES_MAX
    }

    pub(crate) fn cancel(&mut self, QueryNumber(sequence): QueryNumber) {
        self.handle(Input::Cancel { sequence });
    }

    fn greet_contact(&mut self, stream: TcpStream) -> Result<(), ConnectError> {
        let contact = self.contact_address;
        let link = self.connections.insert(stream, Interest::Read);
        let link = link.map_err(ConnectError::machine("cannot use the connection to the contact"))?;
        self.contact_link = link;
        self.hello = None;
        self.exchange.on_dialled(link, self.dialect, Purpose::Asking);
        self.exchange.on_connected(link);
        self.handle(Input::Attached { link, contact });
        Ok(())
    }

    /// Waits until the contact has said hello, and says why it has not.
    fn wait_for_hello(&mut self, until: Instant) -> Result<Result<(), String>, ConnectError> {
        loop {
            if let Some(hello) = self.hello.take() {
                return Ok(hello);
            }
            if self.is_interrupted() {
                let called = self.interrupt.as_ref().map_or("an interrupt", |(_, called)| called);
                return Ok(Err(format!("it did not say hello before {called}")));
            }
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return Ok(Err("it did not say hello in the time that was left".to_owned()));
            }
            self.turn(Some(left)).map_err(ConnectError::machine(CANNOT_WAIT))?;
        }
    }

    fn now(&self) -> Time {
        self.clock.now(Instant::now())
    }

    /// When there is next something to be done though nothing came.
    fn due(&self) -> Option<Time> {
        [self.session.deadline(), self.exchange.deadline()].into_iter().flatten().min()
    }

    /// Whether there is something to read or to write, or somebody to take: looked at, and not dealt with.
    fn has_come(&mut self) -> bool {
        let mut ready = Vec::new();
        self.poller.wait(Some(Duration::ZERO), &mut ready).is_ok() && ready.iter().any(|event| event.key != INTERRUPT)
    }

    pub(crate) fn deadline(&self) -> Option<Instant> {
        let at = Instant::now();
        // Nothing becomes readable for what was told without reading, such as the end of a query that was cancelled.
        if !self.untold.is_empty() {
            return Some(at);
        }
        self.due().map(|due| at + due.since(self.clock.now(at)))
    }

    /// Nothing is left to tell: from now on it is waited, by whoever has a loop, and the clock goes.
    pub(crate) fn let_wait(&mut self) {
        self.clock.start(Instant::now());
    }

    /// One round: wait, at most for so long, and deal with what there is. True when there was something.
    pub(crate) fn turn(&mut self, at_most: Option<Duration>) -> io::Result<bool> {
        let was_waiting = self.clock.is_going();
        self.clock.start(Instant::now());
        let turned = self.wait_and_deal(at_most, was_waiting);
        self.clock.stop(Instant::now());
        turned
    }

    fn wait_and_deal(&mut self, at_most: Option<Duration>, was_waiting: bool) -> io::Result<bool> {
        let due = self.due();
        let wait = due.map(|due| due.since(self.now()));
        let mut ready = Vec::new();
        self.poller.wait([wait, at_most].into_iter().flatten().min(), &mut ready)?;
        let has_come = ready.iter().any(|event| event.key != INTERRUPT);
        if was_waiting {
            self.clock.settle(Instant::now(), due, has_come);
        }
        // The system names them in the same order every time: whoever was left out would be so for ever.
        if let Some(place) = ready.iter().position(|event| Some(event.key) == self.left_out) {
            ready.rotate_left(place);
        }
        self.left_out = None;
        for event in &ready {
            self.on_ready(*event);
        }
        self.exchange.on_time(self.now(), &mut self.connections);
        self.hear();
        // Whoever was not read is not silent.
        if self.left_out.is_none() && self.session.deadline().is_some_and(|deadline| deadline <= self.now()) {
            self.handle(Input::Deadline);
        }
        Ok(has_come)
    }

    fn on_ready(&mut self, ready: Ready) {
        match ready.key {
            // It ends the wait; whose it is takes what is in it.
            INTERRUPT => {}
            key if self.untold.is_full() => {
                self.left_out.get_or_insert(key);
            }
            LISTENER => self.accept(),
            key => {
                let link = Connections::link_of(key);
                if let Some(fetch) = self.dials.remove(&link) {
                    self.on_dial_over(link, fetch);
                    return;
                }
                if ready.writable {
                    self.exchange.on_writable(link);
                }
                if ready.readable {
                    self.exchange.read(self.now(), link, &mut self.connections);
                }
                self.hear();
            }
        }
    }

    fn accept(&mut self) {
        while !self.untold.is_full() {
            let Some(listener) = &self.listener else { return };
            let (stream, from) = match listener.accept() {
                Ok(accepted) => accepted,
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return,
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => continue,
                    _ => return self.on_accept_failed(&error),
                },
            };
            if self.exchange.is_full() {
                if self.refused_count == 0 {
                    log::warn!("refused a connection from {from}: {CLIENT_CONNECTIONS_MAX} are the most");
                }
                self.refused_count += 1;
                continue;
            }
            let watched = sockets::prepare(&stream).and_then(|()| self.connections.insert(stream, Interest::Read));
            match watched {
                Ok(link) => {
                    let (now, from) = (self.now(), canonical(from));
                    self.exchange.on_accepted(link, from);
                    // Whoever brings an answer in TP3 says so at once, and must not be spoken to.
                    self.exchange.read(now, link, &mut self.connections);
                    self.handle(Input::Accepted { link, from });
                }
                Err(error) => log::warn!(target: STRANGERS_LOG, "cannot use the connection from {from}: {error}"),
            }
        }
    }

    /// Mostly there are no descriptors left. A listener that is watched meanwhile would report the same without end, so
    /// it is looked at again with the next query.
    fn on_accept_failed(&mut self, error: &io::Error) {
        log::warn!(target: STRANGERS_LOG, "cannot take answers of others any more: {error}");
        self.untold.push((None, Event::NotListening { reason: error.to_string() }));
        if let Some(Err(error)) = self.listener.as_mut().map(Watched::pause) {
            log::warn!("cannot stop watching the answer address: {error}");
        }
    }

    /// Connects to whoever has something to be fetched. How long that may take is told to the system.
    fn begin_dial(&mut self, fetch: FetchId, address: SocketAddr) -> io::Result<()> {
        if self.exchange.is_full() {
            return Err(io::Error::other(format!("{CLIENT_CONNECTIONS_MAX} connections are the most")));
        }
        let link = self.connections.insert(sockets::dial(address)?, Interest::Write)?;
        self.exchange.on_dialled(link, Dialect::OWN, Purpose::Asking);
        self.dials.insert(link, fetch);
        Ok(())
    }

    /// A dial is over: the socket has become writable, or has failed.
    fn on_dial_over(&mut self, link: LinkId, fetch: FetchId) {
        let socket = self.connections.socket(link).ok_or(io::ErrorKind::NotConnected.into());
        let input = match socket.and_then(sockets::finish_dial) {
            Ok(()) => {
                self.exchange.on_connected(link);
                Input::Dialled { fetch, link }
            }
            Err(error) => {
                self.exchange.forget(self.now(), link, &mut self.connections);
                Input::DialFailed { fetch, reason: error.to_string() }
            }
        };
        self.handle(input);
    }

    /// Tells the mind something, and what comes of it.
    fn handle(&mut self, input: Input) {
        self.tell(input);
        self.hear();
    }

    /// Tells the mind what was heard, and writes what it says to that.
    fn hear(&mut self) {
        loop {
            if let Some((fetch, reason)) = self.failed_dials.pop_front() {
                self.tell(Input::DialFailed { fetch, reason });
            } else if let Some((link, heard)) = self.next_heard() {
                self.tell(heard.for_client(link));
            } else {
                return;
            }
        }
    }

    /// What was heard, and then what writing brings to light.
    fn next_heard(&mut self) -> Option<(LinkId, Heard)> {
        let now = self.now();
        let heard = self.exchange.next_heard(now, &mut self.connections);
        heard.or_else(|| {
            self.exchange.flush(now, &mut self.connections);
            self.exchange.next_heard(now, &mut self.connections)
        })
    }

    fn tell(&mut self, input: Input) {
        let now = self.now();
        let mut outputs = Vec::new();
        self.session.handle(now, input, &mut outputs);
        self.perform(now, outputs);
    }

    fn perform(&mut self, now: Time, outputs: Vec<Output>) {
        for output in outputs {
            let report = match self.exchange.perform_for_client(now, output, &mut self.connections) {
                None => continue,
                Some(Beyond::Tell(report)) => report,
                Some(Beyond::Dial { fetch, address }) => {
                    if let Err(error) = self.begin_dial(fetch, address) {
                        // Told when what is being performed is done.
                        self.failed_dials.push_back((fetch, error.to_string()));
                    }
                    continue;
                }
            };
            match report.into() {
                Spoken::Hello(hello) => {
                    self.is_attached = hello.is_ok();
                    self.contact_name = self.session.contact_name().cloned();
                    self.contact_goes_by = self.session.contact_goes_by().unwrap_or(self.contact_address);
                    self.hello = Some(hello);
                }
                Spoken::Told(told) => {
                    self.is_attached &= !matches!(told.1, Event::ContactLost { .. });
                    self.untold.push(told);
                }
            }
        }
    }
}

impl AsFd for Sockets {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}

/// Opens the answer address.
fn listen(own: SocketAddr) -> Result<TcpListener, ConnectError> {
    sockets::listen(own).map_err(|error| ConnectError::Machine { what: "no answer address", source: error.into() })
}

fn watch_answers(poller: &Poller, listener: TcpListener) -> Result<Watched<TcpListener>, ConnectError> {
    let watched = poller.watch(listener, LISTENER, Interest::Read);
    watched.map_err(ConnectError::machine("cannot watch the answer address"))
}

/// Listens on the port that was named or, where none was (0), on one that everybody can dial if there is such a one.
fn take_answer_port<Listener>(
    named: u16,
    mut listen: impl FnMut(u16) -> Result<Listener, ConnectError>,
) -> Result<Listener, ConnectError> {
    if named == 0 {
        for _ in 0..ANSWER_PORT_TRIES {
            let span = ANSWER_PORTS.end() - ANSWER_PORTS.start() + 1;
            let port = ANSWER_PORTS.start() + u16::from_ne_bytes(random()?) % span;
            if let Ok(listener) = listen(port) {
                return Ok(listener);
            }
        }
    }
    listen(named)
}

fn random<const COUNT: usize>() -> Result<[u8; COUNT], ConnectError> {
    let mut bytes = [0; COUNT];
    let filled = getrandom::fill(&mut bytes).map_err(|error| io::Error::other(error.to_string()));
    filled.map_err(ConnectError::machine("the system gives no random numbers"))?;
    Ok(bytes)
}

/// Connects; nothing where this became readable before.
fn connect(address: SocketAddr, at_most: Duration, interrupt: Option<BorrowedFd<'_>>) -> io::Result<Option<TcpStream>> {
    let stream = sockets::dial_within(address, at_most)?;
    let until = Instant::now() + at_most;
    loop {
        let mut ends = vec![PollFd::new(&stream, PollFlags::OUT)];
        ends.extend(interrupt.as_ref().map(|interrupt| PollFd::new(interrupt, PollFlags::IN)));
        let left = Timespec::try_from(until.saturating_duration_since(Instant::now())).map_err(io::Error::other)?;
        match poll(&mut ends, Some(&left)) {
            Ok(0) => return Err(io::Error::new(io::ErrorKind::TimedOut, "connection timed out")),
            Ok(_) => {}
            Err(Errno::INTR) => continue,
            Err(error) => return Err(error.into()),
        }
        let mut is_ready = ends.iter().map(|end| !end.revents().is_empty());
        if is_ready.next() == Some(true) {
            break;
        }
        if is_ready.next() == Some(true) {
            return Ok(None);
        }
    }
    sockets::finish_dial(&stream)?;
    Ok(Some(stream))
}

/// Why there is no servent at any of a contact's addresses.
#[derive(Debug, Default)]
struct Refusals(Vec<(SocketAddr, String)>);

impl Refusals {
    fn add(&mut self, address: SocketAddr, reason: impl fmt::Display) {
        self.0.push((address, format!("{reason}")));
    }
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // The one address of a contact is mostly its name.
        if let [(_, reason)] = &self.0[..] {
            return f.write_str(reason);
        }
        for (place, (address, reason)) in self.0.iter().enumerate() {
            let separator = if place == 0 { "" } else { "; " };
            write!(f, "{separator}{address}: {reason}")?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::message::{Hello, Role, ServentId};
    use common::wire::{PREFACE, Position};
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn in_use() -> ConnectError {
        ConnectError::machine("no answer address")(io::ErrorKind::AddrInUse.into())
    }

    #[test]
    fn a_port_that_was_named_is_the_only_one_tried() {
        let mut tried = Vec::new();
        let taken: Result<(), _> = take_answer_port(40_000, |port| {
            tried.push(port);
            Err(in_use())
        });
        assert!(taken.is_err());
        assert_eq!(tried, [40_000]);
    }

    #[test]
    fn where_no_port_was_named_ports_that_fit_signed_numbers_come_first_and_then_any() {
        let mut tried = Vec::new();
        let taken = take_answer_port(0, |port| {
            tried.push(port);
            if port == 0 { Ok(port) } else { Err(in_use()) }
        });
        assert_eq!(taken.unwrap(), 0);
        assert_eq!(tried.len(), ANSWER_PORT_TRIES + 1);
        assert!(tried[..ANSWER_PORT_TRIES].iter().all(|port| ANSWER_PORTS.contains(port)), "{tried:?}");
        assert!(tried[..ANSWER_PORT_TRIES].iter().any(|port| *port != tried[0]), "they are drawn: {tried:?}");
        let taken = take_answer_port(0, Ok).unwrap();
        assert!(ANSWER_PORTS.contains(&taken) && *ANSWER_PORTS.end() == i16::MAX.unsigned_abs());
    }

    /// Somebody who does this with the first connection.
    fn somebody(act: impl FnOnce(TcpStream) + Send + 'static) -> SocketAddr {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        std::thread::spawn(move || act(listener.accept().unwrap().0));
        address
    }

    fn servent() -> SocketAddr {
        somebody(|mut stream| {
            let advertised = stream.local_addr().unwrap();
            let hello = Message::Hello(Hello::new(Role::Servent { id: ServentId(7), advertised }));
            let hello = Frame::at(Position::First, Dialect::Native, 0, &hello).unwrap();
            stream.write_all(&[&PREFACE[..], hello.as_bytes()].concat()).unwrap();
            // It stays for as long as it is wanted.
            io::copy(&mut stream, &mut io::sink()).unwrap();
        })
    }

    fn web_server() -> SocketAddr {
        somebody(|mut stream| {
            stream.write_all(b"HTTP/1.1 400 Bad Request\r\n\r\n").unwrap();
            let _ = io::copy(&mut stream, &mut io::sink());
        })
    }

    fn attach(addresses: Vec<SocketAddr>) -> Result<Sockets, ConnectError> {
        let contact = Neighbor { name: "somewhere:9000".to_owned(), addresses, dialect: Dialect::Native };
        Sockets::attach(&contact, Some(0), None)
    }

    #[test]
    fn the_first_address_where_a_servent_is_is_the_contact() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let (hasty, other) = (somebody(drop), servent());
        let network = attach(vec![nobody, web_server(), hasty, other, servent()]).unwrap();
        assert_eq!(network.contact_address(), other);
    }

    #[test]
    fn where_no_address_is_a_servents_all_are_named_with_what_is_wrong_there() {
        let nobody = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let other = web_server();
        let Err(error) = attach(vec![nobody, other]) else { panic!("attached") };
        assert!(matches!(error, ConnectError::NoServent { .. }));
        assert_eq!(
            error.to_string(),
            format!(
                "no servent at contact somewhere:9000: {nobody}: Connection refused (os error 111); {other}: it does not \
                 speak our protocol: its first bytes are 48 54 54 50 2f 31 2e 31"
            )
        );
    }

    #[test]
    fn whoever_interrupts_waits_for_no_connection() {
        let (interrupt, mut on_interrupt) = UnixStream::pair().unwrap();
        let mut contact = Neighbor { name: "here".to_owned(), addresses: vec![servent()], dialect: Dialect::Native };
        let mut network = Sockets::attach(&contact, Some(0), None).unwrap();
        network.interrupt_on(interrupt.into(), "Ctrl-C").unwrap();
        // Where as many connections wait as may, one more is neither taken nor refused.
        let full = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&full, 0).unwrap();
        let address = full.local_addr().unwrap();
        let _waits = TcpStream::connect(address).unwrap();
        contact.addresses = vec![address];
        on_interrupt.write_all(b"c").unwrap();
        let error = network.attach_again(&contact).unwrap_err();
        assert!(matches!(error, ConnectError::Interrupted { .. }), "{error:?}");
        assert_eq!(error.to_string(), "no servent at contact here: it did not take the connection before Ctrl-C");
    }

    #[test]
    fn a_port_that_is_taken_where_the_contact_sees_us_now_is_no_fault_of_the_contact() {
        let mut contact = Neighbor { name: "here".to_owned(), addresses: vec![servent()], dialect: Dialect::Native };
        let mut network = Sockets::attach(&contact, Some(0), None).unwrap();
        let _taken = TcpListener::bind(("::1", network.answers_at().unwrap().port())).unwrap();
        let moved = TcpListener::bind("[::1]:0").unwrap();
        contact.addresses = vec![moved.local_addr().unwrap()];
        let error = network.attach_again(&contact).unwrap_err();
        assert!(matches!(error, ConnectError::Machine { what: "no answer address", .. }), "{error:?}");
    }

    #[test]
    fn what_this_machine_cannot_do_is_no_refusal_by_a_contact() {
        use again::NotAttached;
        let of = |errno: Errno| NotAttached::from(io::Error::from(errno));
        assert!(matches!(of(Errno::MFILE), NotAttached::Failed(ConnectError::Machine { .. })));
        assert!(matches!(of(Errno::CONNREFUSED), NotAttached::Refused(_)));
    }
}
