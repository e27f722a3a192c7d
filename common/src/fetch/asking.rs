//! Whom a fetch asks, and for what: a chapter of the mind.
//!
//! One holder is asked at a time. Another is taken where there is none, where it is silent, and where it has nothing of what is
//! missing. What becomes of what comes is judged elsewhere.

use super::ContentFetch;
use super::assignment::HolderNumber;
use super::doors::{HolderDial, HolderNews, Output, ToHolder};
use super::hash_list::Gathering;
use super::holders::{Dialling, Holder, HolderStage, OpenedThere};
use crate::content::Blocks;
use crate::content::block_hashes::BlockHashes;
use crate::content::transfer::{BlocksWanted, HashesWanted};
use crate::limits::{
    BLOCKS_ASKED_BYTES_LOW, BLOCKS_ASKED_BYTES_MAX, BLOCKS_HELD_BYTES_MAX, BLOCKS_WANTED_MAX, HASH_PARTS_ASKED_MAX,
};

/// What speaks for asking one holder rather than another: the least is the best.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct HolderRank {
    /// It said another size than the one of the hashes there are.
    pub(super) disagrees: bool,
    /// How often it had to be left for another.
    stumbles: u32,
    /// It is yet to be dialled.
    is_waiting: bool,
}

impl ContentFetch {
    /// Whether something is missing, and nobody is asked for it who may be expected to answer.
    pub(super) fn wants_another(&self) -> bool {
        let is_served =
            self.active.and_then(|number| self.holders.get(number)).is_some_and(|holder| !holder.is_silent());
        let is_wanted = self.list.as_ref().is_none_or(|list| list.assignment.has_missing() || self.active.is_some());
        !is_served && is_wanted
    }

    /// Takes the best holder there is, where nobody is asked or whoever is says nothing.
    pub(super) fn choose(&mut self, out: &mut Vec<Output>) {
        if !std::mem::take(&mut self.may_choose) {
            return;
        }
        let current = self.active;
        if let Some(number) = current {
            if self.holders.get(number).is_some_and(|holder| !holder.is_silent()) {
                return;
            }
            self.give_back(number);
        }
        let Some(number) = self.best_other(|_| true) else {
            if let Some(number) = current {
                self.take_again(number);
            }
            return;
        };
        self.active = Some(number);
        self.take_again(number);
        self.tell(number, HolderNews::Taken, out);
        let now = self.now;
        let Some(holder) = self.holders.get_mut(number) else { return };
        if let HolderStage::Waiting(_) = holder.stage {
            let (dial, address) = (HolderDial(self.dials_count), holder.address);
            self.dials_count += 1;
            holder.stage = HolderStage::Dialling(Dialling { dial, since: now, is_silent: false });
            out.push(Output::Dial { dial, address });
        }
    }

    /// The best of those that are not asked and may be.
    pub(super) fn best_other(&self, is_fit: impl Fn(&HolderRank) -> bool) -> Option<HolderNumber> {
        let others = self.holders.iter().filter(|(number, _)| self.active != Some(*number));
        let ranks = others.filter_map(|(number, holder)| Some((self.rank(holder)?, number)));
        ranks.filter(|(rank, _)| is_fit(rank)).min().map(|(_, number)| number)
    }

    fn rank(&self, holder: &Holder) -> Option<HolderRank> {
        let list = self.list.as_ref();
        let (opened, is_waiting) = match &holder.stage {
            HolderStage::Waiting(from) if *from <= self.now => (None, true),
            HolderStage::Linked(talk) if !holder.is_silent() => (talk.opened.as_ref(), false),
            _ => return None,
        };
        let disagrees = list.zip(opened).is_some_and(|(list, opened)| list.blocks() != opened.blocks);
        let have = opened.map_or(&holder.have, |opened| &opened.have);
        // What somebody has who counts otherwise is not known; and whoever was not asked yet may, while nothing proves the size.
        let is_of_use = list.is_none_or(|list| {
            let may_disagree = disagrees || opened.is_none() && !holder.is_emptied && !list.is_proved;
            let assignment = &list.assignment;
            assignment.has_missing() && (may_disagree || assignment.is_missing_some_of(have))
        });
        is_of_use.then_some(HolderRank { disagrees, stumbles: holder.stumbles, is_waiting })
    }

    /// Asks the holder that is to be asked for what it can give. Whether another is to be chosen, because it can give nothing.
    pub(super) fn advance(&mut self, out: &mut Vec<Output>) -> bool {
        let Some(number) = self.active else { return false };
        let Some(talk) = self.holders.get(number).and_then(Holder::talk) else { return false };
        let Some(opened) = &talk.opened else { return false };
        let blocks = opened.blocks;
        if let Err(why) = self.judge_size(blocks) {
            self.drop_holder(number, why, out);
            return true;
        }
        if self.list.as_ref().is_none_or(|list| list.blocks() != blocks) {
            if blocks.count() > 1 {
                self.ask_for_hashes(number, blocks, out);
                return false;
            }
            // The hash of the only block is that of the content.
            match BlockHashes::proved(self.hash, blocks, vec![self.hash.0]) {
                Ok(hashes) => self.take_list(hashes, false),
                Err(_) => return false,
            }
        }
        self.ask_for_blocks(number, out);
        self.let_go_if_in_vain(number, out)
    }

    fn ask_for_hashes(&mut self, number: HolderNumber, blocks: Blocks, out: &mut Vec<Output>) {
        let now = self.now;
        let Some(talk) = self.holders.talk_mut(number) else { return };
        while talk.hashes_asked.len() < HASH_PARTS_ASKED_MAX
            && let Some((first, count)) = talk.gathering.get_or_insert_with(|| Gathering::new(blocks)).ask_next()
        {
            talk.on_ask(now);
            talk.hashes_asked.push_back((first, count));
            let wanted = HashesWanted { fetch: talk.fetch, first, count };
            out.push(Output::Send { link: talk.link, message: ToHolder::HashesWanted(wanted) });
        }
    }

    fn ask_for_blocks(&mut self, number: HolderNumber, out: &mut Vec<Output>) {
        let now = self.now;
        let Some(list) = &mut self.list else { return };
        let Some(talk) = self.holders.talk_mut(number) else { return };
        let Some(OpenedThere { blocks, have }) = &talk.opened else { return };
        let (blocks, have) = (*blocks, have.clone());
        let block_bytes = usize::try_from(blocks.block_bytes()).unwrap_or(usize::MAX);
        if talk.asked_bytes > BLOCKS_ASKED_BYTES_LOW {
            return;
        }
        let assignment = &mut list.assignment;
        loop {
            let room = BLOCKS_ASKED_BYTES_MAX.min(BLOCKS_HELD_BYTES_MAX.saturating_sub(assignment.writing_bytes()));
            let room = room.saturating_sub(talk.asked_bytes) / block_bytes;
            let count_max = u32::try_from(room).unwrap_or(u32::MAX).min(BLOCKS_WANTED_MAX);
            // The last one proves the size, and with it the hashes of all others.
            let last = assignment.last();
            let asks_last = !list.is_proved && count_max > 0 && assignment.ask_one(&have, last, number);
            let asked = if asks_last { Some((last, 1)) } else { assignment.ask_next(&have, count_max, number) };
            let Some((first, count)) = asked else { return };
            talk.on_ask(now);
            for block in first..first + count {
                talk.blocks_asked.push_back(block);
                talk.asked_bytes += blocks.place(block).map_or(0, |(_, bytes_count)| bytes_count);
            }
            let wanted = BlocksWanted { fetch: talk.fetch, first, count };
            out.push(Output::Send { link: talk.link, message: ToHolder::BlocksWanted(wanted) });
        }
    }

    /// Whether it was let go because it has nothing of what is missing. It is asked again if it is said to have more.
    fn let_go_if_in_vain(&mut self, number: HolderNumber, out: &mut Vec<Output>) -> bool {
        let Some(list) = &self.list else { return false };
        let Some(talk) = self.holders.get(number).and_then(Holder::talk) else { return false };
        let Some(OpenedThere { have, .. }) = &talk.opened else { return false };
        if talk.owes() || !list.assignment.has_missing() || list.assignment.is_missing_some_of(have) {
            return false;
        }
        let have = have.clone();
        self.close(number, out);
        let now = self.now;
        if let Some(holder) = self.holders.get_mut(number) {
            holder.on_emptied(now, have);
        }
        true
    }
}
