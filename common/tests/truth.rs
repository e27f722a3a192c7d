//! Whole floods against a reference small enough to be obviously right: breadth-first search within the horizon.
//!
//! Overlays, holders, delays and faults are drawn from seeds. A failure names its seed; `TRUTH_SEED=123 cargo test -p
//! common --test truth` runs that one alone. What is said on the way is for the stories; this file only knows who ought
//! to be reached, who ought to answer, and what it ought to cost.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]
#![allow(clippy::disallowed_methods, reason = "a variable names the seed to run")]

mod world;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::Duration;

use common::key::Key;
use common::query::{AnswerBody, Ask, QueryId};
use common::session::{EndReason, Ending, Report};
use world::{ClientPlan, Delay, NodeId, Random, ServentPlan, World};

/// Runs a property for so many seeds, or for the one that was asked for.
fn for_seeds(count: u64, property: fn(u64)) {
    let wanted = std::env::var("TRUTH_SEED").ok().map(|seed| seed.parse().expect("a seed is a number"));
    let seeds = wanted.map_or(0..count, |seed| seed..seed + 1);
    for seed in seeds {
        if catch_unwind(AssertUnwindSafe(|| property(seed))).is_err() {
            panic!("TRUTH_SEED={seed} fails, see above");
        }
    }
}

// ---- the reference ----

/// A declared overlay: which servents there are, who is linked with whom, who holds the key.
#[derive(Clone, Debug)]
struct Shape {
    neighbors: Vec<BTreeSet<usize>>,
    holders: BTreeSet<usize>,
}

impl Shape {
    fn new(servents: usize) -> Shape {
        Shape { neighbors: vec![BTreeSet::new(); servents], holders: BTreeSet::new() }
    }

    fn link(&mut self, a: usize, b: usize) {
        if a != b {
            self.neighbors[a].insert(b);
            self.neighbors[b].insert(a);
        }
    }

    fn links(&self) -> Vec<(usize, usize)> {
        let each = |(a, neighbors): (usize, &BTreeSet<usize>)| {
            neighbors.iter().map(|b| (a, *b)).filter(|(a, b)| a < b).collect::<Vec<_>>()
        };
        self.neighbors.iter().enumerate().flat_map(each).collect()
    }

    /// How many links away from a servent the others are; those out of every reach are left out.
    fn distances(&self, from: usize) -> BTreeMap<usize, usize> {
        let mut distances = BTreeMap::from([(from, 0)]);
        let mut queue = VecDeque::from([from]);
        while let Some(at) = queue.pop_front() {
            for next in &self.neighbors[at] {
                if !distances.contains_key(next) {
                    distances.insert(*next, distances[&at] + 1);
                    queue.push_back(*next);
                }
            }
        }
        distances
    }

    /// What a flood with this TTL from this contact must come to.
    fn expect(&self, contact: usize, ttl: u8) -> Expected {
        let ttl = usize::from(ttl);
        let all = self.distances(contact);
        let ball: BTreeMap<usize, usize> =
            all.iter().map(|(servent, d)| (*servent, *d)).filter(|(_, d)| *d <= ttl + 1).collect();
        let degree = |servent: &usize| self.neighbors[*servent].len() as u64;
        let passing = ball.iter().filter(|(_, d)| **d <= ttl);
        let copies = passing.map(|(servent, d)| degree(servent) - u64::from(*d > 0)).sum();
        let stopped = ball.iter().filter(|(servent, d)| **d == ttl + 1 && degree(servent) > 1).count();
        Expected {
            answering: self.holders.iter().copied().filter(|holder| ball.contains_key(holder)).collect(),
            is_cut: all.values().any(|d| *d > ttl),
            reached: ball.len() as u64,
            stopped: i64::try_from(stopped).unwrap(),
            copies,
            ball,
        }
    }
}

#[derive(Debug)]
struct Expected {
    /// Everybody within the horizon, and how far away.
    ball: BTreeMap<usize, usize>,
    /// The holders among them.
    answering: BTreeSet<usize>,
    /// Whether the TTL ends the flood anywhere.
    is_cut: bool,
    reached: u64,
    stopped: i64,
    /// Copies, when nobody passes it on twice.
    copies: u64,
}

#[test]
fn the_reference_knows_a_diamond_and_a_chain() {
    let mut diamond = Shape::new(4);
    for (a, b) in [(0, 1), (0, 2), (1, 3), (2, 3)] {
        diamond.link(a, b);
    }
    let expected = diamond.expect(0, 3);
    assert_eq!((expected.reached, expected.copies, expected.stopped), (4, 5, 0));
    let mut chain = Shape::new(6);
    for servent in 1..6 {
        chain.link(servent - 1, servent);
    }
    let expected = chain.expect(0, 3);
    assert_eq!((expected.reached, expected.copies, expected.stopped, expected.is_cut), (5, 4, 1, true));
}

// ---- overlays at random ----

fn random_shape(random: &mut Random, servents_max: u64) -> Shape {
    let count = usize::try_from(2 + random.below(servents_max - 1)).unwrap();
    let mut shape = Shape::new(count);
    match random.below(6) {
        0 => {
            for servent in 1..count {
                shape.link(servent - 1, servent);
            }
        }
        1 => {
            for servent in 0..count {
                shape.link(servent, (servent + 1) % count);
            }
        }
        2 => {
            for servent in 1..count {
                shape.link(servent, random.index(servent));
            }
        }
        // Dense, but not so dense that one of them takes all the time.
        3 if count < 12 => {
            for a in 0..count {
                for b in 0..a {
                    shape.link(a, b);
                }
            }
        }
        // Perhaps in several pieces.
        4 => {
            for _ in 0..count {
                shape.link(random.index(count), random.index(count));
            }
        }
        // A tree with some links across.
        _ => {
            for servent in 1..count {
                shape.link(servent, random.index(servent));
            }
            for _ in 0..=random.index(count) {
                shape.link(random.index(count), random.index(count));
            }
        }
    }
    let percent = [0, 10, 50, 100][random.index(4)];
    shape.holders = (0..count).filter(|_| random.chance(percent)).collect();
    shape
}

fn servent_name(servent: usize) -> String {
    format!("s{servent}")
}

/// The world of a shape. Servents come first, so that their numbers are the same in both.
fn build(shape: &Shape, random: &mut Random, delay: Delay, ttls: impl Fn(usize) -> u8, forward_once: bool) -> World {
    let mut world = World::new(random.next(), delay);
    if random.chance(50) {
        world.chop();
    }
    for (servent, _) in shape.neighbors.iter().enumerate() {
        let held = if shape.holders.contains(&servent) { format!("tea of {servent}\n") } else { String::new() };
        let mut plan = ServentPlan::new(&servent_name(servent), &format!("{held}milk x\n"));
        plan.ttl = ttls(servent);
        plan.forward_once = forward_once;
        world.servent(plan);
    }
    for (a, b) in shape.links() {
        let (a, b) = if random.chance(50) { (a, b) } else { (b, a) };
        world.lists(NodeId(a), &servent_name(b));
        if random.chance(20) {
            world.lists(NodeId(b), &servent_name(a));
        }
    }
    world.start_all();
    world.run_for(Duration::from_secs(3));
    assert_links(&world, shape);
    world
}

/// Exactly the links of the shape stand, and each once.
fn assert_links(world: &World, shape: &Shape) {
    let servents = shape.neighbors.len();
    let mut links: Vec<(usize, usize)> = world
        .links()
        .into_iter()
        .map(|(a, b)| (a.0.min(b.0), a.0.max(b.0)))
        .filter(|(a, b)| *a < servents && *b < servents)
        .collect();
    links.sort_unstable();
    assert_eq!(links, shape.links(), "the links that stand, and those that ought to");
}

struct Asked {
    client: NodeId,
    contact: usize,
    ttl: u8,
    query: QueryId,
    is_topology: bool,
    /// The reports before the query.
    reports_before: usize,
}

fn ask(world: &mut World, random: &mut Random, client: NodeId, contact: usize, ttl: u8) -> Asked {
    let is_topology = random.chance(25);
    let ask = if is_topology { Ask::Topology } else { Ask::Key(Key::new(b"tea").unwrap()) };
    let reports_before = world.reports(client).len();
    let query = world.ask(client, ask);
    Asked { client, contact, ttl, query, is_topology, reports_before }
}

fn add_client(world: &mut World, contact: usize) -> NodeId {
    let name = format!("c{}", world.everybody().count());
    let client = world.client(ClientPlan::new(&name, NodeId(contact)));
    world.run();
    assert!(world.is_attached(client));
    client
}

/// The answers a client heard to a query, each of them checked to be true, and how it ended.
fn heard(world: &World, shape: &Shape, asked: &Asked) -> (Vec<(usize, u8)>, Ending) {
    let mut answers = Vec::new();
    for (_, report) in &world.reports(asked.client)[asked.reports_before..] {
        match report {
            Report::Answer { from, hops, body, .. } => {
                let from = world.at_address(*from).unwrap().0;
                let hops = hops.expect("a native answer tells its hops");
                answers.push((from, hops));
                match body {
                    AnswerBody::Value(value) => {
                        assert!(!asked.is_topology && shape.holders.contains(&from));
                        assert_eq!(*value, format!("of {from}").into_bytes());
                    }
                    AnswerBody::Place { path, neighbors } => {
                        assert!(asked.is_topology);
                        let servents = |addresses: &[_]| -> Vec<usize> {
                            addresses.iter().map(|address| world.at_address(*address).unwrap().0).collect()
                        };
                        let path = servents(&path.addresses());
                        assert_eq!(path.first(), Some(&asked.contact));
                        assert_eq!(path.last(), Some(&from));
                        assert_eq!(path.len(), usize::from(hops) + 1);
                        assert!(path.windows(2).all(|pair| shape.neighbors[pair[0]].contains(&pair[1])));
                        for neighbor in servents(neighbors) {
                            assert!(shape.neighbors[from].contains(&neighbor));
                        }
                    }
                }
            }
            Report::Ended(ending) => return (answers, *ending),
            _ => {}
        }
    }
    panic!("the session did not end:\n{}", world.describe());
}

/// What holds for every query on a healthy overlay, whatever the delays.
fn assert_exact(world: &World, shape: &Shape, asked: &Asked) -> (Expected, Ending) {
    let mut expected = shape.expect(asked.contact, asked.ttl);
    if asked.is_topology {
        expected.answering = expected.ball.keys().copied().collect();
    }
    let (answers, ending) = heard(world, shape, asked);
    let answering: Vec<usize> = expected.answering.iter().copied().collect();
    let mut answered: Vec<usize> = answers.iter().map(|(from, _)| *from).collect();
    answered.sort_unstable();
    assert_eq!(answered, answering, "who answered, and who ought to");
    for (from, hops) in &answers {
        assert!((expected.ball[from]..=usize::from(asked.ttl) + 1).contains(&usize::from(*hops)));
    }
    for (_, report) in &world.reports(asked.client)[asked.reports_before..] {
        if let Report::Answer { from, body: AnswerBody::Place { neighbors, .. }, .. } = report {
            let from = world.at_address(*from).unwrap().0;
            let neighbors: BTreeSet<usize> =
                neighbors.iter().map(|address| world.at_address(*address).unwrap().0).collect();
            assert_eq!(neighbors, shape.neighbors[from], "the neighbors of {from}");
        }
    }
    let tally = ending.tally;
    assert_eq!(ending.reason, EndReason::Complete);
    assert_eq!(ending.answers, answering.len() as u64);
    assert_eq!(tally.answers, answering.len() as u64);
    assert_eq!(tally.reached, expected.reached);
    assert_eq!(tally.stopped, expected.stopped);
    assert_eq!((tally.lost, tally.silent), (0, 0));
    let count = world.count(asked.query);
    let answered: BTreeSet<usize> = count.answers.iter().map(|(servent, _)| servent.0).collect();
    assert_eq!(answered, expected.answering, "who put an answer on a link");
    assert_eq!(count.answers.len(), answering.len());
    let contact = NodeId(asked.contact);
    let hearers: BTreeSet<NodeId> = count.heard_by.iter().copied().filter(|servent| *servent != contact).collect();
    assert_eq!(hearers.len() as u64 + 1, expected.reached, "who heard it");
    for number in [count.copies_sent, count.copies_heard, count.echoes_sent, count.echoes_heard] {
        assert_eq!(number, tally.copies, "every copy is echoed once");
    }
    (expected, ending)
}

// ---- the truth ----

#[test]
fn with_equal_delays_a_flood_is_what_the_formulas_say() {
    for_seeds(400, |seed| {
        let mut random = Random::new(seed);
        let shape = random_shape(&mut random, 40);
        let ttl = u8::try_from(random.below(8)).unwrap();
        let forward_once = random.chance(30);
        let delay = Delay::Fixed(Duration::from_millis(10));
        let mut world = build(&shape, &mut random, delay, |_| ttl, forward_once);
        let contact = random.index(shape.neighbors.len());
        let client = add_client(&mut world, contact);
        let asked = ask(&mut world, &mut random, client, contact, ttl);
        world.run();
        let (expected, ending) = assert_exact(&world, &shape, &asked);
        let tally = ending.tally;
        assert_eq!(tally.copies, expected.copies);
        assert_eq!(tally.duplicates, tally.copies - (tally.reached - 1));
        if !expected.is_cut {
            let within = expected.ball.keys();
            let links = within.map(|servent| shape.neighbors[*servent].len() as u64).sum::<u64>() / 2;
            assert_eq!(tally.copies, 2 * links - (expected.reached - 1));
        }
        for (from, hops) in heard(&world, &shape, &asked).0 {
            assert_eq!(usize::from(hops), expected.ball[&from], "the first copy came the shortest way");
        }
        assert_eq!(world.pending_count(), 0);
    });
}

#[test]
fn with_any_delays_everybody_within_the_horizon_answers_once() {
    for_seeds(400, |seed| {
        let mut random = Random::new(seed);
        let shape = random_shape(&mut random, 40);
        let ttls: Vec<u8> = shape.neighbors.iter().map(|_| u8::try_from(random.below(8)).unwrap()).collect();
        // Twice this for each of nine levels stays below the patience of every servent, so nothing is given up.
        let delay = Delay::Random(Duration::from_millis(150));
        let mut world = build(&shape, &mut random, delay, |servent| ttls[servent], false);
        let contacts: Vec<usize> = (0..=random.index(3)).map(|_| random.index(shape.neighbors.len())).collect();
        let clients: Vec<(NodeId, usize)> =
            contacts.iter().map(|contact| (add_client(&mut world, *contact), *contact)).collect();
        for _ in 0..2 {
            let mut queries = Vec::new();
            for (client, contact) in &clients {
                queries.push(ask(&mut world, &mut random, *client, *contact, ttls[*contact]));
                let pause = random.duration(Duration::from_millis(300));
                world.run_for(pause);
            }
            world.run();
            for asked in &queries {
                let (expected, ending) = assert_exact(&world, &shape, asked);
                assert!(ending.tally.copies >= expected.copies);
                assert!(ending.tally.duplicates <= ending.tally.copies - (expected.reached - 1));
            }
        }
        assert_eq!(world.pending_count(), 0);
    });
}

#[test]
fn forward_once_costs_the_same_whatever_the_delays() {
    for_seeds(200, |seed| {
        let mut random = Random::new(seed);
        // No way through sixteen servents is longer than the largest TTL.
        let shape = random_shape(&mut random, 16);
        let delay = Delay::Random(Duration::from_millis(80));
        let mut world = build(&shape, &mut random, delay, |_| 15, true);
        let contact = random.index(shape.neighbors.len());
        let client = add_client(&mut world, contact);
        let asked = ask(&mut world, &mut random, client, contact, 15);
        world.run();
        let (expected, ending) = assert_exact(&world, &shape, &asked);
        let within = expected.ball.keys();
        let links = within.map(|servent| shape.neighbors[*servent].len() as u64).sum::<u64>() / 2;
        assert_eq!(ending.tally.copies, 2 * links - (expected.reached - 1));
        assert_eq!(ending.tally.duplicates, ending.tally.copies - (expected.reached - 1));
    });
}

/// What went wrong, and when.
#[derive(Clone, Copy, Debug)]
enum Fault {
    Cut(usize, usize),
    /// Dead, deaf, or with a mind that was emptied.
    Servent(usize),
}

/// The shape without anything that was touched by a fault up to this moment.
fn untouched(shape: &Shape, faults: &[(Duration, Fault)], until: Duration) -> Shape {
    let mut left = shape.clone();
    for (_, fault) in faults.iter().filter(|(at, _)| *at <= until) {
        match fault {
            Fault::Cut(a, b) => {
                left.neighbors[*a].remove(b);
                left.neighbors[*b].remove(a);
            }
            Fault::Servent(servent) => {
                for neighbor in std::mem::take(&mut left.neighbors[*servent]) {
                    left.neighbors[neighbor].remove(servent);
                }
            }
        }
    }
    left
}

/// What is claimed under faults:
///
/// - every answer heard is true, and no life of a servent answers a query twice (the world sees to that);
/// - no link ever holds more than its limit unsent (the world sees to that too);
/// - every session ends, at the latest one silence after its last answer;
/// - when it ends as complete, every holder that a way within the horizon still leads to has been heard, where neither
///   a link nor a servent of that way, the holder included, was touched by a fault before the end;
/// - at the end nothing is pending anywhere;
/// - once the faults are over, the declared overlay comes back by itself and a query is exact again.
#[test]
fn faults_lose_answers_but_never_the_truth() {
    for_seeds(300, |seed| {
        let mut random = Random::new(seed);
        let shape = random_shape(&mut random, 25);
        let count = shape.neighbors.len();
        let ttls: Vec<u8> = shape.neighbors.iter().map(|_| u8::try_from(random.below(8)).unwrap()).collect();
        let delay = Delay::Random(Duration::from_millis(150));
        let forward_once = random.chance(20);
        let mut world = build(&shape, &mut random, delay, |servent| ttls[servent], forward_once);
        let clients: Vec<(NodeId, usize)> = (0..=random.index(3))
            .map(|_| {
                let contact = random.index(count);
                (add_client(&mut world, contact), contact)
            })
            .collect();
        let links = shape.links();
        let mut faults = Vec::new();
        let mut gone = BTreeSet::new();
        let mut asleep = BTreeSet::new();
        for _ in 0..3 {
            let mut queries = Vec::new();
            for (client, contact) in &clients {
                if !gone.contains(contact) && !asleep.contains(contact) && world.is_attached(*client) {
                    queries.push((world.now(), ask(&mut world, &mut random, *client, *contact, ttls[*contact])));
                }
            }
            for _ in 0..random.index(6) {
                let pause = random.duration(Duration::from_millis(500));
                world.run_for(pause);
                let servent = random.index(count);
                let fault = match random.below(8) {
                    0..=3 if !links.is_empty() => {
                        let (a, b) = links[random.index(links.len())];
                        world.cut(NodeId(a), NodeId(b));
                        Fault::Cut(a, b)
                    }
                    4 | 5 => {
                        world.kill(NodeId(servent));
                        gone.insert(servent);
                        asleep.remove(&servent);
                        Fault::Servent(servent)
                    }
                    6 if gone.contains(&servent) => {
                        world.start(NodeId(servent));
                        gone.remove(&servent);
                        Fault::Servent(servent)
                    }
                    7 if !gone.contains(&servent) => {
                        world.pause(NodeId(servent));
                        asleep.insert(servent);
                        Fault::Servent(servent)
                    }
                    _ => continue,
                };
                faults.push((world.now(), fault));
            }
            world.run();
            for (asked_at, asked) in &queries {
                assert_honest(&world, &shape, asked, *asked_at, &faults, forward_once);
            }
        }
        for servent in asleep {
            world.resume(NodeId(servent));
        }
        for servent in gone {
            world.start(NodeId(servent));
        }
        // The longest silence of a neighbor, and the longest pause before it is dialled again, and some for the delays.
        world.run_for(Duration::from_secs(40));
        assert_eq!(world.pending_count(), 0);
        assert_links(&world, &shape);
        if !forward_once {
            let contact = random.index(count);
            let client = add_client(&mut world, contact);
            let asked = ask(&mut world, &mut random, client, contact, ttls[contact]);
            world.run();
            assert_exact(&world, &shape, &asked);
        }
        assert_eq!(world.pending_count(), 0);
    });
}

fn assert_honest(
    world: &World,
    shape: &Shape,
    asked: &Asked,
    asked_at: Duration,
    faults: &[(Duration, Fault)],
    forward_once: bool,
) {
    let (answers, ending) = heard(world, shape, asked);
    let silence = common::config::SILENCE_DEFAULT;
    assert!(ending.elapsed <= silence * (u32::try_from(answers.len()).unwrap() + 1));
    assert!(matches!(ending.reason, EndReason::Complete | EndReason::Silence));
    if ending.reason != EndReason::Complete {
        return;
    }
    assert!(ending.tally_told && ending.tally.is_whole());
    assert!(ending.answers >= ending.tally.answers);
    // Passing on once only, a fast long way may shadow a slow short one: that misses holders without any fault.
    if !forward_once {
        let left = untouched(shape, faults, asked_at + ending.elapsed);
        let mut expected = left.expect(asked.contact, asked.ttl);
        if asked.is_topology {
            expected.answering = expected.ball.keys().copied().collect();
        }
        let heard: BTreeSet<usize> = answers.iter().map(|(from, _)| *from).collect();
        let missed: Vec<&usize> = expected.answering.difference(&heard).collect();
        // Of a contact that was touched itself nothing is claimed.
        let end = asked_at + ending.elapsed;
        let is_touched = |(at, fault): &(Duration, Fault)| {
            *at <= end && matches!(fault, Fault::Servent(servent) if *servent == asked.contact)
        };
        assert!(missed.is_empty() || faults.iter().any(is_touched), "complete, and yet it missed {missed:?}");
    }
}
