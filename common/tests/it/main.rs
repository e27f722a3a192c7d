//! The pure core as whoever uses it sees it: each rule and limit at the door where it holds, in one program.
//!
//! What must have a process to itself is beside it: `tests/allocation`, whose allocator counts, and `query_log.rs`, which
//! reads the log. Whole overlays are told in `stories.rs`.

// Clippy takes only the bodies of tests for tests, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod block_hashes;
mod content;
mod exchange;
mod fetch;
mod link;
mod memory;
mod mixed;
mod overlay;
mod session;
#[path = "../support/mod.rs"]
mod support;
mod tp3;
mod wire;

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use crate::support::frames::{bytes, frame, frame_at, heard_by, new_link, stranger};
use crate::support::mind::*;
use common::address::AnswerAddress;
use common::dialect::Dialect;
use common::key::Key;
use common::limits::*;
use common::link::{Link, LinkId, Purpose, SendError};
use common::message::{Echo, Finished, Goodbye, Hello, Message, Request, Role, ServentId};
use common::overlay::{Config, Dial, Input, Opening, Output};
use common::query::{Answer, AnswerBody, Ask, AskHash, Path, Query, QueryId, Tally, Via};
use common::time::Time;
use common::wire::{Accepts, Frame, PREFACE, Position, WireError};
use proptest::prelude::*;
