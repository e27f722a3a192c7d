//! Every target, for a bounded number of inputs: what is kept in its corpus, and what a seed makes of that.
//!
//! `FUZZ_SEED` chooses other inputs and `FUZZ_RUNS` how many; a failing input is made small and kept in a file.

// Clippy takes only the bodies of tests for tests, not what they share.
#![allow(clippy::expect_used, clippy::panic)]

use std::env;

use common::limits::FRAME_BYTES_MAX;
use fuzz::runner::{Failure, Report, run_mutations};
use fuzz::{TARGETS, Target, corpus, target};

/// Where the random numbers come from, if `FUZZ_SEED` does not say.
const SEED: u64 = 1;

fn number(variable: &str, otherwise: u64) -> u64 {
    env::var(variable).map_or(otherwise, |text| text.parse().expect("a number"))
}

fn run(name: &str) {
    let target = target(name).expect("a target of this name");
    let kept = corpus::load(target).expect("its corpus");
    assert!(!kept.is_empty(), "{name} has no corpus");
    let mut report = Report::default();
    for (path, input) in &kept {
        assert!(input.len() <= target.input_bytes_max, "{} is longer than its target takes", path.display());
        report.run(target, input).unwrap_or_else(|failure| tell(target, &path.display().to_string(), &failure));
    }
    let inputs: Vec<Vec<u8>> = kept.into_iter().map(|(_, input)| input).collect();
    let (seed, runs) = (number("FUZZ_SEED", SEED), number("FUZZ_RUNS", target.test_runs));
    match run_mutations(target, &inputs, seed, 0..runs) {
        Ok(more) => report.add(&more),
        Err((number, failure)) => tell(target, &format!("input {number} of FUZZ_SEED={seed}"), &failure),
    }
    println!("{name}: {report:?}");
    // Whoever is refused at the first byte tests nothing behind it.
    assert!(report.taken * 20 > report.runs, "of {} inputs only {} {}", report.runs, report.taken, target.taken);
}

fn tell(target: &Target, input: &str, failure: &Failure) -> ! {
    panic!("{}", failure.told(target, input).expect("a file for the input"));
}

/// As docs/TESTING.md tells what an execution may hold: `a frame + 16 KiB + 256 per byte`.
fn told(target: &Target) -> String {
    let (frame, rest) = match target.held_bytes_max.checked_sub(FRAME_BYTES_MAX) {
        Some(rest) => ("a frame + ", rest),
        None => ("", target.held_bytes_max),
    };
    let size = if rest % (1024 * 1024) == 0 { format!("{} MiB", rest >> 20) } else { format!("{} KiB", rest >> 10) };
    format!("{frame}{size} + {} per byte", target.held_per_byte_max)
}

#[test]
fn the_page_tells_every_target_and_what_it_may_hold() {
    const PAGE: &str = include_str!("../../docs/TESTING.md");
    for target in &TARGETS {
        let row = PAGE.lines().find(|line| line.starts_with(&format!("| `{}` |", target.name)));
        let row = row.unwrap_or_else(|| panic!("{} is not on the page", target.name));
        assert!(row.ends_with(&format!("| {} |", told(target))), "{}: {}", target.name, told(target));
    }
}

macro_rules! targets {
    ($($name:ident)*) => {
        $(
            #[test]
            fn $name() {
                run(stringify!($name));
            }
        )*

        #[test]
        fn none_is_forgotten() {
            let tested = [$(stringify!($name)),*];
            let all = TARGETS.map(|target| target.name);
            assert_eq!(tested, all);
        }
    };
}

targets! { framer native tp3 data members command arguments declared escaped events blocks drawing overlay session exchange }
