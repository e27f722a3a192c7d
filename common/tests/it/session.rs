//! The client's mind at its doors: when it is ready, what it asks, what it believes, and above all when a query ends.
//!
//! Inputs go in, outputs come out; there is no world here and no bytes.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use crate::support::random::Random;
use common::dialect::Dialect;
use common::features::Features;
use common::key::Key;
use common::limits::{CLIENT_ANSWERERS_MAX, CLIENT_PENDING_MAX, HELLO_WAIT_MAX, SILENCE_DEFAULT};
use common::link::LinkId;
use common::message::{Finished, Goodbye, Hello, Message, Request, Role, ServentId};
use common::query::{Answer, AnswerBody, Ask, AskHash, Path, Tally};
use common::random::Secret;
use common::session::{
    ENDED_KEPT_MAX, EndReason, Ending, Input, Output, Question, Report, Session, TooManyPending, UNEXPECTED_TOLD_MAX,
};
use common::time::Time;
use common::wire::WireError;

const CONTACT: LinkId = LinkId(1);
const OTHER: LinkId = LinkId(2);
const PORT: u16 = 7000;
/// A secret under which the first hundred thousand sequences differ, so that each is the one at its place.
fn secret() -> Secret {
    Secret::of_seed(13)
}

/// The sequence of the query that is asked after so many.
fn nth(number: u64) -> u64 {
    secret().nth(number) >> 33
}

/// A sequence that no query has, nor will.
fn nobodys(number: u64) -> u64 {
    (1 << 31) + number
}

const TICK: Duration = Duration::from_nanos(1);

struct Mind {
    session: Session,
    now: Time,
    /// How many answers each question wants.
    answers_wanted: Option<u64>,
}

fn address(number: u8) -> SocketAddr {
    SocketAddr::from((Ipv4Addr::new(10, 0, 0, number), 9000))
}

fn servent_hello(number: u8) -> Message {
    Message::Hello(Hello::new(Role::Servent { id: ServentId(u128::from(number)), advertised: address(number) }))
}

fn own_hello() -> Message {
    Message::Hello(Hello::new(Role::Client { answer_port: PORT }))
}

fn send(link: LinkId, message: Message) -> Output {
    Output::Send { link, message }
}

fn tea() -> Ask {
    Ask::Key(Key::new(b"tea").unwrap())
}

fn request(sequence: u64) -> Message {
    Message::Request(Request { sequence, ask: tea() })
}

fn green() -> AnswerBody {
    AnswerBody::Value(b"green".to_vec())
}

fn answer(sequence: u64) -> Message {
    Message::Answer(Answer { sequence, asked: Some(AskHash::of(&tea())), hops: 2, body: green() })
}

fn finished(sequence: u64, tally: Tally) -> Message {
    Message::Finished(Finished { sequence, tally })
}

/// The sum of the marks of servents.
fn marks(servents: &[u8]) -> u64 {
    servents.iter().fold(0, |sum, number| sum.wrapping_add(ServentId(u128::from(*number)).mark()))
}

/// A whole flood over some servents with so many answers: of servent 2, of servents 2 and 3, of servents 2 to 4.
fn whole(answers: u64) -> Tally {
    let answer_sum = marks(&[2, 3, 4][..usize::try_from(answers.min(3)).unwrap()]);
    Tally { reached: 3, answers, copies: 2, answer_sum, ..Tally::default() }
}

/// The answer link of servent 2, 3 or 4.
fn from(servent: u8) -> LinkId {
    if servent == 2 { OTHER } else { LinkId(100 + u64::from(servent)) }
}

fn unexpected(from: u8, message: &'static str) -> Output {
    Output::Tell(Report::Unexpected { from: address(from), message })
}

/// An answer to the first query.
fn heard(from: u8, elapsed: Duration) -> Output {
    heard_of(nth(0), from, elapsed)
}

fn heard_of(sequence: u64, from: u8, elapsed: Duration) -> Output {
    Output::Tell(Report::Answer { sequence, from: address(from), hops: Some(2), body: green(), elapsed })
}

/// The end of the first query.
fn ended(reason: EndReason, answers: u64, told: Option<Tally>, elapsed: Duration) -> Output {
    ended_of(nth(0), reason, answers, told, elapsed)
}

fn ended_of(sequence: u64, reason: EndReason, answers: u64, told: Option<Tally>, elapsed: Duration) -> Output {
    let untold = Tally { reached: answers, answers, lost: u64::from(reason == EndReason::Silence), ..Tally::default() };
    let missing =
        if reason == EndReason::Answers { 0 } else { told.map_or(0, |told| told.answers - told.answers.min(answers)) };
    let (tally, tally_told) = (told.unwrap_or(untold), told.is_some());
    let ending = Ending { reason, answers, missing, doubtful: false, tally, tally_told, elapsed };
    Output::Tell(Report::Ended { sequence, ending })
}

impl Mind {
    /// A mind that knows nobody.
    fn new(answers_wanted: Option<u64>) -> Mind {
        Mind { session: Session::new(Dialect::Native, PORT, secret()), now: Time::START, answers_wanted }
    }

    /// One whose contact is servent 1, with answer links from servents 2, 3 and 4.
    fn ready(answers_wanted: Option<u64>) -> Mind {
        let mut mind = Mind::new(answers_wanted);
        assert_eq!(mind.attach(), [send(CONTACT, own_hello())]);
        assert_eq!(mind.hear(CONTACT, servent_hello(1)), [Output::Tell(Report::Ready)]);
        for servent in 2..=4 {
            let link = from(servent);
            assert_eq!(mind.tell(Input::Accepted { link, from: address(200) }), [send(link, own_hello())]);
            assert_eq!(mind.hear(link, servent_hello(servent)), []);
        }
        mind
    }

    /// One that has just asked its first question.
    fn asking(answers_wanted: Option<u64>) -> Mind {
        let mut mind = Mind::ready(answers_wanted);
        assert_eq!(mind.ask(), [send(CONTACT, request(nth(0)))]);
        mind
    }

    fn tell(&mut self, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        self.session.handle(self.now, input, &mut out);
        out
    }

    fn attach(&mut self) -> Vec<Output> {
        self.tell(Input::Attached { link: CONTACT, contact: address(100) })
    }

    fn hear(&mut self, link: LinkId, message: Message) -> Vec<Output> {
        self.tell(Input::Received { link, message })
    }

    fn ask(&mut self) -> Vec<Output> {
        self.ask_for(Question { answers_wanted: self.answers_wanted, ..Question::new(tea()) })
    }

    fn ask_for(&mut self, question: Question) -> Vec<Output> {
        let mut out = Vec::new();
        self.session.ask(self.now, question, &mut out).unwrap();
        out
    }

    /// Asks, and gives the sequence.
    fn asked(&mut self) -> u64 {
        self.session.ask(self.now, Question::new(tea()), &mut Vec::new()).unwrap()
    }

    fn cancel(&mut self, sequence: u64) -> Vec<Output> {
        self.tell(Input::Cancel { sequence })
    }

    fn closed(&mut self, link: LinkId) -> Vec<Output> {
        self.tell(Input::Closed { link, reason: "a test".to_owned() })
    }

    /// Lets time pass, and gives what is done at the deadlines. None may be late, and none in vain.
    fn pass(&mut self, duration: Duration) -> Vec<Output> {
        let end = self.now + duration;
        let mut outputs = Vec::new();
        while let Some(due) = self.session.deadline().filter(|due| *due <= end) {
            self.now = self.now.max(due);
            let out = self.tell(Input::Deadline);
            assert!(!out.is_empty() || self.session.deadline().is_none_or(|next| next > due), "it would spin");
            outputs.extend(out);
        }
        self.now = end;
        assert_eq!(self.tell(Input::Deadline), [], "something was due and no deadline said so");
        outputs
    }
}

// ---- the contact ----

#[test]
fn a_contact_that_says_hello_in_time_makes_it_ready() {
    let mut mind = Mind::new(None);
    assert_eq!(mind.session.deadline(), None);
    assert_eq!(mind.attach(), [send(CONTACT, own_hello())], "the client speaks first");
    assert_eq!(mind.pass(HELLO_WAIT_MAX - TICK), []);
    assert_eq!(mind.hear(CONTACT, servent_hello(1)), [Output::Tell(Report::Ready)]);
    assert_eq!(mind.session.deadline(), None);
    assert_eq!(mind.session.pending_count(), 0);
}

#[test]
fn features_that_nobody_has_defined_change_nothing() {
    let Message::Hello(plain) = servent_hello(1) else { panic!("no hello") };
    let mut mind = Mind::new(None);
    mind.attach();
    let hello = Message::Hello(Hello { features: plain.features.with(Features::NOT_GIVEN_OUT), ..plain });
    assert_eq!(mind.hear(CONTACT, hello), [Output::Tell(Report::Ready)]);
}

#[test]
fn a_contact_that_does_not_is_refused() {
    let refused = |reason: &str| Output::Tell(Report::Refused { reason: reason.to_owned() });
    let attached = || {
        let mut mind = Mind::new(None);
        mind.attach();
        mind
    };
    let close = Output::Close { link: CONTACT };
    let out = attached().pass(HELLO_WAIT_MAX);
    assert_eq!(out, [close.clone(), refused("it did not say hello within 5 s")]);
    assert_eq!(attached().closed(CONTACT), [refused("a test")]);
    let out = attached().hear(CONTACT, Message::Goodbye(Goodbye::Full));
    assert_eq!(out, [close.clone(), refused("it said goodbye, because it has as many links as it takes")]);
    let out = attached().hear(CONTACT, Message::Goodbye(Goodbye::Unknown { number: 250 }));
    assert_eq!(out[1], refused("it said goodbye, because it has a reason that is not known here (number 250)"));
    let out = attached().tell(Input::Malformed { link: CONTACT, error: WireError::Version(7) });
    let Output::Tell(Report::Refused { reason }) = &out[1] else { panic!("{out:?}") };
    assert!(reason.contains("version 7"));
    for message in [own_hello(), Message::Ping, answer(nth(0)), request(nth(0))] {
        let out = attached().hear(CONTACT, message);
        assert_eq!(out[..2], [send(CONTACT, Message::Goodbye(Goodbye::Protocol)), close.clone()]);
        assert!(matches!(out[2..], [Output::Tell(Report::Refused { .. })]));
    }
}

#[test]
fn a_contact_that_is_lost_is_told_and_a_pending_query_goes_on() {
    let lost = |out: &[Output]| matches!(out.last(), Some(Output::Tell(Report::ContactLost { .. })));
    let mut mind = Mind::asking(None);
    assert!(lost(&mind.closed(CONTACT)));
    mind.now = mind.now + Duration::from_secs(1);
    assert_eq!(mind.hear(OTHER, answer(nth(0))), [heard(2, Duration::from_secs(1))]);
    let elapsed = Duration::from_secs(1) + SILENCE_DEFAULT;
    assert_eq!(mind.pass(SILENCE_DEFAULT), [ended(EndReason::Silence, 1, None, elapsed)]);

    assert!(lost(&Mind::ready(None).hear(CONTACT, Message::Goodbye(Goodbye::Leaving))));
    assert!(lost(&Mind::ready(None).tell(Input::Malformed { link: CONTACT, error: WireError::Version(7) })));
    // An answer link that closes is nothing to tell.
    assert_eq!(Mind::ready(None).closed(OTHER), []);
    assert_eq!(Mind::ready(None).hear(OTHER, Message::Goodbye(Goodbye::Idle)), [Output::Close { link: OTHER }]);
}

#[test]
fn without_a_contact_a_query_ends_by_silence() {
    let mut mind = Mind::ready(None);
    mind.closed(CONTACT);
    assert_eq!(mind.ask(), []);
    assert_eq!(mind.pass(SILENCE_DEFAULT), [ended(EndReason::Silence, 0, None, SILENCE_DEFAULT)]);
}

#[test]
fn a_servent_that_connects_and_does_not_say_hello_is_hung_up_on() {
    let mut mind = Mind::ready(None);
    let [silent, late] = [LinkId(3), LinkId(4)];
    mind.tell(Input::Accepted { link: silent, from: address(3) });
    mind.ask();
    mind.now = mind.now + Duration::from_secs(1);
    mind.tell(Input::Accepted { link: late, from: address(4) });
    assert_eq!(
        mind.pass(HELLO_WAIT_MAX - Duration::from_secs(1) - TICK),
        [ended(EndReason::Silence, 0, None, SILENCE_DEFAULT)]
    );
    assert_eq!(mind.pass(TICK), [Output::Close { link: silent }]);
    assert_eq!(mind.hear(late, servent_hello(4)), []);
    assert_eq!(mind.pass(HELLO_WAIT_MAX), []);
    assert_eq!(mind.session.deadline(), None);
}

// ---- the end of a query ----

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
    let missing = |out: &[Output]| match out.last() {
        Some(Output::Tell(Report::Ended { ending, .. })) => ending.missing,
        other => panic!("{other:?}"),
    };
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
    let Some(Output::Tell(Report::Ended { ending, .. })) = out.last() else { panic!("{out:?}") };
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

// ---- many queries at once ----

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
        said.swap(place, usize::try_from(random.below(place as u64 + 1)).unwrap());
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

// ---- what is believed ----

#[test]
fn only_what_belongs_to_the_pending_query_counts() {
    let mut mind = Mind::asking(None);
    assert_eq!(mind.hear(OTHER, answer(nobodys(1))), [unexpected(2, "answer")]);
    assert_eq!(mind.hear(CONTACT, finished(nobodys(1), whole(0))), [unexpected(1, "finished")]);
    assert_eq!(mind.hear(OTHER, finished(nth(0), whole(0))), [unexpected(2, "finished")]);
    for message in [Message::Pong, servent_hello(2), request(nth(0))] {
        let name = message.name();
        assert_eq!(mind.hear(OTHER, message), [unexpected(2, name)]);
    }
    assert_eq!(mind.hear(OTHER, Message::Ping), [send(OTHER, Message::Pong)]);
    assert!(mind.session.pending_count() > 0);
    // The contact says it once: what it says then is nothing.
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(1))), []);
    assert_eq!(mind.hear(CONTACT, finished(nth(0), whole(0))), [unexpected(1, "finished")]);
    assert!(mind.session.pending_count() > 0);
}

#[test]
fn nobody_is_believed_before_a_servents_hello() {
    for message in [own_hello(), Message::Ping, answer(nth(0)), finished(nth(0), whole(0))] {
        let mut mind = Mind::asking(None);
        let link = LinkId(3);
        assert_eq!(mind.tell(Input::Accepted { link, from: address(3) }), [send(link, own_hello())]);
        let out = mind.hear(link, message);
        assert_eq!(out, [send(link, Message::Goodbye(Goodbye::Protocol)), Output::Close { link }]);
        assert_eq!(mind.hear(link, servent_hello(3)), [], "that link is gone");
        assert!(mind.session.pending_count() > 0);
    }
    let mut mind = Mind::asking(None);
    let out = mind.tell(Input::Malformed { link: OTHER, error: WireError::Version(7) });
    assert_eq!(out, [Output::Close { link: OTHER }]);
    assert_eq!(mind.hear(OTHER, answer(nth(0))), []);
}

#[test]
fn sequences_are_drawn_under_the_secret_and_fit_31_bits() {
    let asked = |secret| {
        let mut mind = Mind { session: Session::new(Dialect::Native, PORT, secret), ..Mind::new(None) };
        (0..1_000).map(|_| mind.asked()).collect::<Vec<u64>>()
    };
    let drawn = asked(secret());
    assert_eq!(drawn, (0..1_000).map(nth).collect::<Vec<_>>());
    assert_ne!(drawn[..10], asked(Secret::of_seed(14))[..10], "whoever has another secret draws others");
    // One tells nothing of the next: neither larger nor smaller, neither near nor far, and every bit of it is a coin.
    let rises = drawn.windows(2).filter(|pair| pair[0] < pair[1]).count();
    assert!((450..550).contains(&rises), "{rises}");
    assert!(drawn.windows(2).all(|pair| pair[0].abs_diff(pair[1]) > 100), "{drawn:?}");
    for bit in 0..31 {
        let ones = drawn.iter().filter(|sequence| *sequence >> bit & 1 == 1).count();
        assert!((430..570).contains(&ones), "bit {bit}: {ones}");
    }
    assert!(drawn.iter().all(|sequence| *sequence < 1 << 31));
    // Where requests are numbered from zero they are.
    let mut mind = Mind { session: Session::new(Dialect::Tp3, PORT, secret()), ..Mind::new(None) };
    assert_eq!((0..3).map(|_| mind.asked()).collect::<Vec<u64>>(), [0, 1, 2]);
}

#[test]
fn no_sequence_is_drawn_again_while_it_may_still_be_met() {
    // Under this secret two of the first 140 are the same.
    let (colliding, first, second) = (Secret::of_seed(4_835), 106, 139);
    let drawn = |place| colliding.nth(place) >> 33;
    assert_eq!(drawn(first), drawn(second));
    type End = fn(&mut Mind, u64);
    let not_at_all: End = |_, _| {};
    let complete: End = |mind, sequence| assert_eq!(mind.hear(CONTACT, finished(sequence, whole(0))).len(), 1);
    let cancelled: End = |mind, sequence| assert_eq!(mind.cancel(sequence).len(), 1);
    for end in [not_at_all, complete, cancelled] {
        let mut mind = Mind::ready(None);
        mind.session = Session::new(Dialect::Native, PORT, colliding);
        mind.attach();
        mind.hear(CONTACT, servent_hello(1));
        for place in 0..second {
            let sequence = mind.asked();
            assert_eq!(sequence, drawn(place));
            end(&mut mind, sequence);
        }
        assert_eq!(mind.asked(), drawn(second + 1), "the next is taken instead");
    }
}

// ---- whose answers they are ----

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
    let doubtful = |out: &[Output]| match out.last() {
        Some(Output::Tell(Report::Ended { ending, .. })) => ending.doubtful,
        other => panic!("{other:?}"),
    };
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

// ---- with a contact that speaks TP3 ----

fn nameless_hello() -> Message {
    Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless))
}

/// A mind whose contact is a TP3 node, with an answer link from another.
fn tp3() -> Mind {
    let mut mind = Mind { session: Session::new(Dialect::Tp3, PORT, secret()), ..Mind::new(None) };
    let hello = Message::Hello(Hello::new(Role::Client { answer_port: PORT }));
    assert_eq!(mind.attach(), [send(CONTACT, hello.clone())]);
    assert_eq!(mind.hear(CONTACT, nameless_hello()), [Output::Tell(Report::Ready)]);
    assert_eq!(mind.tell(Input::Accepted { link: OTHER, from: address(2) }), [send(OTHER, hello)]);
    assert_eq!(mind.hear(OTHER, nameless_hello()), []);
    mind
}

#[test]
fn a_tp3_node_goes_by_where_it_dialled_from_and_does_not_say_how_far_it_is() {
    let mut mind = tp3();
    assert_eq!(mind.ask(), [send(CONTACT, request(0))]);
    let elapsed = Duration::ZERO;
    let told = Report::Answer { sequence: 0, from: address(2), hops: None, body: green(), elapsed };
    assert_eq!(mind.hear(OTHER, answer(0)), [Output::Tell(told)]);
    // Said again, a hello is no news; and it makes nobody's name of it.
    assert_eq!(mind.hear(OTHER, nameless_hello()), [unexpected(2, "hello")]);
    assert_eq!(mind.hear(OTHER, servent_hello(7)), [unexpected(2, "hello")]);
    let tally = Tally { reached: 1, answers: 1, silent: 1, ..Tally::default() };
    let (reason, elapsed) = (EndReason::Silence, SILENCE_DEFAULT);
    let ending = Ending { reason, answers: 1, missing: 0, doubtful: false, tally, tally_told: false, elapsed };
    mind.now = mind.now + SILENCE_DEFAULT;
    assert_eq!(mind.tell(Input::Deadline), [Output::Tell(Report::Ended { sequence: 0, ending })]);
    // Nobody owes a TP3 client the end of a query.
    assert_eq!(
        mind.hear(CONTACT, finished(0, whole(0))),
        [Output::Tell(Report::Unexpected { from: address(100), message: "finished" })]
    );
}

#[test]
fn a_place_told_as_text_counts_its_addresses() {
    for (text, hops) in [("10.0.0.1:9000", 0), ("10.0.0.1:9000 10.0.0.2:9000", 1), (" a  b c ", 2), ("", 0)] {
        let mut mind = tp3();
        mind.ask_for(Question::new(Ask::Topology));
        let body = AnswerBody::Value(text.as_bytes().to_vec());
        let place = AnswerBody::Place { path: Path::Text(text.as_bytes().to_vec()), neighbors: Vec::new() };
        let (sequence, from, elapsed) = (0, address(2), Duration::ZERO);
        let told = Report::Answer { sequence, from, hops: Some(hops), body: place, elapsed };
        let heard = mind.hear(OTHER, Message::Answer(Answer { sequence: 0, asked: None, hops: 0, body }));
        assert_eq!(heard, [Output::Tell(told)], "{text:?}");
    }
}

#[test]
fn another_link_that_closes_is_not_the_contact() {
    let mut mind = Mind::new(None);
    mind.attach();
    mind.tell(Input::Accepted { link: OTHER, from: address(200) });
    assert_eq!(mind.closed(OTHER), []);
    assert_eq!(mind.hear(CONTACT, servent_hello(1)), [Output::Tell(Report::Ready)]);
    mind.tell(Input::Accepted { link: OTHER, from: address(200) });
    assert_eq!(mind.closed(OTHER), []);
    assert_eq!(mind.ask(), [send(CONTACT, request(nth(0)))]);
}

#[test]
fn a_deadline_is_never_late_and_never_in_vain() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut mind = Mind::new(None);
        let mut may_ask = false;
        let mut asked = 0;
        let mut ended = BTreeSet::new();
        for _ in 0..100 {
            let link = LinkId(1 + random.below(3));
            let sequence = nth(random.below(10));
            let out = match random.below(12) {
                0 => mind.attach(),
                1 => mind.tell(Input::Accepted { link: LinkId(2 + random.below(2)), from: address(9) }),
                2 => mind.hear(link, servent_hello(1)),
                3 | 4 => mind.hear(link, answer(sequence)),
                5 => mind.hear(link, finished(sequence, whole(random.below(3)))),
                6 => mind.closed(link),
                7 => mind.cancel(sequence),
                8 | 9 if may_ask => {
                    asked += 1;
                    let answers_wanted = random.chance(30).then_some(2);
                    let silence_max = random.duration(SILENCE_DEFAULT);
                    mind.ask_for(Question { ask: tea(), silence_max, answers_wanted })
                }
                // Too early, just before the deadline.
                10 => {
                    if let Some(due) = mind.session.deadline().filter(|due| *due > mind.now) {
                        let wait = due.since(mind.now).saturating_sub(TICK);
                        mind.now = mind.now + wait;
                        if due > mind.now {
                            assert_eq!(mind.tell(Input::Deadline), [], "seed {seed}");
                            assert_eq!(mind.session.deadline(), Some(due), "seed {seed}");
                        }
                    }
                    Vec::new()
                }
                _ => {
                    let wait = random.duration(Duration::from_secs(3));
                    mind.pass(wait)
                }
            };
            may_ask |= out.contains(&Output::Tell(Report::Ready));
            let ends = out.iter().filter_map(|output| match output {
                Output::Tell(Report::Ended { sequence, .. }) => Some(*sequence),
                _ => None,
            });
            for sequence in ends {
                assert!((0..asked).map(nth).any(|own| own == sequence), "seed {seed}");
                assert!(ended.insert(sequence), "seed {seed}: {sequence} ended twice");
            }
            assert_eq!(mind.session.pending_count() + ended.len(), usize::try_from(asked).unwrap(), "seed {seed}");
        }
        mind.pass(Duration::from_secs(10));
        assert_eq!(mind.session.deadline(), None, "seed {seed}");
        assert_eq!(mind.session.pending_count(), 0, "seed {seed}");
    }
}
