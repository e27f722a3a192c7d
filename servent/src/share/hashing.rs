//! The hash of a content and those of its blocks, of bytes as they are read, each looked at once.
//!
//! No file is read here.

use blake3::Hasher;
use blake3::hazmat::{ChainingValue, HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};
use common::content::{Blocks, ContentHash};

/// Takes the bytes of one content, from the first to the last.
#[derive(Debug)]
pub(super) struct FileHasher {
    blocks: Blocks,
    /// Of the block it is in.
    hasher: Hasher,
    in_block: u64,
    hashes: Vec<ChainingValue>,
}

impl FileHasher {
    pub(super) fn new(blocks: Blocks) -> FileHasher {
        let hashes = Vec::with_capacity(blocks.count() as usize);
        FileHasher { blocks, hasher: Hasher::new(), in_block: 0, hashes }
    }

    /// How many bytes it has had.
    pub(super) fn bytes_count(&self) -> u64 {
        self.hashes.len() as u64 * self.blocks.block_bytes() + self.in_block
    }

    /// The next bytes. There are no more of them than the content has.
    pub(super) fn update(&mut self, mut bytes: &[u8]) {
        while !bytes.is_empty() {
            let room = self.blocks.block_bytes() - self.in_block;
            let (here, rest) =
                bytes.split_at_checked(usize::try_from(room).unwrap_or(usize::MAX)).unwrap_or((bytes, &[]));
            self.hasher.update(here);
            self.in_block += here.len() as u64;
            bytes = rest;
            if self.in_block == self.blocks.block_bytes() && self.blocks.count() > 1 {
                self.end_block();
            }
        }
    }

    fn end_block(&mut self) {
        self.hashes.push(self.hasher.finalize_non_root());
        // One that is reset counts from where it began last: it cannot be told another place.
        self.hasher = Hasher::new();
        self.hasher.set_input_offset(self.hashes.len() as u64 * self.blocks.block_bytes());
        self.in_block = 0;
    }

    /// The hash of the content and those of its blocks. One block has none of its own: it is the content.
    pub(super) fn finish(mut self) -> (ContentHash, Vec<ChainingValue>) {
        if self.blocks.count() > 1 && self.in_block > 0 {
            self.end_block();
        }
        let half = half_of(self.hashes.len());
        let root = match self.hashes.split_at_checked(half) {
            Some((left, right)) if half > 0 => merge_subtrees_root(&value_of(left), &value_of(right), Mode::Hash),
            _ => self.hasher.finalize(),
        };
        (ContentHash(*root.as_bytes()), self.hashes)
    }
}

/// How many of these are the left half of their tree: the greatest power of two below; none of one.
fn half_of(count: usize) -> usize {
    count.next_power_of_two() / 2
}

fn value_of(hashes: &[ChainingValue]) -> ChainingValue {
    match hashes {
        [] => ChainingValue::default(),
        [one] => *one,
        more => {
            let (left, right) = more.split_at(half_of(more.len()));
            merge_subtrees_non_root(&value_of(left), &value_of(right), Mode::Hash)
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_those_of_the_content_and_of_its_blocks() {
        const BLOCK: usize = 64 * 1024;
        for size in [0, 1, BLOCK - 1, BLOCK, BLOCK + 1, 2 * BLOCK, 3 * BLOCK, 5 * BLOCK + 7, 8 * BLOCK, 13 * BLOCK + 1]
        {
            let bytes: Vec<u8> = (0..size).map(|place| (place / 251 + place).to_le_bytes()[0]).collect();
            for piece in [BLOCK, 1_000, 100_000, 1 << 20] {
                let mut hasher = FileHasher::new(Blocks::of(size as u64).unwrap());
                for piece in bytes.chunks(piece) {
                    hasher.update(piece);
                }
                assert_eq!(hasher.bytes_count(), size as u64);
                let (root, hashes) = hasher.finish();
                assert_eq!(root.0, *blake3::hash(&bytes).as_bytes(), "{size}");
                let expected: Vec<ChainingValue> = if size <= BLOCK {
                    Vec::new()
                } else {
                    let blocks = bytes.chunks(BLOCK).enumerate();
                    let hash = |(place, block)| {
                        Hasher::new().set_input_offset((place * BLOCK) as u64).update(block).finalize_non_root()
                    };
                    blocks.map(hash).collect()
                };
                assert_eq!(hashes, expected, "{size}");
            }
        }
    }
}
