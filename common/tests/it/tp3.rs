//! TP3 at the link and at the door of the mind: the bytes of docs/TP3.md, and the rules that need a clock.
//!
//! How a servent and a client behave on real sockets, driven by peers that share no code with this dialect, is tested
//! with the programs.

use super::*;
use crate::support::mind::{Mind, call, dial_at, passed_on, store};
use common::limits::{
    CALL_DIALS_PER_NETWORK_MAX, CALL_REST_MIN, NEIGHBOR_QUIET_MAX, TP3_ANSWER_PAUSE, TP3_ANSWER_TRIES_MAX,
    TP3_TEXT_BYTES_MAX, TTL_MAX,
};

const TEXT: &[u8] = b"rtmp";

fn key() -> Ask {
    Ask::Key(Key::new(TEXT).unwrap())
}

fn client(port: u16) -> AnswerAddress {
    AnswerAddress { socket: SocketAddr::from((Ipv4Addr::LOCALHOST, port)), dialect: Dialect::Tp3 }
}

fn query(sequence: u64, ttl: u8, ask: Ask, path: Path) -> Query {
    Query { via: Via::Direct, sequence, client: client(9990), contact: None, ttl, hops: 1, ask, path }
}

fn value(sequence: u64, text: &[u8]) -> Message {
    Message::Answer(Answer { sequence, asked: None, hops: 0, body: AnswerBody::Value(text.to_vec()) })
}

fn said(message: &Message) -> Vec<u8> {
    Frame::new(Dialect::Tp3, message).unwrap().as_bytes().to_vec()
}

/// Every message with its bytes. The third is the example of docs/TP3.md.
fn golden() -> Vec<(&'static str, Message)> {
    let servent = Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless));
    let path = Path::Text(b"127.0.0.1:1 x".to_vec());
    vec![
        ("00 04 00 00", servent),
        ("00 04 27 06", Message::Hello(Hello::said_in(Dialect::Tp3, Role::Client { answer_port: 9990 }))),
        (
            "00 07 00 03 00 00 00 01 7f 00 00 01 27 06 00 04 72 74 6d 70",
            Message::query(query(1, 3, key(), Path::default())),
        ),
        (
            "00 08 00 00 ff ff ff ff 7f 00 00 01 27 06 00 0d 31 32 37 2e 30 2e 30 2e 31 3a 31 20 78",
            Message::query(query(0xffff_ffff, 0, Ask::Topology, path)),
        ),
        ("00 05 00 00 00 00 00 04 72 74 6d 70", Message::Request(Request { sequence: 0, ask: key(), ttl: None })),
        // A key is any bytes, also such as are in no file.
        (
            "00 07 00 03 00 00 00 01 7f 00 00 01 27 06 00 06 c3 a9 ff 20 00 0a",
            Message::query(query(1, 3, Ask::Key(Key::new(b"\xc3\xa9\xff \0\n").unwrap()), Path::default())),
        ),
        ("00 06 00 00 00 07", Message::Request(Request { sequence: 7, ask: Ask::Topology, ttl: None })),
        ("00 09 00 00 00 07 00 02 ff 00", value(7, b"\xff\x00")),
    ]
}

#[test]
fn every_message_is_these_bytes_and_may_be_cut_anywhere() {
    for (hex, message) in golden() {
        let bytes = bytes(hex);
        assert_eq!(said(&message), bytes, "{}", message.name());
        for cut in 0..=bytes.len() {
            let mut link = Link::new(Dialect::Tp3, Purpose::Standing);
            let hello = Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless));
            let mut heard = heard_by(&mut link, &bytes[..cut]).unwrap();
            let is_whole = cut == bytes.len();
            assert_eq!(heard.len(), if is_whole { 2 } else { 1 }, "{hex} cut at {cut}: {heard:?}");
            heard.extend(heard_by(&mut link, &bytes[cut..]).unwrap());
            // The hello is taken as said.
            assert_eq!(heard, [hello, message.clone()], "{hex} cut at {cut}");
            assert!(!link.is_mid_frame());
        }
    }
}

#[test]
fn the_page_tells_the_limits_as_they_are() {
    const PAGE: &str = include_str!("../../../docs/TP3.md");
    let page = PAGE.split_whitespace().collect::<Vec<_>>().join(" ");
    for told in [
        format!("at most {TP3_TEXT_BYTES_MAX} (`TP3_TEXT_BYTES_MAX`)"),
        format!("remembered for {} s (`SEEN_TP3_AGE_MAX`)", SEEN_TP3_AGE_MAX.as_secs()),
        format!("again every {} ms (`TP3_ANSWER_PAUSE`)", TP3_ANSWER_PAUSE.as_millis()),
        format!("up to {TP3_ANSWER_TRIES_MAX} times (`TP3_ANSWER_TRIES_MAX`)"),
        format!("`TTL_MAX` ({TTL_MAX})"),
    ] {
        assert!(page.contains(&told), "docs/TP3.md does not say: {told}");
    }
}

#[test]
fn what_the_dialect_has_no_words_for_is_said_as_nothing() {
    let mut link = Link::new(Dialect::Tp3, Purpose::Standing);
    let finished = Message::Finished(Finished { sequence: 1, tally: Tally::default() });
    for message in [Message::Ping, Message::Pong, finished] {
        assert_eq!(link.send(&message), Ok(()));
    }
    assert_eq!(link.unsent(), b"");
    // Nobody answers an ID.
    let mut accepted = Link::accepted(Accepts::ANY, Purpose::Standing);
    assert_eq!(
        heard_by(&mut accepted, &[0, 4, 0, 0]).unwrap(),
        [Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless))]
    );
    let hello = Hello::new(Role::Servent { id: ServentId(1), advertised: client(1).socket });
    assert_eq!(accepted.send(&Message::Hello(hello)), Ok(()));
    assert_eq!(accepted.unsent(), b"");
}

#[test]
fn texts_are_cut_or_refused_at_400_bytes() {
    let longest = vec![b'v'; TP3_TEXT_BYTES_MAX];
    assert_eq!(said(&value(1, &longest))[8..], longest);
    let cut = [&longest[..TP3_TEXT_BYTES_MAX - 3], b"..."].concat();
    assert_eq!(said(&value(1, &[&longest[..], b"v"].concat()))[8..], cut);
    let long_key = Ask::Key(Key::new(&[&longest[..], b"v"].concat()).unwrap());
    assert!(Frame::new(Dialect::Tp3, &Message::query(query(1, 3, long_key, Path::default()))).is_err());
    assert!(Frame::new(Dialect::Tp3, &Message::query(query(1 << 32, 3, key(), Path::default()))).is_err());
    let mut link = Link::new(Dialect::Tp3, Purpose::Standing);
    let whole = Message::query(query(1, 3, Ask::Key(Key::new(&longest).unwrap()), Path::default()));
    let Message::Query(heard_query) = &heard_by(&mut link, &said(&whole)).unwrap()[1] else { panic!() };
    assert_eq!(heard_query.ask, Ask::Key(Key::new(&longest).unwrap()));
    let error = WireError::FrameTooLong { length: 401, max: TP3_TEXT_BYTES_MAX };
    // Whatever is to be told, and before it comes.
    for head in
        ["00 05 00 00 00 00", "00 07 00 01 00 00 00 00 7f 00 00 01 27 06", "00 08 00 01 00 00 00 00 7f 00 00 01 27 06"]
    {
        let mut link = Link::new(Dialect::Tp3, Purpose::Standing);
        assert_eq!(heard_by(&mut link, &bytes(&format!("{head} 01 91"))), Err(error.clone()), "{head}");
    }
}

#[test]
fn how_far_a_query_has_come_is_told_by_its_path_within_what_its_ttl_leaves() {
    let hops = |ttl, path: &[u8]| {
        let mut link = Link::new(Dialect::Tp3, Purpose::Standing);
        let flood = said(&Message::query(query(1, ttl, Ask::Topology, Path::Text(path.to_vec()))));
        match heard_by(&mut link, &flood).unwrap().pop() {
            Some(Message::Query(query)) => query.hops,
            other => panic!("{other:?}"),
        }
    };
    let addresses = |count| ["127.0.0.1:9001"; 20][..count].join(" ").into_bytes();
    assert_eq!(hops(3, b""), 1);
    assert_eq!(hops(3, &addresses(2)), 2);
    assert_eq!(hops(3, &addresses(13)), 13);
    assert_eq!(hops(3, &addresses(14)), 13, "no way of ours is longer");
    assert_eq!(hops(15, &addresses(5)), 1);
    assert_eq!(hops(200, &addresses(5)), 1);
}

#[test]
fn without_the_option_tp3_is_told_apart_and_refused() {
    let mut link = Link::accepted(Accepts::OWN, Purpose::Standing);
    assert_eq!(heard_by(&mut link, &[0]), Ok(Vec::new()), "too little to tell");
    assert_eq!(heard_by(&mut link, &[4]), Err(WireError::Refused(Dialect::Tp3)));
}

#[test]
fn a_ttl_beyond_a_byte_does_not_come_round() {
    let mut link = Link::new(Dialect::Tp3, Purpose::Standing);
    let flood = bytes("00 07 01 00 00 00 00 01 7f 00 00 01 27 06 00 04 72 74 6d 70");
    let messages = heard_by(&mut link, &flood).unwrap();
    assert!(matches!(&messages[1], Message::Query(query) if query.ttl == u8::MAX), "{messages:?}");
}

// ---- the mind ----

const NEIGHBOR: LinkId = LinkId(1);
const OTHER: LinkId = LinkId(2);
const CLIENT: LinkId = LinkId(3);

/// A mind that holds the key, with two TP3 neighbors.
fn tp3_mind() -> Mind {
    let config = Config {
        advertised: client(9000).socket,
        servent_id: ServentId(1),
        answer_networks: vec!["127.0.0.0/8".parse().unwrap()],
        ..Config::default()
    };
    let mut mind = Mind::with(&config, store("rtmp 1935/tcp\n"));
    for link in [NEIGHBOR, OTHER] {
        mind.open(link, Dialect::Tp3, Role::Nameless);
    }
    mind
}

impl Mind {
    fn open(&mut self, link: LinkId, dialect: Dialect, role: Role) {
        let from = SocketAddr::from((Ipv4Addr::LOCALHOST, 40_000));
        self.tell(Input::Opened { link, opening: Opening::Accepted(from) });
        self.hear(link, Message::Hello(Hello::said_in(dialect, role)));
    }

    fn ask(&mut self, query: Query) -> Vec<Output> {
        self.hear(NEIGHBOR, Message::query(query))
    }
}

fn dial(port: u16) -> Output {
    let address = client(port).socket;
    Output::Dial { dial: call(address), address, dialect: Dialect::Tp3 }
}

fn is_passed_on(out: &[Output]) -> bool {
    out.iter().any(|output| matches!(output, Output::Flood { links, .. } if *links == [OTHER]))
}

#[test]
fn each_answer_goes_alone_and_the_next_waits_for_a_connection_of_its_own() {
    let mut mind = tp3_mind();
    assert!(mind.ask(query(1, 3, key(), Path::default())).contains(&dial(9990)));
    assert!(!mind.ask(query(2, 3, key(), Path::default())).contains(&dial(9990)), "one dial at a time");
    for (sequence, link) in [(1, LinkId(7)), (2, LinkId(8))] {
        let opening = Opening::Dialled(call(client(9990).socket));
        let mut out = mind.tell(Input::Opened { link, opening });
        let next = out.iter().position(|output| *output == dial(9990)).map(|place| out.remove(place));
        let Some(Output::Send { message: Message::Answer(answer), .. }) = out.first() else { panic!("{out:?}") };
        assert_eq!((answer.sequence, &answer.body), (sequence, &AnswerBody::Value(b"1935/tcp".to_vec())));
        assert_eq!(out[1..], [Output::Close { link }]);
        let waiting = mind.held("calls_queued_bytes");
        assert_eq!(waiting, if sequence == 1 { size_of::<Answer>() + b"1935/tcp".len() } else { 0 });
        assert_eq!(next.is_some(), sequence == 1);
        assert_eq!(mind.held("call_dials"), usize::from(next.is_some()), "the one before is over");
    }
}

#[test]
fn a_refused_answer_is_tried_again_so_often_and_then_dropped() {
    let mut mind = tp3_mind();
    let refuse = |mind: &mut Mind| {
        let dial = call(client(9990).socket);
        mind.tell(Input::DialFailed { dial, refused: true, reason: "refused".to_owned() })
    };
    assert!(mind.ask(query(1, 3, key(), Path::default())).contains(&dial(9990)));
    for _ in 0..TP3_ANSWER_TRIES_MAX {
        assert_eq!(refuse(&mut mind), []);
        assert_eq!(mind.held("call_dials"), 0);
        assert_eq!(mind.pass_and_see(TP3_ANSWER_PAUSE - Duration::from_millis(1)), []);
        assert_eq!(mind.pass_and_see(Duration::from_millis(1)), [dial(9990)]);
    }
    assert_eq!(mind.held("undelivered"), 0);
    refuse(&mut mind);
    assert_eq!(mind.held("undelivered"), 1);
    assert_eq!(mind.pass_and_see(TP3_ANSWER_PAUSE), [], "it is left alone");
}

#[test]
fn an_address_that_does_not_even_refuse_is_not_tried_again() {
    let mut mind = tp3_mind();
    assert!(mind.ask(query(1, 3, key(), Path::default())).contains(&dial(9990)));
    let failed = call(client(9990).socket);
    mind.tell(Input::DialFailed { dial: failed, refused: false, reason: "timed out".to_owned() });
    assert_eq!((mind.held("undelivered"), mind.held("call_dials")), (1, 0));
    assert_eq!(mind.pass_and_see(TP3_ANSWER_PAUSE), []);
}

#[test]
fn of_a_client_that_cannot_be_reached_for_the_rest_nothing_waits_any_more() {
    let mut mind = tp3_mind();
    mind.ask(query(1, 3, key(), Path::default()));
    mind.ask(query(2, 3, key(), Path::default()));
    let dial = call(client(9990).socket);
    mind.tell(Input::Opened { link: LinkId(7), opening: Opening::Dialled(dial) });
    mind.tell(Input::DialFailed { dial, refused: false, reason: "timed out".to_owned() });
    assert_eq!((mind.held("undelivered"), mind.held("call_dials")), (1, 0));
    assert_eq!(mind.held("calls_queued_bytes"), 0);
}

#[test]
fn an_answer_that_waits_is_brought_in_the_dialect_it_was_asked_for_in() {
    let mut mind = tp3_mind();
    let native = |port| AnswerAddress { dialect: Dialect::Native, ..client(port) };
    let last = 9000 + u16::try_from(CALL_DIALS_PER_NETWORK_MAX).unwrap();
    for port in 9000..=last {
        mind.ask(Query { client: native(port), ..query(port.into(), 3, key(), Path::default()) });
    }
    // Another client has the same address by now, but whoever asked first may still be there.
    assert!(!mind.ask(Query { client: client(last), ..query(1, 3, key(), Path::default()) }).contains(&dial(last)));
    let failed = call(client(9000).socket);
    let out = mind.tell(Input::DialFailed { dial: failed, refused: true, reason: "refused".to_owned() });
    let address = client(last).socket;
    assert_eq!(out, [dial_at(address)]);
}

#[test]
fn a_client_of_the_other_dialect_may_come_to_the_same_address() {
    let mut mind = tp3_mind();
    let native = AnswerAddress { dialect: Dialect::Native, ..client(9990) };
    let address = native.socket;
    let out = mind.ask(Query { client: native, ..query(1, 3, key(), Path::default()) });
    assert!(out.contains(&dial_at(address)));
    mind.tell(Input::DialFailed { dial: call(address), refused: true, reason: "refused".to_owned() });
    // While the address is left alone, and after.
    mind.ask(query(2, 3, key(), Path::default()));
    assert_eq!(mind.pass_and_see(CALL_REST_MIN), [dial(9990)]);
}

#[test]
fn what_comes_without_a_contact_is_remembered_for_half_a_minute() {
    let mut mind = tp3_mind();
    let ask = |mind: &mut Mind| is_passed_on(&mind.ask(query(1, 3, key(), Path::default())));
    assert!(ask(&mut mind));
    assert!(!ask(&mut mind));
    mind.now = Time::START + (SEEN_TP3_AGE_MAX - Duration::from_nanos(1));
    assert!(!ask(&mut mind));
    // Whoever attaches, even the client it is of, makes nobody forget it.
    mind.open(CLIENT, Dialect::Tp3, Role::Client { answer_port: 9990 });
    assert!(!ask(&mut mind));
    mind.now = Time::START + SEEN_TP3_AGE_MAX;
    assert!(ask(&mut mind));
}

/// A mind whose client has asked its first query over `CLIENT`, passed on to one neighbor that echoes and two that do not.
fn asked_from_zero() -> Mind {
    let mut mind = tp3_mind();
    let advertised = client(9000).socket;
    mind.open(LinkId(5), Dialect::Native, Role::Servent { id: ServentId(5), advertised });
    mind.open(CLIENT, Dialect::Tp3, Role::Client { answer_port: 9990 });
    assert!(is_asked(&mind.tell(first_request(CLIENT))));
    mind
}

fn first_request(link: LinkId) -> Input {
    Input::Received { link, stamp: 0, message: Message::Request(Request { sequence: 0, ask: key(), ttl: None }) }
}

/// Whether the neighbor that echoes is asked.
fn is_asked(out: &[Output]) -> bool {
    out.iter().any(|output| matches!(output, Output::Flood { links, .. } if links.contains(&LinkId(5))))
}

#[test]
fn a_tp3_client_that_comes_anew_counts_from_zero_and_its_former_query_is_forgotten_with_all_that_was_kept() {
    let mut mind = asked_from_zero();
    let kept = ["pending", "offers_kept_bytes", "seen", "own_open"];
    let before = kept.map(|name| mind.held(name));
    assert_eq!((before[0], before[2], before[3]), (1, 1, 1));
    // Said again over the same link it is the same query, or one that cannot be.
    let other = Message::Request(Request { sequence: 0, ask: Ask::Topology, ttl: None });
    for input in [first_request(CLIENT), Input::Received { link: CLIENT, stamp: 0, message: other }] {
        assert!(!is_asked(&mind.tell(input)));
    }
    let again = LinkId(6);
    mind.open(again, Dialect::Tp3, Role::Client { answer_port: 9990 });
    assert_eq!(mind.held("pending"), 1, "a hello makes nobody forget");
    assert!(is_asked(&mind.tell(first_request(again))));
    let after = kept.map(|name| mind.held(name));
    assert_eq!(after[..3], before[..3], "one is pending, as before");
    // The former one was not heard of to the end: its number stays open for as long as a copy may be under way.
    assert_eq!(after[3], 2);
}

/// Whoever waits for the echo of what is forgotten is told that it is lost.
#[test]
fn of_a_former_query_that_others_brought_a_copy_of_they_are_told() {
    let mut mind = tp3_mind();
    let advertised = client(9000).socket;
    for number in [5, 6] {
        mind.open(LinkId(number), Dialect::Native, Role::Servent { id: ServentId(number.into()), advertised });
    }
    let former = Query { client: client(9990), ..query(0, 3, key(), Path::default()) };
    mind.tell(Input::Received { link: LinkId(6), stamp: 0, message: Message::query(former.clone()) });
    assert_eq!(mind.held("pending"), 1);
    mind.open(CLIENT, Dialect::Tp3, Role::Client { answer_port: 9990 });
    let out = mind.tell(first_request(CLIENT));
    let is_told = |output: &Output| {
        matches!(output, Output::Send { link: LinkId(6), message: Message::Echo(echo) }
            if echo.id == former.id() && echo.tally.lost == 1)
    };
    assert!(out.iter().any(is_told) && is_asked(&out), "{out:?}");
    assert_eq!(mind.held("pending"), 1);
}

#[test]
fn a_client_that_comes_anew_makes_nobody_forget_what_others_asked() {
    let mut mind = asked_from_zero();
    let ask = |mind: &mut Mind, sequence| {
        is_asked(&mind.ask(Query { client: client(9991), ..query(sequence, 3, key(), Path::default()) }))
    };
    for sequence in 0..6 {
        assert!(ask(&mut mind, sequence));
    }
    let again = LinkId(6);
    mind.open(again, Dialect::Tp3, Role::Client { answer_port: 9990 });
    assert!(is_asked(&mind.tell(first_request(again))));
    for sequence in 0..6 {
        assert!(!ask(&mut mind, sequence), "{sequence}");
    }
}

#[test]
fn an_answer_to_where_no_client_was_allowed_is_lost_and_the_query_goes_on() {
    let mut mind = tp3_mind();
    let outside = AnswerAddress { socket: "203.0.113.9:9990".parse().unwrap(), dialect: Dialect::Tp3 };
    let out = mind.ask(Query { client: outside, ..query(1, 3, key(), Path::default()) });
    assert!(!out.iter().any(|output| matches!(output, Output::Dial { .. })), "{out:?}");
    assert!(is_passed_on(&out));
    assert_eq!(mind.held("unanswered"), 1);
}

#[test]
fn neighbors_that_cannot_echo_are_counted_and_not_waited_for() {
    let mut mind = tp3_mind();
    mind.open(CLIENT, Dialect::Native, Role::Client { answer_port: 9992 });
    let request = Message::Request(Request { sequence: 9, ask: Ask::Topology, ttl: None });
    let out = mind.hear(CLIENT, request);
    let answered = Tally { answers: 1, answer_sum: ServentId(1).mark(), ..passed_on() };
    let tally = Tally { copies: 2, silent: 2, ..answered };
    let finished = Message::Finished(Finished { sequence: 9, tally });
    assert!(out.contains(&Output::Send { link: CLIENT, message: finished }), "{out:?}");
    assert_eq!(mind.overlay.pending_count(), 0);
    // Nor are they pinged, or given up for being quiet.
    assert_eq!(mind.pass_and_see(NEIGHBOR_QUIET_MAX * 2), []);
}

#[test]
fn a_client_of_this_contact_is_dialled_for_its_answer_too() {
    let mut mind = tp3_mind();
    mind.open(CLIENT, Dialect::Tp3, Role::Client { answer_port: 9990 });
    let request = Message::Request(Request { sequence: 0, ask: key(), ttl: None });
    let out = mind.hear(CLIENT, request);
    assert!(out.contains(&dial(9990)), "{out:?}");
    assert!(!out.iter().any(|output| matches!(output, Output::Send { message: Message::Answer(_), .. })), "{out:?}");
}

#[test]
fn a_query_it_has_no_words_for_goes_to_those_who_have_and_the_others_count_as_lost() {
    let mut mind = tp3_mind();
    let (asker, native) = (LinkId(4), LinkId(5));
    for link in [asker, native] {
        let advertised = SocketAddr::from((Ipv4Addr::LOCALHOST, 9001));
        mind.open(link, Dialect::Native, Role::Servent { id: ServentId(100 + u128::from(link.0)), advertised });
    }
    let long = Ask::Key(Key::new(&[b'k'; TP3_TEXT_BYTES_MAX + 1]).unwrap());
    let ask = |mind: &mut Mind, sequence, ttl, ask: &Ask| {
        let query = query(sequence, ttl, ask.clone(), Path::default());
        mind.tell(Input::Received { link: asker, stamp: 0, message: Message::query(query) })
    };
    let asked = |out: &[Output]| match out {
        [Output::Flood { links, .. }, ..] => links.clone(),
        _ => Vec::new(),
    };
    let echoed = |id, ttl, tally| {
        let message = Message::Echo(Echo { id, ttl, tally });
        Output::Send { link: asker, message }
    };
    let id = |sequence| QueryId { sequence, client: client(9990).socket };

    assert_eq!(asked(&ask(&mut mind, 1, 2, &long)), [native]);
    let echo = Echo { id: id(1), ttl: 1, tally: Tally { reached: 1, ..Tally::default() } };
    let out = mind.hear(native, Message::Echo(echo));
    let tally = Tally { reached: 2, lost: 2, ..passed_on() };
    assert_eq!(out, [echoed(id(1), 2, tally)]);
    assert_eq!(mind.held("unsaid"), 2);

    // Where it ends in any case nobody is left out.
    let tally = Tally { reached: 1, stopped: 1, ..Tally::default() };
    assert_eq!(ask(&mut mind, 2, 0, &long), [echoed(id(2), 0, tally)]);
    assert_eq!(mind.held("unsaid"), 2);

    // What can be said goes to all.
    let short = Ask::Key(Key::new(&[b'k'; TP3_TEXT_BYTES_MAX]).unwrap());
    assert_eq!(asked(&ask(&mut mind, 3, 2, &short)), [NEIGHBOR, OTHER, native]);

    // Where nobody has words for it nobody is asked.
    mind.tell(Input::Closed { link: native, reason: "it is a test".to_owned() });
    let tally = Tally { reached: 1, lost: 2, ..Tally::default() };
    assert_eq!(ask(&mut mind, 4, 2, &long), [echoed(id(4), 2, tally)]);
    assert_eq!(mind.held("unsaid"), 4);

    // And where it ends in any case those it has no words for are others that could have been asked.
    let tally = Tally { reached: 1, stopped: 1, ..Tally::default() };
    assert_eq!(ask(&mut mind, 5, 0, &long), [echoed(id(5), 0, tally)]);
    // A copy with more TTL goes on from there: what stops it now is what they cannot be told.
    let tally = Tally { stopped: -1, lost: 2, ..Tally::default() };
    assert_eq!(ask(&mut mind, 5, 2, &long), [echoed(id(5), 2, tally)]);
    assert_eq!(mind.held("unsaid"), 6);
}

#[test]
fn the_path_of_what_a_client_asks_begins_as_text() {
    let mut mind = tp3_mind();
    mind.open(CLIENT, Dialect::Tp3, Role::Client { answer_port: 9990 });
    let request = Message::Request(Request { sequence: 0, ask: Ask::Topology, ttl: None });
    let out = mind.hear(CLIENT, request);
    let flooded = out.iter().find_map(|output| match output {
        Output::Flood { query, .. } => Some(query.path.clone()),
        _ => None,
    });
    assert_eq!(flooded, Some(Path::Text(b"127.0.0.1:9000".to_vec())));
}

#[test]
fn a_path_grows_as_the_text_it_came_as() {
    let mut mind = tp3_mind();
    let out = mind.ask(query(1, 3, Ask::Topology, Path::Text(b" a  b".to_vec())));
    let flooded = out.iter().find_map(|output| match output {
        Output::Flood { query, .. } => Some(query.path.text()),
        _ => None,
    });
    assert_eq!(flooded.unwrap(), b" a  b 127.0.0.1:9000");
}

// ---- when a link speaks ----

#[test]
fn nothing_is_said_to_whoever_may_yet_turn_out_to_speak_tp3() {
    let unsent = |accepts, purpose, heard: &[u8]| {
        let mut link = Link::accepted(accepts, purpose);
        link.receive(heard);
        assert_eq!(link.next_message(), Ok(None));
        link.send(&Message::Ping).unwrap();
        !link.unsent().is_empty()
    };
    assert!(!unsent(Accepts::ANY, Purpose::Standing, &[]), "it may be");
    assert!(!unsent(Accepts::ANY, Purpose::Standing, &[0]), "it may be");
    assert!(!unsent(Accepts::OWN, Purpose::Standing, &[0]), "it most likely is");
    assert!(unsent(Accepts::OWN, Purpose::Standing, &[]), "it must not be");
    assert!(unsent(Accepts::ANY, Purpose::Asking, &[]), "a client speaks first");
}

#[test]
fn a_tp3_neighbor_that_dialled_is_told_everything_but_a_hello() {
    let mut link = Link::accepted(Accepts::ANY, Purpose::Standing);
    heard_by(&mut link, &[0, 4, 0, 0]).unwrap();
    let flood = Message::query(query(1, 3, key(), Path::default()));
    link.send(&flood).unwrap();
    assert_eq!(link.unsent(), said(&flood));
    // And one that was dialled is told even that.
    let mut dialled = Link::new(Dialect::Tp3, Purpose::Standing);
    dialled.send(&Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless))).unwrap();
    assert_eq!(dialled.unsent(), [0, 4, 0, 0]);
}

#[test]
fn a_client_is_not_taken_to_have_said_hello_where_it_is_brought_an_answer() {
    let mut bringing = Link::new(Dialect::Tp3, Purpose::Answers);
    assert_eq!(bringing.next_message(), Ok(None));
    bringing.send(&value(1, b"green")).unwrap();
    assert_eq!(bringing.unsent(), said(&value(1, b"green")));
}

#[test]
fn a_client_with_a_native_contact_takes_answers_in_any_dialect_and_another_in_its_own_alone() {
    let of = |dialect| Link::accepted(Accepts::answers_to(dialect), Purpose::Asking);
    let (tp3, native) = (said(&value(1, b"green")), PREFACE);
    assert!(matches!(heard_by(&mut of(Dialect::Native), &tp3).as_deref(), Ok([Message::Hello(_), Message::Answer(_)])));
    assert_eq!(heard_by(&mut of(Dialect::Native), &native), Ok(Vec::new()));
    assert!(matches!(heard_by(&mut of(Dialect::Tp3), &tp3).as_deref(), Ok([Message::Hello(_), Message::Answer(_)])));
    let mut link = of(Dialect::Tp3);
    assert_eq!(heard_by(&mut link, &[]), Ok(vec![Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless))]));
    assert!(matches!(heard_by(&mut link, &native), Err(WireError::Malformed(_))));
}

#[test]
fn only_an_answer_in_tp3_comes_without_a_hello() {
    let mut asking = Link::accepted(Accepts::ANY, Purpose::Asking);
    let messages = heard_by(&mut asking, &said(&value(1, b"green"))).unwrap();
    assert_eq!(messages, [Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless)), value(1, b"green")]);
    let mut native = Link::accepted(Accepts::ANY, Purpose::Asking);
    assert_eq!(heard_by(&mut native, &PREFACE), Ok(Vec::new()));
}

#[test]
fn names_in_the_log_are_short_and_different() {
    assert_ne!(LinkId(1).to_string(), LinkId(2).to_string());
    let id = QueryId { sequence: 7, client: client(9990).socket };
    assert!(id.to_string().contains('7') && id.to_string().contains("127.0.0.1:9990"), "{id}");
    assert!(format!("{:?}", Key::new(TEXT).unwrap()).contains("rtmp"));
}
