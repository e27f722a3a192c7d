//! Opening what lies beneath the directory that is shared, and nothing else: no link is followed, neither at the end of a
//! path nor in the middle, and no path leads out.
//!
//! The system sees to it (`openat2`), in one step with opening: whatever is put in the place of a file between two looks,
//! what is outside is never open. What is shared is not decided here.

use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;
use std::sync::Arc;

use anyhow::{Context, anyhow, bail};
use common::content::FileStamp;
use rustix::fs::{CWD, FileType, Mode, OFlags, Stat, fstat, openat};
use rustix::io::Errno;

use super::shown;

/// The directory that is shared, held open: a path is one from here.
#[derive(Clone, Debug)]
pub(super) struct SharedRoot(Arc<OwnedFd>);

/// Why something beneath it was not opened.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum NotOpened {
    /// It is not there, or no more.
    Gone,
    /// A link is on the way, or the way leads out.
    Symlink,
    /// It is no regular file.
    NoFile,
    /// It may not be read, or cannot be.
    Unreadable(Errno),
    /// Nothing is said of it: this process has no descriptor or no memory left to look.
    Exhausted(Errno),
}

impl From<Errno> for NotOpened {
    fn from(error: Errno) -> NotOpened {
        match error {
            Errno::NOENT | Errno::NOTDIR | Errno::INVAL | Errno::NAMETOOLONG => NotOpened::Gone,
            Errno::LOOP | Errno::XDEV => NotOpened::Symlink,
            Errno::NXIO | Errno::NODEV => NotOpened::NoFile,
            Errno::MFILE | Errno::NFILE | Errno::NOMEM => NotOpened::Exhausted(error),
            error => NotOpened::Unreadable(error),
        }
    }
}

impl SharedRoot {
    /// Opens the directory itself. Whoever named it may have named a link.
    pub(super) fn open(path: &Path) -> Result<SharedRoot, Errno> {
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        Ok(SharedRoot(Arc::new(openat(CWD, path, flags, Mode::empty())?)))
    }

    /// The same at the start, where nothing goes on without it.
    pub(super) fn open_first(path: &Path) -> anyhow::Result<SharedRoot> {
        let root = match SharedRoot::open(path) {
            Err(Errno::NOTDIR) => Err(anyhow!("it is no directory")),
            root => root.map_err(anyhow::Error::from),
        };
        let root = root.with_context(|| format!("cannot share {}", shown(path)))?;
        // A filter of system calls, such as that of an old container, may refuse what it does not know as not permitted.
        if let Err(error) = root.open_beneath(b".", OFlags::DIRECTORY) {
            let reason =
                if error == Errno::NOSYS { "Linux has had it since 5.6".to_owned() } else { error.to_string() };
            bail!(
                "cannot share {}: this system does not open files beneath a directory (openat2): {reason}",
                shown(path)
            );
        }
        Ok(root)
    }

    /// Opens a directory by its path; an empty one is this directory.
    pub(super) fn directory(&self, path: &[u8]) -> Result<OwnedFd, NotOpened> {
        let path = path.strip_suffix(b"/").unwrap_or(path);
        Ok(self.open_beneath(if path.is_empty() { b"." } else { path }, OFlags::DIRECTORY)?)
    }

    /// Opens a file by its path, and says what it shows of itself.
    pub(super) fn file(&self, path: &[u8]) -> Result<(File, FileStamp), NotOpened> {
        let file = File::from(self.open_beneath(path, OFlags::NOCTTY)?);
        let stamp = stamp_of(&file)?.ok_or(NotOpened::NoFile)?;
        Ok((file, stamp))
    }

    fn open_beneath(&self, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
        // Without O_NONBLOCK opening a FIFO waits for somebody to write to it.
        let flags = flags | OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC;
        loop {
            match open_beneath(self.0.as_fd(), path, flags) {
                Err(Errno::INTR) => {}
                opened => return opened,
            }
        }
    }
}

#[cfg(target_os = "linux")]
fn open_beneath(root: BorrowedFd<'_>, path: &[u8], flags: OFlags) -> Result<OwnedFd, Errno> {
    use rustix::fs::{ResolveFlags, openat2};
    let resolve = ResolveFlags::BENEATH | ResolveFlags::NO_SYMLINKS | ResolveFlags::NO_MAGICLINKS;
    openat2(root, path, flags, Mode::empty(), resolve)
}

#[cfg(not(target_os = "linux"))]
fn open_beneath(_: BorrowedFd<'_>, _: &[u8], _: OFlags) -> Result<OwnedFd, Errno> {
    Err(Errno::NOSYS)
}

/// What an open file shows of itself; nothing of what is no regular file.
pub(super) fn stamp_of(file: &File) -> Result<Option<FileStamp>, Errno> {
    Ok(stamp_in(&fstat(file)?))
}

/// The same of what was looked at without being opened.
pub(super) fn stamp_in(stat: &Stat) -> Option<FileStamp> {
    if !FileType::from_raw_mode(stat.st_mode).is_file() {
        return None;
    }
    Some(FileStamp {
        device: number(stat.st_dev),
        inode: number(stat.st_ino),
        size: number(stat.st_size),
        modified: nanoseconds(stat.st_mtime, stat.st_mtime_nsec),
        changed: nanoseconds(stat.st_ctime, stat.st_ctime_nsec),
    })
}

/// They are of another type on each kind of system.
fn number(number: impl TryInto<u64>) -> u64 {
    number.try_into().unwrap_or(u64::MAX)
}

fn nanoseconds(seconds: impl TryInto<i64>, more: impl TryInto<i64>) -> i64 {
    seconds.try_into().unwrap_or(0).saturating_mul(1_000_000_000).saturating_add(more.try_into().unwrap_or(0))
}
