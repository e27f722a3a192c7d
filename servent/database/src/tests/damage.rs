//! Bytes that are not what was written: what was written last is found, or what was there before a commit that was not whole,
//! or nothing is taken. Never is there what nobody has written.

use std::collections::BTreeMap;

use super::*;

const TIMES: usize = 1_000;

/// What was closed was whole: nothing but the last state is taken. What was not is whole, or what it was before the last commit:
/// that may have been under way.
#[derive(Clone, Copy, Debug, PartialEq)]
enum LeftAs {
    Closed,
    Killed,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Taken {
    /// It is refused.
    Not,
    /// It is read, and the first change is refused.
    ToRead,
    /// It is written to.
    Whole,
}

/// Opens what is damaged, and changes it.
fn taken(bytes: &[u8], states: &[WrittenData], left: LeftAs, what: &str) -> Taken {
    let place = MemoryPlace::with(bytes.to_vec());
    match open_at(&place) {
        Ok(opened) => {
            let allowed = &states[states.len() - if left == LeftAs::Closed { 1 } else { 2 }..];
            assert!(allowed.contains(&opened.written), "{left:?} {what}: {:?}", opened.start);
            let changes = [put("after", "all")];
            let mut database = opened.database;
            match database.commit(&changes) {
                Ok(()) => {
                    database.close().unwrap();
                    assert!(open_at(&place).unwrap().written == after(&opened.written, &changes), "{left:?} {what}");
                    Taken::Whole
                }
                // All that was kept is there, and what redb keeps beside it is not what it was.
                Err(CommitFailure::Failed(reason)) => {
                    assert!(reason.starts_with("it is damaged") && left == LeftAs::Closed, "{left:?} {what}: {reason}");
                    drop(database);
                    assert_eq!(place.bytes(), bytes, "nothing is changed");
                    let storage = MemoryStorage::of(bytes.to_vec(), &Arc::default());
                    let read =
                        look::look_beside_others(storage, |copy| look::read_at_start(copy).map(|(look, _)| look));
                    assert_eq!(Some(&read.unwrap().written), states.last(), "whoever only reads it has it too");
                    Taken::ToRead
                }
                Err(CommitFailure::Full(reason)) => panic!("{left:?} {what}: {reason}"),
            }
        }
        Err(error) => {
            assert!(matches!(error, OpenError::Damaged(_) | OpenError::Foreign(_) | OpenError::Newer(_)), "{error:?}");
            assert_eq!(place.bytes(), bytes, "nothing is changed");
            Taken::Not
        }
    }
}

#[test]
fn a_database_with_one_byte_changed_is_what_it_was_or_refused() {
    for left in [LeftAs::Closed, LeftAs::Killed] {
        let (place, states) = with_history(left == LeftAs::Closed);
        let whole = place.bytes();
        let mut numbers = Numbers(7);
        let mut counts = BTreeMap::<Taken, usize>::new();
        for time in 0..TIMES {
            let mut bytes = whole.clone();
            // Each byte of the header, and many others.
            let at = if time < 320 { time } else { numbers.below(bytes.len()) };
            bytes[at] ^= 1 << numbers.below(8);
            *counts.entry(taken(&bytes, &states, left, &format!("byte {at}"))).or_default() += 1;
        }
        let all = [Taken::Not, Taken::ToRead, Taken::Whole];
        let expected = if left == LeftAs::Closed { &all[..] } else { &[Taken::Not, Taken::Whole] };
        assert_eq!(counts.keys().copied().collect::<Vec<_>>(), expected, "{left:?}: {counts:?}");
    }
}

#[test]
fn a_database_that_was_cut_is_what_it_was_or_refused() {
    for left in [LeftAs::Closed, LeftAs::Killed] {
        let (place, states) = with_history(left == LeftAs::Closed);
        let whole = place.bytes();
        let mut numbers = Numbers(8);
        for time in 0..TIMES {
            // At the edges of pages too.
            let at = if time % 4 == 0 { numbers.below(whole.len()) / 4096 * 4096 } else { numbers.below(whole.len()) };
            if at > 0 {
                taken(&whole[..at], &states, left, &format!("cut at {at}"));
            }
        }
        assert_eq!(taken(&whole, &states, left, "whole"), Taken::Whole);
    }
}

#[test]
fn what_is_no_database_is_refused_in_words() {
    let refused = |bytes: &[u8]| open_at(&MemoryPlace::with(bytes.to_vec())).unwrap_err().to_string();
    assert!(refused(b"tea green\n").starts_with("it is not a database of a servent"));
    assert!(refused(&[0; 100_000]).starts_with("it is not a database of a servent"));
    assert!(refused(b"redb").starts_with("it is not a database of a servent"));
}

#[test]
fn what_another_program_or_a_later_servent_has_written_is_refused_in_words() {
    let made_by = |make: &dyn Fn(&redb::WriteTransaction)| {
        let storage = MemoryStorage::of(Vec::new(), &Arc::default());
        let handle = Handle::open(&(Arc::clone(&storage) as Arc<dyn Storage>), FirstFailure::default()).unwrap();
        let transaction = handle.redb.begin_write().unwrap();
        make(&transaction);
        transaction.commit().unwrap();
        handle.redb.close().unwrap();
        open_at(&MemoryPlace::with(storage.bytes())).map(|opened| opened.written).map_err(|error| error.to_string())
    };
    const OTHER: redb::TableDefinition<&str, u64> = redb::TableDefinition::new("other");
    const ABOUT: redb::TableDefinition<&str, u64> = redb::TableDefinition::new("about");
    const VALUES: redb::TableDefinition<&str, u64> = redb::TableDefinition::new("values");
    assert_eq!(made_by(&|transaction| tables::make(transaction).unwrap()), Ok(WrittenData::default()));
    let other = made_by(&|transaction| drop(transaction.open_table(OTHER).unwrap()));
    assert!(other.unwrap_err().starts_with("it is not a database of a servent"));
    let more = made_by(&|transaction| {
        tables::make(transaction).unwrap();
        transaction.open_table(OTHER).unwrap();
    });
    assert!(more.unwrap_err().contains("it has a table `other`"));
    let newer = made_by(&|transaction| {
        tables::make(transaction).unwrap();
        transaction.open_table(ABOUT).unwrap().insert("format", tables::FORMAT + 1).unwrap();
    });
    assert_eq!(newer.unwrap_err(), "it is of a newer format: 2, and this servent knows 1");
    let odd = made_by(&|transaction| {
        transaction.open_table(ABOUT).unwrap().insert("format", tables::FORMAT).unwrap();
        transaction.open_table(VALUES).unwrap();
    });
    assert!(odd.unwrap_err().starts_with("it is not a database of a servent"));
}
