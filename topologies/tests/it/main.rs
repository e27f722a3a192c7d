//! Declared overlays brought to life as real servents: when one counts as linked, and what it answers.
//!
//! What the program `topology` makes of them is tested in `topologies/program/tests`.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod linked;
mod random;
