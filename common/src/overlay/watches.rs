//! Which clients watch which keys, and whom there is yet to tell that a value is another.
//!
//! Each watch has one mark and no queue: who is told late is told the latest. It knows no values; what one is, and whether it
//! has changed, is for the corridor to see.

use std::collections::{BTreeMap, BTreeSet};

use crate::key::Key;
use crate::limits::{CHANGED_AGAIN_PAUSE, WATCHES_PER_CLIENT_MAX};
use crate::link::LinkId;
use crate::time::Time;

/// Watches told in one turn of the loop; the others have the next.
pub(super) const CHANGED_AT_ONCE_MAX: usize = 256;
/// And bytes of values; the one that comes to that is told whole.
pub(super) const CHANGED_TURN_BYTES: usize = 1024 * 1024;

/// A watch, by the number its client has given it.
pub(super) type WatchId = (LinkId, u64);

/// The room.
#[derive(Debug, Default)]
pub(super) struct Watches {
    by_key: BTreeMap<Key, BTreeSet<WatchId>>,
    watches: BTreeMap<WatchId, WatchedKey>,
    /// Those that are marked, by when they are told.
    marked: BTreeSet<(Time, WatchId)>,
}

#[derive(Debug)]
struct WatchedKey {
    key: Key,
    mark: Option<Time>,
}

/// A client watches more than it may, or two keys under one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct WatchesTooMuch;

impl Watches {
    pub(super) fn count(&self) -> usize {
        self.watches.len()
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let keys = self.by_key.keys().map(|key| key.as_bytes().len() + size_of::<Key>()).sum::<usize>();
        keys + self.count() * (size_of::<(WatchId, WatchedKey)>() + size_of::<WatchId>())
            + self.marked.len() * size_of::<(Time, WatchId)>()
    }

    /// A client watches a key from now on, and is to be told at once what its value is.
    pub(super) fn on_watch(&mut self, now: Time, watch: WatchId, key: Key) -> Result<(), WatchesTooMuch> {
        let (link, _) = watch;
        let of_client = self.watches.range((link, 0)..=(link, u64::MAX)).count();
        if of_client >= WATCHES_PER_CLIENT_MAX || self.watches.contains_key(&watch) {
            return Err(WatchesTooMuch);
        }
        self.by_key.entry(key.clone()).or_default().insert(watch);
        self.watches.insert(watch, WatchedKey { key, mark: None });
        self.mark(now, watch);
        Ok(())
    }

    /// It watches it no more. Of one that there is not nothing comes: its end may have met our own.
    pub(super) fn on_unwatch(&mut self, watch: WatchId) {
        let Some(WatchedKey { key, mark }) = self.watches.remove(&watch) else { return };
        if let Some(due) = mark {
            self.marked.remove(&(due, watch));
        }
        if let Some(watches) = self.by_key.get_mut(&key) {
            watches.remove(&watch);
            if watches.is_empty() {
                self.by_key.remove(&key);
            }
        }
    }

    /// A client is gone.
    pub(super) fn on_closed(&mut self, link: LinkId) {
        let of_client = self.watches.range((link, 0)..=(link, u64::MAX)).map(|(watch, _)| *watch);
        for watch in of_client.collect::<Vec<_>>() {
            self.on_unwatch(watch);
        }
    }

    /// Whether anybody watches a key.
    pub(super) fn has(&self, key: &Key) -> bool {
        self.by_key.contains_key(key)
    }

    /// The keys that are watched.
    pub(super) fn keys(&self) -> impl Iterator<Item = &Key> {
        self.by_key.keys()
    }

    /// A key has another value: all who watch it are to be told.
    pub(super) fn on_changed(&mut self, now: Time, key: &Key) {
        let watches = self.by_key.get(key).into_iter().flatten().copied().collect::<Vec<_>>();
        watches.into_iter().for_each(|watch| self.mark(now, watch));
    }

    /// What was told did not get there: too much is unsent to that client. It is told anew what the value is then.
    pub(super) fn on_not_told(&mut self, now: Time, watch: WatchId) {
        self.mark(now + CHANGED_AGAIN_PAUSE, watch);
    }

    /// One that is marked already is told then.
    fn mark(&mut self, due: Time, watch: WatchId) {
        let Some(watched) = self.watches.get_mut(&watch).filter(|watched| watched.mark.is_none()) else { return };
        watched.mark = Some(due);
        self.marked.insert((due, watch));
    }

    /// When somebody is to be told.
    pub(super) fn deadline(&self) -> Time {
        self.marked.first().map_or(Time::NEVER, |(due, _)| *due)
    }

    /// One that is to be told now, and of which key.
    pub(super) fn take_due(&mut self, now: Time) -> Option<(WatchId, Key)> {
        let (due, watch) = self.marked.first().copied().filter(|(due, _)| *due <= now)?;
        self.marked.remove(&(due, watch));
        let watched = self.watches.get_mut(&watch)?;
        watched.mark = None;
        Some((watch, watched.key.clone()))
    }
}
