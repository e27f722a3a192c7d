//! Lines that were read while they are written, and wait for those of other logs that come before them.
//!
//! A line is told once every other log has shown a larger clock: whatever comes there then comes later. A servent at which
//! nothing happens shows none, so a line waits for a moment only. Time is handed in; nothing is read here.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap};
use std::time::{Duration, Instant};

use super::survey::LineKey;

/// How long a line waits for others: longer than a servent takes to write what it has heard.
pub(super) const HELD_WAIT_MAX: Duration = Duration::from_millis(300);
/// So many lines wait at most; where there are more the first is told.
pub(super) const HELD_LINES_MAX: usize = 65_536;

/// A line that waits. The first to be told is the least.
#[derive(Debug, PartialEq, Eq, PartialOrd, Ord)]
struct HeldLine {
    key: LineKey,
    /// In which order they came.
    number: u64,
    log: usize,
    text: Vec<u8>,
}

/// All that wait.
#[derive(Debug)]
pub(super) struct HeldLines {
    lines: BinaryHeap<Reverse<HeldLine>>,
    /// Until when each waits: the first that came for the shortest.
    until: BTreeMap<u64, Instant>,
    /// The clock that each log has shown last.
    clocks: Vec<u64>,
    number: u64,
}

impl HeldLines {
    /// Of so many logs.
    pub(super) fn new(logs: usize) -> HeldLines {
        HeldLines { lines: BinaryHeap::new(), until: BTreeMap::new(), clocks: vec![0; logs], number: 0 }
    }

    /// A line was read from a log.
    pub(super) fn add(&mut self, now: Instant, log: usize, key: LineKey, text: Vec<u8>) {
        if let Some(clock) = self.clocks.get_mut(log) {
            *clock = key.0;
        }
        self.number += 1;
        self.until.insert(self.number, now + HELD_WAIT_MAX);
        self.lines.push(Reverse(HeldLine { key, number: self.number, log, text }));
    }

    /// The first line, if its turn has come.
    pub(super) fn take(&mut self, now: Instant) -> Option<Vec<u8>> {
        let Reverse(first) = self.lines.peek()?;
        // Of its own log what has the same clock comes in its order anyway.
        let mut others = self.clocks.iter().enumerate().filter(|(log, _)| *log != first.log);
        let is_first = others.all(|(_, clock)| *clock > first.key.0);
        // Of whoever has waited for long enough, and all that comes before it.
        let is_due = self.deadline().is_some_and(|until| until <= now);
        if !is_first && !is_due && self.lines.len() <= HELD_LINES_MAX {
            return None;
        }
        let Reverse(line) = self.lines.pop()?;
        self.until.remove(&line.number);
        Some(line.text)
    }

    /// When one has waited for long enough.
    pub(super) fn deadline(&self) -> Option<Instant> {
        self.until.first_key_value().map(|(_, until)| *until)
    }
}

#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;

    const A: usize = 0;
    const B: usize = 1;

    fn key(clock: u64, port: u16, n: u64) -> LineKey {
        (clock, SocketAddr::from(([127, 0, 0, 1], port)), n)
    }

    /// All that can be told now.
    fn told(held: &mut HeldLines, now: Instant) -> Vec<String> {
        std::iter::from_fn(|| held.take(now)).map(|text| String::from_utf8(text).unwrap()).collect()
    }

    #[test]
    fn a_line_waits_until_every_other_log_has_shown_a_larger_clock() {
        let now = Instant::now();
        let mut held = HeldLines::new(2);
        held.add(now, A, key(5, 9001, 1), b"a5".to_vec());
        held.add(now, A, key(5, 9001, 2), b"a5 too".to_vec());
        held.add(now, A, key(9, 9001, 3), b"a9".to_vec());
        assert!(told(&mut held, now).is_empty());
        held.add(now, B, key(4, 9002, 1), b"b4".to_vec());
        assert_eq!(told(&mut held, now), ["b4"]);
        held.add(now, B, key(5, 9002, 2), b"b5".to_vec());
        assert!(told(&mut held, now).is_empty(), "there may be another of the same clock, which comes before");
        held.add(now, B, key(7, 9002, 3), b"b7".to_vec());
        assert_eq!(told(&mut held, now), ["a5", "a5 too", "b5", "b7"]);
        assert_eq!(held.deadline(), Some(now + HELD_WAIT_MAX));
    }

    #[test]
    fn it_waits_for_a_moment_only_and_with_it_goes_what_comes_before() {
        let now = Instant::now();
        let mut held = HeldLines::new(3);
        held.add(now, A, key(9, 9001, 1), b"a9".to_vec());
        let later = now + HELD_WAIT_MAX / 2;
        held.add(later, B, key(7, 9002, 1), b"b7".to_vec());
        held.add(later, B, key(11, 9002, 2), b"b11".to_vec());
        assert!(told(&mut held, later).is_empty());
        let due = held.deadline().unwrap();
        assert_eq!(told(&mut held, due), ["b7", "a9"]);
        assert_eq!(held.deadline(), Some(later + HELD_WAIT_MAX));
        assert_eq!(told(&mut held, later + HELD_WAIT_MAX), ["b11"]);
        assert_eq!(held.deadline(), None);
    }

    #[test]
    fn one_log_waits_for_nobody_and_no_more_wait_than_may() {
        let now = Instant::now();
        let mut held = HeldLines::new(1);
        held.add(now, A, key(1, 9001, 1), b"a".to_vec());
        assert_eq!(told(&mut held, now), ["a"]);

        let mut held = HeldLines::new(2);
        for n in 0..HELD_LINES_MAX as u64 + 2 {
            held.add(now, A, key(n + 1, 9001, n), n.to_string().into_bytes());
        }
        assert_eq!(told(&mut held, now), ["0", "1"]);
    }
}
