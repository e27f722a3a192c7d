//! What the tests of the client share: the program as a process, servents to ask, and servents that misbehave.
//!
//! Nothing here judges what the client says; that is for the tests. Nothing waits for time to pass either: every wait is
//! for something that can be observed, and [`PATIENCE`] only bounds how long a failure takes.

// Each test crate takes from here what it needs.
#![allow(dead_code)]

pub(crate) mod fake;
pub(crate) mod overlay;
pub(crate) mod process;
pub(crate) mod terminal;

use std::time::Duration;

/// How long anything may take that should happen at once: far longer than it ever takes on a machine that is busy.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);
