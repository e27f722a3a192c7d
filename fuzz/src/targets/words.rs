//! Messages, addresses and moments chosen by the bytes of an input, for the two minds.
//!
//! There are few of each, so that one input names the same ones again and again.

mod contents;
mod writes;

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use common::address::AnswerAddress;
use common::dialect::Dialect;
use common::features::Features;
use common::key::Key;
use common::limits::{NAME_BYTES_MAX, SPAN_MAX};
use common::link::LinkId;
use common::member::{Greet, GreetOutcome, Greeted, Member, Peers, PeersKind, PeersWanted, Seen, Word, WordAt};
use common::message::{Brought, Echo, Finished, Goodbye, Handed, Hello, Identity, Message, Request, Role, ServentId};
use common::query::{
    Answer, AnswerBody, Ask, AskHash, BroughtAnswer, BroughtBody, ContactMark, ContactName, Path, Query, QueryId,
    Tally, Via,
};
use common::servent_name::ServentName;
use common::wire::WireError;

use crate::reader::Reader;
pub(super) use contents::{NAMES, hash, name};

/// How far time may go: beyond it a sum of moments has no room.
pub(super) const LATEST: Duration = Duration::from_secs(200 * 365 * 24 * 60 * 60);

/// The keys that are asked for. Who holds which is up to the target.
pub(super) const KEYS: [&[u8]; 3] = [b"tea", b"coffee", b"\xff\x00"];

/// A mind's own id, and those of others.
pub(super) fn servent_id(reader: &mut Reader<'_>) -> ServentId {
    ServentId(u128::from(reader.byte() % 5))
}

/// An address of a machine like others, or one that means nobody.
pub(super) fn address(reader: &mut Reader<'_>) -> SocketAddr {
    match reader.byte() % 11 {
        place @ 0..6 => SocketAddr::from((Ipv4Addr::LOCALHOST, 9000 + u16::from(place))),
        6 => SocketAddr::from(([10, 0, 0, 1], 9000)),
        7 => SocketAddr::from(([0, 0, 0, 0, 0, 0, 0, 1], 9001)),
        8 => SocketAddr::from((Ipv4Addr::UNSPECIFIED, 0)),
        9 => SocketAddr::from(([224, 0, 0, 1], 9000)),
        // A client that is not to be dialled.
        _ => SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
    }
}

pub(super) fn dialect(reader: &mut Reader<'_>) -> Dialect {
    reader.one_of(&[Dialect::Native, Dialect::Native, Dialect::Tp3])
}

fn sequence(reader: &mut Reader<'_>) -> u64 {
    match reader.byte() % 8 {
        7 => u64::MAX,
        6 => reader.u64(),
        small => u64::from(small),
    }
}

pub(super) fn ask(reader: &mut Reader<'_>) -> Ask {
    let choice = reader.byte();
    match choice % 4 {
        _ if choice / 4 % 4 == 3 => contents::ask(reader, choice / 16),
        3 => Ask::Topology,
        place => Ask::Key(Key::new(KEYS[usize::from(place)]).expect("it is short")),
    }
}

/// One of the asks above, another, or none.
fn asked(reader: &mut Reader<'_>) -> Option<AskHash> {
    match reader.byte() % 8 {
        7 => None,
        6 => Some(AskHash(reader.u64())),
        _ => Some(AskHash::of(&ask(reader))),
    }
}

/// What stands for the name of the mind itself, for whoever knows it.
pub(super) const OWN_NAME: ContactName = ContactName(3);

/// One of few, so that what one says of a number is met again: few names, few numbers, and as near or far ahead of what is
/// open as they may be.
fn contact(reader: &mut Reader<'_>) -> Option<ContactMark> {
    if reader.flag() {
        return None;
    }
    let name = contact_name(reader);
    let number = count(reader);
    let span = match reader.byte() {
        255 => SPAN_MAX,
        small => u64::from(small % 4),
    };
    Some(ContactMark { name, number, open_from: number - span.min(number) })
}

fn contact_name(reader: &mut Reader<'_>) -> ContactName {
    ContactName(u64::from(reader.byte()) % (OWN_NAME.0 + 1))
}

/// An extreme number more often than chance would have it.
pub(super) fn count(reader: &mut Reader<'_>) -> u64 {
    match reader.byte() {
        255 => u64::MAX,
        254 => u64::MAX / 2,
        253 => i64::MAX.unsigned_abs(),
        small => u64::from(small % 8),
    }
}

fn tally(reader: &mut Reader<'_>) -> Tally {
    let choice = reader.byte();
    let is_dialled = choice & 2 == 0;
    if choice & 1 == 1 {
        return Tally { reached: 1, is_dialled, ..Tally::default() };
    }
    Tally {
        reached: count(reader),
        answers: count(reader),
        copies: count(reader),
        duplicates: count(reader),
        stopped: count(reader).cast_signed(),
        lost: count(reader),
        silent: count(reader),
        spoilt: count(reader),
        answer_sum: count(reader),
        is_dialled,
    }
}

fn path(reader: &mut Reader<'_>) -> Path {
    if reader.byte() % 4 == 3 {
        let length = reader.below(32);
        return Path::Text(reader.take(length).to_vec());
    }
    Path::Addresses((0..reader.below(4)).map(|_| address(reader)).collect())
}

fn body(reader: &mut Reader<'_>) -> AnswerBody {
    let choice = reader.byte();
    if choice & 1 == 1 {
        return AnswerBody::Place { path: path(reader), neighbors: vec![address(reader)] };
    }
    if choice / 2 % 4 == 3 {
        return AnswerBody::Entries(contents::entries(reader));
    }
    let length = reader.below(8);
    AnswerBody::Value(reader.take(length).to_vec())
}

/// An answer that goes back, whole or announced.
fn brought(reader: &mut Reader<'_>, name: Option<ServentName>) -> Arc<BroughtAnswer> {
    let (id, from, hops) = (servent_id(reader), address(reader), ttl(reader));
    let is_announced = reader.byte() % 4 == 3;
    let body = if is_announced { BroughtBody::Announced(count(reader)) } else { BroughtBody::of(body(reader)) };
    Arc::new(BroughtAnswer { id, from, name, hops, body })
}

/// What somebody is called: few say it.
fn called(choice: u8) -> Option<ServentName> {
    let longest = "n".repeat(NAME_BYTES_MAX);
    let names = ["kitchen", "\u{1b}[2J\n\u{202e}", "\u{e9}", &longest];
    ServentName::try_from(*names.get(usize::from(choice).checked_sub(1)?)?).ok()
}

/// Most offer what this implementation does, some less of it.
fn hello(reader: &mut Reader<'_>) -> Hello {
    let choice = reader.byte();
    let offered = match choice / 8 % 4 {
        0 => Features::from_bits(u64::MAX),
        1 => Features::NONE,
        2 => Features::BACK,
        _ => Features::TTL,
    };
    let hello = match choice % 8 {
        0..4 => {
            let hello = Hello::new(Role::Servent { id: servent_id(reader), advertised: address(reader) });
            Hello { features: Features::OF_MEMBERS, name: called(choice / 32), ..hello }
        }
        7 => return Hello::said_in(Dialect::Tp3, Role::Nameless),
        _ => {
            let role = Role::Client { answer_port: address(reader).port() };
            match dialect(reader) {
                Dialect::Native => Hello::new(role),
                dialect => return Hello::said_in(dialect, role),
            }
        }
    };
    let features = Features::from_bits(hello.features.bits() & offered.bits());
    // As on the wire: whoever has a name understands names.
    let name = hello.name.clone().filter(|_| features.include(Features::NAME));
    Hello { features, name, ..hello }
}

fn goodbye(reader: &mut Reader<'_>) -> Goodbye {
    let number = reader.below(Goodbye::ALL.len() + 1);
    Goodbye::ALL.get(number).copied().unwrap_or(Goodbye::Unknown { number: 250 })
}

/// Kinds of messages, those that lead to most more often.
const KINDS: u8 = 18;
/// From this choice on it is about contents.
const OF_CONTENTS: u8 = 13 * KINDS;
/// And from this one about writes.
const OF_WRITES: u8 = 12 * KINDS;

/// Anything that can be said.
pub(super) fn message(reader: &mut Reader<'_>) -> Message {
    let choice = reader.byte();
    if let Some(which) = choice.checked_sub(OF_CONTENTS) {
        return contents::message(reader, which);
    }
    if let Some(which) = choice.checked_sub(OF_WRITES) {
        return writes::message(reader, which);
    }
    let variety = choice / KINDS;
    match choice % KINDS {
        0 | 1 => Message::Hello(hello(reader)),
        2 => Message::Goodbye(goodbye(reader)),
        3 => Message::Ping,
        4 => Message::Pong,
        5 | 6 => Message::Request(Request {
            sequence: sequence(reader),
            ask: ask(reader),
            ttl: (variety % 2 == 1).then(|| ttl(reader)),
        }),
        7 | 8 => {
            let (sequence, socket, dialect) = (sequence(reader), address(reader), dialect(reader));
            let contact = contact(reader);
            // Without a contact there is no way back, and whoever hears TP3 is dialled.
            let is_back = variety % 2 == 1 && contact.is_some() && dialect == Dialect::OWN;
            Message::query(Query {
                via: if is_back { Via::Back } else { Via::Direct },
                sequence,
                client: AnswerAddress { socket, dialect },
                contact,
                ttl: ttl(reader),
                hops: ttl(reader),
                ask: ask(reader),
                path: path(reader),
            })
        }
        9 => Message::Answer(Answer {
            sequence: sequence(reader),
            asked: asked(reader),
            hops: ttl(reader),
            body: body(reader),
        }),
        10 => Message::Echo(Echo {
            id: QueryId { sequence: sequence(reader), client: address(reader) },
            ttl: ttl(reader),
            tally: tally(reader),
        }),
        11 => Message::Finished(Finished { sequence: sequence(reader), tally: tally(reader) }),
        12 => Message::Brought(Brought {
            contact: contact_name(reader),
            number: count(reader),
            ttl: ttl(reader),
            answer: brought(reader, called(variety)),
        }),
        13 => Message::Handed(Handed { sequence: sequence(reader), answer: brought(reader, called(variety)) }),
        14 => Message::PeersWanted(PeersWanted { after: (variety % 2 == 1).then(|| address(reader)) }),
        15 => Message::Peers(peers(reader)),
        16 => Message::Greet(Greet { address: address(reader) }),
        _ => Message::Greeted(greeted(reader)),
    }
}

fn greeted(reader: &mut Reader<'_>) -> Greeted {
    let said = |reader: &mut Reader<'_>| {
        let word = Word::ALL[reader.below(4)];
        reader.byte().is_multiple_of(2).then(|| WordAt { word, clock: count(reader) })
    };
    Greeted {
        address: address(reader),
        outcome: GreetOutcome::ALL[reader.below(GreetOutcome::ALL.len())],
        was: said(reader),
        now: said(reader),
        new_count: count(reader),
        took: Duration::from_micros(count(reader)),
    }
}

/// By address, each once.
fn peers(reader: &mut Reader<'_>) -> Peers {
    let kind = [PeersKind::News, PeersKind::LastPage, PeersKind::Page][reader.below(3)];
    let count = reader.below(8);
    let mut members: Vec<Member> = (0..count).map(|_| member(reader)).collect();
    members.sort_by_key(|member| member.address);
    members.dedup_by_key(|member| member.address);
    Peers { kind, members }
}

fn member(reader: &mut Reader<'_>) -> Member {
    let flags = reader.byte();
    let is_set = |bit: u8| flags & (1 << bit) != 0;
    Member {
        address: address(reader),
        id: Identity::of_bits(u64::from(reader.byte() % 8)),
        clock: count(reader),
        heard: duration(reader),
        word: Word::ALL[usize::from(flags % 4)],
        is_open: is_set(2),
        is_proved: is_set(3),
        seen: Seen::default(),
    }
}

fn ttl(reader: &mut Reader<'_>) -> u8 {
    match reader.byte() {
        any @ 250.. => any,
        small => small % 18,
    }
}

pub(super) fn error(reader: &mut Reader<'_>) -> WireError {
    match reader.byte() % 6 {
        0 => WireError::NoPreface("00".to_owned()),
        1 => WireError::Refused(Dialect::Tp3),
        2 => WireError::Version(9),
        3 => WireError::FrameTooLong { length: 9, max: 8 },
        4 => WireError::Unfinished,
        _ => WireError::Malformed("it is odd".to_owned()),
    }
}

/// From a nanosecond to a year.
pub(super) fn duration(reader: &mut Reader<'_>) -> Duration {
    let number = u64::from(reader.byte());
    match reader.byte() % 8 {
        0 => Duration::from_nanos(number),
        1 => Duration::from_micros(number),
        2 | 3 => Duration::from_millis(number),
        4 => Duration::from_millis(100 * number),
        5 | 6 => Duration::from_secs(number),
        _ => Duration::from_secs(number * 24 * 60 * 60),
    }
}

/// One of the links that are open, if there is one.
pub(super) fn open_link<T>(reader: &mut Reader<'_>, open: &std::collections::BTreeMap<LinkId, T>) -> Option<LinkId> {
    let place = reader.below(open.len());
    open.keys().nth(place).copied()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use common::wire::{Frame, Position};

    use super::*;
    use crate::{corpus, target};

    /// The number and the name of each message on the page. They are what there is: a test of the core holds them to it.
    fn told() -> BTreeSet<(u8, &'static str)> {
        let page = include_str!("../../../docs/PROTOCOL.md");
        let rows = page.lines().skip_while(|line| !line.starts_with("| no. | message |")).skip(2);
        let rows = rows.take_while(|line| line.starts_with('|'));
        let told: BTreeSet<_> = rows
            .map(|row| {
                let mut cells = row.split('|').skip(1).map(str::trim);
                let number = cells.next().and_then(|cell| cell.parse().ok()).expect("a row begins with its number");
                (number, cells.next().expect("a message has a name"))
            })
            .collect();
        assert!(told.len() >= 12, "{told:?}");
        told
    }

    fn numbered(message: &Message) -> Option<(u8, &'static str)> {
        let frame = Frame::at(Position::First, Dialect::Native, 0, message).ok()?;
        Some((frame.as_bytes()[4], message.name()))
    }

    #[test]
    fn every_message_of_the_page_is_said() {
        let messages = (0..=u8::MAX).map(|first| message(&mut Reader::new(&[first])));
        let said: BTreeSet<_> = messages.filter_map(|message| numbered(&message)).collect();
        assert_eq!(said, told());
    }

    /// Bytes that were written by hand are forgotten where messages grow, and then they are only one more way to be refused.
    #[test]
    fn every_message_of_the_page_is_in_the_corpus_of_the_decoder() {
        let kept = corpus::load(target("native").expect("a target of this name")).expect("its corpus");
        let by_hand = kept.iter().filter(|(path, _)| !path.to_string_lossy().contains("found-"));
        let heard: BTreeSet<_> =
            by_hand.filter_map(|(_, body)| numbered(&super::super::native::decoded(Position::First, body)?)).collect();
        assert_eq!(heard, told());
    }

    #[test]
    fn a_query_is_answered_straight_or_back() {
        let messages = (0..=u8::MAX).map(|first| message(&mut Reader::new(&[first])));
        let ways: BTreeSet<Via> = messages
            .filter_map(|message| if let Message::Query(query) = message { Some(query.via) } else { None })
            .collect();
        assert_eq!(ways, [Via::Direct, Via::Back].into());
    }
}
