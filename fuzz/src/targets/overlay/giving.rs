//! What must hold of what a servent's mind gives of the files it shares: what it wants read, for whom, in which order, and
//! whom it tells what came of that.
//!
//! It knows what was said to the mind and what was read. Which files there are is known to `sharing`.

use std::collections::{BTreeMap, BTreeSet, VecDeque};

use common::content::transfer::{BlockBytes, BlocksWanted, HashPart, HashesWanted, Open, Opened, Refused};
use common::content::{Blocks, ContentHash};
use common::disk::{BlocksToRead, HashesToRead, Job, ReadFailure, SharedContent};
use common::limits::{BLOCKS_READ_BYTES_MAX, UPLOAD_WANTED_MAX, UPLOADS_MAX, UPLOADS_PER_LINK_MAX};
use common::link::LinkId;
use common::message::Message;

use super::sharing::SharingWitness;
use crate::reader::Reader;

type Key = (LinkId, u32);

/// What goes on, as far as it was said.
#[derive(Debug, Default)]
pub(super) struct GivingWitness {
    open: BTreeMap<Key, Fetch>,
    /// Those that are over and of which something is being read.
    leaving: BTreeSet<Key>,
    /// What is being opened just now.
    asked: Option<(Key, ContentHash)>,
    /// The hashes that were read just now.
    hashes: Option<(Key, u32, Vec<[u8; 32]>)>,
}

#[derive(Debug)]
struct Fetch {
    hash: ContentHash,
    blocks: Blocks,
    /// What was wanted and is not read yet: whether it is hashes, the first block and how many.
    wanted: VecDeque<(bool, u32, u32)>,
    is_reading: bool,
}

/// So many hashes and so many bytes of a block stand for all of them.
const HASHES_READ: usize = 2;
const BLOCK_BYTES: usize = 5;

impl GivingWitness {
    /// So many are given anything.
    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    // ---- what is told ----

    pub(super) fn on_said(&mut self, link: LinkId, message: &Message) {
        self.asked = None;
        let (fetch, run) = match message {
            Message::Open(Open { fetch, hash }) => {
                self.asked = Some(((link, *fetch), *hash));
                return;
            }
            Message::HashesWanted(HashesWanted { fetch, first, count }) => (*fetch, (true, *first, *count)),
            Message::BlocksWanted(BlocksWanted { fetch, first, count }) => (*fetch, (false, *first, *count)),
            _ => return,
        };
        if let Some(fetch) = self.open.get_mut(&(link, fetch)) {
            fetch.wanted.push_back(run);
        }
    }

    /// What was said was taken in, or has cost its speaker the link.
    pub(super) fn check(&self, sharing: &SharingWitness) {
        for (key, fetch) in &self.open {
            assert!(fetch.wanted.len() <= UPLOAD_WANTED_MAX, "{key:?} wants too much: {fetch:?}");
            for (_, first, count) in &fetch.wanted {
                let is_there = first.checked_add(*count).is_some_and(|behind| behind <= fetch.blocks.count());
                assert!(is_there && *count > 0, "{key:?} wants what is not there: {fetch:?}");
            }
            assert!(fetch.is_reading || fetch.wanted.is_empty() || sharing.has_rate, "{key:?} waits for nothing");
            let of_link = self.open.range((key.0, 0)..=(key.0, u32::MAX)).count();
            assert!(of_link <= UPLOADS_PER_LINK_MAX, "{of_link} are given over {}", key.0);
        }
        let under_way = self.open.values().filter(|fetch| fetch.is_reading).count() + self.leaving.len();
        assert!(under_way <= UPLOADS_MAX, "{under_way} are read at once");
    }

    pub(super) fn on_closed(&mut self, link: LinkId) {
        let keys: Vec<Key> = self.open.range((link, 0)..=(link, u32::MAX)).map(|(key, _)| *key).collect();
        keys.into_iter().for_each(|key| self.end(key));
    }

    fn end(&mut self, key: Key) {
        let fetch = self.open.remove(&key).expect("it was open");
        if fetch.is_reading {
            self.leaving.insert(key);
        }
    }

    /// Nothing is read for it, or waits to be queued, any more.
    pub(super) fn on_done(&mut self, key: Key) {
        if self.leaving.remove(&key) {
            return;
        }
        let fetch = self.open.get_mut(&key).expect("what is read is read for somebody");
        assert!(std::mem::take(&mut fetch.is_reading), "{key:?} is given twice what was read once");
    }

    /// Hashes were read, which are given once they are queued. Of one that is over they are not said.
    pub(super) fn on_hashes_read(&mut self, key: Key) {
        self.leaving.remove(&key);
    }

    // ---- what is read ----

    /// What comes of reading blocks.
    pub(super) fn read_blocks(
        &mut self,
        reader: &mut Reader<'_>,
        sharing: &mut SharingWitness,
        job: &BlocksToRead,
    ) -> Result<Vec<(u32, BlockBytes)>, ReadFailure> {
        let BlocksToRead { link, fetch, content, first, count } = job;
        self.fail(reader, sharing, (*link, *fetch), content)?;
        let read = |block: u32| {
            BlockBytes::read_with(BLOCK_BYTES, |bytes| {
                bytes.resize(bytes.len() + BLOCK_BYTES, block.to_le_bytes()[0]);
                Ok(())
            })
            .map(|bytes| (block, bytes))
        };
        (*first..*first + *count).map(read).collect()
    }

    /// The same of hashes, of which the file knows nothing.
    pub(super) fn read_hashes(
        &mut self,
        reader: &mut Reader<'_>,
        job: &HashesToRead,
    ) -> Result<Vec<[u8; 32]>, ReadFailure> {
        let HashesToRead { link, fetch, first, count, .. } = job;
        failed(reader).map_or(Ok(()), Err)?;
        let hashes = vec![[first.to_le_bytes()[0]; 32]; HASHES_READ.min(*count as usize)];
        self.hashes = Some(((*link, *fetch), *first, hashes.clone()));
        Ok(hashes)
    }

    fn fail(
        &mut self,
        reader: &mut Reader<'_>,
        sharing: &mut SharingWitness,
        key: Key,
        content: &SharedContent,
    ) -> Result<(), ReadFailure> {
        let Some(failure) = failed(reader) else { return Ok(()) };
        // Of one that is over nobody looks at what came of it.
        if self.open.contains_key(&key) {
            sharing.on_unread(content);
        }
        Err(failure)
    }

    // ---- what is wanted ----

    pub(super) fn look_at_job(&mut self, job: &Job, sharing: &SharingWitness) {
        let (key, content, run) = match job {
            Job::ReadBlocks(BlocksToRead { link, fetch, content, first, count }) => {
                let bytes = u64::from(*count) * content.blocks.block_bytes();
                assert!(*count == 1 || bytes <= BLOCKS_READ_BYTES_MAX as u64, "{job:?} is too much at once");
                ((*link, *fetch), content, (false, *first, *count))
            }
            Job::ReadHashes(HashesToRead { link, fetch, content, first, count }) => {
                ((*link, *fetch), content, (true, *first, *count))
            }
            _ => return,
        };
        let Some(fetch) = self.open.get_mut(&key) else { panic!("{job:?}, and nobody fetches") };
        assert!(!std::mem::replace(&mut fetch.is_reading, true), "{job:?}, and something is under way");
        assert!(sharing.was_shared(content, fetch.hash), "{job:?} is of another content");
        assert_eq!(content.blocks, fetch.blocks, "{job:?} is of another content");
        let (is_hashes, first, count) = run;
        let Some((wanted_hashes, wanted_first, left)) = fetch.wanted.front_mut() else {
            panic!("nobody wants {job:?}")
        };
        assert_eq!((is_hashes, first), (*wanted_hashes, *wanted_first), "{job:?} is out of turn");
        assert!(count > 0 && count <= *left && (!is_hashes || count == *left), "{job:?} is not what was wanted");
        (*wanted_first, *left) = (*wanted_first + count, *left - count);
        if *left == 0 {
            fetch.wanted.pop_front();
        }
    }

    pub(super) fn look_at_said(&mut self, link: LinkId, message: &Message, sharing: &SharingWitness) {
        match message {
            Message::Opened(Opened { fetch, size, have: _ }) => {
                let (key, hash) = self.asked.take().expect("nobody opened anything");
                assert_eq!(key, (link, *fetch), "somebody else is told");
                assert!(sharing.shares_now(hash, *size), "{hash} of {size} bytes is not here");
                let blocks = Blocks::of(*size).expect("it is shared");
                let fetch = Fetch { hash, blocks, wanted: VecDeque::new(), is_reading: false };
                assert!(!self.leaving.contains(&key), "{key:?} goes on still");
                assert!(self.open.insert(key, fetch).is_none(), "{key:?} is opened twice");
            }
            Message::Refused(Refused { fetch, .. }) => {
                let key = (link, *fetch);
                match self.asked.take_if(|(asked, _)| *asked == key) {
                    Some(_) => assert!(!self.open.contains_key(&key), "{key:?} goes on, and is refused"),
                    None => self.end(key),
                }
            }
            Message::HashPart(HashPart { fetch, first, hashes }) => {
                let read = self.hashes.take();
                assert_eq!(read, Some(((link, *fetch), *first, hashes.clone())), "nobody read them");
            }
            _ => {}
        }
    }
}

/// Why something is not read, if it is not.
fn failed(reader: &mut Reader<'_>) -> Option<ReadFailure> {
    match reader.byte() % 8 {
        0 => Some(ReadFailure::Changed),
        1 => Some(ReadFailure::Gone),
        2 => Some(ReadFailure::Failed("the input says so".to_owned())),
        _ => None,
    }
}
