//! The program `topology`, run to its end, and what it says.

// Each of the test programs takes what it needs.
#![allow(dead_code)]

use std::process::{Command, Output, Stdio};

/// What the benchmark says of figures that say little, which are those of tests unless they are built to be fast.
pub(crate) const DEBUG_WARNING: &str = if cfg!(debug_assertions) {
    "topology: this is a debug build, and its figures say little: `make bench` makes a release build\n"
} else {
    ""
};

/// The program with these words, to whom nobody types anything.
pub(crate) fn command(words: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_topology"));
    command.args(words).stdin(Stdio::null());
    command
}

pub(crate) fn topology(words: &[&str]) -> Output {
    command(words).output().unwrap()
}

/// `topology sim` with the words of a line, of which none is quoted.
pub(crate) fn sim(line: &str) -> Command {
    let mut command = command(&["sim"]);
    command.args(line.split_whitespace());
    command
}

pub(crate) fn stdout(output: &Output) -> String {
    text(&output.stdout)
}

pub(crate) fn stderr(output: &Output) -> String {
    text(&output.stderr)
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}
