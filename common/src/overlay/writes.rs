//! What clients have this servent keep: what comes of each write, what waits to be on the disk, and what is there.
//!
//! A write is judged when it comes, by all that came before it, and what it changes is shown and told once the disk has it:
//! one commit is under way at a time, and what comes meanwhile is the next. Who may not be read because too much waits is
//! decided here too. It knows no files and no links: who writes, what the data says and which files are shared it is told.

mod ahead;
mod writers;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use super::doors::{NotedOperation, Outbox};
use crate::disk::{CommitFailure, Job};
use crate::key::Key;
use crate::limits::{COMMIT_BYTES_MAX, WRITTEN_BYTES_MAX, WRITTEN_KEYS_MAX};
use crate::link::LinkId;
use crate::store::Store;
use crate::time::Time;
use crate::write::{Change, Write, WriteOutcome, WriteRefusal, Written};
use crate::written::{KeptValue, StoreChange, WrittenData};

use ahead::Ahead;
use writers::WritingLinks;

/// Writes that are on the disk, shown and told in one turn of the loop; the others of their commit have the turns behind it.
const SHOWN_AT_ONCE_MAX: usize = 1_024;
/// Nor are more clients told in one: each of them is a call of the system, and others are answered in between.
const TOLD_AT_ONCE_MAX: usize = 64;

/// What a write takes while it waits beside its bytes: its place here, and that of its key ahead of what is shown.
const WRITE_BYTES: usize = size_of::<WaitingWrite>() + 2 * size_of::<StoreChange>() + 64;

/// The room. One that keeps nothing refuses whatever is to be kept.
#[derive(Debug, Default)]
pub(super) struct Writes {
    /// What is on the disk; nothing where nothing is kept.
    shown: Option<Arc<WrittenData>>,
    /// What will be, if all goes well.
    ahead: Ahead,
    /// Why nothing more is kept, whatever is written: the disk has failed, or what is there could only be read.
    refuses: Option<WriteRefusal>,
    /// Writes that nobody was told of, in the order in which they came.
    queue: VecDeque<WaitingWrite>,
    /// Those of them, from the first, that are over: what they change is on the disk, or they are refused.
    over_count: usize,
    /// Those behind these that are being put on the disk.
    under_way_count: usize,
    /// The number of the first of all.
    first_number: u64,
    /// Since then some are over.
    over_since: Time,
    writers: WritingLinks,
    is_leaving: bool,
}

#[derive(Debug)]
struct WaitingWrite {
    link: LinkId,
    written: Written,
    /// Nothing where nothing changes.
    change: Option<StoreChange>,
    /// What it counts for among all that waits.
    bytes_count: usize,
    noted: Option<Box<NotedOperation>>,
}

/// A write, and what is known of whoever wants it.
#[derive(Debug)]
pub(super) struct AskedWrite<'a> {
    pub(super) link: LinkId,
    pub(super) write: Write,
    /// Whether writes are taken from where it is.
    pub(super) is_from_here: bool,
    /// What the data says below all that was written.
    pub(super) store: &'a Store,
    /// Whether there is a file of the name that it is about; nothing where no directory is shared.
    pub(super) is_shared: Option<bool>,
    /// How it is told in the log of events, where there is one.
    pub(super) noted: Option<Box<NotedOperation>>,
}

/// What came of a write, for whoever wanted it.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct ToldWrite {
    pub(super) link: LinkId,
    pub(super) written: Written,
    pub(super) noted: Option<Box<NotedOperation>>,
}

/// What has come to be shown, and what is told of that.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct ShownWrites {
    pub(super) told: Vec<ToldWrite>,
    /// The keys among them that are watched, and what was kept of each before.
    pub(super) before: BTreeMap<Key, Option<KeptValue>>,
    /// Whether a file is not published any more.
    pub(super) is_unpublished: bool,
}

impl Writes {
    /// What was written before is kept, and what will be.
    pub(super) fn begin(&mut self, written: &Arc<WrittenData>, is_read_only: bool) {
        self.ahead = Ahead::of(written);
        self.shown = Some(Arc::clone(written));
        self.refuses = is_read_only.then_some(WriteRefusal::ReadOnly);
    }

    /// Whether anything is kept at all.
    pub(super) fn is_kept(&self) -> bool {
        self.shown.is_some()
    }

    /// What was written, is on the disk and is told to everybody; nothing where nothing is kept.
    pub(super) fn written(&self) -> Option<&WrittenData> {
        self.shown.as_deref()
    }

    /// The same; nothing while that is nothing.
    pub(super) fn shown(&self) -> Option<&WrittenData> {
        self.written().filter(|shown| !shown.is_empty())
    }

    /// How many bytes wait.
    pub(super) fn waiting_bytes(&self) -> usize {
        self.writers.waiting_bytes()
    }

    /// Of how many keys and names something is kept.
    pub(super) fn kept_count(&self) -> usize {
        self.shown.as_deref().map_or(0, |shown| shown.keys_count() + shown.published_count())
    }

    /// The bytes of all that is kept.
    pub(super) fn kept_bytes(&self) -> usize {
        self.shown.as_deref().map_or(0, WrittenData::bytes_count)
    }

    /// What is held beside the struct itself, without what waits and without what is kept, which have limits of their own.
    pub(super) fn memory_bytes(&self) -> usize {
        self.queue.capacity() * size_of::<WaitingWrite>() + self.writers.memory_bytes()
    }

    // ---- a write comes ----

    /// A client wants something kept. Gives what comes of it where that is known at once, and has it wait otherwise.
    pub(super) fn on_write(&mut self, asked: AskedWrite<'_>, out: &mut Outbox<'_>) -> Option<ToldWrite> {
        let (outcome, change) = self.judge(&asked);
        let AskedWrite { link, write: Write { sequence, .. }, is_from_here, noted, .. } = asked;
        let mut write = WaitingWrite { link, written: Written { sequence, outcome }, change, bytes_count: 0, noted };
        if write.change.is_none() && self.queue.is_empty() {
            if is_from_here {
                self.writers.wait(link, 0);
            }
            return Some(write.told());
        }
        let bytes_count = write.bytes();
        if self.writers.wait(link, bytes_count) {
            write.bytes_count = bytes_count;
            let number = self.first_number + self.queue.len() as u64;
            write.change.iter().for_each(|change| self.ahead.apply(change, number, self.shown.as_deref()));
        } else {
            // It waits for its turn to be told so, and is the last that is read of its client until there is room.
            write.written.outcome = WriteOutcome::Refused(WriteRefusal::Busy);
            write.change = None;
            if self.queue.is_empty() {
                return Some(write.told());
            }
        }
        self.queue.push_back(write);
        self.commit_next(out);
        None
    }

    /// What comes of a write if what came before it gets to the disk, and what it changes.
    fn judge(&self, asked: &AskedWrite<'_>) -> (WriteOutcome, Option<StoreChange>) {
        let Some(shown) = self.shown.as_deref() else { return refused(WriteRefusal::NoStore) };
        if !asked.is_from_here {
            return refused(WriteRefusal::NotFromHere);
        }
        if let Some(refusal) = self.refuses {
            return refused(refusal);
        }
        let has_value =
            |key: &Key| self.ahead.has_value(key, shown).unwrap_or_else(|| asked.store.get(key.as_bytes()).is_some());
        let described = |name: &_| self.ahead.description(name, shown);
        let (outcome, change) = match &asked.write.change {
            Change::Put { key, value } => {
                let outcome = if has_value(key) { WriteOutcome::Replaced } else { WriteOutcome::Stored };
                (outcome, StoreChange::Put { key: key.clone(), value: Arc::clone(value) })
            }
            Change::Delete { key } if !has_value(key) => return unchanged(WriteOutcome::Absent),
            Change::Delete { key } => {
                let key = key.clone();
                let is_below = asked.store.get(key.as_bytes()).is_some();
                let change = if is_below { StoreChange::Hide { key } } else { StoreChange::Forget { key } };
                (WriteOutcome::Deleted, change)
            }
            Change::Publish { name, text } => {
                let outcome = match (asked.is_shared, described(name)) {
                    (None, _) => return refused(WriteRefusal::NothingShared),
                    (Some(false), _) => return unchanged(WriteOutcome::Absent),
                    (Some(true), Some(before)) if before == text => return unchanged(WriteOutcome::Present),
                    (Some(true), Some(_)) => WriteOutcome::Replaced,
                    (Some(true), None) => WriteOutcome::Stored,
                };
                (outcome, StoreChange::Publish { name: name.clone(), text: Arc::clone(text) })
            }
            Change::Unpublish { name } if described(name).is_none() => return unchanged(WriteOutcome::Absent),
            Change::Unpublish { name } => (WriteOutcome::Deleted, StoreChange::Unpublish { name: name.clone() }),
        };
        let (before, after) = (self.ahead.counts(), self.ahead.counts_after(&change, shown));
        // What grows no further may stand where more was kept before.
        let has_too_many = after.keys > WRITTEN_KEYS_MAX && after.keys > before.keys;
        if has_too_many || (after.bytes > WRITTEN_BYTES_MAX && after.bytes > before.bytes) {
            return refused(WriteRefusal::StoreFull);
        }
        (outcome, Some(change))
    }

    // ---- to the disk ----

    /// Has all that waits put on the disk, unless something is being put there.
    fn commit_next(&mut self, out: &mut Outbox<'_>) {
        if self.under_way_count > 0 {
            return;
        }
        let (mut changes, mut bytes_count, mut count) = (Vec::new(), 0, 0);
        for write in self.queue.range(self.over_count..) {
            if bytes_count + write.bytes_count > COMMIT_BYTES_MAX && !changes.is_empty() {
                break;
            }
            bytes_count += write.bytes_count;
            count += 1;
            changes.extend(write.change.clone());
        }
        if changes.is_empty() {
            // What changes nothing waited for what it was judged by.
            self.over_count += count;
        } else {
            self.under_way_count = count;
            out.disk(Job::Commit(changes));
        }
    }

    /// What was to be put on the disk is there, or is not.
    pub(super) fn on_committed(&mut self, now: Time, committed: Result<(), CommitFailure>, out: &mut Outbox<'_>) {
        if self.under_way_count == 0 {
            return;
        }
        if self.over_count == 0 {
            self.over_since = now;
        }
        let count = std::mem::take(&mut self.under_way_count);
        match committed {
            Ok(()) => self.over_count += count,
            Err(CommitFailure::Full(reason)) => {
                log::warn!("what was written cannot be kept: {reason}; what is written later is tried again");
                self.refuse_waiting(WriteRefusal::DiskFull);
            }
            Err(CommitFailure::Failed(reason)) => {
                log::error!("the disk failed: {reason}; what was written before is served, and nothing more is kept");
                self.refuses = Some(WriteRefusal::DiskFailed);
                self.refuse_waiting(WriteRefusal::DiskFailed);
            }
        }
        self.commit_next(out);
    }

    /// All that waits for the disk is refused; what was refused or is there already stays what it is.
    fn refuse_waiting(&mut self, refusal: WriteRefusal) {
        let is_over = self.over_count;
        for write in self.queue.range_mut(is_over..) {
            write.change = None;
            if !matches!(write.written.outcome, WriteOutcome::Refused(_)) {
                write.written.outcome = WriteOutcome::Refused(refusal);
            }
        }
        self.over_count = self.queue.len();
        // What is on the disk and was not shown yet is all there is ahead.
        self.ahead = Ahead::of(self.shown.as_deref().unwrap_or(&WrittenData::default()));
        for (number, write) in (self.first_number..).zip(self.queue.range(..is_over)) {
            write.change.iter().for_each(|change| self.ahead.apply(change, number, self.shown.as_deref()));
        }
    }

    // ---- what is there is shown ----

    /// When more of what is over is to be shown: at once, in the turns that are left beside all else.
    pub(super) fn deadline(&self) -> Time {
        if self.over_count > 0 { self.over_since } else { Time::NEVER }
    }

    /// Shows a turn's worth of what is over, and all of it where the servent leaves. Gives what is to be told of it.
    pub(super) fn show(&mut self, is_watched: impl Fn(&Key) -> bool) -> ShownWrites {
        let (writes_max, links_max) =
            if self.is_leaving { (usize::MAX, usize::MAX) } else { (SHOWN_AT_ONCE_MAX, TOLD_AT_ONCE_MAX) };
        let (mut shown, mut links) = (ShownWrites::default(), BTreeSet::new());
        for _ in 0..writes_max.min(self.over_count) {
            let is_told = |write: &WaitingWrite| links.len() < links_max || links.contains(&write.link);
            let Some(mut write) = self.queue.pop_front_if(|write| is_told(write)) else { break };
            links.insert(write.link);
            if let Some(change) = write.change.take() {
                self.ahead.on_shown(&change, self.first_number);
                match &change {
                    StoreChange::Put { key, .. } | StoreChange::Hide { key } | StoreChange::Forget { key } => {
                        if is_watched(key) {
                            let before = self.shown.as_deref().and_then(|shown| shown.kept(key.as_bytes()));
                            shown.before.entry(key.clone()).or_insert_with(|| before.cloned());
                        }
                    }
                    StoreChange::Unpublish { .. } => shown.is_unpublished = true,
                    StoreChange::Publish { .. } => {}
                }
                // It is this room's alone once whoever started the servent has let go of it.
                self.shown.iter_mut().for_each(|shown| Arc::make_mut(shown).apply(change.clone()));
            }
            self.writers.wait_no_more(write.link, write.bytes_count);
            self.first_number += 1;
            self.over_count -= 1;
            shown.told.push(write.told());
        }
        if self.queue.is_empty() {
            self.queue.shrink_to(SHOWN_AT_ONCE_MAX);
        }
        shown
    }

    // ---- whoever writes too much ----

    /// Clients that are not to be read any more.
    pub(super) fn take_to_rest(&mut self) -> Vec<LinkId> {
        self.writers.take_to_rest()
    }

    /// Clients that are to be read again.
    pub(super) fn take_to_resume(&mut self) -> Vec<LinkId> {
        if self.is_leaving { Vec::new() } else { self.writers.take_to_resume() }
    }

    /// Whether a client is not to be read.
    pub(super) fn holds(&self, link: LinkId) -> bool {
        self.writers.holds(link)
    }

    /// A client is gone. What it wrote is kept all the same, and nobody is told.
    pub(super) fn on_closed(&mut self, link: LinkId) {
        self.writers.forget(link);
    }

    // ---- the end ----

    /// The servent leaves. Gives those that are to be told of something yet: nothing more is read of them.
    pub(super) fn on_leave(&mut self) -> BTreeSet<LinkId> {
        self.is_leaving = true;
        self.queue.iter().map(|write| write.link).collect()
    }

    /// A client is not read any more, for as long as the servent is there. Whether it was not before.
    pub(super) fn hold(&mut self, link: LinkId) -> bool {
        self.writers.hold(link)
    }

    /// Whether the servent leaves and all that was to be told is.
    pub(super) fn has_told_all(&self) -> bool {
        self.is_leaving && self.queue.is_empty()
    }
}

impl WaitingWrite {
    /// What it takes while it waits.
    fn bytes(&self) -> usize {
        let own = self.change.as_ref().map_or(0, StoreChange::bytes_count);
        let noted = self.noted.as_deref().map_or(0, |noted| size_of_val(noted) + noted.subject.len());
        WRITE_BYTES + own + noted
    }

    fn told(self) -> ToldWrite {
        let WaitingWrite { link, written, noted, .. } = self;
        ToldWrite { link, written, noted }
    }
}

fn refused(refusal: WriteRefusal) -> (WriteOutcome, Option<StoreChange>) {
    unchanged(WriteOutcome::Refused(refusal))
}

fn unchanged(outcome: WriteOutcome) -> (WriteOutcome, Option<StoreChange>) {
    (outcome, None)
}
