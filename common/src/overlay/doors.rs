//! What goes in and out of the servent's mind: all that a shell tells it, and all that it wants of a shell.
//!
//! It decides nothing: what is done about an input is the corridor's, and how an output is performed is the shell's.

use std::net::SocketAddr;
use std::sync::Arc;

use super::errand::Errand;
use crate::dialect::Dialect;
use crate::disk::{Job, JobDone};
use crate::event::LoggedEvent;
use crate::link::LinkId;
use crate::message::{Goodbye, Message};
use crate::query::Query;
use crate::wire::WireError;

/// What the mind is told.
#[derive(Debug)]
pub enum Input {
    /// A link stands.
    Opened {
        /// The new link.
        link: LinkId,
        /// What it came from.
        opening: Opening,
    },
    /// A dial came to nothing.
    DialFailed {
        /// The one that was wanted.
        dial: Dial,
        /// Whether somebody is there, but nobody listens.
        refused: bool,
        /// Why, for the log.
        reason: String,
    },
    /// A message came.
    Received {
        /// The link it came over.
        link: LinkId,
        /// What the speaker's clock showed; 0 from who has none.
        stamp: u64,
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
        /// Why, for the log.
        reason: String,
    },
    /// An answer was to go back over a link on which too much is unsent, or something was to be told there that is told anew,
    /// and it was dropped.
    NotBrought {
        /// The link, which stands.
        link: LinkId,
        /// What was not said.
        message: Message,
    },
    /// [`Overlay::deadline`](super::Overlay::deadline) has come. Telling it early or twice changes nothing.
    Deadline,
    /// The operator wants the data read again.
    Reload,
    /// This came of a job of [`Output::Disk`].
    Disk(JobDone),
    /// What was read for a fetch by a job of the mind's is there, and waits for its client to take what was before it.
    Giving {
        /// The link it goes over.
        link: LinkId,
        /// The client's number of the fetch.
        fetch: u32,
    },
    /// Of what was given for a fetch something is not sent yet, and its client takes some of that, or of what is before it. Told
    /// now and then while that is so.
    Drained {
        /// The link it goes over.
        link: LinkId,
        /// The client's number of the fetch.
        fetch: u32,
    },
    /// All that was read for a fetch by a job of the mind's is queued to be sent.
    Given {
        /// The link it goes over.
        link: LinkId,
        /// The client's number of the fetch.
        fetch: u32,
    },
    /// The servent is to stop: say goodbye to everybody.
    Leave,
}

/// What a link came from.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    /// Somebody at this address connected to us.
    Accepted(SocketAddr),
    /// A dial of ours succeeded.
    Dialled(Dial),
}

/// What is dialled, and for what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dial {
    /// The configured neighbor of this number.
    Neighbor(usize),
    /// An address that is called, and what for.
    Call(Errand, SocketAddr),
}

/// What the mind wants done. Outputs are performed once each, in order, and performing one never waits. A dial, a job or
/// a link that fails comes back as an [`Input`]; what a link cannot say is dropped there, and the mind is not told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Say this. The link may be gone by then; there is nobody to tell.
    Send {
        /// The link to say it on.
        link: LinkId,
        /// What is to be said.
        message: Message,
    },
    /// Say the same on many links; worth encoding once.
    Flood {
        /// The links to say it on, each once.
        links: Vec<LinkId>,
        /// The copy that is the same on all of them.
        query: Arc<Query>,
    },
    /// Connect; comes back as [`Input::Opened`] or, after [`DIAL_WAIT_MAX`](crate::limits::DIAL_WAIT_MAX) at the
    /// latest, as [`Input::DialFailed`].
    Dial {
        /// What this dial is for.
        dial: Dial,
        /// Where to connect.
        address: SocketAddr,
        /// What will be spoken.
        dialect: Dialect,
    },
    /// Tell nothing more of this link but its end, not even what was read before, and read nothing from it, until it is
    /// resumed.
    Rest {
        /// The link that is not heard.
        link: LinkId,
    },
    /// Go on with a link that rests; one that does not goes on as it was.
    Resume {
        /// The link that is heard again.
        link: LinkId,
    },
    /// Send what is queued, then close.
    Close {
        /// The link, which is gone for the mind at once.
        link: LinkId,
    },
    /// Have this done where nobody waits for it. What there is to be told of it ([`JobDone`]) comes back as
    /// [`Input::Disk`], whenever that is; of data that is let go of nothing is.
    Disk(Job),
    /// Write down that this happened. Wanted only where [`Config::events`](super::Config::events) says so.
    Event(Box<LoggedEvent>),
}

/// What is to be told in the log of events, where there is one.
#[derive(Debug)]
pub(super) enum NotedEvent {
    /// Whoever is at the end of this link is a neighbor now, and goes by this address.
    Linked { link: LinkId, peer: SocketAddr },
    /// It was a neighbor, and the link goes.
    Unlinked { link: LinkId, reason: String },
    /// What a client asks was taken as a query.
    Asked { link: LinkId, message: String },
    /// This came of what a client wanted kept or fetched; it may be gone by then.
    Operation { operation: NotedOperation, outcome: &'static str },
    /// The servent thinks otherwise of a member: nothing stands for one that was not known.
    Member { peer: SocketAddr, was: Option<&'static str>, now: Option<&'static str>, why: String },
}

/// What a client wants kept or fetched, as it is told in the log of events.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct NotedOperation {
    pub(super) command: &'static str,
    pub(super) peer: SocketAddr,
    pub(super) subject: String,
}

impl Output {
    /// Whether it is to say something.
    pub(super) fn is_said(&self) -> bool {
        matches!(self, Output::Send { .. } | Output::Flood { .. })
    }
}

/// Where the rooms put what they want done, and note what has happened.
#[derive(Debug)]
pub(super) struct Outbox<'a> {
    wanted: &'a mut Vec<Output>,
    /// None where nobody keeps a log of events.
    noted: Option<&'a mut Vec<NotedEvent>>,
    /// By what address whoever was heard goes there.
    heard_from: Option<SocketAddr>,
}

impl<'a> Outbox<'a> {
    /// One that appends to these.
    pub(super) fn new(wanted: &'a mut Vec<Output>, noted: Option<&'a mut Vec<NotedEvent>>) -> Outbox<'a> {
        Outbox { wanted, noted, heard_from: None }
    }

    /// One for what comes of what was heard from there.
    pub(super) fn heard_from(self, heard_from: Option<SocketAddr>) -> Outbox<'a> {
        Outbox { heard_from, ..self }
    }

    /// What is to be told in the log of events once it is known what came of it, where there is such a log.
    pub(super) fn operation(&self, command: &'static str, subject: impl FnOnce() -> String) -> Option<NotedOperation> {
        let peer = self.heard_from.filter(|_| self.is_noting())?;
        Some(NotedOperation { command, peer, subject: subject() })
    }

    /// Whether what is noted is told.
    pub(super) fn is_noting(&self) -> bool {
        self.noted.is_some()
    }

    /// Has it told in the log of events that this happened. It is put into words only where there is one.
    pub(super) fn note(&mut self, what: impl FnOnce() -> NotedEvent) {
        if let Some(noted) = &mut self.noted {
            noted.push(what());
        }
    }

    pub(super) fn send(&mut self, link: LinkId, message: Message) {
        self.wanted.push(Output::Send { link, message });
    }

    /// The same on many links.
    pub(super) fn flood(&mut self, links: Vec<LinkId>, query: Arc<Query>) {
        self.wanted.push(Output::Flood { links, query });
    }

    pub(super) fn dial(&mut self, dial: Dial, address: SocketAddr, dialect: Dialect) {
        self.wanted.push(Output::Dial { dial, address, dialect });
    }

    /// Has nothing more told of a link.
    pub(super) fn rest(&mut self, link: LinkId) {
        self.wanted.push(Output::Rest { link });
    }

    /// Has a link that rests go on.
    pub(super) fn resume(&mut self, link: LinkId) {
        self.wanted.push(Output::Resume { link });
    }

    /// Has something done that takes its time.
    pub(super) fn disk(&mut self, job: Job) {
        self.wanted.push(Output::Disk(job));
    }

    /// Closes a link without a word.
    pub(super) fn close(&mut self, link: LinkId) {
        self.wanted.push(Output::Close { link });
    }

    /// Closes a link with last words. Kept out of the ways of messages: it happens to a link once.
    #[cold]
    #[inline(never)]
    pub(super) fn part(&mut self, link: LinkId, farewell: Goodbye) {
        self.send(link, Message::Goodbye(farewell));
        self.close(link);
    }
}
