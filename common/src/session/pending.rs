//! The queries a client waits for, by their sequences and by when the wait of each is over.
//!
//! Kept both ways at once, so that ten thousand cost each answer no more than one does. Why a query ends is not decided
//! here.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::answerers::Answerers;
use super::fetches::FetchId;
use crate::limits::{CLIENT_ANSWERERS_MAX, FETCH_ADDRESSES_MAX};
use crate::link::LinkId;
use crate::message::ServentId;
use crate::query::{AnswerKind, Ask, AskHash, Tally};
use crate::time::Time;

/// For how many there is room while there are none. Beyond that it is given back: hardly one client of many is asking.
const ROOM_KEPT: usize = 28;

/// A query that is waited for.
#[derive(Debug)]
pub(super) struct Pending {
    /// How many were asked before it. Sequences tell nothing of that.
    pub(super) number: u64,
    /// For whoever has to be asked alone.
    pub(super) ask: Ask,
    /// What an answer has to be to, where it says so.
    pub(super) asked_hash: AskHash,
    /// The link of the contact it was asked of, where there was one. Nobody else can say that its flood is over.
    pub(super) asked_of: Option<LinkId>,
    pub(super) asked: Time,
    pub(super) silence_max: Duration,
    pub(super) answers_wanted: Option<u64>,
    pub(super) answers: u64,
    /// Whose answers came that said who they are: those alone can be held against what a contact promises.
    pub(super) answerers: Answerers,
    pub(super) told: Option<Tally>,
    /// What was announced; of most queries nothing.
    pub(super) fetching: Option<Box<Fetching>>,
}

/// What was announced to a query.
#[derive(Debug, Default)]
pub(super) struct Fetching {
    /// By whom and where, whatever became of it.
    announced: BTreeSet<(ServentId, SocketAddr)>,
    /// What of it is being fetched, or waits for its turn, by whose it is.
    pub(super) open: BTreeSet<(ServentId, FetchId)>,
    /// Where nobody could be asked.
    pub(super) failed_at: BTreeSet<SocketAddr>,
}

impl Fetching {
    /// Notes that a servent has a value there, and says whether that is to be tried.
    fn insert(&mut self, id: ServentId, from: SocketAddr) -> bool {
        let least = SocketAddr::from(([0, 0, 0, 0], 0));
        let of_this = self.announced.range((id, least)..).take_while(|(by, _)| *by == id);
        of_this.take(FETCH_ADDRESSES_MAX).count() < FETCH_ADDRESSES_MAX && self.announced.insert((id, from))
    }

    /// What is being fetched of this servent.
    pub(super) fn open_of(&self, id: ServentId) -> impl Iterator<Item = FetchId> {
        self.open.range((id, FetchId(0))..=(id, FetchId(u64::MAX))).map(|(_, fetch)| *fetch)
    }
}

impl Pending {
    /// What answers to it say.
    pub(super) fn kind(&self) -> AnswerKind {
        self.ask.answer_kind()
    }

    /// Whether every answer has come that a contact promises, and no other of somebody who said who it is.
    pub(super) fn keeps(&self, promised: &Tally) -> bool {
        self.answerers.keep(promised)
    }

    /// Whether no answer that is still to come can make that true.
    pub(super) fn contradicts(&self, promised: &Tally) -> bool {
        promised.is_whole() && self.answerers.len() as u64 >= promised.answers && !self.keeps(promised)
    }

    /// Whether values are being fetched for it.
    pub(super) fn is_fetching(&self) -> bool {
        self.fetching.as_ref().is_some_and(|fetching| !fetching.open.is_empty())
    }

    /// Whether this servent has not answered, and nothing is being fetched of it.
    pub(super) fn misses(&self, id: ServentId) -> bool {
        let is_open = self.fetching.as_ref().is_some_and(|fetching| fetching.open_of(id).next().is_some());
        !is_open && !self.answerers.include(id)
    }

    /// Whether somebody could not be asked there.
    pub(super) fn has_failed_at(&self, address: SocketAddr) -> bool {
        self.fetching.as_ref().is_some_and(|fetching| fetching.failed_at.contains(&address))
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct PendingQueries {
    /// Each with when its wait is over. The sequences are our own, so nobody can choose them to fall together.
    by_sequence: HashMap<u64, (Time, Pending), FixedState>,
    /// By when that is, and by their numbers where it is at one time.
    by_due: BTreeMap<(Time, u64), u64>,
    /// Over all of them.
    answerers_count: usize,
}

impl PendingQueries {
    pub(super) fn insert(&mut self, now: Time, sequence: u64, pending: Pending) {
        let due = now + pending.silence_max;
        self.by_due.insert((due, pending.number), sequence);
        self.by_sequence.insert(sequence, (due, pending));
    }

    pub(super) fn get_mut(&mut self, sequence: u64) -> Option<&mut Pending> {
        self.by_sequence.get_mut(&sequence).map(|(_, pending)| pending)
    }

    pub(super) fn include(&self, sequence: u64) -> bool {
        self.by_sequence.contains_key(&sequence)
    }

    /// An answer has come to this one from whoever this is: the wait of it, and of no other, begins anew.
    pub(super) fn on_answered(&mut self, now: Time, sequence: u64, by: Option<ServentId>) {
        let Some((_, pending)) = self.by_sequence.get_mut(&sequence) else { return };
        pending.answers += 1;
        if let Some(id) = by
            && self.answerers_count < CLIENT_ANSWERERS_MAX
        {
            self.answerers_count += usize::from(pending.answerers.insert(id));
        }
        self.begin_anew(now, sequence);
    }

    /// A value was announced to this one, which is an answer that has come so far. Nothing where this servent has answered,
    /// or this address was named for it before, or as many others, or where more servents answer than are kept in mind.
    pub(super) fn on_announced(
        &mut self,
        now: Time,
        sequence: u64,
        by: ServentId,
        from: SocketAddr,
    ) -> Option<&mut Fetching> {
        let (_, pending) = self.by_sequence.get_mut(&sequence)?;
        if self.answerers_count >= CLIENT_ANSWERERS_MAX
            || pending.answerers.include(by)
            || !pending.fetching.get_or_insert_default().insert(by, from)
        {
            return None;
        }
        self.answerers_count += 1;
        self.begin_anew(now, sequence);
        self.get_mut(sequence)?.fetching.as_deref_mut()
    }

    fn begin_anew(&mut self, now: Time, sequence: u64) {
        let Some((due, pending)) = self.by_sequence.get_mut(&sequence) else { return };
        let anew = now + pending.silence_max;
        if anew != *due {
            self.by_due.remove(&(*due, pending.number));
            *due = anew;
            self.by_due.insert((anew, pending.number), sequence);
        }
    }

    pub(super) fn remove(&mut self, sequence: u64) -> Option<Pending> {
        let (due, pending) = self.by_sequence.remove(&sequence)?;
        self.by_due.remove(&(due, pending.number));
        let announced_count = pending.fetching.as_ref().map_or(0, |fetching| fetching.announced.len());
        self.answerers_count -= pending.answerers.len() + announced_count;
        if self.by_sequence.is_empty() && self.by_sequence.capacity() > ROOM_KEPT {
            *self = PendingQueries::default();
        }
        Some(pending)
    }

    pub(super) fn len(&self) -> usize {
        self.by_sequence.len()
    }

    pub(super) fn is_empty(&self) -> bool {
        self.by_sequence.is_empty()
    }

    /// When the first of these waits is over.
    pub(super) fn deadline(&self) -> Time {
        self.by_due.first_key_value().map_or(Time::NEVER, |((due, _), _)| *due)
    }

    /// The one whose wait has been over for longest.
    pub(super) fn overdue(&self, now: Time) -> Option<u64> {
        self.by_due.first_key_value().filter(|((due, _), _)| *due <= now).map(|(_, sequence)| *sequence)
    }
}
