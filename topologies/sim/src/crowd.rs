//! A healthy overlay of any size as messages alone: no bytes, no faults, nothing between two minds but a delay.
//!
//! It holds a million servents in one process and passes a flood through them about as fast as a bare queue would. What
//! arrives in the same tick is handed out servent by servent, in the order of the links and, on one link, in the order
//! of sending: so each servent is fetched from memory once a tick, and equal runs are equal. Connections, bytes and
//! faults are `world`.
//!
//! The graph is where links begin: those stand at once. Later a servent may dial whom it likes, and close; a servent may
//! leave and be started anew ([`Crowd`]). What must come of a query is asked of the links that stand. On its way to its
//! receiver is everything in `crowd/parcels`, whose each end of a link is knows `crowd/ends`.

mod ends;
mod parcels;

use std::borrow::Cow;
use std::cmp::Reverse;
use std::collections::{BTreeSet, BinaryHeap};
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::dialect::Dialect;
use common::link::LinkId;
use common::message::{Echo, Message};
use common::overlay::{self, Config, Dial, Opening, Overlay};
use common::query::{Query, QueryId, Tally, Via};
use common::session::{self, Question, Report, Session};
use common::time::Time;

use super::cast::{self, Stores, Who};
use super::graph::number;
use super::outcome::RunOutcome;
use super::plan::Delays;
use super::random::Random;
use super::scene::{Asking, Scene};
use super::verdict::{self, Answered, Crossed, Judged};

pub use super::cast::{plain_config, plain_neighbor, servent_id};

use ends::{EndOwner, Ends};
use parcels::{Agenda, Parcel, Slab};

/// What the clock counts in. Every delay is some of them.
const TICK: Duration = Duration::from_micros(250);
/// Parcels handed out between two looks.
const BATCH: usize = 256;
/// A healthy query that takes longer will not end.
const QUERY_MAX: Duration = Duration::from_secs(60);
/// What the stream of random numbers is for.
const DELAYS: u64 = 0x6372_6f77_6401_0000;

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
    /// A dial, to whom it is for.
    Knock,
    /// That nobody was there, back to whoever dialled.
    Nobody,
    /// That the other end was closed.
    Closed,
}

struct CrowdClient {
    session: Session,
    contact: u32,
    answered: Vec<Answered>,
    ending: Option<session::Ending>,
    /// When its contact said that its query is over, and when it took it for that.
    told: Option<u64>,
    ended: Option<u64>,
}

/// A query that was asked.
#[derive(Clone, Copy, Debug)]
pub struct Begun {
    asking: Asking,
    client: usize,
    at: Time,
    /// What had crossed links before.
    before: Crossed,
}

/// An overlay at work. [`run`] asks what its scene says; whoever wants more of it, such as servents that leave, does that
/// between two queries or in the midst of one.
pub struct Crowd<'a> {
    scene: &'a Scene,
    now: u64,
    agenda: Agenda,
    random: Random,
    servents: Vec<Overlay>,
    stores: Stores,
    /// Who is not there: left out, or has left.
    gone: BTreeSet<usize>,
    ends: Ends<'a>,
    /// What copies say. Those that say the same are the same: without a path there are few of them.
    copies: Vec<Arc<Query>>,
    /// What echoes of the latest query say, without its id: there may be a million on their way.
    echoes: Slab<(u8, Tally)>,
    others: Slab<Other>,
    latest: Option<QueryId>,
    clients: Vec<CrowdClient>,
    deadlines: BinaryHeap<Reverse<(Time, u32)>>,
    /// The deadline of each servent that is in the heap.
    armed: Vec<Time>,
    outputs: Vec<overlay::Output>,
    /// Room for those that are looked at.
    looked_at: Vec<u32>,
    outcome: RunOutcome,
    copies_sent: u64,
    dialled_copies_sent: u64,
    hash: u64,
}

/// Runs a scene without faults, as messages.
#[must_use]
pub fn run(scene: &Scene) -> RunOutcome {
    let mut crowd = Crowd::new(scene);
    for asking in &scene.queries {
        crowd.ask(*asking);
    }
    crowd.finish()
}

impl<'a> Crowd<'a> {
    /// Everybody of a scene, linked as its graph says.
    #[must_use]
    pub fn new(scene: &'a Scene) -> Crowd<'a> {
        Crowd::with(scene, |servent| plain_config(scene, servent))
    }

    /// Everybody of a scene, each started with what is said here, which tells neighbors by addresses: nobody looks names
    /// up. Whom the graph has a link to is linked at once; others are dialled, and linked when time has passed.
    #[must_use]
    pub fn with(scene: &'a Scene, config: impl Fn(usize) -> Config) -> Crowd<'a> {
        let stores = Stores::new();
        let servents_count = scene.graph.servents();
        let start = |servent| Overlay::new(&config(servent), stores.of(scene, servent));
        let servents = (0..servents_count).map(start).collect();
        let absent = scene.absent.iter().enumerate().filter(|(_, absent)| **absent);
        let mut crowd = Crowd {
            scene,
            now: 0,
            agenda: Agenda::new(),
            random: Random::of(scene.plan.seed, DELAYS),
            servents,
            stores,
            gone: absent.map(|(servent, _)| servent).collect(),
            ends: Ends::of(&scene.graph, scene.plan.delays == Delays::Equal),
            copies: Vec::new(),
            echoes: Slab::default(),
            others: Slab::default(),
            latest: None,
            clients: Vec::new(),
            deadlines: BinaryHeap::new(),
            armed: vec![Time::NEVER; servents_count],
            outputs: Vec::new(),
            looked_at: Vec::new(),
            outcome: RunOutcome::default(),
            copies_sent: 0,
            dialled_copies_sent: 0,
            hash: scene.plan.seed,
        };
        crowd.link_all();
        let bytes: usize = crowd.servents.iter().map(Overlay::memory_bytes).sum();
        crowd.outcome.bytes_per_servent = (bytes / servents_count.max(1)) as u64;
        crowd
    }

    /// What came of it.
    #[must_use]
    pub fn finish(self) -> RunOutcome {
        RunOutcome {
            links: self.scene.graph.links_count(),
            queries: self.clients.len(),
            simulated: self.time().since(Time::START),
            trace_hash: self.hash,
            ..self.outcome
        }
    }

    fn time(&self) -> Time {
        Time::after_start(TICK * u32::try_from(self.now).unwrap_or(u32::MAX))
    }

    /// The scene as it stands: with the links that both ends know, and without those who have left.
    #[must_use]
    pub fn as_it_stands(&self) -> Cow<'a, Scene> {
        let Some(graph) = self.ends.standing() else { return Cow::Borrowed(self.scene) };
        let absent = (0..graph.servents()).map(|servent| self.gone.contains(&servent)).collect();
        Cow::Owned(Scene { graph, absent, ..self.scene.clone() })
    }

    /// What went wrong so far.
    #[must_use]
    pub fn broken(&self) -> &[String] {
        &self.outcome.broken
    }

    // ---- before the first query ----

    /// Has everybody dial and greet whom it was told to, at once.
    fn link_all(&mut self) {
        let now = self.time();
        let mut outputs = Vec::new();
        for servent in 0..self.servents.len() {
            if self.gone.contains(&servent) {
                continue;
            }
            self.servents[servent].handle(now, overlay::Input::Deadline, &mut outputs);
            for output in std::mem::take(&mut outputs) {
                match output {
                    overlay::Output::Dial { dial, address, .. } => match self.drawn_to(servent, address) {
                        Some(end) => self.link(end, dial),
                        None => self.dial(servent, dial, address),
                    },
                    other => self.perform(servent, other),
                }
            }
        }
        for servent in 0..self.servents.len() {
            self.arm(servent);
        }
    }

    fn drawn_to(&self, dialler: usize, address: SocketAddr) -> Option<u32> {
        self.ends.drawn(dialler, cast::servent_at(address)?)
    }

    fn link(&mut self, end: u32, dial: Dial) {
        let mate = self.ends.mate(end);
        let (EndOwner::Servent(dialler), EndOwner::Servent(acceptor)) = (self.ends.owner(end), self.ends.owner(mate))
        else {
            return;
        };
        self.ends.open(end);
        let opened = |end, opening| overlay::Input::Opened { link: link_of(end), opening };
        let mut said = Vec::new();
        let accepted = Opening::Accepted(cast::servent_address(dialler));
        self.tell_at_once(acceptor, opened(mate, accepted), &mut said);
        self.tell_at_once(dialler, opened(end, Opening::Dialled(dial)), &mut said);
        // One hello each way; nothing else is said at this time.
        while !said.is_empty() {
            for (link, message) in std::mem::take(&mut said) {
                let to = self.ends.mate(end_of(link));
                if let EndOwner::Servent(servent) = self.ends.owner(to) {
                    let input = overlay::Input::Received { link: link_of(to), stamp: 0, message };
                    self.tell_at_once(servent, input, &mut said);
                }
            }
        }
    }

    /// Tells a servent something, and gives back what it says to that.
    fn tell_at_once(&mut self, servent: usize, input: overlay::Input, said: &mut Vec<(LinkId, Message)>) {
        let now = self.time();
        let mut outputs = std::mem::take(&mut self.outputs);
        self.servents[servent].handle(now, input, &mut outputs);
        for output in outputs.drain(..) {
            match output {
                overlay::Output::Send { link, message } => said.push((link, message)),
                other => self.perform(servent, other),
            }
        }
        self.outputs = outputs;
    }

    // ---- one query ----

    /// Asks a query to its end, and judges what came of it. Whoever is not there is not asked.
    pub fn ask(&mut self, asking: Asking) {
        let started = Instant::now();
        let Some(begun) = self.begin(asking) else { return };
        self.see_to_its_end(begun);
        self.outcome.seconds += started.elapsed().as_secs_f64();
        self.judge(begun);
    }

    /// Has a client attach, and ask, once nothing is on its way any more. Nothing where its contact is not there.
    pub fn begin(&mut self, asking: Asking) -> Option<Begun> {
        let contact = asking.contact as usize;
        if contact >= self.servents.len() || !self.is_there(contact) {
            return None;
        }
        let client = self.clients.len();
        let hears_answers = cast::hears_answers(&self.scene.plan, asking.number, Dialect::OWN);
        let port = cast::answer_port(hears_answers);
        let address = SocketAddr::new(cast::client_address(client).ip(), port);
        let secret = cast::secret_of_client(self.scene.plan.seed, client);
        let session = Session::new(Dialect::OWN, port, secret);
        self.clients.push(CrowdClient {
            session,
            contact: asking.contact,
            answered: Vec::new(),
            ending: None,
            told: None,
            ended: None,
        });
        let end = self.ends.add([EndOwner::Servent(contact), EndOwner::Client(client)], None);
        self.ends.open(end);
        let from = SocketAddr::new(address.ip(), 40_000);
        let opening = Opening::Accepted(from);
        self.tell_servent(contact, overlay::Input::Opened { link: link_of(end), opening });
        self.arm(contact);
        let link = link_of(self.ends.mate(end));
        self.tell_client(client, session::Input::Attached { link, contact: cast::servent_address(contact) });
        self.run_until_quiet();
        // Nothing is on its way any more that could say one of them.
        self.copies.clear();
        let begun = Begun { asking, client, at: self.time(), before: self.crossed() };
        let question = Question::new(cast::ask(asking.topology));
        let mut outputs = Vec::new();
        match self.clients[client].session.ask(begun.at, question, &mut outputs) {
            Ok(sequence) => self.latest = Some(QueryId { sequence, client: address }),
            Err(error) => {
                self.outcome.broken.push(format!("the client of contact {} cannot ask: {error}", asking.contact));
            }
        }
        self.perform_for_client(client, outputs);
        Some(begun)
    }

    /// Goes on until a query is over and nothing is on its way any more. Gives how it ended, if it did.
    pub fn see_to_its_end(&mut self, begun: Begun) -> Option<session::Ending> {
        while self.clients[begun.client].ending.is_none() && self.time().since(begun.at) < QUERY_MAX {
            if !self.step() {
                break;
            }
        }
        self.run_until_quiet();
        self.clients[begun.client].ending
    }

    /// What has crossed links so far.
    fn crossed(&self) -> Crossed {
        let (copies, dialled_copies) = (self.copies_sent, self.dialled_copies_sent);
        Crossed { copies, dialled_copies, silent_copies: 0, echoes: self.outcome.echoes }
    }

    /// Holds a query that is over against what the oracle says of the links that stand by now. One in whose midst links
    /// came or went is for whoever had them do so to judge.
    fn judge(&mut self, begun: Begun) {
        let Begun { asking, client, before, .. } = begun;
        let (scene, all) = (self.as_it_stands(), self.crossed());
        let client = &self.clients[client];
        let crossed = Crossed {
            copies: all.copies - before.copies,
            dialled_copies: all.dialled_copies - before.dialled_copies,
            echoes: all.echoes - before.echoes,
            ..all
        };
        let waits = crossed.dialled_copies == 0 && client.told.is_some() && client.told != client.ended;
        let (answered, ending) = (&*client.answered, client.ending.as_ref());
        let asked = Judged { scene: &scene, asking, answered, ending, crossed, waits };
        verdict::judge_healthy(&asked, &mut self.outcome);
        if self.servents.iter().any(|servent| servent.pending_count() > 0) {
            self.outcome.broken.push(format!("query {}: some servent still awaits an echo", asking.number));
        }
    }

    // ---- time ----

    fn run_until_quiet(&mut self) {
        let end = self.now + ticks(QUERY_MAX);
        while self.agenda.count() > 0 && self.now < end {
            self.step();
        }
    }

    /// Lets some time pass, and what happens in it happen.
    pub fn pass(&mut self, time: Duration) {
        let end = self.now + ticks(time);
        while self.next().is_some_and(|next| next < end) {
            self.step();
        }
        self.now = end;
    }

    /// The next tick in which anything happens.
    fn next(&self) -> Option<u64> {
        let of_servents = self.deadlines.peek().map(|Reverse((due, _))| *due);
        let of_clients = self.clients.iter().filter_map(|client| client.session.deadline()).min();
        let due = [of_servents, of_clients].into_iter().flatten().min();
        let arrival = self.agenda.next(self.now);
        [due.map(|due| ticks_until(due).max(self.now)), arrival].into_iter().flatten().min()
    }

    /// Lets the next tick happen in which anything does. False when nothing ever will.
    fn step(&mut self) -> bool {
        let Some(next) = self.next() else { return false };
        self.now = next;
        self.tell_deadlines();
        let parcels = self.agenda.take(self.now);
        let mut last = None;
        for batch in parcels.chunks(BATCH) {
            self.look_at(batch);
            for parcel in batch {
                let servent = self.ends.servent(parcel.to);
                if servent != last {
                    self.arm_again(last);
                    last = servent;
                }
                self.deliver(*parcel);
            }
        }
        self.arm_again(last);
        self.agenda.give_back(parcels);
        self.now += 1;
        true
    }

    /// Adds to the trace what the servents are that are about to be told something. To look at many of them at once, and
    /// first at what leads to the rest, is also what brings them into the cache side by side and not one after another.
    fn look_at(&mut self, parcels: &[Parcel]) {
        let mut servents = std::mem::take(&mut self.looked_at);
        servents.extend(parcels.iter().filter_map(|parcel| self.ends.servent(parcel.to)));
        servents.dedup();
        let looked_at = || servents.iter().map(|servent| &self.servents[*servent as usize]);
        let pending: usize = looked_at().map(Overlay::pending_count).sum();
        let seen = looked_at().fold(pending as u64, |seen, servent| seen.rotate_left(1) ^ servent.fingerprint());
        self.hash = mix(self.hash, seen);
        servents.clear();
        self.looked_at = servents;
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
                Some(Other::Knock) => return self.on_knock(parcel.to),
                Some(Other::Nobody) => return self.on_nobody(parcel.to),
                Some(Other::Closed) => return self.on_closed(parcel.to),
                None => return,
            },
        };
        // What was said on its way to an end that is closed by now is lost.
        if !self.ends.is_open(parcel.to) {
            return;
        }
        if let Message::Echo(echo) = &message {
            self.outcome.echoes += 1;
            self.hash = mix(self.hash, echo.tally.reached ^ echo.tally.copies << 24 ^ echo.tally.answers << 48);
        }
        let link = link_of(parcel.to);
        match self.ends.owner(parcel.to) {
            EndOwner::Servent(servent) => {
                self.tell_servent(servent, overlay::Input::Received { link, stamp: 0, message });
            }
            EndOwner::Client(client) => {
                if let Message::Finished(_) = message {
                    self.clients[client].told.get_or_insert(self.now);
                }
                self.tell_client(client, session::Input::Received { link, message });
            }
            EndOwner::Nobody => {}
        }
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
                let count = links.len() as u64;
                self.copies_sent += count;
                self.dialled_copies_sent += if query.via == Via::Direct { count } else { 0 };
                let which = self.share(query);
                for link in links {
                    self.send(end_of(link), COPY | which);
                }
            }
            overlay::Output::Send { link, message } => self.say(link, message),
            overlay::Output::Dial { dial, address, .. } => self.dial(servent, dial, address),
            overlay::Output::Close { link } => self.close(end_of(link)),
            // Nobody is told a neighbor by a name, or to read its data again; and one query at a time is slow enough for
            // anybody.
            overlay::Output::Disk(_)
            | overlay::Output::Event(_)
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
        self.send(end_of(link), what);
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
    fn send(&mut self, from: u32, what: u32) {
        let at = self.now + self.delay();
        let at = self.ends.arrival(from, at);
        self.agenda.add(at, Parcel { to: self.ends.mate(from), what });
    }

    fn send_other(&mut self, from: u32, other: Other) {
        let what = OTHER | self.others.add(other);
        self.send(from, what);
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
        let mut unreached = Vec::new();
        for output in outputs {
            match output {
                session::Output::Send { link, message } => self.say(link, message),
                session::Output::Close { link } => self.close(end_of(link)),
                // Values are short here, so none is announced.
                session::Output::Dial { fetch, .. } => unreached.push(fetch),
                session::Output::Tell(report) => self.on_report(client, report),
            }
        }
        for fetch in unreached {
            let reason = "nobody is dialled here".to_owned();
            self.tell_client(client, session::Input::DialFailed { fetch, reason });
        }
    }

    fn on_report(&mut self, client: usize, report: Report) {
        let client = &mut self.clients[client];
        match report {
            Report::Answer { from, hops, via, body, .. } => {
                let from = cast::servent_at(from).unwrap_or(usize::MAX);
                client.answered.push(Answered { from, hops: hops.unwrap_or_default(), via, body });
            }
            Report::Ended { ending, .. } => {
                client.ending = Some(ending);
                client.ended = Some(self.now);
            }
            // Whose contact has gone waits to the end of its silence, and what it was told by then is judged.
            Report::Ready | Report::ContactLost { .. } => {}
            other => self.outcome.broken.push(format!("the client of contact {} was told {other:?}", client.contact)),
        }
    }

    // ---- links come and go ----

    fn dial(&mut self, servent: usize, dial: Dial, address: SocketAddr) {
        let to = match cast::who_is_at(address) {
            Some(Who::Servent(servent)) if servent < self.servents.len() => EndOwner::Servent(servent),
            Some(Who::Client(client)) if client < self.clients.len() => EndOwner::Client(client),
            Some(Who::Servent(_) | Who::Client(_) | Who::Stranger(_)) | None => EndOwner::Nobody,
        };
        let end = self.ends.add([EndOwner::Servent(servent), to], Some(dial));
        self.send_other(end, Other::Knock);
    }

    /// A dial has come to whom it was for. Whoever is there takes it, and both know at once.
    fn on_knock(&mut self, to: u32) {
        let end = self.ends.mate(to);
        // Whoever dialled may have left.
        let (EndOwner::Servent(dialler), Some(dial)) = (self.ends.owner(end), self.ends.dial(end)) else { return };
        let from = cast::servent_address(dialler);
        let link = link_of(to);
        match self.ends.owner(to) {
            EndOwner::Servent(servent) if self.is_there(servent) => {
                self.ends.open(end);
                self.tell_servent(servent, overlay::Input::Opened { link, opening: Opening::Accepted(from) });
                self.on_established(dialler, end, dial);
            }
            EndOwner::Client(client) => {
                self.ends.open(end);
                self.on_established(dialler, end, dial);
                self.tell_client(client, session::Input::Accepted { link, from });
            }
            EndOwner::Servent(_) | EndOwner::Nobody => self.send_other(to, Other::Nobody),
        }
    }

    fn on_established(&mut self, dialler: usize, end: u32, dial: Dial) {
        let opening = Opening::Dialled(dial);
        self.tell_servent(dialler, overlay::Input::Opened { link: link_of(end), opening });
        self.arm(dialler);
    }

    fn on_nobody(&mut self, end: u32) {
        let (EndOwner::Servent(servent), Some(dial)) = (self.ends.owner(end), self.ends.dial(end)) else { return };
        let reason = "nobody is there".to_owned();
        self.tell_servent(servent, overlay::Input::DialFailed { dial, refused: true, reason });
    }

    /// Closes an end. What was said there before still arrives, and then that it was closed.
    fn close(&mut self, end: u32) {
        if self.ends.close(end) && self.ends.is_open(self.ends.mate(end)) {
            self.send_other(end, Other::Closed);
        }
    }

    fn on_closed(&mut self, end: u32) {
        if !self.ends.close(end) {
            return;
        }
        let (link, reason) = (link_of(end), "the other end has closed it".to_owned());
        match self.ends.owner(end) {
            EndOwner::Servent(servent) => self.tell_servent(servent, overlay::Input::Closed { link, reason }),
            EndOwner::Client(client) => self.tell_client(client, session::Input::Closed { link, reason }),
            EndOwner::Nobody => {}
        }
    }

    // ---- servents come and go ----

    fn is_there(&self, servent: usize) -> bool {
        !self.gone.contains(&servent)
    }

    /// Has a servent say goodbye and end.
    pub fn leave(&mut self, servent: usize) {
        self.tell_servent(servent, overlay::Input::Leave);
        self.end(servent);
    }

    /// Ends a servent without a word: its links are closed. Whoever dials it from then on finds nobody.
    pub fn end(&mut self, servent: usize) {
        for end in self.ends.abandon(servent) {
            self.close(end);
        }
        self.gone.insert(servent);
        // In its place is somebody who knows nobody and does nothing.
        let nothing = Config { neighbors: Vec::new(), ..plain_config(self.scene, servent) };
        self.servents[servent] = Overlay::new(&nothing, self.stores.of(self.scene, servent));
    }

    /// Starts a servent that is not there, with what is said here: somebody else than it was before, as after every start.
    pub fn start(&mut self, servent: usize, config: &Config) {
        if self.gone.remove(&servent) {
            self.servents[servent] = Overlay::new(config, self.stores.of(self.scene, servent));
            self.arm(servent);
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

/// What a mind calls an end.
fn link_of(end: u32) -> LinkId {
    LinkId(end.into())
}

/// The end that a mind calls so: there is none of another number.
fn end_of(link: LinkId) -> u32 {
    u32::try_from(link.0).unwrap_or(u32::MAX)
}

fn ticks(time: Duration) -> u64 {
    u64::try_from(time.as_nanos().div_ceil(TICK.as_nanos())).unwrap_or(u64::MAX)
}

fn ticks_until(due: Time) -> u64 {
    ticks(due.since(Time::START))
}

fn mix(hash: u64, value: u64) -> u64 {
    (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(29)
}

#[cfg(test)]
mod tests;
