//! How a query travels, how long its echoes are awaited, and what is offered again.

use super::*;

#[test]
fn a_ttl_of_others_is_cut_down_or_refused() {
    // Our own TTL, the TTL and hops that come; the TTL passed on, or nothing when the query is dropped.
    for (own, ttl, hops, passed) in [
        (3, 0, 1, None),
        (3, 1, 1, Some(0)),
        (3, TTL_FROM_OTHERS_MAX, 1, Some(TTL_FROM_OTHERS_MAX - 1)),
        (3, TTL_FROM_OTHERS_MAX + 1, 1, Some(TTL_FROM_OTHERS_MAX - 1)),
        (3, TTL_MAX, 1, Some(TTL_FROM_OTHERS_MAX - 1)),
        (0, TTL_MAX, 1, Some(TTL_FROM_OTHERS_MAX - 1)),
        (12, 12, 1, Some(11)),
        (12, 13, 1, Some(11)),
        (12, TTL_MAX, 1, Some(11)),
        (TTL_MAX, TTL_MAX, 1, Some(TTL_MAX - 1)),
        (3, 1, TTL_MAX, Some(0)),
        (3, 0, TTL_MAX + 1, None),
    ] {
        let mut mind = Mind::with(&Config { ttl: own, ..config() }, store("tea green"));
        let asker = mind.neighbor(1);
        let other = mind.neighbor(2);
        let came = Query { ttl, hops, ..query(5, 1, milk()) };
        let out = mind.hear(asker, Message::query(came.clone()));
        let Some(passed) = passed else {
            let tally = Tally { reached: 1, stopped: 1, ..Tally::default() };
            assert_eq!(out, [send(asker, echo_of(&came, tally))], "{own} {ttl}");
            continue;
        };
        let onward = Query { ttl: passed, hops: hops + 1, ..came.clone() };
        assert_eq!(out, [Output::Flood { links: vec![other], query: onward.clone().into() }], "{own} {ttl}");
        // The echo names the TTL the copy came with, not what we made of it.
        let out = mind.hear(other, echo_of(&onward, reached(1)));
        assert_eq!(out, [send(asker, echo_of(&came, Tally { reached: 2, ..passed_on() }))]);
        // What differs only above the limit brings nothing new.
        if ttl > TTL_FROM_OTHERS_MAX.max(own) {
            let again = Query { ttl: ttl - 1, ..came.clone() };
            assert_eq!(mind.echo(other, &again), duplicate());
        }
        assert_eq!(mind.held("too_far"), 0);
    }
    // Hops plus TTL is the same all over a flood.
    for (ttl, hops) in [
        (TTL_MAX + 1, 1),
        (TTL_MAX, 2),
        (1, TTL_MAX + 1),
        (0, TTL_MAX + 2),
        (u8::MAX, 1),
        (3, u8::MAX),
        (u8::MAX, u8::MAX),
    ] {
        let mut mind = Mind::with(&Config { ttl: TTL_MAX, ..config() }, store("tea green"));
        let asker = mind.neighbor(1);
        mind.neighbor(2);
        assert_eq!(mind.hear(asker, Message::query(Query { ttl, hops, ..query(5, 1, tea()) })), []);
        assert_eq!(mind.held("too_far"), 1, "ttl {ttl} hops {hops}");
    }
}

#[test]
fn a_contact_starts_with_its_own_ttl_and_no_more_than_the_largest() {
    for (own, first) in [(0, 0), (3, 3), (TTL_MAX, TTL_MAX), (TTL_MAX + 1, TTL_MAX), (u8::MAX, TTL_MAX)] {
        let mut mind = Mind::with(&Config { ttl: own, ..config() }, store(""));
        let neighbor = mind.neighbor(1);
        let client = mind.client(1);
        let (links, asked) = passed_on_in(&mind.hear(client, request(5)));
        let expected = Query { ttl: first, hops: 1, contact: asked.contact, ..query(5, 1, milk()) };
        assert_eq!((links, asked), (vec![neighbor], expected));
    }
}

#[test]
fn a_path_longer_than_the_way_costs_its_sender_the_link() {
    let (mut mind, [asker, other]) = Mind::linked();
    let milk_query = query(8, 1, milk());
    let with_path = |sequence: u64, length: usize| {
        let path = vec![servent_address(9); length].into();
        Message::query(Query { hops: 2, path, ..query(sequence, 1, Ask::Topology) })
    };
    let out = mind.hear(asker, with_path(5, 2));
    let Some(Output::Flood { links, query }) = out.last() else { panic!("it was not passed on: {out:?}") };
    assert_eq!(*links, [other]);
    assert_eq!(query.path, vec![servent_address(9), servent_address(9), own_address()].into());
    assert!(mind.hear(other, with_path(6, 3)).starts_with(&goodbye(other, Goodbye::Protocol)));
    // What asks for a key has no path at all.
    let path = vec![servent_address(9)].into();
    let third = mind.neighbor(3);
    let out = mind.hear(third, Message::query(Query { hops: 2, path, ..milk_query }));
    assert!(out.starts_with(&goodbye(third, Goodbye::Protocol)), "{out:?}");
    // Only that link: the other still floods, to nobody now.
    assert!(matches!(mind.hear(asker, with_path(7, 0)).as_slice(), [Output::Send { link, .. }] if *link == asker));
}

#[test]
fn a_copy_with_more_ttl_is_passed_on_again_and_never_answered_again() {
    for forward_once in [false, true] {
        let mut mind = Mind::with(&Config { forward_once, ..config() }, store("tea green"));
        let [a, b, c] = [1, 2, 3].map(|id| mind.neighbor(id));
        let first = Query { ttl: 0, ..query(5, 1, tea()) };
        let out = mind.hear(a, Message::query(first.clone()));
        let tally =
            Tally { reached: 1, answers: 1, answer_sum: ServentId(OWN_ID).mark(), stopped: 1, ..Tally::default() };
        assert_eq!(out, [dial_client(1), send(a, echo_of(&first, tally))]);

        let second = Query { ttl: 2, ..first.clone() };
        let out = mind.hear(b, Message::query(second.clone()));
        if forward_once {
            assert_eq!(out, [send(b, echo_of(&second, duplicate()))]);
            continue;
        }
        let onward = Query { ttl: 1, hops: 2, ..second.clone() };
        assert_eq!(out, [Output::Flood { links: vec![a, c], query: onward.clone().into() }]);
        assert_eq!(mind.hear(c, echo_of(&onward, reached(1))), []);
        // Neither an echo of another copy, nor one of a link that owes none, nor one said twice ends the wait.
        assert_eq!(mind.hear(a, echo_of(&first, reached(9))), []);
        assert_eq!(mind.hear(b, echo_of(&onward, reached(9))), []);
        assert_eq!(mind.hear(c, echo_of(&onward, reached(9))), []);
        let out = mind.hear(a, echo_of(&onward, Tally::default()));
        let tally = Tally { copies: 2, stopped: -1, ..passed_on() };
        assert_eq!(out, [send(b, echo_of(&second, tally))]);

        // With as much TTL as before it is a duplicate.
        assert_eq!(mind.echo(c, &second), duplicate());
        assert_eq!(mind.overlay.pending_count(), 0);
    }
}

#[test]
fn every_servent_gives_up_before_the_one_that_waits_for_it() {
    let mut earlier = Duration::MAX;
    for (ttl, hops) in [(3, 1), (2, 2), (1, 3)] {
        let (mut mind, [asker, _]) = Mind::linked();
        let came = Query { ttl, hops, ..query(5, 1, milk()) };
        mind.hear(asker, Message::query(came.clone()));
        let wait = ECHO_WAIT_MAX * (u32::from(ttl) + 1) / 5;
        assert!(wait < earlier && wait < ECHO_WAIT_MAX);
        earlier = wait;
        assert_eq!(mind.pass(wait - TICK), []);
        let tally = Tally { lost: 1, ..passed_on() };
        assert_eq!(mind.pass(TICK), [(TICK, send(asker, echo_of(&came, tally)))]);
    }
    let mut mind = Mind::new();
    mind.neighbor(1);
    mind.neighbor(2);
    let client = mind.client(1);
    mind.hear(client, request(5));
    assert_eq!(mind.pass_but_pings(ECHO_WAIT_MAX - TICK), []);
    let tally = Tally { copies: 2, lost: 2, ..passed_on() };
    assert_eq!(mind.pass(TICK), [(TICK, send(client, finished(5, tally)))]);
    assert_eq!(mind.overlay.pending_count(), 0);
}

#[test]
fn a_copy_in_flight_on_a_link_that_fell_is_offered_again_when_the_link_returns() {
    let (mut mind, [a, b, c]) = Mind::linked();
    let came = query(5, 1, milk());
    let onward = Query { ttl: 2, hops: 2, ..came.clone() };
    mind.hear(a, Message::query(came.clone()));
    assert_eq!(mind.closed(c), []);
    assert_eq!(mind.hear(b, echo_of(&onward, reached(1))), []);
    assert_eq!(mind.overlay.pending_count(), 1, "the other may come back");
    let again = mind.stranger();
    let offer = Output::Flood { links: vec![again], query: onward.clone().into() };
    assert_eq!(mind.hear(again, servent_hello(3)), [send(again, own_hello()), offer]);
    // Each link is told its own: an echo over the one that fell is none.
    assert_eq!(mind.hear(c, echo_of(&onward, reached(7))), []);
    let tally = Tally { reached: 3, copies: 3, ..passed_on() };
    assert_eq!(mind.hear(again, echo_of(&onward, reached(1))), [send(a, echo_of(&came, tally))]);
    assert_eq!(mind.overlay.pending_count(), 0);
    assert_eq!(mind.closed(again), []);
    let once_more = mind.stranger();
    assert_eq!(mind.hear(once_more, servent_hello(3)), [send(once_more, own_hello())], "nothing is in flight");
}

#[test]
fn a_neighbor_that_does_not_come_back_in_time_is_lost() {
    for returns_as in [None, Some(4)] {
        let (mut mind, [a, b]) = Mind::linked();
        let came = query(5, 1, milk());
        mind.hear(a, Message::query(came.clone()));
        assert_eq!(mind.closed(b), []);
        if let Some(id) = returns_as {
            // Whoever starts anew has forgotten the query, and might answer it twice.
            let again = mind.stranger();
            assert_eq!(mind.hear(again, servent_hello(id)), [send(again, own_hello())]);
        }
        let patience = ECHO_WAIT_MAX * 4 / 5;
        let tally = Tally { lost: 1, ..passed_on() };
        assert_eq!(mind.pass(patience), [(patience, send(a, echo_of(&came, tally)))]);
        let late = mind.stranger();
        assert_eq!(mind.hear(late, servent_hello(2)), [send(late, own_hello())], "it is over");
    }
}

#[test]
fn a_neighbor_that_says_it_leaves_is_not_waited_for() {
    let (mut mind, [a, b]) = Mind::linked();
    let came = query(5, 1, milk());
    mind.hear(a, Message::query(came.clone()));
    let out = mind.hear(b, Message::Goodbye(Goodbye::Leaving));
    assert_eq!(out, [Output::Close { link: b }, send(a, echo_of(&came, Tally { lost: 1, ..passed_on() }))]);
}

#[test]
fn a_goodbye_for_a_reason_that_is_not_known_is_one_and_its_speaker_may_come_back() {
    let farewell = Message::Goodbye(Goodbye::Unknown { number: 250 });
    let (mut mind, [a, b]) = Mind::linked();
    mind.hear(a, Message::query(query(5, 1, milk())));
    assert_eq!(mind.hear(b, farewell.clone()), [Output::Close { link: b }], "it is waited for");
    // Nor does it take a hello before it.
    let stranger = mind.stranger();
    assert_eq!(mind.hear(stranger, farewell), [Output::Close { link: stranger }]);
}

/// Whoever lies in its echo tells of as many copies as there are numbers.
#[test]
fn a_copy_offered_again_is_counted_beside_however_many_were_told_of() {
    let (mut mind, [a, b, liar]) = Mind::linked();
    let came = query(5, 1, milk());
    let out = mind.hear(a, Message::query(came.clone()));
    let Some(Output::Flood { query: onward, .. }) = out.first() else { panic!("{out:?}") };
    mind.hear(liar, echo_of(onward, Tally { copies: u64::MAX, ..Tally::default() }));
    mind.closed(b);
    let again = mind.stranger();
    mind.hear(again, servent_hello(2));
    let out = mind.hear(again, echo_of(onward, reached(1)));
    let tally = Tally { reached: 2, copies: u64::MAX, ..passed_on() };
    assert_eq!(out, [send(a, echo_of(&came, tally))]);
}

#[test]
fn a_copy_offered_again_gets_the_echo_of_the_first() {
    let came = Query { ttl: 2, ..query(5, 1, milk()) };
    let onward = Query { ttl: 1, hops: 2, ..came.clone() };
    let tally = Tally { reached: 4, ..passed_on() };
    // The echo may have been lost on its way, or have found nobody to go to, or be still to come.
    for finished_when in ["before the link fell", "while it was down", "after it was back"] {
        let (mut mind, [a, b]) = Mind::linked();
        mind.hear(a, Message::query(came.clone()));
        if finished_when == "before the link fell" {
            assert_eq!(mind.hear(b, echo_of(&onward, reached(3))), [send(a, echo_of(&came, tally))]);
        }
        assert_eq!(mind.closed(a), []);
        if finished_when == "while it was down" {
            assert_eq!(mind.hear(b, echo_of(&onward, reached(3))), []);
        }
        let again = mind.neighbor(1);
        let less = Query { ttl: 1, ..came.clone() };
        assert_eq!(mind.echo(again, &less), duplicate(), "with less");
        let mut out = mind.hear(again, Message::query(came.clone()));
        if finished_when == "after it was back" {
            assert_eq!(out, []);
            out = mind.hear(b, echo_of(&onward, reached(3)));
        }
        assert_eq!(out, [send(again, echo_of(&came, tally))], "{finished_when}");
        // Said twice on one link it is a duplicate, and so it is from anybody else.
        assert_eq!(mind.echo(again, &came), duplicate());
        let other = mind.neighbor(3);
        assert_eq!(mind.echo(other, &came), duplicate());
    }
}

#[test]
fn what_came_of_a_copy_is_kept_after_its_echoes_were_given_up() {
    let (mut mind, [a, b]) = Mind::linked();
    let came = query(5, 1, milk());
    mind.hear(a, Message::query(came.clone()));
    mind.hear(b, Message::Ping);
    let patience = ECHO_WAIT_MAX * 4 / 5;
    let tally = Tally { lost: 1, ..passed_on() };
    assert!(mind.pass_and_see(patience).contains(&send(a, echo_of(&came, tally))));
    mind.closed(a);
    let again = mind.neighbor(1);
    assert_eq!(mind.echo(again, &came), tally);
}

#[test]
fn a_servent_with_nobody_to_ask_repeats_its_echo_too() {
    let (mut mind, [a]) = Mind::linked();
    let came = query(5, 1, milk());
    assert_eq!(mind.echo(a, &came), reached(1));
    mind.closed(a);
    let again = mind.neighbor(1);
    assert_eq!(mind.echo(again, &came), reached(1));
    // For as long as anybody may wait for it.
    mind.closed(again);
    mind.pass(ECHO_WAIT_MAX);
    let late = mind.neighbor(1);
    assert_eq!(mind.echo(late, &came), duplicate());
}

#[test]
fn queries_are_kept_to_be_offered_again_up_to_so_many_bytes() {
    let (mut mind, [a, b]) = Mind::linked();
    let key = || Ask::Key(Key::new(&[b'k'; KEY_BYTES_MAX]).unwrap());
    let most = OFFERS_KEPT_BYTES_MAX / KEY_BYTES_MAX;
    for sequence in 0..most as u64 {
        mind.hear(a, Message::query(query(sequence, 1, key())));
    }
    let kept = mind.held("offers_kept_bytes");
    assert!(kept <= OFFERS_KEPT_BYTES_MAX && kept + 2 * KEY_BYTES_MAX > OFFERS_KEPT_BYTES_MAX, "{kept}");
    let lost = mind.closed(b).len();
    assert!(0 < lost && lost < most / 10, "{lost} of {most} are lost at once");
    assert_eq!(mind.overlay.pending_count(), most - lost);
    mind.pass(ECHO_WAIT_MAX);
    assert_eq!(mind.held("offers_kept_bytes"), 0);
}

#[test]
fn a_tally_at_its_end_is_not_wrapped_into_a_whole_one() {
    for last in ["a neighbor leaves", "time passes"] {
        let (mut mind, [a, b]) = Mind::linked();
        let client = mind.client(1);
        mind.hear(client, request(5));
        let onward = query(5, 1, milk());
        let tally = Tally { lost: u64::MAX, ..Tally::default() };
        assert_eq!(mind.hear(a, echo_of(&onward, tally)), []);
        let out = match last {
            "a neighbor leaves" => mind.hear(b, Message::Goodbye(Goodbye::Leaving))[1..].to_vec(),
            _ => mind.pass_but_pings(ECHO_WAIT_MAX).into_iter().map(|(_, output)| output).collect(),
        };
        let tally = Tally { copies: 2, lost: u64::MAX, ..passed_on() };
        assert_eq!(out, [send(client, finished(5, tally))], "{last}");
    }
}
