//! Bytes for stdout and stderr, whoever else has them open and in whatever mode.
//!
//! std holds a lock for as long as a write lasts, and gives up on a descriptor that another program made non-blocking.
//! Here is no lock, and room is waited for. Whoever must not wait asks first, or has a thread that waits (`log_sink`).
//! How wide a terminal is that shows them, and whether its cursor moves, is asked here as well, and what becomes of what is wider is not decided.

use std::env;
use std::io;
use std::os::fd::BorrowedFd;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::{Errno, write};
use rustix::termios::tcgetwinsize;

/// So wide a terminal is taken to be that does not say.
const COLUMNS_USUAL: usize = 80;

/// Writes all of it, however long that takes.
pub fn write_all(to: BorrowedFd<'_>, mut bytes: &[u8]) -> io::Result<()> {
    while !bytes.is_empty() {
        match write(to, bytes) {
            Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
            Ok(count) => bytes = bytes.get(count..).unwrap_or_default(),
            Err(Errno::INTR) => {}
            Err(Errno::AGAIN) => {
                wait(to, None)?;
            }
            Err(error) => return Err(error.into()),
        }
    }
    Ok(())
}

/// Whether a line can be written without waiting. What fails does not wait either.
#[must_use]
pub fn has_room(to: BorrowedFd<'_>) -> bool {
    wait(to, Some(Timespec::default())).unwrap_or(true)
}

/// How wide the terminal is now, in columns.
#[must_use]
pub fn columns(terminal: BorrowedFd<'_>) -> usize {
    let told = tcgetwinsize(terminal).map_or(0, |size| usize::from(size.ws_col));
    if told == 0 { COLUMNS_USUAL } else { told }
}

/// Whether the terminal that people say they have (`TERM`) can be cleared, and its cursor moved.
#[must_use]
pub fn can_move_cursor() -> bool {
    env::var_os("TERM").is_some_and(|term| !term.is_empty() && term != "dumb")
}

/// Whether there is room within this time.
fn wait(to: BorrowedFd<'_>, time: Option<Timespec>) -> io::Result<bool> {
    loop {
        match poll(&mut [PollFd::new(&to, PollFlags::OUT)], time.as_ref()) {
            Ok(count) => return Ok(count > 0),
            Err(Errno::INTR) => {}
            Err(error) => return Err(error.into()),
        }
    }
}
