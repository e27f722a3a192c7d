//! One end of links, a servent or a client, as its program has it but for the sockets: a mind, its exchange, and
//! connections that take whatever is written.
//!
//! What happens to it is a [`PlayEvent`]. It is told the same events again and does the same again, so that what it does
//! can be counted apart from what makes the others do it.

use std::net::SocketAddr;
use std::sync::Arc;

use anyhow::Context;
use common::dialect::Dialect;
use common::exchange::{Beyond, Exchange, Heard, Outside, Transport, purpose_of};
use common::link::{LinkId, Purpose, SendError};
use common::message::Message;
use common::overlay::{self, Config, Dial, Opening, Overlay};
use common::random::Secret;
use common::session::{self, Question, Report, Session};
use common::store::Store;
use common::time::Time;
use common::wire::Accepts;

/// What a client's sequences are drawn from.
const CLIENT_SEED: u64 = 1;

/// What happens at one end.
#[derive(Clone, Debug)]
pub(super) enum PlayEvent {
    /// Somebody connected.
    Accepted { link: LinkId, from: SocketAddr },
    /// A dial of a servent's mind succeeded.
    Dialled { link: LinkId, dial: Dial },
    /// A client stands before its contact.
    Attached { link: LinkId, contact: SocketAddr },
    /// Bytes came.
    Bytes { link: LinkId, bytes: Vec<u8> },
    /// A client's user asks so many times.
    Ask { times: usize },
    /// It is time for something.
    Due,
}

/// Whose mind it is.
#[derive(Debug)]
pub(super) enum PlayerMind {
    Servent(Box<Overlay>),
    Client(Box<Session>, Question),
}

/// What is written, said and heard at one end.
#[derive(Debug, Default)]
pub(super) struct Wires {
    /// Whether it is kept, or only counted.
    pub(super) keeps: bool,
    pub(super) bytes_count: u64,
    pub(super) written: Vec<(LinkId, Vec<u8>)>,
    pub(super) said: Vec<Message>,
    pub(super) heard: Vec<(LinkId, Heard)>,
}

impl Transport for Wires {
    fn read(&mut self, _: LinkId, _: &mut [u8]) -> Result<Option<usize>, String> {
        Ok(None)
    }

    fn write(&mut self, link: LinkId, bytes: &[u8]) -> Result<usize, String> {
        self.bytes_count += bytes.len() as u64;
        if self.keeps {
            self.written.push((link, bytes.to_vec()));
        }
        Ok(bytes.len())
    }

    fn watch(&mut self, _: LinkId, _: bool, _: bool) -> Result<(), String> {
        Ok(())
    }

    fn shut(&mut self, _: LinkId) -> Result<(), String> {
        Ok(())
    }

    fn close(&mut self, _: LinkId) {}

    fn on_said(&mut self, _: LinkId, message: &Message, said: &Result<(), SendError>) {
        if self.keeps && said.is_ok() {
            self.said.push(message.clone());
        }
    }
}

#[derive(Debug)]
pub(super) struct Player {
    pub(super) mind: PlayerMind,
    exchange: Exchange,
    pub(super) wires: Wires,
    /// What its mind wants beyond its links.
    pub(super) outside: Vec<Outside>,
    /// What its user is told.
    pub(super) told: Vec<Report>,
    wanted: Vec<overlay::Output>,
    wanted_by_client: Vec<session::Output>,
}

impl Player {
    fn new(mind: PlayerMind, exchange: Exchange) -> Player {
        Player {
            mind,
            exchange,
            wires: Wires::default(),
            outside: Vec::new(),
            told: Vec::new(),
            wanted: Vec::new(),
            wanted_by_client: Vec::new(),
        }
    }

    pub(super) fn servent(config: &Config, data: &str) -> anyhow::Result<Player> {
        let (store, _) = Store::parse(data.as_bytes().to_vec()).context("the data of a servent")?;
        let mind = PlayerMind::Servent(Box::new(Overlay::new(config, Arc::new(store))));
        Ok(Player::new(mind, Exchange::servent(Accepts::OWN)))
    }

    pub(super) fn client(answer_port: u16, question: Question) -> Player {
        let session = Session::new(Dialect::OWN, answer_port, Secret::of_seed(CLIENT_SEED));
        Player::new(PlayerMind::Client(Box::new(session), question), Exchange::client(Accepts::OWN))
    }

    /// When something is to be done without anything having come.
    pub(super) fn deadline(&self) -> Option<Time> {
        let mind = match &self.mind {
            PlayerMind::Servent(overlay) => overlay.deadline(),
            PlayerMind::Client(session, _) => session.deadline(),
        };
        [mind, self.exchange.deadline()].into_iter().flatten().min()
    }

    /// One turn of its loop.
    pub(super) fn tell(&mut self, now: Time, event: &PlayEvent) {
        match event {
            PlayEvent::Accepted { link, from } => {
                self.exchange.on_accepted(*link, *from);
                match &self.mind {
                    PlayerMind::Servent(_) => {
                        let opening = Opening::Accepted(*from);
                        self.tell_servent(now, overlay::Input::Opened { link: *link, opening });
                    }
                    PlayerMind::Client(..) => {
                        self.tell_client(now, session::Input::Accepted { link: *link, from: *from });
                    }
                }
            }
            PlayEvent::Dialled { link, dial } => {
                self.exchange.on_dialled(*link, Dialect::OWN, purpose_of(*dial));
                self.exchange.on_connected(*link);
                self.tell_servent(now, overlay::Input::Opened { link: *link, opening: Opening::Dialled(*dial) });
            }
            PlayEvent::Attached { link, contact } => {
                self.exchange.on_dialled(*link, Dialect::OWN, Purpose::Asking);
                self.exchange.on_connected(*link);
                self.tell_client(now, session::Input::Attached { link: *link, contact: *contact });
            }
            PlayEvent::Bytes { link, bytes } => self.exchange.receive(*link, bytes),
            PlayEvent::Ask { times } => (0..*times).for_each(|_| self.ask(now)),
            PlayEvent::Due => {
                self.exchange.on_time(now, &mut self.wires);
                match &self.mind {
                    PlayerMind::Servent(_) => self.tell_servent(now, overlay::Input::Deadline),
                    PlayerMind::Client(..) => self.tell_client(now, session::Input::Deadline),
                }
            }
        }
        self.hear(now);
        self.exchange.flush(now, &mut self.wires);
    }

    fn hear(&mut self, now: Time) {
        loop {
            while let Some((link, heard)) = self.exchange.next_heard(now, &mut self.wires) {
                if self.wires.keeps {
                    self.wires.heard.push((link, heard.clone()));
                }
                match &self.mind {
                    PlayerMind::Servent(_) => self.tell_servent(now, heard.for_servent(link)),
                    PlayerMind::Client(..) => self.tell_client(now, heard.for_client(link)),
                }
            }
            if self.exchange.deadline() != Some(Time::START) {
                return;
            }
            // Whoever had more to say than one turn tells has the next.
            self.exchange.on_time(now, &mut self.wires);
        }
    }

    fn ask(&mut self, now: Time) {
        let mut wanted = std::mem::take(&mut self.wanted_by_client);
        if let PlayerMind::Client(session, question) = &mut self.mind {
            // One too many is not asked, which whoever looks at what was heard will miss.
            let _ = session.ask(now, question.clone(), &mut wanted);
        }
        self.perform_for_client(now, wanted);
    }

    fn tell_servent(&mut self, now: Time, input: overlay::Input) {
        let mut wanted = std::mem::take(&mut self.wanted);
        let PlayerMind::Servent(overlay) = &mut self.mind else { return };
        overlay.handle(now, input, &mut wanted);
        let stamp = overlay.stamp();
        for output in wanted.drain(..) {
            let outside = self.exchange.perform(now, stamp, output, &mut self.wires);
            self.outside.extend(outside.filter(|_| self.wires.keeps));
        }
        self.wanted = wanted;
    }

    fn tell_client(&mut self, now: Time, input: session::Input) {
        let mut wanted = std::mem::take(&mut self.wanted_by_client);
        if let PlayerMind::Client(session, _) = &mut self.mind {
            session.handle(now, input, &mut wanted);
        }
        self.perform_for_client(now, wanted);
    }

    fn perform_for_client(&mut self, now: Time, mut wanted: Vec<session::Output>) {
        for output in wanted.drain(..) {
            // What is asked here is short: nothing is announced, so there is nothing to dial for.
            if let Some(Beyond::Tell(report)) = self.exchange.perform_for_client(now, output, &mut self.wires)
                && self.wires.keeps
            {
                self.told.push(report);
            }
        }
        self.wanted_by_client = wanted;
    }
}
