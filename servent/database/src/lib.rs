//! Where a servent keeps what was written over the network: changes that are on the disk all or not at all, in their order,
//! whatever becomes of the machine.
//!
//! What may be written and what of it others see is decided elsewhere (`common::overlay`). Only this crate names redb, which
//! does the work; how it is done so that nothing acknowledged is lost is decided here:
//!
//! - What is there is read whole and verified before it is used, and nothing is changed by that: what was closed by what its
//!   entries add up to, everything else page by page. What redb keeps beside entries is verified before the first change.
//! - What was not closed cleanly is not written to. All of it is written beside, synced and renamed over it, and then used: a
//!   system whose sync has failed may show what is not on the disk.
//! - A failed sync is final, and so is any failure but that there is no room.
//!
//! ```
//! # let directory = tempfile::tempdir().unwrap();
//! # let path = directory.path().join("north.db");
//! use common::written::StoreChange;
//!
//! let mut opened = database::open(&path)?;
//! let key = common::key::Key::new(b"tea")?;
//! opened.database.commit(&[StoreChange::Put { key, value: b"green"[..].into() }]).unwrap();
//! opened.database.close()?;
//! assert_eq!(database::look_at(&path)?.written.keys_count(), 1);
//! # Ok::<(), Box<dyn std::error::Error>>(())
//! ```

// What lies in bytes of others is asked for and not taken.
#![warn(clippy::indexing_slicing)]

mod ahead;
mod copied;
mod file;
mod guard;
mod layered;
mod look;
mod storage;
mod sum;
mod tables;

#[cfg(test)]
mod tests;

use std::fmt;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::path::Path;
use std::sync::Arc;

use common::disk::CommitFailure;
use common::written::{StoreChange, WrittenData};

pub use file::{beside, could_write_anew, could_write_to, free_bytes_beside};
pub use look::{LookedInto, look_at, read_from};
pub use storage::{Current, DatabasePlace, OpenError, Storage};

use file::FilePlace;
use guard::{FirstFailure, Guard, UnsyncedBytes};
use sum::EntriesSum;

/// What of a database is in the memory of whoever commits; what is looked up is in memory anyway.
const CACHE_BYTES: usize = 32 * 1024 * 1024;
/// A smaller file is not made smaller.
const COMPACTED_BYTES_MIN: u64 = 4 * 1024 * 1024;

/// Nobody has said why it ended.
const FAULT: &str = "a fault of the database";

/// A database with what it holds.
#[derive(Debug)]
pub struct OpenedDatabase {
    /// What was written before.
    pub written: WrittenData,
    /// Where more is.
    pub database: Database,
    /// What became of it at this start.
    pub start: StartKind,
    /// Why nothing more is written, where that is so.
    pub read_only: Option<String>,
}

/// What became of a database at a start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum StartKind {
    /// There was none, or an empty file.
    Made,
    /// It is as it was left.
    AsLeft,
    /// It had not been closed, and was written anew; or was to be, where it is only read.
    NotClosed,
    /// It was written anew because it was more than twice as large as what it holds.
    Compacted {
        /// How large it was.
        before: u64,
        /// How large it is.
        after: u64,
    },
    /// It would have been, and is as it was left.
    NotCompacted(String),
}

/// A database that changes are written to. Whoever lets go of it closes it.
pub struct Database {
    storage: Arc<dyn Storage>,
    state: DatabaseState,
    /// What all entries add up to, which is written down when it is closed.
    sum: EntriesSum,
    /// What redb keeps beside entries is as it wrote it, too.
    is_verified: bool,
    /// There was no room, and none to open it again.
    has_no_room: bool,
    /// There was no room for these, and nobody could look whether they are there all the same.
    unsure: Vec<StoreChange>,
}

enum DatabaseState {
    /// Nothing was written since it was opened, or since there was no room.
    Closed,
    Open(Handle),
    /// Nothing is written any more.
    Failed(String),
}

struct Handle {
    redb: redb::Database,
    fault: FirstFailure,
    unsynced: UnsyncedBytes,
}

/// Opens what is in a file, or makes it.
pub fn open(path: &Path) -> Result<OpenedDatabase, OpenError> {
    open_at(&FilePlace::at(path)?)
}

/// Opens what is in a place, or makes it.
pub fn open_at(place: &dyn DatabasePlace) -> Result<OpenedDatabase, OpenError> {
    let (current, bytes_count) = match place.current()? {
        None => return make(place),
        Some(current) => {
            let bytes_count = current.storage.bytes_count()?;
            if bytes_count == 0 && current.read_only.is_none() {
                return make(place);
            }
            (current, bytes_count)
        }
    };
    let (look, is_verified) = look::read_at_start(&current.storage)?;
    let is_large = look.is_large();
    let LookedInto { written, is_closed, sum, .. } = look;
    if let Some(reason) = current.read_only {
        let start = if is_closed { StartKind::AsLeft } else { StartKind::NotClosed };
        return Ok(read_only(written, current.storage, start, reason));
    }
    if is_closed && !is_large {
        return Ok(match place.sync_entry() {
            Ok(()) => usable(written, (current.storage, sum), StartKind::AsLeft).verified(is_verified),
            Err(error) => unsure_where(written, current.storage, &error),
        });
    }
    let start = if is_closed { StartKind::AsLeft } else { StartKind::NotClosed };
    match (write_anew(place, &written), is_closed) {
        (Ok(anew), true) => {
            let after = anew.0.bytes_count()?;
            Ok(usable(written, anew, StartKind::Compacted { before: bytes_count, after }))
        }
        (Ok(anew), false) => Ok(usable(written, anew, StartKind::NotClosed)),
        (Err(AnewError::NotReplaced(error)), true) => match place.sync_entry() {
            Ok(()) => {
                let start = StartKind::NotCompacted(error.to_string());
                Ok(usable(written, (current.storage, sum), start).verified(is_verified))
            }
            Err(error) => Ok(unsure_where(written, current.storage, &error)),
        },
        (Err(AnewError::NotReplaced(error)), false) => {
            Ok(read_only(written, current.storage, start, error.to_string()))
        }
        (Err(AnewError::Unsure(storage, reason)), _) => Ok(read_only(written, storage, start, reason)),
    }
}

fn make(place: &dyn DatabasePlace) -> Result<OpenedDatabase, OpenError> {
    let written = WrittenData::default();
    match write_anew(place, &written) {
        Ok(made) => Ok(usable(written, made, StartKind::Made)),
        Err(AnewError::NotReplaced(error)) => Err(error),
        Err(AnewError::Unsure(_, reason)) => Err(io::Error::other(reason).into()),
    }
}

fn usable(written: WrittenData, (storage, sum): (Arc<dyn Storage>, EntriesSum), start: StartKind) -> OpenedDatabase {
    OpenedDatabase { written, database: Database::on(storage, sum, DatabaseState::Closed), start, read_only: None }
}

fn read_only(written: WrittenData, storage: Arc<dyn Storage>, start: StartKind, reason: String) -> OpenedDatabase {
    let database = Database::on(storage, EntriesSum::default(), DatabaseState::Failed(reason.clone()));
    OpenedDatabase { written, database, start, read_only: Some(reason) }
}

/// It was closed, and nobody knows whether it is in its place once the machine has stopped. As after any sync that has failed
/// another one proves nothing: the next start is to find that it was not closed.
fn unsure_where(written: WrittenData, storage: Arc<dyn Storage>, error: &io::Error) -> OpenedDatabase {
    if let Ok(handle) = Handle::open(&storage, FirstFailure::default()) {
        handle.give_up(&error.to_string());
    }
    read_only(written, storage, StartKind::AsLeft, error.to_string())
}

impl OpenedDatabase {
    /// Whether redb has verified it.
    fn verified(mut self, is_verified: bool) -> OpenedDatabase {
        self.database.is_verified = is_verified;
        self
    }
}

/// Why there is no other database in the place of one.
enum AnewError {
    /// What was there is there.
    NotReplaced(OpenError),
    /// There is, and nobody knows which of both is there once the machine has stopped.
    Unsure(Arc<dyn Storage>, String),
}

/// Writes all of it beside, and puts that in the place. It is closed once that is sure: a start that finds it sooner writes it
/// anew.
fn write_anew(place: &dyn DatabasePlace, written: &WrittenData) -> Result<(Arc<dyn Storage>, EntriesSum), AnewError> {
    let storage = place.beside().map_err(AnewError::NotReplaced)?;
    let filled = fill(&storage, written).and_then(|(handle, sum)| match place.replace() {
        Ok(()) => Ok((handle, sum)),
        Err(error) => Err(handle.give_up(&error.to_string())),
    });
    let (handle, sum) = filled.map_err(|reason| {
        place.give_up();
        AnewError::NotReplaced(io::Error::other(reason).into())
    })?;
    let is_there = place.sync_entry().map_err(|error| handle.fault.set(CommitFailure::Failed(error.to_string())));
    let fault = handle.fault.clone();
    let closed = is_there.and_then(|()| handle.close(sum).map_err(drop));
    match (closed, fault.get()) {
        // Where there is no room for closing it there is for reading it.
        (Ok(()), None) | (Err(()), Some(CommitFailure::Full(_))) => Ok((storage, sum)),
        (_, Some(CommitFailure::Failed(reason) | CommitFailure::Full(reason))) => {
            Err(AnewError::Unsure(storage, reason))
        }
        (Err(()), None) => Err(AnewError::Unsure(storage, FAULT.to_owned())),
    }
}

/// Writes all of it, and has it on the disk. Gives what it adds up to.
fn fill(storage: &Arc<dyn Storage>, written: &WrittenData) -> Result<(Handle, EntriesSum), String> {
    let fault = FirstFailure::default();
    let filled = catch_unwind(AssertUnwindSafe(|| {
        let handle = Handle::open(storage, fault.clone())?;
        let transaction = handle.begin()?;
        tables::make(&transaction)?;
        let sum = tables::apply(&transaction, EntriesSum::default(), tables::changes_of(written))?;
        transaction.commit()?;
        Ok::<_, redb::Error>((handle, sum))
    }));
    let filled = filled.unwrap_or_else(|_| Err(redb::Error::Corrupted(FAULT.to_owned())));
    match (fault.get(), filled) {
        (Some(CommitFailure::Full(reason) | CommitFailure::Failed(reason)), _) => Err(reason),
        (None, Err(error)) => Err(error.to_string()),
        (None, Ok(filled)) => Ok(filled),
    }
}

impl Handle {
    fn open(storage: &Arc<dyn Storage>, fault: FirstFailure) -> Result<Handle, redb::Error> {
        let unsynced = UnsyncedBytes::default();
        let guard = Guard { storage: Arc::clone(storage), fault: fault.clone(), unsynced: unsynced.clone() };
        let redb = redb::Builder::new().set_cache_size(CACHE_BYTES).create_with_backend(guard)?;
        Ok(Handle { redb, fault, unsynced })
    }

    /// Adds to this sum what it comes to with these changes.
    fn commit(&self, sum: &mut EntriesSum, changes: &[StoreChange]) -> Result<(), redb::Error> {
        let transaction = self.begin()?;
        *sum = tables::apply(&transaction, *sum, changes)?;
        Ok(transaction.commit()?)
    }

    /// Has the next start find it as it is left.
    fn close(self, sum: EntriesSum) -> Result<(), redb::Error> {
        let transaction = self.begin()?;
        tables::set_sum(&transaction, sum)?;
        transaction.commit()?;
        Ok(self.redb.close()?)
    }

    /// Lets go of it as whoever is killed does: not a byte more is written. Gives why.
    fn give_up(self, reason: &str) -> String {
        self.fault.set(CommitFailure::Failed(reason.to_owned()));
        reason.to_owned()
    }

    fn begin(&self) -> Result<redb::WriteTransaction, redb::Error> {
        let mut transaction = self.redb.begin_write()?;
        transaction.set_durability(redb::Durability::Immediate)?;
        Ok(transaction)
    }
}

/// Why something has not come to pass, with whatever failed first.
fn failure_of(fault: &FirstFailure, error: &redb::Error) -> CommitFailure {
    // Where it is nobody's fault but its own, nothing is written any more either.
    fault.set(CommitFailure::Failed(error.to_string()));
    fault.get().unwrap_or_else(|| CommitFailure::Failed(error.to_string()))
}

impl Database {
    fn on(storage: Arc<dyn Storage>, sum: EntriesSum, state: DatabaseState) -> Database {
        Database { storage, state, sum, is_verified: true, has_no_room: false, unsure: Vec::new() }
    }

    /// Puts changes on the disk, in this order, all or none. Once it returns well they are there whatever becomes of the
    /// machine.
    pub fn commit(&mut self, changes: &[StoreChange]) -> Result<(), CommitFailure> {
        let committed = catch_unwind(AssertUnwindSafe(|| self.try_commit(changes)));
        let committed = committed.unwrap_or_else(|_| Err(CommitFailure::Failed(FAULT.to_owned())));
        if let Err(CommitFailure::Failed(reason)) = &committed {
            self.fail(reason.clone());
        }
        committed
    }

    /// Verifies what a start has not: what redb keeps beside entries. That reads the file again, and is done by the first commit
    /// where nobody does it before. Where it fails nothing is written any more; what was read is what was kept.
    pub fn verify(&mut self) -> Result<(), String> {
        if !self.is_verified {
            let verified = look::verify(&self.storage).map_err(|error| error.to_string());
            verified.inspect_err(|reason| self.fail(reason.clone()))?;
            self.is_verified = true;
        }
        Ok(())
    }

    fn try_commit(&mut self, changes: &[StoreChange]) -> Result<(), CommitFailure> {
        self.opened()?;
        let length = self.storage.bytes_count().ok();
        let mut sum = self.sum;
        let handle = self.opened()?;
        let Err(error) = handle.commit(&mut sum, changes) else {
            self.sum = sum;
            return Ok(());
        };
        let failure = failure_of(&handle.fault, &error);
        let CommitFailure::Full(_) = failure else { return Err(failure) };
        let unsynced = handle.unsynced.take();
        // Nothing more is written by this handle, also not by letting go of it.
        (self.state, self.has_no_room) = (DatabaseState::Closed, true);
        self.give_back_room(length, &unsynced);
        match self.opened() {
            // What had been written before there was no room may be all of it.
            Ok(handle) => match tables::is_as_after(&handle.redb, changes) {
                Ok(true) => {
                    self.sum = sum;
                    Ok(())
                }
                Ok(false) => Err(failure),
                Err(error) => Err(failure_of(&handle.fault, &error)),
            },
            Err(CommitFailure::Full(_)) => {
                // What would have changed nothing is there whatever became of it.
                self.unsure = if sum == self.sum { Vec::new() } else { changes.to_vec() };
                Err(failure)
            }
            Err(failed) => Err(failed),
        }
    }

    /// What a commit that had no room has written holds nothing of those before it, and the room it takes is needed: with none
    /// left, what is small would be refused as well.
    fn give_back_room(&self, length: Option<u64>, unsynced: &[(u64, u64)]) {
        for (offset, bytes_count) in unsynced {
            self.storage.give_back(*offset, *bytes_count);
        }
        if let (Some(length), Ok(now)) = (length, self.storage.bytes_count())
            && now > length
        {
            // Where it stays as long as it is, it is as whole as it was.
            let _ = self.storage.resize(length);
        }
    }

    /// It is opened with the first change, and again once there was no room.
    fn opened(&mut self) -> Result<&Handle, CommitFailure> {
        if let DatabaseState::Closed = self.state {
            let fault = FirstFailure::default();
            self.verify().map_err(CommitFailure::Failed)?;
            let handle = Handle::open(&self.storage, fault.clone()).map_err(|error| failure_of(&fault, &error))?;
            self.has_no_room = false;
            if !self.unsure.is_empty() {
                let is_there = tables::is_as_after(&handle.redb, &self.unsure);
                // What was refused is there: others are told what is not so from now on.
                if is_there.map_err(|error| failure_of(&fault, &error))? {
                    let reason = "what there was no room for is there all the same".to_owned();
                    fault.set(CommitFailure::Failed(reason.clone()));
                    return Err(CommitFailure::Failed(reason));
                }
                self.unsure.clear();
            }
            self.state = DatabaseState::Open(handle);
        }
        match &self.state {
            DatabaseState::Open(handle) => Ok(handle),
            DatabaseState::Failed(reason) => Err(CommitFailure::Failed(reason.clone())),
            DatabaseState::Closed => Err(CommitFailure::Failed("it is not open".to_owned())),
        }
    }

    /// Not a byte is written from now on, also not by letting go of it.
    fn fail(&mut self, reason: String) {
        if let DatabaseState::Open(handle) = &self.state {
            handle.fault.set(CommitFailure::Failed(reason.clone()));
        }
        if !matches!(self.state, DatabaseState::Failed(_)) {
            self.state = DatabaseState::Failed(reason);
        }
    }

    /// Has the next start find it as it is left. Otherwise it writes everything anew.
    pub fn close(mut self) -> Result<(), String> {
        self.let_go()
    }

    fn let_go(&mut self) -> Result<(), String> {
        match std::mem::replace(&mut self.state, DatabaseState::Closed) {
            DatabaseState::Open(handle) => {
                let closed = catch_unwind(AssertUnwindSafe(|| handle.close(self.sum)));
                closed.map_or_else(|_| Err(FAULT.to_owned()), |closed| closed.map_err(|error| error.to_string()))
            }
            DatabaseState::Closed if self.has_no_room => Err("there is no room to close it".to_owned()),
            // Whoever has it was told of what has failed.
            DatabaseState::Closed | DatabaseState::Failed(_) => Ok(()),
        }
    }
}

impl Drop for Database {
    fn drop(&mut self) {
        // The next start finds out.
        let _ = self.let_go();
    }
}

impl fmt::Debug for Database {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Database").field("storage", &self.storage).finish_non_exhaustive()
    }
}
