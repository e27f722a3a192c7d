//! Frames as bytes, and what a link makes of bytes. No test is here.

use common::dialect::Dialect;
use common::link::{Link, Purpose};
use common::message::{Hello, Message, Role};
use common::query::{Answer, AnswerBody, AskHash};
use common::wire::{Frame, PREFACE, Position, WireError};

/// A link on which nothing was said.
pub(crate) fn new_link() -> Link {
    Link::new(Dialect::Native, Purpose::Asking)
}

/// A link that has heard a preface.
pub(crate) fn stranger() -> Link {
    let mut link = new_link();
    assert_eq!(heard_by(&mut link, &PREFACE), Ok(Vec::new()));
    link
}

/// A link that has heard a hello, so that frames of every length may come.
pub(crate) fn greeted() -> Link {
    let mut link = stranger();
    let heard = heard_by(&mut link, &frame_at(Position::First, &opening_hello()));
    assert_eq!(heard, Ok(vec![opening_hello()]));
    link
}

pub(crate) fn opening_hello() -> Message {
    Message::Hello(Hello::new(Role::Client { answer_port: 9990 }))
}

/// An answer of which only its value matters.
pub(crate) fn answer(value: Vec<u8>) -> Message {
    Message::Answer(Answer { sequence: 0, asked: Some(AskHash(0)), hops: 0, body: AnswerBody::Value(value) })
}

/// A message that others were said before.
pub(crate) fn frame(message: &Message) -> Vec<u8> {
    frame_at(Position::Later, message)
}

pub(crate) fn frame_at(position: Position, message: &Message) -> Vec<u8> {
    let frame = Frame::at(position, Dialect::Native, 0, message).expect("the message can be said");
    frame.as_bytes().to_vec()
}

/// A frame around bytes that may be no message.
pub(crate) fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("a test's body is short");
    [length.to_be_bytes().as_slice(), body].concat()
}

/// What a link makes of bytes that arrive together.
pub(crate) fn heard_by(link: &mut Link, bytes: &[u8]) -> Result<Vec<Message>, WireError> {
    link.receive(bytes);
    let mut heard = Vec::new();
    while let Some(message) = link.next_message()? {
        heard.push(message);
    }
    Ok(heard)
}

/// Hex digits as bytes; blanks and line ends are there for the reader.
pub(crate) fn bytes(hex: &str) -> Vec<u8> {
    let digits: Vec<u32> = hex
        .chars()
        .filter(|digit| !digit.is_whitespace())
        .map(|digit| digit.to_digit(16).unwrap_or_else(|| panic!("`{digit}` in `{hex}` is no hex digit")))
        .collect();
    assert!(digits.len().is_multiple_of(2), "half a byte in `{hex}`");
    let byte = |pair: &[u32]| u8::try_from(pair[0] * 16 + pair[1]).expect("two digits are a byte");
    digits.chunks(2).map(byte).collect()
}
