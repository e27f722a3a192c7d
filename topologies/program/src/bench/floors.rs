//! Floors: programs that do the least possible work, for ours to stand beside.
//!
//! They are started from the same binary by a hidden subcommand (`topology floor`), one process for each servent they stand
//! beside, and pass messages of the same length as ours with nothing in them but a number, a port and a TTL. They check
//! nothing and survive nothing; the file of each says what it does. `asking` asks them. What needs nobody at another end is called
//! and not started (`append`).

pub mod answers;
pub mod append;
pub mod asking;
pub mod file;
pub mod flood;
pub mod keep;
pub mod links;
pub mod relay;
pub mod wait;
pub mod wire;

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::{Args, Subcommand};
use servent::parent;

use topologies::fleet::program;
use topologies::processes::{self, Process};

/// The command line of `topology floor`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// The process it ends with
    #[arg(long, value_name = "PID")]
    with_parent: Option<i32>,

    #[command(subcommand)]
    kind: FloorKind,
}

#[derive(Subcommand, Clone, Debug)]
enum FloorKind {
    /// Passes on what it hears, and answers
    Relay(relay::Options),
    /// Floods what it hears and did not hear before, and echoes
    Flood(flood::Options),
    /// Sends a file
    Send(file::Options),
    /// Reads and hashes a file
    Hash(file::Options),
    /// Keeps what comes in a file
    Keep(keep::Options),
}

/// The first word of its command line.
pub const SUBCOMMAND: &str = "floor";

/// Does it until it is ended.
pub fn run(options: &Options) -> anyhow::Result<()> {
    options.with_parent.map_or(Ok(()), parent::end_with)?;
    match &options.kind {
        FloorKind::Relay(options) => relay::run(options),
        FloorKind::Flood(options) => flood::run(options),
        FloorKind::Keep(options) => keep::run(options),
        FloorKind::Send(options) => file::run(options, file::send),
        FloorKind::Hash(options) => file::run(options, |_, path| file::read_and_hash(path)),
    }
}

/// One floor as a process. Killed when dropped.
#[derive(Debug)]
pub struct Floor {
    process: Process,
    lines: BufReader<std::process::ChildStdout>,
    /// Where it listens.
    pub address: SocketAddr,
}

impl Floor {
    /// Starts one and waits until it listens.
    pub fn start(words: &[String]) -> anyhow::Result<Floor> {
        let mut command = Command::new(program("topology")?);
        command.arg(SUBCOMMAND).args(processes::with_parent()).args(words);
        command.stdin(Stdio::null()).stdout(Stdio::piped());
        let mut process = Process::start(&mut command).context("cannot start a floor")?;
        let stdout = process.take_stdout().context("the floor has no stdout")?;
        let mut floor = Floor { process, lines: BufReader::new(stdout), address: SocketAddr::from(([0; 4], 0)) };
        floor.address = floor.wait_for("listening on ")?.parse().context("the floor listens nowhere")?;
        Ok(floor)
    }

    /// Waits until it says a line that begins like this, and gives the rest.
    pub fn wait_for(&mut self, begins: &str) -> anyhow::Result<String> {
        let mut line = String::new();
        self.lines.read_line(&mut line).context("the floor cannot be read")?;
        let Some(rest) = line.trim_end().strip_prefix(begins) else {
            bail!("the floor said `{}` where `{begins}` was expected", line.trim_end());
        };
        Ok(rest.to_owned())
    }

    /// Whether it still runs, as it does until it is ended.
    pub fn is_running(&mut self) -> bool {
        matches!(self.process.try_wait(), Ok(None))
    }
}
