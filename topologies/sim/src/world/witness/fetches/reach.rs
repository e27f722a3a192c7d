//! Who could have been fetched from all the while: a fetch that ends in vain beside such a holder is broken.

use common::dialect::Dialect;
use common::limits::HOLDER_FAILURES_MAX;

use super::{Evidence, Nanos, WatchedFetch, nanos};
use crate::cast;
use crate::dialects;
use crate::graph::Graph;
use crate::scene::Asking;
use crate::verdict::demand::Demand;

impl WatchedFetch<'_> {
    /// Somebody who does not lie, told of the content and could be reached for as long as was waited.
    pub(super) fn holder_passed_over(
        &self,
        now: Nanos,
        wide_since: Option<Nanos>,
        seen: &Evidence<'_>,
    ) -> Option<usize> {
        let since = now.checked_sub(nanos(self.drawn.wait)).filter(|since| *since >= self.begun)?;
        self.holder_within_reach(since, wide_since, seen)
    }

    /// Somebody who does not lie, told of the content and could be reached from then on until now.
    pub(super) fn holder_within_reach(
        &self,
        since: Nanos,
        wide_since: Option<Nanos>,
        seen: &Evidence<'_>,
    ) -> Option<usize> {
        let is_wide = !seen.is_narrow || wide_since.is_some_and(|wide| wide < since);
        let contact = self.drawn.contact as usize;
        let clients_are_well = !self.drawn.hears_answers || seen.links.clients_are_untroubled_since(since);
        let contact_is_well = seen.links.is_servent_untroubled_since(contact, since);
        if !is_wide || !clients_are_well || !contact_is_well {
            return None;
        }
        let scene = seen.scene;
        let asking = Asking { number: u32::MAX, at: self.drawn.at, contact: self.drawn.contact, topology: false };
        let demand = Demand::new(scene, asking, Dialect::OWN);
        let untouched = seen.links.untouched(since, true);
        let is_own = |(a, b): &(u32, u32)| dialects::of_link(&scene.plan, *a as usize, *b as usize) == Dialect::OWN;
        let native = Graph::from_links(untouched.servents(), &untouched.links().filter(is_own).collect::<Vec<_>>());
        let reached = oracle::Demanded::new(&native, contact, demand.certain_ttl());
        let is_fit = |servent: &usize| {
            let address = cast::servent_address(*servent);
            let was_in_the_way = self.holders.get(&address).is_some_and(|holder| {
                holder.drops >= HOLDER_FAILURES_MAX
                    || holder.busy.is_some_and(|at| at >= since)
                    || holder.kept_from.is_some_and(|at| at >= since)
            });
            reached.reaches(*servent)
                && seen.links.is_servent_untroubled_since(*servent, since)
                && seen.shared.has_told_since(*servent, self.hash, since)
                && !was_in_the_way
        };
        let honest = self.content.holders.iter().filter(|holder| holder.lie.is_none());
        honest.map(|holder| holder.servent as usize).find(is_fit)
    }
}
