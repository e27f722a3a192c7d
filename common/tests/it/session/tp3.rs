//! With a contact that speaks TP3.

use super::*;

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
    let told = Report::Answer {
        sequence: 0,
        from: address(2),
        name: None,
        hops: None,
        via: Via::Direct,
        body: green(),
        elapsed,
    };
    assert_eq!(mind.hear(OTHER, answer(0)), [Output::Tell(told)]);
    // Nothing comes back in it, whoever says so.
    assert_eq!(mind.hear(CONTACT, handed(0, 3)), [unexpected(100, "handed")]);
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
        let told =
            Report::Answer { sequence, from, name: None, hops: Some(hops), via: Via::Direct, body: place, elapsed };
        let heard = mind.hear(OTHER, Message::Answer(Answer { sequence: 0, asked: None, hops: 0, body }));
        assert_eq!(heard, [Output::Tell(told)], "{text:?}");
    }
}
