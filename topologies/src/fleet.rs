//! The servents of an overlay as processes: what they say, and when they listen, are linked and have left.
//!
//! It knows our programs and pipes; how a process is started so that it ends with this one is `processes`, what the
//! overlay is asked is `asking`, what it must answer is `check`.

use std::collections::VecDeque;
use std::collections::hash_map::RandomState;
use std::ffi::OsStr;
use std::hash::{BuildHasher, Hasher};
use std::io::{BufRead, BufReader, Read};
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitStatus, Stdio};
use std::sync::Arc;
use std::sync::atomic::AtomicBool;
use std::sync::mpsc::{Receiver, RecvTimeoutError, Sender, channel};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow, bail};
use rustix::process::{Pid, Signal};
use signal_hook::consts::{SIGHUP, SIGINT};
use signal_hook::flag;

use crate::asking::{self, Asked};
use crate::declared::Topology;
use crate::logs::{Followed, Logs};
use crate::processes::{self, LEAVE_MAX, Process};

/// How long a servent may take to listen, and an overlay to be linked. A machine with much else to do takes long.
const START_MAX: Duration = Duration::from_secs(60);
/// How often it is looked whether all servents are alive while one of them is waited for.
const ALIVE_EVERY: Duration = Duration::from_secs(1);
/// How long places are waited for where nobody says that all have answered.
const PLACES_WAIT: Duration = Duration::from_millis(500);
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
        Fleet::start_logging(topology, None)
    }

    /// The same, where what each servent logs at debug level is kept, if that is wanted.
    pub fn start_logging(topology: &Topology, logs: Option<&Logs>) -> anyhow::Result<Fleet> {
        let mut fleet = Fleet { servents: Vec::new() };
        for (place, declared) in topology.servents.iter().enumerate() {
            let mut arguments = declared.arguments();
            arguments.extend(logs.map(|_| "-v".to_owned()));
            let command = command("servent")?;
            fleet.servents.push(Servent::spawn(command, arguments, logs.map(|logs| logs.path(place)))?);
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
            // It says so when that changes; asking all the while would take what the servents need.
            self.servents[place].next_line(Instant::now() + ALIVE_EVERY);
        }
        Ok(())
    }

    /// The first servent that says that it is not linked as declared, and with whom it is instead.
    fn first_not_linked(&self, topology: &Topology) -> anyhow::Result<Option<(usize, String)>> {
        let addresses = topology.addresses();
        for (place, declared) in topology.servents.iter().enumerate() {
            let mut wanted: Vec<SocketAddr> = declared.neighbors.iter().map(|other| addresses[*other]).collect();
            wanted.sort_unstable();
            let asked = Asked::at(declared.listen, asking::topology(PLACES_WAIT))?;
            let own = asked.answers.iter().find(|answer| answer.hops == Some(0));
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
        let status = Process::start_in_front(command).context("cannot start the client")?.wait()?;
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
            if let Some(status) = servent.process.try_wait()? {
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

/// One servent as a process. Ended when dropped.
#[derive(Debug)]
pub struct Servent {
    process: Process,
    /// Where it listens; known once it does.
    address: SocketAddr,
    arguments: Vec<String>,
    lines: Receiver<ServentLine>,
    log: VecDeque<String>,
    /// Whether it has said that it is linked with every neighbor it was told.
    complete: bool,
    ended: bool,
}

#[derive(Debug)]
enum ServentLine {
    Out(String),
    Log(String),
    /// Nothing more will be logged: the process has ended.
    End,
}

impl Servent {
    /// Starts a servent and waits until it listens.
    pub fn start<Word: AsRef<str>>(arguments: &[Word]) -> anyhow::Result<Servent> {
        Servent::start_as(command("servent")?, arguments)
    }

    /// The same behind words that end in becoming it, such as those of a program that enters another network.
    pub fn start_behind<Word: AsRef<str>>(before: &[String], arguments: &[Word]) -> anyhow::Result<Servent> {
        Servent::start_as(behind(before, &command("servent")?), arguments)
    }

    fn start_as<Word: AsRef<str>>(command: Command, arguments: &[Word]) -> anyhow::Result<Servent> {
        let arguments = arguments.iter().map(|word| word.as_ref().to_owned()).collect();
        let mut servent = Servent::spawn(command, arguments, None)?;
        servent.wait_until_listening()?;
        Ok(servent)
    }

    /// Its log is a pipe, or a file that it writes itself.
    fn spawn(mut command: Command, arguments: Vec<String>, log: Option<&Path>) -> anyhow::Result<Servent> {
        command.args(&arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let followed = match log.map(Followed::open).transpose()? {
            Some((writer, followed)) => {
                command.stderr(writer);
                Some(followed)
            }
            None => {
                command.stderr(Stdio::piped());
                None
            }
        };
        let mut process = Process::start(&mut command).context("cannot start a servent")?;
        // Ours would keep the log from being closed.
        drop(command);
        let (sender, lines) = channel();
        let out = process.take_stdout().ok_or_else(|| anyhow!("the servent has no stdout"))?;
        read_lines(out, sender.clone(), ServentLine::Out)?;
        if let Some(followed) = followed {
            in_a_thread(move || {
                // Nobody listening any more is no reason to read no further.
                followed.read_lines(|line| drop(sender.send(ServentLine::Log(line))));
                drop(sender.send(ServentLine::End));
            })?;
        } else {
            let log = process.take_stderr().ok_or_else(|| anyhow!("the servent has no stderr"))?;
            read_lines_to_the_end(log, sender)?;
        }
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        Ok(Servent { process, address, arguments, lines, log: VecDeque::new(), complete: false, ended: false })
    }

    fn wait_until_listening(&mut self) -> anyhow::Result<()> {
        let until = Instant::now() + START_MAX;
        loop {
            match self.next_line(until) {
                Some(ServentLine::Out(line)) => {
                    let address = line.strip_prefix("listening on ").and_then(|address| address.parse().ok());
                    self.address = address.ok_or_else(|| anyhow!("the servent said `{line}` on stdout"))?;
                    return Ok(());
                }
                Some(ServentLine::Log(_)) => {}
                Some(ServentLine::End) | None => {
                    return Err(self.failure("does not listen"));
                }
            }
        }
    }

    /// Waits so long, or until it has said that it is linked with every neighbor it was told.
    fn is_complete_within(&mut self, wait: Duration) -> bool {
        let until = Instant::now() + wait;
        while !self.complete && matches!(self.next_line(until), Some(ServentLine::Out(_) | ServentLine::Log(_))) {}
        self.complete
    }

    /// Where it listens.
    #[must_use]
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// The id of its process.
    #[must_use]
    pub fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Sends it a signal.
    pub fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Ends it at once, as a crash would.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.signal(Signal::KILL);
        self.process.wait()?;
        self.ended = true;
        Ok(())
    }

    /// Waits until it has ended; it is killed when that takes too long.
    pub fn wait(&mut self) -> anyhow::Result<ExitStatus> {
        let until = Instant::now() + LEAVE_MAX;
        while let Some(line) = self.next_line(until) {
            if matches!(line, ServentLine::End) {
                break;
            }
        }
        if !self.ended {
            self.signal(Signal::KILL);
        }
        self.ended = true;
        Ok(self.process.wait()?)
    }

    /// Waits until it logs a line that contains `text`, and returns that line. Lines before it are skipped.
    pub fn wait_for_log(&mut self, text: &str) -> anyhow::Result<String> {
        let until = Instant::now() + START_MAX;
        loop {
            match self.next_line(until) {
                Some(ServentLine::Log(line)) if line.contains(text) => return Ok(line),
                Some(ServentLine::Log(_) | ServentLine::Out(_)) => {}
                Some(ServentLine::End) | None => {
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

    fn next_line(&mut self, until: Instant) -> Option<ServentLine> {
        match self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            Ok(line) => {
                self.keep(&line);
                Some(line)
            }
            Err(RecvTimeoutError::Disconnected) => Some(ServentLine::End),
            Err(RecvTimeoutError::Timeout) => None,
        }
    }

    fn keep(&mut self, line: &ServentLine) {
        match line {
            ServentLine::Log(line) => {
                if self.log.len() >= LOG_LINES_MAX {
                    self.log.pop_front();
                }
                self.complete |= line.contains("linked with every neighbor it was told");
                self.log.push_back(line.clone());
            }
            ServentLine::End => self.ended = true,
            ServentLine::Out(_) => {}
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
    pipe: impl Read + Send + 'static,
    sender: Sender<ServentLine>,
    line: fn(String) -> ServentLine,
) -> anyhow::Result<()> {
    in_a_thread(move || send_lines(pipe, &sender, line))
}

fn read_lines_to_the_end(pipe: impl Read + Send + 'static, sender: Sender<ServentLine>) -> anyhow::Result<()> {
    in_a_thread(move || {
        send_lines(pipe, &sender, ServentLine::Log);
        drop(sender.send(ServentLine::End));
    })
}

fn send_lines(pipe: impl Read, sender: &Sender<ServentLine>, line: fn(String) -> ServentLine) {
    for text in BufReader::new(pipe).lines().map_while(Result::ok) {
        // Nobody listening any more is no reason to let the servent stall on a full pipe.
        drop(sender.send(line(text)));
    }
}

fn in_a_thread(read: impl FnOnce() + Send + 'static) -> anyhow::Result<()> {
    let thread = thread::Builder::new().name("pipe".to_owned()).spawn(read);
    thread.map(drop).context("cannot start a thread to read a servent's output")
}

/// A client as a process, ready to be started.
pub fn client<Word: AsRef<OsStr>>(arguments: impl IntoIterator<Item = Word>) -> anyhow::Result<Command> {
    let mut command = command("client")?;
    command.args(arguments);
    Ok(command)
}

/// A program behind words that end in becoming it. What is done with its pipes is said anew.
#[must_use]
pub fn behind(before: &[String], command: &Command) -> Command {
    let mut words = before.iter().map(OsStr::new).chain([command.get_program()]).chain(command.get_args());
    let mut whole = Command::new(words.next().unwrap_or_default());
    whole.args(words);
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => whole.env(name, value),
            None => whole.env_remove(name),
        };
    }
    whole
}

/// One of our programs, told not to outlive this one where this one is a person's.
fn command(name: &str) -> anyhow::Result<Command> {
    let mut command = Command::new(program(name)?);
    command.args(processes::with_parent()).env_remove("RUST_LOG");
    Ok(command)
}

/// Has what tests start from now on hear Ctrl-C and hang-ups, although the tests may have been started not to (by `nohup`,
/// or by a script behind `&`): a signal with a handler goes back to its default in a new program, one that is ignored does
/// not. This process itself ends of them as it would have.
pub fn hear_signals() -> anyhow::Result<()> {
    for signal in [SIGINT, SIGHUP] {
        let always = Arc::new(AtomicBool::new(true));
        flag::register_conditional_shutdown(signal, 128 + signal, always).context("cannot watch for signals")?;
    }
    Ok(())
}

/// An address of this machine that nobody else is likely to use, so that checks can run side by side.
#[must_use]
pub fn some_loopback_address() -> Ipv4Addr {
    let random = RandomState::new().build_hasher().finish().to_be_bytes();
    // 127.0.x.y is left to people; a last byte of 0 or 255 looks like a network's own address.
    Ipv4Addr::new(127, 1 + random[0] % 254, random[1], 1 + random[2] % 254)
}

/// An address of this machine at which nobody listens, on an ip that nobody else is likely to use: whoever asked for it may
/// listen there at any time.
pub fn unused_address() -> anyhow::Result<SocketAddr> {
    let listener = TcpListener::bind((some_loopback_address(), 0)).context("cannot find a free port")?;
    listener.local_addr().context("cannot tell which port is free")
}
