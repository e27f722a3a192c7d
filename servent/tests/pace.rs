//! A client that asks faster than it may: it is slowed down, loses nothing, and nobody else notices.
//!
//! How the pace is counted is tested at the doors of the mind, in `common`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod support;

use common::config::CLIENT_QUERIES_AT_ONCE_MAX;
use common::message::Goodbye;

use support::{DataFile, Peer, ask, logged, serve};

#[test]
fn a_client_that_asks_too_fast_waits_and_gets_every_answer() {
    let file = DataFile::new("tea green\n");
    let mut servent = serve(&[file.path()]);
    let mut hasty = Peer::client(servent.address(), 1);
    let mut other = Peer::client(servent.address(), 2);
    let count = CLIENT_QUERIES_AT_ONCE_MAX + 2_000;
    let sequences: Vec<u64> = (0..count).map(|_| hasty.request(ask("milk"))).collect();
    logged(&mut servent, "asks faster than it may");
    // Somebody else is served while it waits.
    assert_eq!(other.values("tea"), [b"green"]);
    for sequence in sequences {
        assert_eq!(hasty.expect_finished().sequence, sequence);
    }
}

#[test]
fn half_a_frame_behind_too_many_queries_is_not_waited_for_for_ever() {
    let file = DataFile::new("tea green\n");
    let servent = serve(&[file.path()]);
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
