//! What strangers, clients and neighbors can do to a servent, and what it must do all the same.
//!
//! How a query travels and what is answered is tested in `common`; here it is sockets that are odd, slow, full or gone.
//! Every test ends with somebody else being served.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::collections::BTreeMap;
use std::net::{SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use common::address::AnswerAddress;
use common::dialect::Dialect;
use common::limits::{
    FRAME_BYTES_MAX, HELLO_FRAME_BYTES_MAX, KEY_BYTES_MAX, NEIGHBORS_MAX, PATH_ADDRESSES_MAX, SERVENT_FRAME_BYTES_MAX,
    TTL_DEFAULT, TTL_FROM_OTHERS_MAX, TTL_MAX, VALUE_BYTES_MAX,
};
use common::message::{Echo, Finished, Goodbye, Hello, Message, Request, Role};
use common::query::{Answer, AnswerBody, Ask, AskHash, Query, Tally};
use socket2::SockRef;
use topologies::fleet::Servent;

use support::{
    AnswerPort, DataFile, Heard, PATIENCE, Peer, Process, ask, frame, free_address, logged, may_swallow, query, serve,
    serve_many,
};

/// A port nobody listens on, for clients whose answers all come over the link to their contact.
const ANSWER_PORT: u16 = 9;

/// The first bytes of a connection.
const PREFACE: [u8; 4] = common::wire::PREFACE;

fn tea() -> DataFile {
    DataFile::new("tea green\n")
}

/// That a servent with [`tea`] serves a client that has done nothing wrong.
fn still_serves(address: SocketAddr) {
    let mut client = Peer::client(address, ANSWER_PORT);
    let sequence = client.request(ask("tea"));
    let answer = client.expect_answer();
    assert_eq!((answer.sequence, value(&answer), answer.hops), (sequence, &b"green"[..], 0));
}

fn value(answer: &Answer) -> &[u8] {
    match &answer.body {
        AnswerBody::Value(value) => value,
        AnswerBody::Place { .. } => panic!("{answer:?} and no value"),
    }
}

/// The announced length of a frame that does not follow.
fn length(bytes_count: usize) -> [u8; 4] {
    u32::try_from(bytes_count).unwrap().to_be_bytes()
}

/// Announces a frame of 100 bytes, and begins it.
fn half_a_frame() -> Vec<u8> {
    [&length(100)[..], &[4, 0, 0, 0]].concat()
}

fn hello(role: Role) -> Message {
    Message::Hello(Hello::new(role))
}

// ---- bytes that are no protocol of ours ----

#[test]
fn garbage_is_told_nothing_and_named_in_the_log() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    let rows: [(&[u8], &str); 5] = [
        (b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n", "47 45 54 20 2f 20 48 54"),
        // A TLS hello, which much that scans ports begins with.
        (&[0x16, 3, 1, 2, 0, 1, 0, 1, 0xfc, 3, 3], "16 03 01 02 00 01 00 01"),
        (b"\n", "0a"),
        // The preface but for its last byte.
        (&[0xA7, b'k', b'w', 1], "a7 6b 77 01"),
        (&[0xff; 100_000], "ff ff ff ff ff ff ff ff"),
    ];
    for (bytes, shown) in rows {
        let mut peer = Peer::stranger(servent.address());
        peer.say_bytes(bytes);
        assert_eq!(peer.bytes_until_end(), b"", "{shown}");
        let reason = format!("it does not speak our protocol: its first bytes are {shown}");
        assert!(logged(&mut servent, &format!("no link with {}: ", peer.address())).ends_with(&reason));
    }
    still_serves(servent.address());
}

#[test]
fn another_version_is_told_so() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    for version in [0, 2, 255] {
        let mut peer = Peer::stranger(servent.address());
        peer.say_bytes(&[PREFACE[0], PREFACE[1], PREFACE[2], version]);
        peer.expect_goodbye(Goodbye::Version);
        let reason = format!("it speaks version {version} of the protocol, not 1");
        logged(&mut servent, &format!("no link with {}: {reason}", peer.address()));
    }
    still_serves(servent.address());
}

#[test]
fn a_frame_that_announces_too_much_is_refused_before_it_comes() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    let too_long = |bytes_count: usize, max: usize| format!("a frame of {bytes_count} bytes, where {max} is the most");

    let mut stranger = Peer::stranger(servent.address());
    stranger.say_bytes(&[PREFACE, length(HELLO_FRAME_BYTES_MAX + 1)].concat());
    stranger.expect_goodbye(Goodbye::Protocol);
    let reason = too_long(HELLO_FRAME_BYTES_MAX + 1, HELLO_FRAME_BYTES_MAX);
    logged(&mut servent, &format!("no link with {}: {reason}", stranger.address()));

    for bytes_count in [SERVENT_FRAME_BYTES_MAX + 1, FRAME_BYTES_MAX + 1, u32::MAX as usize] {
        let reason = too_long(bytes_count, SERVENT_FRAME_BYTES_MAX);
        let port = AnswerPort::open();
        let mut client = Peer::client(servent.address(), port.address().port());
        client.say_bytes(&length(bytes_count));
        client.expect_goodbye(Goodbye::Protocol);
        logged(&mut servent, &format!("client {} left: {reason}", port.address()));

        let mut neighbor = Peer::neighbor(servent.address());
        neighbor.say_bytes(&length(bytes_count));
        neighbor.expect_goodbye(Goodbye::Protocol);
        logged(&mut servent, &format!("link with neighbor {} is gone: {reason}", neighbor.address()));
    }
    still_serves(servent.address());
}

#[test]
fn a_frame_that_holds_no_message_ends_that_link_only() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    let mut trailing = frame(&Message::Ping);
    let announced = length(trailing.len() - 3);
    trailing.push(0);
    trailing[..4].copy_from_slice(&announced);
    let rows: [(&[u8], &str); 4] = [
        (&trailing, "a frame that holds no message: "),
        (&[0, 0, 0, 2, 0, 0xfa], "a frame that holds no message: "),
        (&[0, 0, 0, 0], "a frame that holds no message: "),
        // A request for an empty key.
        (&[0, 0, 0, 5, 0, 4, 1, 0, 0], "a frame that holds no message: the key is empty"),
    ];
    let mut bystander = Peer::neighbor(servent.address());
    for (bytes, reason) in rows {
        let mut peer = Peer::neighbor(servent.address());
        peer.say_bytes(bytes);
        peer.expect_goodbye(Goodbye::Protocol);
        let line = logged(&mut servent, &format!("link with neighbor {} is gone: ", peer.address()));
        assert!(line.contains(reason), "{line}");
    }
    bystander.say(&Message::Ping);
    assert_eq!(bystander.expect(), Message::Pong);
    still_serves(servent.address());
}

// ---- slow ones ----

/// All the waits for those who fall silent, side by side: none of them holds up another.
#[test]
fn those_who_fall_silent_are_closed_with_a_reason() {
    let file = tea();
    let mute_neighbor = AnswerPort::open();
    let mut servent = serve(&[file.path(), &mute_neighbor.address().to_string()]);
    let address = servent.address();

    let mut without_hello = Peer::stranger(address);
    let mut half_preface = Peer::stranger(address);
    half_preface.say_bytes(&PREFACE[..2]);

    let (client_port, dripping_port, quiet_port) = (AnswerPort::open(), AnswerPort::open(), AnswerPort::open());
    let mut quiet_client = Peer::client(address, quiet_port.address().port());
    let mut half_client = Peer::client(address, client_port.address().port());
    half_client.say_bytes(&half_a_frame());
    let mut half_neighbor = Peer::neighbor(address);
    half_neighbor.fall_silent();
    half_neighbor.say_bytes(&half_a_frame());
    let mut quiet_neighbor = Peer::neighbor(address);
    quiet_neighbor.fall_silent();

    // Bytes that keep coming do not make a frame that never ends any better.
    let mut dripping = Peer::client(address, dripping_port.address().port());
    let dripping = thread::spawn(move || {
        let bytes = [&length(1_000)[..], &[0; 1_000]].concat();
        assert_eq!(
            dripping.drip_until_heard(&bytes, Duration::from_millis(200)),
            Heard::Message(Message::Goodbye(Goodbye::Protocol))
        );
        dripping.expect_end();
    });

    // One whose client says nothing gets nothing: its address was only named by somebody.
    let mute_port = AnswerPort::open();
    let mut source = Peer::neighbor(address);
    source.pass_on(mute_port.address(), ask("tea"), 0);
    let mut mute = mute_port.accept();
    // It is dialled by the servent, which waits for a hello as it does from others.
    let mut mute_neighbor_peer = mute_neighbor.accept();
    mute_neighbor_peer.expect_hello();

    without_hello.expect_goodbye(Goodbye::Quiet);
    half_preface.expect_goodbye(Goodbye::Quiet);
    mute_neighbor_peer.expect_goodbye(Goodbye::Quiet);
    assert_eq!(mute.bytes_until_end(), b"");
    half_client.expect_goodbye(Goodbye::Protocol);
    assert_eq!(half_neighbor.expect(), Message::Ping);
    half_neighbor.expect_goodbye(Goodbye::Protocol);
    dripping.join().unwrap();
    assert_eq!(quiet_neighbor.expect(), Message::Ping);
    quiet_neighbor.expect_goodbye(Goodbye::Quiet);

    let quiet = "nothing was heard from it for too long";
    let unfinished = "a frame that was begun and not ended within 10 s";
    for line in [
        format!("no link with {}: {quiet}", without_hello.address()),
        format!("no link with {}: {quiet}", half_preface.address()),
        format!("neighbor {} cannot be reached yet: {quiet}", mute_neighbor.address()),
        format!("no answer to client {}: it did not say hello", mute_port.address()),
        format!("client {} left: {unfinished}", client_port.address()),
        format!("client {} left: {unfinished}", dripping_port.address()),
        format!("link with neighbor {} is gone: {unfinished}", half_neighbor.address()),
        format!("link with neighbor {} is gone: {quiet}", quiet_neighbor.address()),
    ] {
        logged(&mut servent, &line);
    }
    // A client may be as quiet as it likes between two frames.
    assert_eq!(quiet_client.values("tea"), [b"green"]);
}

#[test]
fn a_whole_conversation_may_come_one_byte_at_a_time() {
    let file = tea();
    let servent = serve(&[file.path()]);

    let mut neighbor = Peer::stranger(servent.address());
    neighbor.say_byte_by_byte(&hello(neighbor.as_servent()));
    neighbor.expect_hello();

    let mut client = Peer::stranger(servent.address());
    client.say_byte_by_byte(&hello(Role::Client { answer_port: ANSWER_PORT }));
    client.expect_hello();
    client.say_byte_by_byte(&Message::Request(Request { sequence: 7, ask: ask("tea") }));
    assert_eq!(value(&client.expect_answer()), b"green");
    let query = neighbor.expect_query();
    assert_eq!((query.sequence, query.client.socket.port()), (7, ANSWER_PORT));
    neighbor.say_byte_by_byte(&Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally: Tally::default() }));
    let tally = Tally { reached: 1, answers: 1, copies: 1, answer_sum: client.mark, ..Tally::default() };
    assert_eq!(client.expect_finished().tally, tally);

    let port = AnswerPort::open();
    neighbor.say_byte_by_byte(&Message::query(support::query(port.address(), ask("tea"), 0)));
    let mut answered = port.accept();
    answered.say_byte_by_byte(&hello(Role::Client { answer_port: port.address().port() }));
    answered.expect_hello();
    assert_eq!(value(&answered.expect_answer()), b"green");
    answered.say_byte_by_byte(&Message::Ping);
    assert_eq!(answered.expect(), Message::Pong);
}

#[test]
fn many_messages_may_come_in_one_piece() {
    let servent = serve(&["-"]);
    let mut bytes = PREFACE.to_vec();
    bytes.extend(frame(&hello(Role::Client { answer_port: ANSWER_PORT })));
    for sequence in 0..5_000 {
        bytes.extend(frame(&Message::Request(Request { sequence, ask: ask("tea") })));
    }
    let mut client = Peer::stranger(servent.address());
    client.say_bytes(&bytes);
    client.expect_hello();
    for sequence in 0..5_000 {
        assert_eq!(client.expect_finished().sequence, sequence);
    }
}

// ---- those who do not read ----

/// What nobody holds and is as long as can be: each copy of a query for it fills what waits for a deaf neighbor.
fn long_key(number: usize) -> Ask {
    ask(format!("{number:0>KEY_BYTES_MAX$}"))
}

/// It hears a little at each turn, and says that it is there: whoever does neither for as long as that is taken for a machine
/// that is gone, which on a busy one comes first.
#[test]
fn a_neighbor_that_hardly_reads_loses_its_link_and_nobody_else_notices() {
    let file = tea();
    let mut servent = serve_many(&["-"]);
    let _elsewhere = serve_many(&[file.path(), &servent.address().to_string()]);
    logged(&mut servent, "linked with neighbor");
    let mut deaf = Peer::deaf_stranger(servent.address());
    deaf.greet(deaf.as_servent());
    let mut source = Peer::neighbor(servent.address());

    // A client of the servent that is being stuffed asks all the while for what is held elsewhere.
    let port = AnswerPort::open();
    let mut client = Peer::client(servent.address(), port.address().port());
    client.request(ask("tea"));
    let (mut answers, _) = port.accept_and_greet();
    assert_eq!(value(&answers.expect_answer()), b"green");

    let nobody = free_address();
    let gone = format!("link with neighbor {} is gone: ", deaf.address());
    let mut sent = 0;
    while !servent.log_text().contains(&gone) {
        assert!(sent < 20_000, "80 MB are queued for one that hardly reads:\n{}", servent.log_text());
        for _ in 0..200 {
            source.pass_on(nobody, long_key(sent), 3);
            sent += 1;
        }
        // Its copy goes behind all of those, so that nobody is left behind but the deaf one.
        let sequence = client.request(ask("tea"));
        assert_eq!(answers.expect_answer().sequence, sequence);
        source.take_in();
        deaf.take_in();
        deaf.say_to_whoever_is_there(&Message::Pong);
    }
    let line = logged(&mut servent, &gone);
    assert!(line.contains("it does not read: 16777216 bytes are the most that may wait for it"), "{line}");
    deaf.hear_out();

    // Everybody else is where they were, and every copy the deaf one did not echo is reported as lost.
    let mut lost = 0;
    while lost < sent {
        match source.expect() {
            Message::Echo(echo) => {
                assert_eq!(echo.tally.lost, u64::from(echo.tally.copies > 1), "{echo:?}");
                lost += 1;
            }
            // What the client asked comes here too, and is of no interest.
            Message::Query(_) => {}
            message => panic!("an unexpected {message:?}"),
        }
    }
    let sequence = client.request(ask("tea"));
    assert_eq!(answers.expect_answer().sequence, sequence);
    assert_eq!(servent.log_text().matches("link with neighbor ").count(), 1, "{}", servent.log_text());
}

#[test]
fn a_client_that_never_reads_loses_its_link_and_nobody_else_notices() {
    let file = DataFile::new(format!("tea green\nlong {}\n", "v".repeat(VALUE_BYTES_MAX)));
    let mut servent = serve(&[file.path()]);
    let port = AnswerPort::open();
    let mut deaf = Peer::deaf_stranger(servent.address());
    deaf.greet(Role::Client { answer_port: port.address().port() });
    for _ in 0..60 {
        deaf.request(ask("long"));
    }
    let line = logged(&mut servent, &format!("client {} left: it does not read: ", port.address()));
    assert!(line.contains(&format!("{} bytes are the most that may wait for it", 4 * FRAME_BYTES_MAX)), "{line}");
    deaf.hear_out();
    still_serves(servent.address());
}

#[test]
fn a_client_that_reads_late_gets_everything() {
    let long = "v".repeat(VALUE_BYTES_MAX);
    let file = DataFile::new(format!("tea green\nlong {long}\n"));
    let servent = serve(&[file.path()]);
    let mut late = Peer::deaf_stranger(servent.address());
    late.greet(Role::Client { answer_port: ANSWER_PORT });
    // As many as may wait for it, and more than the system takes in.
    let sequences: Vec<u64> = (0..4).map(|_| late.request(ask("long"))).collect();
    still_serves(servent.address());
    for sequence in sequences {
        let answer = late.expect_answer();
        assert!(answer.sequence == sequence && value(&answer) == long.as_bytes());
        assert_eq!(late.expect_finished().sequence, sequence);
    }
}

#[test]
fn a_client_that_never_reads_its_answer_link_loses_it_and_nobody_else_notices() {
    let file = DataFile::new(format!("tea green\nlong {}\n", "v".repeat(VALUE_BYTES_MAX)));
    let mut servent = Process::serve_saying_all(&[file.path()]);
    let mut source = Peer::neighbor(servent.address);
    let port = AnswerPort::open_deaf();
    source.pass_on(port.address(), ask("tea"), 0);
    let (mut deaf, _) = port.accept_and_greet();
    for _ in 0..60 {
        source.pass_on(port.address(), ask("long"), 0);
    }
    still_serves(servent.address);
    deaf.hear_out();
    let client = format!("client {}", port.address());
    servent.wait_for_log(&client, 1);
    let line = servent.log.iter().find(|line| line.contains(&client)).unwrap();
    assert!(line.contains("it does not read: "), "{line}");
}

// ---- answers on their way ----

#[test]
fn an_answer_link_is_kept_for_later_answers() {
    let file = tea();
    let servent = serve(&[file.path()]);
    let mut source = Peer::neighbor(servent.address());
    let port = AnswerPort::open();
    let first = source.pass_on(port.address(), ask("tea"), 0);
    let (mut answers, from) = port.accept_and_greet();
    assert_eq!(from, servent.address());
    assert_eq!(answers.expect_answer().sequence, first.sequence);
    for _ in 0..10 {
        let later = source.pass_on(port.address(), ask("tea"), 0);
        let answer = answers.expect_answer();
        assert_eq!((answer.sequence, value(&answer), answer.hops), (later.sequence, &b"green"[..], 1));
    }
    port.expect_nobody();
    // Closed by the client and needed once more, it is dialled once more.
    answers.say(&Message::Goodbye(Goodbye::Leaving));
    answers.expect_end();
    let last = source.pass_on(port.address(), ask("tea"), 0);
    let (mut answers, _) = port.accept_and_greet();
    assert_eq!(answers.expect_answer().sequence, last.sequence);
}

#[test]
fn an_answer_address_nobody_listens_on_is_named_left_alone_and_tried_again() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    let mut source = Peer::neighbor(servent.address());
    let nobody = free_address();
    source.pass_on(nobody, ask("tea"), 0);
    let line = logged(&mut servent, &format!("no answer to client {nobody}: "));
    assert!(line.contains("refused"), "{line}");
    // The client is there a moment later: what it asks then is answered once the address has had its rest.
    let port = AnswerPort::open_at(nobody);
    let query = source.pass_on(nobody, ask("tea"), 0);
    let (mut answers, _) = port.accept_and_greet();
    assert_eq!(answers.expect_answer().sequence, query.sequence);
    still_serves(servent.address());
}

#[test]
fn an_answer_address_that_names_no_client_is_not_dialled_and_reported() {
    let file = tea();
    let servent = serve(&[file.path()]);
    let mut source = Peer::neighbor(servent.address());
    for address in ["127.0.0.1:0", "0.0.0.0:9990", "255.255.255.255:9990", "224.0.0.1:9990", "[::]:9990", "[ff02::1]:9"]
    {
        let query = source.pass_on(address.parse().unwrap(), ask("tea"), 0);
        let tally = Tally { reached: 1, lost: 1, ..Tally::default() };
        assert_eq!(source.expect(), Message::Echo(Echo { id: query.id(), ttl: 0, tally }), "{address}");
    }
    still_serves(servent.address());
}

#[test]
fn an_answer_address_that_is_dark_delays_no_other_answer() {
    if !may_swallow() {
        return;
    }
    let file = tea();
    let mut servent = Process::serve_saying_all(&[file.path()]);
    let mut source = Peer::neighbor(servent.address);
    let until = Instant::now() + PATIENCE;
    // Again where the machine has so much else to do that the dial has failed when the other client is answered.
    loop {
        let dark_port = AnswerPort::open();
        dark_port.swallow();
        let failure = format!("no answer to client {}: ", dark_port.address());

        source.pass_on(dark_port.address(), ask("tea"), 0);
        let port = AnswerPort::open();
        let lively = source.pass_on(port.address(), ask("tea"), 0);
        let (mut answers, _) = port.accept_and_greet();
        assert_eq!(answers.expect_answer().sequence, lively.sequence);
        still_serves(servent.address);
        let is_first = !servent.log_by_now().iter().any(|line| line.contains(&failure));

        servent.wait_for_log(&failure, 1);
        let line = servent.log.iter().find(|line| line.contains(&failure)).unwrap();
        assert!(line.contains("timed out"), "{line}");
        still_serves(servent.address);
        if is_first {
            break;
        }
        assert!(Instant::now() < until, "every other client waits until the dial has failed");
    }
}

#[test]
fn what_is_odd_on_an_answer_link_ends_that_link_only() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    let mut source = Peer::neighbor(servent.address());
    let request = Message::Request(Request { sequence: 1, ask: ask("tea") });
    let wrong_port = hello(Role::Client { answer_port: ANSWER_PORT });
    let a_servent = hello(Peer::stranger(servent.address()).as_servent());
    for first in [&request, &wrong_port, &a_servent] {
        let port = AnswerPort::open();
        source.pass_on(port.address(), ask("tea"), 0);
        let mut odd = port.accept();
        odd.say(first);
        // It has not been told to be the client, so it is told nothing.
        assert_eq!(odd.bytes_until_end(), b"");
        let name = first.name();
        logged(&mut servent, &format!("no answer to client {}: it sent an unexpected {name}", port.address()));
    }
    let port = AnswerPort::open();
    source.pass_on(port.address(), ask("tea"), 0);
    let (mut odd, _) = port.accept_and_greet();
    odd.expect_answer();
    odd.say(&request);
    odd.expect_end();
    logged(&mut servent, &format!("client {} is gone: it sent an unexpected request", port.address()));
    still_serves(servent.address());
}

#[test]
fn garbage_on_an_answer_link_is_named_in_the_log() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    let mut source = Peer::neighbor(servent.address());
    let port = AnswerPort::open();
    source.pass_on(port.address(), ask("tea"), 0);
    let mut web = port.accept();
    web.say_bytes(b"HTTP/1.1 400 Bad Request\r\n\r\n");
    assert_eq!(web.bytes_until_end(), b"");
    let line = logged(&mut servent, &format!("no answer to client {}: ", port.address()));
    assert!(line.contains("it does not speak our protocol"), "{line}");

    let port = AnswerPort::open();
    source.pass_on(port.address(), ask("tea"), 0);
    let (mut client, _) = port.accept_and_greet();
    client.expect_answer();
    client.say_bytes(&length(FRAME_BYTES_MAX + 1));
    client.expect_end();
    still_serves(servent.address());
    let line = logged(&mut servent, &format!("client {}", port.address()));
    assert!(line.contains("a frame of "), "{line}");
}

#[test]
fn a_client_that_dies_before_its_answers_is_no_harm() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    let mut neighbor = Peer::neighbor(servent.address());

    // Between the dial and its hello.
    let port = AnswerPort::open();
    neighbor.pass_on(port.address(), ask("tea"), 0);
    assert!(matches!(neighbor.expect(), Message::Echo(_)));
    drop(port.accept());
    let line = logged(&mut servent, &format!("no answer to client {}: ", port.address()));
    assert!(line.contains("closed") || line.contains("reset"), "{line}");

    // Between its request and the end of the flood.
    let port = AnswerPort::open();
    let mut client = Peer::client(servent.address(), port.address().port());
    client.request(ask("mate"));
    let query = neighbor.expect_query();
    drop(client);
    logged(&mut servent, &format!("client {} left: ", port.address()));
    neighbor.say(&Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally: Tally::default() }));

    // Between its request and anybody hearing of it.
    let mut client = Peer::client(servent.address(), port.address().port());
    client.request(ask("tea"));
    drop(client);

    still_serves(servent.address());
    neighbor.say(&Message::Ping);
    let mut heard = neighbor.expect();
    while let Message::Query(_) = heard {
        heard = neighbor.expect();
    }
    assert_eq!(heard, Message::Pong);
}

// ---- who may say what ----

#[test]
fn a_client_without_a_port_is_refused() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    let mut client = Peer::stranger(servent.address());
    client.say(&hello(Role::Client { answer_port: 0 }));
    client.expect_goodbye(Goodbye::Protocol);
    logged(&mut servent, &format!("no link with {}: it heard something the protocol", client.address()));
    still_serves(servent.address());
}

#[test]
fn roles_that_are_confused_end_that_link_only() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    let port = AnswerPort::open();
    let query = query(port.address(), ask("tea"), 3);
    let messages = [
        Message::Request(Request { sequence: 1, ask: ask("tea") }),
        Message::query(query.clone()),
        Message::Echo(Echo { id: query.id(), ttl: 3, tally: Tally::default() }),
        Message::Answer(Answer {
            sequence: 1,
            asked: Some(AskHash(0)),
            hops: 1,
            body: AnswerBody::Value(b"green".to_vec()),
        }),
        Message::Finished(Finished { sequence: 1, tally: Tally::default() }),
        hello(Role::Client { answer_port: ANSWER_PORT }),
        Message::Ping,
    ];
    let mut bystander = Peer::neighbor(servent.address());
    for message in &messages {
        let unexpected = format!("it sent an unexpected {}", message.name());
        if !matches!(message, Message::Hello(_)) {
            let mut stranger = Peer::stranger(servent.address());
            stranger.say(message);
            stranger.expect_goodbye(Goodbye::Protocol);
            logged(&mut servent, &format!("no link with {}: {unexpected}", stranger.address()));
        }
        if !matches!(message, Message::Request(_) | Message::Ping) {
            let mut client = Peer::client(servent.address(), port.address().port());
            client.say(message);
            client.expect_goodbye(Goodbye::Protocol);
            servent.wait_for_log(&format!("client {} left: {unexpected}", port.address())).unwrap();
        }
        if !matches!(message, Message::Query(_) | Message::Echo(_) | Message::Ping) {
            let mut neighbor = Peer::neighbor(servent.address());
            neighbor.say(message);
            neighbor.expect_goodbye(Goodbye::Protocol);
            logged(&mut servent, &format!("link with neighbor {} is gone: {unexpected}", neighbor.address()));
        }
    }
    // Nobody was answered or asked on behalf of any of them.
    port.expect_nobody();
    bystander.say(&Message::Ping);
    assert_eq!(bystander.expect(), Message::Pong);
    still_serves(servent.address());
}

#[test]
fn a_path_longer_than_the_way_ends_that_link_only() {
    let mut servent = serve(&["-"]);
    let mut other = Peer::neighbor(servent.address());
    for (count, reason) in
        [(2, "it sent a path longer than the way"), (PATH_ADDRESSES_MAX + 1, "18 addresses, where 17 is the most")]
    {
        let mut neighbor = Peer::neighbor(servent.address());
        let path = vec![free_address(); count].into();
        neighbor.say(&Message::query(Query { path, ..query(free_address(), Ask::Topology, 3) }));
        neighbor.expect_goodbye(Goodbye::Protocol);
        let line = logged(&mut servent, &format!("link with neighbor {} is gone: ", neighbor.address()));
        assert!(line.contains(reason), "{line}");
    }
    other.say(&Message::Ping);
    assert_eq!(other.expect(), Message::Pong);
}

#[test]
fn one_neighbor_more_than_it_takes_is_told_so() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    let mut neighbors: Vec<Peer> = (0..NEIGHBORS_MAX).map(|_| Peer::neighbor(servent.address())).collect();
    let mut surplus = Peer::stranger(servent.address());
    surplus.say(&hello(surplus.as_servent()));
    surplus.expect_goodbye(Goodbye::Full);
    logged(&mut servent, &format!("no link with {}: it has as many links as it takes", surplus.address()));
    // One that goes makes room for another.
    let gone = neighbors.pop().unwrap();
    let name = gone.address();
    drop(gone);
    servent.wait_for_log(&format!("link with neighbor {name} is gone: ")).unwrap();
    neighbors.push(Peer::neighbor(servent.address()));
    still_serves(servent.address());
}

// ---- the flood ----

#[test]
fn a_client_is_told_finished_when_a_neighbor_dies_in_the_middle_of_its_flood() {
    let file = tea();
    let mut servent = serve(&[file.path()]);
    let mut staying = Peer::neighbor(servent.address());
    let mut dying = Peer::neighbor(servent.address());
    let mut client = Peer::client(servent.address(), ANSWER_PORT);
    let echo = |query: &Query, reached| {
        let tally = Tally { reached, ..Tally::default() };
        Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally })
    };

    // The first query waits for an echo that never comes. The second waits for the dead neighbor, which might come back.
    // Both end when the servent's patience does.
    let first = client.request(ask("mate"));
    let query = dying.expect_query();
    dying.say(&echo(&query, 1));
    let _never_echoed = staying.expect_query();
    let second = client.request(ask("tea"));
    let query = staying.expect_query();
    assert_eq!(dying.expect_query().sequence, second);
    let died = dying.address();
    drop(dying);
    staying.say(&echo(&query, 5));

    assert_eq!(client.expect_answer().sequence, second);
    let tally = Tally { reached: 2, copies: 2, lost: 1, ..Tally::default() };
    assert_eq!(client.expect_finished(), Finished { sequence: first, tally });
    let tally = Tally { reached: 6, answers: 1, copies: 2, lost: 1, answer_sum: client.mark, ..Tally::default() };
    assert_eq!(client.expect_finished(), Finished { sequence: second, tally });
    logged(&mut servent, &format!("link with neighbor {died} is gone: "));
}

#[test]
fn a_neighbor_that_comes_back_is_offered_the_query_again() {
    let mut servent = serve(&["-"]);
    let mut lost = Peer::stranger(servent.address());
    let role = lost.as_servent();
    lost.greet(role);
    let mut client = Peer::client(servent.address(), ANSWER_PORT);
    let sequence = client.request(ask("tea"));
    let query = lost.expect_query();
    let address = lost.address();
    drop(lost);
    logged(&mut servent, &format!("link with neighbor {address} is gone: "));

    let mut back = Peer::stranger(servent.address());
    back.greet(role);
    assert_eq!(back.expect_query(), query);
    let tally = Tally { reached: 1, ..Tally::default() };
    back.say(&Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally }));
    let tally = Tally { reached: 2, copies: 2, ..Tally::default() };
    assert_eq!(client.expect_finished(), Finished { sequence, tally });
}

#[test]
fn the_ttl_of_own_clients_is_the_one_asked_for() {
    for (options, ttl) in [(&["-"][..], TTL_DEFAULT), (&["-", "--ttl", "0"], 0), (&["-", "--ttl", "15"], TTL_MAX)] {
        let servent = serve(options);
        let mut neighbor = Peer::neighbor(servent.address());
        Peer::client(servent.address(), ANSWER_PORT).request(ask("tea"));
        let query = neighbor.expect_query();
        assert_eq!((query.ttl, query.hops), (ttl, 1));
    }
}

#[test]
fn the_ttl_of_others_is_cut_down_and_beyond_the_limit_dropped() {
    for (options, most) in [(&["-"][..], TTL_FROM_OTHERS_MAX), (&["-", "--ttl", "9"], 9)] {
        let mut servent = serve(options);
        let mut source = Peer::neighbor(servent.address());
        let mut other = Peer::neighbor(servent.address());
        let nobody = free_address();
        for ttl in [TTL_MAX + 1, u8::MAX] {
            source.pass_on(nobody, ask("tea"), ttl);
            logged(&mut servent, &format!("with TTL {ttl} after 1 hop"));
        }
        source.say(&Message::query(Query { hops: TTL_MAX + 2, ..query(nobody, ask("tea"), 3) }));
        logged(&mut servent, "with TTL 3 after 17 hops");
        let far = source.pass_on(nobody, ask("tea"), TTL_MAX);
        let near = source.pass_on(nobody, ask("tea"), 1);
        // What was dropped would have come first, here and in the echoes below.
        for (query, ttl) in [(far, most), (near, 1)] {
            let passed_on = other.expect_query();
            assert_eq!((passed_on.sequence, passed_on.ttl, passed_on.hops), (query.sequence, ttl - 1, 2));
            other.say(&Message::Echo(Echo { id: query.id(), ttl: ttl - 1, tally: Tally::default() }));
            let tally = Tally { reached: 1, copies: 1, ..Tally::default() };
            // The echo tells the sender which of its copies is meant, whatever was made of it here.
            assert_eq!(source.expect(), Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally }));
        }
    }
}

#[test]
fn the_sender_of_a_query_that_is_dropped_is_named_in_the_log() {
    let mut servent = serve(&["-"]);
    let mut source = Peer::neighbor(servent.address());
    source.pass_on(free_address(), ask("tea"), TTL_MAX + 1);
    logged(&mut servent, &format!("dropped, from {} with TTL 16", source.address()));
}

#[test]
fn an_answer_in_tp3_is_not_dialled_by_a_servent_that_does_not_speak_it() {
    let file = tea();
    let servent = serve(&[file.path()]);
    let mut source = Peer::neighbor(servent.address());
    let port = AnswerPort::open();
    let client = AnswerAddress { socket: port.address(), dialect: Dialect::Tp3 };
    let query = Query { client, ..query(port.address(), ask("tea"), 0) };
    source.say(&Message::query(query.clone()));
    let tally = Tally { reached: 1, lost: 1, ..Tally::default() };
    assert_eq!(source.expect(), Message::Echo(Echo { id: query.id(), ttl: 0, tally }));
    // Had it been dialled, this one would not be the first there.
    source.pass_on(port.address(), ask("tea"), 0);
    port.accept_and_greet().0.expect_answer();
}

// ---- coming and going ----

/// Many clients come, ask and go at once, some of them without a word: nobody gets another's answers.
#[test]
fn clients_that_come_and_go_get_their_own_answers() {
    let content: BTreeMap<String, String> =
        (0..100).map(|number| (format!("key{number}"), format!("{number}"))).collect();
    let file = DataFile::new(content.iter().map(|(key, value)| format!("{key} {value}\n")).collect::<String>());
    let servent: Servent = serve(&[file.path()]);
    let address = servent.address();
    thread::scope(|scope| {
        for worker in 0..4 {
            let content = &content;
            scope.spawn(move || {
                for (key, value) in content.iter().skip(worker * 25).take(25) {
                    let mut client = Peer::client(address, ANSWER_PORT);
                    drop(Peer::stranger(address));
                    assert_eq!(client.values(key), [value.as_bytes()]);
                }
            });
        }
    });
    let socket = TcpStream::connect(address).unwrap();
    // A reset instead of an end.
    SockRef::from(&socket).set_linger(Some(Duration::ZERO)).unwrap();
    drop(socket);
    assert_eq!(Peer::client(address, ANSWER_PORT).values("key7"), [b"7"]);
}
