//! What a client is told: the client program run with commands, and its JSON read back.
//!
//! The real program is run, not its code: what is checked is what a person would see.

use std::net::SocketAddr;
use std::process::Stdio;

use anyhow::{Context, bail};
use serde::Deserialize;

use crate::fleet::client;
use crate::processes::Process;

/// What came of one run of the client.
#[derive(Debug, Default)]
pub struct ClientRun {
    /// Every answer, in the order of arrival.
    pub answers: Vec<ShownAnswer>,
    /// How each query ended, in the order of the commands.
    pub endings: Vec<ShownEnd>,
    /// Anything else the client printed.
    pub surprises: Vec<String>,
    /// What the client said on stderr.
    pub stderr: String,
    /// The exit code.
    pub code: Option<i32>,
}

/// One answer, as the client prints it with `--json`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ShownAnswer {
    /// The value, for a key.
    #[serde(default)]
    pub value: Option<String>,
    /// The answering servent.
    pub from: SocketAddr,
    /// The way the query took, for the topology.
    #[serde(default)]
    pub path: Vec<SocketAddr>,
    /// The answering servent's links, for the topology.
    #[serde(default)]
    pub neighbors: Vec<SocketAddr>,
    /// How many links the query crossed, where that is told.
    #[serde(default)]
    pub hops: Option<usize>,
    /// Milliseconds since the query was asked.
    pub ms: f64,
}

/// The end of one query, as the client prints it with `--json`.
#[derive(Clone, Debug, Deserialize, PartialEq)]
pub struct ShownEnd {
    /// Answers that came.
    pub answers: u64,
    /// Servents the query came to.
    pub reached: u64,
    /// Copies sent.
    pub copies: u64,
    /// Copies dropped.
    pub duplicates: u64,
    /// Servents where the TTL ended it.
    pub stopped: i64,
    /// What was given up.
    pub lost: u64,
    /// Neighbors that cannot echo.
    pub silent: u64,
    /// Milliseconds since the query was asked.
    pub ms: f64,
    /// Why it ended.
    pub reason: String,
}

#[derive(Deserialize)]
#[serde(tag = "type", rename_all = "lowercase")]
enum ShownLine {
    Answer(ShownAnswer),
    Finished(ShownEnd),
}

impl ClientRun {
    /// Runs the client at `contact` with these commands and options.
    pub fn run(contact: SocketAddr, commands: &[&str], options: &[&str]) -> anyhow::Result<ClientRun> {
        let contact = contact.to_string();
        let words = [contact.as_str(), "--json"].into_iter().chain(options.iter().copied());
        let commands = commands.iter().flat_map(|command| ["-c", command]);
        let mut client = client(words.chain(commands))?;
        client.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = Process::start(&mut client).and_then(Process::output).context("cannot run the client")?;
        let mut asking = ClientRun {
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
            code: output.status.code(),
            ..ClientRun::default()
        };
        for text in String::from_utf8_lossy(&output.stdout).lines() {
            match serde_json::from_str(text) {
                Ok(ShownLine::Answer(answer)) => asking.answers.push(answer),
                Ok(ShownLine::Finished(ending)) => asking.endings.push(ending),
                Err(_) => asking.surprises.push(text.to_owned()),
            }
        }
        Ok(asking)
    }

    /// The end of the only query, where there was but one.
    pub fn ending(&self) -> anyhow::Result<&ShownEnd> {
        match &self.endings[..] {
            [ending] => Ok(ending),
            endings => bail!("{} queries ended where one was asked; the client said: {}", endings.len(), self.stderr),
        }
    }
}
