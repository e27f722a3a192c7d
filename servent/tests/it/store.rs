//! What is kept, `--store FILE`: made, opened, looked at, printed, and refused where it is no database.
//!
//! Which writes are taken and what comes of them is tested where it is decided (`common/tests/it/overlay/writes.rs`), and what
//! becomes of a database on bad days in `servent/database`; here the files are real and so is the program.

mod export;
mod killed;
mod room;
mod unread;

use std::sync::Arc;

use super::*;
use common::content::search::FileName;
use common::features::Features;
use common::key::Key;
use common::write::{Change, Write as WriteSaid, WriteOutcome, WriteRefusal, Written};

/// A directory for a database.
pub(super) struct StorePlace {
    directory: TempDir,
}

impl StorePlace {
    pub(super) fn new() -> StorePlace {
        StorePlace { directory: TempDir::new().unwrap() }
    }

    pub(super) fn at(&self, name: &str) -> String {
        self.directory.path().join(name).to_str().unwrap().to_owned()
    }

    pub(super) fn database(&self) -> String {
        self.at("north.db")
    }

    /// Starts one that keeps what is written here, above this data.
    pub(super) fn serve(&self, data: &str) -> Process {
        Process::serve(&[data, "--store", &self.database()])
    }

    /// Puts these with a servent that is gone after that.
    pub(super) fn keep(&self, pairs: &[(&[u8], &[u8])]) {
        let servent = self.serve("-");
        let mut writer = Writer::at(servent.address);
        for (key, value) in pairs {
            writer.put(key, value);
        }
        ended(servent);
    }

    /// Its lines, as they are printed.
    pub(super) fn exported(&self) -> Vec<u8> {
        let output = run(&["--export", &self.database()]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        output.stdout
    }
}

/// A client that has its contact keep something.
pub(super) struct Writer {
    pub(super) peer: Peer,
    said_count: u64,
}

impl Writer {
    pub(super) fn at(contact: SocketAddr) -> Writer {
        let mut peer = Peer::stranger(contact);
        peer.greet_offering(Role::Client { answer_port: 0 }, Features::OF_CLIENTS);
        Writer { peer, said_count: 0 }
    }

    /// Says a write, and waits for nothing.
    pub(super) fn say(&mut self, change: Change) {
        self.said_count += 1;
        let message = Message::Write(WriteSaid { sequence: self.said_count, change });
        self.peer.say_to_whoever_is_there(&message);
    }

    /// What came of the next one; nothing where the contact is gone.
    pub(super) fn hear(&mut self) -> Option<Written> {
        match self.peer.hear() {
            Heard::Message(Message::Written(written)) => Some(written),
            Heard::Message(Message::Goodbye(_)) | Heard::End => None,
            Heard::Message(other) => panic!("{other:?}"),
        }
    }

    pub(super) fn write(&mut self, change: Change) -> WriteOutcome {
        self.say(change);
        let Written { sequence, outcome } = self.hear().expect("the contact is there");
        assert_eq!(sequence, self.said_count);
        outcome
    }

    pub(super) fn put(&mut self, key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> WriteOutcome {
        self.write(put(key, value))
    }

    pub(super) fn delete(&mut self, key: &str) -> WriteOutcome {
        self.write(Change::Delete { key: Key::new(key.as_bytes()).unwrap() })
    }
}

pub(super) fn put(key: impl AsRef<[u8]>, value: impl AsRef<[u8]>) -> Change {
    Change::Put { key: Key::new(key.as_ref()).unwrap(), value: Arc::from(value.as_ref()) }
}

/// Has it end. What it has logged.
pub(super) fn ended(mut servent: Process) -> String {
    servent.signal(Signal::TERM);
    assert_eq!(servent.wait().code(), Some(0), "{:?}", servent.log);
    servent.log.join("\n")
}

/// The values that a servent answers with.
pub(super) fn values(servent: SocketAddr, key: impl AsRef<[u8]>) -> Vec<Vec<u8>> {
    Peer::client_back(servent).values(key)
}

#[test]
fn what_is_written_is_answered_and_is_there_at_the_next_start() {
    let (place, data) = (StorePlace::new(), DataFile::new("tea green\nmate bitter\n"));
    let servent = place.serve(data.path());
    let mut writer = Writer::at(servent.address);
    assert_eq!(writer.put("tea", "red"), WriteOutcome::Replaced);
    assert_eq!(writer.put("coffee", ""), WriteOutcome::Stored);
    assert_eq!(writer.delete("mate"), WriteOutcome::Deleted);
    assert_eq!(writer.delete("nothing"), WriteOutcome::Absent);
    assert_eq!(values(servent.address, "tea"), [b"red"]);
    let said = ended(servent);
    let database = place.database();
    assert!(said.contains(&format!("database {database} is made: nothing was written yet")), "{said}");
    assert!(said.contains(&format!("serving 2 keys of {} and 0 of {database}", data.path())), "{said}");

    let servent = place.serve(data.path());
    for (key, expected) in [("tea", &[b"red".to_vec()][..]), ("coffee", &[Vec::new()]), ("mate", &[])] {
        assert_eq!(values(servent.address, key), expected, "{key}");
    }
    let said = ended(servent);
    assert!(!said.contains("not closed"), "{said}");
    assert!(said.contains(&format!("serving 0 keys of {} (2 more hidden) and 2 of {database}", data.path())), "{said}");
    // Without it there is nothing above the data, and nobody writes.
    let servent = Process::serve(&[data.path()]);
    let mut writer = Writer::at(servent.address);
    assert_eq!(writer.put("tea", "red"), WriteOutcome::Refused(WriteRefusal::NoStore));
    assert_eq!(values(servent.address, "tea"), [b"green"]);
}

#[test]
fn data_that_is_read_again_is_told_with_what_of_it_is_hidden() {
    let (place, data) = (StorePlace::new(), DataFile::new("tea green\nmate bitter\n"));
    let mut servent = place.serve(data.path());
    let mut writer = Writer::at(servent.address);
    writer.put("tea", "red");
    writer.put("coffee", "black");
    writer.delete("mate");
    data.write("tea green\nmate bitter\nrooibos red\n");
    servent.signal(Signal::HUP);
    let above = format!("(2 more hidden) and 2 of {}", place.database());
    servent.wait_for_log(&format!("serving 1 key of {} {above}", data.path()), 1);
}

#[test]
fn a_check_says_what_comes_from_where_and_changes_nothing() {
    let (place, data) = (StorePlace::new(), DataFile::new("tea green\nmate bitter\nrooibos red\n"));
    let database = place.database();
    let check = || {
        let output = run(&["9000", data.path(), "--store", &database, "--check"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        let page = stdout(&output);
        let lines = page.lines().filter(|line| line.starts_with("store ") || line.starts_with("serving "));
        lines.map(|line| line.split_whitespace().collect::<Vec<_>>().join(" ")).collect::<Vec<String>>()
    };
    let nothing = "serving 3 keys of the data (0 more hidden), 0 keys of the store (0 more deleted)";
    assert_eq!(check(), [format!("store {database}: not there yet"), nothing.to_owned()]);
    fs::write(&database, "").unwrap();
    assert_eq!(check(), [format!("store {database}: empty, it is made at the start"), nothing.to_owned()]);
    assert_eq!(fs::read(&database).unwrap(), b"");
    let servent = place.serve(data.path());
    let mut writer = Writer::at(servent.address);
    writer.put("tea", "black");
    writer.put("coffee", "strong");
    writer.delete("mate");
    let serving = "serving 1 key of the data (2 more hidden), 2 keys of the store (1 more deleted)";
    let beside = check();
    assert!(
        beside[0].ends_with("0 files published; in use by another servent: beside it none can start with it"),
        "{beside:?}"
    );
    assert_eq!(beside[1], serving);
    ended(servent);
    let before = fs::read(&database).unwrap();
    let after = check();
    assert!(after[0].ends_with("bytes, 0 files published"), "{after:?}");
    assert_eq!(after[1], serving);
    assert_eq!(fs::read(&database).unwrap(), before);
}

/// It serves all the same: what was written before is answered, and may be watched.
#[test]
fn a_servent_on_no_loopback_address_says_that_nobody_writes_to_it() {
    let place = StorePlace::new();
    let check = |listen: &str| {
        let output = run(&[listen, "-", "--store", &place.database(), "--check"]);
        assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
        stdout(&output)
    };
    let why = |listen: &str, port: u16| {
        format!(
            "only clients on a loopback address may, and none of these can connect to {listen}:{port}: listen on 0.0.0.0:{port}"
        )
    };
    assert!(!check("9000").contains("writers"));
    assert!(check("192.0.2.7:9000").contains(&format!("writers    nobody: {}", why("192.0.2.7", 9000))));
    let Some(ip) = servent::interfaces::outward_ip().filter(std::net::IpAddr::is_ipv4) else {
        return println!("not run: this machine has no way out");
    };
    let mut command = Command::new(program("servent").unwrap());
    let servent = Process::start(command.args([&format!("{ip}:0"), "-", "--store", &place.database()]));
    let port = servent.address.port();
    let mut writer = Writer::at(servent.address);
    assert_eq!(writer.put("tea", "green"), WriteOutcome::Refused(WriteRefusal::NotFromHere));
    let (said, name) = (ended(servent), place.database());
    assert!(said.contains(&format!("nobody can write to {name}: {}", why(&ip.to_string(), port))), "{said}");
}

/// That a servent refuses to start with this, to check it and to print it, says why, and leaves it as it is.
fn refused(path: &str, reason: &str) {
    let before = fs::read(path).ok();
    for arguments in [&["0", "-", "--store", path][..], &["0", "-", "--check", "--store", path], &["--export", path]] {
        let output = run(arguments);
        let said = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{said}");
        assert!(said.contains(reason), "{said}");
    }
    assert_eq!(fs::read(path).ok(), before);
}

#[test]
fn what_is_no_database_or_a_damaged_one_is_refused_and_stays() {
    let place = StorePlace::new();
    let (path, directory) = (place.database(), place.at("directory"));
    fs::create_dir(&directory).unwrap();
    refused(&directory, "it is not a database of a servent: it is a directory");
    refused("/dev/null", "it is not a database of a servent: it is no regular file");
    refused(&place.at("nowhere/north.db"), "No such file or directory");
    fs::write(&path, "tea green\n").unwrap();
    refused(&path, &format!("servent: cannot use database {path}: it is not a database of a servent"));
    fs::remove_file(&path).unwrap();
    let long = "long ".repeat(10_000);
    place.keep(&[(b"tea", b"green"), (b"long", long.as_bytes())]);
    let whole = fs::read(&path).unwrap();
    let at = whole.windows(10).rposition(|window| window == &long.as_bytes()[..10]).unwrap();
    let mut damaged = whole.clone();
    damaged[at] ^= 1;
    fs::write(&path, damaged).unwrap();
    refused(&path, &format!("cannot use database {path}: it is damaged: "));
    fs::write(&path, &whole[..whole.len() / 2]).unwrap();
    refused(&path, &format!("cannot use database {path}: it is damaged: "));
    // What another servent has kept is data.
    fs::write(&path, whole).unwrap();
    let servent = place.serve("-");
    assert_eq!(values(servent.address, "tea"), [b"green"]);
}

/// The mode binds root as well.
#[test]
fn a_database_that_is_read_only_is_refused_by_whoever_would_write_to_it() {
    let place = StorePlace::new();
    place.keep(&[(b"tea", b"green")]);
    let path = place.database();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let is_refused = || {
        for arguments in [&["0", "-", "--store", &path][..], &["0", "-", "--store", &path, "--check"]] {
            let output = run(arguments);
            assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{arguments:?}");
            assert!(stderr(&output).contains(&format!("cannot use database {path}: ")), "{}", stderr(&output));
        }
    };
    is_refused();
    assert_eq!(place.exported(), b"tea green\n");
    // Also where there is nothing in it.
    fs::remove_file(&path).unwrap();
    fs::write(&path, "").unwrap();
    fs::set_permissions(&path, fs::Permissions::from_mode(0o400)).unwrap();
    is_refused();
}

/// What somebody else has where it is written to before it is renamed stays, and it is said what to do.
#[test]
fn what_cannot_be_made_or_written_anew_is_told_by_a_check_too() {
    let place = StorePlace::new();
    let (path, theirs) = (place.database(), place.at("north.db.new"));
    fs::write(&theirs, "my novel").unwrap();
    refused_to_serve(&path, "is there and no servent's: move it away\n");
    fs::remove_file(&theirs).unwrap();
    let mut servent = place.serve("-");
    Writer::at(servent.address).put("tea", "green");
    servent.signal(Signal::KILL);
    servent.wait();
    fs::write(&theirs, "my novel").unwrap();
    let output = run(&["0", "-", "--store", &path, "--check"]);
    let reason = format!(
        "`{theirs}`, to which it is written before it is renamed, is there and no servent's: move it away, and start it again"
    );
    let words =
        format!("published; not closed; a start could not write to it, would serve it and take no more: {reason}\n");
    assert_eq!(output.status.code(), Some(0), "{}", stderr(&output));
    assert!(stdout(&output).contains(&words), "{}", stdout(&output));
    let mut servent = place.serve("-");
    servent.wait_for_log(&format!("it is served, and takes no more: {reason}"), 1);
    ended(servent);
    assert_eq!(fs::read(&theirs).unwrap(), b"my novel");
    let link = place.at("link.db");
    std::os::unix::fs::symlink("gone/real.db", &link).unwrap();
    refused_to_serve(&link, &format!("`{link}` leads to `gone/real.db`, which is not there\n"));
}

fn refused_to_serve(path: &str, words: &str) {
    for arguments in [&["0", "-", "--store", path][..], &["0", "-", "--store", path, "--check"]] {
        let output = run(arguments);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{arguments:?}");
        assert!(stderr(&output).ends_with(words), "{}", stderr(&output));
    }
}

#[test]
fn a_second_servent_with_the_same_database_ends_at_once() {
    let place = StorePlace::new();
    let servent = place.serve("-");
    Writer::at(servent.address).put("tea", "green");
    let output = run(&["127.0.0.1:0", "-", "--store", &place.database()]);
    assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""));
    assert!(stderr(&output).ends_with("it is in use by another servent\n"), "{}", stderr(&output));
    assert_eq!(Writer::at(servent.address).put("tea", "red"), WriteOutcome::Replaced);
    ended(servent);
}

#[test]
fn a_file_is_no_database_and_something_else_and_none_is_shared() {
    let place = StorePlace::new();
    let (database, other) = (place.database(), place.at("other"));
    let beside = format!("{database}.new");
    let share = place.at("");
    for (arguments, reason) in [
        (&["0", &database, "--store", &database][..], "DATA and --store are one file"),
        (&["0", "-", "--store", &database, "--members", &database], "--store and --members are one file"),
        (&["0", "-", "--store", &database, "--events", &database], "--store and --events are one file"),
        (&["0", "-", "--store", &database, "--events", &beside], "which --store is written to before it is renamed"),
        (&["0", &beside, "--store", &database], "which --store is written to before it is renamed"),
        (&["0", "-", "--store", &database, "--share", &share], "which --share shares"),
        (&["0", "-", "--store", &database, "--published-only"], "--share <DIR>"),
        (&["0", "-", "--share", &share, "--published-only"], "--store <FILE>"),
        (&["--export", &database, "--check"], "cannot be used with"),
        (&["--export", &database, "0", "-"], "cannot be used with"),
        (&["--export", &database, "9000"], "\n       servent --export <FILE>\n"),
    ] {
        let output = run(arguments);
        assert_eq!(output.status.code(), Some(2), "{arguments:?}: {}", stderr(&output));
        assert!(stderr(&output).contains(reason), "{arguments:?}: {}", stderr(&output));
    }
    assert!(!fs::exists(&database).unwrap() && !fs::exists(other).unwrap());
}

#[test]
fn what_is_published_is_kept_with_its_description() {
    let place = StorePlace::new();
    let share = place.at("films");
    fs::create_dir(&share).unwrap();
    fs::write(format!("{share}/farol.mp4"), "film").unwrap();
    let arguments = ["-", "--share", &share, "--store", &place.database(), "--published-only"];
    let mut servent = Process::serve(&arguments);
    servent.wait_for_log(&format!("] only what is published of {share} is shared with everybody, "), 1);
    servent.wait_for_log("] sharing only what is published of 1 file, 4 bytes (1 hashed anew)", 1);
    let name = FileName::new(b"farol.mp4").unwrap();
    let publish = Change::Publish { name, text: Arc::from(&b"at dusk"[..]) };
    let mut writer = Writer::at(servent.address);
    assert_eq!(writer.write(publish.clone()), WriteOutcome::Stored);
    assert_eq!(writer.write(publish.clone()), WriteOutcome::Present);
    ended(servent);
    let check = run(&[&["0"], &arguments[..], &["--check"]].concat());
    assert!(stdout(&check).contains("bytes, 1 file published\n"), "{}", stdout(&check));
    let only = format!("share      only what is published of {share}: 1 file, 4 bytes\n");
    assert!(stdout(&check).contains(&only), "{}", stdout(&check));
    let mut servent = Process::serve(&arguments);
    servent.wait_for_log("] sharing ", 1);
    assert_eq!(Writer::at(servent.address).write(publish), WriteOutcome::Present);
}
