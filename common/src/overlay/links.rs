//! Who is at the other end of each standing link, and how the configured neighbors are kept: hello, ping, redial.
//!
//! It does not know what is asked over a link (`flood`, `search`), nor the links that carry answers to clients of other
//! servents (`delivery`).

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::address::{AnswerAddress, Dialect, Neighbor, canonical};
use crate::config::{
    CLIENT_QUERIES_AT_ONCE_MAX, CLIENT_QUERIES_PER_SECOND_MAX, Config, HELLO_WAIT_MAX, NEIGHBOR_QUIET_MAX,
    NEIGHBORS_MAX, PING_AFTER, REDIAL_PAUSE_MAX, REDIAL_PAUSE_MIN,
};
use crate::link::LinkId;
use crate::message::{Goodbye, Hello, Message, Role, ServentId};
use crate::overlay::{Dial, Origin, Output};
use crate::time::Time;

const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

#[derive(Debug)]
pub(super) struct Links {
    hello: Hello,
    id: ServentId,
    strangers: BTreeMap<LinkId, Origin>,
    /// When each link came, oldest first. The first is always one that has yet to say hello.
    strangers_since: VecDeque<(Time, LinkId)>,
    clients: BTreeMap<LinkId, Client>,
    neighbors: Vec<NeighborLink>,
    targets: Vec<Target>,
    random: u64,
}

/// Who speaks on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Peer {
    Stranger,
    Client,
    Neighbor,
}

/// What a hello made of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// It stays.
    Welcome,
    /// It stays, and this older link to the same servent goes.
    Instead(LinkId),
    /// It goes.
    Refused(Goodbye),
}

#[derive(Debug)]
struct NeighborLink {
    link: LinkId,
    /// Who it is, if it says so.
    id: Option<ServentId>,
    advertised: SocketAddr,
    dialled_here: bool,
    linked: Time,
    heard: Time,
    pinged: bool,
}

#[derive(Debug)]
struct Client {
    address: AnswerAddress,
    /// When it would have asked all it did, had it asked at the most even pace it may.
    paced: Time,
}

/// A neighbor we were told to keep.
#[derive(Debug)]
struct Target {
    neighbor: Neighbor,
    state: TargetState,
    /// Where it was last dialled.
    dialled: SocketAddr,
    /// Dials that failed and links that fell at once, since one last stood a while.
    failures: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum TargetState {
    /// To be dialled at this moment.
    Lost(Time),
    Dialling,
    /// Connected, not yet greeted.
    Greeting(LinkId),
    /// Linked, by our dial or by theirs.
    Linked(LinkId),
    /// It is this servent itself.
    Myself,
}

impl Links {
    pub(super) fn new(config: &Config, hello: Hello) -> Links {
        let target = |neighbor: &Neighbor| Target {
            neighbor: neighbor.clone(),
            state: TargetState::Lost(Time::START),
            dialled: NOWHERE,
            failures: 0,
        };
        Links {
            hello,
            id: config.servent_id,
            strangers: BTreeMap::new(),
            strangers_since: VecDeque::new(),
            clients: BTreeMap::new(),
            neighbors: Vec::new(),
            targets: config.neighbors.iter().map(target).collect(),
            random: config.seed,
        }
    }

    // ---- links come and go ----

    pub(super) fn on_opened(&mut self, now: Time, link: LinkId, origin: Origin, out: &mut Vec<Output>) {
        if let Origin::Dialled(target) = origin {
            self.set_target(target, TargetState::Greeting(link));
            // The dialer speaks first; whoever accepts waits to learn what the other side speaks.
            out.push(Output::Send { link, message: Message::Hello(self.hello) });
        }
        self.strangers.insert(link, origin);
        self.strangers_since.push_back((now, link));
    }

    pub(super) fn on_dial_failed(&mut self, now: Time, target: usize, reason: &str) {
        if let Some(Target { neighbor, failures, .. }) = self.targets.get(target) {
            let level = if *failures == 0 { log::Level::Info } else { log::Level::Debug };
            log::log!(level, "neighbor {neighbor} cannot be reached yet: {reason}");
        }
        self.dial_later(now, target);
    }

    /// Notes that something came over a link, and says from whom.
    pub(super) fn heard(&mut self, now: Time, link: LinkId) -> Option<Peer> {
        if let Some(neighbor) = self.neighbors.iter_mut().find(|neighbor| neighbor.link == link) {
            neighbor.heard = now;
            neighbor.pinged = false;
            return Some(Peer::Neighbor);
        }
        if self.clients.contains_key(&link) {
            return Some(Peer::Client);
        }
        self.strangers.contains_key(&link).then_some(Peer::Stranger)
    }

    pub(super) fn on_hello(&mut self, now: Time, link: LinkId, hello: &Hello, out: &mut Vec<Output>) -> Greeting {
        let Some(origin) = self.strangers.get(&link).copied() else {
            return Greeting::Refused(Goodbye::Protocol);
        };
        match hello.role {
            Role::Client { answer_port, dialect } => self.on_client_hello(now, link, origin, answer_port, dialect, out),
            Role::Servent { id, advertised } => self.on_servent_hello(now, link, origin, Some(id), advertised, out),
            Role::Nameless => {
                let address = match origin {
                    Origin::Accepted(from) => from,
                    Origin::Dialled(target) => self.dialled_address(target),
                };
                self.on_servent_hello(now, link, origin, None, address, out)
            }
        }
    }

    fn on_client_hello(
        &mut self,
        now: Time,
        link: LinkId,
        origin: Origin,
        answer_port: u16,
        dialect: Dialect,
        out: &mut Vec<Output>,
    ) -> Greeting {
        let Origin::Accepted(from) = origin else {
            return Greeting::Refused(Goodbye::Role);
        };
        if answer_port == 0 {
            return Greeting::Refused(Goodbye::Protocol);
        }
        let address = AnswerAddress { socket: canonical(SocketAddr::new(from.ip(), answer_port)), dialect };
        log::debug!("client {} attached", address.socket);
        self.forget_stranger(link);
        self.clients.insert(link, Client { address, paced: now });
        out.push(Output::Send { link, message: Message::Hello(self.hello) });
        Greeting::Welcome
    }

    fn on_servent_hello(
        &mut self,
        now: Time,
        link: LinkId,
        origin: Origin,
        id: Option<ServentId>,
        advertised: SocketAddr,
        out: &mut Vec<Output>,
    ) -> Greeting {
        let dialled_target = match origin {
            Origin::Dialled(target) => Some(target),
            Origin::Accepted(_) => None,
        };
        if dialled_target.is_none() && self.neighbors.len() < NEIGHBORS_MAX {
            // Said even on a link that is refused below, so that the other side reaches the same verdict by itself.
            out.push(Output::Send { link, message: Message::Hello(self.hello) });
        }
        if id == Some(self.id) {
            if let Some(target) = dialled_target {
                self.give_up_on_myself(target);
            }
            return Greeting::Refused(Goodbye::Myself);
        }
        let dialled_here = dialled_target.is_some();
        // Those who do not say who they are cannot be told to be the same.
        let twin = id.and_then(|id| self.neighbors.iter().position(|neighbor| neighbor.id == Some(id)));
        if let (Some(id), Some(older)) = (id, twin.and_then(|place| self.neighbors.get(place)))
            && !keeps_second(self.id, id, older.dialled_here, dialled_here)
        {
            let older = older.link;
            if let Some(target) = dialled_target {
                self.set_target(target, TargetState::Linked(older));
            }
            return Greeting::Refused(Goodbye::Duplicate);
        }
        if self.neighbors.len() >= NEIGHBORS_MAX {
            return Greeting::Refused(Goodbye::Full);
        }
        self.forget_stranger(link);
        self.neighbors.push(NeighborLink {
            link,
            id,
            advertised,
            dialled_here,
            linked: now,
            heard: now,
            pinged: false,
        });
        if let Some(target) = dialled_target {
            self.set_target(target, TargetState::Linked(link));
        }
        log::info!("linked with neighbor {advertised} ({} in all)", self.neighbors.len());
        // Two links dialled by the same side are that side's to sort out, so the acceptor lets both stand.
        match twin.and_then(|place| self.neighbors.get(place)) {
            Some(older) if older.dialled_here != dialled_here => {
                let older = older.link;
                self.move_targets(older, link);
                Greeting::Instead(older)
            }
            _ => Greeting::Welcome,
        }
    }

    /// Forgets a link that is closed or about to be, and says who it was. Targets that counted on it are dialled again.
    pub(super) fn on_closed(&mut self, now: Time, link: LinkId, reason: &str) -> Option<Peer> {
        let neighbor = self.neighbors.iter().find(|neighbor| neighbor.link == link);
        // A link that falls as soon as it stands is one more failure: else both ends would greet each other in a
        // circle.
        let has_stood = neighbor.is_some_and(|neighbor| now.since(neighbor.linked) >= REDIAL_PAUSE_MAX);
        let peer = self.remove(link, reason);
        for index in 0..self.targets.len() {
            let Some(target) = self.targets.get_mut(index) else { continue };
            match target.state {
                TargetState::Linked(linked) if linked == link => {
                    if has_stood {
                        target.failures = 0;
                    }
                    self.dial_later(now, index);
                }
                TargetState::Greeting(greeting) if greeting == link => self.on_dial_failed(now, index, reason),
                _ => {}
            }
        }
        peer
    }

    /// A link is no stranger any more.
    fn forget_stranger(&mut self, link: LinkId) -> Option<Origin> {
        let origin = self.strangers.remove(&link);
        while self.strangers_since.front().is_some_and(|(_, link)| !self.strangers.contains_key(link)) {
            self.strangers_since.pop_front();
        }
        origin
    }

    fn remove(&mut self, link: LinkId, reason: &str) -> Option<Peer> {
        if let Some(place) = self.neighbors.iter().position(|neighbor| neighbor.link == link) {
            let neighbor = self.neighbors.remove(place);
            log::info!("link with neighbor {} is gone: {reason}", neighbor.advertised);
            return Some(Peer::Neighbor);
        }
        if let Some(client) = self.clients.remove(&link) {
            log::debug!("client {} left: {reason}", client.address.socket);
            return Some(Peer::Client);
        }
        if let Origin::Accepted(from) = self.forget_stranger(link)? {
            log::info!("no link with {from}: {reason}");
        }
        Some(Peer::Stranger)
    }

    // ---- who there is ----

    /// The neighbors but this one, and those among them that will echo what is passed to them.
    pub(super) fn neighbors_except(&self, link: Option<LinkId>) -> (Vec<LinkId>, Vec<LinkId>) {
        let others = || self.neighbors.iter().filter(|neighbor| Some(neighbor.link) != link);
        let echoing = others().filter(|neighbor| neighbor.id.is_some());
        (others().map(|neighbor| neighbor.link).collect(), echoing.map(|neighbor| neighbor.link).collect())
    }

    /// The answer address of a client.
    pub(super) fn client_address(&self, link: LinkId) -> Option<AnswerAddress> {
        self.clients.get(&link).map(|client| client.address)
    }

    pub(super) fn neighbor_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.neighbors.iter().map(|neighbor| neighbor.advertised)
    }

    /// How a neighbor is called in the log.
    pub(super) fn neighbor_name(&self, link: LinkId) -> impl Display {
        let neighbor = self.neighbors.iter().find(|neighbor| neighbor.link == link);
        neighbor.map_or_else(|| link.to_string(), |neighbor| neighbor.advertised.to_string())
    }

    pub(super) fn all(&self) -> Vec<LinkId> {
        let neighbors = self.neighbors.iter().map(|neighbor| neighbor.link);
        neighbors.chain(self.clients.keys().copied()).chain(self.strangers.keys().copied()).collect()
    }

    /// The answer address of a client that asks, and for how long nothing more should be read from it, if it asks too
    /// fast (the generic cell rate algorithm of ITU-T I.371).
    pub(super) fn on_client_asks(&mut self, now: Time, link: LinkId) -> Option<(AnswerAddress, Option<Time>)> {
        const INTERVAL: Duration = Duration::from_nanos(1_000_000_000 / CLIENT_QUERIES_PER_SECOND_MAX as u64);
        let at_once = INTERVAL * CLIENT_QUERIES_AT_ONCE_MAX;
        let client = self.clients.get_mut(&link)?;
        client.paced = client.paced.max(now) + INTERVAL;
        let ahead = client.paced.since(now);
        let rest = (ahead > at_once).then(|| now + (ahead - at_once));
        Some((client.address, rest))
    }

    // ---- time ----

    pub(super) fn deadline(&self) -> Option<Time> {
        let stranger = self.strangers_since.front().map(|(since, _)| *since + HELLO_WAIT_MAX);
        let dial = self.targets.iter().filter_map(Target::due).min();
        let quiet = self.neighbors.iter().filter_map(NeighborLink::due).min();
        [stranger, dial, quiet].into_iter().flatten().min()
    }

    /// Pings, dials, and names the links whose other end has been quiet for too long.
    pub(super) fn on_deadline(&mut self, now: Time, out: &mut Vec<Output>) -> Vec<LinkId> {
        let mut quiet = Vec::new();
        for (since, link) in &self.strangers_since {
            if now.since(*since) < HELLO_WAIT_MAX {
                break;
            }
            if self.strangers.contains_key(link) {
                quiet.push(*link);
            }
        }
        for neighbor in self.neighbors.iter_mut().filter(|neighbor| neighbor.id.is_some()) {
            let silence = now.since(neighbor.heard);
            if silence >= NEIGHBOR_QUIET_MAX {
                quiet.push(neighbor.link);
            } else if silence >= PING_AFTER && !neighbor.pinged {
                neighbor.pinged = true;
                out.push(Output::Send { link: neighbor.link, message: Message::Ping });
            }
        }
        for (index, target) in self.targets.iter_mut().enumerate() {
            if target.due().is_some_and(|due| due <= now) {
                target.dial(index, out);
            }
        }
        quiet
    }

    // ---- targets ----

    fn dialled_address(&self, target: usize) -> SocketAddr {
        self.targets.get(target).map_or(NOWHERE, |target| target.dialled)
    }

    fn set_target(&mut self, target: usize, state: TargetState) {
        if let Some(target) = self.targets.get_mut(target) {
            target.state = state;
        }
    }

    fn move_targets(&mut self, from: LinkId, to: LinkId) {
        for target in &mut self.targets {
            if target.state == TargetState::Linked(from) {
                target.state = TargetState::Linked(to);
            }
        }
    }

    fn give_up_on_myself(&mut self, target: usize) {
        if let Some(target) = self.targets.get_mut(target) {
            log::warn!("neighbor {} is this servent itself: it will not be dialled again", target.neighbor);
            target.state = TargetState::Myself;
        }
    }

    /// Has a target dialled again after a pause that grows with every failure since a link to it last stood a while.
    fn dial_later(&mut self, now: Time, target: usize) {
        let Some(Target { neighbor, failures, .. }) = self.targets.get(target) else { return };
        // A name with several addresses gets a try at each before the pause grows.
        let rounds = failures / u32::try_from(neighbor.addresses.len()).unwrap_or(u32::MAX).max(1);
        let pause = self.pause(rounds);
        if let Some(target) = self.targets.get_mut(target) {
            target.failures = target.failures.saturating_add(1);
            target.state = TargetState::Lost(now + pause);
        }
    }

    /// A pause that doubles with every round and is cut by up to half at random, so that servents that lost each other
    /// together do not come back in step.
    fn pause(&mut self, rounds: u32) -> Duration {
        let full = REDIAL_PAUSE_MIN.saturating_mul(1 << rounds.min(16)).min(REDIAL_PAUSE_MAX);
        // SplitMix64 (Steele, Lea and Flood 2014).
        self.random = self.random.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.random;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^= mixed >> 31;
        let cut = (mixed % 512) as u32;
        full - full * cut / 1024
    }
}

impl NeighborLink {
    /// When it should have been heard. One that cannot answer a ping may be quiet; the system's keepalive has to do.
    fn due(&self) -> Option<Time> {
        let wait = if self.pinged { NEIGHBOR_QUIET_MAX } else { PING_AFTER };
        self.id.is_some().then(|| self.heard + wait)
    }
}

impl Target {
    fn due(&self) -> Option<Time> {
        match self.state {
            TargetState::Lost(due) => Some(due),
            _ => None,
        }
    }

    fn dial(&mut self, index: usize, out: &mut Vec<Output>) {
        let turn = self.failures as usize % self.neighbor.addresses.len().max(1);
        if let Some(address) = self.neighbor.addresses.get(turn) {
            self.state = TargetState::Dialling;
            self.dialled = *address;
            let dialect = self.neighbor.dialect;
            out.push(Output::Dial { dial: Dial::Neighbor(index), address: *address, dialect });
        } else {
            // A name without addresses is refused before it gets here; without this it would be due for ever.
            self.state = TargetState::Myself;
        }
    }
}

/// Whether the second of two links between the same servents may stay. When each side dialled one, the one dialled by
/// the smaller id stays: both sides know both ids, so neither needs to ask. When one side dialled both, that side keeps
/// the first, and the other side, which cannot know which is first there, accepts both.
fn keeps_second(own: ServentId, other: ServentId, first_dialled_here: bool, second_dialled_here: bool) -> bool {
    match (first_dialled_here, second_dialled_here) {
        (true, true) => false,
        (false, false) => true,
        (_, second_dialled_here) => second_dialled_here == (own < other),
    }
}
