//! Writes and watches, as whoever asked for them knows them: what the mind may say and tell of these.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use common::content::search::FileName;
use common::key::Key;
use common::limits::{SERVENT_FRAME_BYTES_MAX, WATCHES_PER_CLIENT_MAX, WRITES_PENDING_MAX};
use common::link::LinkId;
use common::message::Message;
use common::session::{Input, Output, Report, WatchEnd, WriteEnd, WriteEnded};
use common::time::Time;
use common::write::{Change, Changed, Unwatch, Watch, Write, WriteOutcome, WriteRefusal, Written};

use super::{CONTACT, Driver};
use crate::reader::Reader;
use crate::targets::words;

/// A write as whoever asked for it knows it.
struct KnownWrite {
    sequence: u64,
    asked: Time,
    silence_max: Duration,
    change: Change,
    is_said: bool,
    /// Nobody waits for it any more.
    is_over: bool,
}

/// All that was asked, and what of it is to come.
#[derive(Default)]
pub(super) struct AskedChanges {
    /// In the order in which they were asked.
    owed: VecDeque<KnownWrite>,
    /// What the contact has just said of the first.
    told: Option<(KnownWrite, WriteOutcome)>,
    watches: BTreeSet<u64>,
    /// Of which something may be on its way.
    ended_watches: BTreeSet<u64>,
    pub(super) begun_count: u64,
}

impl AskedChanges {
    pub(super) fn dues(&self) -> impl Iterator<Item = Time> {
        self.owed.iter().filter(|write| !write.is_over).map(|write| write.asked + write.silence_max)
    }

    pub(super) fn waiting_count(&self) -> usize {
        self.owed.iter().filter(|write| !write.is_over).count()
    }

    pub(super) fn watches_count(&self) -> usize {
        self.watches.len()
    }

    /// Whether it may come.
    pub(super) fn may_tell(&self, link: LinkId, message: &Message) -> bool {
        link == CONTACT
            && match message {
                Message::Written(written) => self.owed.front().is_some_and(|first| first.sequence == written.sequence),
                Message::Changed(Changed { sequence, .. }) => {
                    self.watches.contains(sequence) || self.ended_watches.contains(sequence)
                }
                _ => false,
            }
    }

    /// A contact that is lost says nothing any more.
    pub(super) fn lose(&mut self) {
        assert_eq!((self.waiting_count(), self.watches.len()), (0, 0), "one waits for a contact that is lost");
        self.owed.clear();
        self.ended_watches.clear();
    }
}

fn change(reader: &mut Reader<'_>) -> Change {
    let key = Key::new(reader.one_of(&words::KEYS)).expect("it is short");
    let name = FileName::new(reader.one_of(&words::NAMES)).expect("it is short");
    match reader.byte() % 5 {
        0 => Change::Delete { key },
        1 => Change::Publish { name, text: b"at dusk"[..].into() },
        2 => Change::Unpublish { name },
        3 => Change::Put { key, value: vec![7; SERVENT_FRAME_BYTES_MAX].into() },
        _ => Change::Put { key, value: b"green"[..].into() },
    }
}

fn outcome(reader: &mut Reader<'_>) -> WriteOutcome {
    match reader.byte() % 6 {
        0 => WriteOutcome::Stored,
        1 => WriteOutcome::Replaced,
        2 => WriteOutcome::Deleted,
        3 => WriteOutcome::Absent,
        4 => WriteOutcome::Present,
        _ => WriteOutcome::Refused(reader.one_of(&WriteRefusal::ALL)),
    }
}

impl Driver {
    /// Has the contact keep something, with a wait of its own, or tell of a key.
    pub(super) fn change_or_watch(&mut self, reader: &mut Reader<'_>, choice: u32) {
        let mut out = Vec::new();
        if choice % 4 == 3 {
            let key = Key::new(reader.one_of(&words::KEYS)).expect("it is short");
            let watched = self.mind.watch(key, &mut out);
            assert_eq!(watched.is_err(), self.changes.watches_count() >= WATCHES_PER_CLIENT_MAX);
            let Ok(sequence) = watched else { return };
            self.on_drawn(sequence);
            self.changes.watches.insert(sequence);
        } else {
            let (change, silence_max) = (change(reader), self.silence_max * (1 + choice % 3));
            let written = self.mind.write(self.now, change.clone(), silence_max, &mut out);
            assert_eq!(written.is_err(), self.changes.owed.len() >= WRITES_PENDING_MAX);
            let Ok(sequence) = written else { return };
            self.on_drawn(sequence);
            let (asked, is_said, is_over) = (self.now, false, false);
            self.changes.owed.push_back(KnownWrite { sequence, asked, silence_max, change, is_said, is_over });
        }
        self.look_at(out);
    }

    fn on_drawn(&mut self, sequence: u64) {
        assert!(!self.pending.contains_key(&sequence) && !self.ended_lately.contains(&sequence), "drawn twice");
        self.changes.begun_count += 1;
    }

    /// The contact tells what came of a write, mostly of the first, or of a key.
    pub(super) fn hear_of_changes(&mut self, reader: &mut Reader<'_>) {
        let place = usize::from(reader.byte() % 4);
        let message = if reader.flag() {
            let known = self.changes.watches.iter().chain(&self.changes.ended_watches).nth(place);
            let value = reader.flag().then(|| b"green"[..].into());
            Message::Changed(Changed { sequence: known.copied().unwrap_or(u64::MAX), value })
        } else {
            let sequence = self.changes.owed.get(place / 2).map_or(u64::MAX, |write| write.sequence);
            Message::Written(Written { sequence, outcome: outcome(reader) })
        };
        self.receive(CONTACT, message);
    }

    /// Nobody wants any more what is under way, at one place of all that is.
    pub(super) fn cancel_change(&mut self, place: usize) {
        let writes = self.changes.owed.iter().filter(|write| !write.is_over).map(|write| write.sequence);
        let Some(sequence) = writes.chain(self.changes.watches.iter().copied()).nth(place) else { return };
        let out = self.tell(Input::Cancel { sequence });
        let is_cancelled = |output: &Output| match output {
            Output::Tell(Report::Written { sequence: over, written }) => {
                (*over, written.end) == (sequence, WriteEnd::Cancelled)
            }
            Output::Tell(Report::WatchEnded { sequence: over, end }) => {
                (*over, *end) == (sequence, WatchEnd::Cancelled)
            }
            _ => false,
        };
        assert!(out.last().is_some_and(is_cancelled), "{out:?}");
    }

    /// Something is said to the contact.
    pub(super) fn on_change_said(&mut self, link: LinkId, message: &Message) {
        assert_eq!(link, CONTACT, "{message:?} is for the contact");
        match message {
            Message::Write(Write { sequence, change }) => {
                let write = self.changes.owed.back_mut().expect("nobody writes");
                assert_eq!((write.sequence, &write.change, write.is_said), (*sequence, change, false));
                write.is_said = true;
            }
            Message::Watch(Watch { sequence, .. }) => assert!(self.changes.watches.contains(sequence)),
            Message::Unwatch(Unwatch { sequence }) => {
                assert!(self.changes.watches.contains(sequence), "it is not watched");
                self.changes.ended_watches.insert(*sequence);
            }
            _ => {}
        }
    }

    /// What came of the first write is told.
    pub(super) fn note_written(&mut self, link: LinkId, message: &Message) {
        let is_known = self.open.get(&link).is_some_and(Option::is_some);
        if let Message::Written(written) = message
            && is_known
            && self.changes.may_tell(link, message)
            && let Some(write) = self.changes.owed.pop_front()
        {
            self.changes.told = Some((write, written.outcome)).filter(|(write, _)| !write.is_over);
        }
    }

    pub(super) fn on_write_over(&mut self, sequence: u64, written: &WriteEnded, more_told: bool) {
        self.endings_count += 1;
        let WriteEnded { end, elapsed } = *written;
        let mut told = self.changes.told.take();
        let write = match &mut told {
            Some((write, outcome)) => {
                assert_eq!(end, WriteEnd::Told(*outcome), "it was said what came of it");
                write
            }
            None => self.changes.owed.iter_mut().find(|write| write.sequence == sequence).expect("nobody wrote it"),
        };
        assert_eq!((write.sequence, elapsed), (sequence, self.now.since(write.asked)));
        assert!(!std::mem::replace(&mut write.is_over, true), "a write ends once");
        let (is_said, due) = (write.is_said, write.asked + write.silence_max);
        assert_eq!(is_said, matches!(end, WriteEnd::Told(_)) || end.is_unknown(), "{end:?}");
        assert!(end != WriteEnd::Silence || due <= self.now, "it was cut short");
        if !is_said {
            assert_eq!(self.changes.owed.pop_back().map(|write| write.sequence), Some(sequence));
        }
        self.on_no_query_over(sequence, more_told);
    }

    pub(super) fn on_watch_over(&mut self, sequence: u64, end: WatchEnd, more_told: bool) {
        self.endings_count += 1;
        assert!(self.changes.watches.remove(&sequence), "a watch ends once");
        assert!(end != WatchEnd::Cancelled || self.changes.ended_watches.contains(&sequence), "nobody was told");
        self.on_no_query_over(sequence, more_told);
    }

    pub(super) fn on_changed(&self, sequence: u64) {
        assert!(self.changes.watches.contains(&sequence), "nobody watches it");
    }
}
