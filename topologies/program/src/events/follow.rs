//! New lines of logs that are being written, told as they come: what the system has to say of files.
//!
//! It sleeps until a log has grown or a line has waited for long enough. Which line is told when is `held`'s. A log that is
//! begun anew is read to its end, and then the new one.

use std::fs::{self, File};
use std::io::{self, Write};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Instant;

use anyhow::Context;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::inotify::{self, CreateFlags, WatchFlags};
use rustix::io::Errno;

use super::files::{self, LINE_BYTES_MAX, ReadAt};
use super::held::HeldLines;
use super::line::EventLine;
use super::survey::key_of;

/// What is read of one log before the others have their turn.
const PIECE_BYTES: usize = 64 * 1024;

/// A log that is followed.
struct GrowingLog {
    path: PathBuf,
    file: File,
    /// Where what comes next begins.
    offset: u64,
    /// The beginning of a line of which the end is not written yet.
    begun: Vec<u8>,
}

/// Tells what is new, until nobody reads it.
pub(super) fn run(paths: &[PathBuf], as_they_are: bool, out: impl Write, err: impl Write) -> anyhow::Result<()> {
    match follow(paths, as_they_are, out, err) {
        Err(error) if error.downcast_ref::<io::Error>().map(io::Error::kind) == Some(io::ErrorKind::BrokenPipe) => {
            Ok(())
        }
        followed => followed,
    }
}

fn follow(paths: &[PathBuf], as_they_are: bool, mut out: impl Write, mut err: impl Write) -> anyhow::Result<()> {
    let flags = CreateFlags::CLOEXEC | CreateFlags::NONBLOCK;
    let changes = inotify::init(flags).context("the system tells nothing of files that change")?;
    let (mut logs, mut known): (Vec<GrowingLog>, Vec<_>) = (Vec::new(), Vec::new());
    // What a log was called before it was begun anew grows no more, and what becomes of the log is told anyway.
    for path in paths.iter().filter(|path| !paths.iter().any(|other| files::before(other) == **path)) {
        let file = files::open_one(path)?;
        let cannot_read = || format!("cannot read {}", files::name_of(path));
        let identity = files::identity_of(&file).with_context(cannot_read)?;
        if known.contains(&identity) {
            continue;
        }
        watch(&changes, path)?;
        let offset = end_of_lines(&file).with_context(cannot_read)?;
        logs.push(GrowingLog { path: path.clone(), file, offset, begun: Vec::new() });
        known.push(identity);
    }
    // From here on nothing is missed.
    let names: Vec<String> = logs.iter().map(|log| files::name_of(&log.path)).collect();
    let _ = writeln!(err, "topology: following {}", names.join(" "));
    let mut held = HeldLines::new(logs.len());
    loop {
        let now = Instant::now();
        let mut has_more = false;
        for (place, log) in logs.iter_mut().enumerate() {
            has_more |= log.read(&changes, |bytes| match EventLine::parse(bytes) {
                Ok(event) => {
                    let text = if as_they_are { bytes.to_vec() } else { event.to_string().into_bytes() };
                    held.add(now, place, key_of(&event), text);
                }
                Err(error) => {
                    // It may be what a full disk left of one. Whoever reads the lines need not read this.
                    let _ = writeln!(err, "topology: {}: {error}", names[place]);
                }
            })?;
        }
        while let Some(mut text) = held.take(now) {
            text.push(b'\n');
            out.write_all(&text)?;
        }
        out.flush()?;
        if !has_more {
            wait(&changes, held.deadline())?;
        }
    }
}

/// Has it told when a log grows, and when another takes its place.
fn watch(changes: &OwnedFd, path: &Path) -> anyhow::Result<()> {
    let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty()).unwrap_or(Path::new("."));
    inotify::add_watch(changes, path, WatchFlags::MODIFY)
        .and_then(|_| inotify::add_watch(changes, parent, WatchFlags::CREATE | WatchFlags::MOVED_TO))
        .map(drop)
        .with_context(|| format!("cannot follow {}", files::name_of(path)))
}

/// Where the last whole line ends.
fn end_of_lines(file: &File) -> io::Result<u64> {
    let length = file.metadata()?.len();
    let mut last = vec![0; LINE_BYTES_MAX.min(usize::try_from(length).unwrap_or(usize::MAX))];
    let start = length - last.len() as u64;
    let count = ReadAt::read_at(file, &mut last, start)?;
    Ok(memchr::memrchr(b'\n', &last[..count]).map_or(start, |place| start + place as u64 + 1))
}

fn wait(changes: &OwnedFd, until: Option<Instant>) -> anyhow::Result<()> {
    let left = until.map(|until| until.saturating_duration_since(Instant::now()));
    let left = left.and_then(|left| Timespec::try_from(left).ok());
    match poll(&mut [PollFd::new(changes, PollFlags::IN)], left.as_ref()) {
        Ok(_) | Err(Errno::INTR) => {}
        Err(error) => return Err(error).context("cannot wait for files that change"),
    }
    // What has changed is looked up: here it is only noted that something has.
    let mut buffer = [MaybeUninit::uninit(); 4096];
    let mut events = inotify::Reader::new(changes, &mut buffer);
    while events.next().is_ok() {}
    Ok(())
}

impl GrowingLog {
    /// Gives each whole line that is new to `line`, of a piece of what there is. True where there may be more.
    fn read(&mut self, changes: &OwnedFd, mut line: impl FnMut(&[u8])) -> anyhow::Result<bool> {
        let told = || format!("cannot read {}", files::name_of(&self.path));
        if self.file.metadata().with_context(told)?.len() < self.offset {
            // Somebody has emptied it.
            self.offset = 0;
            self.begun.clear();
        }
        let held = self.begun.len();
        self.begun.resize(held + PIECE_BYTES, 0);
        let read = ReadAt::read_at(&self.file, &mut self.begun[held..], self.offset);
        let count = *read.as_ref().unwrap_or(&0);
        self.begun.truncate(held + count);
        self.offset += count as u64;
        match read {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            read => drop(read.with_context(told)?),
        }
        let whole = memchr::memrchr(b'\n', &self.begun).map_or(0, |end| end + 1);
        for bytes in self.begun[..whole].split(|byte| *byte == b'\n').filter(|bytes| !bytes.is_empty()) {
            line(bytes);
        }
        self.begun.drain(..whole);
        if self.begun.len() > LINE_BYTES_MAX {
            line(&self.begun);
            self.begun.clear();
        }
        Ok(count > 0 || self.begin_anew(changes)?)
    }

    /// Goes on with the log that has taken its place, if any has.
    fn begin_anew(&mut self, changes: &OwnedFd) -> anyhow::Result<bool> {
        let ours = files::identity_of(&self.file)?;
        // Between the two there may be none for a moment.
        let Ok(theirs) = fs::metadata(&self.path) else { return Ok(false) };
        if ours == (theirs.dev(), theirs.ino()) || !theirs.is_file() {
            return Ok(false);
        }
        self.file = files::open_one(&self.path)?;
        self.offset = 0;
        self.begun.clear();
        watch(changes, &self.path)?;
        Ok(true)
    }
}
