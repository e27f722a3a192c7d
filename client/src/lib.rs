//! A client: asks a contact, and takes what servents answer.
//!
//! What a query means and when it is over is decided in `common::session`; here are the sockets (`network`) and a limit on
//! what waits to be told (`reports`). What a person sees of it is the `program`, a feature that may be turned off and
//! that `cargo doc` does not show.

#[cfg_attr(not(feature = "program"), expect(dead_code, reason = "the program is its only user"))]
mod network;
mod reports;

#[cfg(feature = "program")]
#[doc(hidden)]
pub mod program;
#[cfg(feature = "program")]
#[doc(hidden)]
pub use program::main;
