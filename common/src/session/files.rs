//! The files a contact shares, asked for from the first to the last: one such listing at a time.
//!
//! It takes the contact's word for what a file is, as long as names go forward and come to an end. What one looks like is for
//! whoever asked.

use std::time::Duration;

use super::listing::ListingEnd;
use crate::content::search::{Entries, Entry, FileName, List, ListPart};
use crate::limits::{FILE_NAME_BYTES_MAX, SHARED_FILES_MAX};
use crate::link::LinkId;
use crate::message::Message;
use crate::time::Time;

/// How a listing of files ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FilesListed {
    /// What ended it.
    pub reason: ListingEnd,
    /// How many were told.
    pub files: u64,
    /// Since it was asked for, as the client counts time.
    pub elapsed: Duration,
}

/// Files are being listed already. Nothing was asked for, and nothing became of that listing.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("files are being listed already, and one listing at a time is the most")]
pub struct FilesPending;

/// The listing under way, if there is one.
#[derive(Debug, Default)]
pub(super) struct FileListings {
    open: Option<FileListing>,
    /// How many were begun: what comes for one that is over has another number.
    begun_count: u32,
    /// Whom the last was asked of.
    asked: Option<LinkId>,
}

#[derive(Debug)]
struct FileListing {
    sequence: u64,
    number: u32,
    prefix: Vec<u8>,
    /// The last that was told.
    behind: Option<FileName>,
    files_count: u64,
    silence_max: Duration,
    begun: Time,
    /// When nobody waits for the next part any more.
    due: Time,
}

/// What a part of a listing comes to.
pub(super) enum FilesPart {
    Goes {
        sequence: u64,
        entries: Vec<Entry>,
        next: FilesNext,
    },
    /// It is for a listing that is over.
    Old,
    /// Nobody can have been asked for it there.
    Unexpected,
}

/// How a listing goes on.
pub(super) enum FilesNext {
    Ask(Message),
    End(ListingEnd),
}

impl FileListings {
    /// Begins one, of which this is the number it is told by.
    pub(super) fn begin(&mut self, now: Time, sequence: u64, prefix: &[u8], silence_max: Duration) {
        self.open = Some(FileListing {
            sequence,
            number: self.begun_count,
            // No name is longer, so none begins with more.
            prefix: prefix.iter().copied().take(FILE_NAME_BYTES_MAX + 1).collect(),
            behind: None,
            files_count: 0,
            silence_max,
            begun: now,
            due: now + silence_max,
        });
        self.begun_count = self.begun_count.wrapping_add(1);
    }

    /// What is to be said first to whoever is asked.
    pub(super) fn ask(&mut self, link: LinkId) -> Option<Message> {
        self.asked = Some(link);
        self.open.as_ref().map(FileListing::next)
    }

    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn deadline(&self) -> Time {
        self.open.as_ref().map_or(Time::NEVER, |open| open.due)
    }

    pub(super) fn use_sequence(&self, sequence: u64) -> bool {
        self.open.as_ref().is_some_and(|open| open.sequence == sequence)
    }

    pub(super) fn on_part(&mut self, now: Time, link: LinkId, part: ListPart) -> FilesPart {
        let ListPart { list, entries: Entries { mut entries, more, uploads: _ } } = part;
        if self.asked != Some(link) || list >= self.begun_count {
            return FilesPart::Unexpected;
        }
        let Some(open) = self.open.as_mut().filter(|open| open.number == list) else { return FilesPart::Old };
        open.due = now + open.silence_max;
        let told_count = entries.len();
        let is_forward = open.is_forward(&entries);
        entries.retain(|entry| entry.name.as_bytes().starts_with(&open.prefix));
        let files_count = open.files_count.saturating_add(entries.len() as u64);
        let next = if !is_forward || files_count > SHARED_FILES_MAX as u64 || (told_count == 0 && more > 0) {
            entries.clear();
            FilesNext::End(ListingEnd::Disordered)
        } else {
            open.files_count = files_count;
            open.behind = entries.last().map(|entry| entry.name.clone());
            // Names that begin alike stand together.
            let is_last = more == 0 || entries.len() < told_count;
            if is_last { FilesNext::End(ListingEnd::Complete) } else { FilesNext::Ask(open.next()) }
        };
        FilesPart::Goes { sequence: open.sequence, entries, next }
    }

    /// Ends the listing under way, if there is one. Gives its number, and how it ended.
    pub(super) fn end(&mut self, now: Time, reason: ListingEnd) -> Option<(u64, FilesListed)> {
        let FileListing { sequence, files_count, begun, .. } = self.open.take()?;
        Some((sequence, FilesListed { reason, files: files_count, elapsed: now.since(begun) }))
    }
}

impl FileListing {
    /// What is to be said for the next part.
    fn next(&self) -> Message {
        // No name has a NUL in it, so nothing is between a name and the same with one behind it.
        let from = self.behind.as_ref().map_or_else(|| self.prefix.clone(), |name| [name.as_bytes(), &[0]].concat());
        Message::List(List { list: self.number, from })
    }

    /// Whether these come one behind the other, and behind all that were told.
    fn is_forward(&self, entries: &[Entry]) -> bool {
        entries.iter().map(|entry| &entry.name).is_sorted_by(|one, next| one < next)
            && entries.first().is_none_or(|first| match &self.behind {
                Some(behind) => first.name > *behind,
                None => first.name.as_bytes() >= self.prefix.as_slice(),
            })
    }
}
