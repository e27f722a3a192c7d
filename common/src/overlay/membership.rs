//! What happens to links, as far as it says something of members: carried from `links`, which sees it, to `members`, which
//! makes a word of it, and back, where a member is to be looked for.
//!
//! A chapter of the corridor. It decides nothing.

use std::net::SocketAddr;
use std::time::Duration;

use super::Overlay;
use super::doors::Outbox;
use super::errand::{Callee, Errand};
use super::links::{Beat, LinkedServent};
use super::members::{Doubted, LinkedTo, MemberChange, Members};
use super::rooms::Rooms;
use super::visits::{self, PendingGreeting, Visited};
use crate::address::names_one_end;
use crate::dialect::Dialect;
use crate::features::Features;
use crate::link::LinkId;
use crate::member::{Greet, GreetOutcome, Greeted, Member, Peers, PeersWanted, Word};
use crate::message::{Goodbye, Identity, Message};
use crate::time::Time;

const AHEAD_OF_ITS_STAMP: &str = "it told something of a member that it says it cannot know yet";
/// No shell counts so far.
const NO_LINK: LinkId = LinkId(u64::MAX);

impl Overlay {
    /// A link to a neighbor has come.
    pub(super) fn on_neighbor_linked(&mut self, now: Time, link: LinkId, out: &mut Outbox<'_>) {
        if let (Some(members), Some(to)) = (self.rooms.members.as_deref_mut(), self.rooms.links.linked_to(link)) {
            let LinkedServent { id, address, understands_members, is_same_host, is_from_there, is_proved } = to;
            let to = LinkedTo { id, address, understands: understands_members, is_same_host, is_from_there, is_proved };
            let to_be_visited = members.on_linked(now, link, to, out);
            to_be_visited.into_iter().for_each(|address| self.rooms.visit(now, address, out));
        }
    }

    /// Whether there is anything to say of members, and whoever is at the end of a link offered to understand it.
    pub(super) fn may_tell_of_members(&self, link: LinkId) -> bool {
        self.rooms.members.is_some() && self.rooms.links.understands(link, Features::MEMBERS)
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
            return self.close(now, link, Goodbye::Protocol, AHEAD_OF_ITS_STAMP, out);
        }
        let links = &mut self.rooms.links;
        let Some(members) = self.rooms.members.as_deref_mut() else { return };
        let doubted = members.on_peers(now, link, peers, |link| links.is_lively(link), out);
        self.see_whether_they_are_there(now, doubted, out);
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

    /// A visitor tells of members.
    pub(super) fn on_peers_of_a_guest(
        &mut self,
        now: Time,
        link: LinkId,
        stamp: u64,
        peers: &Peers,
        out: &mut Outbox<'_>,
    ) {
        if peers.members.iter().any(|member| member.clock > stamp) {
            return self.close(now, link, Goodbye::Protocol, AHEAD_OF_ITS_STAMP, out);
        }
        self.hear_guest(now, link, self.rooms.links.is_client_of_this_host(link), peers, out);
    }

    /// Has it seen whether these are there still.
    fn see_whether_they_are_there(&mut self, now: Time, doubted: Doubted, out: &mut Outbox<'_>) {
        for link in doubted.links {
            self.rooms.links.doubt(link);
            out.send(link, Message::Ping);
        }
        doubted.addresses.into_iter().for_each(|address| self.rooms.visit(now, address, out));
    }

    fn hear_guest(&mut self, now: Time, link: LinkId, is_same_host: bool, peers: &Peers, out: &mut Outbox<'_>) {
        let links = &mut self.rooms.links;
        let Some(members) = self.rooms.members.as_deref_mut() else { return };
        let doubted = members.on_peers_of_a_guest(now, link, is_same_host, peers, |link| links.is_lively(link));
        self.see_whether_they_are_there(now, doubted, out);
    }

    /// A client of this host wants somebody greeted.
    pub(super) fn on_greet(&mut self, now: Time, client: LinkId, greet: Greet, out: &mut Outbox<'_>) {
        let Greet { address } = greet;
        let is_allowed = self.rooms.links.is_client_of_this_host(client) && names_one_end(address);
        let Some(members) = self.rooms.members.as_deref_mut() else { return };
        let was = members.standing(address);
        let greeting = PendingGreeting { client, begun: now, was, outcome: GreetOutcome::Unreached, new_count: 0 };
        let page = members.page_to_trade(now, address.ip().is_loopback());
        let rare = self.rooms.rare.make();
        if !is_allowed || !rare.errands.visits.greet(address, greeting) {
            let outcome = if is_allowed { GreetOutcome::Busy } else { GreetOutcome::NotAllowed };
            let greeted = Greeted { address, outcome, was, now: was, new_count: 0, took: Duration::ZERO };
            return out.send(client, Message::Greeted(greeted));
        }
        let callee = Callee { errand: Errand::Visit, address };
        for letter in visits::letters(now, page) {
            let refused =
                rare.call(now, out, |calls, out, news| calls.bring(now, callee, Dialect::OWN, letter, out, news));
            if refused.is_some() {
                let outcome = GreetOutcome::Busy;
                return self.on_greeted(now, address, Some(outcome), out);
            }
        }
    }

    /// Tells a client what came of it, once that is known.
    fn on_greeted(&mut self, now: Time, address: SocketAddr, outcome: Option<GreetOutcome>, out: &mut Outbox<'_>) {
        let greeting = self.rooms.rare.get_mut().and_then(|rare| rare.errands.visits.take_greeting(address));
        let Some(PendingGreeting { client, begun, was, outcome: found, new_count }) = greeting else { return };
        let stands = self.rooms.members.as_deref().and_then(|members| members.standing(address));
        let (outcome, took) = (outcome.unwrap_or(found), now.since(begun));
        out.send(client, Message::Greeted(Greeted { address, outcome, was, now: stands, new_count, took }));
    }

    /// Makes what it says of members of what came of visits.
    pub(super) fn on_visits_over(&mut self, now: Time, out: &mut Outbox<'_>) {
        let visited = self.rooms.rare.get_mut().map(|rare| rare.errands.visits.take_over()).unwrap_or_default();
        for (address, visited) in visited {
            match visited {
                Visited::Met(id) => {
                    self.note_outcome(address, GreetOutcome::Met);
                    if let Some(members) = self.rooms.members.as_deref_mut() {
                        members.on_call_reached(now, address, id);
                    }
                }
                Visited::InVain { refused, is_late } => {
                    let outcome = if refused { GreetOutcome::Refused } else { GreetOutcome::Unreached };
                    let is_greeting = self.note_outcome(address, outcome);
                    if let Some(members) = self.rooms.members.as_deref_mut() {
                        members.on_call_failed(now, address, refused);
                        if is_greeting || is_late {
                            members.on_greeted_in_vain(now, address);
                        }
                    }
                }
                Visited::Told(peers) => self.on_told_on_a_visit(now, address, &peers, out),
                Visited::Over => self.on_greeted(now, address, None, out),
            }
        }
    }

    /// Notes it for whom that address is greeted, if it is.
    fn note_outcome(&mut self, address: SocketAddr, outcome: GreetOutcome) -> bool {
        let greeting = self.rooms.rare.get_mut().and_then(|rare| rare.errands.visits.greeting(address));
        greeting.map(|greeting| greeting.outcome = outcome).is_some()
    }

    fn on_told_on_a_visit(&mut self, now: Time, address: SocketAddr, peers: &Peers, out: &mut Outbox<'_>) {
        let is_unknown = |member: &&Member| self.word_of(member.address).is_none();
        let unknown: Vec<SocketAddr> = peers.members.iter().filter(is_unknown).map(|member| member.address).collect();
        // The link of a visit is none that anything else is known of.
        self.hear_guest(now, NO_LINK, address.ip().is_loopback(), peers, out);
        let new_count = unknown.iter().filter(|address| self.word_of(**address).is_some()).count() as u64;
        let greeting = self.rooms.rare.get_mut().and_then(|rare| rare.errands.visits.greeting(address));
        if let Some(greeting) = greeting {
            greeting.new_count += new_count;
            // It may have been met before, for a client that has left.
            greeting.outcome = GreetOutcome::Met;
        }
    }
}

impl Overlay {
    /// What it thinks otherwise of members since that was last asked, where a log of events is kept.
    pub(super) fn take_member_changes(&mut self) -> Vec<MemberChange> {
        self.rooms.members.as_deref_mut().map(Members::take_changes).unwrap_or_default()
    }

    /// What it says of whoever is at an address, and who that is, as far as it knows: for whoever watches.
    #[must_use]
    pub fn word_of(&self, address: SocketAddr) -> Option<(Identity, Word)> {
        self.rooms.members.as_deref().and_then(|members| members.word_of(address))
    }
}

impl Rooms {
    /// A beat, and the neighbors that have been quiet for a while, or were pinged, at it.
    pub(super) fn on_beat(&mut self, now: Time, beat: Beat, pinged: &[LinkId], suspect: &[LinkId], gone: &[LinkId]) {
        if let Some(members) = self.members.as_deref_mut() {
            members.on_beat(now, beat == Beat::Late, |link| self.links.is_unheard(link));
        }
        if beat == Beat::Late {
            self.links.on_slept();
        }
        let links = &self.links;
        let Some(members) = self.members.as_deref_mut() else { return };
        pinged.iter().for_each(|link| members.on_pinged(now, *link));
        for (links_of, word) in [(suspect, Word::Suspect), (gone, Word::Failed)] {
            for link in links_of {
                members.on_quiet(now, *link, word, links.has_lively_besides(*link));
            }
        }
    }

    /// Has members written down, where what is known of them has changed.
    pub(super) fn keep_members(&mut self, out: &mut Outbox<'_>) {
        if let Some(known) = self.members.as_deref_mut().and_then(Members::take_changed) {
            self.rare.make().keeping.begin(known, out);
        }
    }

    /// They have been, or could not be.
    pub(super) fn on_members_kept(&mut self, kept: Result<(), String>) {
        if let Some(members) = self.members.as_deref_mut().filter(|_| kept.is_err()) {
            members.note_unkept();
        }
        self.rare.make().keeping.on_kept(kept);
    }

    /// Has it seen who is at an address where a member was whose link fell, if one servent can be there.
    pub(super) fn visit(&mut self, now: Time, address: SocketAddr, out: &mut Outbox<'_>) {
        if !names_one_end(address) {
            return;
        }
        let callee = Callee { errand: Errand::Visit, address };
        let rare = self.rare.make();
        let refused =
            rare.call(now, out, |calls, out, news| calls.bring(now, callee, Dialect::OWN, visits::letter(), out, news));
        if refused.is_some() {
            log::debug!("member {address} is not dialled: a limit on calls refuses it");
        }
    }
}
