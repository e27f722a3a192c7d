//! All links of one end: connections that come, break and fill up, bytes whole, in pieces or at random, and a mind that
//! says anything.
//!
//! The driver keeps the contract of a mind and of a shell: it closes what makes no sense, and tells the time when it is
//! due. What is at the other ends is up to the input.

use std::collections::BTreeMap;

use common::dialect::Dialect;
use common::exchange::{Exchange, Heard, MESSAGES_PER_VISIT, TIMERS_PER_TURN, purpose_of};
use common::limits::{FRAME_WAIT_MAX, LINGER_MAX, NEIGHBOR_UNSENT_BYTES_MAX};
use common::link::{Link, LinkId, Purpose};
use common::message::{Hello, Message, Role, ServentId};
use common::overlay::{Dial, Errand, Output};
use common::time::Time;
use common::wire::{Accepts, Frame, PREFACE, Position, WireError};

use super::wires::Wires;
use super::words;
use crate::Outcome;
use crate::reader::Reader;

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let mut reader = Reader::new(bytes);
    let mut driver = Driver::new(&mut reader);
    while !reader.is_over() {
        driver.step(&mut reader);
        driver.check();
    }
    driver.end();
    Outcome::taken_if(driver.heard_count > 0)
}

struct Driver {
    exchange: Exchange,
    wires: Wires,
    is_servent: bool,
    now: Time,
    links_count: u64,
    dialled: Vec<LinkId>,
    open: BTreeMap<LinkId, Peer>,
    heard_count: usize,
    said_many_count: u32,
}

/// Who is at the other end.
struct Peer {
    link: Link,
    /// What it has said that has not come yet.
    coming: Vec<u8>,
    /// No frame that is under way began before this.
    began: Time,
    /// Nothing is heard of it but its end.
    rests: bool,
}

/// Of what is said so much comes, and before it as many pings as two visits take.
const MANY: u8 = 127;

impl Driver {
    fn new(reader: &mut Reader<'_>) -> Driver {
        let accepts = reader.one_of(&[Accepts::OWN, Accepts::ANY, Accepts::Only(Dialect::Tp3)]);
        let is_servent = reader.flag();
        Driver {
            exchange: if is_servent { Exchange::servent(accepts) } else { Exchange::client(accepts) },
            wires: Wires::default(),
            is_servent,
            now: Time::START,
            links_count: 0,
            dialled: Vec::new(),
            open: BTreeMap::new(),
            heard_count: 0,
            said_many_count: 0,
        }
    }

    fn new_link(&mut self) -> LinkId {
        self.links_count += 1;
        LinkId(self.links_count)
    }

    fn stands(&mut self, link: LinkId, dialect: Dialect) {
        let mut other = Link::new(dialect, Purpose::Standing);
        if dialect == Dialect::OWN {
            // As if it had heard a hello already, so that it can say whatever there is to be said.
            let role = Role::Servent { id: ServentId(1), advertised: ([127, 0, 0, 1], 9000).into() };
            let hello =
                Frame::at(Position::First, dialect, 0, &Message::Hello(Hello::new(role))).expect("it can be said");
            other.receive(&[&PREFACE, hello.as_bytes()].concat());
            assert!(matches!(other.next_message(), Ok(Some(Message::Hello(_)))));
        }
        self.open.insert(link, Peer { link: other, coming: Vec::new(), began: self.now, rests: false });
    }

    fn step(&mut self, reader: &mut Reader<'_>) {
        match reader.byte() % 16 {
            0 => {
                let (link, from) = (self.new_link(), words::address(reader));
                self.stands(link, words::dialect(reader));
                self.exchange.on_accepted(link, from);
            }
            1 => {
                let (link, dialect) = (self.new_link(), words::dialect(reader));
                let dials = [Dial::Neighbor(0), Dial::Call(Errand::Answers, words::address(reader))];
                let purpose = if self.is_servent { purpose_of(reader.one_of(&dials)) } else { Purpose::Asking };
                self.exchange.on_dialled(link, dialect, purpose);
                self.dialled.push(link);
            }
            2 => {
                let place = reader.below(self.dialled.len());
                if place < self.dialled.len() {
                    let link = self.dialled.remove(place);
                    if reader.byte() % 4 == 3 {
                        self.exchange.forget(self.now, link, &mut self.wires);
                    } else {
                        self.stands(link, words::dialect(reader));
                        self.exchange.on_connected(link);
                    }
                }
            }
            3..=6 => {
                if let Some(link) = words::open_link(reader, &self.open) {
                    let message = words::message(reader);
                    let share = reader.byte();
                    self.says(link, &message, share);
                }
            }
            7 => {
                if let Some(link) = words::open_link(reader, &self.open) {
                    let length = reader.below(40);
                    let bytes = reader.take(length).to_vec();
                    self.comes(link, &bytes);
                }
            }
            8 | 9 => {
                if let Some(link) = words::open_link(reader, &self.open) {
                    let message = words::message(reader);
                    self.perform(Output::Send { link, message });
                }
            }
            10 => {
                if let Message::Query(query) = words::message(reader) {
                    let links: Vec<LinkId> = self.open.keys().copied().collect();
                    self.perform(Output::Flood { links, query });
                }
            }
            11 => {
                if let Some(link) = words::open_link(reader, &self.open).filter(|_| self.is_servent) {
                    let rests = reader.flag();
                    self.perform(if rests { Output::Rest { link } } else { Output::Resume { link } });
                    if let Some(peer) = self.open.get_mut(&link) {
                        peer.rests = rests;
                    }
                }
            }
            12 => {
                if let Some(link) = words::open_link(reader, &self.open) {
                    if reader.flag() {
                        self.close(link);
                    } else {
                        let reason = "the input says so".to_owned();
                        self.exchange.on_closed(self.now, link, reason, &mut self.wires);
                    }
                }
            }
            13 => {
                self.wires.are_full = !self.wires.are_full;
                for link in self.open.keys() {
                    self.exchange.on_writable(*link);
                }
            }
            14 => self.go_to(self.now + words::duration(reader)),
            _ => {
                if let Some(due) = self.exchange.deadline() {
                    self.go_to(self.now.max(due));
                }
            }
        }
        self.hear();
        self.exchange.flush(self.now, &mut self.wires);
        self.hear();
    }

    /// The other end says something, of which so much of 256 comes now; what does not come later, before all else.
    fn says(&mut self, link: LinkId, message: &Message, share: u8) {
        let Some(peer) = self.open.get_mut(&link) else { return };
        // What cannot be said in its dialect it does not say.
        let _ = peer.link.send(message);
        // Nobody is read who has more to say than a visit takes.
        if share == MANY && self.exchange.deadline() != Some(Time::START) {
            for _ in 0..2 * MESSAGES_PER_VISIT {
                let _ = peer.link.send(&Message::Ping);
                self.said_many_count += 1;
            }
        }
        peer.coming.extend_from_slice(peer.link.unsent());
        peer.link.sent(peer.link.unsent().len());
        let count = if share < 128 { peer.coming.len() } else { peer.coming.len() * usize::from(share - 128) / 128 };
        let bytes: Vec<u8> = peer.coming.drain(..count).collect();
        self.comes(link, &bytes);
    }

    fn comes(&mut self, link: LinkId, bytes: &[u8]) {
        if self.exchange.is_read(link) {
            self.exchange.receive(link, bytes);
        }
    }

    fn perform(&mut self, output: Output) {
        assert_eq!(self.exchange.perform(self.now, 0, output, &mut self.wires), None, "that was all about links");
    }

    fn close(&mut self, link: LinkId) {
        self.open.remove(&link);
        self.perform(Output::Close { link });
        assert!(!self.exchange.is_known(link), "{link} was closed and is known");
    }

    fn hear(&mut self) {
        while let Some((link, heard)) = self.exchange.next_heard(self.now, &mut self.wires) {
            let Some(peer) = self.open.get_mut(&link) else { panic!("{heard:?} on {link}, which is not open") };
            assert!(!peer.rests || matches!(heard, Heard::Closed(_)), "{heard:?} on {link}, which rests");
            match heard {
                Heard::Message { message, .. } => {
                    self.heard_count += 1;
                    peer.began = self.now;
                    if matches!(message, Message::Goodbye(_)) {
                        self.close(link);
                    }
                }
                Heard::Malformed(error) => {
                    if error == WireError::Unfinished {
                        assert!(self.is_servent, "a client times a frame");
                        assert!(self.now.since(peer.began) >= FRAME_WAIT_MAX, "a frame is given up too early");
                    }
                    self.close(link);
                }
                Heard::Closed(_) => {
                    self.open.remove(&link);
                }
            }
        }
    }

    /// Lets time go on, and tells it as often as it is due.
    fn go_to(&mut self, later: Time) {
        self.now = later.min(Time::after_start(words::LATEST)).max(self.now);
        let timers_most = 2 * usize::try_from(self.links_count).unwrap_or(usize::MAX) / TIMERS_PER_TURN;
        let turns_most = 3 + timers_most + (self.said_many_count / MESSAGES_PER_VISIT) as usize;
        for _ in 0..turns_most {
            self.exchange.on_time(self.now, &mut self.wires);
            self.hear();
        }
        let next = self.exchange.deadline();
        assert!(next.is_none_or(|next| next > self.now), "{next:?} is due again at {:?}", self.now);
    }

    fn check(&self) {
        for link in self.open.keys() {
            assert!(self.exchange.is_known(*link), "{link} is open and not known");
            let unsent = self.exchange.unsent_bytes_count(*link);
            assert!(unsent <= NEIGHBOR_UNSENT_BYTES_MAX, "{unsent} bytes wait on {link}");
        }
        assert!(self.dialled.iter().all(|link| self.exchange.is_connecting(*link)));
        let lingering = self.exchange.connections_count() - self.open.len() - self.dialled.len();
        assert!(lingering == 0 || self.exchange.deadline().is_some(), "{lingering} linger for ever");
        assert!(lingering == 0 || self.is_servent, "a client lingers");
    }

    /// Whatever was said, nothing is left of links that were closed, nor of dials that are dropped.
    fn end(&mut self) {
        for link in self.open.keys().copied().collect::<Vec<_>>() {
            self.close(link);
        }
        self.exchange.drop_dials(self.now, &mut self.wires);
        self.dialled.clear();
        self.exchange.flush(self.now, &mut self.wires);
        self.now = self.now + LINGER_MAX;
        let heard_before = self.heard_count;
        while self.exchange.deadline().is_some_and(|due| due <= self.now) {
            self.exchange.on_time(self.now, &mut self.wires);
            // Whose turn it was is found to be closed.
            self.hear();
        }
        assert_eq!((self.exchange.connections_count(), self.exchange.deadline()), (0, None));
        assert_eq!(self.heard_count, heard_before, "something is heard of links that were closed");
    }
}
