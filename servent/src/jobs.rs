//! How the jobs of `disk` are done, each in a thread where it may take its time.
//!
//! When there is something to be done is not known here, nor who hears what came of it.

use std::sync::Arc;

use common::disk::{Job, JobDone};

use crate::options::DataSource;
use crate::{data, sockets};

/// Does a job, and says what came of it if anybody is to know. `data` is where the data is read from.
pub(crate) fn perform(data: &DataSource, job: Job) -> Option<JobDone> {
    match job {
        Job::LookUp { neighbor, name } => Some(look_up(neighbor, &name)),
        Job::ReadData => {
            let read = data::load(data).map(Arc::new);
            Some(JobDone::DataRead(read.map_err(|error| format!("{error:#}"))))
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
