//! How a fetch ends: whether its file is what it says, and who gave which block.

use common::fetch::{BlockSource, FetchEnd, FetchEnded};

use super::{Evidence, Nanos, WatchedFetch, blocks_count, nanos, place};
use crate::world::downloads::FetchedFile;

impl WatchedFetch<'_> {
    pub(super) fn on_ended(
        &self,
        now: Nanos,
        ended: &FetchEnded,
        file: &FetchedFile,
        wide_since: Option<Nanos>,
        seen: &Evidence<'_>,
    ) -> Vec<String> {
        let bytes = self.content.bytes;
        let mut wrong = self.wrong_sources(ended, file);
        match &ended.end {
            FetchEnd::Done => {
                let whole = bytes.read(0, usize::try_from(bytes.size).unwrap_or_default());
                // What was there may have been cut to its size just now.
                let found = file.bytes().get(..whole.len());
                if found != Some(&*whole) {
                    wrong.push(format!("is done, and its file is not the content ({} bytes)", file.bytes().len()));
                }
                if !self.is_proved {
                    wrong.push("is done, and does not know how large it is".to_owned());
                }
            }
            FetchEnd::Missing => {
                let waited = now.saturating_sub(self.written_at);
                if waited < nanos(self.drawn.wait) {
                    wrong.push(format!("says that nobody has the rest, and has waited for {waited} ns"));
                }
                if let Some(holder) = self.holder_passed_over(now, wide_since, seen) {
                    wrong.push(format!(
                        "says that nobody has the rest after {} s, and s{holder} had all of it",
                        self.drawn.wait.as_secs()
                    ));
                }
            }
            FetchEnd::Unwritten(_) => {
                if !self.has_failed {
                    wrong.push("says that its file cannot be written".to_owned());
                }
            }
        }
        wrong
    }

    /// Whether each block is said to be from where it is.
    fn wrong_sources(&self, ended: &FetchEnded, file: &FetchedFile) -> Vec<String> {
        let bytes = self.content.bytes;
        let mut wrong = Vec::new();
        let mut next = 0;
        for run in &ended.sources {
            if run.first != next || run.count == 0 {
                wrong.push(format!("tells of blocks from {} on behind {next}", run.first));
            }
            next = run.first + run.count;
            for block in run.first..run.first + run.count {
                let giver = self.written.get(&block).filter(|_| !self.writing.contains(&block)).copied();
                let (at, length) = place(bytes, block);
                let is_true =
                    || length > 0 && file.block(at, length) == Some(&bytes.read(at, length)) || bytes.size == 0;
                let is_so = match run.source {
                    BlockSource::Holder(address) => giver == Some(address) && is_true(),
                    BlockSource::Disk => giver.is_none() && is_true(),
                    // What is there is found out once it is certain what should be.
                    BlockSource::Nobody => {
                        let is_known = self.is_proved && ended.end == FetchEnd::Missing;
                        giver.is_none() && !(is_known && self.here.contains(&block))
                    }
                };
                if !is_so {
                    wrong.push(format!("says that block {block} is of {:?}, and {giver:?} gave it", run.source));
                }
                if run.source == BlockSource::Nobody && ended.end == FetchEnd::Done {
                    wrong.push(format!("is done without block {block}"));
                }
            }
        }
        let is_told = self.is_proved || !self.written.is_empty();
        let is_whole = next == blocks_count(bytes);
        if self.is_proved && !is_whole || is_told && ended.sources.is_empty() {
            wrong.push(format!("tells of {next} blocks of {}", blocks_count(bytes)));
        }
        wrong
    }
}
