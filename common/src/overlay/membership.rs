//! What happens to links, as far as it says something of members: carried from `links`, which sees it, to `members`, which
//! makes a word of it, and back, where a member is to be looked for.
//!
//! A chapter of the corridor. It decides nothing.

use std::net::SocketAddr;

use super::Overlay;
use super::doors::Outbox;
use super::errand::{Callee, Errand};
use super::links::LinkedServent;
use super::members::{Doubted, LinkedTo};
use super::rooms::Rooms;
use super::visits::{self, Visited};
use crate::dialect::Dialect;
use crate::link::LinkId;
use crate::member::{Peers, PeersWanted, Word};
use crate::message::{Goodbye, Identity, Message};
use crate::time::Time;

impl Overlay {
    /// A link to a neighbor has come.
    pub(super) fn on_neighbor_linked(&mut self, now: Time, link: LinkId, out: &mut Outbox<'_>) {
        if let (Some(members), Some(to)) = (self.rooms.members.as_deref_mut(), self.rooms.links.linked_to(link)) {
            let LinkedServent { id, address, understands_members: understands, is_same_host, is_proved } = to;
            members.on_linked(now, link, LinkedTo { id, address, understands, is_same_host, is_proved }, out);
        }
    }

    /// A neighbor, or a client, wants to know who is there.
    pub(super) fn on_peers_wanted(&mut self, now: Time, link: LinkId, wanted: PeersWanted, out: &mut Outbox<'_>) {
        let links = &mut self.rooms.links;
        let Some(members) = self.rooms.members.as_deref_mut() else { return };
        if links.client_address(link).is_some() {
            out.send(link, members.page_for_client(now, wanted, |link| links.target_of(link).is_some()));
        } else {
            members.on_peers_wanted(now, link, wanted, out);
        }
    }

    /// A neighbor tells of members.
    pub(super) fn on_peers(&mut self, now: Time, link: LinkId, stamp: u64, peers: &Peers, out: &mut Outbox<'_>) {
        if peers.members.iter().any(|member| member.clock > stamp) {
            let reason = "it told something of a member that it says it cannot know yet";
            return self.close(now, link, Goodbye::Protocol, reason, out);
        }
        let links = &mut self.rooms.links;
        let Some(members) = self.rooms.members.as_deref_mut() else { return };
        let Doubted(doubted) = members.on_peers(now, link, peers, |link| links.is_lively(link), out);
        for link in doubted {
            links.doubt(link);
            out.send(link, Message::Ping);
        }
    }

    /// Whoever is at the end of a link was heard, who was suspect.
    pub(super) fn on_heard_again(&mut self, now: Time, link: LinkId) {
        if let Some(members) = self.rooms.members.as_deref_mut() {
            members.on_heard_again(now, link);
        }
    }

    pub(super) fn on_pong(&mut self, now: Time, link: LinkId) {
        if let Some(members) = self.rooms.members.as_deref_mut() {
            members.on_pong(now, link);
        }
    }

    /// A neighbor that was told could not be dialled.
    pub(super) fn on_target_failed(&mut self, now: Time, target: usize, refused: bool) {
        if let Some(members) = self.rooms.members.as_deref_mut() {
            members.on_target_failed(now, target, refused);
        }
    }

    /// Makes what it says of members of what came of visits.
    pub(super) fn on_visits_over(&mut self, now: Time) {
        let (members, rare) = (self.rooms.members.as_deref_mut(), self.rooms.rare.get_mut());
        let (Some(members), Some(rare)) = (members, rare) else { return };
        for (address, visited) in rare.errands.visits.take_over() {
            match visited {
                Visited::Met(id) => members.on_call_reached(now, address, id),
                Visited::InVain { refused } => members.on_call_failed(now, address, refused),
            }
        }
    }
}

impl Overlay {
    /// What it says of whoever is at an address, and who that is, as far as it knows: for whoever watches.
    #[must_use]
    pub fn word_of(&self, address: SocketAddr) -> Option<(Identity, Word)> {
        self.rooms.members.as_deref().and_then(|members| members.word_of(address))
    }
}

impl Rooms {
    /// Neighbors that have been quiet for a while, or were pinged, at a beat.
    pub(super) fn on_quiet(&mut self, now: Time, pinged: &[LinkId], suspect: &[LinkId], gone: &[LinkId]) {
        let links = &self.links;
        let Some(members) = self.members.as_deref_mut() else { return };
        pinged.iter().for_each(|link| members.on_pinged(now, *link));
        for (links_of, word) in [(suspect, Word::Suspect), (gone, Word::Failed)] {
            for link in links_of {
                members.on_quiet(now, *link, word, links.has_lively_besides(*link));
            }
        }
    }

    /// Has it seen who is at an address where a member was whose link fell.
    pub(super) fn visit(&mut self, now: Time, address: SocketAddr, out: &mut Outbox<'_>) {
        let callee = Callee { errand: Errand::Visit, address };
        let rare = self.rare.make();
        let refused =
            rare.call(now, out, |calls, out, news| calls.bring(now, callee, Dialect::OWN, visits::letter(), out, news));
        if refused.is_some() {
            log::debug!("member {address} is not dialled: a limit on calls refuses it");
        }
    }
}
