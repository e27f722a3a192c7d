//! How floors are asked: the least that a client with many queries in flight can do.

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context;

use super::super::load::{Asks, LoadEvent};
use super::answers::CLIENT_IP;
use super::links::{FloorLinks, READ_BYTES, SOMEBODY_COMES};
use super::wait::{Epoll, Waits};
use super::wire::{FloorMessage, Head, Lengths};

/// The place of its link.
const CONTACT: usize = 0;

/// A client of floors.
pub struct FloorAsker {
    /// To the contact, and to whoever brought answers.
    links: FloorLinks<Epoll>,
    next: u64,
    ttl: u8,
    request: usize,
    /// How long an answer, and the last word, are over the contact's own link.
    own: [usize; 2],
    answer: usize,
    keys: Vec<usize>,
    chunk: Vec<u8>,
}

impl FloorAsker {
    /// Connects to a floor, and hears answers. `own` is how long an answer and the last word of the contact itself are.
    pub fn connect(contact: SocketAddr, ttl: u8, lengths: Lengths, own: [usize; 2]) -> anyhow::Result<FloorAsker> {
        let links = FloorLinks::open((CLIENT_IP, 0).into(), &[contact])?;
        let Lengths { request, answer, .. } = lengths;
        let (keys, chunk) = (Vec::new(), vec![0; READ_BYTES]);
        Ok(FloorAsker { links, next: 0, ttl, request, own, answer, keys, chunk })
    }
}

impl Asks for FloorAsker {
    type Number = u64;

    fn begin(&mut self, count: usize, begun: &mut Vec<u64>) -> anyhow::Result<()> {
        let numbers = self.next..self.next + count as u64;
        self.next = numbers.end;
        let port = self.links.address.port();
        if let Some(contact) = &mut self.links.all[CONTACT] {
            for number in numbers.clone() {
                let head = Head { number, port, kind: FloorMessage::Request, ttl: self.ttl };
                head.write(self.request, &mut contact.out);
            }
        }
        begun.extend(numbers);
        Ok(())
    }

    fn hear(&mut self, at_most: Duration, heard: &mut Vec<LoadEvent<u64>>) -> anyhow::Result<()> {
        if let Some(contact) = &mut self.links.all[CONTACT] {
            contact.write();
        }
        while heard.is_empty() {
            match self.links.waits.wait_at_most(Some(at_most), &mut self.keys) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                waited => waited.context("cannot wait")?,
            }
            if self.keys.is_empty() {
                break;
            }
            for key in &self.keys {
                if *key == SOMEBODY_COMES {
                    self.links.accept()?;
                    continue;
                }
                let Some(mut link) = self.links.all[*key].take() else { continue };
                let is_there = link.read(&mut self.chunk);
                let [answer, last] = if *key == CONTACT { self.own } else { [self.answer; 2] };
                while let Some(head) =
                    link.came.next(|head| if head.kind == FloorMessage::Answer { answer } else { last })
                {
                    heard.push(match head.kind {
                        FloorMessage::Answer => LoadEvent::Answer(head.number),
                        FloorMessage::Echo => LoadEvent::Echoed(head.number),
                        FloorMessage::Request | FloorMessage::Query => LoadEvent::Stray(1),
                    });
                }
                if is_there {
                    self.links.all[*key] = Some(link);
                } else if *key == CONTACT {
                    anyhow::bail!("the floor has gone");
                }
            }
        }
        Ok(())
    }
}
