//! What a mind learns of dials: its own, and those that come to it.

use std::net::SocketAddr;

use common::dialect::Dialect;
use common::fetch;
use common::link::Purpose;
use common::overlay::{self, Opening};
use common::session;

use super::{Mind, Shell, StrangerNews};
use crate::world::dials::{Caller, Knock};
use crate::world::ends::{EndAt, EndStage};
use crate::world::events::Notice;
use crate::world::face::Face;
use crate::world::network::Knocked;
use crate::world::trace::Noted;

impl<F: Face> Shell<F> {
    pub(crate) fn dial(&mut self, node: usize, caller: Caller, address: SocketAddr, dialect: Dialect) {
        self.face.on_dialling(&self.network, node, address);
        self.network.dial(node, caller, address, dialect);
    }

    pub(super) fn on_knock(&mut self, knock: &Knock) {
        let Knock { node, caller, dialect, .. } = *knock;
        self.note(node, Noted::Knocks);
        let fate = self.face.fate_of(&self.network, knock);
        match self.network.on_knock(knock, fate) {
            Some(Knocked::Connected { connection, is_established }) => {
                let at = EndAt::dialler_of(connection);
                self.nodes[node].exchange.on_dialled(at.link(), dialect, caller.purpose());
                if is_established {
                    self.notify(Notice::Established { at });
                }
                self.notify(Notice::Accepted { at: at.other() });
            }
            Some(Knocked::InVain(notice)) => self.notify(notice),
            None => {}
        }
    }

    pub(super) fn on_no_answer(&mut self, node: usize, caller: Caller, address: SocketAddr, refused: bool) {
        self.note(node, Noted::NoAnswer);
        let reason = if refused { "connection refused" } else { "timed out" };
        if let Some(event) = self.face.on_no_answer(&self.network, node, caller, address, reason) {
            self.schedule(self.now(), event);
        }
        let reason = reason.to_owned();
        match caller {
            Caller::Mind(dial) => {
                self.tell_servent(node, overlay::Input::DialFailed { dial, refused, reason });
            }
            Caller::Holder(dial) => {
                self.tell_fetch(node, fetch::Input::DialFailed { dial, reason });
            }
            Caller::Contact | Caller::Stranger { .. } => {}
        }
    }

    pub(super) fn on_accepted(&mut self, at: EndAt) {
        let end = self.network.end(at);
        if end.stage != EndStage::Open {
            return;
        }
        let (node, speaks, dialler) = (end.node, end.speaks, self.network.end(at.other()).node);
        self.note(node, Noted::Accepted);
        let link = at.link();
        let mut from = self.network.address(dialler);
        // Answers in TP3 leave from the port their servent listens on; whatever else leaves from any port.
        if self.network.connection(at.connection).caller.purpose() != Purpose::Answers {
            let [.., high, low] = (at.connection as u64).to_be_bytes();
            from.set_port(u16::from_be_bytes([high, low]) | 0x8000);
        }
        self.with_exchange(node, |exchange, _, _| exchange.on_accepted(link, from));
        match &self.nodes[node].mind {
            Mind::Servent(_) if speaks => {
                let opening = Opening::Accepted(from);
                self.tell_servent(node, overlay::Input::Opened { link, opening });
            }
            Mind::Client(_) if speaks => {
                self.tell_client(node, session::Input::Accepted { link, from });
            }
            _ => {}
        }
        self.tell_heard(node);
    }

    pub(super) fn on_established(&mut self, at: EndAt) {
        if !self.network.on_established(at) {
            return;
        }
        let (node, caller) = (self.network.end(at).node, self.network.connection(at.connection).caller);
        self.note(node, Noted::Established);
        let link = at.link();
        self.with_exchange(node, |exchange, _, _| exchange.on_connected(link));
        match caller {
            Caller::Mind(dial) => {
                let opening = Opening::Dialled(dial);
                self.tell_servent(node, overlay::Input::Opened { link, opening });
            }
            Caller::Contact => {
                let contact = self.network.address(self.network.end(at.other()).node);
                self.tell_client(node, session::Input::Attached { link, contact });
            }
            Caller::Holder(_) => self.greet_holder(at),
            Caller::Stranger { number, .. } => self.strangers.push_back(StrangerNews::Connected { number, at }),
        }
        self.tell_heard(node);
        self.network.kick(at.other());
    }
}
