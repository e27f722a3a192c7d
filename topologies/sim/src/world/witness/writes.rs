//! What servents keep for clients, and what they say of it.
//!
//! - A write is judged by all that came before it, put on the disk in the order in which it came, and answered once, in that
//!   order, with what came of it; unless its link ends or its servent dies before.
//! - Nobody is told of anything, by an outcome, an answer or a change of what is watched, that is not on the disk, or that was
//!   not so any more when it was asked for.
//! - Whoever starts anew finds all that was acknowledged, and of the last commit that was not, all or nothing; nothing that was
//!   never asked, and no damage.
//! - After a sync that failed nothing is acknowledged until the servent starts anew, and where there was no room all that
//!   waited is refused.
//! - In the end each client has been told of all that it watches, and whoever asks finds all that is kept.

mod kept;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use common::counted::counted;
use common::disk::CommitFailure;
use common::link::LinkId;
use common::query::{AnswerBody, Ask, QueryId};
use common::store::Store;
use common::write::{Change, Changed, Watch, Write, WriteOutcome, WriteRefusal, Written};
use common::written::{StoreChange, WrittenData};

use super::Nanos;
use super::shared::PublishedNames;
use crate::outcome::WritesOutcome;
use kept::{KeptHistory, KeptState};

/// A write that a servent has heard and said nothing of yet.
#[derive(Debug)]
struct UntoldWrite {
    /// Its number among all that were heard.
    number: u64,
    link: LinkId,
    written: Written,
    /// Nothing where nothing changes.
    change: Option<StoreChange>,
    /// It is on the disk.
    is_kept: bool,
}

/// A key that a client watches.
#[derive(Debug)]
struct ToldKey {
    key: Vec<u8>,
    /// What it was told last.
    told: Option<Option<Vec<u8>>>,
}

/// A client that asks its contact, in the end.
#[derive(Debug)]
struct LastAsk {
    link: LinkId,
    key: Vec<u8>,
    is_answered: bool,
}

/// A servent that may keep something.
#[derive(Debug, Default)]
struct WatchedKeeper {
    below: Arc<Store>,
    keeps: bool,
    /// Why it must refuse whatever is written.
    refuses: Option<WriteRefusal>,
    /// What is on the disk whatever happens, and what may be besides: all of it or nothing.
    sure: KeptState,
    doubt: Option<Vec<StoreChange>>,
    /// What others may be told in this life.
    shown: KeptState,
    /// What will be, once all that was heard is on the disk.
    ahead: KeptState,
    history: KeptHistory,
    owed: VecDeque<UntoldWrite>,
    /// What is being put on the disk, and the number of the last write that is.
    under_way: Option<(u64, Vec<StoreChange>)>,
    closed: BTreeSet<LinkId>,
    watched: BTreeMap<(LinkId, u64), ToldKey>,
    last_asks: HashMap<QueryId, LastAsk>,
}

/// All of them.
#[derive(Debug, Default)]
pub(crate) struct WatchedWrites {
    keepers: BTreeMap<usize, WatchedKeeper>,
    /// What those who write ask for.
    asks: HashMap<QueryId, Vec<u8>>,
    /// When a life of a servent first heard of that.
    heard: HashMap<(usize, u32, QueryId), Nanos>,
    /// Nothing is written any more.
    is_last: bool,
    counts: WritesOutcome,
}

impl WatchedWrites {
    fn keeper(&mut self, servent: usize) -> &mut WatchedKeeper {
        self.keepers.entry(servent).or_default()
    }

    // ---- lives ----

    /// A servent starts, over this data, with what its disk has; nothing where it keeps nothing. What is wrong about that.
    pub(super) fn on_born(
        &mut self,
        now: Nanos,
        servent: usize,
        below: &Arc<Store>,
        found: Option<(&WrittenData, bool)>,
    ) -> Option<String> {
        let keeper = self.keeper(servent);
        keeper.below = Arc::clone(below);
        keeper.keeps = found.is_some();
        let (written, is_read_only) = found?;
        self.counts.starts += 1;
        let keeper = self.keeper(servent);
        let state = KeptState::of(written);
        let wrong = keeper.wrong_of_found(&state);
        keeper.refuses = is_read_only.then_some(WriteRefusal::ReadOnly);
        // What is only read was not proved to be on the disk.
        if !is_read_only {
            (keeper.sure, keeper.doubt) = (state.clone(), None);
        }
        (keeper.ahead, keeper.shown) = (state.clone(), state);
        keeper.history = KeptHistory::begin(now, &keeper.shown, below);
        wrong.map(|what| format!("s{servent} starts, and {what}"))
    }

    /// It is gone, with all that waited.
    pub(super) fn on_died(&mut self, servent: usize) {
        let keeper = self.keeper(servent);
        if let Some((_, changes)) = keeper.under_way.take() {
            keeper.doubt = Some(changes);
        }
        keeper.owed.clear();
        keeper.closed.clear();
        keeper.watched.clear();
        keeper.last_asks.clear();
    }

    /// A link of a servent is over.
    pub(super) fn on_closed(&mut self, servent: usize, link: LinkId) {
        if let Some(keeper) = self.keepers.get_mut(&servent) {
            keeper.closed.insert(link);
            keeper.watched.retain(|(watching, _), _| *watching != link);
        }
    }

    // ---- writes ----

    /// A servent hears a write, of somebody on its host or not. Where it shares files it is told of whether one of them is called
    /// as a file that is to be published.
    pub(super) fn on_write(
        &mut self,
        servent: usize,
        (link, is_from_here): (LinkId, bool),
        write: &Write,
        is_shared: Option<bool>,
    ) {
        self.counts.heard += 1;
        let number = self.counts.heard;
        let keeper = self.keeper(servent);
        let (outcome, change) = keeper.judge(is_from_here, &write.change, is_shared);
        change.iter().for_each(|change| keeper.ahead.apply(change));
        let written = Written { sequence: write.sequence, outcome };
        keeper.owed.push_back(UntoldWrite { number, link, written, change, is_kept: false });
    }

    /// It puts these changes on its disk. What is wrong about that.
    pub(super) fn on_commit(&mut self, servent: usize, changes: &[StoreChange]) -> Option<String> {
        self.counts.commits += 1;
        let keeper = self.keeper(servent);
        let is_second = keeper.under_way.is_some();
        let wanted = keeper.owed.iter().filter(|owed| !owed.is_kept);
        let wanted = wanted.filter_map(|owed| Some((owed.number, owed.change.as_ref()?)));
        let wanted: Vec<(u64, &StoreChange)> = wanted.take(changes.len()).collect();
        let is_so = !changes.is_empty() && wanted.iter().map(|(_, change)| *change).eq(changes);
        let last = wanted.last().map_or(0, |(number, _)| *number);
        keeper.under_way = Some((last, changes.to_vec()));
        match (is_second, is_so) {
            (true, _) => Some(format!("s{servent} puts something on its disk while something is being put there")),
            (false, false) => Some(format!("s{servent} puts on its disk what was not asked for, or not next")),
            (false, true) => None,
        }
    }

    /// What came of that.
    pub(super) fn on_committed(&mut self, now: Nanos, servent: usize, committed: &Result<(), CommitFailure>) {
        let keeper = self.keepers.entry(servent).or_default();
        let Some((last, changes)) = keeper.under_way.take() else { return };
        match committed {
            Ok(()) => {
                for change in &changes {
                    keeper.sure.apply(change);
                    keeper.shown.apply(change);
                }
                keeper.history.go_on(now, &keeper.shown, &keeper.below);
                let owed = keeper.owed.iter_mut().filter(|owed| owed.number <= last);
                owed.for_each(|owed| owed.is_kept = true);
            }
            Err(CommitFailure::Full(_)) => {
                self.counts.failures += 1;
                keeper.refuse_all(WriteRefusal::DiskFull);
            }
            Err(CommitFailure::Failed(_)) => {
                self.counts.failures += 1;
                keeper.doubt = Some(changes);
                keeper.refuses = Some(WriteRefusal::DiskFailed);
                keeper.refuse_all(WriteRefusal::DiskFailed);
            }
        }
    }

    /// A servent says what came of a write. What is wrong about that.
    pub(super) fn on_written(&mut self, servent: usize, link: LinkId, written: Written) -> Option<String> {
        self.counts.told += 1;
        if !matches!(written.outcome, WriteOutcome::Refused(_) | WriteOutcome::Absent | WriteOutcome::Present) {
            self.counts.changed += 1;
        }
        let keeper = self.keeper(servent);
        // Nobody is told of what those wrote that are gone.
        while keeper.owed.front().is_some_and(|owed| owed.link != link && keeper.closed.contains(&owed.link)) {
            let gone = keeper.owed.pop_front();
            if gone.is_some_and(|gone| gone.is_in_doubt()) {
                return Some(format!(
                    "s{servent} says what came of a write before that of one that came earlier is known"
                ));
            }
        }
        let Some(owed) = keeper.owed.pop_front() else {
            return Some(format!("s{servent} says what came of a write that it was not told of"));
        };
        if (owed.link, owed.written.sequence) != (link, written.sequence) {
            return Some(format!("s{servent} says what came of a write before it is its turn, or twice"));
        }
        if owed.is_in_doubt() && !matches!(written.outcome, WriteOutcome::Refused(_)) {
            return Some(format!("s{servent} says {:?} of what is not on its disk", written.outcome));
        }
        let expected = owed.written.outcome;
        (expected != written.outcome)
            .then(|| format!("s{servent} says {:?} of a write, and it is {expected:?}", written.outcome))
    }

    // ---- who watches ----

    /// A servent hears that a client watches a key.
    pub(crate) fn on_watch(&mut self, servent: usize, link: LinkId, watch: &Watch) {
        let keeper = self.keeper(servent);
        let key = watch.key.as_bytes().to_vec();
        keeper.watched.insert((link, watch.sequence), ToldKey { key, told: None });
    }

    /// It says what the value is. What is wrong about that.
    pub(super) fn on_changed(&mut self, servent: usize, link: LinkId, changed: &Changed) -> Option<String> {
        self.counts.changes += 1;
        let WatchedKeeper { history, watched, below, .. } = self.keeper(servent);
        let Some(watched) = watched.get_mut(&(link, changed.sequence)) else {
            return Some(format!("s{servent} tells of a key that nobody watches"));
        };
        let value = changed.value.as_deref().map(<[u8]>::to_vec);
        // It is told what it is now, however long it waited for that.
        let is_so = history.now(&watched.key, below) == value;
        watched.told = Some(value);
        let key = String::from_utf8_lossy(&watched.key);
        (!is_so).then(|| format!("s{servent} tells of {key} what is not so, or is not on its disk"))
    }

    // ---- who asks ----

    /// One who writes asks for a key.
    pub(crate) fn on_asked(&mut self, id: QueryId, ask: &Ask) {
        if let Ask::Key(key) = ask {
            self.asks.insert(id, key.as_bytes().to_vec());
        }
    }

    /// A life of a servent hears of a query.
    pub(crate) fn on_heard(&mut self, now: Nanos, (servent, life): (usize, u32), id: QueryId) {
        if self.asks.contains_key(&id) {
            self.heard.entry((servent, life, id)).or_insert(now);
        }
    }

    /// A servent hears it of a client of its own.
    pub(crate) fn on_request(&mut self, servent: usize, link: LinkId, id: QueryId) {
        let Some(key) = self.asks.get(&id).cloned().filter(|_| self.is_last) else { return };
        self.keeper(servent).last_asks.insert(id, LastAsk { link, key, is_answered: false });
    }

    /// A life of a servent answers. What is wrong about that.
    pub(super) fn on_answered(
        &mut self,
        now: Nanos,
        (servent, life): (usize, u32),
        id: QueryId,
        body: &AnswerBody,
    ) -> Option<String> {
        let key = self.asks.get(&id)?.clone();
        let since = self.heard.get(&(servent, life, id)).copied().unwrap_or(now);
        self.counts.answers += 1;
        let keeper = self.keeper(servent);
        keeper.last_asks.get_mut(&id).into_iter().for_each(|ask| ask.is_answered = true);
        let AnswerBody::Value(value) = body else {
            return Some(format!("s{servent} answers query {id} with something else"));
        };
        // What is below was there before anything was kept.
        let is_so = if keeper.keeps {
            keeper.history.was(&key, since, value, &keeper.below)
        } else {
            keeper.below.get(&key).is_some_and(|below| below == value)
        };
        let key = String::from_utf8_lossy(&key).into_owned();
        (!is_so).then(|| format!("s{servent} answers `{key}` with what is not so, or is not on its disk"))
    }

    // ---- the end ----

    /// From now on nothing more is written.
    pub(crate) fn on_last(&mut self) {
        self.is_last = true;
    }

    /// Whether nothing more is.
    pub(super) fn is_last(&self) -> bool {
        self.is_last
    }

    /// Nothing more is to come of it. What is wrong.
    pub(super) fn on_settled(&self, is_there: impl Fn(usize) -> bool) -> Vec<String> {
        let keepers = self.keepers.iter().filter(|(servent, _)| is_there(**servent));
        keepers.flat_map(|(servent, keeper)| keeper.wrong_in_the_end(*servent)).collect()
    }

    /// What a servent may tell others is published.
    pub(super) fn published(&mut self, servent: usize) -> &PublishedNames {
        self.keeper(servent).shown.published()
    }

    pub(super) fn outcome(&self) -> WritesOutcome {
        self.counts
    }
}

impl UntoldWrite {
    fn is_in_doubt(&self) -> bool {
        self.change.is_some() && !self.is_kept
    }
}

impl WatchedKeeper {
    fn wrong_of_found(&self, found: &KeptState) -> Option<&'static str> {
        let mut with_doubt = self.sure.clone();
        self.doubt.iter().flatten().for_each(|change| with_doubt.apply(change));
        if *found == self.sure || *found == with_doubt {
            return None;
        }
        Some("does not find all that was acknowledged, or finds what was not asked for, or a part of a commit")
    }

    /// What must come of a write, and what it changes.
    fn judge(
        &self,
        is_from_here: bool,
        change: &Change,
        is_shared: Option<bool>,
    ) -> (WriteOutcome, Option<StoreChange>) {
        let refused = |refusal| (WriteOutcome::Refused(refusal), None);
        if !self.keeps {
            return refused(WriteRefusal::NoStore);
        }
        if !is_from_here {
            return refused(WriteRefusal::NotFromHere);
        }
        if let Some(refusal) = self.refuses {
            return refused(refusal);
        }
        let has = |key: &[u8]| self.ahead.value(key, &self.below).is_some();
        match change {
            Change::Put { key, value } => {
                let outcome = if has(key.as_bytes()) { WriteOutcome::Replaced } else { WriteOutcome::Stored };
                (outcome, Some(StoreChange::Put { key: key.clone(), value: Arc::clone(value) }))
            }
            Change::Delete { key } if !has(key.as_bytes()) => (WriteOutcome::Absent, None),
            Change::Delete { key } => {
                let key = key.clone();
                let is_below = self.below.get(key.as_bytes()).is_some();
                let change = if is_below { StoreChange::Hide { key } } else { StoreChange::Forget { key } };
                (WriteOutcome::Deleted, Some(change))
            }
            Change::Publish { name, text } => {
                let outcome = match (is_shared, self.ahead.published().get(name.as_bytes())) {
                    (None, _) => return refused(WriteRefusal::NothingShared),
                    (Some(false), _) => return (WriteOutcome::Absent, None),
                    (Some(true), Some(before)) if **before == **text => return (WriteOutcome::Present, None),
                    (Some(true), Some(_)) => WriteOutcome::Replaced,
                    (Some(true), None) => WriteOutcome::Stored,
                };
                (outcome, Some(StoreChange::Publish { name: name.clone(), text: Arc::clone(text) }))
            }
            Change::Unpublish { name } if !self.ahead.published().contains_key(name.as_bytes()) => {
                (WriteOutcome::Absent, None)
            }
            Change::Unpublish { name } => (WriteOutcome::Deleted, Some(StoreChange::Unpublish { name: name.clone() })),
        }
    }

    /// All that is not on the disk is refused.
    fn refuse_all(&mut self, refusal: WriteRefusal) {
        let first = self.owed.iter().position(|owed| !owed.is_kept).unwrap_or(self.owed.len());
        for owed in self.owed.iter_mut().skip(first) {
            owed.change = None;
            if !matches!(owed.written.outcome, WriteOutcome::Refused(_)) {
                owed.written.outcome = WriteOutcome::Refused(refusal);
            }
        }
        self.ahead = self.shown.clone();
    }

    fn wrong_in_the_end(&self, servent: usize) -> Vec<String> {
        let owed = self.owed.iter().filter(|owed| !self.closed.contains(&owed.link)).count();
        let unsaid = (owed > 0).then(|| format!("s{servent} never says what came of {}", counted(owed, "write")));
        let is_now = |key: &[u8]| self.history.now(key, &self.below);
        let untold = self.watched.values().filter(|watched| watched.told != Some(is_now(&watched.key)));
        let untold = untold.map(|watched| {
            let key = String::from_utf8_lossy(&watched.key);
            format!("s{servent} does not tell a client that watches {key} what it is in the end")
        });
        let asks = self.last_asks.values().filter(|ask| !self.closed.contains(&ask.link));
        let wrong = asks.filter(|ask| ask.is_answered != is_now(&ask.key).is_some()).map(|ask| {
            let key = String::from_utf8_lossy(&ask.key);
            format!("s{servent} does not answer `{key}` in the end, and keeps it; or answers it, and has none")
        });
        unsaid.into_iter().chain(untold).chain(wrong).collect()
    }
}
