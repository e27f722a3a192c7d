//! The members a contact knows, asked for from the first page to the last: one such listing at a time.
//!
//! It takes what the contact says for its word, as long as it goes forward and comes to an end. What a member is says
//! `member`; how one is shown is for whoever asked.

use std::net::SocketAddr;
use std::time::Duration;

use crate::limits::{MEMBER_PLACES_MAX, PEERS_MAX};
use crate::link::LinkId;
use crate::member::{Member, Peers, PeersKind, PeersWanted};
use crate::message::Message;
use crate::time::Time;

/// Pages of one listing: as many as hold all the members a servent knows. Whoever has more to tell comes to no end.
pub const LISTING_PAGES_MAX: usize = MEMBER_PLACES_MAX.div_ceil(PEERS_MAX);

/// How a listing of members ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct MembersListed {
    /// What ended it.
    pub reason: ListingEnd,
    /// How many members were told.
    pub members: u64,
    /// Since it was asked for, as the client counts time.
    pub elapsed: Duration,
}

/// Why a listing of members ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ListingEnd {
    /// The contact has told all it knows.
    Complete,
    /// No page came for as long as the client waits.
    Silence,
    /// The contact is gone.
    ContactLost,
    /// Nobody wanted it any more.
    Cancelled,
    /// It was not asked for: the contact did not offer to tell of members.
    NotUnderstood,
    /// What the contact told went back, or came to no end: it was not asked on.
    Disordered,
}

impl ListingEnd {
    /// Its name for programs.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            ListingEnd::Complete => "complete",
            ListingEnd::Silence => "silence",
            ListingEnd::ContactLost => "contact_lost",
            ListingEnd::Cancelled => "interrupted",
            ListingEnd::NotUnderstood => "not_understood",
            ListingEnd::Disordered => "disordered",
        }
    }
}

/// Members are being listed. They were not asked for once more, and nothing became of the listing that is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("members are being listed already, and one listing at a time is the most")]
pub struct ListingPending;

/// What was asked of the contact, and what of it is to come.
#[derive(Debug, Default)]
pub(super) struct Listings {
    open: Option<Listing>,
    /// The contact that was asked last, until it is gone.
    asked: Option<LinkId>,
    /// Pages asked for there that have not come.
    owed_count: u32,
    /// Pongs that have to come there first, each to a ping that was said just before a listing began: what comes ahead of
    /// the last of them belongs to listings before. Pages do not say what they are an answer to.
    pongs_count: u32,
}

/// The listing under way.
#[derive(Debug)]
struct Listing {
    sequence: u64,
    /// The last address of the page before.
    behind: Option<SocketAddr>,
    pages_count: usize,
    members_count: u64,
    begun: Time,
    silence_max: Duration,
    /// When nobody waits for its next page any more.
    due: Time,
}

/// What a page comes to that was owed.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Page {
    /// Nothing: it is of a listing that is over.
    Old,
    /// It does not go forward.
    Backward,
    /// These members are to be told of this listing.
    Next { sequence: u64, members: Vec<Member>, goes_on: GoesOn },
}

/// Whether there are more members.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum GoesOn {
    /// They are asked for by saying this.
    Asked(Message),
    /// There are none.
    AtItsEnd,
    /// There would be, and nobody asks for ever.
    Endless,
}

impl Listings {
    /// Whether there is one under way.
    pub(super) fn is_open(&self) -> bool {
        self.open.is_some()
    }

    /// Begins one. Nobody was asked yet.
    pub(super) fn begin(&mut self, now: Time, sequence: u64, silence_max: Duration) {
        let due = now + silence_max;
        self.open =
            Some(Listing { sequence, behind: None, pages_count: 0, members_count: 0, begun: now, silence_max, due });
    }

    /// What is to be said to the contact for the first page of the one that was begun.
    pub(super) fn ask(&mut self, contact: LinkId) -> impl Iterator<Item = Message> {
        if self.asked.replace(contact) != Some(contact) {
            (self.owed_count, self.pongs_count) = (0, 0);
        }
        let is_owed = self.owed_count > 0;
        if is_owed {
            self.pongs_count = self.pongs_count.saturating_add(1);
        }
        let ping = is_owed.then_some(Message::Ping);
        ping.into_iter().chain([self.want(None)])
    }

    fn want(&mut self, after: Option<SocketAddr>) -> Message {
        self.owed_count = self.owed_count.saturating_add(1);
        Message::PeersWanted(PeersWanted { after })
    }

    /// When the wait of the one under way is over.
    pub(super) fn deadline(&self) -> Time {
        self.open.as_ref().map_or(Time::NEVER, |open| open.due)
    }

    /// Whether there is one under way, and goes by this.
    pub(super) fn use_sequence(&self, sequence: u64) -> bool {
        self.open.as_ref().is_some_and(|open| open.sequence == sequence)
    }

    /// A pong has come. Whether that is no surprise.
    pub(super) fn on_pong(&mut self, link: LinkId) -> bool {
        if self.asked != Some(link) || self.pongs_count == 0 {
            return false;
        }
        self.pongs_count -= 1;
        if self.pongs_count == 0 {
            // Said behind the ping, if at all: what was owed before it never comes.
            self.owed_count = self.owed_count.min(1);
        }
        true
    }

    /// Somebody tells of members; nothing where that is a surprise.
    pub(super) fn on_peers(&mut self, now: Time, link: LinkId, peers: Peers) -> Option<Page> {
        let Peers { kind, members } = peers;
        // A client is told no news.
        if self.asked != Some(link) || self.owed_count == 0 || kind == PeersKind::News {
            return None;
        }
        self.owed_count -= 1;
        let Some(open) = self.open.as_mut().filter(|_| self.pongs_count == 0) else { return Some(Page::Old) };
        if !goes_forward(open.behind, &members) {
            return Some(Page::Backward);
        }
        let last = members.last().map(|member| member.address);
        open.members_count = open.members_count.saturating_add(members.len() as u64);
        open.pages_count += 1;
        (open.behind, open.due) = (last, now + open.silence_max);
        let (sequence, has_more) = (open.sequence, kind == PeersKind::Page);
        let goes_on = if !has_more {
            GoesOn::AtItsEnd
        } else if last.is_some() && open.pages_count < LISTING_PAGES_MAX {
            GoesOn::Asked(self.want(last))
        } else {
            GoesOn::Endless
        };
        Some(Page::Next { sequence, members, goes_on })
    }

    /// A link is gone. Whether it was the one that is asked over.
    pub(super) fn on_closed(&mut self, link: LinkId) -> bool {
        let was_asked = self.asked == Some(link);
        if was_asked {
            self.asked = None;
        }
        was_asked
    }

    /// Ends the one under way, if there is one.
    pub(super) fn end(&mut self, now: Time, reason: ListingEnd) -> Option<(u64, MembersListed)> {
        let Listing { sequence, members_count, begun, .. } = self.open.take()?;
        Some((sequence, MembersListed { reason, members: members_count, elapsed: now.since(begun) }))
    }
}

/// Whether each of these is behind the one before, and all of them behind this.
fn goes_forward(behind: Option<SocketAddr>, members: &[Member]) -> bool {
    let addresses = || members.iter().map(|member| member.address);
    addresses().is_sorted_by(|one, next| one < next) && addresses().next().is_none_or(|first| Some(first) > behind)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_reads_json_finds_how_listings_end_by_the_names_they_have() {
        for (reason, name) in [
            (ListingEnd::Complete, "complete"),
            (ListingEnd::Silence, "silence"),
            (ListingEnd::ContactLost, "contact_lost"),
            (ListingEnd::Cancelled, "interrupted"),
            (ListingEnd::NotUnderstood, "not_understood"),
            (ListingEnd::Disordered, "disordered"),
        ] {
            assert_eq!(reason.word(), name);
        }
    }

    #[test]
    fn as_many_pages_are_asked_for_as_a_servent_can_fill() {
        assert_eq!((LISTING_PAGES_MAX, LISTING_PAGES_MAX * PEERS_MAX), (32, MEMBER_PLACES_MAX));
    }
}
