//! The members file, `--members FILE`: read at the start, replaced at the end, and what is no such file.
//!
//! What a line means is tested where it is decided, in `common::member_file`, and when the file is written at the mind's
//! door (`common/tests/it/overlay/members/keeping.rs`); here the files are real and so is the program.

use std::fs::Permissions;
use std::os::unix::fs::symlink;
use std::path::Path;

use super::*;
use common::member::Word;
use common::member_file::{KNOWN_MEMBERS_MAX, KnownMember, MemberFile};
use peers::{Witness, members_told_by};
use rustix::fs::{CWD, Mode, mkfifoat};

/// Where nobody ever is.
const GONE: &str = "127.9.9.9:9009";

fn path_in(directory: &TempDir, name: &str) -> String {
    directory.path().join(name).to_str().unwrap().to_owned()
}

/// Starts one that knows those in this file, and waits until its loop stands: before that a signal ends it without a word.
fn serve_knowing(path: &str) -> Process {
    let servent = Process::serve(&["-", "--members", path]);
    members_told_by(servent.address);
    servent
}

/// Starts one that links with a peer: so there is something to write.
fn serve_that_writes(path: &str) -> (Process, Witness) {
    let servent = serve_knowing(path);
    let neighbor = Witness::of(servent.address);
    (servent, neighbor)
}

/// Has it end. What it has logged.
fn ended(mut servent: Process) -> String {
    servent.signal(Signal::TERM);
    assert_eq!(servent.wait().code(), Some(0), "{:?}", servent.log);
    servent.log.join("\n")
}

fn members_in(path: &str) -> Vec<KnownMember> {
    let mut file = MemberFile::default();
    file.push(&fs::read(path).unwrap()).unwrap();
    file.finish().unwrap().members
}

fn lines_of(path: &str) -> Vec<String> {
    fs::read_to_string(path).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn whom_it_knows_at_the_end_it_knows_at_the_next_start_and_begins_at_their_clock() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "west.peers");
    fs::write(&path, format!("# by hand\n{GONE} ONLINE 41\n")).unwrap();
    let (servent, peer) = serve_that_writes(&path);
    let (own, neighbor) = (servent.address, peer.address());
    let said = ended(servent);
    assert!(said.contains(&format!("members file {path}: 1 member known from before")), "{said}");
    let members = members_in(&path);
    let mut expected = vec![(GONE.parse().unwrap(), false), (neighbor, true)];
    expected.sort_unstable();
    let written: Vec<(SocketAddr, bool)> = members.iter().map(|known| (known.address, known.is_online)).collect();
    assert_eq!(written, expected, "by address, and not itself");
    let lines = lines_of(&path);
    assert_eq!(lines[0], format!("# members of {own}"));
    assert!(lines.contains(&format!("{GONE} OFFLINE 41")), "{lines:?}");
    assert!(!Path::new(&format!("{path}.new")).exists());

    let servent = serve_knowing(&path);
    let told = members_told_by(servent.address);
    let greatest = members.iter().map(|known| known.clock).max().unwrap();
    assert!(greatest > 41, "the link came after all that was known: {members:?}");
    for known in &members {
        let told = told.iter().find(|told| told.address == known.address).unwrap();
        assert_eq!((told.word, told.clock), (Word::Failed, known.clock), "offline until it is heard");
    }
    let itself = told.iter().find(|told| told.address == servent.address).unwrap();
    assert!(itself.word == Word::Online && itself.clock >= greatest, "{itself:?}");
    assert_eq!(told.len(), members.len() + 1);
    ended(servent);
}

#[test]
fn a_members_file_that_is_missing_is_made_when_there_is_somebody_to_write() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "west.peers");
    let said = ended(serve_knowing(&path));
    assert!(said.contains(&format!("members file {path} is not there yet: nobody is known from before")), "{said}");
    assert!(!Path::new(&path).exists(), "there was nobody");
    let (servent, peer) = serve_that_writes(&path);
    ended(servent);
    assert_eq!(members_in(&path).len(), 1);
    drop(peer);
}

#[test]
fn a_members_file_in_which_nothing_has_changed_stays_as_it_is_to_the_byte() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "west.peers");
    let text = format!("\u{feff}# mine\r\n\r\n {GONE}\t# the old one\r\n");
    fs::write(&path, &text).unwrap();
    ended(serve_knowing(&path));
    assert_eq!(fs::read_to_string(&path).unwrap(), text);
}

/// It would be replaced by a list of members.
#[test]
fn a_file_that_is_no_members_file_is_refused_and_stays() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "west.peers");
    let data: &[u8] = b"tea green\n";
    let elf = fs::read(program("servent").unwrap()).unwrap();
    for (content, reason) in [
        (data, ":1: `tea` is no IP:PORT, such as"),
        (b"127.0.0.1:9001\n# north\n127.0.0.1:9002 UP 4\n", ":3: `UP` is neither ONLINE nor OFFLINE"),
        (b"9001\n", ":1: `9001` is no IP:PORT"),
        (b"127.0.0.1:9001\ncaf\xe9\n", ":2: it is not UTF-8"),
        (b"\xff\xfe1\x002\x00", ":1: it is not UTF-8"),
        (&elf, ":1: it is not UTF-8"),
        (&[b'1'; 100_000], ":1: it is longer than the 1024 bytes that a line has"),
    ] {
        fs::write(&path, content).unwrap();
        for arguments in [&["0", "-", "--members", &path][..], &["0", "-", "--members", &path, "--check"]] {
            let output = run(arguments);
            let said = stderr(&output);
            assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{said}");
            assert!(said.contains(&format!("servent: members file {path}{reason}")), "{said}");
            assert!(
                said.contains("correct it, or name another file, because this one is going to be replaced"),
                "{said}"
            );
            assert!(said.len() < 1_000 && fs::read(&path).unwrap() == content, "{said}");
        }
    }
}

#[test]
fn what_is_no_file_is_no_members_file_and_not_waited_for() {
    let directory = TempDir::new().unwrap();
    let fifo = path_in(&directory, "fifo");
    mkfifoat(CWD, &fifo, Mode::RUSR | Mode::WUSR).unwrap();
    for (path, reason) in [
        (directory.path().to_str().unwrap(), "it is a directory"),
        (&fifo, "it is a FIFO, and only a regular file can be replaced"),
        ("/dev/zero", "it is not a regular file"),
        ("/proc/self/mem", "Input/output error"),
        (&path_in(&directory, "fifo/west.peers"), "Not a directory"),
    ] {
        let output = run(&["0", "-", "--members", path]);
        let said = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{said}");
        assert!(said.contains(&format!("servent: cannot read members file {path}: {reason}")), "{said}");
    }
}

#[test]
fn a_members_file_that_could_never_be_made_is_refused_at_the_start() {
    let directory = TempDir::new().unwrap();
    let nowhere = path_in(&directory, "nowhere/west.peers");
    for check in [&[][..], &["--check"]] {
        let output = run(&[&["127.0.0.1:0", "-", "--members", &nowhere], check].concat());
        let said = stderr(&output);
        assert_eq!((output.status.code(), stdout(&output).as_str()), (Some(1), ""), "{said}");
        let reason = format!("servent: cannot write members file {nowhere}: No such file or directory");
        assert!(said.contains(&reason), "{said}");
    }
    // A bare name is one in the directory that it is started in.
    assert!(run(&["0", "-", "--members", "nobody-has-this", "--check"]).status.success());
}

#[test]
fn clocks_that_are_too_great_are_cut_and_that_is_said() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "west.peers");
    let most = 1_u64 << 40;
    for (clock, is_said) in [(most, false), (most + 1, true), (u64::MAX, true)] {
        fs::write(&path, format!("{GONE} ONLINE {clock}\n127.0.0.1:9002 ONLINE 5\n")).unwrap();
        let said = ended(serve_knowing(&path));
        let line = format!("members file {path}: 1 clock beyond 1,099,511,627,776 taken for that");
        assert_eq!(said.matches(&line).count(), usize::from(is_said), "{said}");
    }
}

/// No more of it is in memory than is taken of it.
#[test]
fn of_a_members_file_of_a_million_lines_the_first_are_taken_and_it_is_said_how_many_are_not() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "west.peers");
    let before = ended_memory(&path);
    let address = |number: u32| SocketAddr::from((std::net::Ipv4Addr::from(0x0a00_0000 + number), 9000));
    let text: String = (0..1_000_000).map(|number| format!("{} ONLINE {number}\n", address(number))).collect();
    fs::write(&path, text).unwrap();
    let mut servent = serve_knowing(&path);
    let left_out = "the last 997,953 lines left out, since no more than 2,047 members are remembered";
    servent.wait_for_log(&format!("members file {path}: {left_out}"), 1);
    assert_eq!(1_000_000 - KNOWN_MEMBERS_MAX, 997_953);
    let told = members_told_by(servent.address);
    assert_eq!(told.len(), KNOWN_MEMBERS_MAX + 1);
    assert!(told.iter().any(|member| member.address == address(2_046)));
    let (_, most) = servent.resident_kib();
    println!("{most} KiB at most, {before} KiB without the file");
    assert!(most < before + 4 * 1024, "{most} KiB, and {before} without the file");
    ended(servent);
}

/// The most memory one takes that knows nobody, in KiB.
fn ended_memory(path: &str) -> u64 {
    let servent = serve_knowing(path);
    let (_, most) = servent.resident_kib();
    ended(servent);
    most
}

#[test]
fn a_members_file_that_may_not_be_written_is_read_and_that_is_said_once() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "west.peers");
    let text = format!("{GONE} ONLINE 41\n");
    let read_only = |path: &str| {
        fs::write(path, &text).unwrap();
        fs::set_permissions(path, Permissions::from_mode(0o444)).unwrap();
    };
    // Its directory may be written, so it could be replaced all the same; and root may write anything.
    read_only(&path);
    let beside_is_taken = path_in(&directory, "east.peers");
    fs::write(&beside_is_taken, &text).unwrap();
    fs::create_dir_all(format!("{beside_is_taken}.new/full")).unwrap();
    for (path, reason) in [(&path, "it is read only"), (&beside_is_taken, "east.peers.new: File exists")] {
        let (servent, _peer) = serve_that_writes(path);
        assert!(members_told_by(servent.address).iter().any(|member| member.address == GONE.parse().unwrap()));
        let said = ended(servent);
        let warnings: Vec<&str> = said.lines().filter(|line| line.contains("cannot write members file")).collect();
        assert!(matches!(warnings[..], [line] if line.contains("WARN") && line.contains(reason)), "{said}");
        assert_eq!(fs::read_to_string(path).unwrap(), text);
    }
    // A directory that is none any more.
    let nowhere = path_in(&directory, "nowhere/west.peers");
    fs::create_dir(path_in(&directory, "nowhere")).unwrap();
    let (servent, _peer) = serve_that_writes(&nowhere);
    fs::remove_dir(path_in(&directory, "nowhere")).unwrap();
    let said = ended(servent);
    assert!(said.contains(&format!("cannot write members file {nowhere}: ")), "{said}");
    assert!(said.contains("No such file or directory (os error 2); until it can be written"), "{said}");
}

#[test]
fn a_members_file_keeps_its_mode_and_a_link_leads_to_it_as_before() {
    let directory = TempDir::new().unwrap();
    let (path, link) = (path_in(&directory, "west.peers"), path_in(&directory, "link.peers"));
    fs::write(&path, format!("{GONE}\n")).unwrap();
    fs::set_permissions(&path, Permissions::from_mode(0o662)).unwrap();
    symlink(&path, &link).unwrap();
    // What somebody who was killed left there.
    fs::write(format!("{path}.new"), "127.").unwrap();
    let (servent, _peer) = serve_that_writes(&link);
    ended(servent);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o662, "whatever the user's mask");
    assert_eq!(members_in(&path).len(), 2);
    assert!(!Path::new(&format!("{path}.new")).exists());
}

#[test]
fn whoever_is_killed_while_it_writes_leaves_the_old_members_or_the_new() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "west.peers");
    let beside = format!("{path}.new");
    let address = |number: usize| format!("10.0.{}.{}:9000", number / 256, number % 256);
    let old: String = (0..2_000).map(|number| format!("{} ONLINE 7\n", address(number))).collect();
    let mut killed_count = [0, 0];
    for _ in 0..20 {
        fs::write(&path, &old).unwrap();
        let (mut servent, _peer) = serve_that_writes(&path);
        servent.signal(Signal::TERM);
        wait_until("it writes", || Path::new(&beside).exists() || fs::read_to_string(&path).unwrap() != old);
        servent.signal(Signal::KILL);
        servent.wait();
        let is_new = fs::read_to_string(&path).unwrap() != old;
        assert_eq!(members_in(&path).len(), 2_000 + usize::from(is_new));
        killed_count[usize::from(is_new)] += 1;
    }
    println!("{killed_count:?} left the old and the new");
}

#[test]
fn the_members_file_that_the_readme_shows_is_one() {
    const README: &str = include_str!("../../../README.md");
    let (_, shown) = README.split_once("\n```\n# whom north knew\n").unwrap();
    let (shown, _) = shown.split_once("```\n").unwrap();
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "north.peers");
    fs::write(&path, shown).unwrap();
    let output = run(&["0", "-", "--members", &path, "--check"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("\nmembers    3 members known from before\n"), "{}", stdout(&output));
}

#[test]
fn a_check_says_how_many_are_known_from_before() {
    let directory = TempDir::new().unwrap();
    let path = path_in(&directory, "west.peers");
    fs::write(&path, format!("{GONE}\n127.0.0.1:9002 ONLINE 5\n")).unwrap();
    let output = run(&["0", "-", "--members", &path, "--check"]);
    assert!(output.status.success(), "{}", stderr(&output));
    assert!(stdout(&output).contains("\nmembers    2 members known from before\n"), "{}", stdout(&output));
}
