//! How the jobs of `disk` are done, each in a thread where it may take its time.
//!
//! When there is something to be done is not known here, nor who hears what came of it.

use std::sync::Arc;

use common::content::transfer::BlockRoom;
use common::disk::{Job, JobDone};

use crate::members_file::MembersFile;
use crate::options::DataSource;
use crate::share::SharedDirectory;
use crate::store_file::StoreFile;
use crate::{data, sockets};

/// Where what jobs read and write is.
#[derive(Clone)]
pub(crate) struct Files {
    pub(crate) data: DataSource,
    pub(crate) members: Option<MembersFile>,
    pub(crate) share: Option<Arc<SharedDirectory>>,
    pub(crate) store: Option<StoreFile>,
}

/// Does a job, and says what came of it if anybody is to know. Blocks are read into this room.
pub(crate) fn perform(files: &Files, job: Job, rooms: Vec<BlockRoom>) -> Option<JobDone> {
    match job {
        Job::LookUp { neighbor, name } => Some(look_up(neighbor, &name)),
        Job::ReadData => {
            // What is wanted read again is read again together, and this first: a gigabyte of data may take its time, or fail.
            if let Some(share) = &files.share {
                share.read_never_anew();
            }
            let read = data::load(&files.data).map(Arc::new);
            Some(JobDone::DataRead(read.map_err(|error| format!("{error:#}"))))
        }
        Job::KeepMembers(ref members) => {
            let Some(file) = &files.members else { return job.failed("none is named") };
            Some(JobDone::MembersKept(file.write(members).map_err(|error| format!("{error:#}"))))
        }
        Job::LookThrough(ref store) => {
            let Some(share) = &files.share else { return job.failed("nothing is shared") };
            Some(JobDone::LookedThrough(share.look_through(store)))
        }
        Job::ReadBlocks(ref wanted) => {
            let Some(share) = &files.share else { return job.failed("nothing is shared") };
            let read = share.reader().read_blocks(&wanted.content, wanted.first, wanted.count, rooms);
            Some(JobDone::BlocksRead { link: wanted.link, fetch: wanted.fetch, read })
        }
        Job::ReadHashes(ref wanted) => {
            let Some(share) = &files.share else { return job.failed("nothing is shared") };
            let read = share.reader().read_hashes(&wanted.content, wanted.first, wanted.count);
            Some(JobDone::HashesRead { link: wanted.link, fetch: wanted.fetch, first: wanted.first, read })
        }
        Job::Commit(ref changes) => {
            let Some(store) = &files.store else { return job.failed("nothing is kept") };
            Some(JobDone::Committed(store.commit(changes)))
        }
        Job::Free(store) => {
            drop(store);
            None
        }
    }
}

/// Asks what addresses a neighbor has.
pub(crate) fn look_up(neighbor: usize, name: &str) -> JobDone {
    // Whoever is told knows whose name it is.
    let addresses = sockets::resolve(name).map(|found| found.addresses);
    JobDone::LookedUp {
        neighbor,
        addresses: addresses.map_err(|error| anyhow::Error::from(error).root_cause().to_string()),
    }
}
