//! What a run of the client came to, and the exit code that says so.

/// What a run came to, the worst that happened in it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Outcome {
    /// Every query was answered.
    Answered,
    /// Some query had no answer.
    Unanswered,
    /// The command line or a command made no sense.
    Usage,
    /// There is no servent to ask.
    Unreachable,
    /// The contact went away.
    ContactLost,
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
            // What a shell reports of a program ended by SIGINT or SIGPIPE.
            Outcome::Interrupted => 130,
            Outcome::OutputClosed => 141,
        }
    }
}
