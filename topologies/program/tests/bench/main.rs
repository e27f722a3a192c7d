//! The benchmark, run small: every row is measured or says why not, nothing of what was asked is lost, and nothing that was
//! started stays.
//!
//! How fast anything is, is not judged: that is what the benchmark itself does, in a release build, for a person. What
//! measures is a program of its own, so that as little as may be runs beside it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod instructions;
mod rows;
#[path = "../support/mod.rs"]
mod support;

use std::ffi::OsStr;
use std::process::Command;

/// A benchmark of these words that finds other people's programs there.
fn bench(words: &[&str], path: impl AsRef<OsStr>) -> Command {
    let mut command = support::command(&["bench"]);
    command.args(words).env("PATH", path);
    command
}
