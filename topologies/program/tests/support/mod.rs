//! The program `topology`, run to its end, and what it says.

// Each of the test programs takes what it needs.
#![allow(dead_code)]

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::{BuildHasher, Hasher};
use std::process::{Command, Output, Stdio};

use rustix::process::Pid;

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

/// A word in the environment, which every process inherits: by it one that nobody noted is found as well.
pub(crate) struct Mark(String);

/// One process that carries the mark.
#[derive(Debug)]
pub(crate) struct Marked {
    pub(crate) pid: Pid,
    pub(crate) name: String,
}

impl Mark {
    const NAME: &str = "TOPOLOGY_TEST_MARK";

    /// Marks what this command starts.
    pub(crate) fn put_on(command: &mut Command) -> Mark {
        Mark::put_by(|name, value| {
            command.env(name, value);
        })
    }

    /// The same by whoever sets a variable.
    pub(crate) fn put_by(set: impl FnOnce(&str, &str)) -> Mark {
        let value = format!("{:016x}", RandomState::new().build_hasher().finish());
        set(Mark::NAME, &value);
        Mark(format!("{}={value}", Mark::NAME))
    }

    /// All that carry it.
    pub(crate) fn processes(&self) -> Vec<Marked> {
        let ids = fs::read_dir("/proc").unwrap().filter_map(|entry| entry.unwrap().file_name().to_str()?.parse().ok());
        ids.filter_map(Pid::from_raw).filter_map(|pid| self.marked(pid)).collect()
    }

    fn marked(&self, pid: Pid) -> Option<Marked> {
        let place = format!("/proc/{}", pid.as_raw_nonzero());
        // One that has ended meanwhile has none.
        let environment = fs::read(format!("{place}/environ")).ok()?;
        let has_mark = environment.split(|byte| *byte == 0).any(|word| word == self.0.as_bytes());
        let name = fs::read_to_string(format!("{place}/comm")).ok()?.trim().to_owned();
        has_mark.then_some(Marked { pid, name })
    }
}
