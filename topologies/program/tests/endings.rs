//! How the topology program is ended: by a person, by a signal, by force, at any moment. Nothing it started outlives it.
//!
//! What it started is found by a mark in the environment.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::fmt::Write as _;
use std::fs;
use std::io::{BufRead, BufReader, Read, Write as _};
use std::os::fd::AsFd;
use std::process::{Child, ChildStderr, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process, pidfd_open};
use tempfile::TempDir;
use topologies::fleet::{hear_signals, some_loopback_address};

mod support;

use support::{DEBUG_WARNING, Mark, Marked};

/// The longest anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

/// So many that a signal comes while some are started and some are not.
const SERVENTS: usize = 12;
/// So many more than those that are waited for come up that it is not over when they have.
const ROW: usize = 72;

/// A topology program that runs, and a way to find what it started.
struct Program {
    child: Child,
    stderr: BufReader<ChildStderr>,
    mark: Mark,
    _directory: TempDir,
}

impl Program {
    /// Starts `topology run` or `check` with a row of servents.
    fn start(what: &str) -> Program {
        Program::start_behind("", what)
    }

    /// The same after a shell has done something, and becomes it.
    fn start_behind(before: &str, what: &str) -> Program {
        let directory = tempfile::tempdir().unwrap();
        let mut row = String::new();
        for place in 0..ROW {
            let next = if place + 1 < ROW { format!("127.0.0.1:{}", 9501 + place) } else { String::new() };
            writeln!(row, "servent {} - {next}", 9500 + place).unwrap();
        }
        let path = directory.path().join("row.topo");
        fs::write(&path, row).unwrap();
        let (path, address) = (path.display().to_string(), some_loopback_address().to_string());
        Program::start_words(before, &[what, &path, "--address", &address], directory)
    }

    fn start_words(before: &str, words: &[&str], directory: TempDir) -> Program {
        hear_signals().unwrap();
        let mut command = Command::new("sh");
        command.args(["-c", &format!("{before} exec \"$0\" \"$@\""), env!("CARGO_BIN_EXE_topology")]).args(words);
        let mark = Mark::put_on(&mut command);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut child = command.spawn().unwrap();
        let stderr = BufReader::new(child.stderr.take().unwrap());
        Program { child, stderr, mark, _directory: directory }
    }

    /// What it started and still runs.
    fn started(&self) -> Vec<Marked> {
        let own = Pid::from_child(&self.child);
        self.mark.processes().into_iter().filter(|process| process.pid != own).collect()
    }

    /// Waits until so many servents run. Fewer only where it ended before.
    fn wait_for_servents(&mut self, count: usize) -> Vec<Marked> {
        // Until it is one, it is a second topology.
        self.wait_for("servent", count)
    }

    fn wait_for(&mut self, name: &str, count: usize) -> Vec<Marked> {
        let until = Instant::now() + PATIENCE;
        loop {
            let mut started = self.started();
            started.retain(|process| process.name == name);
            if started.len() >= count || self.child.try_wait().unwrap().is_some() {
                return started;
            }
            assert!(Instant::now() < until, "{count} of {name} are not started: {started:?}");
            std::thread::yield_now();
        }
    }

    fn wait_until_up(&mut self) {
        let mut line = String::new();
        self.stderr.read_line(&mut line).unwrap();
        assert_eq!(line, format!("row: {ROW} servents, {} links\n", ROW - 1));
    }

    fn signal(&self, signal: Signal) {
        kill_process(Pid::from_child(&self.child), signal).unwrap();
    }

    /// Waits until it has ended, and returns what it had still to say on stderr.
    fn wait(&mut self) -> (ExitStatus, String) {
        await_end(Pid::from_child(&self.child));
        let status = self.child.wait().unwrap();
        let mut rest = String::new();
        self.stderr.read_to_string(&mut rest).unwrap();
        (status, rest)
    }

    /// Those whose end nobody waits for are told by the system, and leave in their own time.
    fn wait_until_nothing_is_left(&self) {
        let until = Instant::now() + PATIENCE;
        loop {
            let left = self.started();
            left.iter().for_each(|process| await_end(process.pid));
            if left.is_empty() {
                break;
            }
            assert!(Instant::now() < until, "it left {left:?}");
        }
    }

    fn assert_nothing_is_left(&self) {
        let left = self.started();
        assert!(left.is_empty(), "it left {left:?}");
    }
}

impl Drop for Program {
    fn drop(&mut self) {
        // Also where a test failed.
        let _ = self.child.kill();
        let _ = self.child.wait();
        for process in self.started() {
            let _ = kill_process(process.pid, Signal::KILL);
        }
    }
}

fn await_end(pid: Pid) {
    // One that is gone has ended.
    let Ok(process) = pidfd_open(pid, PidfdFlags::empty()) else { return };
    let patience = Timespec { tv_sec: PATIENCE.as_secs().try_into().unwrap(), tv_nsec: 0 };
    let ended = poll(&mut [PollFd::from_borrowed_fd(process.as_fd(), PollFlags::IN)], Some(&patience)).unwrap();
    assert_eq!(ended, 1, "{pid:?} does not end");
}

/// One that is coming up and cannot, because a servent of it is stopped.
fn stuck(what: &str) -> Program {
    for _ in 0..20 {
        let mut program = Program::start(what);
        let first = program.wait_for_servents(1).remove(0);
        kill_process(first.pid, Signal::STOP).unwrap();
        // While some are not even started, it is not up; and now it will not be.
        if program.wait_for_servents(0).len() < ROW {
            return program;
        }
    }
    panic!("the overlay comes up before a servent can be stopped")
}

#[test]
fn an_interrupt_while_the_overlay_comes_up_ends_it_at_once() {
    for what in ["run", "check"] {
        let mut program = stuck(what);
        program.signal(Signal::INT);
        let (status, said) = program.wait();
        assert_eq!(status.code(), Some(130), "{said}");
        assert_eq!(said, "");
        program.assert_nothing_is_left();
    }
}

#[test]
fn told_to_end_while_it_starts_servents_it_leaves_none() {
    for count in 1..=SERVENTS {
        for (signal, code) in [(Signal::TERM, 143), (Signal::HUP, 129)] {
            let mut program = Program::start("run");
            program.wait_for_servents(count);
            // Whoever is told again kills; whoever is told once lets them leave.
            let times = if count % 2 == 0 { 60 } else { 1 };
            (0..times).for_each(|_| program.signal(signal));
            let (status, said) = program.wait();
            assert_eq!(status.code(), Some(code), "{said}");
            assert_eq!(said, "");
            program.assert_nothing_is_left();
        }
    }
}

#[test]
fn what_it_started_ends_when_it_is_killed() {
    for count in [1, SERVENTS / 2, SERVENTS, usize::MAX] {
        let mut program = Program::start("run");
        if count > SERVENTS {
            program.wait_until_up();
        } else {
            program.wait_for_servents(count);
        }
        program.signal(Signal::KILL);
        program.child.wait().unwrap();
        program.wait_until_nothing_is_left();
    }
}

/// Servents first, and then what they are measured against, which is a topology program itself.
#[test]
fn a_benchmark_that_is_ended_leaves_neither_servents_nor_floors() {
    for name in ["servent", "topology"] {
        for (signal, code) in [(Signal::TERM, Some(143)), (Signal::INT, Some(130)), (Signal::KILL, None)] {
            let words = ["bench", "flood", "--rounds", "1000", "--queries", "20"];
            let mut program = Program::start_words("", &words, tempfile::tempdir().unwrap());
            assert!(program.wait_for(name, SERVENTS).len() >= SERVENTS, "it has ended");
            program.signal(signal);
            let (status, said) =
                if signal == Signal::KILL { (program.child.wait().unwrap(), String::new()) } else { program.wait() };
            let warning = if signal == Signal::KILL { "" } else { DEBUG_WARNING };
            assert_eq!((status.code(), said.as_str()), (code, warning));
            if signal == Signal::KILL {
                program.wait_until_nothing_is_left();
            }
            program.assert_nothing_is_left();
        }
    }
}

#[test]
fn an_interrupt_while_the_client_has_the_terminal_is_not_ours() {
    let mut program = Program::start("run");
    program.wait_until_up();
    let mut lines = BufReader::new(program.child.stdout.take().unwrap()).lines();
    let mut script = program.child.stdin.take().unwrap();
    script.write_all(b"? tea\n").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "No answer received", "the client has the terminal");
    program.signal(Signal::INT);
    script.write_all(b"? tea\n").unwrap();
    assert_eq!(lines.next().unwrap().unwrap(), "No answer received");
    drop(script);
    let (status, said) = program.wait();
    assert_eq!(status.code(), Some(1), "the client's own: {said}");
    program.assert_nothing_is_left();
}

/// As a shell starts it behind `&` in a script, or `nohup` does.
#[test]
fn a_signal_that_was_ignored_at_the_start_stays_ignored() {
    let mut program = Program::start_behind("trap '' INT HUP;", "check");
    // What reads the first line is the first that can be interrupted.
    let mut lines = BufReader::new(program.child.stdout.take().unwrap()).lines();
    assert!(lines.next().unwrap().unwrap().starts_with("row: "));
    program.signal(Signal::INT);
    program.signal(Signal::HUP);
    assert_eq!(lines.last().unwrap().unwrap(), "row: as declared");
    let (status, said) = program.wait();
    assert_eq!((status.code(), said.as_str()), (Some(0), ""));
    program.assert_nothing_is_left();
}
