//! A client: asks an overlay of servents through one of them, its contact, and takes what they answer.
//!
//! ```no_run
//! use client::{AnswerBody, Client, Event};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect("127.0.0.1:9000")?;
//! for event in client.ask("coffee")? {
//!     match event? {
//!         // A value is whatever bytes somebody holds: not all of them are fit for a terminal.
//!         Event::Answer { from, body: AnswerBody::Value(value), .. } => println!("{from}: {}", value.escape_ascii()),
//!         Event::Finished(ending) => println!("{} answers: {}", ending.answers, ending.reason.word()),
//!         other => println!("{other:?}"),
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Answers come straight from each servent where it can connect to this machine, and back by way of the contact where it
//! cannot; [`Client::connect_without_port`] opens no port for the first, and has them all come back.
//!
//! [`Client::members`] asks the contact alone which servents it has heard of, and [`Client::greet`] has it look for one more. [`Client::topology`] asks every servent for its
//! place instead of a value, and [`Client::events`] takes a [`Question`] with a wait
//! of its own. Who wants many queries pending at once begins them ([`Client::begin`], [`Client::begin_each`]) and takes
//! what comes of all of them ([`Client::next_event`]). A contact has some 256 of all its clients under way at once: who
//! begins many more than that gives them a longer wait, or keeps fewer pending. There is no thread and no runtime in it, and it prints nothing; what
//! goes wrong with strangers is in the log (the crate `log`).
//!
//! What the contact holds can be changed, and be watched for changes:
//!
//! ```no_run
//! use client::{Client, Event, WriteEnd, WriteOutcome};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect("127.0.0.1:9000")?;
//! for event in client.put("tea", "green, 80 °C")? {
//!     let Event::Written(written) = event? else { continue };
//!     match written.end {
//!         // It is on the contact's disk, and what others are answered from now on.
//!         WriteEnd::Told(WriteOutcome::Stored | WriteOutcome::Replaced) => println!("stored"),
//!         WriteEnd::Told(outcome) => println!("not stored: {}", outcome.word()),
//!         end if end.is_unknown() => println!("unknown: it may be stored"),
//!         end => println!("not asked: {}", end.word()),
//!     }
//! }
//! // It goes on until the contact is lost, or the iterator is dropped.
//! for event in client.watch("kernel")? {
//!     if let Event::Changed { value } = event? {
//!         println!("{}", value.map_or("no such key".to_owned(), |value| value.escape_ascii().to_string()));
//!     }
//! }
//! # Ok(())
//! # }
//! ```
//!
//! Who has a loop polls the client, which is readable when there is something to do, or its deadline has come:
//!
//! ```no_run
//! use client::{Client, Question};
//! use rustix::event::{PollFd, PollFlags, Timespec, poll};
//!
//! # fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let mut client = Client::connect("127.0.0.1:9000")?;
//! for key in ["coffee", "tea"] {
//!     client.begin(Question::key(key)?)?;
//! }
//! loop {
//!     while client.ready()? {
//!         while let Some((query, event)) = client.take_event() {
//!             println!("{query:?}: {event:?}");
//!         }
//!     }
//!     if client.pending_count() == 0 {
//!         break;
//!     }
//!     // Here whatever else the loop is for is waited for as well.
//!     let wait = client.deadline().map(|deadline| deadline.saturating_duration_since(std::time::Instant::now()));
//!     let wait = wait.map(Timespec::try_from).transpose()?;
//!     poll(&mut [PollFd::new(&client, PollFlags::IN)], wait.as_ref())?;
//! }
//! # Ok(())
//! # }
//! ```

// What lies in bytes of others is asked for and not taken: an index that is not there is as bad as an `unwrap`.
#![warn(clippy::indexing_slicing)]
#![cfg_attr(not(test), warn(clippy::string_slice))]

// What a query means and when it is over is decided in `common::session`. Here are the sockets (`network`), a limit on what
// waits to be told (`untold`), and the types a user sees. The program is a feature that may be turned off.

mod client;
mod download;
mod error;
mod event;
mod events;
mod network;
mod scratch;
mod untold;

pub use client::Client;
pub use common::content::ContentHash;
pub use common::content::search::{Entries, Entry, FileName, FileNameError};
pub use common::content::search::{HashStart, HashStartError, Words, WordsError};
pub use common::content::transfer::Have;
pub use common::fetch::{BlockSource, FetchEnd, FetchEnded, FetchProgress, HolderNews, SourceRun, WhyDropped};
pub use common::key::Key;
pub use common::member::{GreetOutcome, Greeted, How, Linkage, Member, Seen, Word, WordAt};
pub use common::query::{AnswerBody, Ask, Path, Tally, Via};
pub use common::servent_name::ServentName;
pub use common::session::{EndReason, Ending, Question};
pub use common::session::{FilesListed, GreetEnd, GreetingEnded, ListingEnd, MembersListed};
pub use common::session::{WatchEnd, WriteEnd, WriteEnded};
pub use common::write::{Change, WriteOutcome, WriteRefusal};
pub use download::is_download_begun;
pub use download::{Download, DownloadEnded, DownloadError, DownloadEvent, DownloadLeft, DownloadOptions, FileError};
pub use error::{AskError, ClientError, ConnectError};
pub use event::{Event, QueryNumber};
pub use events::Events;
pub use scratch::replace_file;

#[cfg(feature = "program")]
#[doc(hidden)]
pub mod program;
#[cfg(feature = "program")]
#[doc(hidden)]
pub use program::main;
