//! What may still come for queries that are over, and is then no surprise.

use std::collections::VecDeque;

use foldhash::fast::FixedState;
use hashbrown::HashMap;

use super::answerers::Answerers;
use crate::limits::CLIENT_PENDING_MAX;
use crate::link::LinkId;
use crate::message::ServentId;
use crate::query::{AnswerKind, Tally};
use crate::time::Time;

/// Queries of which it is known what may still come, those that ended last. Twice as many as can be pending: all of them
/// may be cancelled, or end by silence, at one moment, and as many more be asked and end before the contact has said its
/// last word on the first; it says that within [`ECHO_WAIT_MAX`](crate::limits::ECHO_WAIT_MAX) of taking a request.
pub const ENDED_KEPT_MAX: usize = 2 * CLIENT_PENDING_MAX;
/// Servents kept in mind because they answered queries that are over and may be answered late. For more than that the
/// query that has been over for longest is forgotten: what comes late for it is a surprise.
pub const LATE_ANSWERERS_MAX: usize = 65_536;

/// What may still come for a query that is over.
#[derive(Debug)]
pub(super) enum MayCome {
    /// The word that the flood is over, where there was a contact to ask, and answers, which nobody wants any more, as often
    /// as they come.
    Anything { from: Option<LinkId> },
    /// What its contact hands late, and its word.
    Late(LateQuery),
}

/// A query that ended although more may come.
#[derive(Debug)]
pub(super) struct LateQuery {
    /// The link of the contact it was asked of. Nobody else has anything to hand or to say.
    from: LinkId,
    /// Whether that contact has yet to say, once, that the flood is over.
    is_owed: bool,
    kind: AnswerKind,
    asked: Time,
    /// Whose answers were told; of most queries nobody's.
    told: Option<Box<Answerers>>,
}

impl LateQuery {
    pub(super) fn new(from: LinkId, is_owed: bool, kind: AnswerKind, asked: Time, told: Answerers) -> LateQuery {
        LateQuery { from, is_owed, kind, asked, told: (told.len() > 0).then(|| Box::new(told)) }
    }

    fn told_count(&self) -> usize {
        self.told.as_ref().map_or(0, |told| told.len())
    }

    /// Whether the contact's word is that everything has come.
    fn has_all_of(&self, promised: &Tally) -> bool {
        let keeps = self.told.as_ref().map_or_else(|| Answerers::default().keep(promised), |told| told.keep(promised));
        promised.is_whole() && keeps
    }
}

/// What an answer is that a contact hands when its query is over.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum HandedLate {
    /// To be told.
    New { asked: Time },
    /// Told before, or not wanted any more.
    Known,
    /// A surprise.
    Unexpected,
}

/// Queries that are over, as far as anything may still come for them.
#[derive(Debug, Default)]
pub(super) struct Ended {
    /// In the order in which they ended, also those for which nothing may come any more.
    order: VecDeque<u64>,
    may_come: HashMap<u64, MayCome, FixedState>,
    /// Over all of them.
    told_count: usize,
}

impl Ended {
    /// One more is over. The one that has been for longest may be forgotten for it.
    pub(super) fn insert(&mut self, sequence: u64, may_come: MayCome) {
        self.order.push_back(sequence);
        if let MayCome::Late(query) = &may_come {
            self.told_count += query.told_count();
        }
        self.may_come.insert(sequence, may_come);
        if self.order.len() > ENDED_KEPT_MAX {
            self.forget_oldest();
        }
        self.keep_few();
    }

    /// Whether anything may still come for this one.
    pub(super) fn include(&self, sequence: u64) -> bool {
        self.may_come.contains_key(&sequence)
    }

    /// Whether an answer to this one that is dialled is no surprise.
    pub(super) fn may_be_answered(&self, sequence: u64) -> bool {
        matches!(self.may_come.get(&sequence), Some(MayCome::Anything { .. }))
    }

    /// A contact's word on this one has come over this link. Whether that is no surprise.
    pub(super) fn take_finished(&mut self, sequence: u64, link: LinkId, tally: &Tally) -> bool {
        match self.may_come.get_mut(&sequence) {
            Some(MayCome::Late(query)) if query.from == link && query.is_owed => {
                query.is_owed = false;
                if query.has_all_of(tally) {
                    self.remove(sequence);
                    if self.may_come.is_empty() {
                        *self = Ended::default();
                    }
                }
                true
            }
            Some(MayCome::Anything { from }) => *from == Some(link),
            _ => false,
        }
    }

    /// Over this link an answer of this servent to this one was handed.
    pub(super) fn take_handed(&mut self, sequence: u64, link: LinkId, id: ServentId, kind: AnswerKind) -> HandedLate {
        match self.may_come.get_mut(&sequence) {
            Some(MayCome::Late(query)) if query.from == link && query.kind == kind => {
                if !query.told.get_or_insert_default().insert(id) {
                    return HandedLate::Known;
                }
                let asked = query.asked;
                self.told_count += 1;
                self.keep_few();
                HandedLate::New { asked }
            }
            Some(MayCome::Anything { from }) if *from == Some(link) => HandedLate::Known,
            _ => HandedLate::Unexpected,
        }
    }

    fn keep_few(&mut self) {
        while self.told_count > LATE_ANSWERERS_MAX && !self.order.is_empty() {
            self.forget_oldest();
        }
    }

    fn forget_oldest(&mut self) {
        if let Some(oldest) = self.order.pop_front() {
            self.remove(oldest);
        }
    }

    fn remove(&mut self, sequence: u64) {
        if let Some(MayCome::Late(query)) = self.may_come.remove(&sequence) {
            self.told_count -= query.told_count();
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

    fn owed() -> MayCome {
        MayCome::Late(LateQuery::new(CONTACT, true, AnswerKind::Value, Time::START, Answerers::default()))
    }

    fn anything() -> MayCome {
        MayCome::Anything { from: Some(CONTACT) }
    }

    #[test]
    fn what_is_kept_has_a_limit_whatever_comes_of_it() {
        for may_come in [owed as fn() -> MayCome, anything] {
            let mut ended = Ended::default();
            for sequence in 0..3 * ENDED_KEPT_MAX as u64 {
                ended.insert(sequence, may_come());
                // Some are told of at once, and the others never.
                assert!(sequence % 3 > 0 || ended.take_finished(sequence, CONTACT, &Tally::default()));
                assert!(ended.may_come.len() <= ended.order.len() && ended.order.len() <= ENDED_KEPT_MAX);
            }
        }
    }

    #[test]
    fn nothing_is_held_once_nothing_may_come() {
        let mut ended = Ended::default();
        let tally = Tally::default();
        for sequence in 0..100 {
            ended.insert(sequence, owed());
        }
        for sequence in (0..100).rev() {
            assert!(!ended.take_finished(sequence, LinkId(2), &tally), "another owes none");
            assert!(ended.take_finished(sequence, CONTACT, &tally));
            assert!(!ended.take_finished(sequence, CONTACT, &tally), "it owed one");
        }
        assert_eq!((ended.order.capacity(), ended.len(), ended.told_count), (0, 0, 0));
    }

    #[test]
    fn who_was_told_is_counted_and_no_more_are_kept_than_may_be() {
        let mut ended = Ended::default();
        for sequence in 0..8 {
            ended.insert(sequence, owed());
            for number in 0..LATE_ANSWERERS_MAX as u128 / 4 {
                let handed = ended.take_handed(sequence, CONTACT, ServentId(number), AnswerKind::Value);
                assert_eq!(handed, HandedLate::New { asked: Time::START });
                assert!(ended.told_count <= LATE_ANSWERERS_MAX);
            }
        }
        assert_eq!((ended.len(), ended.told_count), (4, LATE_ANSWERERS_MAX));
        // One that alone has more than all may have is forgotten itself.
        let mut handed = HandedLate::Known;
        for number in 0..=LATE_ANSWERERS_MAX as u128 + 1 {
            handed = ended.take_handed(7, CONTACT, ServentId(1 << 64 | number), AnswerKind::Value);
        }
        assert_eq!((handed, ended.told_count), (HandedLate::Unexpected, 0));
    }
}
