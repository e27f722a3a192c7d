//! Whoever is faster than others: a client that asks faster than it may is slowed down and loses nothing, and nobody
//! waits for more than a share of what others say.
//!
//! How the pace is counted, and how much a share is, is tested at the doors of the mind and of the exchange, in `common`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::fs;
use std::process::Command;
use std::thread;
use std::time::Instant;

use common::exchange::MESSAGES_PER_VISIT;
use common::limits::CLIENT_QUERIES_AT_ONCE_MAX;
use common::message::{Goodbye, Message, Request};
use common::query::AnswerBody;
use rustix::process::Signal;
use topologies::fleet::program;

use support::{DataFile, PATIENCE, Peer, Process, ask, frame, query, serve_many};

/// So many are asked at once, and so many more once they have been heard.
const AT_ONCE: usize = 1_000;

#[test]
fn a_client_that_asks_too_fast_waits_and_gets_every_answer() {
    let file = DataFile::new("tea green\n");
    let mut servent = Process::serve_saying_all(&[file.path()]);
    let mut hasty = Peer::client(servent.address, 1);
    let mut other = Peer::client(servent.address, 2);
    let mut sequences = Vec::new();
    let mut heard = 0;
    let until = Instant::now() + PATIENCE;
    // How many it takes to be ahead of a pace depends on how fast the machine is. Few are on their way at a time, because
    // in the end all of them are waited for at that pace.
    while !servent.log_so_far().iter().any(|line| line.contains("asks faster than it may")) {
        assert!(Instant::now() < until, "{} queries are not too fast", sequences.len());
        sequences.extend((0..AT_ONCE).map(|_| hasty.request(ask("milk"))));
        while heard + AT_ONCE < sequences.len() {
            assert_eq!(hasty.expect_finished().sequence, sequences[heard]);
            heard += 1;
        }
    }
    assert!(sequences.len() > CLIENT_QUERIES_AT_ONCE_MAX as usize, "slowed down after {}", sequences.len());
    // Somebody else is served while it waits.
    assert_eq!(other.values("tea"), [b"green"]);
    for sequence in &sequences[heard..] {
        assert_eq!(hasty.expect_finished().sequence, *sequence);
    }
}

#[test]
fn half_a_frame_behind_too_many_queries_is_not_waited_for_for_ever() {
    let file = DataFile::new("tea green\n");
    let servent = serve_many(&[file.path()]);
    let mut hasty = Peer::client(servent.address(), 1);
    let count = CLIENT_QUERIES_AT_ONCE_MAX + 500;
    for _ in 0..count {
        hasty.request(ask("milk"));
    }
    hasty.say_bytes(&[0, 0, 0]);
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
    let file = DataFile::new("tea green\n");
    let mut command = Command::new("env");
    command.arg("RUST_LOG=query=debug").arg(program("servent").unwrap()).arg("127.0.0.1:0").arg(file.path());
    let mut servent = Process::start(&mut command);
    let [mut hasty, mut other] = [1, 2].map(|port| Peer::client(servent.address, port));
    let mut neighbor = Peer::neighbor(servent.address);

    servent.signal(Signal::STOP);
    wait_until_stopped(&servent);
    let requests = (0..MORE as u64).map(|sequence| frame(&Message::Request(Request { sequence, ask: ask("milk") })));
    hasty.say_bytes(&requests.collect::<Vec<_>>().concat());
    let somebody = ([127, 0, 0, 1], 3).into();
    let queries = (0..MORE).map(|_| frame(&Message::query(query(somebody, ask("milk"), 0))));
    neighbor.say_bytes(&queries.collect::<Vec<_>>().concat());
    other.request(ask("tea"));
    servent.signal(Signal::CONT);

    assert_eq!(other.expect_answer().body, AnswerBody::Value(b"green".to_vec()));
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

fn wait_until_stopped(servent: &Process) {
    let until = Instant::now() + PATIENCE;
    let path = format!("/proc/{}/stat", servent.pid().as_raw_nonzero());
    while !fs::read_to_string(&path).unwrap().contains(") T ") {
        assert!(Instant::now() < until, "it does not stop");
        thread::yield_now();
    }
}
