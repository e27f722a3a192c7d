//! Answers that come back the way their query went, handed by the contact, and the ends that they make exact.

use super::*;
use common::content::search::{Entries, Words};
use common::features::Features;
use common::session::LATE_ANSWERERS_MAX;

/// The same answer, come when its query was over.
fn late(sequence: u64, from: u8, elapsed: Duration) -> Output {
    Output::Tell(Report::Late { sequence, from: address(from), name: None, hops: 2, body: green(), elapsed })
}

/// Places are asked for instead.
fn asking_for_places() -> Mind {
    let mut mind = Mind::ready(None);
    mind.ask_for(Question::new(Ask::Topology));
    mind
}

fn place() -> BroughtBody {
    BroughtBody::Whole(AnswerBody::Place { path: Path::default(), neighbors: Vec::new() })
}

#[test]
fn an_answer_that_is_handed_is_one_like_any_other() {
    let mut mind = Mind::asking(None);
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    let elapsed = SILENCE_DEFAULT - TICK;
    assert_eq!(mind.hear(CONTACT, handed(nth(0), 2)), [heard_back(2, elapsed)]);
    // From there on it is waited anew.
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    let elapsed = elapsed * 2;
    assert_eq!(mind.hear(from(3), answer(nth(0))), [heard(3, elapsed)], "others are dialled as ever");
    assert_eq!(
        mind.hear(CONTACT, finished(nth(0), whole(2))),
        [ended(EndReason::Complete, 2, Some(whole(2)), elapsed)]
    );
    // It counts where so many are wanted.
    let mut mind = Mind::asking(Some(1));
    let end = ended(EndReason::Answers, 1, None, Duration::ZERO);
    assert_eq!(mind.hear(CONTACT, handed(nth(0), 2)), [heard_back(2, Duration::ZERO), end]);
    // A place comes in the same way.
    let mut mind = asking_for_places();
    let out = mind.hear(CONTACT, handed_as(nth(0), 2, place()));
    assert!(matches!(out[..], [Output::Tell(Report::Answer { via: Via::Back, .. })]), "{out:?}");
}

#[test]
fn a_servent_answers_once_whichever_way_its_answer_comes() {
    let mut mind = Mind::asking(None);
    assert_eq!(mind.hear(CONTACT, handed(nth(0), 2)), [heard_back(2, Duration::ZERO)]);
    // Brought again it may be: a link was lost on the way.
    for _ in 0..100 {
        assert_eq!(mind.hear(CONTACT, handed(nth(0), 2)), []);
    }
    assert_eq!(mind.hear(OTHER, answer(nth(0))), [unexpected(2, "answer")]);
    // The dial of the first failed, as its servent has it.
    assert_eq!(mind.hear(from(3), answer(nth(0))), [heard(3, Duration::ZERO)]);
    assert_eq!(mind.hear(CONTACT, handed(nth(0), 3)), []);
    let end = ended(EndReason::Complete, 2, Some(whole(2)), Duration::ZERO);
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(2))), [end]);
}

#[test]
fn two_servents_of_one_address_are_two() {
    let mut mind = Mind::asking(None);
    for id in [2, 3] {
        let body = BroughtBody::Whole(green());
        let answer = Arc::new(BroughtAnswer { id: ServentId(id), from: address(2), name: None, hops: 2, body });
        let handed = Message::Handed(Handed { sequence: nth(0), answer });
        assert_eq!(mind.hear(CONTACT, handed), [heard_back(2, Duration::ZERO)]);
    }
}

#[test]
fn only_the_contact_that_was_asked_hands_answers() {
    let mut mind = Mind::asking(None);
    assert_eq!(mind.hear(OTHER, handed(nth(0), 2)), [unexpected(2, "handed")]);
    assert_eq!(mind.hear(CONTACT, handed(nobodys(7), 2)), [unexpected(1, "handed")]);
    let again = LinkId(3);
    mind.closed(CONTACT);
    mind.tell(Input::Attached { link: again, contact: address(3) });
    mind.hear(again, servent_hello(3));
    assert_eq!(mind.hear(again, handed(nth(0), 2)), [unexpected(3, "handed")]);
    let end = ended(EndReason::Silence, 0, None, SILENCE_DEFAULT);
    assert_eq!(mind.pass(SILENCE_DEFAULT), [end], "nor does it lengthen the wait");
}

fn find() -> Ask {
    Ask::Find(Words::new([&b"farol"[..]]).unwrap())
}

/// Straight from servents, whatever they speak.
#[test]
fn what_is_answered_is_of_the_kind_that_was_asked_for() {
    let entries = || AnswerBody::Entries(Entries::default());
    let BroughtBody::Whole(a_place) = place() else { panic!("it is whole") };
    for (ask, own) in [(tea(), green()), (Ask::Topology, a_place.clone()), (find(), entries())] {
        for body in [green(), a_place.clone(), entries()] {
            let mut mind = Mind::ready(None);
            mind.ask_for(Question::new(ask.clone()));
            let asked = Some(AskHash::of(&ask));
            let out =
                mind.hear(OTHER, Message::Answer(Answer { sequence: nth(0), asked, hops: 2, body: body.clone() }));
            let told = told_of(nth(0), 2, Via::Direct, Duration::ZERO);
            let Output::Tell(Report::Answer { sequence, from, name, hops, via, elapsed, .. }) = told else {
                panic!("{told:?}")
            };
            let told = Output::Tell(Report::Answer { sequence, from, name, hops, via, elapsed, body: own.clone() });
            assert_eq!(out, [if body == own { told } else { unexpected(2, "answer") }], "{ask}, {body}");
        }
    }
    // A text is a value, or a place, and tells of no contents.
    for (ask, is_one) in [(tea(), true), (Ask::Topology, true), (find(), false)] {
        let mut mind = Mind::ready(None);
        let link = LinkId(50);
        mind.tell(Input::Accepted { link, from: address(5) });
        mind.hear(link, nameless_hello());
        mind.ask_for(Question::new(ask.clone()));
        let text = Answer { sequence: nth(0), asked: None, hops: 0, body: green() };
        let out = mind.hear(link, Message::Answer(text));
        assert_eq!(matches!(out[..], [Output::Tell(Report::Answer { .. })]), is_one, "{ask}: {out:?}");
        assert_eq!(out == [unexpected(5, "answer")], !is_one, "{ask}: {out:?}");
    }
}

#[test]
fn what_is_handed_is_of_the_kind_that_was_asked_for() {
    let mut mind = Mind::asking(None);
    assert_eq!(mind.hear(CONTACT, handed_as(nth(0), 2, place())), [unexpected(1, "handed")]);
    assert_eq!(mind.hear(CONTACT, handed(nth(0), 2)), [heard_back(2, Duration::ZERO)], "that was no answer of it");
    let mut mind = asking_for_places();
    for body in [BroughtBody::Whole(green()), BroughtBody::Announced(7_000)] {
        assert_eq!(mind.hear(CONTACT, handed_as(nth(0), 2, body)), [unexpected(1, "handed")]);
    }
    // Of contents entries are told, and of nothing else.
    let mut mind = Mind::ready(None);
    mind.ask_for(Question::new(find()));
    for body in [BroughtBody::Whole(green()), BroughtBody::Announced(7_000), place()] {
        assert_eq!(mind.hear(CONTACT, handed_as(nth(0), 2, body)), [unexpected(1, "handed")]);
    }
    let entries = || AnswerBody::Entries(Entries::default());
    let out = mind.hear(CONTACT, handed_as(nth(0), 2, BroughtBody::Whole(entries())));
    let [Output::Tell(Report::Answer { body: AnswerBody::Entries(_), .. })] = &out[..] else { panic!("{out:?}") };
    let mut mind = Mind::asking(None);
    let body = BroughtBody::Whole(entries());
    assert_eq!(mind.hear(CONTACT, handed_as(nth(0), 2, body.clone())), [unexpected(1, "handed")]);
    // Nor when the query is over.
    mind.pass(SILENCE_DEFAULT);
    assert_eq!(mind.hear(CONTACT, handed_as(nth(0), 2, body)), [unexpected(1, "handed")]);
    // From servent to servent only.
    let Message::Handed(Handed { answer, .. }) = handed(nth(0), 2) else { panic!("it is handed") };
    let brought = Brought { contact: ContactName(1), number: 1, ttl: 1, answer };
    assert_eq!(mind.hear(CONTACT, Message::Brought(brought)), [unexpected(1, "brought")]);
}

#[test]
fn where_no_answer_is_dialled_the_contacts_word_ends_a_query_there_and_then() {
    let lost = |tally| Tally { lost: 1, ..tally };
    // Who answers, what the contact says then, and what that comes to.
    let rows: [(&[u8], Tally, EndReason, u64, bool); 8] = [
        (&[2, 3], whole_back(2), EndReason::Complete, 0, false),
        (&[], whole_back(0), EndReason::Complete, 0, false),
        (&[2], lost(whole_back(1)), EndReason::Incomplete, 0, false),
        (&[], lost(whole_back(0)), EndReason::Incomplete, 0, false),
        (&[2], whole_back(2), EndReason::Incomplete, 1, false),
        (&[], lost(whole_back(2)), EndReason::Incomplete, 2, false),
        (&[2], Tally { silent: 1, ..whole_back(1) }, EndReason::Incomplete, 0, false),
        (&[2, 4], whole_back(2), EndReason::Incomplete, 0, true),
    ];
    for (came, tally, reason, missing, doubtful) in rows {
        let mut mind = Mind::asking(None);
        for servent in came {
            assert_eq!(mind.hear(CONTACT, handed(nth(0), *servent)).len(), 1);
        }
        let out = mind.hear(CONTACT, finished(nth(0), tally));
        let ending = ending_in(&out);
        assert_eq!((ending.reason, ending.missing, ending.doubtful), (reason, missing, doubtful), "{came:?} {tally:?}");
        assert_eq!((ending.answers, ending.tally, ending.tally_told), (came.len() as u64, tally, true));
        assert_eq!((mind.session.pending_count(), mind.session.deadline()), (0, None), "nothing is waited for");
        // Where one is dialled it may come later, and is waited for.
        let mut mind = Mind::asking(None);
        for servent in came {
            mind.hear(CONTACT, handed(nth(0), *servent));
        }
        let out = mind.hear(CONTACT, finished(nth(0), Tally { is_dialled: true, ..tally }));
        assert_eq!(out.is_empty(), reason == EndReason::Incomplete, "{came:?} {tally:?}");
    }
}

#[test]
fn as_many_as_were_wanted_are_enough_also_where_something_was_lost() {
    let mut mind = Mind::asking(Some(2));
    mind.hear(CONTACT, handed(nth(0), 2));
    let lost = Tally { lost: 1, ..whole_back(1) };
    assert_eq!(ending_in(&mind.hear(CONTACT, finished(nth(0), lost))).reason, EndReason::Incomplete);
    let mut mind = Mind::asking(Some(1));
    assert_eq!(ending_in(&mind.hear(CONTACT, handed(nth(0), 2))).reason, EndReason::Answers);
    // What still comes is no surprise, as often as it comes.
    for _ in 0..2 {
        assert_eq!(mind.hear(CONTACT, handed(nth(0), 3)), []);
        assert_eq!(mind.hear(OTHER, handed(nth(0), 3)), [unexpected(2, "handed")], "but from nobody else");
    }
}

#[test]
fn what_comes_back_when_its_query_is_over_is_told_as_late_and_once() {
    type Ending = fn(&mut Mind);
    let by_its_word: Ending = |mind| {
        let lost = Tally { lost: 2, ..whole_back(1) };
        assert_eq!(ending_in(&mind.hear(CONTACT, finished(nth(0), lost))).reason, EndReason::Incomplete);
        mind.now = mind.now + SILENCE_DEFAULT;
    };
    // Before the contact has said that the flood is over, and after.
    let in_silence: Ending = |mind| assert_eq!(ending_in(&mind.pass(SILENCE_DEFAULT)).reason, EndReason::Silence);
    let told_in_silence: Ending = |mind| {
        mind.hear(CONTACT, finished(nth(0), whole(2)));
        assert_eq!(ending_in(&mind.pass(SILENCE_DEFAULT)).reason, EndReason::Silence);
    };
    for end in [by_its_word, in_silence, told_in_silence] {
        let mut mind = Mind::asking(None);
        mind.hear(CONTACT, handed(nth(0), 2));
        end(&mut mind);
        // Another one is asked meanwhile, and not touched by that.
        mind.ask();
        assert_eq!(mind.hear(CONTACT, handed(nth(0), 2)), [], "it was told");
        assert_eq!(mind.hear(OTHER, handed(nth(0), 3)), [unexpected(2, "handed")], "it is the contact's to hand");
        assert_eq!(mind.hear(CONTACT, handed_as(nth(0), 3, place())), [unexpected(1, "handed")]);
        assert_eq!(mind.hear(CONTACT, handed(nth(0), 3)), [late(nth(0), 3, SILENCE_DEFAULT)]);
        for servent in [2, 3] {
            assert_eq!(mind.hear(CONTACT, handed(nth(0), servent)), []);
        }
        assert_eq!(mind.session.pending_count(), 1);
        // Whoever dials is too late as ever.
        assert_eq!(mind.hear(from(4), answer(nth(0))), [unexpected(4, "answer")]);
    }
}

#[test]
fn a_value_that_is_announced_when_its_query_is_over_is_named_and_not_fetched() {
    let mut mind = Mind::asking(None);
    mind.hear(CONTACT, finished(nth(0), Tally { lost: 2, ..whole_back(0) }));
    let reason = "it was announced when the query was over".to_owned();
    let told = Report::Unfetched { sequence: nth(0), from: address(2), bytes_count: 7_000, reason };
    let announced = handed_as(nth(0), 2, BroughtBody::Announced(7_000));
    assert_eq!(mind.hear(CONTACT, announced.clone()), [Output::Tell(told)]);
    assert_eq!(mind.hear(CONTACT, announced), []);
}

#[test]
fn of_a_query_that_is_complete_nothing_more_may_come() {
    let mut mind = Mind::asking(None);
    mind.hear(CONTACT, handed(nth(0), 2));
    mind.hear(CONTACT, finished(nth(0), whole_back(1)));
    assert_eq!(mind.hear(CONTACT, handed(nth(0), 3)), [unexpected(1, "handed")]);
    // Nor of one that ended in silence, once its contact has said that this was all.
    let mut mind = Mind::asking(None);
    mind.hear(CONTACT, handed(nth(0), 2));
    mind.pass(SILENCE_DEFAULT);
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole_back(1))), []);
    assert_eq!(mind.hear(CONTACT, handed(nth(0), 3)), [unexpected(1, "handed")]);
    // But where it says that there was more.
    let mut mind = Mind::asking(None);
    mind.pass(SILENCE_DEFAULT);
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(1))), []);
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(1))), [unexpected(1, "finished")], "it owed one word");
    assert_eq!(mind.hear(CONTACT, handed(nth(0), 2)), [late(nth(0), 2, SILENCE_DEFAULT)]);
}

#[test]
fn of_the_servents_that_answered_what_is_over_so_many_are_kept_in_mind_and_the_query_over_longest_goes() {
    let mut mind = Mind::ready(None);
    let lost = Tally { lost: 1, ..whole_back(0) };
    let each = 1_000;
    let queries = LATE_ANSWERERS_MAX / usize::from(each);
    let handed_by = |sequence, number: u16| {
        let body = BroughtBody::Whole(green());
        let answer = BroughtAnswer { id: ServentId(u128::from(number)), from: address(9), name: None, hops: 2, body };
        Message::Handed(Handed { sequence, answer: Arc::new(answer) })
    };
    let is_late = |out: &[Output]| matches!(out, [Output::Tell(Report::Late { .. })]);
    for sequence in (0..=queries as u64).map(nth) {
        mind.ask();
        for number in 0..each {
            mind.hear(CONTACT, handed_by(sequence, number));
        }
        mind.hear(CONTACT, finished(sequence, lost));
    }
    assert_eq!(mind.hear(CONTACT, handed_by(nth(0), each)), [unexpected(1, "handed")], "it was forgotten for the last");
    assert!(is_late(&mind.hear(CONTACT, handed_by(nth(1), each))));
    // What comes late is counted as well.
    for number in 0..each {
        mind.hear(CONTACT, handed_by(nth(queries as u64), each + number));
    }
    assert_eq!(mind.hear(CONTACT, handed_by(nth(1), each + 1)), [unexpected(1, "handed")]);
    assert!(is_late(&mind.hear(CONTACT, handed_by(nth(2), each))));
}

#[test]
fn whoever_hears_no_answers_says_so_and_wants_a_contact_that_brings_them_back() {
    let attached = |dialect| {
        let mut mind = Mind { session: Session::new(dialect, 0, secret()), ..Mind::new(None) };
        let hello = Message::Hello(Hello::new(Role::Client { answer_port: 0 }));
        assert_eq!(mind.attach(), [send(CONTACT, hello)]);
        mind
    };
    let mut mind = attached(Dialect::Native);
    assert_eq!(mind.hear(CONTACT, servent_hello(1)), [Output::Tell(Report::Ready)]);
    assert_eq!(mind.ask(), [send(CONTACT, request(nth(0)))]);
    assert_eq!(mind.hear(CONTACT, handed(nth(0), 2)), [heard_back(2, Duration::ZERO)]);
    // One that does not is none, however long it may be asked.
    let reason = "it does not bring answers back, and none can be dialled: this client has no answer port".to_owned();
    let refused = [Output::Close { link: CONTACT }, Output::Tell(Report::Refused { reason })];
    let Message::Hello(hello) = servent_hello(1) else { panic!("no hello") };
    let old = Message::Hello(Hello { features: Features::TTL, ..hello });
    assert_eq!(attached(Dialect::Native).hear(CONTACT, old.clone()), refused);
    assert_eq!(attached(Dialect::Tp3).hear(CONTACT, nameless_hello()), refused);
    // With a port it is as good as ever.
    let mut mind = Mind::new(None);
    mind.attach();
    assert_eq!(mind.hear(CONTACT, old), [Output::Tell(Report::Ready)]);
}
