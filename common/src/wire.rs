//! Messages as bytes: which dialects there are, and what can be wrong with bytes that claim to be one.
//!
//! It turns whole messages into frames and back. Collecting bytes into frames is `link`; what a message means is for
//! the minds above. A dialect stops here: nothing above knows how a message looks.

mod native;
mod tp3;

use crate::dialect::Dialect;
use crate::limits::FRAME_WAIT_MAX;
use crate::message::Message;
use crate::query::Query;

pub use native::{PREFACE, VERSION};

/// Why bytes are not what the dialect says.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WireError {
    /// The first bytes are not those of any dialect we speak.
    #[error("it does not speak our protocol: its first bytes are {0}")]
    NoPreface(String),
    /// The other side speaks TP3, and this one was not told to.
    #[error("it speaks TP3, which this servent does not without --tp3")]
    Tp3Refused,
    /// The other side speaks another version.
    #[error("it speaks version {0} of the protocol, not {VERSION}")]
    Version(u8),
    /// A frame announces more bytes than it may have.
    #[error("a frame of {length} bytes, where {max} is the most")]
    FrameTooLong {
        /// What the frame announces.
        length: usize,
        /// What it may have here.
        max: usize,
    },
    /// A frame has begun and does not end.
    #[error("a frame that was begun and not ended within {} s", FRAME_WAIT_MAX.as_secs())]
    Unfinished,
    /// A frame does not hold a message.
    #[error("a frame that holds no message: {0}")]
    Malformed(String),
}

/// Why a message cannot be said.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum EncodeError {
    /// It is larger than a frame may be.
    #[error("a message of {0} bytes does not fit a frame")]
    TooLong(usize),
    /// The dialect has no bytes for it.
    #[error("it cannot be said: {0}")]
    Unspeakable(String),
}

/// A message as the bytes of one whole frame, ready for any number of links of the same dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: Vec<u8>,
    /// How many of them stand before the body.
    head_bytes: usize,
}

impl Frame {
    /// Encodes a message.
    pub fn new(dialect: Dialect, message: &Message) -> Result<Frame, EncodeError> {
        match dialect {
            Dialect::Native => native::encode(message).map(|bytes| Frame { bytes, head_bytes: native::LENGTH_BYTES }),
            Dialect::Tp3 => tp3::encode(message).map(|bytes| Frame { bytes, head_bytes: 0 }),
        }
    }

    /// Whether the dialect says this by saying nothing.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    /// The length a peer would measure against what it accepts in a frame.
    #[must_use]
    pub fn body_bytes_count(&self) -> usize {
        self.bytes.len() - self.head_bytes
    }

    /// The bytes to send.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        &self.bytes
    }
}

/// Whether a dialect has words for a query.
#[must_use]
pub(crate) fn can_say(dialect: Dialect, query: &Query) -> bool {
    match dialect {
        Dialect::Native => true,
        Dialect::Tp3 => tp3::can_say(query),
    }
}

/// What the first bytes of a connection turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstBytes {
    /// Too few to tell.
    Unclear,
    /// A preface of this many bytes.
    Preface(usize),
}

/// The dialects one end of an accepted connection puts up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// The native one. TP3 is told apart, to be refused with a reason.
    Native,
    /// Whichever of the two the first bytes are.
    Both,
    /// TP3, in which nothing is said to whoever connects.
    Tp3,
}

/// Which end of a connection judges its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Servent,
    Client,
}

/// Tells from the first bytes of an accepted connection which dialect it speaks; nothing while they are too few. Bytes
/// of neither are left to the native dialect, which refuses them.
pub(crate) fn tell_dialect(bytes: &[u8], end: End, accepts: Accepts) -> Result<Option<Dialect>, WireError> {
    if accepts == Accepts::Tp3 {
        return Ok(Some(Dialect::Tp3));
    }
    let tp3 = match end {
        End::Servent => tp3::SERVENT_OPENING,
        End::Client => tp3::CLIENT_OPENING,
    };
    let seen = bytes.len().min(tp3.len());
    if bytes[..seen] != tp3[..seen] {
        return Ok(Some(Dialect::Native));
    }
    match (seen == tp3.len(), accepts) {
        (false, _) => Ok(None),
        (true, Accepts::Native) => Err(WireError::Tp3Refused),
        (true, _) => Ok(Some(Dialect::Tp3)),
    }
}

/// Judges the first bytes that came over a connection, as soon as they can be judged.
pub(crate) fn read_opening(dialect: Dialect, bytes: &[u8]) -> Result<FirstBytes, WireError> {
    match dialect {
        Dialect::Native => native::read_preface(bytes),
        Dialect::Tp3 => Ok(FirstBytes::Preface(0)),
    }
}

/// What must be said before the first frame.
pub(crate) fn opening(dialect: Dialect) -> &'static [u8] {
    match dialect {
        Dialect::Native => &PREFACE,
        Dialect::Tp3 => &[],
    }
}

/// Finds the frame at the start of `bytes`: the message, if it comes to one, and the bytes it took; nothing while the
/// frame is not whole.
pub fn read_frame(
    dialect: Dialect,
    bytes: &[u8],
    frame_bytes_max: usize,
) -> Result<Option<(Option<Message>, usize)>, WireError> {
    match dialect {
        Dialect::Native => {
            let frame = native::read_frame(bytes, frame_bytes_max)?;
            Ok(frame.map(|(message, length)| (Some(message), length)))
        }
        Dialect::Tp3 => tp3::read_message(bytes),
    }
}
