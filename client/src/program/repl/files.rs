//! The chapter of commands about files: those of the contact, or of another servent.
//!
//! How they are shown is `contents`; finding them is asking everybody, like any other query.

use std::io::Write;
use std::net::SocketAddr;

use super::{Next, Repl, say};
use crate::program::command::servent_at_port;
use crate::program::contents::files_summary;
use crate::program::members::{FILES, tells_nothing};
use crate::program::outcome::Outcome;
use crate::{Event, FilesListed, ListingEnd};

impl<Out: Write, Side: Write> Repl<Out, Side> {
    /// Shows the files of the contact, or of the servent that is named, whose names begin like this.
    pub(super) fn list_files(&mut self, servent: Option<&str>, prefix: &[u8]) -> anyhow::Result<Next> {
        let Some(servent) = servent else { return self.list_files_here(prefix) };
        let mut other = match self.connect_beside(servent, FILES)? {
            Ok(other) => other,
            Err(next) => return Ok(next),
        };
        let from = other.contact_goes_by();
        self.renderer.files_from = Some(from);
        let listing = match other.begin_files(prefix, self.silence_max) {
            Ok(listing) => listing,
            Err(error) => {
                self.on_refused(&error);
                return Ok(Next::Continue);
            }
        };
        let end_of = |event| if let Event::FilesListed(listed) = event { Some(listed) } else { None };
        let listed = self.tell_of_other(&mut other, servent, listing, end_of)?;
        let Some(listed) = listed else { return Ok(Next::Continue) };
        let summary = files_summary(servent, prefix, &listed);
        self.on_files_listed(servent, from, &summary, &listed)
    }

    fn list_files_here(&mut self, prefix: &[u8]) -> anyhow::Result<Next> {
        let silence_max = self.silence_max;
        let listing = match self.begin(|client| client.begin_files(prefix, silence_max))? {
            Ok(listing) => listing,
            Err(next) => return Ok(next),
        };
        let from = self.place.contact_goes_by;
        self.renderer.files_from = Some(from);
        let end_of = |event| if let Event::FilesListed(listed) = event { Some(listed) } else { None };
        let Some(listed) = self.tell_until(listing, end_of)? else { return Ok(Next::Continue) };
        let contact = format!("contact {}", self.place.contact);
        let mut summary = files_summary(&contact, prefix, &listed);
        // Elsewhere a port alone is an address, so that may have been meant.
        if found_none(&listed)
            && let Some(servent) = servent_at_port(prefix)
        {
            summary += &format!("; for the servent there: ls {servent}");
        }
        let next = self.on_files_listed(&contact, from, &summary, &listed)?;
        Ok(if self.is_lost && !self.attaches_again { Next::Lost } else { next })
    }

    /// A listing of files is over, of whoever is called this.
    fn on_files_listed(
        &mut self,
        contact: &str,
        from: SocketAddr,
        summary: &str,
        listed: &FilesListed,
    ) -> anyhow::Result<Next> {
        self.renderer.show_files_listed(from, summary, listed)?;
        // That there is none is an answer, and it is no.
        let has_none = found_none(listed);
        self.worsen(if has_none { Outcome::Unanswered } else { Outcome::of_listing(listed.reason) });
        match listed.reason {
            // At a terminal it was said already, and a program reads how many there are.
            ListingEnd::Complete
                if has_none && self.renderer.side.is_none() && !self.renderer.json && !self.is_quiet =>
            {
                say(format_args!("client: {summary}"));
            }
            ListingEnd::Cancelled => return Ok(Next::Interrupted),
            ListingEnd::NotUnderstood => say(format_args!("client: {}", tells_nothing(contact, FILES))),
            ListingEnd::Silence if !self.is_quiet => {
                let wait = super::humane(self.silence_max);
                say(format_args!("client: {contact} said nothing more within {wait}: there may be more files"));
            }
            ListingEnd::Disordered if !self.is_quiet => {
                say(format_args!(
                    "client: {contact} tells of files in no order, or without end: what it told is incomplete"
                ));
            }
            _ => {}
        }
        Ok(Next::Continue)
    }
}

/// Whether it was told to its end, and there is no file.
fn found_none(listed: &FilesListed) -> bool {
    listed.reason == ListingEnd::Complete && listed.files == 0
}
