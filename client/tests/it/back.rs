//! Answers that come back the way their query went: how they are shown, when a query is over by them, and what is fetched
//! because it is too long to be brought.
use super::*;
use crate::support::fake::tally_back;
use client::{AnswerBody, ConnectError, EndReason, Event, Via};
use common::features::Features;
use common::message::Request;

/// Longer than any value that is brought.
const LONG: usize = 7_000;

/// A client that asks for `k` and a contact that has heard it: the contact, the sequence, the client.
fn asked(options: &[&str]) -> (Fake, Peer, u64, Client) {
    let (fake, mut contact, client) = Fake::with_client(&[&["-c", "? k"], options].concat());
    let sequence = contact.request().sequence;
    (fake, contact, sequence, client)
}

/// A wait that no test lasts for: what ends before ends for another reason.
const FOR_EVER: [&str; 2] = ["--timeout", "24h"];

#[test]
fn an_answer_says_in_json_how_it_came_and_is_otherwise_like_any_other() {
    for is_json in [false, true] {
        let (_fake, mut contact, sequence, mut client) = asked(if is_json { &["--json"] } else { &[] });
        contact.hand(sequence, "192.0.2.7:9", b"one");
        let line = client.next_line();
        let mut servent = Peer::dial(contact.answer_address.unwrap(), "192.0.2.8:9");
        servent.answer(sequence, b"two");
        let other = client.next_line();
        contact.finish(sequence, tally(3, 2));
        if is_json {
            let line = support::process::json(&line);
            let expected = json!({"type": "answer", "command": "?", "key": "k", "value": "one", "from": "192.0.2.7:9",
                                  "hops": 2, "via": "back", "ms": line["ms"]});
            assert_eq!(line, expected);
            assert_eq!(support::process::json(&other)["via"], "direct");
            assert_eq!(client.next_json()["reason"], "complete");
        } else {
            assert_eq!([&line, &other], ["one 192.0.2.7:9", "two 192.0.2.8:9"]);
        }
        assert_eq!(client.finish(), quiet("", 0));
    }
}

#[test]
fn a_client_without_a_port_hears_all_from_its_contact() {
    let (fake, mut contact, sequence, mut client) = asked(&["--via", "back"]);
    assert_eq!(contact.answer_address.map(|address| address.port()), Some(0), "it says so");
    contact.answer(sequence, b"zero");
    assert_eq!(client.next_line(), format!("zero {}", fake.address()));
    contact.hand(sequence, "192.0.2.7:9", b"one");
    contact.finish(sequence, tally_back(3, 2));
    assert_eq!(client.finish(), quiet("one 192.0.2.7:9\n", 0));
}

#[test]
fn from_real_servents_everything_comes_back_to_a_client_without_a_port() {
    let long = "v".repeat(LONG);
    let chain = Chain::start(["tea green\n", &*format!("tea {long}\n"), "tea oolong\n"]);
    let mut client = Client::start(
        [&[&*chain.contact(), "--via", "back", "--json", "-c", "? tea", "-c", "T"], &FOR_EVER[..]].concat(),
    );
    let next_end = |client: &mut Client| {
        let mut heard: Vec<_> =
            std::iter::from_fn(|| Some(client.next_json()).filter(|line| line["type"] == "answer")).collect();
        heard.sort_by_key(|answer| answer["hops"].as_u64());
        heard
    };
    let values = next_end(&mut client);
    let told: Vec<_> = values.iter().map(|answer| picked(answer, ["value", "via"])).collect();
    // The contact has it over the one link there is.
    assert_eq!(told, [json!(["green", "direct"]), json!([long, "back"]), json!(["oolong", "back"])]);
    let places: Vec<_> = next_end(&mut client).iter().map(|answer| picked(answer, ["from", "via"])).collect();
    let ways = ["direct", "back", "back"];
    let expected: Vec<_> =
        ways.iter().enumerate().map(|(place, via)| json!([chain.address(place).to_string(), via])).collect();
    assert_eq!(places, expected);
    assert_eq!(client.finish(), quiet("", 0), "it is over without a wait, and nothing is missing");
}

#[test]
fn where_nothing_is_dialled_a_query_is_over_when_its_contact_says_so() {
    let lost = "1 report lost on the way: there may be more answers\n";
    let missing = "1 of 2 answers did not arrive: lost on the way back, or more than are brought back; ask again\n";
    for (tally, log) in [(Tally { lost: 1, ..tally_back(3, 1) }, lost), (tally_back(3, 2), missing)] {
        for via in ["auto", "back"] {
            let (_fake, mut contact, sequence, client) = asked(&[&["--via", via], &FOR_EVER[..]].concat());
            contact.hand(sequence, "192.0.2.7:9", b"one");
            contact.finish(sequence, tally);
            let run = client.finish();
            assert_eq!(run, Run { out: "one 192.0.2.7:9\n".to_owned(), log: log.to_owned(), code: 5 });
        }
    }
    let (_fake, mut contact, sequence, mut client) = asked(&[&["--json", "-q"], &FOR_EVER[..]].concat());
    contact.finish(sequence, tally_back(3, 2));
    let finished = client.next_json();
    assert_eq!(picked(&finished, ["reason", "missing", "lost", "doubtful"]), json!(["incomplete", 2, 0, false]));
    assert_eq!(client.finish(), quiet("", 5));
    // Nobody has it, and that is certain.
    let (_fake, mut contact, sequence, client) = asked(&FOR_EVER);
    contact.finish(sequence, tally_back(3, 0));
    assert_eq!(client.finish(), quiet("No answer received\n", 1));
}

#[test]
fn what_comes_when_its_query_is_over_is_shown_as_late() {
    for is_json in [false, true] {
        let options = if is_json { &["--json", "-q"][..] } else { &["-q"] };
        let (_fake, mut contact, mut client) = Fake::with_client(options);
        client.write("? k\n? l\n");
        let sequence = contact.request().sequence;
        contact.finish(sequence, Tally { lost: 2, ..tally_back(3, 0) });
        let ended = client.next_line();
        let next = contact.request().sequence;
        for _ in 0..2 {
            contact.hand(sequence, "192.0.2.7:9", b"v\n");
        }
        let late = client.next_line();
        if is_json {
            assert_eq!(support::process::json(&ended)["reason"], "incomplete");
            let late = support::process::json(&late);
            let expected = json!({"type": "late", "command": "?", "key": "k", "value": "v\n", "from": "192.0.2.7:9",
                                  "hops": 2, "via": "back", "ms": late["ms"]});
            assert_eq!(late, expected);
        } else {
            let said = [r"No answer received", r"Late answer to ? k: v\n 192.0.2.7:9"];
            assert_eq!([&ended, &late], said);
        }
        contact.hand(next, "192.0.2.8:9", b"w");
        contact.finish(next, tally_back(3, 1));
        let answer = client.next_line();
        assert!(answer.contains('w') && !answer.contains("ate"), "{answer}");
        assert_eq!(client.finish().code, 5);
    }
}

#[test]
fn a_value_that_is_too_long_to_be_brought_is_fetched_where_it_is() {
    let (_fake, mut contact, sequence, mut client) = asked(&[&["--json"], &FOR_EVER[..]].concat());
    let holder = Fake::listen();
    contact.announce(sequence, &holder.name(), LONG);
    contact.finish(sequence, tally_back(3, 1));
    let mut servent = holder.attach();
    assert_eq!(servent.answer_address.map(|address| address.port()), Some(0), "it is to answer over that link");
    let Request { sequence: alone, ask, ttl } = servent.request();
    assert_eq!((ask.to_string(), ttl), ("? k".to_owned(), Some(0)), "it alone is asked");
    assert_ne!(alone, sequence);
    servent.answer(alone, &[b'v'; LONG]);
    let answer = client.next_json();
    let hops_and_from = picked(&answer, ["type", "from", "hops", "via"]);
    assert_eq!(hops_and_from, json!(["answer", holder.name(), 2, "back"]));
    assert_eq!(answer["value"].as_str().map(str::len), Some(LONG));
    assert_eq!(client.next_json()["reason"], "complete");
    assert_eq!(servent.receive(), None, "it is needed no more");
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn a_value_that_cannot_be_fetched_is_named_and_missing() {
    let gone = nobody();
    let (old, other) = (Fake::listen(), Fake::listen());
    type Meet<'a> = &'a dyn Fn();
    let rows: [(&str, Meet<'_>, &str); 3] = [
        (&gone.to_string(), &|| {}, "Connection refused (os error 111)"),
        (
            &old.name(),
            &|| {
                let mut servent = old.accept();
                servent.greet_as_one_that_can(Features::BACK);
                assert_eq!(servent.receive(), None);
            },
            "it cannot be asked alone: it is too old for that",
        ),
        (
            &other.name(),
            &|| {
                let mut servent = other.accept();
                servent.hang_up();
            },
            "it closed the connection",
        ),
    ];
    for (from, meet, reason) in rows {
        for options in [&[][..], &["--json"], &["-q"]] {
            let (_fake, mut contact, sequence, client) = asked(&[options, &FOR_EVER[..]].concat());
            contact.announce(sequence, from, LONG);
            contact.finish(sequence, tally_back(3, 1));
            meet();
            let run = client.finish();
            assert_eq!(run.code, 5, "{run:?}");
            let missing = "1 of 1 answer did not arrive\n";
            match options {
                [] => {
                    let said = format!("client: the value of {from} (7,000 bytes) could not be fetched: {reason}\n");
                    assert_eq!((run.out.as_str(), run.log), ("No answer received\n", said + missing));
                }
                ["--json"] => {
                    assert_eq!(run.log, missing);
                    let lines: Vec<_> = run.out.lines().map(support::process::json).collect();
                    let unfetched =
                        json!({"type": "unfetched", "key": "k", "from": from, "bytes": 7000, "reason": reason});
                    assert_eq!(lines[0], unfetched);
                    assert_eq!(picked(&lines[1], ["reason", "missing"]), json!(["incomplete", 1]));
                }
                _ => assert_eq!((run.out.as_str(), run.log.as_str()), ("No answer received\n", "")),
            }
        }
    }
}

/// Where as many connections wait as may, one more is neither taken nor refused.
#[test]
fn a_servent_that_does_not_take_the_connection_holds_nothing_up() {
    let full = TcpListener::bind("127.0.0.1:0").unwrap();
    rustix::net::listen(&full, 0).unwrap();
    let dark = full.local_addr().unwrap();
    let _waits = std::net::TcpStream::connect(dark).unwrap();
    let (_fake, mut contact, sequence, mut client) = asked(&["--timeout", "500ms"]);
    contact.announce(sequence, &dark.to_string(), LONG);
    contact.hand(sequence, "192.0.2.7:9", b"one");
    assert_eq!(client.next_line(), "one 192.0.2.7:9");
    contact.finish(sequence, tally_back(3, 2));
    let run = client.finish();
    let start = format!("client: the value of {dark} (7,000 bytes) could not be fetched: ");
    assert!(run.log.starts_with(&start) && run.code == 5, "{run:?}");
}

#[test]
fn a_contact_that_brings_nothing_back_is_no_contact_for_whoever_has_no_port() {
    let fake = Fake::listen();
    let client = Client::start([&*fake.name(), "--via", "back", "-c", "? k"]);
    let mut contact = fake.accept();
    contact.greet_as_one_that_can(Features::NONE);
    assert_eq!(contact.receive(), None, "it is not asked");
    let log = format!(
        "client: no servent at contact {}: it does not bring answers back, and none can be dialled: this client has no answer \
         port\n",
        fake.name()
    );
    assert_eq!(client.finish(), Run { out: String::new(), log, code: 3 });
    // With a port it will do.
    let client = Client::start([&*fake.name(), "-c", "? k"]);
    let mut contact = fake.accept();
    contact.greet_as_one_that_can(Features::NONE);
    contact.answer_next(b"v");
    assert_eq!(client.finish(), quiet(format!("v {}\n", fake.name()), 0));
}

#[test]
fn what_stands_in_the_way_of_answers_that_come_back_is_said_in_words() {
    for (words, said) in [
        (&["--via", "back", "9990", "9000"][..], "with --via back no answer port is opened"),
        (&["--via", "back", "tp3://127.0.0.1:9000"], "in TP3 no answers come back"),
    ] {
        let run = Client::run(words, "");
        assert!(run.log.contains(said) && run.code == 2, "{run:?}");
    }
}

#[test]
fn a_person_is_told_once_why_answers_come_back() {
    let said =
        |fake: &Fake| format!("answers of other hosts come through {}: they cannot dial 127.0.0.1\n", fake.name());
    let home = TempDir::new().unwrap();
    let (fake, mut contact, mut terminal) = Terminal::attached(XTERM, home.path(), &[], &[]);
    let mut screen = "> ".to_owned();
    for (round, key) in ["one", "two"].into_iter().enumerate() {
        terminal.press(format!("? {key}\r"));
        let sequence = contact.request().sequence;
        contact.hand(sequence, "192.0.2.7:9", b"v");
        contact.finish(sequence, tally_back(3, 1));
        screen += &format!("? {key}\nv 192.0.2.7:9\n1 answer from 3 servents in TIME\n");
        if round == 0 {
            screen += &said(&fake);
        }
        screen += "> ";
        terminal.wait_for_screen(&screen);
    }
    // Who wants it so knows.
    let home = TempDir::new().unwrap();
    let (_fake, mut contact, mut terminal) = Terminal::attached(XTERM, home.path(), &[], &["--via", "back"]);
    terminal.press("? one\r");
    let sequence = contact.request().sequence;
    contact.hand(sequence, "192.0.2.7:9", b"v");
    contact.finish(sequence, tally_back(3, 1));
    terminal.wait_for_screen("> ? one\nv 192.0.2.7:9\n1 answer from 3 servents in TIME\n> ");
}

// ---- the library ----

fn attached_without_a_port() -> (Fake, Peer, client::Client) {
    let fake = Fake::listen();
    let name = fake.name();
    let client = std::thread::spawn(move || client::Client::connect_without_port(&name).unwrap());
    let contact = fake.attach();
    (fake, contact, client.join().unwrap())
}

#[test]
fn the_library_asks_without_a_port_too() {
    let (_fake, mut contact, mut client) = attached_without_a_port();
    assert_eq!(client.answers_at(), None);
    let query = client.begin(client::Question::key("k").unwrap()).unwrap();
    let sequence = contact.request().sequence;
    contact.hand(sequence, "192.0.2.7:9", b"v");
    contact.finish(sequence, Tally { lost: 1, ..tally_back(3, 1) });
    let mut next = || client.next_event().unwrap().unwrap();
    let (Some(of), Event::Answer { via: Via::Back, hops: Some(2), .. }) = next() else { panic!("no answer") };
    assert_eq!(of, query);
    let (Some(of), Event::Finished(ending)) = next() else { panic!("no end") };
    assert_eq!((of, ending.reason), (query, EndReason::Incomplete));
    // What is late is told when somebody looks.
    contact.hand(sequence, "192.0.2.8:9", b"w");
    let until = Instant::now() + PATIENCE;
    while !client.ready().unwrap() {
        assert!(Instant::now() < until, "nothing comes");
    }
    let Some((Some(of), Event::Late { body: AnswerBody::Value(value), .. })) = client.take_event() else {
        panic!("nothing is late")
    };
    assert_eq!((of, &value[..]), (query, &b"w"[..]));
    assert_eq!(client.take_event(), None);
}

#[test]
fn a_client_without_a_port_attaches_again_without_one() {
    let (fake, contact, mut client) = attached_without_a_port();
    drop(contact);
    let until = Instant::now() + PATIENCE;
    while client.is_connected() {
        client.ready().unwrap();
        assert!(Instant::now() < until, "nobody sees it go");
    }
    let again = std::thread::spawn(move || {
        client.reconnect().unwrap();
        client
    });
    let contact = fake.attach();
    assert_eq!(contact.answer_address.map(|address| address.port()), Some(0));
    assert_eq!(again.join().unwrap().answers_at(), None);
}

#[test]
fn without_a_port_a_contact_that_speaks_tp3_is_not_even_dialled() {
    let contact = format!("tp3://{}", nobody());
    let error = client::Client::connect_without_port(&contact).unwrap_err();
    assert!(matches!(&error, ConnectError::NoWayBack { contact: named } if *named == contact), "{error}");
    let Err(ConnectError::NoServent { .. }) = client::Client::connect(&contact) else { panic!("somebody is there") };
}

#[test]
fn whoever_begins_many_queries_and_takes_nothing_late_is_not_held_up() {
    let (_fake, mut contact, mut client) = attached_without_a_port();
    // What came late is read when the next is asked.
    for _ in 0..4 {
        let events = client.ask("k").unwrap();
        let sequence = contact.request().sequence;
        contact.finish(sequence, Tally { lost: 1, ..tally_back(3, 0) });
        assert_eq!(events.count(), 1);
        for number in 0..500 {
            contact.hand(sequence, &format!("192.0.2.7:{}", 1 + number), b"v");
        }
    }
}
