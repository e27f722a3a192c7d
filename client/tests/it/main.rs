//! The client, as a person at a terminal, a script, a program that uses the library, contacts and servents see it.
//!
//! All of it is one program, whose tests wait for each other's silences side by side. What takes the machine or the limits
//! of its process for itself is in `tests/hostile`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod again;
mod contact;
mod examples;
mod history;
mod library;
mod patience;
mod script;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
mod tp3;
