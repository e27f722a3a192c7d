use std::io::{BufRead, BufReader, Read};

use rustix::fs::{CWD, Mode, mkfifoat};
use tempfile::TempDir;

use super::*;

const ID: u64 = 0x1f;

fn servent() -> SocketAddr {
    ([127, 0, 0, 1], 9001).into()
}

fn peer() -> SocketAddr {
    "[::1]:9002".parse().unwrap()
}

fn heard(clock: u64) -> LoggedEvent {
    LoggedEvent { clock, what: EventKind::Received { message: "peers wanted", peer: peer(), stamp: clock - 1 } }
}

fn open_log(path: &Path) -> EventsFile {
    EventsFile::open(path, servent(), ServentId(ID.into())).unwrap()
}

/// Lines without what differs from time to time.
fn lines_of(path: &Path) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(timeless).collect()
}

fn timeless(line: &str) -> String {
    let (before, rest) = line.split_once(",\"at_unix_ms\":").unwrap();
    let digits = rest.bytes().take_while(u8::is_ascii_digit).count();
    assert!(digits == 13, "{line}");
    format!("{before}{}", &rest[digits..])
}

fn fifo(directory: &TempDir) -> PathBuf {
    let path = directory.path().join("fifo");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    path
}

/// The clock and the kind of a line, and the number of those that were dropped.
fn told(line: &str) -> (u64, u64, String) {
    let number = |name: &str| {
        let (_, rest) = line.split_once(&format!("\"{name}\":")).unwrap();
        rest.chars().take_while(char::is_ascii_digit).collect::<String>().parse().unwrap()
    };
    let (_, event) = line.split_once("\"event\":").unwrap();
    (number("clock"), number("n"), event.to_owned())
}

#[test]
fn a_line_is_an_object_with_its_fields_in_one_order() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("north.jsonl");
    let mut log = open_log(&path);
    let text = |text: &str| text.to_owned();
    for (clock, what) in [
        (0, EventKind::Started),
        (41, EventKind::Linked { peer: peer() }),
        (44, EventKind::Received { message: "peers wanted", peer: peer(), stamp: 43 }),
        (44, EventKind::Asked { peer: peer(), message: text("? \"tea\"\\\u{1b}[2J\u{202e}é") }),
        (44, EventKind::Operation { command: "put", peer: peer(), subject: text("tea\u{1b}"), outcome: "stored" }),
        (45, EventKind::Sent { message: "peers", peer: peer() }),
        (46, EventKind::Member { peer: peer(), was: Some("online"), now: Some("failed"), why: text("it refused") }),
        (46, EventKind::Member { peer: peer(), was: None, now: Some("online"), why: text("heard of") }),
        (47, EventKind::Unlinked { peer: peer(), reason: text("it left") }),
        (48, EventKind::Stopped { reason: text("told to stop") }),
    ] {
        log.add(&LoggedEvent { clock, what });
    }
    log.finish();
    let servent = "\"servent\":\"127.0.0.1:9001\",\"id\":\"000000000000001f\"";
    let expected = [
        "0 \"event\":\"started\"",
        "41 \"event\":\"linked\",\"peer\":\"[::1]:9002\"",
        "44 \"event\":\"received\",\"message\":\"peers wanted\",\"peer\":\"[::1]:9002\",\"stamp\":43",
        r#"44 "event":"asked","message":"? \"tea\"\\\\x1b[2J\\u{202e}é","peer":"[::1]:9002""#,
        r#"44 "event":"put","peer":"[::1]:9002","subject":"tea\\x1b","outcome":"stored""#,
        "45 \"event\":\"sent\",\"message\":\"peers\",\"peer\":\"[::1]:9002\"",
        r#"46 "event":"member","peer":"[::1]:9002","was":"online","now":"failed","why":"it refused""#,
        r#"46 "event":"member","peer":"[::1]:9002","now":"online","why":"heard of""#,
        "47 \"event\":\"unlinked\",\"peer\":\"[::1]:9002\",\"reason\":\"it left\"",
        "48 \"event\":\"stopped\",\"reason\":\"told to stop\"",
    ];
    let expected = expected.iter().enumerate().map(|(place, line)| {
        let (clock, rest) = line.split_once(' ').unwrap();
        format!("{{\"clock\":{clock},{servent},\"n\":{},{rest}}}", place + 1)
    });
    assert_eq!(lines_of(&path), expected.collect::<Vec<_>>());
}

#[test]
fn what_is_there_stays_and_half_a_line_is_ended_first() {
    let directory = TempDir::new().unwrap();
    for (before, expected) in [("", ""), ("whole\n", "whole\n"), ("whole\nhal", "whole\nhal\n")] {
        let path = directory.path().join("log");
        fs::write(&path, before).unwrap();
        let mut log = open_log(&path);
        log.add(&heard(7));
        log.finish();
        let text = fs::read_to_string(&path).unwrap();
        let line = text.strip_prefix(expected).unwrap();
        assert!(line.starts_with("{\"clock\":7,") && line.ends_with("}\n") && line.lines().count() == 1, "{text}");
    }
}

#[test]
fn a_file_that_is_long_enough_is_begun_anew_and_the_one_before_goes() {
    let directory = TempDir::new().unwrap();
    let (path, older) = (directory.path().join("log"), directory.path().join("log.1"));
    fs::write(&older, "of another time\n").unwrap();
    const BYTES_MAX: u64 = 2_000;
    let mut log = EventsFile::open_with(&path, servent(), ID, BYTES_MAX, EVENTS_WAITING_BYTES_MAX).unwrap();
    for clock in 1..=100 {
        log.add(&heard(clock));
        log.finish();
    }
    let whole: Vec<String> = lines_of(&older).into_iter().chain(lines_of(&path)).collect();
    let numbers: Vec<u64> = whole.iter().map(|line| told(line).1).collect();
    assert!(numbers.is_sorted_by(|one, next| one + 1 == *next) && numbers.last() == Some(&100), "{numbers:?}");
    assert!(numbers.len() > 10 && numbers.len() < 100);
    for file in [&path, &older] {
        assert!(fs::metadata(file).unwrap().len() <= BYTES_MAX);
    }
    // Also where it is long enough before anything is written.
    fs::write(&path, "x".repeat(1_999) + "\n").unwrap();
    let mut log = EventsFile::open_with(&path, servent(), ID, BYTES_MAX, EVENTS_WAITING_BYTES_MAX).unwrap();
    log.add(&heard(1));
    log.finish();
    assert!(lines_of(&path).len() == 1 && fs::metadata(&older).unwrap().len() == BYTES_MAX);
}

#[test]
fn lines_that_do_not_fit_are_one_line_that_says_how_many() {
    const EVENTS: u64 = 5_000;
    let directory = TempDir::new().unwrap();
    let path = fifo(&directory);
    // Nobody has opened it yet: whoever writes waits for that, and nobody else does.
    let mut log = EventsFile::open_with(&path, servent(), ID, EVENTS_FILE_BYTES_MAX, 10_000).unwrap();
    (1..=EVENTS).for_each(|clock| log.add(&heard(clock)));
    let reader = File::open(&path).unwrap();
    let mut lines = BufReader::new(reader).lines().map(|line| told(&line.unwrap()));
    let (mut seen, mut dropped) = (0, 0);
    for n in 1.. {
        let (clock, number, event) = lines.next().unwrap();
        assert_eq!(number, n);
        match event.strip_prefix("\"dropped\",\"count\":") {
            Some(count) => {
                dropped += count.trim_end_matches('}').parse::<u64>().unwrap();
                assert_eq!(clock, seen + dropped, "it has the clock of the last of them");
            }
            None => {
                seen += 1;
                assert_eq!(clock, seen + dropped);
            }
        }
        if clock == EVENTS {
            break;
        }
    }
    assert!(seen > 20 && dropped > 1_000, "{seen} seen, {dropped} dropped");
    // From here on it is as if nothing had been.
    log.add(&heard(EVENTS + 1));
    assert_eq!(lines.next().unwrap().0, EVENTS + 1);
}

#[test]
fn a_reader_that_leaves_ends_the_log_and_nothing_else() {
    let directory = TempDir::new().unwrap();
    let path = fifo(&directory);
    let mut log = open_log(&path);
    log.add(&heard(1));
    let mut reader = BufReader::new(File::open(&path).unwrap());
    let mut line = String::new();
    reader.read_line(&mut line).unwrap();
    assert_eq!(told(&line).0, 1);
    drop(reader);
    log.add(&heard(2));
    let shared = Arc::clone(&log.shared);
    let ended = shared.emptied.wait_while(shared.lock(), |lines| !lines.is_over).unwrap();
    assert!(ended.waiting.is_empty());
    drop(ended);
    log.add(&heard(3));
    assert!(shared.lock().waiting.is_empty(), "nothing is written to it any more");
    log.finish();
}

#[test]
fn a_full_disk_ends_the_log_and_the_last_words_wait_for_nothing() {
    let mut log = open_log(Path::new("/dev/full"));
    log.add(&heard(1));
    let shared = Arc::clone(&log.shared);
    drop(shared.emptied.wait_while(shared.lock(), |lines| !lines.is_over).unwrap());
    log.finish();
}

#[test]
fn what_was_written_of_half_a_line_is_taken_back() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    fs::write(&path, "one\n").unwrap();
    let opened = open(&path, true).unwrap();
    let after = |written: &str| {
        (&opened.file).write_all(written.as_bytes()).unwrap();
        opened.cut(written.as_bytes()).unwrap();
        let text = fs::read_to_string(&path).unwrap();
        opened.file.set_len(4).unwrap();
        text
    };
    assert_eq!(after("two\nthr"), "one\ntwo\n");
    assert_eq!(after("tw"), "one\n");
    assert_eq!(after("two\n"), "one\ntwo\n");
    // Somebody has written behind it.
    (&opened.file).write_all(b"twof another\n").unwrap();
    opened.cut(b"tw").unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "one\ntwof another\n");
}

#[test]
fn what_cannot_be_written_to_is_refused_in_words() {
    let directory = TempDir::new().unwrap();
    let refused = |path: &Path| format!("{:#}", EventsFile::open(path, servent(), ServentId(ID.into())).unwrap_err());
    assert!(refused(directory.path()).ends_with(": it is a directory"));
    let nowhere = refused(&directory.path().join("none/log\u{1b}"));
    assert!(
        nowhere.starts_with("cannot write events to ") && nowhere.contains("/none/log\\x1b: No such file"),
        "{nowhere}"
    );
    let through = refused(&PathBuf::from("/dev/null/log"));
    assert!(through.contains("Not a directory"), "{through}");
}

#[test]
fn a_piece_is_of_whole_lines() {
    for (lines, bytes_max, expected) in
        [("ab\ncd\nef\n", 9, 9), ("ab\ncd\nef\n", 8, 6), ("ab\ncd\nef\n", 3, 3), ("ab\ncd\n", 2, 3), ("ab\n", 100, 3)]
    {
        assert_eq!(piece_of(lines.as_bytes(), bytes_max), expected, "{lines:?} {bytes_max}");
    }
}

#[test]
fn nothing_is_started_for_a_log_of_nothing() {
    let directory = TempDir::new().unwrap();
    let path = directory.path().join("log");
    let log = open_log(&path);
    log.finish();
    assert!(!log.shared.lock().has_thread);
    let mut text = String::new();
    File::open(&path).unwrap().read_to_string(&mut text).unwrap();
    assert_eq!(text, "");
}
