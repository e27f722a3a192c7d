//! A storage that is read, with what is written to it in memory: what would be repaired is seen, and nothing is changed.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;
use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::storage::Storage;

/// What is written is kept in pieces of this size.
const PIECE_BYTES: usize = 4096;

/// A storage below, and above it what was written since.
#[derive(Debug)]
pub(crate) struct Layered {
    below: Arc<dyn Storage>,
    above: Mutex<Above>,
}

#[derive(Debug)]
struct Above {
    bytes_count: u64,
    /// So much of what is below is still there.
    below_count: u64,
    /// By their numbers.
    pieces: BTreeMap<u64, Box<[u8]>>,
}

impl Layered {
    pub(crate) fn over(below: Arc<dyn Storage>) -> io::Result<Layered> {
        let bytes_count = below.bytes_count()?;
        let above = Above { bytes_count, below_count: bytes_count, pieces: BTreeMap::new() };
        Ok(Layered { below, above: Mutex::new(above) })
    }

    fn lock(&self) -> MutexGuard<'_, Above> {
        self.above.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads what is below, and zeros behind its end.
    fn read_below(&self, below_count: u64, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let there = usize::try_from(below_count.saturating_sub(offset)).unwrap_or(usize::MAX).min(bytes.len());
        let (there, behind) = bytes.split_at_mut(there);
        behind.fill(0);
        if there.is_empty() { Ok(()) } else { self.below.read(offset, there) }
    }
}

/// Each part of so many bytes from this place on that is in one piece: the number of the piece, where it begins in that, and
/// how much of it there is.
fn parts(offset: u64, count: usize) -> impl Iterator<Item = (u64, usize, usize)> {
    let (mut at, end) = (offset, offset.saturating_add(count as u64));
    std::iter::from_fn(move || {
        let begin = usize::try_from(at % PIECE_BYTES as u64).unwrap_or_default();
        let length = usize::try_from(end - at).unwrap_or(PIECE_BYTES).min(PIECE_BYTES - begin);
        let part = (at / PIECE_BYTES as u64, begin, length);
        at += length as u64;
        (length > 0).then_some(part)
    })
}

impl Storage for Layered {
    fn bytes_count(&self) -> io::Result<u64> {
        Ok(self.lock().bytes_count)
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let above = self.lock();
        if offset.checked_add(bytes.len() as u64).is_none_or(|end| end > above.bytes_count) {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        self.read_below(above.below_count, offset, bytes)?;
        if above.pieces.is_empty() {
            return Ok(());
        }
        let mut rest = bytes;
        for (number, begin, length) in parts(offset, rest.len()) {
            let (part, behind) = rest.split_at_mut(length);
            rest = behind;
            if let Some(piece) = above.pieces.get(&number).and_then(|piece| piece.get(begin..begin + length)) {
                part.copy_from_slice(piece);
            }
        }
        Ok(())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        let mut above = self.lock();
        let below_count = above.below_count;
        let mut rest = bytes;
        for (number, begin, length) in parts(offset, bytes.len()) {
            let (part, behind) = rest.split_at(length);
            rest = behind;
            let piece = match above.pieces.entry(number) {
                Entry::Occupied(there) => there.into_mut(),
                Entry::Vacant(room) => {
                    let mut piece = vec![0; PIECE_BYTES].into_boxed_slice();
                    self.read_below(below_count, number * PIECE_BYTES as u64, &mut piece)?;
                    room.insert(piece)
                }
            };
            if let Some(piece) = piece.get_mut(begin..begin + length) {
                piece.copy_from_slice(part);
            }
        }
        above.bytes_count = above.bytes_count.max(offset.saturating_add(bytes.len() as u64));
        Ok(())
    }

    fn resize(&self, bytes_count: u64) -> io::Result<()> {
        let mut above = self.lock();
        if bytes_count < above.bytes_count {
            above.below_count = above.below_count.min(bytes_count);
            let (last, used, _) = parts(bytes_count, 1).next().unwrap_or_default();
            above.pieces.retain(|number, _| *number < last || (*number == last && used > 0));
            if let Some(piece) = above.pieces.get_mut(&last).and_then(|piece| piece.get_mut(used..)) {
                piece.fill(0);
            }
        }
        above.bytes_count = bytes_count;
        Ok(())
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}
