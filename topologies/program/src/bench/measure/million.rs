//! `million`: a flood over a million servents in one process, beside a bare queue and set that pass the same messages.

use anyhow::{Context, bail};

use super::super::Options;
use super::super::row::{BenchRow, Bound, Of};
use super::of_rounds;
use crate::runs::batch;
use crate::scale;
use sim::shapes::Shape;

const ROUNDS: u32 = 5;
const SERVENTS: u64 = 1_000_000;
const DEGREE: usize = 8;
/// It has been 1.6 to 1.8 since copies carry their contact, and what is remembered is contacts. The rest is room to drift.
const RATIO_MAX: f64 = 2.0;

/// Measures it.
pub fn million(options: &Options) -> anyhow::Result<Vec<BenchRow>> {
    let servents = usize::try_from(options.queries(SERVENTS)).unwrap_or(usize::MAX).max(DEGREE * 2);
    let plan = scale::plan(&Shape::Random, servents, DEGREE, scale::TTL_MOST, 1);
    of_rounds("million", "s", options.rounds(ROUNDS), &[Bound::AtMost(Of::Ratio, RATIO_MAX)], || {
        let run = batch::run(&plan, true, sim::run)?;
        if !run.broken.is_empty() {
            bail!("{}: {}", run.command, run.broken.join("; "));
        }
        let bare_seconds = run.bare_seconds.context("the bare flood was not timed")?;
        Ok(((run.seconds, bare_seconds), run.missed + run.doubled + run.lost))
    })
}
