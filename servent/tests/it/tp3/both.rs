//! Both dialects in one flood.

use std::thread;

use super::*;
use common::message::Echo;
use common::query::{Query, Tally};
use common::session::{EndReason, Ending, Question};
use peers::ask;
use topologies::asking::{self, Asked};

/// What the echo to a native copy must say of one TP3 neighbor it was passed on to.
fn silent_one(tally: Tally) {
    assert_eq!((tally.reached, tally.silent, tally.lost), (1, 1, 0), "{tally:?}");
}

#[test]
fn a_native_query_crosses_a_tp3_link_which_is_counted_as_silent() {
    let servent = serve_tp3(&["-"]);
    let mut native = Peer::neighbor(servent.address());
    let mut tp3 = Wire::neighbor(servent.address());
    let query = native.pass_on(NOBODY.into(), ask("coffee"), 2);
    let flood = tp3.hear_flood();
    assert_eq!((flood.kind, flood.ttl, flood.client, &flood.info[..]), (Kind::Key, 1, NOBODY, &b"coffee"[..]));
    match native.expect() {
        Message::Echo(Echo { id, ttl: 2, tally }) if id == query.id() => silent_one(tally),
        message => panic!("{message:?} and no echo"),
    }
    // Sent back, with more TTL too, it is still the same query.
    tp3.pass_on(&flood);
    tp3.pass_on(&flood.with_ttl(0));
    let mark = Flood::key(NOBODY, UNKNOWN, 1);
    tp3.pass_on(&mark);
    let heard = native.expect_query();
    assert_eq!((heard.ttl, heard.ask, heard.client.socket), (0, ask(UNKNOWN), NOBODY.into()));
    assert_eq!(tp3.leave(), b"");
}

#[test]
fn a_tp3_flood_crosses_a_native_link_and_its_echo_goes_no_further() {
    let servent = serve_tp3(&["-"]);
    let mut native = Peer::neighbor(servent.address());
    let [mut one, mut other] = neighbors(&servent);
    for _ in 0..10 {
        let flood = Flood::key(NOBODY, "coffee", 3);
        one.pass_on(&flood);
        assert_eq!(other.hear_flood(), flood.with_ttl(2));
        let query = native.expect_query();
        assert_eq!((query.ttl, &query.ask, query.client.socket), (2, &ask("coffee"), NOBODY.into()));
        native.say(&Message::Echo(Echo {
            id: query.id(),
            ttl: query.ttl,
            tally: Tally { reached: 1, ..Tally::default() },
        }));
    }
    expect_nothing_more(&mut one, &mut other);
    expect_nothing_more(&mut other, &mut one);
    assert_eq!((one.leave(), other.leave()), (vec![], vec![]));
}

#[test]
fn a_query_that_comes_in_both_dialects_is_answered_once() {
    let servent = serve_tea(&["--tp3"]);
    let mut native = Peer::neighbor(servent.address());
    let mut tp3 = Wire::neighbor(servent.address());
    let answers = Answers::open();
    // By TP3 first, then natively, as a native servent passes it on that got it another way.
    let flood = Flood::key(answers.address(), "tea", 3);
    tp3.pass_on(&flood);
    assert_eq!(answers.next().sequence, flood.sequence);
    let query = native.expect_query();
    native.say(&Message::query(query.clone()));
    match native.expect() {
        Message::Echo(Echo { id, tally, .. }) if id == query.id() => {
            assert_eq!((tally.duplicates, tally.answers), (1, 0));
        }
        message => panic!("{message:?} and no echo"),
    }
    expect_no_more_answers(&mut tp3, &answers);

    // Natively first, then by TP3: answered in the dialect of its client.
    let next = Query { sequence: query.sequence + 500_000, ..query };
    native.say(&Message::query(next));
    let answer = answers.next();
    assert_eq!((answer.sequence, &answer.value[..]), (flood.sequence + 500_000, &b"green"[..]));
    let passed_on = tp3.hear_flood();
    assert_eq!((passed_on.sequence, passed_on.ttl, passed_on.client), (answer.sequence, 1, answers.address()));
    tp3.pass_on(&passed_on);
    tp3.pass_on(&passed_on.with_ttl(0));
    expect_no_more_answers(&mut tp3, &answers);
}

/// Asks for a key, and waits for so many seconds.
fn waiting(key: &str, seconds: u64) -> Question {
    Question { silence_max: Duration::from_secs(seconds), ..asking::key(key).unwrap() }
}

#[test]
fn our_client_is_answered_by_nodes_behind_a_tp3_link_and_ends_by_silence() {
    let file = DataFile::new("coffee black\n");
    let servent = serve_tp3(&[file.path()]);
    let mut node = Wire::neighbor(servent.address());
    let contact = servent.address();
    let client = thread::spawn(move || Asked::at(contact, waiting("coffee", 3)).unwrap());
    let flood = node.hear_flood();
    assert_eq!((flood.kind, flood.ttl, &flood.info[..]), (Kind::Key, 3, &b"coffee"[..]));
    // It sends it back, as many do, and answers as all do.
    node.pass_on(&flood);
    node.pass_on(&flood.with_ttl(7));
    let mut answer = Wire::connect_from(Ipv4Addr::new(127, 0, 0, 7), flood.client.into());
    answer.say(&resp(flood.sequence, "white"));
    let from = answer.address();
    // It closes at once and does not care what the client may have to say.
    drop(answer);
    let asked = client.join().unwrap();
    let mut answers: Vec<(&str, SocketAddr)> =
        asked.answers.iter().map(|answer| (answer.value.as_deref().unwrap(), answer.from)).collect();
    answers.sort_unstable();
    assert_eq!(answers, [("black", contact), ("white", from)], "{asked:?}");
    let Ending { reason, tally, .. } = asked.ending;
    assert_eq!((reason, tally.silent, tally.lost), (EndReason::Silence, 1, 0), "{asked:?}");
    assert_eq!(asked.surprises, []);
}

#[test]
fn what_tp3_cannot_say_is_left_out_and_closes_nothing() {
    let servent = serve_tea(&["--tp3"]);
    let mut tp3 = Wire::neighbor(servent.address());
    let mut native = Peer::neighbor(servent.address());
    native.pass_on(NOBODY.into(), ask([b'k'; TEXT_BYTES_MAX + 1]), 3);
    native.pass_on(NOBODY.into(), ask([b'k'; 4_096]), 3);
    native.pass_on("[2001:db8::1]:9990".parse().unwrap(), ask("coffee"), 3);
    // Native words that have no counterpart.
    native.say(&Message::Ping);
    native.pass_on(NOBODY.into(), ask(UNKNOWN), 1);
    let flood = tp3.hear_flood();
    assert_eq!((flood.ttl, flood.client, &flood.info[..]), (0, NOBODY, UNKNOWN.as_bytes()));
    // All of them were echoed: nobody waits for what was never sent.
    let mut echoes = 0;
    while echoes < 4 {
        match native.hear() {
            Heard::Message(Message::Echo(echo)) => {
                // What was not said is no copy, and whoever asks is told that something is missing.
                let tally = if echoes < 3 {
                    Tally { reached: 1, lost: 1, ..Tally::default() }
                } else {
                    Tally { reached: 1, copies: 1, silent: 1, is_dialled: true, ..Tally::default() }
                };
                assert_eq!(echo.tally, tally);
                echoes += 1;
            }
            Heard::Message(Message::Pong) => {}
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(tp3.leave(), b"");
    drop(native);
    still_serves(&servent);
}
