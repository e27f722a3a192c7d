//! What an ending claims, and must hold whatever befell the overlay.
//!
//! - One that is complete has a tally that is whole and heard every holder that the oracle demands of the links that stood
//!   all the while. None of its copies went to a neighbor that echoes nothing, who tells nobody what came of it, and it was
//!   told no answer of somebody whom its contact does not count.
//! - Nobody is missed whom no fault had anything to do with, however it ended.
//! - A client doubts an ending where it was told such an answer and could know, and where nobody lies it never does.
//!
//! Who is demanded of it is given: which links stood, and which faults struck, is known to the engine.

use common::session::EndReason;

use super::{Facts, Few};
use crate::plan::Wire;

/// What somebody who means no good did about a query; nothing by default.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Mischief {
    /// It was forged or said again: what is told to the forger's copies is missing in its tally.
    pub(crate) is_forged: bool,
    /// Its client was told an answer of nobody whom its contact counts.
    pub(crate) is_lied_to: bool,
    /// Somebody is there who may tell a client anything.
    pub(crate) may_doubt: bool,
}

impl Facts<'_> {
    /// What an ending claims and is not so. `missed` are those who gave no answer though no fault had anything to do with
    /// them, `lied_of` those who stood all the while, as far as one that is complete says that it heard all of these.
    pub(crate) fn what_the_ending_has_wrong(&self, mischief: Mischief, missed: &[u32], lied_of: &[u32]) -> Vec<String> {
        let ending = self.ending;
        let is_complete = ending.reason == EndReason::Complete;
        let silent_copies = if mischief.is_forged { 0 } else { self.crossed.silent_copies };
        // Where nobody but those who say who they are can answer, all that came is known to be of somebody.
        let is_all_named = matches!(self.demand.scene.plan.wire, Wire::None | Wire::Native);
        let has_all = ending.tally_told && ending.tally.is_whole() && ending.answers >= ending.tally.answers;
        let is_over = matches!(ending.reason, EndReason::Silence | EndReason::Incomplete);
        let must_doubt = is_all_named && mischief.is_lied_to && has_all && is_over;
        let mut wrong = Vec::new();
        if is_complete && !(has_all && ending.missing == 0) {
            wrong.push(format!("ends as complete, and its tally does not say so: {:?}", ending.tally));
        }
        if is_complete && mischief.is_lied_to {
            wrong.push("ends as complete, with an answer of nobody whom its contact counts".to_owned());
        }
        if ending.doubtful != must_doubt && (must_doubt || !mischief.may_doubt) {
            wrong.push(format!("ends with doubtful {}: {ending:?}", ending.doubtful));
        }
        if is_complete && silent_copies > 0 {
            wrong.push(format!("ends as complete, and {silent_copies} of its copies went where nobody echoes"));
        }
        if is_complete && !lied_of.is_empty() {
            wrong.push(format!("ends as complete, and yet it missed {}", Few(lied_of)));
        }
        // Whatever befell others: a servent that can be reached without them is never lost.
        if !missed.is_empty() {
            wrong.push(format!("missed {}, which no fault had anything to do with", Few(missed)));
        }
        wrong
    }
}
