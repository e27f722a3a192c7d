//! What becomes of a database on days that are not like others.

use common::key::Key;

use super::*;

fn put(key: &str, value: &str) -> StoreChange {
    StoreChange::Put { key: Key::new(key.as_bytes()).unwrap(), value: value.as_bytes().into() }
}

#[test]
fn what_is_committed_is_there_at_the_next_start() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("north.db");
    let mut opened = open(&path).unwrap();
    assert_eq!(opened.start, StartKind::Made);
    opened.database.commit(&[put("tea", "green"), put("milk", "")]).unwrap();
    opened.database.commit(&[put("tea", "red")]).unwrap();
    let mut expected = WrittenData::default();
    expected.apply(put("tea", "red"));
    expected.apply(put("milk", ""));
    assert_eq!(look_at(&path).unwrap().written, expected);
    opened.database.close().unwrap();
    let opened = open(&path).unwrap();
    assert_eq!((opened.start, opened.written), (StartKind::AsLeft, expected));
}
