//! The hashes file: of each file that was hashed, what it showed of itself then, its hash and those of its blocks, one record
//! behind the other.
//!
//! With `--cache DIR` it is there at the next start, and nothing is hashed twice. Otherwise it is a file without a name, so
//! that the hashes of blocks, of which a large content has many, are on a disk and not in memory. What is in it that no
//! file has any more is left out when it is written anew. A file that does not begin like one is somebody else's and not
//! touched. Which files there are is not known here.
//!
//! A record is: device, inode, size, modified, changed (8 bytes each, the least first), the hash (32), of more than one
//! block the hash of each (32), and the first 16 bytes of the hash of all this.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Read, Write};
use std::os::unix::fs::{FileExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Instant;

use anyhow::{Context, anyhow, bail};
use common::content::{Blocks, ContentHash, FileStamp};
use rustix::fs::{FlockOperation, OFlags, flock};
use rustix::io::Errno;

use super::shown;

const HEADER: &[u8; 16] = b"servent hashes 1";
/// Where in a record its hash is, where those of its blocks are, and what is behind them.
const HASH_AT: usize = 40;
const BLOCKS_AT: usize = 72;
const CHECK_BYTES: usize = 16;
/// So much is read at once where the file is read from one end to the other.
const WINDOW_BYTES: usize = 1024 * 1024;
/// A file that is smaller is not worth writing anew.
const COMPACTED_BYTES_MIN: u64 = 1024 * 1024;

/// So often a servent that starts meets such as only look whether there is one, each for a moment, before it takes them for one
/// that stays.
const LOOKERS_MAX: usize = 10_000;

/// As it is called in the directory of the cache, while it is written anew, and what is locked beside it.
pub(crate) const NAMES_IN_CACHE: [&str; 3] = ["hashes", "hashes.new", "lock"];

/// The file, for the one who writes it.
#[derive(Debug)]
pub(super) struct HashesFile {
    file: Arc<File>,
    /// What stands before each place in it to make an address of that: what was before it is written anew has other ones.
    base: u64,
    /// Where the next record goes.
    end: u64,
    /// How much of it was read; nothing once all of it was.
    read_to: Option<u64>,
    /// Where the last record of each inode is. A file that was changed has a new one.
    records: BTreeMap<(u64, u64), u64>,
    readable: HashesReader,
    cache: Option<Cache>,
    /// It is not written anew before it is as long.
    compact_from: u64,
}

/// The directory where it is kept.
#[derive(Debug)]
struct Cache {
    directory: PathBuf,
    /// Locked for as long as it is open.
    _lock: File,
}

/// The file, for whoever reads hashes of blocks, in any thread.
#[derive(Clone, Debug, Default)]
pub(super) struct HashesReader(Arc<RwLock<Vec<Generation>>>);

/// A file that is read, and what its addresses begin with. The last one is the one that is written.
#[derive(Debug)]
struct Generation {
    base: u64,
    file: Arc<File>,
}

impl HashesFile {
    /// Opens that of a cache, or one for as long as it is open. What is in it is read by [`HashesFile::load`].
    pub(super) fn open(cache: Option<&Path>) -> anyhow::Result<HashesFile> {
        let (file, cache) = match cache {
            Some(directory) => {
                let opened = Cache::open(directory);
                let (file, cache) = opened.with_context(|| format!("cannot keep hashes in {}", shown(directory)))?;
                (file, Some(cache))
            }
            None => {
                let directory = std::env::temp_dir();
                let opened = open_nameless(&directory);
                (opened.with_context(|| format!("cannot keep hashes in {}", shown(&directory)))?, None)
            }
        };
        let end = file.metadata().map(|metadata| metadata.len());
        let end = end.context("cannot tell how long the hashes file is")?;
        let file = Arc::new(file);
        let readable = HashesReader::default();
        readable.add(0, Arc::clone(&file));
        let records = BTreeMap::new();
        Ok(HashesFile {
            file,
            base: 0,
            end,
            read_to: Some(0),
            records,
            readable,
            cache,
            compact_from: COMPACTED_BYTES_MIN,
        })
    }

    pub(super) fn reader(&self) -> HashesReader {
        self.readable.clone()
    }

    /// Reads what is in it, until then at most. True once all was read; until then nothing else is asked of it.
    pub(super) fn load(&mut self, until: Instant) -> bool {
        let Some(mut at) = self.read_to else { return true };
        let mut pieces = RecordPieces::new(&self.file, self.end);
        let damaged = loop {
            if at == self.end {
                break None;
            }
            match if at == 0 { pieces.header() } else { pieces.record(at) } {
                Ok(Piece::Header) => at = HEADER.len() as u64,
                Ok(Piece::Record { stamp, length }) => {
                    self.records.insert((stamp.device, stamp.inode), at);
                    at += length;
                }
                Ok(Piece::Torn) => {
                    log::debug!("of the hashes file {} are cut off, the beginning of a record", self.end - at);
                    break Some(at);
                }
                Err(error) => {
                    let directory = self.cache.as_ref().map(|cache| shown(&cache.directory));
                    let directory = directory.map(|shown| shown.to_string()).unwrap_or_default();
                    log::warn!(
                        "the hashes kept in {directory} are damaged at byte {at} ({error}): files whose hashes were there are hashed anew"
                    );
                    break Some(at);
                }
            }
            if Instant::now() >= until {
                self.read_to = Some(at);
                return false;
            }
        };
        self.read_to = None;
        if let Some(at) = damaged {
            self.end = at;
            // What stays there is written over.
            let _ = self.file.set_len(at);
        }
        if self.end == 0 {
            match self.file.write_all_at(HEADER, 0) {
                Ok(()) => self.end = HEADER.len() as u64,
                // Then no record has room either, and that is said.
                Err(error) => log::debug!("the hashes file has no header: {error}"),
            }
        }
        true
    }

    /// Of how many files there are records.
    pub(super) fn len(&self) -> usize {
        self.records.len()
    }

    /// What a file that shows this was hashed to, and the address of the hashes of its blocks.
    pub(super) fn get(&self, stamp: &FileStamp) -> Option<(ContentHash, u64)> {
        let at = *self.records.get(&(stamp.device, stamp.inode))?;
        let mut head = [0; BLOCKS_AT];
        self.file.read_exact_at(&mut head, at).ok()?;
        let (found, hash) = read_head(&head)?;
        (found == *stamp).then(|| (hash, self.address(at, stamp)))
    }

    /// The address of what is at that place.
    fn address(&self, at: u64, stamp: &FileStamp) -> u64 {
        // The hash of one block is the hash of the content.
        let is_one = Blocks::of(stamp.size).is_ok_and(|blocks| blocks.count() == 1);
        self.base + at + if is_one { HASH_AT } else { BLOCKS_AT } as u64
    }

    /// Where the hashes of blocks of a file are that is known to be there, after the file was written anew.
    pub(super) fn address_of(&self, stamp: &FileStamp) -> Option<u64> {
        Some(self.address(*self.records.get(&(stamp.device, stamp.inode))?, stamp))
    }

    /// Whether there is room for the record of a file, before it is hashed in vain.
    pub(super) fn ask_room(&self, size: u64) -> io::Result<()> {
        self.check_header()?;
        match Blocks::of(size).map(record_bytes) {
            Ok(length) => ask_room(&self.file, self.end, length),
            Err(error) => Err(io::Error::other(error)),
        }
    }

    /// The same where the system promises more than it holds: as much is written, and cut off again.
    pub(super) fn try_room(&self, size: u64) -> io::Result<()> {
        self.check_header()?;
        let length = Blocks::of(size).map(record_bytes).map_err(io::Error::other)?;
        let tried = self.file.write_all_at(&vec![0; usize::try_from(length).unwrap_or(0)], self.end);
        self.file.set_len(self.end)?;
        tried
    }

    fn check_header(&self) -> io::Result<()> {
        if self.end == 0 { self.file.write_all_at(HEADER, 0) } else { Ok(()) }
    }

    /// Adds a record, and says the address of the hashes of its blocks.
    pub(super) fn put(&mut self, stamp: &FileStamp, hash: &ContentHash, blocks: &[[u8; 32]]) -> io::Result<u64> {
        self.check_header()?;
        self.end = self.end.max(HEADER.len() as u64);
        let record = record_of(stamp, hash, blocks);
        if let Err(error) = self.file.write_all_at(&record, self.end) {
            // A part of it, of which the next record may leave some behind.
            let _ = self.file.set_len(self.end);
            return Err(error);
        }
        let at = self.end;
        self.end += record.len() as u64;
        self.records.insert((stamp.device, stamp.inode), at);
        Ok(self.address(at, stamp))
    }

    // ---- what is in it that no file has any more ----

    /// Whether less than half of it is of use, where the records that are take so many bytes.
    pub(super) fn is_mostly_dead(&self, live_bytes: u64) -> bool {
        self.end >= self.compact_from && live_bytes < self.end / 2
    }

    /// Writes those records anew that are the last of their inode and are to stay, and puts that file in the place of this.
    /// All addresses are others then; what they were before can be read until [`HashesFile::forget_old`].
    pub(super) fn compact(&mut self, mut stays: impl FnMut(&FileStamp) -> bool) -> io::Result<()> {
        let beside = self.cache.as_ref().map(|cache| {
            let [name, beside, _] = NAMES_IN_CACHE.map(|name| cache.directory.join(name));
            (name, beside)
        });
        let file = match &beside {
            Some((_, beside)) => {
                check_ours(beside)?;
                open_named(beside, true)?
            }
            None => open_nameless(&std::env::temp_dir())?,
        };
        let (mut records, mut end) = (BTreeMap::new(), HEADER.len() as u64);
        let mut written = BufWriter::with_capacity(WINDOW_BYTES, &file);
        written.write_all(HEADER)?;
        let mut pieces = RecordPieces::new(&self.file, self.end);
        let mut at = HEADER.len() as u64;
        while at < self.end {
            let Piece::Record { stamp, length } = pieces.record(at)? else {
                return Err(io::ErrorKind::UnexpectedEof.into());
            };
            let inode = (stamp.device, stamp.inode);
            if self.records.get(&inode) == Some(&at) && stays(&stamp) {
                written.write_all(pieces.bytes(at, length)?)?;
                records.insert(inode, end);
                end += length;
            }
            at += length;
        }
        written.flush()?;
        drop(written);
        if let Some((name, beside)) = beside {
            // Renamed before it is on the disk it could be empty after a power cut.
            file.sync_all()?;
            fs::rename(beside, name)?;
        }
        log::debug!("hashes file written anew: {end} of {} bytes", self.end);
        self.base += self.end;
        (self.file, self.end, self.records) = (Arc::new(file), end, records);
        self.compact_from = COMPACTED_BYTES_MIN.max(2 * end);
        self.readable.add(self.base, Arc::clone(&self.file));
        Ok(())
    }

    /// However short it is.
    #[cfg(test)]
    pub(super) fn compact_whenever_dead(&mut self) {
        self.compact_from = 0;
    }

    /// Lets go of what was there before it was written anew.
    pub(super) fn forget_old(&self) {
        self.readable.forget_all_before(self.base);
    }
}

impl HashesReader {
    fn add(&self, base: u64, file: Arc<File>) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).push(Generation { base, file });
    }

    fn forget_all_before(&self, base: u64) {
        self.0.write().unwrap_or_else(PoisonError::into_inner).retain(|generation| generation.base >= base);
    }

    /// Reads what is at an address.
    pub(super) fn read(&self, address: u64, into: &mut [u8]) -> io::Result<()> {
        let found = {
            let generations = self.0.read().unwrap_or_else(PoisonError::into_inner);
            let found = generations.iter().rfind(|generation| generation.base <= address);
            found.map(|generation| (Arc::clone(&generation.file), address - generation.base))
        };
        let (file, at) = found.ok_or(io::ErrorKind::NotFound)?;
        file.read_exact_at(into, at)
    }
}

// ---- the directory of the cache ----

impl Cache {
    fn open(directory: &Path) -> anyhow::Result<(File, Cache)> {
        match fs::create_dir(directory) {
            Err(error) if error.kind() != io::ErrorKind::AlreadyExists => return Err(error.into()),
            _ => {}
        }
        let [name, beside, lock] = NAMES_IN_CACHE.map(|name| directory.join(name));
        let lock = open_named(&lock, false)?;
        if !lock_alone(&lock, std::thread::yield_now)? {
            bail!("another servent does; name another directory for this one");
        }
        check_ours(&name)?;
        check_ours(&beside)?;
        Ok((open_named(&name, false)?, Cache { directory: directory.to_owned(), _lock: lock }))
    }

    /// What a check says of a directory that is neither made nor changed.
    fn look_at(directory: &Path) -> anyhow::Result<String> {
        match fs::metadata(directory) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => {
                let parent = directory.parent().filter(|parent| !parent.as_os_str().is_empty());
                if !fs::metadata(parent.unwrap_or(Path::new(".")))?.is_dir() {
                    bail!("it would be in what is no directory");
                }
                Ok("not there yet".to_owned())
            }
            Err(error) => Err(error.into()),
            Ok(metadata) if !metadata.is_dir() => Err(anyhow!("it is no directory")),
            Ok(_) => {
                let [name, beside, lock] = NAMES_IN_CACHE.map(|name| directory.join(name));
                check_ours(&beside)?;
                let mut said = match check_ours(&name)? {
                    Some(length) => format!("{} there already", common::counted::counted(length, "byte")),
                    None => "nothing there yet".to_owned(),
                };
                if is_in_use(&lock)? {
                    said.push_str("; in use now: beside the servent that uses it none can start with it");
                }
                Ok(said)
            }
        }
    }
}

/// Locks it for as long as it is open, unless another servent has. Whoever only looks has a lock that others can have too, and
/// lets go of it at once, which is waited for: it is not to keep a servent from its start.
fn lock_alone(lock: &File, mut wait: impl FnMut()) -> rustix::io::Result<bool> {
    for _ in 0..LOOKERS_MAX {
        match flock(lock, FlockOperation::NonBlockingLockExclusive) {
            Err(Errno::WOULDBLOCK) => {}
            locked => return locked.map(|()| true),
        }
        match flock(lock, FlockOperation::NonBlockingLockShared) {
            Err(Errno::WOULDBLOCK) => return Ok(false),
            locked => locked?,
        }
        // Or it would keep another from its start meanwhile.
        flock(lock, FlockOperation::NonBlockingUnlock)?;
        wait();
    }
    Ok(false)
}

/// Whether a servent has locked it, for whoever only looks.
fn is_in_use(lock: &Path) -> io::Result<bool> {
    let Some(lock) = open_if_there(lock)? else { return Ok(false) };
    match flock(&lock, FlockOperation::NonBlockingLockShared) {
        Err(Errno::WOULDBLOCK) => Ok(true),
        // It is let go of when the file is closed, which is at once.
        locked => Ok(locked.map(|()| false)?),
    }
}

/// What a check says of the directory of a cache.
pub(super) fn look_at_cache(directory: &Path) -> anyhow::Result<String> {
    Cache::look_at(directory).with_context(|| format!("cannot keep hashes in {}", shown(directory)))
}

/// Opens a file to be looked at, if there is one.
fn open_if_there(path: &Path) -> io::Result<Option<File>> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let file = match OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(None),
        file => file?,
    };
    if !file.metadata()?.is_file() {
        return Err(io::Error::other(format!("{} is not a regular file", shown(path))));
    }
    Ok(Some(file))
}

/// How long a file of ours is, if there is one. One of somebody else's is an error, because it would be written over; one
/// that ends within the header is what whoever was killed has left.
fn check_ours(path: &Path) -> io::Result<Option<u64>> {
    let Some(file) = open_if_there(path)? else { return Ok(None) };
    let length = file.metadata()?.len();
    let mut first_bytes = Vec::new();
    file.take(HEADER.len() as u64).read_to_end(&mut first_bytes)?;
    if !HEADER.starts_with(&first_bytes) {
        let reason = "is no file of hashes, and would be written over: name another directory, or move it away";
        return Err(io::Error::other(format!("{} {reason}", shown(path))));
    }
    Ok(Some(length))
}

/// Opens a file of ours, which is made if it is not there; nothing else by that name.
fn open_named(path: &Path, anew: bool) -> io::Result<File> {
    let flags = OFlags::NOFOLLOW | OFlags::NONBLOCK;
    let mut open = OpenOptions::new();
    let open = open.read(true).write(true).create(true).truncate(anew).mode(0o600);
    let file = open.custom_flags(flags.bits().cast_signed()).open(path)?;
    if file.metadata()?.is_file() { Ok(file) } else { Err(io::Error::other("something there is not a regular file")) }
}

/// Makes a file that nobody else can open, and that is gone once it is closed.
fn open_nameless(directory: &Path) -> io::Result<File> {
    let mut open = OpenOptions::new();
    let open = open.read(true).write(true).create_new(true).mode(0o600);
    for number in 0_u32.. {
        let path = directory.join(format!("servent-{}-{number}.hashes", std::process::id()));
        match open.open(&path) {
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {}
            Err(error) => return Err(error),
            Ok(file) => {
                fs::remove_file(&path)?;
                return Ok(file);
            }
        }
    }
    Err(io::ErrorKind::AlreadyExists.into())
}

#[cfg(target_os = "linux")]
fn ask_room(file: &File, at: u64, length: u64) -> io::Result<()> {
    use rustix::fs::{FallocateFlags, fallocate};
    match fallocate(file, FallocateFlags::KEEP_SIZE, at, length) {
        Err(error @ (Errno::NOSPC | Errno::DQUOT | Errno::FBIG)) => Err(error.into()),
        // Not every file system has that: whether there is room shows later there.
        _ => Ok(()),
    }
}

#[cfg(not(target_os = "linux"))]
fn ask_room(_: &File, _: u64, _: u64) -> io::Result<()> {
    Ok(())
}

// ---- records ----

/// How long the record of a content of these blocks is.
fn record_bytes(blocks: Blocks) -> u64 {
    let count = if blocks.count() == 1 { 0 } else { u64::from(blocks.count()) };
    (BLOCKS_AT + CHECK_BYTES) as u64 + 32 * count
}

/// How much the record of a file takes.
pub(super) fn record_bytes_of(stamp: &FileStamp) -> u64 {
    Blocks::of(stamp.size).map_or(0, record_bytes)
}

fn record_of(stamp: &FileStamp, hash: &ContentHash, blocks: &[[u8; 32]]) -> Vec<u8> {
    let FileStamp { device, inode, size, modified, changed } = *stamp;
    let numbers = [device, inode, size, modified.cast_unsigned(), changed.cast_unsigned()];
    let mut record = Vec::with_capacity(BLOCKS_AT + CHECK_BYTES + 32 * blocks.len());
    record.extend(numbers.iter().flat_map(|number| number.to_le_bytes()));
    record.extend(hash.0);
    record.extend_from_slice(blocks.as_flattened());
    let check = check_of(&record);
    record.extend(check);
    record
}

fn check_of(record: &[u8]) -> [u8; CHECK_BYTES] {
    let [check, _] = *blake3::hash(record).as_bytes().as_chunks().0 else { return [0; CHECK_BYTES] };
    check
}

fn read_head(head: &[u8]) -> Option<(FileStamp, ContentHash)> {
    let (numbers, hash) = head.split_at_checked(HASH_AT)?;
    let &[device, inode, size, modified, changed] = numbers.as_chunks().0 else { return None };
    let [device, inode, size] = [device, inode, size].map(u64::from_le_bytes);
    let [modified, changed] = [modified, changed].map(i64::from_le_bytes);
    Some((FileStamp { device, inode, size, modified, changed }, ContentHash(*hash.first_chunk()?)))
}

/// The file as it is read from one end to the other.
struct RecordPieces<'a> {
    file: &'a File,
    end: u64,
    /// What was read of it, and where that begins.
    bytes: Vec<u8>,
    bytes_at: u64,
}

/// What is at a place.
#[derive(Debug)]
enum Piece {
    Header,
    Record {
        stamp: FileStamp,
        length: u64,
    },
    /// The beginning of something that goes on behind the end.
    Torn,
}

impl<'a> RecordPieces<'a> {
    fn new(file: &'a File, end: u64) -> RecordPieces<'a> {
        RecordPieces { file, end, bytes: Vec::new(), bytes_at: 0 }
    }

    fn header(&mut self) -> io::Result<Piece> {
        let length = HEADER.len() as u64;
        if self.end < length {
            return Ok(Piece::Torn);
        }
        if self.bytes(0, length)? == HEADER { Ok(Piece::Header) } else { Err(damage("this is no file of hashes")) }
    }

    /// A whole one, which is as it was written.
    fn record(&mut self, at: u64) -> io::Result<Piece> {
        if self.end - at < BLOCKS_AT as u64 {
            return Ok(Piece::Torn);
        }
        let (stamp, _) = read_head(self.bytes(at, BLOCKS_AT as u64)?).ok_or_else(|| damage("there is no record"))?;
        let blocks = Blocks::of(stamp.size).map_err(|_| damage("a file of more bytes than a file may have"))?;
        let length = record_bytes(blocks);
        if self.end - at < length {
            return Ok(Piece::Torn);
        }
        let record = self.bytes(at, length)?;
        match record.split_last_chunk() {
            Some((told, check)) if check_of(told) == *check => Ok(Piece::Record { stamp, length }),
            _ => Err(damage("a record is not as it was written")),
        }
    }

    /// So many bytes from there.
    fn bytes(&mut self, at: u64, length: u64) -> io::Result<&[u8]> {
        let read_to = self.bytes_at + self.bytes.len() as u64;
        if at < self.bytes_at || at + length > read_to {
            let count = length.max(WINDOW_BYTES as u64).min(self.end.saturating_sub(at));
            self.bytes.resize(usize::try_from(count).unwrap_or(usize::MAX), 0);
            self.bytes_at = at;
            if let Err(error) = self.file.read_exact_at(&mut self.bytes, at) {
                self.bytes.clear();
                return Err(error);
            }
        }
        let first = usize::try_from(at - self.bytes_at).unwrap_or(usize::MAX);
        let piece = self.bytes.get(first..).and_then(|bytes| bytes.get(..usize::try_from(length).ok()?));
        piece.ok_or_else(|| io::ErrorKind::UnexpectedEof.into())
    }
}

fn damage(what: &'static str) -> io::Error {
    io::Error::other(what)
}

#[cfg(test)]
mod tests;
