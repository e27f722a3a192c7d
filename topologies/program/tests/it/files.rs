//! README's page about files that are shared, run as it stands there.

use crate::events::{run_as_shown, transcripts};

/// However long the servent takes to hash what it shares.
#[test]
fn the_page_about_files_is_what_comes_of_it() {
    let block = transcripts("Files");
    let found = "until target/debug/client 127.0.0.1:9001 -c find -q | grep -q farol; do :; done; ";
    let (told, said) = run_as_shown(&block, &[("sleep 1; ", found), ("kill %1 %2", "kill $(jobs -p); wait")]);
    let lines_of = |text: &str| {
        let lines = text.lines().filter(|line| !line.starts_with("$ ") && !line.starts_with("listening"));
        lines.map(str::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(lines_of(&told), lines_of(&block), "{said}");
    assert_eq!(lines_of(&block).len(), 4, "{block}");
}
