//! One life of a fetch: what it is told, and what is wrong about what it asks for, writes and says of holders.

use std::net::SocketAddr;

use common::content::Blocks;
use common::content::transfer::Block;
use common::fetch::{FromHolder, HolderNews, Input, ToHolder};
use common::limits::{
    BLOCK_BYTES_MIN, BLOCKS_ASKED_BYTES_MAX, BLOCKS_HELD_BYTES_MAX, BLOCKS_WANTED_MAX, HASH_PARTS_ASKED_MAX,
    HASHES_MAX, UPLOAD_WANTED_MAX,
};
use common::link::LinkId;

use super::asked::AskedThere;
use super::{Nanos, WatchedFetch, blocks_count, place};
use crate::cast;
use crate::world::downloads::FetchedFile;

impl WatchedFetch<'_> {
    pub(super) fn begin(&mut self, now: Nanos, file: &FetchedFile) {
        let bytes = self.content.bytes;
        let is_here = |block: &u32| {
            let (at, length) = place(bytes, *block);
            length > 0 && file.block(at, length).is_some_and(|found| found == bytes.read(at, length))
        };
        self.begun = now;
        self.here = (0..blocks_count(bytes)).filter(is_here).collect();
        self.has_kept = file.kept.as_ref().is_some_and(|kept| kept.size == bytes.size && self.are_hashes(&kept.hashes));
        (self.written, self.writing) = Default::default();
        (self.asked, self.dials, self.holders) = Default::default();
        (self.giver, self.liar, self.asked_at, self.written_at) = (None, None, now, now);
        (self.is_proved, self.has_failed, self.is_over) = (false, false, false);
    }

    /// Whether these come to the content, as many as it has blocks.
    pub(super) fn are_hashes(&self, hashes: &[[u8; 32]]) -> bool {
        let bytes = self.content.bytes;
        let hash_of = |block: u32| {
            let (at, length) = place(bytes, block);
            common::content::block_hashes::block_hash(Blocks::of(bytes.size).ok()?, block, &bytes.read(at, length))
        };
        hashes.len() == blocks_count(bytes) as usize
            && (0..).zip(hashes).all(|(block, hash)| hash_of(block).as_ref() == Some(hash))
    }

    /// How many bytes of blocks have come.
    pub(super) fn on_told(&mut self, input: &Input) -> u64 {
        match input {
            Input::Dialled { dial, link } => {
                let address = self.dials.get(dial).copied();
                self.asked.insert(*link, AskedThere::new(address));
            }
            Input::Received { link, said } => {
                let Some(there) = self.asked.get_mut(link) else { return 0 };
                self.giver = there.address();
                let lie = there.lie_in(said).or_else(|| match said {
                    FromHolder::Block(block) if self.is_false(block) => Some("a false block"),
                    _ => None,
                });
                self.liar = self.giver.zip(lie);
                if let FromHolder::Block(block) = said {
                    return block.bytes.len() as u64;
                }
            }
            Input::Closed { link, .. } => drop(self.asked.remove(link)),
            Input::Written { block } => drop(self.writing.remove(block)),
            Input::WriteFailed { .. } => self.has_failed = true,
            Input::Holder { .. }
            | Input::DialFailed { .. }
            | Input::Heard { .. }
            | Input::Asked
            | Input::Checked { .. }
            | Input::Deadline => {}
        }
        0
    }

    /// Whether a block that is missing is not what the content has there, where it is certain how large that is.
    fn is_false(&self, block: &Block) -> bool {
        let number = block.block;
        let (at, length) = place(self.content.bytes, number);
        let is_wanted = self.is_proved && !self.written.contains_key(&number) && !self.here.contains(&number);
        is_wanted && block.bytes != self.content.bytes.read(at, length)
    }

    pub(super) fn on_write(&mut self, block: u32, at: u64, bytes: &[u8]) -> Vec<String> {
        let mut wrong = Vec::new();
        let content = self.content.bytes;
        if (at, bytes.len()) != place(content, block) {
            wrong.push(format!("writes {} bytes at {at} as block {block}", bytes.len()));
        } else if content.read(at, bytes.len()) != bytes {
            wrong.push(format!("writes what is not block {block}"));
        }
        match self.giver {
            Some(giver) => {
                if self.written.insert(block, giver).is_some() {
                    wrong.push(format!("writes block {block} twice"));
                }
                self.holders.entry(giver).or_default().drops = 0;
            }
            None => wrong.push(format!("writes block {block}, which nobody gave")),
        }
        self.writing.insert(block);
        if self.here.contains(&block) {
            wrong.push(format!("writes block {block}, which was there"));
        }
        wrong.extend(self.too_much());
        wrong
    }

    pub(super) fn on_says(&mut self, link: LinkId, message: ToHolder) -> Vec<String> {
        let mut wrong = Vec::new();
        let Some(there) = self.asked.get_mut(&link) else { return vec![format!("speaks on {link}, which is closed")] };
        match message {
            ToHolder::Open(open) => {
                wrong.extend((open.hash != self.hash).then(|| "opens another content".to_owned()));
            }
            ToHolder::HashesWanted(wanted) => {
                there.hash_parts += 1;
                if wanted.count == 0 || wanted.count > HASHES_MAX || there.hash_parts > HASH_PARTS_ASKED_MAX {
                    wrong.push(format!("asks for {} hashes, the {}. time", wanted.count, there.hash_parts));
                }
            }
            ToHolder::BlocksWanted(wanted) => {
                there.blocks.extend(wanted.first..wanted.first.saturating_add(wanted.count));
                there.messages.push_back(wanted.first.saturating_add(wanted.count).saturating_sub(1));
                if wanted.count == 0 || wanted.count > BLOCKS_WANTED_MAX || there.messages.len() > UPLOAD_WANTED_MAX {
                    wrong.push(format!("asks for {} blocks, the {}. time", wanted.count, there.messages.len()));
                }
                let bytes = there.blocks.len() * BLOCK_BYTES_MIN;
                if bytes > BLOCKS_ASKED_BYTES_MAX {
                    wrong.push(format!("asks one holder for {bytes} bytes at once"));
                }
                wrong.extend(self.too_much());
            }
        }
        wrong
    }

    /// Whether more waits to be written than may be.
    fn too_much(&self) -> Option<String> {
        let bytes = self.writing.len() * BLOCK_BYTES_MIN;
        (bytes > BLOCKS_HELD_BYTES_MAX).then(|| format!("has {bytes} bytes to be written"))
    }

    pub(super) fn on_news(&mut self, now: Nanos, address: SocketAddr, news: &HolderNews) -> Option<String> {
        let holder = self.holders.entry(address).or_default();
        match news {
            HolderNews::Taken | HolderNews::Silent => None,
            HolderNews::Busy => {
                holder.busy = Some(now);
                None
            }
            HolderNews::Dropped(why) => {
                if self.liar.is_some_and(|(liar, _)| liar == address) {
                    self.liar = None;
                }
                holder.drops = holder.drops.saturating_add(1);
                holder.is_false |= why.is_false();
                let may_be_false =
                    cast::servent_at(address).is_some_and(|servent| self.visible_liars.contains(&servent));
                let is_wronged = why.is_false() && !may_be_false;
                is_wronged.then(|| format!("drops {address}, which did not lie: {why}"))
            }
        }
    }
}
