//! README's page about what clients write, run as it stands there.

use crate::events::{run_as_shown, transcripts};

/// However long a disk takes, and the servent to be there.
#[test]
fn the_page_about_writing_is_what_comes_of_it() {
    let block = transcripts("Writing");
    let is_there = "until target/debug/client 127.0.0.1:9001 -q -c '? hostname' 2>&1 | grep -q north; do :; done; ";
    // Both servents are waited for, and jobs have numbers at a prompt alone.
    let (first, second) = block.split_once("$ kill -9 %1\n").unwrap();
    let again = second.replace("sleep 1; ", "PAUSE; ").replace("kill %2", "kill $(jobs -p); wait");
    let transcript = format!("{first}$ kill -9 $(jobs -p); wait\n{again}");
    let (told, said) = run_as_shown(&transcript, &[("sleep 1; ", is_there), ("PAUSE; ", is_there)]);
    let lines_of = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("$ ") && !line.starts_with("listening"));
        lines.map(|line| line.split(" in ").next().unwrap().to_owned()).collect::<Vec<_>>()
    };
    assert_eq!(lines_of(&told), lines_of(&block), "{said}");
    assert_eq!(lines_of(&block).len(), 7, "{block}");
}
