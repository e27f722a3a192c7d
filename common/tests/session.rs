//! The client's mind at its doors: when it is ready, what it asks, what it believes, and above all when a query ends.
//!
//! Inputs go in, outputs come out; there is no world here and no bytes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod random;

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use common::dialect::Dialect;
use common::features::Features;
use common::key::Key;
use common::limits::{HELLO_WAIT_MAX, SILENCE_DEFAULT};
use common::link::LinkId;
use common::message::{Finished, Goodbye, Hello, Message, Request, Role, ServentId};
use common::query::{Answer, AnswerBody, Ask, Path, Tally};
use common::session::{EndReason, Ending, Input, Output, Report, Session, UNEXPECTED_TOLD_MAX};
use common::time::Time;
use common::wire::WireError;
use random::Random;

const CONTACT: LinkId = LinkId(1);
const OTHER: LinkId = LinkId(2);
const FIRST: u64 = 100;
const PORT: u16 = 7000;
const TICK: Duration = Duration::from_nanos(1);

struct Mind {
    session: Session,
    now: Time,
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
    Message::Answer(Answer { sequence, hops: 2, body: green() })
}

fn finished(sequence: u64, tally: Tally) -> Message {
    Message::Finished(Finished { sequence, tally })
}

/// A whole flood over three servents with so many answers.
fn whole(answers: u64) -> Tally {
    Tally { reached: 3, answers, copies: 2, ..Tally::default() }
}

fn unexpected(from: u8, message: &'static str) -> Output {
    Output::Tell(Report::Unexpected { from: address(from), message })
}

fn heard(from: u8, elapsed: Duration) -> Output {
    Output::Tell(Report::Answer { from: address(from), hops: Some(2), body: green(), elapsed })
}

fn ended(reason: EndReason, answers: u64, told: Option<Tally>, elapsed: Duration) -> Output {
    let untold = Tally { reached: answers, answers, lost: u64::from(reason == EndReason::Silence), ..Tally::default() };
    let missing =
        if reason == EndReason::Answers { 0 } else { told.map_or(0, |told| told.answers - told.answers.min(answers)) };
    let (tally, tally_told) = (told.unwrap_or(untold), told.is_some());
    Output::Tell(Report::Ended(Ending { reason, answers, missing, tally, tally_told, elapsed }))
}

impl Mind {
    /// A mind that knows nobody.
    fn new(answers_wanted: Option<u64>) -> Mind {
        Mind { session: Session::new(Dialect::Native, PORT, FIRST, SILENCE_DEFAULT, answers_wanted), now: Time::START }
    }

    /// One whose contact is servent 1, with an answer link from servent 2.
    fn ready(answers_wanted: Option<u64>) -> Mind {
        let mut mind = Mind::new(answers_wanted);
        assert_eq!(mind.attach(), [send(CONTACT, own_hello())]);
        assert_eq!(mind.hear(CONTACT, servent_hello(1)), [Output::Tell(Report::Ready)]);
        assert_eq!(mind.tell(Input::Accepted { link: OTHER, from: address(200) }), [send(OTHER, own_hello())]);
        assert_eq!(mind.hear(OTHER, servent_hello(2)), []);
        mind
    }

    /// One that has just asked its first question.
    fn asking(answers_wanted: Option<u64>) -> Mind {
        let mut mind = Mind::ready(answers_wanted);
        assert_eq!(mind.ask(), [send(CONTACT, request(FIRST))]);
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
        self.tell(Input::Ask(tea()))
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
    assert!(!mind.session.is_waiting());
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
    for message in [own_hello(), Message::Ping, answer(FIRST), request(FIRST)] {
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
    assert_eq!(mind.hear(OTHER, answer(FIRST)), [heard(2, Duration::from_secs(1))]);
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
    assert!(mind.session.is_waiting());
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    mind.hear(OTHER, answer(FIRST));
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    mind.hear(CONTACT, answer(FIRST));
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    let elapsed = SILENCE_DEFAULT * 3 - TICK * 2;
    assert_eq!(mind.pass(TICK), [ended(EndReason::Silence, 2, None, elapsed)]);
    assert!(!mind.session.is_waiting());
    assert_eq!(mind.session.deadline(), None);

    // Neither the contact's word nor what belongs to no query begins it anew.
    let mut mind = Mind::asking(None);
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    mind.hear(CONTACT, finished(FIRST, whole(1)));
    mind.hear(OTHER, answer(FIRST + 1));
    mind.hear(OTHER, Message::Ping);
    assert_eq!(mind.pass(TICK), [ended(EndReason::Silence, 0, Some(whole(1)), SILENCE_DEFAULT)]);
}

#[test]
fn the_silence_is_as_long_as_was_asked_for() {
    let silence = Duration::from_millis(250);
    let mut mind = Mind { session: Session::new(Dialect::Native, PORT, FIRST, silence, None), ..Mind::new(None) };
    mind.attach();
    mind.hear(CONTACT, servent_hello(1));
    mind.ask();
    assert_eq!(mind.pass(silence - TICK), []);
    assert_eq!(mind.pass(TICK), [ended(EndReason::Silence, 0, None, silence)]);
}

#[test]
fn a_query_is_complete_once_the_flood_is_over_and_its_answers_are_here_in_whatever_order() {
    for answers in 0..3 {
        for told_after in 0..=answers {
            let mut mind = Mind::asking(None);
            let mut out = Vec::new();
            for at in 0..=answers {
                mind.now = mind.now + Duration::from_secs(1);
                assert_eq!(out.len(), usize::try_from(at).unwrap() - usize::from(at > told_after));
                if at == told_after {
                    out.extend(mind.hear(CONTACT, finished(FIRST, whole(answers))));
                } else {
                    out.extend(mind.hear(OTHER, answer(FIRST)));
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
        assert_eq!(mind.hear(OTHER, answer(FIRST)), [heard(2, Duration::ZERO)]);
        assert_eq!(mind.hear(CONTACT, finished(FIRST, gap)), []);
        assert_eq!(mind.hear(OTHER, answer(FIRST)), [heard(2, Duration::ZERO)]);
        let out = mind.pass(SILENCE_DEFAULT);
        assert_eq!(out, [ended(EndReason::Silence, 2, Some(gap), SILENCE_DEFAULT)]);
    }
    // A TTL that ended the flood is no gap.
    let cut = Tally { stopped: 2, ..whole(0) };
    let out = Mind::asking(None).hear(CONTACT, finished(FIRST, cut));
    assert_eq!(out, [ended(EndReason::Complete, 0, Some(cut), Duration::ZERO)]);
}

#[test]
fn as_many_answers_as_wanted_end_a_query() {
    let mut mind = Mind::asking(Some(2));
    assert_eq!(mind.hear(OTHER, answer(FIRST)), [heard(2, Duration::ZERO)]);
    let out = mind.hear(OTHER, answer(FIRST));
    assert_eq!(out, [heard(2, Duration::ZERO), ended(EndReason::Answers, 2, None, Duration::ZERO)]);
    // When all there are have come as well, that is what is told.
    let mut mind = Mind::asking(Some(1));
    assert_eq!(mind.hear(CONTACT, finished(FIRST, whole(1))), []);
    let out = mind.hear(OTHER, answer(FIRST));
    assert_eq!(out, [heard(2, Duration::ZERO), ended(EndReason::Complete, 1, Some(whole(1)), Duration::ZERO)]);
    // And every query wants as many again.
    assert_eq!(mind.ask(), [send(CONTACT, request(FIRST + 1))]);
    assert_eq!(mind.hear(OTHER, answer(FIRST + 1)).len(), 2);
}

#[test]
fn what_comes_after_as_many_answers_as_wanted_is_dropped() {
    let mut mind = Mind::asking(Some(1));
    mind.hear(OTHER, answer(FIRST));
    // Neither while nothing is pending nor while something else is, and as often as it comes.
    for _ in 0..2 {
        assert_eq!(mind.hear(OTHER, answer(FIRST)), []);
        assert_eq!(mind.hear(CONTACT, answer(FIRST)), []);
        assert_eq!(mind.hear(CONTACT, finished(FIRST, whole(9))), []);
        assert_eq!(mind.hear(OTHER, finished(FIRST, whole(9))), [unexpected(2, "finished")], "only the contact's word");
        assert_eq!(mind.hear(OTHER, answer(FIRST + 7)), [unexpected(2, "answer")]);
        if !mind.session.is_waiting() {
            mind.ask();
        }
    }
    assert!(mind.session.is_waiting(), "what is dropped ends nothing");
}

#[test]
fn of_the_last_1024_queries_it_is_known_that_no_more_was_wanted() {
    let mut mind = Mind::ready(Some(1));
    for sequence in FIRST..FIRST + 1_025 {
        mind.ask();
        mind.hear(OTHER, answer(sequence));
    }
    assert_eq!(mind.hear(OTHER, answer(FIRST)), [unexpected(2, "answer")]);
    for sequence in FIRST + 1..FIRST + 1_025 {
        assert_eq!(mind.hear(OTHER, answer(sequence)), []);
        assert_eq!(mind.hear(CONTACT, finished(sequence, whole(3))), []);
    }
}

#[test]
fn what_was_promised_and_did_not_come_is_missing() {
    let missing = |out: &[Output]| match out.last() {
        Some(Output::Tell(Report::Ended(ending))) => ending.missing,
        other => panic!("{other:?}"),
    };
    for came in 0..=2 {
        let mut mind = Mind::asking(None);
        mind.hear(CONTACT, finished(FIRST, whole(3)));
        for _ in 0..came {
            mind.hear(OTHER, answer(FIRST));
        }
        assert_eq!(missing(&mind.pass(SILENCE_DEFAULT)), 3 - came);
    }
    // More than were promised: what was lost on the way may have answered too.
    let mut mind = Mind::asking(None);
    mind.hear(OTHER, answer(FIRST));
    mind.hear(CONTACT, finished(FIRST, Tally { lost: 1, ..whole(0) }));
    assert_eq!(missing(&mind.pass(SILENCE_DEFAULT)), 0);
    // Where nobody promised, nothing is missing; nor where no more was wanted.
    assert_eq!(missing(&Mind::asking(None).pass(SILENCE_DEFAULT)), 0);
    let mut mind = Mind::asking(Some(1));
    mind.hear(CONTACT, finished(FIRST, whole(3)));
    assert_eq!(missing(&mind.hear(OTHER, answer(FIRST))), 0);
    // Who stops waiting is told what had not come.
    let mut mind = Mind::asking(None);
    mind.hear(CONTACT, finished(FIRST, whole(3)));
    assert_eq!(missing(&mind.tell(Input::Interrupt)), 3);
}

#[test]
fn an_answer_of_nobody_in_particular_is_none_of_those_promised() {
    let nameless = LinkId(3);
    let mut mind = Mind::asking(None);
    mind.tell(Input::Accepted { link: nameless, from: address(3) });
    mind.hear(nameless, nameless_hello());
    mind.hear(CONTACT, finished(FIRST, Tally { silent: 1, ..whole(1) }));
    mind.hear(nameless, answer(FIRST));
    let out = mind.pass(SILENCE_DEFAULT);
    let Some(Output::Tell(Report::Ended(ending))) = out.last() else { panic!("{out:?}") };
    assert_eq!((ending.answers, ending.missing), (1, 1));
    // Nor does it make a query complete.
    let mut mind = Mind::asking(None);
    mind.tell(Input::Accepted { link: nameless, from: address(3) });
    mind.hear(nameless, nameless_hello());
    mind.hear(CONTACT, finished(FIRST, whole(1)));
    mind.hear(nameless, answer(FIRST));
    assert!(mind.session.is_waiting());
    mind.hear(OTHER, answer(FIRST));
    assert!(!mind.session.is_waiting());
}

#[test]
fn of_what_nobody_asked_for_a_few_are_told_and_the_others_counted() {
    let more = |count| Output::Tell(Report::MoreUnexpected { count });
    let mut mind = Mind::asking(None);
    for _ in 0..UNEXPECTED_TOLD_MAX {
        assert_eq!(mind.hear(OTHER, answer(FIRST + 7)), [unexpected(2, "answer")]);
    }
    for _ in 0..980 {
        assert_eq!(mind.hear(OTHER, answer(FIRST + 7)), []);
    }
    assert_eq!(mind.hear(OTHER, answer(FIRST)), [heard(2, Duration::ZERO)], "what was asked for is told all the same");
    let end = ended(EndReason::Complete, 1, Some(whole(1)), Duration::ZERO);
    assert_eq!(mind.hear(CONTACT, finished(FIRST, whole(1))), [more(980), end]);
    // From then on they are told again, a few before the next query and during it.
    for _ in 0..UNEXPECTED_TOLD_MAX - 1 {
        assert_eq!(mind.hear(OTHER, Message::Pong), [unexpected(2, "pong")]);
    }
    mind.ask();
    assert_eq!(mind.hear(OTHER, Message::Pong), [unexpected(2, "pong")]);
    let end = ended(EndReason::Interrupted, 0, None, Duration::ZERO);
    assert_eq!(mind.tell(Input::Interrupt), [end], "that is all there were");
}

#[test]
fn a_person_can_stop_a_query_but_not_what_is_over() {
    let mut mind = Mind::ready(None);
    assert_eq!(mind.tell(Input::Interrupt), []);
    mind.ask();
    mind.hear(OTHER, answer(FIRST));
    mind.now = mind.now + Duration::from_secs(1);
    let elapsed = Duration::from_secs(1);
    assert_eq!(mind.tell(Input::Interrupt), [ended(EndReason::Interrupted, 1, None, elapsed)]);
    assert_eq!(mind.tell(Input::Interrupt), []);
    assert_eq!(mind.pass(SILENCE_DEFAULT), []);
    // One whose flood is over, but not whole, keeps the word it had.
    let gap = Tally { lost: 3, ..whole(0) };
    mind.ask();
    mind.hear(CONTACT, finished(FIRST + 1, gap));
    assert_eq!(mind.tell(Input::Interrupt), [ended(EndReason::Interrupted, 0, Some(gap), Duration::ZERO)]);
}

#[test]
fn a_late_word_of_the_contact_is_no_surprise_but_a_late_answer_is() {
    let mut mind = Mind::asking(None);
    mind.tell(Input::Interrupt);
    assert_eq!(mind.hear(OTHER, answer(FIRST)), [unexpected(2, "answer")]);
    assert_eq!(mind.hear(OTHER, finished(FIRST, whole(0))), [unexpected(2, "finished")], "only the contact owes it");
    assert_eq!(mind.hear(CONTACT, finished(FIRST, whole(0))), []);
    assert_eq!(mind.hear(CONTACT, finished(FIRST, whole(0))), [unexpected(1, "finished")], "it owed one");
    // A query that is pending meanwhile is not touched by it.
    mind.ask();
    mind.pass(SILENCE_DEFAULT);
    mind.ask();
    assert_eq!(mind.hear(CONTACT, finished(FIRST + 1, whole(0))), []);
    assert!(mind.session.is_waiting());
    assert_eq!(mind.hear(CONTACT, finished(FIRST + 2, whole(0))).len(), 1);
}

#[test]
fn the_contact_owes_its_word_on_the_last_64_queries() {
    let mut mind = Mind::ready(None);
    for _ in 0..65 {
        mind.ask();
        mind.tell(Input::Interrupt);
    }
    assert_eq!(mind.hear(CONTACT, finished(FIRST, whole(0))), [unexpected(1, "finished")]);
    for sequence in FIRST + 1..FIRST + 65 {
        assert_eq!(mind.hear(CONTACT, finished(sequence, whole(0))), []);
    }
}

// ---- what is believed ----

#[test]
fn only_what_belongs_to_the_pending_query_counts() {
    let mut mind = Mind::asking(None);
    assert_eq!(mind.hear(OTHER, answer(FIRST - 1)), [unexpected(2, "answer")]);
    assert_eq!(mind.hear(CONTACT, finished(FIRST - 1, whole(0))), [unexpected(1, "finished")]);
    assert_eq!(mind.hear(OTHER, finished(FIRST, whole(0))), [unexpected(2, "finished")]);
    for message in [Message::Pong, servent_hello(2), request(FIRST)] {
        let name = message.name();
        assert_eq!(mind.hear(OTHER, message), [unexpected(2, name)]);
    }
    assert_eq!(mind.hear(OTHER, Message::Ping), [send(OTHER, Message::Pong)]);
    assert!(mind.session.is_waiting());
    // The contact says it once: what it says then is nothing.
    assert_eq!(mind.hear(CONTACT, finished(FIRST, whole(1))), []);
    assert_eq!(mind.hear(CONTACT, finished(FIRST, whole(0))), [unexpected(1, "finished")]);
    assert!(mind.session.is_waiting());
}

#[test]
fn nobody_is_believed_before_a_servents_hello() {
    for message in [own_hello(), Message::Ping, answer(FIRST), finished(FIRST, whole(0))] {
        let mut mind = Mind::asking(None);
        let link = LinkId(3);
        assert_eq!(mind.tell(Input::Accepted { link, from: address(3) }), [send(link, own_hello())]);
        let out = mind.hear(link, message);
        assert_eq!(out, [send(link, Message::Goodbye(Goodbye::Protocol)), Output::Close { link }]);
        assert_eq!(mind.hear(link, servent_hello(3)), [], "that link is gone");
        assert!(mind.session.is_waiting());
    }
    let mut mind = Mind::asking(None);
    let out = mind.tell(Input::Malformed { link: OTHER, error: WireError::Version(7) });
    assert_eq!(out, [Output::Close { link: OTHER }]);
    assert_eq!(mind.hear(OTHER, answer(FIRST)), []);
}

#[test]
fn sequences_count_up_and_around() {
    let mut mind =
        Mind { session: Session::new(Dialect::Native, PORT, u64::MAX, SILENCE_DEFAULT, None), ..Mind::new(None) };
    mind.attach();
    mind.hear(CONTACT, servent_hello(1));
    for sequence in [u64::MAX, 0, 1] {
        assert_eq!(mind.ask(), [send(CONTACT, request(sequence))]);
        mind.tell(Input::Interrupt);
    }
}

// ---- with a contact that speaks TP3 ----

fn nameless_hello() -> Message {
    Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless))
}

/// A mind whose contact is a TP3 node, with an answer link from another.
fn tp3() -> Mind {
    let mut mind = Mind { session: Session::new(Dialect::Tp3, PORT, FIRST, SILENCE_DEFAULT, None), now: Time::START };
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
    let told = Report::Answer { from: address(2), hops: None, body: green(), elapsed };
    assert_eq!(mind.hear(OTHER, answer(0)), [Output::Tell(told)]);
    // Said again, a hello is no news; and it makes nobody's name of it.
    assert_eq!(mind.hear(OTHER, nameless_hello()), [unexpected(2, "hello")]);
    assert_eq!(mind.hear(OTHER, servent_hello(7)), [unexpected(2, "hello")]);
    let tally = Tally { reached: 1, answers: 1, silent: 1, ..Tally::default() };
    let (reason, elapsed) = (EndReason::Silence, SILENCE_DEFAULT);
    let ending = Ending { reason, answers: 1, missing: 0, tally, tally_told: false, elapsed };
    mind.now = mind.now + SILENCE_DEFAULT;
    assert_eq!(mind.tell(Input::Deadline), [Output::Tell(Report::Ended(ending))]);
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
        mind.tell(Input::Ask(Ask::Topology));
        let body = AnswerBody::Value(text.as_bytes().to_vec());
        let place = AnswerBody::Place { path: Path::Text(text.as_bytes().to_vec()), neighbors: Vec::new() };
        let told = Report::Answer { from: address(2), hops: Some(hops), body: place, elapsed: Duration::ZERO };
        let heard = mind.hear(OTHER, Message::Answer(Answer { sequence: 0, hops: 0, body }));
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
    assert_eq!(mind.ask(), [send(CONTACT, request(FIRST))]);
}

#[test]
fn a_deadline_is_never_late_and_never_in_vain() {
    for seed in 0..200 {
        let mut random = Random::new(seed);
        let mut mind = Mind::new(random.chance(30).then_some(2));
        let mut may_ask = false;
        for _ in 0..100 {
            let link = LinkId(1 + random.below(3));
            let sequence = FIRST + random.below(10);
            let out = match random.below(12) {
                0 => mind.attach(),
                1 => mind.tell(Input::Accepted { link: LinkId(2 + random.below(2)), from: address(9) }),
                2 => mind.hear(link, servent_hello(1)),
                3 | 4 => mind.hear(link, answer(sequence)),
                5 => mind.hear(link, finished(sequence, whole(random.below(3)))),
                6 => mind.closed(link),
                7 => mind.tell(Input::Interrupt),
                8 | 9 if may_ask && !mind.session.is_waiting() => mind.ask(),
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
            let ends = out.iter().filter(|output| matches!(output, Output::Tell(Report::Ended(_)))).count();
            assert!(ends <= 1, "seed {seed}");
            assert!(ends == 0 || !mind.session.is_waiting(), "seed {seed}");
        }
        mind.pass(Duration::from_secs(10));
        assert_eq!(mind.session.deadline(), None, "seed {seed}");
        assert!(!mind.session.is_waiting(), "seed {seed}");
    }
}
