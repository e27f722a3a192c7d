//! Signals at any time of a servent's life: before it has read its data, while it serves, and where it was started not
//! to hear one.

use super::*;
use rustix::process::{Pid, kill_process};

/// Lines that take seconds to read, where nothing else is given the time that is due to this process.
const MANY_LINES: usize = 2_000_000;

/// A command that yields to everybody, so that it is still busy with its data when it is told something.
fn slowly(arguments: &[&str]) -> Command {
    let mut command = Command::new("nice");
    command.args(["-n", "19"]).arg(program("servent").unwrap()).args(arguments);
    command.env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits until a process has taken this signal on: from then on none may be lost, at whatever it is.
fn wait_until_heard(process: Pid, signal: Signal) {
    let bit = 1_u64 << (signal.as_raw() - 1);
    wait_until(&format!("it hears {signal:?}"), || {
        let status = fs::read_to_string(format!("/proc/{}/status", process.as_raw_nonzero())).unwrap();
        let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap();
        u64::from_str_radix(caught.trim(), 16).unwrap() & bit != 0
    });
}

/// Tells a servent something as soon as it hears it, and waits for its end.
fn told_at_once(command: &mut Command, signal: Signal) -> Output {
    let process = processes::Process::start(command).unwrap();
    wait_until_heard(process.pid(), signal);
    process.signal(signal);
    process.output().unwrap()
}

#[test]
fn told_to_leave_while_it_reads_its_data_it_leaves_at_once_and_well() {
    let file = DataFile::new("tea green\n".repeat(MANY_LINES));
    for signal in [Signal::TERM, Signal::INT] {
        hear_signals().unwrap();
        let output = told_at_once(&mut slowly(&["127.0.0.1:0", file.path()]), signal);
        assert_eq!(output.status.code(), Some(0), "{signal:?}: {}", stderr(&output));
        assert_eq!((stdout(&output), stderr(&output)), (String::new(), String::new()), "it went on reading");
    }
}

/// Who ends a check has not been told that all is well.
#[test]
fn a_check_that_is_ended_is_not_one_that_passed() {
    let file = DataFile::new("tea green\n".repeat(MANY_LINES));
    let output = told_at_once(&mut slowly(&["127.0.0.1:0", file.path(), "--check"]), Signal::TERM);
    assert_eq!((output.status.code(), stdout(&output)), (Some(1), String::new()), "{}", stderr(&output));
}

/// It is not made slow: both readings are waited for, which takes minutes where all others have their turn first.
#[test]
fn told_to_read_again_while_it_reads_it_reads_once_more() {
    let file = DataFile::new("tea green\n".repeat(MANY_LINES / 20));
    let mut command = Command::new(program("servent").unwrap());
    let mut servent = Process::start_told(command.args(["127.0.0.1:0", file.path()]), |process| {
        wait_until_heard(process, Signal::HUP);
        kill_process(process, Signal::HUP).unwrap();
    });
    servent.wait_for_log("serving 1 key of", 2);
    assert_eq!(Peer::client(servent.address, ANSWER_PORT).first_value("tea"), b"green");
    servent.signal(Signal::TERM);
    assert_eq!(servent.wait().code(), Some(0));
    let read = servent.log.iter().filter(|line| line.contains("serving 1 key of")).count();
    assert_eq!(read, 2, "what was said once was done otherwise");
}

#[test]
fn told_to_leave_while_it_reads_its_data_anew_it_waits_for_nothing() {
    let file = tea();
    let mut servent = Process::serve(&[file.path()]);
    file.write("tea black\n".repeat(MANY_LINES));
    servent.signal(Signal::HUP);
    servent.wait_for_threads(&["log", "long reads", "servent"]);
    servent.signal(Signal::TERM);
    assert_eq!(servent.wait().code(), Some(0));
    let read = servent.log.iter().filter(|line| line.contains("serving 1 key of")).count();
    assert_eq!(read, 1, "it went on reading");
}

#[test]
fn an_interrupt_that_was_ignored_at_the_start_stays_ignored() {
    let file = tea();
    let mut command = Command::new("sh");
    command.args(["-c", "trap '' INT; exec \"$0\" 127.0.0.1:0 \"$@\""]);
    let mut servent = Process::start(command.arg(program("servent").unwrap()).arg(file.path()));
    servent.signal(Signal::INT);
    // What is ignored is gone when it is sent; everything else is heard.
    servent.signal(Signal::HUP);
    servent.wait_for_log("serving 1 key of", 2);
    assert_eq!(Peer::client(servent.address, ANSWER_PORT).first_value("tea"), b"green");
    servent.signal(Signal::TERM);
    assert_eq!(servent.wait().code(), Some(0));
    assert_eq!(servent.log.iter().filter(|line| line.contains("told to stop")).count(), 1);
}
