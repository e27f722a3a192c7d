//! What is remembered of queries: the entries, with the passes that stand in them, and how much of it there is.
//!
//! Whatever goes with an entry goes here: places that were taken, what waits for an echo, the number it is open under.
//! What a copy is beside what is remembered is judged in `judging`; whom it is passed on to, and when what is awaited is
//! given up, is `flood`'s.

use std::sync::Arc;

use super::arrival::Asker;
use super::contacts::ContactPlace;
use super::outgoing::Outgoing;
use super::own::Own;
use super::pass::{CopyReport, Pass};
use super::places::{Bringer, Places, TakenPlace};
use super::routes::Routes;
use super::seen::{KeptBy, SeenQuery, SeenSet};
use super::slots::QueryPlace;
use crate::limits::{ECHOES_KEPT_MAX, OFFERS_KEPT_BYTES_MAX, PLACES_FREE, QUERIES_PENDING_MAX};
use crate::link::LinkId;
use crate::on_demand::OnDemand;
use crate::overlay::copy_name::CopyName;
use crate::query::{BroughtAnswer, ContactMark, ContactName, Query, Tally};
use crate::time::Time;

#[derive(Debug)]
pub(super) struct Memory {
    pub(super) seen: SeenSet,
    /// Only contacts have it.
    pub(super) own: OnDemand<Own>,
    pub(super) routes: OnDemand<Routes>,
    /// What came of passes whose query was closed, until somebody is told.
    given_up: Vec<CopyReport>,
    /// Queries that were new, ever.
    pub(super) queries_count: u64,
    pending_count: usize,
    kept_count: usize,
    offers_kept_bytes: usize,
    /// How much of that are answers.
    brought_kept_bytes: usize,
    pending_places: Places,
    kept_places: Places,
}

impl Default for Memory {
    fn default() -> Memory {
        Memory {
            seen: SeenSet::default(),
            own: OnDemand::default(),
            routes: OnDemand::default(),
            given_up: Vec::new(),
            queries_count: 0,
            pending_count: 0,
            kept_count: 0,
            offers_kept_bytes: 0,
            brought_kept_bytes: 0,
            pending_places: Places::new(PLACES_FREE, QUERIES_PENDING_MAX - PLACES_FREE),
            kept_places: Places::new(PLACES_FREE, ECHOES_KEPT_MAX - PLACES_FREE),
        }
    }
}

impl Memory {
    // ---- what makes entries go ----

    /// Forgets what our own clients asked and is not open any more.
    pub(super) fn close_own(&mut self, now: Time) {
        while let Some(place) = self.own.get_mut().and_then(|own| own.pop_over(now)) {
            self.forget(place);
        }
    }

    /// Forgets one query.
    pub(super) fn forget(&mut self, place: QueryPlace) {
        if let Some(entry) = self.seen.remove(place) {
            self.let_go(entry);
        }
    }

    /// Forgets what a contact has open no more.
    pub(super) fn close(&mut self, contact: ContactPlace) {
        for entry in self.seen.close(contact) {
            self.let_go(entry);
        }
    }

    /// Forgets what goes by its age, and is old enough.
    pub(super) fn forget_old(&mut self, now: Time) {
        for entry in self.seen.forget_old(now) {
            self.let_go(entry);
        }
    }

    /// A beat is over: contacts that were quiet for too long are forgotten, with all they have open.
    pub(super) fn on_beat(&mut self) {
        for entry in self.seen.on_beat() {
            self.let_go(entry);
        }
    }

    /// Takes what came of passes that were given up because their query was closed.
    pub(super) fn take_given_up(&mut self) -> Vec<CopyReport> {
        std::mem::take(&mut self.given_up)
    }

    /// Counts out whatever was kept of a query that is remembered no more. What is awaited of it is given up, and whoever
    /// waits will be told.
    fn let_go(&mut self, mut entry: SeenQuery) {
        for pass in entry.passes.iter_mut().filter(|pass| !pass.is_finished) {
            pass.tally.add_lost(pass.awaited_count());
            self.given_up.push(CopyReport { asker: pass.asker, id: entry.id, tally: pass.tally });
            if let (KeptBy::Own { number }, Some(own)) = (entry.kept_by, self.own.get_mut()) {
                own.on_over(number, &pass.tally);
            }
        }
        entry.passes.iter().for_each(|pass| self.drop_pass(pass));
    }

    // ---- passes ----

    /// Whether one more that this one brings may wait for echoes.
    pub(super) fn has_room_to_wait(&self, bringer: Bringer) -> bool {
        self.pending_places.has_room(bringer)
    }

    /// Adds a pass whose echoes are awaited.
    pub(super) fn begin(&mut self, place: QueryPlace, mut pass: Pass, bringer: Bringer, query: &Arc<Query>) {
        let bytes = query.bytes_count();
        if self.offers_kept_bytes + bytes <= OFFERS_KEPT_BYTES_MAX {
            self.offers_kept_bytes += bytes;
            pass.offer = Some(Arc::clone(query));
        }
        self.pending_count += 1;
        pass.place = Some(self.pending_places.take(bringer));
        self.seen.add_pass(place, pass);
    }

    /// Keeps the echo of a pass that finished as it began, if it can be kept.
    pub(super) fn keep(&mut self, now: Time, place: QueryPlace, mut pass: Pass, bringer: Bringer) -> bool {
        if pass.is_answered_later() {
            self.keep_route(now, place, pass.ttl, pass.asker, std::mem::take(&mut pass.out));
        }
        self.on_over(place, &pass.tally);
        let Some(kept) = self.take_kept_place(place, pass.asker, bringer) else { return false };
        pass.is_finished = true;
        pass.place = Some(kept);
        self.seen.add_pass(place, pass);
        true
    }

    /// Finishes a pass of which nothing is awaited any more. Its echo is kept; when it will be forgotten, the look that
    /// is due anyway finds out.
    pub(super) fn finish_unless_awaiting(&mut self, now: Time, place: QueryPlace, ttl: u8) -> Option<CopyReport> {
        let id = self.seen.get(place)?.id;
        let pass = self.seen.pass_mut(place, ttl)?;
        if pass.is_finished || pass.awaited_count() > 0 {
            return None;
        }
        let report = CopyReport { asker: pass.asker, id, tally: pass.tally };
        pass.is_finished = true;
        // It may be kept for a while, and many may be.
        let out = std::mem::take(&mut pass.out);
        pass.absent.clear();
        let offer = pass.offer.take();
        let taken = pass.place.take();
        if pass.is_answered_later() {
            self.keep_route(now, place, ttl, report.asker, out);
        }
        self.on_not_pending(offer.as_deref(), taken);
        let kept = taken.and_then(|taken| self.take_kept_place(place, report.asker, taken.bringer()));
        match (kept, self.seen.pass_mut(place, ttl)) {
            (Some(kept), Some(pass)) => pass.place = Some(kept),
            _ => {
                if let Some(gone) = self.seen.remove_pass(place, ttl) {
                    self.on_brought_dropped(&gone);
                }
            }
        }
        self.on_over(place, &report.tally);
        Some(report)
    }

    // ---- answers that go back ----

    /// Where a query is remembered that goes by this number of a contact.
    pub(super) fn find_numbered(&self, name: ContactName, number: u64) -> Option<QueryPlace> {
        if let Some(own) = self.own.get().filter(|own| own.is_named(name)) {
            return own.place_of(name, number);
        }
        self.seen.numbered(self.seen.contact(name)?, number)
    }

    /// Keeps the way of answers to a copy that is about to be echoed.
    fn keep_route(&mut self, now: Time, place: QueryPlace, ttl: u8, asker: Asker, out: Outgoing) {
        // What a client of ours asked is answered later by nobody where nobody else was asked.
        if matches!(asker, Asker::Client { .. }) && out.is_empty() {
            return;
        }
        let Some(entry) = self.seen.get(place) else { return };
        let Some(mark) = self.mark_of(entry) else { return };
        let copy = CopyName { contact: mark.name, number: mark.number, ttl };
        let id = entry.id;
        self.routes.make().keep(now, copy, asker, id, out);
    }

    /// Forgets the ways that were kept for long enough.
    pub(super) fn forget_old_routes(&mut self, now: Time) {
        if let Some(routes) = self.routes.get_mut() {
            routes.forget_old(now);
            // What was kept once may have been much.
            if routes.len() == 0 {
                self.routes.clear();
            }
        }
    }

    pub(super) fn routes_count(&self) -> usize {
        self.routes.get().map_or(0, Routes::len)
    }

    /// Keeps an answer that goes back for a copy, as long as whoever sent it may come back and ask for it again. False where
    /// there is no room, which is noted.
    pub(super) fn keep_brought(&mut self, place: QueryPlace, ttl: u8, answer: &Arc<BroughtAnswer>) -> bool {
        // Half of what is kept is for queries, which every fallen link would lose otherwise.
        let room = (OFFERS_KEPT_BYTES_MAX / 2)
            .saturating_sub(self.brought_kept_bytes)
            .min(OFFERS_KEPT_BYTES_MAX - self.offers_kept_bytes);
        let Some(pass) = self.seen.pass_mut(place, ttl).filter(|pass| pass.asker.identity().is_some()) else {
            return false;
        };
        let bytes_count = answer.bytes_count();
        let brought = pass.brought.make();
        if bytes_count > room {
            brought.unkept_count += 1;
            return false;
        }
        brought.answers.push(Arc::clone(answer));
        brought.bytes_count += bytes_count;
        self.offers_kept_bytes += bytes_count;
        self.brought_kept_bytes += bytes_count;
        true
    }

    // ---- passes go ----

    /// Forgets a pass, and what came of it.
    pub(super) fn forget_pass(&mut self, place: QueryPlace, ttl: u8) {
        if let Some(pass) = self.seen.remove_pass(place, ttl) {
            self.drop_pass(&pass);
        }
    }

    /// An echo told of copies of this query that were taken for given up.
    pub(super) fn on_spoilt(&mut self, place: QueryPlace) {
        if let Some(number) = self.own_number(place)
            && let Some(own) = self.own.get_mut()
        {
            own.on_spoilt(number);
        }
    }

    /// The flood of a query is over here. Where a client of ours asked it, it is over everywhere.
    fn on_over(&mut self, place: QueryPlace, tally: &Tally) {
        if let Some(number) = self.own_number(place)
            && let Some(own) = self.own.get_mut()
        {
            own.on_over(number, tally);
        }
    }

    /// The number of a query that a client of ours asked.
    fn own_number(&self, place: QueryPlace) -> Option<u64> {
        match self.seen.get(place)?.kept_by {
            KeptBy::Own { number } => Some(number),
            KeptBy::Contact { .. } | KeptBy::Age => None,
        }
    }

    /// Takes a place for the echo of a pass to be kept in. None when there is none left, which is noted, and when
    /// there is nobody to keep it for: whoever does not say who it is cannot be known again.
    fn take_kept_place(&mut self, place: QueryPlace, asker: Asker, bringer: Bringer) -> Option<TakenPlace> {
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

    /// The answers that were kept with a pass are kept no more.
    fn on_brought_dropped(&mut self, pass: &Pass) {
        let bytes_count = pass.brought_bytes_count();
        self.offers_kept_bytes -= bytes_count;
        self.brought_kept_bytes -= bytes_count;
    }

    /// Counts a pass out.
    fn drop_pass(&mut self, pass: &Pass) {
        self.on_brought_dropped(pass);
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
    fn on_not_pending(&mut self, offer: Option<&Query>, taken: Option<TakenPlace>) {
        self.pending_count -= 1;
        if let Some(offer) = offer {
            self.offers_kept_bytes -= offer.bytes_count();
        }
        if let Some(taken) = taken {
            self.pending_places.give_back(taken);
        }
    }

    // ---- neighbors come and go ----

    /// A neighbor came, over this link.
    pub(super) fn on_linked(&mut self, link: LinkId) {
        self.seen.on_linked(link);
        self.pending_places.on_linked(link);
        self.kept_places.on_linked(link);
    }

    /// A link is gone.
    pub(super) fn on_closed(&mut self, link: LinkId) {
        self.seen.on_closed(link);
        self.pending_places.on_closed(link);
        self.kept_places.on_closed(link);
    }

    // ---- what it says of itself ----

    /// What the copies of a query carry of its contact, as far as that is known here.
    pub(super) fn mark_of(&self, entry: &SeenQuery) -> Option<ContactMark> {
        match entry.kept_by {
            KeptBy::Own { number } => self.own.get()?.mark_of(number),
            KeptBy::Contact { place, number } => self.seen.mark_of(place, number),
            KeptBy::Age => None,
        }
    }

    pub(super) fn pending_count(&self) -> usize {
        self.pending_count
    }

    /// How many passes there are, pending or kept.
    pub(super) fn passes_count(&self) -> usize {
        self.pending_count + self.kept_count
    }

    pub(super) fn kept_count(&self) -> usize {
        self.kept_count
    }

    pub(super) fn offers_kept_bytes(&self) -> usize {
        self.offers_kept_bytes
    }

    /// How many links it is noted of what they have of what is shared.
    pub(super) fn sharing_count(&self) -> usize {
        self.seen.links_count().max(self.pending_places.links_count()).max(self.kept_places.links_count())
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let places = self.pending_places.memory_bytes() + self.kept_places.memory_bytes();
        let routes = self.routes.get().map_or(0, |routes| size_of::<Routes>() + routes.memory_bytes());
        let own = self.own.get().map_or(0, |own| size_of::<Own>() + own.memory_bytes());
        self.seen.memory_bytes() + own + routes + places + self.offers_kept_bytes
    }
}
