//! Files that are published: what they are described as then, and where nothing else is offered, that nothing else is.

use super::*;
use crate::content::{hash_of, shared};
use common::content::ContentHash;
use common::content::catalogue::{Catalogue, SharedFile};
use common::content::search::{Entries, FileName, HashStart, List, ListPart, Words};
use common::content::transfer::{Open, Refusal, Refused};
use common::disk::LookedThrough;

const DATA: &str = "farol lighthouse\nmapa map\n";

fn files() -> Vec<SharedFile> {
    vec![shared(b"farol", hash_of(&[1]), 10), shared(b"mapa", hash_of(&[2]), 20), shared(b"praia", hash_of(&[2]), 20)]
}

fn sharing(published_only: bool) -> Mind {
    let config = Config { shares: true, published_only, ..keeping_config() };
    let mut mind = Mind::with(&config, store(DATA));
    mind.pass(Duration::ZERO);
    let catalogue = Some(Arc::new(Catalogue::new(files(), &store(DATA))));
    let looked = LookedThrough { catalogue, is_whole: true, hashed_count: 0 };
    assert_eq!(mind.tell(Input::Disk(JobDone::LookedThrough(Ok(looked)))), []);
    mind
}

/// One that writes and fetches.
fn owner(mind: &mut Mind) -> LinkId {
    let link = mind.new_link();
    let from = SocketAddr::from(([127, 0, 0, 1], 40_000));
    mind.tell(Input::Opened { link, opening: Opening::Accepted(from) });
    let features = Features::WRITES.with(Features::CONTENT);
    mind.hear(link, Message::Hello(Hello { features, ..Hello::new(Role::Client { answer_port: 7_000 }) }));
    link
}

fn name(text: &str) -> FileName {
    FileName::new(text.as_bytes()).unwrap()
}

fn publish(text: &str, description: &str) -> Change {
    Change::Publish { name: name(text), text: description.as_bytes().into() }
}

fn unpublish(text: &str) -> Change {
    Change::Unpublish { name: name(text) }
}

/// What comes of a write, whether it had to be put on the disk or not.
fn outcome(mind: &mut Mind, link: LinkId, change: Change) -> WriteOutcome {
    let mut out = write(mind, link, 1, change);
    if matches!(out[..], [Output::Disk(Job::Commit(_))]) {
        out = committed(mind);
    }
    match out.first() {
        Some(Output::Send { message: Message::Written(Written { outcome, .. }), .. }) => *outcome,
        other => panic!("{other:?}"),
    }
}

fn shown(entries: &Entries) -> Vec<String> {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let entries = entries.entries.iter();
    entries.map(|entry| format!("{}: {}", text(entry.name.as_bytes()), text(&entry.description))).collect()
}

fn listed(mind: &mut Mind, link: LinkId) -> Vec<String> {
    match &mind.hear(link, Message::List(List { list: 5, from: Vec::new() }))[..] {
        [Output::Send { message: Message::ListPart(ListPart { entries, .. }), .. }] => shown(entries),
        other => panic!("{other:?}"),
    }
}

fn asked(mind: &mut Mind, link: LinkId, ask: Ask) -> Vec<String> {
    let out = mind.hear(link, Message::Request(Request { sequence: mind.next_link, ask, ttl: None }));
    mind.next_link += 1;
    match out.first() {
        Some(Output::Send { message: Message::Answer(Answer { body: AnswerBody::Entries(entries), .. }), .. }) => {
            shown(entries)
        }
        _ => Vec::new(),
    }
}

fn find(word: &str) -> Ask {
    Ask::Find(Words::new([word.as_bytes()]).unwrap())
}

#[test]
fn what_comes_of_a_file_that_is_published_goes_by_the_files_there_are() {
    let mut mind = sharing(false);
    let link = owner(&mut mind);
    for (change, expected) in [
        (publish("nothing", "at all"), WriteOutcome::Absent),
        (unpublish("farol"), WriteOutcome::Absent),
        (publish("farol", "at dusk"), WriteOutcome::Stored),
        (publish("farol", "at dusk"), WriteOutcome::Present),
        (publish("farol", ""), WriteOutcome::Replaced),
        (publish("farol", ""), WriteOutcome::Present),
        (unpublish("farol"), WriteOutcome::Deleted),
        (unpublish("farol"), WriteOutcome::Absent),
    ] {
        assert_eq!(outcome(&mut mind, link, change.clone()), expected, "{change:?}");
    }
    let mut mind = keeping();
    let link = owner(&mut mind);
    let nothing_shared = refused(WriteRefusal::NothingShared);
    assert_eq!(outcome(&mut mind, link, publish("farol", "")), nothing_shared);
    assert_eq!(outcome(&mut mind, link, unpublish("farol")), WriteOutcome::Absent);
}

#[test]
fn whoever_publishes_what_is_not_shared_has_the_directory_looked_through_and_nobody_else_has() {
    let look = || Output::Disk(Job::LookThrough(store(DATA)));
    let missed = |link, sequence| written(link, sequence, WriteOutcome::Absent);
    let mut mind = sharing(false);
    let (link, far) = (owner(&mut mind), writer_from(&mut mind, [192, 0, 2, 7]));
    let not_from_here = [written(far, 1, refused(WriteRefusal::NotFromHere))];
    assert_eq!(write(&mut mind, far, 1, publish("new", "")), not_from_here);
    assert_eq!(write(&mut mind, link, 1, unpublish("new")), [missed(link, 1)]);
    assert_eq!(write(&mut mind, link, 2, publish("new", "")), [missed(link, 2), look()]);
    assert_eq!(write(&mut mind, link, 3, publish("new", "")), [missed(link, 3)], "it is under way");
    let files = files().into_iter().chain([shared(b"new", hash_of(&[3]), 30)]).collect();
    let catalogue = Some(Arc::new(Catalogue::new(files, &store(DATA))));
    let looked = LookedThrough { catalogue, is_whole: true, hashed_count: 1 };
    assert_eq!(mind.tell(Input::Disk(JobDone::LookedThrough(Ok(looked)))), [], "once is enough");
    assert_eq!(outcome(&mut mind, link, publish("new", "")), WriteOutcome::Stored);
    assert_eq!(write(&mut mind, link, 4, publish("newer", "")), [missed(link, 4), look()]);
}

#[test]
fn a_file_is_unpublished_that_is_not_shared_any_more() {
    let mut mind = sharing(false);
    let link = owner(&mut mind);
    outcome(&mut mind, link, publish("farol", "at dusk"));
    let looked = LookedThrough { catalogue: Some(Arc::default()), is_whole: true, hashed_count: 0 };
    mind.tell(Input::Disk(JobDone::LookedThrough(Ok(looked))));
    assert_eq!(outcome(&mut mind, link, publish("farol", "")), WriteOutcome::Absent);
    assert_eq!(outcome(&mut mind, link, unpublish("farol")), WriteOutcome::Deleted);
}

#[test]
fn a_file_that_is_published_is_told_and_found_by_its_description() {
    let mut mind = sharing(false);
    let link = owner(&mut mind);
    write(&mut mind, link, 1, publish("farol", "at dusk"));
    assert_eq!(listed(&mut mind, link)[0], "farol: lighthouse", "it is not on the disk yet");
    committed(&mut mind);
    assert_eq!(listed(&mut mind, link), ["farol: at dusk", "mapa: map", "praia: "]);
    assert_eq!(asked(&mut mind, link, find("dusk")), ["farol: at dusk"]);
    assert_eq!(asked(&mut mind, link, find("lighthouse")), [""; 0]);
    assert_eq!(asked(&mut mind, link, Ask::Named(name("farol"))), ["farol: at dusk"]);
    assert_eq!(
        answered_for(&mut mind, "farol"),
        Some(format!("10 bytes {} at dusk", ContentHash(hash_of(&[1]))).into_bytes())
    );
    outcome(&mut mind, link, unpublish("farol"));
    assert_eq!(asked(&mut mind, link, find("lighthouse")), ["farol: lighthouse"]);
}

#[test]
fn a_file_that_is_published_without_a_description_keeps_that_of_the_data() {
    for published_only in [false, true] {
        let mut mind = sharing(published_only);
        let link = owner(&mut mind);
        assert_eq!(outcome(&mut mind, link, publish("farol", "")), WriteOutcome::Stored);
        assert_eq!(listed(&mut mind, link)[0], "farol: lighthouse");
        for ask in [find("lighthouse"), find("farol"), Ask::Named(name("farol"))] {
            assert_eq!(asked(&mut mind, link, ask), ["farol: lighthouse"]);
        }
        let value = format!("10 bytes {} lighthouse", ContentHash(hash_of(&[1])));
        assert_eq!(answered_for(&mut mind, "farol"), Some(value.into_bytes()));
    }
}

#[test]
fn a_value_under_the_name_of_a_file_does_not_describe_it() {
    let mut mind = sharing(false);
    let link = owner(&mut mind);
    let value = answered_for(&mut mind, "farol");
    outcome(&mut mind, link, put("farol", "red"));
    assert_eq!(listed(&mut mind, link)[0], "farol: lighthouse");
    assert_eq!(answered_for(&mut mind, "farol").as_deref(), Some(&b"red"[..]));
    outcome(&mut mind, link, del("farol"));
    let plain = Some(format!("10 bytes {}", ContentHash(hash_of(&[1]))).into_bytes());
    assert_eq!((answered_for(&mut mind, "farol"), value.is_some()), (plain, true));
}

/// To whoever asks it is one, where nothing else is called so.
#[test]
fn a_file_is_no_value_of_its_name_to_whoever_writes_or_watches() {
    let mut mind = sharing(false);
    let link = owner(&mut mind);
    let file = Some(format!("20 bytes {}", ContentHash(hash_of(&[2]))).into_bytes());
    assert_eq!(answered_for(&mut mind, "praia"), file);
    assert_eq!(watch(&mut mind, link, 7, "praia"), [changed(link, 7, None)]);
    assert_eq!(write(&mut mind, link, 1, del("praia")), [written(link, 1, WriteOutcome::Absent)]);
    write(&mut mind, link, 2, put("praia", "sand"));
    assert_eq!(committed(&mut mind), [written(link, 2, WriteOutcome::Stored), changed(link, 7, Some("sand"))]);
    assert_eq!(answered_for(&mut mind, "praia").as_deref(), Some(&b"sand"[..]));
    write(&mut mind, link, 3, del("praia"));
    assert_eq!(committed(&mut mind), [written(link, 3, WriteOutcome::Deleted), changed(link, 7, None)]);
    assert_eq!(answered_for(&mut mind, "praia"), file);
}

#[test]
fn where_only_what_is_published_is_offered_nobody_is_told_of_anything_else() {
    let mut mind = sharing(true);
    let link = owner(&mut mind);
    let hashed = Ask::Hashed(HashStart::new(&hash_of(&[2])).unwrap());
    let told = |mind: &mut Mind| {
        let mut told = listed(mind, link);
        for ask in [find("a"), Ask::Named(name("mapa")), hashed.clone()] {
            told.extend(asked(mind, link, ask));
        }
        told
    };
    assert_eq!(told(&mut mind), [""; 0]);
    assert_eq!(answered_for(&mut mind, "mapa").as_deref(), Some(&b"map"[..]), "that is of the data");
    outcome(&mut mind, link, publish("mapa", "of Barra"));
    assert_eq!(told(&mut mind), ["mapa: of Barra"; 4]);
    outcome(&mut mind, link, unpublish("mapa"));
    assert_eq!(told(&mut mind), [""; 0]);
}

#[test]
fn what_is_fetched_of_a_file_that_is_unpublished_is_over_unless_it_is_offered_under_another_name() {
    let gone = |fetch, refusal| Message::Refused(Refused { fetch, refusal });
    let mut mind = sharing(true);
    let link = owner(&mut mind);
    let open = |mind: &mut Mind, fetch, hash: &[u8]| {
        let out = mind.hear(link, Message::Open(Open { fetch, hash: ContentHash(hash_of(hash)) }));
        let [Output::Send { message, .. }] = &out[..] else { panic!("{out:?}") };
        message.clone()
    };
    assert_eq!(open(&mut mind, 1, &[2]), gone(1, Refusal::Gone));
    outcome(&mut mind, link, publish("mapa", ""));
    outcome(&mut mind, link, publish("praia", ""));
    assert!(matches!(open(&mut mind, 2, &[2]), Message::Opened(_)));
    write(&mut mind, link, 7, unpublish("mapa"));
    let out = committed(&mut mind);
    assert_eq!(out, [send(link, gone(2, Refusal::Busy)), written(link, 7, WriteOutcome::Deleted)]);
    assert!(matches!(open(&mut mind, 3, &[2]), Message::Opened(_)));
    write(&mut mind, link, 8, unpublish("praia"));
    let out = committed(&mut mind);
    assert_eq!(out, [send(link, gone(3, Refusal::Gone)), written(link, 8, WriteOutcome::Deleted)]);
}
