//! The life of a query at this servent: asked or heard, remembered, answered, passed on, reported.
//!
//! A chapter of the corridor, which carries facts between the rooms: how a query travels is known to `flood`, who is
//! there to `links`, what is answered to `search`, and how an answer reaches its client to `delivery`.

use std::sync::Arc;

use super::Overlay;
use super::doors::Outbox;
use super::flood::{Admission, Asker, Done, Passing};
use super::log_names::{QUERY_LOG, STRANGERS_LOG};
use super::query_log::{self, Asked};
use super::search;
use crate::address::AnswerAddress;
use crate::dialect::Dialect;
use crate::limits::{SEEN_IDS_MAX, TTL_FROM_OTHERS_MAX, TTL_MAX};
use crate::link::LinkId;
use crate::message::{Goodbye, Identity, Message, Request};
use crate::query::{Ask, Path, Query, QueryId, Tally};
use crate::time::Time;
use crate::wire;

impl Overlay {
    pub(super) fn on_request(&mut self, now: Time, link: LinkId, request: Request, out: &mut Outbox<'_>) {
        let headroom = self.rooms.flood.make().headroom();
        let Some((client, rest)) = self.rooms.links.on_client_asks(now, link, headroom) else { return };
        if let Some(until) = rest {
            out.rest(link, until);
        }
        // To its contact a request is a query that has crossed no link and may be passed on once more than the TTL
        // says.
        let query = Query {
            sequence: request.sequence,
            client,
            ttl: self.ttl + 1,
            hops: 0,
            ask: request.ask,
            // In a dialect where a path is text it starts as text.
            path: match client.dialect {
                Dialect::Native => Path::default(),
                Dialect::Tp3 => Path::Text(Vec::new()),
            },
        };
        let ttl = query.ttl;
        log::debug!(target: QUERY_LOG, "{} asked with TTL {ttl}: {}", query.id(), Asked(&query.ask));
        self.spread(now, Asker::Client { link }, Arc::new(query), ttl, out);
    }

    pub(super) fn on_query(
        &mut self,
        now: Time,
        link: LinkId,
        identity: Option<Identity>,
        query: Arc<Query>,
        out: &mut Outbox<'_>,
    ) {
        // Hops plus TTL never grows on the way, and no contact starts with more.
        if u16::from(query.ttl) + u16::from(query.hops) > u16::from(TTL_MAX) + 1 {
            log::debug!(
                target: QUERY_LOG,
                "{} dropped, from {} with TTL {} after {} hops: no contact allows so many",
                query.id(), self.rooms.links.neighbor_name(link), query.ttl, query.hops
            );
            self.rooms.rare.make().counters.too_far += 1;
            return;
        }
        // A path longer than the way would grow, as it is passed on, into one that nobody accepts.
        let path_addresses_max = if query.ask == Ask::Topology { usize::from(query.hops) } else { 0 };
        if matches!(&query.path, Path::Addresses(path) if path.len() > path_addresses_max) {
            return self.close(now, link, Goodbye::Protocol, "it sent a path longer than the way", out);
        }
        let asker = Asker::Neighbor { link, ttl: query.ttl, identity };
        let ttl = query.ttl.min(TTL_FROM_OTHERS_MAX.max(self.ttl));
        self.spread(now, asker, query, ttl, out);
    }

    /// What a servent does with a query, wherever it came from: remember, answer, pass on, report.
    fn spread(&mut self, now: Time, asker: Asker, query: Arc<Query>, ttl: u8, out: &mut Outbox<'_>) {
        let id = query.id();
        let mut tally = Tally::default();
        let admission = self.rooms.flood.make().admit(now, asker, &query, ttl, self.forward_once);
        if log::log_enabled!(target: QUERY_LOG, log::Level::Debug) {
            self.log_admission(asker, &query, ttl, admission);
        }
        match admission {
            Admission::New | Admission::MoreTtl | Admission::Refused => {}
            Admission::OverPace => return self.turn_away(asker, id, out),
            Admission::Duplicate => {
                tally.duplicates = 1;
                return self.rooms.finish(Done { asker, id, tally }, out);
            }
            Admission::EchoForgotten => {
                (tally.duplicates, tally.lost) = (1, 1);
                return self.rooms.finish(Done { asker, id, tally }, out);
            }
            Admission::OfferedAgain(Some(tally)) => return self.rooms.finish(Done { asker, id, tally }, out),
            // Its echo is still to come, and will go to where the copy came from this time.
            Admission::OfferedAgain(None) => return,
        }
        let mut query = Query { ttl, ..Arc::unwrap_or_clone(query) };
        self.add_to_path(&mut query);
        if admission == Admission::New {
            tally.reached = 1;
            self.answer(now, asker, &query, &mut tally, out);
        }
        if admission == Admission::Refused {
            return self.refuse(now, asker, &query, out);
        }
        let sender = match asker {
            Asker::Neighbor { link, .. } => Some(link),
            Asker::Client { .. } | Asker::Gone { .. } => None,
        };
        let (mut others, echoing) = self.rooms.links.neighbors_except(sender);
        let unsaid_count = if wire::can_say(Dialect::Tp3, &query) { 0 } else { others.len() - echoing.len() };
        if unsaid_count > 0 && query.ttl > 0 {
            // The nameless speak TP3, which has no words for this query: they are not asked, and that is told.
            others.clone_from(&echoing);
            tally.add_lost(unsaid_count);
            self.rooms.rare.make().counters.unsaid += unsaid_count as u64;
        }
        match self.rooms.flood.make().pass_on(now, asker, query, others, echoing, tally) {
            Passing::On { query, links, done } => {
                if log::log_enabled!(target: QUERY_LOG, log::Level::Debug) {
                    query_log::log_passed_on(&self.rooms.links, id, query.ttl, &links);
                }
                out.flood(links, query);
                done.into_iter().for_each(|done| self.rooms.finish(done, out));
            }
            Passing::Over(done) => self.rooms.finish(done, out),
        }
    }

    /// What a servent does with a query whose neighbor has brought more than its share.
    fn turn_away(&mut self, asker: Asker, id: QueryId, out: &mut Outbox<'_>) {
        self.rooms.rare.make().counters.over_pace += 1;
        if let Some(link) = asker.link() {
            log::warn!(
                target: STRANGERS_LOG,
                "neighbor {} brings queries faster than it may: some are refused",
                self.rooms.links.neighbor_name(link)
            );
        }
        self.rooms.finish(Done { asker, id, tally: Tally { lost: 1, ..Tally::default() } }, out);
    }

    /// What a servent does with a query it has no room to remember.
    fn refuse(&mut self, now: Time, asker: Asker, query: &Query, out: &mut Outbox<'_>) {
        let id = query.id();
        self.rooms.rare.make().counters.unseen += 1;
        log::warn!(target: STRANGERS_LOG, "refused query {id}: {SEEN_IDS_MAX} queries are the most to remember");
        let mut tally = Tally { lost: 1, ..Tally::default() };
        if matches!(asker, Asker::Client { .. }) {
            // What this servent has itself takes no place: the query goes nowhere, so it cannot come back.
            tally.reached = 1;
            self.answer(now, asker, query, &mut tally, out);
        }
        self.rooms.finish(Done { asker, id, tally }, out);
    }

    fn add_to_path(&self, query: &mut Query) {
        if query.ask == Ask::Topology {
            query.path.push(self.advertised());
        }
    }

    fn answer(&mut self, now: Time, asker: Asker, query: &Query, tally: &mut Tally, out: &mut Outbox<'_>) {
        let Some(answer) = search::answer(query, &self.store, self.rooms.links.neighbor_addresses()) else {
            return;
        };
        log::debug!(target: QUERY_LOG, "{} answered with {}", query.id(), answer.body);
        let taken = match asker {
            Asker::Client { link } if query.client.dialect == Dialect::Native => {
                out.send(link, Message::Answer(answer));
                true
            }
            _ => {
                self.may_be_dialled(query.client)
                    && self.rooms.rare.make().delivery.deliver(now, query.client, answer, out)
            }
        };
        if taken {
            tally.answers += 1;
            self.rooms.flood.make().served.answered += 1;
        } else {
            log::debug!(target: QUERY_LOG, "{} answer dropped: a limit or a rule keeps it from its client", query.id());
            tally.lost += 1;
            self.rooms.rare.make().counters.unanswered += 1;
        }
    }

    fn may_be_dialled(&self, client: AnswerAddress) -> bool {
        let is_allowed = match client.dialect {
            Dialect::Native => true,
            Dialect::Tp3 => {
                let networks = self.rooms.rare.get().map(|rare| rare.tp3_answers.as_slice()).unwrap_or_default();
                networks.iter().any(|network| network.contains(&client.socket.ip()))
            }
        };
        if !is_allowed {
            log::info!(
                target: STRANGERS_LOG,
                "no answer to client {}: it is in no network that --tp3-answers names",
                client.socket
            );
        }
        is_allowed && client.names_one_client()
    }
}
