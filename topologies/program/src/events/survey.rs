//! All logs read once, from their beginnings to their ends: which parts of them are sorted, which servents wrote them, and
//! what of each is missing.
//!
//! Clocks that fall and lines that are missing are found here, because they show in one log alone. What one servent says of
//! another is the judge's.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::{Range, RangeInclusive};

use anyhow::{Context, bail};

use super::differences::Differences;
use super::files::{LinePlace, LineReader, NamedLog, ReadAt};
use super::line::{EventLine, Happened, NotAnEvent};

/// So many sorted parts may all logs together have. A log has one for each time its servent was started.
pub const RUNS_MAX: usize = 4096;
/// So many separate parts are noted to be missing of what one servent wrote. Where there are more, nothing is judged of what
/// comes after.
const GAPS_MAX: usize = 65_536;

/// What lines are sorted by: no two of a servent are equal.
pub(super) type LineKey = (u64, SocketAddr, u64);

pub(super) fn key_of(event: &EventLine) -> LineKey {
    (event.clock, event.servent, event.n)
}

/// Lines of one log, one after the other, each with a greater key than the one before it.
#[derive(Debug)]
pub(super) struct SortedRun {
    pub(super) log: usize,
    pub(super) bytes: Range<u64>,
    pub(super) first_line: u64,
    pub(super) first_key: LineKey,
}

/// What one servent wrote from its start to its end, in one file or two.
#[derive(Debug)]
struct Span {
    last: LinePlace,
    last_n: u64,
    last_clock: u64,
    has_stopped: bool,
    /// Clocks of which not all lines may be there, in their order.
    gaps: Vec<RangeInclusive<u64>>,
}

/// What is known once all was read.
#[derive(Debug, Default)]
pub(super) struct Survey {
    pub(super) runs: Vec<SortedRun>,
    /// Whose logs they are, each under a number.
    servents: BTreeMap<SocketAddr, usize>,
    addresses: Vec<SocketAddr>,
    spans: BTreeMap<(usize, u64), Span>,
    pub(super) differences: Differences,
    pub(super) lines: u64,
    /// Logs whose last line has no end.
    pub(super) broken_off: u64,
}

impl Survey {
    /// Reads all lines. A line that is none ends it.
    pub(super) fn of<Source: ReadAt>(logs: &[NamedLog<Source>]) -> anyhow::Result<Survey> {
        let mut survey = Survey::default();
        for log in 0..logs.len() {
            survey.read(logs, log)?;
        }
        Ok(survey)
    }

    fn read<Source: ReadAt>(&mut self, logs: &[NamedLog<Source>], log: usize) -> anyhow::Result<()> {
        let mut reader = LineReader::new(0..u64::MAX);
        let mut place = LinePlace { log, line: 0 };
        let mut last: Option<LineKey> = None;
        let mut broken: Option<(LinePlace, NotAnEvent)> = None;
        loop {
            place.line += 1;
            let raw = reader.next(&logs[log].source).with_context(|| place.told(logs))?;
            // What has no end yet is about to be written, or was when its servent was killed.
            self.broken_off += u64::from(raw.as_ref().is_some_and(|raw| !raw.is_whole));
            let Some(raw) = raw.filter(|raw| raw.is_whole) else { break };
            if raw.bytes.is_empty() {
                continue;
            }
            let event = match EventLine::parse(raw.bytes) {
                Ok(event) => event,
                Err(error) => {
                    refuse(logs, broken.replace((place, error)))?;
                    continue;
                }
            };
            // The next one that was started found half of a line, and ended it.
            let is_start = event.happened == Happened::Started;
            refuse(logs, broken.take().filter(|_| !is_start))?;
            let key = key_of(&event);
            let is_sorted = last.is_some_and(|last| last < key);
            if let Some(run) = self.runs.last_mut().filter(|_| is_sorted) {
                run.bytes.end = raw.range.end;
            } else if self.runs.len() < RUNS_MAX {
                self.runs.push(SortedRun { log, bytes: raw.range, first_line: place.line, first_key: key });
            } else {
                let place = place.told(logs);
                bail!("{place}: clocks have begun anew {RUNS_MAX} times: is each of these the log of one servent?");
            }
            last = Some(key);
            self.lines += 1;
            self.note(logs, place, &event);
        }
        refuse(logs, broken)
    }

    /// Notes what a line says of the log it is in.
    fn note<Source>(&mut self, logs: &[NamedLog<Source>], place: LinePlace, event: &EventLine) {
        let EventLine { clock, servent, id, n, .. } = *event;
        let number = *self.servents.entry(servent).or_insert_with(|| {
            self.addresses.push(servent);
            self.addresses.len() - 1
        });
        let is_dropped = matches!(event.happened, Happened::Dropped { .. });
        let has_stopped = matches!(event.happened, Happened::Stopped { .. });
        let Some(span) = self.spans.get_mut(&(number, id)) else {
            // Of one that does not begin with its start what came before was begun anew.
            let gaps = if n > 1 || is_dropped { vec![0..=clock] } else { Vec::new() };
            let span = Span { last: place, last_n: n, last_clock: clock, has_stopped, gaps };
            self.spans.insert((number, id), span);
            return;
        };
        let told = |place: LinePlace| place.told(logs);
        if clock < span.last_clock {
            self.differences.add(|| {
                let (here, before) = (told(place), told(span.last));
                format!("{here}: the clock of {servent} falls from {} ({before}) to {clock}", span.last_clock)
            });
        }
        if n != span.last_n + 1 {
            self.differences.add(|| {
                let (here, before) = (told(place), told(span.last));
                let none = if n > span.last_n {
                    "lines are missing, and none says that any were dropped"
                } else {
                    "lines come twice, or in another order than they were written in"
                };
                format!("{here}: line {n} of {servent} comes after its line {} ({before}): {none}", span.last_n)
            });
        }
        if is_dropped {
            span.add_gap(span.last_clock.min(clock)..=clock.max(span.last_clock));
        }
        (span.last, span.last_n) = (place, n);
        (span.last_clock, span.has_stopped) = (clock, has_stopped);
    }

    /// The number of a servent whose log is here.
    pub(super) fn servent(&self, address: SocketAddr) -> Option<usize> {
        self.servents.get(&address).copied()
    }

    /// The addresses of all whose logs are here, at their numbers.
    pub(super) fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Whether lines of this clock were dropped, or begun anew over, by whoever went by this address.
    pub(super) fn lacks(&self, servent: usize, clock: u64) -> bool {
        self.spans_of(servent).any(|span| span.lacks(clock))
    }

    /// Whether whoever went by this address may have happened to say something at this clock and had no time to write it: it
    /// was killed, or still serves.
    pub(super) fn is_cut_at(&self, servent: usize, clock: u64) -> bool {
        self.spans_of(servent).any(|span| !span.has_stopped && span.last_clock <= clock)
    }

    fn spans_of(&self, servent: usize) -> impl Iterator<Item = &Span> {
        self.spans.range((servent, 0)..=(servent, u64::MAX)).map(|(_, span)| span)
    }
}

impl Span {
    fn add_gap(&mut self, gap: RangeInclusive<u64>) {
        if self.gaps.len() < GAPS_MAX {
            self.gaps.push(gap);
        } else if let Some(last) = self.gaps.last_mut() {
            *last = *last.start()..=u64::MAX;
        }
    }

    fn lacks(&self, clock: u64) -> bool {
        let place = self.gaps.partition_point(|gap| *gap.end() < clock);
        self.gaps.get(place).is_some_and(|gap| gap.contains(&clock))
    }
}

fn refuse<Source>(logs: &[NamedLog<Source>], broken: Option<(LinePlace, NotAnEvent)>) -> anyhow::Result<()> {
    match broken {
        Some((place, error)) => Err(error).with_context(|| place.told(logs)),
        None => Ok(()),
    }
}
