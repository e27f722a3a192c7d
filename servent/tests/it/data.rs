//! Data files of every odd kind, from the file system through a servent to a client.
//!
//! What a line means is tested where it is decided, in `common::store`; here the files are real and so is the program.

use std::collections::BTreeMap;
use std::fs::Permissions;
use std::io::{Seek, Write};
use std::os::unix::process::CommandExt;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use super::*;
use common::limits::VALUE_BYTES_MAX;
use common::store::Store;
use rustix::process::{Resource, Rlimit, prlimit};

/// That a servent refuses to start with this file, whether it is to serve it or to check it, and says why.
fn refused(path: &Path, reason: &str) {
    let path = path.to_str().unwrap();
    for arguments in [&["0", path][..], &["0", path, "--check"]] {
        explained(&run(arguments), path, reason);
    }
}

fn explained(output: &Output, path: &str, reason: &str) {
    let said = stderr(output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert_eq!(stdout(output), "");
    assert!(said.contains(&format!("servent: cannot read data file {path}: ")), "{said}");
    assert!(said.contains(reason), "{said}");
}

#[test]
fn what_is_no_file_is_refused() {
    let directory = tempfile::tempdir().unwrap();
    refused(&directory.path().join("nothing.txt"), "No such file or directory");
    refused(directory.path(), "it is a directory");
    refused(Path::new("/dev/zero"), "it is not a regular file");
}

/// What is read of it may be a part of what is being written.
#[test]
fn a_file_that_is_written_to_while_it_is_read_is_refused() {
    refused_while_written(OpenOptions::new().append(true));
}

#[test]
fn a_file_that_stays_as_long_while_it_is_written_to_is_refused_as_well() {
    refused_while_written(OpenOptions::new().write(true));
}

/// Somebody has it open like this, and writes a line where it begins, or where it ends if that is all they may.
fn refused_while_written(open: &OpenOptions) {
    let file = DataFile::new("tea green\n".repeat(1 << 20));
    let mut writer = open.open(file.path()).unwrap();
    let done = AtomicBool::new(false);
    let until = Instant::now() + PATIENCE;
    thread::scope(|scope| {
        scope.spawn(|| {
            while !done.load(Ordering::Relaxed) {
                writer.rewind().unwrap();
                writer.write_all(b"tea black\n").unwrap();
            }
        });
        // The machine may have something else to do just then than to write.
        let mut output = run(&["0", file.path(), "--check"]);
        while output.status.success() && Instant::now() < until {
            output = run(&["0", file.path(), "--check"]);
        }
        done.store(true, Ordering::Relaxed);
        explained(&output, file.path(), "it was written to while it was read");
    });
}

/// Opening a FIFO nobody writes to waits for ever, and so would this test.
#[test]
fn a_fifo_is_refused_and_not_waited_for() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("fifo");
    let made = Command::new("mkfifo").arg(&path).status().unwrap();
    assert!(made.success());
    refused(&path, "it is a FIFO");
}

/// A file that opens and does not read: nothing is mapped at the first byte of a process's memory.
#[test]
fn a_file_that_fails_while_it_is_read_is_refused() {
    let path = Path::new("/proc/self/mem");
    if path.exists() {
        refused(path, "Input/output error");
    } else {
        println!("not run: there is no {}", path.display());
    }
}

/// Permissions do not bind root. There the servent is run as nobody, from a copy nobody may execute.
#[test]
fn a_file_without_permission_is_refused() {
    const NOBODY: u32 = 65_534;
    let file = tea();
    fs::set_permissions(file.path(), Permissions::from_mode(0o000)).unwrap();
    if File::open(file.path()).is_err() {
        return refused(Path::new(file.path()), "Permission denied");
    }
    let directory = Path::new(file.path()).parent().unwrap();
    fs::set_permissions(directory, Permissions::from_mode(0o755)).unwrap();
    let copy = directory.join("servent");
    fs::copy(program("servent").unwrap(), &copy).unwrap();
    match Command::new(&copy).args(["0", file.path()]).uid(NOBODY).gid(NOBODY).output() {
        Ok(output) => explained(&output, file.path(), "Permission denied"),
        Err(error) => println!("not run: this is root, and it cannot start a program as nobody: {error}"),
    }
}

// ---- data and memory ----

/// Has a servent hold no more memory than it has now and so much.
fn limit_memory(servent: &Process, more: Option<u64>) {
    let limit = Rlimit { current: more.map(|more| servent.memory().asked_for as u64 + more), maximum: None };
    prlimit(Some(servent.pid()), Resource::As, limit).unwrap();
}

/// What there is no memory for is the text, or where in it the keys are.
#[test]
fn data_read_anew_for_which_there_is_too_little_memory_leaves_the_old_in_place() {
    const LINES: usize = 200_000;
    let text: String =
        (0..LINES).map(|number| format!("key-{number} value\n")).chain(["tea black\n".to_owned()]).collect();
    let text_bytes = text.len() as u64;
    let file = tea();
    let mut servent = Process::serve(&[file.path()]);
    let mut client = Peer::client(servent.address, ANSWER_PORT);
    assert_eq!(client.first_value("tea"), b"green");
    fs::write(file.path(), &text).unwrap();
    let places_bytes = 16 * LINES as u64;
    let refusals = [
        (text_bytes / 2, "there is too little memory for its"),
        (text_bytes + places_bytes / 4, "there is too little memory for the index of its keys"),
    ];
    for (place, (more, reason)) in refusals.into_iter().enumerate() {
        limit_memory(&servent, Some(more));
        servent.signal(Signal::HUP);
        servent.wait_for_log("the data read before stays", place + 1);
        assert!(servent.log.last().unwrap().contains(reason), "{:?}", servent.log);
        assert_eq!(client.first_value("tea"), b"green");
    }
    limit_memory(&servent, None);
    servent.signal(Signal::HUP);
    servent.wait_for_log(&format!("serving {}", counted(LINES + 1, "key")), 1);
    assert_eq!(client.first_value("tea"), b"black");
}

fn many_lines(version: &str) -> String {
    (0..100_000)
        .map(|number| format!("key-{number} {}\n", "v".repeat(60)))
        .chain([format!("tea {version}\n")])
        .collect()
}

/// What there is of both, and a twentieth more. What was replaced is given back.
#[test]
fn data_read_anew_takes_the_memory_of_the_old_and_the_new() {
    let (old, new) = (many_lines("green"), many_lines("black"));
    let held = Store::parse(new.clone().into_bytes()).unwrap().0.bytes_count() as u64 / 1024;
    let file = DataFile::new(old);
    let mut servent = Process::serve(&[file.path()]);
    let mut client = Peer::client(servent.address, ANSWER_PORT);
    assert_eq!(client.first_value("tea"), b"green");
    let (before, _) = servent.resident_kib();
    file.write(new);
    servent.signal(Signal::HUP);
    servent.wait_for_log("serving 100,001 keys", 2);
    assert_eq!(client.first_value("tea"), b"black");
    let (_, most) = servent.resident_kib();
    println!("{before} KiB before, {most} at most, {held} of each version");
    assert!(most <= before + held + 2 * held / 20, "{most} KiB, {before} before, {held} of each version");
    wait_until("what was replaced is gone", || servent.resident_kib().0 <= before + 2 * held / 20);
}

/// Whoever asks while it is read is answered at once, with what was read before.
#[test]
fn data_is_read_anew_beside_everything_else() {
    let file = tea();
    let mut servent = Process::serve(&[file.path()]);
    let mut client = Peer::client(servent.address, ANSWER_PORT);
    assert_eq!(client.values("tea"), [b"green"]);
    file.write(many_lines("black"));
    servent.signal(Signal::HUP);
    let until = Instant::now() + PATIENCE;
    let mut meanwhile = 0;
    while client.values("tea") == [b"green"] {
        meanwhile += 1;
        assert!(Instant::now() < until, "it is not read");
    }
    println!("{meanwhile} answers while it was read");
    assert!(meanwhile >= 10, "{meanwhile} answers while it was read");
    assert_eq!(client.values("tea"), [b"black"]);
    servent.wait_for_log("serving 100,001 keys", 1);
}

#[test]
fn data_for_which_there_is_too_little_memory_is_refused_at_the_start() {
    let text: String = (0..200_000).map(|number| format!("key-{number} {}\n", "v".repeat(100))).collect();
    let file = DataFile::new(text);
    let ended = |kib: u64| {
        let limited = format!("ulimit -v {kib}; exec \"$0\" 0 \"$1\" --check");
        Command::new("sh").args(["-c", &limited]).arg(program("servent").unwrap()).arg(file.path()).output().unwrap()
    };
    // What the program takes without data differs from machine to machine: from too little to enough.
    let mut refused_count = 0;
    for kib in (16..200).step_by(2).map(|mib| mib * 1024) {
        let output = ended(kib);
        if output.status.success() {
            break;
        }
        let said = stderr(&output);
        let is_about_data = said.contains("there is too little memory for");
        assert!(!is_about_data || output.status.code() == Some(1), "{kib} KiB: {said}");
        refused_count += usize::from(is_about_data);
    }
    assert!(refused_count > 0);
}

/// One with holes takes no place on a disk; read, it would take all the memory there is.
#[test]
fn a_file_that_is_larger_than_a_store_is_refused_before_it_is_read() {
    let file = tea();
    OpenOptions::new().write(true).open(file.path()).unwrap().set_len(1 << 40).unwrap();
    refused(Path::new(file.path()), "a text of 1099511627776 bytes is larger than the 4294967295 bytes a store takes");
}

#[test]
fn odd_content_is_served_to_the_byte() {
    type Row = (&'static str, &'static [u8], &'static [(&'static [u8], Option<&'static [u8]>)]);
    let rows: &[Row] = &[
        ("CRLF", b"tea green\r\nmate\r\n\r\n", &[(b"tea", Some(b"green")), (b"mate", Some(b"")), (b"mate\r", None)]),
        ("a byte order mark", b"\xef\xbb\xbftea green\n", &[(b"tea", Some(b"green")), (b"\xef\xbb\xbftea", None)]),
        ("invalid UTF-8", b"t\xff \xc3\x28\xfe\n", &[(b"t\xff", Some(b"\xc3\x28\xfe")), (b"t", None)]),
        ("NUL", b"a\0b c\0d\0\n\0 1\n", &[(b"a\0b", Some(b"c\0d\0")), (b"a", None), (b"\0", Some(b"1"))]),
        (
            "no value",
            b"alone\nblanks  \t\ntea green",
            &[(b"alone", Some(b"")), (b"blanks", Some(b"")), (b"tea", Some(b"green"))],
        ),
        ("duplicates", b"tea green\ntea black\nmate\ntea white\n", &[(b"tea", Some(b"white"))]),
        (
            "tabs",
            b"tea\tgreen\nmate \t \tof  two\twords\n\tindented yes\n",
            &[(b"tea", Some(b"green")), (b"mate", Some(b"of  two\twords")), (b"indented", Some(b"yes"))],
        ),
        (
            "comments",
            b"# tea no\n#tea no\n #tea yes\ntea green # leaf\n",
            &[(b"tea", Some(b"green # leaf")), (b"#tea", Some(b"yes")), (b"#", None)],
        ),
        ("nothing at all", b"", &[(b"tea", None)]),
        ("no line but blank ones", b"\n\r\n \n\t\n", &[(b"tea", None)]),
    ];
    for (name, content, expected) in rows {
        let file = DataFile::new(content);
        let servent = serve(&[file.path()]);
        let mut client = Peer::client(servent.address(), ANSWER_PORT);
        for (key, value) in *expected {
            let values: Vec<&[u8]> = value.iter().copied().collect();
            assert_eq!(client.values(key), values, "{name}: {}", key.escape_ascii());
        }
    }
}

#[test]
fn a_line_beyond_a_limit_is_warned_of_with_its_place_and_costs_no_other_line() {
    let long_value = "v".repeat(10 * 1024 * 1024);
    let long_key = "k".repeat(KEY_BYTES_MAX + 1);
    let full_key = "K".repeat(KEY_BYTES_MAX);
    let full_value = "V".repeat(VALUE_BYTES_MAX);
    let content = format!("before 1\nlong {long_value}\nbetween 2\n{long_key} x\n{full_key} {full_value}\nafter 3\n");
    let file = DataFile::new(content);
    let mut servent = serve(&[file.path()]);
    let value_warning = format!("{}:2: skipped, its value has {} bytes", file.path(), long_value.len());
    let key_warning = format!("{}:4: skipped, its key has {} bytes", file.path(), long_key.len());
    for warning in [&value_warning, &key_warning] {
        assert!(logged(&mut servent, warning).contains("WARN"));
    }
    let mut client = Peer::client(servent.address(), ANSWER_PORT);
    for (key, value) in [("before", "1"), ("between", "2"), ("after", "3"), (&full_key, &full_value)] {
        assert_eq!(client.values(key), [value.as_bytes()], "{:.10}", key);
    }
    assert!(client.values("long").is_empty());

    let check = run(&["0", file.path(), "--check"]);
    let said = stderr(&check);
    assert_eq!(check.status.code(), Some(0), "{said}");
    assert!(said.contains(&value_warning) && said.contains(&key_warning), "{said}");
    assert!(stdout(&check).contains(&format!("{}: 4 keys", file.path())), "{}", stdout(&check));
}

#[test]
fn a_file_of_the_wrong_kind_is_not_warned_of_line_by_line_for_ever() {
    let line = format!("{} x\n", "k".repeat(KEY_BYTES_MAX + 1));
    let file = DataFile::new(line.repeat(1_000));
    let check = run(&["0", file.path(), "--check"]);
    let said = stderr(&check);
    assert_eq!(check.status.code(), Some(0), "{said}");
    assert!(said.contains(&format!("{}: 980 more lines are odd", file.path())), "{said}");
    assert_eq!(said.matches(&format!("{}:", file.path())).count(), 21, "{said}");
}

#[test]
fn a_file_of_another_kind_is_warned_of_once_with_what_to_do() {
    let utf16 = |text: &str| text.encode_utf16().flat_map(u16::to_le_bytes).collect::<Vec<u8>>();
    let odd = format!("{} x\n", "k".repeat(KEY_BYTES_MAX + 1)).repeat(1_000);
    for (content, said) in [
        (
            [b"\xff\xfe".to_vec(), utf16(&odd)].concat(),
            "this looks like UTF-16, which no key is found in: save it as UTF-8",
        ),
        (utf16("tea green\n"), "this looks like UTF-16"),
        ([b"\x1f\x8b\x08".to_vec(), odd.into_bytes()].concat(), "this looks like the output of gzip: unpack it first"),
        (b"tea green\rmate bitter\r".to_vec(), "its lines end with carriage returns"),
        (b"tea green\rmate bitter\rrooibos red\rcha hot\n".to_vec(), "its lines end with carriage returns"),
    ] {
        let file = DataFile::new(content);
        let check = run(&["0", file.path(), "--check"]);
        let log = stderr(&check);
        assert_eq!(check.status.code(), Some(0), "{log}");
        assert!(log.contains(&format!("{}: {said}", file.path())), "{log}");
        assert_eq!(log.matches("WARN").count(), 1, "{log}");
    }
}

#[test]
fn the_services_file_loads_as_it_is() {
    let path = "/etc/services";
    let Ok(text) = fs::read_to_string(path) else {
        println!("not run: there is no {path} to read");
        return;
    };
    let lines = text.lines().filter(|line| !line.starts_with('#') && !line.trim().is_empty());
    let services: BTreeMap<&str, &str> = lines
        .map(|line| {
            let line = line.trim();
            let (key, value) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
            (key, value.trim_start())
        })
        .collect();
    let servent = serve(&[path]);
    let mut client = Peer::client(servent.address(), ANSWER_PORT);
    for (key, value) in &services {
        assert_eq!(client.values(key), [value.as_bytes()], "{key}");
    }
    let check = run(&["0", path, "--check"]);
    assert_eq!(stderr(&check).matches("WARN").count(), 0, "{}", stderr(&check));
    assert!(stdout(&check).contains(&format!("{path}: {} keys", services.len())), "{}", stdout(&check));
}

#[test]
fn a_servent_without_data_has_its_place_and_no_key() {
    let servent = serve(&["-"]);
    let mut client = Peer::client(servent.address(), ANSWER_PORT);
    assert!(client.values("tea").is_empty());
    client.request(Ask::Topology);
    client.expect_answer();
    assert_eq!(client.expect_finished().tally.answers, 1);
    assert!(stdout(&run(&["0", "-", "--check"])).contains("none: 0 keys"));
}

#[test]
fn a_check_tells_what_would_be_served_and_takes_no_port() {
    let file = DataFile::new("tea green\nmate bitter\ntea black\n");
    let servent = serve(&["-"]);
    let taken = servent.address().to_string();
    let options =
        [taken.as_str(), file.path(), "127.0.0.1:9001", "localhost:9002", "--ttl", "7", "--advertise", "10.0.0.1:9000"];
    let check = run(&[&options[..], &["--forward-once", "--check"]].concat());
    let said = stdout(&check);
    assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
    let words: Vec<Vec<&str>> = said.lines().map(|line| line.split_whitespace().collect()).collect();
    let data = format!("{}:", file.path());
    for expected in [
        &["listen", &taken][..],
        &["advertise", "10.0.0.1:9000"],
        &["data", &data, "2", "keys", "(1", "repeated),"],
        &["neighbors", "127.0.0.1:9001", "localhost:9002"],
        &["ttl", "7"],
        &["pass", "on", "once"],
    ] {
        assert!(words.iter().any(|line| line.starts_with(expected)), "{expected:?} is not in\n{said}");
    }
    assert!(!said.contains("listening"), "{said}");
}

#[test]
fn a_check_tells_what_is_spoken_besides_our_own_and_where_clients_are_answered_then() {
    let dialects = |options: &[&str]| {
        let check = run(&[&["0", "-", "--check"], options].concat());
        assert_eq!(check.status.code(), Some(0), "{}", stderr(&check));
        let said = stdout(&check);
        said.lines().filter(|line| line.contains("spoken")).map(str::to_owned).collect::<Vec<_>>()
    };
    assert!(dialects(&[]).is_empty());
    let said = dialects(&["--tp3", "--tp3-answers", "203.0.113.9/24"]);
    let networks = said.iter().find_map(|line| line.strip_prefix("tp3        spoken too, with clients in "));
    let networks: Vec<&str> = networks.unwrap_or_else(|| panic!("{said:?}")).split(' ').collect();
    assert!(networks.contains(&"203.0.113.0/24") && networks.contains(&"127.0.0.0/8"), "{networks:?}");
}

// ---- nobody to tell ----

/// What cannot be said is no panic: whoever started it is told by the exit code.
#[test]
fn output_that_cannot_be_written_ends_a_servent_in_order() {
    let servent = |arguments: &[&str], out: &str, err: &str| {
        let full = |path: &str| OpenOptions::new().write(true).open(path).unwrap();
        let mut command = Command::new(program("servent").unwrap());
        command.args(arguments).env("RUST_LOG", "a=b=c").stdout(full(out)).stderr(full(err));
        command.status().unwrap().code()
    };
    let (null, full) = ("/dev/null", "/dev/full");
    for (arguments, out, err, code) in [
        (&["0", "-", "--check"][..], null, full, 0),
        (&["0", "-", "--check"], full, full, 1),
        (&["0", "-"], full, full, 1),
        (&["0", "/nothing/here"], null, full, 1),
        (&["0"], null, full, 2),
        (&["--help"], full, full, 0),
    ] {
        assert_eq!(servent(arguments, out, err), Some(code), "{arguments:?} with stdout {out} and stderr {err}");
    }
    let closed = Command::new("sh")
        .args(["-c", "{ \"$0\" 0 - --check; echo $? >&2; } | true"])
        .arg(program("servent").unwrap())
        .output()
        .unwrap();
    assert!(stderr(&closed).ends_with("0\n"), "{}", stderr(&closed));
}

#[test]
fn the_name_of_a_file_moves_no_cursor() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("red\x1b[31m.txt");
    // A key that is too long is warned of.
    fs::write(&path, format!("tea green\n{} value\n", "k".repeat(5_000))).unwrap();
    let check = run(&["0", path.to_str().unwrap(), "--check"]);
    let said = [stderr(&check), String::from_utf8_lossy(&check.stdout).into_owned()];
    for text in said {
        assert!(text.contains("red\\x1b[31m.txt") && !text.contains('\x1b'), "{text:?}");
    }
    let missing = run(&["0", "none\x1b[31m", "--check"]);
    assert!(stderr(&missing).contains("none\\x1b[31m") && !stderr(&missing).contains('\x1b'), "{missing:?}");
}
