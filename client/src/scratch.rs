//! A file that is replaced all at once: what is to be in it is written beside it, and then gets its name.
//!
//! What lies beside it may be anybody's: nothing is written through a link, nor into a file or a pipe that was there before.
//! Whether the file itself may be replaced is for whoever has it replaced to know.

use std::ffi::OsString;
use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

use rustix::fs::OFlags;

/// Names that are tried for what is written beside a file.
const SCRATCH_NAMES_MAX: u32 = 100;

/// Puts these bytes in the place of a file, by way of one beside it whose name nobody has. Whoever is killed in between leaves
/// that. A link is followed, and stays. What is no file, such as a pipe or a device, stays what it is, and is written to.
///
/// # Errors
///
/// Where the system does not let us.
pub fn replace_file(path: &Path, bytes: &[u8]) -> io::Result<()> {
    if fs::metadata(path).is_ok_and(|there| !there.is_file() && !there.is_dir()) {
        return OpenOptions::new().write(true).open(path)?.write_all(bytes);
    }
    let path = &fs::canonicalize(path).unwrap_or_else(|_| path.to_owned());
    let first = std::process::id();
    let scratches = (0..SCRATCH_NAMES_MAX).map(|number| beside(path, &format!(".{}.new", first.wrapping_add(number))));
    let mut replaced = Err(io::ErrorKind::AlreadyExists.into());
    for scratch in scratches {
        replaced = replace_by(&scratch, path, bytes);
        if !replaced.as_ref().is_err_and(|error| error.kind() == io::ErrorKind::AlreadyExists) {
            break;
        }
    }
    replaced
}

/// The same by way of this name. A link of that name goes, and a file where that is one that we have left.
///
/// # Errors
///
/// Where what has that name is somebody else's, or the system does not let us.
pub(crate) fn replace_by_way_of(
    scratch: &Path,
    path: &Path,
    bytes: &[u8],
    is_left_by_us: impl FnOnce(&Path) -> bool,
) -> io::Result<()> {
    let there = fs::symlink_metadata(scratch);
    if there.is_ok_and(|there| there.is_symlink() || there.is_file() && is_left_by_us(scratch)) {
        fs::remove_file(scratch)?;
    }
    replace_by(scratch, path, bytes)
}

fn replace_by(scratch: &Path, path: &Path, bytes: &[u8]) -> io::Result<()> {
    // Whoever was kept from reading it is so again.
    let mode = fs::metadata(path).map(|there| there.permissions());
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let mut new = OpenOptions::new().write(true).create_new(true).custom_flags(flags).open(scratch)?;
    let kept = mode.map_or(Ok(()), |mode| new.set_permissions(mode));
    let replaced = kept.and_then(|()| new.write_all(bytes)).and_then(|()| fs::rename(scratch, path));
    if replaced.is_err() {
        let _ = fs::remove_file(scratch);
    }
    replaced
}

/// The same path with something behind its name.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
