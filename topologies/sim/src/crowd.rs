//! A healthy overlay of any size as messages alone: no bytes, no faults, nothing between two minds but a delay.
//!
//! It holds a million servents in one process and passes a flood through them about as fast as a bare queue would. What
//! arrives in the same tick is handed out servent by servent, in the order of the links and, on one link, in the order
//! of sending: so each servent is fetched from memory once a tick, and equal runs are equal. Connections, bytes and
//! faults are `world`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::dialect::Dialect;
use common::link::LinkId;
use common::message::{Echo, Message};
use common::overlay::{self, Dial, Errand, Opening, Overlay};
use common::query::{Query, QueryId, Tally};
use common::session::{self, Question, Report, Session};
use common::time::Time;

use super::cast::{self, Stores};
use super::graph::{Graph, number};
use super::outcome::RunOutcome;
use super::plan::Delays;
use super::random::Random;
use super::scene::{Asking, Scene};
use super::verdict::{self, Answered, Crossed, Judged};

/// What the clock counts in. Every delay is some of them.
const TICK: Duration = Duration::from_micros(250);
/// Ticks that anything may take, and one more.
const TICKS: usize = 401;
/// Parcels handed out between two looks.
const BATCH: usize = 256;
/// A healthy query that takes longer will not end.
const QUERY_MAX: Duration = Duration::from_secs(60);
/// What the stream of random numbers is for.
const DELAYS: u64 = 0x6372_6f77_6401_0000;

/// Something on its way: where it arrives, and what it is.
#[derive(Clone, Copy, Debug, Default)]
struct Parcel {
    /// The receiving end: a link between servents, or one to a client.
    to: u32,
    what: u32,
}

/// What a parcel is, in the two highest bits of `what`; the others say which.
const COPY: u32 = 0;
/// An echo of the latest query that says nothing but that the copy was a duplicate; the rest is its TTL.
const DUPLICATE: u32 = 1 << 30;
/// Any other echo of the latest query.
const ECHO: u32 = 2 << 30;
const OTHER: u32 = 3 << 30;
const KIND: u32 = 3 << 30;

/// What is seldom on its way.
enum Other {
    Message(Message),
    /// A dial to a client.
    Dial,
}

/// A link between a servent and a client.
struct ClientLink {
    servent: u32,
    client: usize,
    is_open: bool,
    /// What it was dialled for; nothing where the client attached.
    dial: Option<SocketAddr>,
    /// As [`Crowd::last`], from the servent and from the client.
    last: [u64; 2],
}

struct CrowdClient {
    session: Session,
    contact: u32,
    answered: Vec<Answered>,
    ending: Option<session::Ending>,
}

struct Crowd<'a> {
    scene: &'a Scene,
    graph: &'a Graph,
    now: u64,
    /// What arrives in each of the coming ticks.
    coming: Vec<Vec<Parcel>>,
    coming_count: usize,
    /// Room of ticks that are over, for those to come.
    spare: Vec<Vec<Parcel>>,
    random: Random,
    servents: Vec<Overlay>,
    /// Whose each link is, and the same link at its other end.
    owners: Vec<u32>,
    mates: Vec<u32>,
    /// When what was last sent over a link arrives: nothing overtakes it. Only where delays differ.
    last: Vec<u64>,
    /// What copies say. Those that say the same are the same: without a path there are few of them.
    copies: Vec<Arc<Query>>,
    /// What echoes of the latest query say, without its id: there may be a million on their way.
    echoes: Slab<(u8, Tally)>,
    others: Slab<Other>,
    latest: Option<QueryId>,
    client_links: Vec<ClientLink>,
    clients: Vec<CrowdClient>,
    by_address: BTreeMap<SocketAddr, usize>,
    deadlines: BinaryHeap<Reverse<(Time, u32)>>,
    /// The deadline of each servent that is in the heap.
    armed: Vec<Time>,
    outputs: Vec<overlay::Output>,
    /// Room for those that are looked at.
    looked_at: Vec<u32>,
    outcome: RunOutcome,
    copies_sent: u64,
    hash: u64,
}

/// Runs a scene without faults, as messages.
#[must_use]
pub fn run(scene: &Scene) -> RunOutcome {
    let mut crowd = Crowd::new(scene);
    crowd.link_all();
    let bytes: usize = crowd.servents.iter().map(Overlay::memory_bytes).sum();
    crowd.outcome.bytes_per_servent = (bytes / crowd.servents.len().max(1)) as u64;
    for asking in &scene.queries {
        crowd.ask(*asking);
    }
    let Crowd { mut outcome, hash, now, .. } = crowd;
    outcome.servents = scene.absent.iter().filter(|absent| !**absent).count();
    outcome.links = scene.graph.links_count();
    outcome.queries = scene.queries.len();
    outcome.simulated = TICK * u32::try_from(now).unwrap_or(u32::MAX);
    outcome.trace_hash = hash;
    outcome
}

impl<'a> Crowd<'a> {
    fn new(scene: &'a Scene) -> Crowd<'a> {
        let graph = &scene.graph;
        let stores = Stores::new();
        let start = |servent| Overlay::new(&cast::plain_config(scene, servent), stores.of(scene, servent));
        let servents = (0..graph.servents()).map(start).collect();
        let ends = graph.ends().len();
        let mut owners = vec![0; ends];
        let mut mates = vec![0; ends];
        for servent in 0..graph.servents() {
            for link in graph.range(servent) {
                owners[link] = number(servent);
                let other = graph.ends()[link] as usize;
                let place = graph.neighbors(other).binary_search(&number(servent)).unwrap_or_default();
                mates[link] = number(graph.range(other).start + place);
            }
        }
        let is_equal = scene.plan.delays == Delays::Equal;
        Crowd {
            scene,
            graph,
            now: 0,
            coming: (0..TICKS).map(|_| Vec::new()).collect(),
            coming_count: 0,
            spare: Vec::new(),
            random: Random::of(scene.plan.seed, DELAYS),
            servents,
            owners,
            mates,
            last: vec![0; if is_equal { 0 } else { ends }],
            copies: Vec::new(),
            echoes: Slab::default(),
            others: Slab::default(),
            latest: None,
            client_links: Vec::new(),
            clients: Vec::new(),
            by_address: BTreeMap::new(),
            deadlines: BinaryHeap::new(),
            armed: vec![Time::NEVER; graph.servents()],
            outputs: Vec::new(),
            looked_at: Vec::new(),
            outcome: RunOutcome::default(),
            copies_sent: 0,
            hash: scene.plan.seed,
        }
    }

    fn time(&self) -> Time {
        Time::after_start(TICK * u32::try_from(self.now).unwrap_or(u32::MAX))
    }

    // ---- before the first query ----

    /// Has everybody dial and greet whom it was told to, at once.
    fn link_all(&mut self) {
        let now = self.time();
        let mut outputs = Vec::new();
        for servent in 0..self.servents.len() {
            if self.scene.absent[servent] {
                continue;
            }
            self.servents[servent].handle(now, overlay::Input::Deadline, &mut outputs);
            for output in std::mem::take(&mut outputs) {
                if let overlay::Output::Dial { dial, address, .. } = output {
                    self.link(servent, dial, address);
                }
            }
        }
        for servent in 0..self.servents.len() {
            self.arm(servent);
        }
    }

    fn link(&mut self, dialler: usize, dial: Dial, address: SocketAddr) {
        let now = self.time();
        let Some(acceptor) = cast::servent_at(address) else { return };
        let Ok(place) = self.graph.neighbors(dialler).binary_search(&number(acceptor)) else { return };
        let link = self.graph.range(dialler).start + place;
        let mate = self.mates[link] as usize;
        let opened = |link, opening| overlay::Input::Opened { link: LinkId(link as u64), opening };
        let mut outputs = Vec::new();
        let accepted = Opening::Accepted(cast::servent_address(dialler));
        self.servents[acceptor].handle(now, opened(mate, accepted), &mut outputs);
        self.servents[dialler].handle(now, opened(link, Opening::Dialled(dial)), &mut outputs);
        // One hello each way; nothing else is said at this time.
        for _ in 0..2 {
            for output in std::mem::take(&mut outputs) {
                if let overlay::Output::Send { link, message } = output {
                    let to = self.mates[usize::try_from(link.0).unwrap_or_default()];
                    let input = overlay::Input::Received { link: LinkId(to.into()), message };
                    self.servents[self.owners[to as usize] as usize].handle(now, input, &mut outputs);
                }
            }
        }
    }

    // ---- one query ----

    fn ask(&mut self, asking: Asking) {
        let started = Instant::now();
        let client = self.clients.len();
        let address = cast::client_address(client);
        let secret = cast::secret_of_client(self.scene.plan.seed, client);
        let session = Session::new(Dialect::OWN, address.port(), secret);
        self.clients.push(CrowdClient { session, contact: asking.contact, answered: Vec::new(), ending: None });
        self.by_address.insert(address, client);
        self.copies.clear();
        let contact = asking.contact as usize;
        let link = self.open_client_link(asking.contact, client, None);
        let from = SocketAddr::new(address.ip(), 40_000);
        self.tell_servent(contact, overlay::Input::Opened { link, opening: Opening::Accepted(from) });
        self.arm(contact);
        let input = session::Input::Attached { link: mate_of(link), contact: cast::servent_address(contact) };
        self.tell_client(client, input);
        self.run_until_quiet();
        let asked_at = self.time();
        let (copies, echoes) = (self.copies_sent, self.outcome.echoes);
        let question = Question::new(cast::ask(asking.topology));
        let mut outputs = Vec::new();
        match self.clients[client].session.ask(asked_at, question, &mut outputs) {
            Ok(sequence) => self.latest = Some(QueryId { sequence, client: address }),
            Err(error) => {
                self.outcome.broken.push(format!("the client of contact {} cannot ask: {error}", asking.contact));
            }
        }
        self.perform_for_client(client, outputs);
        while self.clients[client].ending.is_none() && self.time().since(asked_at) < QUERY_MAX {
            if !self.step() {
                break;
            }
        }
        self.run_until_quiet();
        self.outcome.seconds += started.elapsed().as_secs_f64();
        let client = &self.clients[client];
        let asked = Judged {
            scene: self.scene,
            asking,
            answered: &client.answered,
            ending: client.ending.as_ref(),
            crossed: Crossed {
                copies: self.copies_sent - copies,
                silent_copies: 0,
                echoes: self.outcome.echoes - echoes,
            },
        };
        verdict::judge_healthy(&asked, &mut self.outcome);
        if self.servents.iter().any(|servent| servent.pending_count() > 0) {
            self.outcome.broken.push(format!("query {}: some servent still awaits an echo", asking.number));
        }
    }

    fn run_until_quiet(&mut self) {
        let end = self.now + u64::try_from(QUERY_MAX.as_nanos() / TICK.as_nanos()).unwrap_or(u64::MAX);
        while self.coming_count > 0 && self.now < end {
            self.step();
        }
    }

    /// Lets the next tick happen in which anything does. False when nothing ever will.
    fn step(&mut self) -> bool {
        let next_deadline = self.deadlines.peek().map(|Reverse((due, _))| ticks_until(*due));
        if self.coming_count == 0 {
            let Some(due) = next_deadline else { return false };
            self.now = self.now.max(due);
        } else {
            while self.coming[self.slot(self.now)].is_empty() && next_deadline.is_none_or(|due| due > self.now) {
                self.now += 1;
            }
        }
        self.tell_deadlines();
        let slot = self.slot(self.now);
        let mut parcels = std::mem::take(&mut self.coming[slot]);
        self.coming_count -= parcels.len();
        let mut sorted = self.spare.pop().unwrap_or_default();
        sort(&mut parcels, &mut sorted);
        sorted.clear();
        self.spare.push(sorted);
        let mut last = None;
        for batch in parcels.chunks(BATCH) {
            self.look_at(batch);
            for parcel in batch {
                let owner = self.owners.get(parcel.to as usize).copied();
                if owner != last {
                    self.arm_again(last);
                    last = owner;
                }
                self.deliver(*parcel);
            }
        }
        self.arm_again(last);
        parcels.clear();
        self.spare.push(parcels);
        self.now += 1;
        true
    }

    /// Adds to the trace what the servents are that are about to be told something. To look at many of them at once, and
    /// first at what leads to the rest, is also what brings them into the cache side by side and not one after another.
    fn look_at(&mut self, parcels: &[Parcel]) {
        let mut owners = std::mem::take(&mut self.looked_at);
        owners.extend(parcels.iter().filter_map(|parcel| self.owners.get(parcel.to as usize)));
        owners.dedup();
        let servents = || owners.iter().map(|owner| &self.servents[*owner as usize]);
        let pending: usize = servents().map(Overlay::pending_count).sum();
        let seen = servents().fold(pending as u64, |seen, servent| seen.rotate_left(1) ^ servent.fingerprint());
        self.hash = mix(self.hash, seen);
        owners.clear();
        self.looked_at = owners;
    }

    fn slot(&self, tick: u64) -> usize {
        usize::try_from(tick % TICKS as u64).unwrap_or_default()
    }

    fn deliver(&mut self, parcel: Parcel) {
        self.outcome.events += 1;
        self.hash = mix(self.hash, self.now ^ u64::from(parcel.to) << 20 ^ u64::from(parcel.what & KIND) << 32);
        let which = parcel.what & !KIND;
        let message = match parcel.what & KIND {
            COPY => {
                let Some(query) = self.copies.get(which as usize) else { return };
                Message::Query(Arc::clone(query))
            }
            DUPLICATE => {
                let Some(id) = self.latest else { return };
                let tally = Tally { duplicates: 1, ..Tally::default() };
                Message::Echo(Echo { id, ttl: u8::try_from(which).unwrap_or_default(), tally })
            }
            ECHO => {
                let (Some(id), Some((ttl, tally))) = (self.latest, self.echoes.take(which)) else { return };
                Message::Echo(Echo { id, ttl, tally })
            }
            _ => match self.others.take(which) {
                Some(Other::Message(message)) => message,
                Some(Other::Dial) => return self.on_dialled(parcel.to),
                None => return,
            },
        };
        if let Message::Echo(echo) = &message {
            self.outcome.echoes += 1;
            self.hash = mix(self.hash, echo.tally.reached ^ echo.tally.copies << 24 ^ echo.tally.answers << 48);
        }
        let link = LinkId(parcel.to.into());
        let Some(owner) = self.owners.get(parcel.to as usize) else {
            return self.deliver_on_client_link(link, message);
        };
        let owner = *owner as usize;
        self.tell_servent(owner, overlay::Input::Received { link, message });
    }

    // ---- minds ----

    fn tell_servent(&mut self, servent: usize, input: overlay::Input) {
        let now = self.time();
        let mut outputs = std::mem::take(&mut self.outputs);
        self.servents[servent].handle(now, input, &mut outputs);
        for output in outputs.drain(..) {
            self.perform(servent, output);
        }
        self.outputs = outputs;
    }

    fn perform(&mut self, servent: usize, output: overlay::Output) {
        match output {
            overlay::Output::Flood { links, query } => {
                let which = self.share(query);
                self.copies_sent += links.len() as u64;
                for link in links {
                    self.send(link, COPY | which);
                }
            }
            overlay::Output::Send { link, message } => self.say(link, message),
            overlay::Output::Dial { dial: Dial::Call(Errand::Answers, to), .. } => {
                let Some(client) = self.by_address.get(&to).copied() else { return };
                let link = self.open_client_link(number(servent), client, Some(to));
                let what = OTHER | self.others.add(Other::Dial);
                self.send(mate_of(link), what);
            }
            overlay::Output::Close { link } => {
                if let Some(client_link) = self.client_link(link) {
                    client_link.is_open = false;
                }
            }
            // Everybody stands, so nobody is dialled or looked up again; and one query at a time is slow enough for
            // anybody.
            overlay::Output::Dial { .. }
            | overlay::Output::Disk(_)
            | overlay::Output::Resume { .. }
            | overlay::Output::Rest { .. } => {}
        }
    }

    fn say(&mut self, link: LinkId, message: Message) {
        let duplicate = Tally { duplicates: 1, ..Tally::default() };
        let what = match &message {
            Message::Echo(echo) if self.latest == Some(echo.id) && echo.tally == duplicate => {
                DUPLICATE | u32::from(echo.ttl)
            }
            Message::Echo(echo) if self.latest == Some(echo.id) => ECHO | self.echoes.add((echo.ttl, echo.tally)),
            _ => OTHER | self.others.add(Other::Message(message)),
        };
        self.send(link, what);
    }

    /// The number of what a copy says.
    fn share(&mut self, query: Arc<Query>) -> u32 {
        const LATEST: usize = 4;
        let latest = self.copies.iter().enumerate().rev().take(LATEST);
        if let Some((which, _)) = latest.into_iter().find(|(_, other)| **other == query) {
            return number(which);
        }
        self.copies.push(query);
        number(self.copies.len() - 1)
    }

    /// Puts something on its way from this end of a link.
    fn send(&mut self, link: LinkId, what: u32) {
        let from = usize::try_from(link.0).unwrap_or_default();
        let to = match self.mates.get(from) {
            Some(mate) => *mate,
            None => u32::try_from(mate_of(link).0).unwrap_or_default(),
        };
        let mut at = self.now + self.delay();
        let last = if from < self.mates.len() {
            self.last.get_mut(from)
        } else {
            self.client_link(link).map(|client_link| &mut client_link.last[from % 2])
        };
        if let Some(last) = last {
            at = at.max(*last);
            *last = at;
        }
        let slot = self.slot(at);
        if self.coming[slot].is_empty()
            && let Some(spare) = self.spare.pop()
        {
            self.coming[slot] = spare;
        }
        self.coming[slot].push(Parcel { to, what });
        self.coming_count += 1;
    }

    fn delay(&mut self) -> u64 {
        match self.scene.plan.delays {
            Delays::Equal => 40,
            Delays::Mild => self.random.within(20, 60),
            Delays::Heavy if self.random.chance(50) => self.random.within(1, 400),
            Delays::Heavy => self.random.within(1, 4),
        }
    }

    fn tell_client(&mut self, client: usize, input: session::Input) {
        let now = self.time();
        let mut outputs = Vec::new();
        self.clients[client].session.handle(now, input, &mut outputs);
        self.perform_for_client(client, outputs);
    }

    fn perform_for_client(&mut self, client: usize, outputs: Vec<session::Output>) {
        for output in outputs {
            match output {
                session::Output::Send { link, message } => self.say(link, message),
                session::Output::Close { link } => {
                    if let Some(client_link) = self.client_link(link) {
                        client_link.is_open = false;
                    }
                }
                session::Output::Tell(report) => self.on_report(client, report),
            }
        }
    }

    fn on_report(&mut self, client: usize, report: Report) {
        let client = &mut self.clients[client];
        match report {
            Report::Answer { from, hops, body, .. } => {
                let from = cast::servent_at(from).unwrap_or(usize::MAX);
                client.answered.push(Answered { from, hops: hops.unwrap_or_default(), body });
            }
            Report::Ended { ending, .. } => client.ending = Some(ending),
            Report::Ready => {}
            other => self.outcome.broken.push(format!("the client of contact {} was told {other:?}", client.contact)),
        }
    }

    // ---- links to clients ----

    /// Adds a link, and gives the servent's end of it. The client's is one more.
    fn open_client_link(&mut self, servent: u32, client: usize, dial: Option<SocketAddr>) -> LinkId {
        let place = self.client_links.len();
        self.client_links.push(ClientLink { servent, client, is_open: dial.is_none(), dial, last: [0; 2] });
        LinkId(self.first_client_link() + 2 * place as u64)
    }

    /// An even number, so that the two ends differ in the last bit.
    fn first_client_link(&self) -> u64 {
        (self.owners.len() as u64).next_multiple_of(2)
    }

    fn client_link(&mut self, link: LinkId) -> Option<&mut ClientLink> {
        let place = link.0.checked_sub(self.first_client_link())? / 2;
        self.client_links.get_mut(usize::try_from(place).ok()?)
    }

    fn on_dialled(&mut self, to: u32) {
        let link = LinkId(to.into());
        let Some(ClientLink { servent, client, is_open, dial: Some(dial), .. }) = self.client_link(link) else {
            return;
        };
        *is_open = true;
        let (servent, client, dial) = (*servent as usize, *client, *dial);
        let opening = Opening::Dialled(Dial::Call(Errand::Answers, dial));
        self.tell_servent(servent, overlay::Input::Opened { link, opening });
        self.arm(servent);
        let from = cast::servent_address(servent);
        self.tell_client(client, session::Input::Accepted { link: mate_of(link), from });
    }

    fn deliver_on_client_link(&mut self, link: LinkId, message: Message) {
        let is_servents = link.0.is_multiple_of(2);
        let Some(ClientLink { servent, client, is_open: true, .. }) = self.client_link(link) else { return };
        let (servent, client) = (*servent as usize, *client);
        if is_servents {
            self.tell_servent(servent, overlay::Input::Received { link, message });
            self.arm(servent);
        } else {
            self.tell_client(client, session::Input::Received { link, message });
        }
    }

    // ---- deadlines ----

    fn arm(&mut self, servent: usize) {
        if let Some(due) = self.servents[servent].deadline()
            && due < self.armed[servent]
        {
            self.armed[servent] = due;
            self.deadlines.push(Reverse((due, number(servent))));
        }
    }

    fn arm_again(&mut self, servent: Option<u32>) {
        if let Some(servent) = servent {
            self.arm(servent as usize);
        }
    }

    fn tell_deadlines(&mut self) {
        let now = self.time();
        while let Some(Reverse((due, servent))) = self.deadlines.peek().copied() {
            if due > now {
                break;
            }
            self.deadlines.pop();
            let servent = servent as usize;
            if self.armed[servent] == due {
                self.armed[servent] = Time::NEVER;
                self.outcome.events += 1;
                self.tell_servent(servent, overlay::Input::Deadline);
                self.arm(servent);
            }
        }
        for client in 0..self.clients.len() {
            if self.clients[client].session.deadline().is_some_and(|due| due <= now) {
                self.tell_client(client, session::Input::Deadline);
            }
        }
    }
}

/// The other end of a link to a client.
fn mate_of(link: LinkId) -> LinkId {
    LinkId(link.0 ^ 1)
}

fn ticks_until(due: Time) -> u64 {
    u64::try_from(due.since(Time::START).as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX)
}

fn mix(hash: u64, value: u64) -> u64 {
    (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

/// Sorts parcels by where they arrive, those of one link in the order in which they were sent: a radix sort, because
/// there are millions.
fn sort(parcels: &mut Vec<Parcel>, other: &mut Vec<Parcel>) {
    const BITS: u32 = 12;
    if parcels.len() < 64 {
        return parcels.sort_by_key(|parcel| parcel.to);
    }
    let most = parcels.iter().map(|parcel| parcel.to).max().unwrap_or_default();
    let mut shift = 0;
    while shift < u32::BITS && most >> shift > 0 {
        let digit = |parcel: &Parcel| (parcel.to >> shift) as usize & ((1 << BITS) - 1);
        let mut places = [0_usize; 1 << BITS];
        for parcel in parcels.iter() {
            places[digit(parcel)] += 1;
        }
        let mut place = 0;
        for count in &mut places {
            place += std::mem::replace(count, place);
        }
        other.clear();
        other.resize(parcels.len(), Parcel::default());
        for parcel in parcels.iter() {
            let place = &mut places[digit(parcel)];
            other[*place] = *parcel;
            *place += 1;
        }
        std::mem::swap(parcels, other);
        shift += BITS;
    }
}

/// Things that come and go, each under a number for as long as it stays.
struct Slab<T> {
    entries: Vec<Option<T>>,
    free: Vec<u32>,
}

impl<T> Default for Slab<T> {
    fn default() -> Slab<T> {
        Slab { entries: Vec::new(), free: Vec::new() }
    }
}

impl<T> Slab<T> {
    fn add(&mut self, entry: T) -> u32 {
        if let Some(place) = self.free.pop() {
            self.entries[place as usize] = Some(entry);
            return place;
        }
        self.entries.push(Some(entry));
        number(self.entries.len() - 1)
    }

    fn take(&mut self, place: u32) -> Option<T> {
        let entry = self.entries.get_mut(place as usize)?.take()?;
        self.free.push(place);
        Some(entry)
    }
}
