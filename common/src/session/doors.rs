//! The doors of the client's mind: what is asked, what it is told, and what it wants done.
//!
//! What becomes of it is decided by the mind.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use super::ending::Ending;
use super::fetches::FetchId;
use super::files::FilesListed;
use super::greetings::GreetingEnded;
use super::listing::MembersListed;
use super::watches::WatchEnd;
use super::writes::WriteEnded;
use crate::content::search::Entry;
use crate::features::Features;
use crate::key::{Key, KeyError};
use crate::limits::{CLIENT_PENDING_MAX, SILENCE_DEFAULT};
use crate::link::LinkId;
use crate::member::Member;
use crate::message::{Message, Request};
use crate::query::{AnswerBody, Ask, Via};
use crate::servent_name::ServentName;
use crate::wire::WireError;

/// What is asked, and for how long the answers are waited for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Question {
    /// What every servent within reach is asked.
    pub ask: Ask,
    /// How long to wait after it was asked, and anew after each answer, whatever becomes of other queries. A contact that
    /// is asked much takes its time to read it, and the wait is on meanwhile.
    pub silence_max: Duration,
    /// With how many answers it ends, if not with all there are.
    pub answers_wanted: Option<u64>,
    /// How often it may be passed on, the contact's own link to this client not counted: by nobody with 0. As the contact has it,
    /// where nothing is said.
    pub ttl: Option<u8>,
}

impl Question {
    /// One that waits for as long as is usual, and for all answers there are.
    #[must_use]
    pub fn new(ask: Ask) -> Question {
        Question { ask, silence_max: SILENCE_DEFAULT, answers_wanted: None, ttl: None }
    }

    /// What it takes to understand it.
    pub(super) fn needs(&self) -> Features {
        Request { sequence: 0, ask: self.ask.clone(), ttl: self.ttl }.needs()
    }

    /// The same for the value of a key.
    ///
    /// # Errors
    ///
    /// Where no key has so many bytes, or none.
    pub fn key(key: impl AsRef<[u8]>) -> Result<Question, KeyError> {
        Key::new(key.as_ref()).map(|key| Question::new(Ask::Key(key)))
    }
}

/// As many queries are pending as there may be. This one was not asked, and nothing became of the others.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{CLIENT_PENDING_MAX} queries are pending, and that is the most")]
pub struct TooManyPending;

/// What the mind is told.
#[derive(Debug)]
pub enum Input {
    /// The link to the contact stands.
    Attached {
        /// The one that every request goes over.
        link: LinkId,
        /// Where the contact is.
        contact: SocketAddr,
    },
    /// A servent connected to the answer address.
    Accepted {
        /// One that answers may come over.
        link: LinkId,
        /// Where it came from.
        from: SocketAddr,
    },
    /// A message came.
    Received {
        /// The link it came over.
        link: LinkId,
        /// What was said.
        message: Message,
    },
    /// Bytes came that are no message.
    Malformed {
        /// The link they came over.
        link: LinkId,
        /// What is wrong with them.
        error: WireError,
    },
    /// A link is gone. Not told for links the mind itself closed.
    Closed {
        /// The link that was.
        link: LinkId,
        /// Why, for the person.
        reason: String,
    },
    /// What was wanted by [`Output::Dial`] came to a link that stands.
    Dialled {
        /// What it was wanted for.
        fetch: FetchId,
        /// The link, over our own dialect.
        link: LinkId,
    },
    /// It came to nothing.
    DialFailed {
        /// What it was wanted for.
        fetch: FetchId,
        /// Why, for the person.
        reason: String,
    },
    /// Nobody wants a query, a listing, a greeting or a watch any more, or to know what came of a write: if it is pending it
    /// ends, and what still comes for it is no surprise. A write is not taken back by that.
    Cancel {
        /// Which.
        sequence: u64,
    },
    /// [`Session::deadline`](super::Session::deadline) has come. Telling it early or twice changes nothing.
    Deadline,
}

/// What the mind wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Say this. The link may be gone by then; there is nobody to tell.
    Send {
        /// The link to say it on.
        link: LinkId,
        /// What is to be said.
        message: Message,
    },
    /// Send what is queued, then close.
    Close {
        /// The link, which is gone for the mind at once.
        link: LinkId,
    },
    /// Connect to a servent that has a value to be fetched: it speaks our own dialect. What comes of it is told by
    /// [`Input::Dialled`] or [`Input::DialFailed`], once.
    Dial {
        /// What it is wanted for.
        fetch: FetchId,
        /// Where the servent is.
        address: SocketAddr,
    },
    /// Tell the person.
    Tell(Report),
}

/// What the person is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The contact said hello: asking may begin. What is asked before is asked of nobody, and ends by silence.
    Ready,
    /// There is no servent at the contact's address, or it does not want us.
    Refused {
        /// Which of the two, and what is known of it.
        reason: String,
    },
    /// The contact is gone. Told once; each pending query goes on until its own wait is over: what is dialled or fetched does
    /// not come through the contact.
    ContactLost {
        /// How it went.
        reason: String,
    },
    /// An answer to a pending query.
    Answer {
        /// To which.
        sequence: u64,
        /// The answering servent's advertised address.
        from: SocketAddr,
        /// What the servent is called, if it says so: in its hello, where it was connected with, or else beside what came back,
        /// as far as all on the way understood that. It proves nothing.
        name: Option<ServentName>,
        /// How many links the query crossed to it, where that is told.
        hops: Option<u8>,
        /// How it came: by a servent that dialled this client (or is its contact), or back the way the query went. What was
        /// fetched was announced by what went back.
        via: Via,
        /// What it says.
        body: AnswerBody,
        /// Since the query was asked.
        elapsed: Duration,
    },
    /// An answer that came back when its query was over. Told once of each servent, like any answer.
    Late {
        /// To which.
        sequence: u64,
        /// The answering servent's advertised address.
        from: SocketAddr,
        /// What the servent is called, if that came with it.
        name: Option<ServentName>,
        /// How many links the query crossed to it.
        hops: u8,
        /// What it says.
        body: AnswerBody,
        /// Since the query was asked.
        elapsed: Duration,
    },
    /// A servent has a value that is too long to be brought, and it could not be fetched there: it is missing, unless it
    /// is announced at another address and comes from there.
    Unfetched {
        /// The value of which query.
        sequence: u64,
        /// The servent, by the address it goes by.
        from: SocketAddr,
        /// How long the value is, as that servent has it.
        bytes_count: u64,
        /// Why not, for the person.
        reason: String,
    },
    /// Something that belongs to no pending query.
    Unexpected {
        /// Who sent it.
        from: SocketAddr,
        /// What kind of message it was.
        message: &'static str,
    },
    /// More of that kind than are told one by one ([`UNEXPECTED_TOLD_MAX`](super::UNEXPECTED_TOLD_MAX)). Told just before the end of a query: one that
    /// was asked since such an end, or that leaves none pending; or of a listing, a greeting, a write or a watch while none is.
    MoreUnexpected {
        /// How many more.
        count: u64,
    },
    /// A query is over; nothing more is told of it.
    Ended {
        /// Which.
        sequence: u64,
        /// How it ended.
        ending: Ending,
    },
    /// Some of the members the contact knows: by address, and behind all that were told before.
    Members {
        /// Which listing they are a part of.
        sequence: u64,
        /// They, at least one.
        members: Vec<Member>,
    },
    /// A listing of members is over; nothing more is told of it.
    Listed {
        /// Which.
        sequence: u64,
        /// How it ended.
        listed: MembersListed,
    },
    /// It is over that a servent was to be greeted; nothing more is told of it.
    Greeted {
        /// Which.
        sequence: u64,
        /// What came of it.
        greeting: GreetingEnded,
    },
    /// Some of the files the contact shares: by name, and behind all that were told before.
    Files {
        /// Which listing they are a part of.
        sequence: u64,
        /// They, at least one.
        entries: Vec<Entry>,
    },
    /// A listing of files is over; nothing more is told of it.
    FilesListed {
        /// Which.
        sequence: u64,
        /// How it ended.
        listed: FilesListed,
    },
    /// It is over that the contact was to keep something; nothing more is told of it.
    Written {
        /// Which write.
        sequence: u64,
        /// What came of it.
        written: WriteEnded,
    },
    /// The value of a key that is watched: first what it is, and then what it has become.
    Changed {
        /// Which watch.
        sequence: u64,
        /// Nothing where the key has none.
        value: Option<Arc<[u8]>>,
    },
    /// A watch is over; nothing more is told of it.
    WatchEnded {
        /// Which.
        sequence: u64,
        /// What ended it.
        end: WatchEnd,
    },
}
