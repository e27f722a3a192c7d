//! What a client tells of its queries, and by which numbers they go.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use common::query::AnswerBody;
use common::session::{Ending, Report};

use crate::untold::Told;

/// The number of a query. No other query of the same [`Client`](crate::Client) has it that is pending or was over
/// lately, and it tells nothing of the order in which they were begun.
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
        /// How many links between servents the query crossed to it, where that is told: none to the contact.
        hops: Option<u8>,
        /// A value, or a place in the topology.
        body: AnswerBody,
        /// Since the query was begun, in the [time of the client](crate::Client#time): it stands still while the caller
        /// is busy.
        elapsed: Duration,
    },
    /// A query is over: nothing more is told of it.
    Finished(Ending),
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
    /// go on until their own waits are over: answers do not come through the contact.
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
            Report::Answer { sequence, from, hops, body, elapsed } => {
                (Some(QueryNumber(sequence)), Event::Answer { from, hops, body, elapsed })
            }
            Report::Ended { sequence, ending } => (Some(QueryNumber(sequence)), Event::Finished(ending)),
            Report::Unexpected { from, message } => (None, Event::Unexpected { from, message }),
            Report::MoreUnexpected { count } => (None, Event::MoreUnexpected { count }),
            Report::ContactLost { reason } => (None, Event::ContactLost { reason }),
        })
    }
}
