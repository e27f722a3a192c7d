//! One line of a `.topo` file as a servent's command line.
//!
//! It reads and refuses; what the lines declare together is `declared`'s.

use anyhow::{anyhow, bail};
use clap::Parser;
use clap::error::ErrorKind;
use servent::options::Options;

/// The options a line declares; none where it declares nothing.
pub(super) fn parse(line: &str) -> anyhow::Result<Option<Options>> {
    let mut words = words(line)?;
    // A line may be written as it would be typed, or without the program's name.
    if words.first().is_some_and(|word| word == "servent") {
        words.remove(0);
    } else if words.is_empty() {
        return Ok(None);
    }
    let options = Options::try_parse_from(std::iter::once("servent".to_owned()).chain(words)).map_err(|error| {
        let what = match error.kind() {
            ErrorKind::DisplayHelp => no_place("--help"),
            ErrorKind::DisplayVersion => no_place("--version"),
            _ => return anyhow!("{}", first_paragraph(&error.to_string())),
        };
        anyhow!(what)
    })?;
    for (is_said, option) in [
        (options.check, "--check"),
        (options.export.is_some(), "--export"),
        (options.with_parent.is_some(), "--with-parent"),
        (options.verbosity.is_said(), "-v or -q"),
    ] {
        if is_said {
            bail!(no_place(option));
        }
    }
    Ok(Some(options))
}

fn no_place(option: &str) -> String {
    format!("{option} has no place here: a line says what a servent of this overlay is")
}

/// What went wrong, as one line: the rest of what clap says is about how to type a command.
fn first_paragraph(text: &str) -> String {
    let lines: Vec<&str> = text.lines().map(str::trim).take_while(|line| !line.is_empty()).collect();
    let said = lines.join(" ");
    said.strip_prefix("error: ").unwrap_or(&said).to_owned()
}

/// The words of a line, split by blanks and tabs. A `#` where a word could begin makes the rest a comment. A word that
/// begins with a quote, single or double, goes to the next quote of its kind, whatever is between, and there is no other
/// way to write a blank into a word: nothing is escaped.
fn words(line: &str) -> anyhow::Result<Vec<String>> {
    let mut words = Vec::new();
    let mut rest = line.trim_start_matches(BLANKS);
    while !rest.is_empty() && !rest.starts_with('#') {
        let (word, after) = match rest.chars().next() {
            Some(quote @ ('"' | '\'')) => {
                let (word, after) =
                    rest[1..].split_once(quote).ok_or_else(|| anyhow!("a {quote} without its other one: {rest}"))?;
                if !after.is_empty() && !after.starts_with(BLANKS) {
                    bail!("a quoted word ends with its quote: a blank is missing before {after}");
                }
                (word, after)
            }
            _ => rest.split_at(rest.find(BLANKS).unwrap_or(rest.len())),
        };
        if word.is_empty() {
            bail!("a word without a letter");
        }
        if let Some(odd) = word.chars().find(|letter| letter.is_control()) {
            bail!("a control character, {odd:?}, in a word");
        }
        words.push(word.to_owned());
        rest = after.trim_start_matches(BLANKS);
    }
    Ok(words)
}

const BLANKS: [char; 2] = [' ', '\t'];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_may_be_quoted_and_comments_end_a_line() {
        for (line, expected) in [
            ("", &[][..]),
            (" \t ", &[]),
            ("# nothing", &[]),
            ("  # nothing", &[]),
            ("9001 -", &["9001", "-"]),
            ("\t9001\t \t- ", &["9001", "-"]),
            ("9001 - # tea", &["9001", "-"]),
            ("9001 - #tea # coffee", &["9001", "-"]),
            ("9001 tea#1.txt", &["9001", "tea#1.txt"]),
            ("9001 \"my data/tea.txt\" 127.0.0.1:9002", &["9001", "my data/tea.txt", "127.0.0.1:9002"]),
            ("9001 'my data/tea.txt'", &["9001", "my data/tea.txt"]),
            ("9001 'my \"data\"/#1.txt' # tea", &["9001", "my \"data\"/#1.txt"]),
            ("9001 \"it's\\n.txt\"", &["9001", "it's\\n.txt"]),
            ("9001 it's.txt a\"b", &["9001", "it's.txt", "a\"b"]),
            ("9001 '#1.txt'", &["9001", "#1.txt"]),
        ] {
            assert_eq!(words(line).unwrap(), expected, "{line}");
        }
        for (line, expected) in [
            ("9001 \"tea.txt", "a \" without its other one: \"tea.txt"),
            ("9001 'tea.txt\"", "a ' without its other one: 'tea.txt\""),
            ("9001 'tea'.txt", "a blank is missing before .txt"),
            ("9001 'tea'#", "a blank is missing before #"),
            ("9001 ''", "a word without a letter"),
            ("9001 tea\u{1b}[2J", "a control character, '\\u{1b}', in a word"),
            ("9001 'a\rb'", "a control character, '\\r', in a word"),
        ] {
            let error = words(line).unwrap_err().to_string();
            assert!(error.contains(expected), "{line}: {error}");
        }
    }

    #[test]
    fn what_has_no_place_in_a_line_is_said() {
        for (line, expected) in [
            ("9001 - --check", "--check has no place here"),
            ("--export north.db", "--export has no place here"),
            ("-h", "--help has no place here"),
            ("9001 - --help", "--help has no place here"),
            ("servent -V", "--version has no place here"),
            ("9001 - -v", "-v or -q has no place here"),
            ("9001 - -qq", "-v or -q has no place here"),
            ("9001 - -vq", "cannot be used with"),
            ("9001 - --with-parent 1", "--with-parent has no place here"),
            ("9001", "the following required arguments were not provided: <DATA>"),
            ("--ttl 4", "the following required arguments were not provided: <LISTEN> <DATA>"),
            ("servent", "the following required arguments were not provided: <LISTEN> <DATA>"),
            ("--ttl 4 servent 9001 -", "`servent` has no port; the forms are PORT"),
            ("9001 - --tl 4", "unexpected argument '--tl' found"),
        ] {
            let error = parse(line).unwrap_err().to_string();
            assert!(error.contains(expected) && !error.contains('\n'), "{line}: {error}");
        }
        let options = parse("servent --ttl 4 9001 - --forward-once # both").unwrap().unwrap();
        assert!(options.ttl == 4 && options.forward_once);
        assert!(parse("  # nothing").unwrap().is_none());
    }
}
