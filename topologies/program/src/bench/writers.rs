//! Clients of one contact that write, each so many changes at a time as whoever measures has in flight.
//!
//! They say what a client says and no more than that, over bare epoll: with so many clients of the library in one process
//! most of what is measured would be theirs. What is measured is decided by whoever asks.

use std::io::{self, Read, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Context, bail};
use client::{Change, Key, WriteOutcome};
use common::dialect::Dialect;
use common::limits::FRAME_BYTES_MAX;
use common::message::{Hello, Message, Role};
use common::wire::{self, Frame, PREFACE, Position, ReadFrame};
use common::write::{Write, Written};

use super::floors::links::READ_BYTES;
use super::floors::wait::{Epoll, Waits};
use super::load::{Asks, LoadEvent};

/// Odd, so no two of the first so many keys are alike, and keys that follow one another are far apart.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// Which keys are written, of which none was before.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NewKeys {
    /// Each writer has its own, one behind the other, as whoever loads a list or writes down what it measures.
    InOrder,
    /// Each is far from the one before it.
    Spread,
}

/// The writers.
pub struct LoadWriters {
    waits: Epoll,
    links: Vec<WritingLink>,
    /// One for each more that a client may have in flight.
    idle: Vec<usize>,
    /// What is to be said to the contact at once by one of them.
    saying: Vec<u8>,
    value: Box<[u8]>,
    new_keys: NewKeys,
    /// How many keys were written.
    count: u64,
    keys: Vec<usize>,
    chunk: Vec<u8>,
}

/// One of them: its connection, and what has come over it and is no whole message yet.
struct WritingLink {
    stream: <Epoll as Waits>::Source<TcpStream>,
    came: Vec<u8>,
    /// No message has come yet.
    is_new: bool,
    /// How many keys it has written.
    count: u64,
}

impl LoadWriters {
    /// So many clients of a contact, which put values of a length under keys that were never put before, each so many at a time.
    pub fn connect(
        contact: SocketAddr,
        (clients, each): (usize, usize),
        new_keys: NewKeys,
        value_bytes: usize,
    ) -> anyhow::Result<LoadWriters> {
        let value = b"green, 80 degrees; ".iter().copied().cycle().take(value_bytes).collect();
        let (keys, chunk) = (Vec::new(), vec![0; READ_BYTES]);
        let waits = Epoll::new().context("cannot wait")?;
        let links = (0..clients).map(|place| WritingLink::attach(&waits, contact, place)).collect::<Result<_, _>>()?;
        let (idle, saying) = (Vec::new(), Vec::new());
        let mut writers = LoadWriters { waits, links, idle, saying, value, new_keys, count: 0, keys, chunk };
        while writers.links.iter().any(|link| link.is_new) {
            writers.hear_once(None, &mut Vec::new())?;
        }
        writers.idle.extend((0..clients).flat_map(|place| std::iter::repeat_n(place, each)));
        Ok(writers)
    }

    /// How long what is written under one key is, with the key.
    #[must_use]
    pub fn record_bytes(&self) -> usize {
        key(self.new_keys, (0, 0), 0).len() + self.value.len()
    }

    /// Waits once. False where nothing has come for so long.
    fn hear_once(&mut self, at_most: Option<Duration>, heard: &mut Vec<LoadEvent<u64>>) -> anyhow::Result<bool> {
        match self.waits.wait_at_most(at_most, &mut self.keys) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => return Ok(true),
            waited => waited.context("cannot wait for what becomes of writes")?,
        }
        for place in &self.keys {
            let Some(link) = self.links.get_mut(*place) else { continue };
            link.read(&mut self.chunk)?;
            while let Some(written) = link.next()? {
                self.idle.push(*place);
                let is_kept = matches!(written.outcome, WriteOutcome::Stored | WriteOutcome::Replaced);
                // Nobody answers a write: that it is kept is all there is.
                heard.extend(is_kept.then_some(LoadEvent::Answer(written.sequence)));
                heard.push(LoadEvent::Over(written.sequence, is_kept));
            }
        }
        Ok(!self.keys.is_empty())
    }
}

impl WritingLink {
    /// Connects, and says who it is.
    fn attach(waits: &Epoll, contact: SocketAddr, place: usize) -> anyhow::Result<WritingLink> {
        let stream = TcpStream::connect(contact).with_context(|| format!("cannot connect to {contact}"))?;
        stream.set_nodelay(true)?;
        let hello = Message::Hello(Hello::new(Role::Client { answer_port: 0 }));
        let hello = Frame::at(Position::First, Dialect::OWN, 0, &hello)?;
        (&stream).write_all(&[&PREFACE, hello.as_bytes()].concat())?;
        Ok(WritingLink { stream: waits.watch(stream, place)?, came: Vec::new(), is_new: true, count: 0 })
    }

    fn read(&mut self, chunk: &mut [u8]) -> anyhow::Result<()> {
        let count = (&*self.stream).read(chunk).context("the contact of a writer")?;
        if count == 0 {
            bail!("the contact of a writer has gone");
        }
        self.came.extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(())
    }

    /// What came of its next write, if that is there.
    fn next(&mut self) -> anyhow::Result<Option<Written>> {
        if self.is_new {
            let Some(rest) = self.came.strip_prefix(&PREFACE) else { return Ok(None) };
            let Some(read) = wire::read_frame(Dialect::OWN, Position::First, rest, FRAME_BYTES_MAX)? else {
                return Ok(None);
            };
            let Some(Message::Hello(_)) = read.message else { bail!("a writer is told {read:?} and no hello") };
            self.came.drain(..PREFACE.len() + read.bytes_count);
            self.is_new = false;
        }
        let read = wire::read_frame(Dialect::OWN, Position::Later, &self.came, FRAME_BYTES_MAX)?;
        let Some(ReadFrame { message, bytes_count, .. }) = read else { return Ok(None) };
        self.came.drain(..bytes_count);
        match message {
            Some(Message::Written(written)) => Ok(Some(written)),
            other => bail!("a writer is told {other:?}"),
        }
    }
}

/// Another one for each that a writer has written, and each that all have.
fn key(new_keys: NewKeys, (writer, of_writer): (usize, u64), of_all: u64) -> String {
    match new_keys {
        NewKeys::InOrder => format!("key-{writer:04}-{of_writer:011}"),
        NewKeys::Spread => format!("key-{:016x}", of_all.wrapping_mul(SPREAD)),
    }
}

impl Asks for LoadWriters {
    type Number = u64;

    fn begin(&mut self, count: usize, begun: &mut Vec<u64>) -> anyhow::Result<()> {
        let mut places = self.idle.split_off(self.idle.len().saturating_sub(count)).into_iter().peekable();
        while let Some(place) = places.next() {
            let Some(link) = self.links.get_mut(place) else { continue };
            let key = key(self.new_keys, (place, link.count), self.count);
            link.count += 1;
            let change = Change::Put { key: Key::new(key.as_bytes())?, value: (*self.value).into() };
            let write = Message::Write(Write { sequence: self.count, change });
            self.saying.extend_from_slice(Frame::new(Dialect::OWN, &write)?.as_bytes());
            if places.peek() != Some(&place) {
                (&*link.stream).write_all(&self.saying)?;
                self.saying.clear();
            }
            begun.push(self.count);
            self.count += 1;
        }
        Ok(())
    }

    fn hear(&mut self, at_most: Duration, heard: &mut Vec<LoadEvent<u64>>) -> anyhow::Result<()> {
        while heard.is_empty() && self.hear_once(Some(at_most), heard)? {}
        Ok(())
    }
}
