//! A TP3 node that a test plays itself: every byte is written and read here, from the description of that dialect alone.
//!
//! It shares no code with the programs' own wire. It has no mind: it says what the test tells it to, when the test tells
//! it to, and answers nothing by itself.

use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;

use super::PATIENCE;

/// The first message on a connection.
pub(crate) fn id(port: u16) -> Vec<u8> {
    [[0, 4], port.to_be_bytes()].concat()
}

/// A client's request for a key.
pub(crate) fn keyreq(sequence: u32, key: impl AsRef<[u8]>) -> Vec<u8> {
    [&[0, 5][..], &sequence.to_be_bytes(), &text(key)].concat()
}

/// A client's request for the topology.
pub(crate) fn toporeq(sequence: u32) -> Vec<u8> {
    [&[0, 6][..], &sequence.to_be_bytes()].concat()
}

/// An answer.
pub(crate) fn resp(sequence: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    [&[0, 9][..], &sequence.to_be_bytes(), &text(value)].concat()
}

/// A length and so many bytes.
fn text(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// A node that waits for clients.
#[derive(Debug)]
pub(crate) struct Node {
    address: SocketAddr,
    accepted: Receiver<TcpStream>,
}

impl Node {
    /// Listens on a free port.
    pub(crate) fn listen() -> Node {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, accepted) = channel();
        thread::spawn(move || {
            while let Ok((stream, _)) = listener.accept() {
                if sender.send(stream).is_err() {
                    return;
                }
            }
        });
        Node { address, accepted }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Where it listens, as an argument.
    pub(crate) fn name(&self) -> String {
        format!("tp3://{}", self.address)
    }

    /// The next client, once it has said its ID.
    pub(crate) fn attach(&self) -> Contact {
        let mut wire = Wire::over(self.accepted.recv_timeout(PATIENCE).expect("nobody connects"));
        let said = wire.hear(4);
        let port = u16::from_be_bytes([said[2], said[3]]);
        assert_eq!(said, id(port));
        assert_ne!(port, 0, "that is what servents say");
        let client = SocketAddr::new(wire.0.peer_addr().unwrap().ip(), port);
        Contact { wire, client }
    }
}

/// A node's end of the connection with its client.
#[derive(Debug)]
pub(crate) struct Contact {
    wire: Wire,
    /// Where the client hears answers.
    pub(crate) client: SocketAddr,
}

impl Contact {
    /// That these bytes come next.
    pub(crate) fn expect(&mut self, bytes: &[u8]) {
        assert_eq!(self.wire.hear(bytes.len()), bytes);
    }

    /// The next bytes, which must be so many.
    pub(crate) fn hear(&mut self, count: usize) -> Vec<u8> {
        self.wire.hear(count)
    }

    /// All that still comes until the client has closed the connection.
    pub(crate) fn bytes_until_end(&mut self) -> Vec<u8> {
        self.wire.bytes_until_end()
    }

    /// Connects to the client, says an answer, and says no more.
    pub(crate) fn answer(&self, sequence: u32, value: impl AsRef<[u8]>) -> Wire {
        self.bring(&resp(sequence, value))
    }

    /// The same with any bytes.
    pub(crate) fn bring(&self, bytes: &[u8]) -> Wire {
        let mut wire = self.dial();
        wire.say(bytes);
        wire.say_no_more();
        wire
    }

    /// The same of a client that may have left meanwhile.
    pub(crate) fn bring_unless_gone(&self, bytes: &[u8]) -> Option<Wire> {
        let mut wire = Wire::over(TcpStream::connect(self.client).ok()?);
        wire.0.write_all(bytes).ok()?;
        wire.say_no_more();
        Some(wire)
    }

    /// Connects to the client, and says nothing.
    pub(crate) fn dial(&self) -> Wire {
        Wire::over(TcpStream::connect(self.client).expect("the client does not listen"))
    }
}

/// One end of a connection on which every byte is the test's.
#[derive(Debug)]
pub(crate) struct Wire(TcpStream);

impl Wire {
    fn over(stream: TcpStream) -> Wire {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        Wire(stream)
    }

    /// This end's address.
    pub(crate) fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    pub(crate) fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub(crate) fn say_no_more(&mut self) {
        match self.0.shutdown(Shutdown::Write) {
            // The client has closed it already.
            Err(error) if error.kind() == ErrorKind::NotConnected => {}
            done => done.unwrap(),
        }
    }

    fn hear(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("the client says no more");
        bytes
    }

    /// All that still comes until the client has closed the connection.
    pub(crate) fn bytes_until_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            // What was said and not read turns the end into a reset.
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no end: {error}"),
            _ => bytes,
        }
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Dropping the socket is not enough: a process that another test is just starting may hold it open for a moment.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}
