//! What a client tells of its queries, and by which numbers they go.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::content::search::Entry;
use common::member::Member;
use common::query::{AnswerBody, Via};
use common::servent_name::ServentName;
use common::session::{Ending, FilesListed, GreetingEnded, MembersListed, Report, WatchEnd, WriteEnded};

use crate::untold::Told;

/// The number of a query, of a listing, of a greeting, of a write, or of a watch. No other of the same [`Client`](crate::Client) has it that is
/// pending or was over lately, and it tells nothing of the order in which they were begun.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct QueryNumber(pub(crate) u64);

/// As servents write it in their logs, before the address where the answers are heard.
impl fmt::Display for QueryNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08x}", self.0)
    }
}

/// The same: whoever looks for it in a log is to find it.
impl fmt::Debug for QueryNumber {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// Something a client tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Event {
    /// A servent answered a query.
    Answer {
        /// The servent, by the address it goes by.
        from: SocketAddr,
        /// What it is called, if it says so. Anybody may go by any name: it proves nothing, and it may hold whatever a terminal
        /// would obey, so it is to be shown as its `Display` does.
        name: Option<ServentName>,
        /// How many links between servents the query crossed to it, where that is told: none to the contact.
        hops: Option<u8>,
        /// How it came: straight from the servent, or back the way the query went. A value that is too long for that is
        /// announced there and fetched from its servent, which is told as [`Via::Back`] too.
        via: Via,
        /// A value, a place in the topology, or contents that were found.
        body: AnswerBody,
        /// Since the query was begun, in the [time of the client](crate::Client#time): it stands still while the caller
        /// is busy.
        elapsed: Duration,
    },
    /// An answer that came back when its query was over, be it one that ended because something of it was lost. Nobody's
    /// answer is told twice. [`Events`](crate::Events) are of what comes until their query is over: whoever wants these too
    /// takes them with [`Client::next_event`](crate::Client::next_event) or
    /// [`Client::take_event`](crate::Client::take_event). Of those that nobody takes the last 256 are kept.
    Late {
        /// The servent, by the address it goes by.
        from: SocketAddr,
        /// What it is called, if it says so.
        name: Option<ServentName>,
        /// How many links between servents the query crossed to it.
        hops: u8,
        /// A value, a place in the topology, or contents that were found.
        body: AnswerBody,
        /// Since the query was begun, in the [time of the client](crate::Client#time).
        elapsed: Duration,
    },
    /// A servent has a value that is too long to be brought back, and it could not be fetched there: it is among the answers
    /// that are missing, unless it is announced at another address and comes from there.
    Unfetched {
        /// The servent, by the address it goes by.
        from: SocketAddr,
        /// How long the value is, as that servent has it.
        bytes_count: u64,
        /// Why not.
        reason: String,
    },
    /// A query is over: nothing more is told of it but what is [late](Event::Late).
    Finished(Ending),
    /// Some of the members the contact knows, at least one: by address, and behind all that were told before.
    Members(Vec<Member>),
    /// A listing of members is over: nothing more is told of it.
    Listed(MembersListed),
    /// It is over that a servent was to be greeted: nothing more is told of it.
    Greeted(GreetingEnded),
    /// Some of the files the contact shares, at least one: by name, and behind all that were told before.
    Files(Vec<Entry>),
    /// A listing of files is over: nothing more is told of it.
    FilesListed(FilesListed),
    /// It is over that the contact was to keep something: nothing more is told of it.
    Written(WriteEnded),
    /// The value of a key that is watched: first what it is, and then whatever it becomes. Of several changes that come
    /// together the last is told.
    Changed {
        /// Nothing where the contact has none.
        value: Option<Arc<[u8]>>,
    },
    /// A watch is over: nothing more is told of it.
    WatchEnded(WatchEnd),
    /// Somebody sent what belongs to no pending query. A few of them are told one by one, the others are counted.
    Unexpected {
        /// Who sent it.
        from: SocketAddr,
        /// What kind of message it was.
        message: &'static str,
    },
    /// More came that belongs to no pending query, and was not told one by one.
    MoreUnexpected {
        /// How many more.
        count: u64,
    },
    /// The contact is gone, and nothing can be asked until [`Client::reconnect`](crate::Client::reconnect). Pending queries
    /// go on until their own waits are over: not all answers come through the contact.
    ContactLost {
        /// How it went.
        reason: String,
    },
    /// This machine can take no more connections, mostly because this process may open no more files. What servents
    /// that are not connected yet have to answer does not come, until [`Client::begin`](crate::Client::begin) is called
    /// next, for whatever query.
    NotListening {
        /// What the system says.
        reason: String,
    },
}

/// What becomes of a report of the mind.
pub(crate) enum Spoken {
    /// The contact said hello, or why there is none.
    Hello(Result<(), String>),
    Told(Told),
}

impl From<Report> for Spoken {
    fn from(report: Report) -> Spoken {
        Spoken::Told(match report {
            Report::Ready => return Spoken::Hello(Ok(())),
            Report::Refused { reason } => return Spoken::Hello(Err(reason)),
            Report::Answer { sequence, from, name, hops, via, body, elapsed } => {
                (Some(QueryNumber(sequence)), Event::Answer { from, name, hops, via, body, elapsed })
            }
            Report::Late { sequence, from, name, hops, body, elapsed } => {
                (Some(QueryNumber(sequence)), Event::Late { from, name, hops, body, elapsed })
            }
            Report::Unfetched { sequence, from, bytes_count, reason } => {
                (Some(QueryNumber(sequence)), Event::Unfetched { from, bytes_count, reason })
            }
            Report::Ended { sequence, ending } => (Some(QueryNumber(sequence)), Event::Finished(ending)),
            Report::Members { sequence, members } => (Some(QueryNumber(sequence)), Event::Members(members)),
            Report::Listed { sequence, listed } => (Some(QueryNumber(sequence)), Event::Listed(listed)),
            Report::Greeted { sequence, greeting } => (Some(QueryNumber(sequence)), Event::Greeted(greeting)),
            Report::Files { sequence, entries } => (Some(QueryNumber(sequence)), Event::Files(entries)),
            Report::FilesListed { sequence, listed } => (Some(QueryNumber(sequence)), Event::FilesListed(listed)),
            Report::Written { sequence, written } => (Some(QueryNumber(sequence)), Event::Written(written)),
            Report::Changed { sequence, value } => (Some(QueryNumber(sequence)), Event::Changed { value }),
            Report::WatchEnded { sequence, end } => (Some(QueryNumber(sequence)), Event::WatchEnded(end)),
            Report::Unexpected { from, message } => (None, Event::Unexpected { from, message }),
            Report::MoreUnexpected { count } => (None, Event::MoreUnexpected { count }),
            Report::ContactLost { reason } => (None, Event::ContactLost { reason }),
        })
    }
}
