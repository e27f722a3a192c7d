//! The connections with those who have a content: dialled, greeted, and read for what they send.
//!
//! What is asked of whom, and for how long somebody may be silent, is decided by the mind.

use std::collections::{BTreeMap, VecDeque};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::time::Duration;

use common::dialect::Dialect;
use common::exchange::{Exchange, Heard};
use common::features::Features;
use common::fetch::{FromHolder, HolderDial, Input, ToHolder};
use common::link::{LinkId, Purpose};
use common::message::{Hello, Message, Role};
use common::time::Time;
use common::wire::Accepts;
use servent::connections::Connections;
use servent::poller::{Interest, Poller, Ready, Waker, Watched};
use servent::sockets;

/// The key of what ends waits; those of connections are above it.
const INTERRUPT: usize = 0;
/// Times one connection is read in a turn: as much as has come meanwhile, and no more than that takes a moment.
const READS_PER_TURN: usize = 64;

#[derive(Debug)]
pub(super) struct HolderConnections {
    poller: Poller,
    connections: Connections,
    exchange: Exchange,
    /// Those that have yet to say hello, for the dials they come of; some have yet to connect.
    dials: BTreeMap<LinkId, HolderDial>,
    told: VecDeque<Input>,
    ready: Vec<Ready>,
    /// Watched as long as this is.
    _interrupt: Option<Watched<OwnedFd>>,
}

impl HolderConnections {
    /// None yet. Waits end for as long as this is readable.
    pub(super) fn new(interrupt: Option<BorrowedFd<'_>>) -> io::Result<HolderConnections> {
        let poller = Poller::new()?;
        let interrupt = interrupt.map(|interrupt| interrupt.try_clone_to_owned()).transpose()?;
        let interrupt = interrupt.map(|interrupt| poller.watch(interrupt, INTERRUPT, Interest::Read)).transpose()?;
        Ok(HolderConnections {
            connections: Connections::new(poller.watcher()),
            poller,
            exchange: Exchange::client(Accepts::OWN),
            dials: BTreeMap::new(),
            told: VecDeque::new(),
            ready: Vec::new(),
            _interrupt: interrupt,
        })
    }

    /// For another thread that has something for whoever waits here.
    pub(super) fn waker(&self) -> Waker {
        self.poller.waker()
    }

    /// Begins to connect to a holder. What is to be told at once, where that cannot be.
    pub(super) fn dial(&mut self, dial: HolderDial, address: SocketAddr) -> Option<Input> {
        let stream = sockets::dial(address).and_then(|stream| self.connections.insert(stream, Interest::Write));
        match stream {
            Ok(link) => {
                self.exchange.on_dialled(link, Dialect::OWN, Purpose::Asking);
                self.dials.insert(link, dial);
                None
            }
            Err(error) => Some(Input::DialFailed { dial, reason: error.to_string() }),
        }
    }

    pub(super) fn say(&mut self, now: Time, link: LinkId, message: ToHolder) {
        let message = match message {
            ToHolder::Open(open) => Message::Open(open),
            ToHolder::HashesWanted(wanted) => Message::HashesWanted(wanted),
            ToHolder::BlocksWanted(wanted) => Message::BlocksWanted(wanted),
        };
        // It has offered to understand it, and a link that takes no more is told to be closed.
        let _ = self.exchange.send(now, link, &message, &mut self.connections);
    }

    pub(super) fn close(&mut self, now: Time, link: LinkId) {
        self.dials.remove(&link);
        self.exchange.close(now, link, &mut self.connections);
    }

    pub(super) fn flush(&mut self, now: Time) {
        self.exchange.flush(now, &mut self.connections);
    }

    /// Waits so long for something to happen, and reads what has come. Whether waits are to end.
    pub(super) fn wait(&mut self, now: Time, timeout: Duration) -> io::Result<bool> {
        let is_left_over = self.exchange.deadline().is_some_and(|deadline| deadline <= now);
        let timeout = if is_left_over { Duration::ZERO } else { timeout };
        let mut ready = std::mem::take(&mut self.ready);
        self.poller.wait(Some(timeout), &mut ready)?;
        let mut is_interrupted = false;
        for Ready { key, readable, writable } in ready.drain(..) {
            if key == INTERRUPT {
                is_interrupted = true;
                continue;
            }
            let link = Connections::link_of(key);
            if self.exchange.is_connecting(link) {
                self.on_dial_over(now, link);
            } else if readable {
                self.read(now, link);
            }
            if writable {
                self.exchange.on_writable(link);
            }
        }
        self.ready = ready;
        self.exchange.on_time(now, &mut self.connections);
        Ok(is_interrupted)
    }

    fn read(&mut self, now: Time, link: LinkId) {
        for _ in 0..READS_PER_TURN {
            if !self.exchange.read(now, link, &mut self.connections) {
                return;
            }
            let told_count = self.told.len();
            while let Some((link, heard)) = self.exchange.next_heard(now, &mut self.connections) {
                self.on_heard(now, link, heard);
            }
            if self.told.len() == told_count && !self.dials.contains_key(&link) {
                self.told.push_back(Input::Heard { link });
            }
        }
    }

    fn on_dial_over(&mut self, now: Time, link: LinkId) {
        let Some(dial) = self.dials.get(&link).copied() else { return };
        let socket = self.connections.socket(link).ok_or(io::ErrorKind::NotConnected.into());
        match socket.and_then(sockets::finish_dial) {
            Ok(()) => {
                self.exchange.on_connected(link);
                let hello = Message::Hello(Hello::new(Role::Client { answer_port: 0 }));
                let _ = self.exchange.send(now, link, &hello, &mut self.connections);
                self.read(now, link);
            }
            Err(error) => {
                self.exchange.forget(now, link, &mut self.connections);
                self.dials.remove(&link);
                self.told.push_back(Input::DialFailed { dial, reason: error.to_string() });
            }
        }
    }

    /// The next thing for the mind to be told.
    pub(super) fn next(&mut self, now: Time) -> Option<Input> {
        loop {
            if let Some(input) = self.told.pop_front() {
                return Some(input);
            }
            let (link, heard) = self.exchange.next_heard(now, &mut self.connections)?;
            self.on_heard(now, link, heard);
        }
    }

    fn on_heard(&mut self, now: Time, link: LinkId, heard: Heard) {
        if let Some(dial) = self.dials.get(&link).copied() {
            return self.on_greeted(now, link, dial, heard);
        }
        let said = match heard {
            Heard::Message { message: Message::Ping, .. } => {
                let _ = self.exchange.send(now, link, &Message::Pong, &mut self.connections);
                return;
            }
            Heard::Message { message: Message::Goodbye(farewell), .. } => {
                self.close(now, link);
                let reason = format!("it said goodbye, because {farewell}");
                return self.told.push_back(Input::Closed { link, reason });
            }
            Heard::Message { message, .. } => match message {
                Message::Opened(opened) => FromHolder::Opened(opened),
                Message::Refused(refused) => FromHolder::Refused(refused),
                Message::HashPart(part) => FromHolder::HashPart(part),
                Message::Block(block) => FromHolder::Block(block),
                other => FromHolder::Other(other.name()),
            },
            Heard::Malformed(error) => {
                self.close(now, link);
                return self.told.push_back(Input::Closed { link, reason: error.to_string() });
            }
            Heard::Closed(reason) => return self.told.push_back(Input::Closed { link, reason }),
        };
        self.told.push_back(Input::Received { link, said });
    }

    /// What comes first over a link.
    fn on_greeted(&mut self, now: Time, link: LinkId, dial: HolderDial, heard: Heard) {
        let reason = match heard {
            Heard::Message { message: Message::Hello(Hello { role: Role::Servent { .. }, features, .. }), .. } => {
                if features.include(Features::CONTENT) {
                    self.dials.remove(&link);
                    return self.told.push_back(Input::Dialled { dial, link });
                }
                "it is too old to give contents".to_owned()
            }
            Heard::Message { message: Message::Goodbye(farewell), .. } => {
                format!("it said goodbye, because {farewell}")
            }
            Heard::Message { message, .. } => format!("it said {} before hello", message.name()),
            Heard::Malformed(error) => error.to_string(),
            Heard::Closed(reason) => reason,
        };
        self.close(now, link);
        self.told.push_back(Input::DialFailed { dial, reason });
    }
}

impl AsFd for HolderConnections {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.poller.as_fd()
    }
}
