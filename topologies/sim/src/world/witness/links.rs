//! Which links stand and since when, what befalls them, and the overlay of those that nothing touched.
//!
//! - A link stands only between servents of which one listed the other.
//! - Where nothing goes wrong, none falls once the overlay has stood.

use super::Nanos;
use crate::graph::Graph;
use crate::plan::FaultKind;
use crate::scene::Scene;
use crate::world::holds::Holds;

/// Whom a fault befalls.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Befallen {
    Link(usize, usize),
    Servent(usize),
    Clients,
}

/// How a servent or a link fared.
#[derive(Clone, Copy, Debug, Default)]
struct Condition {
    /// Connections that stand.
    standing: u32,
    /// When one last came to stand, or fell.
    touched: Nanos,
    /// Faults that befall it now.
    troubles: Holds,
    /// When one last began or ended.
    troubled: Nanos,
}

impl Condition {
    fn has_stood_since(&self, since: Nanos) -> bool {
        self.standing > 0 && self.touched < since
    }

    fn is_untroubled_since(&self, since: Nanos) -> bool {
        !self.troubles.is_held() && (self.troubled < since || self.troubled == 0)
    }
}

/// The links of a run, and who is at their ends.
pub(crate) struct WatchedLinks<'s> {
    graph: &'s Graph,
    is_healthy: bool,
    /// By where the link stands among the neighbors of its smaller end.
    links: Vec<Condition>,
    servents: Vec<Condition>,
    clients: Condition,
    fallen_count: usize,
    /// Those who are gone for good: nobody waits for their links.
    gone: Vec<bool>,
    /// How often a link came or fell, or anything befell somebody.
    changes: u64,
}

impl<'s> WatchedLinks<'s> {
    pub(super) fn new(scene: &'s Scene) -> WatchedLinks<'s> {
        let graph = &scene.graph;
        WatchedLinks {
            graph,
            is_healthy: scene.faults.iter().all(|fault| fault.kind == FaultKind::Greet),
            links: vec![Condition::default(); graph.ends().len()],
            servents: vec![Condition::default(); graph.servents()],
            clients: Condition::default(),
            fallen_count: graph.links_count(),
            gone: vec![false; graph.servents()],
            changes: 0,
        }
    }

    // ---- what happens ----

    /// A connection between two servents has come to stand.
    pub(super) fn on_stands(&mut self, now: Nanos, a: usize, b: usize) -> Option<String> {
        let is_awaited = self.is_awaited(a, b);
        let Some(link) = self.link(a, b) else {
            return Some(format!("s{a} and s{b} are linked, and nobody listed the other"));
        };
        link.touched = now;
        link.standing += 1;
        let is_first = link.standing == 1;
        self.fallen_count -= usize::from(is_first && is_awaited);
        self.changes += 1;
        None
    }

    /// A connection between two servents has gone, at one of its ends at least; it may not have stood.
    pub(super) fn on_falls(
        &mut self,
        now: Nanos,
        (a, b): (usize, usize),
        was_standing: bool,
        has_risen: bool,
    ) -> Option<String> {
        let is_awaited = self.is_awaited(a, b);
        let link = self.link(a, b)?;
        link.touched = now;
        if !was_standing || link.standing == 0 {
            return None;
        }
        link.standing -= 1;
        let is_last = link.standing == 0;
        self.fallen_count += usize::from(is_last && is_awaited);
        self.changes += 1;
        // While the overlay rises, the second of two links between the same servents goes.
        (is_last && self.is_healthy && has_risen)
            .then(|| format!("the link between s{a} and s{b} falls, and nothing befell it"))
    }

    /// Somebody is gone for good.
    pub(super) fn on_gone(&mut self, servent: usize) {
        let others = self.graph.neighbors(servent).iter().map(|other| *other as usize);
        let awaited: Vec<usize> = others.filter(|other| self.is_awaited(servent, *other)).collect();
        for other in awaited {
            let is_fallen = self.link(servent, other).is_some_and(|link| link.standing == 0);
            self.fallen_count -= usize::from(is_fallen);
        }
        if let Some(gone) = self.gone.get_mut(servent) {
            *gone = true;
        }
    }

    fn is_awaited(&self, a: usize, b: usize) -> bool {
        let is_gone = |servent| self.gone.get(servent).copied().unwrap_or(false);
        !is_gone(a) && !is_gone(b)
    }

    /// A fault begins or ends that befalls somebody. False where none had begun.
    pub(super) fn trouble(&mut self, now: Nanos, whom: Befallen, begins: bool) -> bool {
        let condition = match whom {
            Befallen::Link(a, b) => self.link(a, b),
            Befallen::Servent(servent) => self.servents.get_mut(servent),
            Befallen::Clients => Some(&mut self.clients),
        };
        let Some(condition) = condition else { return true };
        condition.troubled = now;
        let is_well = condition.troubles.change(begins);
        self.changes += 1;
        is_well
    }

    // ---- what is known of it ----

    pub(crate) fn all_stand(&self) -> bool {
        self.fallen_count == 0
    }

    pub(crate) fn missing(&self) -> String {
        let missing = self.graph.links().filter(|(a, b)| {
            let place = self.graph.place_of(*a as usize, *b as usize);
            let is_fallen = place.and_then(|place| self.links.get(place)).is_none_or(|link| link.standing == 0);
            is_fallen && self.is_awaited(*a as usize, *b as usize)
        });
        missing.map(|(a, b)| format!("no link between s{a} and s{b}, ")).collect()
    }

    /// How often a link came or fell, or anything befell somebody.
    pub(super) fn changes(&self) -> u64 {
        self.changes
    }

    /// Whether a link has stood from then on until now, with nothing that befell it or who is at its ends.
    pub(super) fn is_untouched(&self, a: usize, b: usize, since: Nanos) -> bool {
        let place = self.graph.place_of(a.min(b), a.max(b));
        let link = place.and_then(|place| self.links.get(place));
        link.is_some_and(|link| link.has_stood_since(since) && link.is_untroubled_since(since))
            && [a, b].into_iter().all(|servent| self.is_servent_untroubled_since(servent, since))
    }

    /// Whether a link stands.
    pub(super) fn stands(&self, a: usize, b: usize) -> bool {
        let place = self.graph.place_of(a.min(b), a.max(b));
        place.and_then(|place| self.links.get(place)).is_some_and(|link| link.standing > 0)
    }

    /// Whether no fault kept anybody from calling clients since then.
    pub(super) fn clients_are_untroubled_since(&self, since: Nanos) -> bool {
        self.clients.is_untroubled_since(since)
    }

    pub(super) fn is_servent_untroubled_since(&self, servent: usize, since: Nanos) -> bool {
        self.servents.get(servent).is_some_and(|servent| servent.is_untroubled_since(since))
    }

    /// The overlay of the links that stood from then on until now; without those in trouble as well, if so asked.
    pub(super) fn untouched(&self, since: Nanos, without_troubled: bool) -> Graph {
        let graph = self.graph;
        let is_sound = |a: u32, b: u32| {
            let place = graph.place_of(a as usize, b as usize);
            let Some(link) = place.and_then(|place| self.links.get(place)) else { return false };
            let ends = [a, b].map(|servent| self.servents.get(servent as usize).copied().unwrap_or_default());
            link.has_stood_since(since)
                && (!without_troubled
                    || link.is_untroubled_since(since) && ends.iter().all(|end| end.is_untroubled_since(since)))
        };
        let links: Vec<(u32, u32)> = graph.links().filter(|(a, b)| is_sound(*a, *b)).collect();
        Graph::from_links(graph.servents(), &links)
    }

    /// The overlay of the links that nothing has befallen since then, nor whoever is at their ends, whether they stand or not.
    pub(super) fn uncut(&self, since: Nanos) -> Graph {
        let graph = self.graph;
        let is_uncut = |(a, b): &(u32, u32)| {
            let place = graph.place_of(*a as usize, *b as usize);
            let ends = [*a, *b].map(|servent| self.is_servent_untroubled_since(servent as usize, since));
            let link = place.and_then(|place| self.links.get(place));
            ends == [true, true] && link.is_some_and(|link| link.is_untroubled_since(since))
        };
        let links: Vec<(u32, u32)> = graph.links().filter(is_uncut).collect();
        Graph::from_links(graph.servents(), &links)
    }

    /// The overlay of the links that stand, or have stood since then.
    pub(super) fn recent(&self, since: Nanos) -> Graph {
        let graph = self.graph;
        let is_recent = |(a, b): &(u32, u32)| {
            let place = graph.place_of(*a as usize, *b as usize);
            let link = place.and_then(|place| self.links.get(place));
            link.is_some_and(|link| link.standing > 0 || link.touched >= since)
        };
        let links: Vec<(u32, u32)> = graph.links().filter(is_recent).collect();
        Graph::from_links(graph.servents(), &links)
    }

    fn link(&mut self, a: usize, b: usize) -> Option<&mut Condition> {
        self.links.get_mut(self.graph.place_of(a.min(b), a.max(b))?)
    }
}

#[cfg(test)]
mod tests {
    use common::overlay::Holding;

    use super::*;
    use crate::scene::tests::chain;
    use crate::world::witness::SECOND;
    use crate::world::witness::tests::{asked, assert_broke, troubled};

    #[test]
    fn limits_and_links_are_watched() {
        let scene = chain();
        let mut witness = asked(&scene);
        let held = |name, value| [Holding { name, help: "of these", value, limit: Some(5) }].into_iter();
        witness.check_holdings(SECOND, 1, held("pending", 5));
        assert_broke(&witness, &[]);
        witness.check_holdings(SECOND, 1, held("pending", 6));
        witness.on_link_stands(SECOND, 0, 2);
        witness.on_link_falls(SECOND, 0, 1, true);
        assert_broke(
            &witness,
            &["s1 has 6 of these, and 5 are the most", "nobody listed the other", "nothing befell it"],
        );
        assert!(witness.seen.links.missing().contains("no link between s0 and s1"));
    }

    #[test]
    fn untouched_are_the_links_that_stood_all_the_while() {
        let scene = troubled();
        let mut links = WatchedLinks::new(&scene);
        assert!(!links.all_stand());
        for (now, a, b) in [(10, 0, 1), (20, 2, 1)] {
            assert_eq!(links.on_stands(now, a, b), None);
        }
        assert!(links.all_stand() && links.missing().is_empty());
        let untouched = |links: &WatchedLinks<'_>, since, without_troubled| -> Vec<(u32, u32)> {
            links.untouched(since, without_troubled).links().collect()
        };
        assert_eq!(untouched(&links, 20, true), [(0, 1)]);
        assert_eq!(untouched(&links, 21, true), [(0, 1), (1, 2)]);
        // In trouble they still stand, and are out of it only for what is asked after that.
        assert!(links.trouble(30, Befallen::Link(1, 2), true));
        assert!(links.trouble(40, Befallen::Link(1, 2), false));
        assert_eq!(untouched(&links, 21, true), [(0, 1)]);
        assert_eq!(untouched(&links, 21, false), [(0, 1), (1, 2)]);
        assert_eq!(untouched(&links, 41, true), [(0, 1), (1, 2)]);
        assert!(links.trouble(50, Befallen::Servent(0), true));
        assert_eq!(untouched(&links, 60, true), [(1, 2)]);
        // The second connection of two may go.
        assert_eq!(links.on_stands(70, 1, 2), None);
        assert_eq!(links.on_falls(80, (1, 2), true, true), None);
        assert!(links.all_stand() && untouched(&links, 75, false) == [(0, 1)]);
    }

    #[test]
    fn only_calls_to_clients_mind_that_nobody_can_call_them() {
        let scene = troubled();
        let mut links = WatchedLinks::new(&scene);
        assert!(links.trouble(10, Befallen::Clients, true));
        assert!(!links.clients_are_untroubled_since(20) && links.is_servent_untroubled_since(0, 1));
        assert!(links.trouble(30, Befallen::Clients, false));
        assert!(!links.clients_are_untroubled_since(30) && links.clients_are_untroubled_since(31));
    }
}
