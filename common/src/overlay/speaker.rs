//! Who is at the other end of a link, and whether whoever is gone may come back: words between `links`, who knows it, and
//! the rooms that are told of every link that closes.

use crate::message::Identity;

/// Who speaks on a link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Speaker {
    Stranger,
    Client,
    /// With who it is, if it says so.
    Neighbor(Option<Identity>),
}

/// Whether whoever was at the other end of a link may come back.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Parting {
    ForNow,
    ForGood,
}
