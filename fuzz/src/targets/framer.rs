//! The framer: bytes as a socket might bring them, on a link of any kind.
//!
//! The first byte of the input says which kind, the second where the rest is cut.

use common::dialect::Dialect;
use common::limits::{NEIGHBOR_UNSENT_BYTES_MAX, STRANGER_UNSENT_BYTES_MAX};
use common::link::{Link, Purpose};
use common::message::Message;
use common::wire::{Accepts, WireError};

use crate::Outcome;
use crate::reader::Reader;

const PURPOSES: [Purpose; 3] = [Purpose::Standing, Purpose::Answers, Purpose::Asking];

/// What came of bytes.
#[derive(Debug, PartialEq, Eq)]
struct Heard {
    messages: Vec<Message>,
    /// What was wrong with them, or whether something was left unfinished.
    end: Result<bool, WireError>,
    dialect: Dialect,
}

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let mut reader = Reader::new(bytes);
    let (kind, cuts) = (reader.byte(), reader.byte());
    let stream = reader.rest();
    let whole = hear(&mut link(kind), [stream].into_iter());
    let mut pieces = link(kind);
    let cut = hear(&mut pieces, cut(stream, cuts));
    assert_eq!(whole, cut, "bytes that are cut mean something else");

    if let Err(error) = &whole.end {
        pieces.receive(stream);
        let after = pieces.next_message().map_err(|error| told(&error));
        assert_eq!(after, Err(told(error)), "a broken link goes on");
        assert!(!pieces.is_mid_frame(), "a broken link keeps what it received");
    }
    Outcome::taken_if(whole.messages.iter().any(|message| !is_taken_as_said(kind, message)))
}

fn link(kind: u8) -> Link {
    let purpose = PURPOSES[usize::from(kind % 3)];
    match kind / 3 % 5 {
        0 => Link::accepted(Accepts::OWN, purpose),
        1 => Link::accepted(Accepts::ANY, purpose),
        2 => Link::accepted(Accepts::Only(Dialect::Tp3), purpose),
        3 => Link::new(Dialect::Native, purpose),
        _ => Link::new(Dialect::Tp3, purpose),
    }
}

/// Takes the pieces, and answers each message with itself, as a peer that only echoes.
fn hear<'a>(link: &mut Link, pieces: impl Iterator<Item = &'a [u8]>) -> Heard {
    let mut messages = Vec::new();
    let mut unsent_bytes_max = STRANGER_UNSENT_BYTES_MAX;
    // Some links say something before a byte has come.
    for piece in std::iter::once(&[][..]).chain(pieces) {
        link.receive(piece);
        loop {
            match link.next_message() {
                Ok(None) => break,
                Ok(Some(message)) => {
                    if matches!(message, Message::Hello(_)) {
                        unsent_bytes_max = NEIGHBOR_UNSENT_BYTES_MAX;
                    }
                    // Refused or not, it must not be too much.
                    let _ = link.send(&message);
                    assert!(link.unsent().len() <= unsent_bytes_max);
                    link.sent(link.unsent().len() / 2);
                    messages.push(message);
                }
                Err(error) => return Heard { messages, end: Err(told(&error)), dialect: link.dialect() },
            }
        }
    }
    Heard { messages, end: Ok(link.is_mid_frame()), dialect: link.dialect() }
}

/// The error, without the bytes it shows: those of a stranger are shown as far as they had come.
fn told(error: &WireError) -> WireError {
    match error {
        WireError::NoPreface(_) => WireError::NoPreface(String::new()),
        error => error.clone(),
    }
}

/// Pieces of lengths drawn from one byte; of one byte each where that is 0.
fn cut(mut stream: &[u8], cuts: u8) -> impl Iterator<Item = &[u8]> {
    let mut state = u32::from(cuts);
    std::iter::from_fn(move || {
        state = state.wrapping_mul(1_664_525).wrapping_add(u32::from(cuts));
        let length = 1 + (state >> 8) as usize % (1 << (state >> 24).min(9));
        let (piece, rest) = stream.split_at_checked(length).unwrap_or((stream, &[]));
        stream = rest;
        (!piece.is_empty()).then_some(piece)
    })
}

/// The hello that a TP3 link brings without a byte of it being said.
fn is_taken_as_said(kind: u8, message: &Message) -> bool {
    matches!(message, Message::Hello(_)) && matches!(kind / 3 % 5, 1 | 2 | 4)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::{corpus, target};

    /// A stream that breaks off where it was not meant to says less than it could.
    #[test]
    fn what_servents_and_clients_say_by_hand_is_heard_to_its_end() {
        let kept = corpus::load(target("framer").expect("a target of this name")).expect("its corpus");
        let mut names = BTreeSet::new();
        for name in [
            "answers-are-handed",
            "answers-come",
            "answers-go-back",
            "client-asks",
            "client-that-is-not-dialled",
            "contact-answers",
            "servent-and-queries",
            "servent-dialled",
        ] {
            let input = kept.iter().find(|(path, _)| path.ends_with(name)).map(|(_, input)| input.as_slice());
            let Some([kind, _, stream @ ..]) = input else { panic!("{name} is no stream") };
            let heard = hear(&mut link(*kind), [stream].into_iter());
            assert_eq!(heard.end, Ok(false), "{name}: {:?}", heard.messages);
            names.extend(heard.messages.iter().map(Message::name));
        }
        assert_eq!(names.len(), 11, "each kind of message is among them: {names:?}");
    }
}
