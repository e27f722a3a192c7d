//! A copy of a storage that somebody else may write to meanwhile: nothing moves under whoever looks into it.
//!
//! Such a copy is of mixed age. Commits write beside what is there, and what was freed is used again by a later one: a copy
//! that begins with the header is whole unless it took longer than that, and checksums tell. What has changed before is what
//! changes again, and is read at once with the header; all else has time.

use std::collections::BTreeSet;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::storage::{OpenError, Storage};

/// What is compared, and written by redb, at once.
const PAGE_BYTES: usize = 4096;
/// What is read at once.
const PIECE_BYTES: usize = 64 * PAGE_BYTES;
/// Whoever commits faster than a few pages are read is not waited for.
const PINS_MAX: usize = 8;

/// Bytes in memory that nobody else changes.
#[derive(Debug, Default)]
pub(crate) struct CopiedStorage(Mutex<Vec<u8>>);

/// A copy that can be made anew.
#[derive(Debug)]
pub(crate) struct Copying {
    from: Arc<dyn Storage>,
    copy: Arc<CopiedStorage>,
    /// The numbers of the pages that have changed since the copy was begun, and the first, in which the header is.
    changing: BTreeSet<usize>,
    is_mixed: bool,
}

impl Copying {
    /// Copies all of it.
    pub(crate) fn begin(from: Arc<dyn Storage>) -> Result<Copying, OpenError> {
        let mut copying = Copying { from, copy: Arc::default(), changing: BTreeSet::from([0]), is_mixed: false };
        let copy = Arc::clone(&copying.copy);
        let mut bytes = copy.lock();
        copying.fit(&mut bytes)?;
        for (number, piece) in bytes.chunks_mut(PIECE_BYTES).enumerate() {
            copying.read(number * PIECE_BYTES, piece)?;
        }
        copying.is_mixed = copying.renew_page(&mut bytes, 0)?;
        drop(bytes);
        if copying.is_mixed {
            copying.renew()?;
        }
        Ok(copying)
    }

    pub(crate) fn copy(&self) -> Arc<dyn Storage> {
        Arc::clone(&self.copy) as Arc<dyn Storage>
    }

    /// Whether something was written while it was copied.
    pub(crate) fn is_mixed(&self) -> bool {
        self.is_mixed
    }

    /// Makes it what is there now. Whether it was something else.
    pub(crate) fn renew(&mut self) -> Result<bool, OpenError> {
        let copy = Arc::clone(&self.copy);
        let mut bytes = copy.lock();
        let mut has_changed = self.fit(&mut bytes)?;
        for _ in 0..PINS_MAX {
            for number in &self.changing {
                has_changed |= self.renew_page(&mut bytes, *number)?;
            }
            if !self.renew_page(&mut bytes, 0)? {
                break;
            }
        }
        let mut now = vec![0; PIECE_BYTES];
        for (number, piece) in bytes.chunks_mut(PIECE_BYTES).enumerate() {
            let Some(now) = now.get_mut(..piece.len()) else { continue };
            has_changed |= self.read(number * PIECE_BYTES, now)?;
            let pages = piece.chunks_mut(PAGE_BYTES).zip(now.chunks(PAGE_BYTES)).enumerate();
            for (page, (was, now)) in pages {
                // Those that change are as old as the header.
                if was != now && self.changing.insert(number * (PIECE_BYTES / PAGE_BYTES) + page) {
                    was.copy_from_slice(now);
                    has_changed = true;
                }
            }
        }
        self.is_mixed |= has_changed;
        Ok(has_changed)
    }

    /// Makes it as long as what is there. Whether it was not.
    fn fit(&self, bytes: &mut Vec<u8>) -> Result<bool, OpenError> {
        let bytes_count = self.from.bytes_count()?;
        let wanted = usize::try_from(bytes_count).unwrap_or(usize::MAX);
        let is_other = wanted != bytes.len();
        bytes.try_reserve_exact(wanted.saturating_sub(bytes.len())).map_err(|_| OpenError::NoMemory(bytes_count))?;
        bytes.resize(wanted, 0);
        Ok(is_other)
    }

    fn renew_page(&self, bytes: &mut [u8], number: usize) -> io::Result<bool> {
        let begin = number.saturating_mul(PAGE_BYTES);
        let end = begin.saturating_add(PAGE_BYTES).min(bytes.len());
        let Some(page) = bytes.get_mut(begin..end) else { return Ok(false) };
        let mut now = [0; PAGE_BYTES];
        let Some(now) = now.get_mut(..page.len()) else { return Ok(false) };
        let is_cut = self.read(begin, now)?;
        let is_other = page != now;
        page.copy_from_slice(now);
        Ok(is_cut || is_other)
    }

    /// Whether it has become shorter meanwhile: then nobody knows what was read.
    fn read(&self, offset: usize, bytes: &mut [u8]) -> io::Result<bool> {
        match self.from.read(offset as u64, bytes) {
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => Ok(true),
            read => read.map(|()| false),
        }
    }
}

impl CopiedStorage {
    fn lock(&self) -> MutexGuard<'_, Vec<u8>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Storage for CopiedStorage {
    fn bytes_count(&self) -> io::Result<u64> {
        Ok(self.lock().len() as u64)
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let copy = self.lock();
        let there = usize::try_from(offset).ok().and_then(|begin| copy.get(begin..begin.checked_add(bytes.len())?));
        bytes.copy_from_slice(there.ok_or(io::ErrorKind::UnexpectedEof)?);
        Ok(())
    }

    // What is written by whoever looks is in a layer above it.
    fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn resize(&self, _: u64) -> io::Result<()> {
        Err(io::ErrorKind::ReadOnlyFilesystem.into())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
