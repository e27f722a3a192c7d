//! Of whom the oracle demands an answer to a query, and how far it knows what that comes to.
//!
//! Which links it is asked of is for whoever asks: those of the graph, or those of them that stood.

use std::borrow::Cow;

use common::dialect::Dialect;
use common::limits::{TTL_FROM_OTHERS_MAX, TTL_MAX};
use common::query::Tally;
use oracle::Demanded;

use crate::cast::{self, Nat};
use crate::dialects;
use crate::graph::{Graph, number};
use crate::plan::{Delays, Wire};
use crate::scene::{Asking, Scene};

/// A query of a scene.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Demand<'a> {
    pub(crate) scene: &'a Scene,
    /// What is asked, and where.
    pub(crate) asking: Asking,
    /// What its client speaks to its contact.
    pub(crate) dialect: Dialect,
    /// The TTL that its contact starts it with.
    pub(crate) ttl: u8,
}

impl<'a> Demand<'a> {
    /// A query as its contact starts it.
    pub(crate) fn new(scene: &'a Scene, asking: Asking, dialect: Dialect) -> Demand<'a> {
        let ttl = scene.ttls.get(asking.contact as usize).copied().unwrap_or(scene.plan.ttl);
        Demand { scene, asking, dialect, ttl: ttl.min(TTL_MAX) }
    }

    /// Whether its client hears no answers, so that all of them have to go back.
    pub(crate) fn is_deaf(&self) -> bool {
        !cast::hears_answers(&self.scene.plan, self.asking.number, self.dialect)
    }

    /// What keeps everybody from dialling its client, if anything does.
    pub(crate) fn nat(&self) -> Option<Nat> {
        cast::nat_of(&self.scene.plan, self.asking.number)
    }

    pub(crate) fn contact(&self) -> usize {
        self.asking.contact as usize
    }

    /// What it comes to with such a TTL, over the links of the scene.
    pub(crate) fn reached(&self, ttl: u8) -> Demanded {
        self.reached_over(&self.scene.graph, ttl)
    }

    /// What it comes to with such a TTL, over these links. Where no answer can come back a query does not go whose answers all
    /// have to.
    pub(crate) fn reached_over(&self, links: &Graph, ttl: u8) -> Demanded {
        let links = if self.is_deaf() && self.scene.plan.wire == Wire::Mixed {
            let is_own =
                |(a, b): &(u32, u32)| dialects::of_link(&self.scene.plan, *a as usize, *b as usize) == Dialect::OWN;
            Cow::Owned(Graph::from_links(links.servents(), &links.links().filter(is_own).collect::<Vec<_>>()))
        } else {
            Cow::Borrowed(links)
        };
        Demanded::new(&*links, self.contact(), ttl)
    }

    /// Who answers of those it comes to, in ascending order.
    pub(crate) fn answers(&self, reached: &Demanded) -> Vec<u32> {
        let is_present = |servent: &u32| !self.is_absent(*servent as usize) && reached.reaches(*servent as usize);
        if self.asking.topology {
            (0..number(self.scene.graph.servents())).filter(is_present).collect()
        } else {
            self.scene.holders.iter().copied().filter(is_present).collect()
        }
    }

    /// Whether the oracle knows what it comes to where nothing goes wrong.
    pub(crate) fn is_exact(&self) -> bool {
        !self.is_cut() && !self.may_shadow() && !self.is_short_of_answers()
    }

    /// Whether TP3 is in the way of answers that cannot be dialled.
    fn is_short_of_answers(&self) -> bool {
        (self.is_deaf() || self.nat().is_some()) && matches!(self.scene.plan.wire, Wire::Tp3 | Wire::Mixed)
    }

    /// Whether no copy can overtake another.
    pub(crate) fn is_even(&self) -> bool {
        self.scene.plan.delays == Delays::Equal && self.scene.faults.is_empty()
    }

    /// With which TTL whoever the oracle reaches is reached in any case.
    pub(crate) fn certain_ttl(&self) -> u8 {
        let ttl = if self.is_cut() { TTL_FROM_OTHERS_MAX } else { self.ttl };
        // A way that is longer than this comes to somebody for the second time, but for those who have started anew.
        let is_ample = self.scene.faults.is_empty() && usize::from(ttl) + 2 >= self.scene.graph.servents();
        if self.may_shadow() && !is_ample { 0 } else { ttl }
    }

    /// With which TTL whoever the oracle reaches has answered one that is complete with this tally.
    pub(crate) fn ttl_of_complete(&self, tally: &Tally, may_lie: bool) -> u8 {
        // Where the TTL ended it nowhere it came to everybody, as far as those who say so do not lie.
        if tally.stopped == 0 && !may_lie { u8::MAX } else { self.certain_ttl() }
    }

    /// Whether somebody whose own TTL is small cuts this one down.
    fn is_cut(&self) -> bool {
        let ttl_of = |other: usize| self.scene.ttls.get(other).copied().unwrap_or(self.scene.plan.ttl);
        self.ttl > TTL_FROM_OTHERS_MAX && self.others().any(|other| ttl_of(other) < self.ttl)
    }

    /// Whether a fast long way may shadow a slow short one, where a servent passes on once only.
    fn may_shadow(&self) -> bool {
        let is_once = |other: usize| self.scene.forward_once.get(other).copied().unwrap_or(false);
        !self.is_even() && self.others().any(is_once)
    }

    /// Whoever else is there.
    fn others(&self) -> impl Iterator<Item = usize> + '_ {
        (0..self.scene.graph.servents()).filter(|other| *other != self.contact() && !self.is_absent(*other))
    }

    fn is_absent(&self, servent: usize) -> bool {
        self.scene.absent.get(servent).copied().unwrap_or(false)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verdict::tests::chain;

    #[test]
    fn of_whom_an_answer_is_demanded() {
        let mut scene = chain();
        let mut asking = scene.queries[0];
        let answers = |scene: &Scene, asking, ttl| {
            let demand = Demand::new(scene, asking, Dialect::OWN);
            demand.answers(&demand.reached(ttl))
        };
        assert_eq!(answers(&scene, asking, 3), [2]);
        assert_eq!(answers(&scene, asking, 0), [0; 0]);
        asking.topology = true;
        assert_eq!(answers(&scene, asking, 0), [0, 1]);
        scene.absent[1] = true;
        assert_eq!(answers(&scene, asking, 0), [0]);
    }

    #[test]
    fn how_far_the_oracle_knows_what_comes_of_it() {
        let whole = chain();
        let told = |scene: &Scene| {
            let demand = Demand::new(scene, scene.queries[0], Dialect::OWN);
            (demand.is_exact(), demand.certain_ttl())
        };
        assert_eq!(told(&whole), (true, 3));
        // A TTL that others cut down.
        assert_eq!(told(&Scene { ttls: vec![15, 15, 15], ..whole.clone() }), (true, 15));
        assert_eq!(told(&Scene { ttls: vec![15, 3, 15], ..whole.clone() }), (false, TTL_FROM_OTHERS_MAX));
        let gone = vec![false, true, false];
        assert_eq!(told(&Scene { ttls: vec![15, 3, 15], absent: gone, ..whole.clone() }), (true, 15));
        // A way that shadows another, where it is not so short that there is no other.
        let once = Scene { forward_once: vec![false, true, false], ..whole.clone() };
        assert_eq!(told(&once), (true, 3));
        let mut once = once;
        once.plan.delays = Delays::Mild;
        assert_eq!(told(&once), (false, 3));
        once.ttls.fill(0);
        assert_eq!(told(&once), (false, 0));
        let of_contact = Scene { forward_once: vec![true, false, false], ..once };
        assert!(told(&of_contact).0);
    }

    #[test]
    fn one_that_is_complete_and_was_stopped_nowhere_says_that_it_came_to_everybody() {
        let scene = chain();
        let demand = Demand::new(&scene, scene.queries[0], Dialect::OWN);
        let stopped = Tally { stopped: 1, ..Tally::default() };
        assert_eq!(demand.ttl_of_complete(&Tally::default(), false), u8::MAX);
        assert_eq!(demand.ttl_of_complete(&Tally::default(), true), 3);
        assert_eq!(demand.ttl_of_complete(&stopped, false), 3);
    }
}
