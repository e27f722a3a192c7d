//! What the tests of the servent program share: servents as processes, and what they hold. Who talks to them is in the
//! crate `peers`.

// Each of the test programs takes what it needs.
#![allow(dead_code)]

use std::fs;
use std::io::{self, BufRead, BufReader};
use std::net::SocketAddr;
use std::ops::{Deref, DerefMut};
use std::path::PathBuf;
use std::process::{Command, ExitStatus, Output, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use peers::PATIENCE;
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use topologies::fleet::{Servent, program, unused_address};
use topologies::processes::{self, MemoryBytes, memory_of};

/// An address on which nobody listens: its port can be given up and taken again without another test getting it in between.
pub(crate) fn free_address() -> SocketAddr {
    unused_address().unwrap()
}

/// Waits until this is so: it is looked at again and again.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        thread::yield_now();
    }
}

// ---- the servent ----

/// Starts a servent on a free port of 127.0.0.1 that logs what becomes of clients too. `arguments` follow the port.
pub(crate) fn serve(arguments: &[&str]) -> Servent {
    serve_on("127.0.0.1:0", arguments)
}

/// The same on an address of one's choice.
pub(crate) fn serve_on(address: &str, arguments: &[&str]) -> Servent {
    Servent::start(&[&[address], arguments, &["-v"]].concat()).unwrap()
}

/// Starts one that is to hear very many queries: it logs no line for each, among which others would be lost.
pub(crate) fn serve_many(arguments: &[&str]) -> Servent {
    Servent::start(&[&["127.0.0.1:0"], arguments].concat()).unwrap()
}

/// A servent that holds [`tea`], which is gone with it.
pub(crate) struct Holder {
    servent: Servent,
    _file: DataFile,
}

impl Deref for Holder {
    type Target = Servent;

    fn deref(&self) -> &Servent {
        &self.servent
    }
}

impl DerefMut for Holder {
    fn deref_mut(&mut self) -> &mut Servent {
        &mut self.servent
    }
}

/// Starts a servent that holds [`tea`], as [`serve`] does. `options` follow the data.
pub(crate) fn serve_tea(options: &[&str]) -> Holder {
    let file = tea();
    Holder { servent: serve(&[&[file.path()], options].concat()), _file: file }
}

/// Runs a servent that is expected to end by itself.
pub(crate) fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(program("servent").unwrap());
    command.args(arguments).env_remove("RUST_LOG").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let process = processes::Process::start(&mut command).unwrap();
    let pid = process.pid();
    let (sender, ended) = channel();
    thread::spawn(move || sender.send(process.output()));
    ended.recv_timeout(PATIENCE).map(Result::unwrap).unwrap_or_else(|_| {
        kill_process(pid, Signal::KILL).unwrap();
        panic!("`servent {}` does not end", arguments.join(" "))
    })
}

/// What a program said on stderr.
pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8_lossy(&output.stderr).into_owned()
}

/// What a program said on stdout.
pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// Waits until the log has a line that contains `text`, early or late, and returns that line.
pub(crate) fn logged(servent: &mut Servent, text: &str) -> String {
    let so_far = servent.log_text();
    match so_far.lines().find(|line| line.contains(text)) {
        Some(line) => line.to_owned(),
        None => servent.wait_for_log(text).unwrap(),
    }
}

/// A servent under a command of one's choice, for what [`Servent`] does not show: its process id and its stdout.
pub(crate) struct Process {
    process: processes::Process,
    lines: Receiver<Line>,
    pub(crate) out: Vec<String>,
    pub(crate) log: Vec<String>,
    pub(crate) address: SocketAddr,
}

enum Line {
    Out(String),
    Log(String),
}

impl Process {
    /// Starts it and waits until it says on stdout where it listens.
    pub(crate) fn start(command: &mut Command) -> Process {
        Process::start_told(command, |_| {})
    }

    /// The same of one that is told something before it listens.
    pub(crate) fn start_told(command: &mut Command, tell: impl FnOnce(Pid)) -> Process {
        if !command.get_envs().any(|(name, _)| name == "RUST_LOG") {
            command.env_remove("RUST_LOG");
        }
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let mut process = processes::Process::start(command).unwrap();
        let (sender, lines) = channel();
        let (out, log) = (process.take_stdout().unwrap(), process.take_stderr().unwrap());
        let log_sender = sender.clone();
        thread::spawn(move || BufReader::new(out).lines().try_for_each(|line| sender.send(Line::Out(line.unwrap()))));
        thread::spawn(move || {
            BufReader::new(log).lines().try_for_each(|line| log_sender.send(Line::Log(line.unwrap())))
        });
        tell(process.pid());
        let mut process = Process { process, lines, out: Vec::new(), log: Vec::new(), address: ([0; 4], 0).into() };
        while process.out.is_empty() {
            process.hear();
        }
        process.address = process.out[0].strip_prefix("listening on ").unwrap().parse().unwrap();
        process
    }

    /// Starts a servent on a free port of 127.0.0.1. `arguments` follow the port.
    pub(crate) fn serve(arguments: &[&str]) -> Process {
        Process::start(Command::new(program("servent").unwrap()).arg("127.0.0.1:0").args(arguments))
    }

    /// The same for one that logs every line but those of queries: at the default level what happens often is counted, and
    /// a line for each query would slow it down.
    pub(crate) fn serve_saying_all(arguments: &[&str]) -> Process {
        let mut command = Command::new("env");
        command.arg("RUST_LOG=debug,query=off").arg(program("servent").unwrap()).arg("127.0.0.1:0").args(arguments);
        Process::start(&mut command)
    }

    /// Starts one that may have so many descriptors and no more.
    pub(crate) fn serve_with_descriptors(count: u32, arguments: &[&str]) -> Process {
        let mut command = Command::new("sh");
        command.args(["-c", &format!("ulimit -n {count}; exec \"$0\" 127.0.0.1:0 \"$@\"")]);
        Process::start(command.arg(program("servent").unwrap()).args(arguments))
    }

    /// Waits until this many lines of its log contain `text`.
    pub(crate) fn wait_for_log(&mut self, text: &str, count: usize) {
        while self.log.iter().filter(|line| line.contains(text)).count() < count {
            self.hear();
        }
    }

    /// What it has logged by now.
    pub(crate) fn log_so_far(&mut self) -> &[String] {
        while let Ok(line) = self.lines.try_recv() {
            self.keep(line);
        }
        &self.log
    }

    /// What it has logged of all it did so far, if it says all ([`Process::serve_saying_all`]). It is told to read its data anew: the line it says then is its last.
    pub(crate) fn log_by_now(&mut self) -> &[String] {
        let is_read = |line: &&String| line.contains("] serving ");
        let count = self.log_so_far().iter().filter(is_read).count();
        self.signal(Signal::HUP);
        while self.log.iter().filter(is_read).count() == count {
            self.hear();
        }
        &self.log
    }

    /// What it takes of memory.
    pub(crate) fn memory(&self) -> MemoryBytes {
        memory_of(self.pid()).unwrap()
    }

    /// The memory it has now, and the most it ever had, in KiB.
    pub(crate) fn resident_kib(&self) -> (u64, u64) {
        let MemoryBytes { now, most, .. } = self.memory();
        (now as u64 / 1024, most as u64 / 1024)
    }

    /// The processor time it has used, in clock ticks.
    pub(crate) fn ticks(&self) -> u64 {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.pid().as_raw_nonzero())).unwrap();
        // The second field is the program's name in brackets; user and system time are the 14th and 15th.
        let fields: Vec<&str> = stat.rsplit(')').next().unwrap().split_whitespace().collect();
        fields[11].parse::<u64>().unwrap() + fields[12].parse::<u64>().unwrap()
    }

    pub(crate) fn pid(&self) -> Pid {
        self.process.pid()
    }

    /// Its threads, by name.
    pub(crate) fn threads(&self) -> Vec<String> {
        let tasks = fs::read_dir(format!("/proc/{}/task", self.pid().as_raw_nonzero())).unwrap();
        // One that has just ended has no name any more.
        let name = |task: io::Result<fs::DirEntry>| fs::read_to_string(task.ok()?.path().join("comm")).ok();
        let mut names: Vec<String> = tasks.filter_map(name).map(|name| name.trim_end().to_owned()).collect();
        names.sort_unstable();
        names
    }

    /// Waits until it has these threads and no others.
    pub(crate) fn wait_for_threads(&self, expected: &[&str]) {
        wait_until(&format!("it has {expected:?}"), || self.threads() == expected);
    }

    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Waits until it has ended and everything it said was heard.
    pub(crate) fn wait(&mut self) -> ExitStatus {
        let until = Instant::now() + PATIENCE;
        while let Ok(line) = self.lines.recv_timeout(until.saturating_duration_since(Instant::now())) {
            self.keep(line);
        }
        assert!(Instant::now() < until, "it does not end:\n{}", self.log.join("\n"));
        self.process.wait().unwrap()
    }

    fn hear(&mut self) {
        match self.lines.recv_timeout(PATIENCE) {
            Ok(line) => self.keep(line),
            Err(error) => panic!("{error}; it logged:\n{}", self.log.join("\n")),
        }
    }

    fn keep(&mut self, line: Line) {
        match line {
            Line::Out(line) => self.out.push(line),
            Line::Log(line) => self.log.push(line),
        }
    }
}

// ---- data ----

/// A data file that is gone with this value.
pub(crate) struct DataFile {
    directory: TempDir,
    path: PathBuf,
}

impl DataFile {
    pub(crate) fn new(content: impl AsRef<[u8]>) -> DataFile {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("data.txt");
        fs::write(&path, content).unwrap();
        DataFile { directory, path }
    }

    /// Puts something else into the file.
    pub(crate) fn write(&self, content: impl AsRef<[u8]>) {
        fs::write(&self.path, content).unwrap();
    }

    pub(crate) fn path(&self) -> &str {
        self.path.to_str().unwrap()
    }
}

/// What most servents of these tests hold: tea is green.
pub(crate) fn tea() -> DataFile {
    DataFile::new("tea green\n")
}
