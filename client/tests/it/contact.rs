//! The client with contacts and servents that do not behave: absent, mute, slow, talking nonsense, leaving half-way.
//!
//! The wait for answers is tested here too, because only a servent played by the test can be silent when it should be.
//! What a healthy overlay is asked is in `script.rs`.
mod absent;
mod interrupts;
mod lost;
mod missing;
mod shown;
mod unexpected;
mod wait;

use super::*;
use crate::support::fake::{asked_hash, marks_sum};
use common::address::AnswerAddress;
use common::dialect::Dialect;
use common::message::{Echo, Finished, Goodbye, Hello, Message, Request, Role, ServentId};
use common::query::{Answer, AnswerBody, Path, Query, QueryId, Via};
use common::wire::PREFACE;

/// What a run that waited in vain for its contact's word comes to.
fn unreported(out: impl Into<String>) -> Run {
    Run { out: out.into(), log: UNREPORTED.to_owned(), code: 5 }
}

/// What is said of it.
const UNREPORTED: &str = "the contact did not report: incomplete, there may be more answers\n";

fn key(text: &str) -> Ask {
    Ask::Key(Key::new(text.as_bytes()).unwrap())
}

/// A client that asks for `k` and a contact that has heard it: the contact, the sequence, the client.
fn asked(options: &[&str]) -> (Fake, Peer, u64, Client) {
    let (fake, mut contact, client) = Fake::with_client(&[&["-c", "? k"], options].concat());
    let request = contact.request();
    assert_eq!(request.ask, key("k"));
    (fake, contact, request.sequence, client)
}

/// A client that goes on reading its script once it was told that nobody has what it asked for.
fn denied() -> (Fake, Peer, Client) {
    let (fake, mut contact, mut client) = Fake::with_client(&[]);
    client.write("? k\n");
    contact.deny("? k");
    assert_eq!(client.next_line(), "No answer received");
    (fake, contact, client)
}

/// Messages that belong to no query of a client that has asked with this sequence.
fn unexpected_messages(sequence: u64) -> Vec<Message> {
    let value = |sequence| {
        let body = AnswerBody::Value(b"v".to_vec());
        Message::Answer(Answer { sequence, asked: asked_hash(sequence), hops: 1, body })
    };
    let client: SocketAddr = "192.0.2.1:1".parse().unwrap();
    let query = Query {
        via: Via::Direct,
        sequence,
        client: AnswerAddress { socket: client, dialect: Dialect::Native },
        contact: None,
        ttl: 3,
        hops: 1,
        ask: key("k"),
        path: Path::default(),
    };
    vec![
        value(sequence.wrapping_add(1)),
        value(sequence.wrapping_sub(1)),
        value(0),
        Message::Finished(Finished { sequence: sequence.wrapping_add(1), tally: tally(9, 0) }),
        Message::query(query),
        Message::Echo(Echo { id: QueryId { sequence, client }, ttl: 3, tally: tally(1, 1) }),
        Message::Request(Request { sequence, ask: key("k"), ttl: None }),
        Message::Hello(Hello::new(Role::Servent { id: ServentId(1), advertised: client })),
        Message::Pong,
    ]
}
