//! Who is there: the servents this one has heard of, and what it says of each because of what it sees itself.
//!
//! It follows SWIM (Das, Gupta and Motivala 2002) in that whoever is told dead says otherwise itself, with a Lamport clock
//! in the place of incarnations, and Lifeguard (Dadgar, Phillips and Currey 2017) in that whoever may itself be the trouble
//! judges nobody. It dials nobody and knows no link but by its name: how long each has been quiet is known to `links`, and
//! what is made of it is said here. What becomes of a word that others say is in `hearing`; what is known of whom, and who told it, in
//! `roster` (a `record` each, kept in `table`); what is told to whom, and when, in `telling`; who is looked for because a link
//! fell, in `watch`.

mod hearing;
mod record;
mod roster;
mod table;
mod telling;
mod watch;

use std::net::SocketAddr;
use std::time::Duration;

use super::config::Config;
use super::doors::Outbox;
use super::speaker::Parting;
use crate::limits::{
    LOOKS_AGAIN_MAX, MEMBER_REFRESH, NEIGHBOR_BEAT, NEIGHBOR_QUIET_MAX, NEIGHBORS_MAX, SUSPECT_AFTER, SUSPECT_MAX,
};
use crate::link::LinkId;
use crate::member::{Peers, PeersWanted, Word, WordAt};
use crate::member_file::KnownMember;
use crate::message::{Identity, Message};
use crate::random::Secret;
use crate::time::Time;

use record::{Changes, MemberRecord, Teller, seconds, seconds_of};
use roster::{LinkedPeer, Pages, Roster};
use telling::Telling;
use watch::{MemberWatch, SUSPECTED_FOR, WatchedMember};

/// Why a neighbor that was quiet is there.
const HEARD: &str = "it was heard";
/// How often what is too old is forgotten, and what has changed written down.
const FORGET_PAUSE: Duration = Duration::from_secs(60);

/// The members one servent knows.
#[derive(Debug)]
pub(super) struct Members {
    secret: Secret,
    /// How many numbers were drawn under it.
    drawn_count: u64,
    roster: Roster,
    telling: Telling,
    watch: MemberWatch,
    /// Whether they are written down.
    is_kept: bool,
    /// When what is too old is forgotten next.
    forgets_at: Time,
    /// When this servent says anew that it is there.
    refreshes_at: Time,
    /// What has changed and was not told to the log of events yet; none where there is none.
    changes: Option<Vec<MemberChange>>,
}

/// What this servent thinks otherwise of a member.
#[derive(Clone, Copy, Debug)]
pub(super) struct MemberChange {
    pub(super) address: SocketAddr,
    /// Nothing where it was not known, or another was there.
    pub(super) was: Option<Word>,
    pub(super) now: Word,
    pub(super) why: &'static str,
}

/// A servent that a link has come to, as `links` knows it.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkedTo {
    pub(super) id: Identity,
    /// Where it says it is, or where the link shows it to be where it cannot be there.
    pub(super) address: SocketAddr,
    pub(super) understands: bool,
    pub(super) is_same_host: bool,
    /// Whether the link comes from the ip where it says it is.
    pub(super) is_from_there: bool,
    /// Whether this address was dialled and this servent was met there.
    pub(super) is_proved: bool,
}

/// What is seen as a servent is met at an address.
#[derive(Clone, Copy, Debug, Default)]
struct Met {
    is_proved: bool,
    /// Whether this servent may dial it there by itself from now on.
    may_be_dialled: bool,
}

/// What is to be done beyond this room at a moment.
#[derive(Debug, Default)]
pub(super) struct MembersDue {
    /// Addresses to dial, to see who is there.
    pub(super) to_be_visited: Vec<SocketAddr>,
    /// Whether it is time to write down whom it knows.
    pub(super) is_to_be_kept: bool,
}

/// What is to be done about members of which something was heard that need not be true.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Doubted {
    /// Links of whom it is to be seen whether they are there still.
    pub(super) links: Vec<LinkId>,
    /// Addresses to dial, to see who is there.
    pub(super) addresses: Vec<SocketAddr>,
}

impl Members {
    pub(super) fn new(config: &Config) -> Members {
        let secret = config.secret.salted(config.servent_id.0 ^ 1);
        Members {
            secret,
            drawn_count: 0,
            roster: Roster::new(config.advertised, config.servent_id.into(), &config.known),
            is_kept: config.keeps_members,
            telling: Telling::default(),
            watch: MemberWatch::default(),
            forgets_at: Time::START + FORGET_PAUSE,
            // Those that start together do not all say it together.
            refreshes_at: Time::START + some_of(MEMBER_REFRESH, secret.nth(0)),
            changes: config.events.then(Vec::new),
        }
    }

    /// Takes out what is to be told to the log of events.
    pub(super) fn take_changes(&mut self) -> Vec<MemberChange> {
        self.changes.as_mut().map(std::mem::take).unwrap_or_default()
    }

    fn log_change(&mut self, address: SocketAddr, was: Option<Word>, now: Word, why: &'static str) {
        if let Some(changes) = &mut self.changes {
            changes.push(MemberChange { address, was, now, why });
        }
    }

    /// What happens now happens at this of the servent's clock.
    pub(super) fn set_clock(&mut self, clock: u64) {
        self.roster.clock = clock;
    }

    // ---- links ----

    /// A link has come to a servent that says who it is. Gives the addresses that are to be dialled: of those it only guessed
    /// that they were dead it can say so now.
    pub(super) fn on_linked(&mut self, now: Time, link: LinkId, to: LinkedTo, out: &mut Outbox<'_>) -> Vec<SocketAddr> {
        let had_links = self.roster.has_links();
        if !had_links {
            self.roster.awake_at = now;
        }
        let LinkedTo { id, address, understands, is_same_host, is_from_there, is_proved } = to;
        // Whoever is on this host need not be where it says: its link may come from anywhere, through a tunnel.
        let is_here = is_same_host && (address.ip().is_loopback() || address.ip() == self.roster.own.ip());
        let was_met = self.roster.table.get(address).is_some_and(|known| known.id == id && known.may_be_dialled);
        let may_be_dialled = is_proved || is_from_there || is_here || was_met;
        let peer = LinkedPeer {
            link,
            address,
            id,
            understands,
            is_same_host,
            is_proved,
            may_be_dialled,
            told_count: 0,
            pages: Pages::default(),
            pinged_at: None,
            round_trip: None,
            successor: None,
            is_denied: false,
            is_quiet: false,
            is_unheard: false,
            told_at: Time::START,
        };
        match self.roster.peers.iter_mut().find(|place| place.is_none()) {
            Some(place) => *place = Some(peer),
            None => self.roster.peers.push(Some(peer)),
        }
        // Whoever only says to be where another is counts once that one has gone.
        if self.roster.member_at(link).is_some() {
            self.watch.end(address);
            self.meet(now, address, id, Met { is_proved, may_be_dialled }, "a link came to it");
        }
        if understands {
            self.telling.ask_from_the_start(now, &mut self.roster, link, out);
        }
        if had_links { Vec::new() } else { self.look_for_guessed(now) }
    }

    fn look_for_guessed(&mut self, now: Time) -> Vec<SocketAddr> {
        // Those known from before it has never missed.
        let is_own_guess = |known: &MemberRecord| known.is_guess && !known.is_listed();
        let guessed: Vec<MemberRecord> = self.roster.table.each().filter(is_own_guess).take(NEIGHBORS_MAX).collect();
        for MemberRecord { address, id, .. } in &guessed {
            self.watch.begin(now, *address, *id, None, self.roster.clock);
        }
        guessed.iter().filter(|known| known.may_be_dialled).map(|known| known.address).collect()
    }

    /// A servent was met at an address: whatever was said of it, it is there.
    fn meet(&mut self, now: Time, address: SocketAddr, id: Identity, met: Met, why: &'static str) {
        let known = self.roster.table.get(address);
        let same = known.filter(|known| known.id == id);
        if same.is_none_or(|known| known.word != Word::Online) {
            self.say(now, address, id, Word::Online, why);
        }
        if let Some(known) = self.roster.table.get(address) {
            self.roster.put(&MemberRecord {
                heard: seconds_of(now),
                is_proved: met.is_proved || known.is_proved,
                may_be_dialled: met.may_be_dialled || known.may_be_dialled,
                is_guess: false,
                teller: None,
                ..known
            });
        }
    }

    /// A link is gone. Gives the address that is to be dialled at once to see who is there.
    pub(super) fn on_unlinked(
        &mut self,
        now: Time,
        link: LinkId,
        parting: Parting,
        target: Option<usize>,
    ) -> Option<SocketAddr> {
        let place = self.roster.place_of(link)?;
        let peer = self.roster.peers.get_mut(place)?.take()?;
        let LinkedPeer { address, id, told_count, successor, .. } = peer;
        if told_count > 0 {
            self.roster.leave_to_the_gone(place, told_count);
        }
        let known = self.roster.table.get(address).filter(|known| known.id == id && address != self.roster.own)?;
        if let Some(&LinkedPeer { id: linked_id, may_be_dialled, .. }) = self.roster.peer_at(address) {
            // Whoever said to be there as well has gone.
            if linked_id != id {
                let met = Met { is_proved: false, may_be_dialled };
                self.meet(now, address, linked_id, met, "its link stands, and that of another there does not");
            }
            return None;
        }
        let may_be_dialled = known.may_be_dialled;
        let looks = if may_be_dialled || target.is_some() { LOOKS_AGAIN_MAX } else { 0 };
        let known = MemberRecord { looks, ..known };
        self.roster.put(&known);
        if let Some(successor) = successor {
            self.say(now, address, successor, Word::Online, "it is said to be there, and who was before is not");
            return None;
        }
        // What was only guessed nobody was told: it is looked for like any other.
        if !known.word.is_online() && !known.is_guess {
            return None;
        }
        let is_thought_there = known.word.is_online();
        let heard = if is_thought_there { self.roster.heard_over_a_link(now, &known, &peer) } else { known.heard };
        self.roster.put(&MemberRecord { heard, ..known });
        if parting == Parting::ForGood {
            self.say(now, address, id, Word::Left, "it said goodbye");
            return None;
        }
        self.watch.begin(now, address, id, target, self.roster.clock);
        if known.word == Word::Suspect && known.is_guess && self.roster.has_links() {
            self.say(now, address, id, Word::Suspect, "its link fell, and nothing was heard from it before that");
        }
        if let Some(known) =
            self.roster.table.get(address).filter(|known| known.word == Word::Suspect && !known.is_guess)
        {
            self.watch.note_suspected(now, address, known.clock);
        }
        (is_thought_there && target.is_none() && may_be_dialled).then_some(address)
    }

    /// This servent looks at its links, in time or because it slept, was stopped or had no time. `is_unheard` tells of whom it
    /// was not heard since it slept last.
    pub(super) fn on_beat(&mut self, now: Time, is_late: bool, is_unheard: impl Fn(LinkId) -> bool) {
        let mut denied = Vec::new();
        for peer in self.roster.peers.iter_mut().flatten().filter(|peer| peer.is_unheard && !is_unheard(peer.link)) {
            peer.is_unheard = false;
            // Whoever was heard before this servent slept again need not be there still.
            if !is_late && std::mem::take(&mut peer.is_denied) {
                denied.push(peer.link);
            }
        }
        for link in denied {
            if let Some(&LinkedPeer { address, id, .. }) = self.roster.member_at(link) {
                self.contradict(now, address, id, HEARD);
            }
        }
        if is_late {
            self.note_absence();
            self.watch.put_off(now);
        }
        self.roster.awake_at = now;
    }

    /// It heard nobody since it was awake.
    fn note_absence(&mut self) {
        let mut unheard = Vec::new();
        for peer in self.roster.peers.iter_mut().flatten().filter(|peer| !peer.is_unheard) {
            peer.is_unheard = true;
            unheard.push((peer.address, peer.id, peer.is_quiet));
        }
        for (address, id, is_quiet) in unheard {
            let is_it = |known: &MemberRecord| known.id == id && known.word == Word::Online && !is_quiet;
            if let Some(known) = self.roster.table.get(address).filter(is_it) {
                let heard = known.heard.max(seconds_of(self.roster.awake_at));
                self.roster.put(&MemberRecord { heard, ..known });
            }
        }
    }

    /// A neighbor has been quiet for so long that it is suspect, or for so long that its link is given up. Where no other
    /// neighbor was heard meanwhile the trouble may be here: then nobody is told.
    pub(super) fn on_quiet(&mut self, now: Time, link: LinkId, word: Word, may_judge: bool) {
        let Some(peer) = self.roster.peer_mut(link) else { return };
        peer.is_quiet = true;
        let LinkedPeer { address, id, successor, is_unheard, told_at, .. } = *peer;
        // It may have lost one link and dialled another, before this end noticed.
        let is_another = |other: &LinkedPeer| other.link != link && (other.address, other.id) == (address, id);
        if self.roster.peers.iter().flatten().any(|other| is_another(other) && !other.is_quiet) {
            return;
        }
        let Some(known) = self.roster.table.get(address).filter(|known| known.id == id && known.word < word) else {
            return;
        };
        // Others have heard it since it was suspect: it is the link that is dead, or somebody else is there. Where nobody was told
        // yet that it is suspect, or only a moment ago, it is looked for first.
        let is_too_soon = told_at + SUSPECTED_FOR > now + NEIGHBOR_BEAT;
        let is_unasked = may_judge && (known.is_guess || is_too_soon || self.telling.is_to_be_told(address));
        if word == Word::Failed && (known.word == Word::Online || successor.is_some() || is_unasked) {
            return;
        }
        if may_judge {
            self.say(now, address, id, word, "nothing was heard from it for too long");
        } else {
            self.guess(&known, word, "nothing was heard from it nor from anybody else for too long, so nobody is told");
        }
        if let Some(known) = self.roster.table.get(address).filter(|_| !is_unheard) {
            let quiet = if word == Word::Failed { NEIGHBOR_QUIET_MAX } else { SUSPECT_AFTER };
            self.roster.put(&MemberRecord { heard: known.heard.max(seconds_of(now) - seconds(quiet)), ..known });
        }
    }

    /// What may be wrong with this servent itself is told to nobody.
    fn guess(&mut self, known: &MemberRecord, word: Word, why: &'static str) {
        self.roster.put(&MemberRecord { word, is_guess: true, ..*known });
        if known.word != word {
            self.log_change(known.address, Some(known.word), word, why);
        }
    }

    /// A neighbor was heard that was quiet for so long that it was suspect.
    pub(super) fn on_heard_again(&mut self, now: Time, link: LinkId) {
        if let Some(peer) = self.roster.peer_mut(link) {
            peer.is_quiet = false;
        }
        if let Some(&LinkedPeer { address, id, .. }) = self.roster.member_at(link) {
            let guess = self.roster.table.get(address).filter(|known| known.is_guess);
            if let Some(known) = guess {
                self.roster.put(&MemberRecord { word: Word::Online, is_guess: false, ..known });
                self.log_change(address, Some(known.word), Word::Online, HEARD);
            }
            self.meet(now, address, id, Met::default(), HEARD);
        }
    }

    /// A neighbor was pinged.
    pub(super) fn on_pinged(&mut self, now: Time, link: LinkId) {
        if let Some(peer) = self.roster.peer_mut(link) {
            peer.pinged_at = Some(now);
        }
    }

    /// It has answered.
    pub(super) fn on_pong(&mut self, now: Time, link: LinkId) {
        let has_slept = self.roster.has_slept(now);
        let Some(peer) = self.roster.peer_mut(link) else { return };
        if let Some(pinged_at) = peer.pinged_at.take() {
            peer.round_trip = Some(now.since(pinged_at));
        }
        // What it said before this servent slept is no answer.
        if has_slept {
            return;
        }
        peer.is_unheard = false;
        let is_denied = std::mem::take(&mut peer.is_denied);
        let is_doubted = peer.successor.take().is_some();
        if let Some(&LinkedPeer { address, id, .. }) = self.roster.member_at(link)
            && (is_doubted || is_denied)
        {
            self.contradict(now, address, id, "it was heard a moment ago");
        }
    }

    // ---- dials ----

    /// A configured neighbor could not be dialled.
    pub(super) fn on_target_failed(&mut self, now: Time, target: usize, refused: bool) {
        if let Some(watched) = self.watch.of_target(target) {
            self.on_dialled_in_vain(now, watched, refused);
        }
    }

    /// A member that was called could not be reached.
    pub(super) fn on_call_failed(&mut self, now: Time, address: SocketAddr, refused: bool) {
        if let Some(watched) = self.watch.at(address) {
            self.on_dialled_in_vain(now, watched, refused);
        }
    }

    /// Somebody had a member greeted, and nobody was there, or nobody who answered. Whoever has a link to it says otherwise:
    /// that this servent cannot dial it says less than a link that fell.
    pub(super) fn on_greeted_in_vain(&mut self, now: Time, address: SocketAddr) {
        let known = self.roster.table.get(address).filter(|known| known.word == Word::Online && !known.is_guess);
        let is_at_rest = self.watch.at(address).is_none() && self.roster.peer_at(address).is_none();
        let may_say = is_at_rest && address != self.roster.own && self.roster.has_links();
        if let Some(MemberRecord { id, .. }) = known.filter(|_| may_say) {
            self.say(now, address, id, Word::Suspect, "it was greeted, and is not there");
            self.watch.begin_suspected(now, address, id, self.roster.clock);
        }
    }

    fn look_again(&mut self, now: Time, known: &MemberRecord) {
        self.roster.put(known);
        self.watch.begin(now, known.address, known.id, None, self.roster.clock);
    }

    /// Whoever was called has said who it is.
    pub(super) fn on_call_reached(&mut self, now: Time, address: SocketAddr, id: Identity) {
        self.watch.end(address);
        if address != self.roster.own {
            let met = Met { is_proved: true, may_be_dialled: true };
            self.meet(now, address, id, met, "it answered when it was dialled");
            let linked = self.roster.peers.iter_mut().flatten();
            for peer in linked.filter(|peer| (peer.address, peer.id) == (address, id)) {
                (peer.is_proved, peer.may_be_dialled) = (true, true);
            }
        }
    }

    fn on_dialled_in_vain(&mut self, now: Time, watched: WatchedMember, refused: bool) {
        let WatchedMember { address, id, is_greeted, .. } = watched;
        if is_greeted {
            return;
        }
        let Some(known) = self.roster.table.get(address).filter(|known| known.id == id) else {
            return self.watch.end(address);
        };
        if refused {
            // Its machine is there, and says that nobody listens.
            self.watch.end(address);
            if known.word < Word::Failed || known.is_guess {
                self.say(now, address, id, Word::Failed, "it has no link, and refuses one");
            }
            return;
        }
        self.watch.dial_again_later(now, address);
        if known.word < Word::Suspect && known.clock <= watched.clock && self.roster.has_links() {
            // Whoever has a link to it says otherwise.
            self.say(now, address, id, Word::Suspect, "it has no link, and cannot be reached");
            self.watch.note_suspicion(now, address, self.roster.clock);
        }
    }

    /// Suspects those of which nothing was heard since their links fell, and takes those for dead that were suspected for as
    /// long as it takes to say otherwise.
    fn judge_overdue(&mut self, now: Time) {
        while let Some(watched) = self.watch.take_overdue(now) {
            let WatchedMember { address, id, clock, is_answered, .. } = watched;
            let Some(known) = self.roster.table.get(address).filter(|known| known.id == id) else { continue };
            let was_said_otherwise = known.clock > clock && known.word == Word::Online;
            let is_said = known.word >= Word::Failed && !known.is_guess;
            if is_said || was_said_otherwise || is_answered || self.roster.peer_at(address).is_some() {
                continue;
            }
            if self.telling.is_to_be_told(address) && !known.is_guess {
                self.watch.wait_for_telling(known.tellable_at(now), watched);
                continue;
            }
            if self.roster.has_links() && known.word == Word::Suspect && !known.is_guess {
                self.say(now, address, id, Word::Failed, "it was suspect, and nobody has said otherwise");
            } else if self.roster.has_links() {
                // Nobody who could say otherwise was asked.
                self.watch.begin_again(now, watched, self.roster.clock);
                continue;
            } else {
                self.guess(&known, Word::Failed, "its link fell, and no other is there, so nobody is told");
            }
            if let Some(known) = self.roster.table.get(address) {
                self.roster.put(&MemberRecord { heard: known.heard.min(seconds_of(now)), ..known });
            }
        }
        for WatchedMember { address, id, clock, .. } in self.watch.take_to_be_suspected(now) {
            let known = self.roster.table.get(address).filter(|known| known.id == id);
            let is_thought_alive = |known: &MemberRecord| known.is_guess || known.word == Word::Online;
            let is_open = known.is_some_and(|known| is_thought_alive(&known) && known.clock <= clock);
            if is_open && self.roster.has_links() && self.roster.peer_at(address).is_none() {
                self.say(now, address, id, Word::Suspect, "its link fell, and nothing was heard of it since");
                self.watch.note_suspicion(now, address, self.roster.clock);
            }
        }
    }

    /// Says of a member, or of this servent itself, that it is online, whatever was said: whoever says so knows.
    fn contradict(&mut self, now: Time, address: SocketAddr, id: Identity, why: &'static str) {
        let before = self.roster.table.get(address);
        self.say(now, address, id, Word::Online, why);
        if let Some(before) = before.filter(|before| (before.id, before.word) == (id, Word::Online)) {
            self.note_change(now, address, &before, None);
        }
    }

    /// Says something of a member that this servent knows itself, at what its clock shows.
    fn say(&mut self, now: Time, address: SocketAddr, id: Identity, word: Word, why: &'static str) {
        let known = self.roster.table.get(address);
        let unknown = MemberRecord { changes: Changes::from(now, 0), ..MemberRecord::new(address, id) };
        let before = known.unwrap_or(unknown);
        if known.is_none() && !self.make_room(None, seconds_of(now)) {
            return;
        }
        let is_same_servent = before.id == id;
        let fresh = MemberRecord { changes: before.changes, heard: seconds_of(now), ..MemberRecord::new(address, id) };
        let after = if is_same_servent { before } else { fresh };
        let looks = if matches!(word, Word::Suspect | Word::Failed) { after.looks } else { 0 };
        self.roster.put(&MemberRecord {
            clock: self.roster.clock,
            word,
            teller: None,
            is_guess: false,
            looks,
            ..after
        });
        if known.is_none_or(|known| known.is_guess || (known.id, known.word) != (id, word)) {
            log::debug!("member {address} is {word}: {why}");
            self.log_change(address, known.filter(|known| known.id == id).map(|known| known.word), word, why);
            match known {
                Some(_) => self.note_change(now, address, &before, None),
                None => self.telling.tell_later(now, address, None),
            }
        }
    }

    /// What is said of a member has changed: it is told, and counted.
    fn note_change(&mut self, now: Time, address: SocketAddr, before: &MemberRecord, told_by: Option<LinkId>) {
        if let Some(known) = self.roster.table.get(address) {
            let is_gone = !known.word.is_online() || !before.word.is_online() || known.id != before.id;
            let changes = before.changes.one_more(now, is_gone);
            self.roster.table.put(&MemberRecord { changes, ..known });
            self.telling.tell_later(now, address, told_by);
        }
    }

    // ---- places ----

    fn remove(&mut self, known: &MemberRecord) {
        self.roster.remove(known);
        self.telling.forget(known.address);
    }

    /// Makes room for one more that somebody tells of, or that this servent has met itself, and that was heard then.
    fn make_room(&mut self, teller: Option<Teller>, heard: i32) -> bool {
        if self.roster.has_room_for(teller) {
            if self.roster.is_full() {
                let random = self.draw();
                self.roster.give_listed_up(random);
            }
            return true;
        }
        let random = self.draw();
        let given_up = self.roster.give_one_up(teller, heard, random);
        given_up.inspect(|address| self.telling.forget(*address)).is_some()
    }

    fn draw(&mut self) -> u64 {
        self.drawn_count += 1;
        self.secret.nth(self.drawn_count)
    }

    // ---- time ----

    pub(super) fn deadline(&self) -> Time {
        // That nobody is known any more is still to be written, where it could not be.
        let has_to_do = self.roster.table.len() > 1 || (self.is_kept && self.roster.has_changed());
        let forgets_at = if has_to_do { self.forgets_at } else { Time::NEVER };
        self.telling.deadline().min(self.watch.deadline()).min(forgets_at).min(self.refresh_due())
    }

    fn refresh_due(&self) -> Time {
        if self.roster.has_links() { self.refreshes_at } else { Time::NEVER }
    }

    pub(super) fn on_deadline(&mut self, now: Time, out: &mut Outbox<'_>) -> MembersDue {
        self.judge_overdue(now);
        let is_pause_over = self.forgets_at <= now;
        if is_pause_over {
            self.forgets_at = now + FORGET_PAUSE;
            self.forget_old(now);
        }
        if self.refresh_due() <= now {
            self.refreshes_at = now + MEMBER_REFRESH;
            self.telling.tell_later(now, self.roster.own, None);
        }
        if self.telling.deadline() <= now {
            let random = self.draw();
            for address in self.telling.tell(now, &mut self.roster, random, out) {
                self.watch.note_told(now, address);
                self.roster.note_told(now, address);
            }
        }
        MembersDue { to_be_visited: self.watch.take_again(now), is_to_be_kept: is_pause_over }
    }

    /// What is to be written down, where anything is and has changed since that was asked for last.
    pub(super) fn take_changed(&mut self) -> Option<Vec<KnownMember>> {
        if self.is_kept { self.roster.take_changed() } else { None }
    }

    /// It could not be written down: it is to be tried again.
    pub(super) fn note_unkept(&mut self) {
        self.roster.note_unkept();
    }

    fn forget_old(&mut self, now: Time) {
        // Whoever suspected it may have died with it. Everybody comes to this, so it is said at the same clock.
        let is_over = |known: &MemberRecord| {
            let is_long_ago = seconds_of(now).saturating_sub(known.heard) > seconds(SUSPECT_MAX);
            let is_suspect = known.word == Word::Suspect && !known.is_guess;
            is_suspect && is_long_ago && self.roster.peer_at(known.address).is_none()
        };
        let over: Vec<MemberRecord> = self.roster.table.each().filter(is_over).collect();
        for known in over {
            self.roster.put(&MemberRecord { word: Word::Failed, ..known });
            self.log_change(known.address, Some(known.word), Word::Failed, "nobody has heard it for long");
        }
        let is_old = |known: &MemberRecord| {
            known.address != self.roster.own && known.is_too_old(now, self.roster.peer_at(known.address).is_some())
        };
        let old: Vec<MemberRecord> = self.roster.table.each().filter(is_old).collect();
        for known in old {
            log::debug!("member {} is forgotten: nobody has heard it for long", known.address);
            self.remove(&known);
        }
    }

    // ---- who there is ----

    /// A neighbor wants a page.
    pub(super) fn on_peers_wanted(&mut self, now: Time, link: LinkId, wanted: PeersWanted, out: &mut Outbox<'_>) {
        Telling::answer_page(now, &mut self.roster, link, wanted, out);
    }

    /// A client wants one.
    pub(super) fn page_for_client(
        &self,
        now: Time,
        wanted: PeersWanted,
        is_pinned: impl Fn(LinkId) -> bool,
    ) -> Message {
        Telling::page_for_client(now, &self.roster, wanted, is_pinned)
    }

    pub(super) fn word_of(&self, address: SocketAddr) -> Option<(Identity, Word)> {
        self.roster.table.get(address).map(|known| (known.id, known.word))
    }

    /// The same with its clock.
    pub(super) fn standing(&self, address: SocketAddr) -> Option<WordAt> {
        let known = self.roster.table.get(address)?;
        let clock = if address == self.roster.own { self.roster.clock } else { known.clock };
        Some(WordAt { word: known.word, clock })
    }

    /// What is told whoever is greeted: this servent, and as many others as go with it.
    pub(super) fn page_to_trade(&self, now: Time, is_same_host: bool) -> Peers {
        Telling::page_to_trade(now, &self.roster, is_same_host)
    }

    pub(super) fn members_count(&self) -> usize {
        self.roster.table.len()
    }

    pub(super) fn news_count(&self) -> usize {
        self.telling.news_count()
    }

    pub(super) fn watched_count(&self) -> usize {
        self.watch.count()
    }

    /// What is held, the struct itself among it.
    pub(super) fn memory_bytes(&self) -> usize {
        size_of_val(self)
            + self.roster.table.memory_bytes()
            + self.roster.peers.capacity() * size_of::<Option<LinkedPeer>>()
    }
}

/// A part of this time, at random.
fn some_of(time: Duration, random: u64) -> Duration {
    let nanoseconds = u64::try_from(time.as_nanos()).unwrap_or(u64::MAX).max(1);
    Duration::from_nanos(random % nanoseconds)
}
