//! The log of events, `--events FILE`: one JSON object a line, into a bounded queue, from which one thread writes. Whoever
//! has an event never waits.
//!
//! A FIFO nobody reads and a disk that hangs take nothing for as long as they like; of the lines that do not fit into the
//! queue meanwhile the number stands in their place. What cannot be written ends the log and nothing else. Which events
//! there are is the mind's to say; what order those of many servents have is asked of `topology events`.

use std::convert::Infallible;
use std::fmt::Write as _;
use std::fs::{self, File, OpenOptions};
use std::io::{self, Write};
use std::net::SocketAddr;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{FileExt, FileTypeExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, bail};
use common::counted::counted;
use common::event::{EventKind, LoggedEvent};
use common::message::ServentId;
use common::text::Escaped;
use rustix::fs::{Access, OFlags, access, fcntl_getfl, fcntl_setfl};

use crate::log_sink::LAST_WORDS_MAX;

/// A file that would be longer becomes `FILE.1`, in the place of the one before it, and a new one is begun.
pub const EVENTS_FILE_BYTES_MAX: u64 = 64 * 1024 * 1024;
/// Bytes of lines that may wait to be written.
pub const EVENTS_WAITING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// So much is written to a file at once, in whole lines.
const PIECE_BYTES: usize = 64 * 1024;
/// The same to whatever else it is: a FIFO takes so much in one piece, and lines of those who share one do not mix
/// (`PIPE_BUF`).
const SHARED_PIECE_BYTES: usize = 4096;

/// The way into the log of one servent.
#[derive(Debug)]
pub(crate) struct EventsFile {
    shared: Arc<SharedLines>,
    /// What each line says of who wrote it.
    servent: String,
    /// A line while it is made.
    line: String,
}

#[derive(Debug)]
struct SharedLines {
    path: PathBuf,
    file_bytes_max: u64,
    lines: Mutex<WaitingLines>,
    /// There is something to write.
    filled: Condvar,
    /// Everything was written, or nothing will be any more.
    emptied: Condvar,
}

#[derive(Debug)]
struct WaitingLines {
    /// What is to be written, whole lines one after the other.
    waiting: Vec<u8>,
    /// Bytes of those that are being written.
    in_hand: usize,
    bytes_max: usize,
    /// The number of the last line.
    n: u64,
    /// Lines that did not fit, since that was last said, and what stands before the word for the last of them.
    dropped: u64,
    dropped_last: String,
    /// What was opened, until the thread has it; nothing where the thread is to open it.
    opened: Option<OpenedEvents>,
    has_thread: bool,
    /// Something could not be written: nothing is any more.
    is_over: bool,
}

/// Where lines go.
#[derive(Debug)]
struct OpenedEvents {
    file: File,
    /// How long it is, where it is a regular file.
    length: Option<u64>,
    /// The last line in it has no end: somebody was killed, or a disk was full.
    is_mid_line: bool,
}

impl EventsFile {
    /// Opens it, for the servent of this address and this id. One that waits for a reader, as a FIFO does, is opened
    /// later, by whoever writes.
    pub(crate) fn open(path: &Path, servent: SocketAddr, id: ServentId) -> anyhow::Result<EventsFile> {
        EventsFile::open_with(path, servent, id.folded(), EVENTS_FILE_BYTES_MAX, EVENTS_WAITING_BYTES_MAX)
    }

    fn open_with(
        path: &Path,
        servent: SocketAddr,
        id: u64,
        file_bytes_max: u64,
        bytes_max: usize,
    ) -> anyhow::Result<EventsFile> {
        let is_fifo = fs::metadata(path).is_ok_and(|metadata| metadata.file_type().is_fifo());
        let opened = if is_fifo { None } else { Some(open(path, true).with_context(|| cannot_write(path))?) };
        let lines = WaitingLines {
            waiting: Vec::new(),
            in_hand: 0,
            bytes_max,
            n: 0,
            dropped: 0,
            dropped_last: String::new(),
            opened,
            has_thread: false,
            is_over: false,
        };
        let (filled, emptied) = (Condvar::new(), Condvar::new());
        let shared = SharedLines { path: path.to_owned(), file_bytes_max, lines: Mutex::new(lines), filled, emptied };
        let servent = format!("\"servent\":\"{servent}\",\"id\":\"{id:016x}\"");
        Ok(EventsFile { shared: Arc::new(shared), servent, line: String::new() })
    }

    /// What a check says of the file: whether it could be written to, and what is there already. It is neither made nor
    /// changed.
    pub(crate) fn look_at(path: &Path) -> anyhow::Result<String> {
        let look = || match fs::metadata(path) {
            Ok(metadata) if metadata.file_type().is_fifo() => {
                // Opening it would wait for somebody who reads, and show them that somebody came.
                access(path, Access::WRITE_OK)?;
                Ok("a FIFO".to_owned())
            }
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let directory = path.parent().filter(|parent| !parent.as_os_str().is_empty());
                access(directory.unwrap_or(Path::new(".")), Access::WRITE_OK | Access::EXEC_OK)?;
                Ok("not there yet".to_owned())
            }
            _ => open(path, false).map(|opened| {
                let there = |length| format!("{} there already", counted(length, "byte"));
                opened.length.map_or_else(|| "not a regular file".to_owned(), there)
            }),
        };
        let said = look().with_context(|| cannot_write(path))?;
        Ok(format!("{}: {said}", shown(path)))
    }

    /// Has a line of it written, or counts it.
    pub(crate) fn add(&mut self, event: &LoggedEvent) {
        let EventsFile { shared, servent, line } = self;
        let mut lines = shared.lock();
        if lines.is_over {
            return;
        }
        lines.say_dropped_if_half_empty();
        line.clear();
        // Into a `String` nothing fails.
        let _ = write!(line, "{{\"clock\":{},{servent}", event.clock);
        let head = line.len();
        let _ = write!(line, ",\"n\":{},\"at_unix_ms\":{}", lines.n + 1, unix_ms());
        add_kind(line, &event.what);
        line.push_str("}\n");
        if lines.dropped > 0 || lines.bytes() + line.len() > lines.bytes_max {
            lines.dropped += 1;
            lines.dropped_last.clear();
            lines.dropped_last.push_str(line.get(..head).unwrap_or_default());
            return;
        }
        lines.n += 1;
        lines.waiting.extend_from_slice(line.as_bytes());
        if !lines.has_thread {
            let shared = Arc::clone(shared);
            // Without a thread the lines wait for the next try.
            lines.has_thread = thread::Builder::new().name("events".to_owned()).spawn(move || shared.write()).is_ok();
        }
        shared.filled.notify_one();
    }

    /// Waits until everything was written, but not for long.
    pub(crate) fn finish(&self) {
        let mut lines = self.shared.lock();
        lines.say_dropped();
        if !lines.has_thread {
            return;
        }
        self.shared.filled.notify_one();
        let is_unwritten = |lines: &mut WaitingLines| lines.bytes() > 0 && !lines.is_over;
        let waited = self.shared.emptied.wait_timeout_while(lines, LAST_WORDS_MAX, is_unwritten);
        drop(waited.unwrap_or_else(PoisonError::into_inner));
    }
}

/// What an event says of itself, behind what every line begins with.
fn add_kind(line: &mut String, what: &EventKind) {
    let _ = write!(line, ",\"event\":\"{}\"", what.name());
    let (mut message, mut peer, mut stamp) = (None, None, None);
    let (mut subject, mut outcome) = (None, None);
    let (mut reason, mut was, mut now, mut why) = (None, None, None, None);
    match what {
        EventKind::Started => {}
        EventKind::Linked { peer: other } => peer = Some(other),
        EventKind::Unlinked { peer: other, reason: said } => (peer, reason) = (Some(other), Some(said.as_str())),
        EventKind::Member { peer: other, was: before, now: since, why: said } => {
            (peer, was, now, why) = (Some(other), *before, *since, Some(said.as_str()));
        }
        EventKind::Asked { peer: other, message: asked } => (message, peer) = (Some(asked.as_str()), Some(other)),
        EventKind::Operation { peer: other, subject: wanted, outcome: came, .. } => {
            (peer, subject, outcome) = (Some(other), Some(wanted.as_str()), Some(*came));
        }
        EventKind::Sent { message: said, peer: other } => (message, peer) = (Some(*said), Some(other)),
        EventKind::Received { message: heard, peer: other, stamp: clock } => {
            (message, peer, stamp) = (Some(*heard), Some(other), Some(*clock));
        }
        EventKind::Stopped { reason: said } => reason = Some(said.as_str()),
    }
    add_text(line, "message", message);
    if let Some(peer) = peer {
        let _ = write!(line, ",\"peer\":\"{peer}\"");
    }
    if let Some(stamp) = stamp {
        let _ = write!(line, ",\"stamp\":{stamp}");
    }
    let texts = [("subject", subject), ("outcome", outcome)];
    for (name, text) in texts.into_iter().chain([("reason", reason), ("was", was), ("now", now), ("why", why)]) {
        add_text(line, name, text);
    }
}

/// A field with a text, whoever it is from: what a terminal would obey is shown and not said.
fn add_text(line: &mut String, name: &str, text: Option<&str>) {
    let Some(text) = text else { return };
    let _ = write!(line, ",\"{name}\":\"");
    for letter in Escaped::new(text.as_bytes()).to_string().chars() {
        if matches!(letter, '"' | '\\') {
            line.push('\\');
        }
        line.push(letter);
    }
    line.push('"');
}

fn unix_ms() -> u128 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |since| since.as_millis())
}

impl WaitingLines {
    fn bytes(&self) -> usize {
        self.waiting.len() + self.in_hand
    }

    /// Half of the room is waited for, so that not every other line is one that says how few are missing.
    fn say_dropped_if_half_empty(&mut self) {
        if self.bytes() <= self.bytes_max / 2 {
            self.say_dropped();
        }
    }

    /// Says how many lines are missing here, if any are, with the clock of the last of them.
    fn say_dropped(&mut self) {
        if self.dropped == 0 {
            return;
        }
        self.n += 1;
        let (last, count) = (std::mem::take(&mut self.dropped_last), std::mem::take(&mut self.dropped));
        let said =
            format!("{last},\"n\":{},\"at_unix_ms\":{},\"event\":\"dropped\",\"count\":{count}}}\n", self.n, unix_ms());
        self.waiting.extend_from_slice(said.as_bytes());
    }
}

impl SharedLines {
    fn lock(&self) -> MutexGuard<'_, WaitingLines> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Writes for as long as it can.
    fn write(&self) {
        let Err(error) = self.write_lines();
        log::warn!("no more events are written to {}: {error}", shown(&self.path));
        let mut lines = self.lock();
        lines.is_over = true;
        lines.waiting = Vec::new();
        self.emptied.notify_all();
    }

    fn write_lines(&self) -> io::Result<Infallible> {
        let opened = self.lock().opened.take();
        // This waits for somebody who reads.
        let mut opened = opened.map_or_else(|| open(&self.path, true).map_err(io::Error::other), Ok)?;
        let mut taken = Vec::new();
        loop {
            let lines = self.filled.wait_while(self.lock(), |lines| lines.waiting.is_empty());
            let mut lines = lines.unwrap_or_else(PoisonError::into_inner);
            std::mem::swap(&mut lines.waiting, &mut taken);
            lines.in_hand = taken.len();
            drop(lines);
            let mut rest = &taken[..];
            while !rest.is_empty() {
                let (piece, later) = rest.split_at(piece_of(rest, opened.piece_bytes()));
                if opened.is_full_with(piece, self.file_bytes_max) {
                    fs::rename(&self.path, before(&self.path))?;
                    opened = open(&self.path, true).map_err(io::Error::other)?;
                }
                opened.write(piece)?;
                rest = later;
                let mut lines = self.lock();
                lines.in_hand = rest.len();
                lines.say_dropped_if_half_empty();
            }
            taken.clear();
            if self.lock().bytes() == 0 {
                self.emptied.notify_all();
            }
        }
    }
}

impl OpenedEvents {
    fn piece_bytes(&self) -> usize {
        if self.length.is_some() { PIECE_BYTES } else { SHARED_PIECE_BYTES }
    }

    /// Whether these bytes are too many for it.
    fn is_full_with(&self, piece: &[u8], bytes_max: u64) -> bool {
        self.length.is_some_and(|length| length > 0 && length + piece.len() as u64 > bytes_max)
    }

    /// Writes whole lines, or of them none that is not whole.
    fn write(&mut self, piece: &[u8]) -> io::Result<()> {
        if std::mem::take(&mut self.is_mid_line) {
            self.write(b"\n")?;
        }
        let mut rest = piece;
        while !rest.is_empty() {
            match self.file.write(rest) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => rest = rest.get(count..).unwrap_or_default(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => {
                    let written = piece.len() - rest.len();
                    // What cannot be cut stays half a line, which costs itself only.
                    let _ = self.cut(piece.get(..written).unwrap_or_default());
                    return Err(error);
                }
            }
        }
        self.length = self.length.map(|length| length + piece.len() as u64);
        Ok(())
    }

    /// Takes back the part of a line of what was written, unless somebody has written behind it.
    fn cut(&self, written: &[u8]) -> io::Result<()> {
        let Some(length) = self.length else { return Ok(()) };
        let whole = written.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
        if whole < written.len() && self.file.metadata()?.len() == length + written.len() as u64 {
            self.file.set_len(length + whole as u64)?;
        }
        Ok(())
    }
}

/// How many of these bytes are written at once: lines that come to no more than so many bytes, or one that is longer.
fn piece_of(lines: &[u8], bytes_max: usize) -> usize {
    let first = lines.get(..bytes_max).unwrap_or(lines);
    let end = first.iter().rposition(|byte| *byte == b'\n').or_else(|| lines.iter().position(|byte| *byte == b'\n'));
    end.map_or(lines.len(), |end| end + 1)
}

/// Opens it to be written at its end, and makes it if that is wanted. A FIFO waits for somebody who reads it; nothing else
/// waits.
fn open(path: &Path, is_made: bool) -> anyhow::Result<OpenedEvents> {
    let kind = fs::metadata(path).map(|metadata| metadata.file_type());
    if kind.as_ref().is_ok_and(fs::FileType::is_dir) {
        bail!("it is a directory");
    }
    let mut options = OpenOptions::new();
    options.append(true).create(is_made);
    if kind.is_ok_and(|kind| kind.is_fifo()) {
        return Ok(OpenedEvents { file: options.open(path)?, length: None, is_mid_line: false });
    }
    options.custom_flags((OFlags::NONBLOCK | OFlags::NOCTTY).bits().cast_signed());
    let file = match options.clone().read(true).open(path) {
        // It may be for writing only.
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => options.open(path)?,
        opened => opened?,
    };
    // Whoever writes may wait.
    fcntl_setfl(&file, fcntl_getfl(&file)? - OFlags::NONBLOCK)?;
    let metadata = file.metadata()?;
    let length = metadata.is_file().then_some(metadata.len());
    let mut last = *b"\n";
    if let Some(end) = length.and_then(|length| length.checked_sub(1)) {
        // What cannot be read is taken for whole.
        let _ = file.read_exact_at(&mut last, end);
    }
    Ok(OpenedEvents { file, length, is_mid_line: last != *b"\n" })
}

/// What a log is called once a new one was begun.
pub(crate) fn before(path: &Path) -> PathBuf {
    let mut before = path.as_os_str().to_owned();
    before.push(".1");
    PathBuf::from(before)
}

fn shown(path: &Path) -> Escaped<'_> {
    Escaped::new(path.as_os_str().as_bytes())
}

fn cannot_write(path: &Path) -> String {
    format!("cannot write events to {}", shown(path))
}

#[cfg(test)]
mod tests;
