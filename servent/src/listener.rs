//! The port listened on: whoever connects is accepted, so many in a turn, and nobody for a moment when descriptors run
//! out.
//!
//! It knows nothing of a connection but that it came; what becomes of it is `peers`.

use std::fs::File;
use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::Duration;

use common::address::canonical;
use common::overlay::STRANGERS_LOG;
use common::time::Time;

use crate::poller::{Interest, Watched};

/// Connections accepted in one turn of the loop; the others wait for the next.
const ACCEPTS_PER_TURN: usize = 128;
/// How long nothing is accepted after descriptors ran out.
const ACCEPT_PAUSE: Duration = Duration::from_millis(100);

/// The port listened on, as long as it is.
pub(crate) struct Listener {
    socket: Watched<TcpListener>,
    /// When it is listened on again, while it is not.
    again_at: Option<Time>,
    /// Closed for a moment when descriptors run out, so that a connection can be accepted only to be closed: left in
    /// the backlog it would wake the loop for ever.
    spare: Option<File>,
}

impl Listener {
    pub(crate) fn new(socket: Watched<TcpListener>) -> Listener {
        Listener { socket, again_at: None, spare: open_spare() }
    }

    /// Hands on who connects.
    pub(crate) fn on_ready(&mut self, now: Time, mut accepted: impl FnMut(TcpStream, SocketAddr)) {
        for _ in 0..ACCEPTS_PER_TURN {
            match self.socket.accept() {
                Ok((stream, from)) => accepted(stream, canonical(from)),
                Err(error) => match error.kind() {
                    io::ErrorKind::WouldBlock => return,
                    io::ErrorKind::ConnectionAborted | io::ErrorKind::Interrupted => {}
                    _ => return self.on_failed(now, &error),
                },
            }
        }
    }

    fn on_failed(&mut self, now: Time, error: &io::Error) {
        log::warn!(target: STRANGERS_LOG, "cannot accept: {error}; trying again in {} ms", ACCEPT_PAUSE.as_millis());
        self.spare = None;
        // Accepted with the spare descriptor and closed at once, so that somebody is told instead of left waiting.
        let _ = self.socket.accept();
        if let Err(error) = self.socket.pause() {
            log::error!("cannot stop watching the listener: {error}");
        }
        self.spare = open_spare();
        self.again_at = Some(now + ACCEPT_PAUSE);
    }

    pub(crate) fn deadline(&self) -> Option<Time> {
        self.again_at
    }

    pub(crate) fn on_time(&mut self, now: Time) {
        if self.again_at.is_some_and(|again| again <= now) {
            self.again_at = None;
            if let Err(error) = self.socket.set_interest(Interest::Read) {
                log::error!("cannot watch the listener again: {error}");
            }
        }
    }
}

fn open_spare() -> Option<File> {
    File::open("/dev/null").ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::poller::Poller;
    use crate::sockets;

    #[test]
    fn a_turn_accepts_so_many_and_the_next_one_goes_on() {
        let poller = Poller::new().unwrap();
        let listening = sockets::listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let address = listening.local_addr().unwrap();
        let mut listener = Listener::new(poller.watch(listening, 0, Interest::Read).unwrap());
        // Some of the last may still be on their way.
        let crowd = ACCEPTS_PER_TURN + 64;
        let _crowd: Vec<TcpStream> = (0..crowd).map(|_| TcpStream::connect(address).unwrap()).collect();
        let mut accepted = 0;
        listener.on_ready(Time::START, |_, _| accepted += 1);
        assert_eq!(accepted, ACCEPTS_PER_TURN);
        listener.on_ready(Time::START, |_, _| accepted += 1);
        assert!((ACCEPTS_PER_TURN + 1..=crowd).contains(&accepted), "{accepted}");
        assert_eq!(listener.deadline(), None);
    }
}
