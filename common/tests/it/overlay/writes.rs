//! What clients have a servent keep: what comes of each write, when it is told, and what is answered then.

mod limits;
mod published;

use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use common::disk::CommitFailure;
use common::features::Features;
use common::limits::{
    CHANGED_AGAIN_PAUSE, FRAME_BYTES_MAX, SERVENT_FRAME_BYTES_MAX, WATCHES_PER_CLIENT_MAX, WRITES_WAITING_BYTES_MAX,
};
use common::write::{Change, Changed, Unwatch, Watch, Write, WriteOutcome, WriteRefusal, Written};
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
        (Config { is_read_only: true, ..keeping_config() }, [127, 0, 0, 1], put(), WriteRefusal::ReadOnly),
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

// ---- who writes more than others leave room for ----

/// A value with which a write takes about so much of the room there is.
fn long_put(key_text: &str, bytes_count: usize) -> Change {
    Change::Put { key: key(key_text), value: vec![b'v'; bytes_count].into() }
}

const MEBIBYTE: usize = 1024 * 1024;

/// Writes of a mebibyte that are taken of a client before it is to rest.
fn writes_until_it_rests(mind: &mut Mind, link: LinkId) -> usize {
    (1..=WRITES_WAITING_BYTES_MAX / MEBIBYTE)
        .find(|count| {
            let out = write(mind, link, *count as u64, long_put("tea", MEBIBYTE - 512));
            out.contains(&Output::Rest { link })
        })
        .expect("it takes all there is")
}

#[test]
fn no_client_has_more_waiting_than_is_left_for_all_others_and_it_is_read_again_once_there_is_room() {
    let mut mind = keeping();
    let (hasty, slow) = (writer(&mut mind), writer(&mut mind));
    assert_eq!(writes_until_it_rests(&mut mind, hasty), 8);
    assert_eq!(write(&mut mind, slow, 1, put("milk", "white")), [], "others go on");
    let count = mind.held("writes_waiting_bytes");
    assert!((7 * MEBIBYTE..9 * MEBIBYTE).contains(&count), "{count}");
    let out = committed(&mut mind);
    assert_eq!(out.last(), Some(&Output::Resume { link: hasty }));
    let out = committed(&mut mind);
    assert_eq!((out.len(), mind.held("writes_waiting_bytes")), (8, 0));
}

#[test]
fn while_less_than_a_frame_is_left_nobody_who_writes_is_read_and_who_comes_all_the_same_is_told() {
    let mut mind = keeping();
    let idle = writer(&mut mind);
    write(&mut mind, idle, 1, del("nobody"));
    let mut resting = BTreeSet::new();
    while resting.len() < 5 {
        let link = writer(&mut mind);
        for sequence in 1.. {
            let out = write(&mut mind, link, sequence, long_put("tea", MEBIBYTE - 512));
            let rests = out.iter().filter_map(|output| match output {
                Output::Rest { link } => Some(*link),
                _ => None,
            });
            resting.extend(rests);
            if resting.contains(&link) {
                break;
            }
        }
    }
    assert!(resting.contains(&idle), "there is no room for whatever it would say: {resting:?}");
    // The first may take what is left.
    let new = [writer(&mut mind), writer(&mut mind)];
    for link in new {
        let out = write(&mut mind, link, 1, long_put("tea", MEBIBYTE));
        assert_eq!(out, [Output::Rest { link }], "it is told in its turn");
    }
    let busy = written(new[1], 1, refused(WriteRefusal::Busy));
    let told: Vec<Output> = [committed(&mut mind), committed(&mut mind)].concat();
    assert!(told.contains(&busy), "{}", told.len());
    let resumed = told.iter().filter(|output| matches!(output, Output::Resume { .. })).count();
    assert_eq!((resumed, mind.held("writes_waiting_bytes")), (resting.len() + new.len(), 0));
}

#[test]
fn of_a_client_that_is_gone_what_it_wrote_is_kept_and_nobody_is_told() {
    let mut mind = keeping();
    let link = writer(&mut mind);
    write(&mut mind, link, 1, put("milk", "white"));
    write(&mut mind, link, 2, put("milk", "cold"));
    assert_eq!(mind.closed(link), []);
    assert_eq!(committed(&mut mind), [commit([kept("milk", "cold")])]);
    assert_eq!(committed(&mut mind), []);
    assert_eq!(answered_for(&mut mind, "milk").as_deref(), Some(&b"cold"[..]));
}

/// What came of ten thousand writes is told in so many turns of the loop that others have theirs between.
#[test]
fn ten_thousand_writes_are_two_commits_and_are_told_in_pieces_and_in_order() {
    let mut mind = keeping();
    let link = writer(&mut mind);
    for sequence in 1..=10_000 {
        let out = write(&mut mind, link, sequence, put(&format!("k{sequence}"), "v"));
        assert_eq!(out.len(), usize::from(sequence == 1), "{sequence}");
    }
    let out = committed(&mut mind);
    let [Output::Disk(Job::Commit(changes)), told] = &out[..] else { panic!("{}", out.len()) };
    assert_eq!((changes.len(), told), (9_999, &written(link, 1, WriteOutcome::Stored)));
    let mut turns = vec![committed(&mut mind)];
    while mind.overlay.deadline().is_some_and(|due| due <= mind.now) {
        turns.push(mind.tell(Input::Deadline));
    }
    assert!(turns.iter().all(|turn| turn.len() <= 1_024), "each is short");
    let told: Vec<Output> = turns.concat();
    assert!(
        told.iter()
            .eq((2..=10_000).map(|sequence| written(link, sequence, WriteOutcome::Stored)).collect::<Vec<_>>().iter())
    );
}

#[test]
fn what_is_on_the_disk_when_a_servent_leaves_and_was_not_told_is_told_at_once() {
    let mut mind = keeping();
    let link = writer(&mut mind);
    for sequence in 1..=3_000 {
        write(&mut mind, link, sequence, put(&format!("k{sequence}"), "v"));
    }
    committed(&mut mind);
    assert_eq!(committed(&mut mind).len(), 1_024, "the others have the next turns");
    let out = mind.tell(Input::Leave);
    assert_eq!(out.first(), Some(&Output::Rest { link }));
    let told = (1_026..=3_000).map(|sequence| written(link, sequence, WriteOutcome::Stored));
    assert!(out[1..].iter().eq(told.chain(goodbye(link, Goodbye::Leaving)).collect::<Vec<_>>().iter()));
}

#[test]
fn no_more_clients_are_told_in_one_turn_than_others_may_wait_for() {
    let mut mind = keeping();
    let links: Vec<LinkId> = (0..100).map(|_| writer(&mut mind)).collect();
    for sequence in 1..=3 {
        for link in &links {
            write(&mut mind, *link, sequence, put(&format!("{link:?} {sequence}"), "v"));
        }
    }
    let told = |out: Vec<Output>| -> Vec<LinkId> {
        let links = out.into_iter().filter_map(|output| match output {
            Output::Send { link, message: Message::Written(_) } => Some(link),
            _ => None,
        });
        links.collect()
    };
    assert_eq!(told(committed(&mut mind)), links[..1], "it was under way before the others came");
    assert_eq!(told(committed(&mut mind)), links[1..65]);
    assert_eq!(told(mind.tell(Input::Deadline)), [&links[65..], &links[..29]].concat(), "the next 64");
}

// ---- keys that are watched ----

fn watch(mind: &mut Mind, link: LinkId, sequence: u64, key_text: &str) -> Vec<Output> {
    mind.hear(link, Message::Watch(Watch { sequence, key: key(key_text) }))
}

fn changed(link: LinkId, sequence: u64, value: Option<&str>) -> Output {
    send(link, Message::Changed(Changed { sequence, value: value.map(|value| value.as_bytes().into()) }))
}

#[test]
fn who_watches_a_key_is_told_its_value_at_once_and_whenever_it_is_another() {
    let mut mind = keeping();
    let link = writer(&mut mind);
    let far = writer_from(&mut mind, [192, 0, 2, 7]);
    assert_eq!(watch(&mut mind, far, 7, "tea"), [changed(far, 7, Some("green"))], "who may not write may watch");
    assert_eq!(watch(&mut mind, far, 8, "milk"), [changed(far, 8, None)], "of a key that was never set");
    assert_eq!(watch(&mut mind, link, 7, "milk"), [changed(link, 7, None)]);
    write(&mut mind, link, 1, put("milk", "white"));
    let told =
        [written(link, 1, WriteOutcome::Stored), changed(link, 7, Some("white")), changed(far, 8, Some("white"))];
    assert_eq!(committed(&mut mind), told);
    write(&mut mind, link, 2, put("milk", "white"));
    assert_eq!(committed(&mut mind), [written(link, 2, WriteOutcome::Replaced)], "it is the same");
    write(&mut mind, link, 3, del("tea"));
    assert_eq!(committed(&mut mind), [written(link, 3, WriteOutcome::Deleted), changed(far, 7, None)]);
    assert_eq!(mind.hear(far, Message::Unwatch(Unwatch { sequence: 8 })), []);
    assert_eq!(mind.hear(far, Message::Unwatch(Unwatch { sequence: 9 })), [], "there is no such");
    write(&mut mind, link, 4, del("milk"));
    assert_eq!(committed(&mut mind), [written(link, 4, WriteOutcome::Deleted), changed(link, 7, None)]);
    mind.closed(link);
    mind.closed(far);
    assert_eq!(mind.held("watches"), 0);
}

#[test]
fn of_changes_that_come_together_the_last_is_told_and_nothing_where_it_is_as_it_was() {
    let mut mind = keeping();
    let link = writer(&mut mind);
    watch(&mut mind, link, 7, "milk");
    watch(&mut mind, link, 8, "tea");
    write(&mut mind, link, 1, put("nobody", ""));
    for (sequence, change) in (2..).zip([put("milk", "white"), put("tea", "black"), del("milk"), put("tea", "red")]) {
        write(&mut mind, link, sequence, change);
    }
    committed(&mut mind);
    let out = committed(&mut mind);
    assert_eq!(out[4..], [changed(link, 8, Some("red"))]);
}

#[test]
fn data_that_is_read_again_changes_what_is_not_written_above_it() {
    let mut mind = Mind::with(&keeping_config(), store("tea green\nmilk white\nrice long"));
    let link = writer(&mut mind);
    for (sequence, key_text) in (1..).zip(["tea", "milk", "rice", "salt"]) {
        watch(&mut mind, link, sequence, key_text);
    }
    write(&mut mind, link, 1, put("tea", "black"));
    committed(&mut mind);
    mind.tell(Input::Reload);
    write(&mut mind, link, 2, del("salt"));
    let out = mind.tell(Input::Disk(JobDone::DataRead(Ok(store("tea red\nrice long\nsalt fine")))));
    assert_eq!(out[..2], [changed(link, 2, None), changed(link, 4, Some("fine"))]);
    assert!(matches!(out[2..], [Output::Disk(Job::Free(_))]), "{out:?}");
    assert_eq!(answered_for(&mut mind, "tea").as_deref(), Some(&b"black"[..]));
    write(&mut mind, link, 3, del("tea"));
    assert_eq!(committed(&mut mind), [written(link, 3, WriteOutcome::Deleted), changed(link, 1, None)]);
    mind.tell(Input::Disk(JobDone::DataRead(Ok(store("tea oolong")))));
    assert_eq!(answered_for(&mut mind, "tea"), None, "one that was deleted stays so");
}

#[test]
fn a_client_that_does_not_read_is_told_the_latest_value_later_and_once() {
    let mut mind = keeping();
    let link = writer(&mut mind);
    watch(&mut mind, link, 7, "milk");
    let not_told = |mind: &mut Mind, value: &str| {
        let message = Message::Changed(Changed { sequence: 7, value: Some(value.as_bytes().into()) });
        assert_eq!(mind.tell(Input::NotBrought { link, message }), []);
    };
    write(&mut mind, link, 1, put("milk", "white"));
    committed(&mut mind);
    not_told(&mut mind, "white");
    write(&mut mind, link, 2, put("milk", "cold"));
    assert_eq!(committed(&mut mind), [written(link, 2, WriteOutcome::Replaced)], "it is told with the other");
    assert_eq!(mind.pass(CHANGED_AGAIN_PAUSE), [(CHANGED_AGAIN_PAUSE, changed(link, 7, Some("cold")))]);
    not_told(&mut mind, "cold");
    mind.hear(link, Message::Unwatch(Unwatch { sequence: 7 }));
    assert_eq!(mind.pass(seconds(1)), []);
}

#[test]
fn a_client_watches_so_many_keys_and_each_under_a_number_of_its_own() {
    for last in [1, WATCHES_PER_CLIENT_MAX as u64 + 1] {
        let mut mind = keeping();
        let (link, other) = (writer(&mut mind), writer(&mut mind));
        let count = if last == 1 { 1 } else { WATCHES_PER_CLIENT_MAX as u64 };
        for sequence in 1..=count {
            assert_eq!(watch(&mut mind, link, sequence, "tea"), [changed(link, sequence, Some("green"))]);
        }
        watch(&mut mind, other, 1, "tea");
        assert_eq!(watch(&mut mind, link, last, "milk"), goodbye(link, Goodbye::Protocol));
        assert_eq!(mind.held("watches"), 1, "those of the other");
    }
}

#[test]
fn who_did_not_offer_it_may_neither_write_nor_watch() {
    for message in [
        Message::Write(Write { sequence: 1, change: del("tea") }),
        Message::Watch(Watch { sequence: 1, key: key("tea") }),
        Message::Unwatch(Unwatch { sequence: 1 }),
    ] {
        let mut mind = keeping();
        let client = mind.client(1);
        assert_eq!(mind.hear(client, message.clone()), goodbye(client, Goodbye::Protocol));
        let neighbor = mind.neighbor(1);
        assert_eq!(mind.hear(neighbor, message), goodbye(neighbor, Goodbye::Protocol));
    }
}
