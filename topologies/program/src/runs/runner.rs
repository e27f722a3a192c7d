//! `topology sim` from its plans to its exit code: runs them, prints what came of each, and makes small what failed.
//!
//! Which engine runs a scene is said by whoever calls it. How a plan is made small is `shrink`'s, how it is written down
//! is `story`'s, and what is printed of a run is `report`'s.

use std::cell::Cell;
use std::fs;
use std::io::{self, Write};
use std::thread;
use std::time::Instant;

use anyhow::Context;

use super::batch;
use super::options::Options;
use super::report::{Printer, ShownRun};
use super::shrink::shrink;
use super::story;
use sim::Engine;
use sim::plan::Plan;

/// So many failing runs are made small, the first in the order of seeds: the others most likely fail for the same.
pub const SHRUNK_MAX: usize = 3;

/// So many events may come of all attempts to make one run small: some seconds of them. Counted and not timed, so that
/// every machine finds the same.
const EVENTS_MAX: u64 = 20_000_000;

/// Runs plans and prints what came of them to `out`; what depends on the machine goes to `err`. Says whether all
/// invariants held.
pub fn run(
    options: &Options,
    plans: impl Iterator<Item = Plan> + Send,
    engine: Engine,
    out: impl Write,
    mut err: impl Write,
) -> anyhow::Result<bool> {
    let started = Instant::now();
    if let Some(directory) = &options.keep {
        // Now, and not when there is something to keep: that may be hours later.
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut printer = Printer::new(out, options.json);
    let mut shrunk_count = 0;
    let told = batch::in_order(
        plans,
        threads,
        |plan| (batch::run(&plan, options.bare, engine), plan),
        |(report, plan)| {
            let mut report = report?;
            let mut made_small = Ok(());
            if !report.broken.is_empty() && shrunk_count < SHRUNK_MAX {
                shrunk_count += 1;
                // Whoever does not want to wait for it has at least this.
                let _ = writeln!(err, "failed, and is made small: {}", report.command);
                made_small = batch::quietly(|| make_small(options, &plan, engine, &mut report));
            }
            printer.add(&report)?;
            made_small
        },
    );
    let ended = told.and_then(|()| Ok(printer.end()?));
    let sum = printer.sum();
    match ended {
        Ok(()) => {
            let whole = if options.json && sum.runs > 1 { format!("{sum}\n") } else { String::new() };
            let _ = writeln!(err, "{whole}{}", sum.speed(started.elapsed()));
            Ok(sum.broken == 0)
        }
        // Whoever closed the pipe has seen enough; what had broken by then has.
        Err(error) if is_closed_pipe(&error) => Ok(sum.broken == 0),
        Err(error) => Err(error),
    }
}

fn make_small(options: &Options, plan: &Plan, engine: Engine, report: &mut ShownRun) -> anyhow::Result<()> {
    let events = Cell::new(0_u64);
    let fails = |plan: &Plan| {
        if events.get() >= EVENTS_MAX {
            return false;
        }
        let Ok(report) = batch::run(plan, false, engine) else { return false };
        // Nothing may happen to many servents: they were drawn all the same.
        events.set(events.get() + report.events.max(plan.servents as u64));
        // Whatever breaks: a smaller run that breaks something else shows a defect as well.
        !report.broken.is_empty()
    };
    let smallest = shrink(plan, fails);
    report.smallest = Some(smallest.command_line());
    if let Some(directory) = &options.keep {
        let text = story::of(plan, &smallest, engine)?;
        let path = story::keep(directory, &smallest, &text)
            .with_context(|| format!("cannot write a story to {}", directory.display()))?;
        report.kept = Some(path.display().to_string());
    }
    Ok(())
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
