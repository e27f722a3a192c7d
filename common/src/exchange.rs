//! All links of one end: every rule about bytes and time, once, for whatever shell moves the bytes and tells the time.
//!
//! It stands between a mind, which decides what is said to whom, and the connections of a shell ([`Transport`]). It
//! says what a dial is for, how far each link is and how long it may stay so; it encodes once what goes to many, keeps
//! what waits within its limit, and turns bytes into what a mind is told. It does not know what a message means, and has
//! no socket, clock or randomness.

mod long_frames;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use crate::dialect::Dialect;
use crate::disk::Job;
use crate::limits::{CLIENT_CONNECTIONS_MAX, CONNECTIONS_MAX, FRAME_WAIT_MAX, LINGER_MAX};
use crate::link::{Link, LinkId, Purpose, SendError};
use crate::message::Message;
use crate::overlay::{self, Dial};
use crate::query::Query;
use crate::session::{self, Report};
use crate::time::Time;
use crate::wire::{Accepts, EncodeError, Frame, WireError};

use long_frames::LongFrames;

/// Bytes read in one turn of one connection: some hundred queries. What is left is read in the next turn: one that sends
/// as fast as it can takes its share of the loop and no more, and everybody else waits for no more than that.
pub const READ_BYTES: usize = 16 * 1024;
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
    Message(Message),
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
            Heard::Message(message) => overlay::Input::Received { link, message },
            Heard::Malformed(error) => overlay::Input::Malformed { link, error },
            Heard::Closed(reason) => overlay::Input::Closed { link, reason },
        }
    }

    /// The same in the words of a client's mind.
    #[must_use]
    pub fn for_client(self, link: LinkId) -> session::Input {
        match self {
            Heard::Message(message) => session::Input::Received { link, message },
            Heard::Malformed(error) => session::Input::Malformed { link, error },
            Heard::Closed(reason) => session::Input::Closed { link, reason },
        }
    }
}

/// What a servent's mind wants beyond its links, which is for the shell to do.
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
    heard: VecDeque<(LinkId, Heard)>,
    long_frames: LongFrames,
    /// Room to read into; none until something is read.
    buffer: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Side {
    /// Times half frames, and lingers after a close.
    Servent,
    /// Lets so many frames grow long at once, and just closes: it says hardly anything that could be lost.
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
    /// Whose it is, where it came by itself.
    from: Option<IpAddr>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// Our dial is under way. The mind does not know the link yet. The system ends it in time.
    Connecting,
    /// The mind speaks on it. A servent's timer runs while a frame has begun and not ended.
    Standing,
    /// The same, but nothing is read from it: until its timer ends, or until a long frame may go on.
    Resting,
    /// The mind has closed it; its last words are on their way, and what comes is discarded. A timer always runs.
    Closing,
}

impl Linked {
    fn new(link: Link, stage: Stage, from: Option<IpAddr>) -> Linked {
        Linked { link, stage, timer: None, is_unflushed: false, from }
    }

    /// Whether a mind knows the link and counts on it.
    fn is_known(&self) -> bool {
        matches!(self.stage, Stage::Standing | Stage::Resting)
    }

    fn is_flushed(&self) -> bool {
        self.link.unsent().is_empty()
    }

    /// Writes what the connection takes, and waits for room for the rest.
    fn write(&mut self, id: LinkId, transport: &mut impl Transport) -> Result<(), String> {
        while !self.is_flushed() {
            match transport.write(id, self.link.unsent())? {
                0 => break,
                count => self.link.sent(count),
            }
        }
        if self.stage == Stage::Closing && self.is_flushed() {
            // Half-closed, so that the other side reads our last words before it sees the end: closing outright while
            // something of theirs is unread would reset the connection and take those words back.
            transport.shut(id)?;
        }
        self.watch(id, transport)
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
            long_frames: LongFrames::default(),
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

    /// How many bytes wait to be written on this link.
    #[must_use]
    pub fn unsent_bytes_count(&self, link: LinkId) -> usize {
        self.links.get(&link).map_or(0, |linked| linked.link.unsent().len())
    }

    /// Whether nothing is left to be written on any link.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.links.values().all(Linked::is_flushed)
    }

    // ---- connections come ----

    /// A dial is under way; what its link will be for is said now.
    pub fn on_dialled(&mut self, link: LinkId, dialect: Dialect, purpose: Purpose) {
        self.add(link, Linked::new(Link::new(dialect, purpose), Stage::Connecting, None));
    }

    /// Apart from what is compiled with each kind of transport.
    fn add(&mut self, link: LinkId, linked: Linked) {
        self.links.insert(link, linked);
    }

    /// The dial succeeded. The mind is told so before what is heard.
    pub fn on_connected(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) {
        let Some(linked) = self.links.get_mut(&link).filter(|linked| linked.stage == Stage::Connecting) else { return };
        linked.stage = Stage::Standing;
        linked.flush_later(link, &mut self.unflushed);
        // In a dialect where whoever is dialled says nothing there is something to hear at once.
        self.hear(now, link, transport);
    }

    /// Somebody connected. The mind is told so before what is heard.
    pub fn on_accepted(&mut self, now: Time, link: LinkId, from: SocketAddr, transport: &mut impl Transport) {
        let purpose = match self.side {
            Side::Servent => Purpose::Standing,
            Side::Client => Purpose::Asking,
        };
        let accepted = Link::accepted(self.accepts, purpose);
        self.add(link, Linked::new(accepted, Stage::Standing, Some(from.ip())));
        self.hear(now, link, transport);
    }

    // ---- bytes come ----

    /// Something may have come over a connection: reads a turn's worth of it.
    pub fn read(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) {
        if !self.is_read(link) {
            return;
        }
        let mut buffer = std::mem::take(&mut self.buffer);
        buffer.resize(READ_BYTES, 0);
        match transport.read(link, &mut buffer) {
            Ok(None) => {}
            Ok(Some(0)) => self.on_closed(now, link, "it closed the connection".to_owned(), transport),
            Ok(Some(count)) => self.receive(now, link, buffer.get(..count).unwrap_or_default(), transport),
            Err(reason) => self.on_closed(now, link, reason, transport),
        }
        self.buffer = buffer;
    }

    /// These bytes have come over a connection.
    pub fn receive(&mut self, now: Time, link: LinkId, bytes: &[u8], transport: &mut impl Transport) {
        if let Some(linked) = self.links.get_mut(&link).filter(|linked| linked.is_known()) {
            linked.link.receive(bytes);
            self.hear(now, link, transport);
        }
    }

    /// The connection is over, and not because anybody here wanted it. What was heard before is told before.
    pub fn on_closed(&mut self, now: Time, link: LinkId, reason: String, transport: &mut impl Transport) {
        if self.is_known(link) {
            self.heard.push_back((link, Heard::Closed(reason)));
        }
        self.forget(now, link, transport);
    }

    /// The next thing for the mind to be told.
    pub fn next_heard(&mut self) -> Option<(LinkId, Heard)> {
        self.heard.pop_front()
    }

    /// Takes the messages that are whole, and sees to the one that is not.
    fn hear(&mut self, now: Time, id: LinkId, transport: &mut impl Transport) {
        let Some(linked) = self.links.get_mut(&id) else { return };
        loop {
            match linked.link.next_message() {
                Ok(Some(message)) => self.heard.push_back((id, Heard::Message(message))),
                Ok(None) => break,
                Err(error) => {
                    self.heard.push_back((id, Heard::Malformed(error)));
                    break;
                }
            }
        }
        let has_ended_one = linked.link.take_ended_frame();
        match self.side {
            Side::Servent => {
                // A frame that has begun must end in time. The next one has a time of its own.
                match linked.timer {
                    _ if linked.stage != Stage::Standing => {}
                    _ if !linked.link.is_mid_frame() => linked.set_timer(id, None, &mut self.timers),
                    Some(_) if !has_ended_one => {}
                    _ => linked.set_timer(id, Some(now + FRAME_WAIT_MAX), &mut self.timers),
                }
            }
            Side::Client => self.place_frame(now, id, transport),
        }
    }

    /// A frame that grows long needs a place, and is not read while it has none. That of whoever was dialled needs none:
    /// it is one, and was chosen.
    fn place_frame(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) {
        let Some(linked) = self.links.get_mut(&link) else { return };
        let Some(from) = linked.from else { return };
        if !self.long_frames.note(now, link, from, linked.link.received_bytes_count()) {
            linked.stage = Stage::Resting;
            self.watch(now, link, transport);
        }
        self.admit_long_frames(now, transport);
    }

    /// Goes on reading those who waited for a place and have one now.
    fn admit_long_frames(&mut self, now: Time, transport: &mut impl Transport) {
        while let Some(link) = self.long_frames.admit(now) {
            self.end_rest(now, link, transport);
        }
    }

    // ---- what minds want ----

    /// Does what a servent's mind wants of its links, and gives back what it wants beyond them.
    pub fn perform(&mut self, now: Time, output: overlay::Output, transport: &mut impl Transport) -> Option<Outside> {
        match output {
            overlay::Output::Send { link, message } => {
                // What cannot be said was told to the transport.
                let _ = self.send(now, link, &message, transport);
            }
            overlay::Output::Flood { links, query } => self.flood(now, &links, query, transport),
            overlay::Output::Rest { link, until } => self.rest(now, link, until, transport),
            overlay::Output::Close { link } => self.close(now, link, transport),
            overlay::Output::Dial { dial, address, dialect } => return Some(Outside::Dial { dial, address, dialect }),
            overlay::Output::Disk(job) => return Some(Outside::Disk(job)),
        }
        None
    }

    /// Does what a client's mind wants of its links, and gives back what its person is to be told.
    pub fn perform_for_client(
        &mut self,
        now: Time,
        output: session::Output,
        transport: &mut impl Transport,
    ) -> Option<Report> {
        match output {
            session::Output::Send { link, message } => {
                if let Err(error) = self.send(now, link, &message, transport) {
                    // There is one thing a client asks of a link: one that it cannot be asked of is of no use.
                    self.on_closed(now, link, error.to_string(), transport);
                }
            }
            session::Output::Close { link } => self.close(now, link, transport),
            session::Output::Tell(report) => return Some(report),
        }
        None
    }

    /// Says something on a link. There is nobody to tell where no mind speaks on it any more; what cannot be said there
    /// is dropped, and told; a link that takes no more is lost.
    pub fn send(
        &mut self,
        now: Time,
        link: LinkId,
        message: &Message,
        transport: &mut impl Transport,
    ) -> Result<(), SendError> {
        self.queue(now, link, message, |link| link.send(message), transport)
    }

    /// Says the same on many links, encoded once in each dialect.
    fn flood(&mut self, now: Time, links: &[LinkId], query: Arc<Query>, transport: &mut impl Transport) {
        let message = Message::Query(query);
        let mut frames: Vec<(Dialect, Result<Frame, EncodeError>)> = Vec::new();
        for link in links {
            let Some(linked) = self.links.get(link) else { continue };
            let dialect = linked.link.dialect();
            if !frames.iter().any(|(encoded, _)| *encoded == dialect) {
                frames.push((dialect, Frame::new(dialect, &message)));
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
        if matches!(said, Err(SendError::Full(_))) {
            // Much was queued since the last flush: what counts is what the other end leaves unread, not our turn.
            if let Err(reason) = linked.write(id, transport) {
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

    fn rest(&mut self, now: Time, link: LinkId, until: Time, transport: &mut impl Transport) {
        let Some(linked) = self.links.get_mut(&link) else { return };
        match linked.stage {
            Stage::Standing => log::debug!("{link} asks faster than it may: it is not read for a while"),
            Stage::Resting => {}
            Stage::Connecting | Stage::Closing => return,
        }
        linked.stage = Stage::Resting;
        linked.set_timer(link, Some(until), &mut self.timers);
        self.watch(now, link, transport);
    }

    fn end_rest(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) {
        let Some(linked) = self.links.get_mut(&link) else { return };
        linked.stage = Stage::Standing;
        // A frame that had begun before is timed from now on: nobody could have ended it meanwhile.
        let is_timed = self.side == Side::Servent && linked.link.is_mid_frame();
        linked.set_timer(link, is_timed.then(|| now + FRAME_WAIT_MAX), &mut self.timers);
        self.watch(now, link, transport);
    }

    /// The mind wants the link closed: what is queued is sent, and nothing after it.
    fn close(&mut self, now: Time, link: LinkId, transport: &mut impl Transport) {
        // Also of one that is over already: its mind has yet to hear so, and all that came before.
        self.heard.retain(|(heard_on, _)| *heard_on != link);
        let Some(linked) = self.links.get_mut(&link).filter(|linked| linked.is_known()) else { return };
        match self.side {
            Side::Servent => {
                linked.stage = Stage::Closing;
                linked.set_timer(link, Some(now + LINGER_MAX), &mut self.timers);
                linked.flush_later(link, &mut self.unflushed);
            }
            Side::Client => {
                // What is not written now is not said: nobody waits for it.
                let _ = linked.write(link, transport);
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

    /// Writes once to every connection something was queued for.
    pub fn flush(&mut self, now: Time, transport: &mut impl Transport) {
        while let Some(link) = self.unflushed.pop() {
            let Some(linked) = self.links.get_mut(&link) else { continue };
            linked.is_unflushed = false;
            if let Err(reason) = linked.write(link, transport) {
                self.on_unwritable(now, link, reason, transport);
            }
        }
    }

    /// Nothing can be written any more. What had come before is heard first: whoever brought an answer and left did not
    /// stay for what is said to it.
    fn on_unwritable(&mut self, now: Time, link: LinkId, reason: String, transport: &mut impl Transport) {
        self.read(now, link, transport);
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
        if !self.heard.is_empty() {
            return Some(Time::START);
        }
        let timer = self.timers.first().map(|(due, _)| *due);
        [timer, self.long_frames.deadline()].into_iter().flatten().min()
    }

    /// Ends what has lasted too long, a turn's worth of it.
    pub fn on_time(&mut self, now: Time, transport: &mut impl Transport) {
        for _ in 0..TIMERS_PER_TURN {
            let Some((due, link)) = self.timers.first().copied().filter(|(due, _)| *due <= now) else { break };
            self.timers.remove(&(due, link));
            let Some(linked) = self.links.get_mut(&link) else { continue };
            linked.timer = None;
            match linked.stage {
                Stage::Standing => self.heard.push_back((link, Heard::Malformed(WireError::Unfinished))),
                Stage::Resting => self.end_rest(now, link, transport),
                Stage::Closing => self.forget(now, link, transport),
                // A dial has no timer here: how long it may take is told to the system.
                Stage::Connecting => {}
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
            transport.close(link);
            self.long_frames.forget(link);
            self.admit_long_frames(now, transport);
        }
    }
}
