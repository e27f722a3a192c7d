//! Who lies: that nothing false is written, that the liar is named and not asked again, and that nobody else is blamed.

use super::*;

/// The last words that make a holder dropped, said by one that has opened, and been asked for all blocks.
fn lie_of_an_opened_holder(content: &Content, lie: impl Fn(There) -> FromHolder, why: &WhyDropped) {
    let mut hand = Hand::new(content);
    let liar = hand.meet(FIRST, content);
    hand.opened_all(liar, content);
    hand.hash_part(liar, content, 0, content.count());
    assert_eq!(hand.said(liar, lie(liar)), [close(liar), dropped(FIRST, why.clone())], "{why}");
    assert!(why.is_false());
    // It is not asked again, whoever says that it has the content; another is.
    assert_eq!(hand.announce(FIRST, Have::all(content.count())), [], "{why}");
    assert_eq!(hand.block(liar, content, content.count() - 1), [], "its link is gone");
    let honest = hand.meet(SECOND, content);
    let told = hand.serve(honest, content, vec![open(honest, content)]);
    let Some(Output::Tell(FetchReport::Ended(ended))) = told.last() else { panic!("{told:?}") };
    assert_eq!((&ended.end, &ended.sources), (&FetchEnd::Done, &vec![from(SECOND, 0, content.count())]), "{why}");
}

#[test]
fn whoever_sends_a_block_that_is_false_is_named() {
    let content = Content::new(4 * BLOCK + 9);
    let block = |block, bytes: Vec<u8>| {
        move |there: There| FromHolder::Block(Block { fetch: there.fetch, block, bytes: bytes.clone() })
    };
    let last = content.block(4).to_vec();
    let mut changed = last.clone();
    changed[3] ^= 1;
    for (lie, why) in [
        (block(4, changed), WhyDropped::FalseBlock(4)),
        (block(4, last[1..].to_vec()), WhyDropped::BlockLength(4)),
        (block(4, [&last[..], b"\0"].concat()), WhyDropped::BlockLength(4)),
        (block(4, Vec::new()), WhyDropped::BlockLength(4)),
        (block(0, content.block(0).to_vec()), WhyDropped::Unasked("block")),
        (block(5, last.clone()), WhyDropped::Unasked("block")),
        (block(u32::MAX, last), WhyDropped::Unasked("block")),
    ] {
        lie_of_an_opened_holder(&content, lie, &why);
    }
}

#[test]
fn whoever_says_what_it_was_not_asked_for_is_named() {
    let content = Content::new(4 * BLOCK + 9);
    let (size, have) = (content.size(), Have::all(5));
    let part =
        |there: There, first, count| HashPart { fetch: there.fetch, first, hashes: content.hashes(first, count) };
    let last = || content.block(4).to_vec();
    let unasked = WhyDropped::Unasked;
    lie_of_an_opened_holder(&content, |there| FromHolder::HashPart(part(there, 0, 5)), &unasked("hash part"));
    lie_of_an_opened_holder(
        &content,
        |there| FromHolder::Opened(Opened { fetch: there.fetch, size, have: have.clone() }),
        &unasked("opened"),
    );
    lie_of_an_opened_holder(&content, |_| FromHolder::Other("pong"), &unasked("pong"));
    // Of a fetch that is none.
    lie_of_an_opened_holder(
        &content,
        |there| FromHolder::Block(Block { fetch: there.fetch + 1, block: 4, bytes: last() }),
        &unasked("block"),
    );
    lie_of_an_opened_holder(
        &content,
        |there| FromHolder::Refused(Refused { fetch: there.fetch + 1, refusal: Refusal::Gone }),
        &unasked("refused"),
    );
}

#[test]
fn a_block_that_comes_twice_or_out_of_turn_is_one_that_was_not_asked_for() {
    let content = Content::new(4 * BLOCK);
    for second in [3, 1, 2] {
        let mut hand = Hand::new(&content);
        let there = hand.meet(FIRST, &content);
        hand.opened_all(there, &content);
        let asked = [blocks_wanted(there, 3, 1), blocks_wanted(there, 0, 3)];
        assert_eq!(hand.hash_part(there, &content, 0, 4), asked);
        assert_eq!(hand.block(there, &content, 3), [write(&content, 3), keep(&content), proved(&content)]);
        let gone = [close(there), dropped(FIRST, WhyDropped::Unasked("block"))];
        assert_eq!(hand.block(there, &content, second), gone);
        assert_eq!(hand.mind.progress().wasted_bytes, BLOCK as u64);
        // What it gave before is true all the same, and is not asked for again.
        assert_eq!(hand.written(3), []);
        let other = hand.meet(SECOND, &content);
        assert_eq!(hand.opened_all(other, &content), [blocks_wanted(other, 0, 3)]);
    }
}

#[test]
fn whoever_has_what_cannot_be_is_named() {
    let content = Content::new(4 * BLOCK + 9);
    let runs = |runs: &[(u32, u32)]| Have::Runs(runs.to_vec());
    let too_many = Have::Runs((0..=HAVE_RUNS_MAX).map(|run| (u32::try_from(run).unwrap() * 2, 1)).collect());
    let many_blocks = 3 * HAVE_RUNS_MAX as u64 * BLOCK as u64;
    let (size, size_max) = (content.size(), CONTENT_BYTES_MAX);
    for (size, have, why) in [
        (size, Have::all(6), WhyDropped::FalseHave),
        (size, runs(&[(5, 1)]), WhyDropped::FalseHave),
        (size, runs(&[(0, 0)]), WhyDropped::FalseHave),
        (size, runs(&[(2, 1), (0, 1)]), WhyDropped::FalseHave),
        (size, runs(&[(0, 2), (1, 1)]), WhyDropped::FalseHave),
        (size, runs(&[(0, 2), (2, 1)]), WhyDropped::FalseHave),
        (size, runs(&[(1, u32::MAX)]), WhyDropped::FalseHave),
        (size, runs(&[(u32::MAX, 1)]), WhyDropped::FalseHave),
        (0, Have::all(2), WhyDropped::FalseHave),
        (many_blocks, too_many, WhyDropped::FalseHave),
        (size_max + 1, Have::all(1), WhyDropped::FalseSize(size_max + 1)),
        (u64::MAX, Have::all(1), WhyDropped::FalseSize(u64::MAX)),
    ] {
        let mut hand = Hand::new(&content);
        let there = hand.meet(FIRST, &content);
        assert_eq!(hand.opened(there, size, have.clone()), [close(there), dropped(FIRST, why)], "{size} {have:?}");
        assert_eq!(hand.announce(FIRST, Have::all(5)), []);
    }
    let most = Have::Runs((0..HAVE_RUNS_MAX).map(|run| (u32::try_from(run).unwrap() * 2, 1)).collect());
    let mut hand = Hand::new(&content);
    let there = hand.meet(FIRST, &content);
    let asked = hashes_wanted(there, 0, 3 * u32::try_from(HAVE_RUNS_MAX).unwrap());
    assert_eq!(hand.opened(there, many_blocks, most), [asked], "that can be");
}

#[test]
fn hashes_that_come_to_something_else_are_false() {
    let content = Content::new(6 * BLOCK);
    let mut hand = Hand::new(&content);
    let liar = hand.meet(FIRST, &content);
    hand.opened_all(liar, &content);
    let mut hashes = content.hashes(0, 6);
    hashes.swap(2, 3);
    let part = HashPart { fetch: liar.fetch, first: 0, hashes };
    assert_eq!(hand.said(liar, FromHolder::HashPart(part)), [close(liar), dropped(FIRST, WhyDropped::FalseHashes)]);
    // Right ones, said to be of other blocks.
    let mut hand = Hand::new(&content);
    let liar = hand.meet(FIRST, &content);
    hand.opened_all(liar, &content);
    let part = HashPart { fetch: liar.fetch, first: 1, hashes: content.hashes(0, 6) };
    let why = WhyDropped::Unasked("hash part");
    assert_eq!(hand.said(liar, FromHolder::HashPart(part)), [close(liar), dropped(FIRST, why)]);
    // Parts that are shorter than was asked, or of other blocks.
    for (first, count) in [(0, 5), (1, 5), (0, 0)] {
        let mut hand = Hand::new(&content);
        let liar = hand.meet(FIRST, &content);
        hand.opened_all(liar, &content);
        let why = WhyDropped::Unasked("hash part");
        assert_eq!(hand.hash_part(liar, &content, first, count), [close(liar), dropped(FIRST, why)]);
    }
}

/// Sizes under which there is a list that comes to the root, and none of them true.
fn false_sizes(content: &Content) -> Vec<u64> {
    let size = content.size();
    let block = BLOCK as u64;
    let fewer = (1..u64::from(content.count())).map(|count| count * block);
    let others = [size - 1, size + 1, size.next_multiple_of(block)];
    let mut sizes: Vec<u64> = fewer.chain(others).filter(|claimed| *claimed != size && *claimed > block).collect();
    sizes.retain(|claimed| {
        let blocks = Blocks::of(*claimed).unwrap();
        BlockHashes::proved(content.hash, blocks, list_under(content, *claimed)).is_ok()
    });
    sizes.dedup();
    sizes
}

/// A liar says another size, with hashes that come to the root. Up to where it has to give the last block, it is not found.
fn liar_up_to_the_last_block(hand: &mut Hand, content: &Content, claimed: u64) -> There {
    let liar = hand.meet(FIRST, content);
    let count = Blocks::of(claimed).unwrap().count();
    assert_eq!(hand.opened(liar, claimed, Have::all(count)), [hashes_wanted(liar, 0, count)]);
    let hashes = list_under(content, claimed);
    let part = HashPart { fetch: liar.fetch, first: 0, hashes };
    let outputs = hand.said(liar, FromHolder::HashPart(part));
    assert_eq!(outputs.first(), Some(&blocks_wanted(liar, count - 1, 1)), "{claimed}: {outputs:?}");
    liar
}

#[test]
fn a_false_size_whose_hashes_come_to_the_root_is_found_with_its_last_block() {
    for size in [2 * BLOCK + 7, 5 * BLOCK + 7, 6 * BLOCK, 8 * BLOCK, 11 * BLOCK + 100] {
        let content = Content::new(size);
        let sizes = false_sizes(&content);
        assert!(sizes.len() >= 2, "{sizes:?}");
        for claimed in sizes {
            let mut hand = Hand::new(&content);
            let liar = liar_up_to_the_last_block(&mut hand, &content, claimed);
            let blocks = Blocks::of(claimed).unwrap();
            let last = blocks.count() - 1;
            let (at, bytes_count) = blocks.place(last).unwrap();
            let mut bytes = content.bytes[usize::try_from(at).unwrap()..].to_vec();
            bytes.resize(bytes_count, 0);
            let gone = [close(liar), dropped(FIRST, WhyDropped::FalseBlock(last))];
            assert_eq!(hand.bytes(liar, last, &bytes), gone, "{claimed} of {size}");
            // Whoever says the truth is believed then, though there is a list that says otherwise.
            let honest = hand.meet(SECOND, &content);
            let told = hand.serve(honest, &content, vec![open(honest, &content)]);
            assert_eq!(
                told.last(),
                Some(&ended(FetchEnd::Done, vec![from(SECOND, 0, content.count())], bytes_count as u64))
            );
        }
    }
}

/// The same liar gives true blocks and never the last one. What is true is kept, and the other is not blamed.
#[test]
fn a_false_size_spoils_nothing_when_the_liar_falls_silent() {
    let content = Content::new(5 * BLOCK + 7);
    for claimed in [size_of(5, 0), size_of(5, 8), size_of(6, 0)] {
        let mut hand = Hand::new(&content);
        let liar = liar_up_to_the_last_block(&mut hand, &content, claimed);
        let outputs = hand.announce(SECOND, Have::all(content.count()));
        assert_eq!(outputs, []);
        let outputs = hand.pass(HOLDER_QUIET);
        assert_eq!(outputs, [news(FIRST, HolderNews::Silent), taken(SECOND), dial(1, SECOND)]);
        let honest = hand.link(&outputs);
        let told = hand.serve(honest, &content, vec![open(honest, &content)]);
        let lied = [close(liar), dropped(FIRST, WhyDropped::FalseSize(claimed))];
        let end = [close(honest), ended(FetchEnd::Done, vec![from(SECOND, 0, content.count())], 0)];
        assert_eq!(told, [vec![keep(&content), proved(&content)], lied.to_vec(), end.to_vec()].concat(), "{claimed}");
    }
}

fn size_of(blocks: u64, bytes: u64) -> u64 {
    blocks * BLOCK as u64 + bytes
}

#[test]
fn true_blocks_of_whoever_lies_about_the_size_are_kept() {
    let content = Content::new(5 * BLOCK + 7);
    let mut hand = Hand::new(&content);
    let liar = hand.meet(FIRST, &content);
    let claimed = size_of(5, 8);
    // It says to have all but the last: so that is not asked for.
    hand.opened(liar, claimed, Have::all(5));
    assert_eq!(hand.hash_part(liar, &content, 0, 6), [blocks_wanted(liar, 0, 5)]);
    for block in 0..5 {
        assert_eq!(hand.block(liar, &content, block)[..1], [write(&content, block)]);
        hand.written(block);
    }
    let honest = hand.meet(SECOND, &content);
    assert_eq!(hand.opened_all(honest, &content), [hashes_wanted(honest, 0, 6)]);
    assert_eq!(hand.hash_part(honest, &content, 0, 6), [blocks_wanted(honest, 5, 1)]);
    assert_eq!(hand.block(honest, &content, 5), [write(&content, 5), keep(&content), proved(&content)]);
    let sources = vec![from(FIRST, 0, 5), from(SECOND, 5, 1)];
    assert_eq!(hand.written(5), [close(honest), ended(FetchEnd::Done, sources, 0)]);
}

/// A block that is true, and not the last of those that were said, has another behind it.
#[test]
fn what_is_true_contradicts_a_size() {
    let content = Content::new(5 * BLOCK + 7);
    let mut hand = Hand::new(&content);
    let first = hand.meet(FIRST, &content);
    hand.opened(first, content.size(), Have::Runs(vec![(3, 1)]));
    assert_eq!(hand.hash_part(first, &content, 0, 6), [blocks_wanted(first, 3, 1)]);
    assert_eq!(hand.block(first, &content, 3), [write(&content, 3), close(first)], "it has nothing more");
    for (number, claimed) in [(2, size_of(4, 0)), (3, size_of(3, 0)), (4, 7), (5, 17 << 30)] {
        let liar = hand.meet(number, &content);
        let why = WhyDropped::FalseSize(claimed);
        assert_eq!(hand.opened(liar, claimed, Have::all(1)), [close(liar), dropped(number, why)]);
    }
    let other = hand.meet(6, &content);
    assert_eq!(hand.opened(other, size_of(4, 1), Have::all(5)), [hashes_wanted(other, 0, 5)], "there is one more");
}

/// Once the last block is here, another size is false before anything is asked for.
#[test]
fn another_size_than_the_one_that_is_proved_is_false() {
    let content = Content::new(5 * BLOCK + 7);
    let mut hand = Hand::new(&content);
    let first = hand.meet(FIRST, &content);
    hand.opened(first, content.size(), Have::Runs(vec![(5, 1)]));
    hand.hash_part(first, &content, 0, 6);
    assert_eq!(hand.block(first, &content, 5), [write(&content, 5), keep(&content), proved(&content), close(first)]);
    for (number, claimed) in [(2, content.size() + 1), (3, content.size() - 1), (4, size_of(5, 0)), (5, size_of(9, 0))]
    {
        let liar = hand.meet(number, &content);
        let why = WhyDropped::FalseSize(claimed);
        assert_eq!(hand.opened(liar, claimed, Have::all(5)), [close(liar), dropped(number, why)]);
    }
}

/// Two are asked for their hashes, because the first says nothing for a while. The second is told what the first said first.
fn two_that_gather(content: &Content, said_by_first: u64) -> (Hand, There, There) {
    let mut hand = Hand::new(content);
    let first = hand.meet(FIRST, content);
    let count = Blocks::of(said_by_first).unwrap().count();
    hand.opened(first, said_by_first, Have::all(count));
    hand.announce(SECOND, Have::all(content.count()));
    let outputs = hand.pass(HOLDER_QUIET);
    let second = hand.link(&outputs);
    assert_eq!(hand.opened_all(second, content), [hashes_wanted(second, 0, content.count())]);
    (hand, first, second)
}

#[test]
fn hashes_that_come_late_are_of_use_if_none_came_before() {
    let content = Content::new(5 * BLOCK + 7);
    let (mut hand, first, second) = two_that_gather(&content, content.size());
    let asked = [blocks_wanted(second, 5, 1), blocks_wanted(second, 0, 5)];
    assert_eq!(hand.hash_part(first, &content, 0, 6), asked);
    assert_eq!(hand.block(second, &content, 5)[0], write(&content, 5));
    assert_eq!(hand.hash_part(second, &content, 0, 6), [], "they are known");
    assert_eq!(hand.block(second, &content, 0), [write(&content, 0)]);
    // And the other way round.
    let (mut hand, first, second) = two_that_gather(&content, content.size());
    assert_eq!(hand.hash_part(second, &content, 0, 6)[0], blocks_wanted(second, 5, 1));
    assert_eq!(hand.block(second, &content, 5), [write(&content, 5), keep(&content), proved(&content)]);
    assert_eq!(hand.hash_part(first, &content, 0, 6), []);
    assert_eq!(hand.written(5), []);
    assert_eq!(hand.block(second, &content, 0), [write(&content, 0)]);
}

#[test]
fn of_two_lists_the_one_of_whoever_is_asked_is_followed() {
    let content = Content::new(5 * BLOCK + 7);
    let claimed = size_of(3, 0);
    let lie = |there: There| {
        FromHolder::HashPart(HashPart { fetch: there.fetch, first: 0, hashes: list_under(&content, claimed) })
    };
    let asked = |there| [blocks_wanted(there, 5, 1), blocks_wanted(there, 0, 5)];
    let (mut hand, liar, honest) = two_that_gather(&content, claimed);
    assert_eq!(hand.said(liar, lie(liar)), []);
    assert_eq!(hand.mind.progress().size, Some(claimed));
    assert_eq!(hand.hash_part(honest, &content, 0, 6), asked(honest));
    let (mut hand, liar, honest) = two_that_gather(&content, claimed);
    assert_eq!(hand.hash_part(honest, &content, 0, 6), asked(honest));
    assert_eq!(hand.said(liar, lie(liar)), []);
    assert_eq!(hand.mind.progress().size, Some(content.size()));
}

/// Of two sizes nobody knows which is true. Whoever may say the same as was heard before is asked first.
#[test]
fn who_says_another_size_has_to_wait_for_those_who_do_not() {
    let content = Content::new(5 * BLOCK + 7);
    let mut hand = Hand::new(&content);
    let first = hand.meet(FIRST, &content);
    hand.opened_all(first, &content);
    hand.hash_part(first, &content, 0, 6);
    hand.announce(SECOND, Have::all(6));
    hand.announce(3, Have::all(6));
    // Its word stands, though it is gone.
    let outputs = hand.refused(first, Refusal::Changed);
    let liar = hand.link(&outputs);
    let outputs = hand.opened(liar, size_of(6, 0), Have::all(6));
    assert_eq!(outputs, [taken(3), dial(2, 3)], "somebody else may agree");
    let third = hand.link(&outputs);
    assert_eq!(hand.opened_all(third, &content), [blocks_wanted(third, 5, 1), blocks_wanted(third, 0, 5)]);
    // Nobody is left who agrees: so the other is heard.
    let outputs = hand.refused(third, Refusal::Gone);
    let asked = [close(third), dropped(3, WhyDropped::Gone), taken(SECOND), hashes_wanted(liar, 0, 6)];
    assert_eq!(outputs, asked);
}

/// Somebody whose blocks are of no use, as others count them, may count as it is.
#[test]
fn whoever_may_say_another_size_is_asked_whatever_it_has() {
    let content = Content::new(5 * BLOCK + 7);
    let claimed = size_of(5, 0);
    let mut hand = Hand::new(&content);
    let liar = hand.meet(FIRST, &content);
    hand.opened(liar, claimed, Have::all(4));
    let part = HashPart { fetch: liar.fetch, first: 0, hashes: list_under(&content, claimed) };
    assert_eq!(hand.said(liar, FromHolder::HashPart(part)), [blocks_wanted(liar, 0, 4)]);
    for block in 0..4 {
        hand.block(liar, &content, block);
        hand.written(block);
    }
    // The last one is missing, by the liar's count.
    let has_last = || Have::Runs(vec![(5, 1)]);
    let outputs = hand.announce(SECOND, has_last());
    let honest = hand.link(&outputs);
    assert_eq!(hand.announce(3, Have::all(6)), []);
    let outputs = hand.opened(honest, content.size(), has_last());
    assert_eq!(outputs, [taken(3), dial(2, 3)]);
    let refused = hand.tell(Input::DialFailed { dial: HolderDial(2), reason: String::new() });
    assert_eq!(refused[1..], [taken(SECOND), hashes_wanted(honest, 0, 6)]);
    assert_eq!(hand.hash_part(honest, &content, 0, 6), [blocks_wanted(honest, 5, 1)]);
    let outputs = hand.block(honest, &content, 5);
    assert_eq!(outputs, [write(&content, 5), keep(&content), proved(&content), close(honest)]);
    // What it has is known from now on, and so is what others need not be asked for.
    assert_eq!(hand.announce(SECOND, has_last()), []);
    assert_eq!(hand.announce(4, Have::all(4)), []);
    assert_eq!(hand.announce(5, Have::Runs(vec![(4, 1)])), [taken(5), dial(3, 5)]);
}

#[test]
fn the_only_block_of_a_content_is_judged_by_its_hash() {
    let content = Content::new(1000);
    for (claimed, bytes) in [(999, &content.bytes[..999]), (1001, &[&content.bytes[..], b"\0"].concat()), (0, b"")] {
        let mut hand = Hand::new(&content);
        let liar = hand.meet(FIRST, &content);
        assert_eq!(hand.opened(liar, claimed, Have::all(1)), [blocks_wanted(liar, 0, 1)]);
        let gone = [close(liar), dropped(FIRST, WhyDropped::FalseBlock(0))];
        assert_eq!(hand.bytes(liar, 0, bytes), gone, "{claimed}");
        let honest = hand.meet(SECOND, &content);
        assert_eq!(hand.opened_all(honest, &content), [blocks_wanted(honest, 0, 1)]);
    }
}
