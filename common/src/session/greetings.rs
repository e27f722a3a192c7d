//! Servents that the contact is asked to greet, for whoever uses the client: one at a time.
//!
//! It takes the contact's word for what came of it. Who may have somebody greeted, and how that is done, is for the
//! contact; how it is shown is for whoever asked.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use crate::limits::GREETINGS_MAX;
use crate::member::{Greet, GreetOutcome, Greeted};
use crate::message::Message;
use crate::time::Time;

/// How it ended that a servent was to be greeted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct GreetingEnded {
    /// Where it was looked for.
    pub address: SocketAddr,
    /// What ended it.
    pub end: GreetEnd,
    /// Since it was asked for, as the client counts time.
    pub elapsed: Duration,
}

/// What ended it that a servent was to be greeted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum GreetEnd {
    /// The contact has said what came of it.
    Told(Greeted),
    /// It was not asked for: it is the contact itself that is there.
    Itself,
    /// The contact did not say for as long as the client waits.
    Silence,
    /// The contact is gone.
    ContactLost,
    /// Nobody wanted it any more.
    Cancelled,
    /// It was not asked for: the contact did not offer to tell of members.
    NotUnderstood,
}

impl GreetEnd {
    /// Its name for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            GreetEnd::Told(Greeted { outcome, .. }) => match outcome {
                GreetOutcome::Met => "met",
                GreetOutcome::Refused => "refused",
                GreetOutcome::Unreached => "unreached",
                GreetOutcome::NotAllowed => "not_allowed",
                GreetOutcome::Busy => "busy",
            },
            GreetEnd::Itself => "itself",
            GreetEnd::Silence => "silence",
            GreetEnd::ContactLost => "contact_lost",
            GreetEnd::Cancelled => "interrupted",
            GreetEnd::NotUnderstood => "not_understood",
        }
    }
}

/// A servent is to be greeted already. No other was asked for, and nothing became of that one.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a servent is being greeted already, and one at a time is the most")]
pub struct GreetingPending;

/// What was asked of the contact, and what of it is to come.
#[derive(Debug, Default)]
pub(super) struct AskedGreetings {
    open: Option<AskedGreeting>,
    /// Of which the contact has yet to say what came of it, the first asked first, the one under way among them. No more than
    /// it greets at once: of more it says at once that it is busy.
    owed: VecDeque<SocketAddr>,
}

/// The one under way.
#[derive(Clone, Copy, Debug)]
struct AskedGreeting {
    sequence: u64,
    address: SocketAddr,
    begun: Time,
    /// When nobody waits for it any more.
    due: Time,
}

impl AskedGreetings {
    /// Whether there is one under way.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Begins one. Nobody was asked yet.
    pub(super) fn begin(&mut self, now: Time, sequence: u64, address: SocketAddr, silence_max: Duration) {
        self.open = Some(AskedGreeting { sequence, address, begun: now, due: now + silence_max });
    }

    /// What is to be said to the contact for the one that was begun.
    pub(super) fn ask(&mut self, address: SocketAddr) -> Message {
        if self.owed.len() >= GREETINGS_MAX {
            self.owed.pop_front();
        }
        self.owed.push_back(address);
        Message::Greet(Greet { address })
    }

    /// When the wait of the one under way is over.
    pub(super) fn deadline(&self) -> Time {
        self.open.map_or(Time::NEVER, |open| open.due)
    }

    /// Whether there is one under way, and goes by this.
    pub(super) fn use_sequence(&self, sequence: u64) -> bool {
        self.open.is_some_and(|open| open.sequence == sequence)
    }

    /// The contact is gone.
    pub(super) fn on_contact_lost(&mut self) {
        self.owed.clear();
    }

    /// The contact says what came of one. Nothing where that is a surprise, else whether it ends the one under way.
    pub(super) fn on_told(&mut self, greeted: &Greeted) -> Option<bool> {
        let Greeted { address, outcome, .. } = *greeted;
        let place = self.owed.iter().position(|owed| *owed == address)?;
        self.owed.remove(place);
        // Where it is busy with the same that was asked before and given up, what comes of that is what is waited for.
        let is_under_way = outcome == GreetOutcome::Busy && self.owed.contains(&address);
        Some(self.open.is_some_and(|open| open.address == address) && !is_under_way)
    }

    /// Ends the one under way, if there is one.
    pub(super) fn end(&mut self, now: Time, end: GreetEnd) -> Option<(u64, GreetingEnded)> {
        let AskedGreeting { sequence, address, begun, .. } = self.open.take()?;
        Some((sequence, GreetingEnded { address, end, elapsed: now.since(begun) }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_json_finds_how_greetings_end_by_the_names_they_have() {
        let address = SocketAddr::from(([127, 0, 0, 1], 9000));
        let told = |outcome| {
            GreetEnd::Told(Greeted { address, outcome, was: None, now: None, new_count: 0, took: Duration::ZERO })
        };
        let words = GreetOutcome::ALL.map(|outcome| told(outcome).word());
        assert_eq!(words, ["met", "refused", "unreached", "not_allowed", "busy"]);
        for (end, name) in [
            (GreetEnd::Itself, "itself"),
            (GreetEnd::Silence, "silence"),
            (GreetEnd::ContactLost, "contact_lost"),
            (GreetEnd::Cancelled, "interrupted"),
            (GreetEnd::NotUnderstood, "not_understood"),
        ] {
            assert_eq!(end.word(), name);
        }
    }
}
