//! Overlays that stand in no file, as a person brings them up: what they answer, what is refused, and what a terminal shows
//! while they come up.
//!
//! Which links a shape has is tested where it is read (`drawn`).

use std::fs::{self, File, OpenOptions};
use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;
use std::process::Command;
use std::sync::mpsc::{Receiver, channel};
use std::time::{Duration, Instant};

use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use rustix::fs::{CWD, Mode, mkfifoat};
use rustix::process::{Pid, Signal, kill_process};
use tempfile::TempDir;
use topologies::fleet::{hear_signals, some_loopback_address};

use crate::support::{Mark, Marked, stderr, stdout, topology};

/// The longest anything may take.
const PATIENCE: Duration = Duration::from_secs(60);

fn run(shape: &str, words: &[&str]) -> (String, String) {
    let ip = some_loopback_address().to_string();
    let output = topology(&[&["run", shape, "--address", &ip], words].concat());
    assert!(output.status.success(), "{}", stderr(&output));
    (stdout(&output).replace(&ip, "IP"), stderr(&output).replace(&ip, "IP"))
}

#[test]
fn a_shape_is_brought_up_and_asked() {
    let (printed, said) = run("tree:2,2", &["--", "-q", "-c", "? lighthouse", "-c", "T"]);
    assert!(printed.starts_with("Farol da Barra, Salvador, Brazil: a light there since 1698 IP:9004\n"), "{printed}");
    let mut ways: Vec<&str> = printed.lines().skip(1).collect();
    ways.sort_unstable();
    let below = |parent: &str, child: u16| format!("IP:9001 IP:{parent} IP:{child} IP:{child}");
    assert_eq!(ways.len(), 7, "{printed}");
    for way in [below("9002", 9004), below("9002", 9005), below("9003", 9006), below("9003", 9007)] {
        assert!(ways.contains(&&*way), "{way}: {printed}");
    }
    let first = said.lines().nth(1).unwrap();
    assert!(said.starts_with("tree:2,2: 7 servents, 6 links\n  IP:9001  "), "{said}");
    assert!(first.ends_with("data/north.txt  linked with IP:9002 IP:9003"), "{said}");
    assert_eq!(said.lines().count(), 8, "no line changes where there is no terminal: {said}");
}

#[test]
fn of_many_servents_a_summary_is_told_and_how_far_a_query_goes() {
    let (printed, said) = run("ring:40", &["--", "-q", "-c", "T"]);
    assert_eq!(printed.lines().count(), 33);
    let expected = "ring:40: 40 servents, 40 links\n  IP:9001 to IP:9040, diameter 20, degree 2\n  \
                    a query goes 16 links far, to 33 of 40 servents\n";
    assert_eq!(said, expected);
}

#[test]
fn a_seed_is_told_and_draws_the_same_links_again() {
    let links = |words: &[&str]| {
        let (printed, said) = run("random:12,3", &[words, &["--", "-q", "--json", "-c", "T"]].concat());
        let mut links = Vec::new();
        for line in printed.lines().filter(|line| line.contains("\"type\":\"answer\"")) {
            let answer: serde_json::Value = serde_json::from_str(line).unwrap();
            let from = answer["from"].as_str().unwrap();
            let neighbors = answer["neighbors"].as_array().unwrap().iter();
            links.extend(neighbors.map(|neighbor| (from.to_owned(), neighbor.as_str().unwrap().to_owned())));
        }
        links.sort_unstable();
        let seed = said.strip_prefix("random:12,3 --seed ").unwrap().split(':').next().unwrap().to_owned();
        (links, seed)
    };
    let (drawn, seed) = links(&[]);
    assert_eq!(drawn.len(), 36);
    assert_eq!(links(&["--seed", &seed]), (drawn, seed));
}

#[test]
fn shapes_are_as_their_graphs_say() {
    for (shape, words, name) in [
        ("chain:5", &[][..], "chain:5"),
        ("mesh:8,3", &[], "mesh:8,3"),
        ("grid:9", &[], "grid:9"),
        ("star:6", &[], "star:6"),
        ("random:14,4", &["--seed", "7"], "random:14,4 --seed 7"),
        ("chain:18", &[], "chain:18"),
    ] {
        let output = topology(&[&["check", shape], words].concat());
        let text = stdout(&output);
        assert!(output.status.success(), "{text}{}", stderr(&output));
        assert!(
            text.starts_with(&format!("{name}: ")) && text.ends_with(&format!("\n{name}: as declared\n")),
            "{text}"
        );
        let is_short = text.contains("\n  a query goes 16 links far, to 17 of 18 servents\n");
        assert_eq!(is_short, shape == "chain:18", "{text}");
    }
}

#[test]
fn what_cannot_be_is_a_wrong_command_line() {
    for (words, said) in [
        (&["run", "ring:x"][..], "`x` is no number (ring:N: a row whose ends are linked)"),
        (&["check", "nope:3"], "no shape is called `nope`; there are chain:N"),
        (&["run", "random:30,40"], "each of 30 can have 2 to 29 neighbors, and not 40"),
        (&["run", "ring:8", "--seed", "7"], "--seed: nothing of ring:8 is drawn at random"),
        (&["check", "diamond", "--seed", "7"], "--seed: nothing of diamond is drawn at random"),
        (
            &["run", "ring:8", "--every", "nonsense"],
            "invalid value 'nonsense' for '--every <DURATION>': a duration such as",
        ),
        (&["run", "ring:8", "--every", "-1"], "invalid value '-1' for '--every <DURATION>': a duration such as"),
        (&["run", "ring:8", "--every", "1s", "--", "-c", "M"], "--every takes one command"),
        (&["run", "ring:8", "--", "--nonsense"], "unexpected argument '--nonsense' found"),
        (&["run", "random:8,2", "--seed", "x"], "invalid value 'x' for '--seed <N>'"),
    ] {
        let output = topology(words);
        let error = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{words:?}: {error}");
        assert!(error.contains(said), "{words:?}: {error}");
        assert!(!error.contains("8 servents"), "it was brought up: {error}");
    }
}

#[test]
fn a_file_may_have_a_colon_in_its_name() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ring:8.topo");
    fs::write(&path, "9341 -\n9342 - 9341\n").unwrap();
    let (_, said) = run(path.to_str().unwrap(), &["--", "-q", "-c", "T"]);
    assert!(said.starts_with("ring:8: 2 servents, 1 link\n"), "{said}");
}

/// What the last servent of a shape is until it may be one.
const HELD: &str = "held";

/// Programs of which a servent at this port, whom no other dials, does not begin before it may, so that what it belongs to cannot
/// come up.
struct HeldPrograms {
    directory: TempDir,
    gate: File,
}

impl HeldPrograms {
    fn at(port: u16) -> HeldPrograms {
        let directory = tempfile::tempdir_in(env!("CARGO_TARGET_TMPDIR")).unwrap();
        let of = |name: &str| directory.path().join(name);
        let built = Path::new(env!("CARGO_BIN_EXE_topology")).parent().unwrap();
        // Where it is it looks for the others.
        fs::hard_link(built.join("topology"), of("topology")).unwrap();
        symlink(built.join("client"), of("client")).unwrap();
        let (servent, held) = (built.join("servent"), of(HELD));
        let [servent, held, gate] = [&servent, &held, &of("gate")].map(|path| format!("'{}'", path.display()));
        let first =
            format!("#!/bin/sh\ncase \" $* \" in *:{port}\\ *) exec {held} \"$@\";; esac\nexec {servent} \"$@\"\n");
        let then = format!("#!/bin/sh\nread -r line < {gate}\nexec {servent} \"$@\"\n");
        for (name, text) in [("servent", first), (HELD, then)] {
            // Whatever is open to be written cannot be run, and what another test starts just now would inherit it from us.
            let write = ["-c", "printf %s \"$1\" >\"$0\" && chmod 755 \"$0\""];
            assert!(Command::new("sh").args(write).arg(of(name)).arg(text).status().unwrap().success());
        }
        mkfifoat(CWD, of("gate"), Mode::RUSR | Mode::WUSR).unwrap();
        // Who has both ends waits for nobody, and what is written stays until it is read.
        let gate = OpenOptions::new().read(true).write(true).open(of("gate")).unwrap();
        HeldPrograms { directory, gate }
    }

    /// Lets it begin.
    fn let_go(&self) {
        (&self.gate).write_all(b"\n").unwrap();
    }

    fn start(&self, shape: &str) -> AtTerminal {
        AtTerminal::start_of(&self.directory.path().join("topology"), shape, "xterm-256color", &[])
    }
}

/// `topology run` at a terminal, and what that shows.
struct AtTerminal {
    child: Box<dyn Child + Send + Sync>,
    /// As long as there is one it is a terminal.
    _terminal: Box<dyn MasterPty + Send>,
    keyboard: Box<dyn Write + Send>,
    pieces: Receiver<Vec<u8>>,
    screen: vt100::Parser,
    mark: Mark,
    /// Where the client keeps its history.
    _home: TempDir,
}

impl AtTerminal {
    fn start(shape: &str, term: &str, words: &[&str]) -> AtTerminal {
        AtTerminal::start_of(env!("CARGO_BIN_EXE_topology").as_ref(), shape, term, words)
    }

    fn start_of(program: &Path, shape: &str, term: &str, words: &[&str]) -> AtTerminal {
        hear_signals().unwrap();
        let size = PtySize { rows: 60, cols: 200, ..PtySize::default() };
        let pair = native_pty_system().openpty(size).unwrap();
        let mut command = CommandBuilder::new(program);
        command.args(["run", shape, "--address", &some_loopback_address().to_string()]);
        command.args(words);
        command.env("TERM", term);
        let home = tempfile::tempdir().unwrap();
        command.env("XDG_STATE_HOME", home.path());
        let mark = Mark::put_by(|name, value| command.env(name, value));
        let child = pair.slave.spawn_command(command).unwrap();
        drop(pair.slave);
        let keyboard = pair.master.take_writer().unwrap();
        let mut output = pair.master.try_clone_reader().unwrap();
        let (sender, pieces) = channel();
        std::thread::spawn(move || {
            let mut buffer = [0; 4096];
            // A terminal that nobody has any more is read with an error. Nobody may be left to hear it.
            while let Ok(count @ 1..) = output.read(&mut buffer) {
                let _ = sender.send(buffer[..count].to_vec());
            }
        });
        let screen = vt100::Parser::new(size.rows.try_into().unwrap(), size.cols.try_into().unwrap(), 0);
        AtTerminal { child, _terminal: pair.master, keyboard, pieces, screen, mark, _home: home }
    }

    /// What was started and is not a servent yet.
    fn held(&self) -> Marked {
        let until = Instant::now() + PATIENCE;
        loop {
            if let Some(held) = self.mark.processes().into_iter().find(|process| process.name == HELD) {
                return held;
            }
            assert!(Instant::now() < until, "none is held");
            std::thread::yield_now();
        }
    }

    /// Shows what comes until it is so, or there is no more.
    fn show_until(&mut self, is_so: impl Fn(&str) -> bool) {
        while !is_so(&self.shown()) && self.show_next() {}
    }

    /// Whether there was more.
    fn show_next(&mut self) -> bool {
        let piece = self.pieces.recv_timeout(PATIENCE);
        piece.iter().for_each(|piece| self.screen.process(piece));
        piece.is_ok()
    }

    fn shown(&self) -> String {
        self.screen.screen().contents()
    }
}

impl Drop for AtTerminal {
    fn drop(&mut self) {
        // Also where a test failed.
        let _ = self.child.kill();
        for process in self.mark.processes() {
            let _ = kill_process(process.pid, Signal::KILL);
        }
    }
}

#[test]
fn at_a_terminal_a_line_says_how_far_it_is_and_is_gone_once_it_is_up() {
    let programs = HeldPrograms::at(9012);
    let mut program = programs.start("chain:12");
    program.show_until(|shown| shown.contains("11 of 12 servents are up, ") && shown.trim().ends_with("linked"));
    let line = program.shown();
    let words: Vec<&str> = line.trim().split(' ').collect();
    let ["11", "of", "12", "servents", "are", "up,", linked, "linked"] = words[..] else { panic!("{line}") };
    assert!(linked.parse::<usize>().unwrap() <= 11, "{line}");
    programs.let_go();
    // The last that is told before a person is asked.
    program.show_until(|shown| shown.contains("\ntry: "));
    let shown = program.shown();
    assert!(shown.starts_with("chain:12: 12 servents, 11 links\n") && !shown.contains("are up"), "{shown}");
    program.keyboard.write_all(b"Q\r").unwrap();
    program.show_until(|_| false);
    assert_eq!(program.child.wait().unwrap().exit_code(), 0);
}

#[test]
fn ctrl_c_while_it_comes_up_leaves_neither_servents_nor_the_line() {
    let programs = HeldPrograms::at(9012);
    let mut program = programs.start("chain:12");
    program.show_until(|shown| shown.contains(" are up, "));
    // One that is stopped hears nothing.
    kill_process(program.held().pid, Signal::STOP).unwrap();
    program.keyboard.write_all(b"\x03").unwrap();
    program.show_until(|_| false);
    assert_eq!(program.child.wait().unwrap().exit_code(), 130);
    let shown = program.shown();
    assert!(!shown.contains("are up"), "{shown}");
    let left: Vec<Pid> = program.mark.processes().into_iter().map(|process| process.pid).collect();
    assert!(left.is_empty(), "{left:?}");
}

#[test]
fn a_terminal_that_cannot_move_its_cursor_is_shown_no_line() {
    let mut program = AtTerminal::start("chain:40", "dumb", &["--", "-c", "? unicorn"]);
    program.show_until(|_| false);
    assert_eq!(program.child.wait().unwrap().exit_code(), 1, "nobody has it");
    let shown = program.shown();
    assert!(shown.starts_with("chain:40: 40 servents") && !shown.contains("are up"), "{shown}");
}
