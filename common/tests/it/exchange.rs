//! All links of one end: each rule about bytes and time at the doors every shell uses.
//!
//! The connections are made up here, byte for byte; the other ends are links. What a mind decides is not judged.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::address::AnswerAddress;
use common::dialect::Dialect;
use common::exchange::{
    CLIENT_READ_BYTES, Exchange, Heard, MESSAGES_PER_VISIT, Outside, READ_BYTES, TIMERS_PER_TURN, Transport, purpose_of,
};
use common::key::Key;
use common::limits::{
    ANSWER_UNSENT_BYTES_MAX, CLIENT_CONNECTIONS_MAX, CLIENT_UNSENT_BYTES_MAX, CONNECTIONS_MAX, FRAME_WAIT_MAX,
    LINGER_MAX, NEIGHBOR_UNSENT_BYTES_MAX, STRANGER_UNSENT_BYTES_MAX, VALUE_BYTES_MAX,
};
use common::link::{Link, LinkId, Purpose, SendError};
use common::message::{Goodbye, Hello, Message, Request, Role, ServentId};
use common::overlay::{self, Dial, Errand};
use common::query::{Answer, AnswerBody, Ask, AskHash, Path, Query};
use common::session::{self, Report};
use common::time::Time;
use common::wire::{Accepts, WireError};

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

    fn says(&mut self, link: LinkId, message: Message) {
        self.performs(overlay::Output::Send { link, message });
    }

    fn performs(&mut self, output: overlay::Output) {
        assert_eq!(self.exchange.perform(self.now, output, &mut self.wires), None);
    }

    fn closes(&mut self, link: LinkId) {
        self.performs(overlay::Output::Close { link });
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

fn closed(link: LinkId, reason: &str) -> (LinkId, Heard) {
    (link, Heard::Closed(reason.to_owned()))
}

// ---- what a link is for ----

#[test]
fn what_is_dialled_says_what_the_link_is_for() {
    assert_eq!(purpose_of(Dial::Neighbor(3)), Purpose::Standing);
    assert_eq!(purpose_of(Dial::Call(Errand::Answers, SocketAddr::from(([192, 0, 2, 9], 7000)))), Purpose::Answers);
}

#[test]
fn how_much_waits_for_somebody_is_what_the_link_is_for() {
    let client = Role::Client { answer_port: 7000 };
    for (purpose, role, most) in [
        (Purpose::Standing, servent(), NEIGHBOR_UNSENT_BYTES_MAX),
        (Purpose::Answers, client, ANSWER_UNSENT_BYTES_MAX),
        (Purpose::Asking, servent(), CLIENT_UNSENT_BYTES_MAX),
    ] {
        let mut desk = Desk::servent();
        let link = desk.dials(Dialect::Native, purpose);
        desk.exchange.on_connected(link);
        desk.wires.at(link).room = 0;
        desk.comes(link, &Message::Hello(Hello::new(role)));
        assert_eq!(desk.heard().len(), 1, "{purpose:?}");
        while desk.exchange.is_known(link) {
            assert!(desk.exchange.unsent_bytes_count(link) <= most, "{purpose:?}");
            desk.says(link, answer(3_000));
        }
        let full = SendError::Full(most);
        assert_eq!(desk.heard(), [closed(link, &full.to_string())], "{purpose:?}");
    }
}

#[test]
fn who_connects_to_a_client_asks_nothing_of_it_and_who_connects_to_a_servent_may() {
    for (mut desk, may_be_long) in [(Desk::servent(), false), (Desk::client(), true)] {
        let link = desk.talker();
        desk.comes(link, &answer(100_000));
        let is_taken = matches!(&desk.heard()[..], [(_, Heard::Message(Message::Answer(_)))]);
        assert_eq!(is_taken, may_be_long);
    }
}

#[test]
fn there_are_so_many_connections_of_all_kinds_and_no_more() {
    for (mut desk, most) in [(Desk::servent(), CONNECTIONS_MAX), (Desk::client(), CLIENT_CONNECTIONS_MAX)] {
        for number in 0..most {
            assert!(!desk.exchange.is_full(), "{number}");
            if number % 2 == 0 {
                desk.accepts(Dialect::Native);
            } else {
                desk.dials(Dialect::Native, Purpose::Standing);
            }
        }
        assert!(desk.exchange.is_full());
        assert_eq!(desk.exchange.connections_count(), most);
        desk.exchange.drop_dials(desk.now, &mut desk.wires);
        assert_eq!(desk.exchange.connections_count(), most.div_ceil(2), "dials that are dropped are gone");
        assert_eq!(desk.heard(), [], "and nobody knew of them");
    }
}

// ---- how far a link is ----

#[test]
fn a_dial_under_way_is_no_link_yet() {
    let mut desk = Desk::servent();
    let link = desk.dials(Dialect::Native, Purpose::Standing);
    assert!(desk.exchange.is_connecting(link) && !desk.exchange.is_known(link) && !desk.exchange.is_read(link));
    desk.says(link, Message::Ping);
    desk.exchange.on_writable(link);
    desk.flush();
    desk.wires.at(link).unread.push_back(Vec::new());
    desk.read(link);
    assert_eq!((desk.deadline(), desk.heard(), desk.wires.said.len()), (None, Vec::new(), 0));
    desk.exchange.on_connected(link);
    assert!(!desk.exchange.is_connecting(link) && desk.exchange.is_known(link) && desk.exchange.is_read(link));
    desk.says(link, Message::Ping);
    desk.flush();
    assert_eq!(desk.told(link), [Message::Ping]);
    assert!(desk.wires.at(link).is_read && !desk.wires.at(link).waits_for_room);
}

#[test]
fn a_dial_that_failed_is_gone_and_its_mind_was_not_told_of_it() {
    let mut desk = Desk::servent();
    let link = desk.dials(Dialect::Native, Purpose::Standing);
    desk.exchange.forget(desk.now, link, &mut desk.wires);
    assert!(desk.wires.at(link).is_closed);
    desk.exchange.on_connected(link);
    assert_eq!((desk.heard(), desk.exchange.is_known(link)), (Vec::new(), false));
}

#[test]
fn of_dials_that_are_not_wanted_any_more_nothing_is_left_and_links_stay() {
    let mut desk = Desk::servent();
    let dials = [(); 2].map(|()| desk.dials(Dialect::Native, Purpose::Standing));
    let links = [desk.neighbor(), desk.neighbor()];
    desk.exchange.drop_dials(desk.now, &mut desk.wires);
    assert_eq!(dials.map(|link| desk.wires.at(link).is_closed), [true, true]);
    assert_eq!(links.map(|link| desk.exchange.is_known(link)), [true, true]);
    assert_eq!((desk.heard(), desk.exchange.connections_count()), (Vec::new(), 2));
}

#[test]
fn what_a_dialect_leaves_unsaid_is_heard_as_soon_as_the_link_stands() {
    let mut desk = Desk::servent();
    let link = desk.dials(Dialect::Tp3, Purpose::Standing);
    desk.exchange.on_connected(link);
    let hello = Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless));
    assert_eq!(desk.heard(), [(link, Heard::Message(hello))]);
}

#[test]
fn who_lets_go_of_a_link_ends_it_and_the_mind_is_told_after_what_came_before() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    let ping = desk.words(link, &Message::Ping);
    desk.wires.at(link).unread.extend([ping, Vec::new()]);
    desk.read(link);
    desk.read(link);
    let told = [(link, Heard::Message(Message::Ping)), closed(link, "it closed the connection")];
    assert_eq!(desk.heard(), told);
    assert!(desk.wires.at(link).is_closed && !desk.exchange.is_known(link));
    // What the mind says meanwhile has nobody to go to.
    desk.says(link, Message::Pong);
    desk.closes(link);
    desk.flush();
    assert!(desk.wires.said.is_empty());
}

#[test]
fn a_visit_takes_so_many_bytes_of_one_connection() {
    for (mut desk, most) in [(Desk::servent(), READ_BYTES), (Desk::client(), CLIENT_READ_BYTES)] {
        let link = desk.neighbor();
        desk.wires.at(link).unread.extend([vec![0; 3], vec![0; 1]]);
        desk.read(link);
        assert_eq!((desk.wires.at(link).read_bytes_max, desk.wires.at(link).unread.len()), (most, 1));
    }
}

#[test]
fn bytes_that_make_no_sense_are_told_after_the_messages_before_them() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    let bytes = [desk.words(link, &Message::Ping), vec![0xff; 12]].concat();
    desk.receive(link, &bytes);
    let heard = desk.heard();
    assert!(
        matches!(
            heard[..],
            [(_, Heard::Message(Message::Ping)), (_, Heard::Malformed(WireError::FrameTooLong { .. }))]
        ),
        "{heard:?}"
    );
    assert!(desk.exchange.is_known(link), "what comes of it is for the mind to say");
}

// ---- frames that do not end ----

#[test]
fn a_frame_that_has_begun_must_end_in_time() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    let ping = desk.words(link, &Message::Ping);
    assert_eq!(desk.deadline(), None);
    desk.receive(link, &ping[..1]);
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), Some(FRAME_WAIT_MAX)));
    // Byte after byte does not make it longer; the end of one frame and the beginning of the next does.
    desk.goes_on(FRAME_WAIT_MAX - SECOND);
    desk.receive(link, &ping[1..2]);
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), Some(SECOND)));
    desk.receive(link, &[&ping[2..], &ping[..1]].concat());
    assert_eq!((desk.heard().len(), desk.deadline()), (1, Some(FRAME_WAIT_MAX)));
    desk.receive(link, &ping[1..]);
    assert_eq!(desk.deadline(), Some(Duration::ZERO), "there is something to be heard");
    assert_eq!((desk.heard().len(), desk.deadline()), (1, None));
    desk.receive(link, &ping[..1]);
    assert_eq!(desk.heard(), []);
    desk.goes_on(FRAME_WAIT_MAX - Duration::from_nanos(1));
    assert_eq!(desk.heard(), []);
    desk.goes_on(Duration::from_nanos(1));
    assert_eq!(desk.heard(), [(link, Heard::Malformed(WireError::Unfinished))]);
    assert_eq!(desk.deadline(), None, "it is said once");
}

/// A dialect may have frames in which nothing is said. Whoever sends them is not slow.
#[test]
fn a_frame_in_which_nothing_is_said_has_ended_too() {
    let mut desk = Desk::servent();
    let link = desk.dials(Dialect::Tp3, Purpose::Standing);
    desk.exchange.on_connected(link);
    assert_eq!(desk.heard().len(), 1, "a hello that nobody said");
    // A request for a key without a byte.
    let nothing = [0, 5, 0, 0, 0, 1, 0, 0];
    desk.receive(link, &nothing[..1]);
    assert_eq!(desk.heard(), []);
    desk.goes_on(FRAME_WAIT_MAX - SECOND);
    desk.receive(link, &[&nothing[1..], &nothing[..1]].concat());
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), Some(FRAME_WAIT_MAX)));
    desk.receive(link, &nothing[1..2]);
    desk.goes_on(FRAME_WAIT_MAX);
    assert_eq!(desk.heard(), [(link, Heard::Malformed(WireError::Unfinished))], "this one has not");
}

#[test]
fn half_a_preface_is_waited_for_as_long_as_half_a_frame() {
    let mut desk = Desk::servent();
    let link = desk.accepts(Dialect::Native);
    let hello = desk.words(link, &Message::Ping);
    desk.receive(link, &hello[..2]);
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), Some(FRAME_WAIT_MAX)));
}

#[test]
fn a_client_times_no_frame() {
    let mut desk = Desk::client();
    let link = desk.neighbor();
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping[..1]);
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), None));
}

#[test]
fn of_the_timers_of_a_crowd_so_many_end_in_one_turn() {
    let mut desk = Desk::servent();
    for _ in 0..=TIMERS_PER_TURN {
        let link = desk.neighbor();
        let ping = desk.words(link, &Message::Ping);
        desk.receive(link, &ping[..1]);
    }
    assert_eq!(desk.heard(), []);
    desk.goes_on(FRAME_WAIT_MAX);
    assert_eq!(desk.heard().len(), TIMERS_PER_TURN);
    assert_eq!(desk.deadline(), Some(Duration::ZERO));
    desk.goes_on(Duration::ZERO);
    assert_eq!((desk.heard().len(), desk.deadline()), (1, None));
}

// ---- rests ----

fn rest(link: LinkId) -> overlay::Output {
    overlay::Output::Rest { link }
}

fn resume(link: LinkId) -> overlay::Output {
    overlay::Output::Resume { link }
}

#[test]
fn nothing_is_read_of_who_rests_and_half_a_frame_is_timed_anew_when_the_rest_is_over() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping[..1]);
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), Some(FRAME_WAIT_MAX)));
    desk.performs(rest(link));
    assert!(!desk.wires.at(link).is_read && !desk.exchange.is_read(link) && desk.exchange.is_known(link));
    desk.wires.at(link).unread.push_back(ping[1..].to_vec());
    desk.read(link);
    assert_eq!(desk.wires.at(link).unread.len(), 1, "it was read");
    // It may be spoken to, and may be told to rest once more.
    desk.says(link, Message::Ping);
    desk.flush();
    desk.performs(rest(link));
    assert!(!desk.wires.at(link).is_read);
    assert_eq!(desk.deadline(), None, "it rests for as long as its mind says");
    desk.goes_on(100 * FRAME_WAIT_MAX);
    assert_eq!(desk.heard(), []);
    desk.performs(resume(link));
    assert!(desk.wires.at(link).is_read && desk.exchange.is_read(link));
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), Some(FRAME_WAIT_MAX)));
    desk.performs(resume(link));
    assert_eq!(desk.deadline(), Some(FRAME_WAIT_MAX), "whoever does not rest goes on as it was");
    desk.read(link);
    assert_eq!((desk.heard(), desk.deadline()), (vec![(link, Heard::Message(Message::Ping))], None));
}

#[test]
fn who_rests_with_no_frame_begun_is_not_timed_afterwards() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    desk.performs(rest(link));
    desk.performs(resume(link));
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), None));
}

#[test]
fn of_who_rests_nothing_more_is_told_until_it_goes_on_and_then_all_of_it_without_a_new_byte() {
    let mut desk = Desk::servent();
    let [link, other] = [desk.neighbor(), desk.neighbor()];
    let words = [Message::Ping, Message::Pong, Message::Ping].map(|message| desk.words(link, &message)).concat();
    // All of it was read, and half a frame behind it.
    desk.receive(link, &[&words[..], &words[..2]].concat());
    assert_eq!(desk.next_heard(), Some((link, Heard::Message(Message::Ping))));
    desk.performs(rest(link));
    desk.comes(other, &Message::Pong);
    assert_eq!(desk.heard(), [(other, Heard::Message(Message::Pong))]);
    assert_eq!(desk.deadline(), None);
    desk.goes_on(2 * FRAME_WAIT_MAX);
    assert_eq!(desk.heard(), [], "a frame that is whole is not half of one, however long it rests");
    desk.performs(resume(link));
    assert_eq!(desk.deadline(), Some(Duration::ZERO), "there is something to be heard");
    let told = [Message::Pong, Message::Ping].map(|message| (link, Heard::Message(message)));
    assert_eq!(desk.heard(), told);
    assert_eq!(desk.deadline(), Some(FRAME_WAIT_MAX), "and the half one is timed from now on");
}

#[test]
fn what_comes_while_a_link_rests_does_not_end_the_rest() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    desk.performs(rest(link));
    desk.comes(link, &Message::Ping);
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), None));
    desk.performs(resume(link));
    assert_eq!(desk.heard(), [(link, Heard::Message(Message::Ping))]);
}

#[test]
fn of_who_rests_and_is_lost_the_end_is_told_and_nothing_before_it() {
    for is_lost_first in [false, true] {
        let mut desk = Desk::servent();
        let link = desk.neighbor();
        let words = [desk.words(link, &Message::Ping), desk.words(link, &Message::Pong)].concat();
        desk.receive(link, &words);
        assert_eq!(desk.next_heard(), Some((link, Heard::Message(Message::Ping))));
        let reason = "it is over".to_owned();
        if is_lost_first {
            desk.exchange.on_closed(desk.now, link, reason, &mut desk.wires);
            desk.performs(rest(link));
        } else {
            desk.performs(rest(link));
            desk.exchange.on_closed(desk.now, link, reason, &mut desk.wires);
        }
        assert_eq!(desk.heard(), [closed(link, "it is over")], "lost first: {is_lost_first}");
        assert_eq!((desk.deadline(), desk.exchange.connections_count()), (None, 0));
    }
}

#[test]
fn who_rests_is_closed_as_anybody() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    desk.performs(rest(link));
    desk.closes(link);
    assert_eq!(desk.deadline(), Some(LINGER_MAX));
    desk.flush();
    assert!(desk.wires.at(link).is_read, "its end is to be noticed");
    desk.performs(rest(link));
    desk.performs(resume(link));
    assert_eq!(desk.deadline(), Some(LINGER_MAX), "who was closed does not rest");
    assert!(desk.wires.at(link).is_read && !desk.exchange.is_known(link));
}

// ---- whose turn it is ----

/// How many messages of each of these links were heard.
fn counts(heard: &[(LinkId, Heard)], links: [LinkId; 2]) -> [usize; 2] {
    links.map(|link| heard.iter().filter(|(on, heard)| *on == link && matches!(heard, Heard::Message(_))).count())
}

const VISIT: usize = MESSAGES_PER_VISIT as usize;

impl Desk {
    /// So many pings, as they lie in the system.
    fn lies_unread(&mut self, link: LinkId, count: usize) {
        let bytes = self.words(link, &Message::Ping).repeat(count);
        let pieces = bytes.chunks(READ_BYTES).map(<[u8]>::to_vec);
        self.wires.at(link).unread.extend(pieces);
    }
}

#[test]
fn a_turn_tells_so_many_messages_of_one_link_and_the_next_turn_goes_on() {
    let mut desk = Desk::servent();
    let links @ [hasty, other] = [desk.neighbor(), desk.neighbor()];
    // More than is read at once.
    desk.lies_unread(hasty, 1_000);
    let pieces = desk.wires.at(hasty).unread.len();
    assert!(pieces > 1);
    let mut told = 0;
    for turn in 0..1_000_usize.div_ceil(VISIT) {
        // As in the loops of the programs: whoever is ready is read, and then time goes on, if only by nothing.
        desk.read(hasty);
        desk.comes(other, &Message::Ping);
        let heard = desk.heard();
        let expected = VISIT.min(1_000 - told);
        assert_eq!(counts(&heard, links), [expected, 1], "turn {turn}");
        told += expected;
        let is_over = told == 1_000;
        assert_eq!(desk.deadline(), (!is_over).then_some(Duration::ZERO), "turn {turn}");
        let unread = desk.wires.at(hasty).unread.len();
        desk.read(hasty);
        assert!(is_over || desk.wires.at(hasty).unread.len() == unread, "it is read, and has more to say");
        assert_eq!(desk.heard(), [], "turn {turn}: what is left over waits for the next");
        desk.goes_on(Duration::ZERO);
    }
    assert_eq!((told, desk.deadline()), (1_000, None));
}

#[test]
fn a_turn_tells_no_more_of_whoever_was_left_over_and_is_read_again_in_it() {
    let mut desk = Desk::servent();
    let links @ [hasty, _] = [desk.neighbor(), desk.neighbor()];
    let ping = desk.words(hasty, &Message::Ping);
    desk.receive(hasty, &ping.repeat(VISIT + 1));
    assert_eq!(counts(&desk.heard(), links), [VISIT, 0]);
    desk.goes_on(Duration::ZERO);
    assert_eq!(counts(&desk.heard(), links), [1, 0]);
    desk.wires.at(hasty).unread.push_back(ping.repeat(VISIT));
    desk.read(hasty);
    assert_eq!(counts(&desk.heard(), links), [VISIT - 1, 0], "one was told in this turn");
    desk.goes_on(Duration::ZERO);
    assert_eq!(counts(&desk.heard(), links), [1, 0]);
}

#[test]
fn whoever_was_never_left_over_needs_no_time_to_go_on() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    for _ in 0..3 * VISIT {
        desk.comes(link, &Message::Ping);
        assert_eq!((desk.heard().len(), desk.deadline()), (1, None));
    }
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping.repeat(VISIT));
    assert_eq!((desk.heard().len(), desk.deadline()), (VISIT, None), "a visit's worth leaves nothing over");
}

#[test]
fn links_are_heard_one_after_the_other_in_the_order_in_which_they_had_something() {
    let mut desk = Desk::servent();
    let links = [(); 3].map(|()| desk.neighbor());
    let ping = desk.words(links[0], &Message::Ping);
    for link in [links[1], links[0], links[2], links[1]] {
        desk.receive(link, &ping.repeat(VISIT));
    }
    for order in [vec![links[1], links[0], links[2]], vec![links[1]]] {
        let mut heard: Vec<LinkId> = desk.heard().into_iter().map(|(link, _)| link).collect();
        heard.dedup();
        assert_eq!(heard, order);
        desk.goes_on(Duration::ZERO);
    }
    assert_eq!(desk.deadline(), None);
}

#[test]
fn a_frame_that_waits_for_its_turn_is_not_half_of_one() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping[..3]);
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), Some(FRAME_WAIT_MAX)));
    // Its other half comes in the last moment and is looked at after it.
    desk.goes_on(FRAME_WAIT_MAX - SECOND);
    desk.receive(link, &ping[3..]);
    desk.goes_on(2 * SECOND);
    assert_eq!((desk.heard(), desk.deadline()), (vec![(link, Heard::Message(Message::Ping))], None));
    // What comes too late is not the other half.
    desk.receive(link, &ping[..3]);
    assert_eq!(desk.heard(), []);
    desk.receive(link, &ping[3..4]);
    desk.goes_on(FRAME_WAIT_MAX);
    assert_eq!(desk.heard(), [(link, Heard::Malformed(WireError::Unfinished))]);
    assert_eq!(desk.deadline(), None);
    // Whoever is left over waits as long as it takes, whatever was half before and is half behind it.
    let link = desk.neighbor();
    desk.receive(link, &ping[..3]);
    assert_eq!(desk.heard(), []);
    desk.receive(link, &[&ping[3..], &ping.repeat(VISIT + 1), &ping[..2]].concat());
    assert_eq!(desk.heard().len(), VISIT);
    desk.now = desk.now + 2 * FRAME_WAIT_MAX;
    assert_eq!(desk.heard(), []);
    desk.goes_on(Duration::ZERO);
    assert_eq!(desk.heard().len(), 2);
    assert_eq!(desk.deadline(), Some(FRAME_WAIT_MAX));
}

#[test]
fn what_was_heard_before_the_end_of_a_connection_is_all_told_before_it() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    let count = 5 * VISIT;
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &[ping.repeat(count), vec![0]].concat());
    assert_eq!(desk.heard().len(), VISIT);
    desk.exchange.on_closed(desk.now, link, "it is over".to_owned(), &mut desk.wires);
    let heard = desk.heard();
    assert_eq!(heard.len(), count - VISIT + 1);
    assert_eq!(heard.last(), Some(&closed(link, "it is over")));
    desk.goes_on(Duration::ZERO);
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), None));
}

#[test]
fn a_connection_that_breaks_is_read_once_more_though_it_has_more_to_say_than_a_visit_takes() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping.repeat(VISIT + 1));
    assert_eq!(desk.heard().len(), VISIT);
    let goodbye = desk.words(link, &Message::Goodbye(Goodbye::Leaving));
    desk.wires.at(link).unread.push_back(goodbye);
    desk.wires.at(link).is_broken = true;
    desk.says(link, Message::Pong);
    desk.flush();
    let last_words = [Message::Ping, Message::Goodbye(Goodbye::Leaving)].map(|message| (link, Heard::Message(message)));
    assert_eq!(desk.heard(), [&last_words[..], &[closed(link, "it broke")]].concat());
}

#[test]
fn bytes_that_make_no_sense_wait_for_the_messages_before_them() {
    for is_closed in [false, true] {
        let mut desk = Desk::servent();
        let link = desk.neighbor();
        let ping = desk.words(link, &Message::Ping);
        desk.receive(link, &[ping.repeat(VISIT + 3), vec![0xff; 12]].concat());
        assert_eq!(desk.heard(), vec![(link, Heard::Message(Message::Ping)); VISIT]);
        if is_closed {
            desk.exchange.on_closed(desk.now, link, "it is over".to_owned(), &mut desk.wires);
        }
        desk.goes_on(Duration::ZERO);
        let heard = desk.heard();
        assert_eq!(heard[..3], vec![(link, Heard::Message(Message::Ping)); 3]);
        assert!(matches!(heard[3], (_, Heard::Malformed(WireError::FrameTooLong { .. }))), "{heard:?}");
        assert_eq!(heard.len(), if is_closed { 5 } else { 4 });
    }
}

#[test]
fn what_is_left_over_is_not_told_of_a_link_that_its_mind_has_closed() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping.repeat(2 * VISIT));
    assert_eq!(desk.heard().len(), VISIT);
    desk.closes(link);
    desk.goes_on(Duration::ZERO);
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), Some(LINGER_MAX)));
}

#[test]
fn a_client_is_told_all_that_was_read() {
    let mut desk = Desk::client();
    let link = desk.neighbor();
    let ping = desk.words(link, &Message::Ping);
    desk.receive(link, &ping.repeat(10 * VISIT));
    assert_eq!((desk.heard().len(), desk.deadline()), (10 * VISIT, None));
}

// ---- last words ----

#[test]
fn a_servent_says_its_last_words_shuts_once_and_waits_for_the_other_to_close() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    desk.wires.at(link).room = 1;
    desk.says(link, Message::Goodbye(Goodbye::Leaving));
    desk.closes(link);
    assert!(!desk.exchange.is_known(link) && !desk.exchange.is_flushed());
    desk.flush();
    assert_eq!((desk.wires.at(link).shut_count, desk.wires.at(link).waits_for_room), (0, true));
    desk.says(link, Message::Ping);
    desk.wires.at(link).room = usize::MAX;
    desk.exchange.on_writable(link);
    desk.flush();
    assert!(desk.exchange.is_flushed());
    assert_eq!((desk.wires.at(link).shut_count, desk.wires.at(link).waits_for_room), (1, false));
    // What still comes is discarded, and the end is no news to anybody.
    desk.exchange.on_writable(link);
    desk.flush();
    assert_eq!(desk.wires.at(link).shut_count, 1);
    desk.wires.at(link).unread.extend([vec![0xff; 9], Vec::new()]);
    desk.read(link);
    assert!(!desk.wires.at(link).is_closed);
    desk.read(link);
    assert!(desk.wires.at(link).is_closed);
    assert_eq!((desk.heard(), desk.deadline(), desk.exchange.connections_count()), (Vec::new(), None, 0));
    assert_eq!(desk.told(link), [Message::Goodbye(Goodbye::Leaving)]);
}

#[test]
fn a_servent_waits_so_long_for_the_other_to_close() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    desk.closes(link);
    desk.flush();
    desk.goes_on(LINGER_MAX - Duration::from_nanos(1));
    assert!(!desk.wires.at(link).is_closed);
    desk.goes_on(Duration::from_nanos(1));
    assert!(desk.wires.at(link).is_closed);
    assert_eq!(desk.heard(), []);
}

#[test]
fn a_client_says_its_last_words_and_just_closes() {
    let mut desk = Desk::client();
    let link = desk.neighbor();
    desk.says(link, Message::Goodbye(Goodbye::Protocol));
    let output = session::Output::Close { link };
    assert_eq!(desk.exchange.perform_for_client(desk.now, output, &mut desk.wires), None);
    assert!(desk.wires.at(link).is_closed);
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), None));
    assert_eq!(desk.told(link), [Message::Goodbye(Goodbye::Protocol)]);
    desk.flush();
}

#[test]
fn of_a_link_its_mind_has_closed_nothing_more_is_told() {
    let mut desk = Desk::servent();
    let [link, other] = [desk.neighbor(), desk.neighbor()];
    desk.comes(link, &Message::Ping);
    desk.comes(other, &Message::Pong);
    desk.comes(link, &Message::Ping);
    desk.closes(link);
    assert_eq!(desk.heard(), [(other, Heard::Message(Message::Pong))]);
    desk.comes(link, &Message::Ping);
    assert_eq!(desk.heard(), []);
}

#[test]
fn nor_is_it_of_one_that_was_over_before_its_mind_closed_it() {
    for (mut desk, is_servent) in [(Desk::servent(), true), (Desk::client(), false)] {
        let [link, other] = [desk.neighbor(), desk.neighbor()];
        desk.comes(link, &Message::Ping);
        desk.comes(other, &Message::Pong);
        desk.comes(link, &Message::Ping);
        desk.exchange.on_closed(desk.now, link, "it is over".to_owned(), &mut desk.wires);
        assert_eq!(desk.next_heard(), Some((link, Heard::Message(Message::Ping))));
        if is_servent {
            desk.closes(link);
        } else {
            let output = session::Output::Close { link };
            assert_eq!(desk.exchange.perform_for_client(desk.now, output, &mut desk.wires), None);
        }
        assert_eq!(desk.heard(), [(other, Heard::Message(Message::Pong))]);
    }
}

// ---- what is said ----

#[test]
fn what_goes_to_many_goes_to_each_in_its_own_dialect() {
    let mut desk = Desk::servent();
    let [one, two] = [desk.neighbor(), desk.neighbor()];
    let three = desk.dials(Dialect::Tp3, Purpose::Standing);
    desk.exchange.on_connected(three);
    let gone = desk.dials(Dialect::Native, Purpose::Standing);
    for link in [one, two, three] {
        desk.says(link, Message::Hello(Hello::new(servent())));
    }
    desk.wires.said.clear();
    desk.performs(overlay::Output::Flood { links: vec![one, three, gone, two, LinkId(1)], query: query() });
    desk.flush();
    let written = [one, two, three].map(|link| desk.wires.at(link).written.clone());
    assert_eq!(written[0], written[1]);
    assert_ne!(written[0], written[2]);
    assert!(desk.wires.at(gone).written.is_empty());
    let said = [one, three, two].map(|link| (link, "query".to_owned(), Ok(())));
    assert_eq!(desk.wires.said, said);
}

#[test]
fn what_is_queued_is_written_in_order_once_and_the_rest_when_there_is_room() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    desk.says(link, Message::Hello(Hello::new(servent())));
    desk.says(link, Message::Ping);
    desk.says(link, Message::Pong);
    assert!(desk.wires.at(link).written.is_empty(), "it is written when the turn is over");
    let queued_bytes = desk.exchange.unsent_bytes_count(link);
    assert!(desk.exchange.is_unflushed());
    desk.wires.at(link).room = 11;
    desk.flush();
    assert_eq!((desk.wires.at(link).written.len(), desk.wires.at(link).waits_for_room), (11, true));
    assert_eq!(desk.exchange.unsent_bytes_count(link), queued_bytes - 11);
    assert!(!desk.exchange.is_unflushed(), "nothing is written before there is room");
    desk.flush();
    assert_eq!(desk.wires.at(link).written.len(), 11);
    desk.wires.at(link).room = usize::MAX;
    desk.exchange.on_writable(link);
    desk.flush();
    assert!(!desk.wires.at(link).waits_for_room && desk.exchange.is_flushed());
    assert_eq!(desk.wires.at(link).written.len(), queued_bytes);
    let told = [Message::Hello(Hello::new(servent())), Message::Ping, Message::Pong];
    assert_eq!(desk.told(link), told);
}

#[test]
fn a_queue_that_is_full_is_written_once_before_it_counts_as_full() {
    let mut desk = Desk::of(Exchange::servent(Accepts::OWN));
    let link = desk.accepts(Dialect::Native);
    let mut count = 0;
    // As much as a stranger may leave unread, many times over: it is all taken.
    while desk.wires.at(link).written.len() < 3 * STRANGER_UNSENT_BYTES_MAX {
        desk.says(link, Message::Ping);
        count += 1;
        assert!(count < 10_000 && desk.exchange.is_known(link));
    }
    // And once nothing is taken any more it is over.
    desk.wires.at(link).room = 0;
    let before = desk.wires.said.len();
    while desk.exchange.is_known(link) {
        desk.says(link, Message::Ping);
        assert!(desk.exchange.unsent_bytes_count(link) <= STRANGER_UNSENT_BYTES_MAX);
    }
    let full = SendError::Full(STRANGER_UNSENT_BYTES_MAX);
    assert_eq!(desk.heard(), [closed(link, &full.to_string())]);
    assert!(desk.wires.at(link).is_closed && desk.wires.said.len() > before);
    assert_eq!(desk.wires.said.last(), Some(&(link, "ping".to_owned(), Err(full))));
    desk.flush();
}

#[test]
fn what_the_other_end_cannot_be_told_is_dropped_and_the_link_stays() {
    let mut desk = Desk::servent();
    let link = desk.neighbor();
    desk.says(link, answer(VALUE_BYTES_MAX));
    desk.says(link, Message::Ping);
    assert!(matches!(desk.wires.said[..], [(_, _, Err(SendError::TooLong(_))), (_, _, Ok(()))]));
    assert_eq!((desk.exchange.is_known(link), desk.heard()), (true, Vec::new()));
}

#[test]
fn a_link_on_which_a_client_cannot_say_what_it_has_to_is_of_no_use_to_it() {
    let mut desk = Desk::client();
    let link = desk.neighbor();
    let ask = Ask::Key(Key::new(&[b'k'; 4_000]).expect("a key"));
    let short = Hello { frame_bytes_max: 100, ..Hello::new(servent()) };
    desk.comes(link, &Message::Hello(short));
    desk.heard();
    let message = Message::Request(Request { sequence: 1, ask });
    let output = session::Output::Send { link, message };
    assert_eq!(desk.exchange.perform_for_client(desk.now, output, &mut desk.wires), None);
    let heard = desk.heard();
    assert!(
        matches!(&heard[..], [(_, Heard::Closed(reason))] if reason.starts_with("it accepts no frame")),
        "{heard:?}"
    );
}

#[test]
fn what_came_before_a_connection_broke_is_heard_before_it_is_told() {
    let mut desk = Desk::client();
    let link = desk.neighbor();
    let words = desk.words(link, &answer(10));
    desk.wires.at(link).unread.push_back(words);
    desk.wires.at(link).is_broken = true;
    desk.says(link, Message::Ping);
    desk.flush();
    assert_eq!(desk.heard(), [(link, Heard::Message(answer(10))), closed(link, "it broke")]);
    assert!(desk.wires.at(link).is_closed);
}

#[test]
fn what_is_beyond_the_links_is_left_to_the_shell() {
    let mut desk = Desk::servent();
    let (dial, address) = (Dial::Neighbor(0), SocketAddr::from(([192, 0, 2, 1], 9000)));
    let output = overlay::Output::Dial { dial, address, dialect: Dialect::Tp3 };
    let outside = desk.exchange.perform(desk.now, output, &mut desk.wires);
    assert_eq!(outside, Some(Outside::Dial { dial, address, dialect: Dialect::Tp3 }));
    let told = desk.exchange.perform_for_client(desk.now, session::Output::Tell(Report::Ready), &mut desk.wires);
    assert_eq!(told, Some(Report::Ready));
}

#[test]
fn what_is_heard_is_put_in_the_words_of_either_mind() {
    let link = LinkId(7);
    let heard = [
        Heard::Message(Message::Ping),
        Heard::Malformed(WireError::Unfinished),
        Heard::Closed("it closed the connection".to_owned()),
    ];
    let [one, two, three] = heard.clone().map(|heard| heard.for_servent(link));
    assert!(matches!(one, overlay::Input::Received { link: LinkId(7), message: Message::Ping }));
    assert!(matches!(two, overlay::Input::Malformed { link: LinkId(7), error: WireError::Unfinished }));
    assert!(
        matches!(three, overlay::Input::Closed { link: LinkId(7), reason } if reason == "it closed the connection")
    );
    let [one, two, three] = heard.map(|heard| heard.for_client(link));
    assert!(matches!(one, session::Input::Received { link: LinkId(7), message: Message::Ping }));
    assert!(matches!(two, session::Input::Malformed { link: LinkId(7), error: WireError::Unfinished }));
    assert!(
        matches!(three, session::Input::Closed { link: LinkId(7), reason } if reason == "it closed the connection")
    );
}

// ---- long frames at a client ----

/// As many half-said long messages as there are places for.
const LONG_MAX: usize = 16;

#[test]
fn of_long_frames_so_many_are_read_at_once_and_the_next_goes_on_when_one_has_ended() {
    let mut desk = Desk::client();
    let links: Vec<LinkId> = (0..=LONG_MAX).map(|_| desk.talker()).collect();
    let long: Vec<Vec<u8>> = links.iter().map(|link| desk.words(*link, &answer(20_000))).collect();
    for (link, long) in links.iter().zip(&long) {
        desk.receive(*link, &long[..10_000]);
    }
    assert_eq!(desk.heard(), []);
    let last = links[LONG_MAX];
    assert!(links[..LONG_MAX].iter().all(|link| desk.exchange.is_read(*link)));
    assert!(!desk.exchange.is_read(last) && !desk.wires.at(last).is_read);
    assert!(desk.deadline().is_some(), "somebody waits");
    desk.receive(links[3], &long[3][10_000..]);
    assert_eq!((desk.heard().len(), desk.deadline()), (1, None));
    assert!(desk.exchange.is_read(last) && desk.wires.at(last).is_read);
}

#[test]
fn a_long_frame_that_others_wait_for_must_end_in_time() {
    let mut desk = Desk::client();
    let links: Vec<LinkId> = (0..=LONG_MAX).map(|_| desk.talker()).collect();
    for link in &links {
        let long = desk.words(*link, &answer(20_000));
        desk.receive(*link, &long[..10_000]);
    }
    assert_eq!(desk.heard(), []);
    let wait = desk.deadline().expect("somebody waits");
    desk.goes_on(wait);
    let reason = "it did not end its message, and others waited to begin theirs";
    assert_eq!(desk.heard(), [closed(links[0], reason)]);
    assert!(desk.wires.at(links[0]).is_closed && desk.exchange.is_read(links[LONG_MAX]));
    assert_eq!(desk.deadline(), None);
}

#[test]
fn whom_a_client_dialled_needs_no_place_and_neither_does_anybody_at_a_servent() {
    let mut desk = Desk::client();
    for link in (0..LONG_MAX).map(|_| desk.talker()).collect::<Vec<_>>() {
        let long = desk.words(link, &answer(20_000));
        desk.receive(link, &long[..10_000]);
    }
    let contact = desk.dials(Dialect::Native, Purpose::Asking);
    desk.exchange.on_connected(contact);
    desk.comes(contact, &Message::Hello(Hello::new(servent())));
    desk.may_talk(contact);
    assert_eq!(desk.heard().len(), 1);
    let long = desk.words(contact, &answer(20_000));
    desk.receive(contact, &long[..10_000]);
    assert_eq!((desk.heard(), desk.deadline()), (Vec::new(), None));
    assert!(desk.exchange.is_read(contact));
}
