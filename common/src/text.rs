//! Showing bytes that came from strangers: keys, values and hello texts, in the client as in the log.
//!
//! It does not shorten, quote or align, it does not tell letters apart that look alike, and what it
//! shows is not meant to be read back: the exact bytes are what the client's `--json` gives.

use std::fmt::{self, Display, Formatter, Write};

/// Bytes from a stranger, shown so that they can neither move the cursor nor forge or hide text.
///
/// UTF-8 is shown as it is. Controls, line separators, whatever turns the direction of writing and
/// the invisible format characters are escaped: tab, line feed and carriage return as `\t`, `\n` and
/// `\r`, others below U+0080 as `\x1b`, above as `\u{202e}`. A byte that is not UTF-8 is shown as
/// `\xff`.
///
/// The joiners U+200C and U+200D and the variation selectors stay, because languages and emoji are
/// misspelt without them. A backslash stays as it is too, so that paths and patterns read as they were
/// written: `\n` may therefore be a line feed or the two characters, and only `--json` can tell.
///
/// Width and precision of a format string have no effect.
///
/// ```
/// # use common::text::Escaped;
/// assert_eq!(Escaped::new(b"22/tcp\n\x1b[2J").to_string(), r"22/tcp\n\x1b[2J");
/// assert_eq!(Escaped::value(b"22/tcp\t# SSH\n").to_string(), "22/tcp\t# SSH\\n");
/// assert_eq!(Escaped::field(b"a\\b\tc").to_string(), r"a\\b\tc");
/// ```
#[derive(Clone, Copy, Debug)]
pub struct Escaped<'a> {
    bytes: &'a [u8],
    keeps_tabs: bool,
    /// Whether a backslash is escaped as well, so that what is shown can be read back.
    escapes_backslash: bool,
}

impl<'a> Escaped<'a> {
    /// Anything: a key, a path, a word in a log.
    #[must_use]
    pub fn new(bytes: &'a [u8]) -> Escaped<'a> {
        Escaped { bytes, keeps_tabs: false, escapes_backslash: false }
    }

    /// A field among others with a tab between two, for programs: a backslash is escaped too, so it can be read back.
    #[must_use]
    pub fn field(bytes: &'a [u8]) -> Escaped<'a> {
        Escaped { bytes, keeps_tabs: false, escapes_backslash: true }
    }

    /// A value where it stands for itself. A tab in it is a tab: it goes no further than blanks could, and whoever reads
    /// the value from a file could not tell it from a backslash and a `t`.
    #[must_use]
    pub fn value(bytes: &'a [u8]) -> Escaped<'a> {
        Escaped { bytes, keeps_tabs: true, escapes_backslash: false }
    }

    fn escapes(&self, character: char) -> bool {
        match character {
            '\t' => !self.keeps_tabs,
            '\\' => self.escapes_backslash,
            _ => misleads(character),
        }
    }
}

impl Display for Escaped<'_> {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        for chunk in self.bytes.utf8_chunks() {
            write_text(chunk.valid(), |character| self.escapes(character), f)?;
            for byte in chunk.invalid() {
                write!(f, "\\x{byte:02x}")?;
            }
        }
        Ok(())
    }
}

/// What needs no escape goes out in whole runs: most text is one run, and values may have a megabyte.
fn write_text(text: &str, escapes: impl Fn(char) -> bool, out: &mut impl Write) -> fmt::Result {
    for run in text.split_inclusive(&escapes) {
        let mut clean = run.chars();
        match clean.next_back().filter(|character| escapes(*character)) {
            Some(character) => {
                out.write_str(clean.as_str())?;
                write_escape(character, out)?;
            }
            None => out.write_str(run)?,
        }
    }
    Ok(())
}

fn write_escape(character: char, out: &mut impl Write) -> fmt::Result {
    match character {
        '\t' => out.write_str("\\t"),
        '\n' => out.write_str("\\n"),
        '\r' => out.write_str("\\r"),
        '\\' => out.write_str("\\\\"),
        '\0'..='\x7f' => write!(out, "\\x{:02x}", u32::from(character)),
        _ => write!(out, "{}", character.escape_unicode()),
    }
}

/// Whether a terminal may obey `character`, or a reader be deceived by it, instead of seeing it.
#[must_use]
pub fn misleads(character: char) -> bool {
    let ends_line = matches!(character, '\u{2028}' | '\u{2029}');
    let turns_direction = matches!(
        character,
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}'
    );
    // Makes two different keys look like one.
    let takes_no_room = matches!(
        character,
        '\u{ad}' | '\u{180e}' | '\u{200b}' | '\u{2060}'..='\u{2065}' | '\u{206a}'..='\u{206f}'
            | '\u{feff}' | '\u{1bca0}'..='\u{1bca3}' | '\u{1d173}'..='\u{1d17a}'
    );
    // Carries whole sentences that no terminal shows: annotations, and the tags, which take the flags
    // of England, Scotland and Wales with them.
    let hides_text = matches!(character, '\u{fff9}'..='\u{fffb}' | '\u{e0000}'..='\u{e007f}');
    character.is_control() || ends_line || turns_direction || takes_no_room || hides_text
}

#[cfg(test)]
mod tests {
    // What any bytes come to is told by the fuzz target `escaped`, which has the rules once more.

    use super::*;

    fn shown(bytes: impl AsRef<[u8]>) -> String {
        Escaped::new(bytes.as_ref()).to_string()
    }

    /// What must never be printed, written down a second time, by the names Unicode has for it.
    const FORBIDDEN: &[(u32, u32)] = &[
        (0x00, 0x1f),       // C0
        (0x7f, 0x9f),       // DEL and C1
        (0xad, 0xad),       // soft hyphen
        (0x61c, 0x61c),     // Arabic letter mark
        (0x180e, 0x180e),   // Mongolian vowel separator
        (0x200b, 0x200b),   // zero width space
        (0x200e, 0x200f),   // left-to-right and right-to-left marks
        (0x2028, 0x2029),   // line and paragraph separators
        (0x202a, 0x202e),   // embeddings and overrides
        (0x2060, 0x2064),   // word joiner and invisible operators
        (0x2065, 0x2065),   // unassigned, yet ignorable like its neighbors
        (0x2066, 0x2069),   // isolates
        (0x206a, 0x206f),   // deprecated format characters
        (0xfeff, 0xfeff),   // byte order mark, zero width no-break space
        (0xfff9, 0xfffb),   // interlinear annotation
        (0x1bca0, 0x1bca3), // shorthand format controls
        (0x1d173, 0x1d17a), // musical format controls
        (0xe0000, 0xe007f), // tags
    ];

    fn is_forbidden(character: char) -> bool {
        FORBIDDEN.iter().any(|&(first, last)| (first..=last).contains(&u32::from(character)))
    }

    #[test]
    fn each_kind_has_its_form() {
        let table: &[(&[u8], &str)] = &[
            (b"", ""),
            (b"22/tcp  # SSH Remote Login", "22/tcp  # SSH Remote Login"),
            (b"a\tb\nc\rd", r"a\tb\nc\rd"),
            (b"\0", r"\x00"),
            (b"\x1b[2J\x07", r"\x1b[2J\x07"),
            (b"\x7f", r"\x7f"),
            ("\u{85}\u{9b}31m".as_bytes(), r"\u{85}\u{9b}31m"),
            ("pay \u{202e}eciffo".as_bytes(), r"pay \u{202e}eciffo"),
            ("a\u{2066}b\u{2069}".as_bytes(), r"a\u{2066}b\u{2069}"),
            ("one\u{2028}two\u{2029}".as_bytes(), r"one\u{2028}two\u{2029}"),
            ("\u{feff}key".as_bytes(), r"\u{feff}key"),
            ("k\u{200b}ey".as_bytes(), r"k\u{200b}ey"),
            ("\u{e0041}".as_bytes(), r"\u{e0041}"),
            (b"C:\\temp\\new", r"C:\temp\new"),
            (b"\xff", r"\xff"),
            // Latin-1, a sequence cut short, an overlong slash, a surrogate, and C1 as a bare byte.
            (b"caf\xe9", r"caf\xe9"),
            (b"\xe2\x82", r"\xe2\x82"),
            (b"\xe2\x82z", r"\xe2\x82z"),
            (b"\xc0\xaf", r"\xc0\xaf"),
            (b"\xed\xa0\x80", r"\xed\xa0\x80"),
            (b"\x9b2J", r"\x9b2J"),
            (b"\xff\xc3\xa9\n\xfe", "\\xffé\\n\\xfe"),
        ];
        for (bytes, expected) in table {
            assert_eq!(shown(bytes), *expected, "{bytes:x?}");
        }
    }

    #[test]
    fn a_value_has_its_tabs_and_nothing_else_that_moves_the_cursor() {
        for character in '\0'..='\u{2fff}' {
            let text = character.to_string();
            let expected = if character == '\t' { text.clone() } else { shown(&text) };
            assert_eq!(Escaped::value(text.as_bytes()).to_string(), expected);
        }
        assert_eq!(Escaped::value(b"22/tcp\t\t# \xff\x1b[2J\n\t").to_string(), "22/tcp\t\t# \\xff\\x1b[2J\\n\t");
    }

    #[test]
    fn what_people_write_stays() {
        for text in ["ação", "España", "日本語", "한국어", "नमस्ते", "می\u{200c}خواهم", "שלום", "السلام", "e\u{301}"]
        {
            assert_eq!(shown(text), text);
        }
        for text in ["👩\u{200d}👩\u{200d}👧", "❤\u{fe0f}", "👍🏽", "🇧🇷", "葛\u{e0100}", "10\u{a0}000", "\u{fffd}"]
        {
            assert_eq!(shown(text), text);
        }
    }

    #[test]
    fn every_character_is_shown_as_it_is_or_escaped_in_ascii() {
        for character in '\0'..=char::MAX {
            let text = character.to_string();
            let shown = shown(&text);
            let code = u32::from(character);
            let expected = match character {
                '\t' => r"\t".to_owned(),
                '\n' => r"\n".to_owned(),
                '\r' => r"\r".to_owned(),
                _ if !is_forbidden(character) => text,
                _ if character.is_ascii() => format!(r"\x{code:02x}"),
                _ => format!(r"\u{{{code:x}}}"),
            };
            assert_eq!(shown, expected);
        }
    }

    #[test]
    fn clean_text_is_written_in_whole_runs() {
        struct Writes(Vec<String>);
        impl Write for Writes {
            fn write_str(&mut self, text: &str) -> fmt::Result {
                self.0.push(text.to_owned());
                Ok(())
            }
        }
        let mut writes = Writes(Vec::new());
        write!(writes, "{}", Escaped::new("a clean é run\tand another".as_bytes())).unwrap();
        assert_eq!(writes.0, ["a clean é run", "\\t", "and another"]);
    }
}
