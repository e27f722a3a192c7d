//! What servents and clients mean, say and decide.
//!
//! Everything here is pure: no sockets, files, clocks or threads (`clippy.toml` beside this crate enforces it). The two
//! minds, [`overlay::Overlay`] of a servent and [`session::Session`] of a client, take inputs and append outputs; a
//! [`link::Link`] turns bytes into messages and back, and an [`exchange::Exchange`] has all links of one end and does what
//! a mind wants of them. The programs own the sockets, a simulator owns the time, and both run this same code.
//! ARCHITECTURE.md follows one query through it.
//!
//! A servent and a client of it, driven by hand: what one wants said the other is told.
//!
//! ```
//! use std::sync::Arc;
//!
//! use common::dialect::Dialect;
//! use common::link::LinkId;
//! use common::overlay::{self, Config, Opening, Overlay};
//! use common::query::AnswerBody;
//! use common::random::Secret;
//! use common::session::{self, EndReason, Question, Report, Session};
//! use common::store::Store;
//! use common::time::Time;
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let (now, link) = (Time::START, LinkId(1));
//! let (store, _) = Store::parse(b"coffee black\n".to_vec())?;
//! let config = Config { advertised: "10.0.0.1:9000".parse()?, ..Config::default() };
//! let mut servent = Overlay::new(&config, Arc::new(store));
//! let mut client = Session::new(Dialect::OWN, 9990, Secret::new([7; 16]));
//! let (mut of_servent, mut of_client, mut told) = (Vec::new(), Vec::new(), Vec::new());
//!
//! let opening = Opening::Accepted("10.0.0.2:5000".parse()?);
//! servent.handle(now, overlay::Input::Opened { link, opening }, &mut of_servent);
//! client.handle(now, session::Input::Attached { link, contact: "10.0.0.1:9000".parse()? }, &mut of_client);
//! while !(of_client.is_empty() && of_servent.is_empty()) {
//!     for output in std::mem::take(&mut of_client) {
//!         match output {
//!             session::Output::Send { link, message } => {
//!                 servent.handle(now, overlay::Input::Received { link, stamp: 0, message }, &mut of_servent);
//!             }
//!             session::Output::Tell(Report::Ready) => {
//!                 client.ask(now, Question::key("coffee")?, &mut of_client)?;
//!             }
//!             session::Output::Tell(report) => told.push(report),
//!             session::Output::Close { .. } | session::Output::Dial { .. } => {}
//!         }
//!     }
//!     for output in std::mem::take(&mut of_servent) {
//!         if let overlay::Output::Send { link, message } = output {
//!             client.handle(now, session::Input::Received { link, message }, &mut of_client);
//!         }
//!     }
//! }
//! let [Report::Answer { body, .. }, Report::Ended { ending, .. }] = &told[..] else { panic!("{told:?}") };
//! assert_eq!((body, ending.reason), (&AnswerBody::Value(b"black".to_vec()), EndReason::Complete));
//! # Ok(())
//! # }
//! ```

// What lies in bytes of others is asked for and not taken: an index that is not there is as bad as an `unwrap`.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(not(test), warn(clippy::string_slice))]

pub mod address;
mod clock;
pub mod content;
pub mod counted;
pub mod dialect;
pub mod disk;
pub mod event;
pub mod exchange;
pub mod features;
pub mod fetch;
pub mod key;
pub mod limits;
pub mod link;
pub mod member;
pub mod member_file;
pub mod message;
mod newcomers;
mod on_demand;
pub mod overlay;
pub mod query;
pub mod random;
pub mod rate;
pub mod recent_rate;
mod servent_id;
pub mod servent_name;
pub mod session;
pub mod store;
pub mod text;
pub mod time;
pub mod wire;
pub mod write;
pub mod written;
