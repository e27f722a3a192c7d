//! The errand of visits: whether a servent is at an address, and which.
//!
//! A visit attaches as a client that asks nothing, so whoever is there takes it for no neighbor; it hears a hello and says
//! goodbye. How an address is dialled is `calls`; what is made of it is for whoever knows the members.

use std::net::SocketAddr;

use super::errand::{CallEvent, Letter, Wish};
use crate::message::{Identity, Message, Role};

/// What came of visits, until somebody is told.
#[derive(Debug, Default)]
pub(super) struct Visits {
    over: Vec<(SocketAddr, Visited)>,
}

/// What came of one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Visited {
    /// This servent is there.
    Met(Identity),
    /// Nobody was reached; `refused` where a machine is there on which nobody listens.
    InVain { refused: bool },
}

impl Visits {
    pub(super) fn on_call(&mut self, to: SocketAddr, event: &CallEvent) -> Vec<Wish> {
        match event {
            CallEvent::Reached(hello) => {
                if let Role::Servent { id, .. } = hello.role {
                    self.over.push((to, Visited::Met(Identity::from(id))));
                }
                // Once what was called for has been said, that was all.
                Vec::new()
            }
            CallEvent::Failed { refused, .. } => {
                self.over.push((to, Visited::InVain { refused: *refused }));
                Vec::new()
            }
            CallEvent::Said(_) => vec![Wish::End],
            _ => Vec::new(),
        }
    }

    /// Takes what came of them.
    pub(super) fn take_over(&mut self) -> Vec<(SocketAddr, Visited)> {
        std::mem::take(&mut self.over)
    }
}

/// What is said once whoever is there has said hello.
pub(super) fn letter() -> Letter {
    Letter::new(0, Message::Ping)
}
