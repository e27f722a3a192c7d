//! The chapter of the client's mind on what its contact is to keep: changes that were said to it, and what came of each.
//!
//! Of each the contact says one outcome, in the order in which they were said; whatever else comes is a surprise. Where none
//! comes nobody knows what became of it. Who may write, and when something is kept, is for the contact.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use super::{Contact, Output, Report, Session};
use crate::features::Features;
use crate::limits::WRITES_PENDING_MAX;
use crate::link::LinkId;
use crate::message::Message;
use crate::time::Time;
use crate::wire;
use crate::write::{Change, Write, WriteOutcome, Written};

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
pub(super) struct AskedWrites {
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

impl AskedWrites {
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

    fn say(&mut self, now: Time, sequence: u64, silence_max: Duration) {
        let due = now + silence_max;
        self.owed.push_back(OwedWrite { sequence, said: now, due: Some(due) });
        self.by_due.insert((due, sequence));
    }

    /// The contact says what came of one. Nothing where that is a surprise, else since when it was waited for, if it was.
    fn on_told(&mut self, sequence: u64) -> Option<Option<Time>> {
        let write = self.owed.pop_front_if(|write| write.sequence == sequence)?;
        let is_waited_for = write.due.is_some_and(|due| self.by_due.remove(&(due, sequence)));
        Some(is_waited_for.then_some(write.said))
    }

    /// Nobody waits for this one any more. Since when it was, if it was.
    fn give_up(&mut self, sequence: u64) -> Option<Time> {
        let write = self.owed.iter_mut().find(|write| write.sequence == sequence)?;
        let due = write.due.take()?;
        self.by_due.remove(&(due, sequence));
        Some(write.said)
    }

    fn overdue(&self, now: Time) -> Option<u64> {
        self.by_due.first().filter(|(due, _)| *due <= now).map(|(_, sequence)| *sequence)
    }
}

impl Session {
    /// Says to the contact what it is to keep, and gives the number by which it is told what came of it, once. It waits so long
    /// for that. It may be over at once, and then was not said, where there is no contact, or where that cannot be told.
    ///
    /// # Errors
    ///
    /// Where the contact has yet to say what came of [`WRITES_PENDING_MAX`] others, be they given up.
    pub fn write(
        &mut self,
        now: Time,
        change: Change,
        silence_max: Duration,
        out: &mut Vec<Output>,
    ) -> Result<u64, TooManyWrites> {
        if self.writes.is_full() {
            return Err(TooManyWrites);
        }
        let sequence = self.draw_sequence();
        let Contact::Ready(link) = self.contact else {
            self.on_write_over(now, sequence, now, WriteEnd::NoContact, out);
            return Ok(sequence);
        };
        let message = Message::Write(Write { sequence, change });
        let contact = self.peers.get(&link).copied();
        if !contact.is_some_and(|contact| contact.features.include(Features::WRITES)) {
            self.on_write_over(now, sequence, now, WriteEnd::NotUnderstood, out);
        } else if !contact.is_some_and(|contact| wire::can_say_write(self.dialect, &message, contact.frame_bytes_max)) {
            self.on_write_over(now, sequence, now, WriteEnd::NotAccepted, out);
        } else {
            self.writes.say(now, sequence, silence_max);
            out.push(Output::Send { link, message });
        }
        Ok(sequence)
    }

    /// Of how many writes it is waited for what comes of them.
    #[must_use]
    pub fn writes_pending_count(&self) -> usize {
        self.writes.pending_count()
    }

    /// Whether it may be told over this link what came of a write.
    pub(super) fn on_written(&mut self, now: Time, link: LinkId, written: Written, out: &mut Vec<Output>) -> bool {
        if self.contact != Contact::Ready(link) {
            return false;
        }
        let Written { sequence, outcome } = written;
        let Some(waited_since) = self.writes.on_told(sequence) else { return false };
        if let Some(said) = waited_since {
            self.on_write_over(now, sequence, said, WriteEnd::Told(outcome), out);
        }
        true
    }

    /// Nobody waits any more for what came of a write.
    pub(super) fn give_up_write(&mut self, now: Time, sequence: u64, end: WriteEnd, out: &mut Vec<Output>) {
        if let Some(said) = self.writes.give_up(sequence) {
            self.on_write_over(now, sequence, said, end, out);
        }
    }

    pub(super) fn give_up_overdue_writes(&mut self, now: Time, out: &mut Vec<Output>) {
        while let Some(sequence) = self.writes.overdue(now) {
            self.give_up_write(now, sequence, WriteEnd::Silence, out);
        }
    }

    /// The contact is gone: nobody will say what came of what was said to it.
    pub(super) fn lose_writes(&mut self, now: Time, out: &mut Vec<Output>) {
        for OwedWrite { sequence, said, due } in std::mem::take(&mut self.writes).owed {
            if due.is_some() {
                self.on_write_over(now, sequence, said, WriteEnd::ContactLost, out);
            }
        }
    }

    fn on_write_over(&mut self, now: Time, sequence: u64, said: Time, end: WriteEnd, out: &mut Vec<Output>) {
        self.sequences.retire(sequence);
        if self.pending.is_empty() {
            self.tell_more_unexpected(self.unexpected_since, out);
        }
        let written = WriteEnded { end, elapsed: now.since(said) };
        out.push(Output::Tell(Report::Written { sequence, written }));
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
