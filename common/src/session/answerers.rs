//! Who has answered a query: each servent once, and what their marks add up to.

use std::collections::BTreeSet;

use crate::message::ServentId;
use crate::query::Tally;

/// The servents that answered one query, as far as they said who they are.
#[derive(Debug, Default)]
pub(super) struct Answerers {
    /// Kept apart, because most queries have no more than one answer.
    first: Option<ServentId>,
    others: BTreeSet<ServentId>,
    marks_sum: u64,
}

impl Answerers {
    /// Adds one, and says whether it was not among them.
    pub(super) fn insert(&mut self, id: ServentId) -> bool {
        let is_new = match self.first {
            None => self.first.replace(id).is_none(),
            Some(first) => first != id && self.others.insert(id),
        };
        if is_new {
            self.marks_sum = self.marks_sum.wrapping_add(id.mark());
        }
        is_new
    }

    pub(super) fn include(&self, id: ServentId) -> bool {
        self.first == Some(id) || self.others.contains(&id)
    }

    pub(super) fn len(&self) -> usize {
        usize::from(self.first.is_some()) + self.others.len()
    }

    /// Whether they are those whose answers a tally counts, all of them and nobody else.
    pub(super) fn keep(&self, promised: &Tally) -> bool {
        self.len() as u64 == promised.answers && self.marks_sum == promised.answer_sum
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_counts_once() {
        let ids = [1, 1 << 64, u128::MAX].map(ServentId);
        let mut answerers = Answerers::default();
        for round in 0..2 {
            for (place, id) in ids.into_iter().enumerate() {
                assert_eq!(answerers.include(id), round > 0, "{id:?}");
                assert_eq!(answerers.insert(id), round == 0, "{id:?}");
                assert_eq!(answerers.len(), if round == 0 { place + 1 } else { ids.len() });
            }
            let sum = ids.iter().fold(0, |sum: u64, id| sum.wrapping_add(id.mark()));
            let promised = Tally { answers: ids.len() as u64, answer_sum: sum, ..Tally::default() };
            assert!(answerers.keep(&promised));
            assert!(!answerers.keep(&Tally { answers: 2, ..promised }));
            assert!(!answerers.keep(&Tally { answer_sum: sum ^ 1, ..promised }));
        }
    }
}
