//! How long answers are waited for.

use std::time::Instant;

use super::*;
use crate::support::process::json;
use common::session::UNEXPECTED_TOLD_MAX;

#[test]
fn silence_ends_a_query() {
    // Longer than it is unless told otherwise, so that it is this silence and no other that passed.
    let (_fake, contact, _, client) = asked(&["--timeout", "5s", "--json"]);
    let run = client.finish();
    let finished = json(run.out.trim_end());
    let expected = json!({"type": "finished", "answers": 0, "missing": 0, "reached": 0, "copies": 0, "duplicates": 0, "stopped": 0,
                          "lost": 1, "silent": 0, "spoilt": 0, "doubtful": false, "ms": finished["ms"], "reason": "silence"});
    // That the contact did not report is a report lost.
    assert_eq!((finished.clone(), run.code, run.log.as_str()), (expected, 5, UNREPORTED));
    assert!(milliseconds(&finished) >= 5_000.0, "{finished}");
    drop(contact);
}

#[test]
fn silence_is_four_seconds_unless_told_otherwise() {
    let (_fake, mut contact, sequence, mut client) = asked(&["--json"]);
    contact.answer(sequence, b"v");
    let answered = milliseconds(&client.next_json());
    let finished = client.next_json();
    assert_eq!(finished["reason"], "silence");
    assert!(milliseconds(&finished) - answered >= 4_000.0, "{finished}");
    assert_eq!(client.finish(), unreported(""));
}

#[test]
fn what_is_unexpected_neither_ends_nor_extends_the_wait() {
    let silence = 3_000.0;
    let (_fake, mut contact, sequence, mut client) = asked(&["--timeout", "3s", "--json"]);
    contact.answer(sequence, b"v");
    let answered = milliseconds(&client.next_json());
    let started = Instant::now();
    // One at a time, so that there is always one on its way while the client waits.
    let surprises = unexpected_messages(sequence);
    let heard = surprises.iter().cycle().take_while(|surprise| contact.is_heard(surprise)).inspect(|_| {
        assert!(started.elapsed() < PATIENCE, "the query does not end");
    });
    let heard = heard.count() as u64;
    for _ in 0..UNEXPECTED_TOLD_MAX {
        assert_eq!(client.next_json()["type"], "unexpected");
    }
    let more = client.next_json();
    assert_eq!(more["type"], "unexpected_more");
    // The last may have been heard and not told to have been.
    let all = more["count"].as_u64().unwrap() + UNEXPECTED_TOLD_MAX;
    assert!(all == heard || all == heard + 1, "{heard} {more}");
    let finished = client.next_json();
    assert_eq!((&finished["reason"], &finished["answers"]), (&json!("silence"), &json!(1)));
    assert!(milliseconds(&finished) - answered >= silence, "{answered} {finished}");
}

#[test]
fn the_tally_ends_a_query_once_its_answers_have_come() {
    let (fake, mut contact, sequence, mut client) = asked(&["--json"]);
    let answer_sum = marks_sum(&[fake.address(), "192.0.2.7:9".parse().unwrap()]);
    let told = Tally { reached: 12, answers: 2, copies: 14, duplicates: 3, stopped: 2, answer_sum, ..tally(0, 0) };
    contact.finish(sequence, told);
    contact.answer(sequence, b"one");
    assert_eq!(client.next_json()["value"], "one");
    let mut servent = Peer::dial(contact.answer_address.unwrap(), "192.0.2.7:9");
    servent.answer(sequence, b"two");
    assert_eq!(client.next_json()["value"], "two");
    let finished = client.next_json();
    let expected = json!({"type": "finished", "answers": 2, "missing": 0, "reached": 12, "copies": 14, "duplicates": 3, "stopped": 2,
                          "lost": 0, "silent": 0, "spoilt": 0, "doubtful": false, "ms": finished["ms"], "reason": "complete"});
    assert_eq!(finished, expected);
    assert_eq!(client.finish(), quiet("", 0));
}

#[test]
fn answers_of_others_than_gave_them_are_doubtful_and_never_complete() {
    let rows = [(vec!["192.0.2.8:9"], 1), (vec!["192.0.2.7:9", "192.0.2.8:9"], 2)];
    let sum = marks_sum(&["192.0.2.7:9".parse().unwrap()]);
    side_by_side(rows, |(brings, answers)| {
        let (_fake, mut contact, sequence, mut client) = asked(&["--timeout", IN_TIME, "--json"]);
        let mut servents: Vec<Peer> =
            brings.iter().map(|name| Peer::dial(contact.answer_address.unwrap(), name)).collect();
        // The stranger is faster.
        for servent in servents.iter_mut().rev() {
            servent.answer(sequence, b"v");
            assert_eq!(client.next_json()["type"], "answer");
        }
        contact.finish(sequence, Tally { answer_sum: sum, ..tally(3, 1) });
        let finished = client.next_json();
        let told = ["answers", "missing", "lost"].map(|name| finished[name].as_u64().unwrap());
        assert_eq!((told, &finished["reason"]), ([answers, 0, 0], &json!("silence")), "{finished}");
        assert_eq!((&finished["doubtful"], &finished["spoilt"]), (&json!(true), &json!(0)));
        let run = client.finish();
        let said =
            "not all answers are from the servents that answered: somebody else took part, and there may be more\n";
        assert_eq!((run.log.as_str(), run.code), (said, 5), "{run:?}");
    });
}
