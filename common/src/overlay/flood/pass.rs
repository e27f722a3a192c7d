//! One passing-on of a query: who waits for it, whose echoes are awaited, and what they came to so far.
//!
//! It is kept and looked up by `seen`; what is made of it is decided by `flood`.

use std::sync::Arc;
use std::time::Duration;

use super::arrival::Asker;
use super::outgoing::Outgoing;
use super::places::TakenPlace;
use crate::limits::ECHO_WAIT_MAX;
use crate::link::LinkId;
use crate::message::Identity;
use crate::on_demand::OnDemand;
use crate::query::{BroughtAnswer, Query, QueryId, Tally, Via};
use crate::time::Time;

/// What came of a copy, for whoever waits to hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::overlay) struct CopyReport {
    pub(in crate::overlay) asker: Asker,
    pub(in crate::overlay) id: QueryId,
    pub(in crate::overlay) tally: Tally,
}

/// One copy that was admitted, and what is to come of it. There is one for each TTL at most, because only more TTL is
/// ever admitted again.
#[derive(Debug)]
pub(super) struct Pass {
    /// With which it came, after it was cut down.
    pub(super) ttl: u8,
    pub(super) asker: Asker,
    pub(super) came: Time,
    /// The copy as it was passed on, for neighbors that come back.
    pub(super) offer: Option<Arc<Query>>,
    /// The links it went out on.
    pub(super) out: Outgoing,
    /// The neighbors whose echo is awaited, and the links of theirs that fell.
    pub(super) absent: OnDemand<Vec<(Identity, LinkId)>>,
    /// The answers that went back for it.
    pub(super) brought: OnDemand<KeptBrought>,
    pub(super) tally: Tally,
    /// How its copy is answered, and all that are made of it where that can be said.
    via: Via,
    pub(super) is_finished: bool,
    /// What it takes among those that are pending, or, once it has finished, among those whose echo is kept.
    pub(super) place: Option<TakenPlace>,
}

/// Answers that went back, kept for whoever sent the copy: its link may fall before they are there.
#[derive(Debug, Default)]
pub(super) struct KeptBrought {
    pub(super) answers: Vec<Arc<BroughtAnswer>>,
    /// What these count for.
    pub(super) bytes_count: usize,
    /// How many there was no room for.
    pub(super) unkept_count: usize,
}

impl Pass {
    /// That of a query as it may be passed on, which came from there.
    pub(super) fn new(query: &Query, asker: Asker, came: Time) -> Pass {
        Pass {
            ttl: query.ttl,
            asker,
            came,
            offer: None,
            out: Outgoing::default(),
            absent: OnDemand::default(),
            brought: OnDemand::default(),
            tally: Tally::default(),
            via: query.via,
            is_finished: false,
            place: None,
        }
    }

    /// Whether the link is the one it came over, or one on which an echo is awaited.
    pub(super) fn concerns(&self, link: LinkId) -> bool {
        self.asker.link() == Some(link) || self.out.awaits(link)
    }

    /// Whether the echo of a neighbor is awaited whose link fell.
    pub(super) fn awaits(&self, absent: Identity) -> bool {
        self.absent.get().is_some_and(|all| all.iter().any(|(identity, _)| *identity == absent))
    }

    pub(super) fn absent_count(&self) -> usize {
        self.absent.get().map_or(0, Vec::len)
    }

    /// How many echoes are awaited.
    pub(super) fn awaited_count(&self) -> usize {
        self.out.awaited_count() + self.absent_count()
    }

    /// Whether answers may come after its echo: those that are dialled, when the dial has failed, and those of neighbors that
    /// were given up.
    pub(super) fn is_answered_later(&self) -> bool {
        self.via == Via::Direct && self.tally.answers > 0 || self.tally.lost > 0
    }

    pub(super) fn brought_bytes_count(&self) -> usize {
        self.brought.get().map_or(0, |brought| brought.bytes_count)
    }

    /// What is held beside the struct itself and what has a limit of its own.
    pub(super) fn memory_bytes(&self) -> usize {
        let kept = self
            .brought
            .get()
            .map_or(0, |brought| size_of_val(brought) + brought.answers.capacity() * size_of::<Arc<BroughtAnswer>>());
        self.out.memory_bytes() + kept
    }
}

/// How long to wait for the echoes of a query that came like this: a share of [`ECHO_WAIT_MAX`] that shrinks with every
/// hop and with every TTL less, so that each servent gives up before the one that waits for it does.
pub(super) fn patience(query: &Query) -> Duration {
    let depth_left = u32::from(query.ttl) + 1;
    let depth = depth_left + u32::from(query.hops);
    ECHO_WAIT_MAX * depth_left / depth
}
