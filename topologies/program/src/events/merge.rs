//! The lines of all logs in one order, by clock, address and number, read from as many places at once as there are sorted
//! parts. Of each no more than a piece is in memory, and of one whose turn has not come, or is over, nothing.

use std::cmp::Reverse;
use std::collections::BinaryHeap;

use anyhow::Context;

use super::files::{LinePlace, LineReader, NamedLog, ReadAt};
use super::line::EventLine;
use super::survey::{LineKey, SortedRun, Survey, key_of};

/// A line in its turn.
#[derive(Debug)]
pub(super) struct MergedLine<'a> {
    pub(super) place: LinePlace,
    /// Without its end.
    pub(super) bytes: &'a [u8],
    pub(super) event: EventLine,
}

/// A sorted part of a log that is being read.
#[derive(Debug)]
struct ReadRun {
    log: usize,
    reader: LineReader,
    /// Of the line that was read last.
    line: u64,
    bytes: Vec<u8>,
    event: Option<EventLine>,
}

/// All lines that are still to be told.
pub(super) struct Merge<'a, Source> {
    logs: &'a [NamedLog<Source>],
    runs: &'a [SortedRun],
    /// Those that are being read, at the places of `runs`.
    read: Vec<Option<Box<ReadRun>>>,
    /// The next line of each, the first of all on top.
    next: BinaryHeap<Reverse<(LineKey, usize)>>,
    /// The one on top was given out, and the next of its part is to take its place.
    given: Option<usize>,
}

impl<'a, Source: ReadAt> Merge<'a, Source> {
    pub(super) fn new(logs: &'a [NamedLog<Source>], survey: &'a Survey) -> Merge<'a, Source> {
        let runs = &survey.runs;
        let next = runs.iter().enumerate().map(|(place, run)| Reverse((run.first_key, place))).collect();
        Merge { logs, runs, read: runs.iter().map(|_| None).collect(), next, given: None }
    }

    /// The next line; nothing when all were told.
    pub(super) fn next(&mut self) -> anyhow::Result<Option<MergedLine<'_>>> {
        if let Some(given) = self.given.take() {
            self.advance(given)?;
        }
        let Some(Reverse((_, place))) = self.next.pop() else { return Ok(None) };
        if self.read[place].is_none() {
            let SortedRun { log, bytes, first_line, .. } = &self.runs[place];
            let (reader, line) = (LineReader::new(bytes.clone()), first_line - 1);
            self.read[place] = Some(Box::new(ReadRun { log: *log, reader, line, bytes: Vec::new(), event: None }));
            self.read_next(place)?;
        }
        self.given = Some(place);
        let Some(run) = &mut self.read[place] else { return Ok(None) };
        let place = LinePlace { log: run.log, line: run.line };
        let event = run.event.take().context("a log is shorter than it was")?;
        Ok(Some(MergedLine { place, bytes: &run.bytes, event }))
    }

    /// Reads the next line of a part, and puts it where it is to be told.
    fn advance(&mut self, place: usize) -> anyhow::Result<()> {
        match self.read_next(place)? {
            Some(key) => self.next.push(Reverse((key, place))),
            None => self.read[place] = None,
        }
        Ok(())
    }

    fn read_next(&mut self, place: usize) -> anyhow::Result<Option<LineKey>> {
        let Some(run) = &mut self.read[place] else { return Ok(None) };
        let log = &self.logs[run.log];
        loop {
            run.line += 1;
            let told = || format!("{}:{}", log.name, run.line);
            let Some(raw) = run.reader.next(&log.source).with_context(told)? else { return Ok(None) };
            if raw.bytes.is_empty() {
                continue;
            }
            // Whatever was read before is read again, unless somebody has written over it.
            let event = EventLine::parse(raw.bytes).with_context(told)?;
            run.bytes.clear();
            run.bytes.extend_from_slice(raw.bytes);
            let key = key_of(&event);
            run.event = Some(event);
            return Ok(Some(key));
        }
    }
}
