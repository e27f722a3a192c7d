//! The connections of a floor, or of who asks one: those it makes as it begins, and those that come to it.
//!
//! Who is at their other ends, and what is said on them, is known to whoever has them.

use std::io::{self, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::ops::Deref;

use anyhow::Context;

use super::wait::Waits;
use super::wire::Came;

/// How much is read at once.
pub const READ_BYTES: usize = 64 * 1024;
/// The key under which somebody comes. All others are places of links.
pub const SOMEBODY_COMES: usize = usize::MAX - 1;

/// All connections of one end, and what it waits with.
pub struct FloorLinks<W: Waits> {
    /// What it waits with.
    pub waits: W,
    listener: W::Source<TcpListener>,
    /// Where it listens.
    pub address: SocketAddr,
    /// In the order in which they came. There is none in a place whose other end has gone, or while it is read.
    pub all: Vec<Option<FloorLink<W::Source<TcpStream>>>>,
}

impl<W: Waits> FloorLinks<W> {
    /// Listens, and connects to these, whose links come first.
    pub fn open(listen: SocketAddr, dials: &[SocketAddr]) -> anyhow::Result<FloorLinks<W>> {
        let waits = W::new().context("cannot wait")?;
        let listener = TcpListener::bind(listen).with_context(|| format!("cannot listen on {listen}"))?;
        let address = listener.local_addr()?;
        let listener = waits.watch(listener, SOMEBODY_COMES)?;
        let mut links = FloorLinks { waits, listener, address, all: Vec::new() };
        for dial in dials {
            links.add(TcpStream::connect(dial).with_context(|| format!("cannot connect to {dial}"))?)?;
        }
        Ok(links)
    }

    /// Takes in somebody who comes, and waits for them where nobody does.
    pub fn accept(&mut self) -> io::Result<()> {
        let (stream, _) = self.listener.accept()?;
        self.add(stream)
    }

    fn add(&mut self, stream: TcpStream) -> io::Result<()> {
        let link = FloorLink::new(&self.waits, stream, self.all.len())?;
        self.all.push(Some(link));
        Ok(())
    }
}

/// A connection as floors have it: what is to be written is written at the end of a turn, and waits for whoever reads.
#[derive(Debug)]
pub struct FloorLink<Source> {
    source: Source,
    /// What is to be written.
    pub out: Vec<u8>,
    /// What has come.
    pub came: Came,
}

impl<Source: Deref<Target = TcpStream>> FloorLink<Source> {
    fn new<W: Waits<Source<TcpStream> = Source>>(waits: &W, stream: TcpStream, key: usize) -> io::Result<Self> {
        stream.set_nodelay(true)?;
        Ok(FloorLink { source: waits.watch(stream, key)?, out: Vec::new(), came: Came::default() })
    }

    /// Reads once. False where the other end has gone.
    pub fn read(&mut self, chunk: &mut [u8]) -> bool {
        let count = (&*self.source).read(chunk).unwrap_or(0);
        self.came.add(&chunk[..count]);
        count > 0
    }

    /// Writes what there is. False where the other end has gone.
    pub fn write(&mut self) -> bool {
        let written = self.out.is_empty() || (&*self.source).write_all(&self.out).is_ok();
        self.out.clear();
        written
    }
}
