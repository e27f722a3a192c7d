//! The topology program: its subcommands, but for what they share with tests of the programs, which is `topologies`.
//!
//! `runs` is `topology sim`: from its command line to a table of runs of the simulator, which is the crate `sim`. `scale`
//! makes of many such runs the charts and tables of docs/SCALE.md, and `bench` measures how fast real servents are. `events` is
//! `topology events`, which makes one order of what many servents wrote down.

pub mod bench;
pub mod events;
pub mod runs;
pub mod scale;
