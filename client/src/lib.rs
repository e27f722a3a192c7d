//! A client: reads commands, asks a contact, prints what comes.
//!
//! What a query means and when it is over is decided in `common::session`; here are a command line (`options`), the
//! sources of commands (`repl`, `script`, `prompt`, `terminal`, `history`), sockets (`network`, with its limits in `reports` and `frames`), the form in which
//! reports are shown (`render`), what a run came to (`outcome`), and what is said of answers that did not arrive
//! (`hint`).

pub mod command;
mod frames;
mod hint;
mod history;
mod network;
pub mod options;
mod outcome;
mod prompt;
mod render;
mod repl;
mod reports;
mod script;
mod terminal;

use std::env;
use std::io::{self, IsTerminal, Write};
use std::process::ExitCode;

use env_logger::{Target, WriteStyle};
use servent::patient;

use options::Options;
use outcome::Outcome;

/// Runs the client program with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let options = Options::parse();
    let is_coloured = io::stderr().is_terminal() && env::var_os("NO_COLOR").is_none_or(|no| no.is_empty());
    env_logger::Builder::new()
        .filter_level(if options.quiet { log::LevelFilter::Error } else { log::LevelFilter::Warn })
        // Its debug log is about keystrokes and would be drawn over the line being edited.
        .filter_module("rustyline", log::LevelFilter::Warn)
        .target(Target::Pipe(Box::new(patient::stderr())))
        // It cannot tell where a pipe leads.
        .write_style(if is_coloured { WriteStyle::Always } else { WriteStyle::Never })
        .parse_default_env()
        .format_timestamp_millis()
        .init();
    let started = options.with_parent.map_or(Ok(()), servent::parent::end_with);
    let outcome = started.and_then(|()| repl::run(&options)).unwrap_or_else(|error| {
        let outcome = Outcome::of_error(&error);
        // Whoever read our output has seen enough; that is no error of ours to report.
        if outcome != Outcome::OutputClosed {
            let _ = patient::stderr().write_all(format!("client: {error:#}\n").as_bytes());
        }
        outcome
    });
    ExitCode::from(outcome.exit_code())
}
