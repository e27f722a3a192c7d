//! How answers reach clients of other servents: a link to each answer address, dialled when needed and kept for later.
//!
//! The client speaks first on such a link: until it has said hello, the address receives no byte, so naming a
//! stranger's address in a query makes nobody send it anything. An address that fails is left alone for a growing
//! while. In some dialects a client never speaks: it gets each answer over a connection of its own, tried several times
//! because most open their port late. What is answered is `search`; a servent's own clients are answered over the link they asked
//! on.
//!
//! Whoever names addresses can name many, and addresses that swallow packets: dials, addresses and waiting bytes are
//! [`Shares`], so that others find what they need all the same.

mod dials;
mod remembered;
mod shares;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::address::AnswerAddress;
use crate::dialect::{Answers, Dialect};
use crate::features::Features;
use crate::limits::{
    ANSWER_ADDRESSES_MAX, ANSWER_IDLE_MAX, ANSWER_LINKS_MAX, ANSWER_QUEUED_BYTES_MAX, ANSWER_REST_MAX, ANSWER_REST_MIN,
    ANSWERS_QUEUED_BYTES_MAX, HELLO_WAIT_MAX,
};
use crate::link::LinkId;
use crate::message::{Goodbye, Hello, Message, Role};
use crate::overlay::doors::{Dial, Outbox};
use crate::overlay::log_names::{QUERY_LOG, STRANGERS_LOG};
use crate::query::{Answer, AnswerBody, QueryId};
use crate::time::Time;

use dials::{Dials, Past};
use remembered::Remembered;
use shares::{Network, Shares};

#[derive(Debug)]
pub(super) struct Calls {
    destinations: BTreeMap<SocketAddr, Destination>,
    /// The same, as counted.
    addresses: Shares<Network>,
    by_link: BTreeMap<LinkId, SocketAddr>,
    dials: Dials,
    queued_bytes: Shares<Network>,
    timers: BTreeSet<(Time, SocketAddr)>,
    remembered: Remembered,
    pub(super) undelivered_count: u64,
}

#[derive(Debug)]
struct Destination {
    dialect: Dialect,
    state: State,
    queue: VecDeque<Answer>,
    queued_bytes: usize,
    /// When the state ends by itself; kept in `timers` too.
    timer: Option<Time>,
    /// Failures in a row, each of them after all tries.
    failures: u32,
    /// Failed tries in a row.
    tries: u32,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// For a free dial.
    Waiting,
    Dialling(Past),
    /// Connected; the client has yet to speak, and until then the dial is not over.
    Silent(LinkId, Past),
    /// The client has said hello, and what it understands.
    Open {
        link: LinkId,
        features: Features,
    },
    /// It failed and is left alone.
    Resting,
    /// It failed not long ago; the next answer is dialled for, and the next failure counts on.
    Remembered,
}

impl Default for Calls {
    fn default() -> Calls {
        Calls {
            destinations: BTreeMap::new(),
            addresses: Shares::new(ANSWER_ADDRESSES_MAX),
            by_link: BTreeMap::new(),
            dials: Dials::default(),
            queued_bytes: Shares::new(ANSWERS_QUEUED_BYTES_MAX),
            timers: BTreeSet::new(),
            remembered: Remembered::default(),
            undelivered_count: 0,
        }
    }
}

impl Calls {
    /// Sends an answer on its way, now or once the client has been reached. False when a limit refuses it, or when it is
    /// known that the client would not understand it.
    pub(super) fn deliver(&mut self, now: Time, to: AnswerAddress, answer: Answer, out: &mut Outbox<'_>) -> bool {
        let AnswerAddress { socket: to, dialect } = to;
        if let Some(Destination { state: State::Open { link, features }, .. }) = self.destinations.get(&to) {
            if !features.include(answer.body.needs()) {
                return false;
            }
            say(*link, to, answer, out);
            self.set_timer(to, Some(now + ANSWER_IDLE_MAX));
            return true;
        }
        // A client that says nothing there has offered nothing.
        if dialect.manners().answers != Answers::Kept && !Features::NONE.include(answer.body.needs()) {
            return false;
        }
        let network = Network::of(to.ip());
        let bytes = weight(&answer);
        let queued_bytes = self.destinations.get(&to).map_or(0, |destination| destination.queued_bytes);
        if queued_bytes + bytes > ANSWER_QUEUED_BYTES_MAX || !self.queued_bytes.has_room(network, bytes) {
            return false;
        }
        let known = self.destinations.contains_key(&to);
        if !known {
            if !self.make_room_for_another(network) {
                return false;
            }
            self.addresses.take(network, 1);
        }
        let destination = self.destinations.entry(to).or_insert_with(|| Destination::new(dialect));
        if destination.queue.is_empty() && !matches!(destination.state, State::Dialling(_)) {
            // The client there may be another than the one the address was first known for.
            destination.dialect = dialect;
        }
        destination.queue.push_back(answer);
        destination.queued_bytes += bytes;
        self.queued_bytes.take(network, bytes);
        if !known || destination.state == State::Remembered {
            self.set_timer(to, None);
            self.ask_for_dial(to);
            self.dial_waiting(out);
        }
        true
    }

    /// Whether this link leads to a client's answer address.
    pub(super) fn knows(&self, link: LinkId) -> bool {
        self.by_link.contains_key(&link)
    }

    pub(super) fn on_opened(&mut self, now: Time, to: SocketAddr, link: LinkId, out: &mut Outbox<'_>) {
        let Some(destination) = self.destinations.get_mut(&to) else { return out.close(link) };
        let State::Dialling(past) = destination.state else { return out.close(link) };
        if destination.answers() == Answers::Kept {
            destination.state = State::Silent(link, past);
            self.by_link.insert(link, to);
            self.set_timer(to, Some(now + HELLO_WAIT_MAX));
        } else {
            destination.failures = 0;
            destination.tries = 0;
            self.dials.end(to, past);
            self.deliver_alone(to, link, out);
            self.dial_waiting(out);
        }
    }

    pub(super) fn on_dial_failed(
        &mut self,
        now: Time,
        to: SocketAddr,
        refused: bool,
        reason: &str,
        out: &mut Outbox<'_>,
    ) {
        let Some(destination) = self.destinations.get_mut(&to) else { return };
        let State::Dialling(past) = destination.state else { return };
        // An address that does not even refuse is not tried again at once: each try would hold one of the dials for
        // long.
        match destination.answers() {
            Answers::Alone { tries_max, pause } if refused && destination.tries < tries_max => {
                self.dials.end(to, past);
                destination.tries += 1;
                destination.state = State::Resting;
                self.set_timer(to, Some(now + pause));
            }
            Answers::Alone { .. } | Answers::Kept => self.fail(now, to, past, reason),
        }
        self.dial_waiting(out);
    }

    pub(super) fn on_message(&mut self, now: Time, link: LinkId, message: &Message, own: &Hello, out: &mut Outbox<'_>) {
        let Some(to) = self.by_link.get(&link).copied() else {
            return;
        };
        let Some(destination) = self.destinations.get_mut(&to) else {
            return;
        };
        match (destination.state, message) {
            (State::Silent(_, past), Message::Hello(Hello { role: Role::Client { answer_port }, features, .. }))
                if *answer_port == to.port() =>
            {
                destination.state = State::Open { link, features: *features };
                destination.failures = 0;
                self.dials.end(to, past);
                self.queued_bytes.give_back(Network::of(to.ip()), std::mem::take(&mut destination.queued_bytes));
                out.send(link, Message::Hello(*own));
                for answer in std::mem::take(&mut destination.queue) {
                    if features.include(answer.body.needs()) {
                        say(link, to, answer, out);
                    } else {
                        // It was promised before anybody could know.
                        self.undelivered_count += 1;
                        log_dropped(&answer, to, "its client did not offer to understand it");
                    }
                }
                self.set_timer(to, Some(now + ANSWER_IDLE_MAX));
                self.close_surplus(link, out);
                self.dial_waiting(out);
            }
            (State::Open { .. }, Message::Ping) => out.send(link, Message::Pong),
            (_, Message::Goodbye(farewell)) => {
                out.close(link);
                self.on_closed(now, link, &format!("it said goodbye, because {farewell}"), out);
            }
            (_, message) => {
                out.close(link);
                self.on_closed(now, link, &format!("it sent an unexpected {}", message.name()), out);
            }
        }
    }

    pub(super) fn on_closed(&mut self, now: Time, link: LinkId, reason: &str, out: &mut Outbox<'_>) {
        let Some(to) = self.by_link.remove(&link) else { return };
        match self.destinations.get(&to).map(|destination| destination.state) {
            // A client that leaves is no failure: the next one there may be another.
            Some(State::Open { .. }) => {
                log::debug!("the answer link to client {to} is gone: {reason}");
                self.forget(to);
            }
            Some(State::Silent(_, past)) => {
                self.fail(now, to, past, reason);
            }
            _ => {}
        }
        self.dial_waiting(out);
    }

    pub(super) fn on_deadline(&mut self, now: Time, out: &mut Outbox<'_>) {
        while let Some((due, to)) = self.timers.first().copied() {
            if due > now {
                break;
            }
            self.set_timer(to, None);
            let Some(destination) = self.destinations.get_mut(&to) else {
                continue;
            };
            match destination.state {
                State::Silent(link, _) => {
                    out.close(link);
                    self.on_closed(now, link, "it did not say hello", out);
                }
                State::Open { link, .. } => {
                    out.part(link, Goodbye::Idle);
                    self.on_closed(now, link, "it was idle", out);
                }
                State::Resting if destination.queue.is_empty() => {
                    destination.state = State::Remembered;
                    self.set_timer(to, Some(now + ANSWER_REST_MAX));
                }
                State::Remembered => self.forget(to),
                State::Resting => self.ask_for_dial(to),
                State::Waiting | State::Dialling(_) => {}
            }
        }
        self.dial_waiting(out);
    }

    pub(super) fn deadline(&self) -> Time {
        self.timers.first().map_or(Time::NEVER, |(due, _)| *due)
    }

    /// Says goodbye on the links that stand. There is nothing to be known of them any more.
    pub(super) fn on_leave(&self, out: &mut Outbox<'_>) {
        for (link, to) in &self.by_link {
            let state = self.destinations.get(to).map(|destination| destination.state);
            if matches!(state, Some(State::Open { link: open, .. }) if open == *link) {
                out.part(*link, Goodbye::Leaving);
            } else {
                out.close(*link);
            }
        }
    }

    pub(super) fn addresses_count(&self) -> usize {
        self.destinations.len()
    }

    pub(super) fn links_count(&self) -> usize {
        self.by_link.len()
    }

    pub(super) fn dials_count(&self) -> usize {
        self.dials.count()
    }

    pub(super) fn queued_bytes(&self) -> usize {
        self.queued_bytes.taken()
    }

    fn ask_for_dial(&mut self, to: SocketAddr) {
        let Some(destination) = self.destinations.get_mut(&to) else { return };
        destination.state = State::Waiting;
        self.dials.ask(to, destination.failures > 0);
    }

    fn dial_waiting(&mut self, out: &mut Outbox<'_>) {
        while let Some((to, past)) = self.dials.begin() {
            let Some(destination) = self.destinations.get_mut(&to) else { return self.dials.end(to, past) };
            destination.state = State::Dialling(past);
            let dialect = destination.dialect;
            out.dial(Dial::Answers(to), to, dialect);
        }
    }

    /// Brings a client one answer over a connection that carries no other.
    fn deliver_alone(&mut self, to: SocketAddr, link: LinkId, out: &mut Outbox<'_>) {
        let Some(destination) = self.destinations.get_mut(&to) else { return };
        if let Some(answer) = destination.queue.pop_front() {
            let bytes = weight(&answer);
            destination.queued_bytes -= bytes;
            self.queued_bytes.give_back(Network::of(to.ip()), bytes);
            say(link, to, answer, out);
        }
        out.close(link);
        if destination.queue.is_empty() {
            self.forget(to);
        } else {
            self.ask_for_dial(to);
        }
    }

    /// Ends an attempt to reach a client: what waited for it is dropped, and the address is left alone for a while.
    fn fail(&mut self, now: Time, to: SocketAddr, past: Past, reason: &str) {
        let Some(destination) = self.destinations.get_mut(&to) else { return };
        self.dials.end(to, past);
        log::info!(target: STRANGERS_LOG, "no answer to client {to}: {reason}");
        destination.tries = 0;
        self.queued_bytes.give_back(Network::of(to.ip()), std::mem::take(&mut destination.queued_bytes));
        self.undelivered_count += destination.queue.len() as u64;
        destination.queue.drain(..).for_each(|answer| log_dropped(&answer, to, reason));
        destination.state = State::Resting;
        let rest = rest_after(destination.failures);
        destination.failures += 1;
        self.set_timer(to, Some(now + rest));
    }

    /// Makes room for another address of this network to be known, if need be in place of one that failed and is only
    /// remembered. False when all are waited for, spoken to or left alone.
    fn make_room_for_another(&mut self, network: Network) -> bool {
        if self.addresses.has_room(network, 1) {
            return true;
        }
        // A network that has its share makes room among its own.
        let is_full = self.addresses.left() == 0;
        let oldest = if is_full { self.remembered.oldest() } else { self.remembered.oldest_of(network) };
        oldest.is_some_and(|to| {
            self.forget(to);
            self.addresses.has_room(network, 1)
        })
    }

    fn forget(&mut self, to: SocketAddr) {
        self.set_timer(to, None);
        if let Some(destination) = self.destinations.remove(&to) {
            let network = Network::of(to.ip());
            self.addresses.give_back(network, 1);
            self.queued_bytes.give_back(network, destination.queued_bytes);
        }
    }

    /// Keeps the number of answer links within its limit by closing the one idle longest, never the one just opened.
    fn close_surplus(&mut self, opened: LinkId, out: &mut Outbox<'_>) {
        if self.by_link.len() <= ANSWER_LINKS_MAX {
            return;
        }
        let idle_longest = self.timers.iter().find_map(|(_, to)| match self.destinations.get(to)?.state {
            State::Open { link, .. } if link != opened => Some((*to, link)),
            _ => None,
        });
        if let Some((to, link)) = idle_longest {
            log::debug!("closing the answer link to client {to}: {ANSWER_LINKS_MAX} are the most");
            out.part(link, Goodbye::Idle);
            self.by_link.remove(&link);
            self.forget(to);
        }
    }

    fn set_timer(&mut self, to: SocketAddr, timer: Option<Time>) {
        let Some(destination) = self.destinations.get_mut(&to) else {
            return;
        };
        if let Some(due) = std::mem::replace(&mut destination.timer, timer) {
            self.timers.remove(&(due, to));
            self.remembered.remove(due, to);
        }
        if let Some(due) = timer {
            self.timers.insert((due, to));
            if destination.state == State::Remembered {
                self.remembered.insert(due, to);
            }
        }
    }
}

impl Destination {
    /// How answers come to it.
    fn answers(&self) -> Answers {
        self.dialect.manners().answers
    }

    fn new(dialect: Dialect) -> Destination {
        Destination {
            dialect,
            state: State::Waiting,
            queue: VecDeque::new(),
            queued_bytes: 0,
            timer: None,
            failures: 0,
            tries: 0,
        }
    }
}

/// Brings an answer to its client, over a link that leads there.
fn say(link: LinkId, to: SocketAddr, answer: Answer, out: &mut Outbox<'_>) {
    log::debug!(target: QUERY_LOG, "{} answer sent", QueryId { sequence: answer.sequence, client: to });
    out.send(link, Message::Answer(answer));
}

fn log_dropped(answer: &Answer, to: SocketAddr, reason: &str) {
    log::debug!(target: QUERY_LOG, "{} answer dropped: {reason}", QueryId { sequence: answer.sequence, client: to });
}

/// The pause after this many earlier failures in a row.
fn rest_after(failures: u32) -> Duration {
    ANSWER_REST_MIN.saturating_mul(1 << failures.min(16)).min(ANSWER_REST_MAX)
}

/// What an answer counts for against the limits on waiting bytes.
fn weight(answer: &Answer) -> usize {
    size_of::<Answer>()
        + match &answer.body {
            AnswerBody::Value(value) => value.len(),
            AnswerBody::Place { path, neighbors } => path.text().len() + neighbors.len() * size_of::<SocketAddr>(),
        }
}
