//! A world for the minds to live in: a fake shell that has what they want performed, over connections with bytes in
//! flight, under a clock that only moves from one event to the next.
//!
//! Every node has the exchange that servents and clients have; here are the connections under it, and trouble on
//! demand. It knows nothing of what the minds ought to decide: stories judge that. It runs no sockets, threads or clocks,
//! and nothing in it is random: overlays of any shape, delays and faults drawn from seeds are the simulator's, in
//! `topologies`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use common::address::Neighbor;
use common::dialect::Dialect;
use common::disk::{Job, JobDone};
use common::exchange::{Exchange, Heard, Outside, Transport, purpose_of};
use common::limits::{DIAL_WAIT_MAX, NEIGHBOR_UNSENT_BYTES_MAX, SILENCE_DEFAULT, TTL_DEFAULT};
use common::link::{LinkId, Purpose, SendError};
use common::message::{Message, ServentId};
use common::overlay::{self, Config, Dial, Opening, Overlay};
use common::query::{Ask, QueryId};
use common::random::Secret;
use common::session::{self, Question, Report, Session};
use common::store::Store;
use common::time::Time;
use common::wire::{Accepts, WireError};

/// What a connection holds between the two ends, as the buffers of two kernels would.
const WINDOW_BYTES: usize = 256 * 1024;
/// More steps than this without an end are a loop.
const STEPS_MAX: u64 = 3_000_000;
/// A run that is not quiet by then never will be.
const RUN_MAX: Duration = Duration::from_secs(600);

/// Somebody in the world: a servent, a client or a stranger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct NodeId(pub(crate) usize);

/// What a servent is started with.
#[derive(Clone, Debug)]
pub(crate) struct ServentPlan {
    pub(crate) name: String,
    /// Its data, as the text of a store.
    pub(crate) data: String,
    pub(crate) ttl: u8,
    pub(crate) forward_once: bool,
    /// The servents it dials, by name.
    pub(crate) neighbors: Vec<String>,
}

impl ServentPlan {
    pub(crate) fn new(name: &str, data: &str) -> ServentPlan {
        ServentPlan {
            name: name.to_owned(),
            data: data.to_owned(),
            ttl: TTL_DEFAULT,
            forward_once: false,
            neighbors: Vec::new(),
        }
    }
}

/// What is found at a client's answer address.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Hearing {
    /// The client.
    Listening,
    /// Nobody: a dial is refused.
    Deaf,
    /// Somebody who accepts and never speaks.
    Mute,
    /// Nothing: a dial is never answered.
    Dark,
}

/// What a client is started with.
#[derive(Clone, Debug)]
pub(crate) struct ClientPlan {
    pub(crate) name: String,
    pub(crate) contact: NodeId,
    pub(crate) answers_wanted: Option<u64>,
    pub(crate) silence_max: Duration,
    pub(crate) hearing: Hearing,
    /// Whether it draws the same sequences as in its first life.
    pub(crate) draws_the_same: bool,
}

impl ClientPlan {
    pub(crate) fn new(name: &str, contact: NodeId) -> ClientPlan {
        ClientPlan {
            name: name.to_owned(),
            contact,
            answers_wanted: None,
            silence_max: SILENCE_DEFAULT,
            hearing: Hearing::Listening,
            draws_the_same: false,
        }
    }
}

/// Something that happened, for whoever tells the story.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    /// A message arrived.
    Said { from: NodeId, to: NodeId, message: Message },
    /// A mind looked a name up, and nobody knew it.
    NotFound { by: NodeId, name: String },
    /// A mind dialled.
    Dialled { from: NodeId, to: SocketAddr },
    /// And nobody answered.
    DialFailed { from: NodeId, to: SocketAddr, reason: String },
    /// A mind closed a link.
    Closed { by: NodeId, other: NodeId },
    /// A link closed without the doing of this end.
    Lost { at: NodeId, other: NodeId, reason: String },
    /// Bytes came that are no message.
    Bad { at: NodeId, from: NodeId, error: WireError },
    /// A message could not be queued.
    Unsendable { from: NodeId, to: NodeId, error: SendError },
    /// A client told its person.
    Told { client: NodeId, report: Report },
}

pub(crate) struct World {
    now: Duration,
    events: BTreeMap<(Duration, u64), Event>,
    events_count: u64,
    nodes: Vec<Node>,
    by_address: BTreeMap<SocketAddr, NodeId>,
    /// The links of each node.
    exchanges: Vec<Exchange>,
    /// Names that nobody can look up just now.
    unknown: BTreeSet<String>,
    connections: Vec<Connection>,
    /// Nodes that may have something to write once the input at hand has been dealt with.
    dirty: BTreeSet<NodeId>,
    /// What was written meanwhile at which end: it leaves in the order of connections, whatever was written first.
    written: BTreeMap<(usize, usize), Vec<Written>>,
    /// How long bytes take from one end of a connection to the other, unless a direction was told otherwise.
    delay: Duration,
    delays: BTreeMap<(NodeId, NodeId), Duration>,
    steps: u64,
    /// What happened and when; only kept while [`World::recording`] is set.
    pub(crate) records: Vec<(Duration, Record)>,
    pub(crate) recording: bool,
    /// Every query there was, in the order in which they were asked.
    pub(crate) queries: Vec<QueryId>,
    /// Who put an answer to which query on a link, in which of its lives.
    answers: BTreeSet<(QueryId, NodeId, u32)>,
    /// The queries whose client was told that they are over.
    finished: BTreeSet<QueryId>,
}

struct Node {
    name: String,
    address: SocketAddr,
    life: u32,
    mind: Mind,
    plan: Plan,
    paused: bool,
    /// What happened to it while it was paused.
    postponed: VecDeque<Event>,
    /// When its mind wants to be told.
    deadline: Option<Duration>,
    attached: bool,
    /// Bytes that came over connections no mind has.
    heard_bytes_count: usize,
}

enum Mind {
    Gone,
    Servent(Box<Overlay>),
    Client(Box<Session>),
    /// Not ours: the test speaks for it.
    Stranger,
}

#[derive(Clone)]
enum Plan {
    Servent(ServentPlan),
    Client(ClientPlan),
    Stranger,
}

/// Two ends, and the bytes on their way to each.
struct Connection {
    ends: [End; 2],
    /// A cut connection swallows everything.
    is_cut: bool,
}

struct End {
    node: NodeId,
    /// Whether a mind speaks here.
    has_mind: bool,
    /// Whether the other end was told, or will be, that nothing more comes from here.
    said_end: bool,
    /// What came while nothing was to be read.
    unread: VecDeque<Vec<u8>>,
    /// Bytes on their way from here.
    in_flight_bytes: usize,
    /// When the last of them arrive; what is sent later arrives no earlier.
    last_arrival: Duration,
}

#[derive(Debug)]
enum Event {
    Arrive {
        connection: usize,
        end: usize,
        bytes: Vec<u8>,
    },
    /// The other end closed, and everything it sent has arrived.
    Ended {
        connection: usize,
        end: usize,
        reason: String,
    },
    /// The connection broke.
    Broken {
        connection: usize,
        end: usize,
        reason: String,
    },
    DialDone {
        node: NodeId,
        life: u32,
        target: DialTarget,
        address: SocketAddr,
    },
    Accepted {
        connection: usize,
    },
}

#[derive(Clone, Copy, Debug)]
enum DialTarget {
    Mind(Dial),
    Contact,
    Stranger,
}

/// Something that leaves an end.
enum Written {
    Bytes(Vec<u8>),
    End,
}

/// How the two ends of a connection are called by those who have them. No name is used again.
fn link_of(connection: usize, end: usize) -> LinkId {
    LinkId(connection as u64 * 2 + end as u64)
}

fn place_of(link: LinkId) -> (usize, usize) {
    let number = usize::try_from(link.0).unwrap();
    (number / 2, number % 2)
}

/// The connections under an exchange: what is written is on its way for a while.
impl Transport for World {
    fn read(&mut self, _: LinkId, _: &mut [u8]) -> Result<Option<usize>, String> {
        Ok(None)
    }

    fn write(&mut self, link: LinkId, bytes: &[u8]) -> Result<usize, String> {
        assert!(bytes.len() <= NEIGHBOR_UNSENT_BYTES_MAX);
        let (connection, end) = place_of(link);
        let room = WINDOW_BYTES.saturating_sub(self.connections[connection].ends[end].in_flight_bytes);
        let bytes = &bytes[..bytes.len().min(room)];
        if !bytes.is_empty() && !self.connections[connection].is_cut {
            self.connections[connection].ends[end].in_flight_bytes += bytes.len();
            self.written.entry((connection, end)).or_default().push(Written::Bytes(bytes.to_vec()));
        }
        Ok(bytes.len())
    }

    fn watch(&mut self, link: LinkId, reads: bool, _: bool) -> Result<(), String> {
        let (connection, end) = place_of(link);
        if reads {
            for bytes in std::mem::take(&mut self.connections[connection].ends[end].unread) {
                self.schedule(self.now, Event::Arrive { connection, end, bytes });
            }
        }
        Ok(())
    }

    fn shut(&mut self, link: LinkId) -> Result<(), String> {
        let (connection, end) = place_of(link);
        self.connections[connection].ends[end].said_end = true;
        self.written.entry((connection, end)).or_default().push(Written::End);
        Ok(())
    }

    fn close(&mut self, link: LinkId) {
        let (connection, end) = place_of(link);
        let other = &self.connections[connection].ends[1 - end];
        if self.connections[connection].is_cut {
            self.connections[connection].ends[end].said_end = true;
        } else if other.said_end {
            // It only waits to learn of this, and nobody of it.
            let node = other.node;
            self.connections[connection].ends[end].said_end = true;
            self.with_exchange(node, |exchange, now, world| exchange.forget(now, link_of(connection, 1 - end), world));
        } else {
            self.connections[connection].ends[end].said_end = true;
            self.written.entry((connection, end)).or_default().push(Written::End);
        }
    }

    fn on_said(&mut self, link: LinkId, message: &Message, said: &Result<(), SendError>) {
        let (connection, end) = place_of(link);
        let [from, to] = [end, 1 - end].map(|end| self.connections[connection].ends[end].node);
        match said {
            Ok(()) => self.look_at_said(from, to, message),
            Err(error) => self.record(Record::Unsendable { from, to, error: error.clone() }),
        }
    }
}

impl World {
    pub(crate) fn new(delay: Duration) -> World {
        World {
            now: Duration::ZERO,
            events: BTreeMap::new(),
            events_count: 0,
            nodes: Vec::new(),
            by_address: BTreeMap::new(),
            exchanges: Vec::new(),
            unknown: BTreeSet::new(),
            connections: Vec::new(),
            dirty: BTreeSet::new(),
            written: BTreeMap::new(),
            delay,
            delays: BTreeMap::new(),
            steps: 0,
            records: Vec::new(),
            recording: false,
            queries: Vec::new(),
            answers: BTreeSet::new(),
            finished: BTreeSet::new(),
        }
    }

    pub(crate) fn now(&self) -> Duration {
        self.now
    }

    pub(crate) fn time(&self) -> Time {
        Time::after_start(self.now)
    }

    // ---- who there is ----

    /// A servent that is not started yet.
    pub(crate) fn servent(&mut self, plan: ServentPlan) -> NodeId {
        let name = plan.name.clone();
        self.add(&name, 0, Plan::Servent(plan))
    }

    /// Adds a neighbor for a servent to dial, before it is started.
    pub(crate) fn lists(&mut self, servent: NodeId, neighbor: &str) {
        let Plan::Servent(plan) = &mut self.nodes[servent.0].plan else {
            panic!("no servent");
        };
        plan.neighbors.push(neighbor.to_owned());
    }

    /// Starts a servent, for the first time or anew with an empty mind.
    pub(crate) fn start(&mut self, servent: NodeId) {
        let Plan::Servent(plan) = self.nodes[servent.0].plan.clone() else {
            panic!("{} is no servent", self.name(servent));
        };
        let neighbors = plan
            .neighbors
            .iter()
            .map(|name| Neighbor { name: name.clone(), addresses: Vec::new(), dialect: Dialect::Native })
            .collect();
        let (store, warnings) = Store::parse(plan.data.into_bytes()).unwrap();
        assert_eq!(warnings.count, 0);
        let node = &mut self.nodes[servent.0];
        node.life += 1;
        let config = Config {
            advertised: node.address,
            servent_id: ServentId((servent.0 as u128 + 1) << 32 | u128::from(node.life)),
            ttl: plan.ttl,
            forward_once: plan.forward_once,
            neighbors,
            ..Config::default()
        };
        let overlay = Overlay::new(&config, Arc::new(store));
        self.exchanges[servent.0] = Exchange::servent(Accepts::OWN);
        node.deadline = overlay.deadline().map(|due| due.since(Time::START));
        node.mind = Mind::Servent(Box::new(overlay));
    }

    /// Starts every servent there is.
    pub(crate) fn start_all(&mut self) {
        for index in 0..self.nodes.len() {
            if matches!(self.nodes[index].plan, Plan::Servent(_)) {
                self.start(NodeId(index));
            }
        }
    }

    /// A client, on its way to its contact.
    pub(crate) fn client(&mut self, plan: ClientPlan) -> NodeId {
        let name = plan.name.clone();
        let client = self.add(&name, 1, Plan::Client(plan));
        self.attach(client);
        client
    }

    /// Starts a client anew at the same addresses. Where it draws the same sequences it is taken for its former self.
    pub(crate) fn restart_client(&mut self, client: NodeId, draws_the_same: bool) {
        self.kill(client);
        let Plan::Client(plan) = &mut self.nodes[client.0].plan else {
            panic!("{} is no client", self.name(client));
        };
        plan.draws_the_same = draws_the_same;
        self.attach(client);
    }

    fn attach(&mut self, client: NodeId) {
        let life = self.nodes[client.0].life + 1;
        let node = &mut self.nodes[client.0];
        let Plan::Client(plan) = node.plan.clone() else {
            panic!("{} is no client", node.name);
        };
        let drawn_in = if plan.draws_the_same { 1 } else { life };
        let secret = Secret::of_seed((client.0 as u64) << 32 | u64::from(drawn_in));
        let session = Session::new(Dialect::Native, node.address.port(), secret);
        node.life = life;
        node.attached = false;
        node.mind = Mind::Client(Box::new(session));
        let address = self.nodes[plan.contact.0].address;
        self.dial(client, DialTarget::Contact, address);
    }

    /// Somebody who connects to a node and says only what the test makes it say.
    pub(crate) fn stranger(&mut self, name: &str, at: NodeId) -> NodeId {
        let stranger = self.add(name, 2, Plan::Stranger);
        let node = &mut self.nodes[stranger.0];
        node.life = 1;
        node.mind = Mind::Stranger;
        let address = self.nodes[at.0].address;
        self.dial(stranger, DialTarget::Stranger, address);
        stranger
    }

    fn add(&mut self, name: &str, kind: u8, plan: Plan) -> NodeId {
        assert!(self.nodes.iter().all(|node| node.name != name), "there is a {name} already");
        let id = NodeId(self.nodes.len());
        let [high, low] = u16::try_from(id.0).unwrap().to_be_bytes();
        let port = [9000, 7000, 5000][usize::from(kind)];
        let address = SocketAddr::from((Ipv4Addr::new(10, kind, high, low), port));
        self.by_address.insert(address, id);
        self.nodes.push(Node {
            name: name.to_owned(),
            address,
            life: 0,
            mind: Mind::Gone,
            plan,
            paused: false,
            postponed: VecDeque::new(),
            deadline: None,
            attached: false,
            heard_bytes_count: 0,
        });
        self.exchanges.push(Exchange::client(Accepts::ANY));
        id
    }

    pub(crate) fn find(&self, name: &str) -> NodeId {
        let place = self.nodes.iter().position(|node| node.name == name);
        NodeId(place.unwrap_or_else(|| panic!("nobody is called {name}")))
    }

    pub(crate) fn name(&self, node: NodeId) -> &str {
        &self.nodes[node.0].name
    }

    pub(crate) fn address(&self, node: NodeId) -> SocketAddr {
        self.nodes[node.0].address
    }

    pub(crate) fn at_address(&self, address: SocketAddr) -> Option<NodeId> {
        self.by_address.get(&address).copied()
    }

    /// Everybody, in the order in which they came.
    pub(crate) fn everybody(&self) -> impl Iterator<Item = NodeId> + use<> {
        (0..self.nodes.len()).map(NodeId)
    }

    pub(crate) fn overlay(&self, servent: NodeId) -> Option<&Overlay> {
        match &self.nodes[servent.0].mind {
            Mind::Servent(overlay) => Some(overlay),
            _ => None,
        }
    }

    pub(crate) fn session(&self, client: NodeId) -> Option<&Session> {
        match &self.nodes[client.0].mind {
            Mind::Client(session) => Some(session),
            _ => None,
        }
    }

    /// Whether it is a client, dead or alive.
    pub(crate) fn is_client(&self, node: NodeId) -> bool {
        matches!(self.nodes[node.0].plan, Plan::Client(_))
    }

    /// Whether its contact has greeted a client.
    pub(crate) fn is_attached(&self, client: NodeId) -> bool {
        self.nodes[client.0].attached
    }

    /// Bytes that came to a node over connections that no mind of ours has.
    pub(crate) fn heard_bytes_count(&self, node: NodeId) -> usize {
        self.nodes[node.0].heard_bytes_count
    }

    /// The standing connections, dialler first.
    pub(crate) fn links(&self) -> Vec<(NodeId, NodeId)> {
        let standing = (0..self.connections.len()).filter(|connection| self.stands(*connection));
        standing.map(|connection| (self.node_at(connection, 0), self.node_at(connection, 1))).collect()
    }

    fn node_at(&self, connection: usize, end: usize) -> NodeId {
        self.connections[connection].ends[end].node
    }

    /// Whether an end is one that somebody speaks on.
    fn is_open(&self, connection: usize, end: usize) -> bool {
        self.exchanges[self.node_at(connection, end).0].is_known(link_of(connection, end))
    }

    fn stands(&self, connection: usize) -> bool {
        (0..2).all(|end| self.is_open(connection, end))
    }

    fn links_count(&self, node: NodeId) -> usize {
        let ends = (0..self.connections.len()).flat_map(|connection| [(connection, 0), (connection, 1)]);
        ends.filter(|(connection, end)| self.node_at(*connection, *end) == node && self.is_open(*connection, *end))
            .count()
    }

    /// Queries passed on whose echoes are awaited by somebody alive.
    pub(crate) fn pending_count(&self) -> usize {
        self.everybody().filter_map(|node| self.overlay(node)).map(Overlay::pending_count).sum()
    }

    // ---- what the test makes happen ----

    /// The person at a client asks.
    pub(crate) fn ask(&mut self, client: NodeId, ask: Ask) -> QueryId {
        let session = self.session(client).expect("a client that lives");
        assert_eq!(session.pending_count(), 0, "{} still waits", self.name(client));
        let asked_before = self.queries.len();
        let Plan::Client(ClientPlan { silence_max, answers_wanted, .. }) = self.nodes[client.0].plan else {
            panic!("{} is no client", self.name(client));
        };
        let question = Question { ask, silence_max, answers_wanted };
        self.with_session(client, |now, session, out| {
            session.ask(now, question, out).expect("nothing else is pending");
        });
        self.flush();
        assert_eq!(self.queries.len(), asked_before + 1, "the client asked nobody");
        self.queries[asked_before]
    }

    /// The person at a client has had enough.
    pub(crate) fn interrupt(&mut self, client: NodeId) {
        // What a client of the world asks is the last request it sent.
        let address = self.nodes[client.0].address;
        let asked = self.queries.iter().rfind(|query| query.client == address).expect("a client that has asked");
        self.tell_client(client, session::Input::Cancel { sequence: asked.sequence });
        self.flush();
    }

    /// A servent is asked to stop, says goodbye and is gone.
    pub(crate) fn leave(&mut self, servent: NodeId) {
        self.tell_servent(servent, overlay::Input::Leave);
        self.flush();
        assert_eq!(self.links_count(servent), 0, "{} left and kept links", self.name(servent));
        self.kill(servent);
    }

    /// From now on bytes in this direction take this long.
    pub(crate) fn set_delay(&mut self, from: NodeId, to: NodeId, delay: Duration) {
        self.delays.insert((from, to), delay);
    }

    /// From now on a name means nothing to whoever looks it up, or means something again.
    pub(crate) fn set_known(&mut self, name: &str, is_known: bool) {
        if is_known {
            self.unknown.remove(name);
        } else {
            self.unknown.insert(name.to_owned());
        }
    }

    /// Breaks every connection between two nodes: what is on its way is lost, and each end learns of it by itself.
    pub(crate) fn cut(&mut self, a: NodeId, b: NodeId) {
        for index in 0..self.connections.len() {
            let [one, other] = &self.connections[index].ends;
            let between = [(one.node, other.node), (other.node, one.node)].contains(&(a, b));
            if between && !self.connections[index].is_cut {
                self.connections[index].is_cut = true;
                for end in 0..2 {
                    let delay = self.delay_of(index, 1 - end);
                    let reason = "the connection broke".to_owned();
                    self.schedule(self.now + delay, Event::Broken { connection: index, end, reason });
                }
            }
        }
    }

    /// Ends a node: what it had written still arrives, then its connections end; dials to it are refused.
    pub(crate) fn kill(&mut self, node: NodeId) {
        let dead = &mut self.nodes[node.0];
        dead.mind = Mind::Gone;
        dead.deadline = None;
        dead.paused = false;
        dead.postponed.clear();
        dead.attached = false;
        self.exchanges[node.0] = Exchange::client(Accepts::ANY);
        for connection in 0..self.connections.len() {
            for end in 0..2 {
                let this = &self.connections[connection].ends[end];
                if this.node == node && !this.said_end {
                    self.send_end(link_of(connection, end), "the other end is gone");
                }
            }
        }
    }

    /// A node that neither reads nor thinks; its kernel still accepts.
    pub(crate) fn pause(&mut self, node: NodeId) {
        self.nodes[node.0].paused = true;
    }

    pub(crate) fn resume(&mut self, node: NodeId) {
        self.nodes[node.0].paused = false;
        for event in std::mem::take(&mut self.nodes[node.0].postponed) {
            self.happen(event);
        }
    }

    /// Sends a message of the test's choice from a stranger.
    pub(crate) fn say(&mut self, stranger: NodeId, message: &Message) {
        let (connection, end) = self.stranger_end(stranger);
        let link = link_of(connection, end);
        self.with_exchange(stranger, |exchange, now, world| exchange.send(now, link, message, world)).unwrap();
        self.flush();
    }

    /// Sends bytes of the test's choice from a stranger.
    pub(crate) fn say_bytes(&mut self, stranger: NodeId, bytes: &[u8]) {
        let (connection, end) = self.stranger_end(stranger);
        self.put_in_flight(connection, end, bytes.to_vec());
    }

    /// Sends bytes over the connection between two nodes as if `from` had written them.
    pub(crate) fn inject(&mut self, from: NodeId, to: NodeId, bytes: &[u8]) {
        let place = self.connections.iter().enumerate().find_map(|(index, connection)| {
            let end = connection.ends.iter().position(|end| end.node == from)?;
            (connection.ends[1 - end].node == to && self.stands(index)).then_some((index, end))
        });
        let (connection, end) = place.expect("a connection between the two");
        self.put_in_flight(connection, end, bytes.to_vec());
    }

    fn stranger_end(&self, stranger: NodeId) -> (usize, usize) {
        let place = self.connections.iter().rposition(|connection| connection.ends[0].node == stranger);
        (place.expect("a stranger that connected"), 0)
    }

    // ---- time ----

    /// Runs until nothing is on its way, nobody waits for anything, and only the upkeep of links remains.
    pub(crate) fn run(&mut self) {
        let end = self.now + RUN_MAX;
        while !self.is_quiet() {
            if !self.step(end) {
                assert!(self.now < end, "not quiet after {RUN_MAX:?}:\n{}", self.describe());
                return;
            }
        }
    }

    /// Runs for so long.
    pub(crate) fn run_for(&mut self, duration: Duration) {
        let end = self.now + duration;
        while self.step(end) {}
        self.now = end;
    }

    /// Whether nothing is on its way and nobody who is awake waits for anything but the upkeep of links.
    pub(crate) fn is_quiet(&self) -> bool {
        self.events.is_empty()
            && self.nodes.iter().filter(|node| !node.paused).all(|node| match &node.mind {
                Mind::Servent(overlay) => {
                    overlay.pending_count() == 0 && node.deadline.is_none_or(|due| due > self.now)
                }
                Mind::Client(session) => session.pending_count() == 0 && (node.attached || node.deadline.is_none()),
                Mind::Gone | Mind::Stranger => true,
            })
    }

    /// Lets the next thing happen, if it happens by `end`.
    fn step(&mut self, end: Duration) -> bool {
        self.steps += 1;
        assert!(self.steps < STEPS_MAX, "{STEPS_MAX} steps and no end:\n{}", self.describe());
        let event_at = self.events.first_key_value().map(|((at, _), _)| *at);
        let deadline = self
            .everybody()
            .filter(|node| !self.nodes[node.0].paused)
            .filter_map(|node| Some((self.due(node)?.max(self.now), node)))
            .min();
        match (event_at, deadline) {
            (Some(at), due) if at <= end && due.is_none_or(|(due, _)| at <= due) => {
                let (_, event) = self.events.pop_first().unwrap();
                self.now = at;
                self.happen(event);
                true
            }
            (_, Some((due, node))) if due <= end => {
                self.now = due;
                self.on_deadline(node);
                true
            }
            _ => {
                self.now = end;
                false
            }
        }
    }

    /// When a node is to be told that time has passed.
    fn due(&self, node: NodeId) -> Option<Duration> {
        let links = self.exchanges[node.0].deadline().map(|due| due.since(Time::START));
        [links, self.nodes[node.0].deadline].into_iter().flatten().min()
    }

    fn on_deadline(&mut self, node: NodeId) {
        if self.exchanges[node.0].deadline().is_some_and(|due| due <= self.time()) {
            self.with_exchange(node, Exchange::on_time);
            self.tell_heard(node);
        }
        if self.nodes[node.0].deadline.is_some_and(|due| due <= self.now) {
            self.tell_deadline(node);
        }
        self.flush();
    }

    fn tell_deadline(&mut self, node: NodeId) {
        let outputs_count = match &self.nodes[node.0].mind {
            Mind::Servent(_) => self.tell_servent(node, overlay::Input::Deadline),
            Mind::Client(_) => self.tell_client(node, session::Input::Deadline),
            Mind::Gone | Mind::Stranger => unreachable!("only minds have deadlines"),
        };
        // A shell waits until the deadline and tells the mind; were both to stay as they are, it would spin.
        assert!(
            outputs_count > 0 || self.nodes[node.0].deadline.is_none_or(|due| due > self.now),
            "{} was told its deadline and wants to be told again:\n{}",
            self.name(node),
            self.describe()
        );
    }

    fn schedule(&mut self, at: Duration, event: Event) {
        self.events_count += 1;
        self.events.insert((at, self.events_count), event);
    }

    fn delay_of(&mut self, connection: usize, from_end: usize) -> Duration {
        let ends = &self.connections[connection].ends;
        self.delay_between(ends[from_end].node, Some(ends[1 - from_end].node))
    }

    fn delay_between(&mut self, from: NodeId, to: Option<NodeId>) -> Duration {
        if let Some(delay) = to.and_then(|to| self.delays.get(&(from, to))) {
            return *delay;
        }
        self.delay
    }

    // ---- what happens ----

    fn happen(&mut self, event: Event) {
        let node = match &event {
            Event::Arrive { connection, end, .. }
            | Event::Ended { connection, end, .. }
            | Event::Broken { connection, end, .. } => self.connections[*connection].ends[*end].node,
            Event::DialDone { node, .. } => *node,
            Event::Accepted { connection } => self.connections[*connection].ends[1].node,
        };
        if self.nodes[node.0].paused {
            self.nodes[node.0].postponed.push_back(event);
            return;
        }
        match event {
            Event::Arrive { connection, end, bytes } => self.on_arrival(connection, end, bytes),
            Event::Ended { connection, end, reason } => {
                if !self.connections[connection].is_cut {
                    self.on_closed(connection, end, reason);
                }
            }
            Event::Broken { connection, end, reason } => self.on_closed(connection, end, reason),
            Event::DialDone { node, life, target, address } => {
                if self.nodes[node.0].life == life && !matches!(self.nodes[node.0].mind, Mind::Gone) {
                    self.on_dial_done(node, target, address);
                }
            }
            Event::Accepted { connection } => self.on_accepted(connection),
        }
        self.flush();
    }

    fn on_arrival(&mut self, connection: usize, end: usize, bytes: Vec<u8>) {
        let (node, link) = (self.node_at(connection, end), link_of(connection, end));
        if !self.connections[connection].is_cut && self.is_open(connection, end) {
            if !self.exchanges[node.0].is_read(link) {
                return self.connections[connection].ends[end].unread.push_back(bytes);
            }
            if !self.connections[connection].ends[end].has_mind {
                self.nodes[node.0].heard_bytes_count += bytes.len();
            }
            self.with_exchange(node, |exchange, _, _| exchange.receive(link, &bytes));
            self.tell_heard(node);
        }
        self.connections[connection].ends[1 - end].in_flight_bytes -= bytes.len();
        let from = self.node_at(connection, 1 - end);
        self.exchanges[from.0].on_writable(link_of(connection, 1 - end));
        self.dirty.insert(from);
    }

    /// Tells a mind, or whoever else is there, what was heard.
    fn tell_heard(&mut self, node: NodeId) {
        while let Some((link, heard)) = self.next_heard(node) {
            let (connection, end) = place_of(link);
            let from = self.node_at(connection, 1 - end);
            let has_mind = self.connections[connection].ends[end].has_mind;
            let is_malformed = matches!(heard, Heard::Malformed(_));
            self.record(match heard.clone() {
                Heard::Message(message) => Record::Said { from, to: node, message },
                Heard::Malformed(error) => Record::Bad { at: node, from, error },
                Heard::Closed(reason) => Record::Lost { at: node, other: from, reason },
            });
            match &self.nodes[node.0].mind {
                Mind::Servent(_) if has_mind => {
                    self.tell_servent(node, heard.for_servent(link));
                }
                Mind::Client(_) if has_mind => {
                    self.tell_client(node, heard.for_client(link));
                }
                _ => {}
            }
            let keeps_it = has_mind && is_malformed && self.is_open(connection, end);
            assert!(!keeps_it, "{} keeps a link it cannot understand", self.name(node));
        }
    }

    fn next_heard(&mut self, node: NodeId) -> Option<(LinkId, Heard)> {
        // An exchange that was lent is flushed once more.
        if !self.exchanges[node.0].may_have_heard() {
            return None;
        }
        self.with_exchange(node, Exchange::next_heard)
    }

    /// The connection is over for this end, through no doing of its mind.
    fn on_closed(&mut self, connection: usize, end: usize, reason: String) {
        let (node, link) = (self.node_at(connection, end), link_of(connection, end));
        self.with_exchange(node, |exchange, now, world| exchange.on_closed(now, link, reason, world));
        self.tell_heard(node);
    }

    fn dial(&mut self, node: NodeId, target: DialTarget, address: SocketAddr) {
        let to = self.at_address(address);
        self.record(Record::Dialled { from: node, to: address });
        let is_dark = to.is_some_and(|to| {
            matches!(&self.nodes[to.0].plan, Plan::Client(ClientPlan { hearing: Hearing::Dark, .. }))
        });
        let delay = if is_dark { DIAL_WAIT_MAX } else { self.delay_between(node, to) };
        let life = self.nodes[node.0].life;
        self.schedule(self.now + delay, Event::DialDone { node, life, target, address });
    }

    fn on_dial_done(&mut self, dialler: NodeId, target: DialTarget, address: SocketAddr) {
        let acceptor = self.at_address(address);
        let refusal = match acceptor.map(|node| (&self.nodes[node.0].mind, &self.nodes[node.0].plan)) {
            None | Some((Mind::Gone, _)) => Some("connection refused"),
            Some((_, Plan::Client(plan))) => match plan.hearing {
                Hearing::Listening | Hearing::Mute => None,
                Hearing::Deaf => Some("connection refused"),
                Hearing::Dark => Some("timed out"),
            },
            Some(_) => None,
        };
        if let Some(reason) = refusal {
            let reason = reason.to_owned();
            self.record(Record::DialFailed { from: dialler, to: address, reason: reason.clone() });
            if let DialTarget::Mind(dial) = target {
                self.tell_servent(dialler, overlay::Input::DialFailed { dial, refused: true, reason });
            }
            return;
        }
        let acceptor = acceptor.expect("somebody there");
        let purpose = match target {
            DialTarget::Mind(dial) => purpose_of(dial),
            DialTarget::Contact | DialTarget::Stranger => Purpose::Asking,
        };
        let acceptor_node = &self.nodes[acceptor.0];
        let acceptor_has_mind = match (&acceptor_node.mind, &acceptor_node.plan) {
            (Mind::Servent(_), _) => true,
            (Mind::Client(_), Plan::Client(plan)) => plan.hearing == Hearing::Listening,
            _ => false,
        };
        let connection = self.connections.len();
        let end = |node, has_mind| End {
            node,
            has_mind,
            said_end: false,
            unread: VecDeque::new(),
            in_flight_bytes: 0,
            last_arrival: Duration::ZERO,
        };
        let dialler_has_mind = !matches!(target, DialTarget::Stranger);
        self.connections.push(Connection {
            ends: [end(dialler, dialler_has_mind), end(acceptor, acceptor_has_mind)],
            is_cut: false,
        });
        let link = link_of(connection, 0);
        self.with_exchange(dialler, |exchange, _, _| {
            exchange.on_dialled(link, Dialect::Native, purpose);
            exchange.on_connected(link);
        });
        match target {
            DialTarget::Mind(dial) => {
                let opening = Opening::Dialled(dial);
                self.tell_servent(dialler, overlay::Input::Opened { link, opening });
            }
            DialTarget::Contact => {
                let contact = address;
                self.tell_client(dialler, session::Input::Attached { link, contact });
            }
            DialTarget::Stranger => {}
        }
        self.happen(Event::Accepted { connection });
    }

    fn on_accepted(&mut self, connection: usize) {
        let [dialler, acceptor] = &self.connections[connection].ends;
        let (node, has_mind) = (acceptor.node, acceptor.has_mind);
        if acceptor.said_end {
            return;
        }
        let link = link_of(connection, 1);
        let port = 40_000 + u16::try_from(connection % 20_000).unwrap();
        let from = SocketAddr::new(self.nodes[dialler.node.0].address.ip(), port);
        self.with_exchange(node, |exchange, _, _| exchange.on_accepted(link, from));
        if !has_mind {
            return;
        }
        match &self.nodes[node.0].mind {
            Mind::Servent(_) => {
                let opening = Opening::Accepted(from);
                self.tell_servent(node, overlay::Input::Opened { link, opening });
            }
            Mind::Client(_) => {
                self.tell_client(node, session::Input::Accepted { link, from });
            }
            Mind::Gone | Mind::Stranger => {}
        }
    }

    // ---- telling minds and doing what they want ----

    /// Lends the exchange of a node, together with everything else there is.
    fn with_exchange<T>(&mut self, node: NodeId, act: impl FnOnce(&mut Exchange, Time, &mut World) -> T) -> T {
        let nothing = Exchange::client(Accepts::ANY);
        let mut exchange = std::mem::replace(&mut self.exchanges[node.0], nothing);
        let result = act(&mut exchange, self.time(), self);
        self.exchanges[node.0] = exchange;
        self.dirty.insert(node);
        result
    }

    fn tell_servent(&mut self, node: NodeId, input: overlay::Input) -> usize {
        let now = self.time();
        let mut outputs = Vec::new();
        let Mind::Servent(overlay) = &mut self.nodes[node.0].mind else {
            panic!("{} is no servent that lives", self.name(node));
        };
        overlay.handle(now, input, &mut outputs);
        let count = outputs.len();
        for output in outputs {
            match &output {
                overlay::Output::Send { message: Message::Query(_), .. } => panic!("a query is flooded, not sent"),
                overlay::Output::Close { link } => self.record_close(node, *link),
                _ => {}
            }
            match self.with_exchange(node, |exchange, now, world| exchange.perform(now, output, world)) {
                Some(Outside::Dial { dial, address, dialect }) => {
                    assert_eq!(dialect, Dialect::Native);
                    self.dial(node, DialTarget::Mind(dial), address);
                }
                Some(Outside::Disk(job)) => self.do_job(node, job),
                None => {}
            }
        }
        self.look_at_deadline(node);
        count
    }

    /// Names are looked up at once, and nobody has a file.
    fn do_job(&mut self, node: NodeId, job: Job) {
        let done = match job {
            Job::LookUp { neighbor, name } => {
                let addresses = if self.unknown.contains(&name) {
                    self.record(Record::NotFound { by: node, name });
                    Err("nobody knows it".to_owned())
                } else {
                    Ok(vec![self.nodes[self.find(&name).0].address])
                };
                JobDone::LookedUp { neighbor, addresses }
            }
            Job::ReadData | Job::Free(_) => panic!("{} has no file", self.name(node)),
        };
        self.tell_servent(node, overlay::Input::Disk(done));
    }

    fn tell_client(&mut self, node: NodeId, input: session::Input) -> usize {
        self.with_session(node, |now, session, out| session.handle(now, input, out))
    }

    /// Has a client's mind act, does what it wants, and gives how much that was.
    fn with_session(&mut self, node: NodeId, act: impl FnOnce(Time, &mut Session, &mut Vec<session::Output>)) -> usize {
        let now = self.time();
        let mut outputs = Vec::new();
        let Mind::Client(session) = &mut self.nodes[node.0].mind else {
            panic!("{} is no client that lives", self.name(node));
        };
        act(now, session, &mut outputs);
        let count = outputs.len();
        for output in outputs {
            match &output {
                session::Output::Send { message: Message::Request(request), .. } => {
                    let client = self.nodes[node.0].address;
                    self.queries.push(QueryId { sequence: request.sequence, client });
                }
                session::Output::Close { link } => self.record_close(node, *link),
                _ => {}
            }
            let told = self.with_exchange(node, |exchange, now, world| exchange.perform_for_client(now, output, world));
            let Some(report) = told else { continue };
            match report {
                Report::Ready => self.nodes[node.0].attached = true,
                Report::ContactLost { .. } => self.nodes[node.0].attached = false,
                Report::Ended { .. } => {
                    let session = self.session(node).expect("a client that lives");
                    assert_eq!(session.pending_count(), 0, "it ended and waits");
                }
                _ => {}
            }
            self.record(Record::Told { client: node, report });
        }
        self.look_at_deadline(node);
        count
    }

    fn look_at_deadline(&mut self, node: NodeId) {
        let due = match &self.nodes[node.0].mind {
            Mind::Servent(overlay) => overlay.deadline(),
            Mind::Client(session) => session.deadline(),
            Mind::Gone | Mind::Stranger => None,
        };
        self.nodes[node.0].deadline = due.map(|due| due.since(Time::START));
    }

    fn record_close(&mut self, node: NodeId, link: LinkId) {
        let (connection, end) = place_of(link);
        if self.is_open(connection, end) {
            let other = self.node_at(connection, 1 - end);
            self.record(Record::Closed { by: node, other });
        }
    }

    // ---- bytes ----

    /// Has everybody write what is queued, and tells whom that brought something.
    fn flush(&mut self) {
        while let Some(node) = self.dirty.pop_first() {
            self.with_exchange(node, Exchange::flush);
            self.dirty.remove(&node);
            self.tell_heard(node);
        }
        for ((connection, end), written) in std::mem::take(&mut self.written) {
            for written in written {
                match written {
                    Written::Bytes(bytes) => self.send_bytes(connection, end, bytes),
                    Written::End => self.send_end(link_of(connection, end), "the other end closed"),
                }
            }
        }
    }

    /// Sends bytes of the test's choice from an end.
    fn put_in_flight(&mut self, connection: usize, from_end: usize, bytes: Vec<u8>) {
        if !self.connections[connection].is_cut {
            self.connections[connection].ends[from_end].in_flight_bytes += bytes.len();
            self.send_bytes(connection, from_end, bytes);
        }
    }

    fn send_bytes(&mut self, connection: usize, from_end: usize, bytes: Vec<u8>) {
        let at = self.arrival(connection, from_end);
        self.schedule(at, Event::Arrive { connection, end: 1 - from_end, bytes });
    }

    fn send_end(&mut self, link: LinkId, reason: &str) {
        let (connection, end) = place_of(link);
        let at = self.arrival(connection, end);
        let reason = reason.to_owned();
        self.connections[connection].ends[end].said_end = true;
        self.schedule(at, Event::Ended { connection, end: 1 - end, reason });
    }

    fn arrival(&mut self, connection: usize, from_end: usize) -> Duration {
        let delay = self.delay_of(connection, from_end);
        let this = &mut self.connections[connection].ends[from_end];
        this.last_arrival = this.last_arrival.max(self.now + delay);
        this.last_arrival
    }

    // ---- what it saw ----

    fn record(&mut self, record: Record) {
        if self.recording {
            self.records.push((self.now, record));
        }
    }

    /// No life of a servent answers a query twice. One that is asked again after it is over is a new one.
    fn look_at_said(&mut self, node: NodeId, other: NodeId, message: &Message) {
        let id_of = |client: NodeId, sequence| QueryId { sequence, client: self.nodes[client.0].address };
        match message {
            Message::Answer(answer) => {
                let id = id_of(other, answer.sequence);
                let is_first = self.answers.insert((id, node, self.nodes[node.0].life));
                assert!(is_first, "servent {} answers {id} twice", self.nodes[node.0].name);
            }
            Message::Finished(finished) => drop(self.finished.insert(id_of(other, finished.sequence))),
            Message::Request(request) => {
                let id = id_of(node, request.sequence);
                if self.finished.remove(&id) {
                    self.answers.retain(|(answered, ..)| *answered != id);
                }
            }
            _ => {}
        }
    }

    /// The state of the world, for whoever has to find out why something went wrong.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("at {:?}, {} events to come\n", self.now, self.events.len());
        for (number, node) in self.nodes.iter().enumerate() {
            let state = match &node.mind {
                Mind::Gone => "gone".to_owned(),
                Mind::Servent(overlay) => format!("servent, {} pending", overlay.pending_count()),
                Mind::Client(session) => format!("client, waiting: {}", session.pending_count() > 0),
                Mind::Stranger => "stranger".to_owned(),
            };
            let _ = writeln!(
                text,
                "  {}: {state}, {} links, deadline {:?}{}",
                node.name,
                self.links_count(NodeId(number)),
                node.deadline,
                if node.paused { ", paused" } else { "" }
            );
        }
        text
    }
}
