//! The processes of an overlay: started, watched, and ended one by one, and never any other.
//!
//! It knows programs and pipes; what the overlay is asked is `asking`, what it must answer is `check`.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeSet, VecDeque};
use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher};
use std::io::{BufRead, BufReader};
use std::net::{Ipv4Addr, SocketAddr};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::sync::{Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use rustix::process::{Pid, Signal, kill_process};
use signal_hook::consts::{SIGHUP, SIGTERM};
use signal_hook::iterator::Signals;

use crate::asking::Asking;
use crate::declared::Topology;

/// How long a servent may take to listen, and an overlay to be linked. A machine with much else to do takes long.
const START_MAX: Duration = Duration::from_secs(60);
/// How often it is looked whether all servents are alive while one of them is waited for.
const ALIVE_EVERY: Duration = Duration::from_secs(1);
/// How long a servent may take to leave when told to; it gives itself 2 s.
const LEAVE_MAX: Duration = Duration::from_secs(5);
/// Lines of a servent's log kept to be shown if it fails.
const LOG_LINES_MAX: usize = 200;

/// One of the programs of this project, which are built into one directory.
pub fn program(name: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("cannot tell where this program is")?;
    let mut directory = own.parent().ok_or_else(|| anyhow!("this program is nowhere"))?;
    // Tests are built one directory below the programs.
    if directory.ends_with("deps") {
        directory = directory.parent().unwrap_or(directory);
    }
    let path = directory.join(name);
    if !path.is_file() {
        bail!("there is no {}: build it with `cargo build --workspace`", path.display());
    }
    Ok(path)
}

/// The servents of a topology, all listening and linked as declared. Ended when dropped.
#[derive(Debug)]
pub struct Fleet {
    /// In the order of the file.
    pub servents: Vec<Servent>,
}

impl Fleet {
    /// Starts every servent of a topology and waits until all are listening.
    pub fn start(topology: &Topology) -> anyhow::Result<Fleet> {
        Fleet::start_in(topology, Group::Own)
    }

    /// The same, with the terminal left to a client: Ctrl-C there is not meant for the servents.
    pub fn start_behind_client(topology: &Topology) -> anyhow::Result<Fleet> {
        Fleet::start_in(topology, Group::Apart)
    }

    fn start_in(topology: &Topology, group: Group) -> anyhow::Result<Fleet> {
        let mut fleet = Fleet { servents: Vec::new() };
        for declared in &topology.servents {
            fleet.servents.push(Servent::spawn(declared.arguments(), group)?);
        }
        for servent in &mut fleet.servents {
            servent.wait_until_listening()?;
        }
        Ok(fleet)
    }

    /// Waits until the overlay is linked as declared and no link is going to change by itself any more.
    ///
    /// A link that both its ends were told is dialled twice, and the second dial may come seconds after the first, when
    /// the other end was not up yet; which of the two stays is known only then. So each servent is waited for until it
    /// has greeted every neighbor it was told, which settles such pairs at both ends; and then until all of them, asked
    /// one after the other, name the neighbors declared and none twice.
    pub fn wait_until_linked(&mut self, topology: &Topology) -> anyhow::Result<()> {
        let until = Instant::now() + START_MAX;
        for (place, declared) in topology.servents.iter().enumerate() {
            while !declared.options.neighbors.is_empty() && !self.servents[place].is_complete_within(ALIVE_EVERY) {
                self.check_alive()?;
                if Instant::now() > until {
                    return Err(self.servents[place].failure("is not linked with every neighbor it was told"));
                }
            }
        }
        while let Some((place, what)) = self.first_not_linked(topology)? {
            self.check_alive()?;
            if Instant::now() > until {
                return Err(self.servents[place].failure(&what));
            }
        }
        Ok(())
    }

    /// The first servent that says that it is not linked as declared, and with whom it is instead.
    fn first_not_linked(&self, topology: &Topology) -> anyhow::Result<Option<(usize, String)>> {
        let addresses = topology.addresses();
        for (place, declared) in topology.servents.iter().enumerate() {
            let mut wanted: Vec<SocketAddr> = declared.neighbors.iter().map(|other| addresses[*other]).collect();
            wanted.sort_unstable();
            let asking = Asking::run(declared.options.listen, &["T"], &["--timeout", "500ms"])?;
            let own = asking.answers.iter().find(|answer| answer.hops == Some(0));
            let mut found = own.map(|answer| answer.neighbors.clone()).unwrap_or_default();
            found.sort_unstable();
            // Who accepted a TP3 link does not know the address the other end goes by.
            if found != wanted && (topology.reports() || found.len() != wanted.len()) {
                return Ok(Some((place, format!("is linked with {found:?} and not with {wanted:?}"))));
            }
        }
        Ok(None)
    }

    /// Runs a client in this terminal until it ends, and returns its exit code.
    pub fn run_client(&mut self, command: &mut Command) -> anyhow::Result<u8> {
        let mut child = command.spawn().context("cannot start the client")?;
        let started = Started::note(&child);
        let status = child.wait()?;
        drop(started);
        // A client ended by a signal is reported as a shell would.
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap_or(1);
        Ok(u8::try_from(code).unwrap_or(1))
    }

    /// Tells every servent to leave and waits for all of them. An error names those that did not leave well.
    pub fn end(mut self) -> anyhow::Result<()> {
        for servent in &self.servents {
            servent.signal(Signal::TERM);
        }
        for servent in &mut self.servents {
            let status = servent.wait()?;
            if !status.success() {
                return Err(servent.failure(&format!("ended with {status}")));
            }
        }
        Ok(())
    }

    fn check_alive(&mut self) -> anyhow::Result<()> {
        for servent in &mut self.servents {
            if let Some(status) = servent.child.try_wait()? {
                return Err(servent.failure(&format!("ended with {status}")));
            }
        }
        Ok(())
    }
}

impl Drop for Fleet {
    fn drop(&mut self) {
        // All are told before any is waited for.
        for servent in &self.servents {
            servent.signal(Signal::TERM);
        }
    }
}

/// What a terminal's Ctrl-C ends.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Group {
    /// This program and what it started, together.
    Own,
    /// This program without what it started, which it ends itself.
    Apart,
}

/// Processes of ours that run, for the case that this program is told to end.
static STARTED: Mutex<BTreeSet<i32>> = Mutex::new(BTreeSet::new());

/// A process noted in [`STARTED`] until it is waited for, after which its id may be another's.
#[derive(Debug)]
struct Started(Pid);

impl Started {
    fn note(child: &Child) -> Started {
        let pid = Pid::from_child(child);
        STARTED.lock().unwrap_or_else(PoisonError::into_inner).insert(pid.as_raw_nonzero().get());
        Started(pid)
    }
}

impl Drop for Started {
    fn drop(&mut self) {
        STARTED.lock().unwrap_or_else(PoisonError::into_inner).remove(&self.0.as_raw_nonzero().get());
    }
}

/// Ends every process this program started, and then this program, on SIGTERM, SIGHUP and `others`.
pub fn end_all_on_signals(others: &[i32]) -> anyhow::Result<()> {
    let watched = [&[SIGTERM, SIGHUP], others].concat();
    let mut signals = Signals::new(watched).context("cannot watch for signals")?;
    let end_all = move || {
        let Some(signal) = signals.forever().next() else { return };
        for pid in STARTED.lock().unwrap_or_else(PoisonError::into_inner).iter() {
            if let Some(pid) = Pid::from_raw(*pid) {
                // One that has just ended by itself needs no telling.
                let _ = kill_process(pid, Signal::TERM);
            }
        }
        std::process::exit(128 + signal);
    };
    thread::Builder::new().name("signals".to_owned()).spawn(end_all).context("cannot start a thread for signals")?;
    Ok(())
}

/// One servent as a process. Ended when dropped.
#[derive(Debug)]
pub struct Servent {
    child: Child,
    started: Option<Started>,
    /// Where it listens; known once it does.
    address: SocketAddr,
    arguments: Vec<String>,
    lines: Receiver<Line>,
    log: VecDeque<String>,
    /// Whether it has said that it is linked with every neighbor it was told.
    complete: bool,
    ended: bool,
}

#[derive(Debug)]
enum Line {
    Out(String),
    Log(String),
    /// Nothing more will be logged: the process has ended.
    End,
}

impl Servent {
    /// Starts a servent and waits until it listens.
    pub fn start<Word: AsRef<str>>(arguments: &[Word]) -> anyhow::Result<Servent> {
        let mut servent = Servent::spawn(arguments.iter().map(|word| word.as_ref().to_owned()).collect(), Group::Own)?;
        servent.wait_until_listening()?;
        Ok(servent)
    }

    fn spawn(arguments: Vec<String>, group: Group) -> anyhow::Result<Servent> {
        let path = program("servent")?;
        let mut command = Command::new(&path);
        if group == Group::Apart {
            command.process_group(0);
        }
        let mut child = command
            .args(&arguments)
            .env_remove("RUST_LOG")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .with_context(|| format!("cannot start {}", path.display()))?;
        let (sender, lines) = channel();
        let out = child.stdout.take().ok_or_else(|| anyhow!("the servent has no stdout"))?;
        let log = child.stderr.take().ok_or_else(|| anyhow!("the servent has no stderr"))?;
        read_lines(out, sender.clone(), Line::Out, None)?;
        read_lines(log, sender, Line::Log, Some(Line::End))?;
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        let started = Some(Started::note(&child));
        Ok(Servent { child, started, address, arguments, lines, log: VecDeque::new(), complete: false, ended: false })
    }

    fn wait_until_listening(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + START_MAX;
        loop {
            match self.next_line(until) {
                Some(Line::Out(line)) => {
                    let address = line.strip_prefix("listening on ").and_then(|address| address.parse().ok());
                    self.address = address.ok_or_else(|| anyhow!("the servent said `{line}` on stdout"))?;
                    return Ok(());
                }
                Some(Line::Log(_)) => {}
                Some(Line::End) | None => {
                    return Err(self.failure("does not listen"));
                }
            }
        }
    }

    /// Waits so long, or until it has said that it is linked with every neighbor it was told.
    fn is_complete_within(&mut self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        while !self.complete && matches!(self.next_line(until), Some(Line::Out(_) | Line::Log(_))) {}
        self.complete
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        if !self.ended {
            // It is our child and has not been waited for, so the id is still its own.
            let _ = kill_process(Pid::from_child(&self.child), signal);
        }
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.child.kill()?;
        self.started = None;
        self.child.wait()?;
        self.ended = true;
        Ok(())
    }

    /// Waits until it has ended; it is killed when that takes too long.
    pub fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        let until = Instant::now() + LEAVE_MAX;
        while let Some(line) = self.next_line(until) {
            if matches!(line, Line::End) {
                break;
            }
        }
        if !self.ended {
            self.child.kill()?;
        }
        self.ended = true;
        self.started = None;
        Ok(self.child.wait()?)
    }

    /// Waits until it logs a line that contains `text`, and returns that line. Lines before it are skipped.
    pub fn wait_for_log(&mut self, text: &str) -> anyhow::Result<String> {
        let until = Instant::now() + START_MAX;
        loop {
            match self.next_line(until) {
                Some(Line::Log(line)) if line.contains(text) => return Ok(line),
                Some(Line::Log(_) | Line::Out(_)) => {}
                Some(Line::End) | None => {
                    return Err(self.failure(&format!("did not log `{text}`")));
                }
            }
        }
    }

    /// The last of what it logged.
    pub fn log_text(&mut self) -> String {
        while let Ok(line) = self.lines.try_recv() {
            self.keep(&line);
        }
        self.log.iter().map(|line| format!("    {line}\n")).collect()
    }

    fn failure(&mut self, what: &str) -> anyhow::Error {
        let log = self.log_text();
        anyhow!("`servent {}` {what}\n{log}", self.arguments.join(" "))
    }

    fn next_line(&mut self, until: Instant) -> Option<Line> {
        match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                self.keep(&line);
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => Some(Line::End),
            Err(RecvTimeoutError::Timeout) => None,
        }
    }

    fn keep(&mut self, line: &Line) {
        match line {
            Line::Log(line) => {
                if self.log.len() >= LOG_LINES_MAX {
                    self.log.pop_front();
                }
                self.complete |= line.contains("linked with every neighbor it was told");
                self.log.push_back(line.clone());
            }
            Line::End => self.ended = true,
            Line::Out(_) => {}
        }
    }
}

impl Drop for Servent {
    fn drop(&mut self) {
        self.signal(Signal::TERM);
        // Whoever drops a servent does not ask how it ended.
        let _ = self.wait();
    }
}

fn read_lines(
    pipe: impl std::io::Read + Send + 'static,
    sender: Sender<Line>,
    line: fn(String) -> Line,
    end: Option<Line>,
) -> anyhow::Result<()> {
    thread::Builder::new()
        .name("pipe".to_owned())
        .spawn(move || {
            for text in BufReader::new(pipe).lines().map_while(Result::ok) {
                // Nobody listening any more is no reason to let the servent stall on a full pipe.
                let _ = sender.send(line(text));
            }
            end.map(|end| sender.send(end))
        })
        .context("cannot start a thread to read a servent's output")?;
    Ok(())
}

/// A client as a process, ready to be started.
pub fn client<Word: AsRef<OsStr>>(arguments: impl IntoIterator<Item = Word>) -> anyhow::Result<Command> {
    let mut command = Command::new(program("client")?);
    command.args(arguments).env_remove("RUST_LOG");
    Ok(command)
}

/// An address of this machine that nobody else is likely to use, so that checks can run side by side.
#[must_use]
pub fn some_loopback_address() -> Ipv4Addr {
    let random = RandomState::new().build_hasher().finish().to_be_bytes();
    // 127.0.x.y is left to people; a last byte of 0 or 255 looks like a network's own address.
    Ipv4Addr::new(127, 1 + random[0] % 254, random[1], 1 + random[2] % 254)
}
