//! What ARCHITECTURE.md and the other documents say of the code, held against the files themselves.
//!
//! Only what a compiler or a lint cannot hold is here: which file names which, where `unsafe` is, whether links lead
//! somewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};

/// The directory that holds everything.
fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
}

/// Every file of the project below a directory, as paths from the project's own, without what is built or downloaded.
fn files(below: &str) -> Vec<String> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != ".git" {
                walk(&path, found);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&home().join(below), &mut found);
    let mut names: Vec<String> =
        found.iter().map(|path| path.strip_prefix(home()).unwrap().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

fn read(file: &str) -> String {
    fs::read_to_string(home().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

fn rust_files(below: &str) -> Vec<String> {
    files(below).into_iter().filter(|file| file.ends_with(".rs")).collect()
}

fn documents() -> Vec<String> {
    files("").into_iter().filter(|file| file.ends_with(".md")).collect()
}

#[test]
fn no_room_names_another() {
    const ROOMS: [&str; 4] = ["links", "flood", "search", "delivery"];
    let mut seen = 0;
    for file in rust_files("common/src/overlay") {
        let inside = file.strip_prefix("common/src/overlay/").unwrap();
        let Some(room) = ROOMS.iter().find(|room| inside.split(['/', '.']).next() == Some(room)) else { continue };
        seen += 1;
        let text = read(&file);
        for other in ROOMS.iter().filter(|other| *other != room) {
            for named in [format!("overlay::{other}"), format!("super::{other}::")] {
                assert!(!text.contains(&named), "{file} names the room `{other}`");
            }
        }
    }
    assert!(seen >= ROOMS.len(), "the rooms are somewhere else");
}

#[test]
fn unsafe_is_where_it_is_said_to_be() {
    let allowed: BTreeSet<String> =
        rust_files("").into_iter().filter(|file| read(file).contains("allow(unsafe_code)")).collect();
    let own = "topologies/tests/documents.rs".to_owned();
    let said = ["common/tests/allocation.rs", "fuzz/src/memory.rs", "servent/src/poller.rs"].map(str::to_owned);
    assert_eq!(allowed.into_iter().filter(|file| *file != own).collect::<Vec<_>>(), said);
    let page = read("ARCHITECTURE.md");
    said.iter().for_each(|file| assert!(page.contains(file.as_str()), "ARCHITECTURE.md does not name {file}"));
}

#[test]
fn nothing_in_the_core_is_random_but_the_keys_of_one_table() {
    let random = ["RandomState", "getrandom", "thread_rng", "rand::"];
    let found: Vec<String> = rust_files("common/src")
        .into_iter()
        .filter(|file| random.iter().any(|word| read(file).contains(word)))
        .collect();
    assert_eq!(found, ["common/src/overlay/flood/seen.rs"]);
    assert!(read("ARCHITECTURE.md").contains("`flood/seen.rs`"));
}

/// What of the core's dependencies could hold a socket, a file, a clock or a thread was looked at one by one.
#[test]
fn the_core_depends_on_nothing_that_was_not_looked_at() {
    let text = read("common/Cargo.toml");
    let table = text.split("[dependencies]").nth(1).unwrap().split('[').next().unwrap();
    let names: Vec<&str> =
        table.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty()).collect();
    assert_eq!(names, ["bincode", "foldhash", "hashbrown", "ipnet", "log", "memchr", "thiserror"]);
}

#[test]
fn every_file_a_document_names_is_there() {
    let all = files("");
    let mut checked = 0;
    for document in ["ARCHITECTURE.md", "README.md", "docs/PROTOCOL.md", "docs/TP3.md", "docs/TESTING.md"] {
        for word in read(document).split('`').skip(1).step_by(2) {
            let is_file = [".rs", ".md", ".toml", ".topo"].iter().any(|end| word.ends_with(end)) && word.contains('/');
            if !is_file || word.contains(['*', ' ', '{', '<']) || word.starts_with("./") {
                continue;
            }
            checked += 1;
            let is_there = all.iter().any(|file| file == word || file.ends_with(&format!("/{word}")));
            assert!(is_there, "{document} names `{word}`, which is nowhere");
        }
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn every_link_leads_somewhere() {
    let mut checked = 0;
    for document in documents() {
        let text = read(&document);
        let directory = Path::new(&document).parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            checked += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { home().join(&document) } else { home().join(directory).join(path) };
            assert!(target.exists(), "{document} links to {link}, which is nowhere");
            if !anchor.is_empty() {
                let anchors = anchors(&fs::read_to_string(&target).unwrap());
                assert!(anchors.contains(anchor), "{document} links to {link}, where there are {anchors:?}");
            }
        }
    }
    assert!(checked > 20, "{checked}");
}

/// The names by which the headings of a page can be linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}
