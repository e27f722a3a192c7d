//! What a database holds, verified to the last page, with nothing changed by it.
//!
//! redb repairs as it verifies: here it does so in memory. That reads a file three times over; what was closed says itself what it
//! adds up to, and a start reads it once.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use common::written::WrittenData;
use redb::ReadOnlyDatabase;

use crate::copied::Copying;
use crate::guard::{FirstFailure, Guard, UnsyncedBytes};
use crate::layered::Layered;
use crate::storage::{OpenError, Storage};
use crate::sum::EntriesSum;
use crate::tables::ReadTables;
use crate::{CACHE_BYTES, COMPACTED_BYTES_MIN, file, tables};

/// What is read once is kept by nobody: as much as is handed over stays where a processor has it at hand.
const READ_ONCE_CACHE_BYTES: usize = 2 * 1024 * 1024;
/// Whoever looks while a servent writes looks again where what was copied is not whole.
const LOOKS_MAX: usize = 8;

/// A file has so much besides what it holds, at most.
const BESIDE_ENTRIES_BYTES: u64 = 1024 * 1024;

/// What a database holds.
#[derive(Debug, PartialEq, Eq)]
pub struct LookedInto {
    /// All that was written.
    pub written: WrittenData,
    /// Whether whoever wrote last has closed it.
    pub is_closed: bool,
    /// How large it is.
    pub bytes_count: u64,
    /// So many bytes of it are used, as far as what it holds tells.
    pub used_bytes: u64,
    /// What all of it adds up to.
    pub(crate) sum: EntriesSum,
}

impl LookedInto {
    /// Whether a start would make it smaller, which is done where that halves it.
    #[must_use]
    pub fn is_large(&self) -> bool {
        self.bytes_count >= COMPACTED_BYTES_MIN && self.used_bytes <= self.bytes_count / 2
    }

    /// How much room a start may take for what it writes anew beside it; nothing where it does not.
    #[must_use]
    pub fn anew_bytes(&self) -> Option<u64> {
        let is_written_anew = !self.is_closed || self.is_large();
        // A file may be longer than what is in it: redb doubles it, and what was never written takes no room.
        is_written_anew.then(|| self.bytes_count.min(self.used_bytes + BESIDE_ENTRIES_BYTES))
    }
}

/// Looks at a database in a file, also while a servent uses it, and verifies every page. Where there is none, or it is empty,
/// that is an error.
pub fn look_at(path: &Path) -> Result<LookedInto, OpenError> {
    look_beside_others(file::open_to_look(path)?, look_into)
}

/// The same for whoever wants what it holds and no more: of one that was closed redb's own pages may be damaged.
pub fn read_from(path: &Path) -> Result<LookedInto, OpenError> {
    look_beside_others(file::open_to_look(path)?, |copy| read_at_start(copy).map(|(look, _)| look))
}

/// Looks into a copy of what others may write to. Where they did, it is as one that was not closed.
pub(crate) fn look_beside_others(
    storage: Arc<dyn Storage>,
    look_into: impl Fn(&Arc<dyn Storage>) -> Result<LookedInto, OpenError>,
) -> Result<LookedInto, OpenError> {
    let mut copying = Copying::begin(storage)?;
    for _ in 0..LOOKS_MAX {
        match look_into(&copying.copy()) {
            Ok(look) => return Ok(LookedInto { is_closed: look.is_closed && !copying.is_mixed(), ..look }),
            Err(error @ (OpenError::Io(_) | OpenError::NoMemory(_))) => return Err(error),
            // What is there is what was looked into.
            Err(error) if !copying.renew()? => return Err(error),
            Err(_) => {}
        }
    }
    Err(OpenError::Busy)
}

/// What a storage holds that nobody else uses, and whether redb has verified it. Otherwise all entries are what they add up to,
/// and what redb keeps beside them is for whoever writes next to verify.
pub(crate) fn read_at_start(storage: &Arc<dyn Storage>) -> Result<(LookedInto, bool), OpenError> {
    // What does not add up, or was not closed, is looked into.
    let read = catch_unwind(AssertUnwindSafe(|| read_closed(storage)));
    match read {
        Ok(Ok(Some(read))) => Ok((read, false)),
        Ok(Err(error @ OpenError::NoMemory(_))) => Err(error),
        _ => Ok((look_into(storage)?, true)),
    }
}

/// Reads what was closed. Nothing where it was not, or is not what it adds up to.
fn read_closed(storage: &Arc<dyn Storage>) -> Result<Option<LookedInto>, OpenError> {
    let bytes_count = storage.bytes_count()?;
    ask_for_memory(bytes_count)?;
    let Some(database) = open_closed(storage)? else { return Ok(None) };
    let ReadTables { written, sum, adds_up } = tables::read(&database)?;
    let used_bytes = tables::used_bytes(&written);
    Ok(adds_up.then_some(LookedInto { written, is_closed: true, bytes_count, used_bytes, sum }))
}

pub(crate) fn look_into(storage: &Arc<dyn Storage>) -> Result<LookedInto, OpenError> {
    // What no check has found may end redb in a way of its own.
    let looked = catch_unwind(AssertUnwindSafe(|| look(storage)));
    looked.unwrap_or_else(|_| Err(nobody_understands()))
}

fn nobody_understands() -> OpenError {
    OpenError::Damaged("nobody can make sense of it".to_owned())
}

/// Verifies every page of what has been read, with nothing changed by it.
pub(crate) fn verify(storage: &Arc<dyn Storage>) -> Result<(), OpenError> {
    let verified = catch_unwind(AssertUnwindSafe(|| verified(storage).map(drop)));
    verified.unwrap_or_else(|_| Err(nobody_understands()))
}

fn look(storage: &Arc<dyn Storage>) -> Result<LookedInto, OpenError> {
    let bytes_count = storage.bytes_count()?;
    if bytes_count == 0 {
        return Err(OpenError::Foreign("it is empty".to_owned()));
    }
    ask_for_memory(bytes_count)?;
    let verified = verified(storage)?;
    let ReadTables { written, sum, adds_up } = tables::read(&verified)?;
    let used_bytes = tables::used_bytes(&written);
    // Where it does not add up it is written anew as where it was not closed: its pages are whole, so the sum is what is wrong.
    let is_closed = adds_up && open_closed(storage)?.is_some();
    Ok(LookedInto { written, is_closed, bytes_count, used_bytes, sum })
}

/// Has redb verify all of it, and repair it above what is there.
fn verified(storage: &Arc<dyn Storage>) -> Result<redb::Database, OpenError> {
    let layered = Guard {
        storage: Arc::new(Layered::over(Arc::clone(storage))?),
        fault: FirstFailure::default(),
        unsynced: UnsyncedBytes::default(),
    };
    let mut builder = redb::Builder::new();
    builder.set_cache_size(CACHE_BYTES);
    builder.set_check_integrity_on_open(true).create_with_backend(layered).map_err(tables::damaged)
}

/// Opens it for reading, if it needs no repair.
fn open_closed(storage: &Arc<dyn Storage>) -> Result<Option<ReadOnlyDatabase>, OpenError> {
    let guard =
        Guard { storage: Arc::clone(storage), fault: FirstFailure::default(), unsynced: UnsyncedBytes::default() };
    match redb::Builder::new().set_cache_size(READ_ONCE_CACHE_BYTES).open_read_only_with_backend(guard) {
        Ok(database) => Ok(Some(database)),
        Err(redb::DatabaseError::RepairAborted) => Ok(None),
        Err(error) => Err(tables::damaged(error)),
    }
}

/// What it holds is in memory as a whole: where that is not to be had, it is said now, and nobody is ended by it.
fn ask_for_memory(bytes_count: u64) -> Result<(), OpenError> {
    let wanted = usize::try_from(bytes_count).unwrap_or(usize::MAX);
    let wanted = wanted.min(2 * common::limits::WRITTEN_BYTES_MAX);
    Vec::<u8>::new().try_reserve_exact(wanted).map_err(|_| OpenError::NoMemory(bytes_count))
}
