//! A contact that went away is attached to once more: the same session goes on, so no query id is used twice.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use common::address::{Neighbor, canonical};
use servent::poller::Interest;
use servent::sockets;

use super::{LISTENER, Refusals, Sockets, in_full};
use crate::error::ConnectError;

/// How long it may take in all. A person waits meanwhile.
const AGAIN_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long to wait before all addresses are tried once more: a contact that is started again is back within moments.
const AGAIN_PAUSE: Duration = Duration::from_millis(200);

impl Sockets {
    /// Connects to the contact again and waits until it has said hello, for so long or until it is interrupted. What
    /// else comes meanwhile is to be told.
    pub(crate) fn attach_again(&mut self, contact: &Neighbor) -> Result<(), ConnectError> {
        let by = Instant::now() + AGAIN_WAIT_MAX;
        loop {
            let mut refusals = Refusals::default();
            for address in &contact.addresses {
                match self.attach_to(*address, by) {
                    Ok(()) => return Ok(()),
                    Err(_) if self.untold.is_full() => return Err(ConnectError::EventsUntold),
                    Err(reason) => refusals.add(*address, reason),
                }
            }
            let may_go_on = self.pause(Instant::now() + AGAIN_PAUSE);
            if !may_go_on || Instant::now() >= by {
                return Err(ConnectError::no_servent(&contact.name, refusals));
            }
        }
    }

    /// Lets time go by. False where there is no more waiting.
    fn pause(&mut self, until: Instant) -> bool {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let may_go_on = !self.is_interrupted() && !self.untold.is_full();
            if !may_go_on || left.is_zero() {
                return may_go_on;
            }
            if self.turn(Some(left)).is_err() {
                return false;
            }
        }
    }

    fn attach_to(&mut self, address: SocketAddr, by: Instant) -> Result<(), String> {
        let stream = self.dial(address, by).map_err(|error| in_full(&error))?;
        let said = |error: io::Error| error.to_string();
        let address = canonical(stream.peer_addr().map_err(said)?);
        // With the scope it may have, without which nobody can listen there.
        let mut own = stream.local_addr().map_err(said)?;
        own.set_port(self.answers_at.port());
        if canonical(own) != self.answers_at {
            // The contact sees us elsewhere now, and sends those who answer there. The port stays what it is.
            let listener = sockets::listen(own).map_err(|error| in_full(&error))?;
            self.listener = self.poller.watch(listener, LISTENER, Interest::Read).map_err(said)?;
            self.answers_at = canonical(own);
        }
        self.contact_address = address;
        self.greet_contact(stream).map_err(|error| in_full(&error))?;
        let link = self.contact_link;
        loop {
            if let Some(hello) = self.hello.take() {
                return hello;
            }
            match self.is_over(by) {
                Some(when) => {
                    let reason = format!("it did not say hello {when}");
                    self.exchange.on_closed(self.now(), link, reason, &mut self.connections);
                    self.hear();
                }
                None => {
                    self.turn(Some(by.saturating_duration_since(Instant::now()))).map_err(said)?;
                }
            }
        }
    }

    /// Connects, and hears meanwhile what is to be heard.
    fn dial(&mut self, address: SocketAddr, by: Instant) -> io::Result<TcpStream> {
        if Instant::now() >= by {
            return Err(io::Error::other("there was no time left for it"));
        }
        let stream = sockets::dial(address)?;
        // No link has this key, so nobody but the loop below takes note of it.
        let key = self.connections.new_key();
        let watched = self.poller.watch(&stream, key, Interest::Write)?;
        loop {
            if let Some(error) = stream.take_error()? {
                return Err(error);
            }
            match stream.peer_addr() {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                Err(error) => return Err(error),
            }
            if let Some(when) = self.is_over(by) {
                return Err(io::Error::other(format!("it did not take the connection {when}")));
            }
            self.turn(Some(by.saturating_duration_since(Instant::now())))?;
        }
        drop(watched);
        sockets::prepare(&stream)?;
        Ok(stream)
    }

    /// Whether there is no more waiting, and in which words.
    fn is_over(&self, by: Instant) -> Option<String> {
        if self.is_interrupted() {
            let called = self.interrupt.as_ref().map_or("an interrupt", |(_, called)| called);
            Some(format!("before {called}"))
        } else if self.untold.is_full() {
            Some("before events had to be taken".to_owned())
        } else {
            (Instant::now() >= by).then(|| format!("within {} s", AGAIN_WAIT_MAX.as_secs()))
        }
    }
}
