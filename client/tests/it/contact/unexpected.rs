//! What belongs to no query.

use super::*;
use crate::support::process::fields;
use common::wire::{Frame, Position};

#[test]
fn what_was_not_asked_for_is_named_and_dropped() {
    let (fake, mut contact, sequence, mut client) = asked(&[]);
    for message in unexpected_messages(sequence) {
        contact.send(&message);
        assert_eq!(client.next_line(), format!("Unexpected message from {}", fake.address()), "{message:?}");
    }
    let mut servent = Peer::dial(contact.answer_address.unwrap(), "192.0.2.7:9");
    // That the flood is over is for the contact to say.
    let finished = Message::Finished(Finished { sequence, tally: tally(1, 0) });
    for message in unexpected_messages(sequence).into_iter().chain([finished]) {
        servent.send(&message);
        assert_eq!(client.next_line(), "Unexpected message from 192.0.2.7:9", "{message:?}");
    }
    servent.answer(sequence, b"v");
    assert_eq!(client.next_line(), "v 192.0.2.7:9");
    contact.finish(sequence, tally(2, 1));
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn json_of_what_was_not_asked_for() {
    let (fake, mut contact, sequence, mut client) = asked(&["--json"]);
    for message in unexpected_messages(sequence) {
        contact.send(&message);
        let line = client.next_json();
        let expected = json!({"type": "unexpected", "message": message.name(), "from": fake.name()});
        assert_eq!(line, expected);
    }
    contact.finish(sequence, tally(1, 0));
    assert_eq!(fields(&client.next_json()).len(), 13);
}

#[test]
fn what_comes_too_late_is_told_before_the_next_query() {
    let (_fake, mut contact, mut client) = Fake::with_client(&["--json"]);
    client.write("? k\n");
    let first = contact.deny("? k");
    assert_eq!(client.next_json()["reason"], "complete");
    contact.answer(first, b"too late");
    client.write("? k\n");
    assert_eq!(picked(&client.next_json(), ["type", "message"]), json!(["unexpected", "answer"]));
    assert_ne!(contact.deny("? k"), first);
    assert_eq!(client.next_json()["answers"], 0);
}

#[test]
fn strangers_at_the_answer_address_do_no_harm() {
    let (_fake, mut contact, sequence, client) = asked(&[]);
    let answer_address = contact.answer_address.unwrap();
    let mut strangers: Vec<std::net::TcpStream> = Vec::new();
    for bytes in [&b"GET / HTTP/1.1\r\n\r\n"[..], &[&PREFACE[..], &[0xff; 4]].concat(), &PREFACE[..2], b""] {
        let mut stranger = std::net::TcpStream::connect(answer_address).unwrap();
        stranger.write_all(bytes).unwrap();
        strangers.push(stranger);
    }
    // One that answers before it has said who it is.
    let mut hasty = std::net::TcpStream::connect(answer_address).unwrap();
    let body = AnswerBody::Value(b"forged".to_vec());
    let answer = Message::Answer(Answer { sequence, asked: asked_hash(sequence), hops: 1, body });
    let frame = Frame::at(Position::First, Dialect::Native, 0, &answer).unwrap();
    hasty.write_all(&[&PREFACE[..], frame.as_bytes()].concat()).unwrap();
    hasty.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut heard = Vec::new();
    // Its connection is closed: in good order, or with a reset when something of it was left unread.
    if let Err(error) = hasty.read_to_end(&mut heard) {
        assert_eq!(error.kind(), std::io::ErrorKind::ConnectionReset);
    }
    let mut servent = Peer::dial(answer_address, "192.0.2.7:9");
    servent.answer(sequence, b"v");
    contact.finish(sequence, tally(2, 1));
    assert_eq!(client.finish(), quiet("v 192.0.2.7:9\n", 0));
    drop(strangers);
}
