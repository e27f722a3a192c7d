//! What the tests of the client share: the program as a process, servents to ask, and servents that misbehave.
//!
//! Nothing here judges what the client says; that is for the tests. Nothing waits for time to pass either: every wait is
//! for something that can be observed, and [`peers::PATIENCE`] only bounds how long a failure takes.

// Each of the two test programs takes from here what it needs.
#![allow(dead_code)]

pub(crate) mod fake;
pub(crate) mod forger;
pub(crate) mod holder;
pub(crate) mod hosts;
pub(crate) mod overlay;
pub(crate) mod process;
pub(crate) mod relay;
pub(crate) mod shared;
pub(crate) mod terminal;
pub(crate) mod tp3;

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Instant;

use peers::PATIENCE;
use rustix::net::{AddressFamily, SocketType, bind, getsockname, socket};
use topologies::fleet::some_loopback_address;

/// A silence that ends a query of a test, and that an answer which the test brings at once never comes after.
pub(crate) const IN_TIME: &str = "3s";

/// An address of this machine at which nobody listens, nor will: the port is taken for as long as this process lives.
pub(crate) fn nobody() -> SocketAddr {
    let taken = socket(AddressFamily::INET, SocketType::STREAM, None).unwrap();
    bind(&taken, &SocketAddr::from((some_loopback_address(), 0))).unwrap();
    let address = getsockname(&taken).unwrap().try_into().unwrap();
    std::mem::forget(taken);
    address
}

/// A port that a client may be told to hear answers on: nobody listens there now, nor is given it unasked, by the system or by
/// a client, nor has it been given to anybody else in this process.
pub(crate) fn unused_port() -> u16 {
    static NEXT: AtomicU16 = AtomicU16::new(0);
    let start = 5_000 + u16::try_from(std::process::id() % 2_000).unwrap();
    let mut ports = (0..2_000).map(|_| start + NEXT.fetch_add(1, Ordering::Relaxed) % 2_000);
    ports.find(|port| TcpListener::bind(("127.0.0.1", *port)).is_ok()).expect("two thousand ports are taken")
}

/// A free port, and whoever connects to it.
fn listen() -> (SocketAddr, Receiver<TcpStream>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (sender, accepted) = channel();
    thread::spawn(move || {
        while let Ok((stream, _)) = listener.accept() {
            if sender.send(stream).is_err() {
                return;
            }
        }
    });
    (address, accepted)
}

/// Waits until this is so: it is looked at again and again.
pub(crate) fn wait_until(what: &str, mut is_so: impl FnMut() -> bool) {
    let until = Instant::now() + PATIENCE;
    while !is_so() {
        assert!(Instant::now() < until, "waited in vain until {what}");
        thread::yield_now();
    }
}

/// Checks all of them at once, where each takes a silence.
pub(crate) fn side_by_side<Row: Send>(rows: impl IntoIterator<Item = Row>, check: impl Fn(Row) + Sync) {
    let check = &check;
    thread::scope(|scope| rows.into_iter().for_each(|row| drop(scope.spawn(move || check(row)))));
}
