//! The hashes of a content's blocks: how they are gathered from one holder, and what is known of them.
//!
//! What they prove is told in `content/block_hashes.rs`. Of whom they are wanted is decided by the mind.

use std::sync::Arc;

use super::assignment::Assignment;
use crate::content::block_hashes::{BlockHashes, BlockTree, FalseHashes};
use crate::content::{Blocks, ContentHash};
use crate::limits::HASHES_MAX;

/// Hashes that come from one holder, from the first to the last.
#[derive(Debug)]
pub(super) struct Gathering {
    blocks: Blocks,
    hashes: Vec<[u8; 32]>,
    tree: BlockTree,
    asked_count: u32,
}

impl Gathering {
    pub(super) fn new(blocks: Blocks) -> Gathering {
        // No room is taken for what is only announced.
        Gathering { blocks, hashes: Vec::new(), tree: BlockTree::default(), asked_count: 0 }
    }

    /// The next hashes to ask for.
    pub(super) fn ask_next(&mut self) -> Option<(u32, u32)> {
        let count = (self.blocks.count() - self.asked_count).min(HASHES_MAX);
        let first = self.asked_count;
        self.asked_count += count;
        (count > 0).then_some((first, count))
    }

    /// The next hashes that were asked for.
    pub(super) fn push(&mut self, hashes: &[[u8; 32]]) {
        hashes.iter().for_each(|hash| self.tree.push(hash));
        self.hashes.extend_from_slice(hashes);
    }

    pub(super) fn is_complete(&self) -> bool {
        self.hashes.len() >= self.blocks.count() as usize
    }

    /// What they are, if they come to the hash of the content.
    pub(super) fn finish(self, hash: ContentHash) -> Result<BlockHashes, FalseHashes> {
        BlockHashes::proved_by(hash, self.blocks, self.hashes, self.tree)
    }
}

/// Hashes that come to the hash of the content, and the blocks.
#[derive(Debug)]
pub(super) struct HashList {
    pub(super) hashes: Arc<BlockHashes>,
    /// Whether the last block is here, and so the size is the true one. Until then whoever says so may lie.
    pub(super) is_proved: bool,
    /// Whether an earlier fetch has kept them: nobody lied to this one about them.
    pub(super) is_kept: bool,
    pub(super) assignment: Assignment,
}

impl HashList {
    pub(super) fn blocks(&self) -> Blocks {
        self.hashes.blocks()
    }

    /// Whether a block in the file that has not its hash is false. Before the size is proved the hash may be what is, unless
    /// an earlier fetch has kept it: only of the last block is it known what it means that it fits.
    pub(super) fn may_check(&self) -> bool {
        self.is_proved || self.is_kept
    }
}
