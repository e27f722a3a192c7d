//! The form in which contents and files are shown: rows with a number on a terminal, fields with tabs between them for
//! programs, and the same as JSON.
//!
//! Names and descriptions are text of strangers and pass through `Escaped` (or JSON's own escapes). Who is asked, and when it is
//! over, is decided by the session.

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::collections::btree_map;
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
        for Entry { name, size, hash, description, have: _ } in &answer.entries {
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

    pub(crate) fn len(&self) -> u64 {
        self.left_out.saturating_add(self.contents.len() as u64)
    }

    /// How many contents there are beyond those that are shown.
    pub(crate) fn more(&self) -> u64 {
        self.more.saturating_add(self.left_out)
    }

    /// What there is beyond what is shown, in words.
    pub(crate) fn beyond(&self) -> Option<String> {
        let Found { left_out, more, more_at, .. } = *self;
        let untold = (more > 0)
            .then(|| format!("{} more at {}: say more words, or ls each", grouped(more), counted(more_at, "servent")));
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
    pub(crate) fn hashes(&self) -> Vec<ContentHash> {
        self.in_order().into_iter().map(|(_, hash, _)| *hash).collect()
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

    /// For people: the same with a number before each, and the first digits of the hash.
    pub(crate) fn rows(&self) -> String {
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
        aligned(&rows)
    }
}

/// Of a number, a name, a size, a hash, and what is short and long: numbers to the right, the rest to the left.
fn aligned(rows: &[[String; 6]]) -> String {
    let widest = |column: fn(&[String; 6]) -> &String, most: usize| {
        rows.iter().map(|row| column(row).width()).max().unwrap_or_default().min(most)
    };
    let [number_width, size_width] = [widest(|row| &row[0], usize::MAX), widest(|row| &row[2], usize::MAX)];
    let [name_width, holders_width] = [widest(|row| &row[1], NAME_COLUMNS_MAX), widest(|row| &row[4], usize::MAX)];
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
    let begin = if prefix.is_empty() { String::new() } else { format!(" named {}…", Escaped::new(prefix)) };
    match (listed.reason, listed.files) {
        (ListingEnd::NotUnderstood, _) => "not asked".to_owned(),
        (ListingEnd::Cancelled, files) => format!("{} so far, then interrupted", counted(files, "file")),
        (ListingEnd::Complete, 0) => format!("{contact} shares no files{begin}"),
        (_, files) => format!("{} of {contact}{begin}", counted(files, "file")),
    }
}
