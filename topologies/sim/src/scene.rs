//! A plan drawn out: every servent, link, query and fault of a run, before anything moves.

use std::collections::BTreeSet;
use std::time::Duration;

use common::limits::NEIGHBORS_MAX;

use super::contents::{self, DrawnContent, DrawnFetch};
use super::faults::{self, Fault};
use super::graph::{Graph, number};
use super::plan::{Item, Plan};
use super::random::Random;
use super::shapes;
use super::shapes::Shape;
use super::writes::{self, DrawnWrite};

/// What random numbers are drawn for: a stream each, so that what is left out of one moves nothing of another.
pub mod purpose {
    /// What a plan of several seeds leaves open.
    pub const OPTIONS: u64 = 1;
    /// Links.
    pub const LINKS: u64 = 2;
    /// Who holds the key.
    pub const HOLDERS: u64 = 3;
    /// What is asked, where and when.
    pub const QUERIES: u64 = 4;
    /// Who passes every query on once only.
    pub const FORWARD_ONCE: u64 = 5;
    /// What a plan of several seeds leaves open beside the rest, which was there before it.
    pub const MORE_OPTIONS: u64 = 6;
}

/// How long after another a query is asked on a healthy overlay: the one before is over.
const PAUSE_HEALTHY: Duration = Duration::from_secs(10);
/// How long after another a query is asked at most where things go wrong: some meet.
const PAUSE_FAULTY_MAX: Duration = Duration::from_secs(2);
/// How many of a hundred queries ask for the topology, but for the first.
const TOPOLOGY_PERCENT: u64 = 25;

/// Why nothing can be drawn from a plan.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SceneError {
    /// It has no servents.
    #[error("there is no servent")]
    NoServent,
    /// Its shape gives one servent more neighbors than any may have.
    #[error(
        "servent {servent} would have {count} neighbors, and {NEIGHBORS_MAX} are the most: ask for fewer servents, a \
         smaller degree, or another shape"
    )]
    TooManyNeighbors {
        /// Which, of the first of them.
        servent: usize,
        /// How many it would have.
        count: usize,
    },
}

/// Everything that is decided before a run begins.
#[derive(Clone, Debug)]
pub struct Scene {
    /// What it was drawn from.
    pub plan: Plan,
    /// Who is linked with whom. A servent that the plan leaves out keeps its number and has no links.
    pub graph: Graph,
    /// Which servents are left out: they are never started.
    pub absent: Vec<bool>,
    /// The TTL each servent starts queries with.
    pub ttls: Vec<u8>,
    /// Which servents pass every query on once only.
    pub forward_once: Vec<bool>,
    /// Which servents hold the key, in ascending order.
    pub holders: Vec<u32>,
    /// What is asked, in the order of asking.
    pub queries: Vec<Asking>,
    /// What goes wrong, in the order of drawing.
    pub faults: Vec<Fault>,
    /// What is shared, in the order of drawing.
    pub contents: Vec<DrawnContent>,
    /// What is fetched of that, in the order of drawing.
    pub fetches: Vec<DrawnFetch>,
    /// What servents are to keep, in the order in which it comes.
    pub writes: Vec<DrawnWrite>,
    /// Which servents offer only what is published.
    pub published_only: BTreeSet<u32>,
}

/// One query to be asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asking {
    /// Its number among those drawn.
    pub number: u32,
    /// When, after the overlay stands.
    pub at: Duration,
    /// Where it enters. Every query has a client of its own.
    pub contact: u32,
    /// Whether the topology is asked for, and not the key.
    pub topology: bool,
}

impl Scene {
    /// Draws everything the plan says, then takes away what it leaves out: what is left is as it would have been.
    ///
    /// # Errors
    ///
    /// Where nobody is there, or somebody has more neighbors than a servent may.
    pub fn draw(plan: &Plan) -> Result<Scene, SceneError> {
        let mut plan = plan.clone();
        let stream = |purpose| Random::of(plan.seed, purpose);
        let (graph, ttls, forward_once) = if let Shape::Declared(declared) = &plan.shape {
            let graph = Graph::from_links(declared.ttls.len(), &declared.links);
            (graph, declared.ttls.clone(), declared.forward_once.clone())
        } else {
            let graph = shapes::draw(&plan.shape, plan.servents, plan.degree, &mut stream(purpose::LINKS));
            // From a ticket of its own for each, so that more of them are the same and others.
            let is_once = |servent| {
                let lots = Random::of(plan.seed, purpose::FORWARD_ONCE).number();
                Random::of(lots, servent).chance(plan.forward_once.into())
            };
            (graph, vec![plan.ttl; plan.servents], (0..plan.servents as u64).map(is_once).collect())
        };
        if graph.servents() == 0 {
            return Err(SceneError::NoServent);
        }
        if let Some(servent) = (0..graph.servents()).find(|servent| graph.neighbors(*servent).len() > NEIGHBORS_MAX) {
            return Err(SceneError::TooManyNeighbors { servent, count: graph.neighbors(servent).len() });
        }
        let holders = draw_holders(graph.servents(), plan.holders, &mut stream(purpose::HOLDERS));
        let queries = draw_queries(&plan, graph.servents(), &mut stream(purpose::QUERIES));
        let faults = faults::draw(&plan, &graph);
        let (contents, fetches) = contents::draw(&plan, graph.servents());
        let writes = writes::draw(&plan, graph.servents());
        let published_only = writes::published_only(&plan, graph.servents());
        plan.servents = graph.servents();
        let absent = vec![false; graph.servents()];
        let mut scene = Scene {
            plan,
            graph,
            absent,
            ttls,
            forward_once,
            holders,
            queries,
            faults,
            contents,
            fetches,
            writes,
            published_only,
        };
        scene.take_away();
        Ok(scene)
    }

    /// How many servents are not left out.
    #[must_use]
    pub fn servents_here(&self) -> usize {
        self.absent.iter().filter(|absent| !**absent).count()
    }

    fn take_away(&mut self) {
        let Scene { plan, graph, absent, holders, queries, faults, contents, fetches, writes, .. } = self;
        for item in &plan.without {
            match item {
                Item::Servent(servent) => {
                    if let Some(absent) = absent.get_mut(*servent as usize) {
                        *absent = true;
                    }
                }
                Item::Query(number) => queries.retain(|query| query.number != *number),
                Item::Fault(number) => faults.retain(|fault| fault.number != *number),
                // These were left out where they are drawn.
                Item::Content(_) | Item::Fetch(_) | Item::Write(_) => {}
            }
        }
        if !absent.contains(&true) {
            return;
        }
        let is_here = |servent: &u32| !absent.get(*servent as usize).is_some_and(|absent| *absent);
        *graph = graph.without(absent);
        holders.retain(is_here);
        queries.retain(|query| is_here(&query.contact));
        contents.iter_mut().for_each(|content| content.holders.retain(|holder| is_here(&holder.servent)));
        fetches.retain(|fetch| is_here(&fetch.contact));
        writes.retain(|write| is_here(&write.contact));
        faults.retain_mut(|fault| {
            // A side of a partition can do without some; a link cannot do without an end.
            if fault.kind.befalls_many() {
                fault.servents.retain(is_here);
            }
            !fault.servents.is_empty() && fault.servents.iter().all(is_here)
        });
    }
}

/// Some of all servents, any as likely as any other.
fn draw_holders(servents: usize, wanted: usize, random: &mut Random) -> Vec<u32> {
    let mut all: Vec<u32> = (0..number(servents)).collect();
    let wanted = wanted.min(servents);
    for place in 0..wanted {
        let other = place + random.index(servents - place);
        all.swap(place, other);
    }
    all.truncate(wanted);
    all.sort_unstable();
    all
}

fn draw_queries(plan: &Plan, servents: usize, random: &mut Random) -> Vec<Asking> {
    let healthy = plan.faults.is_none();
    let mut at = Duration::ZERO;
    let mut draw = |place| {
        let contact = number(random.index(servents));
        let pause = random.duration(PAUSE_FAULTY_MAX);
        let topology = random.chance(TOPOLOGY_PERCENT) && place > 0;
        if place > 0 {
            at += if healthy { PAUSE_HEALTHY } else { pause };
        }
        Asking { number: number(place), at, contact, topology }
    };
    (0..plan.queries).map(&mut draw).collect()
}

#[cfg(test)]
pub(crate) mod tests {
    use super::*;
    use crate::plan::{ClientVia, Delays, DiskKind, FaultKind, Faults, Wire};
    use crate::shapes::DeclaredGraph;

    /// A healthy run of so many servents, with one query and one holder.
    pub(crate) fn small(shape: Shape, servents: usize, seed: u64) -> Plan {
        Plan {
            shape,
            servents,
            degree: 2,
            ttl: 3,
            queries: 1,
            holders: 1,
            seed,
            delays: Delays::Equal,
            faults: Faults::default(),
            wire: Wire::Native,
            via: ClientVia::Direct,
            forward_once: 0,
            with_members: false,
            contents: 0,
            liars: 0,
            writes: 0,
            disk: DiskKind::Quick,
            watch: None,
            without: [].into(),
        }
    }

    /// Servents that are linked like this, who hold nothing and are asked nothing.
    pub(crate) fn linked(plan: Plan, links: &[(u32, u32)]) -> Scene {
        let servents = plan.servents;
        Scene {
            graph: Graph::from_links(servents, links),
            absent: vec![false; servents],
            ttls: vec![plan.ttl; servents],
            forward_once: vec![false; servents],
            holders: Vec::new(),
            queries: Vec::new(),
            faults: Vec::new(),
            contents: Vec::new(),
            fetches: Vec::new(),
            writes: Vec::new(),
            published_only: BTreeSet::new(),
            plan,
        }
    }

    /// A chain of three, of which the last holds the key and the first is asked.
    pub(crate) fn chain() -> Scene {
        let queries = vec![Asking { number: 0, at: Duration::ZERO, contact: 0, topology: false }];
        Scene { holders: vec![2], queries, ..linked(small(Shape::Chain, 3, 1), &[(0, 1), (1, 2)]) }
    }

    fn plan(shape: Shape, seed: u64) -> Plan {
        Plan { degree: 4, queries: 30, holders: 10, faults: Faults::wild(), ..small(shape, 40, seed) }
    }

    #[test]
    fn what_the_plan_says_is_drawn() {
        for seed in 0..50 {
            let plan = plan(Shape::Random, seed);
            let scene = Scene::draw(&plan).unwrap();
            assert_eq!(scene.plan, plan);
            assert_eq!((scene.graph.servents(), scene.graph.links_count()), (40, 80));
            assert_eq!((scene.ttls, scene.forward_once), (vec![3; 40], vec![false; 40]));
            assert!(scene.holders.len() == 10 && scene.holders.is_sorted_by(|a, b| a < b && *b < 40));
            assert_eq!(scene.queries.len(), 30);
            assert!(scene.queries[0].at.is_zero() && !scene.queries[0].topology);
            for (place, pair) in scene.queries.windows(2).enumerate() {
                let pause = pair[1].at - pair[0].at;
                assert!(pause < PAUSE_FAULTY_MAX && pair[1].number == number(place + 1) && pair[1].contact < 40);
            }
            assert!(scene.queries.iter().any(|query| query.topology));
        }
    }

    #[test]
    fn healthy_queries_wait_for_each_other() {
        let plan = Plan { faults: Faults::default(), ..plan(Shape::Grid, 1) };
        for (place, query) in Scene::draw(&plan).unwrap().queries.iter().enumerate() {
            assert_eq!(query.at, PAUSE_HEALTHY * number(place));
        }
    }

    #[test]
    fn everybody_may_hold_the_key_and_nobody() {
        let holders = |holders| Scene::draw(&Plan { holders, ..plan(Shape::Ring, 1) }).unwrap().holders;
        assert!(holders(0).is_empty());
        assert_eq!(holders(40), (0..40).collect::<Vec<_>>());
        assert_eq!(holders(1000).len(), 40);
        assert!(Scene::draw(&Plan { servents: 0, ..plan(Shape::Ring, 1) }).is_err());
    }

    #[test]
    fn more_of_one_thing_moves_nothing_else() {
        let few = Scene::draw(&plan(Shape::Random, 7)).unwrap();
        let more = Scene::draw(&Plan { queries: 50, holders: 20, ..plan(Shape::Random, 7) }).unwrap();
        assert_eq!(few.graph, more.graph);
        assert_eq!(few.queries, more.queries[..30]);
        assert_eq!(few.faults, more.faults);
        assert!(few.holders.iter().all(|holder| more.holders.contains(holder)));
    }

    #[test]
    fn what_is_left_out_moves_nothing_else() {
        let whole = Scene::draw(&plan(Shape::Random, 3)).unwrap();
        let contact = whole.queries[4].contact;
        let holder = *whole.holders.iter().find(|holder| **holder != contact).unwrap();
        let without =
            [Item::Servent(contact), Item::Servent(holder), Item::Query(2), Item::Fault(0), Item::Servent(99)];
        let less = Scene::draw(&Plan { without: without.into(), ..plan(Shape::Random, 3) }).unwrap();
        let gone = |servent: u32| servent == contact || servent == holder;
        for servent in 0..40 {
            assert_eq!(less.absent[servent as usize], gone(servent));
        }
        let links = |graph: &Graph| graph.links().filter(|(a, b)| !gone(*a) && !gone(*b)).collect::<Vec<_>>();
        assert_eq!(less.graph.links().collect::<Vec<_>>(), links(&whole.graph));
        assert_eq!(less.graph.servents(), 40);
        let holders: Vec<u32> = whole.holders.iter().copied().filter(|holder| !gone(*holder)).collect();
        assert_eq!(less.holders, holders);
        let queries: Vec<Asking> =
            whole.queries.iter().copied().filter(|query| !gone(query.contact) && query.number != 2).collect();
        assert_eq!(less.queries, queries);
        assert!(less.faults.iter().all(|fault| fault.number != 0));
    }

    #[test]
    fn no_fault_befalls_whoever_is_absent() {
        let mut scene = Scene::draw(&Plan { without: [Item::Servent(1)].into(), ..plan(Shape::Ring, 1) }).unwrap();
        let fault = |number, kind, servents: &[u32]| Fault {
            number,
            kind,
            at: Duration::ZERO,
            lasts: Duration::ZERO,
            servents: servents.to_vec(),
            one_way: false,
        };
        let left = [
            fault(0, FaultKind::Crash, &[1]),
            fault(1, FaultKind::Crash, &[2]),
            fault(2, FaultKind::LinkDown, &[1, 2]),
            fault(3, FaultKind::LinkDown, &[2, 3]),
            fault(4, FaultKind::Partition, &[1]),
            fault(5, FaultKind::Partition, &[1, 2, 3]),
        ];
        scene.faults = left.to_vec();
        scene.take_away();
        let left: Vec<(u32, Vec<u32>)> = scene.faults.into_iter().map(|fault| (fault.number, fault.servents)).collect();
        assert_eq!(left, [(1, vec![2]), (3, vec![2, 3]), (5, vec![2, 3])]);
    }

    #[test]
    fn what_is_declared_is_drawn_as_it_is() {
        let declared = DeclaredGraph {
            name: "a pair and one".to_owned(),
            links: vec![(0, 2)],
            ttls: vec![1, 2, 3],
            forward_once: vec![false, true, false],
        };
        let scene = Scene::draw(&plan(Shape::Declared(declared.into()), 1)).unwrap();
        assert_eq!((scene.plan.servents, scene.graph.links().collect::<Vec<_>>()), (3, vec![(0, 2)]));
        assert_eq!((scene.ttls, scene.forward_once), (vec![1, 2, 3], vec![false, true, false]));
    }
}
