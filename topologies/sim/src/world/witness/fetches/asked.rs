//! What was asked of a holder, and what of that it says cannot be or was never asked for.
//!
//! Whether its bytes are those of the content is seen by whoever knows the content.

use std::collections::VecDeque;
use std::net::SocketAddr;

use common::content::transfer::Have;
use common::fetch::FromHolder;
use common::limits::BLOCKS_MAX;

use super::BLOCK;

/// The largest content whose blocks are no longer than that.
const SIZE_MAX: u64 = BLOCK * BLOCKS_MAX as u64;

/// What was asked of a holder and has not come.
#[derive(Debug, Default)]
pub(super) struct AskedThere {
    address: Option<SocketAddr>,
    pub(super) blocks: VecDeque<u32>,
    /// The last block of each message.
    pub(super) messages: VecDeque<u32>,
    pub(super) hash_parts: usize,
    is_open: bool,
}

impl AskedThere {
    /// A link that stands, to whom is known if somebody was dialled.
    pub(super) fn new(address: Option<SocketAddr>) -> AskedThere {
        AskedThere { address, ..AskedThere::default() }
    }

    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// What of something that is said there was not asked for, or cannot be.
    pub(super) fn lie_in(&mut self, said: &FromHolder) -> Option<&'static str> {
        match said {
            FromHolder::Opened(opened) => {
                let is_again = std::mem::replace(&mut self.is_open, true);
                let count = opened.size.div_ceil(BLOCK).max(1);
                (is_again || opened.size <= SIZE_MAX && !can_be_had(&opened.have, count)).then_some("what cannot be")
            }
            FromHolder::Refused(_) => None,
            FromHolder::HashPart(_) => {
                let left = self.hash_parts.checked_sub(1);
                self.hash_parts = left.unwrap_or_default();
                left.is_none().then_some("hashes it was not asked for")
            }
            FromHolder::Block(block) if self.blocks.front() == Some(&block.block) => {
                self.blocks.pop_front();
                if self.messages.front() == Some(&block.block) {
                    self.messages.pop_front();
                }
                None
            }
            FromHolder::Block(_) => Some("a block it was not asked for"),
            FromHolder::Other(_) => Some("what has no place there"),
        }
    }
}

/// Whether somebody can have these of so many blocks: each run behind the one before, and not at its end.
fn can_be_had(have: &Have, count: u64) -> bool {
    let Have::Runs(runs) = have else { return true };
    let ends = runs.iter().map(|(first, count)| (u64::from(*first), u64::from(*first) + u64::from(*count)));
    let ends: Vec<(u64, u64)> = ends.collect();
    let is_apart = ends.windows(2).all(|pair| matches!(pair, [(_, end), (next, _)] if end < next));
    is_apart && ends.iter().all(|(first, end)| first < end && *end <= count)
}
