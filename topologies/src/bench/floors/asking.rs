//! How floors are asked: the least that a client with many queries in flight can do.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use anyhow::Context;

use super::super::load::{Asks, LoadEvent};
use super::answers::CLIENT_IP;
use super::wait::{Epoll, FloorLink, Waits};
use super::wire::{FloorMessage, Head, Lengths};

const READ_BYTES: usize = 64 * 1024;
const LISTENER: usize = usize::MAX - 1;
const CONTACT: usize = 0;

type EpollLink = FloorLink<<Epoll as Waits>::Source<TcpStream>>;

/// A client of floors.
pub struct FloorAsker {
    waits: Epoll,
    listener: <Epoll as Waits>::Source<TcpListener>,
    port: u16,
    /// The contact, and whoever brought answers.
    links: Vec<Option<EpollLink>>,
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
        let waits = Epoll::new().context("cannot wait")?;
        let listener = TcpListener::bind((CLIENT_IP, 0)).context("cannot listen for answers")?;
        let port = listener.local_addr()?.port();
        let listener = waits.watch(listener, LISTENER)?;
        let stream = TcpStream::connect(contact).with_context(|| format!("cannot connect to {contact}"))?;
        let links = vec![Some(FloorLink::new(&waits, stream, CONTACT)?)];
        let Lengths { request, answer, .. } = lengths;
        let (keys, chunk) = (Vec::new(), vec![0; READ_BYTES]);
        Ok(FloorAsker { waits, listener, port, links, next: 0, ttl, request, own, answer, keys, chunk })
    }
}

impl Asks for FloorAsker {
    type Number = u64;

    fn begin(&mut self, count: usize, begun: &mut Vec<u64>) -> anyhow::Result<()> {
        let numbers = self.next..self.next + count as u64;
        self.next = numbers.end;
        if let Some(contact) = &mut self.links[CONTACT] {
            for number in numbers.clone() {
                let head = Head { number, port: self.port, kind: FloorMessage::Request, ttl: self.ttl };
                head.write(self.request, &mut contact.out);
            }
        }
        begun.extend(numbers);
        Ok(())
    }

    fn hear(&mut self, at_most: Duration, heard: &mut Vec<LoadEvent<u64>>) -> anyhow::Result<()> {
        if let Some(contact) = &mut self.links[CONTACT] {
            contact.write();
        }
        while heard.is_empty() {
            match self.waits.wait_at_most(Some(at_most), &mut self.keys) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
                waited => waited.context("cannot wait")?,
            }
            if self.keys.is_empty() {
                break;
            }
            for key in &self.keys {
                if *key == LISTENER {
                    let link = FloorLink::new(&self.waits, self.listener.accept()?.0, self.links.len())?;
                    self.links.push(Some(link));
                    continue;
                }
                let Some(mut link) = self.links[*key].take() else { continue };
                let is_there = link.read(&mut self.chunk);
                let [answer, last] = if *key == CONTACT { self.own } else { [self.answer; 2] };
                while let Some(head) =
                    link.came.next(|head| if head.kind == FloorMessage::Answer { answer } else { last })
                {
                    heard.push(match head.kind {
                        FloorMessage::Answer => LoadEvent::Answer(head.number),
                        FloorMessage::Echo => LoadEvent::Echoed(head.number),
                        FloorMessage::Request | FloorMessage::Query => LoadEvent::Stray,
                    });
                }
                if is_there {
                    self.links[*key] = Some(link);
                } else if *key == CONTACT {
                    anyhow::bail!("the floor has gone");
                }
            }
        }
        Ok(())
    }
}
