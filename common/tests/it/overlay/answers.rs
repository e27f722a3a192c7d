//! Answers on their way to clients of others: dialled, greeted, kept, left alone.

use super::*;

#[test]
fn one_dial_brings_all_answers_in_order_and_the_link_is_kept() {
    let (mut mind, [neighbor]) = Mind::linked();
    assert_eq!(mind.asked_for(neighbor, 1, 1), (vec![dial_client(1)], answered()));
    assert_eq!(mind.asked_for(neighbor, 2, 1), (vec![], answered()));
    let (link, out) = mind.dialled(call(client_address(1)));
    assert_eq!(out, []);
    assert_eq!(mind.asked_for(neighbor, 3, 1), (vec![], answered()));
    let out = mind.hear(link, client_hello(7000));
    let expected = [own_hello(), value(1, "green"), value(2, "green"), value(3, "green")];
    assert_eq!(out, expected.map(|message| send(link, message)));
    assert_eq!(mind.asked_for(neighbor, 4, 1), (vec![send(link, value(4, "green"))], answered()));
    assert_eq!(mind.hear(link, Message::Ping), [send(link, Message::Pong)]);

    // A client that leaves is no failure: the next answer is a new dial at once.
    assert_eq!(mind.closed(link), []);
    assert_eq!(mind.asked_for(neighbor, 5, 1), (vec![dial_client(1)], answered()));
    assert_eq!(mind.held("undelivered"), 0);
}

#[test]
fn an_answer_address_that_is_not_the_client_asked_for_receives_no_byte() {
    for message in [
        client_hello(7001),
        servent_hello(5),
        Message::Ping,
        Message::Goodbye(Goodbye::Role),
        request(1),
        value(1, "green"),
    ] {
        let (mut mind, [neighbor]) = Mind::linked();
        mind.asked_for(neighbor, 1, 1);
        let (link, _) = mind.dialled(call(client_address(1)));
        assert_eq!(mind.hear(link, message.clone()), [Output::Close { link }], "{}", message.name());
        assert_eq!(mind.held("undelivered"), 1);
        assert_eq!(mind.hear(link, client_hello(7000)), [], "that link is gone");
    }
    // One that never speaks is hung up on.
    let (mut mind, [neighbor]) = Mind::linked();
    mind.asked_for(neighbor, 1, 1);
    let (link, _) = mind.dialled(call(client_address(1)));
    let out = mind.pass_but_pings(HELLO_WAIT_MAX);
    assert_eq!(out, [(HELLO_WAIT_MAX, Output::Close { link })]);
}

#[test]
fn a_client_that_breaks_the_protocol_on_its_answer_link_loses_it() {
    for message in [client_hello(7000), servent_hello(5), request(1), Message::Pong, value(1, "green")] {
        let (mut mind, [neighbor]) = Mind::linked();
        mind.asked_for(neighbor, 1, 1);
        let (link, _) = mind.answer_link(1);
        assert_eq!(mind.hear(link, message.clone()), [Output::Close { link }], "{}", message.name());
    }
}

#[test]
fn an_address_that_names_no_client_is_not_dialled() {
    for address in
        ["0.0.0.0:7000", "11.0.0.1:0", "255.255.255.255:7000", "224.0.0.1:7000", "[::]:7000", "[ff02::1]:7000"]
    {
        let (mut mind, [neighbor, other]) = Mind::linked();
        let client = AnswerAddress { socket: address.parse().unwrap(), dialect: Dialect::Native };
        // Whoever knows the way back is answered by it.
        let came = Query { client, ttl: 0, ..query(5, 1, tea()) };
        let tally = Tally { stopped: 1, ..answered() };
        let out = mind.hear(neighbor, Message::query(came.clone()));
        assert_eq!(out, [send(neighbor, own_brought(&came)), send(neighbor, echo_of(&came, tally))], "{address}");
        let tally = Tally { stopped: 1, ..unanswered() };
        assert_eq!(mind.echo(neighbor, &Query { contact: None, sequence: 6, ..came.clone() }), tally, "{address}");
        assert_eq!(mind.held("unanswered"), 1);
        // It goes on to be answered by others, unless they would dial what nobody may.
        let out = mind.hear(neighbor, Message::query(Query { ttl: 3, ..came }));
        let onward: Vec<_> = out.iter().filter(|output| matches!(output, Output::Flood { .. })).collect();
        let expected = if client.socket.port() == 0 { vec![] } else { vec![other] };
        assert_eq!(onward.len(), expected.len(), "{address}: {out:?}");
        assert!(onward.iter().all(|output| matches!(output, Output::Flood { links, .. } if *links == expected)));
    }
}

#[test]
fn one_answer_link_too_many_closes_the_one_idle_longest() {
    let (mut mind, [neighbor]) = Mind::linked();
    let mut links = Vec::new();
    for number in 0..CALL_LINKS_MAX {
        mind.asked_for(neighbor, 1, number);
        let (link, out) = mind.answer_link(number);
        assert_eq!(out, [send(link, own_hello()), send(link, value(1, "green"))]);
        links.push(link);
        mind.now = mind.now + milliseconds(1);
    }
    // The first is used once more, so the second is idle longest.
    assert_eq!(mind.asked_for(neighbor, 2, 0).0, [send(links[0], value(2, "green"))]);
    mind.asked_for(neighbor, 1, CALL_LINKS_MAX);
    let (link, out) = mind.answer_link(CALL_LINKS_MAX);
    let [one, two] = goodbye(links[1], Goodbye::Idle);
    assert_eq!(out, [send(link, own_hello()), send(link, value(1, "green")), one, two]);
    // It is forgotten, not left alone: an answer for it is a dial.
    assert_eq!(mind.asked_for(neighbor, 2, 1).0, [dial_client(1)]);
}

#[test]
fn the_answer_link_just_opened_is_not_the_one_too_many() {
    let (mut mind, [neighbor]) = Mind::linked();
    // All at the same time, and the last at the first address.
    for number in 1..=CALL_LINKS_MAX {
        mind.asked_for(neighbor, 1, number);
        mind.answer_link(number);
    }
    mind.asked_for(neighbor, 1, 0);
    let (link, out) = mind.answer_link(0);
    assert!(!out.contains(&Output::Close { link }));
    assert_eq!(mind.asked_for(neighbor, 2, 0).0, [send(link, value(2, "green"))]);
    assert_eq!(mind.held("call_links"), CALL_LINKS_MAX);
}

#[test]
fn an_answer_address_is_not_reached_twice() {
    let (mut mind, [neighbor]) = Mind::linked();
    mind.asked_for(neighbor, 1, 1);
    let (link, _) = mind.dialled(call(client_address(1)));
    let (second, out) = mind.dialled(call(client_address(1)));
    assert_eq!(out, [Output::Close { link: second }]);
    let out = mind.hear(link, client_hello(7000));
    assert_eq!(out, [send(link, own_hello()), send(link, value(1, "green"))]);
}

#[test]
fn an_answer_link_unused_for_a_minute_is_closed() {
    let mut mind = Mind::new();
    // A client's query, so that no neighbor needs to be pinged: the link outlives it.
    let neighbor = mind.neighbor(1);
    mind.asked_for(neighbor, 1, 1);
    let (link, _) = mind.answer_link(1);
    mind.now = mind.now + (ANSWER_IDLE_MAX - TICK);
    assert_eq!(mind.asked_for(neighbor, 2, 1).0, [send(link, value(2, "green"))]);
    mind.closed(neighbor);
    assert_eq!(mind.pass(ANSWER_IDLE_MAX - TICK), []);
    assert_eq!(mind.pass_and_see(TICK), goodbye(link, Goodbye::Idle));
    assert_eq!(mind.overlay.deadline(), None);
}

#[test]
fn an_address_that_fails_is_left_alone_for_a_growing_while() {
    let (mut mind, [neighbor]) = Mind::linked();
    assert_eq!(mind.asked_for(neighbor, 0, 1).0, [dial_client(1)]);
    let mut rest = CALL_REST_MIN;
    for sequence in 1..12 {
        assert_eq!(mind.call_failed(client_address(1)), []);
        assert_eq!(mind.overlay.holding("undelivered"), Some(sequence), "what waited is dropped");
        assert_eq!(mind.asked_for(neighbor, sequence, 1), (vec![], answered()), "it waits for the rest to end");
        mind.hear(neighbor, Message::Pong);
        let mut left = rest - TICK;
        while !left.is_zero() {
            let part = left.min(PING_AFTER);
            assert_eq!(mind.pass(part), []);
            mind.hear(neighbor, Message::Pong);
            left -= part;
        }
        assert_eq!(mind.pass(TICK), [(TICK, dial_client(1))]);
        rest = (rest * 2).min(CALL_REST_MAX);
    }
    assert_eq!(rest, CALL_REST_MAX);
    // Once it spoke, its failures are forgotten.
    let (link, out) = mind.answer_link(1);
    assert_eq!(out, [send(link, own_hello()), send(link, value(11, "green"))]);
    mind.closed(link);
    assert_eq!(mind.asked_for(neighbor, 20, 1).0, [dial_client(1)]);
    mind.call_failed(client_address(1));
    assert_eq!(mind.asked_for(neighbor, 21, 1).0, []);
    assert_eq!(mind.pass(CALL_REST_MIN), [(CALL_REST_MIN, dial_client(1))]);
}

#[test]
fn answers_that_wait_are_bounded_for_each_client_and_for_all() {
    let big = "x".repeat(VALUE_BYTES_MAX);
    let mut mind = Mind::with(&config(), store(&format!("tea {big}")));
    let neighbor = mind.neighbor(1);
    let mut taken = 0;
    let (mut number, mut sequence) = (0, 0);
    loop {
        sequence += 1;
        let (_, tally) = mind.asked_for(neighbor, sequence, number);
        if tally == answered() {
            taken += 1;
        } else {
            assert_eq!(tally, unanswered());
            if sequence == 1 {
                break;
            }
            // Two values of full length fit one client.
            assert_eq!(sequence, 3, "client {number}");
            (number, sequence) = (number + 1, 0);
        }
        // Every value weighs a little more than its bytes.
        assert!(taken < CALLS_QUEUED_BYTES_MAX / VALUE_BYTES_MAX);
        if taken == CALLS_QUEUED_BYTES_MAX / VALUE_BYTES_MAX - 1 {
            assert_eq!(mind.asked_for(neighbor, 77, number + 1).1, unanswered());
            break;
        }
    }
    let refused = mind.held("unanswered");
    assert!(refused > 0);
    // One that is refused leaves no trace: nothing waits for it, and its address is not known.
    assert_eq!(mind.asked_for(neighbor, 78, 5_000).0, []);
    // A client that is reached, and one that is not, both make room.
    let (_, out) = mind.answer_link(0);
    assert_eq!(out.len(), 3);
    assert_eq!(mind.asked_for(neighbor, 79, 5_001).1, answered());
    assert_eq!(mind.asked_for(neighbor, 79, 5_002).1, answered());
    assert_eq!(mind.asked_for(neighbor, 79, 5_003).1, unanswered());
    mind.call_failed(client_address(1));
    assert_eq!(mind.asked_for(neighbor, 79, 5_004).1, answered());
    assert_eq!(mind.asked_for(neighbor, 79, 5_005).1, answered());
    assert_eq!(mind.asked_for(neighbor, 79, 5_006).1, unanswered());
}

#[test]
fn an_opened_answer_link_nobody_waits_for_is_closed() {
    let mut mind = Mind::new();
    let (link, out) = mind.dialled(call(client_address(1)));
    assert_eq!(out, [Output::Close { link }]);
}

/// The dial ends when the system gives it up, which is a little later.
#[test]
fn for_a_dial_that_one_answer_waited_for_in_vain_no_other_waits() {
    let (mut mind, [neighbor]) = Mind::linked();
    let queries = [1, 2, 3, 4].map(|sequence| query(sequence, 1, tea()));
    let asked = |mind: &mut Mind, place: usize| mind.hear(neighbor, Message::query(queries[place].clone()));
    let echoes = queries.each_ref().map(|query| send(neighbor, echo_of(query, answered())));
    let goes_back = queries.each_ref().map(|query| send(neighbor, own_brought(query)));
    assert_eq!(asked(&mut mind, 0), [dial_client(1), echoes[0].clone()]);
    assert_eq!(mind.pass(BACK_AFTER - TICK), []);
    assert_eq!(mind.pass(TICK), [(TICK, goes_back[0].clone())]);
    assert_eq!(asked(&mut mind, 1), [goes_back[1].clone(), echoes[1].clone()], "ahead of the echo");
    // Whoever is reached after all stays for those that come later. Until it has spoken it is the same.
    let (link, out) = mind.dialled(call(client_address(1)));
    assert_eq!(out, []);
    assert_eq!(asked(&mut mind, 2), [goes_back[2].clone(), echoes[2].clone()]);
    assert_eq!(mind.hear(link, client_hello(7000)), [send(link, own_hello())]);
    assert_eq!(asked(&mut mind, 3), [send(link, value(4, "green")), echoes[3].clone()]);
    assert_eq!(mind.asked_for(neighbor, 9, 1), (vec![send(link, value(9, "green"))], answered()));
}
