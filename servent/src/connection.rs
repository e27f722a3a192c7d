//! A link with its socket: bytes move between the two, a bounded number at a turn.
//!
//! It knows no meaning: what a message is for is decided by the mind that gets it.

use std::io::{self, Read, Write};
use std::net::{Shutdown, TcpStream};

use common::link::Link;
use common::message::Message;
use common::wire::WireError;

use crate::poller::{Interest, Watched};

/// Bytes read in one turn of one connection: some hundred queries. What is left is read in the next turn: one that sends
/// as fast as it can takes its share of the loop and no more, and everybody else waits for no more than that.
pub const READ_BYTES: usize = 16 * 1024;

/// What came over a connection.
#[derive(Debug)]
pub enum Heard {
    /// A message.
    Message(Message),
    /// Bytes that are no message; nothing more will be heard.
    Malformed(WireError),
    /// The connection is over, for this reason.
    Ended(String),
}

/// A link with its socket.
#[derive(Debug)]
pub struct Connection {
    socket: Watched<TcpStream>,
    link: Link,
    reading: bool,
    closing: bool,
}

impl Connection {
    /// Puts a link and a socket together. The socket must not block.
    #[must_use]
    pub fn new(socket: Watched<TcpStream>, link: Link) -> Connection {
        Connection { socket, link, reading: true, closing: false }
    }

    /// The link.
    pub fn link(&mut self) -> &mut Link {
        &mut self.link
    }

    /// The socket.
    #[must_use]
    pub fn socket(&self) -> &TcpStream {
        &self.socket
    }

    /// Reads what has come, up to a turn's worth. `buffer` is scratch space of [`READ_BYTES`].
    pub fn read(&mut self, buffer: &mut [u8], mut hear: impl FnMut(Heard)) {
        // Some things are heard without a byte: what a dialect takes as said.
        if !self.closing && !self.hear_messages(&mut hear) {
            return;
        }
        match (&*self.socket).read(buffer) {
            Ok(0) => hear(Heard::Ended("it closed the connection".to_owned())),
            Ok(count) if !self.closing => {
                self.link.receive(buffer.get(..count).unwrap_or_default());
                self.hear_messages(&mut hear);
            }
            Ok(_) => {}
            // What was interrupted is still there in the next turn.
            Err(error) if matches!(error.kind(), io::ErrorKind::WouldBlock | io::ErrorKind::Interrupted) => {}
            Err(error) => hear(Heard::Ended(error.to_string())),
        }
    }

    /// Hands on the messages that are whole. False when nothing more will be heard.
    fn hear_messages(&mut self, hear: &mut impl FnMut(Heard)) -> bool {
        loop {
            match self.link.next_message() {
                Ok(Some(message)) => hear(Heard::Message(message)),
                Ok(None) => return true,
                Err(error) => {
                    hear(Heard::Malformed(error));
                    return false;
                }
            }
        }
    }

    /// Writes what the socket takes, and arms it for the rest.
    pub fn flush(&mut self) -> io::Result<()> {
        while !self.link.unsent().is_empty() {
            match (&*self.socket).write(self.link.unsent()) {
                Ok(0) => return Err(io::ErrorKind::WriteZero.into()),
                Ok(count) => self.link.sent(count),
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => return self.watch(),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        if self.closing {
            // Half-closed, so that the other side reads our last words before it sees the end: closing outright while
            // something of theirs is unread would reset the connection and take those words back.
            match self.socket.shutdown(Shutdown::Write) {
                Err(error) if error.kind() != io::ErrorKind::NotConnected => return Err(error),
                _ => {}
            }
        }
        self.watch()
    }

    /// Stops or goes on reading. What comes meanwhile waits in the system, and then at the other end.
    pub fn set_reading(&mut self, reading: bool) -> io::Result<()> {
        self.reading = reading;
        self.watch()
    }

    /// Sends what is queued and nothing after it; what still comes is discarded.
    pub fn close_gently(&mut self) {
        self.closing = true;
        self.reading = true;
    }

    /// Whether nothing is left to be sent.
    #[must_use]
    pub fn is_flushed(&self) -> bool {
        self.link.unsent().is_empty()
    }

    fn watch(&mut self) -> io::Result<()> {
        match (self.reading, self.is_flushed()) {
            (true, true) => self.socket.set_interest(Interest::Read),
            (true, false) => self.socket.set_interest(Interest::ReadWrite),
            (false, false) => self.socket.set_interest(Interest::Write),
            (false, true) => self.socket.pause(),
        }
    }
}
