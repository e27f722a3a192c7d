//! The log of events, `--events FILE`: what is in it, and that whatever becomes of the file stops no servent. How many of
//! them make one order is tested where they are read (`topologies/program/tests/it/events.rs`).

use std::io::Read;

use super::*;
use rustix::fs::{CWD, Mode, mkfifoat};

/// Asks for so many that more is told of it than may wait to be written.
fn ask_often(address: SocketAddr) {
    let mut client = Peer::client(address, ANSWER_PORT);
    for _ in 0..200 {
        for _ in 0..200 {
            client.request(ask([b'x'; 100]));
        }
        for _ in 0..200 {
            client.expect_finished();
        }
    }
}

fn path_in(directory: &TempDir, name: &str) -> String {
    directory.path().join(name).to_str().unwrap().to_owned()
}

fn lines_of(path: &str) -> Vec<String> {
    let text = fs::read_to_string(path).unwrap();
    assert!(text.is_empty() || text.ends_with('\n'), "the last line is whole: {text}");
    text.lines().map(str::to_owned).collect()
}

/// What stands in a line behind the name of a field, up to the next one.
fn field<'a>(line: &'a str, name: &str) -> &'a str {
    let (_, rest) = line.split_once(&format!("\"{name}\":")).unwrap_or_else(|| panic!("no {name} in {line}"));
    rest.split([',', '}']).next().unwrap().trim_matches('"')
}

#[test]
fn what_happens_is_written_from_the_start_to_the_end() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "north.jsonl");
    let mut servent = serve_tea(&["--events", &path]);
    let mut client = Peer::client(servent.address(), ANSWER_PORT);
    assert_eq!(client.values("tea"), [b"green"]);
    servent.signal(Signal::TERM);
    assert!(servent.wait().unwrap().success(), "{}", servent.log_text());

    let lines = lines_of(&path);
    let told: Vec<&str> = lines.iter().map(|line| field(line, "event")).collect();
    assert_eq!(
        told,
        ["started", "received", "sent", "received", "asked", "sent", "sent", "sent", "stopped"],
        "{lines:?}"
    );
    let messages: Vec<&str> =
        lines.iter().filter(|line| line.contains("\"message\"")).map(|line| field(line, "message")).collect();
    assert_eq!(messages, ["hello", "hello", "request", "? tea", "answer", "finished", "goodbye"]);
    let clocks: Vec<u64> = lines.iter().map(|line| field(line, "clock").parse().unwrap()).collect();
    assert!(clocks.is_sorted() && clocks[0] == 0, "{clocks:?}");
    let address = servent.address().to_string();
    for (place, line) in lines.iter().enumerate() {
        let id = field(&lines[0], "id");
        let begins = format!(
            "{{\"clock\":{},\"servent\":\"{address}\",\"id\":\"{id}\",\"n\":{},\"at_unix_ms\":",
            clocks[place],
            place + 1
        );
        assert!(line.starts_with(&begins) && id.len() == 16, "{line}");
    }
    assert!(lines.last().unwrap().ends_with("\"reason\":\"it was told to\"}"), "{lines:?}");
}

#[test]
fn one_that_is_started_anew_writes_behind_what_was_there() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "north.jsonl");
    for round in 1..=2 {
        let mut servent = serve(&["-", "--events", &path]);
        Peer::client(servent.address(), ANSWER_PORT);
        // Each is written at once; of a line that is being written nothing else is said.
        wait_until("it has written", || fs::read_to_string(&path).unwrap().matches('\n').count() == 3 * round);
        servent.kill().unwrap();
    }
    let lines = lines_of(&path);
    let numbers: Vec<&str> = lines.iter().map(|line| field(line, "n")).collect();
    assert_eq!(numbers, ["1", "2", "3", "1", "2", "3"], "{lines:?}");
    assert_ne!(field(&lines[0], "id"), field(&lines[3], "id"));
}

#[test]
fn a_fifo_that_nobody_opens_or_reads_stops_nobody() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "fifo");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    for is_opened in [false, true] {
        let mut servent = Process::serve(&["-", "--events", &path]);
        let reader = is_opened.then(|| File::open(&path).unwrap());
        ask_often(servent.address);
        servent.signal(Signal::TERM);
        assert_eq!(servent.wait().code(), Some(0), "{:?}", servent.log);
        drop(reader);
    }
}

#[test]
fn who_reads_a_fifo_late_is_told_how_much_was_dropped() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "fifo");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    let mut servent = Process::serve(&["-", "--events", &path]);
    ask_often(servent.address);
    let mut reader = BufReader::new(File::open(&path).unwrap());
    let (mut lines, mut dropped) = (0_u64, 0);
    while dropped == 0 {
        let mut line = String::new();
        assert!(reader.read_line(&mut line).unwrap() > 0, "nothing was dropped of {lines} lines");
        lines += 1;
        assert_eq!(field(&line, "n"), lines.to_string());
        if field(&line, "event") == "dropped" {
            dropped = field(&line, "count").parse().unwrap();
        }
    }
    assert!(dropped > 1 && lines > 1_000, "{lines} lines, {dropped} dropped");
    let rest = thread::spawn(move || reader.read_to_end(&mut Vec::new()));
    servent.signal(Signal::TERM);
    assert_eq!(servent.wait().code(), Some(0), "{:?}", servent.log);
    rest.join().unwrap().unwrap();
}

#[test]
fn a_reader_that_leaves_and_a_full_disk_end_the_log_which_is_said_once() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "fifo");
    mkfifoat(CWD, &path, Mode::RUSR | Mode::WUSR).unwrap();
    for (file, reason) in [(path.as_str(), "Broken pipe"), ("/dev/full", "No space left on device")] {
        let mut servent = Process::serve(&["-", "--events", file]);
        if file == path {
            let mut line = String::new();
            BufReader::new(File::open(&path).unwrap()).read_line(&mut line).unwrap();
            assert_eq!(field(&line, "event"), "started");
        }
        let mut client = Peer::client(servent.address, ANSWER_PORT);
        let said = format!("no more events are written to {file}: {reason}");
        servent.wait_for_log(&said, 1);
        assert!(client.values("tea").is_empty());
        servent.signal(Signal::TERM);
        assert_eq!(servent.wait().code(), Some(0));
        assert_eq!(servent.log.iter().filter(|line| line.contains("no more events")).count(), 1, "{:?}", servent.log);
    }
}

#[test]
fn a_file_that_may_not_grow_ends_with_a_whole_line() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "north.jsonl");
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""]).arg(program("servent").unwrap());
    let mut servent = Process::start(shell.args(["127.0.0.1:0", "-", "--events", &path]));
    let mut client = Peer::client(servent.address, ANSWER_PORT);
    (0..20).for_each(|_| assert!(client.values("tea").is_empty()));
    servent.wait_for_log("no more events are written to ", 1);
    assert!(client.values("tea").is_empty());
    servent.signal(Signal::TERM);
    assert_eq!(servent.wait().code(), Some(0));
    assert!(lines_of(&path).len() > 1);
}

#[test]
fn what_cannot_be_written_to_keeps_a_servent_from_starting_and_a_check_says_so() {
    let directory = TempDir::new().unwrap();
    let here = path_in(&directory, "");
    let below_a_file = path_in(&directory, "file/log");
    fs::write(path_in(&directory, "file"), "").unwrap();
    for (path, reason) in
        [(here.as_str(), "it is a directory"), ("/nowhere/log", "No such file"), (&below_a_file, "Not a directory")]
    {
        for check in [&[][..], &["--check"]] {
            let output = run(&[&["127.0.0.1:0", "-", "--events", path], check].concat());
            assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{path}");
            let said = format!("servent: cannot write events to {path}: {reason}");
            assert!(stderr(&output).contains(&said), "{check:?} {}", stderr(&output));
        }
    }
}

#[test]
fn a_check_says_what_is_there_of_a_log_and_changes_nothing() {
    let directory = TempDir::new().unwrap();
    let [file, half, new, fifo] = ["north.jsonl", "half", "new", "fifo"].map(|name| path_in(&directory, name));
    fs::write(&file, "{}\n").unwrap();
    fs::write(&half, "{").unwrap();
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    let stands =
        || [&file, &half].map(|path| (fs::read(path).unwrap(), fs::metadata(path).unwrap().modified().unwrap()));
    let before = stands();
    for (path, said) in [
        (file.as_str(), "3 bytes there already"),
        (&half, "1 byte there already"),
        (&new, "not there yet"),
        (&fifo, "a FIFO"),
        ("/dev/full", "not a regular file"),
    ] {
        let output = run(&["0", "-", "--events", path, "--check"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        assert!(stdout(&output).contains(&format!("\nevents     {path}: {said}\n")), "{}", stdout(&output));
    }
    assert_eq!(stands(), before);
    assert!(!fs::exists(&new).unwrap());
}

/// The log would be replaced by the list of members, and that would be no list then.
#[test]
fn a_log_in_the_members_file_is_refused_by_every_path_of_it() {
    let directory = TempDir::new().unwrap();
    let [file, link] = ["north", "link"].map(|name| path_in(&directory, name));
    fs::write(&file, "127.0.0.1:9001\n").unwrap();
    std::os::unix::fs::symlink(&file, &link).unwrap();
    for words in [["--members", &file, "--events", &link], ["--events", &file, "--members", &file]] {
        for check in [&[][..], &["--check"]] {
            let output = run(&[&["127.0.0.1:0", "-"], &words[..], check].concat());
            assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(2), ""), "{words:?}");
            let said = format!("error: --members and --events are one file, {file}: name another file for --events\n");
            assert!(stderr(&output).starts_with(&said), "{}", stderr(&output));
        }
    }
    assert_eq!(fs::read_to_string(&file).unwrap(), "127.0.0.1:9001\n");
}
