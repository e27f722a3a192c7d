//! A client that asks faster than it may: it is slowed down, loses nothing, and nobody else notices.
//!
//! How the pace is counted is tested at the doors of the mind, in `common`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use std::time::Instant;

use common::limits::CLIENT_QUERIES_AT_ONCE_MAX;
use common::message::Goodbye;

use support::{DataFile, PATIENCE, Peer, Process, ask, serve_many};

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
