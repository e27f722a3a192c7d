//! What must hold of what a servent's mind says and does about members, whatever it was told of them; and what only an input
//! about members tells it.
//!
//! It knows no more of members than a shell could: whom the mind knows is up to the mind.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use common::address::{AnswerAddress, canonical};
use common::dialect::Dialect;
use common::event::EventKind;
use common::limits::{GREETINGS_MAX, PEERS_MAX, STAMP_STEP_MAX};
use common::link::LinkId;
use common::member::{Member, Peers, PeersKind, Seen, Word};
use common::member_file::KnownMember;
use common::message::{Identity, Message, Role, ServentId};
use common::overlay::{Dial, Errand, Overlay};

use super::End;
use crate::reader::Reader;
use crate::targets::words;

/// What a setup says of members, beside all else.
#[derive(Clone, Copy, Debug)]
pub(super) struct Part {
    pub(super) takes_part: bool,
    pub(super) keeps_events: bool,
    pub(super) knows_some: bool,
    pub(super) keeps_members: bool,
    /// Whether what others say is stamped with more than 0.
    pub(super) is_stamped: bool,
}

impl Part {
    /// The higher bits of a byte of which one was used.
    pub(super) fn of(choice: u8) -> Part {
        let is_set = |bit: u8| choice & 1 << bit != 0;
        Part {
            takes_part: is_set(1),
            keeps_events: !is_set(2),
            knows_some: is_set(3),
            keeps_members: is_set(4),
            is_stamped: is_set(1) || is_set(5),
        }
    }
}

/// Whom a servent knew when it was there last, as a file says it: by address, each once, and none that is nobody's.
pub(super) fn known(reader: &mut Reader<'_>) -> Vec<KnownMember> {
    let drawn = (0..reader.below(8)).map(|_| {
        let (address, clock, is_online) = (words::address(reader), words::count(reader), reader.flag());
        KnownMember { address, is_online, clock }
    });
    let known: BTreeMap<SocketAddr, KnownMember> = drawn.map(|known| (known.address, known)).collect();
    known.into_values().filter(|known| names_one_end(known.address)).collect()
}

/// The clock of whoever speaks: beside that of the mind, or as far from it as may be.
pub(super) fn stamp(reader: &mut Reader<'_>, own: u64) -> u64 {
    match reader.byte() {
        255 => u64::MAX,
        254 => STAMP_STEP_MAX,
        253 => reader.u64(),
        ahead @ 248..253 => own.saturating_add(1_000 * u64::from(ahead - 247)),
        choice if choice % 8 == 7 => 0,
        choice if choice % 8 == 6 => own.saturating_sub(u64::from(choice / 8)),
        choice => own.saturating_add(u64::from(choice % 8)),
    }
}

/// Small clocks become those just before a stamp, so that what is told may be true. All others are what they were.
pub(super) fn behind_its_stamp(message: Message, stamp: u64) -> Message {
    let Message::Peers(mut peers) = message else { return message };
    for member in peers.members.iter_mut().filter(|member| member.clock < 8) {
        member.clock = stamp.saturating_sub(member.clock);
    }
    Message::Peers(peers)
}

/// More members than have room in one message, of a network where nobody is: a byte each.
pub(super) fn crowd(reader: &mut Reader<'_>, stamp: u64) -> Vec<Peers> {
    let first = u32::from(reader.byte()) * 8;
    let told = reader.take(4 * PEERS_MAX);
    let member = |(place, choice): (u32, &u8)| Member {
        address: SocketAddr::from((Ipv4Addr::from_bits(0x0a01_0000 + first + place), 9000)),
        id: Identity::of_bits(u64::from(choice >> 6) + 1),
        clock: stamp.saturating_sub(u64::from(choice >> 4 & 3)),
        heard: Duration::from_secs(u64::from(choice >> 2 & 3) * 20),
        word: Word::ALL[usize::from(choice & 3)],
        is_open: false,
        is_proved: choice & 4 != 0,
        seen: Seen::default(),
    };
    let members: Vec<Member> = (0..).zip(told).map(member).collect();
    members.chunks(PEERS_MAX).map(|page| Peers { kind: PeersKind::News, members: page.to_vec() }).collect()
}

/// More beats than a greeting may take: it waits for its turn, and then for whoever is there.
const GREETING_BEATS_MAX: u32 = 10;

/// What was said to the mind of members, as far as that says what it may say and do.
#[derive(Debug)]
pub(super) struct MembersWitness {
    takes_part: bool,
    own: SocketAddr,
    id: Identity,
    /// What its clock showed last.
    clock: u64,
    /// Pages that were asked for on each link and did not come.
    pages_wanted: BTreeMap<LinkId, usize>,
    /// Whom clients want greeted, and how many beats ago they said so.
    greets: Vec<(LinkId, SocketAddr, u32)>,
    /// Where somebody on a link said it is, or was seen to be.
    claimed: BTreeSet<SocketAddr>,
    /// Whom any client wanted greeted.
    greeted: BTreeSet<SocketAddr>,
    /// Where each of the neighbors was dialled last.
    dialled: BTreeMap<usize, SocketAddr>,
}

impl MembersWitness {
    pub(super) fn new(mind: &Overlay, part: Part, own: SocketAddr, id: ServentId) -> MembersWitness {
        assert!(mind.stamp() <= STAMP_STEP_MAX, "it begins at {}", mind.stamp());
        MembersWitness {
            takes_part: part.takes_part,
            own,
            id: id.into(),
            clock: mind.stamp(),
            pages_wanted: BTreeMap::new(),
            greets: Vec::new(),
            claimed: BTreeSet::new(),
            greeted: BTreeSet::new(),
            dialled: BTreeMap::new(),
        }
    }

    // ---- what is told ----

    pub(super) fn on_said(&mut self, link: LinkId, end: &End, message: &Message) {
        match message {
            Message::PeersWanted(_) => *self.pages_wanted.entry(link).or_default() += 1,
            Message::Greet(greet) => {
                self.greets.push((link, greet.address, 0));
                self.greeted.insert(greet.address);
            }
            _ => {}
        }
        if let Message::Hello(hello) = message
            && let Role::Servent { advertised, .. } = hello.role
        {
            let claimed = canonical(advertised);
            let seen = end.at.map(|at| canonical(SocketAddr::new(at.ip(), advertised.port())));
            self.claimed.extend([Some(claimed), seen].into_iter().flatten());
        }
    }

    pub(super) fn on_closed(&mut self, link: LinkId) {
        self.greets.retain(|(client, ..)| *client != link);
        self.pages_wanted.remove(&link);
    }

    /// Where a dial leads.
    pub(super) fn address_of(&self, dial: Dial) -> Option<SocketAddr> {
        match dial {
            Dial::Neighbor(target) => self.dialled.get(&target).copied(),
            Dial::Call(_, address) => Some(address),
        }
    }

    /// A beat has passed, and the mind was told so.
    pub(super) fn on_beat(&mut self) {
        for (client, address, beats) in &mut self.greets {
            *beats += 1;
            assert!(*beats <= GREETING_BEATS_MAX, "{client} waits for ever for {address} to be greeted");
        }
    }

    // ---- what is said and done ----

    /// What an event does to its clock: it counts what happens, and goes after whatever was heard, as far as it may.
    pub(super) fn look_at_clock(&mut self, clock: u64, stamp: Option<u64>) {
        let before = std::mem::replace(&mut self.clock, clock);
        assert!(clock >= before, "the clock falls from {before} to {clock}");
        let moved_max = stamp.map_or(1, |_| STAMP_STEP_MAX + 2);
        assert!(clock - before <= moved_max, "the clock goes from {before} to {clock} at {stamp:?}");
        if let Some(stamp) = stamp {
            let must_follow = stamp < STAMP_STEP_MAX;
            assert!(!must_follow || clock > stamp, "{clock} is not after {stamp}");
            assert!(clock > before || before == u64::MAX, "what was heard is no event");
        }
    }

    pub(super) fn look_at_dial(&mut self, dial: Dial, address: SocketAddr) {
        match dial {
            Dial::Neighbor(target) => drop(self.dialled.insert(target, address)),
            Dial::Call(Errand::Visit, _) => {
                assert!(self.takes_part && names_one_end(address), "{address} is visited");
                // Or anybody could have anybody dialled, by telling that somebody is there.
                let may_be_dialled = self.greeted.contains(&address) || self.claimed.contains(&address);
                assert!(may_be_dialled, "{address} is dialled because others told of it");
            }
            Dial::Call(Errand::Answers | Errand::Probe, _) => {}
        }
    }

    pub(super) fn look_at_said(&mut self, link: LinkId, end: &End, message: &Message) {
        match message {
            Message::Peers(peers) => self.look_at_peers(link, end, peers),
            Message::PeersWanted(_) => assert!(self.takes_part, "it asks and takes no part"),
            Message::Greet(_) => panic!("a servent has nobody greeted: {message:?}"),
            Message::Greeted(greeted) => {
                let is_it =
                    |(client, address, _): &(LinkId, SocketAddr, u32)| (*client, *address) == (link, greeted.address);
                let place = self.greets.iter().position(is_it);
                let Some(place) = place else { panic!("{greeted:?} to {link}, who did not ask") };
                self.greets.remove(place);
            }
            _ => {}
        }
    }

    fn look_at_peers(&mut self, link: LinkId, end: &End, peers: &Peers) {
        let Peers { kind, members } = peers;
        assert!(self.takes_part, "it tells of members and takes no part: {peers:?}");
        assert!(members.len() <= PEERS_MAX, "{} members at once", members.len());
        assert!(members.is_sorted_by(|one, next| one.address < next.address), "not by address, each once: {peers:?}");
        if *kind == PeersKind::News {
            // Whoever is greeted is told a page in any case.
            assert!(end.is_visited || !members.is_empty(), "no news are told to {link}");
        } else {
            let wanted = self.pages_wanted.get_mut(&link).filter(|wanted| **wanted > 0);
            let Some(wanted) = wanted else { panic!("a page for {link}, which wants none: {peers:?}") };
            *wanted -= 1;
        }
        let is_client = end.client.is_some();
        let is_far = end.at.is_some_and(|at| !at.ip().is_loopback());
        for member in members {
            let Member { address, id, clock, word, seen, .. } = *member;
            assert!(clock <= self.clock, "{member:?} is told under {}", self.clock);
            let is_own = address == self.own;
            assert!(!is_own || (id, word) == (self.id, Word::Online), "it says of itself {member:?}");
            if !is_client {
                assert_eq!(seen, Seen::default(), "what is for clients is told to {link}");
                assert!(names_one_end(address), "{member:?} is told of, and is nobody's address");
                assert!(!is_far || !address.ip().is_loopback(), "{member:?} means nothing at {:?}", end.at);
            }
        }
    }

    pub(super) fn look_at_event(&self, event: &EventKind) {
        if let EventKind::Member { peer, was, now, why } = event {
            let is_own = *peer == self.own;
            assert!(self.takes_part && !is_own, "{peer} is {now:?} and was {was:?}: {why}");
        }
    }

    /// What holds at all times.
    pub(super) fn check(&self, mind: &Overlay) {
        let expected = self.takes_part.then_some((self.id, Word::Online));
        assert_eq!(mind.word_of(self.own), expected, "what it says of itself");
        let held = |name: &str| mind.holding(name).expect("it is in the list");
        assert!(held("members") > 0 || !self.takes_part, "it does not know itself");
        assert!(held("member_news") <= held("members"), "news of nobody");
        assert!(held("greetings") <= GREETINGS_MAX as u64, "{} are greeted", held("greetings"));
        let is_timed = held("member_news") == 0 && held("members_watched") == 0;
        assert!(is_timed || mind.deadline().is_some(), "something is to be told, or looked for, at no time");
    }
}

fn names_one_end(address: SocketAddr) -> bool {
    AnswerAddress { socket: address, dialect: Dialect::OWN }.names_one_client()
}
