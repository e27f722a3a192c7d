//! Hostile servents and clients: they attach to one servent and say what no honest one would, as much as they were
//! drawn to and no more.
//!
//! They have no mind: what they say is drawn. What it must not lead to is for the witness to say, who is told which
//! queries they forged.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use common::address::AnswerAddress;
use common::dialect::Dialect;
use common::key::Key;
use common::message::{Echo, Hello, Message, Request, Role, ServentId};
use common::query::{Ask, ContactName, Path, Query, QueryId, Tally};

use super::super::dialects;
use super::super::plan::Wire;
use super::super::random::Random;
use super::connection::{EndStage, link_id};
use super::liar::Liar;
use super::shell::Caller;
use super::trouble::Trouble;
use super::{MILLISECOND, Mind, Nanos, What, World, id_of};

/// The most one of them does; a query it floods may cost as much as an honest one.
const DEEDS_MAX: u64 = 24;
/// How often it attaches anew after it was thrown out.
const DIALS_MAX: u64 = 4;
/// How many queries it remembers, to say them again.
const HEARD_MAX: usize = 16;
/// The most counterfeits a forger makes, and the most of one copy.
const COUNTERFEITS_MAX: u64 = 60;
const COUNTERFEITS_AT_ONCE_MAX: u64 = 3;

/// What one of them does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Deed {
    /// Floods queries that nobody asked.
    Forge,
    /// Says again what it heard, perhaps with more TTL.
    Replay,
    /// Sends echoes that nobody awaits, or that lie.
    Lie,
    /// Sends bytes that mean nothing, or half a frame.
    Garble,
    /// Makes of what it heard copies that are not quite the same.
    Counterfeit,
}

const DEEDS: [Deed; 4] = [Deed::Forge, Deed::Replay, Deed::Lie, Deed::Garble];

/// In what a counterfeit differs from the copy it was made of.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Difference {
    /// It asks something else.
    Ask,
    /// It is of another contact: one that nobody is, or that of another query.
    Contact,
    /// It is of no contact.
    NoContact,
    /// It has another number there.
    Number,
    /// It is a query to come, and says that nothing is open before it.
    OpenFrom,
    /// It is one of several that have the number of a query to come.
    Ids,
    /// It may go further, and comes to its contact too.
    Ttl,
}

const DIFFERENCES: [Difference; 7] = [
    Difference::Ask,
    Difference::Contact,
    Difference::NoContact,
    Difference::Number,
    Difference::OpenFrom,
    Difference::Ids,
    Difference::Ttl,
];

/// Who it says it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Claim {
    /// Somebody of its own.
    Itself,
    /// The servent it speaks to, or another.
    Id,
    /// At the address of another.
    Address,
    /// A client.
    Client,
}

/// A hostile servent or client, as it was drawn.
pub(super) struct Hostile {
    pub(super) node: Option<usize>,
    connection: Option<usize>,
    claim: Claim,
    deeds: Vec<Deed>,
    deeds_left: u64,
    dials_left: u64,
    pause_max: Nanos,
    reads: bool,
    echoes: bool,
    heard: Vec<Query>,
    pub(super) liar: Liar,
}

impl Hostile {
    pub(super) fn draw(random: &mut Random, liar: Liar) -> Hostile {
        let mut deeds: Vec<Deed> = DEEDS.into_iter().filter(|_| random.chance(50)).collect();
        if deeds.is_empty() {
            deeds.push(Deed::Forge);
        }
        let claim = [Claim::Itself, Claim::Itself, Claim::Id, Claim::Address, Claim::Client][random.index(5)];
        Hostile {
            node: None,
            connection: None,
            claim,
            deeds,
            deeds_left: random.within(1, DEEDS_MAX),
            dials_left: random.within(1, DIALS_MAX),
            pause_max: random.within(1, 300) * MILLISECOND,
            reads: random.chance(80),
            echoes: random.chance(50),
            heard: Vec::new(),
            liar,
        }
    }

    /// One that does nothing but make counterfeits and answer what it hears, and is a good neighbor otherwise: it stays.
    pub(super) fn forger(random: &mut Random, liar: Liar) -> Hostile {
        Hostile {
            claim: Claim::Itself,
            deeds: vec![Deed::Counterfeit],
            deeds_left: random.within(COUNTERFEITS_MAX / 4, COUNTERFEITS_MAX),
            reads: true,
            echoes: true,
            ..Hostile::draw(random, liar)
        }
    }

    fn is_forger(&self) -> bool {
        self.deeds == [Deed::Counterfeit]
    }
}

impl World<'_> {
    pub(super) fn hostile_comes(&mut self, fault: usize, at: usize) {
        let node = self.add(at, Mind::Hostile(fault), None);
        self.nodes[node].life = 1;
        self.troubles[fault].hostile.node = Some(node);
        self.schedule(self.now, What::Misdeed { fault });
    }

    pub(super) fn hostile_goes(&mut self, fault: usize) {
        let Some(node) = self.troubles[fault].hostile.node else { return };
        self.nodes[node].mind = Mind::Gone;
        self.nodes[node].life += 1;
        let mut connections = self.nodes[node].connections.clone();
        connections.sort_unstable();
        for connection in connections {
            let end = usize::from(self.connections[connection].ends[0].node != node);
            self.reset(connection);
            self.leave(connection, end);
        }
    }

    pub(super) fn hostile_attached(&mut self, fault: usize, connection: usize) {
        let servents = self.scene.graph.servents();
        let Some(target) = self.troubles[fault].servents.first().copied() else { return };
        let random = &mut self.troubles[fault].random;
        let other = if random.chance(50) { target } else { random.index(servents) };
        let own_id = ServentId(u128::from(random.number()) << 64 | u128::from(random.number()));
        let own = self.connections[connection].ends[0].node;
        let own = self.nodes[own].address;
        let role = match self.troubles[fault].hostile.claim {
            Claim::Itself => Role::Servent { id: own_id, advertised: own },
            Claim::Id => Role::Servent { id: id_of(other, self.nodes[other].life), advertised: own },
            Claim::Address => Role::Servent { id: own_id, advertised: self.nodes[other].address },
            Claim::Client => Role::Client { answer_port: own.port() },
        };
        if !self.troubles[fault].hostile.reads {
            self.connections[connection].ends[0].rests_until = Nanos::MAX;
        }
        self.hostile_says(connection, 0, &Message::Hello(Hello::said_in(self.dialect_of_stranger(fault), role)));
    }

    pub(super) fn hostile_hears(&mut self, fault: usize, connection: usize, end: usize, message: Message) {
        if self.connections[connection].caller == Caller::Liar(fault) {
            if matches!(message, Message::Hello(_)) {
                self.tell_lies(fault, connection);
            }
            return;
        }
        let hostile = &mut self.troubles[fault].hostile;
        if hostile.connection != Some(connection) {
            return;
        }
        match message {
            Message::Ping => self.hostile_says(connection, end, &Message::Pong),
            Message::Query(query) => {
                let (id, ttl, echoes) = (query.id(), query.ttl, hostile.echoes);
                let is_forger = hostile.is_forger();
                let query = Arc::unwrap_or_clone(query);
                if hostile.heard.len() < HEARD_MAX {
                    hostile.heard.push(query.clone());
                }
                if is_forger {
                    for _ in 0..self.troubles[fault].random.within(1, COUNTERFEITS_AT_ONCE_MAX) {
                        if let Some(left) = self.troubles[fault].hostile.deeds_left.checked_sub(1) {
                            self.troubles[fault].hostile.deeds_left = left;
                            self.counterfeit(fault, connection, &query);
                        }
                    }
                }
                if echoes {
                    let tally =
                        if is_forger { self.lie_perhaps(fault, &query) } else { lie(&mut self.troubles[fault].random) };
                    self.hostile_says(connection, end, &Message::Echo(Echo { id, ttl, tally }));
                }
            }
            _ => {}
        }
    }

    pub(super) fn misdeed(&mut self, fault: usize) {
        let trouble = &mut self.troubles[fault];
        let (Some(node), Some(target), true) = (trouble.hostile.node, trouble.servents.first().copied(), trouble.is_on)
        else {
            return;
        };
        self.note_event(node, 13);
        let hostile = &mut self.troubles[fault].hostile;
        let attached = hostile.connection.filter(|connection| {
            self.connections[*connection].ends[0].stage == EndStage::Open && !self.connections[*connection].is_cut
        });
        if let Some(connection) = attached {
            if hostile.deeds_left == 0 {
                return;
            }
            hostile.deeds_left -= 1;
            self.do_harm(fault, connection);
        } else {
            let is_dialling = self.nodes[node].connections.iter().any(|connection| {
                let found = &self.connections[*connection];
                found.caller == Caller::Hostile(fault) && found.ends[0].stage != EndStage::Gone
            });
            if is_dialling {
                // The next one made is the one spoken on.
                let newest = self.nodes[node]
                    .connections
                    .iter()
                    .copied()
                    .filter(|connection| self.connections[*connection].caller == Caller::Hostile(fault));
                let newest = newest.max();
                self.troubles[fault].hostile.connection = newest;
            } else if hostile.dials_left > 0 {
                hostile.dials_left -= 1;
                self.dial(node, Caller::Hostile(fault), self.nodes[target].address, self.dialect_of_stranger(fault));
            } else {
                return;
            }
        }
        let trouble = &mut self.troubles[fault];
        let pause = trouble.random.within(MILLISECOND, trouble.hostile.pause_max);
        let pause = if attached.is_some() { pause } else { pause.max(50 * MILLISECOND) };
        self.schedule(self.now + pause, What::Misdeed { fault });
    }

    fn do_harm(&mut self, fault: usize, connection: usize) {
        let ask = if self.troubles[fault].random.chance(70) { self.ask.clone() } else { Ask::Topology };
        let hostile = &self.troubles[fault].hostile;
        if hostile.claim == Claim::Client {
            // As fast as it can.
            for _ in 0..3 {
                let sequence = self.troubles[fault].random.below(1 << 32);
                let request = Request { sequence, ask: ask.clone() };
                self.hostile_says(connection, 0, &Message::Request(request));
            }
            return;
        }
        let deeds_count = hostile.deeds.len();
        let deed = self.troubles[fault].random.index(deeds_count);
        let deed = self.troubles[fault].hostile.deeds.get(deed).copied();
        match deed {
            Some(Deed::Forge) => {
                let query = self.forged(fault, ask);
                self.say_query(connection, query);
            }
            Some(Deed::Replay) => {
                let Trouble { random, hostile, .. } = &mut self.troubles[fault];
                let Some(query) = hostile.heard.get(random.index(hostile.heard.len())) else { return };
                let mut query = query.clone();
                if random.chance(60) {
                    query.ttl = query.ttl.saturating_add(u8::try_from(random.below(9)).unwrap_or(0));
                }
                if random.chance(30) {
                    query.hops = 1;
                    if let Path::Addresses(path) = &mut query.path {
                        path.truncate(1);
                    }
                }
                self.say_query(connection, query);
            }
            Some(Deed::Lie) => {
                let Trouble { random, hostile, .. } = &mut self.troubles[fault];
                let nobody = QueryId { sequence: hostile.deeds_left, client: nobody(hostile.deeds_left) };
                let heard = hostile.heard.get(random.index(hostile.heard.len()));
                let id = heard.map_or(nobody, Query::id);
                let ttl = heard.map_or(3, |query| query.ttl);
                let ttl = if random.chance(50) { ttl } else { random.byte() };
                let tally = lie(random);
                self.hostile_says(connection, 0, &Message::Echo(Echo { id, ttl, tally }));
            }
            Some(Deed::Counterfeit) => {
                let Trouble { random, hostile, .. } = &mut self.troubles[fault];
                let heard = hostile.heard.get(random.index(hostile.heard.len())).cloned();
                if let Some(heard) = heard {
                    self.counterfeit(fault, connection, &heard);
                }
            }
            Some(Deed::Garble) | None => {
                let random = &mut self.troubles[fault].random;
                let length = random.within(1, 40);
                let bytes: Vec<u8> = (0..length).map(|_| random.byte()).collect();
                if self.scene.plan.wire != Wire::None {
                    self.push_bytes(connection, 0, &bytes);
                }
            }
        }
    }

    /// Says a copy that differs from this one in something; or some, where it takes several.
    fn counterfeit(&mut self, fault: usize, connection: usize, of: &Query) {
        let Trouble { random, hostile, .. } = &mut self.troubles[fault];
        let mut query = Query { hops: of.hops.saturating_add(1), ..of.clone() };
        let difference = DIFFERENCES[random.index(DIFFERENCES.len())];
        // It needs no way back: what is asked of the topology has none yet.
        query.path = Path::Addresses(Vec::new());
        query.ttl = random.byte() % 5;
        let Some(mark) = query.contact.as_mut().filter(|_| difference != Difference::NoContact) else {
            query.contact = None;
            return self.say_query(connection, query);
        };
        let mut copies = 1;
        match difference {
            Difference::Ask => {
                let is_topology = query.ask == Ask::Topology;
                let other = if random.chance(50) { Key::new(b"milk").ok() } else { None };
                query.ask = match other {
                    Some(key) => Ask::Key(key),
                    None if is_topology => self.ask.clone(),
                    None => Ask::Topology,
                };
            }
            Difference::Contact => {
                let others = hostile.heard.iter().filter_map(|heard| Some(heard.contact?.name));
                let others: Vec<ContactName> = others.filter(|name| *name != mark.name).collect();
                let other = others.get(random.index(others.len())).copied().filter(|_| random.chance(50));
                mark.name = other.unwrap_or_else(|| ContactName(random.number()));
            }
            Difference::Number => {
                mark.number =
                    mark.number.saturating_add(random.within(1, 3)).saturating_sub(2 * u64::from(random.chance(50)));
                mark.open_from = mark.open_from.min(mark.number);
            }
            Difference::OpenFrom => {
                query.sequence = random.below(1 << 31);
                let ahead_max = if random.chance(50) { 3 } else { u64::MAX / 2 };
                mark.number = mark.number.saturating_add(random.within(1, ahead_max));
                mark.open_from = mark.number;
            }
            Difference::Ids => {
                mark.number = mark.number.saturating_add(random.below(3));
                copies = 3;
            }
            Difference::Ttl => query.ttl = of.ttl.saturating_add(1 + random.byte() % 8),
            Difference::NoContact => {}
        }
        for _ in 0..copies {
            if difference == Difference::Ids {
                query.sequence = self.troubles[fault].random.below(1 << 31);
            }
            self.say_query(connection, query.clone());
        }
    }

    /// A query that nobody asked: of nobody, of a client that is there, or of that client's own making.
    fn forged(&mut self, fault: usize, ask: Ask) -> Query {
        let known = self.witness.asked_by_now();
        let dialect = self.dialect_of_stranger(fault);
        let random = &mut self.troubles[fault].random;
        let real = known.get(random.index(known.len())).copied();
        let made_up = QueryId { sequence: random.below(1 << 32), client: nobody(random.number()) };
        let id = match (random.below(4), real) {
            (0 | 1, _) | (_, None) => made_up,
            (2, Some(real)) => QueryId { client: real.client, ..made_up },
            (_, Some(real)) => real,
        };
        let hops = 1 + random.byte() % 6;
        let ttl = match random.below(10) {
            0 => random.byte(),
            _ => random.byte() % 8,
        };
        let path_length = if ask == Ask::Topology { random.below(u64::from(hops) + 1) } else { 0 };
        let path: Vec<SocketAddr> = (0..path_length).map(|_| nobody(random.number())).collect();
        let hops = if random.chance(5) { random.byte() } else { hops };
        Query {
            sequence: id.sequence,
            client: AnswerAddress { socket: id.client, dialect },
            contact: None,
            ttl,
            hops,
            ask,
            path: path.into(),
        }
    }

    pub(super) fn dialect_of_stranger(&self, fault: usize) -> Dialect {
        dialects::of_stranger(&self.scene.plan, self.scene.faults[fault].number)
    }

    fn say_query(&mut self, connection: usize, query: Query) {
        let client = self.at_address(query.client.socket);
        self.witness.on_forged(client, &query);
        self.hostile_says(connection, 0, &Message::query(query));
    }

    pub(super) fn hostile_says(&mut self, connection: usize, end: usize, message: &Message) {
        let this = &mut self.connections[connection].ends[end];
        let node = this.node;
        // What it cannot say it does not say: it is no mind of ours that would have to be told.
        if this.words.is_some() {
            self.say(node, link_id(connection, end), message);
        } else {
            let link = link_id(connection, end);
            let _ = self.with_exchange(node, |exchange, now, world| exchange.send(now, link, message, world));
        }
    }
}

/// An address nobody has.
fn nobody(number: u64) -> SocketAddr {
    let [.., high, low] = number.to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(13, 0, high, low), 7000))
}

/// A tally as it never was.
fn lie(random: &mut Random) -> Tally {
    let mut number = || match random.below(4) {
        0 => u64::MAX,
        1 => random.below(1_000),
        _ => 0,
    };
    Tally {
        reached: number(),
        answers: number(),
        copies: number(),
        duplicates: number(),
        stopped: number() as i64,
        lost: number(),
        silent: number(),
        spoilt: number(),
        answer_sum: number(),
    }
}
