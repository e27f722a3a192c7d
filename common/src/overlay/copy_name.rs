//! Which copy of which query an answer is to: a word between `flood`, who knows whose copy it was, and whoever has an answer
//! that could not be dialled.

use crate::query::ContactName;

/// A copy, as the servent knows it to which it came.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(super) struct CopyName {
    pub(super) contact: ContactName,
    /// The contact's own number for the query.
    pub(super) number: u64,
    /// The TTL it came with, after it was cut down.
    pub(super) ttl: u8,
}
