//! Connections under an exchange that take everything, or nothing for a while.

use std::collections::BTreeSet;

use common::exchange::Transport;
use common::limits::NEIGHBOR_UNSENT_BYTES_MAX;
use common::link::{LinkId, SendError};
use common::message::Message;

#[derive(Debug, Default)]
pub(super) struct Wires {
    /// Nobody reads, so nothing is taken.
    pub(super) are_full: bool,
    shut: BTreeSet<LinkId>,
    closed: BTreeSet<LinkId>,
}

impl Wires {
    fn use_open(&self, link: LinkId) {
        assert!(!self.closed.contains(&link), "{link} is used after its end");
    }
}

impl Transport for Wires {
    fn read(&mut self, link: LinkId, _: &mut [u8]) -> Result<Option<usize>, String> {
        self.use_open(link);
        Ok(None)
    }

    fn write(&mut self, link: LinkId, bytes: &[u8]) -> Result<usize, String> {
        self.use_open(link);
        assert!(!self.shut.contains(&link), "something is said after the last words");
        assert!(!bytes.is_empty() && bytes.len() <= NEIGHBOR_UNSENT_BYTES_MAX);
        Ok(if self.are_full { 0 } else { bytes.len() })
    }

    fn watch(&mut self, link: LinkId, _: bool, _: bool) -> Result<(), String> {
        self.use_open(link);
        Ok(())
    }

    fn shut(&mut self, link: LinkId) -> Result<(), String> {
        self.use_open(link);
        assert!(self.shut.insert(link), "{link} is shut twice");
        Ok(())
    }

    fn close(&mut self, link: LinkId) {
        assert!(self.closed.insert(link), "{link} is closed twice");
    }

    fn on_said(&mut self, link: LinkId, _: &Message, _: &Result<(), SendError>) {
        self.use_open(link);
    }
}
