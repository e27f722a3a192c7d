//! What a run of the client came to, and the exit code that says so.

use std::io;

use common::member::{GreetOutcome, Greeted};
use common::session::{EndReason, Ending, GreetEnd, ListingEnd, WatchEnd, WriteEnd};
use common::write::WriteOutcome;

use crate::{AskError, ConnectError};

/// What a run came to, the worst that happened in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Every query was answered, and nothing is missing.
    Answered,
    /// Nobody has what some query asked for, or somebody was asked for what it does not do.
    Unanswered,
    /// The command line or a command made no sense.
    Usage,
    /// There is no servent to ask, or to greet.
    Unreachable,
    /// The contact went away.
    ContactLost,
    /// Of some query answers are missing, or something of it was lost on its way, or somebody else answered.
    Incomplete,
    /// This machine failed: its output, its descriptors, its ports.
    MachineFailed,
    /// Stopped by Ctrl-C.
    Interrupted,
    /// Nobody reads our output any more.
    OutputClosed,
}

impl Outcome {
    pub(crate) fn exit_code(self) -> u8 {
        match self {
            Outcome::Answered => 0,
            Outcome::Unanswered => 1,
            Outcome::Usage => 2,
            Outcome::Unreachable => 3,
            Outcome::ContactLost => 4,
            Outcome::Incomplete => 5,
            Outcome::MachineFailed => 6,
            // What a shell reports of a program ended by SIGINT or SIGPIPE.
            Outcome::Interrupted => 130,
            Outcome::OutputClosed => 141,
        }
    }

    /// What a query came to. A query of a contact that went away before it could report is not called incomplete as
    /// well: what is the matter is that the contact is lost.
    pub(crate) fn of_query(ending: &Ending, contact_lost: bool) -> Outcome {
        let is_blamed_on_contact = contact_lost && !ending.tally_told;
        match ending.reason {
            EndReason::Cancelled => Outcome::Interrupted,
            // What came is all that was wanted.
            EndReason::Answers => Outcome::Answered,
            // What the contact does not understand is lost there, as it would be at any other servent.
            EndReason::Complete | EndReason::Incomplete | EndReason::Silence | EndReason::NotUnderstood => {
                if is_blamed_on_contact {
                    Outcome::ContactLost
                } else if ending.missing > 0 || ending.doubtful || ending.tally.lost > 0 {
                    Outcome::Incomplete
                } else if ending.answers == 0 {
                    Outcome::Unanswered
                } else {
                    Outcome::Answered
                }
            }
        }
    }

    /// What a listing of members came to.
    pub(crate) fn of_listing(reason: ListingEnd) -> Outcome {
        match reason {
            ListingEnd::Complete => Outcome::Answered,
            ListingEnd::Cancelled => Outcome::Interrupted,
            ListingEnd::ContactLost => Outcome::ContactLost,
            // What the contact does not understand is lost there, as a query is.
            ListingEnd::Silence | ListingEnd::Disordered | ListingEnd::NotUnderstood => Outcome::Incomplete,
        }
    }

    /// What it came to that a servent was to be greeted.
    pub(crate) fn of_greeting(end: GreetEnd) -> Outcome {
        match end {
            GreetEnd::Itself => Outcome::Answered,
            GreetEnd::Told(Greeted { outcome, .. }) => match outcome {
                GreetOutcome::Met => Outcome::Answered,
                GreetOutcome::Refused | GreetOutcome::Unreached => Outcome::Unreachable,
                GreetOutcome::NotAllowed => Outcome::Unanswered,
                // It makes sense, and was not done.
                GreetOutcome::Busy => Outcome::Incomplete,
            },
            GreetEnd::Cancelled => Outcome::Interrupted,
            GreetEnd::ContactLost => Outcome::ContactLost,
            GreetEnd::Silence | GreetEnd::NotUnderstood => Outcome::Incomplete,
        }
    }

    /// What it came to that the contact was to keep something.
    pub(crate) fn of_write(end: WriteEnd) -> Outcome {
        match end {
            WriteEnd::Told(WriteOutcome::Stored | WriteOutcome::Replaced | WriteOutcome::Deleted) => Outcome::Answered,
            // Whoever keeps it said that nobody is told anything else because of it.
            WriteEnd::Told(WriteOutcome::Absent | WriteOutcome::Present | WriteOutcome::Refused(_))
            | WriteEnd::NotAccepted => Outcome::Unanswered,
            WriteEnd::Cancelled => Outcome::Interrupted,
            WriteEnd::ContactLost | WriteEnd::NoContact => Outcome::ContactLost,
            WriteEnd::Silence | WriteEnd::NotUnderstood => Outcome::Incomplete,
        }
    }

    /// What a watch came to. It is never over by itself.
    pub(crate) fn of_watch(end: WatchEnd) -> Outcome {
        match end {
            WatchEnd::Cancelled => Outcome::Interrupted,
            WatchEnd::ContactLost => Outcome::ContactLost,
            WatchEnd::NotUnderstood => Outcome::Incomplete,
        }
    }

    /// What a query came to that was not asked.
    pub(crate) fn of_refusal(error: &AskError) -> Outcome {
        match error {
            AskError::NotAKey(_) | AskError::NotAFileName(_) | AskError::NotSayable(_) => Outcome::Usage,
            // Nobody keeps it.
            AskError::ValueTooLong(_) | AskError::DescriptionTooLong(_) => Outcome::Unanswered,
            AskError::ContactLost => Outcome::ContactLost,
            // It makes sense, and every answer to it is missing.
            AskError::TooManyPending(_)
            | AskError::ListingPending(_)
            | AskError::GreetingPending(_)
            | AskError::FilesPending(_)
            | AskError::TooManyWrites(_)
            | AskError::TooManyWatches(_)
            | AskError::Busy => Outcome::Incomplete,
        }
    }

    /// What a run came to that an error ended.
    pub(crate) fn of_error(error: &anyhow::Error) -> Outcome {
        let causes = || error.chain().filter_map(|cause| cause.downcast_ref::<io::Error>());
        if causes().any(|cause| cause.kind() == io::ErrorKind::BrokenPipe) {
            // Of all that is written only stdout ends a run.
            Outcome::OutputClosed
        } else {
            match error.downcast_ref() {
                Some(ConnectError::NotAContact(_) | ConnectError::NoWayBack { .. }) => Outcome::Usage,
                Some(ConnectError::NoServent { .. }) => Outcome::Unreachable,
                Some(ConnectError::Interrupted { .. }) => Outcome::Interrupted,
                _ => Outcome::MachineFailed,
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use anyhow::Context;
    use common::query::Tally;
    use rustix::io::Errno;
    use std::time::Duration;

    const ALL: [Outcome; 9] = [
        Outcome::Answered,
        Outcome::Unanswered,
        Outcome::Usage,
        Outcome::Unreachable,
        Outcome::ContactLost,
        Outcome::Incomplete,
        Outcome::MachineFailed,
        Outcome::Interrupted,
        Outcome::OutputClosed,
    ];

    #[test]
    fn the_highest_exit_code_is_that_of_the_worst() {
        assert_eq!(ALL.map(Outcome::exit_code), [0, 1, 2, 3, 4, 5, 6, 130, 141]);
        assert!(ALL.is_sorted());
    }

    fn ending(reason: EndReason, answers: u64, missing: u64, told: Option<Tally>) -> Ending {
        let untold = Tally { answers, reached: answers, ..Tally::default() };
        let tally = told.unwrap_or(untold);
        Ending { reason, answers, missing, doubtful: false, tally, tally_told: told.is_some(), elapsed: Duration::ZERO }
    }

    #[test]
    fn what_each_end_of_a_query_comes_to() {
        use EndReason::{Answers, Cancelled, Complete, Incomplete, NotUnderstood, Silence};
        let told = |answers| Tally { answers, reached: 3, ..Tally::default() };
        let untold = |lost, silent| Tally { lost, silent, ..Tally::default() };
        for (ending, expected) in [
            (ending(Complete, 2, 0, Some(told(2))), Outcome::Answered),
            (ending(Complete, 0, 0, Some(told(0))), Outcome::Unanswered),
            // The TTL ended it: that is how far was asked.
            (ending(Complete, 0, 0, Some(Tally { stopped: 2, ..told(0) })), Outcome::Unanswered),
            (ending(Complete, 1, 0, Some(Tally { stopped: 2, ..told(1) })), Outcome::Answered),
            // Some neighbors cannot report.
            (ending(Silence, 1, 0, Some(Tally { silent: 2, ..told(1) })), Outcome::Answered),
            (ending(Silence, 0, 0, Some(Tally { silent: 2, ..told(0) })), Outcome::Unanswered),
            (ending(Silence, 1, 1, Some(Tally { silent: 2, ..told(2) })), Outcome::Incomplete),
            (ending(Silence, 1, 1, Some(told(2))), Outcome::Incomplete),
            (ending(Silence, 0, 1, Some(told(1))), Outcome::Incomplete),
            // The same where all that goes back has come.
            (ending(Incomplete, 1, 1, Some(told(2))), Outcome::Incomplete),
            (ending(Incomplete, 0, 1, Some(told(1))), Outcome::Incomplete),
            (ending(Incomplete, 2, 0, Some(Tally { lost: 1, ..told(2) })), Outcome::Incomplete),
            (ending(Incomplete, 1, 0, Some(Tally { silent: 1, ..told(1) })), Outcome::Answered),
            (Ending { doubtful: true, ..ending(Incomplete, 1, 0, Some(told(1))) }, Outcome::Incomplete),
            // As many came as were sent, and not those.
            (Ending { doubtful: true, ..ending(Silence, 1, 0, Some(told(1))) }, Outcome::Incomplete),
            (ending(Silence, 2, 0, Some(Tally { lost: 1, ..told(2) })), Outcome::Incomplete),
            (ending(Silence, 0, 0, Some(Tally { lost: 1, ..told(0) })), Outcome::Incomplete),
            (ending(Answers, 1, 0, Some(Tally { lost: 1, ..told(7) })), Outcome::Answered),
            (ending(Answers, 1, 0, None), Outcome::Answered),
            (ending(Cancelled, 1, 6, Some(told(7))), Outcome::Interrupted),
            (Ending { tally: untold(1, 0), ..ending(NotUnderstood, 0, 0, None) }, Outcome::Incomplete),
        ] {
            for contact_lost in [false, true] {
                let outcome = Outcome::of_query(&ending, contact_lost);
                assert!(outcome == expected || (contact_lost && !ending.tally_told), "{ending:?}: {outcome:?}");
            }
        }
        // No report came: it is lost, unless the contact cannot report.
        for (tally, answers, contact_lost, expected) in [
            (untold(1, 0), 0, false, Outcome::Incomplete),
            (untold(1, 0), 2, false, Outcome::Incomplete),
            (untold(1, 0), 0, true, Outcome::ContactLost),
            (untold(1, 0), 2, true, Outcome::ContactLost),
            (untold(0, 1), 0, false, Outcome::Unanswered),
            (untold(0, 1), 2, false, Outcome::Answered),
            (untold(0, 1), 2, true, Outcome::ContactLost),
        ] {
            let ending = Ending { tally, tally_told: false, ..ending(Silence, answers, 0, Some(tally)) };
            assert_eq!(Outcome::of_query(&ending, contact_lost), expected, "{ending:?}");
        }
    }

    #[test]
    fn what_each_end_of_a_listing_comes_to() {
        use ListingEnd::{Cancelled, Complete, ContactLost, Disordered, NotUnderstood, Silence};
        let codes = [Complete, ContactLost, Silence, Disordered, NotUnderstood, Cancelled]
            .map(|reason| Outcome::of_listing(reason).exit_code());
        assert_eq!(codes, [0, 4, 5, 5, 5, 130]);
    }

    #[test]
    fn what_each_end_of_a_greeting_comes_to() {
        use GreetEnd::{Cancelled, ContactLost, Itself, NotUnderstood, Silence};
        let address = "127.0.0.1:9003".parse().unwrap();
        let told = GreetOutcome::ALL.map(|outcome| {
            GreetEnd::Told(Greeted { address, outcome, was: None, now: None, new_count: 0, took: Duration::ZERO })
        });
        assert_eq!(told.map(|end| Outcome::of_greeting(end).exit_code()), [0, 3, 3, 1, 5]);
        let codes =
            [Itself, ContactLost, Silence, NotUnderstood, Cancelled].map(|end| Outcome::of_greeting(end).exit_code());
        assert_eq!(codes, [0, 4, 5, 5, 130]);

        let page = include_str!("../../../README.md").split("### Who is there").nth(1).unwrap();
        let rows: Vec<(&str, &str)> = page
            .split_once("| `outcome` | exit code |")
            .and_then(|(_, table)| table.split_once("\n|---"))
            .map(|(_, table)| table.lines().skip(1).take_while(|line| line.starts_with('|')))
            .unwrap()
            .map(|row| row.split(" | ").collect::<Vec<_>>())
            .map(|cells| (cells[1].trim_matches('`'), cells[2]))
            .collect();
        let ends: Vec<GreetEnd> =
            told.into_iter().chain([Itself, ContactLost, Silence, NotUnderstood, Cancelled]).collect();
        for end in &ends {
            let row = (end.word(), &*Outcome::of_greeting(*end).exit_code().to_string());
            assert_eq!(rows.iter().filter(|shown| **shown == row).count(), 1, "README lacks {row:?}: {rows:?}");
        }
        assert_eq!(rows.len(), ends.len());
    }

    #[test]
    fn what_a_query_comes_to_that_was_not_asked() {
        let no_key = common::key::Key::new(b"").unwrap_err();
        assert_eq!(Outcome::of_refusal(&no_key.into()), Outcome::Usage);
        assert_eq!(Outcome::of_refusal(&AskError::Busy), Outcome::Incomplete);
        assert_eq!(Outcome::of_refusal(&common::session::TooManyPending.into()), Outcome::Incomplete);
        assert_eq!(Outcome::of_refusal(&AskError::ContactLost), Outcome::ContactLost);
    }

    #[test]
    fn what_each_error_comes_to() {
        let of = |error: anyhow::Error| Outcome::of_error(&error);
        let io = |errno: Errno| io::Error::from_raw_os_error(errno.raw_os_error());
        assert_eq!(of(io(Errno::PIPE).into()), Outcome::OutputClosed);
        assert_eq!(of(io(Errno::NOSPC).into()), Outcome::MachineFailed);
        assert_eq!(
            of(Err::<(), _>(io(Errno::ADDRINUSE)).context("no answer address").unwrap_err()),
            Outcome::MachineFailed
        );
        let unresolved = |contact: &str| {
            ConnectError::unresolved(contact, servent::sockets::resolve(contact).expect_err("it stands for nothing"))
        };
        assert_eq!(of(unresolved("no contact").into()), Outcome::Usage);
        assert_eq!(of(ConnectError::NoWayBack { contact: "tp3://h:1".to_owned() }.into()), Outcome::Usage);
        assert_eq!(of(unresolved("[fe80::1%nothing9]:1").into()), Outcome::Unreachable);
        assert_eq!(of(ConnectError::no_servent("nowhere:1", "refused").into()), Outcome::Unreachable);
        assert_eq!(of(ConnectError::interrupted("nowhere:1", "refused").into()), Outcome::Interrupted);
        assert_eq!(of(ConnectError::machine("cannot connect")(io(Errno::MFILE)).into()), Outcome::MachineFailed);
    }
}
