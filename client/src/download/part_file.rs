//! The file a content is written to: `FILE.part` while it is not whole, with `FILE.hashes` beside it, and then `FILE`.
//!
//! What is written was proved by whoever has it written, and what lies here from before is proved by whoever reads it: this
//! is only what a file system has to be asked for, so that a fetch that was killed goes on, that no half of a content
//! ever has the name of the whole, and that no file of the user's own is lost which has one of these names. A part is ours where
//! the hashes beside it say so, or a block in it is of the content, or it is what the write of the first block leaves that was
//! ended in the middle; until that is known nothing is done to it.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Read};
use std::ops::Range;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use common::content::block_hashes::BlockHashes;
use common::content::{Blocks, ContentHash};
use common::fetch::KeptHashes;
use rustix::fs::{FlockOperation, OFlags, RenameFlags, SeekFrom, flock, renameat_with, seek};
use rustix::io::Errno;
use thiserror::Error;

use crate::scratch::{self, beside};

/// A write that is ended in the middle ends behind some of these, where the system keeps files in pages of so many bytes or of a
/// multiple. Where it does not, what such a write leaves is not known for ours, and is not touched.
const PAGE_BYTES: usize = 4096;
/// So much is read at once where it is only looked for what is no zero.
const ZEROS_READ_BYTES: usize = 64 * 1024;

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
    /// What is in the part was fetched by nobody, as far as can be seen.
    #[error("{0} is there and holds nothing of this content")]
    NothingOfIt(PathBuf),
    /// The same, and nobody gave what would tell.
    #[error("{0} is there, and whether it is of this content cannot be told")]
    Untold(PathBuf),
    /// There is a directory of that name.
    #[error("{0} is a directory")]
    Directory(PathBuf),
    /// It ends in what names no file.
    #[error("{0} is no name of a file")]
    NoName(PathBuf),
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
    kept: Option<KeptHashes>,
    /// Where there was something in it before.
    found: Vec<Range<u64>>,
    /// How long it was before, if it was there.
    before_bytes: Option<u64>,
    has_written: bool,
    /// What waits, as long as it is not known whether what was found is of this content.
    held: Option<HeldBlocks>,
}

/// What is to be written once it is known that this takes nothing from anybody.
#[derive(Debug, Default)]
pub(crate) struct HeldBlocks {
    /// The hashes to keep.
    pub(crate) hashes: Option<Arc<BlockHashes>>,
    /// Number, place and bytes of each block.
    pub(crate) blocks: Vec<(u32, u64, Vec<u8>)>,
}

impl PartFile {
    /// Opens the part of a file that is to become this content, and sees that it can become that.
    pub(crate) fn open(whole: &Path, hash: ContentHash, replaces: bool) -> Result<PartFile, FileError> {
        see_name(whole, replaces)?;
        let [part, hashes] = [".part", ".hashes"].map(|end| beside(whole, end));
        let is_new = fs::symlink_metadata(&part).is_err();
        let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed();
        let opened =
            OpenOptions::new().read(true).write(true).create(true).truncate(false).custom_flags(flags).open(&part);
        let file = opened.map_err(cannot("write", &part))?;
        let metadata = file.metadata().map_err(cannot("write", &part))?;
        if !metadata.is_file() {
            return Err(cannot("write", &part)(io::Error::other("it is not a regular file")));
        }
        // Given back with the file, however this program ends.
        flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(|error| match error {
            Errno::WOULDBLOCK => FileError::InUse(part.clone()),
            error => cannot("lock", &part)(error.into()),
        })?;
        let kept = match kept_at(&hashes) {
            Some((other, _)) if other != hash && !is_new => return Err(FileError::Other { part, hash: other }),
            Some((other, _)) if other != hash => None,
            kept => kept.map(|(_, kept)| kept),
        };
        let found = data_in(&file);
        let held = (kept.is_none() && !found.is_empty()).then(HeldBlocks::default);
        let before_bytes = (!is_new).then_some(metadata.len());
        let whole = whole.to_owned();
        Ok(PartFile { file, whole, part, hashes, hash, replaces, kept, found, before_bytes, has_written: false, held })
    }

    /// The hashes of its blocks, where they were kept.
    pub(crate) fn kept_hashes(&self) -> Option<KeptHashes> {
        self.kept.clone()
    }

    /// Keeps the hashes of its blocks for whoever goes on. That they cannot be kept stops nobody.
    pub(crate) fn keep_hashes(&mut self, hashes: &Arc<BlockHashes>) -> Result<(), FileError> {
        if let Some(held) = &mut self.held {
            held.hashes = Some(Arc::clone(hashes));
            return Ok(());
        }
        self.set_size(hashes.blocks().size())?;
        match hashes.as_slice() {
            // It is here, or nothing is.
            [_] => Ok(()),
            several => self.keep(hashes.blocks().size(), several),
        }
    }

    fn keep(&self, size: u64, hashes: &[[u8; 32]]) -> Result<(), FileError> {
        if !may_be_replaced(&self.hashes) {
            return Ok(());
        }
        let bytes = [HASHES_MAGIC, self.hash.0.as_slice(), &size.to_be_bytes(), hashes.as_flattened()].concat();
        let new = beside(&self.hashes, ".new");
        scratch::replace_by_way_of(&new, &self.hashes, &bytes, was_begun_by_us).map_err(cannot("write", &new))
    }

    /// Whether it is not known yet that what was in it is of this content.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.held.is_some()
    }

    /// Whether something waits for that to be known.
    pub(crate) fn holds_blocks(&self) -> bool {
        self.held.as_ref().is_some_and(|held| !held.blocks.is_empty())
    }

    /// Whether all of it is what is left of the write of this block, which waits, to a part with nothing in it: whoever is killed
    /// in the middle of the first block leaves it so, before there are hashes that tell whose it is. It ends within the block,
    /// behind one of its pages or where it ends, and has no byte that is not zero and would be another.
    pub(crate) fn is_begun_with(&self, block: u32) -> bool {
        let waits = self.held.as_ref().and_then(|held| held.blocks.iter().find(|(number, ..)| *number == block));
        let Some((_, place, bytes)) = waits else { return false };
        let size = self.file.metadata().map_or(0, |metadata| metadata.len());
        let length = size.checked_sub(*place).and_then(|length| usize::try_from(length).ok()).unwrap_or_default();
        let ends_a_page = length > 0 && (length.is_multiple_of(PAGE_BYTES) || length == bytes.len());
        let begun = bytes.get(..length).filter(|_| ends_a_page);
        begun.is_some_and(|begun| self.is_begun_at(*place, begun) && self.is_zero_before(*place))
    }

    /// Whether there are pages of these bytes at a place, and zeros behind them.
    fn is_begun_at(&self, place: u64, bytes: &[u8]) -> bool {
        let mut here = vec![0; bytes.len()];
        if self.read(place, &mut here).is_err() {
            return false;
        }
        let pages = here.chunks(PAGE_BYTES).zip(bytes.chunks(PAGE_BYTES));
        let written: usize = pages.take_while(|(here, wanted)| here == wanted).map(|(here, _)| here.len()).sum();
        here.get(written..).is_some_and(is_zero)
    }

    /// Whether nothing is before a place: what is a hole to one file system is written zeros to another.
    fn is_zero_before(&self, place: u64) -> bool {
        let mut buffer = vec![0; ZEROS_READ_BYTES];
        let mut is_zero_at = |at: u64, end: u64| {
            let length = usize::try_from(end - at).map_or(ZEROS_READ_BYTES, |length| length.min(ZEROS_READ_BYTES));
            buffer.get_mut(..length).is_some_and(|here| self.read(at, here).is_ok() && is_zero(here))
        };
        data_in(&self.file).into_iter().all(|Range { start, end }| {
            let end = end.min(place);
            (start..end).step_by(ZEROS_READ_BYTES).all(|at| is_zero_at(at, end))
        })
    }

    /// Some of it is of this content. What waited for that to be known is to be written now.
    pub(crate) fn trust(&mut self) -> HeldBlocks {
        self.held.take().unwrap_or_default()
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

    /// Where something was written before, be it what it should be or not.
    pub(crate) fn written(&self) -> Vec<Range<u64>> {
        self.found.clone()
    }

    /// Reads what lies at a place from before.
    pub(crate) fn read(&self, at: u64, into: &mut [u8]) -> Result<(), FileError> {
        self.file.read_exact_at(into, at).map_err(cannot("read", &self.part))
    }

    /// Whether there is nothing in it, not even what somebody else has written since, and nothing that says whose it is.
    fn is_blank(&self) -> bool {
        !self.has_written && self.kept.is_none() && data_in(&self.file).is_empty()
    }

    /// Writes what was proved. Whether it is there now: it may have to wait.
    pub(crate) fn write(&mut self, block: u32, at: u64, bytes: Vec<u8>) -> Result<bool, FileError> {
        if let Some(held) = &mut self.held {
            held.blocks.push((block, at, bytes));
            return Ok(false);
        }
        if self.is_blank() {
            // Longer than what is written, it would not be known again by whoever comes after one that is killed here.
            self.set_size(0)?;
        }
        self.file.write_all_at(&bytes, at).map_err(cannot("write", &self.part))?;
        self.has_written = true;
        Ok(true)
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
        // It has its name: what lies beside it takes nothing from that.
        if may_be_replaced(&hashes)
            && let Err(error) = fs::remove_file(&hashes)
            && error.kind() != ErrorKind::NotFound
        {
            log::warn!("{}", crate::error::with_causes(&cannot("remove", &hashes)(error)));
        }
        Ok(())
    }

    /// It is given up for now: what there is of it is left where this says. Where nothing was written nothing is left that was
    /// not there before.
    pub(crate) fn leave(self) -> Option<PathBuf> {
        if self.is_doubtful() {
            return None;
        }
        if self.has_written || !self.found.is_empty() {
            let _ = self.file.sync_all();
            return Some(self.part);
        }
        // Half a block may have been written, which nobody could tell from something of the user's.
        let _ = match self.before_bytes {
            Some(bytes_count) => self.file.set_len(0).and_then(|()| self.file.set_len(bytes_count)),
            None => fs::remove_file(&self.part),
        };
        None
    }
}

/// Sees that something can be called this.
fn see_name(whole: &Path, replaces: bool) -> Result<(), FileError> {
    let there = fs::symlink_metadata(whole);
    let last = whole.as_os_str().as_bytes().rsplit(|byte| *byte == b'/').next().unwrap_or_default();
    if there.as_ref().is_ok_and(fs::Metadata::is_dir) {
        return Err(FileError::Directory(whole.to_owned()));
    }
    if matches!(last, b"" | b"." | b"..") {
        return Err(FileError::NoName(whole.to_owned()));
    }
    if !replaces && there.is_ok() { Err(FileError::Exists(whole.to_owned())) } else { Ok(()) }
}

/// Whether a download of this content to this file has begun and would go on: its part is here, with hashes that are of it.
#[must_use]
pub fn is_download_begun(whole: &Path, hash: ContentHash) -> bool {
    let mut bytes = [0; HASHES_MAGIC.len() + 32];
    let is_of_it = opened_hashes(&beside(whole, ".hashes")).is_some_and(|mut file| file.read_exact(&mut bytes).is_ok())
        && bytes.strip_prefix(HASHES_MAGIC) == Some(&hash.0);
    is_of_it && fs::symlink_metadata(beside(whole, ".part")).is_ok_and(|part| part.is_file())
}

fn opened_hashes(path: &Path) -> Option<File> {
    let flags = (OFlags::NOFOLLOW | OFlags::NONBLOCK).bits().cast_signed();
    OpenOptions::new().read(true).custom_flags(flags).open(path).ok()
}

/// Whether hashes may be put here, or removed: there are none, or they begin as ours do. Whatever else it is, it is the user's.
fn may_be_replaced(path: &Path) -> bool {
    match fs::symlink_metadata(path) {
        Err(error) => error.kind() == ErrorKind::NotFound,
        Ok(there) => {
            let mut magic = [0; HASHES_MAGIC.len()];
            let opened = opened_hashes(path).filter(|_| there.is_file());
            opened.is_some_and(|mut file| file.read_exact(&mut magic).is_ok()) && magic == *HASHES_MAGIC
        }
    }
}

/// Whether this is what a fetch that was killed has left of hashes it began to write: no more may be of it than a part of how
/// they begin.
fn was_begun_by_us(path: &Path) -> bool {
    let mut begin = Vec::new();
    let read = opened_hashes(path).map(|file| file.take(HASHES_MAGIC.len() as u64).read_to_end(&mut begin));
    read.is_some_and(|read| read.is_ok()) && HASHES_MAGIC.starts_with(&begin)
}

/// Reads what was kept, if that can be read as such.
fn kept_at(path: &Path) -> Option<(ContentHash, KeptHashes)> {
    let mut bytes = Vec::new();
    let most = 48 + 32 * u64::from(common::limits::BLOCKS_MAX) + 1;
    opened_hashes(path)?.take(most).read_to_end(&mut bytes).ok()?;
    let (magic, rest) = bytes.split_first_chunk::<8>()?;
    let (hash, rest) = rest.split_first_chunk::<32>()?;
    let (size, rest) = rest.split_first_chunk::<8>()?;
    let size = u64::from_be_bytes(*size);
    let (hashes, odd) = rest.as_chunks::<32>();
    let is_whole = magic == HASHES_MAGIC && odd.is_empty();
    let count = Blocks::of(size).ok()?.count() as usize;
    (is_whole && hashes.len() == count).then(|| (ContentHash(*hash), KeptHashes { size, hashes: hashes.to_vec() }))
}

pub(super) fn is_zero(bytes: &[u8]) -> bool {
    bytes.iter().all(|byte| *byte == 0)
}

/// Where a file has no holes.
fn data_in(file: &File) -> Vec<Range<u64>> {
    let size = file.metadata().map_or(0, |metadata| metadata.len());
    let mut runs = Vec::new();
    let mut at = 0;
    while at < size {
        let begin = match seek(file, SeekFrom::Data(at)) {
            Ok(begin) => begin,
            Err(Errno::NXIO) => break,
            // A file system that knows of no holes has none.
            Err(_) => return std::iter::once(0..size).collect(),
        };
        let end = seek(file, SeekFrom::Hole(begin)).unwrap_or(size);
        runs.push(begin..end);
        at = end.max(begin + 1);
    }
    runs
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
        part.write(0, 3, b"def".to_vec()).unwrap();
        assert!(!whole.exists());
        part.write(0, 0, b"abc".to_vec()).unwrap();
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
        part.write(0, 0, b"new".to_vec()).unwrap();
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
        part.write(1, 64 * 1024, vec![7; 64 * 1024]).unwrap();
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
        let unknown = PartFile::open(&whole, ContentHash([8; 32]), false).unwrap();
        assert_eq!((unknown.kept_hashes(), unknown.is_doubtful()), (None, true));
    }

    /// Nothing is done to it before that is known.
    #[test]
    fn what_may_be_of_somebody_else_is_not_touched_until_it_is_known_to_be_ours() {
        let directory = tempfile::tempdir().unwrap();
        let whole = path(&directory);
        let theirs = directory.path().join("farol.mp4.part");
        fs::write(&theirs, b"mine").unwrap();
        let mut part = PartFile::open(&whole, HASH, false).unwrap();
        assert!(part.is_doubtful() && !part.holds_blocks());
        assert!(!part.write(0, 0, b"abc".to_vec()).unwrap());
        assert!(part.holds_blocks());
        assert_eq!(part.leave(), None);
        assert_eq!(fs::read(&theirs).unwrap(), b"mine");
        let mut part = PartFile::open(&whole, HASH, false).unwrap();
        part.write(0, 0, b"abc".to_vec()).unwrap();
        let held = part.trust();
        assert_eq!((held.hashes, held.blocks), (None, vec![(0, 0, b"abc".to_vec())]));
        assert!(part.write(0, 0, b"abc".to_vec()).unwrap());
        assert_eq!(part.leave(), Some(theirs.clone()));
        assert_eq!(fs::read(theirs).unwrap(), b"abce");
    }

    #[test]
    fn a_part_is_download_begun_where_its_hashes_say_so() {
        let directory = tempfile::tempdir().unwrap();
        let whole = path(&directory);
        assert!(!is_download_begun(&whole, HASH));
        let mut part = PartFile::open(&whole, HASH, false).unwrap();
        part.keep(200 * 1024, &[[1; 32]; 4]).unwrap();
        part.write(1, 64 * 1024, vec![7; 64 * 1024]).unwrap();
        drop(part);
        assert!(is_download_begun(&whole, HASH) && !is_download_begun(&whole, ContentHash([8; 32])));
        fs::remove_file(directory.path().join("farol.mp4.part")).unwrap();
        assert!(!is_download_begun(&whole, HASH));
    }

    #[test]
    fn of_a_fetch_that_came_to_nothing_nothing_is_left() {
        let directory = tempfile::tempdir().unwrap();
        let part = PartFile::open(&path(&directory), HASH, false).unwrap();
        assert_eq!(part.leave(), None);
        assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 0);
    }

    /// Or one that is killed in it would leave what is taken for somebody else's.
    #[test]
    fn a_part_with_nothing_in_it_is_as_long_as_what_is_written_to_it_first() {
        let directory = tempfile::tempdir().unwrap();
        File::create(directory.path().join("farol.mp4.part")).unwrap().set_len(999_999).unwrap();
        let mut part = PartFile::open(&path(&directory), HASH, false).unwrap();
        part.write(1, 64 * 1024, vec![7; 4096]).unwrap();
        assert_eq!(part.file.metadata().unwrap().len(), 64 * 1024 + 4096);
        part.write(0, 0, vec![7; 64 * 1024]).unwrap();
        assert_eq!(part.file.metadata().unwrap().len(), 64 * 1024 + 4096);
    }

    #[test]
    fn a_part_that_is_a_link_is_not_followed() {
        let directory = tempfile::tempdir().unwrap();
        std::os::unix::fs::symlink("/etc/passwd", directory.path().join("farol.mp4.part")).unwrap();
        assert!(matches!(PartFile::open(&path(&directory), HASH, false), Err(FileError::System { .. })));
    }
}
