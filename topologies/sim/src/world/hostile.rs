//! Hostile servents and clients: they attach to one servent and say what no honest one would, as much as they were
//! drawn to and no more.
//!
//! They have no mind: what they say is drawn. What it must not lead to is for the witness to say, who is told which
//! queries they forged.

use std::net::{Ipv4Addr, SocketAddr};

use common::address::AnswerAddress;
use common::content::transfer::{BlocksWanted, HashesWanted, Open};
use common::dialect::Dialect;
use common::key::Key;
use common::limits::BLOCKS_WANTED_MAX;
use common::link::Purpose;
use common::message::{Echo, Message, Request, Role};
use common::query::{Ask, ContactName, Path, Query, QueryId, Tally, Via};

use super::back_liar::BackLiar;
use super::clock::{MILLISECOND, Nanos};
use super::dials::Caller;
use super::ends::{EndAt, EndStage};
use super::liar::{Liar, an_id};
use super::poisoner::{Poisoner, TELLS_EVERY, TELLS_MAX};
use super::scenery::{self, SceneEvent, SceneFace};
use super::shell::{Departure, Shell};
use super::trace::Noted;
use crate::cast;
use crate::dialects;
use crate::faults::{self, Fault};
use crate::plan::FaultKind;
use crate::random::Random;
use crate::scene::Scene;

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
    /// Tells what is not so of members.
    Poison,
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
    /// Which fault of the scene it is.
    fault: usize,
    target: usize,
    dialect: Dialect,
    random: Random,
    node: Option<usize>,
    /// What it speaks on, once it has dialled.
    connection: Option<usize>,
    claim: Claim,
    deeds: Vec<Deed>,
    deeds_left: u64,
    dials_left: u64,
    pause_max: Nanos,
    reads: bool,
    echoes: bool,
    heard: Vec<Query>,
    liar: Liar,
    back_liar: BackLiar,
    poisoner: Option<Poisoner>,
}

impl Hostile {
    /// Who this fault of a scene is, where it is somebody.
    pub(super) fn of(scene: &Scene, place: usize, fault: &Fault) -> Option<Hostile> {
        let (plan, servents) = (&scene.plan, scene.graph.servents());
        let target = fault.servents.first().map(|target| *target as usize).filter(|target| *target < servents)?;
        let mut random = faults::details(plan.seed, fault);
        let dialect = dialects::of_stranger(plan, fault.number);
        let liar = Liar::draw(faults::lies(plan.seed, fault), place, dialect);
        let back_liar = BackLiar::draw(faults::broughts(plan.seed, fault));
        match fault.kind {
            FaultKind::Hostile => Some(Hostile::draw(random, (liar, back_liar), place, target, dialect)),
            // One that does nothing but make counterfeits and answer what it hears, and is a good neighbor otherwise: it
            // stays.
            FaultKind::Forger => {
                let deeds_left = random.within(COUNTERFEITS_MAX / 4, COUNTERFEITS_MAX);
                let drawn = Hostile::draw(random, (liar, back_liar), place, target, dialect);
                let deeds = vec![Deed::Counterfeit];
                Some(Hostile { claim: Claim::Itself, deeds, deeds_left, reads: true, echoes: true, ..drawn })
            }
            // A good neighbor otherwise too. Over TP3 there are no words for what it tells.
            FaultKind::Poison => {
                let drawn = Hostile::draw(random, (liar, back_liar), place, target, Dialect::OWN);
                let poisoner = Some(Poisoner::draw(drawn.random.clone(), servents));
                let (deeds, deeds_left) = (vec![Deed::Poison], TELLS_MAX);
                let (reads, echoes) = (true, true);
                Some(Hostile { claim: Claim::Itself, deeds, deeds_left, reads, echoes, poisoner, ..drawn })
            }
            FaultKind::LinkDown
            | FaultKind::Flap
            | FaultKind::Clog
            | FaultKind::SlowReader
            | FaultKind::Partition
            | FaultKind::Crash
            | FaultKind::Pause
            | FaultKind::DialRefused
            | FaultKind::DialSilent
            | FaultKind::LookUp
            | FaultKind::Exodus
            | FaultKind::Vanish
            | FaultKind::Split
            | FaultKind::Stop
            | FaultKind::Greet => None,
        }
    }

    fn draw(
        mut random: Random,
        (liar, back_liar): (Liar, BackLiar),
        fault: usize,
        target: usize,
        dialect: Dialect,
    ) -> Hostile {
        let mut deeds: Vec<Deed> = DEEDS.into_iter().filter(|_| random.chance(50)).collect();
        if deeds.is_empty() {
            deeds.push(Deed::Forge);
        }
        let claim = [Claim::Itself, Claim::Itself, Claim::Id, Claim::Address, Claim::Client][random.index(5)];
        let (deeds_left, dials_left) = (random.within(1, DEEDS_MAX), random.within(1, DIALS_MAX));
        let pause_max = random.within(1, 300) * MILLISECOND;
        let (reads, echoes) = (random.chance(80), random.chance(50));
        let (node, connection, heard) = (None, None, Vec::new());
        Hostile {
            fault,
            target,
            dialect,
            random,
            node,
            connection,
            claim,
            deeds,
            deeds_left,
            dials_left,
            pause_max,
            reads,
            echoes,
            heard,
            liar,
            back_liar,
            poisoner: None,
        }
    }

    fn is_forger(&self) -> bool {
        self.deeds == [Deed::Counterfeit]
    }

    /// Whether it lives there.
    pub(super) fn is_at(&self, node: usize) -> bool {
        self.node == Some(node)
    }

    fn caller(&self) -> Caller {
        Caller::Stranger { number: self.fault, purpose: Purpose::Standing }
    }

    pub(super) fn come(&mut self, shell: &mut Shell<SceneFace<'_>>) {
        self.node = Some(scenery::add_stranger(shell, self.target));
        let now = shell.now();
        shell.schedule(now, SceneEvent::Misdeed { fault: self.fault });
    }

    pub(super) fn go(&mut self, shell: &mut Shell<SceneFace<'_>>) {
        let Some(node) = self.node else { return };
        shell.kill(node, Departure::Reset);
    }

    /// Its dial succeeded, or that of the liar in it.
    pub(super) fn on_connected(&mut self, shell: &mut Shell<SceneFace<'_>>, at: EndAt) {
        if shell.network.connection(at.connection).caller != self.caller() {
            // In our own dialect the client speaks first.
            if shell.network.connection(at.connection).dialect != Dialect::OWN {
                self.liar.tell_lies(shell, at);
            }
            return;
        }
        let servents = shell.face.scene.graph.servents();
        let random = &mut self.random;
        let other = if random.chance(50) { self.target } else { random.index(servents) };
        let own_id = an_id(random);
        let own = shell.network.address(shell.network.end(at).node);
        let role = match self.claim {
            Claim::Itself => Role::Servent { id: own_id, advertised: own },
            Claim::Id => {
                Role::Servent { id: cast::servent_id(other, shell.network.machines[other].life), advertised: own }
            }
            Claim::Address => Role::Servent { id: own_id, advertised: shell.network.address(other) },
            Claim::Client => Role::Client { answer_port: own.port() },
        };
        if self.claim == Claim::Address {
            shell.face.witness.on_impersonated(other);
        }
        if !self.reads {
            shell.network.end_mut(at).rests_until = Nanos::MAX;
        }
        let hello =
            if self.poisoner.is_some() { Poisoner::hello(role) } else { self.back_liar.hello(self.dialect, role) };
        shell.say_as_stranger(at, &Message::Hello(hello));
    }

    pub(super) fn on_heard(&mut self, shell: &mut Shell<SceneFace<'_>>, at: EndAt, message: Message) {
        if shell.network.connection(at.connection).caller == self.liar.caller() {
            if matches!(message, Message::Hello(_)) {
                self.liar.tell_lies(shell, at);
            }
            return;
        }
        if self.connection != Some(at.connection) {
            return;
        }
        match message {
            Message::Ping => shell.say_as_stranger(at, &Message::Pong),
            Message::Query(query) => self.on_query(shell, at, &query),
            _ => {}
        }
    }

    fn on_query(&mut self, shell: &mut Shell<SceneFace<'_>>, at: EndAt, query: &Query) {
        let (id, ttl) = (query.id(), query.ttl);
        if self.heard.len() < HEARD_MAX {
            self.heard.push(query.clone());
        }
        if self.is_forger() {
            for _ in 0..self.random.within(1, COUNTERFEITS_AT_ONCE_MAX) {
                if let Some(left) = self.deeds_left.checked_sub(1) {
                    self.deeds_left = left;
                    self.counterfeit(shell, at, query);
                }
            }
        }
        if self.poisoner.is_none() {
            self.back_liar.bring_perhaps(shell, at, query, &self.heard);
        }
        if self.echoes {
            let tally = match self.node {
                Some(node) if self.is_forger() => self.liar.lie_perhaps(shell, node, query),
                _ if self.poisoner.is_some() => Tally { reached: 1, ..Tally::default() },
                _ => lie(&mut self.random),
            };
            shell.say_as_stranger(at, &Message::Echo(Echo { id, ttl, tally }));
        }
    }

    /// Does something, or dials anew where it was thrown out.
    pub(super) fn misdeed(&mut self, shell: &mut Shell<SceneFace<'_>>) {
        let Some(node) = self.node.filter(|_| shell.face.troubles.is_on(self.fault)) else { return };
        shell.note(node, Noted::Misdeed);
        let own = EndAt::dialler_of;
        let attached = self.connection.filter(|connection| {
            shell.network.end(own(*connection)).stage == EndStage::Open && !shell.network.connection(*connection).is_cut
        });
        if let Some(connection) = attached {
            if self.deeds_left == 0 {
                return;
            }
            self.deeds_left -= 1;
            self.do_harm(shell, own(connection));
        } else {
            let network = &shell.network;
            let is_mine = |connection: &&usize| network.connection(**connection).caller == self.caller();
            let mine: Vec<usize> = network.machines[node].connections.iter().filter(is_mine).copied().collect();
            if mine.iter().any(|connection| network.end(own(*connection)).stage != EndStage::Gone) {
                // The next one made is the one spoken on.
                self.connection = mine.into_iter().max();
            } else if self.dials_left > 0 {
                self.dials_left -= 1;
                let address = network.address(self.target);
                shell.dial(node, self.caller(), address, self.dialect);
            } else {
                return;
            }
        }
        let pause = self.random.within(MILLISECOND, self.pause_max);
        let pause = match (&self.poisoner, attached) {
            (Some(_), _) => TELLS_EVERY,
            (None, Some(_)) => pause,
            (None, None) => pause.max(50 * MILLISECOND),
        };
        shell.schedule(shell.now() + pause, SceneEvent::Misdeed { fault: self.fault });
    }

    fn do_harm(&mut self, shell: &mut Shell<SceneFace<'_>>, at: EndAt) {
        let ask = if self.random.chance(70) { cast::ask(false) } else { Ask::Topology };
        if self.claim == Claim::Client {
            // As fast as it can.
            for _ in 0..3 {
                let request = Request { sequence: self.random.below(1 << 32), ask: ask.clone(), ttl: None };
                shell.say_as_stranger(at, &Message::Request(request));
            }
            self.fetch_badly(shell, at);
            return;
        }
        let deed = self.random.index(self.deeds.len());
        match self.deeds.get(deed).copied() {
            Some(Deed::Forge) => {
                let query = self.forged(shell, ask);
                say_query(shell, at, query);
            }
            Some(Deed::Replay) => {
                if let Some(query) = self.replayed() {
                    say_query(shell, at, query);
                }
            }
            Some(Deed::Lie) => {
                let nobody = QueryId { sequence: self.deeds_left, client: nobody(self.deeds_left) };
                let heard = self.heard.get(self.random.index(self.heard.len()));
                let id = heard.map_or(nobody, Query::id);
                let ttl = heard.map_or(3, |query| query.ttl);
                let ttl = if self.random.chance(50) { ttl } else { self.random.byte() };
                let tally = lie(&mut self.random);
                shell.say_as_stranger(at, &Message::Echo(Echo { id, ttl, tally }));
            }
            Some(Deed::Counterfeit) => {
                let heard = self.heard.get(self.random.index(self.heard.len())).cloned();
                if let Some(heard) = heard {
                    self.counterfeit(shell, at, &heard);
                }
            }
            Some(Deed::Poison) => {
                if let Some(poisoner) = &mut self.poisoner {
                    poisoner.tell(shell, at, self.target);
                }
            }
            Some(Deed::Garble) | None => {
                let length = self.random.within(1, 40);
                let bytes: Vec<u8> = (0..length).map(|_| self.random.byte()).collect();
                shell.network.inject(at, &bytes);
            }
        }
    }

    /// Fetches contents like nobody who wants them: again and again, what is not there, and without an end.
    fn fetch_badly(&mut self, shell: &mut Shell<SceneFace<'_>>, at: EndAt) {
        let downloads = &shell.face.downloads.all;
        if downloads.is_empty() || shell.network.connection(at.connection).dialect != Dialect::OWN {
            return;
        }
        let random = &mut self.random;
        let Some(hash) = downloads.get(random.index(downloads.len())).map(|download| download.hash) else { return };
        let fetch = u32::try_from(random.below(6)).unwrap_or_default();
        let first = if random.chance(80) { 0 } else { u32::MAX - u32::try_from(random.below(3)).unwrap_or_default() };
        let count = [1, BLOCKS_WANTED_MAX, 0, 3][random.index(4)];
        let said = match random.below(4) {
            0 | 1 => Message::Open(Open { fetch, hash }),
            2 => Message::HashesWanted(HashesWanted { fetch, first, count }),
            _ => Message::BlocksWanted(BlocksWanted { fetch, first, count }),
        };
        for _ in 0..random.within(1, 6) {
            shell.say_as_stranger(at, &said);
        }
    }

    /// Something it heard, perhaps with more TTL.
    fn replayed(&mut self) -> Option<Query> {
        let random = &mut self.random;
        let mut query = self.heard.get(random.index(self.heard.len()))?.clone();
        if random.chance(60) {
            query.ttl = query.ttl.saturating_add(u8::try_from(random.below(9)).unwrap_or(0));
        }
        if random.chance(30) {
            query.hops = 1;
            if let Path::Addresses(path) = &mut query.path {
                path.truncate(1);
            }
        }
        Some(query)
    }

    /// Says a copy that differs from this one in something; or some, where it takes several.
    fn counterfeit(&mut self, shell: &mut Shell<SceneFace<'_>>, at: EndAt, of: &Query) {
        let Hostile { random, heard, .. } = self;
        let mut query = Query { hops: of.hops.saturating_add(1), ..of.clone() };
        let difference = DIFFERENCES[random.index(DIFFERENCES.len())];
        // It needs no way back: what is asked of the topology has none yet.
        query.path = Path::Addresses(Vec::new());
        query.ttl = random.byte() % 5;
        let Some(mark) = query.contact.as_mut().filter(|_| difference != Difference::NoContact) else {
            query.contact = None;
            return say_query(shell, at, query);
        };
        let mut copies = 1;
        match difference {
            Difference::Ask => {
                let is_topology = query.ask == Ask::Topology;
                let other = if random.chance(50) { Key::new(b"milk").ok() } else { None };
                query.ask = match other {
                    Some(key) => Ask::Key(key),
                    None if is_topology => cast::ask(false),
                    None => Ask::Topology,
                };
            }
            Difference::Contact => {
                let others = heard.iter().filter_map(|heard| Some(heard.contact?.name));
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
                query.sequence = self.random.below(1 << 31);
            }
            say_query(shell, at, query.clone());
        }
    }

    /// A query that nobody asked: of nobody, of a client that is there, or of that client's own making.
    fn forged(&mut self, shell: &Shell<SceneFace<'_>>, ask: Ask) -> Query {
        let known = shell.face.witness.seen.queries.asked_by_now();
        let random = &mut self.random;
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
            via: Via::Direct,
            sequence: id.sequence,
            client: AnswerAddress { socket: id.client, dialect: self.dialect },
            contact: None,
            ttl,
            hops,
            ask,
            path: path.into(),
        }
    }
}

fn say_query(shell: &mut Shell<SceneFace<'_>>, at: EndAt, query: Query) {
    let client = shell.network.at_address(query.client.socket);
    shell.face.witness.on_forged(client, &query);
    shell.say_as_stranger(at, &Message::query(query));
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
    let (reached, answers) = (number(), number());
    Tally {
        // Drawn from nothing of its own: the rest stays as it was.
        is_dialled: reached % 2 == 1,
        reached,
        answers,
        copies: number(),
        duplicates: number(),
        stopped: number() as i64,
        lost: number(),
        silent: number(),
        spoilt: number(),
        answer_sum: number(),
    }
}
