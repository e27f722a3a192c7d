//! Which links stand and since when, what befalls them, and the overlay of those that nothing touched.
//!
//! - A link stands only between servents of which one listed the other.
//! - Where there are no faults, none falls once the overlay has stood.

use super::Nanos;
use crate::graph::Graph;
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
}

impl<'s> WatchedLinks<'s> {
    pub(super) fn new(scene: &'s Scene) -> WatchedLinks<'s> {
        let graph = &scene.graph;
        WatchedLinks {
            graph,
            is_healthy: scene.faults.is_empty(),
            links: vec![Condition::default(); graph.ends().len()],
            servents: vec![Condition::default(); graph.servents()],
            clients: Condition::default(),
            fallen_count: graph.links_count(),
        }
    }

    // ---- what happens ----

    /// A connection between two servents has come to stand.
    pub(super) fn on_stands(&mut self, now: Nanos, a: usize, b: usize) -> Option<String> {
        let Some(link) = self.link(a, b) else {
            return Some(format!("s{a} and s{b} are linked, and nobody listed the other"));
        };
        link.touched = now;
        link.standing += 1;
        let is_first = link.standing == 1;
        self.fallen_count -= usize::from(is_first);
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
        let link = self.link(a, b)?;
        link.touched = now;
        if !was_standing || link.standing == 0 {
            return None;
        }
        link.standing -= 1;
        let is_last = link.standing == 0;
        self.fallen_count += usize::from(is_last);
        // While the overlay rises, the second of two links between the same servents goes.
        (is_last && self.is_healthy && has_risen)
            .then(|| format!("the link between s{a} and s{b} falls, and nothing befell it"))
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
        condition.troubles.change(begins)
    }

    // ---- what is known of it ----

    pub(crate) fn all_stand(&self) -> bool {
        self.fallen_count == 0
    }

    pub(crate) fn missing(&self) -> String {
        let missing = self.graph.links().filter(|(a, b)| {
            let place = self.graph.place_of(*a as usize, *b as usize);
            place.and_then(|place| self.links.get(place)).is_none_or(|link| link.standing == 0)
        });
        missing.map(|(a, b)| format!("no link between s{a} and s{b}, ")).collect()
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
