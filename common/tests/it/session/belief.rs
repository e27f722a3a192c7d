//! What is believed, of whom, and which sequences queries have.

use super::*;

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
    for link in [CONTACT, OTHER] {
        assert_eq!(mind.hear(link, Message::Ping), [send(link, Message::Pong)]);
    }
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
