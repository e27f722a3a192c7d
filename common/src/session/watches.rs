//! The chapter of the client's mind on keys that its contact is to tell of, now and whenever their values change.
//!
//! It takes the contact's word for what the value is. A watch has no wait: it goes on until nobody wants it, or the contact
//! is gone.

use std::collections::{BTreeSet, VecDeque};

use super::{Contact, Output, Report, Session};
use crate::features::Features;
use crate::key::Key;
use crate::limits::WATCHES_PER_CLIENT_MAX;
use crate::link::LinkId;
use crate::message::Message;
use crate::write::{Changed, Unwatch, Watch};

/// Watches that nobody wants any more and of which something may still be on its way; of those before them nothing is, unless
/// the contact is slow, and then it is a surprise.
const WATCHES_ENDED_KEPT_MAX: usize = 16 * WATCHES_PER_CLIENT_MAX;

/// What ended a watch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WatchEnd {
    /// Nobody wanted it any more.
    Cancelled,
    /// The contact is gone, or there was none.
    ContactLost,
    /// It was not asked for: the contact did not offer to tell of changes.
    NotUnderstood,
}

impl WatchEnd {
    /// Its name for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            WatchEnd::Cancelled => "interrupted",
            WatchEnd::ContactLost => "contact_lost",
            WatchEnd::NotUnderstood => "not_understood",
        }
    }
}

/// As many keys are watched as one client may watch. This one is not, and nothing became of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{WATCHES_PER_CLIENT_MAX} keys are watched, and that is the most")]
pub struct TooManyWatches;

/// What the contact tells of.
#[derive(Debug, Default)]
pub(super) struct AskedWatches {
    open: BTreeSet<u64>,
    /// Of which something may still be on its way.
    ended: VecDeque<u64>,
}

impl AskedWatches {
    /// Whether there is one that goes by this.
    pub(super) fn are_open_by(&self, sequence: u64) -> bool {
        self.open.contains(&sequence)
    }

    /// Whether something is known by it.
    pub(super) fn use_sequence(&self, sequence: u64) -> bool {
        self.are_open_by(sequence) || self.ended.contains(&sequence)
    }

    fn end(&mut self, sequence: u64) {
        self.open.remove(&sequence);
        if self.ended.len() >= WATCHES_ENDED_KEPT_MAX {
            self.ended.pop_front();
        }
        self.ended.push_back(sequence);
    }
}

impl Session {
    /// Has the contact tell the value of a key, now and whenever it changes, and gives the number by which that is told. It may
    /// be over at once, where there is no contact, or where that does not tell of changes.
    ///
    /// # Errors
    ///
    /// Where [`WATCHES_PER_CLIENT_MAX`] keys are watched.
    pub fn watch(&mut self, key: Key, out: &mut Vec<Output>) -> Result<u64, TooManyWatches> {
        if self.watches.open.len() >= WATCHES_PER_CLIENT_MAX {
            return Err(TooManyWatches);
        }
        let sequence = self.draw_sequence();
        match self.contact {
            Contact::Ready(link)
                if self.peers.get(&link).is_some_and(|peer| peer.features.include(Features::WRITES)) =>
            {
                self.watches.open.insert(sequence);
                out.push(Output::Send { link, message: Message::Watch(Watch { sequence, key }) });
            }
            Contact::Ready(_) => self.on_watch_over(sequence, WatchEnd::NotUnderstood, out),
            Contact::None | Contact::Silent(_) | Contact::Lost => {
                self.on_watch_over(sequence, WatchEnd::ContactLost, out);
            }
        }
        Ok(sequence)
    }

    /// How many keys are watched.
    #[must_use]
    pub fn watches_count(&self) -> usize {
        self.watches.open.len()
    }

    /// Whether a change may be told of over this link.
    pub(super) fn on_changed(&mut self, link: LinkId, changed: Changed, out: &mut Vec<Output>) -> bool {
        if self.contact != Contact::Ready(link) {
            return false;
        }
        let Changed { sequence, value } = changed;
        if self.watches.are_open_by(sequence) {
            out.push(Output::Tell(Report::Changed { sequence, value }));
            return true;
        }
        self.watches.ended.contains(&sequence)
    }

    /// Nobody wants to be told of a key any more.
    pub(super) fn end_watch(&mut self, sequence: u64, out: &mut Vec<Output>) {
        self.watches.end(sequence);
        if let Contact::Ready(link) = self.contact {
            out.push(Output::Send { link, message: Message::Unwatch(Unwatch { sequence }) });
        }
        self.on_watch_over(sequence, WatchEnd::Cancelled, out);
    }

    /// The contact is gone, and tells of nothing any more.
    pub(super) fn lose_watches(&mut self, out: &mut Vec<Output>) {
        for sequence in std::mem::take(&mut self.watches).open {
            self.on_watch_over(sequence, WatchEnd::ContactLost, out);
        }
    }

    fn on_watch_over(&mut self, sequence: u64, end: WatchEnd, out: &mut Vec<Output>) {
        self.sequences.retire(sequence);
        if self.pending.is_empty() {
            self.tell_more_unexpected(self.unexpected_since, out);
        }
        out.push(Output::Tell(Report::WatchEnded { sequence, end }));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_json_finds_how_watches_end_by_the_names_they_have() {
        let ends = [WatchEnd::Cancelled, WatchEnd::ContactLost, WatchEnd::NotUnderstood];
        assert_eq!(ends.map(WatchEnd::word), ["interrupted", "contact_lost", "not_understood"]);
    }
}
