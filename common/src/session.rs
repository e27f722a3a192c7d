//! The client's mind: one query at a time, the answers to it, and the wait that ends it.
//!
//! It holds the resettable deadline and the rule that cuts it short. It does not know a terminal, a socket or how a
//! report is shown; a client of any shape performs its outputs.

use std::collections::{BTreeMap, VecDeque};
use std::net::SocketAddr;
use std::time::Duration;

use crate::dialect::{Answers, Dialect, Manners};
use crate::features::Features;
use crate::limits::HELLO_WAIT_MAX;
use crate::link::LinkId;
use crate::message::{Finished, Goodbye, Hello, Message, Request, Role};
use crate::newcomers::Newcomers;
use crate::query::{Answer, AnswerBody, Ask, Path, Tally};
use crate::time::Time;
use crate::wire::WireError;

/// What the mind is told.
#[derive(Debug)]
pub enum Input {
    /// The link to the contact stands.
    Attached {
        /// The one that every request goes over.
        link: LinkId,
        /// Where the contact is.
        contact: SocketAddr,
    },
    /// A servent connected to the answer address.
    Accepted {
        /// One that answers may come over.
        link: LinkId,
        /// Where it came from.
        from: SocketAddr,
    },
    /// A message came.
    Received {
        /// The link it came over.
        link: LinkId,
        /// What was said.
        message: Message,
    },
    /// Bytes came that are no message.
    Malformed {
        /// The link they came over.
        link: LinkId,
        /// What is wrong with them.
        error: WireError,
    },
    /// A link is gone. Not told for links the mind itself closed.
    Closed {
        /// The link that was.
        link: LinkId,
        /// Why, for the person.
        reason: String,
    },
    /// The person asks. Told only once the contact has said hello and no query is pending.
    Ask(Ask),
    /// The person has had enough of the pending query.
    Interrupt,
    /// [`Session::deadline`] has come. Telling it early or twice changes nothing.
    Deadline,
}

/// What the mind wants done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Output {
    /// Say this. The link may be gone by then; there is nobody to tell.
    Send {
        /// The link to say it on.
        link: LinkId,
        /// What is to be said.
        message: Message,
    },
    /// Send what is queued, then close.
    Close {
        /// The link, which is gone for the mind at once.
        link: LinkId,
    },
    /// Tell the person.
    Tell(Report),
}

/// What the person is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Report {
    /// The contact said hello: asking may begin.
    Ready,
    /// There is no servent at the contact's address, or it does not want us.
    Refused {
        /// Which of the two, and what is known of it.
        reason: String,
    },
    /// The contact is gone. A pending query goes on until its wait is over: answers do not come through the contact.
    ContactLost {
        /// How it went.
        reason: String,
    },
    /// An answer to the pending query.
    Answer {
        /// The answering servent's advertised address.
        from: SocketAddr,
        /// How many links the query crossed to it, where that is told.
        hops: Option<u8>,
        /// What it says.
        body: AnswerBody,
        /// Since the query was asked.
        elapsed: Duration,
    },
    /// Something that belongs to no pending query.
    Unexpected {
        /// Who sent it.
        from: SocketAddr,
        /// What kind of message it was.
        message: &'static str,
    },
    /// More of that kind since the last query ended than are told one by one. Told just before the end of a query.
    MoreUnexpected {
        /// How many more.
        count: u64,
    },
    /// The pending query is over.
    Ended(Ending),
}

/// How a query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What ended it.
    pub reason: EndReason,
    /// How many answers came.
    pub answers: u64,
    /// How many answers the contact said were sent that did not come. Nothing is missing where no more were wanted.
    pub missing: u64,
    /// What the contact told about the flood. Where it did not come to that, the little that is certain: the answers
    /// were sent by as many servents, and a contact that should have reported and did not, or could not be asked, counts
    /// as lost.
    pub tally: Tally,
    /// Whether `tally` is the contact's word.
    pub tally_told: bool,
    /// Since the query was asked.
    pub elapsed: Duration,
}

/// Why a query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The flood is over and every answer it sent has come.
    Complete,
    /// No answer came for as long as the client waits.
    Silence,
    /// As many answers came as were wanted.
    Answers,
    /// The person stopped it.
    Interrupted,
    /// It was not asked: the contact did not offer what it takes to understand it.
    NotUnderstood,
}

/// Queries that ended without the contact's word on them; it may still come and is then no surprise.
const OWED_MAX: usize = 64;
/// Queries that ended with as many answers as were wanted; what still comes for them is not told.
const SATISFIED_MAX: usize = 1_024;

/// Messages that belong to no query and are told one by one, from the end of one query to the end of the next. Whoever
/// sends more is counted.
pub const UNEXPECTED_TOLD_MAX: u64 = 20;

/// The client's mind.
#[derive(Debug)]
pub struct Session {
    dialect: Dialect,
    answer_port: u16,
    next_sequence: u64,
    silence_max: Duration,
    answers_wanted: Option<u64>,
    contact: Contact,
    peers: BTreeMap<LinkId, Peer>,
    /// Those of them that have yet to say hello.
    newcomers: Newcomers<()>,
    pending: Option<Pending>,
    owed: VecDeque<u64>,
    satisfied: VecDeque<u64>,
    /// Since the last query ended.
    unexpected_count: u64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Contact {
    None,
    /// It has yet to say hello.
    Silent(LinkId),
    Ready(LinkId),
    Lost,
}

#[derive(Clone, Copy, Debug)]
struct Peer {
    /// Its advertised address once it has said hello, until then the address of the connection.
    address: SocketAddr,
    /// What is customary in its dialect, once it has said hello.
    manners: Option<&'static Manners>,
    /// What it can do, once it has said so.
    features: Features,
}

impl Peer {
    /// Whether it says of an answer what kind it is, and how far away it is.
    fn tells_kind(&self) -> bool {
        self.manners.is_some_and(|manners| manners.answers_tell_kind)
    }
}

#[derive(Debug)]
struct Pending {
    sequence: u64,
    /// Whether places are asked for, and not values.
    for_places: bool,
    asked: Time,
    /// When the wait last began anew.
    heard: Time,
    answers: u64,
    /// Those of them that count in what a contact promises: behind a dialect without echoes nobody reports.
    reported_answers: u64,
    told: Option<Tally>,
}

impl Session {
    /// A mind that has no contact yet, but knows what it will speak. `first_sequence` should be random, so that a client
    /// restarted on the same port is never taken for its former self; it is not used where requests are numbered from
    /// zero.
    #[must_use]
    pub fn new(
        dialect: Dialect,
        answer_port: u16,
        first_sequence: u64,
        silence_max: Duration,
        answers_wanted: Option<u64>,
    ) -> Session {
        Session {
            dialect,
            answer_port,
            next_sequence: if dialect.manners().counts_from_zero { 0 } else { first_sequence },
            silence_max,
            answers_wanted,
            contact: Contact::None,
            peers: BTreeMap::new(),
            newcomers: Newcomers::default(),
            pending: None,
            owed: VecDeque::new(),
            satisfied: VecDeque::new(),
            unexpected_count: 0,
        }
    }

    /// Takes one input and appends what is to be done about it. It cannot fail and never waits.
    pub fn handle(&mut self, now: Time, input: Input, out: &mut Vec<Output>) {
        match input {
            Input::Attached { link, contact } => {
                self.contact = Contact::Silent(link);
                self.greet(now, link, contact, out);
            }
            Input::Accepted { link, from } => self.greet(now, link, from, out),
            Input::Received { link, message } => self.on_message(now, link, message, out),
            Input::Malformed { link, error } => {
                // Where a connection carries one message, one that is none is still what came.
                if let Some(Peer { address: from, manners: Some(manners), .. }) = self.peers.get(&link).copied()
                    && manners.answers != Answers::Kept
                {
                    self.on_unexpected(from, "message of an unknown type", out);
                }
                out.push(Output::Close { link });
                self.on_closed(link, &error.to_string(), out);
            }
            Input::Closed { link, reason } => self.on_closed(link, &reason, out),
            Input::Ask(ask) => {
                let needs = ask.needs();
                self.on_ask(now, ask, needs, out);
            }
            Input::Interrupt => self.end(now, EndReason::Interrupted, out),
            Input::Deadline => self.on_deadline(now, out),
        }
    }

    /// When the mind next wants to hear [`Input::Deadline`].
    #[must_use]
    pub fn deadline(&self) -> Option<Time> {
        let silence = self.pending.as_ref().map_or(Time::NEVER, |pending| pending.heard + self.silence_max);
        Some(self.newcomers.deadline().min(silence)).filter(|deadline| *deadline != Time::NEVER)
    }

    /// Whether a query is pending.
    #[must_use]
    pub fn is_waiting(&self) -> bool {
        self.pending.is_some()
    }

    fn greet(&mut self, now: Time, link: LinkId, address: SocketAddr, out: &mut Vec<Output>) {
        self.peers.insert(link, Peer { address, manners: None, features: Features::NONE });
        self.newcomers.insert(now, link, ());
        let hello = Hello::new(Role::Client { answer_port: self.answer_port });
        out.push(Output::Send { link, message: Message::Hello(hello) });
    }

    fn on_message(&mut self, now: Time, link: LinkId, message: Message, out: &mut Vec<Output>) {
        let Some(peer) = self.peers.get_mut(&link) else { return };
        match message {
            Message::Hello(Hello {
                role: role @ (Role::Servent { .. } | Role::Nameless), dialect, features, ..
            }) if peer.manners.is_none() => {
                peer.manners = Some(dialect.manners());
                peer.features = features;
                if let Role::Servent { advertised, .. } = role {
                    peer.address = advertised;
                }
                self.on_greeted(link, out);
            }
            Message::Goodbye(farewell) => {
                out.push(Output::Close { link });
                self.on_closed(link, &format!("it said goodbye, because {farewell}"), out);
            }
            message if peer.manners.is_none() => {
                let reason = format!("it sent a {} before saying hello as a servent", message.name());
                out.push(Output::Send { link, message: Message::Goodbye(Goodbye::Protocol) });
                out.push(Output::Close { link });
                self.on_closed(link, &reason, out);
            }
            Message::Ping => out.push(Output::Send { link, message: Message::Pong }),
            message => {
                let peer = *peer;
                self.on_report(now, link, peer, message, out);
            }
        }
    }

    fn on_greeted(&mut self, link: LinkId, out: &mut Vec<Output>) {
        self.newcomers.remove(link);
        if self.contact == Contact::Silent(link) {
            self.contact = Contact::Ready(link);
            out.push(Output::Tell(Report::Ready));
        }
    }

    fn on_report(&mut self, now: Time, link: LinkId, peer: Peer, message: Message, out: &mut Vec<Output>) {
        let from = peer.address;
        let is_contact = self.contact == Contact::Ready(link);
        match (message, &mut self.pending) {
            (Message::Answer(answer), Some(pending)) if pending.is_for(&answer, peer) => {
                pending.heard = now;
                pending.answers += 1;
                pending.reported_answers += u64::from(peer.manners.is_some_and(|manners| manners.echoes));
                let elapsed = now.since(pending.asked);
                let Answer { hops, body, .. } = answer;
                let report = match body {
                    AnswerBody::Value(text) if pending.for_places => place_from_text(from, text, elapsed),
                    body => Report::Answer { from, hops: peer.tells_kind().then_some(hops), body, elapsed },
                };
                out.push(Output::Tell(report));
                self.end_if_complete(now, out);
            }
            (Message::Finished(Finished { sequence, tally }), Some(pending))
                if is_contact && sequence == pending.sequence && pending.told.is_none() =>
            {
                pending.told = Some(tally);
                self.end_if_complete(now, out);
            }
            (Message::Finished(finished), _) if is_contact && self.owed.contains(&finished.sequence) => {
                self.owed.retain(|owed| *owed != finished.sequence);
            }
            // No more was wanted.
            (Message::Answer(Answer { sequence, .. }), _) if self.satisfied.contains(&sequence) => {}
            (Message::Finished(Finished { sequence, .. }), _) if is_contact && self.satisfied.contains(&sequence) => {}
            (message, _) => self.on_unexpected(from, message.name(), out),
        }
    }

    fn on_unexpected(&mut self, from: SocketAddr, message: &'static str, out: &mut Vec<Output>) {
        self.unexpected_count = self.unexpected_count.saturating_add(1);
        if self.unexpected_count <= UNEXPECTED_TOLD_MAX {
            out.push(Output::Tell(Report::Unexpected { from, message }));
        }
    }

    fn on_closed(&mut self, link: LinkId, reason: &str, out: &mut Vec<Output>) {
        self.peers.remove(&link);
        self.newcomers.remove(link);
        match self.contact {
            Contact::Silent(contact) if contact == link => {
                self.contact = Contact::Lost;
                out.push(Output::Tell(Report::Refused { reason: reason.to_owned() }));
            }
            Contact::Ready(contact) if contact == link => {
                self.contact = Contact::Lost;
                out.push(Output::Tell(Report::ContactLost { reason: reason.to_owned() }));
            }
            _ => log::debug!("{link} closed: {reason}"),
        }
    }

    fn on_ask(&mut self, now: Time, ask: Ask, needs: Features, out: &mut Vec<Output>) {
        let sequence = self.next_sequence;
        self.next_sequence = self.next_sequence.wrapping_add(1);
        self.pending = Some(Pending {
            sequence,
            for_places: ask == Ask::Topology,
            asked: now,
            heard: now,
            answers: 0,
            reported_answers: 0,
            told: None,
        });
        if let Contact::Ready(link) = self.contact {
            if !self.peers.get(&link).is_some_and(|contact| contact.features.include(needs)) {
                return self.end(now, EndReason::NotUnderstood, out);
            }
            out.push(Output::Send { link, message: Message::Request(Request { sequence, ask }) });
        }
    }

    fn on_deadline(&mut self, now: Time, out: &mut Vec<Output>) {
        for link in self.newcomers.overdue(now).collect::<Vec<_>>() {
            out.push(Output::Close { link });
            self.on_closed(link, &format!("it did not say hello within {} s", HELLO_WAIT_MAX.as_secs()), out);
        }
        if self.pending.as_ref().is_some_and(|pending| now.since(pending.heard) >= self.silence_max) {
            self.end(now, EndReason::Silence, out);
        }
    }

    fn end_if_complete(&mut self, now: Time, out: &mut Vec<Output>) {
        let Some(pending) = &self.pending else { return };
        if pending.told.is_some_and(|tally| tally.is_whole() && pending.reported_answers >= tally.answers) {
            self.end(now, EndReason::Complete, out);
        } else if self.answers_wanted.is_some_and(|wanted| pending.answers >= wanted) {
            self.end(now, EndReason::Answers, out);
        }
    }

    fn end(&mut self, now: Time, reason: EndReason, out: &mut Vec<Output>) {
        let Some(Pending { sequence, asked, answers, reported_answers, told, .. }) = self.pending.take() else {
            return;
        };
        let is_asked = reason != EndReason::NotUnderstood;
        // In a dialect without echoes no contact reports.
        let is_silent = is_asked && !self.dialect.manners().echoes;
        if reason == EndReason::Answers {
            remember(&mut self.satisfied, sequence, SATISFIED_MAX);
        } else if told.is_none() && is_asked && !is_silent {
            remember(&mut self.owed, sequence, OWED_MAX);
        }
        let count = std::mem::take(&mut self.unexpected_count).saturating_sub(UNEXPECTED_TOLD_MAX);
        if count > 0 {
            out.push(Output::Tell(Report::MoreUnexpected { count }));
        }
        let untold = Tally {
            reached: answers,
            answers,
            lost: u64::from(!is_asked || reason == EndReason::Silence && !is_silent),
            silent: u64::from(is_silent),
            ..Tally::default()
        };
        out.push(Output::Tell(Report::Ended(Ending {
            reason,
            answers,
            missing: match (reason, told) {
                (EndReason::Answers, _) | (_, None) => 0,
                (_, Some(told)) => told.answers.saturating_sub(reported_answers),
            },
            tally: told.unwrap_or(untold),
            tally_told: told.is_some(),
            elapsed: now.since(asked),
        })));
    }
}

/// Adds a query to those that are over, the oldest of which are forgotten.
fn remember(queries: &mut VecDeque<u64>, sequence: u64, at_most: usize) {
    queries.push_back(sequence);
    if queries.len() > at_most {
        queries.pop_front();
    }
}

impl Pending {
    /// Whether an answer is one to this query, as far as whoever brings it says what kind it is.
    fn is_for(&self, answer: &Answer, peer: Peer) -> bool {
        let brings_place = matches!(answer.body, AnswerBody::Place { .. });
        answer.sequence == self.sequence && (!peer.tells_kind() || brings_place == self.for_places)
    }
}

/// A place told as the text of its path.
fn place_from_text(from: SocketAddr, text: Vec<u8>, elapsed: Duration) -> Report {
    let words = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty()).count();
    let hops = u8::try_from(words.saturating_sub(1)).ok();
    let body = AnswerBody::Place { path: Path::Text(text), neighbors: Vec::new() };
    Report::Answer { from, hops, body, elapsed }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::features::MADE_UP;
    use crate::limits::SILENCE_DEFAULT;
    use crate::message::ServentId;

    /// No ask needs a feature yet, so the need is made up here.
    #[test]
    fn what_the_contact_does_not_understand_is_not_asked_and_costs_nobody_the_contact() {
        let [offered, other, _] = MADE_UP;
        let link = LinkId(1);
        let contact = SocketAddr::from(([127, 0, 0, 1], 9000));
        let servent = Hello::new(Role::Servent { id: ServentId(7), advertised: contact });
        let native = Hello { features: offered, ..servent };
        let nameless = Hello { features: offered, ..Hello::said_in(Dialect::Tp3, Role::Nameless) };
        for (dialect, hello) in [(Dialect::Native, native), (Dialect::Tp3, nameless)] {
            let mut session = Session::new(dialect, 9990, 7, SILENCE_DEFAULT, None);
            let mut out = Vec::new();
            session.handle(Time::START, Input::Attached { link, contact }, &mut out);
            session.handle(Time::START, Input::Received { link, message: Message::Hello(hello) }, &mut out);
            assert_eq!(out.last(), Some(&Output::Tell(Report::Ready)));
            for (needs, is_asked) in
                [(Features::NONE, true), (offered, true), (other, false), (offered.with(other), false), (offered, true)]
            {
                let mut out = Vec::new();
                session.on_ask(Time::START, Ask::Topology, needs, &mut out);
                assert_eq!(session.is_waiting(), is_asked, "{needs:?} needed");
                if is_asked {
                    let [Output::Send { message: Message::Request(_), .. }] = out[..] else { panic!("{out:?}") };
                    session.handle(Time::START, Input::Interrupt, &mut Vec::new());
                } else {
                    let ending = Ending {
                        reason: EndReason::NotUnderstood,
                        answers: 0,
                        missing: 0,
                        tally: Tally { lost: 1, ..Tally::default() },
                        tally_told: false,
                        elapsed: Duration::ZERO,
                    };
                    assert_eq!(out, [Output::Tell(Report::Ended(ending))], "{needs:?} needed");
                    assert_eq!(session.deadline(), None, "nothing is waited for");
                }
            }
            let owed = if dialect == Dialect::Native { 3 } else { 0 };
            assert_eq!(session.owed.len(), owed, "nobody reports what was not asked");
        }
    }
}
