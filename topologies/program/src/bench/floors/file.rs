//! A floor that does one thing with one file for whoever connects, and closes the connection when it has: sends it, as fast as
//! the system does that by itself, or reads and hashes it.
//!
//! Nobody asks for anything and nothing proves what comes; no hash of any block is kept, and nobody is told what came of it.

use std::fs::File;
use std::io::{self, Read};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::fs::sendfile;

use super::answers::say_listening;

/// Bytes the system is asked to send at once.
const AT_ONCE_BYTES: usize = 1024 * 1024;
/// What is read at once, as it is by who shares.
const PIECE_BYTES: usize = 256 * 1024;

/// Its command line, whatever it does with the file.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where it listens
    #[arg(long)]
    listen: SocketAddr,
    /// What it sends or hashes
    #[arg(long)]
    file: PathBuf,
}

impl Options {
    /// The words that are read as this, behind `send` or `hash`.
    #[must_use]
    pub fn words(what: &str, listen: SocketAddr, file: &Path) -> Vec<String> {
        vec![what.to_owned(), format!("--listen={listen}"), format!("--file={}", file.display())]
    }
}

/// Does it as often as somebody connects, until it is ended.
pub fn run(options: &Options, what: fn(&TcpStream, &Path) -> io::Result<()>) -> anyhow::Result<()> {
    let listener = TcpListener::bind(options.listen)?;
    say_listening(listener.local_addr()?)?;
    loop {
        // Closed when it is done.
        let (stream, _) = listener.accept()?;
        what(&stream, &options.file)?;
    }
}

/// Has the system send all of a file, and does nothing else.
pub fn send(stream: &TcpStream, path: &Path) -> io::Result<()> {
    let file = File::open(path)?;
    let (length, mut at) = (file.metadata()?.len(), 0);
    // Whoever has enough leaves.
    while at < length && sendfile(stream, &file, Some(&mut at), AT_ONCE_BYTES).is_ok_and(|count| count > 0) {}
    Ok(())
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
