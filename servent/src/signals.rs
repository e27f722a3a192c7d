//! Signals, from the first moment of the program on: what comes before the loop stands kills nobody and is not lost.
//!
//! A handler writes to a pipe, which the loop watches with its sockets. While there is no loop yet, a signal to leave
//! ends the program by itself, so that nobody waits for data to be read or a name to be looked up.
//!
//! `signal-hook` puts its handler in place first and tells it what to do afterwards: what comes in between is caught and
//! nothing comes of it. Hence all of them are held back until that is done.

use std::fs;
use std::io::{self, Read};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use nix::sys::signal::{SigSet, SigmaskHow, Signal};
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

/// Signals that wait for as long as this is there, and come when it is dropped. What is to come of one is said in the
/// meantime, and only then.
///
/// It holds them back from the thread that made it and from those that one starts meanwhile: it is for a program that has
/// no other thread yet.
struct HeldBack {
    before: SigSet,
}

impl HeldBack {
    fn hold(signals: impl IntoIterator<Item = Signal>) -> io::Result<HeldBack> {
        let held: SigSet = signals.into_iter().collect();
        Ok(HeldBack { before: held.thread_swap_mask(SigmaskHow::SIG_BLOCK)? })
    }

    /// Has a signal write a byte to a pipe.
    fn tell(&self, signal: i32, pipe: UnixStream) -> io::Result<()> {
        low_level::pipe::register(signal, pipe).map(drop)
    }

    /// Has a signal end the program with this exit code for as long as this is so.
    fn end_while(&self, signal: i32, code: i32, is_so: &Arc<AtomicBool>) -> io::Result<()> {
        flag::register_conditional_shutdown(signal, code, Arc::clone(is_so)).map(drop)
    }
}

impl Drop for HeldBack {
    fn drop(&mut self) {
        // A mask the system gave it takes back.
        let _ = self.before.thread_set_mask();
    }
}

impl Signals {
    /// Hears them from now on. One to leave ends the program with this exit code until the loop stands.
    pub(crate) fn hear(code_until_the_loop: i32) -> io::Result<Signals> {
        let starting = Arc::new(AtomicBool::new(true));
        let (leave, left) = UnixStream::pair()?;
        let (reload, reloaded) = UnixStream::pair()?;
        for stream in [&leave, &reload] {
            stream.set_nonblocking(true)?;
        }
        let held = HeldBack::hold([Signal::SIGHUP, Signal::SIGTERM, Signal::SIGINT])?;
        held.tell(SIGHUP, reloaded)?;
        // Whoever started us where SIGINT is not for us, as a shell does behind `&`, does not want it heard.
        let leaving = if is_ignored(SIGINT) { &[SIGTERM][..] } else { &[SIGTERM, SIGINT] };
        for signal in leaving {
            held.end_while(*signal, code_until_the_loop, &starting)?;
            held.tell(*signal, left.try_clone()?)?;
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
    use std::io::{ErrorKind, Write};
    use std::time::Duration;

    use nix::sys::signal::raise;

    use super::*;

    /// The worst moment there is: nobody hears it yet, so that it would end this process.
    #[test]
    fn a_signal_that_comes_while_it_is_being_seen_to_waits_and_is_heard() {
        let before = SigSet::thread_get_mask().unwrap();
        let (told, tells) = UnixStream::pair().unwrap();
        told.set_nonblocking(true).unwrap();
        let heard = || (&told).read(&mut [0; 8]).map_err(|error| error.kind());
        let held = HeldBack::hold([Signal::SIGUSR1]).unwrap();
        raise(Signal::SIGUSR1).unwrap();
        held.tell(Signal::SIGUSR1 as i32, tells).unwrap();
        assert_eq!(heard(), Err(ErrorKind::WouldBlock), "it was not held back");
        drop(held);
        assert_eq!(heard(), Ok(1));
        assert_eq!(SigSet::thread_get_mask().unwrap(), before, "it is held back for ever");
        raise(Signal::SIGUSR1).unwrap();
        assert_eq!(heard(), Ok(1));
    }

    #[test]
    fn what_was_said_thrice_before_there_is_a_loop_is_heard_once_by_it() {
        let mut poller = Poller::new().unwrap();
        let (signals, [_leave, reload]) = Signals::none().unwrap();
        (0..3).for_each(|_| assert_eq!((&reload).write(b"r").unwrap(), 1));
        let watched = signals.watch(&poller, 1, 2).unwrap();
        let mut ready = Vec::new();
        poller.wait(Some(Duration::ZERO), &mut ready).unwrap();
        assert_eq!(ready.iter().map(|ready| ready.key).collect::<Vec<_>>(), [2]);
        watched.reload.drain();
        poller.wait(Some(Duration::ZERO), &mut ready).unwrap();
        assert_eq!(ready, []);
    }

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
