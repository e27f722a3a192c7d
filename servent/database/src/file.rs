//! A database in a file: locked for one servent, and replaced by a file beside it that is renamed.
//!
//! What the bytes mean is not known here.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, TryLockError};
use std::io;
#[cfg(target_os = "linux")]
use std::num::NonZeroU64;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rustix::fs::{Access, AtFlags, CWD, OFlags, accessat, statvfs};
#[cfg(target_os = "linux")]
use rustix::fs::{Advice, FallocateFlags, fadvise, fallocate};

use crate::storage::{Current, DatabasePlace, OpenError, Storage};

/// Somebody who replaces a file is done at once: whoever finds another one each time looks at something else.
const REPLACED_MAX: usize = 8;

/// What a file of redb begins with; zeros where it was not told yet that it is one.
const MAGIC: [u8; 9] = *b"redb\x1a\x0a\xa9\x0d\x0a";

/// A file as it lies on a disk, locked for as long as it is open.
#[derive(Debug)]
pub(crate) struct FileStorage(File);

impl Storage for FileStorage {
    fn bytes_count(&self) -> io::Result<u64> {
        Ok(self.0.metadata()?.len())
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        self.0.read_exact_at(bytes, offset)
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.0.write_all_at(bytes, offset)?;
        begin_writing(&self.0, offset, bytes.len());
        Ok(())
    }

    fn resize(&self, bytes_count: u64) -> io::Result<()> {
        self.0.set_len(bytes_count)
    }

    #[cfg(target_os = "linux")]
    fn give_back(&self, offset: u64, bytes_count: u64) {
        let _ = fallocate(&self.0, FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE, offset, bytes_count);
    }

    fn sync(&self) -> io::Result<()> {
        self.0.sync_data()
    }
}

/// What a page of the system's cache has.
#[cfg(target_os = "linux")]
const PAGE_BYTES: usize = 4096;

/// Has Linux begin to put a page on the disk. A sync would hand over all pages of a commit in one piece, and whoever waits for
/// that processor then waits for all of them (docs/PERFORMANCE.md). What is longer lies together and is handed over faster.
fn begin_writing(file: &File, offset: u64, bytes_count: usize) {
    #[cfg(target_os = "linux")]
    if bytes_count == PAGE_BYTES {
        // Of less than a page nothing is dropped from the cache. What fails is told by the sync.
        let _ = fadvise(file, offset + 1, NonZeroU64::new(PAGE_BYTES as u64 - 2), Advice::DontNeed);
    }
    #[cfg(not(target_os = "linux"))]
    let _ = (file, offset, bytes_count);
}

/// A path of a database.
#[derive(Debug)]
pub(crate) struct FilePlace {
    path: PathBuf,
    beside: PathBuf,
}

impl FilePlace {
    pub(crate) fn at(path: &Path) -> Result<FilePlace, OpenError> {
        check_link(path)?;
        Ok(FilePlace { path: target_of(path), beside: beside(path) })
    }

    fn directory(&self) -> &Path {
        directory_of(&self.path)
    }
}

/// Where it is a link, what it leads to is the file.
fn target_of(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// A link that leads nowhere is not replaced by a database: what it led to may be on a disk that is not there just now.
fn check_link(path: &Path) -> Result<(), OpenError> {
    let is_nowhere = |error: &io::Error| error.kind() == io::ErrorKind::NotFound;
    match fs::read_link(path) {
        Ok(to) if fs::metadata(path).is_err_and(|error| is_nowhere(&error)) => {
            Err(OpenError::LeadsNowhere { link: path.to_owned(), to })
        }
        _ => Ok(()),
    }
}

/// The file that is made beside a database, and renamed.
#[must_use]
pub fn beside(path: &Path) -> PathBuf {
    let mut beside = OsString::from(target_of(path));
    beside.push(".new");
    PathBuf::from(beside)
}

fn options() -> OpenOptions {
    let mut options = OpenOptions::new();
    // Without O_NONBLOCK opening a FIFO waits for somebody.
    options.read(true).custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    options
}

fn check_kind(metadata: &fs::Metadata) -> Result<(), OpenError> {
    let kind = metadata.file_type();
    if kind.is_dir() {
        return Err(OpenError::Foreign("it is a directory".to_owned()));
    }
    if kind.is_file() { Ok(()) } else { Err(OpenError::Foreign("it is no regular file".to_owned())) }
}

fn lock(file: &File) -> Result<(), OpenError> {
    match file.try_lock() {
        Ok(()) => Ok(()),
        Err(TryLockError::WouldBlock) => Err(OpenError::InUse),
        Err(TryLockError::Error(error)) => Err(error.into()),
    }
}

/// Whether a path leads to what is open: whoever had it until now may have replaced it.
fn is_at(file: &File, path: &Path) -> io::Result<bool> {
    let open = file.metadata()?;
    match fs::symlink_metadata(path) {
        Ok(there) => Ok((open.dev(), open.ino()) == (there.dev(), there.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// What a killed start has left is written over. Anything else is somebody's who has never heard of this servent.
fn check_ours(file: &File, path: &Path) -> Result<(), OpenError> {
    let mut begin = [0; MAGIC.len()];
    let is_ours = match file.read_exact_at(&mut begin, 0) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => file.metadata()?.len() == 0,
        read => {
            read?;
            begin == MAGIC || begin == [0; MAGIC.len()]
        }
    };
    if is_ours { Ok(()) } else { Err(OpenError::Taken(path.to_owned())) }
}

/// Whoever starts a servent once as root can start it as its user afterwards. Where the system does not let it, it is the file
/// of whoever writes it anew: that one may read it, or would not be here.
fn keep_owner(file: &File, replaced: &fs::Metadata) -> io::Result<()> {
    let own = file.metadata()?;
    // The group first: whoever gives a file away may change nothing more of it.
    if own.gid() != replaced.gid() {
        let _ = fchown(file, None, Some(replaced.gid()));
    }
    if own.uid() != replaced.uid() {
        let _ = fchown(file, Some(replaced.uid()), None);
    }
    Ok(())
}

/// What is there, to be read by whoever does not mind that others write to it.
pub(crate) fn open_to_look(path: &Path) -> Result<Arc<dyn Storage>, OpenError> {
    check_link(path)?;
    check_kind(&fs::metadata(path)?)?;
    let file = options().open(path)?;
    check_kind(&file.metadata()?)?;
    Ok(Arc::new(FileStorage(file)))
}

/// What is there, to be written to. Why it cannot be, where it can only be read.
fn open_to_write(path: &Path) -> Result<(File, Option<String>), OpenError> {
    let (file, read_only) = match options().write(true).open(path) {
        // Such as a disk becomes that has failed.
        Err(error) if error.kind() == io::ErrorKind::ReadOnlyFilesystem => {
            (options().open(path)?, Some(error.to_string()))
        }
        file => (file?, None),
    };
    let metadata = file.metadata()?;
    check_kind(&metadata)?;
    // Also for root, whom no mode keeps from it.
    if metadata.permissions().readonly() {
        return Err(io::Error::new(io::ErrorKind::PermissionDenied, "it is read only").into());
    }
    Ok((file, read_only))
}

/// Whether a start could write to what is there; an error where it would refuse to. Nothing is changed.
pub fn could_write_to(path: &Path) -> Result<Result<(), String>, OpenError> {
    check_link(path)?;
    check_kind(&fs::metadata(path)?)?;
    let (file, read_only) = open_to_write(path)?;
    // Given back at once, with the file; a check beside another one is let by.
    match file.try_lock_shared() {
        Ok(()) => {}
        Err(TryLockError::WouldBlock) => return Err(OpenError::InUse),
        Err(TryLockError::Error(error)) => return Err(error.into()),
    }
    Ok(read_only.map_or(Ok(()), Err))
}

/// Whether a start could write a database beside and rename it, as far as that can be told without doing it.
pub fn could_write_anew(path: &Path) -> Result<(), OpenError> {
    let place = FilePlace::at(path)?;
    accessat(CWD, place.directory(), Access::WRITE_OK | Access::EXEC_OK, AtFlags::EACCESS).map_err(io::Error::from)?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
    match options().write(true).custom_flags(flags.bits().cast_signed()).open(&place.beside) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
        file => {
            let file = file?;
            check_kind(&file.metadata()?)?;
            check_ours(&file, &place.beside)
        }
    }
}

/// How many bytes are free where a database is written anew.
pub fn free_bytes_beside(path: &Path) -> io::Result<u64> {
    let beside = beside(path);
    let room = statvfs(directory_of(&beside))?;
    Ok(room.f_bavail.saturating_mul(room.f_frsize))
}

fn directory_of(path: &Path) -> &Path {
    path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."))
}

impl DatabasePlace for FilePlace {
    fn current(&self) -> Result<Option<Current>, OpenError> {
        for _ in 0..REPLACED_MAX {
            let metadata = match fs::metadata(&self.path) {
                Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
                metadata => metadata?,
            };
            // Before it is opened, because opening a device may do something, and after, because it may be another by then.
            check_kind(&metadata)?;
            let (file, read_only) = open_to_write(&self.path)?;
            lock(&file)?;
            if is_at(&file, &self.path)? {
                return Ok(Some(Current { storage: Arc::new(FileStorage(file)), read_only }));
            }
        }
        Err(OpenError::InUse)
    }

    fn beside(&self) -> Result<Arc<dyn Storage>, OpenError> {
        let replaced = fs::metadata(&self.path).ok();
        for _ in 0..REPLACED_MAX {
            let mut options = options();
            // What somebody who was killed left there is taken, and what somebody is just making is not.
            let flags = OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::NOFOLLOW;
            options.write(true).create(true).truncate(false).custom_flags(flags.bits().cast_signed());
            let file = options.open(&self.beside)?;
            check_kind(&file.metadata()?)?;
            lock(&file)?;
            if !is_at(&file, &self.beside)? {
                continue;
            }
            check_ours(&file, &self.beside)?;
            if let Some(replaced) = &replaced {
                keep_owner(&file, replaced)?;
                file.set_permissions(replaced.permissions())?;
            } else if fs::metadata(&self.path).is_ok() {
                // Somebody was faster.
                return Err(OpenError::InUse);
            }
            file.set_len(0)?;
            return Ok(Arc::new(FileStorage(file)));
        }
        Err(OpenError::InUse)
    }

    fn replace(&self) -> io::Result<()> {
        fs::rename(&self.beside, &self.path)
    }

    fn give_up(&self) {
        // What stays is taken by the next start.
        let _ = fs::remove_file(&self.beside);
    }

    fn sync_entry(&self) -> io::Result<()> {
        File::open(self.directory())?.sync_all()
    }
}
