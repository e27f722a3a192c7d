//! The servents of an overlay as processes: what they say, and when they listen, are linked and have left.
//!
//! It knows our programs and pipes; how a process is started so that it ends with this one is `processes`, what the
//! overlay is asked is `asking`, what it must answer is `check`.

use std::collections::hash_map::RandomState;
use std::collections::{BTreeMap, VecDeque};
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

use crate::asking::{self, Asked, GivenAnswer};
use crate::declared::Topology;
use crate::logs::{LogWatch, Logs};
use crate::processes::{self, LEAVE_MAX, Process};

/// How long a servent may take to listen, and to be linked once all those before it are. A machine with much else to do
/// takes long.
const START_MAX: Duration = Duration::from_secs(60);
/// How often it is looked whether all servents are alive while one of them is waited for, and how far the others are.
const LOOK_EVERY: Duration = Duration::from_millis(100);
/// Servents that have been started and do not listen yet. More would only take the processor from each other, and who
/// dials one that does not listen yet waits before it dials again.
const STARTING_MAX: usize = 8;
/// How often servents are asked for their places, as long as these are not as declared and nothing new is logged.
const ASK_EVERY: Duration = Duration::from_secs(1);
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
        Fleet::start_logging(topology, None, &mut |_| ())
    }

    /// The same, where what each servent logs at debug level is kept, if that is wanted. How far it is is shown now and
    /// then, where it takes long.
    pub fn start_logging(
        topology: &Topology,
        logs: Option<&Logs>,
        show: &mut dyn FnMut(FleetProgress),
    ) -> anyhow::Result<Fleet> {
        let mut fleet = Fleet { servents: Vec::new() };
        let mut looks = Looks::new(topology, show);
        let logs = logs.map(|logs| Ok::<_, anyhow::Error>((logs, LogWatch::new()?))).transpose()?;
        for (place, declared) in topology.servents.iter().enumerate() {
            if let Some(earlier) = place.checked_sub(STARTING_MAX) {
                fleet.wait_until_listening(earlier, &mut looks)?;
            }
            let mut arguments = declared.arguments();
            arguments.extend(logs.iter().map(|_| "-v".to_owned()));
            let log = logs.as_ref().map(|(logs, watch)| (logs.path(place), watch));
            fleet.servents.push(Servent::spawn(command("servent")?, arguments, log)?);
        }
        for place in 0..fleet.servents.len() {
            fleet.wait_until_listening(place, &mut looks)?;
        }
        Ok(fleet)
    }

    fn wait_until_listening(&mut self, place: usize, looks: &mut Looks<'_>) -> anyhow::Result<()> {
        let until = Instant::now() + START_MAX;
        while !self.servents[place].is_listening_within(LOOK_EVERY)? {
            if Instant::now() > until {
                return Err(self.servents[place].failure("does not listen"));
            }
            looks.look(&mut self.servents);
        }
        looks.look(&mut self.servents);
        Ok(())
    }

    /// Waits until the overlay is linked as declared and no link is going to change by itself any more.
    pub fn wait_until_linked(&mut self, topology: &Topology) -> anyhow::Result<()> {
        self.wait_until_linked_showing(topology, &mut |_| ())
    }

    /// The same, where how far it is is shown now and then.
    ///
    /// A link that both its ends were told is dialled twice, and the second dial may come seconds after the first, when
    /// the other end was not up yet; which of the two stays is known only then. So each servent is waited for until it
    /// has greeted every neighbor it was told, which settles such pairs at both ends; and then until all of them, asked
    /// for their places, name the neighbors declared and none twice.
    pub fn wait_until_linked_showing(
        &mut self,
        topology: &Topology,
        show: &mut dyn FnMut(FleetProgress),
    ) -> anyhow::Result<()> {
        let mut looks = Looks::new(topology, show);
        for (place, declared) in topology.servents.iter().enumerate() {
            let until = Instant::now() + START_MAX;
            while !declared.options.neighbors.is_empty() && !self.servents[place].is_complete_within(LOOK_EVERY) {
                self.check_alive()?;
                if Instant::now() > until {
                    return Err(self.servents[place].failure("is not linked with every neighbor it was told"));
                }
                looks.look(&mut self.servents);
            }
        }
        let until = Instant::now() + START_MAX;
        while let Some((place, what)) = self.first_not_linked(topology)? {
            self.check_alive()?;
            if Instant::now() > until {
                return Err(self.servents[place].failure(&what));
            }
            // It says so when that changes; asking all the while would take what the servents need.
            self.servents[place].next_line(Instant::now() + ASK_EVERY);
            looks.look(&mut self.servents);
        }
        Ok(())
    }

    /// The first servent found that says that it is not linked as declared, and with whom it is instead.
    ///
    /// Each of which no answer came yet is asked; what it passes the question on to answers as well, so that an overlay
    /// that one question goes through is asked once.
    fn first_not_linked(&self, topology: &Topology) -> anyhow::Result<Option<(usize, String)>> {
        let mut is_known = vec![false; topology.servents.len()];
        for (contact, declared) in topology.servents.iter().enumerate() {
            if is_known[contact] {
                continue;
            }
            let asked = Asked::at(declared.listen, asking::topology(PLACES_WAIT))?;
            match linked_as_declared(topology, contact, asked.answers) {
                Ok(places) => places.into_iter().for_each(|place| is_known[place] = true),
                Err(odd) => return Ok(Some(odd)),
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

/// Whose answers say that they are linked as declared, the contact among them; or one whose does not, and what it says.
fn linked_as_declared(
    topology: &Topology,
    contact: usize,
    answers: Vec<GivenAnswer>,
) -> Result<Vec<usize>, (usize, String)> {
    let addresses = topology.addresses();
    let places: BTreeMap<SocketAddr, usize> = addresses.iter().copied().zip(0..).collect();
    // Whom others than the contact are linked with is told where no link speaks TP3.
    let tells_all = topology.reports();
    let mut told = BTreeMap::from([(contact, Vec::new())]);
    for answer in answers {
        let place =
            if answer.hops == Some(0) { Some(&contact) } else { places.get(&answer.from).filter(|_| tells_all) };
        told.extend(place.map(|place| (*place, answer.neighbors)));
    }
    for (place, found) in &mut told {
        let neighbors = topology.servents[*place].neighbors.iter();
        let mut wanted: Vec<SocketAddr> = neighbors.map(|other| addresses[*other]).collect();
        wanted.sort_unstable();
        found.sort_unstable();
        // Who accepted a TP3 link does not know the address the other end goes by.
        if *found != wanted && (tells_all || found.len() != wanted.len()) {
            return Err((*place, format!("is linked with {found:?} and not with {wanted:?}")));
        }
    }
    Ok(told.into_keys().collect())
}

/// How far an overlay is that comes up.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FleetProgress {
    /// How many servents it is to have.
    pub servents: usize,
    /// How many of them listen.
    pub up: usize,
    /// How many of these are linked with every neighbor they were told.
    pub linked: usize,
}

/// Whoever is shown now and then how far it is, and when that is next.
struct Looks<'a> {
    topology: &'a Topology,
    show: &'a mut dyn FnMut(FleetProgress),
    next: Instant,
}

impl<'a> Looks<'a> {
    /// What is done soon is not shown.
    fn new(topology: &'a Topology, show: &'a mut dyn FnMut(FleetProgress)) -> Looks<'a> {
        Looks { topology, show, next: Instant::now() + LOOK_EVERY }
    }

    fn look(&mut self, servents: &mut [Servent]) {
        if Instant::now() < self.next {
            return;
        }
        self.next = Instant::now() + LOOK_EVERY;
        let declared = &self.topology.servents;
        let mut progress = FleetProgress { servents: declared.len(), up: 0, linked: 0 };
        for (servent, declared) in servents.iter_mut().zip(declared) {
            servent.hear();
            let is_up = servent.listens();
            progress.up += usize::from(is_up);
            progress.linked += usize::from(is_up && (servent.complete || declared.options.neighbors.is_empty()));
        }
        (self.show)(progress);
    }
}

/// One servent as a process. Ended when dropped.
#[derive(Debug)]
pub struct Servent {
    process: Process,
    /// Where it listens; known once it does.
    address: SocketAddr,
    /// What it said first on stdout.
    said: Option<String>,
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
        if !servent.is_listening_within(START_MAX)? {
            return Err(servent.failure("does not listen"));
        }
        Ok(servent)
    }

    /// Its log is a pipe, or a file that it writes itself.
    fn spawn(mut command: Command, arguments: Vec<String>, log: Option<(&Path, &LogWatch)>) -> anyhow::Result<Servent> {
        command.args(&arguments).stdin(Stdio::null()).stdout(Stdio::piped());
        let (sender, lines) = channel();
        let stderr = match log {
            Some((path, watch)) => {
                let sender = sender.clone();
                // Nobody listening any more is no reason to read no further.
                let tell =
                    move |line: Option<String>| drop(sender.send(line.map_or(ServentLine::End, ServentLine::Log)));
                Stdio::from(watch.follow(path, tell)?)
            }
            None => Stdio::piped(),
        };
        let mut process = Process::start(command.stderr(stderr)).context("cannot start a servent")?;
        // Ours would keep the log from being closed.
        drop(command);
        let out = process.take_stdout().ok_or_else(|| anyhow!("the servent has no stdout"))?;
        read_lines(out, sender.clone(), ServentLine::Out)?;
        if log.is_none() {
            let log = process.take_stderr().ok_or_else(|| anyhow!("the servent has no stderr"))?;
            read_lines_to_the_end(log, sender)?;
        }
        let address = SocketAddr::from(([0, 0, 0, 0], 0));
        let log = VecDeque::new();
        Ok(Servent { process, address, said: None, arguments, lines, log, complete: false, ended: false })
    }

    /// Waits so long, or until it listens. An error where it never will.
    fn is_listening_within(&mut self, wait: Duration) -> anyhow::Result<bool> {
        let until = Instant::now() + wait;
        while self.said.is_none() {
            match self.next_line(until) {
                Some(ServentLine::Out(_) | ServentLine::Log(_)) => {}
                Some(ServentLine::End) => return Err(self.failure("does not listen")),
                None => return Ok(false),
            }
        }
        if !self.listens() {
            bail!("the servent said `{}` on stdout", self.said.as_deref().unwrap_or_default());
        }
        Ok(true)
    }

    fn listens(&self) -> bool {
        self.address.port() != 0
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
        self.hear();
        self.log.iter().map(|line| format!("    {line}\n")).collect()
    }

    /// Takes what it has said until now.
    fn hear(&mut self) {
        while let Ok(line) = self.lines.try_recv() {
            self.keep(&line);
        }
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
            ServentLine::Out(line) if self.said.is_none() => {
                let address = line.strip_prefix("listening on ").and_then(|address| address.parse().ok());
                self.address = address.unwrap_or(self.address);
                self.said = Some(line.clone());
            }
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

#[cfg(test)]
mod tests {
    use super::*;

    fn row(option: &str) -> Topology {
        let text = "9001 - tp3://9002 --tp3\n9002 - tp3://9003 --tp3\n9003 - --tp3\n";
        let text = if option.is_empty() { text.replace("tp3://", "").replace(" --tp3", "") } else { text.to_owned() };
        Topology::parse("row", text, Path::new("")).unwrap()
    }

    fn place(port: u16, hops: u8, neighbors: &[u16]) -> GivenAnswer {
        let address = |port| SocketAddr::from((Ipv4Addr::LOCALHOST, port));
        let neighbors = neighbors.iter().copied().map(address).collect();
        GivenAnswer { value: None, from: address(port), name: None, path: Vec::new(), neighbors, hops: Some(hops) }
    }

    #[test]
    fn one_question_tells_of_all_that_answer_it() {
        let linked = |answers: &[GivenAnswer]| linked_as_declared(&row(""), 0, answers.to_vec());
        let [first, second] = [place(9001, 0, &[9002]), place(9002, 1, &[9003, 9001])];
        assert_eq!(linked(&[first.clone(), second.clone()]), Ok(vec![0, 1]), "nothing is known of the last");
        assert_eq!(linked(&[first.clone(), second.clone(), place(9003, 2, &[9002])]), Ok(vec![0, 1, 2]));
        assert_eq!(linked(&[first.clone(), place(9099, 1, &[])]), Ok(vec![0]), "a stranger is none of ours");
        for (odd, answers) in [
            (0, vec![second.clone()]),
            (1, vec![first.clone(), place(9002, 1, &[9001])]),
            (1, vec![first.clone(), place(9002, 1, &[9001, 9001, 9003])]),
            (2, vec![first, second, place(9003, 2, &[])]),
        ] {
            assert_eq!(linked(&answers).unwrap_err().0, odd);
        }
    }

    /// Who accepted a TP3 link knows that there is one, and not with whom.
    #[test]
    fn over_tp3_only_the_contact_tells_and_no_more_than_how_many() {
        let linked = |answers: &[GivenAnswer]| linked_as_declared(&row("--tp3"), 1, answers.to_vec());
        assert_eq!(linked(&[place(9002, 0, &[7, 9003]), place(9001, 1, &[])]), Ok(vec![1]));
        assert_eq!(linked(&[place(9002, 0, &[9003])]).unwrap_err().0, 1);
    }
}
