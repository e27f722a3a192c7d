//! The servent program, as its neighbors, its clients, its user and its machine see it: real processes, asked and told
//! over sockets, by signals, files and the command line.
//!
//! All of it is one program, whose tests wait for each other's silences side by side. What takes the machine or the limits
//! of its process for itself is in `tests/hostile` and `tests/hostile_peers`. What a servent decides is tested in
//! `common`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod addresses;
mod called;
mod data;
mod embedded;
mod events;
mod giving;
mod lifecycle;
mod log;
mod members;
mod membership;
mod names;
mod network;
mod pace;
mod share;
mod signals;
mod store;
#[path = "../support/mod.rs"]
mod support;
mod tp3;

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::PermissionsExt;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use crate::support::{
    DataFile, Process, free_address, logged, run, serve, serve_many, serve_on, serve_tea, stderr, stdout, tea,
    wait_until,
};
use common::counted::counted;
use common::limits::KEY_BYTES_MAX;
use common::message::{Echo, Goodbye, Hello, Message, Request, Role};
use common::query::{AnswerBody, Ask, Query, Tally};
use peers::{ANSWER_PORT, AnswerPort, Heard, PATIENCE, Peer, ask, frame, query};
use rustix::process::Signal;
use tempfile::TempDir;
use topologies::asking::{self, Asked};
use topologies::fleet::{Servent, hear_signals, program};
use topologies::processes;
