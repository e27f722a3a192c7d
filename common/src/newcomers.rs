//! The links whose other end has yet to say hello, and since when.
//!
//! Kept by link and by age at once, so that one that leaves takes both places with it: whoever connects and leaves again
//! and again holds no more than the connections it has. What becomes of one that waited too long is for whoever asks.

use std::collections::{BTreeMap, BTreeSet};

use crate::limits::HELLO_WAIT_MAX;
use crate::link::LinkId;
use crate::time::Time;

/// Links that are new, with what is known of each.
#[derive(Debug)]
pub(crate) struct Newcomers<T> {
    by_link: BTreeMap<LinkId, (Time, T)>,
    by_age: BTreeSet<(Time, LinkId)>,
}

impl<T> Default for Newcomers<T> {
    fn default() -> Newcomers<T> {
        Newcomers { by_link: BTreeMap::new(), by_age: BTreeSet::new() }
    }
}

impl<T> Newcomers<T> {
    /// A link came.
    pub(crate) fn insert(&mut self, now: Time, link: LinkId, known: T) {
        self.remove(link);
        self.by_link.insert(link, (now, known));
        self.by_age.insert((now, link));
    }

    /// What is known of a link, while it is new.
    pub(crate) fn get(&self, link: LinkId) -> Option<&T> {
        self.by_link.get(&link).map(|(_, known)| known)
    }

    /// A link is new no more, whatever became of it.
    pub(crate) fn remove(&mut self, link: LinkId) -> Option<T> {
        let (since, known) = self.by_link.remove(&link)?;
        self.by_age.remove(&(since, link));
        Some(known)
    }

    /// All of them.
    pub(crate) fn links(&self) -> impl Iterator<Item = LinkId> {
        self.by_link.keys().copied()
    }

    pub(crate) fn len(&self) -> usize {
        self.by_link.len()
    }

    pub(crate) fn is_empty(&self) -> bool {
        self.by_link.is_empty()
    }

    /// When the first of them will have waited too long.
    pub(crate) fn deadline(&self) -> Time {
        self.by_age.first().map_or(Time::NEVER, |(since, _)| *since + HELLO_WAIT_MAX)
    }

    /// Those that have waited too long, the oldest first.
    pub(crate) fn overdue(&self, now: Time) -> impl Iterator<Item = LinkId> {
        let waited = self.by_age.iter().take_while(move |(since, _)| now.since(*since) >= HELLO_WAIT_MAX);
        waited.map(|(_, link)| *link)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_that_leaves_leaves_nothing() {
        let mut newcomers = Newcomers::default();
        newcomers.insert(Time::START, LinkId(0), "stays");
        for number in 1..1_000 {
            newcomers.insert(Time::START, LinkId(number), "leaves");
            assert_eq!(newcomers.remove(LinkId(number)), Some("leaves"));
        }
        assert_eq!((newcomers.by_link.len(), newcomers.by_age.len()), (1, 1));
        assert_eq!(newcomers.remove(LinkId(1)), None);
        assert_eq!(newcomers.get(LinkId(0)), Some(&"stays"));
    }

    #[test]
    fn whoever_came_first_has_waited_longest() {
        let mut newcomers = Newcomers::default();
        assert_eq!(newcomers.deadline(), Time::NEVER);
        let later = Time::START + HELLO_WAIT_MAX / 2;
        newcomers.insert(later, LinkId(1), ());
        newcomers.insert(Time::START, LinkId(2), ());
        let due = Time::START + HELLO_WAIT_MAX;
        assert_eq!(newcomers.deadline(), due);
        assert_eq!(newcomers.overdue(later).count(), 0);
        assert_eq!(newcomers.overdue(due).collect::<Vec<_>>(), [LinkId(2)]);
        assert_eq!(newcomers.overdue(later + HELLO_WAIT_MAX).collect::<Vec<_>>(), [LinkId(2), LinkId(1)]);
    }
}
