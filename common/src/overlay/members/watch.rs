//! Members whose link fell without a goodbye, or that were greeted in vain, and until when they are looked for.
//!
//! It keeps them. Each that may be is dialled at once, and once more a beat later where it did not refuse: a neighbor that was
//! told as `links` does in any case, another by a visit. Nobody is taken for dead who was not suspected before, so that whoever has a
//! link to it can say otherwise; what is said is for `members`.

use std::net::SocketAddr;
use std::time::Duration;

use crate::limits::{NEIGHBOR_BEAT, NEIGHBOR_QUIET_MAX, NEIGHBORS_MAX, SUSPECT_AFTER};
use crate::message::Identity;
use crate::time::Time;

/// How long one is suspected before it is taken for dead.
pub(super) const SUSPECTED_FOR: Duration = NEIGHBOR_QUIET_MAX.saturating_sub(SUSPECT_AFTER);

/// Those that are looked for.
#[derive(Debug, Default)]
pub(super) struct MemberWatch(Vec<WatchedMember>);

/// One of them.
#[derive(Clone, Copy, Debug)]
pub(super) struct WatchedMember {
    pub(super) address: SocketAddr,
    pub(super) id: Identity,
    /// The configured neighbor of this number, if it is one.
    pub(super) target: Option<usize>,
    /// When it is suspected, if nothing shows otherwise and it is not yet.
    suspect_due: Option<Time>,
    /// When it is taken for dead, if nothing shows otherwise.
    due: Time,
    /// What the clock showed when its link fell, when others said later what was known before, or when it was said to be suspect.
    pub(super) clock: u64,
    /// When it is dialled once more, if it did not refuse the first time; nothing after that.
    pub(super) again: Option<Again>,
    /// It was greeted in vain, and no link of it fell here: that it refuses dials from here says no more of it.
    pub(super) is_greeted: bool,
    /// That it is suspect was said: what others say at a later clock than then may be an answer.
    is_said: bool,
    /// And others were told.
    is_told: bool,
    /// That it is suspect was contradicted since: whoever suspects it after that judges it itself.
    pub(super) is_answered: bool,
}

/// The second dial: whoever is just dying may take a connection and say nothing on it.
#[derive(Clone, Copy, Debug)]
pub(super) enum Again {
    May,
    At(Time),
}

impl MemberWatch {
    pub(super) fn begin(&mut self, now: Time, address: SocketAddr, id: Identity, target: Option<usize>, clock: u64) {
        self.end(address);
        // Whoever comes and goes again and again takes no more room than there are links.
        if self.0.len() >= NEIGHBORS_MAX {
            self.0.remove(0);
        }
        let again = target.is_none().then_some(Again::May);
        let (suspect_due, due) = (Some(now + SUSPECT_AFTER), now + NEIGHBOR_QUIET_MAX);
        self.0.push(WatchedMember {
            address,
            id,
            target,
            suspect_due,
            due,
            clock,
            again,
            is_greeted: false,
            is_said: false,
            is_told: false,
            is_answered: false,
        });
    }

    /// It is to be suspected now, and not dead yet.
    pub(super) fn begin_again(&mut self, now: Time, watched: WatchedMember, clock: u64) {
        self.0.push(WatchedMember {
            suspect_due: Some(now),
            due: now + SUSPECTED_FOR,
            clock,
            is_said: false,
            is_told: false,
            ..watched
        });
    }

    /// That it is suspect is told only then: it is not dead before that could be contradicted.
    pub(super) fn wait_for_telling(&mut self, told_at: Time, watched: WatchedMember) {
        self.0.push(WatchedMember { due: told_at + SUSPECTED_FOR, ..watched });
    }

    /// It is suspected already, and is not dialled.
    pub(super) fn begin_suspected(&mut self, now: Time, address: SocketAddr, id: Identity, clock: u64) {
        self.begin(now, address, id, None, clock);
        if let Some(watched) = self.0.iter_mut().find(|watched| watched.address == address) {
            (watched.suspect_due, watched.again, watched.due) = (None, None, now + SUSPECTED_FOR);
            (watched.is_greeted, watched.is_said) = (true, true);
        }
    }

    /// What was known of it before its link fell is said at a later clock: it says nothing of what came then. Once that it is
    /// suspect was said it may be an answer.
    pub(super) fn raise(&mut self, address: SocketAddr, clock: u64) {
        let is_it = |watched: &&mut WatchedMember| watched.address == address && !watched.is_said;
        if let Some(watched) = self.0.iter_mut().find(is_it) {
            watched.clock = clock;
        }
    }

    /// It is said to be there at that clock; `is_contradicted` where that takes back what another suspected.
    pub(super) fn note_answer(&mut self, address: SocketAddr, clock: u64, is_contradicted: bool) {
        if let Some(watched) = self.0.iter_mut().find(|watched| watched.address == address) {
            watched.is_answered |= (watched.is_said || is_contradicted) && clock > watched.clock;
        }
    }

    /// What is known of it was told: from then on it could be contradicted that it is suspect.
    pub(super) fn note_told(&mut self, now: Time, address: SocketAddr) {
        let is_it = |watched: &&mut WatchedMember| watched.address == address && watched.is_said && !watched.is_told;
        if let Some(watched) = self.0.iter_mut().find(is_it) {
            watched.is_told = true;
            watched.due = watched.due.max(now + SUSPECTED_FOR);
        }
    }

    /// This servent slept: what others said meanwhile is still to be read, so nobody is judged before the next beat.
    pub(super) fn put_off(&mut self, now: Time) {
        let next = now + NEIGHBOR_BEAT;
        for watched in &mut self.0 {
            watched.due = watched.due.max(next);
            watched.suspect_due = watched.suspect_due.map(|due| due.max(next));
        }
    }

    pub(super) fn end(&mut self, address: SocketAddr) {
        self.0.retain(|watched| watched.address != address);
    }

    pub(super) fn deadline(&self) -> Time {
        let again = |watched: &WatchedMember| if let Some(Again::At(at)) = watched.again { Some(at) } else { None };
        let next = |watched: &WatchedMember| {
            let others = [watched.suspect_due, again(watched)].into_iter().flatten();
            others.fold(watched.due, Time::min)
        };
        self.0.iter().map(next).min().unwrap_or(Time::NEVER)
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
    pub(super) fn note_suspicion(&mut self, now: Time, address: SocketAddr, clock: u64) {
        if let Some(watched) = self.0.iter_mut().find(|watched| watched.address == address) {
            (watched.clock, watched.is_said) = (clock, true);
            watched.suspect_due = None;
            watched.due = watched.due.max(now + SUSPECTED_FOR);
        }
    }

    /// It is suspect already, since that clock: it is not for as long again.
    pub(super) fn note_suspected(&mut self, now: Time, address: SocketAddr, clock: u64) {
        if let Some(watched) = self.0.iter_mut().find(|watched| watched.address == address) {
            (watched.clock, watched.is_said) = (clock, true);
            (watched.suspect_due, watched.due) = (None, now + SUSPECTED_FOR);
        }
    }

    /// Those that are to be suspected by now, each once.
    pub(super) fn take_to_be_suspected(&mut self, now: Time) -> Vec<WatchedMember> {
        let due = self.0.iter_mut().filter(|watched| watched.suspect_due.is_some_and(|due| due <= now));
        due.map(|watched| WatchedMember { suspect_due: watched.suspect_due.take(), ..*watched }).collect()
    }

    /// Takes out one for which its time has come.
    pub(super) fn take_overdue(&mut self, now: Time) -> Option<WatchedMember> {
        let watched = self.0.iter().copied().find(|watched| watched.due <= now)?;
        self.end(watched.address);
        Some(watched)
    }
}
