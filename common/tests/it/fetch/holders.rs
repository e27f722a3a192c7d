//! Whom it asks: who is silent, busy, gone or dead, who is asked next, and how long anybody is looked for.

use super::*;

const SECOND_LONG: Duration = Duration::from_secs(1);

/// Four blocks, the first holder has opened and is asked for all of them.
fn begun(content: &Content) -> (Hand, There) {
    let mut hand = Hand::new(content);
    let there = hand.meet(FIRST, content);
    hand.opened_all(there, content);
    let asked = hand.hash_part(there, content, 0, content.count());
    assert_eq!(asked, [blocks_wanted(there, content.count() - 1, 1), blocks_wanted(there, 0, content.count() - 1)]);
    (hand, there)
}

#[test]
fn whoever_is_silent_for_3_s_is_left_for_the_next_and_dropped_after_10() {
    let content = Content::new(4 * BLOCK);
    let (mut hand, first) = begun(&content);
    hand.announce(SECOND, Have::all(4));
    assert_eq!(hand.pass(HOLDER_QUIET - Duration::from_nanos(1)), []);
    let outputs = hand.pass(Duration::from_nanos(1));
    assert_eq!(outputs, [news(FIRST, HolderNews::Silent), taken(SECOND), dial(1, SECOND)]);
    let second = hand.link(&outputs);
    assert_eq!(hand.opened_all(second, &content), [blocks_wanted(second, 3, 1), blocks_wanted(second, 0, 3)]);
    hand.block(second, &content, 3);
    hand.pass(Duration::from_secs(2));
    hand.block(second, &content, 0);
    hand.pass(Duration::from_secs(2));
    hand.block(second, &content, 1);
    let outputs = hand.pass(HOLDER_QUIET);
    assert_eq!(outputs[0], close(first));
    assert_eq!(outputs[1], dropped(FIRST, WhyDropped::Silent));
}

#[test]
fn what_comes_late_is_of_use_unless_it_came_from_another() {
    let content = Content::new(4 * BLOCK);
    let (mut hand, first) = begun(&content);
    hand.announce(SECOND, Have::all(4));
    let outputs = hand.pass(HOLDER_QUIET);
    let second = hand.link(&outputs);
    hand.opened_all(second, &content);
    // Whoever was silent gives what it was asked for, in turn.
    assert_eq!(hand.block(first, &content, 3), [write(&content, 3), keep(&content), proved(&content)]);
    assert_eq!(hand.block(second, &content, 3), []);
    assert_eq!(hand.block(second, &content, 0), [write(&content, 0)]);
    assert_eq!(hand.block(first, &content, 0), []);
    assert_eq!(hand.block(first, &content, 1), [write(&content, 1)]);
    assert_eq!(hand.block(second, &content, 1), []);
    assert_eq!(hand.block(second, &content, 2), [write(&content, 2)]);
    for block in [0, 1, 3] {
        assert_eq!(hand.written(block), []);
    }
    let sources = vec![from(SECOND, 0, 1), from(FIRST, 1, 1), from(SECOND, 2, 1), from(FIRST, 3, 1)];
    let wasted = 3 * BLOCK as u64;
    assert_eq!(hand.written(2), [close(first), close(second), ended(FetchEnd::Done, sources, wasted)]);
}

#[test]
fn whoever_speaks_again_may_be_asked_again_and_owes_what_it_owed() {
    let content = Content::new(4 * BLOCK);
    let (mut hand, first) = begun(&content);
    hand.announce(SECOND, Have::all(4));
    let outputs = hand.pass(HOLDER_QUIET);
    let second = hand.link(&outputs);
    hand.opened_all(second, &content);
    hand.block(first, &content, 3);
    // The other one is gone: nothing is asked twice of the first.
    let gone = [close(second), dropped(SECOND, WhyDropped::Gone), taken(FIRST)];
    assert_eq!(hand.refused(second, Refusal::Gone), gone);
    for block in 0..3 {
        assert_eq!(hand.block(first, &content, block), [write(&content, block)]);
    }
}

#[test]
fn without_another_whoever_is_silent_is_waited_for() {
    let content = Content::new(4 * BLOCK);
    let (mut hand, first) = begun(&content);
    assert_eq!(hand.pass(HOLDER_QUIET), [news(FIRST, HolderNews::Silent)]);
    assert_eq!(hand.pass(SECOND_LONG), []);
    assert_eq!(hand.block(first, &content, 3), [write(&content, 3), keep(&content), proved(&content)]);
    assert_eq!(hand.pass(HOLDER_QUIET), [news(FIRST, HolderNews::Silent), Output::AskAgain]);
    // Somebody comes meanwhile.
    assert_eq!(hand.announce(SECOND, Have::all(4)), [taken(SECOND), dial(1, SECOND)]);
}

#[test]
fn whoever_is_slow_is_not_silent() {
    let content = Content::new(4 * BLOCK);
    let (mut hand, first) = begun(&content);
    hand.announce(SECOND, Have::all(4));
    // Four times as long as one may be silent, and no block takes longer than it may.
    for block in [3, 0, 1] {
        for _ in 0..4 {
            assert_eq!(hand.pass(HOLDER_QUIET - SECOND_LONG), []);
            assert_eq!(hand.tell(Input::Heard { link: first.link }), []);
        }
        assert_eq!(hand.block(first, &content, block)[0], write(&content, block));
    }
}

#[test]
fn whoever_sends_nothing_whole_for_long_is_left_for_another_and_stays() {
    let content = Content::new(4 * BLOCK);
    let (mut hand, first) = begun(&content);
    hand.announce(SECOND, Have::all(4));
    for _ in 0..4 {
        assert_eq!(hand.pass(HOLDER_QUIET - SECOND_LONG), []);
        assert_eq!(hand.tell(Input::Heard { link: first.link }), []);
    }
    let left = [news(FIRST, HolderNews::Silent), taken(SECOND), dial(1, SECOND)];
    assert_eq!(hand.pass(HOLDER_QUIET - SECOND_LONG), left);
    assert_eq!(hand.block(first, &content, 3)[0], write(&content, 3), "what it sends late is of use");
}

#[test]
fn whoever_owes_nothing_is_not_silent() {
    let content = Content::new(BLOCK);
    let mut hand = Hand::new(&content);
    let there = hand.meet(FIRST, &content);
    hand.opened_all(there, &content);
    hand.block(there, &content, 0);
    // The disk takes its time.
    assert_eq!((hand.mind.deadline(), hand.pass(100 * HOLDER_QUIET_MAX)), (None, vec![]));
    assert_eq!(hand.written(0).len(), 2);
}

#[test]
fn a_dial_is_waited_for_like_a_word() {
    let content = Content::new(4 * BLOCK);
    let mut hand = Hand::new(&content);
    let outputs = hand.announce(FIRST, Have::all(4));
    assert_eq!(outputs, [taken(FIRST), dial(0, FIRST)]);
    hand.announce(SECOND, Have::all(4));
    let outputs = hand.pass(HOLDER_QUIET);
    assert_eq!(outputs, [news(FIRST, HolderNews::Silent), taken(SECOND), dial(1, SECOND)]);
    // It comes late: its link is not needed, and it may be dialled again.
    let link = LinkId(77);
    assert_eq!(hand.tell(Input::Dialled { dial: HolderDial(0), link }), [Output::Close { link }]);
    let refused = hand.tell(Input::DialFailed { dial: HolderDial(1), reason: "refused".to_owned() });
    let why = WhyDropped::Undialled("refused".to_owned());
    assert_eq!(refused, [dropped(SECOND, why), taken(FIRST), dial(2, FIRST)]);
    // One that comes to nothing at all.
    let outputs = hand.pass(HOLDER_QUIET_MAX);
    let silent = [news(FIRST, HolderNews::Silent), Output::AskAgain, dropped(FIRST, WhyDropped::Silent)];
    assert_eq!(outputs.iter().filter(|output| **output != Output::AskAgain).count(), 2, "{outputs:?}");
    assert_eq!((&outputs[0], outputs.contains(&silent[2])), (&silent[0], true));
    assert_eq!(hand.tell(Input::Dialled { dial: HolderDial(2), link }), [Output::Close { link }]);
    assert_eq!(hand.tell(Input::DialFailed { dial: HolderDial(2), reason: String::new() }), []);
}

#[test]
fn whoever_is_busy_is_asked_after_others_and_after_a_pause_that_grows() {
    let content = Content::new(4 * BLOCK);
    let mut hand = Hand::new(&content);
    let mut there = hand.meet(FIRST, &content);
    let mut pauses = Vec::new();
    for _ in 0..5 {
        let said = hand.refused(there, Refusal::Busy);
        assert_eq!(said[..2], [close(there), news(FIRST, HolderNews::Busy)]);
        let busy_at = hand.now;
        let outputs = loop {
            let outputs = hand.pass(hand.mind.deadline().unwrap().since(hand.now));
            if outputs.iter().any(|output| matches!(output, Output::Dial { .. })) {
                break outputs;
            }
        };
        pauses.push(hand.now.since(busy_at).as_secs());
        there = hand.link(&outputs);
    }
    assert_eq!(pauses, [1, 2, 4, 8, 8]);
    // Another goes before one that was busy, though that may be asked.
    let mut hand = Hand::new(&content);
    let first = hand.meet(FIRST, &content);
    hand.announce(SECOND, Have::all(4));
    hand.announce(3, Have::all(4));
    let said = hand.refused(first, Refusal::Busy);
    assert_eq!(said, [close(first), news(FIRST, HolderNews::Busy), taken(SECOND), dial(1, SECOND)]);
    hand.pass(BUSY_PAUSE_MIN);
    let refused = hand.tell(Input::DialFailed { dial: HolderDial(1), reason: String::new() });
    assert_eq!(refused[1..], [taken(3), dial(2, 3)]);
    let refused = hand.tell(Input::DialFailed { dial: HolderDial(2), reason: String::new() });
    assert_eq!(refused[1..], [taken(FIRST), dial(3, FIRST)]);
}

#[test]
fn it_is_waited_as_long_as_nobody_gives_what_is_missing() {
    let content = Content::new(2 * BLOCK);
    let mut hand = Hand::new(&content);
    let is_waiting = |hand: &Hand| hand.mind.progress().is_waiting;
    assert!(is_waiting(&hand), "nobody is known");
    let first = hand.meet(FIRST, &content);
    hand.opened_all(first, &content);
    hand.hash_part(first, &content, 0, 2);
    hand.block(first, &content, 1);
    hand.written(1);
    assert!(!is_waiting(&hand), "the other is to come");
    hand.pass(HOLDER_QUIET);
    assert!(!is_waiting(&hand), "it may come yet");
    hand.refused(first, Refusal::Gone);
    assert!(is_waiting(&hand), "it does not");
    let second = hand.meet(SECOND, &content);
    assert!(!is_waiting(&hand), "another is asked");
    hand.opened_all(second, &content);
    hand.block(second, &content, 0);
    assert!(!is_waiting(&hand), "nothing is missing");
    hand.written(0);
    assert!(!is_waiting(&hand), "it is over");
}

#[test]
fn a_link_that_is_lost_is_dialled_again_a_few_times() {
    let content = Content::new(4 * BLOCK);
    let (mut hand, first) = begun(&content);
    let lost = |there: There| Input::Closed { link: there.link, reason: "reset".to_owned() };
    let why = || WhyDropped::Lost("reset".to_owned());
    hand.block(first, &content, 3);
    assert_eq!(hand.tell(lost(first)), [dropped(FIRST, why())]);
    assert_eq!(hand.tell(lost(first)), [], "it is gone already");
    assert_eq!(hand.pass(BUSY_PAUSE_MIN - Duration::from_nanos(1)), []);
    let outputs = hand.pass(Duration::from_nanos(1));
    assert_eq!(outputs, [taken(FIRST), dial(1, FIRST)]);
    let first = hand.link(&outputs);
    // What was not given is asked for again, what was is not.
    assert_eq!(hand.opened_all(first, &content), [blocks_wanted(first, 0, 3)]);
    // A block makes good for all that was before.
    hand.block(first, &content, 0);
    let mut there = first;
    for failure in 1..u32::from(HOLDER_FAILURES_MAX) {
        assert_eq!(hand.tell(lost(there)), [dropped(FIRST, why())]);
        let outputs = hand.pass(BUSY_PAUSE_MIN * failure);
        there = hand.link(&outputs);
    }
    assert_eq!(hand.tell(lost(there)), [dropped(FIRST, why())]);
    // Nobody dials it any more, whoever says that it has all.
    for _ in 0..3 {
        let outputs = [hand.pass(ASK_AGAIN_PAUSE), hand.announce(FIRST, Have::all(4))].concat();
        assert!(!outputs.iter().any(|output| matches!(output, Output::Dial { .. })), "{outputs:?}");
    }
}

#[test]
fn whoever_is_gone_is_asked_again_if_it_is_said_to_be_there_and_not_for_ever() {
    let content = Content::new(4 * BLOCK);
    let mut hand = Hand::new(&content);
    for refusal in [Refusal::Gone, Refusal::Changed] {
        let there = hand.meet(FIRST, &content);
        let why = if refusal == Refusal::Gone { WhyDropped::Gone } else { WhyDropped::Changed };
        assert_eq!(hand.refused(there, refusal), [close(there), dropped(FIRST, why)]);
        assert_eq!(hand.pass(SECOND_LONG), []);
    }
    let outputs = hand.announce(FIRST, Have::all(4));
    let Output::Dial { dial, .. } = outputs[1] else { panic!("{outputs:?}") };
    hand.tell(Input::DialFailed { dial, reason: "refused".to_owned() });
    assert_eq!(hand.announce(FIRST, Have::all(4)), []);
}

#[test]
fn while_nobody_is_left_it_is_asked_again_until_the_wait_is_over() {
    let content = Content::new(4 * BLOCK);
    let mut hand = Hand::new(&content);
    let mut asked = Vec::new();
    let mut outputs = Vec::new();
    while let Some(deadline) = hand.mind.deadline() {
        outputs = hand.pass(deadline.since(hand.now));
        if outputs.first() == Some(&Output::AskAgain) {
            asked.push(hand.now.since(Time::START).as_secs());
        }
    }
    assert_eq!(asked, [5, 10, 15, 20, 25, 30]);
    assert_eq!(outputs.last(), Some(&ended(FetchEnd::Missing, vec![], 0)));
    assert_eq!(hand.now.since(Time::START), WAIT);
    // Whoever does not want to wait does not.
    let mut hand = Hand::wanting(Wanted::new(content.hash, Duration::ZERO));
    assert_eq!(hand.look(), [ended(FetchEnd::Missing, vec![], 0)]);
}

#[test]
fn the_wait_is_over_when_it_is_and_whoever_still_owes_something_has_its_time() {
    let content = Content::new(4 * BLOCK);
    let wait = Duration::from_secs(7);
    let mut hand = Hand::wanting(Wanted::new(content.hash, wait));
    assert_eq!(hand.pass(wait - Duration::from_nanos(1)), [Output::AskAgain]);
    assert_eq!(hand.pass(Duration::from_nanos(1)), [ended(FetchEnd::Missing, vec![], 0)]);
    let mut hand = Hand::wanting(Wanted::new(content.hash, wait));
    let there = hand.meet(FIRST, &content);
    let silent = [news(FIRST, HolderNews::Silent), Output::AskAgain];
    assert_eq!(hand.pass(HOLDER_QUIET_MAX - Duration::from_nanos(1)), silent);
    let end = [close(there), dropped(FIRST, WhyDropped::Silent), Output::AskAgain];
    assert_eq!(hand.pass(Duration::from_nanos(1))[..], [&end[..], &[ended(FetchEnd::Missing, vec![], 0)]].concat());
}

#[test]
fn what_is_on_its_way_into_the_file_is_waited_for() {
    let content = Content::new(2 * BLOCK);
    let mut hand = Hand::new(&content);
    let there = hand.meet(FIRST, &content);
    hand.opened(there, content.size(), Have::Runs(vec![(1, 1)]));
    hand.hash_part(there, &content, 0, 2);
    assert_eq!(hand.block(there, &content, 1)[0], write(&content, 1));
    let outputs = hand.pass(2 * WAIT);
    assert!(outputs.iter().all(|output| *output == Output::AskAgain), "{outputs:?}");
    let end = ended(FetchEnd::Missing, vec![from_nobody(0, 1), from(FIRST, 1, 1)], 0);
    assert_eq!(hand.written(1), [end]);
}

/// However short the wait is: who was asked may answer, and is not asked again meanwhile.
#[test]
fn while_it_is_being_asked_who_has_the_content_nothing_is_over() {
    let content = Content::new(BLOCK);
    let mut out = Vec::new();
    let mut mind = ContentFetch::new(Time::START, Wanted::new(content.hash, Duration::ZERO), &mut out);
    let now = Time::START + 2 * ASK_AGAIN_PAUSE;
    mind.handle(now, Input::Deadline, &mut out);
    assert_eq!((mind.deadline(), out.as_slice()), (None, &[][..]));
    mind.handle(now, Input::Asked, &mut out);
    assert_eq!(out, [Output::AskAgain]);
    mind.handle(now + ASK_AGAIN_PAUSE, Input::Deadline, &mut out);
    assert_eq!(out, [Output::AskAgain]);
    mind.handle(now + ASK_AGAIN_PAUSE, Input::Holder { address: address(FIRST), have: Have::all(1) }, &mut out);
    assert_eq!(out[1..], [taken(FIRST), dial(0, FIRST)]);
}

#[test]
fn what_nobody_has_is_missing_and_said_in_runs() {
    let content = Content::new(12 * BLOCK + 1);
    let mut hand = Hand::new(&content);
    let outputs = hand.announce(FIRST, Have::all(13));
    let first = hand.link(&outputs);
    let outputs = hand.opened(first, content.size(), Have::Runs(vec![(0, 4), (6, 1), (12, 1)]));
    let told = hand.serve(first, &content, outputs);
    assert_eq!(told, [keep(&content), proved(&content), close(first)]);
    hand.pass(2 * ASK_AGAIN_PAUSE);
    let progress_at = hand.now;
    // Somebody has a little more: the wait begins anew.
    let outputs = hand.announce(SECOND, Have::Runs(vec![(4, 1)]));
    let second = hand.link(&outputs);
    let outputs = hand.opened(second, content.size(), Have::Runs(vec![(0, 5)]));
    assert_eq!(outputs, [blocks_wanted(second, 4, 1)]);
    hand.serve(second, &content, outputs);
    // And somebody has nothing that is missing: it is not dialled.
    assert_eq!(hand.announce(3, Have::Runs(vec![(0, 5), (12, 1)])), []);
    let mut outputs = Vec::new();
    while let Some(deadline) = hand.mind.deadline() {
        outputs = hand.pass(deadline.since(hand.now));
    }
    let sources = vec![
        from(FIRST, 0, 4),
        from(SECOND, 4, 1),
        from_nobody(5, 1),
        from(FIRST, 6, 1),
        from_nobody(7, 5),
        from(FIRST, 12, 1),
    ];
    assert_eq!(outputs.last(), Some(&ended(FetchEnd::Missing, sources, 0)));
    assert_eq!(hand.now.since(progress_at), WAIT);
}

/// Whoever has less than was said is asked for what it has, and not for ever for the rest.
#[test]
fn whoever_has_nothing_more_is_let_go_and_asked_again_if_it_is_said_to_have_more() {
    let content = Content::new(4 * BLOCK);
    let mut hand = Hand::new(&content);
    let there = hand.meet(FIRST, &content);
    let outputs = hand.opened(there, content.size(), Have::Runs(vec![(1, 1)]));
    let told = hand.serve(there, &content, outputs);
    assert_eq!(told, [close(there)]);
    assert_eq!(hand.announce(FIRST, Have::Runs(vec![(1, 1)])), []);
    assert_eq!(hand.announce(FIRST, Have::Partly), [taken(FIRST), dial(1, FIRST)]);
}

#[test]
fn a_file_that_cannot_be_written_ends_it() {
    let content = Content::new(4 * BLOCK);
    let (mut hand, first) = begun(&content);
    hand.block(first, &content, 3);
    hand.written(3);
    hand.block(first, &content, 0);
    let outputs = hand.tell(Input::WriteFailed { reason: "no room".to_owned() });
    let sources = vec![from_nobody(0, 3), from(FIRST, 3, 1)];
    assert_eq!(outputs, [close(first), ended(FetchEnd::Unwritten("no room".to_owned()), sources, 0)]);
    assert_eq!((hand.block(first, &content, 1), hand.written(0), hand.mind.deadline()), (vec![], vec![], None));
    let link = LinkId(9);
    assert_eq!(hand.tell(Input::Dialled { dial: HolderDial(9), link }), [Output::Close { link }]);
}
