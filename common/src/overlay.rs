//! The servent's mind: everything it is told is an [`Input`], everything it wants is an [`Output`].
//!
//! It is a corridor with a door for each input, and fifteen rooms that never call each other: `links` (who is at the end of each),
//! `flood` (how a query travels), `search` (what is answered), `calls` (how an address is reached that has no link),
//! `delivery` (which clients are called with answers), `probes` (whether own clients can be), `members` (which servents there
//! are), `visits` (whether one is at an address), `keeping` (when they are written down), `reload` (when the data is read
//! again), `content` (which files are shared), `finds` (which finds are to go on),
//! `uploads` (who fetches them), `writes` (what clients have kept), `watches` (who is told of it). It holds no socket and reads no clock: a servent and a simulator perform the same outputs, each in its own way.

mod asking;
mod bringing;
mod calls;
mod config;
mod content;
mod copy_name;
mod delivery;
mod doors;
mod errand;
mod events;
mod fetching;
mod finds;
mod flood;
#[cfg(test)]
mod greeting;
mod holdings;
mod keeping;
mod links;
mod log_names;
mod members;
mod membership;
mod offered;
mod probes;
mod query_log;
mod recipients;
mod reload;
mod rooms;
mod search;
mod shares;
mod speaker;
mod uploads;
mod visits;
mod watches;
mod writes;
mod writing;

use std::net::{IpAddr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::sync::Arc;

use crate::address::{join, split};
use crate::clock::LamportClock;
use crate::disk::{Job, JobDone};
use crate::features::Features;
use crate::limits::TTL_MAX;
use crate::link::LinkId;
use crate::member::Word;
use crate::message::{Goodbye, Hello, Message, Role, ServentId};
use crate::random::{Secret, split_mix};
use crate::servent_name::ServentName;
use crate::store::Store;
use crate::time::Time;
use crate::wire::WireError;
use crate::written::WrittenData;

pub use config::Config;
pub use doors::{Dial, Input, Opening, Output};
use doors::{NotedEvent, Outbox};
use errand::Callee;
pub use errand::Errand;
use events::EventNotes;
pub use holdings::Holding;
use links::{Greeting, Origin};
pub use log_names::STRANGERS_LOG;
use members::MemberChange;
use rooms::Rooms;
use search::Held;
use speaker::{Parting, Speaker};

/// The servent's mind. What only some servents need at some times is made when they do, so that a million idle ones fit
/// into one process.
#[derive(Debug)]
pub struct Overlay {
    id: ServentId,
    seldom: Option<Box<SeldomOwn>>,
    advertised_v4: SocketAddrV4,
    ttl: u8,
    forward_once: bool,
    secret: Secret,
    clock: LamportClock,
    store: Arc<Store>,
    rooms: Rooms,
}

/// What few servents have of their own.
#[derive(Debug)]
struct SeldomOwn {
    advertised_v6: Option<SocketAddrV6>,
    name: Option<ServentName>,
    /// Nothing where nobody keeps a log of events.
    events: Option<EventNotes>,
}

impl Overlay {
    /// A mind that knows nobody yet. Its first [`Overlay::deadline`] is when it first dials its neighbors.
    #[must_use]
    pub fn new(config: &Config, store: Arc<Store>) -> Overlay {
        let (advertised_v4, advertised_v6) = split(config.advertised);
        let events = config.events.then(EventNotes::default);
        let name = config.name.clone();
        let is_seldom = advertised_v6.is_some() || name.is_some() || events.is_some();
        let seldom = || Box::new(SeldomOwn { advertised_v6: advertised_v6.map(|v6| *v6), name, events });
        Overlay {
            id: config.servent_id,
            seldom: is_seldom.then(seldom),
            advertised_v4,
            ttl: config.ttl.min(TTL_MAX),
            forward_once: config.forward_once,
            // Where all have one secret, as in a test that draws none, each still goes by names of its own.
            secret: config.secret.salted(config.servent_id.0),
            // Whoever knew others before does not speak from before that.
            clock: LamportClock::from(config.known.iter().map(|known| known.clock).max().unwrap_or_default()),
            store,
            rooms: Rooms::new(config),
        }
    }

    /// Takes one input and appends what is to be done about it. It cannot fail and never waits.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        let before = out.len();
        self.tell_the_clock();
        let Some(mut events) = self.seldom.as_deref_mut().and_then(|seldom| seldom.events.take()) else {
            self.on_input(now, input, &mut Outbox::new(out, None));
            return self.tick_if_said(before, out);
        };
        let gone = if let Input::Closed { link, .. } = input { Some(link) } else { None };
        let heard = events.on_input(&input);
        let from = events.heard_from(heard);
        self.on_input(now, input, &mut Outbox::new(out, Some(events.noted())).heard_from(from));
        for MemberChange { address, was, now, why } in self.take_member_changes() {
            let [was, now] = [was, Some(now)].map(|word| word.map(Word::name));
            events.noted().push(NotedEvent::Member { peer: address, was, now, why: why.to_owned() });
        }
        let heard_at = self.clock.stamp();
        self.tick_if_said(before, out);
        events.tell(heard, heard_at, self.clock.stamp(), before, out);
        gone.into_iter().for_each(|link| events.forget(link));
        if let Some(seldom) = self.seldom.as_deref_mut() {
            seldom.events = Some(events);
        }
    }

    /// All that is said at once is one event, whoever it is said to.
    fn tick_if_said(&mut self, before: usize, out: &[Output]) {
        if out.iter().skip(before).any(Output::is_said) {
            self.clock.tick();
        }
    }

    /// What the clock shows: the stamp of all that was wanted said last.
    #[must_use]
    pub fn stamp(&self) -> u64 {
        self.clock.stamp()
    }

    fn on_input(&mut self, now: Time, input: Input, out: &mut Outbox<'_>) {
        match input {
            Input::Opened { link, opening } => self.on_opened(now, link, opening, out),
            Input::DialFailed { dial: Dial::Neighbor(target), refused, reason } => {
                self.on_target_failed(now, target, refused);
                self.rooms.links.on_dial_failed(now, target, &reason, self.random(now));
            }
            Input::DialFailed { dial: Dial::Call(errand, address), refused, reason } => {
                if let Some(rare) = self.rooms.rare.get_mut() {
                    let callee = Callee { errand, address };
                    rare.call(now, out, |calls, out, news| {
                        calls.on_dial_failed(now, callee, refused, &reason, out, news);
                    });
                }
            }
            Input::Received { link, stamp, message } => {
                self.clock.hear(now, stamp);
                self.on_message(now, link, stamp, message, out);
            }
            Input::Malformed { link, error } => self.on_malformed(now, link, &error, out),
            Input::Closed { link, reason } => {
                self.rooms.on_closed(now, link, Parting::ForNow, &reason, self.random(now), out);
            }
            Input::Deadline => {
                self.rooms.on_deadline(now, self.random(now), &self.store, out);
                self.go_on_finding(now, out);
                self.show_written(now, out);
                self.tell_changed(now, out);
            }
            Input::Reload => self.rooms.rare.make().reload.on_asked(out),
            Input::Disk(JobDone::LookedUp { neighbor, addresses }) => {
                self.rooms.links.on_looked_up(now, neighbor, addresses, self.random(now), out);
            }
            Input::Disk(JobDone::DataRead(read)) => self.on_data_read(now, read, out),
            Input::Disk(JobDone::MembersKept(kept)) => self.rooms.on_members_kept(kept),
            Input::Disk(JobDone::Committed(committed)) => self.on_committed(now, committed, out),
            Input::Disk(JobDone::LookedThrough(looked)) => self.on_looked_through(now, looked, out),
            Input::Giving { link, fetch } => self.on_giving(now, (link, fetch)),
            Input::Drained { link, fetch } => self.on_drained(now, (link, fetch)),
            Input::Disk(JobDone::BlocksRead { link, fetch, read: Ok(_) }) | Input::Given { link, fetch } => {
                self.on_given(now, (link, fetch), out);
            }
            Input::Disk(JobDone::BlocksRead { link, fetch, read: Err(failure) }) => {
                self.on_unread((link, fetch), &failure, out);
            }
            Input::Disk(JobDone::HashesRead { link, fetch, first, read }) => {
                self.on_hashes_read(now, (link, fetch), first, read, out);
            }
            Input::NotBrought { link, message } => self.on_not_brought(now, link, &message),
            Input::Leave => {
                self.rooms.end_calls(now, out);
                self.on_calls_over(now, out);
                self.rooms.on_leave(now, self.random(now), out);
                // There are no turns any more for what is on the disk already.
                self.show_written(now, out);
            }
        }
        if self.rooms.rare.get().is_some() {
            self.on_calls_over(now, out);
        }
        self.rooms.resume_clients(now, out);
    }

    /// When the mind next wants to hear [`Input::Deadline`]. It may be early, never late.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let earliest = self.rooms.deadline();
        (earliest != Time::NEVER).then_some(earliest)
    }

    /// How many queries passed on are still to be echoed.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        self.rooms.pending_count()
    }

    /// A number over who the neighbors are and what became of the latest query: different where these are, so that
    /// two runs can be told to be the same.
    #[must_use]
    pub fn fingerprint(&self) -> u64 {
        self.rooms.fingerprint()
    }

    /// How much the mind holds of each thing that has a limit, and what it counted, in one order for ever.
    pub fn holdings(&self) -> impl Iterator<Item = Holding> {
        holdings::holdings(&self.rooms)
    }

    /// What was written and is told to everybody; nothing where nothing is kept.
    #[must_use]
    pub fn written(&self) -> Option<&WrittenData> {
        self.rooms.rare.get().and_then(|rare| rare.writes.written())
    }

    /// The value of one of these, by its name, if there is one of that name.
    #[must_use]
    pub fn holding(&self, name: &str) -> Option<u64> {
        holdings::holding(&self.rooms, name).map(|holding| holding.value)
    }

    /// What the mind holds in memory, in bytes, without the store it may share and without what waits to be delivered.
    #[must_use]
    pub fn memory_bytes(&self) -> usize {
        let own = self.seldom.as_deref().map_or(0, size_of_val);
        let own = own + self.name().map_or(0, |name| name.as_str().len());
        size_of::<Overlay>() + own + self.rooms.memory_bytes()
    }

    /// What can be asked for here by whoever is there, where it is known where that is.
    fn held(&self, ip: Option<IpAddr>) -> Held<'_> {
        let uploads = u32::try_from(self.rooms.uploads_count()).unwrap_or(u32::MAX);
        let files = self.rooms.offered_to(ip);
        let written = self.rooms.rare.get().and_then(|rare| rare.writes.shown());
        Held { store: &self.store, written, files, uploads }
    }

    fn advertised(&self) -> SocketAddr {
        join(self.advertised_v4, self.seldom.as_deref().and_then(|seldom| seldom.advertised_v6.as_ref()))
    }

    fn name(&self) -> Option<&ServentName> {
        self.seldom.as_deref().and_then(|seldom| seldom.name.as_ref())
    }

    fn hello(&self) -> Hello {
        let own = Hello::new(Role::Servent { id: self.id, advertised: self.advertised() });
        let features = if self.rooms.members.is_some() { Features::OF_MEMBERS } else { own.features };
        Hello { features, name: self.name().cloned(), ..own }
    }

    /// What is said now of members is said at this of the clock.
    fn tell_the_clock(&mut self) {
        if let Some(members) = self.rooms.members.as_deref_mut() {
            members.set_clock(self.clock.stamp());
        }
    }

    /// A number that differs from servent to servent and from moment to moment.
    fn random(&self, now: Time) -> u64 {
        split_mix(self.id.folded().wrapping_add(now.nanoseconds()))
    }

    fn on_opened(&mut self, now: Time, link: LinkId, opening: Opening, out: &mut Outbox<'_>) {
        match opening {
            Opening::Dialled(Dial::Call(errand, address)) => {
                let (own, callee) = (errand.hello(self.hello()), Callee { errand, address });
                let rare = self.rooms.rare.make();
                rare.call(now, out, |calls, out, news| calls.on_opened(now, callee, link, &own, out, news));
            }
            Opening::Dialled(Dial::Neighbor(target)) => {
                let own = self.hello();
                self.rooms.links.on_opened(now, link, Origin::Dialled(target), &own, out);
            }
            Opening::Accepted(from) => {
                let own = self.hello();
                self.rooms.links.on_opened(now, link, Origin::Accepted(from), &own, out);
            }
        }
    }

    fn on_message(&mut self, now: Time, link: LinkId, stamp: u64, message: Message, out: &mut Outbox<'_>) {
        self.tell_the_clock();
        if self.rooms.is_call(link) {
            let own = self.hello();
            let rare = self.rooms.rare.make();
            return rare.call(now, out, |calls, out, news| calls.on_message(now, link, message, &own, out, news));
        }
        let Some((speaker, was_suspect)) = self.rooms.links.heard(link) else {
            return;
        };
        if was_suspect {
            self.on_heard_again(now, link);
        }
        match (speaker, message) {
            (Speaker::Stranger, Message::Hello(hello)) => self.on_hello(now, link, &hello, out),
            (Speaker::Client, Message::Request(request)) => self.on_request(now, link, request, out),
            (Speaker::Neighbor(identity), Message::Query(query)) => self.on_query(now, link, identity, query, out),
            (Speaker::Neighbor(_), Message::Echo(echo)) => {
                if let Some(report) = self.rooms.flood.get_mut().and_then(|flood| flood.on_echo(now, link, &echo)) {
                    self.rooms.report(report, out);
                }
            }
            (Speaker::Neighbor(_), Message::Brought(brought)) => self.on_brought(now, link, brought, out),
            (Speaker::Client | Speaker::Neighbor(_), Message::Ping) => {
                out.send(link, Message::Pong);
            }
            (Speaker::Neighbor(_), Message::Pong) => self.on_pong(now, link),
            (Speaker::Client, Message::Pong) => {}
            (speaker @ (Speaker::Client | Speaker::Neighbor(_)), Message::PeersWanted(wanted))
                if self.may_tell_of_members(link) =>
            {
                // Who lists members asks for page after page; whoever has a clock is a servent that greets this one.
                if matches!(speaker, Speaker::Client) && wanted.after.is_none() && stamp == 0 {
                    out.note(|| NotedEvent::Asked { link, message: "M".to_owned() });
                }
                self.on_peers_wanted(now, link, wanted, out);
            }
            (Speaker::Neighbor(_), Message::Peers(peers)) if self.rooms.members.is_some() => {
                self.on_peers(now, link, stamp, &peers, out);
            }
            (Speaker::Client, Message::Peers(peers)) if self.rooms.members.is_some() => {
                self.on_peers_of_a_guest(now, link, stamp, &peers, out);
            }
            (Speaker::Client, Message::Greet(greet)) if self.may_tell_of_members(link) => {
                out.note(|| NotedEvent::Asked { link, message: format!("hello {}", greet.address) });
                self.on_greet(now, link, greet, out);
            }
            (Speaker::Client, Message::List(list)) if self.rooms.links.understands(link, Features::CONTENT) => {
                self.on_list(link, list, out);
            }
            (Speaker::Client, Message::Open(open)) if self.rooms.links.understands(link, Features::CONTENT) => {
                self.on_open(now, link, open, out);
            }
            (Speaker::Client, Message::HashesWanted(wanted))
                if self.rooms.links.understands(link, Features::CONTENT) =>
            {
                self.on_hashes_wanted(now, link, wanted, out);
            }
            (Speaker::Client, Message::BlocksWanted(wanted))
                if self.rooms.links.understands(link, Features::CONTENT) =>
            {
                self.on_blocks_wanted(now, link, wanted, out);
            }
            (Speaker::Client, Message::Write(write)) if self.rooms.links.understands(link, Features::WRITES) => {
                self.on_write(link, write, out);
            }
            (Speaker::Client, Message::Watch(watch)) if self.rooms.links.understands(link, Features::WRITES) => {
                self.on_watch(now, link, watch, out);
            }
            (Speaker::Client, Message::Unwatch(unwatch)) if self.rooms.links.understands(link, Features::WRITES) => {
                self.on_unwatch(link, unwatch);
            }
            (_, Message::Goodbye(farewell)) => {
                out.close(link);
                let reason = format!("it said goodbye, because {farewell}");
                let parting = if farewell == Goodbye::Leaving { Parting::ForGood } else { Parting::ForNow };
                self.rooms.on_closed(now, link, parting, &reason, self.random(now), out);
            }
            (_, message) => {
                let reason = format!("it sent an unexpected {}", message.name());
                self.close(now, link, Goodbye::Protocol, &reason, out);
            }
        }
    }

    fn on_hello(&mut self, now: Time, link: LinkId, hello: &Hello, out: &mut Outbox<'_>) {
        let own = self.hello_to(link, hello);
        match self.rooms.links.on_hello(now, link, hello, &own, out) {
            Greeting::Client => self.probe_client(now, link, out),
            Greeting::Neighbor(identity, older) => {
                if let Some(peer) = self.rooms.links.neighbor_address(link) {
                    out.note(|| NotedEvent::Linked { link, peer });
                }
                self.on_neighbor_linked(now, link, out);
                if let Some(older) = older {
                    self.close(now, older, Goodbye::Duplicate, "the two servents have another link", out);
                }
                if let Some(flood) = self.rooms.flood.get_mut() {
                    flood.on_neighbor(link);
                }
                if let Some(identity) = identity {
                    self.offer_again(now, link, identity, out);
                }
            }
            Greeting::Refused(farewell) => self.close(now, link, farewell, &farewell.to_string(), out),
        }
    }

    fn on_data_read(&mut self, now: Time, read: Result<Arc<Store>, String>, out: &mut Outbox<'_>) {
        match read {
            Ok(store) => {
                let before = std::mem::replace(&mut self.store, store);
                self.on_other_data(now, &before, out);
                // Let go of before anything more is read: there are never more than two.
                out.disk(Job::Free(before));
            }
            Err(reason) => log::error!("{reason}; the data read before stays"),
        }
        if let Some(rare) = self.rooms.rare.get_mut() {
            rare.reload.on_read(out);
            rare.content.on_asked(&self.store, out);
        }
    }

    fn on_malformed(&mut self, now: Time, link: LinkId, error: &WireError, out: &mut Outbox<'_>) {
        // Whoever does not speak our protocol would not understand a goodbye either.
        let farewell = match error {
            WireError::NoPreface(_) | WireError::Refused(_) => None,
            WireError::Version(_) => Some(Goodbye::Version),
            WireError::FrameTooLong { .. } | WireError::Unfinished | WireError::Malformed(_) => Some(Goodbye::Protocol),
        };
        match farewell.filter(|_| !self.rooms.is_call(link)) {
            Some(farewell) => out.part(link, farewell),
            None => out.close(link),
        }
        self.rooms.on_closed(now, link, Parting::ForNow, &error.to_string(), self.random(now), out);
    }

    fn close(&mut self, now: Time, link: LinkId, farewell: Goodbye, reason: &str, out: &mut Outbox<'_>) {
        self.rooms.close(now, link, farewell, reason, self.random(now), out);
    }
}
