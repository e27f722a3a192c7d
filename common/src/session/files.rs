//! The files a contact shares, asked for from the first to the last: one such listing at a time.
//!
//! A chapter of the client's mind. It takes the contact's word for what a file is, as long as names go forward and come to an
//! end; what one looks like is for whoever asked.

use std::time::Duration;

use super::listing::ListingEnd;
use super::{Contact, Output, Report, Session};
use crate::content::search::{Entries, Entry, FileName, List, ListPart};
use crate::features::Features;
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
}

#[derive(Debug)]
struct FileListing {
    sequence: u64,
    link: LinkId,
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
enum FilesPart {
    Goes {
        sequence: u64,
        entries: Vec<Entry>,
        end: Option<ListingEnd>,
    },
    /// It is for a listing that is over.
    Old,
}

impl FileListings {
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    pub(super) fn deadline(&self) -> Time {
        self.open.as_ref().map_or(Time::NEVER, |open| open.due)
    }

    pub(super) fn use_sequence(&self, sequence: u64) -> bool {
        self.open.as_ref().is_some_and(|open| open.sequence == sequence)
    }

    /// Whether it goes over this link.
    pub(super) fn goes_over(&self, link: LinkId) -> bool {
        self.open.as_ref().is_some_and(|open| open.link == link)
    }

    /// What is to be said next, if there is a listing.
    fn want(&self) -> Option<Output> {
        let FileListing { link, number, prefix, behind, .. } = self.open.as_ref()?;
        // No name has a NUL in it, so nothing is between a name and the same with one behind it.
        let from = behind.as_ref().map_or_else(|| prefix.clone(), |name| [name.as_bytes(), &[0]].concat());
        Some(Output::Send { link: *link, message: Message::List(List { list: *number, from }) })
    }

    /// Nothing where nobody can have been asked for it.
    fn on_part(&mut self, now: Time, link: LinkId, part: ListPart) -> Option<FilesPart> {
        let ListPart { list, entries: Entries { mut entries, more, uploads: _ } } = part;
        if list >= self.begun_count {
            return None;
        }
        let Some(open) = self.open.as_mut().filter(|open| open.link == link && open.number == list) else {
            return Some(FilesPart::Old);
        };
        let is_forward = entries.iter().map(|entry| &entry.name).is_sorted_by(|one, next| one < next)
            && entries.first().is_none_or(|first| match &open.behind {
                Some(behind) => first.name > *behind,
                None => first.name.as_bytes() >= open.prefix.as_slice(),
            });
        let told = entries.len();
        entries.retain(|entry| entry.name.as_bytes().starts_with(&open.prefix));
        open.files_count = open.files_count.saturating_add(entries.len() as u64);
        open.due = now + open.silence_max;
        let end = if !is_forward || open.files_count > SHARED_FILES_MAX as u64 || (told == 0 && more > 0) {
            entries.clear();
            Some(ListingEnd::Disordered)
        } else if more == 0 || entries.len() < told {
            Some(ListingEnd::Complete)
        } else {
            open.behind = entries.last().map(|entry| entry.name.clone());
            None
        };
        Some(FilesPart::Goes { sequence: open.sequence, entries, end })
    }
}

impl Session {
    /// Asks the contact for all the files it shares whose names begin like this, and gives the number by which whatever is
    /// told of this listing names it. After each part it waits so long for the next. It may be over at once, where there is no
    /// contact, or where that has no words for files.
    ///
    /// # Errors
    ///
    /// Where there is one under way.
    pub fn ask_files(
        &mut self,
        now: Time,
        prefix: &[u8],
        silence_max: Duration,
        out: &mut Vec<Output>,
    ) -> Result<u64, FilesPending> {
        if self.files.is_open() {
            return Err(FilesPending);
        }
        let (sequence, number) = (self.draw_sequence(), self.files.begun_count);
        self.files.begun_count = number.wrapping_add(1);
        let (link, refused) = match self.contact {
            Contact::Ready(link)
                if self.peers.get(&link).is_some_and(|peer| peer.features.include(Features::CONTENT)) =>
            {
                (link, None)
            }
            Contact::Ready(link) => (link, Some(ListingEnd::NotUnderstood)),
            Contact::Silent(link) => (link, Some(ListingEnd::ContactLost)),
            Contact::None | Contact::Lost => (LinkId(0), Some(ListingEnd::ContactLost)),
        };
        self.files.open = Some(FileListing {
            sequence,
            link,
            number,
            // No name is longer, so none begins with more.
            prefix: prefix.iter().copied().take(FILE_NAME_BYTES_MAX + 1).collect(),
            behind: None,
            files_count: 0,
            silence_max,
            begun: now,
            due: now + silence_max,
        });
        match refused {
            Some(end) => self.end_files(now, end, out),
            None => out.extend(self.files.want()),
        }
        Ok(sequence)
    }

    /// Whether files are being listed.
    #[must_use]
    pub fn is_listing_files(&self) -> bool {
        self.files.is_open()
    }

    /// Whether files may be told of over this link.
    pub(super) fn on_list_part(&mut self, now: Time, link: LinkId, part: ListPart, out: &mut Vec<Output>) -> bool {
        let (sequence, entries, end) = match self.files.on_part(now, link, part) {
            None => return false,
            Some(FilesPart::Old) => return true,
            Some(FilesPart::Goes { sequence, entries, end }) => (sequence, entries, end),
        };
        if !entries.is_empty() {
            out.push(Output::Tell(Report::Files { sequence, entries }));
        }
        match end {
            Some(end) => self.end_files(now, end, out),
            None => out.extend(self.files.want()),
        }
        true
    }

    /// Ends the listing under way, if there is one.
    pub(super) fn end_files(&mut self, now: Time, reason: ListingEnd, out: &mut Vec<Output>) {
        let Some(FileListing { sequence, files_count, begun, .. }) = self.files.open.take() else { return };
        self.sequences.retire(sequence);
        if self.pending.is_empty() {
            self.tell_more_unexpected(self.unexpected_since, out);
        }
        let listed = FilesListed { reason, files: files_count, elapsed: now.since(begun) };
        out.push(Output::Tell(Report::FilesListed { sequence, listed }));
    }
}
