//! `topology sim`: runs of the simulator, from a command line to what is printed of them.
//!
//! `options` is the command line, `batch` runs many plans at once, `report` tells what came of them, `shrink` makes a
//! failing one small and `story` writes it down; `runner` is all of that together. `chart` draws what many reports say
//! together. What a plan means and what must come of it is the simulator's.

pub mod batch;
pub mod chart;
pub mod options;
pub mod report;
pub mod runner;
pub mod shrink;
pub mod story;
