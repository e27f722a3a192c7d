//! The pure core as whoever uses it sees it: each rule and limit at the door where it holds, in one program.
//!
//! What must have a process to itself is beside it: `tests/allocation`, whose allocator counts, and `query_log.rs`, which
//! reads the log. Whole overlays are told in `stories.rs`.

// Clippy takes only the bodies of tests for tests, not what they share.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod exchange;
mod link;
mod memory;
mod mixed;
mod overlay;
mod session;
#[path = "../support/mod.rs"]
mod support;
mod tp3;
mod wire;
