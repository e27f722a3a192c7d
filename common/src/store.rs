//! The key-value data of a servent: one text file, read once, looked up often.
//!
//! It opens no file and watches none: the program reads the bytes and, on a reload, parses anew and
//! puts the new store in the place of the old one. A store never changes and is never written back.
//!
//! The rules of the text:
//!
//! - The first word of a line is the key; the rest, from the first non-blank after it, is the value.
//!   A blank is a space or a tab, and any run of them separates.
//! - A line whose very first byte is `#` is skipped, and so is a blank line. Elsewhere a `#` is data,
//!   in the value as in the key: a key that begins with one is written by indenting its line.
//! - Of several lines with the same key the last one counts.
//! - A key without a value has an empty value.
//! - Blanks before the key and after the value are dropped, because a person cannot see them.
//! - A line ends with LF or CRLF, the last one with or without. A UTF-8 byte order mark is skipped.
//! - Keys and values are bytes: neither NUL nor broken UTF-8 is odd.

use std::fmt::{self, Debug, Display, Formatter};
use std::hash::BuildHasher;
use std::iter;
use std::ops::Range;

use foldhash::fast::FixedState;
use hashbrown::hash_table::{self, HashTable};
use memchr::{memchr_iter, memchr2};

use crate::limits::{KEY_BYTES_MAX, VALUE_BYTES_MAX};

/// The largest text a store takes: positions in it are kept in 32 bits.
pub const STORE_BYTES_MAX: usize = u32::MAX as usize;

/// How many warnings are kept. A file of the wrong kind has one for every line, and nobody reads the
/// thousandth.
pub const WARNINGS_MAX: usize = 20;

const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// Keys and their values, as they were in one text.
///
/// It holds that text and, for each key, where in it the key and its value are: some 25 bytes, and no
/// string of its own.
#[derive(Clone, Default)]
pub struct Store {
    text: Vec<u8>,
    /// One for each key, from the end of the text to its beginning.
    entries: Vec<StoreEntry>,
    /// Positions in `entries`, by the hash of the key.
    table: HashTable<u32>,
    repeated_count: usize,
}

#[expect(clippy::indexing_slicing, reason = "whatever the table names is in the list that it was made of")]
impl Store {
    /// Reads `text` by the rules of this module. Content never makes it fail: a line beyond a limit is
    /// skipped with a warning, and nothing else is lost. Too little memory does, and ends nothing: what
    /// grows with the text is asked for, not taken.
    pub fn parse(mut text: Vec<u8>) -> Result<(Self, Warnings), StoreError> {
        check_size(text.len())?;
        text.shrink_to_fit();
        let mut warnings = Warnings { looks_like: LooksLike::of(&text), ..Warnings::default() };
        let lines = read_lines(&text, &mut warnings)?;
        Ok((Self::index(text, lines)?, warnings))
    }

    /// Goes from the last line to the first, so that the first one met of a key is the one that counts
    /// and no entry is ever replaced. Those that count are moved to the front, where the others were.
    fn index(text: Vec<u8>, mut lines: Vec<StoreEntry>) -> Result<Self, StoreError> {
        lines.reverse();
        let mut table = new_table(lines.len())?;
        let mut kept_count = 0;
        for place in 0..lines.len() {
            let line = lines[place];
            let key = line.key(&text);
            let entry = table.entry(
                hash(key),
                |&at: &u32| lines[at as usize].key(&text) == key,
                |&at| hash(lines[at as usize].key(&text)),
            );
            if let hash_table::Entry::Vacant(entry) = entry {
                entry.insert(narrow(kept_count));
                lines[kept_count] = line;
                kept_count += 1;
            }
        }
        let repeated_count = lines.len() - kept_count;
        let mut entries = lines;
        entries.truncate(kept_count);
        entries.shrink_to_fit();
        // It had room for the repeated lines too. A smaller one is made when the large one is gone: two of them may
        // be more than there is.
        if kept_count <= table.capacity() / 2 {
            drop(table);
            table = new_table(kept_count)?;
            for (at, entry) in (0..).zip(&entries) {
                let at_key = |&at: &u32| hash(entries[at as usize].key(&text));
                table.insert_unique(hash(entry.key(&text)), at, at_key);
            }
        }
        Ok(Self { text, entries, table, repeated_count })
    }

    /// The value of `key`, if the store has it.
    pub fn get(&self, key: &[u8]) -> Option<&[u8]> {
        let entry = |at: u32| &self.entries[at as usize];
        let at = self.table.find(hash(key), |&at| entry(at).key(&self.text) == key)?;
        Some(entry(*at).value(&self.text))
    }

    /// The number of keys.
    pub fn len(&self) -> usize {
        self.entries.len()
    }

    /// Whether there is no key at all.
    pub fn is_empty(&self) -> bool {
        self.entries.is_empty()
    }

    /// The memory it holds: the text and the table.
    pub fn bytes_count(&self) -> usize {
        self.text.capacity() + self.entries.capacity() * size_of::<StoreEntry>() + self.table.allocation_size()
    }

    /// How many lines gave way to a later one with the same key. Nothing odd: `/etc/services` has one
    /// line for TCP and one for UDP.
    pub fn repeated_count(&self) -> usize {
        self.repeated_count
    }

    /// The keys, in the order of the lines that count.
    pub fn keys(&self) -> impl ExactSizeIterator<Item = &[u8]> {
        self.entries.iter().rev().map(|entry| entry.key(&self.text))
    }
}

/// Everything else follows from the text.
impl PartialEq for Store {
    fn eq(&self, other: &Self) -> bool {
        self.text == other.text
    }
}

impl Eq for Store {}

/// A store may have a hundred thousand keys: its size is what a log line wants.
impl Debug for Store {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        f.debug_struct("Store").field("len", &self.len()).field("bytes_count", &self.bytes_count()).finish()
    }
}

/// Where in the text a line has its key and its value.
#[derive(Clone, Copy)]
struct StoreEntry {
    key_at: u32,
    value_at: u32,
    value_bytes: u32,
    key_bytes: u16,
}

// A longer key would need a wider length, and a wider length a larger entry.
const _: () = assert!(KEY_BYTES_MAX <= u16::MAX as usize && size_of::<StoreEntry>() == 16);

#[expect(clippy::indexing_slicing, reason = "an entry lies within the text it was made of, which never changes")]
impl StoreEntry {
    fn new(key: Range<usize>, value: Range<usize>) -> Result<Self, Oddity> {
        if key.len() > KEY_BYTES_MAX {
            return Err(Oddity::KeyTooLong { bytes_count: key.len() });
        }
        if value.len() > VALUE_BYTES_MAX {
            return Err(Oddity::ValueTooLong { bytes_count: value.len() });
        }
        #[expect(clippy::cast_possible_truncation, reason = "KEY_BYTES_MAX fits, which is asserted above")]
        let key_bytes = key.len() as u16;
        Ok(Self {
            key_at: narrow(key.start),
            value_at: narrow(value.start),
            value_bytes: narrow(value.len()),
            key_bytes,
        })
    }

    fn key<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        &text[self.key_at as usize..][..usize::from(self.key_bytes)]
    }

    fn value<'a>(&self, text: &'a [u8]) -> &'a [u8] {
        &text[self.value_at as usize..][..self.value_bytes as usize]
    }
}

/// The seed is fixed on purpose. Every key in the table comes from the operator's own file; what
/// strangers look up never enters it, so they cannot make a lookup longer.
fn hash(key: &[u8]) -> u64 {
    FixedState::default().hash_one(key)
}

#[expect(
    clippy::cast_possible_truncation,
    reason = "no place or length in a text exceeds STORE_BYTES_MAX, and no count of its lines"
)]
fn narrow(at: usize) -> u32 {
    at as u32
}

/// A table that takes so many without asking for more.
fn new_table(keys_count: usize) -> Result<HashTable<u32>, StoreError> {
    let mut table = HashTable::new();
    // It is empty, so nothing is hashed.
    table.try_reserve(keys_count, |_| 0).map_err(|_| StoreError::TooLittleMemory)?;
    Ok(table)
}

fn check_size(bytes_count: usize) -> Result<(), StoreError> {
    if bytes_count > STORE_BYTES_MAX { Err(StoreError::TooLarge { bytes_count }) } else { Ok(()) }
}

/// All lines with a key, repeated ones included.
fn read_lines(text: &[u8], warnings: &mut Warnings) -> Result<Vec<StoreEntry>, StoreError> {
    // Asked for at once: a list that grows is there twice whenever it is moved.
    let mut entries = Vec::new();
    let with_key = lines_of(text).filter(|(_, line)| has_a_key(line)).count();
    entries.try_reserve_exact(with_key).map_err(|_| StoreError::TooLittleMemory)?;
    for ((start, text), line) in lines_of(text).zip(1..) {
        match read_line(start, text) {
            Ok(Some(entry)) => entries.push(entry),
            Ok(None) => {}
            Err(what) => warnings.add(Warning { line, what }),
        }
    }
    Ok(entries)
}

/// Each line without its line feed, and where in the text it starts.
fn lines_of(text: &[u8]) -> impl Iterator<Item = (usize, &[u8])> {
    let mut start = if text.starts_with(BYTE_ORDER_MARK) { BYTE_ORDER_MARK.len() } else { 0 };
    // Without a final line feed the text ends its last line; with one, that line is empty.
    let ends = memchr_iter(b'\n', text).chain(iter::once(text.len()));
    ends.filter_map(move |end| {
        let start = std::mem::replace(&mut start, end + 1);
        Some((start, text.get(start..end)?))
    })
}

/// Whether a line has a key, within the limits or beyond.
fn has_a_key(line: &[u8]) -> bool {
    let words = line.strip_suffix(b"\r").unwrap_or(line);
    !line.starts_with(b"#") && words.iter().any(|&byte| !is_blank(byte))
}

/// `None` where a line has no key: it is blank or a comment.
fn read_line(start: usize, line: &[u8]) -> Result<Option<StoreEntry>, Oddity> {
    if line.starts_with(b"#") {
        return Ok(None);
    }
    let mut line = line.strip_suffix(b"\r").unwrap_or(line);
    while let [before @ .., last] = line
        && is_blank(*last)
    {
        line = before;
    }
    if line.is_empty() {
        return Ok(None);
    }
    let key_at = skip_blanks(line, 0);
    let words = line.get(key_at..).unwrap_or_default();
    let key_end = memchr2(b' ', b'\t', words).map_or(line.len(), |length| key_at + length);
    let value_at = skip_blanks(line, key_end);
    StoreEntry::new(start + key_at..start + key_end, start + value_at..start + line.len()).map(Some)
}

fn is_blank(byte: u8) -> bool {
    byte == b' ' || byte == b'\t'
}

fn skip_blanks(line: &[u8], at: usize) -> usize {
    line.iter().skip(at).position(|&byte| !is_blank(byte)).map_or(line.len(), |blanks| at + blanks)
}

/// What was odd in a text: the first few, and how many in all.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Warnings {
    /// The first ones, in the order of the lines; at most [`WARNINGS_MAX`].
    pub first: Vec<Warning>,
    /// How many there were, kept or not.
    pub count: usize,
    /// What the whole text seems to be instead of lines. Then what is odd about one line says nothing.
    pub looks_like: Option<LooksLike>,
}

/// What a text can be by mistake. It is read like any other: all of these may be meant.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum LooksLike {
    /// Every other byte of its beginning is NUL, or it begins with the mark of that encoding and has one.
    Utf16,
    /// It begins like the output of this program.
    Compressed(&'static str),
    /// It has carriage returns and no line feeds, or far fewer.
    CarriageReturns,
}

/// How compressed files begin.
const COMPRESSED: [(&[u8], &str); 5] = [
    (b"\x1f\x8b", "gzip"),
    (b"\x28\xb5\x2f\xfd", "zstd"),
    (b"\xfd7zXZ\0", "xz"),
    (b"BZh91AY&SY", "bzip2"),
    (b"PK\x03\x04", "zip"),
];
/// As many bytes of a text are looked at as tell its encoding, two for each letter, and as few as can.
const ENCODING_BYTES_MAX: usize = 512;
const ENCODING_BYTES_MIN: usize = 6;

impl LooksLike {
    fn of(text: &[u8]) -> Option<LooksLike> {
        if let Some((_, name)) = COMPRESSED.iter().find(|(beginning, _)| text.starts_with(beginning)) {
            return Some(LooksLike::Compressed(name));
        }
        let (pairs, _) = text.get(..ENCODING_BYTES_MAX).unwrap_or(text).as_chunks();
        let high_first = pairs.iter().all(|[high, low]| *high == 0 && *low != 0);
        let low_first = pairs.iter().all(|[low, high]| *high == 0 && *low != 0);
        let is_marked = text.starts_with(b"\xff\xfe") || text.starts_with(b"\xfe\xff");
        let has_nul = text.iter().take(ENCODING_BYTES_MAX).any(|byte| *byte == 0);
        if (is_marked && has_nul) || (text.len() >= ENCODING_BYTES_MIN && (high_first || low_first)) {
            return Some(LooksLike::Utf16);
        }
        // One before a line feed, or at the end, is part of the end of a line. A line may hold one or two others; a file
        // with more of them to a line is one whose lines end with them.
        let alone = memchr_iter(b'\r', text).filter(|at| text.get(at + 1).is_some_and(|next| *next != b'\n')).count();
        let is_mostly_one_line = alone > 2 * memchr_iter(b'\n', text).count();
        is_mostly_one_line.then_some(LooksLike::CarriageReturns)
    }
}

impl Display for LooksLike {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        match self {
            LooksLike::Utf16 => f.write_str("this looks like UTF-16, which no key is found in: save it as UTF-8"),
            LooksLike::Compressed(name) => write!(f, "this looks like the output of {name}: unpack it first"),
            LooksLike::CarriageReturns => {
                f.write_str("its lines end with carriage returns, so most of them are one: end them with line feeds")
            }
        }
    }
}

impl Warnings {
    fn add(&mut self, warning: Warning) {
        self.count += 1;
        if self.first.len() < WARNINGS_MAX {
            self.first.push(warning);
        }
    }
}

/// A line that was skipped, and why. Whoever knows the name of the file shows `name:line: what` instead.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Warning {
    /// The number of the line, counted from 1 as editors do.
    pub line: usize,
    /// What is odd about it.
    pub what: Oddity,
}

impl Display for Warning {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "line {}: {}", self.line, self.what)
    }
}

/// What can be odd about a line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Oddity {
    /// The key is longer than [`KEY_BYTES_MAX`].
    KeyTooLong {
        /// How long it is.
        bytes_count: usize,
    },
    /// The value is longer than [`VALUE_BYTES_MAX`].
    ValueTooLong {
        /// How long it is.
        bytes_count: usize,
    },
}

impl Display for Oddity {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        let (what, bytes_count, limit) = match *self {
            Self::KeyTooLong { bytes_count } => ("key", bytes_count, KEY_BYTES_MAX),
            Self::ValueTooLong { bytes_count } => ("value", bytes_count, VALUE_BYTES_MAX),
        };
        write!(f, "skipped, its {what} has {bytes_count} bytes and the limit is {limit}")
    }
}

/// Why a text could not become a store.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum StoreError {
    /// The text is larger than [`STORE_BYTES_MAX`].
    #[error("a text of {bytes_count} bytes is larger than the {STORE_BYTES_MAX} bytes a store takes")]
    TooLarge {
        /// How large it is.
        bytes_count: usize,
    },
    /// There is no memory for where its keys are.
    #[error("there is too little memory for the index of its keys")]
    TooLittleMemory,
}

#[cfg(test)]
mod tests {
    // What any bytes come to is told by the fuzz target `data`, which has the rules once more.

    use super::*;

    type Pair<'a> = (&'a [u8], &'a [u8]);

    fn parse(text: impl Into<Vec<u8>>) -> (Store, Warnings) {
        Store::parse(text.into()).unwrap()
    }

    fn pairs(store: &Store) -> Vec<Pair<'_>> {
        store.keys().map(|key| (key, store.get(key).unwrap())).collect()
    }

    #[test]
    fn every_rule() {
        #[rustfmt::skip]
        let table: &[(&str, &[u8], &[Pair])] = &[
            ("empty file",              b"",                        &[]),
            ("one line",                b"key value\n",             &[(b"key", b"value")]),
            ("no final newline",        b"a 1\nb 2",                &[(b"a", b"1"), (b"b", b"2")]),
            ("value of many words",     b"key one  two\tthree\n",   &[(b"key", b"one  two\tthree")]),
            ("tab",                     b"key\tvalue\n",            &[(b"key", b"value")]),
            ("run of blanks",           b"key \t \t value\n",       &[(b"key", b"value")]),
            ("leading blanks",          b" \tkey value\n",          &[(b"key", b"value")]),
            ("trailing blanks",         b"key value \t \n",         &[(b"key", b"value")]),
            ("key alone",               b"key\n",                   &[(b"key", b"")]),
            ("key alone at the end",    b"key",                     &[(b"key", b"")]),
            ("key and blanks",          b"key \t\n",                &[(b"key", b"")]),
            ("blank lines",             b"\n \n\t\n \t \nk v\n\n",  &[(b"k", b"v")]),
            ("only newlines",           b"\n\n\n",                  &[]),
            ("only comments",           b"# one\n#two\n#",          &[]),
            ("# later in the line",     b"k v # w\nl #\nm#n o\n",   &[(b"k", b"v # w"), (b"l", b"#"), (b"m#n", b"o")]),
            ("# after a blank",         b" #k v\n",                 &[(b"#k", b"v")]),
            ("last line counts",        b"k 1\nl 2\nk 3\n",         &[(b"l", b"2"), (b"k", b"3")]),
            ("last line counts, empty", b"k 1\nk\n",                &[(b"k", b"")]),
            ("case matters",            b"k 1\nK 2\n",              &[(b"k", b"1"), (b"K", b"2")]),
            ("CRLF",                    b"a 1\r\n\r\n# c\r\nb\r\n", &[(b"a", b"1"), (b"b", b"")]),
            ("CRLF without LF at end",  b"a 1\r\nb 2\r",            &[(b"a", b"1"), (b"b", b"2")]),
            ("blanks before CRLF",      b"a 1 \t\r\n \t\r\n",       &[(b"a", b"1")]),
            ("one CR is the line end",  b"a 1\r\r\n",               &[(b"a", b"1\r")]),
            ("CR within a line",        b"a\rb 1\r2\n",             &[(b"a\rb", b"1\r2")]),
            ("BOM",                     b"\xef\xbb\xbfa 1\n",       &[(b"a", b"1")]),
            ("BOM before a comment",    b"\xef\xbb\xbf# c\na 1\n",  &[(b"a", b"1")]),
            ("BOM alone",               b"\xef\xbb\xbf",            &[]),
            ("BOM later is data",       b"a 1\n\xef\xbb\xbfb 2\n",  &[(b"a", b"1"), (b"\xef\xbb\xbfb", b"2")]),
            ("half a BOM is data",      b"\xef\xbba 1\n",           &[(b"\xef\xbba", b"1")]),
            ("invalid UTF-8",           b"\xff\xfe \xc3\x28\n",     &[(b"\xff\xfe", b"\xc3\x28")]),
            ("NUL",                     b"k\0l v\0w\n\0\n",         &[(b"k\0l", b"v\0w"), (b"\0", b"")]),
            ("other spaces are data",   b"a\x0bb \x0c\xc2\xa0\n",   &[(b"a\x0bb", b"\x0c\xc2\xa0")]),
            ("beyond ASCII",            "ação é\n".as_bytes(),      &[("ação".as_bytes(), "é".as_bytes())]),
        ];
        for (rule, text, expected) in table {
            let (store, warnings) = parse(*text);
            assert_eq!(pairs(&store), *expected, "{rule}");
            assert_eq!((store.len(), store.is_empty()), (expected.len(), expected.is_empty()), "{rule}");
            assert_eq!(warnings, Warnings::default(), "{rule}");
        }
    }

    #[test]
    fn what_is_not_there_is_not_found() {
        let (store, _) = parse("key value\nother\n# comment\n");
        for key in ["", "ke", "keyy", "KEY", "value", "key value", " key", "#"] {
            assert_eq!(store.get(key.as_bytes()), None, "{key:?}");
        }
        assert_eq!(Store::default().get(b"key"), None);
        assert_eq!(Store::default().keys().next(), None);
    }

    #[test]
    fn repeated_lines_are_counted_and_not_odd() {
        let (store, warnings) = parse("a 1\nb 1\na 2\na 3\n");
        assert_eq!((store.len(), store.repeated_count(), warnings.count), (2, 2, 0));
    }

    #[test]
    fn a_key_at_the_limit_is_kept_and_beyond_it_skipped() {
        let (longest, too_long) = ("k".repeat(KEY_BYTES_MAX), "l".repeat(KEY_BYTES_MAX + 1));
        let (store, warnings) = parse(format!("a 1\n{longest} v\n{too_long} v\n{too_long}\nb 2"));
        assert_eq!(store.keys().collect::<Vec<_>>(), [b"a", longest.as_bytes(), b"b"]);
        assert_eq!(store.get(longest.as_bytes()), Some(&b"v"[..]));
        let what = Oddity::KeyTooLong { bytes_count: KEY_BYTES_MAX + 1 };
        assert_eq!(warnings.first, [Warning { line: 3, what }, Warning { line: 4, what }]);
    }

    #[test]
    fn a_value_at_the_limit_is_kept_and_beyond_it_skipped() {
        let longest = "v".repeat(VALUE_BYTES_MAX);
        let (store, warnings) = parse(format!("a 1\nk {longest} \t\r\na {longest}v\r\nb 2"));
        assert_eq!(store.get(b"k"), Some(longest.as_bytes()));
        assert_eq!(store.get(b"a"), Some(&b"1"[..]), "a skipped line does not replace one that counts");
        assert_eq!(store.get(b"b"), Some(&b"2"[..]));
        let what = Oddity::ValueTooLong { bytes_count: VALUE_BYTES_MAX + 1 };
        assert_eq!(warnings, Warnings { first: vec![Warning { line: 3, what }], count: 1, looks_like: None });
    }

    #[test]
    fn a_line_of_ten_megabytes_costs_only_itself() {
        let bytes_count = 10_000_000;
        let huge = "x".repeat(bytes_count);
        for (line, oddity) in [
            (huge.clone(), Some(Oddity::KeyTooLong { bytes_count })),
            (format!("k {huge}"), Some(Oddity::ValueTooLong { bytes_count })),
            (format!("#{huge}"), None),
            (" ".repeat(bytes_count), None),
        ] {
            let (store, warnings) = parse(format!("# head\nbefore 1\n{line}\nafter 2\n"));
            assert_eq!(pairs(&store), [(&b"before"[..], &b"1"[..]), (b"after", b"2")]);
            let expected: Vec<Warning> = oddity.map(|what| Warning { line: 3, what }).into_iter().collect();
            assert_eq!(warnings, Warnings { count: expected.len(), first: expected, looks_like: None });
        }
    }

    #[test]
    fn only_the_first_warnings_are_kept_and_all_are_counted() {
        let odd = format!("{}\nfine\n", "k".repeat(KEY_BYTES_MAX + 1));
        let (store, warnings) = parse(odd.repeat(WARNINGS_MAX + 5));
        assert_eq!(store.len(), 1);
        assert_eq!(warnings.count, WARNINGS_MAX + 5);
        let lines: Vec<usize> = warnings.first.iter().map(|warning| warning.line).collect();
        assert_eq!(lines, (0..WARNINGS_MAX).map(|n| 2 * n + 1).collect::<Vec<_>>());
    }

    #[test]
    fn warnings_and_errors_say_what_and_how_much() {
        let key = Warning { line: 3, what: Oddity::KeyTooLong { bytes_count: 5000 } };
        assert_eq!(key.to_string(), "line 3: skipped, its key has 5000 bytes and the limit is 4096");
        let value = Oddity::ValueTooLong { bytes_count: 2_000_000 };
        assert_eq!(value.to_string(), "skipped, its value has 2000000 bytes and the limit is 1048576");
        let error = StoreError::TooLarge { bytes_count: 7 };
        assert_eq!(error.to_string(), "a text of 7 bytes is larger than the 4294967295 bytes a store takes");
    }

    /// The size alone: a test that allocates four gigabytes would be killed on a small machine.
    #[test]
    fn a_text_is_taken_up_to_the_limit() {
        assert_eq!(check_size(STORE_BYTES_MAX), Ok(()));
        if let Some(bytes_count) = STORE_BYTES_MAX.checked_add(1) {
            assert_eq!(check_size(bytes_count), Err(StoreError::TooLarge { bytes_count }));
        }
    }

    #[test]
    fn memory_is_the_text_once_and_a_few_bytes_a_key() {
        let keys_count = 10_000;
        let mut text: Vec<u8> = (0..keys_count).flat_map(|n| format!("key-{n} value\n").into_bytes()).collect();
        let text_bytes = text.len();
        text.reserve_exact(1_000_000);
        let (store, _) = parse(text);
        assert_eq!(store.len(), keys_count);
        assert!(store.bytes_count() >= text_bytes + 20 * keys_count, "{store:?}");
        assert!(store.bytes_count() <= text_bytes + 30 * keys_count, "{store:?}");

        let (store, _) = parse("same value\n".repeat(keys_count));
        assert!(store.bytes_count() < 11 * keys_count + 200, "repeated lines cost their text alone: {store:?}");
        assert_eq!(Store::default().bytes_count(), 0);
    }

    #[test]
    fn what_is_no_text_of_lines_is_told_as_a_whole() {
        for (text, expected) in [
            (&b"tea green\n"[..], None),
            (b"", None),
            (b"tea green\r", None),
            (b"tea green\r\nmate bitter\r\n", None),
            (b"a\rb\n", None),
            (b"a\r\nb\rc\r\n", None),
            (b"a\rb\rc\n", None),
            (b"tea green\rmate bitter\rrooibos red\rcha hot\n", Some(LooksLike::CarriageReturns)),
            (b"\0\0\0\0\0\0", None),
            (b"a\0b\0", None),
            (b"a\0b\0c d", None),
            (b"PK 1\n", None),
            (b"\xef\xbb\xbftea green\n", None),
            (b"\xff\xfet\0e\0a\0\n\0", Some(LooksLike::Utf16)),
            (b"\xfe\xff\0t\0e\0a\0\n", Some(LooksLike::Utf16)),
            (b"\xff\xfe\n", None),
            (b"t\0e\0a\0", Some(LooksLike::Utf16)),
            (b"\0t\0e\0a", Some(LooksLike::Utf16)),
            (b"\x1f\x8b\x08\0", Some(LooksLike::Compressed("gzip"))),
            (b"\x28\xb5\x2f\xfd\n", Some(LooksLike::Compressed("zstd"))),
            (b"tea green\rmate bitter\r", Some(LooksLike::CarriageReturns)),
            (b"tea green\rmate bitter", Some(LooksLike::CarriageReturns)),
        ] {
            let (_, warnings) = parse(text);
            assert_eq!(warnings.looks_like, expected, "{}", text.escape_ascii());
            let said = warnings.looks_like.map_or(String::new(), |looks_like| looks_like.to_string());
            assert_eq!(said.is_empty(), expected.is_none());
        }
    }

    #[test]
    fn stores_are_the_same_that_were_made_of_the_same_text() {
        let store = |text: &str| parse(text).0;
        assert_eq!(store("tea green\n"), store("tea green\n"));
        assert_ne!(store("tea green\n"), store("tea black\n"));
    }

    #[test]
    fn debug_is_short() {
        let (store, _) = parse("secret value\n".repeat(1000));
        assert_eq!(format!("{store:?}"), format!("Store {{ len: 1, bytes_count: {} }}", store.bytes_count()));
    }

    #[test]
    #[expect(clippy::disallowed_methods, reason = "a test may look at what the system brings")]
    fn etc_services_loads_as_it_is() {
        let Ok(text) = std::fs::read("/etc/services") else {
            return;
        };
        let (store, warnings) = parse(text);
        assert_eq!(warnings, Warnings::default());
        let ssh = store.get(b"ssh").unwrap();
        // Where a system also lists ssh for UDP or SCTP, the last line counts.
        assert!(ssh.starts_with(b"22/"), "{ssh:?}");
    }
}
