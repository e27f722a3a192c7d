//! A floor that reads and hashes one file for whoever connects, and closes the connection when it has.
//!
//! It keeps no hash of any block, and tells nobody what came of it.

use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use clap::Args;

use super::answers::say_listening;

/// What is read at once, as it is by who shares.
const PIECE_BYTES: usize = 256 * 1024;

/// Its command line.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where it listens
    #[arg(long)]
    listen: SocketAddr,
    /// What it hashes
    #[arg(long)]
    file: PathBuf,
}

impl Options {
    /// The words that are read as this.
    #[must_use]
    pub fn words(listen: SocketAddr, file: &Path) -> Vec<String> {
        vec!["hash".to_owned(), format!("--listen={listen}"), format!("--file={}", file.display())]
    }
}

/// Hashes it as often as somebody connects, until it is ended.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let listener = TcpListener::bind(options.listen)?;
    say_listening(listener.local_addr()?)?;
    loop {
        // Closed when it is done.
        let (_stream, _) = listener.accept()?;
        read_and_hash(&options.file)?;
    }
}

/// Reads and hashes all of a file, and does nothing else.
pub fn read_and_hash(path: &Path) -> io::Result<()> {
    let mut file = File::open(path)?;
    let mut hasher = blake3::Hasher::new();
    let mut piece = vec![0; PIECE_BYTES];
    loop {
        let count = file.read(&mut piece)?;
        if count == 0 {
            std::hint::black_box(hasher.finalize());
            return Ok(());
        }
        hasher.update(piece.get(..count).unwrap_or_default());
    }
}
