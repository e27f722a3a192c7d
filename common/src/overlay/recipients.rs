//! To whom a copy of a query goes: a word between `links`, who knows the neighbors, and `flood`, who awaits their echoes.

use crate::link::LinkId;

/// The links that a query is passed on over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Recipients {
    /// Those behind which the client is dialled.
    pub(super) direct: Vec<LinkId>,
    /// Those over which answers come back.
    pub(super) back: Vec<LinkId>,
    /// Those of both on which an echo comes back.
    pub(super) echoing: Vec<LinkId>,
    /// How many neighbors cannot be told the query, and are not among them.
    pub(super) untold_count: usize,
}

impl Recipients {
    /// How many are told.
    pub(super) fn told_count(&self) -> usize {
        self.direct.len() + self.back.len()
    }

    /// How many will not say what came of it.
    pub(super) fn silent_count(&self) -> usize {
        self.told_count() - self.echoing.len()
    }

    /// How many neighbors there are to ask, told or not.
    pub(super) fn count(&self) -> usize {
        self.told_count() + self.untold_count
    }
}
