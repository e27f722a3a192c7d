//! What is drawn of overlays, as whoever looks at it or reads it with a program of their own meets it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, clippy::indexing_slicing)]

mod forms;
mod overlays;
mod programs;
mod svg;
