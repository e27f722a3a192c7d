//! A floor that keeps what clients send it: what has come from all of them is appended to a file and synced, and then each is
//! told. And the clients of it.
//!
//! What comes meanwhile is in the next go, as it is of a servent. Nothing is ever found again, and nobody is refused.

use std::fs::File;
use std::io::{self, Write};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context, bail};
use clap::Args;

use super::super::load::{Asks, LoadEvent};
use super::answers::{CLIENT_IP, say_listening};
use super::links::{FloorLinks, READ_BYTES, SOMEBODY_COMES};
use super::wait::{Epoll, Waits};
use super::wire::{FloorMessage, HEAD_BYTES, Head};

/// Its command line.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where it listens
    #[arg(long)]
    listen: SocketAddr,
    /// Where it keeps what comes
    #[arg(long)]
    file: PathBuf,
    /// How long what is kept is
    #[arg(long)]
    length: usize,
}

impl Options {
    /// The words that are read as this.
    #[must_use]
    pub fn words(listen: SocketAddr, file: &Path, length: usize) -> Vec<String> {
        let file = file.display();
        vec!["keep".to_owned(), format!("--listen={listen}"), format!("--file={file}"), format!("--length={length}")]
    }
}

/// Keeps what comes until it is ended.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let mut file = File::create_new(&options.file)?;
    let mut links: FloorLinks<Epoll> = FloorLinks::open(options.listen, &[])?;
    say_listening(links.address)?;
    let (mut keys, mut chunk, mut records) = (Vec::new(), vec![0; READ_BYTES], Vec::new());
    loop {
        links.waits.wait(&mut keys)?;
        for key in &keys {
            if *key == SOMEBODY_COMES {
                links.accept()?;
                continue;
            }
            let Some(mut link) = links.all[*key].take() else { continue };
            let is_there = link.read(&mut chunk);
            while let Some(head) = link.came.next(|_| options.length) {
                head.write(options.length, &mut records);
                Head { kind: FloorMessage::Answer, ..head }.write(HEAD_BYTES, &mut link.out);
            }
            links.all[*key] = is_there.then_some(link);
        }
        if !records.is_empty() {
            file.write_all(&records)?;
            file.sync_data()?;
            records.clear();
        }
        for key in &keys {
            // Whoever has gone is not told.
            if let Some(Some(link)) = links.all.get_mut(*key) {
                link.write();
            }
        }
    }
}

/// Clients of it, each with one record under way.
pub struct FloorWriters {
    links: FloorLinks<Epoll>,
    idle: Vec<usize>,
    next: u64,
    length: usize,
    keys: Vec<usize>,
    chunk: Vec<u8>,
}

impl FloorWriters {
    /// So many, whose records have a length.
    pub fn connect(contact: SocketAddr, clients: usize, length: usize) -> anyhow::Result<FloorWriters> {
        let links = FloorLinks::open((CLIENT_IP, 0).into(), &vec![contact; clients])?;
        let (idle, keys, chunk) = ((0..clients).collect(), Vec::new(), vec![0; READ_BYTES]);
        Ok(FloorWriters { links, idle, next: 0, length, keys, chunk })
    }
}

impl Asks for FloorWriters {
    type Number = u64;

    fn begin(&mut self, count: usize, begun: &mut Vec<u64>) -> anyhow::Result<()> {
        for place in self.idle.split_off(self.idle.len().saturating_sub(count)) {
            let Some(link) = &mut self.links.all[place] else { bail!("the floor has gone") };
            let head = Head { number: self.next, port: 0, kind: FloorMessage::Request, ttl: 0 };
            head.write(self.length, &mut link.out);
            link.write();
            begun.push(self.next);
            self.next += 1;
        }
        Ok(())
    }

    fn hear(&mut self, at_most: Duration, heard: &mut Vec<LoadEvent<u64>>) -> anyhow::Result<()> {
        while heard.is_empty() {
            match self.links.waits.wait_at_most(Some(at_most), &mut self.keys) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                waited => waited.context("cannot wait")?,
            }
            if self.keys.is_empty() {
                break;
            }
            for key in &self.keys {
                let Some(Some(link)) = self.links.all.get_mut(*key) else { continue };
                if !link.read(&mut self.chunk) {
                    bail!("the floor has gone");
                }
                while let Some(head) = link.came.next(|_| HEAD_BYTES) {
                    self.idle.push(*key);
                    heard.push(LoadEvent::Answer(head.number));
                }
            }
        }
        Ok(())
    }
}
