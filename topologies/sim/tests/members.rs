//! Servents that tell each other who is there, in the wired engine: what befalls many of them, and the figures that docs/TESTING.md
//! promises. Times are simulated, so they are the same on every machine.
//!
//! `WORLD_SEEDS=1000..2000` runs other seeds where shapes are drawn. What is said of whom in one mind is in `common`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::ops::Range;
use std::time::Duration;

use sim::outcome::{MembersOutcome, RunOutcome};
use sim::plan::{ClientVia, Delays, DiskKind, FaultKind, Faults, Item, Plan, Wire};
use sim::scene::Scene;
use sim::shapes::Shape;
use sim::world::run;

const WIRES: [Wire; 3] = [Wire::Native, Wire::Mixed, Wire::Tp3];
const SHAPES: [Shape; 5] = [Shape::Random, Shape::Ring, Shape::Star, Shape::Chain, Shape::SmallWorld];

/// One of these kinds of fault, as many or as long as that.
fn faults(kinds: &[(FaultKind, u32)]) -> Faults {
    let mut faults = Faults::default();
    kinds.iter().for_each(|(kind, amount)| faults.set(*kind, *amount..=*amount));
    faults
}

fn watched(seed: u64, servents: usize, faults: Faults) -> Plan {
    Plan {
        shape: Shape::Random,
        servents,
        degree: 8,
        ttl: 3,
        queries: 0,
        holders: 0,
        seed,
        delays: Delays::Equal,
        faults,
        wire: Wire::Native,
        via: ClientVia::Direct,
        forward_once: 0,
        with_members: true,
        contents: 0,
        liars: 0,
        writes: 0,
        disk: DiskKind::Quick,
        watch: Some(Duration::from_secs(60)),
        without: BTreeSet::new(),
    }
}

fn come_to(plan: &Plan) -> MembersOutcome {
    let RunOutcome { broken, members, .. } = run(&Scene::draw(plan).unwrap());
    assert!(broken.is_empty(), "{plan:?}: {broken:#?}");
    members.unwrap()
}

fn seeds(usual: Range<u64>) -> Range<u64> {
    let Ok(text) = std::env::var("WORLD_SEEDS") else { return usual };
    let (from, to) = text.split_once("..").expect("WORLD_SEEDS=FROM..TO");
    from.parse().unwrap()..to.parse().unwrap()
}

#[test]
fn whoever_dies_is_known_dead_by_all_in_a_second_where_its_process_died_and_in_ten_where_its_machine_did() {
    // Most do not take a machine for dead that is quiet for no longer than it may be.
    for (kind, least, most) in [(FaultKind::Exodus, 0.0, 1.0), (FaultKind::Vanish, 6.0, 10.0)] {
        let outcome = come_to(&watched(1, 120, faults(&[(kind, 20)])));
        let (half, all) = (outcome.noticed_p50_s.unwrap(), outcome.noticed_p999_s.unwrap());
        assert!(half > least && all <= most, "{kind:?}: {half} s, {all} s");
        assert_eq!((outcome.wrong_words, outcome.false_alarms), (0, 0), "{kind:?}");
    }
}

#[test]
fn nobody_is_called_dead_while_some_are_stopped_and_go_on() {
    let outcome = come_to(&watched(1, 60, faults(&[(FaultKind::Stop, 10)])));
    assert_eq!((outcome.wrong_words, outcome.false_alarms), (0, 0));
}

#[test]
fn who_is_not_heard_over_one_of_its_links_is_called_dead_by_nobody_as_others_have_heard_it() {
    for seed in 0..4 {
        let outcome = come_to(&watched(seed, 20, faults(&[(FaultKind::Clog, 4)])));
        assert_eq!((outcome.wrong_words, outcome.false_alarms), (0, 0), "seed {seed}");
    }
}

#[test]
fn a_split_of_ten_minutes_is_healed_in_a_minute() {
    let outcome = come_to(&watched(1, 60, faults(&[(FaultKind::Split, 600)])));
    assert!(outcome.healed_s.is_some_and(|healed| healed <= 60.0), "{outcome:?}");
}

#[test]
fn who_is_idle_with_eight_neighbors_writes_no_more_than_600_bytes_a_second() {
    let outcome = come_to(&watched(1, 120, Faults::default()));
    assert!(outcome.bytes_s > 100.0 && outcome.bytes_s <= 600.0, "{outcome:?}");
    assert_eq!((outcome.false_alarms, outcome.wrong_words), (0, 0));
    assert!(outcome.dials_per_servent == 0.0 && outcome.noticed_p50_s.is_none());
}

#[test]
fn a_neighbor_that_lies_has_nobody_say_that_a_neighbor_is_dead() {
    // In the last it tells, and asks for, fifty pages at once.
    for seed in [1, 2, 3, 38] {
        let outcome = come_to(&watched(seed, 20, faults(&[(FaultKind::Poison, 1)])));
        assert_eq!(outcome.false_alarms, 0, "seed {seed}");
    }
}

/// Who greets one that dies, as it dies, has it suspected and contradicted before.
#[test]
fn whoever_dies_is_known_dead_in_ten_seconds_whoever_had_it_greeted() {
    for seed in seeds(0..12) {
        let plan = watched(seed, 40, faults(&[(FaultKind::Vanish, 10), (FaultKind::Greet, 40)]));
        let outcome = come_to(&Plan { degree: 6, ..plan });
        assert!(outcome.noticed_p999_s.unwrap() <= 10.0, "seed {seed}: {outcome:?}");
    }
}

/// A plan without these servents.
fn without(plan: Plan, servents: impl IntoIterator<Item = u32>) -> Plan {
    Plan { shape: Shape::SmallWorld, without: servents.into_iter().map(Item::Servent).collect(), ..plan }
}

/// After a split the first of the other half to be heard of is one to which somebody hostile was attached.
#[test]
fn whoever_somebody_hostile_is_attached_to_passes_on_who_it_took_for_dead() {
    let parted = watched(34, 12, faults(&[(FaultKind::Hostile, 2), (FaultKind::Split, 20)]));
    come_to(&without(Plan { ttl: 6, ..parted }, [0, 1, 2, 3, 4, 7, 8]));
}

/// Somebody hostile says again and again that it is where the eleventh is.
#[test]
fn who_is_at_an_address_that_somebody_hostile_claimed_all_know_again() {
    let claimed = Plan { degree: 6, ttl: 5, wire: Wire::Mixed, ..watched(350, 42, faults(&[(FaultKind::Hostile, 1)])) };
    let claimed = without(claimed, (0..11).chain([12, 15, 16, 17, 18, 22]).chain(25..42));
    assert_eq!(come_to(&claimed).wrong_words, 0);
}

#[test]
fn whatever_befalls_many_breaks_nothing_whatever_the_shape() {
    let kinds = [
        vec![(FaultKind::Exodus, 30)],
        vec![(FaultKind::Vanish, 30)],
        vec![(FaultKind::Split, 30)],
        vec![(FaultKind::Exodus, 10), (FaultKind::Vanish, 10), (FaultKind::Split, 10), (FaultKind::Poison, 1)],
        vec![(FaultKind::Exodus, 20), (FaultKind::Greet, 20)],
        vec![(FaultKind::Split, 20), (FaultKind::Greet, 20)],
    ];
    for seed in seeds(0..40) {
        let place = usize::try_from(seed).unwrap();
        let plan = Plan {
            shape: SHAPES[place % SHAPES.len()].clone(),
            degree: 4,
            wire: WIRES[place % WIRES.len()],
            delays: [Delays::Mild, Delays::Heavy][place % 2],
            ..watched(seed, 8 + place % 20, faults(&kinds[place % kinds.len()]))
        };
        come_to(&plan);
    }
}
