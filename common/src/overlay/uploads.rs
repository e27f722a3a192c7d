//! Who fetches contents from this servent, and what is read for whom next.
//!
//! No byte of a file comes by here: it says what is to be read, and is told once that is queued to be sent. Which files there
//! are is `content`'s; how much is unsent, and how much is sent in a turn, is for the exchange.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use super::doors::{NotedEvent, NotedOperation, Outbox};
use super::shares::{Network, Shares};
use crate::content::Blocks;
use crate::content::transfer::{BlocksWanted, HashPart, HashesWanted, Have, Opened, Refusal, Refused};
use crate::disk::{BlocksToRead, HashesToRead, Job, ReadFailure, SharedContent};
use crate::limits::{
    BLOCK_BYTES_MIN, BLOCKS_READ_BYTES_MAX, HASHES_MAX, UPLOAD_IDLE_MAX, UPLOAD_WANTED_MAX, UPLOADS_MAX,
    UPLOADS_PER_LINK_MAX,
};
use crate::link::LinkId;
use crate::message::Message;
use crate::rate::Rate;
use crate::time::Time;

const HASH_BYTES: usize = 32;

/// A fetch, by the link it goes over and the number its client gave it.
pub(super) type UploadKey = (LinkId, u32);

/// The room.
#[derive(Debug)]
pub(super) struct Uploads {
    open: BTreeMap<UploadKey, Upload>,
    /// The places of those that are over and of which something is still being read, or waits to be queued: so there is never
    /// more of that than places.
    leaving: BTreeMap<UploadKey, UploadPlace>,
    shares: Shares<Owner>,
    /// How many bytes a second all of them together may give, where that is limited.
    bytes_per_second: Option<u64>,
    rate: Rate<Time>,
    /// Whose fetches something was read for last.
    last_owner: Owner,
    /// How often something was read, or opened.
    turns_count: u64,
    /// Bytes of blocks that were queued to be sent.
    pub(super) given_bytes: u64,
}

/// Whose place it is. On this host everybody has one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Network(Network),
    Link(LinkId),
}

/// What an upload takes of all places, and whose share that is.
#[derive(Clone, Copy, Debug)]
struct UploadPlace {
    owner: Owner,
    count: usize,
}

#[derive(Debug)]
struct Upload {
    place: UploadPlace,
    content: Arc<SharedContent>,
    /// What was asked for and is not read yet, in order.
    wanted: VecDeque<WantedRun>,
    /// What is being read for it, or was and is not queued yet.
    reading: Option<UploadRead>,
    /// When it last went on.
    used: Time,
    /// How it is told in the log of events that it is over before its client says so, where there is one.
    noted: Option<Box<NotedOperation>>,
    /// Which turn that was, of all there were: its next comes after those of the others of its owner that have waited longer.
    turn: u64,
}

impl Upload {
    /// What it wants is not read yet, because others are given what there may be given.
    fn waits_for_its_turn(&self) -> bool {
        self.reading.is_none() && !self.wanted.is_empty()
    }

    fn waits_for_its_client(&self) -> bool {
        self.reading.is_some_and(|reading| reading.is_there)
    }

    /// When it is over unless it goes on. Whoever waits for its turn cannot.
    fn idle_at(&self) -> Option<Time> {
        (!self.waits_for_its_turn()).then(|| self.used + UPLOAD_IDLE_MAX)
    }
}

#[derive(Clone, Copy, Debug)]
struct UploadRead {
    /// So many bytes of blocks: none where it is hashes.
    blocks_bytes: u64,
    /// It was read, and waits for the client.
    is_there: bool,
}

#[derive(Clone, Copy, Debug)]
enum WantedRun {
    Hashes { first: u32, count: u32 },
    Blocks { first: u32, count: u32 },
}

/// What was asked for does not exist, or is more than may be asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct AskedTooMuch;

impl Default for Uploads {
    fn default() -> Uploads {
        Uploads {
            open: BTreeMap::new(),
            leaving: BTreeMap::new(),
            shares: Shares::new(UPLOADS_MAX),
            bytes_per_second: None,
            rate: Rate::default(),
            last_owner: Owner::Link(LinkId(0)),
            turns_count: 0,
            given_bytes: 0,
        }
    }
}

impl Uploads {
    /// All of them together give no more than so many bytes a second in the long run.
    pub(super) fn set_rate(&mut self, bytes_per_second: u64) {
        self.bytes_per_second = Some(bytes_per_second.max(1));
    }

    pub(super) fn count(&self) -> usize {
        self.open.len()
    }

    /// Whether something goes on under this number on this link. Of one that is over it may be that blocks are still to come.
    pub(super) fn knows(&self, key: UploadKey) -> bool {
        self.open.contains_key(&key) || self.leaving.contains_key(&key)
    }

    /// A client on this link, at this ip, wants to fetch what is here. It is told whether it can.
    pub(super) fn on_open(
        &mut self,
        now: Time,
        key: UploadKey,
        ip: IpAddr,
        content: SharedContent,
        noted: Option<NotedOperation>,
        out: &mut Outbox<'_>,
    ) -> Result<(), Refusal> {
        let (link, fetch) = key;
        let owner = if ip.is_loopback() { Owner::Link(link) } else { Owner::Network(Network::of(ip)) };
        let place = UploadPlace { owner, count: places_of(content.blocks) };
        let of_link = self.open.range((link, 0)..=(link, u32::MAX)).count();
        if of_link >= UPLOADS_PER_LINK_MAX || !self.shares.has_room(owner, place.count) {
            refuse(key, Refusal::Busy, out);
            return Err(Refusal::Busy);
        }
        let (size, have) = (content.blocks.size(), Have::all(content.blocks.count()));
        self.shares.take(owner, place.count);
        let content = Arc::new(content);
        let turn = self.next_turn();
        let noted = noted.map(Box::new);
        self.open
            .insert(key, Upload { place, content, wanted: VecDeque::new(), reading: None, used: now, noted, turn });
        out.send(link, Message::Opened(Opened { fetch, size, have }));
        Ok(())
    }

    pub(super) fn on_hashes_wanted(
        &mut self,
        now: Time,
        link: LinkId,
        wanted: HashesWanted,
        out: &mut Outbox<'_>,
    ) -> Result<(), AskedTooMuch> {
        let HashesWanted { fetch, first, count } = wanted;
        self.on_wanted(now, (link, fetch), WantedRun::Hashes { first, count }, out)
    }

    pub(super) fn on_blocks_wanted(
        &mut self,
        now: Time,
        link: LinkId,
        wanted: BlocksWanted,
        out: &mut Outbox<'_>,
    ) -> Result<(), AskedTooMuch> {
        let BlocksWanted { fetch, first, count } = wanted;
        self.on_wanted(now, (link, fetch), WantedRun::Blocks { first, count }, out)
    }

    fn on_wanted(
        &mut self,
        now: Time,
        key: UploadKey,
        wanted: WantedRun,
        out: &mut Outbox<'_>,
    ) -> Result<(), AskedTooMuch> {
        // One that was refused meanwhile: its client does not know yet.
        let Some(upload) = self.open.get_mut(&key) else { return Ok(()) };
        let (WantedRun::Hashes { first, count } | WantedRun::Blocks { first, count }) = wanted;
        let behind = first.checked_add(count).filter(|behind| *behind <= upload.content.blocks.count());
        if count == 0 || behind.is_none() || upload.wanted.len() >= UPLOAD_WANTED_MAX {
            return Err(AskedTooMuch);
        }
        upload.wanted.push_back(wanted);
        self.go_on_with(now, key, out);
        Ok(())
    }

    /// Has the next of what a fetch wants read. Where not all is given that could be, whoever has waited longest comes first.
    fn go_on_with(&mut self, now: Time, key: UploadKey, out: &mut Outbox<'_>) {
        match self.bytes_per_second {
            None => self.read_next(now, key, out),
            Some(_) => self.go_on(now, out),
        }
    }

    /// Has something read for those that wait for it, in turn, as far as the rate allows.
    fn go_on(&mut self, now: Time, out: &mut Outbox<'_>) {
        while !self.rate.is_ahead(now, Duration::ZERO)
            && let Some(key) = self.whose_turn()
        {
            self.read_next(now, key, out);
        }
    }

    /// Of all that wait: owners take turns, whatever each of them fetches, and of one its fetches.
    fn whose_turn(&self) -> Option<UploadKey> {
        let waiting = self.open.iter().filter(|(_, upload)| upload.waits_for_its_turn());
        let next = waiting.min_by_key(|(_, upload)| {
            let owner = upload.place.owner;
            (owner <= self.last_owner, owner, upload.turn)
        });
        next.map(|(key, _)| *key)
    }

    fn next_turn(&mut self) -> u64 {
        self.turns_count += 1;
        self.turns_count
    }

    /// Has the next of what a fetch wants read, unless something of it is under way.
    fn read_next(&mut self, now: Time, key: UploadKey, out: &mut Outbox<'_>) {
        let turn = self.next_turn();
        let Some(upload) = self.open.get_mut(&key).filter(|upload| upload.waits_for_its_turn()) else { return };
        let Some(wanted) = upload.wanted.front_mut() else { return };
        let (link, fetch) = key;
        let content = Arc::clone(&upload.content);
        let (job, blocks_bytes, cost_bytes) = match wanted {
            WantedRun::Hashes { first, count } => {
                let hashes_bytes = HASH_BYTES as u64 * u64::from(*count);
                let job = Job::ReadHashes(HashesToRead { link, fetch, content, first: *first, count: *count });
                *count = 0;
                (job, 0, hashes_bytes)
            }
            WantedRun::Blocks { first, count } => {
                let at_once = (BLOCKS_READ_BYTES_MAX as u64 / content.blocks.block_bytes()).max(1);
                let read = u32::try_from(at_once).unwrap_or(1).min(*count);
                let run = (*first, read);
                (*first, *count) = (*first + read, *count - read);
                let bytes = bytes_of(content.blocks, run);
                (Job::ReadBlocks(BlocksToRead { link, fetch, content, first: run.0, count: read }), bytes, bytes)
            }
        };
        if let WantedRun::Hashes { count: 0, .. } | WantedRun::Blocks { count: 0, .. } = wanted {
            upload.wanted.pop_front();
        }
        upload.reading = Some(UploadRead { blocks_bytes, is_there: false });
        (upload.used, upload.turn, self.last_owner) = (now, turn, upload.place.owner);
        if let Some(bytes_per_second) = self.bytes_per_second {
            let cost = u128::from(cost_bytes) * 1_000_000_000 / u128::from(bytes_per_second);
            self.rate.count(now, Duration::from_nanos(u64::try_from(cost).unwrap_or(u64::MAX)));
        }
        out.disk(job);
    }

    /// What was read last for a fetch is there, and it is the client that has to take something now.
    pub(super) fn on_giving(&mut self, now: Time, key: UploadKey) {
        let Some(upload) = self.open.get_mut(&key) else { return };
        if let Some(reading) = &mut upload.reading {
            reading.is_there = true;
            upload.used = now;
        }
    }

    /// A client takes some of what was given for a fetch and is not sent: whether something of that waits to be queued, or all is
    /// queued and it cannot want more before it has it. It makes no slow disk quicker.
    pub(super) fn on_drained(&mut self, now: Time, key: UploadKey) {
        let Some(upload) = self.open.get_mut(&key) else { return };
        if upload.reading.is_none_or(|reading| reading.is_there) {
            upload.used = now;
        }
    }

    /// What was read last for a fetch is queued to be sent, or will not be because its link is gone.
    pub(super) fn on_given(&mut self, now: Time, key: UploadKey, out: &mut Outbox<'_>) {
        if self.has_left(key) {
            return;
        }
        if let Some(upload) = self.open.get_mut(&key) {
            let given_bytes = upload.reading.take().map_or(0, |reading| reading.blocks_bytes);
            self.given_bytes = self.given_bytes.saturating_add(given_bytes);
            upload.used = now;
            self.go_on_with(now, key, out);
        }
    }

    /// Hashes are said, and given once they are queued to be sent like blocks.
    pub(super) fn on_hashes_read(
        &mut self,
        now: Time,
        key: UploadKey,
        first: u32,
        hashes: Vec<[u8; 32]>,
        out: &mut Outbox<'_>,
    ) {
        let (link, fetch) = key;
        if !self.has_left(key) && self.open.contains_key(&key) {
            out.send(link, Message::HashPart(HashPart { fetch, first, hashes }));
            self.on_giving(now, key);
        }
    }

    /// Nothing is read any more for one that was over before: its place is free. Whether it was one.
    fn has_left(&mut self, key: UploadKey) -> bool {
        let left = self.leaving.remove(&key);
        left.into_iter().for_each(|UploadPlace { owner, count }| self.shares.give_back(owner, count));
        left.is_some()
    }

    /// Something could not be read for a fetch. All that fetch the same are told that it is over, as `refusal_of` says once it
    /// has heard what it was; unless nobody tried: then that one is over alone.
    pub(super) fn on_unread(
        &mut self,
        key: UploadKey,
        failure: &ReadFailure,
        refusal_of: impl FnOnce(&SharedContent) -> Refusal,
        out: &mut Outbox<'_>,
    ) -> Option<Arc<SharedContent>> {
        if self.has_left(key) {
            return None;
        }
        let upload = self.open.get_mut(&key)?;
        upload.reading = None;
        let content = Arc::clone(&upload.content);
        if matches!(failure, ReadFailure::NotTried(_)) {
            self.end_refused(key, Refusal::Busy, out);
            return None;
        }
        let refusal = refusal_of(&content);
        self.end_all_of(|other| other.name == content.name && other.stamp == content.stamp, refusal, out);
        Some(content)
    }

    /// Hashes could not be read for a fetch, which is over alone: that says nothing of the content, so it may come again. What it
    /// was is given back.
    pub(super) fn on_no_hashes(&mut self, key: UploadKey, out: &mut Outbox<'_>) -> Option<Arc<SharedContent>> {
        if self.has_left(key) {
            return None;
        }
        let upload = self.open.get_mut(&key)?;
        upload.reading = None;
        let content = Arc::clone(&upload.content);
        self.end_refused(key, Refusal::Busy, out);
        Some(content)
    }

    /// Ends those that fetch something that is not given any more.
    pub(super) fn end_all_of(
        &mut self,
        is_over: impl Fn(&SharedContent) -> bool,
        refusal: Refusal,
        out: &mut Outbox<'_>,
    ) {
        let over = self.open.iter().filter(|(_, upload)| is_over(&upload.content)).map(|(key, _)| *key);
        for key in over.collect::<Vec<_>>() {
            self.end_refused(key, refusal, out);
        }
    }

    /// What is shared may be something else now. Those that fetch what is not are told, the others hear where its hashes are.
    pub(super) fn on_shared_anew(
        &mut self,
        is_shared: impl Fn(&SharedContent) -> Result<u64, Refusal>,
        out: &mut Outbox<'_>,
    ) {
        let mut over = Vec::new();
        for (key, upload) in &mut self.open {
            match is_shared(&upload.content) {
                Ok(hashes_at) if hashes_at == upload.content.hashes_at => {}
                Ok(hashes_at) => Arc::make_mut(&mut upload.content).hashes_at = hashes_at,
                Err(refusal) => over.push((*key, refusal)),
            }
        }
        for (key, refusal) in over {
            self.end_refused(key, refusal, out);
        }
    }

    /// One is over, and its client is told why.
    fn end_refused(&mut self, key: UploadKey, refusal: Refusal, out: &mut Outbox<'_>) {
        let noted = self.open.get_mut(&key).and_then(|upload| upload.noted.take());
        if let Some(operation) = noted {
            out.note(|| NotedEvent::Operation { operation: *operation, outcome: refusal.word() });
        }
        self.end(key);
        refuse(key, refusal, out);
    }

    /// One is over. Its place is free once nothing is read for it any more.
    fn end(&mut self, key: UploadKey) {
        let Some(Upload { place, reading, .. }) = self.open.remove(&key) else { return };
        if reading.is_some() {
            self.leaving.insert(key, place);
        } else {
            self.shares.give_back(place.owner, place.count);
        }
    }

    pub(super) fn on_closed(&mut self, link: LinkId) {
        let of_link: Vec<UploadKey> = self.open.range((link, 0)..=(link, u32::MAX)).map(|(key, _)| *key).collect();
        of_link.into_iter().for_each(|key| self.end(key));
    }

    pub(super) fn deadline(&self) -> Time {
        let idle = self.open.values().filter_map(Upload::idle_at).min();
        let paced = self.open.values().any(Upload::waits_for_its_turn).then(|| self.rate.next());
        [idle, paced].into_iter().flatten().min().unwrap_or(Time::NEVER)
    }

    /// Goes on with those that waited for the rate, and gives the links of those that take nothing of what was read for them:
    /// they are to be closed. Whoever wants nothing loses its place, and whoever waits for the disk is not to wait for it.
    pub(super) fn on_deadline(&mut self, now: Time, out: &mut Outbox<'_>) -> Vec<LinkId> {
        let idle = self.open.iter().filter(|(_, upload)| upload.idle_at().is_some_and(|due| due <= now));
        let idle: Vec<(UploadKey, bool)> = idle.map(|(key, upload)| (*key, upload.waits_for_its_client())).collect();
        let mut stuck = Vec::new();
        for (key, is_stuck) in idle {
            match is_stuck {
                true => {
                    self.end(key);
                    stuck.push(key.0);
                }
                false => self.end_refused(key, Refusal::Busy, out),
            }
        }
        stuck.dedup();
        if self.open.values().any(Upload::waits_for_its_turn) {
            self.go_on(now, out);
        }
        stuck
    }
}

/// How many places one takes: what is read for it at once is no more than that many times what is read for others.
fn places_of(blocks: Blocks) -> usize {
    let block_bytes = usize::try_from(blocks.block_bytes()).unwrap_or(usize::MAX);
    block_bytes.div_ceil(BLOCKS_READ_BYTES_MAX).max(1)
}

/// How many bytes so many blocks from this one on have.
fn bytes_of(blocks: Blocks, (first, count): (u32, u32)) -> u64 {
    let at = |block: u32| (u64::from(block) * blocks.block_bytes()).min(blocks.size());
    at(first.saturating_add(count)) - at(first)
}

/// The most bytes of a content that are said in one message: those of a block, or of the hash of the only one. Of more blocks
/// each is longer than all hashes that are said at once.
pub(super) fn longest_said(blocks: Blocks) -> usize {
    const _: () = assert!(BLOCK_BYTES_MIN > HASH_BYTES * HASHES_MAX as usize);
    let longest_block = blocks.block_bytes().min(blocks.size());
    usize::try_from(longest_block).unwrap_or(usize::MAX).max(HASH_BYTES)
}

pub(super) fn refuse(key: UploadKey, refusal: Refusal, out: &mut Outbox<'_>) {
    let (link, fetch) = key;
    out.send(link, Message::Refused(Refused { fetch, refusal }));
}
