//! All links of one end: each rule about bytes and time at the doors every shell uses.
//!
//! The connections are made up here, byte for byte; the other ends are links. What a mind decides is not judged.

mod closing;
mod frames;
mod giving;
mod links;
mod long_frames;
mod rests;
mod saying;
mod turns;

use std::array;
use std::collections::VecDeque;

use super::*;
use common::exchange::{Exchange, Heard, Outside, READ_BYTES, Transport};
use common::limits::{BROUGHT_BYTES_MAX, FRAME_BYTES_MAX, FRAME_WAIT_MAX, LINGER_MAX};
use common::message::{Brought, Handed};
use common::query::{BroughtAnswer, BroughtBody, ContactName};
use common::session;

const SECOND: Duration = Duration::from_secs(1);

/// Connections that take what they have room for.
#[derive(Default)]
struct Wires {
    wires: BTreeMap<LinkId, Wire>,
    said: Vec<(LinkId, String, Result<(), SendError>)>,
}

struct Wire {
    room: usize,
    written: Vec<u8>,
    /// What can be read, a call at a time; nothing at all is the end.
    unread: VecDeque<Vec<u8>>,
    read_bytes_max: usize,
    is_broken: bool,
    is_read: bool,
    waits_for_room: bool,
    shut_count: u32,
    is_closed: bool,
}

impl Wires {
    fn open(&mut self, link: LinkId) {
        let wire = Wire {
            room: usize::MAX,
            written: Vec::new(),
            unread: VecDeque::new(),
            read_bytes_max: 0,
            is_broken: false,
            is_read: true,
            waits_for_room: false,
            shut_count: 0,
            is_closed: false,
        };
        assert!(self.wires.insert(link, wire).is_none(), "{link} is used again");
    }

    fn at(&mut self, link: LinkId) -> &mut Wire {
        self.wires.get_mut(&link).expect("a connection")
    }

    fn open_at(&mut self, link: LinkId) -> &mut Wire {
        let wire = self.at(link);
        assert!(!wire.is_closed, "{link} is used after its end");
        wire
    }
}

impl Transport for Wires {
    fn read(&mut self, link: LinkId, buffer: &mut [u8]) -> Result<Option<usize>, String> {
        let wire = self.open_at(link);
        wire.read_bytes_max = wire.read_bytes_max.max(buffer.len());
        let Some(bytes) = wire.unread.pop_front() else { return Ok(None) };
        buffer[..bytes.len()].copy_from_slice(&bytes);
        Ok(Some(bytes.len()))
    }

    fn write(&mut self, link: LinkId, bytes: &[u8]) -> Result<usize, String> {
        let wire = self.open_at(link);
        if wire.is_broken {
            return Err("it broke".to_owned());
        }
        assert_eq!(wire.shut_count, 0, "something is said after the last words");
        let count = bytes.len().min(wire.room);
        wire.room -= count;
        wire.written.extend_from_slice(&bytes[..count]);
        Ok(count)
    }

    fn watch(&mut self, link: LinkId, reads: bool, writes: bool) -> Result<(), String> {
        let wire = self.open_at(link);
        (wire.is_read, wire.waits_for_room) = (reads, writes);
        Ok(())
    }

    fn shut(&mut self, link: LinkId) -> Result<(), String> {
        self.open_at(link).shut_count += 1;
        Ok(())
    }

    fn close(&mut self, link: LinkId) {
        self.open_at(link).is_closed = true;
    }

    fn on_said(&mut self, link: LinkId, message: &Message, said: &Result<(), SendError>) {
        self.said.push((link, message.name().to_owned(), said.clone()));
    }
}

/// An exchange, its connections, and what is at their other ends.
struct Desk {
    exchange: Exchange,
    wires: Wires,
    others: BTreeMap<LinkId, Link>,
    now: Time,
}

impl Desk {
    fn servent() -> Desk {
        Desk::of(Exchange::servent(Accepts::ANY))
    }

    fn client() -> Desk {
        Desk::of(Exchange::client(Accepts::ANY))
    }

    /// A servent's, with so many neighbors that have said hello.
    fn linked<const COUNT: usize>() -> (Desk, [LinkId; COUNT]) {
        let mut desk = Desk::servent();
        let links = array::from_fn(|_| desk.neighbor());
        (desk, links)
    }

    fn of(exchange: Exchange) -> Desk {
        Desk { exchange, wires: Wires::default(), others: BTreeMap::new(), now: Time::START }
    }

    fn new_link(&mut self, other: Link) -> LinkId {
        let link = LinkId(self.others.len() as u64 + 7);
        self.wires.open(link);
        self.others.insert(link, other);
        link
    }

    /// Somebody who connects and speaks this dialect.
    fn accepts(&mut self, dialect: Dialect) -> LinkId {
        let link = self.new_link(Link::new(dialect, Purpose::Standing));
        let from = SocketAddr::from(([192, 0, 2, 1], 1000));
        self.exchange.on_accepted(link, from);
        link
    }

    /// Somebody who connects and has said hello.
    fn greeted_by(&mut self, role: Role) -> LinkId {
        let link = self.accepts(Dialect::Native);
        self.comes(link, &Message::Hello(Hello::new(role)));
        assert_eq!(self.heard().len(), 1);
        link
    }

    /// A client that is told it may say long frames, in the hello that answers its own.
    fn writer(&mut self) -> LinkId {
        let link = self.greeted_by(Role::Client { answer_port: 7000 });
        let frame_bytes_max = u32::try_from(FRAME_BYTES_MAX).expect("it fits");
        self.says(link, Message::Hello(Hello { frame_bytes_max, ..Hello::new(servent()) }));
        self.flush();
        assert_eq!(self.told(link).len(), 1);
        link
    }

    fn neighbor(&mut self) -> LinkId {
        self.greeted_by(servent())
    }

    /// A neighbor that was told it may say as much as it likes.
    fn talker(&mut self) -> LinkId {
        let link = self.neighbor();
        self.may_talk(link);
        link
    }

    fn may_talk(&mut self, link: LinkId) {
        let mut client = Link::new(Dialect::Native, Purpose::Asking);
        let role = Role::Client { answer_port: 7000 };
        client.send(&Message::Hello(Hello::new(role))).expect("room for a hello");
        let other = self.others.get_mut(&link).expect("another end");
        other.receive(client.unsent());
        other.next_message().expect("a hello");
    }

    fn dials(&mut self, dialect: Dialect, purpose: Purpose) -> LinkId {
        let link = self.new_link(Link::new(dialect, Purpose::Standing));
        self.exchange.on_dialled(link, dialect, purpose);
        link
    }

    /// The bytes in which the other end says this.
    fn words(&mut self, link: LinkId, message: &Message) -> Vec<u8> {
        let other = self.others.get_mut(&link).expect("another end");
        other.send(message).expect("it can be said");
        let bytes = other.unsent().to_vec();
        other.sent(bytes.len());
        bytes
    }

    fn comes(&mut self, link: LinkId, message: &Message) {
        let bytes = self.words(link, message);
        self.receive(link, &bytes);
    }

    fn receive(&mut self, link: LinkId, bytes: &[u8]) {
        self.exchange.receive(link, bytes);
    }

    fn read(&mut self, link: LinkId) {
        self.exchange.read(self.now, link, &mut self.wires);
    }

    fn next_heard(&mut self) -> Option<(LinkId, Heard)> {
        self.exchange.next_heard(self.now, &mut self.wires)
    }

    fn heard(&mut self) -> Vec<(LinkId, Heard)> {
        std::iter::from_fn(|| self.next_heard()).collect()
    }

    /// Nothing is heard; this is when there is something to be done again.
    fn quiet_until(&mut self) -> Option<Duration> {
        assert_eq!(self.heard(), []);
        self.deadline()
    }

    fn says(&mut self, link: LinkId, message: Message) {
        self.performs(Output::Send { link, message });
    }

    /// The same, where it may be given back.
    fn tries_to_say(&mut self, link: LinkId, message: Message) -> Option<Outside> {
        self.exchange.perform(self.now, 0, Output::Send { link, message }, &mut self.wires)
    }

    fn performs(&mut self, output: Output) {
        assert_eq!(self.exchange.perform(self.now, 0, output, &mut self.wires), None);
    }

    fn performs_for_client(&mut self, output: session::Output) {
        assert_eq!(self.exchange.perform_for_client(self.now, output, &mut self.wires), None);
    }

    fn closes(&mut self, link: LinkId) {
        self.performs(Output::Close { link });
    }

    /// A connection is over, and nobody here wanted that.
    fn ends(&mut self, link: LinkId) {
        self.exchange.on_closed(self.now, link, "it is over".to_owned(), &mut self.wires);
    }

    fn flush(&mut self) {
        self.exchange.flush(self.now, &mut self.wires);
    }

    /// The messages that what was written comes to at the other end.
    fn told(&mut self, link: LinkId) -> Vec<Message> {
        let written = std::mem::take(&mut self.wires.at(link).written);
        let other = self.others.get_mut(&link).expect("another end");
        other.receive(&written);
        std::iter::from_fn(|| other.next_message().expect("messages")).collect()
    }

    fn goes_on(&mut self, duration: Duration) {
        self.now = self.now + duration;
        self.exchange.on_time(self.now, &mut self.wires);
    }

    fn deadline(&self) -> Option<Duration> {
        self.exchange.deadline().map(|due| due.since(self.now))
    }
}

fn servent() -> Role {
    Role::Servent { id: ServentId(9), advertised: SocketAddr::from(([192, 0, 2, 1], 9000)) }
}

fn query() -> Arc<Query> {
    Arc::new(Query {
        via: Via::Direct,
        sequence: 1,
        client: AnswerAddress { socket: SocketAddr::from(([192, 0, 2, 9], 7000)), dialect: Dialect::Native },
        contact: None,
        ttl: 3,
        hops: 1,
        ask: Ask::Key(Key::new(b"tea").expect("a key")),
        path: Path::default(),
    })
}

/// An answer of about so many bytes.
fn answer(bytes_count: usize) -> Message {
    Message::Answer(Answer {
        sequence: 1,
        asked: Some(AskHash(0)),
        hops: 0,
        body: AnswerBody::Value(vec![b'v'; bytes_count]),
    })
}

/// An answer on its way back to a neighbor, and the same to a client.
fn going_back() -> [Message; 2] {
    let body = BroughtBody::Whole(AnswerBody::Value(vec![b'v'; BROUGHT_BYTES_MAX]));
    let from = SocketAddr::from(([192, 0, 2, 3], 9000));
    let answer = Arc::new(BroughtAnswer { id: ServentId(3), from, name: None, hops: 2, body });
    [
        Message::Brought(Brought { contact: ContactName(1), number: 1, ttl: 3, answer: Arc::clone(&answer) }),
        Message::Handed(Handed { sequence: 1, answer }),
    ]
}

fn spoken(link: LinkId, message: Message) -> (LinkId, Heard) {
    (link, Heard::Message { stamp: 0, message })
}

fn unfinished(link: LinkId) -> (LinkId, Heard) {
    (link, Heard::Malformed(WireError::Unfinished))
}

fn closed(link: LinkId, reason: &str) -> (LinkId, Heard) {
    (link, Heard::Closed(reason.to_owned()))
}
