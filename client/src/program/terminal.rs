//! The terminal: opened for the client alone, saved before line editing changes it, given back as it was if the program
//! is told to end meanwhile.
//!
//! The editing itself is rustyline's; it restores the terminal whenever it returns, but not when a signal ends us.

use std::ffi::OsStr;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::fd::BorrowedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::OpenOptionsExt;
use std::path::Path;
use std::process;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};

use anyhow::Context;
use rustix::fs::{OFlags, fcntl_getfl, fstat};
use rustix::io::write;
use rustix::stdio::{dup2_stdin, dup2_stdout, stdin, stdout};
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcgetwinsize, tcsetattr, ttyname};
use servent::output;
use servent::signals::is_ignored;
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;

/// Ends the editing of a line: pastes come without marks again (DEC mode 2004), and the shell's prompt begins a line.
const LEAVE_LINE: &[u8] = b"\x1b[?2004l\r\n";

/// Where results are written, for whoever waits for its end.
pub(crate) fn results() -> BorrowedFd<'static> {
    stdout()
}

/// How wide the one is that results are shown on.
pub(crate) fn columns_of_results() -> usize {
    output::columns(stdout())
}

/// How many rows that has; nothing where it does not say.
pub(crate) fn rows_of_results() -> Option<usize> {
    let rows = tcgetwinsize(stdout()).map_or(0, |size| usize::from(size.ws_row));
    (rows > 0).then_some(rows)
}

/// Whether that can be cleared, and the cursor moved.
pub(crate) fn can_clear() -> bool {
    output::can_move_cursor()
}

/// Opens the terminal once more, in place of what was inherited. Who shares a descriptor shares its mode: the line editor
/// could not wait for a key once another program has made it non-blocking. False where it cannot wait.
pub(crate) fn make_own() -> bool {
    let input = open_again(stdin()).and_then(|own| dup2_stdin(own).map_err(Into::into));
    let output = open_again(stdout()).and_then(|own| dup2_stdout(own).map_err(Into::into));
    for error in [input, output].into_iter().filter_map(Result::err) {
        log::debug!("the terminal is shared: {error}");
    }
    let waits = |end| fcntl_getfl(end).is_ok_and(|mode| !mode.contains(OFlags::NONBLOCK));
    waits(stdin()) && waits(stdout())
}

fn open_again(terminal: BorrowedFd<'_>) -> io::Result<File> {
    let name = ttyname(terminal, Vec::new())?;
    let flags = OFlags::NOCTTY.bits().cast_signed();
    let path = Path::new(OsStr::from_bytes(name.to_bytes()));
    let own = OpenOptions::new().read(true).write(true).custom_flags(flags).open(path)?;
    // Behind another root there may be another terminal of that name.
    let (shared, same) = (fstat(terminal)?, fstat(&own)?);
    if (shared.st_dev, shared.st_ino, shared.st_rdev) != (same.st_dev, same.st_ino, same.st_rdev) {
        return Err(io::Error::other("it has another name"));
    }
    Ok(own)
}

/// Ends the process on SIGTERM and SIGHUP as they would have (not where they were ignored when it started), with the terminal as it is now. One that is plain was not
/// changed, and would show what it is told.
pub(crate) fn restore_on_signals(is_plain: bool) -> anyhow::Result<Hangup> {
    let saved: Termios = tcgetattr(stdin()).context("cannot read the terminal's settings")?;
    let ending: Vec<i32> = [SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal)).collect();
    let is_told = Arc::default();
    if ending.contains(&SIGHUP) {
        signal_hook::flag::register(SIGHUP, Arc::clone(&is_told)).context("cannot watch for signals")?;
    }
    let mut signals = Signals::new(ending).context("cannot watch for signals")?;
    let ends = thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                // A terminal that has gone away needs no settings.
                let _ = tcsetattr(stdin(), OptionalActions::Now, &saved);
                let _ = write(stdout(), if is_plain { b"\n" } else { LEAVE_LINE });
                process::exit(128 + signal);
            }
        })
        .context("cannot start a thread for signals")?;
    Ok(Hangup { is_told, ends })
}

/// A terminal that hangs up says so by SIGHUP, and then it cannot be read. Both come at once, and the signal is the one
/// that ends the process.
pub(crate) struct Hangup {
    is_told: Arc<AtomicBool>,
    ends: JoinHandle<()>,
}

impl Hangup {
    /// Lets the signal end the process, if it came.
    pub(crate) fn end_if_told(&self) {
        while self.is_told.load(Ordering::SeqCst) && !self.ends.is_finished() {
            thread::park();
        }
    }
}
