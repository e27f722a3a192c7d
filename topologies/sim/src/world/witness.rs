//! What must hold, at every event and at the end: told what happens, it says what broke.
//!
//! It knows the scene and the oracle, and nothing of the code it judges. Here is who is told; each claim stands where it is
//! watched:
//!
//! - `links`: a link stands between those who listed each other, and does not fall for nothing.
//! - `queries`: a client is told of nothing but what it asked.
//! - `flood`: the same copy crosses a link once, and none goes further than it may.
//! - `answers`: nobody answers twice, and every answer that is told is true.
//! - `called`: whoever answers is told by its own name.
//! - `broughts`: an answer that goes back goes the way of the echoes, ahead of them.
//! - `lies`: a forged answer is told once under each name, and none that nobody brought.
//! - `endings`: every session ends in time, what its ending claims is so, and nobody is missed for no reason.
//! - `holdings`: nobody holds more than it may, and in the end nothing but its links.
//! - `members`: nobody who lives is called dead, and in the end all know who is there.
//! - `tellings`: what is told and asked of members keeps its paces.
//! - `greetings`: whoever has somebody greeted is told what is so, and nobody dies of it.
//! - `shared`: what is said of files is what a disk showed, and no more of them waits to be sent than may.
//! - `writes`: nobody is told of what is not on a disk, and what was acknowledged stays.
//! - `published`: nothing is given but what is published, where only that is offered.
//! - `reports`: whoever writes reports what its servent said to it.
//! - `fetches`: nothing false is written, and whatever somebody has comes whole.
//!
//! What the claims must leave out, since a hostile servent had a hand in it, is known to `forgeries`.

mod answers;
mod broughts;
mod called;
mod endings;
mod fetches;
mod flood;
mod forgeries;
mod greetings;
mod holdings;
mod lies;
mod links;
mod members;
mod published;
mod queries;
mod reports;
mod shared;
mod tellings;
mod writes;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use common::content::ContentHash;
use common::content::search::{Entry, List, ListPart};
use common::content::transfer::Open;
use common::dialect::Dialect;
use common::disk::{CommitFailure, SharedContent};
use common::fetch;
use common::link::LinkId;
use common::member::{Peers, PeersWanted, Word};
use common::message::{Brought, Echo, Identity, Message, ServentId};
use common::overlay::Holding;
use common::query::{AnswerBody, Ask, BroughtAnswer, BroughtBody, ContactMark, ContactName, Query, QueryId, Via};
use common::session::{EndReason, Ending, GreetingEnded, WriteEnded};
use common::store::Store;
use common::write::{Changed, Write, Written};
use common::written::{StoreChange, WrittenData};

use super::clock::{Nanos, SECOND, nanos};
use super::disks::DiskNews;
use super::downloads::FetchedFile;
use crate::cast::{self, Nat};
use crate::faults::Fault;
use crate::graph::number;
use crate::outcome::{GreetingCounts, MembersOutcome, RunOutcome, WritesOutcome};
use crate::plan::FaultKind;
use crate::scene::{Asking, Scene};
use crate::verdict::answer::ToldAnswer;
pub(super) use crate::verdict::answer::ToldPlace;
use crate::verdict::demand::Demand;
use answers::{Doubt, WatchedAnswers};
pub(super) use broughts::CopyHeard;
use broughts::{BroughtSaid, WatchedBroughts, ttl_max};
use endings::{Evidence, WatchedEndings};
use fetches::WatchedFetches;
use flood::{CopySent, WatchedFlood};
use forgeries::Forgeries;
use greetings::WatchedGreetings;
use lies::Lies;
pub(super) use lies::Pretence;
pub(super) use links::Befallen;
use links::WatchedLinks;
use members::WatchedMembers;
use oracle::Demanded;
use published::WatchedPublished;
use queries::{WatchedQueries, WatchedQuery};
use reports::WatchedReports;
use shared::WatchedShared;
use tellings::WatchedTellings;
use writes::WatchedWrites;

/// Broken invariants kept; whoever has so many needs no more.
const BROKEN_MAX: usize = 20;

/// What must be said of whom as things stand.
pub(super) struct JudgedWords<'w, 's> {
    members: &'w WatchedMembers<'s>,
    links: &'w WatchedLinks<'s>,
    parts: Vec<usize>,
}

impl JudgedWords<'_, '_> {
    /// What is wrong about what one says of another.
    pub(super) fn wrong(&self, pair: (usize, usize), said: Option<(Identity, Word)>) -> Option<String> {
        self.members.wrong_word(&self.parts, pair, said)
    }

    /// Whether that is broken, and not only counted: where somebody has poisoned what is told, of those alone that are linked.
    pub(super) fn is_demanded(&self, pair: (usize, usize)) -> bool {
        self.members.is_demanded(self.links, pair)
    }

    pub(super) fn living_count(&self) -> usize {
        self.members.living_count()
    }

    /// What telling members came to, as far as the witness has seen it.
    pub(super) fn figures(&self, now: Nanos) -> MembersOutcome {
        self.members.figures(now, &self.parts)
    }
}

/// The one who sees everything.
pub(super) struct Witness<'s> {
    pub(super) broken: Vec<String>,
    pub(super) seen: Evidence<'s>,
    endings: WatchedEndings,
    /// Nothing where nobody tells who is there.
    members: Option<WatchedMembers<'s>>,
    tellings: Option<WatchedTellings>,
    greetings: WatchedGreetings<'s>,
    fetches: WatchedFetches<'s>,
    pub(super) writes: WatchedWrites,
    reports: WatchedReports,
    published: WatchedPublished,
    /// The overlay has stood.
    pub(super) has_risen: bool,
    /// When a link last came or fell.
    pub(super) touched_last: Nanos,
    /// When a session last ended.
    pub(super) ended_last: Nanos,
}

impl<'s> Witness<'s> {
    /// One who has seen nothing yet. Where pipes are narrow it is told so.
    pub(super) fn new(scene: &'s Scene, is_narrow: bool) -> Witness<'s> {
        let seen = Evidence {
            scene,
            is_narrow,
            is_forger_there: scene.faults.iter().any(|fault| fault.kind == FaultKind::Forger),
            links: WatchedLinks::new(scene),
            queries: WatchedQueries::default(),
            forgeries: Forgeries::new(scene.plan.wire),
            flood: WatchedFlood::new(scene),
            lies: Lies::default(),
            answers: WatchedAnswers::default(),
            broughts: WatchedBroughts::default(),
            shared: WatchedShared::new(scene),
        };
        Witness {
            broken: Vec::new(),
            seen,
            endings: WatchedEndings::new(scene),
            members: scene.plan.with_members.then(|| WatchedMembers::new(scene)),
            tellings: scene.plan.with_members.then(|| WatchedTellings::new(scene.graph.servents())),
            greetings: WatchedGreetings::new(scene),
            fetches: WatchedFetches::new(scene),
            writes: WatchedWrites::default(),
            reports: WatchedReports::default(),
            published: WatchedPublished::default(),
            has_risen: false,
            touched_last: 0,
            ended_last: 0,
        }
    }

    pub(super) fn broke(&mut self, now: Nanos, text: &str) {
        if self.broken.len() < BROKEN_MAX {
            self.broken.push(format!("at {}.{:06} s: {text}", now / SECOND, now % SECOND / 1_000));
        }
    }

    fn broke_all(&mut self, now: Nanos, texts: impl IntoIterator<Item = String>) {
        for text in texts {
            self.broke(now, &text);
        }
    }

    // ---- what is held ----

    /// Whether a mind holds no more of anything than it may.
    pub(super) fn check_holdings(&mut self, now: Nanos, servent: usize, holdings: impl Iterator<Item = Holding>) {
        self.broke_all(now, holdings::too_many(servent, holdings));
    }

    /// Whether a mind has forgotten all that was, but who is linked with it.
    pub(super) fn check_forgotten(&mut self, now: Nanos, servent: usize, holdings: impl Iterator<Item = Holding>) {
        self.broke_all(now, holdings::not_forgotten(servent, holdings));
    }

    // ---- links ----

    pub(super) fn on_link_stands(&mut self, now: Nanos, a: usize, b: usize) {
        self.touched_last = now;
        let wrong = self.seen.links.on_stands(now, a, b);
        self.broke_all(now, wrong);
    }

    /// A connection between two servents has gone, at one of its ends at least; it may not have stood.
    pub(super) fn on_link_falls(&mut self, now: Nanos, a: usize, b: usize, was_standing: bool) {
        self.touched_last = now;
        let wrong = self.seen.links.on_falls(now, (a, b), was_standing, self.has_risen);
        self.broke_all(now, wrong);
    }

    pub(super) fn trouble(&mut self, now: Nanos, whom: Befallen, begins: bool) {
        if !self.seen.links.trouble(now, whom, begins) {
            self.broke(now, &format!("a fault is over that did not begin: {whom:?}"));
        }
    }

    // ---- who is there ----

    /// The overlay stands for the first time.
    pub(super) fn on_risen(&mut self, now: Nanos) {
        self.has_risen = true;
        if let Some(members) = &mut self.members {
            members.on_risen(now);
        }
    }

    /// A servent begins to live.
    pub(super) fn on_born(&mut self, now: Nanos, servent: usize, life: u32) {
        self.seen.shared.on_born(now, servent);
        self.greetings.on_born(servent);
        if let Some(members) = &mut self.members {
            members.on_born(servent, life);
        }
        if let Some(tellings) = &mut self.tellings {
            tellings.on_born(servent);
        }
    }

    /// A servent dies, for good or not.
    pub(super) fn on_died(&mut self, now: Nanos, servent: usize, is_for_good: bool) {
        if is_for_good {
            self.seen.links.on_gone(servent);
        }
        if let Some(members) = &mut self.members {
            members.on_died(now, &self.seen.links, servent, is_for_good);
        }
        self.greetings.on_died(now, servent);
        self.writes.on_died(servent);
        self.published.on_died(servent);
    }

    /// A dial to somebody is refused, whether it is there or not.
    pub(super) fn on_refused(&mut self, now: Nanos, servent: usize) {
        if let Some(members) = &mut self.members {
            members.on_refused(now, servent);
        }
    }

    /// A servent has heard something that its mind is told next.
    pub(super) fn on_heard(&mut self, servent: usize, link: LinkId, message: &Message) {
        if let Some(tellings) = &mut self.tellings {
            tellings.on_heard(servent, link, message);
        }
        if let Message::Peers(peers) = message {
            let gone = peers.members.iter().filter(|member| !member.word.is_online());
            for of in gone.filter_map(|member| cast::servent_at(member.address)) {
                self.greetings.on_told_gone(servent, of);
            }
        }
    }

    /// A servent tells a neighbor of members, or whom it visits.
    pub(super) fn on_members_told(
        &mut self,
        now: Nanos,
        speaker: usize,
        (link, visited): (LinkId, Option<usize>),
        peers: &Peers,
    ) {
        let wrong = match (visited, &mut self.tellings) {
            (Some(visited), _) => {
                let wrong = self.greetings.on_page((speaker, visited)).into_iter();
                wrong.chain(tellings::too_many(speaker, peers)).collect()
            }
            (None, Some(tellings)) => tellings.on_told(now, speaker, link, peers),
            (None, None) => Vec::new(),
        };
        self.broke_all(now, wrong);
        if let Some(members) = &mut self.members {
            let wrong = members.on_told(now, &self.seen.links, speaker, &peers.members);
            self.broke_all(now, wrong);
        }
    }

    /// A servent asks a neighbor for a page of members, or whom it visits.
    pub(super) fn on_members_wanted(
        &mut self,
        now: Nanos,
        speaker: usize,
        (link, visited): (LinkId, Option<usize>),
        wanted: PeersWanted,
    ) {
        let wrong = match visited {
            Some(visited) => self.greetings.on_asked((speaker, visited)),
            None => self.tellings.as_mut().and_then(|tellings| tellings.on_asked(now, speaker, link, wanted)),
        };
        self.broke_all(now, wrong);
    }

    /// A client asks its contact to greet somebody.
    pub(super) fn on_greet(&mut self, now: Nanos, contact: usize, whom: Option<usize>) {
        if let Some(whom) = whom {
            self.greetings.on_greet(now, (contact, whom));
        }
    }

    /// What came of all greetings, where there were to be any.
    pub(super) fn greeting_counts(&self) -> Option<GreetingCounts> {
        self.greetings.counts()
    }

    /// It hears what came of it, or waits no longer.
    pub(super) fn on_greeting_over(&mut self, now: Nanos, pair: (usize, usize), greeting: &GreetingEnded) {
        let wrong = self.greetings.on_over(&self.seen.links, pair, cast::servent_address(pair.1), greeting);
        self.broke_all(now, wrong);
    }

    /// A mind has dealt with something: what it says of whoever is at an address.
    pub(super) fn check_words(
        &mut self,
        now: Nanos,
        servent: usize,
        word_of: impl Fn(SocketAddr) -> Option<(Identity, Word)>,
    ) {
        if let Some(tellings) = &mut self.tellings {
            tellings.on_handled(servent);
        }
        if let Some(members) = &mut self.members {
            let wrong = members.on_handled(now, &self.seen.links, servent, word_of);
            self.broke_all(now, wrong);
        }
    }

    /// Whose words are judged, and by what.
    pub(super) fn words(&self) -> Option<JudgedWords<'_, 's>> {
        let members = self.members.as_ref()?;
        Some(JudgedWords { members, links: &self.seen.links, parts: members.parts_now(&self.seen.links) })
    }

    // ---- queries come ----

    pub(super) fn on_announced(&mut self, asking: Asking, is_probe: bool) -> usize {
        self.seen.answers.on_announced();
        self.seen.queries.on_announced(self.seen.scene, asking, is_probe)
    }

    pub(super) fn contact_of(&self, query: usize) -> Option<usize> {
        Some(self.seen.queries.get(query)?.contact())
    }

    pub(super) fn dialect_of(&self, query: usize) -> Dialect {
        self.seen.queries.get(query).map_or(Dialect::OWN, |asked| asked.dialect)
    }

    /// Whether the client of a query hears answers.
    pub(super) fn hears_answers(&self, query: usize) -> bool {
        self.seen.queries.get(query).is_none_or(|asked| !asked.demand(self.seen.scene).is_deaf())
    }

    /// What keeps everybody from dialling the client of a query, if anything does.
    pub(super) fn nat_of(&self, query: usize) -> Option<Nat> {
        self.seen.queries.get(query)?.demand(self.seen.scene).nat()
    }

    pub(super) fn client_of(&self, query: usize) -> Option<usize> {
        self.seen.queries.get(query)?.client()
    }

    pub(super) fn is_topology(&self, query: usize) -> bool {
        self.seen.queries.get(query).is_some_and(|asked| asked.asking.topology)
    }

    /// Notes that a client asks now. False when it may not; if it is not ready it asks as soon as it is.
    pub(super) fn begin_asking(&mut self, now: Nanos, query: usize) -> bool {
        let begins = self.seen.queries.begin_asking(now, query);
        if begins {
            self.endings.on_heard(now, query);
        }
        begins
    }

    // ---- what hostile servents say ----

    /// What a hostile servent might guess: what queries are called by their contacts, by the places of those.
    pub(super) fn marks(&self) -> Vec<(usize, ContactMark)> {
        self.seen.forgeries.marks().collect()
    }

    /// The id of a query, and whose client's it is.
    pub(super) fn id_of(&self, query: usize) -> Option<(usize, QueryId)> {
        let asked = self.seen.queries.get(query)?;
        asked.client().zip(asked.id())
    }

    /// A hostile servent says that it is where this one is.
    pub(super) fn on_impersonated(&mut self, servent: usize) {
        self.greetings.on_impersonated(servent);
    }

    /// A hostile servent says a copy of this.
    pub(super) fn on_forged(&mut self, client: Option<usize>, query: &Query) {
        self.seen.forgeries.on_forged(self.seen.queries.place_of(client, query.id()), query);
    }

    /// A forger brings a client an answer that it cannot tell from others.
    pub(super) fn on_lie(&mut self, client: usize, id: QueryId, pretence: Pretence) {
        let has_answered = match pretence {
            Pretence::Servent(servent, life) => self.seen.answers.has_said(servent, life, id),
            Pretence::Nobody | Pretence::Stranger(_) => false,
        };
        self.seen.lies.on_lie(self.seen.queries.place_of(Some(client), id), id, pretence, has_answered);
    }

    /// A forger says in its echo that it has answered.
    pub(super) fn on_claimed(&mut self, client: usize, id: QueryId) {
        if let Some(query) = self.seen.queries.place_of(Some(client), id) {
            self.seen.lies.on_claimed(query);
        }
    }

    // ---- the flood ----

    /// Notes what the first copies of a query say of its contact.
    pub(super) fn on_mark(&mut self, servent: usize, client: Option<usize>, query: &Query) {
        let of = self.seen.queries.of(client, query.id()).filter(|(_, asked)| asked.contact() == servent);
        let of = of.map(|(place, _)| place);
        self.seen.forgeries.on_copy_of_contact(of, query);
        if let Some((of, mark)) = of.zip(query.contact) {
            self.seen.broughts.on_mark(of, query.id(), mark);
        }
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
        let Evidence { scene, queries, forgeries, flood, broughts, .. } = &mut self.seen;
        let id = query.id();
        let (of, asked) = queries.of(client, id).unzip();
        forgeries.on_copy(query);
        broughts.on_copy_said(link, query);
        let is_forged = of.is_some_and(|of| forgeries.is_forged(of));
        let copy = CopySent {
            servent,
            link,
            dialect,
            query,
            of,
            ttl: asked.filter(|_| !is_forged).map(|asked| asked.demand(scene).ttl),
            is_deaf: asked.filter(|_| !is_forged).is_some_and(|asked| asked.demand(scene).is_deaf()),
            // What nobody asked of a contact is forgotten while a servent is stopped for longer than its contact is remembered.
            may_be_forgotten: asked.map_or_else(
                || scene.faults.iter().any(|fault| fault.kind == FaultKind::Stop),
                |asked| asked.may_be_forgotten(scene, now),
            ),
        };
        let of_client = client.and_then(|client| queries.of_client(client));
        let wrong = flood.on_copy(&copy, || forgeries.may_be_new(id, of, servent, of_client));
        self.broke_all(now, wrong.into_iter().flatten());
    }

    pub(super) fn on_echo(&mut self, client: Option<usize>, id: QueryId) {
        if let Some(query) = self.seen.queries.place_of(client, id) {
            self.seen.flood.on_echo(query);
        }
    }

    /// A servent hears a copy.
    pub(super) fn on_copy_heard(&mut self, copy: CopyHeard<'_>, client: Option<usize>) {
        let of = self.seen.queries.place_of(client, copy.query.id());
        let ttl_max = ttl_max(self.own_ttl(copy.servent));
        self.seen.broughts.on_copy_heard(&copy, of, ttl_max);
    }

    pub(super) fn on_echo_said(&mut self, link: LinkId, echo: &Echo) {
        self.seen.broughts.on_echo_said(link, echo);
    }

    /// With which TTL a servent starts its own clients' queries.
    fn own_ttl(&self, servent: usize) -> u8 {
        self.seen.scene.ttls.get(servent).copied().unwrap_or(self.seen.scene.plan.ttl)
    }

    // ---- answers that go back ----

    pub(super) fn on_brought_heard(&mut self, servent: (usize, u32), link: LinkId, brought: &Brought) {
        self.seen.broughts.on_heard(servent, link, brought);
        if brought.answer.id == cast::servent_id(servent.0, servent.1) {
            self.seen.shared.on_brought(servent, (brought.contact, brought.number));
        }
    }

    /// A life of a servent has an answer go back over a link, one of its own or of another.
    pub(super) fn on_brought_said(&mut self, now: Nanos, servent: (usize, u32), link: LinkId, brought: &Brought) {
        let Some((query, id)) = self.seen.broughts.of(brought) else { return };
        let ttl = brought.ttl.min(ttl_max(self.own_ttl(servent.0)));
        let said = BroughtSaid { servent: servent.0, life: servent.1, query, ttl, by: brought.answer.id };
        let is_healthy = self.seen.scene.faults.is_empty();
        let (is_given, wrong) = self.seen.broughts.on_said(&said, link, id, brought.ttl, is_healthy);
        if let Some(client) = self.client_of(query).filter(|_| is_given) {
            self.on_answer_said(now, servent, client, id, true);
        }
        if !self.may_be_astray(query) {
            self.broke_all(now, wrong);
        }
    }

    /// A contact gives its client an answer that came back.
    pub(super) fn on_handed(&mut self, now: Nanos, servent: (usize, u32), client: usize, id: QueryId, by: ServentId) {
        let Some((query, asked)) = self.seen.queries.of(Some(client), id) else { return };
        let ttl = asked.demand(self.seen.scene).ttl.saturating_add(1);
        let said = BroughtSaid { servent: servent.0, life: servent.1, query, ttl, by };
        let wrong = self.seen.broughts.on_handed(&said, id);
        if !self.may_be_astray(query) {
            self.broke_all(now, wrong);
        }
    }

    /// Whether what goes back of a query may go any way, since somebody forges.
    fn may_be_astray(&self, query: usize) -> bool {
        self.seen.is_forger_there || self.seen.forgeries.is_forged(query)
    }

    // ---- answers ----

    /// A life of a servent puts an answer on a link, and says there who it is or does not.
    pub(super) fn on_answer_said(
        &mut self,
        now: Nanos,
        (servent, life): (usize, u32),
        client: usize,
        id: QueryId,
        says_who: bool,
    ) {
        let (of, asked) = self.seen.queries.of(Some(client), id).unzip();
        let is_first = self.seen.answers.on_said(of, (servent, life), id, says_who);
        self.seen.lies.on_answer_said(of, (servent, life), id);
        let is_forgotten = asked.is_some_and(|asked| asked.may_be_forgotten(self.seen.scene, now));
        let may_be_new = || self.seen.forgeries.may_be_new(id, of, servent, self.seen.queries.of_client(client));
        if !is_first && !is_forgotten && !may_be_new() {
            self.broke(now, &format!("s{servent} answers query {id} twice"));
        }
    }

    /// A client reports something of the query that it calls by this number.
    pub(super) fn on_told_of(&mut self, now: Nanos, query: usize, sequence: u64) {
        let wrong = self.seen.queries.on_told_of(query, sequence);
        self.broke_all(now, wrong);
    }

    /// A client reports an answer.
    pub(super) fn on_answer(
        &mut self,
        now: Nanos,
        query: usize,
        (from, hops, via): (Option<usize>, Option<u8>, Via),
        body: &AnswerBody,
        place: Option<&ToldPlace>,
    ) {
        let Some(asked) = self.seen.queries.get(query) else { return };
        let name = asked.name();
        self.endings.on_heard(now, query);
        let Some(from) = from else {
            self.seen.answers.on_told_of_nobody(query);
            if !self.seen.lies.on_told(query) {
                self.broke(now, &format!("{name} is answered by nobody there is"));
            }
            return;
        };
        let doubt = Doubt {
            is_forged: self.seen.forgeries.is_forged(query),
            is_loose: asked.id().is_some_and(|id| self.seen.forgeries.is_loose(id)),
            stood_for: self.seen.lies.in_the_name_of(query, from),
        };
        let answer = ToldAnswer { from, hops, via, body, place };
        let wrong = self.seen.answers.on_told(query, &asked.demand(self.seen.scene), &answer, doubt);
        self.broke_all(now, wrong.into_iter().map(|what| format!("the answer of s{from} to {name} {what}")));
    }

    /// A client reports what the servent is called that gave an answer, and whether it came in a dialect in which servents say who they
    /// are.
    pub(super) fn on_called(&mut self, now: Nanos, query: usize, (from, tells_who): (usize, bool), told: Option<&str>) {
        let (is_stood_for, _) = self.seen.lies.in_the_name_of(query, from);
        let wrong = called::wrong(self.seen.scene.plan.seed, from, tells_who, told).filter(|_| !is_stood_for);
        self.broke_all(now, wrong);
    }

    /// The same of what somebody else asked. Where anybody lies nothing is claimed of that.
    pub(super) fn on_called_elsewhere(&mut self, now: Nanos, (from, tells_who): (usize, bool), told: Option<&str>) {
        let scene = self.seen.scene;
        let is_foul = |fault: &Fault| matches!(fault.kind, FaultKind::Hostile | FaultKind::Forger);
        let wrong = called::wrong(scene.plan.seed, from, tells_who, told);
        self.broke_all(now, wrong.filter(|_| !scene.faults.iter().any(is_foul)));
    }

    /// A client reports that a value was announced, and where it cannot be had.
    pub(super) fn on_announced_value(&mut self, now: Nanos, query: usize) {
        self.endings.on_heard(now, query);
    }

    /// A client reports that an answer comes late, which is told as any other.
    pub(super) fn on_late(&mut self, now: Nanos, query: usize) {
        let wrong = self.endings.on_late(query, self.seen.scene.faults.is_empty());
        let Some(asked) = self.seen.queries.get(query) else { return };
        let name = asked.name();
        self.broke_all(now, wrong.map(|what| format!("{name} {what}")));
    }

    // ---- contents ----

    /// A disk has come to something.
    pub(super) fn on_disk(&mut self, now: Nanos, servent: usize, news: DiskNews) {
        let shared = &mut self.seen.shared;
        match news {
            DiskNews::Tells(files) => shared.on_tells(now, servent, files),
            DiskNews::TellsAgain => shared.on_tells_again(now, servent),
            DiskNews::Withdraws { name, fetch } => shared.on_withdraws(now, servent, &name, fetch),
            DiskNews::Nothing => {}
        }
    }

    /// Blocks were read to be given on a link.
    pub(super) fn on_blocks_read(&mut self, now: Nanos, link: LinkId, bytes_count: u64, left_bytes: u64) {
        let wrong = self.seen.shared.on_read(link, bytes_count, left_bytes);
        self.broke_all(now, wrong);
    }

    /// A client asks for a content, or looks for words.
    pub(super) fn on_content_asked(&mut self, now: Nanos, id: QueryId, ask: &Ask) {
        self.seen.shared.on_asked(now, id, ask);
    }

    /// It is told what somebody has.
    pub(super) fn on_content_answer(&mut self, id: QueryId, from: usize) {
        self.seen.shared.on_answer(id, from);
    }

    /// What it asked of its contact is over.
    pub(super) fn on_content_ask_ended(&mut self, now: Nanos, id: QueryId, contact: usize, ending: &Ending) {
        let Evidence { scene, links, shared, .. } = &self.seen;
        // Whoever forges or floods may have had a hand in it, and who tells of a few bytes of a hash alone is told of others.
        let is_foul = |fault: &Fault| matches!(fault.kind, FaultKind::Hostile | FaultKind::Forger);
        if ending.reason != EndReason::Complete || scene.faults.iter().any(is_foul) {
            return;
        }
        let Some(since) = shared.asked_since(id) else { return };
        let asking = Asking { number: u32::MAX, at: Duration::ZERO, contact: number(contact), topology: false };
        let demand = Demand::new(scene, asking, Dialect::OWN);
        let reached = Demanded::new(&links.untouched(since, false), contact, demand.certain_ttl());
        let missed = (0..scene.graph.servents()).filter(|servent| reached.reaches(*servent));
        let missed: Vec<usize> = missed.filter(|servent| shared.is_missed(id, *servent, since)).collect();
        if !missed.is_empty() {
            self.broke(now, &format!("query {id} is complete, and missed what {missed:?} tell of"));
        }
    }

    /// A life of a servent hears of something that is asked.
    pub(super) fn on_content_ask_heard(&mut self, now: Nanos, servent: (usize, u32), id: QueryId) {
        self.seen.shared.on_heard(now, servent, id);
    }

    /// What a query is called by its contact.
    pub(super) fn on_content_ask_named(&mut self, mark: ContactMark, id: QueryId) {
        self.seen.shared.on_named((mark.name, mark.number), id);
    }

    /// A life of a servent says what it has.
    pub(super) fn on_contents_told(&mut self, now: Nanos, servent: (usize, u32), id: QueryId, body: &AnswerBody) {
        // A forger has others hear the same query ask something else.
        let is_other = !matches!(body, AnswerBody::Entries(_)) && self.seen.is_forger_there;
        let wrong = self.seen.shared.on_answered(now, servent, id, body).filter(|_| !is_other);
        self.broke_all(now, wrong);
    }

    /// The same of an answer that goes back.
    pub(super) fn on_contents_brought(
        &mut self,
        now: Nanos,
        servent: (usize, u32),
        name: (ContactName, u64),
        answer: &BroughtAnswer,
    ) {
        let is_own =
            answer.id == cast::servent_id(servent.0, servent.1) && !self.seen.shared.was_brought(servent, name);
        if let (Some(id), BroughtBody::Whole(body), true) = (self.seen.shared.named(name), &answer.body, is_own) {
            self.on_contents_told(now, servent, id, body);
            self.on_kept_told(now, servent, id, body);
        }
    }

    /// A servent refuses a fetch.
    pub(super) fn on_fetch_refused(&mut self, servent: usize, fetch: (LinkId, u32)) {
        self.seen.shared.on_refused(servent, fetch);
        self.published.on_refused(fetch);
    }

    /// A servent hears that somebody fetches something.
    pub(super) fn on_open(&mut self, servent: usize, link: LinkId, open: Open) {
        self.published.on_open(&self.seen.shared, servent, (link, open.fetch), open.hash);
    }

    /// It says that it can be fetched.
    pub(super) fn on_opened(&mut self, now: Nanos, servent: usize, fetch: (LinkId, u32)) {
        let wrong = self.published.on_opened(&self.seen.shared, servent, fetch);
        self.broke_all(now, wrong);
    }

    /// It begins to read something of a file, to give it.
    pub(super) fn on_reads(&mut self, now: Nanos, servent: usize, content: &SharedContent) {
        let wrong = self.published.on_reads(&self.seen.shared, servent, &content.name);
        self.broke_all(now, wrong);
    }

    /// A servent is asked for its files.
    pub(super) fn on_list(&mut self, link: LinkId, list: &List) {
        self.seen.shared.on_list(link, list.list, &list.from);
    }

    /// It lists some of them.
    pub(super) fn on_list_part(&mut self, now: Nanos, servent: usize, link: LinkId, part: &ListPart) {
        let wrong = self.seen.shared.on_list_part(now, servent, (link, part.list), &part.entries);
        self.broke_all(now, wrong);
    }

    /// What is known of those who fetch.
    pub(super) fn fetches(&mut self) -> &mut WatchedFetches<'s> {
        &mut self.fetches
    }

    /// Pipes are as wide as they may be.
    pub(super) fn on_widened(&mut self, now: Nanos) {
        self.fetches.on_widened(now);
    }

    /// A life of a fetch begins.
    pub(super) fn on_fetch_begins(
        &mut self,
        now: Nanos,
        fetch: usize,
        node: usize,
        hash: ContentHash,
        file: &FetchedFile,
    ) {
        let wrong = self.fetches.on_begin(now, fetch, node, hash, file);
        self.broke_all(now, wrong);
    }

    /// Somebody who fetches is told something.
    pub(super) fn on_fetch_told(&mut self, now: Nanos, node: usize, input: &fetch::Input) {
        let wrong = self.fetches.on_told(node, input);
        self.broke_all(now, wrong);
    }

    /// Somebody who fetches wants something done.
    pub(super) fn on_fetch_wants(&mut self, now: Nanos, node: usize, output: &fetch::Output, file: &FetchedFile) {
        let wrong = self.fetches.on_wants(now, node, output, file, &self.seen);
        self.broke_all(now, wrong);
    }

    /// A fetch is given up that goes on and on.
    pub(super) fn on_endless_fetch(&mut self, now: Nanos, fetch: usize) {
        let wrong = self.fetches.on_endless(now, fetch, &self.seen);
        self.broke_all(now, wrong);
    }

    /// A client has been told of all files of its contact.
    pub(super) fn on_files_listed(&mut self, now: Nanos, fetch: usize, is_whole: bool) {
        let wrong = self.fetches.on_listed(fetch, &self.seen).filter(|_| is_whole);
        self.broke_all(now, wrong);
    }

    // ---- writes ----

    /// A servent that starts has this on its disk, where it keeps anything.
    pub(super) fn on_kept_found(
        &mut self,
        now: Nanos,
        servent: usize,
        below: &Arc<Store>,
        found: Option<(&WrittenData, bool)>,
    ) {
        let wrong = self.writes.on_born(now, servent, below, found);
        self.broke_all(now, wrong);
        self.seen.shared.on_published(now, servent, self.writes.published(servent));
    }

    /// A servent hears a write, of somebody on its host or not.
    pub(super) fn on_write(&mut self, servent: usize, link: LinkId, is_from_here: bool, write: &Write) {
        let is_shared = self.seen.shared.has_now(servent, write.change.subject());
        self.writes.on_write(servent, (link, is_from_here), write, is_shared);
    }

    /// A link of a servent is over.
    pub(super) fn on_closed(&mut self, servent: usize, link: LinkId) {
        self.writes.on_closed(servent, link);
        self.published.on_closed(link);
    }

    /// A servent puts changes on its disk.
    pub(super) fn on_commit(&mut self, now: Nanos, servent: usize, changes: &[StoreChange]) {
        let wrong = self.writes.on_commit(servent, changes);
        self.broke_all(now, wrong);
    }

    /// What came of that.
    pub(super) fn on_committed(&mut self, now: Nanos, servent: usize, committed: &Result<(), CommitFailure>) {
        self.writes.on_committed(now, servent, committed);
        self.seen.shared.on_published(now, servent, self.writes.published(servent));
        self.published.on_published(&self.seen.shared, servent);
    }

    /// A client that writes has its contact list its files.
    pub(super) fn on_contact_lists(&mut self, now: Nanos, client: usize, contact: usize) {
        self.published.on_lists(now, client, contact, self.writes.is_last());
    }

    /// It is told of some.
    pub(super) fn on_contact_files(&mut self, client: usize, entries: &[Entry]) {
        self.published.on_files(client, entries.iter().map(|entry| entry.name.as_bytes()));
    }

    /// It is told of all.
    pub(super) fn on_contact_listed(&mut self, now: Nanos, client: usize) {
        let wrong = self.published.on_listed(&self.seen.shared, client);
        self.broke_all(now, wrong);
    }

    /// A client that writes says a write.
    pub(super) fn on_write_said(&mut self, now: Nanos, client: usize, sequence: u64) {
        self.reports.on_write_said(now, client, sequence);
    }

    /// A servent says to a client what came of a write.
    pub(super) fn on_written(&mut self, now: Nanos, (servent, client): (usize, usize), link: LinkId, written: Written) {
        self.reports.on_written_said(client, written);
        let wrong = self.published.on_written(servent);
        self.broke_all(now, wrong);
        let wrong = self.writes.on_written(servent, link, written);
        self.broke_all(now, wrong);
    }

    /// It tells a client of a key that is watched.
    pub(super) fn on_changed(
        &mut self,
        now: Nanos,
        (servent, client): (usize, usize),
        link: LinkId,
        changed: &Changed,
    ) {
        self.reports.on_changed_said(client, changed);
        let wrong = self.writes.on_changed(servent, link, changed);
        self.broke_all(now, wrong);
    }

    /// A client hears what came of a write.
    pub(super) fn on_written_heard(&mut self, now: Nanos, client: usize, sequence: u64) {
        let wrong = self.reports.on_written_heard(client, sequence);
        self.broke_all(now, wrong);
    }

    /// It hears of a key that it watches.
    pub(super) fn on_changed_heard(&mut self, now: Nanos, client: usize, sequence: u64) {
        let wrong = self.reports.on_changed_heard(client, sequence);
        self.broke_all(now, wrong);
    }

    /// It reports what came of a write.
    pub(super) fn on_written_reported(&mut self, now: Nanos, client: usize, sequence: u64, written: &WriteEnded) {
        let wrong = self.reports.on_written(now, client, sequence, written);
        self.broke_all(now, wrong);
    }

    /// It reports what a key is that it watches.
    pub(super) fn on_changed_reported(&mut self, now: Nanos, client: usize, sequence: u64, value: Option<&[u8]>) {
        let wrong = self.reports.on_changed(client, sequence, value);
        self.broke_all(now, wrong);
    }

    /// A servent answers one who writes.
    pub(super) fn on_kept_told(&mut self, now: Nanos, servent: (usize, u32), id: QueryId, body: &AnswerBody) {
        // A forger has others hear the same query ask something else.
        let wrong = self.writes.on_answered(now, servent, id, body).filter(|_| !self.seen.is_forger_there);
        self.broke_all(now, wrong);
    }

    /// What came of all that was to be written.
    pub(super) fn writes_outcome(&self) -> WritesOutcome {
        WritesOutcome { withdrawn: self.published.withdrawn_count(), ..self.writes.outcome() }
    }

    /// All is over that was to be written.
    pub(super) fn on_writes_settled(&mut self, now: Nanos, is_there: impl Fn(usize) -> bool) {
        let wrong = self.writes.on_settled(&is_there);
        self.broke_all(now, wrong);
        let wrong = self.reports.on_settled(&is_there);
        self.broke_all(now, wrong);
        let wrong = self.published.on_settled(is_there);
        self.broke_all(now, wrong);
    }

    // ---- endings ----

    /// A client hears of its contact that the query it calls by this number is over.
    pub(super) fn on_finished(&mut self, now: Nanos, query: usize, sequence: u64) {
        if self.seen.queries.get(query).and_then(WatchedQuery::id).is_some_and(|id| id.sequence == sequence) {
            self.endings.on_finished(now, query);
        }
    }

    pub(super) fn on_ended(&mut self, now: Nanos, query: usize, ending: &Ending) {
        self.ended_last = now;
        let wrong = self.endings.on_ended(now, query, ending, &self.seen);
        self.broke_all(now, wrong);
    }

    pub(super) fn has_ended(&self, query: usize) -> bool {
        self.seen.queries.get(query).is_none_or(|asked| asked.is_off) || self.endings.has_ended(query)
    }

    /// Whether every session that began has ended.
    pub(super) fn all_ended(&self) -> bool {
        (0..self.seen.queries.count()).all(|query| self.has_ended(query))
    }

    /// Whether a link came or fell while a query was under way, or while its client attached.
    pub(super) fn was_disturbed(&self, query: usize) -> bool {
        let asked = self.seen.queries.get(query);
        asked.is_some_and(|asked| asked.asked.is_none_or(|since| self.touched_last >= since))
    }

    /// What of a query is not as it must be where nothing goes wrong.
    pub(super) fn what_is_wrong(&self, query: usize) -> Vec<String> {
        self.endings.what_is_wrong(query, &self.seen)
    }

    /// Judges what can only be judged at the end, and tells what all came to.
    pub(super) fn on_end(&mut self, now: Nanos, outcome: &mut RunOutcome) {
        let wrong = self.endings.on_end(outcome, &self.seen);
        self.broke_all(now, wrong);
    }
}

/// One thing is wrong, and told like this.
#[cfg(test)]
#[track_caller]
fn assert_wrong(wrong: impl IntoIterator<Item = String>, what: &str) {
    let wrong: Vec<String> = wrong.into_iter().collect();
    assert!(matches!(wrong.as_slice(), [only] if only.contains(what)), "{wrong:?}, not {what}");
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use common::address::AnswerAddress;
    use common::key::Key;
    use common::query::{Path, Tally};

    use super::*;
    use crate::scene::tests::chain;

    pub(super) const CLIENT: usize = 3;

    pub(super) fn client() -> SocketAddr {
        SocketAddr::from((Ipv4Addr::new(11, 0, 0, 0), 7000))
    }

    pub(super) fn id() -> QueryId {
        QueryId { sequence: 5, client: client() }
    }

    /// The chain of three, in which some fault is to come.
    pub(super) fn troubled() -> Scene {
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
    pub(super) fn asked(scene: &Scene) -> Witness<'_> {
        let mut witness = Witness::new(scene, false);
        witness.on_link_stands(1, 0, 1);
        witness.on_link_stands(1, 2, 1);
        assert!(witness.seen.links.all_stand());
        witness.has_risen = true;
        let query = witness.on_announced(scene.queries[0], false);
        witness.seen.queries.on_attaching(SECOND / 2, query, CLIENT, client());
        assert!(!witness.seen.queries.on_ready(query));
        assert!(witness.begin_asking(SECOND, query));
        witness.seen.queries.on_request(query, id().sequence);
        witness
    }

    /// A copy of that query by somebody who did not ask it.
    pub(super) fn forged(contact: Option<ContactMark>, ask: Ask) -> Query {
        let client = AnswerAddress { socket: client(), dialect: Dialect::Native };
        Query {
            via: Via::Direct,
            sequence: id().sequence,
            client,
            contact,
            ttl: 3,
            hops: 1,
            ask,
            path: Path::default(),
        }
    }

    /// A copy of it as servents pass it on.
    pub(super) fn copy(ttl: u8, hops: u8) -> Query {
        Query { ttl, hops, ..forged(None, Ask::Topology) }
    }

    pub(super) fn value(of: usize) -> AnswerBody {
        AnswerBody::Value(format!("of {of}").into_bytes())
    }

    pub(super) fn complete(answers: u64) -> Ending {
        let tally = Tally { reached: 3, answers, copies: 2, is_dialled: true, ..Tally::default() };
        let elapsed = Duration::from_millis(100);
        Ending { reason: EndReason::Complete, answers, missing: 0, doubtful: false, tally, tally_told: true, elapsed }
    }

    #[track_caller]
    pub(super) fn assert_broke(witness: &Witness<'_>, what: &[&str]) {
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
        witness.on_answer(SECOND + 1, 0, (Some(2), Some(2), Via::Direct), &value(2), None);
        witness.on_ended(SECOND + 2, 0, &complete(1));
        let mut outcome = RunOutcome::default();
        witness.on_end(SECOND + 3, &mut outcome);
        assert_broke(&witness, &[]);
        assert_eq!((outcome.queries, outcome.expected, outcome.missed, outcome.answers), (1, 1, 0, 1));
        assert_eq!((outcome.hops_sum, outcome.hops_most), (2, 2));
    }

    pub(super) fn silence(answers: u64, doubtful: bool) -> Ending {
        Ending { reason: EndReason::Silence, answers, doubtful, ..complete(1) }
    }

    pub(super) fn scene_ask() -> Ask {
        Ask::Key(Key::new(b"tea").unwrap())
    }
}
