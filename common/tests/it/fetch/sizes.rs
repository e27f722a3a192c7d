//! Contents of all sizes from a holder that has all: what is asked for, in which order, and how it ends.

use super::*;

#[test]
fn a_content_of_one_block_needs_no_list() {
    for size in [0, 1, BLOCK - 1, BLOCK] {
        let content = Content::new(size);
        let mut hand = Hand::new(&content);
        let outputs = hand.announce(FIRST, Have::all(1));
        assert_eq!(outputs, [taken(FIRST), dial(0, FIRST)], "{size}");
        let there = hand.link(&outputs);
        assert_eq!(hand.opened_all(there, &content), [blocks_wanted(there, 0, 1)], "{size}");
        assert_eq!(hand.block(there, &content, 0), [write(&content, 0), keep(&content), proved(&content)], "{size}");
        assert_eq!(hand.written(0), [close(there), ended(FetchEnd::Done, vec![from(FIRST, 0, 1)], 0)], "{size}");
        assert_eq!(hand.mind.deadline(), None);
        assert_eq!(hand.pass(Duration::from_secs(1_000)), []);
    }
}

#[test]
fn hashes_come_first_and_then_the_last_block() {
    let content = Content::new(2 * BLOCK + 1);
    let mut hand = Hand::new(&content);
    let there = hand.meet(FIRST, &content);
    assert_eq!(hand.opened_all(there, &content), [hashes_wanted(there, 0, 3)]);
    let asked = [blocks_wanted(there, 2, 1), blocks_wanted(there, 0, 2)];
    assert_eq!(hand.hash_part(there, &content, 0, 3), asked);
    assert_eq!(hand.block(there, &content, 2), [write(&content, 2), keep(&content), proved(&content)]);
    assert_eq!(hand.block(there, &content, 0), [write(&content, 0)]);
    assert_eq!(hand.written(2), []);
    assert_eq!(hand.written(0), []);
    assert_eq!(hand.block(there, &content, 1), [write(&content, 1)]);
    assert_eq!(hand.mind.progress().here_bytes, BLOCK as u64 + 1);
    assert_eq!(hand.written(1), [close(there), ended(FetchEnd::Done, vec![from(FIRST, 0, 3)], 0)]);
    let progress = hand.mind.progress();
    assert_eq!((progress.size, progress.is_size_proved), (Some(content.size()), true));
    assert_eq!((progress.here_bytes, progress.came_bytes, progress.wasted_bytes), (content.size(), content.size(), 0));
}

#[test]
fn every_size_arrives_whole() {
    for size in [BLOCK + 1, 2 * BLOCK, 3 * BLOCK - 1, 5 * BLOCK, 64 * BLOCK, 65 * BLOCK, 200 * BLOCK + 77] {
        let content = Content::new(size);
        let mut hand = Hand::new(&content);
        let outputs = hand.announce(FIRST, Have::all(content.count()));
        let there = hand.link(&outputs);
        let told = hand.serve(there, &content, vec![open(there, &content)]);
        let count = content.count();
        let end = ended(FetchEnd::Done, vec![from(FIRST, 0, count)], 0);
        assert_eq!(told, [keep(&content), proved(&content), close(there), end], "{size}");
    }
}

/// The hashes of more blocks than one message has, and of more messages than are asked for ahead.
#[test]
fn hashes_come_in_parts_and_some_are_asked_for_ahead() {
    let parts = u32::try_from(HASH_PARTS_ASKED_MAX).unwrap() + 2;
    // The hash of such a content comes from its list: nobody needs its bytes for that.
    let count = parts * HASHES_MAX - 5;
    let blocks = Blocks::of(u64::from(count) * BLOCK as u64).unwrap();
    let list: Vec<[u8; 32]> = (0..count).map(|block| *blake3::hash(&block.to_le_bytes()).as_bytes()).collect();
    let mut tree = common::content::block_hashes::BlockTree::default();
    list.iter().for_each(|hash| tree.push(hash));
    let mut hand = Hand::wanting(Wanted::new(tree.root().unwrap(), WAIT));
    let outputs = hand.announce(FIRST, Have::all(count));
    let there = hand.link(&outputs);
    let mut outputs = hand.opened(there, blocks.size(), Have::all(count));
    let expected = |part: u32| hashes_wanted(there, part * HASHES_MAX, (count - part * HASHES_MAX).min(HASHES_MAX));
    assert_eq!(outputs, (0..parts - 2).map(expected).collect::<Vec<_>>());
    for part in 0..parts {
        let first = part * HASHES_MAX;
        let hashes = list[first as usize..].iter().take(HASHES_MAX as usize).copied().collect();
        outputs = hand.said(there, FromHolder::HashPart(HashPart { fetch: there.fetch, first, hashes }));
        match part + parts - 2 {
            next if next < parts => assert_eq!(outputs, [expected(next)]),
            _ if part + 1 < parts => assert_eq!(outputs, []),
            _ => {}
        }
    }
    assert_eq!(outputs, [blocks_wanted(there, count - 1, 1), blocks_wanted(there, 0, BLOCKS_WANTED_MAX - 1)]);
}
