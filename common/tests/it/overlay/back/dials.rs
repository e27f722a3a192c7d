//! Answers that were to be dialled, and are not: for want of a client there, of time or of room. They go back, also when their
//! copy was echoed long before.

use super::*;

/// A mind that holds the key, and was asked by a neighbor for a client that it dials; whether others are asked too.
fn asked(with_others: bool) -> (Mind, LinkId, Query) {
    let (mut mind, [asker]) = Mind::linked();
    if with_others {
        mind.neighbor(2);
    }
    let came = query(5, 1, tea());
    let out = mind.hear(asker, Message::query(came.clone()));
    assert_eq!(out[0], dial_client(1));
    assert_eq!(mind.held("pending"), usize::from(with_others), "else it is echoed already");
    (mind, asker, came)
}

#[test]
fn an_answer_whose_dial_comes_to_nothing_goes_back_before_its_echo_and_after() {
    for with_others in [false, true] {
        let (mut mind, asker, came) = asked(with_others);
        assert_eq!(mind.call_failed(client_address(1)), [send(asker, own_brought(&came))], "nobody is there");

        let (mut mind, asker, came) = asked(with_others);
        let (link, _) = mind.dialled(call(client_address(1)));
        assert_eq!(mind.closed(link), [send(asker, own_brought(&came))], "it hung up");

        let (mut mind, asker, came) = asked(with_others);
        let (link, _) = mind.dialled(call(client_address(1)));
        let out = mind.hear(link, client_hello(7001));
        assert_eq!(out, [Output::Close { link }, send(asker, own_brought(&came))], "it is somebody else");
        assert_eq!((mind.went_back(), mind.held("undelivered")), ((1, 0), 0));
    }
}

#[test]
fn an_answer_that_has_another_way_waits_for_so_long_and_no_longer() {
    for with_others in [false, true] {
        for is_reached in [false, true] {
            let (mut mind, asker, came) = asked(with_others);
            let began = seconds(1);
            assert_eq!(mind.pass(began), []);
            if is_reached {
                // It was connected to, and says nothing: the two are one wait.
                assert_eq!(mind.dialled(call(client_address(1))).1, []);
            }
            assert_eq!(mind.pass(BACK_AFTER - began - TICK), []);
            assert_eq!(mind.pass(TICK), [(TICK, send(asker, own_brought(&came)))], "reached: {is_reached}");
            assert_eq!((mind.held("calls_queued_bytes"), mind.went_back()), (0, (1, 0)));
        }
    }
}

#[test]
fn an_answer_that_waits_for_its_turn_to_be_dialled_goes_back_when_it_has_waited_too_long() {
    let (mut mind, [asker]) = Mind::linked();
    let ports: Vec<SocketAddr> = (0..=CALL_DIALS_PER_NETWORK_MAX)
        .map(|number| SocketAddr::new(client_address(1).ip(), 7000 + u16::try_from(number).unwrap()))
        .collect();
    for port in &ports[1..] {
        // Nothing but dials of theirs, which have no other way.
        assert_eq!(mind.asked_for_at(asker, u64::from(port.port()), *port).0, [dial_at(*port)]);
    }
    let client = AnswerAddress { socket: ports[0], dialect: Dialect::Native };
    let came = Query { client, ..query(5, 1, tea()) };
    assert_eq!(mind.hear(asker, Message::query(came.clone())), [send(asker, echo_of(&came, answered()))]);
    assert_eq!(mind.held("call_addresses"), ports.len());
    assert_eq!(mind.pass(BACK_AFTER), [(BACK_AFTER, send(asker, own_brought(&came)))]);
    // It is not dialled when its turn comes: nothing is left to be said there.
    assert_eq!(mind.held("call_addresses"), ports.len() - 1);
    assert_eq!(mind.call_failed(ports[1]), []);
}

#[test]
fn while_an_address_rests_its_answers_go_back_at_once() {
    let (mut mind, asker, came) = asked(false);
    assert_eq!(mind.call_failed(client_address(1)), [send(asker, own_brought(&came))]);
    let mut sequence = 5;
    let mut ask = |mind: &mut Mind| {
        sequence += 1;
        let came = query(sequence, 1, tea());
        (mind.hear(asker, Message::query(came.clone())), came)
    };
    for rest in [CALL_REST_MIN, 2 * CALL_REST_MIN] {
        let (out, came) = ask(&mut mind);
        assert_eq!(out, [send(asker, own_brought(&came)), send(asker, echo_of(&came, answered()))]);
        assert_eq!(mind.pass(rest - TICK), []);
        let (out, came) = ask(&mut mind);
        assert_eq!(out, [send(asker, own_brought(&came)), send(asker, echo_of(&came, answered()))]);
        assert_eq!(mind.pass(TICK), []);
        // Then it is tried again, and nobody waits for that.
        let (out, came) = ask(&mut mind);
        let went_back = [send(asker, own_brought(&came)), send(asker, echo_of(&came, answered()))];
        assert_eq!(out, [&[dial_client(1)], &went_back[..]].concat());
        let (out, came) = ask(&mut mind);
        assert_eq!(out, [send(asker, own_brought(&came)), send(asker, echo_of(&came, answered()))]);
        assert_eq!(mind.call_failed(client_address(1)), []);
    }
    assert_eq!((mind.went_back(), mind.held("undelivered")), ((9, 0), 0));
    // Where somebody is there by then, the next one is said there.
    mind.pass(4 * CALL_REST_MIN);
    assert_eq!(ask(&mut mind).0.len(), 3);
    let (link, out) = mind.dialled(call(client_address(1)));
    assert_eq!(out, []);
    assert_eq!(mind.hear(link, client_hello(7000)), [send(link, own_hello())]);
    assert!(matches!(ask(&mut mind).0[0], Output::Send { link: to, message: Message::Answer(_) } if to == link));
}

#[test]
fn what_a_limit_keeps_from_being_dialled_goes_back_at_once() {
    let mut mind = Mind::with(&config(), store(&format!("tea {}", "x".repeat(VALUE_BYTES_MAX))));
    let asker = mind.neighbor(1);
    let mut echoed = Tally::default();
    for sequence in 0..4 {
        let came = query(sequence, 1, tea());
        let out = mind.hear(asker, Message::query(came.clone()));
        let went_back = matches!(&out[0], Output::Send { message: Message::Brought(_), .. });
        // Two values of full length wait for one client.
        assert_eq!(went_back, sequence >= 2, "{sequence}: {out:?}");
        echoed.add(&answered());
        assert_eq!(out.last(), Some(&send(asker, echo_of(&came, answered()))), "it is answered all the same");
    }
    assert_eq!((mind.held("answered"), mind.held("unanswered"), mind.went_back()), (4, 0, (2, 0)));
}

#[test]
fn those_that_have_no_other_way_wait_on_for_the_same_client() {
    let (mut mind, [asker]) = Mind::linked();
    assert_eq!(mind.asked_for(asker, 4, 1).0, [dial_client(1)]);
    let waiting = mind.held("calls_queued_bytes");
    let came = query(5, 1, tea());
    mind.hear(asker, Message::query(came.clone()));
    assert_eq!(mind.asked_for(asker, 6, 1).0, []);
    assert_eq!(mind.held("calls_queued_bytes"), 3 * waiting);
    assert_eq!(mind.pass(BACK_AFTER), [(BACK_AFTER, send(asker, own_brought(&came)))]);
    assert_eq!(mind.held("calls_queued_bytes"), 2 * waiting);
    let (link, out) = mind.answer_link(1);
    assert_eq!(out, [own_hello(), value(4, "green"), value(6, "green")].map(|message| send(link, message)));
}

/// As for a client that is on this host as its contact is, with another servent on another.
#[test]
fn an_answer_that_was_dialled_goes_back_though_a_copy_that_is_answered_back_came_since() {
    let (mut mind, [asker, other]) = Mind::linked();
    let came = query(5, 1, tea());
    assert_eq!(mind.hear(asker, Message::query(came.clone()))[0], dial_client(1));
    assert_eq!(mind.echo(other, &back(came.clone())), duplicate());
    let out = mind.hear(other, echo_of(&onward_of(&came), reached(1)));
    assert_eq!(out, [send(asker, echo_of(&came, sum(&[answered(), passed_on()])))]);
    assert_eq!(mind.call_failed(client_address(1)), [send(asker, own_brought(&came))]);
}

#[test]
fn what_others_dialled_in_vain_goes_on_for_so_long_after_the_echo() {
    for waited in [Duration::ZERO, ROUTE_KEPT - TICK, ROUTE_KEPT] {
        let (mut mind, [asker, other]) = Mind::linked();
        let came = query(5, 1, milk());
        let (_, onward) = mind.onward(asker, &came);
        let tally = sum(&[answers_of(&[2]), passed_on()]);
        assert_eq!(mind.hear(other, echo_of(&onward, answers_of(&[2]))), [send(asker, echo_of(&came, tally))]);
        assert_eq!(mind.held("routes"), 1);
        // That its contact has it open no more, and nobody remembers it, changes nothing.
        mind.echo(asker, &Query { ttl: 0, contact: Some(mark(1, 6, 6)), ..query(6, 1, milk()) });
        assert_eq!(mind.held("pending"), 0);
        mind.pass(waited);
        let theirs = answer_of(2, "white");
        // Not over a link on which it did not go out.
        let newcomer = mind.neighbor(3);
        assert_eq!(mind.hear(newcomer, brought(&onward, &theirs)), []);
        let out = mind.hear(other, brought(&onward, &theirs));
        let goes_on = waited < ROUTE_KEPT;
        assert_eq!(out, Vec::from_iter(goes_on.then(|| send(asker, brought(&came, &theirs)))), "{waited:?}");
        assert_eq!(mind.went_back(), (usize::from(goes_on), 1 + usize::from(!goes_on)));
    }
}

#[test]
fn a_way_is_kept_where_something_may_come_and_nowhere_else_and_not_for_ever() {
    let nothing = reached(1);
    let given_up = Tally { lost: 1, ..reached(1) };
    for (via, tally, is_kept) in [
        (Via::Direct, nothing, false),
        (Via::Direct, answers_of(&[2]), true),
        (Via::Direct, given_up, true),
        // All came ahead of their echoes.
        (Via::Back, answers_of(&[2]), false),
        // But for those of whoever was not waited for.
        (Via::Back, given_up, true),
    ] {
        let (mut mind, [asker, other]) = Mind::linked();
        let came = Query { via, ..query(5, 1, milk()) };
        let (_, onward) = mind.onward(asker, &came);
        mind.hear(other, echo_of(&onward, tally));
        assert_eq!(mind.held("routes"), usize::from(is_kept), "{via:?}: {tally}");
        let theirs = answer_of(2, "white");
        let out = mind.hear(other, brought(&onward, &theirs));
        assert_eq!(out, Vec::from_iter(is_kept.then(|| send(asker, brought(&came, &theirs)))), "{via:?}: {tally}");
        // It goes though nobody asks anything more.
        [asker, other].into_iter().for_each(|link| drop(mind.closed(link)));
        mind.pass_and_see(ROUTE_KEPT + NEIGHBOR_BEAT);
        assert_eq!(mind.held("routes"), 0);
    }
}

#[test]
fn what_a_neighbor_brings_that_was_given_up_goes_on() {
    let (mut mind, [asker, other]) = Mind::linked();
    let came = back(query(5, 1, milk()));
    let (_, onward) = mind.onward(asker, &came);
    let patience = ECHO_WAIT_MAX * 4 / 5;
    let tally = Tally { lost: 1, ..passed_back() };
    assert_eq!(mind.pass(patience), [(patience, send(asker, echo_of(&came, tally)))]);
    let theirs = answer_of(2, "white");
    assert_eq!(mind.hear(other, brought(&onward, &theirs)), [send(asker, brought(&came, &theirs))]);
}

#[test]
fn what_is_dialled_in_vain_finds_whoever_sent_its_copy_over_another_link() {
    let (mut mind, asker, came) = asked(false);
    let (again, _) = mind.relinked(asker, 1);
    assert_eq!(mind.hear(again, Message::query(came.clone())), [send(again, echo_of(&came, answered()))]);
    assert_eq!(mind.call_failed(client_address(1)), [send(again, own_brought(&came))]);
}

#[test]
fn what_is_dialled_in_vain_is_dropped_where_whoever_sent_its_copy_stays_away() {
    let (mut mind, asker, came) = asked(false);
    mind.pass(seconds(1));
    mind.closed(asker);
    let other = mind.neighbor(2);
    assert_eq!(mind.call_failed(client_address(1)), []);
    assert_eq!(mind.echo(other, &came), duplicate(), "nobody else is brought it");
    assert_eq!(mind.went_back().0, 0);
}

#[test]
fn so_many_ways_are_kept_and_the_oldest_goes_for_one_more() {
    let (mut mind, [asker, other]) = Mind::linked();
    let numbered = |number: u64| Query { contact: Some(mark(1, number, number)), ..query(number, 1, milk()) };
    let most = ROUTES_KEPT_MAX as u64;
    for number in 0..=most {
        let (_, onward) = mind.onward(asker, &numbered(number));
        mind.hear(other, echo_of(&onward, answers_of(&[2])));
        assert_eq!(mind.held("routes") as u64, (number + 1).min(most));
    }
    let theirs = answer_of(2, "white");
    for (number, is_kept) in [(0, false), (1, true), (most, true)] {
        let out = mind.hear(other, brought(&onward_of(&numbered(number)), &theirs));
        assert_eq!(out, Vec::from_iter(is_kept.then(|| send(asker, brought(&numbered(number), &theirs)))), "{number}");
    }
    // And there is room again.
    mind.pass(ROUTE_KEPT);
    let (_, onward) = mind.onward(asker, &numbered(most + 1));
    mind.hear(other, echo_of(&onward, answers_of(&[2])));
    assert_eq!(mind.held("routes"), 1);
}
