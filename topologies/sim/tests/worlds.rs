//! The wired engine of the simulator, run on scenes made by hand: healthy ones, each kind of fault alone, all at once.
//!
//! What a scene must come to is for the engine's own witness to say; these tests only demand that nothing broke.
//! `WORLD_SEEDS=1000..2000` runs other seeds, `WORLD_KIND=crash` one kind of fault alone.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use common::overlay::Config;
use sim::crowd::{self, Crowd};
use sim::faults::{self, Fault};
use sim::graph::Graph;
use sim::outcome::RunOutcome;
use sim::plan::{ClientVia, Delays, DiskKind, FaultKind, Faults, Plan, Wire};
use sim::random::Random;
use sim::scene::{Asking, Scene};
use sim::shapes::Shape;
use sim::world::run;

const WIRES: [Wire; 3] = [Wire::Native, Wire::Tp3, Wire::Mixed];
const DELAYS: [Delays; 3] = [Delays::Equal, Delays::Mild, Delays::Heavy];

fn plan(seed: u64, servents: usize, delays: Delays, wire: Wire, faults: Faults) -> Plan {
    Plan {
        shape: Shape::Random,
        servents,
        degree: 3,
        ttl: 3,
        queries: 1,
        holders: 1,
        seed,
        delays,
        faults,
        wire,
        via: ClientVia::Direct,
        forward_once: 0,
        with_members: false,
        contents: 0,
        liars: 0,
        writes: 0,
        disk: DiskKind::Quick,
        watch: None,
        without: BTreeSet::new(),
    }
}

fn diamond(delays: Delays, wire: Wire) -> Scene {
    let graph = Graph::from_links(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]);
    let asking =
        |number, topology| Asking { number, at: Duration::from_millis(u64::from(number) * 30), contact: 0, topology };
    Scene {
        contents: Vec::new(),
        fetches: Vec::new(),
        writes: Vec::new(),
        published_only: [].into(),
        plan: plan(7, 4, delays, wire, Faults::default()),
        graph,
        absent: vec![false; 4],
        ttls: vec![3; 4],
        forward_once: vec![false; 4],
        holders: vec![1, 3],
        queries: vec![asking(0, false), asking(1, true)],
        faults: Vec::new(),
    }
}

/// A scene of so many servents at most, linked at random: a tree, and some links across.
fn drawn(seed: u64, servents: Range<u64>, faults: Faults) -> Scene {
    let mut random = Random::of(seed, 1);
    let count = usize::try_from(random.within(servents.start, servents.end - 1)).unwrap();
    let mut links: Vec<(u32, u32)> =
        (1..count).map(|a| (u32::try_from(a).unwrap(), u32::try_from(random.index(a)).unwrap())).collect();
    for _ in 0..=random.index(count) {
        links.push((u32::try_from(random.index(count)).unwrap(), u32::try_from(random.index(count)).unwrap()));
    }
    let graph = Graph::from_links(count, &links);
    let wire = WIRES[random.index(3)];
    let delays = DELAYS[random.index(3)];
    // The largest for all of them now and then: a larger one than others allow is cut down.
    let high = u8::try_from(random.below(16)).unwrap();
    let is_high = random.chance(20);
    let ttls = (0..count).map(|_| if is_high { high } else { random.byte() % 8 }).collect();
    let once = random.chance(10);
    let queries = (0..1 + random.below(4))
        .map(|number| Asking {
            number: u32::try_from(number).unwrap(),
            at: random.duration(Duration::from_secs(8)),
            contact: u32::try_from(random.index(count)).unwrap(),
            topology: random.chance(25),
        })
        .collect();
    let holders = (0..u32::try_from(count).unwrap()).filter(|_| random.chance(40)).collect();
    // Some have TP3 in their middle.
    let wire = if wire == Wire::Native && random.chance(40) { Wire::Mixed } else { wire };
    let plan = plan(seed, count, delays, wire, faults);
    Scene {
        contents: Vec::new(),
        fetches: Vec::new(),
        writes: Vec::new(),
        published_only: [].into(),
        faults: faults::draw(&plan, &graph),
        plan,
        absent: vec![false; count],
        ttls,
        forward_once: vec![once; count],
        holders,
        queries,
        graph,
    }
}

fn seeds(usual: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("WORLD_SEEDS") else { return usual };
    let (from, to) = text.split_once("..").expect("WORLD_SEEDS=FROM..TO");
    from.parse().unwrap()..to.parse().unwrap()
}

fn only(kind: FaultKind, counts: RangeInclusive<u32>) -> Faults {
    Faults { counts: vec![(kind, counts)], nat_percent: 0 }
}

fn assert_well(what: &str, seed: u64, outcome: &RunOutcome) {
    assert!(outcome.broken.is_empty(), "{what}, seed {seed}: {:#?}", outcome.broken);
}

#[test]
fn a_healthy_diamond_is_exact_over_every_wire() {
    for wire in WIRES {
        for delays in DELAYS {
            let outcome = run(&diamond(delays, wire));
            assert!(outcome.broken.is_empty(), "{wire:?} {delays:?}: {:#?}", outcome.broken);
            assert_eq!((outcome.queries, outcome.expected, outcome.answers), (2, 6, 6), "{wire:?} {delays:?}");
            assert_eq!((outcome.missed, outcome.doubled, outcome.lost), (0, 0, 0));
            if wire == Wire::Native {
                assert_eq!((outcome.reached, outcome.echoes), (8, outcome.copies));
            }
        }
    }
}

#[test]
fn healthy_overlays_are_exact() {
    for seed in seeds(0..150) {
        let scene = drawn(seed, 2..30, Faults::default());
        let outcome = run(&scene);
        assert_well("healthy", seed, &outcome);
        assert_eq!((outcome.missed, outcome.doubled), (0, 0), "seed {seed}");
    }
}

/// Which way answers come, and how many of a hundred clients cannot be dialled.
const WAYS: [(ClientVia, u8); 4] =
    [(ClientVia::Back, 0), (ClientVia::Mixed, 0), (ClientVia::Direct, 100), (ClientVia::Mixed, 50)];

#[test]
fn healthy_overlays_are_exact_whichever_way_answers_come() {
    for (via, nat_percent) in WAYS {
        for seed in seeds(0..50) {
            let mut scene = drawn(seed, 2..30, Faults::default());
            scene.plan.via = via;
            scene.plan.faults.nat_percent = nat_percent;
            let outcome = run(&scene);
            let what = format!("{via}, nat={nat_percent}%");
            assert_well(&what, seed, &outcome);
            assert_eq!(
                (outcome.missed, outcome.doubled, outcome.late, outcome.waits),
                (0, 0, 0, 0),
                "{what}, seed {seed}"
            );
        }
    }
}

#[test]
fn passing_on_once_costs_what_the_formula_says_whatever_the_delays() {
    for seed in seeds(0..100) {
        // No way through sixteen servents is longer than the largest TTL, so nothing is cut.
        let mut scene = drawn(seed, 2..17, Faults::default());
        scene.plan.wire = Wire::Native;
        scene.forward_once.fill(true);
        scene.ttls.fill(15);
        scene.queries.truncate(1);
        let outcome = run(&scene);
        assert_well("once", seed, &outcome);
        let (links, servents) = (scene.graph.links_count() as u64, scene.graph.servents() as u64);
        assert_eq!(outcome.reached, servents, "seed {seed}");
        assert_eq!(outcome.copies, 2 * links - (servents - 1), "seed {seed}");
        assert_eq!(outcome.duplicates, outcome.copies - (servents - 1), "seed {seed}");
        assert_eq!(outcome.missed, 0, "seed {seed}");
    }
}

#[test]
fn a_ttl_that_others_cut_down_breaks_nothing_with_bytes_or_without() {
    // A chain to whose end the first could ask, if the others let it: nine of fourteen hear of it.
    let links: Vec<(u32, u32)> = (1..14).map(|to| (to - 1, to)).collect();
    for wire in [Wire::None, Wire::Native] {
        let mut scene = Scene {
            graph: Graph::from_links(14, &links),
            absent: vec![false; 14],
            ttls: vec![3; 14],
            forward_once: vec![false; 14],
            holders: (0..14).collect(),
            ..diamond(Delays::Equal, wire)
        };
        scene.ttls[0] = 12;
        let outcome = sim::run(&scene);
        assert!(outcome.broken.is_empty(), "{wire:?}: {:#?}", outcome.broken);
        assert_eq!((outcome.expected, outcome.answers, outcome.reached), (18, 18, 18), "{wire:?}");
    }
}

#[test]
fn a_crowd_is_linked_as_whoever_runs_it_says() {
    let scene = diamond(Delays::Equal, Wire::None);
    let mut crowd = Crowd::with(&scene, |servent| {
        let mut config = crowd::plain_config(&scene, servent);
        config.neighbors.extend((servent == 0).then(|| crowd::plain_neighbor(3)));
        config
    });
    crowd.pass(Duration::from_secs(1));
    crowd.ask(scene.queries[0]);
    crowd.leave(1);
    crowd.start(1, &Config { servent_id: crowd::servent_id(1, 2), ..crowd::plain_config(&scene, 1) });
    crowd.pass(Duration::from_secs(20));
    assert_eq!(crowd.as_it_stands().graph.links().collect::<Vec<_>>(), [(0, 1), (0, 2), (0, 3), (1, 3), (2, 3)]);
    crowd.ask(scene.queries[1]);
    let outcome = crowd.finish();
    assert_eq!((outcome.queries, outcome.answers, outcome.missed), (2, 6, 0), "{:#?}", outcome.broken);
    assert!(outcome.broken.is_empty(), "{:#?}", outcome.broken);
}

#[test]
fn whom_a_scene_names_and_has_not_is_passed_over() {
    for wire in [Wire::None, Wire::Native] {
        let mut scene = diamond(Delays::Equal, wire);
        scene.queries[0].contact = 99;
        assert_eq!(sim::run(&scene).queries, 1, "{wire}");
        let nobody = |(kind, ..): &(FaultKind, _, _, _)| Fault {
            number: 0,
            kind: *kind,
            at: Duration::ZERO,
            lasts: Duration::from_secs(1),
            servents: vec![99],
            one_way: false,
        };
        for fault in FaultKind::ALL.iter().map(nobody) {
            let outcome = run(&Scene { faults: vec![fault.clone()], ..scene.clone() });
            assert!(outcome.broken.is_empty(), "{:?}: {:#?}", fault.kind, outcome.broken);
        }
    }
}

#[test]
fn every_kind_of_fault_alone_breaks_nothing() {
    let wanted = std::env::var("WORLD_KIND").ok();
    let is_kind = |wanted: &String| FaultKind::ALL.iter().any(|(_, name, ..)| name == wanted);
    assert!(wanted.as_ref().is_none_or(is_kind), "no kind of fault is called {wanted:?}");
    // Those that befall members leave nobody to answer, and are for runs that ask nothing (`members.rs`).
    for (kind, name, ..) in FaultKind::ALL.into_iter().filter(|(kind, ..)| !kind.is_of_members()) {
        if wanted.as_ref().is_some_and(|wanted| wanted != name) {
            continue;
        }
        for seed in seeds(0..50) {
            let scene = drawn(seed, 2..16, only(kind, 1..=3));
            let outcome = run(&scene);
            assert_well(name, seed, &outcome);
            // What no fault had anything to do with is never missing. A hostile servent may take more than its place.
            let may_miss = kind == FaultKind::Hostile;
            assert!(outcome.missed == 0 || may_miss, "{name}, seed {seed}: missed {}", outcome.missed);
        }
    }
}

/// Other than where it befalls nobody, or, of dials, clients. Beside it a link falls, without which no name is looked up
/// again.
#[test]
fn every_kind_of_fault_does_something_to_somebody() {
    for (kind, name, ..) in FaultKind::ALL {
        let does_something = |seed: &u64| {
            let of_both = Faults { counts: vec![(FaultKind::LinkDown, 1..=1), (kind, 1..=2)], nat_percent: 0 };
            let scene = drawn(*seed, 4..10, of_both);
            let mut without = scene.clone();
            for fault in without.faults.iter_mut().skip(1) {
                fault.servents.clear();
            }
            run(&scene).events != run(&without).events
        };
        assert!((0..20).any(|seed| does_something(&seed)), "{name}");
    }
}

#[test]
fn all_faults_at_once_break_nothing() {
    for seed in seeds(0..100) {
        assert_well("wild", seed, &run(&drawn(seed, 10..51, Faults::wild())));
    }
}

#[test]
fn all_faults_at_once_break_nothing_whichever_way_answers_come() {
    for (via, nat_percent) in WAYS {
        for seed in seeds(0..30) {
            let mut scene = drawn(seed, 10..51, Faults::wild());
            scene.plan.via = via;
            scene.plan.faults.nat_percent = nat_percent;
            assert_well(&format!("wild, {via}, nat={nat_percent}%"), seed, &run(&scene));
        }
    }
}

#[test]
fn the_same_scene_runs_the_same() {
    let mut hashes = BTreeSet::new();
    for seed in 0..20 {
        let scene = drawn(seed, 5..20, Faults::wild());
        let [one, other] = [run(&scene), run(&scene)].map(|outcome| RunOutcome { seconds: 0.0, ..outcome });
        assert_eq!(format!("{one:?}"), format!("{other:?}"), "seed {seed}");
        hashes.insert(one.trace_hash);
    }
    assert_eq!(hashes.len(), 20);
}

#[test]
fn what_a_scene_is_without_is_not_missed() {
    for seed in seeds(0..50) {
        let whole = drawn(seed, 6..20, Faults::wild());
        let gone = u32::try_from(seed % 6).unwrap();
        let links: Vec<(u32, u32)> = whole.graph.links().filter(|(a, b)| *a != gone && *b != gone).collect();
        let mut scene = Scene { graph: Graph::from_links(whole.graph.servents(), &links), ..whole };
        scene.absent[gone as usize] = true;
        let outcome = run(&scene);
        assert_well("without one", seed, &outcome);
        let asked = scene.queries.iter().filter(|asking| asking.contact != gone).count();
        assert!(outcome.queries <= asked, "seed {seed}: {} queries", outcome.queries);
        scene.queries.clear();
        assert_eq!(run(&scene).queries, 0);
    }
}
