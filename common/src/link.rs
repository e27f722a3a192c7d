//! One connection without its socket: bytes in, messages, bytes out, all of it bounded.
//!
//! A link collects received bytes into frames and queues frames to be sent. It knows how much a peer of each kind may
//! leave unread or unsent. It does not know what a message means (`overlay`, `session`), nor when anything happened.

mod bulk;

use std::fmt;

use crate::dialect::{Bringing, Dialect, Dialects};
use crate::features::Features;
use crate::limits::{
    ANSWER_UNSENT_BYTES_MAX, BROUGHT_UNSENT_BYTES_MAX, CLIENT_UNSENT_BYTES_MAX, FRAME_BYTES_MAX, HELLO_FRAME_BYTES_MAX,
    NEIGHBOR_UNSENT_BYTES_MAX, SERVENT_FRAME_BYTES_MAX, STRANGER_UNSENT_BYTES_MAX,
};
use crate::message::{Hello, Message, Role};
use bulk::Bulk;

use crate::wire::{self, Accepts, EncodeError, FirstBytes, Frame, JudgingEnd, Position, ReadFrame, WireError};

/// Names a link between the shell that owns its connection and the mind that speaks on it. A shell never reuses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct LinkId(pub u64);

impl fmt::Display for LinkId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "link {}", self.0)
    }
}

/// What a link is for to the one at this end; it sets how much may be received and how much may wait to be sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Purpose {
    /// A servent's standing link, of whatever kind the other end's hello says.
    Standing,
    /// A servent's link to bring a client its answers.
    Answers,
    /// Any link of a client.
    Asking,
}

impl Purpose {
    /// How many bytes may wait to be sent to whoever said hello in this role. Before that it is
    /// [`STRANGER_UNSENT_BYTES_MAX`].
    #[must_use]
    pub fn unsent_bytes_max(self, is_dialled: bool, role: Role) -> usize {
        match (self, role) {
            (Purpose::Answers, _) => ANSWER_UNSENT_BYTES_MAX,
            // Whoever brings a client answers is told hello and pong, and there may be very many of them.
            (Purpose::Asking, _) if !is_dialled => STRANGER_UNSENT_BYTES_MAX,
            (Purpose::Standing, Role::Servent { .. } | Role::Nameless) => NEIGHBOR_UNSENT_BYTES_MAX,
            (Purpose::Standing | Purpose::Asking, _) => CLIENT_UNSENT_BYTES_MAX,
        }
    }
}

/// Why a message was not queued.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SendError {
    /// The other end leaves too much unread. What was queued stays; the link has no future.
    #[error("it does not read: {0} bytes are the most that may wait for it")]
    Full(usize),
    /// So much is unsent that an answer which is to go back over this link, or what is told anew anyway, is not worth a wait.
    /// Only this message is lost.
    #[error("{0} bytes are the most that may be unsent where an answer goes back")]
    Crowded(usize),
    /// The other end does not accept a frame of this length. Only this message is lost.
    #[error("it accepts no frame of {0} bytes")]
    TooLong(usize),
    /// The other end did not say that it would understand it. Only this message is lost.
    #[error("it did not offer what it takes to understand it")]
    NotOffered,
    /// It was encoded for another place in the order of frames. Only this message is lost.
    #[error("it was made to be said at another time: the first words of a link have a form of their own")]
    OutOfTurn,
    /// The message has no bytes in this dialect. Only this message is lost.
    #[error(transparent)]
    Encode(#[from] EncodeError),
}

/// Buffers above this are given back once they are empty: ten thousand links that were busy once must cost next to
/// nothing, and most messages are shorter.
const IDLE_BUFFER_BYTES_MAX: usize = 256;
/// Buffers of those that are busy grow by this at least.
const BUFFER_STEP_BYTES: usize = 512;
/// Buffers up to this grow by little more than they need, longer ones by more, so that they seldom have to.
const SHORT_BUFFER_BYTES_MAX: usize = 16 * 1024;

/// One connection without its socket.
#[derive(Debug)]
pub struct Link {
    /// Decided by the first bytes received, where the other end connected to this one.
    dialect: Option<Dialect>,
    accepts: Accepts,
    is_dialled: bool,
    purpose: Purpose,
    received: Buffer,
    unsent: Buffer,
    /// None on a link on which no content is given.
    bulk: Option<Box<Bulk>>,
    unsent_bytes_max: usize,
    /// What is accepted in a frame once the other end has said hello: what was said of it here, once that was.
    own_frame_bytes_max: usize,
    /// What the other end said it accepts in a frame.
    their_frame_bytes_max: usize,
    /// What the other end said it can do.
    their_features: Features,
    /// Whether a frame was said, and the preface before it.
    has_spoken: bool,
    heard_preface: bool,
    heard_frame: bool,
    heard_hello: bool,
    /// A frame has ended since that was last asked.
    has_ended_frame: bool,
    /// By its dialect's manners the other end says no hello: it counts as said.
    owes_hello: bool,
    broken: Option<WireError>,
}

impl Link {
    /// A link we dialled, on which nothing has been said.
    #[must_use]
    pub fn new(dialect: Dialect, purpose: Purpose) -> Link {
        Link {
            dialect: Some(dialect),
            is_dialled: true,
            owes_hello: !dialect.manners().answers_hello && purpose != Purpose::Answers,
            ..Link::accepted(Accepts::Only(dialect), purpose)
        }
    }

    /// A link somebody else dialled, on which nothing has been said.
    #[must_use]
    pub fn accepted(accepts: Accepts, purpose: Purpose) -> Link {
        Link {
            dialect: None,
            accepts,
            is_dialled: false,
            purpose,
            received: Buffer::default(),
            unsent: Buffer::default(),
            bulk: None,
            unsent_bytes_max: STRANGER_UNSENT_BYTES_MAX,
            own_frame_bytes_max: match purpose {
                Purpose::Standing | Purpose::Answers => SERVENT_FRAME_BYTES_MAX,
                Purpose::Asking => FRAME_BYTES_MAX,
            },
            their_frame_bytes_max: FRAME_BYTES_MAX,
            their_features: Features::NONE,
            has_spoken: false,
            heard_preface: false,
            heard_frame: false,
            heard_hello: false,
            has_ended_frame: false,
            owes_hello: false,
            broken: None,
        }
    }

    /// The dialect to speak here. Where that is not decided yet it is our own, in which a client speaks first.
    #[must_use]
    pub fn dialect(&self) -> Dialect {
        self.dialect.unwrap_or(match self.accepts {
            Accepts::AnyOf(_) => Dialect::OWN,
            Accepts::Only(dialect) => dialect,
        })
    }

    /// Takes bytes as the socket gave them. Call [`Link::next_message`] until it has no more before the next call:
    /// that is what bounds the bytes held to one frame and one call.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.broken.is_none() {
            self.received.push(bytes);
            // What is said before these bytes are messages is said in the dialect they are in. Of one that is refused it
            // is told with them.
            let _ = self.decide_dialect();
        }
    }

    /// Nothing that came is wanted any more.
    pub fn drop_received(&mut self) {
        self.received = Buffer::default();
    }

    /// Keeps no more room than what came needs: it may have to wait.
    pub fn spare(&mut self) {
        self.received.shrink();
    }

    /// The next whole message, or nothing while there is none. After an error there is nothing but that error.
    pub fn next_message(&mut self) -> Result<Option<Message>, WireError> {
        Ok(self.next_stamped()?.map(|(_, message)| message))
    }

    /// The same with its stamp: what its speaker's clock showed, or 0.
    pub fn next_stamped(&mut self) -> Result<Option<(u64, Message)>, WireError> {
        if let Some(error) = &self.broken {
            return Err(error.clone());
        }
        self.read_message().inspect_err(|error| {
            self.received = Buffer::default();
            self.broken = Some(error.clone());
        })
    }

    /// Whether the other end has begun a frame (or its preface) and not ended it.
    #[must_use]
    pub fn is_mid_frame(&self) -> bool {
        !self.received.is_empty()
    }

    /// Whether the other end has ended a frame since this was last asked, be it one in which its dialect says nothing. A
    /// hello that nobody said is in none.
    pub fn take_ended_frame(&mut self) -> bool {
        std::mem::take(&mut self.has_ended_frame)
    }

    /// How many bytes came of what is not a whole message yet.
    #[must_use]
    pub fn received_bytes_count(&self) -> usize {
        self.received.len()
    }

    /// Queues a message of somebody without a clock.
    pub fn send(&mut self, message: &Message) -> Result<(), SendError> {
        self.say(0, message)
    }

    /// Queues a message that is said when the speaker's clock shows this.
    pub fn say(&mut self, stamp: u64, message: &Message) -> Result<(), SendError> {
        // Whoever has not said enough to tell may yet speak another dialect, and would not understand a word of ours.
        let takes_others = matches!(self.accepts, Accepts::AnyOf(dialects) if dialects != Dialects::OWN);
        let may_be_another = self.dialect.is_none() && (takes_others || !self.received.is_empty());
        if may_be_another && self.purpose != Purpose::Asking {
            return Ok(());
        }
        if matches!(message, Message::Hello(_)) && !self.is_dialled && !self.answers_hello() {
            return Ok(());
        }
        let is_dropped =
            matches!(message, Message::Brought(_) | Message::Handed(_) | Message::Peers(_) | Message::Changed(_));
        if is_dropped && self.unsent.len() > BROUGHT_UNSENT_BYTES_MAX {
            return Err(SendError::Crowded(BROUGHT_UNSENT_BYTES_MAX));
        }
        self.send_frame(&Frame::at(position(self.has_spoken), self.dialect(), stamp, message)?)?;
        if let Message::Hello(own) = message {
            self.own_frame_bytes_max = usize::try_from(own.frame_bytes_max).unwrap_or(usize::MAX).min(FRAME_BYTES_MAX);
        }
        Ok(())
    }

    /// Queues a message that is already encoded in this link's dialect. It must have been encoded for where it comes to
    /// stand: as the first frame, or for later.
    pub fn send_frame(&mut self, frame: &Frame) -> Result<(), SendError> {
        if frame.is_empty() {
            return Ok(());
        }
        self.check(frame)?;
        let preface = if self.has_spoken { &[] } else { wire::preface(self.dialect()) };
        if self.unsent.len() + preface.len() + frame.as_bytes().len() > self.unsent_bytes_max {
            return Err(SendError::Full(self.unsent_bytes_max));
        }
        self.has_spoken = true;
        self.unsent.push(preface);
        self.unsent.push(frame.as_bytes());
        Ok(())
    }

    /// Whether the other end takes a frame, and this is where it can stand.
    fn check(&self, frame: &Frame) -> Result<(), SendError> {
        if !frame.fits(position(self.has_spoken)) {
            return Err(SendError::OutOfTurn);
        }
        if !self.their_features.include(frame.needs()) {
            return Err(SendError::NotOffered);
        }
        if frame.body_bytes_count() > self.their_frame_bytes_max {
            return Err(SendError::TooLong(frame.body_bytes_count()));
        }
        Ok(())
    }

    /// Queues a block of a content: it is sent behind every message that is queued before it is begun.
    pub fn send_bulk(&mut self, frame: Frame) -> Result<(), SendError> {
        self.check(&frame)?;
        self.bulk.get_or_insert_default().push(frame);
        Ok(())
    }

    /// How many bytes wait to be written, of blocks too.
    #[must_use]
    pub fn unsent_bytes_count(&self) -> usize {
        self.unsent.len() + self.bulk_bytes_count()
    }

    /// How many bytes of blocks wait to be written.
    #[must_use]
    pub fn bulk_bytes_count(&self) -> usize {
        self.bulk.as_ref().map_or(0, |bulk| bulk.bytes_count())
    }

    /// How many of them are left of the block that was begun: nothing else can be written before.
    #[must_use]
    pub fn begun_bulk_bytes_count(&self) -> usize {
        self.bulk.as_ref().filter(|bulk| bulk.is_mid_frame()).map_or(0, |bulk| bulk.unsent().len())
    }

    /// Lets go of the blocks that were not begun: nobody waits for them.
    pub fn drop_bulk(&mut self) {
        if let Some(bulk) = &mut self.bulk {
            bulk.drop_unbegun();
        }
    }

    /// Whether the bytes to be written next are those of a block.
    #[must_use]
    pub fn is_bulk_next(&self) -> bool {
        self.bulk.as_ref().is_some_and(|bulk| bulk.is_mid_frame() || self.unsent.is_empty())
    }

    /// The bytes to be written next: there are more behind them where blocks are queued.
    #[must_use]
    pub fn unsent(&self) -> &[u8] {
        match &self.bulk {
            Some(bulk) if bulk.is_mid_frame() || self.unsent.is_empty() => bulk.unsent(),
            _ => self.unsent.as_slice(),
        }
    }

    /// Says that the first `count` bytes of [`Link::unsent`] were written.
    pub fn sent(&mut self, count: usize) {
        match &mut self.bulk {
            Some(bulk) if bulk.is_mid_frame() || self.unsent.is_empty() => {
                bulk.sent(count);
                if bulk.bytes_count() == 0 {
                    self.bulk = None;
                }
            }
            _ => self.unsent.take(count),
        }
    }

    fn read_message(&mut self) -> Result<Option<(u64, Message)>, WireError> {
        let Some(dialect) = self.decide_dialect()? else { return Ok(None) };
        if std::mem::take(&mut self.owes_hello) {
            let hello = Hello::said_in(dialect, Role::Nameless);
            self.on_hello(&hello);
            return Ok(Some((0, Message::Hello(hello))));
        }
        if !self.heard_preface {
            match wire::read_preface(dialect, self.received.as_slice())? {
                FirstBytes::Unclear => return Ok(None),
                FirstBytes::Preface(length) => self.received.take(length),
            }
            self.heard_preface = true;
        }
        let frame_bytes_max = if self.heard_hello { self.own_frame_bytes_max } else { HELLO_FRAME_BYTES_MAX };
        while let Some(ReadFrame { message, stamp, bytes_count }) =
            wire::read_frame(dialect, position(self.heard_frame), self.received.as_slice(), frame_bytes_max)?
        {
            self.received.take(bytes_count);
            self.heard_frame = true;
            self.has_ended_frame = true;
            let Some(message) = message else { continue };
            if let Message::Hello(hello) = &message {
                self.on_hello(hello);
            }
            return Ok(Some((stamp, message)));
        }
        Ok(None)
    }

    /// Tells from the first bytes which dialect the other end speaks, where it was the one to connect.
    fn decide_dialect(&mut self) -> Result<Option<Dialect>, WireError> {
        if self.dialect.is_none() {
            let side = if self.purpose == Purpose::Asking { JudgingEnd::Client } else { JudgingEnd::Servent };
            self.dialect = wire::tell_dialect(self.received.as_slice(), side, self.accepts)?;
            let answers = self.dialect.map(|dialect| dialect.manners().answers);
            self.owes_hello = side == JudgingEnd::Client && matches!(answers, Some(Bringing::Alone { .. }));
        }
        Ok(self.dialect)
    }

    /// Whether it is customary to answer the hello of whoever dialled this link.
    fn answers_hello(&self) -> bool {
        let manners = self.dialect().manners();
        match self.purpose {
            // Whoever brings a client an answer, in a dialect where it comes alone, says no hello and hears none.
            Purpose::Asking => manners.answers == Bringing::Kept,
            Purpose::Standing | Purpose::Answers => manners.answers_hello,
        }
    }

    fn on_hello(&mut self, hello: &Hello) {
        self.heard_hello = true;
        self.their_features = hello.features;
        self.their_frame_bytes_max = usize::try_from(hello.frame_bytes_max).unwrap_or(usize::MAX);
        self.unsent_bytes_max = self.purpose.unsent_bytes_max(self.is_dialled, hello.role);
    }
}

/// Where the next frame of a side stands.
fn position(was_one_before: bool) -> Position {
    if was_one_before { Position::Later } else { Position::First }
}

/// Bytes that come in at one end and leave at the other.
#[derive(Debug, Default)]
struct Buffer {
    bytes: Vec<u8>,
    taken: usize,
}

impl Buffer {
    fn push(&mut self, bytes: &[u8]) {
        // Moving what is left costs at most what was taken since the last move.
        if self.taken > self.bytes.len() / 2 {
            self.bytes.drain(..self.taken);
            self.taken = 0;
        }
        // What is short is not made room for twice, because there may be very many links; nor for every message anew.
        let needed = self.bytes.len() + bytes.len();
        if needed > self.bytes.capacity() && needed <= SHORT_BUFFER_BYTES_MAX {
            let step = if needed > IDLE_BUFFER_BYTES_MAX { BUFFER_STEP_BYTES } else { 1 };
            self.bytes.reserve_exact(needed.next_multiple_of(step) - self.bytes.len());
        }
        self.bytes.extend_from_slice(bytes);
    }

    /// Lets go of what was taken, and of all room beyond what is left.
    fn shrink(&mut self) {
        if self.bytes.capacity() > self.len().max(IDLE_BUFFER_BYTES_MAX) {
            self.bytes = self.as_slice().to_vec();
            self.taken = 0;
        }
    }

    fn take(&mut self, count: usize) {
        self.taken = (self.taken + count).min(self.bytes.len());
        if self.is_empty() {
            self.taken = 0;
            self.bytes.clear();
            if self.bytes.capacity() > IDLE_BUFFER_BYTES_MAX {
                // Given back whole: what shrinks where it lies leaves a hole too small for the next one.
                self.bytes = Vec::new();
            }
        }
    }

    fn as_slice(&self) -> &[u8] {
        self.bytes.get(self.taken..).unwrap_or_default()
    }

    fn len(&self) -> usize {
        self.bytes.len() - self.taken
    }

    fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::MADE_UP;
    use crate::message::ServentId;

    /// A link whose other end offered these features in its hello.
    fn link_that_offers(features: Features) -> Link {
        let role = Role::Servent { id: ServentId(7), advertised: ([127, 0, 0, 1], 9000).into() };
        let hello = Message::Hello(Hello { features, ..Hello::new(role) });
        let mut other = Link::new(Dialect::Native, Purpose::Standing);
        other.send(&hello).unwrap();
        let mut link = Link::new(Dialect::Native, Purpose::Standing);
        link.receive(other.unsent());
        assert_eq!(link.next_message(), Ok(Some(hello)));
        link
    }

    #[test]
    fn nothing_is_said_to_whoever_did_not_offer_to_understand_it() {
        let [one, other, more] = MADE_UP;
        let both = one.with(other);
        let ping = || Frame::new(Dialect::Native, &Message::Ping).unwrap();
        for (offered, needed, is_said) in [
            (Features::NONE, Features::NONE, true),
            (Features::NONE, one, false),
            (one, one, true),
            (one, other, false),
            (one, both, false),
            (both, other, true),
            (both, both, true),
            (both, more, false),
        ] {
            let mut link = link_that_offers(offered);
            link.send(&Message::Pong).unwrap();
            let before = link.unsent().len();
            let expected = if is_said { Ok(()) } else { Err(SendError::NotOffered) };
            assert_eq!(link.send_frame(&ping().needing(needed)), expected, "{offered:?} offered, {needed:?} needed");
            assert_eq!(link.unsent().len() > before, is_said, "what is refused leaves no byte");
            assert_eq!(link.send_frame(&ping()), Ok(()), "and only that is lost");
        }
    }

    #[test]
    fn before_its_hello_nobody_has_offered_anything() {
        let mut link = Link::new(Dialect::Native, Purpose::Standing);
        link.send(&Message::Ping).unwrap();
        let frame = Frame::new(Dialect::Native, &Message::Ping).unwrap().needing(MADE_UP[0]);
        assert_eq!(link.send_frame(&frame), Err(SendError::NotOffered));
    }
}
