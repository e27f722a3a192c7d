//! The form in which it is shown what came of a servent that the contact was to greet: a line, the same as JSON, and what is
//! said where nobody was greeted.
//!
//! Nothing here is text of strangers: it is numbers, and words of our own, but for the contact, which is as it was named.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use common::counted::counted;
use common::limits::GREETING_WAIT_MAX;
use serde::Serialize;

use crate::program::members::{state, tells_no_members};
use crate::program::render::{humane, milliseconds};
use crate::{GreetEnd, GreetOutcome, Greeted, GreetingEnded, WordAt};

/// What came of it, as a line of JSON.
#[derive(Serialize)]
pub(crate) struct JsonGreeted {
    address: SocketAddr,
    outcome: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    was: Option<JsonWord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    now: Option<JsonWord>,
    #[serde(skip_serializing_if = "Option::is_none")]
    new_members: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    took_ms: Option<f64>,
    ms: f64,
}

/// What is said of a member, in one.
#[derive(Serialize)]
struct JsonWord {
    state: &'static str,
    word: &'static str,
    clock: u64,
}

pub(crate) fn json_greeted(greeting: &GreetingEnded) -> JsonGreeted {
    let GreetingEnded { address, end, elapsed } = *greeting;
    let told = told(end);
    let dialled = told.filter(|greeted| is_dialled(greeted.outcome));
    JsonGreeted {
        address,
        outcome: end.word(),
        was: told.and_then(|greeted| greeted.was).map(json_word),
        now: told.and_then(|greeted| greeted.now).map(json_word),
        new_members: dialled.map(|greeted| greeted.new_count),
        took_ms: dialled.map(|greeted| milliseconds(greeted.took)),
        ms: milliseconds(elapsed),
    }
}

fn json_word(said: WordAt) -> JsonWord {
    let WordAt { word, clock } = said;
    JsonWord { state: if word.is_online() { "online" } else { "offline" }, word: word.name(), clock }
}

fn told(end: GreetEnd) -> Option<Greeted> {
    if let GreetEnd::Told(greeted) = end { Some(greeted) } else { None }
}

fn is_dialled(outcome: GreetOutcome) -> bool {
    matches!(outcome, GreetOutcome::Met | GreetOutcome::Refused | GreetOutcome::Unreached)
}

/// What came of the addresses that a name stands for, as far as it is to be shown.
#[derive(Debug, Default)]
pub(crate) struct AddressesTried(Vec<GreetingEnded>);

impl AddressesTried {
    /// Notes what came of one. Whether the next is to be tried: nobody was found at this one.
    pub(crate) fn note(&mut self, greeting: GreetingEnded) -> bool {
        let is_dialled = told(greeting.end).is_some_and(|greeted| is_dialled(greeted.outcome));
        let is_met = told(greeting.end).is_some_and(|greeted| greeted.outcome == GreetOutcome::Met);
        if is_met || greeting.end == GreetEnd::Itself {
            // That nobody is at the others is nothing to anybody.
            self.0.clear();
        }
        self.0.push(greeting);
        is_dialled && !is_met
    }

    /// One after the other.
    pub(crate) fn to_show(&self) -> &[GreetingEnded] {
        &self.0
    }
}

/// What came of it, where it was seen who is there: the address, what is said of it, and what came of looking.
pub(crate) fn line(greeting: &GreetingEnded, called: &str) -> Option<String> {
    let Greeted { outcome, was, now, new_count, took, .. } = match greeting.end {
        GreetEnd::Told(greeted) => greeted,
        GreetEnd::Itself => return Some(format!("{called} is the contact itself")),
        GreetEnd::Silence | GreetEnd::ContactLost | GreetEnd::Cancelled | GreetEnd::NotUnderstood => return None,
    };
    let came = match (outcome, new_count) {
        (GreetOutcome::Met, 0) => "no member new".to_owned(),
        (GreetOutcome::Met, _) => format!("{} new", counted(new_count, "member")),
        (GreetOutcome::Refused, _) => "refused the connection".to_owned(),
        (GreetOutcome::Unreached, _) => "no servent answered".to_owned(),
        (GreetOutcome::NotAllowed | GreetOutcome::Busy, _) => return None,
    };
    let state_of = |said: Option<WordAt>| said.map_or("unknown", |said| state(said.word));
    let states = changed(state_of(was), state_of(now));
    let clocks = match (was, now) {
        (Some(was), Some(now)) => format!(", clock {}", changed(was.clock, now.clock)),
        (Some(said), None) | (None, Some(said)) => format!(", clock {}", said.clock),
        (None, None) => String::new(),
    };
    Some(format!("{called} {states}{clocks}, {came}, {}", humane(took)))
}

/// What was and what is, once where it is the same.
fn changed<Shown: Copy + PartialEq + fmt::Display>(was: Shown, now: Shown) -> String {
    if was == now { now.to_string() } else { format!("{was} → {now}") }
}

/// What is said where nobody was looked for, or it is not known what came of it, and what can be done about that.
pub(crate) fn complaint(
    contact: &str,
    contact_address: SocketAddr,
    greeting: &GreetingEnded,
    silence_max: Duration,
) -> Option<String> {
    let GreetingEnded { address, end, .. } = *greeting;
    match end {
        GreetEnd::NotUnderstood => Some(tells_no_members(contact)),
        GreetEnd::Silence => Some(format!(
            "{contact} did not say within {} what came of greeting {address}: incomplete",
            humane(silence_max)
        )),
        GreetEnd::Told(Greeted { outcome: GreetOutcome::NotAllowed, .. }) => Some(
            if contact_address.ip().is_loopback() {
                format!("{contact} does not greet {address}: that is no address of one servent")
            } else {
                format!(
                    "{contact} greets for clients of its own host only: start one there, with a loopback address as its contact, \
                     such as client 127.0.0.1:{}",
                    contact_address.port()
                )
            },
        ),
        // Which of the two it is the contact does not say.
        GreetEnd::Told(Greeted { outcome: GreetOutcome::Busy, .. }) => Some(format!(
            "{contact} is busy: it greets {address} for another client, or as many others as it can: try again in {} s",
            GREETING_WAIT_MAX.as_secs()
        )),
        GreetEnd::Told(Greeted {
            outcome: GreetOutcome::Met | GreetOutcome::Refused | GreetOutcome::Unreached, ..
        })
        | GreetEnd::Itself
        // That is told by itself.
        | GreetEnd::ContactLost
        | GreetEnd::Cancelled => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Word;

    const TOOK: Duration = Duration::from_micros(412);

    fn ended(end: GreetEnd) -> GreetingEnded {
        GreetingEnded { address: SocketAddr::from(([127, 0, 0, 1], 9003)), end, elapsed: Duration::from_millis(1) }
    }

    fn came(
        outcome: GreetOutcome,
        was: Option<(Word, u64)>,
        now: Option<(Word, u64)>,
        new_count: u64,
    ) -> GreetingEnded {
        let said = |said: Option<(Word, u64)>| said.map(|(word, clock)| WordAt { word, clock });
        let address = SocketAddr::from(([127, 0, 0, 1], 9003));
        ended(GreetEnd::Told(Greeted { address, outcome, was: said(was), now: said(now), new_count, took: TOOK }))
    }

    #[test]
    fn a_line_says_what_a_greeting_changed_and_what_it_did_not_change_once() {
        use GreetOutcome::{Busy, Met, NotAllowed, Refused, Unreached};
        let (online, suspect) = (|clock| Some((Word::Online, clock)), |clock| Some((Word::Suspect, clock)));
        let (failed, left) = (|clock| Some((Word::Failed, clock)), |clock| Some((Word::Left, clock)));
        for (greeting, expected) in [
            (came(Met, failed(44), online(52), 3), "OFFLINE → ONLINE, clock 44 → 52, 3 members new, 0.4 ms"),
            (came(Met, left(44), online(52), 1), "OFFLINE → ONLINE, clock 44 → 52, 1 member new, 0.4 ms"),
            (came(Met, online(44), online(52), 0), "ONLINE, clock 44 → 52, no member new, 0.4 ms"),
            (came(Met, suspect(44), online(44), 0), "ONLINE, clock 44, no member new, 0.4 ms"),
            (came(Met, None, online(52), 1_200), "unknown → ONLINE, clock 52, 1,200 members new, 0.4 ms"),
            (came(Met, None, None, 0), "unknown, no member new, 0.4 ms"),
            (
                came(Refused, online(44), failed(50), 0),
                "ONLINE → OFFLINE, clock 44 → 50, refused the connection, 0.4 ms",
            ),
            (came(Refused, left(44), left(44), 0), "OFFLINE, clock 44, refused the connection, 0.4 ms"),
            (came(Refused, None, None, 0), "unknown, refused the connection, 0.4 ms"),
            (came(Unreached, failed(44), None, 0), "OFFLINE → unknown, clock 44, no servent answered, 0.4 ms"),
            (ended(GreetEnd::Itself), "is the contact itself"),
        ] {
            assert_eq!(line(&greeting, "127.0.0.1:9003"), Some(format!("127.0.0.1:9003 {expected}")));
        }
        let others =
            [GreetEnd::Silence, GreetEnd::ContactLost, GreetEnd::Cancelled, GreetEnd::NotUnderstood].map(ended);
        for greeting in [came(NotAllowed, online(44), online(44), 0), came(Busy, None, None, 0)].iter().chain(&others) {
            assert_eq!(line(greeting, ""), None, "nobody was looked for: {greeting:?}");
        }
    }

    #[test]
    fn the_addresses_of_a_name_are_tried_until_somebody_is_there_who_alone_is_shown() {
        use GreetOutcome::{Busy, Met, NotAllowed, Refused, Unreached};
        let told = |outcome| came(outcome, None, None, 0);
        let in_vain = [told(Refused), told(Unreached)];
        for end in [told(Met), ended(GreetEnd::Itself)] {
            let mut tried = AddressesTried::default();
            assert_eq!(in_vain.map(|greeting| tried.note(greeting)), [true, true]);
            assert_eq!(tried.to_show(), in_vain);
            assert!(!tried.note(end));
            assert_eq!(tried.to_show(), [end]);
        }
        let others =
            [GreetEnd::Silence, GreetEnd::ContactLost, GreetEnd::Cancelled, GreetEnd::NotUnderstood].map(ended);
        for end in [told(Busy), told(NotAllowed)].into_iter().chain(others) {
            let mut tried = AddressesTried::default();
            assert_eq!([told(Refused), end].map(|greeting| tried.note(greeting)), [true, false]);
            assert_eq!(tried.to_show(), [told(Refused), end], "who is at the rest nobody knows");
        }
    }

    #[test]
    fn it_is_said_what_to_do_where_nobody_was_greeted() {
        let at = |contact: &str, greeting: GreetingEnded| {
            let address = contact.parse().unwrap();
            complaint(&format!("contact {contact}"), address, &greeting, Duration::from_secs(4))
        };
        let not_allowed = came(GreetOutcome::NotAllowed, None, None, 0);
        let busy = came(GreetOutcome::Busy, None, None, 0);
        for (contact, greeting, expected) in [
            ("127.0.0.1:9001", not_allowed, " does not greet 127.0.0.1:9003: that is no address of one servent"),
            (
                "192.0.2.7:9001",
                not_allowed,
                " greets for clients of its own host only: start one there, with a loopback address as its contact, such as \
                 client 127.0.0.1:9001",
            ),
            (
                "[::1]:9001",
                busy,
                " is busy: it greets 127.0.0.1:9003 for another client, or as many others as it can: try again in 3 s",
            ),
            (
                "127.0.0.1:9001",
                ended(GreetEnd::Silence),
                " did not say within 4.0 s what came of greeting 127.0.0.1:9003: incomplete",
            ),
        ] {
            assert_eq!(at(contact, greeting), Some(format!("contact {contact}{expected}")));
        }
        let said_elsewhere = [GreetEnd::Itself, GreetEnd::ContactLost, GreetEnd::Cancelled].map(ended);
        let looked_for = [GreetOutcome::Met, GreetOutcome::Refused, GreetOutcome::Unreached]
            .map(|outcome| came(outcome, None, None, 0));
        for greeting in said_elsewhere.into_iter().chain(looked_for) {
            assert_eq!(at("127.0.0.1:9001", greeting), None, "{greeting:?}");
        }
    }

    #[test]
    fn json_of_a_greeting_has_what_applies_and_no_more() {
        let json = |greeting: GreetingEnded| serde_json::to_string(&json_greeted(&greeting)).unwrap();
        let met = came(GreetOutcome::Met, Some((Word::Failed, 44)), Some((Word::Online, 52)), 3);
        assert_eq!(
            json(met),
            r#"{"address":"127.0.0.1:9003","outcome":"met","was":{"state":"offline","word":"failed","clock":44},"now":{"state":"online","word":"online","clock":52},"new_members":3,"took_ms":0.412,"ms":1.0}"#
        );
        assert_eq!(
            json(came(GreetOutcome::Refused, None, None, 0)),
            r#"{"address":"127.0.0.1:9003","outcome":"refused","new_members":0,"took_ms":0.412,"ms":1.0}"#
        );
        let suspect = Some((Word::Suspect, 44));
        assert_eq!(
            json(came(GreetOutcome::Busy, suspect, suspect, 0)),
            r#"{"address":"127.0.0.1:9003","outcome":"busy","was":{"state":"online","word":"suspect","clock":44},"now":{"state":"online","word":"suspect","clock":44},"ms":1.0}"#
        );
        assert_eq!(json(ended(GreetEnd::Itself)), r#"{"address":"127.0.0.1:9003","outcome":"itself","ms":1.0}"#);
    }
}
