use std::os::unix::fs::MetadataExt;
use std::time::Duration;

use tempfile::TempDir;

use super::*;

const BLOCK: u64 = 64 * 1024;

fn stamp(inode: u64, size: u64) -> FileStamp {
    FileStamp { device: 7, inode, size, modified: -1, changed: 1_700_000_000_123_456_789 }
}

fn hash_of(inode: u64) -> ContentHash {
    ContentHash([inode.to_le_bytes()[0]; 32])
}

/// What a content of these blocks would have.
fn blocks_of(stamp: &FileStamp) -> Vec<[u8; 32]> {
    let count = Blocks::of(stamp.size).unwrap().count();
    let hashes = (0..count).map(|block| [(block + 1).to_le_bytes()[0] ^ stamp.inode.to_le_bytes()[0]; 32]);
    if count == 1 { Vec::new() } else { hashes.collect() }
}

fn open(directory: &TempDir) -> HashesFile {
    let mut hashes = HashesFile::open(Some(&directory.path().join("cache"))).unwrap();
    assert!(hashes.load(far()));
    hashes
}

fn far() -> Instant {
    Instant::now() + Duration::from_secs(60)
}

fn put(hashes: &mut HashesFile, stamp: &FileStamp) -> u64 {
    hashes.put(stamp, &hash_of(stamp.inode), &blocks_of(stamp)).unwrap()
}

/// The hashes of its blocks are at this address: all of them, and nothing else.
fn check_blocks(reader: &HashesReader, stamp: &FileStamp, address: u64) {
    let mut expected = blocks_of(stamp);
    if expected.is_empty() {
        expected = vec![hash_of(stamp.inode).0];
    }
    let mut found = vec![[0; 32]; expected.len()];
    reader.read(address, found.as_flattened_mut()).unwrap();
    assert_eq!(found, expected, "{stamp:?}");
}

fn file_in(directory: &TempDir) -> PathBuf {
    directory.path().join("cache").join(NAMES_IN_CACHE[0])
}

#[test]
fn what_was_put_in_is_there_at_the_next_start() {
    let directory = TempDir::new().unwrap();
    let stamps = [stamp(1, 0), stamp(2, 1), stamp(3, BLOCK), stamp(4, BLOCK + 1), stamp(5, 40_000 * BLOCK)];
    let mut hashes = open(&directory);
    for stamp in &stamps {
        assert_eq!(hashes.get(stamp), None);
        let address = put(&mut hashes, stamp);
        assert_eq!(hashes.get(stamp), Some((hash_of(stamp.inode), address)));
    }
    drop(hashes);
    let hashes = open(&directory);
    assert_eq!(hashes.len(), stamps.len());
    for stamp in &stamps {
        let (hash, address) = hashes.get(stamp).unwrap();
        assert_eq!(hash, hash_of(stamp.inode));
        check_blocks(&hashes.reader(), stamp, address);
    }
}

/// Any of the five, and it is another.
#[test]
fn a_file_that_shows_something_else_is_not_known() {
    let directory = TempDir::new().unwrap();
    let mut hashes = open(&directory);
    let known = stamp(1, 5);
    put(&mut hashes, &known);
    for other in [
        FileStamp { device: 8, ..known },
        FileStamp { inode: 2, ..known },
        FileStamp { size: 6, ..known },
        FileStamp { modified: 0, ..known },
        FileStamp { changed: known.changed + 1, ..known },
    ] {
        assert_eq!(hashes.get(&other), None, "{other:?}");
    }
    // The last of an inode counts.
    let later = FileStamp { changed: known.changed + 1, ..known };
    put(&mut hashes, &later);
    assert!(hashes.get(&known).is_none() && hashes.get(&later).is_some());
}

/// Whoever was killed while it was written, or had no room, leaves any part of a record.
#[test]
fn a_record_that_was_not_written_to_its_end_is_cut_off() {
    let directory = TempDir::new().unwrap();
    let mut hashes = open(&directory);
    let (one, other) = (stamp(1, 3 * BLOCK), stamp(2, 2 * BLOCK));
    put(&mut hashes, &one);
    let whole = hashes.end;
    put(&mut hashes, &other);
    drop(hashes);
    let bytes = fs::read(file_in(&directory)).unwrap();
    for length in 0..bytes.len() {
        fs::write(file_in(&directory), &bytes[..length]).unwrap();
        let mut hashes = open(&directory);
        assert_eq!(hashes.get(&one).is_some(), length as u64 >= whole, "{length}");
        assert_eq!(hashes.get(&other), None);
        assert_eq!(fs::metadata(file_in(&directory)).unwrap().len(), hashes.end, "nothing is left behind it");
        // What is written next stands where it can be read.
        let address = put(&mut hashes, &other);
        drop(hashes);
        let hashes = open(&directory);
        assert_eq!(hashes.get(&other), Some((hash_of(2), address)), "{length}");
        check_blocks(&hashes.reader(), &other, address);
        assert_eq!(hashes.get(&one).is_some(), length as u64 >= whole, "{length}");
    }
}

#[test]
fn what_is_damaged_is_not_taken_for_what_was_written() {
    let directory = TempDir::new().unwrap();
    let mut hashes = open(&directory);
    let stamps = [stamp(1, 2 * BLOCK), stamp(2, 2 * BLOCK), stamp(3, 1)];
    let ends = stamps.map(|stamp| {
        put(&mut hashes, &stamp);
        hashes.end
    });
    drop(hashes);
    let bytes = fs::read(file_in(&directory)).unwrap();
    for place in HEADER.len()..bytes.len() {
        let mut damaged = bytes.clone();
        damaged[place] ^= 0x40;
        fs::write(file_in(&directory), &damaged).unwrap();
        let mut hashes = open(&directory);
        for (stamp, end) in stamps.iter().zip(ends) {
            let is_before = place as u64 >= end;
            assert_eq!(hashes.get(stamp).is_some(), is_before, "{place}");
        }
        for stamp in &stamps {
            put(&mut hashes, stamp);
        }
        drop(hashes);
        assert_eq!(open(&directory).len(), stamps.len());
    }
}

#[test]
fn it_is_read_in_pieces() {
    let directory = TempDir::new().unwrap();
    let mut hashes = open(&directory);
    for inode in 0..100 {
        put(&mut hashes, &stamp(inode, BLOCK * inode));
    }
    drop(hashes);
    let mut hashes = HashesFile::open(Some(&directory.path().join("cache"))).unwrap();
    let mut pieces = 1;
    while !hashes.load(Instant::now()) {
        pieces += 1;
    }
    assert_eq!((pieces, hashes.len()), (102, 100), "the header and each record, and that there is no more");
    assert!((0..100).all(|inode| hashes.get(&stamp(inode, BLOCK * inode)).is_some()));
}

#[test]
fn two_do_not_keep_theirs_in_one_directory() {
    let directory = TempDir::new().unwrap();
    let first = open(&directory);
    let refused = HashesFile::open(Some(&directory.path().join("cache"))).unwrap_err();
    let said = format!("{refused:#}");
    assert!(said.starts_with("cannot keep hashes in ") && said.contains("another servent does"), "{said}");
    drop(first);
    open(&directory);
}

/// And is not kept from one by whoever only looks, however many do.
#[test]
fn whoever_looks_whether_it_is_in_use_keeps_no_servent_from_its_start() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("lock");
    assert!(!is_in_use(&path).unwrap() && !path.exists(), "nothing is made to look");
    let open = || open_named(&path, false).unwrap();
    let (servent, looker) = (open(), open());
    flock(&looker, FlockOperation::NonBlockingLockShared).unwrap();
    assert!(!is_in_use(&path).unwrap(), "another one that looks is no servent");
    let (mut looker, mut waited) = (Some(looker), 0);
    let locked = lock_alone(&servent, || {
        waited += 1;
        if waited == 3 {
            looker = None;
        }
    });
    assert_eq!((locked, waited), (Ok(true), 3));
    for _ in 0..3 {
        assert!(is_in_use(&path).unwrap());
    }
    assert_eq!(lock_alone(&open(), || panic!("a servent is not waited for")), Ok(false));
    drop(servent);
    assert!(!is_in_use(&path).unwrap());
    // Nor is one that looks for ever.
    let (servent, other, looker) = (open(), open(), open());
    flock(&looker, FlockOperation::NonBlockingLockShared).unwrap();
    assert_eq!(lock_alone(&servent, || ()), Ok(false));
    // Whoever waits keeps no other from its start meanwhile.
    let (mut looker, mut has_other) = (Some(looker), false);
    let locked = lock_alone(&servent, || {
        looker = None;
        has_other |= flock(&other, FlockOperation::NonBlockingLockExclusive).is_ok();
    });
    assert_eq!((locked, has_other), (Ok(false), true));
}

#[test]
fn a_directory_that_cannot_be_one_is_refused() {
    let directory = TempDir::new().unwrap();
    let at = |name: &str| directory.path().join(name);
    fs::write(at("file"), "").unwrap();
    for name in [at("nothing/cache"), at("file"), at("file/cache")] {
        let said = format!("{:#}", HashesFile::open(Some(&name)).unwrap_err());
        assert!(said.starts_with(&format!("cannot keep hashes in {}: ", name.display())), "{said}");
        assert!(Cache::look_at(&name).is_err(), "{name:?}");
    }
    // Somebody else's file is not what a link in a directory of ours leads to.
    fs::create_dir(at("cache")).unwrap();
    std::os::unix::fs::symlink(at("file"), file_in(&directory)).unwrap();
    assert!(HashesFile::open(Some(&at("cache"))).is_err());
    assert_eq!(Cache::look_at(&at("not yet")).unwrap(), "not there yet");
    assert!(!at("not yet").exists());
}

/// Somebody may name a directory that has such a file of his own: `b3sum * > hashes`.
#[test]
fn a_file_of_somebody_else_in_the_directory_is_refused_and_stays() {
    for (name, text) in
        [("hashes", "0bc49a8b  tea\n"), ("hashes.new", "my own new hashes"), ("hashes", "servent hashes 2")]
    {
        let directory = TempDir::new().unwrap();
        let cache = directory.path().join("cache");
        let path = cache.join(name);
        fs::create_dir(&cache).unwrap();
        fs::write(&path, text).unwrap();
        for refused in [HashesFile::open(Some(&cache)).map(drop), look_at_cache(&cache).map(drop)] {
            let said = format!("{:#}", refused.unwrap_err());
            let reason = format!("cannot keep hashes in {}: {} is no file of hashes", cache.display(), path.display());
            assert!(said.starts_with(&reason), "{said}");
        }
        assert_eq!(fs::read(&path).unwrap(), text.as_bytes());
        fs::remove_file(&path).unwrap();
        // One that comes while it is used is not touched either.
        let mut hashes = open(&directory);
        fs::write(cache.join("hashes.new"), text).unwrap();
        assert!(hashes.compact(|_| true).is_err());
        assert_eq!(fs::read(cache.join("hashes.new")).unwrap(), text.as_bytes());
    }
}

#[test]
fn without_a_directory_it_has_no_name() {
    let mut hashes = HashesFile::open(None).unwrap();
    assert!(hashes.load(far()));
    assert_eq!(hashes.file.metadata().unwrap().nlink(), 0);
    let stamp = stamp(1, 2 * BLOCK);
    let address = put(&mut hashes, &stamp);
    check_blocks(&hashes.reader(), &stamp, address);
    hashes.compact(|_| true).unwrap();
    assert_eq!(hashes.file.metadata().unwrap().nlink(), 0);
    check_blocks(&hashes.reader(), &stamp, hashes.address_of(&stamp).unwrap());
}

#[test]
fn what_is_of_no_use_is_left_out_and_addresses_hold_until_all_have_new_ones() {
    let directory = TempDir::new().unwrap();
    let mut hashes = open(&directory);
    let reader = hashes.reader();
    let (kept, dead, changed) = (stamp(1, 3 * BLOCK), stamp(2, 5 * BLOCK), stamp(3, 2));
    let addresses = [kept, dead, changed].map(|stamp| put(&mut hashes, &stamp));
    let now = FileStamp { changed: 5, ..changed };
    put(&mut hashes, &now);
    let live = record_bytes_of(&kept) + record_bytes_of(&now);
    assert_eq!(hashes.end, HEADER.len() as u64 + live + record_bytes_of(&dead) + record_bytes_of(&changed));
    hashes.compact(|stamp| stamp.inode != dead.inode).unwrap();
    assert_eq!((hashes.end, hashes.len()), (HEADER.len() as u64 + live, 2));
    assert!(hashes.get(&dead).is_none() && hashes.get(&changed).is_none());
    for stamp in [kept, now] {
        let (hash, address) = hashes.get(&stamp).unwrap();
        assert_eq!((hash, hashes.address_of(&stamp)), (hash_of(stamp.inode), Some(address)));
        assert!(!addresses.contains(&address));
        check_blocks(&reader, &stamp, address);
    }
    // Whoever has the old addresses reads what was there.
    check_blocks(&reader, &kept, addresses[0]);
    check_blocks(&reader, &dead, addresses[1]);
    let next = put(&mut hashes, &dead);
    check_blocks(&reader, &dead, next);
    hashes.forget_old();
    let gone = reader.read(addresses[1], &mut [0; 32]).unwrap_err();
    assert_eq!(gone.kind(), io::ErrorKind::NotFound);
    check_blocks(&reader, &dead, next);
    drop(hashes);
    assert_eq!(open(&directory).len(), 3);
    assert!(!directory.path().join("cache").join(NAMES_IN_CACHE[1]).exists());
}

#[test]
fn it_is_written_anew_where_it_is_large_and_most_of_it_of_no_use() {
    let mut hashes = HashesFile::open(None).unwrap();
    assert!(hashes.load(far()));
    while hashes.end < COMPACTED_BYTES_MIN {
        assert!(!hashes.is_mostly_dead(0));
        put(&mut hashes, &stamp(1, 10_000 * BLOCK));
    }
    assert!(hashes.is_mostly_dead(0) && hashes.is_mostly_dead(hashes.end / 2 - 1));
    assert!(!hashes.is_mostly_dead(hashes.end / 2));
    // What stays though nobody has it does not bring it back at once.
    put(&mut hashes, &stamp(2, 100_000 * BLOCK));
    hashes.compact(|_| true).unwrap();
    assert!(hashes.end > COMPACTED_BYTES_MIN && !hashes.is_mostly_dead(0));
}

#[test]
fn that_there_is_no_room_is_known_before() {
    let mut hashes = HashesFile::open(None).unwrap();
    assert!(hashes.load(far()));
    hashes.ask_room(10 * BLOCK).unwrap();
    assert!(ask_room(&hashes.file, 0, 1 << 62).is_err(), "no file has so much room");
    assert_eq!(hashes.file.metadata().unwrap().len(), HEADER.len() as u64);
}
