//! Calls: a link to an address for an errand, dialled when there is something to say there and kept for more of it.
//!
//! Neighbors and a servent's own clients have links that stand; whoever else there is something to say to is called. How
//! an address waits for a dial, is dialled, greeted, kept, left alone and remembered, and what waits to be said there, is
//! the same whatever the errand; what differs is its row in `errand`. Where the other end speaks first, the address
//! receives no byte until it has said the hello called for, so naming a stranger's address makes nobody send it anything.
//! Where each message comes alone, it has a connection of its own, tried several times because most open their port late.
//! An address that fails is left alone for a growing while.
//!
//! Whoever names addresses can name many, and addresses that swallow packets: dials, addresses and waiting bytes are
//! [`Shares`] over all errands together, so that others find what they need all the same.
//!
//! What is said, and to whom, is known to whoever has the errand, who is told what came of it ([`News`]) and logs it.

mod dials;
mod remembered;

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::time::Duration;

use crate::dialect::{Bringing, Dialect};
use crate::features::Features;
use crate::limits::{
    CALL_ADDRESSES_MAX, CALL_LINKS_MAX, CALL_QUEUED_BYTES_MAX, CALL_REST_MAX, CALL_REST_MIN, CALLS_QUEUED_BYTES_MAX,
    HELLO_WAIT_MAX,
};
use crate::link::LinkId;
use crate::message::{Goodbye, Hello, Message};
use crate::overlay::doors::{Dial, Outbox};
use crate::overlay::errand::{CallEvent, Callee, Letter, News, Wish};
use crate::overlay::shares::{Network, Shares};
use crate::time::Time;

use dials::{Dials, Past};
use remembered::Remembered;

#[derive(Debug)]
pub(super) struct Calls {
    calls: BTreeMap<Callee, Call>,
    /// The same, as counted.
    addresses: Shares<Network>,
    by_link: BTreeMap<LinkId, Callee>,
    dials: Dials,
    queued_bytes: Shares<Network>,
    timers: BTreeSet<(Time, Callee)>,
    /// When the first of the letters is given back that wait for an address.
    waits: BTreeSet<(Time, Callee)>,
    remembered: Remembered,
}

#[derive(Debug)]
struct Call {
    dialect: Dialect,
    state: State,
    queue: VecDeque<Letter>,
    queued_bytes: usize,
    /// When the state ends by itself; kept in `timers` too.
    timer: Option<Time>,
    /// When the first letter is given back; kept in `waits` too.
    wait: Option<Time>,
    /// Failures in a row, each of them after all tries.
    failures: u32,
    /// Failed tries in a row.
    tries: u32,
    /// Whether no letter that has another way waits for the dial that is asked for or under way: one has waited in vain, or it
    /// is made to see whether there is anybody. Whoever comes there stays for those that come later.
    is_late: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// For a free dial.
    Waiting,
    Dialling(Past),
    /// Connected; the other end has yet to speak, and until then the dial is not over.
    Silent(LinkId, Past),
    /// The other end has said hello, and what it understands.
    Open {
        link: LinkId,
        features: Features,
    },
    /// It failed and is left alone.
    Resting,
    /// It failed not long ago; what is to be said next is dialled for, and the next failure counts on.
    Remembered,
}

impl Default for Calls {
    fn default() -> Calls {
        Calls {
            calls: BTreeMap::new(),
            addresses: Shares::new(CALL_ADDRESSES_MAX),
            by_link: BTreeMap::new(),
            dials: Dials::default(),
            queued_bytes: Shares::new(CALLS_QUEUED_BYTES_MAX),
            timers: BTreeSet::new(),
            waits: BTreeSet::new(),
            remembered: Remembered::default(),
        }
    }
}

impl Calls {
    /// Has something said to whoever is called, now or once it has been reached. It is given back when a limit refuses it,
    /// when it is known that it would not be understood there, or when it has another way and the address rests or is being
    /// dialled for longer than one like it waits.
    pub(super) fn bring(
        &mut self,
        now: Time,
        callee: Callee,
        dialect: Dialect,
        letter: Letter,
        out: &mut Outbox<'_>,
        news: &mut News,
    ) -> Option<Letter> {
        let needed = letter.message.needs();
        match self.calls.get(&callee).map(|call| (call.state, call.is_late)) {
            Some((State::Open { link, features }, _)) => {
                if !features.include(needed) {
                    return Some(letter);
                }
                say(link, callee, letter, out, news);
                self.set_timer(callee, Some(now + callee.errand.customs().kept));
                return None;
            }
            Some((State::Resting, _) | (State::Waiting | State::Dialling(_) | State::Silent(..), true))
                if letter.answers.is_some() =>
            {
                return Some(letter);
            }
            // It failed not long ago: what has another way takes that, and beside it is tried whether the next one has to.
            Some((State::Remembered, _)) if letter.answers.is_some() => {
                self.set_timer(callee, None);
                self.ask_for_dial(callee);
                self.expect_nothing_of_dial(callee);
                self.dial_waiting(out);
                return Some(letter);
            }
            _ => {}
        }
        // Whoever says nothing there has offered nothing.
        if callee.way(dialect) != Bringing::Kept && !Features::NONE.include(needed) {
            return Some(letter);
        }
        let network = Network::of(callee.address.ip());
        let bytes = letter.message.bytes_count();
        let queued_bytes = self.calls.get(&callee).map_or(0, |call| call.queued_bytes);
        if queued_bytes + bytes > CALL_QUEUED_BYTES_MAX || !self.queued_bytes.has_room(network, bytes) {
            return Some(letter);
        }
        let known = self.calls.contains_key(&callee);
        if !known {
            if !self.make_room_for_another(network) {
                return Some(letter);
            }
            self.addresses.take(network, 1);
        }
        let call = self.calls.entry(callee).or_insert_with(|| Call::new(dialect));
        if call.queue.is_empty() && !matches!(call.state, State::Dialling(_)) {
            // Whoever is there may be another than the one the address was first known for. A dial under way, of a call
            // that was ended meanwhile, is one in the dialect it began in.
            call.dialect = dialect;
        }
        call.queue.push_back(letter);
        call.queued_bytes += bytes;
        self.queued_bytes.take(network, bytes);
        if !known || call.state == State::Remembered {
            self.set_timer(callee, None);
            self.ask_for_dial(callee);
            self.dial_waiting(out);
        }
        self.note_wait(callee);
        None
    }

    /// Does what whoever has the errand wishes for.
    pub(super) fn grant(&mut self, now: Time, callee: Callee, wish: Wish, out: &mut Outbox<'_>, news: &mut News) {
        match wish {
            Wish::Say { dialect, letter } => {
                let number = letter.number;
                if self.bring(now, callee, dialect, letter, out, news).is_some() {
                    news.push(callee, CallEvent::Refused(number));
                }
            }
            Wish::End => self.end(now, callee, out, news),
        }
    }

    /// Ends a call: whoever has the errand has nothing more to say there. What waited is given back. That its address
    /// failed before stays remembered, or whoever ends a call could have it dialled without a rest.
    fn end(&mut self, now: Time, callee: Callee, out: &mut Outbox<'_>, news: &mut News) {
        let Some(call) = self.calls.get_mut(&callee) else { return };
        call.tries = 0;
        call.is_late = false;
        let letters = self.take_back(callee);
        match self.calls.get(&callee).map(|call| (call.state, call.failures > 0)) {
            Some((State::Waiting, has_failed)) => {
                self.dials.withdraw(callee, has_failed);
                self.let_go(now, callee);
            }
            Some((State::Silent(link, past), _)) => {
                out.close(link);
                self.by_link.remove(&link);
                self.dials.end(callee, past);
                self.let_go(now, callee);
            }
            Some((State::Open { link, .. }, _)) => {
                out.part(link, Goodbye::Idle);
                self.by_link.remove(&link);
                self.let_go(now, callee);
            }
            // A dial cannot be called back. It is over when it is, and then nothing waits for it.
            Some((State::Dialling(_) | State::Resting | State::Remembered, _)) if !letters.is_empty() => {}
            _ => return,
        }
        news.push(callee, CallEvent::Ended { reason: "its call was ended", letters });
        self.dial_waiting(out);
    }

    /// Whether this link is that of a call.
    pub(super) fn knows(&self, link: LinkId) -> bool {
        self.by_link.contains_key(&link)
    }

    pub(super) fn on_opened(
        &mut self,
        now: Time,
        callee: Callee,
        link: LinkId,
        own: &Hello,
        out: &mut Outbox<'_>,
        news: &mut News,
    ) {
        let Some(call) = self.calls.get_mut(&callee) else { return out.close(link) };
        let State::Dialling(past) = call.state else { return out.close(link) };
        if call.queue.is_empty() && !call.is_late {
            // It was ended meanwhile.
            out.close(link);
            self.dials.end(callee, past);
            self.let_go(now, callee);
            return self.dial_waiting(out);
        }
        if !callee.errand.customs().says_something {
            out.close(link);
            self.dials.end(callee, past);
            self.forget(callee);
            news.push(callee, CallEvent::Connected);
            return self.dial_waiting(out);
        }
        if callee.way(call.dialect) == Bringing::Kept {
            call.state = State::Silent(link, past);
            self.by_link.insert(link, callee);
            self.set_timer(callee, Some(now + HELLO_WAIT_MAX));
            if callee.errand.customs().speaks_first {
                out.send(link, Message::Hello(own.clone()));
            }
        } else {
            call.failures = 0;
            call.tries = 0;
            self.dials.end(callee, past);
            self.bring_alone(callee, link, out, news);
            self.dial_waiting(out);
        }
    }

    pub(super) fn on_dial_failed(
        &mut self,
        now: Time,
        callee: Callee,
        refused: bool,
        reason: &str,
        out: &mut Outbox<'_>,
        news: &mut News,
    ) {
        let Some(call) = self.calls.get_mut(&callee) else { return };
        let State::Dialling(past) = call.state else { return };
        // An address that does not even refuse is not tried again at once: each try would hold one of the dials for
        // long.
        match callee.way(call.dialect) {
            Bringing::Alone { tries_max, pause } if refused && call.tries < tries_max && !call.queue.is_empty() => {
                self.dials.end(callee, past);
                call.tries += 1;
                call.state = State::Resting;
                self.set_timer(callee, Some(now + pause));
            }
            Bringing::Alone { .. } | Bringing::Kept => self.fail(now, callee, past, refused, reason, news),
        }
        self.dial_waiting(out);
    }

    pub(super) fn on_message(
        &mut self,
        now: Time,
        link: LinkId,
        message: Message,
        own: &Hello,
        out: &mut Outbox<'_>,
        news: &mut News,
    ) {
        let Some(callee) = self.by_link.get(&link).copied() else { return };
        let Some(state) = self.calls.get(&callee).map(|call| call.state) else { return };
        let customs = callee.errand.customs();
        match (state, message) {
            (State::Silent(_, past), Message::Hello(hello)) if (customs.is_called)(&hello, callee.address) => {
                let features = hello.features;
                self.dials.end(callee, past);
                if !customs.speaks_first {
                    out.send(link, Message::Hello(own.told_to(features)));
                }
                news.push(callee, CallEvent::Reached(hello));
                self.open(callee, link, features, out, news);
                self.set_timer(callee, Some(now + customs.kept));
                self.close_surplus(link, out, news);
                self.dial_waiting(out);
            }
            (State::Open { .. }, Message::Ping) => out.send(link, Message::Pong),
            (_, Message::Goodbye(farewell)) => {
                out.close(link);
                self.on_closed(now, link, &format!("it said goodbye, because {farewell}"), out, news);
            }
            (State::Open { .. }, message) if (customs.hears)(&message) => {
                self.set_timer(callee, Some(now + customs.kept));
                news.push(callee, CallEvent::Heard(message));
            }
            (_, message) => {
                out.close(link);
                self.on_closed(now, link, &format!("it sent an unexpected {}", message.name()), out, news);
            }
        }
    }

    pub(super) fn on_closed(&mut self, now: Time, link: LinkId, reason: &str, out: &mut Outbox<'_>, news: &mut News) {
        let Some(callee) = self.by_link.remove(&link) else { return };
        match self.calls.get(&callee).map(|call| call.state) {
            // Whoever leaves did not fail: the next one there may be another.
            Some(State::Open { .. }) => {
                news.push(callee, CallEvent::Gone { reason: reason.to_owned() });
                self.forget(callee);
            }
            Some(State::Silent(_, past)) => self.fail(now, callee, past, false, reason, news),
            _ => {}
        }
        self.dial_waiting(out);
    }

    pub(super) fn on_deadline(&mut self, now: Time, out: &mut Outbox<'_>, news: &mut News) {
        while let Some((due, callee)) = self.waits.first().copied() {
            if due > now {
                break;
            }
            self.give_back_late(now, callee, news);
        }
        while let Some((due, callee)) = self.timers.first().copied() {
            if due > now {
                break;
            }
            self.set_timer(callee, None);
            let Some(call) = self.calls.get_mut(&callee) else { continue };
            match call.state {
                State::Silent(link, _) => {
                    out.close(link);
                    self.on_closed(now, link, "it did not say hello", out, news);
                }
                State::Open { link, .. } => {
                    out.part(link, Goodbye::Idle);
                    self.on_closed(now, link, "it was idle", out, news);
                }
                State::Resting if call.queue.is_empty() => {
                    call.state = State::Remembered;
                    self.set_timer(callee, Some(now + CALL_REST_MAX));
                }
                State::Remembered => self.forget(callee),
                State::Resting => self.ask_for_dial(callee),
                State::Waiting | State::Dialling(_) => {}
            }
        }
        self.dial_waiting(out);
    }

    pub(super) fn deadline(&self) -> Time {
        let first = |timers: &BTreeSet<(Time, Callee)>| timers.first().map_or(Time::NEVER, |(due, _)| *due);
        first(&self.timers).min(first(&self.waits))
    }

    /// Says goodbye on the links that stand, and gives back what waits. There is nothing to be known of any call any more.
    pub(super) fn on_leave(&mut self, out: &mut Outbox<'_>, news: &mut News) {
        let Calls { calls, by_link, .. } = std::mem::take(self);
        for (link, callee) in by_link {
            let state = calls.get(&callee).map(|call| call.state);
            if matches!(state, Some(State::Open { link: open, .. }) if open == link) {
                out.part(link, Goodbye::Leaving);
            } else {
                out.close(link);
            }
        }
        for (callee, call) in calls {
            if !call.queue.is_empty() || matches!(call.state, State::Open { .. }) {
                let letters = call.queue.into();
                news.push(callee, CallEvent::Ended { reason: "this servent is leaving", letters });
            }
        }
    }

    pub(super) fn addresses_count(&self) -> usize {
        self.calls.len()
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

    fn ask_for_dial(&mut self, callee: Callee) {
        let Some(call) = self.calls.get_mut(&callee) else { return };
        call.state = State::Waiting;
        call.is_late = false;
        self.dials.ask(callee, call.failures > 0);
    }

    fn expect_nothing_of_dial(&mut self, callee: Callee) {
        if let Some(call) = self.calls.get_mut(&callee) {
            call.is_late = true;
        }
    }

    fn dial_waiting(&mut self, out: &mut Outbox<'_>) {
        while let Some((callee, past)) = self.dials.begin() {
            let Some(call) = self.calls.get_mut(&callee) else { return self.dials.end(callee, past) };
            call.state = State::Dialling(past);
            let Callee { errand, address } = callee;
            out.dial(Dial::Call(errand, address), address, call.dialect);
        }
    }

    /// Whoever is called has said hello: says what waits for it.
    fn open(&mut self, callee: Callee, link: LinkId, features: Features, out: &mut Outbox<'_>, news: &mut News) {
        let Some(call) = self.calls.get_mut(&callee) else { return };
        call.state = State::Open { link, features };
        call.failures = 0;
        self.queued_bytes.give_back(Network::of(callee.address.ip()), std::mem::take(&mut call.queued_bytes));
        for letter in std::mem::take(&mut call.queue) {
            if features.include(letter.message.needs()) {
                say(link, callee, letter, out, news);
            } else {
                news.push(callee, CallEvent::NotUnderstood(letter));
            }
        }
        self.note_wait(callee);
    }

    /// Says one thing over a connection that carries no other. Whoever is there has offered nothing, and what waits may
    /// have been brought for another dialect.
    fn bring_alone(&mut self, callee: Callee, link: LinkId, out: &mut Outbox<'_>, news: &mut News) {
        let Some(call) = self.calls.get_mut(&callee) else { return };
        while let Some(letter) = call.queue.pop_front() {
            let bytes = letter.message.bytes_count();
            call.queued_bytes -= bytes;
            self.queued_bytes.give_back(Network::of(callee.address.ip()), bytes);
            if Features::NONE.include(letter.message.needs()) {
                say(link, callee, letter, out, news);
                break;
            }
            news.push(callee, CallEvent::NotUnderstood(letter));
        }
        out.close(link);
        if call.queue.is_empty() {
            self.forget(callee);
        } else {
            self.ask_for_dial(callee);
        }
        self.note_wait(callee);
    }

    /// Ends an attempt to reach somebody: what waited is given back, and the address is left alone for a while.
    fn fail(&mut self, now: Time, callee: Callee, past: Past, refused: bool, reason: &str, news: &mut News) {
        let Some(call) = self.calls.get_mut(&callee) else { return };
        self.dials.end(callee, past);
        call.tries = 0;
        call.state = State::Resting;
        let rest = rest_after(call.failures);
        call.failures += 1;
        self.set_timer(callee, Some(now + rest));
        let letters = self.take_back(callee);
        news.push(callee, CallEvent::Failed { refused, reason: reason.to_owned(), letters });
    }

    /// What waits to be said there, which will not be.
    fn take_back(&mut self, callee: Callee) -> Vec<Letter> {
        let Some(call) = self.calls.get_mut(&callee) else { return Vec::new() };
        self.queued_bytes.give_back(Network::of(callee.address.ip()), std::mem::take(&mut call.queued_bytes));
        let letters = std::mem::take(&mut call.queue).into();
        self.note_wait(callee);
        letters
    }

    /// Gives back what has waited for an address for as long as it may. What was dialled is still dialled: what comes of it
    /// is of use to those that come later.
    fn give_back_late(&mut self, now: Time, callee: Callee, news: &mut News) {
        let Some(call) = self.calls.get_mut(&callee) else { return };
        let is_late = |letter: &Letter| letter.until.is_some_and(|until| until <= now);
        let (late, waiting): (VecDeque<Letter>, VecDeque<Letter>) =
            std::mem::take(&mut call.queue).into_iter().partition(is_late);
        call.queue = waiting;
        let bytes_count: usize = late.iter().map(|letter| letter.message.bytes_count()).sum();
        call.queued_bytes -= bytes_count;
        call.is_late |= matches!(call.state, State::Dialling(_) | State::Silent(..));
        let is_waiting_in_vain = call.state == State::Waiting && call.queue.is_empty();
        let has_failed = call.failures > 0;
        self.queued_bytes.give_back(Network::of(callee.address.ip()), bytes_count);
        self.note_wait(callee);
        if is_waiting_in_vain {
            self.dials.withdraw(callee, has_failed);
            self.let_go(now, callee);
        }
        news.push(callee, CallEvent::Late(late.into()));
    }

    /// Notes when the first of the letters that wait for an address is given back.
    fn note_wait(&mut self, callee: Callee) {
        let Some(call) = self.calls.get_mut(&callee) else { return };
        // They wait equally long, so the first that is given back at all is the first to be.
        let wait = call.queue.iter().find_map(|letter| letter.until);
        if call.wait == wait {
            return;
        }
        if let Some(before) = std::mem::replace(&mut call.wait, wait) {
            self.waits.remove(&(before, callee));
        }
        if let Some(wait) = wait {
            self.waits.insert((wait, callee));
        }
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
        oldest.is_some_and(|callee| {
            self.forget(callee);
            self.addresses.has_room(network, 1)
        })
    }

    /// Forgets a call for which nothing waits, but for what its address did before.
    fn let_go(&mut self, now: Time, callee: Callee) {
        match self.calls.get_mut(&callee) {
            Some(call) if call.failures > 0 => {
                call.state = State::Remembered;
                self.set_timer(callee, Some(now + CALL_REST_MAX));
            }
            _ => self.forget(callee),
        }
    }

    fn forget(&mut self, callee: Callee) {
        self.set_timer(callee, None);
        if let Some(call) = self.calls.remove(&callee) {
            if let Some(wait) = call.wait {
                self.waits.remove(&(wait, callee));
            }
            let network = Network::of(callee.address.ip());
            self.addresses.give_back(network, 1);
            self.queued_bytes.give_back(network, call.queued_bytes);
        }
    }

    /// Keeps the number of links within its limit by closing the one that would be the next to end unused, never the one
    /// just opened. Where all are kept equally long it is the one idle longest.
    fn close_surplus(&mut self, opened: LinkId, out: &mut Outbox<'_>, news: &mut News) {
        if self.by_link.len() <= CALL_LINKS_MAX {
            return;
        }
        let next_to_end = self.timers.iter().find_map(|(_, callee)| match self.calls.get(callee)?.state {
            State::Open { link, .. } if link != opened => Some((*callee, link)),
            _ => None,
        });
        if let Some((callee, link)) = next_to_end {
            news.push(callee, CallEvent::HadToMakeRoom);
            out.part(link, Goodbye::Idle);
            self.by_link.remove(&link);
            self.forget(callee);
        }
    }

    fn set_timer(&mut self, callee: Callee, timer: Option<Time>) {
        let Some(call) = self.calls.get_mut(&callee) else { return };
        if let Some(due) = std::mem::replace(&mut call.timer, timer) {
            self.timers.remove(&(due, callee));
            self.remembered.remove(due, callee);
        }
        if let Some(due) = timer {
            self.timers.insert((due, callee));
            if call.state == State::Remembered {
                self.remembered.insert(due, callee);
            }
        }
    }
}

impl Call {
    fn new(dialect: Dialect) -> Call {
        Call {
            dialect,
            state: State::Waiting,
            queue: VecDeque::new(),
            queued_bytes: 0,
            timer: None,
            wait: None,
            failures: 0,
            tries: 0,
            is_late: false,
        }
    }
}

/// Says something over a link that leads to whoever is called.
fn say(link: LinkId, callee: Callee, letter: Letter, out: &mut Outbox<'_>, news: &mut News) {
    let Letter { message, number, .. } = letter;
    out.send(link, message);
    news.push(callee, CallEvent::Said(number));
}

/// The pause after this many earlier failures in a row.
fn rest_after(failures: u32) -> Duration {
    CALL_REST_MIN.saturating_mul(1 << failures.min(16)).min(CALL_REST_MAX)
}
