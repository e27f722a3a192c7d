//! What came and is still to be told.
//!
//! A client is told things faster than a person, a pipe or a disk takes them. So there is a limit here, and while it is
//! reached nothing is read: what comes meanwhile waits in the system's buffers, and then at those who send it.

use std::collections::VecDeque;

use common::content::search::Entry;
use common::limits::VALUE_BYTES_MAX;
use common::query::{AnswerBody, Path};

use crate::event::{Event, QueryNumber};

/// Events that may wait to be told. Those of one more turn of one connection are taken as well.
const EVENTS_MAX: usize = 1_024;
/// Bytes of values that may wait with them.
const EVENTS_BYTES_MAX: usize = 4 * VALUE_BYTES_MAX;

/// Events that are no part of what a query is waited for, and so perhaps never taken: the oldest goes for another.
const ASIDES_MAX: usize = 256;

/// An event, and of which query it is.
pub(crate) type Told = (Option<QueryNumber>, Event);

/// What came and is still to be told.
#[derive(Debug, Default)]
pub(crate) struct Untold {
    waiting: VecDeque<Told>,
    bytes_count: usize,
    /// How many of them are asides.
    asides_count: usize,
}

impl Untold {
    pub(crate) fn push(&mut self, told: Told) {
        if is_aside(&told.1) {
            if self.asides_count >= ASIDES_MAX
                && let Some(oldest) = self.waiting.iter().position(|(_, event)| is_aside(event))
            {
                self.take(oldest);
            }
            self.asides_count += 1;
        }
        self.bytes_count += bytes_count(&told.1);
        self.waiting.push_back(told);
    }

    pub(crate) fn pop(&mut self) -> Option<Told> {
        self.take(0)
    }

    /// The next one that is of this query, or of none.
    pub(crate) fn pop_for(&mut self, query: QueryNumber) -> Option<Event> {
        let place = self.waiting.iter().position(|(of, _)| of.is_none_or(|of| of == query))?;
        self.take(place).map(|(_, event)| event)
    }

    /// Nobody wants to be told of this query any more.
    pub(crate) fn forget(&mut self, query: QueryNumber) {
        self.waiting.retain(|(of, _)| *of != Some(query));
        self.bytes_count = self.waiting.iter().map(|(_, event)| bytes_count(event)).sum();
        self.asides_count = self.waiting.iter().filter(|(_, event)| is_aside(event)).count();
    }

    /// Whether nothing more is to be read for now.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= EVENTS_MAX || self.bytes_count >= EVENTS_BYTES_MAX
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    fn take(&mut self, place: usize) -> Option<Told> {
        let told = self.waiting.remove(place)?;
        self.bytes_count -= bytes_count(&told.1);
        self.asides_count -= usize::from(is_aside(&told.1));
        if self.waiting.is_empty() {
            // Given back: the next query may bring little.
            self.waiting = VecDeque::new();
        }
        Some(told)
    }
}

/// Whether it is told when its query may be over, which nobody may look for then.
fn is_aside(event: &Event) -> bool {
    matches!(event, Event::Late { .. } | Event::Unfetched { .. })
}

/// What an event holds that can be long.
fn bytes_count(event: &Event) -> usize {
    let body = match event {
        Event::Answer { body, .. } | Event::Late { body, .. } => body,
        Event::Members(members) => return size_of_val(members.as_slice()),
        Event::Changed { value } => return value.as_ref().map_or(0, |value| value.len()),
        Event::Files(entries) => return entries.iter().map(Entry::bytes_count).sum(),
        _ => return 0,
    };
    match body {
        AnswerBody::Value(value) => value.len(),
        AnswerBody::Place { path, neighbors } => {
            let path_bytes = match path {
                Path::Addresses(addresses) => size_of_val(addresses.as_slice()),
                Path::Text(text) => text.len(),
            };
            path_bytes + size_of_val(neighbors.as_slice())
        }
        AnswerBody::Entries(found) => found.entries.iter().map(Entry::bytes_count).sum(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::query::Via;
    use std::time::Duration;

    fn answer(query: u64, bytes_count: usize) -> Told {
        let body = AnswerBody::Value(vec![b'v'; bytes_count]);
        let from = "192.0.2.7:9".parse().unwrap();
        let answer = Event::Answer { from, name: None, hops: None, via: Via::Direct, body, elapsed: Duration::ZERO };
        (Some(QueryNumber(query)), answer)
    }

    #[test]
    fn it_is_full_of_many_events_and_of_long_ones_and_what_is_told_makes_room() {
        assert_eq!((EVENTS_MAX, EVENTS_BYTES_MAX), (1_024, 4 << 20), "the text of `Client` names them");
        for (bytes, fits) in [(1, EVENTS_MAX), (VALUE_BYTES_MAX, EVENTS_BYTES_MAX / VALUE_BYTES_MAX)] {
            let mut untold = Untold::default();
            for _ in 0..fits {
                assert!(!untold.is_full());
                untold.push(answer(7, bytes));
            }
            assert!(untold.is_full());
            assert_eq!(untold.pop(), Some(answer(7, bytes)));
            assert!(!untold.is_full());
            while untold.pop().is_some() {}
            assert_eq!(untold.bytes_count, 0);
        }
    }

    #[test]
    fn what_is_late_and_never_taken_is_kept_in_part_and_stands_in_nobodys_way() {
        assert_eq!(ASIDES_MAX, 256, "the text of `Event` names it");
        let late = |query: u64| {
            let from = "192.0.2.7:9".parse().unwrap();
            let body = AnswerBody::Value(b"v".to_vec());
            (Some(QueryNumber(query)), Event::Late { from, name: None, hops: 1, body, elapsed: Duration::ZERO })
        };
        let mut untold = Untold::default();
        untold.push(answer(7, 1));
        for query in 0..10 * EVENTS_MAX as u64 {
            untold.push(late(query));
            assert!(!untold.is_full());
        }
        assert_eq!(untold.pop(), Some(answer(7, 1)));
        let rest: Vec<Told> = std::iter::from_fn(|| untold.pop()).collect();
        let last = 10 * EVENTS_MAX as u64;
        assert_eq!(rest, (last - ASIDES_MAX as u64..last).map(late).collect::<Vec<_>>(), "the last that came");
        assert_eq!((untold.bytes_count, untold.asides_count), (0, 0));
        untold.push(late(1));
        untold.forget(QueryNumber(1));
        assert_eq!(untold.asides_count, 0);
    }

    #[test]
    fn of_one_query_is_told_what_is_its_own_or_nobodys_and_the_rest_stays_in_order() {
        let mut untold = Untold::default();
        let more = Event::MoreUnexpected { count: 3 };
        for told in [answer(1, 1), answer(2, 2), (None, more.clone()), answer(2, 3), answer(1, 4), answer(2, 5)] {
            untold.push(told);
        }
        assert_eq!(untold.pop_for(QueryNumber(2)), Some(answer(2, 2).1));
        assert_eq!(untold.pop_for(QueryNumber(2)), Some(more));
        untold.forget(QueryNumber(2));
        assert_eq!(untold.pop_for(QueryNumber(2)), None);
        assert_eq!(untold.bytes_count, 5);
        assert_eq!([untold.pop(), untold.pop(), untold.pop()], [Some(answer(1, 1)), Some(answer(1, 4)), None]);
        assert_eq!(untold.bytes_count, 0);
    }
}
