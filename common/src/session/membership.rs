//! The chapter of the client's mind on members: those its contact knows, and whom that is to greet, if it is asked for.
//!
//! What is under way, and what of it is to come, is `listing` and `greetings`; here is who is asked, and what is told.

use std::net::SocketAddr;
use std::time::Duration;

use super::greetings::{GreetEnd, GreetingPending};
use super::listing::{GoesOn, ListingEnd, ListingPending, Page};
use super::{Contact, Output, Report, Session};
use crate::address::canonical;
use crate::link::LinkId;
use crate::member::{Greet, Greeted, Peers, PeersWanted};
use crate::message::Message;
use crate::time::Time;

impl Session {
    /// Asks the contact for all the members it knows, page by page, and gives the number by which whatever is told of
    /// this listing names it. After each page it waits so long for the next. It may be over at once, where there is no
    /// contact, or where that does not tell of members.
    ///
    /// # Errors
    ///
    /// Where there is one under way.
    pub fn ask_members(
        &mut self,
        now: Time,
        silence_max: Duration,
        out: &mut Vec<Output>,
    ) -> Result<u64, ListingPending> {
        if self.is_listing() {
            return Err(ListingPending);
        }
        let sequence = self.draw_sequence();
        self.listings.begin(now, sequence, silence_max);
        let needs = Message::PeersWanted(PeersWanted { after: None }).needs();
        match self.contact {
            Contact::Ready(link) if self.peers.get(&link).is_some_and(|peer| peer.features.include(needs)) => {
                let said = self.listings.ask(link);
                out.extend(said.map(|message| Output::Send { link, message }));
            }
            Contact::Ready(_) => self.end_listing(now, ListingEnd::NotUnderstood, out),
            Contact::None | Contact::Silent(_) | Contact::Lost => {
                self.end_listing(now, ListingEnd::ContactLost, out);
            }
        }
        Ok(sequence)
    }

    /// Whether members are being listed.
    #[must_use]
    pub fn is_listing(&self) -> bool {
        self.listings.is_open()
    }

    /// Has the contact greet whoever is at an address, and gives the number by which whatever is told of it names it. It
    /// waits so long for what comes of it. It may be over at once, where there is no contact, where that does not
    /// tell of members, or where it is the contact itself that is there.
    ///
    /// # Errors
    ///
    /// Where one is under way.
    pub fn ask_greeting(
        &mut self,
        now: Time,
        address: SocketAddr,
        silence_max: Duration,
        out: &mut Vec<Output>,
    ) -> Result<u64, GreetingPending> {
        if self.is_greeting() {
            return Err(GreetingPending);
        }
        let (sequence, address) = (self.draw_sequence(), canonical(address));
        self.greetings.begin(now, sequence, address, silence_max);
        let needs = Message::Greet(Greet { address }).needs();
        let contact =
            if let Contact::Ready(link) = self.contact { self.peers.get(&link).map(|peer| (link, peer)) } else { None };
        match contact {
            None => self.end_greeting(now, GreetEnd::ContactLost, out),
            Some((_, contact)) if !contact.features.include(needs) => {
                self.end_greeting(now, GreetEnd::NotUnderstood, out);
            }
            Some((_, contact)) if contact.address == address || self.contact_at.map(canonical) == Some(address) => {
                self.end_greeting(now, GreetEnd::Itself, out);
            }
            Some((link, _)) => out.push(Output::Send { link, message: self.greetings.ask(address) }),
        }
        Ok(sequence)
    }

    /// Whether somebody is to be greeted.
    #[must_use]
    pub fn is_greeting(&self) -> bool {
        self.greetings.is_open()
    }

    /// Whether members may be told of over this link.
    pub(super) fn on_peers(&mut self, now: Time, link: LinkId, peers: Peers, out: &mut Vec<Output>) -> bool {
        let (sequence, members, goes_on) = match self.listings.on_peers(now, link, peers) {
            None => return false,
            Some(Page::Old) => return true,
            Some(Page::Backward) => {
                self.end_listing(now, ListingEnd::Disordered, out);
                return true;
            }
            Some(Page::Next { sequence, members, goes_on }) => (sequence, members, goes_on),
        };
        if !members.is_empty() {
            out.push(Output::Tell(Report::Members { sequence, members }));
        }
        match goes_on {
            GoesOn::Asked(message) => out.push(Output::Send { link, message }),
            GoesOn::AtItsEnd => self.end_listing(now, ListingEnd::Complete, out),
            GoesOn::Endless => self.end_listing(now, ListingEnd::Disordered, out),
        }
        true
    }

    /// Ends the listing under way, if there is one.
    pub(super) fn end_listing(&mut self, now: Time, reason: ListingEnd, out: &mut Vec<Output>) {
        let Some((sequence, listed)) = self.listings.end(now, reason) else { return };
        self.sequences.retire(sequence);
        if self.pending.is_empty() {
            self.tell_more_unexpected(self.unexpected_since, out);
        }
        out.push(Output::Tell(Report::Listed { sequence, listed }));
    }

    /// Whether it may be told over this link what came of a greeting.
    pub(super) fn on_greeting_told(
        &mut self,
        now: Time,
        link: LinkId,
        greeted: Greeted,
        out: &mut Vec<Output>,
    ) -> bool {
        if self.contact != Contact::Ready(link) {
            return false;
        }
        let Some(is_end) = self.greetings.on_told(&greeted) else { return false };
        if is_end {
            self.end_greeting(now, GreetEnd::Told(greeted), out);
        }
        true
    }

    /// Ends the greeting under way, if there is one.
    pub(super) fn end_greeting(&mut self, now: Time, end: GreetEnd, out: &mut Vec<Output>) {
        let Some((sequence, greeting)) = self.greetings.end(now, end) else { return };
        self.sequences.retire(sequence);
        if self.pending.is_empty() {
            self.tell_more_unexpected(self.unexpected_since, out);
        }
        out.push(Output::Tell(Report::Greeted { sequence, greeting }));
    }
}
