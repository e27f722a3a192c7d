//! Runs one target for as many inputs as wanted, and says in one line what came of it. `make fuzz-long` is this.

use std::io::{self, Write};
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use clap::Parser;
use clap::builder::PossibleValuesParser;
use fuzz::runner::{Failure, Report, run_mutations};
use fuzz::{TARGETS, Target, corpus};

/// Runs a fuzz target on inputs made of its corpus, without guidance: the same seed runs the same inputs
#[derive(Debug, Parser)]
#[command(name = "fuzz", version, max_term_width = 100)]
struct Options {
    /// Which target
    #[arg(value_parser = PossibleValuesParser::new(TARGETS.iter().map(|target| target.name)))]
    target: String,

    /// How many inputs to run
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    runs: u64,

    /// Where every random number comes from
    #[arg(long, value_name = "S", default_value_t = 1)]
    seed: u64,

    /// The number of the first input
    #[arg(long, value_name = "N", default_value_t = 0)]
    from: u64,

    /// Run these files instead
    #[arg(value_name = "FILE")]
    files: Vec<PathBuf>,
}

/// Inputs between two looks at the clock.
const STEP: u64 = 1 << 20;
/// How often a long run says how far it is.
const WORD_EVERY: Duration = Duration::from_secs(60);

fn main() -> ExitCode {
    let options = Options::parse();
    run(&options).unwrap_or_else(|error| {
        let _ = writeln!(io::stderr(), "fuzz: {error}");
        ExitCode::FAILURE
    })
}

fn run(options: &Options) -> io::Result<ExitCode> {
    let Some(target) = fuzz::target(&options.target) else { return Ok(ExitCode::FAILURE) };
    let began = Instant::now();
    let mut report = Report::default();
    for path in &options.files {
        if let Err(failure) = report.run(target, &std::fs::read(path)?) {
            return tell_failure(target, &path.display().to_string(), &failure);
        }
    }
    if options.files.is_empty() {
        let mut corpus = Vec::new();
        for (path, input) in corpus::load(target)? {
            if let Err(failure) = report.run(target, &input) {
                return tell_failure(target, &path.display().to_string(), &failure);
            }
            corpus.push(input);
        }
        let end = options.from.saturating_add(options.runs);
        let (mut next, mut said) = (options.from, began);
        while next < end {
            let step = next..end.min(next.saturating_add(STEP));
            next = step.end;
            match run_mutations(target, &corpus, options.seed, step) {
                Ok(more) => report.add(&more),
                Err((number, failure)) => {
                    let input = format!("input {number} of seed {}", options.seed);
                    return tell_failure(target, &input, &failure);
                }
            }
            if said.elapsed() >= WORD_EVERY {
                said = Instant::now();
                tell(&mut io::stderr(), target, &report, began.elapsed(), options)?;
            }
        }
    }
    tell(&mut io::stdout(), target, &report, began.elapsed(), options)?;
    Ok(ExitCode::SUCCESS)
}

fn tell(out: &mut impl Write, target: &Target, report: &Report, took: Duration, options: &Options) -> io::Result<()> {
    let Report { runs, taken, cost } = report;
    #[expect(clippy::cast_precision_loss, reason = "a rate and a share, with three digits")]
    let (rate, share) = (*runs as f64 / took.as_secs_f64() / 1e6, *taken as f64 * 100.0 / (*runs).max(1) as f64);
    writeln!(
        out,
        "{}: {runs} runs in {:.1} s ({rate:.3} million a second), {share:.2} % {}, at most {} bytes held and {} in one \
         allocation, seed {} from {}",
        target.name,
        took.as_secs_f64(),
        target.taken,
        cost.most,
        cost.largest,
        options.seed,
        options.from,
    )?;
    out.flush()
}

fn tell_failure(target: &Target, input: &str, failure: &Failure) -> io::Result<ExitCode> {
    writeln!(io::stderr(), "{}", failure.told(target, input)?)?;
    Ok(ExitCode::FAILURE)
}
