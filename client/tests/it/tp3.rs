//! The client attached to a TP3 node: what it says to the byte, what it takes for an answer, and when it stops waiting.
//!
//! The node is played byte by byte (`support/tp3.rs`). What our servents do in that dialect is in `servent/tests/it/tp3`;
//! the client attached to a servent of its own kind is in `contact.rs` and `script.rs`.
use super::*;
use crate::support::process;
use crate::support::tp3::{Contact, Node};
use peers::tp3::{id, keyreq, resp, toporeq};
use serde_json::Value;
use topologies::fleet::Servent;

/// A client that asks for `k` and a contact that has heard it. The sequence is 0.
fn asked(options: &[&str]) -> (Node, Contact, Client) {
    let (node, mut contact, client) = Node::with_client(&[&["-c", "? k"], options].concat());
    contact.expect(&keyreq(0, "k"));
    (node, contact, client)
}

/// What the client says of an unexpected message.
fn unexpected(from: SocketAddr) -> String {
    format!("Unexpected message from {from}")
}

// ---- what it says ----

#[test]
fn the_id_comes_first_and_all_requests_are_counted_from_0() {
    let (_node, mut contact, mut client) = Node::with_client(&["--timeout", "300ms"]);
    client.write("? a\nT\n? caf\u{e9}\n");
    client.write(b"? \xff\x80\n");
    contact.expect(&[0, 5, 0, 0, 0, 0, 0, 1, b'a']);
    contact.expect(&[0, 6, 0, 0, 0, 1]);
    contact.expect(&[0, 5, 0, 0, 0, 2, 0, 5, b'c', b'a', b'f', 0xc3, 0xa9]);
    contact.expect(&[0, 5, 0, 0, 0, 3, 0, 2, 0xff, 0x80]);
    client.write("Q\n");
    assert_eq!(client.finish(), quiet("No answer received\n".repeat(4), 1));
    // Not even a farewell.
    assert_eq!(contact.bytes_until_end(), b"");
}

#[test]
fn the_id_names_the_answer_port_asked_for() {
    let port = unused_port();
    let (_node, mut contact, client) = Node::with_client(&["--answer-port", &port.to_string(), "-n", "1", "-c", "? k"]);
    assert_eq!(contact.client, SocketAddr::from(([127, 0, 0, 1], port)));
    contact.expect(&keyreq(0, "k"));
    let wire = contact.answer(0, "v");
    assert_eq!(client.finish(), quiet(format!("v {}\n", wire.address()), 0));
}

#[test]
fn a_port_nobody_named_is_no_negative_number_to_anybody() {
    let node = Node::listen();
    for _ in 0..4 {
        let client = Client::start([&*node.name(), "-c", "? k"]);
        let contact = node.attach();
        assert!(contact.client.port() < 0x8000, "{}", contact.client);
        drop(client);
    }
}

#[test]
fn the_answer_port_is_open_before_anything_is_asked() {
    let (_node, mut contact, mut client) = Node::with_client(&["--timeout", "300ms"]);
    let early = contact.dial();
    client.write("? k\n");
    contact.expect(&keyreq(0, "k"));
    drop(early);
    assert_eq!(client.finish(), quiet("No answer received\n", 1));
}

#[test]
fn nothing_is_ever_said_to_those_who_answer() {
    let (_node, mut contact, mut client) = asked(&[]);
    let mut wires = vec![contact.answer(0, "v"), contact.answer(7, "v"), contact.bring(&[0xff; 7]), contact.bring(&[])];
    for wire in &mut wires {
        assert_eq!(wire.bytes_until_end(), b"");
    }
    let lines: BTreeSet<String> = (0..3).map(|_| client.next_line()).collect();
    let [value, other, garbage] = [0, 1, 2].map(|place| wires[place].address());
    assert_eq!(lines, BTreeSet::from([format!("v {value}"), unexpected(other), unexpected(garbage)]));
    // Nor to one who waits to be spoken to.
    let mut mute = contact.dial();
    assert_eq!(client.finish(), quiet("", 0));
    assert_eq!(mute.bytes_until_end(), b"");
    assert_eq!(contact.bytes_until_end(), b"");
}

#[test]
fn a_key_too_long_for_the_dialect_is_not_said_and_costs_only_itself() {
    let (_node, mut contact, mut client) = Node::with_client(&["--timeout", "300ms"]);
    let longest = "k".repeat(400);
    client.write(format!("? {longest}k\n? {longest}\nQ\n"));
    // Whether a number was spent on what was not said is left open.
    let expected = keyreq(0, &longest);
    let heard = contact.hear(expected.len());
    assert_eq!((&heard[..2], &heard[6..]), (&expected[..2], &expected[6..]));
    assert!(matches!(heard[2..6], [0, 0, 0, 0 | 1]), "{heard:02x?}");
    let run = client.finish();
    assert!(matches!(run.code, 1 | 2), "{run:?}");
    assert_eq!(contact.bytes_until_end(), b"");
}

// ---- what it prints ----

#[test]
fn every_answer_is_printed() {
    let (_node, contact, mut client) = asked(&["--timeout", IN_TIME]);
    for value in ["one", "two", "", "one"] {
        contact.answer_shown(0, value, &mut client);
    }
    // Many at once, too.
    let wires: Vec<_> = (0..100).map(|number| contact.answer(0, format!("v{number}"))).collect();
    let expected: BTreeSet<String> =
        wires.iter().zip(0..).map(|(wire, number): (_, u32)| format!("v{number} {}", wire.address())).collect();
    assert_eq!((0..100).map(|_| client.next_line()).collect::<BTreeSet<String>>(), expected);
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn an_answer_to_the_topology_is_its_text_and_the_address_it_came_from() {
    let (_node, mut contact, mut client) = Node::with_client(&["--timeout", IN_TIME, "-c", "T"]);
    contact.expect(&toporeq(0));
    for path in ["127.0.0.1:9001", "127.0.0.1:9001 127.0.0.1:9002", "192.0.2.1:9000 192.0.2.2:90...", "node-one:9000"] {
        contact.answer_shown(0, path, &mut client);
    }
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn a_path_of_strange_bytes_is_shown_escaped() {
    let (_node, mut contact, client) = Node::with_client(&["-n", "1", "-c", "T"]);
    contact.expect(&toporeq(0));
    let wire = contact.answer(0, b"\x1b[2J 127.0.0.1:9001\n\xff");
    assert_eq!(client.finish(), quiet(format!("\\x1b[2J 127.0.0.1:9001\\n\\xff {}\n", wire.address()), 0));
}

#[test]
fn json_says_the_same() {
    let (_node, mut contact, mut client) = Node::with_client(&["--json", "--timeout", IN_TIME, "-c", "? k", "-c", "T"]);
    contact.expect(&keyreq(0, "k"));
    let wire = contact.answer(0, "v");
    let line = client.next_json();
    let expected = json!(["answer", "?", "k", "v", wire.address().to_string()]);
    assert_eq!(json!([line["type"], line["command"], line["key"], line["value"], line["from"]]), expected);
    contact.answer(0, b"\xff");
    assert_eq!(client.next_json()["value_base64"], "/w==");
    let wire = contact.answer(3, "v");
    let line = client.next_json();
    assert_eq!(json!([line["type"], line["from"]]), json!(["unexpected", wire.address().to_string()]));
    assert_eq!(picked(&client.next_json(), ["type", "answers", "reason"]), json!(["finished", 2, "silence"]));

    contact.expect(&toporeq(1));
    let wire = contact.answer(1, "192.0.2.1:9001 192.0.2.1:9002");
    let line = client.next_json();
    let expected = json!(["answer", "T", wire.address().to_string()]);
    assert_eq!(json!([line["type"], line["command"], line["from"]]), expected);
    // As addresses or as a text.
    let path = json!(["192.0.2.1:9001", "192.0.2.1:9002"]);
    assert!(line["path"] == path || line["value"] == "192.0.2.1:9001 192.0.2.1:9002", "{line}");
    assert_eq!(picked(&client.next_json(), ["type", "answers", "reason"]), json!(["finished", 1, "silence"]));
    assert_eq!(client.finish(), quiet("", 0));
}

// ---- when it stops waiting ----

/// Messages that answer nothing that was asked with sequence 0.
fn unexpected_messages() -> Vec<Vec<u8>> {
    let flood = [0, 7, 0, 3, 0, 0, 0, 0, 127, 0, 0, 1, 0x27, 6, 0, 1, b'k'].to_vec();
    let other_type = [&[0, 10][..], &resp(0, "v")[2..]].concat();
    vec![
        resp(1, "v"),
        resp(u32::MAX, "v"),
        id(0),
        id(9990),
        keyreq(0, "k"),
        toporeq(0),
        flood,
        other_type,
        vec![0xff; 7],
        b"HTTP/1.1 400 Bad Request\r\n\r\n".to_vec(),
    ]
}

#[test]
fn a_message_of_another_type_or_sequence_is_reported_with_its_sender() {
    let (_node, contact, mut client) = asked(&["--timeout", IN_TIME]);
    for bytes in unexpected_messages() {
        let wire = contact.bring(&bytes);
        assert_eq!(client.next_line(), unexpected(wire.address()), "{bytes:02x?}");
    }
    contact.answer_shown(0, "v", &mut client);
    assert_eq!(client.finish(), quiet("", 0));
}

// ---- answers, however they come ----

#[test]
fn an_answer_may_be_cut_anywhere() {
    let (_node, contact, mut client) = asked(&[]);
    let bytes = resp(0, "green");
    for cut in 1..bytes.len() {
        let mut wire = contact.dial();
        wire.say(&bytes[..cut]);
        // The client has taken notice: it has shown what came after.
        let whole = contact.answer(0, "whole");
        assert_eq!(client.next_line(), format!("whole {}", whole.address()));
        wire.say(&bytes[cut..]);
        assert_eq!(client.next_line(), format!("green {}", wire.address()), "cut at {cut}");
    }
    let mut wire = contact.dial();
    bytes.iter().for_each(|byte| wire.say(&[*byte]));
    assert_eq!(client.next_line(), format!("green {}", wire.address()));
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn a_second_answer_on_a_connection_harms_nobody() {
    let (_node, contact, mut client) = asked(&["--timeout", IN_TIME]);
    let twice = contact.bring(&[resp(0, "one"), resp(0, "two")].concat());
    assert_eq!(client.next_line(), format!("one {}", twice.address()));
    let last = contact.answer(0, "last");
    // It may be taken or reported, or left where it is.
    let taken = [format!("two {}", twice.address()), unexpected(twice.address())];
    loop {
        let line = client.next_line();
        if line == format!("last {}", last.address()) {
            break;
        }
        assert!(taken.contains(&line), "{line}");
    }
    let run = client.finish();
    assert_eq!((run.log.as_str(), run.code), ("", 0), "{}", run.out);
}

#[test]
fn half_an_answer_is_no_answer() {
    let (_node, contact, client) = asked(&["--timeout", IN_TIME, "--json"]);
    let bytes = resp(0, "green");
    for cut in 0..bytes.len() {
        assert_eq!(contact.bring(&bytes[..cut]).bytes_until_end(), b"", "cut at {cut}");
    }
    // One that announces more than there may be and does not bring it.
    let mut endless = contact.dial();
    endless.say(&[&resp(0, "")[..6], &[0xff, 0xff], b"green"].concat());
    let whole = contact.answer(0, "whole");
    let run = client.finish();
    assert_eq!(run.code, 0, "{}", run.log);
    let lines: Vec<Value> = run.out.lines().map(process::json).collect();
    let answers: Vec<&Value> = lines.iter().filter(|line| line["type"] == "answer").collect();
    assert_eq!(answers.len(), 1, "{}", run.out);
    assert_eq!((&answers[0]["value"], &answers[0]["from"]), (&json!("whole"), &json!(whole.address().to_string())));
}

// ---- the contact ----

#[test]
fn a_contact_that_cannot_be_is_a_usage_error() {
    for name in ["tp3://", "tp3://127.0.0.1", "tp3://127.0.0.1:0", "tp3://127.0.0.1:99999", "tp4://127.0.0.1:9000"] {
        let run = Client::run([name, "-c", "? k"], "");
        assert_eq!((run.out.as_str(), run.code), ("", 2), "{name}: {}", run.log);
        assert!(run.log.contains(name.trim_start_matches("tp3://")), "{}", run.log);
    }
}

#[test]
fn our_servents_are_such_nodes_too() {
    let data = TempDir::new().unwrap();
    let mut servents: Vec<Servent> = Vec::new();
    for (place, text) in ["tea one\n", "tea two\n", "tea three\n"].into_iter().enumerate() {
        let path = data.path().join(format!("{place}.txt"));
        std::fs::write(&path, text).unwrap();
        let mut arguments = vec!["127.0.0.1:0".to_owned(), "--tp3".to_owned(), path.display().to_string()];
        // The first link is one of TP3, the second one of ours.
        let dialect = if place == 1 { "tp3://" } else { "" };
        arguments.extend(servents.last().map(|previous| format!("{dialect}{}", previous.address())));
        servents.push(Servent::start(&arguments).unwrap());
    }
    let [a, b, c] = [0, 1, 2].map(|place| servents[place].address());
    let contact = format!("tp3://{a}");
    let paths = BTreeSet::from([format!("{a}"), format!("{a} {b}"), format!("{a} {b} {c}")]);
    let started = Instant::now();
    for tries in 0.. {
        // Nobody says when all have answered; where a silence was too short for the machine, the next is longer.
        let silence = format!("{}ms", 300 << tries);
        let run = Client::run([&*contact, "--timeout", &silence, "-c", "T"], "");
        let found: BTreeSet<String> =
            run.out.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0.to_owned())).collect();
        if found == paths {
            break;
        }
        assert!(started.elapsed() < PATIENCE, "the servents do not link: {run:?}");
    }
    let run = Client::run([&*contact, "-n", "3", "--timeout", "50s", "-c", "? tea"], "");
    assert_eq!((run.log.as_str(), run.code), ("", 0));
    let mut values: Vec<&str> = run.out.lines().filter_map(|line| Some(line.rsplit_once(' ')?.0)).collect();
    values.sort_unstable();
    assert_eq!(values, ["one", "three", "two"]);
    let run = Client::run([&*contact, "--timeout", "300ms", "-c", "? milk"], "");
    assert_eq!(run, quiet("No answer received\n", 1));
}
