//! The standing links to neighbors: who is at each, and how long it has been quiet.
//!
//! It does not know what is said on a link, nor who is to be dialled (`targets`). Kept small: one process may simulate
//! a million servents.

use std::net::{SocketAddr, SocketAddrV4, SocketAddrV6};
use std::time::Duration;

use crate::address::{join, split};
use crate::limits::{NEIGHBOR_BEAT, NEIGHBOR_QUIET_MAX, PING_AFTER};
use crate::link::LinkId;
use crate::message::Identity;

/// A link to a neighbor.
#[derive(Debug)]
pub(super) struct NeighborLink {
    pub(super) link: LinkId,
    /// Who it is, if it says so.
    pub(super) identity: Option<Identity>,
    v6: Option<Box<SocketAddrV6>>,
    v4: SocketAddrV4,
    /// The beats since it was last heard.
    quiet: u8,
    pub(super) dialled_here: bool,
}

/// What a beat found to be done about a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Silence {
    /// It has been quiet for [`PING_AFTER`]: ask whether it is there.
    Ping,
    /// It has been quiet for [`NEIGHBOR_QUIET_MAX`]: it is not.
    Gone,
}

impl NeighborLink {
    pub(super) fn new(
        link: LinkId,
        identity: Option<Identity>,
        advertised: SocketAddr,
        dialled_here: bool,
    ) -> NeighborLink {
        let (v4, v6) = split(advertised);
        NeighborLink { link, identity, v6, v4, quiet: 0, dialled_here }
    }

    pub(super) fn advertised(&self) -> SocketAddr {
        join(self.v4, self.v6.as_deref())
    }

    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self) + self.v6.as_deref().map_or(0, size_of_val)
    }

    pub(super) fn on_heard(&mut self) {
        // Most are heard often: what is not changed need not be written.
        if self.quiet > 0 {
            self.quiet = 0;
        }
    }

    /// Counts a beat. One that cannot answer a ping may be quiet; the system's keepalive has to do.
    pub(super) fn on_beat(&mut self) -> Option<Silence> {
        self.identity?;
        self.quiet = self.quiet.saturating_add(1);
        match u64::from(self.quiet) {
            PING_BEATS => Some(Silence::Ping),
            GONE_BEATS.. => Some(Silence::Gone),
            _ => None,
        }
    }
}

/// It may have been heard just before the first beat that counts, so as many have to pass and one more.
const PING_BEATS: u64 = beats(PING_AFTER) + 1;
const GONE_BEATS: u64 = beats(NEIGHBOR_QUIET_MAX) + 1;

/// How many beats make up a duration that is some of them long.
pub(super) const fn beats(duration: Duration) -> u64 {
    duration.as_secs() / NEIGHBOR_BEAT.as_secs()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::ServentId;

    #[test]
    fn a_link_is_no_larger_than_it_has_to_be() {
        assert_eq!(size_of::<NeighborLink>(), 32);
    }

    #[test]
    fn every_servent_id_has_an_identity() {
        let identity = |id| Identity::from(ServentId(id));
        assert_eq!(identity(0), identity(u128::from(u64::MAX)), "folded to nothing");
        assert_ne!(identity(1), identity(2));
        assert_ne!(identity(1), identity(1 << 64 | 2));
    }

    #[test]
    fn an_address_of_either_family_comes_out_as_it_went_in() {
        for text in ["10.1.2.3:9000", "0.0.0.0:0", "[::1]:9000", "[2001:db8::7]:65535"] {
            let address: SocketAddr = text.parse().unwrap();
            assert_eq!(NeighborLink::new(LinkId(1), None, address, false).advertised(), address);
        }
    }
}
