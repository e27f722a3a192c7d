//! The shell of every mind: tells it what happens, and performs what it wants, exactly once and in order.
//!
//! What is about links an exchange does, as in `servent` and `client`, over connections of the simulated network. It
//! judges nothing and draws nothing; what passes through here is shown to whoever runs the world (`face`).

mod arrivals;
mod dialling;
mod fetching;
mod telling;
mod time;

use std::collections::{BTreeSet, VecDeque};

use common::exchange::{Exchange, Transport};
use common::link::{LinkId, SendError};
use common::message::Message;
use common::overlay::{self, Overlay};
use common::session::{self, Session};
use common::time::Time;
use common::wire::Accepts;

use super::clock::Nanos;
use super::ends::EndAt;
use super::events::{Notice, WorldEvent};
use super::face::{Face, FaceNetwork};
use super::machines::{MachineKind, MachineState};
use super::network::IT_CLOSED;
use super::trace::{Noted, Trace};
pub(super) use fetching::FetchingEnd;

/// Who lives at a node.
pub(super) enum Mind {
    Gone,
    Servent(Box<Overlay>),
    Client(Box<Session>),
    Fetch(Box<FetchingEnd>),
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

/// Everybody, the network between them, and whoever looks on.
pub(super) struct Shell<F: Face> {
    pub(super) network: FaceNetwork<F>,
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
pub(super) struct Pipes<'a, F: Face> {
    network: &'a mut FaceNetwork<F>,
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
    pub(super) fn new(network: FaceNetwork<F>, face: F, seed: u64) -> Shell<F> {
        Shell {
            network,
            nodes: Vec::new(),
            touched: BTreeSet::new(),
            strangers: VecDeque::new(),
            face,
            trace: Trace::new(seed),
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

    pub(super) fn note(&mut self, node: usize, noted: Noted) {
        self.trace.note(self.network.clock.now(), node, noted);
    }

    /// Has something of the face come.
    pub(super) fn schedule(&mut self, at: Nanos, event: F::Event) {
        self.network.clock.schedule(at, WorldEvent::OfFace(event));
    }

    pub(super) fn broke(&mut self, text: &str) {
        let now = self.now();
        self.face.on_broken(now, text);
    }

    // ---- who there is ----

    /// A machine more, which nobody lives on yet.
    pub(super) fn add(&mut self, kind: MachineKind, number: usize, place: usize) -> usize {
        let exchange = Exchange::client(Accepts::ANY);
        self.nodes.push(Node { mind: Mind::Gone, exchange, scheduled: Nanos::MAX, links_scheduled: Nanos::MAX });
        self.network.add(kind, number, place)
    }

    /// Somebody begins to live at a node, with links of this kind.
    pub(super) fn settle_down(&mut self, node: usize, mind: Mind, exchange: Exchange) {
        self.nodes[node].mind = mind;
        self.nodes[node].exchange = exchange;
        let machine = &mut self.network.machines[node];
        machine.life += 1;
        machine.state = MachineState::Running;
        self.look_at_deadline(node);
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

    /// Lets the next thing happen. What is the face's own is given back, for whoever runs it.
    pub(super) fn happen(&mut self, event: WorldEvent<F::Event>) -> Option<F::Event> {
        match event {
            WorldEvent::Due { node } => self.on_due(node),
            WorldEvent::LinksDue { node } => self.on_links_due(node),
            WorldEvent::Arrival { from } => self.on_arrival(from),
            WorldEvent::Knock(knock) => self.on_knock(&knock),
            WorldEvent::Notice(notice) => self.notify(*notice),
            WorldEvent::Unacknowledged { from, epoch } => {
                if self.network.waits_in_vain(from, epoch) {
                    self.give_up_on_other(from);
                }
            }
            WorldEvent::Unheard { at, epoch } => {
                if self.network.is_unheard(at, epoch) {
                    self.give_up_on_other(at);
                }
            }
            WorldEvent::OfFace(event) => return Some(event),
        }
        None
    }

    /// Tells whoever lives at a node something, or has it wait while that is paused.
    fn notify(&mut self, notice: Notice) {
        let node = self.network.node_of(&notice);
        let machine = &mut self.network.machines[node];
        if machine.is_paused() {
            return machine.postponed.push(notice);
        }
        let lives = |of_life| machine.life == of_life;
        match notice {
            Notice::Established { at } => self.on_established(at),
            Notice::Accepted { at } => self.on_accepted(at),
            Notice::Broken { at } => self.on_broken(at),
            Notice::NoAnswer { life, caller, address, refused, .. } if lives(life) => {
                self.on_no_answer(node, caller, address, refused);
            }
            Notice::LookedUp { life, done, .. } if lives(life) => self.on_looked_up(node, done),
            Notice::JobEnds { life, job, .. } if lives(life) => self.on_job_ends(node, &job),
            Notice::FetchTold { life, input, .. } if lives(life) => {
                self.note(node, Noted::FetchTold);
                self.tell_fetch(node, input);
            }
            // It was for somebody who lived here before.
            Notice::NoAnswer { .. } | Notice::LookedUp { .. } | Notice::JobEnds { .. } | Notice::FetchTold { .. } => {}
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
        let now = self.now();
        for text in self.network.broken.drain(..) {
            self.face.on_broken(now, &text);
        }
        for news in std::mem::take(&mut self.network.news) {
            if let Some((pause, event)) = self.face.on_news(now, &news) {
                self.schedule(now + pause, event);
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
