//! A floor that sends one file to whoever connects, as fast as the system does that by itself: `sendfile`, and nothing else.
//!
//! Nobody asks for anything, and nothing proves what comes.

use std::fs::File;
use std::net::{SocketAddr, TcpListener};
use std::path::{Path, PathBuf};

use clap::Args;
use rustix::fs::sendfile;

use super::answers::say_listening;

/// Bytes the system is asked to send at once.
const AT_ONCE_BYTES: usize = 1024 * 1024;

/// Its command line.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where it listens
    #[arg(long)]
    listen: SocketAddr,
    /// What it sends
    #[arg(long)]
    file: PathBuf,
}

impl Options {
    /// The words that are read as this.
    #[must_use]
    pub fn words(listen: SocketAddr, file: &Path) -> Vec<String> {
        vec!["bulk".to_owned(), format!("--listen={listen}"), format!("--file={}", file.display())]
    }
}

/// Sends until it is ended.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let listener = TcpListener::bind(options.listen)?;
    say_listening(listener.local_addr()?)?;
    loop {
        let (stream, _) = listener.accept()?;
        let file = File::open(&options.file)?;
        let (length, mut at) = (file.metadata()?.len(), 0);
        // Whoever has enough leaves.
        while at < length && sendfile(&stream, &file, Some(&mut at), AT_ONCE_BYTES).is_ok_and(|count| count > 0) {}
    }
}
