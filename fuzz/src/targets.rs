//! The doors, a file for each. What two of them share is `reader`.

pub(crate) mod arguments;
pub(crate) mod blocks;
pub(crate) mod command;
pub(crate) mod data;
pub(crate) mod declared;
pub(crate) mod drawing;
pub(crate) mod escaped;
pub(crate) mod events;
pub(crate) mod exchange;
pub(crate) mod framer;
pub(crate) mod members;
pub(crate) mod native;
pub(crate) mod overlay;
pub(crate) mod session;
pub(crate) mod tp3;
mod wires;
mod words;
