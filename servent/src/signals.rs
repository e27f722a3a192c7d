//! Signals, from the first moment of the program on: what comes before the loop stands kills nobody and is not lost.
//!
//! A handler writes to a pipe, which the loop watches with its sockets. While there is no loop yet, a signal to leave
//! ends the program by itself, so that nobody waits for data to be read or a name to be looked up.

use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM, SIGXFSZ};
use signal_hook::{flag, low_level};

use crate::poller::{Interest, Poller, Watched};

/// The signals a servent hears, before there is a loop.
pub(crate) struct Signals {
    leave: UnixStream,
    reload: UnixStream,
    /// True until a loop stands that watches these two. What came until then waits in them.
    starting: Arc<AtomicBool>,
}

/// The same with a loop around them.
pub(crate) struct WatchedSignals {
    /// Readable once it has been told to leave.
    pub(crate) leave: SignalPipe,
    /// Readable once it has been told to read its data again.
    pub(crate) reload: SignalPipe,
    starting: Arc<AtomicBool>,
}

/// Where a signal is heard: once, however often it was given meanwhile.
pub(crate) struct SignalPipe(Watched<UnixStream>);

impl Signals {
    /// Hears them from now on. One to leave ends the program with this exit code until the loop stands.
    pub(crate) fn hear(code_until_the_loop: i32) -> io::Result<Signals> {
        let starting = Arc::new(AtomicBool::new(true));
        let (leave, left) = UnixStream::pair()?;
        let (reload, reloaded) = UnixStream::pair()?;
        for stream in [&leave, &reload] {
            stream.set_nonblocking(true)?;
        }
        low_level::pipe::register(SIGHUP, reloaded)?;
        // Whoever started us where SIGINT is not for us, as a shell does behind `&`, does not want it heard.
        let leaving = if is_ignored(SIGINT) { &[SIGTERM][..] } else { &[SIGTERM, SIGINT] };
        for signal in leaving {
            flag::register_conditional_shutdown(*signal, code_until_the_loop, Arc::clone(&starting))?;
            low_level::pipe::register(*signal, left.try_clone()?)?;
        }
        Ok(Signals { leave, reload, starting })
    }

    /// None of them, but the ends of pipes to write to in their place: one has the servent leave, one reload.
    pub(crate) fn none() -> io::Result<(Signals, [UnixStream; 2])> {
        let (leave, left) = UnixStream::pair()?;
        let (reload, reloaded) = UnixStream::pair()?;
        for stream in [&leave, &left, &reload, &reloaded] {
            stream.set_nonblocking(true)?;
        }
        Ok((Signals { leave, reload, starting: Arc::default() }, [left, reloaded]))
    }

    /// Has them wake a loop, under these keys.
    pub(crate) fn watch(self, poller: &Poller, leave_key: usize, reload_key: usize) -> io::Result<WatchedSignals> {
        let watch = |signal, key| poller.watch(signal, key, Interest::Read).map(SignalPipe);
        let leave = watch(self.leave, leave_key)?;
        let reload = watch(self.reload, reload_key)?;
        Ok(WatchedSignals { leave, reload, starting: self.starting })
    }
}

impl WatchedSignals {
    /// The loop stands: from now on no signal ends the program by itself.
    pub(crate) fn take_over(&self) {
        self.starting.store(false, Ordering::SeqCst);
    }
}

impl SignalPipe {
    pub(crate) fn drain(&self) {
        let mut bytes = [0; 64];
        while (&*self.0).read(&mut bytes).is_ok_and(|count| count > 0) {}
    }
}

/// Has writing fail where a file may not grow further (`ulimit -f`), as on a full disk. Otherwise it kills.
pub fn outlive_full_files() -> io::Result<()> {
    flag::register(SIGXFSZ, Arc::default()).map(drop)
}

/// Whether this process was started with a signal ignored: then it is not for us. Where the system does not say, it was
/// not.
#[must_use]
pub fn is_ignored(signal: i32) -> bool {
    fs::read_to_string("/proc/self/status").is_ok_and(|status| is_ignored_in(&status, signal))
}

fn is_ignored_in(status: &str, signal: i32) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok()).unwrap_or(0);
    let bit = u32::try_from(signal - 1).ok().and_then(|place| 1_u64.checked_shl(place));
    bit.is_some_and(|bit| mask & bit != 0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ignored_is_read_from_a_mask() {
        let status =
            "Name:\tservent\nSigBlk:\t0000000000000000\nSigIgn:\t0000000000001002\nSigCgt:\t0000000000004001\n";
        assert!(is_ignored_in(status, SIGINT));
        assert!(!is_ignored_in(status, SIGHUP) && !is_ignored_in(status, SIGTERM));
        for status in ["", "SigIgn:\n", "SigIgn:\tnonsense\n", "SigCgt:\t0000000000000002\n"] {
            assert!(!is_ignored_in(status, SIGINT), "{status}");
        }
        assert!(!is_ignored_in(status, 0) && !is_ignored_in(status, 65));
    }
}
