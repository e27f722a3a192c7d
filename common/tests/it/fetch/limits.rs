//! What it holds and asks for at once: each limit is reached, and there is room again behind it.

use super::*;
use common::fetch::CHECKING_MAX;

fn asked_blocks(outputs: &[Output]) -> Vec<(u32, u32)> {
    let wanted = outputs.iter().filter_map(|output| match output {
        Output::Send { message: ToHolder::BlocksWanted(BlocksWanted { first, count, .. }), .. } => {
            Some((*first, *count))
        }
        _ => None,
    });
    wanted.collect()
}

#[test]
fn blocks_are_asked_for_ahead_and_no_more_than_may_be_held() {
    let content = Content::new(200 * BLOCK);
    let most = u32::try_from(BLOCKS_ASKED_BYTES_MAX / BLOCK).unwrap();
    let low = u32::try_from(BLOCKS_ASKED_BYTES_LOW / BLOCK).unwrap();
    let mut hand = Hand::new(&content);
    let there = hand.meet(FIRST, &content);
    hand.opened_all(there, &content);
    let outputs = hand.hash_part(there, &content, 0, 200);
    assert_eq!(asked_blocks(&outputs), [(199, 1), (0, most - 1)]);
    // So many come before more is asked for, and then as many again.
    let mut due: std::collections::VecDeque<u32> = [199].into_iter().chain(0..most - 1).collect();
    let mut held = 0;
    while let Some(block) = due.pop_front() {
        let outputs = hand.block(there, &content, block);
        assert_eq!(outputs[0], write(&content, block));
        held += 1;
        let asked = asked_blocks(&outputs);
        let left = u32::try_from(due.len()).unwrap();
        let room = 2 * most - held - left;
        let next = if left > low { 0 } else { (most - left).min(room) };
        assert_eq!(asked.iter().map(|(_, count)| *count).sum::<u32>(), next, "{left} are asked for, {held} held");
        due.extend(asked.into_iter().flat_map(|(first, count)| first..first + count));
    }
    // Nothing was written: there is no room for more, and nobody is silent.
    assert_eq!(held as usize * BLOCK, BLOCKS_HELD_BYTES_MAX);
    assert_eq!(hand.pass(10 * HOLDER_QUIET_MAX), []);
    let outputs = hand.written(0);
    assert_eq!(asked_blocks(&outputs), [(held - 1, 1)]);
    let owes = "it owes something from now on, and not from when it said something last";
    assert_eq!(hand.tell(Input::Deadline), [], "{owes}");
    assert_eq!(hand.pass(HOLDER_QUIET - Duration::from_nanos(1)), [], "{owes}");
    assert_eq!(hand.pass(Duration::from_nanos(1)), [news(FIRST, HolderNews::Silent), Output::AskAgain]);
}

/// What comes late finds no more room than there is, beside what whoever is asked may give any moment.
#[test]
fn what_comes_late_is_not_held_where_there_is_no_room() {
    let content = Content::new(300 * BLOCK);
    let mut hand = Hand::new(&content);
    let first = hand.meet(FIRST, &content);
    hand.opened_all(first, &content);
    hand.hash_part(first, &content, 0, 300);
    hand.announce(SECOND, Have::all(300));
    let outputs = hand.pass(HOLDER_QUIET);
    let second = hand.link(&outputs);
    // It has nothing of what the first owes.
    let outputs = hand.opened(second, content.size(), Have::Runs(vec![(63, 236)]));
    let mut due = std::collections::VecDeque::from(asked_blocks(&outputs));
    let mut held = 0;
    while let Some((begin, count)) = due.pop_front() {
        for block in begin..begin + count {
            let outputs = hand.block(second, &content, block);
            held += outputs.iter().filter(|output| matches!(output, Output::Write { .. })).count();
            due.extend(asked_blocks(&outputs));
        }
    }
    assert_eq!(held * BLOCK, BLOCKS_HELD_BYTES_MAX);
    let wasted = |hand: &Hand| hand.mind.progress().wasted_bytes / BLOCK as u64;
    assert_eq!((hand.block(first, &content, 299), wasted(&hand)), (vec![], 1));
    // The room of one block is for the one that is asked for.
    let asked = hand.written(63);
    assert_eq!(asked_blocks(&asked), [(63 + u32::try_from(held).unwrap(), 1)]);
    assert_eq!((hand.block(first, &content, 0), wasted(&hand)), (vec![], 2));
    assert_eq!(hand.refused(second, Refusal::Gone)[..1], [close(second)]);
    assert_eq!((hand.block(first, &content, 1)[0].clone(), wasted(&hand)), (write(&content, 1), 2));
}

#[test]
fn so_many_holders_are_known_and_an_invented_one_keeps_out_nobody() {
    let content = Content::new(4 * BLOCK);
    let at = |number: usize| SocketAddr::from((Ipv4Addr::from(0x0a00_0000 + u32::try_from(number).unwrap()), 9000));
    let have = || Have::all(4);
    let mut hand = Hand::new(&content);
    let mut outputs = Vec::new();
    for number in 1..=CONTENT_HOLDERS_MAX {
        outputs.extend(hand.tell(Input::Holder { address: at(number), have: have() }));
    }
    let one_more = |hand: &mut Hand| hand.tell(Input::Holder { address: at(CONTENT_HOLDERS_MAX + 1), have: have() });
    assert_eq!((one_more(&mut hand), hand.mind.progress().holders_count), (vec![], CONTENT_HOLDERS_MAX));
    // None of them is there.
    for _ in 0..CONTENT_HOLDERS_MAX {
        let dial = outputs.iter().find_map(|output| match output {
            Output::Dial { dial, .. } => Some(*dial),
            _ => None,
        });
        outputs = hand.tell(Input::DialFailed { dial: dial.unwrap(), reason: "refused".to_owned() });
    }
    assert_eq!(outputs.len(), 1, "nobody is left: {outputs:?}");
    let outputs = one_more(&mut hand);
    assert!(
        matches!(outputs[1], Output::Dial { address, .. } if address == at(CONTENT_HOLDERS_MAX + 1)),
        "{outputs:?}"
    );
    assert_eq!(hand.mind.progress().holders_count, CONTENT_HOLDERS_MAX);
}

/// The place of one that gave something stays its own: it is told what is from whom.
#[test]
fn whoever_gave_a_block_is_not_forgotten() {
    let content = Content::new(2 * BLOCK);
    let at = |number: usize| SocketAddr::from((Ipv4Addr::from(0x0b00_0000 + u32::try_from(number).unwrap()), 9000));
    let mut hand = Hand::new(&content);
    let first = hand.meet(FIRST, &content);
    hand.opened_all(first, &content);
    hand.hash_part(first, &content, 0, 2);
    hand.block(first, &content, 1);
    hand.written(1);
    hand.bytes(first, 0, b"false");
    for number in 0..CONTENT_HOLDERS_MAX {
        hand.tell(Input::Holder { address: at(number), have: Have::all(2) });
    }
    assert_eq!(hand.mind.progress().holders_count, CONTENT_HOLDERS_MAX);
    assert_eq!(hand.mind.sources(), [from_nobody(0, 1), from(FIRST, 1, 1)]);
}

#[test]
fn nobody_is_dialled_where_nobody_can_be() {
    let content = Content::new(4 * BLOCK);
    let mut hand = Hand::new(&content);
    for address in ["10.0.0.1:0", "0.0.0.0:9000", "224.0.0.1:9000", "255.255.255.255:9000", "[::]:9000"] {
        let address = address.parse().unwrap();
        assert_eq!(hand.tell(Input::Holder { address, have: Have::all(4) }), [], "{address}");
    }
    assert_eq!(hand.mind.progress().holders_count, 0);
}

#[test]
fn so_many_blocks_are_checked_at_once() {
    // Hashes without bytes: the disk alone is asked.
    let count = 3 * CHECKING_MAX;
    let size = u64::from(count) * BLOCK as u64;
    let list: Vec<[u8; 32]> = (0..count).map(|block| *blake3::hash(&block.to_le_bytes()).as_bytes()).collect();
    let mut tree = common::content::block_hashes::BlockTree::default();
    list.iter().for_each(|hash| tree.push(hash));
    let kept = Some(KeptHashes { size, hashes: list.clone() });
    // Every second block has a hole behind it.
    let block = BLOCK as u64;
    let places = (0..u64::from(count) / 3).map(|run| run * 3 * block..(run * 3 + 2) * block).collect();
    let mut hand = Hand::wanting(Wanted { kept, on_disk: places, ..Wanted::new(tree.root().unwrap(), WAIT) });
    let mut outputs = hand.look();
    let (mut checking, mut checked) = (0, 0);
    let mut due = std::collections::VecDeque::new();
    loop {
        assert!(outputs.is_empty() || checking <= CHECKING_MAX / 2, "{checking} are enough");
        for output in outputs.drain(..) {
            let Output::Check { blocks, first, count } = output else { panic!("{output:?}") };
            checking += count;
            due.push_back((blocks, first, count));
        }
        assert!(checking <= CHECKING_MAX, "{checking}");
        assert!(checking > 0 || checked == CHECKING_MAX * 2, "{checked}");
        let Some((blocks, first, count)) = due.pop_front() else { break };
        if checked == 0 {
            assert_eq!(checking, CHECKING_MAX);
        }
        let hashes = list[first as usize..][..count as usize].iter().copied().map(Some).collect();
        outputs = hand.tell(Input::Checked { blocks, first, hashes });
        checking -= count;
        checked += count;
    }
    assert_eq!(hand.mind.progress().here_bytes, u64::from(checked) * block);
}

/// Whoever has all but the first is left for one that has it, before more has come than is held for those before it.
#[test]
fn what_is_written_in_order_is_not_asked_for_long_before_its_turn() {
    let content = Content::new(300 * BLOCK);
    let most = u32::try_from(BLOCKS_HELD_BYTES_MAX / BLOCK).unwrap();
    let wanted = Wanted { in_order: true, ..Wanted::new(content.hash, WAIT) };
    let mut hand = Hand::wanting(wanted);
    let outputs = hand.announce(FIRST, Have::Partly);
    let first = hand.link(&outputs);
    hand.opened(first, content.size(), Have::Runs(vec![(1, 299)]));
    let outputs = hand.hash_part(first, &content, 0, 300);
    let mut due = std::collections::VecDeque::from(asked_blocks(&outputs));
    let mut held = Vec::new();
    let mut closed = false;
    while let Some((begin, count)) = due.pop_front() {
        for block in begin..begin + count {
            let outputs = hand.block(first, &content, block);
            held.push(block);
            due.extend(asked_blocks(&outputs));
            closed |= outputs.contains(&close(first));
        }
    }
    let expected: Vec<u32> = [299].into_iter().chain(1..most - 1).collect();
    assert_eq!((held, closed), (expected, true), "the first is missing, and it does not have it");
    assert_eq!(hand.pass(WAIT / 2)[0], Output::AskAgain, "whatever is held, somebody is looked for");
    // The second has it; what is behind all that is held is asked for as soon as that is written.
    let second = hand.meet(SECOND, &content);
    let outputs = hand.opened_all(second, &content);
    assert_eq!(asked_blocks(&outputs), [(0, 1)]);
    assert_eq!(asked_blocks(&hand.block(second, &content, 0)), [], "all that may be held is held");
    assert_eq!(hand.pass(10 * HOLDER_QUIET_MAX), [], "nobody is silent, and nobody is left: nothing is asked for");
    // Whoever has had nothing to do for long gives its place to others, which is nothing against it.
    assert_eq!(hand.refused(second, Refusal::Busy), [close(second)]);
    assert_eq!(hand.pass(10 * HOLDER_QUIET_MAX), []);
    let outputs = hand.written(0);
    assert_eq!(
        outputs[0],
        news(SECOND, HolderNews::Taken),
        "it is the better one still, and looked for anew: {outputs:?}"
    );
    let second = hand.link(&outputs);
    let outputs = hand.opened_all(second, &content);
    assert_eq!(asked_blocks(&outputs), [(most - 1, 1)]);
    let low = u32::try_from(BLOCKS_ASKED_BYTES_LOW / BLOCK).unwrap();
    for block in 1..=low {
        let outputs = hand.written(block);
        assert_eq!(asked_blocks(&outputs), [(most - 1 + block, 1)], "{block} is written");
    }
}

/// As long as what is here waits to be written nobody is looked for, and that is no time in which nobody was found.
#[test]
fn whoever_reads_slowly_has_all_the_time_to_find_another_holder() {
    let content = Content::new(300 * BLOCK);
    let mut hand = Hand::wanting(Wanted { in_order: true, ..Wanted::new(content.hash, WAIT) });
    let there = hand.meet(FIRST, &content);
    hand.opened_all(there, &content);
    let outputs = hand.hash_part(there, &content, 0, 300);
    let mut due = std::collections::VecDeque::from(asked_blocks(&outputs));
    while let Some((begin, count)) = due.pop_front() {
        for block in begin..begin + count {
            due.extend(asked_blocks(&hand.block(there, &content, block)));
        }
    }
    hand.refused(there, Refusal::Gone);
    assert_eq!(hand.pass(2 * WAIT), []);
    assert_eq!(hand.written(0), [Output::AskAgain]);
    let held = u32::try_from(BLOCKS_HELD_BYTES_MAX / BLOCK).unwrap();
    (1..held - 1).for_each(|block| assert_eq!(hand.written(block), []));
    let outputs = hand.pass(WAIT - Duration::from_nanos(1));
    assert!(outputs.iter().all(|output| *output == Output::AskAgain), "{outputs:?}");
    assert!(matches!(hand.pass(Duration::from_nanos(1))[..], [.., Output::Tell(FetchReport::Ended(_))]));
}
