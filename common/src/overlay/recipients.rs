//! To whom a copy of a query goes: a word between `links`, who knows the neighbors, and `flood`, who awaits their echoes.

use crate::link::LinkId;

/// The links that a query is passed on over.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Recipients {
    pub(super) links: Vec<LinkId>,
    /// Those of them on which an echo comes back.
    pub(super) echoing: Vec<LinkId>,
}

impl Recipients {
    /// How many will not say what came of it.
    pub(super) fn silent_count(&self) -> usize {
        self.links.len() - self.echoing.len()
    }
}
