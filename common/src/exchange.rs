//! All links of one end: every rule about bytes and time, once, for whatever shell moves the bytes and tells the time.
//!
//! It stands between a mind, which decides what is said to whom, and the connections of a shell ([`Transport`]). It
//! says what a dial is for, how far each link is and how long it may stay so; it encodes once what goes to many, keeps
//! what waits within its limit, and turns bytes into what a mind is told, when it is told: whose turn it is is in
//! `turns`. It does not know what a message means, and has no socket, clock or randomness.

mod given;
mod long_frames;
mod turns;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::content::transfer::{BlockBytes, HashPart};
use crate::dialect::Dialect;
use crate::disk::Job;
use crate::event::LoggedEvent;
use crate::limits::{CLIENT_CONNECTIONS_MAX, CONNECTIONS_MAX, FRAME_WAIT_MAX, LINGER_MAX};
use crate::link::{Link, LinkId, Purpose, SendError};
use crate::message::Message;
use crate::overlay::{self, Dial};
use crate::query::Query;
use crate::session::{self, FetchId, Report};
use crate::time::Time;
use crate::wire::{Accepts, EncodeError, Frame, Position, WireError};

use given::Given;
pub use given::{BESIDE_KEPT, BULK_TURN_BYTES, BULK_TURN_BYTES_BESIDE, BULK_VISIT_BYTES_MIN, GIVING_TOLD_EVERY};
use long_frames::{LONG_BYTES, LongFrames, SERVENT_LONG_BYTES};
pub use turns::MESSAGES_PER_VISIT;
use turns::Turns;

/// Bytes a servent reads in one visit of a connection: some hundred queries. Of as many links as there may be it can hold
/// so much unread by their mind, and a frame each.
pub const READ_BYTES: usize = 4 * 1024;
/// Bytes a client reads in one visit of a connection. Values are longer than queries, and it has fewer links.
pub const CLIENT_READ_BYTES: usize = 16 * 1024;
/// Timers that ended, as they do all at once for a crowd that came at once, seen to in one turn; the others wait for the
/// next.
pub const TIMERS_PER_TURN: usize = 128;

/// The connections under an exchange, as their owner has them. An error is the end of a connection, and says why.
pub trait Transport {
    /// Reads what has come, as much as fits the buffer: so many bytes, 0 at the end of all, nothing while there is
    /// nothing. One that hands bytes in as they arrive ([`Exchange::receive`]) has nothing to read.
    fn read(&mut self, link: LinkId, buffer: &mut [u8]) -> Result<Option<usize>, String>;
    /// Takes as many of these bytes as there is room for, and says how many.
    fn write(&mut self, link: LinkId, bytes: &[u8]) -> Result<usize, String>;
    /// From now on it waits for something to read or does not, and for room to write or does not.
    fn watch(&mut self, link: LinkId, reads: bool, writes: bool) -> Result<(), String>;
    /// Nothing will be written any more: the other end is to see the end after the last words.
    fn shut(&mut self, link: LinkId) -> Result<(), String>;
    /// The connection is not needed any more.
    fn close(&mut self, link: LinkId);
    /// What came of something a mind said on a link that stands.
    fn on_said(&mut self, link: LinkId, message: &Message, said: &Result<(), SendError>);
}

/// What was heard on a link, for the mind that speaks on it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// A message.
    Message {
        /// What the speaker's clock showed; 0 from who has none.
        stamp: u64,
        /// What was said.
        message: Message,
    },
    /// Bytes that are no message, or a frame that was begun and not ended.
    Malformed(WireError),
    /// The connection is over, and not because the mind closed it.
    Closed(String),
}

impl Heard {
    /// The same in the words of a servent's mind.
    #[must_use]
    pub fn for_servent(self, link: LinkId) -> overlay::Input {
        match self {
            Heard::Message { stamp, message } => overlay::Input::Received { link, stamp, message },
            Heard::Malformed(error) => overlay::Input::Malformed { link, error },
            Heard::Closed(reason) => overlay::Input::Closed { link, reason },
        }
    }

    /// The same in the words of a client's mind.
    #[must_use]
    pub fn for_client(self, link: LinkId) -> session::Input {
        match self {
            Heard::Message { message, .. } => session::Input::Received { link, message },
            Heard::Malformed(error) => session::Input::Malformed { link, error },
            Heard::Closed(reason) => session::Input::Closed { link, reason },
        }
    }
}

/// What a servent's mind wants beyond its links, or is to be told of them: for the shell to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outside {
    /// As [`overlay::Output::Dial`].
    Dial {
        /// What this dial is for.
        dial: Dial,
        /// Where to connect.
        address: SocketAddr,
        /// What will be spoken.
        dialect: Dialect,
    },
    /// As [`overlay::Output::Disk`].
    Disk(Job),
    /// As [`overlay::Output::Event`].
    Event(Box<LoggedEvent>),
    /// To be told as [`overlay::Input::NotBrought`], before anything that is heard.
    NotBrought {
        /// The link, which stands.
        link: LinkId,
        /// What was not said.
        message: Message,
    },
}

/// What a client's mind wants beyond its links, which is for the shell to do.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Beyond {
    /// As [`session::Output::Tell`].
    Tell(Report),
    /// As [`session::Output::Dial`]: what is dialled is a link to ask over ([`Purpose::Asking`]), in our own dialect.
    Dial {
        /// What it is wanted for.
        fetch: FetchId,
        /// Where to connect.
        address: SocketAddr,
    },
}

/// What a link is for that comes of a dial.
#[must_use]
pub fn purpose_of(dial: Dial) -> Purpose {
    match dial {
        Dial::Neighbor(_) => Purpose::Standing,
        Dial::Call(errand, _) => errand.purpose(),
    }
}

/// All links of one end.
#[derive(Debug)]
pub struct Exchange {
    side: Side,
    accepts: Accepts,
    links: BTreeMap<LinkId, Linked>,
    timers: BTreeSet<(Time, LinkId)>,
    /// Those with something to write that was not tried yet.
    unflushed: Vec<LinkId>,
    /// What is told before all else: the ends of links, and what came before these.
    heard: VecDeque<(LinkId, Heard)>,
    turns: Turns,
    long_frames: LongFrames,
    /// Fetches of which all that was read is queued.
    given: VecDeque<(LinkId, u32)>,
    /// Fetches of which something waits to be queued, and has begun to.
    giving: VecDeque<(LinkId, u32)>,
    /// Fetches of which something was given, while their links take some of what was.
    drained: VecDeque<(LinkId, u32)>,
    /// Those of which it is dropped, because their links are gone. That is told once these ends are.
    dropped: VecDeque<(LinkId, u32)>,
    /// Until then somebody asks to whom nothing is given.
    beside_until: Time,
    /// The link on which blocks were written last.
    had_bulk: LinkId,
    /// Room to read into; none until something is read.
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Times half frames, and lingers after a close.
    Servent,
    /// Just closes: it says hardly anything that could be lost.
    Client,
}

/// A link and how far it is.
#[derive(Debug)]
struct Linked {
    link: Link,
    stage: Stage,
    /// When the stage has lasted too long; kept in `timers` too.
    timer: Option<Time>,
    is_unflushed: bool,
    /// Its place in the turns.
    place: turns::TurnPlace,
    /// Whose it is, where it came by itself.
    from: Option<IpAddr>,
    /// Blocks that have yet to be written; none where nothing is given.
    given: Option<Box<Given>>,
    rests: Rests,
}

/// Why a link rests: it goes on once there is no reason left.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Rests {
    /// Its mind wants so.
    is_wanted: bool,
    /// It has no place for a frame that grows long.
    awaits_place: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Our dial is under way. The mind does not know the link yet. The system ends it in time.
    Connecting,
    /// The mind speaks on it. A servent's timer runs while a frame has begun and not ended.
    Standing,
    /// The same, but nothing is read from it, nor told of what was read: until the mind says so, or until a long frame
    /// may go on.
    Resting,
    /// The mind has closed it; its last words are on their way, and what comes is discarded. A timer always runs.
    Closing,
}

impl Linked {
    fn new(link: Link, stage: Stage, from: Option<IpAddr>) -> Linked {
        let (place, rests) = (turns::TurnPlace::default(), Rests::default());
        Linked { link, stage, timer: None, is_unflushed: false, place, from, given: None, rests }
    }

    /// Whether a mind knows the link and counts on it.
    fn is_known(&self) -> bool {
        matches!(self.stage, Stage::Standing | Stage::Resting)
    }

    fn is_flushed(&self) -> bool {
        self.link.unsent().is_empty()
    }

    /// Writes what the connection takes, of blocks so many bytes, and waits for room for the rest. How many of blocks it were.
    fn write(
        &mut self,
        id: LinkId,
        bulk_bytes_max: usize,
        given: &mut VecDeque<(LinkId, u32)>,
        transport: &mut impl Transport,
    ) -> Result<usize, String> {
        let mut bulk_left = bulk_bytes_max;
        while !self.is_flushed() {
            let is_bulk = self.link.is_bulk_next();
            let unsent = self.link.unsent();
            let most = if is_bulk { unsent.len().min(bulk_left) } else { unsent.len() };
            if most == 0 {
                break;
            }
            match transport.write(id, unsent.get(..most).unwrap_or_default())? {
                0 => break,
                count => {
                    self.link.sent(count);
                    if is_bulk {
                        bulk_left -= count.min(bulk_left);
                        self.on_bulk_written(id, count, given);
                    }
                }
            }
        }
        if self.stage == Stage::Closing && self.is_flushed() {
            // Half-closed, so that the other side reads our last words before it sees the end: closing outright while
            // something of theirs is unread would reset the connection and take those words back.
            transport.shut(id)?;
        }
        self.watch(id, transport)?;
        Ok(bulk_bytes_max - bulk_left)
    }

    fn on_bulk_written(&mut self, id: LinkId, count: usize, given: &mut VecDeque<(LinkId, u32)>) {
        if let Some(unwritten) = &mut self.given {
            unwritten.on_written(count);
            self.queue_given(id, given);
        }
    }

    /// Queues blocks that were read, as far as there is room for them.
    fn queue_given(&mut self, id: LinkId, given: &mut VecDeque<(LinkId, u32)>) {
        let Linked { link, given: waiting, .. } = self;
        if let Some(frames) = waiting {
            frames.queue(link, |fetch| given.push_back((id, fetch)));
            if frames.is_over() {
                *waiting = None;
            }
        }
    }

    fn flush_later(&mut self, id: LinkId, unflushed: &mut Vec<LinkId>) {
        if !std::mem::replace(&mut self.is_unflushed, true) {
            unflushed.push(id);
        }
    }

    fn set_timer(&mut self, id: LinkId, timer: Option<Time>, timers: &mut BTreeSet<(Time, LinkId)>) {
        if let Some(due) = std::mem::replace(&mut self.timer, timer) {
            timers.remove(&(due, id));
        }
        if let Some(due) = timer {
            timers.insert((due, id));
        }
    }

    fn watch(&self, id: LinkId, transport: &mut impl Transport) -> Result<(), String> {
        transport.watch(id, self.stage != Stage::Resting, !self.is_flushed())
    }
}

impl Exchange {
    /// The links of a servent that puts up with these dialects.
    #[must_use]
    pub fn servent(accepts: Accepts) -> Exchange {
        Exchange::new(Side::Servent, accepts)
    }

    /// The links of a client that puts up with these dialects.
    #[must_use]
    pub fn client(accepts: Accepts) -> Exchange {
        Exchange::new(Side::Client, accepts)
    }

    fn new(side: Side, accepts: Accepts) -> Exchange {
        Exchange {
            side,
            accepts,
            links: BTreeMap::new(),
            timers: BTreeSet::new(),
            unflushed: Vec::new(),
            heard: VecDeque::new(),
            turns: Turns::default(),
            long_frames: LongFrames::default(),
            given: VecDeque::new(),
            giving: VecDeque::new(),
            drained: VecDeque::new(),
            dropped: VecDeque::new(),
            beside_until: Time::START,
            had_bulk: LinkId(0),
            buffer: Vec::new(),
        }
    }

    /// Whether there are as many connections as there may be, those under way and those that linger among them. A shell
    /// asks before it takes or dials another: here a link begins when it has its socket, and that is too late.
    #[must_use]
    pub fn is_full(&self) -> bool {
        let most = match self.side {
            Side::Servent => CONNECTIONS_MAX,
            Side::Client => CLIENT_CONNECTIONS_MAX,
        };
        self.links.len() >= most
    }

    /// How many connections there are, those under way and those that linger among them.
    #[must_use]
    pub fn connections_count(&self) -> usize {
        self.links.len()
    }

    /// Whether a mind speaks on this link.
    #[must_use]
    pub fn is_known(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(Linked::is_known)
    }

    /// Whether a dial of this link is under way.
    #[must_use]
    pub fn is_connecting(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|linked| linked.stage == Stage::Connecting)
    }

    /// Whether what comes over this link is to be read.
    #[must_use]
    pub fn is_read(&self, link: LinkId) -> bool {
        self.links.get(&link).is_some_and(|linked| !matches!(linked.stage, Stage::Connecting | Stage::Resting))
    }

    /// How many bytes wait to be written on this link; of blocks those that are queued.
    #[must_use]
    pub fn unsent_bytes_count(&self, link: LinkId) -> usize {
        self.links.get(&link).map_or(0, |linked| linked.link.unsent_bytes_count())
    }

    /// Whether nothing is left to be written on any link.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.links.values().all(Linked::is_flushed)
    }

    // ---- connections come ----

    /// A dial is under way; what its link will be for is said now.
    pub fn on_dialled(&mut self, link: LinkId, dialect: Dialect, purpose: Purpose) {
        self.links.insert(link, Linked::new(Link::new(dialect, purpose), Stage::Connecting, None));
    }

    /// The dial succeeded. The mind is told so before what is heard.
    pub fn on_connected(&mut self, link: LinkId) {
        let Some(linked) = self.links.get_mut(&link).filter(|linked| linked.stage == Stage::Connecting) else { return };
        linked.stage = Stage::Standing;
        linked.flush_later(link, &mut self.unflushed);
        // In a dialect where whoever is dialled says nothing there is something to hear at once.
        self.turns.line_up(link, &mut linked.place);
    }

    /// Somebody connected. The mind is told so before what is heard.
    pub fn on_accepted(&mut self, link: LinkId, from: SocketAddr) {
        let purpose = match self.side {
            Side::Servent => Purpose::Standing,
            Side::Client => Purpose::Asking,
        };
        let accepted = Link::accepted(self.accepts, purpose);
        let mut linked = Linked::new(accepted, Stage::Standing, Some(from.ip()));
        // As above.
        self.turns.line_up(link, &mut linked.place);
        self.links.insert(link, linked);
    }

    // ---- bytes come ----

    /// Something may have come over a connection: reads a visit's worth of it, unless something that was read before is
    /// left over. Whether bytes have come.
    pub fn read(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) -> bool {
        self.links.get(&link).is_some_and(|linked| !self.turns.is_left_over(&linked.place))
            && self.read_more(now, link, transport)
    }

    fn read_more(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) -> bool {
        if !self.is_read(link) {
            return false;
        }
        let most = match self.side {
            Side::Servent => READ_BYTES,
            Side::Client => CLIENT_READ_BYTES,
        };
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(most, 0);
        let read = transport.read(link, &mut buffer);
        let has_come = matches!(read, Ok(Some(1..)));
        match read {
            Ok(None) => {}
            Ok(Some(0)) => self.on_closed(now, link, "it closed the connection".to_owned(), transport),
            Ok(Some(count)) => self.receive(link, buffer.get(..count).unwrap_or_default()),
            Err(reason) => self.on_closed(now, link, reason, transport),
        }
        self.buffer = buffer;
        has_come
    }

    /// These bytes have come over a connection.
    pub fn receive(&mut self, link: LinkId, bytes: &[u8]) {
        if let Some(linked) = self.links.get_mut(&link).filter(|linked| linked.is_known()) {
            linked.link.receive(bytes);
            // Whoever rests is lined up when the rest is over.
            if linked.stage == Stage::Standing {
                self.turns.line_up(link, &mut linked.place);
            }
        }
    }

    /// The connection is over, and not because anybody here wanted it. What was heard before is told before, unless it
    /// rests: then nobody is told any more.
    pub fn on_closed(&mut self, now: Time, link: LinkId, reason: String, transport: &mut impl Transport) {
        if let Some(linked) = self.links.get_mut(&link).filter(|linked| linked.is_known()) {
            let is_told = linked.stage == Stage::Standing;
            while let Some(heard) = is_told.then(|| next_of(&mut linked.link)).flatten() {
                let is_last = matches!(heard, Heard::Malformed(_));
                self.heard.push_back((link, heard));
                if is_last {
                    break;
                }
            }
            self.heard.push_back((link, Heard::Closed(reason)));
        }
        self.forget(now, link, transport);
    }

    // ---- the mind is told ----

    /// Whether [`Exchange::next_heard`] may have something in this round.
    #[must_use]
    pub fn may_have_heard(&self) -> bool {
        !self.heard.is_empty() || self.turns.next().is_some()
    }

    /// The next thing for the mind to be told: of each link in its turn, and of none more than a visit's worth before
    /// [`Exchange::on_time`] begins the next round. It is made of its bytes only now, so that what the mind wants of a
    /// link holds for all that was not told yet.
    pub fn next_heard(&mut self, now: Time, transport: &mut impl Transport) -> Option<(LinkId, Heard)> {
        loop {
            if let Some(heard) = self.heard.pop_front() {
                return Some(heard);
            }
            let Some(link) = self.turns.next() else {
                self.turns.on_all_told();
                return None;
            };
            if let Some(heard) = self.visit(now, link, transport) {
                return Some((link, heard));
            }
        }
    }

    /// The next thing that the link says whose turn it is. Nothing ends its turn.
    fn visit(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) -> Option<Heard> {
        let Some(linked) = self.links.get_mut(&link) else {
            self.turns.leave();
            return None;
        };
        if linked.stage != Stage::Standing {
            self.turns.end(&mut linked.place);
            return None;
        }
        // A client's mind is told all there is: what waits to be told is limited where its user is told.
        if self.side == Side::Servent && !self.turns.take_one(&mut linked.place) {
            linked.set_timer(link, None, &mut self.timers);
            self.turns.put_off();
            return None;
        }
        let heard = next_of(&mut linked.link);
        if linked.given.is_none()
            && matches!(&heard, Some(Heard::Message { message, .. }) if !wants_to_be_given(message))
        {
            self.beside_until = now + BESIDE_KEPT;
        }
        match &heard {
            Some(Heard::Message { .. }) if linked.link.is_mid_frame() => return heard,
            Some(Heard::Malformed(_)) => {
                self.turns.end(&mut linked.place);
                return heard;
            }
            _ => self.turns.end(&mut linked.place),
        }
        let is_overdue = self.see_to_the_rest(now, link, transport);
        heard.or_else(|| is_overdue.then_some(Heard::Malformed(WireError::Unfinished)))
    }

    /// All messages of a link that are whole were told: sees to the one that is not. True when it has taken too long.
    fn see_to_the_rest(&mut self, now: Time, id: LinkId, transport: &mut impl Transport) -> bool {
        self.place_frame(now, id, transport);
        if self.side == Side::Client {
            return false;
        }
        let Some(linked) = self.links.get_mut(&id) else { return false };
        // A frame that has begun must end in time. The next one has a time of its own.
        let has_ended_one = linked.link.take_ended_frame();
        if has_ended_one {
            linked.link.spare();
        }
        let due = linked.timer.filter(|_| !has_ended_one).unwrap_or(now + FRAME_WAIT_MAX);
        // It has time again once it may go on.
        let is_timed = linked.link.is_mid_frame() && linked.stage == Stage::Standing;
        let is_overdue = is_timed && due <= now;
        let timer = (is_timed && !is_overdue).then_some(due);
        if linked.timer != timer {
            linked.set_timer(id, timer, &mut self.timers);
        }
        is_overdue
    }

    /// A frame that grows long needs a place, and is not read while it has none. That of whoever was dialled needs none:
    /// it is one, and was chosen. At a servent few may say longer ones than any query is.
    fn place_frame(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) {
        let Some(linked) = self.links.get_mut(&link) else { return };
        let Some(from) = linked.from else { return };
        let long_bytes = match self.side {
            Side::Servent => SERVENT_LONG_BYTES,
            Side::Client => LONG_BYTES,
        };
        let bytes_count = linked.link.received_bytes_count();
        if !self.long_frames.note(now, link, from, bytes_count >= long_bytes) {
            linked.rests.awaits_place = true;
            self.stop_reading(now, link, transport);
        }
        self.admit_long_frames(now, transport);
    }

    /// Goes on reading those who waited for a place and have one now.
    fn admit_long_frames(&mut self, now: Time, transport: &mut impl Transport) {
        while let Some(link) = self.long_frames.admit(now) {
            if let Some(linked) = self.links.get_mut(&link) {
                linked.rests.awaits_place = false;
                if linked.rests.is_wanted {
                    self.long_frames.pause(link);
                }
            }
            self.read_again(now, link, transport);
        }
    }

    // ---- what minds want ----

    /// Does what a servent's mind wants of its links, and gives back what it wants beyond them. What it says is said under
    /// the stamp of the time at which it wanted that ([`overlay::Overlay::stamp`]).
    pub fn perform(
        &mut self,
        now: Time,
        stamp: u64,
        output: overlay::Output,
        transport: &mut impl Transport,
    ) -> Option<Outside> {
        match output {
            overlay::Output::Send { link, message: message @ Message::HashPart(HashPart { fetch, .. }) } => {
                self.give_hashes(now, stamp, link, fetch, &message, transport);
            }
            overlay::Output::Send { link, message } => {
                // What else cannot be said was told to the transport.
                if let Err(SendError::Crowded(_)) = self.say(now, stamp, link, &message, transport) {
                    return Some(Outside::NotBrought { link, message });
                }
            }
            overlay::Output::Flood { links, query } => self.flood(now, stamp, &links, query, transport),
            overlay::Output::Rest { link } => self.rest(now, link, transport),
            overlay::Output::Resume { link } => self.resume(now, link, transport),
            overlay::Output::Close { link } => self.close(now, link, transport),
            overlay::Output::Dial { dial, address, dialect } => return Some(Outside::Dial { dial, address, dialect }),
            overlay::Output::Disk(job) => return Some(Outside::Disk(job)),
            overlay::Output::Event(event) => return Some(Outside::Event(event)),
        }
        None
    }

    /// Does what a client's mind wants of its links, and gives back what it wants beyond them.
    pub fn perform_for_client(
        &mut self,
        now: Time,
        output: session::Output,
        transport: &mut impl Transport,
    ) -> Option<Beyond> {
        match output {
            session::Output::Send { link, message } => {
                if let Err(error) = self.send(now, link, &message, transport) {
                    // There is one thing a client asks of a link: one that it cannot be asked of is of no use.
                    self.on_closed(now, link, error.to_string(), transport);
                }
            }
            session::Output::Close { link } => self.close(now, link, transport),
            session::Output::Dial { fetch, address } => return Some(Beyond::Dial { fetch, address }),
            session::Output::Tell(report) => return Some(Beyond::Tell(report)),
        }
        None
    }

    /// Says something on a link, as somebody without a clock. There is nobody to tell where no mind speaks on it any more;
    /// what cannot be said there is dropped, and told; a link that takes no more is lost.
    pub fn send(
        &mut self,
        now: Time,
        link: LinkId,
        message: &Message,
        transport: &mut impl Transport,
    ) -> Result<(), SendError> {
        self.say(now, 0, link, message, transport)
    }

    fn say(
        &mut self,
        now: Time,
        stamp: u64,
        link: LinkId,
        message: &Message,
        transport: &mut impl Transport,
    ) -> Result<(), SendError> {
        self.queue(now, link, message, |link| link.say(stamp, message), transport)
    }

    /// Says the same on many links, encoded once in each dialect.
    fn flood(&mut self, now: Time, stamp: u64, links: &[LinkId], query: Arc<Query>, transport: &mut impl Transport) {
        let message = Message::Query(query);
        let mut frames: Vec<(Dialect, Result<Frame, EncodeError>)> = Vec::new();
        for link in links {
            let Some(linked) = self.links.get(link) else { continue };
            let dialect = linked.link.dialect();
            if !frames.iter().any(|(encoded, _)| *encoded == dialect) {
                frames.push((dialect, Frame::at(Position::Later, dialect, stamp, &message)));
            }
            let Some((_, frame)) = frames.iter().find(|(encoded, _)| *encoded == dialect) else { continue };
            let say = |link: &mut Link| link.send_frame(frame.as_ref().map_err(Clone::clone)?);
            // What cannot be said was told to the transport.
            let _ = self.queue(now, *link, &message, say, transport);
        }
    }

    fn queue(
        &mut self,
        now: Time,
        id: LinkId,
        message: &Message,
        say: impl Fn(&mut Link) -> Result<(), SendError>,
        transport: &mut impl Transport,
    ) -> Result<(), SendError> {
        let Some(linked) = self.links.get_mut(&id).filter(|linked| linked.is_known()) else { return Ok(()) };
        let mut said = say(&mut linked.link);
        if matches!(said, Err(SendError::Full(_) | SendError::Crowded(_))) {
            // Much was queued since the last flush: what counts is what the other end leaves unread, not our turn, nor that of a
            // block that was begun.
            let begun_bytes = linked.link.begun_bulk_bytes_count();
            if let Err(reason) = linked.write(id, begun_bytes, &mut self.given, transport) {
                self.on_unwritable(now, id, reason, transport);
                return Ok(());
            }
            said = say(&mut linked.link);
        }
        transport.on_said(id, message, &said);
        match said {
            Ok(()) => {
                linked.flush_later(id, &mut self.unflushed);
                Ok(())
            }
            Err(error @ SendError::Full(_)) => {
                self.on_closed(now, id, error.to_string(), transport);
                Ok(())
            }
            Err(error) => Err(error),
        }
    }

    /// Blocks were read for a fetch: they are queued as there is room for them, and once all of them are the mind is told
    /// ([`Exchange::take_given`]). Where no mind speaks on the link any more they are dropped, and that is told as well: once
    /// for each time something was given.
    pub fn give(
        &mut self,
        now: Time,
        stamp: u64,
        link: LinkId,
        fetch: u32,
        blocks: impl IntoIterator<Item = (u32, BlockBytes)>,
    ) {
        let Some(linked) = self.links.get_mut(&link).filter(|linked| linked.is_known()) else {
            return self.dropped.push_back((link, fetch));
        };
        let dialect = linked.link.dialect();
        let frames =
            blocks.into_iter().filter_map(|(block, bytes)| Frame::block(dialect, stamp, fetch, block, bytes).ok());
        let frames = frames.collect();
        self.give_frames(now, link, fetch, frames);
    }

    /// The same with hashes, which are said by the mind: whoever does not read them has no more of them queued than of blocks.
    fn give_hashes(
        &mut self,
        now: Time,
        stamp: u64,
        link: LinkId,
        fetch: u32,
        message: &Message,
        transport: &mut impl Transport,
    ) {
        let Some(linked) = self.links.get(&link).filter(|linked| linked.is_known()) else {
            return self.dropped.push_back((link, fetch));
        };
        let frame = Frame::at(Position::Later, linked.link.dialect(), stamp, message);
        let said = frame.as_ref().map(|_| ()).map_err(|error| error.clone().into());
        transport.on_said(link, message, &said);
        self.give_frames(now, link, fetch, frame.into_iter().collect());
    }

    fn give_frames(&mut self, now: Time, link: LinkId, fetch: u32, frames: VecDeque<Frame>) {
        let Some(linked) = self.links.get_mut(&link) else { return };
        linked.given.get_or_insert_with(|| Box::new(Given::since(now))).push(fetch, frames);
        linked.queue_given(link, &mut self.given);
        let waiting = linked.given.iter().flat_map(|given| given.waiting());
        self.giving.extend(waiting.filter(|waiting| *waiting == fetch).map(|fetch| (link, fetch)));
        linked.flush_later(link, &mut self.unflushed);
    }

    /// For which fetch something was given that waits to be queued: it is its client that has to take something now.
    pub fn take_giving(&mut self) -> Option<(LinkId, u32)> {
        self.giving.pop_front()
    }

    /// For which fetch something was given that is not written yet, be it queued or not, while its link takes some of that or of
    /// what is before it; as often as [`GIVING_TOLD_EVERY`]. Whether its client is too slow is for its mind to say.
    pub fn take_drained(&mut self) -> Option<(LinkId, u32)> {
        self.drained.pop_front()
    }

    /// Of which fetch nothing waits any more that was given for it. Of those whose link is gone it is said behind that: or their
    /// mind would have more read for them.
    pub fn take_given(&mut self) -> Option<(LinkId, u32)> {
        let given = self.given.pop_front();
        given.or_else(|| if self.heard.is_empty() { self.dropped.pop_front() } else { None })
    }

    /// A link is gone, and with it what waited to be queued on it.
    fn drop_given(&mut self, link: LinkId, waiting: Option<&Given>) {
        let is_gone = |(of, _): &(LinkId, u32)| *of == link;
        self.dropped.extend(self.given.iter().copied().filter(is_gone));
        self.given.retain(|given| !is_gone(given));
        self.giving.retain(|giving| !is_gone(giving));
        self.drained.retain(|drained| !is_gone(drained));
        self.dropped.extend(waiting.iter().flat_map(|given| given.waiting()).map(|fetch| (link, fetch)));
    }

    /// Its mind wants nothing more of it for now.
    fn rest(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) {
        // Also of one that is over already: its mind has yet to hear so, and nothing else.
        self.heard.retain(|(heard_on, heard)| *heard_on != link || matches!(heard, Heard::Closed(_)));
        let Some(linked) = self.links.get_mut(&link).filter(|linked| linked.is_known()) else { return };
        linked.rests.is_wanted = true;
        // It cannot go on with a frame that has begun, and keeps its place for that.
        self.long_frames.pause(link);
        self.stop_reading(now, link, transport);
    }

    /// Nothing is read of a link that has a reason to rest.
    fn stop_reading(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) {
        let Some(linked) = self.links.get_mut(&link).filter(|linked| linked.stage == Stage::Standing) else { return };
        linked.stage = Stage::Resting;
        linked.set_timer(link, None, &mut self.timers);
        linked.link.spare();
        self.watch(now, link, transport);
    }

    /// Its mind wants it to go on.
    fn resume(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) {
        let Some(linked) = self.links.get_mut(&link) else { return };
        linked.rests.is_wanted = false;
        self.long_frames.go_on(now, link);
        self.read_again(now, link, transport);
    }

    /// A link goes on that has no reason to rest any more.
    fn read_again(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) {
        let is_over = |linked: &&mut Linked| linked.stage == Stage::Resting && linked.rests == Rests::default();
        let Some(linked) = self.links.get_mut(&link).filter(is_over) else { return };
        linked.stage = Stage::Standing;
        // What was read before is told without a new byte, and a frame that had begun is timed from then on: nobody could
        // have ended it meanwhile.
        self.turns.line_up(link, &mut linked.place);
        self.watch(now, link, transport);
    }

    /// The mind wants the link closed: what is queued is sent, and nothing after it.
    pub fn close(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) {
        // Also of one that is over already: its mind has yet to hear so, and all that came before.
        self.heard.retain(|(heard_on, _)| *heard_on != link);
        let Some(linked) = self.links.get_mut(&link).filter(|linked| linked.is_known()) else { return };
        match self.side {
            Side::Servent => {
                linked.stage = Stage::Closing;
                linked.link.drop_received();
                linked.link.drop_bulk();
                linked.set_timer(link, Some(now + LINGER_MAX), &mut self.timers);
                linked.flush_later(link, &mut self.unflushed);
                let waiting = linked.given.take();
                self.drop_given(link, waiting.as_deref());
            }
            Side::Client => {
                // What is not written now is not said: nobody waits for it.
                let _ = linked.write(link, 0, &mut self.given, transport);
                self.forget(now, link, transport);
            }
        }
    }

    /// Dials that are under way are not wanted any more.
    pub fn drop_dials(&mut self, now: Time, transport: &mut impl Transport) {
        let is_dial = |(_, linked): &(&LinkId, &Linked)| linked.stage == Stage::Connecting;
        let dials: Vec<LinkId> = self.links.iter().filter(is_dial).map(|(link, _)| *link).collect();
        for link in dials {
            self.forget(now, link, transport);
        }
    }

    // ---- bytes leave ----

    /// There may be room for what could not be written.
    pub fn on_writable(&mut self, link: LinkId) {
        if let Some(linked) = self.links.get_mut(&link).filter(|linked| !linked.is_flushed()) {
            linked.flush_later(link, &mut self.unflushed);
        }
    }

    /// Whether [`Exchange::flush`] has something to do.
    #[must_use]
    pub fn is_unflushed(&self) -> bool {
        !self.unflushed.is_empty()
    }

    /// Writes once to every connection something was queued for. Those with blocks share what is written of these in a turn;
    /// where there are too many for that, as many as get some are in turn.
    pub fn flush(&mut self, now: Time, transport: &mut impl Transport) {
        let mut with_bulk = Vec::new();
        while let Some(link) = self.unflushed.pop() {
            let Some(linked) = self.links.get_mut(&link) else { continue };
            linked.is_unflushed = false;
            if linked.link.bulk_bytes_count() > 0 {
                with_bulk.push(link);
            } else {
                self.write(now, link, 0, transport);
            }
        }
        let mut bytes_left = if now < self.beside_until { BULK_TURN_BYTES_BESIDE } else { BULK_TURN_BYTES };
        let each_bytes = (bytes_left / with_bulk.len().max(1)).max(BULK_VISIT_BYTES_MIN);
        // Whoever had some last is the last of them.
        with_bulk.sort_unstable_by_key(|link| (*link <= self.had_bulk, *link));
        for link in with_bulk {
            let written = self.write(now, link, each_bytes.min(bytes_left), transport);
            if written > 0 {
                bytes_left -= written;
                self.had_bulk = link;
                self.on_drained(now, link);
            }
        }
    }

    /// Blocks were written: whatever is left of them on that link, or waits behind them, is nearer to be.
    fn on_drained(&mut self, now: Time, link: LinkId) {
        let given = self.links.get_mut(&link).and_then(|linked| linked.given.as_deref_mut());
        if let Some(given) = given
            && given.is_drained(now)
        {
            self.drained.extend(given.unwritten().map(|fetch| (link, fetch)));
        }
    }

    /// Writes to a connection, of blocks so many bytes. How many of them it were.
    fn write(&mut self, now: Time, link: LinkId, bulk_bytes_max: usize, transport: &mut impl Transport) -> usize {
        let Some(linked) = self.links.get_mut(&link) else { return 0 };
        let written = linked.write(link, bulk_bytes_max, &mut self.given, transport);
        written.unwrap_or_else(|reason| {
            self.on_unwritable(now, link, reason, transport);
            0
        })
    }

    /// Nothing can be written any more. What had come before is heard first: whoever brought an answer and left did not
    /// stay for what is said to it.
    fn on_unwritable(&mut self, now: Time, link: LinkId, reason: String, transport: &mut impl Transport) {
        self.read_more(now, link, transport);
        self.on_closed(now, link, reason, transport);
    }

    fn watch(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) {
        if let Some(Err(reason)) = self.links.get(&link).map(|linked| linked.watch(link, transport)) {
            self.on_closed(now, link, reason, transport);
        }
    }

    // ---- time ----

    /// When there is next something to be heard, or [`Exchange::on_time`] has something to do. It may be early, never
    /// late.
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let has_given = [&self.giving, &self.drained, &self.given, &self.dropped].iter().any(|news| !news.is_empty());
        if self.may_have_heard() || self.turns.has_left_over() || has_given {
            return Some(Time::START);
        }
        let timer = self.timers.first().map(|(due, _)| *due);
        [timer, self.long_frames.deadline()].into_iter().flatten().min()
    }

    /// Begins the next round for those who had more to say than a visit's worth, and ends what has lasted too long, a
    /// turn's worth of it.
    pub fn on_time(&mut self, now: Time, transport: &mut impl Transport) {
        self.turns.begin_round();
        for _ in 0..TIMERS_PER_TURN {
            let Some((due, link)) = self.timers.first().copied().filter(|(due, _)| *due <= now) else { break };
            self.timers.remove(&(due, link));
            let Some(linked) = self.links.get_mut(&link) else { continue };
            match linked.stage {
                // Its other half may have come: that is seen when it is its turn.
                Stage::Standing if linked.place.is_waiting() => {}
                Stage::Standing => {
                    linked.timer = None;
                    self.heard.push_back((link, Heard::Malformed(WireError::Unfinished)));
                }
                Stage::Closing => self.forget(now, link, transport),
                // A dial has no timer here: how long it may take is told to the system. Nor has whoever rests.
                Stage::Connecting | Stage::Resting => {}
            }
        }
        while let Some(link) = self.long_frames.overdue(now) {
            let reason = "it did not end its message, and others waited to begin theirs".to_owned();
            self.on_closed(now, link, reason, transport);
        }
    }

    // ---- connections go ----

    /// A connection is no concern of anybody here any more: its dial failed, or its machine knows nothing of it. Nobody
    /// is told.
    pub fn forget(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) {
        if let Some(mut linked) = self.links.remove(&link) {
            linked.set_timer(link, None, &mut self.timers);
            self.drop_given(link, linked.given.take().as_deref());
            transport.close(link);
            self.long_frames.forget(link);
            self.admit_long_frames(now, transport);
        }
    }
}

/// Whether somebody says that to be given blocks, as whoever is given some does again and again.
fn wants_to_be_given(message: &Message) -> bool {
    matches!(message, Message::Open(_) | Message::HashesWanted(_) | Message::BlocksWanted(_))
}

/// The next thing that a link's bytes come to.
fn next_of(link: &mut Link) -> Option<Heard> {
    match link.next_stamped() {
        Ok(stamped) => stamped.map(|(stamp, message)| Heard::Message { stamp, message }),
        Err(error) => Some(Heard::Malformed(error)),
    }
}
