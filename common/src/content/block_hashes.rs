//! The hashes of blocks, and how they prove a content: each is a value of BLAKE3's own tree, so that those of all blocks come
//! to the hash of the whole.
//!
//! The hash of a block is the chaining value of the subtree that the block is; of a content of one block it is the hash of the
//! content. Where bytes come from, and who is to blame for false ones, is for whoever asks.
//!
//! What is proved, and when. Two things count as one where they cannot be told apart without breaking BLAKE3.
//!
//! - **A list that comes to the root** consists of values of the tree of that content. It does not prove the size it was claimed
//!   with: the values of a higher level come to the same root as the blocks of a smaller content, those of a lower level as the
//!   blocks of a greater one, and nothing is known of how long the last block is. ([`BlockHashes::proved`])
//! - **A block that has its hash** is the bytes of the content at that very place, whatever size was claimed: a value is hashed
//!   with its offset and of bytes, and not of other values. What is claimed to be a block and is not has no bytes that fit, so
//!   nothing false is ever taken for true. It also proves how long all blocks but the last are, since that follows from the power
//!   of two above the offset. ([`BlockHashes::is_block`])
//! - **The last block** with its hash proves the size: it is where the tree ends, and both its offset and its length are hashed.
//!   From then on each hash of the list is that of a block, and whoever gives other bytes gives false ones. Before that it may
//!   as well be the list that is false. (The same [`BlockHashes::is_block`], told of the last block.)

use blake3::Hasher;
use blake3::hazmat::{HasherExt, Mode, merge_subtrees_non_root, merge_subtrees_root};

use super::{Blocks, ContentHash};

/// The hash of one block, if the bytes are as many as it has.
#[must_use]
pub fn block_hash(blocks: Blocks, block: u32, bytes: &[u8]) -> Option<[u8; 32]> {
    let (at, bytes_count) = blocks.place(block)?;
    if bytes.len() != bytes_count {
        return None;
    }
    let mut hasher = Hasher::new();
    hasher.set_input_offset(at).update(bytes);
    Some(hash_of(blocks, &hasher))
}

/// What a hasher that was fed one block comes to.
fn hash_of(blocks: Blocks, hasher: &Hasher) -> [u8; 32] {
    // A content of one block is the only one whose block may be of no bytes, which is no subtree.
    if blocks.count() == 1 { *hasher.finalize().as_bytes() } else { hasher.finalize_non_root() }
}

/// What the hashes of blocks come to, one after the other: each pair of subtrees of one height is merged, and at the end what is
/// left, from the right. As blocks are all of one length but the last, this is the tree in which every left subtree is as large
/// as a power of two can be.
#[derive(Clone, Debug, Default)]
pub struct BlockTree {
    /// The roots of the subtrees that are whole, from the largest to the smallest.
    subtrees: Vec<[u8; 32]>,
    blocks_count: u64,
}

impl BlockTree {
    /// The next block.
    pub fn push(&mut self, hash: &[u8; 32]) {
        // Not before something follows: what is merged last is the root, which is hashed otherwise.
        self.merge_to(self.blocks_count.count_ones() as usize);
        self.subtrees.push(*hash);
        self.blocks_count += 1;
    }

    /// What they come to; nothing where there was none.
    #[must_use]
    pub fn root(mut self) -> Option<ContentHash> {
        self.merge_to(2);
        match self.subtrees.as_slice() {
            [] => None,
            [only] => Some(ContentHash(*only)),
            [left, right, ..] => Some(ContentHash(*merge_subtrees_root(left, right, Mode::Hash).as_bytes())),
        }
    }

    fn merge_to(&mut self, subtrees_count: usize) {
        while self.subtrees.len() > subtrees_count.max(1)
            && let Some(right) = self.subtrees.pop()
            && let Some(left) = self.subtrees.pop()
        {
            self.subtrees.push(merge_subtrees_non_root(&left, &right, Mode::Hash));
        }
    }
}

/// The hashes of all blocks of a content of some size, which come to its hash.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlockHashes {
    blocks: Blocks,
    hashes: Vec<[u8; 32]>,
}

/// These are not the hashes of the blocks of that content.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum FalseHashes {
    /// There are more or fewer than blocks.
    #[error("{came} hashes of {blocks} blocks")]
    Count {
        /// How many blocks a content of that size has.
        blocks: u32,
        /// How many hashes there are.
        came: usize,
    },
    /// They come to something else.
    #[error("the hashes of the blocks do not come to the hash of the content")]
    Root,
}

impl BlockHashes {
    /// Takes a list for what it is said to be, if it comes to the hash of the content. The size is not proved by that.
    pub fn proved(root: ContentHash, blocks: Blocks, hashes: Vec<[u8; 32]>) -> Result<BlockHashes, FalseHashes> {
        let mut tree = BlockTree::default();
        hashes.iter().for_each(|hash| tree.push(hash));
        BlockHashes::proved_by(root, blocks, hashes, tree)
    }

    /// The same where the hashes were given to a tree as they came.
    pub(crate) fn proved_by(
        root: ContentHash,
        blocks: Blocks,
        hashes: Vec<[u8; 32]>,
        tree: BlockTree,
    ) -> Result<BlockHashes, FalseHashes> {
        if hashes.len() != blocks.count() as usize {
            return Err(FalseHashes::Count { blocks: blocks.count(), came: hashes.len() });
        }
        if tree.root() != Some(root) {
            return Err(FalseHashes::Root);
        }
        Ok(BlockHashes { blocks, hashes })
    }

    /// The blocks they are of.
    #[must_use]
    pub fn blocks(&self) -> Blocks {
        self.blocks
    }

    /// One for each block.
    #[must_use]
    pub fn as_slice(&self) -> &[[u8; 32]] {
        &self.hashes
    }

    /// That of one block.
    #[must_use]
    pub fn get(&self, block: u32) -> Option<&[u8; 32]> {
        self.hashes.get(block as usize)
    }

    /// Whether these bytes are a block of the content. That the last one is there proves the size too.
    #[must_use]
    pub fn is_block(&self, block: u32, bytes: &[u8]) -> bool {
        let hash = block_hash(self.blocks, block, bytes);
        hash.is_some() && hash.as_ref() == self.get(block)
    }
}

/// Hashes a whole content whose size is known, piece by piece: its hash and those of its blocks in one pass over the bytes.
///
/// It is as fast as BLAKE3 is where each piece is a block or more.
#[derive(Debug)]
pub struct ContentHasher {
    blocks: Blocks,
    /// Of the blocks that are whole.
    hashes: Vec<[u8; 32]>,
    tree: BlockTree,
    /// Of the block that is not.
    hasher: Hasher,
    /// How many bytes are missing there.
    missing_count: usize,
    hashed_count: u64,
}

/// A content and its blocks, hashed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashedContent {
    /// The hash of the content.
    pub hash: ContentHash,
    /// Those of its blocks.
    pub hashes: BlockHashes,
}

/// A content is not as long as it was said to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum OtherSize {
    /// It is over too soon.
    #[error("fewer bytes than the {0} there were")]
    Fewer(u64),
    /// It goes on.
    #[error("more bytes than the {0} there were")]
    More(u64),
}

impl ContentHasher {
    /// One for a content of this size.
    #[must_use]
    pub fn new(blocks: Blocks) -> ContentHasher {
        ContentHasher {
            blocks,
            hashes: Vec::with_capacity(blocks.count() as usize),
            tree: BlockTree::default(),
            hasher: Hasher::new(),
            missing_count: blocks.place(0).map_or(0, |(_, bytes_count)| bytes_count),
            hashed_count: 0,
        }
    }

    /// The next bytes. With more than the content has none of them is taken.
    pub fn update(&mut self, mut bytes: &[u8]) -> Result<(), OtherSize> {
        if bytes.len() as u64 > self.blocks.size() - self.hashed_count {
            return Err(OtherSize::More(self.blocks.size()));
        }
        while let Some((piece, rest)) = bytes.split_at_checked(self.missing_count.min(bytes.len()))
            && !piece.is_empty()
        {
            self.hasher.update(piece);
            self.missing_count -= piece.len();
            self.hashed_count += piece.len() as u64;
            bytes = rest;
            if self.missing_count == 0 {
                self.end_block();
            }
        }
        Ok(())
    }

    /// How many bytes were taken.
    #[must_use]
    pub fn hashed_count(&self) -> u64 {
        self.hashed_count
    }

    /// What all bytes come to, if they are as many as there were to be.
    pub fn finish(mut self) -> Result<HashedContent, OtherSize> {
        if self.blocks.size() == 0 {
            self.end_block();
        }
        let too_few = OtherSize::Fewer(self.blocks.size());
        if self.hashes.len() != self.blocks.count() as usize {
            return Err(too_few);
        }
        let hash = self.tree.root().ok_or(too_few)?;
        Ok(HashedContent { hash, hashes: BlockHashes { blocks: self.blocks, hashes: self.hashes } })
    }

    fn end_block(&mut self) {
        let hash = hash_of(self.blocks, &self.hasher);
        self.tree.push(&hash);
        self.hashes.push(hash);
        // Not the same one reset, which would still count from where it began.
        self.hasher = Hasher::new();
        let next = u32::try_from(self.hashes.len()).ok().and_then(|next| self.blocks.place(next));
        let (at, bytes_count) = next.unwrap_or_default();
        self.hasher.set_input_offset(at);
        self.missing_count = bytes_count;
    }
}
