//! Servents that end in the middle of writing: whatever was acknowledged is there, in order.

use std::collections::BTreeMap;
use std::sync::mpsc::{Sender, channel};

use super::*;

/// Kills in one test; `make test-long` has more.
const KILLS: u64 = 20;
const WRITERS: usize = 4;
/// So many writes of one writer are on their way.
const UNDER_WAY: u64 = 3;
/// Each writer writes these in turn, beside the key that has its last number.
const KEYS: u64 = 5;

fn kills() -> u64 {
    std::env::var("KILLS").map_or(KILLS, |count| count.parse().unwrap())
}

/// What one writer knows of its writes: those up to here were acknowledged, and those up to there were said.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    acknowledged: u64,
    said: u64,
}

/// The write of this number. Each fifth deletes what was written five before.
fn change(writer: usize, number: u64) -> Change {
    let key = format!("{writer}/{}", number % KEYS);
    if number % (2 * KEYS) >= KEYS && number.is_multiple_of(3) {
        return Change::Delete { key: Key::new(key.as_bytes()).unwrap() };
    }
    put(key, format!("{number}{}", " and more".repeat((number % 7) as usize * 50)))
}

/// What is there of a writer once it has done all up to this number.
fn state_after(writer: usize, number: u64) -> BTreeMap<Vec<u8>, Vec<u8>> {
    let mut state = BTreeMap::new();
    for number in 1..=number {
        match change(writer, number) {
            Change::Put { key, value } => drop(state.insert(key.as_bytes().to_vec(), value.to_vec())),
            Change::Delete { key } => drop(state.remove(key.as_bytes())),
            other => panic!("{other:?}"),
        }
    }
    state
}

/// Writes until the servent is gone, and says of each that is acknowledged that it is.
fn write(writer: usize, client: &mut Writer, begin: u64, tell: &Sender<()>) -> Progress {
    let mut progress = Progress { acknowledged: begin, said: begin };
    loop {
        while progress.said < progress.acknowledged + UNDER_WAY {
            progress.said += 1;
            client.say(change(writer, progress.said));
        }
        let Some(written) = client.hear() else { return progress };
        progress.acknowledged += 1;
        assert_eq!(written.sequence, progress.acknowledged - begin);
        assert!(!matches!(written.outcome, WriteOutcome::Refused(_)), "{written:?}");
        // Whoever has killed it has heard enough.
        let _ = tell.send(());
    }
}

/// All that is kept, by writer.
fn kept(place: &StorePlace) -> Vec<BTreeMap<Vec<u8>, Vec<u8>>> {
    let mut states = vec![BTreeMap::new(); WRITERS];
    for line in place.exported().split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
        let blank = line.iter().position(|byte| *byte == b' ').unwrap();
        let writer: usize = std::str::from_utf8(&line[..1]).unwrap().parse().unwrap();
        states[writer].insert(line[..blank].to_vec(), line[blank + 1..].to_vec());
    }
    states
}

/// Up to where the writes of a writer are there: no less than was acknowledged, no more than was said, and in order.
fn check(writer: usize, state: &BTreeMap<Vec<u8>, Vec<u8>>, progress: Progress) -> u64 {
    let Progress { acknowledged, said } = progress;
    let is_it = |number: &u64| state_after(writer, *number) == *state;
    (acknowledged..=said).rev().find(is_it).unwrap_or_else(|| panic!("writer {writer}, {progress:?}: {state:?}"))
}

/// Writes with all writers until so many of their writes were acknowledged, and then does this to the servent.
fn write_until(place: &StorePlace, begin: &[u64], count: u64, end: impl FnOnce(Process)) -> Vec<Progress> {
    let servent = place.serve("-");
    let (tell, told) = channel();
    // All have come before the first of them has enough.
    let clients: Vec<Writer> = begin.iter().map(|_| Writer::at(servent.address)).collect();
    let writers = clients.into_iter().zip(begin).enumerate().map(|(writer, (mut client, begin))| {
        let (begin, tell) = (*begin, tell.clone());
        thread::spawn(move || write(writer, &mut client, begin, &tell))
    });
    let writers: Vec<_> = writers.collect();
    for _ in 0..count {
        told.recv_timeout(PATIENCE).unwrap();
    }
    end(servent);
    writers.into_iter().map(|writer| writer.join().unwrap()).collect()
}

#[test]
fn whoever_is_killed_while_four_write_has_all_that_was_acknowledged_in_order() {
    let place = StorePlace::new();
    let mut begin = vec![0; WRITERS];
    for kill in 0..kills() {
        let progress = write_until(&place, &begin, 1 + kill * 7 % 61, |mut servent| {
            servent.signal(Signal::KILL);
            servent.wait();
        });
        let states = kept(&place);
        let number = |(writer, progress): (usize, &Progress)| check(writer, &states[writer], *progress);
        begin = progress.iter().enumerate().map(number).collect();
    }
    // It is as it was printed.
    let servent = place.serve("-");
    let states = kept(&place);
    for (key, value) in states.iter().flatten() {
        assert_eq!(&values(servent.address, key), std::slice::from_ref(value));
    }
    let said = ended(servent);
    assert!(said.contains("was not closed: all of it was written anew"), "{said}");
}

/// What waits is on the disk and acknowledged, or whoever wrote is told nothing.
#[test]
fn whoever_is_told_to_end_while_four_write_says_stored_of_nothing_that_is_not() {
    let place = StorePlace::new();
    let mut begin = vec![0; WRITERS];
    for count in [1, 30, 100] {
        let progress = write_until(&place, &begin, count, |servent| {
            let said = ended(servent);
            assert!(!said.contains("is not closed"), "{said}");
        });
        let states = kept(&place);
        let number = |(writer, progress): (usize, &Progress)| check(writer, &states[writer], *progress);
        begin = progress.iter().enumerate().map(number).collect();
        let check = run(&["0", "-", "--store", &place.database(), "--check"]);
        assert!(!stdout(&check).contains("not closed"), "{}", stdout(&check));
    }
}

/// Has all syncs fail that a thread makes from this one of its own on, beginning with 1. What the next start says of `tea`, which
/// was green and was to be black; nothing where the write was done before that sync, or where nobody can have it fail here.
fn tea_after_a_disk_that_fails(first: usize) -> Option<Vec<u8>> {
    let place = StorePlace::new();
    place.keep(&[(b"tea", b"green")]);
    let trace = place.at("trace");
    let failing = |program: std::path::PathBuf| {
        let mut command = Command::new("strace");
        // Each thread has a count of its own: whatever another one did after that would be well, and be noticed.
        let fails = format!("inject=fdatasync:error=EIO:when={first}+");
        command.args(["-D", "-f", "-y", "-e", "trace=fdatasync,pwrite64", "-e", &fails, "-o", &trace]).arg(program);
        command
    };
    match failing("true".into()).output() {
        Ok(output) if output.status.success() => {}
        _ => {
            println!("not run: there is no strace that makes calls fail here");
            return None;
        }
    }
    let mut command = failing(program("servent").unwrap());
    let servent = Process::start(command.args(["127.0.0.1:0", "-", "--store", &place.database()]));
    let mut writer = Writer::at(servent.address);
    let is_failed = WriteOutcome::Refused(WriteRefusal::DiskFailed);
    match writer.put("tea", "black") {
        WriteOutcome::Replaced => return None,
        outcome => assert_eq!(outcome, is_failed),
    }
    for (key, value) in [("tea", "red"), ("coffee", "strong")] {
        assert_eq!(writer.put(key, value), is_failed);
    }
    assert_eq!(values(servent.address, "tea"), [b"green"], "what it has it serves");
    ended(servent);
    wait_until("the trace is whole", || fs::read_to_string(&trace).unwrap().contains("+++ exited with 0 +++"));
    let text = fs::read_to_string(&trace).unwrap();
    let (_, after) = text.split_once("EIO").unwrap();
    assert!(!after.contains("pwrite64(") && !after.contains("fdatasync("), "{after}");
    let servent = place.serve("-");
    let [tea] = values(servent.address, "tea").try_into().unwrap();
    assert_eq!(values(servent.address, "coffee"), Vec::<Vec<u8>>::new());
    assert_eq!(Writer::at(servent.address).put("mate", "bitter"), WriteOutcome::Stored);
    let said = ended(servent);
    assert!(said.contains("was not closed: all of it was written anew"), "{said}");
    assert_eq!(place.exported(), [b"mate bitter\ntea ", &tea[..], b"\n"].concat());
    Some(tea)
}

/// What was under way when it failed may be there then: so the pages say. What came later is not.
#[test]
fn a_disk_that_fails_takes_no_more_and_at_the_next_start_all_is_written_anew() {
    const SYNCS_MAX: usize = 8;
    let found: Vec<Vec<u8>> = (1..=SYNCS_MAX).map_while(tea_after_a_disk_that_fails).collect();
    assert!(found.len() < SYNCS_MAX, "a write has an end");
    assert!(found.iter().all(|tea| tea == b"green" || tea == b"black"), "{found:?}");
    // With the last sync of a write all of it is where whoever starts next reads.
    assert!(found.last().is_none_or(|tea| tea == b"black"), "{found:?}: the pages could say that it is not there");
}

/// The calls of a servent of which it says that something is on the disk, and those that see to that.
fn traced_calls(place: &StorePlace, writes: usize) -> Option<Vec<String>> {
    let trace = place.at("trace");
    let traced = |program: std::path::PathBuf| {
        let mut command = Command::new("strace");
        let calls = "trace=fdatasync,fsync,rename,sendto,write,writev,recvfrom,read";
        command.args(["-D", "-f", "-y", "-s", "64", "-e", calls, "-o", &trace]).arg(program);
        command
    };
    match traced("true".into()).output() {
        Ok(output) if output.status.success() => {}
        _ => {
            println!("not run: system calls cannot be traced here");
            return None;
        }
    }
    let mut command = traced(program("servent").unwrap());
    let mut servent = Process::start(command.args(["127.0.0.1:0", "-", "--store", &place.database()]));
    let mut writer = Writer::at(servent.address);
    for number in 0..writes {
        writer.put("tea", format!("value-{number}."));
    }
    servent.signal(Signal::TERM);
    servent.wait();
    // Whoever traces it ends after it.
    wait_until("the trace is whole", || fs::read_to_string(&trace).unwrap().contains("+++ exited with 0 +++"));
    Some(fs::read_to_string(trace).unwrap().lines().map(str::to_owned).collect())
}

/// What was under way may be there at the next start, and nobody was told that it is. What waited behind it is not.
#[test]
fn whoever_is_told_to_end_while_a_sync_hangs_ends_and_says_stored_of_nothing() {
    let place = StorePlace::new();
    place.keep(&[(b"tea", b"green"), (b"mate", b"bitter")]);
    let slow = |program: std::path::PathBuf| {
        let mut command = Command::new("strace");
        // Each is longer than whoever ends waits for all of it, and the first write has several. None can be ended before.
        let hangs = "inject=fdatasync:delay_enter=5s";
        command.args(["-D", "-f", "-e", "trace=fdatasync", "-e", hangs, "-o", "/dev/null"]).arg(program);
        command
    };
    match slow("true".into()).output() {
        Ok(output) if output.status.success() => {}
        _ => return println!("not run: there is no strace that makes calls take long here"),
    }
    let mut command = slow(program("servent").unwrap());
    let servent = Process::start(command.args(["127.0.0.1:0", "-", "--store", &place.database()]));
    let mut writer = Writer::at(servent.address);
    writer.say(put("tea", "black"));
    writer.say(put("coffee", "strong"));
    // Both have come once this is answered.
    writer.peer.say(&Message::Ping);
    assert_eq!(writer.peer.expect(), Message::Pong);
    assert_eq!(values(servent.address, "tea"), [b"green"]);
    let said = ended(servent);
    assert_eq!(writer.hear(), None, "it is not on the disk");
    assert!(said.contains("is not closed: its disk takes too long"), "{said}");
    let servent = place.serve("-");
    let [tea] = values(servent.address, "tea").try_into().unwrap();
    assert!(tea == b"green" || tea == b"black", "{}", tea.escape_ascii());
    assert_eq!(values(servent.address, "mate"), [b"bitter"]);
    assert_eq!(values(servent.address, "coffee"), Vec::<Vec<u8>>::new());
    assert_eq!(Writer::at(servent.address).put("coffee", "weak"), WriteOutcome::Stored);
    ended(servent);
}

#[test]
fn it_says_stored_after_the_sync_has_returned() {
    let (place, writes) = (StorePlace::new(), 20);
    let Some(lines) = traced_calls(&place, writes) else { return };
    let find = |from: usize, what: &str, is_it: &dyn Fn(&str) -> bool| {
        let found = lines.iter().skip(from).position(|line| is_it(line));
        from + found.unwrap_or_else(|| panic!("no {what} from line {from} on of\n{}", lines.join("\n")))
    };
    // Made beside, synced, renamed, and the directory synced.
    let made = find(0, "sync", &|line| line.contains("fdatasync(") && line.contains("north.db.new>"));
    let renamed = find(made, "rename", &|line| line.contains("rename(") && line.ends_with("= 0"));
    let mut at = find(renamed, "sync of the directory", &|line| line.contains(" fsync("));
    for number in 0..writes {
        let came = find(at, "write", &|line| line.contains(&format!("value-{number}.")));
        // A call that others came in between of is told in two lines; the second says what came of it.
        let synced = find(came, "sync", &|line| line.contains("fdatasync") && line.ends_with("= 0"));
        // How many bytes follow, the stamp, what it is (26), the sequence and what came of it.
        let told = find(came, "word", &|line| {
            line.contains("<socket:")
                && line.contains(r#"\0\0\0\4"#)
                && line.contains(r"\32")
                && !line.contains("recvfrom(")
        });
        assert!(synced < told, "value {number}, lines {synced} and {told}:\n{}", lines.join("\n"));
        at = told;
    }
}
