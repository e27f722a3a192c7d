//! A failing plan made small: what it can do without is left out, until nothing more can be.
//!
//! Delta debugging (Zeller and Hildebrandt 2002) over the items of its scene, and simpler words for what is left. It
//! knows no engine and no reason for a failure: `fails` runs a plan and says whether it still does. Scenes are drawn
//! only to see what is in them.

use sim::contents::PER_CONTENT;
use sim::faults;
use sim::plan::{ClientVia, Delays, DiskKind, FaultKind, Faults, Item, Plan, Wire};
use sim::scene::Scene;
use sim::shapes::Shape;
use sim::shapes::built_degree;

/// How many plans are tried at most. A failure of 50 servents under every fault takes some hundred.
pub const TRIES_MAX: usize = 2_000;

/// The smallest plan found that still fails: unless `TRIES_MAX` ended the search, no item of it can be left out alone.
/// A plan that does not fail comes back as it is.
#[must_use]
pub fn shrink(plan: &Plan, fails: impl Fn(&Plan) -> bool) -> Plan {
    let mut search = Search { best: plan.clone(), fails, tries: 0 };
    search.shrink_network();
    loop {
        let before = search.best.clone();
        for items in [faults_of, contents_of, fetches_of, writes_of, queries_of, servents_of] {
            search.leave_out(items);
        }
        search.simplify();
        // What one thing made possible, another may have needed: only a whole round in vain is the end.
        if search.best == before || search.tries >= TRIES_MAX {
            return search.best;
        }
    }
}

struct Search<F> {
    best: Plan,
    fails: F,
    tries: usize,
}

impl<F: Fn(&Plan) -> bool> Search<F> {
    /// Takes a plan for the best if it still fails.
    fn take(&mut self, plan: Plan) -> bool {
        if plan == self.best || self.tries >= TRIES_MAX {
            return false;
        }
        self.tries += 1;
        let fails = (self.fails)(&plan);
        if fails {
            self.best = plan;
        }
        fails
    }

    /// Tries smaller networks of the same shape, drawn anew: of a large one far too much is left otherwise.
    fn shrink_network(&mut self) {
        while !matches!(self.best.shape, Shape::Declared(_)) && self.best.servents > 1 {
            let servents = self.best.servents / 2;
            let holders = self.best.holders.min(servents);
            if !self.take(tidied(Plan { servents, holders, ..self.best.clone() })) {
                return;
            }
        }
    }

    /// Leaves out what can be, all of it at first, then ever smaller parts, at last one by one.
    fn leave_out(&mut self, items_of: fn(&Scene) -> Vec<Item>) {
        let Ok(scene) = Scene::draw(&self.best) else { return };
        let mut left = items_of(&scene);
        let mut size = left.len();
        while size > 0 && self.tries < TRIES_MAX {
            let before = left.len();
            let mut from = 0;
            while from < left.len() {
                let to = left.len().min(from + size);
                let mut plan = self.best.clone();
                plan.without.extend(&left[from..to]);
                if self.take(plan) {
                    left.drain(from..to);
                } else {
                    from = to;
                }
            }
            if size > 1 {
                size = size.div_ceil(2).min(left.len());
            } else if left.len() == before {
                return;
            }
        }
    }

    /// Says in simpler words what is left, as far as it fails in them, too.
    fn simplify(&mut self) {
        let Ok(scene) = Scene::draw(&self.best) else { return };
        let (nat_percent, fewest) = (self.best.faults.nat_percent, faults::fewest(&self.best.faults, &scene.faults));
        let without_nat = [Faults::default(), fewest];
        let mut simpler: Vec<Faults> =
            without_nat.into_iter().flat_map(|faults| [faults.clone(), Faults { nat_percent, ..faults }]).collect();
        simpler.dedup();
        for faults in simpler {
            if self.take(tidied(Plan { faults, ..self.best.clone() })) {
                break;
            }
        }
        // Not none at all: the command line asks for one at least.
        let queries = scene.queries.last().map_or(self.best.queries.min(1), |query| query.number as usize + 1);
        self.take(tidied(Plan { queries, ..self.best.clone() }));
        for holders in 0..self.best.holders.min(2) {
            if self.take(Plan { holders, ..self.best.clone() }) {
                break;
            }
        }
        let contents = scene.contents.last().map_or(0, |content| content.number as usize + 1);
        self.take(tidied(Plan { contents, ..self.best.clone() }));
        let writes = scene.writes.iter().map(|write| write.number as usize + 1).max().unwrap_or_default();
        self.take(tidied(Plan { writes, ..self.best.clone() }));
        for liars in 0..self.best.liars {
            if self.take(Plan { liars, ..self.best.clone() }) {
                break;
            }
        }
        for disk in before(&DiskKind::NAMED, self.best.disk) {
            if self.take(Plan { disk, ..self.best.clone() }) {
                break;
            }
        }
        self.take(Plan { forward_once: 0, ..self.best.clone() });
        // What befalls members, and watching them, is refused where nobody knows any.
        if self.best.watch.is_none() && !self.best.faults.has(FaultKind::is_of_members) {
            self.take(Plan { with_members: false, ..self.best.clone() });
        }
        for via in before(&ClientVia::NAMED, self.best.via) {
            if self.take(Plan { via, ..self.best.clone() }) {
                break;
            }
        }
        for delays in before(&Delays::NAMED, self.best.delays) {
            if self.take(Plan { delays, ..self.best.clone() }) {
                break;
            }
        }
        // What goes wrong befalls bytes.
        let bytes_are_needed = !self.best.faults.is_none() || self.best.with_members || self.best.has_disks();
        let simpler = before(&Wire::NAMED, self.best.wire).into_iter();
        for wire in simpler.filter(|wire| *wire != Wire::None || !bytes_are_needed) {
            if self.take(Plan { wire, ..self.best.clone() }) {
                break;
            }
        }
    }
}

fn faults_of(scene: &Scene) -> Vec<Item> {
    scene.faults.iter().map(|fault| Item::Fault(fault.number)).collect()
}

fn queries_of(scene: &Scene) -> Vec<Item> {
    scene.queries.iter().map(|query| Item::Query(query.number)).collect()
}

fn contents_of(scene: &Scene) -> Vec<Item> {
    scene.contents.iter().map(|content| Item::Content(content.number)).collect()
}

fn fetches_of(scene: &Scene) -> Vec<Item> {
    scene.fetches.iter().map(|fetch| Item::Fetch(fetch.number)).collect()
}

fn writes_of(scene: &Scene) -> Vec<Item> {
    scene.writes.iter().map(|write| Item::Write(write.number)).collect()
}

fn servents_of(scene: &Scene) -> Vec<Item> {
    (0..).zip(&scene.absent).filter(|(_, absent)| !**absent).map(|(servent, _)| Item::Servent(servent)).collect()
}

/// Those that are simpler than this one: they stand before it.
fn before<T: Copy + PartialEq>(named: &[(&str, T)], one: T) -> Vec<T> {
    named.iter().map(|(_, other)| *other).take_while(|other| *other != one).collect()
}

/// The plan without a word about items that it does not draw, and with the degree that it does.
fn tidied(mut plan: Plan) -> Plan {
    plan.degree = built_degree(&plan.shape, plan.servents, plan.degree).unwrap_or_default();
    if plan.contents == 0 {
        plan.liars = 0;
    }
    if !plan.has_disks() {
        plan.disk = DiskKind::Quick;
    }
    let Plan { servents, queries, faults, contents, writes, without, .. } = &mut plan;
    without.retain(|item| match item {
        Item::Servent(number) => (*number as usize) < *servents,
        Item::Query(number) => (*number as usize) < *queries,
        Item::Fault(number) => faults::can_be_drawn(faults, *number),
        Item::Content(number) => (*number as usize) < *contents,
        Item::Fetch(number) => (*number as usize) < *contents * PER_CONTENT as usize,
        Item::Write(number) => (*number as usize) < *writes,
    });
    plan
}

#[cfg(test)]
mod tests {
    use std::cell::Cell;

    use super::super::options::tests::plan as typed;
    use super::*;

    fn plan(seed: u64) -> Plan {
        let line = "topology sim random --servents 40 --queries 4 --delays heavy --faults wild --wire tp3";
        Plan { seed, ..typed(line) }
    }

    fn has(scene: &Scene, item: Item) -> bool {
        faults_of(scene).contains(&item) || queries_of(scene).contains(&item) || servents_of(scene).contains(&item)
    }

    /// Fails if all of these are there.
    fn needs(items: &[Item]) -> impl Fn(&Plan) -> bool {
        move |plan| {
            let scene = Scene::draw(plan).unwrap();
            items.iter().all(|item| has(&scene, *item))
        }
    }

    fn left(plan: &Plan) -> Vec<Item> {
        let scene = Scene::draw(plan).unwrap();
        [faults_of(&scene), queries_of(&scene), servents_of(&scene)].concat()
    }

    /// A fault, and a servent it does not need.
    fn fault_and_servent(seed: u64) -> Option<(Item, Item)> {
        let scene = Scene::draw(&plan(seed)).unwrap();
        let fault = scene.faults.iter().find(|fault| fault.kind == FaultKind::Crash)?;
        let servent = (0..20).find(|servent| !fault.servents.contains(servent))?;
        Some((Item::Fault(fault.number), Item::Servent(servent)))
    }

    #[test]
    fn only_what_is_needed_is_left() {
        let mut seen = 0;
        for seed in 0..30 {
            let Some((fault, servent)) = fault_and_servent(seed) else { continue };
            seen += 1;
            let smallest = shrink(&plan(seed), needs(&[fault, servent]));
            let left = left(&smallest);
            // A fault needs whoever it befalls, which may be somebody else in a smaller network.
            assert!(left.contains(&fault) && left.contains(&servent) && left.len() <= 3, "{left:?}");
            assert_eq!((smallest.delays, smallest.wire), (Delays::Equal, Wire::Native));
            assert_eq!((smallest.queries, smallest.faults.counts.len()), (1, 1));
            assert_eq!(typed(&smallest.command_line()), smallest);
            assert_eq!(shrink(&plan(seed), needs(&[fault, servent])), smallest);
            assert_eq!(shrink(&smallest, needs(&[fault, servent])), smallest);
        }
        assert!(seen > 10);
    }

    #[test]
    fn no_item_can_be_left_out_alone() {
        // Any five of some servents and any two things that happen: no single set decides.
        let fails = |plan: &Plan| {
            let scene = Scene::draw(plan).unwrap();
            let servents = servents_of(&scene).iter().filter(|servent| servent.number() % 3 == 1).count();
            servents >= 5 && scene.queries.len() + scene.faults.len() >= 2
        };
        for seed in 0..20 {
            let smallest = shrink(&plan(seed), fails);
            assert!(fails(&smallest));
            // What happens may need a servent each that is none of the five.
            assert!((7..=9).contains(&left(&smallest).len()), "{smallest:?}");
            for item in left(&smallest) {
                let mut less = smallest.clone();
                less.without.insert(item);
                assert!(!fails(&less), "{item}");
            }
            assert_eq!(typed(&smallest.command_line()), smallest);
        }
    }

    #[test]
    fn what_is_no_simpler_stays() {
        let fails = |plan: &Plan| {
            let is_of_answers = plan.via != ClientVia::Direct && plan.faults.nat_percent > 0;
            is_of_answers && plan.wire != Wire::None && plan.delays != Delays::Equal && plan.queries > 2
        };
        let failing = plan(1);
        let faults = Faults { nat_percent: 30, ..failing.faults.clone() };
        let smallest = shrink(&Plan { via: ClientVia::Mixed, faults, ..failing }, fails);
        assert_eq!((smallest.delays, smallest.wire, smallest.queries), (Delays::Mild, Wire::Native, 4));
        assert_eq!((smallest.via, smallest.faults.to_string().as_str()), (ClientVia::Back, "nat=30%"));
        assert_eq!((smallest.servents, left(&smallest)), (1, vec![]));
    }

    #[test]
    fn a_query_stays_where_it_is_needed() {
        let smallest = shrink(&plan(1), needs(&[Item::Query(2)]));
        let contact = Scene::draw(&smallest).unwrap().queries[0].contact;
        assert_eq!(left(&smallest), [Item::Query(2), Item::Servent(contact)]);
        assert_eq!(smallest.queries, 3);
        assert!(smallest.faults.is_none());
    }

    #[test]
    fn whatever_fails_always_is_nothing_in_the_end() {
        let smallest = shrink(&plan(1), |_| true);
        assert_eq!(left(&smallest), []);
        assert_eq!((smallest.servents, smallest.faults), (1, Faults::default()));
    }

    #[test]
    fn what_does_not_fail_stays_as_it_is() {
        assert_eq!(shrink(&plan(1), |_| false), plan(1));
    }

    #[test]
    fn a_declared_topology_keeps_its_servents_and_can_be_typed() {
        let declared = typed("topology sim mesh --faults wild --queries 3 --seed 3");
        let smallest = shrink(&declared, needs(&[Item::Servent(2), Item::Query(1)]));
        assert_eq!(smallest.servents, declared.servents);
        assert!(left(&smallest).len() <= 3);
        assert_eq!(typed(&smallest.command_line()), smallest);
    }

    #[test]
    fn a_run_about_members_stays_one_and_can_be_typed() {
        for (line, kept) in [
            ("topology sim ring --servents 30 --seed 3 --with-members --faults stop=20%", true),
            ("topology sim ring --servents 30 --seed 3 --with-members --watch 90s", true),
            ("topology sim ring --servents 30 --seed 3 --with-members --faults crash=1", false),
        ] {
            let long = typed(line);
            let fails = |plan: &Plan| plan.faults == long.faults;
            let smallest = shrink(&long, fails);
            assert_eq!((smallest.with_members, smallest.servents < 30), (kept, true), "{line}");
            assert_eq!(typed(&smallest.command_line()), smallest);
        }
    }

    #[test]
    fn of_contents_only_what_is_needed_is_left_and_can_be_typed() {
        let line =
            "topology sim random --servents 20 --contents 8 --holders 4 --liars 2 --disk wild --faults wild --seed 5";
        let long = typed(line);
        let drawn = Scene::draw(&long).unwrap();
        let fetch = drawn.fetches.iter().find(|fetch| fetch.content == 3).unwrap().number;
        let fails = |plan: &Plan| Scene::draw(plan).unwrap().fetches.iter().any(|other| other.number == fetch);
        let smallest = shrink(&long, fails);
        let scene = Scene::draw(&smallest).unwrap();
        let numbers = |plan: &Scene| (contents_of(plan), fetches_of(plan));
        assert_eq!(numbers(&scene), (vec![Item::Content(3)], vec![Item::Fetch(fetch)]), "{smallest:?}");
        assert_eq!((smallest.contents, smallest.liars, smallest.disk), (4, 0, DiskKind::Quick));
        assert!(scene.faults.is_empty() && scene.servents_here() == 1, "{smallest:?}");
        assert_eq!(typed(&smallest.command_line()), smallest);
        // Where a lie is needed it stays, and where none is fetched there are none.
        let lies = |plan: &Plan| {
            let contents = Scene::draw(plan).unwrap().contents;
            contents.iter().flat_map(|content| &content.holders).any(|holder| holder.lie.is_some())
        };
        let smallest = shrink(&long, lies);
        assert_eq!(Scene::draw(&smallest).unwrap().contents.len(), 1, "{smallest:?}");
        assert!(smallest.liars > 0 && typed(&smallest.command_line()) == smallest, "{smallest:?}");
        assert_eq!(shrink(&long, |_| true).contents, 0);
    }

    #[test]
    fn the_search_ends() {
        let tries = Cell::new(0);
        let large = Plan { servents: 3_000, ..plan(1) };
        // Every second servent is needed: a case for which halving is of no use.
        let fails = |plan: &Plan| {
            tries.set(tries.get() + 1);
            plan.servents == 3_000 && plan.without.iter().all(|item| item.number() % 2 == 1)
        };
        let smallest = shrink(&large, fails);
        assert_eq!(tries.get(), TRIES_MAX);
        assert!(!smallest.without.is_empty());
        assert_eq!(typed(&smallest.command_line()), smallest);
    }
}
