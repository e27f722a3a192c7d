//! The contacts whose queries are remembered: what each has open, and under which numbers.
//!
//! Nothing is judged here. A contact is remembered for as long as it is heard of, and then for so many beats: time in which
//! this servent did nothing is none, because what they said meanwhile is still to be read.

use std::collections::VecDeque;

use super::places::{Bringer, NoRoom, Places, TakenPlace};
use super::slots::{Called, QueryPlace, Slots};
use crate::limits::{CONTACT_QUIET_MAX, CONTACTS_MAX, NEIGHBOR_BEAT, PLACES_FREE};
use crate::query::{ContactMark, ContactName};

/// For so many queries that it may have open a contact keeps its room.
const HELD_ROOM_MIN: usize = 16;

/// A contact is forgotten once it was quiet for so many whole beats.
#[allow(clippy::cast_possible_truncation, reason = "a hundred and twenty")]
const QUIET_BEATS: u32 = (CONTACT_QUIET_MAX.as_millis() / NEIGHBOR_BEAT.as_millis()) as u32;

/// Where a contact is remembered, as long as it is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ContactPlace(u32);

#[derive(Debug)]
struct ContactRecord {
    name: ContactName,
    /// The highest that was heard. Below it nothing is open.
    open_from: u64,
    /// The beat in which it was heard of last.
    heard: u32,
    place: TakenPlace,
    /// What is open, in the order of the numbers: most come in that order.
    held: VecDeque<(u64, QueryPlace)>,
}

impl Called for ContactRecord {
    type Name = ContactName;

    fn name(&self) -> &ContactName {
        &self.name
    }
}

#[derive(Debug)]
pub(super) struct Contacts {
    records: Slots<ContactRecord>,
    places: Places,
    beat: u32,
}

impl Default for Contacts {
    fn default() -> Contacts {
        Contacts { records: Slots::default(), places: Places::new(PLACES_FREE, CONTACTS_MAX - PLACES_FREE), beat: 0 }
    }
}

impl Contacts {
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    pub(super) fn places(&self) -> &Places {
        &self.places
    }

    pub(super) fn places_mut(&mut self) -> &mut Places {
        &mut self.places
    }

    pub(super) fn find(&self, name: ContactName) -> Option<ContactPlace> {
        self.records.find(&name).map(ContactPlace)
    }

    /// Remembers a contact that was not heard of yet.
    pub(super) fn insert(&mut self, mark: ContactMark, bringer: Bringer) -> Result<ContactPlace, NoRoom> {
        if !self.places.has_room(bringer) {
            return Err(if self.places.are_full() { NoRoom::Full } else { NoRoom::OverShare });
        }
        let place = self.places.take(bringer);
        let ContactMark { name, open_from, .. } = mark;
        let contact = ContactRecord { name, open_from, heard: self.beat, place, held: VecDeque::new() };
        Ok(ContactPlace(self.records.insert(contact)))
    }

    pub(super) fn on_heard(&mut self, contact: ContactPlace, open_from: u64) -> u64 {
        let beat = self.beat;
        let Some(contact) = self.get_mut(contact) else { return 0 };
        contact.heard = beat;
        contact.open_from = contact.open_from.max(open_from);
        contact.open_from
    }

    pub(super) fn held_count(&self, contact: ContactPlace) -> usize {
        self.get(contact).map_or(0, |contact| contact.held.len())
    }

    /// Notes that a query of this contact is remembered.
    pub(super) fn hold(&mut self, contact: ContactPlace, number: u64, place: QueryPlace) {
        let Some(ContactRecord { held, .. }) = self.get_mut(contact) else { return };
        if held.is_empty() {
            held.reserve_exact(1);
        }
        match held.back() {
            Some((last, _)) if *last > number => {
                let index = held.partition_point(|(other, _)| *other < number);
                held.insert(index, (number, place));
            }
            _ => held.push_back((number, place)),
        }
    }

    pub(super) fn numbered(&self, contact: ContactPlace, number: u64) -> Option<QueryPlace> {
        let held = &self.get(contact)?.held;
        // What is new has mostly a number higher than all before it.
        held.back().filter(|(last, _)| *last >= number)?;
        let index = held.binary_search_by_key(&number, |(number, _)| *number).ok()?;
        held.get(index).map(|(_, place)| *place)
    }

    pub(super) fn mark_of(&self, contact: ContactPlace, number: u64) -> Option<ContactMark> {
        self.get(contact).map(|contact| ContactMark { name: contact.name, number, open_from: contact.open_from })
    }

    pub(super) fn pop_closed(&mut self, contact: ContactPlace) -> Option<QueryPlace> {
        let contact = self.get_mut(contact)?;
        let held = &mut contact.held;
        held.front().filter(|(number, _)| *number < contact.open_from)?;
        let (_, place) = held.pop_front()?;
        // A contact is remembered for longer than what it had open, and what it once had room for is not to be.
        if held.len() < held.capacity() / 4 && held.capacity() > HELD_ROOM_MIN {
            held.shrink_to(held.capacity() / 2);
        }
        Some(place)
    }

    /// One more beat is over. Forgets those that were quiet for too long, and gives what they held.
    pub(super) fn on_beat(&mut self) -> Vec<QueryPlace> {
        self.beat = self.beat.wrapping_add(1);
        let is_quiet = |contact: &ContactRecord| self.beat.wrapping_sub(contact.heard) > QUIET_BEATS;
        let quiet = self.records.iter().filter(|(_, contact)| is_quiet(contact));
        let quiet = quiet.map(|(slot, _)| ContactPlace(slot)).collect::<Vec<_>>();
        quiet
            .into_iter()
            .filter_map(|contact| self.remove(contact))
            .flat_map(|gone| gone.held)
            .map(|held| held.1)
            .collect()
    }

    pub(super) fn memory_bytes(&self) -> usize {
        let held = self.records.iter().map(|(_, contact)| contact.held.capacity() * size_of::<(u64, QueryPlace)>());
        self.records.memory_bytes() + held.sum::<usize>()
    }

    fn get(&self, contact: ContactPlace) -> Option<&ContactRecord> {
        self.records.get(contact.0)
    }

    fn get_mut(&mut self, contact: ContactPlace) -> Option<&mut ContactRecord> {
        self.records.get_mut(contact.0)
    }

    fn remove(&mut self, contact: ContactPlace) -> Option<ContactRecord> {
        let gone = self.records.remove(contact.0)?;
        self.places.give_back(gone.place);
        Some(gone)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::link::LinkId;

    fn mark(name: u64) -> ContactMark {
        ContactMark { name: ContactName(name), number: 0, open_from: 0 }
    }

    fn bringer() -> Bringer {
        Bringer::Neighbor { link: LinkId(1), hops: 0 }
    }

    fn with(names: impl IntoIterator<Item = u64>) -> Contacts {
        let mut contacts = Contacts::default();
        for name in names {
            contacts.insert(mark(name), bringer()).unwrap();
        }
        contacts
    }

    fn place(slot: u32) -> QueryPlace {
        QueryPlace { slot, life: 0 }
    }

    #[test]
    fn contacts_are_found_by_their_names_whatever_was_forgotten_before() {
        let mut contacts = Contacts::default();
        for count in [1, 4, 5, 20] {
            while contacts.len() < count {
                contacts.insert(mark(contacts.len() as u64), bringer()).unwrap();
            }
            let places: Vec<_> = (0..count as u64).map(|name| contacts.find(ContactName(name))).collect();
            assert!(places.iter().all(Option::is_some), "{count}");
            assert!((1..count).all(|index| places[index] != places[index - 1]), "{count}");
            assert_eq!(contacts.find(ContactName(count as u64)), None);
        }
        // Half of them are heard of, and the others go.
        for beat in 0..=QUIET_BEATS {
            for name in (0..20).step_by(2) {
                let contact = contacts.find(ContactName(name)).unwrap();
                assert_eq!(contacts.on_heard(contact, 0), 0);
            }
            assert_eq!(contacts.len(), 20, "beat {beat}");
            contacts.on_beat();
        }
        assert_eq!(contacts.len(), 10);
        for name in 0..20 {
            assert_eq!(contacts.find(ContactName(name)).is_some(), name % 2 == 0, "{name}");
        }
        contacts.insert(mark(100), bringer()).unwrap();
        assert_eq!(contacts.len(), 11);
        assert!(contacts.find(ContactName(100)).is_some());
    }

    #[test]
    fn a_contact_is_forgotten_after_so_many_whole_beats_and_not_earlier_whatever_the_count_of_beats_is() {
        for start in [0, u32::MAX - 10] {
            let mut contacts = Contacts { beat: start, ..Contacts::default() };
            let contact = contacts.insert(mark(7), bringer()).unwrap();
            contacts.hold(contact, 3, place(5));
            for _ in 0..QUIET_BEATS {
                assert_eq!(contacts.on_beat(), []);
            }
            assert_eq!(contacts.on_beat(), [place(5)]);
            assert_eq!((contacts.len(), contacts.find(ContactName(7))), (0, None));
            assert_eq!(contacts.held_count(contact), 0);
        }
    }

    #[test]
    fn what_is_held_is_in_the_order_of_the_numbers() {
        let mut contacts = with([7]);
        let contact = contacts.find(ContactName(7)).unwrap();
        for (slot, number) in (0..).zip([10, 20, 5, 15, 30, 1]) {
            assert_eq!(contacts.numbered(contact, number), None);
            contacts.hold(contact, number, place(slot));
            assert_eq!(contacts.numbered(contact, number), Some(place(slot)));
        }
        assert_eq!((contacts.held_count(contact), contacts.numbered(contact, 31)), (6, None));
        assert_eq!(contacts.pop_closed(contact), None);
        assert_eq!(contacts.on_heard(contact, 15), 15);
        let closed: Vec<_> = std::iter::from_fn(|| contacts.pop_closed(contact)).collect();
        assert_eq!(closed, [5, 2, 0].map(place));
        assert_eq!(contacts.numbered(contact, 15), Some(place(3)));
        assert_eq!(contacts.mark_of(contact, 30), Some(ContactMark { number: 30, open_from: 15, ..mark(7) }));
    }

    #[test]
    fn room_for_what_was_open_is_given_back_by_halves() {
        const MANY: usize = 10_000;
        let mut contacts = with([7]);
        let contact = contacts.find(ContactName(7)).unwrap();
        let empty = contacts.memory_bytes();
        for number in 0..MANY as u64 {
            contacts.hold(contact, number, place(0));
        }
        let room = |contacts: &Contacts| (contacts.memory_bytes() - empty) / size_of::<(u64, QueryPlace)>();
        assert_eq!(room(&contacts), 16_384);
        for (left, kept) in
            [(4_096, 16_384), (4_095, 8_192), (2_048, 8_192), (2_047, 4_096), (100, 256), (3, 16), (0, 16)]
        {
            contacts.on_heard(contact, (MANY - left) as u64);
            while contacts.pop_closed(contact).is_some() {}
            assert_eq!((contacts.held_count(contact), room(&contacts)), (left, kept));
        }
    }

    #[test]
    fn one_contact_too_many_is_refused_and_takes_nothing() {
        let mut contacts = with([]);
        let mut count = 0;
        let refused = loop {
            match contacts.insert(mark(count), bringer()) {
                Ok(_) => count += 1,
                Err(refused) => break refused,
            }
        };
        assert_eq!((refused, contacts.len() as u64), (NoRoom::OverShare, count));
        while contacts.insert(mark(count), Bringer::Own).is_ok() {
            count += 1;
        }
        assert_eq!((contacts.len(), contacts.insert(mark(count), Bringer::Own)), (CONTACTS_MAX, Err(NoRoom::Full)));
        (0..=QUIET_BEATS).for_each(|_| drop(contacts.on_beat()));
        assert!(contacts.len() == 0 && contacts.insert(mark(0), bringer()).is_ok());
    }
}
