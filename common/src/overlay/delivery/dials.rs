//! Whose turn it is to be dialled: so many dials at once, and those who never answer do not keep others waiting.
//!
//! A dial to an address that swallows packets takes as long as a dial may take, and anybody can name many such
//! addresses. So dials are [`Shares`], of which nobody has more than a few: while others leave enough everybody is
//! dialled at once, and after that whoever has fewest goes first. What is dialled for, and what comes of it, is known to `delivery`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::shares::{Network, Shares};
use crate::config::{ANSWER_DIALS_MAX, ANSWER_DIALS_PER_NETWORK_MAX};

/// Whose share a dial is taken from.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Network(Network),
    /// All addresses together whose last dial failed, wherever they are.
    Failed,
}

#[derive(Debug)]
pub(super) struct Dials {
    shares: Shares<Owner>,
    under_way: BTreeMap<SocketAddr, Owner>,
    /// The newest at the end: it is the one whose client surely still waits.
    waiting: BTreeMap<Owner, Vec<(u64, SocketAddr)>>,
    /// Those for whom somebody waits: the smallest share first, and among equals the newest.
    order: BTreeSet<(usize, Reverse<u64>, Owner)>,
    asked_count: u64,
}

impl Default for Dials {
    fn default() -> Dials {
        Dials {
            shares: Shares::new(ANSWER_DIALS_MAX),
            under_way: BTreeMap::new(),
            waiting: BTreeMap::new(),
            order: BTreeSet::new(),
            asked_count: 0,
        }
    }
}

impl Dials {
    /// The dials under way.
    pub(super) fn count(&self) -> usize {
        self.shares.taken()
    }

    /// An address is to be dialled when it may.
    pub(super) fn ask(&mut self, to: SocketAddr, has_failed: bool) {
        let owner = if has_failed { Owner::Failed } else { Owner::Network(Network::of(to.ip())) };
        self.asked_count += 1;
        let asked = (self.asked_count, to);
        self.change(owner, |dials| dials.waiting.entry(owner).or_default().push(asked));
    }

    /// The next address that may be dialled; its dial is under way from now on.
    pub(super) fn begin(&mut self) -> Option<SocketAddr> {
        let (_, _, first) = *self.order.first()?;
        // Whoever has the smallest share has the best chance, but those that failed, being many, may have more.
        let owner = [first, Owner::Failed].into_iter().find(|owner| self.may_begin(*owner))?;
        self.change(owner, |dials| {
            let (_, to) = dials.waiting.get_mut(&owner)?.pop()?;
            dials.shares.take(owner, 1);
            dials.under_way.insert(to, owner);
            Some(to)
        })
    }

    fn may_begin(&self, owner: Owner) -> bool {
        let is_below_most = owner == Owner::Failed || self.shares.of(owner) < ANSWER_DIALS_PER_NETWORK_MAX;
        is_below_most && self.shares.has_room(owner, 1) && self.waiting.contains_key(&owner)
    }

    /// A dial is over, whatever came of it.
    pub(super) fn end(&mut self, to: SocketAddr) {
        if let Some(owner) = self.under_way.remove(&to) {
            self.change(owner, |dials| dials.shares.give_back(owner, 1));
        }
    }

    /// Changes what one owner has or waits for, and its place in the order with it.
    fn change<T>(&mut self, owner: Owner, change: impl FnOnce(&mut Dials) -> T) -> T {
        if let Some(place) = self.place(owner) {
            self.order.remove(&place);
        }
        let result = change(self);
        match self.place(owner) {
            Some(place) => {
                self.order.insert(place);
            }
            None => {
                self.waiting.remove(&owner);
            }
        }
        result
    }

    fn place(&self, owner: Owner) -> Option<(usize, Reverse<u64>, Owner)> {
        let (asked, _) = self.waiting.get(&owner)?.last()?;
        Some((self.shares.of(owner), Reverse(*asked), owner))
    }
}
