//! The mechanism of the flood: which queries were seen, to whom one is passed on, and when its subtree has finished.
//!
//! It carries what is asked and does not know who answers (`search`), nor who is there (`links`): of a neighbor that is
//! lost it remembers the identity, to know it again. After "Termination detection for diffusing computations" (Dijkstra
//! and Scholten 1980) every copy is echoed exactly once, so the contact learns when nothing is on its way any more; the
//! tree of echoes is that of "Echo algorithms: depth parallel operations on general graphs" (Chang 1982).
//!
//! Neither algorithm survives the loss of a link. Here a copy whose echo has not come when its link falls is offered
//! again when the neighbor is linked again, and a copy that is offered again gets the echo of the first: so nothing is
//! lost that comes back in time, and nothing is counted or answered twice.

mod arrival;
mod paces;
mod pass;
mod seen;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::address::AnswerAddress;
use crate::counted::counted;
use crate::limits::{
    ECHO_WAIT_MAX, ECHOES_KEPT_MAX, LOOKS_FEW, OFFERS_KEPT_BYTES_MAX, QUERIES_PENDING_MAX, SEEN_FREELY_MAX,
};
use crate::link::LinkId;
use crate::message::{Echo, Identity};
use crate::on_demand::OnDemand;
use crate::overlay::headroom::Headroom;
use crate::overlay::log_names::QUERY_LOG;
use crate::overlay::recipients::Recipients;
use crate::overlay::speaker::{Parting, Speaker};
use crate::query::{Query, QueryId, Tally};
use crate::time::Time;

pub(super) use arrival::{Arrival, Asker, Breach};
use paces::Paces;
use pass::{Pass, patience};
pub(super) use seen::QueryPlace;
use seen::SeenSet;

/// What an arriving copy is to us, and where that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Never seen: answer it and pass it on.
    New(QueryPlace),
    /// Seen, but this copy may go further than any before: pass it on, do not answer.
    MoreTtl(QueryPlace),
    /// Seen, and this copy brings nothing.
    Duplicate(QueryPlace),
    /// Seen, and what came of it was not kept: it may be a duplicate, or offered again.
    EchoForgotten(QueryPlace),
    /// The copy that came before over a link that fell. What came of it, if that is known yet.
    OfferedAgain(Option<Tally>),
    /// Not seen, and there is no room to remember it.
    Refused,
    /// Not seen, and its neighbor has brought more than its share.
    OverPace,
}

/// How the first copy of a query came, as far as that is still known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    /// Who brought it, as long as its pass is kept.
    pub(super) asker: Option<Asker>,
    /// With which TTL, after it was cut down; where it is not known from whom, the highest of all.
    pub(super) ttl: u8,
}

/// What became of a query that was to be passed on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passing {
    /// These copies go out; the echoes are awaited, unless nobody will echo: then it has finished at once.
    On { query: Arc<Query>, links: Vec<LinkId>, finished: Option<CopyReport> },
    /// It has finished here.
    Finished(CopyReport),
}

/// What becomes of the queries whose echoes are awaited from a neighbor that was lost and is back.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Resumption {
    /// Those to be offered to it again.
    pub(super) offers: Vec<Arc<Query>>,
    /// Those that have finished, since nothing else is awaited of them.
    pub(super) finished: Vec<CopyReport>,
}

/// What came of a copy, for whoever waits to hear of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct CopyReport {
    pub(super) asker: Asker,
    pub(super) id: QueryId,
    pub(super) tally: Tally,
}

#[derive(Debug, Default)]
pub(super) struct Flood {
    seen: SeenSet,
    /// When each pass is looked at next. A pass that goes before leaves its look behind, up to as many as are needed.
    looks: BinaryHeap<Reverse<(Time, QueryPlace, u8)>>,
    /// Queries that were new, ever.
    pub(super) queries_count: u64,
    /// Copies that went to nobody, because their neighbor could not be told, ever.
    pub(super) unsaid_count: u64,
    pending_count: usize,
    kept_count: usize,
    offers_kept_bytes: usize,
    paces: OnDemand<Paces>,
}

impl Flood {
    /// Judges a copy of a query, and remembers it: rules 4 to 6 of the table in docs/PROTOCOL.md. It is looked up here,
    /// and never again.
    pub(super) fn admit(&mut self, now: Time, arrival: &Arrival, forward_once: bool) -> Admission {
        self.forget_old(now);
        let Arrival { asker, ref query, ttl } = *arrival;
        let known = self.seen.find(query.id());
        let Some((place, entry)) = known.and_then(|place| Some((place, self.seen.get_mut(place)?))) else {
            return self.admit_new(now, asker, query, ttl);
        };
        if ttl > entry.ttl && !forward_once {
            entry.ttl = ttl;
            return Admission::MoreTtl(place);
        }
        let is_again = |pass: &&mut Pass| {
            // Over the same link it is no second offer but the same thing said twice.
            pass.ttl == ttl
                && asker.identity().is_some()
                && pass.asker.identity() == asker.identity()
                && pass.asker.link() != asker.link()
        };
        match entry.passes.iter_mut().find(is_again) {
            Some(pass) => {
                pass.asker = asker;
                Admission::OfferedAgain(pass.is_finished.then_some(pass.tally))
            }
            None if entry.is_echo_forgotten && asker.identity().is_some() => Admission::EchoForgotten(place),
            None => Admission::Duplicate(place),
        }
    }

    /// Judges a query that was never seen.
    fn admit_new(&mut self, now: Time, asker: Asker, query: &Query, ttl: u8) -> Admission {
        if !self.take_from_pace(now, asker, query.hops) {
            return Admission::OverPace;
        }
        self.queries_count += 1;
        match self.seen.remember(now, query.id(), query.client.dialect, ttl) {
            Some(place) => Admission::New(place),
            None => Admission::Refused,
        }
    }

    /// How a query came first, for the log.
    pub(super) fn first_copy(&self, place: QueryPlace) -> Option<First> {
        let entry = self.seen.get(place)?;
        let first = entry.passes.iter().find(|pass| pass.came == entry.since);
        Some(First { asker: first.map(|pass| pass.asker), ttl: first.map_or(entry.ttl, |pass| pass.ttl) })
    }

    /// Counts a new query against the pace of the neighbor that brought it. False when that has brought more than its
    /// share. What clients ask is slowed down before it comes here.
    fn take_from_pace(&mut self, now: Time, asker: Asker, hops: u8) -> bool {
        match asker {
            Asker::Neighbor { link, .. } if self.seen.len() >= SEEN_FREELY_MAX => {
                let headroom = self.headroom();
                self.paces.make().take(now, link, hops, headroom)
            }
            _ => true,
        }
    }

    /// How much room there is for new queries.
    pub(super) fn headroom(&self) -> Headroom {
        Headroom::beside(self.seen.len())
    }

    /// Forgets what a client asked: it has come anew, and counts from zero.
    pub(super) fn forget_client(&mut self, client: AnswerAddress) {
        for pass in self.seen.forget_client(client) {
            self.drop_pass(&pass);
        }
    }

    /// Passes a query on that was admitted: rules 7 to 10 of the table. `query` is as it may be passed on; `tally` is
    /// what this servent itself has to report.
    pub(super) fn pass_on(
        &mut self,
        now: Time,
        place: QueryPlace,
        asker: Asker,
        mut query: Query,
        to: Recipients,
        mut tally: Tally,
    ) -> Passing {
        let id = query.id();
        let goes_on = if to.count() == 0 {
            false
        } else if query.ttl == 0 {
            let others = counted(to.count(), "neighbor");
            log::debug!(target: QUERY_LOG, "{id} ended by the TTL: {others} not asked");
            tally.stopped += 1;
            self.seen.set_stopped(place, true);
            false
        } else if self.pending_count >= QUERIES_PENDING_MAX {
            log::debug!(target: QUERY_LOG, "{id} not passed on: {QUERIES_PENDING_MAX} pending are the most");
            tally.lost += 1;
            false
        } else {
            if self.seen.set_stopped(place, false) {
                tally.stopped -= 1;
            }
            // Whoever would not understand it is not asked, and that is told.
            if to.untold_count > 0 {
                let neighbors = counted(to.untold_count, "neighbor");
                log::debug!(target: QUERY_LOG, "{id} not told {neighbors}, whose dialect has no words for it or who did not offer to understand it");
                tally.add_lost(to.untold_count);
                self.unsaid_count += to.untold_count as u64;
            }
            tally.copies += to.links.len() as u64;
            tally.silent += to.silent_count() as u64;
            !to.links.is_empty()
        };
        let mut pass = Pass::new(query.ttl, asker, now);
        pass.tally = tally;
        let report = CopyReport { asker, id, tally };
        if !goes_on {
            self.keep(place, pass);
            return Passing::Finished(report);
        }
        let until = now + patience(&query);
        query.ttl = query.ttl.saturating_sub(1);
        query.hops = query.hops.saturating_add(1);
        let query = Arc::new(query);
        let Recipients { links, echoing, .. } = to;
        if echoing.is_empty() {
            self.keep(place, pass);
            return Passing::On { query, links, finished: Some(report) };
        }
        pass.awaited = echoing;
        self.begin(place, pass, until, &query);
        Passing::On { query, links, finished: None }
    }

    /// Takes the echo of a copy that was sent over `link`. One that nobody awaits changes nothing.
    pub(super) fn on_echo(&mut self, link: LinkId, echo: &Echo) -> Option<CopyReport> {
        let place = self.seen.find(echo.id)?;
        let ttl = echo.ttl.checked_add(1)?;
        let pass = self.seen.pass_mut(place, ttl)?;
        let index = pass.awaited.iter().position(|awaited| *awaited == link)?;
        pass.awaited.swap_remove(index);
        pass.tally.add(&echo.tally);
        // Most echoes are not the last: nothing has finished.
        if pass.awaited.is_empty() { self.finish_unless_awaiting(place, ttl) } else { None }
    }

    /// A link is gone. What was awaited from a neighbor is awaited for as long as it would have been, if it may come
    /// back; what it awaited from us is kept as long.
    pub(super) fn on_closed(&mut self, link: LinkId, speaker: Option<Speaker>, parting: Parting) -> Vec<CopyReport> {
        // What a client asked goes on without it: its neighbors' echoes find nobody to tell, and that is all.
        let Some(Speaker::Neighbor(identity)) = speaker else { return Vec::new() };
        let returns = identity.filter(|_| parting == Parting::ForNow);
        if let Some(paces) = self.paces.get_mut() {
            paces.forget(link);
        }
        let mut finished = Vec::new();
        for (place, ttl) in self.passes_where(|pass| pass.concerns(link)) {
            let Some(pass) = self.seen.pass_mut(place, ttl) else { continue };
            if let Asker::Neighbor { link: asker, identity, .. } = pass.asker
                && asker == link
            {
                pass.asker = Asker::Gone { identity };
            }
            if let Some(index) = pass.awaited.iter().position(|awaited| *awaited == link) {
                pass.awaited.swap_remove(index);
                let mut given_up = false;
                match returns {
                    Some(identity) if pass.offer.is_some() => pass.absent.make().push(identity),
                    _ => {
                        pass.tally.add_lost(1);
                        given_up = true;
                    }
                }
                if given_up && let Some(entry) = self.seen.get(place) {
                    log::debug!(target: QUERY_LOG, "{} lost an echo: the link it was awaited on is gone", entry.id);
                }
                finished.extend(self.finish_unless_awaiting(place, ttl));
            }
        }
        finished
    }

    /// A neighbor is linked that may have been lost before: what of ours it may not have heard, or not have echoed. What
    /// it could be told then and cannot be told now is lost there.
    pub(super) fn on_linked(
        &mut self,
        link: LinkId,
        identity: Identity,
        can_be_told: impl Fn(&Query) -> bool,
    ) -> Resumption {
        let mut resumption = Resumption::default();
        if self.pending_count == 0 {
            return resumption;
        }
        for (place, ttl) in self.passes_where(|pass| pass.awaits(identity)) {
            let Some(pass) = self.seen.pass_mut(place, ttl) else { continue };
            let Some(absent) = pass.absent.get_mut() else { continue };
            let (Some(index), Some(offer)) = (absent.iter().position(|absent| *absent == identity), &pass.offer) else {
                continue;
            };
            absent.swap_remove(index);
            if can_be_told(offer) {
                resumption.offers.push(Arc::clone(offer));
                pass.awaited.push(link);
                pass.tally.copies += 1;
            } else {
                log::debug!(target: QUERY_LOG, "{} lost an echo: whom it was awaited from is back, and cannot be told", offer.id());
                self.unsaid_count += 1;
                pass.tally.add_lost(1);
                resumption.finished.extend(self.finish_unless_awaiting(place, ttl));
            }
        }
        resumption
    }

    /// Gives up what has been awaited for too long, and forgets what was kept long enough.
    pub(super) fn on_deadline(&mut self, now: Time) -> Vec<CopyReport> {
        let mut finished = Vec::new();
        while let Some(Reverse((look, place, ttl))) = self.looks.peek().copied() {
            if look > now {
                break;
            }
            self.looks.pop();
            finished.extend(self.give_up(place, ttl));
            // Given up or echoed, it is kept for as long as the one that waits for its echo may offer it again.
            match self.seen.pass_mut(place, ttl).map(|pass| pass.came + ECHO_WAIT_MAX) {
                Some(until) if until > now => self.look_at(until, place, ttl),
                Some(_) => {
                    if let Some(pass) = self.seen.remove_pass(place, ttl) {
                        self.drop_pass(&pass);
                    }
                }
                None => {}
            }
        }
        finished
    }

    /// Gives up everything that is awaited.
    pub(super) fn give_up_all(&mut self) -> Vec<CopyReport> {
        let passes = self.passes_where(|pass| !pass.is_finished);
        passes.into_iter().filter_map(|(place, ttl)| self.give_up(place, ttl)).collect()
    }

    pub(super) fn deadline(&self) -> Time {
        self.looks.peek().map_or(Time::NEVER, |Reverse((look, ..))| *look)
    }

    pub(super) fn seen_count(&self) -> usize {
        self.seen.len()
    }

    pub(super) fn pending_count(&self) -> usize {
        self.pending_count
    }

    pub(super) fn kept_count(&self) -> usize {
        self.kept_count
    }

    pub(super) fn offers_kept_bytes(&self) -> usize {
        self.offers_kept_bytes
    }

    pub(super) fn looks_count(&self) -> usize {
        self.looks.len()
    }

    pub(super) fn paces_count(&self) -> usize {
        self.paces.get().map_or(0, Paces::len)
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.seen.fingerprint() ^ (self.pending_count as u64) << 32
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let looks = self.looks.capacity() * size_of::<Reverse<(Time, QueryPlace, u8)>>();
        size_of_val(self) + self.seen.memory_bytes() + looks + self.offers_kept_bytes
    }

    /// The passes, pending or kept, of which this is true, in the order in which they are looked at. Strangers decide how
    /// often this is asked, so it copies and sorts no more than it finds, and looks at nothing where there is nothing.
    fn passes_where(&self, is_it: impl Fn(&Pass) -> bool) -> Vec<(QueryPlace, u8)> {
        if self.pending_count + self.kept_count == 0 {
            return Vec::new();
        }
        let is_found = |place, ttl| self.seen.pass(place, ttl).is_some_and(&is_it);
        let looks = self.looks.iter().map(|Reverse(look)| *look);
        let mut found: Vec<_> = looks.filter(|(_, place, ttl)| is_found(*place, *ttl)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, place, ttl)| (place, ttl)).collect()
    }

    fn give_up(&mut self, place: QueryPlace, ttl: u8) -> Option<CopyReport> {
        let id = self.seen.get(place)?.id;
        let pass = self.seen.pass_mut(place, ttl)?;
        let lost_count = pass.awaited.len() + pass.absent_count();
        if lost_count > 0 {
            log::debug!(target: QUERY_LOG, "{id} lost {}: waited for too long", counted(lost_count, "echo"));
        }
        pass.tally.add_lost(lost_count);
        pass.awaited.clear();
        pass.absent.clear();
        self.finish_unless_awaiting(place, ttl)
    }

    /// Adds a pass whose echoes are awaited until then.
    fn begin(&mut self, place: QueryPlace, mut pass: Pass, until: Time, query: &Arc<Query>) {
        let bytes = query.bytes_count();
        if self.offers_kept_bytes + bytes <= OFFERS_KEPT_BYTES_MAX {
            self.offers_kept_bytes += bytes;
            pass.offer = Some(Arc::clone(query));
        }
        self.pending_count += 1;
        let ttl = pass.ttl;
        self.seen.add_pass(place, pass);
        self.look_at(until, place, ttl);
    }

    /// Has a pass looked at then.
    fn look_at(&mut self, until: Time, place: QueryPlace, ttl: u8) {
        if self.looks.is_empty() {
            self.looks.reserve_exact(1);
        }
        self.looks.push(Reverse((until, place, ttl)));
        if self.looks.len() > LOOKS_FEW + 2 * (self.pending_count + self.kept_count) {
            // Half of them and more are in vain. It costs at most what it cost to get here.
            let Flood { looks, seen, .. } = self;
            looks.retain(|Reverse((_, place, ttl))| seen.pass_mut(*place, *ttl).is_some());
        }
    }

    /// Finishes a pass of which nothing is awaited any more. Its echo is kept; when it will be forgotten, the look that
    /// is due anyway finds out.
    fn finish_unless_awaiting(&mut self, place: QueryPlace, ttl: u8) -> Option<CopyReport> {
        let id = self.seen.get_mut(place)?.id;
        let pass = self.seen.pass_mut(place, ttl)?;
        if pass.is_finished || !pass.awaited.is_empty() || pass.absent_count() > 0 {
            return None;
        }
        let report = CopyReport { asker: pass.asker, id, tally: pass.tally };
        pass.is_finished = true;
        // It may be kept for a while, and many may be.
        pass.awaited = Vec::new();
        pass.absent.clear();
        if let Some(offer) = pass.offer.take() {
            self.offers_kept_bytes -= offer.bytes_count();
        }
        self.pending_count -= 1;
        if !self.take_kept_place(place, report.asker) {
            self.seen.remove_pass(place, ttl);
        }
        Some(report)
    }

    /// Keeps the echo of a pass that finished as it began.
    fn keep(&mut self, place: QueryPlace, mut pass: Pass) {
        if self.take_kept_place(place, pass.asker) {
            let (until, ttl) = (pass.came + ECHO_WAIT_MAX, pass.ttl);
            pass.is_finished = true;
            self.seen.add_pass(place, pass);
            self.look_at(until, place, ttl);
        }
    }

    /// Takes a place for the echo of a pass to be kept in. False when there is none left, which is noted, and when
    /// there is nobody to keep it for: whoever does not say who it is cannot be known again.
    fn take_kept_place(&mut self, place: QueryPlace, asker: Asker) -> bool {
        let has_room = self.kept_count < ECHOES_KEPT_MAX;
        if !has_room {
            self.seen.set_echo_forgotten(place);
        }
        let is_kept = has_room && asker.identity().is_some();
        self.kept_count += usize::from(is_kept);
        is_kept
    }

    fn forget_old(&mut self, now: Time) {
        while let Some(entry) = self.seen.forget_oldest(now) {
            // A shell that was held up for long may bring a query before the deadline it is late for.
            for pass in &entry.passes {
                self.drop_pass(pass);
            }
        }
    }

    /// Counts a pass out.
    fn drop_pass(&mut self, pass: &Pass) {
        if pass.is_finished {
            self.kept_count -= 1;
        } else {
            self.pending_count -= 1;
        }
        if let Some(offer) = &pass.offer {
            self.offers_kept_bytes -= offer.bytes_count();
        }
    }
}
