//! A contact that went away is attached to once more: the same session goes on, so no query id is used twice.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use common::address::{Neighbor, canonical};
use servent::poller::Interest;
use servent::sockets;

use super::{CANNOT_CONNECT, CANNOT_WAIT, Refusals, Sockets, listen, watch_answers};
use crate::error::{ConnectError, is_of_this_machine};

/// How long it may take in all. A person waits meanwhile.
const AGAIN_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long to wait before all addresses are tried once more: a contact that is started again is back within moments.
const AGAIN_PAUSE: Duration = Duration::from_millis(200);

/// Why nobody is attached to at one of the addresses.
pub(super) enum NotAttached {
    /// It is not a servent's, or it does not want us.
    Refused(String),
    /// This machine cannot; at another address it could not either.
    Failed(ConnectError),
}

impl From<io::Error> for NotAttached {
    fn from(error: io::Error) -> NotAttached {
        if is_of_this_machine(&error) {
            NotAttached::Failed(ConnectError::machine(CANNOT_CONNECT)(error))
        } else {
            NotAttached::Refused(error.to_string())
        }
    }
}

impl From<ConnectError> for NotAttached {
    fn from(error: ConnectError) -> NotAttached {
        NotAttached::Failed(error)
    }
}

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
                    Err(NotAttached::Refused(reason)) => refusals.add(*address, reason),
                    Err(NotAttached::Failed(error)) => return Err(error),
                }
            }
            self.pause(Instant::now() + AGAIN_PAUSE)?;
            if self.is_interrupted() {
                return Err(ConnectError::interrupted(&contact.name, refusals));
            }
            if self.untold.is_full() {
                return Err(ConnectError::EventsUntold);
            }
            if Instant::now() >= by {
                return Err(ConnectError::no_servent(&contact.name, refusals));
            }
        }
    }

    /// Lets time go by, until then or until there is no more waiting.
    fn pause(&mut self, until: Instant) -> Result<(), ConnectError> {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if left.is_zero() || self.is_interrupted() || self.untold.is_full() {
                return Ok(());
            }
            self.turn(Some(left)).map_err(ConnectError::machine(CANNOT_WAIT))?;
        }
    }

    fn attach_to(&mut self, address: SocketAddr, by: Instant) -> Result<(), NotAttached> {
        let stream = self.dial(address, by)?;
        let address = canonical(stream.peer_addr()?);
        if let Some(answers_at) = self.answers_at {
            // With the scope it may have, without which nobody can listen there.
            let mut own = stream.local_addr()?;
            own.set_port(answers_at.port());
            if canonical(own) != answers_at {
                // The contact sees us elsewhere now, and sends those who answer there. The port stays what it is.
                self.listener = Some(watch_answers(&self.poller, listen(own)?)?);
                self.answers_at = Some(canonical(own));
            }
        }
        self.own_ip = stream.local_addr()?.ip().to_canonical();
        self.contact_address = address;
        self.greet_contact(stream)?;
        loop {
            if let Some(hello) = self.hello.take() {
                return hello.map_err(NotAttached::Refused);
            }
            if let Some(when) = self.is_over(by) {
                self.give_up(format!("it did not say hello {when}"));
            } else if let Err(error) = self.turn(Some(by.saturating_duration_since(Instant::now()))) {
                self.give_up("nobody can wait for it".to_owned());
                return Err(ConnectError::machine(CANNOT_WAIT)(error).into());
            }
        }
    }

    /// Closes the connection to one that has said no hello.
    fn give_up(&mut self, reason: String) {
        self.exchange.on_closed(self.now(), self.contact_link, reason, &mut self.connections);
        self.hear();
    }

    /// Connects, and hears meanwhile what is to be heard.
    fn dial(&mut self, address: SocketAddr, by: Instant) -> Result<TcpStream, NotAttached> {
        if Instant::now() >= by {
            return Err(NotAttached::Refused("there was no time left for it".to_owned()));
        }
        let stream = sockets::dial(address)?;
        // No link has this key, so nobody but the loop below takes note of it.
        let key = self.connections.new_key();
        let watched = self.poller.watch(&stream, key, Interest::Write);
        let watched = watched.map_err(ConnectError::machine("cannot watch the connection to the contact"))?;
        loop {
            if let Some(error) = stream.take_error()? {
                return Err(error.into());
            }
            match stream.peer_addr() {
                Ok(_) => break,
                Err(error) if error.kind() == io::ErrorKind::NotConnected => {}
                Err(error) => return Err(error.into()),
            }
            if let Some(when) = self.is_over(by) {
                return Err(NotAttached::Refused(format!("it did not take the connection {when}")));
            }
            let turned = self.turn(Some(by.saturating_duration_since(Instant::now())));
            turned.map_err(ConnectError::machine(CANNOT_WAIT))?;
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
