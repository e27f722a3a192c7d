//! The topology program: brings a declared overlay to life, for a person or to be checked, and simulates any.
//!
//! It ends exactly the processes it started, also when it is interrupted itself; a simulation starts none.

use std::io::{self, Write};
use std::net::Ipv4Addr;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use anyhow::Context;
use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};
use client::program::options::parse_timeout;
use client::replace_file;
use drawing::{DrawnOverlay, SinceWords, svg_compared};
use servent::patient;
use topologies::check::{CheckedOverlay, check, verdict};
use topologies::declared::Topology;
use topologies::fleet::{client, some_loopback_address};
use topologies::logs::Logs;
use topologies::processes;
use topology::bench::{self, floors, instructions, peers};
use topology::drawn::{self, OverlayName};
use topology::events;
use topology::opening::{client_words, overview, with_hint};
use topology::runs::options::Options as SimOptions;
use topology::runs::runner;
use topology::scale;
use topology::up_line::bring_up;

/// Brings a declared overlay of servents to life on this machine, or simulates one of any size
#[derive(Debug, Parser)]
#[command(name = "topology", version, max_term_width = 100)]
#[command(after_help = "\
A .topo file holds one servent's command line per line. Exit code: of run the client's, else 0, 1 where something \
cannot start, a check finds a difference, an invariant of sim breaks or an order of events cannot be true, 2 for a wrong command line.\n\n\
Example: topology run diamond -- -c '? kernel'")]
struct Options {
    #[command(subcommand)]
    what: Action,
}

#[derive(Debug, Subcommand)]
enum Action {
    /// Bring an overlay up, open the client on its first servent, and take it down afterwards
    #[command(after_help = drawn::more_help())]
    Run {
        /// chain, diamond, mesh, mixed, ring, star, tp3-chain, tp3-diamond, the path of a .topo file, or a shape such as
        /// ring:8 that stands in none (see below)
        name: OverlayName,
        /// Draw the links of a random shape of this number: the same links each time. One that is not said is printed
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
        /// Show the topology instead of a prompt, and again whenever so long has passed, such as 2s; where the client is
        /// told something to do with -c, show what comes of that
        #[arg(long, value_name = "DURATION", value_parser = every, allow_negative_numbers = true)]
        every: Option<String>,
        /// Where the servents listen instead of on 127.0.0.1, such as 127.0.0.2
        #[arg(long, value_name = "IP", default_value_t = Ipv4Addr::LOCALHOST, hide_default_value = true)]
        address: Ipv4Addr,
        /// Keep what each servent logs at debug level, one line for each event of a query, in a file of this directory
        /// named by its port, such as 9001.log
        #[arg(long, value_name = "DIR")]
        logs: Option<PathBuf>,
        /// Arguments of the client, such as -c '? kernel'
        #[arg(last = true, value_name = "CLIENT_OPTIONS")]
        client: Vec<String>,
    },
    /// Bring an overlay up, ask it, and compare what it says with what its declared graph says it must
    #[command(after_help = drawn::more_help())]
    Check {
        /// chain, diamond, mesh, mixed, ring, star, tp3-chain, tp3-diamond, the path of a .topo file, or a shape such as
        /// ring:8 that stands in none (see below)
        name: OverlayName,
        /// Draw the links of a random shape of this number: the same links each time. One that is not said is printed
        #[arg(long, value_name = "N")]
        seed: Option<u64>,
        /// Where the servents listen instead of on an address of 127.0.0.0/8 chosen at random
        #[arg(long, value_name = "IP")]
        address: Option<Ipv4Addr>,
        /// Keep what each servent logs at debug level, as run does; the second round is added to the first
        #[arg(long, value_name = "DIR")]
        logs: Option<PathBuf>,
        /// Draw what is declared and what was found as one picture, in which is marked what they do not have in common
        #[arg(long, value_name = "FILE")]
        svg: Option<PathBuf>,
    },
    /// Run the code of the servents without sockets and without waiting, at any size and under faults
    #[command(after_help = SimOptions::more_help())]
    Sim(Box<SimOptions>),
    /// Measure how a flood grows with TTL, degree and size, and write the charts and tables of docs/SCALE.md
    Scale(scale::Options),
    /// Measure how fast servents are, beside programs that do the least possible work
    #[command(after_help = bench::Options::more_help())]
    Bench(bench::Options),
    /// Tell what servents wrote down (--events) in one order, and whether that can be true
    #[command(after_help = events::Options::more_help())]
    Events(events::Options),
    /// A program that a measurement is measured against
    #[command(hide = true)]
    Floor(floors::Options),
    /// Somebody else's program, or one that serves it
    #[command(hide = true)]
    Peer(peers::Options),
    /// What is counted under valgrind
    #[command(hide = true)]
    Work(instructions::Options),
}

fn main() -> ExitCode {
    // Where the system cannot, a full file ends this program, and with it what it started.
    let _ = servent::signals::outlive_full_files();
    // Every servent that answers connects.
    servent::sockets::raise_descriptor_limit();
    let run = match Options::parse().what {
        Action::Run { name, seed, every, address, logs, client } => load("run", &name, seed)
            .and_then(|topology| run(&topology.moved_to(address), logs.as_deref(), every.as_deref(), &client)),
        Action::Check { name, seed, address, logs, svg } => load("check", &name, seed).and_then(|topology| {
            run_check(&topology, address.unwrap_or_else(some_loopback_address), logs.as_deref(), svg.as_deref())
        }),
        Action::Sim(options) => run_sim(&options),
        Action::Scale(options) => scale::run(&options).map(|()| ExitCode::SUCCESS),
        Action::Bench(options) => run_bench(&options),
        Action::Events(options) => run_events(&options),
        Action::Floor(options) => floors::run(&options).map(|()| ExitCode::SUCCESS),
        Action::Peer(options) => peers::run(&options).map(|()| ExitCode::SUCCESS),
        Action::Work(options) => instructions::run(&options, patient::stdout()).map(|()| ExitCode::SUCCESS),
    };
    // What went wrong because everything is being ended is not worth a word.
    processes::stay_if_told_to_end();
    run.unwrap_or_else(|error| {
        let _ = patient::stderr().write_all(format!("topology: {error:#}\n").as_bytes());
        ExitCode::FAILURE
    })
}

/// What the client takes for the time between two askings.
fn every(text: &str) -> Result<String, String> {
    parse_timeout(text).map(|_| text.to_owned())
}

/// What is to be brought up, and ended with this program from now on.
fn load(subcommand: &str, name: &OverlayName, seed: Option<u64>) -> anyhow::Result<Topology> {
    if let Some(why) = seed.and_then(|_| name.refusal_of_a_seed()) {
        refuse(subcommand, &why);
    }
    // Ctrl-C at the client's prompt is the client's; the overlay ends when the client does.
    processes::end_all_on_signals()?;
    name.load(seed)
}

fn run(
    topology: &Topology,
    logs: Option<&Path>,
    every: Option<&str>,
    client_options: &[String],
) -> anyhow::Result<ExitCode> {
    // Of what the client cannot do nothing is brought up for it.
    let words = client_words(topology, every, client_options).unwrap_or_else(|error| error.exit());
    let logs = logs.map(|directory| Logs::create(directory, topology)).transpose()?;
    let mut fleet = bring_up(topology, logs.as_ref())?;
    // On stderr: stdout is the client's. What only a person needs keeps nobody from asking.
    let _ = patient::stderr().write_all(overview(topology, logs.as_ref()).as_bytes());
    let is_asked_for = every.is_some() || !client_options.is_empty();
    let words = if is_asked_for { words } else { with_hint(topology, words) };
    let mut command = client(words)?;
    let code = fleet.run_client(&mut command)?;
    fleet.end()?;
    Ok(ExitCode::from(code))
}

fn run_check(
    topology: &Topology,
    address: Ipv4Addr,
    logs: Option<&Path>,
    picture: Option<&Path>,
) -> anyhow::Result<ExitCode> {
    let mut out = WhileRead(Some(io::LineWriter::new(patient::stdout())));
    let logs = logs.map(|directory| Logs::create(directory, topology)).transpose()?;
    let CheckedOverlay { differences, drawn } = check(topology, address, logs.as_ref(), &bring_up, &mut out)?;
    let written = picture.map_or(Ok(()), |path| write_picture(path, &topology.name, &drawn));
    let well = verdict(topology, differences, &mut out)?;
    written?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn write_picture(path: &Path, name: &str, drawn: &DrawnOverlay) -> anyhow::Result<()> {
    let words = SinceWords { new: "found, not declared", gone: "declared, not found" };
    let picture = svg_compared(drawn, &format!("{name}: declared and found"), words);
    replace_file(path, picture.as_bytes()).with_context(|| format!("cannot write {}", path.display()))
}

/// An output until nobody reads it any more: a check goes on without, and its exit code says what it found.
struct WhileRead<Out>(Option<Out>);

impl<Out: Write> Write for WhileRead<Out> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.unless_closed(|out| out.write(bytes), bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        self.unless_closed(Write::flush, ())
    }
}

impl<Out: Write> WhileRead<Out> {
    fn unless_closed<Done>(
        &mut self,
        how: impl FnOnce(&mut Out) -> io::Result<Done>,
        otherwise: Done,
    ) -> io::Result<Done> {
        match self.0.as_mut().map(how) {
            Some(Err(error)) if error.kind() == io::ErrorKind::BrokenPipe => self.0 = None,
            Some(done) => return done,
            None => {}
        }
        Ok(otherwise)
    }
}

fn run_sim(options: &SimOptions) -> anyhow::Result<ExitCode> {
    let plans = match options.plans() {
        Ok(plans) => plans,
        Err(error) => refuse("sim", &format!("{error:#}")),
    };
    let well = runner::run(
        options,
        plans,
        sim::run,
        io::LineWriter::new(patient::stdout()),
        io::LineWriter::new(patient::stderr()),
    )?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_bench(options: &bench::Options) -> anyhow::Result<ExitCode> {
    if let Some(why) = bench::refusal(options) {
        refuse("bench", &why);
    }
    if let Some(why) = bench::warning() {
        // Nobody who does not read it needs to.
        let _ = patient::stderr().write_all(format!("topology: {why}\n").as_bytes());
    }
    processes::end_all_on_signals()?;
    let well = bench::run(options, io::LineWriter::new(patient::stdout()))?;
    Ok(if well { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn run_events(options: &events::Options) -> anyhow::Result<ExitCode> {
    let (out, err) = (io::BufWriter::new(patient::stdout()), io::LineWriter::new(patient::stderr()));
    // Whoever reads no more of an order may want to know whether it can be true; who follows has seen enough.
    let well =
        if options.follow { events::run(options, out, err) } else { events::run(options, WhileRead(Some(out)), err) };
    Ok(if well? { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Ends the program as a wrong option does.
fn refuse(subcommand: &str, why: &str) -> ! {
    let mut command = Options::command();
    command.build();
    let mut command = command.find_subcommand_mut(subcommand).map(std::mem::take).unwrap_or_default();
    command.error(ErrorKind::InvalidValue, why).exit()
}
