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

/// Puts these bytes in the place of a file. A link beside it goes, and a file there where that is one that we have left.
///
/// # Errors
///
/// Where what lies beside it is somebody else's, or the system does not let us.
pub fn replace_file(path: &Path, bytes: &[u8], is_left_by_us: impl FnOnce(&Path) -> bool) -> io::Result<()> {
    let scratch = beside(path, ".new");
    let there = fs::symlink_metadata(&scratch);
    if there.is_ok_and(|there| there.is_symlink() || there.is_file() && is_left_by_us(&scratch)) {
        fs::remove_file(&scratch)?;
    }
    let flags = OFlags::NOFOLLOW.bits().cast_signed();
    let mut new = OpenOptions::new().write(true).create_new(true).custom_flags(flags).open(&scratch)?;
    let replaced = new.write_all(bytes).and_then(|()| fs::rename(&scratch, path));
    if replaced.is_err() {
        let _ = fs::remove_file(&scratch);
    }
    replaced
}

/// The same path with something behind its name.
pub(crate) fn beside(path: &Path, end: &str) -> PathBuf {
    let mut name: OsString = path.as_os_str().to_owned();
    name.push(end);
    name.into()
}
