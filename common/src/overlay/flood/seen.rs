//! What is remembered of queries: the seen set, found by query id, and what makes an entry go.
//!
//! An entry goes when its contact says that the query is no longer open (`contacts`), when this servent itself is the
//! contact and knows it (`own`), or, where no contact is named, when it is old. It finds and forgets; what a copy of a
//! known query is good for is judged in `judging`, and what else goes with an entry goes in `memory`.

use std::collections::VecDeque;

use super::contacts::{ContactPlace, Contacts};
use super::pass::Pass;
use super::places::{Bringer, NoRoom, Places, TakenPlace};
use super::slots::{Called, QueryPlace, Slots};
use crate::limits::{
    CONTACT_PLACES, CONTACTS_MAX, OWN_PENDING_MAX, PLACES_FREE, SEEN_IDS_MAX, SEEN_TP3_AGE_MAX, SEEN_TP3_IDS_MAX,
};
use crate::link::LinkId;
use crate::query::{ContactMark, ContactName, QueryId};
use crate::time::Time;

/// Who says how long a query is to be remembered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum KeptBy {
    /// This servent, whose client asked it, under this number.
    Own { number: u64 },
    /// Another contact, under this number.
    Contact { place: ContactPlace, number: u64 },
    /// Nobody: it came without a contact, and goes when it is old.
    Age,
}

#[derive(Debug)]
pub(super) struct SeenQuery {
    pub(super) id: QueryId,
    /// As in its [`QueryPlace`].
    life: u32,
    /// A keyed hash of what was asked.
    pub(super) ask: u64,
    pub(super) kept_by: KeptBy,
    pub(super) since: Time,
    /// The link it came over first.
    pub(super) first_link: Option<LinkId>,
    /// The highest TTL it came with.
    pub(super) ttl: u8,
    /// Whether this servent was counted as one where the TTL ended it.
    is_stopped: bool,
    /// Whether the echo of a copy was not kept.
    pub(super) is_echo_forgotten: bool,
    /// Whether a copy came whose answers go back. Then those of all others do.
    pub(super) is_back: bool,
    /// What it takes of what is shared; nothing where the contact has places of its own.
    place: Option<TakenPlace>,
    /// The copies whose echoes are awaited or kept; seldom more than one.
    pub(super) passes: Vec<Pass>,
}

impl Called for SeenQuery {
    type Name = QueryId;

    fn name(&self) -> &QueryId {
        &self.id
    }
}

/// What is to be remembered.
#[derive(Clone, Copy, Debug)]
pub(super) struct NewQuery {
    pub(super) id: QueryId,
    pub(super) ask: u64,
    pub(super) since: Time,
    pub(super) link: Option<LinkId>,
    pub(super) bringer: Bringer,
    pub(super) ttl: u8,
    pub(super) is_back: bool,
}

#[derive(Debug)]
pub(super) struct SeenSet {
    entries: Slots<SeenQuery>,
    /// How many were remembered, ever. A place is good for one of them: before as many come as can be counted here, nobody
    /// knows it any more.
    lives: u32,
    contacts: Contacts,
    /// Those that go by their age, in the order in which they came. One that went before keeps its place until then.
    by_age: VecDeque<(Time, QueryPlace, TakenPlace)>,
    /// How many of those are still there.
    there_by_age: usize,
    /// What is left of what entries with a contact may take.
    places: Places,
    /// The same for those that go by their age.
    places_by_age: Places,
}

impl Default for SeenSet {
    fn default() -> SeenSet {
        const SHARED: usize = SEEN_IDS_MAX - PLACES_FREE - CONTACT_PLACES * CONTACTS_MAX;
        SeenSet {
            entries: Slots::default(),
            lives: 0,
            contacts: Contacts::default(),
            by_age: VecDeque::new(),
            there_by_age: 0,
            places: Places::new(PLACES_FREE, SHARED),
            places_by_age: Places::new(PLACES_FREE, SEEN_TP3_IDS_MAX - PLACES_FREE),
        }
    }
}

impl SeenSet {
    // ---- entries ----

    /// How many are remembered that a contact keeps open.
    pub(super) fn held_count(&self) -> usize {
        self.entries.len() - self.there_by_age
    }

    /// How many go by their age. Those forgotten before take their place until they are old.
    pub(super) fn by_age_count(&self) -> usize {
        self.by_age.len()
    }

    pub(super) fn contacts_count(&self) -> usize {
        self.contacts.len()
    }

    /// How many links something is noted of, in the table that has most of them.
    pub(super) fn links_count(&self) -> usize {
        let Places3(all) = self.all_places();
        all.into_iter().map(Places::links_count).max().unwrap_or_default()
    }

    pub(super) fn find(&self, id: QueryId) -> Option<QueryPlace> {
        let slot = self.entries.find(&id)?;
        Some(QueryPlace { slot, life: self.entries.get(slot)?.life })
    }

    pub(super) fn get(&self, place: QueryPlace) -> Option<&SeenQuery> {
        self.entries.get(place.slot).filter(|entry| entry.life == place.life)
    }

    pub(super) fn get_mut(&mut self, place: QueryPlace) -> Option<&mut SeenQuery> {
        self.entries.get_mut(place.slot).filter(|entry| entry.life == place.life)
    }

    /// Remembers what a client of ours asked, until it is forgotten.
    pub(super) fn remember_own(&mut self, query: NewQuery, number: u64) -> Result<QueryPlace, NoRoom> {
        if !self.places.has_room(Bringer::Own) {
            return Err(NoRoom::Full);
        }
        let place = self.places.take(Bringer::Own);
        Ok(self.insert(query, KeptBy::Own { number }, Some(place)))
    }

    /// Remembers a query for as long as its contact keeps it open.
    pub(super) fn remember(&mut self, query: NewQuery, mark: ContactMark) -> Result<QueryPlace, NoRoom> {
        let contact = match self.contacts.find(mark.name) {
            Some(contact) => contact,
            None => self.contacts.insert(mark, query.bringer)?,
        };
        let held_count = self.contacts.held_count(contact);
        let place = if held_count < CONTACT_PLACES {
            None
        } else if !self.places.has_room(query.bringer) {
            return Err(if self.places.are_full() { NoRoom::Full } else { NoRoom::OverShare });
        } else if !self.places.has_room_beside(held_count) {
            return Err(if held_count > OWN_PENDING_MAX { NoRoom::OverContactShare } else { NoRoom::OverShare });
        } else {
            Some(self.places.take(query.bringer))
        };
        let place = self.insert(query, KeptBy::Contact { place: contact, number: mark.number }, place);
        self.contacts.hold(contact, mark.number, place);
        Ok(place)
    }

    /// Remembers a query for as long as one is that names no contact.
    pub(super) fn remember_by_age(&mut self, query: NewQuery) -> Result<QueryPlace, NoRoom> {
        if !self.places_by_age.has_room(query.bringer) {
            let is_full = self.places_by_age.are_full();
            return Err(if is_full { NoRoom::Full } else { NoRoom::OverShare });
        }
        let taken = self.places_by_age.take(query.bringer);
        let place = self.insert(query, KeptBy::Age, None);
        self.there_by_age += 1;
        self.by_age.push_back((query.since, place, taken));
        Ok(place)
    }

    fn insert(&mut self, query: NewQuery, kept_by: KeptBy, place: Option<TakenPlace>) -> QueryPlace {
        let NewQuery { id, ask, since, link, ttl, is_back, bringer: _ } = query;
        let life = self.lives;
        self.lives = life.wrapping_add(1);
        let entry = SeenQuery {
            id,
            life,
            ask,
            kept_by,
            since,
            first_link: link,
            ttl,
            is_stopped: false,
            is_echo_forgotten: false,
            is_back,
            place,
            passes: Vec::new(),
        };
        QueryPlace { slot: self.entries.insert(entry), life }
    }

    /// Forgets one, and gives it.
    pub(super) fn remove(&mut self, place: QueryPlace) -> Option<SeenQuery> {
        self.get(place)?;
        let entry = self.entries.remove(place.slot)?;
        if entry.kept_by == KeptBy::Age {
            self.there_by_age -= 1;
        }
        if let Some(taken) = entry.place {
            self.places.give_back(taken);
        }
        Some(entry)
    }

    // ---- what makes them go ----

    /// Where a contact is remembered that was heard of.
    pub(super) fn contact(&self, name: ContactName) -> Option<ContactPlace> {
        self.contacts.find(name)
    }

    /// A contact was heard of: below this number nothing is open there. Gives the number below which nothing is.
    pub(super) fn on_heard(&mut self, contact: ContactPlace, open_from: u64) -> u64 {
        self.contacts.on_heard(contact, open_from)
    }

    /// Which query a contact has under a number.
    pub(super) fn numbered(&self, contact: ContactPlace, number: u64) -> Option<QueryPlace> {
        self.contacts.numbered(contact, number)
    }

    /// The copy's mark of a query that a contact holds, as far as is known here.
    pub(super) fn mark_of(&self, contact: ContactPlace, number: u64) -> Option<ContactMark> {
        self.contacts.mark_of(contact, number)
    }

    /// Forgets the queries that a contact has open no more, and gives them.
    pub(super) fn close(&mut self, contact: ContactPlace) -> Vec<SeenQuery> {
        // Of most copies none is closed, and then nothing is allocated.
        let closed = std::iter::from_fn(|| self.contacts.pop_closed(contact)).collect::<Vec<_>>();
        closed.into_iter().filter_map(|place| self.remove(place)).collect()
    }

    /// Time goes on, for contacts: one beat is over, however long it took. Forgets those that were quiet for too long, and
    /// gives what was remembered of their queries.
    pub(super) fn on_beat(&mut self) -> Vec<SeenQuery> {
        let forgotten = self.contacts.on_beat();
        forgotten.into_iter().filter_map(|place| self.remove(place)).collect()
    }

    /// Forgets the queries that go by their age, and are old enough, and gives them.
    pub(super) fn forget_old(&mut self, now: Time) -> Vec<SeenQuery> {
        let mut old = Vec::new();
        while let Some((since, place, taken)) = self.by_age.front().copied()
            && now.since(since) >= SEEN_TP3_AGE_MAX
        {
            self.by_age.pop_front();
            self.places_by_age.give_back(taken);
            old.extend(self.remove(place));
        }
        old
    }

    /// A neighbor came, over this link.
    pub(super) fn on_linked(&mut self, link: LinkId) {
        let SeenSet { contacts, places, places_by_age, .. } = self;
        [contacts.places_mut(), places, places_by_age].into_iter().for_each(|places| places.on_linked(link));
    }

    /// A link is gone.
    pub(super) fn on_closed(&mut self, link: LinkId) {
        let SeenSet { contacts, places, places_by_age, .. } = self;
        [contacts.places_mut(), places, places_by_age].into_iter().for_each(|places| places.on_closed(link));
    }

    // ---- passes ----

    /// Sets the mark and says what it was.
    pub(super) fn set_stopped(&mut self, place: QueryPlace, is_stopped: bool) -> bool {
        self.get_mut(place).is_some_and(|seen| std::mem::replace(&mut seen.is_stopped, is_stopped))
    }

    pub(super) fn set_echo_forgotten(&mut self, place: QueryPlace) {
        if let Some(seen) = self.get_mut(place) {
            seen.is_echo_forgotten = true;
        }
    }

    pub(super) fn pass(&self, place: QueryPlace, ttl: u8) -> Option<&Pass> {
        self.get(place)?.passes.iter().find(|pass| pass.ttl == ttl)
    }

    pub(super) fn pass_mut(&mut self, place: QueryPlace, ttl: u8) -> Option<&mut Pass> {
        self.get_mut(place)?.passes.iter_mut().find(|pass| pass.ttl == ttl)
    }

    pub(super) fn add_pass(&mut self, place: QueryPlace, pass: Pass) {
        if let Some(seen) = self.get_mut(place) {
            seen.passes.reserve_exact(1);
            seen.passes.push(pass);
        }
    }

    pub(super) fn remove_pass(&mut self, place: QueryPlace, ttl: u8) -> Option<Pass> {
        let passes = &mut self.get_mut(place)?.passes;
        let index = passes.iter().position(|pass| pass.ttl == ttl)?;
        let gone = passes.swap_remove(index);
        // What is remembered for long is to hold nothing of what there was once.
        if passes.is_empty() {
            *passes = Vec::new();
        }
        Some(gone)
    }

    // ---- what they say of themselves ----

    pub(super) fn fingerprint(&self) -> u64 {
        let Some((_, latest)) = self.entries.iter().next_back() else { return 0 };
        let passes = latest.passes.last().map_or(0, |pass| pass.tally.reached ^ (pass.out.awaited_count() as u64) << 8);
        passes ^ latest.id.sequence ^ u64::from(latest.ttl) << 56
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        let pass = |pass: &Pass| size_of_val(pass) + pass.memory_bytes();
        let passes_of = |entry: &SeenQuery| {
            let unused = entry.passes.capacity() - entry.passes.len();
            entry.passes.iter().map(pass).sum::<usize>() + unused * size_of::<Pass>()
        };
        let passes = self.entries.iter().map(|(_, entry)| passes_of(entry)).sum::<usize>();
        let by_age = self.by_age.capacity() * size_of::<(Time, QueryPlace, TakenPlace)>();
        let Places3(places) = self.all_places();
        let places = places.into_iter().map(Places::memory_bytes).sum::<usize>();
        self.entries.memory_bytes() + passes + by_age + places + self.contacts.memory_bytes()
    }

    fn all_places(&self) -> Places3<'_> {
        Places3([self.contacts.places(), &self.places, &self.places_by_age])
    }
}

/// Everything that is shared.
struct Places3<'a>([&'a Places; 3]);

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;
    use std::time::Duration;

    use super::*;

    fn id(sequence: u64) -> QueryId {
        QueryId { sequence, client: SocketAddr::from(([10, 0, 0, 1], 7000)) }
    }

    fn new_query(sequence: u64) -> NewQuery {
        let bringer = Bringer::Neighbor { link: LinkId(1), hops: 1 };
        let link = Some(LinkId(1));
        NewQuery { id: id(sequence), ask: 0, since: Time::START, link, bringer, ttl: 3, is_back: false }
    }

    fn mark(name: u64, number: u64) -> ContactMark {
        ContactMark { name: ContactName(name), number, open_from: 0 }
    }

    #[test]
    fn a_place_is_good_for_what_was_remembered_there_and_for_nothing_after_it() {
        let mut seen = SeenSet::default();
        let places = [1, 2].map(|sequence| seen.remember(new_query(sequence), mark(7, sequence)).unwrap());
        assert_eq!(seen.remove(places[0]).map(|entry| entry.id), Some(id(1)));
        let third = seen.remember_own(new_query(3), 0).unwrap();
        assert_eq!(third.slot, places[0].slot, "its slot is used again");
        assert!(seen.get(places[0]).is_none() && seen.get_mut(places[0]).is_none());
        assert!(seen.remove(places[0]).is_none());
        assert_eq!([1, 2, 3].map(|sequence| seen.find(id(sequence))), [None, Some(places[1]), Some(third)]);
        assert_eq!(seen.get(third).map(|entry| entry.kept_by), Some(KeptBy::Own { number: 0 }));
    }

    #[test]
    fn whatever_was_forgotten_before_what_is_remembered_is_found() {
        let mut seen = SeenSet::default();
        let mut remembered: Vec<(u64, QueryPlace)> = Vec::new();
        let mut sequence = 0;
        // Enough to need an index, then fewer, then more again.
        for count in [3, 4, 5, 12, 1, 0, 30, 2] {
            while remembered.len() > count {
                let (gone, place) = remembered.remove(remembered.len() / 2);
                assert_eq!(seen.remove(place).map(|entry| entry.id), Some(id(gone)));
                assert_eq!(seen.find(id(gone)), None);
            }
            while remembered.len() < count {
                sequence += 1;
                let place = match sequence % 3 {
                    0 => seen.remember_own(new_query(sequence), sequence),
                    1 => seen.remember(new_query(sequence), mark(sequence % 7, sequence)),
                    _ => seen.remember(new_query(sequence), mark(8, sequence)),
                };
                remembered.push((sequence, place.unwrap()));
            }
            assert_eq!(seen.held_count(), count);
            for (sequence, place) in &remembered {
                assert_eq!(seen.find(id(*sequence)), Some(*place));
                assert_eq!(seen.get(*place).map(|entry| entry.id), Some(id(*sequence)));
            }
        }
    }

    #[test]
    fn what_goes_by_its_age_goes_in_time_and_gives_its_place_back_then() {
        let mut seen = SeenSet::default();
        let at = |seconds| Time::START + Duration::from_secs(seconds);
        let since = |sequence| NewQuery { since: at(sequence), ..new_query(sequence) };
        let places = [1, 2, 3].map(|sequence| seen.remember_by_age(since(sequence)).unwrap());
        assert_eq!((seen.by_age_count(), seen.held_count(), seen.contacts_count()), (3, 0, 0));
        // One that goes before counts until it is old.
        assert!(seen.remove(places[0]).is_some());
        assert_eq!((seen.by_age_count(), seen.held_count()), (3, 0));
        let own = seen.remember_own(new_query(4), 0).unwrap();
        assert_eq!((seen.by_age_count(), seen.held_count()), (3, 1), "in its slot");
        assert!(seen.remove(own).is_some());
        let age = SEEN_TP3_AGE_MAX.as_secs();
        assert!(seen.forget_old(at(age)).is_empty());
        assert!(seen.forget_old(at(1 + age)).is_empty());
        assert_eq!(seen.by_age_count(), 2);
        let forgotten: Vec<QueryId> = seen.forget_old(at(9 + age)).into_iter().map(|entry| entry.id).collect();
        assert_eq!((forgotten, seen.by_age_count()), (vec![id(2), id(3)], 0));
    }

    #[test]
    fn a_contact_that_closes_or_is_quiet_takes_its_queries_with_it_and_gives_what_was_shared_back() {
        let mut seen = SeenSet::default();
        for number in 0..5 {
            seen.remember(new_query(number), mark(7, number)).unwrap();
        }
        seen.remember(new_query(9), mark(8, 0)).unwrap();
        let contact = seen.contact(ContactName(7)).unwrap();
        assert_eq!(seen.contact(ContactName(9)), None);
        assert_eq!(seen.on_heard(contact, 3), 3);
        assert_eq!(seen.on_heard(contact, 1), 3, "it does not go back");
        let ids = |entries: Vec<SeenQuery>| entries.into_iter().map(|entry| entry.id.sequence).collect::<Vec<_>>();
        assert_eq!(ids(seen.close(contact)), [0, 1, 2]);
        assert_eq!(ids(seen.close(contact)), []);
        assert_eq!((seen.numbered(contact, 2), seen.numbered(contact, 4)), (None, seen.find(id(4))));
        assert_eq!(seen.mark_of(contact, 4), Some(ContactMark { open_from: 3, ..mark(7, 4) }));
        let mut forgotten = Vec::new();
        while seen.contacts_count() > 0 {
            forgotten.extend(ids(seen.on_beat()));
        }
        assert_eq!((forgotten, seen.held_count()), (vec![3, 4, 9], 0));
    }

    #[test]
    fn what_was_stopped_is_known_until_it_is_said_again() {
        let mut seen = SeenSet::default();
        let place = seen.remember_own(new_query(1), 0).unwrap();
        assert_eq!(
            [true, true, false, false].map(|is_stopped| seen.set_stopped(place, is_stopped)),
            [false, true, true, false]
        );
        seen.remove(place);
        assert!(!seen.set_stopped(place, true) && !seen.set_stopped(place, true), "nothing is there");
    }
}
