//! What must hold, at every event and at the end: told what happens, it says what broke.
//!
//! It knows the scene and the oracle, and nothing of the code it judges. What is claimed:
//!
//! - No life of a servent puts two answers to one query on links, and none sends the same copy (query and TTL) twice over
//!   one link. So one query crosses a link in one direction at most once per TTL: TTL + 1 times at most, as its contact
//!   started it, and the sum over the links of a servent is what it costs there. There are two exceptions: where TP3 is
//!   spoken a servent may forget a query for its age, and what a forger asked in the name of a TP3 client before that
//!   client's hello was read.
//! - Copies never carry more TTL than the overlay allows: TTL and hops together stay below the contact's TTL plus two.
//! - Every answer a client reports comes from a holder and is its value, or from a forger, and none comes again under one
//!   name: a servent that started
//!   anew is another one here, for it may be told an old query, which it cannot know. Every path reported is one of links that are
//!   in the graph, from the contact to who answers.
//! - A session ends at the latest one silence after it asked or last heard an answer.
//! - A query that ends as complete has heard every holder that the oracle demands of the links that stood all the while
//!   from its asking to its end. Of one that a hostile servent forged or said again nothing of this is claimed, since
//!   what was told to the forger's copies is missing in its tally. And none of its copies went to a neighbor that speaks
//!   TP3, who tells nobody what came of it.
//! - Once nothing was asked for as long as anything is remembered, no servent holds anything but its links.
//! - With no faults at all, everything is exactly as the oracle says.

use std::collections::{HashMap, HashSet};
use std::fmt;
use std::net::SocketAddr;

use common::dialect::Dialect;
use common::limits::{SEEN_TP3_AGE_MAX, SILENCE_DEFAULT, TTL_FROM_OTHERS_MAX, TTL_MAX};
use common::link::LinkId;
use common::message::ServentId;
use common::overlay::Holding;
use common::query::{AnswerBody, Ask, ContactMark, ContactName, Query, QueryId};
use common::session::{EndReason, Ending};

use super::super::dialects;
use super::super::graph::{Graph, number};
use super::super::oracle::Demanded;
use super::super::outcome::RunOutcome;
use super::super::plan::{FaultKind, Wire};
use super::super::scene::{Asking, Scene};
pub(super) use super::super::verdict::answer::ToldPlace;
use super::super::verdict::answer::{Allowance, HeardAnswers, ToldAnswer};
use super::super::verdict::demand::Demand;
use super::super::verdict::ending::Mischief;
use super::super::verdict::{Crossed, Facts};
use super::{Nanos, SECOND, nanos};

/// Broken invariants kept; whoever has so many needs no more.
const BROKEN_MAX: usize = 20;

/// How a servent or a link fared.
#[derive(Clone, Copy, Debug, Default)]
struct Condition {
    /// Connections that stand.
    standing: u32,
    /// When one last came to stand, or fell.
    touched: Nanos,
    /// Faults that befall it now.
    troubles: u32,
    /// When one last began or ended.
    troubled: Nanos,
}

impl Condition {
    fn has_stood_since(&self, since: Nanos) -> bool {
        self.standing > 0 && self.touched < since
    }

    fn is_untroubled_since(&self, since: Nanos) -> bool {
        self.troubles == 0 && (self.troubled < since || self.troubled == 0)
    }

    fn trouble(&mut self, now: Nanos, begins: bool) {
        self.troubled = now;
        self.troubles = if begins { self.troubles + 1 } else { self.troubles.saturating_sub(1) };
    }
}

/// A query and what it came to.
struct Tracked {
    asking: Asking,
    is_probe: bool,
    /// What its client speaks to its contact.
    dialect: Dialect,
    client: Option<(usize, SocketAddr)>,
    is_ready: bool,
    /// It was to be asked before its client was ready.
    is_late: bool,
    /// It never will be asked.
    is_off: bool,
    attached: Nanos,
    asked: Option<Nanos>,
    sequence: Option<u64>,
    /// When its session last had a reason to go on waiting.
    heard: Nanos,
    /// By servent: how many lives of it put an answer on a link.
    lives: Vec<u32>,
    /// By servent: whether it put an answer on a link that does not say who gives it, nor to what.
    nameless: Vec<bool>,
    /// By servent: whether a forger answered in its name, and how many of its lives did not answer themselves.
    is_stood_for: Vec<bool>,
    stood_for: Vec<u32>,
    /// Under which other names forgers answered, how often under none, and how many such answers were told.
    strangers: HashSet<ServentId>,
    nameless_lies: usize,
    lies_told: usize,
    /// A forger counts itself among those who answered.
    is_claimed: bool,
    heard_answers: HeardAnswers,
    crossed: Crossed,
    is_forged: bool,
    /// Somebody said the very thing again, or what nobody can tell from it: it holds the query, and may have hurried ahead.
    is_said_again: bool,
    /// What its copies carry of its contact, and ask.
    said: Option<(ContactMark, Ask)>,
    ended: Option<(Nanos, Ending)>,
    expected: u64,
    missed: Vec<u32>,
}

impl Tracked {
    fn name(&self) -> Name {
        if self.is_probe { Name::Probe } else { Name::Query(self.asking.number) }
    }

    fn demand<'s>(&self, scene: &'s Scene) -> Demand<'s> {
        Demand::new(scene, self.asking)
    }

    fn facts<'a>(&'a self, scene: &'a Scene, ending: &'a Ending) -> Facts<'a> {
        Facts {
            demand: self.demand(scene),
            dialect: self.dialect,
            heard: &self.heard_answers,
            crossed: self.crossed,
            ending,
        }
    }

    /// Whether the client was told an answer under a name whose owner gives none. One who holds what is asked may be about to.
    fn is_lied_to(&self, holders: &[u32]) -> bool {
        let in_no_name = self.lies_told > self.nameless_lies;
        let holds = |servent: u32| self.asking.topology || holders.binary_search(&servent).is_ok();
        let mut stood_for = (0..).zip(&self.is_stood_for).filter(|(_, is_stood_for)| **is_stood_for);
        in_no_name || stood_for.any(|(servent, _)| !holds(servent) && self.heard_answers.has(servent))
    }

    fn id(&self) -> Option<QueryId> {
        Some(QueryId { sequence: self.sequence?, client: self.client?.1 })
    }
}

/// What a query is called.
#[derive(Clone, Copy, Debug)]
enum Name {
    Query(u32),
    Probe,
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Name::Query(number) => write!(f, "query {number}"),
            Name::Probe => f.write_str("the query after healing"),
        }
    }
}

/// Under whose name a forger answers.
#[derive(Clone, Copy, Debug)]
pub(super) enum Pretence {
    /// It says no name.
    Nobody,
    /// One that no servent has.
    Stranger(ServentId),
    /// That of a servent in one of its lives.
    Servent(usize, u32),
}

/// The one who sees everything.
pub(super) struct Witness<'s> {
    scene: &'s Scene,
    pub(super) broken: Vec<String>,
    queries: Vec<Tracked>,
    /// Which query each client asked, by the client's number of node.
    by_client: Vec<Option<usize>>,
    answered: HashSet<(usize, u32, QueryId)>,
    /// Who has not, and a forger did in its name.
    stood_for: HashSet<(usize, u32, QueryId)>,
    /// Which TTLs a query crossed a link with.
    crossed: HashMap<(LinkId, QueryId), u32>,
    /// What somebody forged under another contact or number, or under none: once that is over, the same id is new again.
    loose: HashSet<QueryId>,
    /// Beside TP3, whose copies say nothing of a contact: what native ones say of theirs, and below which number a forger has
    /// said of a contact that nothing is open. What is forgotten for that is new again too.
    marks: HashMap<QueryId, ContactMark>,
    spoilt: HashMap<ContactName, u64>,
    /// By where the link stands among the neighbors of its smaller end.
    links: Vec<Condition>,
    servents: Vec<Condition>,
    clients: Condition,
    /// Whether a fault is one that forges.
    pub(super) is_forger_there: bool,
    /// Whether a fault is one that may say of what came of a query whatever it likes.
    is_liar_there: bool,
    fallen_count: usize,
    /// The overlay has stood.
    pub(super) has_risen: bool,
    /// When a link last came or fell.
    pub(super) touched_last: Nanos,
    /// When a session last ended.
    pub(super) ended_last: Nanos,
    ttl_most: u8,
}

impl<'s> Witness<'s> {
    pub(super) fn new(scene: &'s Scene) -> Witness<'s> {
        let ttl_most = scene.ttls.iter().copied().max().unwrap_or_default();
        Witness {
            scene,
            broken: Vec::new(),
            queries: Vec::with_capacity(scene.queries.len() + 1),
            by_client: Vec::new(),
            answered: HashSet::new(),
            stood_for: HashSet::new(),
            crossed: HashMap::new(),
            loose: HashSet::new(),
            marks: HashMap::new(),
            spoilt: HashMap::new(),
            links: vec![Condition::default(); scene.graph.ends().len()],
            servents: vec![Condition::default(); scene.graph.servents()],
            clients: Condition::default(),
            is_forger_there: scene.faults.iter().any(|fault| fault.kind == FaultKind::Forger),
            is_liar_there: scene.faults.iter().any(|fault| fault.kind == FaultKind::Hostile),
            fallen_count: scene.graph.links_count(),
            has_risen: false,
            touched_last: 0,
            ended_last: 0,
            ttl_most: ttl_most.clamp(TTL_FROM_OTHERS_MAX, TTL_MAX),
        }
    }

    pub(super) fn broke(&mut self, now: Nanos, text: &str) {
        if self.broken.len() < BROKEN_MAX {
            self.broken.push(format!("at {}.{:06} s: {text}", now / SECOND, now % SECOND / 1_000));
        }
    }

    // ---- limits ----

    /// Whether a mind holds no more of anything than it may.
    pub(super) fn check_holdings(&mut self, now: Nanos, servent: usize, holdings: impl Iterator<Item = Holding>) {
        for Holding { help, value, limit, .. } in holdings {
            if let Some(limit) = limit.filter(|limit| value > *limit) {
                self.broke(now, &format!("s{servent} has {value} {help}, and {limit} are the most"));
            }
        }
    }

    /// Whether a mind has forgotten all that was, but who is linked with it.
    pub(super) fn check_forgotten(&mut self, now: Nanos, servent: usize, holdings: impl Iterator<Item = Holding>) {
        let stays = |name| matches!(name, "neighbors" | "clients" | "links");
        for Holding { name, help, value, limit } in holdings {
            if limit.is_some() && value > 0 && !stays(name) {
                self.broke(now, &format!("s{servent} still has {value} {help}, and nothing was asked for long"));
            }
        }
    }

    // ---- links ----

    fn link(&mut self, a: usize, b: usize) -> Option<&mut Condition> {
        let place = place_of(&self.scene.graph, a, b)?;
        self.links.get_mut(place)
    }

    pub(super) fn on_link_stands(&mut self, now: Nanos, a: usize, b: usize) {
        self.touched_last = now;
        let Some(link) = self.link(a, b) else {
            return self.broke(now, &format!("s{a} and s{b} are linked, and nobody listed the other"));
        };
        link.touched = now;
        link.standing += 1;
        let is_first = link.standing == 1;
        self.fallen_count -= usize::from(is_first);
    }

    /// A connection between two servents has gone, at one of its ends at least; it may not have stood.
    pub(super) fn on_link_falls(&mut self, now: Nanos, a: usize, b: usize, was_standing: bool) {
        self.touched_last = now;
        let Some(link) = self.link(a, b) else { return };
        link.touched = now;
        if was_standing && link.standing > 0 {
            link.standing -= 1;
            let is_last = link.standing == 0;
            self.fallen_count += usize::from(is_last);
            // While the overlay rises, the second of two links between the same servents goes.
            if is_last && self.scene.faults.is_empty() && self.has_risen {
                self.broke(now, &format!("the link between s{a} and s{b} falls, and nothing befell it"));
            }
        }
    }

    pub(super) fn all_links_stand(&self) -> bool {
        self.fallen_count == 0
    }

    pub(super) fn missing_links(&self) -> String {
        let missing = self.scene.graph.links().filter(|(a, b)| {
            let place = place_of(&self.scene.graph, *a as usize, *b as usize);
            place.and_then(|place| self.links.get(place)).is_none_or(|link| link.standing == 0)
        });
        missing.map(|(a, b)| format!("no link between s{a} and s{b}, ")).collect()
    }

    pub(super) fn trouble_link(&mut self, now: Nanos, a: usize, b: usize, begins: bool) {
        if let Some(link) = self.link(a, b) {
            link.trouble(now, begins);
        }
    }

    pub(super) fn trouble_servent(&mut self, now: Nanos, servent: usize, begins: bool) {
        if let Some(servent) = self.servents.get_mut(servent) {
            servent.trouble(now, begins);
        }
    }

    pub(super) fn trouble_clients(&mut self, now: Nanos, begins: bool) {
        self.clients.trouble(now, begins);
    }

    /// The overlay of the links that stood from then on until now; without those in trouble as well, if so asked.
    fn untouched(&self, since: Nanos, without_troubled: bool) -> Graph {
        let graph = &self.scene.graph;
        let is_sound = |a: u32, b: u32| {
            let place = place_of(graph, a as usize, b as usize);
            let Some(link) = place.and_then(|place| self.links.get(place)) else { return false };
            let ends = [a, b].map(|servent| self.servents.get(servent as usize).copied().unwrap_or_default());
            link.has_stood_since(since)
                && (!without_troubled
                    || link.is_untroubled_since(since) && ends.iter().all(|end| end.is_untroubled_since(since)))
        };
        let links: Vec<(u32, u32)> = graph.links().filter(|(a, b)| is_sound(*a, *b)).collect();
        Graph::from_links(graph.servents(), &links)
    }

    // ---- queries come ----

    pub(super) fn on_announced(&mut self, asking: Asking, is_probe: bool) -> usize {
        self.queries.push(Tracked {
            asking,
            is_probe,
            // The query after healing is asked by one who is told all there is to know.
            dialect: if is_probe && self.scene.plan.wire == Wire::Mixed {
                Dialect::OWN
            } else {
                dialects::of_client(&self.scene.plan, asking.number)
            },
            client: None,
            is_ready: false,
            is_late: false,
            is_off: false,
            attached: 0,
            asked: None,
            sequence: None,
            heard: 0,
            lives: vec![0; self.scene.graph.servents()],
            nameless: vec![false; self.scene.graph.servents()],
            is_stood_for: vec![false; self.scene.graph.servents()],
            stood_for: vec![0; self.scene.graph.servents()],
            strangers: HashSet::new(),
            nameless_lies: 0,
            lies_told: 0,
            is_claimed: false,
            heard_answers: HeardAnswers::new(self.scene.graph.servents()),
            crossed: Crossed::default(),
            is_forged: false,
            is_said_again: false,
            said: None,
            ended: None,
            expected: 0,
            missed: Vec::new(),
        });
        self.queries.len() - 1
    }

    pub(super) fn on_attaching(&mut self, now: Nanos, query: usize, node: usize, address: SocketAddr) {
        if let Some(asked) = self.queries.get_mut(query) {
            asked.attached = now;
            asked.client = Some((node, address));
            self.by_client.resize(self.by_client.len().max(node + 1), None);
            if let Some(place) = self.by_client.get_mut(node) {
                *place = Some(query);
            }
        }
    }

    pub(super) fn contact_of(&self, query: usize) -> Option<usize> {
        self.queries.get(query).map(|asked| asked.asking.contact as usize)
    }

    pub(super) fn dialect_of(&self, query: usize) -> Dialect {
        self.queries.get(query).map_or(Dialect::OWN, |asked| asked.dialect)
    }

    pub(super) fn client_of(&self, query: usize) -> Option<usize> {
        self.queries.get(query).and_then(|asked| asked.client).map(|(node, _)| node)
    }

    pub(super) fn is_topology(&self, query: usize) -> bool {
        self.queries.get(query).is_some_and(|asked| asked.asking.topology)
    }

    /// The client's contact has greeted it. Whether it should have asked by now.
    pub(super) fn on_ready(&mut self, query: usize) -> bool {
        let Some(asked) = self.queries.get_mut(query) else { return false };
        asked.is_ready = true;
        asked.is_late
    }

    /// There is no contact to ask.
    pub(super) fn on_refused(&mut self, query: usize) {
        if let Some(asked) = self.queries.get_mut(query) {
            asked.is_off = true;
        }
    }

    /// The contact is gone; whoever has not asked by then does not.
    pub(super) fn on_contact_lost(&mut self, query: usize) {
        if let Some(asked) = self.queries.get_mut(query)
            && asked.asked.is_none()
        {
            asked.is_off = true;
        }
    }

    /// Notes that a client asks now. False when it may not; if it is not ready it asks as soon as it is.
    pub(super) fn begin_asking(&mut self, now: Nanos, query: usize) -> bool {
        let Some(asked) = self.queries.get_mut(query) else { return false };
        asked.is_late = true;
        if !asked.is_ready || asked.is_off || asked.asked.is_some() {
            return false;
        }
        asked.asked = Some(now);
        asked.heard = now;
        true
    }

    pub(super) fn on_request(&mut self, query: usize, sequence: u64) {
        if let Some(asked) = self.queries.get_mut(query) {
            asked.sequence = Some(sequence);
        }
    }

    /// The queries of real clients that a hostile servent might guess.
    pub(super) fn asked_by_now(&self) -> Vec<QueryId> {
        self.queries.iter().filter_map(Tracked::id).collect()
    }

    fn query_of(&mut self, client: Option<usize>, id: QueryId) -> Option<&mut Tracked> {
        let query = self.by_client.get(client?).copied().flatten()?;
        self.queries.get_mut(query).filter(|asked| asked.sequence == Some(id.sequence))
    }

    /// A hostile servent says a copy of this.
    pub(super) fn on_forged(&mut self, client: Option<usize>, query: &Query) {
        let mut is_other = query.contact.is_none();
        if let Some(asked) = self.query_of(client, query.id()) {
            asked.is_forged = true;
            let is_named_so =
                |said: ContactMark, mark: ContactMark| (said.name, said.number) == (mark.name, mark.number);
            let said = asked.said.as_ref();
            let has_other_mark =
                query.contact.is_some_and(|mark| !said.is_some_and(|(said, _)| is_named_so(*said, mark)));
            let asks_other = said.is_some_and(|(_, ask)| *ask != query.ask);
            asked.is_said_again |= !has_other_mark && !asks_other;
            is_other |= has_other_mark;
        } else {
            is_other = true;
        }
        if is_other {
            self.loose.insert(query.id());
        }
        if let Some(ContactMark { name, open_from, .. }) = query.contact.filter(|_| self.is_mixed()) {
            let spoilt = self.spoilt.entry(name).or_default();
            *spoilt = open_from.max(*spoilt);
        }
    }

    /// A forger brings a client an answer that it cannot tell from others.
    pub(super) fn on_lie(&mut self, client: usize, id: QueryId, pretence: Pretence) {
        let is_new = match pretence {
            Pretence::Servent(servent, life) => {
                !self.answered.contains(&(servent, life, id)) && self.stood_for.insert((servent, life, id))
            }
            Pretence::Nobody | Pretence::Stranger(_) => true,
        };
        let Some(asked) = self.query_of(Some(client), id) else { return };
        match pretence {
            Pretence::Nobody => asked.nameless_lies += 1,
            Pretence::Stranger(id) => drop(asked.strangers.insert(id)),
            Pretence::Servent(servent, _) => {
                if let (Some(is), Some(count)) = (asked.is_stood_for.get_mut(servent), asked.stood_for.get_mut(servent))
                {
                    *is = true;
                    *count += u32::from(is_new);
                }
            }
        }
    }

    /// A forger says in its echo that it has answered.
    pub(super) fn on_claimed(&mut self, client: usize, id: QueryId) {
        if let Some(asked) = self.query_of(Some(client), id) {
            asked.is_claimed = true;
        }
    }

    fn is_mixed(&self) -> bool {
        self.scene.plan.wire == Wire::Mixed
    }

    /// Whether a forger may have had somebody forget this, who then takes it for new.
    fn is_loose(&self, id: QueryId) -> bool {
        let is_spoilt = |mark: &ContactMark| self.spoilt.get(&mark.name).is_some_and(|spoilt| mark.number < *spoilt);
        self.loose.contains(&id) || self.marks.get(&id).is_some_and(is_spoilt)
    }

    /// Notes what the first copies of a query say of its contact.
    pub(super) fn on_mark(&mut self, servent: usize, client: Option<usize>, query: &Query) {
        if let Some(asked) = self.query_of(client, query.id())
            && asked.asking.contact as usize == servent
            && query.hops == 1
            && asked.said.is_none()
        {
            asked.said = query.contact.map(|mark| (mark, query.ask.clone()));
        }
    }

    // ---- the flood ----

    /// A query is remembered until it is over. Beside TP3 nobody knows when that is: there it may be forgotten so long after
    /// it was asked.
    fn forgets_from(&mut self, client: Option<usize>, id: QueryId) -> Nanos {
        let may_forget = matches!(self.scene.plan.wire, Wire::Tp3 | Wire::Mixed);
        let asked = self.query_of(client, id).and_then(|asked| asked.asked).filter(|_| may_forget);
        asked.map_or(Nanos::MAX, |asked| asked + nanos(SEEN_TP3_AGE_MAX))
    }

    pub(super) fn on_copy(
        &mut self,
        now: Nanos,
        servent: usize,
        link: LinkId,
        dialect: Dialect,
        client: Option<usize>,
        query: &Query,
    ) {
        let (id, ttl, hops) = (query.id(), query.ttl, query.hops);
        let forgets_from = self.forgets_from(client, id);
        let (scene, ttl_most) = (self.scene, self.ttl_most);
        let mut limit = None;
        if let Some(asked) = self.query_of(client, id) {
            asked.crossed.copies += 1;
            asked.crossed.silent_copies += u64::from(dialect != Dialect::OWN);
            limit = (!asked.is_forged).then_some(u16::from(asked.demand(scene).ttl) + 1);
        }
        if let Some(mark) = query.contact.filter(|_| self.is_mixed()) {
            self.marks.insert(id, mark);
        }
        let ttls = self.crossed.entry((link, id)).or_insert(0);
        if now >= forgets_from {
            *ttls = 0;
        }
        let mark = 1_u32.checked_shl(ttl.into()).unwrap_or_default();
        let again = *ttls & mark != 0;
        *ttls |= mark;
        if again && !self.is_loose(id) && !client.is_some_and(|client| self.may_have_come_anew(servent, client, id)) {
            self.broke(now, &format!("s{servent} sends query {id} with TTL {ttl} over {link} a second time"));
        }
        // In TP3 a copy does not say how far it has come.
        let far = u16::from(ttl) + if dialect == Dialect::OWN { u16::from(hops) } else { 1 };
        if ttl > ttl_most || limit.is_some_and(|limit| far > limit) {
            let text =
                format!("s{servent} passes query {id} on with TTL {ttl} after {hops} hops: more than it began with");
            self.broke(now, &text);
        }
    }

    pub(super) fn on_echo(&mut self, client: Option<usize>, id: QueryId) {
        if let Some(asked) = self.query_of(client, id) {
            asked.crossed.echoes += 1;
        }
    }

    /// A life of a servent puts an answer on a link, and says there who it is or does not.
    pub(super) fn on_answer_said(
        &mut self,
        now: Nanos,
        (servent, life): (usize, u32),
        client: usize,
        id: QueryId,
        says_who: bool,
    ) {
        let forgets_from = self.forgets_from(Some(client), id);
        let is_first = self.answered.insert((servent, life, id));
        let was_stood_for = self.stood_for.remove(&(servent, life, id));
        if let Some(asked) = self.query_of(Some(client), id)
            && let (Some(lives), Some(nameless)) = (asked.lives.get_mut(servent), asked.nameless.get_mut(servent))
        {
            *lives += u32::from(is_first);
            *nameless |= !says_who;
            if let Some(stood_for) = asked.stood_for.get_mut(servent) {
                *stood_for -= u32::from(was_stood_for);
            }
        }
        if !is_first && now < forgets_from && !self.is_loose(id) && !self.may_have_come_anew(servent, client, id) {
            self.broke(now, &format!("s{servent} answers query {id} twice"));
        }
    }

    /// A TP3 client that says hello counts from zero again, so its contact forgets what it has asked; and if that was
    /// said by a forger before the hello was read, it is answered again.
    fn may_have_come_anew(&mut self, servent: usize, client: usize, id: QueryId) -> bool {
        let is_forged = self.query_of(Some(client), id).is_none_or(|asked| asked.is_forged);
        let Some(query) = self.by_client.get(client).copied().flatten() else { return false };
        let counts_from_zero = self.dialect_of(query) != Dialect::OWN;
        counts_from_zero && self.contact_of(query) == Some(servent) && is_forged
    }

    // ---- what clients are told ----

    /// A client reports something of the query that it calls by this number.
    pub(super) fn on_told_of(&mut self, now: Nanos, query: usize, sequence: u64) {
        let Some(asked) = self.queries.get(query) else { return };
        if asked.sequence.is_some_and(|own| own != sequence) {
            let text = format!("the client of {} is told of {sequence}, which it did not ask", asked.name());
            self.broke(now, &text);
        }
    }

    /// A client reports an answer.
    pub(super) fn on_answer(
        &mut self,
        now: Nanos,
        query: usize,
        from: Option<usize>,
        hops: Option<u8>,
        body: &AnswerBody,
        place: Option<&ToldPlace>,
    ) {
        let scene = self.scene;
        let is_loose = self.queries.get(query).and_then(Tracked::id).is_some_and(|id| self.is_loose(id));
        let Some(asked) = self.queries.get_mut(query) else { return };
        asked.heard = now;
        let name = asked.name();
        let Some(from) = from else {
            asked.heard_answers.take_of_nobody();
            asked.lies_told += 1;
            if asked.lies_told > asked.strangers.len() + asked.nameless_lies {
                self.broke(now, &format!("{name} is answered by nobody there is"));
            }
            return;
        };
        let is_nameless = asked.nameless.get(from).copied().unwrap_or(false);
        let is_stood_for = asked.is_stood_for.get(from).copied().unwrap_or(false);
        let count = |of: &[u32]| of.get(from).copied().unwrap_or(0);
        let allowed = Allowance {
            answers_max: count(&asked.lives) + count(&asked.stood_for),
            // Beside TP3 a forger can have a servent answer twice, and nobody can tell that from two who answer.
            may_come_again: (is_loose || is_stood_for) && is_nameless,
            // Where answers do not say what they answer, a forger can have another question answered in a query's name.
            may_be_false: asked.is_forged && is_nameless || is_stood_for,
            is_forged: asked.is_forged,
            is_nameless,
        };
        let demand = asked.demand(scene);
        let wrong = asked.heard_answers.take(&demand, &ToldAnswer { from, hops, body, place }, allowed);
        for what in wrong {
            self.broke(now, &format!("the answer of s{from} to {name} {what}"));
        }
    }

    pub(super) fn on_ended(&mut self, now: Nanos, query: usize, ending: &Ending) {
        self.ended_last = now;
        let Some(asked) = self.queries.get_mut(query) else { return };
        asked.ended = Some((now, *ending));
        let name = asked.name();
        let (since, silence) = (asked.heard, now.saturating_sub(asked.heard));
        if silence > nanos(SILENCE_DEFAULT) {
            let text = format!("{name} ends {silence} ns after its client last heard of it, at {since} ns");
            self.broke(now, &text);
        }
        let Some(asked) = self.queries.get(query) else { return };
        let (demand, asked_at) = (asked.demand(self.scene), asked.asked.unwrap_or(now));
        let contact = demand.contact();
        // What is demanded for the figures: of whatever no fault had anything to do with.
        let mut demanded = demand.answers(&self.reached(&demand, demand.certain_ttl(), asked_at, true));
        let answers_pass = self.clients.is_untroubled_since(asked_at);
        let contact_is_well = self.servents.get(contact).is_some_and(|fate| fate.is_untroubled_since(asked.attached));
        // Only a native client gets an answer without being dialled: that of its contact.
        let needs_no_dial = |servent: u32| servent as usize == contact && asked.dialect == Dialect::OWN;
        // What a forger said of a contact spoils what is asked there next, which is told; whether it ends is judged by the
        // queries after healing.
        let is_spoilt = self.is_forger_there && self.may_be_spoilt(asked, ending);
        let is_well = contact_is_well && !asked.is_forged && !is_spoilt;
        demanded.retain(|servent| is_well && (answers_pass || needs_no_dial(*servent)));
        let missed = asked.heard_answers.missing(&demanded);
        let mut lied_of = Vec::new();
        if ending.reason == EndReason::Complete && !asked.is_said_again {
            let ttl = demand.ttl_of_complete(&ending.tally, self.is_liar_there);
            let stood = self.reached(&demand, ttl, asked_at, false);
            lied_of = asked.heard_answers.missing(&demand.answers(&stood));
        }
        let mischief = Mischief {
            is_forged: asked.is_forged,
            is_lied_to: !asked.is_claimed && asked.is_lied_to(&self.scene.holders),
            may_doubt: self.is_forger_there || self.is_liar_there,
        };
        for what in asked.facts(self.scene, ending).what_the_ending_has_wrong(mischief, &missed, &lied_of) {
            self.broke(now, &format!("{name} {what}"));
        }
        if let Some(asked) = self.queries.get_mut(query) {
            asked.expected = demanded.len() as u64;
            asked.missed = missed;
        }
    }

    /// What a query comes to over the links that stood from then on until now; without those in trouble as well, if so asked.
    fn reached(&self, demand: &Demand<'_>, ttl: u8, since: Nanos, without_troubled: bool) -> Demanded {
        if self.scene.faults.is_empty() {
            demand.reached(ttl)
        } else {
            demand.reached_over(&self.untouched(since, without_troubled), ttl)
        }
    }

    /// Whether what a forger said of its contact may have had a query refused.
    fn may_be_spoilt(&self, asked: &Tracked, ending: &Ending) -> bool {
        // Behind a TP3 link what is refused is told to nobody, where its contact is known all the same.
        let is_named = |mark: &ContactMark| self.spoilt.get(&mark.name).is_some_and(|spoilt| mark.number < *spoilt);
        match self.scene.plan.wire {
            Wire::Tp3 => false,
            Wire::Mixed if asked.dialect != Dialect::OWN => true,
            Wire::None | Wire::Native | Wire::Mixed => {
                ending.tally.lost > 0 || asked.said.as_ref().is_some_and(|(mark, _)| is_named(mark))
            }
        }
    }

    pub(super) fn has_ended(&self, query: usize) -> bool {
        self.queries.get(query).is_none_or(|asked| asked.is_off || asked.ended.is_some())
    }

    /// Whether every session that began has ended.
    pub(super) fn all_ended(&self) -> bool {
        (0..self.queries.len()).all(|query| self.has_ended(query))
    }

    /// Whether a link came or fell while a query was under way, or while its client attached.
    pub(super) fn was_disturbed(&self, query: usize) -> bool {
        self.queries.get(query).is_some_and(|asked| asked.asked.is_none_or(|since| self.touched_last >= since))
    }

    /// What of a query is not as it must be where nothing goes wrong.
    pub(super) fn what_is_wrong(&self, query: usize) -> Vec<String> {
        let Some(asked) = self.queries.get(query) else { return Vec::new() };
        let (Some((_, ending)), Some(_)) = (asked.ended, asked.asked) else {
            return vec!["its contact did not take it".to_owned()];
        };
        asked.facts(self.scene, &ending).what_is_not_exact()
    }

    /// Judges what can only be judged at the end, and tells what all came to.
    pub(super) fn on_end(&mut self, now: Nanos, outcome: &mut RunOutcome) {
        for query in 0..self.queries.len() {
            let Some(asked) = self.queries.get(query) else { continue };
            let name = asked.name();
            if asked.asked.is_some() && asked.ended.is_none() {
                self.broke(now, &format!("{name} never ends"));
                continue;
            }
            if asked.is_probe {
                continue;
            }
            if self.scene.faults.is_empty() {
                let wrong = self.what_is_wrong(query);
                if !wrong.is_empty() {
                    self.broke(now, &format!("{name}, on a healthy overlay: {}", wrong.join("; ")));
                }
            }
            let Some(asked) = self.queries.get(query) else { continue };
            let Some((_, ending)) = asked.ended else { continue };
            outcome.queries += 1;
            outcome.expected += asked.expected;
            outcome.missed += asked.missed.len() as u64;
            asked.facts(self.scene, &ending).add_to(outcome);
        }
    }
}

/// Where a link stands among the neighbors of its smaller end.
fn place_of(graph: &Graph, a: usize, b: usize) -> Option<usize> {
    let (small, large) = (a.min(b), a.max(b));
    if large >= graph.servents() {
        return None;
    }
    let place = graph.neighbors(small).binary_search(&number(large)).ok()?;
    Some(graph.range(small).start + place)
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use common::address::AnswerAddress;
    use common::dialect::Dialect;
    use common::key::Key;
    use common::query::{Path, Tally};

    use super::super::super::faults::Fault;
    use super::super::super::plan::Delays;
    use super::super::tests::chain;
    use super::*;

    const CLIENT: usize = 3;

    fn client() -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(11, 0, 0, 0), 7000))
    }

    fn id() -> QueryId {
        QueryId { sequence: 5, client: client() }
    }

    /// The chain of three, in which some fault is to come.
    fn troubled() -> Scene {
        let fault = Fault {
            number: 0,
            kind: FaultKind::LinkDown,
            at: Duration::from_secs(1),
            lasts: Duration::from_secs(1),
            servents: vec![1, 2],
            one_way: false,
        };
        Scene { faults: vec![fault], ..chain() }
    }

    /// A witness who has seen both links stand, and the query asked at the first after a second.
    fn asked(scene: &Scene) -> Witness<'_> {
        let mut witness = Witness::new(scene);
        witness.on_link_stands(1, 0, 1);
        witness.on_link_stands(1, 2, 1);
        assert!(witness.all_links_stand());
        witness.has_risen = true;
        let query = witness.on_announced(scene.queries[0], false);
        witness.on_attaching(SECOND / 2, query, CLIENT, client());
        assert!(!witness.on_ready(query));
        assert!(witness.begin_asking(SECOND, query));
        witness.on_request(query, id().sequence);
        witness
    }

    /// A copy of that query by somebody who did not ask it.
    fn forged(contact: Option<ContactMark>, ask: Ask) -> Query {
        let client = AnswerAddress { socket: client(), dialect: Dialect::Native };
        Query { sequence: id().sequence, client, contact, ttl: 3, hops: 1, ask, path: Path::default() }
    }

    /// A copy of it as servents pass it on.
    fn copy(ttl: u8, hops: u8) -> Query {
        Query { ttl, hops, ..forged(None, Ask::Topology) }
    }

    fn value(of: usize) -> AnswerBody {
        AnswerBody::Value(format!("of {of}").into_bytes())
    }

    fn complete(answers: u64) -> Ending {
        let tally = Tally { reached: 3, answers, copies: 2, ..Tally::default() };
        let elapsed = Duration::from_millis(100);
        Ending { reason: EndReason::Complete, answers, missing: 0, doubtful: false, tally, tally_told: true, elapsed }
    }

    #[track_caller]
    fn assert_broke(witness: &Witness<'_>, what: &[&str]) {
        let matches = witness.broken.len() == what.len()
            && witness.broken.iter().zip(what).all(|(text, what)| text.contains(what));
        assert!(matches, "{:?}, not {what:?}", witness.broken);
    }

    #[test]
    fn what_is_well_is_well() {
        let scene = chain();
        let mut witness = asked(&scene);
        for (servent, link, ttl, hops) in [(0, 0, 3, 1), (1, 2, 2, 2)] {
            witness.on_copy(SECOND, servent, LinkId(link), Dialect::OWN, Some(CLIENT), &copy(ttl, hops));
            witness.on_echo(Some(CLIENT), id());
        }
        witness.on_answer_said(SECOND, (2, 1), CLIENT, id(), true);
        witness.on_answer(SECOND + 1, 0, Some(2), Some(2), &value(2), None);
        witness.on_ended(SECOND + 2, 0, &complete(1));
        let mut outcome = RunOutcome::default();
        witness.on_end(SECOND + 3, &mut outcome);
        assert_broke(&witness, &[]);
        assert_eq!((outcome.queries, outcome.expected, outcome.missed, outcome.answers), (1, 1, 0, 1));
        assert_eq!((outcome.hops_sum, outcome.hops_most), (2, 2));
    }

    #[test]
    fn a_second_answer_of_the_same_life_is_noticed() {
        let scene = chain();
        let mut witness = asked(&scene);
        witness.on_answer_said(SECOND, (2, 1), CLIENT, id(), true);
        witness.on_answer_said(SECOND, (2, 3), CLIENT, id(), true);
        witness.on_answer_said(SECOND, (2, 1), CLIENT, QueryId { sequence: 6, ..id() }, true);
        assert_broke(&witness, &[]);
        witness.on_answer_said(2 * SECOND, (2, 1), CLIENT, id(), true);
        assert_broke(&witness, &["s2 answers query"]);
        witness.on_answer_said(1_000 * SECOND, (2, 1), CLIENT, id(), true);
        assert_broke(&witness, &["s2 answers query", "s2 answers query"]);
    }

    #[test]
    fn a_second_copy_and_one_that_goes_too_far_are_noticed() {
        let scene = chain();
        let mut witness = asked(&scene);
        witness.on_copy(SECOND, 0, LinkId(0), Dialect::OWN, Some(CLIENT), &copy(2, 1));
        witness.on_copy(SECOND, 0, LinkId(0), Dialect::OWN, Some(CLIENT), &copy(3, 1));
        witness.on_copy(SECOND, 0, LinkId(2), Dialect::OWN, Some(CLIENT), &copy(3, 1));
        assert_broke(&witness, &[]);
        witness.on_copy(SECOND, 0, LinkId(0), Dialect::OWN, Some(CLIENT), &copy(2, 1));
        witness.on_copy(SECOND, 0, LinkId(4), Dialect::OWN, Some(CLIENT), &copy(3, 2));
        // Of a forged one only what the overlay allows anybody is claimed.
        witness.on_forged(Some(CLIENT), &forged(None, Ask::Topology));
        witness.on_copy(SECOND, 0, LinkId(6), Dialect::OWN, Some(CLIENT), &copy(6, 2));
        witness.on_copy(SECOND, 0, LinkId(8), Dialect::OWN, None, &copy(8, 2));
        assert_broke(&witness, &["a second time", "more than it began with", "more than it began with"]);
    }

    #[test]
    fn answers_that_are_not_true_are_noticed() {
        let scene = chain();
        let mut witness = asked(&scene);
        witness.on_answer(SECOND, 0, Some(2), Some(2), &value(1), None);
        witness.on_answer(SECOND, 0, Some(1), Some(1), &value(1), None);
        witness.on_answer(SECOND, 0, None, Some(1), &value(1), None);
        assert_broke(&witness, &["s2 to query 0 is not true", "s1 to query 0 is not true", "nobody"]);
        let mut witness = asked(&scene);
        witness.on_answer(SECOND, 0, Some(2), Some(5), &value(2), None);
        assert_broke(&witness, &["5 hops far"]);
    }

    #[test]
    fn what_is_told_of_another_query_is_noticed() {
        let scene = chain();
        let mut witness = asked(&scene);
        witness.on_told_of(SECOND, 0, id().sequence);
        assert_broke(&witness, &[]);
        witness.on_told_of(SECOND, 0, id().sequence + 1);
        assert_broke(&witness, &["the client of query 0 is told of"]);
    }

    #[test]
    fn an_answer_that_comes_again_is_noticed_and_one_of_another_life_is_another() {
        let scene = chain();
        let mut witness = asked(&scene);
        for life in [1, 2] {
            witness.on_answer_said(SECOND, (2, life), CLIENT, id(), true);
            witness.on_answer(SECOND, 0, Some(2), Some(2), &value(2), None);
        }
        assert_broke(&witness, &[]);
        witness.on_answer(SECOND, 0, Some(2), Some(2), &value(2), None);
        assert_broke(&witness, &["the answer of s2 to query 0 came again"]);
        assert_eq!(witness.queries[0].heard_answers.doubled(), 1);
    }

    #[test]
    fn complete_without_a_holder_is_noticed() {
        let scene = troubled();
        let mut witness = asked(&scene);
        witness.on_ended(SECOND + 1, 0, &complete(0));
        let missed = "missed [2], which no fault had anything to do with";
        assert_broke(&witness, &["complete, and yet it missed [2]", missed]);
        assert_eq!((witness.queries[0].expected, witness.queries[0].missed.len()), (1, 1));
        // It is missed however the query ended.
        let mut witness = asked(&scene);
        witness.on_ended(SECOND + 1, 0, &Ending { reason: EndReason::Silence, ..complete(0) });
        assert_broke(&witness, &[missed]);
    }

    /// Whatever is forged of a query, "complete" is claimed of it; only who says the very thing again may have hurried ahead.
    #[test]
    fn complete_is_no_lie_beside_a_forger_that_changes_something() {
        let scene = troubled();
        let mark = ContactMark { name: ContactName(7), number: 3, open_from: 3 };
        let key = |text: &[u8]| Ask::Key(Key::new(text).unwrap());
        let lie = "complete, and yet it missed [2]";
        for (contact, ask, breaks) in [
            (Some(mark), key(b"milk"), &[lie][..]),
            (Some(mark), Ask::Topology, &[lie]),
            (None, Ask::Topology, &[lie]),
            (Some(ContactMark { name: ContactName(8), ..mark }), key(b"tea"), &[lie]),
            (Some(ContactMark { number: 4, ..mark }), key(b"tea"), &[lie]),
            (Some(ContactMark { open_from: 2, ..mark }), key(b"tea"), &[]),
            (None, key(b"tea"), &[]),
        ] {
            let mut witness = asked(&scene);
            witness.on_mark(0, Some(CLIENT), &forged(Some(mark), key(b"tea")));
            witness.on_forged(Some(CLIENT), &forged(contact, ask));
            witness.on_ended(SECOND + 1, 0, &complete(0));
            assert_broke(&witness, breaks);
        }
    }

    fn silence(answers: u64, doubtful: bool) -> Ending {
        Ending { reason: EndReason::Silence, answers, doubtful, ..complete(1) }
    }

    /// A witness of a query that its holder answers, and that a forger is there to answer too.
    fn lied_to(scene: &Scene) -> Witness<'_> {
        let mut witness = asked(scene);
        witness.is_forger_there = true;
        witness.on_answer_said(SECOND, (2, 1), CLIENT, id(), true);
        witness.on_answer(SECOND, 0, Some(2), Some(2), &value(2), None);
        witness
    }

    #[test]
    fn a_forged_answer_is_told_once_under_each_name_and_then_nothing_is_complete() {
        let scene = troubled();
        let lie = AnswerBody::Value(b"a lie".to_vec());
        let mut witness = lied_to(&scene);
        witness.on_lie(CLIENT, id(), Pretence::Stranger(ServentId(7)));
        witness.on_lie(CLIENT, id(), Pretence::Stranger(ServentId(7)));
        witness.on_answer(SECOND, 0, None, Some(2), &lie, None);
        witness.on_ended(SECOND + 1, 0, &silence(2, true));
        assert_broke(&witness, &[]);
        witness.on_ended(SECOND + 1, 0, &silence(2, false));
        witness.on_ended(SECOND + 1, 0, &complete(1));
        let told = ["doubtful false", "with an answer of nobody whom its contact counts"];
        assert_broke(&witness, &told);
        witness.on_answer(SECOND, 0, None, Some(2), &lie, None);
        assert_broke(&witness, &[told[0], told[1], "answered by nobody there is"]);
        // What it says of itself is its own affair.
        let mut witness = lied_to(&scene);
        witness.on_lie(CLIENT, id(), Pretence::Stranger(ServentId(7)));
        witness.on_claimed(CLIENT, id());
        witness.on_answer(SECOND, 0, None, Some(2), &lie, None);
        witness.on_ended(SECOND + 1, 0, &complete(2));
        // One that is under no name is none that is counted.
        let mut nameless = lied_to(&scene);
        nameless.on_lie(CLIENT, id(), Pretence::Nobody);
        nameless.on_answer(SECOND, 0, None, None, &lie, None);
        nameless.on_ended(SECOND + 1, 0, &complete(1));
        for witness in [witness, nameless] {
            assert_broke(&witness, &[]);
        }
    }

    #[test]
    fn a_forged_answer_in_the_name_of_a_servent_takes_the_place_of_its_own() {
        let scene = troubled();
        let lie = AnswerBody::Value(b"a lie".to_vec());
        // In the name of one that answers nobody can notice it, and of one that does not its contact counts it not.
        for (servent, breaks) in [(2, &[][..]), (1, &["with an answer of nobody whom its contact counts"])] {
            let mut witness = asked(&scene);
            witness.is_forger_there = true;
            witness.on_lie(CLIENT, id(), Pretence::Servent(servent, 1));
            witness.on_answer(SECOND, 0, Some(servent), Some(2), &lie, None);
            witness.on_answer_said(SECOND, (2, 1), CLIENT, id(), true);
            if servent != 2 {
                witness.on_answer(SECOND, 0, Some(2), Some(2), &value(2), None);
            }
            witness.on_ended(SECOND + 1, 0, &complete(1));
            assert_broke(&witness, breaks);
            witness.on_answer(SECOND, 0, Some(servent), Some(2), &lie, None);
            assert!(witness.broken.iter().any(|text| text.contains("came again")), "{:?}", witness.broken);
        }
    }

    #[test]
    fn nobody_doubts_where_nobody_lies() {
        let scene = troubled();
        let mut witness = asked(&scene);
        witness.on_answer(SECOND, 0, Some(2), Some(2), &value(2), None);
        witness.on_ended(SECOND + 1, 0, &silence(1, true));
        assert_broke(&witness, &["doubtful true"]);
    }

    #[test]
    fn complete_beside_a_neighbor_that_echoes_nothing_is_noticed() {
        let scene = chain();
        for (dialect, breaks) in
            [(Dialect::OWN, &[][..]), (Dialect::Tp3, &["1 of its copies went where nobody echoes"])]
        {
            let mut witness = asked(&scene);
            witness.on_copy(SECOND, 1, LinkId(2), dialect, Some(CLIENT), &copy(2, 2));
            witness.on_answer(SECOND, 0, Some(2), Some(2), &value(2), None);
            witness.on_ended(SECOND + 1, 0, &complete(1));
            assert_broke(&witness, breaks);
        }
    }

    /// The chain, of which the one in the middle passes on once, and answers take their time.
    fn shadowed(ttl: u8, holders: &[u32]) -> Scene {
        let mut scene = Scene { forward_once: vec![false, true, false], holders: holders.to_vec(), ..troubled() };
        scene.plan.delays = Delays::Heavy;
        scene.ttls.fill(ttl);
        scene
    }

    #[test]
    fn where_one_way_may_shadow_another_neighbors_are_demanded_and_whoever_is_there_if_nothing_was_stopped() {
        let stopped = Ending { tally: Tally { stopped: 1, ..complete(0).tally }, ..complete(0) };
        for (holders, ending, breaks) in [
            (&[2][..], stopped, &[][..]),
            (&[2], complete(0), &["complete, and yet it missed [2]"]),
            (&[1], stopped, &["complete, and yet it missed [1]", "missed [1], which no fault"]),
        ] {
            let scene = shadowed(3, holders);
            let mut witness = asked(&scene);
            witness.on_ended(SECOND + 1, 0, &ending);
            assert_broke(&witness, breaks);
        }
        // Whoever may lie of what came of a copy may say that nothing was stopped.
        let mut scene = shadowed(3, &[2]);
        scene.faults[0].kind = FaultKind::Hostile;
        let mut witness = asked(&scene);
        witness.on_ended(SECOND + 1, 0, &complete(0));
        assert_broke(&witness, &[]);
        // Beyond any way there is the TTL ends nothing.
        let scene = Scene { faults: Vec::new(), ..shadowed(1, &[2]) };
        let mut witness = asked(&scene);
        witness.on_ended(SECOND + 1, 0, &stopped);
        assert_broke(&witness, &["complete, and yet it missed [2]", "missed [2], which no fault"]);
    }

    #[test]
    fn beside_tp3_what_a_contact_is_said_to_have_open_no_more_may_come_again() {
        let mark = ContactMark { name: ContactName(7), number: 3, open_from: 3 };
        let carried = |mark| Query { contact: Some(mark), ..copy(3, 1) };
        for (wire, open_from, breaks) in [
            (Wire::Native, 4, &["a second time", "twice"][..]),
            (Wire::Mixed, 3, &["a second time", "twice"]),
            (Wire::Mixed, 4, &[]),
        ] {
            let mut scene = chain();
            scene.plan.wire = wire;
            let mut witness = asked(&scene);
            for turn in 0..2 {
                witness.on_copy(SECOND, 1, LinkId(2), Dialect::OWN, Some(CLIENT), &carried(mark));
                witness.on_answer_said(SECOND, (2, 1), CLIENT, id(), true);
                if turn == 0 {
                    let ahead = ContactMark { number: 9, open_from, ..mark };
                    witness.on_forged(None, &Query { sequence: 6, ..carried(ahead) });
                }
            }
            assert_broke(&witness, breaks);
        }
    }

    #[test]
    fn where_tp3_is_spoken_a_query_may_be_forgotten_for_its_age_and_not_before() {
        for (wire, breaks) in [(Wire::Native, 2), (Wire::Tp3, 1), (Wire::Mixed, 1)] {
            let mut scene = chain();
            scene.plan.wire = wire;
            let mut witness = asked(&scene);
            let age = nanos(SEEN_TP3_AGE_MAX);
            for now in [SECOND, SECOND + age - 1, SECOND + age] {
                witness.on_answer_said(now, (2, 1), CLIENT, id(), false);
            }
            assert_eq!(witness.broken.len(), breaks, "{wire}: {:?}", witness.broken);
        }
    }

    #[test]
    fn only_an_answer_that_says_nothing_of_who_gives_it_may_come_again_beside_a_forger() {
        for (says_who, breaks) in [(true, &["came again"][..]), (false, &[])] {
            let scene = chain();
            let mut witness = asked(&scene);
            witness.on_forged(Some(CLIENT), &forged(None, scene_ask()));
            witness.on_answer_said(SECOND, (2, 1), CLIENT, id(), says_who);
            for _ in 0..2 {
                witness.on_answer(SECOND, 0, Some(2), Some(2), &value(2), None);
            }
            assert_broke(&witness, breaks);
        }
    }

    fn scene_ask() -> Ask {
        Ask::Key(Key::new(b"tea").unwrap())
    }

    #[test]
    fn a_holder_behind_a_link_that_fell_may_be_missing() {
        let scene = troubled();
        for begins_anew in [false, true] {
            let mut witness = asked(&scene);
            witness.on_link_falls(SECOND + 1, 1, 2, true);
            if begins_anew {
                witness.on_link_stands(SECOND + 2, 1, 2);
            }
            witness.on_ended(SECOND + 3, 0, &complete(0));
            assert_broke(&witness, &[]);
            assert_eq!(witness.queries[0].expected, 0);
            assert!(witness.was_disturbed(0));
        }
    }

    #[test]
    fn a_fault_that_fells_nothing_excuses_no_lie_and_counts_as_no_miss() {
        let scene = troubled();
        let mut witness = asked(&scene);
        witness.trouble_servent(SECOND + 1, 2, true);
        witness.on_ended(SECOND + 3, 0, &complete(0));
        assert_broke(&witness, &["complete, and yet it missed [2]"]);
        assert_eq!(witness.queries[0].expected, 0);
    }

    #[test]
    fn a_tally_that_is_not_whole_is_not_complete() {
        let scene = troubled();
        let mut witness = asked(&scene);
        witness.on_answer(SECOND, 0, Some(2), Some(2), &value(2), None);
        let lossy = Ending { tally: Tally { lost: 1, ..complete(1).tally }, ..complete(1) };
        witness.on_ended(SECOND + 1, 0, &lossy);
        assert_broke(&witness, &["its tally does not say so"]);
    }

    #[test]
    fn sessions_that_end_late_or_never_are_noticed() {
        let scene = troubled();
        let silence = nanos(SILENCE_DEFAULT);
        let quiet = Ending { reason: EndReason::Silence, tally: Tally { lost: 1, ..Tally::default() }, ..complete(1) };
        let answered = || {
            let mut witness = asked(&scene);
            witness.on_answer(SECOND, 0, Some(2), Some(2), &value(2), None);
            witness
        };
        let mut witness = answered();
        witness.on_ended(SECOND + silence, 0, &quiet);
        assert_broke(&witness, &[]);
        let mut witness = answered();
        witness.on_ended(SECOND + silence + 1, 0, &quiet);
        assert_broke(&witness, &["after its client last heard"]);
        let mut witness = asked(&scene);
        witness.on_end(60 * SECOND, &mut RunOutcome::default());
        assert_broke(&witness, &["query 0 never ends"]);
    }

    #[test]
    fn limits_and_links_are_watched() {
        let scene = chain();
        let mut witness = asked(&scene);
        let held = |name, value| [Holding { name, help: "of these", value, limit: Some(5) }].into_iter();
        witness.check_holdings(SECOND, 1, held("pending", 5));
        assert_broke(&witness, &[]);
        witness.check_holdings(SECOND, 1, held("pending", 6));
        witness.on_link_stands(SECOND, 0, 2);
        witness.on_link_falls(SECOND, 0, 1, true);
        assert_broke(
            &witness,
            &["s1 has 6 of these, and 5 are the most", "nobody listed the other", "nothing befell it"],
        );
        assert!(witness.missing_links().contains("no link between s0 and s1"));
    }

    #[test]
    fn what_is_not_forgotten_is_noticed() {
        let scene = chain();
        let mut witness = asked(&scene);
        let held = |name, value, limit| Holding { name, help: "of these", value, limit };
        witness.check_forgotten(SECOND, 1, [held("neighbors", 5, Some(9)), held("queries", 7, None)].into_iter());
        witness.check_forgotten(SECOND, 1, [held("seen", 0, Some(9))].into_iter());
        assert_broke(&witness, &[]);
        witness.check_forgotten(SECOND, 1, [held("seen", 1, Some(9))].into_iter());
        assert_broke(&witness, &["s1 still has 1 of these"]);
    }

    #[test]
    fn a_healthy_query_must_be_exact() {
        let scene = chain();
        let mut witness = asked(&scene);
        witness.on_answer(SECOND, 0, Some(2), Some(2), &value(2), None);
        witness.on_ended(SECOND + 1, 0, &Ending { tally: Tally { reached: 2, ..complete(1).tally }, ..complete(1) });
        let wrong = witness.what_is_wrong(0).join("; ");
        assert_eq!(wrong, "it reached 2, not 3; 2 copies told, 0 sent");
    }
}
