//! Contents: what a BLAKE3 hash stands for, the blocks it is proved by, and the files that are shared.
//!
//! Words and their arithmetic. Nothing is read or hashed here, and who is told of what is for the minds.

pub mod block_hashes;
pub mod catalogue;
pub mod search;
pub mod transfer;

use std::fmt::{self, Write};

use crate::limits::{BLOCK_BYTES_MIN, BLOCKS_MAX, CONTENT_BYTES_MAX};

/// The plain BLAKE3 hash of a content: what `b3sum` prints.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ContentHash(pub [u8; 32]);

/// The first digits of a hash that are shown to a person.
pub const SHOWN_DIGITS: usize = 12;

impl ContentHash {
    /// Its first digits, for a person.
    #[must_use]
    pub fn short(&self) -> String {
        let mut digits = self.to_string();
        digits.truncate(SHOWN_DIGITS);
        digits
    }
}

/// All 64 hexadecimal digits.
impl fmt::Display for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write_digits(&self.0, f)
    }
}

impl fmt::Debug for ContentHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "ContentHash({})", self.short())
    }
}

fn write_digits(bytes: &[u8], f: &mut impl Write) -> fmt::Result {
    bytes.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
}

/// The blocks of a content of some size: all but the last have the same length, 64 KiB or the least multiple of it by a power
/// of two that makes them no more than [`BLOCKS_MAX`]. Each is a whole subtree of BLAKE3's own tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Blocks {
    size: u64,
    block_bytes: u64,
}

/// A content is larger than its blocks could be counted.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0} bytes are more than a content may have ({CONTENT_BYTES_MAX})")]
pub struct TooLarge(pub u64);

impl Blocks {
    /// Those of a content of so many bytes.
    pub fn of(size: u64) -> Result<Blocks, TooLarge> {
        if size > CONTENT_BYTES_MAX {
            return Err(TooLarge(size));
        }
        let mut block_bytes = BLOCK_BYTES_MIN as u64;
        while size.div_ceil(block_bytes) > u64::from(BLOCKS_MAX) {
            block_bytes *= 2;
        }
        Ok(Blocks { size, block_bytes })
    }

    /// How long the content is.
    #[must_use]
    pub fn size(self) -> u64 {
        self.size
    }

    /// How long each block is but the last.
    #[must_use]
    pub fn block_bytes(self) -> u64 {
        self.block_bytes
    }

    /// How many there are. One of no bytes is the only one of an empty content.
    #[must_use]
    pub fn count(self) -> u32 {
        u32::try_from(self.size.div_ceil(self.block_bytes)).unwrap_or(BLOCKS_MAX).max(1)
    }

    /// Where a block begins, and how long it is; nothing of one that is not there.
    #[must_use]
    pub fn place(self, block: u32) -> Option<(u64, usize)> {
        if block >= self.count() {
            return None;
        }
        let at = u64::from(block) * self.block_bytes;
        let bytes_count = (self.size - at).min(self.block_bytes);
        Some((at, usize::try_from(bytes_count).ok()?))
    }
}

/// What a file showed of itself when it was hashed: another content shows another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct FileStamp {
    /// The device it is on.
    pub device: u64,
    /// Its inode there.
    pub inode: u64,
    /// How many bytes it has.
    pub size: u64,
    /// When its bytes were changed last, in nanoseconds since 1970.
    pub modified: i64,
    /// When anything of it was changed last, in nanoseconds since 1970.
    pub changed: i64,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::limits::BLOCK_BYTES_MAX;

    #[test]
    fn blocks_are_as_long_as_they_must_be() {
        const KIB: u64 = 1024;
        const GIB: u64 = 1 << 30;
        for (size, block_bytes, count, last) in [
            (0, 64 * KIB, 1, 0),
            (1, 64 * KIB, 1, 1),
            (64 * KIB, 64 * KIB, 1, 64 * KIB),
            (64 * KIB + 1, 64 * KIB, 2, 1),
            (16 * GIB, 64 * KIB, BLOCKS_MAX, 64 * KIB),
            (16 * GIB + 1, 128 * KIB, 131_073, 1),
            (256 * GIB, 1024 * KIB, BLOCKS_MAX, 1024 * KIB),
        ] {
            let blocks = Blocks::of(size).unwrap();
            assert_eq!((blocks.block_bytes(), blocks.count()), (block_bytes, count), "{size}");
            let (at, length) = blocks.place(count - 1).unwrap();
            assert_eq!((at + length as u64, length as u64), (size, last), "{size}");
            assert_eq!(blocks.place(count), None, "{size}");
        }
        assert_eq!(CONTENT_BYTES_MAX, 256 * GIB);
        assert_eq!(Blocks::of(CONTENT_BYTES_MAX).unwrap().block_bytes(), BLOCK_BYTES_MAX as u64);
        assert_eq!(Blocks::of(CONTENT_BYTES_MAX + 1), Err(TooLarge(CONTENT_BYTES_MAX + 1)));
    }

    #[test]
    fn a_hash_is_shown_as_its_digits() {
        let hash = ContentHash(std::array::from_fn(|place| u8::try_from(place * 7).unwrap()));
        assert_eq!(hash.to_string().len(), 64);
        assert_eq!(hash.short(), "00070e151c23");
        assert!(hash.to_string().starts_with(&hash.short()));
    }
}
