//! Stories of simulated runs: what a command line is for, the command line, `----`, and what it prints, in
//! `tests/stories/*.txt`.
//!
//! `STORIES=record cargo test -p topology --test it stories::` writes down what they print now; read the difference before
//! you keep it. `STORIES=<part of a file name>` tells only those. How a failing run becomes a story is in
//! `tests/stories/README.md`. A story shows a run; whether all runs are well is for `sim.rs` and `worlds.rs`.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use topology::runs::story;

use crate::lines::options;

#[test]
fn stories_are_told_as_they_are_written() {
    let wanted = std::env::var("STORIES").unwrap_or_default();
    let is_recording = wanted == "record";
    let mut failures = String::new();
    let mut told_count = 0;
    for path in story_paths() {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !is_recording && !name.contains(&wanted) {
            continue;
        }
        told_count += 1;
        let text = fs::read_to_string(&path).unwrap();
        let retold = retell(&name, &text);
        if is_recording {
            if retold != text {
                fs::write(&path, retold).unwrap();
            }
        } else if retold != text {
            let _ = writeln!(failures, "{name}:\n{}", difference(&text, &retold));
        }
    }
    assert!(told_count > 0, "no story is called *{wanted}*");
    assert!(failures.is_empty(), "\n{failures}STORIES=record writes down what happens now\n");
}

#[test]
fn every_story_says_what_it_shows() {
    for path in story_paths() {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{}", path.display());
    }
}

fn story_paths() -> Vec<PathBuf> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/stories");
    let mut paths: Vec<PathBuf> = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths
}

/// The story with what its command lines print now in the place of what was written, up to the next empty line.
fn retell(name: &str, text: &str) -> String {
    let mut retold = String::new();
    let mut command = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        let _ = writeln!(retold, "{line}");
        if line != "----" {
            if !line.is_empty() && !line.starts_with('#') {
                assert_eq!(command.replace(line), None, "{name}: two command lines and one ----");
            }
            continue;
        }
        let _ = lines.find(|line| line.is_empty());
        let command = command.take().unwrap_or_else(|| panic!("{name}: a ---- without a command line"));
        retold.push_str(&tell(name, command));
        retold.push('\n');
    }
    assert_eq!(command, None, "{name}: a command line without a ----");
    while retold.ends_with("\n\n") {
        retold.pop();
    }
    retold
}

fn tell(name: &str, command: &str) -> String {
    assert!(!command.contains('\''), "{name}: only a shell reads quoted words");
    let plans: Vec<_> = options(command).plans().unwrap_or_else(|error| panic!("{name}: {error:#}")).collect();
    assert_eq!(plans.len(), 1, "{name}: a story is of one seed");
    story::told(&plans[0], sim::run).unwrap()
}

/// The lines of both that differ, in their places: a run prints as many lines as before, unless it breaks something.
fn difference(old: &str, new: &str) -> String {
    let (mut old, mut new) = (old.lines(), new.lines());
    let mut text = String::new();
    loop {
        match (old.next(), new.next()) {
            (None, None) => return text,
            (old, new) if old == new => {}
            (old, new) => {
                for (sign, line) in [('-', old), ('+', new)] {
                    if let Some(line) = line {
                        let _ = writeln!(text, "  {sign} {line}");
                    }
                }
            }
        }
    }
}
