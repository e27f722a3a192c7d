//! What a world does for whoever runs it: where its own rules end, and what is shown of all that happens.
//!
//! There are two: the scene, which judges (`scenery`), and a story, which tells.

use std::net::SocketAddr;

use common::disk::{Job, JobDone};
use common::exchange::Heard;
use common::fetch;
use common::link::{LinkId, SendError};
use common::message::Message;
use common::overlay::{self, Overlay};
use common::session::Report;

use super::clock::Nanos;
use super::dials::{Caller, Fate, Knock};
use super::network::{LinkNews, SimNetwork};

/// Whoever runs a world. What it is only shown it may pass over.
pub(super) trait Face: Sized {
    /// What it has come at its time, beside what follows from the rest.
    type Event;

    /// What a dial comes to: what the network says of the machine, or something else.
    fn fate_of(&mut self, network: &FaceNetwork<Self>, knock: &Knock) -> Fate;
    /// A servent looks up where its neighbor is: who that is, if it is anybody, and after which time it learns so, if not at
    /// once.
    fn look_up(&mut self, network: &FaceNetwork<Self>, servent: usize, name: &str) -> (Option<usize>, Option<Nanos>);
    /// A servent wants something done: how long that takes, if there is anybody to do it. What is looked up is asked above.
    fn begin_job(&mut self, _network: &FaceNetwork<Self>, _servent: usize, _job: &Job) -> Option<Nanos> {
        None
    }
    /// It is done: what came of it, if that is ever known.
    fn end_job(&mut self, _network: &FaceNetwork<Self>, _servent: usize, job: &Job) -> Option<JobDone> {
        job.failed("there is no file")
    }
    /// What a servent says that lies, where its mind wants this.
    fn say_otherwise(
        &mut self,
        _network: &mut FaceNetwork<Self>,
        _servent: usize,
        output: overlay::Output,
    ) -> Vec<overlay::Output> {
        vec![output]
    }
    /// Whether a servent says anything but what its mind wants.
    fn says_otherwise(&self, _servent: usize) -> bool {
        false
    }
    /// Somebody who fetches a content wants something done that is not about links.
    fn on_fetch_wants(
        &mut self,
        _network: &FaceNetwork<Self>,
        _node: usize,
        _output: fetch::Output,
    ) -> FetchWish<Self::Event> {
        FetchWish::default()
    }
    /// The mind of somebody who fetches a content has dealt with something, and wants this of links.
    fn on_fetch_says(&mut self, _network: &FaceNetwork<Self>, _node: usize, _output: &fetch::Output) {}
    /// It is told something.
    fn on_fetch_told(&mut self, _network: &FaceNetwork<Self>, _node: usize, _input: &fetch::Input) {}
    /// A person at a client is told something. It may have something come of it, now.
    fn on_told(&mut self, network: &FaceNetwork<Self>, client: usize, report: Report) -> Option<Self::Event>;
    /// What must not be.
    fn on_broken(&mut self, now: Nanos, text: &str);
    /// Something happened to a link between servents. It may have something come of it, after a while.
    fn on_news(&mut self, _now: Nanos, _news: &LinkNews) -> Option<(Nanos, Self::Event)> {
        None
    }
    /// Something was said on a link, or could not be.
    fn on_said(&mut self, network: &FaceNetwork<Self>, link: LinkId, message: &Message, said: &Result<(), SendError>);
    /// Something was heard on a link, and nobody was told yet.
    fn on_heard(&mut self, network: &FaceNetwork<Self>, link: LinkId, heard: &Heard);
    /// A dial of anybody has come to nothing. It may have something come of it, now.
    fn on_no_answer(
        &mut self,
        network: &FaceNetwork<Self>,
        node: usize,
        caller: Caller,
        address: SocketAddr,
        reason: &str,
    ) -> Option<Self::Event>;
    /// A client has made a request of its own.
    fn on_request(&mut self, network: &FaceNetwork<Self>, client: usize, sequence: u64);
    /// A mind dials.
    fn on_dialling(&mut self, _network: &FaceNetwork<Self>, _node: usize, _address: SocketAddr) {}
    /// A mind closes a link.
    fn on_closing(&mut self, _network: &FaceNetwork<Self>, _link: LinkId) {}
    /// A mind of a servent has dealt with something.
    fn on_handled(&mut self, _now: Nanos, _servent: usize, _overlay: &Overlay) {}
}

/// What comes of something that somebody who fetches a content wants done.
#[derive(Debug)]
pub(super) struct FetchWish<E> {
    /// What it is told because of that, each after so long; what takes no time is told at once.
    pub(super) told: Vec<(Nanos, fetch::Input)>,
    /// What else comes of it, now.
    pub(super) event: Option<E>,
}

impl<E> Default for FetchWish<E> {
    fn default() -> FetchWish<E> {
        FetchWish { told: Vec::new(), event: None }
    }
}

/// The network of a world that is run like this.
pub(super) type FaceNetwork<F> = SimNetwork<<F as Face>::Event>;
