//! What becomes of each block of a content: who is asked for it, and whether it is here.
//!
//! It knows places and not bytes. Whether a block is true, and when anybody is asked, is decided by the mind.

use std::ops::Range;

use crate::content::Blocks;
use crate::content::transfer::Have;
use crate::limits::BLOCKS_HELD_BYTES_MAX;

/// The place of a holder among all of one fetch.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HolderNumber(pub(super) u16);

/// What becomes of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum BlockState {
    /// It is to be fetched.
    Missing,
    /// Something is in its place in the file.
    Unchecked,
    /// The same, and it is being hashed.
    Checking,
    /// It was asked of this holder.
    Asked(HolderNumber),
    /// It is true, and on its way into the file.
    Writing(HolderNumber),
    /// It is true, and in the file, where this holder gave it.
    Written(HolderNumber),
    /// The same, and was before.
    Found,
}

impl BlockState {
    /// Whether the bytes are known to be those of the content.
    pub(super) fn is_true(self) -> bool {
        matches!(self, BlockState::Writing(_) | BlockState::Written(_) | BlockState::Found)
    }
}

/// All blocks of a content.
#[derive(Debug)]
pub(super) struct Assignment {
    blocks: Blocks,
    states: Vec<BlockState>,
    missing_count: u32,
    unchecked_count: u32,
    checking_count: u32,
    writing_count: u32,
    here_count: u32,
    /// Bytes on their way into the file, and in it.
    writing_bytes: usize,
    here_bytes: u64,
    /// No block before is missing.
    missing_from: u32,
    /// No block before is unchecked.
    unchecked_from: u32,
    /// All blocks before are in the file, where they are written in order.
    in_order_from: Option<u32>,
}

impl Assignment {
    /// Nothing is here but what may be in these places of the file.
    pub(super) fn new(blocks: Blocks, on_disk: &[Range<u64>]) -> Assignment {
        let mut assignment = Assignment {
            blocks,
            states: vec![BlockState::Missing; blocks.count() as usize],
            missing_count: blocks.count(),
            unchecked_count: 0,
            checking_count: 0,
            writing_count: 0,
            here_count: 0,
            writing_bytes: 0,
            here_bytes: 0,
            missing_from: 0,
            unchecked_from: 0,
            in_order_from: None,
        };
        for range in on_disk {
            let first = u32::try_from(range.start.div_ceil(blocks.block_bytes())).unwrap_or(u32::MAX);
            // Half a block is none, but for the last one, which ends where the content does.
            for block in first..blocks.count() {
                let Some((at, bytes_count)) = blocks.place(block) else { break };
                if bytes_count == 0 || range.end < at + bytes_count as u64 {
                    break;
                }
                assignment.set(block, BlockState::Unchecked);
            }
        }
        assignment
    }

    /// Nothing is here, and what comes is written in order: asked for is only what need not be held for long.
    pub(super) fn in_order(blocks: Blocks) -> Assignment {
        Assignment { in_order_from: Some(0), ..Assignment::new(blocks, &[]) }
    }

    /// The same where the content is said to have another size. What is true stays so.
    pub(super) fn reshaped(&self, blocks: Blocks, on_disk: &[Range<u64>]) -> Assignment {
        let in_order_from = self.in_order_from.map(|_| 0);
        let mut assignment = Assignment { in_order_from, ..Assignment::new(blocks, on_disk) };
        for (block, state) in (0..).zip(&self.states) {
            if state.is_true() {
                assignment.set(block, *state);
            }
        }
        assignment
    }

    /// Whether there cannot be so many blocks because of what is true. Where one stands that was not the last, there is
    /// another behind it.
    pub(super) fn contradict(&self, blocks: Blocks) -> bool {
        let last_true = self.states.iter().rposition(|state| state.is_true());
        let others = self.blocks.block_bytes() != blocks.block_bytes();
        last_true.is_some_and(|block| others || block + 1 >= blocks.count() as usize)
    }

    pub(super) fn last(&self) -> u32 {
        self.blocks.count() - 1
    }

    pub(super) fn get(&self, block: u32) -> Option<BlockState> {
        self.states.get(block as usize).copied()
    }

    pub(super) fn set(&mut self, block: u32, state: BlockState) {
        let Some((_, bytes_count)) = self.blocks.place(block) else { return };
        let Some(place) = self.states.get_mut(block as usize) else { return };
        let before = std::mem::replace(place, state);
        match before {
            BlockState::Missing => self.missing_count -= 1,
            BlockState::Unchecked => self.unchecked_count -= 1,
            BlockState::Checking => self.checking_count -= 1,
            BlockState::Writing(_) => {
                self.writing_count -= 1;
                self.writing_bytes -= bytes_count;
            }
            BlockState::Written(_) | BlockState::Found => {
                self.here_count -= 1;
                self.here_bytes -= bytes_count as u64;
            }
            BlockState::Asked(_) => {}
        }
        match state {
            BlockState::Missing => {
                self.missing_count += 1;
                self.missing_from = self.missing_from.min(block);
            }
            // Those before `unchecked_from` never are again.
            BlockState::Unchecked => self.unchecked_count += 1,
            BlockState::Checking => self.checking_count += 1,
            BlockState::Writing(_) => {
                self.writing_count += 1;
                self.writing_bytes += bytes_count;
            }
            BlockState::Written(_) | BlockState::Found => {
                self.here_count += 1;
                self.here_bytes += bytes_count as u64;
            }
            BlockState::Asked(_) => {}
        }
        if let Some(from) = &mut self.in_order_from {
            let is_here = |state: &BlockState| matches!(state, BlockState::Written(_) | BlockState::Found);
            while self.states.get(*from as usize).is_some_and(is_here) {
                *from += 1;
            }
        }
    }

    /// Whether there is any block to ask for, whoever has it.
    pub(super) fn has_missing(&self) -> bool {
        self.missing_count > 0 && (self.in_order_from.is_none() || self.first_missing(&Have::Partly).is_some())
    }

    /// No block from this one on is asked for yet, but for the last. So many and the last are as much as may be held.
    fn end_of_wanted(&self) -> u32 {
        let block_bytes = usize::try_from(self.blocks.block_bytes()).unwrap_or(usize::MAX);
        let count = u32::try_from(BLOCKS_HELD_BYTES_MAX / block_bytes - 1).unwrap_or(u32::MAX);
        self.in_order_from.map_or(u32::MAX, |from| from.saturating_add(count))
    }

    /// Blocks in the file of which it is not known yet whether they are true.
    pub(super) fn unchecked_count(&self) -> u32 {
        self.unchecked_count + self.checking_count
    }

    pub(super) fn checking_count(&self) -> u32 {
        self.checking_count
    }

    pub(super) fn writing_bytes(&self) -> usize {
        self.writing_bytes
    }

    pub(super) fn here_bytes(&self) -> u64 {
        self.here_bytes
    }

    /// Whether something is to come from the file: that a block is written, or what it is.
    pub(super) fn is_disk_at_work(&self) -> bool {
        // What is written in order waits for whatever is missing before it.
        let is_writing = match self.in_order_from {
            Some(from) => matches!(self.get(from), Some(BlockState::Writing(_))),
            None => self.writing_count > 0,
        };
        is_writing || self.checking_count > 0
    }

    /// Whether all is in the file.
    pub(super) fn is_complete(&self) -> bool {
        self.here_count == self.blocks.count()
    }

    /// Whether somebody who has these has one that is missing.
    pub(super) fn is_missing_some_of(&self, have: &Have) -> bool {
        self.missing_count > 0 && self.first_missing(have).is_some()
    }

    /// The next blocks to ask of somebody who has these, if it is to be asked for any: at most so many, one after the other.
    /// From now on they are asked.
    pub(super) fn ask_next(&mut self, have: &Have, count_max: u32, of: HolderNumber) -> Option<(u32, u32)> {
        if self.missing_count == 0 || count_max == 0 {
            return None;
        }
        while self.get(self.missing_from).is_some_and(|state| state != BlockState::Missing) {
            self.missing_from += 1;
        }
        let first = self.first_missing(have)?;
        let mut count = 0;
        let count_max = count_max.min(self.end_of_wanted() - first);
        while count < count_max && self.ask_one(have, first + count, of) {
            count += 1;
        }
        Some((first, count))
    }

    /// Asks for this one, if it is missing and there.
    pub(super) fn ask_one(&mut self, have: &Have, block: u32, of: HolderNumber) -> bool {
        let asks = self.get(block) == Some(BlockState::Missing) && have.may_include(block);
        if asks {
            self.set(block, BlockState::Asked(of));
        }
        asks
    }

    fn first_missing(&self, have: &Have) -> Option<u32> {
        let all = [(0, self.blocks.count())];
        let runs = if let Have::Runs(runs) = have { runs.as_slice() } else { &all };
        runs.iter().find_map(|(first, count)| {
            let begin = self.missing_from.max(*first);
            let end = first.saturating_add(*count).min(self.blocks.count()).min(self.end_of_wanted());
            let states = self.states.get(begin as usize..end as usize)?;
            let after = states.iter().position(|state| *state == BlockState::Missing)?;
            Some(begin + u32::try_from(after).ok()?)
        })
    }

    /// What was asked of a holder is missing again.
    pub(super) fn give_back(&mut self, asked: impl Iterator<Item = u32>, of: HolderNumber) {
        for block in asked {
            if self.get(block) == Some(BlockState::Asked(of)) {
                self.set(block, BlockState::Missing);
            }
        }
    }

    /// What was given back and is missing still is asked of it after all.
    pub(super) fn take_again(&mut self, asked: impl Iterator<Item = u32>, of: HolderNumber) {
        for block in asked {
            if self.get(block) == Some(BlockState::Missing) {
                self.set(block, BlockState::Asked(of));
            }
        }
    }

    /// The next blocks to check: at most so many, one after the other. From now on they are being checked.
    pub(super) fn check_next(&mut self, count_max: u32) -> Option<(u32, u32)> {
        if self.unchecked_count == 0 || count_max == 0 {
            return None;
        }
        while self.get(self.unchecked_from).is_some_and(|state| state != BlockState::Unchecked) {
            self.unchecked_from += 1;
        }
        let first = self.unchecked_from;
        let mut count = 0;
        while count < count_max && self.get(first + count) == Some(BlockState::Unchecked) {
            self.set(first + count, BlockState::Checking);
            count += 1;
        }
        Some((first, count))
    }

    /// All blocks in order, as runs of those for which the same is true.
    pub(super) fn runs<T: PartialEq + Copy>(&self, what: impl Fn(BlockState) -> T) -> Vec<(T, u32, u32)> {
        let mut runs: Vec<(T, u32, u32)> = Vec::new();
        for (block, state) in (0..).zip(&self.states) {
            let here = what(*state);
            match runs.last_mut() {
                Some((before, _, count)) if *before == here => *count += 1,
                _ => runs.push((here, block, 1)),
            }
        }
        runs
    }
}
