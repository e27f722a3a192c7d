//! Clients, and where they hear answers.

use std::io::ErrorKind;
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use socket2::{Domain, Protocol, SockRef, Socket, Type};

use super::wire::number;
use super::{Flood, Kind, Wire, bound_waits, id, keyreq, resp, toporeq, waiting};
use crate::{PATIENCE, listen_anew};

/// What came to a client.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub sequence: u32,
    pub value: Vec<u8>,
    /// Where the connection came from.
    pub from: SocketAddr,
}

/// Where a client hears answers.
pub struct Answers(TcpListener);

impl Answers {
    pub fn open() -> Answers {
        Answers(waiting(listen_anew()))
    }

    pub fn open_at(address: impl Into<SocketAddr>) -> Answers {
        Answers(waiting(TcpListener::bind(address.into()).unwrap()))
    }

    /// Two on the same port of different ips.
    pub fn open_twins(other: Ipv4Addr) -> (Answers, Answers) {
        loop {
            let one = Answers::open();
            // By chance the port is taken there.
            if let Ok(listener) = TcpListener::bind((other, one.address().port())) {
                bound_waits(&listener, PATIENCE);
                return (one, Answers(listener));
            }
        }
    }

    pub fn address(&self) -> SocketAddrV4 {
        v4(self.0.local_addr().unwrap())
    }

    /// The next connection, from which nothing has been read.
    pub fn accept(&self) -> Wire {
        Wire::over(self.0.accept().expect("nobody brings an answer").0)
    }

    /// The next answer: one message on a connection that then ends.
    pub fn next(&self) -> Answer {
        Answers::read(self.accept())
    }

    /// The same, if one comes in time.
    pub fn next_within(&self, wait: Duration) -> Option<Answer> {
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
    pub fn take(&self, count: usize) -> Vec<Answer> {
        let mut answers: Vec<Answer> = (0..count).map(|_| self.next()).collect();
        answers.sort_by(|one, other| (one.sequence, &one.value).cmp(&(other.sequence, &other.value)));
        answers
    }

    /// Reads all there is on a connection: an answer, whole, and nothing else.
    pub fn read(mut wire: Wire) -> Answer {
        let from = wire.peer();
        let bytes = wire.bytes_until_orderly_end();
        assert!(bytes.len() >= 8, "{bytes:02x?} is no answer");
        let (sequence, value) = (number(&bytes[2..6]), bytes[8..].to_vec());
        assert_eq!(bytes, resp(sequence, &value));
        Answer { sequence, value, from }
    }

    /// That nobody is waiting to be accepted.
    pub fn expect_nobody(&self) {
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
pub struct ClosedPort(Socket);

impl ClosedPort {
    pub fn reserve() -> ClosedPort {
        ClosedPort::reserve_at((Ipv4Addr::LOCALHOST, 0).into())
    }

    pub fn reserve_at(address: SocketAddr) -> ClosedPort {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.set_reuse_address(true).unwrap();
        socket.bind(&address.into()).unwrap();
        ClosedPort(socket)
    }

    pub fn address(&self) -> SocketAddrV4 {
        v4(self.0.local_addr().unwrap().as_socket().unwrap())
    }

    /// Begins to listen.
    pub fn open(self) -> Answers {
        self.0.listen(128).unwrap();
        let listener = self.0.into();
        bound_waits(&listener, PATIENCE);
        Answers(listener)
    }
}

/// A port whose queue is full, and what fills it. Who connects hears neither yes nor no.
pub struct DarkPort {
    listener: Socket,
    _queue: Vec<TcpStream>,
}

impl DarkPort {
    pub fn open() -> DarkPort {
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

    pub fn address(&self) -> SocketAddrV4 {
        v4(self.listener.local_addr().unwrap().as_socket().unwrap())
    }
}

/// A client attached to its contact.
pub struct Client {
    pub contact: Wire,
    pub answers: Answers,
    next_sequence: u32,
}

impl Client {
    /// Opens a port of 127.0.0.1 and says its ID.
    pub fn attach(contact: SocketAddr) -> Client {
        Client::attach_at(contact, Answers::open())
    }

    /// The same with a port that is open already.
    pub fn attach_at(contact: SocketAddr, answers: Answers) -> Client {
        let contact = attach(contact, answers.address());
        Client { contact, answers, next_sequence: 0 }
    }

    /// Asks for a key, and returns the sequence.
    pub fn ask(&mut self, key: impl AsRef<[u8]>) -> u32 {
        let sequence = self.next_sequence();
        self.contact.say(&keyreq(sequence, key));
        sequence
    }

    /// Asks for the topology, and returns the sequence.
    pub fn ask_topology(&mut self) -> u32 {
        let sequence = self.next_sequence();
        self.contact.say(&toporeq(sequence));
        sequence
    }

    /// Asks for a key that one servent has, and returns the value it answers with.
    pub fn value(&mut self, key: impl AsRef<[u8]>) -> Vec<u8> {
        let sequence = self.ask(key);
        let answer = self.answers.next();
        assert_eq!(answer.sequence, sequence);
        answer.value
    }

    /// What a contact floods for its request.
    pub fn flood(&self, kind: Kind, sequence: u32, info: impl AsRef<[u8]>) -> Flood {
        Flood { kind, ttl: 3, sequence, client: self.answers.address(), info: info.as_ref().to_vec() }
    }

    /// Waits until so many servents answer those who ask this one's contact. Another client asks for the topology until
    /// they do: what comes of that late is nothing to this one.
    pub fn wait_until_answered_by(&self, count: usize) {
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

    /// The next answers to these queries, so many to each; none of them comes more often.
    pub fn expect_answers(&mut self, sequences: &[u32], count: usize) -> Vec<Answer> {
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
pub fn attach(contact: SocketAddr, answers: SocketAddrV4) -> Wire {
    let mut wire = Wire::connect_from(*answers.ip(), contact);
    wire.say(&id(answers.port()));
    wire
}

/// An address of the only kind there is in this dialect.
pub fn v4(address: SocketAddr) -> SocketAddrV4 {
    match address {
        SocketAddr::V4(address) => address,
        SocketAddr::V6(address) => panic!("{address} cannot be said"),
    }
}
