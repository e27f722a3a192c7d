//! When the data is read again: one reading at a time, and one more after it if it was asked for meanwhile, however often.
//!
//! It does not know the data, nor who asks for it to be read.

use super::doors::Outbox;
use crate::disk::Job;

/// How far the data is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum Reload {
    #[default]
    Idle,
    Reading,
    /// What is being read may be older than what was meant.
    ReadingAndAsked,
}

impl Reload {
    /// It is asked for.
    pub(super) fn on_asked(&mut self, out: &mut Outbox<'_>) {
        if *self == Reload::Idle {
            *self = Reload::Reading;
            out.disk(Job::ReadData);
        } else {
            *self = Reload::ReadingAndAsked;
        }
    }

    /// It has been read, or could not be.
    pub(super) fn on_read(&mut self, out: &mut Outbox<'_>) {
        let was_asked = *self == Reload::ReadingAndAsked;
        *self = Reload::Idle;
        if was_asked {
            self.on_asked(out);
        }
    }
}
