//! The servent program, as its neighbors, its clients, its user and its machine see it: real processes, asked and told
//! over sockets, by signals, files and the command line.
//!
//! All of it is one program, whose tests wait for each other's silences side by side. What takes the machine or the limits
//! of its process for itself is in `tests/hostile` and `tests/hostile_peers.rs`. What a servent decides is tested in
//! `common`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod addresses;
mod data;
mod embedded;
mod lifecycle;
mod log;
mod names;
mod network;
mod pace;
mod signals;
#[path = "../support/mod.rs"]
mod support;
mod tp3;
