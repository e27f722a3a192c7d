//! How contents are fetched.
//!
//! - Whatever is written to a file is what the content has in that place, and nothing is written twice, nor what was there
//!   whole and true before.
//! - No more is asked for than may be: of one holder, of all together with what waits to be written, in one message, and who
//!   has it no more often than once in a pause.
//! - Hashes are kept that are those of the content, and no size is certain but the true one.
//! - One that is done has a file that is whole and true. One that says what is missing names just that, and whoever gave the
//!   rest. One ends for a file that cannot be written only where it could not.
//! - None ends in vain where somebody who does not lie had all, told so and could be reached for as long as was waited.
//! - Nobody is dropped for lying who did not, and whoever shows that it lies is dropped at once.
//!
//! What the bytes of a content are, and its hash, is read off the scene and hashed as a whole here.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use common::content::transfer::{Block, Have};
use common::content::{Blocks, ContentHash};
use common::dialect::Dialect;
use common::fetch::{
    BlockSource, FetchEnd, FetchEnded, FetchReport, FromHolder, HolderDial, HolderNews, Input, Output, ToHolder,
};
use common::limits::{
    ASK_AGAIN_PAUSE, BLOCK_BYTES_MIN, BLOCKS_ASKED_BYTES_MAX, BLOCKS_HELD_BYTES_MAX, BLOCKS_MAX, BLOCKS_WANTED_MAX,
    HASH_PARTS_ASKED_MAX, HASHES_MAX, HOLDER_FAILURES_MAX, UPLOAD_WANTED_MAX,
};
use common::link::LinkId;

use super::{Evidence, Nanos, SECOND, nanos};
use crate::cast;
use crate::contents::{ContentBytes, DrawnContent, DrawnFetch, DrawnHolder, HolderLie};
use crate::dialects;
use crate::graph::Graph;
use crate::outcome::ContentsOutcome;
use crate::scene::{Asking, Scene};
use crate::verdict::demand::Demand;
use crate::world::downloads::FetchedFile;

const BLOCK: u64 = BLOCK_BYTES_MIN as u64;
/// The largest content whose blocks are no longer than that.
const SIZE_MAX: u64 = BLOCK * BLOCKS_MAX as u64;

/// For how long somebody is to be within reach for a fetch that goes on to be in vain.
const PATIENCE: Nanos = 60 * SECOND;

/// What was asked of a holder and has not come.
#[derive(Debug, Default)]
struct AskedThere {
    address: Option<SocketAddr>,
    blocks: VecDeque<u32>,
    /// The last block of each message.
    messages: VecDeque<u32>,
    hash_parts: usize,
    is_open: bool,
}

impl AskedThere {
    /// What of something that is said there was not asked for, or cannot be.
    fn lie_in(&mut self, said: &FromHolder) -> Option<&'static str> {
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

/// What became of a holder in one life of a fetch.
#[derive(Debug, Default)]
struct HolderSeen {
    /// How often it was dropped since it gave a block.
    drops: u8,
    is_false: bool,
    /// When it last said that it was busy, and when something was last in the way of a dial.
    busy: Option<Nanos>,
    kept_from: Option<Nanos>,
}

/// A fetch.
struct WatchedFetch<'s> {
    drawn: &'s DrawnFetch,
    content: &'s DrawnContent,
    hash: ContentHash,
    // ---- of the life under way ----
    begun: Nanos,
    /// Blocks that were in the file, whole and true.
    here: BTreeSet<u32>,
    /// Whether the hashes that were kept are those of the content.
    has_kept: bool,
    written: BTreeMap<u32, SocketAddr>,
    writing: BTreeSet<u32>,
    asked: BTreeMap<LinkId, AskedThere>,
    dials: BTreeMap<HolderDial, SocketAddr>,
    /// Who has just given something.
    giver: Option<SocketAddr>,
    holders: BTreeMap<SocketAddr, HolderSeen>,
    asked_at: Nanos,
    written_at: Nanos,
    /// Who has just said what shows that it lies, and is to be dropped.
    liar: Option<(SocketAddr, &'static str)>,
    is_proved: bool,
    has_failed: bool,
    is_over: bool,
    listing_since: Option<Nanos>,
    listed: Vec<Vec<u8>>,
}

/// All of them.
pub(crate) struct WatchedFetches<'s> {
    fetches: Vec<WatchedFetch<'s>>,
    by_node: BTreeMap<usize, usize>,
    /// Since when pipes are wide, where they were not.
    wide_since: Option<Nanos>,
    counts: ContentsOutcome,
}

impl<'s> WatchedFetches<'s> {
    pub(super) fn new(scene: &'s Scene) -> WatchedFetches<'s> {
        let fetch = |drawn: &'s DrawnFetch| {
            let content = scene.contents.iter().find(|content| content.number == drawn.content)?;
            let size = usize::try_from(content.bytes.size).unwrap_or_default();
            let hash = ContentHash(*blake3::hash(&content.bytes.read(0, size)).as_bytes());
            Some(WatchedFetch {
                drawn,
                content,
                hash,
                begun: 0,
                here: BTreeSet::new(),
                has_kept: false,
                written: BTreeMap::new(),
                writing: BTreeSet::new(),
                asked: BTreeMap::new(),
                dials: BTreeMap::new(),
                giver: None,
                holders: BTreeMap::new(),
                asked_at: 0,
                written_at: 0,
                liar: None,
                is_proved: false,
                has_failed: false,
                is_over: false,
                listing_since: None,
                listed: Vec::new(),
            })
        };
        let fetches: Vec<_> = scene.fetches.iter().filter_map(fetch).collect();
        let counts = ContentsOutcome { fetches: fetches.len() as u64, ..ContentsOutcome::default() };
        WatchedFetches { fetches, by_node: BTreeMap::new(), wide_since: None, counts }
    }

    // ---- what happens ----

    /// Pipes are as wide as they may be from now on.
    pub(super) fn on_widened(&mut self, now: Nanos) {
        self.wide_since.get_or_insert(now);
    }

    /// A life of a fetch begins, of a file like this. What of it is wrong.
    pub(super) fn on_begin(
        &mut self,
        now: Nanos,
        fetch: usize,
        node: usize,
        hash: ContentHash,
        file: &FetchedFile,
    ) -> Option<String> {
        self.by_node.insert(node, fetch);
        self.counts.lives += 1;
        let watched = self.fetches.get_mut(fetch)?;
        watched.begin(now, file);
        (hash != watched.hash).then(|| format!("fetch {} is of another content", watched.drawn.number))
    }

    /// A fetch is cut short.
    pub(in crate::world) fn on_cut(&mut self, fetch: usize) {
        self.counts.cuts += 1;
        if let Some(watched) = self.fetches.get_mut(fetch) {
            watched.is_over = true;
        }
    }

    /// Something keeps a fetch from dialling a servent.
    pub(in crate::world) fn on_kept_from(&mut self, now: Nanos, node: usize, servent: usize) {
        if let Some(watched) = self.of_node(node) {
            watched.holders.entry(cast::servent_address(servent)).or_default().kept_from = Some(now);
        }
    }

    fn of_node(&mut self, node: usize) -> Option<&mut WatchedFetch<'s>> {
        self.by_node.get(&node).and_then(|fetch| self.fetches.get_mut(*fetch))
    }

    /// Whoever fetches is told something. What is wrong about what it did about that before.
    pub(super) fn on_told(&mut self, node: usize, input: &Input) -> Option<String> {
        let watched = self.of_node(node)?;
        let liar = watched.liar.take();
        let came = watched.on_told(input);
        let number = watched.drawn.number;
        self.counts.came_bytes += came;
        liar.map(|(liar, what)| format!("fetch {number} goes on with {liar}, which gave {what}"))
    }

    /// It wants something done. What of that is wrong.
    pub(super) fn on_wants(
        &mut self,
        now: Nanos,
        node: usize,
        output: &Output,
        file: &FetchedFile,
        seen: &Evidence<'_>,
    ) -> Vec<String> {
        let wide_since = self.wide_since;
        let counts = &mut self.counts;
        let Some(watched) = self.by_node.get(&node).and_then(|fetch| self.fetches.get_mut(*fetch)) else {
            return Vec::new();
        };
        let mut wrong = Vec::new();
        if watched.is_over {
            wrong.push("wants something and is over".to_owned());
        }
        match output {
            Output::Write { block, at, bytes } => {
                watched.written_at = now;
                wrong.extend(watched.on_write(*block, *at, bytes));
            }
            Output::Send { link, message } => wrong.extend(watched.on_says(*link, *message)),
            Output::Dial { dial, address } => {
                watched.dials.insert(*dial, *address);
                if watched.holders.get(address).is_some_and(|holder| holder.is_false) {
                    wrong.push(format!("dials {address}, which lied"));
                }
            }
            Output::Close { link } => drop(watched.asked.remove(link)),
            Output::KeepHashes(hashes) => {
                let is_true =
                    hashes.blocks().size() == watched.content.bytes.size && watched.are_hashes(hashes.as_slice());
                wrong.extend((!is_true).then(|| "keeps hashes that are not those of the content".to_owned()));
            }
            Output::AskAgain => {
                let pause = now.saturating_sub(watched.asked_at);
                if pause < nanos(ASK_AGAIN_PAUSE) {
                    wrong.push(format!("asks again who has it after {pause} ns"));
                }
                watched.asked_at = now;
            }
            Output::Check { .. } => {}
            Output::Tell(FetchReport::KeptIsFalse) => {
                wrong.extend(watched.has_kept.then(|| "says that kept hashes are false, and they are not".to_owned()));
            }
            Output::Tell(FetchReport::Proved(blocks)) => {
                watched.is_proved = true;
                let size = blocks.size();
                wrong.extend(
                    (size != watched.content.bytes.size).then(|| format!("says that {size} bytes are certain")),
                );
            }
            Output::Tell(FetchReport::Holder { address, news }) => {
                wrong.extend(watched.on_news(now, *address, news));
                if let HolderNews::Dropped(why) = news
                    && why.is_false()
                {
                    counts.false_holders += 1;
                }
            }
            Output::Tell(FetchReport::Ended(ended)) => {
                watched.is_over = true;
                counts.wasted_bytes += ended.wasted_bytes;
                wrong.extend(watched.on_ended(now, ended, file, wide_since, seen));
            }
        }
        wrong.into_iter().map(|what| format!("fetch {} {what}", watched.drawn.number)).collect()
    }

    /// Its client has its contact list its files.
    pub(in crate::world) fn on_lists(&mut self, now: Nanos, fetch: usize) {
        if let Some(watched) = self.fetches.get_mut(fetch) {
            watched.listing_since = Some(now);
            watched.listed.clear();
        }
    }

    /// It is told of some.
    pub(in crate::world) fn on_files<'n>(&mut self, fetch: usize, names: impl Iterator<Item = &'n [u8]>) {
        if let Some(watched) = self.fetches.get_mut(fetch) {
            watched.listed.extend(names.map(<[u8]>::to_vec));
        }
    }

    /// It has been told of all. What is wrong about that.
    pub(super) fn on_listed(&mut self, fetch: usize, seen: &Evidence<'_>) -> Option<String> {
        let watched = self.fetches.get_mut(fetch)?;
        let since = watched.listing_since.take()?;
        let names = seen.shared.names_since(watched.drawn.contact as usize, since)?;
        let is_whole = names.iter().eq(watched.listed.iter());
        (!is_whole).then(|| {
            format!(
                "fetch {} lists {} files of s{}, which has {}",
                watched.drawn.number,
                watched.listed.len(),
                watched.drawn.contact,
                names.len()
            )
        })
    }

    // ---- what is known of it ----

    /// A fetch goes on and on. What is wrong about that: nothing where all that it is told comes a few bytes at a time.
    pub(super) fn on_endless(&self, now: Nanos, fetch: usize, seen: &Evidence<'_>) -> Option<String> {
        let watched = self.fetches.get(fetch)?;
        let trickles = |holder: &DrawnHolder| holder.lie == Some(HolderLie::Trickles);
        let others =
            watched.holder_within_reach(watched.begun.max(now.saturating_sub(PATIENCE)), self.wide_since, seen);
        let may_go_on = watched.content.holders.iter().any(trickles) && others.is_none();
        (!may_go_on).then(|| format!("fetch {} does not end", watched.drawn.number))
    }

    /// What all came to; how each ended is told.
    pub(in crate::world) fn outcome<'e>(
        &self,
        ends: impl Iterator<Item = Option<&'e FetchEnd>>,
    ) -> Option<ContentsOutcome> {
        let mut outcome = self.counts;
        for end in ends {
            match end {
                Some(FetchEnd::Done) => outcome.whole += 1,
                Some(FetchEnd::Missing) => outcome.missing += 1,
                Some(FetchEnd::Unwritten(_)) => outcome.unwritten += 1,
                None => outcome.unended += 1,
            }
        }
        (!self.fetches.is_empty()).then_some(outcome)
    }
}

impl WatchedFetch<'_> {
    fn begin(&mut self, now: Nanos, file: &FetchedFile) {
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
    fn are_hashes(&self, hashes: &[[u8; 32]]) -> bool {
        let bytes = self.content.bytes;
        let hash_of = |block: u32| {
            let (at, length) = place(bytes, block);
            common::content::block_hashes::block_hash(Blocks::of(bytes.size).ok()?, block, &bytes.read(at, length))
        };
        hashes.len() == blocks_count(bytes) as usize
            && (0..).zip(hashes).all(|(block, hash)| hash_of(block).as_ref() == Some(hash))
    }

    /// How many bytes of blocks have come.
    fn on_told(&mut self, input: &Input) -> u64 {
        match input {
            Input::Dialled { dial, link } => {
                let address = self.dials.get(dial).copied();
                self.asked.insert(*link, AskedThere { address, ..AskedThere::default() });
            }
            Input::Received { link, said } => {
                let Some(there) = self.asked.get_mut(link) else { return 0 };
                self.giver = there.address;
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

    fn on_write(&mut self, block: u32, at: u64, bytes: &[u8]) -> Vec<String> {
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

    fn on_says(&mut self, link: LinkId, message: ToHolder) -> Vec<String> {
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

    fn on_news(&mut self, now: Nanos, address: SocketAddr, news: &HolderNews) -> Option<String> {
        let servent = cast::servent_at(address);
        let lie = self.content.holders.iter().find(|holder| Some(holder.servent as usize) == servent);
        let lie = lie.and_then(|holder| holder.lie);
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
                let may_be_false = lie.is_some_and(HolderLie::can_be_seen);
                let is_wronged = why.is_false() && !may_be_false;
                is_wronged.then(|| format!("drops {address}, which did not lie: {why}"))
            }
        }
    }

    fn on_ended(
        &self,
        now: Nanos,
        ended: &FetchEnded,
        file: &FetchedFile,
        wide_since: Option<Nanos>,
        seen: &Evidence<'_>,
    ) -> Vec<String> {
        let bytes = self.content.bytes;
        let mut wrong = self.wrong_sources(ended, file);
        match &ended.end {
            FetchEnd::Done => {
                let whole = bytes.read(0, usize::try_from(bytes.size).unwrap_or_default());
                // What was there may have been cut to its size just now.
                let found = file.bytes().get(..whole.len());
                if found != Some(&*whole) {
                    wrong.push(format!("is done, and its file is not the content ({} bytes)", file.bytes().len()));
                }
                if !self.is_proved {
                    wrong.push("is done, and does not know how large it is".to_owned());
                }
            }
            FetchEnd::Missing => {
                let waited = now.saturating_sub(self.written_at);
                if waited < nanos(self.drawn.wait) {
                    wrong.push(format!("says that nobody has the rest, and has waited for {waited} ns"));
                }
                if let Some(holder) = self.holder_passed_over(now, wide_since, seen) {
                    wrong.push(format!(
                        "says that nobody has the rest after {} s, and s{holder} had all of it",
                        self.drawn.wait.as_secs()
                    ));
                }
            }
            FetchEnd::Unwritten(_) => {
                if !self.has_failed {
                    wrong.push("says that its file cannot be written".to_owned());
                }
            }
        }
        wrong
    }

    /// Whether each block is said to be from where it is.
    fn wrong_sources(&self, ended: &FetchEnded, file: &FetchedFile) -> Vec<String> {
        let bytes = self.content.bytes;
        let mut wrong = Vec::new();
        let mut next = 0;
        for run in &ended.sources {
            if run.first != next || run.count == 0 {
                wrong.push(format!("tells of blocks from {} on behind {next}", run.first));
            }
            next = run.first + run.count;
            for block in run.first..run.first + run.count {
                let giver = self.written.get(&block).filter(|_| !self.writing.contains(&block)).copied();
                let (at, length) = place(bytes, block);
                let is_true =
                    || length > 0 && file.block(at, length) == Some(&bytes.read(at, length)) || bytes.size == 0;
                let is_so = match run.source {
                    BlockSource::Holder(address) => giver == Some(address) && is_true(),
                    BlockSource::Disk => giver.is_none() && is_true(),
                    // What is there is found out once it is certain what should be.
                    BlockSource::Nobody => {
                        let is_known = self.is_proved && ended.end == FetchEnd::Missing;
                        giver.is_none() && !(is_known && self.here.contains(&block))
                    }
                };
                if !is_so {
                    wrong.push(format!("says that block {block} is of {:?}, and {giver:?} gave it", run.source));
                }
                if run.source == BlockSource::Nobody && ended.end == FetchEnd::Done {
                    wrong.push(format!("is done without block {block}"));
                }
            }
        }
        let is_told = self.is_proved || !self.written.is_empty();
        let is_whole = next == blocks_count(bytes);
        if self.is_proved && !is_whole || is_told && ended.sources.is_empty() {
            wrong.push(format!("tells of {next} blocks of {}", blocks_count(bytes)));
        }
        wrong
    }

    /// Somebody who does not lie, told of the content and could be reached for as long as was waited.
    fn holder_passed_over(&self, now: Nanos, wide_since: Option<Nanos>, seen: &Evidence<'_>) -> Option<usize> {
        let since = now.checked_sub(nanos(self.drawn.wait)).filter(|since| *since >= self.begun)?;
        self.holder_within_reach(since, wide_since, seen)
    }

    /// Somebody who does not lie, told of the content and could be reached from then on until now.
    fn holder_within_reach(&self, since: Nanos, wide_since: Option<Nanos>, seen: &Evidence<'_>) -> Option<usize> {
        let is_wide = !seen.is_narrow || wide_since.is_some_and(|wide| wide < since);
        let contact = self.drawn.contact as usize;
        let clients_are_well = !self.drawn.hears_answers || seen.links.clients_are_untroubled_since(since);
        let contact_is_well = seen.links.is_servent_untroubled_since(contact, since);
        if !is_wide || !clients_are_well || !contact_is_well {
            return None;
        }
        let scene = seen.scene;
        let asking = Asking { number: u32::MAX, at: self.drawn.at, contact: self.drawn.contact, topology: false };
        let demand = Demand::new(scene, asking, Dialect::OWN);
        let untouched = seen.links.untouched(since, true);
        let is_own = |(a, b): &(u32, u32)| dialects::of_link(&scene.plan, *a as usize, *b as usize) == Dialect::OWN;
        let native = Graph::from_links(untouched.servents(), &untouched.links().filter(is_own).collect::<Vec<_>>());
        let reached = oracle::Demanded::new(&native, contact, demand.certain_ttl());
        let is_fit = |servent: &usize| {
            let address = cast::servent_address(*servent);
            let was_in_the_way = self.holders.get(&address).is_some_and(|holder| {
                holder.drops >= HOLDER_FAILURES_MAX
                    || holder.busy.is_some_and(|at| at >= since)
                    || holder.kept_from.is_some_and(|at| at >= since)
            });
            reached.reaches(*servent)
                && seen.links.is_servent_untroubled_since(*servent, since)
                && seen.shared.has_told_since(*servent, self.hash, since)
                && !was_in_the_way
        };
        let honest = self.content.holders.iter().filter(|holder| holder.lie.is_none());
        honest.map(|holder| holder.servent as usize).find(is_fit)
    }
}

/// Where a block is, and how long; of no bytes where it is not.
fn place(bytes: ContentBytes, block: u32) -> (u64, usize) {
    let at = u64::from(block) * BLOCK;
    (at, usize::try_from(bytes.size.saturating_sub(at).min(BLOCK)).unwrap_or_default())
}

fn blocks_count(bytes: ContentBytes) -> u32 {
    u32::try_from(bytes.size.div_ceil(BLOCK)).unwrap_or_default().max(1)
}
