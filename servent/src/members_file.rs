//! The members file: whom the servent knew when it was there last, read at the start and replaced when that has changed.
//!
//! What a line means is `common::member_file`, and when the file is written the mind says. Here is only what a file system
//! can do to the one who reads and replaces it.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Write};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, anyhow, bail};
use common::counted::{counted, grouped};
use common::limits::STAMP_STEP_MAX;
use common::member_file::{KNOWN_MEMBERS_MAX, KnownMember, KnownMembers, MemberFile, text_of};
use common::text::Escaped;
use rustix::fs::{Access, OFlags, access};

/// So much is read at once: whatever a file is, no more of it is in memory.
const PIECE_BYTES: usize = 16 * 1024;

/// Reads whom it knew, where there is a file. One that is anything else than such a file is an error: it would be replaced.
pub(crate) fn load(path: &Path) -> anyhow::Result<Vec<KnownMember>> {
    let name = ShownPath(path);
    let file = match open(path) {
        Err(error) if is_missing(&error) => {
            check_directory(path).with_context(|| format!("cannot write members file {name}"))?;
            log::info!("members file {name} is not there yet: nobody is known from before");
            return Ok(Vec::new());
        }
        file => file.with_context(|| format!("cannot read members file {name}"))?,
    };
    let KnownMembers { members, left_out_count } = read(file, name)?;
    log::info!("members file {name}: {} known from before", counted(members.len(), "member"));
    if left_out_count > 0 {
        let (lines, most) = (counted(left_out_count, "line"), grouped(KNOWN_MEMBERS_MAX));
        log::warn!("members file {name}: the last {lines} left out, since no more than {most} members are remembered");
    }
    let ahead_count = members.iter().filter(|known| known.clock > STAMP_STEP_MAX).count();
    if ahead_count > 0 {
        let (clocks, most) = (counted(ahead_count, "clock"), grouped(STAMP_STEP_MAX));
        log::warn!("members file {name}: {clocks} beyond {most} taken for that");
    }
    Ok(members)
}

/// Where there is no file yet one will be made: what could never be written is an error now, and not at the end.
fn check_directory(path: &Path) -> io::Result<()> {
    let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    if fs::metadata(directory)?.is_dir() { Ok(()) } else { Err(io::ErrorKind::NotADirectory.into()) }
}

fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// Opens what is there without waiting for anybody, and only if it is a file.
fn open(path: &Path) -> anyhow::Result<File> {
    // Before it is opened, because opening a device may do something, and after, because it may be another by then.
    check_kind(&fs::metadata(path)?)?;
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    let file = OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?;
    check_kind(&file.metadata()?)?;
    Ok(file)
}

fn check_kind(metadata: &fs::Metadata) -> anyhow::Result<()> {
    let kind = metadata.file_type();
    if kind.is_dir() {
        bail!("it is a directory");
    }
    if kind.is_fifo() {
        bail!("it is a FIFO, and only a regular file can be replaced");
    }
    if !kind.is_file() {
        bail!("it is not a regular file");
    }
    Ok(())
}

fn read(mut file: File, name: ShownPath<'_>) -> anyhow::Result<KnownMembers> {
    let mut members = MemberFile::default();
    let mut bytes = [0; PIECE_BYTES];
    let none_of_ours = |bad| {
        anyhow!(
            "members file {name}:{bad}; a line is IP:PORT, or IP:PORT ONLINE|OFFLINE CLOCK: correct it, or name another \
             file, because this one is going to be replaced"
        )
    };
    loop {
        let count = match file.read(&mut bytes) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            count => count.with_context(|| format!("cannot read members file {name}"))?,
        };
        if count == 0 {
            return members.finish().map_err(none_of_ours);
        }
        members.push(bytes.get(..count).unwrap_or_default()).map_err(none_of_ours)?;
    }
}

/// Where whom it knows is written down.
#[derive(Clone, Debug)]
pub(crate) struct MembersFile {
    pub(crate) path: PathBuf,
    /// Whose it is.
    pub(crate) own: SocketAddr,
}

impl MembersFile {
    /// Puts these in the place of those that were written before, all at once: whoever is killed leaves one or the other.
    pub(crate) fn write(&self, members: &[KnownMember]) -> anyhow::Result<()> {
        let name = ShownPath(&self.path);
        let text = text_of(self.own, members);
        self.replace(text.as_bytes()).with_context(|| format!("cannot write members file {name}"))?;
        log::debug!("{} in members file {name}", counted(members.len(), "member"));
        Ok(())
    }

    fn replace(&self, text: &[u8]) -> anyhow::Result<()> {
        let path = target_of(&self.path);
        let permissions = writable_permissions(&path)?;
        let beside = scratch_of(&path);
        // What somebody who was killed left there.
        let _ = fs::remove_file(&beside);
        let mut new = OpenOptions::new().write(true).create_new(true).open(&beside);
        let new = new.as_mut().map_err(|error| anyhow!("{}: {error}", ShownPath(&beside)))?;
        let replaced = permissions
            .map_or(Ok(()), |permissions| new.set_permissions(permissions))
            .and_then(|()| new.write_all(text))
            // Renamed before it is on the disk it could be empty after a power cut.
            .and_then(|()| new.sync_all())
            .and_then(|()| fs::rename(&beside, &path));
        if replaced.is_err() {
            let _ = fs::remove_file(&beside);
        }
        Ok(replaced?)
    }
}

/// Where it is a link, what it leads to is the file to write beside.
fn target_of(path: &Path) -> PathBuf {
    fs::canonicalize(path).unwrap_or_else(|_| path.to_owned())
}

/// The file beside it that is written, and then renamed.
pub(crate) fn scratch_of(path: &Path) -> PathBuf {
    let mut beside = OsString::from(target_of(path));
    beside.push(".new");
    PathBuf::from(beside)
}

/// The permissions of the file, if there is one, which the new one gets, or why it may not be replaced. Whoever may write
/// in its directory could replace any file there: one that may not be written was meant to stay.
fn writable_permissions(path: &Path) -> anyhow::Result<Option<Permissions>> {
    let metadata = match fs::metadata(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        metadata => metadata?,
    };
    check_kind(&metadata)?;
    // Also for root, whom no mode keeps from it.
    if metadata.permissions().readonly() {
        bail!("it is read only");
    }
    access(path, Access::WRITE_OK)?;
    Ok(Some(metadata.permissions()))
}

/// A path as it may be shown.
#[derive(Clone, Copy)]
struct ShownPath<'a>(&'a Path);

impl std::fmt::Display for ShownPath<'_> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        Escaped::new(self.0.as_os_str().as_bytes()).fmt(f)
    }
}
