//! What the simulator's servents keep of writes on their disks: one record a commit, each behind the other.
//!
//! A record is whole or it was never there: it begins with its length and a sum of itself and of all before it. Whoever
//! starts copies the whole records beside, syncs that, and only then writes again, so nothing stands behind one that was
//! torn. What a servent makes of what it has kept is its mind's, and what goes wrong is the disk's (`torn_disk`).

use std::sync::Arc;

use common::content::search::FileName;
use common::disk::CommitFailure;
use common::key::Key;
use common::written::{StoreChange, WrittenData};

use super::torn_disk::{TornDisk, TornError, TornFileId};

const NAME: &str = "records";
const BESIDE: &str = "records.new";
const LENGTH_BYTES: usize = 4;
const SUM_BYTES: usize = 16;
/// A record is written in pieces of so many bytes.
const PIECE_BYTES: usize = 4_096;

type RecordSum = [u8; SUM_BYTES];

/// The file of a servent that runs.
#[derive(Debug)]
pub struct Records {
    file: TornFileId,
    end: usize,
    sum: RecordSum,
    has_failed: bool,
}

/// What a servent finds when it starts.
#[derive(Debug)]
pub struct OpenedRecords {
    /// What it can write to.
    pub records: Records,
    /// All that is kept.
    pub written: WrittenData,
    /// Whether nothing can be written there, in this life.
    pub is_read_only: bool,
}

impl Records {
    /// Reads what is kept, and makes ready to keep more.
    pub fn open(disk: &mut TornDisk) -> OpenedRecords {
        let before = disk.find(NAME).map_or(&[][..], |file| disk.bytes(file));
        let (end, sum, commits) = whole(before);
        let bytes = before.get(..end).unwrap_or_default().to_vec();
        let mut written = WrittenData::default();
        commits.into_iter().flatten().for_each(|change| written.apply(change));
        let copied = copy(disk, &bytes);
        let file = copied.unwrap_or(TornFileId::NOWHERE);
        let is_read_only = copied.is_err();
        OpenedRecords { records: Records { file, end, sum, has_failed: is_read_only }, written, is_read_only }
    }

    /// Keeps these, all or none.
    ///
    /// # Errors
    ///
    /// Where there is no room, or the disk has failed, now or before.
    pub fn commit(&mut self, disk: &mut TornDisk, changes: &[StoreChange]) -> Result<(), CommitFailure> {
        if self.has_failed {
            return Err(CommitFailure::Failed("the disk has failed".to_owned()));
        }
        let body = encoded(changes);
        let sum = sum_of(&self.sum, &body);
        let mut record = u32::try_from(body.len()).unwrap_or(u32::MAX).to_be_bytes().to_vec();
        record.extend(sum);
        record.extend(body);
        self.append(disk, &record).map_err(|error| match error {
            TornError::Full => CommitFailure::Full("no space is left".to_owned()),
            TornError::Failed => {
                self.has_failed = true;
                CommitFailure::Failed("it cannot be synced".to_owned())
            }
        })?;
        (self.end, self.sum) = (self.end + record.len(), sum);
        Ok(())
    }

    fn append(&self, disk: &mut TornDisk, record: &[u8]) -> Result<(), TornError> {
        for (place, piece) in record.chunks(PIECE_BYTES).enumerate() {
            disk.write(self.file, self.end + place * PIECE_BYTES, piece)?;
        }
        disk.sync(self.file)
    }
}

/// Another file with these bytes takes the place of the one there is.
fn copy(disk: &mut TornDisk, bytes: &[u8]) -> Result<TornFileId, TornError> {
    let file = disk.create(BESIDE);
    disk.write(file, 0, bytes)?;
    disk.sync(file)?;
    disk.rename(BESIDE, NAME)?;
    disk.sync_names()?;
    Ok(file)
}

/// Where the first record ends that is followed by none that is whole, the sum of all before, and what they say.
fn whole(bytes: &[u8]) -> (usize, RecordSum, Vec<Vec<StoreChange>>) {
    let (mut end, mut sum, mut commits) = (0, RecordSum::default(), Vec::new());
    while let Some((length, next, changes)) = bytes.get(end..).and_then(|rest| first(rest, &sum)) {
        (end, sum) = (end + length, next);
        commits.push(changes);
    }
    (end, sum, commits)
}

fn first(bytes: &[u8], before: &RecordSum) -> Option<(usize, RecordSum, Vec<StoreChange>)> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    let (sum, rest) = rest.split_first_chunk::<SUM_BYTES>()?;
    let length = u32::from_be_bytes(*length) as usize;
    let body = rest.get(..length)?;
    let changes = (*sum == sum_of(before, body)).then(|| decoded(body))??;
    Some((LENGTH_BYTES + SUM_BYTES + length, *sum, changes))
}

fn sum_of(before: &RecordSum, body: &[u8]) -> RecordSum {
    let mut hasher = blake3::Hasher::new();
    hasher.update(before).update(body);
    let mut sum = RecordSum::default();
    hasher.finalize_xof().fill(&mut sum);
    sum
}

// ---- changes as bytes: a kind, and one or two strings with their lengths ----

fn encoded(changes: &[StoreChange]) -> Vec<u8> {
    let mut bytes = Vec::new();
    for change in changes {
        let (kind, subject, text): (u8, &[u8], &[u8]) = match change {
            StoreChange::Put { key, value } => (0, key.as_bytes(), value),
            StoreChange::Hide { key } => (1, key.as_bytes(), &[]),
            StoreChange::Forget { key } => (2, key.as_bytes(), &[]),
            StoreChange::Publish { name, text } => (3, name.as_bytes(), text),
            StoreChange::Unpublish { name } => (4, name.as_bytes(), &[]),
        };
        bytes.push(kind);
        for part in [subject, text] {
            bytes.extend(u32::try_from(part.len()).unwrap_or(u32::MAX).to_be_bytes());
            bytes.extend(part);
        }
    }
    bytes
}

fn decoded(mut bytes: &[u8]) -> Option<Vec<StoreChange>> {
    let mut changes = Vec::new();
    while let Some((kind, rest)) = bytes.split_first() {
        let (subject, rest) = part(rest)?;
        let (text, rest) = part(rest)?;
        let text: Arc<[u8]> = text.into();
        let (key, name) = (Key::new(subject).ok(), FileName::new(subject).ok());
        changes.push(match kind {
            0 => StoreChange::Put { key: key?, value: text },
            1 => StoreChange::Hide { key: key? },
            2 => StoreChange::Forget { key: key? },
            3 => StoreChange::Publish { name: name?, text },
            4 => StoreChange::Unpublish { name: name? },
            _ => return None,
        });
        bytes = rest;
    }
    Some(changes)
}

fn part(bytes: &[u8]) -> Option<(&[u8], &[u8])> {
    let (length, rest) = bytes.split_first_chunk::<LENGTH_BYTES>()?;
    rest.split_at_checked(u32::from_be_bytes(*length) as usize)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;
    use crate::random::Random;
    use crate::torn_disk::Mishap;

    fn put(key: &str, value: usize) -> StoreChange {
        StoreChange::Put { key: Key::new(key.as_bytes()).unwrap(), value: vec![7; value].into() }
    }

    fn some_changes() -> Vec<StoreChange> {
        let (key, name) = (Key::new(b"milk").unwrap(), FileName::new(b"farol").unwrap());
        vec![
            put("tea", 3_000),
            StoreChange::Hide { key: key.clone() },
            StoreChange::Publish { name: name.clone(), text: b"at dusk"[..].into() },
            StoreChange::Forget { key },
            StoreChange::Unpublish { name },
        ]
    }

    fn lengths(written: &WrittenData) -> Vec<usize> {
        written.values().map(|(_, kept)| format!("{kept:?}").matches('7').count()).collect()
    }

    #[test]
    fn changes_come_back_as_they_were() {
        let changes = some_changes();
        assert_eq!(decoded(&encoded(&changes)), Some(changes));
        assert_eq!(decoded(&[9, 0, 0, 0, 0, 0, 0, 0, 0]), None);
    }

    #[test]
    fn what_was_committed_is_there_and_what_was_cut_short_is_whole_or_not_there() {
        let mut found = BTreeSet::new();
        for seed in 0..600 {
            let mut disk = TornDisk::new(Random::new(seed));
            let mut records = Records::open(&mut disk).records;
            disk.begin(None);
            records.commit(&mut disk, &[put("a", 700), put("b", 1)]).unwrap();
            disk.end();
            disk.begin(None);
            records.commit(&mut disk, &[put("a", 5_000), put("c", 900)]).unwrap();
            disk.stop(seed % 2 == 0);
            let opened = Records::open(&mut disk);
            found.insert(lengths(&opened.written));
            // And so it is for the next one, whose record is shorter than what was torn.
            let mut records = opened.records;
            let before = lengths(&opened.written);
            disk.begin(None);
            records.commit(&mut disk, &[put("d", 9)]).unwrap();
            disk.end();
            disk.cut_power();
            assert_eq!(lengths(&Records::open(&mut disk).written), [before, vec![9]].concat());
        }
        assert_eq!(found, [vec![700, 1], vec![5_000, 1, 900]].into());
    }

    #[test]
    fn a_start_that_is_cut_short_loses_nothing() {
        for seed in 0..600 {
            let mut disk = TornDisk::new(Random::new(seed));
            let mut records = Records::open(&mut disk).records;
            records.commit(&mut disk, &[put("a", 700)]).unwrap();
            disk.begin(None);
            Records::open(&mut disk);
            disk.stop(seed % 2 == 0);
            assert_eq!(lengths(&Records::open(&mut disk).written), [700], "seed {seed}");
        }
    }

    #[test]
    fn where_there_is_no_room_nothing_of_it_is_there_and_later_ones_are() {
        for seed in 0..200 {
            let mut disk = TornDisk::new(Random::new(seed));
            let mut records = Records::open(&mut disk).records;
            disk.begin(Some(Mishap::NoRoom { after: seed % 2 }));
            let failure = records.commit(&mut disk, &[put("a", 5_000)]);
            assert!(matches!(failure, Err(CommitFailure::Full(_))));
            disk.end();
            if seed % 3 > 0 {
                records.commit(&mut disk, &[put("b", 2)]).unwrap();
            }
            disk.stop(seed % 5 != 0);
            let left: &[usize] = if seed % 3 > 0 { &[2] } else { &[] };
            assert_eq!(lengths(&Records::open(&mut disk).written), left);
        }
    }

    #[test]
    fn after_a_sync_that_failed_nothing_is_kept_until_all_was_copied() {
        let mut found = BTreeSet::new();
        for seed in 0..300 {
            let mut disk = TornDisk::new(Random::new(seed));
            let mut records = Records::open(&mut disk).records;
            records.commit(&mut disk, &[put("a", 1)]).unwrap();
            disk.begin(Some(Mishap::SyncFails { after: 0 }));
            assert!(matches!(records.commit(&mut disk, &[put("b", 2)]), Err(CommitFailure::Failed(_))));
            disk.end();
            assert!(matches!(records.commit(&mut disk, &[put("c", 3)]), Err(CommitFailure::Failed(_))));
            disk.kill();
            let opened = Records::open(&mut disk);
            assert!(!opened.is_read_only);
            // What is shown now is kept from now on.
            disk.cut_power();
            assert_eq!(Records::open(&mut disk).written, opened.written);
            found.insert(lengths(&opened.written));
        }
        assert_eq!(found, [vec![1], vec![1, 2]].into());
    }

    #[test]
    fn where_names_could_not_be_synced_it_is_only_read_and_nothing_is_lost_of_what_comes_later() {
        let mut is_there = BTreeSet::new();
        for seed in 0..200 {
            let mut disk = TornDisk::new(Random::new(seed));
            Records::open(&mut disk).records.commit(&mut disk, &[put("a", 1)]).unwrap();
            disk.begin(Some(Mishap::NamesSyncFails));
            let mut opened = Records::open(&mut disk);
            disk.end();
            assert_eq!((lengths(&opened.written), opened.is_read_only), (vec![1], true));
            assert!(matches!(opened.records.commit(&mut disk, &[put("b", 2)]), Err(CommitFailure::Failed(_))));
            let there = disk.find(NAME);
            disk.stop(seed % 2 == 0);
            is_there.insert(disk.find(NAME) == there);
            let mut opened = Records::open(&mut disk);
            assert!(!opened.is_read_only);
            opened.records.commit(&mut disk, &[put("c", 3)]).unwrap();
            disk.cut_power();
            assert_eq!(lengths(&Records::open(&mut disk).written), [1, 3], "seed {seed}");
        }
        assert_eq!(is_there, [false, true].into());
    }

    #[test]
    fn where_nothing_can_be_copied_it_is_only_read() {
        let mut disk = TornDisk::new(Random::new(1));
        Records::open(&mut disk).records.commit(&mut disk, &[put("a", 1)]).unwrap();
        for mishap in [Mishap::SyncFails { after: 0 }, Mishap::RenameFails] {
            disk.begin(Some(mishap));
            let mut opened = Records::open(&mut disk);
            disk.end();
            assert_eq!((lengths(&opened.written), opened.is_read_only), (vec![1], true));
            assert!(matches!(opened.records.commit(&mut disk, &[put("b", 2)]), Err(CommitFailure::Failed(_))));
            disk.kill();
        }
        assert_eq!(lengths(&Records::open(&mut disk).written), [1]);
    }
}
