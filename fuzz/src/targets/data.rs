//! The data file: a store against the rules of its text, said once more and as plainly as can be.

use common::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};
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
    assert_eq!(
        warnings.looks_like.map(|looks_like| looks_like.to_string()),
        what_it_is(text),
        "{:?}",
        warnings.looks_like
    );
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

/// What is said of a text that is none of lines, the whole sentence.
fn what_it_is(text: &[u8]) -> Option<String> {
    let packers: [(&[u8], &str); 5] = [
        (&[0x1f, 0x8b], "gzip"),
        (&[0x28, 0xb5, 0x2f, 0xfd], "zstd"),
        (&[0xfd, 0x37, 0x7a, 0x58, 0x5a, 0], "xz"),
        (b"BZh91AY&SY", "bzip2"),
        (&[0x50, 0x4b, 3, 4], "zip"),
    ];
    for (beginning, name) in packers {
        if text.len() >= beginning.len() && text[..beginning.len()] == *beginning {
            return Some(format!("this looks like the output of {name}: unpack it first"));
        }
    }
    let looked_at = text.len().min(512) / 2 * 2;
    let nul_at = |parity: usize| (0..looked_at).all(|place| (text[place] == 0) == (place % 2 == parity));
    let marked = matches!(text, [0xff, 0xfe, ..] | [0xfe, 0xff, ..]) && text[..text.len().min(512)].contains(&0);
    if marked || (text.len() >= 6 && (nul_at(0) || nul_at(1))) {
        return Some("this looks like UTF-16, which no key is found in: save it as UTF-8".to_owned());
    }
    let line_feeds = text.iter().filter(|byte| **byte == b'\n').count();
    let returns = text.windows(2).filter(|pair| pair[0] == b'\r' && pair[1] != b'\n').count();
    (returns > 2 * line_feeds)
        .then(|| "its lines end with carriage returns, so most of them are one: end them with line feeds".to_owned())
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
