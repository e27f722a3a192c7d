//! What a servent remembers of queries, at its mind's door: how each copy is judged by it, whose it is, when it goes, and what
//! there is room for.
//!
//! The rules are those of docs/PROTOCOL.md, "A copy" and "What is remembered". That minds which keep to them answer nothing
//! twice is the simulator's to show.

use std::collections::VecDeque;

use crate::support::mind::*;
use common::limits::*;
use common::link::LinkId;
use common::message::{Finished, Message, Request, ServentId};
use common::overlay::{Config, Output};
use common::query::{Ask, ContactMark, Query, Tally};
use common::time::Time;

fn lost() -> Tally {
    Tally { lost: 1, ..Tally::default() }
}

fn spoilt() -> Tally {
    Tally { lost: 1, spoilt: 1, ..Tally::default() }
}

fn duplicate() -> Tally {
    Tally { duplicates: 1, ..Tally::default() }
}

fn heard_silently() -> Tally {
    Tally { duplicates: 1, silent: 1, ..Tally::default() }
}

/// A query with this mark.
fn marked(sequence: u64, mark: ContactMark) -> Query {
    Query { contact: Some(mark), ..query(sequence, 1, milk()) }
}

fn unmarked(sequence: u64) -> Query {
    Query { contact: None, ..query(sequence, 1, milk()) }
}

impl Mind {
    /// Brings a copy, and gives the tally of the one echo that is all that comes of it.
    fn echo(&mut self, link: LinkId, query: &Query) -> Tally {
        match self.hear(link, Message::query(query.clone())).as_slice() {
            [Output::Send { link: to, message: Message::Echo(echo) }] if *to == link => {
                assert_eq!((echo.id, echo.ttl), (query.id(), query.ttl));
                echo.tally
            }
            other => panic!("not one echo: {other:?}"),
        }
    }

    /// Brings a copy that is passed on, and gives it as it goes on.
    fn onward(&mut self, link: LinkId, query: &Query) -> (Vec<LinkId>, Query) {
        passed_on_in(&self.hear(link, Message::query(query.clone())))
    }

    /// Has a client ask, and gives the query that goes to the neighbors.
    fn asked(&mut self, client: LinkId, sequence: u64) -> Query {
        passed_on_in(&self.hear(client, request(sequence))).1
    }

    /// The mark of what a client asks next.
    fn next_mark(&mut self, client: LinkId, sequence: u64) -> ContactMark {
        self.asked(client, sequence).contact.unwrap()
    }

    /// Lets beats go by in which only these neighbors are heard, and gives what is done in them.
    fn beats(&mut self, neighbors: &[LinkId], count: u32) -> Vec<Output> {
        let mut out = Vec::new();
        for _ in 0..count {
            neighbors.iter().for_each(|link| assert_eq!(self.hear(*link, Message::Pong), []));
            out.extend(self.pass_and_see(NEIGHBOR_BEAT));
        }
        out
    }
}

// ---- copies of neighbors ----

#[test]
fn what_its_contact_has_open_no_more_is_forgotten_and_given_up_and_copies_of_it_are_spoilt() {
    let mut mind = Mind::new();
    let [a, b, c] = [1, 2, 3].map(|id| mind.neighbor(id));
    let first = marked(1, mark(7, 4, 2));
    let (_, onward) = mind.onward(a, &first);
    // The same again over a longer way: two passings-on of it are pending.
    let further = Query { ttl: 4, ..first.clone() };
    mind.onward(c, &further);
    let other = marked(2, mark(8, 0, 0));
    mind.onward(b, &other);
    assert_eq!((mind.held("seen"), mind.held("pending"), mind.held("contacts")), (2, 3, 2));
    // The lowest that is open is still open.
    let second = marked(3, mark(7, 6, 4));
    mind.onward(a, &second);
    assert_eq!((mind.held("seen"), mind.held("pending")), (3, 4));

    let third = marked(4, mark(7, 7, 5));
    let out = mind.hear(b, Message::query(third.clone()));
    let given_up = |reached| Tally { reached, copies: 2, lost: 2, ..Tally::default() };
    assert_eq!(out[..2], [send(a, echo_of(&first, given_up(1))), send(c, echo_of(&further, given_up(0)))]);
    assert_eq!(passed_on_in(&out).0, [a, c]);
    assert_eq!((mind.held("seen"), mind.held("pending")), (3, 3), "what others have open stays");

    assert_eq!(mind.hear(b, echo_of(&onward, reached(1))), [], "nobody waits for it");
    let less = marked(5, mark(7, 4, 0));
    for late in [&first, &further, &less] {
        assert_eq!(mind.echo(c, late), spoilt(), "what was heard is not taken back");
    }
    assert_eq!((mind.held("spoilt"), mind.held("seen")), (3, 3));
    // The lowest that is open may come yet.
    mind.onward(a, &marked(7, mark(7, 10, 10)));
}

#[test]
fn a_copy_that_says_something_else_of_a_known_query_is_refused_whatever_its_ttl() {
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
    let known = marked(1, mark(7, 4, 0));
    mind.onward(a, &known);
    let forged = [
        Query { ask: tea(), ..known.clone() },
        Query { ask: Ask::Topology, ..known.clone() },
        Query { contact: Some(mark(8, 4, 0)), ..known.clone() },
        Query { contact: Some(mark(7, 5, 0)), ..known.clone() },
        // Without a contact it is the ask alone.
        Query { ask: tea(), contact: None, ..known.clone() },
    ];
    // A number has one id: one of the two is forged, and the contact is to go by another name.
    let taken = [marked(2, mark(7, 4, 0)), Query { client: query(1, 2, milk()).client, ..known.clone() }];
    let told = forged.iter().map(|query| (query, lost())).chain(taken.iter().map(|query| (query, spoilt())));
    for (forged, tally) in told {
        for ttl in [known.ttl - 1, known.ttl, known.ttl + 1] {
            assert_eq!(mind.echo(b, &Query { ttl, ..forged.clone() }), tally, "{forged:?}");
        }
    }
    assert_eq!((mind.held("contradicted"), mind.held("seen"), mind.held("contacts")), (21, 1, 1));
    // None of them was believed: copies that are true are what they were.
    assert_eq!(mind.echo(b, &known), duplicate());
    assert_eq!(mind.echo(b, &Query { contact: None, ..known.clone() }), duplicate());
    mind.onward(b, &Query { ttl: known.ttl + 1, ..known.clone() });
}

#[test]
fn numbers_may_come_in_any_order_and_each_has_one_id() {
    let mut mind = Mind::new();
    let a = mind.neighbor(1);
    let numbers = [50, 3, 70_000, 20, 4, 1_000_000];
    for number in numbers {
        assert_eq!(mind.echo(a, &marked(number, mark(7, number, 0))), reached(1));
    }
    for number in numbers {
        assert_eq!(mind.echo(a, &marked(number + 1_000, mark(7, number, 0))), spoilt(), "{number}");
        assert_eq!(mind.echo(a, &marked(number, mark(7, number, 0))), duplicate(), "{number}");
    }
    // Those in between are still free, for this contact and for others.
    assert_eq!(mind.echo(a, &marked(21, mark(7, 21, 0))), reached(1));
    assert_eq!(mind.echo(a, &marked(22, mark(8, 20, 0))), reached(1));
    // In order of their numbers they go, however they came.
    for (open_from, left) in [(4, 6), (21, 4), (51, 2), (70_001, 1)] {
        mind.echo(a, &marked(20, mark(7, 1_000_000, open_from)));
        assert_eq!(mind.held("seen"), left + 1, "below {open_from}");
    }
}

#[test]
fn a_copy_with_a_contact_that_meets_one_without_is_told_that_it_may_come_silently() {
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
    let first = unmarked(1);
    let (_, onward) = mind.onward(a, &first);
    assert_eq!(onward.contact, None);
    assert_eq!((mind.held("seen"), mind.held("seen_by_age")), (0, 1));
    let known = marked(1, mark(7, 4, 0));
    for ttl in [first.ttl - 1, first.ttl] {
        assert_eq!(mind.echo(b, &Query { ttl, ..known.clone() }), heard_silently());
    }
    assert_eq!(mind.echo(b, &Query { ask: tea(), ..known.clone() }), lost(), "another ask is another ask");
    assert_eq!(mind.held("contacts"), 0, "it is remembered as it was");
    // A copy of its own kind is what it always was.
    assert_eq!(mind.echo(b, &first), duplicate());
    mind.onward(b, &Query { ttl: first.ttl + 1, ..first });
}

/// Or a fast long way over TP3 would shadow a slow short one.
#[test]
fn a_copy_with_a_contact_goes_further_than_one_that_came_without_and_tells_that_it_may_come_silently() {
    for forward_once in [false, true] {
        let mut mind = Mind::with(&Config { forward_once, ..config() }, store(""));
        let [a, b] = [1, 2].map(|id| mind.neighbor(id));
        mind.onward(a, &unmarked(1));
        let further = Query { ttl: unmarked(1).ttl + 1, ..marked(1, mark(7, 4, 2)) };
        if forward_once {
            assert_eq!(mind.echo(b, &further), heard_silently());
            continue;
        }
        let (links, onward) = mind.onward(b, &further);
        assert_eq!((links, onward.ttl, onward.contact), (vec![a], further.ttl - 1, further.contact));
        let out = mind.hear(a, echo_of(&onward, reached(1)));
        let tally = Tally { copies: 1, silent: 1, ..reached(1) };
        assert_eq!(out, [send(b, echo_of(&further, tally))]);
        // Offered again it gets that echo, and otherwise it is a duplicate.
        let again = mind.neighbor(2);
        assert_eq!(mind.echo(again, &further), tally);
        assert_eq!(mind.echo(a, &further), heard_silently());
        assert_eq!((mind.held("seen_by_age"), mind.held("seen"), mind.held("contacts")), (1, 0, 0));
    }
}

#[test]
fn what_is_remembered_goes_though_every_neighbor_has_gone() {
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
    mind.echo(a, &Query { ttl: 0, ..marked(1, mark(7, 0, 0)) });
    mind.echo(a, &Query { ttl: 0, ..unmarked(2) });
    [a, b].into_iter().for_each(|link| drop(mind.closed(link)));
    let client = mind.client(9);
    let alone = Tally { reached: 1, ..Tally::default() };
    assert_eq!(mind.hear(client, request(5)), [send(client, finished(5, alone))]);
    let held = |mind: &Mind| ["own_open", "seen", "seen_by_age", "contacts"].map(|name| mind.held(name));
    assert_eq!(held(&mind), [0, 1, 1, 1]);
    for (passes, left) in [(SEEN_TP3_AGE_MAX + NEIGHBOR_BEAT, [0, 1, 0, 1]), (CONTACT_QUIET_MAX, [0; 4])] {
        for _ in 0..passes.as_secs() / NEIGHBOR_BEAT.as_secs() {
            mind.pass_and_see(NEIGHBOR_BEAT);
        }
        assert_eq!(held(&mind), left, "after {passes:?}");
    }
    assert_eq!(mind.overlay.deadline(), None, "nothing is waited for");
}

#[test]
fn whatever_is_remembered_is_looked_at_though_it_is_the_only_thing() {
    let by_contact = |mind: &mut Mind, a| {
        mind.echo(a, &Query { ttl: 0, ..marked(1, mark(7, 0, 0)) });
    };
    let by_age = |mind: &mut Mind, a| {
        mind.echo(a, &Query { ttl: 0, ..unmarked(1) });
    };
    let own = |mind: &mut Mind, a| {
        let client = mind.client(9);
        let asked = mind.asked(client, 1);
        mind.hear(a, echo_of(&asked, lost()));
    };
    type Remember = fn(&mut Mind, LinkId);
    let kinds: [(Remember, _); 3] = [(by_contact, [0, 0, 1]), (by_age, [0, 1, 0]), (own, [1, 0, 0])];
    for (remember, held) in kinds {
        let mut mind = Mind::new();
        let a = mind.neighbor(1);
        remember(&mut mind, a);
        mind.closed(a);
        assert_eq!(["own_open", "seen_by_age", "contacts"].map(|name| mind.held(name)), held);
        let due = mind.overlay.deadline().unwrap_or(Time::NEVER);
        assert!(due <= mind.now + NEIGHBOR_BEAT, "{held:?}");
    }
}

/// Somebody whose link is gone may come back and say what came of it, as long as that is awaited.
#[test]
fn what_is_closed_is_lost_for_each_that_is_awaited_and_each_that_may_come_back() {
    let mut mind = Mind::new();
    let [a, b, _] = [1, 2, 3].map(|id| mind.neighbor(id));
    let copy = marked(1, mark(7, 0, 0));
    mind.onward(a, &copy);
    mind.closed(b);
    let out = mind.hear(a, Message::query(Query { ttl: 0, ..marked(2, mark(7, 1, 1)) }));
    let tally = Tally { copies: 2, lost: 2, ..reached(1) };
    assert_eq!(out[0], send(a, echo_of(&copy, tally)));
    assert_eq!(mind.held("queries"), 2);
    let client = mind.client(9);
    mind.asked(client, 3);
    assert_eq!(mind.held("queries"), 3, "and what our own clients ask");
}

#[test]
fn a_copy_without_a_contact_goes_on_with_the_one_that_is_known() {
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
    let known = Query { ttl: 1, ..marked(1, mark(7, 4, 2)) };
    assert_eq!(mind.onward(a, &known).1.contact, known.contact);
    let (links, onward) = mind.onward(b, &Query { ttl: 3, contact: None, ..known.clone() });
    assert_eq!((links, onward.ttl, onward.contact), (vec![a], 2, known.contact));
    // What is heard of the contact since is said with it.
    mind.onward(a, &marked(2, mark(7, 5, 3)));
    let (_, onward) = mind.onward(b, &Query { ttl: 5, contact: None, ..known });
    assert_eq!(onward.contact, Some(mark(7, 4, 3)));
}

// ---- what is asked of the contact ----

#[test]
fn a_request_made_again_over_its_link_is_a_duplicate_while_it_is_open_and_then_a_new_one() {
    let mut mind = Mind::new();
    let a = mind.neighbor(1);
    let client = mind.client(9);
    let onward = mind.asked(client, 5);
    assert_eq!(mind.hear(client, request(5)), [send(client, finished(5, duplicate()))]);
    let out = mind.hear(a, echo_of(&onward, reached(1)));
    assert_eq!(out, [send(client, finished(5, Tally { reached: 2, copies: 1, ..Tally::default() }))]);
    let again = mind.asked(client, 5);
    assert_eq!(again.contact.map(|mark| (mark.number, mark.open_from)), Some((1, 1)));
    assert_eq!((mind.held("seen"), mind.held("own_open")), (1, 1));
}

#[test]
fn a_request_whose_id_is_known_otherwise_gets_what_its_contact_has_and_is_lost_beyond() {
    let mut mind = Mind::new();
    let a = mind.neighbor(1);
    let [client, same_address] = [9, 9].map(|number| mind.client(number));
    mind.asked(client, 5);
    mind.hear(a, Message::query(query(6, 9, milk())));
    mind.hear(a, Message::query(Query { contact: None, ..query(7, 9, tea()) }));
    let before = mind.held("seen");
    // Of another ask, of another link, of a neighbor: with a contact and without.
    for (link, sequence) in [(client, 5), (same_address, 5), (client, 6), (client, 7)] {
        let out = mind.hear(link, Message::Request(Request { sequence, ask: tea() }));
        let [Output::Send { message: Message::Answer(answer), .. }, Output::Send { link: to, message }] =
            out.as_slice()
        else {
            panic!("{out:?}");
        };
        assert_eq!((answer.sequence, *to), (sequence, link));
        let Message::Finished(Finished { tally, .. }) = message else { panic!("{out:?}") };
        assert_eq!((tally.reached, tally.answers, tally.lost, tally.copies), (1, 1, 1, 0), "{sequence}");
    }
    assert_eq!((mind.held("contradicted"), mind.held("seen")), (4, before));
}

#[test]
fn a_servent_believes_nobody_about_its_own_queries() {
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
    let client = mind.client(9);
    let asked = mind.asked(client, 5);
    let own = asked.contact.unwrap();
    let given = asked.ttl + 1;
    let with = |ttl, mark| Query { ttl, hops: 2, contact: mark, ..asked.clone() };
    let name = own.name.0;
    // It may come home, over a dialect without a contact too; with a word about what is open it is the same.
    for mark in [Some(own), None, Some(mark(name, 0, u64::MAX))] {
        assert_eq!(mind.echo(b, &with(given, mark)), duplicate());
        assert_eq!(mind.echo(b, &with(given + 1, mark)), lost(), "more than it was given");
    }
    assert_eq!(mind.echo(b, &with(1, Some(mark(name, 1, 0)))), lost());
    assert_eq!(mind.echo(b, &with(1, Some(mark(name + 1, 0, 0)))), lost());
    assert_eq!(mind.echo(b, &Query { ask: tea(), ..with(1, Some(own)) }), lost());
    for number in [0, 1, 2, u64::MAX] {
        assert_eq!(mind.echo(b, &marked(77, mark(name, number, number))), lost(), "what it never asked");
    }
    assert_eq!((mind.held("pending"), mind.held("contacts"), mind.held("spoilt")), (1, 0, 0));

    for link in [a, b] {
        mind.hear(link, echo_of(&asked, reached(1)));
    }
    // What is over is closed with the next that is asked.
    assert_eq!(mind.next_mark(client, 6), mark(name, 1, 1));
    assert_eq!(mind.echo(b, &with(1, Some(own))), spoilt());
    assert_eq!(mind.echo(b, &marked(77, mark(name, 0, 0))), spoilt());
    assert_eq!(mind.echo(b, &marked(77, mark(name, 1, 0))), lost());
}

// ---- how long ----

#[test]
fn a_contact_that_is_quiet_for_two_minutes_is_forgotten_and_not_a_beat_earlier() {
    const BEATS: u32 = 60;
    assert_eq!(NEIGHBOR_BEAT * BEATS, CONTACT_QUIET_MAX);
    let mut mind = Mind::new();
    let a = mind.neighbor(1);
    let known = [1, 2].map(|number| marked(number, mark(7, number, 0)));
    let other = marked(3, mark(8, 0, 0));
    for query in known.iter().chain([&other]) {
        assert_eq!(mind.echo(a, query), reached(1));
    }
    // Whatever is heard of it counts, from wherever, and true or not.
    mind.beats(&[a], BEATS / 2);
    assert_eq!(mind.echo(a, &known[0]), duplicate());
    mind.beats(&[a], BEATS / 2);
    assert_eq!((mind.held("contacts"), mind.held("seen")), (2, 3), "the other was quiet for as long as may be");
    mind.beats(&[a], 1);
    assert_eq!((mind.held("contacts"), mind.held("seen")), (1, 2));
    assert_eq!(mind.echo(a, &other), reached(1), "it is a new one");
    assert_eq!(mind.echo(a, &marked(9, mark(7, 1, 0))), spoilt());
    mind.beats(&[a], BEATS);
    assert_eq!((mind.held("contacts"), mind.held("seen")), (2, 3));
    mind.beats(&[a], 1);
    assert_eq!((mind.held("contacts"), mind.held("seen")), (0, 0));
}

#[test]
fn a_servent_that_slept_forgets_nobody_by_it() {
    let mut mind = Mind::new();
    let a = mind.neighbor(1);
    let known = marked(1, mark(7, 1, 0));
    assert_eq!(mind.echo(a, &known), reached(1));
    for _ in 0..5 {
        mind.now = mind.now + seconds(3_600);
        mind.tell(common::overlay::Input::Deadline);
        assert_eq!(mind.echo(a, &known), duplicate());
    }
}

#[test]
fn what_came_without_a_contact_goes_when_it_is_old() {
    let mut mind = Mind::new();
    let a = mind.neighbor(1);
    let held = [5, 6].map(|sequence| marked(sequence, mark(7, sequence, 0)));
    for sequence in 0..3 {
        assert_eq!(mind.echo(a, &unmarked(sequence)), reached(1));
        mind.echo(a, &held[0]);
        mind.now = mind.now + seconds(1);
    }
    mind.echo(a, &held[1]);
    for (sequence, left) in [(0, 3), (1, 2), (2, 1)] {
        mind.now = Time::START + (seconds(sequence) + SEEN_TP3_AGE_MAX - TICK);
        assert_eq!(mind.echo(a, &unmarked(2)), duplicate());
        assert_eq!((mind.held("seen_by_age"), mind.held("seen")), (left, 2));
        mind.now = mind.now + TICK;
        mind.echo(a, &held[0]);
        assert_eq!((mind.held("seen_by_age"), mind.held("seen")), (left - 1, 2), "by its age alone");
    }
    assert_eq!(mind.echo(a, &unmarked(0)), reached(1));
}

#[test]
fn what_is_over_or_old_goes_at_a_beat_though_nothing_more_is_asked() {
    let mut mind = Mind::new();
    let a = mind.neighbor(1);
    let client = mind.client(9);
    let [over, open] = [1, 2].map(|sequence| mind.asked(client, sequence));
    let (_, silent) = (mind.echo(a, &unmarked(3)), mind.asked(client, 4));
    mind.hear(a, echo_of(&over, reached(1)));
    mind.hear(a, echo_of(&silent, heard_silently()));
    let held = |mind: &Mind| ["own_open", "seen", "seen_by_age"].map(|name| mind.held(name));
    assert_eq!(held(&mind), [3, 3, 1], "nothing is looked for before it is time");
    mind.hear(a, echo_of(&open, reached(1)));
    mind.beats(&[a], 1);
    assert_eq!(held(&mind), [1, 1, 1]);
    let beats = u32::try_from(SEEN_TP3_AGE_MAX.as_secs() / NEIGHBOR_BEAT.as_secs()).unwrap();
    mind.beats(&[a], beats - 2);
    assert_eq!(held(&mind), [1, 1, 1]);
    mind.beats(&[a], 1);
    assert_eq!(held(&mind), [0, 0, 0]);
}

// ---- this servent as a contact ----

#[test]
fn every_servent_goes_by_a_name_of_its_own() {
    let name_of = |id| {
        let mut mind = Mind::with(&Config { servent_id: ServentId(id), ..config() }, store(""));
        let [neighbor, client] = [mind.stranger(), mind.stranger()];
        mind.hear(neighbor, servent_hello(1));
        mind.hear(client, client_hello(7000));
        mind.next_mark(client, 5).name
    };
    assert_ne!(name_of(1_000), name_of(1_001));
    assert_eq!(name_of(1_000), name_of(1_000), "the same run is the same");
}

#[test]
fn numbers_go_on_and_what_is_open_moves_only_past_what_every_copy_is_echoed_of() {
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
    let [one, another] = [8, 9].map(|number| mind.client(number));
    let queries: Vec<Query> =
        (0..3).map(|sequence| mind.asked([one, another][sequence % 2], 10 + sequence as u64)).collect();
    let name = queries[0].contact.unwrap().name.0;
    let marks = |query: &Query| query.contact.unwrap();
    assert_eq!(queries.iter().map(marks).collect::<Vec<_>>(), [0, 1, 2].map(|number| mark(name, number, 0)));
    let mut sequence = 20;
    let mut next = |mind: &mut Mind| {
        sequence += 1;
        mind.next_mark(one, sequence).open_from
    };
    for link in [a, b] {
        mind.hear(link, echo_of(&queries[1], reached(1)));
    }
    mind.hear(a, echo_of(&queries[0], reached(1)));
    assert_eq!(next(&mut mind), 0, "one copy of the first is still to be echoed");
    mind.hear(b, echo_of(&queries[0], reached(1)));
    assert_eq!(next(&mut mind), 2, "the second was over before");
    mind.hear(a, echo_of(&queries[2], reached(1)));
    assert_eq!(next(&mut mind), 2);
}

#[test]
fn what_was_not_heard_of_to_the_end_stays_open_for_half_a_minute() {
    let silent = Tally { silent: 1, ..reached(1) };
    for tally in [Some(Tally { lost: 1, ..reached(1) }), Some(silent), None] {
        let mut mind = Mind::new();
        let a = mind.neighbor(1);
        let client = mind.client(9);
        let asked = mind.asked(client, 5);
        match tally {
            Some(tally) => assert_eq!(mind.hear(a, echo_of(&asked, tally)).len(), 1, "its client is told as ever"),
            None => drop(mind.beats(&[a], 2)),
        }
        assert_eq!(mind.held("pending"), 0);
        let mut sequence = 10;
        let mut open_from = |mind: &mut Mind| {
            sequence += 1;
            let asked = mind.asked(client, sequence);
            mind.hear(a, echo_of(&asked, reached(1)));
            asked.contact.unwrap().open_from
        };
        assert_eq!(open_from(&mut mind), 0);
        mind.now = Time::START + (SEEN_TP3_AGE_MAX - TICK);
        assert_eq!(open_from(&mut mind), 0, "{tally:?}");
        assert_eq!(mind.echo(a, &Query { hops: 2, ..asked.clone() }), duplicate());
        mind.now = Time::START + SEEN_TP3_AGE_MAX;
        assert_eq!(open_from(&mut mind), 3, "{tally:?}: with it goes what is over");
        assert_eq!(mind.echo(a, &Query { hops: 2, ..asked }), spoilt());
    }
}

/// A mind with one neighbor and a client, whose first query was spoilt on its way.
fn spoilt_mind() -> (Mind, LinkId, LinkId, ContactMark) {
    let mut mind = Mind::new();
    let (a, client) = (mind.neighbor(1), mind.client(9));
    let asked = mind.asked(client, 1);
    mind.hear(a, echo_of(&asked, Tally { spoilt: 1, lost: 1, ..Tally::default() }));
    (mind, a, client, asked.contact.unwrap())
}

#[test]
fn a_name_that_was_spoilt_is_used_no_longer_and_stays_its_own() {
    let (mut mind, a, client, first) = spoilt_mind();
    let second = mind.next_mark(client, 2);
    assert_ne!(second.name, first.name);
    assert_eq!((second.number, second.open_from), (1, 0), "numbers go on");
    for number in [0, 1, 7] {
        assert_eq!(mind.echo(a, &marked(77, mark(first.name.0, number, number))), lost(), "an old name is its own too");
    }
    assert_eq!(mind.held("contacts"), 0);
    // What is open under the old name is known under that.
    let asked = Query { contact: Some(first), hops: 2, ..query(1, 9, milk()) };
    assert_eq!(mind.echo(a, &asked), duplicate());
    assert_eq!(mind.echo(a, &Query { contact: Some(ContactMark { name: second.name, ..first }), ..asked }), lost());
}

#[test]
fn a_name_is_not_drawn_more_often_than_a_flood_takes() {
    let (mut mind, a, client, first) = spoilt_mind();
    let spoil = |mind: &mut Mind, sequence| {
        let asked = mind.asked(client, sequence);
        mind.hear(a, echo_of(&asked, spoilt()));
        asked.contact.unwrap().name
    };
    let second = spoil(&mut mind, 2);
    assert_ne!(second, first.name);
    mind.now = Time::START + (ECHO_WAIT_MAX - TICK);
    assert_eq!(spoil(&mut mind, 3), second);
    mind.now = Time::START + ECHO_WAIT_MAX;
    let third = spoil(&mut mind, 4);
    assert!(third != second && third != first.name);
    for (sequence, name) in (70..).zip([first.name, second, third]) {
        assert_eq!(mind.echo(a, &marked(sequence, ContactMark { name, ..mark(0, 99, 99) })), lost());
    }
}

#[test]
fn what_was_spoilt_under_an_old_name_spoils_no_new_one() {
    let mut mind = Mind::new();
    let (a, client) = (mind.neighbor(1), mind.client(9));
    let [first, late] = [1, 2].map(|sequence| mind.asked(client, sequence));
    mind.hear(a, echo_of(&first, spoilt()));
    let name = mind.next_mark(client, 3).name;
    mind.hear(a, echo_of(&late, spoilt()));
    mind.now = Time::START + ECHO_WAIT_MAX;
    assert_eq!(mind.next_mark(client, 4).name, name);
    assert_ne!(Some(name), first.contact.map(|mark| mark.name));
}

#[test]
fn an_echo_of_what_others_ask_spoils_no_name_of_ours() {
    let mut mind = Mind::new();
    let [a, b] = [1, 2].map(|id| mind.neighbor(id));
    let client = mind.client(9);
    let name = mind.next_mark(client, 1).name;
    let (_, onward) = mind.onward(a, &marked(2, mark(7, 0, 0)));
    mind.hear(b, echo_of(&onward, spoilt()));
    assert_eq!(mind.next_mark(client, 3).name, name);
}

/// Asks until it is told to wait, and gives what was passed on.
fn until_it_rests(mind: &mut Mind, client: LinkId, sequences: &mut impl Iterator<Item = u64>) -> Vec<Query> {
    let mut asked = Vec::new();
    for sequence in sequences {
        let out = mind.hear(client, request(sequence));
        asked.push(passed_on_in(&out).1);
        if out.contains(&Output::Rest { link: client }) {
            return asked;
        }
    }
    panic!("{} were asked, and it does not rest", asked.len());
}

fn resumed(out: &[Output]) -> Vec<LinkId> {
    let link = |output: &Output| if let Output::Resume { link } = output { Some(*link) } else { None };
    out.iter().filter_map(link).collect()
}

#[test]
fn clients_wait_while_so_many_queries_are_under_way_and_go_on_at_three_quarters() {
    let mut mind = Mind::new();
    let a = mind.neighbor(1);
    let [hasty, other, gone] = [7, 8, 9].map(|number| mind.client(number));
    let mut asked = until_it_rests(&mut mind, hasty, &mut (0..));
    assert_eq!(asked.len(), COPIES_OPEN_MAX);
    // What another asks once is asked, and then it waits as well. Whoever rests is not told so again.
    for link in [gone, other] {
        let out = mind.hear(link, request(0));
        asked.push(passed_on_in(&out).1);
        assert_eq!(out.last(), Some(&Output::Rest { link }));
        asked.push(mind.asked(link, 1));
        assert!(!mind.hear(link, request(1)).contains(&Output::Rest { link }));
    }
    mind.closed(gone);
    while mind.held("pending") > COPIES_OPEN_MAX / 4 * 3 + 1 {
        let out = mind.hear(a, echo_of(&asked.pop().unwrap(), reached(1)));
        assert_eq!(resumed(&out), [], "{} are pending", mind.held("pending"));
    }
    let out = mind.hear(a, echo_of(&asked.pop().unwrap(), reached(1)));
    let mut both = resumed(&out);
    both.sort_unstable();
    assert_eq!(both, [hasty, other]);
    let out = mind.hear(a, echo_of(&asked.pop().unwrap(), reached(1)));
    assert_eq!(resumed(&out), [], "once");
    // Below the limit nobody rests.
    let out = mind.hear(other, request(3));
    assert!(matches!(out.as_slice(), [Output::Flood { .. }]), "{out:?}");
}

/// Whoever rests has its turn, though others come and ask all the time.
#[test]
fn nobody_takes_the_room_that_others_wait_for() {
    let mut mind = Mind::new();
    let a = mind.neighbor(1);
    let [hasty, light] = [7, 8].map(|number| mind.client(number));
    let mut asked: VecDeque<Query> = until_it_rests(&mut mind, hasty, &mut (0..)).into();
    let mut next = 1_000;
    let mut has_resumed = false;
    for round in 0.. {
        assert!(round < COPIES_OPEN_MAX, "it waits for ever");
        let out = mind.hear(a, echo_of(&asked.pop_front().unwrap(), reached(1)));
        if resumed(&out).contains(&hasty) {
            has_resumed = true;
            break;
        }
        // Where one query ends another begins, if whoever is there or comes may ask it.
        let (link, out) = if round == 0 { (light, Vec::new()) } else { mind.client_and_see(9) };
        if !out.contains(&Output::Rest { link }) {
            next += 1;
            let out = mind.hear(link, request(next));
            asked.push_back(passed_on_in(&out).1);
            assert!(out.contains(&Output::Rest { link }), "who asks while others wait is served as if none did");
        }
    }
    assert!(has_resumed);
}

#[test]
fn who_is_read_first_again_is_another_one_each_time() {
    let mut mind = Mind::new();
    let a = mind.neighbor(1);
    let clients = [7, 8, 9].map(|number| mind.client(number));
    let mut sequences = 0..;
    let mut asked = until_it_rests(&mut mind, clients[0], &mut sequences);
    for link in &clients[1..] {
        asked.extend(until_it_rests(&mut mind, *link, &mut sequences));
    }
    let mut first = Vec::new();
    for _ in 0..clients.len() {
        let order = loop {
            let order = resumed(&mind.hear(a, echo_of(&asked.remove(0), reached(1))));
            if !order.is_empty() {
                break order;
            }
        };
        first.push(order[0]);
        // Each asks as much as it may, in that order.
        for link in order {
            asked.extend(until_it_rests(&mut mind, link, &mut sequences));
        }
    }
    first.sort_unstable();
    assert_eq!(first, clients);
}

#[test]
fn clients_that_wait_go_on_when_what_is_under_way_is_given_up_and_behind_who_is_silent_when_it_is_late() {
    let mut mind = Mind::new();
    mind.neighbor(1);
    let client = mind.client(9);
    let mut sequences = 0..;
    // Of the neighbor nothing is heard, which is known when the first of it is given up.
    assert_eq!(until_it_rests(&mut mind, client, &mut sequences).len(), COPIES_OPEN_MAX);
    assert_eq!(resumed(&mind.pass_and_see(COPY_YOUNG_MAX)), []);
    let left = ECHO_WAIT_MAX.checked_sub(COPY_YOUNG_MAX).unwrap();
    assert_eq!(resumed(&mind.pass_and_see(left)), [client]);
    assert_eq!(mind.held("pending"), 0);
    while mind.held("pending") < OWN_PENDING_MAX {
        let asked = until_it_rests(&mut mind, client, &mut sequences).len();
        assert_eq!(asked, COPIES_OPEN_MAX);
        if mind.held("pending") < OWN_PENDING_MAX {
            assert_eq!(resumed(&mind.pass_and_see(COPY_YOUNG_MAX)), [client]);
        }
    }
    assert_eq!(resumed(&mind.pass_and_see(COPY_YOUNG_MAX)), [], "that many are the most");
    let times = u32::try_from(OWN_PENDING_MAX / COPIES_OPEN_MAX).unwrap();
    let left = ECHO_WAIT_MAX.checked_sub(COPY_YOUNG_MAX * times).unwrap();
    assert_eq!(resumed(&mind.pass_and_see(left)), [client]);
    assert_eq!(mind.held("pending"), OWN_PENDING_MAX - COPIES_OPEN_MAX);
}

#[test]
fn numbers_are_never_further_apart_than_can_be_said_and_nobody_loses_a_query_for_that() {
    let mut mind = Mind::new();
    let a = mind.neighbor(1);
    let [client, other] = [8, 9].map(|number| mind.client(number));
    let ask = |mind: &mut Mind, link, sequence| {
        let out = mind.hear(link, request(sequence));
        let (_, asked) = passed_on_in(&out);
        let told = mind.hear(a, echo_of(&asked, if sequence < 2 { lost() } else { reached(1) }));
        assert!(matches!(told[0], Output::Send { message: Message::Finished(_), .. }), "{told:?}");
        (asked.contact.unwrap(), out.contains(&Output::Rest { link }))
    };
    // Two clients are there, and each may have one under way that cannot be put off.
    for number in 0..=SPAN_MAX - 2 {
        let (mark, rests) = ask(&mut mind, client, number);
        assert_eq!((mark.number, mark.open_from, rests), (number, 0, number == SPAN_MAX - 2));
        if number == 0 {
            mind.pass(NEIGHBOR_BEAT);
        }
    }
    for (sequence, link) in [(SPAN_MAX - 1, client), (SPAN_MAX, other)] {
        let (mark, rests) = ask(&mut mind, link, sequence);
        assert_eq!((mark.number, mark.open_from, rests), (sequence, 0, link == other));
    }
    assert_eq!(mind.held("own_open") as u64, SPAN_MAX + 1);
    // Who asks all the same is told what there is here.
    let out = mind.hear(other, request(5));
    let tally = Tally { reached: 1, lost: 1, ..Tally::default() };
    assert_eq!(out, [send(other, finished(5, tally))]);

    // The first is open for half a minute, because something of it was lost. Room for one is too little.
    let beat = u32::try_from(SEEN_TP3_AGE_MAX.as_secs() / NEIGHBOR_BEAT.as_secs()).unwrap();
    assert_eq!(mind.beats(&[a], beat - 2), []);
    mind.hear(a, Message::Pong);
    assert_eq!(mind.pass(NEIGHBOR_BEAT), []);
    assert_eq!(mind.held("own_open") as u64, SPAN_MAX);
    mind.hear(a, Message::Pong);
    let mut resumed = mind.pass(NEIGHBOR_BEAT);
    resumed.sort_by_key(|(_, output)| format!("{output:?}"));
    assert_eq!(resumed, [client, other].map(|link| (NEIGHBOR_BEAT, Output::Resume { link })));
    let (mark, rests) = ask(&mut mind, client, SPAN_MAX + 1);
    assert_eq!((mark.number, mark.open_from, rests), (SPAN_MAX + 1, SPAN_MAX + 1, false));
    assert_eq!(mind.held("own_open"), 1);
}

// ---- how much ----

/// A neighbor that brings queries nobody asked, all different, and what it says of their contacts.
struct Flooder {
    link: LinkId,
    id: u128,
    next: u64,
    ttl: u8,
    hops: u8,
    mark_of: fn(u64) -> Option<ContactMark>,
}

/// Each is of a contact that nobody has heard of.
fn of_new_contacts(number: u64) -> Option<ContactMark> {
    Some(mark(number, 0, 0))
}

/// All are of one contact.
fn of_one_contact(number: u64) -> Option<ContactMark> {
    Some(mark(number >> 40, number, 0))
}

fn of_no_contact(_: u64) -> Option<ContactMark> {
    None
}

impl Flooder {
    /// One whose queries end here, at once.
    fn new(mind: &mut Mind, id: u128, mark_of: fn(u64) -> Option<ContactMark>) -> Flooder {
        Flooder { link: mind.neighbor(id), id, next: u64::try_from(id << 40).unwrap(), ttl: 0, hops: 0, mark_of }
    }

    fn forged(&mut self) -> Query {
        self.next += 1;
        let client = usize::try_from(self.next % (1 << 24)).unwrap();
        let contact = (self.mark_of)(self.next);
        Query { contact, hops: self.hops, ttl: self.ttl, ..query(self.next, client, milk()) }
    }

    /// Brings one after the other until one is not taken, and says how many were.
    fn flood(&mut self, mind: &mut Mind) -> usize {
        let refused = mind.refused();
        for count in 0..=2 * SEEN_IDS_MAX {
            let query = self.forged();
            mind.hear(self.link, Message::query(query));
            if mind.refused() > refused {
                return count;
            }
        }
        panic!("nothing is ever refused");
    }

    /// Leaves, and comes again over another link.
    fn come_anew(&mut self, mind: &mut Mind) {
        mind.closed(self.link);
        self.link = mind.neighbor(self.id);
    }
}

impl Mind {
    fn refused(&self) -> usize {
        self.held("over_share") + self.held("unseen")
    }
}

#[test]
fn no_neighbor_has_more_of_a_kind_than_is_left_for_all_others() {
    type Marked = fn(u64) -> Option<ContactMark>;
    let kinds: [(&str, usize, Marked); 2] =
        [("contacts", CONTACTS_MAX, of_new_contacts), ("seen_by_age", SEEN_TP3_IDS_MAX, of_no_contact)];
    for (name, most, mark_of) in kinds {
        // What has come further counts for less, down to half.
        for hops in [0, 1, 13] {
            let mut mind = Mind::new();
            let mut hasty = Flooder { hops, ..Flooder::new(&mut mind, 1, mark_of) };
            let count = hasty.flood(&mut mind);
            let weight = 256 * 16 / (16 + usize::from(hops));
            let share = (most - PLACES_FREE) * 256 / (256 + weight);
            assert!((share..=share + 1).contains(&(count - PLACES_FREE)), "{name} of {hops} hops: {count}, {share}");
            assert_eq!((mind.held(name), mind.held("over_share")), (count, 1));
            // It is told so; what is known already takes no place; and what it was refused others may bring.
            let refused = hasty.forged();
            assert_eq!(mind.echo(hasty.link, &refused), lost());
            assert_eq!(mind.held("sharing"), 1);
            let other = mind.neighbor(2);
            assert_eq!(mind.echo(other, &refused), Tally { stopped: 1, ..reached(1) });
            assert_eq!(mind.held("sharing"), 2);
            assert_eq!(mind.echo(hasty.link, &refused), duplicate());
        }
    }
}

#[test]
fn no_contact_has_more_than_is_left_for_all_others() {
    const SHARED: usize = SEEN_IDS_MAX - PLACES_FREE - CONTACT_PLACES * CONTACTS_MAX;
    let mut mind = Mind::new();
    let mut total = 0;
    // It gains nothing by having its queries brought by others.
    let mut first = Flooder::new(&mut mind, 1, |number| Some(mark(7, number, 0)));
    let mut second = Flooder::new(&mut mind, 2, |number| Some(mark(7, number, 0)));
    for flooder in [&mut first, &mut second] {
        total += flooder.flood(&mut mind);
    }
    // What it has is all it has, its own places and those that were free for anybody too.
    assert!(total.abs_diff((SHARED + CONTACT_PLACES + PLACES_FREE) / 2) <= 1, "{total}");
    assert_eq!(mind.held("seen"), total);
    // Another contact has its own places, and what the neighbor has left of its share.
    let mut other = Flooder::new(&mut mind, 3, of_one_contact);
    other.link = first.link;
    let count = other.flood(&mut mind);
    assert!(count.abs_diff(CONTACT_PLACES + (CONTACT_PLACES + PLACES_FREE) / 2) <= 1, "{count}");
    let mut other = Flooder::new(&mut mind, 4, of_one_contact);
    let count = other.flood(&mut mind);
    assert!(count.abs_diff(CONTACT_PLACES + SHARED / 4) <= 1, "{count}");
}

/// A forger that fills the share of a contact would shut it out for as long as that is heard of.
#[test]
fn a_contact_in_whose_name_others_took_its_share_is_told_to_go_by_another() {
    let mut mind = Mind::new();
    let honest = mind.neighbor(100);
    let asked = |number| Query { ttl: 0, ..marked(number, mark(7, number, number)) };
    assert_eq!(mind.echo(honest, &asked(0)), reached(1));
    let ahead = |number| Some(mark(7, number, 1));
    Flooder::new(&mut mind, 1, ahead).flood(&mut mind);
    assert_eq!(mind.echo(honest, &asked(1)), Tally { lost: 1, spoilt: 1, ..Tally::default() });
    let renamed = Query { ttl: 0, ..marked(2, mark(8, 2, 2)) };
    assert_eq!(mind.echo(honest, &renamed), Tally { stopped: 1, ..reached(1) });
}

#[test]
fn a_known_contact_has_places_of_its_own_whatever_others_have() {
    let mut mind = Mind::new();
    let link = mind.neighbor(100);
    let known = |number| Query { ttl: 0, ..marked(number, mark(1_000, number, number.saturating_sub(1))) };
    assert_eq!(mind.echo(link, &known(0)), reached(1));
    for id in 1..=20 {
        Flooder::new(&mut mind, id, of_one_contact).flood(&mut mind);
    }
    assert_eq!(mind.held("over_share") + mind.held("unseen"), 20);
    for number in 1..1_000 {
        assert_eq!(mind.echo(link, &known(number)).lost, 0, "{number}");
    }
    // With one more open than it has places for it needs what is shared.
    let more = |number| Query { ttl: 0, ..marked(number, mark(1_000, number, 998)) };
    assert_eq!(mind.echo(link, &more(1_000)), lost());
}

#[test]
fn what_is_remembered_reaches_its_limits_and_never_goes_beyond() {
    // Neighbors come one after the other, and each takes half of what is left, from however far it says that it comes.
    let fill = |mind: &mut Mind, name: &str, most: usize, mark_of: fn(u64) -> Option<ContactMark>| {
        let mut taken = Vec::new();
        for id in 1..=40 {
            let mut hasty = Flooder { hops: u8::try_from(id % 15).unwrap(), ..Flooder::new(mind, id, mark_of) };
            let first = hasty.next + 1;
            let count = hasty.flood(mind);
            taken.extend(first..first + count as u64);
            assert!(mind.held(name) <= most, "{name}: {}", mind.held(name));
        }
        assert_eq!((mind.held(name), taken.len()), (most, most), "{name}");
        let refused = mind.held("unseen");
        let last = Flooder::new(mind, 50, mark_of).forged();
        let other = mind.neighbor(51);
        assert_eq!(mind.echo(other, &last), lost(), "{name}");
        assert_eq!(mind.held("unseen"), refused + 1);
        taken
    };
    fill(&mut Mind::new(), "seen_by_age", SEEN_TP3_IDS_MAX, of_no_contact);

    let mut mind = Mind::new();
    let known = fill(&mut mind, "contacts", CONTACTS_MAX, of_new_contacts);
    assert_eq!(mind.held("seen"), CONTACTS_MAX);
    // They say one more each, then more and more, over links of which each has what the others leave.
    let mut rounds = (1..).flat_map(|number| known.iter().map(move |name| (*name, number)));
    let mut sequence = 1 << 50;
    for id in 60..100 {
        let link = mind.neighbor(id);
        let refused = mind.refused();
        for (name, number) in rounds.by_ref() {
            sequence += 1;
            mind.hear(link, Message::query(Query { ttl: 0, hops: 3, ..marked(sequence, mark(name, number, 0)) }));
            if mind.refused() > refused {
                break;
            }
        }
        assert!(mind.held("seen") <= SEEN_IDS_MAX);
    }
    // Of the last few each contact has as many as are left. Our own clients may have those.
    let client = mind.client(9);
    let left = SEEN_IDS_MAX - mind.held("seen");
    assert!(left < 8, "{left}");
    for sequence in 0..left as u64 {
        mind.asked(client, 100 + sequence);
    }
    assert_eq!(mind.held("seen"), SEEN_IDS_MAX);
    let unseen = mind.held("unseen");
    let out = mind.hear(client, request(5));
    assert_eq!(out, [send(client, finished(5, Tally { reached: 1, lost: 1, ..Tally::default() }))]);
    assert_eq!(mind.held("unseen"), unseen + 1);
}

#[test]
fn neighbors_that_flood_for_ever_leave_room_to_everybody_else() {
    // Each of them may have more than half of what those before it left. How many flood, and how many honest contacts come
    // in twenty seconds.
    for (hasty_count, honest_count) in [(1, 1_000), (3, 100), (8, 1)] {
        let mut mind = Mind::new();
        let mut honest = Flooder { hops: 1, ..Flooder::new(&mut mind, 100, of_new_contacts) };
        let client = mind.client(9);
        let mut hasty: Vec<Flooder> =
            (1..=hasty_count).map(|id| Flooder { hops: 13, ..Flooder::new(&mut mind, id, of_new_contacts) }).collect();
        for step in 0..8 {
            let mut came = 0;
            for neighbor in &mut hasty {
                came += neighbor.flood(&mut mind);
                // One that comes anew gains nothing by it.
                neighbor.come_anew(&mut mind);
                assert_eq!(neighbor.flood(&mut mind), 0, "step {step}");
            }
            assert!(step % 7 != 0 || came > CONTACTS_MAX / 3, "{came}: what was quiet makes room for more");
            let refused = mind.counted();
            for _ in 0..honest_count {
                let query = honest.forged();
                assert_eq!(mind.echo(honest.link, &query), Tally { stopped: 1, ..reached(1) });
            }
            mind.asked(client, step);
            assert_eq!(mind.counted(), refused, "{hasty_count} hasty ones, step {step}");
            let neighbors: Vec<LinkId> = hasty.iter().chain([&honest]).map(|neighbor| neighbor.link).collect();
            mind.beats(&neighbors, 10);
        }
    }
}

/// What a servent takes from one that floods, and a little beside it, the servents behind it take as well: they know the
/// honest from the forged no more than it did, and hear both from the one they trust.
#[test]
fn behind_an_honest_neighbor_of_a_hasty_one_nothing_is_refused() {
    const LENGTH: usize = 3;
    // For each honest one that is brought beside it, so many are forged: a twentieth of what is taken.
    const FORGED: usize = 20;
    let mut chain: Vec<Mind> = (0..LENGTH).map(|_| Mind::new()).collect();
    let [mut hasty, mut honest] =
        [1, 2].map(|id| Flooder { ttl: 3, hops: 1, ..Flooder::new(&mut chain[0], id, of_new_contacts) });
    let left: Vec<LinkId> = chain.iter_mut().map(|mind| mind.neighbor(3)).collect();
    let right: Vec<LinkId> = chain.iter_mut().map(|mind| mind.neighbor(4)).collect();
    // The first has no left neighbor but those two.
    chain[0].closed(left[0]);
    let bring = |chain: &mut Vec<Mind>, link, query| {
        let mut on_the_way = Some((link, query));
        for (number, mind) in chain.iter_mut().enumerate() {
            let Some((link, query)) = on_the_way.take() else { break };
            for output in mind.hear(link, Message::query(query)) {
                let Output::Flood { links, query } = output else { continue };
                links.iter().for_each(|link| drop(mind.hear(*link, echo_of(&query, Tally::default()))));
                if let (true, Some(next)) = (links.contains(&right[number]), left.get(number + 1)) {
                    on_the_way = Some((*next, Query::clone(&query)));
                }
            }
        }
    };
    let mut honest_count = 0;
    while chain[0].refused() < 3_000 {
        for _ in 0..FORGED {
            let query = hasty.forged();
            bring(&mut chain, hasty.link, query);
        }
        let refused = chain[0].refused();
        if chain[0].held("contacts") < CONTACTS_MAX / 2 + PLACES_FREE / 2 {
            let query = honest.forged();
            bring(&mut chain, honest.link, query);
            honest_count += 1;
        }
        assert_eq!(chain[0].refused(), refused, "what is honest is not refused");
        for mind in &chain[1..] {
            assert_eq!(mind.refused(), 0, "{honest_count} honest ones");
        }
    }
    assert!(honest_count > 1_500, "{honest_count}");
    let counts: Vec<usize> = chain.iter().map(|mind| mind.held("contacts")).collect();
    assert!(counts.iter().all(|count| *count == counts[0]), "{counts:?}");
}

#[test]
fn a_neighbor_has_its_share_of_what_waits_for_echoes_and_others_theirs() {
    let mut mind = Mind::new();
    let other = mind.neighbor(100);
    let client = mind.client(9);
    let mut hasty = Flooder { ttl: 3, ..Flooder::new(&mut mind, 1, of_one_contact) };
    let half = PLACES_FREE + (QUERIES_PENDING_MAX - PLACES_FREE) / 2;
    let mut passed = Vec::new();
    for count in 0..half {
        let query = hasty.forged();
        let (links, onward) = mind.onward(hasty.link, &query);
        assert_eq!(links, [other], "{count}");
        passed.push((query, onward));
    }
    // One more is answered, and goes no further.
    let surplus = hasty.forged();
    assert_eq!(mind.echo(hasty.link, &surplus), Tally { lost: 1, ..reached(1) });
    assert_eq!((mind.held("pending"), mind.refused()), (half, 0));
    // What others bring does, and what our clients ask.
    let third = mind.neighbor(2);
    assert_eq!(mind.onward(third, &marked(1, mark(1_000, 0, 0))).0, [other, hasty.link]);
    mind.asked(client, 5);
    // One echo makes room for one.
    let (query, onward) = passed.remove(0);
    let tally = Tally { reached: 2, copies: 1, ..Tally::default() };
    assert_eq!(mind.hear(other, echo_of(&onward, reached(1))), [send(hasty.link, echo_of(&query, tally))]);
    let [next, surplus] = [hasty.forged(), hasty.forged()];
    mind.onward(hasty.link, &next);
    // Whoever could be told nothing is not counted twice: it goes to nobody, whatever it asks.
    assert_eq!(mind.echo(hasty.link, &surplus), Tally { lost: 1, ..reached(1) });
    assert_eq!(mind.held("unsaid"), 0);
    // And time makes room for all.
    let told = mind.beats(&[other, third, hasty.link], 2);
    assert_eq!((mind.held("pending"), told.len()), (0, half + 2));
}

#[test]
fn what_waits_for_echoes_and_what_is_kept_of_them_reaches_its_limits() {
    for (name, ttl, most) in [("pending", 3, QUERIES_PENDING_MAX), ("echoes_kept", 0, ECHOES_KEPT_MAX)] {
        let mut mind = Mind::new();
        mind.neighbor(100);
        for id in 1..=40 {
            let hops = u8::try_from(id % 10).unwrap();
            let mut hasty = Flooder { hops, ttl, ..Flooder::new(&mut mind, id, of_one_contact) };
            let mut held = None;
            while held != Some(mind.held(name)) {
                held = Some(mind.held(name));
                let query = hasty.forged();
                mind.hear(hasty.link, Message::query(query));
            }
            assert!(held <= Some(most), "{name}: {held:?}");
        }
        assert_eq!((mind.held(name), mind.refused()), (most, 0));
        mind.pass(ECHO_WAIT_MAX);
        assert_eq!(mind.held(name), 0);
    }
}

#[test]
fn an_echo_that_could_not_be_kept_is_told_as_lost() {
    let mut mind = Mind::new();
    let mut asker = Flooder::new(&mut mind, 1, of_one_contact);
    let half = PLACES_FREE + (ECHOES_KEPT_MAX - PLACES_FREE) / 2;
    let mut brought: Vec<Query> = (0..=half).map(|_| asker.forged()).collect();
    for query in &brought {
        assert_eq!(mind.echo(asker.link, query), reached(1));
    }
    assert_eq!(mind.held("echoes_kept"), half);
    asker.come_anew(&mut mind);
    let unsure = Tally { duplicates: 1, lost: 1, ..Tally::default() };
    let last = brought.pop().unwrap();
    assert_eq!(mind.echo(asker.link, &last), unsure);
    assert_eq!(mind.echo(asker.link, &brought[half - 1]), reached(1));
    mind.pass(ECHO_WAIT_MAX);
    assert_eq!(mind.held("echoes_kept"), 0);
}

/// What came of a query whose neighbor has gone is kept for it, among what those have that are gone.
#[test]
fn neighbors_that_come_and_go_leave_nothing_behind_that_is_noted_of_them() {
    let mut mind = Mind::new();
    let other = mind.neighbor(100);
    // Nothing is left that is anybody's.
    let mut first = Flooder::new(&mut mind, 1, of_one_contact);
    while mind.held("echoes_kept") < PLACES_FREE {
        let query = first.forged();
        mind.hear(first.link, Message::query(query));
    }
    for id in 2..=30 {
        let mut brief = Flooder { ttl: 3, ..Flooder::new(&mut mind, id, of_new_contacts) };
        let query = brief.forged();
        let (links, onward) = mind.onward(brief.link, &query);
        mind.closed(brief.link);
        for link in links {
            mind.hear(link, echo_of(&onward, reached(1)));
        }
        assert_eq!(mind.held("echoes_kept"), PLACES_FREE + usize::try_from(id).unwrap() - 1);
        assert_eq!(mind.held("sharing"), 0, "neighbor {id}");
        // It hears of it when it comes back.
        let again = mind.neighbor(id);
        assert_eq!(mind.echo(again, &query).lost, 0);
        mind.closed(again);
    }
    for link in [first.link, other] {
        mind.closed(link);
    }
    assert_eq!(mind.held("sharing"), 0);
    mind.pass(ECHO_WAIT_MAX);
    assert_eq!(mind.held("echoes_kept"), 0);
}
