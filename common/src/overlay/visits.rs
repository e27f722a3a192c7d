//! The errand of visits: whether a servent is at an address, and which; and what it tells of members, where it is greeted for
//! somebody.
//!
//! A visit attaches as a client that asks for no answers, so whoever is there takes it for no neighbor; it hears a hello, trades
//! a page of members if it greets, and says goodbye. How an address is dialled is `calls`; what is made of it is for whoever
//! knows the members.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use super::errand::{CallEvent, Letter, Wish};
use crate::limits::{GREETING_WAIT_MAX, GREETINGS_MAX};
use crate::link::LinkId;
use crate::member::{GreetOutcome, Peers, PeersWanted, WordAt};
use crate::message::{Identity, Message, Role};
use crate::time::Time;

/// The number of the letter after which a visit that does not greet is over.
const ALONE: u64 = 0;
/// Those of a greeting.
const GREETING: u64 = 1;

/// What came of visits, until somebody is told, and for whom servents are greeted.
#[derive(Debug, Default)]
pub(super) struct Visits {
    over: Vec<(SocketAddr, Visited)>,
    greetings: BTreeMap<SocketAddr, PendingGreeting>,
    /// Where somebody was to be greeted and the client was answered, or left, before it was known whether anybody is there.
    late: BTreeSet<SocketAddr>,
}

/// A servent that is greeted for a client.
#[derive(Clone, Copy, Debug)]
pub(super) struct PendingGreeting {
    pub(super) client: LinkId,
    pub(super) begun: Time,
    /// What was said of it before.
    pub(super) was: Option<WordAt>,
    pub(super) outcome: GreetOutcome,
    pub(super) new_count: u64,
}

/// What came of a visit.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Visited {
    /// This servent is there.
    Met(Identity),
    /// Nobody was reached; `refused` where a machine is there on which nobody listens. `is_late` where somebody was to be greeted
    /// there, and the client waits for that no more.
    InVain { refused: bool, is_late: bool },
    /// It tells of members.
    Told(Peers),
    /// That was all.
    Over,
}

impl Visits {
    pub(super) fn on_call(&mut self, to: SocketAddr, event: CallEvent) -> Vec<Wish> {
        let mut wishes = Vec::new();
        match event {
            CallEvent::Reached(hello) => {
                // Nobody waits for more than that it is there; else the next greeting would find the call open, and not hear that.
                if self.late.remove(&to) && !self.greetings.contains_key(&to) {
                    wishes.push(Wish::End);
                }
                if let Role::Servent { id, .. } = hello.role {
                    self.over.push((to, Visited::Met(Identity::from(id))));
                }
            }
            CallEvent::Failed { refused, .. } => self.in_vain(to, refused),
            CallEvent::Heard(Message::Peers(peers)) => {
                self.over.push((to, Visited::Told(peers)));
                wishes.push(Wish::End);
            }
            // It does not take part: that it is there is all there is to know.
            CallEvent::Said(ALONE) | CallEvent::NotUnderstood(_) => wishes.push(Wish::End),
            CallEvent::Said(_) | CallEvent::Heard(_) | CallEvent::Connected | CallEvent::Refused(_) => {}
            // It is not known yet whether anybody is there; it may not even have been its turn.
            CallEvent::Late(letters) => {
                // They may be those of a client that has left, and another waits still.
                let is_its = |letter: &Letter, begun| letter.until == Some(begun + GREETING_WAIT_MAX);
                let greeting = self.greetings.get(&to);
                if greeting.is_none_or(|greeting| letters.iter().any(|letter| is_its(letter, greeting.begun))) {
                    self.note_late(to);
                    self.over.push((to, Visited::Over));
                }
            }
            CallEvent::Gone { .. } | CallEvent::HadToMakeRoom | CallEvent::Ended { .. } => {
                self.late.remove(&to);
                self.over.push((to, Visited::Over));
            }
        }
        wishes
    }

    fn note_late(&mut self, to: SocketAddr) {
        if self.late.len() >= GREETINGS_MAX {
            self.late.pop_first();
        }
        self.late.insert(to);
    }

    /// A client has left: whoever was greeted for it may be greeted for another, and what comes of it is made something of.
    pub(super) fn on_client_left(&mut self, client: LinkId) {
        let is_its =
            |(address, greeting): (&SocketAddr, &PendingGreeting)| (greeting.client == client).then_some(*address);
        let greeted: Vec<SocketAddr> = self.greetings.iter().filter_map(is_its).collect();
        for address in greeted {
            self.greetings.remove(&address);
            self.note_late(address);
        }
    }

    fn in_vain(&mut self, to: SocketAddr, refused: bool) {
        let is_late = self.late.remove(&to);
        self.over.extend([(to, Visited::InVain { refused, is_late }), (to, Visited::Over)]);
    }

    /// Takes what came of them.
    pub(super) fn take_over(&mut self) -> Vec<(SocketAddr, Visited)> {
        std::mem::take(&mut self.over)
    }

    /// Notes for whom a servent is greeted. False where too many are, or that one is.
    pub(super) fn greet(&mut self, address: SocketAddr, greeting: PendingGreeting) -> bool {
        let has_room = self.greetings.len() < GREETINGS_MAX && !self.greetings.contains_key(&address);
        if has_room {
            self.greetings.insert(address, greeting);
        }
        has_room
    }

    pub(super) fn greeting(&mut self, address: SocketAddr) -> Option<&mut PendingGreeting> {
        self.greetings.get_mut(&address)
    }

    pub(super) fn take_greeting(&mut self, address: SocketAddr) -> Option<PendingGreeting> {
        self.greetings.remove(&address)
    }

    pub(super) fn greetings_count(&self) -> usize {
        self.greetings.len()
    }
}

/// What is said once whoever is there has said hello.
pub(super) fn letter() -> Letter {
    Letter::new(ALONE, Message::Ping)
}

/// What is said to whoever is greeted: a page, and that one is wanted.
pub(super) fn letters(now: Time, page: Peers) -> [Letter; 2] {
    let wanted = Message::PeersWanted(PeersWanted { after: None });
    [Message::Peers(page), wanted].map(|message| {
        let until = Some(now + GREETING_WAIT_MAX);
        Letter { until, ..Letter::new(GREETING, message) }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(number: usize) -> SocketAddr {
        SocketAddr::from(([10, 0, 0, 1], u16::try_from(number).unwrap()))
    }

    /// Of so many it is remembered; beyond them the least address gives way, and a dial there that is in vain says nothing more.
    #[test]
    fn no_more_are_remembered_whose_clients_were_answered_before_it_was_known_whether_anybody_is_there() {
        let mut visits = Visits::default();
        for number in 1..=GREETINGS_MAX + 1 {
            assert!(visits.on_call(at(number), CallEvent::Late(Vec::new())).is_empty());
            assert_eq!(visits.take_over(), [(at(number), Visited::Over)]);
            assert_eq!(visits.late.len(), number.min(GREETINGS_MAX));
        }
        for number in 1..=GREETINGS_MAX + 1 {
            let reason = "it is a test".to_owned();
            visits.on_call(at(number), CallEvent::Failed { refused: true, reason, letters: Vec::new() });
            let in_vain = Visited::InVain { refused: true, is_late: number > 1 };
            assert_eq!(visits.take_over(), [(at(number), in_vain), (at(number), Visited::Over)]);
        }
        assert!(visits.late.is_empty());
    }

    /// Whoever was there after all, or whose call is over, is no more expected.
    #[test]
    fn whoever_is_known_of_by_now_was_not_late() {
        let gone = || CallEvent::Gone { reason: "it is a test".to_owned() };
        let mut visits = Visits::default();
        for over in [gone(), CallEvent::HadToMakeRoom, CallEvent::Ended { reason: "it is a test", letters: Vec::new() }]
        {
            visits.on_call(at(1), CallEvent::Late(Vec::new()));
            assert_eq!(visits.late.len(), 1);
            visits.on_call(at(1), over);
            assert!(visits.late.is_empty());
        }
        // One that is late twice has one place.
        for _ in 0..2 {
            visits.on_call(at(1), CallEvent::Late(Vec::new()));
        }
        assert_eq!(visits.late.len(), 1);
    }
}
