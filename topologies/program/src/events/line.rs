//! One line of a log of events: read from its bytes, and told in words.
//!
//! What a line that stands beside others cannot be is not known here (`judge`).

use std::borrow::Cow;
use std::error::Error;
use std::fmt::{self, Display, Formatter};
use std::net::SocketAddr;

use common::counted::counted;
use common::text::Escaped;
use serde::Deserialize;

/// A line that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct EventLine {
    /// The servent's Lamport clock once it had happened.
    pub clock: u64,
    /// The address the servent goes by.
    pub servent: SocketAddr,
    /// Which of those that go by this address, one after the other: whoever is started anew is another.
    pub id: u64,
    /// The number of the line among those of this servent, from 1.
    pub n: u64,
    /// What happened.
    pub happened: Happened,
}

/// What a line tells.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the fields are those of `common::event::EventKind`")]
pub enum Happened {
    /// The servent serves.
    Started,
    /// A link with a neighbor stands.
    Linked { peer: SocketAddr },
    /// It stands no more.
    Unlinked { peer: SocketAddr, reason: String },
    /// The servent thinks otherwise of a member.
    Member { peer: SocketAddr, was: Option<String>, now: Option<String>, why: String },
    /// A client asked for something.
    Asked { peer: SocketAddr, message: String },
    /// A client had something kept, or fetched a file, or tried to.
    Operation { command: String, peer: SocketAddr, subject: String, outcome: String },
    /// Something was said.
    Sent { peer: SocketAddr, message: String },
    /// Something was heard.
    Received { peer: SocketAddr, message: String, stamp: u64 },
    /// The servent serves no more.
    Stopped { reason: String },
    /// So many lines are missing here.
    Dropped { count: u64 },
}

/// What is wrong with a line that is none of such a log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct NotAnEvent(String);

impl Display for NotAnEvent {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl Error for NotAnEvent {}

/// The fields as they stand in a line. What else there is is for those who come later.
#[derive(Deserialize)]
struct Fields<'a> {
    clock: u64,
    servent: SocketAddr,
    #[serde(borrow)]
    id: Cow<'a, str>,
    n: u64,
    #[serde(rename = "at_unix_ms")]
    _at_unix_ms: u64,
    #[serde(borrow)]
    event: Cow<'a, str>,
    message: Option<String>,
    peer: Option<SocketAddr>,
    stamp: Option<u64>,
    reason: Option<String>,
    was: Option<String>,
    now: Option<String>,
    why: Option<String>,
    count: Option<u64>,
    subject: Option<String>,
    outcome: Option<String>,
}

/// What stands for a servent id: the two halves of one in one, in hexadecimal.
const ID_DIGITS: usize = 16;

impl EventLine {
    /// Reads the bytes of a line, without its end.
    pub fn parse(bytes: &[u8]) -> Result<EventLine, NotAnEvent> {
        let text = std::str::from_utf8(bytes).map_err(|_| NotAnEvent("it is not UTF-8".to_owned()))?;
        let fields: Fields<'_> = serde_json::from_str(text).map_err(|error| {
            let said = error.to_string().replace(" at line 1 column ", ", at column ");
            NotAnEvent(format!("it is no event: {}", Escaped::new(said.as_bytes())))
        })?;
        let is_id = fields.id.len() == ID_DIGITS && fields.id.bytes().all(|byte| byte.is_ascii_hexdigit());
        let id = u64::from_str_radix(&fields.id, 16).ok().filter(|_| is_id);
        let id = id.ok_or_else(|| NotAnEvent(format!("its id is not {ID_DIGITS} hexadecimal digits")))?;
        if fields.n == 0 {
            return Err(NotAnEvent("its n is 0, where lines are numbered from 1".to_owned()));
        }
        let (clock, servent, n) = (fields.clock, fields.servent, fields.n);
        Ok(EventLine { clock, servent, id, n, happened: fields.happened()? })
    }
}

impl Fields<'_> {
    fn happened(self) -> Result<Happened, NotAnEvent> {
        fn given<Value>(value: Option<Value>, event: &str, name: &str) -> Result<Value, NotAnEvent> {
            value.ok_or_else(|| NotAnEvent(format!("it tells of `{event}` and has no {name}")))
        }
        let Fields { event, message, peer, stamp, reason, was, now, why, count, subject, outcome, .. } = self;
        let peer = || given(peer, &event, "peer");
        let message = || given(message, &event, "message");
        let reason = || given(reason, &event, "reason");
        Ok(match &*event {
            "started" => Happened::Started,
            "linked" => Happened::Linked { peer: peer()? },
            "unlinked" => Happened::Unlinked { peer: peer()?, reason: reason()? },
            "member" => Happened::Member { peer: peer()?, was, now, why: given(why, &event, "why")? },
            "asked" => Happened::Asked { peer: peer()?, message: message()? },
            "put" | "del" | "publish" | "unpublish" | "get" => Happened::Operation {
                command: event.to_string(),
                peer: peer()?,
                subject: given(subject, &event, "subject")?,
                outcome: given(outcome, &event, "outcome")?,
            },
            "sent" => Happened::Sent { peer: peer()?, message: message()? },
            "received" => {
                Happened::Received { peer: peer()?, message: message()?, stamp: given(stamp, &event, "stamp")? }
            }
            "stopped" => Happened::Stopped { reason: reason()? },
            "dropped" => Happened::Dropped { count: given(count, &event, "count")? },
            other => {
                return Err(NotAnEvent(format!("`{}` is no event that is known", Escaped::new(other.as_bytes()))));
            }
        })
    }
}

/// In words, on one line whatever it holds.
impl Display for EventLine {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let EventLine { clock, servent, happened, .. } = self;
        write!(f, "{clock} {servent} {happened}")
    }
}

impl Display for Happened {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        fn shown(text: &str) -> Escaped<'_> {
            Escaped::new(text.as_bytes())
        }
        match self {
            Happened::Started => f.write_str("started"),
            Happened::Linked { peer } => write!(f, "linked with {peer}"),
            Happened::Unlinked { peer, reason } => write!(f, "unlinked from {peer}: {}", shown(reason)),
            Happened::Member { peer, was, now, why } => {
                write!(f, "noted that {peer} is {}", shown(now.as_deref().unwrap_or("forgotten")))?;
                if let Some(was) = was {
                    write!(f, ", was {}", shown(was))?;
                }
                write!(f, ": {}", shown(why))
            }
            Happened::Asked { peer, message } => write!(f, "was asked by {peer}: {}", shown(message)),
            Happened::Operation { command, peer, subject, outcome } => {
                let (subject, outcome) = (shown(subject), shown(outcome));
                write!(f, "was asked by {peer} to {command} {subject}: {outcome}")
            }
            Happened::Sent { peer, message } => write!(f, "said {} to {peer}", shown(message)),
            Happened::Received { peer, message, .. } => write!(f, "heard {} from {peer}", shown(message)),
            Happened::Stopped { reason } => write!(f, "stopped: {}", shown(reason)),
            Happened::Dropped { count } => {
                let verb = if *count == 1 { "was" } else { "were" };
                write!(f, "wrote less than happened: {} {verb} dropped", counted(*count, "line"))
            }
        }
    }
}
