//! A line of `topology sim`, read as the program reads it, for whoever runs it in a process of their own.

use clap::{Parser, Subcommand};
use topology::runs::options::Options;

#[derive(Debug, Parser)]
struct Line {
    #[command(subcommand)]
    what: What,
}

#[derive(Debug, Subcommand)]
enum What {
    Sim(Box<Options>),
}

pub(crate) fn options(line: &str) -> Options {
    let words = line.split_whitespace();
    let What::Sim(options) = Line::try_parse_from(words).unwrap_or_else(|error| panic!("{line}: {error}")).what;
    *options
}
