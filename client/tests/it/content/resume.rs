//! A fetch that was stopped, however that was, goes on where it was: what is good on disk is fetched no second time, and
//! what is not good counts for nothing.
use super::get::assert_files;
use super::*;
use std::os::unix::fs::MetadataExt;

/// What is here of a fetch that was killed after two blocks: the last and the first.
fn killed_after_two(here: &TempDir, bytes: &[u8]) {
    let holder = Holder::of(b"one", bytes, Manner::Stops(2));
    let teller = Teller::of(vec![holder.told()]);
    let client = Client::start_in(here.path(), [&*teller.name(), "-c", "get one"]);
    wait_until("two blocks are here", || good_blocks(&here.path().join("one.part"), bytes).len() == 2);
    client.kill();
    assert_eq!(names_in(here.path()), ["one.hashes", "one.part"]);
}

/// What an honest holder is asked for when the same command is run again, which then comes to the whole.
fn asked_to_go_on(here: &TempDir, bytes: &[u8]) -> Vec<u32> {
    let holder = Holder::of(b"one", bytes, Manner::Honest);
    let teller = Teller::of(vec![holder.told()]);
    let run = run_in(here.path(), &teller.name(), &[], &["get one"]);
    assert_eq!((run.code, run.out), (0, format!("one\t{}\t{}\n", bytes.len(), hash_of(bytes))), "{}", run.log);
    assert_files(here, &[("one", bytes)]);
    holder.take_asked()
}

/// With SIGKILL, fifty times in one fetch, from a real servent that gives no more than some blocks at a time.
#[test]
fn killed_fifty_times_it_comes_to_the_whole_and_what_was_here_stays() {
    const KILLS: usize = 50;
    let bytes = content(KILLS * 10 * BLOCK, 1);
    let slow = Shared::start_with(&[("one", &bytes)], "", &["--share-rate", "5M"]);
    let here = here();
    let [whole, part] = ["one", "one.part"].map(|name| here.path().join(name));
    // How many units of 512 bytes there are, whatever is in them.
    let written = || {
        assert!(!whole.exists(), "it came to the whole before it was killed so often");
        fs::metadata(&part).map_or(0, |metadata| metadata.blocks())
    };
    let mut good = Vec::new();
    for kill in 0..KILLS {
        let before = written();
        let client = Client::start_in(here.path(), [&*slow.name(), "-c", "get one"]);
        // The last may be written in part: what is begun in one fetch is written again in the next, to the same place.
        wait_until("there is a block more than there was", || written() >= before + BLOCK as u64 / 512);
        client.kill();
        let now = good_blocks(&part, &bytes);
        assert!(good.iter().all(|block| now.contains(block)), "after kill {kill} something good was gone");
        good = now;
    }
    assert!(good.len() + 1 >= KILLS, "{good:?}");
    let fast = Shared::start(&[("one", &bytes)]);
    let run = run_in(here.path(), &fast.name(), &["--json"], &["get one --sources s"]);
    assert!(run.log.is_empty() && run.code == 0, "{run:?}");
    let fetched = support::process::json(run.out.lines().last().unwrap());
    assert_eq!(picked(&fetched, ["type", "is_verified", "wasted_bytes"]), json!(["fetched", true, 0]));
    let sources = fs::read_to_string(here.path().join("s")).unwrap();
    assert_eq!(blocks_of("file", &sources), good, "what was good is fetched no second time");
    assert_files(&here, &[("one", &bytes), ("s", sources.as_bytes())]);
}

/// Those that are from there.
fn blocks_of(source: &str, sources: &str) -> Vec<u32> {
    let lines = sources.lines().filter_map(|line| line.strip_prefix(&format!("{source} - ")));
    let runs = lines.map(|run| run.split_once('-').unwrap_or((run, run)));
    runs.flat_map(|(first, last)| first.parse::<u32>().unwrap()..=last.parse().unwrap()).collect()
}

#[test]
fn of_each_fetch_that_is_killed_nothing_good_is_asked_for_again() {
    const BLOCKS: u32 = 24;
    let bytes = content(BLOCKS as usize * BLOCK - 9, 2);
    let here = here();
    let part = here.path().join("one.part");
    let mut good: Vec<u32> = Vec::new();
    for _ in 0..10 {
        let holder = Holder::of(b"one", &bytes, Manner::Stops(2));
        let teller = Teller::of(vec![holder.told()]);
        let client = Client::start_in(here.path(), [&*teller.name(), "-c", "get one"]);
        wait_until("two more are here", || good_blocks(&part, &bytes).len() == good.len() + 2);
        client.kill();
        let asked = holder.take_asked();
        assert!(!asked.iter().any(|block| good.contains(block)), "{asked:?} of which {good:?} are here");
        good = good_blocks(&part, &bytes);
    }
    let asked = asked_to_go_on(&here, &bytes);
    assert_eq!(asked, (0..BLOCKS).filter(|block| !good.contains(block)).collect::<Vec<_>>());
}

#[test]
fn without_its_hashes_what_is_on_disk_counts_all_the_same() {
    let bytes = content(8 * BLOCK, 3);
    for hashes in [None, Some(&b"kvblocks"[..]), Some(b"kvblocks and no hashes of anything")] {
        let here = here();
        killed_after_two(&here, &bytes);
        let path = here.path().join("one.hashes");
        match hashes {
            None => fs::remove_file(path).unwrap(),
            Some(hashes) => fs::write(path, hashes).unwrap(),
        }
        assert_eq!(asked_to_go_on(&here, &bytes), [1, 2, 3, 4, 5, 6]);
    }
}

#[test]
fn hashes_that_were_tampered_with_are_said_to_be_of_no_use() {
    let bytes = content(8 * BLOCK, 4);
    let here = here();
    killed_after_two(&here, &bytes);
    let path = here.path().join("one.hashes");
    let mut hashes = fs::read(&path).unwrap();
    *hashes.last_mut().unwrap() ^= 1;
    fs::write(&path, hashes).unwrap();
    let holder = Holder::of(b"one", &bytes, Manner::Honest);
    let teller = Teller::of(vec![holder.told()]);
    let run = run_in(here.path(), &teller.name(), &[], &["get one"]);
    let said = "client: the hashes that were kept are of no use, and are fetched again\n";
    assert_eq!((&*run.log, run.code), (said, 0));
    assert_eq!(holder.take_asked(), [1, 2, 3, 4, 5, 6]);
    assert_files(&here, &[("one", &bytes)]);
}

#[test]
fn garbage_on_disk_is_fetched_and_what_is_too_long_is_cut() {
    let bytes = content(6 * BLOCK + 7, 5);
    for is_kept in [true, false] {
        let here = here();
        killed_after_two(&here, &bytes);
        let part = here.path().join("one.part");
        // The first is good no more, the third is by chance, and there is more than there should be.
        let mut garbage = content(bytes.len() + 3 * BLOCK, 6);
        garbage[2 * BLOCK..3 * BLOCK].copy_from_slice(&bytes[2 * BLOCK..3 * BLOCK]);
        fs::write(&part, garbage).unwrap();
        if !is_kept {
            fs::remove_file(here.path().join("one.hashes")).unwrap();
        }
        let mut asked = asked_to_go_on(&here, &bytes);
        asked.sort_unstable();
        assert_eq!(asked, [0, 1, 3, 4, 5, 6]);
    }
    // Of something that is shorter than it should be, or was made by another program.
    let here = here();
    fs::write(here.path().join("one.part"), &bytes[..BLOCK + 5]).unwrap();
    let mut asked = asked_to_go_on(&here, &bytes);
    asked.sort_unstable();
    assert_eq!(asked, [1, 2, 3, 4, 5, 6]);
}

#[test]
fn a_part_of_another_content_is_not_written_over() {
    let (bytes, other) = (content(4 * BLOCK, 7), content(4 * BLOCK, 8));
    let here = here();
    killed_after_two(&here, &bytes);
    let holder = Holder::of(b"one", &other, Manner::Honest);
    let teller = Teller::of(vec![holder.told()]);
    for command in ["get one", "get one -f"] {
        let run = run_in(here.path(), &teller.name(), &[], &[command]);
        let said = format!(
            "client: one.part is a part of another content, {}; remove it, or name another file with -o\n",
            hash_of(&bytes)
        );
        assert_eq!(run, Run { log: said, ..quiet("", 6) });
    }
    assert_eq!(good_blocks(&here.path().join("one.part"), &bytes), [0, 3], "it is what it was");
    assert_eq!(asked_to_go_on(&here, &bytes), [1, 2]);
}

/// Nobody has to give anything any more.
#[test]
fn of_what_is_whole_and_has_not_got_its_name_nothing_is_fetched() {
    let bytes = content(5 * BLOCK + 1, 9);
    let here = here();
    killed_after_two(&here, &bytes);
    fs::write(here.path().join("one.part"), &bytes).unwrap();
    assert_eq!(asked_to_go_on(&here, &bytes), Vec::<u32>::new());
}
