//! A contact that went away is attached to once more: the same session goes on, so no query id is used twice.

use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::bail;
use common::address::{Neighbor, canonical};
use common::session::Report;
use servent::poller::Interest;
use servent::sockets;

use super::{AttachError, LISTENER, Refusals, Sockets};

/// How long it may take in all. A person waits meanwhile.
const AGAIN_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long to wait before all addresses are tried once more: a contact that is started again is back within moments.
const AGAIN_PAUSE: Duration = Duration::from_millis(200);

impl Sockets {
    /// The connection to the contact, while there is one.
    pub(crate) fn contact_socket(&self) -> Option<BorrowedFd<'_>> {
        self.connections.socket(self.contact_link).map(AsFd::as_fd)
    }

    /// Connects to the contact again and waits until it has said hello, for so long or until a person has had enough. What
    /// else comes meanwhile is to be told.
    pub(crate) fn attach_again(
        &mut self,
        contact: &Neighbor,
        mut tell: impl FnMut(&Report),
    ) -> Result<(), AttachError> {
        let by = Instant::now() + AGAIN_WAIT_MAX;
        loop {
            let mut refusals = Refusals::default();
            for address in &contact.addresses {
                match self.attach_to(*address, by, &mut tell) {
                    Ok(()) => return Ok(()),
                    Err(error) => refusals.add(*address, format_args!("{error:#}")),
                }
            }
            let may_go_on = self.pause(Instant::now() + AGAIN_PAUSE, &mut tell);
            if !may_go_on || Instant::now() >= by {
                return Err(AttachError::new(&contact.name, refusals));
            }
        }
    }

    /// Lets time go by. False where a person has had enough, or nothing can be waited for.
    fn pause(&mut self, until: Instant, tell: &mut impl FnMut(&Report)) -> bool {
        loop {
            let left = until.saturating_duration_since(Instant::now());
            if self.interrupted || left.is_zero() {
                return !self.interrupted;
            }
            if self.turn(Some(left)).is_err() {
                return false;
            }
            while let Some(report) = self.reports.pop() {
                tell(&report);
            }
        }
    }

    fn attach_to(&mut self, address: SocketAddr, by: Instant, tell: &mut impl FnMut(&Report)) -> anyhow::Result<()> {
        let stream = self.dial(address, by, tell)?;
        let address = canonical(stream.peer_addr()?);
        // With the scope it may have, without which nobody can listen there.
        let mut own = stream.local_addr()?;
        own.set_port(self.answers_at.port());
        if canonical(own) != self.answers_at {
            // The contact sees us elsewhere now, and sends those who answer there. The port stays what it is.
            self.listener = self.poller.watch(sockets::listen(own)?, LISTENER, Interest::Read)?;
            self.answers_at = canonical(own);
        }
        self.contact_address = address;
        self.greet_contact(stream)?;
        let link = self.contact_link;
        loop {
            while let Some(report) = self.reports.pop() {
                match report {
                    Report::Ready => return Ok(()),
                    Report::Refused { reason } => bail!("{reason}"),
                    report => tell(&report),
                }
            }
            match self.is_over(by) {
                Some(when) => {
                    let reason = format!("it did not say hello {when}");
                    self.exchange.on_closed(self.now(), link, reason, &mut self.connections);
                    self.hear();
                }
                None => {
                    self.turn(Some(by.saturating_duration_since(Instant::now())))?;
                }
            }
        }
    }

    /// Connects, and hears meanwhile what is to be heard.
    fn dial(&mut self, address: SocketAddr, by: Instant, tell: &mut impl FnMut(&Report)) -> anyhow::Result<TcpStream> {
        if Instant::now() >= by {
            bail!("there was no time left for it");
        }
        let stream = sockets::dial(address)?;
        // No link has this key, so nobody but the loop below takes note of it.
        let key = self.connections.new_key();
        let watched = self.poller.watch(&stream, key, Interest::Write)?;
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
                bail!("it did not take the connection {when}");
            }
            self.turn(Some(by.saturating_duration_since(Instant::now())))?;
            while let Some(report) = self.reports.pop() {
                tell(&report);
            }
        }
        drop(watched);
        sockets::prepare(&stream)?;
        Ok(stream)
    }

    /// Whether there is no more waiting, and in which words.
    fn is_over(&self, by: Instant) -> Option<String> {
        if self.interrupted {
            Some("before Ctrl-C".to_owned())
        } else {
            (Instant::now() >= by).then(|| format!("within {} s", AGAIN_WAIT_MAX.as_secs()))
        }
    }
}
