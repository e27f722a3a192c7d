//! The mechanism of the flood: to whom a query is passed on, whose echoes are awaited, and when its subtree has finished.
//!
//! What comes is judged in `judging` beside what is remembered in `memory`, which has the passes too; here is what is
//! done with them, and when. The flood carries what is asked and does not know who answers (`search`), nor who is there
//! (`links`): of a neighbor that is lost it remembers the identity, to know it again.
//!
//! After "Termination detection for diffusing computations" (Dijkstra and Scholten 1980) every copy is echoed exactly
//! once, so the contact learns when nothing is on its way any more; the tree of echoes is that of "Echo algorithms: depth
//! parallel operations on general graphs" (Chang 1982).
//!
//! Neither algorithm survives the loss of a link. Here a copy whose echo has not come when its link falls is offered
//! again when the neighbor is linked again, and a copy that is offered again gets the echo of the first: so nothing is
//! lost that comes back in time, and nothing is counted or answered twice.

mod arrival;
mod back;
mod contacts;
mod judging;
mod memory;
mod outgoing;
mod own;
mod pass;
mod places;
mod routes;
mod seen;
mod slots;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::counted::counted;
use crate::limits::{ECHO_WAIT_MAX, LOOKS_FEW, QUERIES_PENDING_MAX};
use crate::link::LinkId;
use crate::message::{Brought, Echo, Identity};
use crate::overlay::copy_name::CopyName;
use crate::overlay::log_names::QUERY_LOG;
use crate::overlay::recipients::Recipients;
use crate::overlay::speaker::{Parting, Speaker};
use crate::query::{BroughtAnswer, ContactMark, Query, QueryId, Tally, Via};
use crate::time::Time;

pub(super) use arrival::{Arrival, Asker, Breach};
pub(super) use back::{Onward, SaidAgain};
pub(super) use judging::{Admission, Judging};
use memory::Memory;
use outgoing::{OWN_PART, Outgoing};
use own::Own;
pub(super) use own::ROOM_MIN;
pub(super) use pass::CopyReport;
use pass::{Pass, patience};
use places::Bringer;
pub(super) use slots::QueryPlace;

/// How the first copy of a query came, as far as that is still known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct First {
    /// Who brought it, as long as its pass is kept.
    pub(super) asker: Option<Asker>,
    /// With which TTL, after it was cut down; where it is not known from whom, the highest of all.
    pub(super) ttl: u8,
}

/// The copies of a query that go out: the same on many links, but for how they are answered.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Copies {
    pub(super) direct: Option<(Arc<Query>, Vec<LinkId>)>,
    pub(super) back: Option<(Arc<Query>, Vec<LinkId>)>,
}

/// What this servent itself adds to a query that came: to be reported, and the answer that went back.
#[derive(Debug, Default)]
pub(super) struct OwnPart {
    pub(super) tally: Tally,
    pub(super) brought: Option<Arc<BroughtAnswer>>,
    /// There is more to come ([`Flood::on_own_part`]), which is awaited like an echo.
    pub(super) is_to_come: bool,
}

impl From<Tally> for OwnPart {
    fn from(tally: Tally) -> OwnPart {
        OwnPart { tally, ..OwnPart::default() }
    }
}

/// What became of a query that was to be passed on.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Passing {
    /// These copies go out; the echoes are awaited, unless nobody will echo: then it has finished at once.
    On { copies: Copies, finished: Option<CopyReport> },
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

#[derive(Debug, Default)]
pub(super) struct Flood {
    memory: Memory,
    /// When each pass is looked at next. A pass that goes before leaves its look behind, up to as many as are needed.
    looks: BinaryHeap<Reverse<(Time, QueryPlace, u8)>>,
    /// Copies that went to nobody, because their neighbor could not be told, ever.
    pub(super) unsaid_count: u64,
}

impl Flood {
    // ---- copies come ----

    /// Judges a copy of a query, and remembers it: rules 4 to 10 of the table in docs/PROTOCOL.md.
    pub(super) fn admit(&mut self, now: Time, arrival: &Arrival, judging: Judging) -> Admission {
        judging::admit(&mut self.memory, now, arrival, judging)
    }

    /// What the copies of a query carry of its contact, as far as that is known here.
    pub(super) fn mark_of(&self, place: QueryPlace) -> Option<ContactMark> {
        self.memory.mark_of(self.memory.seen.get(place)?)
    }

    /// Whether a copy of a query came whose answers go back.
    pub(super) fn is_back(&self, place: QueryPlace) -> bool {
        self.memory.seen.get(place).is_some_and(|entry| entry.is_back)
    }

    /// How a query came first, for the log.
    pub(super) fn first_copy(&self, place: QueryPlace) -> Option<First> {
        let entry = self.memory.seen.get(place)?;
        let first = entry.passes.iter().find(|pass| pass.came == entry.since);
        Some(First { asker: first.map(|pass| pass.asker), ttl: first.map_or(entry.ttl, |pass| pass.ttl) })
    }

    /// Takes what came of passes that were given up because their query was closed.
    pub(super) fn take_given_up(&mut self) -> Vec<CopyReport> {
        self.memory.take_given_up()
    }

    // ---- queries of our own clients ----

    /// How many more clients may ask now, where each of so many may have one request that is not put off.
    pub(super) fn room(&mut self, now: Time, clients_count: usize) -> usize {
        self.memory.close_own(now);
        self.memory.own.make().room(now, clients_count)
    }

    /// When there is more room at the latest.
    pub(super) fn room_deadline(&self, clients_count: usize) -> Time {
        self.memory.own.get().map_or(Time::NEVER, |own| own.deadline(clients_count))
    }

    // ---- copies go ----

    /// Passes a query on that was admitted: rules 11 to 14 of the table. `query` is as it may be passed on; `own` is what this
    /// servent itself has to report, and the answer that went back for it.
    pub(super) fn pass_on(
        &mut self,
        now: Time,
        place: QueryPlace,
        asker: Asker,
        mut query: Query,
        to: Recipients,
        own: OwnPart,
    ) -> Passing {
        let OwnPart { mut tally, brought, is_to_come } = own;
        let id = query.id();
        let bringer = match asker {
            Asker::Neighbor { link, .. } => Bringer::Neighbor { link, hops: query.hops },
            Asker::Client { .. } | Asker::Gone { .. } => Bringer::Own,
        };
        let goes_on = if to.count() == 0 {
            false
        } else if query.ttl == 0 {
            let others = counted(to.count(), "neighbor");
            log::debug!(target: QUERY_LOG, "{id} ended by the TTL: {others} not asked");
            tally.stopped += 1;
            self.memory.seen.set_stopped(place, true);
            false
        } else if !self.memory.has_room_to_wait(bringer) {
            log::debug!(
                target: QUERY_LOG,
                "{id} not passed on: {QUERIES_PENDING_MAX} pending are the most, and shared among the neighbors"
            );
            tally.lost += 1;
            false
        } else {
            if self.memory.seen.set_stopped(place, false) {
                tally.stopped -= 1;
            }
            // Whoever would not understand it is not asked, and that is told.
            if to.untold_count > 0 {
                let neighbors = counted(to.untold_count, "neighbor");
                log::debug!(target: QUERY_LOG, "{id} not told {neighbors}, whose dialect has no words for it or who did not offer to understand it");
                tally.add_lost(to.untold_count);
                self.unsaid_count += to.untold_count as u64;
            }
            tally.copies += to.told_count() as u64;
            tally.silent += to.silent_count() as u64;
            tally.is_dialled |= !to.direct.is_empty();
            to.told_count() > 0
        };
        let mut pass = Pass::new(&query, asker, now);
        pass.tally = tally;
        let report = CopyReport { asker, id, tally };
        let report_ttl = query.ttl;
        if !goes_on && !is_to_come {
            self.keep(now, place, pass, bringer, brought.as_ref());
            return Passing::Finished(report);
        }
        if is_to_come && !self.memory.has_room_to_wait(bringer) {
            // Nor may what is to come be waited for.
            pass.tally.lost += 1;
            let report = CopyReport { tally: pass.tally, ..report };
            self.keep(now, place, pass, bringer, None);
            return Passing::Finished(report);
        }
        let until = now + patience(&query);
        query.ttl = query.ttl.saturating_sub(1);
        query.hops = query.hops.saturating_add(1);
        let query = Arc::new(query);
        let Recipients { direct, back, mut echoing, .. } = if goes_on { to } else { Recipients::default() };
        if is_to_come {
            echoing.push(OWN_PART);
        }
        let copies = |via, links: Vec<LinkId>| (!links.is_empty()).then(|| (answered(&query, via), links));
        let copies = Copies { direct: copies(Via::Direct, direct), back: copies(Via::Back, back) };
        if echoing.is_empty() {
            self.keep(now, place, pass, bringer, brought.as_ref());
            return Passing::On { copies, finished: Some(report) };
        }
        pass.out = Outgoing::awaiting(echoing);
        if let Some(mark) = query.contact
            && self.mark_of(place).is_none()
        {
            // It came first without a contact, and is not found by the one it has now: answers find this copy by a way of its
            // own.
            let copy = CopyName { contact: mark.name, number: mark.number, ttl: report_ttl };
            self.memory.routes.make().keep(now, copy, asker, id, pass.out.clone());
        }
        self.begin(place, pass, bringer, until, &query);
        if let Some(answer) = brought {
            self.memory.keep_brought(place, report_ttl, &answer);
        }
        Passing::On { copies, finished: None }
    }

    /// Takes the echo of a copy that was sent over `link`. One that nobody awaits changes nothing.
    pub(super) fn on_echo(&mut self, now: Time, link: LinkId, echo: &Echo) -> Option<CopyReport> {
        let place = self.memory.seen.find(echo.id)?;
        let ttl = echo.ttl.checked_add(1)?;
        let pass = self.memory.seen.pass_mut(place, ttl)?;
        if !pass.out.end(link) {
            return None;
        }
        pass.tally.add(&echo.tally);
        let is_last = pass.out.awaited_count() == 0;
        if echo.tally.spoilt > 0 {
            self.memory.on_spoilt(place);
        }
        // Most echoes are not the last: nothing has finished.
        if is_last { self.memory.finish_unless_awaiting(now, place, ttl) } else { None }
    }

    /// Whether this servent's own part of a copy is to come and still awaited.
    pub(super) fn awaits_own_part(&self, place: QueryPlace, id: QueryId, ttl: u8) -> bool {
        self.memory.seen.get(place).is_some_and(|entry| entry.id == id)
            && self.memory.seen.pass(place, ttl).is_some_and(|pass| pass.out.awaits(OWN_PART))
    }

    /// Takes what this servent itself adds, where that was to come.
    pub(super) fn on_own_part(
        &mut self,
        now: Time,
        place: QueryPlace,
        id: QueryId,
        ttl: u8,
        own: OwnPart,
    ) -> Option<CopyReport> {
        let OwnPart { tally, brought, is_to_come: _ } = own;
        // There may be another query in the place by now.
        if !self.awaits_own_part(place, id, ttl) {
            return None;
        }
        let pass = self.memory.seen.pass_mut(place, ttl)?;
        pass.out.end(OWN_PART);
        pass.tally.add(&tally);
        if let Some(answer) = brought {
            self.memory.keep_brought(place, ttl, &answer);
        }
        self.memory.finish_unless_awaiting(now, place, ttl)
    }

    /// A link is gone. What was awaited from a neighbor is awaited for as long as it would have been, if it may come
    /// back; what it awaited from us is kept as long.
    pub(super) fn on_closed(
        &mut self,
        now: Time,
        link: LinkId,
        speaker: Option<Speaker>,
        parting: Parting,
    ) -> Vec<CopyReport> {
        // What a client asked goes on without it: its neighbors' echoes find nobody to tell, and that is all.
        let Some(Speaker::Neighbor(identity)) = speaker else { return Vec::new() };
        let returns = identity.filter(|_| parting == Parting::ForNow);
        self.memory.on_closed(link);
        let mut finished = Vec::new();
        for (place, ttl) in self.passes_where(|pass| pass.concerns(link)) {
            let Some(pass) = self.memory.seen.pass_mut(place, ttl) else { continue };
            if let Asker::Neighbor { link: asker, identity, .. } = pass.asker
                && asker == link
            {
                pass.asker = Asker::Gone { identity };
            }
            if pass.out.end(link) {
                let mut given_up = false;
                match returns {
                    Some(identity) if pass.offer.is_some() => pass.absent.make().push((identity, link)),
                    _ => {
                        pass.tally.add_lost(1);
                        given_up = true;
                    }
                }
                if given_up && let Some(entry) = self.memory.seen.get(place) {
                    log::debug!(target: QUERY_LOG, "{} lost an echo: the link it was awaited on is gone", entry.id);
                }
                finished.extend(self.memory.finish_unless_awaiting(now, place, ttl));
            }
        }
        finished
    }

    /// A neighbor came, over this link.
    pub(super) fn on_neighbor(&mut self, link: LinkId) {
        self.memory.on_linked(link);
    }

    /// A neighbor is linked that may have been lost before: what of ours it may not have heard, or not have echoed. What
    /// it could be told then and cannot be told now is lost there.
    pub(super) fn on_linked(
        &mut self,
        now: Time,
        link: LinkId,
        identity: Identity,
        told_as: impl Fn(&Query) -> Option<Via>,
    ) -> Resumption {
        let mut resumption = Resumption::default();
        if self.memory.pending_count() == 0 {
            return resumption;
        }
        for (place, ttl) in self.passes_where(|pass| pass.awaits(identity)) {
            let Some(pass) = self.memory.seen.pass_mut(place, ttl) else { continue };
            let Some(absent) = pass.absent.get_mut() else { continue };
            let index = absent.iter().position(|(absent, _)| *absent == identity);
            let (Some(index), Some(offer)) = (index, &pass.offer) else { continue };
            let (_, fallen) = absent.swap_remove(index);
            if let Some(via) = told_as(offer) {
                resumption.offers.push(answered(offer, via));
                pass.out.replace(fallen, link);
                pass.tally.is_dialled |= via == Via::Direct;
                // What an echo told of may be anything.
                pass.tally.copies = pass.tally.copies.saturating_add(1);
            } else {
                log::debug!(target: QUERY_LOG, "{} lost an echo: whom it was awaited from is back, and cannot be told", offer.id());
                self.unsaid_count += 1;
                pass.tally.add_lost(1);
                resumption.finished.extend(self.memory.finish_unless_awaiting(now, place, ttl));
            }
        }
        resumption
    }

    /// Gives up what has been awaited for too long, and forgets what was kept long enough.
    pub(super) fn on_deadline(&mut self, now: Time) -> Vec<CopyReport> {
        if self.deadline() > now {
            return Vec::new();
        }
        self.memory.close_own(now);
        let mut finished = Vec::new();
        while let Some(Reverse((look, place, ttl))) = self.looks.peek().copied() {
            if look > now {
                break;
            }
            self.looks.pop();
            finished.extend(self.give_up(now, place, ttl));
            // Given up or echoed, it is kept for as long as the one that waits for its echo may offer it again.
            match self.memory.seen.pass_mut(place, ttl).map(|pass| pass.came + ECHO_WAIT_MAX) {
                Some(until) if until > now => self.look_at(until, place, ttl),
                Some(_) => self.memory.forget_pass(place, ttl),
                None => {}
            }
        }
        finished
    }

    /// A beat of the neighbors is over: contacts that were quiet for too long are forgotten, unless it came late, and what is
    /// over or old goes though nothing more is asked.
    pub(super) fn on_beat(&mut self, now: Time, is_late: bool) {
        self.memory.close_own(now);
        self.memory.forget_old(now);
        self.memory.forget_old_routes(now);
        if !is_late {
            self.memory.on_beat();
        }
    }

    /// Gives up everything that is awaited.
    pub(super) fn give_up_all(&mut self, now: Time) -> Vec<CopyReport> {
        let passes = self.passes_where(|pass| !pass.is_finished);
        passes.into_iter().filter_map(|(place, ttl)| self.give_up(now, place, ttl)).collect()
    }

    // ---- answers go back ----

    /// Says where an answer goes that came back over a link for a copy that was passed on.
    pub(super) fn on_brought(
        &mut self,
        now: Time,
        link: LinkId,
        copy: CopyName,
        answer: &Arc<BroughtAnswer>,
    ) -> Onward {
        self.memory.send_on(now, Some(link), copy, answer)
    }

    /// The same of an answer of our own that was not dialled to its client.
    pub(super) fn on_undialled(&mut self, now: Time, copy: CopyName, answer: &Arc<BroughtAnswer>) -> Onward {
        self.memory.send_on(now, None, copy, answer)
    }

    /// What is said of a copy that is offered again.
    pub(super) fn say_again(&mut self, place: QueryPlace, ttl: u8) -> SaidAgain {
        self.memory.say_again(place, ttl)
    }

    /// A link to a neighbor had no room for an answer. True where the echo of its copy will tell.
    pub(super) fn on_not_brought(&mut self, link: LinkId, brought: &Brought) -> bool {
        self.memory.on_not_brought(link, brought)
    }

    /// The same of the link to a client of ours.
    pub(super) fn on_not_handed(&mut self, link: LinkId, id: QueryId) -> bool {
        self.memory.on_not_handed(link, id)
    }

    // ---- time ----

    pub(super) fn deadline(&self) -> Time {
        self.looks.peek().map_or(Time::NEVER, |Reverse((look, ..))| *look)
    }

    // ---- what they say of themselves ----

    /// Whether anything is remembered that goes at a beat.
    pub(super) fn is_to_forget(&self) -> bool {
        // Every other query is held by a contact.
        self.by_age_count() > 0 || self.contacts_count() > 0 || self.own_open_count() > 0 || self.routes_count() > 0
    }

    pub(super) fn held_count(&self) -> usize {
        self.memory.seen.held_count()
    }

    pub(super) fn by_age_count(&self) -> usize {
        self.memory.seen.by_age_count()
    }

    pub(super) fn contacts_count(&self) -> usize {
        self.memory.seen.contacts_count()
    }

    pub(super) fn own_open_count(&self) -> usize {
        self.memory.own.get().map_or(0, Own::open_count)
    }

    pub(super) fn queries_count(&self) -> u64 {
        self.memory.queries_count
    }

    pub(super) fn pending_count(&self) -> usize {
        self.memory.pending_count()
    }

    pub(super) fn kept_count(&self) -> usize {
        self.memory.kept_count()
    }

    pub(super) fn offers_kept_bytes(&self) -> usize {
        self.memory.offers_kept_bytes()
    }

    pub(super) fn routes_count(&self) -> usize {
        self.memory.routes_count()
    }

    pub(super) fn looks_count(&self) -> usize {
        self.looks.len()
    }

    /// How many links it is noted of what they have of what is shared.
    pub(super) fn sharing_count(&self) -> usize {
        self.memory.sharing_count()
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.memory.seen.fingerprint() ^ (self.memory.pending_count() as u64) << 32
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let looks = self.looks.capacity() * size_of::<Reverse<(Time, QueryPlace, u8)>>();
        size_of_val(self) + self.memory.memory_bytes() + looks
    }

    /// The passes, pending or kept, of which this is true, in the order in which they are looked at. Strangers decide how
    /// often this is asked, so it copies and sorts no more than it finds, and looks at nothing where there is nothing.
    fn passes_where(&self, is_it: impl Fn(&Pass) -> bool) -> Vec<(QueryPlace, u8)> {
        if self.memory.passes_count() == 0 {
            return Vec::new();
        }
        let is_found = |place, ttl| self.memory.seen.pass(place, ttl).is_some_and(&is_it);
        let looks = self.looks.iter().map(|Reverse(look)| *look);
        let mut found: Vec<_> = looks.filter(|(_, place, ttl)| is_found(*place, *ttl)).collect();
        found.sort_unstable();
        found.into_iter().map(|(_, place, ttl)| (place, ttl)).collect()
    }

    fn give_up(&mut self, now: Time, place: QueryPlace, ttl: u8) -> Option<CopyReport> {
        let id = self.memory.seen.get(place)?.id;
        let pass = self.memory.seen.pass_mut(place, ttl)?;
        let lost_count = pass.awaited_count();
        if lost_count > 0 {
            log::debug!(target: QUERY_LOG, "{id} lost {}: waited for too long", counted(lost_count, "echo"));
        }
        pass.tally.add_lost(lost_count);
        pass.out.end_all();
        pass.absent.clear();
        self.memory.finish_unless_awaiting(now, place, ttl)
    }

    /// Adds a pass whose echoes are awaited until then.
    fn begin(&mut self, place: QueryPlace, pass: Pass, bringer: Bringer, until: Time, query: &Arc<Query>) {
        let ttl = pass.ttl;
        self.memory.begin(place, pass, bringer, query);
        self.look_at(until, place, ttl);
    }

    /// Keeps the echo of a pass that finished as it began.
    fn keep(
        &mut self,
        now: Time,
        place: QueryPlace,
        pass: Pass,
        bringer: Bringer,
        brought: Option<&Arc<BroughtAnswer>>,
    ) {
        let (until, ttl) = (pass.came + ECHO_WAIT_MAX, pass.ttl);
        if self.memory.keep(now, place, pass, bringer) {
            self.look_at(until, place, ttl);
            if let Some(answer) = brought {
                self.memory.keep_brought(place, ttl, answer);
            }
        }
    }

    /// Has a pass looked at then.
    fn look_at(&mut self, until: Time, place: QueryPlace, ttl: u8) {
        if self.looks.is_empty() {
            self.looks.reserve_exact(1);
        }
        self.looks.push(Reverse((until, place, ttl)));
        if self.looks.len() > LOOKS_FEW + 2 * self.memory.passes_count() {
            // Half of them and more are in vain. It costs at most what it cost to get here.
            let Flood { looks, memory, .. } = self;
            looks.retain(|Reverse((_, place, ttl))| memory.seen.pass(*place, *ttl).is_some());
        }
    }
}

/// The same query, answered like this.
fn answered(query: &Arc<Query>, via: Via) -> Arc<Query> {
    if query.via == via { Arc::clone(query) } else { Arc::new(Query { via, ..Query::clone(query) }) }
}
