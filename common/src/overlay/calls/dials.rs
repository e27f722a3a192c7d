//! Whose turn it is to be dialled: so many dials at once, and those who never answer do not keep others waiting.
//!
//! A dial to an address that swallows packets takes as long as a dial may take, and anybody can name many such
//! addresses. So dials are [`Shares`], of which no network has more than a few, and of which all addresses that failed
//! before have no more than are left for all others: while others leave enough everybody is dialled at once, and after
//! that whoever has fewest goes first. Which dials are under way, what for, and what comes of them is known to
//! `calls`.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};

use crate::limits::{CALL_DIALS_MAX, CALL_DIALS_PER_NETWORK_MAX};
use crate::overlay::errand::Callee;
use crate::overlay::shares::{Network, Shares};

#[derive(Debug)]
pub(super) struct Dials {
    /// Of every dial, whether its address failed before or not: a network is an ip that somebody may want to have
    /// dialled by many.
    shares: Shares<Network>,
    /// How many of them are to addresses that failed before, wherever they are.
    failed_count: usize,
    unknown: Waiting,
    failed: Waiting,
    asked_count: u64,
}

/// What came of the last dial to an address, as far as is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Past {
    Unknown,
    Failed,
}

/// Addresses that wait for a dial.
#[derive(Debug, Default)]
struct Waiting {
    /// The newest at the end: it is the one for whom somebody surely still waits.
    by_network: BTreeMap<Network, Vec<(u64, Callee)>>,
    /// The networks of those, but for networks that have as many dials as one may: the smallest share first, and among
    /// equals the newest. So the first of them is found without a look at any other.
    order: BTreeSet<Turn>,
}

/// When a network's turn comes.
type Turn = (usize, Reverse<u64>, Network);

impl Default for Dials {
    fn default() -> Dials {
        Dials {
            shares: Shares::new(CALL_DIALS_MAX),
            failed_count: 0,
            unknown: Waiting::default(),
            failed: Waiting::default(),
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
    pub(super) fn ask(&mut self, callee: Callee, has_failed: bool) {
        let past = if has_failed { Past::Failed } else { Past::Unknown };
        let network = Network::of(callee.address.ip());
        self.asked_count += 1;
        let asked = (self.asked_count, callee);
        self.change(network, |dials| dials.queue(past).by_network.entry(network).or_default().push(asked));
    }

    /// An address that waits is not to be dialled any more.
    pub(super) fn withdraw(&mut self, callee: Callee, has_failed: bool) {
        let past = if has_failed { Past::Failed } else { Past::Unknown };
        let network = Network::of(callee.address.ip());
        self.change(network, |dials| {
            if let Some(waiting) = dials.queue(past).by_network.get_mut(&network) {
                waiting.retain(|(_, other)| *other != callee);
            }
        });
    }

    /// The next address that may be dialled; its dial is under way from now on, and counts as one of this past.
    pub(super) fn begin(&mut self) -> Option<(Callee, Past)> {
        let unknown = self.unknown.order.first().map(|(share, _, network)| (*share, Past::Unknown, *network));
        // All that failed before are as one: they go when nobody else has less than they have together.
        let failed = self.failed.order.first().map(|(_, _, network)| (self.failed_count, Past::Failed, *network));
        let turns = match (unknown, failed) {
            (Some(unknown), Some(failed)) if failed.0 < unknown.0 => [Some(failed), Some(unknown)],
            _ => [unknown, failed],
        };
        let (_, past, network) =
            turns.into_iter().flatten().find(|(_, past, network)| self.has_room(*past, *network))?;
        self.change(network, |dials| {
            let (_, callee) = dials.queue(past).by_network.get_mut(&network)?.pop()?;
            dials.shares.take(network, 1);
            dials.failed_count += usize::from(past == Past::Failed);
            Some((callee, past))
        })
    }

    fn has_room(&self, past: Past, network: Network) -> bool {
        let failed_have_room = past == Past::Unknown || self.failed_count < self.shares.left();
        failed_have_room && self.shares.has_room(network, 1)
    }

    /// A dial is over, whatever came of it.
    pub(super) fn end(&mut self, callee: Callee, past: Past) {
        let network = Network::of(callee.address.ip());
        self.failed_count -= usize::from(past == Past::Failed);
        self.change(network, |dials| dials.shares.give_back(network, 1));
    }

    fn queue(&mut self, past: Past) -> &mut Waiting {
        match past {
            Past::Unknown => &mut self.unknown,
            Past::Failed => &mut self.failed,
        }
    }

    /// Changes what one network has or waits for, and its places in the orders with it.
    fn change<T>(&mut self, network: Network, change: impl FnOnce(&mut Dials) -> T) -> T {
        let share = self.shares.of(network);
        for queue in [&mut self.unknown, &mut self.failed] {
            queue.leave_order(share, network);
        }
        let result = change(self);
        let share = self.shares.of(network);
        for queue in [&mut self.unknown, &mut self.failed] {
            queue.enter_order(share, network);
        }
        result
    }
}

impl Waiting {
    fn leave_order(&mut self, share: usize, network: Network) {
        if let Some(turn) = self.turn(share, network) {
            self.order.remove(&turn);
        }
    }

    fn enter_order(&mut self, share: usize, network: Network) {
        match self.turn(share, network) {
            Some(turn) if share < CALL_DIALS_PER_NETWORK_MAX => {
                self.order.insert(turn);
            }
            Some(_) => {}
            None => {
                self.by_network.remove(&network);
            }
        }
    }

    fn turn(&self, share: usize, network: Network) -> Option<Turn> {
        let (asked, _) = self.by_network.get(&network)?.last()?;
        Some((share, Reverse(*asked), network))
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::overlay::Errand;

    fn at(network: u8, port: u16) -> Callee {
        Callee { errand: Errand::Answers, address: SocketAddr::from(([10, 0, 0, network], port)) }
    }

    #[test]
    fn those_that_failed_go_first_while_they_have_less_than_the_next() {
        let mut dials = Dials::default();
        dials.ask(at(1, 1), true);
        dials.ask(at(2, 1), false);
        assert_eq!(dials.begin(), Some((at(2, 1), Past::Unknown)), "nobody has any: who never failed goes first");
        dials.ask(at(2, 2), false);
        assert_eq!(dials.begin(), Some((at(1, 1), Past::Failed)), "none are less than one");
        dials.ask(at(1, 2), true);
        assert_eq!(dials.begin(), Some((at(2, 2), Past::Unknown)), "one is no less than one");
        assert_eq!((dials.begin(), dials.begin(), dials.count()), (Some((at(1, 2), Past::Failed)), None, 4));
    }

    #[test]
    fn those_that_failed_have_as_many_dials_as_ever_when_theirs_are_over() {
        let mut dials = Dials::default();
        for port in 1..=4 * CALL_DIALS_MAX {
            let to = at(1, u16::try_from(port).unwrap());
            dials.ask(to, true);
            assert_eq!(dials.begin(), Some((to, Past::Failed)));
            dials.end(to, Past::Failed);
        }
        assert_eq!(dials.count(), 0);
    }
}
