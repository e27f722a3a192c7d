//! Who fetches contents from this servent, and what is read for whom next.
//!
//! No byte of a file comes by here: it says what is to be read, and is told once that is queued to be sent. Which files there
//! are is `content`'s; how much is unsent, and how much is sent in a turn, is for the exchange.

use std::collections::{BTreeMap, VecDeque};
use std::net::IpAddr;
use std::ops::Bound;
use std::sync::Arc;
use std::time::Duration;

use super::doors::Outbox;
use super::shares::{Network, Shares};
use crate::content::transfer::{BlocksWanted, HashPart, HashesWanted, Have, Opened, Refusal, Refused};
use crate::disk::{BlocksToRead, HashesToRead, Job, ReadFailure, SharedContent};
use crate::limits::{BLOCKS_READ_BYTES_MAX, UPLOAD_IDLE_MAX, UPLOAD_WANTED_MAX, UPLOADS_MAX, UPLOADS_PER_LINK_MAX};
use crate::link::LinkId;
use crate::message::Message;
use crate::rate::Rate;
use crate::time::Time;

/// A fetch, by the link it goes over and the number its client gave it.
pub(super) type UploadKey = (LinkId, u32);

/// The room.
#[derive(Debug)]
pub(super) struct Uploads {
    open: BTreeMap<UploadKey, Upload>,
    shares: Shares<Owner>,
    /// How many bytes a second all of them together may give, where that is limited.
    bytes_per_second: Option<u64>,
    rate: Rate<Time>,
    /// For whom something was read last.
    last: UploadKey,
    /// Bytes that were read to be given.
    pub(super) given_bytes: u64,
}

/// Whose place it is. On this host everybody has one network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Owner {
    Network(Network),
    Link(LinkId),
}

#[derive(Debug)]
struct Upload {
    owner: Owner,
    content: Arc<SharedContent>,
    /// What was asked for and is not read yet, in order.
    wanted: VecDeque<WantedRun>,
    /// Something is being read for it, or was and is not queued yet.
    is_reading: bool,
    /// When it last went on.
    used: Time,
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
            shares: Shares::new(UPLOADS_MAX),
            bytes_per_second: None,
            rate: Rate::default(),
            last: (LinkId(0), 0),
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

    pub(super) fn is_open(&self, key: UploadKey) -> bool {
        self.open.contains_key(&key)
    }

    /// A client on this link, at this ip, wants to fetch what is here.
    pub(super) fn on_open(
        &mut self,
        now: Time,
        key: UploadKey,
        ip: IpAddr,
        content: SharedContent,
        out: &mut Outbox<'_>,
    ) {
        let (link, fetch) = key;
        let owner = if ip.is_loopback() { Owner::Link(link) } else { Owner::Network(Network::of(ip)) };
        let of_link = self.open.range((link, 0)..=(link, u32::MAX)).count();
        if of_link >= UPLOADS_PER_LINK_MAX || !self.shares.has_room(owner, 1) {
            return refuse(key, Refusal::Busy, out);
        }
        let (size, have) = (content.blocks.size(), Have::all(content.blocks.count()));
        self.shares.take(owner, 1);
        let content = Arc::new(content);
        self.open.insert(key, Upload { owner, content, wanted: VecDeque::new(), is_reading: false, used: now });
        out.send(link, Message::Opened(Opened { fetch, size, have }));
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
        if upload.wanted.is_empty() && !upload.is_reading {
            upload.used = now;
        }
        upload.wanted.push_back(wanted);
        self.read_next(now, key, out);
        Ok(())
    }

    /// Has the next of what a fetch wants read, unless something of it is under way.
    fn read_next(&mut self, now: Time, key: UploadKey, out: &mut Outbox<'_>) {
        let is_ahead = self.rate.is_ahead(now, Duration::ZERO);
        let Some(upload) = self.open.get_mut(&key).filter(|upload| !upload.is_reading && !is_ahead) else { return };
        let Some(wanted) = upload.wanted.front_mut() else { return };
        let (link, fetch) = key;
        let content = Arc::clone(&upload.content);
        upload.is_reading = true;
        self.last = key;
        match wanted {
            WantedRun::Hashes { first, count } => {
                let (first, count) = (*first, *count);
                upload.wanted.pop_front();
                out.disk(Job::ReadHashes(HashesToRead { link, fetch, content, first, count }));
            }
            WantedRun::Blocks { first, count } => {
                let block_bytes = content.blocks.block_bytes();
                let at_once = (BLOCKS_READ_BYTES_MAX as u64 / block_bytes).max(1);
                let read = u32::try_from(at_once).unwrap_or(1).min(*count);
                let job = Job::ReadBlocks(BlocksToRead { link, fetch, content, first: *first, count: read });
                (*first, *count) = (*first + read, *count - read);
                if *count == 0 {
                    upload.wanted.pop_front();
                }
                let bytes = u64::from(read).saturating_mul(block_bytes);
                self.given_bytes = self.given_bytes.saturating_add(bytes);
                if let Some(bytes_per_second) = self.bytes_per_second {
                    let cost = u128::from(bytes) * 1_000_000_000 / u128::from(bytes_per_second);
                    self.rate.count(now, Duration::from_nanos(u64::try_from(cost).unwrap_or(u64::MAX)));
                }
                out.disk(job);
            }
        }
    }

    /// What was read last for a fetch is queued to be sent.
    pub(super) fn on_given(&mut self, now: Time, key: UploadKey, out: &mut Outbox<'_>) {
        if let Some(upload) = self.open.get_mut(&key) {
            (upload.is_reading, upload.used) = (false, now);
            self.read_next(now, key, out);
        }
    }

    pub(super) fn on_hashes_read(
        &mut self,
        now: Time,
        key: UploadKey,
        first: u32,
        hashes: Vec<[u8; 32]>,
        out: &mut Outbox<'_>,
    ) {
        let (link, fetch) = key;
        if self.open.contains_key(&key) {
            out.send(link, Message::HashPart(HashPart { fetch, first, hashes }));
            self.on_given(now, key, out);
        }
    }

    /// Something could not be read for a fetch. All that fetch the same are told that it is over, and what it was is given
    /// back; unless nobody tried: then that one is over alone.
    pub(super) fn on_unread(
        &mut self,
        key: UploadKey,
        failure: &ReadFailure,
        out: &mut Outbox<'_>,
    ) -> Option<Arc<SharedContent>> {
        let content = Arc::clone(&self.open.get(&key)?.content);
        if matches!(failure, ReadFailure::NotTried(_)) {
            self.end(key);
            refuse(key, Refusal::Busy, out);
            return None;
        }
        let refusal = if *failure == ReadFailure::Changed { Refusal::Changed } else { Refusal::Gone };
        self.end_all_of(|other| other.name == content.name && other.stamp == content.stamp, refusal, out);
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
            self.end(key);
            refuse(key, refusal, out);
        }
    }

    fn end(&mut self, key: UploadKey) {
        if let Some(upload) = self.open.remove(&key) {
            self.shares.give_back(upload.owner, 1);
        }
    }

    pub(super) fn on_closed(&mut self, link: LinkId) {
        let of_link: Vec<UploadKey> = self.open.range((link, 0)..=(link, u32::MAX)).map(|(key, _)| *key).collect();
        of_link.into_iter().for_each(|key| self.end(key));
    }

    pub(super) fn deadline(&self) -> Time {
        let is_waiting = |upload: &Upload| !upload.is_reading && !upload.wanted.is_empty();
        let idle = self.open.values().map(|upload| upload.used + UPLOAD_IDLE_MAX).min();
        let paced = self.open.values().any(is_waiting).then(|| self.rate.next());
        [idle, paced].into_iter().flatten().min().unwrap_or(Time::NEVER)
    }

    /// Goes on with those that waited for the rate, and gives the links of those that take nothing of what they wanted: they
    /// are to be closed. Whoever wants nothing loses its place.
    pub(super) fn on_deadline(&mut self, now: Time, out: &mut Outbox<'_>) -> Vec<LinkId> {
        let is_idle = |upload: &Upload| upload.used + UPLOAD_IDLE_MAX <= now;
        let idle = self.open.iter().filter(|(_, upload)| is_idle(upload));
        let idle: Vec<(UploadKey, bool)> = idle.map(|(key, upload)| (*key, upload.is_reading)).collect();
        let mut stuck = Vec::new();
        for (key, is_stuck) in idle {
            self.end(key);
            match is_stuck {
                true => stuck.push(key.0),
                false => refuse(key, Refusal::Busy, out),
            }
        }
        // Whoever was read for last is the last of them.
        let behind = self.open.range((Bound::Excluded(self.last), Bound::Unbounded));
        let turns: Vec<UploadKey> = behind.chain(self.open.range(..=self.last)).map(|(key, _)| *key).collect();
        turns.into_iter().for_each(|key| self.read_next(now, key, out));
        stuck.dedup();
        stuck
    }
}

pub(super) fn refuse(key: UploadKey, refusal: Refusal, out: &mut Outbox<'_>) {
    let (link, fetch) = key;
    out.send(link, Message::Refused(Refused { fetch, refusal }));
}
