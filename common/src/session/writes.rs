//! What a client's contact is to keep: changes that were said to it, and what came of each.
//!
//! Of each the contact says one outcome, in the order in which they were said; whatever else comes is a surprise. Where none
//! comes nobody knows what became of it. Who may write, and when something is kept, is for the contact.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use crate::limits::WRITES_PENDING_MAX;
use crate::time::Time;
use crate::write::WriteOutcome;

/// What became of a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct WriteEnded {
    /// What ended it.
    pub end: WriteEnd,
    /// Since it was wanted, as the client counts time.
    pub elapsed: Duration,
}

/// What ended it that a contact was to keep a change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteEnd {
    /// The contact has said what came of it.
    Told(WriteOutcome),
    /// The contact did not say for as long as the client waits: it may be kept or not.
    Silence,
    /// The contact is gone, and has not said: it may be kept or not.
    ContactLost,
    /// Nobody wanted to know any more: it may be kept or not.
    Cancelled,
    /// It was not said to anybody: there is no contact.
    NoContact,
    /// It was not said: the contact did not offer to keep anything.
    NotUnderstood,
    /// It was not said: the contact does not accept so long a frame from this client, from which it takes no writes.
    NotAccepted,
}

impl WriteEnd {
    /// Its name for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            WriteEnd::Told(outcome) => outcome.word(),
            WriteEnd::Silence => "silence",
            WriteEnd::ContactLost => "contact_lost",
            WriteEnd::Cancelled => "interrupted",
            WriteEnd::NoContact => "no_contact",
            WriteEnd::NotUnderstood => "not_understood",
            WriteEnd::NotAccepted => "not_accepted",
        }
    }

    /// Whether it is in doubt what is kept: it was said, and nobody has said what came of it.
    #[must_use]
    pub fn is_unknown(self) -> bool {
        match self {
            WriteEnd::Silence | WriteEnd::ContactLost | WriteEnd::Cancelled => true,
            WriteEnd::Told(_) | WriteEnd::NoContact | WriteEnd::NotUnderstood | WriteEnd::NotAccepted => false,
        }
    }
}

/// Of as many writes the contact has yet to say what came of them as there may be. This one was not said, and nothing became
/// of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what came of {WRITES_PENDING_MAX} writes is not told yet, and that is the most")]
pub struct TooManyWrites;

/// What was said to the contact, and of what it has yet to say what came of it.
#[derive(Debug, Default)]
pub(super) struct SaidWrites {
    /// In the order in which they were said, those given up among them.
    owed: VecDeque<OwedWrite>,
    /// When the wait is over of those that were not.
    by_due: BTreeSet<(Time, u64)>,
}

#[derive(Clone, Copy, Debug)]
struct OwedWrite {
    sequence: u64,
    said: Time,
    /// Nothing where nobody waits for it any more.
    due: Option<Time>,
}

impl SaidWrites {
    pub(super) fn is_full(&self) -> bool {
        self.owed.len() >= WRITES_PENDING_MAX
    }

    pub(super) fn pending_count(&self) -> usize {
        self.by_due.len()
    }

    pub(super) fn deadline(&self) -> Time {
        self.by_due.first().map_or(Time::NEVER, |(due, _)| *due)
    }

    /// Whether something is known by it, which may be over for whoever asked.
    pub(super) fn use_sequence(&self, sequence: u64) -> bool {
        self.owed.iter().any(|write| write.sequence == sequence)
    }

    pub(super) fn say(&mut self, now: Time, sequence: u64, silence_max: Duration) {
        let due = now + silence_max;
        self.owed.push_back(OwedWrite { sequence, said: now, due: Some(due) });
        self.by_due.insert((due, sequence));
    }

    /// The contact says what came of one. Nothing where that is a surprise, else since when it was waited for, if it was.
    pub(super) fn on_told(&mut self, sequence: u64) -> Option<Option<Time>> {
        let write = self.owed.pop_front_if(|write| write.sequence == sequence)?;
        let is_waited_for = write.due.is_some_and(|due| self.by_due.remove(&(due, sequence)));
        Some(is_waited_for.then_some(write.said))
    }

    /// Nobody waits for this one any more. Since when it was, if it was.
    pub(super) fn give_up(&mut self, sequence: u64) -> Option<Time> {
        let write = self.owed.iter_mut().find(|write| write.sequence == sequence)?;
        let due = write.due.take()?;
        self.by_due.remove(&(due, sequence));
        Some(write.said)
    }

    /// Nobody will say what came of any. Those that were waited for, and since when.
    pub(super) fn take_waited_for(&mut self) -> impl Iterator<Item = (u64, Time)> + use<> {
        let owed = std::mem::take(self).owed;
        owed.into_iter().filter(|write| write.due.is_some()).map(|write| (write.sequence, write.said))
    }

    pub(super) fn overdue(&self, now: Time) -> Option<u64> {
        self.by_due.first().filter(|(due, _)| *due <= now).map(|(_, sequence)| *sequence)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_json_finds_how_writes_end_by_the_names_they_have() {
        for (end, name, is_unknown) in [
            (WriteEnd::Told(WriteOutcome::Stored), "stored", false),
            (WriteEnd::Silence, "silence", true),
            (WriteEnd::ContactLost, "contact_lost", true),
            (WriteEnd::Cancelled, "interrupted", true),
            (WriteEnd::NoContact, "no_contact", false),
            (WriteEnd::NotUnderstood, "not_understood", false),
            (WriteEnd::NotAccepted, "not_accepted", false),
        ] {
            assert_eq!((end.word(), end.is_unknown()), (name, is_unknown), "{end:?}");
        }
    }
}
