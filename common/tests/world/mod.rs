//! A world for the minds to live in: a fake shell that performs what they want, over connections that are real links
//! with bytes in flight between them, under a clock that only moves from one event to the next.
//!
//! It does what a servent and a client must do with outputs, exactly, and it makes trouble on demand. It knows nothing
//! of what the minds ought to decide: stories judge that. It runs no sockets, threads or clocks, and nothing in it is
//! random: overlays of any shape, delays and faults drawn from seeds are the simulator's, in `topologies`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fmt::Write as _;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use common::address::Neighbor;
use common::dialect::Dialect;
use common::limits::{DIAL_WAIT_MAX, NEIGHBOR_UNSENT_BYTES_MAX, SILENCE_DEFAULT, TTL_DEFAULT};
use common::link::{Link, LinkId, Purpose, SendError};
use common::message::{Message, ServentId};
use common::overlay::Config;
use common::overlay::{self, Dial, Opening, Overlay};
use common::query::{Ask, QueryId};
use common::session::{self, Report, Session};
use common::store::Store;
use common::time::Time;
use common::wire::{Frame, WireError};

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
    /// The sequence number it starts from; one of its own when nothing is said.
    pub(crate) first_sequence: Option<u64>,
}

impl ClientPlan {
    pub(crate) fn new(name: &str, contact: NodeId) -> ClientPlan {
        ClientPlan {
            name: name.to_owned(),
            contact,
            answers_wanted: None,
            silence_max: SILENCE_DEFAULT,
            hearing: Hearing::Listening,
            first_sequence: None,
        }
    }
}

/// Something that happened, for whoever tells the story.
#[derive(Clone, Debug)]
pub(crate) enum Record {
    /// A message arrived.
    Said { from: NodeId, to: NodeId, message: Message },
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
    connections: Vec<Connection>,
    /// Ends with something to write once the input at hand has been dealt with.
    dirty: BTreeSet<(usize, usize)>,
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
    /// The most bytes that ever waited unsent on one link.
    pub(crate) unsent_bytes_most: usize,
    /// Messages for links that were gone by then.
    pub(crate) sent_to_nobody_count: u64,
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
    deadline: Option<Duration>,
    /// The links its mind knows.
    links: BTreeMap<LinkId, (usize, usize)>,
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
    id: LinkId,
    link: Link,
    state: EndState,
    /// Whether a mind speaks here.
    has_mind: bool,
    /// Bytes on their way from here.
    in_flight_bytes: usize,
    /// When the last of them arrive; what is sent later arrives no earlier.
    last_arrival: Duration,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum EndState {
    Open,
    /// To be closed once everything is written.
    Closing,
    Closed,
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

enum News {
    Message(Message),
    Malformed(WireError),
    Closed(String),
}

impl World {
    pub(crate) fn new(delay: Duration) -> World {
        World {
            now: Duration::ZERO,
            events: BTreeMap::new(),
            events_count: 0,
            nodes: Vec::new(),
            by_address: BTreeMap::new(),
            connections: Vec::new(),
            dirty: BTreeSet::new(),
            delay,
            delays: BTreeMap::new(),
            steps: 0,
            records: Vec::new(),
            recording: false,
            queries: Vec::new(),
            answers: BTreeSet::new(),
            unsent_bytes_most: 0,
            sent_to_nobody_count: 0,
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
            .map(|name| Neighbor {
                name: name.clone(),
                addresses: vec![self.nodes[self.find(name).0].address],
                dialect: Dialect::Native,
            })
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

    /// Starts a client anew at the same addresses. With the same first sequence it is taken for its former self.
    pub(crate) fn restart_client(&mut self, client: NodeId, first_sequence: Option<u64>) {
        self.kill(client);
        let Plan::Client(plan) = &mut self.nodes[client.0].plan else {
            panic!("{} is no client", self.name(client));
        };
        plan.first_sequence = first_sequence;
        self.attach(client);
    }

    fn attach(&mut self, client: NodeId) {
        let life = self.nodes[client.0].life + 1;
        let node = &mut self.nodes[client.0];
        let Plan::Client(plan) = node.plan.clone() else {
            panic!("{} is no client", node.name);
        };
        let first_sequence = plan.first_sequence.unwrap_or((client.0 as u64 + 1) << 32 | u64::from(life) << 16);
        let session =
            Session::new(Dialect::Native, node.address.port(), first_sequence, plan.silence_max, plan.answers_wanted);
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
            links: BTreeMap::new(),
            attached: false,
            heard_bytes_count: 0,
        });
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
        let open = |connection: &&Connection| connection.ends.iter().all(|end| end.state == EndState::Open);
        let ends = |connection: &Connection| (connection.ends[0].node, connection.ends[1].node);
        self.connections.iter().filter(open).map(ends).collect()
    }

    /// Queries passed on whose echoes are awaited by somebody alive.
    pub(crate) fn pending_count(&self) -> usize {
        self.everybody().filter_map(|node| self.overlay(node)).map(Overlay::pending_count).sum()
    }

    // ---- what the test makes happen ----

    /// The person at a client asks.
    pub(crate) fn ask(&mut self, client: NodeId, ask: Ask) -> QueryId {
        let session = self.session(client).expect("a client that lives");
        assert!(!session.is_waiting(), "{} still waits", self.name(client));
        let asked_before = self.queries.len();
        self.tell_client(client, session::Input::Ask(ask));
        self.flush();
        assert_eq!(self.queries.len(), asked_before + 1, "the client asked nobody");
        self.queries[asked_before]
    }

    /// The person at a client has had enough.
    pub(crate) fn interrupt(&mut self, client: NodeId) {
        self.tell_client(client, session::Input::Interrupt);
        self.flush();
    }

    /// A servent is asked to stop, says goodbye and is gone.
    pub(crate) fn leave(&mut self, servent: NodeId) {
        self.tell_servent(servent, overlay::Input::Leave);
        self.flush();
        assert!(self.nodes[servent.0].links.is_empty(), "{} left and kept links", self.name(servent));
        self.kill(servent);
    }

    /// From now on bytes in this direction take this long.
    pub(crate) fn set_delay(&mut self, from: NodeId, to: NodeId, delay: Duration) {
        self.delays.insert((from, to), delay);
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
        dead.links.clear();
        dead.attached = false;
        for index in 0..self.connections.len() {
            for end in 0..2 {
                let this = &mut self.connections[index].ends[end];
                if this.node == node && this.state != EndState::Closed {
                    this.state = EndState::Closed;
                    self.send_end(index, end, "the other end is gone");
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
        self.connections[connection].ends[end].link.send(message).unwrap();
        self.write(connection, end);
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
            let open = connection.ends.iter().all(|end| end.state == EndState::Open);
            (connection.ends[1 - end].node == to && open).then_some((index, end))
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
                Mind::Client(session) => !session.is_waiting() && (node.attached || node.deadline.is_none()),
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
            .filter_map(|node| Some((self.nodes[node.0].deadline?.max(self.now), node)))
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

    fn on_deadline(&mut self, node: NodeId) {
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
        self.flush();
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
            Event::Arrive { connection, end, bytes } => self.on_arrival(connection, end, &bytes),
            Event::Ended { connection, end, reason } => {
                if !self.connections[connection].is_cut {
                    self.lose(connection, end, reason);
                }
            }
            Event::Broken { connection, end, reason } => self.lose(connection, end, reason),
            Event::DialDone { node, life, target, address } => {
                if self.nodes[node.0].life == life && !matches!(self.nodes[node.0].mind, Mind::Gone) {
                    self.on_dial_done(node, target, address);
                }
            }
            Event::Accepted { connection } => self.on_accepted(connection),
        }
        self.flush();
    }

    fn on_arrival(&mut self, connection: usize, end: usize, bytes: &[u8]) {
        self.connections[connection].ends[1 - end].in_flight_bytes -= bytes.len();
        let this = &self.connections[connection].ends[end];
        if !self.connections[connection].is_cut && this.state == EndState::Open {
            let (node, has_mind) = (this.node, this.has_mind);
            if !has_mind {
                self.nodes[node.0].heard_bytes_count += bytes.len();
            }
            self.connections[connection].ends[end].link.receive(bytes);
            self.read(connection, end);
        }
        self.write(connection, 1 - end);
    }

    fn read(&mut self, connection: usize, end: usize) {
        while self.connections[connection].ends[end].state == EndState::Open {
            let this = &mut self.connections[connection].ends[end];
            let (node, id, has_mind) = (this.node, this.id, this.has_mind);
            let news = match this.link.next_message() {
                Ok(None) => return,
                Ok(Some(message)) => News::Message(message),
                Err(error) => News::Malformed(error),
            };
            let from = self.connections[connection].ends[1 - end].node;
            match &news {
                News::Message(message) => {
                    let message = message.clone();
                    self.record(Record::Said { from, to: node, message });
                }
                News::Malformed(error) => {
                    let error = error.clone();
                    self.record(Record::Bad { at: node, from, error });
                }
                News::Closed(_) => {}
            }
            let was_malformed = matches!(news, News::Malformed(_));
            if has_mind {
                self.tell(node, id, news);
            }
            if was_malformed {
                assert!(
                    !has_mind || self.connections[connection].ends[end].state != EndState::Open,
                    "{} keeps a link it cannot understand",
                    self.name(node)
                );
                return;
            }
        }
    }

    /// The connection is over for this end, through no doing of its mind.
    fn lose(&mut self, connection: usize, end: usize, reason: String) {
        let other = self.connections[connection].ends[1 - end].node;
        let this = &mut self.connections[connection].ends[end];
        let was_open = this.state == EndState::Open;
        let (node, id) = (this.node, this.id);
        this.state = EndState::Closed;
        if !was_open {
            return;
        }
        self.record(Record::Lost { at: node, other, reason: reason.clone() });
        if self.connections[connection].ends[end].has_mind {
            self.nodes[node.0].links.remove(&id);
            self.tell(node, id, News::Closed(reason));
        }
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
            DialTarget::Mind(Dial::Answers(_)) => Purpose::Answers,
            DialTarget::Mind(Dial::Neighbor(_)) => Purpose::Standing,
            DialTarget::Contact | DialTarget::Stranger => Purpose::Asking,
        };
        let acceptor_purpose = match self.nodes[acceptor.0].mind {
            Mind::Servent(_) => Purpose::Standing,
            _ => Purpose::Asking,
        };
        let connection = self.connections.len();
        let end = |node, id, purpose, has_mind| End {
            node,
            id: LinkId(id),
            link: Link::new(Dialect::Native, purpose),
            state: EndState::Open,
            has_mind,
            in_flight_bytes: 0,
            last_arrival: Duration::ZERO,
        };
        let acceptor_node = &self.nodes[acceptor.0];
        let acceptor_has_mind = match (&acceptor_node.mind, &acceptor_node.plan) {
            (Mind::Servent(_), _) => true,
            (Mind::Client(_), Plan::Client(plan)) => plan.hearing == Hearing::Listening,
            _ => false,
        };
        let id = connection as u64 * 2;
        let dialler_has_mind = !matches!(target, DialTarget::Stranger);
        self.connections.push(Connection {
            ends: [
                end(dialler, id, purpose, dialler_has_mind),
                end(acceptor, id + 1, acceptor_purpose, acceptor_has_mind),
            ],
            is_cut: false,
        });
        let link = LinkId(id);
        if dialler_has_mind {
            self.nodes[dialler.0].links.insert(link, (connection, 0));
        }
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
        if !acceptor.has_mind || acceptor.state != EndState::Open {
            return;
        }
        let (node, link) = (acceptor.node, acceptor.id);
        let port = 40_000 + u16::try_from(connection % 20_000).unwrap();
        let from = SocketAddr::new(self.nodes[dialler.node.0].address.ip(), port);
        self.nodes[node.0].links.insert(link, (connection, 1));
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

    fn tell(&mut self, node: NodeId, link: LinkId, news: News) {
        match &self.nodes[node.0].mind {
            Mind::Servent(_) => {
                let input = match news {
                    News::Message(message) => overlay::Input::Received { link, message },
                    News::Malformed(error) => overlay::Input::Malformed { link, error },
                    News::Closed(reason) => overlay::Input::Closed { link, reason },
                };
                self.tell_servent(node, input);
            }
            Mind::Client(_) => {
                let input = match news {
                    News::Message(message) => session::Input::Received { link, message },
                    News::Malformed(error) => session::Input::Malformed { link, error },
                    News::Closed(reason) => session::Input::Closed { link, reason },
                };
                self.tell_client(node, input);
            }
            Mind::Gone | Mind::Stranger => {}
        }
    }

    fn tell_servent(&mut self, node: NodeId, input: overlay::Input) -> usize {
        let now = self.time();
        let mut outputs = Vec::new();
        let Mind::Servent(overlay) = &mut self.nodes[node.0].mind else {
            panic!("{} is no servent that lives", self.name(node));
        };
        overlay.handle(now, input, &mut outputs);
        let count = outputs.len();
        let mut broken = Vec::new();
        for output in outputs {
            match output {
                overlay::Output::Send { link, message } => {
                    if let Message::Query(_) = &message {
                        panic!("a query is flooded, not sent");
                    }
                    if self.send(node, link, |link| link.send(&message), &mut broken) {
                        self.look_at_sent(node, link, &message);
                    }
                }
                overlay::Output::Flood { links, query } => {
                    let message = Message::Query(query);
                    let frame = Frame::new(Dialect::Native, &message).unwrap();
                    for link in links {
                        self.send(node, link, |link| link.send_frame(&frame), &mut broken);
                    }
                }
                overlay::Output::Dial { dial, address, dialect } => {
                    assert_eq!(dialect, Dialect::Native);
                    self.dial(node, DialTarget::Mind(dial), address);
                }
                // A world reads on: nobody here asks fast enough for it to matter.
                overlay::Output::Rest { .. } => {}
                overlay::Output::Close { link } => self.close(node, link),
            }
        }
        self.look_at_deadline(node);
        for (link, reason) in broken {
            self.tell_servent(node, overlay::Input::Closed { link, reason });
        }
        count
    }

    fn tell_client(&mut self, node: NodeId, input: session::Input) -> usize {
        let now = self.time();
        let mut outputs = Vec::new();
        let Mind::Client(session) = &mut self.nodes[node.0].mind else {
            panic!("{} is no client that lives", self.name(node));
        };
        session.handle(now, input, &mut outputs);
        let count = outputs.len();
        let mut broken = Vec::new();
        for output in outputs {
            match output {
                session::Output::Send { link, message } => {
                    if let Message::Request(request) = &message {
                        self.queries.push(QueryId { sequence: request.sequence, client: self.nodes[node.0].address });
                    }
                    self.send(node, link, |link| link.send(&message), &mut broken);
                }
                session::Output::Close { link } => self.close(node, link),
                session::Output::Tell(report) => {
                    match report {
                        Report::Ready => self.nodes[node.0].attached = true,
                        Report::ContactLost { .. } => self.nodes[node.0].attached = false,
                        Report::Ended(_) => {
                            let session = self.session(node).expect("a client that lives");
                            assert!(!session.is_waiting(), "it ended and waits");
                        }
                        _ => {}
                    }
                    self.record(Record::Told { client: node, report });
                }
            }
        }
        self.look_at_deadline(node);
        for (link, reason) in broken {
            self.tell_client(node, session::Input::Closed { link, reason });
        }
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

    /// Queues a frame; false when it got no further than that.
    fn send(
        &mut self,
        node: NodeId,
        link: LinkId,
        say: impl Fn(&mut Link) -> Result<(), SendError>,
        broken: &mut Vec<(LinkId, String)>,
    ) -> bool {
        let Some((connection, end)) = self.nodes[node.0].links.get(&link).copied() else {
            self.sent_to_nobody_count += 1;
            return false;
        };
        let other = self.connections[connection].ends[1 - end].node;
        let this = &mut self.connections[connection].ends[end];
        let result = say(&mut this.link);
        self.unsent_bytes_most = self.unsent_bytes_most.max(this.link.unsent().len());
        assert!(self.unsent_bytes_most <= NEIGHBOR_UNSENT_BYTES_MAX);
        self.dirty.insert((connection, end));
        let Err(error) = result else { return true };
        if matches!(error, SendError::Full(_)) {
            this.state = EndState::Closed;
            self.nodes[node.0].links.remove(&link);
            self.send_end(connection, end, "the other end closed");
            broken.push((link, error.to_string()));
        }
        self.record(Record::Unsendable { from: node, to: other, error });
        false
    }

    fn close(&mut self, node: NodeId, link: LinkId) {
        let Some((connection, end)) = self.nodes[node.0].links.remove(&link) else {
            return;
        };
        let other = self.connections[connection].ends[1 - end].node;
        self.record(Record::Closed { by: node, other });
        self.connections[connection].ends[end].state = EndState::Closing;
        self.dirty.insert((connection, end));
    }

    // ---- bytes ----

    fn flush(&mut self) {
        for (connection, end) in std::mem::take(&mut self.dirty) {
            self.write(connection, end);
        }
    }

    /// Moves what an end has queued into the connection, as far as that has room.
    fn write(&mut self, connection: usize, end: usize) {
        let this = &mut self.connections[connection].ends[end];
        if this.state == EndState::Closed {
            return;
        }
        let room = WINDOW_BYTES.saturating_sub(this.in_flight_bytes);
        let unsent = this.link.unsent();
        let bytes = unsent[..unsent.len().min(room)].to_vec();
        this.link.sent(bytes.len());
        let is_all = this.link.unsent().is_empty();
        if !bytes.is_empty() {
            self.put_in_flight(connection, end, bytes);
        }
        if is_all && self.connections[connection].ends[end].state == EndState::Closing {
            self.connections[connection].ends[end].state = EndState::Closed;
            self.send_end(connection, end, "the other end closed");
        }
    }

    fn put_in_flight(&mut self, connection: usize, from_end: usize, bytes: Vec<u8>) {
        if self.connections[connection].is_cut {
            return;
        }
        let at = self.arrival(connection, from_end);
        self.connections[connection].ends[from_end].in_flight_bytes += bytes.len();
        self.schedule(at, Event::Arrive { connection, end: 1 - from_end, bytes });
    }

    fn send_end(&mut self, connection: usize, from_end: usize, reason: &str) {
        let at = self.arrival(connection, from_end);
        let reason = reason.to_owned();
        self.schedule(at, Event::Ended { connection, end: 1 - from_end, reason });
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

    /// No life of a servent answers a query twice.
    fn look_at_sent(&mut self, node: NodeId, link: LinkId, message: &Message) {
        if let Message::Answer(answer) = message {
            let (connection, end) = self.nodes[node.0].links[&link];
            let client = self.connections[connection].ends[1 - end].node;
            let id = QueryId { sequence: answer.sequence, client: self.nodes[client.0].address };
            let is_first = self.answers.insert((id, node, self.nodes[node.0].life));
            assert!(is_first, "servent {} answers {id} twice", self.nodes[node.0].name);
        }
    }

    /// The state of the world, for whoever has to find out why something went wrong.
    pub(crate) fn describe(&self) -> String {
        let mut text = format!("at {:?}, {} events to come\n", self.now, self.events.len());
        for node in &self.nodes {
            let state = match &node.mind {
                Mind::Gone => "gone".to_owned(),
                Mind::Servent(overlay) => format!("servent, {} pending", overlay.pending_count()),
                Mind::Client(session) => format!("client, waiting: {}", session.is_waiting()),
                Mind::Stranger => "stranger".to_owned(),
            };
            let _ = writeln!(
                text,
                "  {}: {state}, {} links, deadline {:?}{}",
                node.name,
                node.links.len(),
                node.deadline,
                if node.paused { ", paused" } else { "" }
            );
        }
        text
    }
}
