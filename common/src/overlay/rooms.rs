//! The rooms as one list, and every fan-out over them: one more room is a field here and a line in each.
//!
//! Part of the corridor: it names the rooms, and they name neither each other nor it. What becomes of one message is in
//! `overlay`, what becomes of a query in `asking`.

use ipnet::IpNet;

use super::config::Config;
use super::delivery::Delivery;
use super::doors::Outbox;
use super::flood::{Asker, Ended, Flood};
use super::links::{Links, Speaker};
use super::log_names::QUERY_LOG;
use super::query_log;
use super::reload::Reload;
use crate::link::LinkId;
use crate::message::{Echo, Finished, Goodbye, Message};
use crate::on_demand::OnDemand;
use crate::time::Time;

#[derive(Debug)]
pub(super) struct Rooms {
    pub(super) links: Links,
    pub(super) flood: OnDemand<Flood>,
    pub(super) rare: OnDemand<Rare>,
}

/// What few servents have a use for, behind one pointer: a million idle ones fit into one process.
#[derive(Debug, Default)]
pub(super) struct Rare {
    pub(super) delivery: Delivery,
    pub(super) counters: Counters,
    /// Where clients may be for an answer to be dialled to them that nothing shows they asked for.
    pub(super) answer_networks: Vec<IpNet>,
    pub(super) reload: Reload,
}

/// What happened that nobody is told of at the time.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) too_far: u64,
    pub(super) unseen: u64,
    pub(super) over_pace: u64,
    pub(super) unsaid: u64,
    pub(super) unanswered: u64,
}

/// Whether whoever was at the other end of a link may come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    ForNow,
    ForGood,
}

impl Rooms {
    pub(super) fn new(config: &Config) -> Rooms {
        let mut rare: OnDemand<Rare> = OnDemand::default();
        if !config.answer_networks.is_empty() {
            rare.make().answer_networks.clone_from(&config.answer_networks);
        }
        Rooms { links: Links::new(config), flood: OnDemand::default(), rare }
    }

    // ---- time ----

    pub(super) fn deadline(&self) -> Time {
        let flood = self.flood.get().map_or(Time::NEVER, Flood::deadline);
        let delivery = self.rare.get().map_or(Time::NEVER, |rare| rare.delivery.deadline());
        self.links.deadline().min(flood).min(delivery)
    }

    pub(super) fn on_deadline(&mut self, now: Time, random: u64, out: &mut Outbox<'_>) {
        for link in self.links.on_deadline(now, out) {
            self.close(now, link, Goodbye::Quiet, "nothing was heard from it for too long", random, out);
        }
        if let Some(flood) = self.flood.get_mut() {
            let done = flood.on_deadline(now);
            self.finish_all(done, out);
        }
        if let Some(rare) = self.rare.get_mut() {
            rare.delivery.on_deadline(now, out);
        }
    }

    // ---- links that go ----

    /// Tells every room that a link is gone.
    pub(super) fn on_closed(
        &mut self,
        now: Time,
        link: LinkId,
        parting: Parting,
        reason: &str,
        random: u64,
        out: &mut Outbox<'_>,
    ) {
        if let Some(rare) = self.rare.get_mut() {
            rare.delivery.on_closed(now, link, reason, out);
        }
        // What a client asked goes on without it: its neighbors' echoes find nobody to tell, and that is all.
        let Some(Speaker::Neighbor(identity)) = self.links.on_closed(now, link, reason, random) else { return };
        let returns = identity.filter(|_| parting == Parting::ForNow);
        if let Some(flood) = self.flood.get_mut() {
            let done = flood.on_closed(link, returns);
            self.finish_all(done, out);
        }
    }

    /// Says goodbye on a link and closes it.
    pub(super) fn close(
        &mut self,
        now: Time,
        link: LinkId,
        farewell: Goodbye,
        reason: &str,
        random: u64,
        out: &mut Outbox<'_>,
    ) {
        out.part(link, farewell);
        self.on_closed(now, link, Parting::ForNow, reason, random, out);
    }

    /// Says goodbye to everybody.
    pub(super) fn on_leave(&mut self, now: Time, random: u64, out: &mut Outbox<'_>) {
        if let Some(rare) = self.rare.get() {
            rare.delivery.on_leave(out);
        }
        // Whoever waits for us is told what came of it so far.
        if let Some(flood) = self.flood.get_mut() {
            let done = flood.give_up_all();
            self.finish_all(done, out);
        }
        for link in self.links.all() {
            self.close(now, link, Goodbye::Leaving, "this servent is leaving", random, out);
        }
    }

    // ---- queries that are over ----

    /// Tells whoever waits that a query has finished.
    #[inline]
    pub(super) fn finish(&self, done: Ended, out: &mut Outbox<'_>) {
        let Ended { asker, id, tally } = done;
        if log::log_enabled!(target: QUERY_LOG, log::Level::Debug) {
            query_log::log_done(&self.links, done);
        }
        match asker {
            Asker::Client { link } => out.send(link, Message::Finished(Finished { sequence: id.sequence, tally })),
            Asker::Neighbor { link, ttl, .. } => out.send(link, Message::Echo(Echo { id, ttl, tally })),
            Asker::Gone { .. } => {}
        }
    }

    fn finish_all(&self, done: Vec<Ended>, out: &mut Outbox<'_>) {
        done.into_iter().for_each(|done| self.finish(done, out));
    }

    // ---- what they say of themselves ----

    /// Whether this link leads to the answer address of another servent's client.
    pub(super) fn is_answer_link(&self, link: LinkId) -> bool {
        self.of_delivery(|delivery| delivery.knows(link))
    }

    pub(super) fn counters(&self) -> Counters {
        self.rare.get().map(|rare| rare.counters).unwrap_or_default()
    }

    pub(super) fn pending_count(&self) -> usize {
        self.of_flood(Flood::pending_count)
    }

    /// What is read in a room that may not have been needed yet.
    pub(super) fn of_flood<T: Default>(&self, read: impl FnOnce(&Flood) -> T) -> T {
        self.flood.get().map(read).unwrap_or_default()
    }

    pub(super) fn of_delivery<T: Default>(&self, read: impl FnOnce(&Delivery) -> T) -> T {
        self.rare.get().map(|rare| read(&rare.delivery)).unwrap_or_default()
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.links.fingerprint() ^ self.of_flood(Flood::fingerprint)
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let networks = |rare: &Rare| rare.answer_networks.capacity() * size_of::<IpNet>();
        let rare = self.rare.get().map_or(0, |rare| size_of_val(rare) + networks(rare));
        self.links.memory_bytes() + self.of_flood(Flood::memory_bytes) + rare
    }
}
