//! A servent: sockets, the poller, the clock, signals and files around the mind in `common::overlay`.
//!
//! Nothing here decides anything about queries, answers or neighbors. `sockets`, `poller` and `connections` are what any
//! end of the network needs, and all there is without the feature `program`. The rest is the servent program (`program`
//! until it can be connected to, `server` from then on, which is the loop over the sources `listener`, `peers`, `signals`
//! and `disk`) and what other programs share with it, such as their log (`logging`); `cargo doc` does not show it.

pub mod connections;
pub mod poller;
pub mod sockets;

// Not below a module of their own: by these names they are in the log, and whoever chooses in `RUST_LOG` calls them so.
#[cfg(feature = "program")]
mod advertised;
#[cfg(feature = "program")]
mod data;
#[cfg(feature = "program")]
mod disk;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod interfaces;
#[cfg(feature = "program")]
mod jobs;
#[cfg(feature = "program")]
mod listener;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod log_limit;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod log_sink;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod logging;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod options;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod output;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod parent;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod patient;
#[cfg(feature = "program")]
mod pauses;
#[cfg(feature = "program")]
mod peers;
#[cfg(feature = "program")]
mod program;
#[cfg(feature = "program")]
mod same_ports;
#[cfg(feature = "program")]
mod server;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod signals;

#[cfg(feature = "program")]
#[doc(hidden)]
pub use program::main;
