//! A fetch that goes on where another was killed: what is in the file is checked, used, and not fetched again.

use super::*;

/// Where runs of blocks are in the file, each from one block to before another.
fn on_disk(content: &Content, runs: &[(u32, u32)]) -> Vec<std::ops::Range<u64>> {
    let at = |block: u32| content.blocks().place(block).map_or(content.size(), |(at, _)| at);
    runs.iter().map(|(first, end)| at(*first)..at(*end)).collect()
}

fn kept(content: &Content) -> Option<KeptHashes> {
    Some(KeptHashes { size: content.size(), hashes: content.hashes.as_slice().to_vec() })
}

fn check(content: &Content, first: u32, count: u32) -> Output {
    Output::Check { blocks: content.blocks(), first, count }
}

fn checked(content: &Content, first: u32, hashes: Vec<Option<[u8; 32]>>) -> Input {
    Input::Checked { blocks: content.blocks(), first, hashes }
}

fn right(content: &Content, first: u32, count: u32) -> Input {
    checked(content, first, content.hashes(first, count).into_iter().map(Some).collect())
}

#[test]
fn with_hashes_kept_all_is_checked_at_once_and_holes_are_fetched_meanwhile() {
    let content = Content::new(9 * BLOCK + 5);
    let on_disk = on_disk(&content, &[(0, 3), (5, 8)]);
    let mut hand = Hand::wanting(Wanted { kept: kept(&content), on_disk, ..Wanted::new(content.hash, WAIT) });
    assert_eq!(hand.look(), [check(&content, 0, 3), check(&content, 5, 3)]);
    assert_eq!(hand.mind.progress().unchecked_count, 6);
    let there = hand.meet(FIRST, &content);
    // The last one, the holes, and nothing of what may be here.
    let asked = [blocks_wanted(there, 9, 1), blocks_wanted(there, 3, 2), blocks_wanted(there, 8, 1)];
    assert_eq!(hand.opened_all(there, &content), asked);
    for block in [9, 3, 4, 8] {
        assert_eq!(hand.block(there, &content, block)[0], write(&content, block));
        hand.written(block);
    }
    assert_eq!(hand.tell(right(&content, 0, 2)), []);
    // One is not what it was, and one cannot be read: they are fetched.
    let other = *blake3::hash(b"torn").as_bytes();
    assert_eq!(hand.tell(checked(&content, 2, vec![Some(other)])), [blocks_wanted(there, 2, 1)]);
    assert_eq!(hand.tell(checked(&content, 5, vec![None])), [blocks_wanted(there, 5, 1)]);
    assert_eq!(hand.tell(right(&content, 6, 2)), []);
    // What nobody wants checked any more changes nothing.
    assert_eq!(hand.tell(checked(&content, 0, vec![None; 10])), []);
    for block in [2, 5] {
        assert_eq!(hand.block(there, &content, block), [write(&content, block)]);
    }
    assert_eq!(hand.written(2), []);
    let sources = vec![from_disk(0, 2), from(FIRST, 2, 4), from_disk(6, 2), from(FIRST, 8, 2)];
    assert_eq!(hand.written(5), [close(there), ended(FetchEnd::Done, sources, 0)]);
}

#[test]
fn what_is_whole_needs_nobody() {
    for size in [1, BLOCK, 7 * BLOCK + 1] {
        let content = Content::new(size);
        let count = content.count();
        let on_disk = on_disk(&content, &[(0, count)]);
        let mut hand = Hand::wanting(Wanted { kept: kept(&content), on_disk, ..Wanted::new(content.hash, WAIT) });
        let outputs = hand.look();
        let told = hand.serve(There { link: LinkId(0), fetch: 0 }, &content, outputs);
        assert_eq!(told, [proved(&content), ended(FetchEnd::Done, vec![from_disk(0, count)], 0)], "{size}");
    }
}

/// Without hashes it is not known how long the file is to be. The last block is checked first, then it is.
#[test]
fn without_hashes_the_file_is_checked_once_they_have_come() {
    let content = Content::new(9 * BLOCK + 5);
    let places = on_disk(&content, &[(0, 3), (5, 10)]);
    let mut hand = Hand::wanting(Wanted { on_disk: places, ..Wanted::new(content.hash, WAIT) });
    assert_eq!(hand.look(), []);
    let there = hand.meet(FIRST, &content);
    assert_eq!(hand.opened_all(there, &content), [hashes_wanted(there, 0, 10)]);
    assert_eq!(hand.hash_part(there, &content, 0, 10), [blocks_wanted(there, 3, 2), check(&content, 9, 1)]);
    let outputs = hand.tell(right(&content, 9, 1));
    assert_eq!(outputs, [keep(&content), proved(&content), check(&content, 0, 3), check(&content, 5, 4)]);
    hand.tell(right(&content, 0, 3));
    hand.tell(right(&content, 5, 4));
    for block in [3, 4] {
        hand.block(there, &content, block);
    }
    hand.written(3);
    let sources = vec![from_disk(0, 3), from(FIRST, 3, 2), from_disk(5, 5)];
    assert_eq!(hand.written(4), [close(there), ended(FetchEnd::Done, sources, 0)]);
}

/// A liar's hashes do not make false what is here.
#[test]
fn what_is_here_is_not_judged_by_what_a_liar_says() {
    let content = Content::new(5 * BLOCK + 7);
    let places = on_disk(&content, &[(0, 6)]);
    let mut hand = Hand::wanting(Wanted { on_disk: places, ..Wanted::new(content.hash, WAIT) });
    let liar = hand.meet(FIRST, &content);
    let claimed = 3 * BLOCK as u64;
    hand.opened(liar, claimed, Have::all(3));
    let part = HashPart { fetch: liar.fetch, first: 0, hashes: list_under(&content, claimed) };
    let blocks = Blocks::of(claimed).unwrap();
    let check_last = Output::Check { blocks, first: 2, count: 1 };
    assert_eq!(hand.said(liar, FromHolder::HashPart(part)), [check_last]);
    // That block is here and true, and is not what the liar says: it is asked for it.
    let hashes = vec![Some(content.hashes(2, 1)[0])];
    let outputs = hand.tell(Input::Checked { blocks, first: 2, hashes });
    assert_eq!(outputs, [blocks_wanted(liar, 2, 1)]);
    hand.bytes(liar, 2, content.block(2));
    let honest = hand.meet(SECOND, &content);
    let told = hand.serve(honest, &content, vec![open(honest, &content)]);
    let end = ended(FetchEnd::Done, vec![from_disk(0, 6)], BLOCK as u64);
    assert_eq!(told, [keep(&content), proved(&content), close(honest), end], "nothing is fetched");
}

/// What was checked for a liar is of no meaning for anybody else.
#[test]
fn what_was_checked_under_another_size_is_not_looked_at() {
    let content = Content::new(3 * BLOCK + 7);
    let places = on_disk(&content, &[(0, 2), (3, 4)]);
    let mut hand = Hand::wanting(Wanted { on_disk: places, ..Wanted::new(content.hash, WAIT) });
    let liar = hand.meet(FIRST, &content);
    let claimed = content.size() - 1;
    hand.opened(liar, claimed, Have::all(4));
    let of_liar = Blocks::of(claimed).unwrap();
    let check_last = Output::Check { blocks: of_liar, first: 3, count: 1 };
    assert_eq!(hand.hash_part(liar, &content, 0, 4), [blocks_wanted(liar, 2, 1), check_last]);
    hand.said(liar, FromHolder::Other("pong"));
    let honest = hand.meet(SECOND, &content);
    hand.opened_all(honest, &content);
    assert_eq!(hand.hash_part(honest, &content, 0, 4), [blocks_wanted(honest, 2, 1), check(&content, 3, 1)]);
    assert_eq!(hand.tell(Input::Checked { blocks: of_liar, first: 3, hashes: vec![None] }), []);
    assert_eq!(hand.tell(right(&content, 3, 1)), [keep(&content), proved(&content), check(&content, 0, 2)]);
}

#[test]
fn hashes_that_are_not_of_this_content_are_as_good_as_none() {
    let content = Content::new(5 * BLOCK + 7);
    let mut other = content.hashes(0, 6);
    other.swap(0, 1);
    for kept in [
        KeptHashes { size: content.size(), hashes: other },
        KeptHashes { size: content.size(), hashes: content.hashes(0, 5) },
        KeptHashes { size: u64::MAX, hashes: content.hashes(0, 6) },
    ] {
        let mut hand = Hand::wanting(Wanted { kept: Some(kept), ..Wanted::new(content.hash, WAIT) });
        assert_eq!(hand.look(), [Output::Tell(FetchReport::KeptIsFalse)]);
        let there = hand.meet(FIRST, &content);
        assert_eq!(hand.opened_all(there, &content), [hashes_wanted(there, 0, 6)]);
    }
}

/// Whoever changed the size in the file of hashes keeps nobody from the content: those who say the truth are heard.
#[test]
fn a_size_that_was_kept_and_is_false_gives_way() {
    let content = Content::new(5 * BLOCK + 7);
    let kept = KeptHashes { size: content.size() + 1, hashes: content.hashes(0, 6) };
    let places = on_disk(&content, &[(0, 2)]);
    let mut hand = Hand::wanting(Wanted { kept: Some(kept), on_disk: places, ..Wanted::new(content.hash, WAIT) });
    let outputs = hand.look();
    let [Output::Check { blocks, first: 0, count: 2 }] = outputs[..] else { panic!("{outputs:?}") };
    hand.tell(Input::Checked { blocks, first: 0, hashes: content.hashes(0, 2).into_iter().map(Some).collect() });
    let there = hand.meet(FIRST, &content);
    assert_eq!(hand.opened_all(there, &content), [hashes_wanted(there, 0, 6)]);
    assert_eq!(hand.hash_part(there, &content, 0, 6), [blocks_wanted(there, 5, 1), blocks_wanted(there, 2, 3)]);
    assert_eq!(hand.block(there, &content, 5), [write(&content, 5), keep(&content), proved(&content)]);
}

/// A block of which a part was written is no block; what is behind the end is nothing.
#[test]
fn only_whole_blocks_are_checked() {
    let content = Content::new(3 * BLOCK + 100);
    let block = BLOCK as u64;
    for (places, checks) in [
        (&[(0, block - 1), (block + 1, 3 * block)][..], vec![check(&content, 2, 1)]),
        (&[(0, 1), (block - 1, block), (3 * block, 3 * block + 99)], vec![]),
        (&[(3 * block, 3 * block + 100)], vec![check(&content, 3, 1)]),
        (&[(2 * block, 100 * block)], vec![check(&content, 3, 1), check(&content, 2, 1)]),
        (&[(50 * block, 100 * block), (u64::MAX - 5, u64::MAX)], vec![]),
    ] {
        let on_disk = places.iter().map(|(begin, end)| *begin..*end).collect();
        let wanted = Wanted { kept: kept(&content), on_disk, ..Wanted::new(content.hash, WAIT) };
        assert_eq!(Hand::wanting(wanted).look(), checks, "{places:?}");
    }
}

/// The wait is for holders. What is here is told as it is.
#[test]
fn nobody_comes_and_what_is_here_is_known() {
    let content = Content::new(9 * BLOCK + 5);
    let on_disk = on_disk(&content, &[(0, 3)]);
    let wanted = Wanted { kept: kept(&content), on_disk, ..Wanted::new(content.hash, Duration::ZERO) };
    let mut hand = Hand::wanting(wanted);
    assert_eq!(hand.look(), [check(&content, 0, 3)]);
    assert_eq!(hand.pass(Duration::from_secs(1)), [], "the disk is waited for");
    hand.tell(right(&content, 0, 1));
    let outputs = hand.tell(checked(&content, 1, vec![None, Some(content.hashes(2, 1)[0])]));
    let sources = vec![from_disk(0, 1), from_nobody(1, 1), from_disk(2, 1), from_nobody(3, 7)];
    assert_eq!(outputs, [ended(FetchEnd::Missing, sources, 0)]);
}
