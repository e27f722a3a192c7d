//! `topology events`: the logs of events of many servents as one order of all that happened, and whether it can be true.
//!
//! A servent writes such a log with `--events FILE`. `files` has the files as whole lines, `line` is what a line says and
//! how it is told in words, `survey` reads all once and notes what is sorted and what is missing, `merge` tells all lines in
//! one order, and `judge` says of that whether it can be true, as far as `speakers` knows who was heard. `follow` tells new lines as they come, and `held` which of
//! them wait for others meanwhile. Nobody asks when anything happened: it goes by Lamport clocks alone.

mod differences;
mod files;
mod follow;
mod held;
mod judge;
mod line;
mod merge;
mod speakers;
mod survey;

use std::io::Write;
use std::path::PathBuf;

use clap::Args;
use common::counted::{counted, grouped};

pub use differences::DIFFERENCES_TOLD_MAX;
pub use files::{LINE_BYTES_MAX, NamedLog, ReadAt};
pub use judge::{SAID_MAX, Verdict};
pub use line::{EventLine, Happened, NotAnEvent};
pub use survey::RUNS_MAX;

use judge::Judge;
use merge::Merge;
use survey::Survey;

/// The command line of `topology events`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What servents wrote with --events; beside FILE also FILE.1 is read, where there is one
    #[arg(value_name = "FILE", required = true)]
    pub files: Vec<PathBuf>,

    /// The lines as they are in the files, in that order
    #[arg(long)]
    pub json: bool,

    /// Tell what is new as it comes, until interrupted, and judge nothing
    #[arg(long)]
    pub follow: bool,
}

impl Options {
    /// The help that comes after that of the options: what the order is, and what is judged.
    #[must_use]
    pub fn more_help() -> &'static str {
        "\
The order is that of the Lamport clocks, then of the addresses, then of the lines of a log; never that of the time of day. \
It cannot be true where something was heard with a clock no larger than the stamp it came with, or was heard with the stamp \
of a servent whose log is here and does not tell that it said so to that one or to an address of which no log is here, or where the clock of a servent falls or lines of it are \
missing. Such lines are named on stderr. Nothing is judged of what a log says was dropped, of what came before the first line \
of one that was begun anew, may have been said by one that was killed, or was heard over a link of which the log of \
whoever goes by that address does not say that anything was heard over it in turn: it may have been another.\n\n\
With --follow a line waits until each file has shown a larger clock, or for a moment.\n\n\
Exit code: 0 the order can be true, 1 it cannot or a file cannot be read, 2 for a wrong command line.\n\n\
Example: topology events north.jsonl west.jsonl"
    }
}

/// Tells all lines to `out`, and what is wrong with their order to `err`. True where nothing is.
pub fn run(options: &Options, mut out: impl Write, mut err: impl Write) -> anyhow::Result<bool> {
    if options.follow {
        follow::run(&options.files, options.json, out, err)?;
        return Ok(true);
    }
    let logs = files::open(&options.files)?;
    let Verdict { differences, lines, servents, judged, unjudged, broken_off } = tell(&logs, options.json, &mut out)?;
    out.flush()?;
    for difference in differences.told() {
        writeln!(err, "topology: {difference}")?;
    }
    let can_be = if differences.is_empty() { "can be true" } else { "cannot be true" };
    let [lines, servents] = [counted(lines, "line"), counted(servents, "servent")];
    let (judged, heard) = (grouped(judged), counted(judged + unjudged, "message"));
    let broken_off = match broken_off {
        0 => String::new(),
        1 => "; 1 log breaks off in the middle of a line".to_owned(),
        many => format!("; {} break off in the middle of a line", counted(many, "log")),
    };
    writeln!(
        err,
        "topology: {lines} of {servents} in an order that {can_be}; judged {judged} of {heard} heard from each other{broken_off}"
    )?;
    Ok(differences.is_empty())
}

/// Tells all lines of logs in one order, and says whether that can be true.
pub fn tell<Source: ReadAt>(
    logs: &[NamedLog<Source>],
    as_they_are: bool,
    out: &mut impl Write,
) -> anyhow::Result<Verdict> {
    tell_keeping(SAID_MAX, logs, as_they_are, out)
}

/// The same where so much that was said is kept until it is heard.
fn tell_keeping<Source: ReadAt>(
    said_max: usize,
    logs: &[NamedLog<Source>],
    as_they_are: bool,
    out: &mut impl Write,
) -> anyhow::Result<Verdict> {
    let survey = Survey::of(logs)?;
    let mut judge = Judge::new(logs, &survey, said_max);
    let mut merge = Merge::new(logs, &survey);
    while let Some(read) = merge.next()? {
        if as_they_are {
            out.write_all(read.bytes)?;
            out.write_all(b"\n")?;
        } else {
            writeln!(out, "{}", read.event)?;
        }
        judge.on_line(read.place, &read.event);
    }
    Ok(judge.finish())
}

#[cfg(test)]
mod tests;
