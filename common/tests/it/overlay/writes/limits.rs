//! How much may be kept: what is refused where that is reached, and what may be written all the same.

use super::*;
use common::limits::{COMMIT_BYTES_MAX, WRITTEN_BYTES_MAX, WRITTEN_KEYS_MAX};

const FULL: WriteOutcome = WriteOutcome::Refused(WriteRefusal::StoreFull);

/// A mind that begins with what these were, and a client that may write. Its data has one key: tea.
fn keeping_these(changes: impl Iterator<Item = StoreChange>) -> (Mind, LinkId) {
    let mut written = WrittenData::default();
    changes.for_each(|change| written.apply(change));
    let mut mind = Mind::with(&Config { written: Some(Arc::new(written)), ..config() }, store("tea green"));
    let link = writer(&mut mind);
    (mind, link)
}

/// What comes of a write that is put on the disk, or of one that changes nothing.
fn outcome(mind: &mut Mind, link: LinkId, change: Change) -> WriteOutcome {
    let mut out = write(mind, link, 1, change);
    if matches!(out[..], [Output::Disk(Job::Commit(_))]) {
        out = committed(mind);
    }
    match out[..] {
        [Output::Send { message: Message::Written(Written { outcome, .. }), .. }] => outcome,
        ref other => panic!("{other:?}"),
    }
}

fn all_come_to(mind: &mut Mind, link: LinkId, writes: impl IntoIterator<Item = (Change, WriteOutcome)>) {
    for (place, (change, expected)) in writes.into_iter().enumerate() {
        let what = format!("{place}: {} {:?}", change.command(), change.subject());
        assert_eq!(outcome(mind, link, change), expected, "{what}");
    }
}

/// Keys of seven bytes.
fn numbered(place: usize) -> String {
    format!("{place:07}")
}

#[test]
fn no_more_keys_are_kept_than_may_be_and_those_there_are_are_written_and_deleted_all_the_same() {
    let (mut mind, link) = keeping_these((0..WRITTEN_KEYS_MAX).map(|place| kept(&numbered(place), "")));
    assert_eq!(mind.held("written_keys"), WRITTEN_KEYS_MAX);
    let [first, second] = [0, 1].map(numbered);
    all_come_to(
        &mut mind,
        link,
        [
            (put("milk", "white"), FULL),
            // That the data's value is hidden would be kept too.
            (del("tea"), FULL),
            (put("tea", "black"), FULL),
            (put(&first, "another"), WriteOutcome::Replaced),
            (del("milk"), WriteOutcome::Absent),
            (del(&second), WriteOutcome::Deleted),
            (del("tea"), WriteOutcome::Deleted),
            (put(&second, ""), FULL),
            // It is kept of it already, that there is none.
            (put("tea", "black"), WriteOutcome::Stored),
        ],
    );
    assert_eq!(mind.held("written_keys"), WRITTEN_KEYS_MAX);
}

#[test]
fn what_waits_counts_among_what_is_kept_and_what_is_to_be_deleted_does_not() {
    let (mut mind, link) = keeping_these((1..WRITTEN_KEYS_MAX).map(|place| kept(&numbered(place), "")));
    write(&mut mind, link, 1, put("milk", ""));
    for (sequence, change) in (2..).zip([put("rice", ""), del(&numbered(1)), put("salt", ""), put("rice", "")]) {
        assert_eq!(write(&mut mind, link, sequence, change), []);
    }
    let gathered = [StoreChange::Forget { key: key(&numbered(1)) }, kept("salt", "")];
    assert_eq!(committed(&mut mind), [commit(gathered), written(link, 1, WriteOutcome::Stored)]);
    let told = [FULL, WriteOutcome::Deleted, WriteOutcome::Stored, FULL];
    let told: Vec<Output> = (2..).zip(told).map(|(sequence, outcome)| written(link, sequence, outcome)).collect();
    assert_eq!(committed(&mut mind), told);
    assert_eq!(mind.held("written_keys"), WRITTEN_KEYS_MAX);
}

/// As many keys of a mebibyte with their values as these, which share the value's bytes.
fn mebibytes(count: usize) -> impl Iterator<Item = StoreChange> {
    let value: Arc<[u8]> = vec![b'v'; MEBIBYTE - numbered(0).len()].into();
    (0..count).map(move |place| StoreChange::Put { key: key(&numbered(place)), value: Arc::clone(&value) })
}

/// A put of one of these keys that is so many bytes longer, or shorter.
fn put_longer_by(place: usize, bytes: isize) -> Change {
    let key_text = numbered(place);
    let length = (MEBIBYTE - key_text.len()).checked_add_signed(bytes).unwrap();
    long_put(&key_text, length)
}

#[test]
fn no_more_bytes_are_kept_than_may_be_and_what_is_shorter_is_written_all_the_same() {
    let (mut mind, link) = keeping_these(mebibytes(WRITTEN_BYTES_MAX / MEBIBYTE));
    assert_eq!(mind.held("written_bytes"), WRITTEN_BYTES_MAX);
    all_come_to(
        &mut mind,
        link,
        [
            (put("milk", ""), FULL),
            (del("tea"), FULL),
            (put_longer_by(0, 1), FULL),
            (put_longer_by(0, 0), WriteOutcome::Replaced),
            (put_longer_by(0, -7), WriteOutcome::Replaced),
            (put("milk", "cold"), FULL),
            (put("milk", ""), WriteOutcome::Stored),
            (del("tea"), WriteOutcome::Deleted),
            (put("milk", "w"), FULL),
            (del(&numbered(1)), WriteOutcome::Deleted),
            (put("milk", "white"), WriteOutcome::Replaced),
        ],
    );
    assert_eq!(mind.held("written_bytes"), WRITTEN_BYTES_MAX - MEBIBYTE + "white".len());
}

/// As one is that kept more once than it may now.
#[test]
fn of_a_servent_that_keeps_too_much_nothing_grows_and_all_may_shrink() {
    let (mut mind, link) = keeping_these(mebibytes(WRITTEN_BYTES_MAX / MEBIBYTE + 2));
    all_come_to(
        &mut mind,
        link,
        [
            (put("milk", ""), FULL),
            (put_longer_by(0, 1), FULL),
            (put_longer_by(0, 0), WriteOutcome::Replaced),
            (put_longer_by(0, -1), WriteOutcome::Replaced),
            (del(&numbered(1)), WriteOutcome::Deleted),
            (put("milk", ""), FULL),
            (del(&numbered(2)), WriteOutcome::Deleted),
            (put("m", ""), WriteOutcome::Stored),
            (put("i", ""), FULL),
        ],
    );
    assert_eq!(mind.held("written_bytes"), WRITTEN_BYTES_MAX);
}

/// A commit is never cut: as much as may wait is as much as may be put on the disk at once.
#[test]
fn all_that_may_wait_is_put_on_the_disk_in_one_go() {
    let mut mind = keeping();
    let first = writer(&mut mind);
    write(&mut mind, first, 1, put("milk", "white"));
    let mut waiting = 0;
    for _ in 0..4 {
        let link = writer(&mut mind);
        waiting += writes_until_it_rests(&mut mind, link);
    }
    assert!(mind.held("writes_waiting_bytes") > COMMIT_BYTES_MAX - 2 * MEBIBYTE, "there is no room for more");
    let out = committed(&mut mind);
    let [Output::Disk(Job::Commit(changes)), told, ..] = &out[..] else { panic!("{}", out.len()) };
    assert_eq!((changes.len(), told), (waiting, &written(first, 1, WriteOutcome::Stored)));
    assert!(changes.iter().map(StoreChange::bytes_count).sum::<usize>() <= COMMIT_BYTES_MAX);
}
