//! A disk without room, one that fails, and a machine that stops between any two steps.

use super::*;

/// How many places are left to which a write does not come is unknown: enough for whatever a commit takes.
const STEPS: i64 = 60;

fn bytes_of_value(kilobytes: usize) -> String {
    "x".repeat(kilobytes * 1024)
}

#[test]
fn what_there_is_no_room_for_is_refused_and_later_changes_are_kept() {
    let (place, states) = with_history(true);
    let OpenedDatabase { written, mut database, .. } = open_at(&place).unwrap();
    assert_eq!(Some(&written), states.last());
    place.days.room.store(place.bytes().len() as u64, Ordering::Relaxed);
    for _ in 0..3 {
        let refused = database.commit(&[put("large", &bytes_of_value(900)), put("tea", "green")]);
        assert!(matches!(refused, Err(CommitFailure::Full(_))), "{refused:?}");
    }
    // What is there already can be deleted, and what is small has room.
    database.commit(&[put("small", "1")]).unwrap();
    place.days.room.store(u64::MAX, Ordering::Relaxed);
    database.commit(&[put("large", &bytes_of_value(900))]).unwrap();
    database.close().unwrap();
    let expected = after(&written, &[put("small", "1"), put("large", &bytes_of_value(900))]);
    let opened = open_at(&place).unwrap();
    assert_eq!((opened.written, opened.start), (expected, StartKind::AsLeft));
}

#[test]
fn wherever_the_room_ends_in_a_commit_all_of_it_is_there_or_nothing() {
    let changes = [put("key 1", "other"), hide("key 2"), put("large", &bytes_of_value(1_000)), forget("key 3")];
    let (mut kept, mut refused, mut grown) = (0, 0, 0);
    for writes in 0..STEPS {
        let (place, _) = with_history(true);
        let OpenedDatabase { written, mut database, .. } = open_at(&place).unwrap();
        // So that what is judged is the commit and not the first opening.
        database.commit(&[put("warm", "up")]).unwrap();
        let written = after(&written, &[put("warm", "up")]);
        Days::set(&place.days.writes_with_room, writes);
        let (before, length) = (place.bytes(), place.bytes().len());
        place.days.take_events();
        let committed = database.commit(&changes);
        Days::set(&place.days.writes_with_room, i64::MAX);
        let expected = match committed {
            Ok(()) => {
                kept += 1;
                after(&written, &changes)
            }
            Err(CommitFailure::Full(_)) => {
                refused += 1;
                // Whoever is killed on the way finds the same.
                let events = place.days.take_events();
                grown += usize::from(events.iter().any(|event| matches!(event, DiskEvent::Resized(_))));
                for end in 0..=events.len() {
                    let opened = open_at(&MemoryPlace::with(done(&before, &events[..end]))).unwrap();
                    assert_eq!(opened.written, written, "write {writes}, step {end}: {:?}", events[..end].last());
                }
                assert_eq!(place.bytes().len(), length, "what it had taken is given back");
                written
            }
            Err(failed) => panic!("{failed:?}"),
        };
        let found = look::look_into(&(Arc::clone(place.current.lock().unwrap().as_ref().unwrap()) as _)).unwrap();
        assert_eq!(found.written, expected, "{writes}");
        database.commit(&[put("later", "1")]).unwrap();
        drop(database);
        let opened = open_at(&place).unwrap();
        assert_eq!(opened.written, after(&expected, &[put("later", "1")]), "{writes}");
    }
    assert!(kept > 3 && refused > 3 && grown > 3, "{kept} {refused} {grown}");
}

/// What is first written of a commit names bytes behind the end of the file as it was.
#[test]
fn whoever_had_no_room_for_what_is_large_keeps_what_is_small_each_time() {
    let large = [StoreChange::Put { key: Key::new(b"large").unwrap(), value: vec![b'x'; 666_000].into() }];
    for writes in 0..STEPS / 4 {
        let place = MemoryPlace::default();
        let mut database = open_at(&place).unwrap().database;
        let mut expected = after(&WrittenData::default(), &[put("tea", "green")]);
        database.commit(&[put("tea", "green")]).unwrap();
        for time in 0..3 {
            Days::set(&place.days.writes_with_room, writes);
            let committed = database.commit(&large);
            Days::set(&place.days.writes_with_room, i64::MAX);
            match committed {
                Ok(()) => expected = after(&expected, &large),
                Err(CommitFailure::Full(_)) => {}
                Err(failed) => panic!("{writes}, {time}: {failed:?}"),
            }
            let small = [put("small", &time.to_string())];
            database.commit(&small).unwrap();
            expected = after(&expected, &small);
            assert!(open_at(&MemoryPlace::with(place.bytes())).unwrap().written == expected, "{writes}, {time}");
        }
    }
}

/// It may be part of what was written before there was no room.
#[test]
fn whether_changes_are_there_all_the_same_is_seen_by_each_of_them() {
    let (place, _) = with_history(true);
    let mut database = open_at(&place).unwrap().database;
    let changes = [
        put("a", "1"),
        put("a", "2"),
        hide("b"),
        put("c", "3"),
        forget("c"),
        publish("d", "at dusk"),
        publish("e", ""),
        StoreChange::Unpublish { name: FileName::new(b"e").unwrap() },
    ];
    database.commit(&changes).unwrap();
    let handle = database.opened().unwrap();
    let is_there = |changes: &[StoreChange]| tables::is_as_after(&handle.redb, changes).unwrap();
    assert!(is_there(&changes));
    let missing = [
        put("a", "1"),
        hide("a"),
        forget("a"),
        put("b", ""),
        forget("b"),
        put("c", "3"),
        hide("c"),
        publish("d", ""),
        publish("e", ""),
        StoreChange::Unpublish { name: FileName::new(b"d").unwrap() },
    ];
    for change in missing {
        assert!(!is_there(&[put("a", "2"), change.clone()]), "{change:?}");
    }
}

/// redb has a memory of its own for what has failed, but not for all.
#[test]
fn after_any_fault_nothing_goes_by_the_guard() {
    use redb::StorageBackend;
    for failure in [CommitFailure::Full(String::new()), CommitFailure::Failed(String::new())] {
        let days = Arc::default();
        let guard = Guard {
            storage: MemoryStorage::of(vec![0; 9], &days),
            fault: FirstFailure::default(),
            unsynced: UnsyncedBytes::default(),
        };
        guard.write(0, b"tea").unwrap();
        guard.fault.set(failure.clone());
        assert!(guard.write(3, b"tea").is_err() && guard.set_len(1).is_err() && guard.sync_data().is_err());
        assert_eq!(days.changes_count.load(Ordering::Relaxed), 1);
        guard.fault.set(CommitFailure::Failed("later".to_owned()));
        assert_eq!(guard.fault.get(), Some(failure), "the first counts");
    }
}

#[test]
fn after_a_sync_that_failed_not_a_byte_is_written_and_the_next_start_writes_all_anew() {
    for syncs in 0..3 {
        let (place, _) = with_history(true);
        let OpenedDatabase { written, mut database, .. } = open_at(&place).unwrap();
        Days::set(&place.days.syncs_that_go_well, syncs);
        let mut expected = vec![written];
        let failed = loop {
            let changes = [put("count", &expected.len().to_string())];
            expected.push(after(expected.last().unwrap(), &changes));
            if let Err(failure) = database.commit(&changes) {
                break failure;
            }
        };
        assert_eq!(failed, CommitFailure::Failed("the disk has failed".to_owned()));
        Days::set(&place.days.syncs_that_go_well, i64::MAX);
        let (bytes, count) = (place.bytes(), place.days.changes_count.load(Ordering::Relaxed));
        assert!(matches!(database.commit(&[put("more", "")]), Err(CommitFailure::Failed(_))));
        drop(database);
        assert!(place.bytes() == bytes, "{syncs}");
        assert_eq!(
            place.days.changes_count.load(Ordering::Relaxed),
            count,
            "{syncs}: nothing is written, and nothing synced"
        );
        let before = Arc::clone(place.current.lock().unwrap().as_ref().unwrap());
        let opened = open_at(&place).unwrap();
        // The commit that failed may be there.
        assert!(expected[expected.len() - 2..].contains(&opened.written), "{syncs}");
        if syncs > 0 {
            assert_eq!(opened.start, StartKind::NotClosed);
            assert!(!Arc::ptr_eq(&before, place.current.lock().unwrap().as_ref().unwrap()));
            assert!(before.bytes() == bytes, "what was there stays as it was");
        }
    }
}

/// A second sync of a directory proves as little as one of a file.
#[test]
fn after_a_sync_of_its_name_that_failed_a_database_takes_no_more_and_the_next_start_writes_all_anew() {
    let (large, of_one) = twice_as_large_as_what_it_holds();
    let (killed, states) = with_history(false);
    let (closed, _) = with_history(true);
    let whole = states.last().unwrap();
    for (place, expected, what) in
        [(&closed, whole, "closed"), (&killed, whole, "not closed"), (&large, &of_one, "made smaller")]
    {
        let at_first = Arc::clone(place.current.lock().unwrap().as_ref().unwrap());
        Days::set(&place.days.syncs_of_names_that_go_well, 0);
        let opened = open_at(place).unwrap();
        assert_eq!((&opened.written, opened.read_only.is_some()), (expected, true), "{what}");
        let current = Arc::clone(place.current.lock().unwrap().as_ref().unwrap());
        assert_eq!(Arc::ptr_eq(&at_first, &current), what == "closed", "{what}");
        let used = Arc::as_ptr(&opened.database.storage).cast::<()>();
        assert_eq!(used, Arc::as_ptr(&current).cast::<()>(), "{what}: what is in the place is what is locked");
        let OpenedDatabase { mut database, .. } = opened;
        assert!(matches!(database.commit(&[put("tea", "black")]), Err(CommitFailure::Failed(_))), "{what}");
        drop(database);
        Days::set(&place.days.syncs_of_names_that_go_well, i64::MAX);
        let opened = open_at(place).unwrap();
        assert_eq!((&opened.written, opened.start, opened.read_only), (expected, StartKind::NotClosed, None), "{what}");
        assert!(!Arc::ptr_eq(&current, place.current.lock().unwrap().as_ref().unwrap()), "{what}");
        drop(opened.database);
        assert_eq!(open_at(place).unwrap().start, StartKind::AsLeft, "{what}");
    }
    let none = MemoryPlace::default();
    Days::set(&none.days.syncs_of_names_that_go_well, 0);
    assert!(matches!(open_at(&none), Err(OpenError::Io(_))), "none is made where it may not be there later");
    Days::set(&none.days.syncs_of_names_that_go_well, i64::MAX);
    assert_eq!(open_at(&none).unwrap().start, StartKind::NotClosed);
}

/// What was there is there, and is used if it was closed.
#[test]
fn where_nothing_can_be_renamed_a_database_stays_what_it_was() {
    let (killed, states) = with_history(false);
    let (large, of_one) = twice_as_large_as_what_it_holds();
    for (place, expected, was_closed) in [(&large, &of_one, true), (&killed, states.last().unwrap(), false)] {
        place.days.keeps_names.store(true, Ordering::Relaxed);
        let before = place.bytes();
        let OpenedDatabase { written, database, start, read_only } = open_at(place).unwrap();
        assert_eq!((&written, read_only.is_none()), (expected, was_closed));
        assert_eq!(matches!(start, StartKind::NotCompacted(_)), was_closed, "{start:?}");
        drop(database);
        assert!(place.bytes() == before, "{was_closed}");
        assert!(place.beside.lock().unwrap().is_none(), "{was_closed}: nothing is left beside");
    }
}

/// A database that was closed, and what it holds.
fn twice_as_large_as_what_it_holds() -> (MemoryPlace, WrittenData) {
    let place = MemoryPlace::default();
    let mut database = open_at(&place).unwrap().database;
    let (large, mut expected) = (bytes_of_value(500), WrittenData::default());
    for number in 0..24 {
        let changes = [put(&format!("key {number}"), &large)];
        database.commit(&changes).unwrap();
        expected = after(&expected, &changes);
    }
    // What is at the end stays, so that the file cannot be cut.
    let changes: Vec<StoreChange> = (0..23).map(|number| forget(&format!("key {number}"))).collect();
    database.commit(&changes).unwrap();
    database.close().unwrap();
    (place, after(&expected, &changes))
}

#[test]
fn what_cannot_be_written_anew_is_served_and_takes_no_more() {
    let (place, states) = with_history(false);
    let before = place.bytes();
    for is_narrow in [true, false] {
        place.days.is_narrow.store(is_narrow, Ordering::Relaxed);
        place.days.room.store(8_192, Ordering::Relaxed);
        let OpenedDatabase { written, mut database, start, read_only } = open_at(&place).unwrap();
        assert_eq!((Some(&written), start), (states.last(), StartKind::NotClosed));
        assert!(read_only.is_some());
        assert!(matches!(database.commit(&[put("tea", "green")]), Err(CommitFailure::Failed(_))));
        drop(database);
        assert!(place.bytes() == before);
    }
    place.days.is_narrow.store(false, Ordering::Relaxed);
    place.days.room.store(u64::MAX, Ordering::Relaxed);
    let opened = open_at(&place).unwrap();
    assert_eq!((opened.read_only, Some(&opened.written)), (None, states.last()));
}

#[test]
fn a_database_that_is_twice_as_large_as_what_it_holds_is_made_smaller_if_there_is_room() {
    let (place, expected) = twice_as_large_as_what_it_holds();
    let before = place.bytes();
    assert!(before.len() as u64 > COMPACTED_BYTES_MIN, "{}", before.len());
    for room in [8_192, 500_000] {
        place.days.room.store(room, Ordering::Relaxed);
        let opened = open_at(&place).unwrap();
        assert!(matches!(opened.start, StartKind::NotCompacted(_)), "{:?}", opened.start);
        assert_eq!((opened.read_only, &opened.written), (None, &expected));
        assert!(place.bytes() == before, "it is as it was");
    }
    place.days.room.store(u64::MAX, Ordering::Relaxed);
    let opened = open_at(&place).unwrap();
    let StartKind::Compacted { before: was, after: is } = opened.start else { panic!("{:?}", opened.start) };
    assert!(was == before.len() as u64 && is == place.bytes().len() as u64 && is <= was / 2, "{was} {is}");
    assert_eq!(opened.written, expected);
    drop(opened.database);
    let opened = open_at(&place).unwrap();
    assert_eq!((opened.start, opened.written), (StartKind::AsLeft, expected));
}

/// The machine stops after any step, and of what was not synced any sectors of 512 bytes are on the disk.
#[test]
fn wherever_the_machine_stops_what_was_acknowledged_is_there_and_in_order() {
    let place = MemoryPlace::default();
    let mut database = open_at(&place).unwrap().database;
    let mut durable = place.bytes();
    place.days.take_events();
    let (mut states, mut numbers) = (vec![WrittenData::default()], Numbers(9));
    for number in 0..10 {
        let changes = [
            put(&format!("key {}", number % 4), &bytes_of_value(number % 3 * 300)),
            put("count", &number.to_string()),
            hide(&format!("key {}", (number + 1) % 4)),
        ];
        let acknowledged = states.len() - 1;
        states.push(after(&states[acknowledged], &changes));
        database.commit(&changes).unwrap();
        let events = place.days.take_events();
        // What is cut off behind it needs no sync: nothing is in that.
        let last = events.iter().rfind(|event| !matches!(event, DiskEvent::Resized(_)));
        assert!(matches!(last, Some(DiskEvent::Synced)), "what is acknowledged is synced");
        for end in 0..events.len() {
            for _ in 0..4 {
                let torn = torn(&durable, &events[..end], &mut numbers);
                let opened = open_at(&MemoryPlace::with(torn)).unwrap();
                assert!(states[acknowledged..].contains(&opened.written), "commit {number}, step {end}");
            }
        }
        durable = place.bytes();
        assert_eq!(Some(&open_at(&MemoryPlace::with(durable.clone())).unwrap().written), states.last());
    }
}

/// What is in a file in which this was, once this was done.
fn done(before: &[u8], events: &[DiskEvent]) -> Vec<u8> {
    // All of it is synced.
    torn(before, &[events, &[DiskEvent::Synced]].concat(), &mut Numbers(0))
}

/// What is on a disk on which this was there for sure, and then this was done.
fn torn(durable: &[u8], events: &[DiskEvent], numbers: &mut Numbers) -> Vec<u8> {
    let since = events.iter().rposition(|event| matches!(event, DiskEvent::Synced)).map_or(0, |last| last + 1);
    let mut bytes = durable.to_vec();
    for (place, event) in events.iter().enumerate() {
        match event {
            // How long a file is, is not synced either until it is.
            DiskEvent::Resized(count) if place < since || numbers.below(2) == 0 => bytes.resize(*count as usize, 0),
            DiskEvent::Resized(_) | DiskEvent::Synced => {}
            DiskEvent::Written(offset, written) => {
                for (number, sector) in written.chunks(512).enumerate() {
                    let at = *offset as usize + number * 512;
                    if place < since || (numbers.below(2) == 0 && at + sector.len() <= bytes.len()) {
                        bytes[at..at + sector.len()].copy_from_slice(sector);
                    }
                }
            }
        }
    }
    bytes
}
