//! The client program as a process of which stdin, stdout and stderr are pipes.
//!
//! It collects what the program prints, to the byte, and its exit code. A client at a terminal is `terminal`.

use std::ffi::OsStr;
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::ExitStatusExt;
use std::path::Path;
use std::process::{ChildStdin, Command, Stdio};
use std::sync::Once;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;

use peers::PATIENCE;
use rustix::process::Signal;
use serde_json::Value;
use tempfile::TempDir;
use topologies::fleet;
use topologies::processes::{Process, memory_of};

/// What the environment may say about where a program keeps its files.
const PLACES: [&str; 5] = ["HOME", "XDG_STATE_HOME", "XDG_DATA_HOME", "XDG_CONFIG_HOME", "XDG_CACHE_HOME"];

/// A client that would keep its history below `home`, ready to be started.
pub(crate) fn client<Word: AsRef<OsStr>>(home: &Path, arguments: impl IntoIterator<Item = Word>) -> Command {
    static SIGNALS: Once = Once::new();
    SIGNALS.call_once(|| fleet::hear_signals().unwrap());
    let mut command = fleet::client(arguments).unwrap();
    for place in PLACES {
        command.env(place, home);
    }
    command.env("COLUMNS", "100").stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// The same with a place for its history that is kept beside it.
pub(crate) fn prepared<Word: AsRef<OsStr>>(arguments: impl IntoIterator<Item = Word>) -> (TempDir, Command) {
    let home = TempDir::new().unwrap();
    let command = client(home.path(), arguments);
    (home, command)
}

/// A client that runs. Killed when dropped.
#[derive(Debug)]
pub(crate) struct Client {
    process: Process,
    stdin: Option<ChildStdin>,
    out: Lines,
    log: Lines,
    _home: TempDir,
}

/// What a client came to.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Run {
    /// What it printed on stdout and was not yet taken.
    pub(crate) out: String,
    /// What it printed on stderr and was not yet taken.
    pub(crate) log: String,
    /// Its exit code, as a shell would report it.
    pub(crate) code: i32,
}

/// What came of a run that printed this, and nothing on stderr.
pub(crate) fn quiet(out: impl Into<String>, code: i32) -> Run {
    Run { out: out.into(), log: String::new(), code }
}

impl Client {
    /// Starts a client with a script to be written to its stdin.
    pub(crate) fn start<Word: AsRef<OsStr>>(arguments: impl IntoIterator<Item = Word>) -> Client {
        let (home, command) = prepared(arguments);
        Client::start_as(command, home)
    }

    /// The same in a directory, where it writes what it fetches.
    pub(crate) fn start_in<Word: AsRef<OsStr>>(directory: &Path, arguments: impl IntoIterator<Item = Word>) -> Client {
        let (home, mut command) = prepared(arguments);
        command.current_dir(directory);
        Client::start_as(command, home)
    }

    /// The same behind words that end in becoming it, such as those of a program that enters another network.
    pub(crate) fn start_behind<Word: AsRef<OsStr>>(
        before: &[String],
        arguments: impl IntoIterator<Item = Word>,
    ) -> Client {
        let (home, command) = prepared(arguments);
        let mut command = fleet::behind(before, &command);
        command.stdout(Stdio::piped()).stderr(Stdio::piped());
        Client::start_as(command, home)
    }

    fn start_as(mut command: Command, home: TempDir) -> Client {
        let mut process = Process::start(command.stdin(Stdio::piped())).unwrap();
        Client {
            stdin: process.take_stdin(),
            out: Lines::read(process.take_stdout().unwrap()),
            log: Lines::read(process.take_stderr().unwrap()),
            process,
            _home: home,
        }
    }

    /// Runs a client on a script until it ends.
    pub(crate) fn run<Word: AsRef<OsStr>>(arguments: impl IntoIterator<Item = Word>, script: impl AsRef<[u8]>) -> Run {
        let mut client = Client::start(arguments);
        client.write(script);
        client.finish()
    }

    /// Writes a part of the script.
    pub(crate) fn write(&mut self, script: impl AsRef<[u8]>) {
        match self.stdin.as_mut().unwrap().write_all(script.as_ref()) {
            // A client that has already left reads no more of its script.
            Err(error) if error.kind() == std::io::ErrorKind::BrokenPipe => {}
            written => written.unwrap(),
        }
    }

    /// The next line on stdout, without its end.
    pub(crate) fn next_line(&mut self) -> String {
        self.out.next().unwrap_or_else(|| panic!("the client printed no further line; its stderr: {}", self.log.rest()))
    }

    /// The next line on stdout, which must be JSON.
    pub(crate) fn next_json(&mut self) -> Value {
        json(&self.next_line())
    }

    /// The next line on stderr, without its end.
    pub(crate) fn next_log(&mut self) -> String {
        self.log.next().expect("the client said nothing further on stderr")
    }

    /// The most memory it has had so far.
    pub(crate) fn peak_bytes(&self) -> usize {
        memory_of(self.process.pid()).expect("it has ended").most
    }

    /// Ends it at once, as a crash would.
    pub(crate) fn kill(mut self) {
        self.signal(Signal::KILL);
        self.process.wait().unwrap();
    }

    /// Sends it a signal.
    pub(crate) fn signal(&self, signal: Signal) {
        self.process.signal(signal);
    }

    /// Ends the script and waits until the client has ended.
    pub(crate) fn finish(mut self) -> Run {
        drop(self.stdin.take());
        let out = self.out.rest();
        let log = self.log.rest();
        // Both pipes are closed, which only its end does.
        let status = self.process.wait().unwrap();
        let code = status.code().or_else(|| status.signal().map(|signal| 128 + signal)).unwrap();
        Run { out, log, code }
    }
}

/// A pipe as the lines that come out of it.
#[derive(Debug)]
struct Lines(Receiver<Vec<u8>>);

impl Lines {
    fn read(pipe: impl Read + Send + 'static) -> Lines {
        let (sender, lines) = channel();
        thread::spawn(move || {
            let mut pipe = BufReader::new(pipe);
            loop {
                let mut line = Vec::new();
                match pipe.read_until(b'\n', &mut line) {
                    Ok(count) if count > 0 => drop(sender.send(line)),
                    _ => return,
                }
            }
        });
        Lines(lines)
    }

    /// The next line without its end; nothing when there are no more.
    fn next(&mut self) -> Option<String> {
        let mut line = self.next_raw()?;
        assert_eq!(line.pop(), Some('\n'), "a line without an end: {line:?}");
        Some(line)
    }

    /// All that is still to come, line ends included.
    fn rest(&mut self) -> String {
        std::iter::from_fn(|| self.next_raw()).collect()
    }

    fn next_raw(&mut self) -> Option<String> {
        match self.0.recv_timeout(PATIENCE) {
            Ok(line) => Some(String::from_utf8(line).expect("the client prints UTF-8 only")),
            Err(RecvTimeoutError::Disconnected) => None,
            Err(RecvTimeoutError::Timeout) => panic!("the client neither says anything nor ends"),
        }
    }
}

/// Reads a line of JSON.
pub(crate) fn json(line: &str) -> Value {
    serde_json::from_str(line).unwrap_or_else(|error| panic!("{error} in {line:?}"))
}

/// The names of an object's fields, in the order of the alphabet.
pub(crate) fn fields(object: &Value) -> Vec<&str> {
    object.as_object().unwrap().keys().map(String::as_str).collect()
}

/// These fields of an object, as one value.
pub(crate) fn picked<const COUNT: usize>(object: &Value, fields: [&str; COUNT]) -> Value {
    fields.iter().map(|field| object[field].clone()).collect()
}

pub(crate) fn milliseconds(line: &Value) -> f64 {
    line["ms"].as_f64().unwrap()
}
