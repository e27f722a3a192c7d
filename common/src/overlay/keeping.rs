//! When members are written down: one writing at a time, but the last, which waits for nothing. That it cannot be is said
//! once, and once more only after it could.
//!
//! It does not know who is written down, nor where.

use super::doors::Outbox;
use crate::disk::Job;
use crate::member_file::KnownMember;

/// How far the writing is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Keeping {
    /// Writings of which nothing has come back.
    under_way: u8,
    /// Whether the last of which something has come back was in vain.
    has_failed: bool,
}

impl Keeping {
    pub(super) fn is_idle(self) -> bool {
        self.under_way == 0
    }

    /// Has these written.
    pub(super) fn begin(&mut self, members: Vec<KnownMember>, out: &mut Outbox<'_>) {
        self.under_way = self.under_way.saturating_add(1);
        out.disk(Job::KeepMembers(members));
    }

    /// They have been, or could not be.
    pub(super) fn on_kept(&mut self, kept: Result<(), String>) {
        self.under_way = self.under_way.saturating_sub(1);
        let had_failed = std::mem::replace(&mut self.has_failed, kept.is_err());
        match kept {
            Err(reason) if !had_failed => log::warn!("{reason}; until it can be written it stays as it is"),
            Err(reason) => log::debug!("{reason}"),
            Ok(()) if had_failed => log::info!("the members file is written again"),
            Ok(()) => {}
        }
    }
}
