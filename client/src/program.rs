//! The client program: reads commands, has them asked, prints what comes.
//!
//! Here are a command line (`options`), the sources of commands (`repl`, `script`, `prompt`, `notices`, `terminal`,
//! `history`), what a command means (`command`, with `words` that are quoted), the form in which reports are shown (`render`, `members` of members, `contents` of files and what was
//! found, `get` and `live` of what is fetched, `topology` of the overlay, with `names` of servents, `hello` of greetings, and `writes` of what is to be kept and watched), what has changed since it was
//! asked before (`every`), what a run came to (`outcome`), and what is said of answers that did not arrive (`hint`).

pub mod command;
mod contents;
mod every;
pub mod get;
mod hello;
mod hint;
mod history;
mod live;
mod members;
mod names;
mod notices;
pub mod options;
mod outcome;
mod prompt;
mod render;
mod repl;
mod script;
mod terminal;
mod topology;
mod words;
mod writes;

use std::io::Write;
use std::process::ExitCode;

use servent::{logging, patient};

use options::Options;
use outcome::Outcome;

/// Runs the client program with the arguments of this process.
#[must_use]
pub fn main() -> ExitCode {
    let options = Options::parse();
    let level = if options.quiet { log::LevelFilter::Error } else { log::LevelFilter::Warn };
    let logging = logging::start(level, |builder| {
        // Its debug log is about keystrokes and would be drawn over the line being edited.
        builder.filter_module("rustyline", log::LevelFilter::Warn);
    });
    let started = options.with_parent.map_or(Ok(()), servent::parent::end_with);
    let outcome = started.and_then(|()| repl::run(&options)).unwrap_or_else(|error| {
        let outcome = Outcome::of_error(&error);
        // Whoever read our output has seen enough; that is no error of ours to report.
        if outcome != Outcome::OutputClosed {
            let _ = patient::stderr().write_all(format!("client: {error:#}\n").as_bytes());
        }
        outcome
    });
    logging.finish();
    ExitCode::from(outcome.exit_code())
}
