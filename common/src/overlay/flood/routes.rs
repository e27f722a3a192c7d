//! Which way answers go that come back after their copy was echoed: those whose dial failed, and those of neighbors that were
//! given up.
//!
//! A pass knows the way for as long as it is pending (`pass`), and goes when its contact has the query open no more. What is
//! kept here outlives that, for [`ROUTE_KEPT`] and no longer.

use std::collections::VecDeque;

use super::arrival::Asker;
use super::outgoing::Outgoing;
use super::slots::{Called, Slots};
use crate::limits::{ROUTE_KEPT, ROUTES_KEPT_MAX};
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

impl Called for Route {
    type Name = CopyName;

    fn name(&self) -> &CopyName {
        &self.copy
    }
}

/// All that are kept.
#[derive(Debug, Default)]
pub(super) struct Routes {
    kept: Slots<Route>,
    /// In the order in which they go. One that was replaced is here twice.
    order: VecDeque<(Time, CopyName)>,
}

impl Routes {
    /// Keeps the way of answers to a copy that was just echoed. The oldest goes for it if need be.
    pub(super) fn keep(&mut self, now: Time, copy: CopyName, asker: Asker, id: QueryId, out: Outgoing) {
        self.forget_old(now);
        while self.order.len() >= ROUTES_KEPT_MAX {
            self.forget_oldest();
        }
        if let Some(before) = self.kept.find(&copy) {
            self.kept.remove(before);
        }
        let until = now + ROUTE_KEPT;
        self.order.push_back((until, copy));
        self.kept.insert(Route { copy, asker, id, out, until });
    }

    /// The way of answers to this copy, as long as it is kept.
    pub(super) fn get_mut(&mut self, now: Time, copy: CopyName) -> Option<&mut Route> {
        let slot = self.kept.find(&copy)?;
        self.kept.get_mut(slot).filter(|route| route.until > now)
    }

    /// Forgets those that were kept for long enough.
    pub(super) fn forget_old(&mut self, now: Time) {
        while self.order.front().is_some_and(|(until, _)| *until <= now) {
            self.forget_oldest();
        }
        // What was kept once may have been much.
        if self.order.is_empty() && self.order.capacity() > 0 {
            *self = Routes::default();
        }
    }

    pub(super) fn len(&self) -> usize {
        self.order.len()
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let out = self.kept.iter().map(|(_, route)| route.out.memory_bytes()).sum::<usize>();
        self.kept.memory_bytes() + self.order.capacity() * size_of::<(Time, CopyName)>() + out
    }

    fn forget_oldest(&mut self) {
        let Some((until, copy)) = self.order.pop_front() else { return };
        let slot = self.kept.find(&copy).filter(|slot| self.kept.get(*slot).is_some_and(|route| route.until == until));
        slot.map(|slot| self.kept.remove(slot));
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
        assert_eq!((routes.len(), routes.memory_bytes()), (0, 0));
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
