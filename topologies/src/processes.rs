//! The processes this program started, none of which outlives it.
//!
//! One is started and noted in a single step, under the lock that ending takes too: whoever is told to end knows all
//! that run, and nothing is started after that. A process is reaped under the same lock, so an id that is signalled is
//! still its own. Of an end that nobody can see coming (SIGKILL) the system tells what we started, because we asked for
//! it by `--with-parent`. What the processes are for is `fleet`'s and `asking`'s.

use std::collections::BTreeSet;
use std::fs;
use std::io::{self, Read};
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdin, ChildStdout, Command, ExitStatus, Output};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::Duration;

use anyhow::Context;
use rustix::io::retry_on_intr;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process, waitid};
use servent::signals::is_ignored;
use signal_hook::consts::{SIGHUP, SIGINT, SIGTERM};
use signal_hook::iterator::Signals;

/// How long what we started may take to leave when told to; a servent gives itself 2 s.
pub const LEAVE_MAX: Duration = Duration::from_secs(5);

/// What runs, and whether more may.
#[derive(Debug)]
struct Running {
    pids: BTreeSet<i32>,
    /// This program is a person's: what it starts ends with it, and leaves the keys of the terminal to it.
    ends_with_us: bool,
    /// Somebody else has the terminal: an interrupt there is not meant for us.
    in_front: bool,
    /// Set when an interrupt comes, which may be long before anybody looks at it.
    interrupted: Option<Arc<AtomicBool>>,
    /// We were told to end: nothing more is started.
    ending: bool,
    /// What is put right on the terminal before this program exits.
    before_exit: Option<fn()>,
}

static RUNNING: Mutex<Running> = Mutex::new(Running {
    pids: BTreeSet::new(),
    ends_with_us: false,
    in_front: false,
    interrupted: None,
    ending: false,
    before_exit: None,
});

fn running() -> MutexGuard<'static, Running> {
    RUNNING.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Running {
    /// Whether an interrupt is meant for us: not while somebody else has the terminal, nor if it came when they had.
    fn take_interrupt(&self) -> bool {
        !self.in_front && self.interrupted.as_ref().is_some_and(|flag| flag.swap(false, Ordering::SeqCst))
    }

    fn take_terminal_back(&mut self) {
        self.in_front = false;
        self.interrupted.iter().for_each(|flag| flag.store(false, Ordering::SeqCst));
    }

    fn tell_all(&self, signal: Signal) {
        // The newest first: it may be about to connect to those before it, and would say that they are gone.
        for pid in self.pids.iter().rev().filter_map(|pid| Pid::from_raw(*pid)) {
            // One that has just ended by itself needs no telling.
            let _ = kill_process(pid, signal);
            // One that is stopped hears of it when it goes on.
            let _ = kill_process(pid, Signal::CONT);
        }
    }
}

/// A process of ours. Killed when dropped.
#[derive(Debug)]
pub struct Process {
    child: Child,
    pid: Pid,
    in_front: bool,
    status: Option<ExitStatus>,
}

impl Process {
    /// Starts a process. Where this program is told to end, it does not return.
    ///
    /// The system ends what was started when the *thread* that started it ends, so once [`end_all_on_signals`] was
    /// called this belongs into the main thread.
    pub fn start(command: &mut Command) -> io::Result<Process> {
        Process::start_under(running(), command, false)
    }

    /// Starts the process that has the terminal, and with it Ctrl-C, until it ends.
    pub fn start_in_front(command: &mut Command) -> io::Result<Process> {
        Process::start_under(running(), command, true)
    }

    fn start_under(running: MutexGuard<'_, Running>, command: &mut Command, in_front: bool) -> io::Result<Process> {
        let mut running = stay_if_ending(running);
        if running.ends_with_us && !in_front {
            command.process_group(0);
        }
        let child = command.spawn()?;
        let pid = Pid::from_child(&child);
        running.pids.insert(pid.as_raw_nonzero().get());
        running.in_front |= in_front;
        Ok(Process { child, pid, in_front, status: None })
    }

    /// Its id, which is its own until it was waited for.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.pid
    }

    /// Its stdin, where that is a pipe and was not taken before.
    pub fn take_stdin(&mut self) -> Option<ChildStdin> {
        self.child.stdin.take()
    }

    /// Its stdout, where that is a pipe and was not taken before.
    pub fn take_stdout(&mut self) -> Option<ChildStdout> {
        self.child.stdout.take()
    }

    /// Its stderr, where that is a pipe and was not taken before.
    pub fn take_stderr(&mut self) -> Option<ChildStderr> {
        self.child.stderr.take()
    }

    /// Sends it a signal, unless it is known to have ended.
    pub fn signal(&self, signal: Signal) {
        let _running = running();
        if self.status.is_none() {
            // It has not been reaped, so the id is still its own.
            let _ = kill_process(self.pid, signal);
        }
    }

    /// Waits until it has ended.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        if self.status.is_none() {
            // Not reaped here: until the lock is held, somebody may be about to signal it.
            let _ = retry_on_intr(|| waitid(WaitId::Pid(self.pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
        }
        self.reap(Child::wait)
    }

    /// How it ended, if it has.
    pub fn try_wait(&mut self) -> io::Result<Option<ExitStatus>> {
        self.reap(Child::try_wait)
    }

    fn reap<Status: Copy + Into<Option<ExitStatus>>>(
        &mut self,
        wait: fn(&mut Child) -> io::Result<Status>,
    ) -> io::Result<Status> {
        let mut running = running();
        let status = wait(&mut self.child)?;
        if let Some(status) = status.into() {
            self.status = Some(status);
            running.pids.remove(&self.pid.as_raw_nonzero().get());
            if self.in_front {
                running.take_terminal_back();
            }
        }
        Ok(status)
    }

    /// All it prints on stdout and stderr, which are pipes, and how it ended. Where this program is told to end, it does
    /// not return: the end of others is not theirs.
    pub fn output(mut self) -> io::Result<Output> {
        let stderr = self.take_stderr();
        let reader = thread::Builder::new().name("pipe".to_owned()).spawn(move || read_all(stderr))?;
        let stdout = read_all(self.take_stdout())?;
        let stderr = reader.join().map_err(|_| io::Error::other("the thread that read stderr failed"))??;
        let status = self.wait()?;
        stay_if_told_to_end();
        Ok(Output { status, stdout, stderr })
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if self.status.is_none() {
            self.signal(Signal::KILL);
            let _ = self.wait();
        }
    }
}

fn read_all(pipe: Option<impl Read>) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    pipe.map_or(Ok(0), |mut pipe| pipe.read_to_end(&mut bytes))?;
    Ok(bytes)
}

/// What a process takes of memory: now, at most until now, and with all that it asked for and has not used.
#[derive(Clone, Copy, Debug)]
pub struct MemoryBytes {
    /// In use now.
    pub now: usize,
    /// The most there ever was in use.
    pub most: usize,
    /// All it asked for.
    pub asked_for: usize,
}

/// What this process takes of memory. An error of one that has ended.
pub fn memory_of(pid: Pid) -> anyhow::Result<MemoryBytes> {
    let status = fs::read_to_string(format!("/proc/{}/status", pid.as_raw_nonzero()))?;
    let field = |name: &str| {
        let line = status.lines().find_map(|line| line.strip_prefix(name));
        let kib = line.and_then(|line| line.trim().strip_suffix(" kB")?.parse::<usize>().ok());
        kib.map(|kib| kib * 1024).with_context(|| format!("the system says nothing of {name}"))
    };
    Ok(MemoryBytes { now: field("VmRSS:")?, most: field("VmHWM:")?, asked_for: field("VmSize:")? })
}

/// What a program of ours is to be told first, so that it does not outlive this one.
#[must_use]
pub fn with_parent() -> Option<String> {
    running().ends_with_us.then(|| format!("--with-parent={}", std::process::id()))
}

/// From now on, everything this program starts ends with it: on SIGTERM and SIGHUP, on SIGINT unless somebody else has
/// the terminal, and by the system where this program is ended without a word.
///
/// Told once, everybody is told to leave and waited for; told again, all are killed. Then the program exits as one that
/// a signal ended.
pub fn end_all_on_signals() -> anyhow::Result<()> {
    let interrupted = Arc::new(AtomicBool::new(false));
    // Whoever started us where one is not for us does not want it heard, as a shell behind `&` or `nohup`.
    let watched = [SIGTERM, SIGHUP, SIGINT].into_iter().filter(|signal| !is_ignored(*signal)).collect::<Vec<i32>>();
    // Before the other: by the time that one tells of it, this has it.
    if watched.contains(&SIGINT) {
        signal_hook::flag::register(SIGINT, Arc::clone(&interrupted)).context("cannot watch for Ctrl-C")?;
    }
    let mut signals = Signals::new(watched).context("cannot watch for signals")?;
    let mut running = running();
    running.ends_with_us = true;
    running.interrupted = Some(interrupted);
    drop(running);
    let listen = move || signals.forever().for_each(on_signal);
    thread::Builder::new().name("signals".to_owned()).spawn(listen).context("cannot start a thread for signals")?;
    Ok(())
}

fn on_signal(signal: i32) {
    let mut running = running();
    if signal == SIGINT && !running.take_interrupt() {
        return;
    }
    if running.ending {
        return running.tell_all(Signal::KILL);
    }
    running.ending = true;
    running.tell_all(Signal::TERM);
    let (sender, gone) = channel();
    let pids = running.pids.clone();
    let wait = move || {
        for pid in pids.into_iter().filter_map(Pid::from_raw) {
            // One that is no child any more was reaped meanwhile.
            let _ = retry_on_intr(|| waitid(WaitId::Pid(pid), WaitIdOptions::EXITED | WaitIdOptions::NOWAIT));
        }
        sender.send(())
    };
    // Threads of their own, so that this one hears of a second signal.
    let waits = thread::Builder::new().name("ending".to_owned()).spawn(wait);
    let leaves = waits.and_then(|_| {
        let leave = move || leave(signal, &gone);
        thread::Builder::new().name("leaving".to_owned()).spawn(leave)
    });
    if leaves.is_err() {
        running.tell_all(Signal::KILL);
        std::process::exit(128 + signal);
    }
}

fn leave(signal: i32, gone: &Receiver<()>) {
    if gone.recv_timeout(LEAVE_MAX).is_err() {
        running().tell_all(Signal::KILL);
        let _ = gone.recv();
    }
    let before_exit = running().before_exit;
    before_exit.iter().for_each(|what| what());
    std::process::exit(128 + signal);
}

/// Has this done before the program exits because a signal told it to. It must not wait for long.
pub fn do_before_exit(what: fn()) {
    running().before_exit = Some(what);
}

/// Returns at once, unless this program was told to end: then it never does, and another thread exits.
pub fn stay_if_told_to_end() {
    drop(stay_if_ending(running()));
}

fn stay_if_ending(running: MutexGuard<'_, Running>) -> MutexGuard<'_, Running> {
    if running.ending {
        drop(running);
        loop {
            thread::park();
        }
    }
    running
}
