//! The life of a query at this servent: asked or heard, remembered, answered, passed on, reported.
//!
//! A chapter of the corridor, which carries facts between the rooms: how a query travels is known to `flood`, who is
//! there to `links`, what is answered to `search`, and which client may be called for it to `delivery`.

use std::net::IpAddr;
use std::sync::Arc;

use super::Overlay;
use super::copy_name::CopyName;
use super::delivery;
use super::doors::{NotedEvent, Outbox};
use super::errand::Letter;
use super::finds::{FIND_PIECE_BYTES, FindSoFar, WaitingFind};
use super::flood::{
    Admission, Arrival, Asker, Breach, Copies, CopyReport, Flood, Judging, Onward, OwnPart, Passing, QueryPlace,
    SaidAgain,
};
use super::log_names::{QUERY_LOG, STRANGERS_LOG};
use super::query_log::{self, Shortened};
use super::rooms::Rooms;
use super::search;
use crate::dialect::Bringing;
use crate::limits::{FINDS_WAITING_MAX, TTL_MAX};
use crate::link::LinkId;
use crate::message::{Goodbye, Identity, Message, Request};
use crate::query::{Answer, Ask, BroughtAnswer, ContactMark, Path, Query, QueryId, Tally, Via};
use crate::time::Time;

impl Overlay {
    pub(super) fn on_request(&mut self, now: Time, link: LinkId, request: Request, out: &mut Outbox<'_>) {
        let Some(client) = self.rooms.links.client_address(link) else { return };
        // To its contact a request is a query that has crossed no link and may be passed on once more than the TTL
        // says.
        let query = Query {
            sequence: request.sequence,
            client,
            via: self.rooms.links.client_via(link),
            contact: None,
            // Whoever says more than any contact starts with is cut down to that.
            ttl: request.ttl.unwrap_or(self.ttl + 1).min(TTL_MAX + 1),
            hops: 0,
            ask: request.ask,
            path: Path::empty(client.dialect.manners().paths_are_text),
        };
        log::debug!(target: QUERY_LOG, "{} asked with TTL {}: {}", query.id(), query.ttl, Shortened(&query.ask));
        out.note(|| NotedEvent::Asked { link, message: Shortened(&query.ask).to_string() });
        self.on_copy(now, Arrival::from_client(link, query), out);
        self.rooms.rest_client(now, link, out);
    }

    pub(super) fn on_query(
        &mut self,
        now: Time,
        link: LinkId,
        identity: Option<Identity>,
        query: Arc<Query>,
        out: &mut Outbox<'_>,
    ) {
        match Arrival::from_neighbor(link, identity, query, self.ttl) {
            Ok(arrival) => self.on_copy(now, arrival, out),
            Err(Breach::TooFar(query)) => {
                log::debug!(
                    target: QUERY_LOG,
                    "{} dropped, from {} with TTL {} after {} hops: no contact allows so many",
                    query.id(), self.rooms.links.neighbor_name(link), query.ttl, query.hops
                );
                self.rooms.rare.make().counters.too_far += 1;
            }
            Err(Breach::PathTooLong) => {
                self.close(now, link, Goodbye::Protocol, "it sent a path longer than the way", out);
            }
        }
    }

    /// What becomes of a copy of a query, wherever it came from.
    fn on_copy(&mut self, now: Time, arrival: Arrival, out: &mut Outbox<'_>) {
        let judging = Judging { forward_once: self.forward_once, secret: self.secret };
        let admission = self.rooms.flood.make().admit(now, &arrival, judging);
        self.rooms.report_given_up(out);
        if log::log_enabled!(target: QUERY_LOG, log::Level::Debug) {
            query_log::log_arrival(&self.rooms.links, self.rooms.flood.make(), &arrival, admission);
        }
        let (asker, id, ttl) = (arrival.asker, arrival.query.id(), arrival.ttl);
        match admission {
            Admission::New(place) => {
                let query = self.own_copy(arrival, Some(place));
                let mut tally = Tally { reached: 1, ..Tally::default() };
                match self.answer(now, asker, &query, &mut tally, out) {
                    OwnAnswer::Said(brought) => {
                        let own = OwnPart { tally, brought, is_to_come: false };
                        self.pass_to_neighbors(now, place, asker, query, own, out);
                    }
                    OwnAnswer::ToCome(find) => self.have_find_wait(now, place, asker, query, tally, find, out),
                }
            }
            Admission::MoreTtl(place) => {
                let query = self.own_copy(arrival, Some(place));
                self.pass_to_neighbors(now, place, asker, query, OwnPart::default(), out);
            }
            Admission::MoreTtlThanSilent(place) => {
                let query = self.own_copy(arrival, Some(place));
                let tally = Tally { silent: 1, ..Tally::default() };
                self.pass_to_neighbors(now, place, asker, query, tally.into(), out);
            }
            Admission::Duplicate(_) => {
                let tally = Tally { duplicates: 1, ..Tally::default() };
                self.rooms.report(CopyReport { asker, id, tally }, out);
            }
            Admission::HeardSilently(_) => {
                let tally = Tally { duplicates: 1, silent: 1, ..Tally::default() };
                self.rooms.report(CopyReport { asker, id, tally }, out);
            }
            Admission::EchoForgotten(_) => {
                let tally = Tally { duplicates: 1, lost: 1, ..Tally::default() };
                self.rooms.report(CopyReport { asker, id, tally }, out);
            }
            Admission::OfferedAgain(place) => self.say_again(asker, id, place, ttl, arrival.query.contact, out),
            Admission::Spoilt => {
                self.rooms.rare.make().counters.spoilt += 1;
                let tally = Tally { lost: 1, spoilt: 1, ..Tally::default() };
                self.rooms.report(CopyReport { asker, id, tally }, out);
            }
            Admission::Contradicts => {
                self.note_disbelief(asker);
                self.answer_without_asking(now, arrival, out);
            }
            Admission::NumberTaken => {
                self.note_disbelief(asker);
                let tally = Tally { lost: 1, spoilt: 1, ..Tally::default() };
                self.rooms.report(CopyReport { asker, id, tally }, out);
            }
            Admission::Refused => self.refuse(now, arrival, out),
            Admission::OverShare => self.turn_away(asker, id, "neighbor", 0, out),
            Admission::OverContactShare => self.turn_away(asker, id, "contact of queries from neighbor", 1, out),
        }
    }

    /// The copy that is this servent's to answer and to pass on, and carries what is known of its contact.
    fn own_copy(&mut self, arrival: Arrival, place: Option<QueryPlace>) -> Query {
        let client = arrival.query.client;
        let means_the_same = arrival.asker.link().is_none_or(|link| self.rooms.links.means_the_same_here(link, client));
        let mut query = arrival.into_own();
        if query.contact.is_none() {
            query.contact = place.and_then(|place| self.rooms.flood.make().mark_of(place));
        }
        let is_back = place.is_some_and(|place| self.rooms.flood.make().is_back(place));
        if query.can_go_back() && (is_back || !means_the_same) {
            query.via = Via::Back;
        }
        if query.ask == Ask::Topology {
            query.path.push(self.advertised());
        }
        query
    }

    /// Has a query passed on to the neighbors, as far as it may go, and reports it where it has finished with that.
    fn pass_to_neighbors(
        &mut self,
        now: Time,
        place: QueryPlace,
        asker: Asker,
        query: Query,
        own: OwnPart,
        out: &mut Outbox<'_>,
    ) {
        let to = self.rooms.links.recipients(asker.link(), &query);
        match self.rooms.flood.make().pass_on(now, place, asker, query, to, own) {
            Passing::On { copies: Copies { direct, back }, finished } => {
                for (query, links) in [direct, back].into_iter().flatten() {
                    if log::log_enabled!(target: QUERY_LOG, log::Level::Debug) {
                        query_log::log_passed_on(&self.rooms.links, query.id(), query.ttl, &links);
                    }
                    out.flood(links, query);
                }
                if let Some(report) = finished {
                    self.rooms.report(report, out);
                }
            }
            Passing::Finished(report) => self.rooms.report(report, out),
        }
    }

    /// A neighbor is linked that says who it is: it may have been lost with queries on their way.
    pub(super) fn offer_again(&mut self, now: Time, link: LinkId, identity: Identity, out: &mut Outbox<'_>) {
        let Rooms { links, flood, rare: _, members: _ } = &mut self.rooms;
        let Some(flood) = flood.get_mut() else { return };
        let resumption = flood.on_linked(now, link, identity, |query| links.told_as(link, query));
        for query in resumption.offers {
            let to = links.neighbor_name(link);
            log::debug!(target: QUERY_LOG, "{} offered again to {to} with TTL {}", query.id(), query.ttl);
            out.flood(vec![link], query);
        }
        resumption.finished.into_iter().for_each(|report| self.rooms.report(report, out));
    }

    /// A copy is offered again that came before over a link that fell: what was brought for it is brought again, ahead of its
    /// echo. Where that is still to come, both will go to where the copy came from this time.
    fn say_again(
        &mut self,
        asker: Asker,
        id: QueryId,
        place: QueryPlace,
        ttl: u8,
        contact: Option<ContactMark>,
        out: &mut Outbox<'_>,
    ) {
        let SaidAgain { brought, tally } = self.rooms.flood.make().say_again(place, ttl);
        if let Some(mark) = contact.or_else(|| self.rooms.flood.make().mark_of(place)) {
            let copy = CopyName { contact: mark.name, number: mark.number, ttl };
            for answer in brought {
                self.send_onward(copy, Onward::To { asker, id }, answer, out);
            }
        }
        if let Some(tally) = tally {
            self.rooms.report(CopyReport { asker, id, tally }, out);
        }
    }

    /// What a servent does with a query where somebody has their share of what is remembered.
    fn turn_away(&mut self, asker: Asker, id: QueryId, whose: &str, spoilt: u64, out: &mut Outbox<'_>) {
        self.rooms.rare.make().counters.over_share += 1;
        if let Some(link) = asker.link() {
            let neighbor = self.rooms.links.neighbor_name(link);
            log::warn!(
                target: STRANGERS_LOG,
                "{whose} {neighbor} has more open queries than its share: some are refused"
            );
        }
        self.rooms.report(CopyReport { asker, id, tally: Tally { lost: 1, spoilt, ..Tally::default() } }, out);
    }

    /// A copy cannot be true beside what is known of the same query or contact.
    fn note_disbelief(&mut self, asker: Asker) {
        self.rooms.rare.make().counters.contradicted += 1;
        if let Asker::Neighbor { link, .. } = asker {
            log::warn!(
                target: STRANGERS_LOG,
                "neighbor {} brings copies of known queries that ask or say something else: they are refused",
                self.rooms.links.neighbor_name(link)
            );
        }
    }

    /// What a servent does with a query it has no room to remember.
    fn refuse(&mut self, now: Time, arrival: Arrival, out: &mut Outbox<'_>) {
        self.rooms.rare.make().counters.unseen += 1;
        let id = arrival.query.id();
        log::warn!(target: STRANGERS_LOG, "refused query {id}: there is no room to remember it");
        self.answer_without_asking(now, arrival, out);
    }

    /// A query that goes nowhere from here is lost. A client of ours is told what this servent has itself: that takes no
    /// place, since what goes nowhere cannot come back.
    fn answer_without_asking(&mut self, now: Time, arrival: Arrival, out: &mut Outbox<'_>) {
        let (asker, id) = (arrival.asker, arrival.query.id());
        let mut tally = Tally { lost: 1, ..Tally::default() };
        if matches!(asker, Asker::Client { .. }) {
            tally.reached = 1;
            let query = self.own_copy(arrival, None);
            if let OwnAnswer::ToCome(_) = self.answer(now, asker, &query, &mut tally, out) {
                log::debug!(target: QUERY_LOG, "{id} not answered: it would take too long for what may not wait");
            }
        }
        self.rooms.report(CopyReport { asker, id, tally }, out);
    }

    /// Answers a query, if there is an answer, and if that is known within a moment.
    fn answer(&mut self, now: Time, asker: Asker, query: &Query, tally: &mut Tally, out: &mut Outbox<'_>) -> OwnAnswer {
        let held = self.held(self.ip_of_client(asker, query));
        let answer = match (&query.ask, held.files) {
            (Ask::Find(words), files) if words.each().next().is_some() => {
                let Some(files) = files else { return OwnAnswer::Said(None) };
                let mut find = FindSoFar::new(words);
                if !find.go_on(files, &mut { FIND_PIECE_BYTES }) {
                    return OwnAnswer::ToCome(find);
                }
                search::found(query, find.gathered, held.uploads)
            }
            _ => search::answer(query, held, self.rooms.links.neighbor_addresses()),
        };
        OwnAnswer::Said(answer.and_then(|answer| self.say_answer(now, asker, query, answer, tally, out)))
    }

    /// Passes a query on of which is still looked for what it asks, if that may wait.
    #[expect(clippy::too_many_arguments, reason = "it takes apart what the copy came to so far")]
    fn have_find_wait(
        &mut self,
        now: Time,
        place: QueryPlace,
        asker: Asker,
        query: Query,
        mut tally: Tally,
        find: FindSoFar,
        out: &mut Outbox<'_>,
    ) {
        let link = asker.link().filter(|link| self.rooms.rare.make().finds.has_room(*link));
        let Some(link) = link else {
            log::debug!(target: QUERY_LOG, "{} not answered: {FINDS_WAITING_MAX} finds wait at most, and shared among links", query.id());
            tally.lost += 1;
            return self.pass_to_neighbors(now, place, asker, query, tally.into(), out);
        };
        let asked = AskedFind { asker, place, query: query.clone() };
        self.pass_to_neighbors(now, place, asker, query, OwnPart { tally, brought: None, is_to_come: true }, out);
        self.rooms.rare.make().finds.wait(now, link, WaitingFind { asked, find });
    }

    /// Goes on for a turn with the finds that wait, and answers those that are over.
    pub(super) fn go_on_finding(&mut self, now: Time, out: &mut Outbox<'_>) {
        let Some(rare) = self.rooms.rare.get_mut() else { return };
        rare.finds.begin_turn();
        while let Some((link, waiting)) = self.rooms.rare.make().finds.take_next() {
            let looked_bytes = self.go_on_with_find(now, link, waiting, out);
            self.rooms.rare.make().finds.on_looked(looked_bytes);
        }
    }

    /// Goes on with one find, and says how much was looked through.
    fn go_on_with_find(
        &mut self,
        now: Time,
        link: LinkId,
        mut waiting: WaitingFind<AskedFind>,
        out: &mut Outbox<'_>,
    ) -> u64 {
        let WaitingFind { asked: AskedFind { asker, place, ref query }, ref mut find } = waiting;
        // Whoever waited was told meanwhile that it is lost.
        if !self.rooms.flood.make().awaits_own_part(place, query.id(), query.ttl) {
            return 0;
        }
        let mut left = FIND_PIECE_BYTES;
        let held = self.held(self.ip_of_client(asker, query));
        let is_over = held.files.is_none_or(|files| find.go_on(files, &mut left));
        let uploads = held.uploads;
        if !is_over {
            self.rooms.rare.make().finds.wait(now, link, waiting);
            return FIND_PIECE_BYTES - left;
        }
        let mut tally = Tally::default();
        let answer = search::found(query, std::mem::take(&mut find.gathered), uploads);
        let brought = answer.and_then(|answer| self.say_answer(now, asker, query, answer, &mut tally, out));
        let own = OwnPart { tally, brought, is_to_come: false };
        if let Some(report) = self.rooms.flood.make().on_own_part(now, place, query.id(), query.ttl, own) {
            self.rooms.report(report, out);
        }
        FIND_PIECE_BYTES - left
    }

    /// Says an answer to whoever asked. Gives the one that went back, where it did.
    fn say_answer(
        &mut self,
        now: Time,
        asker: Asker,
        query: &Query,
        answer: Answer,
        tally: &mut Tally,
        out: &mut Outbox<'_>,
    ) -> Option<Arc<BroughtAnswer>> {
        log::debug!(target: QUERY_LOG, "{} answered with {}", query.id(), answer.body);
        let way = match asker {
            Asker::Client { link } if query.client.dialect.manners().answers == Bringing::Kept => {
                if self.rooms.links.understands(link, answer.body.needs()) {
                    out.send(link, Message::Answer(answer));
                    AnswerWay::Direct
                } else {
                    AnswerWay::Nowhere
                }
            }
            _ => self.answer_elsewhere(now, asker, query, answer, out),
        };
        if way == AnswerWay::Nowhere {
            log::debug!(
                target: QUERY_LOG,
                "{} answer dropped: a limit or a rule keeps it from its client, or that would not understand it",
                query.id()
            );
            tally.lost += 1;
            self.rooms.rare.make().counters.unanswered += 1;
        } else {
            tally.answers += 1;
            tally.answer_sum = tally.answer_sum.wrapping_add(self.id.mark());
            self.rooms.rare.make().counters.answered += 1;
        }
        if let AnswerWay::Back(answer) = way { Some(answer) } else { None }
    }

    /// Where the client of a query is, if its address says that here. A loopback address says it of this host alone: of a
    /// client of our own, or of one of a neighbor on this host, whose query came over no other. A copy whose answers go
    /// back may have come by another host.
    fn ip_of_client(&self, asker: Asker, query: &Query) -> Option<IpAddr> {
        let client = query.client;
        let is_known = client.means_the_same_there(false)
            || match asker {
                Asker::Client { .. } => true,
                Asker::Neighbor { link, .. } => {
                    query.via == Via::Direct && self.rooms.links.means_the_same_here(link, client)
                }
                Asker::Gone { .. } => false,
            };
        is_known.then(|| client.socket.ip())
    }

    /// Answers a client that did not ask over a link of its own here: it is dialled, or the answer goes back.
    fn answer_elsewhere(
        &mut self,
        now: Time,
        asker: Asker,
        query: &Query,
        answer: Answer,
        out: &mut Outbox<'_>,
    ) -> AnswerWay {
        let copy = self.copy_that_may_be_answered(asker, query, answer.body.needs());
        // In a dialect that carries no answers back, whoever is dialled is dialled wherever the copy came from.
        let client = query.client;
        let is_dialled = query.via == Via::Direct
            && (!client.dialect.manners().brings_back
                || asker.link().is_none_or(|link| self.rooms.links.means_the_same_here(link, client)));
        let answer = if is_dialled {
            match self.rooms.rare.make().deliver(now, query.client, delivery::letter(now, answer, copy), out) {
                None => return AnswerWay::Direct,
                Some(Letter { message: Message::Answer(answer), .. }) => answer,
                Some(_) => return AnswerWay::Nowhere,
            }
        } else {
            answer
        };
        let Some(copy) = copy else { return AnswerWay::Nowhere };
        let answer = self.brought(answer);
        self.send_onward(copy, Onward::To { asker, id: query.id() }, Arc::clone(&answer), out);
        AnswerWay::Back(answer)
    }
}

/// What this servent answers itself.
#[derive(Debug)]
enum OwnAnswer {
    /// It was said, if there is one: the one that went back, where it did.
    Said(Option<Arc<BroughtAnswer>>),
    /// It is still to be found.
    ToCome(FindSoFar),
}

/// A query of which is still looked for what it asks.
#[derive(Debug)]
pub(super) struct AskedFind {
    asker: Asker,
    place: QueryPlace,
    query: Query,
}

impl AskedFind {
    /// It is looked for no more, because the link is gone that it came over: what was awaited of it is lost, which there is
    /// nobody left to tell.
    pub(super) fn give_up(&self, now: Time, flood: &mut Flood) {
        let lost = Tally { lost: 1, ..Tally::default() };
        let _ = flood.on_own_part(now, self.place, self.query.id(), self.query.ttl, lost.into());
    }
}

/// Which way an answer went.
#[derive(Debug, PartialEq, Eq)]
enum AnswerWay {
    Direct,
    Back(Arc<BroughtAnswer>),
    Nowhere,
}

/// No answer needs a feature yet that its ask does not need, so one that does is made up: [`NEW_VALUE`](crate::query::NEW_VALUE).
#[cfg(test)]
mod tests {
    use std::net::SocketAddr;

    use super::*;
    use crate::address::AnswerAddress;
    use crate::dialect::Dialect;
    use crate::features::{Features, MADE_UP};
    use crate::key::Key;
    use crate::message::{Echo, Finished, Hello, Role, ServentId};
    use crate::overlay::{Config, Dial, Errand, Input, Opening, Output};
    use crate::query::{Answer, AnswerBody, AskHash, NEW_VALUE};
    use crate::store::Store;

    const CLIENT: LinkId = LinkId(1);
    const NEIGHBOR: LinkId = LinkId(2);
    const ANSWERS: LinkId = LinkId(3);

    fn place(port: u16) -> SocketAddr {
        ([10, 0, 0, 1], port).into()
    }

    /// A mind that holds a value of the new kind and one of the old.
    fn mind() -> Overlay {
        let config = Config {
            advertised: place(9000),
            servent_id: ServentId(1),
            answer_networks: vec!["10.0.0.0/8".parse().unwrap()],
            ..Config::default()
        };
        let (store, _) = Store::parse([b"new ", NEW_VALUE, b"\nold of the old kind\n"].concat()).unwrap();
        Overlay::new(&config, Arc::new(store))
    }

    fn tell(mind: &mut Overlay, input: Input) -> Vec<Output> {
        let mut out = Vec::new();
        mind.handle(Time::START, input, &mut out);
        out
    }

    fn hear(mind: &mut Overlay, link: LinkId, message: Message) -> Vec<Output> {
        tell(mind, Input::Received { link, stamp: 0, message })
    }

    /// Somebody comes, and says hello.
    fn greet(mind: &mut Overlay, link: LinkId, hello: Hello) {
        tell(mind, Input::Opened { link, opening: Opening::Accepted(place(1)) });
        let out = hear(mind, link, Message::Hello(hello));
        assert!(matches!(out[..], [Output::Send { message: Message::Hello(_), .. }]), "{out:?}");
    }

    fn client_hello(dialect: Dialect, features: Features) -> Hello {
        Hello { features, ..Hello::said_in(dialect, Role::Client { answer_port: 7000 }) }
    }

    fn key(text: &str) -> Ask {
        Ask::Key(Key::new(text.as_bytes()).unwrap())
    }

    fn request(sequence: u64, asked: &str) -> Message {
        Message::Request(Request { sequence, ask: key(asked), ttl: None })
    }

    fn value_of(asked: &str) -> AnswerBody {
        let value: &[u8] = if asked == "new" { NEW_VALUE } else { b"of the old kind" };
        AnswerBody::Value(value.to_vec())
    }

    fn hash_of(asked: &str) -> Option<AskHash> {
        Some(AskHash::of(&key(asked)))
    }

    fn send(link: LinkId, message: Message) -> Output {
        Output::Send { link, message }
    }

    #[test]
    fn an_answer_that_an_own_client_would_not_understand_is_lost_and_not_counted_as_sent() {
        let needed = value_of("new").needs();
        assert_ne!(needed, Features::NONE);
        for (features, asked, is_answered) in [
            (Features::NONE, "old", true),
            (Features::NONE, "new", false),
            (MADE_UP[1], "new", false),
            (needed, "old", true),
            (needed, "new", true),
        ] {
            let mut mind = mind();
            greet(&mut mind, CLIENT, client_hello(Dialect::Native, features));
            let out = hear(&mut mind, CLIENT, request(7, asked));
            let answer = Answer { sequence: 7, asked: hash_of(asked), hops: 0, body: value_of(asked) };
            let answer = is_answered.then(|| send(CLIENT, Message::Answer(answer)));
            let (answers, lost) = (u64::from(is_answered), u64::from(!is_answered));
            let answer_sum = if is_answered { ServentId(1).mark() } else { 0 };
            let tally = Tally { reached: 1, answers, lost, answer_sum, ..Tally::default() };
            let finished = send(CLIENT, Message::Finished(Finished { sequence: 7, tally }));
            assert_eq!(out, answer.into_iter().chain([finished]).collect::<Vec<_>>(), "{features:?}: {asked}");
            assert_eq!(mind.holding("unanswered"), Some(lost), "{features:?}: {asked}");
        }
    }

    /// Nothing is said there, by the client either: what it offered elsewhere was offered by another connection.
    #[test]
    fn a_client_that_gets_each_answer_alone_gets_none_of_a_new_kind() {
        let mut mind = mind();
        let features = Dialect::Toy.manners().needs.with(value_of("new").needs());
        greet(&mut mind, CLIENT, client_hello(Dialect::Toy, features));
        for (sequence, asked) in [(7, "new"), (8, "old")] {
            let is_answered = asked == "old";
            let out = hear(&mut mind, CLIENT, request(sequence, asked));
            let (answers, lost) = (u64::from(is_answered), u64::from(!is_answered));
            let answer_sum = if is_answered { ServentId(1).mark() } else { 0 };
            let tally = Tally { reached: 1, answers, lost, answer_sum, ..Tally::default() };
            let finished = send(CLIENT, Message::Finished(Finished { sequence, tally }));
            assert_eq!(out.last(), Some(&finished), "{asked}");
            assert_eq!(out.iter().any(|output| matches!(output, Output::Dial { .. })), is_answered, "{asked}: {out:?}");
        }
    }

    /// What a client understands is known once its answer link stands, and not before: what is promised until then is
    /// missing at the client, and what is asked after that is lost.
    #[test]
    fn an_answer_that_a_client_turns_out_not_to_understand_is_dropped_and_the_next_one_is_lost() {
        let needed = value_of("new").needs();
        for (features, is_understood) in [(Features::NONE, false), (MADE_UP[1], false), (needed, true)] {
            let mut mind = mind();
            let neighbor = Role::Servent { id: ServentId(2), advertised: place(9001) };
            greet(&mut mind, NEIGHBOR, Hello::new(neighbor));
            let client = AnswerAddress { socket: place(7000), dialect: Dialect::Native };
            let ask = |mind: &mut Overlay, sequence, asked| {
                let query = Query {
                    via: Via::Direct,
                    sequence,
                    client,
                    contact: None,
                    ttl: 0,
                    hops: 1,
                    ask: key(asked),
                    path: Path::default(),
                };
                hear(mind, NEIGHBOR, Message::query(query))
            };
            let echo = |sequence, answers, lost| {
                let answer_sum = if answers > 0 { ServentId(1).mark() } else { 0 };
                let tally = Tally { reached: 1, answers, lost, answer_sum, ..Tally::default() };
                let id = QueryId { sequence, client: client.socket };
                send(NEIGHBOR, Message::Echo(Echo { id, ttl: 0, tally }))
            };
            let answer = |sequence, asked| {
                send(
                    ANSWERS,
                    Message::Answer(Answer { sequence, asked: hash_of(asked), hops: 1, body: value_of(asked) }),
                )
            };
            let dial = Dial::Call(Errand::Answers, client.socket);
            let out = ask(&mut mind, 7, "new");
            assert!(matches!(&out[..], [Output::Dial { dial: to, .. }, _] if *to == dial), "{out:?}");
            assert_eq!(out.last(), Some(&echo(7, 1, 0)), "nobody can know yet");
            assert_eq!(ask(&mut mind, 8, "old"), [echo(8, 1, 0)]);
            tell(&mut mind, Input::Opened { link: ANSWERS, opening: Opening::Dialled(dial) });
            let out = hear(&mut mind, ANSWERS, Message::Hello(client_hello(Dialect::Native, features)));
            let expected = is_understood.then(|| answer(7, "new")).into_iter().chain([answer(8, "old")]);
            assert_eq!(out[1..], expected.collect::<Vec<_>>(), "{features:?}");
            assert_eq!(mind.holding("undelivered"), Some(u64::from(!is_understood)), "{features:?}");
            assert_eq!(mind.holding("calls_queued_bytes"), Some(0), "{features:?}");
            let out = ask(&mut mind, 9, "new");
            let expected = if is_understood { vec![answer(9, "new"), echo(9, 1, 0)] } else { vec![echo(9, 0, 1)] };
            assert_eq!(out, expected, "{features:?}");
            assert_eq!(ask(&mut mind, 10, "old"), [answer(10, "old"), echo(10, 1, 0)], "{features:?}");
        }
    }
}
