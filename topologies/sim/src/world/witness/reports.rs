//! What clients that write report, beside what their servents say to them.
//!
//! - What came of a write is reported as the servent said it, once, and at once when it is heard; or that nobody knows, where
//!   nothing was heard of it. That it was not said is reported of none that was.
//! - Each change of what is watched is reported as it was said, in that order, and at once when it is heard.
//!
//! Whether what a servent says is so is for `writes`.

use std::collections::{BTreeMap, VecDeque};

use common::limits::SILENCE_DEFAULT;
use common::session::{WriteEnd, WriteEnded};
use common::write::{Changed, WriteOutcome, Written};

use super::{Nanos, nanos};

/// A write that a client has said.
#[derive(Debug)]
struct SaidWrite {
    at: Nanos,
    /// What its servent said came of it, whether that has arrived or not.
    told: Option<WriteOutcome>,
    is_heard: bool,
    is_reported: bool,
}

/// A client in one session.
#[derive(Debug, Default)]
struct ReportingClient {
    writes: BTreeMap<u64, SaidWrite>,
    /// Changes that were said to it and that it has not reported.
    changes: VecDeque<Changed>,
    /// By its number, what it has heard just now and is to report.
    owes: Option<u64>,
}

/// All of them, by their nodes.
#[derive(Debug, Default)]
pub(crate) struct WatchedReports(BTreeMap<usize, ReportingClient>);

impl WatchedReports {
    fn client(&mut self, client: usize) -> &mut ReportingClient {
        self.0.entry(client).or_default()
    }

    // ---- what is said ----

    /// A client says a write.
    pub(super) fn on_write_said(&mut self, now: Nanos, client: usize, sequence: u64) {
        let write = SaidWrite { at: now, told: None, is_heard: false, is_reported: false };
        self.client(client).writes.insert(sequence, write);
    }

    /// It is said to a client what came of one.
    pub(super) fn on_written_said(&mut self, client: usize, written: Written) {
        if let Some(write) = self.client(client).writes.get_mut(&written.sequence) {
            write.told = Some(written.outcome);
        }
    }

    /// It is said to a client what a key is that it watches.
    pub(super) fn on_changed_said(&mut self, client: usize, changed: &Changed) {
        self.client(client).changes.push_back(changed.clone());
    }

    // ---- what is heard ----

    /// It has heard what came of a write. What is wrong about what it heard before.
    pub(super) fn on_written_heard(&mut self, client: usize, sequence: u64) -> Option<String> {
        let wrong = self.unreported(client);
        let client = self.client(client);
        if let Some(write) = client.writes.get_mut(&sequence) {
            write.is_heard = true;
            // One that it waits for no longer is over.
            client.owes = (!write.is_reported).then_some(sequence);
        }
        wrong
    }

    /// It has heard of a change. What is wrong about what it heard before.
    pub(super) fn on_changed_heard(&mut self, client: usize, sequence: u64) -> Option<String> {
        let wrong = self.unreported(client);
        self.client(client).owes = Some(sequence);
        wrong
    }

    fn unreported(&mut self, client: usize) -> Option<String> {
        let owed = self.client(client).owes.take()?;
        Some(format!("a client does not report what it has heard about {owed}"))
    }

    // ---- what is reported ----

    /// It reports what came of a write. What is wrong about that.
    pub(super) fn on_written(
        &mut self,
        now: Nanos,
        client: usize,
        sequence: u64,
        written: &WriteEnded,
    ) -> Option<String> {
        let client = self.client(client);
        client.owes.take_if(|owed| *owed == sequence);
        let Some(write) = client.writes.get_mut(&sequence) else {
            let is_unsaid =
                matches!(written.end, WriteEnd::NoContact | WriteEnd::NotUnderstood | WriteEnd::NotAccepted);
            return (!is_unsaid).then(|| format!("a client reports {:?} of a write that it did not say", written.end));
        };
        if std::mem::replace(&mut write.is_reported, true) {
            return Some("a client reports twice what came of a write".to_owned());
        }
        let is_so = match written.end {
            WriteEnd::Told(outcome) => write.is_heard && write.told == Some(outcome),
            WriteEnd::Silence => !write.is_heard && now.saturating_sub(write.at) >= nanos(SILENCE_DEFAULT),
            WriteEnd::ContactLost => !write.is_heard,
            WriteEnd::Cancelled | WriteEnd::NoContact | WriteEnd::NotUnderstood | WriteEnd::NotAccepted => false,
        };
        let told = write.told;
        (!is_so).then(|| format!("a client reports {:?} of a write, and was told {told:?}", written.end))
    }

    /// It reports a change. What is wrong about that.
    pub(super) fn on_changed(&mut self, client: usize, sequence: u64, value: Option<&[u8]>) -> Option<String> {
        let client = self.client(client);
        client.owes.take_if(|owed| *owed == sequence);
        let said = client.changes.pop_front();
        let is_so = said.is_some_and(|said| said.sequence == sequence && said.value.as_deref() == value);
        (!is_so).then(|| format!("a client reports a change of {sequence} that was not said so, or not next"))
    }

    // ---- the end ----

    /// Nothing more is to come. What is wrong of those that are still there.
    pub(super) fn on_settled(&mut self, is_there: impl Fn(usize) -> bool) -> Vec<String> {
        let clients: Vec<usize> = self.0.keys().copied().filter(|client| is_there(*client)).collect();
        clients.into_iter().filter_map(|client| self.unreported(client)).collect()
    }
}

#[cfg(test)]
mod tests {
    use crate::world::witness::assert_wrong;
    use std::time::Duration;

    use super::*;
    use crate::world::witness::SECOND;

    const CLIENT: usize = 7;

    fn ended(end: WriteEnd) -> WriteEnded {
        WriteEnded { end, elapsed: Duration::from_secs(1) }
    }

    fn change(value: &str) -> Changed {
        Changed { sequence: 70, value: Some(value.as_bytes().into()) }
    }

    /// A client that has said two writes, to which was said what came of the first.
    fn told() -> WatchedReports {
        let mut reports = WatchedReports::default();
        reports.on_write_said(SECOND, CLIENT, 1);
        reports.on_write_said(SECOND, CLIENT, 2);
        reports.on_written_said(CLIENT, Written { sequence: 1, outcome: WriteOutcome::Stored });
        reports
    }

    #[test]
    fn what_is_reported_as_it_was_said_is_well() {
        let mut reports = told();
        assert_eq!(reports.on_written_heard(CLIENT, 1), None);
        assert_eq!(reports.on_written(SECOND, CLIENT, 1, &ended(WriteEnd::Told(WriteOutcome::Stored))), None);
        for value in ["green", "red"] {
            reports.on_changed_said(CLIENT, &change(value));
        }
        for value in ["green", "red"] {
            assert_eq!(reports.on_changed_heard(CLIENT, 70), None);
            assert_eq!(reports.on_changed(CLIENT, 70, Some(value.as_bytes())), None);
        }
        assert_eq!(reports.on_written(9 * SECOND, CLIENT, 2, &ended(WriteEnd::Silence)), None);
        // It comes after all, and nobody waits for it.
        reports.on_written_said(CLIENT, Written { sequence: 2, outcome: WriteOutcome::Stored });
        assert_eq!(reports.on_written_heard(CLIENT, 2), None);
        assert_eq!(reports.on_written(SECOND, CLIENT, 3, &ended(WriteEnd::NotAccepted)), None);
        assert!(reports.on_settled(|_| true).is_empty());
    }

    #[test]
    fn an_outcome_that_is_reported_otherwise_than_it_was_told_is_noticed() {
        for end in [
            WriteEnd::Told(WriteOutcome::Replaced),
            WriteEnd::Silence,
            WriteEnd::ContactLost,
            WriteEnd::Cancelled,
            WriteEnd::NotAccepted,
        ] {
            let mut reports = told();
            reports.on_written_heard(CLIENT, 1);
            assert_wrong(reports.on_written(9 * SECOND, CLIENT, 1, &ended(end)), "and was told Some(Stored)");
        }
    }

    #[test]
    fn an_outcome_that_nobody_told_is_noticed_and_one_of_a_write_that_was_not_said() {
        let stored = ended(WriteEnd::Told(WriteOutcome::Stored));
        let mut reports = told();
        assert_wrong(reports.on_written(SECOND, CLIENT, 2, &stored), "and was told None");
        assert_wrong(reports.on_written(SECOND, CLIENT, 1, &stored), "and was told Some(Stored)");
        assert_wrong(reports.on_written(SECOND, CLIENT, 3, &stored), "of a write that it did not say");
        assert_wrong(reports.on_written(SECOND, CLIENT, 1, &stored), "twice");
        let mut reports = told();
        let early = nanos(SILENCE_DEFAULT) - 1;
        assert_wrong(reports.on_written(SECOND + early, CLIENT, 2, &ended(WriteEnd::Silence)), "reports Silence");
    }

    #[test]
    fn a_change_that_is_reported_otherwise_than_it_was_told_is_noticed() {
        for (sequence, value) in [(70, Some(&b"red"[..])), (70, None), (71, Some(b"green"))] {
            let mut reports = told();
            reports.on_changed_said(CLIENT, &change("green"));
            reports.on_changed_heard(CLIENT, 70);
            assert_wrong(reports.on_changed(CLIENT, sequence, value), "was not said so");
        }
        assert_wrong(told().on_changed(CLIENT, 70, None), "was not said so");
    }

    #[test]
    fn what_is_heard_and_not_reported_is_noticed() {
        let mut reports = told();
        reports.on_written_heard(CLIENT, 1);
        assert_wrong(reports.on_changed_heard(CLIENT, 70), "does not report what it has heard about 1");
        assert!(reports.on_settled(|client| client != CLIENT).is_empty());
        assert_eq!(reports.on_settled(|_| true).len(), 1);
    }
}
