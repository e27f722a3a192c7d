//! The loop: wait, let a source take what came, let the mind decide, have done what it wants, write, wait again.
//!
//! The sources are the port listened on (`listener`), the connections (`peers`), the signals (`signals`) and what waits
//! for disks and name servers (`disk`). Each that needs the time is handed it, as the mind is. Nothing is decided here
//! about queries, answers or neighbors, and nothing waits but the loop itself.

use std::net::TcpListener;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::Context;
use common::counted::{counted, grouped, lasted};
use common::disk::{JobDone, LookedThrough};
use common::event::{EventKind, LoggedEvent};
use common::exchange::Outside;
use common::overlay::{Config, Input, Output, Overlay};
use common::store::Store;
use common::time::Time;
use common::wire::Accepts;

use crate::disk::Disk;
use crate::events_file::EventsFile;
use crate::jobs::{self, Files};
use crate::listener::Listener;
use crate::options::{DataSource, Options};
use crate::pauses::Pauses;
use crate::peers::{Inputs, PeerConnections};
use crate::poller::{Interest, Poller, Ready};
use crate::signals::{Signals, WatchedSignals};
use crate::store_file::StoreFile;
use crate::{data, share, sockets, store_file};

/// How long a servent that was told to stop may take to send its last words.
const LEAVE_MAX: Duration = Duration::from_secs(2);

// Keys of what is watched besides connections.
const LISTENER: usize = 0;
const LEAVE_SIGNAL: usize = 1;
const RELOAD_SIGNAL: usize = 2;

pub(crate) struct Server {
    poller: Poller,
    /// None once it is leaving.
    listener: Option<Listener>,
    signals: WatchedSignals,
    peers: PeerConnections,
    disk: Disk,
    overlay: Overlay,
    inputs: Inputs,
    outputs: Vec<Output>,
    data: DataSource,
    started: Instant,
    leaving_until: Option<Time>,
    pauses: Pauses,
    events: Option<EventsFile>,
    kept: Option<StoreFile>,
    is_published_only: bool,
}

impl Server {
    pub(crate) fn new(
        listener: TcpListener,
        config: &Config,
        store: Arc<Store>,
        options: &Options,
        signals: Signals,
        events: Option<EventsFile>,
        files: Files,
    ) -> anyhow::Result<Server> {
        sockets::raise_descriptor_limit();
        let poller = Poller::new().context("cannot make a poller")?;
        let listening = listener.local_addr().context("cannot tell the address listened on")?;
        let listener = poller.watch(listener, LISTENER, Interest::Read).context("cannot watch the listener")?;
        let signals = signals.watch(&poller, LEAVE_SIGNAL, RELOAD_SIGNAL).context("cannot watch for signals")?;
        let accepts = Accepts::AnyOf(options.dialects());
        let kept = files.store.clone();
        Ok(Server {
            peers: PeerConnections::new(poller.watcher(), accepts, listening),
            disk: Disk::new(&poller.waker(), move |job, rooms| jobs::perform(&files, job, rooms)),
            poller,
            listener: Some(Listener::new(listener)),
            signals,
            overlay: Overlay::new(config, store),
            inputs: Inputs::new(),
            outputs: Vec::new(),
            data: options.data.clone(),
            started: Instant::now(),
            leaving_until: None,
            pauses: Pauses::default(),
            events,
            kept,
            is_published_only: options.published_only,
        })
    }

    /// Serves until told to stop. An error is one that no waiting mends.
    pub(crate) fn run(mut self) -> anyhow::Result<()> {
        self.signals.take_over();
        self.happens(EventKind::Started);
        let served = self.serve();
        let reason = served.as_ref().map_or_else(|error| format!("{error:#}"), |()| "it was told to".to_owned());
        self.happens(EventKind::Stopped { reason });
        if let Some(events) = &self.events {
            events.finish();
        }
        if let Some(kept) = &self.kept {
            kept.close();
        }
        served
    }

    fn serve(&mut self) -> anyhow::Result<()> {
        let mut ready = Vec::new();
        loop {
            let timeout = self.deadline().map(|deadline| deadline.since(self.now()));
            self.poller.wait(timeout, &mut ready).context("cannot wait for sockets")?;
            let woken = Instant::now();
            for event in &ready {
                self.on_ready(*event);
                self.think();
            }
            self.on_done();
            self.think();
            self.on_time();
            self.think();
            self.peers.flush(self.now());
            self.pauses.add(woken.elapsed());
            if self.has_left() {
                self.log_last_words();
                return Ok(());
            }
        }
    }

    fn now(&self) -> Time {
        Time::after_start(self.started.elapsed())
    }

    fn deadline(&self) -> Option<Time> {
        if !self.inputs.is_empty() {
            return Some(Time::START);
        }
        let mind = if self.leaving_until.is_none() { self.overlay.deadline() } else { None };
        let listener = self.listener.as_ref().and_then(Listener::deadline);
        [mind, self.peers.deadline(), listener, self.leaving_until].into_iter().flatten().min()
    }

    // ---- what happened ----

    fn on_ready(&mut self, ready: Ready) {
        let now = self.now();
        match ready.key {
            LISTENER => {
                if let Some(listener) = &mut self.listener {
                    listener.on_ready(now, |stream, from| self.peers.accept(stream, from, &mut self.inputs));
                }
            }
            LEAVE_SIGNAL => {
                self.signals.leave.drain();
                self.leave(now);
            }
            RELOAD_SIGNAL => {
                self.signals.reload.drain();
                self.inputs.push_back(Input::Reload);
            }
            _ => self.peers.on_ready(now, ready, &mut self.inputs),
        }
    }

    fn on_done(&mut self) {
        while let Some(mut done) = self.disk.take() {
            // That whom it knows was written down at the end, or was not, is for its mind to hear and for the log, and that
            // something is kept for whoever waits for that.
            if let (None, JobDone::BlocksRead { link, fetch, read: Ok(blocks) }) = (self.leaving_until, &mut done) {
                // Bytes of files go by the mind.
                self.peers.give(self.now(), self.overlay.stamp(), *link, *fetch, std::mem::take(blocks));
            } else if self.leaving_until.is_none() || matches!(done, JobDone::MembersKept(_) | JobDone::Committed(_)) {
                self.tell_done(done);
            } else {
                // A servent that leaves serves nothing new and dials nobody any more.
                self.disk.let_go(done);
            }
        }
    }

    fn tell_done(&mut self, done: JobDone) {
        let data = match &done {
            JobDone::DataRead(Ok(store)) => Some(Arc::clone(store)),
            _ => None,
        };
        let shared = match &done {
            JobDone::LookedThrough(Ok(LookedThrough { catalogue: Some(catalogue), is_whole: true, hashed_count })) => {
                Some((Arc::clone(catalogue), *hashed_count))
            }
            _ => None,
        };
        self.inputs.push_back(Input::Disk(done));
        self.think();
        // Now its mind has it.
        match (data, self.kept.as_ref().zip(self.overlay.written())) {
            (None, _) => {}
            (Some(store), Some((kept, written))) => {
                store_file::announce_anew(&self.data, kept.path(), &store, written);
            }
            (Some(store), None) => data::announce(&self.data, store.len()),
        }
        if let Some((catalogue, hashed_count)) = shared {
            share::announce(&catalogue, hashed_count, self.is_published_only);
        }
    }

    fn on_time(&mut self) {
        let now = self.now();
        self.peers.on_time(now);
        if let Some(listener) = &mut self.listener {
            listener.on_time(now);
        }
        // A servent that leaves dials nobody any more.
        if self.leaving_until.is_none() && self.overlay.deadline().is_some_and(|deadline| deadline <= now) {
            self.inputs.push_back(Input::Deadline);
        }
    }

    fn leave(&mut self, now: Time) {
        if self.leaving_until.is_none() {
            log::info!("told to stop: saying goodbye");
            self.leaving_until = Some(now + LEAVE_MAX);
            self.listener = None;
            self.peers.give_up_dials(now);
            self.inputs.push_back(Input::Leave);
        }
    }

    // ---- what is to be done ----

    /// Lets the mind take every input and performs what it wants, until it wants nothing more.
    fn think(&mut self) {
        loop {
            let now = self.now();
            let waiting = self.inputs.pop_front().or_else(|| self.peers.next_given());
            let Some(input) = waiting.or_else(|| self.peers.next_heard(now)) else { return };
            self.overlay.handle(now, input, &mut self.outputs);
            let (stamp, mut outputs) = (self.overlay.stamp(), std::mem::take(&mut self.outputs));
            for output in outputs.drain(..) {
                self.perform(now, stamp, output);
            }
            self.outputs = outputs;
        }
    }

    fn perform(&mut self, now: Time, stamp: u64, output: Output) {
        match self.peers.perform(now, stamp, output) {
            Some(Outside::Dial { dial, address, dialect }) => {
                self.peers.dial(now, dial, address, dialect, &mut self.inputs);
            }
            Some(Outside::NotBrought { link, message }) => self.inputs.push_back(Input::NotBrought { link, message }),
            Some(Outside::Disk(job)) => self.inputs.extend(self.disk.put(job).map(Input::Disk)),
            Some(Outside::Event(event)) => self.note(&event),
            None => {}
        }
    }

    /// Something happened that is none of the mind's concern.
    fn happens(&mut self, what: EventKind) {
        self.note(&LoggedEvent { clock: self.overlay.stamp(), what });
    }

    fn note(&mut self, event: &LoggedEvent) {
        if let Some(events) = &mut self.events {
            events.add(event);
        }
    }

    // ---- the end ----

    fn has_left(&self) -> bool {
        let is_done = || self.peers.are_flushed() && !self.disk.keeps_something();
        self.leaving_until.is_some_and(|until| until <= self.now() || is_done())
    }

    fn log_last_words(&self) {
        // What was counted comes before them.
        log::logger().flush();
        let held = self.overlay.holdings().filter(|holding| holding.value > 0);
        let held: Vec<String> = held.map(|holding| holding.to_string()).collect();
        log::debug!("held and counted: {}", held.join(", "));
        log::debug!("{}", self.pauses);
        let [queries, answered] = ["queries", "answered"].map(|name| self.overlay.holding(name).unwrap_or_default());
        let [queries, answered] = [counted(queries, "query").to_string(), grouped(answered).to_string()];
        log::info!("served {queries}, answered {answered}, {}", lasted(self.started.elapsed()));
    }
}
