//! TP3 made by hand: neighbors, nodes and clients whose every byte is written and read here, from the description of
//! that dialect alone.
//!
//! It shares no code with the programs' own wire, so that the two cannot be wrong in the same way. It decides nothing:
//! it does not flood, discard or answer. Nothing here sleeps; [`PATIENCE`] bounds every wait.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::{PATIENCE, listen_anew};

/// The longest text there is.
pub(crate) const TEXT_BYTES_MAX: usize = 400;

/// A sequence nobody else in this process uses.
pub(crate) fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1_000_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

// ---- messages ----

/// The first message on a connection; port 0 says "I am a servent".
pub(crate) fn id(port: u16) -> Vec<u8> {
    [[0, 4], port.to_be_bytes()].concat()
}

/// A client's request for a key.
pub(crate) fn keyreq(sequence: u32, key: impl AsRef<[u8]>) -> Vec<u8> {
    [&[0, 5][..], &sequence.to_be_bytes(), &text(key)].concat()
}

/// A client's request for the topology.
pub(crate) fn toporeq(sequence: u32) -> Vec<u8> {
    [&[0, 6][..], &sequence.to_be_bytes()].concat()
}

/// An answer.
pub(crate) fn resp(sequence: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    [&[0, 9][..], &sequence.to_be_bytes(), &text(value)].concat()
}

/// A length and so many bytes.
fn text(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// What is left of a text that is too long.
pub(crate) fn shortened(text: &[u8]) -> Vec<u8> {
    if text.len() <= TEXT_BYTES_MAX { text.to_vec() } else { [&text[..TEXT_BYTES_MAX - 3], b"..."].concat() }
}

/// What a flood asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Kind {
    Key,
    Topology,
}

/// KEYFLOOD or TOPOFLOOD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Flood {
    pub(crate) kind: Kind,
    pub(crate) ttl: u16,
    pub(crate) sequence: u32,
    pub(crate) client: SocketAddrV4,
    pub(crate) info: Vec<u8>,
}

impl Flood {
    /// A flood for a key, with a sequence of its own.
    pub(crate) fn key(client: SocketAddrV4, key: impl AsRef<[u8]>, ttl: u16) -> Flood {
        Flood { kind: Kind::Key, ttl, sequence: unique(), client, info: key.as_ref().to_vec() }
    }

    /// A flood for the topology that has come this way, with a sequence of its own.
    pub(crate) fn topology(client: SocketAddrV4, path: impl AsRef<[u8]>, ttl: u16) -> Flood {
        Flood { kind: Kind::Topology, ttl, sequence: unique(), client, info: path.as_ref().to_vec() }
    }

    /// The same with another TTL.
    pub(crate) fn with_ttl(&self, ttl: u16) -> Flood {
        Flood { ttl, ..self.clone() }
    }

    pub(crate) fn bytes(&self) -> Vec<u8> {
        [self.header(), text(&self.info)].concat()
    }

    /// All that comes before the length of the text.
    pub(crate) fn header(&self) -> Vec<u8> {
        let kind = match self.kind {
            Kind::Key => [0, 7],
            Kind::Topology => [0, 8],
        };
        let ttl = self.ttl.to_be_bytes();
        let port = self.client.port().to_be_bytes();
        [&kind[..], &ttl, &self.sequence.to_be_bytes(), &self.client.ip().octets(), &port].concat()
    }
}

// ---- connections ----

/// One end of a connection on which every byte is the test's.
pub(crate) struct Wire(TcpStream, SocketAddr);

impl Wire {
    /// Connects from 127.0.0.1, and says nothing.
    pub(crate) fn connect(to: SocketAddr) -> Wire {
        Wire::connect_from(Ipv4Addr::LOCALHOST, to)
    }

    /// The same from an ip of one's choice.
    pub(crate) fn connect_from(ip: Ipv4Addr, to: SocketAddr) -> Wire {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.bind(&SocketAddr::from((ip, 0)).into()).unwrap();
        socket.connect(&to.into()).unwrap();
        Wire::over(socket.into())
    }

    /// A neighbor that the servent has taken notice of: floods reach it from now on.
    pub(crate) fn neighbor(servent: SocketAddr) -> Wire {
        let mut wire = Wire::connect(servent);
        wire.say(&id(0));
        wire.settle();
        wire
    }

    fn over(stream: TcpStream) -> Wire {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        // Asked now: a connection that has ended may not know any more.
        let peer = stream.peer_addr().unwrap();
        Wire(stream, peer)
    }

    /// Waits until the servent has dealt with all that was said so far: it answers a flood that comes after it.
    pub(crate) fn settle(&mut self) {
        let answers = Answers::open();
        let flood = Flood::topology(answers.address(), "192.0.2.1:9", 0);
        self.say(&flood.bytes());
        assert_eq!(answers.next().sequence, flood.sequence);
    }

    /// This end's address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// The other end's address.
    pub(crate) fn peer(&self) -> SocketAddr {
        self.1
    }

    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub(crate) fn say_byte_by_byte(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.say(&[*byte]));
    }

    pub(crate) fn pass_on(&mut self, flood: &Flood) {
        self.say(&flood.bytes());
    }

    /// The next bytes, which must be so many.
    pub(crate) fn hear(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("the servent says no more");
        bytes
    }

    /// The next message, which must be a flood.
    pub(crate) fn hear_flood(&mut self) -> Flood {
        let header = self.hear(16);
        let kind = match header[..2] {
            [0, 7] => Kind::Key,
            [0, 8] => Kind::Topology,
            _ => panic!("{header:02x?} begins no flood"),
        };
        let ttl = number(&header[2..4]);
        let [.., a, b, c, d, _, _, _, _] = header[..] else { unreachable!("there are 16 bytes") };
        let client = SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), number(&header[12..14]));
        let length: u16 = number(&header[14..]);
        assert!(usize::from(length) <= TEXT_BYTES_MAX, "a text of {length} bytes");
        let info = self.hear(length.into());
        Flood { kind, ttl, sequence: number(&header[4..8]), client, info }
    }

    /// All that still comes until the other side has closed the connection.
    pub(crate) fn bytes_until_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            // What was said and not read turns the end into a reset.
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no end: {error}"),
            _ => bytes,
        }
    }

    /// Says no more, and hears what still comes.
    pub(crate) fn leave(mut self) -> Vec<u8> {
        self.0.shutdown(Shutdown::Write).unwrap();
        self.bytes_until_end()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Dropping the socket is not enough: a process that another test is just starting may hold it open for a moment.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

fn number<Number: FromBytes>(bytes: &[u8]) -> Number {
    Number::from_bytes(bytes)
}

trait FromBytes {
    fn from_bytes(bytes: &[u8]) -> Self;
}

impl FromBytes for u16 {
    fn from_bytes(bytes: &[u8]) -> u16 {
        u16::from_be_bytes(bytes.try_into().unwrap())
    }
}

impl FromBytes for u32 {
    fn from_bytes(bytes: &[u8]) -> u32 {
        u32::from_be_bytes(bytes.try_into().unwrap())
    }
}

// ---- a node that is dialled ----

/// A node of the other kind, waiting for servents to dial it.
pub(crate) struct Node(TcpListener);

impl Node {
    pub(crate) fn open() -> Node {
        Node(waiting(listen_anew()))
    }

    pub(crate) fn open_at(address: SocketAddr) -> Node {
        Node(waiting(TcpListener::bind(address).unwrap()))
    }

    /// How a servent is told to dial it.
    pub(crate) fn name(&self) -> String {
        format!("tp3://{}", self.0.local_addr().unwrap())
    }

    /// The next connection, on which nothing has been read.
    pub(crate) fn accept(&self) -> Wire {
        Wire::over(self.0.accept().expect("nobody dials").0)
    }
}

/// Who accepts there waits, and not for ever.
fn waiting(listener: TcpListener) -> TcpListener {
    bound_waits(&listener, PATIENCE);
    listener
}

/// On a listener a read timeout bounds how long an accept waits.
fn bound_waits(listener: &TcpListener, wait: Duration) {
    SockRef::from(listener).set_read_timeout(Some(wait)).unwrap();
}

// ---- clients ----

/// What came to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) sequence: u32,
    pub(crate) value: Vec<u8>,
    /// Where the connection came from.
    pub(crate) from: SocketAddr,
}

/// Where a client hears answers.
pub(crate) struct Answers(TcpListener);

impl Answers {
    pub(crate) fn open() -> Answers {
        Answers(waiting(listen_anew()))
    }

    pub(crate) fn open_at(address: impl Into<SocketAddr>) -> Answers {
        Answers(waiting(TcpListener::bind(address.into()).unwrap()))
    }

    /// Two on the same port of different ips.
    pub(crate) fn open_twins(other: Ipv4Addr) -> (Answers, Answers) {
        loop {
            let one = Answers::open();
            // By chance the port is taken there.
            if let Ok(listener) = TcpListener::bind((other, one.address().port())) {
                bound_waits(&listener, PATIENCE);
                return (one, Answers(listener));
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddrV4 {
        v4(self.0.local_addr().unwrap())
    }

    /// The next connection, from which nothing has been read.
    pub(crate) fn accept(&self) -> Wire {
        Wire::over(self.0.accept().expect("nobody brings an answer").0)
    }

    /// The next answer: one message on a connection that then ends.
    pub(crate) fn next(&self) -> Answer {
        Answers::read(self.accept())
    }

    /// The same, if one comes in time.
    pub(crate) fn next_within(&self, wait: Duration) -> Option<Answer> {
        bound_waits(&self.0, wait);
        let accepted = self.0.accept();
        bound_waits(&self.0, PATIENCE);
        match accepted {
            Ok((stream, _)) => Some(Answers::read(Wire::over(stream))),
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => None,
            Err(error) => panic!("{error}"),
        }
    }

    /// So many answers, in the order of their sequences.
    pub(crate) fn take(&self, count: usize) -> Vec<Answer> {
        let mut answers: Vec<Answer> = (0..count).map(|_| self.next()).collect();
        answers.sort_by(|one, other| (one.sequence, &one.value).cmp(&(other.sequence, &other.value)));
        answers
    }

    /// Reads all there is on a connection: an answer, whole, and nothing else.
    pub(crate) fn read(mut wire: Wire) -> Answer {
        let from = wire.peer();
        let mut bytes = Vec::new();
        wire.0.read_to_end(&mut bytes).expect("a connection that ends well");
        assert!(bytes.len() >= 8, "{bytes:02x?} is no answer");
        let (sequence, value) = (number(&bytes[2..6]), bytes[8..].to_vec());
        assert_eq!(bytes, resp(sequence, &value));
        Answer { sequence, value, from }
    }

    /// That nobody is waiting to be accepted.
    pub(crate) fn expect_nobody(&self) {
        self.0.set_nonblocking(true).unwrap();
        assert_eq!(self.0.accept().map_err(|error| error.kind()).err(), Some(ErrorKind::WouldBlock));
        self.0.set_nonblocking(false).unwrap();
    }
}

impl Drop for Answers {
    fn drop(&mut self) {
        // Dropping the socket is not enough: a process that another test is just starting may hold it open for a moment,
        // and what is brought there is lost.
        let _ = SockRef::from(&self.0).shutdown(Shutdown::Both);
    }
}

/// A port that is taken and on which nobody listens yet: who connects is refused.
pub(crate) struct ClosedPort(Socket);

impl ClosedPort {
    pub(crate) fn reserve() -> ClosedPort {
        ClosedPort::reserve_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    pub(crate) fn reserve_at(address: SocketAddr) -> ClosedPort {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&address.into()).unwrap();
        ClosedPort(socket)
    }

    pub(crate) fn address(&self) -> SocketAddrV4 {
        v4(self.0.local_addr().unwrap().as_socket().unwrap())
    }

    /// Begins to listen.
    pub(crate) fn open(self) -> Answers {
        self.0.listen(128).unwrap();
        let listener = self.0.into();
        bound_waits(&listener, PATIENCE);
        Answers(listener)
    }
}

/// A port whose queue is full, and what fills it. Who connects hears neither yes nor no.
pub(crate) struct DarkPort {
    listener: Socket,
    _queue: Vec<TcpStream>,
}

impl DarkPort {
    pub(crate) fn open() -> DarkPort {
        let listener = ClosedPort::reserve().0;
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let mut queue = Vec::new();
        loop {
            // On loopback a connect that ends does so at once.
            match TcpStream::connect_timeout(&address, Duration::from_millis(300)) {
                Ok(stream) => queue.push(stream),
                Err(error) if error.kind() == ErrorKind::TimedOut => return DarkPort { listener, _queue: queue },
                Err(error) => panic!("{error}"),
            }
        }
    }

    pub(crate) fn address(&self) -> SocketAddrV4 {
        v4(self.listener.local_addr().unwrap().as_socket().unwrap())
    }
}

/// A client attached to its contact.
pub(crate) struct Client {
    pub(crate) contact: Wire,
    pub(crate) answers: Answers,
    next_sequence: u32,
}

impl Client {
    /// Opens a port of 127.0.0.1 and says its ID.
    pub(crate) fn attach(contact: SocketAddr) -> Client {
        Client::attach_at(contact, Answers::open())
    }

    /// The same with a port that is open already.
    pub(crate) fn attach_at(contact: SocketAddr, answers: Answers) -> Client {
        let contact = attach(contact, answers.address());
        Client { contact, answers, next_sequence: 0 }
    }

    /// Asks for a key, and returns the sequence.
    pub(crate) fn ask(&mut self, key: impl AsRef<[u8]>) -> u32 {
        let sequence = self.next_sequence();
        self.contact.say(&keyreq(sequence, key));
        sequence
    }

    /// Asks for the topology, and returns the sequence.
    pub(crate) fn ask_topology(&mut self) -> u32 {
        let sequence = self.next_sequence();
        self.contact.say(&toporeq(sequence));
        sequence
    }

    /// Asks for a key that one servent has, and returns the value it answers with.
    pub(crate) fn value(&mut self, key: impl AsRef<[u8]>) -> Vec<u8> {
        let sequence = self.ask(key);
        let answer = self.answers.next();
        assert_eq!(answer.sequence, sequence);
        answer.value
    }

    /// What a contact floods for its request.
    pub(crate) fn flood(&self, kind: Kind, sequence: u32, info: impl AsRef<[u8]>) -> Flood {
        Flood { kind, ttl: 3, sequence, client: self.answers.address(), info: info.as_ref().to_vec() }
    }

    /// Waits until so many servents answer those who ask this one's contact. Another client asks for the topology until
    /// they do: what comes of that late is nothing to this one.
    pub(crate) fn wait_until_answered_by(&self, count: usize) {
        let until = Instant::now() + PATIENCE;
        let mut asker = Client::attach(self.contact.peer());
        let (mut heard, mut waits) = (0, growing_waits());
        while heard < count {
            assert!(Instant::now() < until, "{heard} of {count} servents are linked");
            let (sequence, wait) = (asker.ask_topology(), waits.next().unwrap());
            heard = 0;
            // Those that come later are for the next round, which leaves them out.
            while heard < count
                && let Some(answer) = asker.answers.next_within(wait)
            {
                heard += usize::from(answer.sequence == sequence);
            }
        }
    }

    /// Asks for the topology until a servent answers that it was reached this way.
    pub(crate) fn wait_for_path(&mut self, path: &str) {
        let until = Instant::now() + PATIENCE;
        for wait in growing_waits() {
            assert!(Instant::now() < until, "nobody is reached by {path}");
            self.ask_topology();
            while let Some(answer) = self.answers.next_within(wait) {
                if answer.value == path.as_bytes() {
                    return;
                }
            }
        }
    }

    /// The next answers to these queries, so many to each; none of them comes more often.
    pub(crate) fn expect_answers(&mut self, sequences: &[u32], count: usize) -> Vec<Answer> {
        let mut answers = Vec::new();
        while answers.len() < sequences.len() * count {
            let answer = self.answers.next();
            if sequences.contains(&answer.sequence) {
                answers.push(answer);
            }
        }
        for sequence in sequences {
            let found = answers.iter().filter(|answer| answer.sequence == *sequence).count();
            assert_eq!(found, count, "{answers:?}");
        }
        self.answers.expect_nobody();
        answers
    }

    fn next_sequence(&mut self) -> u32 {
        self.next_sequence += 1;
        self.next_sequence - 1
    }
}

/// How long a next answer is waited for where nobody says that there is none. On a machine with much else to do one that
/// was too short is followed by a longer one.
fn growing_waits() -> impl Iterator<Item = Duration> {
    std::iter::successors(Some(Duration::from_millis(300)), |wait| Some(*wait * 2))
}

/// Connects as a client that hears answers at this address, open or not.
pub(crate) fn attach(contact: SocketAddr, answers: SocketAddrV4) -> Wire {
    let mut wire = Wire::connect_from(*answers.ip(), contact);
    wire.say(&id(answers.port()));
    wire
}

/// An address of the only kind there is in this dialect.
pub(crate) fn v4(address: SocketAddr) -> SocketAddrV4 {
    match address {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(address) => panic!("{address} cannot be said"),
    }
}
