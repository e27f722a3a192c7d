//! The golden bytes: every message, and every form of a number.

mod contents;
mod writes;

use super::*;
use common::content::transfer::Refusal;
use common::link::SendError;
use common::wire::VERSION;
use common::write::{Change, Write, WriteOutcome, WriteRefusal, Written};

const SEQUENCE: u64 = 0x0123_4567_89ab_cdef;

pub(super) struct Golden {
    pub(super) name: &'static str,
    pub(super) hex: &'static str,
    pub(super) message: Message,
    pub(super) position: Position,
}

pub(super) fn golden_messages() -> Vec<Golden> {
    let mut golden = messages_but_of_contents();
    golden.extend(contents::golden_messages());
    golden.extend(writes::golden_messages());
    golden
}

fn messages_but_of_contents() -> Vec<Golden> {
    let first = |name, hex, message| Golden { name, hex, message, position: Position::First };
    let golden = |name, hex, message| Golden { name, hex, message, position: Position::Later };
    let goodbye = |name, hex, farewell| golden(name, hex, Message::Goodbye(farewell));
    let request = |sequence, ask| Message::Request(Request { sequence, ask, ttl: None });
    let answer =
        |sequence, asked, hops, body| Message::Answer(Answer { sequence, asked: Some(AskHash(asked)), hops, body });
    vec![
        first(
            "hello of a servent",
            "0000001e  00  00 00112233445566778899aabbccddeeff 00 7f000001 fb2328  00  fb2000",
            Message::Hello(Hello {
                role: Role::Servent {
                    id: ServentId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
                    advertised: address("127.0.0.1:9000"),
                },
                name: None,
                dialect: Dialect::Native,
                features: Features::NONE,
                frame_bytes_max: 8_192,
            }),
        ),
        first(
            "hello of a servent on IPv6",
            "0000002a  00  00 ffeeddccbbaa99887766554433221100 01 20010db8000000000000000000000007 fa
             fb cdef  fb ffff",
            Message::Hello(Hello {
                role: Role::Servent {
                    id: ServentId(0xffee_ddcc_bbaa_9988_7766_5544_3322_1100),
                    advertised: address("[2001:db8::7]:250"),
                },
                name: None,
                dialect: Dialect::Native,
                features: Features::from_bits(0xcdef),
                frame_bytes_max: 65_535,
            }),
        ),
        first(
            "hello of a client",
            "0000000b  00  01 fb2706  00  fc00102000",
            Message::Hello(Hello {
                role: Role::Client { answer_port: 9990 },
                name: None,
                dialect: Dialect::Native,
                features: Features::NONE,
                frame_bytes_max: 1_056_768,
            }),
        ),
        first(
            "hello of a named servent",
            "00000026  00  02 00112233445566778899aabbccddeeff 00 7f000001 fb2328 07 6b69746368656e  20  fb2000",
            Message::Hello(Hello {
                role: Role::Servent {
                    id: ServentId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff),
                    advertised: address("127.0.0.1:9000"),
                },
                name: Some(named("kitchen")),
                dialect: Dialect::Native,
                features: Features::NAME,
                frame_bytes_max: 8_192,
            }),
        ),
        first("goodbye instead of a hello", "00000002  01 01", Message::Goodbye(Goodbye::Version)),
        goodbye("goodbye, leaving", "00000003  00  01 00", Goodbye::Leaving),
        goodbye("goodbye, version", "00000003  00  01 01", Goodbye::Version),
        goodbye("goodbye, role", "00000003  00  01 02", Goodbye::Role),
        goodbye("goodbye, myself", "00000003  00  01 03", Goodbye::Myself),
        goodbye("goodbye, duplicate", "00000003  00  01 04", Goodbye::Duplicate),
        goodbye("goodbye, full", "00000003  00  01 05", Goodbye::Full),
        goodbye("goodbye, protocol", "00000003  00  01 06", Goodbye::Protocol),
        goodbye("goodbye, quiet", "00000003  00  01 07", Goodbye::Quiet),
        goodbye("goodbye, idle", "00000003  00  01 08", Goodbye::Idle),
        goodbye("goodbye, for a reason given out later", "00000003  00  01 fa", Goodbye::Unknown { number: 250 }),
        golden("ping", "00000002  00  02", Message::Ping),
        golden("pong", "00000002  00  03", Message::Pong),
        golden(
            "request",
            "00000013  00  04  fd 0123456789abcdef  00 06 6b65726e656c",
            request(SEQUENCE, key("kernel")),
        ),
        golden("request for the topology", "00000006  00  04  fb 0100  01", request(256, Ask::Topology)),
        golden(
            "query",
            "0000002a  00  05  fd 0123456789abcdef  00 c0000207 fb2706 00  01 a1b2c3d4e5f60718 07 02  03 01
             00 06 6b65726e656c  00",
            Message::query(Query {
                via: Via::Direct,
                sequence: SEQUENCE,
                client: client("192.0.2.7:9990"),
                contact: Some(mark(0xa1b2_c3d4_e5f6_0718, 7, 5)),
                ttl: 3,
                hops: 1,
                ask: key("kernel"),
                path: Path::default(),
            }),
        ),
        golden(
            "query for the topology, from a client on IPv6",
            "00000039  00  05  fa  01 20010db8000000000000000000000007 fb2706 00  00  02 02  01
             02  00 c0000201 fb2328  01 20010db8000000000000000000000002 fb2329",
            Message::query(Query {
                via: Via::Direct,
                sequence: 250,
                client: client("[2001:db8::7]:9990"),
                contact: None,
                ttl: 2,
                hops: 2,
                ask: Ask::Topology,
                path: vec![address("192.0.2.1:9000"), address("[2001:db8::2]:9001")].into(),
            }),
        ),
        golden(
            "query of a client that hears TP3",
            "00000020  00  05  fd 0123456789abcdef  00 c0000207 fb2706 01  00  03 01  00 06 6b65726e656c  00",
            Message::query(Query {
                via: Via::Direct,
                sequence: SEQUENCE,
                client: AnswerAddress { dialect: Dialect::Tp3, ..client("192.0.2.7:9990") },
                contact: None,
                ttl: 3,
                hops: 1,
                ask: key("kernel"),
                path: Path::default(),
            }),
        ),
        golden(
            "query whose ttl and hops would be longer as numbers",
            "0000000f  00  05  00  00 7f000001 00 00  00  ff fb  01  00",
            Message::query(Query {
                via: Via::Direct,
                sequence: 0,
                client: client("127.0.0.1:0"),
                contact: None,
                ttl: 255,
                hops: 251,
                ask: Ask::Topology,
                path: Path::default(),
            }),
        ),
        golden(
            "query whose contact has as many open as there may be",
            "00000023  00  05  00  00 7f000001 00 00  01 0000000000000000 fd ffffffffffffffff fb ffff  00 01  01  00",
            Message::query(Query {
                via: Via::Direct,
                sequence: 0,
                client: client("127.0.0.1:0"),
                contact: Some(mark(0, u64::MAX, u64::MAX - SPAN_MAX)),
                ttl: 0,
                hops: 1,
                ask: Ask::Topology,
                path: Path::default(),
            }),
        ),
        golden(
            "answer",
            "0000001b  00  06  fd 0123456789abcdef  50fb7117466dda66  02  00 05 362e312e30",
            answer(SEQUENCE, AskHash::of(&key("kernel")).0, 2, AnswerBody::Value(b"6.1.0".to_vec())),
        ),
        golden(
            "answer with an empty value",
            "0000000e  00  06  00  0000000000000000  00  00 00",
            answer(0, 0, 0, AnswerBody::Value(Vec::new())),
        ),
        golden(
            "answer with a value that is no text",
            "00000011  00  06  01  ffffffffffffffff  fb  00 03 00ff80",
            answer(1, u64::MAX, 251, AnswerBody::Value(vec![0x00, 0xff, 0x80])),
        ),
        golden(
            "answer with a place",
            "00000033  00  06  07  af63bc4c8601b62c  01  01  02  00 c0000201 fb2328  00 c0000202 fb2328
             01  01 20010db8000000000000000000000003 fb2328",
            answer(
                7,
                AskHash::of(&Ask::Topology).0,
                1,
                AnswerBody::Place {
                    path: vec![address("192.0.2.1:9000"), address("192.0.2.2:9000")].into(),
                    neighbors: vec![address("[2001:db8::3]:9000")],
                },
            ),
        ),
        golden(
            "answer with the place of a servent that stands alone",
            "00000017  00  06  07  af63bc4c8601b62c  00  01  01  00 7f000001 fb2328  00",
            answer(
                7,
                AskHash::of(&Ask::Topology).0,
                0,
                AnswerBody::Place { path: vec![address("127.0.0.1:9000")].into(), neighbors: Vec::new() },
            ),
        ),
        golden(
            "echo",
            "00000025  00  07  fd 0123456789abcdef  00 c0000207 fb2706  03  04 02 05 01 01 00 00 00  4f6d1c02a9b3e875
             01",
            Message::Echo(Echo {
                id: QueryId { sequence: SEQUENCE, client: address("192.0.2.7:9990") },
                ttl: 3,
                tally: Tally {
                    reached: 4,
                    answers: 2,
                    copies: 5,
                    duplicates: 1,
                    stopped: -1,
                    answer_sum: 0x4f6d_1c02_a9b3_e875,
                    is_dialled: true,
                    ..Tally::default()
                },
            }),
        ),
        golden(
            "echo with numbers of every width",
            "00000055  00  07  fc ffffffff  01 20010db8000000000000000000000007 fb2706  ff
             fb 00fb  fb ffff  fc 00010000  fd 0000000100000000  fd ffffffffffffffff  fd ffffffffffffffff  00
             fd fffffffffffffffe  ffffffffffffffff  00",
            Message::Echo(Echo {
                id: QueryId { sequence: 0xffff_ffff, client: address("[2001:db8::7]:9990") },
                ttl: 255,
                tally: Tally {
                    reached: 251,
                    answers: 65_535,
                    copies: 65_536,
                    duplicates: 0x1_0000_0000,
                    stopped: i64::MIN,
                    lost: u64::MAX,
                    silent: 0,
                    spoilt: u64::MAX - 1,
                    answer_sum: u64::MAX,
                    is_dialled: false,
                },
            }),
        ),
        golden(
            "finished",
            "0000001c  00  08  fd 0123456789abcdef  0c 02 0d 02 06 00 00 00  4f6d1c02a9b3e875  01",
            Message::Finished(Finished {
                sequence: SEQUENCE,
                tally: Tally {
                    reached: 12,
                    answers: 2,
                    copies: 13,
                    duplicates: 2,
                    stopped: 3,
                    answer_sum: 0x4f6d_1c02_a9b3_e875,
                    is_dialled: true,
                    ..Tally::default()
                },
            }),
        ),
        golden(
            "request that says how far it goes",
            "00000014  00  09  fd 0123456789abcdef  00 06 6b65726e656c  00",
            Message::Request(Request { sequence: SEQUENCE, ask: key("kernel"), ttl: Some(0) }),
        ),
        golden(
            "query whose answers go back",
            "00000028  00  05  fd 0123456789abcdef  00 c0000207 00 02  01 a1b2c3d4e5f60718 07 02  03 01
             00 06 6b65726e656c  00",
            Message::query(Query {
                sequence: SEQUENCE,
                client: client("192.0.2.7:0"),
                via: Via::Back,
                contact: Some(mark(0xa1b2_c3d4_e5f6_0718, 7, 5)),
                ttl: 3,
                hops: 1,
                ask: key("kernel"),
                path: Path::default(),
            }),
        ),
        golden(
            "brought",
            "0000002c  00  0a  a1b2c3d4e5f60718 07 03  00112233445566778899aabbccddeeff 00 c0000201 fb2328 02
             00 05 362e312e30",
            Message::Brought(Brought {
                contact: ContactName(0xa1b2_c3d4_e5f6_0718),
                number: 7,
                ttl: 3,
                answer: brought(BroughtBody::Whole(AnswerBody::Value(b"6.1.0".to_vec()))),
            }),
        ),
        golden(
            "brought, of a value that is announced",
            "0000002b  00  0a  a1b2c3d4e5f60718 07 03  00112233445566778899aabbccddeeff 00 c0000201 fb2328 02
             02 fc00100000",
            Message::Brought(Brought {
                contact: ContactName(0xa1b2_c3d4_e5f6_0718),
                number: 7,
                ttl: 3,
                answer: brought(BroughtBody::Announced(1_048_576)),
            }),
        ),
        golden(
            "handed",
            "0000002b  00  0b  fd 0123456789abcdef  00112233445566778899aabbccddeeff 00 c0000201 fb2328 02
             00 05 362e312e30",
            Message::Handed(Handed {
                sequence: SEQUENCE,
                answer: brought(BroughtBody::Whole(AnswerBody::Value(b"6.1.0".to_vec()))),
            }),
        ),
        golden(
            "handed, of a place",
            "0000002f  00  0b  fd 0123456789abcdef  00112233445566778899aabbccddeeff 00 c0000201 fb2328 02
             01 01 00 c0000201 fb2328 00",
            Message::Handed(Handed {
                sequence: SEQUENCE,
                answer: brought(BroughtBody::Whole(AnswerBody::Place {
                    path: vec![address("192.0.2.1:9000")].into(),
                    neighbors: Vec::new(),
                })),
            }),
        ),
        golden(
            "named brought",
            "00000034  00  1e  a1b2c3d4e5f60718 07 03  00112233445566778899aabbccddeeff 00 c0000201 fb2328 02
             00 05 362e312e30  07 6b69746368656e",
            Message::Brought(Brought {
                contact: ContactName(0xa1b2_c3d4_e5f6_0718),
                number: 7,
                ttl: 3,
                answer: brought_named(BroughtBody::Whole(AnswerBody::Value(b"6.1.0".to_vec()))),
            }),
        ),
        golden(
            "named handed",
            "00000033  00  1f  fd 0123456789abcdef  00112233445566778899aabbccddeeff 00 c0000201 fb2328 02
             00 05 362e312e30  07 6b69746368656e",
            Message::Handed(Handed {
                sequence: SEQUENCE,
                answer: brought_named(BroughtBody::Whole(AnswerBody::Value(b"6.1.0".to_vec()))),
            }),
        ),
        golden("peers wanted", "00000003  00  0c  00", Message::PeersWanted(PeersWanted { after: None })),
        golden(
            "peers wanted behind an address",
            "0000000b  00  0c  01 00 c0000201 fb2328",
            Message::PeersWanted(PeersWanted { after: Some(address("192.0.2.1:9000")) }),
        ),
        golden(
            "peers, a page for a client",
            "00000036  00  0d  02 02
             00 c0000201 fb2328 0011223344556677 fb0100 00 00 03 02 fb 01f5
             00 c0000202 fb2328 8899aabbccddeeff 2a fb0e10 02 04 00 00",
            Message::Peers(Peers {
                kind: PeersKind::Page,
                members: vec![
                    Member {
                        address: address("192.0.2.1:9000"),
                        id: Identity::of_bits(0x0011_2233_4455_6677),
                        clock: 256,
                        heard: Duration::ZERO,
                        word: Word::Online,
                        is_open: true,
                        is_proved: true,
                        seen: Seen {
                            link: Linkage::Pinned,
                            is_flapping: false,
                            round_trip: Some(Duration::from_micros(500)),
                        },
                    },
                    Member {
                        address: address("192.0.2.2:9000"),
                        id: Identity::of_bits(0x8899_aabb_ccdd_eeff),
                        clock: 42,
                        heard: Duration::from_secs(3_600),
                        word: Word::Failed,
                        is_open: false,
                        is_proved: false,
                        seen: Seen { is_flapping: true, ..Seen::default() },
                    },
                ],
            }),
        ),
        golden(
            "greet",
            "0000000a  00  0e  00 c0000201 fb2328",
            Message::Greet(Greet { address: address("192.0.2.1:9000") }),
        ),
        golden(
            "greeted, of one that was told dead",
            "00000015  00  0f  00 c0000201 fb2328  00  01 02 2c  01 00 34  03  fb0190",
            Message::Greeted(Greeted {
                address: address("192.0.2.1:9000"),
                outcome: GreetOutcome::Met,
                was: Some(WordAt { word: Word::Failed, clock: 44 }),
                now: Some(WordAt { word: Word::Online, clock: 52 }),
                new_count: 3,
                took: Duration::from_micros(400),
            }),
        ),
        golden(
            "greeted, of one nobody has heard of",
            "0000000f  00  0f  00 c0000201 fb2328  01  00  00  00  00",
            Message::Greeted(Greeted {
                address: address("192.0.2.1:9000"),
                outcome: GreetOutcome::Refused,
                was: None,
                now: None,
                new_count: 0,
                took: Duration::ZERO,
            }),
        ),
    ]
}

/// What the servent of the first hello answers, two links away.
fn brought(body: BroughtBody) -> Arc<BroughtAnswer> {
    let id = ServentId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    Arc::new(BroughtAnswer { id, from: address("192.0.2.1:9000"), name: None, hops: 2, body })
}

/// The same of one that says what it is called.
fn brought_named(body: BroughtBody) -> Arc<BroughtAnswer> {
    Arc::new(BroughtAnswer { name: Some(named("kitchen")), ..Arc::unwrap_or_clone(brought(body)) })
}

/// Numbers every kind of message. It does not compile when a kind is added: give the new one golden bytes, a strategy
/// in `any` and a row in docs/PROTOCOL.md.
pub(super) fn kind(message: &Message) -> usize {
    match message {
        Message::Hello(Hello { name: Some(_), .. }) => 68,
        Message::Hello(hello) => match hello.role {
            Role::Servent { .. } => 0,
            Role::Nameless => unreachable!("it has no native words"),
            Role::Client { .. } => 1,
        },
        Message::Goodbye(farewell) => match farewell {
            Goodbye::Leaving => 2,
            Goodbye::Version => 3,
            Goodbye::Role => 4,
            Goodbye::Myself => 5,
            Goodbye::Duplicate => 6,
            Goodbye::Full => 7,
            Goodbye::Protocol => 8,
            Goodbye::Quiet => 9,
            Goodbye::Idle => 10,
            Goodbye::Unknown { .. } => 20,
        },
        Message::Ping => 11,
        Message::Pong => 12,
        Message::Request(Request { ttl: Some(_), .. }) => 22,
        Message::Request(request) => match request.ask {
            Ask::Key(_) => 13,
            Ask::Topology => 14,
            Ask::Find(_) => 31,
            Ask::Named(_) => 32,
            Ask::Hashed(_) => 33,
        },
        Message::Query(query) if query.via == Via::Back => 23,
        Message::Query(query) => match query.ask {
            Ask::Key(_) => 15,
            Ask::Topology => 16,
            Ask::Find(_) => 34,
            Ask::Named(_) => 35,
            Ask::Hashed(_) => 36,
        },
        Message::Answer(answer) => match answer.body {
            AnswerBody::Value(_) => 17,
            AnswerBody::Place { .. } => 18,
            AnswerBody::Entries(_) => 37,
        },
        Message::Echo(_) => 19,
        Message::Finished(_) => 21,
        Message::Brought(Brought { answer, .. }) if answer.name.is_some() => 69,
        Message::Brought(Brought { answer, .. }) => match answer.body {
            BroughtBody::Whole(_) => 24,
            BroughtBody::Announced(_) => 25,
        },
        Message::Handed(Handed { answer, .. }) if answer.name.is_some() => 70,
        Message::Handed(_) => 26,
        Message::PeersWanted(_) => 27,
        Message::Peers(_) => 28,
        Message::Greet(_) => 29,
        Message::Greeted(_) => 30,
        Message::List(_) => 38,
        Message::ListPart(_) => 39,
        Message::Open(_) => 40,
        Message::Opened(_) => 41,
        Message::Refused(Refused { refusal, .. }) => match refusal {
            Refusal::Gone => 42,
            Refusal::Busy => 43,
            Refusal::Changed => 44,
        },
        Message::HashesWanted(_) => 45,
        Message::HashPart(_) => 46,
        Message::BlocksWanted(_) => 47,
        Message::Block(_) => 48,
        Message::Write(Write { change, .. }) => match change {
            Change::Put { .. } => 49,
            Change::Delete { .. } => 50,
            Change::Publish { .. } => 51,
            Change::Unpublish { .. } => 52,
        },
        Message::Written(Written { outcome, .. }) => match outcome {
            WriteOutcome::Stored => 53,
            WriteOutcome::Replaced => 54,
            WriteOutcome::Deleted => 55,
            WriteOutcome::Absent => 56,
            WriteOutcome::Present => 57,
            WriteOutcome::Refused(refusal) => match refusal {
                WriteRefusal::NoStore => 58,
                WriteRefusal::NotFromHere => 59,
                WriteRefusal::StoreFull => 60,
                WriteRefusal::DiskFull => 61,
                WriteRefusal::DiskFailed => 62,
                WriteRefusal::NothingShared => 63,
                WriteRefusal::Busy => 64,
                WriteRefusal::ReadOnly => 65,
            },
        },
        Message::Watch(_) => 66,
        Message::Unwatch(_) => 67,
        Message::Changed(_) => KINDS_COUNT - 1,
    }
}

pub(super) const KINDS_COUNT: usize = 72;

#[test]
fn the_preface_is_these_four_bytes() {
    assert_eq!(PREFACE.as_slice(), bytes("a7 6b 76 01"));
    assert_eq!(VERSION, 1);
}

#[test]
fn every_message_is_these_bytes() {
    for Golden { name, hex, message, position } in golden_messages() {
        let expected = bytes(hex);
        let spoken = frame_at(position, &message);
        assert_eq!(shown(&spoken), shown(&expected), "{name}");
        let mut link = if position == Position::First { stranger() } else { greeted() };
        assert_eq!(heard_by(&mut link, &expected), Ok(vec![message]), "{name}");
    }
}

#[test]
fn every_kind_of_message_has_golden_bytes() {
    let mut golden = [false; KINDS_COUNT];
    for Golden { message, .. } in golden_messages() {
        golden[kind(&message)] = true;
    }
    assert_eq!(golden, [true; KINDS_COUNT]);
}

#[test]
fn a_stamp_may_be_any_number_and_is_told_with_its_message() {
    for (hex, stamp) in [("00", 0), ("fa", 250), ("fb 00fb", 251), ("fb 0000", 0), ("fd ffffffffffffffff", u64::MAX)] {
        let mut link = greeted();
        link.receive(&framed(&[bytes(hex), bytes("02")].concat()));
        assert_eq!(link.next_stamped(), Ok(Some((stamp, Message::Ping))), "{hex}");
        let said = Frame::at(Position::Later, Dialect::Native, stamp, &Message::Ping).unwrap();
        link.receive(said.as_bytes());
        assert_eq!(link.next_stamped(), Ok(Some((stamp, Message::Ping))), "{hex} said by us");
    }
    for hex in ["", "fb 00", "fe 00000000000000000000000000000000", "ff"] {
        let body = [bytes(hex), bytes("02")].concat();
        let heard = heard_by(&mut greeted(), &framed(&body));
        assert!(matches!(heard, Err(WireError::Malformed(_))), "{hex}: {heard:?}");
    }
}

#[test]
fn the_first_frame_of_each_side_has_no_stamp_whatever_it_is() {
    let mut link = stranger();
    assert_eq!(heard_by(&mut link, &bytes("00000001 02 00000002 00 02")), Ok(vec![Message::Ping, Message::Ping]));
    assert!(heard_by(&mut link, &bytes("00000001 02")).is_err(), "the third has one");
    for message in [opening_hello(), Message::Goodbye(Goodbye::Leaving), Message::Ping] {
        let mut link = new_link();
        for position in [Position::First, Position::Later, Position::Later] {
            link.sent(link.unsent().len());
            assert_eq!(link.send(&message), Ok(()));
            assert!(link.unsent().ends_with(&frame_at(position, &message)));
        }
    }
}

#[test]
fn a_hello_may_offer_what_nobody_here_knows() {
    let hello = |features: &str| {
        let body = [bytes("00 01 fb2706"), bytes(features), bytes("fc00102000")].concat();
        match heard_by(&mut stranger(), &framed(&body)).as_deref() {
            Ok([Message::Hello(hello)]) => hello.features,
            heard => panic!("{heard:?}"),
        }
    };
    assert_eq!(hello("fd 0123456789abcdef"), Features::from_bits(0xcdef));
    assert_eq!(hello("fc 00010000"), Features::NONE);
}

/// A message that is new says by `needs` that it is, or breaks the links of those who were built before it.
#[test]
fn whoever_offers_nothing_is_told_what_everybody_understands_and_nothing_else() {
    for Golden { name, message, position, .. } in golden_messages() {
        let back = match &message {
            Message::Brought(_) | Message::Handed(_) => Features::BACK,
            Message::Query(query) if query.via == Via::Back => Features::BACK,
            _ => Features::NONE,
        };
        let others = match &message {
            Message::Request(Request { ttl: Some(_), .. }) => Features::TTL,
            Message::PeersWanted(_) | Message::Peers(_) | Message::Greet(_) | Message::Greeted(_) => Features::MEMBERS,
            _ if is_of_contents(&message) => Features::CONTENT,
            // A name in a hello is in that of a servent, whatever its other end understands.
            Message::Brought(_) | Message::Handed(_) if (69..=70).contains(&kind(&message)) => Features::NAME,
            Message::Hello(_) => Features::NONE,
            message if kind(message) >= 49 => Features::WRITES,
            _ => Features::NONE,
        };
        let needed = back.with(others);
        let [back_and_ttl, back_and_content, back_and_name] =
            [Features::TTL, Features::CONTENT, Features::NAME].map(|other| other.with(Features::BACK));
        for offered in [
            Features::NONE,
            Features::BACK,
            Features::TTL,
            Features::MEMBERS,
            Features::CONTENT,
            Features::WRITES,
            Features::NAME,
            back_and_ttl,
            back_and_content,
            back_and_name,
        ] {
            let mut link = offering(offered);
            if position == Position::Later {
                assert_eq!(link.send(&opening_hello()), Ok(()));
            }
            link.sent(link.unsent().len());
            let is_understood = offered.include(needed);
            let expected = if is_understood { Ok(()) } else { Err(SendError::NotOffered) };
            assert_eq!(link.send(&message), expected, "{name}, to whoever offers {offered:?}");
            let said = if is_understood { frame_at(position, &message) } else { Vec::new() };
            assert!(link.unsent().ends_with(&said) && link.unsent().is_empty() != is_understood, "{name}, {offered:?}");
        }
    }
}

/// The asks, answers and messages that came with contents.
fn is_of_contents(message: &Message) -> bool {
    let is_entries = |body: &AnswerBody| matches!(body, AnswerBody::Entries(_));
    match message {
        Message::Request(Request { ask, .. }) => !matches!(ask, Ask::Key(_) | Ask::Topology),
        Message::Query(query) => !matches!(query.ask, Ask::Key(_) | Ask::Topology),
        Message::Answer(answer) => is_entries(&answer.body),
        Message::Brought(Brought { answer, .. }) | Message::Handed(Handed { answer, .. }) => {
            matches!(&answer.body, BroughtBody::Whole(body) if is_entries(body))
        }
        message => (38..49).contains(&kind(message)),
    }
}

/// A link that has heard a hello that offers these, and nothing else.
fn offering(features: Features) -> Link {
    let Message::Hello(hello) = opening_hello() else { panic!("it is a hello") };
    let mut link = stranger();
    let heard = heard_by(&mut link, &frame_at(Position::First, &Message::Hello(Hello { features, ..hello })));
    assert!(matches!(heard.as_deref(), Ok([Message::Hello(_)])), "{heard:?}");
    link
}

#[test]
fn a_number_takes_its_shortest_form() {
    for (sequence, hex) in [
        (0, "00"),
        (1, "01"),
        (250, "fa"),
        (251, "fb 00fb"),
        (255, "fb 00ff"),
        (256, "fb 0100"),
        (65_535, "fb ffff"),
        (65_536, "fc 00010000"),
        (0xffff_ffff, "fc ffffffff"),
        (0x1_0000_0000, "fd 0000000100000000"),
        (u64::MAX, "fd ffffffffffffffff"),
    ] {
        let message = Message::Request(Request { sequence, ask: Ask::Topology, ttl: None });
        let body = [bytes("00 04"), bytes(hex), bytes("01")].concat();
        assert_eq!(shown(&frame(&message)), shown(&framed(&body)), "{sequence}");
        assert_eq!(heard_by(&mut greeted(), &framed(&body)), Ok(vec![message]), "{sequence}");
    }
}

#[test]
fn a_number_that_may_be_negative_is_doubled_first() {
    for (stopped, hex) in [
        (0, "00"),
        (-1, "01"),
        (1, "02"),
        (-2, "03"),
        (125, "fa"),
        (-126, "fb 00fb"),
        (126, "fb 00fc"),
        (i64::MAX, "fd fffffffffffffffe"),
        (i64::MIN, "fd ffffffffffffffff"),
    ] {
        let message = Message::Finished(Finished { sequence: 0, tally: Tally { stopped, ..Tally::default() } });
        let body = [bytes("00 08 00 00000000"), bytes(hex), bytes("000000 0000000000000000 00")].concat();
        assert_eq!(shown(&frame(&message)), shown(&framed(&body)), "{stopped}");
        assert_eq!(heard_by(&mut greeted(), &framed(&body)), Ok(vec![message]), "{stopped}");
    }
}
