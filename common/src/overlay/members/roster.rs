//! The members a servent knows and the servents at the end of its links, who tell of members: whoever tells takes no more
//! places than are left for all others.
//!
//! What becomes of a word that comes is not decided here (`hearing`), nor who is told what (`telling`).

use std::net::SocketAddr;
use std::time::Duration;

use super::record::{GONE, MemberRecord, Teller, seconds_of};
use super::table::MemberTable;
use crate::address::{AnswerAddress, names_one_end};
use crate::dialect::Dialect;
use crate::limits::{MEMBER_PLACES_MAX, NEIGHBOR_BEAT, NEWS_PAUSE, PAGES_AT_ONCE_MAX};
use crate::link::LinkId;
use crate::member::{Member, Seen, Word};
use crate::member_file::{KNOWN_MEMBERS_MAX, KnownMember};
use crate::message::Identity;
use crate::rate::Rate;
use crate::time::Time;

/// Who is known, and who tells of them.
#[derive(Debug)]
pub(super) struct Roster {
    pub(super) own: SocketAddr,
    pub(super) id: Identity,
    /// What the servent's clock shows in this event: what it says of its own knowledge is said at that.
    pub(super) clock: u64,
    /// When it was seen last that this servent is awake: no later than that it heard anybody, as far as it knows.
    pub(super) awake_at: Time,
    pub(super) table: MemberTable,
    /// The servents at the end of links, by their places, which are the numbers of tellers.
    pub(super) peers: Vec<Option<LinkedPeer>>,
    /// How many of the members only those told of who have gone.
    told_by_gone_count: usize,
    /// How many are known from before only.
    listed_count: usize,
    /// Whether what would be written down has changed since it last was.
    has_changed: bool,
}

/// A servent at the other end of a link.
#[derive(Debug)]
pub(super) struct LinkedPeer {
    pub(super) link: LinkId,
    /// Where it is a member.
    pub(super) address: SocketAddr,
    pub(super) id: Identity,
    /// Whether it offered to understand what is said of members.
    pub(super) understands: bool,
    /// Whether it is on this host, as far as the link shows.
    pub(super) is_same_host: bool,
    /// Whether it was dialled and met where it is a member.
    pub(super) is_proved: bool,
    /// Whether it was, or its link comes from there, or from this host, where it says to be on it.
    pub(super) may_be_dialled: bool,
    /// How many of the members it alone told of.
    pub(super) told_count: usize,
    pub(super) pages: Pages,
    pub(super) pinged_at: Option<Time>,
    pub(super) round_trip: Option<Duration>,
    /// Who is said to be at its address instead: it is pinged, and if it does not answer, that is true.
    pub(super) successor: Option<Identity>,
    /// It is said to be suspect or gone, and was pinged and had not answered by then: as soon as it does, that is contradicted.
    pub(super) is_denied: bool,
    /// It has been quiet for so long that it was suspect, and was not heard since.
    pub(super) is_quiet: bool,
    /// This servent slept, and has not heard it since.
    pub(super) is_unheard: bool,
    /// When others were told of it last.
    pub(super) told_at: Time,
}

/// What pages have been asked for on a link, by either end.
#[derive(Debug)]
pub(super) struct Pages {
    pub(super) asked: PagesAsked,
    /// How many were answered there, and how fast.
    answered: Rate<Time>,
}

/// What this end has asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum PagesAsked {
    Nothing,
    /// The next page of a round that goes through all neighbors.
    One,
    /// All of them, of which so many came.
    All {
        pages_count: usize,
        behind: Option<SocketAddr>,
    },
}

impl Default for Pages {
    fn default() -> Pages {
        Pages { asked: PagesAsked::Nothing, answered: Rate::starting_at(Time::START) }
    }
}

impl Pages {
    /// Whether one more may be answered: whoever asks without end is answered at a pace.
    pub(super) fn may_answer(&mut self, now: Time) -> bool {
        let at_once = NEWS_PAUSE * u32::try_from(PAGES_AT_ONCE_MAX).unwrap_or(u32::MAX);
        let may = !self.answered.is_ahead(now, at_once);
        if may {
            self.answered.count(now, NEWS_PAUSE);
        }
        may
    }
}

/// So many are looked at, from one at random on, to find one that may give its place to another that is told of: whoever
/// invents without end has little looked at for it, and what finds no place is told again.
const LOOKED_AT_MAX: usize = 256;

impl Roster {
    /// One with this servent itself and those it knew before.
    pub(super) fn new(own: SocketAddr, id: Identity, known: &[KnownMember]) -> Roster {
        let mut roster = Roster {
            own,
            id,
            clock: 0,
            awake_at: Time::START,
            table: MemberTable::default(),
            peers: Vec::new(),
            told_by_gone_count: 0,
            listed_count: 0,
            has_changed: false,
        };
        roster.put(&MemberRecord { heard: 0, ..MemberRecord::new(own, id) });
        for known in known.iter().filter(|known| known.address != own).take(KNOWN_MEMBERS_MAX) {
            roster.put(&MemberRecord::listed(known));
        }
        roster.has_changed = false;
        roster
    }

    /// Puts one in its place, and counts who told of it.
    pub(super) fn put(&mut self, known: &MemberRecord) {
        let before = self.table.get(known.address);
        let teller = before.and_then(|before| before.teller);
        if teller != known.teller {
            self.count_told(teller, -1);
            self.count_told(known.teller, 1);
        }
        self.count_listed(before.as_ref(), Some(known));
        self.table.put(known);
    }

    pub(super) fn remove(&mut self, known: &MemberRecord) {
        self.count_told(known.teller, -1);
        self.count_listed(Some(known), None);
        self.table.remove(known.address);
    }

    fn count_listed(&mut self, before: Option<&MemberRecord>, after: Option<&MemberRecord>) {
        let is_listed = |known: Option<&MemberRecord>| usize::from(known.is_some_and(MemberRecord::is_listed));
        self.listed_count = (self.listed_count + is_listed(after)).saturating_sub(is_listed(before));
        let kept =
            |known: Option<&MemberRecord>| known.filter(|known| known.address != self.own).map(MemberRecord::kept);
        self.has_changed |= kept(before) != kept(after);
    }

    /// Whether what would be written down has changed since that was asked for last.
    pub(super) fn has_changed(&self) -> bool {
        self.has_changed
    }

    /// What is to be written down, where it has changed since that was asked for last.
    pub(super) fn take_changed(&mut self) -> Option<Vec<KnownMember>> {
        let is_other = |known: &MemberRecord| known.address != self.own && names_one_end(known.address);
        let members = self.table.each().filter(is_other).map(|known| known.kept());
        self.has_changed.then(|| members.collect()).inspect(|_| self.has_changed = false)
    }

    /// It could not be written down.
    pub(super) fn note_unkept(&mut self) {
        self.has_changed = true;
    }

    fn count_told(&mut self, teller: Option<Teller>, more: isize) {
        let count = match teller {
            None => return,
            Some(GONE) => &mut self.told_by_gone_count,
            Some(Teller(place)) => match self.peers.get_mut(usize::from(place)).and_then(Option::as_mut) {
                Some(peer) => &mut peer.told_count,
                None => return,
            },
        };
        *count = count.saturating_add_signed(more);
    }

    /// How many of the members this one alone told of.
    fn told_count(&self, teller: Teller) -> usize {
        let peer = self.peers.get(usize::from(teller.0)).and_then(Option::as_ref);
        if teller == GONE { self.told_by_gone_count } else { peer.map_or(0, |peer| peer.told_count) }
    }

    /// Whether this one may tell of one more: it has no more places alone than are left for all others.
    fn has_room(&self, teller: Teller) -> bool {
        self.told_count(teller) < MEMBER_PLACES_MAX - self.taken_count().min(MEMBER_PLACES_MAX)
    }

    /// Whether there is a place for one more that somebody tells of, or that this servent has met itself.
    pub(super) fn has_room_for(&self, teller: Option<Teller>) -> bool {
        teller.map_or(self.taken_count() < MEMBER_PLACES_MAX, |teller| self.has_room(teller))
    }

    /// Places of members that somebody has said something of: those known from before are in nobody's way.
    fn taken_count(&self) -> usize {
        self.table.len() - self.listed_count.min(self.table.len())
    }

    /// Whether each place has a member, be it one that is known from before only.
    pub(super) fn is_full(&self) -> bool {
        self.table.len() >= MEMBER_PLACES_MAX
    }

    /// Gives one up that is known from before only: it was told to nobody.
    pub(super) fn give_listed_up(&mut self, random: u64) {
        if let Some(listed) = self.table.find_from(random, usize::MAX, MemberRecord::is_listed) {
            self.remove(&listed);
        }
    }

    /// Gives one up for another that was last heard then, and says which. Who was heard later stays: inventions, which
    /// nobody ever hears, give way to whoever is there as soon as nobody invents any more.
    pub(super) fn give_one_up(&mut self, teller: Option<Teller>, heard: i32, random: u64) -> Option<SocketAddr> {
        let given_up = match teller {
            Some(teller) => self.one_of_a_teller(teller, heard, random),
            None => self.one_for_whoever_was_met(heard, random),
        }?;
        self.remove(&given_up);
        Some(given_up.address)
    }

    /// One of its own; where it has none, one of those whose tellers are gone, or else one that is only heard of.
    fn one_of_a_teller(&self, teller: Teller, heard: i32, random: u64) -> Option<MemberRecord> {
        let is_older = |known: &MemberRecord| known.heard <= heard;
        let is_of = |teller: Teller| move |known: &MemberRecord| known.teller == Some(teller);
        if let Some(teller) = [teller, GONE].into_iter().find(|teller| self.told_count(*teller) > 0) {
            return self.table.find_from(random, LOOKED_AT_MAX, |known| is_of(teller)(known) && is_older(known));
        }
        self.table.find_from(random, LOOKED_AT_MAX, |known| self.is_heard_of(known) && is_older(known))
    }

    /// Whoever was met has a place before anybody who is only heard of.
    fn one_for_whoever_was_met(&self, heard: i32, random: u64) -> Option<MemberRecord> {
        let is_of_the_gone = |known: &MemberRecord| known.teller == Some(GONE) && known.heard <= heard;
        let of_the_gone = self.table.find_from(random, LOOKED_AT_MAX, is_of_the_gone);
        of_the_gone.or_else(|| self.table.find_from(random, usize::MAX, |known| self.is_heard_of(known)))
    }

    fn is_heard_of(&self, known: &MemberRecord) -> bool {
        known.address != self.own && self.peer_at(known.address).is_none()
    }

    /// Members that somebody who has gone told of alone.
    pub(super) fn leave_to_the_gone(&mut self, place: usize, told_count: usize) {
        let teller = teller_of(place);
        let told: Vec<MemberRecord> = self.table.each().filter(|known| known.teller == Some(teller)).collect();
        told.iter().for_each(|known| self.table.put(&MemberRecord { teller: Some(GONE), ..*known }));
        self.told_by_gone_count += told_count;
    }

    /// What is known of whoever is at an address was told.
    pub(super) fn note_told(&mut self, now: Time, address: SocketAddr) {
        self.peers.iter_mut().flatten().filter(|peer| peer.address == address).for_each(|peer| peer.told_at = now);
    }

    pub(super) fn place_of(&self, link: LinkId) -> Option<usize> {
        self.peers.iter().position(|peer| peer.as_ref().is_some_and(|peer| peer.link == link))
    }

    pub(super) fn peer(&self, link: LinkId) -> Option<&LinkedPeer> {
        self.peers.iter().flatten().find(|peer| peer.link == link)
    }

    /// The same, if it counts at its address.
    pub(super) fn member_at(&self, link: LinkId) -> Option<&LinkedPeer> {
        let peer = self.peer(link)?;
        self.peer_at(peer.address).filter(|there| there.link == link && peer.address != self.own)
    }

    pub(super) fn peer_mut(&mut self, link: LinkId) -> Option<&mut LinkedPeer> {
        self.peers.iter_mut().flatten().find(|peer| peer.link == link)
    }

    /// Whether there is anybody who could say otherwise: a servent without links says nothing of others.
    pub(super) fn has_links(&self) -> bool {
        self.peers.iter().flatten().next().is_some()
    }

    /// Whoever is at the end of a link and a member at this address. Of two one that was met there stays, then one that comes
    /// from there, and of two alike the later.
    pub(super) fn peer_at(&self, address: SocketAddr) -> Option<&LinkedPeer> {
        let there = self.peers.iter().flatten().filter(|peer| peer.address == address);
        there.max_by_key(|peer| (peer.is_proved, peer.may_be_dialled, peer.link))
    }

    // ---- one member ----

    /// When one that is online was heard over its link, as far as this servent can tell.
    pub(super) fn heard_over_a_link(&self, now: Time, known: &MemberRecord, peer: &LinkedPeer) -> i32 {
        match () {
            () if peer.is_unheard || peer.is_quiet => known.heard,
            () if self.has_slept(now) => known.heard.max(seconds_of(self.awake_at)),
            () => seconds_of(now),
        }
    }

    /// Whether this servent slept, or had no time, and does so only now see that.
    pub(super) fn has_slept(&self, now: Time) -> bool {
        self.awake_at + 2 * NEIGHBOR_BEAT <= now
    }

    /// As it is told at the end of this link; nothing where its address means nothing there.
    pub(super) fn member_for(&self, now: Time, known: &MemberRecord, peer: &LinkedPeer) -> Option<Member> {
        means_something_here(known.address, peer.is_same_host).then(|| self.member(now, known))
    }

    pub(super) fn member(&self, now: Time, known: &MemberRecord) -> Member {
        let MemberRecord { address, id, word, is_open, is_proved, .. } = *known;
        let is_own = address == self.own;
        let peer = self.peer_at(address).filter(|peer| peer.id == id && word == Word::Online);
        let heard = match peer {
            _ if is_own => seconds_of(now),
            None => known.heard,
            Some(peer) => self.heard_over_a_link(now, known, peer),
        };
        let since = u64::try_from(seconds_of(now).saturating_sub(heard)).unwrap_or_default();
        Member {
            address,
            id,
            clock: if is_own { self.clock } else { known.clock },
            heard: Duration::from_secs(since),
            word,
            is_open,
            is_proved,
            seen: Seen::default(),
        }
    }
}

pub(super) fn teller_of(place: usize) -> Teller {
    Teller(u16::try_from(place).unwrap_or(GONE.0 - 1))
}

/// Whether an address that is told over a link is that of a servent here too.
pub(super) fn means_something_here(address: SocketAddr, is_same_host: bool) -> bool {
    names_one_end(address)
        && AnswerAddress { socket: address, dialect: Dialect::OWN }.means_the_same_there(is_same_host)
}
