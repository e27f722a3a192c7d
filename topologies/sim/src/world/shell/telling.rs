//! Tells minds what was heard and does what they want.

use common::disk::{Job, JobDone};
use common::exchange::{Beyond, Heard, Outside};
use common::link::LinkId;
use common::message::Message;
use common::overlay;
use common::session::{self, Session};
use common::time::Time;
use common::wire::WireError;

use super::{Mind, Shell, StrangerNews};
use crate::world::dials::Caller;
use crate::world::ends::{EndAt, EndStage};
use crate::world::events::{Notice, WorldEvent};
use crate::world::face::Face;
use crate::world::trace::Noted;

impl<F: Face> Shell<F> {
    /// Tells whoever is at a node what was heard on its links.
    pub(super) fn tell_heard(&mut self, node: usize) {
        self.tell_given(node);
        while let Some((link, heard)) = self.next_heard(node) {
            self.hand_on_news();
            self.hear(node, link, heard);
        }
    }

    /// Tells a servent for which fetches something waits for the client or is taken by it, and of which all is queued that was read for them.
    fn tell_given(&mut self, node: usize) {
        while let Some((link, fetch)) = self.nodes[node].exchange.take_giving() {
            self.tell_servent(node, overlay::Input::Giving { link, fetch });
        }
        while let Some((link, fetch)) = self.nodes[node].exchange.take_drained() {
            self.tell_servent(node, overlay::Input::Drained { link, fetch });
        }
        while let Some((link, fetch)) = self.nodes[node].exchange.take_given() {
            self.tell_servent(node, overlay::Input::Given { link, fetch });
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
            Heard::Message { message: Message::Hello(hello), .. } => {
                self.network.on_hello(at, hello.role);
                self.hand_on_news();
                false
            }
            Heard::Malformed(error) => {
                if *error == WireError::Unfinished {
                    self.note(node, Noted::EndsInHalfAFrame);
                }
                true
            }
            Heard::Message { .. } | Heard::Closed(_) => false,
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
            Mind::Fetch(_) if speaks => self.hear_holder(node, at, heard),
            Mind::Stranger => {
                if let Heard::Message { message, .. } = heard {
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

    pub(crate) fn tell_servent(&mut self, node: usize, input: overlay::Input) -> usize {
        let (time, now) = (self.time(), self.now());
        let mut wanted = std::mem::take(&mut self.wanted);
        let Mind::Servent(overlay) = &mut self.nodes[node].mind else { return 0 };
        overlay.handle(time, input, &mut wanted);
        self.face.on_handled(now, node, overlay);
        let (count, stamp) = (wanted.len(), overlay.stamp());
        for output in wanted.drain(..) {
            if self.face.says_otherwise(node) {
                let said = self.face.say_otherwise(&mut self.network, node, output);
                said.into_iter().for_each(|output| self.perform(node, stamp, output));
            } else {
                self.perform(node, stamp, output);
            }
        }
        self.wanted = wanted;
        self.look_at_deadline(node);
        count
    }

    fn perform(&mut self, node: usize, stamp: u64, output: overlay::Output) {
        if let overlay::Output::Close { link } = &output {
            self.on_closing(node, *link);
        }
        match self.with_exchange(node, |exchange, now, pipes| exchange.perform(now, stamp, output, pipes)) {
            Some(Outside::Dial { dial, address, dialect }) => self.dial(node, Caller::Mind(dial), address, dialect),
            Some(Outside::Disk(job)) => self.do_job(node, job),
            Some(Outside::NotBrought { link, message }) => {
                self.tell_servent(node, overlay::Input::NotBrought { link, message });
            }
            // Nobody keeps a log here.
            Some(Outside::Event(_)) | None => {}
        }
    }

    /// A mind closes a link that it counts on: its system discards what comes from now on. When the last words are on their
    /// way, and when the connection is not needed any more, the exchange says.
    pub(super) fn on_closing(&mut self, node: usize, link: LinkId) {
        if self.nodes[node].exchange.is_known(link) {
            self.face.on_closing(&self.network, link);
            self.network.close(EndAt::of(link));
        }
    }

    /// Looks names up, and has the face say what is on disks.
    fn do_job(&mut self, node: usize, job: Job) {
        let Job::LookUp { neighbor, name } = job else {
            let life = self.network.machines[node].life;
            if let Some(wait) = self.face.begin_job(&self.network, node, &job) {
                let ends = Notice::JobEnds { node, life, job };
                self.network.clock.schedule(self.network.clock.now() + wait, WorldEvent::Notice(Box::new(ends)));
            } else if let Some(done) = job.failed("there is no file") {
                self.tell_servent(node, overlay::Input::Disk(done));
            }
            return;
        };
        let (found, wait) = self.face.look_up(&self.network, node, &name);
        let addresses = found.map(|found| vec![self.network.address(found)]);
        let done = JobDone::LookedUp { neighbor, addresses: addresses.ok_or_else(|| "nobody is called so".to_owned()) };
        let Some(wait) = wait else {
            self.tell_servent(node, overlay::Input::Disk(done));
            return;
        };
        let life = self.network.machines[node].life;
        let notice = Notice::LookedUp { node, life, done };
        self.network.clock.schedule(self.network.clock.now() + wait, WorldEvent::Notice(Box::new(notice)));
    }

    /// What was wanted is done. Bytes of files go by the mind.
    pub(super) fn on_job_ends(&mut self, node: usize, job: &Job) {
        self.note(node, Noted::JobEnds);
        let stamp = self.overlay(node).map_or(0, overlay::Overlay::stamp);
        match self.face.end_job(&self.network, node, job) {
            Some(JobDone::BlocksRead { link, fetch, read: Ok(blocks) }) => {
                self.with_exchange(node, |exchange, now, _| exchange.give(now, stamp, link, fetch, blocks));
            }
            Some(done) => {
                self.tell_servent(node, overlay::Input::Disk(done));
            }
            None => return,
        }
        self.tell_given(node);
    }

    pub(super) fn on_looked_up(&mut self, node: usize, done: JobDone) {
        self.note(node, Noted::LookedUp);
        self.tell_servent(node, overlay::Input::Disk(done));
    }

    pub(crate) fn tell_client(&mut self, node: usize, input: session::Input) -> usize {
        self.with_client(node, |now, session, wanted| session.handle(now, input, wanted))
    }

    /// Has a client's mind act, does what it wants, and gives how much that was.
    pub(crate) fn with_client(
        &mut self,
        node: usize,
        act: impl FnOnce(Time, &mut Session, &mut Vec<session::Output>),
    ) -> usize {
        let now = self.time();
        let mut wanted = std::mem::take(&mut self.wanted_of_clients);
        let Mind::Client(session) = &mut self.nodes[node].mind else { return 0 };
        act(now, session, &mut wanted);
        let count = wanted.len();
        let (mut events, mut unreached) = (Vec::new(), Vec::new());
        for output in wanted.drain(..) {
            match &output {
                session::Output::Send { message: Message::Request(request), .. } => {
                    self.face.on_request(&self.network, node, request.sequence);
                }
                session::Output::Close { link } => self.on_closing(node, *link),
                _ => {}
            }
            match self.with_exchange(node, |exchange, now, pipes| exchange.perform_for_client(now, output, pipes)) {
                Some(Beyond::Tell(report)) => events.extend(self.face.on_told(&self.network, node, report)),
                // Values are short here, so none is announced but by whoever lies: nobody is dialled for one.
                Some(Beyond::Dial { fetch, .. }) => unreached.push(fetch),
                None => {}
            }
        }
        self.wanted_of_clients = wanted;
        self.look_at_deadline(node);
        let now = self.now();
        for event in events {
            self.schedule(now, event);
        }
        for fetch in unreached {
            let reason = "nobody is dialled here".to_owned();
            self.tell_client(node, session::Input::DialFailed { fetch, reason });
        }
        count
    }

    /// Says something as a stranger, with this stamp. What it cannot say it does not say: it is no mind of ours that would have
    /// to be told.
    pub(crate) fn say_as_stranger_at(&mut self, at: EndAt, stamp: u64, message: &Message) {
        let (node, link) = (self.network.end(at).node, at.link());
        let output = overlay::Output::Send { link, message: message.clone() };
        let _ = self.with_exchange(node, |exchange, now, pipes| exchange.perform(now, stamp, output, pipes));
    }

    /// The same, of one who has no clock.
    pub(crate) fn say_as_stranger(&mut self, at: EndAt, message: &Message) {
        let (node, link) = (self.network.end(at).node, at.link());
        let _ = self.with_exchange(node, |exchange, now, pipes| exchange.send(now, link, message, pipes));
    }
}
