//! The program `topology`, as a person, a script or a pipe meets it, and what its library makes of runs of the simulator.
//!
//! All of it is one program. What ends others at a moment of its own (`endings.rs`), measures (`bench`) or takes every core
//! for long (`seeds.rs`) is not in it, and neither is what is about the whole repository, which people run by itself
//! (`documents.rs`, `imports.rs`).

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod checks;
mod events;
mod files;
mod lines;
mod logs;
mod make;
mod patience;
mod scale;
mod seeing;
mod shapes;
mod sim;
mod sim_failure;
mod stories;
#[path = "../support/mod.rs"]
mod support;
#[path = "../../../../common/tests/support/told.rs"]
mod told;
mod writes;
