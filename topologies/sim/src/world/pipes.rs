//! One direction of a connection: what is on its way, how much of it there may be, and what keeps it from crossing.
//!
//! It delivers in order, whatever each thing's own delay is. Where it leads and who reads there is the network's.

use std::collections::VecDeque;

use super::clock::Nanos;
use super::holds::Holds;

/// What is on its way from one end to the other.
#[derive(Debug)]
pub(super) enum Load {
    Bytes {
        bytes: Vec<u8>,
        taken: usize,
    },
    /// Nothing more will come.
    End {
        reason: &'static str,
        /// It is the last word between the two: whoever hears it has said the same, and only lets go.
        is_last: bool,
    },
}

impl Load {
    pub(super) fn bytes_count(&self) -> usize {
        match self {
            Load::Bytes { bytes, taken } => bytes.len() - taken,
            Load::End { .. } => 0,
        }
    }
}

/// Something on its way, and its times.
#[derive(Debug)]
pub(super) struct Chunk {
    pub(super) at: Nanos,
    pub(super) sent: Nanos,
    /// Its place among all that arrives at the same moment.
    pub(super) ticket: u64,
    pub(super) load: Load,
}

/// One direction of a connection.
#[derive(Debug, Default)]
pub(super) struct Pipe {
    pub(super) chunks: VecDeque<Chunk>,
    pub(super) held_bytes: usize,
    /// When the last of it arrives; what is sent later arrives no earlier.
    last_arrival: Nanos,
    /// Whether an event is to come for the first of it.
    pub(super) is_scheduled: bool,
    /// What keeps anything from crossing.
    pub(super) blocks: Holds,
    /// Counts the changes of `blocks`.
    pub(super) epoch: u32,
}

impl Pipe {
    /// One through which nothing comes before this.
    pub(super) fn new(opens: Nanos) -> Pipe {
        Pipe { last_arrival: opens, ..Pipe::default() }
    }

    /// How many more bytes fit.
    pub(super) fn room(&self, window_bytes: usize) -> usize {
        window_bytes.saturating_sub(self.held_bytes)
    }

    /// Takes something in that would arrive then if nothing were before it. Its bytes are held already.
    pub(super) fn push(&mut self, now: Nanos, at: Nanos, ticket: u64, load: Load) {
        self.last_arrival = self.last_arrival.max(at);
        self.chunks.push_back(Chunk { at: self.last_arrival, sent: now, ticket, load });
    }

    /// Takes the first of it out, so many bytes of it at most. The rest waits where it is, and room is made by the caller.
    pub(super) fn take(&mut self, most: usize) -> Option<Load> {
        let first = self.chunks.front_mut()?;
        let load = match &mut first.load {
            Load::Bytes { bytes, taken } if bytes.len() - *taken > most => {
                let from = std::mem::replace(taken, *taken + most);
                Load::Bytes { bytes: bytes.get(from..from + most).unwrap_or_default().to_vec(), taken: 0 }
            }
            _ => self.chunks.pop_front()?.load,
        };
        Some(load)
    }

    /// Something begins or ends that keeps anything from crossing.
    #[must_use]
    pub(super) fn block(&mut self, blocks: bool) -> bool {
        self.epoch = self.epoch.wrapping_add(1);
        self.blocks.change(blocks)
    }
}
