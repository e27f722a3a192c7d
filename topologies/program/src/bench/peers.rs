//! Other people's programs, where they are installed, asked as our servents are: as many lookups in flight, by the same
//! generator, in the same rounds.
//!
//! They are started as they come, with nothing but where to listen and what to hold, and end with this program. What each
//! speaks is in the file of its protocol, and no more of it than a lookup takes.

pub mod dns;
pub mod nats;
pub mod redis;

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::channel;
use std::thread;
use std::time::Duration;

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use servent::parent;

use super::load::{Asks, LoadEvent};
use topologies::fleet::program;
use topologies::processes::{self, Process};

/// How long one may take until it listens.
const START_MAX: Duration = Duration::from_secs(20);
const READ_BYTES: usize = 64 * 1024;
/// Where programs are that not everybody has in their path.
const MORE_PATH: [&str; 2] = ["/usr/sbin", "/usr/local/sbin"];

/// What is looked up.
pub const KEY: &str = "kernel";
/// What there is of it, about as long as what our servents say.
pub const VALUE: &str = "the part of an operating system that everything else asks";

/// The command line of `topology peer`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The process it ends with
    #[arg(long, value_name = "PID")]
    with_parent: Option<i32>,

    #[command(subcommand)]
    kind: PeerKind,
}

#[derive(Subcommand, Clone, Debug)]
enum PeerKind {
    /// Becomes another program, which then ends as this one would
    Run {
        /// Its path
        program: PathBuf,
        /// Its arguments
        #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
        words: Vec<String>,
    },
    /// Answers requests that come over a nats-server
    NatsService {
        /// Where that is
        server: SocketAddr,
    },
}

/// The first word of its command line.
const SUBCOMMAND: &str = "peer";

/// Does it until it is ended.
pub fn run(options: &Options) -> anyhow::Result<()> {
    options.with_parent.map_or(Ok(()), parent::end_with)?;
    match &options.kind {
        // The system's promise to end it stays with the process.
        PeerKind::Run { program, words } => {
            let mut command = Command::new(program);
            Err(command.args(words).stderr(io::stdout()).exec()).context("cannot become it")
        }
        PeerKind::NatsService { server } => nats::serve(*server),
    }
}

/// Where a program of this name is, if it is installed.
#[must_use]
pub fn installed(name: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    // An empty machine is told by a path that leads nowhere.
    let own = std::env::split_paths(&path).map(|directory| directory.join(name));
    let more = MORE_PATH.iter().filter(|_| std::env::split_paths(&path).any(|directory| directory.is_dir()));
    own.chain(more.map(|directory| PathBuf::from(directory).join(name))).find(|file| file.is_file())
}

/// A process of somebody else's program, or one that serves it. Ended when dropped.
#[derive(Debug)]
pub struct PeerProgram {
    process: Process,
}

impl PeerProgram {
    /// Starts a program and waits until it says these words, by which time it listens.
    pub fn start(program: &Path, words: &[String], ready: &'static str) -> anyhow::Result<PeerProgram> {
        let mut command = PeerProgram::command()?;
        command.arg("run").arg(program).args(words).stdout(Stdio::piped());
        let mut peer = PeerProgram::spawn(&mut command)?;
        let mut said =
            BufReader::new(peer.process.take_stdout().context("it has no stdout")?).lines().map_while(Result::ok);
        let (sender, is_ready) = channel();
        let follow = move || {
            // To its end, so that it can go on saying things.
            let seen = said.any(|line| line.contains(ready));
            let _ = sender.send(seen);
            said.for_each(drop);
        };
        thread::Builder::new().name("peer".to_owned()).spawn(follow).context("cannot hear what it says")?;
        match is_ready.recv_timeout(START_MAX) {
            Ok(true) => Ok(peer),
            Ok(false) => {
                let status = peer.process.wait().context("cannot look after it")?;
                bail!("{} has ended, {status}: {}", program.display(), words.join(" "))
            }
            Err(_) => bail!("{} does not say `{ready}`", program.display()),
        }
    }

    fn command() -> anyhow::Result<Command> {
        let mut command = Command::new(program("topology")?);
        command.arg(SUBCOMMAND).args(processes::with_parent());
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        Ok(command)
    }

    fn spawn(command: &mut Command) -> anyhow::Result<PeerProgram> {
        Ok(PeerProgram { process: Process::start(command).context("cannot start a peer")? })
    }
}

/// What is said to a peer over TCP, and what it says.
pub trait PeerTalk {
    /// Writes a lookup.
    fn ask(&mut self, number: u64, out: &mut Vec<u8>);

    /// Reads what stands first: how many bytes that is, and which lookup it answers if it does; nothing while it is not
    /// whole. What is to be said about it is written.
    fn read(&mut self, came: &[u8], out: &mut Vec<u8>) -> anyhow::Result<Option<(usize, Option<u64>)>>;
}

/// A client of a peer, with many lookups in flight.
#[derive(Debug)]
pub struct PeerAsker<Talk> {
    talk: Talk,
    stream: TcpStream,
    /// How long a read of it waits.
    hears_for: Duration,
    next: u64,
    out: Vec<u8>,
    came: Vec<u8>,
    chunk: Vec<u8>,
}

impl<Talk: PeerTalk> PeerAsker<Talk> {
    /// Connects, and says what comes first.
    pub fn connect(server: SocketAddr, talk: Talk, first: &str) -> anyhow::Result<PeerAsker<Talk>> {
        let stream = TcpStream::connect(server).with_context(|| format!("cannot connect to {server}"))?;
        stream.set_nodelay(true)?;
        let (out, hears_for) = (first.as_bytes().to_vec(), Duration::ZERO);
        Ok(PeerAsker { talk, stream, hears_for, next: 0, out, came: Vec::new(), chunk: vec![0; READ_BYTES] })
    }
}

impl<Talk: PeerTalk> Asks for PeerAsker<Talk> {
    type Number = u64;

    fn begin(&mut self, count: usize, begun: &mut Vec<u64>) -> anyhow::Result<()> {
        for _ in 0..count {
            self.talk.ask(self.next, &mut self.out);
            begun.push(self.next);
            self.next += 1;
        }
        Ok(())
    }

    fn hear(&mut self, at_most: Duration, heard: &mut Vec<LoadEvent<u64>>) -> anyhow::Result<()> {
        if self.hears_for != at_most {
            self.stream.set_read_timeout(Some(at_most))?;
            self.hears_for = at_most;
        }
        while heard.is_empty() {
            self.stream.write_all(&self.out).context("it cannot be asked")?;
            self.out.clear();
            let count = match self.stream.read(&mut self.chunk) {
                Ok(0) => bail!("it has gone"),
                Ok(count) => count,
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => break,
                Err(error) => return Err(error).context("it cannot be heard"),
            };
            self.came.extend_from_slice(&self.chunk[..count]);
            let mut taken = 0;
            while let Some((count, number)) = self.talk.read(&self.came[taken..], &mut self.out)? {
                taken += count;
                heard.extend(number.map(LoadEvent::Answer));
            }
            self.came.drain(..taken);
        }
        Ok(())
    }
}

/// The first line of some bytes, without its end, and how many bytes it is with that.
fn line(came: &[u8]) -> anyhow::Result<Option<(&str, usize)>> {
    let Some(end) = came.windows(2).position(|end| end == b"\r\n") else { return Ok(None) };
    Ok(Some((std::str::from_utf8(&came[..end]).context("it says what is no text")?, end + 2)))
}
