//! A floor that keeps records: they are written behind one another into a file, and the system is told to put them on the
//! disk before the next are written.
//!
//! Nobody asks for it over a link, nothing is found again, and what a crash leaves half written is not told from the rest. Here is
//! too what a database does to a disk and nothing else of it: pages far apart that are written and synced.

use std::fs::File;
use std::io::Write;
use std::os::unix::fs::FileExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;

use super::super::load::{Amount, Loaded};

const PAGE_BYTES: usize = 4096;
/// So many pages there are, and one after the other is so many of them away.
const PAGES: u64 = 4_000;
const PAGES_APART: u64 = 977;

/// Appends so many records of a length at a time, and syncs them, until as many are kept as are wanted.
pub fn append(path: &Path, length: usize, at_once: usize, amount: Amount) -> anyhow::Result<Loaded> {
    let mut file = File::create_new(path).with_context(|| format!("cannot make {}", path.display()))?;
    // What is in it is looked at by nobody; all zeros might be kept as nothing.
    let records = b"record".iter().copied().cycle().take(length * at_once).collect::<Vec<u8>>();
    let mut kept = Loaded::new()?;
    let started = Instant::now();
    while match amount {
        Amount::Queries(count) => kept.count < count,
        Amount::Time(time) => kept.time < time,
    } {
        let begun = Instant::now();
        file.write_all(&records)?;
        file.sync_data()?;
        note(&mut kept.over, begun.elapsed())?;
        kept.count += at_once as u64;
        kept.time = started.elapsed();
    }
    Ok(kept)
}

/// Writes so many pages at a time over others, and syncs them, until it is over. How often.
pub fn pages(path: &Path, at_once: usize, is_over: &AtomicBool) -> anyhow::Result<u64> {
    let file = File::create_new(path).with_context(|| format!("cannot make {}", path.display()))?;
    let page = [7; PAGE_BYTES];
    let (mut number, mut syncs_count) = (0, 0);
    while !is_over.load(Ordering::Relaxed) {
        for _ in 0..at_once {
            file.write_all_at(&page, number * PAGE_BYTES as u64)?;
            number = (number + PAGES_APART) % PAGES;
        }
        file.sync_data()?;
        syncs_count += 1;
    }
    Ok(syncs_count)
}

fn note(latencies: &mut Histogram<u64>, took: Duration) -> anyhow::Result<()> {
    latencies.record(u64::try_from(took.as_nanos())?).context("a latency cannot be noted")
}

#[cfg(test)]
mod tests {
    use std::thread;

    use super::*;

    #[test]
    fn all_records_are_in_the_file_and_as_many_as_are_wanted() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("records");
        let kept = append(&path, 100, 64, Amount::Queries(130)).unwrap();
        assert_eq!((kept.count, kept.over.len()), (192, 3));
        assert_eq!(path.metadata().unwrap().len(), 19_200);
        assert!(append(&path, 100, 1, Amount::Queries(1)).is_err(), "what is there is not written to");
    }

    #[test]
    fn pages_are_written_until_it_is_over() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("pages");
        let is_over = AtomicBool::new(false);
        let syncs_count = thread::scope(|scope| {
            let writing = scope.spawn(|| pages(&path, 64, &is_over));
            let length = || path.metadata().map_or(0, |metadata| metadata.len());
            while length() < PAGES * PAGE_BYTES as u64 / 2 && !writing.is_finished() {
                thread::yield_now();
            }
            is_over.store(true, Ordering::Relaxed);
            writing.join().unwrap().unwrap()
        });
        assert!(syncs_count > 0);
        assert_eq!(path.metadata().unwrap().len() % PAGE_BYTES as u64, 0);
    }
}
