//! Members listed and servents greeted, as whoever asked for it knows them: what the mind may say and tell of these.

use std::net::SocketAddr;
use std::time::Duration;

use common::address::canonical;
use common::limits::CLIENT_PENDING_MAX;
use common::link::LinkId;
use common::member::{GreetOutcome, Greeted, Member, Peers, PeersKind};
use common::message::Message;
use common::session::{GreetEnd, GreetingEnded, Input, LISTING_PAGES_MAX, ListingEnd, MembersListed, Output, Report};
use common::time::Time;

use super::{CONTACT, Driver};
use crate::reader::Reader;
use crate::targets::words;

/// A listing of members as whoever asked for it knows it.
pub(super) struct AskedMembers {
    pub(super) sequence: u64,
    pub(super) asked: Time,
    pub(super) heard: Time,
    pub(super) silence_max: Duration,
    pub(super) behind: Option<SocketAddr>,
    pub(super) pages_count: usize,
    pub(super) members_count: u64,
    /// The contact has said that there are no more.
    pub(super) has_all: bool,
}

impl AskedMembers {
    pub(super) fn due(&self) -> Time {
        self.heard + self.silence_max
    }
}

/// A servent that is to be greeted, as whoever asked for it knows it.
pub(super) struct AskedGreeting {
    pub(super) sequence: u64,
    pub(super) address: SocketAddr,
    pub(super) asked: Time,
    pub(super) silence_max: Duration,
    /// What the contact was told to do.
    pub(super) is_said: bool,
    /// What the contact has just said of it.
    pub(super) told: Option<Greeted>,
}

impl AskedGreeting {
    pub(super) fn due(&self) -> Time {
        self.asked + self.silence_max
    }
}

impl Driver {
    /// Asks for the members the contact knows, with a wait of its own.
    pub(super) fn ask_members(&mut self, choice: u32) {
        let silence_max = self.silence_max * (1 + choice % 3);
        let mut out = Vec::new();
        let asked = self.mind.ask_members(self.now, silence_max, &mut out);
        assert_eq!(asked.is_err(), self.listing.is_some(), "one listing at a time");
        let Ok(sequence) = asked else {
            assert_eq!(out, []);
            return;
        };
        assert!(!self.pending.contains_key(&sequence) && !self.ended_lately.contains(&sequence), "drawn twice");
        self.listings_count += 1;
        let (asked, heard) = (self.now, self.now);
        let listing = AskedMembers {
            sequence,
            asked,
            heard,
            silence_max,
            behind: None,
            pages_count: 0,
            members_count: 0,
            has_all: false,
        };
        self.listing = Some(listing);
        self.look_at(out);
    }

    /// Cancels the listing, if there is one.
    pub(super) fn cancel_listing(&mut self) {
        let Some(sequence) = self.listing.as_ref().map(|listing| listing.sequence) else { return };
        let out = self.tell(Input::Cancel { sequence });
        let is_cancelled = |output: &Output| {
            matches!(
                output,
                Output::Tell(Report::Listed { listed: MembersListed { reason: ListingEnd::Cancelled, .. }, .. })
            )
        };
        assert!(out.last().is_some_and(is_cancelled) && self.listing.is_none(), "{out:?}");
    }

    /// Whether it is what a contact may tell of members.
    pub(super) fn is_page(&self, link: LinkId, peers: &Peers) -> bool {
        link == CONTACT && self.open.get(&link).is_some_and(Option::is_some) && peers.kind != PeersKind::News
    }

    /// A page that is owed comes, of this listing or of one before, or the pong that parts them.
    pub(super) fn note_page(&mut self, link: LinkId, message: &Message) {
        match message {
            Message::Peers(peers) if self.is_page(link, peers) && self.owed_pages > 0 => {
                self.owed_pages -= 1;
                if let Some(listing) = self.listing.as_mut().filter(|_| self.owed_pongs == 0) {
                    listing.has_all = peers.kind == PeersKind::LastPage;
                }
            }
            Message::Pong if link == CONTACT && self.owed_pongs > 0 => {
                self.owed_pongs -= 1;
                if self.owed_pongs == 0 {
                    self.owed_pages = self.owed_pages.min(1);
                }
            }
            _ => {}
        }
    }

    /// Members are told of the listing under way, each behind the one before.
    pub(super) fn on_members(&mut self, sequence: u64, members: &[Member]) {
        assert_eq!(self.owed_pongs, 0, "that was asked for by a listing before");
        let listing = self.listing.as_mut().expect("members are listed that nobody asked for");
        assert_eq!(sequence, listing.sequence);
        assert!(!members.is_empty(), "nobody is told");
        for member in members {
            assert!(Some(member.address) > listing.behind, "it goes back");
            listing.behind = Some(member.address);
        }
        listing.members_count += members.len() as u64;
        listing.pages_count += 1;
        listing.heard = self.now;
        assert!(listing.pages_count <= LISTING_PAGES_MAX, "it comes to no end");
    }

    pub(super) fn on_listed(&mut self, sequence: u64, listed: &MembersListed, more_told: bool) {
        self.endings_count += 1;
        let listing = self.listing.take().expect("a listing ends once");
        assert_eq!((sequence, listed.members), (listing.sequence, listing.members_count));
        assert_eq!(listed.elapsed, self.now.since(listing.asked));
        assert!(listed.reason != ListingEnd::Silence || listing.due() <= self.now, "it was cut short: {listed:?}");
        assert!(listed.reason != ListingEnd::Complete || listing.has_all, "there are more: {listed:?}");
        self.on_no_query_over(sequence, more_told);
    }

    /// Has the contact greet somebody, with a wait of its own: often one of those it owes a word on.
    pub(super) fn ask_greeting(&mut self, reader: &mut Reader<'_>, choice: u32) {
        let silence_max = self.silence_max * (1 + choice % 3);
        let again = self.owed_greetings.back().copied().filter(|_| choice % 2 == 1);
        let address = again.unwrap_or_else(|| if choice % 5 == 4 { self.contact } else { words::address(reader) });
        let mut out = Vec::new();
        let asked = self.mind.ask_greeting(self.now, address, silence_max, &mut out);
        assert_eq!(asked.is_err(), self.greeting.is_some(), "one greeting at a time");
        let Ok(sequence) = asked else {
            assert_eq!(out, []);
            return;
        };
        assert!(!self.pending.contains_key(&sequence) && !self.ended_lately.contains(&sequence), "drawn twice");
        self.greetings_count += 1;
        let address = canonical(address);
        let greeting = AskedGreeting { sequence, address, asked: self.now, silence_max, is_said: false, told: None };
        self.greeting = Some(greeting);
        self.look_at(out);
    }

    /// Cancels the greeting, if there is one.
    pub(super) fn cancel_greeting(&mut self) {
        let Some(sequence) = self.greeting.as_ref().map(|greeting| greeting.sequence) else { return };
        let out = self.tell(Input::Cancel { sequence });
        let is_cancelled = |output: &Output| {
            matches!(
                output,
                Output::Tell(Report::Greeted { greeting: GreetingEnded { end: GreetEnd::Cancelled, .. }, .. })
            )
        };
        assert!(out.last().is_some_and(is_cancelled) && self.greeting.is_none(), "{out:?}");
    }

    /// What came of a greeting is told: of the one under way, or of one before.
    pub(super) fn note_greeted(&mut self, link: LinkId, message: &Message) {
        let Message::Greeted(greeted) = message else { return };
        let is_known = link == CONTACT && self.open.get(&link).is_some_and(Option::is_some);
        let Some(place) = self.owed_greetings.iter().position(|owed| *owed == greeted.address).filter(|_| is_known)
        else {
            return;
        };
        self.owed_greetings.remove(place);
        let is_under_way = greeted.outcome == GreetOutcome::Busy && self.owed_greetings.contains(&greeted.address);
        if let Some(greeting) = self.greeting.as_mut().filter(|greeting| greeting.address == greeted.address) {
            greeting.told = Some(*greeted).filter(|_| !is_under_way);
        }
    }

    pub(super) fn on_greeting_over(&mut self, sequence: u64, over: &GreetingEnded, more_told: bool) {
        self.endings_count += 1;
        let greeting = self.greeting.take().expect("a greeting ends once");
        assert_eq!((sequence, over.address), (greeting.sequence, greeting.address));
        assert_eq!(over.elapsed, self.now.since(greeting.asked));
        match over.end {
            GreetEnd::Told(greeted) => assert_eq!(greeting.told, Some(greeted), "nobody said so"),
            GreetEnd::Silence => assert!(greeting.due() <= self.now && greeting.is_said, "it was cut short"),
            GreetEnd::Itself | GreetEnd::NotUnderstood => assert!(!greeting.is_said, "it was asked for: {over:?}"),
            GreetEnd::ContactLost | GreetEnd::Cancelled => {}
        }
        assert!(greeting.told.is_none() || matches!(over.end, GreetEnd::Told(_)), "it was said what came of it");
        self.on_no_query_over(sequence, more_told);
    }

    /// What is no query is over.
    pub(super) fn on_no_query_over(&mut self, sequence: u64, more_told: bool) {
        self.ended_lately.push_back(sequence);
        if self.ended_lately.len() > CLIENT_PENDING_MAX {
            self.ended_lately.pop_front();
        }
        assert!(self.pending.is_empty() || !more_told, "it is told at the end of a query");
        if self.pending.is_empty() {
            (self.unexpected_count, self.unexpected_since) = (0, self.asked.len() as u64);
        }
    }
}
