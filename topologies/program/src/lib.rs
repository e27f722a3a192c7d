//! The topology program: its subcommands, but for what they share with tests of the programs, which is `topologies`.
//!
//! `runs` is `topology sim`: from its command line to a table of runs of the simulator, which is the crate `sim`. `scale`
//! makes of many such runs the charts and tables of docs/SCALE.md, and `bench` measures how fast real servents are. `events` is
//! `topology events`, which makes one order of what many servents wrote down. `drawn` makes a declaration of a shape for `topology run`
//! and `check`, `up_line` shows how far such an overlay is while it comes up, and `opening` what is told of it then.

pub mod bench;
pub mod drawn;
pub mod events;
pub mod opening;
pub mod runs;
pub mod scale;
pub mod up_line;
