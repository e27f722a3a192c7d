//! The entries of a table, in their order, read by a thread of its own a little ahead of whoever takes them.
//!
//! Reading a page and taking what is in it take as long as one another, and a start waits for both. What entries mean is not
//! known here.

use std::sync::mpsc::{SyncSender, sync_channel};
use std::thread;

use redb::{AccessGuard, Range, StorageError, Value};

use crate::storage::OpenError;
use crate::tables::damaged;

/// So many entries are handed over at once, or fewer that are as long as this together.
const PIECE_ENTRIES_MAX: usize = 256;
const PIECE_BYTES: usize = 1024 * 1024;
/// So many pieces wait. With the one that is read and the one that is taken this bounds what is in memory beside the rest.
const PIECES_MAX: usize = 4;

/// Keys and names are bytes, whatever is kept of them.
type NameBytes = &'static [u8];

/// Entries as they lie in pages.
struct EntriesPiece<'a, V: Value + 'static> {
    entries: Vec<(AccessGuard<'a, NameBytes>, AccessGuard<'a, V>)>,
    /// Nothing is behind them.
    is_last: bool,
}

/// Gives each entry of a table to whoever takes them, until that is an error. How long what is kept is, is told beside.
pub(crate) fn for_each<V: Value + Send + 'static>(
    mut entries: Range<'_, NameBytes, V>,
    length_of: impl Fn(V::SelfType<'_>) -> usize + Send,
    mut take: impl FnMut(&[u8], V::SelfType<'_>) -> Result<(), OpenError>,
) -> Result<(), OpenError> {
    let mut take_all =
        |piece: EntriesPiece<'_, V>| piece.entries.iter().try_for_each(|(name, kept)| take(name.value(), kept.value()));
    // Most tables are a piece, and nobody is ahead of that.
    let first = next(&mut entries, &length_of).map_err(damaged)?;
    if first.is_last {
        return take_all(first);
    }
    thread::scope(|scope| {
        let (hand_over, pieces) = sync_channel(PIECES_MAX);
        let reader = thread::Builder::new().name("reads ahead".to_owned());
        reader.spawn_scoped(scope, move || read(entries, length_of, &hand_over))?;
        take_all(first)?;
        // Where this ends early nobody takes what is read, and the reader ends too.
        pieces.into_iter().try_for_each(|piece| take_all(piece.map_err(damaged)?))
    })
}

fn read<'a, V: Value + 'static>(
    mut entries: Range<'a, NameBytes, V>,
    length_of: impl Fn(V::SelfType<'_>) -> usize,
    hand_over: &SyncSender<Result<EntriesPiece<'a, V>, StorageError>>,
) {
    loop {
        let piece = next(&mut entries, &length_of);
        let goes_on = piece.as_ref().is_ok_and(|piece| !piece.is_last);
        if hand_over.send(piece).is_err() || !goes_on {
            return;
        }
    }
}

/// Reads the next piece.
fn next<'a, V: Value + 'static>(
    entries: &mut Range<'a, NameBytes, V>,
    length_of: impl Fn(V::SelfType<'_>) -> usize,
) -> Result<EntriesPiece<'a, V>, StorageError> {
    let (mut piece, mut bytes_count) = (Vec::new(), 0);
    while piece.len() < PIECE_ENTRIES_MAX && bytes_count < PIECE_BYTES {
        let Some(entry) = entries.next() else { return Ok(EntriesPiece { entries: piece, is_last: true }) };
        let (name, kept) = entry?;
        bytes_count += name.value().len() + length_of(kept.value());
        piece.push((name, kept));
    }
    Ok(EntriesPiece { entries: piece, is_last: false })
}
