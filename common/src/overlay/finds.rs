//! Finds by words that take longer than a query may: each goes on by a piece, in turn with the others.
//!
//! How much is looked through depends on what others ask and on how many files there are, so it is bounded for each turn of
//! the loop: a million names take many turns, and whoever else says something waits for one of them. What becomes of what was
//! found is the corridor's; here is only what was found so far, and whose turn it is.

use std::collections::{BTreeMap, VecDeque};
use std::ops::Bound;

use super::offered::{FindPlaces, Offered};
use super::shares::Shares;
use crate::content::catalogue::FindStep;
use crate::content::search::{GatheredEntries, Words};
use crate::limits::{FIND_COUNTED_BYTES_MAX, FINDS_WAITING_MAX};
use crate::link::LinkId;
use crate::time::Time;

/// Looked through for one find before it is another's turn, and at once when it is asked: whatever comes of it, that takes
/// some 0.02 ms in a release build. Longer than what there is of any file.
pub(super) const FIND_PIECE_BYTES: u64 = 64 * 1024;
/// Looked through for all that wait in one turn of the loop: a third of a millisecond.
pub(super) const FIND_TURN_BYTES: u64 = 1024 * 1024;
/// What a find counts for at least that has its turn: some are over at once.
const FIND_TAKEN_BYTES: u64 = 4 * 1024;

/// A find, as far as it has come.
#[derive(Debug)]
pub(super) struct FindSoFar {
    words: Words,
    /// The names of the files it goes on with. What is shared may be something else by then.
    from: FindPlaces,
    pub(super) gathered: GatheredEntries,
    /// Through how much those are counted that are not told.
    uncounted_bytes: u64,
}

impl FindSoFar {
    pub(super) fn new(words: &Words) -> FindSoFar {
        let gathered = GatheredEntries::default();
        FindSoFar {
            words: words.clone(),
            from: FindPlaces::default(),
            gathered,
            uncounted_bytes: FIND_COUNTED_BYTES_MAX as u64,
        }
    }

    /// Goes on for a piece, of which it takes what it looked through. Whether that was all there is to be done.
    pub(super) fn go_on(&mut self, files: Offered<'_>, piece_bytes: &mut u64) -> bool {
        let mut found = files.find_from(&self.words, &self.from);
        loop {
            let is_counting = self.gathered.is_full();
            let most = if is_counting { self.uncounted_bytes.min(*piece_bytes) } else { *piece_bytes };
            let mut left = most;
            let step = found.step(&mut left);
            *piece_bytes -= most - left;
            if is_counting {
                self.uncounted_bytes -= most - left;
            }
            match step {
                FindStep::Found(file) => self.gathered.add(|| file.entry()),
                FindStep::End => return true,
                FindStep::Spent if self.gathered.is_full() && self.uncounted_bytes == 0 => return true,
                FindStep::Spent => {
                    self.from = found.goes_on_at();
                    return false;
                }
            }
        }
    }
}

/// One that waits for its next piece, and what the corridor knows of it.
#[derive(Debug)]
pub(super) struct WaitingFind<T> {
    pub(super) asked: T,
    pub(super) find: FindSoFar,
}

/// The room. Links have their turns one after the other, and so have the finds of each.
#[derive(Debug)]
pub(super) struct Finds<T> {
    waiting: BTreeMap<LinkId, VecDeque<WaitingFind<T>>>,
    /// No link has more than what is left for all others.
    shares: Shares<LinkId>,
    /// Whose turn was last.
    last: LinkId,
    /// Since then something has waited.
    since: Time,
    /// How much may still be looked through in this turn.
    turn_bytes: u64,
}

impl<T> Default for Finds<T> {
    fn default() -> Finds<T> {
        Finds {
            waiting: BTreeMap::new(),
            shares: Shares::new(FINDS_WAITING_MAX),
            last: LinkId(0),
            since: Time::NEVER,
            turn_bytes: 0,
        }
    }
}

impl<T> Finds<T> {
    /// Whether one more that came over this link may wait.
    pub(super) fn has_room(&self, link: LinkId) -> bool {
        self.shares.has_room(link, 1)
    }

    pub(super) fn count(&self) -> usize {
        self.shares.taken()
    }

    /// One waits that came over this link.
    pub(super) fn wait(&mut self, now: Time, link: LinkId, find: WaitingFind<T>) {
        self.since = if self.waiting.is_empty() { now } else { self.since };
        self.shares.take(link, 1);
        self.waiting.entry(link).or_default().push_back(find);
    }

    /// What is held beside the struct itself, without what was found so far.
    pub(super) fn memory_bytes(&self) -> usize {
        self.count() * size_of::<WaitingFind<T>>()
    }

    /// It is due at once: what else there is to be done is done between two turns.
    pub(super) fn deadline(&self) -> Time {
        if self.waiting.is_empty() { Time::NEVER } else { self.since }
    }

    /// A turn begins.
    pub(super) fn begin_turn(&mut self) {
        self.turn_bytes = FIND_TURN_BYTES;
    }

    /// The find whose turn it is, as long as this one is not over. It waits no more.
    pub(super) fn take_next(&mut self) -> Option<(LinkId, WaitingFind<T>)> {
        if self.turn_bytes == 0 {
            return None;
        }
        let behind = self.waiting.range((Bound::Excluded(self.last), Bound::Unbounded)).next();
        let (&link, _) = behind.or_else(|| self.waiting.iter().next())?;
        let of_link = self.waiting.get_mut(&link)?;
        let next = of_link.pop_front()?;
        if of_link.is_empty() {
            self.waiting.remove(&link);
        }
        self.shares.give_back(link, 1);
        self.last = link;
        Some((link, next))
    }

    /// So much was looked through for it.
    pub(super) fn on_looked(&mut self, bytes_count: u64) {
        self.turn_bytes = self.turn_bytes.saturating_sub(bytes_count.max(FIND_TAKEN_BYTES));
    }

    /// What was asked over a link that is gone is looked for no more. Gives what that is.
    pub(super) fn on_closed(&mut self, link: LinkId) -> Vec<T> {
        let gone = self.waiting.remove(&link).unwrap_or_default();
        self.shares.give_back(link, gone.len());
        gone.into_iter().map(|waiting| waiting.asked).collect()
    }

    /// Nobody is told anything more.
    pub(super) fn on_leave(&mut self) {
        *self = Finds::default();
    }
}
