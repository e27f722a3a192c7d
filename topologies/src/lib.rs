//! Declared shapes of overlays, and what it takes to bring one to life as real processes.
//!
//! `declared` reads a `.topo` file, `expected` says what a flood over the declared graph must come to (by the crate `oracle`), `reach` how far a query goes, `processes`
//! starts and ends programs, `fleet` makes servents of them, `logs` keeps what they log, `asking` asks, `check` compares,
//! `hint` says what can be asked. Tests of the programs stand on the same modules.
//! The flood itself is in `common`, and nothing of these shares code with it. The simulator and the program `topology` are crates
//! of their own, in folders below this one's, so that whoever tests a program compiles neither.
//!
//! A fleet for a test: the programs have to be built (`cargo build --workspace`), and are looked for beside the test's own.
//!
//! ```no_run
//! use std::path::Path;
//!
//! use topologies::declared::Topology;
//! use topologies::fleet::{Fleet, some_loopback_address};
//!
//! # fn main() -> anyhow::Result<()> {
//! let pair = "servent 9001 - 127.0.0.1:9002\nservent 9002 -\n";
//! let pair = Topology::parse("pair", pair, Path::new("."))?.moved_to(some_loopback_address());
//! let fleet = Fleet::start(&pair)?; // both listen, and are linked
//! assert_eq!(fleet.servents.len(), 2);
//! fleet.end()?;
//! # Ok(())
//! # }
//! ```

pub mod asking;
pub mod check;
pub mod declared;
pub mod expected;
pub mod fleet;
pub mod hint;
pub mod logs;
pub mod processes;
pub mod reach;
