//! Real servents, and how they are asked: overlays of the shapes that are measured, through the client library.

use std::fmt::Write as _;
use std::fs;
use std::iter;
use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context, anyhow};
use client::{AskError, Client, EndReason, Event, Question};
use common::key::Key;
use common::store::Store;

use super::floors::wire::Lengths;
use super::load::{Asks, LoadEvent};
use topologies::declared::Topology;
use topologies::fleet::{Fleet, Servent, some_loopback_address};

/// Data of our own that holds the key.
const DATA: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../data/alpha.txt");
/// What everybody is asked for.
const KEY: &str = "kernel";
/// A query that waits longer than this for its next answer is lost. Longer than a client waits by itself: what is late is
/// to be seen as late.
const SILENCE_MAX: Duration = Duration::from_secs(10);
/// Enough for any overlay here, and no more than others accept.
const TTL: u8 = 7;
const FIRST_PORT: usize = 9701;

/// The shape of an overlay: of each servent those it dials, which come before it.
#[derive(Clone, Debug)]
pub struct Edges(Vec<Vec<usize>>);

impl Edges {
    /// Each with the one before it.
    #[must_use]
    pub fn chain(servents: usize) -> Edges {
        Edges((0..servents).map(|place| place.checked_sub(1).into_iter().collect()).collect())
    }

    /// All with the first.
    #[must_use]
    pub fn star(servents: usize) -> Edges {
        Edges((0..servents).map(|place| (place > 0).then_some(0).into_iter().collect()).collect())
    }

    /// A ring in which each is also linked with those a quarter of the way around: four neighbors each.
    #[must_use]
    pub fn of_degree_four(servents: usize) -> Edges {
        let steps = [1, servents / 4];
        let mut dials = vec![Vec::new(); servents];
        for place in 0..servents {
            for step in steps {
                let other = (place + step) % servents;
                dials[place.max(other)].push(place.min(other));
            }
        }
        Edges(dials)
    }

    /// Of each servent those it dials.
    #[must_use]
    pub fn dials(&self) -> &[Vec<usize>] {
        &self.0
    }

    /// How many neighbors one has.
    #[must_use]
    pub fn degree(&self, place: usize) -> usize {
        let dialled_by = self.0.iter().flatten().filter(|other| **other == place).count();
        self.0[place].len() + dialled_by
    }
}

/// An overlay of real servents. They are ended when it is dropped.
#[derive(Debug)]
pub struct RealOverlay(Fleet);

impl RealOverlay {
    /// Starts servents that are linked like this, of which these hold the key, and waits until they are linked.
    pub fn start(links: &Edges, holds: impl Fn(usize) -> bool) -> anyhow::Result<RealOverlay> {
        let mut text = String::new();
        for (place, dials) in links.dials().iter().enumerate() {
            let data = if holds(place) { format!("\"{DATA}\"") } else { "-".to_owned() };
            write!(text, "servent --ttl {TTL} {} {data}", FIRST_PORT + place)?;
            for other in dials {
                write!(text, " {}", FIRST_PORT + other)?;
            }
            text.push('\n');
        }
        let topology = Topology::parse("bench", text, Path::new("."))?.moved_to(some_loopback_address());
        let mut fleet = Fleet::start(&topology)?;
        fleet.wait_until_linked(&topology)?;
        Ok(RealOverlay(fleet))
    }

    /// Where one of them listens.
    #[must_use]
    pub fn address(&self, place: usize) -> SocketAddr {
        self.0.servents[place].address()
    }

    /// One of them.
    #[must_use]
    pub fn servent(&self, place: usize) -> &Servent {
        &self.0.servents[place]
    }

    /// A client of one of them.
    pub fn asker(&self, place: usize) -> anyhow::Result<ClientAsker> {
        ClientAsker::connect(self.address(place))
    }

    /// Ends them all.
    pub fn end(self) -> anyhow::Result<()> {
        self.0.end()
    }
}

/// A client with many queries in flight.
#[derive(Debug)]
pub struct ClientAsker {
    client: Client,
    question: Question,
}

/// What is asked.
pub fn question() -> anyhow::Result<Question> {
    let question = Question::key(KEY).with_context(|| format!("{KEY} is no key"))?;
    Ok(Question { silence_max: SILENCE_MAX, ..question })
}

impl ClientAsker {
    /// Attaches to a contact.
    pub fn connect(contact: SocketAddr) -> anyhow::Result<ClientAsker> {
        Ok(ClientAsker { client: Client::connect(&contact.to_string())?, question: question()? })
    }

    /// The same, without a port of its own: answers come back.
    pub fn connect_without_port(contact: SocketAddr) -> anyhow::Result<ClientAsker> {
        Ok(ClientAsker { client: Client::connect_without_port(&contact.to_string())?, question: question()? })
    }

    /// The same that waits for so long: of one that keeps more in flight than a contact takes, most wait for their turn.
    #[must_use]
    pub fn with_silence_max(mut self, silence_max: Duration) -> ClientAsker {
        self.question.silence_max = silence_max;
        self
    }
}

impl Asks for ClientAsker {
    type Number = client::QueryNumber;

    fn begin(&mut self, count: usize, begun: &mut Vec<client::QueryNumber>) -> anyhow::Result<()> {
        match self.client.begin_each(iter::repeat_n(&self.question, count).cloned(), begun) {
            Ok(()) | Err(AskError::Busy | AskError::TooManyPending(_)) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// No query waits without end, so neither does this.
    fn hear(&mut self, _: Duration, heard: &mut Vec<LoadEvent<client::QueryNumber>>) -> anyhow::Result<()> {
        let mut next = self.client.next_event()?;
        while let Some(told) = next {
            heard.push(match told {
                (Some(number), Event::Answer { .. }) => LoadEvent::Answer(number),
                (Some(number), Event::Finished(ending)) => {
                    LoadEvent::Over(number, ending.reason == EndReason::Complete)
                }
                (_, Event::ContactLost { reason }) => return Err(anyhow!("the contact is gone: {reason}")),
                (_, Event::NotListening { reason }) => return Err(anyhow!("answers cannot come any more: {reason}")),
                (_, Event::MoreUnexpected { count }) => LoadEvent::Stray(count),
                _ => LoadEvent::Stray(1),
            });
            next = self.client.take_event();
        }
        Ok(())
    }
}

/// How long our messages are.
pub fn lengths() -> anyhow::Result<Lengths> {
    let data = fs::read(DATA).with_context(|| format!("cannot read {DATA}"))?;
    let (store, _) = Store::parse(data)?;
    let value = store.get(KEY.as_bytes()).ok_or_else(|| anyhow!("{DATA} does not hold {KEY}"))?;
    Lengths::ours(&Key::new(KEY.as_bytes())?, value)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn everybody_in_the_overlay_of_degree_four_has_four_neighbors() {
        let links = Edges::of_degree_four(16);
        assert!((0..16).all(|place| links.degree(place) == 4), "{links:?}");
        let chain = Edges::chain(5);
        assert_eq!([0, 1, 4].map(|place| chain.degree(place)), [1, 2, 1]);
        assert_eq!(Edges::star(16).degree(0), 15);
    }
}
