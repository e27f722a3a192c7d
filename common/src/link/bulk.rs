//! What is sent on a link besides messages: blocks of contents, each a frame of its own, which give way to messages.
//!
//! A frame is queued as it was read, without another copy. How much may wait here, and when there is more, is for the
//! exchange.

use std::collections::VecDeque;

use crate::wire::Frame;

/// Frames that are sent where there is nothing else to send, or one of them is half sent.
#[derive(Debug, Default)]
pub(super) struct Bulk {
    frames: VecDeque<Frame>,
    /// How much of the first was sent.
    sent: usize,
    /// What is to be sent of all of them.
    bytes_count: usize,
}

impl Bulk {
    pub(super) fn push(&mut self, frame: Frame) {
        self.bytes_count += frame.as_bytes().len();
        self.frames.push_back(frame);
    }

    pub(super) fn bytes_count(&self) -> usize {
        self.bytes_count
    }

    /// Nothing else can be sent before what is left of the first.
    pub(super) fn is_mid_frame(&self) -> bool {
        self.sent > 0
    }

    pub(super) fn unsent(&self) -> &[u8] {
        self.frames.front().and_then(|frame| frame.as_bytes().get(self.sent..)).unwrap_or_default()
    }

    pub(super) fn sent(&mut self, count: usize) {
        let count = count.min(self.unsent().len());
        self.sent += count;
        self.bytes_count -= count;
        if self.unsent().is_empty() {
            self.frames.pop_front();
            self.sent = 0;
        }
    }

    /// Lets go of all but what a frame lacks that was begun.
    pub(super) fn drop_unbegun(&mut self) {
        self.frames.truncate(usize::from(self.is_mid_frame()));
        self.bytes_count = self.unsent().len();
    }
}
