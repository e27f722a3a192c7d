//! The errand of probes: whether a servent's own clients can be dialled where they say that they hear answers.
//!
//! A probe says nothing, and hears nothing. How a client is dialled is `calls`; what is made of it that one cannot be is for
//! whoever knows the clients (`links`).

use std::net::SocketAddr;

use super::errand::{CallEvent, Letter};
use crate::message::Message;

/// What came of them, until somebody is told.
#[derive(Debug, Default)]
pub(super) struct Probes {
    unreachable: Vec<SocketAddr>,
}

impl Probes {
    pub(super) fn on_call(&mut self, client: SocketAddr, event: &CallEvent) {
        if let CallEvent::Failed { reason, .. } = event {
            log::debug!("client {client} cannot be dialled: {reason}");
            self.unreachable.push(client);
        }
    }

    /// Takes the addresses that could not be dialled.
    pub(super) fn take_unreachable(&mut self) -> Vec<SocketAddr> {
        std::mem::take(&mut self.unreachable)
    }
}

/// What a call is made for that is over before anything is said.
pub(super) fn letter() -> Letter {
    Letter::new(0, Message::Ping)
}
