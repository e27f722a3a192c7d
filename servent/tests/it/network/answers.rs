//! Answers on their way, and what may happen to them there.

use std::time::Instant;

use super::*;
use peers::{PATIENCE, may_swallow};

#[test]
fn an_answer_address_nobody_listens_on_is_named_left_alone_and_tried_again() {
    let mut servent = serve_tea(&[]);
    let mut source = Peer::neighbor(servent.address());
    let nobody = free_address();
    source.pass_on(nobody, ask("tea"), 0);
    let line = logged(&mut servent, &format!("no answer to client {nobody}: "));
    assert!(line.contains("refused"), "{line}");
    // The client is there a moment later: what it asks then is answered once the address has had its rest.
    let port = AnswerPort::open_at(nobody);
    let query = source.pass_on(nobody, ask("tea"), 0);
    let (mut answers, _) = port.accept_and_greet();
    assert_eq!(answers.expect_answer().sequence, query.sequence);
    still_serves(servent.address());
}

#[test]
fn an_answer_address_that_is_dark_delays_no_other_answer() {
    if !may_swallow() {
        return;
    }
    let file = tea();
    let mut servent = Process::serve_saying_all(&[file.path()]);
    let mut source = Peer::neighbor(servent.address);
    let until = Instant::now() + PATIENCE;
    // Again where the machine has so much else to do that the dial has failed when the other client is answered.
    loop {
        let dark_port = AnswerPort::open();
        dark_port.swallow();
        let failure = format!("no answer to client {}: ", dark_port.address());

        source.pass_on(dark_port.address(), ask("tea"), 0);
        let port = AnswerPort::open();
        let lively = source.pass_on(port.address(), ask("tea"), 0);
        let (mut answers, _) = port.accept_and_greet();
        assert_eq!(answers.expect_answer().sequence, lively.sequence);
        still_serves(servent.address);
        let is_first = !servent.log_by_now().iter().any(|line| line.contains(&failure));

        servent.wait_for_log(&failure, 1);
        let line = servent.log.iter().find(|line| line.contains(&failure)).unwrap();
        assert!(line.contains("timed out"), "{line}");
        still_serves(servent.address);
        if is_first {
            break;
        }
        assert!(Instant::now() < until, "every other client waits until the dial has failed");
    }
}

#[test]
fn what_is_odd_on_an_answer_link_ends_that_link_only() {
    let mut servent = serve_tea(&[]);
    let mut source = Peer::neighbor(servent.address());
    let request = Message::Request(Request { sequence: 1, ask: ask("tea"), ttl: None });
    let wrong_port = hello(Role::Client { answer_port: ANSWER_PORT });
    let a_servent = hello(Peer::stranger(servent.address()).as_servent());
    for first in [&request, &wrong_port, &a_servent] {
        let port = AnswerPort::open();
        source.pass_on(port.address(), ask("tea"), 0);
        let mut odd = port.accept();
        odd.say(first);
        // It has not been told to be the client, so it is told nothing.
        assert_eq!(odd.bytes_until_end(), b"");
        let name = first.name();
        logged(&mut servent, &format!("no answer to client {}: it sent an unexpected {name}", port.address()));
    }
    let port = AnswerPort::open();
    source.pass_on(port.address(), ask("tea"), 0);
    let (mut odd, _) = port.accept_and_greet();
    odd.expect_answer();
    odd.say(&request);
    odd.expect_end();
    logged(&mut servent, &format!("client {} is gone: it sent an unexpected request", port.address()));
    still_serves(servent.address());
}

#[test]
fn a_client_that_dies_before_its_answers_is_no_harm() {
    let mut servent = serve_tea(&[]);
    let mut neighbor = Peer::neighbor(servent.address());

    // Between the dial and its hello.
    let port = AnswerPort::open();
    neighbor.pass_on(port.address(), ask("tea"), 0);
    assert!(matches!(neighbor.expect(), Message::Echo(_)));
    drop(port.accept());
    let line = logged(&mut servent, &format!("no answer to client {}: ", port.address()));
    assert!(line.contains("closed") || line.contains("reset"), "{line}");

    // Between its request and the end of the flood.
    let port = AnswerPort::open();
    let mut client = Peer::client(servent.address(), port.address().port());
    client.request(ask("mate"));
    let query = neighbor.expect_query();
    drop(client);
    logged(&mut servent, &format!("client {} left: ", port.address()));
    neighbor.say(&Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally: Tally::default() }));

    // Between its request and anybody hearing of it.
    let mut client = Peer::client(servent.address(), port.address().port());
    client.request(ask("tea"));
    drop(client);

    still_serves(servent.address());
    neighbor.say(&Message::Ping);
    let mut heard = neighbor.expect();
    while let Message::Query(_) = heard {
        heard = neighbor.expect();
    }
    assert_eq!(heard, Message::Pong);
}
