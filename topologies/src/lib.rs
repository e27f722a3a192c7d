//! Declared shapes of overlays, and what it takes to bring one to life as real processes.
//!
//! `declared` reads a `.topo` file, `expected` says what a flood over the declared graph must come to, `processes`
//! starts and ends programs, `fleet` makes servents of them, `logs` keeps what they log, `asking` runs the client, `check` compares,
//! `hint` says what can be asked. Tests of the programs stand on the same modules.
//! The flood itself is in `common`, and nothing of these shares code with it; `sim` runs that very code, without sockets, and
//! `scale` makes of many such runs the charts and tables of docs/SCALE.md.

pub mod asking;
pub mod check;
pub mod declared;
pub mod expected;
pub mod fleet;
pub mod hint;
pub mod logs;
pub mod processes;
pub mod scale;
pub mod sim;
