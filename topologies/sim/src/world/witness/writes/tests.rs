use common::content::search::FileName;
use common::key::Key;

use super::*;
use crate::world::witness::SECOND;

const LINK: LinkId = LinkId(4);
const OTHER: LinkId = LinkId(6);

fn key(text: &str) -> Key {
    Key::new(text.as_bytes()).unwrap()
}

fn put(text: &str, value: &str) -> Change {
    Change::Put { key: key(text), value: value.as_bytes().into() }
}

fn put_kept(text: &str, value: &str) -> StoreChange {
    StoreChange::Put { key: key(text), value: value.as_bytes().into() }
}

fn kept(changes: &[StoreChange]) -> WrittenData {
    let mut written = WrittenData::default();
    changes.iter().for_each(|change| written.apply(change.clone()));
    written
}

fn full() -> Result<(), CommitFailure> {
    Err(CommitFailure::Full(String::new()))
}

fn failed() -> Result<(), CommitFailure> {
    Err(CommitFailure::Failed(String::new()))
}

/// A servent that has milk in its data, and has kept nothing.
struct SeenWrites {
    writes: WatchedWrites,
    wrong: Vec<String>,
    now: Nanos,
    life: u32,
}

impl SeenWrites {
    fn begin() -> SeenWrites {
        let mut seen = SeenWrites { writes: WatchedWrites::default(), wrong: Vec::new(), now: SECOND, life: 0 };
        seen.start(&[]);
        seen
    }

    fn below() -> Arc<Store> {
        Arc::new(Store::parse(b"milk x\n".to_vec()).unwrap().0)
    }

    fn start(&mut self, found: &[StoreChange]) {
        self.life += 1;
        self.wrong.extend(self.writes.on_born(self.now, 0, &SeenWrites::below(), Some((&kept(found), false))));
    }

    fn write(&mut self, link: LinkId, sequence: u64, change: Change) {
        self.writes.on_write(0, (link, true), &Write { sequence, change }, Some(true));
    }

    fn commit(&mut self, changes: &[StoreChange], committed: &Result<(), CommitFailure>) {
        self.wrong.extend(self.writes.on_commit(0, changes));
        self.now += 1;
        self.writes.on_committed(self.now, 0, committed);
    }

    fn told(&mut self, link: LinkId, sequence: u64, outcome: WriteOutcome) {
        self.wrong.extend(self.writes.on_written(0, link, Written { sequence, outcome }));
    }

    fn ask(&mut self, id: QueryId, text: &str) {
        self.writes.on_asked(id, &Ask::Key(key(text)));
        self.writes.on_heard(self.now, (0, self.life), id);
        self.writes.on_request(0, LINK, id);
    }

    fn answers(&mut self, id: QueryId, value: &str) {
        self.now += 1;
        let body = AnswerBody::Value(value.as_bytes().to_vec());
        self.wrong.extend(self.writes.on_answered(self.now, (0, self.life), id, &body));
    }

    fn changed(&mut self, sequence: u64, value: Option<&str>) {
        let value = value.map(|value| value.as_bytes().into());
        self.wrong.extend(self.writes.on_changed(0, LINK, &Changed { sequence, value }));
    }

    #[track_caller]
    fn broke(&self, what: &[&str]) {
        let matches =
            self.wrong.len() == what.len() && self.wrong.iter().zip(what).all(|(text, what)| text.contains(what));
        assert!(matches, "{:?}, not {what:?}", self.wrong);
    }
}

fn id(sequence: u64) -> QueryId {
    QueryId { sequence, client: "127.0.0.1:0".parse().unwrap() }
}

#[test]
fn what_is_well_is_well() {
    let mut seen = SeenWrites::begin();
    seen.writes.on_watch(0, LINK, &Watch { sequence: 70, key: key("tea") });
    seen.changed(70, None);
    seen.write(LINK, 1, put("tea", "green"));
    seen.write(OTHER, 2, put("tea", "red"));
    seen.write(LINK, 3, Change::Delete { key: key("milk") });
    seen.write(LINK, 4, Change::Delete { key: key("nobody") });
    seen.commit(&[put_kept("tea", "green")], &Ok(()));
    seen.told(LINK, 1, WriteOutcome::Stored);
    seen.changed(70, Some("green"));
    seen.ask(id(9), "tea");
    seen.commit(&[put_kept("tea", "red"), StoreChange::Hide { key: key("milk") }], &Ok(()));
    // What it was when it was asked for is as good.
    seen.answers(id(9), "green");
    seen.answers(id(9), "red");
    seen.told(OTHER, 2, WriteOutcome::Replaced);
    seen.told(LINK, 3, WriteOutcome::Deleted);
    seen.told(LINK, 4, WriteOutcome::Absent);
    seen.changed(70, Some("red"));
    seen.writes.on_last();
    seen.ask(id(10), "tea");
    seen.answers(id(10), "red");
    seen.ask(id(11), "milk");
    assert!(seen.writes.on_settled(|_| true).is_empty(), "{:?}", seen.writes);
    seen.writes.on_died(0);
    seen.start(&[put_kept("tea", "red"), StoreChange::Hide { key: key("milk") }]);
    seen.broke(&[]);
}

#[test]
fn an_outcome_that_is_said_before_it_is_on_the_disk_is_noticed() {
    let mut seen = SeenWrites::begin();
    seen.write(LINK, 1, put("tea", "green"));
    seen.told(LINK, 1, WriteOutcome::Stored);
    seen.broke(&["says Stored of what is not on its disk"]);
}

#[test]
fn a_value_that_is_shown_before_it_is_on_the_disk_is_noticed_and_one_that_is_no_more() {
    let mut seen = SeenWrites::begin();
    seen.write(LINK, 1, put("tea", "green"));
    seen.writes.on_watch(0, LINK, &Watch { sequence: 70, key: key("tea") });
    seen.ask(id(9), "tea");
    seen.answers(id(9), "green");
    seen.changed(70, Some("green"));
    seen.broke(&["s0 answers `tea` with what is not so", "s0 tells of tea what is not so"]);
    seen.wrong.clear();
    seen.commit(&[put_kept("tea", "green")], &Ok(()));
    seen.write(LINK, 2, Change::Delete { key: key("tea") });
    seen.commit(&[StoreChange::Forget { key: key("tea") }], &Ok(()));
    seen.now += 1;
    seen.ask(id(10), "tea");
    seen.answers(id(10), "green");
    seen.changed(70, None);
    seen.changed(70, Some("green"));
    seen.broke(&["s0 answers `tea` with", "s0 tells of tea what"]);
}

#[test]
fn a_deletion_that_forgets_what_the_data_says_is_noticed() {
    let mut seen = SeenWrites::begin();
    seen.write(LINK, 1, Change::Delete { key: key("milk") });
    seen.commit(&[StoreChange::Forget { key: key("milk") }], &Ok(()));
    seen.broke(&["s0 puts on its disk what was not asked for"]);
}

#[test]
fn what_is_put_on_the_disk_in_another_order_or_beside_something_else_is_noticed() {
    let mut seen = SeenWrites::begin();
    seen.write(LINK, 1, put("tea", "green"));
    seen.write(LINK, 2, put("milk", "y"));
    seen.commit(&[put_kept("milk", "y"), put_kept("tea", "green")], &Ok(()));
    seen.broke(&["s0 puts on its disk what was not asked for"]);
    let mut seen = SeenWrites::begin();
    seen.write(LINK, 1, put("tea", "green"));
    seen.write(LINK, 2, put("milk", "y"));
    seen.wrong.extend(seen.writes.on_commit(0, &[put_kept("tea", "green")]));
    seen.wrong.extend(seen.writes.on_commit(0, &[put_kept("milk", "y")]));
    seen.broke(&["while something is being put there"]);
}

#[test]
fn what_is_said_of_a_write_twice_out_of_turn_or_falsely_is_noticed() {
    let mut seen = SeenWrites::begin();
    seen.write(LINK, 1, Change::Delete { key: key("nobody") });
    seen.told(LINK, 1, WriteOutcome::Absent);
    seen.told(LINK, 1, WriteOutcome::Absent);
    seen.write(LINK, 2, put("tea", "green"));
    seen.write(OTHER, 3, put("tea", "green"));
    seen.commit(&[put_kept("tea", "green"), put_kept("tea", "green")], &Ok(()));
    seen.told(OTHER, 3, WriteOutcome::Replaced);
    seen.told(OTHER, 3, WriteOutcome::Stored);
    seen.broke(&["was not told of", "before it is its turn", "says Stored of a write, and it is Replaced"]);
    // Whoever is gone has no turn, unless what it wrote is still to be kept.
    let mut seen = SeenWrites::begin();
    seen.write(LINK, 1, Change::Delete { key: key("nobody") });
    seen.write(OTHER, 2, Change::Delete { key: key("nobody") });
    seen.writes.on_closed(0, LINK);
    seen.told(OTHER, 2, WriteOutcome::Absent);
    seen.broke(&[]);
    seen.write(LINK, 3, put("tea", "green"));
    seen.write(OTHER, 4, Change::Delete { key: key("nobody") });
    seen.told(OTHER, 4, WriteOutcome::Absent);
    seen.broke(&["before that of one that came earlier is known"]);
}

#[test]
fn after_a_failure_nothing_is_said_to_be_kept_that_waited_and_after_a_failed_sync_nothing_at_all() {
    for (committed, refusal) in [(full(), WriteRefusal::DiskFull), (failed(), WriteRefusal::DiskFailed)] {
        let mut seen = SeenWrites::begin();
        seen.write(LINK, 1, put("tea", "green"));
        seen.write(LINK, 2, put("tea", "red"));
        seen.commit(&[put_kept("tea", "green")], &committed);
        seen.told(LINK, 1, WriteOutcome::Refused(refusal));
        seen.told(LINK, 2, WriteOutcome::Replaced);
        seen.write(LINK, 3, put("tea", "blue"));
        seen.commit(&[put_kept("tea", "blue")], &Ok(()));
        seen.told(LINK, 3, WriteOutcome::Stored);
        let says = "says Replaced of a write, and it is Refused";
        if refusal == WriteRefusal::DiskFull {
            seen.broke(&[says]);
        } else {
            seen.broke(&[says, "what was not asked for", "says Stored of a write, and it is Refused(DiskFailed)"]);
        }
    }
}

#[test]
fn whoever_starts_finds_what_was_acknowledged_and_of_the_last_commit_all_or_nothing() {
    let (first, last) = ([put_kept("tea", "green")], [put_kept("tea", "red"), put_kept("milk", "y")]);
    let both = [first.as_slice(), &last].concat();
    let wrong: &[&str] = &["s0 starts, and does not find all that was acknowledged"];
    for (found, what) in [
        (first.as_slice(), &[][..]),
        (both.as_slice(), &[]),
        (&[], wrong),
        (&[put_kept("tea", "red")], wrong),
        (&[put_kept("tea", "green"), put_kept("rice", "z")], wrong),
    ] {
        // It is killed in its last commit, or its disk fails in that.
        for fails in [false, true] {
            let mut seen = SeenWrites::begin();
            seen.write(LINK, 1, put("tea", "green"));
            seen.commit(&first, &Ok(()));
            seen.write(LINK, 2, put("tea", "red"));
            seen.write(LINK, 3, put("milk", "y"));
            seen.wrong.extend(seen.writes.on_commit(0, &last));
            if fails {
                seen.writes.on_committed(seen.now, 0, &failed());
            }
            seen.writes.on_died(0);
            seen.start(found);
            seen.broke(what);
        }
    }
    // Of what there was no room for nothing is there.
    let mut seen = SeenWrites::begin();
    seen.write(LINK, 1, put("tea", "green"));
    seen.commit(&first, &full());
    seen.writes.on_died(0);
    seen.start(&first);
    seen.broke(wrong);
}

#[test]
fn what_is_not_told_in_the_end_is_noticed() {
    let mut seen = SeenWrites::begin();
    seen.writes.on_watch(0, LINK, &Watch { sequence: 70, key: key("tea") });
    seen.changed(70, None);
    seen.write(LINK, 1, put("tea", "green"));
    seen.commit(&[put_kept("tea", "green")], &Ok(()));
    seen.writes.on_last();
    seen.ask(id(9), "tea");
    seen.broke(&[]);
    let wrong = seen.writes.on_settled(|_| true);
    let matches = ["never says what came of 1 write", "watches tea", "does not answer `tea` in the end"];
    assert!(wrong.len() == 3 && wrong.iter().zip(matches).all(|(text, what)| text.contains(what)), "{wrong:?}");
    assert!(seen.writes.on_settled(|_| false).is_empty());
    seen.writes.on_closed(0, LINK);
    assert!(seen.writes.on_settled(|_| true).is_empty());
}

fn name(text: &str) -> FileName {
    FileName::new(text.as_bytes()).unwrap()
}

fn publish(text: &str, description: &str) -> Change {
    Change::Publish { name: name(text), text: description.as_bytes().into() }
}

fn published(text: &str, description: &str) -> StoreChange {
    StoreChange::Publish { name: name(text), text: description.as_bytes().into() }
}

#[test]
fn what_comes_of_a_file_that_is_published_goes_by_what_is_published_and_shared() {
    let unpublish = || Change::Unpublish { name: name("farol") };
    let mut seen = SeenWrites::begin();
    for (sequence, change, kept, outcome) in [
        (1, unpublish(), None, WriteOutcome::Absent),
        (2, publish("farol", "dusk"), Some(published("farol", "dusk")), WriteOutcome::Stored),
        (3, publish("farol", "dusk"), None, WriteOutcome::Present),
        (4, publish("farol", ""), Some(published("farol", "")), WriteOutcome::Replaced),
        (5, unpublish(), Some(StoreChange::Unpublish { name: name("farol") }), WriteOutcome::Deleted),
        (6, unpublish(), None, WriteOutcome::Absent),
    ] {
        seen.write(LINK, sequence, change);
        if let Some(kept) = kept {
            seen.commit(&[kept], &Ok(()));
        }
        seen.told(LINK, sequence, outcome);
    }
    seen.broke(&[]);
    for (is_shared, outcome) in
        [(None, WriteOutcome::Refused(WriteRefusal::NothingShared)), (Some(false), WriteOutcome::Absent)]
    {
        let write = Write { sequence: 7, change: publish("farol", "dusk") };
        seen.writes.on_write(0, (LINK, true), &write, is_shared);
        seen.told(LINK, 7, outcome);
        seen.broke(&[]);
        seen.writes.on_write(0, (LINK, true), &write, is_shared);
        seen.told(LINK, 7, WriteOutcome::Stored);
        seen.broke(&["says Stored of a write, and it is"]);
        seen.wrong.clear();
    }
}

#[test]
fn what_is_said_of_a_file_that_is_published_falsely_or_before_it_is_on_the_disk_is_noticed() {
    let mut seen = SeenWrites::begin();
    seen.write(LINK, 1, publish("farol", "dusk"));
    assert!(seen.writes.published(0).is_empty());
    seen.told(LINK, 1, WriteOutcome::Stored);
    seen.broke(&["says Stored of what is not on its disk"]);
    let mut seen = SeenWrites::begin();
    seen.write(LINK, 1, publish("farol", "dusk"));
    seen.commit(&[published("farol", "dawn")], &Ok(()));
    seen.broke(&["what was not asked for"]);
    let mut seen = SeenWrites::begin();
    seen.write(LINK, 1, publish("farol", "dusk"));
    seen.commit(&[published("farol", "dusk")], &Ok(()));
    assert_eq!(seen.writes.published(0).len(), 1);
    seen.told(LINK, 1, WriteOutcome::Replaced);
    seen.broke(&["says Replaced of a write, and it is Stored"]);
}

#[test]
fn whoever_starts_finds_what_was_published_and_nothing_that_was_unpublished() {
    let wrong: &[&str] = &["s0 starts, and does not find all that was acknowledged"];
    let farol = published("farol", "dusk");
    let found_after = |is_unpublished: bool, found: &[StoreChange]| {
        let mut seen = SeenWrites::begin();
        seen.write(LINK, 1, publish("farol", "dusk"));
        seen.commit(std::slice::from_ref(&farol), &Ok(()));
        if is_unpublished {
            let unpublished = StoreChange::Unpublish { name: name("farol") };
            seen.write(LINK, 2, Change::Unpublish { name: name("farol") });
            seen.commit(&[unpublished], &Ok(()));
        }
        seen.writes.on_died(0);
        seen.start(found);
        seen
    };
    found_after(false, std::slice::from_ref(&farol)).broke(&[]);
    found_after(false, &[]).broke(wrong);
    found_after(false, &[published("farol", "")]).broke(wrong);
    found_after(true, &[]).broke(&[]);
    found_after(true, std::slice::from_ref(&farol)).broke(wrong);
}
