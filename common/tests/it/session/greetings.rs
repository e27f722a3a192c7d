//! Servents a contact is asked to greet: one at a time, and never waited for for ever.

use super::*;
use crate::session::listing::{contact_hello, page, telling};
use common::features::Features;
use common::limits::{GREETING_WAIT_MAX, GREETINGS_MAX};
use common::member::{Greet, GreetOutcome, Greeted, PeersKind, Word, WordAt};
use common::session::{GreetEnd, GreetingEnded, GreetingPending};

/// What came of the servent with this number.
fn outcome_at(servent: u8, outcome: GreetOutcome) -> Greeted {
    let now = Some(WordAt { word: Word::Online, clock: 52 });
    Greeted { address: address(servent), outcome, was: None, now, new_count: 3, took: Duration::from_micros(400) }
}

fn met(servent: u8) -> Greeted {
    outcome_at(servent, GreetOutcome::Met)
}

/// What is said to the contact.
fn greet(servent: u8) -> Output {
    send(CONTACT, Message::Greet(Greet { address: address(servent) }))
}

fn over(number: u64, servent: u8, end: GreetEnd, elapsed: Duration) -> Output {
    let greeting = GreetingEnded { address: address(servent), end, elapsed };
    Output::Tell(Report::Greeted { sequence: nth(number), greeting })
}

/// The end of the first greeting, of servent 7, at once.
fn first_over(end: GreetEnd) -> Output {
    over(0, 7, end, Duration::ZERO)
}

impl Mind {
    pub(super) fn ask_greeting(&mut self, servent: u8) -> Vec<Output> {
        self.ask_greeting_at(address(servent))
    }

    fn ask_greeting_at(&mut self, address: SocketAddr) -> Vec<Output> {
        let mut out = Vec::new();
        self.session.ask_greeting(self.now, address, SILENCE_DEFAULT, &mut out).unwrap();
        out
    }
}

pub(super) fn greeted(servent: u8) -> Message {
    Message::Greeted(met(servent))
}

/// One whose contact greets others, with an answer link.
fn attached() -> Mind {
    let mut mind = Mind::new(None);
    mind.attach();
    mind.hear(CONTACT, telling());
    mind.tell(Input::Accepted { link: OTHER, from: address(200) });
    mind.hear(OTHER, servent_hello(2));
    mind
}

/// One that has just asked to have servent 7 greeted.
fn greeting() -> Mind {
    let mut mind = attached();
    assert_eq!(mind.ask_greeting(7), [greet(7)]);
    mind
}

#[test]
fn what_the_contact_says_of_a_greeting_is_told_and_ends_it() {
    for outcome in GreetOutcome::ALL {
        let mut mind = greeting();
        assert!(mind.session.is_greeting());
        mind.now = mind.now + Duration::from_millis(5);
        let told = outcome_at(7, outcome);
        let end = over(0, 7, GreetEnd::Told(told), Duration::from_millis(5));
        assert_eq!(mind.hear(CONTACT, Message::Greeted(told)), [end]);
        assert_eq!((mind.session.is_greeting(), mind.session.deadline()), (false, None));
        // Once more is another one.
        assert_eq!(mind.ask_greeting(7), [greet(7)]);
    }
}

#[test]
fn a_greeting_is_asked_for_by_the_one_spelling_of_an_address() {
    let mut mind = attached();
    assert_eq!(mind.ask_greeting_at("[::ffff:10.0.0.7]:9000".parse().unwrap()), [greet(7)]);
    assert_eq!(mind.hear(CONTACT, greeted(7)), [first_over(GreetEnd::Told(met(7)))]);
}

#[test]
fn a_greeting_is_waited_for_as_long_as_an_answer_which_is_longer_than_its_contact_tries() {
    let mut mind = greeting();
    assert_eq!(mind.pass(GREETING_WAIT_MAX), []);
    assert_eq!(mind.pass(SILENCE_DEFAULT - GREETING_WAIT_MAX - TICK), []);
    assert_eq!(mind.pass(TICK), [over(0, 7, GreetEnd::Silence, SILENCE_DEFAULT)]);
    assert_eq!(mind.session.deadline(), None);
    // What comes of it after that is no surprise, once.
    assert_eq!(mind.hear(CONTACT, greeted(7)), []);
    assert_eq!(mind.hear(CONTACT, greeted(7)), [unexpected(1, "greeted")]);
}

#[test]
fn a_contact_that_is_lost_ends_a_greeting_at_once() {
    let lost = Output::Tell(Report::ContactLost { reason: "a test".to_owned() });
    let mut mind = greeting();
    assert_eq!(mind.closed(CONTACT), [lost, first_over(GreetEnd::ContactLost)]);
    // And where there is none it was never begun.
    assert_eq!(mind.ask_greeting(7), [over(1, 7, GreetEnd::ContactLost, Duration::ZERO)]);
    assert_eq!(Mind::new(None).ask_greeting(7), [first_over(GreetEnd::ContactLost)]);
    // Of the one that comes after it nothing is awaited.
    let again = LinkId(77);
    mind.tell(Input::Attached { link: again, contact: address(100) });
    mind.hear(again, telling());
    assert_eq!(mind.hear(again, greeted(7)), [unexpected(1, "greeted")]);
    // An answer link that closes is another matter.
    assert_eq!(greeting().closed(OTHER), []);
}

#[test]
fn whoever_takes_no_part_in_members_is_not_asked_to_greet() {
    for hello in [contact_hello(Features::OF_SERVENTS), contact_hello(Features::NONE), nameless_hello()] {
        let mut mind = Mind::new(None);
        mind.attach();
        mind.hear(CONTACT, hello);
        assert_eq!(mind.ask_greeting(7), [first_over(GreetEnd::NotUnderstood)]);
        assert_eq!((mind.session.is_greeting(), mind.session.deadline()), (false, None));
        // It stays the contact.
        let [Output::Send { link: CONTACT, message: Message::Request(_) }] = mind.ask()[..] else {
            panic!("not asked")
        };
    }
}

#[test]
fn the_contact_itself_is_not_asked_to_greet_itself() {
    // By the address it tells, and by the one it was dialled at.
    for own in [1, 100] {
        assert_eq!(attached().ask_greeting(own), [over(0, own, GreetEnd::Itself, Duration::ZERO)]);
    }
    assert_eq!(attached().ask_greeting(2), [greet(2)], "whoever answers is another");
}

#[test]
fn one_greeting_at_a_time_is_the_most() {
    let mut mind = greeting();
    let mut out = Vec::new();
    assert_eq!(mind.session.ask_greeting(mind.now, address(8), SILENCE_DEFAULT, &mut out), Err(GreetingPending));
    assert_eq!(out, []);
    assert_eq!(mind.hear(CONTACT, greeted(8)), [unexpected(1, "greeted")]);
    assert_eq!(mind.hear(CONTACT, greeted(7)), [first_over(GreetEnd::Told(met(7)))]);
}

#[test]
fn what_came_of_greetings_nobody_asked_for_is_unexpected() {
    assert_eq!(attached().hear(CONTACT, greeted(7)), [unexpected(1, "greeted")]);
    // From whomever else, or of somebody else, also while one is awaited.
    let mut mind = greeting();
    assert_eq!(mind.hear(OTHER, greeted(7)), [unexpected(2, "greeted")]);
    assert_eq!(mind.hear(CONTACT, greeted(8)), [unexpected(1, "greeted")]);
    assert_eq!(mind.hear(CONTACT, greeted(7)), [first_over(GreetEnd::Told(met(7)))]);
    assert_eq!(mind.hear(CONTACT, greeted(7)), [unexpected(1, "greeted")]);
    // Nor does a client greet anybody.
    let asked = Message::Greet(Greet { address: address(7) });
    assert_eq!(attached().hear(CONTACT, asked), [unexpected(1, "greet")]);
}

#[test]
fn a_greeting_that_is_cancelled_ends_and_the_next_is_not_taken_for_it() {
    let mut mind = greeting();
    assert_eq!(mind.cancel(nth(0)), [first_over(GreetEnd::Cancelled)]);
    assert_eq!(mind.cancel(nth(0)), [], "it is over");
    assert_eq!(mind.ask_greeting(8), [greet(8)]);
    assert_eq!(mind.hear(CONTACT, greeted(7)), [], "no surprise, and not of this one");
    assert_eq!(mind.hear(CONTACT, greeted(8)), [over(1, 8, GreetEnd::Told(met(8)), Duration::ZERO)]);
}

#[test]
fn a_contact_that_is_busy_with_what_was_given_up_is_waited_for() {
    let busy = outcome_at(7, GreetOutcome::Busy);
    let mut mind = greeting();
    mind.cancel(nth(0));
    assert_eq!(mind.ask_greeting(7), [greet(7)]);
    assert_eq!(mind.hear(CONTACT, Message::Greeted(busy)), [], "it is what is wanted that it is busy with");
    assert_eq!(mind.hear(CONTACT, greeted(7)), [over(1, 7, GreetEnd::Told(met(7)), Duration::ZERO)]);
    // Where nothing else is awaited of it, that is what came of it.
    assert_eq!(mind.ask_greeting(7), [greet(7)]);
    assert_eq!(mind.hear(CONTACT, Message::Greeted(busy)), [over(2, 7, GreetEnd::Told(busy), Duration::ZERO)]);
    // What came of the first of two is not waited for twice.
    assert_eq!(mind.ask_greeting(7), [greet(7)]);
    mind.cancel(nth(3));
    assert_eq!(mind.ask_greeting(7), [greet(7)]);
    assert_eq!(mind.hear(CONTACT, greeted(7)), [over(4, 7, GreetEnd::Told(met(7)), Duration::ZERO)]);
    assert_eq!(mind.hear(CONTACT, greeted(7)), []);
}

#[test]
fn as_many_greetings_are_owed_as_a_contact_has_under_way() {
    let mut mind = attached();
    let given_up = u8::try_from(GREETINGS_MAX).unwrap();
    for (number, servent) in (0..).zip(110..=110 + given_up) {
        assert_eq!(mind.ask_greeting(servent), [greet(servent)]);
        assert_eq!(mind.cancel(nth(number)).len(), 1);
    }
    assert_eq!(mind.hear(CONTACT, greeted(110)), [unexpected(1, "greeted")], "it was one more");
    for servent in 111..=110 + given_up {
        assert_eq!(mind.hear(CONTACT, greeted(servent)), []);
    }
}

#[test]
fn queries_a_listing_and_a_greeting_are_in_nobodys_way() {
    let mut mind = greeting();
    assert_eq!(mind.ask_members().len(), 1);
    assert_eq!(mind.ask(), [send(CONTACT, request(nth(2)))]);
    assert_eq!(mind.hear(CONTACT, greeted(7)), [first_over(GreetEnd::Told(met(7)))]);
    assert!(mind.session.is_listing());
    assert_eq!(mind.session.pending_count(), 1, "queries are counted");
    let mut mind = greeting();
    assert_eq!(mind.ask_members().len(), 1);
    let [Output::Tell(Report::Listed { .. })] = mind.hear(CONTACT, page(PeersKind::LastPage, []))[..] else {
        panic!("no end")
    };
    assert!(mind.session.is_greeting());
}

#[test]
fn what_nobody_asked_for_is_counted_to_the_end_of_a_greeting_too() {
    let mut mind = greeting();
    for count in 0..UNEXPECTED_TOLD_MAX + 3 {
        let out = mind.hear(OTHER, greeted(8));
        assert_eq!(out.is_empty(), count >= UNEXPECTED_TOLD_MAX);
    }
    let more = Output::Tell(Report::MoreUnexpected { count: 3 });
    assert_eq!(mind.hear(CONTACT, greeted(7)), [more, first_over(GreetEnd::Told(met(7)))]);
}
