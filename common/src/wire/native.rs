//! The native dialect: a 4-byte preface, then frames of a big-endian u32 length and a bincode body, which is a stamp and
//! a message; the first body of each side has no stamp.
//!
//! docs/PROTOCOL.md describes the same bytes so that they can be produced without this crate. The types here are the
//! format: a new variant comes behind the others, nothing is reordered, and no field is added to what there is. This is
//! the only file, with its chapters `content` and `writes`, that names bincode, and it checks what bincode does not: sizes of keys, values and paths, and that a frame ends where its message does.

mod content;
mod writes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use bincode::config::{BigEndian, Configuration, Limit, Varint};
use bincode::error::DecodeError;
use bincode::{BorrowDecode, Encode};

use crate::address::{AnswerAddress, canonical};
use crate::content::ContentHash;
use crate::content::search::{FileName, HashStart, List, ListPart, Words};
use crate::content::transfer::{Block, BlocksWanted, HashPart, HashesWanted, Open, Opened, Refusal, Refused};
use crate::dialect::Dialect;
use crate::features::Features;
use crate::key::Key;
use crate::limits::{
    BROUGHT_BYTES_MAX, FILE_NAME_BYTES_MAX, FRAME_BYTES_MAX, NEIGHBORS_MAX, PATH_ADDRESSES_MAX, PEERS_MAX,
    VALUE_BYTES_MAX,
};
use crate::member::{Greet, GreetOutcome, Greeted, Linkage, Member, Peers, PeersKind, PeersWanted, Seen, Word, WordAt};
use crate::message::{Brought, Echo, Finished, Goodbye, Handed, Hello, Identity, Message, Request, Role, ServentId};
use crate::query::{
    Answer, AnswerBody, Ask, AskHash, BroughtAnswer, BroughtBody, ContactMark, ContactName, Path, Query, QueryId,
    Tally, Via,
};
use content::{
    WireEntries, WireHave, block_from_wire, blocks_wanted_from_wire, entries_from_wire, entries_to_wire,
    hash_part_from_wire, hashes_wanted_from_wire, have_to_wire, opened_from_wire, refused_from_wire,
};

use crate::servent_name::ServentName;
use crate::write::{Changed, Unwatch, Watch, Write, Written};
use writes::{
    WireChange, WireOutcome, change_from_wire, change_to_wire, outcome_from_wire, outcome_to_wire, value_from_wire,
};

use crate::wire::codec::{Codec, EncodeError, FirstBytes, Position, ReadFrame, VERSION, WireError};

/// The first bytes each side sends. The first is no ASCII and starts no other protocol we tell apart.
pub const PREFACE: [u8; 4] = [0xA7, b'k', b'v', VERSION];

const LENGTH_BYTES: usize = size_of::<u32>();

/// Most messages are no longer: they are written into room that need not grow.
const USUAL_BYTES: usize = 128;

/// Without the limit a ten-byte frame can announce a vector that exhausts memory.
const CODEC: Configuration<BigEndian, Varint, Limit<FRAME_BYTES_MAX>> =
    bincode::config::standard().with_big_endian().with_limit::<FRAME_BYTES_MAX>();

/// What a query says in the place of the dialect its client hears answers in, where these go back. No dialect has it.
const ANSWERED_BACK: u32 = 2;

pub(super) struct Native;

#[derive(Encode, BorrowDecode)]
enum Body<'a> {
    Hello {
        role: WireRole<'a>,
        features: u64,
        frame_bytes_max: u32,
    },
    /// Written as a variant is, and read whatever it is: it may be said to whoever has yet to say what it understands.
    Goodbye(u32),
    Ping,
    Pong,
    Request {
        sequence: u64,
        ask: WireAsk<'a>,
    },
    Query(WireQuery<'a>),
    Answer {
        sequence: u64,
        asked: [u8; 8],
        hops: u8,
        body: WireBody<'a>,
    },
    Echo {
        sequence: u64,
        client: SocketAddr,
        ttl: u8,
        tally: WireTally,
    },
    Finished {
        sequence: u64,
        tally: WireTally,
    },
    RequestWithTtl {
        sequence: u64,
        ask: WireAsk<'a>,
        ttl: u8,
    },
    Brought {
        contact: [u8; 8],
        number: u64,
        ttl: u8,
        answer: WireBrought<'a>,
    },
    Handed {
        sequence: u64,
        answer: WireBrought<'a>,
    },
    PeersWanted {
        after: Option<SocketAddr>,
    },
    Peers {
        /// Written as a variant is.
        kind: u32,
        members: Vec<WireMember>,
    },
    Greet {
        address: SocketAddr,
    },
    Greeted {
        address: SocketAddr,
        outcome: u8,
        was: Option<WireWordAt>,
        now: Option<WireWordAt>,
        new_count: u64,
        took_microseconds: u64,
    },
    List {
        list: u32,
        from: &'a [u8],
    },
    ListPart {
        list: u32,
        entries: WireEntries<'a>,
    },
    Open {
        fetch: u32,
        hash: [u8; 32],
    },
    Opened {
        fetch: u32,
        size: u64,
        have: WireHave,
    },
    Refused {
        fetch: u32,
        reason: u8,
    },
    HashesWanted {
        fetch: u32,
        first: u32,
        count: u32,
    },
    HashPart {
        fetch: u32,
        first: u32,
        bytes: &'a [u8],
    },
    BlocksWanted {
        fetch: u32,
        first: u32,
        count: u32,
    },
    Block {
        fetch: u32,
        block: u32,
        bytes: &'a [u8],
    },
    Write {
        sequence: u64,
        change: WireChange<'a>,
    },
    Written {
        sequence: u64,
        outcome: WireOutcome,
    },
    Watch {
        sequence: u64,
        key: &'a [u8],
    },
    Unwatch {
        sequence: u64,
    },
    Changed {
        sequence: u64,
        value: Option<&'a [u8]>,
    },
    NamedBrought {
        contact: [u8; 8],
        number: u64,
        ttl: u8,
        answer: WireBrought<'a>,
        name: &'a [u8],
    },
    NamedHanded {
        sequence: u64,
        answer: WireBrought<'a>,
        name: &'a [u8],
    },
}

#[derive(Encode, BorrowDecode)]
enum WireRole<'a> {
    Servent { id: [u8; 16], advertised: SocketAddr },
    Client { answer_port: u16 },
    NamedServent { id: [u8; 16], advertised: SocketAddr, name: &'a [u8] },
}

#[derive(Encode, BorrowDecode)]
enum WireAsk<'a> {
    Key(&'a [u8]),
    Topology,
    Find(Vec<&'a [u8]>),
    Named(&'a [u8]),
    Hashed(&'a [u8]),
}

#[derive(Encode, BorrowDecode)]
struct WireQuery<'a> {
    sequence: u64,
    client: SocketAddr,
    /// Written as a variant is: a number of 32 bits.
    dialect: u32,
    contact: WireContact,
    ttl: u8,
    hops: u8,
    ask: WireAsk<'a>,
    path: Vec<SocketAddr>,
}

#[derive(Encode, BorrowDecode)]
enum WireContact {
    None,
    Mark { name: [u8; 8], number: u64, span: u16 },
}

#[derive(Encode, BorrowDecode)]
struct WireBrought<'a> {
    id: [u8; 16],
    from: SocketAddr,
    hops: u8,
    body: WireBody<'a>,
}

/// What is announced can only be brought.
#[derive(Encode, BorrowDecode)]
enum WireBody<'a> {
    Value(&'a [u8]),
    Place { path: Vec<SocketAddr>, neighbors: Vec<SocketAddr> },
    Announced(u64),
    Entries(WireEntries<'a>),
}

#[derive(Encode, BorrowDecode)]
struct WireWordAt {
    word: u8,
    clock: u64,
}

#[derive(Encode, BorrowDecode)]
struct WireMember {
    address: SocketAddr,
    id: [u8; 8],
    clock: u64,
    heard_seconds: u64,
    word: u8,
    flags: u8,
    link: u8,
    /// One microsecond more than the round trip; 0 where none is known.
    round_trip: u64,
}

#[derive(Encode, BorrowDecode)]
struct WireTally {
    reached: u64,
    answers: u64,
    copies: u64,
    duplicates: u64,
    stopped: i64,
    lost: u64,
    silent: u64,
    spoilt: u64,
    answer_sum: [u8; 8],
    is_dialled: bool,
}

impl Codec for Native {
    fn preface(&self) -> &'static [u8] {
        &PREFACE
    }

    fn read_preface(&self, bytes: &[u8]) -> Result<FirstBytes, WireError> {
        let [marker @ .., _] = &PREFACE;
        if bytes.iter().zip(marker).any(|(byte, own)| byte != own) {
            let shown: Vec<String> = bytes.iter().take(8).map(|byte| format!("{byte:02x}")).collect();
            return Err(WireError::NoPreface(shown.join(" ")));
        }
        match bytes.get(3) {
            None => Ok(FirstBytes::Unclear),
            Some(&VERSION) => Ok(FirstBytes::Preface(PREFACE.len())),
            Some(&version) => Err(WireError::Version(version)),
        }
    }

    fn head_bytes(&self) -> usize {
        LENGTH_BYTES
    }

    fn is_stamped(&self) -> bool {
        true
    }

    fn encode(&self, position: Position, stamp: u64, message: &Message) -> Result<Vec<u8>, EncodeError> {
        let mut bytes = Vec::with_capacity(USUAL_BYTES);
        bytes.extend_from_slice(&[0; LENGTH_BYTES]);
        let body = to_wire(message)?;
        match position {
            Position::First => bincode::encode_into_std_write(body, &mut bytes, CODEC),
            Position::Later => bincode::encode_into_std_write((stamp, body), &mut bytes, CODEC),
        }
        .map_err(|error| EncodeError::Unspeakable(error.to_string()))?;
        let length = bytes.len() - LENGTH_BYTES;
        if length > FRAME_BYTES_MAX {
            return Err(EncodeError::TooLong(length));
        }
        let announced = u32::try_from(length).map_err(|_| EncodeError::TooLong(length))?;
        if let Some(head) = bytes.first_chunk_mut() {
            *head = announced.to_be_bytes();
        }
        Ok(bytes)
    }

    fn block_head(&self, stamp: u64, fetch: u32, block: u32, length: usize) -> Result<Vec<u8>, EncodeError> {
        let unspeakable = |error: bincode::error::EncodeError| EncodeError::Unspeakable(error.to_string());
        let mut head = vec![0; LENGTH_BYTES];
        // That of a block of no bytes, but for the last byte, which says how many there are.
        bincode::encode_into_std_write((stamp, Body::Block { fetch, block, bytes: &[] }), &mut head, CODEC)
            .map_err(unspeakable)?;
        head.pop();
        bincode::encode_into_std_write(length as u64, &mut head, CODEC).map_err(unspeakable)?;
        let body_bytes = head.len() - LENGTH_BYTES + length;
        let announced = u32::try_from(body_bytes).ok().filter(|_| body_bytes <= FRAME_BYTES_MAX);
        if let Some(place) = head.first_chunk_mut() {
            *place = announced.ok_or(EncodeError::TooLong(body_bytes))?.to_be_bytes();
        }
        Ok(head)
    }

    fn read_frame(
        &self,
        position: Position,
        bytes: &[u8],
        frame_bytes_max: usize,
    ) -> Result<Option<ReadFrame>, WireError> {
        let Some((length, rest)) = bytes.split_first_chunk::<LENGTH_BYTES>() else {
            return Ok(None);
        };
        let length = u32::from_be_bytes(*length) as usize;
        // Judged before a byte of the body is waited for: a long frame is refused, never collected.
        if length > frame_bytes_max {
            return Err(WireError::FrameTooLong { length, max: frame_bytes_max });
        }
        let Some(body) = rest.get(..length) else {
            return Ok(None);
        };
        let (stamp, message) = decode(position, body)?;
        Ok(Some(ReadFrame { message: Some(message), stamp, bytes_count: LENGTH_BYTES + length }))
    }

    fn can_say(&self, _query: &Query) -> bool {
        true
    }
}

/// The stamp of a body, which is 0 where it has none, and its message.
fn decode(position: Position, body: &[u8]) -> Result<(u64, Message), WireError> {
    let malformed = |what: String| WireError::Malformed(what);
    let decoded = match position {
        Position::First => {
            bincode::borrow_decode_from_slice::<Body<'_>, _>(body, CODEC).map(|(wire, consumed)| ((0, wire), consumed))
        }
        Position::Later => bincode::borrow_decode_from_slice::<(u64, Body<'_>), _>(body, CODEC),
    };
    let ((stamp, wire), consumed) = decoded.map_err(|error| malformed(in_words(&error).to_owned()))?;
    if consumed != body.len() {
        return Err(malformed(format!("its message ends after {consumed} of {} bytes", body.len())));
    }
    Ok((stamp, from_wire(wire).map_err(malformed)?))
}

/// What is wrong, in the words of docs/PROTOCOL.md and not of the codec.
fn in_words(error: &DecodeError) -> &'static str {
    match error {
        DecodeError::UnexpectedEnd { .. } => "it ends before its message does",
        DecodeError::LimitExceeded => "a length inside it is more than a frame may hold",
        DecodeError::InvalidIntegerType { .. } => "a number is too wide for its field",
        DecodeError::UnexpectedVariant { .. } => "a variant is unknown",
        _ => "it does not follow the layout",
    }
}

fn to_wire(message: &Message) -> Result<Body<'_>, EncodeError> {
    Ok(match message {
        Message::Hello(hello) => Body::Hello {
            role: role_to_wire(hello)?,
            features: hello.features.bits(),
            frame_bytes_max: hello.frame_bytes_max,
        },
        Message::Goodbye(farewell) => Body::Goodbye(number_of(*farewell)),
        Message::Ping => Body::Ping,
        Message::Pong => Body::Pong,
        Message::Request(Request { sequence, ask, ttl }) => {
            let (sequence, ask) = (*sequence, ask_to_wire(ask));
            match *ttl {
                None => Body::Request { sequence, ask },
                Some(ttl) => Body::RequestWithTtl { sequence, ask, ttl },
            }
        }
        Message::Query(query) => Body::Query(WireQuery {
            sequence: query.sequence,
            client: query.client.socket,
            dialect: answering_to_wire(query)?,
            contact: contact_to_wire(query.contact)?,
            ttl: query.ttl,
            hops: query.hops,
            ask: ask_to_wire(&query.ask),
            path: path_to_wire(&query.path, query.hops),
        }),
        Message::Answer(answer) => Body::Answer {
            sequence: answer.sequence,
            asked: answer.asked.ok_or_else(|| unspeakable("an answer that does not say to what"))?.0.to_be_bytes(),
            hops: answer.hops,
            body: body_to_wire(&answer.body),
        },
        Message::Echo(echo) => Body::Echo {
            sequence: echo.id.sequence,
            client: echo.id.client,
            ttl: echo.ttl,
            tally: tally_to_wire(&echo.tally),
        },
        Message::Finished(finished) => {
            Body::Finished { sequence: finished.sequence, tally: tally_to_wire(&finished.tally) }
        }
        Message::Brought(Brought { contact, number, ttl, answer: said }) => {
            let (contact, number, ttl, answer) = (contact.0.to_be_bytes(), *number, *ttl, brought_to_wire(said));
            match name_to_wire(said.name.as_ref()) {
                None => Body::Brought { contact, number, ttl, answer },
                Some(name) => Body::NamedBrought { contact, number, ttl, answer, name },
            }
        }
        Message::Handed(Handed { sequence, answer: said }) => {
            let (sequence, answer) = (*sequence, brought_to_wire(said));
            match name_to_wire(said.name.as_ref()) {
                None => Body::Handed { sequence, answer },
                Some(name) => Body::NamedHanded { sequence, answer, name },
            }
        }
        Message::PeersWanted(PeersWanted { after }) => Body::PeersWanted { after: *after },
        Message::Peers(Peers { kind, members }) => Body::Peers {
            kind: match kind {
                PeersKind::News => 0,
                PeersKind::LastPage => 1,
                PeersKind::Page => 2,
            },
            members: members.iter().map(member_to_wire).collect(),
        },
        Message::Greet(Greet { address }) => Body::Greet { address: *address },
        Message::Greeted(Greeted { address, outcome, was, now, new_count, took }) => Body::Greeted {
            address: *address,
            outcome: place_of(&GreetOutcome::ALL, outcome),
            was: was.map(word_at_to_wire),
            now: now.map(word_at_to_wire),
            new_count: *new_count,
            took_microseconds: microseconds(*took),
        },
        Message::List(List { list, from }) => Body::List { list: *list, from },
        Message::ListPart(ListPart { list, entries }) => {
            Body::ListPart { list: *list, entries: entries_to_wire(entries) }
        }
        Message::Open(Open { fetch, hash }) => Body::Open { fetch: *fetch, hash: hash.0 },
        Message::Opened(Opened { fetch, size, have }) => {
            Body::Opened { fetch: *fetch, size: *size, have: have_to_wire(have) }
        }
        Message::Refused(Refused { fetch, refusal }) => {
            Body::Refused { fetch: *fetch, reason: place_of(&Refusal::ALL, refusal) }
        }
        Message::HashesWanted(HashesWanted { fetch, first, count }) => {
            Body::HashesWanted { fetch: *fetch, first: *first, count: *count }
        }
        Message::HashPart(HashPart { fetch, first, hashes }) => {
            Body::HashPart { fetch: *fetch, first: *first, bytes: hashes.as_flattened() }
        }
        Message::BlocksWanted(BlocksWanted { fetch, first, count }) => {
            Body::BlocksWanted { fetch: *fetch, first: *first, count: *count }
        }
        Message::Block(Block { fetch, block, bytes }) => Body::Block { fetch: *fetch, block: *block, bytes },
        Message::Write(Write { sequence, change }) => {
            Body::Write { sequence: *sequence, change: change_to_wire(change) }
        }
        Message::Written(Written { sequence, outcome }) => {
            Body::Written { sequence: *sequence, outcome: outcome_to_wire(*outcome) }
        }
        Message::Watch(Watch { sequence, key }) => Body::Watch { sequence: *sequence, key: key.as_bytes() },
        Message::Unwatch(Unwatch { sequence }) => Body::Unwatch { sequence: *sequence },
        Message::Changed(Changed { sequence, value }) => Body::Changed { sequence: *sequence, value: value.as_deref() },
    })
}

fn from_wire(body: Body<'_>) -> Result<Message, String> {
    Ok(match body {
        Body::Hello { role, features, frame_bytes_max } => {
            let features = Features::from_bits(features);
            let (role, name) = role_from_wire(&role, features)?;
            Message::Hello(Hello { role, name, dialect: Dialect::Native, features, frame_bytes_max })
        }
        Body::Goodbye(number) => {
            let known = Goodbye::ALL.into_iter().find(|farewell| number_of(*farewell) == number);
            Message::Goodbye(known.unwrap_or(Goodbye::Unknown { number }))
        }
        Body::Ping => Message::Ping,
        Body::Pong => Message::Pong,
        Body::Request { sequence, ask } => Message::Request(Request { sequence, ask: ask_from_wire(&ask)?, ttl: None }),
        Body::RequestWithTtl { sequence, ask, ttl } => {
            Message::Request(Request { sequence, ask: ask_from_wire(&ask)?, ttl: Some(ttl) })
        }
        Body::Query(query) => {
            let contact = contact_from_wire(&query.contact)?;
            let (dialect, via) = answering_from_wire(query.dialect, contact)?;
            Message::query(Query {
                sequence: query.sequence,
                client: AnswerAddress { socket: canonical(query.client), dialect },
                via,
                contact,
                ttl: query.ttl,
                hops: query.hops,
                ask: ask_from_wire(&query.ask)?,
                path: addresses_from_wire(query.path, PATH_ADDRESSES_MAX)?.into(),
            })
        }
        Body::Answer { sequence, asked, hops, body } => Message::Answer(Answer {
            sequence,
            asked: Some(AskHash(u64::from_be_bytes(asked))),
            hops,
            body: match body_from_wire(body, VALUE_BYTES_MAX)? {
                BroughtBody::Whole(body) => body,
                BroughtBody::Announced(_) => {
                    return Err("an answer that announces a value and does not bring it".to_owned());
                }
            },
        }),
        Body::Echo { sequence, client, ttl, tally } => Message::Echo(Echo {
            id: QueryId { sequence, client: canonical(client) },
            ttl,
            tally: tally_from_wire(&tally),
        }),
        Body::Finished { sequence, tally } => Message::Finished(Finished { sequence, tally: tally_from_wire(&tally) }),
        Body::Brought { contact, number, ttl, answer } => Message::Brought(Brought {
            contact: ContactName(u64::from_be_bytes(contact)),
            number,
            ttl,
            answer: brought_from_wire(answer, None)?,
        }),
        Body::NamedBrought { contact, number, ttl, answer, name } => Message::Brought(Brought {
            contact: ContactName(u64::from_be_bytes(contact)),
            number,
            ttl,
            answer: brought_from_wire(answer, Some(name_from_wire(name)?))?,
        }),
        Body::Handed { sequence, answer } => {
            Message::Handed(Handed { sequence, answer: brought_from_wire(answer, None)? })
        }
        Body::NamedHanded { sequence, answer, name } => {
            Message::Handed(Handed { sequence, answer: brought_from_wire(answer, Some(name_from_wire(name)?))? })
        }
        Body::PeersWanted { after } => Message::PeersWanted(PeersWanted { after: after.map(canonical) }),
        Body::Peers { kind, members } => Message::Peers(peers_from_wire(kind, &members)?),
        Body::Greet { address } => Message::Greet(Greet { address: canonical(address) }),
        Body::Greeted { address, outcome, was, now, new_count, took_microseconds } => {
            let known = GreetOutcome::ALL.get(usize::from(outcome)).copied();
            Message::Greeted(Greeted {
                address: canonical(address),
                outcome: known.ok_or_else(|| format!("a greeting that came to outcome {outcome}"))?,
                was: was.map(|was| word_at_from_wire(&was)).transpose()?,
                now: now.map(|now| word_at_from_wire(&now)).transpose()?,
                new_count,
                took: Duration::from_micros(took_microseconds),
            })
        }
        Body::List { from, .. } if from.len() > FILE_NAME_BYTES_MAX + 1 => {
            return Err(format!("a list from a name of {} bytes", from.len()));
        }
        Body::List { list, from } => Message::List(List { list, from: from.to_vec() }),
        Body::ListPart { list, entries } => Message::ListPart(ListPart { list, entries: entries_from_wire(entries)? }),
        Body::Open { fetch, hash } => Message::Open(Open { fetch, hash: ContentHash(hash) }),
        Body::Opened { fetch, size, have } => Message::Opened(opened_from_wire(fetch, size, have)?),
        Body::Refused { fetch, reason } => Message::Refused(refused_from_wire(fetch, reason)?),
        Body::HashesWanted { fetch, first, count } => {
            Message::HashesWanted(hashes_wanted_from_wire(fetch, first, count)?)
        }
        Body::HashPart { fetch, first, bytes } => Message::HashPart(hash_part_from_wire(fetch, first, bytes)?),
        Body::BlocksWanted { fetch, first, count } => {
            Message::BlocksWanted(blocks_wanted_from_wire(fetch, first, count)?)
        }
        Body::Block { fetch, block, bytes } => Message::Block(block_from_wire(fetch, block, bytes)?),
        Body::Write { sequence, change } => Message::Write(Write { sequence, change: change_from_wire(&change)? }),
        Body::Written { sequence, outcome } => {
            Message::Written(Written { sequence, outcome: outcome_from_wire(&outcome)? })
        }
        Body::Watch { sequence, key } => {
            Message::Watch(Watch { sequence, key: Key::new(key).map_err(|error| error.to_string())? })
        }
        Body::Unwatch { sequence } => Message::Unwatch(Unwatch { sequence }),
        Body::Changed { sequence, value } => {
            Message::Changed(Changed { sequence, value: value.map(value_from_wire).transpose()?.map(Into::into) })
        }
    })
}

fn role_to_wire(hello: &Hello) -> Result<WireRole<'_>, EncodeError> {
    match (hello.role, name_to_wire(hello.name.as_ref())) {
        (Role::Servent { id, advertised }, None) => Ok(WireRole::Servent { id: id.0.to_be_bytes(), advertised }),
        (Role::Servent { .. }, Some(_)) if !hello.features.include(Features::NAME) => {
            Err(unspeakable("a name of a servent that does not understand names"))
        }
        (Role::Servent { id, advertised }, Some(name)) => {
            Ok(WireRole::NamedServent { id: id.0.to_be_bytes(), advertised, name })
        }
        (Role::Client { answer_port }, None) => Ok(WireRole::Client { answer_port }),
        (Role::Client { .. }, Some(_)) => Err(unspeakable("a name of a client")),
        (Role::Nameless, _) => Err(unspeakable("a hello of another dialect")),
    }
}

fn role_from_wire(role: &WireRole<'_>, features: Features) -> Result<(Role, Option<ServentName>), String> {
    let servent =
        |id, advertised| Role::Servent { id: ServentId(u128::from_be_bytes(id)), advertised: canonical(advertised) };
    Ok(match *role {
        WireRole::Servent { id, advertised } => (servent(id, advertised), None),
        WireRole::Client { answer_port } => (Role::Client { answer_port }, None),
        WireRole::NamedServent { .. } if !features.include(Features::NAME) => {
            return Err("a name of a servent that does not understand names".to_owned());
        }
        WireRole::NamedServent { id, advertised, name } => (servent(id, advertised), Some(name_from_wire(name)?)),
    })
}

fn name_to_wire(name: Option<&ServentName>) -> Option<&[u8]> {
    name.map(|name| name.as_str().as_bytes())
}

fn name_from_wire(name: &[u8]) -> Result<ServentName, String> {
    ServentName::try_from(name).map_err(|error| error.to_string())
}

fn unspeakable(what: &str) -> EncodeError {
    EncodeError::Unspeakable(what.to_owned())
}

/// The number of a reason. Never given to another.
fn number_of(farewell: Goodbye) -> u32 {
    match farewell {
        Goodbye::Leaving => 0,
        Goodbye::Version => 1,
        Goodbye::Role => 2,
        Goodbye::Myself => 3,
        Goodbye::Duplicate => 4,
        Goodbye::Full => 5,
        Goodbye::Protocol => 6,
        Goodbye::Quiet => 7,
        Goodbye::Idle => 8,
        Goodbye::Unknown { number } => number,
    }
}

/// A path that came as text may be longer than the way; whoever gets it as addresses would not believe it.
fn path_to_wire(path: &Path, hops: u8) -> Vec<SocketAddr> {
    let mut addresses = path.addresses();
    if matches!(path, Path::Text(_)) {
        addresses.truncate(PATH_ADDRESSES_MAX.min(usize::from(hops)));
    }
    addresses
}

/// How the client wants its answers: in which dialect, or back.
fn answering_to_wire(query: &Query) -> Result<u32, EncodeError> {
    match query.via {
        Via::Direct => Ok(query.client.dialect.manners().number),
        // Nobody could say whose query it answers.
        Via::Back if query.contact.is_none() => Err(unspeakable("a query without a contact whose answers go back")),
        Via::Back => Ok(ANSWERED_BACK),
    }
}

fn answering_from_wire(number: u32, contact: Option<ContactMark>) -> Result<(Dialect, Via), String> {
    match (number, contact) {
        (ANSWERED_BACK, None) => Err("answers that go back to no contact".to_owned()),
        (ANSWERED_BACK, Some(_)) => Ok((Dialect::OWN, Via::Back)),
        _ => {
            let dialect = Dialect::of_number(number);
            Ok((dialect.ok_or_else(|| format!("a client that hears answers in dialect {number}"))?, Via::Direct))
        }
    }
}

fn brought_to_wire(answer: &BroughtAnswer) -> WireBrought<'_> {
    WireBrought {
        id: answer.id.0.to_be_bytes(),
        from: answer.from,
        hops: answer.hops,
        body: match &answer.body {
            BroughtBody::Whole(body) => body_to_wire(body),
            BroughtBody::Announced(bytes_count) => WireBody::Announced(*bytes_count),
        },
    }
}

fn brought_from_wire(answer: WireBrought<'_>, name: Option<ServentName>) -> Result<Arc<BroughtAnswer>, String> {
    let body = body_from_wire(answer.body, BROUGHT_BYTES_MAX)?;
    let (id, from) = (ServentId(u128::from_be_bytes(answer.id)), canonical(answer.from));
    Ok(Arc::new(BroughtAnswer { id, from, name, hops: answer.hops, body }))
}

fn body_to_wire(body: &AnswerBody) -> WireBody<'_> {
    match body {
        AnswerBody::Value(value) => WireBody::Value(value),
        AnswerBody::Place { path, neighbors } => {
            WireBody::Place { path: path_to_wire(path, u8::MAX), neighbors: neighbors.clone() }
        }
        AnswerBody::Entries(entries) => WireBody::Entries(entries_to_wire(entries)),
    }
}

fn body_from_wire(body: WireBody<'_>, value_bytes_max: usize) -> Result<BroughtBody, String> {
    Ok(match body {
        WireBody::Value(value) if value.len() > value_bytes_max => {
            return Err(format!("a value of {} bytes, where {value_bytes_max} is the most", value.len()));
        }
        WireBody::Value(value) => BroughtBody::Whole(AnswerBody::Value(value.to_vec())),
        WireBody::Place { path, neighbors } => BroughtBody::Whole(AnswerBody::Place {
            path: addresses_from_wire(path, PATH_ADDRESSES_MAX)?.into(),
            neighbors: addresses_from_wire(neighbors, NEIGHBORS_MAX)?,
        }),
        WireBody::Announced(bytes_count) => BroughtBody::Announced(bytes_count),
        WireBody::Entries(entries) => BroughtBody::Whole(AnswerBody::Entries(entries_from_wire(entries)?)),
    })
}

fn ask_to_wire(ask: &Ask) -> WireAsk<'_> {
    match ask {
        Ask::Key(key) => WireAsk::Key(key.as_bytes()),
        Ask::Topology => WireAsk::Topology,
        Ask::Find(words) => WireAsk::Find(words.each().collect()),
        Ask::Named(name) => WireAsk::Named(name.as_bytes()),
        Ask::Hashed(start) => WireAsk::Hashed(start.as_bytes()),
    }
}

fn ask_from_wire(ask: &WireAsk<'_>) -> Result<Ask, String> {
    match ask {
        WireAsk::Key(bytes) => Key::new(bytes).map(Ask::Key).map_err(|error| error.to_string()),
        WireAsk::Topology => Ok(Ask::Topology),
        WireAsk::Find(words) => Words::new(words.iter().copied()).map(Ask::Find).map_err(|error| error.to_string()),
        WireAsk::Named(bytes) => FileName::new(bytes).map(Ask::Named).map_err(|error| error.to_string()),
        WireAsk::Hashed(bytes) => HashStart::new(bytes).map(Ask::Hashed).map_err(|error| error.to_string()),
    }
}

fn addresses_from_wire(mut addresses: Vec<SocketAddr>, count_max: usize) -> Result<Vec<SocketAddr>, String> {
    if addresses.len() > count_max {
        return Err(format!("{} addresses, where {count_max} is the most", addresses.len()));
    }
    for address in &mut addresses {
        *address = canonical(*address);
    }
    Ok(addresses)
}

const IS_OPEN: u8 = 1 << 0;
const IS_PROVED: u8 = 1 << 1;
const IS_FLAPPING: u8 = 1 << 2;

fn member_to_wire(member: &Member) -> WireMember {
    let flag = |is_set: bool, flag: u8| if is_set { flag } else { 0 };
    let Seen { link, is_flapping, round_trip } = member.seen;
    WireMember {
        address: member.address,
        id: member.id.bits().to_be_bytes(),
        clock: member.clock,
        heard_seconds: member.heard.as_secs(),
        word: place_of(&Word::ALL, &member.word),
        flags: flag(member.is_open, IS_OPEN) | flag(member.is_proved, IS_PROVED) | flag(is_flapping, IS_FLAPPING),
        link: place_of(&Linkage::ALL, &link),
        round_trip: round_trip.map_or(0, |time| microseconds(time).saturating_add(1)),
    }
}

fn microseconds(time: Duration) -> u64 {
    u64::try_from(time.as_micros()).unwrap_or(u64::MAX)
}

fn word_at_to_wire(said: WordAt) -> WireWordAt {
    WireWordAt { word: place_of(&Word::ALL, &said.word), clock: said.clock }
}

fn word_at_from_wire(said: &WireWordAt) -> Result<WordAt, String> {
    Ok(WordAt { word: word_of(said.word)?, clock: said.clock })
}

fn word_of(number: u8) -> Result<Word, String> {
    let word = Word::ALL.get(usize::from(number)).copied();
    word.ok_or_else(|| format!("a member of which word {number} is said"))
}

/// Its number in bytes: its place in the list of all, of which nothing is ever taken out.
fn place_of<T: PartialEq>(all: &[T], one: &T) -> u8 {
    all.iter().position(|other| other == one).and_then(|place| u8::try_from(place).ok()).unwrap_or_default()
}

fn peers_from_wire(kind: u32, members: &[WireMember]) -> Result<Peers, String> {
    let kind = match kind {
        0 => PeersKind::News,
        1 => PeersKind::LastPage,
        2 => PeersKind::Page,
        _ => return Err(format!("peers of kind {kind}")),
    };
    if members.len() > PEERS_MAX {
        return Err(format!("{} members, where {PEERS_MAX} is the most", members.len()));
    }
    let members = members.iter().map(member_from_wire).collect::<Result<Vec<_>, _>>()?;
    let is_by_address = members.is_sorted_by(|one, next| one.address < next.address);
    is_by_address.then_some(Peers { kind, members }).ok_or_else(|| "members that are not by address".to_owned())
}

fn member_from_wire(member: &WireMember) -> Result<Member, String> {
    let link = Linkage::ALL.get(usize::from(member.link)).copied();
    let is_set = |flag: u8| member.flags & flag != 0;
    Ok(Member {
        address: canonical(member.address),
        id: Identity::of_bits(u64::from_be_bytes(member.id)),
        clock: member.clock,
        heard: Duration::from_secs(member.heard_seconds),
        word: word_of(member.word)?,
        is_open: is_set(IS_OPEN),
        is_proved: is_set(IS_PROVED),
        seen: Seen {
            link: link.ok_or_else(|| format!("a member to which link {} stands", member.link))?,
            is_flapping: is_set(IS_FLAPPING),
            round_trip: member.round_trip.checked_sub(1).map(Duration::from_micros),
        },
    })
}

fn contact_to_wire(contact: Option<ContactMark>) -> Result<WireContact, EncodeError> {
    let Some(ContactMark { name, number, open_from }) = contact else { return Ok(WireContact::None) };
    let span = number.checked_sub(open_from).and_then(|span| u16::try_from(span).ok());
    let span = span.ok_or_else(|| unspeakable("a query whose contact has more open than can be told"))?;
    Ok(WireContact::Mark { name: name.0.to_be_bytes(), number, span })
}

fn contact_from_wire(contact: &WireContact) -> Result<Option<ContactMark>, String> {
    let WireContact::Mark { name, number, span } = *contact else { return Ok(None) };
    let open_from = number.checked_sub(span.into());
    let open_from =
        open_from.ok_or_else(|| format!("query {number} of a contact that says the {span} before it are open"))?;
    Ok(Some(ContactMark { name: ContactName(u64::from_be_bytes(name)), number, open_from }))
}

fn tally_to_wire(tally: &Tally) -> WireTally {
    let Tally { reached, answers, copies, duplicates, stopped, lost, silent, spoilt, answer_sum, is_dialled } = *tally;
    let answer_sum = answer_sum.to_be_bytes();
    WireTally { reached, answers, copies, duplicates, stopped, lost, silent, spoilt, answer_sum, is_dialled }
}

fn tally_from_wire(tally: &WireTally) -> Tally {
    let WireTally { reached, answers, copies, duplicates, stopped, lost, silent, spoilt, answer_sum, is_dialled } =
        *tally;
    let answer_sum = u64::from_be_bytes(answer_sum);
    Tally { reached, answers, copies, duplicates, stopped, lost, silent, spoilt, answer_sum, is_dialled }
}
