//! The shell of every mind: tells it what happens, and performs what it wants, exactly once and in order.
//!
//! What is about links an exchange does, as in `servent` and `client`, over connections of the simulated network. It
//! judges nothing and draws nothing; what passes through here is shown to whoever runs the world (`face`).

use std::collections::{BTreeSet, VecDeque};
use std::net::SocketAddr;

use common::dialect::Dialect;
use common::disk::{Job, JobDone};
use common::exchange::{Exchange, Heard, Outside, Transport};
use common::link::{LinkId, Purpose, SendError};
use common::message::Message;
use common::overlay::{self, Opening, Overlay};
use common::session::{self, Session};
use common::time::Time;
use common::wire::{Accepts, WireError};

use super::clock::{Nanos, nanos};
use super::dials::{Caller, Knock};
use super::ends::{EndAt, EndStage};
use super::events::{SceneEvent, What};
use super::face::{Face, LookUp};
use super::machines::MachineKind;
use super::network::{IT_BROKE, IT_CLOSED, IT_IS_GONE, Knocked, SimNetwork};

/// Who lives at a node.
pub(super) enum Mind {
    Gone,
    Servent(Box<Overlay>),
    Client(Box<Session>),
    /// Nobody of ours.
    Stranger,
}

/// Whoever lives on a machine, and its links.
struct Node {
    mind: Mind,
    exchange: Exchange,
    /// When it is to be told its deadline next: the earliest of the clock's events that say so.
    scheduled: Nanos,
    /// The same of its exchange.
    links_scheduled: Nanos,
}

/// What happens to somebody who has no mind of ours.
#[derive(Debug)]
pub(super) enum StrangerNews {
    /// Its dial succeeded.
    Connected { number: usize, at: EndAt },
    /// It heard something.
    Heard { node: usize, at: EndAt, message: Message },
}

/// A hash over everything that happens, and how much that is.
pub(super) struct Trace {
    pub(super) hash: u64,
    pub(super) events: u64,
}

impl Trace {
    pub(super) fn note(&mut self, now: Nanos, node: usize, kind: u64) {
        self.events += 1;
        self.hash = mix(mix(self.hash, now), (node as u64) << 8 | kind);
    }

    fn note_bytes(&mut self, bytes: &[u8]) {
        self.hash = bytes.chunks(8).fold(self.hash, |hash, word| {
            let number = word.iter().fold(0, |number: u64, byte| number << 8 | u64::from(*byte));
            mix(hash, number)
        });
    }
}

/// Everybody, the network between them, and whoever looks on.
pub(super) struct Shell<F> {
    pub(super) network: SimNetwork,
    nodes: Vec<Node>,
    /// Nodes that have something to do once the event at hand is dealt with.
    touched: BTreeSet<usize>,
    /// What strangers were told and nobody has seen to yet.
    pub(super) strangers: VecDeque<StrangerNews>,
    pub(super) face: F,
    pub(super) trace: Trace,
    // Scratch space.
    wanted: Vec<overlay::Output>,
    wanted_of_clients: Vec<session::Output>,
}

/// The pipes under an exchange.
pub(super) struct Pipes<'a, F> {
    network: &'a mut SimNetwork,
    face: &'a mut F,
}

impl<F: Face> Transport for Pipes<'_, F> {
    fn read(&mut self, _: LinkId, _: &mut [u8]) -> Result<Option<usize>, String> {
        Ok(None)
    }

    fn write(&mut self, link: LinkId, bytes: &[u8]) -> Result<usize, String> {
        Ok(self.network.write(EndAt::of(link), bytes))
    }

    fn watch(&mut self, link: LinkId, reads: bool, _: bool) -> Result<(), String> {
        self.network.set_is_read(EndAt::of(link), reads);
        Ok(())
    }

    fn shut(&mut self, link: LinkId) -> Result<(), String> {
        self.network.push_end(EndAt::of(link), IT_CLOSED);
        Ok(())
    }

    fn close(&mut self, link: LinkId) {
        self.network.let_go(EndAt::of(link), IT_CLOSED);
    }

    fn on_said(&mut self, link: LinkId, message: &Message, said: &Result<(), SendError>) {
        self.face.on_said(self.network, link, message, said);
    }
}

impl<F: Face> Shell<F> {
    pub(super) fn new(network: SimNetwork, face: F, seed: u64) -> Shell<F> {
        Shell {
            network,
            nodes: Vec::new(),
            touched: BTreeSet::new(),
            strangers: VecDeque::new(),
            face,
            trace: Trace { hash: seed, events: 0 },
            wanted: Vec::new(),
            wanted_of_clients: Vec::new(),
        }
    }

    pub(super) fn now(&self) -> Nanos {
        self.network.clock.now()
    }

    pub(super) fn time(&self) -> Time {
        self.network.clock.time()
    }

    pub(super) fn note_event(&mut self, node: usize, kind: u64) {
        self.trace.note(self.network.clock.now(), node, kind);
    }

    pub(super) fn broke(&mut self, text: &str) {
        let now = self.now();
        self.face.on_broken(now, text);
    }

    // ---- who there is ----

    /// A machine more, which nobody lives on yet.
    pub(super) fn add(&mut self, address: SocketAddr, kind: MachineKind, place: usize) -> usize {
        let exchange = Exchange::client(Accepts::ANY);
        self.nodes.push(Node { mind: Mind::Gone, exchange, scheduled: Nanos::MAX, links_scheduled: Nanos::MAX });
        self.network.add(address, kind, place)
    }

    /// Somebody begins to live at a node, with links of this kind.
    pub(super) fn settle_down(&mut self, node: usize, mind: Mind, exchange: Exchange) {
        self.nodes[node].mind = mind;
        self.nodes[node].exchange = exchange;
        let machine = &mut self.network.machines[node];
        machine.life += 1;
        machine.is_there = true;
        machine.has_vanished = false;
        self.look_at_deadline(node);
    }

    /// Whoever lives at a node is gone, and what was to be told to it. What its system knows is for the caller to end.
    pub(super) fn end(&mut self, node: usize) {
        self.nodes[node].mind = Mind::Gone;
        self.nodes[node].exchange = Exchange::client(Accepts::ANY);
        let machine = &mut self.network.machines[node];
        machine.is_there = false;
        machine.pauses = 0;
        machine.postponed.clear();
    }

    pub(super) fn overlay(&self, node: usize) -> Option<&Overlay> {
        match &self.nodes[node].mind {
            Mind::Servent(overlay) => Some(overlay),
            _ => None,
        }
    }

    pub(super) fn session(&self, node: usize) -> Option<&Session> {
        match &self.nodes[node].mind {
            Mind::Client(session) => Some(session),
            _ => None,
        }
    }

    /// Whether somebody speaks on an end.
    pub(super) fn is_spoken_on(&self, at: EndAt) -> bool {
        self.nodes[self.network.end(at).node].exchange.is_known(at.link())
    }

    pub(super) fn nodes_count(&self) -> usize {
        self.nodes.len()
    }

    /// Queries of which anybody alive awaits echoes.
    pub(super) fn pending_count(&self) -> usize {
        (0..self.nodes.len()).filter_map(|node| self.overlay(node)).map(Overlay::pending_count).sum()
    }

    // ---- what happens ----

    /// Lets the next thing happen. What is the scene's own is given back, for whoever runs it.
    pub(super) fn happen(&mut self, what: What) -> Option<SceneEvent> {
        if let What::Scene(event) = what {
            return Some(event);
        }
        self.unless_paused(what);
        None
    }

    /// Lets something happen, or has it wait for whom it happens to.
    fn unless_paused(&mut self, what: What) {
        let sleeper = match &what {
            What::Established { connection } => Some(self.network.end(EndAt::dialler_of(*connection)).node),
            What::Accepted { connection } => Some(self.network.end(EndAt::acceptor_of(*connection)).node),
            What::Broken { at } => Some(self.network.end(*at).node),
            What::NoAnswer { node, .. } | What::LookedUp { node, .. } => Some(*node),
            _ => None,
        };
        if let Some(sleeper) = sleeper.and_then(|node| self.network.machines.get_mut(node))
            && sleeper.is_paused()
        {
            return sleeper.postponed.push(what);
        }
        match what {
            What::Due { node } => self.on_due(node),
            What::LinksDue { node } => self.on_links_due(node),
            What::Arrive { from } => self.on_arrival(from),
            What::Knock(knock) => self.on_knock(&knock),
            What::NoAnswer { node, life, caller, address, refused } => {
                if self.network.machines[node].life == life {
                    self.on_no_answer(node, caller, address, refused);
                }
            }
            What::Established { connection } => self.on_established(connection),
            What::Accepted { connection } => self.on_accepted(connection),
            What::Broken { at } => self.on_broken(at),
            What::Unacknowledged { from, epoch } => {
                if self.network.waits_in_vain(from, epoch) {
                    self.give_up_on_other(from);
                }
            }
            What::Unheard { at, epoch } => {
                if self.network.is_unheard(at, epoch) {
                    self.give_up_on_other(at);
                }
            }
            What::LookedUp { node, life, done } => self.on_looked_up(node, life, done),
            // Told to whoever runs the scene.
            What::Scene(_) => {}
        }
    }

    /// Does one thing that the event at hand has left; false when there is nothing.
    pub(super) fn settle_one(&mut self) -> bool {
        self.hand_on_news();
        let Some(node) = self.touched.pop_first() else {
            self.network.send_written();
            return false;
        };
        self.tell_heard(node);
        if self.nodes[node].exchange.is_unflushed() {
            self.with_exchange(node, |exchange, now, pipes| exchange.flush(now, pipes));
        }
        self.look_at_links(node);
        self.hand_on_news();
        true
    }

    fn hand_on_news(&mut self) {
        if self.network.news.is_empty() {
            return;
        }
        let now = self.now();
        for news in std::mem::take(&mut self.network.news) {
            if let Some((pause, event)) = self.face.on_news(now, &news) {
                self.network.clock.schedule(now + pause, What::Scene(event));
            }
        }
    }

    /// What a node has queued is to be written once the event at hand is dealt with.
    fn touch(&mut self, node: usize) {
        self.touched.insert(node);
    }

    /// Lends the exchange of a node, together with the pipes under it.
    pub(super) fn with_exchange<T>(
        &mut self,
        node: usize,
        act: impl FnOnce(&mut Exchange, Time, &mut Pipes<'_, F>) -> T,
    ) -> T {
        let now = self.time();
        let mut pipes = Pipes { network: &mut self.network, face: &mut self.face };
        let result = act(&mut self.nodes[node].exchange, now, &mut pipes);
        self.touch(node);
        result
    }

    // ---- time ----

    fn on_due(&mut self, node: usize) {
        self.nodes[node].scheduled = Nanos::MAX;
        if self.network.machines[node].is_paused() {
            return;
        }
        let Some(due) = self.deadline_of(node) else { return };
        if due > self.now() {
            return self.look_at_deadline(node);
        }
        self.note_event(node, 8);
        let wanted = match self.nodes[node].mind {
            Mind::Servent(_) => self.tell_servent(node, overlay::Input::Deadline),
            Mind::Client(_) => self.tell_client(node, session::Input::Deadline),
            Mind::Gone | Mind::Stranger => return,
        };
        // A shell waits until the deadline and tells the mind; were both to stay as they are, it would spin.
        if wanted == 0 && self.deadline_of(node).is_some_and(|due| due <= self.now()) {
            let address = self.network.address(node);
            self.broke(&format!("{address} was told its deadline and wants to be told again"));
            self.nodes[node].mind = Mind::Gone;
        }
    }

    fn deadline_of(&self, node: usize) -> Option<Nanos> {
        let due = match &self.nodes[node].mind {
            Mind::Servent(overlay) => overlay.deadline(),
            Mind::Client(session) => session.deadline(),
            Mind::Gone | Mind::Stranger => None,
        };
        due.map(|due| nanos(due.since(Time::START)))
    }

    /// Sees to it that a mind is told its deadline. Events that have become too early find out by themselves.
    fn look_at_deadline(&mut self, node: usize) {
        if let Some(due) = self.deadline_of(node)
            && due < self.nodes[node].scheduled
        {
            self.nodes[node].scheduled = due;
            self.network.clock.schedule_due(2 * node + 1, due, What::Due { node });
        }
    }

    /// Something on the links of a node may have lasted too long.
    fn on_links_due(&mut self, node: usize) {
        self.nodes[node].links_scheduled = Nanos::MAX;
        if !self.network.machines[node].is_paused() {
            self.with_exchange(node, |exchange, now, pipes| exchange.on_time(now, pipes));
        }
    }

    /// Sees to it that what lasts too long on the links of a node is ended, as above.
    fn look_at_links(&mut self, node: usize) {
        let due = self.nodes[node].exchange.deadline().map(|due| nanos(due.since(Time::START)));
        if let Some(due) = due.filter(|due| *due < self.nodes[node].links_scheduled) {
            self.nodes[node].links_scheduled = due;
            self.network.clock.schedule_due(2 * node, due, What::LinksDue { node });
        }
    }

    /// A node neither reads nor thinks for a while.
    pub(super) fn pause(&mut self, node: usize) {
        self.network.machines[node].pauses += 1;
    }

    /// It does again, if nothing else keeps it from that.
    pub(super) fn resume(&mut self, node: usize) {
        let machine = &mut self.network.machines[node];
        machine.pauses = machine.pauses.saturating_sub(1);
        if machine.is_paused() {
            return;
        }
        let now = self.now();
        for what in std::mem::take(&mut self.network.machines[node].postponed) {
            self.network.clock.schedule(now, what);
        }
        for connection in self.network.machines[node].connections.clone() {
            for at in self.network.ends_at(connection, node) {
                self.network.kick(at.other());
            }
        }
        self.nodes[node].scheduled = Nanos::MAX;
        self.look_at_deadline(node);
        self.nodes[node].links_scheduled = Nanos::MAX;
        self.look_at_links(node);
    }

    // ---- dials ----

    pub(super) fn dial(&mut self, node: usize, caller: Caller, address: SocketAddr, dialect: Dialect) {
        self.face.on_dialling(&self.network, node, address);
        self.network.dial(node, caller, address, dialect);
    }

    fn on_knock(&mut self, knock: &Knock) {
        let Knock { node, caller, dialect, .. } = *knock;
        self.note_event(node, 2);
        let told = self.face.fate_of(&self.network, knock);
        let fate = told.unwrap_or_else(|| self.network.fate_of(knock));
        match self.network.on_knock(knock, fate) {
            Some(Knocked::Connected { connection, is_established }) => {
                let link = EndAt::dialler_of(connection).link();
                self.nodes[node].exchange.on_dialled(link, dialect, caller.purpose());
                if is_established {
                    self.unless_paused(What::Established { connection });
                }
                self.unless_paused(What::Accepted { connection });
            }
            Some(Knocked::Refused(what)) => self.unless_paused(what),
            None => {}
        }
    }

    fn on_no_answer(&mut self, node: usize, caller: Caller, address: SocketAddr, refused: bool) {
        self.note_event(node, 9);
        let reason = if refused { "connection refused" } else { "timed out" };
        self.face.on_no_answer(&self.network, node, caller, address, reason);
        if let Caller::Mind(dial) = caller {
            self.tell_servent(node, overlay::Input::DialFailed { dial, refused, reason: reason.to_owned() });
        }
    }

    fn on_accepted(&mut self, connection: usize) {
        let at = EndAt::acceptor_of(connection);
        let end = self.network.end(at);
        if end.stage != EndStage::Open {
            return;
        }
        let (node, speaks, dialler) = (end.node, end.speaks, self.network.end(at.other()).node);
        self.note_event(node, 3);
        let link = at.link();
        let mut from = self.network.address(dialler);
        // Answers in TP3 leave from the port their servent listens on; whatever else leaves from any port.
        if self.network.connection(connection).caller.purpose() != Purpose::Answers {
            let [.., high, low] = (connection as u64).to_be_bytes();
            from.set_port(u16::from_be_bytes([high, low]) | 0x8000);
        }
        self.with_exchange(node, |exchange, _, _| exchange.on_accepted(link, from));
        match &self.nodes[node].mind {
            Mind::Servent(_) if speaks => {
                let opening = Opening::Accepted(from);
                self.tell_servent(node, overlay::Input::Opened { link, opening });
            }
            Mind::Client(_) if speaks => {
                self.tell_client(node, session::Input::Accepted { link, from });
            }
            _ => {}
        }
        self.tell_heard(node);
    }

    fn on_established(&mut self, connection: usize) {
        if !self.network.on_established(connection) {
            return;
        }
        let at = EndAt::dialler_of(connection);
        let (node, caller) = (self.network.end(at).node, self.network.connection(connection).caller);
        self.note_event(node, 4);
        let link = at.link();
        self.with_exchange(node, |exchange, _, _| exchange.on_connected(link));
        match caller {
            Caller::Mind(dial) => {
                let opening = Opening::Dialled(dial);
                self.tell_servent(node, overlay::Input::Opened { link, opening });
            }
            Caller::Contact => {
                let contact = self.network.address(self.network.end(at.other()).node);
                self.tell_client(node, session::Input::Attached { link, contact });
            }
            Caller::Stranger { number, .. } => self.strangers.push_back(StrangerNews::Connected { number, at }),
        }
        self.tell_heard(node);
        self.network.kick(at.other());
    }

    // ---- what comes, and what ends ----

    fn on_arrival(&mut self, from: EndAt) {
        let Some(mut arrived) = self.network.arrive(from) else { return };
        let (to, node, stage) = (arrived.to, arrived.node, arrived.stage);
        self.note_event(node, 5);
        match arrived.bytes() {
            Err(reason) => self.on_end(to, reason),
            Ok(bytes) => {
                self.trace.note_bytes(bytes);
                if stage == EndStage::Open {
                    let nobody_is_told =
                        !self.network.end(to).speaks || matches!(self.nodes[node].mind, Mind::Stranger);
                    if nobody_is_told {
                        self.network.machines[node].unheard_bytes += bytes.len();
                    }
                    self.nodes[node].exchange.receive(to.link(), bytes);
                    self.touch(node);
                }
                self.network.keep_rest(&mut arrived);
                match self.network.end(to).stage {
                    EndStage::Open => self.tell_heard(node),
                    // Discarded. Nothing is delivered to one that is still dialling.
                    EndStage::Closing | EndStage::Dialling => {}
                    EndStage::Gone => self.network.refuse(to),
                }
            }
        }
        self.network.make_room(&arrived);
        // There is room again for what the other end has queued.
        let sender = self.network.end(from).node;
        self.nodes[sender].exchange.on_writable(from.link());
        if self.nodes[sender].exchange.is_unflushed() {
            self.touch(sender);
        }
        self.network.kick(from);
    }

    /// The other end has said that nothing more will come.
    fn on_end(&mut self, at: EndAt, reason: &str) {
        self.network.let_go(at, IT_CLOSED);
        self.end_link(at, reason);
    }

    /// The program learns that a connection is over, if it knew of it.
    fn end_link(&mut self, at: EndAt, reason: &str) {
        let node = self.network.end(at).node;
        let (link, reason) = (at.link(), reason.to_owned());
        self.with_exchange(node, |exchange, now, pipes| exchange.on_closed(now, link, reason, pipes));
        self.tell_heard(node);
    }

    fn on_broken(&mut self, at: EndAt) {
        let Some(stage) = self.network.on_broken(at) else { return };
        let node = self.network.end(at).node;
        self.note_event(node, 7);
        self.end_link(at, IT_BROKE);
        if stage == EndStage::Dialling {
            let caller = self.network.connection(at.connection).caller;
            let address = self.network.address(self.network.end(at.other()).node);
            self.on_no_answer(node, caller, address, false);
        }
    }

    /// An end stops waiting for the other, which learns of it if it can.
    fn give_up_on_other(&mut self, at: EndAt) {
        self.on_broken(at);
        self.network.tell_other_of_end(at);
    }

    /// Whoever lives at a node is gone, and its system ends what it had open, in order or not.
    pub(super) fn kill(&mut self, node: usize, how: Departure) {
        self.end(node);
        self.network.machines[node].life += 1;
        self.network.machines[node].has_vanished = how == Departure::Vanished;
        for at in self.network.ends_of(node) {
            match how {
                Departure::Vanished => self.network.vanish(at),
                Departure::Reset if self.network.end(at).stage != EndStage::Gone => {
                    self.network.reset(at.connection);
                    self.network.leave(at);
                }
                Departure::Reset | Departure::Closed => self.network.let_go(at, IT_IS_GONE),
            }
        }
    }

    // ---- telling minds ----

    /// Tells whoever is at a node what was heard on its links.
    fn tell_heard(&mut self, node: usize) {
        while let Some((link, heard)) = self.next_heard(node) {
            self.hand_on_news();
            self.hear(node, link, heard);
        }
    }

    fn next_heard(&mut self, node: usize) -> Option<(LinkId, Heard)> {
        // An exchange that was lent is settled once more.
        if !self.nodes[node].exchange.may_have_heard() {
            return None;
        }
        self.with_exchange(node, |exchange, now, pipes| exchange.next_heard(now, pipes))
    }

    fn hear(&mut self, node: usize, link: LinkId, heard: Heard) {
        let at = EndAt::of(link);
        let must_end = match &heard {
            Heard::Message(Message::Hello(hello)) => {
                self.network.on_hello(at, hello.role);
                self.hand_on_news();
                false
            }
            Heard::Malformed(error) => {
                if *error == WireError::Unfinished {
                    self.note_event(node, 6);
                }
                true
            }
            Heard::Message(_) | Heard::Closed(_) => false,
        };
        self.face.on_heard(&self.network, link, &heard);
        let speaks = self.network.end(at).speaks;
        match self.nodes[node].mind {
            Mind::Servent(_) if speaks => {
                self.tell_servent(node, heard.for_servent(link));
            }
            Mind::Client(_) if speaks => {
                self.tell_client(node, heard.for_client(link));
            }
            Mind::Stranger => {
                if let Heard::Message(message) = heard {
                    self.strangers.push_back(StrangerNews::Heard { node, at, message });
                }
                return;
            }
            _ => return,
        }
        if must_end && self.network.end(at).stage == EndStage::Open {
            let address = self.network.address(node);
            self.broke(&format!("{address} keeps a link it cannot understand"));
        }
    }

    pub(super) fn tell_servent(&mut self, node: usize, input: overlay::Input) -> usize {
        let (time, now) = (self.time(), self.now());
        let mut wanted = std::mem::take(&mut self.wanted);
        let Mind::Servent(overlay) = &mut self.nodes[node].mind else { return 0 };
        overlay.handle(time, input, &mut wanted);
        self.face.on_handled(now, node, overlay);
        let count = wanted.len();
        for output in wanted.drain(..) {
            self.perform(node, output);
        }
        self.wanted = wanted;
        self.look_at_deadline(node);
        count
    }

    fn perform(&mut self, node: usize, output: overlay::Output) {
        if let overlay::Output::Close { link } = &output {
            self.close(node, *link);
        }
        match self.with_exchange(node, |exchange, now, pipes| exchange.perform(now, output, pipes)) {
            Some(Outside::Dial { dial, address, dialect }) => self.dial(node, Caller::Mind(dial), address, dialect),
            Some(Outside::Disk(job)) => self.do_job(node, job),
            None => {}
        }
    }

    /// A mind closes a link, if it is still one.
    fn close(&mut self, node: usize, link: LinkId) {
        let at = EndAt::of(link);
        if at.connection < self.network.connections_count()
            && self.network.end(at).node == node
            && self.network.end(at).stage == EndStage::Open
        {
            self.face.on_closing(&self.network, link);
            self.network.close(at);
        }
    }

    /// Looks names up. Nobody here has data to be read again.
    fn do_job(&mut self, node: usize, job: Job) {
        let Job::LookUp { neighbor, name } = job else {
            if let Some(done) = job.failed("there is no file") {
                self.tell_servent(node, overlay::Input::Disk(done));
            }
            return;
        };
        let now = self.now();
        let found = self.face.look_up(&self.network, node, &name);
        let done = |network: &SimNetwork, found: Option<usize>| {
            let addresses = found.map(|found| vec![network.address(found)]);
            JobDone::LookedUp { neighbor, addresses: addresses.ok_or_else(|| "nobody is called so".to_owned()) }
        };
        let done = match found {
            LookUp::Found(found) => done(&self.network, Some(found)),
            LookUp::Unknown => done(&self.network, None),
            LookUp::Later(wait, found) => {
                let (life, done) = (self.network.machines[node].life, done(&self.network, found));
                return self.network.clock.schedule(now + wait, What::LookedUp { node, life, done });
            }
        };
        self.tell_servent(node, overlay::Input::Disk(done));
    }

    fn on_looked_up(&mut self, node: usize, life: u32, done: JobDone) {
        if self.network.machines[node].life == life {
            self.note_event(node, 14);
            self.tell_servent(node, overlay::Input::Disk(done));
        }
    }

    pub(super) fn tell_client(&mut self, node: usize, input: session::Input) -> usize {
        self.with_client(node, |now, session, wanted| session.handle(now, input, wanted))
    }

    /// Has a client's mind act, does what it wants, and gives how much that was.
    pub(super) fn with_client(
        &mut self,
        node: usize,
        act: impl FnOnce(Time, &mut Session, &mut Vec<session::Output>),
    ) -> usize {
        let now = self.time();
        let mut wanted = std::mem::take(&mut self.wanted_of_clients);
        let Mind::Client(session) = &mut self.nodes[node].mind else { return 0 };
        act(now, session, &mut wanted);
        let count = wanted.len();
        let mut events = Vec::new();
        for output in wanted.drain(..) {
            match &output {
                session::Output::Send { message: Message::Request(request), .. } => {
                    self.face.on_request(node, request.sequence);
                }
                session::Output::Close { link } if self.nodes[node].exchange.is_known(*link) => {
                    self.face.on_closing(&self.network, *link);
                }
                _ => {}
            }
            let report =
                self.with_exchange(node, |exchange, now, pipes| exchange.perform_for_client(now, output, pipes));
            events.extend(report.and_then(|report| self.face.on_told(&self.network, node, report)));
        }
        self.wanted_of_clients = wanted;
        self.look_at_deadline(node);
        let now = self.now();
        for event in events {
            self.network.clock.schedule(now, What::Scene(event));
        }
        count
    }

    /// Says something as a stranger. What it cannot say it does not say: it is no mind of ours that would have to be told.
    pub(super) fn say_as_stranger(&mut self, at: EndAt, message: &Message) {
        let (node, link) = (self.network.end(at).node, at.link());
        let _ = self.with_exchange(node, |exchange, now, pipes| exchange.send(now, link, message, pipes));
    }
}

/// How somebody goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Departure {
    /// With its machine, without a word, and the others have to notice.
    Vanished,
    /// Its system resets what it had open.
    Reset,
    /// Its system closes what it had open, after all that was written.
    Closed,
}

pub(super) fn mix(hash: u64, value: u64) -> u64 {
    let mixed = (hash ^ value).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    mixed ^ (mixed >> 29)
}
