//! Blocks and hashes that were read for a link and have yet to be queued on it: as many as are read at once wait here, and no
//! more are read before all of them are queued. For whom something is queued and not written is known here as well, because it
//! is their clients that are waited for.
//!
//! It counts bytes. Whose turn it is to be read for is decided by the mind, how blocks look on a wire by `wire`.

use std::collections::VecDeque;
use std::time::Duration;

use crate::limits::{BULK_UNSENT_BYTES_MAX, UPLOAD_IDLE_MAX};
use crate::link::Link;
use crate::time::Time;
use crate::wire::Frame;

/// Bytes of blocks written to all links in one turn.
pub const BULK_TURN_BYTES: usize = 512 * 1024;
/// The same while others ask: what they say waits for no more than that, however many links are given blocks.
pub const BULK_TURN_BYTES_BESIDE: usize = 64 * 1024;
/// For so long others ask who said something, but that they want to be given blocks.
pub const BESIDE_KEPT: Duration = Duration::from_millis(10);
/// Least that each link has of it, as long as there is some left: less at once costs more than it is worth. Where there are
/// more links than that is for, others have their part in the turns that follow.
pub const BULK_VISIT_BYTES_MIN: usize = 32 * 1024;

/// As long as blocks are written on a link it is said no more often than this that what was given there is taken.
pub const GIVING_TOLD_EVERY: Duration = Duration::from_secs(5);
const _: () = assert!(GIVING_TOLD_EVERY.as_secs() * 2 < UPLOAD_IDLE_MAX.as_secs());

/// What was given on one link and is not written, by the fetches it was read for.
#[derive(Debug)]
pub(super) struct Given {
    /// What waits to be queued.
    runs: VecDeque<(u32, VecDeque<Frame>)>,
    /// Bytes that were queued since there was nothing of it.
    queued_bytes: u64,
    /// So many of them are written.
    written_bytes: u64,
    /// How many there were once the last of each fetch was queued: it is done when as many are written. By fetches, so that a
    /// block costs nothing here; there are at most as many as frames that are queued.
    ends: Vec<(u32, u64)>,
    /// When it was last said that it is taken, or that there is something to be.
    told: Time,
}

impl Given {
    pub(super) fn since(now: Time) -> Given {
        Given { runs: VecDeque::new(), queued_bytes: 0, written_bytes: 0, ends: Vec::new(), told: now }
    }

    pub(super) fn push(&mut self, fetch: u32, frames: VecDeque<Frame>) {
        self.runs.push_back((fetch, frames));
    }

    /// Queues what the link has room for. Those whose last was queued are told.
    pub(super) fn queue(&mut self, link: &mut Link, mut on_queued: impl FnMut(u32)) {
        while let Some((fetch, frames)) = self.runs.front_mut() {
            let before = self.queued_bytes;
            while link.bulk_bytes_count() < BULK_UNSENT_BYTES_MAX
                && let Some(frame) = frames.pop_front()
            {
                let frame_bytes = frame.as_bytes().len() as u64;
                // One that the other end does not take is as good as sent: it is missed there.
                if link.send_bulk(frame).is_ok() {
                    self.queued_bytes += frame_bytes;
                }
            }
            let (fetch, is_left) = (*fetch, !frames.is_empty());
            if self.queued_bytes > before {
                self.note_end(fetch);
            }
            if is_left {
                return;
            }
            on_queued(fetch);
            self.runs.pop_front();
        }
    }

    fn note_end(&mut self, fetch: u32) {
        let written = self.written_bytes;
        self.ends.retain(|(other, end)| *other != fetch && *end > written);
        self.ends.push((fetch, self.queued_bytes));
    }

    /// So many bytes of what is queued were written.
    pub(super) fn on_written(&mut self, count: usize) {
        self.written_bytes += count as u64;
    }

    /// All of it is written.
    pub(super) fn is_over(&self) -> bool {
        self.runs.is_empty() && self.written_bytes >= self.queued_bytes
    }

    /// Something was written of it. Whether that is to be said.
    pub(super) fn is_drained(&mut self, now: Time) -> bool {
        let is_due = self.told + GIVING_TOLD_EVERY <= now;
        if is_due {
            self.told = now;
        }
        is_due
    }

    /// For what something waits to be queued.
    pub(super) fn waiting(&self) -> impl Iterator<Item = u32> {
        self.runs.iter().map(|(fetch, _)| *fetch)
    }

    /// For what something is queued, or waits to be, each once.
    pub(super) fn unwritten(&self) -> impl Iterator<Item = u32> {
        let is_queued = |fetch: u32| self.ends.iter().any(|(other, end)| *other == fetch && *end > self.written_bytes);
        let queued = self.ends.iter().map(|(fetch, _)| *fetch).filter(move |fetch| is_queued(*fetch));
        queued.chain(self.waiting().filter(move |fetch| !is_queued(*fetch)))
    }
}
