//! What a dialect has to know of bytes, and what can be wrong with them.
//!
//! Each dialect is a file beside this one that implements [`Codec`]; whoever has bytes or messages asks `wire`.

use crate::dialect::Dialect;
use crate::limits::FRAME_WAIT_MAX;
use crate::message::Message;
use crate::query::Query;

/// The version of the native dialect. It stands outside that codec, so that it can be read whatever the codec becomes.
pub const VERSION: u8 = 1;

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

/// How messages look in one dialect.
pub(super) trait Codec {
    /// What each side sends before its first frame.
    fn preface(&self) -> &'static [u8];

    /// Judges the first bytes that came over a connection, as soon as they can be judged.
    fn read_preface(&self, bytes: &[u8]) -> Result<FirstBytes, WireError>;

    /// How many bytes of a frame stand before its body.
    fn head_bytes(&self) -> usize;

    /// Whether every body but the first of each side begins with a stamp.
    fn is_stamped(&self) -> bool;

    /// A message as a frame, under this stamp where there are any; of no bytes where the dialect says it by saying nothing.
    fn encode(&self, position: Position, stamp: u64, message: &Message) -> Result<Vec<u8>, EncodeError>;

    /// What stands in a frame before the bytes of a block, of which there are so many.
    fn block_head(&self, _stamp: u64, _fetch: u32, _block: u32, _length: usize) -> Result<Vec<u8>, EncodeError> {
        Err(EncodeError::Unspeakable("a block of a content".to_owned()))
    }

    /// Finds the frame at the start of `bytes`; nothing while it is not whole.
    fn read_frame(
        &self,
        position: Position,
        bytes: &[u8],
        frame_bytes_max: usize,
    ) -> Result<Option<ReadFrame>, WireError>;

    /// Whether there are words for a query.
    fn can_say(&self, query: &Query) -> bool;
}

/// A frame that was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ReadFrame {
    /// The message it came to, if it came to one.
    pub message: Option<Message>,
    /// The speaker's clock; 0 from who has none, and where nothing is stamped.
    pub stamp: u64,
    /// The bytes it took.
    pub bytes_count: usize,
}

/// What the first bytes of a connection turned out to be.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum FirstBytes {
    /// Too few to tell.
    Unclear,
    /// A preface of this many bytes.
    Preface(usize),
}
