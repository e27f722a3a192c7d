//! Where nothing goes wrong, everything is exactly as the oracle says: who answers, from how far, and every count.
//!
//! Nothing is said of a query of which the oracle does not know what it comes to.

use common::dialect::Dialect;
use common::query::Tally;
use common::session::EndReason;
use oracle::Demanded;

use super::Facts;
use crate::graph::number;
use crate::plan::Wire;

/// How many servents are told of that did not answer, or did and should not.
const ODD_MAX: usize = 5;

impl Facts<'_> {
    /// What is not as it must be where nothing goes wrong.
    pub(crate) fn what_is_not_exact(&self) -> Vec<String> {
        if !self.demand.is_exact() {
            return Vec::new();
        }
        self.what_differs_from(&self.demand.reached(self.demand.ttl))
    }

    /// What is not as the oracle says.
    pub(super) fn what_differs_from(&self, expected: &Demanded) -> Vec<String> {
        let mut wrong = Vec::new();
        self.judge_who_answered(expected, &mut wrong);
        self.judge_ways(expected, &mut wrong);
        // A TP3 client is told nothing of the rest.
        if self.demand.dialect == Dialect::OWN {
            self.judge_counts(expected, &mut wrong);
        }
        wrong
    }

    fn judge_who_answered(&self, expected: &Demanded, wrong: &mut Vec<String>) {
        let demanded = self.demand.answers(expected);
        let mut odd_count = 0;
        for servent in 0..number(self.demand.scene.graph.servents()) {
            let what = match (demanded.binary_search(&servent).is_ok(), self.heard.has(servent)) {
                (true, false) => "did not answer",
                (false, true) => "answered from beyond the horizon",
                _ => continue,
            };
            odd_count += 1;
            if odd_count <= ODD_MAX {
                wrong.push(format!("s{servent} {what}"));
            }
        }
        if odd_count > ODD_MAX {
            wrong.push(format!("and so for {} more", odd_count - ODD_MAX));
        }
    }

    /// No answer comes from nearer than its servent is. Behind a TP3 link nobody knows how far a copy has come.
    fn judge_ways(&self, expected: &Demanded, wrong: &mut Vec<String>) {
        let scene = self.demand.scene;
        if !scene.faults.is_empty() || !matches!(scene.plan.wire, Wire::None | Wire::Native) {
            return;
        }
        for (from, hops) in self.heard.ways() {
            let Some(hops) = hops.map(u32::from) else { continue };
            let least = expected.distances.get(*from).copied().unwrap_or(u32::MAX);
            if hops < least || self.demand.is_even() && hops > least {
                wrong.push(format!("s{from} is {least} links away and was reached over {hops}"));
            }
        }
    }

    fn judge_counts(&self, expected: &Demanded, wrong: &mut Vec<String>) {
        let Tally { reached, answers, copies, duplicates, stopped, lost, silent, spoilt, answer_sum: _, is_dialled } =
            self.ending.tally;
        let super::Crossed { copies: sent, silent_copies, dialled_copies, echoes } = self.crossed;
        let is_even = self.demand.is_even();
        let mut demand = |is: bool, what: String| {
            if !is {
                wrong.push(what);
            }
        };
        let echoed_copies = sent - silent_copies;
        demand(echoes == echoed_copies, format!("{echoes} echoes of {echoed_copies} copies"));
        demand((lost, spoilt) == (0, 0), format!("lost {lost}, spoilt {spoilt}"));
        // What lies behind a neighbor that echoes nothing is known to nobody.
        let reason = if silent_copies == 0 { EndReason::Complete } else { EndReason::Silence };
        demand(self.ending.reason == reason, format!("it ended for {:?}", self.ending.reason));
        demand((silent > 0) == (silent_copies > 0), format!("silent {silent} of {silent_copies}"));
        let some = if is_dialled { "some" } else { "none" };
        demand(
            is_dialled == (dialled_copies > 0),
            format!("it says of {dialled_copies} copies to be dialled for that there are {some}"),
        );
        if silent_copies > 0 {
            return;
        }
        demand(reached == expected.reached, format!("it reached {reached}, not {}", expected.reached));
        let heard = self.heard.count();
        demand(answers == heard, format!("{answers} answers told, {heard} heard"));
        demand(u64::try_from(stopped) == Ok(expected.stopped), format!("stopped {stopped}, not {}", expected.stopped));
        let is_right = if is_even { copies == expected.copies } else { copies >= expected.copies };
        demand(is_right, format!("{copies} copies, where {} are the least", expected.copies));
        let new_count = expected.reached.saturating_sub(1);
        let least = copies.saturating_sub(new_count);
        let is_right = if is_even { duplicates == least } else { duplicates <= least };
        demand(is_right, format!("{duplicates} duplicates of {copies} copies"));
        demand(sent == copies, format!("{copies} copies told, {sent} sent"));
    }
}
