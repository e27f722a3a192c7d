//! Messages as bytes: what each dialect has to say of them, and what can be wrong with bytes that claim to be one.
//!
//! It turns whole messages into frames and back. Collecting bytes into frames is `link`; what a message means is for
//! the minds above. A dialect stops here: nothing above knows how a message looks, and nothing here how another does.

mod native;
mod tp3;

use crate::dialect::Dialect;
use crate::features::Features;
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
    /// The other side speaks a dialect that this one was not told to.
    #[error("it speaks {}, which this servent does not without {}", .0.manners().name, .0.manners().option)]
    Refused(Dialect),
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

/// Where a frame stands among those of its side. In a dialect with stamps the first has none.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Position {
    /// It is the first: a hello, or a goodbye where there will be no hello.
    First,
    /// Others were said before it.
    Later,
}

/// A message as the bytes of one whole frame, ready for any number of links of the same dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: Vec<u8>,
    /// How many of them stand before the body.
    head_bytes: usize,
    /// Where it can stand; anywhere in a dialect without stamps.
    position: Option<Position>,
    /// What it takes to understand it.
    needs: Features,
}

impl Frame {
    /// Encodes a message that others were said before.
    pub fn new(dialect: Dialect, message: &Message) -> Result<Frame, EncodeError> {
        Frame::at(Position::Later, dialect, message)
    }

    /// Encodes a message to be said at a place in the order of its side.
    pub fn at(position: Position, dialect: Dialect, message: &Message) -> Result<Frame, EncodeError> {
        let codec = codec(dialect);
        Ok(Frame {
            bytes: codec.encode(position, message)?,
            head_bytes: codec.head_bytes(),
            position: codec.is_stamped().then_some(position),
            needs: message.needs(),
        })
    }

    /// What it takes to understand it.
    pub(crate) fn needs(&self) -> Features {
        self.needs
    }

    /// The same as if it took these features to understand it, as long as no message does.
    #[cfg(test)]
    pub(crate) fn needing(self, needs: Features) -> Frame {
        Frame { needs, ..self }
    }

    /// Whether it can be said there.
    pub(crate) fn fits(&self, position: Position) -> bool {
        self.position.is_none_or(|own| own == position)
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

/// How messages look in one dialect.
trait Codec {
    /// What each side sends before its first frame.
    fn preface(&self) -> &'static [u8];

    /// Judges the first bytes that came over a connection, as soon as they can be judged.
    fn read_preface(&self, bytes: &[u8]) -> Result<FirstBytes, WireError>;

    /// How many bytes of a frame stand before its body.
    fn head_bytes(&self) -> usize;

    /// Whether every body but the first of each side begins with a stamp.
    fn is_stamped(&self) -> bool;

    /// A message as a frame; of no bytes where the dialect says it by saying nothing.
    fn encode(&self, position: Position, message: &Message) -> Result<Vec<u8>, EncodeError>;

    /// Finds the frame at the start of `bytes`: the message, if it comes to one, and the bytes it took; nothing while
    /// the frame is not whole.
    fn read_frame(&self, position: Position, bytes: &[u8], frame_bytes_max: usize) -> Result<Option<Heard>, WireError>;

    /// Whether there are words for a query.
    fn can_say(&self, query: &Query) -> bool;
}

/// The message a frame came to, if it came to one, and the bytes it took.
type Heard = (Option<Message>, usize);

fn codec(dialect: Dialect) -> &'static dyn Codec {
    match dialect {
        Dialect::Native => &native::Native,
        Dialect::Tp3 => &tp3::Tp3,
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
    /// Our own. Others are told apart, to be refused with a reason.
    Own,
    /// Whichever the first bytes are.
    Any,
    /// This one, whatever the first bytes are.
    Only(Dialect),
}

impl Accepts {
    /// In which a client is brought its answers whose contact speaks this: from behind a contact of our own there may
    /// come some in any, because each servent answers as the last link told it to.
    #[must_use]
    pub fn answers_to(dialect: Dialect) -> Accepts {
        if dialect == Dialect::default() { Accepts::Any } else { Accepts::Only(dialect) }
    }
}

/// Which end of a connection judges its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum End {
    Servent,
    Client,
}

/// Tells from the first bytes of an accepted connection which dialect it speaks; nothing while they are too few. Bytes
/// of none are left to our own, which refuses them.
pub(crate) fn tell_dialect(bytes: &[u8], end: End, accepts: Accepts) -> Result<Option<Dialect>, WireError> {
    if let Accepts::Only(dialect) = accepts {
        return Ok(Some(dialect));
    }
    let mut is_clear = true;
    for dialect in Dialect::ALL.iter().copied() {
        let manners = dialect.manners();
        let opening = match end {
            End::Servent => manners.opening_to_servent,
            End::Client => manners.opening_to_client,
        };
        let seen = bytes.len().min(opening.len());
        if opening.is_empty() || bytes[..seen] != opening[..seen] {
            continue;
        }
        if seen < opening.len() {
            is_clear = false;
        } else if accepts == Accepts::Any {
            return Ok(Some(dialect));
        } else {
            return Err(WireError::Refused(dialect));
        }
    }
    Ok(is_clear.then(Dialect::default))
}

/// Judges the first bytes that came over a connection, as soon as they can be judged.
pub(crate) fn read_preface(dialect: Dialect, bytes: &[u8]) -> Result<FirstBytes, WireError> {
    codec(dialect).read_preface(bytes)
}

/// What must be said before the first frame.
pub(crate) fn preface(dialect: Dialect) -> &'static [u8] {
    codec(dialect).preface()
}

/// Whether a dialect has words for a query.
#[must_use]
pub(crate) fn can_say(dialect: Dialect, query: &Query) -> bool {
    codec(dialect).can_say(query)
}

/// Finds the frame at the start of `bytes`: the message, if it comes to one, and the bytes it took; nothing while the
/// frame is not whole.
pub fn read_frame(
    dialect: Dialect,
    position: Position,
    bytes: &[u8],
    frame_bytes_max: usize,
) -> Result<Option<(Option<Message>, usize)>, WireError> {
    codec(dialect).read_frame(position, bytes, frame_bytes_max)
}
