//! The files a contact shares: asked for part by part, taken as they come, and never for ever.

use super::listing::contact_hello;
use super::*;
use crate::content::hash_of;
use common::content::ContentHash;
use common::content::search::{Entries, Entry, FileName, List, ListPart};
use common::content::transfer::Have;
use common::features::Features;
use common::limits::{ENTRIES_MAX, FILE_NAME_BYTES_MAX, SHARED_FILES_MAX};
use common::session::{FilesListed, FilesPending, ListingEnd};

fn file(name: &str) -> Entry {
    Entry {
        name: FileName::new(name.as_bytes()).unwrap(),
        size: 1,
        hash: ContentHash(hash_of(name.as_bytes())),
        description: Vec::new(),
        have: Have::all(1),
    }
}

fn files(names: &[&str]) -> Vec<Entry> {
    names.iter().map(|name| file(name)).collect()
}

fn part(list: u32, names: &[&str], more: u64) -> Message {
    Message::ListPart(ListPart { list, entries: Entries { entries: files(names), more, uploads: 0 } })
}

fn wanted_of(list: u32, from: &str) -> Output {
    send(CONTACT, Message::List(List { list, from: from.as_bytes().to_vec() }))
}

/// What is asked for in the first listing.
fn wanted(from: &str) -> Output {
    wanted_of(0, from)
}

fn told_of(sequence: u64, names: &[&str]) -> Output {
    Output::Tell(Report::Files { sequence, entries: files(names) })
}

fn told(names: &[&str]) -> Output {
    told_of(nth(0), names)
}

fn listed_of(sequence: u64, reason: ListingEnd, files: u64, elapsed: Duration) -> Output {
    Output::Tell(Report::FilesListed { sequence, listed: FilesListed { reason, files, elapsed } })
}

/// The end of the first listing.
fn listed(reason: ListingEnd, files: u64) -> Output {
    listed_of(nth(0), reason, files, Duration::ZERO)
}

impl Mind {
    fn ask_files(&mut self, prefix: &str) -> Vec<Output> {
        let mut out = Vec::new();
        self.session.ask_files(self.now, prefix.as_bytes(), SILENCE_DEFAULT, &mut out).unwrap();
        out
    }
}

/// One that has just asked for the first part of those that begin like this.
fn listing_of(prefix: &str) -> Mind {
    let mut mind = Mind::ready(None);
    assert_eq!(mind.ask_files(prefix), [wanted(prefix)]);
    mind
}

fn listing() -> Mind {
    listing_of("")
}

#[test]
fn files_are_asked_for_one_part_behind_the_other_to_the_last() {
    let mut mind = listing();
    assert!(mind.session.is_listing_files() && !mind.session.is_listing());
    assert_eq!(mind.hear(CONTACT, part(0, &["a", "b"], 3)), [told(&["a", "b"]), wanted("b\0")]);
    assert_eq!(mind.hear(CONTACT, part(0, &["b/c"], 2)), [told(&["b/c"]), wanted("b/c\0")]);
    let end = listed(ListingEnd::Complete, 5);
    assert_eq!(mind.hear(CONTACT, part(0, &["d", "e"], 0)), [told(&["d", "e"]), end]);
    assert!(!mind.session.is_listing_files());
    assert_eq!(mind.session.deadline(), None);
    // Once more is asked from the start, under another number.
    assert_eq!(mind.ask_files(""), [wanted_of(1, "")]);
    // What came to be fewer meanwhile may end with nothing.
    let mut mind = listing();
    mind.hear(CONTACT, part(0, &["a"], 1));
    assert_eq!(mind.hear(CONTACT, part(0, &[], 0)), [listed(ListingEnd::Complete, 1)]);
    assert_eq!(listing().hear(CONTACT, part(0, &[], 0)), [listed(ListingEnd::Complete, 0)]);
}

#[test]
fn of_names_that_begin_like_this_nothing_else_is_told_or_asked_for() {
    let mut mind = listing_of("films/");
    assert_eq!(
        mind.hear(CONTACT, part(0, &["films/a", "films/b"], 9)),
        [told(&["films/a", "films/b"]), wanted("films/b\0")]
    );
    // The first that begins otherwise is behind all of them.
    let end = listed(ListingEnd::Complete, 3);
    assert_eq!(mind.hear(CONTACT, part(0, &["films/c", "films0", "g"], 6)), [told(&["films/c"]), end]);
    assert_eq!(listing_of("films/").hear(CONTACT, part(0, &["g"], 7)), [listed(ListingEnd::Complete, 0)]);
    // It is a name itself perhaps.
    let end = listed(ListingEnd::Complete, 1);
    assert_eq!(listing_of("a").hear(CONTACT, part(0, &["a", "b"], 5)), [told(&["a"]), end]);
    // None begins with more than a name has, and no more is asked for.
    let longest = "n".repeat(FILE_NAME_BYTES_MAX + 1);
    let mut mind = Mind::ready(None);
    assert_eq!(mind.ask_files(&"n".repeat(5_000)), [wanted(&longest)]);
    assert_eq!(mind.hear(CONTACT, part(0, &["o"], 0)), [listed(ListingEnd::Complete, 0)]);
}

#[test]
fn whoever_goes_back_is_not_asked_on_and_not_believed() {
    for (names, more) in [(&["b"][..], 3), (&["a"], 0), (&["c", "c"], 3), (&["d", "c"], 0), (&["b", "c"], 3)] {
        let mut mind = listing();
        mind.hear(CONTACT, part(0, &["a", "b"], 5));
        assert_eq!(mind.hear(CONTACT, part(0, names, more)), [listed(ListingEnd::Disordered, 2)], "{names:?}");
        assert!(!mind.session.is_listing_files());
    }
    // Before what was asked for nothing is.
    for names in [&["film"][..], &["a", "films/a"]] {
        let mut mind = listing_of("films/");
        assert_eq!(mind.hear(CONTACT, part(0, names, 5)), [listed(ListingEnd::Disordered, 0)], "{names:?}");
    }
    // One that has more to tell tells something.
    assert_eq!(listing().hear(CONTACT, part(0, &[], 1)), [listed(ListingEnd::Disordered, 0)]);
}

#[test]
fn whoever_always_has_more_is_not_asked_for_ever() {
    let mut mind = listing();
    let mut told_count = 0;
    loop {
        let names: Vec<String> = (told_count..told_count + ENTRIES_MAX).map(|place| format!("{place:07}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let out = mind.hear(CONTACT, part(0, &names, u64::MAX));
        if told_count + ENTRIES_MAX > SHARED_FILES_MAX {
            assert_eq!(out, [listed(ListingEnd::Disordered, told_count as u64)]);
            break;
        }
        assert_eq!(out.len(), 2, "{told_count}");
        told_count += ENTRIES_MAX;
    }
    assert_eq!(told_count, SHARED_FILES_MAX, "as many as there may be");
}

#[test]
fn each_part_is_waited_for_as_long_as_an_answer() {
    let mut mind = listing();
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    assert_eq!(mind.hear(CONTACT, part(0, &["a"], 1)), [told(&["a"]), wanted("a\0")]);
    assert_eq!(mind.pass(SILENCE_DEFAULT - TICK), []);
    let elapsed = 2 * SILENCE_DEFAULT - TICK;
    assert_eq!(mind.pass(TICK), [listed_of(nth(0), ListingEnd::Silence, 1, elapsed)]);
    assert_eq!(mind.session.deadline(), None);
}

#[test]
fn a_contact_that_is_lost_ends_it_at_once() {
    let lost = |reason: &str| Output::Tell(Report::ContactLost { reason: reason.to_owned() });
    let mut mind = listing();
    mind.hear(CONTACT, part(0, &["a"], 1));
    assert_eq!(mind.closed(CONTACT), [lost("a test"), listed(ListingEnd::ContactLost, 1)]);
    // And where there is none it was never begun.
    assert_eq!(mind.ask_files(""), [listed_of(nth(1), ListingEnd::ContactLost, 0, Duration::ZERO)]);
    assert_eq!(Mind::new(None).ask_files(""), [listed(ListingEnd::ContactLost, 0)]);
    let mut mind = Mind::new(None);
    mind.attach();
    assert_eq!(mind.ask_files(""), [listed(ListingEnd::ContactLost, 0)], "it has not said hello");
    let out = listing().hear(CONTACT, Message::Goodbye(Goodbye::Leaving));
    assert_eq!(out[2..], [listed(ListingEnd::ContactLost, 0)]);
    // An answer link that closes is another matter.
    assert_eq!(listing().closed(OTHER), []);
    // With another contact it is another listing, and what comes of the first is nobody's.
    let mut mind = listing();
    mind.closed(CONTACT);
    let again = LinkId(77);
    mind.tell(Input::Attached { link: again, contact: address(100) });
    mind.hear(again, servent_hello(1));
    assert_eq!(mind.ask_files(""), [send(again, Message::List(List { list: 1, from: Vec::new() }))]);
    assert_eq!(mind.hear(again, part(0, &["a"], 0)), []);
    let end = listed_of(nth(1), ListingEnd::Complete, 1, Duration::ZERO);
    assert_eq!(mind.hear(again, part(1, &["a"], 0)), [told_of(nth(1), &["a"]), end]);
}

#[test]
fn whoever_does_not_know_contents_is_not_asked() {
    let old = Features::BACK.with(Features::TTL).with(Features::MEMBERS);
    for hello in [contact_hello(old), contact_hello(Features::NONE), nameless_hello()] {
        let mut mind = Mind::new(None);
        mind.attach();
        mind.hear(CONTACT, hello);
        assert_eq!(mind.ask_files(""), [listed(ListingEnd::NotUnderstood, 0)]);
        assert_eq!((mind.session.is_listing_files(), mind.session.deadline()), (false, None));
        // It stays the contact, and is not asked for contents by a query either.
        let find = Ask::Find(common::content::search::Words::new([]).unwrap());
        let out = mind.ask_for(Question::new(find));
        assert!(matches!(out[..], [Output::Tell(Report::Ended { .. })]), "{out:?}");
        assert_eq!(ending_in(&out).reason, EndReason::NotUnderstood);
        let [Output::Send { link: CONTACT, message: Message::Request(_) }] = mind.ask()[..] else {
            panic!("not asked")
        };
    }
}

#[test]
fn one_listing_of_files_at_a_time_is_the_most() {
    let mut mind = listing();
    let mut out = Vec::new();
    assert_eq!(mind.session.ask_files(mind.now, b"", SILENCE_DEFAULT, &mut out), Err(FilesPending));
    assert_eq!(out, []);
    assert_eq!(mind.hear(CONTACT, part(0, &["a"], 0)), [told(&["a"]), listed(ListingEnd::Complete, 1)]);
}

#[test]
fn files_nobody_asked_for_are_unexpected() {
    let unexpected_part = |from| unexpected(from, "list part");
    assert_eq!(Mind::ready(None).hear(CONTACT, part(0, &["a"], 0)), [unexpected_part(1)]);
    // From whomever else, also while they are listed, and of a listing that has yet to be.
    assert_eq!(listing().hear(OTHER, part(0, &["a"], 0)), [unexpected_part(2)]);
    assert_eq!(listing().hear(CONTACT, part(1, &["a"], 0)), [unexpected_part(1)]);
    let mut mind = listing();
    mind.cancel(nth(0));
    assert_eq!(mind.hear(OTHER, part(0, &["a"], 0)), [unexpected_part(2)]);
    // Nor is anybody to ask a client, or to bring it what it does not fetch.
    for message in [
        Message::List(List { list: 0, from: Vec::new() }),
        Message::Block(common::content::transfer::Block { fetch: 0, block: 0, bytes: Vec::new() }),
    ] {
        let name = message.name();
        assert_eq!(listing().hear(CONTACT, message), [unexpected(1, name)]);
    }
}

#[test]
fn a_listing_that_is_cancelled_ends_and_its_parts_are_not_taken_for_those_of_the_next() {
    let mut mind = listing();
    mind.hear(CONTACT, part(0, &["a"], 5));
    assert_eq!(mind.cancel(nth(0)), [listed(ListingEnd::Cancelled, 1)]);
    assert_eq!(mind.cancel(nth(0)), [], "it is over");
    assert_eq!(mind.session.deadline(), None);
    assert_eq!(mind.ask_files("b"), [wanted_of(1, "b")]);
    assert_eq!(mind.hear(CONTACT, part(0, &["b"], 4)), [], "that was for the first");
    let end = listed_of(nth(1), ListingEnd::Complete, 1, Duration::ZERO);
    assert_eq!(mind.hear(CONTACT, part(1, &["b2", "c"], 4)), [told_of(nth(1), &["b2"]), end]);
    // The same where nobody waited for it any more.
    let mut mind = listing();
    mind.pass(SILENCE_DEFAULT);
    assert_eq!(mind.ask_files(""), [wanted_of(1, "")]);
    assert_eq!(mind.hear(CONTACT, part(0, &["z"], 0)), []);
    assert!(mind.session.is_listing_files());
}

#[test]
fn files_members_and_queries_are_in_nobodys_way() {
    let mut mind = Mind::new(None);
    mind.attach();
    mind.hear(CONTACT, contact_hello(Features::OF_MEMBERS));
    assert_eq!(mind.ask_files(""), [wanted("")]);
    assert_eq!(mind.ask_members().len(), 1);
    let query = nth(2);
    assert_eq!(mind.ask(), [send(CONTACT, request(query))]);
    assert_eq!(mind.session.pending_count(), 1, "queries are counted");
    assert_eq!(mind.cancel(nth(1)).len(), 1);
    assert!(mind.session.is_listing_files() && !mind.session.is_listing());
    assert_eq!(mind.hear(CONTACT, part(0, &["a"], 0)), [told(&["a"]), listed(ListingEnd::Complete, 1)]);
    assert_eq!(mind.session.pending_count(), 1);
}

#[test]
fn what_nobody_asked_for_is_counted_to_the_end_of_a_listing_of_files_too() {
    let mut mind = listing();
    for count in 0..UNEXPECTED_TOLD_MAX + 3 {
        let out = mind.hear(OTHER, part(0, &["a"], 0));
        assert_eq!(out.is_empty(), count >= UNEXPECTED_TOLD_MAX);
    }
    let more = Output::Tell(Report::MoreUnexpected { count: 3 });
    assert_eq!(mind.hear(CONTACT, part(0, &[], 0)), [more, listed(ListingEnd::Complete, 0)]);
}
