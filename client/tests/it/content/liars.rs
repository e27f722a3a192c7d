//! Holders that lie or break the rules. Whatever they do, what is written is what the hash says, the next holder gives the
//! rest, and they are named with what they did.
use super::get::assert_files;
use super::*;
use crate::support::holder::join;
use common::content::transfer::Refusal;

/// Blocks of the content that is fetched.
const BLOCKS: usize = 6;

fn bytes() -> Vec<u8> {
    content(BLOCKS * BLOCK - 5, 1)
}

/// What is said of a holder of each manner, before another is asked.
fn liars() -> Vec<(Manner, String)> {
    let size = bytes().len() as u64;
    let unasked = |what: &str| format!("it sent a {what} it was not asked for");
    vec![
        (Manner::FalseHashes, "it sent false hashes".to_owned()),
        (Manner::FalseBlock(5), "it sent a false block 5".to_owned()),
        (Manner::FalseBlock(2), "it sent a false block 2".to_owned()),
        // As many blocks, of which the last is of another length than it says.
        (Manner::FalseSize(size + 1), "it sent a block 5 of the wrong length".to_owned()),
        // More of them, whose hashes come to something else.
        (Manner::FalseSize(size + BLOCK as u64), "it sent false hashes".to_owned()),
        (Manner::FalseSize(1), "it sent a block 0 of the wrong length".to_owned()),
        (Manner::FalseSize(u64::MAX), format!("it said falsely that there are {} bytes", u64::MAX)),
        (Manner::FalseHave, "it said to have blocks that there are not".to_owned()),
        (Manner::Short, "it sent a block 5 of the wrong length".to_owned()),
        (Manner::Long, "it sent a block 5 of the wrong length".to_owned()),
        (Manner::Twice, unasked("block")),
        (Manner::Unasked, unasked("block")),
        (Manner::Nonsense, unasked("pong")),
        (Manner::Refuses(Refusal::Gone), "it does not have it, or not for this client".to_owned()),
        (Manner::Refuses(Refusal::Changed), "the file was changed there".to_owned()),
        (Manner::RefusesLate(3, Refusal::Changed), "the file was changed there".to_owned()),
        (Manner::HangsUp(0), "its link was lost: it closed the connection".to_owned()),
        (Manner::Old, "it cannot be dialled: it is too old to give contents".to_owned()),
    ]
}

#[test]
fn with_an_honest_holder_the_file_is_right_and_the_liar_is_named() {
    let honest = Shared::start(&[("one", &bytes())]);
    let honest_entry = (honest.address(), entry(b"one", &bytes()));
    for (manner, said) in liars() {
        let liar = Holder::of(b"one", &bytes(), manner);
        let teller = Teller::of(vec![liar.told(), honest_entry.clone()]);
        let here = here();
        let run = run_in(here.path(), &teller.name(), &[], &["get one --wait 0"]);
        let out = format!("one\t{}\t{}\n", bytes().len(), hash_of(&bytes()));
        assert_eq!(run, Run { out, log: format!("client: {}: {said}\n", liar.address), code: 0 }, "{manner:?}");
        assert_files(&here, &[("one", &bytes())]);
    }
}

#[test]
fn where_all_lie_it_is_said_what_is_missing_and_what_was_true_is_kept() {
    for (manner, said) in liars() {
        let liar = Holder::of(b"one", &bytes(), manner);
        let teller = Teller::of(vec![liar.told()]);
        let here = here();
        let run = run_in(here.path(), &teller.name(), &[], &["get one --wait 0"]);
        let lines: Vec<&str> = run.log.lines().collect();
        let [named, missing] = lines[..] else { panic!("{manner:?}: {run:?}") };
        assert_eq!((&*run.out, run.code), ("", 5), "{manner:?}");
        assert_eq!(named, format!("client: {}: {said}", liar.address));
        let part = here.path().join("one.part");
        let good = good_blocks(&part, &bytes()).len();
        assert_eq!(missing.ends_with("; kept in one.part, the same command goes on"), good > 0, "{missing}");
        if missing.contains(" blocks: ") {
            let count = format!("client: missing {} of {BLOCKS} blocks: ", BLOCKS - good);
            assert!(missing.starts_with(&count), "{manner:?}: {missing}");
        }
        // Nothing that is there is false.
        let written = fs::read(&part).unwrap_or_default();
        for (here, right) in written.chunks(BLOCK).zip(bytes().chunks(BLOCK)) {
            assert!(here == right || here.iter().all(|byte| *byte == 0), "{manner:?}");
        }
        assert!(!here.path().join("one").exists());
    }
}

/// The whole way: a neighbor of a real contact answers the flood, and gives nothing that is true.
#[test]
fn a_liar_within_reach_is_found_and_found_out() {
    let contact = Shared::start::<&str>(&[]);
    let liar = Holder::of(b"one", &bytes(), Manner::FalseBlock(3));
    join(contact.address(), &liar);
    let here = here();
    for options in [&[][..], &["--via", "back"]] {
        let run = run_in(here.path(), &contact.name(), options, &["find one", "get one --wait 0"]);
        let found = format!("one\t{}\t{}\t1\t\n", bytes().len(), hash_of(&bytes()));
        assert_eq!((run.out, run.code), (found, 5), "{}", run.log);
        let named = format!("client: {}: it sent a false block 3\n", liar.address);
        assert!(run.log.starts_with(&named), "{}", run.log);
    }
}

/// With -f whoever chose the name would choose what is replaced.
#[test]
fn whoever_answers_something_else_has_nothing() {
    let liar = Holder::of(b"Makefile", &bytes(), Manner::Honest);
    let teller = Teller::of(vec![liar.told()]);
    let here = here();
    fs::write(here.path().join("Makefile"), "mine").unwrap();
    let other = &hash_of(b"other")[..11];
    for word in ["one", other] {
        let run = run_in(here.path(), &teller.name(), &[], &[&format!("get {word} -f")]);
        let said = format!("client: nobody within reach has {word}\n");
        assert_eq!(run, Run { log: said, ..quiet("", 1) });
    }
    assert_files(&here, &[("Makefile", b"mine")]);
}

#[test]
fn what_is_replaced_is_named_by_whoever_has_it_replaced() {
    let holder = Holder::of(b"Makefile", &bytes(), Manner::Honest);
    let teller = Teller::of(vec![holder.told()]);
    let here = here();
    fs::write(here.path().join("Makefile"), "mine").unwrap();
    let start = &hash_of(&bytes())[..12];
    let run = run_in(here.path(), &teller.name(), &[], &[&format!("get {start} -f")]);
    let said = "client: get: with -f a hash takes -o FILE: what it is called here would be for others to say\n";
    assert_eq!(run, Run { log: said.to_owned(), ..quiet("", 2) });
    assert_files(&here, &[("Makefile", b"mine")]);
    let run = run_in(here.path(), &teller.name(), &[], &[&format!("get {start} -f -o Makefile")]);
    assert_eq!((run.log, run.code), (String::new(), 0));
    assert_files(&here, &[("Makefile", &bytes())]);
}

#[test]
fn whoever_is_busy_is_asked_again_later_and_another_meanwhile() {
    let busy = Holder::of(b"one", &bytes(), Manner::Refuses(Refusal::Busy));
    let honest = Holder::of(b"one", &bytes(), Manner::Honest);
    let here = here();
    let teller = Teller::of(vec![busy.told(), honest.told()]);
    let run = run_in(here.path(), &teller.name(), &[], &["get one"]);
    let said = format!("client: {} is busy; it is asked again later\n", busy.address);
    assert_eq!((run.log, run.code), (said, 0));
    assert_files(&here, &[("one", &bytes())]);
}

/// After 3 s the next is asked for what it owes.
#[test]
fn whoever_falls_silent_is_passed_over_for_the_next() {
    side_by_side([Manner::Silent, Manner::Stops(2)], |manner| {
        let (silent, honest) = (Holder::of(b"one", &bytes(), manner), Holder::of(b"one", &bytes(), Manner::Honest));
        let here = here();
        let teller = Teller::of(vec![silent.told(), honest.told()]);
        let run = run_in(here.path(), &teller.name(), &[], &["get one"]);
        let said = format!("client: {} says nothing; another is asked if there is one\n", silent.address);
        assert_eq!((run.log, run.code), (said, 0));
        assert_files(&here, &[("one", &bytes())]);
        let twice = silent.take_asked().len() + honest.take_asked().len();
        let stopped = if manner == Manner::Silent { 0 } else { 3 };
        assert!(twice >= BLOCKS + usize::from(stopped > 2) && twice <= BLOCKS + 5, "{twice} blocks were asked for");
    });
}
