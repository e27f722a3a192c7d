//! The terminal as it was: saved before line editing changes it, given back if the program is told to end meanwhile.
//!
//! The editing itself is rustyline's; it restores the terminal whenever it returns, but not when a signal ends us.

use std::io::{self, Write};
use std::process;
use std::thread;

use anyhow::Context;
use rustix::termios::{OptionalActions, Termios, tcgetattr, tcsetattr};
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;

/// Ends the editing of a line: pastes come without marks again (DEC mode 2004), and the shell's prompt begins a line.
const LEAVE_LINE: &[u8] = b"\x1b[?2004l\r\n";

/// Ends the process on SIGTERM and SIGHUP as they would have, with the terminal as it is now. One that is plain was not
/// changed, and would show what it is told.
pub(crate) fn restore_on_signals(is_plain: bool) -> anyhow::Result<()> {
    let saved: Termios = tcgetattr(io::stdin()).context("cannot read the terminal's settings")?;
    let mut signals = Signals::new([SIGTERM, SIGHUP]).context("cannot watch for signals")?;
    thread::Builder::new()
        .name("signals".to_owned())
        .spawn(move || {
            if let Some(signal) = signals.forever().next() {
                // A terminal that has gone away needs no settings.
                let _ = tcsetattr(io::stdin(), OptionalActions::Now, &saved);
                let _ = io::stdout().write_all(if is_plain { b"\n" } else { LEAVE_LINE });
                let _ = io::stdout().flush();
                process::exit(128 + signal);
            }
        })
        .context("cannot start a thread for signals")?;
    Ok(())
}
