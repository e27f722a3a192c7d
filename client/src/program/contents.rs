//! The form in which contents and files are shown: rows with a number on a terminal, fields with tabs between them for
//! programs, and the same as JSON.
//!
//! Names and descriptions are text of strangers and pass through `Escaped` (or JSON's own escapes). Who is asked, and when it is
//! over, is decided by the session.

use std::cmp::Reverse;
use std::collections::btree_map;
use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::net::SocketAddr;

use common::counted::{counted, grouped};
use common::text::Escaped;
use serde::Serialize;
use unicode_width::UnicodeWidthStr;

use crate::program::render::{milliseconds, text_or_base64};
use crate::{ContentHash, Entries, Entry, FileName, FilesListed, ListingEnd};

/// Contents that are kept of one query to be shown when it is over. One more is only counted.
const FOUND_MAX: usize = 65_536;
/// Holders of a content that are named to a program. Of more the number is told.
const HOLDERS_NAMED_MAX: usize = 64;
/// Columns of a terminal that names are aligned within.
const NAME_COLUMNS_MAX: usize = 40;

/// What was found so far, by name and hash.
#[derive(Debug, Default)]
pub(crate) struct Found {
    contents: BTreeMap<(FileName, ContentHash), FoundContent>,
    /// Those that there was no room for.
    left_out: u64,
    /// Those that were not told, and by how many.
    more: u64,
    more_at: u64,
}

/// A content that was found under a name.
#[derive(Debug)]
struct FoundContent {
    size: u64,
    description: Vec<u8>,
    holders_count: u64,
    holders: Vec<SocketAddr>,
}

/// A content that was found, as a line of JSON.
#[derive(Serialize)]
pub(crate) struct JsonContent<'a> {
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    name_base64: Option<String>,
    size: u64,
    hash: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    description: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    description_base64: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    holders: Option<u64>,
    from: Vec<SocketAddr>,
}

/// How a listing of files ended, as a line of JSON.
#[derive(Serialize)]
pub(crate) struct JsonFilesListed {
    from: SocketAddr,
    files: u64,
    ms: f64,
    reason: &'static str,
}

impl Found {
    /// What one servent answered.
    pub(crate) fn add(&mut self, from: SocketAddr, answer: &Entries) {
        // Whoever tells of one twice has it once.
        let mut told = BTreeSet::new();
        for Entry { name, size, hash, description, have: _ } in &answer.entries {
            if !told.insert((name, hash)) {
                continue;
            }
            let is_full = self.contents.len() >= FOUND_MAX;
            match self.contents.entry((name.clone(), *hash)) {
                btree_map::Entry::Vacant(_) if is_full => self.left_out += 1,
                btree_map::Entry::Vacant(place) => {
                    let description = description.clone();
                    place.insert(FoundContent { size: *size, description, holders_count: 1, holders: vec![from] });
                }
                btree_map::Entry::Occupied(mut place) => {
                    let found = place.get_mut();
                    found.holders_count += 1;
                    if found.holders.len() < HOLDERS_NAMED_MAX {
                        found.holders.push(from);
                    }
                    if found.description.is_empty() {
                        found.description.clone_from(description);
                    }
                }
            }
        }
        if answer.more > 0 {
            self.more = self.more.saturating_add(answer.more);
            self.more_at += 1;
        }
    }

    /// How many contents there are, under whatever names; of those that are not shown each name counts.
    pub(crate) fn count(&self) -> u64 {
        let hashes: BTreeSet<&ContentHash> = self.contents.keys().map(|(_, hash)| hash).collect();
        self.left_out.saturating_add(hashes.len() as u64)
    }

    /// How many contents there are beyond those that are shown.
    pub(crate) fn more(&self) -> u64 {
        self.more.saturating_add(self.left_out)
    }

    /// What there is beyond what is shown, in words.
    pub(crate) fn beyond(&self) -> Option<String> {
        let Found { left_out, more, more_at, .. } = *self;
        let untold = (more > 0).then(|| {
            format!("at least {} more at {}: say more words, or ls each", grouped(more), counted(more_at, "servent"))
        });
        let unshown = (left_out > 0).then(|| format!("{} not shown", grouped(left_out)));
        let parts: Vec<String> = [untold, unshown].into_iter().flatten().collect();
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    /// Those of one name one after the other, and of these first what most have.
    fn in_order(&self) -> Vec<(&FileName, &ContentHash, &FoundContent)> {
        let mut all: Vec<_> = self.contents.iter().map(|((name, hash), found)| (name, hash, found)).collect();
        all.sort_by_key(|(name, _, found)| (*name, Reverse(found.holders_count)));
        all
    }

    /// The contents in the order in which they are shown.
    pub(crate) fn named(&self) -> Vec<(FileName, ContentHash)> {
        self.in_order().into_iter().map(|(name, hash, _)| (name.clone(), *hash)).collect()
    }

    pub(crate) fn json(&self) -> impl Iterator<Item = JsonContent<'_>> {
        self.in_order().into_iter().map(|(name, hash, found)| {
            // Who answers first is chance.
            let mut holders = found.holders.clone();
            holders.sort_unstable();
            json_content(name, found.size, hash, &found.description, Some(found.holders_count), holders)
        })
    }

    /// For programs: name, size, hash, how many holders, description.
    pub(crate) fn lines(&self) -> impl Iterator<Item = String> {
        self.in_order().into_iter().map(|(name, hash, FoundContent { size, description, holders_count, .. })| {
            let [name, description] = [name.as_bytes(), description].map(Escaped::field);
            format!("{name}\t{size}\t{hash}\t{holders_count}\t{description}")
        })
    }

    /// For people: the same with a number before each, and the first digits of the hash, in a table that is no wider than a
    /// terminal but for what is about a content, and for names that are longer.
    pub(crate) fn rows(&self, columns: usize) -> String {
        let mut rows: Vec<[String; 6]> = Vec::new();
        let mut before: Option<&FileName> = None;
        for (place, (name, hash, found)) in self.in_order().into_iter().enumerate() {
            let said = if before == Some(name) { "(same name, other content)" } else { "" };
            let description = Escaped::new(&found.description).to_string();
            let about = [said, &description].into_iter().filter(|text| !text.is_empty()).collect::<Vec<_>>();
            rows.push([
                (place + 1).to_string(),
                name.to_string(),
                grouped(found.size).to_string(),
                hash.short(),
                counted(found.holders_count, "holder").to_string(),
                about.join(" "),
            ]);
            before = Some(name);
        }
        aligned(&rows, columns)
    }
}

/// Of a number, a name, a size, a hash, and what is short and long: numbers to the right, the rest to the left.
fn aligned(rows: &[[String; 6]], columns: usize) -> String {
    let widest = |column: fn(&[String; 6]) -> &String, most: usize| {
        let widths = rows.iter().map(|row| column(row).width());
        widths.filter(|width| *width <= most).max().unwrap_or_default()
    };
    let [number_width, size_width] = [widest(|row| &row[0], usize::MAX), widest(|row| &row[2], usize::MAX)];
    let [hash_width, holders_width] = [widest(|row| &row[3], usize::MAX), widest(|row| &row[4], usize::MAX)];
    let others_width = number_width + size_width + hash_width + holders_width + 4 * "  ".len();
    // A name that is longer makes its own row longer, and no other.
    let name_width = widest(|row| &row[1], columns.saturating_sub(others_width).min(NAME_COLUMNS_MAX));
    let mut text = String::new();
    for [number, name, size, hash, holders, about] in rows {
        let pad = " ".repeat(name_width.saturating_sub(name.width()));
        let line = format!(
            "{number:>number_width$}  {name}{pad}  {size:>size_width$}  {hash}  {holders:holders_width$}  {about}"
        );
        let _ = writeln!(text, "{}", line.trim_end());
    }
    text
}

fn json_content<'a>(
    name: &'a FileName,
    size: u64,
    hash: &ContentHash,
    description: &'a [u8],
    holders: Option<u64>,
    from: Vec<SocketAddr>,
) -> JsonContent<'a> {
    let (name, name_base64) = text_or_base64(name.as_bytes());
    let (description, description_base64) =
        if description.is_empty() { (None, None) } else { text_or_base64(description) };
    JsonContent { name, name_base64, size, hash: hash.to_string(), description, description_base64, holders, from }
}

// ---- the files of one servent ----

pub(crate) fn json_file(entry: &Entry, from: SocketAddr) -> JsonContent<'_> {
    json_content(&entry.name, entry.size, &entry.hash, &entry.description, None, vec![from])
}

/// For programs: name, size, hash, description.
pub(crate) fn file_line(entry: &Entry) -> String {
    let [name, description] = [entry.name.as_bytes(), entry.description.as_slice()].map(Escaped::field);
    format!("{name}\t{}\t{}\t{description}", entry.size, entry.hash)
}

/// For people, as `ls -l` has it: what is equally long in all rows comes first, so that each can be shown when it comes.
pub(crate) fn file_row(entry: &Entry) -> String {
    const LARGEST: usize = "274,877,906,944".len();
    let description = Escaped::new(&entry.description);
    let (size, hash) = (grouped(entry.size).to_string(), entry.hash.short());
    format!("{size:>LARGEST$}  {hash}  {}  {description}", entry.name).trim_end().to_owned()
}

pub(crate) fn json_files_listed(from: SocketAddr, listed: &FilesListed) -> JsonFilesListed {
    let FilesListed { reason, files, elapsed } = *listed;
    JsonFilesListed { from, files, ms: milliseconds(elapsed), reason: reason.word() }
}

/// One sentence about a listing that is over. What is the matter with one that has no end is told by itself.
pub(crate) fn files_summary(contact: &str, prefix: &[u8], listed: &FilesListed) -> String {
    let begin = Escaped::new(prefix);
    match (listed.reason, listed.files) {
        (ListingEnd::NotUnderstood, _) => "not asked".to_owned(),
        (ListingEnd::Cancelled, files) => format!("{} so far, then interrupted", counted(files, "file")),
        // It may share some with others.
        (ListingEnd::Complete, 0) if prefix.is_empty() => {
            format!("{contact} shares no files with this client, or has not hashed or published them yet")
        }
        (ListingEnd::Complete, 0) => format!("no file of {contact} begins with {begin}"),
        (_, files) if prefix.is_empty() => format!("{} of {contact}", counted(files, "file")),
        (_, files) => format!("{} of {contact} named {begin}…", counted(files, "file")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use common::content::transfer::Have;
    use std::time::Duration;

    fn entry(name: &str, size: u64, hash: u8, description: &str) -> Entry {
        let (name, description) = (FileName::new(name.as_bytes()).unwrap(), description.as_bytes().to_vec());
        Entry { name, size, hash: ContentHash([hash; 32]), description, have: Have::all(1) }
    }

    fn told(entries: Vec<Entry>, more: u64) -> Entries {
        Entries { entries, more, uploads: 0 }
    }

    fn from(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    /// What three servents tell of.
    fn found() -> Found {
        let mut found = Found::default();
        found.add(from(3), &told(vec![entry("farol.mp4", 5, 0x77, "")], 0));
        found.add(from(2), &told(vec![entry("farol.mp4", 26_214_400, 0x9f, ""), entry("a", 0, 0xaa, "")], 0));
        found.add(from(1), &told(vec![entry("farol.mp4", 26_214_400, 0x9f, "at\tdusk")], 0));
        found
    }

    #[test]
    fn what_is_found_is_one_row_for_each_content_of_a_name_and_most_holders_come_first() {
        assert_eq!(
            found().rows(80),
            "1  a                   0  aaaaaaaaaaaa  1 holder\n\
             2  farol.mp4  26,214,400  9f9f9f9f9f9f  2 holders  at\\tdusk\n\
             3  farol.mp4           5  777777777777  1 holder   (same name, other content)\n"
        );
        let hashes = [0xaa, 0x9f, 0x77].map(|byte| ContentHash([byte; 32]));
        let named: Vec<ContentHash> = found().named().into_iter().map(|(_, hash)| hash).collect();
        assert_eq!(named, hashes, "in the order of the rows");
        let lines: Vec<String> = found().lines().collect();
        let expected = [
            format!("a\t0\t{}\t1\t", hashes[0]),
            format!("farol.mp4\t26214400\t{}\t2\tat\\tdusk", hashes[1]),
            format!("farol.mp4\t5\t{}\t1\t", hashes[2]),
        ];
        assert_eq!(lines, expected);
        assert_eq!((Found::default().rows(80), Found::default().lines().count()), (String::new(), 0));
    }

    #[test]
    fn a_content_counts_once_under_two_names_and_a_holder_once_that_tells_twice() {
        let mut found = Found::default();
        found.add(from(1), &told(["a", "b", "a"].map(|name| entry(name, 5, 1, "")).to_vec(), 0));
        assert_eq!(found.rows(80), "1  a  5  010101010101  1 holder\n2  b  5  010101010101  1 holder\n");
        assert_eq!(found.count(), 1);
    }

    #[test]
    fn rows_are_aligned_by_what_a_terminal_shows_and_one_long_name_moves_no_others_far() {
        let mut found = Found::default();
        let long = "n".repeat(NAME_COLUMNS_MAX + 5);
        // Two columns for each character, and one that is escaped.
        let names = ["caf\u{e9}", "\u{6771}\u{4eac}", "a\u{1b}", &long];
        found.add(from(1), &told(names.iter().map(|name| entry(name, 1, 1, "d")).collect(), 0));
        let rows = found.rows(80);
        let column = |row: &str| row.split("  1  ").next().unwrap().width();
        let columns: Vec<usize> = rows.lines().map(column).collect();
        assert_eq!(columns, [8, 8, NAME_COLUMNS_MAX + 8, 8], "{rows}");
        let mut found = Found::default();
        found.add(from(1), &told((0..10).map(|number| entry(&format!("{number}"), 1, 1, "")).collect(), 0));
        assert!(found.rows(80).starts_with(" 1  0  1  "), "numbers end in one column");
    }

    /// Or each row of a narrow terminal would break within its hash.
    #[test]
    fn where_there_is_no_room_for_all_names_rows_are_aligned_by_those_that_have_it() {
        let mut found = Found::default();
        let [short, long] = ["n".repeat(20), "m".repeat(30)];
        found.add(from(1), &told(["a", &short, &long].iter().map(|name| entry(name, 1, 1, "")).collect(), 0));
        for (columns, padded_to) in [(80, 30), (60, 30), (59, 20), (50, 20), (49, 1), (20, 1), (0, 1)] {
            let rows = found.rows(columns);
            let first = rows.lines().next().unwrap();
            assert_eq!(first, format!("1  a{}  1  010101010101  1 holder", " ".repeat(padded_to - 1)), "{columns}");
        }
        assert_eq!(found.rows(60).lines().map(str::len).max(), Some(60));
    }

    #[test]
    fn no_more_contents_are_kept_than_may_be_and_the_rest_is_counted() {
        let mut found = Found::default();
        let names: Vec<Entry> = (0..FOUND_MAX + 2).map(|number| entry(&number.to_string(), 1, 1, "")).collect();
        found.add(from(1), &told(names, 0));
        assert_eq!((found.named().len(), found.count(), found.more()), (FOUND_MAX, 3, 2));
        assert_eq!(found.beyond().as_deref(), Some("2 not shown"));
        // One that is known has room.
        found.add(from(2), &told(vec![entry("0", 1, 1, "")], 0));
        assert_eq!(found.more(), 2);
        let mut found = Found::default();
        for port in 1..=u16::try_from(HOLDERS_NAMED_MAX).unwrap() + 5 {
            found.add(from(port), &told(vec![entry("a", 1, 1, "")], 0));
        }
        let content = found.json().next().unwrap();
        assert_eq!((content.from.len(), content.holders), (HOLDERS_NAMED_MAX, Some(HOLDERS_NAMED_MAX as u64 + 5)));
    }

    #[test]
    fn how_many_more_there_are_is_said() {
        let mut found = found();
        assert_eq!((found.beyond(), found.more()), (None, 0));
        found.add(from(4), &told(vec![entry("b", 1, 1, "")], 1_234));
        assert_eq!(found.beyond().as_deref(), Some("at least 1,234 more at 1 servent: say more words, or ls each"));
        found.add(from(5), &told(Vec::new(), 1));
        assert_eq!(found.beyond().as_deref(), Some("at least 1,235 more at 2 servents: say more words, or ls each"));
        assert_eq!(found.more(), 1_235);
    }

    #[test]
    fn files_that_are_listed_are_rows_and_fields() {
        let file = entry("a\\b", 26_214_400, 0xab, "at dusk");
        assert_eq!(file_row(&file), "     26,214,400  abababababab  a\\b  at dusk");
        assert_eq!(file_row(&entry("a", 0, 0xab, "")), "              0  abababababab  a");
        assert_eq!(file_line(&file), format!("a\\\\b\t26214400\t{}\tat dusk", file.hash));
        let json = serde_json::to_value(json_file(&file, from(1))).unwrap();
        let hash = "ab".repeat(32);
        assert_eq!(
            json,
            serde_json::json!({"name": "a\\b", "size": 26_214_400, "hash": hash, "description": "at dusk", "from": ["127.0.0.1:1"]})
        );
    }

    #[test]
    fn one_sentence_for_every_way_a_listing_of_files_can_end() {
        for (reason, files, prefix, expected) in [
            (ListingEnd::Complete, 2, "", "2 files of contact 9001"),
            (ListingEnd::Complete, 1, "films/", "1 file of contact 9001 named films/…"),
            (
                ListingEnd::Complete,
                0,
                "",
                "contact 9001 shares no files with this client, or has not hashed or published them yet",
            ),
            (ListingEnd::Complete, 0, "a\x1b", "no file of contact 9001 begins with a\\x1b"),
            (ListingEnd::Cancelled, 1_000, "", "1,000 files so far, then interrupted"),
            (ListingEnd::Silence, 3, "", "3 files of contact 9001"),
            (ListingEnd::NotUnderstood, 0, "", "not asked"),
        ] {
            let listed = FilesListed { reason, files, elapsed: Duration::ZERO };
            assert_eq!(files_summary("contact 9001", prefix.as_bytes(), &listed), expected);
        }
    }
}
