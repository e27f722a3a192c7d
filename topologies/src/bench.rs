//! `topology bench`: how fast real servents are, beside programs that do the least possible work.
//!
//! What is measured is alternated with its floor in one run, so that whatever else the machine does befalls both: a ratio
//! can be compared where figures cannot. `row` is one line of what comes of it, `table` how it is told; which measurements
//! there are stands here.

pub mod row;
pub mod table;

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::bail;
use clap::Args;

use row::BenchRow;
use table::Table;

/// The command line of `topology bench`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Only these rows; without any, all
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// One JSON object a row: name, value, floor, unit, ratio, target, met, rounds, lost
    #[arg(long)]
    pub json: bool,

    /// The rows that take minutes, too
    #[arg(long)]
    pub long: bool,

    /// How often each is measured, and its floor after it
    #[arg(long, value_name = "N", hide = true, value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,

    /// Ask so many queries at most where a row asks a number of them, and for no longer than a tenth of a second where it
    /// asks for a while
    #[arg(long, value_name = "N", hide = true, value_parser = clap::value_parser!(u64).range(1..))]
    pub queries: Option<u64>,
}

/// Some rows that are measured together.
#[derive(Clone, Copy, Debug)]
pub struct Benchmark {
    /// Each row by its name, and what it says.
    pub rows: &'static [(&'static str, &'static str)],
    /// When it is measured though nobody named it.
    pub when: When,
    /// Measures them all, in the same order.
    pub measure: fn(&Options) -> anyhow::Result<Vec<BenchRow>>,
}

/// When a measurement is made though nobody named it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// Always.
    Always,
    /// With `--long`.
    Long,
}

/// Every measurement, in the order of the table.
pub const BENCHMARKS: &[Benchmark] = &[];

/// The measurements that were asked for.
fn wanted(options: &Options) -> anyhow::Result<Vec<Benchmark>> {
    let known: Vec<&str> = BENCHMARKS.iter().flat_map(|benchmark| benchmark.rows).map(|(name, _)| *name).collect();
    if let Some(odd) = options.names.iter().find(|name| !known.contains(&name.as_str())) {
        bail!("there is no row {odd}; there are {}", known.join(" "));
    }
    let is_wanted = |benchmark: &&Benchmark| match benchmark.when {
        _ if !options.names.is_empty() => {
            benchmark.rows.iter().any(|(name, _)| options.names.iter().any(|n| n == name))
        }
        When::Always => true,
        When::Long => options.long,
    };
    Ok(BENCHMARKS.iter().filter(is_wanted).copied().collect())
}

/// What is wrong with a command line, as far as only this module can say it.
pub fn refusal(options: &Options) -> Option<String> {
    wanted(options).err().map(|error| format!("{error:#}"))
}

/// Measures, and tells each row once it is known. Says whether every target is met.
pub fn run(options: &Options, out: impl Write) -> anyhow::Result<bool> {
    let named: BTreeSet<&str> = options.names.iter().map(String::as_str).collect();
    let mut table = Table::new(out, options.json);
    let mut are_met = true;
    for benchmark in wanted(options)? {
        for row in (benchmark.measure)(options)? {
            if named.is_empty() || named.contains(row.name) {
                are_met &= row.is_met() != Some(false);
                table.add(&row)?;
            }
        }
    }
    Ok(are_met)
}
