//! What the witness notices of what is said of files: each claim broken once, by hand, and answers with which nothing is wrong.
//!
//! The last of the chain of three shares some files, and says so to whoever asks the first.

use common::content::search::{Entry, FileName, HashStart, ListPart, Words};
use common::content::transfer::Have;
use common::content::{Blocks, ContentHash};
use common::key::Key;
use common::limits::ENTRIES_MAX;
use common::query::{BroughtAnswer, BroughtBody};
use common::session::{EndReason, Ending};

use super::*;
use crate::contents::HolderLie;
use crate::contents::tests::shared;
use crate::world::witness::tests::{asked, assert_broke, complete, id, value};
use crate::world::witness::{SECOND, Witness};

const TELLER: usize = 2;
/// When it is asked.
const ASKED: Nanos = 10 * SECOND;

fn file(name: &str, first: u8, description: &str) -> ToldFile {
    let mut hash = [7; 32];
    hash[0] = first;
    let (name, description) = (name.as_bytes().to_vec(), description.as_bytes().to_vec());
    ToldFile { name, description, size: 70_000, hash: ContentHash(hash) }
}

/// In the order of their names; that of their hashes is another.
fn files() -> Vec<ToldFile> {
    let lighthouse = "The LIGHTHOUSE of Barra";
    vec![file("barra.png", 9, ""), file("farol.mp4", 5, lighthouse), file("mapa/Farol.png", 5, "\u{c9}t\u{e9}")]
}

fn entry(file: &ToldFile) -> Entry {
    let have = Have::all(Blocks::of(file.size).unwrap().count());
    let ToldFile { name, description, size, hash } = file.clone();
    Entry { name: FileName::new(&name).unwrap(), size, hash, description, have }
}

/// These of the files, and how many more.
fn entries(places: &[usize], more: u64) -> AnswerBody {
    let all = files();
    AnswerBody::Entries(Entries { entries: places.iter().map(|place| entry(&all[*place])).collect(), more, uploads: 0 })
}

fn find(words: &[&str]) -> Ask {
    Ask::Find(Words::new(words.iter().map(|word| word.as_bytes())).unwrap())
}

fn scene() -> Scene {
    shared(HolderLie::Silent)
}

/// A witness who has seen this servent tell of these files since it lives.
fn told(scene: &Scene, files: Vec<ToldFile>) -> Witness<'_> {
    let mut witness = asked(scene);
    witness.seen.shared.on_born(1, TELLER);
    witness.seen.shared.on_tells(SECOND, TELLER, files);
    witness
}

/// One who has also seen it hear of this.
fn told_and_asked<'s>(scene: &'s Scene, files: Vec<ToldFile>, ask: &Ask) -> Witness<'s> {
    let mut witness = told(scene, files);
    witness.on_content_asked(ASKED, id(), ask);
    witness.on_content_ask_heard(ASKED, (TELLER, 1), id());
    witness
}

/// What is wrong about an answer to this, a second later.
#[track_caller]
fn assert_answer(ask: &Ask, body: &AnswerBody, what: &[&str]) {
    let scene = scene();
    let mut witness = told_and_asked(&scene, files(), ask);
    witness.on_contents_told(ASKED + SECOND, (TELLER, 1), id(), body);
    assert_broke(&witness, what);
}

#[test]
fn what_is_told_of_those_that_match_in_order_is_well() {
    let hashed = |first: &[u8]| Ask::Hashed(HashStart::new(first).unwrap());
    let named = |name: &str| Ask::Named(FileName::new(name.as_bytes()).unwrap());
    for (ask, places) in [
        (find(&[]), &[0, 1, 2][..]),
        (find(&["FAROL"]), &[1, 2]),
        (find(&["barra"]), &[0, 1]),
        (find(&["farol", "lighthouse"]), &[1]),
        (find(&["\u{e9}T\u{c9}"]), &[2]),
        (find(&["nowhere"]), &[]),
        (named("farol.mp4"), &[1]),
        (named("Farol.mp4"), &[]),
        (hashed(&[5, 7, 7, 7]), &[1, 2]),
        (hashed(&[5, 7, 7, 8]), &[]),
    ] {
        assert_answer(&ask, &entries(places, 0), &[]);
    }
    // The rest may be counted alone.
    assert_answer(&find(&[]), &entries(&[0], 2), &[]);
    assert_answer(&find(&[]), &entries(&[], 3), &[]);
}

#[test]
fn what_is_not_told_as_it_is_is_noticed() {
    let all = find(&[]);
    for (places, more, what) in [
        (&[0, 2][..], 0, "s2 answers `find `, and leaves out \"farol.mp4\""),
        (&[1, 0, 2], 0, "leaves out \"barra.png\""),
        (&[0, 0], 1, "leaves out"),
        (&[0, 1], 0, "says that there are 0 more, of 1"),
        (&[0, 1], 2, "says that there are 2 more, of 1"),
        (&[0, 1, 2, 2], 0, "tells of mapa/Farol.png, which it has not so"),
    ] {
        assert_answer(&all, &entries(places, more), &[what]);
    }
    assert_answer(&find(&["farol"]), &entries(&[0], 0), &["leaves out"]);
    assert_answer(&find(&["nowhere"]), &entries(&[0], 0), &["which it has not so"]);
    assert_answer(&all, &value(2), &["answers `find ` with something else"]);
}

#[test]
fn each_part_of_what_is_told_of_a_file_is_as_its_disk_showed_it() {
    let other = [
        Entry { size: 70_001, ..entry(&files()[1]) },
        Entry { hash: ContentHash([5; 32]), ..entry(&files()[1]) },
        Entry { description: b"something else".to_vec(), ..entry(&files()[1]) },
        Entry { have: Have::all(1), ..entry(&files()[1]) },
        Entry { have: Have::Partly, ..entry(&files()[1]) },
        Entry { name: FileName::new(b"farol.ogg").unwrap(), ..entry(&files()[1]) },
    ];
    for entry in other {
        let told = Entries { entries: vec![entry], ..Entries::default() };
        assert_answer(&find(&["lighthouse"]), &AnswerBody::Entries(told), &["leaves out \"farol.mp4\""]);
    }
}

#[test]
fn more_at_once_than_there_may_be_is_noticed() {
    let scene = scene();
    for (count, uploads, what) in [
        (ENTRIES_MAX, UPLOADS_MAX, &[][..]),
        (ENTRIES_MAX + 1, 0, &["tells 33 at once"]),
        (1, UPLOADS_MAX + 1, &["65 contents are being given out"]),
    ] {
        let files: Vec<ToldFile> = (0..count).map(|place| file(&format!("{place:02}"), 1, "")).collect();
        let entries = files.iter().map(entry).collect();
        let mut witness = told_and_asked(&scene, files, &find(&[]));
        let told = Entries { entries, uploads: u32::try_from(uploads).unwrap(), ..Entries::default() };
        witness.on_contents_told(ASKED, (TELLER, 1), id(), &AnswerBody::Entries(told));
        assert_broke(&witness, what);
    }
}

#[test]
fn what_was_told_of_since_it_was_asked_may_be_said_and_nothing_before() {
    let scene = scene();
    let answers = |told_at: Nanos, places: &[usize]| {
        let mut witness = told_and_asked(&scene, files(), &find(&[]));
        witness.seen.shared.on_tells(told_at, TELLER, files()[..1].to_vec());
        witness.on_contents_told(ASKED + 2 * SECOND, (TELLER, 1), id(), &entries(places, 0));
        witness
    };
    // Between its hearing and its answer it tells of others: either is right, and nothing between the two.
    assert_broke(&answers(ASKED + 1, &[0]), &[]);
    assert_broke(&answers(ASKED + 1, &[0, 1, 2]), &[]);
    assert_broke(&answers(ASKED + 1, &[0, 1]), &["tells of farol.mp4, which it has not so"]);
    // Before it heard.
    assert_broke(&answers(ASKED - 1, &[0]), &[]);
    assert_broke(&answers(ASKED - 1, &[0, 1, 2]), &["which it has not so"]);
    // Another life has heard nothing before, and nobody is judged who was asked for nothing here.
    let mut witness = answers(ASKED + 1, &[0]);
    witness.on_contents_told(ASKED + 2 * SECOND, (TELLER, 2), id(), &entries(&[0, 1, 2], 0));
    let other = QueryId { sequence: 77, ..id() };
    witness.on_contents_told(ASKED + 2 * SECOND, (TELLER, 2), other, &value(0));
    assert_broke(&witness, &["which it has not so"]);
    // Whoever has never told of anything has nothing to tell.
    let mut witness = asked(&scene);
    witness.on_content_asked(ASKED, id(), &find(&[]));
    witness.on_contents_told(ASKED, (TELLER, 1), id(), &entries(&[], 0));
    assert_broke(&witness, &["it never told of anything"]);
}

#[test]
fn a_file_that_was_not_what_it_was_is_in_doubt_until_it_is_said_to_be_gone() {
    let scene = scene();
    let fetch = (LinkId(4), 1);
    let answers = |refused: bool, tells_again: bool, places: &[usize]| {
        let mut witness = told(&scene, files());
        witness.seen.shared.on_withdraws(2 * SECOND, TELLER, b"farol.mp4", fetch);
        // What another is refused is not about that.
        witness.on_fetch_refused(TELLER, (LinkId(4), 2));
        if refused {
            witness.on_fetch_refused(TELLER, fetch);
        }
        if tells_again {
            witness.seen.shared.on_tells_again(3 * SECOND, TELLER);
        }
        witness.on_content_asked(ASKED, id(), &find(&[]));
        witness.on_contents_told(ASKED, (TELLER, 1), id(), &entries(places, 0));
        witness
    };
    assert_broke(&answers(false, false, &[0, 1, 2]), &[]);
    assert_broke(&answers(false, false, &[0, 2]), &[]);
    assert_broke(&answers(false, false, &[0, 1]), &["more"]);
    assert_broke(&answers(true, false, &[0, 2]), &[]);
    assert_broke(&answers(true, false, &[0, 1, 2]), &["leaves out \"mapa/Farol.png\""]);
    assert_broke(&answers(true, true, &[0, 1, 2]), &[]);
    assert_broke(&answers(true, true, &[0, 2]), &["leaves out \"farol.mp4\""]);
}

/// What was read in vain for a fetch that was over by then is no news to its servent.
#[test]
fn a_file_is_gone_from_when_that_was_certain_and_not_from_when_it_was_in_doubt() {
    let scene = scene();
    let answers = |gone_at: Nanos| {
        let mut witness = told(&scene, files());
        witness.seen.shared.on_withdraws(ASKED - 2 * SECOND, TELLER, b"farol.mp4", (LinkId(3), 1));
        witness.on_content_asked(ASKED, id(), &find(&[]));
        witness.seen.shared.on_heard(ASKED, (TELLER, 1), id());
        witness.seen.shared.on_withdraws(gone_at, TELLER, b"farol.mp4", (LinkId(4), 1));
        witness.on_fetch_refused(TELLER, (LinkId(4), 1));
        witness.on_contents_told(ASKED + 2 * SECOND, (TELLER, 1), id(), &entries(&[0, 1, 2], 0));
        witness
    };
    assert_broke(&answers(ASKED + SECOND), &[]);
    assert_broke(&answers(ASKED - SECOND), &["leaves out \"mapa/Farol.png\""]);
}

#[test]
fn the_value_of_a_name_is_what_its_file_is_and_what_the_data_says() {
    let key = |name: &str| Ask::Key(Key::new(name.as_bytes()).unwrap());
    let digits = ContentHash(entry(&files()[1]).hash.0).to_string();
    let text = |text: String| AnswerBody::Value(text.into_bytes());
    let whole = format!("70000 bytes {digits} the lighthouse");
    assert_answer(&key("farol.mp4"), &text(whole.clone()), &[]);
    assert_answer(&key("farol.mp4"), &text(format!("70000 bytes {digits}")), &["s2 answers `? farol.mp4` with"]);
    assert_answer(&key("farol.mp4"), &text("the lighthouse".to_owned()), &["with \"the lighthouse\""]);
    assert_answer(&key("barra.png"), &text(whole), &["s2 answers `? barra.png` with"]);
    // Without a file, or where that is in doubt, it is what the data says.
    let scene = scene();
    for withdraws in [true, false] {
        let mut witness = told(&scene, if withdraws { files() } else { Vec::new() });
        witness.seen.shared.on_withdraws(2 * SECOND, TELLER, b"farol.mp4", (LinkId(4), 1));
        witness.on_content_asked(ASKED, id(), &key("farol.mp4"));
        witness.on_contents_told(ASKED, (TELLER, 1), id(), &text("the lighthouse".to_owned()));
        assert_broke(&witness, &[]);
    }
}

#[test]
fn an_answer_that_goes_back_is_judged_where_it_begins_and_not_where_it_is_forged() {
    let scene = scene();
    let name = (ContactName(8), 3);
    let brings = |by: usize, was_brought: bool, called_so: &[QueryId]| {
        let mut witness = told_and_asked(&scene, files(), &find(&[]));
        called_so.iter().for_each(|called| witness.seen.shared.on_named(name, *called));
        if was_brought {
            witness.seen.shared.on_brought((TELLER, 1), name);
        }
        let body = BroughtBody::Whole(entries(&[0], 0));
        let from = cast::servent_address(by);
        let answer = BroughtAnswer { id: cast::servent_id(by, 1), from, name: None, hops: 1, body };
        witness.on_contents_brought(ASKED, (TELLER, 1), name, &answer);
        witness.on_contents_brought(ASKED, (TELLER, 1), (ContactName(9), 3), &answer);
        witness
    };
    assert_broke(&brings(TELLER, false, &[id(), id()]), &["says that there are 0 more, of 2"]);
    assert_broke(&brings(TELLER, true, &[id()]), &[]);
    assert_broke(&brings(1, false, &[id()]), &[]);
    // Where a forger calls another query so, nobody knows which one is answered.
    let other = QueryId { sequence: 77, ..id() };
    for called_so in [[id(), other, id()], [other, id(), id()]] {
        assert_broke(&brings(TELLER, false, &called_so), &[]);
    }
}

#[test]
fn a_listing_is_told_from_the_name_on_that_was_asked_for() {
    let scene = scene();
    for (from, places, what) in [
        ("", &[0, 1, 2][..], &[][..]),
        ("c", &[1, 2], &[]),
        ("farol.mp4", &[1, 2], &[]),
        ("farol.mp4.", &[2], &[]),
        ("c", &[0, 1, 2], &["s2 lists its files, and leaves out \"farol.mp4\""]),
        ("", &[1, 2], &["leaves out \"barra.png\""]),
    ] {
        let mut witness = told(&scene, files());
        let link = LinkId(5);
        witness.seen.shared.on_list(link, 3, from.as_bytes());
        let AnswerBody::Entries(entries) = entries(places, 0) else { panic!("they are entries") };
        let part = |list| ListPart { list, entries: entries.clone() };
        witness.on_list_part(ASKED, TELLER, link, &part(3));
        assert_broke(&witness, what);
        witness.broken.clear();
        witness.on_list_part(ASKED, TELLER, link, &part(4));
        assert_broke(&witness, &["s2 lists its files for nobody"]);
    }
}

#[test]
fn more_that_was_read_and_waits_to_be_sent_than_may_is_noticed() {
    let scene = scene();
    let mut witness = asked(&scene);
    witness.on_blocks_read(SECOND, LinkId(1), UNSENT_MAX, 0);
    witness.on_blocks_read(SECOND, LinkId(2), UNSENT_MAX, 0);
    witness.on_blocks_read(SECOND, LinkId(1), 9, 9);
    assert_broke(&witness, &[]);
    witness.on_blocks_read(SECOND, LinkId(1), 1, 9);
    assert_broke(&witness, &["wait to be sent on link 1"]);
}

#[test]
fn a_complete_query_has_missed_nobody_who_told_of_it_all_the_while() {
    let scene = scene();
    let ends = |change: &dyn Fn(&mut Witness<'_>), ending: Ending| {
        let mut witness = told(&scene, files());
        witness.on_content_asked(ASKED, id(), &find(&["farol"]));
        change(&mut witness);
        witness.on_content_ask_ended(ASKED + SECOND, id(), 0, &ending);
        witness
    };
    let missed = &["is complete, and missed what [2] tell of"];
    assert_broke(&ends(&|_| {}, complete(0)), missed);
    assert_broke(&ends(&|witness| witness.on_content_answer(id(), TELLER), complete(1)), &[]);
    assert_broke(&ends(&|_| {}, Ending { reason: EndReason::Silence, ..complete(0) }), &[]);
    assert_broke(&ends(&|witness| witness.seen.shared.on_born(ASKED + 1, TELLER), complete(0)), &[]);
    assert_broke(
        &ends(&|witness| witness.seen.shared.on_tells(ASKED + 1, TELLER, vec![file("tea", 1, "")]), complete(0)),
        &[],
    );
    assert_broke(&ends(&|witness| witness.seen.shared.on_tells(ASKED + 1, TELLER, files()), complete(0)), missed);
    let falls = |witness: &mut Witness<'_>| {
        witness.has_risen = false;
        witness.on_link_falls(ASKED + 1, 1, 2, true);
    };
    assert_broke(&ends(&falls, complete(0)), &[]);
}

/// One that offers only what is published tells of these, the second as something.
fn told_of_published<'s>(scene: &'s Scene, ask: &Ask) -> Witness<'s> {
    let mut witness = asked(scene);
    witness.seen.shared.on_born(1, TELLER);
    witness.seen.shared.on_tells(SECOND, TELLER, files());
    let published = [(b"farol.mp4".to_vec(), b"at dusk".to_vec()), (b"mapa/Farol.png".to_vec(), Vec::new())];
    witness.seen.shared.on_published(2 * SECOND, TELLER, &published.into());
    witness.on_content_asked(ASKED, id(), ask);
    witness.on_content_ask_heard(ASKED, (TELLER, 1), id());
    witness
}

#[test]
fn what_is_told_that_is_not_published_or_not_as_that_is_noticed() {
    let scene = Scene { published_only: [2].into(), ..scene() };
    let at_dusk = || Entry { description: b"at dusk".to_vec(), ..entry(&files()[1]) };
    let told = |entries: Vec<Entry>| AnswerBody::Entries(Entries { entries, ..Entries::default() });
    let answers = |ask: &Ask, body: &AnswerBody| {
        let mut witness = told_of_published(&scene, ask);
        witness.on_contents_told(ASKED, (TELLER, 1), id(), body);
        witness
    };
    let all = find(&[]);
    assert_broke(&answers(&all, &told(vec![at_dusk(), entry(&files()[2])])), &[]);
    assert_broke(&answers(&find(&["dusk"]), &told(vec![at_dusk()])), &[]);
    let wrong = answers(&find(&["lighthouse"]), &told(vec![at_dusk()]));
    assert_broke(&wrong, &["tells of farol.mp4, which it has not so"]);
    let wrong = answers(&all, &told(vec![entry(&files()[0]), at_dusk(), entry(&files()[2])]));
    assert_broke(&wrong, &["leaves out \"farol.mp4\""]);
    assert_broke(&answers(&all, &told(vec![entry(&files()[1]), entry(&files()[2])])), &["leaves out \"farol.mp4\""]);
    assert_broke(&answers(&all, &told(vec![entry(&files()[2])])), &["leaves out \"farol.mp4\""]);
    // What was published when it was heard may be told, and nothing that was before.
    let mut witness = told_of_published(&scene, &all);
    witness.seen.shared.on_published(ASKED + 1, TELLER, &PublishedNames::new());
    witness.on_contents_told(ASKED + 2, (TELLER, 1), id(), &told(vec![at_dusk(), entry(&files()[2])]));
    assert_broke(&witness, &[]);
    witness.on_content_ask_heard(ASKED + 2, (TELLER, 2), id());
    witness.on_contents_told(ASKED + 2, (TELLER, 2), id(), &told(vec![at_dusk(), entry(&files()[2])]));
    assert_broke(&witness, &["tells of farol.mp4, which it has not so"]);
}

#[test]
fn the_value_of_a_name_is_what_its_file_is_published_as() {
    let scene = Scene { published_only: [2].into(), ..scene() };
    let farol = Ask::Key(Key::new(b"farol.mp4").unwrap());
    let digits = ContentHash(entry(&files()[1]).hash.0).to_string();
    let answers = |text: String, published: Option<PublishedNames>| {
        let mut witness = told_of_published(&scene, &farol);
        if let Some(published) = published {
            witness.seen.shared.on_published(ASKED - 1, TELLER, &published);
        }
        witness.on_contents_told(ASKED, (TELLER, 1), id(), &AnswerBody::Value(text.into_bytes()));
        witness
    };
    assert_broke(&answers(format!("70000 bytes {digits} at dusk"), None), &[]);
    let old = || format!("70000 bytes {digits} the lighthouse");
    assert_broke(&answers(old(), None), &["s2 answers `? farol.mp4` with"]);
    let without_a_word = PublishedNames::from([(b"farol.mp4".to_vec(), Vec::new())]);
    assert_broke(&answers(old(), Some(without_a_word)), &[]);
    // It is what the data says where it is not offered.
    assert_broke(&answers(old(), Some(PublishedNames::new())), &["s2 answers `? farol.mp4` with"]);
    assert_broke(&answers("the lighthouse".to_owned(), Some(PublishedNames::new())), &[]);
}

#[test]
fn a_file_can_be_published_that_is_known_not_to_be_gone() {
    let scene = scene();
    let mut witness = told(&scene, files());
    assert_eq!(witness.seen.shared.has_now(0, b"farol.mp4"), None, "it shares nothing");
    assert_eq!(witness.seen.shared.has_now(TELLER, b"nobody.txt"), Some(false));
    let fetch = (LinkId(4), 1);
    witness.seen.shared.on_withdraws(2 * SECOND, TELLER, b"farol.mp4", fetch);
    assert_eq!(witness.seen.shared.has_now(TELLER, b"farol.mp4"), Some(true));
    witness.on_fetch_refused(TELLER, fetch);
    assert_eq!(witness.seen.shared.has_now(TELLER, b"farol.mp4"), Some(false));
}
