//! The errand of answers: which clients of other servents may be called, what an answer is on its way, and what is told
//! of one that did not arrive.
//!
//! How it reaches its client is `calls`. What is answered is `search`; a servent's own clients are answered over the link
//! they asked on.

use std::net::SocketAddr;

use ipnet::IpNet;

use crate::address::AnswerAddress;
use crate::dialect::Bringing;
use crate::limits::{BACK_AFTER, CALL_LINKS_MAX};
use crate::message::Message;
use crate::overlay::copy_name::CopyName;
use crate::overlay::errand::{CallEvent, Letter};
use crate::overlay::log_names::{QUERY_LOG, STRANGERS_LOG};
use crate::query::{Answer, QueryId};
use crate::time::Time;

#[derive(Debug, Default)]
pub(super) struct Delivery {
    /// Where clients may be for an answer to be dialled to them that nothing shows they asked for.
    networks: Vec<IpNet>,
    /// Answers that were not dialled and may go back, with their clients, until somebody has seen to it.
    returned: Vec<(SocketAddr, Letter)>,
    pub(super) undelivered_count: u64,
}

impl Delivery {
    pub(super) fn set_networks(&mut self, networks: &[IpNet]) {
        self.networks = networks.to_vec();
    }

    /// Whether an answer may be brought to this client.
    pub(super) fn may_be_called(&self, client: AnswerAddress) -> bool {
        let manners = client.dialect.manners();
        let is_allowed = match manners.answers {
            Bringing::Kept => true,
            // Nothing there shows that it asked, so anybody could have the answer sent to anybody.
            Bringing::Alone { .. } => self.networks.iter().any(|network| network.contains(&client.socket.ip())),
        };
        if !is_allowed {
            log::info!(
                target: STRANGERS_LOG,
                "no answer to client {}: it is in no network that {}-answers names",
                client.socket, manners.option
            );
        }
        is_allowed && client.names_one_client()
    }

    /// Is told what came of a call to a client.
    pub(super) fn on_call(&mut self, client: SocketAddr, event: CallEvent) {
        match event {
            CallEvent::Said(sequence) => {
                log::debug!(target: QUERY_LOG, "{} answer sent", QueryId { sequence, client });
            }
            // It was promised before anybody could know.
            CallEvent::NotUnderstood(letter) => {
                self.on_undelivered(&letter, client, "its client did not offer to understand it");
            }
            CallEvent::Failed { reason, letters, .. } => {
                log::info!(target: STRANGERS_LOG, "no answer to client {client}: {reason}");
                letters.into_iter().for_each(|letter| self.on_returned(letter, client, &reason));
            }
            CallEvent::Ended { reason, letters } => {
                letters.into_iter().for_each(|letter| self.on_returned(letter, client, reason));
            }
            CallEvent::Late(letters) => {
                letters
                    .into_iter()
                    .for_each(|letter| self.on_returned(letter, client, "its client was not reached in time"));
            }
            // A client that leaves is no failure.
            CallEvent::Gone { reason } => log::debug!("the answer link to client {client} is gone: {reason}"),
            CallEvent::HadToMakeRoom => {
                log::debug!("closing the answer link to client {client}: {CALL_LINKS_MAX} are the most");
            }
            CallEvent::Connected | CallEvent::Reached(_) | CallEvent::Heard(_) | CallEvent::Refused(_) => {}
        }
    }

    /// Takes the answers that were not dialled to their clients and may go back to whoever sent the query.
    pub(super) fn take_returned(&mut self) -> Vec<(SocketAddr, Letter)> {
        std::mem::take(&mut self.returned)
    }

    fn on_returned(&mut self, letter: Letter, client: SocketAddr, reason: &str) {
        if letter.answers.is_some() {
            self.returned.push((client, letter));
        } else {
            self.on_undelivered(&letter, client, reason);
        }
    }

    pub(super) fn on_undelivered(&mut self, letter: &Letter, client: SocketAddr, reason: &str) {
        self.undelivered_count += 1;
        let id = QueryId { sequence: letter.number, client };
        log::debug!(target: QUERY_LOG, "{id} answer dropped: {reason}");
    }

    /// What is held beside the struct itself.
    pub(super) fn memory_bytes(&self) -> usize {
        self.networks.capacity() * size_of::<IpNet>()
    }
}

/// An answer on its way to its client. One that may go back instead does not wait for long.
pub(super) fn letter(now: Time, answer: Answer, answers: Option<CopyName>) -> Letter {
    let until = answers.map(|_| now + BACK_AFTER);
    Letter { number: answer.sequence, message: Message::Answer(answer), until, answers }
}
