//! A client: reads commands, asks a contact, prints what comes.
//!
//! What a query means and when it is over is decided in `common::session`; here are a command line (`options`), the
//! sources of commands (`repl`, `script`, `prompt`, `terminal`, `history`), sockets (`network`), the form in which reports are shown
//! (`render`) and what a run came to (`outcome`).

pub mod command;
mod history;
mod network;
pub mod options;
mod outcome;
mod prompt;
mod render;
mod repl;
mod script;
mod terminal;

use std::io::{self, Write};
use std::process::ExitCode;

use clap::Parser;

use options::Options;
use outcome::Outcome;

/// Runs the client program with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let options = Options::parse();
    env_logger::Builder::new()
        .filter_level(log::LevelFilter::Warn)
        // Its debug log is about keystrokes and would be drawn over the line being edited.
        .filter_module("rustyline", log::LevelFilter::Warn)
        .parse_default_env()
        .format_timestamp_millis()
        .init();
    let started = options.with_parent.map_or(Ok(()), servent::parent::end_with);
    let outcome = started.and_then(|()| repl::run(&options)).unwrap_or_else(|error| {
        if is_broken_pipe(&error) {
            // Whoever read our output has seen enough; that is no error of ours to report.
            return Outcome::OutputClosed;
        }
        let _ = writeln!(io::stderr(), "client: {error:#}");
        error.downcast_ref::<network::AttachError>().map_or(Outcome::Usage, |_| Outcome::Unreachable)
    });
    ExitCode::from(outcome.exit_code())
}

fn is_broken_pipe(error: &anyhow::Error) -> bool {
    error
        .chain()
        .filter_map(|cause| cause.downcast_ref::<io::Error>())
        .any(|error| error.kind() == io::ErrorKind::BrokenPipe)
}
