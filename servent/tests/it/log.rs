//! A log that nobody reads: a full pipe, a FIFO, a terminal held by Ctrl-S. Nobody else waits for it, what did not fit is
//! counted, and a file misses nothing.

use std::io::Read;
use std::net::Shutdown;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};
use std::process::ExitStatus;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

use super::*;
use peers::members_told_by;
use rustix::fs::{CWD, Mode, OFlags, fcntl_getfl, fcntl_setfl, mkfifoat};
use rustix::pty::{OpenptFlags, grantpt, openpt, ptsname, unlockpt};
use rustix::termios::{Action, Winsize, tcflow, tcsetwinsize};
use servent::log_sink::{LAST_WORDS_MAX, LOG_BYTES_MAX};
use servent::output::has_room;

/// What a pipe holds.
const PIPE_BYTES: usize = 64 * 1024;
/// Strangers enough to fill one with what is logged of them.
const STRANGERS: usize = 1_000;

/// A servent that hears and logs to descriptors of ours. Ended when dropped.
struct Process {
    process: processes::Process,
    /// What it says on whichever of stdout and stderr is none of ours; its end is the servent's.
    lines: Receiver<String>,
}

impl Process {
    fn start(arguments: &[&str], stdout: Option<OwnedFd>, stderr: Option<OwnedFd>) -> Process {
        Process::start_with(Command::new(program("servent").unwrap()).env_remove("RUST_LOG"), arguments, stdout, stderr)
    }

    fn start_with(
        command: &mut Command,
        arguments: &[&str],
        stdout: Option<OwnedFd>,
        stderr: Option<OwnedFd>,
    ) -> Process {
        let stdio = |ours: Option<OwnedFd>| ours.map_or_else(Stdio::piped, Stdio::from);
        command.args(arguments).stdin(Stdio::null()).stdout(stdio(stdout)).stderr(stdio(stderr));
        let mut process = processes::Process::start(command).unwrap();
        let out = process.take_stdout().map(OwnedFd::from);
        let lines = lines_of(out.or_else(|| process.take_stderr().map(OwnedFd::from)).unwrap());
        Process { process, lines }
    }

    /// Starts one that logs to this, and where it listens.
    fn serve(stderr: OwnedFd, arguments: &[&str]) -> (Process, SocketAddr) {
        Process::serve_by(Command::new(program("servent").unwrap()).env_remove("RUST_LOG"), stderr, arguments)
    }

    /// The same by a command of one's choice.
    fn serve_by(command: &mut Command, stderr: OwnedFd, arguments: &[&str]) -> (Process, SocketAddr) {
        let servent = Process::start_with(command, &[&["127.0.0.1:0"], arguments].concat(), None, Some(stderr));
        let line = servent.lines.recv_timeout(PATIENCE).unwrap();
        (servent, line.strip_prefix("listening on ").unwrap().parse().unwrap())
    }

    fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until it has ended.
    fn wait(&mut self) -> ExitStatus {
        rest_of(&self.lines);
        self.process.wait().unwrap()
    }

    fn end(mut self) -> ExitStatus {
        self.signal(Signal::TERM);
        self.wait()
    }
}

/// A pipe: where it is read, where it is written.
fn pipe() -> (OwnedFd, OwnedFd) {
    let (read, write) = std::io::pipe().unwrap();
    (read.into(), write.into())
}

/// A FIFO in a directory of its own, the same.
fn fifo() -> (OwnedFd, OwnedFd) {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    // Opened both ways, one end does not wait for the other.
    let read = OpenOptions::new().read(true).write(true).open(&path).unwrap();
    (read.into(), OpenOptions::new().write(true).open(&path).unwrap().into())
}

/// A terminal: what a person sees of it, and what programs write to.
fn terminal() -> (OwnedFd, OwnedFd) {
    let seen = openpt(OpenptFlags::RDWR | OpenptFlags::NOCTTY).unwrap();
    grantpt(&seen).unwrap();
    unlockpt(&seen).unwrap();
    let name = ptsname(&seen, Vec::new()).unwrap();
    let written = rustix::fs::open(name, OFlags::RDWR | OFlags::NOCTTY | OFlags::CLOEXEC, Mode::empty()).unwrap();
    (seen, written)
}

fn set_nonblocking(descriptor: &OwnedFd) {
    fcntl_setfl(descriptor, fcntl_getfl(descriptor).unwrap() | OFlags::NONBLOCK).unwrap();
}

/// Fills it until it takes nothing more.
fn fill(descriptor: &OwnedFd) {
    let own = fcntl_getfl(descriptor).unwrap();
    set_nonblocking(descriptor);
    while rustix::io::write(descriptor, &[b'.'; 512]).is_ok() {}
    while rustix::io::write(descriptor, b".").is_ok() {}
    fcntl_setfl(descriptor, own).unwrap();
}

/// Somebody who takes a servent for something else, and is told off.
fn probe(servent: SocketAddr) {
    let mut stranger = Peer::stranger(servent);
    stranger.say_bytes(b"GET / HTTP/1.0\r\n\r\n");
    stranger.bytes_until_end();
}

/// What comes out of it, line by line. A terminal ends with an error.
fn lines_of(log: OwnedFd) -> Receiver<String> {
    let (sender, lines) = channel();
    let mut read = BufReader::new(File::from(log)).lines().map_while(Result::ok);
    thread::spawn(move || read.try_for_each(|line| sender.send(line)));
    lines
}

/// All that is still to come, to the end.
fn rest_of(lines: &Receiver<String>) -> Vec<String> {
    let mut rest = Vec::new();
    loop {
        match lines.recv_timeout(PATIENCE) {
            Ok(line) => rest.push(line),
            Err(RecvTimeoutError::Disconnected) => return rest,
            Err(RecvTimeoutError::Timeout) => panic!("there is no end after {rest:?}"),
        }
    }
}

#[test]
fn a_log_that_takes_nothing_more_stops_nobody() {
    let file = tea();
    let nonblocking = pipe();
    set_nonblocking(&nonblocking.1);
    let held = terminal();
    tcflow(&held.1, Action::OOff).unwrap();
    for (name, (read, write)) in [
        ("a pipe", pipe()),
        ("a pipe that does not block", nonblocking),
        ("a FIFO", fifo()),
        ("a terminal nobody looks at", terminal()),
        ("a terminal held by Ctrl-S", held),
    ] {
        let (servent, address) = Process::serve(write.try_clone().unwrap(), &[file.path(), "-v"]);
        let mut client = Peer::client(address, 9);
        (0..STRANGERS).for_each(|_| probe(address));
        assert!(!has_room(write.as_fd()), "{name}: it takes more");
        assert_eq!(client.values("tea"), [b"green"], "{name}");
        assert_eq!(servent.end().code(), Some(0), "{name}");
        drop(read);
    }
}

/// On a terminal one line tells how far hashing is, as it changes: below whatever is logged meanwhile, and no more at the end.
#[test]
fn how_far_hashing_is_is_a_line_that_changes_on_a_terminal() {
    let (file, shared) = (tea(), TempDir::new().unwrap());
    // So much that nobody waits for it, and that minutes are left however fast it is.
    for number in 0..8 {
        File::create(shared.path().join(format!("large {number}"))).unwrap().set_len(200 << 30).unwrap();
    }
    let (read, write) = terminal();
    let look = write.try_clone().unwrap();
    let widen = |columns| {
        tcsetwinsize(&look, Winsize { ws_row: 24, ws_col: columns, ws_xpixel: 0, ws_ypixel: 0 }).unwrap();
    };
    widen(54);
    let (servent, address) = Process::serve(write, &[file.path(), "--share", shared.path().to_str().unwrap()]);
    let (sender, shown) = channel();
    let mut terminal = File::from(read);
    thread::spawn(move || {
        let mut piece = [0; 4096];
        while let Ok(count) = terminal.read(&mut piece) {
            if sender.send(String::from_utf8_lossy(&piece[..count]).into_owned()).is_err() {
                return;
            }
        }
    });
    let mut screen = String::new();
    let mut wait_for = |text: &str| {
        while !screen.contains(text) {
            screen += &shown.recv_timeout(PATIENCE).unwrap_or_else(|_| panic!("no {text:?} in {screen:?}"));
        }
        screen = screen.split_off(screen.find(text).unwrap() + text.len());
    };
    wait_for("\r\x1b[Jhashing: ");
    wait_for(" %  ");
    wait_for(" of 1.7 TB  ");
    // As wide as the terminal is at each time: there is no room for the rate, and then there is.
    wait_for(" left\r\r\x1b[Jhashing: ");
    widen(120);
    wait_for(" left  ");
    wait_for("/s\r\r\x1b[Jhashing: ");
    // Or the terminal would not end with the servent.
    drop(look);
    // What is said comes in its place, and it below that.
    probe(address);
    wait_for("\n");
    wait_for("hashing: ");
    servent.signal(Signal::TERM);
    wait_for("served ");
    assert_eq!(servent.end().code(), Some(0));
    screen.extend(shown.iter());
    let left = screen.rsplit("\r\x1b[J").next();
    assert!(left.is_some_and(|left| !left.contains("hashing")), "it is cleared at the end: {screen:?}");
}

/// The last line is for a person; what was held and counted, and how long turns of the loop took, is for those who ask for
/// more.
#[test]
fn the_last_words_are_what_it_was_good_for() {
    let file = tea();
    for (arguments, is_asked_for_more) in [(&[file.path()][..], false), (&[file.path(), "-v"], true)] {
        let (read, write) = pipe();
        let (servent, address) = Process::serve(write, arguments);
        let log = lines_of(read);
        assert!(log.recv_timeout(PATIENCE).unwrap().ends_with(&format!("serving 1 key of {}", file.path())));
        let mut client = Peer::client(address, 9);
        for key in ["tea", "coffee", "tea"] {
            client.values(key);
        }
        assert_eq!(servent.end().code(), Some(0));
        let lines = rest_of(&log);
        let last = lines.last().unwrap();
        assert!(last.contains("] served 3 queries, answered 2, ") && last.ends_with(" s"), "{lines:?}");
        assert_eq!(lines.iter().any(|line| line.contains(" turns of the loop took")), is_asked_for_more, "{lines:?}");
        // What is over is held no more.
        let counts = |line: &String| line.ends_with("] held and counted: queries 3, answered 2");
        assert_eq!(lines.iter().any(counts), is_asked_for_more, "{lines:?}");
    }
}

/// As somebody does who keeps on the screen who is there.
#[test]
fn whoever_comes_again_and_again_to_ask_who_is_there_adds_nothing_to_the_log() {
    let file = tea();
    for (arguments, is_told) in [(&[file.path()][..], false), (&[file.path(), "-v"], true)] {
        let (read, write) = pipe();
        let (servent, address) = Process::serve(write, arguments);
        for _ in 0..20 {
            assert_eq!(members_told_by(address).len(), 1);
        }
        assert_eq!(servent.end().code(), Some(0));
        let lines = rest_of(&lines_of(read));
        let is_of_clients = |line: &&String| line.contains("client ");
        assert_eq!(lines.iter().any(|line| is_of_clients(&line)), is_told, "{lines:?}");
        assert!(is_told || lines.len() == 3, "what it serves, that it leaves and what it was good for: {lines:?}");
    }
}

#[test]
fn what_rust_log_chooses_is_logged_and_nothing_else() {
    let file = tea();
    // As a variable that is empty, none.
    for (chosen, queries_alone) in [("query=debug", true), ("", false)] {
        let kept = tempfile::NamedTempFile::new().unwrap();
        let mut command = Command::new(program("servent").unwrap());
        let stderr = kept.reopen().unwrap().into();
        let (servent, address) = Process::serve_by(command.env("RUST_LOG", chosen), stderr, &[file.path(), "-v"]);
        let mut client = Peer::client(address, 9);
        assert_eq!(client.values("tea"), [b"green"]);
        assert_eq!(servent.end().code(), Some(0));
        let lines = rest_of(&lines_of(kept.reopen().unwrap().into()));
        let is_query = |line: &&String| line.contains(" query] ");
        assert_eq!(lines.iter().filter(is_query).count(), 3, "asked, answered, finished: {lines:?}");
        assert_eq!(lines.iter().all(|line| is_query(&line)), queries_alone, "RUST_LOG={chosen}: {lines:?}");
    }
}

#[test]
fn lines_that_do_not_fit_are_counted_and_a_file_misses_none() {
    // Of each is said that it was asked, and that it has finished.
    const QUERIES: usize = 6_000;
    let file = tea();
    let converse = |address: SocketAddr| {
        let mut clients: Vec<Peer> = (0..6).map(|_| Peer::client(address, 9)).collect();
        for client in &mut clients {
            for _ in 0..QUERIES / 6 {
                client.request(ask([b'x'; 100]));
            }
            for _ in 0..QUERIES / 6 {
                client.expect_finished();
            }
        }
        clients
    };

    let kept = tempfile::NamedTempFile::new().unwrap();
    let (servent, address) = Process::serve(kept.reopen().unwrap().into(), &[file.path(), "-v"]);
    let clients = converse(address);
    assert_eq!(servent.end().code(), Some(0));
    drop(clients);
    let whole = rest_of(&lines_of(kept.reopen().unwrap().into()));
    assert_eq!(whole.iter().filter(|line| line.contains(" asked ")).count(), QUERIES, "{}", whole.len());
    assert_eq!(whole.iter().filter(|line| line.contains(" finished: ")).count(), QUERIES);
    assert!(whole.iter().map(String::len).sum::<usize>() > LOG_BYTES_MAX + PIPE_BYTES, "it would all fit");
    assert!(!whole.iter().any(|line| line.contains("not logged")));

    let (read, write) = pipe();
    let (servent, address) = Process::serve(write, &[file.path(), "-v"]);
    let mut clients = converse(address);
    // Somebody looks at last: what waited comes, and then how much is missing, even before anything else is logged.
    let log = lines_of(read);
    let mut seen = 0;
    let missing: usize = loop {
        let line = log.recv_timeout(PATIENCE).unwrap();
        match line.strip_suffix(" lines were not logged") {
            Some(start) => break start.rsplit(' ').next().unwrap().replace(',', "").parse().unwrap(),
            None => seen += 1,
        }
    };
    // From here on it is as if nothing had been.
    assert_eq!(clients[0].values("tea"), [b"green"]);
    servent.signal(Signal::TERM);
    let rest = rest_of(&log);
    let ending = |lines: &[String]| {
        let start = lines.iter().position(|line| line.contains("told to stop")).unwrap();
        lines.len() - start
    };
    assert!(rest[0].contains(" asked ") && rest[0].ends_with(": ? tea"), "{rest:?}");
    assert_eq!(seen + missing, whole.len() - ending(&whole), "{seen} seen, {missing} missing");
    assert!(seen > 0 && missing > 0);
}

/// A line that says how many are missing can be missing too.
#[test]
fn lines_that_nobody_could_be_told_are_counted_and_said_at_the_end_at_the_latest() {
    // Of each is said that it was asked, and that it has finished.
    const QUERIES: usize = 50;
    let (read, write) = fifo();
    let mut command = Command::new(program("servent").unwrap());
    command.env("RUST_LOG", "query=debug");
    let (servent, address) = Process::serve_by(&mut command, write.try_clone().unwrap(), &["-"]);
    // It keeps what it gives to a child.
    drop(command);
    let mut client = Peer::client(address, 9);
    drop(read);
    for _ in 0..QUERIES {
        client.request(ask("tea"));
        client.expect_finished();
    }
    let read = File::open(format!("/proc/self/fd/{}", write.as_raw_fd())).unwrap();
    drop(write);
    assert_eq!(servent.end().code(), Some(0));
    let lines = rest_of(&lines_of(read.into()));
    let count = |line: &String| match line.split_once(" not logged") {
        Some((start, _)) => start.rsplit(' ').nth(2).unwrap().parse().unwrap(),
        None => 1,
    };
    assert_eq!(lines.iter().map(count).sum::<usize>(), 2 * QUERIES, "{lines:?}");
}

/// What may not grow further is full, and kills nobody.
#[test]
fn a_log_that_has_reached_the_size_a_file_may_have_stops_nobody() {
    let file = tea();
    let kept = tempfile::NamedTempFile::new().unwrap();
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""]).arg(program("servent").unwrap()).env_remove("RUST_LOG");
    let (servent, address) = Process::serve_by(&mut shell, kept.reopen().unwrap().into(), &[file.path(), "-v"]);
    let mut client = Peer::client(address, 9);
    (0..50).for_each(|_| assert_eq!(client.values("tea"), [b"green"]));
    assert_eq!(servent.end().code(), Some(0));
    let whole = rest_of(&lines_of(kept.reopen().unwrap().into()));
    assert!(!whole.is_empty() && !whole.iter().any(|line| line.contains("told to stop")), "{whole:?}");
}

/// With less memory than a thread takes, or where there may be no more processes.
#[test]
fn the_last_words_are_said_where_the_system_gives_no_thread() {
    // Finer than what a thread takes that is given its stack and no more.
    const STEP_KIB: usize = 32;
    let servent = program("servent").unwrap();
    let mut started = 0;
    for step in 1.. {
        let mut shell = Command::new("sh");
        shell.args(["-c", "ulimit -v $1; exec \"$2\" 127.0.0.1:0 /nowhere", "sh", &(step * STEP_KIB).to_string()]);
        let output = shell.arg(&servent).env_remove("RUST_LOG").output().unwrap();
        let said = String::from_utf8_lossy(&output.stderr);
        // With less it is not even loaded.
        if output.status.code() == Some(1) {
            started += 1;
            assert!(said.contains("servent: cannot read data file /nowhere"), "{step}: {said}");
        }
        if started == 256 {
            return;
        }
        assert!(step < 32_768, "it does not start: {said}");
    }
}

/// At the default level what strangers do is a line of each kind, and a number.
#[test]
fn strangers_are_counted() {
    let file = tea();
    let (read, write) = pipe();
    let (servent, address) = Process::serve(write, &[file.path()]);
    (0..STRANGERS / 2).for_each(|_| probe(address));
    for _ in 0..STRANGERS / 2 {
        let stranger = TcpStream::connect(address).unwrap();
        stranger.shutdown(Shutdown::Write).unwrap();
        assert_eq!((&stranger).read(&mut [0]).unwrap_or(0), 0);
    }
    // Clients come and go in crowds too, and each of these wants its answers where nobody is.
    let mut source = Peer::neighbor(address);
    for number in 1..=100 {
        drop(Peer::client(address, 9));
        source.pass_on(SocketAddr::from(([127, 0, 7, number], 9)), ask("tea"), 0);
        assert!(matches!(source.expect(), Message::Echo(_)));
    }
    source.say(&Message::Goodbye(Goodbye::Leaving));
    source.hear_out();
    assert_eq!(servent.end().code(), Some(0));
    let lines = rest_of(&lines_of(read));
    let of = |text: &str| -> usize {
        let of_it = lines.iter().filter_map(|line| line.split_once("] ")).filter(|(_, said)| said.contains(text));
        let count = |(_, said): (&str, &str)| match said.split_once(" more like: ") {
            Some((number, _)) => number.replace(',', "").parse().unwrap(),
            None => 1,
        };
        of_it.map(count).sum()
    };
    assert_eq!(of("no link with"), STRANGERS, "{lines:?}");
    assert!(of("no answer to client") > 1, "{lines:?}");
    assert!(lines.len() < 20, "{lines:?}");
}

#[test]
fn the_last_words_wait_for_one_that_reads_late_but_not_for_ever() {
    let (read, write) = pipe();
    fill(&write);
    let started = Instant::now();
    let mut servent = Process::start(&["127.0.0.1:0", "/nowhere"], None, Some(write.try_clone().unwrap()));
    assert_eq!(servent.wait().code(), Some(1));
    assert!(started.elapsed() >= LAST_WORDS_MAX, "it did not even wait");

    let mut servent = Process::start(&["127.0.0.1:0", "/nowhere"], None, Some(write));
    let said = rest_of(&lines_of(read)).concat();
    assert_eq!(servent.wait().code(), Some(1));
    let said = said.trim_start_matches('.');
    assert!(said.starts_with("servent: ") && said.contains("/nowhere"), "{said}");
}

#[test]
fn where_it_listens_is_said_late_to_whoever_reads_late() {
    let file = tea();
    let (read, write) = pipe();
    fill(&write);
    let address = free_address();
    let servent = Process::start(&[&address.to_string(), file.path(), "-v"], Some(write), None);
    wait_until("it listens", || TcpStream::connect(address).is_ok());
    assert_eq!(Peer::client(address, 9).values("tea"), [b"green"]);
    let line = lines_of(read).recv_timeout(PATIENCE).unwrap();
    assert_eq!(line.trim_start_matches('.'), format!("listening on {address}"));
    assert_eq!(servent.end().code(), Some(0));
}

#[test]
fn a_log_is_coloured_for_a_terminal_and_for_nobody_else() {
    let file = tea();
    let first_line = |read: OwnedFd, write: OwnedFd| {
        let (servent, _) = Process::serve(write, &[file.path()]);
        let line = lines_of(read).recv_timeout(PATIENCE).unwrap();
        assert_eq!(servent.end().code(), Some(0));
        line
    };
    let (read, write) = terminal();
    let line = first_line(read, write);
    assert!(line.contains("\x1b["), "{line:?}");
    let (read, write) = pipe();
    let line = first_line(read, write);
    assert!(line.contains("serving") && !line.contains('\x1b'), "{line:?}");
}
