//! The native dialect, byte for byte: golden bytes of every message, and what holds for all messages and all bytes.
//!
//! It sees frames and links from outside, as a program does. What a link keeps, queues and refuses is `link.rs`; how
//! much memory bytes can cost is `allocation.rs`; docs/PROTOCOL.md explains the bytes, and its examples and its table
//! of limits are read from here, so that the page cannot drift away from the code.
//!
//! To check a golden line by hand: the first four bytes are the length of the rest. A stamp follows, a number that is 0
//! so far, but for the first frame of a side: a hello, or a goodbye instead. A *number* up to 250 is one byte;
//! 251 (`fb`) says that two bytes follow, 252 (`fc`) four and 253 (`fd`) eight, the highest first. `stopped`, the only
//! number that may be negative, is doubled first (-1 is 1, 1 is 2, -2 is 3). Which of several things follows is a
//! number too, counted from 0 in the order of the enum in `wire/native.rs`: message 05 is a query, address 00 is IPv4
//! and 01 IPv6. A run of bytes or addresses is preceded by its count. `ttl`, `hops`, servent ids and ips are bytes as
//! they are. So `00  04  fb 0100  00 03 666f78` is a request (04) numbered 256 (`fb 0100`) for a key (00) of 3 bytes, fox.
//!
//! A property that fails prints its smallest case; `PROPTEST_RNG_SEED=<u64>` repeats a run, `PROPTEST_CASES=<n>` is
//! how long it looks.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use common::address::{AnswerAddress, canonical};
use common::dialect::Dialect;
use common::exchange::MESSAGES_PER_VISIT;
use common::features::Features;
use common::key::Key;
use common::limits::{
    self, FRAME_BYTES_MAX, KEY_BYTES_MAX, NEIGHBORS_MAX, PATH_ADDRESSES_MAX, SPAN_MAX, VALUE_BYTES_MAX,
};
use common::link::{Link, Purpose, SendError};
use common::message::{Echo, Finished, Goodbye, Hello, Message, Request, Role, ServentId};
use common::query::{Answer, AnswerBody, Ask, AskHash, ContactMark, ContactName, Path, Query, QueryId, Tally};
use common::wire::{EncodeError, Frame, PREFACE, Position, VERSION, WireError};
use proptest::prelude::*;
use proptest::sample::Index;

// ---- the golden bytes ----

const SEQUENCE: u64 = 0x0123_4567_89ab_cdef;

struct Golden {
    name: &'static str,
    hex: &'static str,
    message: Message,
    position: Position,
}

fn golden_messages() -> Vec<Golden> {
    let first = |name, hex, message| Golden { name, hex, message, position: Position::First };
    let golden = |name, hex, message| Golden { name, hex, message, position: Position::Later };
    let goodbye = |name, hex, farewell| golden(name, hex, Message::Goodbye(farewell));
    let request = |sequence, ask| Message::Request(Request { sequence, ask });
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
                dialect: Dialect::Native,
                features: Features::NONE,
                frame_bytes_max: 1_056_768,
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
            "00000024  00  07  fd 0123456789abcdef  00 c0000207 fb2706  03  04 02 05 01 01 00 00 00  4f6d1c02a9b3e875",
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
                    ..Tally::default()
                },
            }),
        ),
        golden(
            "echo with numbers of every width",
            "00000054  00  07  fc ffffffff  01 20010db8000000000000000000000007 fb2706  ff
             fb 00fb  fb ffff  fc 00010000  fd 0000000100000000  fd ffffffffffffffff  fd ffffffffffffffff  00
             fd fffffffffffffffe  ffffffffffffffff",
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
                },
            }),
        ),
        golden(
            "finished",
            "0000001b  00  08  fd 0123456789abcdef  0c 02 0d 02 06 00 00 00  4f6d1c02a9b3e875",
            Message::Finished(Finished {
                sequence: SEQUENCE,
                tally: Tally {
                    reached: 12,
                    answers: 2,
                    copies: 13,
                    duplicates: 2,
                    stopped: 3,
                    answer_sum: 0x4f6d_1c02_a9b3_e875,
                    ..Tally::default()
                },
            }),
        ),
    ]
}

/// Numbers every kind of message. It does not compile when a kind is added: give the new one golden bytes, a strategy
/// below and a section in docs/PROTOCOL.md.
fn kind(message: &Message) -> usize {
    match message {
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
        Message::Request(request) => match request.ask {
            Ask::Key(_) => 13,
            Ask::Topology => 14,
        },
        Message::Query(query) => match query.ask {
            Ask::Key(_) => 15,
            Ask::Topology => 16,
        },
        Message::Answer(answer) => match answer.body {
            AnswerBody::Value(_) => 17,
            AnswerBody::Place { .. } => 18,
        },
        Message::Echo(_) => 19,
        Message::Finished(_) => KINDS_COUNT - 1,
    }
}

const KINDS_COUNT: usize = 22;

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
fn a_stamp_may_be_any_number_and_is_not_looked_at() {
    for hex in ["00", "fa", "fb 00fb", "fb 0000", "fd ffffffffffffffff"] {
        let body = [bytes(hex), bytes("02")].concat();
        assert_eq!(heard_by(&mut greeted(), &framed(&body)), Ok(vec![Message::Ping]), "{hex}");
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
        let mut link = Link::new(Dialect::Native, Purpose::Asking);
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
        let mut link = greeted();
        if position == Position::Later {
            assert_eq!(link.send(&opening_hello()), Ok(()));
        }
        link.sent(link.unsent().len());
        let is_new = message.needs() != Features::NONE;
        let expected = if is_new { Err(SendError::NotOffered) } else { Ok(()) };
        assert_eq!(link.send(&message), expected, "{name}");
        let said = if is_new { Vec::new() } else { frame_at(position, &message) };
        assert!(link.unsent().ends_with(&said) && link.unsent().is_empty() == is_new, "{name}");
    }
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
        let message = Message::Request(Request { sequence, ask: Ask::Topology });
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
        let body = [bytes("00 08 00 00000000"), bytes(hex), bytes("000000 0000000000000000")].concat();
        assert_eq!(shown(&frame(&message)), shown(&framed(&body)), "{stopped}");
        assert_eq!(heard_by(&mut greeted(), &framed(&body)), Ok(vec![message]), "{stopped}");
    }
}

// ---- the page ----

const PAGE: &str = include_str!("../../../docs/PROTOCOL.md");

#[test]
fn the_page_shows_the_golden_bytes() {
    let examples: Vec<(&str, Vec<u8>)> = PAGE
        .split("```hex\n")
        .skip(1)
        .map(|rest| {
            let (block, _) = rest.split_once("```").expect("the block ends");
            let (name, lines) = block.split_once('\n').expect("the block has a name");
            // What the bytes mean stands two blanks or more behind them.
            let hex: Vec<&str> = lines.lines().filter_map(|line| line.split("  ").next()).collect();
            (name.trim_start_matches("# "), bytes(&hex.join(" ")))
        })
        .collect();
    let golden = golden_messages();
    for (name, example) in &examples {
        let golden = golden.iter().find(|golden| golden.name == *name);
        let golden = golden.unwrap_or_else(|| panic!("no golden bytes are called `{name}`"));
        assert_eq!(shown(example), shown(&bytes(golden.hex)), "{name}");
    }
    for name in ["hello of a servent", "hello of a client", "request", "query", "answer", "echo", "finished"] {
        assert!(examples.iter().any(|(example, _)| *example == name), "no example `{name}`");
    }
}

#[test]
fn the_page_tells_the_hashes_as_they_are() {
    let hex = |hash: u64| hash.to_be_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<String>();
    let id = ServentId(0x0011_2233_4455_6677_8899_aabb_ccdd_eeff);
    for told in [
        format!("The mark of the id in the example above is `{}`", hex(id.mark())),
        format!("`{}` for the key `kernel`", hex(AskHash::of(&key("kernel")).0)),
        format!("`{}` for the topology", hex(AskHash::of(&Ask::Topology).0)),
    ] {
        assert!(PAGE.contains(&told), "{told}");
    }
}

#[test]
fn the_page_tells_the_limits_as_they_are() {
    let told = format!("{MESSAGES_PER_VISIT} messages at a time (`MESSAGES_PER_VISIT`)");
    assert!(PAGE.contains(&told), "{told}");
    let told: Vec<(&str, &str)> = PAGE
        .lines()
        .filter_map(|line| {
            let mut cells = line.strip_prefix("| `")?.split('|').map(str::trim);
            let name = cells.next()?.strip_suffix('`')?;
            let value = cells.next()?;
            (name.contains('_') && name == name.to_uppercase()).then_some((name, value))
        })
        .collect();
    let limits = limits();
    for (name, value) in &told {
        let limit = limits.iter().find(|(limit, _)| limit == name);
        assert_eq!(limit.map(|(_, value)| value.as_str()), Some(*value), "{name}");
    }
    for (name, _) in &limits {
        assert!(told.iter().any(|(told, _)| told == name), "{name} is not on the page");
    }
}

/// The rows of a table of the page, cell by cell, below the head that begins like this.
fn rows_below(head: &str) -> Vec<Vec<&'static str>> {
    let lines = PAGE.lines().map(str::trim).skip_while(|line| !line.starts_with(head));
    let rows = lines.skip(2).take_while(|line| line.starts_with('|'));
    let rows: Vec<_> = rows.map(|row| row.split('|').skip(1).map(str::trim).collect()).collect();
    assert!(!rows.is_empty(), "no table begins with {head}");
    rows
}

/// The byte of a frame's body at this place.
fn byte_of(position: Position, message: &Message, place: usize) -> String {
    frame_at(position, message)[4 + place].to_string()
}

#[test]
fn the_page_numbers_the_messages_as_they_are() {
    let told: BTreeSet<(String, &str)> =
        rows_below("| no. | message |").into_iter().map(|row| (row[0].to_owned(), row[1])).collect();
    let golden = golden_messages();
    let said = golden.iter().map(|Golden { message, position, .. }| {
        let place = if *position == Position::First { 0 } else { 1 };
        (byte_of(*position, message, place), message.name())
    });
    assert_eq!(said.collect::<BTreeSet<_>>(), told);
}

#[test]
fn the_page_numbers_what_stands_inside_of_messages_as_it_is() {
    let place = || AnswerBody::Place { path: Path::default(), neighbors: Vec::new() };
    let hello = |role| byte_of(Position::First, &Message::Hello(Hello::new(role)), 1);
    let request = |ask| byte_of(Position::Later, &Message::Request(Request { sequence: 0, ask }), 3);
    let answer = |body| {
        byte_of(Position::Later, &Message::Answer(Answer { sequence: 0, asked: Some(AskHash(0)), hops: 0, body }), 12)
    };
    let query = |dialect, contact, place| {
        let client = AnswerAddress { socket: address("127.0.0.1:0"), dialect };
        let query = Query { sequence: 0, client, contact, ttl: 0, hops: 0, ask: Ask::Topology, path: Path::default() };
        byte_of(Position::Later, &Message::query(query), place)
    };
    let servent = Role::Servent { id: ServentId(0), advertised: address("127.0.0.1:0") };
    let mut said = vec![
        ("role", hello(servent), "servent"),
        ("role", hello(Role::Client { answer_port: 0 }), "client"),
        ("contact", query(Dialect::Native, None, 10), "none"),
        ("contact", query(Dialect::Native, Some(mark(0, 0, 0)), 10), "contact"),
        ("ask", request(key("a")), "key"),
        ("ask", request(Ask::Topology), "topology"),
        ("answer body", answer(AnswerBody::Value(Vec::new())), "value"),
        ("answer body", answer(place()), "place"),
    ];
    let name = |dialect: Dialect| if dialect == Dialect::OWN { "native" } else { dialect.manners().name };
    said.extend(Dialect::ALL.iter().map(|dialect| ("dialect", query(*dialect, None, 9), name(*dialect))));
    let mut part = "";
    let mut told = Vec::new();
    for row in rows_below("| part | variant |") {
        part = if row[0].is_empty() { part } else { row[0] };
        told.extend(row[1].split_once(' ').filter(|_| part != "tally").map(|(no, name)| (part, no.to_owned(), name)));
    }
    assert_eq!(told, said);
}

#[test]
fn the_page_numbers_the_reasons_of_a_goodbye_as_they_are() {
    let mut told = rows_below("| no. | goodbye |").into_iter().map(|row| (row[0].to_owned(), row[1].to_owned()));
    for farewell in Goodbye::ALL {
        let number = byte_of(Position::Later, &Message::Goodbye(farewell), 2);
        assert_eq!(told.next(), Some((number, format!("{farewell:?}").to_lowercase())));
    }
    // What else comes is a goodbye all the same.
    let first_free = Goodbye::ALL.len();
    assert_eq!(told.next(), Some((format!("{first_free} and above"), "(unknown)".to_owned())));
    assert_eq!(told.next(), None);
    let heard = heard_by(&mut stranger(), &framed(&[1, u8::try_from(first_free).expect("there are few")]));
    let number = u32::try_from(first_free).expect("there are few");
    assert_eq!(heard, Ok(vec![Message::Goodbye(Goodbye::Unknown { number })]));
}

#[test]
fn the_page_lists_the_features_that_were_given_out() {
    let told = rows_below("| bit | feature |").into_iter().map(|row| row[..3].join(" "));
    let given_out = Features::NAMES.iter().enumerate().map(|(bit, name)| {
        let offers = |offered: Features| offered.include(Features::from_bits(1 << bit));
        let by = match (offers(Features::OF_SERVENTS), offers(Features::OF_CLIENTS)) {
            (true, true) => "both",
            (true, false) => "servents",
            (false, true) => "clients",
            (false, false) => "nobody",
        };
        format!("{bit} {name} {by}")
    });
    let mut given_out: Vec<String> = given_out.collect();
    if given_out.is_empty() {
        given_out.push(" none is given out yet ".to_owned());
    }
    assert_eq!(told.collect::<Vec<_>>(), given_out);
}

fn limits() -> Vec<(&'static str, String)> {
    macro_rules! named {
        ($show:expr, $($name:ident),+ $(,)?) => { [$((stringify!($name), $show(limits::$name))),+] };
    }
    let counts = named!(
        grouped,
        KEY_BYTES_MAX,
        VALUE_BYTES_MAX,
        FRAME_BYTES_MAX,
        SERVENT_FRAME_BYTES_MAX,
        HELLO_FRAME_BYTES_MAX,
        PATH_ADDRESSES_MAX,
        SEEN_IDS_MAX,
        CONTACTS_MAX,
        CONTACT_PLACES,
        PLACES_FREE,
        SEEN_TP3_IDS_MAX,
        COPIES_OPEN_MAX,
        OWN_PENDING_MAX,
        QUERIES_PENDING_MAX,
        ECHOES_KEPT_MAX,
        OFFERS_KEPT_BYTES_MAX,
        NEIGHBORS_MAX,
        CONNECTIONS_MAX,
        CALL_DIALS_MAX,
        CALL_DIALS_PER_NETWORK_MAX,
        CALL_ADDRESSES_MAX,
        CALL_LINKS_MAX,
        CALL_QUEUED_BYTES_MAX,
        CALLS_QUEUED_BYTES_MAX,
        STRANGER_UNSENT_BYTES_MAX,
        CLIENT_UNSENT_BYTES_MAX,
        NEIGHBOR_UNSENT_BYTES_MAX,
        ANSWER_UNSENT_BYTES_MAX,
        CLIENT_PENDING_MAX,
        CLIENT_ANSWERERS_MAX,
        CLIENT_CONNECTIONS_MAX,
        COMMAND_BYTES_MAX,
    );
    let spans = named!(|span: u64| grouped(usize::try_from(span).expect("a span is small")), SPAN_MAX);
    let hops = named!(|ttl: u8| ttl.to_string(), TTL_DEFAULT, TTL_MAX, TTL_FROM_OTHERS_MAX);
    let times = named!(
        |time: std::time::Duration| format!("{} s", time.as_secs_f64()),
        CONTACT_QUIET_MAX,
        COPY_YOUNG_MAX,
        SEEN_TP3_AGE_MAX,
        ECHO_WAIT_MAX,
        HELLO_WAIT_MAX,
        FRAME_WAIT_MAX,
        LINGER_MAX,
        NEIGHBOR_BEAT,
        PING_AFTER,
        NEIGHBOR_QUIET_MAX,
        REDIAL_PAUSE_MIN,
        REDIAL_PAUSE_MAX,
        DIAL_WAIT_MAX,
        LOOK_UP_WAIT_MAX,
        ANSWER_IDLE_MAX,
        CALL_REST_MIN,
        CALL_REST_MAX,
        SILENCE_DEFAULT,
    );
    [counts.to_vec(), spans.to_vec(), hops.to_vec(), times.to_vec()].concat()
}

/// As the page writes large numbers: 1,056,768.
fn grouped(number: usize) -> String {
    let digits = number.to_string();
    let mut grouped = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped
}

// ---- cutting ----

#[test]
fn a_stream_cut_in_two_anywhere_is_the_same() {
    for Golden { name, message, .. } in golden_messages() {
        // The second message shows that the first took no byte too many.
        let first = frame_at(Position::First, &message);
        let stream = [PREFACE.to_vec(), first, frame(&Message::Ping)].concat();
        for cut in 0..=stream.len() {
            let (first, second) = stream.split_at(cut);
            let mut link = Link::new(Dialect::Native, Purpose::Asking);
            let mut heard = heard_by(&mut link, first).expect("the first part is no error");
            heard.extend(heard_by(&mut link, second).expect("the second part is no error"));
            assert_eq!(heard, [message.clone(), Message::Ping], "{name} cut at {cut}");
            assert!(!link.is_mid_frame(), "{name} cut at {cut}");
        }
    }
}

#[test]
fn a_stream_in_single_bytes_or_in_one_piece_is_the_same() {
    let messages: Vec<Message> = golden_messages().into_iter().map(|golden| golden.message).collect();
    let stream = stream_of(&messages);
    let expected = [vec![opening_hello()], messages].concat();
    for segment_bytes in [1, 2, 3, 5, 7, 64, stream.len()] {
        let heard = heard_in_segments(&stream, segment_bytes);
        assert_eq!(heard.as_ref(), Ok(&expected), "{segment_bytes} bytes at a time");
    }
}

#[test]
fn a_message_comes_with_its_last_byte_and_not_before() {
    for Golden { name, message, .. } in golden_messages() {
        let mut link = greeted();
        let frame = frame(&message);
        let (last, others) = frame.split_last().expect("a frame has bytes");
        for byte in others {
            assert_eq!(heard_by(&mut link, &[*byte]), Ok(Vec::new()), "{name}");
            assert!(link.is_mid_frame(), "{name}");
        }
        assert_eq!(heard_by(&mut link, &[*last]), Ok(vec![message]), "{name}");
        assert!(!link.is_mid_frame(), "{name}");
    }
}

// ---- what is malformed ----

#[test]
fn a_frame_must_hold_a_message_and_nothing_else() {
    for (what, body) in [
        ("no message at all", ""),
        ("a message and one byte more", "02 00"),
        ("a message and another in the same frame", "02 02"),
        ("an unknown message", "fa"),
        ("a message number of 64 bits", "fd 0000000000000002"),
        ("the reserved first byte of a number", "ff"),
        ("a number of 128 bits", "04 fe 00000000000000000000000000000007 01"),
        ("a frame limit of 64 bits", "00 01 fb2706 00 fd 0000000000102000"),
        ("an unknown role", "00 fa fb2706 00 00"),
        ("a farewell of 64 bits", "01 fd 0000000000000002"),
        ("no farewell", "01"),
        ("an unknown ask", "04 00 fa"),
        ("an empty key", "04 00 00 00"),
        ("a key longer than the frame", "04 00 00 06 6b6579"),
        ("a key longer than memory", "04 00 00 fd ffffffffffffffff 6b6579"),
        ("an unknown dialect", "05 00 00 7f000001 01 fa 00 00 00 01 00"),
        ("an unknown family of addresses", "05 00 02 7f000001 01 00 00 00 00 01 00"),
        ("a port above 65535", "05 00 00 7f000001 fc00010000 00 00 00 00 01 00"),
        ("an address that ends early", "05 00 00 7f0000"),
        ("a path longer than the frame", "05 00 00 7f000001 01 00 00 00 00 01 02 00 7f000001 01"),
        ("a path longer than memory", "05 00 00 7f000001 01 00 00 00 00 01 fd ffffffffffffffff"),
        ("an unknown answer", "06 00 0000000000000000 00 fa 00"),
        ("an unknown contact", "05 00 00 7f000001 01 00 02 00 00 01 00"),
        ("a contact's name that ends early", "05 00 00 7f000001 01 00 01 00000000"),
        ("a span larger than its number", "05 00 00 7f000001 01 00 01 0000000000000000 04 05 00 00 01 00"),
        ("a span above 65535", "05 00 00 7f000001 01 00 01 0000000000000000 fc00020000 fc00010000 00 00 01 00"),
        ("an ask's hash that ends early", "06 00 00000000"),
        ("a value longer than the frame", "06 00 0000000000000000 00 00 01"),
        ("an echo without its last byte", "07 00 00 7f000001 01 00 00 00 00 00 00 00 00 00 00000000000000"),
    ] {
        let mut link = greeted();
        let heard = heard_by(&mut link, &framed(&stamped(body)));
        assert!(matches!(heard, Err(WireError::Malformed(_))), "{what}: {heard:?}");
    }
}

#[test]
fn what_has_no_words_is_not_encoded() {
    let query = |contact| {
        let (client, path) = (client("127.0.0.1:0"), Path::default());
        Message::query(Query { sequence: 0, client, contact, ttl: 0, hops: 1, ask: Ask::Topology, path })
    };
    let answer = |asked| Message::Answer(Answer { sequence: 0, asked, hops: 0, body: AnswerBody::Value(Vec::new()) });
    for (message, can_be_said) in [
        (query(None), true),
        (query(Some(mark(1, 7, 7))), true),
        (query(Some(mark(1, 7, 8))), false),
        (query(Some(mark(1, SPAN_MAX, 0))), true),
        (query(Some(mark(1, SPAN_MAX + 1, 0))), false),
        (query(Some(mark(1, u64::MAX, 0))), false),
        (answer(Some(AskHash(0))), true),
        (answer(None), false),
    ] {
        let encoded = Frame::new(Dialect::Native, &message);
        assert_eq!(encoded.is_ok(), can_be_said, "{message:?}");
        assert!(!matches!(encoded, Err(EncodeError::TooLong(_))), "{message:?}");
    }
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let heard = heard_by(&mut greeted(), &framed(&stamped("02 00 00")));
    assert_eq!(
        heard.expect_err("two bytes too many").to_string(),
        "a frame that holds no message: its message ends after 2 of 4 bytes"
    );
    let heard = heard_by(&mut greeted(), &framed(&stamped("04 00 00 00")));
    assert_eq!(heard.expect_err("no key").to_string(), "a frame that holds no message: the key is empty");
    for (body, words) in [
        ("01", "it ends before its message does"),
        ("04 00 00 fd ffffffffffffffff 6b6579", "a length inside it is more than a frame may hold"),
        ("05 00 00 7f000001 fc00010000 00 00 00 00 01 00", "a number is too wide for its field"),
        ("fa", "a variant is unknown"),
        (
            "05 00 00 7f000001 01 00 01 0000000000000000 04 05 00 00 01 00",
            "query 4 of a contact that says the 5 before it are open",
        ),
    ] {
        let heard = heard_by(&mut greeted(), &framed(&stamped(body)));
        assert_eq!(heard.expect_err(body), WireError::Malformed(words.to_owned()));
    }
}

#[test]
fn a_frame_knows_its_length_and_whether_it_says_anything() {
    let ping = Frame::new(Dialect::Native, &Message::Ping).unwrap();
    assert_eq!((ping.body_bytes_count(), ping.as_bytes().len(), ping.is_empty()), (2, 6, false));
    let value = Message::Answer(Answer {
        sequence: 0,
        asked: Some(AskHash(0)),
        hops: 0,
        body: AnswerBody::Value(b"green".to_vec()),
    });
    let value = Frame::new(Dialect::Tp3, &value).unwrap();
    assert_eq!((value.body_bytes_count(), value.is_empty()), (value.as_bytes().len(), false));
    assert!(Frame::new(Dialect::Tp3, &Message::Ping).unwrap().is_empty());
}

#[test]
fn a_number_may_be_longer_than_it_has_to_be() {
    let request = Message::Request(Request { sequence: 7, ask: Ask::Topology });
    for body in ["04 07 01", "04 fb0007 01", "fb0004 fc00000007 fc00000001", "04 fd0000000000000007 01"] {
        assert_eq!(heard_by(&mut greeted(), &framed(&stamped(body))), Ok(vec![request.clone()]), "{body}");
    }
}

#[test]
fn an_ipv4_address_in_ipv6_clothing_is_an_ipv4_address() {
    let clothed = bytes("01 00000000000000000000ffff c0000207 fb2706");
    let plain = bytes("00 c0000207 fb2706");
    for (before, after) in [
        ("00 00 00112233445566778899aabbccddeeff", "00 00"),
        ("05 00", "00 00 00 00 01 00"),
        ("05 00 00 7f000001 01 00 00 00 01 01 01", ""),
        ("06 00 0000000000000000 00 01 01", "00"),
        ("06 00 0000000000000000 00 01 00 01", ""),
        ("07 00", "00 00 00 00 00 00 00 00 00 0000000000000000"),
    ] {
        let with = |address: &[u8]| framed(&[&stamped(before), address, &bytes(after)].concat());
        let heard = heard_by(&mut greeted(), &with(&clothed));
        assert!(heard.is_ok(), "{before}: {heard:?}");
        assert_eq!(heard, heard_by(&mut greeted(), &with(&plain)), "{before}");
    }
}

#[test]
fn a_key_may_have_its_limit_and_no_byte_more() {
    let framed_key = |length: usize| {
        let length_bytes = u16::try_from(length).expect("the limit fits").to_be_bytes();
        framed(&[&stamped("04 00 00 fb"), length_bytes.as_slice(), &vec![b'k'; length]].concat())
    };
    let longest = Message::Request(Request {
        sequence: 0,
        ask: Ask::Key(Key::new(&[b'k'; KEY_BYTES_MAX]).expect("the limit is allowed")),
    });
    assert_eq!(heard_by(&mut greeted(), &framed_key(KEY_BYTES_MAX)), Ok(vec![longest]));
    let heard = heard_by(&mut greeted(), &framed_key(KEY_BYTES_MAX + 1));
    assert_eq!(heard, Err(WireError::Malformed("the key has 4097 bytes; 4096 is the most".to_owned())));
}

#[test]
fn a_value_may_have_its_limit_and_no_byte_more() {
    let framed_value = |length: usize| {
        let length_bytes = u32::try_from(length).expect("the limit fits").to_be_bytes();
        framed(&[&stamped("06 00 0000000000000000 00 00 fc"), length_bytes.as_slice(), &vec![b'v'; length]].concat())
    };
    let longest = Message::Answer(Answer {
        sequence: 0,
        asked: Some(AskHash(0)),
        hops: 0,
        body: AnswerBody::Value(vec![b'v'; VALUE_BYTES_MAX]),
    });
    assert_eq!(frame(&longest), framed_value(VALUE_BYTES_MAX));
    assert_eq!(heard_by(&mut greeted(), &framed_value(VALUE_BYTES_MAX)), Ok(vec![longest]));
    let heard = heard_by(&mut greeted(), &framed_value(VALUE_BYTES_MAX + 1));
    assert_eq!(heard, Err(WireError::Malformed("a value of 1048577 bytes, where 1048576 is the most".to_owned())));
}

#[test]
fn a_run_of_addresses_may_have_its_limit_and_not_one_more() {
    // (where the addresses stand, what comes after them, how many there may be)
    for (before, after, count_max) in [
        ("05 00 00 7f000001 01 00 00 00 00 01", "", PATH_ADDRESSES_MAX),
        ("06 00 0000000000000000 00 01", "00", PATH_ADDRESSES_MAX),
        ("06 00 0000000000000000 00 01 00", "", NEIGHBORS_MAX),
    ] {
        let with = |count: usize| {
            let count_bytes = u16::try_from(count).expect("the limit fits").to_be_bytes();
            let addresses = bytes("01 20010db8000000000000000000000007 fb2706").repeat(count);
            framed(&[&stamped(before), &bytes("fb"), count_bytes.as_slice(), &addresses, &bytes(after)].concat())
        };
        let heard = heard_by(&mut greeted(), &with(count_max));
        assert!(heard.is_ok(), "{count_max} of them: {heard:?}");
        let heard = heard_by(&mut greeted(), &with(count_max + 1));
        let refused = format!("{} addresses, where {count_max} is the most", count_max + 1);
        assert_eq!(heard, Err(WireError::Malformed(refused)));
    }
}

#[test]
fn the_largest_message_of_each_kind_fits_a_frame() {
    let addresses = |count: usize| vec![address("[2001:db8::7]:65535"); count];
    let largest = [
        Message::query(Query {
            sequence: u64::MAX,
            client: client("[2001:db8::7]:65535"),
            contact: Some(mark(u64::MAX, u64::MAX, u64::MAX - SPAN_MAX)),
            ttl: u8::MAX,
            hops: u8::MAX,
            ask: Ask::Key(Key::new(&[0xff; KEY_BYTES_MAX]).expect("the limit is allowed")),
            path: addresses(PATH_ADDRESSES_MAX).into(),
        }),
        Message::Answer(Answer {
            sequence: u64::MAX,
            asked: Some(AskHash(u64::MAX)),
            hops: u8::MAX,
            body: AnswerBody::Value(vec![0xff; VALUE_BYTES_MAX]),
        }),
        Message::Answer(Answer {
            sequence: u64::MAX,
            asked: Some(AskHash(u64::MAX)),
            hops: u8::MAX,
            body: AnswerBody::Place { path: addresses(PATH_ADDRESSES_MAX).into(), neighbors: addresses(NEIGHBORS_MAX) },
        }),
    ];
    for message in largest {
        let spoken = frame(&message);
        assert!(spoken.len() - 4 <= FRAME_BYTES_MAX, "{}", message.name());
        assert_eq!(heard_by(&mut greeted(), &spoken), Ok(vec![message]));
    }
}

#[test]
fn a_message_too_large_for_any_frame_is_not_encoded() {
    let message = Message::Answer(Answer {
        sequence: 0,
        asked: Some(AskHash(0)),
        hops: 0,
        body: AnswerBody::Value(vec![0; FRAME_BYTES_MAX]),
    });
    assert!(Frame::new(Dialect::Native, &message).is_err());
    // Around a value of this length there are eighteen bytes: of the stamp, the kind, the sequence, eight of what was
    // asked, the hops, the kind of answer, and five of the length.
    let answer = |length| {
        let message = Message::Answer(Answer {
            sequence: 0,
            asked: Some(AskHash(0)),
            hops: 0,
            body: AnswerBody::Value(vec![0; length]),
        });
        Frame::new(Dialect::Native, &message).map(|frame| frame.body_bytes_count())
    };
    let most = FRAME_BYTES_MAX - 18;
    assert_eq!(answer(most), Ok(FRAME_BYTES_MAX));
    assert_eq!(answer(most + 1), Err(EncodeError::TooLong(FRAME_BYTES_MAX + 1)));
}

// ---- what holds for all messages and all bytes ----

fn config() -> ProptestConfig {
    ProptestConfig {
        // The printed case is enough to write the test that keeps it.
        failure_persistence: None,
        ..ProptestConfig::default()
    }
}

proptest! {
    #![proptest_config(config())]

    #[test]
    fn what_is_said_is_what_is_heard(message in any_message()) {
        let spoken = frame(&message);
        let announced = u32::from_be_bytes([spoken[0], spoken[1], spoken[2], spoken[3]]) as usize;
        prop_assert_eq!(announced, spoken.len() - 4);
        prop_assert_eq!(heard_by(&mut greeted(), &spoken), Ok(vec![message]));
    }

    #[test]
    fn it_does_not_matter_where_a_stream_is_cut(
        messages in prop::collection::vec(any_message(), 1..8),
        cuts in prop::collection::vec(any::<Index>(), 0..12),
    ) {
        let stream = stream_of(&messages);
        let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(stream.len() + 1)).collect();
        cuts.extend([0, stream.len()]);
        cuts.sort_unstable();
        let mut link = Link::new(Dialect::Native, Purpose::Asking);
        let mut heard = Vec::new();
        for ends in cuts.windows(2) {
            heard.extend(heard_by(&mut link, &stream[ends[0]..ends[1]])?);
        }
        prop_assert_eq!(heard.split_first(), Some((&opening_hello(), messages.as_slice())));
        prop_assert!(!link.is_mid_frame());
    }

    #[test]
    fn nor_does_it_matter_that_bytes_come_one_by_one(messages in prop::collection::vec(small_message(), 1..4)) {
        let mut expected = vec![opening_hello()];
        expected.extend(messages.iter().cloned());
        prop_assert_eq!(heard_in_segments(&stream_of(&messages), 1), Ok(expected));
    }

    #[test]
    fn arbitrary_bytes_are_messages_or_one_lasting_error(
        opening in 0_usize..=2,
        noise in prop::collection::vec(any::<u8>(), 0..400),
        segment_bytes in 1_usize..64,
    ) {
        // Noise at the very start, noise where a hello belongs, and noise from a peer that said hello.
        let mut link = match opening {
            0 => Link::new(Dialect::Native, Purpose::Asking),
            1 => stranger(),
            _ => greeted(),
        };
        hears_or_breaks(&mut link, &noise, segment_bytes)?;
    }

    #[test]
    fn arbitrary_bodies_are_messages_or_one_lasting_error(
        bodies in prop::collection::vec(noisy_body(), 1..6),
        segment_bytes in 1_usize..64,
    ) {
        let stream: Vec<u8> = bodies.iter().flat_map(|body| framed(body)).collect();
        hears_or_breaks(&mut greeted(), &stream, segment_bytes)?;
    }

    #[test]
    fn a_damaged_message_is_another_message_or_an_error(
        message in small_message(),
        damage in prop::collection::vec((any::<Index>(), any::<u8>()), 1..4),
    ) {
        let mut damaged = frame(&message);
        for (place, byte) in damage {
            let place = place.index(damaged.len());
            damaged[place] = byte;
        }
        hears_or_breaks(&mut greeted(), &damaged, damaged.len())?;
    }

    #[test]
    fn a_frame_that_ends_early_is_an_error(message in small_message(), kept in any::<Index>()) {
        let whole = frame(&message);
        let body = &whole[4..];
        // No message is the beginning of another: a body cut anywhere is malformed, never something shorter.
        let cut = &body[..kept.index(body.len())];
        prop_assert!(matches!(heard_by(&mut greeted(), &framed(cut)), Err(WireError::Malformed(_))));
    }
}

/// Gives bytes to a link. What it takes for messages must be sayable again, and mean the same; an error must last.
fn hears_or_breaks(link: &mut Link, bytes: &[u8], segment_bytes: usize) -> Result<(), TestCaseError> {
    for segment in bytes.chunks(segment_bytes) {
        match heard_by(link, segment) {
            Ok(messages) => {
                for message in messages {
                    let again = heard_by(&mut greeted(), &frame(&message));
                    prop_assert_eq!(again, Ok(vec![message]));
                }
            }
            Err(error) => {
                prop_assert!(!link.is_mid_frame());
                prop_assert_eq!(heard_by(link, &frame(&Message::Ping)), Err(error.clone()));
                prop_assert_eq!(link.next_message(), Err(error));
                prop_assert!(!link.is_mid_frame());
                return Ok(());
            }
        }
    }
    Ok(())
}

// ---- any message ----

/// Any message a peer may send, short or long.
fn any_message() -> impl Strategy<Value = Message> {
    let any_body = prop_oneof![
        8 => short_body(),
        1 => (any::<u8>(), 0..=VALUE_BYTES_MAX).prop_map(|(byte, length)| AnswerBody::Value(vec![byte; length])),
        1 => (addresses(PATH_ADDRESSES_MAX), addresses(NEIGHBORS_MAX))
            .prop_map(|(path, neighbors)| AnswerBody::Place { path: path.into(), neighbors }),
    ];
    let any_ask = prop_oneof![
        8 => short_ask(),
        1 => (any::<u8>(), 1..=KEY_BYTES_MAX).prop_map(|(byte, length)| ask_for(&vec![byte; length])),
    ];
    message_of(any_ask.boxed(), PATH_ADDRESSES_MAX, any_body.boxed())
}

/// Any message of a few hundred bytes at most, for tests that are slow on long ones.
fn small_message() -> impl Strategy<Value = Message> {
    message_of(short_ask().boxed(), 3, short_body().boxed())
}

fn message_of(
    ask: BoxedStrategy<Ask>,
    path_addresses_max: usize,
    body: BoxedStrategy<AnswerBody>,
) -> impl Strategy<Value = Message> {
    let role = prop_oneof![
        (any::<u128>(), any_address()).prop_map(|(id, advertised)| Role::Servent { id: ServentId(id), advertised }),
        any::<u16>().prop_map(|answer_port| Role::Client { answer_port }),
    ];
    let farewell = prop_oneof![
        prop::sample::select(Goodbye::ALL.to_vec()),
        (9_u32..).prop_map(|number| Goodbye::Unknown { number }),
    ];
    let contact = prop::option::of(
        (any::<u64>(), number(), any::<u16>())
            .prop_map(|(name, number, span)| mark(name, number, number.saturating_sub(span.into()))),
    );
    let client = any_address().prop_map(answer_address);
    let query = (number(), client, contact, any::<u8>(), any::<u8>(), ask.clone(), addresses(path_addresses_max))
        .prop_map(|(sequence, client, contact, ttl, hops, ask, path)| Query {
            sequence,
            client,
            contact,
            ttl,
            hops,
            ask,
            path: path.into(),
        });
    prop_oneof![
        (role, number(), any::<u32>()).prop_map(|(role, bits, frame_bytes_max)| Message::Hello(Hello {
            role,
            dialect: Dialect::Native,
            features: Features::from_bits(bits),
            frame_bytes_max
        })),
        farewell.prop_map(Message::Goodbye),
        Just(Message::Ping),
        Just(Message::Pong),
        (number(), ask).prop_map(|(sequence, ask)| Message::Request(Request { sequence, ask })),
        query.prop_map(Message::query),
        (number(), any::<u64>(), any::<u8>(), body).prop_map(|(sequence, asked, hops, body)| Message::Answer(Answer {
            sequence,
            asked: Some(AskHash(asked)),
            hops,
            body
        })),
        (number(), any_address(), any::<u8>(), tally()).prop_map(|(sequence, client, ttl, tally)| {
            let id = QueryId { sequence, client };
            Message::Echo(Echo { id, ttl, tally })
        }),
        (number(), tally()).prop_map(|(sequence, tally)| Message::Finished(Finished { sequence, tally })),
    ]
}

/// A number of any width: without the shift nearly all would take nine bytes.
fn number() -> impl Strategy<Value = u64> {
    (any::<u64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift)
}

fn tally() -> impl Strategy<Value = Tally> {
    let stopped = (any::<i64>(), 0_u32..64).prop_map(|(number, shift)| number >> shift);
    (number(), number(), number(), number(), stopped, number(), number(), number(), any::<u64>()).prop_map(
        |(reached, answers, copies, duplicates, stopped, lost, silent, spoilt, answer_sum)| Tally {
            reached,
            answers,
            copies,
            duplicates,
            stopped,
            lost,
            silent,
            spoilt,
            answer_sum,
        },
    )
}

fn short_ask() -> impl Strategy<Value = Ask> {
    prop_oneof![prop::collection::vec(any::<u8>(), 1..300).prop_map(|bytes| ask_for(&bytes)), Just(Ask::Topology),]
}

fn short_body() -> impl Strategy<Value = AnswerBody> {
    prop_oneof![
        prop::collection::vec(any::<u8>(), 0..300).prop_map(AnswerBody::Value),
        (addresses(3), addresses(3)).prop_map(|(path, neighbors)| AnswerBody::Place { path: path.into(), neighbors }),
    ]
}

fn addresses(count_max: usize) -> impl Strategy<Value = Vec<SocketAddr>> {
    prop::collection::vec(any_address(), 0..=count_max)
}

/// Any address in its one spelling: the others do not come back as they were said.
fn any_address() -> impl Strategy<Value = SocketAddr> {
    any::<SocketAddr>().prop_map(canonical)
}

/// Bytes that look like a message for as long as possible.
fn noisy_body() -> impl Strategy<Value = Vec<u8>> {
    let small = prop_oneof![0_u8..10, any::<u8>(), 250_u8..=255];
    let stamp = prop_oneof![8 => Just(0), 1 => small.clone()];
    (stamp, 0_u8..9, prop::collection::vec(small, 0..60))
        .prop_map(|(stamp, message, rest)| [vec![stamp, message], rest].concat())
}

// ---- saying and hearing ----

/// A link that has heard a preface.
fn stranger() -> Link {
    let mut link = Link::new(Dialect::Native, Purpose::Asking);
    link.receive(&PREFACE);
    assert_eq!(link.next_message(), Ok(None));
    link
}

/// A link that has heard a hello, so that frames of every length may come.
fn greeted() -> Link {
    let mut link = stranger();
    let heard = heard_by(&mut link, &frame_at(Position::First, &opening_hello()));
    assert_eq!(heard, Ok(vec![opening_hello()]));
    link
}

fn opening_hello() -> Message {
    Message::Hello(Hello::new(Role::Client { answer_port: 9990 }))
}

/// A preface and a hello, because before a hello no long frame may come; then the messages.
fn stream_of(messages: &[Message]) -> Vec<u8> {
    let mut stream = [PREFACE.to_vec(), frame_at(Position::First, &opening_hello())].concat();
    stream.extend(messages.iter().flat_map(frame));
    stream
}

/// What a link makes of bytes that arrive together.
fn heard_by(link: &mut Link, bytes: &[u8]) -> Result<Vec<Message>, WireError> {
    link.receive(bytes);
    let mut heard = Vec::new();
    while let Some(message) = link.next_message()? {
        heard.push(message);
    }
    Ok(heard)
}

fn heard_in_segments(stream: &[u8], segment_bytes: usize) -> Result<Vec<Message>, WireError> {
    let mut link = Link::new(Dialect::Native, Purpose::Asking);
    let mut heard = Vec::new();
    for segment in stream.chunks(segment_bytes) {
        heard.extend(heard_by(&mut link, segment)?);
    }
    Ok(heard)
}

/// A message that others were said before.
fn frame(message: &Message) -> Vec<u8> {
    frame_at(Position::Later, message)
}

fn frame_at(position: Position, message: &Message) -> Vec<u8> {
    let frame = Frame::at(position, Dialect::Native, message).expect("the message can be said");
    frame.as_bytes().to_vec()
}

/// A body that is not the first of its side.
fn stamped(hex: &str) -> Vec<u8> {
    [bytes("00"), bytes(hex)].concat()
}

/// A frame around bytes that may be no message.
fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a test's body is short");
    [length.to_be_bytes().as_slice(), body].concat()
}

// ---- short ways to write things ----

fn address(text: &str) -> SocketAddr {
    text.parse().expect("an address")
}

fn client(text: &str) -> AnswerAddress {
    answer_address(address(text))
}

fn answer_address(socket: SocketAddr) -> AnswerAddress {
    AnswerAddress { socket, dialect: Dialect::Native }
}

fn mark(name: u64, number: u64, open_from: u64) -> ContactMark {
    ContactMark { name: ContactName(name), number, open_from }
}

fn key(text: &str) -> Ask {
    ask_for(text.as_bytes())
}

fn ask_for(key: &[u8]) -> Ask {
    Ask::Key(Key::new(key).expect("a key"))
}

/// Hex digits as bytes; blanks and line ends are there for the reader.
fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex
        .chars()
        .filter(|digit| !digit.is_whitespace())
        .map(|digit| digit.to_digit(16).unwrap_or_else(|| panic!("`{digit}` in `{hex}` is no hex digit")))
        .collect();
    assert!(digits.len().is_multiple_of(2), "half a byte in `{hex}`");
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits are a byte");
    digits.chunks(2).map(byte).collect()
}

/// Bytes as hex digits: a difference in them can be read.
fn shown(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x} ")).collect()
}
