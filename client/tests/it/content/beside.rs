//! What lies where a fetch would write: files of the user's own beside the one that is fetched, and in its place. A peer chooses
//! what a content is called, so none of them may be written over or removed.
use super::get::assert_files;
use super::*;
use std::os::unix::fs::{FileExt, FileTypeExt, symlink};

fn fetched(file: &str, bytes: &[u8]) -> String {
    format!("{file}\t{}\t{}\n", bytes.len(), hash_of(bytes))
}

/// What is said of a part that is somebody else's.
fn nothing_of_it(part: &str) -> Run {
    let log =
        format!("client: {part} is there and holds nothing of this content; remove it, or name another file with -o\n");
    Run { log, ..quiet("", 6) }
}

#[test]
fn a_part_that_holds_nothing_of_the_content_stays_what_it_is() {
    let contents = [0, 10, BLOCK, 3 * BLOCK + 9].map(|size| content(size, 1));
    let longer = content(5 * BLOCK, 2);
    for bytes in &contents {
        let shared = Shared::start(&[("one", bytes)]);
        for mine in [&b"mine"[..], &longer[..BLOCK], &longer[..3 * BLOCK + 9], &longer] {
            for command in ["get one", "get one -f"] {
                let here = here();
                fs::write(here.path().join("one.part"), mine).unwrap();
                assert_eq!(run_in(here.path(), &shared.name(), &[], &[command]), nothing_of_it("one.part"));
                assert_files(&here, &[("one.part", mine)]);
            }
        }
    }
}

/// Whether the holder gives too little to tell, or nothing, or is interrupted.
#[test]
fn a_part_of_which_nothing_can_be_told_stays_what_it_is() {
    let bytes = content(4 * BLOCK, 3);
    let missing = |blocks: &str| format!("client: missing {blocks} (no holder within reach gives it)\n");
    let unknown = "client: one.part is there, and whether it is of this content cannot be told; \
                   remove it, or name another file with -o\n";
    for (manner, said, code) in [
        (Manner::Refuses(common::content::transfer::Refusal::Gone), missing("all of it"), 5),
        (Manner::Has(2), unknown.to_owned(), 6),
    ] {
        let holder = Holder::of(b"one", &bytes, manner);
        let teller = Teller::of(vec![holder.told()]);
        let here = here();
        fs::write(here.path().join("one.part"), "mine").unwrap();
        let run = run_in(here.path(), &teller.name(), &[], &["get one --wait 0"]);
        assert!(run.log.ends_with(&said) && run.code == code, "{run:?}");
        assert_files(&here, &[("one.part", b"mine")]);
    }
}

#[test]
fn what_was_fetched_is_not_taken_for_what_belongs_to_another() {
    let bytes = [4, 5, 6].map(|seed| content(3 * BLOCK, seed));
    let shared = Shared::start(&[("a.part", &bytes[0][..]), ("a.hashes", &bytes[1]), ("a", &bytes[2])]);
    let whole = here();
    let run = run_in(whole.path(), &shared.name(), &[], &["get a.part a"]);
    assert_eq!(run, Run { out: fetched("a.part", &bytes[0]), ..nothing_of_it("a.part") });
    assert_files(&whole, &[("a.part", &bytes[0])]);
    let whole = here();
    let run = run_in(whole.path(), &shared.name(), &[], &["get a.hashes a"]);
    assert_eq!(run, quiet([fetched("a.hashes", &bytes[1]), fetched("a", &bytes[2])].concat(), 0));
    assert_files(&whole, &[("a", &bytes[2]), ("a.hashes", &bytes[1])]);
}

#[test]
fn hashes_that_are_none_stay_what_they_are_and_a_fetch_goes_without() {
    let bytes = content(6 * BLOCK, 7);
    let mine: [&[u8]; 4] = [b"", b"mine", b"kvblock", &content(9_000, 8)];
    for mine in mine {
        let here = here();
        fs::write(here.path().join("one.hashes"), mine).unwrap();
        let nobody = Teller::of(vec![(nobody(), entry(b"one", &bytes))]);
        assert_eq!(run_in(here.path(), &nobody.name(), &[], &["get one --wait 0"]).code, 5);
        assert_files(&here, &[("one.hashes", mine)]);
        let holder = Holder::of(b"one", &bytes, Manner::Stops(2));
        let teller = Teller::of(vec![holder.told()]);
        let client = Client::start_in(here.path(), [&*teller.name(), "-c", "get one"]);
        wait_until("two are here", || good_blocks(&here.path().join("one.part"), &bytes).len() == 2);
        client.kill();
        let holder = Holder::of(b"one", &bytes, Manner::Honest);
        let teller = Teller::of(vec![holder.told()]);
        assert_eq!(run_in(here.path(), &teller.name(), &[], &["get one"]), quiet(fetched("one", &bytes), 0));
        assert_eq!(holder.take_asked(), [1, 2, 3, 4], "what is here is known by its blocks");
        assert_files(&here, &[("one", &bytes), ("one.hashes", mine)]);
    }
}

/// What is put at which places of a file, and how long it is then.
type Laid<'a> = (&'a [(usize, &'a [u8])], usize);

fn lay(path: &Path, (pieces, size): Laid<'_>) {
    let file = fs::File::create(path).unwrap();
    pieces.iter().for_each(|(at, piece)| file.write_all_at(piece, *at as u64).unwrap());
    file.set_len(size as u64).unwrap();
}

/// As a fetch leaves it that was killed, or lost its power, while it wrote its first block: before there is anything else that
/// tells whose it is. Not every file system has holes.
#[test]
fn a_part_in_which_a_block_was_begun_is_gone_on_with_and_nothing_that_only_looks_like_one() {
    const PAGE: usize = 4096;
    let mut image = content(3 * BLOCK, 14);
    image[2 * BLOCK..].fill(0);
    let bytes = [content(5 * PAGE + 9, 11), content(BLOCK, 12), content(3 * BLOCK - 10, 13), image];
    let shared = Shared::start(&[("a", &bytes[0][..]), ("b", &bytes[1]), ("c", &bytes[2]), ("d", &bytes[3])]);
    for (name, bytes) in ["a", "b", "c", "d"].iter().zip(&bytes) {
        let (called, end) = (format!("{name}.part"), bytes.len());
        // Of several blocks the last is the first.
        let first = (end - 1) / BLOCK * BLOCK;
        let (two, zeros) = (first + 2 * PAGE, vec![0; end]);
        let begun = &bytes[first..two];
        let ours: &[Laid<'_>] = &[
            (&[(first, begun)], two),
            (&[(first, begun)], end),
            (&[(first, begun), (two, &zeros[..2 * PAGE])], end),
            (&[(0, &zeros[..first]), (first, begun)], two),
            (&[(0, &zeros[..first]), (first, begun), (two, &zeros[two..])], end),
            (&[(0, &zeros[..two])], two),
            (&[(0, &zeros)], end),
        ];
        for laid in ours {
            let here = here();
            lay(&here.path().join(&called), *laid);
            let run = run_in(here.path(), &shared.name(), &[], &[&format!("get {name}")]);
            assert_eq!(run, quiet(fetched(name, bytes), 0));
            assert_files(&here, &[(name, bytes)]);
        }
        let begun = if *name == "d" { &content(2 * PAGE, 15) } else { begun };
        let mut other = begun.to_vec();
        other[2 * PAGE - 1] ^= 1;
        let theirs: &[Laid<'_>] = &[
            (&[(first, &other)], two),
            (&[(first, &other)], end),
            (&[(first, &begun[..5])], first + 5),
            (&[(first, &begun[..2 * PAGE - 1])], two - 1),
            (&[(first, begun)], two + 1),
            (&[(first, begun)], end + 1),
            (&[(first, begun)], end.next_multiple_of(PAGE) + PAGE),
            (&[(first, begun), (end, b"mine")], end + 4),
            (&[(first, &begun[PAGE..])], two),
            (&[(first + PAGE, &begun[PAGE..])], two),
            (&[(0, &zeros[..two - 1])], two - 1),
            (&[(0, &zeros), (end, &zeros[..1])], end + 1),
        ];
        let before: &[Laid<'_>] = &[
            (&[(0, b"mine"), (first, begun)], two),
            (&[(first.saturating_sub(1), &[1]), (first, begun)], two),
            (&[(0, begun)], 2 * PAGE),
            (&[(0, begun)], end),
            (&[(0, b"mine"), (first, &zeros[first..])], end),
        ];
        for laid in theirs.iter().chain(before.iter().filter(|_| first > 0)) {
            let here = here();
            lay(&here.path().join(&called), *laid);
            let mine = fs::read(here.path().join(&called)).unwrap();
            let run = run_in(here.path(), &shared.name(), &[], &[&format!("get {name}")]);
            assert_eq!(run, nothing_of_it(&called), "{name} {}", mine.len());
            assert_files(&here, &[(&called, &mine)]);
        }
    }
}

/// As a fetch leaves it that was killed before a block was whole.
#[test]
fn a_part_with_nothing_in_it_is_gone_on_with() {
    let bytes = content(3 * BLOCK, 9);
    let shared = Shared::start(&[("one", &bytes[..]), ("small", b"small")]);
    for (name, bytes) in [("one", &bytes[..]), ("small", b"small")] {
        for size in [0, 5, 9 * BLOCK as u64] {
            let here = here();
            fs::File::create(here.path().join(format!("{name}.part"))).unwrap().set_len(size).unwrap();
            let run = run_in(here.path(), &shared.name(), &[], &[&format!("get {name}")]);
            assert_eq!(run, quiet(fetched(name, bytes), 0));
            assert_files(&here, &[(name, bytes)]);
        }
    }
}

#[test]
fn nothing_is_written_through_a_link_nor_into_what_is_no_file() {
    let bytes = content(3 * BLOCK, 10);
    let shared = Shared::start(&[("one", &bytes)]);
    let around = here();
    let here = around.path().join("here");
    fs::create_dir(&here).unwrap();
    fs::write(around.path().join("mine"), "mine").unwrap();
    symlink("../mine", here.join("one.hashes.new")).unwrap();
    let run = run_in(&here, &shared.name(), &[], &["get one --sources s"]);
    assert_eq!(run, quiet(fetched("one", &bytes), 0));
    assert_eq!(fs::read(around.path().join("mine")).unwrap(), b"mine");
    assert_eq!(names_in(&here), ["one", "s"]);
    // With nobody at its other end it takes for ever to open.
    let mode = rustix::fs::Mode::RUSR | rustix::fs::Mode::WUSR;
    let pipe = here.join("one.hashes.new");
    rustix::fs::mknodat(rustix::fs::CWD, &pipe, rustix::fs::FileType::Fifo, mode, 0).unwrap();
    let run = run_in(&here, &shared.name(), &[], &["get one -f"]);
    assert_eq!(run.log, "client: cannot write one.hashes.new: File exists (os error 17)\n");
    assert_eq!((run.out, run.code), (fetched("one", &bytes), 0));
    assert!(fs::symlink_metadata(&pipe).unwrap().file_type().is_fifo());
    // A list that was kept nowhere may be a user's, in the place of one that is to be.
    let here = around.path().join("there");
    fs::create_dir(&here).unwrap();
    fs::write(here.join("one.hashes.new"), "mine").unwrap();
    assert_eq!(run_in(&here, &shared.name(), &["-q"], &["get one"]).code, 0);
    assert_eq!(fs::read(here.join("one.hashes.new")).unwrap(), b"mine");
    // What was killed while it began to write them is ours.
    for begun in [&b""[..], b"kvbl"] {
        fs::write(here.join("one.hashes.new"), begun).unwrap();
        assert_eq!(run_in(&here, &shared.name(), &[], &["get one -f"]).log, "");
        assert_eq!(names_in(&here), ["one"]);
    }
}

/// What is written down goes by no name that somebody has.
#[test]
fn who_gave_what_is_written_down_beside_no_file_of_the_users() {
    let bytes = content(3 * BLOCK, 12);
    let shared = Shared::start(&[("one", &bytes)]);
    let here = here();
    fs::write(here.path().join("s.new"), "mine").unwrap();
    for _ in 0..2 {
        assert_eq!(run_in(here.path(), &shared.name(), &[], &["get one -f -o s.old --sources s"]).code, 0);
        assert_eq!(fs::read(here.path().join("s.new")).unwrap(), b"mine");
    }
    assert_eq!(run_in(here.path(), &shared.name(), &[], &["get one -f -o s.new --sources s"]).code, 0);
    assert_files(&here, &[("s", &fs::read(here.path().join("s")).unwrap()), ("s.new", &bytes), ("s.old", &bytes)]);
}

#[test]
fn what_is_whole_is_done_whatever_lies_in_the_place_of_its_hashes() {
    let bytes = content(3 * BLOCK, 11);
    let shared = Shared::start(&[("one", &bytes)]);
    let here = here();
    fs::create_dir(here.path().join("one.hashes")).unwrap();
    assert_eq!(run_in(here.path(), &shared.name(), &[], &["get one"]), quiet(fetched("one", &bytes), 0));
    assert_eq!(names_in(here.path()), ["one", "one.hashes"]);
}

#[test]
fn what_can_be_no_file_is_refused_before_anything_is_fetched() {
    let bytes = content(3 * BLOCK, 12);
    let holder = Holder::of(b"one", &bytes, Manner::Honest);
    let teller = Teller::of(vec![holder.told()]);
    let here = here();
    fs::create_dir(here.path().join("d")).unwrap();
    for path in ["d", "d/", "x/", "d/.", "x/..", ".", "..", "/"] {
        for options in ["", "-f"] {
            let run = run_in(here.path(), &teller.name(), &[], &[&format!("get one {options} -o {path}")]);
            let is_there = fs::metadata(here.path().join(path)).is_ok();
            let said = if is_there { "is a directory" } else { "is no name of a file" };
            let said = format!("client: {path} {said}; -o names a file\n");
            assert_eq!(run, Run { log: said, ..quiet("", 6) }, "{path} {options}");
        }
    }
    let run = run_in(here.path(), &teller.name(), &[], &["get one -o ''"]);
    assert_eq!(run, Run { log: "client: get: -o names a file, or - for stdout\n".to_owned(), ..quiet("", 2) });
    assert_eq!(holder.take_asked(), Vec::<u32>::new());
    assert_eq!(names_in(here.path()), ["d"]);
}
