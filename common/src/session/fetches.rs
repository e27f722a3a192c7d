//! Values that were announced and are fetched where they are: how many at once, and how far each is.
//!
//! Whether a value may be fetched from where it is said to be, and what becomes of its query, is decided by the mind.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::limits::{FETCH_WAIT_MAX, FETCHES_MAX, FETCHES_WAITING_MAX};
use crate::link::LinkId;
use crate::message::ServentId;
use crate::time::Time;

/// Names one fetch between a client's mind and its shell. None is ever used twice.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FetchId(pub u64);

/// A value that was announced.
#[derive(Clone, Copy, Debug)]
pub(super) struct Fetch {
    /// The query it is an answer to.
    pub(super) query: u64,
    /// The servent that has it.
    pub(super) id: ServentId,
    /// The address that servent goes by.
    pub(super) from: SocketAddr,
    /// How many links the query had crossed to it.
    pub(super) hops: u8,
    pub(super) bytes_count: u64,
    pub(super) stage: FetchStage,
}

/// How far a fetch is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum FetchStage {
    /// There are as many under way as may be.
    Waiting,
    /// The shell dials.
    Dialling,
    /// The servent has yet to say hello.
    Linked(LinkId),
    /// It was asked, under this sequence.
    Asked(LinkId, u64),
}

impl Fetch {
    /// The link it is asked over.
    pub(super) fn link(&self) -> Option<LinkId> {
        match self.stage {
            FetchStage::Waiting | FetchStage::Dialling => None,
            FetchStage::Linked(link) | FetchStage::Asked(link, _) => Some(link),
        }
    }

    /// The sequence it is asked under.
    pub(super) fn sequence(&self) -> Option<u64> {
        if let FetchStage::Asked(_, sequence) = self.stage { Some(sequence) } else { None }
    }
}

/// All of them.
#[derive(Debug, Default)]
pub(super) struct Fetches {
    all: BTreeMap<FetchId, Fetch>,
    /// Those of them that wait for their turn.
    waiting: BTreeSet<FetchId>,
    /// All others, with when each was dialled, or asked.
    since: BTreeMap<FetchId, Time>,
    /// What those that were asked were asked under.
    sequences: BTreeSet<u64>,
    next: u64,
}

impl Fetches {
    /// One more, which waits for its turn; nothing where too many do.
    pub(super) fn insert(&mut self, fetch: Fetch) -> Option<FetchId> {
        if self.waiting.len() >= FETCHES_WAITING_MAX && self.since.len() >= FETCHES_MAX {
            return None;
        }
        let id = FetchId(self.next);
        self.next += 1;
        self.waiting.insert(id);
        self.all.insert(id, Fetch { stage: FetchStage::Waiting, ..fetch });
        Some(id)
    }

    /// The one whose turn it is, if there may be another under way. From now on it is.
    pub(super) fn begin_next(&mut self, now: Time) -> Option<(FetchId, Fetch)> {
        if self.since.len() >= FETCHES_MAX {
            return None;
        }
        let id = self.waiting.pop_first()?;
        let fetch = self.all.get_mut(&id)?;
        fetch.stage = FetchStage::Dialling;
        self.since.insert(id, now);
        Some((id, *fetch))
    }

    pub(super) fn get(&self, id: FetchId) -> Option<&Fetch> {
        self.all.get(&id)
    }

    /// The dial of this one, if it is wanted still, came to a link.
    pub(super) fn on_dialled(&mut self, id: FetchId, link: LinkId) -> Option<&Fetch> {
        let fetch = self.all.get_mut(&id).filter(|fetch| fetch.stage == FetchStage::Dialling)?;
        fetch.stage = FetchStage::Linked(link);
        Some(fetch)
    }

    /// This one is asked under a sequence.
    pub(super) fn on_asked(&mut self, now: Time, id: FetchId, sequence: u64) {
        if let Some(fetch) = self.all.get_mut(&id)
            && let FetchStage::Linked(link) = fetch.stage
        {
            fetch.stage = FetchStage::Asked(link, sequence);
            self.sequences.insert(sequence);
            self.since.insert(id, now);
        }
    }

    /// This one is over.
    pub(super) fn remove(&mut self, id: FetchId) -> Option<Fetch> {
        let fetch = self.all.remove(&id)?;
        self.waiting.remove(&id);
        self.since.remove(&id);
        if let Some(sequence) = fetch.sequence() {
            self.sequences.remove(&sequence);
        }
        Some(fetch)
    }

    /// Whether one of them is asked under this sequence.
    pub(super) fn use_sequence(&self, sequence: u64) -> bool {
        self.sequences.contains(&sequence)
    }

    /// When the first of those that are waited for has had its time.
    pub(super) fn deadline(&self) -> Time {
        self.waited_for().map(|(since, _)| since + FETCH_WAIT_MAX).min().unwrap_or(Time::NEVER)
    }

    /// The one that has had its time for longest.
    pub(super) fn overdue(&self, now: Time) -> Option<FetchId> {
        self.waited_for().filter(|(since, _)| now.since(*since) >= FETCH_WAIT_MAX).min().map(|(_, id)| id)
    }

    /// Those that have so much time and no more: each until its servent has said hello. A value may come slowly, so
    /// whoever was asked is in nobody's way until another waits for the place.
    fn waited_for(&self) -> impl Iterator<Item = (Time, FetchId)> {
        let is_awaited = !self.waiting.is_empty() && self.since.len() >= FETCHES_MAX;
        let is_asked = |id: &FetchId| self.all.get(id).is_some_and(|fetch| fetch.sequence().is_some());
        self.since.iter().filter(move |(id, _)| is_awaited || !is_asked(id)).map(|(id, since)| (*since, *id))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fetch(number: u128) -> Fetch {
        let from = SocketAddr::from(([192, 0, 2, 7], 9000));
        Fetch { query: 1, id: ServentId(number), from, hops: 1, bytes_count: 7, stage: FetchStage::Waiting }
    }

    #[test]
    fn they_have_their_turns_in_order_and_whoever_leaves_makes_room() {
        let mut fetches = Fetches::default();
        let mut ids = Vec::new();
        for number in 0..FETCHES_MAX as u128 + 3 {
            ids.push(fetches.insert(fetch(number)).unwrap());
        }
        for id in ids.iter().take(FETCHES_MAX) {
            assert_eq!(fetches.begin_next(Time::START).map(|(begun, _)| begun), Some(*id));
        }
        assert!(fetches.begin_next(Time::START).is_none());
        // One that waits and is not wanted any more has no turn, and takes nobody's.
        fetches.remove(ids[FETCHES_MAX]);
        assert!(fetches.begin_next(Time::START).is_none());
        fetches.remove(ids[1]);
        assert_eq!(fetches.begin_next(Time::START).map(|(id, _)| id), Some(ids[FETCHES_MAX + 1]));
        assert!(fetches.begin_next(Time::START).is_none());
    }

    #[test]
    fn a_sequence_is_in_use_while_its_fetch_is() {
        let mut fetches = Fetches::default();
        let id = fetches.insert(fetch(1)).unwrap();
        assert!(fetches.on_dialled(id, LinkId(1)).is_none(), "nobody dialled");
        fetches.begin_next(Time::START);
        fetches.on_asked(Time::START, id, 7);
        assert!(!fetches.use_sequence(7), "there is no link to ask over");
        assert_eq!(fetches.on_dialled(id, LinkId(1)).and_then(Fetch::link), Some(LinkId(1)));
        fetches.on_asked(Time::START, id, 7);
        assert_eq!((fetches.use_sequence(7), fetches.get(id).and_then(Fetch::sequence)), (true, Some(7)));
        assert!(fetches.remove(id).is_some() && fetches.remove(id).is_none());
        assert!(!fetches.use_sequence(7));
    }
}
