//! Members whose link fell without a goodbye, and until when they are looked for.
//!
//! It keeps them. Each is dialled once at once: a neighbor that was told as `links` does in any case, another by a visit; what
//! is said of it because of that is for `members`.

use std::net::SocketAddr;

use crate::limits::{NEIGHBOR_QUIET_MAX, NEIGHBORS_MAX};
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
}

impl Watch {
    pub(super) fn begin(&mut self, now: Time, address: SocketAddr, id: Identity, target: Option<usize>, clock: u64) {
        self.end(address);
        // Whoever comes and goes again and again takes no more room than there are links.
        if self.0.len() >= NEIGHBORS_MAX {
            self.0.remove(0);
        }
        self.0.push(WatchedMember { address, id, target, due: now + NEIGHBOR_QUIET_MAX, clock });
    }

    pub(super) fn end(&mut self, address: SocketAddr) {
        self.0.retain(|watched| watched.address != address);
    }

    pub(super) fn deadline(&self) -> Time {
        // Each waits as long: the first is the oldest.
        self.0.first().map_or(Time::NEVER, |watched| watched.due)
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
