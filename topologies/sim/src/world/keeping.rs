//! The disks of servents on which it is kept what clients write: how long a commit takes, and what comes of it.
//!
//! A commit is done at once on a disk that remembers each step of it; whoever is killed before it has ended has done only some of
//! these. Most keep records of the simulator's own, some the database that the program has. What is written, and who is told, is for a servent's mind.

use std::collections::BTreeMap;
use std::io::{self, ErrorKind};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use common::disk::{CommitFailure, JobDone};
use common::written::{StoreChange, WrittenData};
use database::{Current, Database, DatabasePlace, OpenError, Storage};

use super::clock::{MILLISECOND, Nanos};
use crate::plan::DiskKind;
use crate::random::Random;
use crate::records::Records;
use crate::scene::Scene;
use crate::torn_disk::{Mishap, TornDisk, TornError, TornFileId};
use crate::writes;

// What the streams of a disk are for.
const DISKS: u64 = 0x776f_726c_640c_0000;
const NAMES: u64 = 0x776f_726c_640e_0000;
/// Of a hundred disks, those with the program's own database.
const DATABASE_PERCENT: u64 = 12;
/// Where a commit goes wrong: so many of its writes or syncs are well before.
const WELL_MAX: u64 = 6;

/// How long a commit takes: mostly, and how long at most where it is slow, so often in a hundred times; and of a thousand, how
/// many find no room, how many fail, and for how many there is nobody; of a thousand starts, at how many a rename fails, or a
/// sync of names.
struct CommitPace {
    sync: Nanos,
    slow_sync: Nanos,
    slow_percent: u64,
    full_permille: u64,
    fails_permille: u64,
    refuses_permille: u64,
    names_fail_permille: u64,
}

const QUICK: CommitPace = CommitPace {
    sync: MILLISECOND,
    slow_sync: MILLISECOND,
    slow_percent: 0,
    full_permille: 0,
    fails_permille: 0,
    refuses_permille: 0,
    names_fail_permille: 0,
};
const MILD: CommitPace = CommitPace {
    sync: 8 * MILLISECOND,
    slow_sync: 150 * MILLISECOND,
    slow_percent: 10,
    full_permille: 10,
    fails_permille: 5,
    refuses_permille: 0,
    names_fail_permille: 20,
};
const WILD: CommitPace = CommitPace {
    sync: 20 * MILLISECOND,
    slow_sync: 3_000 * MILLISECOND,
    slow_percent: 25,
    full_permille: 60,
    fails_permille: 30,
    refuses_permille: 10,
    names_fail_permille: 100,
};

/// All such disks of a run.
pub(super) struct KeptDisks {
    pace: &'static CommitPace,
    disks: BTreeMap<usize, KeptDisk>,
}

struct KeptDisk {
    random: Random,
    names_random: Random,
    has_database: bool,
    shared: SharedDisk,
    opened: Option<Kept>,
    under_way: Option<Result<(), CommitFailure>>,
}

enum Kept {
    Records(Records),
    Database(Box<Database>),
}

/// What a servent starts with.
pub(super) struct FoundAtStart {
    pub(super) written: WrittenData,
    pub(super) is_read_only: bool,
}

impl KeptDisks {
    pub(super) fn new(scene: &Scene) -> KeptDisks {
        let pace = match scene.plan.disk {
            DiskKind::Quick => &QUICK,
            DiskKind::Mild => &MILD,
            DiskKind::Wild => &WILD,
        };
        let keepers = (0..scene.graph.servents()).filter(|servent| writes::is_keeper(&scene.plan, *servent));
        let disks = keepers.map(|servent| (servent, KeptDisk::new(scene.plan.seed, servent))).collect();
        KeptDisks { pace, disks }
    }

    /// A servent starts: what it finds, where it keeps anything. What is damaged is told in words.
    pub(super) fn start(&mut self, servent: usize) -> Option<Result<FoundAtStart, String>> {
        let pace = self.pace;
        Some(self.disks.get_mut(&servent)?.start(pace))
    }

    /// Whether anything is being put on any of them.
    pub(super) fn are_busy(&self) -> bool {
        self.disks.values().any(|disk| disk.under_way.is_some())
    }

    /// A servent is killed, or the power is cut where it is.
    pub(super) fn stop(&mut self, servent: usize, is_power_cut: bool) {
        if let Some(disk) = self.disks.get_mut(&servent) {
            disk.stop(is_power_cut);
        }
    }

    /// A servent puts changes on its disk: how long that takes; nothing where it has none.
    pub(super) fn begin(&mut self, servent: usize, changes: &[StoreChange]) -> Option<Nanos> {
        let pace = self.pace;
        self.disks.get_mut(&servent)?.begin(pace, changes)
    }

    /// What came of it.
    pub(super) fn end(&mut self, servent: usize) -> Option<JobDone> {
        let disk = self.disks.get_mut(&servent)?;
        disk.shared.lock().disk.end();
        disk.under_way.take().map(JobDone::Committed)
    }
}

impl KeptDisk {
    fn new(seed: u64, servent: usize) -> KeptDisk {
        let mut random = Random::of(seed ^ DISKS, servent as u64);
        let names_random = Random::of(seed ^ NAMES, servent as u64);
        let has_database = random.chance(DATABASE_PERCENT);
        let torn = TornDisk::new(Random::new(random.number()));
        let shared = SharedDisk { held: Arc::new(Mutex::new(HeldDisk { disk: torn, life: 0 })), life: 0 };
        KeptDisk { random, names_random, has_database, shared, opened: None, under_way: None }
    }

    fn start(&mut self, pace: &CommitPace) -> Result<FoundAtStart, String> {
        let is_first = self.shared.life == 0;
        self.shared.life += 1;
        let (mishap, mishap_of_names) = (self.mishap(pace), self.mishap_of_names(pace));
        let mishap = mishap.or(mishap_of_names).filter(|_| !is_first);
        {
            let mut held = self.shared.lock();
            held.life = self.shared.life;
            held.disk.begin(mishap);
        }
        let found = self.open();
        self.shared.lock().disk.end();
        found
    }

    fn open(&mut self) -> Result<FoundAtStart, String> {
        if !self.has_database {
            let opened = Records::open(&mut self.shared.lock().disk);
            self.opened = Some(Kept::Records(opened.records));
            return Ok(FoundAtStart { written: opened.written, is_read_only: opened.is_read_only });
        }
        let opened = database::open_at(&self.shared).map_err(|error| error.to_string())?;
        self.opened = Some(Kept::Database(Box::new(opened.database)));
        Ok(FoundAtStart { written: opened.written, is_read_only: opened.read_only.is_some() })
    }

    fn stop(&mut self, is_power_cut: bool) {
        // Whoever is killed does not tidy up: what its database would write now is not written.
        self.shared.lock().life += 1;
        self.shared.life += 1;
        (self.opened, self.under_way) = (None, None);
        self.shared.lock().disk.stop(is_power_cut);
    }

    fn begin(&mut self, pace: &CommitPace, changes: &[StoreChange]) -> Option<Nanos> {
        let is_refused = self.random.below(1_000) < pace.refuses_permille;
        let is_slow = self.random.chance(pace.slow_percent);
        let wait = 1 + self.random.below(if is_slow { pace.slow_sync } else { pace.sync });
        let mishap = self.mishap(pace);
        if is_refused {
            // It is told once all is done that its mind wanted just now.
            self.under_way = Some(Err(CommitFailure::Full("nobody can be had".to_owned())));
            return Some(0);
        }
        self.shared.lock().disk.begin(mishap);
        self.under_way = Some(match self.opened.as_mut()? {
            Kept::Records(records) => records.commit(&mut self.shared.lock().disk, changes),
            Kept::Database(database) => database.commit(changes),
        });
        Some(wait)
    }

    fn mishap(&mut self, pace: &CommitPace) -> Option<Mishap> {
        let random = &mut self.random;
        let (is_full, fails, is_write) =
            (random.below(1_000) < pace.full_permille, random.below(1_000) < pace.fails_permille, random.chance(30));
        let after = random.below(WELL_MAX) * random.below(2);
        match (is_full, fails, is_write) {
            (true, _, _) => Some(Mishap::NoRoom { after }),
            (false, true, true) => Some(Mishap::WriteFails { after }),
            (false, true, false) => Some(Mishap::SyncFails { after: after.min(2) }),
            (false, false, _) => None,
        }
    }

    /// Names change only at a start.
    fn mishap_of_names(&mut self, pace: &CommitPace) -> Option<Mishap> {
        // From a stream of its own, so that all else is as it was drawn.
        let fails = self.names_random.below(1_000) < pace.names_fail_permille;
        let is_rename = self.names_random.chance(30);
        fails.then_some(if is_rename { Mishap::RenameFails } else { Mishap::NamesSyncFails })
    }
}

// ---- the disk as the program's database has it ----

const NAME: &str = "database";
const BESIDE: &str = "database.new";

#[derive(Debug)]
struct HeldDisk {
    disk: TornDisk,
    /// Whose turn it is: whoever was killed writes no more.
    life: u64,
}

/// A disk in one life of whoever uses it.
#[derive(Clone, Debug)]
struct SharedDisk {
    held: Arc<Mutex<HeldDisk>>,
    life: u64,
}

#[derive(Debug)]
struct TornStorage {
    shared: SharedDisk,
    file: TornFileId,
}

impl SharedDisk {
    fn lock(&self) -> MutexGuard<'_, HeldDisk> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn storage(&self, file: TornFileId) -> Arc<dyn Storage> {
        Arc::new(TornStorage { shared: self.clone(), file })
    }
}

impl DatabasePlace for SharedDisk {
    fn current(&self) -> Result<Option<Current>, OpenError> {
        let file = self.lock().disk.find(NAME);
        Ok(file.map(|file| Current { storage: self.storage(file), read_only: None }))
    }

    fn beside(&self) -> Result<Arc<dyn Storage>, OpenError> {
        let file = self.lock().disk.create(BESIDE);
        Ok(self.storage(file))
    }

    fn replace(&self) -> io::Result<()> {
        self.lock().disk.rename(BESIDE, NAME).map_err(told)
    }

    fn give_up(&self) {}

    fn sync_entry(&self) -> io::Result<()> {
        self.lock().disk.sync_names().map_err(told)
    }
}

impl TornStorage {
    fn with<T>(&self, act: impl FnOnce(&mut TornDisk, TornFileId) -> Result<T, TornError>) -> io::Result<T> {
        let mut held = self.shared.lock();
        if held.life != self.shared.life {
            return Err(io::Error::other("it was killed"));
        }
        act(&mut held.disk, self.file).map_err(told)
    }
}

fn told(error: TornError) -> io::Error {
    match error {
        TornError::Full => ErrorKind::StorageFull.into(),
        TornError::Failed => io::Error::other("it fails"),
    }
}

fn place(offset: u64) -> usize {
    usize::try_from(offset).unwrap_or(usize::MAX)
}

impl Storage for TornStorage {
    fn bytes_count(&self) -> io::Result<u64> {
        self.with(|disk, file| Ok(disk.length(file) as u64))
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let read = self.with(|disk, file| {
            let from = place(offset);
            let read = disk.bytes(file).get(from..from.saturating_add(bytes.len()));
            Ok(read.map(|read| bytes.copy_from_slice(read)))
        })?;
        read.ok_or(ErrorKind::UnexpectedEof.into())
    }

    fn write(&self, offset: u64, bytes: &[u8]) -> io::Result<()> {
        self.with(|disk, file| disk.write(file, place(offset), bytes))
    }

    fn resize(&self, bytes_count: u64) -> io::Result<()> {
        self.with(|disk, file| disk.set_length(file, place(bytes_count)))
    }

    fn sync(&self) -> io::Result<()> {
        self.with(TornDisk::sync)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_fail_at_some_starts_of_a_disk_that_is_not_quick_and_in_both_ways() {
        let fail = |pace: &CommitPace| {
            let drawn = (0..2_000).filter_map(|servent| KeptDisk::new(1, servent).mishap_of_names(pace));
            let (renames, syncs): (Vec<Mishap>, Vec<Mishap>) = drawn.partition(|mishap| *mishap == Mishap::RenameFails);
            assert!(syncs.iter().all(|mishap| *mishap == Mishap::NamesSyncFails));
            (renames.len(), syncs.len())
        };
        assert_eq!(fail(&QUICK), (0, 0));
        let [mild, wild] = [&MILD, &WILD].map(fail);
        assert!(0 < mild.0 && mild.0 < mild.1 && mild.1 < wild.0 && wild.0 < wild.1, "{mild:?} {wild:?}");
    }

    #[test]
    fn a_database_is_told_that_it_was_not_renamed_or_that_its_name_may_not_be_kept() {
        for (mishap, is_renamed) in [(Mishap::RenameFails, false), (Mishap::NamesSyncFails, true)] {
            let place = KeptDisk::new(1, 0).shared;
            place.beside().unwrap().write(0, b"before").unwrap();
            place.replace().and_then(|()| place.sync_entry()).unwrap();
            place.beside().unwrap().write(0, b"anew").unwrap();
            place.lock().disk.begin(Some(mishap));
            assert!(place.replace().and_then(|()| place.sync_entry()).is_err());
            place.lock().disk.end();
            let there = place.current().unwrap().unwrap().storage;
            assert_eq!(there.bytes_count().unwrap(), if is_renamed { 4 } else { 6 });
            place.lock().disk.begin(Some(Mishap::NamesSyncFails));
            assert!(place.sync_entry().is_err());
            place.lock().disk.end();
            place.sync_entry().unwrap();
        }
    }
}
