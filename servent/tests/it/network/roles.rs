//! Who may say what.

use super::*;
use common::limits::{NEIGHBORS_MAX, PATH_ADDRESSES_MAX};
use common::query::AskHash;

#[test]
fn a_client_without_a_port_is_refused() {
    let mut servent = serve_tea(&[]);
    let mut client = Peer::stranger(servent.address());
    client.say(&hello(Role::Client { answer_port: 0 }));
    client.expect_goodbye(Goodbye::Protocol);
    logged(&mut servent, &format!("no link with {}: it heard something the protocol", client.address()));
    still_serves(servent.address());
}

#[test]
fn roles_that_are_confused_end_that_link_only() {
    let mut servent = serve_tea(&[]);
    let port = AnswerPort::open();
    let query = query(port.address(), ask("tea"), 3);
    let messages = [
        Message::Request(Request { sequence: 1, ask: ask("tea") }),
        Message::query(query.clone()),
        Message::Echo(Echo { id: query.id(), ttl: 3, tally: Tally::default() }),
        Message::Answer(Answer {
            sequence: 1,
            asked: Some(AskHash(0)),
            hops: 1,
            body: AnswerBody::Value(b"green".to_vec()),
        }),
        Message::Finished(Finished { sequence: 1, tally: Tally::default() }),
        hello(Role::Client { answer_port: ANSWER_PORT }),
        Message::Ping,
    ];
    let mut bystander = Peer::neighbor(servent.address());
    for message in &messages {
        let unexpected = format!("it sent an unexpected {}", message.name());
        if !matches!(message, Message::Hello(_)) {
            let mut stranger = Peer::stranger(servent.address());
            stranger.say(message);
            stranger.expect_goodbye(Goodbye::Protocol);
            logged(&mut servent, &format!("no link with {}: {unexpected}", stranger.address()));
        }
        if !matches!(message, Message::Request(_) | Message::Ping) {
            let mut client = Peer::client(servent.address(), port.address().port());
            client.say(message);
            client.expect_goodbye(Goodbye::Protocol);
            servent.wait_for_log(&format!("client {} left: {unexpected}", port.address())).unwrap();
        }
        if !matches!(message, Message::Query(_) | Message::Echo(_) | Message::Ping) {
            let mut neighbor = Peer::neighbor(servent.address());
            neighbor.say(message);
            neighbor.expect_goodbye(Goodbye::Protocol);
            logged(&mut servent, &format!("link with neighbor {} is gone: {unexpected}", neighbor.address()));
        }
    }
    // Nobody was answered or asked on behalf of any of them.
    port.expect_nobody();
    bystander.say(&Message::Ping);
    assert_eq!(bystander.expect(), Message::Pong);
    still_serves(servent.address());
}

#[test]
fn a_path_longer_than_the_way_ends_that_link_only() {
    let mut servent = serve(&["-"]);
    let mut other = Peer::neighbor(servent.address());
    for (count, reason) in
        [(2, "it sent a path longer than the way"), (PATH_ADDRESSES_MAX + 1, "18 addresses, where 17 is the most")]
    {
        let mut neighbor = Peer::neighbor(servent.address());
        let path = vec![free_address(); count].into();
        neighbor.say(&Message::query(Query { path, ..query(free_address(), Ask::Topology, 3) }));
        neighbor.expect_goodbye(Goodbye::Protocol);
        let line = logged(&mut servent, &format!("link with neighbor {} is gone: ", neighbor.address()));
        assert!(line.contains(reason), "{line}");
    }
    other.say(&Message::Ping);
    assert_eq!(other.expect(), Message::Pong);
}

#[test]
fn one_neighbor_more_than_it_takes_is_told_so() {
    let mut servent = serve_tea(&[]);
    let mut neighbors: Vec<Peer> = (0..NEIGHBORS_MAX).map(|_| Peer::neighbor(servent.address())).collect();
    let mut surplus = Peer::stranger(servent.address());
    surplus.say(&hello(surplus.as_servent()));
    surplus.expect_goodbye(Goodbye::Full);
    logged(&mut servent, &format!("no link with {}: it has as many links as it takes", surplus.address()));
    // One that goes makes room for another.
    let gone = neighbors.pop().unwrap();
    let name = gone.address();
    drop(gone);
    servent.wait_for_log(&format!("link with neighbor {name} is gone: ")).unwrap();
    neighbors.push(Peer::neighbor(servent.address()));
    still_serves(servent.address());
}
