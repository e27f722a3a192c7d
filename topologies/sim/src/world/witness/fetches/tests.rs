//! What the witness notices of fetches: each claim broken once, by hand, and a fetch with which nothing is wrong.
//!
//! Nobody fetches here. The chain of three is asked at its first; its second lies and its last does not.

use std::sync::Arc;
use std::time::Duration;

use common::content::Blocks;
use common::content::block_hashes::{BlockHashes, block_hash};
use common::content::transfer::{Block, BlocksWanted, HashPart, HashesWanted, Have, Open, Opened};
use common::fetch::{BlockSource, FetchEnded, FromHolder, KeptHashes, SourceRun, ToHolder, WhyDropped};
use common::limits::{
    BLOCKS_HELD_BYTES_MAX, BLOCKS_WANTED_MAX, HASH_PARTS_ASKED_MAX, HASHES_MAX, HOLDER_FAILURES_MAX, UPLOAD_WANTED_MAX,
};

use super::*;
use crate::contents::tests::{shared, some_bytes};
use crate::world::disks::ToldFile;
use crate::world::witness::tests::{asked, assert_broke};
use crate::world::witness::{Befallen, Witness};

const NODE: usize = 7;
const LIAR: usize = 1;
const HONEST: usize = 2;
const BEGINS: Nanos = 2 * SECOND;

/// The links of whoever fetches to servents, by their numbers.
fn link(servent: usize) -> LinkId {
    LinkId(servent as u64)
}

fn hash_of(bytes: ContentBytes) -> ContentHash {
    ContentHash(*blake3::hash(&bytes.read(0, usize::try_from(bytes.size).unwrap())).as_bytes())
}

fn hashes_of(bytes: ContentBytes) -> BlockHashes {
    let blocks = Blocks::of(bytes.size).unwrap();
    let hash = |block| {
        let (at, length) = place(bytes, block);
        block_hash(blocks, block, &bytes.read(at, length)).unwrap()
    };
    let hashes = (0..blocks.count()).map(hash).collect();
    BlockHashes::proved(hash_of(bytes), blocks, hashes).unwrap()
}

/// A witness of one fetch, and the file that is fetched.
struct SeenFetch<'s> {
    witness: Witness<'s>,
    bytes: ContentBytes,
    file: FetchedFile,
    now: Nanos,
}

impl<'s> SeenFetch<'s> {
    /// One that begins with this file, beside servents of which two have told of the content long since.
    fn with_file(scene: &'s Scene, file: FetchedFile) -> SeenFetch<'s> {
        let bytes = scene.contents[0].bytes;
        let mut witness = asked(scene);
        for servent in 0..3 {
            witness.seen.shared.on_born(1, servent);
            let (name, hash) = (b"farol.mp4".to_vec(), hash_of(bytes));
            let told = ToldFile { name, description: Vec::new(), size: bytes.size, hash };
            let files = if servent == 0 { Vec::new() } else { vec![told] };
            witness.seen.shared.on_tells(1, servent, files);
        }
        let mut seen = SeenFetch { witness, bytes, file, now: BEGINS };
        seen.begins();
        seen
    }

    /// One that begins with nothing, asks both who have it, and was told by both that they have.
    fn open(scene: &'s Scene) -> SeenFetch<'s> {
        let mut seen = SeenFetch::with_file(scene, FetchedFile::default());
        for servent in [LIAR, HONEST] {
            seen.dials(servent);
            seen.says(servent, ToHolder::Open(Open { fetch: 0, hash: hash_of(seen.bytes) }));
            seen.hears(servent, opened(seen.bytes.size, Have::all(blocks_count(seen.bytes))));
        }
        seen.broke(&[]);
        seen
    }

    /// The same, which knows how large the content is.
    fn proved(scene: &'s Scene) -> SeenFetch<'s> {
        let mut seen = SeenFetch::open(scene);
        seen.proves(seen.bytes.size);
        seen
    }

    fn begins(&mut self) {
        self.witness.on_fetch_begins(self.now, 0, NODE, hash_of(self.bytes), &self.file);
    }

    fn told(&mut self, input: &Input) {
        self.witness.on_fetch_told(self.now, NODE, input);
    }

    fn wants(&mut self, output: &Output) {
        self.witness.on_fetch_wants(self.now, NODE, output, &self.file);
    }

    fn dials(&mut self, servent: usize) {
        let dial = HolderDial(servent as u64);
        self.wants(&Output::Dial { dial, address: cast::servent_address(servent) });
        self.told(&Input::Dialled { dial, link: link(servent) });
    }

    fn says(&mut self, servent: usize, message: ToHolder) {
        self.wants(&Output::Send { link: link(servent), message });
    }

    fn hears(&mut self, servent: usize, said: FromHolder) {
        self.told(&Input::Received { link: link(servent), said });
    }

    /// Somebody is asked for these blocks in one message.
    fn asks(&mut self, servent: usize, first: u32, count: u32) {
        self.says(servent, ToHolder::BlocksWanted(BlocksWanted { fetch: 0, first, count }));
    }

    fn asks_for_hashes(&mut self, servent: usize, count: u32) {
        self.says(servent, ToHolder::HashesWanted(HashesWanted { fetch: 0, first: 0, count }));
    }

    fn true_block(&self, block: u32) -> Vec<u8> {
        let (at, length) = place(self.bytes, block);
        self.bytes.read(at, length)
    }

    fn gives(&mut self, servent: usize, block: u32) {
        let bytes = self.true_block(block);
        self.hears(servent, FromHolder::Block(Block { fetch: 0, block, bytes }));
    }

    fn writes_so(&mut self, block: u32, at: u64, bytes: Vec<u8>) {
        self.file.write(at, &bytes);
        self.wants(&Output::Write { block, at, bytes });
    }

    fn writes(&mut self, block: u32) {
        self.writes_so(block, place(self.bytes, block).0, self.true_block(block));
    }

    /// A block is asked for, comes and is written.
    fn fetches(&mut self, servent: usize, block: u32) {
        self.asks(servent, block, 1);
        self.gives(servent, block);
        self.writes(block);
        self.told(&Input::Written { block });
    }

    fn tells(&mut self, report: FetchReport) {
        self.wants(&Output::Tell(report));
    }

    fn proves(&mut self, size: u64) {
        self.tells(FetchReport::Proved(Blocks::of(size).unwrap()));
    }

    fn tells_of(&mut self, servent: usize, news: HolderNews) {
        self.tells(FetchReport::Holder { address: cast::servent_address(servent), news });
    }

    fn drops(&mut self, servent: usize, why: WhyDropped) {
        self.tells_of(servent, HolderNews::Dropped(why));
    }

    /// It ends like this, with runs of blocks that are from these.
    fn ends(&mut self, end: FetchEnd, runs: &[(BlockSource, u32, u32)]) {
        let sources =
            runs.iter().map(|(source, first, count)| SourceRun { source: *source, first: *first, count: *count });
        self.tells(FetchReport::Ended(FetchEnded { end, sources: sources.collect(), wasted_bytes: 5 }));
    }

    /// It has waited in vain for as long as it may, and somewhat longer.
    fn waits(&mut self) {
        self.now += 16 * SECOND;
    }

    fn ends_in_vain(&mut self) {
        self.ends(FetchEnd::Missing, &[(BlockSource::Nobody, 0, blocks_count(self.bytes))]);
    }

    /// Just this was wrong since it was last asked.
    #[track_caller]
    fn broke(&mut self, what: &[&str]) {
        assert_broke(&self.witness, what);
        self.witness.broken.clear();
    }
}

fn opened(size: u64, have: Have) -> FromHolder {
    FromHolder::Opened(Opened { fetch: 0, size, have })
}

fn of(servent: usize) -> BlockSource {
    BlockSource::Holder(cast::servent_address(servent))
}

fn scene() -> Scene {
    shared(HolderLie::FalseBytes)
}

/// The same with a content of so many blocks.
fn large(blocks: u64) -> Scene {
    let mut scene = scene();
    scene.contents[0].bytes = some_bytes(blocks * BLOCK);
    scene
}

#[test]
fn a_fetch_with_which_nothing_is_wrong() {
    let scene = scene();
    let mut seen = SeenFetch::open(&scene);
    let hashes = hashes_of(seen.bytes);
    seen.asks_for_hashes(HONEST, 3);
    let part = HashPart { fetch: 0, first: 0, hashes: hashes.as_slice().to_vec() };
    seen.hears(HONEST, FromHolder::HashPart(part));
    seen.wants(&Output::KeepHashes(Arc::new(hashes)));
    seen.proves(seen.bytes.size);
    seen.asks(HONEST, 0, 3);
    for block in 0..3 {
        seen.gives(HONEST, block);
        seen.writes(block);
        seen.told(&Input::Written { block });
    }
    seen.ends(FetchEnd::Done, &[(of(HONEST), 0, 3)]);
    seen.broke(&[]);
    let outcome = |end| seen.witness.fetches.outcome([end].into_iter()).unwrap();
    let came = ContentsOutcome {
        fetches: 1,
        lives: 1,
        came_bytes: seen.bytes.size,
        wasted_bytes: 5,
        ..ContentsOutcome::default()
    };
    assert_eq!(outcome(Some(&FetchEnd::Done)), ContentsOutcome { whole: 1, ..came });
    assert_eq!(outcome(Some(&FetchEnd::Missing)), ContentsOutcome { missing: 1, ..came });
    let unwritten = FetchEnd::Unwritten("no space".to_owned());
    assert_eq!(outcome(Some(&unwritten)), ContentsOutcome { unwritten: 1, ..came });
    assert_eq!(outcome(None), ContentsOutcome { unended: 1, ..came });
}

#[test]
fn what_was_cut_short_goes_on_with_what_is_there() {
    let scene = scene();
    let mut seen = SeenFetch::proved(&scene);
    seen.fetches(HONEST, 0);
    seen.witness.fetches.on_cut(0);
    seen.wants(&Output::AskAgain);
    seen.broke(&["is over", "asks again"]);
    seen.begins();
    seen.proves(seen.bytes.size);
    seen.dials(HONEST);
    seen.fetches(HONEST, 1);
    seen.fetches(HONEST, 2);
    seen.ends(FetchEnd::Done, &[(BlockSource::Disk, 0, 1), (of(HONEST), 1, 2)]);
    seen.broke(&[]);
    let counts = seen.witness.fetches.counts;
    assert_eq!((counts.lives, counts.cuts), (2, 1));
}

#[test]
fn what_is_written_in_vain_or_falsely_is_noticed() {
    let scene = scene();
    let mut seen = SeenFetch::proved(&scene);
    seen.fetches(HONEST, 0);
    seen.broke(&[]);
    seen.writes(0);
    seen.broke(&["fetch 30 writes block 0 twice"]);
    seen.writes_so(1, BLOCK, vec![0; BLOCK_BYTES_MIN]);
    seen.broke(&["writes what is not block 1"]);
    seen.writes_so(2, 2 * BLOCK, seen.bytes.read(2 * BLOCK, 8));
    seen.broke(&["writes 8 bytes at 131072 as block 2"]);
    // Before anybody gave anything.
    let mut seen = SeenFetch::with_file(&scene, FetchedFile::default());
    seen.writes(0);
    seen.broke(&["which nobody gave"]);
    // What is there, whole and true.
    let mut file = FetchedFile::default();
    file.write(0, &scene.contents[0].bytes.read(0, BLOCK_BYTES_MIN));
    file.write(BLOCK, &[0; BLOCK_BYTES_MIN]);
    let mut seen = SeenFetch::with_file(&scene, file);
    seen.dials(HONEST);
    seen.fetches(HONEST, 1);
    seen.broke(&[]);
    seen.fetches(HONEST, 0);
    seen.broke(&["writes block 0, which was there"]);
}

#[test]
fn more_that_waits_to_be_written_than_may_is_noticed() {
    let most = BLOCKS_HELD_BYTES_MAX as u64 / BLOCK;
    let scene = large(most + 1);
    let mut seen = SeenFetch::open(&scene);
    let write = |seen: &mut SeenFetch<'_>, block| {
        seen.asks(HONEST, block, 1);
        seen.gives(HONEST, block);
        seen.writes(block);
    };
    let most = u32::try_from(most).unwrap();
    (0..most).for_each(|block| write(&mut seen, block));
    seen.broke(&[]);
    write(&mut seen, most);
    seen.broke(&["has 8454144 bytes to be written"]);
}

#[test]
fn more_that_is_asked_for_than_may_be_is_noticed() {
    let scene = large(200);
    let mut seen = SeenFetch::open(&scene);
    seen.says(HONEST, ToHolder::Open(Open { fetch: 0, hash: ContentHash([9; 32]) }));
    seen.broke(&["opens another content"]);
    (0..HASH_PARTS_ASKED_MAX).for_each(|_| seen.asks_for_hashes(HONEST, HASHES_MAX));
    seen.broke(&[]);
    seen.asks_for_hashes(HONEST, 1);
    seen.broke(&["asks for 1 hashes, the 9. time"]);
    for count in [0, HASHES_MAX + 1] {
        seen.asks_for_hashes(LIAR, count);
        seen.broke(&[&format!("asks for {count} hashes")]);
    }
    seen.asks(HONEST, 0, BLOCKS_WANTED_MAX);
    seen.broke(&[]);
    seen.asks(HONEST, 64, 1);
    seen.broke(&["asks one holder for 4259840 bytes at once"]);
    seen.asks(LIAR, 0, 0);
    seen.broke(&["asks for 0 blocks"]);
    // In one message; that is more than may be asked of one, too.
    let mut seen = SeenFetch::open(&scene);
    seen.asks(HONEST, 0, BLOCKS_WANTED_MAX + 1);
    seen.broke(&["asks for 65 blocks, the 1. time", "at once"]);
    // In so many messages.
    let mut seen = SeenFetch::open(&scene);
    (0..u32::try_from(UPLOAD_WANTED_MAX).unwrap()).for_each(|block| seen.asks(HONEST, block, 1));
    seen.broke(&[]);
    seen.asks(HONEST, 64, 1);
    seen.broke(&["asks for 1 blocks, the 65. time", "at once"]);
    // What has come is not waited for any more.
    let mut seen = SeenFetch::open(&scene);
    (0..100).for_each(|block| {
        seen.asks(HONEST, block, 1);
        seen.gives(HONEST, block);
    });
    seen.broke(&[]);
}

#[test]
fn whoever_is_spoken_to_or_asked_for_again_when_it_may_not_be_is_noticed() {
    let scene = scene();
    let mut seen = SeenFetch::open(&scene);
    seen.wants(&Output::Close { link: link(LIAR) });
    seen.asks(LIAR, 0, 1);
    seen.broke(&["speaks on link 1, which is closed"]);
    seen.told(&Input::Closed { link: link(HONEST), reason: String::new() });
    seen.asks(HONEST, 0, 1);
    seen.broke(&["speaks on link 2, which is closed"]);
    seen.now += nanos(ASK_AGAIN_PAUSE);
    seen.wants(&Output::AskAgain);
    seen.now += nanos(ASK_AGAIN_PAUSE) - 1;
    seen.broke(&[]);
    seen.wants(&Output::AskAgain);
    seen.broke(&["asks again who has it after 4999999999 ns"]);
}

#[test]
fn what_is_certain_and_kept_is_of_the_content() {
    let scene = scene();
    let mut seen = SeenFetch::open(&scene);
    seen.wants(&Output::KeepHashes(Arc::new(hashes_of(seen.bytes.another(seen.bytes.size)))));
    seen.wants(&Output::KeepHashes(Arc::new(hashes_of(some_bytes(2 * BLOCK)))));
    seen.broke(&["keeps hashes that are not", "keeps hashes that are not"]);
    seen.proves(seen.bytes.size - 1);
    seen.broke(&["says that 131080 bytes are certain"]);
    let hashes = hashes_of(seen.bytes).as_slice().to_vec();
    let spoilt = [[0; 32]; 3].to_vec();
    for (hashes, what) in [(hashes, &["says that kept hashes are false, and they are not"][..]), (spoilt, &[])] {
        let kept = Some(KeptHashes { size: scene.contents[0].bytes.size, hashes });
        let mut file = FetchedFile::default();
        file.kept = kept;
        let mut seen = SeenFetch::with_file(&scene, file);
        seen.tells(FetchReport::KeptIsFalse);
        seen.broke(what);
    }
    let mut seen = SeenFetch::open(&scene);
    seen.witness.on_fetch_begins(seen.now, 0, NODE, ContentHash([9; 32]), &FetchedFile::default());
    seen.broke(&["fetch 30 is of another content"]);
}

/// All that shows that somebody lies who has been asked for block 0, and what is said of it.
fn shown_lies(bytes: ContentBytes) -> Vec<(FromHolder, &'static str)> {
    let block = |block, bytes| FromHolder::Block(Block { fetch: 0, block, bytes });
    vec![
        (block(0, vec![0; BLOCK_BYTES_MIN]), "a false block"),
        (block(0, bytes.read(0, 100)), "a false block"),
        (block(1, bytes.read(BLOCK, BLOCK_BYTES_MIN)), "a block it was not asked for"),
        (FromHolder::HashPart(HashPart { fetch: 0, first: 0, hashes: Vec::new() }), "hashes it was not asked for"),
        (opened(bytes.size, Have::all(3)), "what cannot be"),
        (FromHolder::Other("echo"), "what has no place there"),
    ]
}

#[test]
fn whoever_shows_that_it_lies_is_dropped_at_once() {
    let scene = scene();
    for (said, what) in shown_lies(scene.contents[0].bytes) {
        let mut seen = SeenFetch::proved(&scene);
        seen.asks(LIAR, 0, 1);
        seen.hears(LIAR, said.clone());
        seen.told(&Input::Deadline);
        seen.broke(&[&format!("fetch 30 goes on with 10.0.0.1:9000, which gave {what}")]);
        let mut seen = SeenFetch::proved(&scene);
        seen.asks(LIAR, 0, 1);
        seen.hears(LIAR, said);
        seen.drops(LIAR, WhyDropped::FalseBlock(0));
        seen.told(&Input::Deadline);
        seen.broke(&[]);
        assert_eq!(seen.witness.fetches.counts.false_holders, 1);
        seen.dials(LIAR);
        seen.broke(&["dials 10.0.0.1:9000, which lied"]);
    }
}

#[test]
fn nobody_can_have_blocks_that_there_are_not_or_in_another_order() {
    let scene = scene();
    let runs = |runs: &[(u32, u32)]| Have::Runs(runs.to_vec());
    for (have, can_be) in [
        (runs(&[]), true),
        (Have::Partly, true),
        (runs(&[(0, 1), (2, 1)]), true),
        (runs(&[(0, 4)]), false),
        (runs(&[(3, 1)]), false),
        (runs(&[(1, 0)]), false),
        (runs(&[(0, 1), (1, 1)]), false),
        (runs(&[(2, 1), (0, 1)]), false),
        (runs(&[(u32::MAX, u32::MAX)]), false),
    ] {
        let mut seen = SeenFetch::with_file(&scene, FetchedFile::default());
        seen.dials(LIAR);
        seen.hears(LIAR, opened(seen.bytes.size, have));
        seen.told(&Input::Deadline);
        seen.broke(if can_be { &[] } else { &["which gave what cannot be"] });
    }
}

#[test]
fn whoever_does_not_lie_is_not_dropped_for_that() {
    let scene = scene();
    let mut seen = SeenFetch::open(&scene);
    seen.drops(HONEST, WhyDropped::Silent);
    seen.drops(HONEST, WhyDropped::Changed);
    seen.dials(HONEST);
    seen.drops(LIAR, WhyDropped::FalseHashes);
    seen.broke(&[]);
    seen.drops(HONEST, WhyDropped::FalseHashes);
    seen.broke(&["drops 10.0.0.2:9000, which did not lie: it sent false hashes"]);
    // Nor whoever lies in a way that nobody can see.
    let scene = shared(HolderLie::HasSome);
    let mut seen = SeenFetch::open(&scene);
    seen.drops(LIAR, WhyDropped::FalseHave);
    seen.broke(&["drops 10.0.0.1:9000, which did not lie"]);
}

#[test]
fn a_file_that_is_emptied_is_one_of_the_content_of_no_bytes_whoever_lies_about_it() {
    for (size, emptied_to, what) in [
        (0, 0, &[][..]),
        (0, 1, &["drops 10.0.0.1:9000, which did not lie"]),
        (1, 0, &["drops 10.0.0.1:9000, which did not lie"]),
    ] {
        let mut scene = scene();
        // The first shares something else, and lies about that.
        let mut other = scene.contents[0].clone();
        other.number += 1;
        let liar = other.holders.remove(0);
        other.holders = vec![DrawnHolder { fate: FileFate::Replaced { at: Duration::ZERO, size: emptied_to }, ..liar }];
        scene.contents[0].holders.remove(0);
        scene.contents[0].bytes = some_bytes(size);
        scene.contents.push(other);
        let mut seen = SeenFetch::open(&scene);
        seen.drops(LIAR, WhyDropped::BlockLength(0));
        seen.broke(what);
    }
}

#[test]
fn whoever_is_done_has_a_file_that_is_whole_and_true() {
    let scene = scene();
    let whole = |proves: bool| {
        let mut seen = SeenFetch::open(&scene);
        if proves {
            seen.proves(seen.bytes.size);
        }
        (0..3).for_each(|block| seen.fetches(HONEST, block));
        seen
    };
    let mut seen = whole(true);
    seen.file.write(BLOCK, &[0; 5]);
    seen.ends(FetchEnd::Done, &[(of(HONEST), 0, 3)]);
    seen.broke(&["says that block 1 is of", "is done, and its file is not the content (131081 bytes)"]);
    let mut seen = whole(false);
    seen.ends(FetchEnd::Done, &[(of(HONEST), 0, 3)]);
    seen.broke(&["does not know how large it is"]);
    // Nothing comes of it behind its end.
    seen.wants(&Output::Close { link: link(HONEST) });
    seen.broke(&["wants something and is over"]);
    let mut seen = SeenFetch::proved(&scene);
    (0..2).for_each(|block| seen.fetches(HONEST, block));
    seen.ends(FetchEnd::Done, &[(of(HONEST), 0, 2), (BlockSource::Nobody, 2, 1)]);
    seen.broke(&["is done without block 2", "its file is not the content"]);
}

#[test]
fn each_block_is_said_to_be_from_whoever_gave_it() {
    let scene = scene();
    let (honest, liar, disk, nobody) = (of(HONEST), of(LIAR), BlockSource::Disk, BlockSource::Nobody);
    for (runs, what) in [
        (&[(honest, 0, 1), (liar, 1, 1), (disk, 2, 1)][..], &[][..]),
        (&[(honest, 0, 2), (disk, 2, 1)], &["says that block 1 is of"]),
        (&[(honest, 0, 1), (disk, 1, 2)], &["says that block 1 is of"]),
        (&[(honest, 0, 1), (liar, 1, 1), (liar, 2, 1)], &["says that block 2 is of"]),
        (&[(nobody, 0, 1), (liar, 1, 1), (disk, 2, 1)], &["says that block 0 is of", "is done without block 0"]),
        (&[(honest, 0, 1), (liar, 1, 1)], &["tells of 2 blocks of 3"]),
        (&[(honest, 0, 1), (disk, 2, 1)], &["tells of blocks from 2 on behind 1"]),
        (
            &[(honest, 0, 1), (liar, 1, 1), (disk, 2, 0)],
            &["tells of blocks from 2 on behind 2", "tells of 2 blocks of 3"],
        ),
        (&[], &["tells of 0 blocks of 3"]),
    ] {
        let mut file = FetchedFile::default();
        file.write(2 * BLOCK, &scene.contents[0].bytes.read(2 * BLOCK, 9));
        let mut seen = SeenFetch::with_file(&scene, file);
        seen.proves(seen.bytes.size);
        seen.dials(HONEST);
        seen.dials(LIAR);
        seen.fetches(HONEST, 0);
        seen.fetches(LIAR, 1);
        seen.ends(FetchEnd::Done, runs);
        seen.broke(what);
    }
}

#[test]
fn whoever_ends_for_a_file_that_cannot_be_written_was_told_so() {
    let scene = scene();
    let unwritten = || FetchEnd::Unwritten("no space".to_owned());
    let mut seen = SeenFetch::open(&scene);
    seen.ends(unwritten(), &[]);
    seen.broke(&["says that its file cannot be written"]);
    let mut seen = SeenFetch::open(&scene);
    seen.told(&Input::WriteFailed { reason: "no space".to_owned() });
    seen.ends(unwritten(), &[]);
    seen.broke(&[]);
}

#[test]
fn whoever_says_that_something_is_missing_has_waited_and_has_it_not() {
    let scene = scene();
    let mut seen = SeenFetch::proved(&scene);
    seen.now += 15 * SECOND - 1;
    seen.witness.trouble(seen.now, Befallen::Servent(HONEST), true);
    seen.ends_in_vain();
    seen.broke(&["says that nobody has the rest, and has waited for 14999999999 ns"]);
    // What is there is not missing.
    let mut file = FetchedFile::default();
    file.write(0, &scene.contents[0].bytes.read(0, BLOCK_BYTES_MIN));
    let mut seen = SeenFetch::with_file(&scene, file);
    seen.proves(seen.bytes.size);
    seen.witness.trouble(seen.now, Befallen::Servent(HONEST), true);
    seen.waits();
    seen.ends_in_vain();
    seen.broke(&["says that block 0 is of Nobody"]);
}

/// What may be in the way of whoever fetches from the one that does not lie.
type InTheWay = fn(&mut SeenFetch<'_>);

#[test]
fn nobody_ends_in_vain_beside_somebody_who_has_it_and_is_in_nobodys_way() {
    let scene = scene();
    let passed_over = "says that nobody has the rest after 15 s, and s2 had all of it";
    let mut seen = SeenFetch::proved(&scene);
    seen.waits();
    seen.ends_in_vain();
    seen.broke(&[passed_over]);
    let excuses: [InTheWay; 9] = [
        |seen| seen.witness.trouble(seen.now, Befallen::Servent(HONEST), true),
        |seen| seen.witness.trouble(seen.now, Befallen::Servent(0), true),
        |seen| seen.witness.trouble(seen.now, Befallen::Clients, true),
        |seen| seen.witness.seen.links.on_falls(seen.now, (1, 2), true, false).into_iter().for_each(drop),
        |seen| seen.tells_of(HONEST, HolderNews::Busy),
        |seen| seen.witness.fetches.on_kept_from(seen.now, NODE, HONEST),
        |seen| (0..HOLDER_FAILURES_MAX).for_each(|_| seen.drops(HONEST, WhyDropped::Silent)),
        |seen| seen.witness.seen.shared.on_withdraws(seen.now, HONEST, b"farol.mp4", (LinkId(9), 0)),
        |seen| seen.witness.seen.shared.on_born(seen.now, HONEST),
    ];
    for excuse in excuses {
        let mut seen = SeenFetch::proved(&scene);
        seen.now += 2 * SECOND;
        excuse(&mut seen);
        seen.now += 15 * SECOND;
        seen.ends_in_vain();
        seen.broke(&[]);
    }
    // What is over before the wait begins excuses nothing, nor does somebody who is dropped once.
    let mut seen = SeenFetch::proved(&scene);
    seen.drops(HONEST, WhyDropped::Silent);
    seen.tells_of(HONEST, HolderNews::Busy);
    seen.witness.fetches.on_kept_from(seen.now, NODE, HONEST);
    seen.waits();
    seen.ends_in_vain();
    seen.broke(&[passed_over]);
    // Nobody is demanded who lies.
    let mut all_lie = shared(HolderLie::HasSome);
    all_lie.contents[0].holders[1].lie = Some(HolderLie::Silent);
    let mut seen = SeenFetch::proved(&all_lie);
    seen.waits();
    seen.ends_in_vain();
    seen.broke(&[]);
}

#[test]
fn where_pipes_are_narrow_nobody_is_demanded_before_they_are_wide() {
    let scene = scene();
    for (widened_at, what) in [(None, &[][..]), (Some(BEGINS + 2 * SECOND), &[]), (Some(1), &["s2 had all of it"])] {
        let mut seen = SeenFetch::proved(&scene);
        seen.witness.seen.is_narrow = true;
        widened_at.into_iter().for_each(|at| seen.witness.on_widened(at));
        seen.waits();
        seen.ends_in_vain();
        seen.broke(what);
    }
}

#[test]
fn whoever_goes_on_and_on_does_so_for_nobody_but_one_that_trickles() {
    for (lie, has_honest, what) in [
        (HolderLie::Silent, true, &["fetch 30 does not end"][..]),
        (HolderLie::Silent, false, &["fetch 30 does not end"]),
        (HolderLie::Trickles, true, &["fetch 30 does not end"]),
        (HolderLie::Trickles, false, &[]),
    ] {
        let mut scene = shared(lie);
        if !has_honest {
            scene.contents[0].holders.truncate(1);
        }
        let mut seen = SeenFetch::proved(&scene);
        seen.witness.on_endless_fetch(seen.now + 100 * SECOND, 0);
        seen.broke(what);
    }
}

#[test]
fn a_listing_that_is_whole_names_all_files() {
    let scene = scene();
    let told = |names: &[&str]| -> Vec<ToldFile> {
        let file = |name: &&str| {
            let (name, hash) = (name.as_bytes().to_vec(), ContentHash([1; 32]));
            ToldFile { name, description: Vec::new(), size: 1, hash }
        };
        names.iter().map(file).collect()
    };
    let listed = |names: &[&str], is_whole| {
        let mut seen = SeenFetch::open(&scene);
        seen.witness.seen.shared.on_tells(seen.now, 0, told(&["b", "a"]));
        seen.witness.fetches.on_lists(seen.now, 0);
        seen.witness.fetches.on_files(0, names.iter().map(|name| name.as_bytes()));
        seen.witness.on_files_listed(seen.now + 1, 0, is_whole);
        seen
    };
    listed(&["a", "b"], true).broke(&[]);
    listed(&["a"], false).broke(&[]);
    for names in [&["a"][..], &["a", "b", "c"], &["b", "a"], &["a", "a"]] {
        listed(names, true).broke(&["files of s0, which has 2"]);
    }
    // Where what there is changes meanwhile, either may have been meant.
    let mut seen = SeenFetch::open(&scene);
    seen.witness.seen.shared.on_tells(seen.now, 0, told(&["a"]));
    seen.witness.fetches.on_lists(seen.now, 0);
    seen.witness.seen.shared.on_tells(seen.now + 1, 0, told(&["a", "b"]));
    seen.witness.on_files_listed(seen.now + 2, 0, true);
    seen.broke(&[]);
}
