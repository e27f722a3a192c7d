//! Messages that travel as they are: the mode without bytes.
//!
//! There are no frames, so of the rules an exchange has only those are here that are about messages: a mind's links, a
//! bounded queue, last words.

use std::collections::VecDeque;

use common::limits::STRANGER_UNSENT_BYTES_MAX;
use common::link::LinkId;
use common::message::Message;
use common::overlay;
use common::session::{self, Report};

use super::World;
use super::connection::{EndStage, Load, place_of};
use super::shell::Caller;

/// What a message counts for.
pub(super) const MESSAGE_BYTES: usize = 64;

/// What an end holds of what is said.
#[derive(Debug)]
pub(super) struct Words {
    pub(super) received: VecDeque<Message>,
    pub(super) unsent: VecDeque<Message>,
    pub(super) unsent_bytes_max: usize,
}

impl Words {
    pub(super) fn new() -> Words {
        Words { received: VecDeque::new(), unsent: VecDeque::new(), unsent_bytes_max: STRANGER_UNSENT_BYTES_MAX }
    }

    /// Queues a message; false when there is no room for it.
    fn say(&mut self, message: &Message) -> bool {
        let has_room = (self.unsent.len() + 1) * MESSAGE_BYTES <= self.unsent_bytes_max;
        if has_room {
            self.unsent.push_back(message.clone());
        }
        has_room
    }
}

impl World<'_> {
    pub(super) fn perform_in_words(&mut self, node: usize, output: overlay::Output) {
        match output {
            overlay::Output::Send { link, message } => self.say(node, link, &message),
            overlay::Output::Flood { links, query } => {
                let message = Message::Query(query);
                for link in links {
                    self.say(node, link, &message);
                }
            }
            overlay::Output::Dial { dial, address, dialect } => self.dial(node, Caller::Mind(dial), address, dialect),
            overlay::Output::Rest { link } => self.set_read(node, link, false),
            overlay::Output::Resume { link } => self.set_read(node, link, true),
            overlay::Output::Close { link } => {
                self.full.retain(|(of, _, full)| (*of, *full) != (node, link));
                if let Some((connection, end)) = self.open_end(node, link) {
                    self.close(connection, end);
                }
            }
            overlay::Output::Disk(job) => self.do_job(node, job),
        }
    }

    pub(super) fn perform_for_client_in_words(&mut self, node: usize, output: session::Output) -> Option<Report> {
        match output {
            session::Output::Send { link, message } => self.say(node, link, &message),
            session::Output::Close { link } => {
                self.full.retain(|(of, _, full)| (*of, *full) != (node, link));
                if let Some((connection, end)) = self.open_end(node, link) {
                    self.flush(connection, end);
                    self.let_go(connection, end);
                }
            }
            session::Output::Tell(report) => return Some(report),
        }
        None
    }

    /// Queues a message. A link that takes no more is lost.
    pub(super) fn say(&mut self, node: usize, link: LinkId, message: &Message) {
        let Some((connection, end)) = self.open_end(node, link) else { return };
        let has_room = |world: &mut World<'_>| {
            world.connections[connection].ends[end].words.as_mut().is_none_or(|words| words.say(message))
        };
        let mut is_said = has_room(self);
        if !is_said {
            // Much was queued since the last flush: what counts is what the other end leaves unread.
            self.flush(connection, end);
            is_said = has_room(self);
        }
        if is_said {
            self.show_said(link, message);
            let unsent_count =
                self.connections[connection].ends[end].words.as_ref().map_or(0, |words| words.unsent.len());
            self.check_unsent(connection, end, unsent_count * MESSAGE_BYTES);
            self.flush_later(connection, end);
        } else {
            self.let_go(connection, end);
            self.full.push_back((node, self.nodes[node].life, link));
        }
    }

    pub(super) fn flush_later(&mut self, connection: usize, end: usize) {
        let this = &mut self.connections[connection].ends[end];
        if !std::mem::replace(&mut this.unflushed, true) {
            self.unflushed.push((connection, end));
        }
    }

    /// Moves what an end has queued into its pipe, as far as that has room.
    pub(super) fn flush(&mut self, connection: usize, end: usize) {
        self.connections[connection].ends[end].unflushed = false;
        loop {
            let found = &mut self.connections[connection];
            let this = &mut found.ends[end];
            if matches!(this.stage, EndStage::Gone | EndStage::Dialling) {
                return;
            }
            let room = self.way.window_bytes.saturating_sub(found.pipes[end].held_bytes);
            let Some(words) = this.words.as_mut().filter(|_| room >= MESSAGE_BYTES) else { break };
            let Some(message) = words.unsent.pop_front() else { break };
            self.push(connection, end, Load::Message(message));
        }
        let this = &self.connections[connection].ends[end];
        if this.stage == EndStage::Closing && this.words.as_ref().is_none_or(|words| words.unsent.is_empty()) {
            self.push_end(connection, end);
        }
    }

    /// What comes is read from now on, or is not.
    fn set_read(&mut self, node: usize, link: LinkId, is_read: bool) {
        if let Some((connection, end)) = self.open_end(node, link) {
            self.set_is_read(connection, end, is_read);
            self.hear_words(connection, end);
        }
    }

    /// Hands on the messages that have come, unless nothing is to be heard of this link.
    pub(super) fn hear_words(&mut self, connection: usize, end: usize) {
        loop {
            let this = &mut self.connections[connection].ends[end];
            if this.stage != EndStage::Open || !this.is_read {
                return;
            }
            let Some(message) = this.words.as_mut().and_then(|words| words.received.pop_front()) else { return };
            self.hear(connection, end, message);
        }
    }

    /// A link took no more while its mind was speaking.
    pub(super) fn tell_full(&mut self, node: usize, life: u32, link: LinkId) {
        if self.nodes[node].life == life {
            let (connection, end) = place_of(link);
            self.tell_closed(connection, end, "it does not read");
        }
    }
}
