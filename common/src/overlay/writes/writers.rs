//! Who writes, how much of it waits, and who is not read because that is too much.
//!
//! No client has more waiting than is left for all others, so whoever comes to that rests until some of it is on the disk.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use crate::limits::{FRAME_BYTES_MAX, WRITES_WAITING_BYTES_MAX};
use crate::link::LinkId;
use crate::overlay::shares::Shares;

/// The room that there must be for whatever a client says next.
const WRITE_ROOM_BYTES: usize = FRAME_BYTES_MAX;

#[derive(Debug)]
pub(super) struct WritingLinks {
    shares: Shares<LinkId>,
    /// Every client that has written, and whether it rests.
    rests: BTreeMap<LinkId, bool>,
    /// Those that are read, by how much they have waiting.
    read: BTreeSet<(usize, LinkId)>,
    /// Those that rest, in the order in which they came to. Some may have left.
    resting: VecDeque<LinkId>,
}

impl Default for WritingLinks {
    fn default() -> WritingLinks {
        WritingLinks {
            shares: Shares::new(WRITES_WAITING_BYTES_MAX),
            rests: BTreeMap::new(),
            read: BTreeSet::new(),
            resting: VecDeque::new(),
        }
    }
}

impl WritingLinks {
    pub(super) fn waiting_bytes(&self) -> usize {
        self.shares.taken()
    }

    /// A client has so much more waiting. False where there is no room for it.
    pub(super) fn wait(&mut self, link: LinkId, bytes_count: usize) -> bool {
        let before = self.shares.of(link);
        let has_room = self.shares.has_room(link, bytes_count);
        if has_room {
            self.shares.take(link, bytes_count);
        }
        if !*self.rests.entry(link).or_default() {
            self.read.remove(&(before, link));
            self.read.insert((self.shares.of(link), link));
        }
        has_room
    }

    /// So much of what a client had waiting does not wait any more.
    pub(super) fn wait_no_more(&mut self, link: LinkId, bytes_count: usize) {
        let was_read = self.read.remove(&(self.shares.of(link), link));
        self.shares.give_back(link, bytes_count);
        if was_read {
            self.read.insert((self.shares.of(link), link));
        }
    }

    /// Those that rest from now on: there is no room for whatever they say next.
    pub(super) fn take_to_rest(&mut self) -> Vec<LinkId> {
        let mut to_rest = Vec::new();
        while let Some((amount, link)) = self.read.last().copied()
            && amount + WRITE_ROOM_BYTES > self.shares.left()
        {
            self.read.pop_last();
            self.rests.insert(link, true);
            self.resting.push_back(link);
            to_rest.push(link);
        }
        to_rest
    }

    /// Those that are read again, because there is. Who has waited longest comes first.
    pub(super) fn take_to_resume(&mut self) -> Vec<LinkId> {
        if self.resting.is_empty() || self.shares.left() < WRITE_ROOM_BYTES {
            return Vec::new();
        }
        let WritingLinks { shares, rests, read, resting } = self;
        let mut resumed = Vec::new();
        resting.retain(|link| {
            let Some(rests) = rests.get_mut(link) else { return false };
            let has_room = shares.has_room(*link, WRITE_ROOM_BYTES);
            if has_room {
                *rests = false;
                read.insert((shares.of(*link), *link));
                resumed.push(*link);
            }
            !has_room
        });
        resumed
    }

    /// A client rests from now on, whatever room there is. Whether it did before.
    pub(super) fn hold(&mut self, link: LinkId) -> bool {
        self.read.remove(&(self.shares.of(link), link));
        self.rests.insert(link, true).unwrap_or_default()
    }

    /// Whether a client rests.
    pub(super) fn holds(&self, link: LinkId) -> bool {
        self.rests.get(&link).copied().unwrap_or_default()
    }

    /// A client is gone; what it has waiting waits all the same.
    pub(super) fn forget(&mut self, link: LinkId) {
        if self.rests.remove(&link).is_some() {
            self.read.remove(&(self.shares.of(link), link));
            self.resting.retain(|resting| *resting != link);
        }
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        self.rests.len() * (2 * size_of::<LinkId>() + size_of::<usize>()) + self.resting.len() * size_of::<LinkId>()
    }
}
