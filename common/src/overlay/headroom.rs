//! How much room the seen set has for new queries, and what that makes of a pace.
//!
//! A word between `flood`, whose room it is, and whoever keeps somebody to a pace: a client is not read for a while
//! (`links`), a query of a neighbor is refused (`flood`).

use std::time::Duration;

use crate::limits::{QUERY_COST_MAX, SEEN_IDS_MAX};

/// How much of the seen set must be free for everybody to have the full pace.
#[allow(clippy::cast_possible_truncation, reason = "a limit far below")]
const AMPLE: u32 = (SEEN_IDS_MAX / 2) as u32;

/// How much room the seen set has: the places that are free, up to what is ample.
///
/// With less, a pace falls with the square of what is left. Were it in proportion, those that hurry would take the same
/// part of the rest again and again, and soon all; so it takes ten times as many, or ten times as long, to leave a tenth.
#[derive(Clone, Copy, Debug)]
pub(super) struct Headroom(u32);

impl Headroom {
    /// The room beside so many queries.
    pub(super) fn beside(seen_count: usize) -> Headroom {
        let free = SEEN_IDS_MAX.saturating_sub(seen_count);
        Headroom(u32::try_from(free).unwrap_or(AMPLE).clamp(1, AMPLE))
    }

    /// What a query costs of a link's time where it costs this much with ample room.
    pub(super) fn lengthen(self, cost: Duration) -> Duration {
        (cost * AMPLE / self.0 * AMPLE / self.0).min(QUERY_COST_MAX)
    }

    /// How far ahead of its pace a link may be where it may be this far with ample room.
    pub(super) fn shorten(self, ahead: Duration) -> Duration {
        ahead * self.0 / AMPLE
    }
}
