//! Files listed, as whoever asked for it knows them: what the mind may say and tell of these.

use std::time::Duration;

use common::content::search::{Entries, Entry, List, ListPart};
use common::limits::{FILE_NAME_BYTES_MAX, SHARED_FILES_MAX};
use common::link::LinkId;
use common::message::Message;
use common::session::{FilesListed, Input, ListingEnd, Output, Report};
use common::time::Time;

use super::{CONTACT, Driver};
use crate::reader::Reader;
use crate::targets::words;

/// A listing of files as whoever asked for it knows it.
pub(super) struct AskedFiles {
    sequence: u64,
    /// Its number on the link.
    number: u32,
    asked: Time,
    heard: Time,
    silence_max: Duration,
    prefix: Vec<u8>,
    /// The last name that was told.
    behind: Option<Vec<u8>>,
    files_count: u64,
    /// Whether the contact was asked.
    is_said: bool,
    /// The contact has said that there are no more, or told of names that begin otherwise.
    has_all: bool,
}

impl AskedFiles {
    pub(super) fn due(&self) -> Time {
        self.heard + self.silence_max
    }
}

impl Driver {
    /// Asks for the files the contact shares, with a wait of its own.
    pub(super) fn ask_files(&mut self, reader: &mut Reader<'_>, choice: u32) {
        let silence_max = self.silence_max * (1 + choice % 3);
        let prefix = match choice % 4 {
            0 => Vec::new(),
            3 => vec![b'a'; FILE_NAME_BYTES_MAX + 9],
            _ => reader.one_of(&words::NAMES).to_vec(),
        };
        let mut out = Vec::new();
        let asked = self.mind.ask_files(self.now, &prefix, silence_max, &mut out);
        assert_eq!(asked.is_err(), self.files.is_some(), "one listing at a time");
        let Ok(sequence) = asked else {
            assert_eq!(out, []);
            return;
        };
        assert!(!self.pending.contains_key(&sequence) && !self.ended_lately.contains(&sequence), "drawn twice");
        let number = u32::try_from(self.file_listings_count).expect("an input is short");
        self.file_listings_count += 1;
        let (asked, heard) = (self.now, self.now);
        let (behind, files_count, is_said, has_all) = (None, 0, false, false);
        let listing =
            AskedFiles { sequence, number, asked, heard, silence_max, prefix, behind, files_count, is_said, has_all };
        self.files = Some(listing);
        self.look_at(out);
    }

    /// Cancels the listing of files, if there is one.
    pub(super) fn cancel_files(&mut self) {
        let Some(sequence) = self.files.as_ref().map(|listing| listing.sequence) else { return };
        let out = self.tell(Input::Cancel { sequence });
        let is_cancelled = |output: &Output| {
            matches!(
                output,
                Output::Tell(Report::FilesListed { listed: FilesListed { reason: ListingEnd::Cancelled, .. }, .. })
            )
        };
        assert!(out.last().is_some_and(is_cancelled) && self.files.is_none(), "{out:?}");
    }

    /// Files are asked for.
    pub(super) fn on_list(&mut self, link: LinkId, list: &List) {
        let listing = self.files.as_mut().expect("nobody asked for files");
        assert_eq!((link, list.list), (CONTACT, listing.number));
        match &listing.behind {
            Some(behind) => assert_eq!(list.from, [behind.as_slice(), &[0]].concat(), "it is asked on from elsewhere"),
            None => assert!(listing.prefix.starts_with(&list.from) && list.from.len() <= FILE_NAME_BYTES_MAX + 1),
        }
        listing.is_said = true;
    }

    /// Whether a part may come over this link, of a listing that is over or of the one under way.
    pub(super) fn may_list(&self, link: LinkId, part: &ListPart) -> bool {
        let was_asked = self.was_asked_for_files && link == CONTACT;
        was_asked && u64::from(part.list) < self.file_listings_count
    }

    /// The same of the listing under way, and with names that go on from what was told: nobody would hit upon them by chance.
    pub(super) fn part_of_what_was_asked(&self, mut part: ListPart) -> ListPart {
        let Some(listing) = self.files.as_ref().filter(|_| part.list.is_multiple_of(2)) else { return part };
        let Entries { entries, uploads, .. } = &mut part.entries;
        if uploads.is_multiple_of(2) {
            entries.sort_by(|one, other| one.name.cmp(&other.name));
            entries.dedup_by(|one, other| one.name == other.name);
            entries.retain(|entry| {
                let name = entry.name.as_bytes();
                listing.behind.as_deref().is_none_or(|behind| name > behind) && name >= listing.prefix.as_slice()
            });
        }
        ListPart { list: listing.number, ..part }
    }

    /// A part comes of the listing under way.
    pub(super) fn note_part(&mut self, link: LinkId, message: &Message) {
        let Message::ListPart(part) = message else { return };
        let is_known = self.open.get(&link).is_some_and(Option::is_some) && self.may_list(link, part);
        if let Some(listing) = self.files.as_mut().filter(|listing| is_known && listing.number == part.list) {
            listing.heard = self.now;
            let begins_otherwise = |entry: &Entry| !entry.name.as_bytes().starts_with(&listing.prefix);
            listing.has_all = part.entries.more == 0 || part.entries.entries.iter().any(begins_otherwise);
        }
    }

    /// Files are told of the listing under way, each behind the one before.
    pub(super) fn on_files(&mut self, sequence: u64, entries: &[Entry]) {
        let listing = self.files.as_mut().expect("files are listed that nobody asked for");
        assert_eq!(sequence, listing.sequence);
        assert!(!entries.is_empty() && listing.is_said, "nothing is told");
        for Entry { name, .. } in entries {
            assert!(listing.behind.as_deref().is_none_or(|behind| name.as_bytes() > behind), "it goes back");
            assert!(name.as_bytes().starts_with(&listing.prefix), "{name} begins otherwise");
            listing.behind = Some(name.as_bytes().to_vec());
        }
        listing.files_count += entries.len() as u64;
        assert!(listing.files_count <= SHARED_FILES_MAX as u64, "it comes to no end");
    }

    pub(super) fn on_files_listed(&mut self, sequence: u64, listed: &FilesListed, more_told: bool) {
        self.endings_count += 1;
        let listing = self.files.take().expect("a listing ends once");
        assert_eq!((sequence, listed.files), (listing.sequence, listing.files_count));
        assert_eq!(listed.elapsed, self.now.since(listing.asked));
        match listed.reason {
            ListingEnd::Silence => assert!(listing.due() <= self.now && listing.is_said, "it was cut short"),
            ListingEnd::Complete => assert!(listing.has_all, "there are more"),
            ListingEnd::NotUnderstood => assert!(!listing.is_said, "it was asked for"),
            ListingEnd::Disordered => assert!(listing.is_said, "nobody said anything"),
            ListingEnd::ContactLost | ListingEnd::Cancelled => {}
        }
        self.on_no_query_over(sequence, more_told);
    }
}
