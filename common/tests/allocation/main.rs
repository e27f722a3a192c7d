//! How much memory bytes from strangers can cost, and bytes that ask for too much.
//!
//! It measures a link and the decoding inside it, an idle servent's mind and a client's; what the minds keep of what they
//! are told has limits of its own.
//! It is a test binary of its own because a program has one allocator, and this one counts.

// Clippy takes only the bodies of tests for tests, not what they share.
#![allow(clippy::expect_used)]

mod client;
mod data;
mod exchange;
mod links;
mod servent;

use common::dialect::Dialect;
use common::link::{Link, Purpose};
use common::message::{Hello, Message, Role};
use common::query::{Answer, AnswerBody, AskHash};
use common::wire::{Frame, PREFACE, Position, WireError};
use counting_allocator::held;

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
