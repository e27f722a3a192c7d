//! A floor that keeps records: they are written behind one another into a file, and the system is told to put them on the
//! disk before the next are written.
//!
//! Nobody asks for it over a link, nothing is found again, and what a crash leaves half written is not told from the rest.

use std::fs::File;
use std::io::Write;
use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::Context;
use hdrhistogram::Histogram;

use super::super::load::{Amount, Loaded};

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

fn note(latencies: &mut Histogram<u64>, took: Duration) -> anyhow::Result<()> {
    latencies.record(u64::try_from(took.as_nanos())?).context("a latency cannot be noted")
}

#[cfg(test)]
mod tests {
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
}
