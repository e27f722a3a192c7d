//! What becomes of a word that comes: whether it is believed, passed on, contradicted or set right, and who is looked for
//! because of it.
//!
//! A chapter of `members`: what this servent sees itself and says of others is said there.

use std::net::SocketAddr;

use super::record::{Changes, GONE, MemberRecord, Teller, seconds, seconds_of};
use super::roster::{LinkedPeer, means_something_here, teller_of};
use super::telling::Telling;
use super::{Doubted, Members};
use crate::limits::SUSPECT_AFTER;
use crate::link::LinkId;
use crate::member::{Member, Peers, PeersKind, Word};
use crate::overlay::doors::Outbox;
use crate::time::Time;

/// Why something is said of a member that others have said.
const TOLD: &str = "others say so";

/// Who tells of members.
#[derive(Clone, Copy, Debug)]
struct Source {
    link: LinkId,
    is_same_host: bool,
    teller: Teller,
    /// Whether it tells on its own accord, and not because it was asked.
    is_news: bool,
}

/// What came of one member that was told.
enum MemberHeard {
    Done,
    /// More is known of it here.
    Older,
    /// Somebody else is said to be where this link leads.
    Doubted(LinkId),
    /// It is said to be there, and this servent knew better a moment ago.
    Contradicted,
}

impl Members {
    /// Members are told by whoever is at the end of a link. `is_lively` tells whether the neighbor there was heard a moment
    /// ago. Gives the links of whom it is to be seen whether they are there still.
    pub(in crate::overlay) fn on_peers(
        &mut self,
        now: Time,
        link: LinkId,
        peers: &Peers,
        is_lively: impl Fn(LinkId) -> bool,
        out: &mut Outbox<'_>,
    ) -> Doubted {
        let Some(place) = self.roster.place_of(link) else { return Doubted::default() };
        let Some(&LinkedPeer { is_same_host, .. }) = self.roster.peer(link) else { return Doubted::default() };
        let is_news = peers.kind == PeersKind::News;
        let source = Source { link, is_same_host, teller: teller_of(place), is_news };
        let (better_known, doubted) = self.hear_of_all(now, source, peers, is_lively);
        Telling::correct(now, &mut self.roster, place, &better_known, out);
        self.telling.on_page(&mut self.roster, link, peers, out);
        doubted
    }

    /// The same by whoever is no neighbor and will soon be gone: a visitor, or whoever was visited.
    pub(in crate::overlay) fn on_peers_of_a_guest(
        &mut self,
        now: Time,
        link: LinkId,
        is_same_host: bool,
        peers: &Peers,
        is_lively: impl Fn(LinkId) -> bool,
    ) -> Doubted {
        let source = Source { link, is_same_host, teller: GONE, is_news: false };
        self.hear_of_all(now, source, peers, is_lively).1
    }

    /// Of whom more is known here than is told, and who is to be looked for.
    fn hear_of_all(
        &mut self,
        now: Time,
        source: Source,
        peers: &Peers,
        is_lively: impl Fn(LinkId) -> bool,
    ) -> (Vec<SocketAddr>, Doubted) {
        let (mut better_known, mut doubted) = (Vec::new(), Doubted::default());
        for told in &peers.members {
            match self.hear_of(now, source, told, &is_lively) {
                MemberHeard::Older => better_known.push(told.address),
                MemberHeard::Doubted(link) => doubted.links.push(link),
                MemberHeard::Contradicted => doubted.addresses.push(told.address),
                MemberHeard::Done => {}
            }
        }
        (better_known, doubted)
    }

    fn hear_of(
        &mut self,
        now: Time,
        source: Source,
        told: &Member,
        is_lively: &impl Fn(LinkId) -> bool,
    ) -> MemberHeard {
        let Member { address, id, clock, word, is_open, is_proved, .. } = *told;
        let Source { link: from, is_same_host, teller, .. } = source;
        if address == self.roster.own {
            if id != self.roster.id || word != Word::Online {
                self.contradict(now, address, self.roster.id, "it is this servent");
            }
            return MemberHeard::Done;
        }
        // What is ahead of the clock even now that it was heard is for a later page.
        if clock > self.roster.clock || !means_something_here(address, is_same_host) {
            return MemberHeard::Done;
        }
        let heard = seconds_of(now).saturating_sub(seconds(told.heard));
        let teller = Some(teller);
        let fresh =
            MemberRecord { id, clock, heard, word, is_open, is_proved, teller, ..MemberRecord::new(address, id) };
        let known = self.roster.table.get(address);
        let Some(known) = known.filter(|known| !known.is_listed()) else {
            if !fresh.is_too_old(now, false) {
                if let Some(listed) = known {
                    self.roster.remove(&listed);
                }
                self.get_to_know(now, source, &fresh);
            }
            return MemberHeard::Done;
        };
        // Whoever says so may have heard it no later than this servent did, only at a later clock.
        let is_heard_since = heard > known.heard.saturating_add(1);
        let is_answer = is_heard_since && (clock > known.clock || known.is_guess);
        if let Some(&LinkedPeer { link, id: linked_id, is_quiet, .. }) = self.roster.peer_at(address)
            && linked_id == known.id
        {
            // What was heard itself is displaced by nothing that is told.
            return match (id == known.id, word) {
                // Where this end has not heard it for a while, somebody else may have.
                (true, Word::Online) if known.word == Word::Suspect && is_answer => {
                    let (clock, heard) = (clock.max(known.clock), heard.max(known.heard));
                    self.roster.put(&MemberRecord { clock, heard, word, is_guess: false, ..known });
                    self.log_change(address, Some(known.word), word, TOLD);
                    self.note_change(now, address, &known, Some(from));
                    MemberHeard::Done
                }
                (true, Word::Online) => {
                    // What is told of a neighbor anew is believed of itself.
                    if known.word == word && clock > known.clock && link == from {
                        let heard = seconds_of(now);
                        self.roster.put(&MemberRecord { clock, heard, ..known });
                        self.pass_on_refreshed(now, source, &known, heard);
                    }
                    MemberHeard::Done
                }
                (true, _) => {
                    let is_heard = is_lively(link) && !self.roster.has_slept(now);
                    // What was said before is known to be over.
                    if (clock, word) < (known.clock, known.word) {
                        return if is_heard { MemberHeard::Older } else { MemberHeard::Done };
                    }
                    // Nor has this end heard it for a while: whoever others asked was not asked by this one.
                    if is_quiet && word == Word::Suspect && known.word == Word::Online {
                        let heard = known.heard.min(seconds_of(now) - seconds(SUSPECT_AFTER));
                        self.roster.put(&MemberRecord { clock, heard, word, is_guess: false, ..known });
                        self.log_change(address, Some(known.word), word, TOLD);
                        self.note_change(now, address, &known, Some(from));
                        return MemberHeard::Done;
                    }
                    if is_heard {
                        self.contradict(now, address, id, "it was heard a moment ago");
                    } else if let Some(peer) = self.roster.peer_mut(link) {
                        peer.is_denied = true;
                    }
                    MemberHeard::Done
                }
                // Of two at one clock too only one may correct the other: else both would, for ever.
                (false, _) if (clock, word, id) > (known.clock, known.word, known.id) => {
                    if let Some(peer) = self.roster.peer_mut(link) {
                        peer.successor = Some(id);
                    }
                    MemberHeard::Doubted(link)
                }
                (false, _) => MemberHeard::Older,
            };
        }
        if known.is_guess && id == known.id && word.is_online() {
            return self.hear_of_guessed(now, source, &known, &fresh, is_heard_since);
        }
        // A guess is told nobody, and gives way to what others say.
        let known = if known.is_guess { MemberRecord { word: Word::Online, ..known } } else { known };
        // That somebody suspects it shows no life: who knows more says so, and nobody goes to and fro.
        let is_no_news = id == known.id && word == Word::Suspect && known.word > word;
        let word = if is_no_news { known.word } else { word };
        let fresh = MemberRecord { word, ..fresh };
        let is_same = (id, word) == (known.id, known.word);
        let teller = known.teller.filter(|known| Some(*known) == teller);
        let heard_last = if id == known.id { heard.max(known.heard) } else { heard };
        match (clock, word, id).cmp(&(known.clock, known.word, known.id)) {
            std::cmp::Ordering::Greater => {
                let is_same_servent = id == known.id;
                self.roster.put(&MemberRecord {
                    heard: heard_last,
                    is_proved: is_proved || (known.is_proved && is_same_servent),
                    may_be_dialled: known.may_be_dialled && is_same_servent,
                    teller,
                    changes: known.changes,
                    looks: if is_same { known.looks } else { 0 },
                    ..fresh
                });
                if is_same {
                    if !is_heard_since {
                        self.watch.raise(address, self.roster.clock);
                    }
                    self.pass_on_refreshed(now, source, &known, heard);
                    return MemberHeard::Done;
                }
                if is_same_servent && word == Word::Online {
                    self.watch.note_answer(address, clock, known.word == Word::Suspect && is_heard_since);
                }
                self.log_change(address, is_same_servent.then_some(known.word), word, TOLD);
                self.note_change(now, address, &known, Some(from));
                let is_open = !is_heard_since && is_same_servent && word == Word::Online;
                let looks = known.looks.checked_sub(1).filter(|_| is_open);
                let Some((looks, known)) = looks.zip(self.roster.table.get(address)) else { return MemberHeard::Done };
                self.look_again(now, &MemberRecord { looks, ..known });
                MemberHeard::Contradicted
            }
            _ if is_same => {
                self.roster.put(&MemberRecord {
                    heard: heard_last,
                    is_proved: is_proved || known.is_proved,
                    teller,
                    is_guess: false,
                    ..known
                });
                // A page may have brought its later clock a moment ago.
                self.pass_on_refreshed(now, source, &known, heard);
                MemberHeard::Done
            }
            _ => MemberHeard::Older,
        }
    }

    /// A guess is what this servent saw itself of a link that fell. Whoever has heard that one since knows better, and others, who
    /// were told of it before, do not. It is looked for all the same: whoever says so may have slept, and have read only then
    /// what that one said before.
    fn hear_of_guessed(
        &mut self,
        now: Time,
        source: Source,
        known: &MemberRecord,
        told: &MemberRecord,
        is_heard_since: bool,
    ) -> MemberHeard {
        let MemberRecord { address, id, .. } = *known;
        let clock = told.clock.max(known.clock);
        if told.word != Word::Online || !is_heard_since {
            self.roster.put(&MemberRecord { clock, ..*known });
            return MemberHeard::Done;
        }
        let (heard, word) = (told.heard, told.word);
        self.roster.put(&MemberRecord { clock, heard, word, is_guess: false, ..*known });
        self.log_change(address, Some(known.word), word, TOLD);
        // Others never heard of the guess: to them it is one that is there still.
        self.pass_on_refreshed(now, source, &MemberRecord { word, ..*known }, heard);
        let target = self.watch.at(address).and_then(|watched| watched.target);
        self.watch.begin(now, address, id, target, self.roster.clock);
        if known.may_be_dialled && target.is_none() { MemberHeard::Contradicted } else { MemberHeard::Done }
    }

    /// A neighbor tells unasked that one is there, which was known: it is passed on to those that hear it last, if somebody has
    /// heard it since, and as long as all can be known by all. It is no change.
    fn pass_on_refreshed(&mut self, now: Time, source: Source, known: &MemberRecord, heard: i32) {
        let is_fresh = heard >= known.heard && known.changes.are_old(now);
        if source.is_news && known.word == Word::Online && is_fresh && self.roster.has_room_for(None) {
            if let Some(known) = self.roster.table.get(known.address) {
                self.roster.put(&MemberRecord { changes: Changes::from(now, 0), ..known });
            }
            self.telling.tell_later(now, known.address, Some(source.link));
        }
    }

    /// A member that was unknown: it has a place where there is room, or that of another.
    fn get_to_know(&mut self, now: Time, source: Source, fresh: &MemberRecord) {
        let is_beyond = !self.roster.has_room_for(Some(source.teller));
        if !self.make_room(Some(source.teller), fresh.heard) {
            return;
        }
        self.roster.put(&MemberRecord { changes: Changes::from(now, 0), ..*fresh });
        self.log_change(fresh.address, None, fresh.word, TOLD);
        // One that took the place of another would go round for ever.
        if !is_beyond {
            self.telling.tell_later(now, fresh.address, Some(source.link));
        }
    }
}
