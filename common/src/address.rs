//! Addresses as people write them and as servents pass them on.
//!
//! It parses and judges; asking a name server is left to the programs, because that waits.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4, SocketAddrV6};

/// How bytes on a link are to be read, and how a client wants its answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Dialect {
    /// Our own, described in docs/PROTOCOL.md.
    #[default]
    Native,
    /// The course protocol the network descends from, described in docs/TP3.md.
    Tp3,
}

/// Where a client hears answers, and the dialect it hears them in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct AnswerAddress {
    /// The client's ip, as its contact's connection showed it, and the port the client declared.
    pub socket: SocketAddr,
    /// The dialect of the client.
    pub dialect: Dialect,
}

impl AnswerAddress {
    /// Whether a connection to this address can mean one client: a wildcard, a group or port 0 cannot.
    #[must_use]
    pub fn names_one_client(&self) -> bool {
        let ip = self.socket.ip();
        let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
        self.socket.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
    }
}

/// A neighbor to dial: its name as the operator wrote it, and the addresses that name had at the start.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// `host:port`, for messages.
    pub name: String,
    /// What the name stands for, to be tried in turn.
    pub addresses: Vec<SocketAddr>,
    /// The dialect it speaks: a dialer has to know.
    pub dialect: Dialect,
}

impl fmt::Display for Neighbor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// Why a text is not an address to listen on.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("`{0}` is not PORT, IP:PORT or [IPv6]:PORT (a port is 0 to 65535; 0 takes any free one)")]
pub struct ListenError(String);

/// Reads `PORT` (on 127.0.0.1), `IP:PORT` or `[IPv6]:PORT`.
pub fn parse_listen(text: &str) -> Result<SocketAddr, ListenError> {
    if let Ok(port) = text.parse::<u16>() {
        return Ok(SocketAddr::from((Ipv4Addr::LOCALHOST, port)));
    }
    text.parse().map_err(|_| ListenError(text.to_owned()))
}

/// The one spelling of an address: an IPv4 address that a dual-stack socket shows as IPv6 becomes IPv4 again, and the
/// scope and flow of an IPv6 address, which mean nothing on another machine, are dropped.
#[must_use]
pub fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// An address in two parts, for whoever keeps millions: the first is small, and the second is nearly always nothing.
pub(crate) fn split(address: SocketAddr) -> (SocketAddrV4, Option<Box<SocketAddrV6>>) {
    match address {
        SocketAddr::V4(v4) => (v4, None),
        SocketAddr::V6(v6) => (SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0), Some(Box::new(v6))),
    }
}

/// The address that was split into these parts.
pub(crate) fn join(v4: SocketAddrV4, v6: Option<&SocketAddrV6>) -> SocketAddr {
    v6.map_or(SocketAddr::V4(v4), |v6| SocketAddr::V6(*v6))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listen_addresses_as_people_write_them() {
        for (text, expected) in [
            ("9000", Some("127.0.0.1:9000")),
            ("0", Some("127.0.0.1:0")),
            ("0.0.0.0:9000", Some("0.0.0.0:9000")),
            ("[::1]:9000", Some("[::1]:9000")),
            ("65536", None),
            ("localhost:9000", None),
            ("::1:9000", None),
            ("", None),
            ("-1", None),
        ] {
            let parsed = parse_listen(text).ok().map(|address| address.to_string());
            assert_eq!(parsed.as_deref(), expected, "{text}");
        }
    }

    #[test]
    fn a_dual_stack_spelling_is_undone() {
        let shown: SocketAddr = "[::ffff:10.1.2.3]:7".parse().unwrap();
        assert_eq!(canonical(shown).to_string(), "10.1.2.3:7");
        let scoped = SocketAddr::V6(SocketAddrV6::new("fe80::1".parse().unwrap(), 7, 3, 4));
        assert_eq!(canonical(scoped).to_string(), "[fe80::1]:7");
    }

    #[test]
    fn addresses_nobody_in_particular_has_are_told_apart() {
        for (text, expected) in [
            ("127.0.0.1:9990", true),
            ("[::1]:9990", true),
            ("127.0.0.1:0", false),
            ("0.0.0.0:9990", false),
            ("224.0.0.1:9990", false),
            ("255.255.255.255:9990", false),
            ("[ff02::1]:9990", false),
        ] {
            let address = AnswerAddress { socket: text.parse().unwrap(), dialect: Dialect::Native };
            assert_eq!(address.names_one_client(), expected, "{text}");
        }
    }
}
