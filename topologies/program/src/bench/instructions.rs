//! How many instructions a message costs in user space, counted by callgrind: figures that are the same however busy the
//! machine is.
//!
//! What is counted is `work`. What the system does for a message, and how long anything takes, is not told by them. Plain
//! callgrind and not a harness around it: that would be one more program to be there, in the version of its library.

use std::io::{ErrorKind, Write};
use std::process::{Command, Stdio};

use anyhow::{Context, bail};
use clap::Args;
use servent::parent;

use super::row::{BenchRow, Bound, Of};
use topologies::processes::{self, Process};

mod ensemble;
mod player;
mod work;

pub use work::CountedWork;

/// The rows, in the order of what is counted.
pub const ROWS: &[(&str, &str)] = &[
    ("instructions-decode", "bytes become a message: a copy of a query, an echo"),
    ("instructions-handle", "the mind of a relay is told a copy of a query, and its echo"),
    ("instructions-encode", "a message becomes bytes: a copy of a query, an echo"),
    ("instructions-lookup", "a key is found among 65,536"),
    (
        "instructions-relay",
        "bytes to bytes at a relay: a copy is passed on and its echo back, for each of the two heard",
    ),
    ("instructions-relay-64", "the same with 64 queries in flight"),
    ("instructions-duplicate", "bytes to bytes at a servent that knows the query: its copy is echoed"),
    ("instructions-contact", "bytes to bytes at a contact: a request, and the echo that ends it, for each of the two"),
    ("instructions-client", "a question, its answer and its end at a client, for each of the two that it hears"),
];
/// What each came to when it was counted last, with rustc 1.95 and glibc 2.36 on x86-64, in the same order.
const AT_LAST: [f64; CountedWork::ALL.len()] = [1242.0, 2502.0, 817.0, 133.0, 5867.0, 6373.0, 4610.0, 5483.0, 3448.0];
/// How much more it may be. Another compiler or another machine's `memcpy` are good for some of that.
const MORE: f64 = 1.05;
/// What a row says that cannot be counted.
const NO_VALGRIND: &str = "no valgrind";
/// Instructions are counted for one message.
const UNIT: &str = "instructions/message";
/// Each is counted so often: tables keep keyed hashes, and now and then one is put in order in one count and not in
/// another.
const ROUNDS: u32 = 3;

/// Queries that are counted for one figure: enough that one more or less does not show.
pub const QUERIES: usize = 2_048;
/// Queries before them: by then as many are forgotten as are asked.
pub const WARM_UP: usize = 3_072;

/// The command line of `topology work`, which does what is to be counted and nothing else.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// What is done
    work: CountedWork,

    /// How many queries before anything is counted
    #[arg(long, value_name = "N", default_value_t = WARM_UP)]
    warm_up: usize,

    /// How many are counted
    #[arg(long, value_name = "N", default_value_t = QUERIES)]
    queries: usize,

    /// The process it ends with
    #[arg(long, value_name = "PID")]
    with_parent: Option<i32>,
}

/// The first word of its command line.
const SUBCOMMAND: &str = "work";

/// Does it, and says how many messages were counted.
pub fn run(options: &Options, mut out: impl Write) -> anyhow::Result<()> {
    options.with_parent.map_or(Ok(()), parent::end_with)?;
    let messages = options.work.run(options.warm_up, options.queries)?;
    writeln!(out, "messages {messages}").context("cannot say what was done")
}

/// What counting came to.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum InstructionCount {
    /// So many instructions a message.
    PerMessage(f64),
    /// There is no valgrind.
    NoValgrind,
}

/// Counts what is wanted of it.
pub fn measure(options: &super::Options) -> anyhow::Result<Vec<BenchRow>> {
    let rows = CountedWork::ALL.into_iter().zip(ROWS).zip(AT_LAST);
    let is_wanted = |name: &str| options.names.is_empty() || options.names.iter().any(|wanted| wanted == name);
    let wanted = rows.filter(|((_, (name, _)), _)| is_wanted(name));
    wanted.map(|((work, (name, _)), at_first)| row(options, work, name, at_first)).collect()
}

fn row(options: &super::Options, work: CountedWork, name: &'static str, at_first: f64) -> anyhow::Result<BenchRow> {
    let (warm_up, queries) = amounts(options);
    let target = Bound::AtMost(Of::Value, (at_first * MORE).round());
    let mut counts = Vec::new();
    for _ in 0..options.rounds.unwrap_or(ROUNDS) {
        match count(work, warm_up, queries)? {
            InstructionCount::PerMessage(instructions) => counts.push(instructions),
            InstructionCount::NoValgrind => {
                return Ok(BenchRow::not_measured(name, UNIT, NO_VALGRIND).with_target(target));
            }
        }
    }
    let row = BenchRow::of_values(name, UNIT, &counts, 0).context("nothing was counted")?;
    Ok(row.with_target(target))
}

/// `writes-none`: what a mind is told of a key that it has, where it keeps what is written and nothing was; beside one that
/// keeps nothing.
pub fn nothing_written(options: &super::Options) -> anyhow::Result<Vec<BenchRow>> {
    let (warm_up, queries) = amounts(options);
    let row = |row: BenchRow| vec![row.with_target(Bound::AtMost(Of::Ratio, 1.02))];
    let mut pairs = Vec::new();
    for _ in 0..options.rounds.unwrap_or(ROUNDS) {
        let counted = |work| count(work, warm_up, queries);
        match (counted(CountedWork::AnswerKeeping)?, counted(CountedWork::Answer)?) {
            (InstructionCount::PerMessage(ours), InstructionCount::PerMessage(floor)) => pairs.push((ours, floor)),
            _ => return Ok(row(BenchRow::not_measured("writes-none", UNIT, NO_VALGRIND))),
        }
    }
    Ok(row(BenchRow::of_pairs("writes-none", UNIT, &pairs, 0).context("nothing was counted")?))
}

/// How many queries come before the count, and in it.
fn amounts(options: &super::Options) -> (usize, usize) {
    let queries = options.queries.and_then(|queries| usize::try_from(queries).ok()).unwrap_or(QUERIES).min(QUERIES);
    (if queries < QUERIES { queries } else { WARM_UP }, queries)
}

/// Counts the instructions of some work.
pub fn count(work: CountedWork, warm_up: usize, queries: usize) -> anyhow::Result<InstructionCount> {
    let own = topologies::fleet::program("topology")?;
    let mut command = Command::new("valgrind");
    command
        .args(["--tool=callgrind", "--callgrind-out-file=/dev/null"])
        .arg(format!("--toggle-collect={}", work::COUNTED))
        .arg(own)
        .args([SUBCOMMAND, &work.word(), "--warm-up", &warm_up.to_string(), "--queries", &queries.to_string()])
        .args(processes::with_parent())
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped());
    let process = match Process::start(&mut command) {
        Ok(process) => process,
        Err(error) if error.kind() == ErrorKind::NotFound => return Ok(InstructionCount::NoValgrind),
        Err(error) => return Err(error).context("cannot start valgrind"),
    };
    let output = process.output().context("cannot read what valgrind says")?;
    let [stdout, stderr] = [output.stdout, output.stderr].map(|bytes| String::from_utf8_lossy(&bytes).into_owned());
    if !output.status.success() {
        bail!("{} under valgrind: {}, {stderr}", work.word(), output.status);
    }
    let messages = number_after(&stdout, "messages").context("it does not say of how many messages the work was")?;
    let instructions = number_after(&stderr, "Collected :").with_context(|| format!("valgrind says only: {stderr}"))?;
    if instructions == 0.0 || messages == 0.0 {
        bail!("nothing was counted: {} instructions of {} messages", instructions, messages);
    }
    Ok(InstructionCount::PerMessage(instructions / messages))
}

/// The number behind these words.
fn number_after(text: &str, words: &str) -> Option<f64> {
    text.split(words).nth(1)?.split_whitespace().next()?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_row_has_the_name_of_what_it_counts() {
        let names: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
        assert_eq!(names, CountedWork::ALL.map(|work| format!("instructions-{}", work.word())));
    }

    #[test]
    fn what_valgrind_collected_stands_among_what_else_it_says() {
        let said =
            "==7== Command: topology work relay\n==7== \n==7== Events    : Ir\n==7== Collected : 4456448\n==7== \n";
        assert_eq!(number_after(said, "Collected :"), Some(4_456_448.0));
        assert_eq!(number_after("messages 12\n", "messages"), Some(12.0));
        assert_eq!(number_after("==7== Collected :", "Collected :"), None);
    }

    #[test]
    fn all_work_comes_to_as_many_messages_as_it_is_said_to() {
        for work in CountedWork::ALL.into_iter().chain([CountedWork::Answer, CountedWork::AnswerKeeping]) {
            let for_each = match work {
                CountedWork::Lookup | CountedWork::Duplicate | CountedWork::Answer | CountedWork::AnswerKeeping => 1,
                _ => 2,
            };
            assert_eq!(work.run(64, 128).unwrap(), for_each * 128, "{work:?}");
        }
    }
}
