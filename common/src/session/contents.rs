//! The chapter of the client's mind on contents: the files its contact shares, if it is asked for them.
//!
//! What is under way, and what of it is to come, is `files`; here is who is asked, and what is told. What others share is asked
//! for by queries.

use std::time::Duration;

use super::files::{FilesNext, FilesPart, FilesPending};
use super::listing::ListingEnd;
use super::{Contact, Output, Report, Session};
use crate::content::search::ListPart;
use crate::features::Features;
use crate::link::LinkId;
use crate::time::Time;

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
        let sequence = self.draw_sequence();
        self.files.begin(now, sequence, prefix, silence_max);
        let needs = Features::CONTENT;
        match self.contact {
            Contact::Ready(link) if self.peers.get(&link).is_some_and(|peer| peer.features.include(needs)) => {
                let said = self.files.ask(link);
                out.extend(said.map(|message| Output::Send { link, message }));
            }
            Contact::Ready(_) => self.end_files(now, ListingEnd::NotUnderstood, out),
            Contact::None | Contact::Silent(_) | Contact::Lost => {
                self.end_files(now, ListingEnd::ContactLost, out);
            }
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
        let (sequence, entries, next) = match self.files.on_part(now, link, part) {
            FilesPart::Unexpected => return false,
            FilesPart::Old => return true,
            FilesPart::Goes { sequence, entries, next } => (sequence, entries, next),
        };
        if !entries.is_empty() {
            out.push(Output::Tell(Report::Files { sequence, entries }));
        }
        match next {
            FilesNext::End(end) => self.end_files(now, end, out),
            FilesNext::Ask(message) => out.push(Output::Send { link, message }),
        }
        true
    }

    /// Ends the listing of files under way, if there is one.
    pub(super) fn end_files(&mut self, now: Time, reason: ListingEnd, out: &mut Vec<Output>) {
        let Some((sequence, listed)) = self.files.end(now, reason) else { return };
        self.sequences.retire(sequence);
        if self.pending.is_empty() {
            self.tell_more_unexpected(self.unexpected_since, out);
        }
        out.push(Output::Tell(Report::FilesListed { sequence, listed }));
    }
}
