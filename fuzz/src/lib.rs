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
const DECODER_BYTES_MAX: usize = FRAME_BYTES_MAX + 16 * KIB;

const KIB: usize = 1024;

/// Every door there is, the fields of a [`Target`] in their order.
pub const TARGETS: [Target; 15] = [
    door("framer", "brought a message", 16 * KIB, DECODER_BYTES_MAX, 256, 20_000, targets::framer::run),
    door("native", "decoded", 16 * KIB, DECODER_BYTES_MAX, 16, 40_000, targets::native::run),
    door("tp3", "decoded", 2 * KIB, 16 * KIB, 16, 40_000, targets::tp3::run),
    door("data", "held a key", 16 * KIB, 16 * KIB, 256, 20_000, targets::data::run),
    door("members", "began with a member", 4 * KIB, 64 * KIB, 256, 20_000, targets::members::run),
    door("command", "meant something", 8 * KIB, 16 * KIB, 64, 20_000, targets::command::run),
    door("arguments", "made sense", 4 * KIB, KIB * KIB, 256, 1_000, targets::arguments::run),
    door("declared", "made sense", 4 * KIB, KIB * KIB, 256, 500, targets::declared::run),
    door("escaped", "needed an escape", 4 * KIB, 16 * KIB, 32, 20_000, targets::escaped::run),
    door("events", "were lines of logs", 4 * KIB, 64 * KIB, 256, 5_000, targets::events::run),
    // A content of some blocks, and one of them once more.
    door("blocks", "came to the root", KIB, KIB * KIB, 256, 2_000, targets::blocks::run),
    // Some servents are drawn in every form, with room for where links could go.
    door("drawing", "had links", 2 * KIB, KIB * KIB, 256, 500, targets::drawing::run),
    // Two bytes open a link, and all of them are told at once that this servent leaves, or what it has heard of others.
    door("overlay", "moved a query", 4 * KIB, 64 * KIB, 768, 5_000, targets::overlay::run),
    // Two bytes ask a query, which is then kept by the mind and by the driver, in tables that double.
    door("session", "ended a query", 4 * KIB, 64 * KIB, 768, 20_000, targets::session::run),
    // Bytes that are no message may announce a list of addresses, as in the targets of the decoder.
    door("exchange", "heard a message", 4 * KIB, FRAME_BYTES_MAX + 64 * KIB, 256, 5_000, targets::exchange::run),
];

const fn door(
    name: &'static str,
    taken: &'static str,
    input_bytes_max: usize,
    held_bytes_max: usize,
    held_per_byte_max: usize,
    test_runs: u64,
    run: fn(&[u8]) -> Outcome,
) -> Target {
    Target { name, taken, input_bytes_max, held_bytes_max, held_per_byte_max, test_runs, run }
}

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
