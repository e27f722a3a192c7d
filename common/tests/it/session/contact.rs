//! The contact: when it is ready, refused, lost, or another.

use super::*;
use common::features::Features;
use common::limits::HELLO_WAIT_MAX;

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
