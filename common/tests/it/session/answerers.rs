//! Whose answers they are, and when these are all that were promised.

use super::*;
use common::limits::CLIENT_ANSWERERS_MAX;

#[test]
fn an_answer_to_another_ask_is_unexpected_whatever_its_sequence() {
    let mut mind = Mind::asking(None);
    let about = |asked| Message::Answer(Answer { sequence: nth(0), asked, hops: 2, body: green() });
    let coffee = Ask::Key(Key::new(b"coffee").unwrap());
    for other in [AskHash::of(&coffee), AskHash::of(&Ask::Topology), AskHash(0)] {
        assert_eq!(mind.hear(OTHER, about(Some(other))), [unexpected(2, "answer")]);
    }
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), [], "nor does it lengthen the wait");
    assert_eq!(mind.hear(OTHER, about(Some(AskHash(1)))), [unexpected(2, "answer")]);
    let end = ended(EndReason::Silence, 0, None, SILENCE_DEFAULT);
    assert_eq!(mind.pass(TICK), [end]);
    // That it was an answer to something else does not count as an answer of that servent.
    let mut mind = Mind::asking(None);
    mind.hear(OTHER, about(Some(AskHash(1))));
    assert_eq!(mind.hear(OTHER, answer(nth(0))), [heard(2, Duration::ZERO)]);
    // Where a dialect has no words for what was asked, it is not known to be another.
    assert_eq!(mind.hear(from(3), about(None)), [heard(3, Duration::ZERO)]);
    // A place is no answer to a key, and a value none to the topology, whatever they say they are to.
    let place = AnswerBody::Place { path: Path::default(), neighbors: Vec::new() };
    for (ask, body) in [(tea(), place), (Ask::Topology, green())] {
        let mut mind = Mind::ready(None);
        mind.ask_for(Question::new(ask.clone()));
        let answer = Answer { sequence: nth(0), asked: Some(AskHash::of(&ask)), hops: 2, body };
        assert_eq!(mind.hear(OTHER, Message::Answer(answer)), [unexpected(2, "answer")], "{ask}");
    }
}

#[test]
fn a_servent_answers_once_over_however_many_links() {
    let again = LinkId(9);
    let mut mind = Mind::asking(None);
    mind.tell(Input::Accepted { link: again, from: address(9) });
    mind.hear(again, servent_hello(2));
    assert_eq!(mind.hear(OTHER, answer(nth(0))), [heard(2, Duration::ZERO)]);
    for link in [OTHER, again] {
        assert_eq!(mind.hear(link, answer(nth(0))), [unexpected(2, "answer")]);
    }
    // Whoever says that it is the same by another address is it all the same.
    let renamed = LinkId(10);
    mind.tell(Input::Accepted { link: renamed, from: address(9) });
    let role = Role::Servent { id: ServentId(2), advertised: address(9) };
    mind.hear(renamed, Message::Hello(Hello::new(role)));
    assert_eq!(mind.hear(renamed, answer(nth(0))), [unexpected(9, "answer")]);
    let end = ended(EndReason::Complete, 1, Some(whole(1)), Duration::ZERO);
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(1))), [end]);
    // Another query it may answer as well, and others this one.
    mind.ask();
    assert_eq!(mind.hear(again, answer(nth(1))), [heard_of(nth(1), 2, Duration::ZERO)]);
    assert_eq!(mind.hear(from(3), answer(nth(1))), [heard_of(nth(1), 3, Duration::ZERO)]);
}

#[test]
fn only_the_answers_of_those_who_answered_make_a_query_complete() {
    // Who brings answers, who gave them, and what is made of that.
    let rows: [(&[u8], &[u8], bool, u64); 9] = [
        (&[2, 3], &[2, 3], false, 0),
        (&[3, 2], &[2, 3], false, 0),
        (&[], &[], false, 0),
        // One has not come.
        (&[2], &[2, 3], false, 1),
        // One that nobody gave came instead, or first, or although there was none.
        (&[2, 4], &[2, 3], true, 0),
        (&[4], &[2, 3], false, 1),
        (&[2, 3, 4], &[2, 3], true, 0),
        (&[4], &[], true, 0),
        (&[4, 2, 3], &[2, 3], true, 0),
    ];
    for (came, gave, doubtful, missing) in rows {
        let tally = Tally { answers: gave.len() as u64, answer_sum: marks(gave), ..whole(0) };
        for told_after in 0..=came.len() {
            let mut mind = Mind::asking(None);
            let mut out = Vec::new();
            for (place, servent) in came.iter().enumerate() {
                if place == told_after {
                    out = mind.hear(CONTACT, finished(nth(0), tally));
                }
                out = if mind.session.pending_count() > 0 { mind.hear(from(*servent), answer(nth(0))) } else { out };
            }
            if told_after == came.len() {
                out = mind.hear(CONTACT, finished(nth(0), tally));
            }
            let is_complete = matches!(out.last(), Some(Output::Tell(Report::Ended { ending, .. }))
                if ending.reason == EndReason::Complete && !ending.doubtful && ending.missing == 0);
            let what = format!("{came:?} for {gave:?}, told after {told_after}");
            if mind.session.pending_count() == 0 {
                // What a stranger brings when all have come is too late to do harm.
                let before_that = came.iter().take_while(|servent| gave.contains(servent)).count();
                assert!(is_complete && before_that == gave.len(), "{what}: {out:?}");
                continue;
            }
            assert!(doubtful || missing > 0, "{what}");
            let out = mind.pass(SILENCE_DEFAULT);
            let [Output::Tell(Report::Ended { ending, .. })] = &out[..] else { panic!("{what}: {out:?}") };
            assert_eq!(
                (ending.reason, ending.doubtful, ending.missing),
                (EndReason::Silence, doubtful, missing),
                "{what}"
            );
            assert_eq!((ending.answers, ending.tally), (came.len() as u64, tally), "{what}");
        }
    }
}

#[test]
fn a_query_is_doubtful_only_where_nothing_else_explains_it() {
    let doubtful = |out: &[Output]| ending_in(out).doubtful;
    let told = |tally, answers_wanted| {
        let mut mind = Mind::asking(answers_wanted);
        mind.hear(CONTACT, finished(nth(0), tally));
        mind.hear(from(3), answer(nth(0)));
        mind
    };
    assert!(doubtful(&told(whole(1), None).pass(SILENCE_DEFAULT)));
    // What was lost on the way, or lies behind those that cannot report, may have answered too.
    for gap in [Tally { lost: 1, ..whole(1) }, Tally { silent: 1, ..whole(1) }] {
        assert!(!doubtful(&told(gap, None).pass(SILENCE_DEFAULT)), "{gap:?}");
    }
    assert!(!doubtful(&told(whole(2), None).pass(SILENCE_DEFAULT)), "another is missing");
    // Nor is one complete of which more was promised than what adds up.
    let mut mind = Mind::asking(None);
    assert_eq!(mind.hear(CONTACT, finished(nth(0), Tally { answer_sum: 0, ..whole(1) })), []);
    assert!(!doubtful(&mind.pass(SILENCE_DEFAULT)));
    assert!(!doubtful(&told(whole(1), None).cancel(nth(0))), "who stops waiting knows no more");
    let mut mind = Mind::asking(Some(1));
    mind.hear(CONTACT, finished(nth(0), whole(1)));
    assert!(!doubtful(&mind.hear(from(3), answer(nth(0)))), "it has as many as were wanted");
}

#[test]
fn the_answers_of_more_servents_than_are_kept_are_told_and_make_nothing_complete() {
    let (queries, links) = (CLIENT_PENDING_MAX, CLIENT_ANSWERERS_MAX / CLIENT_PENDING_MAX);
    let mut mind = Mind::ready(None);
    let sequences: Vec<u64> = (0..queries).map(|_| mind.asked()).collect();
    let link = |number: usize| LinkId(1_000 + number as u64);
    for number in 0..=links {
        mind.tell(Input::Accepted { link: link(number), from: address(9) });
        let role = Role::Servent { id: ServentId(1_000 + number as u128), advertised: address(9) };
        mind.hear(link(number), Message::Hello(Hello::new(role)));
    }
    for number in 0..links {
        for sequence in &sequences {
            assert_eq!(mind.hear(link(number), answer(*sequence)).len(), 1);
        }
    }
    // One more is told, but not known to be the one that was promised; nor to have come before.
    let sum = (0..=links).fold(0, |sum: u64, number| sum.wrapping_add(ServentId(1_000 + number as u128).mark()));
    let tally = Tally { answers: links as u64 + 1, answer_sum: sum, ..whole(0) };
    assert_eq!(mind.hear(CONTACT, finished(sequences[0], tally)), []);
    for _ in 0..2 {
        assert_eq!(mind.hear(link(links), answer(sequences[0])), [heard_of(sequences[0], 9, Duration::ZERO)]);
    }
    assert_eq!(mind.hear(link(0), answer(sequences[0])), [unexpected(9, "answer")], "those that are kept are");
    // With the end of a query there is room again.
    mind.cancel(sequences[1]);
    let end = ended_of(sequences[0], EndReason::Complete, links as u64 + 3, Some(tally), Duration::ZERO);
    assert_eq!(mind.hear(link(links), answer(sequences[0])).pop(), Some(end));
}
