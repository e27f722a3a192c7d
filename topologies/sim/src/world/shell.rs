//! The shell of every mind: tells it what happens, and performs what it wants, exactly once and in order.
//!
//! What is about links an exchange does, as in `servent` and `client`, over connections of the simulated network. It
//! judges nothing; what passes through here is shown to the witness.

use std::net::SocketAddr;

use common::dialect::Dialect;
use common::disk::{Job, JobDone};
use common::exchange::{Exchange, Heard, Outside, purpose_of};
use common::link::{LinkId, Purpose};
use common::message::Message;
use common::overlay::{self, Dial};
use common::query::{AnswerBody, Ask, QueryId};
use common::session::{self, Question, Report, Session};
use common::time::Time;
use common::wire::{Accepts, WireError};

use super::super::plan::Wire;
use super::connection::{EndStage, link_id, place_of};
use super::witness::ToldPlace;
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
    /// That of the forger of this fault, to a client that it answers.
    Liar(usize),
}

impl Caller {
    pub(super) fn purpose(self) -> Purpose {
        match self {
            Caller::Mind(dial) => purpose_of(dial),
            Caller::Hostile(_) => Purpose::Standing,
            Caller::Liar(_) => Purpose::Answers,
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

    /// Something on the links of a node may have lasted too long.
    pub(super) fn on_links_due(&mut self, node: usize) {
        self.nodes[node].links_scheduled = Nanos::MAX;
        if self.nodes[node].pauses == 0 {
            self.with_exchange(node, Exchange::on_time);
        }
    }

    /// Sees to it that what lasts too long on the links of a node is ended, as above.
    pub(super) fn look_at_links(&mut self, node: usize) {
        let due = self.exchanges[node].deadline().map(|due| nanos(due.since(Time::START)));
        if let Some(due) = due.filter(|due| *due < self.nodes[node].links_scheduled) {
            self.nodes[node].links_scheduled = due;
            self.schedule(due, What::LinksDue { node });
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

    pub(super) fn perform(&mut self, node: usize, output: overlay::Output) {
        if self.scene.plan.wire == Wire::None {
            return self.perform_in_words(node, output);
        }
        if let overlay::Output::Close { link } = &output
            && let Some((connection, end)) = self.open_end(node, *link)
        {
            self.close(connection, end);
        }
        match self.with_exchange(node, |exchange, now, world| exchange.perform(now, output, world)) {
            Some(Outside::Dial { dial, address, dialect }) => self.dial(node, Caller::Mind(dial), address, dialect),
            Some(Outside::Disk(job)) => self.do_job(node, job),
            None => {}
        }
    }

    fn perform_for_client(&mut self, node: usize, output: session::Output) -> Option<Report> {
        if self.scene.plan.wire == Wire::None {
            return self.perform_for_client_in_words(node, output);
        }
        self.with_exchange(node, |exchange, now, world| exchange.perform_for_client(now, output, world))
    }

    /// Lends the exchange of a node, together with everything else there is.
    pub(super) fn with_exchange<T>(&mut self, node: usize, act: impl FnOnce(&mut Exchange, Time, &mut Self) -> T) -> T {
        let nothing = Exchange::servent(Accepts::OWN);
        let mut exchange = std::mem::replace(&mut self.exchanges[node], nothing);
        let result = act(&mut exchange, self.time(), self);
        self.exchanges[node] = exchange;
        self.touch(node);
        result
    }

    /// What a node has queued is to be written once the event at hand is dealt with.
    pub(super) fn touch(&mut self, node: usize) {
        if !self.touched.contains(&node) {
            self.touched.push(node);
        }
    }

    /// Does what an event has left to be done at a node.
    pub(super) fn settle_node(&mut self, node: usize) {
        self.tell_heard(node);
        if self.exchanges[node].is_unflushed() {
            self.with_exchange(node, Exchange::flush);
        }
        self.look_at_links(node);
    }

    /// Tells whoever is at a node what was heard on its links.
    pub(super) fn tell_heard(&mut self, node: usize) {
        while let Some((link, heard)) = self.next_heard(node) {
            let (connection, end) = place_of(link);
            match heard {
                Heard::Message(message) => self.hear(connection, end, message),
                Heard::Malformed(error) => self.tell_malformed(connection, end, error),
                Heard::Closed(reason) => self.tell_closed(connection, end, &reason),
            }
        }
    }

    fn next_heard(&mut self, node: usize) -> Option<(LinkId, Heard)> {
        // An exchange that was lent is settled once more.
        if !self.exchanges[node].may_have_heard() {
            return None;
        }
        self.with_exchange(node, Exchange::next_heard)
    }

    /// Whoever has no trouble with names knows at once where its neighbors are. Nobody here has data to be read again.
    pub(super) fn do_job(&mut self, node: usize, job: Job) {
        let done = match job {
            Job::LookUp { neighbor, name } => {
                let number = name.strip_prefix('s').and_then(|number| number.parse::<usize>().ok());
                let address = number.and_then(|number| self.nodes.get(number)).map(|found| found.address);
                let addresses = address.map(|address| vec![address]).ok_or_else(|| "nobody is called so".to_owned());
                match self.look_up_by_trouble(node) {
                    None => Some(JobDone::LookedUp { neighbor, addresses }),
                    Some((wait, is_in_vain)) => {
                        let addresses = if is_in_vain { Err("no name server answers".to_owned()) } else { addresses };
                        let (life, done) = (self.nodes[node].life, JobDone::LookedUp { neighbor, addresses });
                        self.schedule(self.now + wait, What::LookedUp { node, life, done });
                        None
                    }
                }
            }
            job => job.failed("there is no file"),
        };
        let now = self.time();
        let Mind::Servent(overlay) = &mut self.nodes[node].mind else { return };
        let Some(done) = done else { return };
        let mut wanted = Vec::new();
        overlay.handle(now, overlay::Input::Disk(done), &mut wanted);
        wanted.into_iter().for_each(|output| self.perform(node, output));
    }

    pub(super) fn on_looked_up(&mut self, node: usize, life: u32, done: JobDone) {
        if self.nodes[node].life != life {
            return;
        }
        self.note_event(node, 14);
        self.tell_servent(node, overlay::Input::Disk(done));
    }

    pub(super) fn tell_client(&mut self, node: usize, input: session::Input) -> usize {
        self.with_client(node, |now, session, wanted| session.handle(now, input, wanted))
    }

    pub(super) fn ask_as_client(&mut self, node: usize, ask: Ask) {
        let mut asked = Ok(0);
        self.with_client(node, |now, session, wanted| asked = session.ask(now, Question::new(ask), wanted));
        if let Err(error) = asked {
            self.witness.broke(self.now, &format!("a client that has asked nothing cannot ask: {error}"));
        }
    }

    /// Has a client's mind act, does what it wants, and gives how much that was.
    fn with_client(&mut self, node: usize, act: impl FnOnce(Time, &mut Session, &mut Vec<session::Output>)) -> usize {
        let now = self.time();
        let mut wanted = std::mem::take(&mut self.wanted_of_clients);
        let Some(query) = self.nodes[node].query else { return 0 };
        let Mind::Client(session) = &mut self.nodes[node].mind else { return 0 };
        act(now, session, &mut wanted);
        let count = wanted.len();
        let mut asks = false;
        for output in wanted.drain(..) {
            if let session::Output::Send { message: Message::Request(request), .. } = &output {
                self.witness.on_request(query, request.sequence);
            }
            let Some(report) = self.perform_for_client(node, output) else { continue };
            match report {
                Report::Ready => asks = self.witness.on_ready(query),
                Report::Refused { .. } => self.witness.on_refused(query),
                Report::Answer { sequence, from, hops, body, .. } => {
                    self.witness.on_told_of(self.now, query, sequence);
                    let from = self.at_address(from).filter(|from| *from < self.scene.graph.servents());
                    let nodes = |addresses: &[SocketAddr]| -> Vec<Option<usize>> {
                        addresses.iter().map(|address| self.at_address(*address)).collect()
                    };
                    let place = match &body {
                        AnswerBody::Place { path, neighbors } => {
                            Some(ToldPlace { path: nodes(&path.addresses()), neighbors: nodes(neighbors) })
                        }
                        AnswerBody::Value(_) => None,
                    };
                    self.witness.on_answer(self.now, query, from, hops, &body, place.as_ref());
                }
                Report::Ended { sequence, ending } => {
                    self.witness.on_told_of(self.now, query, sequence);
                    self.witness.on_ended(self.now, query, &ending);
                }
                Report::ContactLost { .. } => self.witness.on_contact_lost(query),
                Report::Unexpected { .. } | Report::MoreUnexpected { .. } => {}
            }
        }
        self.wanted_of_clients = wanted;
        self.look_at_deadline(node);
        if asks {
            self.schedule(self.now, What::Ask { query });
        }
        count
    }

    pub(super) fn tell_closed(&mut self, connection: usize, end: usize, reason: &str) {
        let node = self.connections[connection].ends[end].node;
        let link = link_id(connection, end);
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
        if error == WireError::Unfinished {
            self.note_event(node, 6);
        }
        match self.nodes[node].mind {
            Mind::Servent(_) => {
                self.tell_servent(node, overlay::Input::Malformed { link, error });
            }
            Mind::Client(_) => {
                self.tell_client(node, session::Input::Malformed { link, error });
            }
            Mind::Gone | Mind::Hostile(_) => return,
        }
        if self.connections[connection].ends[end].stage == EndStage::Open {
            let text = format!("{} keeps a link it cannot understand", self.name(node));
            self.witness.broke(self.now, &text);
        }
    }

    /// A message has come.
    pub(super) fn hear(&mut self, connection: usize, end: usize, message: Message) {
        if let Message::Hello(hello) = &message {
            self.on_hello(connection, end, hello.role);
        }
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
            Caller::Hostile(_) | Caller::Liar(_) => {}
        }
    }

    // ---- what they say ----

    /// Where a mind's link is, if it is still one.
    pub(super) fn open_end(&self, node: usize, link: LinkId) -> Option<(usize, usize)> {
        let (connection, end) = place_of(link);
        let this = self.connections.get(connection)?.ends.get(end)?;
        (this.node == node && this.stage == EndStage::Open).then_some((connection, end))
    }

    /// Shows the witness what a mind has said.
    pub(super) fn show_said(&mut self, link: LinkId, message: &Message) {
        let (connection, end) = place_of(link);
        let node = self.connections[connection].ends[end].node;
        if matches!(self.nodes[node].mind, Mind::Hostile(_)) {
            return;
        }
        match message {
            Message::Query(query) => {
                let client = self.at_address(query.id().client);
                let dialect = self.connections[connection].dialect;
                self.witness.on_mark(node, client, query);
                self.witness.on_copy(self.now, node, link, dialect, client, query);
            }
            Message::Answer(answer) => {
                let client = self.connections[connection].ends[1 - end].node;
                let id = QueryId { sequence: answer.sequence, client: self.nodes[client].address };
                let says_who = self.connections[connection].dialect == Dialect::OWN;
                self.witness.on_answer_said(self.now, (node, self.nodes[node].life), client, id, says_who);
            }
            _ => {}
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
