//! A client: asks a contact, and takes what servents answer.
//!
//! What a query means and when it is over is decided in `common::session`; here are the sockets (`network`) and a limit on
//! what waits to be told (`reports`). What a person sees of it is the `program`.

mod network;
pub mod program;
mod reports;

pub use program::main;
