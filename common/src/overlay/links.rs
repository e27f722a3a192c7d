//! Who is at the other end of each standing link: strangers, clients, neighbors; hello, ping, and what becomes of two
//! links between the same servents.
//!
//! It knows to whom a query can be told, and not what becomes of one (`flood`, `search`), nor the links to addresses that are
//! called (`calls`). How a lost neighbor is dialled again is in `targets`.

mod neighbors;
mod targets;

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Display;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::address::{AnswerAddress, canonical};
use crate::features::Features;
use crate::limits::{FRAME_BYTES_MAX, NEIGHBOR_BEAT, NEIGHBORS_MAX};
use crate::link::LinkId;
use crate::message::{Goodbye, Hello, Identity, Message, Role, ServentId};
use crate::newcomers::Newcomers;
use crate::on_demand::OnDemand;
use crate::overlay::config::Config;
use crate::overlay::doors::Outbox;
use crate::overlay::log_names::STRANGERS_LOG;
use crate::overlay::recipients::Recipients;
use crate::overlay::speaker::Speaker;
use crate::query::{Query, Via};
use crate::random::another;
use crate::servent_name::ServentName;
use crate::time::Time;
use crate::wire;

use neighbors::{NeighborLink, Silence};
use targets::{Target, TargetState};

const NOWHERE: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::UNSPECIFIED), 0);

/// Strangers that said no hello in time, as those of a crowd do all at once, closed at one deadline; the next deadline
/// is due at once. Whoever is served meanwhile is not to wait for all of them.
const CLOSED_AT_ONCE_MAX: usize = 128;

#[derive(Debug)]
pub(super) struct Links {
    guests: OnDemand<Guests>,
    neighbors: Box<[NeighborLink]>,
    targets: Box<[Target]>,
    /// When the neighbors are looked at next, and what is to be forgotten; of no meaning while there is neither.
    beat: Time,
    /// When a target is to be dialled, or earlier.
    next_dial: Time,
}

/// Where a link came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Origin {
    Accepted(SocketAddr),
    /// By a dial of ours, to the neighbor of this number.
    Dialled(usize),
}

/// Everybody on a standing link who is no neighbor.
#[derive(Debug, Default)]
struct Guests {
    strangers: Newcomers<Origin>,
    clients: BTreeMap<LinkId, Attached>,
    /// Those of them that do not accept the longest frames there are, and how long ones they do.
    shorter_frames: BTreeMap<LinkId, usize>,
    /// The clients that are not read for now, in the order in which they asked too much. Some may have left.
    resting: VecDeque<LinkId>,
}

/// What time has come for.
#[derive(Debug)]
pub(super) struct LinksDue {
    /// The links whose other end has been quiet for too long.
    pub(super) quiet: Vec<LinkId>,
    /// Those of neighbors that are suspect by now.
    pub(super) suspect: Vec<LinkId>,
    /// Those of neighbors that were pinged.
    pub(super) pinged: Vec<LinkId>,
    /// The beat, if it was time for one.
    pub(super) beat: Option<Beat>,
}

/// Whether a beat came when it was due.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Beat {
    InTime,
    /// A beat late, or more: this servent slept, was stopped or had no time. What others said meanwhile is still to be read,
    /// so nobody is judged by it.
    Late,
}

/// What a hello made of a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Greeting {
    /// A client came.
    Client,
    /// A neighbor came; if there was an older link to the same servent, that goes.
    Neighbor(Option<Identity>, Option<LinkId>),
    /// Nobody may stay: the link is closed, and this is why.
    Refused(Goodbye),
}

/// A neighbor that says who it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct LinkedServent {
    pub(super) id: Identity,
    pub(super) address: SocketAddr,
    pub(super) understands_members: bool,
    pub(super) is_same_host: bool,
    /// Whether the link comes from the ip where it says it is.
    pub(super) is_from_there: bool,
    /// Whether it was dialled at this address.
    pub(super) is_proved: bool,
}

/// A client that asks here.
#[derive(Debug)]
struct Attached {
    address: AnswerAddress,
    /// What it offered to understand.
    features: Features,
    /// How its answers come to it.
    via: Via,
    /// Whether it is not read for now.
    is_resting: bool,
}

impl Links {
    pub(super) fn new(config: &Config) -> Links {
        Links {
            guests: OnDemand::default(),
            neighbors: Box::default(),
            targets: config.neighbors.iter().map(Target::new).collect(),
            beat: Time::START,
            next_dial: if config.neighbors.is_empty() { Time::NEVER } else { Time::START },
        }
    }

    // ---- links come and go ----

    pub(super) fn on_opened(&mut self, now: Time, link: LinkId, origin: Origin, own: &Hello, out: &mut Outbox<'_>) {
        if let Origin::Dialled(target) = origin {
            self.set_target(target, TargetState::Greeting(link));
            // The dialer speaks first; whoever accepts waits to learn what the other side speaks.
            out.send(link, Message::Hello(own.clone()));
        }
        self.guests.make().strangers.insert(now, link, origin);
    }

    pub(super) fn on_dial_failed(&mut self, now: Time, index: usize, reason: &str, random: u64) {
        if let Some(target) = self.targets.get_mut(index) {
            let level = if target.has_failed() { log::Level::Debug } else { log::Level::Info };
            log::log!(level, "neighbor {} cannot be reached yet: {reason}", target.name());
            target.dial_later(now, another(random, index));
            self.next_dial = self.next_dial.min(target.due().unwrap_or(Time::NEVER));
        }
    }

    /// A neighbor's name was looked up, or could not be: then it is dialled where it was, if that was ever known.
    pub(super) fn on_looked_up(
        &mut self,
        now: Time,
        index: usize,
        addresses: Result<Vec<SocketAddr>, String>,
        random: u64,
        out: &mut Outbox<'_>,
    ) {
        let nowhere = || Err("it stands for no address".to_owned());
        let addresses = addresses.and_then(|found| if found.is_empty() { nowhere() } else { Ok(found) });
        let Some(target) = self.targets.get_mut(index) else { return };
        let Some(is_awaited) = target.on_looked_up() else { return };
        // What stays as it is may be said at every redial: it is told once.
        let has_changed = target.set_found(addresses.is_ok());
        match addresses {
            Ok(addresses) => {
                let before = target.set_addresses(addresses);
                let now_at = listed(target.addresses());
                if let Some(before) = before {
                    let was_at = listed(&before);
                    log::info!("neighbor {} is at {now_at} now, where it was at {was_at}", target.name());
                } else if has_changed {
                    log::info!("neighbor {} can be looked up now: it is at {now_at}", target.name());
                }
            }
            Err(reason) => {
                let level = if has_changed { log::Level::Warn } else { log::Level::Debug };
                let instead = if target.address().is_some() { ", and is dialled where it was" } else { " yet" };
                log::log!(level, "neighbor {} cannot be looked up{instead}: {reason}", target.name());
            }
        }
        // Else it has been dialled where it was; what is known now is for the next time.
        if is_awaited && !target.dial(index, out) {
            target.dial_later(now, another(random, index));
        }
        self.next_dial = self.first_due();
    }

    /// Notes that something came over a link, and says from whom, and whether that was suspect.
    pub(super) fn heard(&mut self, link: LinkId) -> Option<(Speaker, bool)> {
        if let Some(neighbor) = self.neighbors.iter_mut().find(|neighbor| neighbor.link == link) {
            return Some((Speaker::Neighbor(neighbor.identity), neighbor.on_heard()));
        }
        let guests = self.guests.get()?;
        if guests.clients.contains_key(&link) {
            return Some((Speaker::Client, false));
        }
        guests.strangers.get(link).map(|_| (Speaker::Stranger, false))
    }

    pub(super) fn on_hello(
        &mut self,
        now: Time,
        link: LinkId,
        hello: &Hello,
        own: &Hello,
        out: &mut Outbox<'_>,
    ) -> Greeting {
        let Some(origin) = self.guests.get().and_then(|guests| guests.strangers.get(link).copied()) else {
            return Greeting::Refused(Goodbye::Protocol);
        };
        match hello.role {
            Role::Client { answer_port } => {
                let Origin::Accepted(from) = origin else {
                    return Greeting::Refused(Goodbye::Role);
                };
                let socket = canonical(SocketAddr::new(from.ip(), answer_port));
                let address = AnswerAddress { socket, dialect: hello.dialect };
                let via = if answer_port == 0 { Via::Back } else { Via::Direct };
                let client = Attached { address, features: hello.features, via, is_resting: false };
                let greeting = self.on_client_hello(link, client, own, out);
                let frame_bytes_max = usize::try_from(hello.frame_bytes_max).unwrap_or(usize::MAX);
                if greeting == Greeting::Client && frame_bytes_max < FRAME_BYTES_MAX {
                    self.guests.make().shorter_frames.insert(link, frame_bytes_max);
                }
                greeting
            }
            Role::Servent { advertised, .. } => self.on_servent_hello(now, link, origin, hello, advertised, own, out),
            // Whoever does not say who it is goes by where it is.
            Role::Nameless => {
                let address = match origin {
                    Origin::Accepted(from) => from,
                    Origin::Dialled(target) => self.targets.get(target).and_then(Target::dialled_at).unwrap_or(NOWHERE),
                };
                self.on_servent_hello(now, link, origin, hello, address, own, out)
            }
        }
    }

    fn on_client_hello(&mut self, link: LinkId, client: Attached, own: &Hello, out: &mut Outbox<'_>) -> Greeting {
        let address = client.address;
        // It hears no answers, and would not understand them when they come back.
        if !client.features.include(client.via.needs()) {
            return Greeting::Refused(Goodbye::Protocol);
        }
        log::debug!("client {} attached", address.socket);
        self.forget_stranger(link);
        self.guests.make().clients.insert(link, client);
        out.send(link, Message::Hello(own.clone()));
        // Whoever comes takes no room that others wait for.
        if self.has_resting() {
            self.rest(link, out);
        }
        Greeting::Client
    }

    #[allow(clippy::too_many_arguments, reason = "who it is and where it came from, and who we are")]
    fn on_servent_hello(
        &mut self,
        now: Time,
        link: LinkId,
        origin: Origin,
        hello: &Hello,
        advertised: SocketAddr,
        own: &Hello,
        out: &mut Outbox<'_>,
    ) -> Greeting {
        let Role::Servent { id: own_id, .. } = own.role else {
            return Greeting::Refused(Goodbye::Role);
        };
        let id = match hello.role {
            Role::Servent { id, .. } => Some(id),
            Role::Client { .. } | Role::Nameless => None,
        };
        let dialled_target = match origin {
            Origin::Dialled(target) => Some(target),
            Origin::Accepted(_) => None,
        };
        if dialled_target.is_none() && self.neighbors.len() < NEIGHBORS_MAX {
            // Said even on a link that is refused below, so that the other side reaches the same verdict by itself.
            out.send(link, Message::Hello(own.clone()));
        }
        if id == Some(own_id) {
            if let Some(target) = dialled_target.and_then(|target| self.targets.get_mut(target)) {
                log::warn!("neighbor {} is this servent itself: it will not be dialled again", target.name());
                target.set_state(TargetState::Myself);
                self.say_when_complete();
            }
            return Greeting::Refused(Goodbye::Myself);
        }
        let dialled_here = dialled_target.is_some();
        let identity = id.map(Identity::from);
        // Those who do not say who they are cannot be told to be the same.
        let is_twin = |neighbor: &&NeighborLink| identity.is_some() && neighbor.identity == identity;
        let twin = self.neighbors.iter().find(is_twin).map(|older| (older.link, older.dialled_here()));
        if let (Some(id), Some((older, older_dialled_here))) = (id, twin)
            && !keeps_second(own_id, id, older_dialled_here, dialled_here)
        {
            if let Some(target) = dialled_target.and_then(|target| self.targets.get_mut(target)) {
                target.set_state(TargetState::Linked(older));
                self.say_when_complete();
            }
            return Greeting::Refused(Goodbye::Duplicate);
        }
        if self.neighbors.len() >= NEIGHBORS_MAX {
            return Greeting::Refused(Goodbye::Full);
        }
        self.forget_stranger(link);
        if self.neighbors.is_empty() {
            self.beat = now + NEIGHBOR_BEAT;
        }
        let at = match origin {
            Origin::Accepted(from) => Some(from),
            Origin::Dialled(target) => self.targets.get(target).and_then(Target::dialled_at),
        };
        let is_same_host = at.is_some_and(|at| canonical(at).ip().is_loopback());
        let advertised = at.map_or(advertised, |at| believed(advertised, canonical(at)));
        let is_from_there = at.is_some_and(|at| canonical(at).ip() == canonical(advertised).ip());
        self.add(
            NeighborLink::new(link, hello, advertised, is_same_host, dialled_here).coming_from_there(is_from_there),
        );
        let called = called(hello.name.as_ref());
        log::info!("linked with neighbor {advertised}{called} ({} in all)", self.neighbors.len());
        if let Some(target) = dialled_target.and_then(|target| self.targets.get_mut(target)) {
            target.set_state(TargetState::Linked(link));
            self.say_when_complete();
        }
        // Two links dialled by the same side are that side's to sort out, so the acceptor lets both stand.
        let superseded = twin.filter(|(_, older_dialled_here)| *older_dialled_here != dialled_here);
        if let Some((older, _)) = superseded {
            self.move_targets(older, link);
        }
        Greeting::Neighbor(identity, superseded.map(|(older, _)| older))
    }

    /// Forgets a link that is closed or about to be, and says who it was. Targets that counted on it are dialled again.
    pub(super) fn on_closed(&mut self, now: Time, link: LinkId, reason: &str, random: u64) -> Option<Speaker> {
        let speaker = self.remove(link, reason);
        for index in 0..self.targets.len() {
            let Some(target) = self.targets.get_mut(index) else { continue };
            match target.state() {
                TargetState::Linked(linked) if linked == link => {
                    target.dial_later(now, another(random, index));
                    self.next_dial = self.next_dial.min(target.due().unwrap_or(Time::NEVER));
                }
                TargetState::Greeting(greeting) if greeting == link => self.on_dial_failed(now, index, reason, random),
                _ => {}
            }
        }
        speaker
    }

    /// A link is no stranger any more.
    fn forget_stranger(&mut self, link: LinkId) -> Option<Origin> {
        let guests = self.guests.get_mut()?;
        let origin = guests.strangers.remove(link);
        if guests.strangers.is_empty() && guests.clients.is_empty() {
            self.guests.clear();
        }
        origin
    }

    /// Adds a neighbor without a byte to spare: it happens seldom.
    fn add(&mut self, neighbor: NeighborLink) {
        let mut neighbors = std::mem::take(&mut self.neighbors).into_vec();
        neighbors.reserve_exact(1);
        neighbors.push(neighbor);
        self.neighbors = neighbors.into_boxed_slice();
    }

    fn remove(&mut self, link: LinkId, reason: &str) -> Option<Speaker> {
        if let Some(place) = self.neighbors.iter().position(|neighbor| neighbor.link == link) {
            let mut neighbors = std::mem::take(&mut self.neighbors).into_vec();
            let neighbor = neighbors.remove(place);
            self.neighbors = neighbors.into_boxed_slice();
            log::info!("link with neighbor {}{} is gone: {reason}", neighbor.advertised(), called(neighbor.name()));
            return Some(Speaker::Neighbor(neighbor.identity));
        }
        if let Some(guests) = self.guests.get_mut()
            && let Some(client) = guests.clients.remove(&link)
        {
            guests.shorter_frames.remove(&link);
            log::debug!("client {} left: {reason}", client.address.socket);
            return Some(Speaker::Client);
        }
        if let Origin::Accepted(from) = self.forget_stranger(link)? {
            log::info!(target: STRANGERS_LOG, "no link with {from}: {reason}");
        }
        Some(Speaker::Stranger)
    }

    // ---- who there is ----

    /// Whoever a query may go to: the neighbors but the one at the other end of this link.
    pub(super) fn recipients(&self, except: Option<LinkId>, query: &Query) -> Recipients {
        let count = self.neighbors.len();
        let mut to = Recipients { echoing: Vec::with_capacity(count), ..Recipients::default() };
        for neighbor in self.neighbors.iter().filter(|neighbor| Some(neighbor.link) != except) {
            let told = match neighbor.told_as(query) {
                Some(Via::Direct) => &mut to.direct,
                Some(Via::Back) => &mut to.back,
                None => {
                    to.untold_count += 1;
                    continue;
                }
            };
            if told.is_empty() {
                told.reserve_exact(count);
            }
            told.push(neighbor.link);
            if neighbor.manners().echoes {
                to.echoing.push(neighbor.link);
            }
        }
        to
    }

    /// Whether whoever is at the other end of a link offered to understand what takes this. Of a stranger nothing is
    /// known yet.
    pub(super) fn understands(&self, link: LinkId, needed: Features) -> bool {
        self.offered(link).include(needed)
    }

    /// What whoever is at the other end of a link offered to understand.
    pub(super) fn offered(&self, link: LinkId) -> Features {
        if let Some(neighbor) = self.neighbors.iter().find(|neighbor| neighbor.link == link) {
            return neighbor.features();
        }
        let client = self.guests.get().and_then(|guests| guests.clients.get(&link));
        client.map_or(Features::NONE, |client| client.features)
    }

    /// How a copy is answered that this neighbor is sent; nothing where it cannot be told.
    pub(super) fn told_as(&self, link: LinkId, query: &Query) -> Option<Via> {
        self.neighbors.iter().find(|neighbor| neighbor.link == link)?.told_as(query)
    }

    /// Whether a neighbor is on this host, as far as its link shows.
    pub(super) fn is_same_host(&self, link: LinkId) -> bool {
        self.neighbors.iter().any(|neighbor| neighbor.link == link && neighbor.is_same_host())
    }

    /// Whether the address of its client means the same here as where a query came from.
    pub(super) fn means_the_same_here(&self, link: LinkId, client: AnswerAddress) -> bool {
        // Most mean the same everywhere.
        client.means_the_same_there(false) || {
            let neighbor = self.neighbors.iter().find(|neighbor| neighbor.link == link);
            neighbor.is_none_or(|neighbor| client.means_the_same_there(neighbor.is_same_host()))
        }
    }

    /// Whether a neighbor can be told what came of its copy.
    pub(super) fn hears_echoes(&self, link: LinkId) -> bool {
        self.neighbors.iter().any(|neighbor| neighbor.link == link && neighbor.manners().echoes)
    }

    /// A servent that a link has come to, if it says who it is.
    pub(super) fn linked_to(&self, link: LinkId) -> Option<LinkedServent> {
        let neighbor = self.neighbors.iter().find(|neighbor| neighbor.link == link)?;
        let address = neighbor.advertised();
        let dialled_at = |target: usize| self.targets.get(target).and_then(Target::dialled_at);
        Some(LinkedServent {
            id: neighbor.identity?,
            address,
            understands_members: neighbor.features().include(Features::MEMBERS),
            is_same_host: neighbor.is_same_host(),
            is_from_there: neighbor.is_from_there(),
            is_proved: neighbor.dialled_here() && self.target_of(link).and_then(dialled_at) == Some(address),
        })
    }

    /// The configured neighbor of which this is the link, if it is that of one.
    pub(super) fn target_of(&self, link: LinkId) -> Option<usize> {
        self.targets.iter().position(|target| target.state() == TargetState::Linked(link))
    }

    /// This servent slept: nobody was heard since.
    pub(super) fn on_slept(&mut self) {
        self.neighbors.iter_mut().for_each(NeighborLink::on_slept);
    }

    /// Whether this servent slept and has not heard the neighbor at the end of a link since.
    pub(super) fn is_unheard(&self, link: LinkId) -> bool {
        self.neighbors.iter().any(|neighbor| neighbor.link == link && neighbor.is_unheard())
    }

    /// Whether the neighbor at the end of a link was heard within [`PING_AFTER`](crate::limits::PING_AFTER), or could not have
    /// been asked since.
    pub(super) fn is_lively(&self, link: LinkId) -> bool {
        self.neighbors.iter().any(|neighbor| neighbor.link == link && neighbor.is_lively())
    }

    /// The same of any other neighbor that answers pings, before those were sent that are due now.
    pub(super) fn has_lively_besides(&self, link: LinkId) -> bool {
        let others = self.neighbors.iter().filter(|neighbor| neighbor.link != link);
        others.filter(|neighbor| neighbor.manners().answers_ping).any(NeighborLink::was_lively)
    }

    /// It is to be seen whether whoever is at the end of a link is there: it is gone two beats from now if nothing is heard.
    pub(super) fn doubt(&mut self, link: LinkId) {
        if let Some(neighbor) = self.neighbors.iter_mut().find(|neighbor| neighbor.link == link) {
            neighbor.doubt();
        }
    }

    pub(super) fn neighbor_addresses(&self) -> impl Iterator<Item = SocketAddr> {
        self.neighbors.iter().map(NeighborLink::advertised)
    }

    /// By what address a neighbor goes.
    pub(super) fn neighbor_address(&self, link: LinkId) -> Option<SocketAddr> {
        self.neighbors.iter().find(|neighbor| neighbor.link == link).map(NeighborLink::advertised)
    }

    /// How a neighbor is called in the log.
    pub(super) fn neighbor_name(&self, link: LinkId) -> impl Display {
        let neighbor = self.neighbors.iter().find(|neighbor| neighbor.link == link);
        neighbor.map_or_else(|| link.to_string(), |neighbor| neighbor.advertised().to_string())
    }

    pub(super) fn all(&self) -> Vec<LinkId> {
        let neighbors = self.neighbors.iter().map(|neighbor| neighbor.link);
        let guests = self.guests.get().into_iter();
        let guests = guests.flat_map(|guests| guests.clients.keys().copied().chain(guests.strangers.links()));
        neighbors.chain(guests).collect()
    }

    /// The answer address of a client that asks.
    pub(super) fn client_address(&self, link: LinkId) -> Option<AnswerAddress> {
        Some(self.guests.get()?.clients.get(&link)?.address)
    }

    /// Whether a client accepts a frame in which a block of so many bytes is said.
    pub(super) fn accepts_block(&self, link: LinkId, block_bytes: usize) -> bool {
        let Some((guests, client)) = self.guests.get().and_then(|guests| Some((guests, guests.clients.get(&link)?)))
        else {
            return false;
        };
        let frame_bytes_max = guests.shorter_frames.get(&link).copied().unwrap_or(FRAME_BYTES_MAX);
        wire::can_say_block(client.address.dialect, block_bytes, frame_bytes_max)
    }

    /// Whether a client is on this host, as far as its link shows.
    pub(super) fn is_client_of_this_host(&self, link: LinkId) -> bool {
        self.client_address(link).is_some_and(|client| client.socket.ip().is_loopback())
    }

    /// The same of a link whose other end has yet to say who it is.
    pub(super) fn is_stranger_of_this_host(&self, link: LinkId) -> bool {
        let origin = self.guests.get().and_then(|guests| guests.strangers.get(link));
        matches!(origin, Some(Origin::Accepted(from)) if canonical(*from).ip().is_loopback())
    }

    /// How the answers come to a client that asks.
    pub(super) fn client_via(&self, link: LinkId) -> Via {
        self.guests.get().and_then(|guests| guests.clients.get(&link)).map_or(Via::Direct, |client| client.via)
    }

    /// This servent could not dial this address: the answers of whoever hears them there go back, if they understand that.
    pub(super) fn on_unreachable(&mut self, address: SocketAddr) {
        let Some(guests) = self.guests.get_mut() else { return };
        for client in guests.clients.values_mut() {
            if client.address.socket == address && client.features.include(Via::Back.needs()) {
                log::debug!("client {address} cannot be dialled: its answers come back");
                client.via = Via::Back;
            }
        }
    }

    /// Has a client not read until there is room for what it asks.
    pub(super) fn rest(&mut self, link: LinkId, out: &mut Outbox<'_>) {
        let Some(guests) = self.guests.get_mut() else { return };
        let Some(client) = guests.clients.get_mut(&link) else { return };
        if !std::mem::replace(&mut client.is_resting, true) {
            guests.resting.push_back(link);
            out.rest(link);
        }
    }

    /// Whether a client rests.
    pub(super) fn is_resting(&self, link: LinkId) -> bool {
        self.guests.get().and_then(|guests| guests.clients.get(&link)).is_some_and(|client| client.is_resting)
    }

    /// Whether clients rest.
    pub(super) fn has_resting(&self) -> bool {
        self.guests.get().is_some_and(|guests| !guests.resting.is_empty())
    }

    /// Has so many of them read again, those that have waited longest. Who of these comes first takes all the room there is
    /// if it asks much, and is then the first to wait again: so it comes last.
    /// One that is held for another reason is not read yet.
    pub(super) fn resume(&mut self, count: usize, is_held: impl Fn(LinkId) -> bool, out: &mut Outbox<'_>) {
        let Some(guests) = self.guests.get_mut() else { return };
        let mut resumed = guests.resting.drain(..count.min(guests.resting.len())).collect::<VecDeque<_>>();
        if let Some(first) = resumed.pop_front() {
            resumed.push_back(first);
        }
        for link in resumed {
            if let Some(client) = guests.clients.get_mut(&link) {
                client.is_resting = false;
                if !is_held(link) {
                    out.resume(link);
                }
            }
        }
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.neighbors.iter().fold(self.neighbors.len() as u64, |sum, neighbor| sum.rotate_left(7) ^ neighbor.link.0)
    }

    /// How many links there are, whoever is at the other end.
    pub(super) fn count(&self) -> usize {
        self.neighbors_count() + self.clients_count() + self.strangers_count()
    }

    pub(super) fn neighbors_count(&self) -> usize {
        self.neighbors.len()
    }

    pub(super) fn clients_count(&self) -> usize {
        self.guests.get().map_or(0, |guests| guests.clients.len())
    }

    pub(super) fn strangers_count(&self) -> usize {
        self.guests.get().map_or(0, |guests| guests.strangers.len())
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let neighbors = self.neighbors.iter().map(NeighborLink::memory_bytes).sum::<usize>();
        let targets = self.targets.iter().map(Target::memory_bytes).sum::<usize>();
        neighbors + targets + self.guests.get().map_or(0, size_of_val)
    }

    // ---- time ----

    /// Beats go on without neighbors where something is to be forgotten.
    pub(super) fn deadline(&self, is_to_forget: bool) -> Time {
        let stranger = self.guests.get().map_or(Time::NEVER, |guests| guests.strangers.deadline());
        let beat = if self.has_beats(is_to_forget) { self.beat } else { Time::NEVER };
        stranger.min(beat).min(self.next_dial)
    }

    /// Pings, dials, and names the links whose other end has been quiet for too long.
    pub(super) fn on_deadline(&mut self, now: Time, is_to_forget: bool, out: &mut Outbox<'_>) -> LinksDue {
        let (mut quiet, mut suspect, mut pinged) = (Vec::new(), Vec::new(), Vec::new());
        if let Some(guests) = self.guests.get() {
            quiet.extend(guests.strangers.overdue(now).take(CLOSED_AT_ONCE_MAX));
        }
        let beat = (self.has_beats(is_to_forget) && self.beat <= now).then(|| {
            let is_late = self.beat + NEIGHBOR_BEAT <= now;
            if is_late { Beat::Late } else { Beat::InTime }
        });
        if beat.is_some() {
            self.beat = now + NEIGHBOR_BEAT;
        }
        if beat == Some(Beat::Late) {
            // Whoever asks about them is not to wait until they have been quiet for so long.
            for neighbor in self.neighbors.iter().filter(|neighbor| neighbor.manners().answers_ping) {
                out.send(neighbor.link, Message::Ping);
                pinged.push(neighbor.link);
            }
        }
        if beat == Some(Beat::InTime) {
            for neighbor in &mut self.neighbors {
                match neighbor.on_beat() {
                    Some(Silence::Ping) => {
                        out.send(neighbor.link, Message::Ping);
                        pinged.push(neighbor.link);
                    }
                    Some(Silence::Suspect) => suspect.push(neighbor.link),
                    Some(Silence::Gone) => quiet.push(neighbor.link),
                    None => {}
                }
            }
            self.targets.iter_mut().for_each(Target::on_beat);
        }
        if self.next_dial <= now {
            for (index, target) in self.targets.iter_mut().enumerate() {
                if target.due().is_some_and(|due| due <= now) {
                    target.on_due(now, index, out);
                }
            }
            self.next_dial = self.first_due();
        }
        LinksDue { quiet, suspect, pinged, beat }
    }

    fn has_beats(&self, is_to_forget: bool) -> bool {
        is_to_forget || !self.neighbors.is_empty()
    }

    // ---- targets ----

    /// When the first of them is to be dialled.
    fn first_due(&self) -> Time {
        self.targets.iter().filter_map(Target::due).min().unwrap_or(Time::NEVER)
    }

    /// Says so once every neighbor this servent was told has been dialled and greeted. One that dialled this servent
    /// does not count until then: it may be any other that goes by the same address, and until our own dial has shown
    /// which of the two links stays, a query may be offered over both.
    fn say_when_complete(&self) {
        let is_kept = |target: &Target| matches!(target.state(), TargetState::Linked(_) | TargetState::Myself);
        if self.targets.iter().all(is_kept) {
            log::info!("linked with every neighbor it was told");
        }
    }

    fn set_target(&mut self, target: usize, state: TargetState) {
        if let Some(target) = self.targets.get_mut(target) {
            target.set_state(state);
        }
    }

    fn move_targets(&mut self, from: LinkId, to: LinkId) {
        for target in &mut self.targets {
            if target.state() == TargetState::Linked(from) {
                target.set_state(TargetState::Linked(to));
            }
        }
    }
}

/// Where a servent is that is connected with from there and says it is here: what it says is a claim, and where nobody can
/// be dialled, or somebody else, it is not believed.
fn believed(advertised: SocketAddr, from: SocketAddr) -> SocketAddr {
    let ip = advertised.ip();
    if !ip.is_unspecified() && (!ip.is_loopback() || from.ip().is_loopback()) {
        return advertised;
    }
    let instead = SocketAddr::new(from.ip(), advertised.port());
    log::info!(target: STRANGERS_LOG, "a servent at {from} says it is at {advertised}: it goes by {instead} here");
    instead
}

/// What somebody is called, behind its address.
fn called(name: Option<&ServentName>) -> String {
    name.map(|name| format!(" ({name})")).unwrap_or_default()
}

fn listed(addresses: &[SocketAddr]) -> String {
    addresses.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ")
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dialect::Dialect;
    use crate::features::MADE_UP;
    use crate::key::Key;
    use crate::query::{Ask, Path, Via};

    #[test]
    fn a_client_costs_no_more_for_what_it_offered() {
        assert_eq!(size_of::<Attached>(), size_of::<(AnswerAddress, bool)>());
    }

    #[test]
    fn who_understands_what_is_known_of_all_who_said_hello() {
        let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
        let servent = |id| Role::Servent { id: ServentId(id), advertised: address(9000) };
        let own = Hello::new(servent(1));
        let mut links = Links::new(&Config::default());
        let mut out = Vec::new();
        let [one, other, _] = MADE_UP;
        for (link, role) in (1..).map(LinkId).zip([servent(2), Role::Client { answer_port: 7000 }, Role::Nameless]) {
            let out = &mut Outbox::new(&mut out, None);
            links.on_opened(Time::START, link, Origin::Accepted(address(1)), &own, out);
            let understood = |links: &Links| [Features::NONE, one, other].map(|needed| links.understands(link, needed));
            assert_eq!(understood(&links), [true, false, false], "{role:?} before its hello");
            let greeting = links.on_hello(Time::START, link, &Hello { features: one, ..Hello::new(role) }, &own, out);
            assert!(!matches!(greeting, Greeting::Refused(_)), "{greeting:?}");
            assert_eq!(understood(&links), [true, true, false], "{role:?}");
            links.on_closed(Time::START, link, "a test", 0);
            assert_eq!(understood(&links), [true, false, false], "{role:?} that is gone");
        }
    }

    #[test]
    fn whoever_did_not_offer_what_a_query_needs_is_left_out_and_counted() {
        let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
        let servent = |id, port| Hello::new(Role::Servent { id: ServentId(id), advertised: address(port) });
        let own = servent(1, 9000);
        let mut links = Links::new(&Config::default());
        let mut out = Vec::new();
        let needed = Dialect::Toy.manners().needs;
        let other = MADE_UP[1];
        let offers = [Features::NONE, needed, other, needed.with(other)];
        let offers: Vec<_> = (1..).map(LinkId).zip(offers).collect();
        for (link, features) in offers.iter().copied() {
            let out = &mut Outbox::new(&mut out, None);
            links.on_opened(Time::START, link, Origin::Accepted(address(1)), &own, out);
            let hello = Hello { features, ..servent(10 + u128::from(link.0), 9001) };
            let greeting = links.on_hello(Time::START, link, &hello, &own, out);
            assert!(matches!(greeting, Greeting::Neighbor(Some(_), None)), "{greeting:?}");
        }
        for dialect in [Dialect::Native, Dialect::Toy] {
            let client = AnswerAddress { socket: address(7000), dialect };
            let ask = Ask::Key(Key::new(b"tea").unwrap());
            let query = Query {
                via: Via::Direct,
                sequence: 7,
                client,
                contact: None,
                ttl: 3,
                hops: 1,
                ask,
                path: Path::default(),
            };
            let is_told = |offered: Features| dialect == Dialect::Native || offered.include(needed);
            for except in [None, Some(LinkId(4))] {
                let to = links.recipients(except, &query);
                let there: Vec<_> = offers.iter().copied().filter(|(link, _)| Some(*link) != except).collect();
                let told = there.iter().filter(|(_, offered)| is_told(*offered));
                let told: Vec<LinkId> = told.map(|(link, _)| *link).collect();
                assert_eq!(to.count(), there.len(), "nobody is forgotten");
                assert_eq!(to.untold_count, there.len() - told.len(), "of a client that hears {dialect:?}");
                assert_eq!(
                    (to.direct, to.back, to.echoing),
                    (told.clone(), vec![], told),
                    "of a client that hears {dialect:?}"
                );
            }
            for (link, offered) in offers.iter().copied() {
                assert_eq!(
                    links.told_as(link, &query),
                    is_told(offered).then_some(Via::Direct),
                    "{link} hears of {dialect:?}"
                );
            }
            assert!(links.told_as(LinkId(5), &query).is_none(), "nobody is there");
        }
    }
}
