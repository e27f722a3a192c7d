//! The wired engine: minds around connections that carry bytes, hold them up, cut them anywhere and fall.
//!
//! It is the loop, the clock and who there is. `connection` moves what is said, `shell` tells minds what happens and has
//! their exchanges perform what they want (`messages` where nothing is made bytes of),
//! `trouble` performs the faults, `hostile` and `liar` speak for those who mean no good, and `witness` judges what comes of it. It
//! decides nothing a servent or a client decides, and the only clock it reads tells how long the run took.
//!
//! A run rises (everybody starts and links up), runs (queries are asked, faults strike) and, where there were faults,
//! heals: the overlay must come back by itself, and one more query must find everybody. Then nothing more is asked, and
//! everybody must forget what was: of that the run's own figures tell nothing.

mod connection;
mod hostile;
mod liar;
mod messages;
mod shell;
mod trouble;
mod witness;

use std::collections::{BinaryHeap, VecDeque};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::address::Neighbor;
use common::dialect::Dialect;
use common::disk::JobDone;
use common::exchange::Exchange;
use common::key::Key;
use common::limits::{CONTACT_QUIET_MAX, NEIGHBOR_BEAT};
use common::link::{LinkId, Purpose};
use common::message::ServentId;
use common::overlay::{self, Config, Dial, Overlay};
use common::query::Ask;
use common::random::Secret;
use common::session::{self, Session};
use common::store::Store;
use common::time::Time;
use common::wire::Accepts;

use super::dialects;
use super::graph::number;
use super::outcome::RunOutcome;
use super::plan::{Delays, Wire};
use super::random::Random;
use super::scene::{Asking, Scene};

use connection::{Connection, EndStage, Way};
use shell::Caller;
use trouble::Trouble;
use witness::Witness;

/// A moment, in nanoseconds since everybody was started.
type Nanos = u64;

const MILLISECOND: Nanos = 1_000_000;
const SECOND: Nanos = 1_000 * MILLISECOND;
/// A client attaches this long before it asks: two ways to connect and two to say hello, at their slowest.
const ATTACH_LEAD: Nanos = 600 * MILLISECOND;
/// How often the world looks how far things are.
const LOOK_EVERY: Nanos = 250 * MILLISECOND;
/// Nothing has happened to any link for this long before an overlay counts as standing.
const STANDS_AFTER: Nanos = SECOND;
/// How long an overlay may take to stand for the first time.
const RISE_MAX: Nanos = 20 * SECOND;
/// How long it may take until all is well after the last fault: the longest silence of a neighbor (12 s), the longest
/// pause before a dial (10 s), and the same for those who greet a servent that has just gone.
const HEAL_MAX: Nanos = 40 * SECOND;
/// How long what is pending may outlive the last session of a healthy run.
const SETTLE_MAX: Nanos = 10 * SECOND;
/// How long after the last query everybody has forgotten all of them: what is kept for longest is contacts, until they were
/// quiet for so many whole beats.
const FORGET_AFTER: Duration = CONTACT_QUIET_MAX.saturating_add(NEIGHBOR_BEAT.saturating_mul(3));
/// Where there are more links nobody waits for that: over each somebody is pinged every few seconds, and it would take longer
/// than the run itself. About half of the runs that are drawn with faults have no more.
const FORGETTING_LINKS_MAX: usize = 40;
/// A run that is not over by then, in the time of its own network, never will be.
const RUN_MAX: Nanos = 400 * SECOND;
/// More steps than this without an end are a loop; and some more for every servent.
const STEPS_MAX: u64 = 20_000_000;
const STEPS_PER_SERVENT_MAX: u64 = 10_000;

// What the streams of random numbers are for.
const DRIFT: u64 = 0x776f_726c_6401_0000;
const WAYS: u64 = 0x776f_726c_6402_0000;
const DIALLERS: u64 = 0x776f_726c_6403_0000;
const SEQUENCES: u64 = 0x776f_726c_6404_0000;
const PROBES: u64 = 0x776f_726c_6405_0000;

/// Runs a scene to its end. It never panics: what must not be is told in [`RunOutcome::broken`].
#[must_use]
pub fn run(scene: &Scene) -> RunOutcome {
    let begun = Instant::now();
    let mut world = World::new(scene);
    world.live();
    let mut outcome = world.finish();
    outcome.seconds = begun.elapsed().as_secs_f64();
    outcome
}

/// Something that comes at its time.
#[derive(Debug)]
enum What {
    /// A mind wants to be told its deadline.
    Due { node: usize },
    /// An exchange wants to be told that time has passed.
    LinksDue { node: usize },
    /// What is first in a pipe has come to its end.
    Arrive { connection: usize, from: usize },
    /// A dial comes to whom it was for.
    Knock(Knock),
    /// A dial came to nothing.
    NoAnswer { node: usize, life: u32, caller: Caller, refused: bool },
    /// The dialler learns that its dial succeeded.
    Established { connection: usize },
    /// The mind of the acceptor learns of the connection.
    Accepted { connection: usize },
    /// One end learns that the connection broke.
    Broken { connection: usize, end: usize },
    /// A closed connection has waited long enough for its other end.
    Lingered { connection: usize, end: usize },
    /// What was sent has gone without acknowledgement for as long as the system waits.
    Unacknowledged { connection: usize, from: usize, epoch: u32 },
    /// Nothing at all has come from the other end for as long as the system waits.
    Unheard { connection: usize, end: usize, epoch: u32 },
    /// A connection of a flapping link has stood long enough.
    Flap { connection: usize },
    /// A client comes.
    Attach { query: usize },
    /// A client is to ask.
    Ask { query: usize },
    /// A fault begins.
    Begins { fault: usize },
    /// A fault is over.
    Ends { fault: usize },
    /// A hostile servent does something.
    Misdeed { fault: usize },
    /// A servent in trouble learns where a neighbor is, or that nobody knows.
    LookedUp { node: usize, life: u32, done: JobDone },
    /// The world looks how far things are.
    Look,
}

/// A dial on its way.
#[derive(Clone, Copy, Debug)]
struct Knock {
    node: usize,
    life: u32,
    caller: Caller,
    to: Option<usize>,
    dialect: Dialect,
    begun: Nanos,
}

#[derive(Debug)]
struct Coming {
    at: Nanos,
    sequence: u64,
    what: What,
}

impl PartialEq for Coming {
    fn eq(&self, other: &Coming) -> bool {
        (self.at, self.sequence) == (other.at, other.sequence)
    }
}

impl Eq for Coming {}

impl PartialOrd for Coming {
    fn partial_cmp(&self, other: &Coming) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Coming {
    /// The earliest is the greatest: that is what a heap gives first.
    fn cmp(&self, other: &Coming) -> std::cmp::Ordering {
        (other.at, other.sequence).cmp(&(self.at, self.sequence))
    }
}

/// Who lives at a node.
enum Mind {
    Gone,
    Servent(Box<Overlay>),
    Client(Box<Session>),
    /// Nobody of ours: the hostile servent of this fault.
    Hostile(usize),
}

/// Somebody with an address: first all servents, then clients and hostile ones in the order they came.
struct Node {
    address: SocketAddr,
    /// The servent it shares a machine room with: itself, its contact, or whoever it attached to.
    place: usize,
    life: u32,
    mind: Mind,
    /// The machine is gone, and not only the process.
    vanished: bool,
    pauses: u32,
    /// What happened to it while it was paused.
    postponed: Vec<What>,
    /// When it is to be told its deadline next: the earliest of the heap's events that say so.
    scheduled: Nanos,
    /// The same of its exchange.
    links_scheduled: Nanos,
    /// Its connections, in no order that matters.
    connections: Vec<usize>,
    slow: Option<Slow>,
    /// For a client, which query is its own.
    query: Option<usize>,
}

/// How a slow reader reads.
#[derive(Clone, Copy, Debug)]
struct Slow {
    bytes: usize,
    pause: Nanos,
    /// How many faults make it slow.
    faults: u32,
}

/// How far a run is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Phase {
    Rising,
    Running,
    /// The last fault is over. Until then everything has to be well.
    Healing {
        until: Nanos,
    },
    /// The run has come to its end, and its figures are taken. Until then everybody forgets it.
    Forgetting {
        until: Nanos,
    },
    Over,
}

struct World<'s> {
    scene: &'s Scene,
    now: Nanos,
    phase: Phase,
    /// When the scene's time begins.
    start: Nanos,
    /// When the last fault is over and the last query asked.
    busy_until: Nanos,
    coming: BinaryHeap<Coming>,
    sequence: u64,
    nodes: Vec<Node>,
    /// The links of each node.
    exchanges: Vec<Exchange>,
    /// Nodes that have something to do once the event at hand is dealt with.
    touched: Vec<usize>,
    connections: Vec<Connection>,
    /// Without bytes: ends with something to write once the event at hand is dealt with.
    unflushed: Vec<(usize, usize)>,
    /// Without bytes: links that took no more while a mind was speaking: it is told when it has finished.
    full: VecDeque<(usize, u32, LinkId)>,
    ask: Ask,
    way: Way,
    random: Random,
    troubles: Vec<Trouble>,
    witness: Witness<'s>,
    /// The query asked after healing.
    probe: Option<usize>,
    probes: u64,
    /// Where one was not whole after a forger: what it spoilt is noticed by that query, and mended by the next.
    spoilt_at: Option<usize>,
    hash: u64,
    steps: u64,
    outcome: RunOutcome,
    /// What is told of a run that is being forgotten.
    figures: Option<RunOutcome>,
    // Scratch space.
    wanted: Vec<overlay::Output>,
    wanted_of_clients: Vec<session::Output>,
    spare: Vec<Vec<u8>>,
}

impl<'s> World<'s> {
    fn new(scene: &'s Scene) -> World<'s> {
        let plan = &scene.plan;
        let servents = scene.graph.servents();
        let ask = Key::new(b"tea").map_or(Ask::Topology, Ask::Key);
        let mut world = World {
            scene,
            now: 0,
            phase: Phase::Rising,
            start: 0,
            busy_until: 0,
            coming: BinaryHeap::new(),
            sequence: 0,
            nodes: Vec::with_capacity(servents + scene.queries.len() + 4),
            exchanges: Vec::new(),
            touched: Vec::new(),
            connections: Vec::new(),
            unflushed: Vec::new(),
            full: VecDeque::new(),
            ask,
            way: Way::draw(&mut Random::of(plan.seed, WAYS), !scene.faults.is_empty()),
            random: Random::of(plan.seed, DRIFT),
            troubles: scene.faults.iter().map(|fault| Trouble::new(plan.seed, fault, servents)).collect(),
            witness: Witness::new(scene),
            probe: None,
            probes: 0,
            spoilt_at: None,
            hash: plan.seed,
            steps: 0,
            outcome: RunOutcome { servents, links: scene.graph.links_count(), ..RunOutcome::default() },
            figures: None,
            wanted: Vec::new(),
            wanted_of_clients: Vec::new(),
            spare: Vec::new(),
        };
        for servent in 0..servents {
            world.add(servent, Mind::Gone, None);
        }
        for servent in 0..servents {
            if !world.is_absent(servent) {
                world.start_servent(servent);
            }
        }
        world.schedule(LOOK_EVERY, What::Look);
        world
    }

    fn live(&mut self) {
        let steps_max = STEPS_MAX + STEPS_PER_SERVENT_MAX * self.scene.graph.servents() as u64;
        while self.phase != Phase::Over {
            let Some(Coming { at, what, .. }) = self.coming.pop() else {
                return self.witness.broke(self.now, "the world stands still: nothing is to come");
            };
            self.now = at;
            self.steps += 1;
            let is_forgetting = matches!(self.phase, Phase::Forgetting { .. });
            if self.steps > steps_max || self.now > RUN_MAX && !is_forgetting {
                let text = format!("no end after {} steps, {}", self.steps, self.describe());
                return self.witness.broke(self.now, &text);
            }
            self.happen(what);
            self.settle();
        }
    }

    fn finish(mut self) -> RunOutcome {
        let mut outcome = self.figures.take().unwrap_or_else(|| self.take_figures());
        outcome.broken = self.witness.broken;
        outcome
    }

    /// What the run came to, up to now.
    fn take_figures(&mut self) -> RunOutcome {
        let mut outcome = std::mem::take(&mut self.outcome);
        self.witness.on_end(self.now, &mut outcome);
        outcome.simulated = Duration::from_nanos(self.now);
        outcome.trace_hash = mix(mix(self.hash, self.now), outcome.events);
        outcome
    }

    /// All is well: nothing more is to come but that it is forgotten.
    fn let_forget(&mut self) {
        self.figures = Some(self.take_figures());
        self.phase = if self.scene.graph.links_count() > FORGETTING_LINKS_MAX {
            Phase::Over
        } else {
            Phase::Forgetting { until: self.now + nanos(FORGET_AFTER) }
        };
    }

    fn look_at_what_is_left(&mut self) {
        for (servent, node) in self.nodes.iter().enumerate() {
            if let Mind::Servent(overlay) = &node.mind {
                self.witness.check_forgotten(self.now, servent, overlay.holdings());
            }
        }
        self.phase = Phase::Over;
    }

    // ---- who there is ----

    fn is_absent(&self, servent: usize) -> bool {
        self.scene.absent.get(servent).copied().unwrap_or(false)
    }

    fn add(&mut self, place: usize, mind: Mind, query: Option<usize>) -> usize {
        let node = self.nodes.len();
        let servents = self.scene.graph.servents();
        let address = match &mind {
            Mind::Client(_) => address_of(11, node - servents, 7000),
            Mind::Hostile(_) => address_of(12, node - servents, 5000),
            Mind::Gone | Mind::Servent(_) => address_of(10, node, 9000),
        };
        self.nodes.push(Node {
            address,
            place,
            life: 0,
            mind,
            vanished: false,
            pauses: 0,
            postponed: Vec::new(),
            scheduled: Nanos::MAX,
            links_scheduled: Nanos::MAX,
            connections: Vec::new(),
            slow: None,
            query,
        });
        self.exchanges.push(self.exchange_of(node));
        node
    }

    /// The links of somebody who has none yet.
    fn exchange_of(&self, node: usize) -> Exchange {
        match self.nodes[node].mind {
            Mind::Client(_) => Exchange::client(Accepts::answers_to(self.dialect_of_client(node))),
            Mind::Hostile(_) => Exchange::client(Accepts::ANY),
            Mind::Servent(_) | Mind::Gone => Exchange::servent(match self.scene.plan.wire {
                Wire::None | Wire::Native => Accepts::OWN,
                Wire::Tp3 | Wire::Mixed => Accepts::ANY,
            }),
        }
    }

    /// Who is found at an address, if anybody ever was.
    fn at_address(&self, address: SocketAddr) -> Option<usize> {
        let SocketAddr::V4(v4) = address else { return None };
        let [kind, rest @ ..] = v4.ip().octets();
        let number = rest.iter().fold(0, |number, byte| number << 8 | usize::from(*byte));
        let node = if kind == 10 { number } else { number + self.scene.graph.servents() };
        self.nodes.get(node).is_some_and(|found| found.address == address).then_some(node)
    }

    /// Starts a servent, for the first time or anew: with an empty mind, and as somebody else.
    fn start_servent(&mut self, servent: usize) {
        let plan = &self.scene.plan;
        let neighbors = self.scene.graph.neighbors(servent).iter().copied();
        let neighbors = neighbors.map(|other| (other, dialects::of_link(plan, servent, other as usize)));
        let listed = neighbors.filter(|(other, dialect)| lists(plan.seed, *dialect, number(servent), *other));
        let neighbor = |(other, dialect)| Neighbor { name: format!("s{other}"), addresses: Vec::new(), dialect };
        let neighbors = listed.map(neighbor).collect();
        let data = if self.scene.holders.binary_search(&number(servent)).is_ok() {
            format!("tea of {servent}\nmilk x\n")
        } else {
            "milk x\n".to_owned()
        };
        let store = Store::parse(data.into_bytes()).map(|(store, _)| store).unwrap_or_default();
        let node = &mut self.nodes[servent];
        node.life += 1;
        node.vanished = false;
        #[allow(clippy::needless_update, reason = "a field that is added need not be known here")]
        let config = Config {
            advertised: node.address,
            servent_id: id_of(servent, node.life),
            ttl: self.scene.ttls.get(servent).copied().unwrap_or(plan.ttl),
            forward_once: self.scene.forward_once.get(servent).copied().unwrap_or(false),
            neighbors,
            // As `--tp3-answers` names the network the clients are in.
            answer_networks: "11.0.0.0/8".parse().into_iter().collect(),
            ..Config::default()
        };
        node.mind = Mind::Servent(Box::new(Overlay::new(&config, Arc::new(store))));
        self.look_at_deadline(servent);
    }

    // ---- time ----

    fn time(&self) -> Time {
        Time::after_start(Duration::from_nanos(self.now))
    }

    fn schedule(&mut self, at: Nanos, what: What) {
        self.sequence += 1;
        self.coming.push(Coming { at: at.max(self.now), sequence: self.sequence, what });
    }

    fn note(&mut self, value: u64) {
        self.hash = mix(self.hash, value);
    }

    /// Notes what happens, for the hash over everything that did.
    fn note_event(&mut self, node: usize, kind: u64) {
        self.outcome.events += 1;
        self.hash = mix(mix(self.hash, self.now), (node as u64) << 8 | kind);
    }

    fn happen(&mut self, what: What) {
        let sleeper = match &what {
            What::Established { connection } => Some(self.connections[*connection].ends[0].node),
            What::Accepted { connection } => Some(self.connections[*connection].ends[1].node),
            What::Broken { connection, end } | What::Lingered { connection, end } => {
                Some(self.connections[*connection].ends[*end].node)
            }
            What::NoAnswer { node, .. } | What::LookedUp { node, .. } => Some(*node),
            _ => None,
        };
        if let Some(sleeper) = sleeper.and_then(|node| self.nodes.get_mut(node))
            && sleeper.pauses > 0
        {
            return sleeper.postponed.push(what);
        }
        match what {
            What::Due { node } => self.on_due(node),
            What::LinksDue { node } => self.on_links_due(node),
            What::Arrive { connection, from } => self.on_arrival(connection, from),
            What::Knock(knock) => self.on_knock(knock),
            What::NoAnswer { node, life, caller, refused } => self.on_no_answer(node, life, caller, refused),
            What::Established { connection } => self.on_established(connection),
            What::Accepted { connection } => self.on_accepted(connection),
            What::Broken { connection, end } => self.on_broken(connection, end),
            What::Lingered { connection, end } => self.on_lingered(connection, end),
            What::Unacknowledged { connection, from, epoch } => self.on_unacknowledged(connection, from, epoch),
            What::Unheard { connection, end, epoch } => self.on_unheard(connection, end, epoch),
            What::Flap { connection } => self.on_flap(connection),
            What::Attach { query } => self.attach(query),
            What::Ask { query } => self.ask(query),
            What::Begins { fault } => self.begin(fault),
            What::Ends { fault } => self.end(fault),
            What::Misdeed { fault } => self.misdeed(fault),
            What::LookedUp { node, life, done } => self.on_looked_up(node, life, done),
            What::Look => self.look(),
        }
    }

    /// Does what the event at hand has left: tells minds of links that took no more, then writes.
    fn settle(&mut self) {
        loop {
            if let Some((node, life, link)) = self.full.pop_front() {
                self.tell_full(node, life, link);
            } else if let Some((connection, end)) = self.unflushed.pop() {
                self.flush(connection, end);
            } else if let Some(node) = self.touched.pop() {
                self.settle_node(node);
            } else {
                return;
            }
        }
    }

    // ---- how far things are ----

    fn look(&mut self) {
        let stands = self.witness.all_links_stand() && self.witness.touched_last + STANDS_AFTER <= self.now;
        match self.phase {
            Phase::Rising if stands => self.begin_scene(),
            Phase::Rising if self.now > RISE_MAX => {
                let text = format!("the overlay does not come to stand: {}", self.witness.missing_links());
                self.give_up(&text);
            }
            Phase::Running if self.now > self.busy_until && self.witness.all_ended() => self.look_after_the_last(),
            Phase::Healing { until } => self.look_at_healing(until, stands),
            Phase::Forgetting { until } if self.now >= until => self.look_at_what_is_left(),
            Phase::Rising | Phase::Running | Phase::Forgetting { .. } | Phase::Over => {}
        }
        self.schedule(self.now + LOOK_EVERY, What::Look);
    }

    fn begin_scene(&mut self) {
        self.phase = Phase::Running;
        self.witness.has_risen = true;
        self.start = self.now + ATTACH_LEAD;
        self.busy_until = self.start;
        for fault in 0..self.scene.faults.len() {
            let (at, ends) = (self.scene.faults[fault].at, self.scene.faults[fault].ends());
            self.schedule(self.start + nanos(at), What::Begins { fault });
            self.schedule(self.start + nanos(ends), What::Ends { fault });
            self.busy_until = self.busy_until.max(self.start + nanos(ends));
        }
        for asking in 0..self.scene.queries.len() {
            let asking = self.scene.queries[asking];
            if (asking.contact as usize) < self.scene.graph.servents() && !self.is_absent(asking.contact as usize) {
                self.announce(asking, self.start + nanos(asking.at), false);
            }
        }
    }

    /// Has a client come and ask.
    fn announce(&mut self, asking: Asking, at: Nanos, is_probe: bool) -> usize {
        let query = self.witness.on_announced(asking, is_probe);
        self.busy_until = self.busy_until.max(at);
        self.schedule(at.saturating_sub(ATTACH_LEAD), What::Attach { query });
        self.schedule(at, What::Ask { query });
        query
    }

    /// The scene is played: every session has ended.
    fn look_after_the_last(&mut self) {
        if !self.scene.faults.is_empty() {
            self.phase = Phase::Healing { until: self.now + HEAL_MAX };
            self.way.widen();
        } else if self.pending_count() == 0 {
            self.let_forget();
        } else if self.now > self.busy_until.max(self.witness.ended_last) + SETTLE_MAX {
            let text = format!("something is pending long after the last session has ended: {}", self.describe());
            self.give_up(&text);
        }
    }

    fn look_at_healing(&mut self, until: Nanos, stands: bool) {
        let Some(probe) = self.probe else {
            if stands && self.pending_count() == 0 && !self.has_dead_ends() {
                self.probe = self.send_probe();
                if self.probe.is_none() {
                    self.let_forget();
                }
            } else if self.now > until {
                let dead = if self.has_dead_ends() { "a link whose other end is gone, " } else { "" };
                let text = format!(
                    "not well {} s after the last fault: {}{dead}{}",
                    HEAL_MAX / SECOND,
                    self.witness.missing_links(),
                    self.describe()
                );
                self.give_up(&text);
            }
            return;
        };
        if !self.witness.has_ended(probe) {
            return;
        }
        let faults = self.witness.what_is_wrong(probe);
        if faults.is_empty() && self.pending_count() == 0 {
            self.let_forget();
        } else if self.now > until {
            let text = format!("after healing, a new query is not what it must be: {}", faults.join("; "));
            self.give_up(&text);
        } else if faults.is_empty() || self.witness.was_disturbed(probe) {
            // The last of two links between the same servents may go this late: that is no fault, and one more query
            // must find all well.
            self.probe = None;
        } else if self.spoilt_at.is_none() && self.witness.is_forger_there {
            self.spoilt_at = self.witness.contact_of(probe);
            self.probe = None;
        } else {
            let text = format!("after healing, a new query is not what it must be: {}", faults.join("; "));
            self.give_up(&text);
        }
    }

    /// Whether a servent still counts on a link whose other end is gone.
    fn has_dead_ends(&self) -> bool {
        let mut known = self.nodes.iter().flat_map(|node| &node.connections);
        known.any(|connection| {
            let found = &self.connections[*connection];
            let is_gone = |end: usize| found.ends[end].stage == EndStage::Gone;
            found.caller.purpose() == Purpose::Standing && is_gone(0) != is_gone(1)
        })
    }

    /// One more query, from anywhere.
    fn send_probe(&mut self) -> Option<usize> {
        let present: Vec<usize> = (0..self.scene.graph.servents()).filter(|node| !self.is_absent(*node)).collect();
        let mut random = Random::of(self.scene.plan.seed, PROBES + self.probes);
        let drawn = *present.get(random.index(present.len()))?;
        let contact = self.spoilt_at.unwrap_or(drawn);
        self.probes += 1;
        let asking =
            Asking { number: u32::MAX, at: Duration::ZERO, contact: number(contact), topology: random.chance(25) };
        Some(self.announce(asking, self.now + ATTACH_LEAD, true))
    }

    fn give_up(&mut self, text: &str) {
        self.witness.broke(self.now, text);
        self.phase = Phase::Over;
    }

    /// Queries of which anybody alive awaits echoes.
    fn pending_count(&self) -> usize {
        self.nodes
            .iter()
            .map(|node| if let Mind::Servent(overlay) = &node.mind { overlay.pending_count() } else { 0 })
            .sum()
    }

    fn describe(&self) -> String {
        let pending = self.nodes.iter().enumerate().filter_map(|(node, found)| match &found.mind {
            Mind::Servent(overlay) if overlay.pending_count() > 0 => {
                Some(format!("s{node} has {} pending", overlay.pending_count()))
            }
            _ => None,
        });
        pending.collect::<Vec<_>>().join(", ")
    }

    // ---- clients ----

    fn attach(&mut self, query: usize) {
        let Some(contact) = self.witness.contact_of(query) else { return };
        let plan = &self.scene.plan;
        let secret = Secret::of_seed(Random::of(plan.seed, SEQUENCES + query as u64).number());
        let dialect = self.witness.dialect_of(query);
        let session = Session::new(dialect, 7000, secret);
        let node = self.add(contact, Mind::Client(Box::new(session)), Some(query));
        self.nodes[node].life = 1;
        self.witness.on_attaching(self.now, query, node, self.nodes[node].address);
        self.dial(node, Caller::Contact, self.nodes[contact].address, dialect);
    }

    fn ask(&mut self, query: usize) {
        if self.witness.begin_asking(self.now, query) {
            let Some(node) = self.witness.client_of(query) else { return };
            let ask = if self.witness.is_topology(query) { Ask::Topology } else { self.ask.clone() };
            self.note_event(node, 1);
            self.ask_as_client(node, ask);
        }
    }

    /// What whoever is at a node speaks to its contact, if it is a client.
    fn dialect_of_client(&self, node: usize) -> Dialect {
        self.nodes[node].query.map_or(Dialect::OWN, |query| self.witness.dialect_of(query))
    }

    /// How long something takes.
    fn draw_delay(&mut self) -> Nanos {
        match self.scene.plan.delays {
            Delays::Equal => 10 * MILLISECOND,
            Delays::Mild => self.random.within(5 * MILLISECOND, 15 * MILLISECOND),
            Delays::Heavy if self.random.chance(50) => self.random.below(MILLISECOND),
            Delays::Heavy => self.random.below(100 * MILLISECOND),
        }
    }
}

/// Who a servent is in one of its lives.
fn id_of(servent: usize, life: u32) -> ServentId {
    // Scattered, so that the smaller id is not always that of the smaller number.
    let [scattered, low] = [0, 1].map(|half| Random::of(servent as u64 + 1, u64::from(life) << 8 | half).number());
    ServentId(u128::from(scattered) << 64 | u128::from(low))
}

/// Whether a servent lists another as its neighbor. Of each link one end does, and sometimes both; never both in TP3,
/// where two links between the same servents cannot be told to be the same.
fn lists(seed: u64, dialect: Dialect, servent: u32, other: u32) -> bool {
    let (small, large) = (servent.min(other), servent.max(other));
    let mut random = Random::of(seed ^ DIALLERS, u64::from(small) << 32 | u64::from(large));
    let small_lists = random.chance(50);
    let both = random.chance(20) && dialect == Dialect::OWN;
    both || small_lists == (servent == small)
}

fn address_of(kind: u8, number: usize, port: u16) -> SocketAddr {
    let [.., high, middle, low] = (number as u64).to_be_bytes();
    SocketAddr::from((Ipv4Addr::new(kind, high, middle, low), port))
}

fn nanos(duration: Duration) -> Nanos {
    u64::try_from(duration.as_nanos()).unwrap_or(Nanos::MAX)
}

fn mix(hash: u64, value: u64) -> u64 {
    let mixed = (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}

/// What a dial of a mind is for.
fn is_neighbor_dial(caller: Caller) -> bool {
    matches!(caller, Caller::Mind(Dial::Neighbor(_)))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use common::address::AnswerAddress;
    use common::message::{Hello, Message, Role};
    use common::overlay::Opening;
    use common::query::{Path, Query};

    use super::super::graph::Graph;
    use super::super::plan::{Faults, Plan, Shape};
    use super::*;

    /// A chain of three, of which the last holds the key.
    pub(super) fn chain() -> Scene {
        Scene {
            plan: Plan {
                shape: Shape::Chain,
                servents: 3,
                degree: 2,
                ttl: 3,
                queries: 1,
                holders: 1,
                seed: 1,
                delays: Delays::Equal,
                faults: Faults::default(),
                wire: Wire::Native,
                forward_once: 0,
                without: BTreeSet::new(),
            },
            graph: Graph::from_links(3, &[(0, 1), (1, 2)]),
            absent: vec![false; 3],
            ttls: vec![3; 3],
            forward_once: vec![false; 3],
            holders: vec![2],
            queries: vec![Asking { number: 0, at: Duration::ZERO, contact: 0, topology: false }],
            faults: Vec::new(),
        }
    }

    #[test]
    fn addresses_lead_back_to_who_has_them() {
        let scene = chain();
        let mut world = World::new(&scene);
        let hostile = world.add(1, Mind::Hostile(0), None);
        for node in [0, 2, hostile] {
            assert_eq!(world.at_address(world.nodes[node].address), Some(node));
        }
        assert_eq!(world.at_address(address_of(13, 0, 7000)), None);
        assert_eq!(world.at_address(address_of(10, 2, 7000)), None);
        assert_eq!(world.at_address(address_of(11, 0, 7000)), None);
    }

    #[test]
    fn of_every_link_one_end_dials_at_least() {
        for seed in 0..200 {
            assert!(lists(seed, Dialect::Native, 0, 1) || lists(seed, Dialect::Native, 1, 0));
            assert!(lists(seed, Dialect::Tp3, 0, 1) != lists(seed, Dialect::Tp3, 1, 0));
        }
    }

    #[test]
    fn what_is_pending_for_ever_is_noticed() {
        let scene = chain();
        let mut world = World::new(&scene);
        let Mind::Servent(overlay) = &mut world.nodes[1].mind else { panic!("no servent") };
        let (now, mut wanted) = (Time::START, Vec::new());
        for stranger in [1_000, 1_001] {
            let link = LinkId(stranger);
            let opening = Opening::Accepted(address_of(10, 0, 40_000));
            let role = Role::Servent { id: ServentId(stranger.into()), advertised: address_of(10, 0, 9000) };
            overlay.handle(now, overlay::Input::Opened { link, opening }, &mut wanted);
            let message = Message::Hello(Hello::new(role));
            overlay.handle(now, overlay::Input::Received { link, message }, &mut wanted);
        }
        let query = Query {
            sequence: 1,
            client: AnswerAddress { socket: address_of(13, 0, 7000), dialect: Dialect::Native },
            contact: None,
            ttl: 3,
            hops: 1,
            ask: world.ask.clone(),
            path: Path::default(),
        };
        let message = Message::query(query);
        overlay.handle(now, overlay::Input::Received { link: LinkId(1_000), message }, &mut wanted);
        world.phase = Phase::Running;
        world.now = SETTLE_MAX + 1;
        world.look();
        assert_eq!(world.phase, Phase::Over);
        assert!(world.witness.broken[0].contains("s1 has 1 pending"), "{:?}", world.witness.broken);
    }

    #[test]
    fn a_world_without_an_end_is_noticed() {
        let scene = chain();
        let mut world = World::new(&scene);
        world.phase = Phase::Running;
        world.busy_until = Nanos::MAX;
        world.live();
        assert!(world.witness.broken.iter().any(|text| text.contains("no end after")), "{:?}", world.witness.broken);
    }
}
