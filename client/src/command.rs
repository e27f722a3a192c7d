//! What a line a person (or a script) wrote asks for.
//!
//! Lines are bytes: a script may hold keys that are not UTF-8.

use common::key::{Key, KeyError};
use common::query::Ask;

/// What a line asks for.
#[derive(Debug, PartialEq, Eq)]
pub enum Command {
    /// Nothing: the line is blank.
    Nothing,
    /// This, of everybody.
    Ask(Ask),
    /// To leave.
    Quit,
    /// Something there is not.
    Unknown,
    /// A key that cannot be one.
    BadKey(KeyError),
}

impl Command {
    /// Reads one line, with or without its end.
    #[must_use]
    pub fn parse(line: &[u8]) -> Command {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        // The blanks of the data files, so that every key there is can be asked for.
        let mut words = line.split(|byte| matches!(byte, b' ' | b'\t')).filter(|word| !word.is_empty());
        match (words.next(), words.next(), words.next()) {
            (None, _, _) => Command::Nothing,
            (Some(b"?"), Some(key), None) => match Key::new(key) {
                Ok(key) => Command::Ask(Ask::Key(key)),
                Err(error) => Command::BadKey(error),
            },
            (Some(b"T"), None, _) => Command::Ask(Ask::Topology),
            (Some(b"Q"), None, _) => Command::Quit,
            _ => Command::Unknown,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::config::KEY_BYTES_MAX;

    fn key(bytes: &[u8]) -> Command {
        Command::Ask(Ask::Key(Key::new(bytes).unwrap()))
    }

    #[test]
    fn lines_and_what_they_ask_for() {
        for (line, expected) in [
            (&b"? tea"[..], key(b"tea")),
            (b"?   tea", key(b"tea")),
            (b"?\ttea\r\n", key(b"tea")),
            (b"  ? tea  ", key(b"tea")),
            (b"? caf\xc3\xa9", key("café".as_bytes())),
            (b"? \xff\xfe", key(b"\xff\xfe")),
            (b"? form\x0cfeed\r\n", key(b"form\x0cfeed")),
            (b"? ?", key(b"?")),
            (b"T", Command::Ask(Ask::Topology)),
            (b" T\n", Command::Ask(Ask::Topology)),
            (b"Q", Command::Quit),
            (b"", Command::Nothing),
            (b" \t\r\n", Command::Nothing),
            (b"?tea", Command::Unknown),
            (b"?", Command::Unknown),
            (b"? two words", Command::Unknown),
            (b"T now", Command::Unknown),
            (b"Q now", Command::Unknown),
            (b"t", Command::Unknown),
            (b"q", Command::Unknown),
            (b"help", Command::Unknown),
        ] {
            assert_eq!(Command::parse(line), expected, "{}", String::from_utf8_lossy(line));
        }
    }

    #[test]
    fn a_key_that_is_too_long_is_told_apart_from_an_unknown_command() {
        let line = [b"? ".as_slice(), &[b'k'; KEY_BYTES_MAX + 1]].concat();
        assert_eq!(Command::parse(&line), Command::BadKey(KeyError::TooLong(KEY_BYTES_MAX + 1)));
    }
}
