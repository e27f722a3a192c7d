//! Answers that go back the way their query came, and who brings what was not asked for, or is somewhere else by then.

use super::*;
use common::features::Features;
use common::limits::{BROUGHT_BYTES_MAX, SERVENT_FRAME_BYTES_MAX, VALUE_BYTES_MAX};
use common::message::{Brought, Handed, ServentId};
use common::query::{BroughtAnswer, BroughtBody, ContactMark, ContactName, Via};
use std::io::Write;
use std::net::IpAddr;
use std::sync::Arc;

/// What a servent says that answers in the name of this one.
fn in_the_name_of(id: u128, value: &[u8]) -> Arc<BroughtAnswer> {
    let body = BroughtBody::Whole(AnswerBody::Value(value.to_vec()));
    Arc::new(BroughtAnswer { id: ServentId(id), from: ([192, 0, 2, 7], 9).into(), name: None, hops: 1, body })
}

/// The same to a copy that was sent.
fn brought(query: &Query, value: &[u8]) -> Message {
    let contact = query.contact.expect("it has a contact");
    let answer = in_the_name_of(7, value);
    Message::Brought(Brought { contact: contact.name, number: contact.number, ttl: query.ttl, answer })
}

fn echo(query: &Query, tally: Tally) -> Message {
    Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally })
}

/// A query of this number of a contact that has no other open.
fn numbered(number: u64, client: SocketAddr, via: Via) -> Query {
    let contact = Some(ContactMark { name: ContactName(7), number, open_from: number });
    Query { contact, via, ..query(client, ask("tea"), 3) }
}

/// A client at this ip that understands what goes back to it.
fn client_from(ip: IpAddr, contact: SocketAddr, answer_port: u16) -> Peer {
    let mut client = Peer::stranger_from(ip, contact);
    let hello = Hello { features: Features::OF_CLIENTS, ..Hello::new(Role::Client { answer_port }) };
    client.say(&Message::Hello(hello));
    client.expect_hello();
    client
}

fn request(client: &mut Peer, sequence: u64) {
    client.say(&Message::Request(Request { sequence, ask: ask("tea"), ttl: None }));
}

/// That all it said is heard.
fn is_heard(peer: &mut Peer) {
    peer.say(&Message::Ping);
    assert_eq!(peer.expect(), Message::Pong);
}

#[test]
fn what_is_brought_to_a_query_by_those_who_were_not_asked_goes_nowhere() {
    let servent = serve_many(&["-"]);
    let mut source = Peer::neighbor(servent.address());
    let mut asked = Peer::neighbor(servent.address());
    let query = numbered(1, ([127, 0, 0, 1], ANSWER_PORT).into(), Via::Back);
    source.say(&Message::query(query.clone()));
    let copy = asked.expect_query();
    // It came when the copies had gone out, and knows all there is to know of them.
    let mut stranger = Peer::neighbor(servent.address());
    for liar in [&mut stranger, &mut source] {
        (0..1_000).for_each(|_| liar.say(&brought(&copy, b"forged")));
        is_heard(liar);
    }
    asked.say(&brought(&copy, b"black"));
    asked.say(&echo(&copy, Tally::default()));
    assert_eq!(source.expect(), brought(&query, b"black"), "what the asked one says goes on, under the ttl that came");
    assert!(matches!(source.expect(), Message::Echo(_)));
}

#[test]
fn one_that_brings_as_much_as_may_be_brought_is_passed_on() {
    let servent = serve_many(&["-"]);
    let mut source = Peer::neighbor(servent.address());
    let mut honest = Peer::neighbor(servent.address());
    let query = numbered(1, ([127, 0, 0, 1], ANSWER_PORT).into(), Via::Back);
    source.say(&Message::query(query.clone()));
    let copy = honest.expect_query();
    // The bytes are put together as those are that are too long, which shows that these are refused for nothing else.
    honest.stream().write_all(&brought_of(&copy, BROUGHT_BYTES_MAX)).unwrap();
    is_heard(&mut honest);
    let longest = brought(&query, &vec![b'v'; BROUGHT_BYTES_MAX]);
    assert!(source.expect() == longest, "what is not too long does not come whole");
}

#[test]
fn one_that_brings_more_than_may_be_brought_is_closed_and_nobody_else_notices() {
    let file = tea();
    let mut servent = serve_many(&[file.path()]);
    let mut source = Peer::neighbor(servent.address());
    for bytes_count in [BROUGHT_BYTES_MAX + 1, VALUE_BYTES_MAX] {
        let mut liar = Peer::neighbor(servent.address());
        let query = numbered(bytes_count as u64, ([127, 0, 0, 1], ANSWER_PORT).into(), Via::Back);
        source.say(&Message::query(query.clone()));
        let copy = liar.expect_query();
        let bytes = brought_of(&copy, bytes_count);
        // Of what is refused at its length the rest may find nobody any more.
        let _ = liar.stream().write_all(&bytes);
        liar.expect_goodbye(Goodbye::Protocol);
        let reason = match bytes.len() - 4 {
            length if length > SERVENT_FRAME_BYTES_MAX => format!("a frame of {length} bytes"),
            _ => {
                let most = format!("a value of {bytes_count} bytes, where {BROUGHT_BYTES_MAX} is the most");
                format!("a frame that holds no message: {most}")
            }
        };
        logged(&mut servent, &format!("link with neighbor {} is gone: {reason}", liar.address()));
        // Its own answer is all that is brought.
        let Message::Brought(own) = source.expect() else { panic!("it does not answer") };
        assert_eq!(own.answer.body, BroughtBody::Whole(AnswerBody::Value(b"green".to_vec())));
        still_serves(servent.address());
        let echo = loop {
            match source.expect() {
                Message::Echo(echo) => break echo,
                // Of whoever is served meanwhile.
                Message::Query(_) => {}
                message => panic!("an unexpected {message:?}"),
            }
        };
        assert_eq!((echo.tally.answers, echo.tally.lost), (1, 1), "whoever was closed has not echoed");
    }
}

/// The frame of an answer that is so long, which nobody of ours would say: one of the longest that may be, made longer.
fn brought_of(copy: &Query, bytes_count: usize) -> Vec<u8> {
    let longest = frame(&brought(copy, &vec![b'v'; BROUGHT_BYTES_MAX]));
    // Ahead of the value stands its length, as a number: what the rest is refused for must not be how that is written.
    let number = |count: usize| match u16::try_from(count) {
        Ok(short) => [&[0xfb][..], &short.to_be_bytes()].concat(),
        Err(_) => [&[0xfc][..], &length(count)].concat(),
    };
    let before = &longest[4..longest.len() - BROUGHT_BYTES_MAX - number(BROUGHT_BYTES_MAX).len()];
    let body = [before, &number(bytes_count), &vec![b'v'; bytes_count]].concat();
    [&length(body.len())[..], &body].concat()
}

#[test]
fn a_client_that_comes_back_from_another_ip_hears_only_what_it_asks_there() {
    let servent = serve_many(&["-"]);
    let mut neighbor = Peer::neighbor(servent.address());
    let [before, after] = [1, 2].map(|last| IpAddr::from([127, 0, 0, last]));
    let mut client = client_from(before, servent.address(), 0);
    request(&mut client, 1);
    let old = neighbor.expect_query();
    client.hang_up();
    // It has forgotten nothing but its first query, so that it asks under the same number.
    let mut client = client_from(after, servent.address(), 0);
    neighbor.say(&brought(&old, b"old"));
    is_heard(&mut neighbor);
    request(&mut client, 1);
    let new = neighbor.expect_query();
    assert_eq!((new.client.socket.ip(), new.via), (after, Via::Back));
    neighbor.say(&brought(&old, b"old"));
    neighbor.say(&brought(&new, b"new"));
    neighbor.say(&brought(&old, b"old"));
    for query in [&old, &new] {
        neighbor.say(&echo(query, Tally { reached: 1, ..Tally::default() }));
    }
    assert_eq!(client.expect(), Message::Handed(Handed { sequence: 1, answer: in_the_name_of(7, b"new") }));
    let finished = client.expect_finished();
    assert_eq!((finished.sequence, finished.tally.reached), (1, 2));
    is_heard(&mut client);
}

#[test]
fn a_port_that_opens_meanwhile_is_dialled_again() {
    let servent = serve_tea(&[]);
    let mut source = Peer::neighbor(servent.address());
    let client = free_address();
    source.say(&Message::query(Query { ttl: 0, ..numbered(1, client, Via::Direct) }));
    // The dial, which comes to nothing, takes longer than the echo does.
    assert!(matches!(source.expect(), Message::Echo(_)));
    assert!(matches!(source.expect(), Message::Brought(Brought { number: 1, .. })));
    let port = AnswerPort::open_at(client);
    // It may be dialled beside answers that go back, for those that come later.
    let greeted = thread::spawn(move || port.accept_and_greet().0);
    let mut number = 1;
    let mut dialled = None;
    wait_until("it is dialled", || {
        number += 1;
        let query = Query { ttl: 0, ..numbered(number, client, Via::Direct) };
        source.say(&Message::query(query.clone()));
        match source.expect() {
            // The address rests, or it is not known yet that somebody is there.
            Message::Brought(brought) => {
                assert_eq!(brought.number, number);
                assert!(matches!(source.expect(), Message::Echo(_)));
            }
            Message::Echo(_) => dialled = Some(query.sequence),
            message => panic!("an unexpected {message:?}"),
        }
        dialled.is_some()
    });
    let mut answers = greeted.join().unwrap();
    assert_eq!(Some(answers.expect_answer().sequence), dialled);
}

#[test]
fn a_client_whose_port_opens_is_dialled_once_it_attaches_again() {
    let servent = serve_many(&["-"]);
    let mut neighbor = Peer::neighbor(servent.address());
    let address = free_address();
    let mut client = client_from(address.ip(), servent.address(), address.port());
    let via = |client: &mut Peer, neighbor: &mut Peer, sequence| {
        request(client, sequence);
        let query = neighbor.expect_query();
        neighbor.say(&echo(&query, Tally::default()));
        client.expect_finished();
        query.via
    };
    let mut sequence = 0;
    wait_until("its contact knows that it cannot be dialled", || {
        sequence += 1;
        via(&mut client, &mut neighbor, sequence) == Via::Back
    });
    let port = AnswerPort::open_at(address);
    assert_eq!(via(&mut client, &mut neighbor, sequence + 1), Via::Back, "it is tried once");
    client.hang_up();
    let mut client = client_from(address.ip(), servent.address(), address.port());
    // It is tried again, maybe when the rest of its address is over.
    port.accept().expect_end();
    assert_eq!(via(&mut client, &mut neighbor, sequence + 2), Via::Direct);
    is_heard(&mut client);
    assert_eq!(via(&mut client, &mut neighbor, sequence + 3), Via::Direct);
}
