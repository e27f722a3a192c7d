//! Members whose link fell without a goodbye, and until when they are looked for.
//!
//! It keeps them. Each is dialled at once, and once more a beat later where it did not refuse: a neighbor that was told as `links` does in any case, another by a visit; what
//! is said of it because of that is for `members`.

use std::net::SocketAddr;

use crate::limits::{NEIGHBOR_BEAT, NEIGHBOR_QUIET_MAX, NEIGHBORS_MAX};
use crate::message::Identity;
use crate::time::Time;

/// Those that are looked for.
#[derive(Debug, Default)]
pub(super) struct Watch(Vec<WatchedMember>);

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct WatchedMember {
    pub(super) address: SocketAddr,
    pub(super) id: Identity,
    /// The configured neighbor of this number, if it is one.
    pub(super) target: Option<usize>,
    /// When it is taken for dead, if nothing shows otherwise.
    pub(super) due: Time,
    /// What the clock showed when its link fell.
    pub(super) clock: u64,
    /// When it is dialled once more, if it did not refuse the first time; nothing after that.
    pub(super) again: Option<Again>,
}

/// The second dial: whoever is just dying may take a connection and say nothing on it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Again {
    May,
    At(Time),
}

impl Watch {
    pub(super) fn begin(&mut self, now: Time, address: SocketAddr, id: Identity, target: Option<usize>, clock: u64) {
        self.end(address);
        // Whoever comes and goes again and again takes no more room than there are links.
        if self.0.len() >= NEIGHBORS_MAX {
            self.0.remove(0);
        }
        let again = target.is_none().then_some(Again::May);
        self.0.push(WatchedMember { address, id, target, due: now + NEIGHBOR_QUIET_MAX, clock, again });
    }

    pub(super) fn end(&mut self, address: SocketAddr) {
        self.0.retain(|watched| watched.address != address);
    }

    pub(super) fn deadline(&self) -> Time {
        // Each waits as long: the first is the oldest.
        let due = self.0.first().map_or(Time::NEVER, |watched| watched.due);
        let again = |watched: &WatchedMember| if let Some(Again::At(at)) = watched.again { Some(at) } else { None };
        self.0.iter().filter_map(again).fold(due, Time::min)
    }

    /// It was dialled in vain, and did not refuse.
    pub(super) fn dial_again_later(&mut self, now: Time, address: SocketAddr) {
        if let Some(watched) = self.0.iter_mut().find(|watched| watched.address == address)
            && matches!(watched.again, Some(Again::May))
        {
            watched.again = Some(Again::At(now + NEIGHBOR_BEAT));
        }
    }

    /// Those that are to be dialled once more.
    pub(super) fn take_again(&mut self, now: Time) -> Vec<SocketAddr> {
        let is_due = |again: Option<Again>| matches!(again, Some(Again::At(at)) if at <= now);
        let due = self.0.iter_mut().filter(|watched| is_due(watched.again));
        due.map(|watched| {
            watched.again = None;
            watched.address
        })
        .collect()
    }

    pub(super) fn count(&self) -> usize {
        self.0.len()
    }

    pub(super) fn at(&self, address: SocketAddr) -> Option<WatchedMember> {
        self.0.iter().find(|watched| watched.address == address).copied()
    }

    pub(super) fn of_target(&self, target: usize) -> Option<WatchedMember> {
        self.0.iter().find(|watched| watched.target == Some(target)).copied()
    }

    /// It was said to be suspect, at this of the clock: what others say later is an answer to that.
    pub(super) fn note_suspicion(&mut self, address: SocketAddr, clock: u64) {
        if let Some(watched) = self.0.iter_mut().find(|watched| watched.address == address) {
            watched.clock = clock;
        }
    }

    /// Takes out the first for which its time has come.
    pub(super) fn take_overdue(&mut self, now: Time) -> Option<WatchedMember> {
        let watched = self.0.first().copied().filter(|watched| watched.due <= now)?;
        self.end(watched.address);
        Some(watched)
    }
}
