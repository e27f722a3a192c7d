//! What clients have a servent keep: what comes of each write, when it is told, and what is answered then.

use std::sync::Arc;

use super::*;
use common::disk::CommitFailure;
use common::features::Features;
use common::limits::{FRAME_BYTES_MAX, SERVENT_FRAME_BYTES_MAX};
use common::write::{Change, Write, WriteOutcome, WriteRefusal, Written};
use common::written::{StoreChange, WrittenData};

fn key(text: &str) -> Key {
    Key::new(text.as_bytes()).unwrap()
}

fn put(key_text: &str, value: &str) -> Change {
    Change::Put { key: key(key_text), value: value.as_bytes().into() }
}

fn del(key_text: &str) -> Change {
    Change::Delete { key: key(key_text) }
}

fn kept(key_text: &str, value: &str) -> StoreChange {
    StoreChange::Put { key: key(key_text), value: value.as_bytes().into() }
}

fn commit(changes: impl IntoIterator<Item = StoreChange>) -> Output {
    Output::Disk(Job::Commit(changes.into_iter().collect()))
}

fn written(link: LinkId, sequence: u64, outcome: WriteOutcome) -> Output {
    send(link, Message::Written(Written { sequence, outcome }))
}

fn refused(refusal: WriteRefusal) -> WriteOutcome {
    WriteOutcome::Refused(refusal)
}

/// A mind that keeps what is written, whose data has one key: tea.
fn keeping() -> Mind {
    Mind::with(&keeping_config(), store("tea green"))
}

fn keeping_config() -> Config {
    Config { written: Some(Arc::new(WrittenData::default())), ..config() }
}

/// A client that may write, wherever it is.
fn writer_from(mind: &mut Mind, from: [u8; 4]) -> LinkId {
    let link = mind.new_link();
    let from = SocketAddr::from((from, 40_000));
    assert_eq!(mind.tell(Input::Opened { link, opening: Opening::Accepted(from) }), []);
    let hello = Hello { features: Features::WRITES, ..Hello::new(Role::Client { answer_port: 7_000 }) };
    let out = mind.hear(link, Message::Hello(hello));
    assert!(matches!(&out[..], [Output::Send { message: Message::Hello(_), .. }]), "{out:?}");
    link
}

/// One on this host.
fn writer(mind: &mut Mind) -> LinkId {
    writer_from(mind, [127, 0, 0, 1])
}

fn write(mind: &mut Mind, link: LinkId, sequence: u64, change: Change) -> Vec<Output> {
    mind.hear(link, Message::Write(Write { sequence, change }))
}

fn committed(mind: &mut Mind) -> Vec<Output> {
    mind.tell(Input::Disk(JobDone::Committed(Ok(()))))
}

/// What is answered for a key, if anything is.
fn answered_for(mind: &mut Mind, key_text: &str) -> Option<Vec<u8>> {
    let client = mind.client(9);
    let out = mind.hear(client, Message::Request(Request { sequence: 1, ask: Ask::Key(key(key_text)), ttl: None }));
    mind.closed(client);
    out.into_iter().find_map(|output| match output {
        Output::Send { message: Message::Answer(Answer { body: AnswerBody::Value(value), .. }), .. } => Some(value),
        _ => None,
    })
}

#[test]
fn whoever_may_write_is_told_that_longer_frames_are_accepted() {
    for (config, from, features, expected) in [
        (keeping_config(), [127, 0, 0, 1], Features::WRITES, FRAME_BYTES_MAX),
        (Config { is_read_only: true, ..keeping_config() }, [127, 0, 0, 7], Features::WRITES, FRAME_BYTES_MAX),
        (keeping_config(), [127, 0, 0, 1], Features::NONE, SERVENT_FRAME_BYTES_MAX),
        (keeping_config(), [192, 0, 2, 7], Features::WRITES, SERVENT_FRAME_BYTES_MAX),
        (config(), [127, 0, 0, 1], Features::WRITES, SERVENT_FRAME_BYTES_MAX),
    ] {
        let mut mind = Mind::with(&config, store(""));
        let link = mind.new_link();
        let from = SocketAddr::from((from, 40_000));
        mind.tell(Input::Opened { link, opening: Opening::Accepted(from) });
        let hello = Hello { features, ..Hello::new(Role::Client { answer_port: 7_000 }) };
        let out = mind.hear(link, Message::Hello(hello));
        let [Output::Send { message: Message::Hello(own), .. }] = &out[..] else { panic!("{out:?}") };
        assert_eq!(own.frame_bytes_max as usize, expected, "{from} offers {features:?}");
    }
}

#[test]
fn what_is_written_is_told_and_answered_once_it_is_on_the_disk_and_not_before() {
    let mut mind = keeping();
    let link = writer(&mut mind);
    assert_eq!(write(&mut mind, link, 1, put("milk", "white")), [commit([kept("milk", "white")])]);
    assert_eq!(answered_for(&mut mind, "milk"), None);
    assert_eq!(committed(&mut mind), [written(link, 1, WriteOutcome::Stored)]);
    assert_eq!(answered_for(&mut mind, "milk").as_deref(), Some(&b"white"[..]));
    assert_eq!(write(&mut mind, link, 2, del("tea")), [commit([StoreChange::Hide { key: key("tea") }])]);
    assert_eq!(answered_for(&mut mind, "tea").as_deref(), Some(&b"green"[..]));
    assert_eq!(committed(&mut mind), [written(link, 2, WriteOutcome::Deleted)]);
    assert_eq!(answered_for(&mut mind, "tea"), None);
    assert_eq!(write(&mut mind, link, 3, del("milk")), [commit([StoreChange::Forget { key: key("milk") }])]);
    assert_eq!(committed(&mut mind), [written(link, 3, WriteOutcome::Deleted)]);
    assert_eq!(answered_for(&mut mind, "milk"), None);
    assert_eq!(write(&mut mind, link, 4, del("milk")), [written(link, 4, WriteOutcome::Absent)]);
}

#[test]
fn what_comes_while_others_are_put_on_the_disk_is_the_next_commit_and_is_judged_by_what_came_before_it() {
    let mut mind = keeping();
    let (one, other) = (writer(&mut mind), writer(&mut mind));
    assert_eq!(write(&mut mind, one, 1, put("milk", "white")), [commit([kept("milk", "white")])]);
    for (link, sequence, change) in [
        (other, 1, put("milk", "cold")),
        (one, 2, del("milk")),
        (one, 3, del("milk")),
        (other, 2, del("tea")),
        (one, 4, put("tea", "black")),
        (one, 5, put("tea", "black")),
        (other, 3, del("nobody")),
    ] {
        assert_eq!(write(&mut mind, link, sequence, change), [], "it waits");
    }
    let hidden = StoreChange::Hide { key: key("tea") };
    let gathered = [
        kept("milk", "cold"),
        StoreChange::Forget { key: key("milk") },
        hidden,
        kept("tea", "black"),
        kept("tea", "black"),
    ];
    assert_eq!(committed(&mut mind), [commit(gathered), written(one, 1, WriteOutcome::Stored)]);
    let told = [
        written(other, 1, WriteOutcome::Replaced),
        written(one, 2, WriteOutcome::Deleted),
        written(one, 3, WriteOutcome::Absent),
        written(other, 2, WriteOutcome::Deleted),
        written(one, 4, WriteOutcome::Stored),
        written(one, 5, WriteOutcome::Replaced),
        written(other, 3, WriteOutcome::Absent),
    ];
    assert_eq!(committed(&mut mind), told);
    assert_eq!(mind.held("writes_waiting_bytes"), 0);
    assert_eq!((mind.held("written_keys"), mind.held("written_bytes")), (1, 8));
}

#[test]
fn who_may_not_write_is_told_why() {
    let put = || put("milk", "white");
    for (config, from, change, refusal) in [
        (config(), [127, 0, 0, 1], put(), WriteRefusal::NoStore),
        (config(), [192, 0, 2, 7], put(), WriteRefusal::NoStore),
        (keeping_config(), [192, 0, 2, 7], put(), WriteRefusal::NotFromHere),
        (Config { is_read_only: true, ..keeping_config() }, [127, 0, 0, 1], put(), WriteRefusal::DiskFailed),
    ] {
        let mut mind = Mind::with(&config, store("tea green"));
        let link = writer_from(&mut mind, from);
        assert_eq!(write(&mut mind, link, 7, change), [written(link, 7, refused(refusal))]);
    }
}

#[test]
fn a_commit_that_finds_no_room_is_refused_with_all_behind_it_and_later_ones_are_tried() {
    let mut mind = keeping();
    let link = writer(&mut mind);
    write(&mut mind, link, 1, put("milk", "white"));
    write(&mut mind, link, 2, del("milk"));
    write(&mut mind, link, 3, del("nobody"));
    let full = refused(WriteRefusal::DiskFull);
    let out = mind.tell(Input::Disk(JobDone::Committed(Err(CommitFailure::Full("no room".to_owned())))));
    assert_eq!(out, [1, 2, 3].map(|sequence| written(link, sequence, full)));
    assert_eq!(write(&mut mind, link, 4, del("milk")), [written(link, 4, WriteOutcome::Absent)]);
    assert_eq!(write(&mut mind, link, 5, put("milk", "cold")), [commit([kept("milk", "cold")])]);
    assert_eq!(committed(&mut mind), [written(link, 5, WriteOutcome::Stored)]);
}

#[test]
fn once_the_disk_has_failed_nothing_is_kept_any_more_and_what_was_is_served() {
    let mut mind = keeping();
    let link = writer(&mut mind);
    write(&mut mind, link, 1, put("milk", "white"));
    committed(&mut mind);
    write(&mut mind, link, 2, put("milk", "cold"));
    write(&mut mind, link, 3, put("tea", "black"));
    let failed = refused(WriteRefusal::DiskFailed);
    let out = mind.tell(Input::Disk(JobDone::Committed(Err(CommitFailure::Failed("it broke".to_owned())))));
    assert_eq!(out, [2, 3].map(|sequence| written(link, sequence, failed)));
    assert_eq!(write(&mut mind, link, 4, put("tea", "black")), [written(link, 4, failed)]);
    assert_eq!(answered_for(&mut mind, "milk").as_deref(), Some(&b"white"[..]));
    assert_eq!(answered_for(&mut mind, "tea").as_deref(), Some(&b"green"[..]));
}

#[test]
fn a_servent_that_leaves_tells_what_came_of_all_writes_before_it_says_goodbye_to_whoever_wrote() {
    let mut mind = keeping();
    let (one, other, idle) = (writer(&mut mind), writer(&mut mind), writer(&mut mind));
    write(&mut mind, one, 1, put("milk", "white"));
    write(&mut mind, other, 1, put("milk", "cold"));
    let out = mind.tell(Input::Leave);
    let [last, close] = goodbye(idle, Goodbye::Leaving);
    assert_eq!(out, [Output::Rest { link: one }, Output::Rest { link: other }, last, close]);
    assert_eq!(committed(&mut mind), [commit([kept("milk", "cold")]), written(one, 1, WriteOutcome::Stored)]);
    let mut told = vec![written(other, 1, WriteOutcome::Replaced)];
    told.extend([one, other].into_iter().flat_map(|link| goodbye(link, Goodbye::Leaving)));
    assert_eq!(committed(&mut mind), told);
}
