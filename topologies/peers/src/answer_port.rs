//! Where a client of our own dialect hears answers.

use std::net::{Shutdown, SocketAddr, TcpListener};

use common::message::Role;
use socket2::SockRef;

use crate::dark::swallow;
use crate::{PATIENCE, Peer, listen_anew};

/// A port at which a client hears answers.
pub struct AnswerPort(TcpListener);

impl AnswerPort {
    pub fn open() -> AnswerPort {
        AnswerPort::over(listen_anew())
    }

    pub fn open_at(address: SocketAddr) -> AnswerPort {
        AnswerPort::over(TcpListener::bind(address).unwrap())
    }

    fn over(listener: TcpListener) -> AnswerPort {
        // On a listener it bounds how long an accept waits.
        SockRef::from(&listener).set_read_timeout(Some(PATIENCE)).unwrap();
        AnswerPort(listener)
    }

    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// From now on it is dark: whoever connects hears nothing, neither yes nor no.
    pub fn swallow(&self) {
        swallow(&self.0);
    }

    /// The next servent that connects; nothing has been said to it.
    pub fn accept(&self) -> Peer {
        let (stream, _) = self.0.accept().unwrap();
        Peer::over(stream)
    }

    /// The next servent that connects, and the address it goes by in its hello.
    pub fn accept_and_greet(&self) -> (Peer, SocketAddr) {
        let mut peer = self.accept();
        let from = peer.greet(Role::Client { answer_port: self.address().port() });
        (peer, from)
    }
}

impl Drop for AnswerPort {
    fn drop(&mut self) {
        // Dropping the socket is not enough: a process that another test is just starting may hold it open for a moment.
        let _ = SockRef::from(&self.0).shutdown(Shutdown::Both);
    }
}
