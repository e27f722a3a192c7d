//! Terminal escaping: what is shown of any bytes can neither move a cursor nor end a line nor hide anything.

use common::key::Key;
use common::text::Escaped;

use crate::Outcome;

/// What must never reach a terminal, by the names Unicode has for it. Written down apart from `common::text`, which
/// these are to check.
const FORBIDDEN: [(u32, u32); 16] = [
    (0x00, 0x1f),       // C0
    (0x7f, 0x9f),       // DEL and C1
    (0xad, 0xad),       // soft hyphen
    (0x61c, 0x61c),     // Arabic letter mark
    (0x180e, 0x180e),   // Mongolian vowel separator
    (0x200b, 0x200b),   // zero width space
    (0x200e, 0x200f),   // left-to-right and right-to-left marks
    (0x2028, 0x202e),   // line and paragraph separators, embeddings and overrides
    (0x2060, 0x2069),   // word joiner, invisible operators, isolates
    (0x206a, 0x206f),   // deprecated format characters
    (0xfeff, 0xfeff),   // byte order mark
    (0xfff9, 0xfffb),   // interlinear annotation
    (0x1bca0, 0x1bca3), // shorthand format controls
    (0x1d173, 0x1d17a), // musical format controls
    (0xe0000, 0xe007f), // tags
    (0xd800, 0xdfff),   // surrogates, which no text has
];

/// The longest escape of one byte, `\x1b`. A character of more bytes is no longer for each of them.
const ESCAPE_BYTES_MAX: usize = 4;

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let shown = Escaped::new(bytes).to_string();
    assert!(!shown.chars().any(is_forbidden), "{shown:?}");
    assert!(shown.lines().count() <= 1, "{shown:?} is more than a line");
    assert!(shown.len() <= bytes.len() * ESCAPE_BYTES_MAX, "{} bytes became {}", bytes.len(), shown.len());
    assert_eq!(shown, escaped(bytes));
    // Of a value the tabs stay, and nothing else is different.
    let value = Escaped::value(bytes).to_string();
    assert!(!value.chars().any(|character| is_forbidden(character) && character != '\t'), "{value:?}");
    let parts = bytes.split(|byte| *byte == b'\t').map(escaped).collect::<Vec<_>>();
    assert_eq!(value, parts.join("\t"));
    if let Ok(key) = Key::new(bytes) {
        assert_eq!(key.to_string(), shown);
        assert_eq!(format!("{key:?}"), format!("Key({shown})"));
    }
    // What is shown is clean, so showing it again changes nothing.
    assert_eq!(Escaped::new(shown.as_bytes()).to_string(), shown);
    Outcome::taken_if(shown.as_bytes() != bytes)
}

/// The rules, a character at a time.
fn escaped(mut bytes: &[u8]) -> String {
    let mut shown = String::new();
    while let Some(first) = bytes.first() {
        let character = (1..=4.min(bytes.len())).find_map(|length| std::str::from_utf8(&bytes[..length]).ok());
        let taken = match character.and_then(|text| text.chars().next()) {
            Some('\t') => "\\t".to_owned(),
            Some('\n') => "\\n".to_owned(),
            Some('\r') => "\\r".to_owned(),
            Some(character) if !is_forbidden(character) => character.to_string(),
            Some(character) if character.is_ascii() => format!("\\x{first:02x}"),
            Some(character) => format!("\\u{{{:x}}}", u32::from(character)),
            None => format!("\\x{first:02x}"),
        };
        shown.push_str(&taken);
        bytes = &bytes[character.map_or(1, str::len)..];
    }
    shown
}

pub(super) fn is_forbidden(character: char) -> bool {
    FORBIDDEN.iter().any(|(first, last)| (*first..=*last).contains(&u32::from(character)))
}
