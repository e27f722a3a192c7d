//! A floor that floods: a set of what it has heard, the copies of it that are still out, and an echo for each.
//!
//! Nothing is ever forgotten, nothing is given up, and whoever is linked stays.

use std::collections::{HashMap, HashSet};
use std::hash::{BuildHasherDefault, Hasher};
use std::net::SocketAddr;

use clap::Args;

use super::answers::{AnswerLink, say, say_listening};
use super::links::{FloorLinks, READ_BYTES, SOMEBODY_COMES};
use super::wait::{Epoll, Waits};
use super::wire::{FloorMessage, Head, Lengths};

/// Its command line.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where it listens
    #[arg(long)]
    listen: SocketAddr,
    /// A neighbor it connects to
    #[arg(long)]
    dial: Vec<SocketAddr>,
    /// How many neighbors it has, whoever connects
    #[arg(long)]
    neighbors: usize,
    /// Answers every query
    #[arg(long)]
    holds: bool,
    /// How long a request, a query, an answer, an echo and the last word to a client are
    #[arg(long, value_delimiter = ',')]
    lengths: Vec<usize>,
}

impl Options {
    /// The words that are read as this.
    #[must_use]
    pub fn words(
        listen: SocketAddr,
        dial: &[SocketAddr],
        neighbors: usize,
        holds: bool,
        lengths: Lengths,
    ) -> Vec<String> {
        let Lengths { request, query, answer, echo, finished, brought: _ } = lengths;
        let mut words = vec!["flood".to_owned(), format!("--listen={listen}"), format!("--neighbors={neighbors}")];
        words.extend(dial.iter().map(|dial| format!("--dial={dial}")));
        words.extend(holds.then(|| "--holds".to_owned()));
        words.push(format!("--lengths={request},{query},{answer},{echo},{finished}"));
        words
    }

    fn lengths(&self) -> anyhow::Result<Lengths> {
        let [request, query, answer, echo, finished] = self.lengths[..] else { anyhow::bail!("five lengths are told") };
        Ok(Lengths { request, query, answer, echo, finished, brought: answer })
    }
}

/// What is asked, by whom, and how many of its copies are out.
struct CopiesOut {
    asker: usize,
    awaited: usize,
}

/// Numbers that nobody chose to be in the way of others: one multiplication spreads them.
#[derive(Default)]
struct Spreading(u64);

impl Hasher for Spreading {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.write_u64(u64::from(*byte)));
    }

    fn write_u16(&mut self, number: u16) {
        self.write_u64(u64::from(number));
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0 ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15).rotate_left(26);
    }
}

type QuickHash = BuildHasherDefault<Spreading>;

/// Floods until it is ended.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let lengths = options.lengths()?;
    let length = |head: Head| match head.kind {
        FloorMessage::Request => lengths.request,
        FloorMessage::Query => lengths.query,
        FloorMessage::Answer => lengths.answer,
        FloorMessage::Echo => lengths.echo,
    };
    // Neighbors come first; who connects after them is a client.
    let mut links = FloorLinks::<Epoll>::open(options.listen, &options.dial)?;
    say_listening(links.address)?;
    while links.all.len() < options.neighbors {
        links.accept()?;
    }
    say("linked")?;

    let mut seen: HashSet<(u64, u16), QuickHash> = HashSet::default();
    let mut out: HashMap<(u64, u16), CopiesOut, QuickHash> = HashMap::default();
    let mut client = AnswerLink::default();
    let (mut keys, mut chunk) = (Vec::new(), vec![0; READ_BYTES]);
    loop {
        links.waits.wait(&mut keys)?;
        for key in &keys {
            if *key == SOMEBODY_COMES {
                links.accept()?;
                continue;
            }
            let Some(mut link) = links.all[*key].take() else { continue };
            let is_there = link.read(&mut chunk);
            while let Some(head) = link.came.next(length) {
                let id = (head.number, head.port);
                // To whom it is over, if it is.
                let over = match head.kind {
                    FloorMessage::Echo => {
                        let Some(asked) = out.get_mut(&id) else { continue };
                        asked.awaited -= 1;
                        let is_over = asked.awaited == 0;
                        is_over.then(|| out.remove(&id)).flatten().map(|asked| asked.asker)
                    }
                    _ if !seen.insert(id) => Some(*key),
                    _ => {
                        if options.holds {
                            client.keep(Head { kind: FloorMessage::Answer, ..head }, lengths.answer);
                        }
                        let mut awaited = 0;
                        if let Some(ttl) = head.ttl.checked_sub(1) {
                            for other in links.all[..options.neighbors].iter_mut().flatten() {
                                Head { kind: FloorMessage::Query, ttl, ..head }.write(lengths.query, &mut other.out);
                                awaited += 1;
                            }
                        }
                        if awaited > 0 {
                            out.insert(id, CopiesOut { asker: *key, awaited });
                        }
                        (awaited == 0).then_some(*key)
                    }
                };
                if let Some(to) = over {
                    let echo = Head { kind: FloorMessage::Echo, ..head };
                    let length = if to < options.neighbors { lengths.echo } else { lengths.finished };
                    if to == *key {
                        echo.write(length, &mut link.out);
                    } else if let Some(asker) = links.all[to].as_mut() {
                        echo.write(length, &mut asker.out);
                    }
                }
            }
            if is_there {
                links.all[*key] = Some(link);
            }
        }
        // One that has gone is found out by reading.
        for link in links.all.iter_mut().flatten() {
            link.write();
        }
        client.write();
    }
}
