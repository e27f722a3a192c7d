//! Drives a target: its corpus, then inputs made of it, until one breaks something; and makes that one small.
//!
//! A panic is caught and an allocation beyond the limit noticed; an abort ends the program, and is found again by
//! running the same numbers of the same seed in smaller steps (`--from`).

use std::fs;
use std::io;
use std::ops::Range;
use std::panic;

use counting_allocator::{Cost, cost_of};
use topology::runs::batch::{quietly, words_of};

use crate::mutation::Mutator;
use crate::{Outcome, Target};

/// Most executions spent on making a failing input smaller.
const SHRINK_RUNS_MAX: usize = 5_000;

/// What came of running a target.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Report {
    /// Executions.
    pub runs: u64,
    /// Those whose input was taken for what it claims to be.
    pub taken: u64,
    /// The most that one of them cost.
    pub cost: Cost,
}

/// An input that broke something.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Failure {
    /// What broke.
    pub why: String,
    /// The input.
    pub input: Vec<u8>,
}

impl Report {
    /// Adds another report on the same target.
    pub fn add(&mut self, other: &Report) {
        self.runs += other.runs;
        self.taken += other.taken;
        self.cost = self.cost.max(other.cost);
    }

    /// Runs a target once.
    pub fn run(&mut self, target: &Target, input: &[u8]) -> Result<(), Failure> {
        let (outcome, cost) = execute(target, input).map_err(|why| Failure { why, input: input.to_vec() })?;
        self.runs += 1;
        self.taken += u64::from(outcome == Outcome::Taken);
        self.cost = self.cost.max(cost);
        Ok(())
    }
}

/// Runs a target with the inputs of these numbers.
pub fn run_mutations(
    target: &Target,
    corpus: &[Vec<u8>],
    seed: u64,
    numbers: Range<u64>,
) -> Result<Report, (u64, Failure)> {
    let mut report = Report::default();
    let mut inputs = Mutator::new(corpus, target.input_bytes_max, seed);
    for number in numbers {
        report.run(target, inputs.input(number)).map_err(|failure| (number, failure))?;
    }
    Ok(report)
}

fn execute(target: &Target, input: &[u8]) -> Result<(Outcome, Cost), String> {
    let (result, cost) = cost_of(|| panic::catch_unwind(|| (target.run)(input)));
    let outcome = result.map_err(|panic| words_of(&*panic).to_owned())?;
    target.excess(input, cost).map_or(Ok((outcome, cost)), Err)
}

impl Failure {
    /// A smaller input that breaks something too, found in a bounded number of executions.
    #[must_use]
    pub fn shrunk(&self, target: &Target) -> Failure {
        quietly(|| {
            let mut smallest = self.clone();
            let mut runs = 0;
            let mut piece = smallest.input.len().div_ceil(2);
            while piece > 0 {
                let mut at = 0;
                while at < smallest.input.len() && runs < SHRINK_RUNS_MAX {
                    let end = smallest.input.len().min(at + piece);
                    let mut input = smallest.input.clone();
                    input.drain(at..end);
                    runs += 1;
                    match execute(target, &input) {
                        Err(why) => smallest = Failure { why, input },
                        Ok(_) => at = end,
                    }
                }
                piece /= 2;
            }
            smallest
        })
    }

    /// What to tell of it: what broke, what the input is made small, in which file of the system's temporary directory
    /// that is, and how to run it again.
    pub fn told(&self, target: &Target, input: &str) -> io::Result<String> {
        let smaller = self.shrunk(target);
        let path = std::env::temp_dir().join(format!("fuzz-{}-{}", target.name, std::process::id()));
        fs::write(&path, &smaller.input)?;
        let (name, path) = (target.name, path.display());
        Ok(format!(
            "{input} breaks {name}: {}\nmade small, it is {path}: {}\nagain: cargo run --release -p fuzz -- {name} {path}",
            self.why, smaller.why
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FRAIL: Target = Target {
        name: "frail",
        taken: "was long",
        input_bytes_max: 1_000,
        held_bytes_max: 1_000,
        held_per_byte_max: 0,
        test_runs: 0,
        run: |bytes| {
            assert!(!bytes.windows(2).any(|pair| pair == b"!?"), "it cannot stand that");
            let held = vec![0_u8; if bytes.starts_with(b"much") { 2_000 } else { 10 }];
            Outcome::taken_if(bytes.len() > held.len())
        },
    };

    #[test]
    fn a_panic_is_found_and_made_small() {
        let corpus = [b"a long way round to ! and ?, and back again".to_vec(), b"this is ?!".to_vec()];
        let (number, failure) = quietly(|| run_mutations(&FRAIL, &corpus, 1, 0..1_000_000)).unwrap_err();
        assert_eq!(failure.why, "it cannot stand that");
        assert_eq!(failure.shrunk(&FRAIL).input, b"!?");
        let (_, again) = quietly(|| run_mutations(&FRAIL, &corpus, 1, number..number + 1)).unwrap_err();
        assert_eq!(again, failure);
    }

    #[test]
    fn too_much_memory_is_a_failure() {
        let failure = Report::default().run(&FRAIL, b"much ado").unwrap_err();
        assert_eq!(failure.why, "it held 2000 bytes at once, where 1000 are the most");
        assert_eq!(failure.shrunk(&FRAIL).input, b"much");
    }

    #[test]
    fn what_was_taken_is_counted() {
        let mut report = Report::default();
        report.run(&FRAIL, b"short").unwrap();
        report.run(&FRAIL, b"more than ten").unwrap();
        assert_eq!(report, Report { runs: 2, taken: 1, cost: Cost { most: 10, largest: 10, kept: 0 } });
    }
}
