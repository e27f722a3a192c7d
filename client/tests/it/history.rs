//! What a client at a terminal remembers of the lines entered, however its session ends.
use std::fs;
use std::path::Path;

use super::*;
use crate::support::terminal::HELP;
use rustix::fs::{CWD, FileType, Mode, mknodat};

const UP: &str = "\x1b[A";

fn file(home: &Path) -> PathBuf {
    home.join("state/servent/client-history")
}

fn attached(home: &Path, before: &[&str]) -> (Fake, Peer, Terminal) {
    Terminal::attached(XTERM, home, before, &[])
}

/// Enters a line that is no command, so that the next prompt says it was taken.
fn enter(terminal: &mut Terminal, line: &str) {
    terminal.press(format!("{line}\r"));
    terminal.wait_for_text(&format!("> {line}\nUnknown command\n{HELP}> "));
}

/// What the next session finds with the up key, the last line first.
fn expect_remembered(home: &Path, lines: &[&str]) {
    let (_fake, _contact, mut terminal) = attached(home, &[]);
    for line in lines {
        terminal.press(UP);
        terminal.wait_for_screen(&format!("> {line}"));
    }
}

#[test]
fn a_line_is_remembered_however_the_session_ends() {
    for signal in [Signal::KILL, Signal::TERM, Signal::HUP] {
        let home = TempDir::new().unwrap();
        let (_fake, mut contact, mut terminal) = attached(home.path(), &[]);
        enter(&mut terminal, "first");
        enter(&mut terminal, "first");
        terminal.press("? never answered\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\x7f\r");
        // It is asked for once it is remembered.
        contact.request();
        terminal.signal(signal);
        terminal.exit_code();
        assert_eq!(fs::read_to_string(file(home.path())).unwrap(), "#V2\nfirst\n? never\n");
        expect_remembered(home.path(), &["? never", "first"]);
    }
}

#[test]
fn sessions_beside_each_other_are_all_remembered() {
    let home = TempDir::new().unwrap();
    let (_one_fake, _one_contact, mut one) = attached(home.path(), &[]);
    let (_other_fake, _other_contact, mut other) = attached(home.path(), &[]);
    enter(&mut one, "first");
    enter(&mut other, "second");
    enter(&mut one, "third");
    for session in [&mut one, &mut other] {
        session.press("\x04");
        assert_eq!(session.exit_code(), 0);
    }
    expect_remembered(home.path(), &["third", "second", "first"]);
}

#[test]
fn what_lies_in_place_of_the_file_neither_hangs_nor_ends_the_client() {
    let home = TempDir::new().unwrap();
    let path = file(home.path());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(0o600), 0).unwrap();
    let (_fake, _contact, mut terminal) = attached(home.path(), &[]);
    enter(&mut terminal, "line");
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), 0);
}

#[test]
fn a_full_disk_cuts_nothing_that_is_there() {
    let home = TempDir::new().unwrap();
    let path = file(home.path());
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    // The largest file the client may write has so many bytes, or twice as many, as shells have it.
    let old = format!("#V2\n{}", "? something old\n".repeat(55));
    fs::write(&path, &old).unwrap();
    let full = ["sh", "-c", "trap '' XFSZ; ulimit -f $1; shift; exec \"$@\"", "sh", "2"];
    let (_fake, _contact, mut terminal) = attached(home.path(), &full);
    let lines: Vec<String> = (0..80).map(|line| format!("a line that may fit or not, {line}")).collect();
    for line in &lines {
        enter(&mut terminal, line);
    }
    terminal.press("\x04");
    assert_eq!(terminal.exit_code(), 0);
    let kept = fs::read_to_string(&path).unwrap();
    let new = kept.strip_prefix(&old).expect("what was there is there");
    assert!(new.ends_with('\n') && new.lines().count() < lines.len(), "{new}");
    assert!(new.lines().eq(lines.iter().take(new.lines().count())), "{new}");
}
