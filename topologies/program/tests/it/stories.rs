//! Stories of simulated runs: what a command line is for, the command line, `----`, and what it prints, in
//! `tests/stories/*.txt`.
//!
//! `STORIES=record cargo test -p topology --test it stories::` writes down what they print now; read the difference
//! before you keep it. `STORIES=<part of a file name>` tells only those. How a failing run becomes a story is in
//! `tests/stories/README.md`. A story shows a run; whether all runs are well is for `seeds.rs` and `worlds.rs`.

use std::fs;

use topology::runs::story;

use crate::lines::options;
use crate::told;

#[test]
fn stories_are_told_as_they_are_written() {
    told::hold_to_what_is_written(env!("CARGO_MANIFEST_DIR"), retell);
}

#[test]
fn every_story_says_what_it_shows() {
    for path in told::story_paths(env!("CARGO_MANIFEST_DIR")) {
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.starts_with("# "), "{}", path.display());
    }
}

/// The story with what its command lines print now in the place of what was written, up to the next empty line.
fn retell(name: &str, text: &str) -> String {
    told::retold(name, text, |commands| {
        let [(_, command)] = commands else { panic!("{name}: a ---- stands under one command line: {commands:?}") };
        assert!(!command.contains('\''), "{name}: only a shell reads quoted words");
        let plans: Vec<_> = options(command).plans().unwrap_or_else(|error| panic!("{name}: {error:#}")).collect();
        assert_eq!(plans.len(), 1, "{name}: a story is of one seed");
        story::told(&plans[0], sim::run).unwrap()
    })
}
