//! How much memory bytes from strangers can cost, and bytes that ask for too much.
//!
//! It measures a link and the decoding inside it, an idle servent's mind and a client's; what the minds keep of what they
//! are told has limits of its own.
//! It is a test binary of its own because a program has one allocator, and this one counts.

// Clippy takes only the bodies of tests for tests, not what they share.
#![allow(clippy::expect_used)]

use std::net::SocketAddr;
use std::sync::Arc;

use common::address::{AnswerAddress, Neighbor};
use common::dialect::Dialect;
use common::exchange::{Exchange, MESSAGES_PER_VISIT, READ_BYTES, Transport};
use common::key::Key;
use common::limits::{
    CLIENT_PENDING_MAX, FRAME_BYTES_MAX, HELLO_FRAME_BYTES_MAX, NEIGHBOR_BEAT, SEEN_TP3_AGE_MAX, SILENCE_DEFAULT,
    STRANGER_UNSENT_BYTES_MAX, VALUE_BYTES_MAX,
};
use common::link::{Link, LinkId, Purpose, SendError};
use common::message::{Finished, Hello, Message, Request, Role, ServentId};
use common::overlay::{Config, Dial, Input, Opening, Output, Overlay};
use common::query::{Answer, AnswerBody, Ask, AskHash, ContactMark, ContactName, Path, Query, Tally};
use common::random::Secret;
use common::session::{self, Question, Session};
use common::store::{Store, StoreError};
use common::time::Time;
use common::wire::{Accepts, Frame, PREFACE, Position, WireError};
use counting_allocator::{cost_of, held, with_at_most};
use ipnet::IpNet;
use proptest::prelude::*;

/// What small things around the measured one may take: the words of an error, the names of its parts.
const SLACK_BYTES: usize = 4 * 1024;
/// What a link keeps of a buffer that is empty, one for each direction.
const IDLE_LINK_BYTES_MAX: usize = 2 * 256;
/// As much as a program takes from a socket at once.
const SEGMENT_BYTES: usize = 64 * 1024;

/// What is held now beyond what was held before.
fn kept_since(before: isize) -> usize {
    usize::try_from(held() - before).unwrap_or(0)
}

// ---- lengths that promise more than there is ----

#[test]
fn a_length_inside_a_frame_allocates_at_most_a_frame() {
    let places: [(&str, &[u8]); 5] = [
        ("key", &[4, 0, 0]),
        ("path of a query", &[5, 0, 0, 127, 0, 0, 1, 1, 0, 0, 3, 1, 1]),
        ("value", &[6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]),
        ("path of an answer", &[6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1]),
        ("neighbors of an answer", &[6, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0]),
    ];
    let bytes_of_an_address = size_of::<SocketAddr>();
    let lengths = [
        17,
        18,
        4_096,
        (FRAME_BYTES_MAX / bytes_of_an_address) as u64 - 1,
        (FRAME_BYTES_MAX / bytes_of_an_address) as u64,
        (FRAME_BYTES_MAX / bytes_of_an_address) as u64 + 1,
        FRAME_BYTES_MAX as u64,
        FRAME_BYTES_MAX as u64 + 1,
        u64::from(u32::MAX),
        u64::MAX / bytes_of_an_address as u64,
        u64::MAX / bytes_of_an_address as u64 + 1,
        u64::MAX,
    ];
    for (place, before) in places {
        for length in lengths {
            // As many real addresses as a stranger may send behind the length, so that decoding gets on its way.
            for addresses in [0, 1, 30] {
                let body = [before, &[253], &length.to_be_bytes(), &[0, 127, 0, 0, 1, 1].repeat(addresses)].concat();
                for (mut link, stamp) in [(stranger(), &[][..]), (greeted(), &[0])] {
                    let stream = framed(&[stamp, &body].concat());
                    let (heard, cost) = cost_of(|| heard_by(&mut link, &stream));
                    let what = format!("{place} of {length}, {addresses} addresses: {heard:?}, {cost:?}");
                    assert!(matches!(heard, Err(WireError::Malformed(_))), "{what}");
                    assert!(cost.largest <= FRAME_BYTES_MAX, "{what}");
                    assert!(cost.most <= FRAME_BYTES_MAX + SLACK_BYTES, "{what}");
                    assert!(cost.kept <= SLACK_BYTES, "{what}");
                }
            }
        }
    }
}

#[test]
fn the_length_of_a_frame_allocates_nothing() {
    for length in [HELLO_FRAME_BYTES_MAX + 1, FRAME_BYTES_MAX + 1, u32::MAX as usize] {
        let length = u32::try_from(length).expect("32 bits").to_be_bytes();
        let mut link = stranger();
        let (heard, cost) = cost_of(|| heard_by(&mut link, &length));
        assert!(matches!(heard, Err(WireError::FrameTooLong { .. })));
        assert!(cost.most <= SLACK_BYTES, "{cost:?}");
    }
    // A length that is allowed reserves nothing either: only bytes that came are held.
    let length = u32::try_from(FRAME_BYTES_MAX).expect("32 bits").to_be_bytes();
    let mut link = greeted();
    let (heard, cost) = cost_of(|| heard_by(&mut link, &length));
    assert_eq!(heard, Ok(0));
    assert!(cost.most <= SLACK_BYTES, "{cost:?}");
}

// ---- what a link holds ----

#[test]
fn a_stranger_makes_a_link_hold_a_hello_frame_and_one_segment() {
    let mut link = Link::new(Dialect::Native, Purpose::Asking);
    let body = [vec![5; HELLO_FRAME_BYTES_MAX - 1], vec![0]].concat();
    let stream = [PREFACE.as_slice(), &framed(&body)].concat();
    let ((), cost) = cost_of(|| {
        for byte in &stream[..stream.len() - 1] {
            assert_eq!(heard_by(&mut link, &[*byte]), Ok(0));
        }
    });
    assert!(cost.most <= 3 * (HELLO_FRAME_BYTES_MAX + 4), "{cost:?}");
    // The rest comes in one segment with all a socket can hold, and nothing of it stays.
    let flood = vec![0; SEGMENT_BYTES];
    let (heard, cost) = cost_of(|| heard_by(&mut link, &flood));
    assert!(heard.is_err());
    assert!(cost.most <= SEGMENT_BYTES + SLACK_BYTES, "{cost:?}");
    assert!(cost.kept <= SLACK_BYTES, "{cost:?}");
}

#[test]
fn a_frame_that_never_ends_is_held_once_and_let_go_of_with_its_link() {
    let frame = framed(&vec![6; FRAME_BYTES_MAX]);
    let mut link = greeted();
    let ((), cost) = cost_of(|| {
        for segment in frame[..frame.len() - 1].chunks(SEGMENT_BYTES) {
            assert_eq!(heard_by(&mut link, segment), Ok(0));
        }
    });
    // A buffer doubles as it grows, and for a moment the old one stands beside the new one.
    assert!(cost.largest <= 2 * (FRAME_BYTES_MAX + SEGMENT_BYTES), "{cost:?}");
    assert!(cost.most <= 3 * (FRAME_BYTES_MAX + SEGMENT_BYTES), "{cost:?}");
    let before = cost.kept;
    let (heard, cost) = cost_of(|| heard_by(&mut link, &[0]));
    assert!(matches!(heard, Err(WireError::Malformed(_))));
    assert_eq!(cost.kept, 0);
    let ((), cost) = cost_of(|| {
        for _ in 0..100 {
            assert!(heard_by(&mut link, &frame[..SEGMENT_BYTES]).is_err());
        }
    });
    assert!(cost.most <= SLACK_BYTES, "a broken link holds nothing: {cost:?}");
    assert!(before >= FRAME_BYTES_MAX, "before the error it held the frame: {before}");
}

#[test]
fn a_link_gives_back_what_long_messages_needed() {
    let frame = frame(&answer_of(VALUE_BYTES_MAX));
    let mut link = greeted();
    let ((), cost) = cost_of(|| {
        for _ in 0..3 {
            let heard: usize =
                frame.chunks(SEGMENT_BYTES).map(|segment| heard_by(&mut link, segment).expect("a whole message")).sum();
            assert_eq!(heard, 1);
            assert_eq!(link.send(&answer_of(VALUE_BYTES_MAX)), Ok(()));
            assert_eq!(link.send(&answer_of(VALUE_BYTES_MAX)), Ok(()));
            link.sent(link.unsent().len());
        }
    });
    assert!(cost.kept <= IDLE_LINK_BYTES_MAX, "{cost:?}");
}

#[test]
fn an_idle_link_costs_next_to_nothing() {
    let (_link, cost) = cost_of(|| {
        let mut link = greeted();
        for _ in 0..1_000 {
            assert_eq!(heard_by(&mut link, &frame(&Message::Ping)), Ok(1));
            assert_eq!(link.send(&Message::Pong), Ok(()));
            link.sent(link.unsent().len());
        }
        // A long message there and back is no reason to keep more.
        assert_eq!(heard_by(&mut link, &frame(&answer_of(1_000))), Ok(1));
        assert_eq!(link.send(&answer_of(1_000)), Ok(()));
        link.sent(link.unsent().len());
        link
    });
    assert!(cost.kept <= IDLE_LINK_BYTES_MAX, "{cost:?}");
}

/// A servent that has dialled half of its neighbors and was dialled by the other half.
fn linked_servent(neighbors: u64) -> Overlay {
    let address = |number: u64| SocketAddr::from(([10, 0, 0, u8::try_from(number).expect("few")], 9000));
    let dialled = |number| {
        let address = address(number);
        Neighbor { name: address.to_string(), addresses: vec![address], dialect: Dialect::Native }
    };
    let config = Config {
        advertised: address(0),
        servent_id: ServentId(1),
        neighbors: (0..neighbors / 2).map(dialled).collect(),
        ..Config::default()
    };
    let mut overlay = Overlay::new(&config, Arc::new(Store::default()));
    let mut out = Vec::new();
    overlay.handle(Time::START, Input::Deadline, &mut out);
    for number in 0..neighbors {
        let opening = match usize::try_from(number) {
            Ok(target) if number < neighbors / 2 => Opening::Dialled(Dial::Neighbor(target)),
            _ => Opening::Accepted(address(number)),
        };
        let link = LinkId(number);
        overlay.handle(Time::START, Input::Opened { link, opening }, &mut out);
        let role = Role::Servent { id: ServentId(100 + u128::from(number)), advertised: address(number) };
        let message = Message::Hello(Hello::new(role));
        overlay.handle(Time::START, Input::Received { link, message }, &mut out);
    }
    overlay
}

#[test]
fn an_idle_servent_with_eight_neighbors_holds_512_bytes_at_most_and_knows_how_many() {
    let store_bytes = cost_of(|| Arc::new(Store::default())).1.kept;
    let (overlay, cost) = cost_of(|| linked_servent(8));
    assert_eq!(overlay.holding("neighbors"), Some(8));
    let held = overlay.memory_bytes();
    assert!(held <= 512, "{held}");
    // What is counted is what was allocated: all but the struct itself, which is here, and the store.
    assert_eq!(held - size_of::<Overlay>(), cost.kept - store_bytes);
}

/// A servent of its own address, with a neighbor it knows by name and another that dialled it, and what it heard.
fn busy_servent(advertised: SocketAddr, tp3_answers: &[IpNet], queries: u64, ttl: u8, dialect: Dialect) -> Overlay {
    let address = |port| SocketAddr::new(advertised.ip(), port);
    let named = Neighbor { name: "north.example".to_owned(), addresses: vec![address(1), address(2)], dialect };
    let config = Config {
        advertised,
        servent_id: ServentId(1),
        neighbors: vec![named],
        answer_networks: tp3_answers.to_vec(),
        ..Config::default()
    };
    let mut overlay = Overlay::new(&config, Arc::new(Store::default()));
    let mut out = Vec::new();
    overlay.handle(Time::START, Input::Deadline, &mut out);
    for (link, opening) in [(0, Opening::Dialled(Dial::Neighbor(0))), (1, Opening::Accepted(address(9)))] {
        let link = LinkId(link);
        overlay.handle(Time::START, Input::Opened { link, opening }, &mut out);
        let role = Role::Servent { id: ServentId(100 + u128::from(link.0)), advertised: address(10) };
        let message = Message::Hello(Hello::new(role));
        overlay.handle(Time::START, Input::Received { link, message }, &mut out);
    }
    for sequence in 0..queries {
        let client = AnswerAddress { socket: address(7000), dialect };
        let ask = Ask::Key(Key::new(b"tea").expect("a key"));
        let contact = (dialect == Dialect::Native).then_some(ContactMark {
            name: ContactName(1),
            number: sequence,
            open_from: 0,
        });
        let query = Query { sequence, client, contact, ttl, hops: 1, ask, path: Path::default() };
        let message = Message::query(query);
        overlay.handle(Time::START, Input::Received { link: LinkId(1), message }, &mut out);
    }
    overlay
}

/// A simulator asks at every event.
#[test]
fn what_a_servent_holds_is_told_without_memory() {
    let overlay = linked_servent(8);
    let (sum, cost) = cost_of(|| overlay.holdings().map(|holding| holding.value).sum::<u64>());
    assert_eq!((sum, cost.most), (16, 0), "eight neighbors, which are eight links");
}

/// Six of seven copies of a flood are such.
#[test]
fn a_copy_that_brings_nothing_new_takes_no_memory() {
    let own = SocketAddr::from(([10, 0, 0, 1], 9000));
    let mut overlay = busy_servent(own, &[], 0, 0, Dialect::Native);
    let client = AnswerAddress { socket: SocketAddr::from(([10, 0, 0, 1], 7000)), dialect: Dialect::Native };
    let ask = Ask::Key(Key::new(b"tea").expect("a key"));
    let query = Arc::new(Query { sequence: 1, client, contact: None, ttl: 3, hops: 1, ask, path: Path::default() });
    let mut out = Vec::with_capacity(4);
    for (is_new, said) in [(true, 1), (false, 2), (false, 3)] {
        let input = Input::Received { link: LinkId(1), message: Message::Query(Arc::clone(&query)) };
        let ((), cost) = cost_of(|| overlay.handle(Time::START, input, &mut out));
        assert_eq!((cost.most > 0, out.len()), (is_new, said));
    }
    assert!(matches!(out[1], Output::Send { message: Message::Echo(_), .. }), "{out:?}");
}

#[test]
fn a_servent_that_remembers_queries_knows_how_much_it_holds() {
    let v4 = SocketAddr::from(([10, 0, 0, 1], 9000));
    let v6 = SocketAddr::from(([0xfd00, 0, 0, 0, 0, 0, 0, 1], 9000));
    let network: IpNet = "10.0.0.0/8".parse().expect("a network");
    let store_bytes = cost_of(|| Arc::new(Store::default())).1.kept;
    for (advertised, networks) in [(v4, 0), (v6, 0), (v4, 1), (v6, 2)] {
        for dialect in [Dialect::Native, Dialect::Tp3] {
            let uncounted = |queries, ttl| {
                let networks = vec![network; networks];
                let (overlay, cost) = cost_of(|| busy_servent(advertised, &networks, queries, ttl, dialect));
                let seen = ["seen", "seen_by_age"].map(|name| overlay.holding(name).unwrap_or_default());
                assert_eq!(seen, if dialect == Dialect::Native { [queries, 0] } else { [0, queries] });
                let held = overlay.memory_bytes() - size_of::<Overlay>();
                (cost.kept - store_bytes).checked_sub(held).expect("no more than there is")
            };
            for queries in [0, 1, 3, 4, 5, 6, 100] {
                assert_eq!(uncounted(queries, 0), 0, "{queries} queries that end here");
            }
            // A query that is kept to be offered again counts for what it says; what is around it is the same for all.
            let each = uncounted(1, 3);
            assert!(each <= 64, "{each}");
            for queries in [3, 5, 100] {
                assert_eq!(uncounted(queries, 3) as u64, each as u64 * queries, "{queries} queries that go on");
            }
        }
    }
}

#[test]
fn what_is_remembered_of_queries_of_its_own_clients_is_counted_too() {
    let address = SocketAddr::from(([10, 0, 0, 1], 9000));
    let uncounted = |count: u64| {
        let mut overlay = busy_servent(address, &[], 0, 3, Dialect::Native);
        let mut out = Vec::new();
        let link = LinkId(7);
        overlay.handle(Time::START, Input::Opened { link, opening: Opening::Accepted(address) }, &mut out);
        let hello = Message::Hello(Hello::new(Role::Client { answer_port: 7000 }));
        overlay.handle(Time::START, Input::Received { link, message: hello }, &mut out);
        // What is made with the first query is made, and is of no size that changes.
        let mut ask = |sequence| {
            let ask = Ask::Key(Key::new(b"tea").expect("a key"));
            let message = Message::Request(Request { sequence, ask });
            overlay.handle(Time::START, Input::Received { link, message }, &mut Vec::new());
            overlay.memory_bytes()
        };
        let before = ask(0);
        let (after, cost) = cost_of(|| (1..=count).map(&mut ask).last().unwrap_or(before));
        assert_eq!((overlay.holding("own_open"), overlay.holding("seen")), (Some(count + 1), Some(count + 1)));
        cost.kept.checked_sub(after - before).expect("no more than there is")
    };
    // What is around a query that is kept to be offered again is the same for all.
    let each = uncounted(1);
    assert!(each <= 64, "{each}");
    for count in [2, 5, 100] {
        assert_eq!(uncounted(count) as u64, each as u64 * count, "{count} queries");
    }
}

#[test]
fn what_further_copies_of_a_query_take_is_counted_too() {
    let address = SocketAddr::from(([10, 0, 0, 1], 9000));
    let client = AnswerAddress { socket: address, dialect: Dialect::Native };
    let uncounted = |count: u64| {
        let mut overlay = busy_servent(address, &[], 0, 3, Dialect::Native);
        let hear = |overlay: &mut Overlay, sequence, ttl| {
            let ask = Ask::Key(Key::new(b"tea").expect("a key"));
            let contact = Some(ContactMark { name: ContactName(7), number: sequence, open_from: 0 });
            let query = Query { sequence, client, contact, ttl, hops: 1, ask, path: Path::default() };
            let input = Input::Received { link: LinkId(1), message: Message::query(query) };
            overlay.handle(Time::START, input, &mut Vec::new());
        };
        (0..count).for_each(|sequence| hear(&mut overlay, sequence, 1));
        let before = overlay.memory_bytes();
        let ((), cost) = cost_of(|| {
            for ttl in 2..=3 {
                (0..count).for_each(|sequence| hear(&mut overlay, sequence, ttl));
            }
        });
        assert_eq!(overlay.holding("pending"), Some(3 * count));
        cost.kept.checked_sub(overlay.memory_bytes() - before).expect("no more than there is")
    };
    // What is around a query that is kept to be offered again is the same for all.
    let each = uncounted(1);
    assert!(each <= 2 * 64, "{each}");
    for count in [2, 5, 100] {
        assert_eq!(uncounted(count) as u64, each as u64 * count, "{count} queries");
    }
}

#[test]
fn forged_contacts_by_the_million_are_no_reason_to_grow() {
    let address = SocketAddr::from(([10, 0, 0, 1], 9000));
    let mut overlay = busy_servent(address, &[], 0, 0, Dialect::Native);
    let client = AnswerAddress { socket: address, dialect: Dialect::Native };
    let ask = Ask::Key(Key::new(b"tea").expect("a key"));
    let mut now = Time::START;
    let mut forged = 0;
    let mut most = [0, 0];
    for round in 0..10 {
        for _ in 0..100_000 {
            forged += 1;
            // One in four is of a contact that may be known.
            let name = if forged % 4 == 0 { forged - forged % 1_000 } else { forged };
            let contact = Some(ContactMark { name: ContactName(name), number: forged, open_from: 0 });
            let query =
                Query { sequence: forged, client, contact, ttl: 0, hops: 1, ask: ask.clone(), path: Path::default() };
            overlay.handle(now, Input::Received { link: LinkId(1), message: Message::query(query) }, &mut Vec::new());
        }
        // Half a minute later, in which both neighbors are heard.
        for _ in 0..15 {
            for link in [0, 1].map(LinkId) {
                overlay.handle(now, Input::Received { link, message: Message::Pong }, &mut Vec::new());
            }
            now = now + NEIGHBOR_BEAT;
            overlay.handle(now, Input::Deadline, &mut Vec::new());
        }
        let is_late = usize::from(round >= 5);
        most[is_late] = most[is_late].max(overlay.memory_bytes());
    }
    assert!(overlay.holding("over_share") > Some(500_000), "{:?}", overlay.holding("over_share"));
    assert!(most[0] < 32 * 1024 * 1024 && most[1] <= most[0] * 5 / 4, "{most:?}");
}

/// What a contact had open is over, and the contact itself is remembered for as long as it may be quiet: what it takes then is
/// not what it took before.
#[test]
fn contacts_that_had_much_open_hold_little_when_it_is_over() {
    const OPEN: u64 = 10_000;
    const CONTACTS: u64 = 30;
    let address = SocketAddr::from(([10, 0, 0, 1], 9000));
    let mut overlay = busy_servent(address, &[], 0, 0, Dialect::Native);
    let client = AnswerAddress { socket: address, dialect: Dialect::Native };
    let ask = Ask::Key(Key::new(b"tea").expect("a key"));
    let mut sequence = 0;
    let mut most = 0;
    for name in 0..CONTACTS {
        for (number, open_from) in (0..OPEN).map(|number| (number, 0)).chain([(OPEN, OPEN)]) {
            sequence += 1;
            let contact = Some(ContactMark { name: ContactName(name), number, open_from });
            let query = Query { sequence, client, contact, ttl: 0, hops: 1, ask: ask.clone(), path: Path::default() };
            let input = Input::Received { link: LinkId(1), message: Message::query(query) };
            overlay.handle(Time::START, input, &mut Vec::new());
        }
        if name == 0 {
            most = overlay.memory_bytes();
        }
    }
    assert_eq!(overlay.holding("contacts"), Some(CONTACTS));
    let now = overlay.memory_bytes();
    assert!(now <= most + 1024 * 1024, "{now} bytes, and {most} after the first");
}

/// Anybody may be linked and gone again as often as it likes, beside however much others ask.
#[test]
fn a_neighbor_that_comes_and_goes_costs_nothing_for_what_others_asked() {
    let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
    for ttl in [0, 3] {
        // With TTL 0 the echoes are kept, with more they are awaited.
        let mut overlay = busy_servent(address(9000), &[], 10_000, ttl, Dialect::Native);
        let kept = ["echoes_kept", "pending"].map(|name| overlay.holding(name));
        assert_eq!(kept, if ttl == 0 { [Some(10_000), Some(0)] } else { [Some(0), Some(10_000)] });
        let (link, mut out) = (LinkId(2), Vec::with_capacity(10));
        let opening = Opening::Accepted(address(20));
        overlay.handle(Time::START, Input::Opened { link, opening }, &mut out);
        let role = Role::Servent { id: ServentId(200), advertised: address(20) };
        let message = Message::Hello(Hello::new(role));
        let (_, cost) = cost_of(|| overlay.handle(Time::START, Input::Received { link, message }, &mut out));
        assert!(cost.most <= SLACK_BYTES, "it comes, TTL {ttl}: {cost:?}");
        let closed = Input::Closed { link, reason: String::new() };
        let (_, cost) = cost_of(|| overlay.handle(Time::START, closed, &mut out));
        assert!(cost.most <= SLACK_BYTES, "it goes, TTL {ttl}: {cost:?}");
        assert_eq!(kept, ["echoes_kept", "pending"].map(|name| overlay.holding(name)));
    }
}

#[test]
fn a_servent_that_remembers_and_forgets_for_ever_does_not_grow() {
    let address = |port| SocketAddr::from(([10, 0, 0, 1], port));
    for dialect in [Dialect::Native, Dialect::Tp3] {
        let mut overlay = busy_servent(address(9000), &[], 0, 0, dialect);
        let (mut now, mut sequence) = (Time::START, 0);
        let mut remember = |count: u64| {
            let mut hear = |link, message| {
                overlay.handle(now, Input::Received { link: LinkId(link), message }, &mut Vec::new());
            };
            hear(0, Message::Pong);
            for _ in 0..count {
                sequence += 1;
                let client = AnswerAddress { socket: address(7000), dialect };
                let ask = Ask::Key(Key::new(b"tea").expect("a key"));
                let query = Query { sequence, client, contact: None, ttl: 0, hops: 1, ask, path: Path::default() };
                hear(1, Message::query(query));
            }
            assert_eq!(overlay.holding("seen_by_age"), Some(count));
            now = now + SEEN_TP3_AGE_MAX;
            overlay.handle(now, Input::Deadline, &mut Vec::new());
            overlay.memory_bytes()
        };
        let first = (0..3).map(|_| remember(50)).max().unwrap_or(0);
        let last = (0..40).map(|_| remember(50)).max().unwrap_or(0);
        // A table may have to be made a little larger for what is taken out of it, once.
        assert!(last < first * 3 / 2, "{dialect:?}: {first}, then {last}");
    }
}

/// A client's mind whose contact has said hello.
fn attached_client() -> Session {
    let mut client = Session::new(Dialect::Native, 7000, Secret::of_seed(0));
    let contact = SocketAddr::from(([127, 0, 0, 1], 9000));
    let hello = Hello::new(Role::Servent { id: ServentId(1), advertised: contact });
    let mut out = Vec::new();
    client.handle(Time::START, session::Input::Attached { link: LinkId(1), contact }, &mut out);
    let message = Message::Hello(hello);
    client.handle(Time::START, session::Input::Received { link: LinkId(1), message }, &mut out);
    client
}

#[test]
fn a_clients_mind_holds_little_for_each_query_and_of_those_the_contact_has_finished_their_sequences() {
    let (mut client, idle) = cost_of(attached_client);
    assert!(idle.kept + size_of::<Session>() <= 4 * 1024, "{idle:?}");
    let mut sequences = Vec::with_capacity(CLIENT_PENDING_MAX);
    let mut out = Vec::with_capacity(2);
    let hear_finished = |client: &mut Session, sequences: &[u64], out: &mut Vec<session::Output>| {
        for sequence in sequences {
            let finished = Finished { sequence: *sequence, tally: Tally { reached: 1, ..Tally::default() } };
            let input = session::Input::Received { link: LinkId(1), message: Message::Finished(finished) };
            client.handle(Time::START, input, out);
            out.clear();
        }
    };
    let (at_rest, mut most) = (held(), 0);
    for count in [1, CLIENT_PENDING_MAX, 1] {
        most = count.max(most);
        let ((), pending) = cost_of(|| {
            for _ in 0..count {
                let question = Question::new(Ask::Topology);
                sequences.push(client.ask(Time::START, question, &mut out).expect("there is room"));
                out.clear();
            }
        });
        assert!(pending.kept <= 4 * 1024 + count * 768, "{count}: {pending:?}");
        // Those that nobody waits for any more cost less, until the contact has said its word on them.
        client.handle(Time::START + SILENCE_DEFAULT, session::Input::Deadline, &mut out);
        out = Vec::with_capacity(2);
        let kept = kept_since(at_rest);
        assert!(kept <= 4 * 1024 + count * 160 + most * 40, "{count}: {kept}");
        hear_finished(&mut client, &sequences, &mut out);
        assert_eq!(client.pending_count(), 0);
        // Of as many as are not to be drawn again.
        let kept = kept_since(at_rest);
        assert!(kept <= 4 * 1024 + most * 40, "{count}: {kept} are still held");
        sequences.clear();
    }
}

#[test]
fn a_link_that_never_comes_to_rest_does_not_grow() {
    let mut link = greeted();
    let ping = frame(&Message::Ping);
    let (first, last) = ping.split_at(2);
    assert_eq!(heard_by(&mut link, first), Ok(0));
    assert_eq!(link.send(&Message::Pong), Ok(()));
    let segment = [last, first].concat();
    let ((), cost) = cost_of(|| {
        for _ in 0..10_000 {
            // Always in the middle of a frame, and never everything written.
            assert_eq!(heard_by(&mut link, &segment), Ok(1));
            assert_eq!(link.send(&Message::Pong), Ok(()));
            link.sent(ping.len());
        }
    });
    assert!(link.is_mid_frame());
    assert!(!link.unsent().is_empty());
    assert!(cost.most <= SLACK_BYTES, "{cost:?}");
}

#[test]
fn a_refused_message_is_not_kept() {
    let mut link = stranger();
    let message = answer_of(STRANGER_UNSENT_BYTES_MAX);
    let ((), cost) = cost_of(|| {
        for _ in 0..100 {
            assert!(matches!(link.send(&message), Err(SendError::Full(_))));
        }
    });
    assert_eq!(cost.kept, 0, "{cost:?}");
    assert!(cost.most <= 3 * STRANGER_UNSENT_BYTES_MAX, "{cost:?}");
}

/// A crowd that says much at once: what is left over waits as the bytes it came in, and what is over is given back.
#[test]
fn links_that_have_more_to_say_than_a_visit_takes_hold_what_was_read_of_them_and_no_more() {
    const LINKS: usize = 200;
    // Of 10,000 clients, whose servent may have 64 MiB.
    const EACH_BYTES_MAX: usize = 64 * 1024 * 1024 / 10_000 - 1024;
    let links = || (0..).map(LinkId).take(LINKS);
    let request = frame(&Message::Request(Request { sequence: 1, ask: Ask::Key(Key::new(b"tea").expect("a key")) }));
    let burst: Vec<u8> = request.iter().copied().cycle().take(READ_BYTES).collect();
    assert!(READ_BYTES / request.len() > 2 * MESSAGES_PER_VISIT as usize, "more than a visit takes");
    let hello = Message::Hello(Hello::new(Role::Client { answer_port: 9990 }));
    let hello = [&PREFACE, Frame::at(Position::First, Dialect::Native, &hello).expect("a hello").as_bytes()].concat();
    let hear = |exchange: &mut Exchange| std::iter::from_fn(|| exchange.next_heard(Time::START, &mut Nowhere)).count();
    for rests in [false, true] {
        let (mut exchange, idle) = cost_of(|| {
            let mut exchange = Exchange::servent(Accepts::OWN);
            for link in links() {
                exchange.on_accepted(link, SocketAddr::from(([10, 0, 0, 1], 1)));
                exchange.receive(link, &hello);
            }
            assert_eq!(hear(&mut exchange), LINKS);
            exchange
        });
        let says = |exchange: &mut Exchange| {
            let mut heard = 0;
            for link in links() {
                exchange.receive(link, &burst);
                heard += hear(exchange);
                if rests {
                    exchange.perform(Time::START, Output::Rest { link }, &mut Nowhere);
                }
            }
            heard
        };
        // The end of it is half a request.
        let before = held();
        let (heard, busy) = cost_of(|| says(&mut exchange));
        assert_eq!(heard, LINKS * MESSAGES_PER_VISIT as usize);
        let each = (idle.kept + busy.kept) / LINKS;
        assert!(each <= EACH_BYTES_MAX && busy.most <= busy.kept + 2 * EACH_BYTES_MAX, "{each}: {busy:?}");
        for link in links() {
            exchange.perform(Time::START, Output::Resume { link }, &mut Nowhere);
        }
        while exchange.deadline() == Some(Time::START) {
            exchange.on_time(Time::START, &mut Nowhere);
            hear(&mut exchange);
        }
        let left = kept_since(before) / LINKS;
        assert!(left <= IDLE_LINK_BYTES_MAX, "{left} bytes of each are kept, rests: {rests}");
    }
}

/// Connections that take everything.
struct Nowhere;

impl Transport for Nowhere {
    fn read(&mut self, _: LinkId, _: &mut [u8]) -> Result<Option<usize>, String> {
        Ok(None)
    }

    fn write(&mut self, _: LinkId, bytes: &[u8]) -> Result<usize, String> {
        Ok(bytes.len())
    }

    fn watch(&mut self, _: LinkId, _: bool, _: bool) -> Result<(), String> {
        Ok(())
    }

    fn shut(&mut self, _: LinkId) -> Result<(), String> {
        Ok(())
    }

    fn close(&mut self, _: LinkId) {}

    fn on_said(&mut self, _: LinkId, _: &Message, _: &Result<(), SendError>) {}
}

// ---- any bytes ----

/// Messages, pieces of messages and noise, in frames whose length may lie.
fn hostile_stream() -> impl Strategy<Value = Vec<u8>> {
    let body = prop_oneof![
        // Bytes that look like a message for as long as possible, with a length somewhere in them that is too much.
        (0_u8..9, prop::collection::vec(0_u8..4, 0..20), any::<u64>(), prop::collection::vec(any::<u8>(), 0..200))
            .prop_map(|(message, words, length, rest)| {
                [&[0, message], words.as_slice(), &[253], &length.to_be_bytes(), &rest].concat()
            }),
        (any::<u8>(), 0..VALUE_BYTES_MAX).prop_map(|(byte, length)| frame(&answer_with(byte, length))[4..].to_vec()),
        prop::collection::vec(any::<u8>(), 0..100),
    ];
    let framed = prop_oneof![
        8 => body.prop_map(|body| framed(&body)),
        1 => (any::<u32>(), prop::collection::vec(any::<u8>(), 0..100))
            .prop_map(|(length, rest)| [length.to_be_bytes().as_slice(), &rest].concat()),
    ];
    prop::collection::vec(framed, 1..5).prop_map(|frames| frames.concat())
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 128,
        // The printed case is enough to write the test that keeps it.
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn no_bytes_make_a_link_hold_more_than_a_frame_and_a_segment(
        stream in hostile_stream(),
        segment_bytes in 1_000..=SEGMENT_BYTES,
        is_greeted in any::<bool>(),
    ) {
        let mut link = if is_greeted { greeted() } else { stranger() };
        let frame_bytes_max = if is_greeted { FRAME_BYTES_MAX } else { HELLO_FRAME_BYTES_MAX };
        let (error, cost) = cost_of(|| {
            stream.chunks(segment_bytes).find_map(|segment| heard_by(&mut link, segment).err())
        });
        // Held: the buffer, which doubles as it grows (and beside it the one it grew out of). Beside that, a message
        // while it is decoded.
        let buffers_max = 3 * (4 + frame_bytes_max + segment_bytes) + SLACK_BYTES;
        prop_assert!(cost.most <= buffers_max + FRAME_BYTES_MAX, "{:?}", cost);
        let buffer_max = 2 * (4 + frame_bytes_max + segment_bytes) + SLACK_BYTES;
        prop_assert!(cost.kept <= if error.is_some() { SLACK_BYTES } else { buffer_max }, "{:?}", cost);
    }
}

// ---- links and bytes ----

/// A link that has heard a preface.
fn stranger() -> Link {
    let mut link = Link::new(Dialect::Native, Purpose::Asking);
    assert_eq!(heard_by(&mut link, &PREFACE), Ok(0));
    link
}

/// A link that has heard a hello.
fn greeted() -> Link {
    let mut link = stranger();
    let hello = Message::Hello(Hello::new(Role::Client { answer_port: 9990 }));
    let frame = Frame::at(Position::First, Dialect::Native, &hello).expect("it can be said");
    assert_eq!(heard_by(&mut link, frame.as_bytes()), Ok(1));
    link
}

fn answer_of(length: usize) -> Message {
    answer_with(b'v', length)
}

fn answer_with(byte: u8, length: usize) -> Message {
    Message::Answer(Answer {
        sequence: 0,
        asked: Some(AskHash(0)),
        hops: 0,
        body: AnswerBody::Value(vec![byte; length]),
    })
}

fn frame(message: &Message) -> Vec<u8> {
    let frame = Frame::new(Dialect::Native, message).expect("the message can be said");
    frame.as_bytes().to_vec()
}

/// A frame around bytes that may be no message.
fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a test's body is short");
    [length.to_be_bytes().as_slice(), body].concat()
}

/// How many messages a link makes of bytes that arrive together. They are dropped one by one, as a program does it.
fn heard_by(link: &mut Link, bytes: &[u8]) -> Result<usize, WireError> {
    link.receive(bytes);
    let mut heard = 0;
    while link.next_message()?.is_some() {
        heard += 1;
    }
    Ok(heard)
}

// ---- data ----

/// Whoever reads it beside what is served needs room for both, and no more. Of lines that are repeated each takes its
/// place until all are read.
#[test]
fn data_takes_no_more_while_it_is_read_than_when_it_is_held() {
    let keys: String = (0..10_000).map(|number| format!("# {number}\n\nkey-{number} value of {number}\n")).collect();
    for text in [keys.clone(), keys.replace('\n', "\r\n"), keys.replace("key-", " \tkey-")] {
        let mut text = text.into_bytes();
        text.shrink_to_fit();
        let text_bytes = text.len();
        let (store, cost) = cost_of(|| Store::parse(text).map(|(store, _)| store).expect("there is room"));
        let index_bytes = store.bytes_count() - text_bytes;
        // The text came from outside and is held already.
        assert_eq!(cost.kept, index_bytes);
        let most = index_bytes + store.bytes_count() / 20;
        assert!(cost.most <= most, "{} bytes at once, where {most} are the most: {store:?}", cost.most);
    }
}

/// Whatever of it is too much: the places of the lines, the table, or the smaller table that many repeated lines leave
/// room for. An allocation that cannot be refused would end this test with its process.
#[test]
fn data_for_which_there_is_too_little_memory_is_refused_and_leaves_nothing() {
    let unlike: String = (0..10_000).map(|number| format!("key-{number} value\n")).collect();
    let alike = "tea green\n".repeat(10_000);
    for text in [unlike, alike] {
        let parse = |text: &str, bytes: usize| {
            let text = text.as_bytes().to_vec();
            with_at_most(bytes, || Store::parse(text).map(|(store, _)| store.len()))
        };
        let (all, cost) = cost_of(|| parse(&text, usize::MAX));
        let most = cost.most - text.len();
        assert!(all.is_ok());
        let mut refused_count = 0;
        for bytes in (0..most).step_by(most / 500 + 1) {
            let (parsed, cost) = cost_of(|| parse(&text, bytes));
            assert!(parsed == all || parsed == Err(StoreError::TooLittleMemory), "{bytes} of {most}: {parsed:?}");
            assert_eq!(cost.kept, 0);
            refused_count += usize::from(parsed.is_err());
        }
        assert!(refused_count > 0);
        assert_eq!(parse(&text, most), all);
    }
}
