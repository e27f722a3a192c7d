//! The parts of messages about writes: changes and what came of them.
//!
//! A chapter of `native`: it knows bytes and their limits, and not what is done about any of them.

use bincode::{BorrowDecode, Encode};

use crate::content::search::FileName;
use crate::key::Key;
use crate::limits::{DESCRIPTION_BYTES_MAX, VALUE_BYTES_MAX};
use crate::write::{Change, WriteOutcome, WriteRefusal};

#[derive(Encode, BorrowDecode)]
pub(super) enum WireChange<'a> {
    Put { key: &'a [u8], value: &'a [u8] },
    Delete(&'a [u8]),
    Publish { name: &'a [u8], text: &'a [u8] },
    Unpublish(&'a [u8]),
}

#[derive(Encode, BorrowDecode)]
pub(super) enum WireOutcome {
    Stored,
    Replaced,
    Deleted,
    Absent,
    Present,
    Refused(u8),
}

pub(super) fn change_to_wire(change: &Change) -> WireChange<'_> {
    match change {
        Change::Put { key, value } => WireChange::Put { key: key.as_bytes(), value },
        Change::Delete { key } => WireChange::Delete(key.as_bytes()),
        Change::Publish { name, text } => WireChange::Publish { name: name.as_bytes(), text },
        Change::Unpublish { name } => WireChange::Unpublish(name.as_bytes()),
    }
}

pub(super) fn change_from_wire(change: &WireChange<'_>) -> Result<Change, String> {
    let key = |bytes| Key::new(bytes).map_err(|error| error.to_string());
    let name = |bytes| FileName::new(bytes).map_err(|error| error.to_string());
    Ok(match *change {
        WireChange::Put { key: of, value } => Change::Put { key: key(of)?, value: value_from_wire(value)?.into() },
        WireChange::Delete(of) => Change::Delete { key: key(of)? },
        WireChange::Publish { name: of, text } if text.len() <= DESCRIPTION_BYTES_MAX => {
            Change::Publish { name: name(of)?, text: text.into() }
        }
        WireChange::Publish { text, .. } => {
            return Err(format!("a description of {} bytes, where {DESCRIPTION_BYTES_MAX} is the most", text.len()));
        }
        WireChange::Unpublish(of) => Change::Unpublish { name: name(of)? },
    })
}

pub(super) fn value_from_wire(value: &[u8]) -> Result<&[u8], String> {
    if value.len() > VALUE_BYTES_MAX {
        return Err(format!("a value of {} bytes, where {VALUE_BYTES_MAX} is the most", value.len()));
    }
    Ok(value)
}

pub(super) fn outcome_to_wire(outcome: WriteOutcome) -> WireOutcome {
    match outcome {
        WriteOutcome::Stored => WireOutcome::Stored,
        WriteOutcome::Replaced => WireOutcome::Replaced,
        WriteOutcome::Deleted => WireOutcome::Deleted,
        WriteOutcome::Absent => WireOutcome::Absent,
        WriteOutcome::Present => WireOutcome::Present,
        WriteOutcome::Refused(refusal) => {
            let place = WriteRefusal::ALL.iter().position(|reason| *reason == refusal);
            WireOutcome::Refused(place.and_then(|place| u8::try_from(place).ok()).unwrap_or(u8::MAX))
        }
    }
}

pub(super) fn outcome_from_wire(outcome: &WireOutcome) -> Result<WriteOutcome, String> {
    Ok(match outcome {
        WireOutcome::Stored => WriteOutcome::Stored,
        WireOutcome::Replaced => WriteOutcome::Replaced,
        WireOutcome::Deleted => WriteOutcome::Deleted,
        WireOutcome::Absent => WriteOutcome::Absent,
        WireOutcome::Present => WriteOutcome::Present,
        WireOutcome::Refused(reason) => {
            let refusal = WriteRefusal::ALL.get(usize::from(*reason)).copied();
            WriteOutcome::Refused(refusal.ok_or_else(|| format!("a write refused for reason {reason}"))?)
        }
    })
}
