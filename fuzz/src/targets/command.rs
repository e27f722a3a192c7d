//! A line of the client's prompt or script. Of one about files only that it is read: its words are quoted, and what `get` takes
//! is read as a command line is.

use client::program::command::{Command, Usage};
use common::address::parse_servent;
use common::dialect::Dialect;
use common::key::{Key, KeyError};
use common::query::Ask;
use common::text::misleads;

use crate::Outcome;

pub(crate) fn run(line: &[u8]) -> Outcome {
    let command = Command::parse(line);
    if is_about_files(line) {
        assert_eq!(command.fault().is_some(), matches!(command, Command::BadWords(_)), "{command:?}");
        return Outcome::taken_if(command.fault().is_none());
    }
    // Why it is no address is told in words that are not said once more.
    let is_same = matches!((&command, read(line)), (Command::BadAddress(_), Command::BadAddress(_)));
    assert!(is_same || command == read(line), "{command:?}");
    if !line.ends_with(b"\n") && !line.ends_with(b"\r") {
        for end in [b"\n".as_slice(), b"\r\n"] {
            assert_eq!(Command::parse(&[line, end].concat()), command, "a line means the same with its end");
        }
        // Behind a backslash a blank is a part of the word.
        if !line.ends_with(b"\\") {
            let blanks = [b" \t".as_slice(), line, b"\t "].concat();
            assert_eq!(Command::parse(&blanks), command, "a line means the same between blanks");
        }
    }
    match &command {
        // One that no data file has is quoted.
        Command::Ask(Ask::Key(key)) if key.as_bytes().iter().any(|byte| matches!(byte, b' ' | b'\t')) => {
            let mut quoted = b"? \"".to_vec();
            for byte in key.as_bytes() {
                quoted.extend(matches!(byte, b'"' | b'\\').then_some(b'\\'));
                quoted.push(*byte);
            }
            assert_eq!(Command::parse(&[&quoted[..], b"\"\r\n"].concat()), command);
        }
        // What a key is called is what the data file calls it: one word.
        Command::Ask(Ask::Key(key)) => {
            assert_eq!(Command::parse(&[b"? ", key.as_bytes(), b"\r\n"].concat()), command);
            if key.as_bytes() != b"*" {
                assert_eq!(Command::parse(&[b"?", key.as_bytes(), b"\r\n"].concat()), command);
            }
        }
        // Whoever is named can be dialled, and is shown as it was named.
        Command::Members(Some(named)) => {
            assert!(parse_servent(named).is_ok(), "{named}");
            assert_eq!(Command::parse(format!("M {named}").as_bytes()), command);
        }
        Command::Greet(named) => {
            assert!(parse_servent(named).is_ok_and(|(dialect, _)| dialect == Dialect::OWN), "{named}");
            assert_eq!(Command::parse(format!("hello {named}").as_bytes()), command);
        }
        Command::BadAddress(fault) => assert!(!fault.chars().any(misleads), "{fault:?}"),
        Command::BadKey(error) => assert!(matches!(error, KeyError::TooLong(_)), "{error}"),
        _ => {}
    }
    let is_refused =
        matches!(command, Command::BadKey(_) | Command::BadAddress(_) | Command::ManyWords | Command::Prefix);
    assert_eq!(command.fault().is_some(), is_refused, "who is refused is told why");
    Outcome::taken_if(!is_refused && command != Command::Unknown)
}

fn is_about_files(line: &[u8]) -> bool {
    let mut words = line.split(|byte| matches!(byte, b' ' | b'\t' | b'\r' | b'\n')).filter(|word| !word.is_empty());
    matches!(words.next(), Some(b"find" | b"get" | b":get" | b"ls"))
}

/// The rules, once more.
fn read(line: &[u8]) -> Command {
    let mut line = line.to_vec();
    if line.last() == Some(&b'\n') {
        line.pop();
    }
    if line.last() == Some(&b'\r') {
        line.pop();
    }
    let mut words: Vec<Vec<u8>> = vec![Vec::new()];
    for byte in line.iter().copied() {
        if byte == b' ' || byte == b'\t' {
            words.push(Vec::new());
        } else if let Some(word) = words.last_mut() {
            word.push(byte);
        }
    }
    words.retain(|word| !word.is_empty());
    if words.first().is_some_and(|word| word[0] == b'?' && word.len() > 1) {
        // A question mark and what follows at once are two words, but for a star alone, which is kept.
        let word = words.remove(0).split_off(1);
        if word == b"*" {
            return Command::Prefix;
        }
        words.insert(0, word);
        words.insert(0, vec![b'?']);
    }
    let words: Vec<&[u8]> = words.iter().map(Vec::as_slice).collect();
    match words[..] {
        [] => Command::Nothing,
        [word, ..] if word[0] == b'#' => Command::Nothing,
        [b"M", ref words @ ..] if asks_for_help(words) => Command::HelpOf(Usage::Members),
        [b"hello", ref words @ ..] if asks_for_help(words) => Command::HelpOf(Usage::Greet),
        [b"help", b"find"] => Command::HelpOf(Usage::Find),
        [b"help", b"get" | b":get"] => Command::HelpOf(Usage::Get),
        [b"help", b"ls"] => Command::HelpOf(Usage::Files),
        [b"help", b"M"] => Command::HelpOf(Usage::Members),
        [b"help", b"hello"] => Command::HelpOf(Usage::Greet),
        [b"T"] => Command::Ask(Ask::Topology),
        [b"M"] => Command::Members(None),
        [b"M", named] => match str::from_utf8(named).ok().filter(|named| parse_servent(named).is_ok()) {
            Some(named) => Command::Members(Some(named.to_owned())),
            None => Command::BadAddress(String::new()),
        },
        [b"hello", named] => {
            let speaks_ours = |named: &&str| parse_servent(named).is_ok_and(|(dialect, _)| dialect == Dialect::OWN);
            match str::from_utf8(named).ok().filter(speaks_ours) {
                Some(named) => Command::Greet(named.to_owned()),
                None => Command::BadAddress(String::new()),
            }
        }
        [b"M" | b"hello", ..] => Command::BadAddress(String::new()),
        [b"Q" | b"q" | b"quit" | b"exit"] => Command::Quit,
        [b"help" | b"?"] | [b"help", b"?" | b"T" | b"Q" | b"help"] => Command::Help,
        [b"?", key] => Key::new(key).map_or_else(Command::BadKey, |key| Command::Ask(Ask::Key(key))),
        [b"?", ..] => match quoted(&line) {
            Some(key) => Key::new(&key).map_or_else(Command::BadKey, |key| Command::Ask(Ask::Key(key))),
            None => Command::ManyWords,
        },
        _ => Command::Unknown,
    }
}

/// What is behind the question mark, if it is one word that may be quoted.
fn quoted(line: &[u8]) -> Option<Vec<u8>> {
    let begin = line.iter().position(|byte| *byte == b'?')?;
    let (mut word, mut open, mut is_begun, mut is_over) = (Vec::new(), None, false, false);
    let mut bytes = line.get(begin + 1..)?.iter().copied();
    while let Some(byte) = bytes.next() {
        if open.is_none() && matches!(byte, b' ' | b'\t') {
            is_over = is_begun;
            continue;
        }
        if is_over {
            return None;
        }
        is_begun = true;
        match byte {
            b'\\' if open != Some(b'\'') => word.push(bytes.next()?),
            b'\'' | b'"' if open.is_none() => open = Some(byte),
            _ if open == Some(byte) => open = None,
            _ => word.push(byte),
        }
    }
    (open.is_none() && is_begun).then_some(word)
}

fn asks_for_help(words: &[&[u8]]) -> bool {
    let help = words.iter().position(|word| matches!(*word, b"-h" | b"--help"));
    help.is_some_and(|help| !words.iter().take(help).any(|word| *word == b"--"))
}
