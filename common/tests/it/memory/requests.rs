//! What clients ask of their contact, and what others say of its queries.

use super::*;
use common::message::{Finished, Request};

#[test]
fn a_request_made_again_over_its_link_is_a_duplicate_while_it_is_open_and_then_a_new_one() {
    let (mut mind, [a]) = Mind::linked();
    let client = mind.client(9);
    let onward = mind.asked(client, 5);
    assert_eq!(mind.hear(client, request(5)), [send(client, finished(5, duplicate()))]);
    let out = mind.hear(a, echo_of(&onward, reached(1)));
    assert_eq!(out, [send(client, finished(5, Tally { reached: 2, ..passed_on() }))]);
    let again = mind.asked(client, 5);
    assert_eq!(again.contact.map(|mark| (mark.number, mark.open_from)), Some((1, 1)));
    assert_eq!((mind.held("seen"), mind.held("own_open")), (1, 1));
}

#[test]
fn a_request_whose_id_is_known_otherwise_gets_what_its_contact_has_and_is_lost_beyond() {
    let (mut mind, [a]) = Mind::linked();
    let [client, same_address] = [9, 9].map(|number| mind.client(number));
    mind.asked(client, 5);
    mind.hear(a, Message::query(query(6, 9, milk())));
    mind.hear(a, Message::query(Query { contact: None, ..query(7, 9, tea()) }));
    let before = mind.held("seen");
    // Of another ask, of another link, of a neighbor: with a contact and without.
    for (link, sequence) in [(client, 5), (same_address, 5), (client, 6), (client, 7)] {
        let out = mind.hear(link, Message::Request(Request { sequence, ask: tea(), ttl: None }));
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
    let (mut mind, [a, b]) = Mind::linked();
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
