//! Reading what is shared, for whoever gives it to others: bytes of files, and hashes of their blocks. In any thread.
//!
//! A file is opened anew for each, and what is read of it is of what was hashed, or nothing. Who may have it is not known
//! here.

use std::fs::File;
use std::io;
use std::sync::{Arc, Mutex, PoisonError};

use common::content::transfer::{BlockBytes, BlockRoom};
use common::disk::{ReadFailure, SharedContent};
use rustix::buffer::spare_capacity;
use rustix::io::{Errno, pread};

use super::beneath::{NotOpened, SharedRoot, stamp_of};
use super::hashes_file::HashesReader;

/// In the place of an address of hashes: they are not kept.
pub(super) const NOT_KEPT: u64 = u64::MAX;

/// A way to what is shared; all clones are one.
#[derive(Clone, Debug)]
pub(crate) struct ShareReader {
    root: Arc<Mutex<SharedRoot>>,
    hashes: HashesReader,
}

impl ShareReader {
    pub(super) fn new(root: SharedRoot, hashes: HashesReader) -> ShareReader {
        ShareReader { root: Arc::new(Mutex::new(root)), hashes }
    }

    /// The directory was opened anew: by its name it may be another.
    pub(super) fn set_root(&self, root: SharedRoot) {
        *self.root.lock().unwrap_or_else(PoisonError::into_inner) = root;
    }

    /// Reads blocks of a file that showed that when it was hashed, into as much room as there is, and more where that is not enough.
    pub(crate) fn read_blocks(
        &self,
        content: &SharedContent,
        first: u32,
        count: u32,
        rooms: Vec<BlockRoom>,
    ) -> Result<Vec<(u32, BlockBytes)>, ReadFailure> {
        let SharedContent { name, stamp, blocks, .. } = content;
        let root = self.root.lock().unwrap_or_else(PoisonError::into_inner).clone();
        let (file, before) = root.file(name)?;
        if before != *stamp {
            return Err(ReadFailure::Changed);
        }
        let mut rooms = rooms.into_iter();
        let read = (first..first.saturating_add(count)).map(|block| {
            let (at, length) = blocks.place(block).ok_or(Errno::INVAL)?;
            let room = rooms.next().unwrap_or_else(|| BlockRoom::new(length));
            Ok((block, BlockBytes::read_into(room, |bytes| read_exactly(&file, at, length, bytes))?))
        });
        let read: Result<Vec<_>, Errno> = read.collect();
        // Whatever was written before this shows now, and what is written after it was not read.
        if stamp_of(&file).map_err(NotOpened::from)? != Some(*stamp) {
            return Err(ReadFailure::Changed);
        }
        read.map_err(|error| ReadFailure::Failed(error.to_string()))
    }

    /// What there was no room to keep, which is of one block alone.
    fn hash_anew(&self, content: &SharedContent, first: u32, count: u32) -> Result<Vec<[u8; 32]>, ReadFailure> {
        if content.blocks.count() > 1 {
            return Err(ReadFailure::Failed("they are not kept".to_owned()));
        }
        self.read_blocks(content, first, count, Vec::new()).map(|blocks| hash_of(&blocks))
    }

    /// Reads hashes of blocks, from the one of this number on.
    pub(crate) fn read_hashes(
        &self,
        content: &SharedContent,
        first: u32,
        count: u32,
    ) -> Result<Vec<[u8; 32]>, ReadFailure> {
        if content.hashes_at == NOT_KEPT {
            return self.hash_anew(content, first, count);
        }
        let address = content.hashes_at.saturating_add(32 * u64::from(first));
        let mut hashes = vec![[0; 32]; count as usize];
        match self.hashes.read(address, hashes.as_flattened_mut()) {
            Ok(()) => Ok(hashes),
            // They are elsewhere, of which whoever asks again is told.
            Err(error) if error.kind() == io::ErrorKind::NotFound => Err(ReadFailure::NotTried(error.to_string())),
            Err(error) => Err(ReadFailure::Failed(error.to_string())),
        }
    }
}

/// The hash of a content of one block is that of the block.
fn hash_of(blocks: &[(u32, BlockBytes)]) -> Vec<[u8; 32]> {
    blocks.iter().map(|(_, bytes)| *blake3::hash(bytes.as_bytes()).as_bytes()).collect()
}

/// Appends so many bytes of a file: into room that nobody has to fill with zeros before.
fn read_exactly(file: &File, at: u64, length: usize, into: &mut Vec<u8>) -> Result<(), Errno> {
    let end = into.len() + length;
    into.reserve_exact(length);
    while into.len() < end {
        let done = into.len() + length - end;
        let count = match pread(file, spare_capacity(into), at + done as u64) {
            // It is shorter than it was.
            Ok(0) => return Err(Errno::IO),
            Err(Errno::INTR) => continue,
            count => count?,
        };
        debug_assert!(count > 0);
        into.truncate(end);
    }
    Ok(())
}

impl From<NotOpened> for ReadFailure {
    fn from(why: NotOpened) -> ReadFailure {
        match why {
            NotOpened::Gone | NotOpened::Symlink | NotOpened::NoFile => ReadFailure::Gone,
            NotOpened::Unreadable(error) => ReadFailure::Failed(error.to_string()),
            // That says nothing of the file.
            NotOpened::Exhausted(error) => ReadFailure::NotTried(error.to_string()),
        }
    }
}
