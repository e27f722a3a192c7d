//! What a mind wants of those that take their time, disks and name servers, and what comes of it.
//!
//! Words only: nothing is read or asked here. Whoever performs a mind's outputs has a job done beside everything else,
//! and tells the mind once it is.

use std::net::SocketAddr;
use std::sync::Arc;

use crate::content::catalogue::Catalogue;
use crate::content::transfer::BlockBytes;
use crate::content::{Blocks, FileStamp};
use crate::link::LinkId;
use crate::member_file::KnownMember;
use crate::store::Store;
use crate::written::StoreChange;

/// Something to be done where whoever does it has to wait.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Job {
    /// Find out what a neighbor's name stands for. Comes back as [`JobDone::LookedUp`].
    LookUp {
        /// The number of the neighbor.
        neighbor: usize,
        /// Its name, as the operator wrote it.
        name: String,
    },
    /// Read the data again. Comes back as [`JobDone::DataRead`].
    ReadData,
    /// Write down who is known, in the place of what was written before. Comes back as [`JobDone::MembersKept`].
    KeepMembers(Vec<KnownMember>),
    /// Look through the directory that is shared, for a while at most; each file is described as this data says. Comes back as
    /// [`JobDone::LookedThrough`].
    LookThrough(Arc<Store>),
    /// Read blocks of a file that is fetched from here. Comes back as [`JobDone::BlocksRead`].
    ReadBlocks(BlocksToRead),
    /// Read the hashes of such blocks. Comes back as [`JobDone::HashesRead`].
    ReadHashes(HashesToRead),
    /// Put these changes on the disk, all or none, in this order. Comes back as [`JobDone::Committed`].
    Commit(Vec<StoreChange>),
    /// Let go of data that was replaced: freeing much memory takes long. Nothing comes back.
    Free(Arc<Store>),
}

/// What came of a [`Job`]. What went wrong is told in words for the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum JobDone {
    /// A neighbor's name was looked up.
    LookedUp {
        /// The number of the neighbor.
        neighbor: usize,
        /// The addresses it stands for.
        addresses: Result<Vec<SocketAddr>, String>,
    },
    /// The data was read anew.
    DataRead(Result<Arc<Store>, String>),
    /// Who is known was written down.
    MembersKept(Result<(), String>),
    /// Changes are on the disk, whatever becomes of the machine, or none of them is known to be.
    Committed(Result<(), CommitFailure>),
    /// The directory was looked through.
    LookedThrough(Result<LookedThrough, String>),
    /// Blocks were read. Whoever performs a mind's outputs has them queued on the link, and tells the mind
    /// once they are ([`Input::Given`](crate::overlay::Input::Given)); of those that could not be read the mind is told as of any job.
    BlocksRead {
        /// The link of whoever fetches.
        link: LinkId,
        /// Its number of the fetch.
        fetch: u32,
        /// The blocks with their numbers, in order; all that were to be read.
        read: Result<Vec<(u32, BlockBytes)>, ReadFailure>,
    },
    /// Hashes of blocks were read. The mind says them, and is told as of blocks once they are queued.
    HashesRead {
        /// The link of whoever fetches.
        link: LinkId,
        /// Its number of the fetch.
        fetch: u32,
        /// The block of the first.
        first: u32,
        /// The hashes; all that were to be read.
        read: Result<Vec<[u8; 32]>, ReadFailure>,
    },
}

/// A file that is shared, as it has to be to be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SharedContent {
    /// Its path from the directory that is shared.
    pub name: Vec<u8>,
    /// What it showed of itself when it was hashed.
    pub stamp: FileStamp,
    /// Where the hashes of its blocks are kept.
    pub hashes_at: u64,
    /// Its blocks.
    pub blocks: Blocks,
}

/// Blocks of a file that is fetched, each of which there is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BlocksToRead {
    /// The link of whoever fetches.
    pub link: LinkId,
    /// Its number of the fetch.
    pub fetch: u32,
    /// Of which file.
    pub content: Arc<SharedContent>,
    /// The first block.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// The hashes of such blocks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct HashesToRead {
    /// The link of whoever fetches.
    pub link: LinkId,
    /// Its number of the fetch.
    pub fetch: u32,
    /// Of which file.
    pub content: Arc<SharedContent>,
    /// The first block.
    pub first: u32,
    /// How many.
    pub count: u32,
}

/// Why a file that is shared could not be read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ReadFailure {
    /// It is not there any more.
    Gone,
    /// It is not what was hashed.
    Changed,
    /// The system says why.
    Failed(String),
    /// Nobody could be had to read it.
    NotTried(String),
}

/// Why changes are not on the disk.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum CommitFailure {
    /// There is no room for them, or nobody could be had to try. None of them is there, and others may be put there later.
    Full(String),
    /// The disk has failed: what is there of them nobody knows, and nothing is put there any more.
    Failed(String),
}

/// What came of looking through the directory that is shared.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LookedThrough {
    /// What is shared from now on; nothing where that is as it was.
    pub catalogue: Option<Arc<Catalogue>>,
    /// Whether all of it was looked through; otherwise the next job of the kind goes on where this one has ended.
    pub is_whole: bool,
    /// How many files were hashed since a whole looking through ended last.
    pub hashed_count: u64,
}

impl Job {
    /// What comes of a job that nobody can do or has begun, if anybody is to be told.
    #[must_use]
    pub fn failed(&self, reason: &str) -> Option<JobDone> {
        match self {
            Job::LookUp { neighbor, .. } => {
                Some(JobDone::LookedUp { neighbor: *neighbor, addresses: Err(reason.to_owned()) })
            }
            Job::ReadData => Some(JobDone::DataRead(Err(format!("cannot read the data: {reason}")))),
            Job::KeepMembers(_) => Some(JobDone::MembersKept(Err(format!("cannot write the members file: {reason}")))),
            Job::LookThrough(_) => {
                Some(JobDone::LookedThrough(Err(format!("cannot look through what is shared: {reason}"))))
            }
            Job::ReadBlocks(BlocksToRead { link, fetch, .. }) => {
                let read = Err(ReadFailure::NotTried(reason.to_owned()));
                Some(JobDone::BlocksRead { link: *link, fetch: *fetch, read })
            }
            Job::ReadHashes(HashesToRead { link, fetch, first, .. }) => {
                let read = Err(ReadFailure::NotTried(reason.to_owned()));
                Some(JobDone::HashesRead { link: *link, fetch: *fetch, first: *first, read })
            }
            Job::Commit(_) => Some(JobDone::Committed(Err(CommitFailure::Full(reason.to_owned())))),
            Job::Free(_) => None,
        }
    }

    /// What comes of a job that was begun and came to no end, if anybody is to be told: how much of it was done nobody knows.
    #[must_use]
    pub fn broken_off(&self, reason: &str) -> Option<JobDone> {
        match self {
            Job::Commit(_) => Some(JobDone::Committed(Err(CommitFailure::Failed(reason.to_owned())))),
            _ => self.failed(reason),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_waits_for_a_job_is_told_that_nobody_can_do_it() {
        let look_up = Job::LookUp { neighbor: 3, name: "tea.example:7".to_owned() };
        let addresses = Err("no thread".to_owned());
        assert_eq!(look_up.failed("no thread"), Some(JobDone::LookedUp { neighbor: 3, addresses }));
        let unread = Err("cannot read the data: no thread".to_owned());
        assert_eq!(Job::ReadData.failed("no thread"), Some(JobDone::DataRead(unread)));
        let unwritten = Err("cannot write the members file: no thread".to_owned());
        assert_eq!(Job::KeepMembers(Vec::new()).failed("no thread"), Some(JobDone::MembersKept(unwritten)));
        assert_eq!(Job::Free(Arc::default()).failed("no thread"), None, "nobody waits for it");
        let later = Err(CommitFailure::Full("no thread".to_owned()));
        assert_eq!(Job::Commit(Vec::new()).failed("no thread"), Some(JobDone::Committed(later)), "nothing was done");
    }

    #[test]
    fn of_a_commit_that_was_broken_off_nobody_knows_what_is_there() {
        let unknown = Err(CommitFailure::Failed("a fault".to_owned()));
        assert_eq!(Job::Commit(Vec::new()).broken_off("a fault"), Some(JobDone::Committed(unknown)));
        assert_eq!(Job::ReadData.broken_off("a fault"), Job::ReadData.failed("a fault"));
    }
}
