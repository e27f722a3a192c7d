//! What came and is still to be told.
//!
//! A client is told things faster than a person, a pipe or a disk takes them. So there is a limit here, and while it is
//! reached nothing is read: what comes meanwhile waits in the system's buffers, and then at those who send it.

use std::collections::VecDeque;

use common::limits::VALUE_BYTES_MAX;
use common::query::{AnswerBody, Path};
use common::session::Report;

/// Reports that may wait to be told. Those of one more turn of one connection are taken as well.
const REPORTS_MAX: usize = 1_024;
/// Bytes of values that may wait with them.
const REPORTS_BYTES_MAX: usize = 4 * VALUE_BYTES_MAX;

/// What came and is still to be told.
#[derive(Debug, Default)]
pub(crate) struct Reports {
    waiting: VecDeque<Report>,
    bytes_count: usize,
}

impl Reports {
    pub(crate) fn push(&mut self, report: Report) {
        self.bytes_count += bytes_count(&report);
        self.waiting.push_back(report);
    }

    pub(crate) fn pop(&mut self) -> Option<Report> {
        let report = self.waiting.pop_front()?;
        self.bytes_count -= bytes_count(&report);
        if self.waiting.is_empty() {
            // Given back: the next query may bring little.
            self.waiting = VecDeque::new();
        }
        Some(report)
    }

    /// Whether nothing more is to be read for now.
    pub(crate) fn is_full(&self) -> bool {
        self.waiting.len() >= REPORTS_MAX || self.bytes_count >= REPORTS_BYTES_MAX
    }
}

/// What a report holds that can be long.
fn bytes_count(report: &Report) -> usize {
    match report {
        Report::Answer { body: AnswerBody::Value(value), .. } => value.len(),
        Report::Answer { body: AnswerBody::Place { path, neighbors }, .. } => {
            let path_bytes = match path {
                Path::Addresses(addresses) => size_of_val(addresses.as_slice()),
                Path::Text(text) => text.len(),
            };
            path_bytes + size_of_val(neighbors.as_slice())
        }
        _ => 0,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    fn answer(bytes_count: usize) -> Report {
        let body = AnswerBody::Value(vec![b'v'; bytes_count]);
        Report::Answer { sequence: 7, from: "192.0.2.7:9".parse().unwrap(), hops: None, body, elapsed: Duration::ZERO }
    }

    #[test]
    fn it_is_full_of_many_reports_and_of_long_ones_and_what_is_told_makes_room() {
        for (bytes, fits) in [(1, REPORTS_MAX), (VALUE_BYTES_MAX, REPORTS_BYTES_MAX / VALUE_BYTES_MAX)] {
            let mut reports = Reports::default();
            for _ in 0..fits {
                assert!(!reports.is_full());
                reports.push(answer(bytes));
            }
            assert!(reports.is_full());
            assert_eq!(reports.pop(), Some(answer(bytes)));
            assert!(!reports.is_full());
            while reports.pop().is_some() {}
            assert_eq!(reports.bytes_count, 0);
        }
    }
}
