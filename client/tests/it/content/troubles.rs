//! Bad days of a fetch: holders that die, files that change while they are given, a contact that is lost, a disk that is full.
use super::get::assert_files;
use super::*;
use topologies::processes::Process;

fn fetched(bytes: &[u8]) -> String {
    format!("one\t{}\t{}\n", bytes.len(), hash_of(bytes))
}

#[test]
fn a_holder_that_dies_at_any_moment_is_gone_on_from_at_the_next() {
    const BLOCKS: u32 = 200;
    let bytes = content(BLOCKS as usize * BLOCK, 1);
    let honest = Shared::start(&[("one", &bytes)]);
    let second = (honest.address(), entry(b"one", &bytes));
    for given in [0, BLOCKS / 10, BLOCKS / 2, BLOCKS * 99 / 100] {
        let dying = Holder::of(b"one", &bytes, Manner::HangsUp(given));
        let teller = Teller::of(vec![dying.told(), second.clone()]);
        let here = here();
        let run = run_in(here.path(), &teller.name(), &[], &["get one --sources s"]);
        let said = format!("client: {}: its link was lost: it closed the connection\n", dying.address);
        assert_eq!(run, Run { log: said, ..quiet(fetched(&bytes), 0) }, "after {given}");
        // The last is asked for first.
        let (first, last) = (dying.address, BLOCKS - 1);
        let sources = match given {
            0 => format!("{} - 0-{last}\n", second.0),
            _ => format!("{first} - 0-{}\n{} - {}-{}\n{first} - {last}\n", given - 2, second.0, given - 1, last - 1),
        };
        assert_files(&here, &[("one", &bytes), ("s", sources.as_bytes())]);
    }
}

/// A real one, with SIGKILL, and nobody else: it is said, and once it is back the same command goes on.
#[test]
fn with_no_other_holder_the_same_command_goes_on_when_it_is_back() {
    let bytes = content(150 * BLOCK, 2);
    let contact = Chain::start([""]);
    let mut shared = Shared::start_with(&[("one", &bytes)], "", &["--share-rate", "10M", &contact.contact()]);
    wait_until_reached(contact.address(0), 2);
    let here = here();
    let part = here.path().join("one.part");
    let client = Client::start_in(here.path(), [&*contact.contact(), "-c", "get one --wait 0"]);
    wait_until("half of it is here", || good_blocks(&part, &bytes).len() > 75);
    shared.kill();
    let run = client.finish();
    let good = good_blocks(&part, &bytes);
    assert_eq!((&*run.out, run.code), ("", 5), "{run:?}");
    let lines: Vec<&str> = run.log.lines().collect();
    assert!(lines[0].starts_with(&format!("client: {}: its link was lost: ", shared.name())), "{run:?}");
    let missing = lines.last().unwrap();
    let runs = format!("client: missing {} of 150 blocks: ", 150 - good.len());
    assert!(missing.starts_with(&runs), "{run:?}");
    assert!(missing.ends_with("; kept in one.part, the same command goes on"), "{run:?}");
    shared.serve();
    wait_until_reached(contact.address(0), 2);
    let run = run_in(here.path(), &contact.contact(), &[], &["get one --sources s"]);
    assert_eq!(run, quiet(fetched(&bytes), 0));
    let sources = fs::read_to_string(here.path().join("s")).unwrap();
    let here_before = sources.lines().filter(|line| line.starts_with("file - ")).count();
    assert!(here_before > 0, "{sources}");
    assert_files(&here, &[("one", &bytes), ("s", sources.as_bytes())]);
}

/// While somebody is waited for who has the rest, everybody within reach is asked again and again.
#[test]
fn whoever_comes_meanwhile_is_found() {
    let bytes = content(100 * BLOCK, 9);
    let contact = Chain::start([""]);
    let mut first = Shared::start_with(&[("one", &bytes)], "", &["--share-rate", "10M", &contact.contact()]);
    wait_until_reached(contact.address(0), 2);
    let here = here();
    let part = here.path().join("one.part");
    let client = Client::start_in(here.path(), [&*contact.contact(), "-c", "get one --wait 1h --sources s"]);
    wait_until("some of it is here", || good_blocks(&part, &bytes).len() > 10);
    first.kill();
    let second = Shared::start_with(&[("another name", &bytes)], "", &[&contact.contact()]);
    let run = client.finish();
    assert_eq!((run.out, run.code), (fetched(&bytes), 0), "{}", run.log);
    let sources = fs::read_to_string(here.path().join("s")).unwrap();
    assert!([&first, &second].iter().all(|holder| sources.contains(&format!("{} - ", holder.name()))), "{sources}");
    assert_files(&here, &[("one", &bytes), ("s", sources.as_bytes())]);
}

#[test]
fn the_one_servent_that_is_named_is_dialled_again() {
    let bytes = content(100 * BLOCK, 3);
    let mut shared = Shared::start_with(&[("one", &bytes)], "", &["--share-rate", "10M"]);
    let here = here();
    let part = here.path().join("one.part");
    let contact = Chain::start([""]);
    let client = Client::start_in(
        here.path(),
        [&*contact.contact(), "-c", &format!("get one --wait 1h --from {}", shared.name())],
    );
    wait_until("some of it is here", || good_blocks(&part, &bytes).len() > 10);
    shared.kill();
    shared.serve();
    let run = client.finish();
    assert_eq!((run.out, run.code), (fetched(&bytes), 0), "{}", run.log);
    assert_files(&here, &[("one", &bytes)]);
}

/// What is done to a file.
type Change = fn(&Path);

#[test]
fn a_file_that_changes_while_it_is_given_is_told_and_the_next_gives_the_rest() {
    let bytes = content(150 * BLOCK, 4);
    let honest = Shared::start(&[("one", &bytes)]);
    let honest_told = (honest.address(), entry(b"one", &bytes));
    let cut = |path: &Path| fs::File::options().write(true).open(path).unwrap().set_len(BLOCK as u64).unwrap();
    let grow = |path: &Path| fs::File::options().append(true).open(path).unwrap().write_all(b"more").unwrap();
    let other = |path: &Path| fs::write(path, content(150 * BLOCK, 5)).unwrap();
    let gone = |path: &Path| fs::remove_file(path).unwrap();
    let rows: [(Change, &str, bool); 5] = [
        (cut, "the file was changed there", true),
        (grow, "the file was changed there", true),
        (other, "the file was changed there", false),
        (gone, "it does not have it, or not for this client", true),
        (gone, "it does not have it, or not for this client", false),
    ];
    side_by_side(rows, |(change, said, has_other)| {
        let shared = Shared::start_with(&[("one", &bytes)], "", &["--share-rate", "10M"]);
        let told = (shared.address(), entry(b"one", &bytes));
        let others = has_other.then(|| honest_told.clone());
        let teller = Teller::of([told].into_iter().chain(others).collect());
        let here = here();
        let part = here.path().join("one.part");
        let client = Client::start_in(here.path(), [&*teller.name(), "-c", "get one --wait 0"]);
        wait_until("some of it is here", || good_blocks(&part, &bytes).len() > 10);
        change(&shared.path("one"));
        let run = client.finish();
        let named = format!("client: {}: {said}\n", shared.name());
        if has_other {
            assert_eq!(run, Run { log: named, ..quiet(fetched(&bytes), 0) });
            return assert_files(&here, &[("one", &bytes)]);
        }
        assert!(run.code == 5 && run.log.starts_with(&named) && run.log.lines().count() == 2, "{run:?}");
        // What came before it changed is good.
        let part = fs::read(part).unwrap();
        for (here, right) in part.chunks(BLOCK).zip(bytes.chunks(BLOCK)) {
            assert!(here == right || here.iter().all(|byte| *byte == 0), "something false was written");
        }
    });
}

#[test]
fn without_the_contact_a_fetch_goes_on_and_the_next_command_says_that_it_is_lost() {
    let bytes = content(60 * BLOCK, 6);
    let shared = Shared::start_with(&[("one", &bytes)], "", &["--share-rate", "10M"]);
    let mut contact = Chain::start([""]);
    let here = here();
    let part = here.path().join("one.part");
    let from = format!("get one --from {}", shared.name());
    let client = Client::start_in(here.path(), [&*contact.contact(), "-c", &from, "-c", "? tea"]);
    wait_until("some of it is here", || good_blocks(&part, &bytes).len() > 4);
    contact.servents[0].kill().unwrap();
    let run = client.finish();
    assert_eq!((&*run.out, run.code), (&*fetched(&bytes), 4), "{run:?}");
    let said = format!("client: contact {} is lost: ", contact.contact());
    assert!(run.log.starts_with(&said) && run.log.lines().count() == 1, "{run:?}");
    assert_files(&here, &[("one", &bytes)]);
}

/// What a shell does with the words of a client, in a directory.
fn shell(script: &str, client: &Command, here: &TempDir) -> std::process::Output {
    let mut shell = Command::new("unshare");
    shell.args(["--map-root-user", "--mount", "sh", "-c", script, "sh"]);
    shell.arg(client.get_program()).args(client.get_args()).current_dir(here.path());
    shell.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    Process::start(&mut shell).unwrap().output().unwrap()
}

#[test]
fn what_may_not_be_written_is_said_in_words() {
    let bytes = content(20 * BLOCK, 7);
    let shared = Shared::start(&[("one", &bytes)]);
    let here = here();
    let (_home, client) = prepared([&*shared.name(), "-c", "get one", "-c", "? tea"]);
    for blocks in [0, 100] {
        let mut shell = Command::new("sh");
        // Whoever started the tests may have had the signal ignored, which would be inherited.
        let script = format!("ulimit -f {blocks}; exec env --default-signal=XFSZ \"$@\"");
        shell.args(["-c", &*script, "sh"]).arg(client.get_program()).args(client.get_args());
        shell.current_dir(here.path()).stdout(Stdio::piped()).stderr(Stdio::piped());
        let output = Process::start(&mut shell).unwrap().output().unwrap();
        let [out, log] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
        let said = "client: cannot write one.part: File too large (os error 27)\n";
        assert_eq!((&*log, output.status.code()), (said, Some(6)));
        assert_eq!(out, "No answer received\n", "the session goes on");
        assert_eq!(names_in(here.path()), Vec::<String>::new(), "nothing came, and nothing is left");
    }
    let run = run_in(here.path(), &shared.name(), &[], &["get one"]);
    assert_eq!(run, quiet(fetched(&bytes), 0));
    assert_files(&here, &[("one", &bytes)]);
}

/// On a disk of its own, where the system lets somebody have one.
#[test]
fn a_disk_that_is_full_is_said_and_with_room_the_same_command_goes_on() {
    const SCRIPT: &str = "mount -t tmpfs -o size=1m none . && cd \"$PWD\" || exit 99
        \"$@\"; echo \"code $?\"; ls
        mount -o remount,size=64m none . && \"$@\"; echo \"code $?\"; ls";
    let bytes = content(20 * BLOCK, 8);
    let shared = Shared::start(&[("one", &bytes)]);
    let here = here();
    let (_home, client) = prepared([&*shared.name(), "-c", "get one"]);
    let output = shell(SCRIPT, &client, &here);
    let [out, log] = [&output.stdout, &output.stderr].map(|text| String::from_utf8_lossy(text).into_owned());
    if output.status.code() == Some(99) || log.starts_with("unshare: ") {
        return println!("not run: a disk of one's own cannot be had here: {log}");
    }
    let said = "client: cannot write one.part: No space left on device (os error 28); kept in one.part, the same command goes on\n";
    assert_eq!(log, said);
    assert_eq!(out, format!("code 6\none.hashes\none.part\n{}code 0\none\n", fetched(&bytes)));
}
