//! An overlay as a query for the topology found it, and the forms it is drawn in.
//!
//! `discovery` gathers what servents tell of their places and `overlay` makes one graph of it, with what is doubtful marked;
//! `figures` counts. Everything that draws takes that graph alone, and the same graph gives the same bytes. It asks nobody, reads
//! no terminal and writes no file: that is for whoever uses it.

// What is drawn comes from strangers: an index that is not there is as bad as an `unwrap`.
#![warn(clippy::indexing_slicing)]

mod discovery;
mod dot;
mod figures;
mod hops;
mod label;
mod marks;
mod mermaid;
mod overlay;
mod shown;
mod style;
mod svg;
mod terminal;
mod tree;
mod width;

pub use discovery::{ADDRESSES_TOLD_MAX, Discovery, PLACES_MAX};
pub use dot::dot;
pub use figures::{Degrees, OverlayFigures};
pub use mermaid::mermaid;
pub use overlay::{DrawnLink, DrawnOverlay, DrawnServent, HEARD_OF_MAX, HEARD_OF_PER_SERVENT_MAX, LinkWitness, Since};
pub use style::TerminalStyle;
pub use svg::{SinceWords, svg, svg_compared};
pub use terminal::drawn;
pub use tree::tree;
