//! A directory that is shared, `--share DIR`, from the file system to the log: real files, the real program, killed, limited
//! and told to look again.
//!
//! What befalls a file between two steps of a look is tested where steps can be taken one by one, in `share/looking/tests.rs`.

mod outside;

use std::ffi::OsStr;
use std::fs::Permissions;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixListener;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;

use super::*;
use common::counted::grouped;
use common::limits::KEY_BYTES_MAX;
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};

/// A directory to share, and one beside it.
pub(crate) struct Shared(TempDir);

impl Shared {
    pub(crate) fn new(files: &[(&str, &str)]) -> Shared {
        let shared = Shared(TempDir::new().unwrap());
        fs::create_dir(shared.path()).unwrap();
        for (name, content) in files {
            shared.write(name, content);
        }
        shared
    }

    pub(crate) fn path(&self) -> String {
        self.beside("films")
    }

    pub(crate) fn beside(&self, name: &str) -> String {
        self.0.path().join(name).to_str().unwrap().to_owned()
    }

    pub(crate) fn at(&self, name: impl AsRef<OsStr>) -> PathBuf {
        self.0.path().join("films").join(name.as_ref())
    }

    pub(crate) fn write(&self, name: impl AsRef<OsStr>, content: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    pub(crate) fn serve(&self, options: &[&str]) -> Process {
        Process::serve(&[&["-", "--share", &self.path()], options].concat())
    }
}

/// Has it look again. What it then says that it shares; where nothing else is shared, this is said as well.
pub(crate) fn look_again(servent: &mut Process) -> String {
    let count = servent.log_so_far().iter().filter(|line| line.contains("] sharing ")).count();
    servent.signal(Signal::HUP);
    shares(servent, count + 1)
}

/// What it says so often that it shares.
pub(crate) fn shares(servent: &mut Process, count: usize) -> String {
    servent.wait_for_log("] sharing ", count);
    let line = servent.log.iter().rfind(|line| line.contains("] sharing ")).unwrap();
    line.split_once("] ").unwrap().1.to_owned()
}

fn ended(mut servent: Process) -> String {
    servent.signal(Signal::TERM);
    assert_eq!(servent.wait().code(), Some(0), "{:?}", servent.log);
    servent.log.join("\n")
}

#[test]
fn what_is_shared_is_said_when_it_has_changed_and_hashed_once() {
    let shared = Shared::new(&[("farol.mp4", "film"), ("deep/er", "deep"), ("-rf", ""), ("a\nb", "two")]);
    shared.write(OsStr::from_bytes(b"caf\xe9"), "latin");
    shared.write(".part", "half");
    symlink("/etc/passwd", shared.at("link")).unwrap();
    symlink("..", shared.at("up")).unwrap();
    mkfifoat(CWD, shared.at("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
    let _socket = UnixListener::bind(shared.at("socket")).unwrap();
    let cache = shared.beside("cache");
    let mut servent = shared.serve(&["--cache", &cache]);
    assert_eq!(shares(&mut servent, 1), "sharing 5 files, 16 bytes (5 hashed anew)");
    assert_eq!(look_again(&mut servent), "sharing 5 files, 16 bytes (0 hashed anew)");
    shared.write("farol.mp4", "longer film");
    fs::remove_file(shared.at("-rf")).unwrap();
    assert_eq!(look_again(&mut servent), "sharing 4 files, 23 bytes (1 hashed anew)");
    let said = ended(servent);
    let path = shared.path();
    let left_out = format!("not shared of {path}: 2 links, 1 FIFO, 1 socket, 1 name with a dot before it");
    assert_eq!(said.matches("not shared of").count(), 1, "the same is said once: {said}");
    assert!(said.contains(&left_out), "{said}");
    // Whatever was hashed is known at the next start.
    let mut servent = shared.serve(&["--cache", &cache]);
    assert_eq!(shares(&mut servent, 1), "sharing 4 files, 23 bytes (0 hashed anew)");
    ended(servent);
    let mut servent = shared.serve(&[]);
    assert_eq!(shares(&mut servent, 1), "sharing 4 files, 23 bytes (4 hashed anew)");
    ended(servent);
}

/// That a servent refuses to start with these options, and to check them, and says why.
fn refused(options: &[&str], reason: &str) {
    for check in [&[][..], &["--check"]] {
        let output = run(&[&["127.0.0.1:0", "-"], options, check].concat());
        let said = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{said}");
        assert!(said.contains(reason), "{said}");
    }
}

#[test]
fn a_directory_that_cannot_be_shared_is_refused() {
    let shared = Shared::new(&[("file", "")]);
    let (nothing, file) = (shared.beside("nothing"), shared.at("file"));
    refused(&["--share", &nothing], &format!("servent: cannot share {nothing}: No such file or directory"));
    let file = file.to_str().unwrap();
    refused(&["--share", file], &format!("servent: cannot share {file}: it is no directory"));
    // Whoever names a link to a directory means the directory.
    symlink(shared.path(), shared.beside("link")).unwrap();
    let link = shared.beside("link");
    let mut servent = Process::serve(&["-", "--share", &link]);
    assert_eq!(shares(&mut servent, 1), "sharing 1 file, 0 bytes (1 hashed anew)");
    ended(servent);
}

/// Permissions do not bind root. There the servent is run as nobody, from a copy nobody may execute.
#[test]
fn what_may_not_be_read_is_counted_and_a_directory_that_may_not_be_is_refused() {
    const NOBODY: u32 = 65_534;
    let shared = Shared::new(&[("seen", "s"), ("closed", "c"), ("shut/in", "i")]);
    let copy = shared.beside("servent");
    fs::copy(program("servent").unwrap(), &copy).unwrap();
    for (path, mode) in [("", 0o755), ("closed", 0o000), ("shut", 0o000)] {
        fs::set_permissions(shared.at(path), Permissions::from_mode(mode)).unwrap();
    }
    fs::set_permissions(shared.0.path(), Permissions::from_mode(0o755)).unwrap();
    let check = || {
        let mut command = Command::new(&copy);
        command.args(["0", "-", "--check", "--share", &shared.path()]).env_remove("RUST_LOG");
        if File::open(shared.at("closed")).is_ok() {
            command.uid(NOBODY).gid(NOBODY);
        }
        command.output()
    };
    let Ok(output) = check() else { return println!("not run: this is root, and it cannot start a program as nobody") };
    let said = format!("{}: 1 file, 1 byte; not shared: 2 files that cannot be read", shared.path());
    assert!(stdout(&output).contains(&said), "{} {}", stdout(&output), stderr(&output));
    fs::set_permissions(shared.path(), Permissions::from_mode(0o000)).unwrap();
    let output = check().unwrap();
    fs::set_permissions(shared.path(), Permissions::from_mode(0o755)).unwrap();
    let said = format!("servent: cannot share {}: Permission denied", shared.path());
    assert!(output.status.code() == Some(1) && stderr(&output).contains(&said), "{}", stderr(&output));
}

#[test]
fn a_check_counts_what_would_be_shared_and_writes_nothing() {
    let shared = Shared::new(&[("a", "1"), ("b/c", "22"), (".part", "333")]);
    symlink("a", shared.at("link")).unwrap();
    let (cache, never) = (shared.beside("cache"), shared.beside("never"));
    fs::write(&never, format!("{}\n", "0".repeat(64))).unwrap();
    let options = ["--share", &shared.path(), "--cache", &cache, "--never", &never];
    let check = || {
        let output = run(&[&["0", "-", "--check"], &options[..]].concat());
        assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), ""));
        stdout(&output)
    };
    let said = check();
    let path = shared.path();
    for line in [
        format!("share      {path}: 2 files, 3 bytes; not shared: 1 link, 1 name with a dot before it\n"),
        "share-to   everybody\nshare-rate as fast as it goes\n".to_owned(),
        format!("never      {never}: 1 content, counted above where they are there\n"),
        format!("cache      {cache}: not there yet\n"),
    ] {
        assert!(said.contains(&line), "{said}");
    }
    assert!(!PathBuf::from(&cache).exists());
    let mut servent = shared.serve(&["--cache", &cache]);
    shares(&mut servent, 1);
    // Of one that is used it says so: that servent may be the one whose options are checked.
    let used = "; in use now: beside the servent that uses it none can start with it\n";
    let line = format!("cache      {cache}: 192 bytes there already");
    assert!(check().contains(&format!("{line}{used}")), "{}", check());
    ended(servent);
    assert!(check().contains(&format!("{line}\n")), "{}", check());
    let shared = Shared::new(&[]);
    assert!(stdout(&run(&["0", "-", "--check", "--share", &shared.path()])).contains(": 0 files, 0 bytes\n"));
}

/// A word too many, or one network for another, would show nowhere else before somebody finds nothing.
#[test]
fn to_whom_it_is_given_and_how_fast_is_said() {
    let shared = Shared::new(&[("a", "tea")]);
    let never = shared.beside("never");
    fs::write(&never, format!("{}\n{}\n", "0".repeat(64), "1".repeat(64))).unwrap();
    let (path, list) = (shared.path(), format!("; never file {never}: 2 contents never to be shared"));
    let networks = ["--share-to", "10.9.8.7/8", "--share-to", "fd00::/8"];
    let rate = ["--share-rate", "1500k", "--never", &never];
    for (options, whom, how_fast, never) in [
        (&[][..], "everybody", "as fast as it goes", ""),
        (&networks, "clients in 10.0.0.0/8 fd00::/8", "as fast as it goes", ""),
        (&rate, "everybody", "at most 1.5 MB a second, to all together", &list),
    ] {
        let check = stdout(&run(&[&["0", "-", "--check", "--share", &path], options].concat()));
        assert!(check.contains(&format!("\nshare-to   {whom}\nshare-rate {how_fast}\n")), "{check}");
        let mut servent = shared.serve(options);
        servent.wait_for_log(&format!("] {path} is shared with {whom}, {how_fast}{never}"), 1);
        shares(&mut servent, 1);
        let said = ended(servent);
        assert_eq!(said.matches("is shared with").count(), 1, "{said}");
        assert_eq!(said.matches("never file").count(), usize::from(!never.is_empty()), "{said}");
    }
}

#[test]
fn what_is_never_to_be_shared_is_read_again_with_the_data() {
    let shared = Shared::new(&[("a", "tea"), ("b", "coffee")]);
    let never = shared.beside("never");
    refused(&["--share", &shared.path(), "--never", &never], &format!("cannot read never file {never}: No such file"));
    fs::write(&never, "# by order\n\nabc\n").unwrap();
    refused(
        &["--share", &shared.path(), "--never", &never],
        &format!(
            "servent: never file {never}:3: `abc` is no hash: a line begins with all 64 hex digits of one, as `b3sum"
        ),
    );
    let fifo = shared.beside("fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    refused(&["--share", &shared.path(), "--never", &fifo], "it is not a regular file");
    fs::write(&never, "").unwrap();
    let mut servent = shared.serve(&["--never", &never]);
    assert_eq!(shares(&mut servent, 1), "sharing 2 files, 9 bytes (2 hashed anew)");
    // As b3sum prints it of `tea`.
    fs::write(&never, "0bc49a8b185ddc06cb4fc98aa031656994f3b585cce28925369de430c8c21757  films/a\n").unwrap();
    assert_eq!(look_again(&mut servent), "sharing 1 file, 6 bytes (0 hashed anew)");
    fs::write(&never, "nonsense").unwrap();
    assert_eq!(look_again(&mut servent), "sharing 1 file, 6 bytes (0 hashed anew)");
    servent.wait_for_log("or is a comment behind #; the list read before stays", 1);
    let said = ended(servent);
    assert!(said.contains("not shared of") && said.contains(": 1 file never to be shared"), "{said}");
}

/// Data may be a gigabyte, or bring this program down.
#[test]
fn what_is_never_to_be_shared_is_read_before_the_data() {
    let odd = format!("{} x\n", "k".repeat(KEY_BYTES_MAX + 1));
    let (shared, file) = (Shared::new(&[("a", "tea")]), DataFile::new(&odd));
    let never = shared.beside("never");
    fs::write(&never, "").unwrap();
    let mut servent = Process::serve(&[file.path(), "--share", &shared.path(), "--never", &never]);
    shares(&mut servent, 1);
    look_again(&mut servent);
    let said = ended(servent);
    let place = |what: &str| said.rfind(what).unwrap_or_else(|| panic!("{what}: {said}"));
    let data = format!("] {}:1: ", file.path());
    assert_eq!(said.matches(&data).count(), 2, "{said}");
    assert!(place("] never file ") < place(&data), "{said}");
}

#[test]
fn two_servents_keep_no_hashes_in_one_place() {
    let shared = Shared::new(&[("a", "tea")]);
    let cache = shared.beside("cache");
    let mut first = shared.serve(&["--cache", &cache]);
    shares(&mut first, 1);
    let output = run(&["127.0.0.1:0", "-", "--share", &shared.path(), "--cache", &cache]);
    let said = format!("servent: cannot keep hashes in {cache}: another servent does; name another directory");
    assert_eq!(output.status.code(), Some(1));
    assert!(stderr(&output).contains(&said), "{}", stderr(&output));
    // Whoever is killed keeps nobody from it.
    first.signal(Signal::KILL);
    first.wait();
    let mut second = shared.serve(&["--cache", &cache]);
    assert_eq!(shares(&mut second, 1), "sharing 1 file, 3 bytes (0 hashed anew)");
    ended(second);
}

#[test]
fn a_file_of_somebody_else_that_is_called_hashes_is_refused_and_stays() {
    let shared = Shared::new(&[("a", "tea")]);
    let (cache, file) = (shared.beside("own"), shared.beside("own/hashes"));
    fs::create_dir(&cache).unwrap();
    fs::write(&file, "0bc49a8b  a\n").unwrap();
    let options = ["--share", &shared.path(), "--cache", &cache];
    refused(&options, &format!("servent: cannot keep hashes in {cache}: {file} is no file of hashes, and would be"));
    assert_eq!(fs::read(&file).unwrap(), b"0bc49a8b  a\n");
}

#[test]
fn hashes_that_are_damaged_are_said_to_be_and_made_again() {
    let shared = Shared::new(&[("a", "tea"), ("b", "coffee")]);
    let cache = shared.beside("cache");
    let mut servent = shared.serve(&["--cache", &cache]);
    shares(&mut servent, 1);
    ended(servent);
    let file = format!("{cache}/hashes");
    let mut bytes = fs::read(&file).unwrap();
    bytes[30] ^= 1;
    fs::write(&file, &bytes).unwrap();
    let mut servent = shared.serve(&["--cache", &cache]);
    assert_eq!(shares(&mut servent, 1), "sharing 2 files, 9 bytes (2 hashed anew)");
    let said = ended(servent);
    assert_eq!(said.matches(&format!("the hashes kept in {cache} are damaged at byte 16")).count(), 1, "{said}");
    let mut servent = shared.serve(&["--cache", &cache]);
    assert_eq!(shares(&mut servent, 1), "sharing 2 files, 9 bytes (0 hashed anew)");
    ended(servent);
}

/// At any moment of it: what was hashed before is known at the next start.
#[test]
fn whoever_is_killed_while_it_hashes_goes_on_where_it_was() {
    const FILES: u64 = 400;
    let shared = Shared::new(&[]);
    for number in 0..FILES {
        shared.write(format!("{number}"), vec![b'x'; 70_000]);
    }
    let (cache, file) = (shared.beside("cache"), shared.beside("cache/hashes"));
    let record = 72 + 2 * 32 + 16;
    let length = || fs::metadata(&file).map_or(0, |metadata| metadata.len());
    for part in 1..4 {
        let mut servent = shared.serve(&["--cache", &cache]);
        wait_until("it has hashed some", || length() > FILES * record * part / 8);
        servent.signal(Signal::KILL);
        servent.wait();
    }
    let known = (length() - 16) / record;
    let mut servent = shared.serve(&["--cache", &cache]);
    let size = "28.0 MB";
    assert_eq!(shares(&mut servent, 1), format!("sharing 400 files, {size} ({} hashed anew)", grouped(FILES - known)));
    println!("{known} of {FILES} were hashed before the last start");
    ended(servent);
}

/// A disk under it that is full looks like a file that may not grow.
#[test]
fn without_room_for_hashes_a_file_of_several_blocks_is_not_shared() {
    let shared = Shared::new(&[("small", "s"), ("small too", "t")]);
    shared.write("large", vec![0; 4 << 20]);
    let cache = shared.beside("cache");
    let mut shell = Command::new("sh");
    shell.args(["-c", "ulimit -f 1; exec \"$0\" \"$@\""]).arg(program("servent").unwrap());
    let mut servent = Process::start(shell.args(["127.0.0.1:0", "-", "--share", &shared.path(), "--cache", &cache]));
    assert_eq!(shares(&mut servent, 1), "sharing 2 files, 2 bytes (3 hashed anew)");
    assert_eq!(look_again(&mut servent), "sharing 2 files, 2 bytes (0 hashed anew)", "nor is it hashed in vain");
    let said = ended(servent);
    let unkept = "hashes cannot be kept (File too large (os error 27)): until they can be, files of several blocks";
    assert_eq!(said.matches(unkept).count(), 1, "{said}");
    assert!(said.contains(": 1 file whose hashes cannot be kept"), "{said}");
    let mut servent = shared.serve(&["--cache", &cache]);
    assert_eq!(shares(&mut servent, 1), "sharing 3 files, 4.2 MB (1 hashed anew)");
    ended(servent);
}

/// Nothing is taken for gone because it could not be looked at.
#[test]
fn without_descriptors_what_was_shared_stays() {
    let shared = Shared::new(&[("a", "tea"), ("deep/b", "coffee")]);
    let mut servent = shared.serve(&[]);
    shares(&mut servent, 1);
    let before = getrlimit(Resource::Nofile);
    prlimit(Some(servent.pid()), Resource::Nofile, Rlimit { current: Some(3), ..before }).unwrap();
    servent.signal(Signal::HUP);
    let reason = format!("cannot look through {}: Too many open files (os error 24); what was shared", shared.path());
    servent.wait_for_log(&reason, 1);
    prlimit(Some(servent.pid()), Resource::Nofile, before).unwrap();
    assert_eq!(look_again(&mut servent), "sharing 2 files, 9 bytes (0 hashed anew)");
    let said = ended(servent);
    assert_eq!(said.matches("] sharing ").count(), 2, "{said}");
}

/// Hashing is none of the loop's work.
#[test]
fn who_asks_while_it_hashes_is_answered() {
    let shared = Shared::new(&[]);
    File::create(shared.at("large")).unwrap().set_len(1 << 30).unwrap();
    let file = tea();
    let mut servent = Process::serve(&[file.path(), "--share", &shared.path()]);
    let mut client = Peer::client(servent.address, ANSWER_PORT);
    let mut answers = 0;
    while !servent.log_so_far().iter().any(|line| line.contains("] sharing ")) {
        assert_eq!(client.first_value("tea"), b"green");
        answers += 1;
    }
    println!("{answers} answers while it hashed");
    assert!(answers >= 10, "{answers} answers while it hashed");
    assert_eq!(shares(&mut servent, 1), "sharing 1 file, 1.1 GB (1 hashed anew)");
    ended(servent);
}
