//! Arbitrary bytes for every door that strangers, users and files can reach, and what must hold whatever they are.
//!
//! A [`Target`] is one door: a function that takes any bytes and panics where a property is broken, with the memory it
//! may take meanwhile. [`runner`] drives it on stable with a corpus and blind [`mutation`]s of it; `fuzz/libfuzzer`
//! drives the same function guided by coverage. Nothing here opens a socket or asks a name server.

// This is test code that other programs have to link: a broken property is said by panicking, and nothing else is.
#![allow(clippy::panic, clippy::expect_used, clippy::missing_panics_doc)]

pub mod corpus;
pub mod mutation;
mod reader;
pub mod runner;
mod targets;

use common::limits::FRAME_BYTES_MAX;
use counting_allocator::{Cost, cost_of};

/// What became of an input that broke nothing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// It was taken for what it claims to be, at least in part.
    Taken,
    /// It was refused as a whole.
    Refused,
}

impl Outcome {
    fn taken_if(taken: bool) -> Outcome {
        if taken { Outcome::Taken } else { Outcome::Refused }
    }
}

/// One door for arbitrary bytes.
#[derive(Clone, Copy, Debug)]
pub struct Target {
    /// What it is called, here, in `corpus/` and in `libfuzzer/`.
    pub name: &'static str,
    /// What it means that an input was taken.
    pub taken: &'static str,
    /// The longest input that says anything new.
    pub input_bytes_max: usize,
    /// What an execution may hold at once whatever the input, in bytes.
    pub held_bytes_max: usize,
    /// What it may hold besides for each byte of the input.
    pub held_per_byte_max: usize,
    /// How often `make test` runs it.
    pub test_runs: u64,
    /// Takes the bytes, and panics where a property is broken.
    pub run: fn(&[u8]) -> Outcome,
}

/// What a frame may cost to decode, whoever announces what, and the words around it.
const DECODER_BYTES_MAX: usize = FRAME_BYTES_MAX + 16 * 1024;

/// Every door there is.
pub const TARGETS: [Target; 11] = [
    Target {
        name: "framer",
        taken: "brought a message",
        input_bytes_max: 16 * 1024,
        held_bytes_max: DECODER_BYTES_MAX,
        held_per_byte_max: 256,
        test_runs: 20_000,
        run: targets::framer::run,
    },
    Target {
        name: "native",
        taken: "decoded",
        input_bytes_max: 16 * 1024,
        held_bytes_max: DECODER_BYTES_MAX,
        held_per_byte_max: 16,
        test_runs: 40_000,
        run: targets::native::run,
    },
    Target {
        name: "tp3",
        taken: "decoded",
        input_bytes_max: 2 * 1024,
        held_bytes_max: 16 * 1024,
        held_per_byte_max: 16,
        test_runs: 40_000,
        run: targets::tp3::run,
    },
    Target {
        name: "data",
        taken: "held a key",
        input_bytes_max: 16 * 1024,
        held_bytes_max: 16 * 1024,
        held_per_byte_max: 256,
        test_runs: 20_000,
        run: targets::data::run,
    },
    Target {
        name: "command",
        taken: "meant something",
        input_bytes_max: 8 * 1024,
        held_bytes_max: 16 * 1024,
        held_per_byte_max: 64,
        test_runs: 20_000,
        run: targets::command::run,
    },
    Target {
        name: "arguments",
        taken: "made sense",
        input_bytes_max: 4 * 1024,
        held_bytes_max: 1024 * 1024,
        held_per_byte_max: 256,
        test_runs: 1_000,
        run: targets::arguments::run,
    },
    Target {
        name: "declared",
        taken: "made sense",
        input_bytes_max: 4 * 1024,
        held_bytes_max: 1024 * 1024,
        held_per_byte_max: 256,
        test_runs: 500,
        run: targets::declared::run,
    },
    Target {
        name: "escaped",
        taken: "needed an escape",
        input_bytes_max: 4 * 1024,
        held_bytes_max: 16 * 1024,
        held_per_byte_max: 32,
        test_runs: 20_000,
        run: targets::escaped::run,
    },
    Target {
        name: "overlay",
        taken: "moved a query",
        input_bytes_max: 4 * 1024,
        held_bytes_max: 64 * 1024,
        held_per_byte_max: 256,
        test_runs: 5_000,
        run: targets::overlay::run,
    },
    Target {
        name: "session",
        taken: "ended a query",
        input_bytes_max: 4 * 1024,
        held_bytes_max: 64 * 1024,
        // Two bytes ask a query, which is then kept by the mind and by the driver.
        held_per_byte_max: 512,
        test_runs: 20_000,
        run: targets::session::run,
    },
    Target {
        name: "exchange",
        taken: "heard a message",
        input_bytes_max: 4 * 1024,
        held_bytes_max: 64 * 1024,
        held_per_byte_max: 256,
        test_runs: 5_000,
        run: targets::exchange::run,
    },
];

/// The target of this name.
#[must_use]
pub fn target(name: &str) -> Option<&'static Target> {
    TARGETS.iter().find(|target| target.name == name)
}

/// Runs a target once, and panics where it breaks or takes more memory than it may. This is how libFuzzer calls it.
pub fn check(name: &str, bytes: &[u8]) {
    let target = target(name).expect("a target of this name");
    let (_, cost) = cost_of(|| (target.run)(bytes));
    if let Some(excess) = target.excess(bytes, cost) {
        panic!("{excess}");
    }
}

impl Target {
    /// What was too much about the memory an execution took.
    fn excess(&self, bytes: &[u8], cost: Cost) -> Option<String> {
        let most = self.held_bytes_max + self.held_per_byte_max * bytes.len();
        (cost.most > most).then(|| format!("it held {} bytes at once, where {most} are the most", cost.most))
    }
}
