//! Whether a query came to what it must: facts of it go in, and what is wrong comes out, whichever engine saw them.
//!
//! An engine knows what happened, and which faults and forgers had a hand in it; here is what must come of it. Nothing
//! here follows a run: what holds at every event is for `world`'s witness.
//!
//! - `demand`: of whom the oracle demands an answer, and how far it knows what a query comes to.
//! - `answer`: an answer that a client reports is true, came a possible way, and comes once.
//! - `ending`: what an ending claims is so, whatever befell the overlay.
//! - `exact`: where nothing goes wrong, everything is as the oracle says.

pub(crate) mod answer;
pub(crate) mod demand;
pub(crate) mod ending;
pub(crate) mod exact;

use std::fmt;

use common::dialect::Dialect;
use common::query::{AnswerBody, Via};
use common::session::{EndReason, Ending};

use super::cast::servent_at;
use super::outcome::RunOutcome;
use super::scene::{Asking, Scene};
use answer::{Allowance, HeardAnswers, ToldAnswer, ToldPlace};
use demand::Demand;
use ending::Mischief;

/// What is wrong with a query that waits for nothing.
pub(crate) const WAITS: &str = "went on after its contact had said that it is over, and nobody was to dial its client";

/// How many servents of a list are named.
const NAMED_MAX: usize = 20;

/// What is known of a query that has ended.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Facts<'a> {
    /// What was asked, and where.
    pub(crate) demand: Demand<'a>,
    /// What its client was told.
    pub(crate) heard: &'a HeardAnswers,
    /// What of it crossed links.
    pub(crate) crossed: Crossed,
    /// How it ended.
    pub(crate) ending: &'a Ending,
}

/// How often a query crossed a link.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Crossed {
    pub(crate) copies: u64,
    /// Those of them that went to neighbors who echo nothing.
    pub(crate) silent_copies: u64,
    /// Those of them behind which the client is dialled.
    pub(crate) dialled_copies: u64,
    pub(crate) echoes: u64,
}

impl Facts<'_> {
    /// Adds the query to the sums of its run.
    pub(crate) fn add_to(&self, outcome: &mut RunOutcome) {
        let tally = &self.ending.tally;
        // A hostile servent may have tallied anything; what cannot be is left out.
        let servents = self.demand.scene.graph.servents() as u64;
        let copies = self.crossed.copies;
        outcome.reached += tally.reached.min(servents);
        outcome.copies += tally.copies.min(copies);
        outcome.duplicates += tally.duplicates.min(copies);
        outcome.stopped += tally.stopped.clamp(0, i64::try_from(servents).unwrap_or(i64::MAX));
        outcome.lost += tally.lost.min(copies + servents);
        outcome.silent += tally.silent.min(copies);
        self.heard.add_to(outcome);
    }
}

/// An answer as `crowd` heard it.
#[derive(Clone, Debug)]
pub(crate) struct Answered {
    /// The servent it came from.
    pub(crate) from: usize,
    /// The links the query had crossed.
    pub(crate) hops: u8,
    /// Whether it went back the way the query came.
    pub(crate) via: Via,
    pub(crate) body: AnswerBody,
}

/// A query that is over on a healthy overlay, as `crowd` saw it.
#[derive(Debug)]
pub(crate) struct Judged<'a> {
    pub(crate) scene: &'a Scene,
    pub(crate) asking: Asking,
    /// What the client was told.
    pub(crate) answered: &'a [Answered],
    /// How it ended, if it did.
    pub(crate) ending: Option<&'a Ending>,
    /// What of it crossed links.
    pub(crate) crossed: Crossed,
    /// Whether it went on though its contact had said that it is over, and nobody was to dial its client.
    pub(crate) waits: bool,
}

/// Adds a query to the sums of its run, and whatever of it is not as it must be on a healthy overlay.
pub(crate) fn judge_healthy(asked: &Judged<'_>, outcome: &mut RunOutcome) {
    let Judged { scene, asking, answered, ending, crossed, waits } = *asked;
    let demand = Demand::new(scene, asking, Dialect::OWN);
    let mut heard = HeardAnswers::default();
    let mut wrong = Vec::new();
    for Answered { from, hops, via, body } in answered {
        let place = ToldPlace::of(body, servent_at);
        let answer = ToldAnswer { from: *from, hops: Some(*hops), via: *via, body, place: place.as_ref() };
        let faults = heard.take(&demand, &answer, Allowance::default());
        wrong.extend(faults.into_iter().map(|what| format!("the answer of s{from} {what}")));
    }
    let expected = demand.reached(demand.certain_ttl());
    let demanded = demand.answers(&expected);
    let missed = heard.missing(&demanded);
    outcome.expected += demanded.len() as u64;
    outcome.missed += missed.len() as u64;
    if let Some(ending) = ending {
        let facts = Facts { demand, heard: &heard, crossed, ending };
        facts.add_to(outcome);
        // Where all is exact, who is missed by one that is complete is missed by the oracle.
        let lied_of = match ending.reason {
            EndReason::Complete if !demand.is_exact() => {
                let ttl = demand.ttl_of_complete(&ending.tally, false);
                heard.missing(&demand.answers(&demand.reached(ttl)))
            }
            _ => Vec::new(),
        };
        outcome.untold += lied_of.len() as u64;
        wrong.extend(facts.what_the_ending_has_wrong(Mischief::default(), &missed, &lied_of));
        if demand.is_exact() {
            wrong.extend(facts.what_differs_from(&expected));
        }
    } else {
        heard.add_to(outcome);
        wrong.push("it did not end".to_owned());
    }
    outcome.waits += u64::from(waits);
    if waits {
        wrong.push(WAITS.to_owned());
    }
    outcome.broken.extend(wrong.into_iter().map(|what| {
        let Asking { number, contact, .. } = asking;
        format!("query {number} at contact {contact}: {what}")
    }));
}

/// Servents, of which the first are named.
struct Few<'a>(&'a [u32]);

impl fmt::Display for Few<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.0.split_at_checked(NAMED_MAX) {
            Some((first, rest)) if !rest.is_empty() => write!(f, "{first:?} and {} more", rest.len()),
            _ => write!(f, "{:?}", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use common::query::Tally;

    use super::*;
    use crate::plan::{Delays, Plan, Wire};

    /// The chain of three, without bytes.
    pub(super) fn chain() -> Scene {
        let scene = crate::scene::tests::chain();
        Scene { plan: Plan { wire: Wire::None, ..scene.plan }, ..scene }
    }

    /// What came of its query.
    #[derive(Clone)]
    struct Seen {
        scene: Scene,
        answered: Vec<Answered>,
        ending: Option<Ending>,
        crossed: Crossed,
        waits: bool,
    }

    impl Seen {
        fn well() -> Seen {
            let tally = Tally { reached: 3, answers: 1, copies: 2, is_dialled: true, ..Tally::default() };
            let ending = Ending {
                reason: EndReason::Complete,
                answers: 1,
                missing: 0,
                doubtful: false,
                tally,
                tally_told: true,
                elapsed: Duration::from_millis(50),
            };
            Seen {
                scene: chain(),
                answered: vec![Answered {
                    from: 2,
                    hops: 2,
                    via: Via::Direct,
                    body: AnswerBody::Value(b"of 2".to_vec()),
                }],
                ending: Some(ending),
                crossed: Crossed { copies: 2, dialled_copies: 2, silent_copies: 0, echoes: 2 },
                waits: false,
            }
        }

        fn judged(&self) -> RunOutcome {
            let Seen { scene, answered, ending, crossed, waits } = self;
            let asking = scene.queries[0];
            let mut outcome = RunOutcome::default();
            let (ending, crossed, waits) = (ending.as_ref(), *crossed, *waits);
            let judged = Judged { scene, asking, answered, ending, crossed, waits };
            judge_healthy(&judged, &mut outcome);
            outcome
        }
    }

    #[test]
    fn what_is_well_is_well_and_is_summed_up() {
        let outcome = Seen::well().judged();
        assert_eq!(outcome.broken, [""; 0]);
        assert_eq!((outcome.expected, outcome.missed, outcome.answers, outcome.doubled), (1, 0, 1, 0));
        assert_eq!((outcome.reached, outcome.copies, outcome.hops_sum, outcome.hops_most), (3, 2, 2, 2));
    }

    /// Each thing that must be so, and is not.
    #[test]
    fn whatever_is_not_as_it_must_be_is_noticed() {
        type Change = fn(&mut Seen, &mut Ending);
        let cases: [(Change, &str); 24] = [
            (|seen, _| seen.waits = true, WAITS),
            (|seen, _| seen.answered.clear(), "s2 did not answer"),
            (|seen, _| seen.answered.clear(), "missed [2]"),
            (|seen, _| seen.answered.push(seen.answered[0].clone()), "the answer of s2 came again"),
            (|seen, _| seen.answered[0].body = AnswerBody::Value(b"of 1".to_vec()), "the answer of s2 is not true"),
            (|seen, _| seen.answered[0].from = 1, "s1 answered from beyond the horizon"),
            (|seen, _| seen.answered[0].from = usize::MAX, "is not true"),
            (|seen, _| seen.answered[0].hops = 1, "s2 is 2 links away and was reached over 1"),
            (|seen, _| seen.answered[0].hops = 3, "s2 is 2 links away and was reached over 3"),
            (|seen, _| seen.answered[0].hops = 5, "came 5 hops far"),
            (|_, ending| ending.reason = EndReason::Silence, "it ended for Silence"),
            (|_, ending| ending.tally_told = false, "its tally does not say so"),
            (|_, ending| ending.doubtful = true, "doubtful true"),
            (|_, ending| ending.tally.reached = 2, "it reached 2, not 3"),
            (|_, ending| ending.tally.answers = 2, "2 answers told, 1 heard"),
            (|_, ending| ending.tally.lost = 1, "lost 1"),
            (|_, ending| ending.tally.silent = 1, "silent 1"),
            (|_, ending| ending.tally.stopped = 1, "stopped 1, not 0"),
            (|_, ending| ending.tally.is_dialled = false, "it says of 2 copies to be dialled for that there are none"),
            (|seen, _| seen.crossed.dialled_copies = 0, "it says of 0 copies to be dialled for that there are some"),
            (|_, ending| ending.tally.copies = 1, "1 copies, where 2 are the least"),
            (|_, ending| ending.tally.duplicates = 1, "1 duplicates of 2 copies"),
            (|seen, _| seen.crossed.echoes = 1, "1 echoes of 2 copies"),
            (|seen, _| seen.crossed.copies = 3, "2 copies told, 3 sent"),
        ];
        for (change, what) in cases {
            let mut seen = Seen::well();
            let mut ending = seen.ending.unwrap();
            change(&mut seen, &mut ending);
            seen.ending = Some(ending);
            let broken = seen.judged().broken;
            assert!(broken.iter().any(|text| text.contains(what)), "{what}: {broken:?}");
        }
        let broken = Seen { ending: None, ..Seen::well() }.judged().broken;
        assert_eq!(broken, ["query 0 at contact 0: it did not end"]);
    }

    #[test]
    fn what_comes_by_a_longer_way_is_well_where_copies_overtake_each_other() {
        let mut seen = Seen::well();
        seen.scene.plan.delays = Delays::Heavy;
        seen.answered[0].hops = 3;
        assert_eq!(seen.judged().broken, [""; 0]);
        seen.answered[0].hops = 1;
        assert_eq!(seen.judged().broken.len(), 1);
    }

    /// Whom the oracle does not reach for certain it does not demand, but for what one that is complete says of itself.
    #[test]
    fn a_ttl_that_others_cut_down_is_demanded_as_far_as_it_goes() {
        let mut seen = Seen::well();
        seen.scene.ttls = vec![15, 3, 3];
        seen.ending.as_mut().unwrap().tally.reached = 2;
        assert_eq!(seen.judged().broken, [""; 0]);
        seen.answered.clear();
        let broken = seen.judged().broken;
        assert!(broken[0].ends_with("and yet it missed [2]") && broken[1].contains("missed [2], which"), "{broken:?}");
    }

    #[test]
    fn of_many_servents_the_first_are_named() {
        let many: Vec<u32> = (0..25).collect();
        assert!(Few(&many).to_string().ends_with("18, 19] and 5 more"));
        assert!(Few(&many[..20]).to_string().ends_with("18, 19]"));
        assert_eq!(Few(&[2]).to_string(), "[2]");
    }
}
