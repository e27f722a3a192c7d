//! What floors say: messages that are as long as ours, of which only the first bytes mean something.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use common::address::AnswerAddress;
use common::dialect::Dialect;
use common::key::Key;
use common::message::{Brought, Echo, Finished, Message, Request, ServentId};
use common::query::{
    Answer, AnswerBody, Ask, AskHash, BroughtAnswer, BroughtBody, ContactMark, ContactName, Path, Query, QueryId,
    Tally, Via,
};
use common::wire::Frame;

/// Number, port, kind and TTL.
pub const HEAD_BYTES: usize = 12;

/// How long each message is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Lengths {
    /// From the client to its contact.
    pub request: usize,
    /// From neighbor to neighbor.
    pub query: usize,
    /// To the client.
    pub answer: usize,
    /// From neighbor to neighbor.
    pub echo: usize,
    /// To the client.
    pub finished: usize,
    /// From neighbor to neighbor, and about as long to the client.
    pub brought: usize,
}

impl Lengths {
    /// Those of our own messages, for a key and its value, asked by a client that has asked some already.
    pub fn ours(key: &Key, value: &[u8]) -> anyhow::Result<Lengths> {
        const SEQUENCE: u64 = 1 << 30;
        let client = AnswerAddress { dialect: Dialect::OWN, socket: SocketAddr::from(([127, 0, 0, 1], 20_000)) };
        let ask = Ask::Key(key.clone());
        let tally = Tally { reached: 5, answers: 1, copies: 4, ..Tally::default() };
        let contact = Some(ContactMark { name: ContactName(u64::MAX / 3), number: 1_000, open_from: 990 });
        let (ask_now, path) = (ask.clone(), Path::empty(false));
        let query =
            Query { via: Via::Direct, sequence: SEQUENCE, client, ttl: 3, hops: 1, ask: ask_now, path, contact };
        let id = QueryId { sequence: SEQUENCE, client: client.socket };
        let answer = Answer {
            sequence: SEQUENCE,
            asked: Some(AskHash(u64::MAX / 5)),
            hops: 4,
            body: AnswerBody::Value(value.to_vec()),
        };
        let brought = Arc::new(BroughtAnswer {
            id: ServentId(u128::MAX / 7),
            from: client.socket,
            name: None,
            hops: answer.hops,
            body: BroughtBody::of(answer.body.clone()),
        });
        let length = |message: &Message| -> anyhow::Result<usize> {
            let frame = Frame::new(Dialect::OWN, message).context("a message of ours cannot be said")?;
            Ok(frame.as_bytes().len().max(HEAD_BYTES))
        };
        Ok(Lengths {
            request: length(&Message::Request(Request { sequence: SEQUENCE, ask, ttl: None }))?,
            query: length(&Message::query(query))?,
            answer: length(&Message::Answer(answer))?,
            echo: length(&Message::Echo(Echo { id, ttl: 3, tally }))?,
            finished: length(&Message::Finished(Finished { sequence: SEQUENCE, tally }))?,
            brought: length(&Message::Brought(Brought {
                contact: ContactName(u64::MAX / 3),
                number: 1_000,
                ttl: 3,
                answer: brought,
            }))?,
        })
    }

    /// The same where answers go back: they are as long on every link.
    #[must_use]
    pub fn that_go_back(self) -> Lengths {
        Lengths { answer: self.brought, ..self }
    }
}

/// What a message of a floor is for, where one link carries several kinds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FloorMessage {
    /// From the client.
    Request,
    /// From a neighbor.
    Query,
    /// To the client.
    Answer,
    /// A copy has finished; to a client: all have.
    Echo,
}

/// The first bytes of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Head {
    /// The number of the query.
    pub number: u64,
    /// Where its client hears answers.
    pub port: u16,
    /// What the message is for.
    pub kind: FloorMessage,
    /// How many links more it may cross.
    pub ttl: u8,
}

impl Head {
    /// Reads one from the beginning of a message. What is too short or no message of a floor is none.
    #[must_use]
    pub fn read(bytes: &[u8]) -> Option<Head> {
        let (number, rest) = bytes.split_first_chunk::<8>()?;
        let [low, high, kind, ttl, ..] = *rest else { return None };
        let kinds = [FloorMessage::Request, FloorMessage::Query, FloorMessage::Answer, FloorMessage::Echo];
        let kind = *kinds.get(usize::from(kind))?;
        Some(Head { number: u64::from_le_bytes(*number), port: u16::from_le_bytes([low, high]), kind, ttl })
    }

    /// Adds the whole message, so long.
    pub fn write(self, length: usize, out: &mut Vec<u8>) {
        let end = out.len() + length;
        out.extend_from_slice(&self.number.to_le_bytes());
        out.extend_from_slice(&self.port.to_le_bytes());
        out.extend_from_slice(&[self.kind as u8, self.ttl]);
        out.resize(end, 0);
    }
}

/// What of a stream has come, and was not yet taken.
#[derive(Debug, Default)]
pub struct Came {
    bytes: Vec<u8>,
    taken: usize,
}

impl Came {
    /// More has come.
    pub fn add(&mut self, bytes: &[u8]) {
        if self.taken == self.bytes.len() {
            self.bytes.clear();
            self.taken = 0;
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// The next whole message, whose length its head says.
    pub fn next(&mut self, length: impl Fn(Head) -> usize) -> Option<Head> {
        let head = Head::read(&self.bytes[self.taken..])?;
        let end = self.taken + length(head);
        if end > self.bytes.len() {
            return None;
        }
        self.taken = end;
        Some(head)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_written_is_read_however_it_is_cut() {
        let heads = [(0, FloorMessage::Request), (u64::MAX, FloorMessage::Query), (7, FloorMessage::Answer)]
            .map(|(number, kind)| Head { number, port: 40_000, kind, ttl: 3 });
        let mut bytes = Vec::new();
        heads.iter().for_each(|head| head.write(20, &mut bytes));
        for cut in 0..=bytes.len() {
            let mut came = Came::default();
            let mut read = Vec::new();
            for part in [&bytes[..cut], &bytes[cut..]] {
                came.add(part);
                read.extend(std::iter::from_fn(|| came.next(|_| 20)));
            }
            assert_eq!(read, heads, "cut at {cut}");
        }
    }

    #[test]
    fn messages_are_as_long_as_ours() {
        let key = Key::new(b"kernel").unwrap();
        let lengths = Lengths::ours(&key, b"some value").unwrap();
        let longer = Lengths::ours(&key, b"some longer value").unwrap();
        assert_eq!(longer.answer, lengths.answer + 7);
        assert!(lengths.query > lengths.request && lengths.echo > lengths.finished, "{lengths:?}");
    }
}
