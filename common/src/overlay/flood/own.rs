//! This servent as a contact: the name it goes by in copies of what its clients ask, the number of each query, and which of
//! them are still open.
//!
//! A query is open until every copy of it was echoed, since then none is under way and nobody has to know it any more
//! (docs/PROTOCOL.md, "What is remembered"). One that was not heard of to the end (something lost or silent) stays open for
//! as long as a copy of it may come home. What is remembered of each, like of all others, is in `seen`.

use std::collections::VecDeque;

use super::slots::QueryPlace;
use crate::limits::{
    CONTACT_QUIET_MAX, COPIES_OPEN_MAX, COPY_YOUNG_MAX, ECHO_WAIT_MAX, OWN_PENDING_MAX, SEEN_TP3_AGE_MAX, SPAN_MAX,
};
use crate::query::{ContactMark, ContactName, Tally};
use crate::random::Secret;
use crate::time::Time;

/// For how many queries there is to be room before clients that were kept waiting are read again: not for one by one.
pub(in crate::overlay) const ROOM_MIN: usize = COPIES_OPEN_MAX / 4;

#[derive(Debug, Default)]
pub(super) struct Own {
    /// Nothing until the first query.
    name: Option<ContactName>,
    names_count: u64,
    /// When the name was drawn in the place of another.
    renamed: Option<Time>,
    /// Whether an echo told of a copy under this name that somebody took for one given up.
    is_spoilt: bool,
    /// Names it went by before, each with when nobody remembers it any more.
    older: Vec<(ContactName, Time)>,
    /// The number of the first query that is open.
    open_from: u64,
    /// Those from there on, in the order of their numbers.
    open: VecDeque<OwnOpen>,
    /// How many of them await echoes.
    pending_count: usize,
    /// Those below this number are young no more,
    young_from: u64,
    /// and so many of them await echoes.
    late_count: usize,
    /// The last one that ended late ended with something lost: somebody within reach is silent. Where all came late, somebody
    /// has too much to do, and is to be asked no more than at any other time.
    is_somebody_silent: bool,
}

/// One that is open, or was and stands behind one that still is.
#[derive(Clone, Copy, Debug)]
struct OwnOpen {
    place: QueryPlace,
    /// Under which of our names.
    name: ContactName,
    asked: Time,
    until: OpenUntil,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum OpenUntil {
    /// Its echoes have come.
    Echoed,
    /// What is not known of it cannot matter any more.
    Time(Time),
    Over,
}

impl Own {
    /// Whether a contact of this name is or was this servent.
    pub(super) fn is_named(&self, name: ContactName) -> bool {
        self.name == Some(name) || self.older.iter().any(|(older, _)| *older == name)
    }

    /// Below this number nothing is open.
    pub(super) fn open_from(&self) -> u64 {
        self.open_from
    }

    /// How many queries are open, and those behind them that are over.
    pub(super) fn open_count(&self) -> usize {
        self.open.len()
    }

    /// Whether one more can be asked at all: numbers must not be too far apart.
    pub(super) fn has_number(&self) -> bool {
        self.open.len() as u64 <= SPAN_MAX
    }

    /// How many more clients may ask now, where each of so many clients may have one request that is not put off.
    pub(super) fn room(&mut self, now: Time, clients_count: usize) -> usize {
        self.on_time(now);
        self.room_of_pending().min(self.numbers_left(clients_count))
    }

    /// The same, as long as there are numbers.
    fn room_of_pending(&self) -> usize {
        let late_count = if self.is_somebody_silent { self.late_count } else { 0 };
        let young = COPIES_OPEN_MAX.saturating_sub(self.pending_count - late_count);
        young.min(OWN_PENDING_MAX.saturating_sub(self.pending_count))
    }

    fn numbers_left(&self, clients_count: usize) -> usize {
        let left = (SPAN_MAX + 1).saturating_sub((self.open.len() + clients_count) as u64);
        usize::try_from(left).unwrap_or(usize::MAX)
    }

    /// Notes which queries have become late by now.
    fn on_time(&mut self, now: Time) {
        self.young_from = self.young_from.max(self.open_from);
        while let Some(open) = self.get(self.young_from)
            && open.asked + COPY_YOUNG_MAX <= now
        {
            self.late_count += usize::from(open.until == OpenUntil::Echoed);
            self.young_from += 1;
        }
    }

    /// What the copies of the next query carry. A name that somebody spoilt is used no longer, unless it is new.
    pub(super) fn next_mark(&mut self, now: Time, secret: Secret) -> ContactMark {
        let is_new = self.renamed.is_some_and(|renamed| now.since(renamed) < ECHO_WAIT_MAX);
        let name = match self.name {
            Some(name) if !self.is_spoilt || is_new => name,
            older => {
                if let Some(older) = older {
                    self.older.retain(|(_, until)| *until > now);
                    // As long as what is open under it may be, and then as long as a contact is remembered.
                    self.older.push((older, now + (SEEN_TP3_AGE_MAX + CONTACT_QUIET_MAX)));
                    self.renamed = Some(now);
                    self.is_spoilt = false;
                }
                self.draw_name(secret)
            }
        };
        ContactMark { name, number: self.open_from + self.open.len() as u64, open_from: self.open_from }
    }

    fn draw_name(&mut self, secret: Secret) -> ContactName {
        let name = ContactName(secret.nth(self.names_count));
        self.names_count += 1;
        self.name = Some(name);
        name
    }

    /// What the copies of a query carry that is open.
    pub(super) fn mark_of(&self, number: u64) -> Option<ContactMark> {
        Some(ContactMark { name: self.get(number)?.name, number, open_from: self.open_from })
    }

    /// Where a query is remembered that is open under this name.
    pub(super) fn place_of(&self, name: ContactName, number: u64) -> Option<QueryPlace> {
        self.get(number).filter(|open| open.name == name).map(|open| open.place)
    }

    /// A query was asked, and carries this mark.
    pub(super) fn push(&mut self, now: Time, mark: ContactMark, place: QueryPlace) {
        self.open.push_back(OwnOpen { place, name: mark.name, asked: now, until: OpenUntil::Echoed });
        self.pending_count += 1;
    }

    /// An echo of a copy of this query told of copies that were taken for given up.
    pub(super) fn on_spoilt(&mut self, number: u64) {
        let name = self.get(number).map(|open| open.name);
        self.is_spoilt |= name.is_some() && self.name == name;
    }

    /// The flood of a query is over, and this came of it.
    pub(super) fn on_over(&mut self, number: u64, tally: &Tally) {
        let Some(open) = self.index_of(number).and_then(|index| self.open.get_mut(index)) else { return };
        // A copy may come home over a dialect without echoes, and what was given up may hide one that can.
        let until = if tally.is_whole() { OpenUntil::Over } else { OpenUntil::Time(open.asked + SEEN_TP3_AGE_MAX) };
        if std::mem::replace(&mut open.until, until) == OpenUntil::Echoed {
            self.pending_count -= 1;
            if number < self.young_from {
                self.late_count -= 1;
                self.is_somebody_silent = tally.lost > 0;
            }
        }
    }

    /// Takes out the first query if it is not open any more.
    pub(super) fn pop_over(&mut self, now: Time) -> Option<QueryPlace> {
        let first = self.open.front()?;
        let is_over = match first.until {
            OpenUntil::Echoed => false,
            OpenUntil::Time(until) => until <= now,
            OpenUntil::Over => true,
        };
        if !is_over {
            return None;
        }
        self.open_from += 1;
        self.open.pop_front().map(|open| open.place)
    }

    /// When there is more room at the latest, where so many clients may wait for it.
    pub(super) fn deadline(&self, clients_count: usize) -> Time {
        match self.open.front() {
            Some(OwnOpen { until: OpenUntil::Time(until), .. }) if self.numbers_left(clients_count) < ROOM_MIN => {
                *until
            }
            _ if !self.is_somebody_silent || self.room_of_pending() >= ROOM_MIN => Time::NEVER,
            _ => self.get(self.young_from.max(self.open_from)).map_or(Time::NEVER, |open| open.asked + COPY_YOUNG_MAX),
        }
    }

    fn get(&self, number: u64) -> Option<&OwnOpen> {
        self.open.get(self.index_of(number)?)
    }

    fn index_of(&self, number: u64) -> Option<usize> {
        usize::try_from(number.checked_sub(self.open_from)?).ok()
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        self.open.capacity() * size_of::<OwnOpen>() + self.older.capacity() * size_of::<(ContactName, Time)>()
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn at(seconds: u64) -> Time {
        Time::START + Duration::from_secs(seconds)
    }

    fn ask(own: &mut Own, now: Time) -> ContactMark {
        let mark = own.next_mark(now, Secret::default());
        own.push(now, mark, QueryPlace::default());
        mark
    }

    fn lost() -> Tally {
        Tally { lost: 1, ..Tally::default() }
    }

    /// One that waits for somebody silent.
    fn silent() -> Own {
        Own { is_somebody_silent: true, ..Own::default() }
    }

    /// Takes out all that are over, and says how many.
    fn close(own: &mut Own, now: Time) -> usize {
        std::iter::from_fn(|| own.pop_over(now)).count()
    }

    #[test]
    fn a_name_is_drawn_with_the_first_query_and_kept() {
        let mut own = Own::default();
        assert!(!own.is_named(ContactName(Secret::default().nth(0))));
        let [first, second] = [0, 9].map(|now| ask(&mut own, at(now)));
        assert_eq!(first.name, ContactName(Secret::default().nth(0)));
        assert_eq!((second.name, second.number, second.open_from), (first.name, 1, 0));
        assert!(own.is_named(first.name) && !own.is_named(ContactName(0)));
        assert_eq!((own.mark_of(1), own.mark_of(2)), (Some(second), None));
    }

    #[test]
    fn an_old_name_is_its_own_for_as_long_as_anybody_may_remember_it() {
        let mut own = Own::default();
        let mut names = Vec::new();
        let kept = (SEEN_TP3_AGE_MAX + CONTACT_QUIET_MAX).as_secs();
        for now in [0, 10, 10 + kept - 4, 10 + kept] {
            let mark = ask(&mut own, at(now));
            names.push(mark.name);
            assert!(names[..names.len() - 1].iter().all(|older| *older != mark.name), "at {now}");
            // The first was given up at 10 s.
            assert_eq!(own.is_named(names[0]), now < 10 + kept, "at {now}");
            own.on_spoilt(mark.number);
        }
        assert!(names[1..].iter().all(|name| own.is_named(*name)));
    }

    #[test]
    fn what_is_over_goes_in_the_order_of_the_numbers() {
        let mut own = Own::default();
        for _ in 0..4 {
            ask(&mut own, at(0));
        }
        own.on_over(1, &Tally::default());
        own.on_over(9, &Tally::default());
        assert_eq!((close(&mut own, at(100)), own.open_from(), own.open_count()), (0, 0, 4));
        own.on_over(0, &Tally::default());
        assert_eq!((close(&mut own, at(0)), own.open_from(), own.open_count()), (2, 2, 2));
        // One that is gone changes nothing, nor is it known.
        own.on_over(0, &Tally::default());
        own.on_spoilt(0);
        assert_eq!((close(&mut own, at(0)), own.mark_of(1)), (0, None));
        own.on_over(2, &lost());
        own.on_over(3, &Tally::default());
        assert_eq!(close(&mut own, at(SEEN_TP3_AGE_MAX.as_secs() - 1)), 0);
        assert_eq!(close(&mut own, at(SEEN_TP3_AGE_MAX.as_secs())), 2);
        assert_eq!(ask(&mut own, at(0)).number, 4, "numbers go on");
    }

    #[test]
    fn what_is_late_takes_no_room_while_somebody_is_silent() {
        let (started, young) = (Time::START, COPY_YOUNG_MAX);
        let mut own = silent();
        assert_eq!((own.room(started, 0), own.deadline(0)), (COPIES_OPEN_MAX, Time::NEVER));
        for count in 1..=COPIES_OPEN_MAX {
            ask(&mut own, started);
            assert_eq!(own.room(started, 9), COPIES_OPEN_MAX - count);
        }
        // Some are over; of the others nothing is heard.
        (0..10).for_each(|number| own.on_over(number, &Tally::default()));
        (10..20).for_each(|number| own.on_over(number, &lost()));
        assert_eq!((own.room(started, 9), own.deadline(9)), (20, started + young));
        close(&mut own, started);
        assert_eq!(own.room(started + young / 2, 9), 20);
        assert_eq!((own.room(started + young, 9), own.deadline(9)), (COPIES_OPEN_MAX, Time::NEVER));
        // That those end which are late is no news.
        (20..30).for_each(|number| own.on_over(number, &lost()));
        assert_eq!(own.room(started + young, 9), COPIES_OPEN_MAX);
        let now = started + 2 * young;
        ask(&mut own, now);
        assert_eq!(own.room(now, 9), COPIES_OPEN_MAX - 1);
    }

    #[test]
    fn however_late_they_are_there_are_only_so_many() {
        let mut now = Time::START;
        let mut own = silent();
        while own.room(now, 0) > 0 {
            (0..own.room(now, 0)).for_each(|_| {
                ask(&mut own, now);
            });
            now = now + COPY_YOUNG_MAX;
        }
        assert_eq!(own.open_count(), OWN_PENDING_MAX);
        own.on_over(7, &lost());
        own.on_over(7, &lost());
        assert_eq!(own.room(now, 0), 1);
    }

    #[test]
    fn where_all_comes_late_and_nothing_is_lost_it_takes_the_room_it_takes_at_any_time() {
        let now = Time::START;
        for is_lost in [false, true] {
            let mut own = Own::default();
            (0..COPIES_OPEN_MAX).for_each(|_| {
                ask(&mut own, now);
            });
            // What is not late says nothing of it.
            own.on_over(0, &lost());
            assert_eq!((own.room(now + COPY_YOUNG_MAX, 0), own.deadline(0)), (1, Time::NEVER));
            own.on_over(1, &if is_lost { lost() } else { Tally::default() });
            assert_eq!(own.room(now + COPY_YOUNG_MAX, 0), if is_lost { COPIES_OPEN_MAX } else { 2 });
            // Until one comes late of which all has come.
            own.on_over(2, &Tally::default());
            assert_eq!(own.room(now + COPY_YOUNG_MAX, 0), 3);
        }
    }

    #[test]
    fn who_waits_for_a_number_is_waited_for_until_the_first_is_over() {
        const CLIENTS: usize = 3;
        let mut own = Own::default();
        ask(&mut own, at(5));
        own.on_over(0, &lost());
        assert_eq!(own.deadline(CLIENTS), Time::NEVER, "there are numbers");
        while own.room(at(6), CLIENTS) > 0 {
            let mark = ask(&mut own, at(6));
            own.on_over(mark.number, &Tally::default());
        }
        // Each client may have one more that was not put off.
        assert_eq!(own.open_count() as u64, SPAN_MAX + 1 - CLIENTS as u64);
        assert_eq!(own.deadline(CLIENTS), at(5) + SEEN_TP3_AGE_MAX);
        for left in (0..CLIENTS).rev() {
            assert!(own.has_number());
            ask(&mut own, at(6));
            assert_eq!(own.has_number(), left > 0);
        }
        let until = own.deadline(CLIENTS);
        assert_eq!(close(&mut own, until) as u64, SPAN_MAX + 1 - CLIENTS as u64);
        assert!(own.has_number() && own.room(until, CLIENTS) > 0);
    }

    #[test]
    fn what_is_held_is_counted() {
        let mut own = Own::default();
        assert_eq!(own.memory_bytes(), 0);
        let mark = ask(&mut own, at(0));
        let one = own.memory_bytes();
        assert!(one > 0 && one % size_of::<OwnOpen>() == 0, "{one}");
        own.on_spoilt(mark.number);
        ask(&mut own, at(1));
        let older = own.older.capacity() * size_of::<(ContactName, Time)>();
        assert_eq!((own.memory_bytes(), older > 0), (one + older, true));
    }
}
