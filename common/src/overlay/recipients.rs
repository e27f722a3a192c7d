//! To whom a copy of a query goes: a word between `links`, who knows the neighbors, and `flood`, who awaits their echoes.

use crate::link::LinkId;

/// The links that a query is passed on over.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Recipients {
    pub(super) links: Vec<LinkId>,
    /// Those of them on which an echo comes back.
    pub(super) echoing: Vec<LinkId>,
    /// How many neighbors cannot be told the query, and are not among them.
    pub(super) untold_count: usize,
}

impl Recipients {
    /// How many will not say what came of it.
    pub(super) fn silent_count(&self) -> usize {
        self.links.len() - self.echoing.len()
    }

    /// How many neighbors there are to ask, told or not.
    pub(super) fn count(&self) -> usize {
        self.links.len() + self.untold_count
    }
}
