//! TP3 made by hand: neighbors, nodes and clients whose every byte is written and read here, from the description of
//! that dialect alone.
//!
//! It shares no code with the programs' own wire, so that the two cannot be wrong in the same way. It decides nothing:
//! it does not flood, discard or answer. Nothing here sleeps; [`PATIENCE`] bounds every wait.

mod clients;
mod node;
mod wire;
mod words;

use std::net::TcpListener;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use socket2::SockRef;

use crate::PATIENCE;

pub use clients::{Answer, Answers, Client, ClosedPort, DarkPort, attach, v4};
pub use node::Node;
pub use wire::Wire;
pub use words::{Flood, Kind, id, keyreq, resp, shortened, toporeq};

/// The longest text there is.
pub const TEXT_BYTES_MAX: usize = 400;

/// A sequence nobody else in this process uses.
pub fn unique() -> u32 {
    static NEXT: AtomicU32 = AtomicU32::new(1_000_000);
    NEXT.fetch_add(1, Ordering::Relaxed)
}

/// Who accepts there waits, and not for ever.
fn waiting(listener: TcpListener) -> TcpListener {
    bound_waits(&listener, PATIENCE);
    listener
}

/// On a listener a read timeout bounds how long an accept waits.
fn bound_waits(listener: &TcpListener, wait: Duration) {
    SockRef::from(listener).set_read_timeout(Some(wait)).unwrap();
}
