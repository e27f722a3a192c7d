//! Crowds, darkness, and data rewritten without end: what is done to a servent by those who mean harm, or have more than
//! others. What docs/TESTING.md tells with figures.
//!
//! They are a program of their own because they take much of the machine, and tens of thousands of descriptors of their
//! process: beside them whoever waits for something else would wait much longer. Neighbors and clients that flood are in
//! `hostile_peers`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod crowds;
mod load;
mod silence;
#[path = "../support/mod.rs"]
mod support;

use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::{Duration, Instant};

use crate::support::{DataFile, Process, logged, tea, wait_until};
use common::message::{Message, Role};
use peers::{ANSWER_PORT, AnswerPort, PATIENCE, Peer, ask};
use rustix::process::Signal;
use servent::sockets::raise_descriptor_limit;

/// Of the tests of this process one needs nearly all descriptors there are, and others some thousands: those at the same
/// time, and that one by itself.
static DESCRIPTORS: RwLock<()> = RwLock::new(());
