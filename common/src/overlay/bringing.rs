//! Answers that are not dialled to their client: said to whoever sent the query, and passed on to whoever sent it before.
//!
//! A chapter of the corridor. Which way an answer goes, and what is kept of it, is known to `flood`; who understands it, to
//! `links`; what could not be dialled, to `delivery`; who cannot be, to `probes`.

use std::sync::Arc;

use super::Overlay;
use super::copy_name::CopyName;
use super::doors::Outbox;
use super::errand::Letter;
use super::flood::{Asker, Onward};
use super::log_names::{QUERY_LOG, STRANGERS_LOG};
use crate::address::AnswerAddress;
use crate::features::Features;
use crate::link::LinkId;
use crate::message::{Brought, Handed, Message};
use crate::query::{Answer, BroughtAnswer, BroughtBody, Query, QueryId, Via};
use crate::time::Time;

impl Overlay {
    /// Has it seen whether a client that came can be dialled, where its answers could come back if not.
    pub(super) fn probe_client(&mut self, now: Time, link: LinkId, out: &mut Outbox<'_>) {
        let links = &self.rooms.links;
        let Some(client) = links.client_address(link).filter(AnswerAddress::names_one_client) else { return };
        let is_dialled = links.client_via(link) == Via::Direct && client.dialect.manners().brings_back;
        if is_dialled && links.understands(link, Via::Back.needs()) {
            self.rooms.rare.make().probe(now, client, out);
        }
    }

    /// Which copy an answer to this query would go back for; nothing where it cannot.
    pub(super) fn copy_that_may_be_answered(&self, asker: Asker, query: &Query, needs: Features) -> Option<CopyName> {
        let mark = query.contact.filter(|_| query.can_go_back())?;
        let Asker::Neighbor { link, .. } = asker else { return None };
        let understood = self.rooms.links.understands(link, Via::Back.needs().with(needs));
        understood.then_some(CopyName { contact: mark.name, number: mark.number, ttl: query.ttl })
    }

    /// An answer of this servent, as it goes back.
    pub(super) fn brought(&self, answer: Answer) -> Arc<BroughtAnswer> {
        let Answer { hops, body, .. } = answer;
        let (from, name, body) = (self.advertised(), self.name().cloned(), BroughtBody::of(body));
        Arc::new(BroughtAnswer { id: self.id, from, name, hops, body })
    }

    /// A neighbor brings an answer to a copy that it was sent.
    pub(super) fn on_brought(&mut self, now: Time, link: LinkId, brought: Brought, out: &mut Outbox<'_>) {
        let Brought { contact, number, ttl, answer } = brought;
        // A value is fetched from where it is announced, and a loopback address of another host is somebody else's here.
        let is_meaningless = matches!(answer.body, BroughtBody::Announced(_))
            && answer.from.ip().is_loopback()
            && !self.rooms.links.is_same_host(link);
        // A copy goes out with one TTL less than it came with.
        let copy = ttl.checked_add(1).map(|ttl| CopyName { contact, number, ttl });
        let flood = self.rooms.flood.get_mut().filter(|_| !is_meaningless);
        let onward = copy.zip(flood).map(|(copy, flood)| (copy, flood.on_brought(now, link, copy, &answer)));
        match onward {
            Some((copy, onward)) if onward != Onward::NoWay => self.send_onward(copy, onward, answer, out),
            _ => {
                self.rooms.rare.make().counters.unbrought += 1;
                log::warn!(
                    target: STRANGERS_LOG,
                    "neighbor {} brings answers that have no way: they are dropped",
                    self.rooms.links.neighbor_name(link)
                );
            }
        }
    }

    /// Does what calls have left to be done: brings back what could not be dialled, and has the answers of those come back
    /// who cannot be.
    pub(super) fn on_calls_over(&mut self, now: Time, out: &mut Outbox<'_>) {
        self.on_visits_over(now, out);
        let Some(rare) = self.rooms.rare.get_mut() else { return };
        for client in rare.errands.probes.take_unreachable() {
            self.rooms.links.on_unreachable(client);
        }
        for (client, letter) in rare.errands.delivery.take_returned() {
            let Letter { message: Message::Answer(answer), answers: Some(copy), number, .. } = letter else { continue };
            let id = QueryId { sequence: number, client };
            let answer = self.brought(answer);
            let flood = self.rooms.flood.get_mut();
            let onward = flood.map_or(Onward::NoWay, |flood| flood.on_undialled(now, copy, &answer));
            log::debug!(target: QUERY_LOG, "{id} answer not dialled: its client cannot be reached, so it goes back");
            self.send_onward(copy, onward, answer, out);
        }
    }

    /// Says an answer to whoever sent the copy that it is to.
    pub(super) fn send_onward(
        &mut self,
        copy: CopyName,
        onward: Onward,
        answer: Arc<BroughtAnswer>,
        out: &mut Outbox<'_>,
    ) {
        let CopyName { contact, number, .. } = copy;
        let links = &self.rooms.links;
        let from = answer.from;
        let told_to = |link| BroughtAnswer::told_to(answer, links.offered(link));
        let said = match onward {
            Onward::To { asker: Asker::Neighbor { link, ttl, .. }, id } => {
                let answer = told_to(link);
                Some((id, link, Message::Brought(Brought { contact, number, ttl, answer })))
            }
            Onward::To { asker: Asker::Client { link }, id } => {
                let answer = told_to(link);
                Some((id, link, Message::Handed(Handed { sequence: id.sequence, answer })))
            }
            // It is said when the copy is offered again.
            Onward::Kept => return,
            Onward::To { asker: Asker::Gone { .. }, .. } | Onward::Lost | Onward::NoWay => None,
        };
        match said.filter(|(_, link, message)| links.understands(*link, message.needs())) {
            Some((id, link, message)) => {
                if matches!(message, Message::Brought(_)) {
                    let to = links.neighbor_name(link);
                    log::debug!(target: QUERY_LOG, "{id} answer of {from} brought to neighbor {to}");
                } else {
                    log::debug!(target: QUERY_LOG, "{id} answer of {from} handed to its client");
                }
                self.rooms.rare.make().counters.brought += 1;
                out.send(link, message);
            }
            None => {
                log::debug!(target: QUERY_LOG, "answer of {from} to query {number} of its contact dropped on its way back");
                self.rooms.rare.make().counters.unbrought += 1;
            }
        }
    }

    /// A link had no room for an answer. Where its copy is still to be echoed, that tells of it.
    pub(super) fn on_not_brought(&mut self, now: Time, link: LinkId, message: &Message) {
        if let Message::Changed(changed) = message {
            return self.on_change_not_told(now, link, changed.sequence);
        }
        // Of members the next page tells.
        if matches!(message, Message::Peers(_)) {
            return;
        }
        let counters = &mut self.rooms.rare.make().counters;
        counters.brought = counters.brought.saturating_sub(1);
        counters.unbrought += 1;
        let Some(flood) = self.rooms.flood.get_mut() else { return };
        let is_told = match message {
            Message::Brought(brought) => flood.on_not_brought(link, brought),
            Message::Handed(handed) => {
                let client = self.rooms.links.client_address(link);
                let id = client.map(|client| QueryId { sequence: handed.sequence, client: client.socket });
                id.is_some_and(|id| flood.on_not_handed(link, id))
            }
            _ => false,
        };
        log::debug!(
            target: QUERY_LOG,
            "answer dropped on its way back: too much is unsent on {link}, {}",
            if is_told { "and its echo will say so" } else { "and it will be missing" }
        );
    }
}
