//! The data file: a store against the rules of its text, said once more and as plainly as can be.

use common::config::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
use common::store::{Oddity, Store, WARNINGS_MAX, Warning};

use crate::Outcome;

/// What a text should come to.
#[derive(Debug, Default)]
struct Expected<'a> {
    /// In the order of the lines that count.
    pairs: Vec<(&'a [u8], &'a [u8])>,
    repeated_count: usize,
    warnings: Vec<Warning>,
}

pub(crate) fn run(text: &[u8]) -> Outcome {
    let expected = read(text);
    let (store, warnings) = Store::parse(text.to_vec()).expect("a text of less than 4 GiB");

    let pairs: Vec<(&[u8], &[u8])> =
        store.keys().map(|key| (key, store.get(key).expect("a key that is listed"))).collect();
    assert_eq!(pairs, expected.pairs);
    assert_eq!((store.len(), store.is_empty()), (pairs.len(), pairs.is_empty()));
    assert_eq!(store.repeated_count(), expected.repeated_count);
    assert_eq!(warnings.count, expected.warnings.len());
    assert_eq!(warnings.first, expected.warnings[..warnings.count.min(WARNINGS_MAX)]);

    // What is no key is not found: a value, a part of a key, a key and more.
    for (key, value) in &pairs {
        for other in [value.to_vec(), key[..key.len() - 1].to_vec(), [key, b"\n".as_slice()].concat()] {
            let known = expected.pairs.iter().find(|(known, _)| *known == other).map(|(_, value)| *value);
            assert_eq!(store.get(&other), known);
        }
    }
    Outcome::taken_if(!pairs.is_empty())
}

fn read(text: &[u8]) -> Expected<'_> {
    let mut expected = Expected::default();
    let text = text.strip_prefix(b"\xef\xbb\xbf").unwrap_or(text);
    for (index, line) in text.split(|byte| *byte == b'\n').enumerate() {
        if line.first() == Some(&b'#') {
            continue;
        }
        let line = trimmed(line.strip_suffix(b"\r").unwrap_or(line));
        if line.is_empty() {
            continue;
        }
        let key_bytes = line.iter().take_while(|byte| !is_blank(**byte)).count();
        let (key, value) = line.split_at(key_bytes);
        let value = trimmed(value);
        let oddity = if key.len() > KEY_BYTES_MAX {
            Some(Oddity::KeyTooLong { bytes_count: key.len() })
        } else if value.len() > VALUE_BYTES_MAX {
            Some(Oddity::ValueTooLong { bytes_count: value.len() })
        } else {
            None
        };
        if let Some(what) = oddity {
            expected.warnings.push(Warning { line: index + 1, what });
            continue;
        }
        let earlier = expected.pairs.iter().position(|(known, _)| *known == key);
        if let Some(earlier) = earlier {
            expected.pairs.remove(earlier);
            expected.repeated_count += 1;
        }
        expected.pairs.push((key, value));
    }
    expected
}

fn trimmed(mut line: &[u8]) -> &[u8] {
    while let [blank, rest @ ..] = line
        && is_blank(*blank)
    {
        line = rest;
    }
    while let [rest @ .., blank] = line
        && is_blank(*blank)
    {
        line = rest;
    }
    line
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}
