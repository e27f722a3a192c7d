//! The connections with everybody: dialled, accepted, and moved along by the exchange above them.
//!
//! How long anything may take, what a full link means and what is encoded once is the exchange's. Here is what only a
//! machine has: sockets that connect or fail to, and ports. It decides nothing about queries, answers or neighbors: what
//! happens becomes an [`Input`] of the mind. Time is handed in.

use std::collections::VecDeque;
use std::io;
use std::net::{SocketAddr, TcpStream};

use common::content::transfer::BlockBytes;
use common::dialect::{Bringing, Dialect};
use common::exchange::{Exchange, Outside, purpose_of};
use common::limits::CONNECTIONS_MAX;
use common::link::{LinkId, Purpose};
use common::overlay::{Dial, Input, Opening, Output, STRANGERS_LOG};
use common::time::Time;
use common::wire::Accepts;

use crate::connections::Connections;
use crate::poller::{Interest, Ready, Watcher};
use crate::same_ports::SamePorts;
use crate::sockets;

/// What the mind is to be told, in order.
pub(crate) type Inputs = VecDeque<Input>;

pub(crate) struct PeerConnections {
    exchange: Exchange,
    connections: Connections,
    /// What is dialled on the links whose dials are under way, in the order of these: each is later than all before.
    dials: Vec<(LinkId, Dial)>,
    listening: SocketAddr,
    same_ports: SamePorts,
}

impl PeerConnections {
    pub(crate) fn new(watcher: Watcher, accepts: Accepts, listening: SocketAddr) -> PeerConnections {
        PeerConnections {
            exchange: Exchange::servent(accepts),
            connections: Connections::new(watcher),
            dials: Vec::new(),
            listening,
            same_ports: SamePorts::default(),
        }
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.exchange.deadline()
    }

    // ---- what happened ----

    pub(crate) fn on_ready(&mut self, now: Time, ready: Ready, inputs: &mut Inputs) {
        // An event of a connection closed earlier in the same batch finds nothing: keys are never used again.
        let link = Connections::link_of(ready.key);
        if let Ok(place) = self.dials.binary_search_by_key(&link, |(link, _)| *link) {
            let (_, dial) = self.dials.remove(place);
            self.on_dial_over(now, link, dial, inputs);
        } else if ready.readable {
            self.exchange.read(now, link, &mut self.connections);
        }
        if ready.writable {
            self.exchange.on_writable(link);
        }
    }

    pub(crate) fn on_time(&mut self, now: Time) {
        self.exchange.on_time(now, &mut self.connections);
    }

    /// Somebody at this address connected.
    pub(crate) fn accept(&mut self, stream: TcpStream, from: SocketAddr, inputs: &mut Inputs) {
        if self.exchange.is_full() {
            log::warn!(target: STRANGERS_LOG, "refusing {from}: {CONNECTIONS_MAX} connections are the most");
            return;
        }
        match sockets::prepare_accepted(&stream).and_then(|()| self.connections.insert(stream, Interest::Read)) {
            Ok(link) => {
                self.exchange.on_accepted(link, from);
                inputs.push_back(Input::Opened { link, opening: Opening::Accepted(from) });
            }
            Err(error) => log::warn!(target: STRANGERS_LOG, "cannot use the connection from {from}: {error}"),
        }
    }

    /// A dial is over: the socket has become writable, or has failed.
    fn on_dial_over(&mut self, now: Time, link: LinkId, dial: Dial, inputs: &mut Inputs) {
        let socket = self.connections.socket(link).ok_or(io::ErrorKind::NotConnected.into());
        match socket.and_then(sockets::finish_dial) {
            Ok(()) => {
                self.exchange.on_connected(link);
                inputs.push_back(Input::Opened { link, opening: Opening::Dialled(dial) });
                self.exchange.read(now, link, &mut self.connections);
            }
            Err(error) => {
                self.exchange.forget(now, link, &mut self.connections);
                inputs.push_back(dial_failed(dial, &error));
            }
        }
    }

    /// The next thing that was heard on a link.
    pub(crate) fn next_heard(&mut self, now: Time) -> Option<Input> {
        self.exchange.next_heard(now, &mut self.connections).map(|(link, heard)| heard.for_servent(link))
    }

    // ---- what is to be done ----

    /// Does what the mind wants of its links, and gives back what it wants beyond them.
    pub(crate) fn perform(&mut self, now: Time, stamp: u64, output: Output) -> Option<Outside> {
        self.exchange.perform(now, stamp, output, &mut self.connections)
    }

    /// Has blocks sent that were read for a fetch. What the mind is told of it comes of [`PeerConnections::next_given`].
    pub(crate) fn give(&mut self, now: Time, stamp: u64, link: LinkId, fetch: u32, blocks: Vec<(u32, BlockBytes)>) {
        self.exchange.give(now, stamp, link, fetch, blocks);
    }

    /// That something given for a fetch waits for its client, that this takes some, or that all is queued.
    pub(crate) fn next_given(&mut self) -> Option<Input> {
        let giving = self.exchange.take_giving().map(|(link, fetch)| Input::Giving { link, fetch });
        giving.or_else(|| self.next_drained()).or_else(|| self.next_queued())
    }

    fn next_drained(&mut self) -> Option<Input> {
        self.exchange.take_drained().map(|(link, fetch)| Input::Drained { link, fetch })
    }

    fn next_queued(&mut self) -> Option<Input> {
        self.exchange.take_given().map(|(link, fetch)| Input::Given { link, fetch })
    }

    pub(crate) fn dial(&mut self, now: Time, dial: Dial, address: SocketAddr, dialect: Dialect, inputs: &mut Inputs) {
        if let Err(error) = self.begin_dial(now, dial, address, dialect) {
            inputs.push_back(dial_failed(dial, &error));
        }
    }

    fn begin_dial(&mut self, now: Time, dial: Dial, address: SocketAddr, dialect: Dialect) -> io::Result<()> {
        if self.exchange.is_full() {
            return Err(io::Error::other(format!("{CONNECTIONS_MAX} connections are the most")));
        }
        // A client that is told nothing else knows a servent by the address its answer comes from.
        let stream = match (dialect.manners().answers, purpose_of(dial)) {
            (Bringing::Alone { .. }, Purpose::Answers) if self.same_ports.take(now, address) => {
                sockets::dial_from(self.listening, address)?
            }
            _ => sockets::dial(address)?,
        };
        let link = self.connections.insert(stream, Interest::Write)?;
        self.exchange.on_dialled(link, dialect, purpose_of(dial));
        self.dials.push((link, dial));
        Ok(())
    }

    /// Gives up every dial under way: there will be nothing to say.
    pub(crate) fn give_up_dials(&mut self, now: Time) {
        self.dials.clear();
        self.exchange.drop_dials(now, &mut self.connections);
    }

    /// Writes once to every connection something was queued for.
    pub(crate) fn flush(&mut self, now: Time) {
        self.exchange.flush(now, &mut self.connections);
    }

    /// Whether nothing is left to be sent to anybody.
    pub(crate) fn are_flushed(&self) -> bool {
        self.exchange.is_flushed()
    }
}

fn dial_failed(dial: Dial, error: &io::Error) -> Input {
    let refused = error.kind() == io::ErrorKind::ConnectionRefused;
    Input::DialFailed { dial, refused, reason: error.to_string() }
}
