//! The flood beside neighbors that die, come back, or send what goes too far.

use super::*;
use common::address::AnswerAddress;
use common::dialect::Dialect;
use common::limits::{TTL_DEFAULT, TTL_FROM_OTHERS_MAX, TTL_MAX};

#[test]
fn a_client_is_told_finished_when_a_neighbor_dies_in_the_middle_of_its_flood() {
    let mut servent = serve_tea(&[]);
    let mut staying = Peer::neighbor(servent.address());
    let mut dying = Peer::neighbor(servent.address());
    let mut client = Peer::client(servent.address(), ANSWER_PORT);
    let echo = |query: &Query, reached| {
        let tally = Tally { reached, ..Tally::default() };
        Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally })
    };

    // The first query waits for an echo that never comes. The second waits for the dead neighbor, which might come back.
    // Both end when the servent's patience does.
    let first = client.request(ask("mate"));
    let query = dying.expect_query();
    dying.say(&echo(&query, 1));
    let _never_echoed = staying.expect_query();
    let second = client.request(ask("tea"));
    let query = staying.expect_query();
    assert_eq!(dying.expect_query().sequence, second);
    let died = dying.address();
    drop(dying);
    staying.say(&echo(&query, 5));

    assert_eq!(client.expect_answer().sequence, second);
    let tally = Tally { reached: 2, copies: 2, lost: 1, ..Tally::default() };
    assert_eq!(client.expect_finished(), Finished { sequence: first, tally });
    let tally = Tally { reached: 6, answers: 1, copies: 2, lost: 1, answer_sum: client.mark, ..Tally::default() };
    assert_eq!(client.expect_finished(), Finished { sequence: second, tally });
    logged(&mut servent, &format!("link with neighbor {died} is gone: "));
}

#[test]
fn a_neighbor_that_comes_back_is_offered_the_query_again() {
    let mut servent = serve(&["-"]);
    let mut lost = Peer::stranger(servent.address());
    let role = lost.as_servent();
    lost.greet(role);
    let mut client = Peer::client(servent.address(), ANSWER_PORT);
    let sequence = client.request(ask("tea"));
    let query = lost.expect_query();
    let address = lost.address();
    drop(lost);
    logged(&mut servent, &format!("link with neighbor {address} is gone: "));

    let mut back = Peer::stranger(servent.address());
    back.greet(role);
    assert_eq!(back.expect_query(), query);
    let tally = Tally { reached: 1, ..Tally::default() };
    back.say(&Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally }));
    let tally = Tally { reached: 2, copies: 2, ..Tally::default() };
    assert_eq!(client.expect_finished(), Finished { sequence, tally });
}

#[test]
fn the_ttl_of_own_clients_is_the_one_asked_for() {
    for (options, ttl) in [(&["-"][..], TTL_DEFAULT), (&["-", "--ttl", "0"], 0), (&["-", "--ttl", "15"], TTL_MAX)] {
        let servent = serve(options);
        let mut neighbor = Peer::neighbor(servent.address());
        Peer::client(servent.address(), ANSWER_PORT).request(ask("tea"));
        let query = neighbor.expect_query();
        assert_eq!((query.ttl, query.hops), (ttl, 1));
    }
}

#[test]
fn the_ttl_of_others_is_cut_down_and_beyond_the_limit_dropped() {
    for (options, most) in [(&["-"][..], TTL_FROM_OTHERS_MAX), (&["-", "--ttl", "9"], 9)] {
        let mut servent = serve(options);
        let mut source = Peer::neighbor(servent.address());
        let mut other = Peer::neighbor(servent.address());
        let nobody = free_address();
        for ttl in [TTL_MAX + 1, u8::MAX] {
            source.pass_on(nobody, ask("tea"), ttl);
            logged(&mut servent, &format!("with TTL {ttl} after 1 hop"));
        }
        source.say(&Message::query(Query { hops: TTL_MAX + 2, ..query(nobody, ask("tea"), 3) }));
        logged(&mut servent, "with TTL 3 after 17 hops");
        let far = source.pass_on(nobody, ask("tea"), TTL_MAX);
        let near = source.pass_on(nobody, ask("tea"), 1);
        // What was dropped would have come first, here and in the echoes below.
        for (query, ttl) in [(far, most), (near, 1)] {
            let passed_on = other.expect_query();
            assert_eq!((passed_on.sequence, passed_on.ttl, passed_on.hops), (query.sequence, ttl - 1, 2));
            other.say(&Message::Echo(Echo { id: query.id(), ttl: ttl - 1, tally: Tally::default() }));
            let tally = Tally { reached: 1, copies: 1, ..Tally::default() };
            // The echo tells the sender which of its copies is meant, whatever was made of it here.
            assert_eq!(source.expect(), Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally }));
        }
    }
}

#[test]
fn the_sender_of_a_query_that_is_dropped_is_named_in_the_log() {
    let mut servent = serve(&["-"]);
    let mut source = Peer::neighbor(servent.address());
    source.pass_on(free_address(), ask("tea"), TTL_MAX + 1);
    logged(&mut servent, &format!("dropped, from {} with TTL 16", source.address()));
}

#[test]
fn an_answer_in_tp3_is_not_dialled_by_a_servent_that_does_not_speak_it() {
    let servent = serve_tea(&[]);
    let mut source = Peer::neighbor(servent.address());
    let port = AnswerPort::open();
    let client = AnswerAddress { socket: port.address(), dialect: Dialect::Tp3 };
    let query = Query { client, ..query(port.address(), ask("tea"), 0) };
    source.say(&Message::query(query.clone()));
    let tally = Tally { reached: 1, lost: 1, ..Tally::default() };
    assert_eq!(source.expect(), Message::Echo(Echo { id: query.id(), ttl: 0, tally }));
    // Had it been dialled, this one would not be the first there.
    source.pass_on(port.address(), ask("tea"), 0);
    port.accept_and_greet().0.expect_answer();
}
