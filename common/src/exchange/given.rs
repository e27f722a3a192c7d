//! Blocks and hashes that were read for a link and have yet to be queued on it: as many as are read at once wait here, and no
//! more are read before all of them are queued.
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

/// As long as blocks are written on a link it is said no more often than this that what waits there is taken.
pub const GIVING_TOLD_EVERY: Duration = Duration::from_secs(5);
const _: () = assert!(GIVING_TOLD_EVERY.as_secs() * 2 < UPLOAD_IDLE_MAX.as_secs());

/// What waits for one link, by the fetches it was read for.
#[derive(Debug, Default)]
pub(super) struct Given {
    runs: VecDeque<(u32, VecDeque<Frame>)>,
    /// When it was last said that it is taken.
    told: Time,
}

impl Given {
    pub(super) fn push(&mut self, fetch: u32, frames: VecDeque<Frame>) {
        self.runs.push_back((fetch, frames));
    }

    /// Queues what the link has room for. Those whose last was queued are told.
    pub(super) fn queue(&mut self, link: &mut Link, mut on_queued: impl FnMut(u32)) {
        while let Some((fetch, frames)) = self.runs.front_mut() {
            while link.bulk_bytes_count() < BULK_UNSENT_BYTES_MAX
                && let Some(frame) = frames.pop_front()
            {
                // One that the other end does not take is as good as sent: it is missed there.
                let _ = link.send_bulk(frame);
            }
            if !frames.is_empty() {
                return;
            }
            on_queued(*fetch);
            self.runs.pop_front();
        }
    }

    pub(super) fn is_empty(&self) -> bool {
        self.runs.is_empty()
    }

    /// Something was written of what was before it. Whether that is to be said.
    pub(super) fn is_taken(&mut self, now: Time) -> bool {
        let is_due = self.told == Time::START || self.told + GIVING_TOLD_EVERY <= now;
        if is_due {
            self.told = now;
        }
        is_due
    }

    /// What it was read for.
    pub(super) fn fetches(&self) -> impl Iterator<Item = u32> {
        self.runs.iter().map(|(fetch, _)| *fetch)
    }
}
