//! README's first five minutes, and its page about the overlay as one can see it, run as they stand there.

use std::collections::hash_map::RandomState;
use std::fs;
use std::hash::BuildHasher;
use std::io::Read;
use std::path::Path;
use std::process::{Command, Stdio};

use portable_pty::{CommandBuilder, PtySize, native_pty_system};
use topologies::fleet::some_loopback_address;

use crate::events::home;
use crate::support::{stderr, stdout};

/// Which way a copy comes first is nobody's to say: so often a run may come out otherwise.
const TRIES_MAX: usize = 50;
/// An address of this machine with as many digits as that of the page: a drawing is as wide as its addresses.
fn some_short_address() -> String {
    let mut digits = RandomState::new().hash_one(0);
    let mut digit = || {
        digits /= 9;
        1 + digits % 9
    };
    format!("127.{}.{}.{}", digit(), digit(), digit())
}

fn section<'a>(page: &'a str, heading: &str) -> &'a str {
    page.split(&format!("\n{heading}\n")).nth(1).expect("the section")
}

/// What a client shows at a terminal that is asked all that the page asks, on an overlay of the same.
fn shown(questions: &[String]) -> String {
    let address = some_short_address();
    let size = PtySize { rows: 60, cols: 100, ..PtySize::default() };
    let pair = native_pty_system().openpty(size).unwrap();
    let mut command = CommandBuilder::new(env!("CARGO_BIN_EXE_topology"));
    command.args(["run", "diamond", "--address", &address, "--"]);
    questions.iter().for_each(|question| command.args(["-c", question]));
    command.env("TERM", "xterm-256color");
    command.env("LC_ALL", "C.UTF-8");
    command.env("NO_COLOR", "1");
    command.cwd(home());
    let mut child = pair.slave.spawn_command(command).unwrap();
    drop(pair.slave);
    let mut output = pair.master.try_clone_reader().unwrap();
    let (mut bytes, mut buffer) = (Vec::new(), [0; 4096]);
    // A terminal that nobody has any more is read with an error.
    while let Ok(count @ 1..) = output.read(&mut buffer) {
        bytes.extend_from_slice(&buffer[..count]);
    }
    child.wait().unwrap();
    String::from_utf8(bytes).unwrap().replace("\r\n", "\n").replace(&address, "127.0.0.1")
}

/// Lines with times as one word, in an order of their own: answers have none.
fn sorted(lines: &[&str]) -> Vec<String> {
    let without_time = |line: &str| match line.rsplit_once(" in ") {
        Some((begin, end)) if end.ends_with("ms") => format!("{begin} in TIME"),
        _ => line.to_owned(),
    };
    let mut lines: Vec<String> = lines.iter().map(|line| without_time(line)).collect();
    lines.sort();
    lines
}

#[test]
fn the_first_five_minutes_are_as_the_page_tells() {
    let page = fs::read_to_string(home().join("README.md")).unwrap();
    let transcript = section(&page, "## Try it").split("```\n").nth(1).expect("a transcript");
    let mut asked = transcript.split("\n> ").skip(1).map(|asked| asked.split_once('\n').unwrap_or((asked, "")));
    let asked: Vec<(String, Vec<&str>)> =
        asked.by_ref().map(|(question, answers)| (question.to_owned(), answers.lines().collect())).collect();
    let questions: Vec<String> = asked.iter().map(|(question, _)| question.clone()).collect();
    assert_eq!(questions, ["? coffee", "? unicorn", "T", "Q"]);
    let told: Vec<&str> = asked.iter().flat_map(|(_, answers)| answers.iter().copied()).collect();
    let (_, drawn) = asked[2].1.split_at(4);
    let drawing = drawn[..drawn.len() - 1].join("\n");
    assert!(drawing.starts_with("127.0.0.1:9001\n  ┌"), "{drawing}");
    let mut last = String::new();
    for _ in 0..TRIES_MAX {
        last = shown(&questions);
        let lines: Vec<&str> = last.lines().collect();
        let begin = lines.len().saturating_sub(told.len());
        if sorted(&lines[begin..]) == sorted(&told) && last.contains(&drawing) {
            return;
        }
    }
    panic!("no run of {TRIES_MAX} is as README tells:\n{last}");
}

#[test]
fn the_page_about_the_overlay_is_what_comes_of_it() {
    let page = fs::read_to_string(home().join("README.md")).unwrap();
    let transcript = section(&page, "### Seeing the overlay").split("```\n").nth(1).expect("a transcript");
    let directory = tempfile::tempdir().unwrap();
    let address = some_loopback_address().to_string();
    let program = format!("{} run", env!("CARGO_BIN_EXE_topology"));
    let runs: Vec<_> = transcript.split("$ ").skip(1).map(|run| run.split_once('\n').unwrap()).collect();
    assert!(runs.len() >= 3, "{transcript}");
    for (run, shown) in &runs {
        let here =
            run.replace("target/debug/topology run", &program).replace(" -- ", &format!(" --address {address} -- "));
        let output = Command::new("sh")
            .args(["-c", &here])
            .env("LC_ALL", "C.UTF-8")
            .current_dir(directory.path())
            .stdin(Stdio::null())
            .output()
            .unwrap();
        assert!(output.status.success(), "{run}: {}", stderr(&output));
        assert_eq!(stdout(&output).replace(&address, "127.0.0.1"), *shown, "{run}");
    }
    let picture = fs::read_to_string(Path::new(directory.path()).join("ring.svg")).unwrap();
    assert!(picture.starts_with("<svg ") && picture.contains("8 servents, 8 links, diameter 4, degree 2"), "{picture}");
}
