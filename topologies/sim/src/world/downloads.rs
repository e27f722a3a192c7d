//! What clients have that fetch contents: the file each writes to, what was kept beside it, and how far it is.
//!
//! A file is what its disk holds: whoever is killed leaves it, and where the power is cut some of what was written last is
//! damaged. Whom to ask and what to believe is decided by the mind; who comes, asks and goes is performed by `fetchers`.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::ops::Range;

use common::content::block_hashes::block_hash;
use common::content::transfer::Have;
use common::content::{Blocks, ContentHash};
use common::fetch::{self, FetchEnd, FetchReport, KeptHashes, Wanted};

use super::clock::{MILLISECOND, Nanos};
use super::face::FetchWish;
use crate::contents::{DrawnCut, DrawnFetch};
use crate::plan::DiskKind;
use crate::random::Random;
use crate::scene::Scene;

/// How long a write and a look at a block take at most, where that is anything.
const MILD_WAIT: Nanos = 5 * MILLISECOND;
const WILD_WAIT: Nanos = 300 * MILLISECOND;
/// Blocks of a file that are looked at before the mind is told of them.
const CHECKED_AT_ONCE: u32 = 16;
/// Of a hundred writes and looks, how many take their time on a wild disk.
const SLOW_PERCENT: u64 = 30;
/// So much of a block that is half written is a multiple of this.
const PAGE: usize = 4_096;

// What the stream of a fetch is for.
const DOWNLOADS: u64 = 0x776f_726c_640b_0000;

/// How far a fetch is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum DownloadStage {
    /// Nobody fetches: not yet, or between two times.
    Away,
    /// Its client asks who has it.
    Asking,
    /// It fetches.
    Fetching,
    /// It has ended like this.
    Over(FetchEnd),
}

/// What comes of what a mind wants.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum DownloadNews {
    /// It is to be asked who has it.
    AskAgain,
    /// So much is written that it is cut short.
    Cut,
    /// It is over.
    Over,
}

/// A file that is fetched, as its disk has it.
#[derive(Debug, Default)]
pub(super) struct FetchedFile {
    bytes: Vec<u8>,
    /// Where anything was written, in order and apart.
    written: Vec<Range<u64>>,
    /// What was written since it was opened, and may be lost with the power.
    fresh: Vec<Range<u64>>,
    pub(super) kept: Option<KeptHashes>,
}

impl FetchedFile {
    pub(super) fn write(&mut self, at: u64, bytes: &[u8]) {
        let end = at + bytes.len() as u64;
        let length = usize::try_from(end).unwrap_or_default();
        self.bytes.resize(self.bytes.len().max(length), 0);
        if let Some(place) = usize::try_from(at).ok().and_then(|at| self.bytes.get_mut(at..length)) {
            place.copy_from_slice(bytes);
        }
        self.fresh.push(at..end);
        self.mark(at..end);
    }

    /// From now on there is something in this place.
    fn mark(&mut self, place: Range<u64>) {
        self.written.push(place);
        self.tidy();
    }

    /// From now on there is nothing in this place.
    fn clear(&mut self, place: &Range<u64>) {
        let cut = |run: &Range<u64>| [run.start..run.end.min(place.start), run.start.max(place.end)..run.end];
        self.written = self.written.iter().flat_map(cut).filter(|run| run.start < run.end).collect();
        self.tidy();
        if let Some(bytes) = index(place).and_then(|place| self.bytes.get_mut(place)) {
            bytes.fill(0);
        }
    }

    fn tidy(&mut self) {
        self.written.sort_by_key(|run| run.start);
        let mut tidied: Vec<Range<u64>> = Vec::new();
        for run in self.written.drain(..).filter(|run| run.start < run.end) {
            match tidied.last_mut() {
                Some(last) if last.end >= run.start => last.end = last.end.max(run.end),
                _ => tidied.push(run),
            }
        }
        self.written = tidied;
    }

    /// It has so many bytes: what is behind them is gone, and what is missing is nothing.
    fn set_size(&mut self, size: u64) {
        self.bytes.resize(usize::try_from(size).unwrap_or_default(), 0);
        self.written.iter_mut().for_each(|run| run.end = run.end.min(size));
        self.tidy();
    }

    pub(super) fn bytes(&self) -> &[u8] {
        &self.bytes
    }

    /// Where anything is, as a file system tells it.
    pub(super) fn written(&self) -> Vec<Range<u64>> {
        self.written.clone()
    }

    /// What is in a place, if all of it was written once.
    pub(super) fn block(&self, at: u64, length: usize) -> Option<&[u8]> {
        let place = at..at + length as u64;
        let is_there = self.written.iter().any(|run| run.start <= place.start && place.end <= run.end);
        self.bytes.get(index(&place)?).filter(|_| is_there)
    }

    /// The power is cut: of what was written last some is as it was to be, and some is not.
    fn on_power_cut(&mut self, random: &mut Random) {
        for place in std::mem::take(&mut self.fresh) {
            let length = usize::try_from(place.end - place.start).unwrap_or_default();
            match random.below(10) {
                0 | 1 => self.clear(&place),
                2 => {
                    let kept = random.index(length / PAGE + 1) * PAGE;
                    self.clear(&(place.start + kept as u64..place.end));
                }
                3 => {
                    let at = random.index(length);
                    let spoilt = index(&place).and_then(|place| self.bytes.get_mut(place));
                    spoilt.into_iter().flatten().skip(at).for_each(|byte| *byte = byte.wrapping_add(1));
                }
                _ => {}
            }
        }
        match random.below(4) {
            0 => self.kept = None,
            1 => {
                let hash = self.kept.as_mut().and_then(|kept| kept.hashes.first_mut());
                if let Some([first, ..]) = hash {
                    *first = first.wrapping_add(1);
                }
            }
            _ => {}
        }
    }
}

fn index(place: &Range<u64>) -> Option<Range<usize>> {
    Some(usize::try_from(place.start).ok()?..usize::try_from(place.end).ok()?)
}

/// A fetch, and whoever fetches.
pub(super) struct SimDownload {
    pub(super) drawn: DrawnFetch,
    pub(super) hash: ContentHash,
    size: u64,
    /// How many bytes there are, as its mind says for certain.
    proved: Option<u64>,
    disk: DiskKind,
    pub(super) stage: DownloadStage,
    /// How often it was begun.
    pub(super) life: u32,
    /// How often its client came to a contact.
    pub(super) turns: u64,
    /// Who asks, and whether its contact has said hello.
    pub(super) asker: Option<usize>,
    pub(super) is_ready: bool,
    /// Whether it is to ask as soon as it can.
    pub(super) wants_to_ask: bool,
    /// Whether it has looked for words, and listed.
    pub(super) has_looked: bool,
    /// Who fetches.
    pub(super) node: Option<usize>,
    /// Who was told to have it, and is not known to the mind.
    pub(super) found: Vec<(SocketAddr, Have)>,
    /// The query that asks for it.
    pub(super) sequence: Option<u64>,
    pub(super) file: FetchedFile,
    /// Blocks that were written by whoever fetches now.
    written_bytes: u64,
    cuts: Vec<DrawnCut>,
    random: Random,
}

impl SimDownload {
    /// What cuts the life short that there is now.
    pub(super) fn cut(&self) -> Option<DrawnCut> {
        self.cuts.first().copied()
    }

    /// It is cut short.
    pub(super) fn on_cut(&mut self) -> Option<DrawnCut> {
        let cut = (!self.cuts.is_empty()).then(|| self.cuts.remove(0))?;
        if cut.is_power_cut {
            self.file.on_power_cut(&mut self.random);
        }
        Some(cut)
    }

    /// It begins, or goes on.
    pub(super) fn on_begin(&mut self) {
        self.stage = DownloadStage::Asking;
        self.life += 1;
        (self.is_ready, self.wants_to_ask, self.has_looked) = (false, true, false);
        self.found.clear();
        (self.proved, self.written_bytes) = (None, 0);
    }

    /// What is to be fetched, and what is here of it.
    pub(super) fn wanted(&mut self) -> Wanted {
        self.file.fresh.clear();
        Wanted { kept: self.file.kept.clone(), on_disk: self.file.written(), ..Wanted::new(self.hash, self.drawn.wait) }
    }

    fn disk_wait(&mut self) -> Nanos {
        match self.disk {
            DiskKind::Mild => self.random.below(MILD_WAIT),
            DiskKind::Wild if self.random.chance(SLOW_PERCENT) => self.random.below(WILD_WAIT),
            DiskKind::Quick | DiskKind::Wild => 0,
        }
    }

    /// Its mind wants this.
    pub(super) fn on_wants(&mut self, output: fetch::Output) -> FetchWish<DownloadNews> {
        let mut wish = FetchWish::default();
        match output {
            fetch::Output::Write { block, at, bytes } => {
                let is_full = self.drawn.full_at.is_some_and(|full| self.written_bytes + bytes.len() as u64 > full);
                let wait = self.disk_wait();
                if is_full {
                    let reason = "no space left on the disk".to_owned();
                    wish.told.push((wait, fetch::Input::WriteFailed { reason }));
                    return wish;
                }
                self.file.write(at, &bytes);
                self.written_bytes += bytes.len() as u64;
                wish.told.push((wait, fetch::Input::Written { block }));
                let percent = self.written_bytes.saturating_mul(100) / self.size.max(1);
                wish.event = self.cut().filter(|cut| percent >= cut.percent).map(|_| DownloadNews::Cut);
            }
            fetch::Output::Check { blocks, first, count } => {
                let mut wait = 0;
                let mut from = first;
                while from < first + count {
                    let part = CHECKED_AT_ONCE.min(first + count - from);
                    wait += self.disk_wait();
                    let hashes = (from..from + part).map(|block| self.hash_of_block(blocks, block)).collect();
                    wish.told.push((wait, fetch::Input::Checked { blocks, first: from, hashes }));
                    from += part;
                }
            }
            fetch::Output::KeepHashes(hashes) => {
                self.file.set_size(hashes.blocks().size());
                let kept = KeptHashes { size: hashes.blocks().size(), hashes: hashes.as_slice().to_vec() };
                self.file.kept = Some(kept);
            }
            fetch::Output::AskAgain => wish.event = Some(DownloadNews::AskAgain),
            fetch::Output::Tell(FetchReport::Ended(ended)) => {
                if ended.end == FetchEnd::Done {
                    self.file.set_size(self.proved.unwrap_or_default());
                }
                self.stage = DownloadStage::Over(ended.end);
                wish.event = Some(DownloadNews::Over);
            }
            fetch::Output::Tell(FetchReport::Proved(blocks)) => self.proved = Some(blocks.size()),
            fetch::Output::Tell(_)
            | fetch::Output::Dial { .. }
            | fetch::Output::Send { .. }
            | fetch::Output::Close { .. } => {}
        }
        wish
    }

    fn hash_of_block(&self, blocks: Blocks, block: u32) -> Option<[u8; 32]> {
        let (at, length) = blocks.place(block)?;
        let place = index(&(at..at + length as u64))?;
        block_hash(blocks, block, self.file.bytes.get(place)?)
    }
}

/// All of them.
pub(super) struct Downloads {
    pub(super) all: Vec<SimDownload>,
    /// Which of them somebody asks or fetches for.
    by_node: BTreeMap<usize, usize>,
    fetching: BTreeSet<usize>,
}

impl Downloads {
    /// Those of a scene; what a content is called is told.
    pub(super) fn new(scene: &Scene, hash_of: impl Fn(u32) -> Option<(ContentHash, u64)>) -> Downloads {
        let download = |drawn: &DrawnFetch| {
            let (hash, size) = hash_of(drawn.content)?;
            Some(SimDownload {
                drawn: drawn.clone(),
                hash,
                size,
                proved: None,
                disk: scene.plan.disk,
                stage: DownloadStage::Away,
                life: 0,
                turns: 0,
                asker: None,
                is_ready: false,
                wants_to_ask: false,
                has_looked: false,
                node: None,
                found: Vec::new(),
                sequence: None,
                file: FetchedFile::default(),
                written_bytes: 0,
                cuts: drawn.cuts.clone(),
                random: Random::of(scene.plan.seed ^ DOWNLOADS, drawn.number.into()),
            })
        };
        let all = scene.fetches.iter().filter_map(download).collect();
        Downloads { all, by_node: BTreeMap::new(), fetching: BTreeSet::new() }
    }

    /// Somebody asks for it.
    pub(super) fn on_asker(&mut self, node: usize, fetch: usize) {
        self.by_node.insert(node, fetch);
    }

    /// Somebody fetches it.
    pub(super) fn on_fetcher(&mut self, node: usize, fetch: usize) {
        self.by_node.insert(node, fetch);
        self.fetching.insert(node);
    }

    /// Of whom it is that somebody asks for it: nothing of those who fetch, or who do neither.
    pub(super) fn asked_by(&self, node: usize) -> Option<usize> {
        self.by_node.get(&node).copied().filter(|_| !self.fetching.contains(&node))
    }

    /// The same of those who fetch.
    pub(super) fn fetched_by(&self, node: usize) -> Option<usize> {
        self.by_node.get(&node).copied().filter(|_| self.fetching.contains(&node))
    }

    /// Whether each has ended.
    pub(super) fn all_over(&self) -> bool {
        self.all.iter().all(|download| matches!(download.stage, DownloadStage::Over(_)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::contents::HolderLie;
    use crate::contents::tests::shared;

    const HASH: ContentHash = ContentHash([7; 32]);

    fn download(change: impl FnOnce(&mut Scene)) -> SimDownload {
        let mut scene = shared(HolderLie::Silent);
        change(&mut scene);
        let mut download = Downloads::new(&scene, |_| Some((HASH, 2 * 65_536 + 9))).all.remove(0);
        download.on_begin();
        download
    }

    fn write(block: u32, byte: u8) -> fetch::Output {
        fetch::Output::Write { block, at: u64::from(block) * 65_536, bytes: vec![byte; 65_536] }
    }

    #[test]
    fn what_is_written_is_there_when_it_goes_on_and_where_nothing_is_there_is_nothing() {
        let mut file = FetchedFile::default();
        file.write(131_072, &[3; 9]);
        file.write(0, &[1; 65_536]);
        assert_eq!(file.written(), [0..65_536, 131_072..131_081]);
        assert_eq!((file.block(0, 65_536).map(<[u8]>::len), file.block(65_536, 65_536)), (Some(65_536), None));
        assert_eq!(file.block(131_072, 10), None);
        file.write(65_536, &[2; 65_536]);
        assert_eq!((file.written(), file.bytes().len()), (std::iter::once(0..131_081).collect(), 131_081));
        file.clear(&(60_000..70_000));
        assert_eq!(file.written(), [0..60_000, 70_000..131_081]);
        assert!(file.bytes()[60_000..70_000].iter().all(|byte| *byte == 0));
        file.set_size(65_536);
        assert_eq!((file.written(), file.bytes().len()), (std::iter::once(0..60_000).collect(), 65_536));
    }

    #[test]
    fn a_power_cut_damages_some_of_what_was_written_last_and_nothing_else() {
        let (mut kept, mut torn, mut gone, mut spoilt) = (0, 0, 0, 0);
        for seed in 0..200 {
            let mut file = FetchedFile::default();
            file.write(0, &[1; 65_536]);
            file.fresh.clear();
            file.write(65_536, &[2; 65_536]);
            file.on_power_cut(&mut Random::new(seed));
            assert_eq!(file.block(0, 65_536), Some(&[1; 65_536][..]), "that was there before");
            match (file.block(65_536, 65_536), file.written().last().map(|run| run.end)) {
                (Some(block), _) if block == [2; 65_536] => kept += 1,
                (Some(_), _) => spoilt += 1,
                (None, Some(65_536)) => gone += 1,
                (None, _) => torn += 1,
            }
        }
        assert!(kept > 80 && torn > 5 && gone > 20 && spoilt > 5, "{kept} {torn} {gone} {spoilt}");
    }

    #[test]
    fn a_disk_that_is_full_is_told_and_a_fetch_is_cut_once_so_much_is_written() {
        let mut full = download(|scene| scene.fetches[0].full_at = Some(70_000));
        assert!(matches!(full.on_wants(write(0, 1)).told.as_slice(), [(_, fetch::Input::Written { block: 0 })]));
        assert!(matches!(full.on_wants(write(1, 1)).told.as_slice(), [(_, fetch::Input::WriteFailed { .. })]));
        assert_eq!(full.file.written(), std::iter::once(0..65_536).collect::<Vec<_>>());
        let cut = DrawnCut {
            percent: 80,
            after: std::time::Duration::MAX,
            is_power_cut: false,
            pause: std::time::Duration::ZERO,
        };
        let mut cut_short = download(|scene| scene.fetches[0].cuts = vec![cut]);
        assert_eq!(cut_short.on_wants(write(0, 1)).event, None);
        assert_eq!(cut_short.on_wants(write(1, 1)).event, Some(DownloadNews::Cut));
        assert_eq!((cut_short.on_cut(), cut_short.on_cut()), (Some(cut), None));
        assert_eq!(cut_short.wanted().on_disk, std::iter::once(0..131_072).collect::<Vec<_>>());
    }

    #[test]
    fn what_is_to_be_checked_is_hashed_as_it_lies_there() {
        let mut download = download(|_| {});
        download.on_wants(write(0, 1));
        let blocks = Blocks::of(2 * 65_536 + 9).unwrap();
        let wish = download.on_wants(fetch::Output::Check { blocks, first: 0, count: 2 });
        let [(_, fetch::Input::Checked { first: 0, hashes, .. })] = wish.told.as_slice() else { panic!("{wish:?}") };
        assert_eq!(hashes, &[block_hash(blocks, 0, &[1; 65_536]), None], "behind its end nothing can be read");
    }
}
