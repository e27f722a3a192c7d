//! The TP3 decoder: any bytes, as messages one after another.

use common::dialect::Dialect;
use common::limits::FRAME_BYTES_MAX;
use common::message::Message;
use common::wire::{Frame, Position, ReadFrame, WireError, read_frame};

use crate::Outcome;

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let mut rest = bytes;
    let mut taken = false;
    while let Ok(Some((message, consumed))) = read(rest) {
        let (whole, tail) = rest.split_at(consumed);
        assert!(consumed > 0, "{message:?} of no bytes");
        assert_eq!(read(whole), Ok(Some((message.clone(), consumed))), "it depends on what comes after it");
        let missing = read(&whole[..consumed - 1]);
        assert_eq!(missing, Ok(None), "{whole:?} is whole without its last byte");
        if let Some(message) = message {
            say_again(&message, whole);
        }
        rest = tail;
        taken = true;
    }
    Outcome::taken_if(taken)
}

fn read(bytes: &[u8]) -> Result<Option<(Option<Message>, usize)>, WireError> {
    let frame = read_frame(Dialect::Tp3, Position::Later, bytes, FRAME_BYTES_MAX)?;
    Ok(frame.map(|ReadFrame { message, stamp, bytes_count }| {
        assert_eq!(stamp, 0, "nothing is stamped here");
        (message, bytes_count)
    }))
}

/// In this dialect every message has one spelling, so saying it again gives the same bytes. Only a TTL beyond all
/// limits is another number then, which is beyond them too.
fn say_again(message: &Message, whole: &[u8]) {
    let again = Frame::new(Dialect::Tp3, message).expect("what was heard can be said");
    let again = again.as_bytes();
    match message {
        Message::Query(query) if query.ttl == u8::MAX => {
            assert_eq!((&again[..2], &again[4..]), (&whole[..2], &whole[4..]), "{message:?}");
        }
        _ => assert_eq!(again, whole, "{message:?}"),
    }
    assert_eq!(read(again), Ok(Some((Some(message.clone()), again.len()))), "said again it is something else");
}
