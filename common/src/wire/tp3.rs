//! The TP3 dialect: the messages of the course protocol this network descends from, byte for byte.
//!
//! docs/TP3.md describes them and the rules that come with them. What this dialect has no words for (an echo, a ping, a
//! goodbye) is encoded as nothing at all: most other implementations break on a message they do not know. Who may say
//! what, and that a fresh connection carries each answer, is decided above.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};

use crate::address::AnswerAddress;
use crate::dialect::Dialect;
use crate::key::{Key, KeyError};
use crate::limits::{TP3_TEXT_BYTES_MAX, TTL_MAX};
use crate::message::{Hello, Message, Request, Role};
use crate::query::{Answer, AnswerBody, Ask, Path, Query, Via};
use crate::wire::codec::{Codec, EncodeError, FirstBytes, Position, ReadFrame, WireError};

const ID: u16 = 4;
const KEYREQ: u16 = 5;
const TOPOREQ: u16 = 6;
const KEYFLOOD: u16 = 7;
const TOPOFLOOD: u16 = 8;
const RESP: u16 = 9;

/// What stands at the end of a text that had to be cut.
const CUT_MARK: &[u8] = b"...";

pub(super) struct Tp3;

impl Codec for Tp3 {
    fn preface(&self) -> &'static [u8] {
        &[]
    }

    fn read_preface(&self, _bytes: &[u8]) -> Result<FirstBytes, WireError> {
        Ok(FirstBytes::Preface(0))
    }

    fn head_bytes(&self) -> usize {
        0
    }

    fn is_stamped(&self) -> bool {
        false
    }

    fn encode(&self, _position: Position, _stamp: u64, message: &Message) -> Result<Vec<u8>, EncodeError> {
        encode(message)
    }

    fn read_frame(
        &self,
        _position: Position,
        bytes: &[u8],
        _frame_bytes_max: usize,
    ) -> Result<Option<ReadFrame>, WireError> {
        read_message(bytes)
    }

    /// Not for a long key, a client on IPv6 or a large sequence.
    fn can_say(&self, query: &Query) -> bool {
        let key_fits = match &query.ask {
            Ask::Key(key) => whole(key.as_bytes()).is_ok(),
            Ask::Topology => true,
            Ask::Find(_) | Ask::Named(_) | Ask::Hashed(_) => false,
        };
        key_fits && query.client.socket.is_ipv4() && short(query.sequence).is_ok()
    }
}

fn encode(message: &Message) -> Result<Vec<u8>, EncodeError> {
    let mut out = Vec::new();
    match message {
        Message::Hello(Hello { role, .. }) => {
            let port = match role {
                Role::Servent { .. } | Role::Nameless => 0,
                Role::Client { answer_port } => *answer_port,
            };
            put(&mut out, &[&ID.to_be_bytes(), &port.to_be_bytes()]);
        }
        // How far its query goes is for a TP3 servent to say.
        Message::Request(Request { sequence, ask: Ask::Key(key), ttl: _ }) => {
            put(&mut out, &[&KEYREQ.to_be_bytes(), &short(*sequence)?]);
            put_text(&mut out, whole(key.as_bytes())?);
        }
        Message::Request(Request { sequence, ask: Ask::Topology, ttl: _ }) => {
            put(&mut out, &[&TOPOREQ.to_be_bytes(), &short(*sequence)?]);
        }
        Message::Request(Request { ask: Ask::Find(_) | Ask::Named(_) | Ask::Hashed(_), .. }) => {
            return Err(unspeakable_content());
        }
        Message::Query(query) => {
            let (kind, info) = match &query.ask {
                Ask::Key(key) => (KEYFLOOD, whole(key.as_bytes())?.to_vec()),
                Ask::Topology => (TOPOFLOOD, cut(query.path.text())),
                Ask::Find(_) | Ask::Named(_) | Ask::Hashed(_) => return Err(unspeakable_content()),
            };
            let IpAddr::V4(ip) = query.client.socket.ip() else {
                return Err(EncodeError::Unspeakable("a client that is not on IPv4".to_owned()));
            };
            let port = query.client.socket.port();
            put(&mut out, &[&kind.to_be_bytes(), &u16::from(query.ttl).to_be_bytes(), &short(query.sequence)?]);
            put(&mut out, &[&ip.octets(), &port.to_be_bytes()]);
            put_text(&mut out, &info);
        }
        Message::Answer(Answer { sequence, body, .. }) => {
            let text = match body {
                AnswerBody::Value(value) => cut(value.clone()),
                AnswerBody::Place { path, .. } => cut(path.text()),
                AnswerBody::Entries(_) => return Err(unspeakable_content()),
            };
            put(&mut out, &[&RESP.to_be_bytes(), &short(*sequence)?]);
            put_text(&mut out, &text);
        }
        Message::Goodbye(_)
        | Message::Ping
        | Message::Pong
        | Message::Echo(_)
        | Message::Finished(_)
        | Message::Brought(_)
        | Message::Handed(_)
        | Message::PeersWanted(_)
        | Message::Peers(_)
        | Message::Greet(_)
        | Message::Greeted(_)
        | Message::List(_)
        | Message::ListPart(_)
        | Message::Open(_)
        | Message::Opened(_)
        | Message::Refused(_)
        | Message::HashesWanted(_)
        | Message::HashPart(_)
        | Message::BlocksWanted(_)
        | Message::Block(_)
        | Message::Write(_)
        | Message::Written(_)
        | Message::Watch(_)
        | Message::Unwatch(_)
        | Message::Changed(_) => {}
    }
    Ok(out)
}

fn unspeakable_content() -> EncodeError {
    EncodeError::Unspeakable("what is about contents".to_owned())
}

fn read_message(bytes: &[u8]) -> Result<Option<ReadFrame>, WireError> {
    let mut reader = Reader { bytes, at: 0 };
    let Some(said) = reader.message()? else { return Ok(None) };
    let message = match said {
        Said::Message(message) => Some(message),
        Said::Nothing => None,
    };
    Ok(Some(ReadFrame { message, stamp: 0, bytes_count: reader.at }))
}

/// What a whole message comes to.
enum Said {
    Message(Message),
    /// It asks for a key without a byte, which nobody holds. Its sender is no worse for it.
    Nothing,
}

/// Takes a message apart; nothing while a part of it is missing.
struct Reader<'a> {
    bytes: &'a [u8],
    at: usize,
}

impl<'a> Reader<'a> {
    fn message(&mut self) -> Result<Option<Said>, WireError> {
        let Some(kind) = self.u16() else { return Ok(None) };
        let message = match kind {
            ID => {
                let Some(port) = self.u16() else { return Ok(None) };
                hello(port)
            }
            KEYREQ => {
                let Some(sequence) = self.u32() else { return Ok(None) };
                let Some(text) = self.text()? else { return Ok(None) };
                let Some(key) = key(text)? else { return Ok(Some(Said::Nothing)) };
                Message::Request(Request { sequence, ask: Ask::Key(key), ttl: None })
            }
            TOPOREQ => {
                let Some(sequence) = self.u32() else { return Ok(None) };
                Message::Request(Request { sequence, ask: Ask::Topology, ttl: None })
            }
            KEYFLOOD | TOPOFLOOD => return self.query(kind),
            RESP => {
                let Some(sequence) = self.u32() else { return Ok(None) };
                let Some(text) = self.text()? else { return Ok(None) };
                Message::Answer(Answer { sequence, asked: None, hops: 0, body: AnswerBody::Value(text.to_vec()) })
            }
            kind => return Err(WireError::Malformed(format!("TP3 has no type {kind}"))),
        };
        Ok(Some(Said::Message(message)))
    }

    fn query(&mut self, kind: u16) -> Result<Option<Said>, WireError> {
        let Some(ttl) = self.u16() else { return Ok(None) };
        let Some(sequence) = self.u32() else { return Ok(None) };
        let Some(ip) = self.take::<4>() else { return Ok(None) };
        let Some(port) = self.u16() else { return Ok(None) };
        let Some(info) = self.text()? else { return Ok(None) };
        let (ask, path) = if kind == KEYFLOOD {
            let Some(key) = key(info)? else { return Ok(Some(Said::Nothing)) };
            (Ask::Key(key), Path::default())
        } else {
            (Ask::Topology, Path::Text(info.to_vec()))
        };
        // Beyond what one byte holds it is beyond every limit as well.
        let ttl = u8::try_from(ttl).unwrap_or(u8::MAX);
        let client = SocketAddr::from((Ipv4Addr::from(ip), port));
        Ok(Some(Said::Message(Message::query(Query {
            sequence,
            client: AnswerAddress { socket: client, dialect: Dialect::Tp3 },
            via: Via::Direct,
            contact: None,
            ttl,
            hops: hops(ttl, &path),
            ask,
            path,
        }))))
    }

    fn take<const COUNT: usize>(&mut self) -> Option<[u8; COUNT]> {
        let taken = self.bytes.get(self.at..)?.first_chunk::<COUNT>()?;
        self.at += COUNT;
        Some(*taken)
    }

    fn u16(&mut self) -> Option<u16> {
        self.take().map(u16::from_be_bytes)
    }

    fn u32(&mut self) -> Option<u64> {
        self.take().map(u32::from_be_bytes).map(u64::from)
    }

    fn text(&mut self) -> Result<Option<&'a [u8]>, WireError> {
        let Some(length) = self.u16().map(usize::from) else { return Ok(None) };
        // Judged before a byte of it is waited for.
        if length > TP3_TEXT_BYTES_MAX {
            return Err(WireError::FrameTooLong { length, max: TP3_TEXT_BYTES_MAX });
        }
        let Some(text) = self.bytes.get(self.at..self.at + length) else { return Ok(None) };
        self.at += length;
        Ok(Some(text))
    }
}

/// How far a query has come is not told. A path tells it all the same, unless it is longer than any way of ours.
fn hops(ttl: u8, path: &Path) -> u8 {
    let left = (TTL_MAX + 1).saturating_sub(ttl).max(1);
    u8::try_from(path.addresses().len()).unwrap_or(u8::MAX).clamp(1, left)
}

fn hello(port: u16) -> Message {
    let role = match port {
        0 => Role::Nameless,
        answer_port => Role::Client { answer_port },
    };
    Message::Hello(Hello::said_in(Dialect::Tp3, role))
}

fn key(text: &[u8]) -> Result<Option<Key>, WireError> {
    match Key::new(text) {
        Ok(key) => Ok(Some(key)),
        Err(KeyError::Empty) => Ok(None),
        Err(error) => Err(WireError::Malformed(error.to_string())),
    }
}

fn put(out: &mut Vec<u8>, parts: &[&[u8]]) {
    for part in parts {
        out.extend_from_slice(part);
    }
}

fn put_text(out: &mut Vec<u8>, text: &[u8]) {
    // Both ways to get here keep texts within 400 bytes, which a u16 holds.
    let length = u16::try_from(text.len()).unwrap_or(u16::MAX);
    put(out, &[&length.to_be_bytes(), text]);
}

fn short(sequence: u64) -> Result<[u8; 4], EncodeError> {
    let sequence = u32::try_from(sequence)
        .map_err(|_| EncodeError::Unspeakable(format!("the sequence number {sequence}, in TP3")))?;
    Ok(sequence.to_be_bytes())
}

fn whole(text: &[u8]) -> Result<&[u8], EncodeError> {
    if text.len() > TP3_TEXT_BYTES_MAX {
        let what = format!("a key of {} bytes, where TP3 takes {TP3_TEXT_BYTES_MAX}", text.len());
        return Err(EncodeError::Unspeakable(what));
    }
    Ok(text)
}

fn cut(mut text: Vec<u8>) -> Vec<u8> {
    if text.len() > TP3_TEXT_BYTES_MAX {
        text.truncate(TP3_TEXT_BYTES_MAX - CUT_MARK.len());
        text.extend_from_slice(CUT_MARK);
    }
    text
}
