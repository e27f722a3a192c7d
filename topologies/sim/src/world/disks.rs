//! The disks of servents that share: which files are on them, how long it takes to read, and what comes of that.
//!
//! Files are drawn bytes that nobody keeps. Whoever lies has the same disk, and what it reads from it is false: what else it
//! says is in `false_holders`. What a servent makes of what it has read is its mind's.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use blake3::hazmat::{Mode, merge_subtrees_non_root};
use common::content::block_hashes::ContentHasher;
use common::content::catalogue::{Catalogue, SharedFile};
use common::content::transfer::BlockBytes;
use common::content::{Blocks, ContentHash, FileStamp};
use common::disk::{BlocksToRead, HashesToRead, Job, JobDone, LookedThrough, ReadFailure, SharedContent};
use common::limits::{BLOCK_BYTES_MIN, CONTENT_BYTES_MAX};
use common::link::LinkId;
use common::store::Store;

use super::clock::{MILLISECOND, Nanos, SECOND};
use crate::contents::{self, ContentBytes, FileFate, HolderLie};
use crate::plan::DiskKind;
use crate::random::Random;
use crate::scene::Scene;

/// How long a disk takes: mostly, and how long at most where it is slow, so often in a hundred times.
struct DiskPace {
    read: Nanos,
    slow_read: Nanos,
    slow_percent: u64,
    look: Nanos,
    /// In how many goes a directory is looked through at most.
    goes: u64,
    /// Of a hundred times, how often something cannot be read, and how often nobody can be had to read it.
    fails_percent: u64,
    refuses_percent: u64,
}

const QUICK: DiskPace =
    DiskPace { read: 0, slow_read: 0, slow_percent: 0, look: 0, goes: 1, fails_percent: 0, refuses_percent: 0 };
const MILD: DiskPace = DiskPace {
    read: 2 * MILLISECOND,
    slow_read: 40 * MILLISECOND,
    slow_percent: 5,
    look: SECOND / 2,
    goes: 2,
    fails_percent: 1,
    refuses_percent: 0,
};
const WILD: DiskPace = DiskPace {
    read: 5 * MILLISECOND,
    slow_read: 900 * MILLISECOND,
    slow_percent: 20,
    look: 4 * SECOND,
    goes: 3,
    fails_percent: 2,
    refuses_percent: 3,
};

// What the stream of a disk is for.
const DISKS: u64 = 0x776f_726c_640a_0000;

/// The bytes of blocks that a disk says a file has, with their numbers.
type ReadBlocks = Vec<(u32, BlockBytes)>;

/// Bytes, and what they are proved by.
#[derive(Debug)]
pub(super) struct HashedBytes {
    pub(super) bytes: ContentBytes,
    pub(super) hash: ContentHash,
    pub(super) hashes: Vec<[u8; 32]>,
}

/// A file that a servent tells of, as its disk showed it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ToldFile {
    pub(super) name: Vec<u8>,
    pub(super) description: Vec<u8>,
    pub(super) size: u64,
    pub(super) hash: ContentHash,
}

/// A file on a disk.
#[derive(Debug)]
struct DiskFile {
    name: Vec<u8>,
    bytes: ContentBytes,
    fate: FileFate,
    lie: Option<(HolderLie, Random)>,
    /// Blocks of it that were read to be given.
    given_count: u64,
}

#[derive(Debug)]
struct DrawnDisk {
    random: Random,
    files: Vec<DiskFile>,
    store: Arc<Store>,
    /// How many goes are left of the looking through under way.
    goes_left: u64,
    told: Option<Vec<SharedFile>>,
}

/// What came of a job, for those who judge.
#[derive(Debug)]
pub(super) enum DiskNews {
    /// From now on these are told of.
    Tells(Vec<ToldFile>),
    /// All that was told of is told of again.
    TellsAgain,
    /// This one, which was read for a fetch, may be told of no more.
    Withdraws {
        name: Vec<u8>,
        fetch: (LinkId, u32),
    },
    Nothing,
}

/// All disks of a run.
pub(super) struct Disks {
    pace: &'static DiskPace,
    disks: BTreeMap<usize, DrawnDisk>,
    /// What was hashed, each by its place.
    hashed: Vec<HashedBytes>,
}

impl Disks {
    pub(super) fn new(scene: &Scene) -> Disks {
        let pace = match scene.plan.disk {
            DiskKind::Quick => &QUICK,
            DiskKind::Mild => &MILD,
            DiskKind::Wild => &WILD,
        };
        let mut disks = Disks { pace, disks: BTreeMap::new(), hashed: Vec::new() };
        for content in &scene.contents {
            disks.hash_of(content.bytes);
            for holder in &content.holders {
                let lie =
                    holder.lie.map(|lie| (lie, contents::details(scene.plan.seed, content.number, holder.servent)));
                let file = DiskFile {
                    name: holder.name.clone(),
                    bytes: content.bytes,
                    fate: holder.fate,
                    lie,
                    given_count: 0,
                };
                disks.disk_of(scene.plan.seed, holder.servent).files.push(file);
            }
        }
        disks
    }

    /// Those of a story: nobody waits for them, and everything on them can be read.
    pub(super) fn told() -> Disks {
        Disks { pace: &QUICK, disks: BTreeMap::new(), hashed: Vec::new() }
    }

    fn disk_of(&mut self, seed: u64, servent: u32) -> &mut DrawnDisk {
        self.disks.entry(servent as usize).or_insert_with(|| DrawnDisk {
            random: Random::of(seed ^ DISKS, servent.into()),
            files: Vec::new(),
            store: Arc::default(),
            goes_left: 0,
            told: None,
        })
    }

    /// A servent has a file of so many bytes, and shares it.
    pub(super) fn put(&mut self, servent: usize, name: &str, size: u64) {
        let bytes = ContentBytes::told(size);
        let file = DiskFile { name: name.into(), bytes, fate: FileFate::Stays, lie: None, given_count: 0 };
        self.hash_of(bytes);
        self.disk_of(0, u32::try_from(servent).unwrap_or(u32::MAX)).files.push(file);
    }

    /// Whether a servent shares anything.
    pub(super) fn are_of(&self, servent: usize) -> bool {
        self.disks.contains_key(&servent)
    }

    /// This becomes of a file, if there is one of that name.
    pub(super) fn befall(&mut self, servent: usize, name: &str, fate: FileFate) -> bool {
        let disk = self.disks.get_mut(&servent);
        let file = disk.and_then(|disk| disk.files.iter_mut().find(|file| file.name == name.as_bytes()));
        file.map(|file| file.fate = fate).is_some()
    }

    /// What the first file of that name was put there with.
    pub(super) fn named(&self, name: &str) -> Option<ContentHash> {
        let mut files = self.disks.values().flat_map(|disk| &disk.files);
        let file = files.find(|file| file.name == name.as_bytes())?;
        self.of(file.bytes).map(|hashed| hashed.hash)
    }

    /// What drawn bytes are proved by.
    pub(super) fn of(&self, bytes: ContentBytes) -> Option<&HashedBytes> {
        self.hashed.iter().find(|hashed| hashed.bytes == bytes)
    }

    /// The servent was started anew, with nothing to remember.
    pub(super) fn on_born(&mut self, servent: usize) {
        if let Some(disk) = self.disks.get_mut(&servent) {
            (disk.goes_left, disk.told) = (0, None);
        }
    }

    /// How long a job takes; nothing where nobody can be had to do it.
    pub(super) fn begin(&mut self, servent: usize, job: &Job) -> Option<Nanos> {
        let pace = self.pace;
        let disk = self.disks.get_mut(&servent)?;
        let random = &mut disk.random;
        match job {
            Job::LookThrough(store) => {
                disk.store = Arc::clone(store);
                if disk.goes_left == 0 {
                    disk.goes_left = random.within(1, pace.goes);
                }
                Some(random.below(pace.look + 1))
            }
            Job::ReadBlocks(_) | Job::ReadHashes(_) => {
                let (is_refused, is_slow) = (random.chance(pace.refuses_percent), random.chance(pace.slow_percent));
                let wait = random.below(if is_slow { pace.slow_read } else { pace.read } + 1);
                (!is_refused).then_some(wait)
            }
            Job::LookUp { .. } | Job::ReadData | Job::KeepMembers(_) | Job::Commit(_) | Job::Free(_) => None,
        }
    }

    /// What came of a job, where that is ever known.
    pub(super) fn end(&mut self, now: Nanos, servent: usize, job: &Job) -> (Option<JobDone>, DiskNews) {
        match job {
            Job::LookThrough(_) => self.look_through(now, servent),
            Job::ReadBlocks(job) => self.read_blocks(now, servent, job),
            Job::ReadHashes(job) => self.read_hashes(servent, job),
            Job::LookUp { .. } | Job::ReadData | Job::KeepMembers(_) | Job::Commit(_) | Job::Free(_) => {
                (None, DiskNews::Nothing)
            }
        }
    }

    fn look_through(&mut self, now: Nanos, servent: usize) -> (Option<JobDone>, DiskNews) {
        let fails_percent = self.pace.fails_percent;
        let Some(disk) = self.disks.get_mut(&servent) else { return (None, DiskNews::Nothing) };
        disk.goes_left = disk.goes_left.saturating_sub(1);
        if disk.random.chance(fails_percent) {
            disk.goes_left = 0;
            let failed = JobDone::LookedThrough(Err("the directory cannot be read".to_owned()));
            // Nothing was looked at again: what was told stays, and so does what was withdrawn.
            return (Some(failed), DiskNews::Nothing);
        }
        let is_whole = disk.goes_left == 0;
        let looked =
            |catalogue| Some(JobDone::LookedThrough(Ok(LookedThrough { catalogue, is_whole, hashed_count: 0 })));
        if !is_whole {
            return (looked(None), DiskNews::Nothing);
        }
        let found = disk.files.iter().filter_map(|file| Some((file.name.clone(), file.shown(now)?)));
        let found: Vec<(Vec<u8>, (ContentBytes, FileStamp))> = found.collect();
        let store = Arc::clone(&disk.store);
        let files = found.into_iter().map(|(name, (bytes, stamp))| {
            let place = self.hash_of(bytes);
            let hash = self.hashed[place].hash;
            SharedFile { name, hash, stamp, hashes_at: place as u64 }
        });
        let files: Vec<SharedFile> = files.collect();
        let told: Vec<ToldFile> = files.iter().map(|file| ToldFile::of(file, &store)).collect();
        let Some(disk) = self.disks.get_mut(&servent) else { return (None, DiskNews::Nothing) };
        // Where nothing has changed it may say so.
        if disk.told.as_ref() == Some(&files) && disk.random.chance(50) {
            return (looked(None), DiskNews::TellsAgain);
        }
        disk.told = Some(files.clone());
        (looked(Some(Arc::new(Catalogue::new(files, &store)))), DiskNews::Tells(told))
    }

    fn read_blocks(&mut self, now: Nanos, servent: usize, job: &BlocksToRead) -> (Option<JobDone>, DiskNews) {
        let BlocksToRead { link, fetch, content, first, count } = job;
        let done = |read| Some(JobDone::BlocksRead { link: *link, fetch: *fetch, read });
        let failed = |failure: ReadFailure| {
            (done(Err(failure)), DiskNews::Withdraws { name: content.name.clone(), fetch: (*link, *fetch) })
        };
        let fails_percent = self.pace.fails_percent;
        let Some(disk) = self.disks.get_mut(&servent) else { return failed(ReadFailure::Gone) };
        let is_unread = disk.random.chance(fails_percent);
        let Some(file) = disk.files.iter_mut().find(|file| file.name == content.name) else {
            return failed(ReadFailure::Gone);
        };
        let bytes = match file.look(now, content) {
            Ok(_) if is_unread => return failed(ReadFailure::Failed("it cannot be read".to_owned())),
            Ok(bytes) => bytes,
            Err(failure) => return failed(failure),
        };
        let mut blocks: ReadBlocks = (*first..first + count)
            .filter_map(|block| Some((block, read_block(bytes, content.blocks, block)?)))
            .collect();
        let before = file.given_count;
        file.given_count += u64::from(*count);
        let Some((lie, random)) = &mut file.lie else { return (done(Ok(blocks)), DiskNews::Nothing) };
        match lie_of_blocks(*lie, random, before, &mut blocks) {
            Some(Ok(())) => (done(Ok(blocks)), DiskNews::Nothing),
            Some(Err(failure)) => failed(failure),
            None => (None, DiskNews::Nothing),
        }
    }

    fn read_hashes(&mut self, servent: usize, job: &HashesToRead) -> (Option<JobDone>, DiskNews) {
        let HashesToRead { link, fetch, content, first, count } = job;
        let done = |read| Some(JobDone::HashesRead { link: *link, fetch: *fetch, first: *first, read });
        // That says nothing of the file.
        let failed = |failure: ReadFailure| (done(Err(failure)), DiskNews::Nothing);
        let fails_percent = self.pace.fails_percent;
        let Some(disk) = self.disks.get_mut(&servent) else { return failed(ReadFailure::Gone) };
        let is_unread = disk.random.chance(fails_percent);
        let place = usize::try_from(content.hashes_at).unwrap_or(usize::MAX);
        let Some(hashed) = self.hashed.get(place).filter(|_| !is_unread) else {
            return failed(ReadFailure::Failed("its hashes cannot be read".to_owned()));
        };
        let mut hashes = hashed.hashes.clone();
        let file = disk.files.iter_mut().find(|file| file.name == content.name);
        match file.and_then(|file| file.lie.as_mut()) {
            Some((HolderLie::FalseHashes, random)) => {
                let (place, byte) = (random.index(hashes.len()), random.index(32));
                if let Some(byte) = hashes.get_mut(place).and_then(|hash| hash.get_mut(byte)) {
                    *byte ^= 1 << random.below(8);
                }
            }
            Some((HolderLie::MergedHashes, _)) => hashes = merged(&hashes),
            _ => {}
        }
        // Of one that says it has more blocks the last hash stands for those as well.
        let last = hashes.last().copied().unwrap_or_default();
        let hash = |block: u32| hashes.get(block as usize).copied().unwrap_or(last);
        (done(Ok((*first..first + count).map(hash).collect())), DiskNews::Nothing)
    }

    /// Where it is kept what these are proved by.
    fn hash_of(&mut self, bytes: ContentBytes) -> usize {
        if let Some(place) = self.hashed.iter().position(|hashed| hashed.bytes == bytes) {
            return place;
        }
        let whole = bytes.read(0, usize::try_from(bytes.size).unwrap_or_default());
        let blocks = Blocks::of(bytes.size).ok();
        let hashed = blocks.and_then(|blocks| {
            let mut hasher = ContentHasher::new(blocks);
            hasher.update(&whole).ok()?;
            hasher.finish().ok()
        });
        let (hash, hashes) = hashed
            .map_or((ContentHash([0; 32]), Vec::new()), |hashed| (hashed.hash, hashed.hashes.as_slice().to_vec()));
        self.hashed.push(HashedBytes { bytes, hash, hashes });
        self.hashed.len() - 1
    }
}

impl ToldFile {
    fn of(file: &SharedFile, store: &Store) -> ToldFile {
        let description = store.get(&file.name).unwrap_or_default().to_vec();
        ToldFile { name: file.name.clone(), description, size: file.stamp.size, hash: file.hash }
    }
}

impl DiskFile {
    /// What is there, and what it shows of itself.
    fn shown(&self, now: Nanos) -> Option<(ContentBytes, FileStamp)> {
        let has_come = |at: Duration| Duration::from_nanos(now) >= at;
        let (bytes, version) = match self.fate {
            FileFate::Gone { at, back } if has_come(at) => {
                back.filter(|back| has_come(*back))?;
                (self.bytes, 1)
            }
            FileFate::Replaced { at, size } if has_come(at) => (self.bytes.another(size), 1),
            FileFate::Touched { at } if has_come(at) => (self.bytes, 1),
            FileFate::Stays | FileFate::Gone { .. } | FileFate::Replaced { .. } | FileFate::Touched { .. } => {
                (self.bytes, 0)
            }
        };
        let size = match &self.lie {
            Some((HolderLie::FalseSize, random)) => false_size(&mut random.clone(), bytes.size).min(CONTENT_BYTES_MAX),
            Some((HolderLie::MergedHashes, _)) => merged_size(bytes.size),
            _ => bytes.size,
        };
        Some((bytes, FileStamp { device: 1, inode: 1, size, modified: version, changed: version }))
    }

    /// The bytes, if they are those that were hashed.
    fn look(&self, now: Nanos, content: &SharedContent) -> Result<ContentBytes, ReadFailure> {
        let (bytes, stamp) = self.shown(now).ok_or(ReadFailure::Gone)?;
        if stamp == content.stamp { Ok(bytes) } else { Err(ReadFailure::Changed) }
    }
}

fn read_block(bytes: ContentBytes, blocks: Blocks, block: u32) -> Option<BlockBytes> {
    let (at, length) = blocks.place(block)?;
    Some(block_of(&bytes.read(at, length)))
}

fn block_of(bytes: &[u8]) -> BlockBytes {
    let read = BlockBytes::read_with(bytes.len(), |into| {
        into.extend_from_slice(bytes);
        Ok::<(), std::convert::Infallible>(())
    });
    match read {
        Ok(read) => read,
        Err(never) => match never {},
    }
}

/// What blocks are that somebody who lies has read, having given so many before; nothing where it never says.
fn lie_of_blocks(
    lie: HolderLie,
    random: &mut Random,
    given_before: u64,
    blocks: &mut ReadBlocks,
) -> Option<Result<(), ReadFailure>> {
    let place = random.index(blocks.len());
    let lies = random.chance(60);
    match lie {
        HolderLie::FalseBytes if lies || given_before == 0 => {
            if let Some((_, block)) = blocks.get_mut(place) {
                let mut bytes = block.as_bytes().to_vec();
                let at = random.index(bytes.len());
                match bytes.get_mut(at) {
                    Some(byte) => *byte ^= 1 << random.below(8),
                    None => bytes.push(0),
                }
                *block = block_of(&bytes);
            }
        }
        HolderLie::Short => {
            if let Some((_, block)) = blocks.get_mut(place) {
                let mut bytes = block.as_bytes().to_vec();
                match random.below(3) {
                    0 => bytes.clear(),
                    1 => drop(bytes.pop()),
                    _ => bytes.push(0),
                }
                if bytes.len() == block.as_bytes().len() {
                    bytes.push(0);
                }
                *block = block_of(&bytes);
            }
        }
        HolderLie::Twice => {
            let twice = blocks.drain(..).flat_map(|block| [block.clone(), block]).collect();
            *blocks = twice;
        }
        HolderLie::Unasked => {
            let unasked =
                blocks.get(place).map(|(block, bytes)| (block.wrapping_add(1 + random.byte() as u32), bytes.clone()));
            blocks.extend(unasked);
        }
        HolderLie::Disordered => match blocks.as_mut_slice() {
            [(block, _)] => *block = block.wrapping_add(1),
            several => several.reverse(),
        },
        HolderLie::Lacks if given_before > 0 || lies => {
            return Some(Err(if random.chance(50) { ReadFailure::Changed } else { ReadFailure::Gone }));
        }
        HolderLie::Silent if given_before > 0 || lies => return None,
        _ => {}
    }
    Some(Ok(()))
}

/// A size that is another.
pub(super) fn false_size(random: &mut Random, size: u64) -> u64 {
    let block = BLOCK_BYTES_MIN as u64;
    let other = match random.below(8) {
        0 => 0,
        1 => size + 1,
        2 => size.saturating_sub(1),
        3 => size + block,
        4 => size.saturating_sub(block),
        5 => CONTENT_BYTES_MAX + random.below(2),
        6 => size / 2,
        _ => size * 2 + random.below(block),
    };
    if other == size { size + 1 } else { other }
}

/// How many bytes there seem to be where two blocks are taken for one; another size where there is only one.
fn merged_size(size: u64) -> u64 {
    let block = BLOCK_BYTES_MIN as u64;
    let count = size.div_ceil(block);
    if count <= 2 { size + 1 } else { count.div_ceil(2) * block - size % 7 }
}

/// The values of the next higher level, which come to the same content.
fn merged(hashes: &[[u8; 32]]) -> Vec<[u8; 32]> {
    if hashes.len() <= 2 {
        return hashes.to_vec();
    }
    let pair = |pair: &[[u8; 32]]| match pair {
        [left, right] => merge_subtrees_non_root(left, right, Mode::Hash),
        [only, ..] => *only,
        [] => [0; 32],
    };
    hashes.chunks(2).map(pair).collect()
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use common::content::block_hashes::BlockHashes;

    use super::*;
    use crate::contents::tests::{shared, some_bytes};

    const FETCH: (LinkId, u32) = (LinkId(9), 1);

    /// Looks through the disk of a servent, and gives what it tells and what is shared then; nothing where it has not come to
    /// its end, or came to nothing.
    fn look_once(disks: &mut Disks, now: Nanos, servent: usize) -> Option<(Vec<ToldFile>, SharedContent)> {
        let store = Arc::new(Store::parse(b"farol.mp4 the lighthouse\n".to_vec()).unwrap().0);
        let job = Job::LookThrough(store);
        assert!(disks.begin(servent, &job).is_some());
        let (done, news) = disks.end(now, servent, &job);
        let Some(JobDone::LookedThrough(looked)) = done else { panic!("{done:?}") };
        let DiskNews::Tells(told) = news else { return None };
        let catalogue = looked.unwrap().catalogue.unwrap();
        let file = catalogue.get(0).unwrap();
        let blocks = Blocks::of(file.stamp.size).unwrap();
        let content = SharedContent { name: file.name.to_vec(), stamp: file.stamp, hashes_at: file.hashes_at, blocks };
        Some((told, content))
    }

    fn look(disks: &mut Disks, now: Nanos, servent: usize) -> (Vec<ToldFile>, SharedContent) {
        look_once(disks, now, servent).unwrap()
    }

    fn look_until_it_can_be(disks: &mut Disks, servent: usize) -> (Vec<ToldFile>, SharedContent) {
        (0..100).find_map(|_| look_once(disks, 0, servent)).unwrap()
    }

    fn read(
        disks: &mut Disks,
        now: Nanos,
        servent: usize,
        content: &SharedContent,
    ) -> Option<Result<Vec<Vec<u8>>, ReadFailure>> {
        let (link, fetch) = FETCH;
        let content = Arc::new(content.clone());
        let job =
            Job::ReadBlocks(BlocksToRead { link, fetch, first: 0, count: content.blocks.count().min(3), content });
        match disks.end(now, servent, &job).0? {
            JobDone::BlocksRead { read, .. } => {
                Some(read.map(|blocks| blocks.into_iter().map(|(_, bytes)| bytes.as_bytes().to_vec()).collect()))
            }
            other => panic!("{other:?}"),
        }
    }

    fn hashes(disks: &mut Disks, servent: usize, content: &SharedContent) -> Vec<[u8; 32]> {
        let (link, fetch) = FETCH;
        let content = Arc::new(content.clone());
        let job =
            Job::ReadHashes(HashesToRead { link, fetch, first: 0, count: content.blocks.count().min(2_000), content });
        match disks.end(0, servent, &job).0 {
            Some(JobDone::HashesRead { read: Ok(hashes), .. }) => hashes,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn what_an_honest_disk_has_is_told_and_read_as_it_is_until_it_is_not() {
        for (fate, failure) in [
            (FileFate::Stays, None),
            (FileFate::Gone { at: Duration::from_secs(5), back: None }, Some(ReadFailure::Gone)),
            (
                FileFate::Gone { at: Duration::from_secs(5), back: Some(Duration::from_secs(6)) },
                Some(ReadFailure::Changed),
            ),
            (FileFate::Replaced { at: Duration::from_secs(5), size: 2 * 65_536 + 9 }, Some(ReadFailure::Changed)),
            (FileFate::Touched { at: Duration::from_secs(5) }, Some(ReadFailure::Changed)),
        ] {
            let mut scene = shared(HolderLie::Silent);
            scene.contents[0].holders[1].fate = fate;
            let bytes = scene.contents[0].bytes;
            let mut disks = Disks::new(&scene);
            let (told, content) = look(&mut disks, SECOND, 2);
            let whole = bytes.read(0, usize::try_from(bytes.size).unwrap());
            let hash = ContentHash(*blake3::hash(&whole).as_bytes());
            let description = b"the lighthouse".to_vec();
            assert_eq!(told, [ToldFile { name: b"farol.mp4".to_vec(), description, size: bytes.size, hash }]);
            assert_eq!(read(&mut disks, 2 * SECOND, 2, &content).unwrap().unwrap().concat(), whole);
            assert!(BlockHashes::proved(hash, content.blocks, hashes(&mut disks, 2, &content)).is_ok());
            let later = read(&mut disks, 7 * SECOND, 2, &content).unwrap();
            assert_eq!(later.err(), failure, "{fate:?}");
        }
    }

    #[test]
    fn a_quick_disk_takes_no_time_and_never_fails_and_a_wild_one_does_all_there_is() {
        let mut scene = shared(HolderLie::Silent);
        for (kind, waits, refuses) in
            [(DiskKind::Quick, false, false), (DiskKind::Mild, true, false), (DiskKind::Wild, true, true)]
        {
            scene.plan.disk = kind;
            let mut disks = Disks::new(&scene);
            let (_, content) = look_until_it_can_be(&mut disks, 2);
            let (link, fetch) = FETCH;
            let content = Arc::new(content);
            let job = Job::ReadBlocks(BlocksToRead { link, fetch, first: 0, count: 1, content });
            let mut tries: Vec<(Option<Nanos>, bool)> = (0..400)
                .map(|_| {
                    let wait = disks.begin(2, &job);
                    (wait, matches!(disks.end(0, 2, &job).0, Some(JobDone::BlocksRead { read: Err(_), .. })))
                })
                .collect();
            assert_eq!(tries.iter().any(|(wait, _)| wait.is_some_and(|wait| wait > 0)), waits, "{kind}");
            assert_eq!(tries.iter().any(|(wait, _)| wait.is_none()), refuses, "{kind}");
            tries.retain(|(_, has_failed)| *has_failed);
            assert_eq!(tries.is_empty(), kind == DiskKind::Quick, "{kind}");
        }
    }

    #[test]
    fn a_directory_that_could_not_be_read_shows_nothing_again() {
        let mut scene = shared(HolderLie::Silent);
        scene.plan.disk = DiskKind::Wild;
        let mut disks = Disks::new(&scene);
        let job = Job::LookThrough(Arc::default());
        let (mut failed, mut again) = (0, 0);
        for _ in 0..1_000 {
            disks.begin(2, &job);
            match disks.end(0, 2, &job) {
                (Some(JobDone::LookedThrough(Err(_))), DiskNews::Nothing) => failed += 1,
                (Some(JobDone::LookedThrough(Ok(_))), DiskNews::TellsAgain) => again += 1,
                (Some(JobDone::LookedThrough(Ok(_))), DiskNews::Tells(_) | DiskNews::Nothing) => {}
                other => panic!("{other:?}"),
            }
        }
        assert!(failed > 5 && again > 50, "{failed} {again}");
    }

    #[test]
    fn what_a_lying_disk_has_shows_its_lie_and_no_other() {
        for lie in HolderLie::ALL {
            let (mut is_false, mut is_hidden, mut has_failed, mut is_size, mut is_list) =
                (false, false, false, false, false);
            for seed in 0..20 {
                let mut scene = shared(lie);
                scene.plan.seed = seed;
                let bytes = scene.contents[0].bytes;
                let mut disks = Disks::new(&scene);
                let (told, content) = look(&mut disks, 0, 1);
                is_size |= told[0].size != bytes.size;
                let honest: Vec<Vec<u8>> = (0..3)
                    .map(|block| {
                        bytes.read(block * 65_536, usize::try_from((bytes.size - block * 65_536).min(65_536)).unwrap())
                    })
                    .collect();
                match read(&mut disks, 0, 1, &content) {
                    None => is_hidden = true,
                    Some(Err(_)) => has_failed = true,
                    Some(Ok(blocks)) => is_false |= told[0].size == bytes.size && blocks != honest,
                }
                let proved = BlockHashes::proved(told[0].hash, content.blocks, hashes(&mut disks, 1, &content));
                is_list |= told[0].size == bytes.size && proved.is_err();
                // Of three blocks two are left.
                assert!(lie != HolderLie::MergedHashes || proved.is_ok());
            }
            let reads_falsely = matches!(
                lie,
                HolderLie::FalseBytes
                    | HolderLie::Short
                    | HolderLie::Twice
                    | HolderLie::Unasked
                    | HolderLie::Disordered
            );
            assert_eq!(is_false, reads_falsely, "{lie:?}");
            assert_eq!(is_hidden, lie == HolderLie::Silent, "{lie:?}");
            assert_eq!(has_failed, lie == HolderLie::Lacks, "{lie:?}");
            assert_eq!(is_size, matches!(lie, HolderLie::FalseSize | HolderLie::MergedHashes), "{lie:?}");
            assert_eq!(is_list, lie == HolderLie::FalseHashes, "{lie:?}");
        }
    }

    #[test]
    fn a_false_size_is_another_one() {
        let mut random = Random::new(1);
        for size in [0, 1, 65_535, 65_536, 65_537, 6 << 20] {
            let sizes: BTreeSet<u64> = (0..100).map(|_| false_size(&mut random, size)).collect();
            assert!(sizes.len() > 4 && !sizes.contains(&size), "{size}: {sizes:?}");
        }
    }

    #[test]
    fn what_is_merged_comes_to_the_same_content() {
        for blocks in [3, 4, 5, 8, 9] {
            let size = blocks * BLOCK_BYTES_MIN as u64 - 5;
            let bytes = some_bytes(size);
            let mut hasher = ContentHasher::new(Blocks::of(size).unwrap());
            hasher.update(&bytes.read(0, usize::try_from(size).unwrap())).unwrap();
            let hashed = hasher.finish().unwrap();
            let claimed = Blocks::of(merged_size(size)).unwrap();
            let merged = merged(hashed.hashes.as_slice());
            assert_ne!(claimed.size(), size);
            assert!(BlockHashes::proved(hashed.hash, claimed, merged).is_ok());
        }
    }
}
