//! What is malformed, what may just be, and what cannot be said.

use super::*;
use crate::support::frames::answer;
use common::limits::{FRAME_BYTES_MAX, NAME_BYTES_MAX};
use common::wire::{EncodeError, Frame};

/// What a link that was greeted makes of a frame with this body.
fn heard_in(body: &str) -> Result<Vec<Message>, WireError> {
    heard_by(&mut greeted(), &framed(&stamped(body)))
}

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
        ("a servent without its name", "00 02 00112233445566778899aabbccddeeff 00 7f000001 01"),
        (
            "an answer that goes back without its name",
            "1e 0000000000000000 00 00 00112233445566778899aabbccddeeff 00 7f000001 01 00 00 00",
        ),
        ("an answer that is handed without its name", "1f 00 00112233445566778899aabbccddeeff 00 7f000001 01 00 00 00"),
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
        ("an echo whose sum ends early", "07 00 00 7f000001 01 00 00 00 00 00 00 00 00 00 00000000000000"),
        ("an echo without its last byte", "07 00 00 7f000001 01 00 00 00 00 00 00 00 00 00 0000000000000000"),
        (
            "an echo that is neither dialled nor not",
            "07 00 00 7f000001 01 00 00 00 00 00 00 00 00 00 0000000000000000 02",
        ),
        ("a finished that is neither", "08 00 00 00 00 00 00 00 00 00 0000000000000000 02"),
        ("a request that does not say how far it goes", "09 00 01"),
        ("a request that goes as far as no byte can say", "09 00 01 fb0100"),
        ("a query answered back that has no contact", "05 00 00 7f000001 01 02 00 00 01 01 00"),
        (
            "an unknown answer that goes back",
            "0a 0000000000000000 00 00 00000000000000000000000000000000 00 7f000001 01 00 fa",
        ),
        ("an unknown answer that is handed", "0b 00 00000000000000000000000000000000 00 7f000001 01 00 fa"),
        ("an answer that goes back to a name that ends early", "0a 00000000"),
        ("an answer that goes back without the TTL of its copy", "0a 0000000000000000 00"),
        ("an answer that goes back from an id that ends early", "0a 0000000000000000 00 00 0000000000000000"),
        ("an announced length of 128 bits", "0b 00 00000000000000000000000000000000 00 7f000001 01 00 02 fe"),
    ] {
        let heard = heard_in(body);
        assert!(matches!(heard, Err(WireError::Malformed(_))), "{what}: {heard:?}");
    }
}

#[test]
fn what_has_no_words_is_not_encoded() {
    let query_via = |via, contact| {
        let (client, path) = (client("127.0.0.1:0"), Path::default());
        Message::query(Query { via, sequence: 0, client, contact, ttl: 0, hops: 1, ask: Ask::Topology, path })
    };
    let query = |contact| query_via(Via::Direct, contact);
    let answer = |asked| Message::Answer(Answer { sequence: 0, asked, hops: 0, body: AnswerBody::Value(Vec::new()) });
    let servent = Role::Servent { id: ServentId(1), advertised: address("127.0.0.1:1") };
    let hello = |role, name: Option<&str>, features| {
        Message::Hello(Hello { name: name.map(named), features, ..Hello::new(role) })
    };
    for (message, can_be_said) in [
        (query(None), true),
        (query(Some(mark(1, 7, 7))), true),
        (query(Some(mark(1, 7, 8))), false),
        (query(Some(mark(1, SPAN_MAX, 0))), true),
        (query(Some(mark(1, SPAN_MAX + 1, 0))), false),
        (query(Some(mark(1, u64::MAX, 0))), false),
        // Nobody could say whose query it answers.
        (query_via(Via::Back, None), false),
        (query_via(Via::Back, Some(mark(1, 7, 7))), true),
        (answer(Some(AskHash(0))), true),
        (answer(None), false),
        (hello(servent, None, Features::NONE), true),
        (hello(servent, Some("kitchen"), Features::NAME), true),
        (hello(servent, Some("kitchen"), Features::BACK), false),
        (hello(Role::Client { answer_port: 1 }, Some("kitchen"), Features::NAME), false),
    ] {
        let encoded = Frame::new(Dialect::Native, &message);
        assert_eq!(encoded.is_ok(), can_be_said, "{message:?}");
        assert!(!matches!(encoded, Err(EncodeError::TooLong(_))), "{message:?}");
    }
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let heard = heard_in("02 00 00");
    assert_eq!(
        heard.expect_err("two bytes too many").to_string(),
        "a frame that holds no message: its message ends after 2 of 4 bytes"
    );
    let heard = heard_in("04 00 00 00");
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
        ("05 00 00 7f000001 01 02 00 00 01 01 00", "answers that go back to no contact"),
        ("05 00 00 7f000001 01 03 00 00 01 01 00", "a client that hears answers in dialect 3"),
        ("08 00 00 00 00 00 00 00 00 00 0000000000000000 02", "it does not follow the layout"),
    ] {
        let heard = heard_in(body);
        assert_eq!(heard.expect_err(body), WireError::Malformed(words.to_owned()));
    }
}

#[test]
fn a_frame_knows_its_length_and_whether_it_says_anything() {
    let ping = Frame::new(Dialect::Native, &Message::Ping).unwrap();
    assert_eq!((ping.body_bytes_count(), ping.as_bytes().len(), ping.is_empty()), (2, 6, false));
    let value = answer(b"green".to_vec());
    let value = Frame::new(Dialect::Tp3, &value).unwrap();
    assert_eq!((value.body_bytes_count(), value.is_empty()), (value.as_bytes().len(), false));
    assert!(Frame::new(Dialect::Tp3, &Message::Ping).unwrap().is_empty());
}

#[test]
fn a_number_may_be_longer_than_it_has_to_be() {
    let request = Message::Request(Request { sequence: 7, ask: Ask::Topology, ttl: None });
    for body in ["04 07 01", "04 fb0007 01", "fb0004 fc00000007 fc00000001", "04 fd0000000000000007 01"] {
        assert_eq!(heard_in(body), Ok(vec![request.clone()]), "{body}");
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
        ("07 00", "00 00 00 00 00 00 00 00 00 0000000000000000 00"),
        ("0a 0000000000000000 00 00 00112233445566778899aabbccddeeff", "00 00 00"),
        ("0b 00 00112233445566778899aabbccddeeff", "00 01 00 00"),
        ("0b 00 00112233445566778899aabbccddeeff 00 7f000001 01 00 01 01", "00"),
        ("0b 00 00112233445566778899aabbccddeeff 00 7f000001 01 00 01 00 01", ""),
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
        ttl: None,
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
    let longest = answer(vec![b'v'; VALUE_BYTES_MAX]);
    assert_eq!(frame(&longest), framed_value(VALUE_BYTES_MAX));
    assert_eq!(heard_by(&mut greeted(), &framed_value(VALUE_BYTES_MAX)), Ok(vec![longest]));
    let heard = heard_by(&mut greeted(), &framed_value(VALUE_BYTES_MAX + 1));
    assert_eq!(heard, Err(WireError::Malformed("a value of 1048577 bytes, where 1048576 is the most".to_owned())));
}

#[test]
fn a_value_that_goes_back_may_have_a_limit_of_its_own_and_no_byte_more() {
    // Servents bring it and contacts hand it: it has one limit, on whatever link.
    let from = "00112233445566778899aabbccddeeff 00 7f000001 01 00 00 fb";
    for before in ["0a 0000000000000000 00 00", "0b 00"] {
        let framed_value = |length: usize| {
            let length_bytes = u16::try_from(length).expect("the limit fits").to_be_bytes();
            framed(&[&stamped(before), &bytes(from), length_bytes.as_slice(), &vec![b'v'; length]].concat())
        };
        let heard = heard_by(&mut greeted(), &framed_value(BROUGHT_BYTES_MAX));
        let Ok([Message::Brought(Brought { answer, .. }) | Message::Handed(Handed { answer, .. })]) = heard.as_deref()
        else {
            panic!("{before}: {heard:?}")
        };
        assert_eq!(answer.body, BroughtBody::of(AnswerBody::Value(vec![b'v'; BROUGHT_BYTES_MAX])), "{before}");
        let heard = heard_by(&mut greeted(), &framed_value(BROUGHT_BYTES_MAX + 1));
        let refused = "a value of 6145 bytes, where 6144 is the most".to_owned();
        assert_eq!(heard, Err(WireError::Malformed(refused)), "{before}");
    }
    let longer = BroughtBody::of(AnswerBody::Value(vec![b'v'; BROUGHT_BYTES_MAX + 1]));
    assert_eq!(longer, BroughtBody::Announced(6_145), "what is longer is announced");
}

#[test]
fn a_name_is_text_and_may_have_its_limit_and_no_byte_more() {
    let (hello, from) =
        ("00112233445566778899aabbccddeeff 00 7f000001 01", "00112233445566778899aabbccddeeff 00 7f000001 01 00 00 00");
    let with = |before: &str, name: &[u8], after: &str| {
        let length = [u8::try_from(name.len()).expect("it is short")];
        framed(&[&bytes(before), length.as_slice(), name, &bytes(after)].concat())
    };
    let heard = |place: &str, name: &[u8]| match place {
        "hello" => heard_by(&mut stranger(), &with(&format!("00 02 {hello}"), name, "20 00")),
        "brought" => heard_by(&mut greeted(), &with(&format!("00 1e 0000000000000000 00 00 {from}"), name, "")),
        _ => heard_by(&mut greeted(), &with(&format!("00 1f 00 {from}"), name, "")),
    };
    for place in ["hello", "brought", "handed"] {
        // Whatever it holds that is text: it is escaped where it is shown.
        for name in [&b"k"[..], &[b'n'; NAME_BYTES_MAX], b"\0", b"\x1b[2J\n", "\u{202e}ntrin".as_bytes()] {
            let text = named(std::str::from_utf8(name).expect("it is text"));
            let said = match heard(place, name).as_deref() {
                Ok([Message::Hello(hello)]) => hello.name.clone(),
                Ok([Message::Brought(Brought { answer, .. }) | Message::Handed(Handed { answer, .. })]) => {
                    answer.name.clone()
                }
                heard => panic!("{place}: {heard:?}"),
            };
            assert_eq!(said, Some(text), "{place}");
        }
        for (name, words) in [
            (&b""[..], "the name is empty"),
            (&[b'n'; NAME_BYTES_MAX + 1], "the name has 65 bytes; 64 is the most"),
            (b"caf\xe9", "the name is no UTF-8"),
            (b"\xed\xa0\x80", "the name is no UTF-8"),
        ] {
            assert_eq!(heard(place, name), Err(WireError::Malformed(words.to_owned())), "{place}");
        }
    }
    // Whoever has a name understands names, whatever else it can do.
    for (features, is_well) in [("20", true), ("3f", true), ("00", false), ("1f", false)] {
        let heard = heard_by(&mut stranger(), &with(&format!("00 02 {hello}"), b"kitchen", &format!("{features} 00")));
        assert_eq!(heard.is_ok(), is_well, "{features}: {heard:?}");
    }
}

#[test]
fn a_run_of_addresses_may_have_its_limit_and_not_one_more() {
    // (where the addresses stand, what comes after them, how many there may be)
    for (before, after, count_max) in [
        ("05 00 00 7f000001 01 00 00 00 00 01", "", PATH_ADDRESSES_MAX),
        ("06 00 0000000000000000 00 01", "00", PATH_ADDRESSES_MAX),
        ("06 00 0000000000000000 00 01 00", "", NEIGHBORS_MAX),
        ("0a 0000000000000000 00 00 00112233445566778899aabbccddeeff 00 7f000001 01 00 01", "00", PATH_ADDRESSES_MAX),
        ("0a 0000000000000000 00 00 00112233445566778899aabbccddeeff 00 7f000001 01 00 01 00", "", NEIGHBORS_MAX),
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
    let place =
        || AnswerBody::Place { path: addresses(PATH_ADDRESSES_MAX).into(), neighbors: addresses(NEIGHBORS_MAX) };
    let answer =
        |body| Message::Answer(Answer { sequence: u64::MAX, asked: Some(AskHash(u64::MAX)), hops: u8::MAX, body });
    let brought = |body| {
        let (id, from) = (ServentId(u128::MAX), address("[2001:db8::7]:65535"));
        let name = Some(named(&"n".repeat(NAME_BYTES_MAX)));
        Arc::new(BroughtAnswer { id, from, name, hops: u8::MAX, body })
    };
    let query = |via, port| {
        Message::query(Query {
            via,
            sequence: u64::MAX,
            client: client(&format!("[2001:db8::7]:{port}")),
            contact: Some(mark(u64::MAX, u64::MAX, u64::MAX - SPAN_MAX)),
            ttl: u8::MAX,
            hops: u8::MAX,
            ask: Ask::Key(Key::new(&[0xff; KEY_BYTES_MAX]).expect("the limit is allowed")),
            path: addresses(PATH_ADDRESSES_MAX).into(),
        })
    };
    let tally = Tally {
        reached: u64::MAX,
        answers: u64::MAX,
        copies: u64::MAX,
        duplicates: u64::MAX,
        stopped: i64::MIN,
        lost: u64::MAX,
        silent: u64::MAX,
        spoilt: u64::MAX,
        answer_sum: u64::MAX,
        is_dialled: true,
    };
    let mut largest = vec![
        (query(Via::Direct, 65_535), SERVENT_FRAME_BYTES_MAX),
        (query(Via::Back, 65_535), SERVENT_FRAME_BYTES_MAX),
        (answer(AnswerBody::Value(vec![0xff; VALUE_BYTES_MAX])), FRAME_BYTES_MAX),
        (answer(place()), FRAME_BYTES_MAX),
        (
            Message::Request(Request {
                sequence: u64::MAX,
                ask: Ask::Key(Key::new(&[0xff; KEY_BYTES_MAX]).expect("the limit is allowed")),
                ttl: Some(u8::MAX),
            }),
            SERVENT_FRAME_BYTES_MAX,
        ),
        (
            Message::Echo(Echo {
                id: QueryId { sequence: u64::MAX, client: address("[2001:db8::7]:65535") },
                ttl: u8::MAX,
                tally,
            }),
            SERVENT_FRAME_BYTES_MAX,
        ),
        (Message::Finished(Finished { sequence: u64::MAX, tally }), FRAME_BYTES_MAX),
    ];
    // What one servent brings another the other must take, whatever it is.
    for body in [AnswerBody::Value(vec![0xff; BROUGHT_BYTES_MAX]), place()] {
        let answer = brought(BroughtBody::of(body.clone()));
        assert_eq!(answer.body, BroughtBody::Whole(body), "it is brought and not announced");
        let contact = ContactName(u64::MAX);
        let message = Brought { contact, number: u64::MAX, ttl: u8::MAX, answer: Arc::clone(&answer) };
        largest.push((Message::Brought(message), SERVENT_FRAME_BYTES_MAX));
        largest.push((Message::Handed(Handed { sequence: u64::MAX, answer }), FRAME_BYTES_MAX));
    }
    for (message, frame_bytes_max) in largest {
        let spoken = frame(&message);
        assert!(spoken.len() - 4 <= frame_bytes_max, "{} of {} bytes", message.name(), spoken.len());
        assert_eq!(heard_by(&mut greeted(), &spoken), Ok(vec![message]));
    }
}

#[test]
fn a_message_too_large_for_any_frame_is_not_encoded() {
    let encoded = |length| Frame::new(Dialect::Native, &answer(vec![0; length])).map(|frame| frame.body_bytes_count());
    assert!(encoded(FRAME_BYTES_MAX).is_err());
    // Around a value of this length there are eighteen bytes: of the stamp, the kind, the sequence, eight of what was
    // asked, the hops, the kind of answer, and five of the length.
    let most = FRAME_BYTES_MAX - 18;
    assert_eq!(encoded(most), Ok(FRAME_BYTES_MAX));
    assert_eq!(encoded(most + 1), Err(EncodeError::TooLong(FRAME_BYTES_MAX + 1)));
}
