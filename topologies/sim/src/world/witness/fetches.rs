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

mod asked;
mod ends;
mod life;
mod reach;
#[cfg(test)]
mod tests;

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use common::content::ContentHash;
use common::fetch::{FetchEnd, FetchReport, HolderDial, HolderNews, Input, Output};
use common::limits::{ASK_AGAIN_PAUSE, BLOCK_BYTES_MIN};
use common::link::LinkId;

use super::{Evidence, Nanos, SECOND, nanos};
use crate::cast;
use crate::contents::{ContentBytes, DrawnContent, DrawnFetch, DrawnHolder, FileFate, HolderLie};
use crate::outcome::ContentsOutcome;
use crate::scene::Scene;
use crate::world::downloads::FetchedFile;
use asked::AskedThere;

const BLOCK: u64 = BLOCK_BYTES_MIN as u64;

/// For how long somebody is to be within reach for a fetch that goes on to be in vain.
const PATIENCE: Nanos = 60 * SECOND;

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
    /// Servents with a file of that content about which they lie in a way that can be seen.
    visible_liars: BTreeSet<usize>,
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
                visible_liars: visible_liars(scene, content),
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

/// Who may be seen to lie about a content: those who share it, and whoever's file is emptied where the content has no bytes.
fn visible_liars(scene: &Scene, content: &DrawnContent) -> BTreeSet<usize> {
    let is_emptied = |holder: &DrawnHolder| matches!(holder.fate, FileFate::Replaced { size: 0, .. });
    let holders = scene.contents.iter().flat_map(|other| {
        let is_it = other.number == content.number;
        other.holders.iter().filter(move |holder| is_it || content.bytes.size == 0 && is_emptied(holder))
    });
    let liars = holders.filter(|holder| holder.lie.is_some_and(HolderLie::can_be_seen));
    liars.map(|holder| holder.servent as usize).collect()
}

/// Where a block is, and how long; of no bytes where it is not.
fn place(bytes: ContentBytes, block: u32) -> (u64, usize) {
    let at = u64::from(block) * BLOCK;
    (at, usize::try_from(bytes.size.saturating_sub(at).min(BLOCK)).unwrap_or_default())
}

fn blocks_count(bytes: ContentBytes) -> u32 {
    u32::try_from(bytes.size.div_ceil(BLOCK)).unwrap_or_default().max(1)
}
