//! A servent: sockets, the poller, the clock, signals and files around the mind in `common::overlay`.
//!
//! One can be had in a process of one's own, such as a test:
//!
//! ```
//! # #[cfg(feature = "program")]
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! use servent::{EmbeddedServent, Options};
//!
//! let servent = EmbeddedServent::start(&Options::of(["127.0.0.1:0", "-"])?)?;
//! let (address, controls) = (servent.address(), servent.controls()?);
//! let served = std::thread::spawn(|| servent.run());
//! assert!(std::net::TcpStream::connect(address).is_ok());
//! controls.leave();
//! served.join().expect("it does not panic")?;
//! # Ok(())
//! # }
//! # #[cfg(not(feature = "program"))]
//! # fn main() {}
//! ```
//!
//! Nothing here decides anything about queries, answers or neighbors. `sockets`, `poller` and `connections` are what any
//! end of the network needs, and all there is without the feature `program`. The rest is the servent program (`program`
//! until it can be connected to, `server` from then on, which is the loop over the sources `listener`, `peers`, `signals`
//! and `disk`) and what other programs share with it, such as their log (`logging`); `cargo doc` does not show it.

// What lies in bytes of others is asked for and not taken: an index that is not there is as bad as an `unwrap`.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(not(test), warn(clippy::string_slice))]

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
mod embedded;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod events_file;
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
mod members_file;
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
mod same_file;
#[cfg(feature = "program")]
mod same_ports;
#[cfg(feature = "program")]
mod server;
#[cfg(feature = "program")]
mod share;
#[cfg(feature = "program")]
#[doc(hidden)]
pub mod signals;
#[cfg(feature = "program")]
mod start;
#[cfg(feature = "program")]
mod store_file;

#[cfg(feature = "program")]
pub use embedded::{Controls, EmbeddedServent};
#[cfg(feature = "program")]
pub use options::Options;
#[cfg(feature = "program")]
#[doc(hidden)]
pub use program::main;
