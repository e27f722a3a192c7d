//! What is told of members, to whom and when: what has changed, gathered for a moment; pages for whoever asks; and pages that
//! are asked for, so that whatever was lost on the way comes later.
//!
//! What is made of it that comes is in `hearing`.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::Bound;

use super::record::MemberRecord;
use super::roster::{LinkedPeer, PagesAsked, Roster, means_something_here};
use crate::limits::{NEWS_PAUSE, PAGE_PAUSE, PAGES_AT_ONCE_MAX, PEERS_MAX};
use crate::link::LinkId;
use crate::member::{Linkage, Member, Peers, PeersKind, PeersWanted, Seen};
use crate::message::Message;
use crate::overlay::doors::Outbox;
use crate::time::Time;

/// What is to be told, and to be asked.
#[derive(Debug)]
pub(super) struct Telling {
    /// What has changed and was not told yet, and the link over which it came.
    news: BTreeMap<SocketAddr, Option<LinkId>>,
    /// When it is told, or what can be told of it.
    news_due: Time,
    /// Up to where it was told last, where more waits than can be told at once: all of it has its turn.
    told_to: Option<SocketAddr>,
    /// When somebody is asked for a page.
    page_due: Time,
    /// Behind which address the next page begins.
    behind: Option<SocketAddr>,
}

impl Default for Telling {
    fn default() -> Telling {
        Telling { news: BTreeMap::new(), news_due: Time::NEVER, told_to: None, page_due: Time::NEVER, behind: None }
    }
}

impl Telling {
    pub(super) fn forget(&mut self, address: SocketAddr) {
        self.news.remove(&address);
    }

    pub(super) fn news_count(&self) -> usize {
        self.news.len()
    }

    // ---- what has changed ----

    /// Whether what has changed of a member is still to be told.
    pub(super) fn is_to_be_told(&self, address: SocketAddr) -> bool {
        self.news.contains_key(&address)
    }

    pub(super) fn tell_later(&mut self, now: Time, address: SocketAddr, told_by: Option<LinkId>) {
        self.news.insert(address, told_by);
        self.news_due = self.news_due.min(now + NEWS_PAUSE);
    }

    pub(super) fn deadline(&self) -> Time {
        self.news_due.min(self.page_due)
    }

    /// Gives the addresses of which it was told what has changed.
    pub(super) fn tell(
        &mut self,
        now: Time,
        roster: &mut Roster,
        random: u64,
        out: &mut Outbox<'_>,
    ) -> Vec<SocketAddr> {
        let told = if self.news_due <= now { self.tell_news(now, roster, out) } else { Vec::new() };
        if self.page_due <= now {
            self.ask_somebody(now, roster, random, out);
        }
        told
    }

    fn tell_news(&mut self, now: Time, roster: &mut Roster, out: &mut Outbox<'_>) -> Vec<SocketAddr> {
        let behind = self.told_to.map_or(Bound::Unbounded, Bound::Excluded);
        let before = self.told_to.map(|told_to| self.news.range(..=told_to));
        let mut ripe: Vec<(MemberRecord, Option<LinkId>)> = self
            .news
            .range((behind, Bound::Unbounded))
            .chain(before.into_iter().flatten())
            .filter_map(|(address, told_by)| Some((roster.table.get(*address)?, *told_by)))
            .filter(|(known, _)| known.tellable_at(now) <= now)
            .take(PEERS_MAX)
            .collect();
        self.told_to = ripe.last().map(|(known, _)| known.address).filter(|_| ripe.len() >= PEERS_MAX);
        ripe.sort_by_key(|(known, _)| known.address);
        for peer in roster.peers.iter().flatten().filter(|peer| peer.understands) {
            let news = ripe.iter().filter(|(known, told_by)| *told_by != Some(peer.link) && !known.is_guess);
            let members: Vec<Member> = news.filter_map(|(known, _)| roster.member_for(now, known, peer)).collect();
            if !members.is_empty() {
                out.send(peer.link, Message::Peers(Peers { kind: PeersKind::News, members }));
            }
        }
        let told = ripe.iter().map(|(known, _)| known.address).collect();
        for (known, _) in ripe {
            self.news.remove(&known.address);
            let changes = known.changes_when_told(now);
            if changes != known.changes {
                roster.table.put(&MemberRecord { changes, ..known });
            }
        }
        let next = self.news.keys().filter_map(|address| roster.table.get(*address));
        let next = next.map(|known| known.tellable_at(now)).min();
        self.news_due = next.map_or(Time::NEVER, |next| next.max(now + NEWS_PAUSE));
        told
    }

    /// Tells whoever told something old what is known here.
    pub(super) fn correct(
        now: Time,
        roster: &mut Roster,
        place: usize,
        better_known: &[SocketAddr],
        out: &mut Outbox<'_>,
    ) {
        let Some(peer) = roster.peers.get_mut(place).and_then(Option::as_mut) else { return };
        if better_known.is_empty() || !peer.understands || !peer.pages.may_answer(now) {
            return;
        }
        let Some(peer) = roster.peers.get(place).and_then(Option::as_ref) else { return };
        let known =
            better_known.iter().filter_map(|address| roster.table.get(*address)).filter(|known| !known.is_guess);
        let members: Vec<Member> = known.filter_map(|known| roster.member_for(now, &known, peer)).collect();
        if !members.is_empty() {
            out.send(peer.link, Message::Peers(Peers { kind: PeersKind::News, members }));
        }
    }

    // ---- pages ----

    /// A neighbor wants a page.
    pub(super) fn answer_page(now: Time, roster: &mut Roster, link: LinkId, wanted: PeersWanted, out: &mut Outbox<'_>) {
        let Some(peer) = roster.peer_mut(link) else { return };
        if !peer.pages.may_answer(now) {
            return;
        }
        let Some(peer) = roster.peer(link) else { return };
        let told = roster.table.after(wanted.after).filter(|known| !known.is_guess);
        let told = told.filter_map(|known| roster.member_for(now, &known, peer));
        out.send(link, Message::Peers(page_of(told)));
    }

    /// A client wants a page: it is told what this servent thinks, and how it knows.
    pub(super) fn page_for_client(
        now: Time,
        roster: &Roster,
        wanted: PeersWanted,
        is_pinned: impl Fn(LinkId) -> bool,
    ) -> Message {
        let told = roster.table.after(wanted.after).map(|known| {
            let peer = roster.peer_at(known.address).filter(|peer| peer.id == known.id);
            let link = match peer {
                _ if known.address == roster.own => Linkage::Myself,
                None => Linkage::None,
                Some(peer) if is_pinned(peer.link) => Linkage::Pinned,
                Some(_) => Linkage::Taken,
            };
            let round_trip = peer.and_then(|peer| peer.round_trip);
            let seen = Seen { link, is_flapping: known.is_flapping(now), round_trip };
            Member { seen, ..roster.member(now, &known) }
        });
        Message::Peers(page_of(told))
    }

    /// What is told whoever is greeted: this servent, and as many others as go with it.
    pub(super) fn page_to_trade(now: Time, roster: &Roster, is_same_host: bool) -> Peers {
        let is_told = |known: &MemberRecord| !known.is_guess && means_something_here(known.address, is_same_host);
        let told = roster.table.each().filter(is_told);
        let (own, others): (Vec<_>, Vec<_>) = told.partition(|known| known.address == roster.own);
        let mut members: Vec<Member> =
            own.iter().chain(&others).take(PEERS_MAX).map(|known| roster.member(now, known)).collect();
        members.sort_by_key(|member| member.address);
        Peers { kind: PeersKind::News, members }
    }

    /// Asks a neighbor for all it knows, page by page.
    pub(super) fn ask_from_the_start(&mut self, now: Time, roster: &mut Roster, link: LinkId, out: &mut Outbox<'_>) {
        if let Some(peer) = roster.peer_mut(link) {
            peer.pages.asked = PagesAsked::All { pages_count: 0, behind: None };
            out.send(link, Message::PeersWanted(PeersWanted { after: None }));
        }
        if self.page_due == Time::NEVER {
            self.page_due = now + PAGE_PAUSE;
        }
    }

    /// Asks a neighbor at random for its next page.
    fn ask_somebody(&mut self, now: Time, roster: &mut Roster, random: u64, out: &mut Outbox<'_>) {
        let mut idle: Vec<&mut LinkedPeer> =
            roster.peers.iter_mut().flatten().filter(|peer| peer.understands).collect();
        let count = idle.len();
        let place = usize::try_from(random).unwrap_or_default().checked_rem(count);
        self.page_due = if count > 0 { now + PAGE_PAUSE } else { Time::NEVER };
        if let Some(peer) = place.and_then(|place| idle.get_mut(place))
            && !matches!(peer.pages.asked, PagesAsked::All { .. })
        {
            peer.pages.asked = PagesAsked::One;
            out.send(peer.link, Message::PeersWanted(PeersWanted { after: self.behind }));
        }
    }

    /// What came may be a page that was asked for: then the next one begins behind it.
    pub(super) fn on_page(&mut self, roster: &mut Roster, link: LinkId, peers: &Peers, out: &mut Outbox<'_>) {
        let is_last = match peers.kind {
            PeersKind::News => return,
            PeersKind::LastPage => true,
            PeersKind::Page => false,
        };
        let last = peers.members.last().map(|member| member.address);
        let Some(peer) = roster.peers.iter_mut().flatten().find(|peer| peer.link == link) else { return };
        match peer.pages.asked {
            PagesAsked::Nothing => {}
            PagesAsked::One => {
                peer.pages.asked = PagesAsked::Nothing;
                self.behind = last.filter(|_| !is_last);
            }
            PagesAsked::All { pages_count, behind } => {
                // Whoever goes back, or comes to no end, is not asked on.
                let goes_on = !is_last && last > behind && pages_count + 1 < PAGES_AT_ONCE_MAX;
                if goes_on {
                    peer.pages.asked = PagesAsked::All { pages_count: pages_count + 1, behind: last };
                    out.send(link, Message::PeersWanted(PeersWanted { after: last }));
                } else {
                    peer.pages.asked = PagesAsked::Nothing;
                }
            }
        }
    }
}

/// The first of these, and whether there are more.
fn page_of(mut members: impl Iterator<Item = Member>) -> Peers {
    let page: Vec<Member> = members.by_ref().take(PEERS_MAX).collect();
    let kind = if members.next().is_some() { PeersKind::Page } else { PeersKind::LastPage };
    Peers { kind, members: page }
}
