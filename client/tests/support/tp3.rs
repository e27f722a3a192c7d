//! A TP3 node that a test plays itself: every byte is written and read here, from the description of that dialect alone.
//!
//! It shares no code with the programs' own wire. It has no mind: it says what the test tells it to, when the test tells
//! it to, and answers nothing by itself.

use std::net::{SocketAddr, TcpStream};
use std::sync::mpsc::Receiver;

use peers::PATIENCE;
use peers::tp3::{Wire, id, resp};

use super::listen;
use super::process::Client;

/// A node that waits for clients.
#[derive(Debug)]
pub(crate) struct Node {
    address: SocketAddr,
    accepted: Receiver<TcpStream>,
}

impl Node {
    /// Listens on a free port.
    pub(crate) fn listen() -> Node {
        let (address, accepted) = listen();
        Node { address, accepted }
    }

    /// A client with these options, and the contact that it has attached to.
    pub(crate) fn with_client(options: &[&str]) -> (Node, Contact, Client) {
        let node = Node::listen();
        let client = Client::start([&[&*node.name()], options].concat());
        let contact = node.attach();
        (node, contact, client)
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
        let client = SocketAddr::new(wire.peer().ip(), port);
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

    /// The same, and waits until the client has printed just that answer.
    pub(crate) fn answer_shown(&self, sequence: u32, value: &str, client: &mut Client) -> Wire {
        let wire = self.answer(sequence, value);
        assert_eq!(client.next_line(), format!("{value} {}", wire.address()));
        wire
    }

    /// Connects to the client, says any bytes, and says no more.
    pub(crate) fn bring(&self, bytes: &[u8]) -> Wire {
        let mut wire = self.dial();
        wire.say(bytes);
        wire.say_no_more();
        wire
    }

    /// Connects to the client, and says nothing.
    pub(crate) fn dial(&self) -> Wire {
        Wire::over(TcpStream::connect(self.client).expect("the client does not listen"))
    }
}
