//! Which way answers go that come back after their copy was echoed: those whose dial failed, and those of neighbors that were
//! given up. And of those copies that nobody would find otherwise: with a contact, of a query that came first without one.
//!
//! A pass knows the way for as long as it is pending (`pass`), and goes when its contact has the query open no more. What is
//! kept here outlives that, for [`ROUTE_KEPT`] and no longer.

use std::collections::VecDeque;

use super::arrival::Asker;
use super::outgoing::Outgoing;
use super::slots::SlotIndex;
use crate::limits::{ROUTE_KEPT, ROUTES_KEPT_MAX};
use crate::on_demand::OnDemand;
use crate::overlay::copy_name::CopyName;
use crate::query::QueryId;
use crate::time::Time;

/// Where answers to a copy go.
#[derive(Debug)]
pub(super) struct Route {
    copy: CopyName,
    /// Who sent the copy.
    pub(super) asker: Asker,
    pub(super) id: QueryId,
    /// The links it was passed on over.
    pub(super) out: Outgoing,
    until: Time,
}

/// All that are kept. Many are, and few are ever asked for: so what it takes to find one is made when the first is.
#[derive(Debug, Default)]
pub(super) struct Routes {
    /// In the order in which they go.
    kept: VecDeque<Route>,
    /// The number of the first of them; those behind it follow, and begin anew after the last there is.
    first: u32,
    /// Their numbers, once one was asked for.
    index: OnDemand<SlotIndex>,
}

impl Routes {
    /// Keeps the way of answers to a copy that was just echoed. The oldest goes for it if need be.
    pub(super) fn keep(&mut self, now: Time, copy: CopyName, asker: Asker, id: QueryId, out: Outgoing) {
        self.forget_old(now);
        if self.kept.len() >= ROUTES_KEPT_MAX {
            self.forget_oldest();
        }
        self.kept.push_back(Route { copy, asker, id, out, until: now + ROUTE_KEPT });
        if self.index.get().is_some() {
            self.index_one(self.kept.len() - 1);
        }
    }

    /// The way of answers to this copy, as long as it is kept.
    pub(super) fn get_mut(&mut self, now: Time, copy: CopyName) -> Option<&mut Route> {
        if self.index.get().is_none() {
            self.index.make();
            (0..self.kept.len()).for_each(|place| self.index_one(place));
        }
        let place = self.find(copy)?;
        self.kept.get_mut(place).filter(|route| route.until > now)
    }

    /// Forgets those that were kept for long enough.
    pub(super) fn forget_old(&mut self, now: Time) {
        while self.kept.front().is_some_and(|route| route.until <= now) {
            self.forget_oldest();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.kept.len()
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let out = self.kept.iter().map(|route| route.out.memory_bytes()).sum::<usize>();
        let index = self.index.get().map_or(0, SlotIndex::memory_bytes);
        self.kept.capacity() * size_of::<Route>() + index + out
    }

    /// Where the latest of this copy is.
    fn find(&self, copy: CopyName) -> Option<usize> {
        let is_it = |number| self.numbered(number).is_some_and(|route| route.copy == copy);
        self.index.get()?.find(&copy, is_it).map(|number| self.place_of(number))
    }

    /// Has one be found, and none before it of the same copy.
    fn index_one(&mut self, place: usize) {
        let Some(copy) = self.kept.get(place).map(|route| route.copy) else { return };
        let before = self.find(copy);
        let (number, before) = (self.number_of(place), before.map(|before| self.number_of(before)));
        let Routes { kept, first, index } = self;
        let Some(index) = index.get_mut() else { return };
        if let Some(before) = before {
            index.remove(before, &copy);
        }
        index.insert(number, |number| kept.get(number.wrapping_sub(*first) as usize).map(|route| &route.copy));
    }

    fn forget_oldest(&mut self) {
        let Some(route) = self.kept.pop_front() else { return };
        if let Some(index) = self.index.get_mut() {
            index.remove(self.first, &route.copy);
        }
        self.first = self.first.wrapping_add(1);
    }

    fn numbered(&self, number: u32) -> Option<&Route> {
        self.kept.get(self.place_of(number))
    }

    fn place_of(&self, number: u32) -> usize {
        number.wrapping_sub(self.first) as usize
    }

    fn number_of(&self, place: usize) -> u32 {
        // There are fewer than can be numbered.
        self.first.wrapping_add(u32::try_from(place).unwrap_or_default())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::LinkId;
    use crate::query::ContactName;

    fn copy(number: u64) -> CopyName {
        CopyName { contact: ContactName(7), number, ttl: 3 }
    }

    fn asker(link: u64) -> Asker {
        Asker::Client { link: LinkId(link) }
    }

    fn keep(routes: &mut Routes, now: Time, number: u64, link: u64) {
        let id = QueryId { sequence: number, client: ([192, 0, 2, 7], 9990).into() };
        routes.keep(now, copy(number), asker(link), id, Outgoing::default());
    }

    #[test]
    fn a_route_is_kept_for_so_long_and_what_replaces_it_anew() {
        let mut routes = Routes::default();
        let start = Time::START;
        let half = start + ROUTE_KEPT / 2;
        keep(&mut routes, start, 1, 1);
        keep(&mut routes, start, 2, 1);
        keep(&mut routes, half, 1, 9);
        let end = start + ROUTE_KEPT;
        let at = |routes: &mut Routes, now, number| routes.get_mut(now, copy(number)).map(|route| route.asker);
        assert_eq!((at(&mut routes, half, 1), at(&mut routes, half, 2)), (Some(asker(9)), Some(asker(1))));
        assert_eq!(
            (at(&mut routes, end, 1), at(&mut routes, end, 2)),
            (Some(asker(9)), None),
            "though nobody forgot it"
        );
        routes.forget_old(end);
        assert_eq!((routes.len(), at(&mut routes, end, 1)), (1, Some(asker(9))));
        routes.forget_old(half + ROUTE_KEPT);
        assert_eq!(routes.len(), 0);
        // Numbers begin anew.
        routes.first = u32::MAX - 1;
        (0..4).for_each(|number| keep(&mut routes, start, number, number));
        let found: Vec<_> = (0..5).map(|number| at(&mut routes, start, number)).collect();
        assert_eq!(found, [Some(asker(0)), Some(asker(1)), Some(asker(2)), Some(asker(3)), None]);
    }

    #[test]
    fn one_too_many_takes_the_place_of_the_oldest_and_of_no_other() {
        let mut routes = Routes::default();
        for number in 0..=ROUTES_KEPT_MAX as u64 {
            keep(&mut routes, Time::START, number, 1);
        }
        assert_eq!(routes.len(), ROUTES_KEPT_MAX);
        let most = routes.memory_bytes();
        let is_kept = |routes: &mut Routes, number| routes.get_mut(Time::START, copy(number)).is_some();
        assert_eq!([0, 1, ROUTES_KEPT_MAX as u64].map(|number| is_kept(&mut routes, number)), [false, true, true]);
        for number in 0..1_000_000 {
            keep(&mut routes, Time::START, number << 20, 1);
        }
        assert!(routes.memory_bytes() <= 2 * most, "{} after {most}", routes.memory_bytes());
    }
}
