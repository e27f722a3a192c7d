//! The other end of a link with a program, in our own dialect.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::address::AnswerAddress;
use common::dialect::Dialect;
use common::features::Features;
use common::key::Key;
use common::link::{Link, Purpose};
use common::message::{Finished, Goodbye, Hello, Message, Request, Role, ServentId};
use common::query::{Answer, AnswerBody, Ask, Path, Query, Via};
use common::wire::{Frame, Position};
use socket2::{Domain, Protocol, Socket, Type};

use crate::dark::swallow;
use crate::{PATIENCE, SMALL_BUFFER_BYTES, unique};

/// What is read at once.
const TAKEN_IN_BYTES_MAX: usize = 64 * 1024;

/// The other end of a link with a servent.
#[derive(Debug)]
pub struct Peer {
    pub(crate) stream: TcpStream,
    pub(crate) link: Link,
    /// Whether a ping is answered, and kept from the test, on its way.
    pongs: bool,
    /// The mark of the servent, once its hello was expected.
    pub mark: u64,
}

/// What a peer hears.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard {
    Message(Message),
    /// The servent has closed the connection.
    End,
}

impl Peer {
    /// Connects, and says nothing.
    pub fn stranger(to: SocketAddr) -> Peer {
        Peer::over(TcpStream::connect(to).unwrap())
    }

    /// The same from an ip of one's choice.
    pub fn stranger_from(ip: IpAddr, to: SocketAddr) -> Peer {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.bind(&SocketAddr::new(ip, 0).into()).unwrap();
        socket.connect(&to.into()).unwrap();
        Peer::over(socket.into())
    }

    /// The same for one that is not going to read much.
    pub fn deaf_stranger(to: SocketAddr) -> Peer {
        Peer::with_receive_buffer(SMALL_BUFFER_BYTES, to)
    }

    /// The same for one that is going to read some of it: as long as a whole segment fits into what it has read, the system
    /// does not take it for a machine that is gone.
    pub fn stranger_that_hardly_reads(to: SocketAddr) -> Peer {
        Peer::with_receive_buffer(4 * TAKEN_IN_BYTES_MAX, to)
    }

    fn with_receive_buffer(bytes_count: usize, to: SocketAddr) -> Peer {
        let socket = Socket::new(Domain::for_address(to), Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.set_recv_buffer_size(bytes_count).unwrap();
        socket.connect(&to.into()).unwrap();
        Peer::over(socket.into())
    }

    pub fn over(stream: TcpStream) -> Peer {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        // Of all purposes the one that takes the longest frames, whatever part the peer plays.
        Peer { stream, link: Link::new(Dialect::Native, Purpose::Asking), pongs: true, mark: 0 }
    }

    /// A client attached to its contact.
    pub fn client(contact: SocketAddr, answer_port: u16) -> Peer {
        let mut peer = Peer::stranger(contact);
        peer.greet(Role::Client { answer_port });
        peer
    }

    /// A client without a port, whose answers come back.
    pub fn client_back(contact: SocketAddr) -> Peer {
        let mut peer = Peer::stranger(contact);
        peer.greet_offering(Role::Client { answer_port: 0 }, Features::OF_CLIENTS);
        peer
    }

    /// A client that hears answers at this address, and asks from its ip.
    pub fn client_at(contact: SocketAddr, answers: SocketAddr) -> Peer {
        let mut peer = Peer::stranger_from(answers.ip(), contact);
        peer.greet(Role::Client { answer_port: answers.port() });
        peer
    }

    /// A servent linked with its neighbor.
    pub fn neighbor(servent: SocketAddr) -> Peer {
        let mut peer = Peer::stranger(servent);
        peer.greet(peer.as_servent());
        peer
    }

    /// A servent in its own words. It goes by the address of its connection, which no other peer has.
    pub fn as_servent(&self) -> Role {
        Role::Servent { id: ServentId(unique().into()), advertised: self.address() }
    }

    /// Says hello, and hears the servent's. A client understands no answer that comes back, so its answer port hears nobody
    /// but who has one.
    pub fn greet(&mut self, role: Role) -> SocketAddr {
        let offered = match role {
            Role::Client { .. } => Features::NONE,
            Role::Servent { .. } | Role::Nameless => Features::OF_SERVENTS,
        };
        self.greet_offering(role, offered)
    }

    /// The same of one that understands this.
    pub fn greet_offering(&mut self, role: Role, features: Features) -> SocketAddr {
        self.say(&Message::Hello(Hello { features, ..Hello::new(role) }));
        self.expect_hello()
    }

    /// Where the servent sees it.
    pub fn address(&self) -> SocketAddr {
        self.stream.local_addr().unwrap()
    }

    /// The connection without the peer, which has heard all that has come by now.
    pub fn into_stream(self) -> TcpStream {
        self.stream
    }

    /// Another handle of the connection, to write to it or read from it in another thread.
    pub fn stream(&self) -> TcpStream {
        self.stream.try_clone().unwrap()
    }

    /// Ends the connection. Dropping it is not enough: a process that another test is just starting may hold it open for a
    /// moment.
    pub fn hang_up(&self) {
        let _ = self.stream.shutdown(Shutdown::Both);
    }

    /// From now on pings are for the test to see, and not answered.
    pub fn fall_silent(&mut self) {
        self.pongs = false;
    }

    /// From now on its machine is gone: what comes is swallowed, and it can say no more than it does by itself.
    pub fn vanish(&self) {
        swallow(&self.stream);
    }

    // ---- to the servent ----

    pub fn say(&mut self, message: &Message) {
        self.say_at(0, message);
    }

    /// The same under a stamp: what the clock of a servent shows.
    pub fn say_at(&mut self, stamp: u64, message: &Message) {
        self.link.say(stamp, message).unwrap();
        while !self.link.unsent().is_empty() {
            let count = self.stream.write(self.link.unsent()).unwrap();
            self.link.sent(count);
        }
    }

    /// The same where the other end may have gone meanwhile: that is heard, and no failure.
    pub fn say_to_whoever_is_there(&mut self, message: &Message) {
        self.link.send(message).unwrap();
        while !self.link.unsent().is_empty() {
            match self.stream.write(self.link.unsent()) {
                Ok(count) => self.link.sent(count),
                Err(error) if [ErrorKind::ConnectionReset, ErrorKind::BrokenPipe].contains(&error.kind()) => {
                    self.link.sent(self.link.unsent().len());
                }
                Err(error) => panic!("nothing can be said: {error}"),
            }
        }
    }

    /// Says what is not for a [`Link`] to say.
    pub fn say_bytes(&mut self, bytes: &[u8]) {
        self.stream.write_all(bytes).unwrap();
    }

    /// Asks as a client does, and returns the sequence.
    pub fn request(&mut self, ask: Ask) -> u64 {
        let sequence = unique();
        self.say(&Message::Request(Request { sequence, ask, ttl: None }));
        sequence
    }

    /// Passes a query on as a servent does that is the contact of `client`.
    pub fn pass_on(&mut self, client: SocketAddr, ask: Ask, ttl: u8) -> Query {
        let query = query(client, ask, ttl);
        self.say(&Message::query(query.clone()));
        query
    }

    // ---- from the servent ----

    /// Takes in what has come so far, as much as fits one read, to be heard later.
    pub fn take_in(&mut self) {
        let mut bytes = [0; TAKEN_IN_BYTES_MAX];
        self.stream.set_nonblocking(true).unwrap();
        if let Ok(count) = self.stream.read(&mut bytes) {
            self.link.receive(&bytes[..count]);
        }
        self.stream.set_nonblocking(false).unwrap();
    }

    /// What comes next. Pings are answered on the way.
    pub fn hear(&mut self) -> Heard {
        let mut bytes = [0; 64 * 1024];
        let until = Instant::now() + PATIENCE;
        loop {
            match self.link.next_message().unwrap() {
                Some(Message::Ping) if self.pongs => {
                    // Pings alone would go on for ever.
                    assert!(Instant::now() < until, "nothing to hear but pings");
                    // It may be an old one, of somebody who has gone since.
                    self.say_to_whoever_is_there(&Message::Pong);
                }
                Some(message) => return Heard::Message(message),
                None => match self.stream.read(&mut bytes) {
                    Ok(0) => return Heard::End,
                    Ok(count) => self.link.receive(&bytes[..count]),
                    // A read that may time out is interrupted whenever this process is stopped and goes on.
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    // What we sent and the servent did not read turns the end into a reset.
                    Err(error) if error.kind() == ErrorKind::ConnectionReset => return Heard::End,
                    Err(error) => panic!("nothing to hear: {error}"),
                },
            }
        }
    }

    /// Whether something comes within this time, or has come.
    pub fn is_told_something_within(&mut self, wait: Duration) -> bool {
        if self.link.received_bytes_count() > 0 {
            return true;
        }
        self.stream.set_read_timeout(Some(wait)).unwrap();
        let peeked = self.stream.peek(&mut [0]);
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let nothing = [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted];
        !matches!(peeked, Err(error) if nothing.contains(&error.kind()))
    }

    pub fn expect(&mut self) -> Message {
        match self.hear() {
            Heard::Message(message) => message,
            Heard::End => panic!("the other side closed the connection"),
        }
    }

    /// The advertised address in the servent's hello.
    pub fn expect_hello(&mut self) -> SocketAddr {
        match self.expect() {
            Message::Hello(Hello { role: Role::Servent { id, advertised }, .. }) => {
                self.mark = id.mark();
                advertised
            }
            message => panic!("{message:?} and no hello of a servent"),
        }
    }

    pub fn expect_query(&mut self) -> Query {
        match self.expect() {
            Message::Query(query) => Arc::unwrap_or_clone(query),
            message => panic!("{message:?} and no query"),
        }
    }

    pub fn expect_answer(&mut self) -> Answer {
        match self.expect() {
            Message::Answer(answer) => answer,
            message => panic!("{message:?} and no answer"),
        }
    }

    pub fn expect_finished(&mut self) -> Finished {
        match self.expect() {
            Message::Finished(finished) => finished,
            message => panic!("{message:?} and no finished"),
        }
    }

    /// Last words, and nothing after them.
    pub fn expect_goodbye(&mut self, farewell: Goodbye) {
        assert_eq!(self.hear(), Heard::Message(Message::Goodbye(farewell)));
        self.expect_end();
    }

    pub fn expect_end(&mut self) {
        assert_eq!(self.hear(), Heard::End);
    }

    /// Hears whatever is still to come, and the end.
    pub fn hear_out(&mut self) {
        let until = Instant::now() + PATIENCE;
        while self.hear() != Heard::End {
            assert!(Instant::now() < until, "there is no end");
        }
    }

    /// Everything the servent still sends, as bytes, until it closes the connection.
    pub fn bytes_until_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.stream.read_to_end(&mut bytes) {
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no end: {error}"),
            _ => bytes,
        }
    }

    /// Says one more byte of `bytes` whenever nothing was heard for `pause`, until the servent says something.
    pub fn drip_until_heard(&mut self, bytes: &[u8], pause: Duration) -> Heard {
        self.stream.set_read_timeout(Some(pause)).unwrap();
        for byte in bytes {
            self.say_bytes(&[*byte]);
            let nothing = [ErrorKind::WouldBlock, ErrorKind::TimedOut, ErrorKind::Interrupted];
            match self.stream.peek(&mut [0]) {
                Err(error) if nothing.contains(&error.kind()) => {}
                _ => break,
            }
        }
        self.stream.set_read_timeout(Some(PATIENCE)).unwrap();
        self.hear()
    }

    // ---- as a client ----

    /// Asks for a key, and returns the values that come over this link until the contact says it has finished.
    pub fn values(&mut self, key: impl AsRef<[u8]>) -> Vec<Vec<u8>> {
        let sequence = self.request(ask(key));
        let mut values = Vec::new();
        loop {
            match self.expect() {
                Message::Answer(Answer { sequence: answered, body: AnswerBody::Value(value), .. }) => {
                    assert_eq!(answered, sequence);
                    values.push(value);
                }
                Message::Finished(finished) => {
                    assert_eq!(finished.sequence, sequence);
                    return values;
                }
                message => panic!("an unexpected {message:?}"),
            }
        }
    }

    /// Asks for a key, and returns the first value that comes, whatever else is still to come.
    pub fn first_value(&mut self, key: impl AsRef<[u8]>) -> Vec<u8> {
        let sequence = self.request(ask(key));
        loop {
            match self.expect() {
                Message::Answer(Answer { sequence: answered, body: AnswerBody::Value(value), .. })
                    if answered == sequence =>
                {
                    return value;
                }
                // Of what was asked before.
                Message::Answer(_) | Message::Finished(_) => {}
                message => panic!("an unexpected {message:?}"),
            }
        }
    }
}

/// Asks for a key.
pub fn ask(key: impl AsRef<[u8]>) -> Ask {
    Ask::Key(Key::new(key.as_ref()).unwrap())
}

/// A query as the contact of `client` would pass it on.
pub fn query(client: SocketAddr, ask: Ask, ttl: u8) -> Query {
    let client = AnswerAddress { socket: client, dialect: Dialect::Native };
    Query { via: Via::Direct, sequence: unique(), client, contact: None, ttl, hops: 1, ask, path: Path::default() }
}

/// The bytes of a message, without a preface. A hello is what a peer says first.
pub fn frame(message: &Message) -> Vec<u8> {
    let position = if matches!(message, Message::Hello(_)) { Position::First } else { Position::Later };
    Frame::at(position, Dialect::Native, 0, message).unwrap().as_bytes().to_vec()
}
