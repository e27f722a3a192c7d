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
mod contacts;
mod own;
mod pass;
mod places;
mod seen;
mod slots;

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::sync::Arc;

use crate::counted::counted;
use crate::limits::{
    ECHO_WAIT_MAX, ECHOES_KEPT_MAX, LOOKS_FEW, OFFERS_KEPT_BYTES_MAX, PLACES_FREE, QUERIES_PENDING_MAX,
};
use crate::link::LinkId;
use crate::message::{Echo, Identity};
use crate::overlay::log_names::QUERY_LOG;
use crate::overlay::recipients::Recipients;
use crate::overlay::speaker::{Parting, Speaker};
use crate::query::{ContactMark, Query, QueryId, Tally};
use crate::random::Secret;
use crate::time::Time;

pub(super) use arrival::{Arrival, Asker, Breach};
use own::Own;
pub(super) use own::ROOM_MIN;
use pass::{Pass, patience};
use places::{Bringer, NoRoom, Places};
use seen::{Holder, NewQuery, SeenQuery, SeenSet};
pub(super) use slots::QueryPlace;

/// What an arriving copy is to us, and where that is remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Admission {
    /// Never seen: answer it and pass it on.
    New(QueryPlace),
    /// Seen, but this copy may go further than any before: pass it on, do not answer.
    MoreTtl(QueryPlace),
    /// The same, and whoever sent one before awaits no echo: it came over a dialect that has none.
    MoreTtlThanSilent(QueryPlace),
    /// Seen, and this copy brings nothing.
    Duplicate(QueryPlace),
    /// The same, and whoever sent one before awaits no echo.
    HeardSilently(QueryPlace),
    /// Seen, and what came of it was not kept: it may be a duplicate, or offered again.
    EchoForgotten(QueryPlace),
    /// The copy that came before over a link that fell. What came of it, if that is known yet.
    OfferedAgain(Option<Tally>),
    /// Its contact has it open no more: whoever sent it has given it up, or lies.
    Spoilt,
    /// It says of a query, a number or a TTL what cannot be true beside what is known.
    Contradicts,
    /// Not seen, and its contact has another query under its number: one of them is forged, and the contact is to go by another
    /// name.
    NumberTaken,
    /// Not seen, and there is no room to remember it.
    Refused,
    /// Not seen, and its neighbor, or its contact, has its share of that room.
    OverShare,
}

/// What this servent was told about how to judge copies.
#[derive(Clone, Copy, Debug)]
pub(super) struct Judging {
    /// Whether it passes each query on once only.
    pub(super) forward_once: bool,
    /// What nobody else knows: its names and hashes come of it.
    pub(super) secret: Secret,
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

#[derive(Debug)]
pub(super) struct Flood {
    seen: SeenSet,
    own: Own,
    /// When each pass is looked at next. A pass that goes before leaves its look behind, up to as many as are needed.
    looks: BinaryHeap<Reverse<(Time, QueryPlace, u8)>>,
    /// What came of passes whose query was closed, until somebody is told.
    given_up: Vec<CopyReport>,
    /// Queries that were new, ever.
    pub(super) queries_count: u64,
    /// Copies that went to nobody, because their neighbor could not be told, ever.
    pub(super) unsaid_count: u64,
    pending_count: usize,
    kept_count: usize,
    offers_kept_bytes: usize,
    pending_places: Places,
    kept_places: Places,
}

impl Default for Flood {
    fn default() -> Flood {
        Flood {
            seen: SeenSet::default(),
            own: Own::default(),
            looks: BinaryHeap::new(),
            given_up: Vec::new(),
            queries_count: 0,
            unsaid_count: 0,
            pending_count: 0,
            kept_count: 0,
            offers_kept_bytes: 0,
            pending_places: Places::new(PLACES_FREE, QUERIES_PENDING_MAX - PLACES_FREE),
            kept_places: Places::new(PLACES_FREE, ECHOES_KEPT_MAX - PLACES_FREE),
        }
    }
}

impl Flood {
    // ---- copies come ----

    /// Judges a copy of a query, and remembers it: rules 4 to 10 of the table in docs/PROTOCOL.md. It is looked up here,
    /// and never again.
    pub(super) fn admit(&mut self, now: Time, arrival: &Arrival, judging: Judging) -> Admission {
        for entry in self.seen.forget_old(now) {
            // A shell that was held up for long may bring a query before the deadline it is late for.
            self.let_go(&entry);
        }
        let ask = judging.secret.hash(&arrival.query.ask);
        match arrival.asker {
            Asker::Client { link } => self.admit_request(now, link, &arrival.query, ask, judging.secret),
            Asker::Neighbor { link, .. } => self.admit_copy(now, link, arrival, ask, judging.forward_once),
            Asker::Gone { .. } => Admission::Refused,
        }
    }

    fn admit_request(&mut self, now: Time, link: LinkId, query: &Query, ask: u64, secret: Secret) -> Admission {
        let id = query.id();
        self.close_own(now);
        if let Some(place) = self.seen.find(id)
            && let Some(entry) = self.seen.get(place)
        {
            let is_of_this_link = entry.first_link == Some(link) && matches!(entry.holder, Holder::Own { .. });
            if is_of_this_link && entry.ask == ask {
                return Admission::Duplicate(place);
            }
            // A client that has come anew may count from zero, as its former self did.
            if is_of_this_link || !query.client.dialect.manners().counts_from_zero {
                return Admission::Contradicts;
            }
            self.forget_former(place);
        }
        self.queries_count += 1;
        if !self.own.has_number() {
            return Admission::Refused;
        }
        let mark = self.own.next_mark(now, secret);
        let new = NewQuery { id, ask, since: now, link: Some(link), bringer: Bringer::Own, ttl: query.ttl };
        match self.seen.remember_own(new, mark.number) {
            Ok(place) => {
                self.own.push(now, mark, place);
                Admission::New(place)
            }
            Err(_) => Admission::Refused,
        }
    }

    fn admit_copy(&mut self, now: Time, link: LinkId, arrival: &Arrival, ask: u64, forward_once: bool) -> Admission {
        let Arrival { query, ttl, .. } = arrival;
        let id = query.id();
        let mut contact = None;
        if let Some(mark) = query.contact {
            if self.own.is_named(mark.name) {
                // Nobody is believed about our own numbers.
                return match self.seen.find(id) {
                    Some(place) => self.judge_known(place, arrival, ask, forward_once),
                    None if mark.number < self.own.open_from() => Admission::Spoilt,
                    None => Admission::Contradicts,
                };
            }
            contact = self.seen.contact(mark.name);
            if let Some(contact) = contact {
                let open_from = self.seen.on_heard(contact, mark.open_from);
                for entry in self.seen.close(contact) {
                    self.give_up_entry(entry);
                }
                if mark.number < open_from {
                    return Admission::Spoilt;
                }
            }
        }
        if let Some(place) = self.seen.find(id) {
            return self.judge_known(place, arrival, ask, forward_once);
        }
        if let (Some(contact), Some(mark)) = (contact, query.contact)
            && self.seen.numbered(contact, mark.number).is_some()
        {
            return Admission::NumberTaken;
        }
        self.queries_count += 1;
        let bringer = Bringer::Neighbor { link, hops: query.hops };
        let new = NewQuery { id, ask, since: now, link: Some(link), bringer, ttl: *ttl };
        let remembered = match query.contact {
            Some(mark) => self.seen.remember(new, mark),
            None => self.seen.remember_by_age(new),
        };
        match remembered {
            Ok(place) => Admission::New(place),
            Err(NoRoom::Full) => Admission::Refused,
            Err(NoRoom::OverShare) => Admission::OverShare,
        }
    }

    /// What a neighbor's copy of a query is whose id is known.
    fn judge_known(&mut self, place: QueryPlace, arrival: &Arrival, ask: u64, forward_once: bool) -> Admission {
        let Arrival { asker, ref query, ttl } = *arrival;
        let Some(entry) = self.seen.get(place) else { return Admission::Contradicts };
        let held = match entry.holder {
            Holder::Own { number } => self.own.mark_of(number),
            Holder::Contact { place, number } => self.seen.mark_of(place, number),
            Holder::Age => None,
        };
        let is_another = |held: ContactMark, mark: ContactMark| held.name != mark.name || held.number != mark.number;
        let contradicts = entry.ask != ask
            || held.zip(query.contact).is_some_and(|(held, mark)| is_another(held, mark))
            // Nobody has more TTL of what we gave than we gave.
            || ttl > entry.ttl && matches!(entry.holder, Holder::Own { .. });
        if contradicts {
            return Admission::Contradicts;
        }
        // That it came without a contact may be known to nobody who waits.
        let came_silently = held.is_none() && query.contact.is_some();
        let Some(entry) = self.seen.get_mut(place) else { return Admission::Contradicts };
        if ttl > entry.ttl && !forward_once {
            entry.ttl = ttl;
            return if came_silently { Admission::MoreTtlThanSilent(place) } else { Admission::MoreTtl(place) };
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
            None if came_silently => Admission::HeardSilently(place),
            None => Admission::Duplicate(place),
        }
    }

    /// What the copies of a query carry of its contact, as far as that is known here.
    pub(super) fn mark_of(&self, place: QueryPlace) -> Option<ContactMark> {
        match self.seen.get(place)?.holder {
            Holder::Own { number } => self.own.mark_of(number),
            Holder::Contact { place, number } => self.seen.mark_of(place, number),
            Holder::Age => None,
        }
    }

    /// How a query came first, for the log.
    pub(super) fn first_copy(&self, place: QueryPlace) -> Option<First> {
        let entry = self.seen.get(place)?;
        let first = entry.passes.iter().find(|pass| pass.came == entry.since);
        Some(First { asker: first.map(|pass| pass.asker), ttl: first.map_or(entry.ttl, |pass| pass.ttl) })
    }

    /// Takes what came of passes that were given up because their query was closed.
    pub(super) fn take_given_up(&mut self) -> Vec<CopyReport> {
        std::mem::take(&mut self.given_up)
    }

    // ---- queries of our own clients ----

    /// How many more clients may ask now, where each of so many may have one request that is not put off.
    pub(super) fn room(&mut self, now: Time, clients_count: usize) -> usize {
        self.close_own(now);
        self.own.room(now, clients_count)
    }

    /// When there is more room at the latest.
    pub(super) fn room_deadline(&self, clients_count: usize) -> Time {
        self.own.deadline(clients_count)
    }

    /// Forgets what our own clients asked and is not open any more.
    fn close_own(&mut self, now: Time) {
        while let Some(place) = self.own.pop_over(now) {
            if let Some(entry) = self.seen.remove(place) {
                self.let_go(&entry);
            }
        }
    }

    /// Forgets what a client asked before it came anew: it counts from zero. Copies of it may still be under way.
    fn forget_former(&mut self, place: QueryPlace) {
        if let Some(entry) = self.seen.remove(place) {
            self.let_go(&entry);
        }
    }

    // ---- copies go ----

    /// Passes a query on that was admitted: rules 11 to 14 of the table. `query` is as it may be passed on; `tally` is
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
            self.seen.set_stopped(place, true);
            false
        } else if !self.pending_places.has_room(bringer) {
            log::debug!(
                target: QUERY_LOG,
                "{id} not passed on: {QUERIES_PENDING_MAX} pending are the most, and shared among the neighbors"
            );
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
            self.keep(place, pass, bringer);
            return Passing::Finished(report);
        }
        let until = now + patience(&query);
        query.ttl = query.ttl.saturating_sub(1);
        query.hops = query.hops.saturating_add(1);
        let query = Arc::new(query);
        let Recipients { links, echoing, .. } = to;
        if echoing.is_empty() {
            self.keep(place, pass, bringer);
            return Passing::On { query, links, finished: Some(report) };
        }
        pass.awaited = echoing;
        self.begin(place, pass, bringer, until, &query);
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
        let is_last = pass.awaited.is_empty();
        if echo.tally.spoilt > 0
            && let Some(SeenQuery { holder: Holder::Own { number }, .. }) = self.seen.get(place)
        {
            self.own.on_spoilt(*number);
        }
        // Most echoes are not the last: nothing has finished.
        if is_last { self.finish_unless_awaiting(place, ttl) } else { None }
    }

    /// A link is gone. What was awaited from a neighbor is awaited for as long as it would have been, if it may come
    /// back; what it awaited from us is kept as long.
    pub(super) fn on_closed(&mut self, link: LinkId, speaker: Option<Speaker>, parting: Parting) -> Vec<CopyReport> {
        // What a client asked goes on without it: its neighbors' echoes find nobody to tell, and that is all.
        let Some(Speaker::Neighbor(identity)) = speaker else { return Vec::new() };
        let returns = identity.filter(|_| parting == Parting::ForNow);
        self.seen.on_closed(link);
        self.pending_places.on_closed(link);
        self.kept_places.on_closed(link);
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

    /// A neighbor came, over this link.
    pub(super) fn on_neighbor(&mut self, link: LinkId) {
        self.seen.on_linked(link);
        self.pending_places.on_linked(link);
        self.kept_places.on_linked(link);
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
                // What an echo told of may be anything.
                pass.tally.copies = pass.tally.copies.saturating_add(1);
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
        if self.deadline() > now {
            return Vec::new();
        }
        self.close_own(now);
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

    /// A beat of the neighbors is over: contacts that were quiet for too long are forgotten, and what is over or old goes though
    /// nothing more is asked.
    pub(super) fn on_beat(&mut self, now: Time) {
        self.close_own(now);
        for entry in self.seen.forget_old(now) {
            self.let_go(&entry);
        }
        for entry in self.seen.on_beat() {
            self.give_up_entry(entry);
        }
    }

    /// Gives up everything that is awaited.
    pub(super) fn give_up_all(&mut self) -> Vec<CopyReport> {
        let passes = self.passes_where(|pass| !pass.is_finished);
        passes.into_iter().filter_map(|(place, ttl)| self.give_up(place, ttl)).collect()
    }

    pub(super) fn deadline(&self) -> Time {
        self.looks.peek().map_or(Time::NEVER, |Reverse((look, ..))| *look)
    }

    // ---- what they say of themselves ----

    /// Whether anything is remembered that goes at a beat.
    pub(super) fn is_to_forget(&self) -> bool {
        self.held_count() + self.by_age_count() + self.contacts_count() + self.own_open_count() > 0
    }

    pub(super) fn held_count(&self) -> usize {
        self.seen.held_count()
    }

    pub(super) fn by_age_count(&self) -> usize {
        self.seen.by_age_count()
    }

    pub(super) fn contacts_count(&self) -> usize {
        self.seen.contacts_count()
    }

    pub(super) fn own_open_count(&self) -> usize {
        self.own.open_count()
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

    /// How many links it is noted of what they have of what is shared.
    pub(super) fn sharing_count(&self) -> usize {
        self.seen.links_count().max(self.pending_places.links_count()).max(self.kept_places.links_count())
    }

    pub(super) fn fingerprint(&self) -> u64 {
        self.seen.fingerprint() ^ (self.pending_count as u64) << 32
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let looks = self.looks.capacity() * size_of::<Reverse<(Time, QueryPlace, u8)>>();
        let places = self.pending_places.memory_bytes() + self.kept_places.memory_bytes();
        let own = self.own.memory_bytes();
        size_of_val(self) + self.seen.memory_bytes() + own + places + looks + self.offers_kept_bytes
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
    fn begin(&mut self, place: QueryPlace, mut pass: Pass, bringer: Bringer, until: Time, query: &Arc<Query>) {
        let bytes = query.bytes_count();
        if self.offers_kept_bytes + bytes <= OFFERS_KEPT_BYTES_MAX {
            self.offers_kept_bytes += bytes;
            pass.offer = Some(Arc::clone(query));
        }
        self.pending_count += 1;
        pass.place = Some(self.pending_places.take(bringer));
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
        let id = self.seen.get(place)?.id;
        let pass = self.seen.pass_mut(place, ttl)?;
        if pass.is_finished || !pass.awaited.is_empty() || pass.absent_count() > 0 {
            return None;
        }
        let report = CopyReport { asker: pass.asker, id, tally: pass.tally };
        pass.is_finished = true;
        // It may be kept for a while, and many may be.
        pass.awaited = Vec::new();
        pass.absent.clear();
        let offer = pass.offer.take();
        let taken = pass.place.take();
        self.on_not_pending(offer.as_deref(), taken);
        let kept = taken.and_then(|taken| self.take_kept_place(place, report.asker, taken.bringer()));
        match (kept, self.seen.pass_mut(place, ttl)) {
            (Some(kept), Some(pass)) => pass.place = Some(kept),
            _ => drop(self.seen.remove_pass(place, ttl)),
        }
        self.on_over(place, &report.tally);
        Some(report)
    }

    /// Keeps the echo of a pass that finished as it began.
    fn keep(&mut self, place: QueryPlace, mut pass: Pass, bringer: Bringer) {
        self.on_over(place, &pass.tally);
        if let Some(kept) = self.take_kept_place(place, pass.asker, bringer) {
            let (until, ttl) = (pass.came + ECHO_WAIT_MAX, pass.ttl);
            pass.is_finished = true;
            pass.place = Some(kept);
            self.seen.add_pass(place, pass);
            self.look_at(until, place, ttl);
        }
    }

    /// The flood of a query is over here. Where a client of ours asked it, it is over everywhere.
    fn on_over(&mut self, place: QueryPlace, tally: &Tally) {
        if let Some(SeenQuery { holder: Holder::Own { number }, .. }) = self.seen.get(place) {
            self.own.on_over(*number, tally);
        }
    }

    /// Takes a place for the echo of a pass to be kept in. None when there is none left, which is noted, and when
    /// there is nobody to keep it for: whoever does not say who it is cannot be known again.
    fn take_kept_place(&mut self, place: QueryPlace, asker: Asker, bringer: Bringer) -> Option<places::TakenPlace> {
        // Whoever brought it may have gone, or come over another link since.
        let bringer = bringer.now_at(asker.link());
        let has_room = self.kept_places.has_room(bringer);
        if !has_room {
            self.seen.set_echo_forgotten(place);
        }
        if !has_room || asker.identity().is_none() {
            return None;
        }
        self.kept_count += 1;
        Some(self.kept_places.take(bringer))
    }

    /// Gives up what is awaited of a query that is closed. Whoever waits will be told.
    fn give_up_entry(&mut self, mut entry: SeenQuery) {
        for pass in entry.passes.iter_mut().filter(|pass| !pass.is_finished) {
            pass.tally.add_lost(pass.awaited.len() + pass.absent_count());
            self.given_up.push(CopyReport { asker: pass.asker, id: entry.id, tally: pass.tally });
        }
        self.let_go(&entry);
    }

    /// Counts out whatever was kept of a query that is remembered no more.
    fn let_go(&mut self, entry: &SeenQuery) {
        if let Holder::Own { number } = entry.holder
            && entry.passes.iter().any(|pass| !pass.is_finished)
        {
            self.own.on_over(number, &Tally { lost: 1, ..Tally::default() });
        }
        entry.passes.iter().for_each(|pass| self.drop_pass(pass));
    }

    /// Counts a pass out.
    fn drop_pass(&mut self, pass: &Pass) {
        if pass.is_finished {
            self.kept_count -= 1;
            if let Some(taken) = pass.place {
                self.kept_places.give_back(taken);
            }
        } else {
            self.on_not_pending(pass.offer.as_deref(), pass.place);
        }
    }

    /// A pass is pending no more.
    fn on_not_pending(&mut self, offer: Option<&Query>, taken: Option<places::TakenPlace>) {
        self.pending_count -= 1;
        if let Some(offer) = offer {
            self.offers_kept_bytes -= offer.bytes_count();
        }
        if let Some(taken) = taken {
            self.pending_places.give_back(taken);
        }
    }
}
