//! Answers that nobody gave: which a forger brought to which client, and under whose name.
//!
//! - A forged answer is told once under each name at most, and none that nobody brought.

use std::collections::{BTreeMap, HashSet};

use common::message::ServentId;
use common::query::QueryId;

use crate::graph::number;
use crate::verdict::answer::HeardAnswers;
use crate::verdict::demand::Demand;

/// Under whose name a forger answers.
#[derive(Clone, Copy, Debug)]
pub(crate) enum Pretence {
    /// It says no name.
    Nobody,
    /// One that no servent has.
    Stranger(ServentId),
    /// That of a servent in one of its lives.
    Servent(usize, u32),
}

/// The forged answers to one query.
#[derive(Debug, Default)]
struct Lie {
    /// In whose name a forger answered, and for how many lives of each that did not answer themselves.
    stood_for: BTreeMap<usize, u32>,
    /// Under which other names forgers answered, how often under none, and how many such answers were told.
    strangers: HashSet<ServentId>,
    nameless: usize,
    told: usize,
    /// A forger counts itself among those who answered.
    is_claimed: bool,
}

/// All of them.
#[derive(Default)]
pub(super) struct Lies {
    queries: BTreeMap<usize, Lie>,
    /// Who has not answered, and a forger did in its name.
    stood_for: HashSet<(usize, u32, QueryId)>,
}

impl Lies {
    // ---- what happens ----

    /// A forger brings a client an answer that it cannot tell from others; to which query, if the client asked it, and whether
    /// whoever it names has answered that itself.
    pub(super) fn on_lie(&mut self, of: Option<usize>, id: QueryId, pretence: Pretence, has_answered: bool) {
        let is_new = match pretence {
            Pretence::Servent(servent, life) => !has_answered && self.stood_for.insert((servent, life, id)),
            Pretence::Nobody | Pretence::Stranger(_) => true,
        };
        let Some(lie) = of.map(|of| self.queries.entry(of).or_default()) else { return };
        match pretence {
            Pretence::Nobody => lie.nameless += 1,
            Pretence::Stranger(id) => drop(lie.strangers.insert(id)),
            Pretence::Servent(servent, _) => *lie.stood_for.entry(servent).or_default() += u32::from(is_new),
        }
    }

    /// A forger says in its echo that it has answered.
    pub(super) fn on_claimed(&mut self, query: usize) {
        self.queries.entry(query).or_default().is_claimed = true;
    }

    /// A life of a servent answers itself, for which a forger may have done so before.
    pub(super) fn on_answer_said(&mut self, of: Option<usize>, (servent, life): (usize, u32), id: QueryId) {
        let was_stood_for = self.stood_for.remove(&(servent, life, id));
        if let Some(lie) = of.and_then(|of| self.queries.get_mut(&of))
            && let Some(stood_for) = lie.stood_for.get_mut(&servent)
        {
            *stood_for -= u32::from(was_stood_for);
        }
    }

    /// A client reports an answer of nobody there is. Whether as many of them were brought.
    pub(super) fn on_told(&mut self, query: usize) -> bool {
        let lie = self.queries.entry(query).or_default();
        lie.told += 1;
        lie.told <= lie.strangers.len() + lie.nameless
    }

    // ---- what is known of it ----

    /// Whether a forger answered in the name of a servent, and for how many of its lives that did not answer themselves.
    pub(super) fn in_the_name_of(&self, query: usize, servent: usize) -> (bool, u32) {
        let Some(lie) = self.queries.get(&query) else { return (false, 0) };
        lie.stood_for.get(&servent).map_or((false, 0), |count| (true, *count))
    }

    /// Whether the client was told an answer under a name whose owner gives none, and no forger says so of itself. One who
    /// holds what is asked may be about to.
    pub(super) fn is_told_one(&self, query: usize, demand: &Demand<'_>, heard: &HeardAnswers) -> bool {
        let Some(lie) = self.queries.get(&query).filter(|lie| !lie.is_claimed) else { return false };
        let under_a_name = lie.told > lie.nameless;
        let holds = |servent: u32| demand.asking.topology || demand.scene.holders.binary_search(&servent).is_ok();
        let mut stood_for = lie.stood_for.keys().map(|servent| number(*servent));
        under_a_name || stood_for.any(|servent| !holds(servent) && heard.has(servent))
    }
}

#[cfg(test)]
mod tests {
    use common::query::{AnswerBody, Via};

    use super::*;
    use crate::scene::Scene;
    use crate::world::witness::tests::{CLIENT, asked, assert_broke, complete, id, silence, troubled, value};
    use crate::world::witness::{SECOND, Witness};

    /// A witness of a query that its holder answers, and that a forger is there to answer too.
    fn lied_to(scene: &Scene) -> Witness<'_> {
        let mut witness = asked(scene);
        witness.seen.is_forger_there = true;
        witness.on_answer_said(SECOND, (2, 1), CLIENT, id(), true);
        witness.on_answer(SECOND, 0, (Some(2), Some(2), Via::Direct), &value(2), None);
        witness
    }

    #[test]
    fn a_forged_answer_is_told_once_under_each_name_and_then_nothing_is_complete() {
        let scene = troubled();
        let lie = AnswerBody::Value(b"a lie".to_vec());
        let mut witness = lied_to(&scene);
        witness.on_lie(CLIENT, id(), Pretence::Stranger(ServentId(7)));
        witness.on_lie(CLIENT, id(), Pretence::Stranger(ServentId(7)));
        witness.on_answer(SECOND, 0, (None, Some(2), Via::Direct), &lie, None);
        witness.on_ended(SECOND + 1, 0, &silence(2, true));
        assert_broke(&witness, &[]);
        witness.on_ended(SECOND + 1, 0, &silence(2, false));
        witness.on_ended(SECOND + 1, 0, &complete(1));
        let told = ["doubtful false", "with an answer of nobody whom its contact counts"];
        assert_broke(&witness, &told);
        witness.on_answer(SECOND, 0, (None, Some(2), Via::Direct), &lie, None);
        assert_broke(&witness, &[told[0], told[1], "answered by nobody there is"]);
        // What it says of itself is its own affair.
        let mut witness = lied_to(&scene);
        witness.on_lie(CLIENT, id(), Pretence::Stranger(ServentId(7)));
        witness.on_claimed(CLIENT, id());
        witness.on_answer(SECOND, 0, (None, Some(2), Via::Direct), &lie, None);
        witness.on_ended(SECOND + 1, 0, &complete(2));
        // One that is under no name is none that is counted.
        let mut nameless = lied_to(&scene);
        nameless.on_lie(CLIENT, id(), Pretence::Nobody);
        nameless.on_answer(SECOND, 0, (None, None, Via::Direct), &lie, None);
        nameless.on_ended(SECOND + 1, 0, &complete(1));
        for witness in [witness, nameless] {
            assert_broke(&witness, &[]);
        }
    }

    #[test]
    fn a_forged_answer_in_the_name_of_a_servent_takes_the_place_of_its_own() {
        let scene = troubled();
        let lie = AnswerBody::Value(b"a lie".to_vec());
        // In the name of one that answers nobody can notice it, and of one that does not its contact counts it not.
        for (servent, breaks) in [(2, &[][..]), (1, &["with an answer of nobody whom its contact counts"])] {
            let mut witness = asked(&scene);
            witness.seen.is_forger_there = true;
            witness.on_lie(CLIENT, id(), Pretence::Servent(servent, 1));
            witness.on_answer(SECOND, 0, (Some(servent), Some(2), Via::Direct), &lie, None);
            witness.on_answer_said(SECOND, (2, 1), CLIENT, id(), true);
            if servent != 2 {
                witness.on_answer(SECOND, 0, (Some(2), Some(2), Via::Direct), &value(2), None);
            }
            witness.on_ended(SECOND + 1, 0, &complete(1));
            assert_broke(&witness, breaks);
            witness.on_answer(SECOND, 0, (Some(servent), Some(2), Via::Direct), &lie, None);
            assert!(witness.broken.iter().any(|text| text.contains("came again")), "{:?}", witness.broken);
        }
    }

    #[test]
    fn a_life_that_answers_itself_is_stood_for_no_more() {
        let mut lies = Lies::default();
        for (life, has_answered) in [(1, false), (1, false), (2, false), (3, true)] {
            lies.on_lie(Some(0), id(), Pretence::Servent(2, life), has_answered);
        }
        assert_eq!(lies.in_the_name_of(0, 2), (true, 2));
        lies.on_answer_said(Some(0), (2, 1), id());
        lies.on_answer_said(Some(0), (2, 3), id());
        assert_eq!((lies.in_the_name_of(0, 2), lies.in_the_name_of(0, 1)), ((true, 1), (false, 0)));
    }
}
