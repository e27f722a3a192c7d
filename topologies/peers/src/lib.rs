//! Peers made by hand, for tests of the programs: they say what they are told, whole or byte by byte, and hear what the
//! program says. In our own dialect they are a [`Peer`], in the other they share no code with the programs ([`tp3`]).
//!
//! A peer decides nothing: it does not flood, echo or answer. Nothing here sleeps; [`PATIENCE`] bounds every wait, so
//! that what never comes fails a test instead of hanging it. Programs are started by `topologies`.

// Only tests use it.
#![allow(clippy::expect_used, clippy::panic, clippy::unwrap_used)]
// What a test reads as a sentence is its own description.
#![allow(missing_docs)]

mod answer_port;
mod attack;
mod dark;
mod native;
pub mod tp3;
mod witness;

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, TcpListener};
use std::sync::Mutex;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

pub use answer_port::AnswerPort;
pub use attack::{Attack, Honest};
pub use dark::may_swallow;
pub use native::{Heard, Peer, ask, frame, query};
pub use witness::{Witness, have_greeted, members_told_by};

/// The longest anything may take: long after every limit of the servent that a test waits for, on a machine with much
/// else to do, and before [`common::limits::ANSWER_IDLE_MAX`], for which none waits.
pub const PATIENCE: Duration = Duration::from_secs(50);

/// The receive buffer of those that do not read: the less the system takes in for them, the sooner the servent is
/// left with the rest.
pub(crate) const SMALL_BUFFER_BYTES: usize = 4 * 1024;

/// A port nobody listens on, for clients whose answers all come over the link to their contact.
pub const ANSWER_PORT: u16 = 9;

/// A number no other peer of this process uses.
pub(crate) fn unique() -> u64 {
    static NEXT: AtomicU64 = AtomicU64::new(1);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Listens on a port of 127.0.0.1 that nobody in this process had before: what is still on its way to somebody who has left
/// comes to nobody else.
pub(crate) fn listen_anew() -> TcpListener {
    static TAKEN: Mutex<BTreeSet<u16>> = Mutex::new(BTreeSet::new());
    // Those that somebody had are kept until there is another, so that the system names others.
    let mut had = Vec::new();
    loop {
        let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
        if TAKEN.lock().unwrap().insert(listener.local_addr().unwrap().port()) {
            return listener;
        }
        had.push(listener);
    }
}
