//! Where the log goes: into a bounded queue, from which one thread writes to stderr. Whoever logs never waits.
//!
//! A terminal held by Ctrl-S, a pipe nobody drains and a log driver that hangs take nothing for as long as they like;
//! lines that do not fit into the queue meanwhile are dropped and counted, and the count is said where they are missing.
//! On a terminal there may be one line below all others that changes: only what it says last waits to be written, and no more
//! of it than the terminal is wide just then.
//! It does not decide what is logged or how a line looks: that is `env_logger`'s, which writes into this.

use std::collections::VecDeque;
use std::io::{self, IsTerminal, Write};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, SystemTime};

use common::counted::counted;
use rustix::fs::{FileType, fstat};
use rustix::stdio::stderr;

use crate::output;

/// Bytes of lines that may wait to be written.
pub const LOG_BYTES_MAX: usize = 1024 * 1024;
/// The same where stderr is a regular file: it takes everything soon, and whoever keeps a log in a file wants it whole.
pub const LOG_FILE_BYTES_MAX: usize = 64 * 1024 * 1024;
/// How long the last words may take to be written at the end.
pub const LAST_WORDS_MAX: Duration = Duration::from_secs(1);
/// Lines are written together up to so many bytes, which a pipe takes in one piece: lines of programs that share one do
/// not mix (`PIPE_BUF`).
const PIECE_BYTES: usize = 4096;

/// Between the parts of a line that changes. Where there is no room for all of it, it ends before one.
const BETWEEN_PARTS: &str = "  ";

/// Leaves nothing of the line that changes, at whose begin the cursor waits: nor of what it has run over into, where the terminal is
/// narrower now.
const CLEAR: &[u8] = b"\r\x1b[J";

/// The way to stderr, for as many as want to write there.
#[derive(Clone, Debug)]
pub(crate) struct LogSink(Arc<SharedQueue>);

#[derive(Debug)]
struct SharedQueue {
    queue: Mutex<Queue>,
    /// There is something to write.
    filled: Condvar,
    /// Everything was written.
    emptied: Condvar,
}

#[derive(Debug)]
struct Queue {
    /// Each with how many lines are missing where it is.
    lines: VecDeque<(Box<[u8]>, u64)>,
    /// Of the lines here, and of those that are being written.
    bytes: usize,
    bytes_max: usize,
    /// Lines that did not fit, since that was last said.
    dropped: u64,
    /// The thread is started with the first line.
    has_thread: bool,
    /// Whether there may be a line that changes.
    is_terminal: bool,
    /// What that is to say, and what it says.
    live: Option<Box<str>>,
    drawn: Option<Box<str>>,
}

impl LogSink {
    pub(crate) fn of_stderr() -> LogSink {
        let is_file = fstat(stderr()).is_ok_and(|stat| FileType::from_raw_mode(stat.st_mode).is_file());
        LogSink::new(if is_file { LOG_FILE_BYTES_MAX } else { LOG_BYTES_MAX }, io::stderr().is_terminal())
    }

    fn new(bytes_max: usize, is_terminal: bool) -> LogSink {
        let queue = Queue {
            lines: VecDeque::new(),
            bytes: 0,
            bytes_max,
            dropped: 0,
            has_thread: false,
            is_terminal,
            live: None,
            drawn: None,
        };
        LogSink(Arc::new(SharedQueue { queue: Mutex::new(queue), filled: Condvar::new(), emptied: Condvar::new() }))
    }

    /// Says a line that is not to be dropped: there are few of them.
    pub(crate) fn say(&self, line: &str) {
        self.add(format!("{line}\n").as_bytes(), true);
    }

    /// Whether a line that changes is shown.
    pub(crate) fn is_terminal(&self) -> bool {
        self.0.lock().is_terminal
    }

    /// From now on this is the line that changes, if there is to be one.
    pub(crate) fn show(&self, line: Option<&str>) {
        let mut queue = self.0.lock();
        if !queue.is_terminal {
            return;
        }
        queue.live = line.map(Into::into);
        if queue.has_thread || queue.live.is_some() {
            self.wake(&mut queue);
        }
    }

    /// Waits until everything was written, but not for long.
    pub(crate) fn finish(&self) {
        let mut queue = self.0.lock();
        queue.say_dropped();
        // Nothing that changes comes behind the last words.
        (queue.live, queue.is_terminal) = (None, false);
        if !queue.has_thread {
            return queue.write_by_itself();
        }
        self.0.filled.notify_one();
        let waited = self.0.emptied.wait_timeout_while(queue, LAST_WORDS_MAX, |queue| !queue.is_written());
        let (mut queue, _) = waited.unwrap_or_else(PoisonError::into_inner);
        // A thread may get its stack and no memory for anything else.
        if !queue.is_being_written() {
            queue.write_by_itself();
        }
    }

    fn add(&self, line: &[u8], is_due: bool) {
        let mut queue = self.0.lock();
        queue.say_dropped_if_half_empty();
        if !is_due && (queue.dropped > 0 || queue.bytes + line.len() > queue.bytes_max) {
            queue.dropped += 1;
            return;
        }
        queue.push(line);
        self.wake(&mut queue);
    }

    /// There is something to write.
    fn wake(&self, queue: &mut Queue) {
        if !queue.has_thread {
            let shared = Arc::clone(&self.0);
            // Without a thread the lines wait for the next try.
            queue.has_thread =
                thread::Builder::new().name("log".to_owned()).spawn(move || shared.write_lines()).is_ok();
        }
        self.0.filled.notify_one();
    }
}

/// One line in one piece, as `env_logger` writes them.
impl Write for LogSink {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.add(line, false);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

impl SharedQueue {
    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn write_lines(&self) {
        // There is room before anything is taken: whoever has none has taken nothing.
        let mut piece = Vec::with_capacity(PIECE_BYTES);
        loop {
            let queue = self.filled.wait_while(self.lock(), |queue| queue.is_taken());
            let mut queue = queue.unwrap_or_else(PoisonError::into_inner);
            let columns = queue.live.as_ref().map_or(0, |_| output::columns(stderr()));
            let (missing, bytes, live) = queue.take_all(&mut piece, columns);
            drop(queue);
            let written = output::write_all(stderr(), &piece);
            let mut queue = self.lock();
            queue.bytes -= bytes;
            // One that could not be drawn is not tried again: the next one is.
            queue.drawn = live;
            match written {
                Ok(()) => queue.say_dropped_if_half_empty(),
                // A full disk may have room later.
                Err(_) => queue.dropped += missing,
            }
            if queue.is_written() {
                self.emptied.notify_all();
            }
        }
    }
}

impl Queue {
    fn push(&mut self, line: &[u8]) {
        self.push_for(line, 1);
    }

    /// Adds a line without which so many are missing.
    fn push_for(&mut self, line: &[u8], count: u64) {
        self.bytes += line.len();
        self.lines.push_back((line.into(), count));
    }

    /// Whether there is nothing to write.
    fn is_taken(&self) -> bool {
        self.lines.is_empty() && self.live == self.drawn
    }

    /// Whether nothing is being written either.
    fn is_written(&self) -> bool {
        self.bytes == 0 && self.live == self.drawn
    }

    /// Whether the thread has taken some that it has not yet written.
    fn is_being_written(&self) -> bool {
        self.bytes > self.lines.iter().map(|(line, _)| line.len()).sum()
    }

    /// Takes lines that are written together, with the one that changes cleared before them and drawn anew behind them. How many
    /// are missing without them, how many bytes they have, and what the one that changes says then, of which so many columns are
    /// drawn.
    fn take_all(&mut self, piece: &mut Vec<u8>, columns: usize) -> (u64, usize, Option<Box<str>>) {
        let missing = self.take_piece(piece);
        let bytes = piece.len();
        if self.drawn.is_some() {
            piece.splice(0..0, CLEAR.iter().copied());
        }
        let live = self.live.clone();
        if let Some(live) = &live {
            piece.extend(fitting(live, columns).bytes().chain(*b"\r"));
        }
        (missing, bytes, live)
    }

    /// Takes as many lines as are written together, and says how many are missing without them.
    fn take_piece(&mut self, piece: &mut Vec<u8>) -> u64 {
        piece.clear();
        let mut count = 0;
        let fits = |piece: &[u8], line: &[u8]| piece.is_empty() || piece.len() + line.len() <= PIECE_BYTES;
        while self.lines.front().is_some_and(|(line, _)| fits(piece, line)) {
            let Some((line, missing)) = self.lines.pop_front() else { break };
            piece.extend(line);
            count += missing;
        }
        count
    }

    /// Where the system gives no thread, or one that does not come to it: the last words are written as long as there is room for them.
    fn write_by_itself(&mut self) {
        let mut piece = Vec::new();
        while !self.lines.is_empty() && output::has_room(stderr()) {
            self.take_piece(&mut piece);
            self.bytes -= piece.len();
            // There is nobody left to be told.
            let _ = output::write_all(stderr(), &piece);
        }
    }

    /// Half of the room is waited for, so that not every other line is one that says how few are missing.
    fn say_dropped_if_half_empty(&mut self) {
        if self.bytes <= self.bytes_max / 2 {
            self.say_dropped();
        }
    }

    /// Says how many lines are missing here, if any are.
    fn say_dropped(&mut self) {
        if self.dropped > 0 {
            let verb = if self.dropped == 1 { "was" } else { "were" };
            let time = humantime::format_rfc3339_millis(SystemTime::now());
            let line = format!("[{time} WARN  log] {} {verb} not logged\n", counted(self.dropped, "line"));
            let missing = std::mem::take(&mut self.dropped);
            self.push_for(line.as_bytes(), missing);
        }
    }
}

/// As much of a line as stays on it, and leaves the last column free: in that some terminals begin the next. It has a column for
/// each character.
fn fitting(line: &str, columns: usize) -> &str {
    let Some((cut, _)) = line.char_indices().nth(columns.saturating_sub(1)) else { return line };
    // A part may end just there.
    let ends = line.match_indices(BETWEEN_PARTS).map(|(end, _)| end);
    let end = ends.take_while(|end| *end <= cut).last().unwrap_or(cut);
    line.get(..end).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc::channel;

    #[test]
    fn the_line_that_changes_stays_below_all_others_and_is_gone_at_the_end() {
        let sink = LogSink::new(LOG_BYTES_MAX, true);
        let mut queue = sink.0.lock();
        let next = |queue: &mut Queue| {
            let mut piece = Vec::new();
            let (_, bytes, live) = queue.take_all(&mut piece, 10);
            queue.bytes -= bytes;
            queue.drawn = live;
            (String::from_utf8(piece).unwrap(), queue.is_written())
        };
        queue.live = Some("half".into());
        assert!(!queue.is_taken());
        assert_eq!(next(&mut queue), ("half\r".to_owned(), true));
        queue.push(b"said\n");
        assert_eq!(next(&mut queue), ("\r\x1b[Jsaid\nhalf\r".to_owned(), true));
        queue.live = Some("all".into());
        assert_eq!(next(&mut queue), ("\r\x1b[Jall\r".to_owned(), true));
        queue.live = None;
        queue.push(b"over\n");
        assert!(!queue.is_written());
        assert_eq!(next(&mut queue), ("\r\x1b[Jover\n".to_owned(), true));
        assert!(queue.is_taken());
        drop(queue);
        let sink = LogSink::new(LOG_BYTES_MAX, false);
        sink.show(Some("half"));
        assert!(sink.0.lock().is_taken(), "where there is no terminal nothing changes");
    }

    /// Or each drawing of it would leave the one before it on the screen.
    #[test]
    fn of_the_line_that_changes_as_much_is_drawn_as_the_terminal_is_wide() {
        let line = "hashing: 61 %  131.0 GB of 214.7 GB  1 min 10 s left  1.2 GB/s";
        let [all, left, of_all, percent] = [62, 52, 35, 13].map(|length| &line[..length]);
        for (columns, drawn) in [
            (120, all),
            (63, all),
            (62, left),
            (60, left),
            (53, left),
            (52, of_all),
            (36, of_all),
            (35, percent),
            (14, percent),
            (13, "hashing: 61 "),
            (2, "h"),
            (1, ""),
            (0, ""),
        ] {
            assert_eq!(fitting(line, columns), drawn, "{columns} columns");
        }
        assert_eq!(fitting("\u{e9}\u{e9}\u{e9}", 3), "\u{e9}\u{e9}");
        let sink = LogSink::new(LOG_BYTES_MAX, true);
        let (mut queue, mut piece) = (sink.0.lock(), Vec::new());
        queue.live = Some(line.into());
        let (.., live) = queue.take_all(&mut piece, 60);
        assert_eq!((piece.as_slice(), live.as_deref()), (format!("{left}\r").as_bytes(), Some(line)));
    }

    #[test]
    fn the_last_words_wake_whoever_writes_them() {
        let sink = LogSink::new(LOG_BYTES_MAX, false);
        sink.0.lock().dropped = 2;
        sink.0.lock().has_thread = true;
        let shared = Arc::clone(&sink.0);
        let (sender, waits) = channel();
        let writer = thread::spawn(move || {
            let queue = shared.lock();
            // The queue is free again only once this thread waits.
            sender.send(()).unwrap();
            let mut queue = shared.filled.wait_while(queue, |queue| queue.lines.is_empty()).unwrap();
            let mut piece = Vec::new();
            queue.take_piece(&mut piece);
            queue.bytes -= piece.len();
            shared.emptied.notify_all();
            String::from_utf8(piece).unwrap()
        });
        waits.recv().unwrap();
        sink.finish();
        assert_eq!(sink.0.lock().bytes, 0);
        let written = writer.join().unwrap();
        assert!(written.ends_with("2 lines were not logged\n"), "{written}");
    }
}
