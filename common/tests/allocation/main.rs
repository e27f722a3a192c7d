//! How much memory bytes from strangers can cost, and bytes that ask for too much.
//!
//! It measures a link and the decoding inside it, an idle servent's mind and a client's; what the minds keep of what they
//! are told has limits of its own.
//! It is a test binary of its own because a program has one allocator, and this one counts.

// Clippy takes only the bodies of tests for tests, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod client;
mod data;
mod exchange;
mod links;
mod servent;
#[path = "../support/mod.rs"]
mod support;

use std::net::SocketAddr;

use crate::support::frames::frame;
use common::dialect::Dialect;
use common::link::{Link, LinkId, SendError};
use common::message::{Hello, Message, Request, Role, ServentId};
use common::overlay::Output;
use common::query::Ask;
use common::store::Store;
use common::time::Time;
use common::wire::{PREFACE, WireError};
use counting_allocator::{cost_of, held};

/// What small things around the measured one may take: the words of an error, the names of its parts.
const SLACK_BYTES: usize = 4 * 1024;
/// What a link keeps of a buffer that is empty, one for each direction.
const IDLE_LINK_BYTES_MAX: usize = 2 * 256;
/// As much as a program takes from a socket at once.
const SEGMENT_BYTES: usize = 64 * 1024;

/// What is held now beyond what was held before.
fn kept_since(before: isize) -> usize {
    usize::try_from(held() - before).unwrap_or(0)
}

/// How many messages a link makes of bytes that arrive together. They are dropped one by one, as a program does it.
fn heard_by(link: &mut Link, bytes: &[u8]) -> Result<usize, WireError> {
    link.receive(bytes);
    let mut heard = 0;
    while link.next_message()?.is_some() {
        heard += 1;
    }
    Ok(heard)
}
