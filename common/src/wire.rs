//! Messages as bytes: what each dialect has to say of them, and what can be wrong with bytes that claim to be one.
//!
//! It turns whole messages into frames and back. Collecting bytes into frames is `link`; what a message means is for
//! the minds above. A dialect stops here: nothing above knows how a message looks, and nothing here how another does.

mod codec;
mod native;
#[cfg(test)]
mod toy;
mod tp3;

use crate::content::transfer::BlockBytes;
use crate::dialect::{Dialect, Dialects};
use crate::features::Features;
use crate::limits::SERVENT_FRAME_BYTES_MAX;
use crate::message::Message;
use crate::query::Query;

use codec::Codec;
pub(crate) use codec::FirstBytes;
pub use codec::{EncodeError, Position, ReadFrame, VERSION, WireError};
pub use native::PREFACE;

/// A message as the bytes of one whole frame, ready for any number of links of the same dialect.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    bytes: Vec<u8>,
    /// How many of them are no part of it, and stand before it.
    unused_bytes: usize,
    /// How many of the others stand before the body.
    head_bytes: usize,
    /// Where it can stand; anywhere in a dialect without stamps.
    position: Option<Position>,
    /// What it takes to understand it.
    needs: Features,
}

impl Frame {
    /// Encodes a message that others were said before, by somebody without a clock.
    pub fn new(dialect: Dialect, message: &Message) -> Result<Frame, EncodeError> {
        Frame::at(Position::Later, dialect, 0, message)
    }

    /// Encodes a message to be said at a place in the order of its side, when the speaker's clock shows this.
    pub fn at(position: Position, dialect: Dialect, stamp: u64, message: &Message) -> Result<Frame, EncodeError> {
        let codec = codec_of(dialect);
        Ok(Frame {
            bytes: codec.encode(position, stamp, message)?,
            unused_bytes: 0,
            head_bytes: codec.head_bytes(),
            position: codec.is_stamped().then_some(position),
            needs: message.needs(),
        })
    }

    /// A block of a content that is said when the speaker's clock shows this, made of the bytes as they were read: the head
    /// is written before them.
    pub fn block(
        dialect: Dialect,
        stamp: u64,
        fetch: u32,
        block: u32,
        bytes: BlockBytes,
    ) -> Result<Frame, EncodeError> {
        let codec = codec_of(dialect);
        let head = codec.block_head(stamp, fetch, block, bytes.as_bytes().len())?;
        let (bytes, unused_bytes) = bytes.with_head(&head);
        let head_bytes = codec.head_bytes();
        Ok(Frame { bytes, unused_bytes, head_bytes, position: Some(Position::Later), needs: Features::CONTENT })
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
        self.as_bytes().is_empty()
    }

    /// The length a peer would measure against what it accepts in a frame.
    #[must_use]
    pub fn body_bytes_count(&self) -> usize {
        self.as_bytes().len() - self.head_bytes
    }

    /// The bytes to send.
    #[must_use]
    pub fn as_bytes(&self) -> &[u8] {
        self.bytes.get(self.unused_bytes..).unwrap_or_default()
    }
}

fn codec_of(dialect: Dialect) -> &'static dyn Codec {
    match dialect {
        Dialect::Native => &native::Native,
        Dialect::Tp3 => &tp3::Tp3,
        #[cfg(test)]
        Dialect::Toy => &toy::Toy,
    }
}

/// The dialects one end of an accepted connection puts up with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Accepts {
    /// Whichever of these the first bytes are. Others are told apart, to be refused with a reason.
    AnyOf(Dialects),
    /// This one, whatever the first bytes are.
    Only(Dialect),
}

impl Accepts {
    /// Our own and no other.
    pub const OWN: Accepts = Accepts::AnyOf(Dialects::OWN);

    /// Every dialect there is.
    pub const ANY: Accepts = Accepts::AnyOf(Dialects::ALL);

    /// In which a client is brought its answers whose contact speaks this: from behind a contact of our own there may
    /// come some in any, because each servent answers as the last link told it to.
    #[must_use]
    pub fn answers_to(dialect: Dialect) -> Accepts {
        if dialect == Dialect::OWN { Accepts::ANY } else { Accepts::Only(dialect) }
    }
}

/// Which end of a connection judges its first bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum JudgingEnd {
    Servent,
    Client,
}

/// Tells from the first bytes of an accepted connection which dialect it speaks; nothing while they are too few. Bytes
/// of none are left to our own, which refuses them.
pub(crate) fn tell_dialect(bytes: &[u8], side: JudgingEnd, accepts: Accepts) -> Result<Option<Dialect>, WireError> {
    let accepted = match accepts {
        Accepts::Only(dialect) => return Ok(Some(dialect)),
        Accepts::AnyOf(dialects) => dialects,
    };
    let mut is_clear = true;
    for dialect in Dialect::ALL.iter().copied() {
        let manners = dialect.manners();
        let opening = match side {
            JudgingEnd::Servent => manners.opening_to_servent,
            JudgingEnd::Client => manners.opening_to_client,
        };
        // As far as both go.
        if opening.is_empty() || bytes.iter().zip(opening).any(|(byte, own)| byte != own) {
            continue;
        }
        if bytes.len() < opening.len() {
            is_clear = false;
        } else if accepted.include(dialect) {
            return Ok(Some(dialect));
        } else {
            return Err(WireError::Refused(dialect));
        }
    }
    Ok(is_clear.then_some(Dialect::OWN))
}

/// Judges the first bytes that came over a connection, as soon as they can be judged.
pub(crate) fn read_preface(dialect: Dialect, bytes: &[u8]) -> Result<FirstBytes, WireError> {
    codec_of(dialect).read_preface(bytes)
}

/// What must be said before the first frame.
pub(crate) fn preface(dialect: Dialect) -> &'static [u8] {
    codec_of(dialect).preface()
}

/// Whether a dialect has words for a write, in a frame that is no longer than somebody said it accepts.
#[must_use]
pub(crate) fn can_say_write(dialect: Dialect, message: &Message, frame_bytes_max: usize) -> bool {
    let frame = Frame::at(Position::Later, dialect, 0, message);
    frame.is_ok_and(|frame| frame.body_bytes_count() <= frame_bytes_max)
}

/// Whether a dialect has words for a query, in a frame that is no longer than somebody said it accepts.
#[must_use]
pub(crate) fn can_say(dialect: Dialect, query: &Query, frame_bytes_max: usize) -> bool {
    if !codec_of(dialect).can_say(query) {
        return false;
    }
    // No query is longer than we accept ourselves, so few have to be measured.
    if frame_bytes_max >= SERVENT_FRAME_BYTES_MAX {
        return true;
    }
    // To be passed on it gets one hop more, and of a path that is text there are as many addresses as hops. One that is
    // offered again has them already, and no more.
    let passed_on = Query { hops: query.hops.saturating_add(1), ..query.clone() };
    let longest = Frame::at(Position::Later, dialect, u64::MAX, &Message::query(passed_on));
    longest.is_ok_and(|frame| frame.body_bytes_count() <= frame_bytes_max)
}

/// Whether a block of so many bytes can be said in a dialect, whatever its numbers are, in a frame that is no longer than
/// somebody said it accepts.
#[must_use]
pub(crate) fn can_say_block(dialect: Dialect, block_bytes: usize, frame_bytes_max: usize) -> bool {
    let codec = codec_of(dialect);
    let head = codec.block_head(u64::MAX, u32::MAX, u32::MAX, block_bytes);
    head.is_ok_and(|head| head.len() - codec.head_bytes() + block_bytes <= frame_bytes_max)
}

/// Finds the frame at the start of `bytes`; nothing while it is not whole.
pub fn read_frame(
    dialect: Dialect,
    position: Position,
    bytes: &[u8],
    frame_bytes_max: usize,
) -> Result<Option<ReadFrame>, WireError> {
    codec_of(dialect).read_frame(position, bytes, frame_bytes_max)
}
