//! A world told step by step: who is there, what is asked and what goes wrong is said by whoever holds it, and what
//! happens is kept as records.
//!
//! It is another face of the world in which scenes are played: the same minds, exchanges and network, where everything
//! takes 10 ms, or as long as it was told, and disks take no time. Nothing in it goes by a seed, the bytes of files by how many
//! there are, so that what happens can be written down and told the same for ever. It judges nothing but what must not be in
//! any story ([`StoryWorld::broken`]).

use std::collections::BTreeSet;
use std::convert::Infallible;
use std::fmt::Write as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::address::Neighbor;
use common::content::ContentHash;
use common::dialect::Dialect;
use common::disk::{Job, JobDone};
use common::exchange::{Exchange, Heard};
use common::key::Key;
use common::limits::{SILENCE_DEFAULT, TTL_DEFAULT};
use common::link::{LinkId, Purpose, SendError};
use common::message::{Message, ServentId};
use common::overlay::{self, Config, Overlay};
use common::query::{Ask, QueryId};
use common::random::Secret;
use common::servent_name::ServentName;
use common::session::{self, Question, Report, Session};
use common::store::Store;
use common::time::Time;
use common::wire::{Accepts, WireError};
use common::write::Change;

use super::clock::{Nanos, nanos};
use super::dials::{Caller, Fate, Knock};
use super::disks::Disks;
use super::ends::{EndAt, Party};
use super::events::WorldEvent;
use super::face::Face;
use super::machines::{MachineKind, MachineState};
use super::network::SimNetwork;
use super::shell::{Departure, Mind, Shell};
use super::told_stores::{StoreMood, ToldStores};
use super::ways::Ways;
use crate::contents::FileFate;

/// More steps than this without an end are a loop.
const STEPS_MAX: u64 = 3_000_000;
/// A run that is not quiet by then never will be.
const RUN_MAX: Duration = Duration::from_secs(600);

/// Somebody in the world: a servent, a client or a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct NodeId(pub usize);

/// What a servent is started with.
#[derive(Clone, Debug)]
pub struct ServentPlan {
    /// What it is called.
    pub name: String,
    /// What it says it is called, beside that.
    pub says_name: Option<ServentName>,
    /// Its data, as the text of a store.
    pub data: String,
    /// The TTL it starts queries with.
    pub ttl: u8,
    /// Whether it passes every query on once only.
    pub forward_once: bool,
    /// Whether it tells its neighbors who is there.
    pub members: bool,
    /// Whether it offers only files that are published.
    pub published_only: bool,
    /// The servents it dials, by name.
    pub neighbors: Vec<String>,
}

impl ServentPlan {
    /// One with no neighbors, and all else as it usually is.
    #[must_use]
    pub fn new(name: &str, data: &str) -> ServentPlan {
        let (name, data) = (name.to_owned(), data.to_owned());
        let neighbors = Vec::new();
        ServentPlan {
            name,
            says_name: None,
            data,
            ttl: TTL_DEFAULT,
            forward_once: false,
            members: false,
            published_only: false,
            neighbors,
        }
    }
}

/// What is found at a client's answer address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hearing {
    /// The client.
    Listening,
    /// Nobody: a dial is refused.
    Deaf,
    /// Somebody who accepts and never speaks.
    Mute,
    /// Nothing: a dial is never answered.
    Dark,
    /// The client, for its contact; for others nothing.
    Near,
    /// Nothing, and the client knows: it has no port.
    Portless,
}

/// What a client is started with.
#[derive(Clone, Debug)]
pub struct ClientPlan {
    /// What it is called.
    pub name: String,
    /// Whom it attaches to.
    pub contact: NodeId,
    /// How many answers are enough.
    pub answers_wanted: Option<u64>,
    /// How long it waits for the next one.
    pub silence_max: Duration,
    /// What is found at its answer address.
    pub hearing: Hearing,
    /// Whether it draws the same sequences as in its first life.
    pub draws_the_same: bool,
    /// Whether it is on the host of its contact, which it then reaches over a loopback address.
    pub is_on_host: bool,
}

impl ClientPlan {
    /// One that hears its answers, and all else as it usually is.
    #[must_use]
    pub fn new(name: &str, contact: NodeId) -> ClientPlan {
        ClientPlan {
            name: name.to_owned(),
            contact,
            answers_wanted: None,
            silence_max: SILENCE_DEFAULT,
            hearing: Hearing::Listening,
            draws_the_same: false,
            is_on_host: false,
        }
    }
}

/// Something that happened, for whoever tells the story.
#[derive(Clone, Debug)]
pub enum Record {
    /// A message arrived.
    Said {
        /// The one it came from.
        from: NodeId,
        /// The one it came to.
        to: NodeId,
        /// The message.
        message: Message,
    },
    /// A mind looked a name up, and nobody knew it.
    NotFound {
        /// The servent, or the client, that did.
        by: NodeId,
        /// The name.
        name: String,
    },
    /// Somebody dialled.
    Dialled {
        /// The one that dialled.
        from: NodeId,
        /// The address it dialled.
        to: SocketAddr,
    },
    /// And nobody answered.
    DialFailed {
        /// The one that dialled.
        from: NodeId,
        /// The address it dialled.
        to: SocketAddr,
        /// As its mind is told.
        reason: String,
    },
    /// A mind closed a link.
    Closed {
        /// The servent, or the client, that did.
        by: NodeId,
        /// The one at its other end.
        other: NodeId,
    },
    /// A link closed without the doing of this end.
    Lost {
        /// The one that lost it.
        at: NodeId,
        /// The one at its other end.
        other: NodeId,
        /// As its mind is told.
        reason: String,
    },
    /// Bytes came that are no message.
    Bad {
        /// The one they came to.
        at: NodeId,
        /// The one they came from.
        from: NodeId,
        /// What is wrong with them.
        error: WireError,
    },
    /// A message could not be queued.
    Unsendable {
        /// The one that wanted it said.
        from: NodeId,
        /// The one it was for.
        to: NodeId,
        /// As its exchange has it.
        error: SendError,
    },
    /// A client told its person.
    Told {
        /// The client.
        client: NodeId,
        /// As its mind has it.
        report: Report,
    },
}

/// What somebody was started with.
enum StartedAs {
    Servent(ServentPlan),
    Client(ClientPlan),
    Stranger(String),
}

/// Somebody of the story.
struct Person {
    plan: StartedAs,
    /// How often it was started.
    starts: u32,
    /// For a client, whether its contact has greeted it.
    is_attached: bool,
}

impl Person {
    fn name(&self) -> &str {
        match &self.plan {
            StartedAs::Servent(ServentPlan { name, .. })
            | StartedAs::Client(ClientPlan { name, .. })
            | StartedAs::Stranger(name) => name,
        }
    }
}

type StoryNetwork = SimNetwork<Infallible>;

/// Who is there, and what is kept of what happens.
struct StoryFace {
    people: Vec<Person>,
    /// Names that nobody can look up just now.
    unknown: BTreeSet<String>,
    records: Vec<(Duration, Record)>,
    is_recording: bool,
    broken: Vec<String>,
    /// Every query there was, in the order in which they were asked.
    queries: Vec<QueryId>,
    /// Who put an answer to which query on a link, in which of its lives.
    answers: BTreeSet<(QueryId, usize, u32)>,
    /// The queries whose client was told that they are over.
    finished: BTreeSet<QueryId>,
    /// What servents share.
    disks: Disks,
    /// What they keep for clients.
    stores: ToldStores,
}

impl StoryFace {
    fn record(&mut self, network: &StoryNetwork, record: Record) {
        if self.is_recording {
            self.records.push((Duration::from_nanos(network.clock.now()), record));
        }
    }

    /// No life of a servent answers a query twice. One that is asked again after it is over is a new one.
    fn look_at_said(&mut self, network: &StoryNetwork, node: usize, other: usize, message: &Message) {
        let id_of = |client: usize, sequence| QueryId { sequence, client: network.address(client) };
        if let Message::Answer(answer) = message {
            let id = id_of(other, answer.sequence);
            let person = &self.people[node];
            let (starts, name) = (person.starts, person.name().to_owned());
            if !self.answers.insert((id, node, starts)) {
                self.broken.push(format!("servent {name} answers {id} twice"));
            }
        } else if let Message::Finished(finished) = message {
            self.finished.insert(id_of(other, finished.sequence));
        } else if let Message::Request(request) = message {
            let id = id_of(node, request.sequence);
            if self.finished.remove(&id) {
                self.answers.retain(|(answered, ..)| *answered != id);
            }
        }
    }
}

impl Face for StoryFace {
    /// What a story makes happen it says itself.
    type Event = Infallible;

    fn fate_of(&mut self, network: &StoryNetwork, knock: &Knock) -> Fate {
        let Some(to) = knock.to else { return Fate::Refused };
        let by_itself = network.fate_at(to);
        match &self.people[to].plan {
            StartedAs::Client(plan) if network.machines[to].is_running() => match plan.hearing {
                Hearing::Listening => by_itself,
                Hearing::Deaf => Fate::Refused,
                Hearing::Mute => Fate::Taken { speaks: false },
                Hearing::Near if knock.node == plan.contact.0 => by_itself,
                Hearing::Dark | Hearing::Near | Hearing::Portless => Fate::Silence,
            },
            _ => by_itself,
        }
    }

    fn look_up(&mut self, network: &StoryNetwork, servent: usize, name: &str) -> (Option<usize>, Option<Nanos>) {
        let named = self.people.iter().position(|person| person.name() == name);
        let found = named.filter(|_| !self.unknown.contains(name));
        if found.is_none() {
            self.record(network, Record::NotFound { by: NodeId(servent), name: name.to_owned() });
        }
        (found, None)
    }

    fn begin_job(&mut self, _network: &StoryNetwork, servent: usize, job: &Job) -> Option<Nanos> {
        if matches!(job, Job::Commit(_)) { self.stores.begin(servent) } else { self.disks.begin(servent, job) }
    }

    fn end_job(&mut self, network: &StoryNetwork, servent: usize, job: &Job) -> Option<JobDone> {
        if let Job::Commit(changes) = job {
            return self.stores.end(servent, changes);
        }
        let (done, _) = self.disks.end(network.clock.now(), servent, job);
        done
    }

    fn on_told(&mut self, network: &StoryNetwork, client: usize, report: Report) -> Option<Infallible> {
        match report {
            Report::Ready => self.people[client].is_attached = true,
            Report::ContactLost { .. } => self.people[client].is_attached = false,
            _ => {}
        }
        self.record(network, Record::Told { client: NodeId(client), report });
        None
    }

    fn on_broken(&mut self, _now: Nanos, text: &str) {
        self.broken.push(text.to_owned());
    }

    fn on_said(&mut self, network: &StoryNetwork, link: LinkId, message: &Message, said: &Result<(), SendError>) {
        let [from, to] = nodes_of(network, link);
        match said {
            Ok(()) => self.look_at_said(network, from.0, to.0, message),
            Err(error) => self.record(network, Record::Unsendable { from, to, error: error.clone() }),
        }
    }

    fn on_heard(&mut self, network: &StoryNetwork, link: LinkId, heard: &Heard) {
        let [at, other] = nodes_of(network, link);
        let record = match heard.clone() {
            Heard::Message { message, .. } => Record::Said { from: other, to: at, message },
            Heard::Malformed(error) => Record::Bad { at, from: other, error },
            Heard::Closed(reason) => Record::Lost { at, other, reason },
        };
        self.record(network, record);
    }

    fn on_dialling(&mut self, network: &StoryNetwork, node: usize, address: SocketAddr) {
        self.record(network, Record::Dialled { from: NodeId(node), to: address });
    }

    fn on_no_answer(
        &mut self,
        network: &StoryNetwork,
        node: usize,
        _caller: Caller,
        address: SocketAddr,
        reason: &str,
    ) -> Option<Infallible> {
        let (from, to, reason) = (NodeId(node), address, reason.to_owned());
        self.record(network, Record::DialFailed { from, to, reason });
        None
    }

    fn on_closing(&mut self, network: &StoryNetwork, link: LinkId) {
        let [by, other] = nodes_of(network, link);
        self.record(network, Record::Closed { by, other });
    }

    fn on_request(&mut self, network: &StoryNetwork, client: usize, sequence: u64) {
        self.queries.push(QueryId { sequence, client: network.address(client) });
    }
}

/// Who has this end of a link, and who the other.
fn nodes_of(network: &StoryNetwork, link: LinkId) -> [NodeId; 2] {
    let at = EndAt::of(link);
    [at, at.other()].map(|at| NodeId(network.end(at).node))
}

/// A world, and whoever is in it.
pub struct StoryWorld {
    shell: Shell<StoryFace>,
    steps: u64,
}

impl StoryWorld {
    /// One in which nobody is, and where everything takes so long.
    #[must_use]
    pub fn new(delay: Duration) -> StoryWorld {
        // A story is about words that were said, and not about those that came too late.
        let network = SimNetwork::new(Ways::told(nanos(delay)), false);
        let face = StoryFace {
            people: Vec::new(),
            unknown: BTreeSet::new(),
            records: Vec::new(),
            is_recording: false,
            broken: Vec::new(),
            queries: Vec::new(),
            answers: BTreeSet::new(),
            finished: BTreeSet::new(),
            disks: Disks::told(),
            stores: ToldStores::default(),
        };
        StoryWorld { shell: Shell::new(network, face, 0), steps: 0 }
    }

    /// How long it has gone on.
    #[must_use]
    pub fn now(&self) -> Duration {
        Duration::from_nanos(self.shell.now())
    }

    /// From now on what happens is recorded.
    pub fn record(&mut self) {
        self.shell.face.is_recording = true;
    }

    /// What happened, and when.
    #[must_use]
    pub fn records(&self) -> &[(Duration, Record)] {
        &self.shell.face.records
    }

    /// What must not be in any story.
    #[must_use]
    pub fn broken(&self) -> &[String] {
        &self.shell.face.broken
    }

    // ---- who there is ----

    /// A servent that is not started yet.
    pub fn servent(&mut self, plan: ServentPlan) -> NodeId {
        self.add(MachineKind::Servent, StartedAs::Servent(plan))
    }

    /// Adds a neighbor for a servent to dial, before it is started.
    pub fn lists(&mut self, servent: NodeId, neighbor: &str) {
        if let StartedAs::Servent(plan) = &mut self.shell.face.people[servent.0].plan {
            plan.neighbors.push(neighbor.to_owned());
        }
    }

    /// A servent has a file of so many bytes to share, before it is started. As many are the same ones, whoever has them.
    pub fn share(&mut self, servent: NodeId, file: &str, size: u64) {
        self.shell.face.disks.put(servent.0, file, size);
    }

    /// A servent keeps what clients write, before it is started.
    pub fn keep(&mut self, servent: NodeId) {
        self.shell.face.stores.put(servent.0);
    }

    /// From now on this comes of what a servent keeps, and takes so long. False where it keeps nothing.
    pub fn set_store(&mut self, servent: NodeId, mood: StoreMood, takes: Duration) -> bool {
        self.shell.face.stores.befall(servent.0, mood, nanos(takes))
    }

    /// What the first file of that name had in it when it was put there.
    #[must_use]
    pub fn content(&self, file: &str) -> Option<ContentHash> {
        self.shell.face.disks.named(file)
    }

    /// Starts a servent, for the first time or anew with an empty mind.
    pub fn start(&mut self, servent: NodeId) {
        let NodeId(node) = servent;
        let advertised = self.address(servent);
        let found = self.shell.face.stores.on_born(node);
        let is_read_only = found.as_ref().is_some_and(|(_, is_read_only)| *is_read_only);
        let person = &mut self.shell.face.people[node];
        let StartedAs::Servent(plan) = &person.plan else { return };
        person.starts += 1;
        let neighbor = |name: &String| Neighbor { name: name.clone(), addresses: Vec::new(), dialect: Dialect::OWN };
        let config = Config {
            advertised,
            servent_id: ServentId((node as u128 + 1) << 32 | u128::from(person.starts)),
            name: plan.says_name.clone(),
            ttl: plan.ttl,
            forward_once: plan.forward_once,
            members: plan.members,
            shares: self.shell.face.disks.are_of(node),
            neighbors: plan.neighbors.iter().map(neighbor).collect(),
            written: found.map(|(written, _)| written),
            is_read_only,
            published_only: plan.published_only,
            ..Config::default()
        };
        let store = match Store::parse(plan.data.clone().into_bytes()) {
            Ok((store, warnings)) if warnings.count == 0 => store,
            _ => return self.shell.broke("data that no servent serves as they are"),
        };
        self.shell.face.disks.on_born(node);
        let mind = Mind::Servent(Box::new(Overlay::new(&config, Arc::new(store))));
        self.shell.settle_down(node, mind, Exchange::servent(Accepts::OWN));
    }

    /// Starts every servent there is.
    pub fn start_all(&mut self) {
        for node in self.everybody() {
            self.start(node);
        }
    }

    /// A client, on its way to its contact.
    pub fn client(&mut self, plan: ClientPlan) -> NodeId {
        let (is_portless, is_on_host) = (plan.hearing == Hearing::Portless, plan.is_on_host);
        let client = self.add(MachineKind::Client, StartedAs::Client(plan));
        if is_on_host {
            self.shell.network.share_host(client.0);
        }
        if is_portless {
            self.shell.network.close_port(client.0);
        }
        self.attach(client);
        client
    }

    /// Starts a client anew at the same addresses. Where it draws the same sequences it is taken for its former self.
    pub fn restart_client(&mut self, client: NodeId, draws_the_same: bool) {
        self.kill(client);
        if let StartedAs::Client(plan) = &mut self.shell.face.people[client.0].plan {
            plan.draws_the_same = draws_the_same;
            self.attach(client);
        }
    }

    fn attach(&mut self, client: NodeId) {
        let NodeId(node) = client;
        let person = &mut self.shell.face.people[node];
        let StartedAs::Client(plan) = &person.plan else { return };
        let contact = plan.contact;
        person.starts += 1;
        person.is_attached = false;
        let drawn_in = if plan.draws_the_same { 1 } else { person.starts };
        let secret = Secret::of_seed((node as u64) << 32 | u64::from(drawn_in));
        let session = Session::new(Dialect::OWN, self.address(client).port(), secret);
        self.shell.settle_down(node, Mind::Client(Box::new(session)), Exchange::client(Accepts::ANY));
        let contact = self.address(contact);
        self.shell.dial(node, Caller::Contact, contact, Dialect::OWN);
    }

    /// Somebody who connects to a node and says only what it is made to say.
    pub fn stranger(&mut self, name: &str, at: NodeId) -> NodeId {
        let stranger = self.add(MachineKind::Stranger, StartedAs::Stranger(name.to_owned()));
        let NodeId(node) = stranger;
        self.shell.settle_down(node, Mind::Stranger, Exchange::client(Accepts::ANY));
        let caller = Caller::Stranger { number: node, purpose: Purpose::Asking };
        let at = self.address(at);
        self.shell.dial(node, caller, at, Dialect::OWN);
        stranger
    }

    fn add(&mut self, kind: MachineKind, plan: StartedAs) -> NodeId {
        let node = self.shell.nodes_count();
        let person = Person { plan, starts: 0, is_attached: false };
        if self.shell.face.people.iter().any(|other| other.name() == person.name()) {
            self.shell.broke(&format!("there is a {} already", person.name()));
        }
        self.shell.face.people.push(person);
        NodeId(self.shell.add(kind, node, node))
    }

    /// Who is called that.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<NodeId> {
        self.shell.face.people.iter().position(|person| person.name() == name).map(NodeId)
    }

    /// What somebody is called.
    #[must_use]
    pub fn name(&self, node: NodeId) -> &str {
        self.shell.face.people[node.0].name()
    }

    /// Where somebody is.
    #[must_use]
    pub fn address(&self, node: NodeId) -> SocketAddr {
        self.shell.network.address(node.0)
    }

    /// Who is there.
    #[must_use]
    pub fn at_address(&self, address: SocketAddr) -> Option<NodeId> {
        self.shell.network.at_address(address).map(NodeId)
    }

    /// Everybody, in the order in which they came.
    pub fn everybody(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.shell.nodes_count()).map(NodeId)
    }

    /// The mind of a servent that lives.
    #[must_use]
    pub fn overlay(&self, servent: NodeId) -> Option<&Overlay> {
        self.shell.overlay(servent.0)
    }

    /// Whether it is a client, dead or alive.
    #[must_use]
    pub fn is_client(&self, node: NodeId) -> bool {
        matches!(self.shell.face.people[node.0].plan, StartedAs::Client(_))
    }

    /// Whether its contact has greeted a client.
    #[must_use]
    pub fn is_attached(&self, client: NodeId) -> bool {
        self.shell.face.people[client.0].is_attached
    }

    /// Bytes that came to a node and no mind of ours was told of.
    #[must_use]
    pub fn unheard_bytes_count(&self, node: NodeId) -> usize {
        self.shell.network.machines[node.0].unheard_bytes
    }

    /// The standing connections, dialler first.
    #[must_use]
    pub fn links(&self) -> Vec<(NodeId, NodeId)> {
        let network = &self.shell.network;
        let standing = (0..network.connections_count()).filter(|connection| self.stands(*connection));
        let nodes = |connection| Party::BOTH.map(|party| NodeId(network.end(EndAt { connection, party }).node));
        standing.map(|connection| nodes(connection).into()).collect()
    }

    fn stands(&self, connection: usize) -> bool {
        Party::BOTH.into_iter().all(|party| self.shell.is_spoken_on(EndAt { connection, party }))
    }

    /// Queries passed on whose echoes are awaited by somebody alive.
    #[must_use]
    pub fn pending_count(&self) -> usize {
        self.shell.pending_count()
    }

    // ---- what the story makes happen ----

    /// The person at a client asks. Nothing where it still waits, or has nobody to ask.
    pub fn ask(&mut self, client: NodeId, ask: Ask) -> Option<QueryId> {
        let StartedAs::Client(ClientPlan { silence_max, answers_wanted, .. }) = self.shell.face.people[client.0].plan
        else {
            return None;
        };
        if self.shell.session(client.0)?.pending_count() > 0 {
            return None;
        }
        let asked_before = self.shell.face.queries.len();
        let question = Question { silence_max, answers_wanted, ..Question::new(ask) };
        self.shell.with_client(client.0, |now, session, wanted| {
            // Too many cannot be pending: none is.
            let _ = session.ask(now, question, wanted);
        });
        self.settle();
        self.shell.face.queries.get(asked_before).copied()
    }

    /// The person at a client has had enough.
    pub fn interrupt(&mut self, client: NodeId) {
        let address = self.address(client);
        // What a client asks here is the last request it sent.
        if let Some(asked) = self.shell.face.queries.iter().rfind(|query| query.client == address) {
            let sequence = asked.sequence;
            self.shell.tell_client(client.0, session::Input::Cancel { sequence });
            self.settle();
        }
    }

    /// The person at a client wants something kept.
    pub fn write(&mut self, client: NodeId, change: Change) {
        let mut written = Ok(0);
        self.shell.with_client(client.0, |now, session, wanted| {
            written = session.write(now, change, SILENCE_DEFAULT, wanted);
        });
        if let Err(error) = written {
            self.shell.broke(&error.to_string());
        }
        self.settle();
    }

    /// The person at a client wants to be told of a key. Gives what the watch goes by.
    pub fn watch(&mut self, client: NodeId, key: Key) -> Option<u64> {
        let mut watched = None;
        self.shell.with_client(client.0, |_, session, wanted| watched = session.watch(key, wanted).ok());
        self.settle();
        watched
    }

    /// And does not any more.
    pub fn unwatch(&mut self, client: NodeId, sequence: u64) {
        self.shell.tell_client(client.0, session::Input::Cancel { sequence });
        self.settle();
    }

    /// A servent is asked to stop, has what was written put on its disk, says goodbye and is gone.
    pub fn leave(&mut self, servent: NodeId) {
        self.shell.network.machines[servent.0].state = MachineState::Leaving;
        self.shell.tell_servent(servent.0, overlay::Input::Leave);
        self.settle();
        let end = self.now() + RUN_MAX;
        while self.shell.face.stores.is_busy(servent.0) && self.step(end) {}
        let ends = self.shell.network.ends_of(servent.0);
        if ends.into_iter().any(|at| self.shell.is_spoken_on(at)) {
            let text = format!("{} left and kept links", self.name(servent));
            self.shell.broke(&text);
        }
        self.kill(servent);
    }

    /// A file that a servent shares is gone, as far as its disk knows. False where there is none of that name.
    pub fn remove(&mut self, servent: NodeId, file: &str) -> bool {
        let at = self.now();
        self.shell.face.disks.befall(servent.0, file, FileFate::Gone { at, back: None })
    }

    /// The same, where it gets other bytes, so many.
    pub fn replace(&mut self, servent: NodeId, file: &str, size: u64) -> bool {
        let at = self.now();
        self.shell.face.disks.befall(servent.0, file, FileFate::Replaced { at, size })
    }

    /// From now on what goes this way takes this long.
    pub fn set_delay(&mut self, from: NodeId, to: NodeId, delay: Duration) {
        self.shell.network.ways.tell(from.0, to.0, nanos(delay));
    }

    /// From now on a name means nothing to whoever looks it up, or means something again.
    pub fn set_known(&mut self, name: &str, is_known: bool) {
        if is_known {
            self.shell.face.unknown.remove(name);
        } else {
            self.shell.face.unknown.insert(name.to_owned());
        }
    }

    /// Breaks every connection between two nodes: what is on its way is lost, and each end learns of it by itself.
    pub fn cut(&mut self, a: NodeId, b: NodeId) {
        for connection in self.shell.network.connections_between(a.0, b.0) {
            self.shell.network.reset(connection);
        }
    }

    /// Ends a node: what it had written still arrives, then its connections end; dials to it are refused.
    pub fn kill(&mut self, node: NodeId) {
        self.shell.face.people[node.0].is_attached = false;
        self.shell.kill(node.0, Departure::Closed);
        self.settle();
    }

    /// A node that neither reads nor thinks; its system still accepts.
    pub fn pause(&mut self, node: NodeId) {
        self.shell.pause(node.0);
    }

    /// It does again.
    pub fn resume(&mut self, node: NodeId) {
        self.shell.resume(node.0);
        self.settle();
    }

    /// Sends a message of the story's choice from a stranger.
    pub fn say(&mut self, stranger: NodeId, message: &Message) {
        if let Some(at) = self.end_of_stranger(stranger) {
            self.shell.say_as_stranger(at, message);
            self.settle();
        }
    }

    /// Sends bytes of the story's choice from a stranger.
    pub fn say_bytes(&mut self, stranger: NodeId, bytes: &[u8]) {
        if let Some(at) = self.end_of_stranger(stranger) {
            self.shell.network.inject(at, bytes);
            self.settle();
        }
    }

    /// Sends bytes over the connection between two nodes as if `from` had written them. False where there is none.
    pub fn inject(&mut self, from: NodeId, to: NodeId, bytes: &[u8]) -> bool {
        let between = self.shell.network.connections_between(from.0, to.0);
        let Some(connection) = between.into_iter().find(|connection| self.stands(*connection)) else { return false };
        if let Some(at) = self.shell.network.ends_at(connection, from.0).first() {
            self.shell.network.inject(*at, bytes);
        }
        self.settle();
        true
    }

    /// What a stranger last connected with.
    fn end_of_stranger(&self, stranger: NodeId) -> Option<EndAt> {
        let mut ends = self.shell.network.ends_of(stranger.0);
        ends.retain(|at| at.party == Party::Dialler);
        ends.pop()
    }

    // ---- time ----

    /// Runs until nothing is on its way, nobody waits for anything, and only the upkeep of links remains.
    pub fn run(&mut self) {
        let end = self.now() + RUN_MAX;
        while !self.is_quiet() {
            if !self.step(end) {
                let text = format!("not quiet after {RUN_MAX:?}:\n{}", self.describe());
                return self.shell.broke(&text);
            }
        }
    }

    /// Runs for so long.
    pub fn run_for(&mut self, duration: Duration) {
        let end = self.now() + duration;
        while self.step(end) {}
    }

    /// Whether nothing is on its way and nobody who is awake waits for anything but the upkeep of links.
    fn is_quiet(&self) -> bool {
        let network = &self.shell.network;
        let concerns_somebody = |event: &WorldEvent<Infallible>| match event {
            WorldEvent::Arrival { from } => !network.is_last_word(*from),
            _ => true,
        };
        let now = Time::after_start(self.now());
        let is_idle = |node: NodeId| {
            if network.machines[node.0].is_paused() {
                return true;
            }
            if let Some(overlay) = self.shell.overlay(node.0) {
                return overlay.pending_count() == 0 && overlay.deadline().is_none_or(|due| due > now);
            }
            let is_attached = self.is_attached(node);
            let is_idle =
                |session: &Session| session.pending_count() == 0 && (is_attached || session.deadline().is_none());
            self.shell.session(node.0).is_none_or(is_idle)
        };
        !network.clock.happenings().any(concerns_somebody) && self.everybody().all(is_idle)
    }

    /// Lets the next thing happen, if it happens by `end`.
    fn step(&mut self, end: Duration) -> bool {
        self.steps += 1;
        if self.steps > STEPS_MAX {
            let text = format!("{STEPS_MAX} steps and no end:\n{}", self.describe());
            self.shell.broke(&text);
            return false;
        }
        let Some(event) = self.shell.network.clock.pop_until(nanos(end)) else { return false };
        let _ = self.shell.happen(event);
        self.settle();
        true
    }

    fn settle(&mut self) {
        while self.shell.settle_one() {}
        self.shell.strangers.clear();
    }

    /// The state of the world, for whoever has to find out why something went wrong.
    fn describe(&self) -> String {
        let mut text = format!("at {:?}\n", self.now());
        for node in self.everybody() {
            let state = if let Some(overlay) = self.shell.overlay(node.0) {
                format!("servent, {} pending", overlay.pending_count())
            } else if let Some(session) = self.shell.session(node.0) {
                format!("client, waiting: {}", session.pending_count() > 0)
            } else {
                "a stranger, or gone".to_owned()
            };
            let paused = if self.shell.network.machines[node.0].is_paused() { ", paused" } else { "" };
            let _ = writeln!(text, "  {}: {state}{paused}", self.name(node));
        }
        text
    }
}
