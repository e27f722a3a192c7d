//! What the tests of the client share: the program as a process, servents to ask, and servents that misbehave.
//!
//! Nothing here judges what the client says; that is for the tests. Nothing waits for time to pass either: every wait is
//! for something that can be observed, and [`PATIENCE`] only bounds how long a failure takes.

// Each of the two test programs takes from here what it needs.
#![allow(dead_code)]

pub(crate) mod fake;
pub(crate) mod forger;
pub(crate) mod overlay;
pub(crate) mod process;
pub(crate) mod terminal;
pub(crate) mod tp3;

use std::net::{SocketAddr, TcpListener};
use std::thread;
use std::time::Duration;

use topologies::fleet::some_loopback_address;

/// How long anything may take that should happen at once: far longer than it ever takes on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(50);

/// A silence that ends a query of a test, and that an answer which the test brings at once never comes after.
pub(crate) const IN_TIME: &str = "3s";

/// An address where nobody listens, on an ip where nobody else is going to.
pub(crate) fn nobody() -> SocketAddr {
    TcpListener::bind((some_loopback_address(), 0)).unwrap().local_addr().unwrap()
}

/// Checks all of them at once, where each takes a silence.
pub(crate) fn side_by_side<Row: Send>(rows: impl IntoIterator<Item = Row>, check: impl Fn(Row) + Sync) {
    let check = &check;
    thread::scope(|scope| rows.into_iter().for_each(|row| drop(scope.spawn(move || check(row)))));
}
