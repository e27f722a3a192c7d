//! The rooms as one list, and every fan-out over them: one more room is a field here and a line in each.
//!
//! Each fan-out takes the list apart whole (`let Rooms { … }` without `..`), and says of a room that it has nothing to
//! tell or to be told (`reload: _`): one that is forgotten somewhere does not compile.
//!
//! Part of the corridor: it names the rooms, and they name neither each other nor it. What becomes of one message is in
//! `overlay`, what becomes of a query in `asking`.

use std::net::IpAddr;
use std::sync::Arc;

use super::asking::AskedFind;
use super::calls::Calls;
use super::config::Config;
use super::content::Content;
use super::delivery::Delivery;
use super::doors::{NotedEvent, Outbox};
use super::errand::{CallEvent, Callee, Errand, Letter, News, Wish};
use super::finds::Finds;
use super::flood::{Asker, CopyReport, Flood, ROOM_MIN};
#[cfg(test)]
use super::greeting::Greetings;
use super::keeping::Keeping;
use super::links::{Beat, Links, LinksDue};
use super::log_names::QUERY_LOG;
use super::members::{Members, MembersDue};
use super::offered::Offered;
use super::probes::{self, Probes};
use super::query_log;
use super::reload::Reload;
use super::speaker::Parting;
use super::uploads::Uploads;
use super::visits::Visits;
use super::watches::Watches;
use super::writes::Writes;
use crate::address::AnswerAddress;
use crate::link::LinkId;
use crate::message::{Echo, Finished, Goodbye, Message};
use crate::on_demand::OnDemand;
use crate::store::Store;
use crate::time::Time;

#[derive(Debug)]
pub(super) struct Rooms {
    pub(super) links: Links,
    pub(super) flood: OnDemand<Flood>,
    pub(super) rare: OnDemand<RareRooms>,
    /// None where nobody is told of members.
    pub(super) members: Option<Box<Members>>,
}

/// What a servent that only passes queries on has no use for, behind one pointer: a million of them fit into one process.
#[derive(Debug, Default)]
pub(super) struct RareRooms {
    pub(super) calls: Calls,
    pub(super) errands: Errands,
    pub(super) content: Content,
    pub(super) finds: Finds<AskedFind>,
    pub(super) keeping: Keeping,
    pub(super) reload: Reload,
    pub(super) uploads: Uploads,
    pub(super) watches: Watches,
    pub(super) writes: Writes,
    pub(super) counters: Counters,
}

/// The rooms on whose errands calls are made. They are told what came of those, and when, and say what is to be done about
/// it; they hear of nothing else: what they have of links and of deadlines is in `calls`.
#[derive(Debug, Default)]
pub(super) struct Errands {
    pub(super) delivery: Delivery,
    pub(super) probes: Probes,
    pub(super) visits: Visits,
    #[cfg(test)]
    pub(super) greetings: Greetings,
}

/// What happened that nobody is told of at the time, and that no room counts.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Counters {
    pub(super) answered: u64,
    pub(super) too_far: u64,
    pub(super) unseen: u64,
    pub(super) over_share: u64,
    pub(super) spoilt: u64,
    pub(super) contradicted: u64,
    pub(super) unanswered: u64,
    pub(super) brought: u64,
    pub(super) unbrought: u64,
}

impl Rooms {
    pub(super) fn new(config: &Config) -> Rooms {
        let mut rare: OnDemand<RareRooms> = OnDemand::default();
        if !config.answer_networks.is_empty() {
            rare.make().errands.delivery.set_networks(&config.answer_networks);
        }
        if config.shares {
            let rare = rare.make();
            rare.content.begin(&config.shared_with, config.published_only);
            config.share_bytes_per_second.into_iter().for_each(|rate| rare.uploads.set_rate(rate));
        }
        if let Some(written) = &config.written {
            rare.make().writes.begin(written, config.is_read_only);
        }
        let members = config.members.then(|| Box::new(Members::new(config)));
        Rooms { links: Links::new(config), flood: OnDemand::default(), rare, members }
    }

    // ---- time ----

    pub(super) fn deadline(&self) -> Time {
        let Rooms { links, flood, rare, members } = self;
        let flood = flood.get().map_or(Time::NEVER, |flood| {
            let has_resting = links.has_resting();
            let room = if has_resting { flood.room_deadline(links.clients_count()) } else { Time::NEVER };
            flood.deadline().min(room)
        });
        let rare = rare.get().map_or(Time::NEVER, RareRooms::deadline);
        let members = members.as_deref().map_or(Time::NEVER, Members::deadline);
        links.deadline(self.is_to_forget()).min(flood).min(rare).min(members)
    }

    pub(super) fn on_deadline(&mut self, now: Time, random: u64, store: &Arc<Store>, out: &mut Outbox<'_>) {
        // What a link that is closed makes of the others comes first.
        let is_to_forget = self.is_to_forget();
        let LinksDue { quiet, suspect, pinged, beat } = self.links.on_deadline(now, is_to_forget, out);
        if let Some(beat) = beat {
            self.on_beat(now, beat, &pinged, &suspect, &quiet);
        }
        for link in quiet {
            self.close(now, link, Goodbye::Quiet, "nothing was heard from it for too long", random, out);
        }
        let Rooms { links, flood, rare, members } = self;
        let due = members.as_deref_mut().map(|members| members.on_deadline(now, out)).unwrap_or_default();
        let MembersDue { to_be_visited, is_to_be_kept } = due;
        if let Some(flood) = flood.get_mut() {
            report_all(links, flood.on_deadline(now), out);
            if let Some(beat) = beat {
                flood.on_beat(now, beat == Beat::Late);
                report_all(links, flood.take_given_up(), out);
            }
        }
        let stuck = rare.get_mut().map(|rare| rare.on_deadline(now, store, out)).unwrap_or_default();
        for link in stuck {
            self.close(now, link, Goodbye::Quiet, "it takes nothing of what it fetches", random, out);
        }
        to_be_visited.into_iter().for_each(|address| self.visit(now, address, out));
        if is_to_be_kept && self.rare.get().is_none_or(|rare| rare.keeping.is_idle()) {
            self.keep_members(out);
        }
    }

    /// Whether the flood remembers anything that goes at a beat.
    fn is_to_forget(&self) -> bool {
        self.flood.get().is_some_and(Flood::is_to_forget)
    }

    // ---- links that go ----

    /// Tells every room that a link is gone, whoever was at its other end: which are its concern is each room's to say.
    pub(super) fn on_closed(
        &mut self,
        now: Time,
        link: LinkId,
        parting: Parting,
        reason: &str,
        random: u64,
        out: &mut Outbox<'_>,
    ) {
        let Rooms { links, flood, rare, members } = self;
        let target = links.target_of(link);
        let was_linked = out.is_noting() && links.neighbor_address(link).is_some();
        let speaker = links.on_closed(now, link, reason, random);
        if was_linked {
            out.note(|| NotedEvent::Unlinked { link, reason: reason.to_owned() });
        }
        let to_be_visited = members.as_deref_mut().and_then(|members| members.on_unlinked(now, link, parting, target));
        let unfound = rare.get_mut().map(|rare| rare.on_closed(now, link, reason, out)).unwrap_or_default();
        if let Some(flood) = flood.get_mut() {
            report_all(links, flood.on_closed(now, link, speaker, parting), out);
            unfound.iter().for_each(|find| find.give_up(now, flood));
        }
        if let Some(address) = to_be_visited {
            self.visit(now, address, out);
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

    /// Ends all calls. What waits for one may still go back.
    pub(super) fn end_calls(&mut self, now: Time, out: &mut Outbox<'_>) {
        if let Some(rare) = self.rare.get_mut() {
            rare.on_leave(now, out);
        }
    }

    /// Says goodbye to everybody on a standing link.
    pub(super) fn on_leave(&mut self, now: Time, random: u64, out: &mut Outbox<'_>) {
        self.keep_members(out);
        let Rooms { links, flood, rare: _, members } = self;
        // Nobody is told anything more, and what becomes of links says nothing any more.
        *members = None;
        // Whoever waits for us is told what came of it so far.
        if let Some(flood) = flood.get_mut() {
            report_all(links, flood.give_up_all(now), out);
        }
        let owed = self.keep_writers(out);
        for link in self.links.all().into_iter().filter(|link| !owed.contains(link)) {
            self.close(now, link, Goodbye::Leaving, "this servent is leaving", random, out);
        }
    }

    // ---- queries that have finished ----

    /// Tells whoever waits what came of its copy.
    #[inline]
    pub(super) fn report(&self, report: CopyReport, out: &mut Outbox<'_>) {
        send_report(&self.links, report, out);
    }

    /// Tells whoever waits for copies of queries that were closed meanwhile.
    #[inline]
    pub(super) fn report_given_up(&mut self, out: &mut Outbox<'_>) {
        let Rooms { links, flood, rare: _, members: _ } = self;
        if let Some(flood) = flood.get_mut() {
            report_all(links, flood.take_given_up(), out);
        }
    }

    /// A client has asked. Where there is no more room, or others wait for it, it waits as well.
    pub(super) fn rest_client(&mut self, now: Time, link: LinkId, out: &mut Outbox<'_>) {
        let Rooms { links, flood, rare: _, members: _ } = self;
        let clients_count = links.clients_count();
        if links.has_resting() || flood.get_mut().is_some_and(|flood| flood.room(now, clients_count) == 0) {
            links.rest(link, out);
        }
    }

    /// Has clients that rest read again, once there is room for what they ask.
    #[inline]
    pub(super) fn resume_clients(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Rooms { links, flood, rare, members: _ } = self;
        if links.has_resting()
            && let Some(flood) = flood.get_mut()
            && let room = flood.room(now, links.clients_count())
            && room >= ROOM_MIN
        {
            links.resume(room, |link| rare.get().is_some_and(|rare| rare.writes.holds(link)), out);
        }
    }

    // ---- what they say of themselves ----

    /// The files that are shared with whoever is there, where it is known where that is.
    pub(super) fn offered_to(&self, ip: Option<IpAddr>) -> Option<Offered<'_>> {
        let rare = self.rare.get().filter(|rare| rare.content.is_shared_with(ip))?;
        Some(rare.content.offered(rare.writes.shown()))
    }

    /// How many contents are being given out.
    pub(super) fn uploads_count(&self) -> usize {
        self.rare.get().map_or(0, |rare| rare.uploads.count())
    }

    /// Whether this link is that of a call.
    pub(super) fn is_call(&self, link: LinkId) -> bool {
        self.rare.get().is_some_and(|rare| rare.calls.knows(link))
    }

    pub(super) fn pending_count(&self) -> usize {
        self.flood.get().map_or(0, Flood::pending_count)
    }

    pub(super) fn fingerprint(&self) -> u64 {
        // What is rare is part of no query's way.
        let Rooms { links, flood, rare: _, members: _ } = self;
        links.fingerprint() ^ flood.get().map_or(0, Flood::fingerprint)
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let Rooms { links, flood, rare, members } = self;
        let flood = flood.get().map_or(0, Flood::memory_bytes);
        let members = members.as_deref().map_or(0, Members::memory_bytes);
        links.memory_bytes() + flood + rare.get().map_or(0, RareRooms::memory_bytes) + members
    }
}

/// The same fan-outs over what is behind the pointer.
impl RareRooms {
    fn deadline(&self) -> Time {
        let RareRooms {
            calls,
            errands: _,
            content,
            finds,
            keeping: _,
            reload: _,
            uploads,
            watches,
            writes,
            counters: _,
        } = self;
        let shared = content.deadline().min(finds.deadline()).min(uploads.deadline());
        calls.deadline().min(shared).min(writes.deadline()).min(watches.deadline())
    }

    /// Gives the links that are to be closed.
    fn on_deadline(&mut self, now: Time, store: &Arc<Store>, out: &mut Outbox<'_>) -> Vec<LinkId> {
        self.content.on_deadline(now, store, out);
        self.call(now, out, |calls, out, news| calls.on_deadline(now, out, news));
        self.uploads.on_deadline(now, out)
    }

    /// Gives the finds that nobody waits for any more.
    fn on_closed(&mut self, now: Time, link: LinkId, reason: &str, out: &mut Outbox<'_>) -> Vec<AskedFind> {
        self.errands.visits.on_client_left(link);
        self.uploads.on_closed(link);
        self.watches.on_closed(link);
        self.writes.on_closed(link);
        self.call(now, out, |calls, out, news| calls.on_closed(now, link, reason, out, news));
        self.finds.on_closed(link)
    }

    fn on_leave(&mut self, now: Time, out: &mut Outbox<'_>) {
        let RareRooms {
            calls,
            errands,
            content: _,
            finds,
            keeping: _,
            reload: _,
            uploads: _,
            watches: _,
            writes: _,
            counters: _,
        } = self;
        finds.on_leave();
        let mut news = News::default();
        calls.on_leave(out, &mut news);
        // Whatever is wished for now, it is too late for it.
        news.each().for_each(|(callee, event)| drop(errands.on_call(now, callee, event)));
    }

    /// Without what waits to be said, which has a limit of its own.
    fn memory_bytes(&self) -> usize {
        let RareRooms {
            calls: _,
            errands,
            content: _,
            finds,
            keeping: _,
            reload: _,
            uploads: _,
            watches,
            writes,
            counters: _,
        } = self;
        size_of_val(self)
            + errands.delivery.memory_bytes()
            + finds.memory_bytes()
            + watches.memory_bytes()
            + writes.memory_bytes()
    }
}

// ---- calls ----

impl RareRooms {
    /// Has an answer brought to a client of another servent. It is given back when it will not be.
    pub(super) fn deliver(
        &mut self,
        now: Time,
        client: AnswerAddress,
        letter: Letter,
        out: &mut Outbox<'_>,
    ) -> Option<Letter> {
        let AnswerAddress { socket: address, dialect } = client;
        let callee = Callee { errand: Errand::Answers, address };
        if !self.errands.delivery.may_be_called(client) {
            return Some(letter);
        }
        self.call(now, out, |calls, out, news| calls.bring(now, callee, dialect, letter, out, news))
    }

    /// Has it seen whether a client of this servent can be dialled. Where there is no room for that it is not known.
    pub(super) fn probe(&mut self, now: Time, client: AnswerAddress, out: &mut Outbox<'_>) {
        let AnswerAddress { socket: address, dialect } = client;
        let callee = Callee { errand: Errand::Probe, address };
        let refused =
            self.call(now, out, |calls, out, news| calls.bring(now, callee, dialect, probes::letter(), out, news));
        if refused.is_some() {
            log::debug!("client {address} is not probed: a limit on calls refuses it");
        }
    }

    /// Has something done about calls, tells whoever has the errands what came of it, and has done what they wish for
    /// then, until they have heard all.
    pub(super) fn call<T>(
        &mut self,
        now: Time,
        out: &mut Outbox<'_>,
        act: impl FnOnce(&mut Calls, &mut Outbox<'_>, &mut News) -> T,
    ) -> T {
        let RareRooms {
            calls,
            errands,
            content: _,
            finds: _,
            keeping: _,
            reload: _,
            uploads: _,
            watches: _,
            writes: _,
            counters: _,
        } = self;
        let mut news = News::default();
        let result = act(calls, out, &mut news);
        while !news.is_empty() {
            for (callee, event) in std::mem::take(&mut news).each() {
                for wish in errands.on_call(now, callee, event) {
                    calls.grant(now, callee, wish, out, &mut news);
                }
            }
        }
        result
    }
}

impl Errands {
    /// Tells whoever has the errand what came of a call, and hears what is to be done about it now.
    #[cfg_attr(not(test), expect(unused_variables, reason = "nothing that answers wish for depends on the time"))]
    fn on_call(&mut self, now: Time, callee: Callee, event: CallEvent) -> Vec<Wish> {
        let Callee { errand, address } = callee;
        match errand {
            Errand::Probe => {
                self.probes.on_call(address, &event);
                Vec::new()
            }
            Errand::Answers => {
                self.delivery.on_call(address, event);
                Vec::new()
            }
            Errand::Visit => self.visits.on_call(address, event),
            #[cfg(test)]
            Errand::Greeting => self.greetings.on_call(now, address, event),
        }
    }
}

#[inline]
fn send_report(links: &Links, report: CopyReport, out: &mut Outbox<'_>) {
    let CopyReport { asker, id, tally } = report;
    if log::log_enabled!(target: QUERY_LOG, log::Level::Debug) {
        query_log::log_report(links, report);
    }
    match asker {
        Asker::Client { link } => out.send(link, Message::Finished(Finished { sequence: id.sequence, tally })),
        Asker::Neighbor { link, ttl, .. } => out.send(link, Message::Echo(Echo { id, ttl, tally })),
        Asker::Gone { .. } => {}
    }
}

fn report_all(links: &Links, reports: Vec<CopyReport>, out: &mut Outbox<'_>) {
    reports.into_iter().for_each(|report| send_report(links, report, out));
}
