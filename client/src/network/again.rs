//! A contact that went away is attached to once more: the same session goes on, so no query id is used twice.

use std::net::SocketAddr;
use std::os::fd::{AsFd, BorrowedFd};
use std::time::{Duration, Instant};

use anyhow::{anyhow, bail};
use common::address::{Neighbor, canonical};
use common::session::{Input, Report};
use servent::poller::Interest;
use servent::sockets;

use super::{AttachError, LISTENER, Network, Refusals, connect};

/// How long it may take in all. A person waits meanwhile.
const AGAIN_WAIT_MAX: Duration = Duration::from_secs(5);
/// How long to wait before all addresses are tried once more: a contact that is started again is back within moments.
const AGAIN_PAUSE: Duration = Duration::from_millis(200);

impl Network {
    /// The connection to the contact, while there is one.
    pub(crate) fn contact_socket(&self) -> Option<BorrowedFd<'_>> {
        let connection = self.connections.iter().find(|(link, _)| *link == self.contact_link);
        connection.map(|(_, connection)| connection.socket().as_fd())
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
                let left = by.saturating_duration_since(Instant::now());
                let attached = if left.is_zero() {
                    Err(anyhow!("there was no time left for it"))
                } else {
                    self.attach_to(*address, left, by, &mut tell)
                };
                match attached {
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

    fn attach_to(
        &mut self,
        address: SocketAddr,
        left: Duration,
        by: Instant,
        tell: &mut impl FnMut(&Report),
    ) -> anyhow::Result<()> {
        let stream = connect(address, left)?;
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
            let left = by.saturating_duration_since(Instant::now());
            if left.is_zero() {
                self.remove(link);
                let reason = format!("it did not say hello within {} s", AGAIN_WAIT_MAX.as_secs());
                self.handle(Input::Closed { link, reason });
            } else {
                self.turn(Some(left))?;
            }
        }
    }
}
