//! The servent's mind at its doors: every limit reached, every role kept to, every deadline met.
//!
//! Inputs go in, outputs come out; there is no world here and no bytes. How minds work together is told by the stories
//! and judged by the simulator.

use std::collections::BTreeSet;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::support::mind::*;
use crate::support::random::Random;
use common::address::{AnswerAddress, Neighbor};
use common::dialect::Dialect;
use common::disk::{Job, JobDone};
use common::features::Features;
use common::key::Key;
use common::limits::*;
use common::link::LinkId;
use common::message::{Echo, Goodbye, Hello, Message, Request, Role, ServentId};
use common::overlay::{Config, Dial, Errand, Holding, Input, Opening, Output};
use common::query::{Answer, AnswerBody, Ask, Path, Query, QueryId, Tally};
use common::store::Store;
use common::wire::WireError;

// ---- the flood and its limits ----

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
            let out = mind.hear(other, Message::query(again.clone()));
            let tally = Tally { duplicates: 1, ..Tally::default() };
            assert_eq!(out, [send(other, echo_of(&again, tally))]);
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
    let mut mind = Mind::new();
    let asker = mind.neighbor(1);
    let other = mind.neighbor(2);
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
            assert_eq!(out, [send(b, echo_of(&second, Tally { duplicates: 1, ..Tally::default() }))]);
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
        let tally = Tally { reached: 1, copies: 2, stopped: -1, ..Tally::default() };
        assert_eq!(out, [send(b, echo_of(&second, tally))]);

        // With as much TTL as before it is a duplicate.
        let out = mind.hear(c, Message::query(second.clone()));
        assert_eq!(out, [send(c, echo_of(&second, Tally { duplicates: 1, ..Tally::default() }))]);
        assert_eq!(mind.overlay.pending_count(), 0);
    }
}

#[test]
fn every_servent_gives_up_before_the_one_that_waits_for_it() {
    let mut earlier = Duration::MAX;
    for (ttl, hops) in [(3, 1), (2, 2), (1, 3)] {
        let mut mind = Mind::new();
        let asker = mind.neighbor(1);
        mind.neighbor(2);
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
    assert_eq!(mind.pass(ECHO_WAIT_MAX - TICK), []);
    let tally = Tally { reached: 1, copies: 2, lost: 2, ..Tally::default() };
    assert_eq!(mind.pass(TICK), [(TICK, send(client, finished(5, tally)))]);
    assert_eq!(mind.overlay.pending_count(), 0);
}

#[test]
fn a_copy_in_flight_on_a_link_that_fell_is_offered_again_when_the_link_returns() {
    let mut mind = Mind::new();
    let [a, b, c] = [1, 2, 3].map(|id| mind.neighbor(id));
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
    let tally = Tally { reached: 3, copies: 3, ..Tally::default() };
    assert_eq!(mind.hear(again, echo_of(&onward, reached(1))), [send(a, echo_of(&came, tally))]);
    assert_eq!(mind.overlay.pending_count(), 0);
    assert_eq!(mind.closed(again), []);
    let once_more = mind.stranger();
    assert_eq!(mind.hear(once_more, servent_hello(3)), [send(once_more, own_hello())], "nothing is in flight");
}

#[test]
fn a_neighbor_that_does_not_come_back_in_time_is_lost() {
    for returns_as in [None, Some(4)] {
        let mut mind = Mind::new();
        let [a, b] = [1, 2].map(|id| mind.neighbor(id));
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
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
    let came = query(5, 1, milk());
    mind.hear(a, Message::query(came.clone()));
    let out = mind.hear(b, Message::Goodbye(Goodbye::Leaving));
    assert_eq!(out, [Output::Close { link: b }, send(a, echo_of(&came, Tally { lost: 1, ..passed_on() }))]);
}

#[test]
fn a_goodbye_for_a_reason_that_is_not_known_is_one_and_its_speaker_may_come_back() {
    let farewell = Message::Goodbye(Goodbye::Unknown { number: 250 });
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
    mind.hear(a, Message::query(query(5, 1, milk())));
    assert_eq!(mind.hear(b, farewell.clone()), [Output::Close { link: b }], "it is waited for");
    // Nor does it take a hello before it.
    let stranger = mind.stranger();
    assert_eq!(mind.hear(stranger, farewell), [Output::Close { link: stranger }]);
}

/// Whoever lies in its echo tells of as many copies as there are numbers.
#[test]
fn a_copy_offered_again_is_counted_beside_however_many_were_told_of() {
    let mut mind = Mind::new();
    let [a, b, liar] = [1, 2, 3].map(|id| mind.neighbor(id));
    let came = query(5, 1, milk());
    let out = mind.hear(a, Message::query(came.clone()));
    let Some(Output::Flood { query: onward, .. }) = out.first() else { panic!("{out:?}") };
    mind.hear(liar, echo_of(onward, Tally { copies: u64::MAX, ..Tally::default() }));
    mind.closed(b);
    let again = mind.stranger();
    mind.hear(again, servent_hello(2));
    let out = mind.hear(again, echo_of(onward, reached(1)));
    let tally = Tally { reached: 2, copies: u64::MAX, ..Tally::default() };
    assert_eq!(out, [send(a, echo_of(&came, tally))]);
}

#[test]
fn a_copy_offered_again_gets_the_echo_of_the_first() {
    let came = Query { ttl: 2, ..query(5, 1, milk()) };
    let onward = Query { ttl: 1, hops: 2, ..came.clone() };
    let tally = Tally { reached: 4, copies: 1, ..Tally::default() };
    // The echo may have been lost on its way, or have found nobody to go to, or be still to come.
    for finished_when in ["before the link fell", "while it was down", "after it was back"] {
        let mut mind = Mind::new();
        let [a, b] = [1, 2].map(|id| mind.neighbor(id));
        mind.hear(a, Message::query(came.clone()));
        if finished_when == "before the link fell" {
            assert_eq!(mind.hear(b, echo_of(&onward, reached(3))), [send(a, echo_of(&came, tally))]);
        }
        assert_eq!(mind.closed(a), []);
        if finished_when == "while it was down" {
            assert_eq!(mind.hear(b, echo_of(&onward, reached(3))), []);
        }
        let again = mind.neighbor(1);
        let duplicate = Tally { duplicates: 1, ..Tally::default() };
        let less = Query { ttl: 1, ..came.clone() };
        assert_eq!(
            mind.hear(again, Message::query(less.clone())),
            [send(again, echo_of(&less, duplicate))],
            "with less"
        );
        let mut out = mind.hear(again, Message::query(came.clone()));
        if finished_when == "after it was back" {
            assert_eq!(out, []);
            out = mind.hear(b, echo_of(&onward, reached(3)));
        }
        assert_eq!(out, [send(again, echo_of(&came, tally))], "{finished_when}");
        // Said twice on one link it is a duplicate, and so it is from anybody else.
        assert_eq!(mind.hear(again, Message::query(came.clone())), [send(again, echo_of(&came, duplicate))]);
        let other = mind.neighbor(3);
        assert_eq!(mind.hear(other, Message::query(came.clone())), [send(other, echo_of(&came, duplicate))]);
    }
}

#[test]
fn what_came_of_a_copy_is_kept_after_its_echoes_were_given_up() {
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
    let came = query(5, 1, milk());
    mind.hear(a, Message::query(came.clone()));
    mind.hear(b, Message::Ping);
    let patience = ECHO_WAIT_MAX * 4 / 5;
    let tally = Tally { lost: 1, ..passed_on() };
    assert!(mind.pass_and_see(patience).contains(&send(a, echo_of(&came, tally))));
    mind.closed(a);
    let again = mind.neighbor(1);
    assert_eq!(mind.hear(again, Message::query(came.clone())), [send(again, echo_of(&came, tally))]);
}

#[test]
fn a_servent_with_nobody_to_ask_repeats_its_echo_too() {
    let mut mind = Mind::new();
    let a = mind.neighbor(1);
    let came = query(5, 1, milk());
    assert_eq!(mind.hear(a, Message::query(came.clone())), [send(a, echo_of(&came, reached(1)))]);
    mind.closed(a);
    let again = mind.neighbor(1);
    assert_eq!(mind.hear(again, Message::query(came.clone())), [send(again, echo_of(&came, reached(1)))]);
    // For as long as anybody may wait for it.
    mind.closed(again);
    mind.pass(ECHO_WAIT_MAX);
    let late = mind.neighbor(1);
    let duplicate = Tally { duplicates: 1, ..Tally::default() };
    assert_eq!(mind.hear(late, Message::query(came.clone())), [send(late, echo_of(&came, duplicate))]);
}

#[test]
fn queries_are_kept_to_be_offered_again_up_to_so_many_bytes() {
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
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
        let mut mind = Mind::new();
        let [a, b] = [1, 2].map(|id| mind.neighbor(id));
        let client = mind.client(1);
        mind.hear(client, request(5));
        let onward = query(5, 1, milk());
        let tally = Tally { lost: u64::MAX, ..Tally::default() };
        assert_eq!(mind.hear(a, echo_of(&onward, tally)), []);
        let out = match last {
            "a neighbor leaves" => mind.hear(b, Message::Goodbye(Goodbye::Leaving))[1..].to_vec(),
            _ => mind.pass_and_see(ECHO_WAIT_MAX),
        };
        let tally = Tally { reached: 1, copies: 2, lost: u64::MAX, ..Tally::default() };
        assert_eq!(out, [send(client, finished(5, tally))], "{last}");
    }
}

#[test]
fn data_read_anew_is_answered_from() {
    let mut mind = Mind::new();
    let client = mind.client(1);
    let ask = |mind: &mut Mind, sequence| {
        let out = mind.hear(client, Message::Request(Request { sequence, ask: tea() }));
        match &out[0] {
            Output::Send { message: Message::Answer(Answer { body: AnswerBody::Value(value), .. }), .. } => {
                value.clone()
            }
            other => panic!("no answer: {other:?}"),
        }
    };
    assert_eq!(ask(&mut mind, 1), b"green");
    assert_eq!(mind.tell(Input::Reload), [Output::Disk(Job::ReadData)]);
    assert_eq!(ask(&mut mind, 2), b"green", "it is not read yet");
    let out = mind.tell(data_read(Ok(store("tea black"))));
    assert_eq!(out, [Output::Disk(Job::Free(store("tea green")))]);
    assert_eq!(ask(&mut mind, 3), b"black");
    mind.tell(Input::Reload);
    assert_eq!(mind.tell(data_read(Err("it is gone"))), []);
    assert_eq!(ask(&mut mind, 4), b"black");
}

fn data_read(read: Result<Arc<Store>, &str>) -> Input {
    Input::Disk(JobDone::DataRead(read.map_err(str::to_owned)))
}

/// What is asked for while it is read may be newer than what is being read, and one more reading is enough for all of it.
#[test]
fn data_is_read_once_at_a_time_and_once_more_if_it_was_asked_for_meanwhile() {
    let mut mind = Mind::new();
    for first in [Ok(store("tea black")), Err("it is gone")] {
        assert_eq!(mind.tell(Input::Reload), [Output::Disk(Job::ReadData)]);
        for _ in 0..3 {
            assert_eq!(mind.tell(Input::Reload), []);
        }
        // What is replaced is let go of before more is read.
        let out = mind.tell(data_read(first.clone()));
        let freed = out.len() == 2 && matches!(out.first(), Some(Output::Disk(Job::Free(_))));
        assert_eq!((freed, out.last()), (first.is_ok(), Some(&Output::Disk(Job::ReadData))));
        assert_eq!(mind.tell(data_read(Err("it is gone"))), [], "once more, not for ever");
    }
    assert_eq!(mind.tell(Input::Reload), [Output::Disk(Job::ReadData)]);
}

#[test]
fn a_client_is_known_by_the_one_spelling_of_its_address() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    let link = mind.new_link();
    let from = "[::ffff:11.0.0.1]:40000".parse().unwrap();
    mind.tell(Input::Opened { link, opening: Opening::Accepted(from) });
    mind.hear(link, client_hello(7000));
    let (links, asked) = passed_on_in(&mind.hear(link, request(5)));
    assert_eq!((links, asked.client), (vec![neighbor], query(5, 1, milk()).client));
}

// ---- who is there ----

#[test]
fn one_neighbor_more_than_the_limit_is_refused_without_a_hello() {
    let mut mind = Mind::new();
    let links: Vec<LinkId> = (1..=NEIGHBORS_MAX as u128).map(|id| mind.neighbor(id)).collect();
    let surplus = mind.stranger();
    assert_eq!(mind.hear(surplus, servent_hello(999)), goodbye(surplus, Goodbye::Full));
    let itself = mind.stranger();
    assert_eq!(mind.hear(itself, servent_hello(OWN_ID)), goodbye(itself, Goodbye::Myself), "without a hello too");
    let client = mind.client(1);
    assert!(
        matches!(mind.hear(client, request(5)).as_slice(), [Output::Flood { links, .. }] if links.len() == NEIGHBORS_MAX)
    );
    assert_eq!(mind.closed(links[0]), []);
    mind.neighbor(999);

    // A dial of our own that comes to one too many is closed too, and tried again later.
    let mut mind = Mind::with(&config_with_neighbor(&[servent_address(5)]), store(""));
    assert_eq!(mind.pass(Duration::ZERO).len(), 1);
    for id in 1..=NEIGHBORS_MAX as u128 {
        mind.neighbor(2_000 + id);
    }
    let (link, _) = mind.dialled(Dial::Neighbor(0));
    assert_eq!(mind.hear(link, servent_hello(5)), goodbye(link, Goodbye::Full));
    assert_eq!(mind.pass_and_see(REDIAL_PAUSE_MIN), [dial_neighbor(0, servent_address(5))]);
}

#[test]
fn strangers_that_came_at_once_are_not_all_closed_before_anybody_else_is_served() {
    let mut mind = Mind::new();
    let count = 1_000;
    let strangers: Vec<LinkId> = (0..count).map(|_| mind.stranger()).collect();
    mind.now = mind.now + HELLO_WAIT_MAX;
    let first = mind.tell(Input::Deadline);
    assert!(first.len() < count, "{} of {} outputs at once", first.len(), 2 * count);
    assert_eq!(mind.overlay.deadline(), Some(mind.now), "the others are due");
    let rest = mind.pass_and_see(Duration::ZERO);
    let closed = [first, rest].concat();
    assert_eq!(closed, strangers.into_iter().flat_map(|link| goodbye(link, Goodbye::Quiet)).collect::<Vec<_>>());
}

#[test]
fn a_stranger_has_five_seconds_to_say_hello() {
    let mut mind = Mind::new();
    let silent = mind.stranger();
    let late = mind.stranger();
    assert_eq!(mind.pass(HELLO_WAIT_MAX - TICK), []);
    mind.hear(late, client_hello(7000));
    let out = mind.pass(TICK);
    assert_eq!(out.iter().map(|(_, output)| output.clone()).collect::<Vec<_>>(), goodbye(silent, Goodbye::Quiet));
    assert_eq!(mind.pass(seconds(60)), [], "a client may be silent for as long as it likes");
    assert_eq!(mind.overlay.deadline(), None);
    assert_eq!(mind.hear(silent, client_hello(7000)), [], "that link is gone");
}

#[test]
fn a_quiet_neighbor_is_pinged_once_and_then_gone() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    // Heard at the very beginning of a beat, it is given the whole of it.
    let pinged = PING_AFTER + NEIGHBOR_BEAT;
    assert_eq!(mind.pass(pinged - TICK), []);
    assert_eq!(mind.pass(TICK), [(TICK, send(neighbor, Message::Ping))]);
    assert_eq!(mind.pass(seconds(1)), []);
    // Any word of it will do.
    assert_eq!(mind.hear(neighbor, Message::Pong), []);
    let next = pinged - seconds(1);
    assert_eq!(mind.pass(next), [(next, send(neighbor, Message::Ping))]);
    mind.hear(neighbor, Message::Ping);
    assert_eq!(mind.pass(pinged), [(pinged, send(neighbor, Message::Ping))]);
    let rest = NEIGHBOR_QUIET_MAX - PING_AFTER;
    assert_eq!(mind.pass(rest - TICK), []);
    assert_eq!(mind.pass_and_see(TICK), goodbye(neighbor, Goodbye::Quiet));
    assert_eq!(mind.overlay.deadline(), None);
    assert_eq!(mind.hear(neighbor, Message::Ping), []);
}

#[test]
fn a_ping_is_answered() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    let client = mind.client(1);
    for link in [neighbor, client] {
        assert_eq!(mind.hear(link, Message::Ping), [send(link, Message::Pong)]);
    }
}

/// When the next dial to a configured neighbor comes, and where it goes.
fn next_dial(mind: &mut Mind) -> (Duration, SocketAddr) {
    let start = mind.now;
    let due = mind.overlay.deadline().expect("a dial to come");
    mind.now = due;
    let out = mind.tell(Input::Deadline);
    let [Output::Dial { dial: Dial::Neighbor(0), address, dialect: Dialect::Native }] = out.as_slice() else {
        panic!("no dial: {out:?}")
    };
    (due.since(start), *address)
}

#[test]
fn the_pause_before_a_redial_doubles_with_jitter_up_to_its_limit() {
    let mut firsts = Vec::new();
    for number in 0..20 {
        let servent_id = ServentId(OWN_ID + number);
        let config = Config { servent_id, ..config_with_neighbor(&[servent_address(5)]) };
        let mut mind = Mind::with(&config, store(""));
        assert_eq!(next_dial(&mut mind), (Duration::ZERO, servent_address(5)));
        let mut full = REDIAL_PAUSE_MIN;
        for round in 0..70 {
            assert_eq!(mind.dial_failed(Dial::Neighbor(0)), []);
            let (pause, _) = next_dial(&mut mind);
            assert!(full / 2 <= pause && pause <= full, "round {round}: {pause:?}");
            if round == 0 {
                firsts.push(pause);
            }
            full = (full * 2).min(REDIAL_PAUSE_MAX);
        }
        assert_eq!(full, REDIAL_PAUSE_MAX);
        // A link that falls as soon as it stands is one more failure.
        let (link, _) = mind.dialled(Dial::Neighbor(0));
        mind.hear(link, servent_hello(5));
        assert_eq!(mind.closed(link), []);
        let (pause, _) = next_dial(&mut mind);
        assert!(REDIAL_PAUSE_MAX / 2 <= pause && pause <= REDIAL_PAUSE_MAX);
        // One that stands a while makes it forget them all.
        let (link, out) = mind.dialled(Dial::Neighbor(0));
        let hello = Message::Hello(Hello::new(Role::Servent { id: servent_id, advertised: own_address() }));
        assert_eq!(out, [send(link, hello)], "the dialler speaks first");
        assert_eq!(mind.hear(link, servent_hello(5)), []);
        assert!(mind.pass(REDIAL_PAUSE_MAX).iter().all(|(_, output)| *output == send(link, Message::Ping)));
        assert_eq!(mind.closed(link), []);
        let (pause, _) = next_dial(&mut mind);
        assert!(REDIAL_PAUSE_MIN / 2 <= pause && pause <= REDIAL_PAUSE_MIN);
        // One that closed before a hello is another failure, and so are the next two.
        for rounds in 1..=3 {
            let (link, _) = mind.dialled(Dial::Neighbor(0));
            let _ = mind.closed(link);
            let (pause, _) = next_dial(&mut mind);
            let full = REDIAL_PAUSE_MIN * 2_u32.pow(rounds);
            assert!(full / 2 <= pause && pause <= full, "{pause:?}");
        }
    }
    firsts.sort_unstable();
    firsts.dedup();
    assert!(firsts.len() > 10, "servents that lost each other together must not come back in step: {firsts:?}");
}

#[test]
fn a_name_with_several_addresses_gets_a_try_at_each_before_the_pause_grows() {
    let addresses = [5, 6, 7].map(servent_address);
    let mut mind = Mind::with(&config_with_neighbor(&addresses), store(""));
    let mut full = REDIAL_PAUSE_MIN;
    let (_, first) = next_dial(&mut mind);
    assert_eq!(first, addresses[0]);
    for round in 0..4 {
        for turn in 1..=3 {
            mind.dial_failed(Dial::Neighbor(0));
            let (pause, address) = next_dial(&mut mind);
            assert_eq!(address, addresses[turn % 3], "round {round}");
            assert!(full / 2 <= pause && pause <= full, "round {round}: {pause:?}");
        }
        full *= 2;
    }
}

// ---- names ----

fn look_up() -> Output {
    Output::Disk(Job::LookUp { neighbor: 0, name: "there".to_owned() })
}

fn looked_up(addresses: Result<&[SocketAddr], &str>) -> Input {
    let addresses = addresses.map(<[SocketAddr]>::to_vec).map_err(str::to_owned);
    Input::Disk(JobDone::LookedUp { neighbor: 0, addresses })
}

/// Waits for the next look-up of a mind whose only neighbor is known by a name alone.
fn next_look_up(mind: &mut Mind) -> Duration {
    let start = mind.now;
    mind.now = mind.overlay.deadline().expect("a look-up to come");
    assert_eq!(mind.tell(Input::Deadline), [look_up()]);
    mind.now.since(start)
}

#[test]
fn a_name_is_looked_up_before_every_dial_and_followed() {
    let [here, there] = [5, 6].map(servent_address);
    let mut mind = Mind::with(&config_with_neighbor(&[]), store(""));
    assert_eq!(next_look_up(&mut mind), Duration::ZERO);
    assert_eq!(mind.pass(seconds(60)), [], "whoever looks it up may take long");
    assert_eq!(mind.tell(looked_up(Ok(&[here]))), [dial_neighbor(0, here)]);
    assert_eq!(mind.tell(looked_up(Ok(&[there]))), [], "nobody asked");
    assert_eq!(mind.dial_failed(Dial::Neighbor(0)), []);
    next_look_up(&mut mind);
    assert_eq!(mind.tell(looked_up(Ok(&[there]))), [dial_neighbor(0, there)], "it has moved");
    let (link, _) = mind.dialled(Dial::Neighbor(0));
    mind.hear(link, servent_hello(5));
    assert_eq!(mind.closed(link), []);
    next_look_up(&mut mind);
    for nothing in [Err("no name server answers"), Ok(&[][..])] {
        assert_eq!(mind.tell(looked_up(nothing)), [dial_neighbor(0, there)], "it was there");
        assert_eq!(mind.dial_failed(Dial::Neighbor(0)), []);
        next_look_up(&mut mind);
    }
}

/// A mind whose neighbor was here, could not be dialled, and is looked up once more.
fn looking_up_again(here: SocketAddr) -> Mind {
    let mut mind = Mind::with(&config_with_neighbor(&[]), store(""));
    next_look_up(&mut mind);
    assert_eq!(mind.tell(looked_up(Ok(&[here]))), [dial_neighbor(0, here)]);
    mind.dial_failed(Dial::Neighbor(0));
    next_look_up(&mut mind);
    mind
}

#[test]
fn a_neighbor_whose_name_takes_long_is_dialled_where_it_was() {
    let [here, there] = [5, 6].map(servent_address);
    let mut mind = looking_up_again(here);
    assert_eq!(mind.overlay.deadline(), Some(mind.now + LOOK_UP_WAIT_MAX));
    for _ in 0..3 {
        // Nor is it asked again before there was an answer.
        mind.now = mind.overlay.deadline().expect("a dial to come");
        assert_eq!(mind.tell(Input::Deadline), [dial_neighbor(0, here)]);
        mind.dial_failed(Dial::Neighbor(0));
    }
    assert_eq!(mind.tell(looked_up(Ok(&[there]))), [], "for the next time");
    next_look_up(&mut mind);
    mind.now = mind.now + LOOK_UP_WAIT_MAX;
    assert_eq!(mind.tell(Input::Deadline), [dial_neighbor(0, there)]);
}

#[test]
fn a_neighbor_that_does_not_say_who_it_is_goes_by_where_it_was_dialled() {
    let [here, there] = [5, 6].map(servent_address);
    let mut mind = looking_up_again(here);
    mind.now = mind.now + LOOK_UP_WAIT_MAX;
    assert_eq!(mind.tell(Input::Deadline), [dial_neighbor(0, here)]);
    assert_eq!(mind.tell(looked_up(Ok(&[there]))), [], "it is under way to where it was");
    let (link, _) = mind.dialled(Dial::Neighbor(0));
    mind.hear(link, Message::Hello(Hello::said_in(Dialect::Tp3, Role::Nameless)));
    let client = mind.client(1);
    let out = mind.hear(client, Message::Request(Request { sequence: 1, ask: Ask::Topology }));
    let neighbors = out.iter().find_map(|output| match output {
        Output::Send { message: Message::Answer(Answer { body: AnswerBody::Place { neighbors, .. }, .. }), .. } => {
            Some(neighbors.as_slice())
        }
        _ => None,
    });
    assert_eq!(neighbors, Some(&[here][..]));
}

#[test]
fn an_address_that_a_name_has_no_more_is_not_dialled() {
    let [here, there] = [5, 6].map(servent_address);
    let mut mind = Mind::with(&config_with_neighbor(&[]), store(""));
    next_look_up(&mut mind);
    assert_eq!(mind.tell(looked_up(Ok(&[here, there]))), [dial_neighbor(0, here)]);
    mind.dial_failed(Dial::Neighbor(0));
    next_look_up(&mut mind);
    assert_eq!(mind.tell(looked_up(Ok(&[here]))), [dial_neighbor(0, here)], "and not the second, whose turn it was");
}

#[test]
fn a_name_that_means_nothing_yet_is_looked_up_again_as_a_lost_neighbor_is_dialled_again() {
    let mut mind = Mind::with(&config_with_neighbor(&[]), store(""));
    assert_eq!(next_look_up(&mut mind), Duration::ZERO);
    let mut full = REDIAL_PAUSE_MIN;
    for round in 0..20 {
        let nothing = if round % 2 == 0 { Err("nobody is called so") } else { Ok(&[][..]) };
        assert_eq!(mind.tell(looked_up(nothing)), []);
        let pause = next_look_up(&mut mind);
        assert!(full / 2 <= pause && pause <= full, "round {round}: {pause:?}");
        full = (full * 2).min(REDIAL_PAUSE_MAX);
    }
    assert_eq!(full, REDIAL_PAUSE_MAX);
    assert_eq!(mind.tell(looked_up(Ok(&[servent_address(5)]))), [dial_neighbor(0, servent_address(5))]);
}

/// Name servers turn the order from one answer to the next.
#[test]
fn every_address_of_a_name_has_its_turn_in_whatever_order_they_are_told() {
    let addresses = [5, 6, 7].map(servent_address);
    let mut mind = Mind::with(&config_with_neighbor(&[]), store(""));
    let mut dialled = BTreeSet::new();
    for turn in 0..3 {
        next_look_up(&mut mind);
        let mut told = addresses;
        told.rotate_left(turn);
        let out = mind.tell(looked_up(Ok(&told)));
        let [Output::Dial { address, .. }] = out.as_slice() else { panic!("no dial: {out:?}") };
        dialled.insert(*address);
        mind.dial_failed(Dial::Neighbor(0));
    }
    assert_eq!(dialled, BTreeSet::from(addresses));
}

#[test]
fn a_dialled_link_without_a_hello_is_closed_and_dialled_again() {
    let mut mind = Mind::with(&config_with_neighbor(&[servent_address(5)]), store(""));
    next_dial(&mut mind);
    let (link, _) = mind.dialled(Dial::Neighbor(0));
    assert_eq!(mind.pass(HELLO_WAIT_MAX - TICK), []);
    assert_eq!(mind.pass_and_see(TICK), goodbye(link, Goodbye::Quiet));
    assert_eq!(mind.pass_and_see(REDIAL_PAUSE_MIN), [dial_neighbor(0, servent_address(5))]);
}

#[test]
fn a_link_that_is_being_greeted_does_not_fail_with_another() {
    let mut mind = Mind::with(&config_with_neighbor(&[servent_address(5)]), store(""));
    next_dial(&mut mind);
    let (link, _) = mind.dialled(Dial::Neighbor(0));
    let stranger = mind.stranger();
    assert_eq!(mind.closed(stranger), []);
    assert_eq!(mind.pass(HELLO_WAIT_MAX - TICK), [], "it is not dialled again");
    assert_eq!(mind.hear(link, servent_hello(5)), []);
    assert_eq!(mind.held("neighbors"), 1);
}

#[test]
fn of_two_links_between_two_servents_both_sides_keep_the_same_one() {
    // Ours is the smaller id or the larger; who dialled the first link and who the second; what happens to the second.
    #[derive(Clone, Copy, Debug, PartialEq)]
    enum Second {
        Refused,
        Instead,
        Beside,
    }
    for (other, first_ours, second_ours, second) in [
        (OWN_ID + 1, true, false, Second::Refused),
        (OWN_ID + 1, false, true, Second::Instead),
        (OWN_ID - 1, true, false, Second::Instead),
        (OWN_ID - 1, false, true, Second::Refused),
        (OWN_ID + 1, true, true, Second::Refused),
        (OWN_ID - 1, true, true, Second::Refused),
        (OWN_ID + 1, false, false, Second::Beside),
        (OWN_ID - 1, false, false, Second::Beside),
    ] {
        let address = servent_address(5);
        let neighbor = Neighbor { name: "there".to_owned(), addresses: vec![address], dialect: Dialect::Native };
        let config = Config { neighbors: vec![neighbor.clone(), neighbor], ..config() };
        let mut mind = Mind::with(&config, store(""));
        assert_eq!(mind.pass_and_see(Duration::ZERO), [dial_neighbor(0, address), dial_neighbor(1, address)]);
        let open = |mind: &mut Mind, ours: bool, target: usize| {
            let link = if ours { mind.dialled(Dial::Neighbor(target)).0 } else { mind.stranger() };
            (link, mind.hear(link, servent_hello(other)))
        };
        // Said by the acceptor even on a link it refuses, so that the other side reaches the same verdict.
        let hello = |link, ours| if ours { Vec::new() } else { vec![send(link, own_hello())] };
        let (one, out) = open(&mut mind, first_ours, 0);
        assert_eq!(out, hello(one, first_ours));
        let (two, out) = open(&mut mind, second_ours, 1);
        let mut expected = hello(two, second_ours);
        let kept = match second {
            Second::Refused => {
                expected.extend(goodbye(two, Goodbye::Duplicate));
                vec![one]
            }
            Second::Instead => {
                expected.extend(goodbye(one, Goodbye::Duplicate));
                vec![two]
            }
            Second::Beside => vec![one, two],
        };
        assert_eq!(out, expected, "{other} {first_ours} {second_ours}");
        let client = mind.client(1);
        let out = mind.hear(client, request(5));
        assert!(matches!(out.as_slice(), [Output::Flood { links, .. }] if *links == kept));

        assert_eq!(mind.pass(REDIAL_PAUSE_MIN), [], "a link stands, so nobody is dialled");
        // A dial of ours that led to a link counts as linked, whichever link stayed: only its loss brings dials.
        let dials = usize::from(first_ours) + usize::from(second_ours);
        for link in kept {
            mind.closed(link);
        }
        let out = mind.pass_and_see(REDIAL_PAUSE_MIN);
        let count = out.iter().filter(|output| matches!(output, Output::Dial { .. })).count();
        assert_eq!(count, dials, "{other} {first_ours} {second_ours}");
    }
}

#[test]
fn a_servent_that_meets_itself_hangs_up_and_does_not_dial_again() {
    let mut mind = Mind::with(&config_with_neighbor(&[own_address()]), store(""));
    next_dial(&mut mind);
    let (dialling, _) = mind.dialled(Dial::Neighbor(0));
    let accepting = mind.stranger();
    let [one, two] = goodbye(accepting, Goodbye::Myself);
    assert_eq!(mind.hear(accepting, servent_hello(OWN_ID)), [send(accepting, own_hello()), one, two]);
    assert_eq!(mind.hear(dialling, servent_hello(OWN_ID)), goodbye(dialling, Goodbye::Myself));
    assert_eq!(mind.pass(seconds(60)), []);
    assert_eq!(mind.overlay.deadline(), None);
}

#[test]
fn whoever_says_what_its_role_does_not_allow_loses_its_link_and_nobody_else_does() {
    let messages = || {
        [
            client_hello(7000),
            servent_hello(5),
            Message::Ping,
            Message::Pong,
            request(5),
            Message::query(query(5, 1, milk())),
            value(5, "green"),
            Message::Echo(Echo { id: QueryId { sequence: 9, client: client_address(9) }, ttl: 1, tally: reached(1) }),
            finished(5, reached(1)),
        ]
    };
    for (who, allowed) in [
        ("an accepted stranger", vec!["client hello", "servent hello"]),
        ("a dialled stranger", vec!["servent hello"]),
        ("a client", vec!["ping", "pong", "request"]),
        ("a neighbor", vec!["ping", "pong", "query", "echo"]),
    ] {
        for message in messages() {
            let mut mind = Mind::with(&config_with_neighbor(&[servent_address(5)]), store(""));
            mind.pass(Duration::ZERO);
            let witnesses = [mind.neighbor(50), mind.neighbor(51), mind.client(50)];
            let link = match who {
                "an accepted stranger" => mind.stranger(),
                "a dialled stranger" => mind.dialled(Dial::Neighbor(0)).0,
                "a client" => mind.client(1),
                _ => mind.neighbor(1),
            };
            let name = match &message {
                Message::Hello(Hello { role: Role::Client { .. }, .. }) => "client hello",
                Message::Hello(Hello { role: Role::Servent { .. }, .. }) => "servent hello",
                message => message.name(),
            };
            let out = mind.hear(link, message.clone());
            let closes: Vec<&Output> = out.iter().filter(|output| matches!(output, Output::Close { .. })).collect();
            if allowed.contains(&name) {
                assert!(closes.is_empty(), "{who} may say {name}: {out:?}");
            } else {
                let farewell = if (who, name) == ("a dialled stranger", "client hello") {
                    Goodbye::Role
                } else {
                    Goodbye::Protocol
                };
                assert_eq!(out, goodbye(link, farewell), "{who} says {name}");
                assert_eq!(mind.hear(link, Message::Ping), [], "that link is gone");
            }
            for witness in witnesses {
                assert_eq!(mind.hear(witness, Message::Ping), [send(witness, Message::Pong)]);
            }
        }
    }
}

/// What a hello has beyond what is known is for those who know it.
#[test]
fn features_that_nobody_has_defined_change_nothing() {
    for hello in [servent_hello(5), client_hello(7000)] {
        let Message::Hello(plain) = hello else { panic!("{hello:?}") };
        let more = [Features::NONE, Features::NOT_GIVEN_OUT].map(|unknown| plain.features.with(unknown));
        assert!(more[0] != more[1], "there are some left to be defined");
        let answers = more.map(|features| {
            let mut mind = Mind::new();
            let link = mind.stranger();
            let greeting = mind.hear(link, Message::Hello(Hello { features, ..plain }));
            (greeting, mind.hear(link, Message::Ping))
        });
        assert_eq!(answers[0], answers[1]);
        assert!(matches!(answers[0].0.as_slice(), [Output::Send { message: Message::Hello(_), .. }]), "{answers:?}");
    }
}

/// Its link would not take it, and then its echo would be awaited for as long as patience lasts.
#[test]
fn a_query_longer_than_a_neighbor_accepts_is_lost_there_at_once() {
    for (frame_bytes_max, is_told) in [(1000, true), (100, false)] {
        let mut mind = Mind::new();
        let neighbor = mind.stranger();
        let Message::Hello(plain) = servent_hello(1) else { panic!("no hello") };
        mind.hear(neighbor, Message::Hello(Hello { frame_bytes_max, ..plain }));
        let client = mind.client(1);
        let ask = Ask::Key(Key::new(&[b'k'; 100]).unwrap());
        let out = mind.hear(client, Message::Request(Request { sequence: 7, ask }));
        let tally = Tally { reached: 1, lost: 1, ..Tally::default() };
        let is_sent = matches!(&out[..], [Output::Flood { links, .. }] if links[..] == [neighbor]);
        assert_eq!(is_sent, is_told, "{frame_bytes_max}: {out:?}");
        assert_eq!(out == [send(client, finished(7, tally))], !is_told, "{frame_bytes_max}: {out:?}");
        let short = mind.hear(client, request(8));
        assert!(matches!(&short[..], [Output::Flood { .. }]), "{frame_bytes_max}: {short:?}");
    }
}

#[test]
fn a_client_that_cannot_be_answered_is_refused() {
    let mut mind = Mind::new();
    let link = mind.stranger();
    assert_eq!(mind.hear(link, client_hello(0)), goodbye(link, Goodbye::Protocol));
}

#[test]
fn bytes_that_are_no_message_cost_their_sender_the_link() {
    let too_long = WireError::FrameTooLong { length: 9, max: 8 };
    for (error, farewell) in [
        (WireError::NoPreface("47 45".to_owned()), None),
        (WireError::Version(9), Some(Goodbye::Version)),
        (too_long, Some(Goodbye::Protocol)),
        (WireError::Malformed("odd".to_owned()), Some(Goodbye::Protocol)),
    ] {
        for who in ["stranger", "client", "neighbor"] {
            let mut mind = Mind::new();
            let link = match who {
                "stranger" => mind.stranger(),
                "client" => mind.client(1),
                _ => mind.neighbor(1),
            };
            let out = mind.tell(Input::Malformed { link, error: error.clone() });
            let expected = match farewell {
                Some(farewell) => goodbye(link, farewell).to_vec(),
                None => vec![Output::Close { link }],
            };
            assert_eq!(out, expected, "{who}: {error}");
            assert_eq!(mind.hear(link, Message::Ping), []);
        }
        let mut mind = Mind::new();
        let neighbor = mind.neighbor(1);
        mind.hear(neighbor, Message::query(query(5, 1, tea())));
        let (link, _) = mind.dialled(Dial::Call(Errand::Answers, client_address(1)));
        assert_eq!(mind.tell(Input::Malformed { link, error }), [Output::Close { link }], "no byte goes there");
    }
}

#[test]
fn a_servent_that_leaves_says_goodbye_to_all() {
    let mut mind = Mind::with(&config_with_neighbor(&[servent_address(5)]), store("tea green"));
    mind.pass(Duration::ZERO);
    let [accepted, asker] = [1, 2].map(|id| mind.neighbor(id));
    let (dialled, _) = mind.dialled(Dial::Neighbor(0));
    mind.hear(dialled, servent_hello(5));
    let client = mind.client(1);
    let stranger = mind.stranger();
    mind.hear(asker, Message::query(Query { ttl: 0, ..query(5, 2, tea()) }));
    mind.hear(asker, Message::query(Query { ttl: 0, ..query(6, 3, tea()) }));
    let (open, _) = mind.answer_link(2);
    let (silent, _) = mind.dialled(Dial::Call(Errand::Answers, client_address(3)));
    // Something is pending for the client; it is told before the goodbye.
    mind.hear(client, request(7));

    let out = mind.tell(Input::Leave);
    for link in [accepted, asker, dialled, client, stranger, open] {
        let place = out.windows(2).position(|pair| pair == goodbye(link, Goodbye::Leaving));
        assert!(place.is_some(), "{link}: {out:?}");
    }
    assert!(out.contains(&Output::Close { link: silent }));
    let to_silent = |output: &Output| matches!(output, Output::Send { link, .. } if *link == silent);
    assert!(!out.iter().any(to_silent), "an address that never spoke receives no byte");
    let closes = out.iter().filter(|output| matches!(output, Output::Close { .. })).count();
    assert_eq!(closes, 7, "each link once");
    assert_eq!(mind.held("undelivered"), 1, "what waited for the client that did not speak");
    let is_close = |output: &Output| matches!(output, Output::Close { link } if *link == client);
    let is_word =
        |output: &Output| matches!(output, Output::Send { link, message: Message::Finished(_) } if *link == client);
    assert!(out.iter().position(is_word).unwrap() < out.iter().position(is_close).unwrap());
}

// ---- answers on their way ----

/// A mind with a neighbor that asks for clients far away, and what it says to a query of client `number`.
fn asked_for(mind: &mut Mind, neighbor: LinkId, sequence: u64, number: usize) -> (Vec<Output>, Tally) {
    asked_for_at(mind, neighbor, sequence, client_address(number))
}

/// The same for a client at an address of one's choice.
fn asked_for_at(mind: &mut Mind, neighbor: LinkId, sequence: u64, client: SocketAddr) -> (Vec<Output>, Tally) {
    let client = AnswerAddress { socket: client, dialect: Dialect::Native };
    let query = Query { client, contact: None, ..query(sequence, 0, tea()) };
    let mut out = mind.hear(neighbor, Message::query(query));
    match out.pop() {
        Some(Output::Send { link, message: Message::Echo(echo) }) if link == neighbor => (out, echo.tally),
        other => panic!("no echo: {other:?}"),
    }
}

fn answered() -> Tally {
    Tally { reached: 1, answers: 1, answer_sum: ServentId(OWN_ID).mark(), ..Tally::default() }
}

fn unanswered() -> Tally {
    Tally { reached: 1, lost: 1, ..Tally::default() }
}

#[test]
fn one_dial_brings_all_answers_in_order_and_the_link_is_kept() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    assert_eq!(asked_for(&mut mind, neighbor, 1, 1), (vec![dial_client(1)], answered()));
    assert_eq!(asked_for(&mut mind, neighbor, 2, 1), (vec![], answered()));
    let (link, out) = mind.dialled(Dial::Call(Errand::Answers, client_address(1)));
    assert_eq!(out, []);
    assert_eq!(asked_for(&mut mind, neighbor, 3, 1), (vec![], answered()));
    let out = mind.hear(link, client_hello(7000));
    let expected = [own_hello(), value(1, "green"), value(2, "green"), value(3, "green")];
    assert_eq!(out, expected.map(|message| send(link, message)));
    assert_eq!(asked_for(&mut mind, neighbor, 4, 1), (vec![send(link, value(4, "green"))], answered()));
    assert_eq!(mind.hear(link, Message::Ping), [send(link, Message::Pong)]);

    // A client that leaves is no failure: the next answer is a new dial at once.
    assert_eq!(mind.closed(link), []);
    assert_eq!(asked_for(&mut mind, neighbor, 5, 1), (vec![dial_client(1)], answered()));
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
        let mut mind = Mind::new();
        let neighbor = mind.neighbor(1);
        asked_for(&mut mind, neighbor, 1, 1);
        let (link, _) = mind.dialled(Dial::Call(Errand::Answers, client_address(1)));
        assert_eq!(mind.hear(link, message.clone()), [Output::Close { link }], "{}", message.name());
        assert_eq!(mind.held("undelivered"), 1);
        assert_eq!(mind.hear(link, client_hello(7000)), [], "that link is gone");
    }
    // One that never speaks is hung up on.
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    asked_for(&mut mind, neighbor, 1, 1);
    let (link, _) = mind.dialled(Dial::Call(Errand::Answers, client_address(1)));
    let out = mind.pass(HELLO_WAIT_MAX);
    assert_eq!(out, [(HELLO_WAIT_MAX, Output::Close { link })]);
}

#[test]
fn a_client_that_breaks_the_protocol_on_its_answer_link_loses_it() {
    for message in [client_hello(7000), servent_hello(5), request(1), Message::Pong, value(1, "green")] {
        let mut mind = Mind::new();
        let neighbor = mind.neighbor(1);
        asked_for(&mut mind, neighbor, 1, 1);
        let (link, _) = mind.answer_link(1);
        assert_eq!(mind.hear(link, message.clone()), [Output::Close { link }], "{}", message.name());
    }
}

#[test]
fn an_address_that_names_no_client_is_not_dialled() {
    for address in ["0.0.0.0:7000", "11.0.0.1:0", "255.255.255.255:7000", "224.0.0.1:7000", "[::]:7000"] {
        let mut mind = Mind::new();
        let neighbor = mind.neighbor(1);
        let other = mind.neighbor(2);
        let client = AnswerAddress { socket: address.parse().unwrap(), dialect: Dialect::Native };
        let out = mind.hear(neighbor, Message::query(Query { client, ..query(5, 1, tea()) }));
        assert!(matches!(out.as_slice(), [Output::Flood { links, .. }] if *links == [other]), "{address}: {out:?}");
        assert_eq!(mind.held("unanswered"), 1);
    }
}

#[test]
fn so_many_dials_are_under_way_and_no_more() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    for number in 0..CALL_DIALS_MAX {
        assert_eq!(asked_for(&mut mind, neighbor, 1, number), (vec![dial_client(number)], answered()));
    }
    let next = CALL_DIALS_MAX;
    for number in next..next + 3 {
        assert_eq!(asked_for(&mut mind, neighbor, 1, number), (vec![], answered()));
    }
    // A failure, a greeting and a link that breaks make room; a link on which nobody spoke yet does not. The newest is
    // next: its client surely still waits.
    assert_eq!(mind.dial_failed(Dial::Call(Errand::Answers, client_address(0))), [dial_client(next + 2)]);
    let (link, out) = mind.answer_link(1);
    assert_eq!(out, [send(link, own_hello()), send(link, value(1, "green")), dial_client(next + 1)]);
    let (silent, out) = mind.dialled(Dial::Call(Errand::Answers, client_address(2)));
    assert_eq!(out, []);
    assert_eq!(mind.closed(silent), [dial_client(next)]);
    // A failure told twice counts once.
    assert_eq!(asked_for(&mut mind, neighbor, 1, next + 3), (vec![], answered()));
    assert_eq!(mind.dial_failed(Dial::Call(Errand::Answers, client_address(0))), []);
    assert_eq!(mind.held("undelivered"), 2);
}

fn dial_at(client: SocketAddr) -> Output {
    Output::Dial { dial: Dial::Call(Errand::Answers, client), address: client, dialect: Dialect::Native }
}

/// One port of many at one ip. In IPv6 the ip differs too, within one network.
fn ports_of(ip: &str) -> impl Fn(usize) -> SocketAddr + use<> {
    let ip: IpAddr = ip.parse().unwrap();
    move |number| {
        let ip = match ip {
            IpAddr::V4(_) => ip,
            IpAddr::V6(ip) => Ipv6Addr::from_bits(ip.to_bits() | number as u128).into(),
        };
        SocketAddr::new(ip, u16::try_from(number + 1).unwrap())
    }
}

#[test]
fn no_network_has_more_than_so_many_dials() {
    for (ip, others) in [("12.0.0.1", "12.0.0.2"), ("2001:db8::", "2001:db8:0:1::")] {
        let (here, elsewhere) = (ports_of(ip), ports_of(others));
        let mut mind = Mind::new();
        let neighbor = mind.neighbor(1);
        let most = CALL_DIALS_PER_NETWORK_MAX;
        for number in 0..most {
            assert_eq!(asked_for_at(&mut mind, neighbor, 1, here(number)), (vec![dial_at(here(number))], answered()));
        }
        for number in most..most + 3 {
            assert_eq!(asked_for_at(&mut mind, neighbor, 1, here(number)), (vec![], answered()), "it waits");
        }
        // Others are dialled at once.
        for number in 0..most {
            assert_eq!(asked_for_at(&mut mind, neighbor, 1, elsewhere(number)).0, [dial_at(elsewhere(number))]);
        }
        assert_eq!(
            mind.dial_failed(Dial::Call(Errand::Answers, here(0))),
            [dial_at(here(most + 2))],
            "the newest is first"
        );
        assert_eq!(
            mind.dial_failed(Dial::Call(Errand::Answers, elsewhere(0))),
            [],
            "the others have their part already"
        );
        assert_eq!(mind.dial_failed(Dial::Call(Errand::Answers, here(1))), [dial_at(here(most + 1))]);
    }
}

#[test]
fn no_network_has_more_dials_than_are_left_for_all_others() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    let most = CALL_DIALS_PER_NETWORK_MAX;
    let networks = CALL_DIALS_MAX / most;
    let port = |network: usize, number: usize| ports_of(&format!("12.0.1.{network}"))(number);
    // All networks but one have all they may, so what is left would be the part of one.
    for (network, number) in (1..networks).flat_map(|network| (0..most).map(move |number| (network, number))) {
        let to = port(network, number);
        assert_eq!(asked_for_at(&mut mind, neighbor, 1, to).0, [dial_at(to)]);
    }
    // The last has half of it, another half of the rest.
    for (network, share) in [(networks, most / 2), (networks + 1, most / 4)] {
        for number in 0..share {
            let to = port(network, number);
            assert_eq!(asked_for_at(&mut mind, neighbor, 1, to).0, [dial_at(to)]);
        }
        assert_eq!(asked_for_at(&mut mind, neighbor, 1, port(network, share)), (vec![], answered()), "it waits");
    }
    // A dial that is over is for whoever has fewest under way, and has no more of them for it than are left.
    assert_eq!(mind.dial_failed(Dial::Call(Errand::Answers, port(1, 0))), [dial_at(port(networks + 1, most / 4))]);
    assert_eq!(mind.dial_failed(Dial::Call(Errand::Answers, port(1, 1))), []);
}

/// As docs/PROTOCOL.md admits: no rule about addresses tells who lies.
#[test]
fn dark_addresses_in_forty_networks_have_every_dial() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    let dark = |network: usize, number: usize| ports_of(&format!("12.0.1.{network}"))(number);
    let mut fewest = 0;
    while mind.held("call_dials") < CALL_DIALS_MAX {
        fewest += 1;
        for number in 0..CALL_DIALS_PER_NETWORK_MAX {
            asked_for_at(&mut mind, neighbor, 1, dark(fewest, number));
        }
    }
    assert_eq!(fewest, 38);
    assert_eq!(asked_for(&mut mind, neighbor, 1, 0), (vec![], answered()), "it waits");
    assert_eq!(mind.dial_failed(Dial::Call(Errand::Answers, dark(1, 0))), [dial_client(0)], "until the first is over");
}

#[test]
fn those_that_failed_have_no_more_dials_than_are_left_for_all_others() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    // A crowd behind as many ips that all fail, wait out their rest and are asked for again.
    let crowd = CALL_DIALS_MAX - 1;
    for number in 0..crowd {
        assert_eq!(asked_for(&mut mind, neighbor, 1, number).0, [dial_client(number)]);
    }
    for number in 0..crowd {
        assert_eq!(mind.dial_failed(Dial::Call(Errand::Answers, client_address(number))), []);
    }
    for number in 0..crowd {
        assert_eq!(asked_for(&mut mind, neighbor, 2, number), (vec![], answered()));
    }
    let out = mind.pass(CALL_REST_MIN);
    assert_eq!(out.len(), CALL_DIALS_MAX / 2);
    assert!(out.iter().all(|(_, output)| matches!(output, Output::Dial { .. })));
    // Whoever has not failed is dialled at once.
    for number in crowd..crowd + CALL_DIALS_MAX / 2 {
        assert_eq!(asked_for(&mut mind, neighbor, 1, number).0, [dial_client(number)]);
    }
    assert_eq!(asked_for(&mut mind, neighbor, 1, CALL_ADDRESSES_MAX - 1), (vec![], answered()));
}

#[test]
fn those_that_failed_do_not_wait_for_a_network_that_has_its_part() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    let here = ports_of("12.0.0.1");
    let failed = CALL_DIALS_PER_NETWORK_MAX + 10;
    for number in 0..failed {
        assert_eq!(asked_for(&mut mind, neighbor, 1, number).0, [dial_client(number)]);
        assert_eq!(mind.dial_failed(Dial::Call(Errand::Answers, client_address(number))), []);
        assert_eq!(asked_for(&mut mind, neighbor, 2, number).0, []);
    }
    for number in 0..=CALL_DIALS_PER_NETWORK_MAX {
        asked_for_at(&mut mind, neighbor, 1, here(number));
    }
    assert_eq!(mind.pass(CALL_REST_MIN).len(), failed);
}

/// Has the mind dial these, lets every dial fail, and asks for each again, so that all wait for the end of their rest.
fn fail_and_ask_again(mind: &mut Mind, neighbor: LinkId, addresses: &[SocketAddr]) {
    for to in addresses {
        assert_eq!(asked_for_at(mind, neighbor, 1, *to).0, [dial_at(*to)]);
        assert_eq!(mind.dial_failed(Dial::Call(Errand::Answers, *to)), []);
    }
    for to in addresses {
        assert_eq!(asked_for_at(mind, neighbor, 2, *to), (vec![], answered()));
    }
}

fn dialled_in(out: &[Output]) -> Vec<SocketAddr> {
    let dial = |output: &Output| match output {
        Output::Dial { dial: Dial::Call(Errand::Answers, to), .. } => *to,
        output => panic!("no dial: {output:?}"),
    };
    out.iter().map(dial).collect()
}

#[test]
fn no_network_has_more_than_so_many_dials_though_its_addresses_failed() {
    for (ip, others) in [("12.0.0.1", "12.0.0.2"), ("2001:db8::", "2001:db8:0:1::")] {
        let (here, elsewhere) = (ports_of(ip), ports_of(others));
        let mut mind = Mind::new();
        let neighbor = mind.neighbor(1);
        let most = CALL_DIALS_PER_NETWORK_MAX;
        let dark: Vec<SocketAddr> = (0..240).map(&here).collect();
        fail_and_ask_again(&mut mind, neighbor, &dark);
        let rested = dialled_in(&mind.pass_and_see(CALL_REST_MIN));
        assert_eq!(rested.len(), most);
        // Whoever never failed counts with them at that ip, and waits for nothing elsewhere.
        let never_failed = here(240);
        assert_eq!(asked_for_at(&mut mind, neighbor, 3, never_failed), (vec![], answered()), "it waits");
        for number in 0..most {
            assert_eq!(asked_for_at(&mut mind, neighbor, 3, elsewhere(number)).0, [dial_at(elsewhere(number))]);
        }
        // It is the first there when a dial is over, and then those that failed go on, one for one.
        assert_eq!(mind.dial_failed(Dial::Call(Errand::Answers, rested[0])), [dial_at(never_failed)]);
        for to in &rested[1..] {
            let next = dialled_in(&mind.dial_failed(Dial::Call(Errand::Answers, *to)));
            assert!(matches!(next.as_slice(), [next] if dark.contains(next)), "{next:?}");
        }
        assert_eq!(mind.held("call_dials"), 2 * most);
    }
}

#[test]
fn those_that_failed_do_not_wait_for_newer_ones_of_a_network_that_has_its_part() {
    let (here, elsewhere) = (ports_of("12.0.0.1"), ports_of("12.0.0.2"));
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    let most = CALL_DIALS_PER_NETWORK_MAX;
    let dark: Vec<SocketAddr> = (0..2 * most).map(&here).collect();
    fail_and_ask_again(&mut mind, neighbor, &[elsewhere(0)]);
    fail_and_ask_again(&mut mind, neighbor, &dark);
    let rested = dialled_in(&mind.pass_and_see(CALL_REST_MIN));
    assert_eq!(rested.len(), most + 1);
    assert!(rested.contains(&elsewhere(0)));
}

#[test]
fn those_that_failed_have_no_more_of_one_network_than_are_left_for_all_others() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    let here = ports_of("12.0.0.1");
    let dark: Vec<SocketAddr> = (0..8).map(&here).collect();
    fail_and_ask_again(&mut mind, neighbor, &dark);
    // All dials but eight are taken, half of what was left then by that very network.
    for number in 0..CALL_DIALS_MAX - 16 {
        assert_eq!(asked_for(&mut mind, neighbor, 1, number).0, [dial_client(number)]);
    }
    for number in 8..16 {
        assert_eq!(asked_for_at(&mut mind, neighbor, 1, here(number)).0, [dial_at(here(number))]);
    }
    assert_eq!(mind.pass(CALL_REST_MIN), [], "they would be nine of it, and seven left");
    let out = mind.dial_failed(Dial::Call(Errand::Answers, here(8)));
    assert_eq!(dialled_in(&out).len(), 1, "one for one");
}

#[test]
fn no_network_has_more_addresses_known_than_are_left_for_all_others() {
    let here = ports_of("12.0.0.1");
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    let half = CALL_ADDRESSES_MAX / 2;
    for number in 0..half {
        assert_eq!(asked_for_at(&mut mind, neighbor, 1, here(number)).1, answered());
    }
    assert_eq!(asked_for_at(&mut mind, neighbor, 1, here(half)).1, unanswered());
    assert_eq!(asked_for(&mut mind, neighbor, 1, 0), (vec![dial_client(0)], answered()));
    // It makes room for its own among its own: the failure of somebody else stays known.
    mind.dial_failed(Dial::Call(Errand::Answers, client_address(0)));
    mind.pass(CALL_REST_MIN);
    assert_eq!(asked_for_at(&mut mind, neighbor, 2, here(half)).1, unanswered());
    mind.dial_failed(Dial::Call(Errand::Answers, here(0)));
    assert_eq!(asked_for_at(&mut mind, neighbor, 3, here(half)).1, unanswered(), "it is left alone and not forgotten");
    mind.pass(CALL_REST_MIN);
    assert_eq!(asked_for_at(&mut mind, neighbor, 4, here(half)).1, answered());
}

#[test]
fn no_network_has_more_bytes_waiting_than_are_left_for_all_others() {
    let big = "x".repeat(VALUE_BYTES_MAX);
    let here = ports_of("12.0.0.1");
    let mut mind = Mind::with(&config(), store(&format!("tea {big}")));
    let neighbor = mind.neighbor(1);
    let half = CALLS_QUEUED_BYTES_MAX / 2 / VALUE_BYTES_MAX;
    for number in 0..half {
        assert_eq!(asked_for_at(&mut mind, neighbor, 1, here(number)).1, answered());
    }
    assert_eq!(asked_for_at(&mut mind, neighbor, 1, here(half)).1, unanswered());
    for number in 0..half - 1 {
        assert_eq!(asked_for(&mut mind, neighbor, 1, number).1, answered());
    }
}

#[test]
fn so_many_answer_addresses_are_known_and_no_more() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    for number in 0..CALL_ADDRESSES_MAX {
        assert_eq!(asked_for(&mut mind, neighbor, 1, number).1, answered());
    }
    assert_eq!(asked_for(&mut mind, neighbor, 1, CALL_ADDRESSES_MAX), (vec![], unanswered()));
    assert_eq!(mind.held("unanswered"), 1);
    assert_eq!(asked_for(&mut mind, neighbor, 2, 0).1, answered(), "a known one may have more");
    // One that failed is known until its rest is over.
    mind.dial_failed(Dial::Call(Errand::Answers, client_address(1)));
    assert_eq!(asked_for(&mut mind, neighbor, 2, CALL_ADDRESSES_MAX).1, unanswered());
    mind.pass(CALL_REST_MIN);
    assert_eq!(asked_for(&mut mind, neighbor, 3, CALL_ADDRESSES_MAX).1, answered());
}

#[test]
fn one_answer_link_too_many_closes_the_one_idle_longest() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    let mut links = Vec::new();
    for number in 0..CALL_LINKS_MAX {
        asked_for(&mut mind, neighbor, 1, number);
        let (link, out) = mind.answer_link(number);
        assert_eq!(out, [send(link, own_hello()), send(link, value(1, "green"))]);
        links.push(link);
        mind.now = mind.now + milliseconds(1);
    }
    // The first is used once more, so the second is idle longest.
    assert_eq!(asked_for(&mut mind, neighbor, 2, 0).0, [send(links[0], value(2, "green"))]);
    asked_for(&mut mind, neighbor, 1, CALL_LINKS_MAX);
    let (link, out) = mind.answer_link(CALL_LINKS_MAX);
    let [one, two] = goodbye(links[1], Goodbye::Idle);
    assert_eq!(out, [send(link, own_hello()), send(link, value(1, "green")), one, two]);
    // It is forgotten, not left alone: an answer for it is a dial.
    assert_eq!(asked_for(&mut mind, neighbor, 2, 1).0, [dial_client(1)]);
}

#[test]
fn the_answer_link_just_opened_is_not_the_one_too_many() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    // All at the same time, and the last at the first address.
    for number in 1..=CALL_LINKS_MAX {
        asked_for(&mut mind, neighbor, 1, number);
        mind.answer_link(number);
    }
    asked_for(&mut mind, neighbor, 1, 0);
    let (link, out) = mind.answer_link(0);
    assert!(!out.contains(&Output::Close { link }));
    assert_eq!(asked_for(&mut mind, neighbor, 2, 0).0, [send(link, value(2, "green"))]);
    assert_eq!(mind.held("call_links"), CALL_LINKS_MAX);
}

#[test]
fn an_answer_address_is_not_reached_twice() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    asked_for(&mut mind, neighbor, 1, 1);
    let (link, _) = mind.dialled(Dial::Call(Errand::Answers, client_address(1)));
    let (second, out) = mind.dialled(Dial::Call(Errand::Answers, client_address(1)));
    assert_eq!(out, [Output::Close { link: second }]);
    let out = mind.hear(link, client_hello(7000));
    assert_eq!(out, [send(link, own_hello()), send(link, value(1, "green"))]);
}

#[test]
fn an_answer_link_unused_for_a_minute_is_closed() {
    let mut mind = Mind::new();
    // A client's query, so that no neighbor needs to be pinged: the link outlives it.
    let neighbor = mind.neighbor(1);
    asked_for(&mut mind, neighbor, 1, 1);
    let (link, _) = mind.answer_link(1);
    mind.now = mind.now + (ANSWER_IDLE_MAX - TICK);
    assert_eq!(asked_for(&mut mind, neighbor, 2, 1).0, [send(link, value(2, "green"))]);
    mind.closed(neighbor);
    assert_eq!(mind.pass(ANSWER_IDLE_MAX - TICK), []);
    assert_eq!(mind.pass_and_see(TICK), goodbye(link, Goodbye::Idle));
    assert_eq!(mind.overlay.deadline(), None);
}

#[test]
fn an_address_that_fails_is_left_alone_for_a_growing_while() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    assert_eq!(asked_for(&mut mind, neighbor, 0, 1).0, [dial_client(1)]);
    let mut rest = CALL_REST_MIN;
    for sequence in 1..12 {
        assert_eq!(mind.dial_failed(Dial::Call(Errand::Answers, client_address(1))), []);
        assert_eq!(mind.overlay.holding("undelivered"), Some(sequence), "what waited is dropped");
        assert_eq!(asked_for(&mut mind, neighbor, sequence, 1), (vec![], answered()), "it waits for the rest to end");
        mind.hear(neighbor, Message::Pong);
        let mut left = rest - TICK;
        while !left.is_zero() {
            let part = left.min(seconds(3));
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
    assert_eq!(asked_for(&mut mind, neighbor, 20, 1).0, [dial_client(1)]);
    mind.dial_failed(Dial::Call(Errand::Answers, client_address(1)));
    assert_eq!(asked_for(&mut mind, neighbor, 21, 1).0, []);
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
        let (_, tally) = asked_for(&mut mind, neighbor, sequence, number);
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
            assert_eq!(asked_for(&mut mind, neighbor, 77, number + 1).1, unanswered());
            break;
        }
    }
    let refused = mind.held("unanswered");
    assert!(refused > 0);
    // One that is refused leaves no trace: nothing waits for it, and its address is not known.
    assert_eq!(asked_for(&mut mind, neighbor, 78, 5_000).0, []);
    // A client that is reached, and one that is not, both make room.
    let (_, out) = mind.answer_link(0);
    assert_eq!(out.len(), 3);
    assert_eq!(asked_for(&mut mind, neighbor, 79, 5_001).1, answered());
    assert_eq!(asked_for(&mut mind, neighbor, 79, 5_002).1, answered());
    assert_eq!(asked_for(&mut mind, neighbor, 79, 5_003).1, unanswered());
    mind.dial_failed(Dial::Call(Errand::Answers, client_address(1)));
    assert_eq!(asked_for(&mut mind, neighbor, 79, 5_004).1, answered());
    assert_eq!(asked_for(&mut mind, neighbor, 79, 5_005).1, answered());
    assert_eq!(asked_for(&mut mind, neighbor, 79, 5_006).1, unanswered());
}

#[test]
fn an_opened_answer_link_nobody_waits_for_is_closed() {
    let mut mind = Mind::new();
    let (link, out) = mind.dialled(Dial::Call(Errand::Answers, client_address(1)));
    assert_eq!(out, [Output::Close { link }]);
}

// ---- what it says of itself ----

#[test]
fn what_it_holds_is_counted() {
    let mut mind = Mind::new();
    assert!(mind.overlay.holdings().all(|holding| holding.value == 0));
    let neighbors = [mind.neighbor(1), mind.neighbor(2), mind.neighbor(3)];
    for number in 0..2 {
        mind.client(number);
    }
    for _ in 0..4 {
        mind.stranger();
    }
    let tally = passed_on();
    for sequence in 0..5 {
        let query = query(sequence, 9, milk());
        mind.hear(neighbors[0], Message::query(query.clone()));
        // Of two of them every echo comes.
        for neighbor in neighbors[1..].iter().filter(|_| sequence < 2) {
            let echoed = Query { ttl: 2, ..query.clone() };
            mind.hear(*neighbor, echo_of(&echoed, tally));
        }
    }
    for client in [8, 9] {
        mind.hear(neighbors[0], Message::query(query(5, client, tea())));
    }
    assert_eq!(["neighbors", "clients", "strangers", "links"].map(|name| mind.held(name)), [3, 2, 4, 9]);
    assert_eq!(["seen", "pending", "echoes_kept"].map(|name| mind.held(name)), [7, 5, 2]);
    assert_eq!(["call_addresses", "call_dials", "call_links"].map(|name| mind.held(name)), [2, 2, 0]);
    assert!(mind.held("offers_kept_bytes") > 0 && mind.held("calls_queued_bytes") > 2 * "green".len());
    assert_eq!(["queries", "answered"].map(|name| mind.held(name)), [7, 2]);
    assert_eq!(mind.overlay.holding("nothing of this name"), None);
    // A link to an answer address is a link too.
    let links = [8, 9].map(|client| mind.dialled(Dial::Call(Errand::Answers, client_address(client))).0);
    assert_eq!(["call_links", "links"].map(|name| mind.held(name)), [2, 11]);
    for link in links {
        mind.hear(link, client_hello(7000));
    }
    assert_eq!(["call_dials", "calls_queued_bytes"].map(|name| mind.held(name)), [0, 0]);
}

/// Whoever watches takes the limits from the list, so the list is held against the limits.
#[test]
fn every_limit_in_the_list_is_the_one_of_its_name() {
    let limits = [
        ("neighbors", NEIGHBORS_MAX),
        ("clients", CONNECTIONS_MAX),
        ("strangers", CONNECTIONS_MAX),
        ("links", CONNECTIONS_MAX),
        ("seen", SEEN_IDS_MAX),
        ("seen_by_age", SEEN_TP3_IDS_MAX),
        ("contacts", CONTACTS_MAX),
        ("own_open", usize::try_from(SPAN_MAX).unwrap() + 1),
        ("pending", QUERIES_PENDING_MAX),
        ("echoes_kept", ECHOES_KEPT_MAX),
        ("offers_kept_bytes", OFFERS_KEPT_BYTES_MAX),
        ("looks", LOOKS_MAX),
        ("sharing", NEIGHBORS_MAX),
        ("call_addresses", CALL_ADDRESSES_MAX),
        ("call_links", CALL_LINKS_MAX + CALL_DIALS_MAX),
        ("call_dials", CALL_DIALS_MAX),
        ("calls_queued_bytes", CALLS_QUEUED_BYTES_MAX),
    ];
    let mind = Mind::new();
    let held = mind.overlay.holdings().filter_map(|Holding { name, limit, .. }| Some((name, limit?)));
    assert_eq!(held.collect::<Vec<_>>(), limits.map(|(name, limit)| (name, limit as u64)));
}

/// A query that is over leaves nothing behind that grows with how many there were.
#[test]
fn what_is_to_be_looked_at_is_bounded_by_what_is_pending_or_kept() {
    let mut mind = Mind::new();
    let neighbor = mind.neighbor(1);
    let client = mind.client(1);
    for sequence in 0..5_000 {
        mind.hear(client, request(sequence));
        let [looks, pending] = ["looks", "pending"].map(|name| mind.held(name));
        assert!(looks > 0 && looks <= LOOKS_FEW + 2 * pending, "{looks} looks at {pending}");
        // Nobody may offer it again, so nothing of it is kept.
        mind.hear(neighbor, echo_of(&query(sequence, 1, milk()), reached(1)));
        assert_eq!((mind.held("pending"), mind.held("echoes_kept")), (0, 0));
    }
    // Those that are pending are looked at all the same.
    for sequence in 5_000..5_010 {
        mind.hear(client, request(sequence));
    }
    let lost = Tally { lost: 1, ..passed_on() };
    let given_up: Vec<Output> = (5_000..5_010).map(|sequence| send(client, finished(sequence, lost))).collect();
    assert_eq!(mind.pass_and_see(ECHO_WAIT_MAX), given_up);
    assert_eq!(mind.held("looks"), 0);
}

#[test]
fn what_is_kept_of_a_query_does_not_grow_with_the_neighbors_that_were_asked() {
    let kept_bytes = |neighbors_count| {
        let mut mind = Mind::new();
        let asker = mind.neighbor(1);
        let others: Vec<LinkId> = (0..neighbors_count).map(|id| mind.neighbor(10 + id)).collect();
        let before = mind.overlay.memory_bytes();
        mind.hear(asker, Message::query(query(5, 1, milk())));
        for other in others {
            mind.hear(other, echo_of(&Query { ttl: 2, ..query(5, 1, milk()) }, reached(1)));
        }
        assert_eq!(mind.held("echoes_kept"), 1);
        mind.overlay.memory_bytes() - before
    };
    assert_eq!(kept_bytes(1), kept_bytes(200));
}

#[test]
fn a_query_that_is_kept_counts_for_all_it_says_until_it_is_echoed() {
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
    let came = query(1, 9, milk());
    mind.hear(a, Message::query(came.clone()));
    assert_eq!(mind.held("offers_kept_bytes"), size_of::<Query>() + "milk".len());
    mind.hear(b, echo_of(&Query { ttl: 2, ..came }, reached(1)));
    assert_eq!(mind.held("offers_kept_bytes"), 0);
    let path = Path::Addresses(vec![servent_address(3), servent_address(1)]);
    mind.hear(a, Message::query(Query { hops: 2, path, ..query(2, 9, Ask::Topology) }));
    assert_eq!(mind.held("offers_kept_bytes"), size_of::<Query>() + 3 * size_of::<SocketAddr>());
}

#[test]
fn an_answer_that_waits_counts_for_all_it_says() {
    let waiting = |ask, path| {
        let mut mind = Mind::new();
        let neighbor = mind.neighbor(1);
        mind.neighbor(2);
        mind.hear(neighbor, Message::query(Query { hops: 2, path, ..query(1, 9, ask) }));
        mind.held("calls_queued_bytes") - size_of::<Answer>()
    };
    assert_eq!(waiting(tea(), Path::default()), "green".len());
    let path = [servent_address(1), servent_address(3), own_address()].map(|address| address.to_string()).join(" ");
    let passed = Path::Addresses(vec![servent_address(1), servent_address(3)]);
    assert_eq!(waiting(Ask::Topology, passed), path.len() + 2 * size_of::<SocketAddr>());
}

/// The fingerprint of a mind with these neighbors, in the order in which they came, that heard one query.
fn fingerprint(neighbors: &[u64], sequence: u64, ttl: u8) -> u64 {
    let mut mind = Mind::new();
    for link in neighbors {
        mind.next_link = *link - 1;
        mind.neighbor(u128::from(*link));
    }
    if let Some(first) = neighbors.first() {
        mind.hear(LinkId(*first), Message::query(Query { ttl, ..query(sequence, 9, milk()) }));
    }
    mind.overlay.fingerprint()
}

#[test]
fn minds_that_differ_in_neighbors_or_in_the_latest_query_are_told_apart() {
    const NEIGHBORS: [&[u64]; 5] = [&[], &[2, 3], &[3, 2], &[2, 4], &[2, 3, 4]];
    let all: BTreeSet<u64> = NEIGHBORS.iter().map(|neighbors| fingerprint(neighbors, 1, 3)).collect();
    assert_eq!(all.len(), NEIGHBORS.len());
    for neighbors in &NEIGHBORS[1..] {
        let mut seen = BTreeSet::new();
        for (sequence, ttl) in (1..200).flat_map(|sequence| (0..6).map(move |ttl| (sequence, ttl))) {
            let number = fingerprint(neighbors, sequence, ttl);
            assert_eq!(fingerprint(neighbors, sequence, ttl), number, "equal minds are equal");
            assert!(seen.insert(number), "{neighbors:?}, sequence {sequence}, ttl {ttl}");
        }
    }
}

// ---- deadlines ----

/// Whatever happened to it, a mind that is told its deadline makes progress, one that is told too early does nothing,
/// and nothing was due that no deadline spoke of.
#[test]
fn a_deadline_is_never_late_and_never_in_vain() {
    for seed in 0..150 {
        let mut random = Random::new(seed);
        let addresses: Vec<SocketAddr> = (0..random.below(3)).map(|port| servent_address(u128::from(port))).collect();
        let neighbor = Neighbor { name: "there".to_owned(), addresses, dialect: Dialect::Native };
        let config =
            Config { neighbors: vec![neighbor; random.index(4)], servent_id: ServentId(seed.into()), ..config() };
        let mut mind = Mind::with(&config, store("tea green"));
        let mut links: Vec<LinkId> = Vec::new();
        for _ in 0..200 {
            let link = if links.is_empty() { LinkId(0) } else { links[random.index(links.len())] };
            let outputs = match random.below(16) {
                0 => {
                    let link = mind.new_link();
                    links.push(link);
                    mind.tell(Input::Opened { link, opening: Opening::Accepted(client_address(1)) })
                }
                1 => mind.hear(link, servent_hello(u128::from(random.below(6)) + OWN_ID - 2)),
                2 => mind.hear(link, client_hello(7000)),
                3 => mind.closed(link),
                4..=6 => {
                    let ttl = u8::try_from(random.below(5)).unwrap();
                    let query = Query { ttl, ..query(random.below(9), random.index(5), tea()) };
                    mind.hear(link, Message::query(query))
                }
                7 => mind.hear(link, request(random.below(100))),
                8 => {
                    let ttl = u8::try_from(random.below(5)).unwrap();
                    let query = Query { ttl, ..query(random.below(9), random.index(5), tea()) };
                    mind.hear(link, echo_of(&query, reached(1)))
                }
                9 => mind.hear(link, Message::Pong),
                10 => mind.tell(Input::Malformed { link, error: WireError::Version(3) }),
                11 => mind.hear(link, Message::Goodbye(Goodbye::Leaving)),
                // Too early, between two deadlines.
                12 => {
                    let due = mind.overlay.deadline();
                    if let Some(due) = due.filter(|due| *due > mind.now) {
                        let wait = due.since(mind.now).saturating_sub(TICK);
                        mind.now = mind.now + wait;
                    }
                    if due.is_some_and(|due| due > mind.now) {
                        assert_eq!(mind.tell(Input::Deadline), [], "seed {seed}");
                        assert!(mind.overlay.deadline().is_none_or(|next| Some(next) >= due), "seed {seed}");
                    }
                    Vec::new()
                }
                _ => {
                    let wait = random.duration(milliseconds(3000));
                    mind.pass_and_see(wait)
                }
            };
            // Dials are performed: some fail, some stand.
            for output in outputs {
                if let Output::Dial { dial, .. } = output {
                    if random.chance(50) {
                        let _ = mind.dial_failed(dial);
                    } else {
                        let (link, _) = mind.dialled(dial);
                        links.push(link);
                    }
                }
            }
        }
        for link in links {
            mind.closed(link);
        }
        mind.pass(seconds(10));
        assert_eq!(mind.overlay.pending_count(), 0, "seed {seed}");
    }
}
