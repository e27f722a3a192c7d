//! The native decoder: the body of a frame, of any bytes, read as the first of its side and as a later one.
//!
//! Lengths of frames are `framer`'s: here the frame is always whole, so that what is inside it is reached.

use common::dialect::Dialect;
use common::limits::{FRAME_BYTES_MAX, SERVENT_FRAME_BYTES_MAX, TP3_TEXT_BYTES_MAX};
use common::message::Message;
use common::wire::{Frame, Position, ReadFrame, WireError, read_frame};

use crate::Outcome;

/// The length before a native body.
const LENGTH_BYTES: usize = 4;
/// The longest head of a TP3 message: type, TTL, sequence, ip, port and length of a query.
const TP3_HEAD_BYTES_MAX: usize = 2 + 2 + 4 + 4 + 2 + 2;

pub(crate) fn run(body: &[u8]) -> Outcome {
    let positions = [Position::First, Position::Later];
    Outcome::taken_if(positions.map(|position| is_taken(position, body)).contains(&true))
}

fn is_taken(position: Position, body: &[u8]) -> bool {
    let frame = framed(body);
    // It says why, and that is all.
    let Ok(whole) = read(position, &frame) else { return false };
    let ReadFrame { message, stamp, bytes_count } = whole.expect("the frame is whole");
    let message = message.expect("every native frame says something");
    assert_eq!(bytes_count, frame.len(), "a frame is as long as it announces: {message:?}");
    for other in [&body[..body.len() - 1], &[body, b"\0"].concat()] {
        let read = read(position, &framed(other));
        assert!(
            read.is_err(),
            "a message ends where its frame does, and {message:?} of {} bytes is {read:?}",
            other.len()
        );
    }

    let again = Frame::at(position, Dialect::Native, stamp, &message).expect("what was heard can be said");
    // Bytes that mean the same have one spelling of ours, and it is the shortest.
    assert!(again.body_bytes_count() <= body.len(), "{message:?} grew from {} bytes to {again:?}", body.len());
    assert_eq!(again.as_bytes().len(), again.body_bytes_count() + LENGTH_BYTES);
    let is_for_servents = matches!(
        message,
        Message::Request(_)
            | Message::Query(_)
            | Message::Echo(_)
            | Message::Brought(_)
            | Message::List(_)
            | Message::Open(_)
            | Message::HashesWanted(_)
            | Message::BlocksWanted(_)
            | Message::Watch(_)
            | Message::Unwatch(_)
    );
    assert!(!is_for_servents || again.body_bytes_count() <= SERVENT_FRAME_BYTES_MAX, "no servent takes {again:?}");
    let same = ReadFrame { message: Some(message.clone()), stamp, bytes_count: again.as_bytes().len() };
    assert_eq!(read(position, again.as_bytes()), Ok(Some(same)), "said again it is something else");

    say_in_tp3(&message);
    true
}

fn read(position: Position, frame: &[u8]) -> Result<Option<ReadFrame>, WireError> {
    read_frame(Dialect::Native, position, frame, FRAME_BYTES_MAX)
}

/// What a body says, if it says anything.
#[cfg(test)]
pub(super) fn decoded(position: Position, body: &[u8]) -> Option<Message> {
    read(position, &framed(body)).ok()??.message
}

fn framed(body: &[u8]) -> Vec<u8> {
    let length = u32::try_from(body.len()).expect("an input of less than 4 GiB");
    [&length.to_be_bytes(), body].concat()
}

/// Whatever came from a native link may have to be passed on to a TP3 one.
fn say_in_tp3(message: &Message) {
    let Ok(frame) = Frame::new(Dialect::Tp3, message) else { return };
    assert!(frame.as_bytes().len() <= TP3_HEAD_BYTES_MAX + TP3_TEXT_BYTES_MAX, "{message:?} is {frame:?} in TP3");
    if frame.is_empty() {
        return;
    }
    let heard = read_frame(Dialect::Tp3, Position::Later, frame.as_bytes(), FRAME_BYTES_MAX);
    let Ok(Some(ReadFrame { message: Some(_), stamp: 0, bytes_count })) = heard else {
        panic!("{message:?}, said in TP3, is heard as {heard:?}")
    };
    assert_eq!(bytes_count, frame.as_bytes().len(), "{message:?} in TP3");
}
