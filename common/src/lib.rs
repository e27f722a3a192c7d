//! What servents and clients mean, say and decide.
//!
//! Everything here is pure: no sockets, files, clocks or threads (`clippy.toml` beside this crate enforces it). The two
//! minds, [`overlay::Overlay`] of a servent and [`session::Session`] of a client, take inputs and append outputs; a
//! [`link::Link`] turns bytes into messages and back, and an [`exchange::Exchange`] has all links of one end and does what
//! a mind wants of them. The programs own the sockets, a simulator owns the time, and both run this same code.
//! ARCHITECTURE.md follows one query through it.

pub mod address;
pub mod counted;
pub mod dialect;
pub mod disk;
pub mod exchange;
pub mod features;
pub mod key;
pub mod limits;
pub mod link;
pub mod message;
mod newcomers;
mod on_demand;
pub mod overlay;
pub mod query;
mod random;
pub mod rate;
pub mod session;
pub mod store;
pub mod text;
pub mod time;
pub mod wire;
