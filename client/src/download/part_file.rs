//! The file a content is written to: `FILE.part` while it is not whole, with `FILE.hashes` beside it, and then `FILE`.
//!
//! What is written was proved by whoever has it written, and what lies here from before is proved by whoever reads it: this
//! is only what a file system has to be asked for, so that a fetch that was killed goes on, and that no half of a content
//! ever has the name of the whole.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use common::content::block_hashes::BlockHashes;
use common::content::{Blocks, ContentHash};
use common::fetch::KeptHashes;
use rustix::fs::{FlockOperation, OFlags, RenameFlags, SeekFrom, flock, renameat_with, seek};
use rustix::io::Errno;
use thiserror::Error;

/// First bytes of a file of hashes.
const HASHES_MAGIC: &[u8; 8] = b"kvblocks";

/// Why a content cannot be written where it is to be.
#[derive(Debug, Error)]
#[non_exhaustive]
pub enum FileError {
    /// There is a file of that name.
    #[error("{0} exists")]
    Exists(PathBuf),
    /// Somebody else writes it.
    #[error("{0} is being written by another fetch")]
    InUse(PathBuf),
    /// What was fetched of it before is of something else.
    #[error("{part} is a part of another content, {hash}")]
    Other {
        /// The part that is there.
        part: PathBuf,
        /// Of which content it is.
        hash: ContentHash,
    },
    /// The system says why.
    #[error("cannot {what} {path}")]
    System {
        /// What was to be done.
        what: &'static str,
        /// With which file.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
}

pub(super) fn cannot(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> FileError {
    let path = path.to_owned();
    move |source| FileError::System { what, path, source }
}

/// A file that is being written.
#[derive(Debug)]
pub(crate) struct PartFile {
    file: File,
    whole: PathBuf,
    part: PathBuf,
    hashes: PathBuf,
    hash: ContentHash,
    replaces: bool,
    /// Nothing was written, nor was there anything before.
    is_new: bool,
}

impl PartFile {
    /// Opens the part of a file that is to become this content, and sees that it can become that.
    pub(crate) fn open(whole: &Path, hash: ContentHash, replaces: bool) -> Result<PartFile, FileError> {
        if !replaces && fs::symlink_metadata(whole).is_ok() {
            return Err(FileError::Exists(whole.to_owned()));
        }
        let [part, hashes] = [".part", ".hashes"].map(|end| beside(whole, end));
        let is_new = fs::symlink_metadata(&part).is_err();
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).custom_flags(flags).open(&part);
        let file = opened.map_err(cannot("write", &part))?;
        if !file.metadata().map_err(cannot("write", &part))?.is_file() {
            return Err(cannot("write", &part)(io::Error::other("it is not a regular file")));
        }
        // Given back with the file, however this program ends.
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::WOULDBLOCK => FileError::InUse(part.clone()),
            error => cannot("lock", &part)(error.into()),
        })?;
        let opened = PartFile { file, whole: whole.to_owned(), part, hashes, hash, replaces, is_new };
        match opened.kept() {
            Some((other, _)) if other != hash && !is_new => {
                Err(FileError::Other { part: opened.part.clone(), hash: other })
            }
            _ => Ok(opened),
        }
    }

    /// The hashes of its blocks, where they were kept.
    pub(crate) fn kept_hashes(&self) -> Option<KeptHashes> {
        self.kept().filter(|(hash, _)| *hash == self.hash).map(|(_, kept)| kept)
    }

    /// Reads what was kept, if that can be read as such.
    fn kept(&self) -> Option<(ContentHash, KeptHashes)> {
        let mut bytes = Vec::new();
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
        let file = OpenOptions::new().read(true).custom_flags(flags).open(&self.hashes).ok()?;
        let most = 48 + 32 * u64::from(common::limits::BLOCKS_MAX) + 1;
        file.take(most).read_to_end(&mut bytes).ok()?;
        let (magic, rest) = bytes.split_first_chunk::<8>()?;
        let (hash, rest) = rest.split_first_chunk::<32>()?;
        let (size, rest) = rest.split_first_chunk::<8>()?;
        let size = u64::from_be_bytes(*size);
        let (hashes, odd) = rest.as_chunks::<32>();
        let is_whole = magic == HASHES_MAGIC && odd.is_empty();
        let count = Blocks::of(size).ok()?.count() as usize;
        (is_whole && hashes.len() == count).then(|| (ContentHash(*hash), KeptHashes { size, hashes: hashes.to_vec() }))
    }

    /// Keeps the hashes of its blocks for whoever goes on. That they cannot be kept stops nobody.
    pub(crate) fn keep_hashes(&self, hashes: &BlockHashes) -> Result<(), FileError> {
        self.keep(hashes.blocks().size(), hashes.as_slice())
    }

    fn keep(&self, size: u64, hashes: &[[u8; 32]]) -> Result<(), FileError> {
        let scratch = beside(&self.hashes, ".new");
        let bytes = [HASHES_MAGIC, self.hash.0.as_slice(), &size.to_be_bytes(), hashes.as_flattened()].concat();
        fs::write(&scratch, bytes).map_err(cannot("write", &scratch))?;
        fs::rename(&scratch, &self.hashes).map_err(cannot("write", &self.hashes))
    }

    /// What it is called while it is not whole.
    pub(crate) fn path(&self) -> &Path {
        &self.part
    }

    /// The same with so many bytes.
    pub(crate) fn sized(mut self, size: u64) -> Result<PartFile, FileError> {
        self.set_size(size)?;
        Ok(self)
    }

    /// It has so many bytes. What is behind them is of no use.
    pub(crate) fn set_size(&mut self, size: u64) -> Result<(), FileError> {
        self.file.set_len(size).map_err(cannot("write", &self.part))
    }

    /// Where something was written, be it what it should be or not.
    pub(crate) fn written(&self) -> Vec<Range<u64>> {
        let size = self.file.metadata().map_or(0, |metadata| metadata.len());
        let mut runs = Vec::new();
        let mut at = 0;
        while at < size {
            let begin = match seek(&self.file, SeekFrom::Data(at)) {
                Ok(begin) => begin,
                Err(Errno::NXIO) => break,
                // A file system that knows of no holes has none.
                Err(_) => return std::iter::once(0..size).collect(),
            };
            let end = seek(&self.file, SeekFrom::Hole(begin)).unwrap_or(size);
            runs.push(begin..end);
            at = end.max(begin + 1);
        }
        runs
    }

    /// Reads what lies at a place from before.
    pub(crate) fn read(&self, at: u64, into: &mut [u8]) -> Result<(), FileError> {
        self.file.read_exact_at(into, at).map_err(cannot("read", &self.part))
    }

    /// Writes what was proved.
    pub(crate) fn write(&mut self, at: u64, bytes: &[u8]) -> Result<(), FileError> {
        self.is_new = false;
        self.file.write_all_at(bytes, at).map_err(cannot("write", &self.part))
    }

    /// It is whole: it gets its name, and keeps it whatever happens to the machine.
    pub(crate) fn finish(self) -> Result<(), FileError> {
        let PartFile { file, whole, part, hashes, replaces, .. } = self;
        file.sync_all().map_err(cannot("write", &part))?;
        let here = rustix::fs::CWD;
        let renamed = if replaces {
            fs::rename(&part, &whole)
        } else {
            match renameat_with(here, &part, here, &whole, RenameFlags::NOREPLACE) {
                Err(Errno::EXIST) => return Err(FileError::Exists(whole)),
                // A file system that cannot do both at once.
                Err(Errno::INVAL | Errno::NOSYS) if fs::symlink_metadata(&whole).is_err() => fs::rename(&part, &whole),
                renamed => renamed.map_err(Into::into),
            }
        };
        renamed.map_err(cannot("rename to", &whole))?;
        let directory = whole.parent().filter(|directory| !directory.as_os_str().is_empty());
        // Where a directory cannot be synced the name is as safe as it can be made.
        let _ = File::open(directory.unwrap_or(Path::new("."))).and_then(|directory| directory.sync_all());
        match fs::remove_file(&hashes) {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(cannot("remove", &hashes)(error)),
            _ => Ok(()),
        }
    }

    /// It is given up for now. Where nothing was written nothing is left.
    pub(crate) fn leave(self) -> Option<PathBuf> {
        if self.is_new {
            let _ = fs::remove_file(&self.part);
            let _ = fs::remove_file(&self.hashes);
            return None;
        }
        let _ = self.file.sync_all();
        Some(self.part)
    }
}

fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}

#[cfg(test)]
mod tests {
    use super::*;

    const HASH: ContentHash = ContentHash([7; 32]);

    fn path(directory: &tempfile::TempDir) -> PathBuf {
        directory.path().join("farol.mp4")
    }

    #[test]
    fn a_content_has_its_name_once_it_is_whole_and_nothing_is_left_beside_it() {
        let directory = tempfile::tempdir().unwrap();
        let whole = path(&directory);
        let mut part = PartFile::open(&whole, HASH, false).unwrap();
        part.set_size(6).unwrap();
        part.keep(6, &[[9; 32]]).unwrap();
        part.write(3, b"def").unwrap();
        assert!(!whole.exists());
        part.write(0, b"abc").unwrap();
        part.finish().unwrap();
        assert_eq!(fs::read(&whole).unwrap(), b"abcdef");
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    }

    #[test]
    fn a_file_that_is_there_is_replaced_only_where_that_is_wanted_and_as_late_as_can_be() {
        let directory = tempfile::tempdir().unwrap();
        let whole = path(&directory);
        fs::write(&whole, b"mine").unwrap();
        assert!(matches!(PartFile::open(&whole, HASH, false), Err(FileError::Exists(_))));
        let mut part = PartFile::open(&whole, HASH, true).unwrap();
        part.write(0, b"new").unwrap();
        assert_eq!(fs::read(&whole).unwrap(), b"mine");
        part.finish().unwrap();
        assert_eq!(fs::read(&whole).unwrap(), b"new");
        // One that came meanwhile is somebody else's.
        fs::remove_file(&whole).unwrap();
        let part = PartFile::open(&whole, HASH, false).unwrap();
        fs::write(&whole, b"mine").unwrap();
        assert!(matches!(part.finish(), Err(FileError::Exists(_))));
        assert_eq!(fs::read(&whole).unwrap(), b"mine");
    }

    #[test]
    fn two_do_not_write_one_file_and_what_was_written_is_found_again() {
        let directory = tempfile::tempdir().unwrap();
        let whole = path(&directory);
        let mut part = PartFile::open(&whole, HASH, false).unwrap();
        assert!(matches!(PartFile::open(&whole, HASH, false), Err(FileError::InUse(_))));
        assert_eq!(part.kept_hashes(), None);
        part.set_size(200 * 1024).unwrap();
        let hashes = vec![[1; 32], [2; 32], [3; 32], [4; 32]];
        part.keep(200 * 1024, &hashes).unwrap();
        part.write(64 * 1024, &[7; 64 * 1024]).unwrap();
        assert_eq!(part.leave(), Some(directory.path().join("farol.mp4.part")));
        let again = PartFile::open(&whole, HASH, false).unwrap();
        assert_eq!(again.kept_hashes(), Some(KeptHashes { size: 200 * 1024, hashes }));
        assert_eq!(again.written().as_slice(), std::slice::from_ref(&(64 * 1024..128 * 1024)));
        let mut block = [0; 64 * 1024];
        again.read(64 * 1024, &mut block).unwrap();
        assert_eq!(block, [7; 64 * 1024]);
        drop(again);
        let other = PartFile::open(&whole, ContentHash([8; 32]), false);
        assert!(matches!(other, Err(FileError::Other { hash: HASH, .. })), "{other:?}");
        // What is no list of hashes says nothing.
        fs::write(directory.path().join("farol.mp4.hashes"), b"kvblocks and nothing").unwrap();
        assert_eq!(PartFile::open(&whole, ContentHash([8; 32]), false).unwrap().kept_hashes(), None);
    }

    #[test]
    fn of_a_fetch_that_came_to_nothing_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let part = PartFile::open(&path(&directory), HASH, false).unwrap();
        assert_eq!(part.leave(), None);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    #[test]
    fn a_part_that_is_a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join("farol.mp4.part")).unwrap();
        assert!(matches!(PartFile::open(&path(&directory), HASH, false), Err(FileError::System { .. })));
    }
}
