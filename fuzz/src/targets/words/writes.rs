//! What is said of writes: few keys, few names, and values that are short or as long as there is room for.

use std::sync::Arc;

use common::key::Key;
use common::message::Message;
use common::write::{Change, Changed, Unwatch, Watch, Write, WriteOutcome, WriteRefusal, Written};

use super::{KEYS, name, sequence};
use crate::reader::Reader;

const TEXTS: [&[u8]; 4] = [b"", b"green", b"red", b"\xff\n"];

fn key(reader: &mut Reader<'_>) -> Key {
    Key::new(reader.one_of(&KEYS)).expect("it is short")
}

fn text(reader: &mut Reader<'_>) -> Arc<[u8]> {
    reader.one_of(&TEXTS).into()
}

fn change(reader: &mut Reader<'_>, which: u8) -> Change {
    match which % 4 {
        0 => Change::Put { key: key(reader), value: text(reader) },
        1 => Change::Delete { key: key(reader) },
        2 => Change::Publish { name: name(reader), text: text(reader) },
        _ => Change::Unpublish { name: name(reader) },
    }
}

fn outcome(reader: &mut Reader<'_>) -> WriteOutcome {
    match reader.byte() % 6 {
        0 => WriteOutcome::Stored,
        1 => WriteOutcome::Replaced,
        2 => WriteOutcome::Deleted,
        3 => WriteOutcome::Absent,
        4 => WriteOutcome::Present,
        _ => WriteOutcome::Refused(reader.one_of(&WriteRefusal::ALL)),
    }
}

/// Those that a servent serves more often.
pub(super) fn message(reader: &mut Reader<'_>, which: u8) -> Message {
    match which {
        0..10 => Message::Write(Write { sequence: sequence(reader), change: change(reader, which) }),
        10 => Message::Written(Written { sequence: sequence(reader), outcome: outcome(reader) }),
        11..15 => Message::Watch(Watch { sequence: sequence(reader), key: key(reader) }),
        15 | 16 => Message::Unwatch(Unwatch { sequence: sequence(reader) }),
        _ => {
            let value = reader.flag().then(|| text(reader));
            Message::Changed(Changed { sequence: sequence(reader), value })
        }
    }
}
