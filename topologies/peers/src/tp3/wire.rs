//! Connections on which every byte is the test's.

use std::io::{ErrorKind, Read, Write};
use std::net::{Ipv4Addr, Shutdown, SocketAddr, SocketAddrV4, TcpStream};

use socket2::{Domain, Protocol, Socket, Type};

use super::{Answers, Flood, Kind, TEXT_BYTES_MAX, id};
use crate::PATIENCE;

/// One end of a connection on which every byte is the test's.
#[derive(Debug)]
pub struct Wire(TcpStream, SocketAddr);

impl Wire {
    /// Connects from 127.0.0.1, and says nothing.
    pub fn connect(to: SocketAddr) -> Wire {
        Wire::connect_from(Ipv4Addr::LOCALHOST, to)
    }

    /// The same from an ip of one's choice.
    pub fn connect_from(ip: Ipv4Addr, to: SocketAddr) -> Wire {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, Some(Protocol::TCP)).unwrap();
        socket.bind(&SocketAddr::from((ip, 0)).into()).unwrap();
        socket.connect(&to.into()).unwrap();
        Wire::over(socket.into())
    }

    /// A neighbor that the servent has taken notice of: floods reach it from now on.
    pub fn neighbor(servent: SocketAddr) -> Wire {
        let mut wire = Wire::connect(servent);
        wire.say(&id(0));
        wire.settle();
        wire
    }

    /// Takes a connection over.
    pub fn over(stream: TcpStream) -> Wire {
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        stream.set_write_timeout(Some(PATIENCE)).unwrap();
        stream.set_nodelay(true).unwrap();
        // Asked now: a connection that has ended may not know any more.
        let peer = stream.peer_addr().unwrap();
        Wire(stream, peer)
    }

    /// Waits until the servent has dealt with all that was said so far: it answers a flood that comes after it.
    pub fn settle(&mut self) {
        let answers = Answers::open();
        let flood = Flood::topology(answers.address(), "192.0.2.1:9", 0);
        self.say(&flood.bytes());
        assert_eq!(answers.next().sequence, flood.sequence);
    }

    /// This end's address.
    pub fn address(&self) -> SocketAddr {
        self.0.local_addr().unwrap()
    }

    /// The other end's address.
    pub fn peer(&self) -> SocketAddr {
        self.1
    }

    pub fn say(&mut self, bytes: &[u8]) {
        self.0.write_all(bytes).unwrap();
    }

    pub fn say_byte_by_byte(&mut self, bytes: &[u8]) {
        bytes.iter().for_each(|byte| self.say(&[*byte]));
    }

    pub fn pass_on(&mut self, flood: &Flood) {
        self.say(&flood.bytes());
    }

    /// The next bytes, which must be so many.
    pub fn hear(&mut self, count: usize) -> Vec<u8> {
        let mut bytes = vec![0; count];
        self.0.read_exact(&mut bytes).expect("the other side says no more");
        bytes
    }

    /// The next message, which must be a flood.
    pub fn hear_flood(&mut self) -> Flood {
        let header = self.hear(16);
        let kind = match header[..2] {
            [0, 7] => Kind::Key,
            [0, 8] => Kind::Topology,
            _ => panic!("{header:02x?} begins no flood"),
        };
        let ttl = number(&header[2..4]);
        let [.., a, b, c, d, _, _, _, _] = header[..] else { unreachable!("there are 16 bytes") };
        let client = SocketAddrV4::new(Ipv4Addr::new(a, b, c, d), number(&header[12..14]));
        let length: u16 = number(&header[14..]);
        assert!(usize::from(length) <= TEXT_BYTES_MAX, "a text of {length} bytes");
        let info = self.hear(length.into());
        Flood { kind, ttl, sequence: number(&header[4..8]), client, info }
    }

    /// All that still comes until the other side has closed the connection.
    pub fn bytes_until_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        match self.0.read_to_end(&mut bytes) {
            // What was said and not read turns the end into a reset.
            Err(error) if error.kind() != ErrorKind::ConnectionReset => panic!("no end: {error}"),
            _ => bytes,
        }
    }

    /// The same where it has to end well.
    pub(super) fn bytes_until_orderly_end(&mut self) -> Vec<u8> {
        let mut bytes = Vec::new();
        self.0.read_to_end(&mut bytes).expect("a connection that ends well");
        bytes
    }

    pub fn say_no_more(&mut self) {
        match self.0.shutdown(Shutdown::Write) {
            // The other side has closed it already.
            Err(error) if error.kind() == ErrorKind::NotConnected => {}
            done => done.unwrap(),
        }
    }

    /// Says no more, and hears what still comes.
    pub fn leave(mut self) -> Vec<u8> {
        self.0.shutdown(Shutdown::Write).unwrap();
        self.bytes_until_end()
    }
}

impl Drop for Wire {
    fn drop(&mut self) {
        // Dropping the socket is not enough: a process that another test is just starting may hold it open for a moment.
        let _ = self.0.shutdown(Shutdown::Both);
    }
}

pub(super) fn number<Number: FromBytes>(bytes: &[u8]) -> Number {
    Number::from_bytes(bytes)
}

pub(super) trait FromBytes {
    fn from_bytes(bytes: &[u8]) -> Self;
}

impl FromBytes for u16 {
    fn from_bytes(bytes: &[u8]) -> u16 {
        u16::from_be_bytes(bytes.try_into().unwrap())
    }
}

impl FromBytes for u32 {
    fn from_bytes(bytes: &[u8]) -> u32 {
        u32::from_be_bytes(bytes.try_into().unwrap())
    }
}
