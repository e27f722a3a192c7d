//! Many queries at once, each with its own wait and its own end.

use super::*;
use common::session::TooManyPending;

#[test]
fn each_query_waits_for_as_many_answers_and_for_as_long_as_it_was_told() {
    let mut mind = Mind::ready(None);
    let patient = Question { silence_max: Duration::from_secs(60), ..Question::new(tea()) };
    let hasty = Question { silence_max: Duration::from_millis(10), ..Question::new(tea()) };
    let content = Question { answers_wanted: Some(2), ..Question::new(tea()) };
    let [first, second, third] = [nth(0), nth(1), nth(2)];
    for (sequence, question) in [(first, &patient), (second, &hasty), (third, &content)] {
        assert_eq!(mind.ask_for(question.clone()), [send(CONTACT, request(sequence))]);
    }
    for sequence in [third, first, second] {
        assert_eq!(mind.hear(OTHER, answer(sequence)), [heard_of(sequence, 2, Duration::ZERO)]);
    }
    assert_eq!(mind.hear(from(3), answer(first)), [heard_of(first, 3, Duration::ZERO)], "it wants all there are");
    let end = ended_of(third, EndReason::Answers, 2, None, Duration::ZERO);
    assert_eq!(mind.hear(from(3), answer(third)), [heard_of(third, 3, Duration::ZERO), end]);
    let end = ended_of(second, EndReason::Silence, 1, None, hasty.silence_max);
    assert_eq!(mind.pass(hasty.silence_max), [end]);
    let end = ended_of(first, EndReason::Silence, 2, None, patient.silence_max);
    assert_eq!(mind.pass(patient.silence_max - hasty.silence_max), [end]);
    assert_eq!(mind.session.deadline(), None);
}

#[test]
fn who_wants_no_answer_has_them_all_at_once() {
    let mut mind = Mind::ready(None);
    let end = ended(EndReason::Answers, 0, None, Duration::ZERO);
    let question = Question { answers_wanted: Some(0), ..Question::new(tea()) };
    assert_eq!(mind.ask_for(question), [send(CONTACT, request(nth(0))), end]);
    assert_eq!(mind.hear(OTHER, answer(nth(0))), []);
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(1))), []);
}

#[test]
fn an_answer_to_one_query_does_not_lengthen_the_wait_of_another() {
    let second = nth(1);
    let mut mind = Mind::asking(None);
    mind.ask();
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    mind.hear(OTHER, answer(second));
    assert_eq!(mind.pass(TICK), [ended(EndReason::Silence, 0, None, SILENCE_DEFAULT)]);
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK - TICK), []);
    let elapsed = SILENCE_DEFAULT * 2 - TICK;
    assert_eq!(mind.pass(TICK), [ended_of(second, EndReason::Silence, 1, None, elapsed)]);
}

#[test]
fn finished_ends_the_query_it_is_about_and_no_other() {
    let second = nth(1);
    let mut mind = Mind::asking(None);
    mind.ask();
    let end = ended_of(second, EndReason::Complete, 0, Some(whole(0)), Duration::ZERO);
    assert_eq!(mind.hear(CONTACT, finished(second, whole(0))), [end]);
    assert_eq!(mind.session.pending_count(), 1);
    // One answer to each: neither counts for the other.
    mind.ask();
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(1))), []);
    assert_eq!(mind.hear(OTHER, answer(nth(2))), [heard_of(nth(2), 2, Duration::ZERO)]);
    assert_eq!(mind.session.pending_count(), 2);
    let end = ended(EndReason::Complete, 1, Some(whole(1)), Duration::ZERO);
    assert_eq!(mind.hear(OTHER, answer(nth(0))), [heard(2, Duration::ZERO), end]);
}

#[test]
fn a_key_and_the_topology_are_asked_for_side_by_side() {
    let mut mind = Mind::asking(None);
    mind.ask_for(Question::new(Ask::Topology));
    let place = AnswerBody::Place { path: Path::default(), neighbors: Vec::new() };
    let places = |sequence| {
        Message::Answer(Answer { sequence, asked: Some(AskHash::of(&Ask::Topology)), hops: 2, body: place.clone() })
    };
    // What a query did not ask for is no answer to it, and none to the other.
    assert_eq!(mind.hear(OTHER, places(nth(0))), [unexpected(2, "answer")]);
    assert_eq!(mind.hear(OTHER, answer(nth(1))), [unexpected(2, "answer")]);
    assert_eq!(mind.hear(OTHER, answer(nth(0))), [heard(2, Duration::ZERO)]);
    assert_eq!(mind.hear(OTHER, places(nth(1))).len(), 1);
    assert_eq!(mind.session.pending_count(), 2);
}

#[test]
fn when_the_contact_is_lost_each_query_ends_by_its_own_wait_and_none_is_called_complete() {
    let second = nth(1);
    let longer = SILENCE_DEFAULT * 2;
    let mut mind = Mind::asking(None);
    mind.ask_for(Question { silence_max: longer, ..Question::new(tea()) });
    // Of the second the contact has said how many answers there are, and only one of these has come.
    assert_eq!(mind.hear(CONTACT, finished(second, whole(2))), []);
    assert_eq!(mind.hear(OTHER, answer(second)), [heard_of(second, 2, Duration::ZERO)]);
    let reason = "a test".to_owned();
    assert_eq!(mind.closed(CONTACT), [Output::Tell(Report::ContactLost { reason })], "it is told once");
    assert_eq!(mind.pass(SILENCE_DEFAULT), [ended(EndReason::Silence, 0, None, SILENCE_DEFAULT)]);
    let end = ended_of(second, EndReason::Silence, 1, Some(whole(2)), longer);
    assert_eq!(mind.pass(longer - SILENCE_DEFAULT), [end]);
    assert_eq!(mind.session.pending_count(), 0);
}

#[test]
fn another_contact_has_no_say_in_what_was_asked_of_the_first() {
    let again = LinkId(3);
    for asks_between in [false, true] {
        let mut mind = if asks_between { Mind::ready(None) } else { Mind::asking(None) };
        mind.closed(CONTACT);
        if asks_between {
            assert_eq!(mind.ask(), [], "there is nobody to ask");
        }
        mind.tell(Input::Attached { link: again, contact: address(3) });
        assert_eq!(mind.hear(again, servent_hello(3)), [Output::Tell(Report::Ready)]);
        assert_eq!(mind.hear(again, finished(nth(0), whole(0))), [unexpected(3, "finished")]);
        // What is asked of the new one is for the new one to end.
        assert_eq!(mind.ask(), [send(again, request(nth(1)))]);
        let end = ended_of(nth(1), EndReason::Complete, 0, Some(whole(0)), Duration::ZERO);
        assert_eq!(mind.hear(again, finished(nth(1), whole(0))), [end]);
        // Answers are, whoever brings them.
        assert_eq!(mind.hear(again, answer(nth(0))), [heard(3, Duration::ZERO)]);
        assert_eq!(mind.pass(SILENCE_DEFAULT), [ended(EndReason::Silence, 1, None, SILENCE_DEFAULT)]);
    }
}

#[test]
fn another_contact_has_no_say_in_what_is_over_either() {
    let again = LinkId(3);
    // Asked of the first contact or of nobody, and what came of it.
    for is_asked in [true, false] {
        for is_cancelled in [true, false] {
            let mut mind = Mind::ready(None);
            if is_asked {
                mind.ask();
                mind.closed(CONTACT);
            } else {
                mind.closed(CONTACT);
                mind.ask();
            }
            if is_cancelled {
                mind.cancel(nth(0));
            } else {
                mind.pass(SILENCE_DEFAULT);
            }
            mind.tell(Input::Attached { link: again, contact: address(3) });
            mind.hear(again, servent_hello(3));
            assert_eq!(mind.hear(again, finished(nth(0), whole(0))), [unexpected(3, "finished")], "{is_asked}");
            let answered = mind.hear(again, answer(nth(0)));
            assert_eq!(answered.is_empty(), is_cancelled, "answers are no surprise, whoever brings them");
        }
    }
}

#[test]
fn a_contact_that_answers_and_finishes_what_was_never_asked_surprises_and_ends_nothing() {
    let mut mind = Mind::asking(None);
    mind.ask();
    for sequence in [nobodys(1), nth(2), 0, u64::MAX] {
        assert_eq!(mind.hear(CONTACT, answer(sequence)), [unexpected(1, "answer")]);
        assert_eq!(mind.hear(CONTACT, finished(sequence, whole(1))), [unexpected(1, "finished")]);
    }
    assert_eq!(mind.session.pending_count(), 2);
    // It is not believed of what is asked by that number only then, either.
    assert_eq!(mind.ask(), [send(CONTACT, request(nth(2)))]);
    assert_eq!(mind.hear(CONTACT, finished(nth(2), whole(1))), []);
    assert_eq!(mind.session.pending_count(), 3);
}

#[test]
fn ten_thousand_queries_are_pending_and_each_ends_complete_in_whatever_order_it_is_answered() {
    const COUNT: u64 = 10_000;
    let mut mind = Mind::ready(None);
    for sequence in (0..COUNT).map(nth) {
        assert_eq!(mind.ask(), [send(CONTACT, request(sequence))]);
    }
    assert_eq!(mind.session.pending_count() as u64, COUNT);
    // Two things are said of each, in an order that mixes them all.
    let mut said: Vec<(u64, bool)> =
        (0..COUNT).map(nth).flat_map(|sequence| [(sequence, true), (sequence, false)]).collect();
    let mut random = Random::new(7);
    for place in (1..said.len()).rev() {
        said.swap(place, random.index(place + 1));
    }
    let mut half_said = BTreeSet::new();
    for (sequence, is_answer) in said {
        let is_first = half_said.insert(sequence);
        let end = ended_of(sequence, EndReason::Complete, 1, Some(whole(1)), Duration::ZERO);
        let out = match is_answer {
            true => mind.hear(OTHER, answer(sequence)),
            false => mind.hear(CONTACT, finished(sequence, whole(1))),
        };
        match (is_answer, is_first) {
            (true, true) => assert_eq!(out, [heard_of(sequence, 2, Duration::ZERO)]),
            (true, false) => assert_eq!(out, [heard_of(sequence, 2, Duration::ZERO), end]),
            (false, true) => assert_eq!(out, []),
            (false, false) => assert_eq!(out, [end]),
        }
    }
    assert_eq!((mind.session.pending_count(), mind.session.deadline()), (0, None));
}

#[test]
fn one_query_more_than_may_be_pending_is_refused_and_nothing_else_is_lost() {
    let mut mind = Mind::ready(None);
    let last = CLIENT_PENDING_MAX as u64 - 1;
    for sequence in (0..=last).map(nth) {
        assert_eq!(mind.ask(), [send(CONTACT, request(sequence))]);
    }
    let mut out = Vec::new();
    for _ in 0..2 {
        let refused = mind.session.ask(mind.now, Question::new(tea()), &mut out);
        assert_eq!((refused, out.len()), (Err(TooManyPending), 0));
    }
    assert_eq!(mind.session.pending_count(), CLIENT_PENDING_MAX);
    // As soon as one is over there is room again, and no number was used up.
    let end = ended(EndReason::Complete, 0, Some(whole(0)), Duration::ZERO);
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(0))), [end]);
    assert_eq!(mind.ask(), [send(CONTACT, request(nth(last + 1)))]);
    let ends: Vec<Output> =
        (1..=last + 1).map(|it| ended_of(nth(it), EndReason::Silence, 0, None, SILENCE_DEFAULT)).collect();
    assert_eq!(mind.pass(SILENCE_DEFAULT), ends);
    assert_eq!(mind.session.deadline(), None);
}

#[test]
fn nobody_is_surprised_when_as_many_as_can_be_pending_are_over_at_once_and_as_many_again() {
    for is_cancelled in [true, false] {
        let mut mind = Mind::ready(None);
        let count = CLIENT_PENDING_MAX as u64;
        for first in [0, count] {
            for _ in 0..count {
                mind.ask();
            }
            if is_cancelled {
                (first..first + count).for_each(|number| assert_eq!(mind.cancel(nth(number)).len(), 1));
            } else {
                mind.pass(SILENCE_DEFAULT);
            }
            assert_eq!(mind.session.pending_count(), 0);
        }
        for sequence in (0..2 * count).map(nth) {
            assert_eq!(mind.hear(CONTACT, finished(sequence, whole(1))), []);
            assert!(!is_cancelled || mind.hear(OTHER, answer(sequence)).is_empty());
        }
    }
}

#[test]
fn while_many_queries_end_what_nobody_asked_for_is_told_for_about_as_long_as_one_is_pending() {
    let surprises =
        |mind: &mut Mind, count: u64| (0..count).map(|_| mind.hear(OTHER, Message::Pong).len()).sum::<usize>();
    let end_of = |mind: &mut Mind, sequence| {
        let out = mind.hear(CONTACT, finished(sequence, whole(0)));
        match &out[..] {
            [Output::Tell(Report::Ended { .. })] => 0,
            [Output::Tell(Report::MoreUnexpected { count }), Output::Tell(Report::Ended { .. })] => *count,
            _ => panic!("{out:?}"),
        }
    };
    let most = usize::try_from(UNEXPECTED_TOLD_MAX).unwrap();
    let mut mind = Mind::ready(None);
    for _ in 0..4 {
        mind.ask();
    }
    // All four were asked before: the end of the first begins anew, those of the next two do not.
    assert_eq!(surprises(&mut mind, UNEXPECTED_TOLD_MAX + 5), most);
    assert_eq!(end_of(&mut mind, nth(0)), 5);
    assert_eq!(surprises(&mut mind, UNEXPECTED_TOLD_MAX + 5), most);
    assert_eq!(end_of(&mut mind, nth(1)), 0);
    assert_eq!(surprises(&mut mind, 2), 0);
    assert_eq!(end_of(&mut mind, nth(2)), 0);
    // One that was asked since does, also while another is pending.
    for _ in 0..3 {
        mind.ask();
    }
    assert_eq!(end_of(&mut mind, nth(6)), 7);
    assert_eq!(surprises(&mut mind, UNEXPECTED_TOLD_MAX + 1), most);
    assert_eq!([nth(4), nth(5)].map(|sequence| end_of(&mut mind, sequence)), [0, 0]);
    // And so does the last, whenever it was asked: nothing stays uncounted.
    assert_eq!(end_of(&mut mind, nth(3)), 1);
    assert_eq!(surprises(&mut mind, 1), 1);
}
