//! Whoever is faster than others: a client that asks faster than its queries are over is not read for a while and loses
//! nothing, and nobody waits for more than a share of what others say.
//!
//! When clients wait and when they go on, and how much a share is, is tested at the doors of the mind and of the exchange, in
//! `common`.

use super::*;
use common::exchange::MESSAGES_PER_VISIT;
use common::limits::COPIES_OPEN_MAX;

/// So many more than may be open are asked.
const MORE: usize = 500;

/// What a neighbor says that has nothing, and nobody to ask.
fn echo(query: &Query) -> Message {
    Message::Echo(Echo { id: query.id(), ttl: query.ttl, tally: Tally { reached: 1, ..Tally::default() } })
}

#[test]
fn a_client_that_asks_too_much_at_once_waits_and_gets_every_answer() {
    let file = tea();
    let servent = Process::serve(&[file.path()]);
    let mut neighbor = Peer::neighbor(servent.address);
    let mut hasty = Peer::client(servent.address, 1);
    let mut other = Peer::client(servent.address, 2);
    let sequences: Vec<u64> = (0..COPIES_OPEN_MAX + MORE).map(|_| hasty.request(ask("milk"))).collect();
    let mut open: Vec<Query> = (0..COPIES_OPEN_MAX).map(|_| neighbor.expect_query()).collect();
    assert!(open.iter().all(|query| query.client.socket.port() == 1));
    // Nothing more is read from it, and what somebody else asks comes next.
    other.request(ask("tea"));
    open.push(neighbor.expect_query());
    assert_eq!(open[COPIES_OPEN_MAX].client.socket.port(), 2);
    open.iter().for_each(|query| neighbor.say(&echo(query)));
    for _ in 0..MORE {
        let query = neighbor.expect_query();
        assert_eq!(query.client.socket.port(), 1);
        neighbor.say(&echo(&query));
    }
    for sequence in sequences {
        let finished = hasty.expect_finished();
        assert_eq!(finished.sequence, sequence);
        assert_eq!(finished.tally, Tally { reached: 2, copies: 1, is_dialled: true, ..Tally::default() });
    }
    assert_eq!(other.expect_answer().hops, 0);
    assert_eq!(other.expect_finished().tally.reached, 2);
}

#[test]
fn half_a_frame_behind_too_many_queries_is_not_waited_for_for_ever() {
    let file = tea();
    let servent = serve_many(&[file.path()]);
    let mut neighbor = Peer::neighbor(servent.address());
    let mut hasty = Peer::client(servent.address(), 1);
    let count = COPIES_OPEN_MAX + MORE;
    for _ in 0..count {
        hasty.request(ask("milk"));
    }
    hasty.say_bytes(&[0, 0, 0]);
    let open: Vec<Query> = (0..COPIES_OPEN_MAX).map(|_| neighbor.expect_query()).collect();
    open.iter().for_each(|query| neighbor.say(&echo(query)));
    for _ in 0..MORE {
        let query = neighbor.expect_query();
        neighbor.say(&echo(&query));
    }
    for _ in 0..count {
        hasty.expect_finished();
    }
    hasty.expect_goodbye(Goodbye::Protocol);
}

/// All that is said lies in the system before the servent looks at any of it, so that what comes before what is not up to
/// the machine.
#[test]
fn whoever_asks_waits_for_so_many_messages_of_each_who_says_more_and_for_no_more() {
    // As many as are read at once, and more.
    const MORE: usize = 1_000;
    let most = 2 * MESSAGES_PER_VISIT as usize;
    let file = tea();
    let mut command = Command::new("env");
    command.arg("RUST_LOG=query=debug").arg(program("servent").unwrap()).arg("127.0.0.1:0").arg(file.path());
    let mut servent = Process::start(&mut command);
    let [mut hasty, mut other] = [1, 2].map(|port| Peer::client(servent.address, port));
    let mut neighbor = Peer::neighbor(servent.address);

    servent.signal(Signal::STOP);
    let stat = format!("/proc/{}/stat", servent.pid().as_raw_nonzero());
    wait_until("it stops", || fs::read_to_string(&stat).unwrap().contains(") T "));
    let requests =
        (0..MORE as u64).map(|sequence| frame(&Message::Request(Request { sequence, ask: ask("milk"), ttl: None })));
    hasty.say_bytes(&requests.collect::<Vec<_>>().concat());
    let somebody = ([127, 0, 0, 1], 3).into();
    let queries = (0..MORE).map(|_| frame(&Message::query(query(somebody, ask("milk"), 0))));
    neighbor.say_bytes(&queries.collect::<Vec<_>>().concat());
    other.request(ask("tea"));
    servent.signal(Signal::CONT);

    assert_eq!(other.expect_answer().body, AnswerBody::Value(b"green".to_vec()));
    // Whoever asks more than may be open waits for what came before it.
    for _ in 0..=MORE {
        let query = loop {
            match neighbor.expect() {
                Message::Query(query) => break query,
                Message::Echo(_) => {}
                message => panic!("{message:?} and no query"),
            }
        };
        neighbor.say(&echo(&query));
    }
    // What is said on one link is told in order.
    for peer in [&mut hasty, &mut neighbor] {
        peer.say(&Message::Ping);
        while peer.expect() != Message::Pong {}
    }
    servent.signal(Signal::TERM);
    servent.wait();
    let others = servent.log.iter().position(|line| line.contains("@127.0.0.1:2 asked")).unwrap();
    for (who, verb) in [("1", "asked"), ("3", "heard from")] {
        let words = format!("@127.0.0.1:{who} {verb}");
        let [before, after] = [&servent.log[..others], &servent.log[others..]]
            .map(|lines| lines.iter().filter(|line| line.contains(&words)).count());
        assert_eq!(before + after, MORE, "{words}");
        assert!(before <= most, "{before} of {MORE} with {words} came before it");
    }
}
