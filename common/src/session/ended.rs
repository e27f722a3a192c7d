//! What may still come for queries that are over, and is then no surprise.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use crate::limits::CLIENT_PENDING_MAX;
use crate::link::LinkId;

/// Queries of which it is known what may still come, those that ended last. Twice as many as can be pending: all of them
/// may be cancelled, or end by silence, at one moment, and as many more be asked and end before the contact has said its
/// last word on the first; it says that within [`ECHO_WAIT_MAX`](crate::limits::ECHO_WAIT_MAX) of taking a request.
pub const ENDED_KEPT_MAX: usize = 2 * CLIENT_PENDING_MAX;

/// What may still come for a query that is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum MayCome {
    /// The word that the flood is over, which the contact at this link owes, once. Nobody else has one to say.
    Finished { from: LinkId },
    /// That, where there was a contact to ask, and answers, which nobody wants any more, as often as they come.
    Anything { from: Option<LinkId> },
}

/// Queries that are over, as far as anything may still come for them.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// In the order in which they ended, also those for which nothing may come any more.
    order: VecDeque<u64>,
    may_come: HashMap<u64, MayCome, FixedState>,
}

impl Ended {
    /// One more is over. The one that has been for longest may be forgotten for it.
    pub(super) fn insert(&mut self, sequence: u64, may_come: MayCome) {
        self.order.push_back(sequence);
        self.may_come.insert(sequence, may_come);
        if self.order.len() > ENDED_KEPT_MAX
            && let Some(oldest) = self.order.pop_front()
        {
            self.may_come.remove(&oldest);
        }
    }

    /// Whether anything may still come for this one.
    pub(super) fn include(&self, sequence: u64) -> bool {
        self.may_come.contains_key(&sequence)
    }

    /// Whether an answer to this one is no surprise.
    pub(super) fn may_be_answered(&self, sequence: u64) -> bool {
        matches!(self.may_come.get(&sequence), Some(MayCome::Anything { .. }))
    }

    /// A contact's word on this one has come over this link. Whether that is no surprise.
    pub(super) fn take_finished(&mut self, sequence: u64, link: LinkId) -> bool {
        match self.may_come.get(&sequence) {
            Some(MayCome::Finished { from }) if *from == link => {
                self.may_come.remove(&sequence);
                if self.may_come.is_empty() {
                    *self = Ended::default();
                }
                true
            }
            Some(MayCome::Anything { from }) => *from == Some(link),
            _ => false,
        }
    }

    #[cfg(test)]
    pub(super) fn len(&self) -> usize {
        self.may_come.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const CONTACT: LinkId = LinkId(1);

    #[test]
    fn what_is_kept_has_a_limit_whatever_comes_of_it() {
        for may_come in [MayCome::Finished { from: CONTACT }, MayCome::Anything { from: Some(CONTACT) }] {
            let mut ended = Ended::default();
            for sequence in 0..3 * ENDED_KEPT_MAX as u64 {
                ended.insert(sequence, may_come);
                // Some are told of at once, and the others never.
                assert!(sequence % 3 > 0 || ended.take_finished(sequence, CONTACT));
                assert!(ended.may_come.len() <= ended.order.len() && ended.order.len() <= ENDED_KEPT_MAX);
            }
        }
    }

    #[test]
    fn nothing_is_held_once_nothing_may_come() {
        let mut ended = Ended::default();
        for sequence in 0..100 {
            ended.insert(sequence, MayCome::Finished { from: CONTACT });
        }
        for sequence in (0..100).rev() {
            assert!(!ended.take_finished(sequence, LinkId(2)), "another owes none");
            assert!(ended.take_finished(sequence, CONTACT));
            assert!(!ended.take_finished(sequence, CONTACT), "it owed one");
        }
        assert_eq!((ended.order.capacity(), ended.len()), (0, 0));
    }
}
