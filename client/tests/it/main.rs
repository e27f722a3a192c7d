//! The client, as a person at a terminal, a script, a program that uses the library, contacts and servents see it.
//!
//! All of it is one program, whose tests wait for each other's silences side by side. What takes the machine or the limits
//! of its process for itself is in `tests/hostile`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod again;
mod back;
mod bad_days;
mod contact;
mod content;
mod examples;
mod hello;
mod history;
mod hosts;
mod library;
mod members;
mod patience;
mod script;
#[path = "../support/mod.rs"]
mod support;
mod terminal;
mod topology;
mod tp3;
mod writes;

use std::collections::BTreeSet;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::os::fd::AsFd;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::time::Instant;

use crate::support::fake::{Fake, Peer, tally};
use crate::support::overlay::Chain;
use crate::support::process::{Client, Run, milliseconds, picked, prepared, quiet};
use crate::support::terminal::{Terminal, XTERM};
use crate::support::{IN_TIME, nobody, side_by_side, unused_port, wait_until};
use client::program::command::HELP;
use common::key::Key;
use common::limits::KEY_BYTES_MAX;
use common::query::{Ask, Tally};
use peers::PATIENCE;
use rustix::process::Signal;
use serde_json::json;
use tempfile::TempDir;

/// What is said of a line that is longer than any may be.
const TOO_LONG: &str =
    "client: the line is too long, 65,536 bytes are the most: a longer value is put from a file, put KEY @FILE\n";
