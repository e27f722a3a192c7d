//! Looking at a database that is written to meanwhile.

use super::*;

/// How much is read until the next commit.
const READ_BETWEEN_COMMITS: usize = 100_000;

/// What a servent writes to whenever somebody has read so much of it.
struct BusyStorage {
    place: MemoryPlace,
    busy: Mutex<Busy>,
}

struct Busy {
    database: Database,
    read_count: usize,
    last: WrittenData,
    /// After each commit.
    states: Vec<WrittenData>,
    /// So many are still to come.
    commits_left: usize,
}

impl fmt::Debug for BusyStorage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("BusyStorage").finish_non_exhaustive()
    }
}

impl BusyStorage {
    fn with_commits(commits_left: usize) -> Arc<BusyStorage> {
        let place = MemoryPlace::default();
        let mut database = open_at(&place).unwrap().database;
        let changes: Vec<_> = (0..300).map(|number| put(&format!("key {number}"), &"long ".repeat(2_000))).collect();
        database.commit(&changes).unwrap();
        let last = after(&WrittenData::default(), &changes);
        let states = vec![last.clone()];
        Arc::new(BusyStorage { place, busy: Mutex::new(Busy { database, read_count: 0, last, states, commits_left }) })
    }

    fn storage(&self) -> Arc<MemoryStorage> {
        Arc::clone(self.place.current.lock().unwrap().as_ref().unwrap())
    }
}

impl Storage for BusyStorage {
    fn bytes_count(&self) -> io::Result<u64> {
        self.storage().bytes_count()
    }

    fn read(&self, offset: u64, bytes: &mut [u8]) -> io::Result<()> {
        let mut busy = self.busy.lock().unwrap();
        busy.read_count += bytes.len();
        if busy.read_count >= READ_BETWEEN_COMMITS && busy.commits_left > 0 {
            busy.read_count = 0;
            busy.commits_left -= 1;
            let changes = [put("tea", &format!("value {}", busy.commits_left))];
            busy.database.commit(&changes).unwrap();
            busy.last = after(&busy.last, &changes);
            let last = busy.last.clone();
            busy.states.push(last);
        }
        drop(busy);
        self.storage().read(offset, bytes)
    }

    fn write(&self, _: u64, _: &[u8]) -> io::Result<()> {
        panic!("nobody writes who looks")
    }

    fn resize(&self, _: u64) -> io::Result<()> {
        panic!("nobody writes who looks")
    }

    fn sync(&self) -> io::Result<()> {
        Ok(())
    }
}

/// A put for each piece that is read of it, for ever.
#[test]
fn what_is_written_to_all_the_time_is_looked_at_as_it_was_once() {
    let busy = BusyStorage::with_commits(usize::MAX);
    let look = look::look_beside_others(Arc::clone(&busy) as Arc<dyn Storage>, look::look_into).unwrap();
    let states = std::mem::take(&mut busy.busy.lock().unwrap().states);
    assert!(!look.is_closed);
    assert!(states.len() > 20 && states.contains(&look.written), "{} states", states.len());
}

/// What is damaged is damaged also where nobody writes, and is said to be at once.
#[test]
fn what_is_damaged_is_not_taken_for_what_is_written_to() {
    let (place, _) = with_history(true);
    let mut bytes = place.bytes();
    let end = bytes.len();
    bytes[4096..end].iter_mut().for_each(|byte| *byte ^= 1);
    let look = look::look_beside_others(MemoryStorage::of(bytes, &place.days), look::look_into);
    assert!(matches!(look, Err(OpenError::Damaged(_))), "{look:?}");
}
