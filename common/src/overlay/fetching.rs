//! The chapter of the corridor on clients that list the files of this servent and fetch them.
//!
//! Which files there are is known to the room `content`, who is given what next to `uploads`; here the one is asked for the
//! other. Files that are looked for by a flood are answered like any query (`asking`).

use super::doors::NotedEvent;
use super::search::{self, Held};
use super::uploads::{AskedTooMuch, UploadKey, longest_said, refuse};
use super::{Outbox, Overlay, query_log};
use crate::content::search::List;
use crate::content::transfer::{BlocksWanted, HashesWanted, Open, Refusal};
use crate::disk::{LookedThrough, ReadFailure, SharedContent};
use crate::link::LinkId;
use crate::message::{Goodbye, Message};
use crate::time::Time;

impl Overlay {
    pub(super) fn on_list(&mut self, link: LinkId, list: List, out: &mut Outbox<'_>) {
        let Some(client) = self.rooms.links.client_address(link) else { return };
        // Who lists files asks for part after part, each behind the last name of the one before.
        let name = list.from.strip_suffix(&[0]);
        let held: Held<'_> = self.held(Some(client.socket.ip()));
        let is_next_part = name.is_some_and(|name| held.files.is_some_and(|files| files.named(name).is_some()));
        if !is_next_part {
            out.note(|| NotedEvent::Asked { link, message: query_log::listing(&list.from) });
        }
        out.send(link, Message::ListPart(search::list_part(list, held)));
    }

    pub(super) fn on_open(&mut self, now: Time, link: LinkId, open: Open, out: &mut Outbox<'_>) {
        let Some(client) = self.rooms.links.client_address(link) else { return };
        out.note(|| NotedEvent::Asked { link, message: format!("get {}", open.hash) });
        let (key, ip) = ((link, open.fetch), client.socket.ip());
        // Whatever it is this time: told that, the client would take it for the other.
        if self.rooms.rare.get().is_some_and(|rare| rare.uploads.knows(key)) {
            return self.close(now, link, Goodbye::Protocol, "it opened a fetch twice", out);
        }
        let content = self.rooms.offered_to(Some(ip)).and_then(|files| files.content_of(open.hash));
        // What nobody could be told would be read all the same.
        let content = content.filter(|content| self.rooms.links.accepts_block(link, longest_said(content.blocks)));
        let name = content.as_ref().map(|content| content.name.as_slice());
        let subject = || name.map_or_else(|| open.hash.to_string(), query_log::subject);
        let operation = out.operation("get", subject);
        let opened = match content {
            Some(content) => self.rooms.rare.make().uploads.on_open(now, key, ip, content, operation.clone(), out),
            None => {
                refuse(key, Refusal::Gone, out);
                Err(Refusal::Gone)
            }
        };
        if let Some(operation) = operation {
            let outcome = opened.map_or_else(Refusal::word, |()| "opened");
            out.note(|| NotedEvent::Operation { operation, outcome });
        }
    }

    pub(super) fn on_looked_through(&mut self, now: Time, looked: Result<LookedThrough, String>, out: &mut Outbox<'_>) {
        let is_new = looked.as_ref().is_ok_and(|looked| looked.catalogue.is_some());
        let rare = self.rooms.rare.make();
        rare.content.on_looked_through(now, looked, &self.store, out);
        if is_new {
            self.end_what_is_not_offered(out);
        }
    }

    /// Ends what is being given of files that are not offered any more, or are not what they were.
    pub(super) fn end_what_is_not_offered(&mut self, out: &mut Outbox<'_>) {
        let Some(rare) = self.rooms.rare.get_mut() else { return };
        let files = rare.content.offered(rare.writes.shown());
        rare.uploads.on_shared_anew(|given| files.still_offered(given), out);
    }

    pub(super) fn on_hashes_wanted(&mut self, now: Time, link: LinkId, wanted: HashesWanted, out: &mut Outbox<'_>) {
        let Some(rare) = self.rooms.rare.get_mut() else { return };
        let asked = rare.uploads.on_hashes_wanted(now, link, wanted, out);
        self.on_asked_too_much(now, link, asked, out);
    }

    pub(super) fn on_blocks_wanted(&mut self, now: Time, link: LinkId, wanted: BlocksWanted, out: &mut Outbox<'_>) {
        let Some(rare) = self.rooms.rare.get_mut() else { return };
        let asked = rare.uploads.on_blocks_wanted(now, link, wanted, out);
        self.on_asked_too_much(now, link, asked, out);
    }

    fn on_asked_too_much(&mut self, now: Time, link: LinkId, asked: Result<(), AskedTooMuch>, out: &mut Outbox<'_>) {
        if asked == Err(AskedTooMuch) {
            self.close(now, link, Goodbye::Protocol, "it fetches what is not there, or too much at once", out);
        }
    }

    pub(super) fn on_giving(&mut self, now: Time, key: UploadKey) {
        if let Some(rare) = self.rooms.rare.get_mut() {
            rare.uploads.on_giving(now, key);
        }
    }

    pub(super) fn on_drained(&mut self, now: Time, key: UploadKey) {
        if let Some(rare) = self.rooms.rare.get_mut() {
            rare.uploads.on_drained(now, key);
        }
    }

    pub(super) fn on_given(&mut self, now: Time, key: UploadKey, out: &mut Outbox<'_>) {
        if let Some(rare) = self.rooms.rare.get_mut() {
            rare.uploads.on_given(now, key, out);
        }
    }

    pub(super) fn on_hashes_read(
        &mut self,
        now: Time,
        key: UploadKey,
        first: u32,
        read: Result<Vec<[u8; 32]>, ReadFailure>,
        out: &mut Outbox<'_>,
    ) {
        match read {
            Ok(hashes) => {
                if let Some(rare) = self.rooms.rare.get_mut() {
                    rare.uploads.on_hashes_read(now, key, first, hashes, out);
                }
            }
            Err(failure) => self.on_no_hashes(key, &failure, out),
        }
    }

    /// Hashes are not in the file that they are of, so nothing is known of that: it stays.
    fn on_no_hashes(&mut self, key: UploadKey, failure: &ReadFailure, out: &mut Outbox<'_>) {
        let Some(rare) = self.rooms.rare.get_mut() else { return };
        let Some(content) = rare.uploads.on_no_hashes(key, out) else { return };
        let name = crate::text::Escaped::new(&content.name);
        if let ReadFailure::Failed(reason) = failure {
            log::warn!("the hashes of {name} cannot be read: {reason}");
        }
    }

    /// A file is withdrawn that could not be read: it is seen at the next looking through what it is now. Where another has the
    /// same content, whoever fetched it is only to ask again.
    pub(super) fn on_unread(&mut self, key: UploadKey, failure: &ReadFailure, out: &mut Outbox<'_>) {
        let Some(rare) = self.rooms.rare.get_mut() else { return };
        let (shared, written) = (&mut rare.content, rare.writes.shown());
        let refusal_of = |content: &SharedContent| match shared.withdraw(content) {
            Some(hash) if shared.offered(written).content_of(hash).is_some() => Refusal::Busy,
            _ if *failure == ReadFailure::Changed => Refusal::Changed,
            _ => Refusal::Gone,
        };
        let Some(content) = rare.uploads.on_unread(key, failure, refusal_of, out) else { return };
        let name = crate::text::Escaped::new(&content.name);
        match failure {
            ReadFailure::Gone => log::info!("{name} is not there any more: it is not shared"),
            ReadFailure::Changed => log::info!("{name} was changed: it is not shared until it was hashed again"),
            ReadFailure::Failed(reason) | ReadFailure::NotTried(reason) => {
                log::warn!("{name} cannot be read: {reason}; it is not shared for a while");
            }
        }
    }
}
