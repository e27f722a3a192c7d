//! When a query ends, why, and what of it is missing or too late.

use super::*;
use common::session::ENDED_KEPT_MAX;

#[test]
fn silence_ends_a_query_and_every_answer_begins_it_anew() {
    let mut mind = Mind::asking(None);
    assert!(mind.session.pending_count() > 0);
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    mind.hear(OTHER, answer(nth(0)));
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    mind.hear(CONTACT, answer(nth(0)));
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    let elapsed = SILENCE_DEFAULT * 3 - TICK * 2;
    assert_eq!(mind.pass(TICK), [ended(EndReason::Silence, 2, None, elapsed)]);
    assert_eq!(mind.session.pending_count(), 0);
    assert_eq!(mind.session.deadline(), None);

    // Neither the contact's word nor what belongs to no query begins it anew.
    let mut mind = Mind::asking(None);
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    mind.hear(CONTACT, finished(nth(0), whole(1)));
    mind.hear(OTHER, answer(nth(1)));
    mind.hear(OTHER, Message::Ping);
    assert_eq!(mind.pass(TICK), [ended(EndReason::Silence, 0, Some(whole(1)), SILENCE_DEFAULT)]);
}

#[test]
fn the_silence_is_as_long_as_was_asked_for() {
    let silence = Duration::from_millis(250);
    let mut mind = Mind::ready(None);
    mind.ask_for(Question { silence_max: silence, ..Question::new(tea()) });
    assert_eq!(mind.pass(silence - TICK), []);
    assert_eq!(mind.pass(TICK), [ended(EndReason::Silence, 0, None, silence)]);
}

#[test]
fn a_query_is_complete_once_the_flood_is_over_and_its_answers_are_here_in_whatever_order() {
    for answers in 0..3 {
        for told_after in 0..=answers {
            let mut mind = Mind::asking(None);
            let (mut out, mut next) = (Vec::new(), 2);
            for at in 0..=answers {
                mind.now = mind.now + Duration::from_secs(1);
                assert_eq!(out.len(), usize::try_from(at).unwrap() - usize::from(at > told_after));
                if at == told_after {
                    out.extend(mind.hear(CONTACT, finished(nth(0), whole(answers))));
                } else {
                    out.extend(mind.hear(from(next), answer(nth(0))));
                    next += 1;
                }
            }
            let elapsed = Duration::from_secs(answers + 1);
            assert_eq!(out.pop(), Some(ended(EndReason::Complete, answers, Some(whole(answers)), elapsed)));
            assert_eq!(out.len() as u64, answers);
        }
    }
}

#[test]
fn what_was_lost_or_cannot_echo_may_still_answer() {
    for gap in [Tally { lost: 1, ..whole(1) }, Tally { silent: 1, ..whole(1) }] {
        let mut mind = Mind::asking(None);
        assert_eq!(mind.hear(OTHER, answer(nth(0))), [heard(2, Duration::ZERO)]);
        assert_eq!(mind.hear(CONTACT, finished(nth(0), gap)), []);
        assert_eq!(mind.hear(from(3), answer(nth(0))), [heard(3, Duration::ZERO)]);
        let out = mind.pass(SILENCE_DEFAULT);
        assert_eq!(out, [ended(EndReason::Silence, 2, Some(gap), SILENCE_DEFAULT)]);
    }
    // A TTL that ended the flood is no gap.
    let cut = Tally { stopped: 2, ..whole(0) };
    let out = Mind::asking(None).hear(CONTACT, finished(nth(0), cut));
    assert_eq!(out, [ended(EndReason::Complete, 0, Some(cut), Duration::ZERO)]);
}

#[test]
fn as_many_answers_as_wanted_end_a_query() {
    let mut mind = Mind::asking(Some(2));
    assert_eq!(mind.hear(OTHER, answer(nth(0))), [heard(2, Duration::ZERO)]);
    let out = mind.hear(from(3), answer(nth(0)));
    assert_eq!(out, [heard(3, Duration::ZERO), ended(EndReason::Answers, 2, None, Duration::ZERO)]);
    // When all there are have come as well, that is what is told.
    let mut mind = Mind::asking(Some(1));
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(1))), []);
    let out = mind.hear(OTHER, answer(nth(0)));
    assert_eq!(out, [heard(2, Duration::ZERO), ended(EndReason::Complete, 1, Some(whole(1)), Duration::ZERO)]);
    // And every query wants as many again.
    assert_eq!(mind.ask(), [send(CONTACT, request(nth(1)))]);
    assert_eq!(mind.hear(OTHER, answer(nth(1))).len(), 2);
}

#[test]
fn what_comes_after_as_many_answers_as_wanted_is_dropped() {
    let mut mind = Mind::asking(Some(1));
    mind.hear(OTHER, answer(nth(0)));
    // Neither while nothing is pending nor while something else is, and as often as it comes.
    for _ in 0..2 {
        assert_eq!(mind.hear(OTHER, answer(nth(0))), []);
        assert_eq!(mind.hear(CONTACT, answer(nth(0))), []);
        assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(9))), []);
        assert_eq!(
            mind.hear(OTHER, finished(nth(0), whole(9))),
            [unexpected(2, "finished")],
            "only the contact's word"
        );
        assert_eq!(mind.hear(OTHER, answer(nobodys(7))), [unexpected(2, "answer")]);
        if mind.session.pending_count() == 0 {
            mind.ask();
        }
    }
    assert!(mind.session.pending_count() > 0, "what is dropped ends nothing");
}

#[test]
fn what_was_promised_and_did_not_come_is_missing() {
    let missing = |out: &[Output]| ending_in(out).missing;
    for came in 0..=2 {
        let mut mind = Mind::asking(None);
        mind.hear(CONTACT, finished(nth(0), whole(3)));
        for servent in (2..).take(usize::try_from(came).unwrap()) {
            mind.hear(from(servent), answer(nth(0)));
        }
        assert_eq!(missing(&mind.pass(SILENCE_DEFAULT)), 3 - came);
    }
    // More than were promised: what was lost on the way may have answered too.
    let mut mind = Mind::asking(None);
    mind.hear(OTHER, answer(nth(0)));
    mind.hear(CONTACT, finished(nth(0), Tally { lost: 1, ..whole(0) }));
    assert_eq!(missing(&mind.pass(SILENCE_DEFAULT)), 0);
    // Where nobody promised, nothing is missing; nor where no more was wanted.
    assert_eq!(missing(&Mind::asking(None).pass(SILENCE_DEFAULT)), 0);
    let mut mind = Mind::asking(Some(1));
    mind.hear(CONTACT, finished(nth(0), whole(3)));
    assert_eq!(missing(&mind.hear(OTHER, answer(nth(0)))), 0);
    // Who stops waiting is told what had not come.
    let mut mind = Mind::asking(None);
    mind.hear(CONTACT, finished(nth(0), whole(3)));
    assert_eq!(missing(&mind.cancel(nth(0))), 3);
}

#[test]
fn an_answer_of_nobody_in_particular_is_none_of_those_promised() {
    let nameless = LinkId(3);
    let mut mind = Mind::asking(None);
    mind.tell(Input::Accepted { link: nameless, from: address(3) });
    mind.hear(nameless, nameless_hello());
    mind.hear(CONTACT, finished(nth(0), Tally { silent: 1, ..whole(1) }));
    mind.hear(nameless, answer(nth(0)));
    let out = mind.pass(SILENCE_DEFAULT);
    let ending = ending_in(&out);
    assert_eq!((ending.answers, ending.missing), (1, 1));
    // Nor does it make a query complete.
    let mut mind = Mind::asking(None);
    mind.tell(Input::Accepted { link: nameless, from: address(3) });
    mind.hear(nameless, nameless_hello());
    mind.hear(CONTACT, finished(nth(0), whole(1)));
    mind.hear(nameless, answer(nth(0)));
    assert!(mind.session.pending_count() > 0);
    mind.hear(OTHER, answer(nth(0)));
    assert_eq!(mind.session.pending_count(), 0);
}

#[test]
fn of_what_nobody_asked_for_a_few_are_told_and_the_others_counted() {
    let more = |count| Output::Tell(Report::MoreUnexpected { count });
    let mut mind = Mind::asking(None);
    for _ in 0..UNEXPECTED_TOLD_MAX {
        assert_eq!(mind.hear(OTHER, answer(nobodys(7))), [unexpected(2, "answer")]);
    }
    for _ in 0..980 {
        assert_eq!(mind.hear(OTHER, answer(nobodys(7))), []);
    }
    assert_eq!(mind.hear(OTHER, answer(nth(0))), [heard(2, Duration::ZERO)], "what was asked for is told all the same");
    let end = ended(EndReason::Complete, 1, Some(whole(1)), Duration::ZERO);
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(1))), [more(980), end]);
    // From then on they are told again, a few before the next query and during it.
    for _ in 0..UNEXPECTED_TOLD_MAX - 1 {
        assert_eq!(mind.hear(OTHER, Message::Pong), [unexpected(2, "pong")]);
    }
    mind.ask();
    assert_eq!(mind.hear(OTHER, Message::Pong), [unexpected(2, "pong")]);
    let end = ended_of(nth(1), EndReason::Cancelled, 0, None, Duration::ZERO);
    assert_eq!(mind.cancel(nth(1)), [end], "that is all there were");
}

#[test]
fn what_is_pending_can_be_cancelled_but_not_what_is_over() {
    let mut mind = Mind::ready(None);
    assert_eq!(mind.cancel(nth(0)), [], "it was never asked");
    mind.ask();
    mind.hear(OTHER, answer(nth(0)));
    mind.now = mind.now + Duration::from_secs(1);
    let elapsed = Duration::from_secs(1);
    assert_eq!(mind.cancel(nth(0)), [ended(EndReason::Cancelled, 1, None, elapsed)]);
    assert_eq!(mind.cancel(nth(0)), []);
    assert_eq!(mind.pass(SILENCE_DEFAULT), []);
    // One whose flood is over, but not whole, keeps the word it had.
    let gap = Tally { lost: 3, ..whole(0) };
    mind.ask();
    mind.hear(CONTACT, finished(nth(1), gap));
    let end = ended_of(nth(1), EndReason::Cancelled, 0, Some(gap), Duration::ZERO);
    assert_eq!(mind.cancel(nth(1)), [end]);
}

#[test]
fn what_comes_for_a_cancelled_query_is_no_surprise() {
    for others in [0, 1, 100] {
        let mut mind = Mind::ready(None);
        for _ in 0..=others {
            mind.ask();
        }
        mind.cancel(nth(0));
        for _ in 0..2 {
            assert_eq!(mind.hear(OTHER, answer(nth(0))), []);
            assert_eq!(mind.hear(CONTACT, answer(nth(0))), []);
            assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(2))), []);
        }
        assert_eq!(
            mind.hear(OTHER, finished(nth(0), whole(0))),
            [unexpected(2, "finished")],
            "only the contact's word"
        );
        assert_eq!(mind.session.pending_count(), others, "what is dropped ends nothing");
        for sequence in (1..).map(nth).take(others) {
            let end = ended_of(sequence, EndReason::Complete, 1, Some(whole(1)), Duration::ZERO);
            assert_eq!(mind.hear(OTHER, answer(sequence)), [heard_of(sequence, 2, Duration::ZERO)]);
            assert_eq!(mind.hear(CONTACT, finished(sequence, whole(1))), [end]);
        }
    }
}

#[test]
fn a_late_word_of_the_contact_is_no_surprise_but_a_late_answer_is() {
    let mut mind = Mind::asking(None);
    mind.pass(SILENCE_DEFAULT);
    assert_eq!(mind.hear(OTHER, answer(nth(0))), [unexpected(2, "answer")]);
    assert_eq!(mind.hear(OTHER, finished(nth(0), whole(0))), [unexpected(2, "finished")], "only the contact owes it");
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(0))), []);
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(0))), [unexpected(1, "finished")], "it owed one");
    // A query that is pending meanwhile is not touched by it.
    mind.ask();
    mind.pass(SILENCE_DEFAULT);
    mind.ask();
    assert_eq!(mind.hear(CONTACT, finished(nth(1), whole(0))), []);
    assert!(mind.session.pending_count() > 0);
    assert_eq!(mind.hear(CONTACT, finished(nth(2), whole(0))).len(), 1);
}

#[test]
fn what_may_come_is_known_of_as_many_queries_that_are_over_as_is_said() {
    type End = fn(&mut Mind, u64);
    let by_silence: End = |mind, _| _ = mind.pass(SILENCE_DEFAULT);
    let by_answers: End = |mind, sequence| _ = mind.hear(OTHER, answer(sequence));
    let by_cancelling: End = |mind, sequence| _ = mind.cancel(sequence);
    for (end, is_answered) in [(by_silence, false), (by_answers, true), (by_cancelling, true)] {
        let mut mind = Mind::ready(Some(1));
        let beyond = ENDED_KEPT_MAX as u64 + 1;
        for sequence in (0..beyond).map(nth) {
            mind.ask();
            end(&mut mind, sequence);
            assert_eq!(mind.session.pending_count(), 0);
        }
        // The first was forgotten for the last.
        assert_eq!(mind.hear(OTHER, answer(nth(0))), [unexpected(2, "answer")]);
        assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(0))), [unexpected(1, "finished")]);
        for sequence in (1..beyond).map(nth) {
            assert!(!is_answered || mind.hear(OTHER, answer(sequence)).is_empty());
            assert_eq!(mind.hear(CONTACT, finished(sequence, whole(3))), []);
        }
    }
}
