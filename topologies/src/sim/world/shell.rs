//! The shell of every mind: tells it what happens, and performs what it wants, exactly once and in order.
//!
//! It does with outputs what `servent` and `client` do with them, over connections of the simulated network. It judges
//! nothing; what passes through here is shown to the witness.

use std::net::SocketAddr;
use std::sync::Arc;

use common::dialect::Dialect;
use common::link::{LinkId, Purpose, SendError};
use common::message::Message;
use common::overlay::{self, Dial};
use common::query::{AnswerBody, Query, QueryId};
use common::session::{self, Report};
use common::time::Time;
use common::wire::{EncodeError, Frame, WireError};

use super::connection::{Stage, link_id};
use super::witness::Place;
use super::{Mind, Nanos, What, World, nanos};

/// Whose dial it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Caller {
    /// A servent's, for its mind.
    Mind(Dial),
    /// A client's, to its contact.
    Contact,
    /// That of the hostile servent of this fault.
    Hostile(usize),
}

impl Caller {
    pub(super) fn purpose(self) -> Purpose {
        match self {
            Caller::Mind(Dial::Neighbor(_)) | Caller::Hostile(_) => Purpose::Standing,
            Caller::Mind(Dial::Answers(_)) => Purpose::Answers,
            Caller::Contact => Purpose::Asking,
        }
    }
}

impl World<'_> {
    // ---- telling minds ----

    pub(super) fn on_due(&mut self, node: usize) {
        let found = &mut self.nodes[node];
        found.scheduled = Nanos::MAX;
        if found.pauses > 0 {
            return;
        }
        let Some(due) = self.deadline_of(node) else { return };
        if due > self.now {
            return self.look_at_deadline(node);
        }
        self.note_event(node, 8);
        let wanted = match self.nodes[node].mind {
            Mind::Servent(_) => self.tell_servent(node, overlay::Input::Deadline),
            Mind::Client(_) => self.tell_client(node, session::Input::Deadline),
            Mind::Gone | Mind::Hostile(_) => return,
        };
        // A shell waits until the deadline and tells the mind; were both to stay as they are, it would spin.
        if wanted == 0 && self.deadline_of(node).is_some_and(|due| due <= self.now) {
            let text = format!("{} was told its deadline and wants to be told again", self.name(node));
            self.witness.broke(self.now, &text);
            self.nodes[node].mind = Mind::Gone;
        }
    }

    fn deadline_of(&self, node: usize) -> Option<Nanos> {
        let due = match &self.nodes[node].mind {
            Mind::Servent(overlay) => overlay.deadline(),
            Mind::Client(session) => session.deadline(),
            Mind::Gone | Mind::Hostile(_) => None,
        };
        due.map(|due| nanos(due.since(Time::START)))
    }

    /// Sees to it that a mind is told its deadline. Events that have become too early find out by themselves.
    pub(super) fn look_at_deadline(&mut self, node: usize) {
        if let Some(due) = self.deadline_of(node)
            && due < self.nodes[node].scheduled
        {
            self.nodes[node].scheduled = due;
            self.schedule(due, What::Due { node });
        }
    }

    pub(super) fn tell_servent(&mut self, node: usize, input: overlay::Input) -> usize {
        let now = self.time();
        let mut wanted = std::mem::take(&mut self.wanted);
        let Mind::Servent(overlay) = &mut self.nodes[node].mind else { return 0 };
        overlay.handle(now, input, &mut wanted);
        self.witness.check_holdings(self.now, node, overlay.holdings());
        let count = wanted.len();
        for output in wanted.drain(..) {
            self.perform(node, output);
        }
        self.wanted = wanted;
        self.look_at_deadline(node);
        count
    }

    fn perform(&mut self, node: usize, output: overlay::Output) {
        match output {
            overlay::Output::Send { link, message } => match message {
                Message::Query(query) => self.send_to_all(node, &[link], query),
                message => self.send(node, link, &message),
            },
            overlay::Output::Flood { links, query } => self.send_to_all(node, &links, query),
            overlay::Output::Dial { dial, address, dialect } => self.dial(node, Caller::Mind(dial), address, dialect),
            overlay::Output::Rest { link, until } => {
                if let Some((connection, end)) = self.open_end(node, link) {
                    let until = nanos(until.since(Time::START));
                    self.connections[connection].ends[end].rests_until = until;
                }
            }
            overlay::Output::Close { link } => {
                if let Some((connection, end)) = self.open_end(node, link) {
                    self.close(connection, end);
                }
            }
        }
    }

    pub(super) fn tell_client(&mut self, node: usize, input: session::Input) -> usize {
        let now = self.time();
        let mut wanted = std::mem::take(&mut self.wanted_of_clients);
        let Some(query) = self.nodes[node].query else { return 0 };
        let Mind::Client(session) = &mut self.nodes[node].mind else { return 0 };
        session.handle(now, input, &mut wanted);
        let count = wanted.len();
        let mut asks = false;
        for output in wanted.drain(..) {
            match output {
                session::Output::Send { link, message } => {
                    if let Message::Request(request) = &message {
                        self.witness.on_request(query, request.sequence);
                    }
                    self.send(node, link, &message);
                }
                session::Output::Close { link } => {
                    if let Some((connection, end)) = self.open_end(node, link) {
                        // A client waits for nobody's end.
                        self.flush(connection, end);
                        self.let_go(connection, end);
                    }
                }
                session::Output::Tell(Report::Ready) => asks = self.witness.on_ready(query),
                session::Output::Tell(Report::Refused { .. }) => self.witness.on_refused(query),
                session::Output::Tell(Report::Answer { from, hops, body, .. }) => {
                    let from = self.at_address(from).filter(|from| *from < self.scene.graph.servents());
                    let nodes = |addresses: &[SocketAddr]| -> Vec<Option<usize>> {
                        addresses.iter().map(|address| self.at_address(*address)).collect()
                    };
                    let place = match &body {
                        AnswerBody::Place { path, neighbors } => {
                            Some(Place { path: nodes(&path.addresses()), neighbors: nodes(neighbors) })
                        }
                        AnswerBody::Value(_) => None,
                    };
                    self.witness.on_answer(self.now, query, from, hops, &body, place.as_ref());
                }
                session::Output::Tell(Report::Ended(ending)) => self.witness.on_ended(self.now, query, &ending),
                session::Output::Tell(Report::ContactLost { .. }) => self.witness.on_contact_lost(query),
                session::Output::Tell(Report::Unexpected { .. } | Report::MoreUnexpected { .. }) => {}
            }
        }
        self.wanted_of_clients = wanted;
        self.look_at_deadline(node);
        if asks {
            self.schedule(self.now, What::Ask { query });
        }
        count
    }

    pub(super) fn tell_closed(&mut self, node: usize, link: LinkId, reason: &str) {
        let reason = reason.to_owned();
        match self.nodes[node].mind {
            Mind::Servent(_) => {
                self.tell_servent(node, overlay::Input::Closed { link, reason });
            }
            Mind::Client(_) => {
                self.tell_client(node, session::Input::Closed { link, reason });
            }
            Mind::Gone | Mind::Hostile(_) => {}
        }
    }

    pub(super) fn tell_malformed(&mut self, connection: usize, end: usize, error: WireError) {
        let node = self.connections[connection].ends[end].node;
        let link = link_id(connection, end);
        match self.nodes[node].mind {
            Mind::Servent(_) => {
                self.tell_servent(node, overlay::Input::Malformed { link, error });
            }
            Mind::Client(_) => {
                self.tell_client(node, session::Input::Malformed { link, error });
            }
            Mind::Gone | Mind::Hostile(_) => {}
        }
    }

    /// A message has come.
    pub(super) fn hear(&mut self, connection: usize, end: usize, message: Message) {
        let node = self.connections[connection].ends[end].node;
        let link = link_id(connection, end);
        match self.nodes[node].mind {
            Mind::Servent(_) => {
                if let Message::Echo(echo) = &message {
                    self.outcome.echoes += 1;
                    self.witness.on_echo(self.at_address(echo.id.client), echo.id);
                }
                self.tell_servent(node, overlay::Input::Received { link, message });
            }
            Mind::Client(_) => {
                self.tell_client(node, session::Input::Received { link, message });
            }
            Mind::Hostile(fault) => self.hostile_hears(fault, connection, end, message),
            Mind::Gone => {}
        }
    }

    pub(super) fn on_no_answer(&mut self, node: usize, life: u32, caller: Caller, refused: bool) {
        if self.nodes[node].life != life {
            return;
        }
        self.note_event(node, 9);
        match caller {
            Caller::Mind(dial) => {
                let reason = if refused { "connection refused" } else { "no way there" }.to_owned();
                self.tell_servent(node, overlay::Input::DialFailed { dial, refused, reason });
            }
            Caller::Contact => {
                if let Some(query) = self.nodes[node].query {
                    self.witness.on_refused(query);
                }
            }
            Caller::Hostile(_) => {}
        }
    }

    // ---- what they say ----

    /// Where a mind's link is, if it is still one.
    fn open_end(&self, node: usize, link: LinkId) -> Option<(usize, usize)> {
        let number = usize::try_from(link.0).ok()?;
        let (connection, end) = (number / 2, number % 2);
        let this = self.connections.get(connection)?.ends.get(end)?;
        (this.node == node && this.stage == Stage::Open).then_some((connection, end))
    }

    pub(super) fn send(&mut self, node: usize, link: LinkId, message: &Message) {
        if self.queue(node, link, message, None)
            && let Message::Answer(answer) = message
            && let Some((connection, end)) = self.open_end(node, link)
        {
            let client = self.connections[connection].ends[1 - end].node;
            let id = QueryId { sequence: answer.sequence, client: self.nodes[client].address };
            self.witness.on_answer_said(self.now, node, self.nodes[node].life, client, id);
        }
    }

    fn send_to_all(&mut self, node: usize, links: &[LinkId], query: Arc<Query>) {
        let id = query.id();
        let client = self.at_address(id.client);
        let (ttl, hops) = (query.ttl, query.hops);
        let message = Message::Query(query);
        let mut frames: [Option<(Dialect, Result<Frame, EncodeError>)>; 2] = [None, None];
        for link in links {
            let Some((connection, end)) = self.open_end(node, *link) else { continue };
            let dialect = self.connections[connection].ends[end].carrier.dialect();
            let frame = match dialect {
                None => None,
                Some(dialect) => {
                    let place = usize::from(dialect == Dialect::Tp3);
                    let (_, frame) = frames[place].get_or_insert_with(|| (dialect, Frame::new(dialect, &message)));
                    match frame {
                        Ok(frame) => Some(&*frame),
                        Err(_) => continue,
                    }
                }
            };
            if self.queue(node, *link, &message, frame) {
                self.witness.on_copy(self.now, node, *link, client, id, ttl, hops);
            }
        }
    }

    /// Queues something on a link. What cannot be said there is dropped; a link that takes no more is lost.
    fn queue(&mut self, node: usize, link: LinkId, message: &Message, frame: Option<&Frame>) -> bool {
        let Some((connection, end)) = self.open_end(node, link) else { return false };
        let mut said = self.connections[connection].ends[end].carrier.say_frame(message, frame);
        if matches!(said, Err(SendError::Full(_))) {
            // Much was queued since the last flush: what counts is what the other end leaves unread.
            self.flush(connection, end);
            said = self.connections[connection].ends[end].carrier.say_frame(message, frame);
        }
        match said {
            Ok(()) => {
                self.check_unsent(connection, end);
                self.flush_later(connection, end);
                true
            }
            Err(SendError::Full(_)) => {
                self.let_go(connection, end);
                self.full.push_back((node, self.nodes[node].life, link));
                false
            }
            Err(_) => false,
        }
    }

    pub(super) fn tell_full(&mut self, node: usize, life: u32, link: LinkId) {
        if self.nodes[node].life == life {
            self.tell_closed(node, link, "it does not read");
        }
    }

    pub(super) fn name(&self, node: usize) -> String {
        if node < self.scene.graph.servents() {
            format!("s{node}")
        } else {
            match &self.nodes[node].mind {
                Mind::Client(_) => format!("client {}", self.nodes[node].address),
                _ => format!("stranger {}", self.nodes[node].address),
            }
        }
    }
}
