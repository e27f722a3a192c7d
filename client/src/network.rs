//! The client's sockets: the connection to its contact, the answer address, and the connections servents make to it.
//!
//! It tells `common::session` what happens, has the exchange do what that wants, and hands on its reports. Between two
//! queries nothing is read: what came meanwhile waits in the system's buffers until [`Sockets::catch_up`] or the next
//! query.

mod again;

use std::fmt;
use std::io::{self, Read};
use std::iter;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::RangeInclusive;
use std::os::unix::net::UnixStream;
use std::time::{Duration, Instant};

use anyhow::Context;
use common::address::{Neighbor, canonical};
use common::dialect::Dialect;
use common::exchange::{Exchange, Heard};
use common::limits::{CLIENT_CONNECTIONS_MAX, HELLO_WAIT_MAX};
use common::link::{LinkId, Purpose};
use common::message::{Message, Request};
use common::overlay::STRANGERS_LOG;
use common::query::Ask;
use common::session::{Input, Output, Question, Report, Session};
use common::time::Time;
use common::wire::{Accepts, Frame};
use rustix::io::Errno;
use servent::connections::Connections;
use servent::poller::{Interest, Poller, Ready, Watched};
use servent::sockets;

use crate::reports::Reports;

const LISTENER: usize = 0;
const INTERRUPT: usize = 1;

/// Turns spent on what came since the last query: somebody who never stops sending must not keep the next from being
/// asked.
const CATCH_UP_TURNS_MAX: usize = 64;

/// The ports taken first where none was named. Some TP3 nodes keep ports as signed numbers, and one that is told of a
/// port above these dies of the answer; queries cross TP3 links whatever the contact speaks.
const ANSWER_PORTS: RangeInclusive<u16> = 10_000..=32_767;
/// How many of them are tried before the system is asked for any.
const ANSWER_PORT_TRIES: usize = 16;

/// How long it may take in all to find a servent at one of a contact's addresses.
const ATTACH_WAIT_MAX: Duration = Duration::from_secs(15);

/// Why there is no contact to ask.
#[derive(Debug)]
pub(crate) struct AttachError {
    contact: String,
    reason: String,
}

impl AttachError {
    pub(crate) fn new(contact: impl Into<String>, reason: impl fmt::Display) -> AttachError {
        AttachError { contact: contact.into(), reason: format!("{reason}") }
    }
}

impl fmt::Display for AttachError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "no servent at contact {}: {}", self.contact, self.reason)
    }
}

impl std::error::Error for AttachError {}

/// Whether an error is about what this machine has left, and not about whom we wanted to reach.
pub(crate) fn is_of_this_machine(error: &io::Error) -> bool {
    let own = [Errno::MFILE, Errno::NFILE, Errno::NOMEM, Errno::NOBUFS];
    error.raw_os_error().is_some_and(|code| own.iter().any(|errno| errno.raw_os_error() == code))
}

/// A client's place in the network.
pub(crate) struct Sockets {
    poller: Poller,
    listener: Watched<TcpListener>,
    interrupt: Watched<UnixStream>,
    interrupted: bool,
    /// Whether answers could not be taken because of this machine.
    failed: bool,
    /// Where answers are heard.
    answers_at: SocketAddr,
    contact_address: SocketAddr,
    /// The link with the contact, also after it is gone.
    contact_link: LinkId,
    connections: Connections,
    exchange: Exchange,
    session: Session,
    silence_max: Duration,
    answers_wanted: Option<u64>,
    /// What was asked last. One query is asked at a time.
    asked: Option<u64>,
    /// What the contact speaks.
    dialect: Dialect,
    reports: Reports,
    /// The first of those who were not read in the last turn, because the reports were full: its turn is next.
    left_out: Option<usize>,
    /// Connections refused since the last query.
    refused_count: u64,
    /// How long all turns took that are over. Time goes by in turns only: while what came is being told nothing is read,
    /// and nobody is to be found silent then.
    clock: Duration,
    turn_began: Option<Instant>,
}

impl Sockets {
    /// Connects to a contact and waits until it has said hello: to the first of its addresses where a servent does.
    /// `interrupt` becomes readable when the person has had enough of a query.
    pub(crate) fn attach(
        contact: &Neighbor,
        answer_port: u16,
        silence_max: Duration,
        answers_wanted: Option<u64>,
        interrupt: &UnixStream,
    ) -> anyhow::Result<Sockets> {
        sockets::raise_descriptor_limit();
        let until = Instant::now() + ATTACH_WAIT_MAX;
        let mut refusals = Refusals::default();
        for address in &contact.addresses {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() {
                refusals.add(*address, "there was no time left for it");
                continue;
            }
            let stream = match connect(*address, left.min(HELLO_WAIT_MAX)) {
                Ok(stream) => stream,
                Err(error) if is_of_this_machine(&error) => return Err(error).context("cannot connect"),
                Err(error) => {
                    refusals.add(*address, error);
                    continue;
                }
            };
            let interrupt = interrupt.try_clone().context("cannot watch for interrupts")?;
            let mut network =
                Sockets::new(contact.dialect, stream, answer_port, silence_max, answers_wanted, interrupt)?;
            match network.wait_for_hello(until)? {
                None => return Ok(network),
                Some(reason) => refusals.add(*address, reason),
            }
        }
        Err(AttachError::new(&contact.name, refusals).into())
    }

    fn new(
        dialect: Dialect,
        stream: TcpStream,
        answer_port: u16,
        silence_max: Duration,
        answers_wanted: Option<u64>,
        interrupt: UnixStream,
    ) -> anyhow::Result<Sockets> {
        // Heard on the address the contact sees us at, and on no other.
        let mut own = stream.local_addr().context("cannot tell the own address")?;
        let contact_address = canonical(stream.peer_addr().context("cannot tell the contact's address")?);
        let listener = take_answer_port(answer_port, |port| {
            own.set_port(port);
            Ok(sockets::listen(own)?)
        })
        .context("no answer address")?;
        let answer_port = listener.local_addr().context("cannot tell the answer port")?.port();
        own.set_port(answer_port);
        let answers_at = canonical(own);
        let sequence: [u8; 4] = random()?;

        let session = Session::new(dialect, answer_port, first_sequence(sequence));
        let poller = Poller::new().context("cannot make a poller")?;
        let listener = poller.watch(listener, LISTENER, Interest::Read).context("cannot watch the answer address")?;
        interrupt.set_nonblocking(true)?;
        let interrupt = poller.watch(interrupt, INTERRUPT, Interest::Read).context("cannot watch for interrupts")?;
        let mut network = Sockets {
            connections: Connections::new(poller.watcher()),
            poller,
            listener,
            interrupt,
            interrupted: false,
            failed: false,
            answers_at,
            contact_address,
            contact_link: LinkId(0),
            exchange: Exchange::client(Accepts::answers_to(dialect)),
            session,
            silence_max,
            answers_wanted,
            asked: None,
            dialect,
            reports: Reports::default(),
            left_out: None,
            refused_count: 0,
            clock: Duration::ZERO,
            turn_began: None,
        };
        network.greet_contact(stream)?;
        Ok(network)
    }

    /// Whether the person interrupted since this was last told.
    pub(crate) fn take_interrupt(&mut self) -> bool {
        let mut interrupted = std::mem::take(&mut self.interrupted);
        let mut bytes = [0; 64];
        while (&*self.interrupt).read(&mut bytes).is_ok_and(|count| count > 0) {
            interrupted = true;
        }
        interrupted
    }

    /// Whether this machine failed to take answers since this was last told.
    pub(crate) fn take_failure(&mut self) -> bool {
        std::mem::take(&mut self.failed)
    }

    /// Where answers are heard, as the contact sees it.
    pub(crate) fn answers_at(&self) -> SocketAddr {
        self.answers_at
    }

    /// What the contact speaks.
    pub(crate) fn dialect(&self) -> Dialect {
        self.dialect
    }

    /// Which of the contact's addresses it is attached to.
    pub(crate) fn contact_address(&self) -> SocketAddr {
        self.contact_address
    }

    /// Asks. What comes of it are the next reports, up to and including [`Report::Ended`].
    pub(crate) fn ask(&mut self, ask: Ask) -> anyhow::Result<()> {
        // Told here, because what its link cannot say would otherwise cost the contact.
        Frame::new(self.dialect, &Message::Request(Request { sequence: 0, ask: ask.clone() }))?;
        if let more @ 1.. = std::mem::take(&mut self.refused_count).saturating_sub(1) {
            log::warn!("refused more connections in the meantime: {more}");
        }
        if let Err(error) = self.listener.set_interest(Interest::Read) {
            log::warn!("cannot watch the answer address: {error}");
        }
        let now = self.now();
        let mut outputs = Vec::new();
        let question = Question { ask, silence_max: self.silence_max, answers_wanted: self.answers_wanted };
        self.asked = Some(self.session.ask(now, question, &mut outputs)?);
        self.perform(now, outputs);
        self.hear();
        Ok(())
    }

    /// The next thing to tell the person; waits for it.
    pub(crate) fn next_report(&mut self) -> anyhow::Result<Report> {
        loop {
            if let Some(report) = self.reports.pop() {
                return Ok(report);
            }
            self.turn(None)?;
        }
    }

    /// What there is to tell of the time since the last query. Does not wait.
    pub(crate) fn catch_up(&mut self) -> anyhow::Result<Vec<Report>> {
        for _ in 0..CATCH_UP_TURNS_MAX {
            if self.reports.is_full() || !self.turn(Some(Duration::ZERO))? {
                break;
            }
        }
        Ok(iter::from_fn(|| self.reports.pop()).collect())
    }

    fn greet_contact(&mut self, stream: TcpStream) -> anyhow::Result<()> {
        let contact = self.contact_address;
        let link = self.connections.insert(stream, Interest::Read);
        let link = link.context("cannot use the connection to the contact")?;
        self.contact_link = link;
        self.exchange.on_dialled(link, self.dialect, Purpose::Asking);
        self.exchange.on_connected(self.now(), link, &mut self.connections);
        self.handle(Input::Attached { link, contact });
        Ok(())
    }

    /// Waits until the contact has said hello, and says why it has not.
    fn wait_for_hello(&mut self, until: Instant) -> anyhow::Result<Option<String>> {
        loop {
            match self.reports.pop() {
                Some(Report::Ready) => return Ok(None),
                Some(Report::Refused { reason }) => return Ok(Some(reason)),
                Some(_) => {}
                None => {
                    let left = until.saturating_duration_since(Instant::now());
                    if left.is_zero() {
                        return Ok(Some("it did not say hello in the time that was left".to_owned()));
                    }
                    self.turn(Some(left))?;
                }
            }
        }
    }

    fn now(&self) -> Time {
        Time::after_start(self.clock + self.turn_began.map_or(Duration::ZERO, |began| began.elapsed()))
    }

    /// One round: wait, at most for so long, and deal with what there is. True when there was something.
    fn turn(&mut self, at_most: Option<Duration>) -> anyhow::Result<bool> {
        let began = Instant::now();
        self.turn_began = Some(began);
        let turned = self.wait_and_deal(at_most);
        self.turn_began = None;
        self.clock += began.elapsed();
        turned
    }

    fn wait_and_deal(&mut self, at_most: Option<Duration>) -> anyhow::Result<bool> {
        let deadlines = [self.session.deadline(), self.exchange.deadline()];
        let due = deadlines.into_iter().flatten().min().map(|deadline| deadline.since(self.now()));
        let mut ready = Vec::new();
        self.poller.wait([due, at_most].into_iter().flatten().min(), &mut ready).context("cannot wait for sockets")?;
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
        if self.session.deadline().is_some_and(|deadline| deadline <= self.now()) {
            self.handle(Input::Deadline);
        }
        Ok(!ready.is_empty())
    }

    fn on_ready(&mut self, ready: Ready) {
        match ready.key {
            key if key != INTERRUPT && self.reports.is_full() => {
                self.left_out.get_or_insert(key);
            }
            LISTENER => self.accept(),
            INTERRUPT => {
                // Noted as well, because the query may have ended in the same round, or not begun.
                self.interrupted = self.take_interrupt();
                if let Some(sequence) = self.asked {
                    self.handle(Input::Cancel { sequence });
                }
            }
            key => {
                let link = Connections::link_of(key);
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
        while !self.reports.is_full() {
            let (stream, from) = match self.listener.accept() {
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
                    self.exchange.on_accepted(now, link, from, &mut self.connections);
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
        self.failed = true;
        if let Err(error) = self.listener.pause() {
            log::warn!("cannot stop watching the answer address: {error}");
        }
    }

    /// Tells the mind something, and what comes of it.
    fn handle(&mut self, input: Input) {
        self.tell(input);
        self.hear();
    }

    /// Tells the mind what was heard, and writes what it says to that.
    fn hear(&mut self) {
        while let Some((link, heard)) = self.next_heard() {
            self.tell(heard.for_client(link));
        }
    }

    /// What was heard, and then what writing brings to light.
    fn next_heard(&mut self) -> Option<(LinkId, Heard)> {
        let heard = self.exchange.next_heard();
        heard.or_else(|| {
            self.exchange.flush(self.now(), &mut self.connections);
            self.exchange.next_heard()
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
            if let Some(report) = self.exchange.perform_for_client(now, output, &mut self.connections) {
                self.reports.push(report);
            }
        }
    }
}

/// Listens on the port that was named or, where none was (0), on one that everybody can dial if there is such a one.
fn take_answer_port<Listener>(
    named: u16,
    mut listen: impl FnMut(u16) -> anyhow::Result<Listener>,
) -> anyhow::Result<Listener> {
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

fn random<const COUNT: usize>() -> anyhow::Result<[u8; COUNT]> {
    let mut bytes = [0; COUNT];
    getrandom::fill(&mut bytes).map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))?;
    Ok(bytes)
}

/// The number of the first query. What asks across TP3 links has to fit the 32 bits of their sequence numbers, and so
/// does all that is asked in one session: there is room for two billion queries.
fn first_sequence(random: [u8; 4]) -> u64 {
    u64::from(u32::from_ne_bytes(random) / 2)
}

fn connect(address: SocketAddr, at_most: Duration) -> io::Result<TcpStream> {
    let stream = TcpStream::connect_timeout(&address, at_most)?;
    sockets::prepare(&stream)?;
    Ok(stream)
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
    use anyhow::bail;
    use common::message::{Hello, Role, ServentId};
    use common::wire::{PREFACE, Position};
    use std::io::Write;

    #[test]
    fn what_this_machine_lacks_is_no_fault_of_a_contact() {
        let io = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        assert!(is_of_this_machine(&io(Errno::MFILE)));
        assert!(!is_of_this_machine(&io(Errno::CONNREFUSED)));
        assert!(!is_of_this_machine(&io::Error::other("anything")));
    }

    #[test]
    fn a_port_that_was_named_is_the_only_one_tried() {
        let mut tried = Vec::new();
        let taken: anyhow::Result<()> = take_answer_port(40_000, |port| {
            tried.push(port);
            bail!("in use")
        });
        assert!(taken.is_err());
        assert_eq!(tried, [40_000]);
    }

    #[test]
    fn whatever_is_drawn_two_billion_queries_fit_32_bits() {
        for random in [0, 1, 0x7fff_ffff, 0x8000_0000, u32::MAX].map(u32::to_ne_bytes) {
            assert!(first_sequence(random) + 2_000_000_000 <= u64::from(u32::MAX), "{random:?}");
        }
        assert_ne!(first_sequence([1, 2, 3, 4]), first_sequence([4, 3, 2, 1]));
    }

    #[test]
    fn where_no_port_was_named_ports_that_fit_signed_numbers_come_first_and_then_any() {
        let mut tried = Vec::new();
        let taken = take_answer_port(0, |port| {
            tried.push(port);
            if port == 0 { Ok(port) } else { bail!("in use") }
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
            let hello = Frame::at(Position::First, Dialect::Native, &hello).unwrap();
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

    fn attach(addresses: Vec<SocketAddr>) -> anyhow::Result<Sockets> {
        let contact = Neighbor { name: "somewhere:9000".to_owned(), addresses, dialect: Dialect::Native };
        let (interrupt, _) = UnixStream::pair().unwrap();
        Sockets::attach(&contact, 0, Duration::from_secs(1), None, &interrupt)
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
        assert!(error.is::<AttachError>());
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
        let mut network = Sockets::attach(&contact, 0, Duration::from_secs(1), None, &interrupt).unwrap();
        // Where as many connections wait as may, one more is neither taken nor refused.
        let full = TcpListener::bind("127.0.0.1:0").unwrap();
        rustix::net::listen(&full, 0).unwrap();
        let address = full.local_addr().unwrap();
        let _waits = TcpStream::connect(address).unwrap();
        contact.addresses = vec![address];
        on_interrupt.write_all(b"c").unwrap();
        let error = network.attach_again(&contact, |_| {}).unwrap_err();
        assert_eq!(error.to_string(), "no servent at contact here: it did not take the connection before Ctrl-C");
    }
}
