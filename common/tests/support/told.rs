//! Stories in files: found, told again, and held against what is written there, or written down. How one is told is for
//! whoever tells them.

use std::fmt::Write as _;
use std::fs;
use std::path::{Path, PathBuf};

use similar::TextDiff;

/// The stories of a crate that is here.
pub(crate) fn story_paths(crate_home: &str) -> Vec<PathBuf> {
    let entries = fs::read_dir(Path::new(crate_home).join("tests/stories")).unwrap();
    let mut paths: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    paths.retain(|path| path.extension().is_some_and(|extension| extension == "txt"));
    paths.sort();
    paths
}

/// That each story is told as it is written; with `STORIES=record` it is written as it is told, and with a part of a file's
/// name only those are told. `retell` is given what a story is called, and its text.
pub(crate) fn hold_to_what_is_written(crate_home: &str, retell: impl Fn(&str, &str) -> String) {
    let wanted = std::env::var("STORIES").unwrap_or_default();
    let is_recording = wanted == "record";
    let mut failures = String::new();
    let mut told_count = 0;
    for path in story_paths(crate_home) {
        let name = path.file_name().unwrap().to_string_lossy().into_owned();
        if !is_recording && !name.contains(&wanted) {
            continue;
        }
        told_count += 1;
        let text = fs::read_to_string(&path).unwrap();
        let retold = retell(&name, &text);
        if is_recording && retold != text {
            fs::write(&path, retold).unwrap();
        } else if retold != text {
            let difference = TextDiff::from_lines(&text, &retold);
            let _ = writeln!(failures, "{name}:\n{}", difference.unified_diff());
        }
    }
    assert!(told_count > 0, "no story is called *{wanted}*");
    assert!(failures.is_empty(), "\n{failures}STORIES=record writes down what happens now\n");
}

/// A story with what is told now in the place of what was written between a `----` and the next empty line. `tell` is given
/// the lines before it that are no comments, with their numbers.
pub(crate) fn retold<'a>(name: &str, text: &'a str, mut tell: impl FnMut(&[(usize, &'a str)]) -> String) -> String {
    let mut retold = String::new();
    let mut commands = Vec::new();
    let mut lines = text.lines().zip(1..);
    while let Some((line, number)) = lines.next() {
        let _ = writeln!(retold, "{line}");
        if line == "----" {
            let _ = lines.find(|(line, _)| line.is_empty());
            retold += &tell(&std::mem::take(&mut commands));
            retold.push('\n');
        } else if line.is_empty() {
            assert!(commands.is_empty(), "{name}:{number}: commands without a ----");
        } else if !line.starts_with('#') {
            commands.push((number, line));
        }
    }
    assert!(commands.is_empty(), "{name}: commands without a ----");
    retold.truncate(retold.trim_end_matches('\n').len());
    retold + "\n"
}
