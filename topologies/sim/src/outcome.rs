//! What came of a run, as its engine saw it; how it is shown is for whoever runs it.

use std::time::Duration;

/// What came of a run.
#[derive(Clone, Debug, Default)]
pub struct RunOutcome {
    /// Links of the run.
    pub links: usize,
    /// Queries asked.
    pub queries: usize,
    /// Answers the oracle demands, over all queries.
    pub expected: u64,
    /// Answers it demands that did not come.
    pub missed: u64,
    /// Answers that did not come to queries that ended as complete, though whoever gives them was there all the while, or gave
    /// them.
    pub untold: u64,
    /// Answers that came again from the same servent.
    pub doubled: u64,
    /// Queries none of whose copies has anybody dial the client, and that went on after their contact had said that they are
    /// over.
    pub waits: u64,
    /// The tallies of all queries, as their contacts told them, added up.
    pub reached: u64,
    /// As `reached`.
    pub copies: u64,
    /// As `reached`.
    pub duplicates: u64,
    /// Echoes that crossed a link.
    pub echoes: u64,
    /// As `reached`.
    pub lost: u64,
    /// As `reached`.
    pub stopped: i64,
    /// As `reached`.
    pub silent: u64,
    /// Answers that came.
    pub answers: u64,
    /// Those of them that went back the way the query came.
    pub brought: u64,
    /// Those of them that came when their query was over, of which it had said that something is lost.
    pub late: u64,
    /// Links crossed to the servents that answered, added up over the answers.
    pub hops_sum: u64,
    /// The most links crossed to one of them.
    pub hops_most: u8,
    /// Things that happened: a message or some bytes arrived, a deadline came, a fault struck.
    pub events: u64,
    /// How long it took, by the clock of the simulated network.
    pub simulated: Duration,
    /// How long it took the machine that ran it, from the first query to the last. This and the next are the only
    /// figures here that the seed does not decide.
    pub seconds: f64,
    /// How long a bare queue and set took for the same floods, if that was asked for.
    pub bare_seconds: Option<f64>,
    /// What one idle, linked servent holds in memory, on average.
    pub bytes_per_servent: u64,
    /// A hash over everything that happened, in its order.
    pub trace_hash: u64,
    /// What servents knew of each other, where it was watched.
    pub members: Option<MembersOutcome>,
    /// What came of fetching contents, where there were any to be fetched.
    pub contents: Option<ContentsOutcome>,
    /// What came of writes, where anything was to be written.
    pub writes: Option<WritesOutcome>,
    /// The invariants that broke, each with when and where. Empty for a run that is well.
    pub broken: Vec<String>,
}

/// What came of fetching contents.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct ContentsOutcome {
    /// How many fetches there were.
    pub fetches: u64,
    /// Those of them that came to a whole file.
    pub whole: u64,
    /// Those for which somebody was missing who has all.
    pub missing: u64,
    /// Those whose file could not be written.
    pub unwritten: u64,
    /// Those that would have gone on for ever with somebody who says little at a time.
    pub unended: u64,
    /// How often all of them were begun, and cut short.
    pub lives: u64,
    /// As `lives`.
    pub cuts: u64,
    /// How often a holder was dropped because it lied.
    pub false_holders: u64,
    /// Bytes of blocks that came.
    pub came_bytes: u64,
    /// Those of them that were of no use.
    pub wasted_bytes: u64,
}

/// What came of writes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct WritesOutcome {
    /// How many servents heard.
    pub heard: u64,
    /// Of how many they said what came of them.
    pub told: u64,
    /// Those of these that changed something.
    pub changed: u64,
    /// How often something was put on a disk.
    pub commits: u64,
    /// How often that came to nothing.
    pub failures: u64,
    /// How often a servent that keeps something was started.
    pub starts: u64,
    /// How often one was told what a key is that it watches.
    pub changes: u64,
    /// How often those who write were answered.
    pub answers: u64,
    /// How many fetches under way were told that they are over, since what they fetched was published no more.
    pub withdrawn: u64,
}

/// What came of telling each other who is there.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MembersOutcome {
    /// After how many seconds half of all who live knew of half of all who died that they are dead: of all pairs of one who
    /// lives and one who died, the one in the middle. Nothing where nobody died. Whoever is cut off by a split meanwhile is counted
    /// as well, and hears it late.
    pub noticed_p50_s: Option<f64>,
    /// The same of 999 in 1,000 pairs.
    pub noticed_p999_s: Option<f64>,
    /// How often one called another dead who lived, ran, and could be known to: each pair counts once.
    pub false_alarms: u64,
    /// In how many pairs the one does not know in the end how it is with the other.
    pub wrong_words: u64,
    /// After how many seconds all words were right, when the last thing that goes wrong was over; nothing where they never
    /// were.
    pub healed_s: Option<f64>,
    /// What one servent with as many neighbors as was said wrote in a second while nothing was asked and nothing went wrong, in
    /// bytes.
    pub bytes_s: f64,
    /// How often one servent dialled, from when all knew each other to the end.
    pub dials_per_servent: f64,
    /// How long all servents together were watched.
    pub servent_hours: f64,
    /// What came of greetings, where clients were to have servents greeted.
    pub greetings: Option<GreetingCounts>,
}

/// What came of it that clients had a servent greeted. Whoever is in none of the others was not told: it waited no longer, or its
/// contact was gone.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GreetingCounts {
    /// How often a contact was asked to greet somebody.
    pub asked: u64,
    /// A servent was there.
    pub met: u64,
    /// Its machine refused the connection.
    pub refused: u64,
    /// Nobody answered.
    pub unreached: u64,
    /// The contact had no place left for it, or was greeting the same one already.
    pub busy: u64,
}
