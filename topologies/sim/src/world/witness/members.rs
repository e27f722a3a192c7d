//! What servents say of each other, where they tell who is there.
//!
//! - Nobody says that a servent is dead, or has left, that lives and runs, and to which links lead over servents that run, none
//!   of which anything has befallen for [`SETTLES_MAX`]: neither to others nor to itself. That is judged of nobody to whom
//!   somebody else can tell so who was cut off from that servent by then, as after a split: there it was right. Nor is it of
//!   servents from which some are further than [`HOPS_MAX`]: whoever suspects them may hear too late that others do not; nor of
//!   those to which dials were refused by then, which says that nobody is there. Where somebody poisons what is told it holds
//!   of neighbors alone: what is told of others is believed.
//! - In the end everybody knows of everybody else that it is there, to whom links lead, and of nobody that is dead, if links
//!   lead to one that was its neighbor when it died. Where somebody poisons what is told that too holds of neighbors alone, and
//!   what else is wrong is only counted.

use std::collections::BTreeSet;
use std::net::SocketAddr;

use common::dialect::Dialect;
use common::limits::MEMBERS_MAX;
use common::member::{Member, Word};
use common::message::Identity;

use super::links::WatchedLinks;
use super::{Nanos, SECOND};
use crate::cast;
use crate::dialects;
use crate::faults::Fault;
use crate::graph::Graph;
use crate::outcome::MembersOutcome;
use crate::plan::FaultKind;
use crate::scene::Scene;

/// How long it may take until all know what is so: until then somebody may still hear, and pass on, what was so.
pub(crate) const SETTLES_MAX: Nanos = 60 * SECOND;

/// How far a suspicion goes and comes back as a contradiction before the suspect is called dead: of the 3 s that are left for
/// it each hop takes 100 ms, in which news are gathered, and at most 100 ms on the way, each time.
const HOPS_MAX: usize = 7;

/// So many words of a mind are looked at whenever it has dealt with something, one after the other.
const LOOKED_AT: usize = 8;

/// After so long it is looked anew who could be reached all the while.
const PARTS_KEPT: Nanos = SECOND / 4;

/// What is said of somebody, and of whom.
type SaidOf = Option<(Identity, Word)>;

/// How a servent is.
#[derive(Clone, Copy, Debug, Default)]
struct Fortune {
    /// Who it is, while it lives.
    id: Option<Identity>,
    /// Where it goes on in looking at what its mind says.
    turn: usize,
    /// When a dial to it was last refused though it lives.
    refused: Option<Nanos>,
}

/// One that died for good.
#[derive(Clone, Debug)]
struct Death {
    servent: usize,
    id: Identity,
    at: Nanos,
    /// Those with whom it had links over which members are told, each by who it was: nobody else can notice.
    neighbors: Vec<(usize, Identity)>,
}

/// Who can be reached from whom, by their parts of the overlay.
#[derive(Debug)]
struct Parts {
    seen_at: Nanos,
    /// Changes that links had seen by then.
    changes: u64,
    /// Over what nothing has befallen: and that overlay.
    untouched: Vec<usize>,
    graph: Graph,
    /// Over links that nothing cut, nor anybody at their ends, whether they stand or not.
    uncut: Vec<usize>,
    /// Over what stands or has stood by then: the part in `uncut` that all of these are of, if it is one.
    reached: Vec<Option<usize>>,
}

/// What is known of who is there, and what came of it.
pub(crate) struct WatchedMembers<'s> {
    scene: &'s Scene,
    is_poisoned: bool,
    /// To whom somebody hostile is attached at some time.
    attacked: BTreeSet<usize>,
    /// When everybody was there, and linked.
    risen_at: Option<Nanos>,
    servents: Vec<Fortune>,
    deaths: Vec<Death>,
    /// By servent: the deaths it has not noticed.
    unnoticed: Vec<Vec<usize>>,
    /// How long it took to notice the others: the servent, and how long after.
    noticed: Vec<(usize, Nanos)>,
    parts: Option<Parts>,
    /// Who called whom dead that was not.
    alarms: BTreeSet<(usize, usize)>,
}

impl<'s> WatchedMembers<'s> {
    pub(super) fn new(scene: &'s Scene) -> WatchedMembers<'s> {
        let count = scene.graph.servents();
        let is_hostile = |fault: &&Fault| matches!(fault.kind, FaultKind::Hostile | FaultKind::Forger);
        let hostile = scene.faults.iter().filter(is_hostile);
        WatchedMembers {
            scene,
            attacked: hostile.filter_map(|fault| Some(*fault.servents.first()? as usize)).collect(),
            is_poisoned: scene.faults.iter().any(|fault| fault.kind == FaultKind::Poison),
            risen_at: None,
            servents: vec![Fortune::default(); count],
            deaths: Vec::new(),
            unnoticed: vec![Vec::new(); count],
            noticed: Vec::new(),
            parts: None,
            alarms: BTreeSet::new(),
        }
    }

    // ---- what happens ----

    /// Everybody is there, and linked.
    pub(super) fn on_risen(&mut self, now: Nanos) {
        self.risen_at = Some(now);
    }

    /// Somebody begins to live.
    pub(super) fn on_born(&mut self, servent: usize, life: u32) {
        if let Some(fortune) = self.servents.get_mut(servent) {
            fortune.id = Some(cast::servent_id(servent, life).into());
        }
    }

    /// Somebody dies, and may live again or not.
    pub(super) fn on_died(&mut self, now: Nanos, links: &WatchedLinks<'_>, servent: usize, is_for_good: bool) {
        let Some(id) = self.servents.get_mut(servent).and_then(|fortune| fortune.id.take()) else { return };
        if is_for_good {
            self.unnoticed.iter_mut().for_each(|unnoticed| unnoticed.push(self.deaths.len()));
            let others = self.scene.graph.neighbors(servent).iter().map(|other| *other as usize);
            let linked = others.filter(|other| self.is_told_between(servent, *other) && links.stands(servent, *other));
            let neighbors = linked.filter_map(|other| Some((other, self.servents.get(other)?.id?))).collect();
            self.deaths.push(Death { servent, id, at: now, neighbors });
        }
    }

    /// A dial to somebody is refused, whether it is there or not.
    pub(super) fn on_refused(&mut self, now: Nanos, servent: usize) {
        if let Some(fortune) = self.servents.get_mut(servent) {
            fortune.refused = Some(now);
        }
    }

    /// A servent tells a neighbor of members. Whoever of these is called dead that lives.
    pub(super) fn on_told(
        &mut self,
        now: Nanos,
        links: &WatchedLinks<'_>,
        speaker: usize,
        members: &[Member],
    ) -> Vec<String> {
        let told = members.iter().filter_map(|member| {
            let subject = cast::servent_at(member.address)?;
            self.alarm(now, links, (speaker, subject), Some((member.id, member.word)), "tells")
        });
        told.collect()
    }

    /// A mind has dealt with something: what it thinks of the dead, and, one after the other, of all. Whoever it calls dead that
    /// lives.
    pub(super) fn on_handled(
        &mut self,
        now: Nanos,
        links: &WatchedLinks<'_>,
        servent: usize,
        word_of: impl Fn(SocketAddr) -> SaidOf,
    ) -> Vec<String> {
        self.look_for_deaths(now, servent, &word_of);
        let count = self.servents.len();
        let Some(fortune) = self.servents.get_mut(servent) else { return Vec::new() };
        let turn = fortune.turn;
        fortune.turn = (turn + LOOKED_AT) % count;
        let looked_at = (0..LOOKED_AT.min(count)).filter_map(|place| {
            let subject = (turn + place) % count;
            self.alarm(now, links, (servent, subject), word_of(cast::servent_address(subject)), "thinks")
        });
        looked_at.collect()
    }

    fn look_for_deaths(&mut self, now: Nanos, servent: usize, word_of: &impl Fn(SocketAddr) -> SaidOf) {
        let WatchedMembers { deaths, unnoticed, noticed, .. } = self;
        let Some(unnoticed) = unnoticed.get_mut(servent) else { return };
        unnoticed.retain(|death| {
            let Some(death) = deaths.get(*death) else { return false };
            let is_noticed = match word_of(cast::servent_address(death.servent)) {
                Some((id, word)) => id != death.id || !word.is_online(),
                None => false,
            };
            if is_noticed {
                noticed.push((servent, now - death.at));
            }
            !is_noticed
        });
    }

    /// One calls another dead that lives and could be known to.
    fn alarm(
        &mut self,
        now: Nanos,
        links: &WatchedLinks<'_>,
        (speaker, subject): (usize, usize),
        said: SaidOf,
        verb: &str,
    ) -> Option<String> {
        let (id, word) = said?;
        let is_meant = self.servents.get(subject).is_some_and(|fortune| fortune.id == Some(id));
        if word.is_online() || !is_meant || speaker == subject {
            return None;
        }
        let since = now.saturating_sub(SETTLES_MAX).max(self.risen_at?);
        if self.servents.get(subject)?.refused.is_some_and(|refused| refused >= since) {
            return None;
        }
        let could_be_known = if self.is_poisoned {
            self.is_told_between(speaker, subject) && links.is_untouched(speaker, subject, since)
        } else {
            self.are_of_one_part(now, since, links, (speaker, subject))
        };
        let is_new = could_be_known && self.alarms.insert((speaker, subject));
        is_new.then(|| format!("s{speaker} {verb} that s{subject} has {word}, which lives"))
    }

    /// Whether links lead from one to another that nothing has befallen since then.
    fn are_of_one_part(
        &mut self,
        now: Nanos,
        since: Nanos,
        links: &WatchedLinks<'_>,
        (one, other): (usize, usize),
    ) -> bool {
        let is_recent = |parts: &Parts| parts.changes == links.changes() && now < parts.seen_at + PARTS_KEPT;
        if !self.parts.as_ref().is_some_and(is_recent) {
            let graph = links.untouched(since, true);
            let untouched = parts_of(self.scene, &graph);
            let uncut = parts_of(self.scene, &links.uncut(since));
            let heard = parts_of(self.scene, &links.recent(since));
            // By the first of each part that has heard of each other.
            let mut of_part: Vec<Option<usize>> = vec![None; uncut.len()];
            // Whoever was in trouble itself passed nothing on, and has nothing to tell of others. But whoever somebody hostile
            // was attached to knows what it did, and passes that on.
            let may_tell = |servent: usize| {
                let passes_on = links.is_servent_untroubled_since(servent, since) || self.attacked.contains(&servent);
                self.lives(servent) && passes_on
            };
            for (servent, part) in heard.iter().enumerate().filter(|(servent, _)| may_tell(*servent)) {
                let cut = uncut.get(servent).copied().unwrap_or_default();
                if let Some(of_part) = of_part.get_mut(*part) {
                    let is_same = of_part.is_none_or(|other| other == cut);
                    *of_part = Some(if is_same { cut } else { usize::MAX });
                }
            }
            let reached = heard.iter().map(|part| of_part.get(*part).copied().flatten()).collect();
            self.parts = Some(Parts { seen_at: now, changes: links.changes(), untouched, graph, uncut, reached });
        }
        let Some(Parts { untouched, graph, uncut, reached, .. }) = &self.parts else { return false };
        let is_of_one = untouched.get(one).is_some_and(|part| Some(part) == untouched.get(other));
        is_of_one
            && reached.get(one).is_some_and(|part| *part == uncut.get(other).copied())
            && furthest_from(self.scene, graph, other) <= HOPS_MAX
    }

    fn lives(&self, servent: usize) -> bool {
        self.servents.get(servent).is_some_and(|fortune| fortune.id.is_some())
    }

    // ---- what must be so in the end ----

    /// Who can be reached from whom now: of two with the same number each from the other.
    pub(super) fn parts_now(&self, links: &WatchedLinks<'_>) -> Vec<usize> {
        parts_of(self.scene, &links.untouched(Nanos::MAX, false))
    }

    /// What is wrong about what one thinks of another, where these can be reached.
    pub(super) fn wrong_word(&self, parts: &[usize], (one, other): (usize, usize), said: SaidOf) -> Option<String> {
        self.servents.get(one)?.id?;
        let is_reached = parts.get(one).is_some_and(|part| Some(part) == parts.get(other));
        match (self.servents.get(other)?.id, said) {
            (Some(id), Some((said, word))) if is_reached && (said, word) != (id, Word::Online) => {
                let whom = if said == id { "of" } else { "of somebody else at the address of" };
                Some(format!("s{one} says {word} {whom} s{other}, which lives"))
            }
            (Some(_), None) if is_reached && self.servents.len() <= MEMBERS_MAX => {
                Some(format!("s{one} does not know s{other}"))
            }
            (None, Some((said, word))) if word.is_online() => {
                let death = self.deaths.iter().find(|death| (death.servent, death.id) == (other, said))?;
                self.could_notice(parts, one, death).then(|| format!("s{one} says {word} of s{other}, which is dead"))
            }
            _ => None,
        }
    }

    /// Whether what is wrong between two is broken: inventions may have taken the places of others, and lies of others come to
    /// be corrected later than a run takes.
    pub(super) fn is_demanded(&self, links: &WatchedLinks<'_>, (one, other): (usize, usize)) -> bool {
        !self.is_poisoned || (links.stands(one, other) && self.is_told_between(one, other))
    }

    fn is_told_between(&self, one: usize, other: usize) -> bool {
        dialects::of_link(&self.scene.plan, one, other) == Dialect::OWN
    }

    /// Whether one is, or can be reached from, a neighbor of somebody who died that has lived since.
    fn could_notice(&self, parts: &[usize], one: usize, death: &Death) -> bool {
        death.neighbors.iter().any(|(other, id)| {
            let still_lives = self.servents.get(*other).is_some_and(|fortune| fortune.id == Some(*id));
            still_lives && parts.get(*other).is_some_and(|part| Some(part) == parts.get(one))
        })
    }

    pub(super) fn living_count(&self) -> usize {
        (0..self.servents.len()).filter(|servent| self.lives(*servent)).count()
    }

    /// What it came to.
    pub(super) fn figures(&self, now: Nanos, parts: &[usize]) -> MembersOutcome {
        let lives = |servent: usize| self.lives(servent);
        let noticed = self.noticed.iter().filter(|(servent, _)| lives(*servent)).map(|(_, after)| *after);
        let unnoticed = (0..).zip(&self.unnoticed).filter(|(servent, _)| lives(*servent));
        let unnoticed = unnoticed.flat_map(|(servent, deaths)| deaths.iter().map(move |death| (servent, *death)));
        let unnoticed = unnoticed.filter_map(|(servent, death)| Some((servent, self.deaths.get(death)?)));
        // As if it were noticed now.
        let unnoticed = unnoticed.filter(|(servent, death)| self.could_notice(parts, *servent, death));
        let unnoticed = unnoticed.map(|(_, death)| now - death.at);
        let mut after: Vec<Nanos> = noticed.chain(unnoticed).collect();
        after.sort_unstable();
        let seconds = |permille: usize| {
            let rank = (after.len() * permille).div_ceil(1_000).checked_sub(1)?;
            after.get(rank).map(|nanos| *nanos as f64 / SECOND as f64)
        };
        MembersOutcome {
            noticed_p50_s: seconds(500),
            noticed_p999_s: seconds(999),
            false_alarms: self.alarms.len() as u64,
            ..MembersOutcome::default()
        }
    }
}

/// How many hops the furthest is away that can be told something of members by this one.
fn furthest_from(scene: &Scene, graph: &Graph, from: usize) -> usize {
    let mut seen = BTreeSet::from([from]);
    let mut last = vec![from];
    let mut hops = 0;
    loop {
        let mut next = Vec::new();
        for one in last {
            for other in graph.neighbors(one).iter().map(|other| *other as usize) {
                if dialects::of_link(&scene.plan, one, other) == Dialect::OWN && seen.insert(other) {
                    next.push(other);
                }
            }
        }
        if next.is_empty() {
            return hops;
        }
        (last, hops) = (next, hops + 1);
    }
}

/// The parts of an overlay in which something can be told of members, by servent.
fn parts_of(scene: &Scene, graph: &Graph) -> Vec<usize> {
    let mut of = vec![usize::MAX; graph.servents()];
    for first in 0..of.len() {
        if of[first] != usize::MAX {
            continue;
        }
        of[first] = first;
        let mut waiting = vec![first];
        while let Some(one) = waiting.pop() {
            for other in graph.neighbors(one).iter().map(|other| *other as usize) {
                if of[other] == usize::MAX && dialects::of_link(&scene.plan, one, other) == Dialect::OWN {
                    of[other] = first;
                    waiting.push(other);
                }
            }
        }
    }
    of
}
