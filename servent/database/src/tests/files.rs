//! Databases in files.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

use super::*;

#[test]
fn what_is_committed_is_there_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("north.db");
    let mut opened = open(&path).unwrap();
    assert_eq!(opened.start, StartKind::Made);
    opened.database.commit(&[put("tea", "green"), put("milk", ""), publish("farol", "at dusk")]).unwrap();
    opened.database.commit(&[put("tea", "red"), hide("coffee")]).unwrap();
    let changes = [put("tea", "red"), put("milk", ""), publish("farol", "at dusk"), hide("coffee")];
    let expected = after(&WrittenData::default(), &changes);
    let look = look_at(&path).unwrap();
    assert_eq!((&look.written, look.is_closed), (&expected, false), "also while it is in use");
    opened.database.close().unwrap();
    assert!(look_at(&path).unwrap().is_closed);
    let opened = open(&path).unwrap();
    assert_eq!((opened.start, opened.written), (StartKind::AsLeft, expected));
}

#[test]
fn two_have_no_database_together_by_whatever_path() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("north.db");
    let linked = directory.path().join("link.db");
    symlink(&path, &linked).unwrap();
    let opened = open(&path).unwrap();
    for path in [&path, &linked] {
        assert!(matches!(open(path), Err(OpenError::InUse)));
        assert!(matches!(could_write_to(path), Err(OpenError::InUse)));
    }
    drop(opened);
    // Whoever only looks keeps nobody from it.
    assert_eq!(could_write_to(&path).unwrap(), Ok(()));
    assert!(open(&linked).is_ok());
}

/// What was written anew is locked before it is in the place of what was there.
#[test]
fn a_database_that_was_written_anew_is_in_use_as_well() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("north.db");
    let (place, states) = with_history(false);
    fs::write(&path, place.bytes()).unwrap();
    let opened = open(&path).unwrap();
    assert_eq!((opened.start, Some(&opened.written)), (StartKind::NotClosed, states.last()));
    assert!(matches!(open(&path), Err(OpenError::InUse)));
    assert!(!beside(&path).exists());
}

#[test]
fn what_a_killed_start_has_left_beside_is_no_trouble_and_what_one_is_making_is_left_to_it() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("north.db");
    let half = &with_history(false).0.bytes()[..5_000];
    fs::write(beside(&path), half).unwrap();
    let other = fs::File::open(beside(&path)).unwrap();
    other.try_lock().unwrap();
    assert!(matches!(open(&path), Err(OpenError::InUse)));
    assert_eq!(fs::read(beside(&path)).unwrap(), half);
    drop(other);
    assert_eq!(open(&path).unwrap().start, StartKind::Made);
    // Killed before it was said to be one, or before anything was there.
    for left in [&[0; 5_000][..], b""] {
        fs::remove_file(&path).unwrap();
        fs::write(beside(&path), left).unwrap();
        assert_eq!(open(&path).unwrap().start, StartKind::Made);
    }
    assert!(!beside(&path).exists());
    fs::create_dir(beside(&path)).unwrap();
    assert_eq!(open(&path).unwrap().start, StartKind::AsLeft, "nobody needs it");
}

#[test]
fn an_empty_file_is_a_database_in_which_nothing_is_and_what_is_no_file_is_none() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("north.db");
    fs::write(&path, "").unwrap();
    assert!(look_at(&path).is_err());
    assert_eq!(open(&path).unwrap().start, StartKind::Made);
    assert_eq!(open(directory.path()).unwrap_err().to_string(), "it is not a database of a servent: it is a directory");
    assert!(matches!(open(Path::new("/dev/null")), Err(OpenError::Foreign(_))));
    assert!(matches!(open(&directory.path().join("nowhere/north.db")), Err(OpenError::Io(_))));
    let mut permissions = fs::metadata(&path).unwrap().permissions();
    permissions.set_readonly(true);
    fs::set_permissions(&path, permissions).unwrap();
    assert!(matches!(open(&path), Err(OpenError::Io(_))), "also for root");
}

/// A servent that is killed before anything is written has not changed it.
#[test]
fn whoever_only_reads_leaves_a_database_as_it_was() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("north.db");
    let (place, _) = with_history(true);
    fs::write(&path, place.bytes()).unwrap();
    drop(open(&path).unwrap());
    look_at(&path).unwrap();
    assert!(fs::read(&path).unwrap() == place.bytes());
}

/// What it leads to may be on a disk that is not there just now.
#[test]
fn a_link_that_leads_nowhere_is_left_as_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let link = directory.path().join("l.db");
    symlink("../gone/real.db", &link).unwrap();
    let words = format!("`{}` leads to `../gone/real.db`, which is not there", link.display());
    assert_eq!(open(&link).unwrap_err().to_string(), words);
    assert_eq!(look_at(&link).unwrap_err().to_string(), words);
    assert_eq!(fs::read_dir(directory.path()).unwrap().count(), 1);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
}

#[test]
fn what_somebody_else_has_beside_is_left_to_them() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("north.db");
    let (place, states) = with_history(false);
    for theirs in ["my novel", "novel"] {
        fs::write(beside(&path), theirs).unwrap();
        let refused = open(&path).unwrap_err().to_string();
        assert!(
            refused.contains("north.db.new`, to which it is written") && refused.ends_with(": move it away"),
            "{refused}"
        );
        assert!(!path.exists());
        fs::write(&path, place.bytes()).unwrap();
        let opened = open(&path).unwrap();
        assert_eq!((opened.start, Some(&opened.written)), (StartKind::NotClosed, states.last()));
        assert_eq!(opened.read_only, Some(refused));
        assert!(fs::read(beside(&path)).unwrap() == theirs.as_bytes() && fs::read(&path).unwrap() == place.bytes());
        fs::remove_file(&path).unwrap();
    }
}

/// Who runs this may not be allowed to give files away: then there is nothing but the mode to keep.
#[test]
fn what_is_written_anew_keeps_its_mode_and_whose_it_is() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("north.db");
    fs::write(&path, with_history(false).0.bytes()).unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
    let _ = chown(&path, Some(12_345), Some(23_456));
    let of = |metadata: fs::Metadata| (metadata.uid(), metadata.gid(), metadata.mode() & 0o777, metadata.ino());
    let (uid, gid, mode, number) = of(fs::metadata(&path).unwrap());
    assert_eq!(open(&path).unwrap().start, StartKind::NotClosed);
    let (new_uid, new_gid, new_mode, new_number) = of(fs::metadata(&path).unwrap());
    assert_eq!((new_uid, new_gid, new_mode), (uid, gid, mode));
    assert_ne!(new_number, number);
}

/// What README tells of how a file grows.
#[test]
fn values_of_full_length_take_about_twice_their_bytes_and_what_is_replaced_takes_no_more() {
    const COUNT: usize = 32;
    let place = tempfile::tempdir().unwrap();
    let path = place.path().join("north.db");
    let mut database = open(&path).unwrap().database;
    let longest = "v".repeat(common::limits::VALUE_BYTES_MAX);
    let long = COUNT as u64 * longest.len() as u64;
    for round in 0..3 {
        (0..COUNT).for_each(|number| database.commit(&[put(&format!("{number}"), &longest)]).unwrap());
        let (bytes, on_disk) = fs::metadata(&path).map(|file| (file.len(), 512 * file.blocks())).unwrap();
        // A disk may take less for what is all the same.
        assert!(on_disk <= long * 23 / 10, "{round}: {on_disk}");
        assert!((2 * long..=long * 23 / 5).contains(&bytes), "{round}: {bytes}");
        let anew_bytes = look_at(&path).unwrap().anew_bytes().unwrap();
        assert!((2 * long..=long * 23 / 10).contains(&anew_bytes), "{round}: {anew_bytes}");
    }
}

#[test]
#[cfg(target_os = "linux")]
fn what_is_given_back_takes_no_room_and_what_is_beside_it_stays() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("store.db");
    let storage = FilePlace::at(&path).unwrap().beside().unwrap();
    storage.write(0, &[7; 1 << 20]).unwrap();
    storage.sync().unwrap();
    let room = || fs::metadata(beside(&path)).unwrap().blocks();
    let before = room();
    storage.give_back(1 << 16, (1 << 20) - (1 << 17));
    assert!(room() < before / 2, "{} of {before}", room());
    assert_eq!(storage.bytes_count().unwrap(), 1 << 20);
    let mut bytes = vec![0; 1 << 20];
    storage.read(0, &mut bytes).unwrap();
    assert!(bytes[..1 << 16].iter().chain(&bytes[(1 << 20) - (1 << 16)..]).all(|byte| *byte == 7));
}
