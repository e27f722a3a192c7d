//! Clients of one contact that write, each one change at a time: whoever measures has as many writes in flight as there are
//! clients.
//!
//! What is measured is decided by whoever asks; here is what is written, and what came of it.

use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};
use client::{Change, Client, Event, Key, QueryNumber, WriteEnd, WriteOutcome};
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::retry_on_intr;

use super::load::{Asks, LoadEvent};

/// A write of which nothing was said for so long is lost. A disk that is slow is seen as slow.
const SILENCE_MAX: Duration = Duration::from_secs(60);
/// Odd, so no two of the first so many keys are alike, and keys that follow one another are far apart.
const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;

/// The writers.
#[derive(Debug)]
pub struct WritingClients {
    clients: Vec<Client>,
    /// Those with nothing in flight.
    idle: Vec<usize>,
    value: Box<[u8]>,
    /// How many keys were written.
    count: u64,
}

impl WritingClients {
    /// So many clients of a contact, which put values of a length under keys that were never put before.
    pub fn connect(contact: SocketAddr, clients: usize, value_bytes: usize) -> anyhow::Result<WritingClients> {
        let connect = |_| Client::connect_without_port(&contact.to_string());
        let all = (0..clients).map(connect).collect::<Result<Vec<Client>, _>>()?;
        let value = b"green, 80 degrees; ".iter().copied().cycle().take(value_bytes).collect();
        Ok(WritingClients { clients: all, idle: (0..clients).collect(), value, count: 0 })
    }

    /// How long what is written under one key is, with the key.
    #[must_use]
    pub fn record_bytes(&self) -> usize {
        key(0).len() + self.value.len()
    }

    /// What came of the writes of one of them.
    fn take(&mut self, place: usize, heard: &mut Vec<LoadEvent<WriteNumber>>) -> anyhow::Result<()> {
        let Some(client) = self.clients.get_mut(place) else { return Ok(()) };
        while client.ready()? {
            while let Some(told) = client.take_event() {
                match told {
                    (Some(number), Event::Written(ended)) => {
                        self.idle.push(place);
                        let is_kept =
                            matches!(ended.end, WriteEnd::Told(WriteOutcome::Stored | WriteOutcome::Replaced));
                        let number = WriteNumber(place, number);
                        // Nobody answers a write: that it is kept is all there is.
                        heard.extend(is_kept.then_some(LoadEvent::Answer(number)));
                        heard.push(LoadEvent::Over(number, is_kept));
                    }
                    (_, Event::ContactLost { reason }) => return Err(anyhow!("the contact is gone: {reason}")),
                    _ => heard.push(LoadEvent::Stray(1)),
                }
            }
        }
        Ok(())
    }

    /// Waits until there is something to do for some of them, or for so long, and says for whom.
    fn wait(&self, at_most: Duration) -> anyhow::Result<Vec<usize>> {
        let now = Instant::now();
        let due = self.clients.iter().filter_map(Client::deadline).min();
        let wait = due.map_or(at_most, |due| due.saturating_duration_since(now).min(at_most));
        let wait = Timespec::try_from(wait)?;
        let mut fds: Vec<PollFd<'_>> = self.clients.iter().map(|client| PollFd::new(client, PollFlags::IN)).collect();
        retry_on_intr(|| poll(&mut fds, Some(&wait))).context("cannot wait for the writers")?;
        let now = Instant::now();
        let has_something = |(client, fd): (&Client, &PollFd<'_>)| {
            !fd.revents().is_empty() || client.deadline().is_some_and(|due| due <= now)
        };
        let places = self.clients.iter().zip(&fds).enumerate();
        Ok(places.filter(|(_, pair)| has_something(*pair)).map(|(place, _)| place).collect())
    }
}

fn key(number: u64) -> String {
    format!("key-{:016x}", number.wrapping_mul(SPREAD))
}

/// A write of one of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct WriteNumber(usize, QueryNumber);

impl Asks for WritingClients {
    type Number = WriteNumber;

    fn begin(&mut self, count: usize, begun: &mut Vec<WriteNumber>) -> anyhow::Result<()> {
        for place in self.idle.split_off(self.idle.len().saturating_sub(count)) {
            let Some(client) = self.clients.get_mut(place) else { continue };
            let change = Change::Put { key: Key::new(key(self.count).as_bytes())?, value: (*self.value).into() };
            self.count += 1;
            begun.push(WriteNumber(place, client.begin_write(change, SILENCE_MAX)?));
        }
        Ok(())
    }

    fn hear(&mut self, at_most: Duration, heard: &mut Vec<LoadEvent<WriteNumber>>) -> anyhow::Result<()> {
        let until = Instant::now() + at_most;
        while heard.is_empty() && Instant::now() < until {
            for place in self.wait(until.saturating_duration_since(Instant::now()))? {
                self.take(place, heard)?;
            }
        }
        Ok(())
    }
}
