//! What a client has its contact keep, and what it is told of it: changes, their outcomes, and keys that are watched.
//!
//! Words only. Who may write and when a change counts is decided by the servent's mind (`overlay/writes`), what has come of
//! changes until now is in `written`, and how it gets to a disk is the program's.

use std::sync::Arc;

use crate::content::search::FileName;
use crate::key::Key;

/// Client to contact: this is to be kept.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Write {
    /// The client's own number of it.
    pub sequence: u64,
    /// What is to change.
    pub change: Change,
}

/// What is to change in what a servent holds.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// The value of a key, from now on.
    Put {
        /// The key, which need not have had one.
        key: Key,
        /// At most [`VALUE_BYTES_MAX`](crate::limits::VALUE_BYTES_MAX) bytes.
        value: Arc<[u8]>,
    },
    /// A key has no value any more.
    Delete {
        /// The key.
        key: Key,
    },
    /// What a shared file is described as; with `--published-only` it is offered only from now on.
    Publish {
        /// The file.
        name: FileName,
        /// At most [`DESCRIPTION_BYTES_MAX`](crate::limits::DESCRIPTION_BYTES_MAX) bytes; none where nothing is said of it.
        text: Arc<[u8]>,
    },
    /// A file is not published any more.
    Unpublish {
        /// The file, which need not be there any more.
        name: FileName,
    },
}

impl Change {
    /// What it is called by whoever wants it.
    #[must_use]
    pub fn command(&self) -> &'static str {
        match self {
            Change::Put { .. } => "put",
            Change::Delete { .. } => "del",
            Change::Publish { .. } => "publish",
            Change::Unpublish { .. } => "unpublish",
        }
    }

    /// The key, or the name of the file, that it is about.
    #[must_use]
    pub fn subject(&self) -> &[u8] {
        match self {
            Change::Put { key, .. } | Change::Delete { key } => key.as_bytes(),
            Change::Publish { name, .. } | Change::Unpublish { name } => name.as_bytes(),
        }
    }

    /// The bytes of it that are somebody's own.
    #[must_use]
    pub fn bytes_count(&self) -> usize {
        let text = match self {
            Change::Put { value, .. } => value,
            Change::Publish { text, .. } => text,
            Change::Delete { .. } | Change::Unpublish { .. } => return self.subject().len(),
        };
        self.subject().len() + text.len()
    }
}

/// Contact to client: this came of it. Of each write one is said, in the order of the writes, unless the link ends before:
/// then nobody knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Written {
    /// The client's own number of the write.
    pub sequence: u64,
    /// What came of it.
    pub outcome: WriteOutcome,
}

/// What came of a write. Whatever has changed is on the disk, and is what others are told from now on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteOutcome {
    /// The key had no value before, or the file was not published.
    Stored,
    /// It takes the place of another value, or of another description.
    Replaced,
    /// The key has no value any more, or the file is not published any more.
    Deleted,
    /// Nothing has changed: there is no such key, no such file, or it was not published.
    Absent,
    /// Nothing has changed: it was published, with the same description.
    Present,
    /// Nothing has changed, for as long as the servent runs; where its disk has failed, see [`WriteRefusal::DiskFailed`].
    Refused(WriteRefusal),
}

impl WriteOutcome {
    /// Its name for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            WriteOutcome::Stored => "stored",
            WriteOutcome::Replaced => "replaced",
            WriteOutcome::Deleted => "deleted",
            WriteOutcome::Absent => "absent",
            WriteOutcome::Present => "present",
            WriteOutcome::Refused(refusal) => refusal.word(),
        }
    }
}

/// Why a write is refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteRefusal {
    /// The servent keeps nothing.
    NoStore,
    /// It takes no writes from where the client is.
    NotFromHere,
    /// It keeps as many keys, or as many bytes, as it may.
    StoreFull,
    /// There is no room on its disk.
    DiskFull,
    /// Its disk has failed, and nothing is kept any more. What was being put there when it failed may be there after the next
    /// start all the same: nobody knows. What was written later is not.
    DiskFailed,
    /// It shares no directory whose files could be published.
    NothingShared,
    /// Too much waits to be kept; later perhaps.
    Busy,
    /// What it has could only be read when it started, such as where there was no room to write it anew: nothing is kept until it
    /// is started again.
    ReadOnly,
}

impl WriteRefusal {
    /// Every reason there is, in the order of their numbers.
    pub const ALL: [WriteRefusal; 8] = [
        WriteRefusal::NoStore,
        WriteRefusal::NotFromHere,
        WriteRefusal::StoreFull,
        WriteRefusal::DiskFull,
        WriteRefusal::DiskFailed,
        WriteRefusal::NothingShared,
        WriteRefusal::Busy,
        WriteRefusal::ReadOnly,
    ];

    /// Its name for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            WriteRefusal::NoStore => "no_store",
            WriteRefusal::NotFromHere => "not_from_here",
            WriteRefusal::StoreFull => "store_full",
            WriteRefusal::DiskFull => "disk_full",
            WriteRefusal::DiskFailed => "disk_failed",
            WriteRefusal::NothingShared => "nothing_shared",
            WriteRefusal::Busy => "busy",
            WriteRefusal::ReadOnly => "read_only",
        }
    }
}

/// Client to contact: whatever the value of this key is, now and whenever it changes, is to be told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Watch {
    /// The client's own number of the watch.
    pub sequence: u64,
    /// The key.
    pub key: Key,
}

/// Client to contact: it is not to be told any more. What is on its way comes all the same.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unwatch {
    /// The client's own number of the watch.
    pub sequence: u64,
}

/// Contact to client: the value of a key that is watched. Of several changes the last is told.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Changed {
    /// The client's own number of the watch.
    pub sequence: u64,
    /// Nothing where the key has none.
    pub value: Option<Arc<[u8]>>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_json_finds_what_came_of_a_write_by_the_names_it_has() {
        let outcomes = [WriteOutcome::Stored, WriteOutcome::Replaced, WriteOutcome::Deleted, WriteOutcome::Absent];
        assert_eq!(outcomes.map(WriteOutcome::word), ["stored", "replaced", "deleted", "absent"]);
        assert_eq!(WriteOutcome::Present.word(), "present");
        assert_eq!(
            WriteRefusal::ALL.map(|refusal| WriteOutcome::Refused(refusal).word()),
            [
                "no_store",
                "not_from_here",
                "store_full",
                "disk_full",
                "disk_failed",
                "nothing_shared",
                "busy",
                "read_only"
            ]
        );
    }
}
