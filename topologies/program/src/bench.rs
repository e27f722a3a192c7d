//! `topology bench`: how fast real servents are, beside programs that do the least possible work.
//!
//! What is measured is alternated with its floor in one run, so that whatever else the machine does befalls both: a ratio
//! can be compared where figures cannot. `row` is one line of what comes of it, `table` how it is told; which measurements
//! there are stands here.

pub mod disk_place;
pub mod floors;
pub mod instructions;
pub mod load;
pub mod measure;
pub mod peers;
pub mod real;
pub mod row;
pub mod table;
pub mod writers;

use std::collections::BTreeSet;
use std::io::Write;

use anyhow::bail;
use clap::Args;

use measure::{beside, content, lasting, lookup, million, rate, scan, slow_disk, writes};
use row::BenchRow;
use table::{Table, TableKind};

/// The command line of `topology bench`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Only these rows, or all that begin with such a word and a dash; without any, all
    #[arg(value_name = "NAME")]
    pub names: Vec<String>,

    /// One JSON object a row: name, value, floor, unit, ratio, target, met, rounds, lost
    #[arg(long)]
    pub json: bool,

    /// A table in Markdown, as in docs/PERFORMANCE.md
    #[arg(long, conflicts_with = "json")]
    pub markdown: bool,

    /// The rows that take minutes, too
    #[arg(long)]
    pub long: bool,

    /// Instead, redis-server, nats-server and dnsmasq beside ours, where they are installed
    #[arg(long)]
    pub peers: bool,

    /// How often each is measured, with its floor, instead of 3 to 9 times
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..))]
    pub rounds: Option<u32>,

    /// Ask so many queries at most, also where a row asks for a while: few are quick, and their figures say little
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub queries: Option<u64>,
}

impl Options {
    /// The same with the name of each row that is meant: a word that is no row stands for all that begin with it and a dash.
    fn in_full(&self) -> Options {
        let rows = || BENCHMARKS.iter().flat_map(|benchmark| benchmark.rows).map(|(row, _)| *row);
        let meant = |name: &String| -> Vec<String> {
            let is_of = |row: &&str| row.strip_prefix(name).is_some_and(|rest| rest.starts_with('-'));
            let all: Vec<String> = rows().filter(is_of).map(str::to_owned).collect();
            if all.is_empty() || rows().any(|row| row == name) { vec![name.clone()] } else { all }
        };
        Options { names: self.names.iter().flat_map(meant).collect(), ..self.clone() }
    }

    /// The help that comes after that of the options: what each row is, and how the table is read.
    #[must_use]
    pub fn more_help() -> String {
        let mut help = "Rows:\n".to_owned();
        for benchmark in BENCHMARKS {
            for (name, about) in benchmark.rows {
                let option = match benchmark.when {
                    When::Always => "",
                    When::Long => "; --long",
                    When::Peers => "; --peers",
                };
                help += &format!("  {name:<22} {about}{option}\n");
            }
        }
        help += "\
\n\
Each is measured in several rounds. In a round servents are started, asked and ended, and so is the floor, programs that do \
the least possible work and pass messages of the same length, or what the row says; whatever else the machine does befalls both. A ratio is what \
ours came to divided by the floor of the same round. Of all rounds the one in the middle is shown, with the smallest and \
the largest. Queries of which not all came, or came late or twice, are lost, and a row that lost any is missed, with or without a target. \
k/s are thousands a second.\n\n\
Exit code: 1 where a target is missed, 2 for a wrong command line. Figures mean something in a release build.\n\n\
Example: topology bench lookup whole --json";
        help
    }
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
    /// Unless it is peers that are wanted.
    Always,
    /// With `--long`.
    Long,
    /// With `--peers`, and then nothing else is.
    Peers,
}

/// Every measurement, in the order of the table.
pub const BENCHMARKS: &[Benchmark] = &[
    Benchmark {
        rows: &[
            ("lookup", "a lookup over 4 hops, one at a time: median time to the answer; floor: 5 relays on epoll"),
            ("lookup-fresh", "the same beside relays of which the last connects to the client for each answer"),
            ("lookup-polling", "the same beside relays that wait with the crate polling, as servents do"),
            ("whole", "median time until the tally is there; floor: that of lookup, which has none"),
        ],
        when: When::Always,
        measure: lookup::chain,
    },
    Benchmark {
        rows: &[(
            "lookup-back",
            "the same where the answer comes back over the 4 hops; floor: 5 relays that carry it back",
        )],
        when: When::Always,
        measure: lookup::back,
    },
    Benchmark {
        rows: &[("star", "16 servents that all have it: median time to the last answer; floor: 16 relays")],
        when: When::Always,
        measure: lookup::star,
    },
    Benchmark {
        rows: &[("contact", "lookups a second with 64 in flight that the contact answers; floor: TCP ping-pong")],
        when: When::Always,
        measure: rate::contact,
    },
    Benchmark {
        rows: &[("chain", "the same over 4 hops; floor: 5 relays on epoll")],
        when: When::Always,
        measure: rate::chain,
    },
    Benchmark {
        rows: &[("chain-back", "the same with answers that come back; floor: ours, with answers that are dialled")],
        when: When::Always,
        measure: rate::chain_back,
    },
    Benchmark {
        rows: &[("flood", "the same over 16 servents of degree 4; floor: a set, and an echo for each copy")],
        when: When::Always,
        measure: rate::flood,
    },
    Benchmark {
        rows: &[("fairness", "8 clients with 64 in flight each, over 4 hops: the slowest; floor: the fastest")],
        when: When::Always,
        measure: beside::fairness,
    },
    Benchmark {
        rows: &[
            (
                "beside-same",
                "slowest hundredth of lookups over 4 hops while another client asks all it can; floor: alone",
            ),
            ("beside-other", "the same where that client is at another contact"),
        ],
        when: When::Always,
        measure: beside::another,
    },
    Benchmark {
        rows: &[("scan", "a file of a million keys made into a store; floor: read, and a table of offsets")],
        when: When::Always,
        measure: scan::scan,
    },
    Benchmark {
        rows: &[("content", "1 GiB of one holder, proved and written; floor: sendfile, received and written")],
        when: When::Always,
        measure: content::get,
    },
    Benchmark {
        rows: &[("content-check", "1 GiB that is here already, checked; floor: read and hashed in a loop")],
        when: When::Always,
        measure: content::check,
    },
    Benchmark {
        rows: &[("content-share", "1 GiB hashed by a servent that shares it; floor: read and hashed in a loop")],
        when: When::Always,
        measure: content::share,
    },
    Benchmark {
        rows: &[(
            "content-beside",
            "slowest hundredth of lookups while a content is downloaded from the disk; floor: while none is",
        )],
        when: When::Always,
        measure: content::beside,
    },
    Benchmark {
        rows: &[(
            "writes-one",
            "one client writes, one change at a time: median time until it is kept; floor: append, fdatasync",
        )],
        when: When::Always,
        measure: writes::one,
    },
    Benchmark {
        rows: &[
            (
                "writes-many",
                "changes a second that 64 clients have kept, each with 64 in flight; floor: 64 records appended, fdatasync",
            ),
            ("writes-many-spread", "the same where each key is far from the one before it"),
            ("writes-many-one", "as writes-many, each with one in flight"),
            ("writes-many-asked", "the same beside a program that appends and syncs what 64 clients send it"),
        ],
        when: When::Always,
        measure: writes::many,
    },
    Benchmark {
        rows: &[
            ("writes-beside", "slowest hundredth of lookups while 64 clients write; floor: while none does"),
            (
                "writes-beside-pages",
                "the same while nobody writes and a program puts 64 pages on the disk again and again",
            ),
        ],
        when: When::Always,
        measure: writes::beside,
    },
    Benchmark {
        rows: &[("writes-slow", "longest turn of the loop while 64 clients write and a sync takes 1 s (strace)")],
        when: When::Always,
        measure: writes::slow,
    },
    Benchmark {
        rows: &[("writes-slow-simulated", "longest turn of a mind alone, where the second is simulated")],
        when: When::Always,
        measure: slow_disk::slow_disk,
    },
    Benchmark {
        rows: &[("writes-start", "a start with 256 MiB written, 60,000 bytes a key; floor: its file read and hashed")],
        when: When::Always,
        measure: writes::start,
    },
    Benchmark {
        rows: &[(
            "writes-none",
            "the mind answers a query where writes are kept and there are none; floor: where none are kept",
        )],
        when: When::Always,
        measure: instructions::nothing_written,
    },
    Benchmark {
        rows: &[("million", "a flood over a million servents, simulated; floor: a bare queue and set")],
        when: When::Always,
        measure: million::million,
    },
    Benchmark { rows: instructions::ROWS, when: When::Always, measure: instructions::measure },
    Benchmark {
        rows: &[
            ("lasting", "64 in flight over 4 hops for 60 s: the last 10 s; floor: seconds 2 to 11"),
            ("lasting-memory", "memory of the contact at most; floor: after 11 s"),
        ],
        when: When::Long,
        measure: lasting::chain,
    },
    Benchmark {
        rows: &[
            ("contact-lasting", "the same at a contact that answers by itself"),
            ("contact-memory", "the same of it"),
        ],
        when: When::Long,
        measure: lasting::contact,
    },
    Benchmark {
        rows: &[
            (
                "one-shot",
                "clients that attach, ask once and leave for 60 s, while another asks all it can: how many were refused",
            ),
            ("one-shot-rate", "how many there were a second"),
        ],
        when: When::Long,
        measure: lasting::one_shot,
    },
    Benchmark {
        rows: &[(
            "writes-start-short",
            "a start with a million keys written, 256 bytes each; floor: its file read and hashed",
        )],
        when: When::Long,
        measure: writes::start_short,
    },
    Benchmark {
        rows: &[(
            "peer-redis",
            "lookups a second with 64 in flight that the contact answers; floor: GET of redis-server",
        )],
        when: When::Peers,
        measure: measure::peers::redis,
    },
    Benchmark {
        rows: &[("peer-nats", "the same; floor: a request over nats-server, answered by a service")],
        when: When::Peers,
        measure: measure::peers::nats,
    },
    Benchmark {
        rows: &[("peer-nats-4", "the same over 3 hops; floor: over 4 nats-servers in a row, leaf nodes")],
        when: When::Peers,
        measure: measure::peers::nats_row,
    },
    Benchmark {
        rows: &[("peer-dnsmasq", "the same at the contact; floor: a name that dnsmasq was told, over UDP")],
        when: When::Peers,
        measure: measure::peers::dnsmasq,
    },
];

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
        When::Always => !options.peers,
        When::Long => options.long && !options.peers,
        When::Peers => options.peers,
    };
    Ok(BENCHMARKS.iter().filter(is_wanted).copied().collect())
}

/// What is wrong with a command line, as far as only this module can say it.
pub fn refusal(options: &Options) -> Option<String> {
    wanted(&options.in_full()).err().map(|error| format!("{error:#}"))
}

/// What keeps the figures of this very program from saying anything.
#[must_use]
pub fn warning() -> Option<&'static str> {
    cfg!(debug_assertions)
        .then_some("this is a debug build, and its figures say little: `make bench` makes a release build")
}

/// Measures, and tells each row once it is known. Says whether every target is met.
pub fn run(options: &Options, out: impl Write) -> anyhow::Result<bool> {
    let options = &options.in_full();
    let named: BTreeSet<&str> = options.names.iter().map(String::as_str).collect();
    let kind = match (options.json, options.markdown) {
        (true, _) => TableKind::Json,
        (false, true) => TableKind::Markdown,
        (false, false) => TableKind::Columns,
    };
    let mut table = Table::new(out, kind);
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
