//! A storage as redb has it, which notes what has failed first, lets nothing be written from then on, and knows where something was
//! written since the last sync.
//!
//! Whoever is about to let go of a database after a failure must not write a byte more: what a failed sync has left in the
//! system's memory may be marked as written, and is not.

use std::io::{self, ErrorKind};
use std::ops::Bound;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::disk::CommitFailure;
use redb::{BackendError, StorageBackend};

use crate::storage::Storage;

/// What has failed first, if anything has.
#[derive(Clone, Debug, Default)]
pub(crate) struct FirstFailure(Arc<Mutex<Option<CommitFailure>>>);

impl FirstFailure {
    pub(crate) fn get(&self) -> Option<CommitFailure> {
        self.lock().clone()
    }

    /// From now on nothing is written.
    pub(crate) fn set(&self, failure: CommitFailure) {
        self.lock().get_or_insert(failure);
    }

    fn lock(&self) -> MutexGuard<'_, Option<CommitFailure>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Where something was written since the last sync: redb writes what is new beside what is there, but for its header.
#[derive(Clone, Debug, Default)]
pub(crate) struct UnsyncedBytes(Arc<Mutex<Vec<(u64, u64)>>>);

impl UnsyncedBytes {
    /// The offset of each piece, and how long it is.
    pub(crate) fn take(&self) -> Vec<(u64, u64)> {
        std::mem::take(&mut *self.lock())
    }

    fn lock(&self) -> MutexGuard<'_, Vec<(u64, u64)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The page that is written over what is there.
const HEADER_BYTES: u64 = 4096;

/// The storage, what has failed, and what is not synced.
#[derive(Debug)]
pub(crate) struct Guard {
    pub(crate) storage: Arc<dyn Storage>,
    pub(crate) fault: FirstFailure,
    pub(crate) unsynced: UnsyncedBytes,
}

/// Whether there was no room for something, which may be different later.
pub(crate) fn is_full(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::StorageFull | ErrorKind::QuotaExceeded | ErrorKind::FileTooLarge)
}

impl Guard {
    /// Reads what is there, and zeros behind its end. How long a file is may be lost when the machine stops, and what names bytes
    /// behind the end may not be: that is a commit that was not whole, and checksums tell it from one that was.
    fn read_there(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        match self.storage.read(offset, out) {
            Err(error) if error.kind() == ErrorKind::UnexpectedEof => {}
            read => return read,
        }
        let there = self.storage.bytes_count()?.saturating_sub(offset);
        let (there, behind) = out.split_at_mut(usize::try_from(there).unwrap_or(usize::MAX).min(out.len()));
        behind.fill(0);
        if there.is_empty() { Ok(()) } else { self.storage.read(offset, there) }
    }

    fn check(&self) -> io::Result<()> {
        match self.fault.get() {
            None => Ok(()),
            Some(CommitFailure::Full(reason) | CommitFailure::Failed(reason)) => Err(io::Error::other(reason)),
        }
    }

    fn note<T>(&self, result: io::Result<T>) -> io::Result<T> {
        result.inspect_err(|error| self.fault.set(CommitFailure::Failed(error.to_string())))
    }

    fn note_room(&self, result: io::Result<()>) -> io::Result<()> {
        result.inspect_err(|error| {
            let failure = if is_full(error) { CommitFailure::Full } else { CommitFailure::Failed };
            self.fault.set(failure(error.to_string()));
        })
    }
}

impl StorageBackend for Guard {
    fn len(&self) -> io::Result<u64> {
        self.note(self.storage.bytes_count())
    }

    fn read(&self, offset: u64, out: &mut [u8]) -> io::Result<()> {
        self.note(self.read_there(offset, out))
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.check()?;
        self.note_room(self.storage.resize(len))
    }

    fn sync_data(&self) -> io::Result<()> {
        self.check()?;
        // Also where there was no room: nobody knows what of it is there.
        self.note(self.storage.sync())?;
        self.unsynced.take();
        Ok(())
    }

    fn write(&self, offset: u64, data: &[u8]) -> io::Result<()> {
        self.check()?;
        if offset >= HEADER_BYTES {
            self.unsynced.lock().push((offset, data.len() as u64));
        }
        self.note_room(self.storage.write(offset, data))
    }

    // Whoever has the storage has it alone: a place sees to that.
    fn try_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn try_lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(true)
    }

    fn lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn lock_shared_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }

    fn query_lock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<bool, BackendError> {
        Ok(false)
    }

    fn unlock_range(&self, _: Bound<u64>, _: Bound<u64>) -> Result<(), BackendError> {
        Ok(())
    }
}
