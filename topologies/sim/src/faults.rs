//! What goes wrong in a run, and when: drawn from the plan's ranges, performed by `world`.
//!
//! Every fault is drawn from a stream of its own, and what it befalls is chosen by lot among all there is, each with a
//! ticket of its own. So a run from which a servent, a link or another fault was taken keeps the faults it has left.
//! The ranges, after the moment the overlay stands:
//!
//! | fault | begins | lasts | befalls |
//! |---|---|---|---|
//! | link-down | 0..8 s | 50 ms..15 s | the two ends of a link |
//! | flap | 0..8 s | 1..10 s | the two ends of a link |
//! | clog | 0..8 s | 50 ms..15 s | the two ends of a link; from the first to the second nothing crosses |
//! | slow-reader | 0..8 s | 50 ms..15 s | one servent |
//! | partition | 0..8 s | 50 ms..15 s | one side: half of the time one servent, else each with even chances |
//! | crash | 0..8 s | 50 ms..15 s | one servent |
//! | pause | 0..8 s | 50 ms..15 s | one servent |
//! | dial-refused | 0..8 s | 50 ms..15 s | dials to one servent; one time in four, to all clients |
//! | dial-silent | 0..8 s | 50 ms..15 s | as dial-refused |
//! | hostile | 0..8 s | 1..10 s | the servent it attaches to |
//! | look-up | 0..8 s | 50 ms..15 s | one servent, when it looks up where a neighbor is |
//! | forger | 0..8 s | 1..10 s | the servent it attaches to |
//! | exodus | 0..8 s | for ever | so many of a hundred servents |
//! | vanish | 0..8 s | for ever | so many of a hundred servents |
//! | split | 0..8 s | as it was said | one half of the servents |
//! | stop | 0..8 s | 6 s, 20 s or 10 min, each | so many of a hundred servents |
//! | poison | 0..8 s | 30 s | the servent it attaches to |
//! | greet | 0..24 s | no time | the servent that a client asks to greet another, each once |
//!
//! What a fault does while it lasts (the pauses of a flapping link, how a servent crashes, what a hostile one says) is
//! drawn where it is performed, from a stream of its own too.

use std::time::Duration;

use super::graph::{Graph, number};
use super::plan::{FaultKind, Faults, Item, Plan, Unit};
use super::random::Random;

/// The latest a fault begins.
const BEGINS_MAX: Duration = Duration::from_secs(8);
/// The same of greetings: they come before, while and after others are noticed.
const GREETS_MAX: Duration = Duration::from_secs(24);
/// The shortest and the longest a fault lasts, and the same for those that do something again and again.
const LASTS: (Duration, Duration) = (Duration::from_millis(50), Duration::from_secs(15));
const LASTS_BUSY: (Duration, Duration) = (Duration::from_secs(1), Duration::from_secs(10));
/// How long servents are stopped, one of these each: not long enough to be given up, so long that they are, and so long that
/// everybody is sure.
const STOPS: [Duration; 3] = [Duration::from_secs(6), Duration::from_secs(20), Duration::from_secs(600)];
const POISON_LASTS: Duration = Duration::from_secs(30);

// What the streams are for; each takes the number of a kind or of a fault on top.
const COUNTS: u64 = 0x6661_756c_7401_0000;
const DRAWS: u64 = 0x6661_756c_7402_0000;
const DETAILS: u64 = 0x6661_756c_7403_0000;
const LIES: u64 = 0x6661_756c_7404_0000;
const BROUGHTS: u64 = 0x6661_756c_7405_0000;

/// The numbers each kind has for its faults.
const PER_KIND: u64 = 1_000;

/// One thing that goes wrong.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Fault {
    /// Its number among those drawn.
    pub number: u32,
    /// What it is.
    pub kind: FaultKind,
    /// When it begins, after the overlay stands.
    pub at: Duration,
    /// How long it lasts.
    pub lasts: Duration,
    /// The servents it befalls: one, the two ends of a link, or one side of a partition.
    pub servents: Vec<u32>,
    /// Whether it works in one direction only, where it has one.
    pub one_way: bool,
}

impl Fault {
    /// When it is over, after the overlay stands.
    #[must_use]
    pub fn ends(&self) -> Duration {
        self.at + self.lasts
    }
}

/// The faults of a run. Those the plan leaves out are left out; the others keep their numbers.
#[must_use]
pub fn draw(plan: &Plan, graph: &Graph) -> Vec<Fault> {
    let mut faults = Vec::new();
    // A number says which kind it is and which of its kind, so that more of one kind move no other.
    for (kind, counts) in &plan.faults.counts {
        let place = FaultKind::ALL.iter().position(|(known, ..)| known == kind).unwrap_or_default() as u64;
        let drawn = Random::of(plan.seed, COUNTS + place).within((*counts.start()).into(), (*counts.end()).into());
        let count = if kind.unit() == Unit::Faults { drawn } else { drawn.min(1) };
        for turn in 0..count {
            let Ok(number) = u32::try_from(place * PER_KIND + turn) else { continue };
            if plan.without.contains(&Item::Fault(number)) {
                continue;
            }
            faults.extend(draw_one(plan.seed, *kind, number, graph).and_then(|fault| measured(fault, drawn, graph)));
        }
    }
    faults.sort_by_key(|fault| fault.number);
    faults
}

/// The fewest faults of each kind that still draw all of these, each as it is, where these were drawn from those. Of a fault
/// that befalls so many, or lasts so long, there is no less.
#[must_use]
pub fn fewest(drawn_from: &Faults, faults: &[Fault]) -> Faults {
    let mut fewest = Faults::default();
    // In the order of their numbers, so the last of a kind decides.
    for fault in faults {
        let count = u32::try_from(u64::from(fault.number) % PER_KIND).unwrap_or_default() + 1;
        let of_kind = drawn_from.counts.iter().find(|(kind, _)| *kind == fault.kind && kind.unit() != Unit::Faults);
        fewest.set(fault.kind, of_kind.map_or(count..=count, |(_, range)| range.clone()));
    }
    fewest
}

/// Whether a fault of this number can be drawn at all.
#[must_use]
pub fn can_be_drawn(faults: &Faults, number: u32) -> bool {
    let (place, turn) = (u64::from(number) / PER_KIND, u64::from(number) % PER_KIND);
    let kind = FaultKind::ALL.into_iter().zip(0..).find(|(_, other)| *other == place).map(|((kind, ..), _)| kind);
    faults.counts.iter().any(|(other, counts)| Some(*other) == kind && turn < u64::from(*counts.end()))
}

/// The stream a fault's doings are drawn from while it lasts.
pub(super) fn details(seed: u64, fault: &Fault) -> Random {
    Random::of(seed, DETAILS + u64::from(fault.number))
}

/// The stream is another from which a forger's answers are drawn: they came later, and move nothing of its copies.
pub(super) fn lies(seed: u64, fault: &Fault) -> Random {
    Random::of(seed, LIES + u64::from(fault.number))
}

/// So is that from which a hostile servent's answers are drawn that it has go back.
pub(super) fn broughts(seed: u64, fault: &Fault) -> Random {
    Random::of(seed, BROUGHTS + u64::from(fault.number))
}

fn draw_one(seed: u64, kind: FaultKind, number: u32, graph: &Graph) -> Option<Fault> {
    let mut random = Random::of(seed, DRAWS + u64::from(number));
    let at = random.duration(if kind == FaultKind::Greet { GREETS_MAX } else { BEGINS_MAX });
    let (least, most) = match kind {
        FaultKind::Flap | FaultKind::Hostile | FaultKind::Forger => LASTS_BUSY,
        _ => LASTS,
    };
    // Short ones as often as long ones: what matters happens on all scales.
    let most = if random.chance(50) { least * 10 } else { most };
    let lasts = least + random.duration(most.saturating_sub(least));
    let lasts = match kind {
        FaultKind::Poison => POISON_LASTS,
        FaultKind::Greet => Duration::ZERO,
        _ => lasts,
    };
    let (one_way, turned) = (random.chance(50), random.chance(50));
    let kind_of_target = random.below(100);
    let lots = random.number();
    let servents = match kind {
        FaultKind::LinkDown | FaultKind::Flap | FaultKind::Clog => {
            let ticket = |(a, b): &(u32, u32)| Random::of(lots, u64::from(*a) << 32 | u64::from(*b)).number();
            let (a, b) = graph.links().min_by_key(ticket)?;
            if turned { vec![b, a] } else { vec![a, b] }
        }
        FaultKind::Partition if kind_of_target < 50 => {
            let side: Vec<u32> = servents(graph).filter(|servent| ticket(lots, *servent).is_multiple_of(2)).collect();
            if side.is_empty() { vec![one_servent(graph, lots)?] } else { side }
        }
        // As many as it was said are taken of these, in the order of their tickets.
        kind if kind.unit() != Unit::Faults => {
            let mut all: Vec<u32> = servents(graph).collect();
            all.sort_unstable_by_key(|servent| ticket(lots, *servent));
            all
        }
        // Nobody in particular: the clients.
        FaultKind::DialRefused | FaultKind::DialSilent if kind_of_target < 25 => Vec::new(),
        _ => vec![one_servent(graph, lots)?],
    };
    Some(Fault { number, kind, at, lasts, servents, one_way })
}

/// A fault of which it was said how many it befalls, or for how long.
fn measured(mut fault: Fault, drawn: u64, graph: &Graph) -> Option<Fault> {
    let count = servents(graph).count() as u64;
    let kept = match fault.kind.unit() {
        Unit::Percent => (count * drawn).div_ceil(100),
        Unit::Seconds => count / 2,
        Unit::Faults => return Some(fault),
    };
    fault.servents.truncate(usize::try_from(kept).unwrap_or(usize::MAX));
    fault.servents.sort_unstable();
    fault.one_way = false;
    fault.lasts = match fault.kind {
        FaultKind::Split => Duration::from_secs(drawn),
        FaultKind::Stop => STOPS.into_iter().max().unwrap_or_default(),
        _ => Duration::ZERO,
    };
    (!fault.servents.is_empty()).then_some(fault)
}

/// How long this servent is stopped by a fault.
pub(super) fn stop_of(seed: u64, fault: &Fault, servent: u32) -> Duration {
    let lots = details(seed, fault).number();
    STOPS.get(Random::of(lots, servent.into()).index(STOPS.len())).copied().unwrap_or_default()
}

/// Those with links: the others are left out, or cannot be told from it.
fn servents(graph: &Graph) -> impl Iterator<Item = u32> + '_ {
    (0..graph.servents()).filter(|servent| !graph.neighbors(*servent).is_empty()).map(number)
}

fn one_servent(graph: &Graph, lots: u64) -> Option<u32> {
    servents(graph).min_by_key(|servent| ticket(lots, *servent))
}

/// The ticket of a servent where one is chosen by lot.
pub(super) fn ticket(lots: u64, servent: u32) -> u64 {
    Random::of(lots, servent.into()).number()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::scene::tests::small;
    use crate::shapes::Shape;

    fn plan(seed: u64) -> Plan {
        Plan { faults: Faults::wild(), ..small(Shape::Ring, 8, seed) }
    }

    fn ring(servents: u32) -> Graph {
        let links: Vec<(u32, u32)> = (0..servents).map(|a| (a, (a + 1) % servents)).collect();
        Graph::from_links(servents as usize, &links)
    }

    #[test]
    fn faults_keep_to_their_ranges() {
        let graph = ring(8);
        let mut kinds = BTreeSet::new();
        for seed in 0..200 {
            for fault in draw(&plan(seed), &graph) {
                kinds.insert(fault.kind);
                assert!(fault.at <= BEGINS_MAX && fault.lasts >= LASTS.0 && fault.lasts <= LASTS.1);
                assert!(fault.servents.iter().all(|servent| *servent < 8));
                if let FaultKind::LinkDown | FaultKind::Flap | FaultKind::Clog = fault.kind {
                    assert!(graph.neighbors(fault.servents[0] as usize).contains(&fault.servents[1]));
                }
            }
        }
        assert_eq!(kinds.len(), FaultKind::ALL.iter().filter(|(kind, ..)| !kind.is_of_members()).count());
    }

    #[test]
    fn what_is_left_out_moves_nothing_else() {
        for seed in 0..50 {
            let all = draw(&plan(seed), &ring(8));
            let Some(gone) = all.first().cloned() else { continue };
            let mut without = plan(seed);
            without.without.insert(Item::Fault(gone.number));
            assert_eq!(draw(&without, &ring(8)), all[1..]);
        }
    }

    #[test]
    fn the_fewest_faults_are_the_same_faults() {
        for seed in 0..50 {
            let all = draw(&plan(seed), &ring(8));
            let (left, gone): (Vec<Fault>, Vec<Fault>) = all.into_iter().partition(|fault| fault.number % 3 == 1);
            let mut few = Plan { faults: fewest(&plan(seed).faults, &left), ..plan(seed) };
            assert!(left.iter().all(|fault| can_be_drawn(&few.faults, fault.number)));
            few.without = gone.iter().map(|fault| Item::Fault(fault.number)).collect();
            assert_eq!(draw(&few, &ring(8)), left);
            few.without.retain(|item| can_be_drawn(&few.faults, item.number()));
            assert_eq!(draw(&few, &ring(8)), left);
        }
        assert!(fewest(&Faults::wild(), &[]).is_none() && !can_be_drawn(&Faults::wild(), 99_000));
    }

    #[test]
    fn what_befalls_many_befalls_as_many_as_was_said_for_as_long() {
        for seed in 0..50 {
            let drawn = |kind, amount| {
                let mut faults = Faults::default();
                faults.set(kind, amount..=amount);
                draw(&Plan { faults, servents: 40, ..plan(seed) }, &ring(40))
            };
            for kind in [FaultKind::Exodus, FaultKind::Vanish, FaultKind::Stop] {
                assert!(drawn(kind, 0).is_empty());
                let [few, more] = [10, 25].map(|percent| drawn(kind, percent).remove(0));
                assert_eq!((few.servents.len(), more.servents.len()), (4, 10));
                assert!(few.servents.iter().all(|servent| more.servents.contains(servent)), "the same and others");
                assert!(few.servents.is_sorted() && few.at == more.at);
                assert_eq!(few.lasts, if kind == FaultKind::Stop { STOPS[2] } else { Duration::ZERO });
            }
            let split = drawn(FaultKind::Split, 600).remove(0);
            assert_eq!((split.servents.len(), split.lasts, split.one_way), (20, Duration::from_secs(600), false));
            let poison = drawn(FaultKind::Poison, 2);
            assert!(poison.len() == 2 && poison.iter().all(|fault| fault.lasts == POISON_LASTS));
            let greet = drawn(FaultKind::Greet, 20);
            assert!(greet.len() == 20 && greet.iter().all(|fault| fault.at <= GREETS_MAX && fault.lasts.is_zero()));
        }
        let stop = Fault { number: 15_000, ..draw(&plan(1), &ring(8)).remove(0) };
        let stops: BTreeSet<Duration> = (0..50).map(|servent| stop_of(1, &stop, servent)).collect();
        assert!(stops.into_iter().eq(STOPS));
    }

    #[test]
    fn nobody_to_befall_is_no_fault() {
        let nobody = draw(&plan(3), &Graph::from_links(2, &[]));
        assert!(nobody.iter().all(|fault| fault.servents.is_empty()));
    }
}
