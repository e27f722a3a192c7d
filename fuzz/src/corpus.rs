//! The inputs that are kept: those worth starting from, and those that once broke something.
//!
//! It reads files in the order of their names; it writes none.

use std::fs;
use std::io;
use std::path::PathBuf;

use crate::Target;

/// Where the corpus of a target is.
#[must_use]
pub fn directory(target: &Target) -> PathBuf {
    [env!("CARGO_MANIFEST_DIR"), "corpus", target.name].iter().collect()
}

/// Every input that is kept for a target, with its file.
pub fn load(target: &Target) -> io::Result<Vec<(PathBuf, Vec<u8>)>> {
    let mut paths = fs::read_dir(directory(target))?
        .map(|entry| entry.map(|entry| entry.path()))
        .collect::<io::Result<Vec<PathBuf>>>()?;
    paths.sort();
    paths.into_iter().map(|path| fs::read(&path).map(|bytes| (path, bytes))).collect()
}
