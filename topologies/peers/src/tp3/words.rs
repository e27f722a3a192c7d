//! The messages, to the byte.

use std::net::SocketAddrV4;

use super::{TEXT_BYTES_MAX, unique};

/// The first message on a connection; port 0 says "I am a servent".
pub fn id(port: u16) -> Vec<u8> {
    [[0, 4], port.to_be_bytes()].concat()
}

/// A client's request for a key.
pub fn keyreq(sequence: u32, key: impl AsRef<[u8]>) -> Vec<u8> {
    [&[0, 5][..], &sequence.to_be_bytes(), &text(key)].concat()
}

/// A client's request for the topology.
pub fn toporeq(sequence: u32) -> Vec<u8> {
    [&[0, 6][..], &sequence.to_be_bytes()].concat()
}

/// An answer.
pub fn resp(sequence: u32, value: impl AsRef<[u8]>) -> Vec<u8> {
    [&[0, 9][..], &sequence.to_be_bytes(), &text(value)].concat()
}

/// A length and so many bytes.
fn text(bytes: impl AsRef<[u8]>) -> Vec<u8> {
    let bytes = bytes.as_ref();
    [&u16::try_from(bytes.len()).unwrap().to_be_bytes()[..], bytes].concat()
}

/// What is left of a text that is too long.
pub fn shortened(text: &[u8]) -> Vec<u8> {
    if text.len() <= TEXT_BYTES_MAX { text.to_vec() } else { [&text[..TEXT_BYTES_MAX - 3], b"..."].concat() }
}

/// What a flood asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Key,
    Topology,
}

/// KEYFLOOD or TOPOFLOOD.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Flood {
    pub kind: Kind,
    pub ttl: u16,
    pub sequence: u32,
    pub client: SocketAddrV4,
    pub info: Vec<u8>,
}

impl Flood {
    /// A flood for a key, with a sequence of its own.
    pub fn key(client: SocketAddrV4, key: impl AsRef<[u8]>, ttl: u16) -> Flood {
        Flood { kind: Kind::Key, ttl, sequence: unique(), client, info: key.as_ref().to_vec() }
    }

    /// A flood for the topology that has come this way, with a sequence of its own.
    pub fn topology(client: SocketAddrV4, path: impl AsRef<[u8]>, ttl: u16) -> Flood {
        Flood { kind: Kind::Topology, ttl, sequence: unique(), client, info: path.as_ref().to_vec() }
    }

    /// The same with another TTL.
    pub fn with_ttl(&self, ttl: u16) -> Flood {
        Flood { ttl, ..self.clone() }
    }

    pub fn bytes(&self) -> Vec<u8> {
        [self.header(), text(&self.info)].concat()
    }

    /// All that comes before the length of the text.
    fn header(&self) -> Vec<u8> {
        let kind = match self.kind {
            Kind::Key => [0, 7],
            Kind::Topology => [0, 8],
        };
        let ttl = self.ttl.to_be_bytes();
        let port = self.client.port().to_be_bytes();
        [&kind[..], &ttl, &self.sequence.to_be_bytes(), &self.client.ip().octets(), &port].concat()
    }
}
