//! Answers, as servents put them on links and as clients report them.
//!
//! - No life of a servent puts two answers to one query on links, but for the exceptions of `flood`. A servent that started
//!   anew is another one here, for it may be told an old query, which it cannot know.
//! - Every answer a client reports is true, came a way that is there, and none comes again under one name: so the verdict
//!   says, and here is what it must put up with beside forgers.

use std::collections::{BTreeMap, HashSet};

use common::query::QueryId;

use crate::graph::number;
use crate::verdict::answer::{Allowance, HeardAnswers, ToldAnswer};
use crate::verdict::demand::Demand;

/// The answers to one query.
#[derive(Debug, Default)]
struct AnswersTo {
    /// How many lives of a servent put an answer on a link, and whether one did that does not say who gives it, nor to what.
    said: BTreeMap<usize, (u32, bool)>,
    heard: HeardAnswers,
}

/// What of a servent's answers is a forger's doing.
#[derive(Clone, Copy, Debug)]
pub(super) struct Doubt {
    pub(super) is_forged: bool,
    /// The query may have been forgotten, and come anew.
    pub(super) is_loose: bool,
    /// A forger answered in the servent's name, for so many of its lives that did not answer themselves.
    pub(super) stood_for: (bool, u32),
}

/// All of them.
#[derive(Default)]
pub(super) struct WatchedAnswers {
    queries: Vec<AnswersTo>,
    said: HashSet<(usize, u32, QueryId)>,
}

impl WatchedAnswers {
    // ---- what happens ----

    pub(super) fn on_announced(&mut self) {
        self.queries.push(AnswersTo::default());
    }

    /// A life of a servent puts an answer on a link, and says there who it is or does not. Whether it is the first of that
    /// life.
    pub(super) fn on_said(
        &mut self,
        of: Option<usize>,
        (servent, life): (usize, u32),
        id: QueryId,
        says_who: bool,
    ) -> bool {
        let is_first = self.said.insert((servent, life, id));
        if let Some(answers) = of.and_then(|of| self.queries.get_mut(of)) {
            let (lives, nameless) = answers.said.entry(servent).or_default();
            *lives += u32::from(is_first);
            *nameless |= !says_who;
        }
        is_first
    }

    /// A client reports an answer of nobody there is.
    pub(super) fn on_told_of_nobody(&mut self, query: usize) {
        if let Some(answers) = self.queries.get_mut(query) {
            answers.heard.take_of_nobody();
        }
    }

    /// A client reports an answer. What of it is wrong.
    pub(super) fn on_told(
        &mut self,
        query: usize,
        demand: &Demand<'_>,
        answer: &ToldAnswer<'_>,
        doubt: Doubt,
    ) -> Vec<String> {
        let Some(answers) = self.queries.get_mut(query) else { return Vec::new() };
        let (lives, is_nameless) = answers.said.get(&answer.from).copied().unwrap_or_default();
        let (is_stood_for, stood_for) = doubt.stood_for;
        let allowed = Allowance {
            answers_max: lives + stood_for,
            // Beside TP3 a forger can have a servent answer twice, and nobody can tell that from two who answer.
            may_come_again: (doubt.is_loose || is_stood_for) && is_nameless,
            // Where answers do not say what they answer, a forger can have another question answered in a query's name.
            may_be_false: doubt.is_forged && is_nameless || is_stood_for,
            is_forged: doubt.is_forged,
            is_nameless,
        };
        answers.heard.take(demand, answer, allowed)
    }

    // ---- what is known of it ----

    /// Whether a life of a servent has answered.
    pub(super) fn has_said(&self, servent: usize, life: u32, id: QueryId) -> bool {
        self.said.contains(&(servent, life, id))
    }

    /// Who answered and was not heard.
    pub(super) fn unheard(&self, query: usize) -> Vec<u32> {
        let Some(answers) = self.queries.get(query) else { return Vec::new() };
        answers.heard.missing(&answers.said.keys().map(|servent| number(*servent)).collect::<Vec<_>>())
    }

    pub(super) fn heard(&self, query: usize) -> Option<&HeardAnswers> {
        self.queries.get(query).map(|answers| &answers.heard)
    }
}

#[cfg(test)]
mod tests {
    use common::query::Via;

    use super::*;
    use crate::scene::tests::chain;
    use crate::world::witness::SECOND;
    use crate::world::witness::tests::{CLIENT, asked, assert_broke, id, value};

    #[test]
    fn a_second_answer_of_the_same_life_is_noticed() {
        let scene = chain();
        let mut witness = asked(&scene);
        witness.on_answer_said(SECOND, (2, 1), CLIENT, id(), true);
        witness.on_answer_said(SECOND, (2, 3), CLIENT, id(), true);
        witness.on_answer_said(SECOND, (2, 1), CLIENT, QueryId { sequence: 6, ..id() }, true);
        assert_broke(&witness, &[]);
        witness.on_answer_said(2 * SECOND, (2, 1), CLIENT, id(), true);
        assert_broke(&witness, &["s2 answers query"]);
        witness.on_answer_said(1_000 * SECOND, (2, 1), CLIENT, id(), true);
        assert_broke(&witness, &["s2 answers query", "s2 answers query"]);
    }

    #[test]
    fn answers_that_are_not_true_are_noticed() {
        let scene = chain();
        let mut witness = asked(&scene);
        witness.on_answer(SECOND, 0, (Some(2), Some(2), Via::Direct), &value(1), None);
        witness.on_answer(SECOND, 0, (Some(1), Some(1), Via::Direct), &value(1), None);
        witness.on_answer(SECOND, 0, (None, Some(1), Via::Direct), &value(1), None);
        assert_broke(&witness, &["s2 to query 0 is not true", "s1 to query 0 is not true", "nobody"]);
        let mut witness = asked(&scene);
        witness.on_answer(SECOND, 0, (Some(2), Some(5), Via::Direct), &value(2), None);
        assert_broke(&witness, &["5 hops far"]);
    }

    #[test]
    fn an_answer_that_comes_again_is_noticed_and_one_of_another_life_is_another() {
        let scene = chain();
        let mut witness = asked(&scene);
        for life in [1, 2] {
            witness.on_answer_said(SECOND, (2, life), CLIENT, id(), true);
            witness.on_answer(SECOND, 0, (Some(2), Some(2), Via::Direct), &value(2), None);
        }
        assert_broke(&witness, &[]);
        witness.on_answer(SECOND, 0, (Some(2), Some(2), Via::Direct), &value(2), None);
        assert_broke(&witness, &["the answer of s2 to query 0 came again"]);
        assert_eq!(witness.seen.answers.heard(0).unwrap().doubled, 1);
    }
}
