//! How a query ends, as its asker is told.
//!
//! What ends one is decided by the mind.

use std::time::Duration;

use crate::query::Tally;

/// How a query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Ending {
    /// What ended it.
    pub reason: EndReason,
    /// How many answers came.
    pub answers: u64,
    /// How many answers the contact said were sent that did not come. Nothing is missing where no more were wanted.
    pub missing: u64,
    /// Whether as many answers came as the contact said were sent, or more, and yet not those: somebody brought one in the
    /// name of a servent that gave none. What a servent gave may be missing then, however many came.
    pub doubtful: bool,
    /// What the contact told about the flood. Where it did not come to that, the little that is certain: the answers
    /// were sent by as many servents, and a contact that should have reported and did not, or could not be asked, counts
    /// as lost.
    pub tally: Tally,
    /// Whether `tally` is the contact's word.
    pub tally_told: bool,
    /// Since the query was asked, as the client counts time: not while whoever has it is busy with what it told.
    pub elapsed: Duration,
}

/// Why a query ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum EndReason {
    /// The flood is over and every answer it sent has come, and no other: the contact has said so, its tally is whole and
    /// the servents whose answers came are those it counts. Servents that the TTL kept the query from were not asked ([`Tally::stopped`] counts where).
    Complete,
    /// The flood is over, and no answer is on its way any more that the contact knows of, since none was dialled; but something
    /// was lost of it, or more answers were sent than came, or others came.
    Incomplete,
    /// No answer came for as long as the client waits. The contact has not reported, or told of something lost, which may
    /// still have answered, or of more answers than came, or of others.
    Silence,
    /// As many answers came as were wanted.
    Answers,
    /// Nobody wanted it any more.
    Cancelled,
    /// It was not asked: the contact did not offer what it takes to understand it.
    NotUnderstood,
}

impl EndReason {
    /// Its name for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            EndReason::Complete => "complete",
            EndReason::Incomplete => "incomplete",
            EndReason::Silence => "silence",
            EndReason::Answers => "answers",
            EndReason::Cancelled => "interrupted",
            EndReason::NotUnderstood => "not_understood",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_json_finds_the_reasons_by_the_names_they_have() {
        for (reason, name) in [
            (EndReason::Complete, "complete"),
            (EndReason::Incomplete, "incomplete"),
            (EndReason::Silence, "silence"),
            (EndReason::Answers, "answers"),
            (EndReason::Cancelled, "interrupted"),
            (EndReason::NotUnderstood, "not_understood"),
        ] {
            assert_eq!(reason.word(), name);
        }
    }
}
