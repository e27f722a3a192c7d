//! Copies that neighbors bring: new, known, forged, or of what is over.

use super::*;
use common::query::Ask;

#[test]
fn what_its_contact_has_open_no_more_is_forgotten_and_given_up_and_copies_of_it_are_spoilt() {
    let (mut mind, [a, b, c]) = Mind::linked();
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
    let given_up = |reached| Tally { reached, copies: 2, lost: 2, ..passed_on() };
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
    let (mut mind, [a, b]) = Mind::linked();
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
    let (mut mind, [a]) = Mind::linked();
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
    let (mut mind, [a, b]) = Mind::linked();
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
        let tally = Tally { silent: 1, ..passed_on() };
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
    let (mut mind, [a, b]) = Mind::linked();
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
        let (mut mind, [a]) = Mind::linked();
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
    let (mut mind, [a, b, _]) = Mind::linked();
    let copy = marked(1, mark(7, 0, 0));
    mind.onward(a, &copy);
    mind.closed(b);
    let out = mind.hear(a, Message::query(Query { ttl: 0, ..marked(2, mark(7, 1, 1)) }));
    let tally = Tally { copies: 2, lost: 2, ..passed_on() };
    assert_eq!(out[0], send(a, echo_of(&copy, tally)));
    assert_eq!(mind.held("queries"), 2);
    let client = mind.client(9);
    mind.asked(client, 3);
    assert_eq!(mind.held("queries"), 3, "and what our own clients ask");
}

#[test]
fn a_copy_without_a_contact_goes_on_with_the_one_that_is_known() {
    let (mut mind, [a, b]) = Mind::linked();
    let known = Query { ttl: 1, ..marked(1, mark(7, 4, 2)) };
    assert_eq!(mind.onward(a, &known).1.contact, known.contact);
    let (links, onward) = mind.onward(b, &Query { ttl: 3, contact: None, ..known.clone() });
    assert_eq!((links, onward.ttl, onward.contact), (vec![a], 2, known.contact));
    // What is heard of the contact since is said with it.
    mind.onward(a, &marked(2, mark(7, 5, 3)));
    let (_, onward) = mind.onward(b, &Query { ttl: 5, contact: None, ..known });
    assert_eq!(onward.contact, Some(mark(7, 4, 3)));
}
