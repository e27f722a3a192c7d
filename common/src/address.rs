//! Addresses as people write them and as servents pass them on.
//!
//! It parses and judges; what a name or a zone stands for is asked by the programs, because that waits or takes a system.

use std::fmt;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, SocketAddrV4, SocketAddrV6};
use std::str::FromStr;

use crate::dialect::Dialect;

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
        names_one_end(self.socket)
    }

    /// Whether it is the address of the same client for a servent at the other end of a link. A loopback address is, if that
    /// runs on the same host. One of a link of the network is not, because nobody is told of which.
    #[must_use]
    pub fn means_the_same_there(&self, is_same_host: bool) -> bool {
        match self.socket.ip() {
            ip if ip.is_loopback() => is_same_host,
            IpAddr::V4(ip) => !ip.is_link_local(),
            IpAddr::V6(ip) => !ip.is_unicast_link_local(),
        }
    }
}

/// Whether a connection to this address can mean one end.
pub(crate) fn names_one_end(address: SocketAddr) -> bool {
    let ip = address.ip();
    let broadcast = ip == IpAddr::V4(Ipv4Addr::BROADCAST);
    address.port() != 0 && !ip.is_unspecified() && !ip.is_multicast() && !broadcast
}

/// A neighbor to dial: its name as the operator wrote it, and where it is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Neighbor {
    /// `host:port`, for messages.
    pub name: String,
    /// What the name stands for, to be tried in turn; none where it is to be looked up before every dial.
    pub addresses: Vec<SocketAddr>,
    /// The dialect it speaks: a dialer has to know.
    pub dialect: Dialect,
}

impl fmt::Display for Neighbor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

/// An address as people write it, at every door: `PORT` (of this machine, on 127.0.0.1), `HOST:PORT`, `[IPv6]:PORT` or
/// `[IPv6%ZONE]:PORT`. What a name or a zone stands for is not known here.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// Where it is.
    pub host: Host,
    /// The port there.
    pub port: u16,
}

/// Where an address is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Host {
    /// At an ip.
    Ip(IpAddr),
    /// At an ip that means something on one network only, and the interface to that network, by name or number.
    Zoned(Ipv6Addr, String),
    /// At whatever a name stands for.
    Name(String),
}

/// The longest name of a host, in bytes.
const HOST_BYTES_MAX: usize = 253;

/// Why a text is no address. Every reason is followed by the forms there are.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AddressError {
    /// There is nothing.
    #[error("an address is missing; {FORMS}")]
    Empty,
    /// There is a host alone.
    #[error("`{text}` has no port; {FORMS}")]
    NoPort {
        /// What was written.
        text: String,
    },
    /// What stands where a port should is none.
    #[error("{}; {FORMS}", not_a_port(text, port))]
    NotAPort {
        /// What was written.
        text: String,
        /// What stands for the port.
        port: String,
    },
    /// An IPv6 address, whose colons could be those before a port.
    #[error("`{text}` has an IPv6 address without its brackets; {FORMS}")]
    NoBrackets {
        /// What was written.
        text: String,
    },
    /// What stands between brackets is no IPv6 address.
    #[error("`{text}` has `{ip}` where an IPv6 address should be; {FORMS}")]
    NotAnIpv6 {
        /// What was written.
        text: String,
        /// What stands for the ip.
        ip: String,
    },
    /// An IPv6 address that is another host's on each network.
    #[error(
        "`{text}` is an address of each of this machine's networks: say which with the name of its interface, as in [{ip}%eth0]:9000"
    )]
    NoZone {
        /// What was written.
        text: String,
        /// Its ip.
        ip: Ipv6Addr,
    },
    /// What stands for the host can be the name of none.
    #[error("`{text}` has `{host}` where a host should be; {FORMS}")]
    NotAHost {
        /// What was written.
        text: String,
        /// What stands for the host.
        host: String,
    },
}

/// The forms of an address, in words.
pub const FORMS: &str = "the forms are PORT (of this machine), HOST:PORT, [IPv6]:PORT and [IPv6%ZONE]:PORT";

impl FromStr for Address {
    type Err = AddressError;

    fn from_str(text: &str) -> Result<Address, AddressError> {
        let own = || text.to_owned();
        if text.is_empty() {
            return Err(AddressError::Empty);
        }
        if is_number(text) {
            return Ok(Address { host: Host::Ip(Ipv4Addr::LOCALHOST.into()), port: parse_port(text, text)? });
        }
        if let Some(rest) = text.strip_prefix('[') {
            let (ip, port) = rest.rsplit_once(']').ok_or_else(|| AddressError::NoBrackets { text: own() })?;
            let host = parse_bracketed(text, ip)?;
            let port = port.strip_prefix(':').ok_or_else(|| AddressError::NoPort { text: own() })?;
            return Ok(Address { host, port: parse_port(text, port)? });
        }
        let Some((host, port)) = text.rsplit_once(':') else { return Err(AddressError::NoPort { text: own() }) };
        if host.contains(':') && !host.contains('/') {
            return Err(AddressError::NoBrackets { text: own() });
        }
        Ok(Address { host: parse_host(text, host)?, port: parse_port(text, port)? })
    }
}

fn is_number(text: &str) -> bool {
    let digits = text.strip_prefix(['-', '+']).unwrap_or(text);
    !digits.is_empty() && digits.bytes().all(|byte| byte.is_ascii_digit())
}

fn not_a_port(text: &str, port: &str) -> String {
    if text == port {
        return format!("`{text}` is no port from 0 to 65535");
    }
    format!("`{text}` has `{port}` where a port from 0 to 65535 should be")
}

fn parse_port(text: &str, port: &str) -> Result<u16, AddressError> {
    let digits = Some(port).filter(|port| port.bytes().all(|byte| byte.is_ascii_digit()));
    digits
        .and_then(|port| port.parse().ok())
        .ok_or_else(|| AddressError::NotAPort { text: text.to_owned(), port: port.to_owned() })
}

fn parse_bracketed(text: &str, ip: &str) -> Result<Host, AddressError> {
    let (ip, zone) = ip.split_once('%').map_or((ip, None), |(ip, zone)| (ip, Some(zone)));
    let parsed: Ipv6Addr =
        ip.parse().map_err(|_| AddressError::NotAnIpv6 { text: text.to_owned(), ip: ip.to_owned() })?;
    match zone {
        Some(zone) if zone.is_empty() || !zone.chars().all(may_be_in_a_name) => {
            Err(AddressError::NotAHost { text: text.to_owned(), host: format!("{ip}%{zone}") })
        }
        Some(zone) => Ok(Host::Zoned(parsed, zone.to_owned())),
        None if parsed.is_unicast_link_local() => Err(AddressError::NoZone { text: text.to_owned(), ip: parsed }),
        None => Ok(Host::Ip(parsed.into())),
    }
}

fn parse_host(text: &str, host: &str) -> Result<Host, AddressError> {
    if let Ok(ip) = host.parse::<Ipv4Addr>() {
        return Ok(Host::Ip(ip.into()));
    }
    // Digits and dots that are no ip would be looked up as a name, and nobody is called that.
    let is_number = host.bytes().all(|byte| byte.is_ascii_digit() || byte == b'.');
    if is_number || host.len() > HOST_BYTES_MAX || !host.chars().all(may_be_in_a_name) {
        return Err(AddressError::NotAHost { text: text.to_owned(), host: host.to_owned() });
    }
    Ok(Host::Name(host.to_owned()))
}

/// What has a meaning of its own in addresses, or cannot be seen, is in no name of a host or an interface.
fn may_be_in_a_name(letter: char) -> bool {
    !letter.is_whitespace() && !letter.is_control() && !"[]%/\\@?#:".contains(letter)
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.host {
            Host::Ip(ip) => write!(f, "{}", SocketAddr::new(*ip, self.port)),
            Host::Zoned(ip, zone) => write!(f, "[{ip}%{zone}]:{}", self.port),
            Host::Name(name) => write!(f, "{name}:{}", self.port),
        }
    }
}

/// Reads the address of a servent to dial: one with a port somebody can listen on, and before it perhaps the dialect
/// that is spoken there.
pub fn parse_servent(text: &str) -> Result<(Dialect, Address), ServentError> {
    let (dialect, address) = Dialect::told_by(text);
    if let Some((scheme, _)) = address.split_once("://") {
        return Err(ServentError::NoDialect { text: text.to_owned(), scheme: scheme.to_owned() });
    }
    let address: Address = address.parse()?;
    if address.port == 0 {
        return Err(ServentError::PortZero { text: text.to_owned() });
    }
    Ok((dialect, address))
}

/// What may stand before an address, as one would say it.
fn schemes() -> String {
    let schemes = Dialect::ALL.iter().map(|dialect| dialect.manners().scheme).filter(|scheme| !scheme.is_empty());
    schemes.map(|scheme| format!("`{scheme}`")).collect::<Vec<_>>().join(" or ")
}

/// Why a text is not the address of a servent to dial.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ServentError {
    /// It is no address.
    #[error(transparent)]
    Address(#[from] AddressError),
    /// What stands before it names no dialect.
    #[error("`{text}` begins with no dialect there is: `{scheme}://` is not {}", schemes())]
    NoDialect {
        /// What was written.
        text: String,
        /// What stands where a dialect should.
        scheme: String,
    },
    /// Its port is 0.
    #[error("`{text}` is nobody's address: nobody listens on port 0")]
    PortZero {
        /// What was written.
        text: String,
    },
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
    fn addresses_as_people_write_them() {
        for (text, expected) in [
            ("9000", "127.0.0.1:9000"),
            ("0", "127.0.0.1:0"),
            ("127.0.0.1:9000", "127.0.0.1:9000"),
            ("0.0.0.0:65535", "0.0.0.0:65535"),
            ("[::1]:9000", "[::1]:9000"),
            ("[2001:DB8::1]:09000", "[2001:db8::1]:9000"),
            ("[fe80::1%eth0]:9000", "[fe80::1%eth0]:9000"),
            ("[fe80::1%2]:9000", "[fe80::1%2]:9000"),
            ("localhost:9000", "localhost:9000"),
            ("caf\u{e9}.example:1", "caf\u{e9}.example:1"),
            ("3com.example:1", "3com.example:1"),
        ] {
            let address: Address = text.parse().unwrap();
            assert_eq!(address.to_string(), expected, "{text}");
            assert_eq!(expected.parse().as_ref(), Ok(&address), "{expected}");
        }
        assert_eq!(
            "[fe80::1%2]:7".parse(),
            Ok(Address { host: Host::Zoned("fe80::1".parse().unwrap(), "2".to_owned()), port: 7 })
        );
        let longest = "a".repeat(HOST_BYTES_MAX);
        for name in ["a", &longest] {
            let host = Host::Name(name.to_owned());
            assert_eq!(format!("{name}:7").parse(), Ok(Address { host, port: 7 }));
        }
    }

    #[test]
    fn what_is_no_address_is_told_why() {
        let nine = "9".repeat(HOST_BYTES_MAX);
        for (text, expected) in [
            ("", "an address is missing"),
            ("65536", "`65536` is no port from 0 to 65535"),
            ("-1", "`-1` is no port"),
            ("99999999999999999999", "`99999999999999999999` is no port"),
            ("+9000", "`+9000` is no port"),
            ("localhost", "has no port"),
            ("10.0.0.1", "has no port"),
            ("localhost:", "has `` where a port"),
            ("localhost:+9", "has `+9` where a port"),
            ("localhost:http", "has `http` where a port"),
            ("localhost:65536", "has `65536` where a port"),
            (":9000", "has `` where a host"),
            ("10.0.0.256:9000", "has `10.0.0.256` where a host"),
            ("10.0.1:9000", "has `10.0.1` where a host"),
            ("a b:9000", "has `a b` where a host"),
            ("a/b:9000", "has `a/b` where a host"),
            ("eth0%1:9000", "has `eth0%1` where a host"),
            ("::1:9000", "without its brackets"),
            ("fe80::1%eth0:9000", "without its brackets"),
            ("[::1:9000", "without its brackets"),
            ("http://a:80", "has `http://a` where a host"),
            ("[::1]", "has no port"),
            ("[::1]9000", "has no port"),
            ("[localhost]:9000", "has `localhost` where an IPv6"),
            ("[127.0.0.1]:9000", "has `127.0.0.1` where an IPv6"),
            ("[]:9000", "has `` where an IPv6"),
            ("[fe80::1]:9000", "as in [fe80::1%eth0]:9000"),
            ("[fe80::1%]:9000", "has `fe80::1%` where a host"),
            ("[fe80::1%a%b]:9000", "has `fe80::1%a%b` where a host"),
            (&format!("{nine}a:9000"), "where a host"),
        ] {
            let error = text.parse::<Address>().unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
            assert!(error.contains(text), "{text}: {error}");
            assert!(error.contains(FORMS) || error.contains("eth0]:9000"), "{text}: {error}");
        }
    }

    #[test]
    fn servents_to_dial_have_a_dialect_and_a_port() {
        let address = |text: &str| text.parse::<Address>().unwrap();
        assert_eq!(parse_servent("9000"), Ok((Dialect::Native, address("127.0.0.1:9000"))));
        assert_eq!(parse_servent("tp3://a:9000"), Ok((Dialect::Tp3, address("a:9000"))));
        assert_eq!(parse_servent("tp3://[fe80::1%eth0]:9000"), Ok((Dialect::Tp3, address("[fe80::1%eth0]:9000"))));
        for (text, expected) in [
            ("tp4://a:9000", "`tp4://` is not `tp3://`"),
            ("tp3://tp3://a:9000", "`tp3://` is not `tp3://`"),
            ("tp3://", "an address is missing"),
            ("tp3://a", "`a` has no port"),
            ("a:0", "nobody listens on port 0"),
            ("0", "nobody listens on port 0"),
        ] {
            let error = parse_servent(text).unwrap_err().to_string();
            assert!(error.contains(expected), "{text}: {error}");
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
