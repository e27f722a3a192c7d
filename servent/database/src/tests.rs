//! What becomes of a database on days that are not like others: on a disk in memory that has no room, fails or is cut off, and
//! in files.

#![expect(clippy::cast_possible_truncation, reason = "what is in memory here is small")]

mod beside;
mod damage;
mod faults;
mod files;

use std::sync::atomic::{AtomicBool, AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};

use common::content::search::FileName;
use common::key::Key;

use super::*;

fn put(key: &str, value: &str) -> StoreChange {
    StoreChange::Put { key: Key::new(key.as_bytes()).unwrap(), value: value.as_bytes().into() }
}

fn hide(key: &str) -> StoreChange {
    StoreChange::Hide { key: Key::new(key.as_bytes()).unwrap() }
}

fn forget(key: &str) -> StoreChange {
    StoreChange::Forget { key: Key::new(key.as_bytes()).unwrap() }
}

fn publish(name: &str, text: &str) -> StoreChange {
    StoreChange::Publish { name: FileName::new(name.as_bytes()).unwrap(), text: text.as_bytes().into() }
}

fn after(before: &WrittenData, changes: &[StoreChange]) -> WrittenData {
    let mut written = before.clone();
    changes.iter().for_each(|change| written.apply(change.clone()));
    written
}

/// Numbers that are the same each time.
struct Numbers(u64);

impl Numbers {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    fn below(&mut self, end: usize) -> usize {
        (self.next() % end as u64) as usize
    }
}

/// What a disk in memory does from now on.
#[derive(Debug)]
struct Days {
    /// No storage has more bytes.
    room: AtomicU64,
    /// So many writes have room.
    writes_with_room: AtomicI64,
    /// So many syncs go well.
    syncs_that_go_well: AtomicI64,
    /// Nothing can be made beside.
    is_narrow: AtomicBool,
    /// Nothing can be renamed.
    keeps_names: AtomicBool,
    /// So many syncs of names go well.
    syncs_of_names_that_go_well: AtomicI64,
    /// How often something was changed or synced.
    changes_count: AtomicUsize,
    /// What was written is noted, and what is there when it is synced.
    events: Mutex<Vec<DiskEvent>>,
}

impl Default for Days {
    fn default() -> Days {
        Days {
            room: AtomicU64::new(u64::MAX),
            writes_with_room: AtomicI64::new(i64::MAX),
            syncs_that_go_well: AtomicI64::new(i64::MAX),
            is_narrow: AtomicBool::new(false),
            keeps_names: AtomicBool::new(false),
            syncs_of_names_that_go_well: AtomicI64::new(i64::MAX),
            changes_count: AtomicUsize::new(0),
            events: Mutex::default(),
        }
    }
}

#[derive(Clone, Debug)]
enum DiskEvent {
    Written(u64, Vec<u8>),
    Resized(u64),
    Synced,
}

impl Days {
    fn set(what: &AtomicI64, count: i64) {
        what.store(count, Ordering::Relaxed);
    }

    fn take_events(&self) -> Vec<DiskEvent> {
        std::mem::take(&mut self.events.lock().unwrap())
    }
}

#[derive(Debug)]
struct MemoryStorage {
    bytes: Mutex<Vec<u8>>,
    days: Arc<Days>,
}

impl MemoryStorage {
    fn of(bytes: Vec<u8>, days: &Arc<Days>) -> Arc<MemoryStorage> {
        Arc::new(MemoryStorage { bytes: Mutex::new(bytes), days: Arc::clone(days) })
    }

    fn bytes(&self) -> Vec<u8> {
        self.bytes.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

impl Storage for MemoryStorage {
    fn bytes_count(&self) -> io::Result<u64> {
        Ok(self.bytes.lock().unwrap().len() as u64)
    }

    fn read(&self, offset: u64, into: &mut [u8]) -> io::Result<()> {
        let bytes = self.bytes.lock().unwrap();
        let there = bytes.get(offset as usize..offset as usize + into.len()).ok_or(io::ErrorKind::UnexpectedEof)?;
        into.copy_from_slice(there);
        Ok(())
    }

    fn write(&self, offset: u64, from: &[u8]) -> io::Result<()> {
        self.days.changes_count.fetch_add(1, Ordering::Relaxed);
        let end = offset as usize + from.len();
        let has_room = self.days.writes_with_room.fetch_sub(1, Ordering::Relaxed) > 0;
        if !has_room || end as u64 > self.days.room.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        let mut bytes = self.bytes.lock().unwrap();
        let length = bytes.len().max(end);
        bytes.resize(length, 0);
        bytes[offset as usize..end].copy_from_slice(from);
        self.days.events.lock().unwrap().push(DiskEvent::Written(offset, from.to_vec()));
        Ok(())
    }

    fn resize(&self, bytes_count: u64) -> io::Result<()> {
        self.days.changes_count.fetch_add(1, Ordering::Relaxed);
        if bytes_count > self.days.room.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::StorageFull.into());
        }
        self.bytes.lock().unwrap().resize(bytes_count as usize, 0);
        self.days.events.lock().unwrap().push(DiskEvent::Resized(bytes_count));
        Ok(())
    }

    fn give_back(&self, offset: u64, bytes_count: u64) {
        let end = (offset + bytes_count) as usize;
        let mut bytes = self.bytes.lock().unwrap();
        let end = end.min(bytes.len());
        if let Some(room) = bytes.get_mut(offset as usize..end) {
            // Whoever has it next.
            room.fill(0xa5);
        }
    }

    fn sync(&self) -> io::Result<()> {
        self.days.changes_count.fetch_add(1, Ordering::Relaxed);
        if self.days.syncs_that_go_well.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Err(io::Error::other("the disk has failed"));
        }
        self.days.events.lock().unwrap().push(DiskEvent::Synced);
        Ok(())
    }
}

/// A place on a disk in memory.
#[derive(Debug, Default)]
struct MemoryPlace {
    days: Arc<Days>,
    current: Mutex<Option<Arc<MemoryStorage>>>,
    beside: Mutex<Option<Arc<MemoryStorage>>>,
}

impl MemoryPlace {
    fn with(bytes: Vec<u8>) -> MemoryPlace {
        let place = MemoryPlace::default();
        *place.current.lock().unwrap() = Some(MemoryStorage::of(bytes, &place.days));
        place
    }

    fn bytes(&self) -> Vec<u8> {
        self.current.lock().unwrap().as_ref().map(|current| current.bytes()).unwrap_or_default()
    }
}

impl DatabasePlace for MemoryPlace {
    fn current(&self) -> Result<Option<Current>, OpenError> {
        let current = self.current.lock().unwrap().clone();
        Ok(current.map(|storage| Current { storage, read_only: None }))
    }

    fn beside(&self) -> Result<Arc<dyn Storage>, OpenError> {
        if self.days.is_narrow.load(Ordering::Relaxed) {
            return Err(io::Error::from(io::ErrorKind::StorageFull).into());
        }
        let storage = MemoryStorage::of(Vec::new(), &self.days);
        *self.beside.lock().unwrap() = Some(Arc::clone(&storage));
        Ok(storage)
    }

    fn replace(&self) -> io::Result<()> {
        if self.days.keeps_names.load(Ordering::Relaxed) {
            return Err(io::ErrorKind::PermissionDenied.into());
        }
        *self.current.lock().unwrap() = self.beside.lock().unwrap().take();
        Ok(())
    }

    fn give_up(&self) {
        *self.beside.lock().unwrap() = None;
    }

    fn sync_entry(&self) -> io::Result<()> {
        if self.days.syncs_of_names_that_go_well.fetch_sub(1, Ordering::Relaxed) <= 0 {
            return Err(io::Error::other("the disk has failed"));
        }
        Ok(())
    }
}

/// A place where some commits were made, and all that was there after one of them, from nothing on.
fn with_history(closes: bool) -> (MemoryPlace, Vec<WrittenData>) {
    let place = MemoryPlace::default();
    let mut database = open_at(&place).unwrap().database;
    let mut states = vec![WrittenData::default()];
    let long = "long ".repeat(3_000);
    for number in 0..12 {
        let key = |more: usize| format!("key {}", (number * 7 + more) % 20);
        let changes = [
            put(&key(0), &format!("value {number}")),
            put(&key(3), &long[..number * 1_000]),
            hide(&key(5)),
            forget(&key(9)),
            publish(&key(1), &format!("text {number}")),
        ];
        database.commit(&changes).unwrap();
        states.push(after(states.last().unwrap(), &changes));
    }
    if closes {
        database.close().unwrap();
    } else {
        // As whoever is killed leaves it.
        let bytes = place.bytes();
        drop(database);
        return (MemoryPlace::with(bytes), states);
    }
    (place, states)
}
