//! The clock of a servent's mind at its doors: what counts as an event, and under which stamp it speaks.

use super::*;
use common::limits::STAMP_STEP_MAX;

/// Told something under a stamp: what is said to that, and the stamp it is said under.
fn heard_under(mind: &mut Mind, link: LinkId, stamp: u64, message: Message) -> (usize, u64) {
    let out = mind.tell(Input::Received { link, stamp, message });
    (out.len(), mind.overlay.stamp())
}

#[test]
fn whatever_is_said_at_once_is_one_event_under_one_stamp() {
    let (mut mind, [one, _, _]) = Mind::linked();
    let before = mind.overlay.stamp();
    let query = Message::query(query(7, 3, tea()));
    let (outputs_count, after) = heard_under(&mut mind, one, 0, query);
    assert!(outputs_count >= 2, "it is answered and passed on");
    assert_eq!(after, before + 2, "one for what was heard and one for all that was said");
}

#[test]
fn what_is_heard_and_not_answered_is_one_event() {
    let (mut mind, [link]) = Mind::linked();
    let before = mind.overlay.stamp();
    assert_eq!(heard_under(&mut mind, link, 0, Message::Pong), (0, before + 1));
    assert_eq!(mind.tell(Input::Deadline), []);
    assert_eq!(mind.overlay.stamp(), before + 1, "nothing happened");
}

#[test]
fn what_is_said_comes_after_all_that_was_heard() {
    let (mut mind, [link]) = Mind::linked();
    assert_eq!(heard_under(&mut mind, link, 1_000, Message::Ping), (1, 1_002));
    assert_eq!(heard_under(&mut mind, link, 5, Message::Ping), (1, 1_004));
}

#[test]
fn a_liar_moves_it_so_far_at_once_and_no_further() {
    let (mut mind, [link]) = Mind::linked();
    for more in 1..100 {
        assert_eq!(heard_under(&mut mind, link, u64::MAX, Message::Pong), (0, STAMP_STEP_MAX + more));
    }
}
