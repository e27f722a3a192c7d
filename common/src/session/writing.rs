//! The chapter of the client's mind on what its contact is to keep, and on keys that it is to tell of.
//!
//! What was said to it and what of that is to come is in `writes` and `watches`; here is what is said when, and what is told.
//! Who may write, and when something is kept, is for the contact.

use std::time::Duration;

use super::watches::{TooManyWatches, WatchEnd};
use super::writes::{TooManyWrites, WriteEnd, WriteEnded};
use super::{Contact, Output, Report, Session};
use crate::features::Features;
use crate::key::Key;
use crate::link::LinkId;
use crate::message::Message;
use crate::time::Time;
use crate::wire;
use crate::write::{Change, Changed, Unwatch, Watch, Write, Written};

impl Session {
    // ---- writes ----

    /// Says to the contact what it is to keep, and gives the number by which it is told what came of it, once. It waits so long
    /// for that. It may be over at once, and then was not said, where there is no contact, or where that cannot be told.
    ///
    /// # Errors
    ///
    /// Where the contact has yet to say what came of [`WRITES_PENDING_MAX`](crate::limits::WRITES_PENDING_MAX) others, be they given up.
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
        let contact = self.peers.get(&link);
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
        for (sequence, said) in self.writes.take_waited_for() {
            self.on_write_over(now, sequence, said, WriteEnd::ContactLost, out);
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

    // ---- watches ----

    /// Has the contact tell the value of a key, now and whenever it changes, and gives the number by which that is told. It may
    /// be over at once, where there is no contact, or where that does not tell of changes.
    ///
    /// # Errors
    ///
    /// Where [`WATCHES_PER_CLIENT_MAX`](crate::limits::WATCHES_PER_CLIENT_MAX) keys are watched.
    pub fn watch(&mut self, key: Key, out: &mut Vec<Output>) -> Result<u64, TooManyWatches> {
        if self.watches.are_full() {
            return Err(TooManyWatches);
        }
        let sequence = self.draw_sequence();
        match self.contact {
            Contact::Ready(link)
                if self.peers.get(&link).is_some_and(|peer| peer.features.include(Features::WRITES)) =>
            {
                self.watches.begin(sequence);
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
        self.watches.open_count()
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
        self.watches.use_sequence(sequence)
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
        for sequence in self.watches.take_open() {
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
