//! A disk that keeps what was synced and tears the rest: files as sectors of 512 bytes, and the names by which they are found.
//!
//! What is written is shown at once and kept only once it is synced. Where the power is cut, each sector that was written
//! since the last sync is kept in any way it was since, each for itself, and so is a length. What was done to names comes to
//! the disk in order. After a sync that failed, of a file or of names, nothing counts as unsynced any more, whatever is kept: a
//! second one proves nothing. What is kept in files, and who is told of it, is for whoever uses it (`records`).

use std::collections::{BTreeMap, BTreeSet};

use super::random::Random;

/// The bytes of which all are kept or none.
pub const SECTOR_BYTES: usize = 512;

/// How many of a hundred unsynced sectors are kept: one of these, drawn each time. All and none happen too.
const KEPT_PERCENT: [u64; 5] = [0, 10, 50, 90, 100];

/// A file, by whatever name it goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct TornFileId(usize);

impl TornFileId {
    /// One that no disk has.
    pub const NOWHERE: TornFileId = TornFileId(usize::MAX);
}

/// Why nothing more could be written, or not be synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TornError {
    /// There is no room.
    Full,
    /// The disk says no more than that.
    Failed,
}

/// What goes wrong in what is done next, until that has ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mishap {
    /// After so many writes that need room there is none any more; a part of the one that finds none is written. What was
    /// written before can be written over.
    NoRoom {
        /// How many find some.
        after: u64,
    },
    /// After so many writes one fails, and all that follow.
    WriteFails {
        /// How many are written.
        after: u64,
    },
    /// After so many syncs one fails.
    SyncFails {
        /// How many are well.
        after: u64,
    },
    /// A file cannot be renamed, and goes by the name it has.
    RenameFails,
    /// Names cannot be synced. They are shown, and of what was done to them nothing may be kept, or only what was done first.
    NamesSyncFails,
}

/// One thing that was done to a disk.
#[derive(Clone, Debug)]
enum DiskStep {
    Create(String),
    Write(TornFileId, usize, Vec<u8>),
    SetLength(TornFileId, usize),
    Sync(TornFileId),
    /// One that failed.
    SyncInVain(TornFileId),
    Rename(String, String),
    SyncNames,
    /// One that failed.
    SyncNamesInVain,
}

type Sector = [u8; SECTOR_BYTES];
type TornNames = BTreeMap<String, TornFileId>;
/// What is done to names at once: whose file each is from then on, if any's.
type NamesChange = Vec<(String, Option<TornFileId>)>;

#[derive(Clone, Debug, Default)]
struct TornFile {
    /// What whoever reads sees.
    shown: Vec<u8>,
    /// What is there whatever happens.
    kept: Vec<u8>,
    /// Sectors that were written since they were synced, in each way they were.
    unsynced: BTreeMap<usize, Vec<Sector>>,
    /// Each length it has had since.
    lengths: Vec<usize>,
    /// Sectors that have room on the disk: they were written once.
    roomy: BTreeSet<usize>,
}

#[derive(Clone, Debug, Default)]
struct TornDirectory {
    shown: TornNames,
    kept: TornNames,
    /// What was done since names were synced.
    unsynced: Vec<NamesChange>,
}

#[derive(Clone, Debug, Default)]
struct DiskState {
    files: Vec<TornFile>,
    directory: TornDirectory,
}

/// A disk of files, each of which can be written anywhere.
#[derive(Debug)]
pub struct TornDisk {
    random: Random,
    state: DiskState,
    mishap: Option<Mishap>,
    /// What was before that which is under way, and each step of it so far.
    begun: Option<(Box<DiskState>, Vec<DiskStep>)>,
}

impl TornFile {
    fn sector(&self, at: usize) -> Sector {
        let mut sector = [0; SECTOR_BYTES];
        let bytes = self.shown.iter().skip(at * SECTOR_BYTES);
        sector.iter_mut().zip(bytes).for_each(|(into, byte)| *into = *byte);
        sector
    }

    /// The sectors that have any of these bytes are as they are shown, and not yet kept.
    fn touch(&mut self, from: usize, end: usize) {
        for at in from / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES) {
            let sector = self.sector(at);
            self.unsynced.entry(at).or_default().push(sector);
        }
    }

    fn set_length(&mut self, length: usize) {
        let before = self.shown.len();
        self.shown.resize(length, 0);
        self.lengths.push(length);
        self.roomy.retain(|sector| *sector < length.div_ceil(SECTOR_BYTES));
        self.touch(length.min(before), before);
    }

    fn write(&mut self, at: usize, bytes: &[u8]) {
        let end = at + bytes.len();
        if end > self.shown.len() {
            self.shown.resize(end, 0);
            self.lengths.push(end);
        }
        self.shown.iter_mut().skip(at).zip(bytes).for_each(|(into, byte)| *into = *byte);
        self.touch(at, end);
        self.roomy.extend(at / SECTOR_BYTES..end.div_ceil(SECTOR_BYTES));
    }

    /// Whether some of these bytes have no room yet.
    fn needs_room(&self, at: usize, count: usize) -> bool {
        (at / SECTOR_BYTES..(at + count).div_ceil(SECTOR_BYTES)).any(|sector| !self.roomy.contains(&sector))
    }

    fn keep(&mut self, at: usize, sector: &Sector) {
        let bytes = self.kept.iter_mut().skip(at * SECTOR_BYTES);
        bytes.zip(sector).for_each(|(into, byte)| *into = *byte);
    }

    /// What was unsynced is kept.
    fn sync(&mut self) {
        self.lengths.clear();
        self.kept.resize(self.shown.len(), 0);
        for (at, ways) in std::mem::take(&mut self.unsynced) {
            ways.last().into_iter().for_each(|sector| self.keep(at, sector));
        }
    }

    /// Any of what was unsynced is kept.
    fn keep_some(&mut self, random: &mut Random) {
        let percent = KEPT_PERCENT.get(random.index(KEPT_PERCENT.len())).copied().unwrap_or_default();
        let lengths = std::mem::take(&mut self.lengths);
        if let Some(length) = one_of(&lengths, percent, random) {
            self.kept.resize(*length, 0);
        }
        for (at, ways) in std::mem::take(&mut self.unsynced) {
            one_of(&ways, percent, random).into_iter().for_each(|sector| self.keep(at, sector));
        }
    }

    /// The system forgets some of what it shows, and shows what is kept of that; but for what it knows to be unsynced.
    fn show_anew(&mut self, random: &mut Random) {
        let percent = KEPT_PERCENT.get(random.index(KEPT_PERCENT.len())).copied().unwrap_or_default();
        for at in 0..self.shown.len().div_ceil(SECTOR_BYTES) {
            if !self.unsynced.contains_key(&at) && !random.chance(percent) {
                let from = at * SECTOR_BYTES;
                let kept = self.kept.iter().copied().skip(from).chain(std::iter::repeat(0));
                self.shown.iter_mut().skip(from).take(SECTOR_BYTES).zip(kept).for_each(|(into, byte)| *into = byte);
            }
        }
    }
}

/// The last of these mostly, where any is kept.
fn one_of<'a, T>(ways: &'a [T], percent: u64, random: &mut Random) -> Option<&'a T> {
    match (random.chance(percent), random.chance(80)) {
        (true, true) => ways.last(),
        (true, false) => ways.get(random.index(ways.len())),
        (false, _) => None,
    }
}

impl TornDirectory {
    fn change(&mut self, change: NamesChange) {
        apply(&mut self.shown, &change);
        self.unsynced.push(change);
    }

    fn rename(&mut self, from: &str, to: &str) {
        if let Some(file) = self.shown.get(from).copied() {
            self.change(vec![(from.to_owned(), None), (to.to_owned(), Some(file))]);
        }
    }

    fn sync(&mut self) {
        self.keep(self.unsynced.len());
    }

    /// Any of what was unsynced is kept, up to some change: they come to the disk in order.
    fn keep_some(&mut self, random: &mut Random) {
        self.keep(random.index(self.unsynced.len() + 1));
    }

    fn keep(&mut self, count: usize) {
        let unsynced = std::mem::take(&mut self.unsynced);
        unsynced.iter().take(count).for_each(|change| apply(&mut self.kept, change));
    }
}

fn apply(names: &mut TornNames, change: &NamesChange) {
    for (name, file) in change {
        match file {
            Some(file) => names.insert(name.clone(), *file),
            None => names.remove(name),
        };
    }
}

impl DiskState {
    fn file(&mut self, file: TornFileId) -> Option<&mut TornFile> {
        self.files.get_mut(file.0)
    }

    fn take(&mut self, step: &DiskStep, random: &mut Random) {
        match step {
            DiskStep::Create(name) => {
                self.directory.change(vec![(name.clone(), Some(TornFileId(self.files.len())))]);
                self.files.push(TornFile::default());
            }
            DiskStep::Rename(from, to) => self.directory.rename(from, to),
            DiskStep::SyncNames => self.directory.sync(),
            DiskStep::SyncNamesInVain => self.directory.keep_some(random),
            DiskStep::Write(file, at, bytes) => self.file(*file).into_iter().for_each(|file| file.write(*at, bytes)),
            DiskStep::SetLength(file, length) => {
                self.file(*file).into_iter().for_each(|file| file.set_length(*length));
            }
            DiskStep::Sync(file) => self.file(*file).into_iter().for_each(TornFile::sync),
            DiskStep::SyncInVain(file) => self.file(*file).into_iter().for_each(|file| file.keep_some(random)),
        }
    }
}

impl TornDisk {
    /// A disk without files.
    #[must_use]
    pub fn new(random: Random) -> TornDisk {
        TornDisk { random, state: DiskState::default(), mishap: None, begun: None }
    }

    // ---- what whoever uses it does ----

    /// The file of this name.
    #[must_use]
    pub fn find(&self, name: &str) -> Option<TornFileId> {
        self.state.directory.shown.get(name).copied()
    }

    /// Another file, which has this name from now on.
    pub fn create(&mut self, name: &str) -> TornFileId {
        let file = TornFileId(self.state.files.len());
        self.take(DiskStep::Create(name.to_owned()));
        file
    }

    /// A file has this name and no other.
    ///
    /// # Errors
    ///
    /// Where the disk fails: then it is called as before.
    pub fn rename(&mut self, from: &str, to: &str) -> Result<(), TornError> {
        if self.mishap == Some(Mishap::RenameFails) {
            self.mishap = None;
            return Err(TornError::Failed);
        }
        self.take(DiskStep::Rename(from.to_owned(), to.to_owned()));
        Ok(())
    }

    /// How long a file is.
    #[must_use]
    pub fn length(&self, file: TornFileId) -> usize {
        self.bytes(file).len()
    }

    /// What a file shows.
    #[must_use]
    pub fn bytes(&self, file: TornFileId) -> &[u8] {
        self.state.files.get(file.0).map_or(&[], |file| &file.shown)
    }

    /// Writes this to a place, behind its end too.
    ///
    /// # Errors
    ///
    /// Where there is no room, or the disk fails.
    pub fn write(&mut self, file: TornFileId, at: usize, bytes: &[u8]) -> Result<(), TornError> {
        let needs_room = self.state.files.get(file.0).is_some_and(|file| file.needs_room(at, bytes.len()));
        if let Err((error, written)) = self.may_write(bytes.len(), needs_room) {
            let bytes = bytes.get(..written).unwrap_or_default();
            self.take(DiskStep::Write(file, at, bytes.to_vec()));
            return Err(error);
        }
        self.take(DiskStep::Write(file, at, bytes.to_vec()));
        Ok(())
    }

    /// A file has this length from now on.
    ///
    /// # Errors
    ///
    /// Where there is no room, or the disk fails.
    pub fn set_length(&mut self, file: TornFileId, length: usize) -> Result<(), TornError> {
        if length > self.length(file) {
            self.may_write(1, true).map_err(|(error, _)| error)?;
        }
        self.take(DiskStep::SetLength(file, length));
        Ok(())
    }

    /// All that is shown of a file is kept.
    ///
    /// # Errors
    ///
    /// Where the disk fails: then nobody knows what of it is.
    pub fn sync(&mut self, file: TornFileId) -> Result<(), TornError> {
        if let Some(Mishap::SyncFails { after }) = &mut self.mishap {
            if *after == 0 {
                self.mishap = None;
                self.take(DiskStep::SyncInVain(file));
                return Err(TornError::Failed);
            }
            *after -= 1;
        }
        self.take(DiskStep::Sync(file));
        Ok(())
    }

    /// All that was done to names is kept.
    ///
    /// # Errors
    ///
    /// Where the disk fails: then nobody knows what of it is.
    pub fn sync_names(&mut self) -> Result<(), TornError> {
        if self.mishap == Some(Mishap::NamesSyncFails) {
            self.mishap = None;
            self.take(DiskStep::SyncNamesInVain);
            return Err(TornError::Failed);
        }
        self.take(DiskStep::SyncNames);
        Ok(())
    }

    fn may_write(&mut self, length: usize, needs_room: bool) -> Result<(), (TornError, usize)> {
        let (after, error) = match &mut self.mishap {
            Some(Mishap::NoRoom { after }) if needs_room => (after, TornError::Full),
            Some(Mishap::WriteFails { after }) => (after, TornError::Failed),
            Some(Mishap::NoRoom { .. } | Mishap::SyncFails { .. } | Mishap::RenameFails | Mishap::NamesSyncFails)
            | None => return Ok(()),
        };
        if *after > 0 {
            *after -= 1;
            return Ok(());
        }
        // Never all of it.
        Err((error, self.random.index(length)))
    }

    fn take(&mut self, step: DiskStep) {
        self.state.take(&step, &mut self.random);
        if let Some((_, steps)) = &mut self.begun {
            steps.push(step);
        }
    }

    // ---- what happens to it ----

    /// Something is done from now on that takes its time: where it is cut short, any of its first steps were taken.
    pub fn begin(&mut self, mishap: Option<Mishap>) {
        self.mishap = mishap;
        self.begun = Some((Box::new(self.state.clone()), Vec::new()));
    }

    /// It is done.
    pub fn end(&mut self) {
        (self.mishap, self.begun) = (None, None);
    }

    /// Whoever uses it is killed, and its system goes on: it shows what it has been told to write, but for what it has forgotten.
    pub fn kill(&mut self) {
        self.cut_short();
        self.state.files.iter_mut().for_each(|file| file.show_anew(&mut self.random));
    }

    /// The power is cut: whatever was not synced is kept or not.
    pub fn cut_power(&mut self) {
        self.cut_short();
        for file in &mut self.state.files {
            file.keep_some(&mut self.random);
            file.shown.clone_from(&file.kept);
        }
        let directory = &mut self.state.directory;
        directory.keep_some(&mut self.random);
        directory.shown.clone_from(&directory.kept);
    }

    /// One of the two.
    pub fn stop(&mut self, is_power_cut: bool) {
        if is_power_cut {
            self.cut_power();
        } else {
            self.kill();
        }
    }

    fn cut_short(&mut self) {
        self.mishap = None;
        if let Some((before, steps)) = self.begun.take() {
            self.state = *before;
            let count = self.random.index(steps.len() + 1);
            steps.iter().take(count).for_each(|step| self.state.take(step, &mut self.random));
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::*;

    const FILE: &str = "file";
    const OTHER: &str = "other";

    /// A disk with one file of three sectors, all of it kept.
    fn disk(seed: u64) -> (TornDisk, TornFileId) {
        let mut disk = TornDisk::new(Random::new(seed));
        let file = disk.create(FILE);
        disk.write(file, 0, &[1; 3 * SECTOR_BYTES]).unwrap();
        disk.sync(file).unwrap();
        disk.sync_names().unwrap();
        (disk, file)
    }

    /// The first byte of each sector.
    fn firsts(disk: &TornDisk, file: TornFileId) -> Vec<u8> {
        disk.bytes(file).chunks(SECTOR_BYTES).map(|sector| sector[0]).collect()
    }

    /// What is there after each of many seeds.
    fn outcomes(act: impl Fn(&mut TornDisk, TornFileId)) -> BTreeSet<Vec<u8>> {
        let outcome = |seed| {
            let (mut disk, file) = disk(seed);
            act(&mut disk, file);
            let sectors = disk.bytes(file).chunks(SECTOR_BYTES);
            assert!(
                sectors.into_iter().all(|sector| sector.iter().all(|byte| *byte == sector[0])),
                "one sector is whole"
            );
            firsts(&disk, file)
        };
        (0..2_000).map(outcome).collect()
    }

    #[test]
    fn what_was_synced_stays_and_of_the_rest_any_sectors() {
        let cut = outcomes(|disk, file| {
            disk.write(file, SECTOR_BYTES, &[2; 2 * SECTOR_BYTES]).unwrap();
            disk.sync(file).unwrap();
            disk.cut_power();
        });
        assert_eq!(cut, [vec![1, 2, 2]].into());
        let cut = outcomes(|disk, file| {
            disk.write(file, SECTOR_BYTES, &[2; 2 * SECTOR_BYTES]).unwrap();
            disk.cut_power();
        });
        assert_eq!(cut, [vec![1, 1, 1], vec![1, 1, 2], vec![1, 2, 1], vec![1, 2, 2]].into());
        let cut = outcomes(|disk, file| {
            disk.write(file, 0, &[2; SECTOR_BYTES]).unwrap();
            disk.write(file, 0, &[3; SECTOR_BYTES]).unwrap();
            disk.cut_power();
        });
        assert_eq!(cut, [vec![1, 1, 1], vec![2, 1, 1], vec![3, 1, 1]].into(), "in any way it was");
    }

    #[test]
    fn a_length_is_kept_or_not_whatever_is_kept_of_the_sectors() {
        let cut = outcomes(|disk, file| {
            disk.write(file, 3 * SECTOR_BYTES, &[2; SECTOR_BYTES]).unwrap();
            disk.cut_power();
        });
        assert_eq!(cut, [vec![1, 1, 1], vec![1, 1, 1, 0], vec![1, 1, 1, 2]].into());
        let cut = outcomes(|disk, file| {
            disk.set_length(file, SECTOR_BYTES).unwrap();
            disk.set_length(file, 2 * SECTOR_BYTES).unwrap();
            assert_eq!(firsts(disk, file), [1, 0]);
            disk.cut_power();
        });
        assert!(cut.contains(&vec![1, 1, 1]) && cut.contains(&vec![1]) && cut.contains(&vec![1, 0]), "{cut:?}");
    }

    #[test]
    fn whoever_is_killed_finds_all_that_was_written_but_what_no_sync_has_kept_that_failed() {
        let killed = outcomes(|disk, file| {
            disk.write(file, 0, &[2; 2 * SECTOR_BYTES]).unwrap();
            disk.kill();
        });
        assert_eq!(killed, [vec![2, 2, 1]].into());
        let failed = |disk: &mut TornDisk, file| {
            disk.begin(Some(Mishap::SyncFails { after: 0 }));
            disk.write(file, 0, &[2; 2 * SECTOR_BYTES]).unwrap();
            assert_eq!(disk.sync(file), Err(TornError::Failed));
            disk.end();
            assert_eq!(firsts(disk, file), [2, 2, 1], "it is shown all the same");
        };
        let any: BTreeSet<Vec<u8>> = [vec![1, 1, 1], vec![1, 2, 1], vec![2, 1, 1], vec![2, 2, 1]].into();
        let killed = outcomes(|disk, file| {
            failed(disk, file);
            disk.kill();
        });
        assert_eq!(killed, any);
        let synced = outcomes(|disk, file| {
            failed(disk, file);
            disk.sync(file).unwrap();
            disk.cut_power();
        });
        assert_eq!(synced, any, "a second sync proves nothing");
    }

    #[test]
    fn what_is_cut_short_was_done_up_to_any_step() {
        let act = |disk: &mut TornDisk, file| {
            disk.begin(None);
            disk.write(file, 0, &[2; SECTOR_BYTES]).unwrap();
            disk.sync(file).unwrap();
            disk.write(file, SECTOR_BYTES, &[3; SECTOR_BYTES]).unwrap();
        };
        let any: BTreeSet<Vec<u8>> = [vec![1, 1, 1], vec![2, 1, 1], vec![2, 3, 1]].into();
        let killed = outcomes(|disk, file| {
            act(disk, file);
            disk.kill();
        });
        assert_eq!(killed, any);
        let cut = outcomes(|disk, file| {
            act(disk, file);
            disk.cut_power();
        });
        assert_eq!(cut, any);
        let ended = outcomes(|disk, file| {
            act(disk, file);
            disk.end();
            disk.kill();
        });
        assert_eq!(ended, [vec![2, 3, 1]].into());
    }

    #[test]
    fn where_there_is_no_room_a_part_is_written_and_never_all_and_what_has_room_is_written_over() {
        let full = |mishap| {
            let (mut disk, file) = disk(1);
            disk.begin(Some(mishap));
            let results = [3, 4, 5].map(|byte| disk.write(file, usize::from(byte) * SECTOR_BYTES, &[byte; 4]));
            let over = disk.write(file, 0, &[7; 4]).is_ok();
            let longer = disk.set_length(file, 9 * SECTOR_BYTES);
            let bytes = disk.bytes(file);
            (results, over, longer, bytes.get(5 * SECTOR_BYTES + 3).copied())
        };
        let error = TornError::Full;
        assert_eq!(full(Mishap::NoRoom { after: 1 }), ([Ok(()), Err(error), Err(error)], true, Err(error), None));
        let error = TornError::Failed;
        assert_eq!(full(Mishap::WriteFails { after: 2 }), ([Ok(()), Ok(()), Err(error)], false, Err(error), None));
    }

    /// Another file takes the place of the one there is, and its names are not synced.
    fn replaced(seed: u64) -> (TornDisk, TornFileId, TornFileId) {
        let (mut disk, file) = disk(seed);
        let other = disk.create(OTHER);
        disk.rename(OTHER, FILE).unwrap();
        assert_eq!((disk.find(FILE), disk.find(OTHER)), (Some(other), None));
        (disk, file, other)
    }

    /// Which of two files has the name after each of many seeds, and whether there is one beside.
    fn named(act: impl Fn(&mut TornDisk)) -> BTreeSet<(bool, bool)> {
        let outcome = |seed| {
            let (mut disk, file, other) = replaced(seed);
            act(&mut disk);
            let found = disk.find(FILE).unwrap();
            assert!(found == file || found == other);
            (found == other, disk.find(OTHER).is_some())
        };
        (0..200).map(outcome).collect()
    }

    /// The names of files cannot be synced, and are shown all the same.
    fn fail_to_sync_names(disk: &mut TornDisk) {
        let shown = disk.find(FILE);
        disk.begin(Some(Mishap::NamesSyncFails));
        assert_eq!(disk.sync_names(), Err(TornError::Failed));
        disk.end();
        assert_eq!(disk.find(FILE), shown);
    }

    #[test]
    fn names_are_kept_in_order_once_they_are_synced() {
        let any = [(false, false), (false, true), (true, false)].into();
        assert_eq!(named(TornDisk::cut_power), any);
        let synced = named(|disk| {
            disk.sync_names().unwrap();
            disk.cut_power();
        });
        assert_eq!(synced, [(true, false)].into());
        assert_eq!(named(TornDisk::kill), [(true, false)].into());
    }

    #[test]
    fn a_file_that_cannot_be_renamed_goes_by_the_name_it_has() {
        let (mut disk, file) = disk(1);
        let other = disk.create(OTHER);
        disk.begin(Some(Mishap::RenameFails));
        assert_eq!(disk.rename(OTHER, FILE), Err(TornError::Failed));
        disk.end();
        disk.sync_names().unwrap();
        disk.cut_power();
        assert_eq!((disk.find(FILE), disk.find(OTHER)), (Some(file), Some(other)));
        disk.rename(OTHER, FILE).unwrap();
        assert_eq!((disk.find(FILE), disk.find(OTHER)), (Some(other), None), "the next one goes well");
    }

    #[test]
    fn names_that_could_not_be_synced_are_shown_and_kept_or_not_however_often_they_are_synced() {
        let any: BTreeSet<(bool, bool)> = [(false, false), (false, true), (true, false)].into();
        let synced = named(|disk| {
            fail_to_sync_names(disk);
            disk.kill();
            disk.sync_names().unwrap();
            disk.sync_names().unwrap();
            disk.cut_power();
        });
        assert_eq!(synced, any, "a second sync proves nothing");
        let created = named(|disk| {
            fail_to_sync_names(disk);
            disk.create("third");
            disk.sync_names().unwrap();
            disk.cut_power();
            assert!(disk.find("third").is_some());
        });
        assert_eq!(created, any, "not of another name either");
    }

    #[test]
    fn after_names_could_not_be_synced_a_file_that_is_renamed_anew_and_synced_is_kept() {
        for seed in 0..200 {
            let (mut disk, ..) = replaced(seed);
            fail_to_sync_names(&mut disk);
            let third = disk.create(OTHER);
            disk.rename(OTHER, FILE).unwrap();
            disk.sync_names().unwrap();
            disk.cut_power();
            assert_eq!((disk.find(FILE), disk.find(OTHER)), (Some(third), None));
        }
    }
}
