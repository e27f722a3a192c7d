//! What came of runs, for a person and for a program: a table, or JSON lines.
//!
//! Nothing printed here depends on the machine, but for `seconds` in JSON and what is said of speed, which is for
//! stderr. What came of a run is not judged here.

use common::counted::{counted, grouped};
use std::fmt;
use std::io::{self, Write};
use std::time::Duration;

use serde::Serialize;

use sim::outcome::{ContentsOutcome, GreetingCounts, MembersOutcome, RunOutcome, WritesOutcome};
use sim::plan::Plan;
use sim::scene::Scene;

/// One run, as it is shown: what a field is called is what it is in [`Plan`] or in [`RunOutcome`], unless it is said to be
/// something else. The fields stand in the order of the JSON object.
#[allow(missing_docs)]
#[derive(Clone, Debug, Serialize)]
pub struct ShownRun {
    pub shape: String,
    /// How many servents there are, without those left out.
    pub servents: usize,
    pub links: usize,
    pub ttl: u8,
    pub queries: usize,
    pub seed: u64,
    pub delays: String,
    pub faults: String,
    pub wire: String,
    pub via: String,
    pub expected: u64,
    pub answers: u64,
    pub brought: u64,
    pub missed: u64,
    pub untold: u64,
    pub late: u64,
    pub doubled: u64,
    pub waits: u64,
    pub reached: u64,
    pub copies: u64,
    pub duplicates: u64,
    pub echoes: u64,
    pub lost: u64,
    pub events: u64,
    /// To the microsecond.
    pub seconds: f64,
    /// To the microsecond; left out where it was not asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub bare_seconds: Option<f64>,
    pub bytes_per_servent: u64,
    /// As 16 hexadecimal digits: not every reader of JSON has numbers of 64 bits.
    pub trace_hash: String,
    pub degree: usize,
    /// How many servents hold the key.
    pub holders: usize,
    pub stopped: i64,
    pub silent: u64,
    /// Links crossed to a servent that answered, on average; 0 where none did.
    pub hops_mean: f64,
    pub hops_most: u8,
    /// How long the run took by its own clock.
    pub simulated_ms: u64,
    /// Left out where it was not watched who is known to be there.
    #[serde(flatten)]
    pub members: Option<ShownMembers>,
    /// Left out where nothing was to be fetched.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub contents: Option<ShownContents>,
    /// Left out where nothing was to be written.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub writes: Option<WritesShown>,
    pub broken: Vec<String>,
    /// What runs the same again.
    pub command: String,
    /// What runs the smallest run that still fails, where one was looked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub smallest: Option<String>,
    /// Where that was written down.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub kept: Option<String>,
}

/// What came of watching who is known to be there: each as in [`MembersOutcome`], to the millisecond, or to a tenth.
#[allow(missing_docs)]
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct ShownMembers {
    pub noticed_p50_s: Option<f64>,
    pub noticed_p999_s: Option<f64>,
    pub false_alarms: u64,
    pub wrong_words: u64,
    pub healed_s: Option<f64>,
    pub bytes_s: f64,
    pub dials_per_servent: f64,
    pub servent_hours: f64,
    #[serde(skip_serializing_if = "Option::is_none")]
    pub greetings: Option<ShownGreetings>,
    /// Whether anything went wrong: else there is nothing since which they could be right.
    #[serde(skip)]
    has_faults: bool,
}

/// What came of fetching contents: each as in [`ContentsOutcome`].
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ShownContents {
    pub fetches: u64,
    pub whole: u64,
    pub missing: u64,
    pub unwritten: u64,
    pub unended: u64,
    pub lives: u64,
    pub cuts: u64,
    pub false_holders: u64,
    pub came_bytes: u64,
    pub wasted_bytes: u64,
}

/// What came of writes: each as in [`WritesOutcome`].
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct WritesShown {
    pub heard: u64,
    pub told: u64,
    pub changed: u64,
    pub commits: u64,
    pub failures: u64,
    pub starts: u64,
    pub changes: u64,
    pub answers: u64,
    pub withdrawn: u64,
}

impl From<WritesOutcome> for WritesShown {
    fn from(outcome: WritesOutcome) -> WritesShown {
        let WritesOutcome { heard, told, changed, commits, failures, starts, .. } = outcome;
        let WritesOutcome { changes, answers, withdrawn, .. } = outcome;
        WritesShown { heard, told, changed, commits, failures, starts, changes, answers, withdrawn }
    }
}

impl fmt::Display for WritesShown {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let WritesShown { heard, told, changed, commits, failures, starts, .. } = *self;
        write!(f, "of {} {} answered, {} changed something", counted(heard, "write"), grouped(told), grouped(changed))?;
        write!(f, "; {}, {} in vain; {}", counted(commits, "commit"), grouped(failures), counted(starts, "start"))?;
        write!(f, "; {}, {}", counted(self.changes, "told change"), counted(self.answers, "answer"))?;
        if self.withdrawn > 0 {
            write!(f, "; {} withdrawn", counted(self.withdrawn, "fetch"))?;
        }
        Ok(())
    }
}

impl From<ContentsOutcome> for ShownContents {
    fn from(outcome: ContentsOutcome) -> ShownContents {
        let ContentsOutcome { fetches, whole, missing, unwritten, unended, lives, cuts, .. } = outcome;
        let ContentsOutcome { false_holders, came_bytes, wasted_bytes, .. } = outcome;
        ShownContents {
            fetches,
            whole,
            missing,
            unwritten,
            unended,
            lives,
            cuts,
            false_holders,
            came_bytes,
            wasted_bytes,
        }
    }
}

impl fmt::Display for ShownContents {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShownContents { fetches, whole, missing, unwritten, unended, cuts, false_holders, .. } = *self;
        write!(f, "of {} {} whole", counted(fetches, "fetch"), grouped(whole))?;
        for (number, word) in [(missing, "missing"), (unwritten, "unwritten"), (unended, "unended")] {
            if number > 0 {
                write!(f, ", {} {word}", grouped(number))?;
            }
        }
        write!(
            f,
            "; {}, {}; {} came, {} of no use",
            counted(cuts, "cut"),
            counted(false_holders, "false holder"),
            counted(self.came_bytes, "byte"),
            grouped(self.wasted_bytes)
        )
    }
}

/// What came of having servents greeted: each as in [`GreetingCounts`], and of how many nobody was told what came of them.
#[allow(missing_docs)]
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct ShownGreetings {
    pub asked: u64,
    pub met: u64,
    pub refused: u64,
    pub unreached: u64,
    pub busy: u64,
    pub untold: u64,
}

impl ShownGreetings {
    fn new(counts: GreetingCounts) -> ShownGreetings {
        let GreetingCounts { asked, met, refused, unreached, busy } = counts;
        let untold = asked.saturating_sub(met + refused + unreached + busy);
        ShownGreetings { asked, met, refused, unreached, busy, untold }
    }
}

impl fmt::Display for ShownGreetings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ShownGreetings { asked, met, refused, unreached, busy, untold } = *self;
        let numbers =
            [(met, "met"), (refused, "refused"), (unreached, "unreached"), (busy, "busy"), (untold, "untold")];
        let some: Vec<String> = numbers
            .into_iter()
            .filter(|(number, word)| *number > 0 || *word == "met")
            .map(|(number, word)| format!("{} {word}", grouped(number)))
            .collect();
        write!(f, "of {} {}", counted(asked, "greeting"), some.join(", "))
    }
}

impl ShownMembers {
    fn new(outcome: &MembersOutcome, has_faults: bool) -> ShownMembers {
        let to = |parts: f64, value: f64| (value * parts).round() / parts;
        ShownMembers {
            noticed_p50_s: outcome.noticed_p50_s.map(|seconds| to(1e3, seconds)),
            noticed_p999_s: outcome.noticed_p999_s.map(|seconds| to(1e3, seconds)),
            false_alarms: outcome.false_alarms,
            wrong_words: outcome.wrong_words,
            healed_s: outcome.healed_s.map(|seconds| to(1e3, seconds)),
            bytes_s: to(10.0, outcome.bytes_s),
            dials_per_servent: to(1e3, outcome.dials_per_servent),
            servent_hours: to(1e3, outcome.servent_hours),
            greetings: outcome.greetings.map(ShownGreetings::new),
            has_faults,
        }
    }
}

impl fmt::Display for ShownMembers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if let (Some(p50), Some(p999)) = (self.noticed_p50_s, self.noticed_p999_s) {
            write!(f, "deaths noticed after {p50:.3} s (p50), {p999:.3} s (p99.9); ")?;
        }
        match self.healed_s {
            Some(healed) if self.has_faults => write!(f, "all words right {healed:.3} s after the last fault ended; ")?,
            None if self.has_faults => f.write_str("not all words right since the last fault ended; ")?,
            Some(_) => f.write_str("all words right without a fault; ")?,
            None => f.write_str("not all words right, without a fault; ")?,
        }
        write!(
            f,
            "{}, {}, {:.1} bytes/s and {:.3} dials a servent, {:.3} servent-hours",
            counted(self.false_alarms, "false alarm"),
            counted(self.wrong_words, "wrong word"),
            self.bytes_s,
            self.dials_per_servent,
            self.servent_hours
        )?;
        self.greetings.map_or(Ok(()), |greetings| write!(f, "; {greetings}"))
    }
}

impl ShownRun {
    /// What came of a plan, drawn as this scene.
    #[must_use]
    pub fn new(plan: &Plan, scene: &Scene, outcome: RunOutcome) -> ShownRun {
        let hops_mean = if outcome.answers == 0 { 0.0 } else { outcome.hops_sum as f64 / outcome.answers as f64 };
        ShownRun {
            shape: plan.shape.to_string(),
            servents: scene.servents_here(),
            links: outcome.links,
            ttl: plan.ttl,
            queries: outcome.queries,
            seed: plan.seed,
            delays: plan.delays.to_string(),
            faults: plan.faults.to_string(),
            wire: plan.wire.to_string(),
            via: plan.via.to_string(),
            expected: outcome.expected,
            answers: outcome.answers,
            brought: outcome.brought,
            missed: outcome.missed,
            untold: outcome.untold,
            late: outcome.late,
            doubled: outcome.doubled,
            waits: outcome.waits,
            reached: outcome.reached,
            copies: outcome.copies,
            duplicates: outcome.duplicates,
            echoes: outcome.echoes,
            lost: outcome.lost,
            events: outcome.events,
            seconds: (outcome.seconds * 1e6).round() / 1e6,
            bare_seconds: outcome.bare_seconds.map(|seconds| (seconds * 1e6).round() / 1e6),
            bytes_per_servent: outcome.bytes_per_servent,
            trace_hash: format!("{:016x}", outcome.trace_hash),
            degree: plan.degree,
            holders: scene.holders.len(),
            stopped: outcome.stopped,
            silent: outcome.silent,
            hops_mean: (hops_mean * 1e3).round() / 1e3,
            hops_most: outcome.hops_most,
            simulated_ms: u64::try_from(outcome.simulated.as_millis()).unwrap_or(u64::MAX),
            members: outcome.members.as_ref().map(|members| ShownMembers::new(members, !scene.faults.is_empty())),
            contents: outcome.contents.map(ShownContents::from),
            writes: outcome.writes.map(WritesShown::from),
            broken: outcome.broken,
            command: plan.command_line(),
            smallest: None,
            kept: None,
        }
    }

    /// The columns of the table: what each is called, how wide it is at least, and what stands in it.
    fn columns(&self) -> [(&'static str, usize, String); 18] {
        [
            ("seed", 5, self.seed.to_string()),
            ("servents", 8, self.servents.to_string()),
            ("links", 7, self.links.to_string()),
            ("ttl", 3, self.ttl.to_string()),
            ("expected", 8, self.expected.to_string()),
            ("answers", 7, self.answers.to_string()),
            ("brought", 7, self.brought.to_string()),
            ("missed", 6, self.missed.to_string()),
            ("doubled", 7, self.doubled.to_string()),
            ("waits", 5, self.waits.to_string()),
            ("reached", 7, self.reached.to_string()),
            ("copies", 8, self.copies.to_string()),
            ("duplicates", 10, self.duplicates.to_string()),
            ("lost", 4, self.lost.to_string()),
            ("hops", 5, format!("{:.2}", self.hops_mean)),
            ("B/servent", 9, self.bytes_per_servent.to_string()),
            ("events", 8, self.events.to_string()),
            ("trace", 16, self.trace_hash.clone()),
        ]
    }
}

/// Several runs together: what they come to, each as in [`ShownRun`].
#[allow(missing_docs)]
#[derive(Clone, Debug, Default)]
pub struct Sum {
    /// How many runs there were.
    pub runs: u64,
    pub queries: u64,
    pub expected: u64,
    pub brought: u64,
    pub missed: u64,
    pub untold: u64,
    pub doubled: u64,
    pub waits: u64,
    pub lost: u64,
    /// How many fetches of contents there were, and how many came to a whole file.
    pub fetches: u64,
    pub whole: u64,
    /// How many writes were heard, and how many changed something and were told to.
    pub writes: u64,
    pub changed: u64,
    /// How many invariants broke.
    pub broken: u64,
    pub events: u64,
    pub seconds: f64,
    pub bare_seconds: f64,
}

impl Sum {
    fn add(&mut self, report: &ShownRun) {
        self.runs += 1;
        self.queries += report.queries as u64;
        self.expected += report.expected;
        self.brought += report.brought;
        self.missed += report.missed;
        self.untold += report.untold;
        self.doubled += report.doubled;
        self.waits += report.waits;
        self.lost += report.lost;
        self.fetches += report.contents.map_or(0, |contents| contents.fetches);
        self.whole += report.contents.map_or(0, |contents| contents.whole);
        self.writes += report.writes.map_or(0, |writes| writes.heard);
        self.changed += report.writes.map_or(0, |writes| writes.changed);
        self.broken += report.broken.len() as u64;
        self.events += report.events;
        self.seconds += report.seconds;
        self.bare_seconds += report.bare_seconds.unwrap_or_default();
    }

    /// How fast it went, if all of it took this long.
    #[must_use]
    pub fn speed(&self, whole: Duration) -> String {
        let per_second = if self.seconds > 0.0 { self.events as f64 / self.seconds } else { 0.0 };
        let bare = if self.bare_seconds > 0.0 {
            let times = self.seconds / self.bare_seconds;
            format!(", {times:.2} times the {:.3} s of a bare queue and set", self.bare_seconds)
        } else {
            String::new()
        };
        format!(
            "{} events in {:.3} s of computing, {per_second:.0} a second{bare}; {:.3} s in all",
            self.events,
            self.seconds,
            whole.as_secs_f64()
        )
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Sum {
            runs,
            queries,
            expected,
            brought,
            missed,
            untold,
            doubled,
            waits,
            lost,
            fetches,
            whole,
            writes,
            changed,
            broken,
            ..
        } = self;
        let fetched =
            if *fetches > 0 { format!("{}, {whole} whole, ", counted(*fetches, "fetch")) } else { String::new() };
        let written =
            if *writes > 0 { format!("{}, {changed} changed, ", counted(*writes, "write")) } else { String::new() };
        write!(
            f,
            "{}, {}, {expected} expected, {brought} brought, {missed} missed, {untold} untold, {doubled} doubled, {}, {lost} lost, {fetched}{written}{}",
            counted(*runs, "run"),
            counted(*queries, "query"),
            counted(*waits, "wait"),
            counted(*broken, "broken invariant")
        )
    }
}

/// Prints runs one by one, and adds them up.
#[derive(Debug)]
pub struct Printer<W> {
    out: W,
    json: bool,
    sum: Sum,
}

impl<W: Write> Printer<W> {
    /// Prints to `out`, as JSON lines or as a table.
    pub fn new(out: W, json: bool) -> Printer<W> {
        Printer { out, json, sum: Sum::default() }
    }

    /// Prints a run.
    pub fn add(&mut self, report: &ShownRun) -> io::Result<()> {
        self.sum.add(report);
        if self.json {
            serde_json::to_writer(&mut self.out, report)?;
            return writeln!(self.out);
        }
        let columns = report.columns();
        if self.sum.runs == 1 {
            self.line(&columns.each_ref().map(|(name, width, _)| format!("{name:>width$}")))?;
        }
        self.line(&columns.each_ref().map(|(_, width, value)| format!("{value:>width$}")))?;
        if let Some(members) = &report.members {
            writeln!(self.out, "  members: {members}")?;
        }
        if let Some(contents) = &report.contents {
            writeln!(self.out, "  contents: {contents}")?;
        }
        if let Some(writes) = &report.writes {
            writeln!(self.out, "  writes: {writes}")?;
        }
        for broken in &report.broken {
            writeln!(self.out, "  broken: {broken}")?;
        }
        if !report.broken.is_empty() {
            writeln!(self.out, "  to see it again: {}", report.command)?;
        }
        if let Some(smallest) = &report.smallest {
            writeln!(self.out, "  smallest: {}", if *smallest == report.command { "the same" } else { smallest })?;
        }
        if let Some(kept) = &report.kept {
            writeln!(self.out, "  kept: {kept}")?;
        }
        Ok(())
    }

    /// Prints what several runs come to, where JSON leaves room for it.
    pub fn end(&mut self) -> io::Result<()> {
        if self.sum.runs > 1 && !self.json {
            writeln!(self.out, "{}", self.sum)?;
        }
        self.out.flush()
    }

    /// What the runs come to that were given to it, printed or not.
    pub fn sum(&self) -> &Sum {
        &self.sum
    }

    fn line(&mut self, cells: &[String; 18]) -> io::Result<()> {
        writeln!(self.out, "{}", cells.join("  "))
    }
}

#[cfg(test)]
mod tests {
    use super::super::options::tests::plan;
    use super::*;

    fn report(seed: u64, broken: &[&str]) -> ShownRun {
        let line = "topology sim grid --servents 50 --ttl 15 --queries 2 --holders 7 --delays mild --faults wild";
        let plan = Plan { degree: 4, seed, ..plan(line) };
        let outcome = RunOutcome {
            links: 85,
            queries: 2,
            expected: 14,
            missed: 1,
            reached: 100,
            copies: 250,
            duplicates: 152,
            echoes: 249,
            lost: 3,
            stopped: -1,
            answers: 13,
            brought: 4,
            untold: 3,
            late: 2,
            waits: 1,
            hops_sum: 40,
            hops_most: 9,
            events: 512,
            simulated: Duration::from_micros(12_345_678),
            seconds: 0.123_456_789,
            bytes_per_servent: 480,
            trace_hash: 0xabc,
            broken: broken.iter().map(|text| (*text).to_owned()).collect(),
            ..RunOutcome::default()
        };
        ShownRun::new(&plan, &Scene::draw(&plan).unwrap(), outcome)
    }

    fn printed(json: bool, reports: &[ShownRun]) -> (String, Sum) {
        let mut out = Vec::new();
        let mut printer = Printer::new(&mut out, json);
        for report in reports {
            printer.add(report).unwrap();
        }
        printer.end().unwrap();
        let sum = printer.sum().clone();
        (String::from_utf8(out).unwrap(), sum)
    }

    #[test]
    fn json_has_every_key_in_its_place() {
        let (text, _) = printed(true, &[report(5, &["1.5 s: s3 answered \"twice\""])]);
        assert_eq!(
            text,
            "{\"shape\":\"grid\",\"servents\":50,\"links\":85,\"ttl\":15,\"queries\":2,\"seed\":5,\"delays\":\"mild\",\
             \"faults\":\"wild\",\"wire\":\"native\",\"via\":\"direct\",\"expected\":14,\"answers\":13,\"brought\":4,\"missed\":1,\
             \"untold\":3,\"late\":2,\"doubled\":0,\"waits\":1,\
             \"reached\":100,\"copies\":250,\"duplicates\":152,\"echoes\":249,\"lost\":3,\"events\":512,\
             \"seconds\":0.123457,\"bytes_per_servent\":480,\"trace_hash\":\"0000000000000abc\",\"degree\":4,\
             \"holders\":7,\"stopped\":-1,\"silent\":0,\"hops_mean\":3.077,\"hops_most\":9,\"simulated_ms\":12345,\
             \"broken\":[\"1.5 s: s3 answered \\\"twice\\\"\"],\"command\":\"topology sim grid --servents 50 \
             --ttl 15 --queries 2 --holders 7 --seed 5 --delays mild --faults wild --wire native\"}\n"
        );
    }

    #[test]
    fn the_table_is_aligned_and_sums_up() {
        let (text, sum) = printed(false, &[report(5, &[]), report(19_999, &["it broke", "twice"])]);
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(
            lines[..6],
            [
                " seed  servents    links  ttl  expected  answers  brought  missed  doubled  waits  reached    copies  \
                 duplicates  lost   hops  B/servent    events             trace",
                "    5        50       85   15        14       13        4       1        0      1      100       250         \
                 152     3   3.08        480       512  0000000000000abc",
                "19999        50       85   15        14       13        4       1        0      1      100       250         \
                 152     3   3.08        480       512  0000000000000abc",
                "  broken: it broke",
                "  broken: twice",
                "  to see it again: topology sim grid --servents 50 --ttl 15 --queries 2 --holders 7 \
                 --seed 19999 --delays mild --faults wild --wire native",
            ]
        );
        let sums = "2 runs, 4 queries, 28 expected, 8 brought, 2 missed, 6 untold, 0 doubled, 2 waits, 6 lost, 2 broken invariants";
        assert_eq!(lines[6..], [sums]);
        assert_eq!(sum.broken, 2);
        let speed = sum.speed(Duration::from_millis(1500));
        assert_eq!(speed, "1024 events in 0.247 s of computing, 4147 a second; 1.500 s in all");
    }

    #[test]
    fn since_when_all_words_are_right_is_said_where_anything_went_wrong() {
        let said = |healed_s: Option<f64>, has_faults: bool| {
            let outcome = MembersOutcome { healed_s, ..MembersOutcome::default() };
            let line = ShownMembers::new(&outcome, has_faults).to_string();
            line.split_once(';').unwrap().0.to_owned()
        };
        assert_eq!(said(Some(8.679), true), "all words right 8.679 s after the last fault ended");
        assert_eq!(said(None, true), "not all words right since the last fault ended");
        assert_eq!(said(Some(0.5), false), "all words right without a fault");
        assert_eq!(said(None, false), "not all words right, without a fault");
    }

    #[test]
    fn what_came_of_greetings_is_said_where_there_were_to_be_any() {
        let counts = GreetingCounts { asked: 40, met: 31, refused: 6, unreached: 0, busy: 1 };
        let outcome = MembersOutcome { greetings: Some(counts), ..MembersOutcome::default() };
        let shown = ShownMembers::new(&outcome, true);
        let line = shown.to_string();
        assert!(line.ends_with(" servent-hours; of 40 greetings 31 met, 6 refused, 1 busy, 2 untold"), "{line}");
        let json = serde_json::to_string(&shown).unwrap();
        let expected = "\"greetings\":{\"asked\":40,\"met\":31,\"refused\":6,\"unreached\":0,\"busy\":1,\"untold\":2}}";
        assert!(json.ends_with(expected), "{json}");
        let without = ShownMembers::new(&MembersOutcome::default(), true);
        assert!(!without.to_string().contains("greeting"));
        assert!(!serde_json::to_string(&without).unwrap().contains("greeting"));
        let none = ShownGreetings::new(GreetingCounts::default());
        assert_eq!(none.to_string(), "of 0 greetings 0 met");
    }

    #[test]
    fn the_smallest_is_told_beside_the_first() {
        let mut report = report(5, &["it broke"]);
        assert!(!printed(true, std::slice::from_ref(&report)).0.contains("smallest"));
        report.smallest = Some("topology sim ring --servents 3".to_owned());
        report.kept = Some("stories/grid-5.txt".to_owned());
        let (text, _) = printed(false, std::slice::from_ref(&report));
        assert!(text.ends_with("\n  smallest: topology sim ring --servents 3\n  kept: stories/grid-5.txt\n"), "{text}");
        let (json, _) = printed(true, std::slice::from_ref(&report));
        let end = "\"smallest\":\"topology sim ring --servents 3\",\"kept\":\"stories/grid-5.txt\"}\n";
        assert!(json.ends_with(end), "{json}");
        report.smallest = Some(report.command.clone());
        assert!(printed(false, &[report]).0.contains("\n  smallest: the same\n"));
    }

    #[test]
    fn one_run_needs_no_sum_and_json_has_no_room_for_one() {
        assert_eq!(printed(false, &[report(1, &[])]).0.lines().count(), 2);
        assert_eq!(printed(true, &[report(1, &[]), report(2, &[])]).0.lines().count(), 2);
        let (text, sum) = printed(false, &[]);
        assert!(text.is_empty());
        assert_eq!(sum.speed(Duration::ZERO), "0 events in 0.000 s of computing, 0 a second; 0.000 s in all");
    }

    #[test]
    fn who_stops_reading_is_told_on() {
        struct Closed;
        impl Write for Closed {
            fn write(&mut self, _: &[u8]) -> io::Result<usize> {
                Err(io::ErrorKind::BrokenPipe.into())
            }
            fn flush(&mut self) -> io::Result<()> {
                Ok(())
            }
        }
        for json in [false, true] {
            let error = Printer::new(Closed, json).add(&report(1, &[])).unwrap_err();
            assert_eq!(error.kind(), io::ErrorKind::BrokenPipe);
        }
    }
}
