//! Contents: found, listed and fetched by the client, from real servents that share a directory, and from holders that lie,
//! fall silent, hang up or change their minds.
//!
//! Whom a fetch asks for what is tested at the door of its mind, in `common`; how a directory is looked through with the
//! servent. Here is what comes of both: files, lines, screens and exit codes.
mod beside;
mod find;
mod get;
mod large;
mod liars;
mod ls;
mod names;
mod old;
mod resume;
mod stream;
mod terminal;
mod troubles;

use std::fs;
use std::path::Path;

use super::*;
use crate::support::holder::{Holder, Manner, Teller, entry};
use crate::support::overlay::wait_until_reached;
use crate::support::shared::{BLOCK, Shared, content, hash_of, names_in};

/// A directory to fetch to.
fn here() -> TempDir {
    TempDir::new().unwrap()
}

/// What comes of these commands, run in a directory.
fn run_in(here: &Path, contact: &str, options: &[&str], commands: &[&str]) -> Run {
    let commands = commands.iter().flat_map(|command| ["-c", command]);
    Client::start_in(here, [contact].into_iter().chain(options.iter().copied()).chain(commands)).finish()
}

/// A number as people write it.
fn grouped(number: usize) -> String {
    common::counted::grouped(number as u64).to_string()
}

/// What is shown of a hash to a person.
fn short(bytes: &[u8]) -> String {
    hash_of(bytes)[..12].to_owned()
}

/// Blocks of a file that is written, in order, which are those of a content.
fn good_blocks(part: &Path, content: &[u8]) -> Vec<u32> {
    let Ok(bytes) = fs::read(part) else { return Vec::new() };
    let pairs = bytes.chunks(BLOCK).zip(content.chunks(BLOCK));
    (0..).zip(pairs).filter(|(_, (here, right))| here == right).map(|(block, _)| block).collect()
}
