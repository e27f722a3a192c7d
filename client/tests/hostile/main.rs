//! A client that is flooded, has as many connections as it takes and one more, or asks where somebody forges.
//!
//! They are a program of their own because they take the machine for themselves, and one of them thousands of descriptors of
//! its process: beside them whoever waits for something else would wait much longer.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod crowd;
mod flood;
mod forged;
#[path = "../support/mod.rs"]
mod support;
