//! How sockets are opened: the options every connection of ours has, and names turned into addresses.
//!
//! Nothing is read or written here. Only looking up a name may wait, for a name server: it is done before there is a loop,
//! or in a thread of its own.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV6, TcpListener, TcpStream, ToSocketAddrs};
use std::time::Duration;

use common::address::{Address, Host, Neighbor, ServentError, parse_servent};
use common::limits::{DIAL_WAIT_MAX, NEIGHBOR_BEAT, NEIGHBOR_QUIET_MAX};
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use thiserror::Error;

/// How many connections may wait to be accepted.
const BACKLOG: i32 = 4_096;
/// A connection silent for this long is asked by the system whether its other end is still there,
const KEEPALIVE_AFTER: Duration = Duration::from_secs(5);
/// then again at this pace,
const KEEPALIVE_EVERY: Duration = Duration::from_secs(2);
/// and is gone after this many questions without reply.
const KEEPALIVE_TRIES: u32 = 3;
/// How long written bytes may go without acknowledgement.
const UNACKNOWLEDGED_MAX: Duration = Duration::from_secs(10);

/// Bytes that may wait in the system and were not sent yet. What it could hold besides, some megabytes, would leave us without
/// a sign of whoever takes little until a third of that was taken, and cost as much memory for each.
const NOT_SENT_BYTES_MAX: u32 = 256 * 1024;

/// Within so long it is noticed that the other end of a connection has vanished, whether something is on its way or not.
const NOTICED_MAX: Duration = Duration::from_secs(12);

const _: () = {
    assert!(KEEPALIVE_AFTER.as_secs() + KEEPALIVE_EVERY.as_secs() * (KEEPALIVE_TRIES as u64) < NOTICED_MAX.as_secs());
    assert!(UNACKNOWLEDGED_MAX.as_secs() < NOTICED_MAX.as_secs());
    // Who is there and says nothing is noticed by the mind, in beats.
    assert!(NEIGHBOR_QUIET_MAX.as_secs() + NEIGHBOR_BEAT.as_secs() < NOTICED_MAX.as_secs());
};

/// An address that cannot be listened on.
#[derive(Debug, Error)]
#[error("cannot listen on {address}")]
pub struct ListenError {
    /// Which it is.
    pub address: SocketAddr,
    /// What the system says.
    pub source: io::Error,
}

/// Why it cannot be told what somebody to dial, or an address, stands for.
#[derive(Debug, Error)]
pub enum ResolveError {
    /// It is not written as an address.
    #[error(transparent)]
    Malformed(#[from] ServentError),
    /// No interface of this machine is called so.
    #[error("cannot tell where `{address}` is")]
    UnknownInterface {
        /// Where it is to be.
        address: Address,
        /// Which interfaces there are.
        source: io::Error,
    },
    /// The system knows nobody by that name, or cannot ask.
    #[error("cannot tell what address `{address}` stands for")]
    UnknownName {
        /// The name, and the port.
        address: Address,
        /// What the system says.
        source: io::Error,
    },
    /// There is such a name, and nothing behind it.
    #[error("`{0}` stands for no address")]
    NoAddress(Address),
}

impl ResolveError {
    /// What the system said, where it is the system that cannot tell. Whatever is no address is none to everybody.
    #[must_use]
    pub fn of_the_system(&self) -> Option<&io::Error> {
        match self {
            ResolveError::UnknownInterface { source, .. } | ResolveError::UnknownName { source, .. } => Some(source),
            ResolveError::Malformed(_) | ResolveError::NoAddress(_) => None,
        }
    }
}

/// Opens a listener that does not block.
pub fn listen(address: SocketAddr) -> Result<TcpListener, ListenError> {
    open_listener(address).map_err(|source| ListenError { address, source })
}

fn open_listener(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    // A restarted servent takes its port back at once; a second servent on a port in use still fails.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    Ok(socket.into())
}

/// Lets connections leave from the port that is listened on, so that whoever sees one can tell whose it is. Done only
/// now: had the port been bound like this, a second servent could have taken it too.
pub fn share_port(listener: &TcpListener) -> io::Result<()> {
    SockRef::from(listener).set_reuse_port(true)
}

/// As [`dial`], from this address where the system allows it.
pub fn dial_from(own: SocketAddr, address: SocketAddr) -> io::Result<TcpStream> {
    // Listening on every IPv6 address takes in every IPv4 address too; leaving from there has to be said in its own
    // family.
    let own = match (own, address) {
        (SocketAddr::V6(own), SocketAddr::V4(_)) if own.ip().is_unspecified() => {
            SocketAddr::from((Ipv4Addr::UNSPECIFIED, own.port()))
        }
        _ => own,
    };
    let from_own = || -> io::Result<TcpStream> {
        let socket = open_for_dial(address, DIAL_WAIT_MAX)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&own.into())?;
        begin_connect(socket, address)
    };
    // A connection between the same two ports that has just ended stands in the way for a while.
    from_own().or_else(|_| dial(address))
}

/// Begins to connect and does not wait. The connect is over when the socket is writable; [`finish_dial`] then tells how it
/// went.
pub fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    dial_within(address, DIAL_WAIT_MAX)
}

/// The same where the system is to try for so long.
pub fn dial_within(address: SocketAddr, at_most: Duration) -> io::Result<TcpStream> {
    begin_connect(open_for_dial(address, at_most)?, address)
}

fn open_for_dial(address: SocketAddr, at_most: Duration) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Without it a dark address keeps the system trying for minutes.
    socket.set_tcp_user_timeout(Some(at_most))?;
    Ok(socket)
}

fn begin_connect(socket: Socket, address: SocketAddr) -> io::Result<TcpStream> {
    match socket.connect(&address.into()) {
        Ok(()) => {}
        Err(error) if error.raw_os_error() == Some(rustix::io::Errno::INPROGRESS.raw_os_error()) => {}
        Err(error) => return Err(error),
    }
    Ok(socket.into())
}

/// A dial is over. Gives the connection the options all of ours have, or says why there is none.
pub fn finish_dial(stream: &TcpStream) -> io::Result<()> {
    if let Some(error) = stream.take_error()? {
        return Err(error);
    }
    // Dialling a free port of this machine can, by chance, use that very port as its own: TCP's simultaneous open.
    if stream.local_addr()? == stream.peer_addr()? {
        return Err(io::Error::new(io::ErrorKind::ConnectionRefused, "nobody listens there"));
    }
    prepare(stream)
}

/// Gives a connection that stands, dialled or accepted, the options all of ours have.
pub fn prepare(stream: &TcpStream) -> io::Result<()> {
    stream.set_nonblocking(true)?;
    stream.set_nodelay(true)?;
    let socket = SockRef::from(stream);
    let keepalive =
        TcpKeepalive::new().with_time(KEEPALIVE_AFTER).with_interval(KEEPALIVE_EVERY).with_retries(KEEPALIVE_TRIES);
    socket.set_tcp_keepalive(&keepalive)?;
    socket.set_tcp_user_timeout(Some(UNACKNOWLEDGED_MAX))
}

/// As [`prepare`], for a connection that was accepted: what many may leave unread is not to lie in the system.
pub fn prepare_accepted(stream: &TcpStream) -> io::Result<()> {
    prepare(stream)?;
    SockRef::from(stream).set_tcp_notsent_lowat(NOT_SENT_BYTES_MAX)
}

/// Allows this process as many descriptors as the system grants on request; the default is often few.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        log::debug!("the limit on descriptors stays at {:?}: {error}", limit.current);
    }
}

/// A servent to dial. Where it is told by a name or an interface, where that is has yet to be asked.
pub fn neighbor(name: &str) -> Result<Neighbor, ServentError> {
    let (dialect, address) = parse_servent(name)?;
    let addresses = match address.host {
        Host::Ip(ip) => vec![SocketAddr::new(ip.to_canonical(), address.port)],
        Host::Zoned(..) | Host::Name(_) => Vec::new(),
    };
    Ok(Neighbor { name: name.to_owned(), addresses, dialect })
}

/// Whether only a resolver can tell what a servent to dial stands for, which may take its time. An address stands for
/// itself, and interfaces are known to the system.
#[must_use]
pub fn needs_resolver(name: &str) -> bool {
    parse_servent(name).is_ok_and(|(_, address)| matches!(address.host, Host::Name(_)))
}

/// Asks what addresses a servent to dial has.
pub fn resolve(name: &str) -> Result<Neighbor, ResolveError> {
    let (dialect, address) = parse_servent(name)?;
    Ok(Neighbor { name: name.to_owned(), addresses: addresses_of(&address)?, dialect })
}

/// Asks what address is meant where there can be one only: the first, but of a name that has an IPv4 address that one,
/// as without a name.
pub fn resolve_one(address: &Address) -> Result<SocketAddr, ResolveError> {
    let addresses = addresses_of(address)?;
    let first = addresses.iter().find(|address| address.is_ipv4()).or(addresses.first());
    first.copied().ok_or_else(|| ResolveError::NoAddress(address.clone()))
}

/// Asks what an address stands for: a name for what a name server says, a zone for the interface that is called so. An
/// error of either is one of the system's, whatever is written is an address.
fn addresses_of(address: &Address) -> Result<Vec<SocketAddr>, ResolveError> {
    let port = address.port;
    let found: Vec<SocketAddr> = match &address.host {
        Host::Ip(ip) => vec![SocketAddr::new(*ip, port)],
        Host::Zoned(ip, zone) => {
            let found = zone_index(zone);
            let index = found.map_err(|source| ResolveError::UnknownInterface { address: address.clone(), source })?;
            vec![SocketAddrV6::new(*ip, port, 0, index).into()]
        }
        Host::Name(name) => {
            let found = (name.as_str(), port).to_socket_addrs();
            found.map_err(|source| ResolveError::UnknownName { address: address.clone(), source })?.collect()
        }
    };
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for mut address in found {
        // The scope of a link-local address stays: without it nobody here can dial it.
        address.set_ip(address.ip().to_canonical());
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        return Err(ResolveError::NoAddress(address.clone()));
    }
    Ok(addresses)
}

/// The number of an interface that is called so, or has it.
fn zone_index(zone: &str) -> io::Result<u32> {
    let by_name = nix::net::if_::if_nametoindex(zone).ok();
    by_name.or_else(|| zone.parse().ok().filter(|index| *index != 0)).ok_or_else(|| {
        let names: Vec<String> = nix::net::if_::if_nameindex()
            .map(|interfaces| {
                interfaces.iter().map(|interface| interface.name().to_string_lossy().into_owned()).collect()
            })
            .unwrap_or_default();
        let what = format!("no interface of this machine is called {zone}; there are {}", names.join(", "));
        io::Error::new(io::ErrorKind::NotFound, what)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_stands_for_itself_and_a_name_for_several() {
        let addresses = |name: &str| resolve(name).unwrap().addresses;
        let address = |text: &str| text.parse::<SocketAddr>().unwrap();
        assert_eq!(addresses("127.0.0.1:9000"), [address("127.0.0.1:9000")]);
        assert_eq!(addresses("9000"), [address("127.0.0.1:9000")]);
        assert_eq!(addresses("tp3://[::1]:9000"), [address("[::1]:9000")]);
        assert_eq!(addresses("[::ffff:10.0.0.1]:9000"), [address("10.0.0.1:9000")]);
        assert!(addresses("localhost:9000").iter().all(|address| address.ip().is_loopback()));
    }

    /// Whichever a name server says first.
    #[test]
    fn where_one_address_is_meant_it_is_the_one_that_is_meant_without_a_name() {
        let one = |text: &str| resolve_one(&text.parse().unwrap()).unwrap().to_string();
        assert_eq!(one("localhost:9000"), "127.0.0.1:9000");
        assert_eq!(one("9000"), "127.0.0.1:9000");
        assert_eq!(one("[::]:0"), "[::]:0");
    }

    #[test]
    fn an_interface_is_called_by_name_or_number() {
        let index = nix::net::if_::if_nametoindex("lo").unwrap();
        for zone in ["lo".to_owned(), index.to_string()] {
            let addresses = resolve(&format!("[fe80::1%{zone}]:9000")).unwrap().addresses;
            assert_eq!(addresses, [SocketAddrV6::new("fe80::1".parse().unwrap(), 9000, 0, index).into()]);
        }
        for zone in ["nothing9", "0", "4294967296"] {
            let error = resolve(&format!("[fe80::1%{zone}]:9000")).unwrap_err();
            // It says what there is, and is known for an error of this machine, not of what was written.
            let error = format!("{error}: {}", error.of_the_system().unwrap());
            assert!(error.contains(&format!("no interface of this machine is called {zone}; there are lo")), "{error}");
        }
    }

    #[test]
    fn what_is_no_address_is_refused_before_anybody_is_asked() {
        for name in ["tp4://127.0.0.1:9000", "", "localhost", "127.0.0.1:0", "127.0.0.1:99999", "a b:1"] {
            assert!(matches!(resolve(name), Err(ResolveError::Malformed(_))), "{name}");
        }
    }

    /// Of both ends: links are accepted as well as dialled.
    #[test]
    fn the_system_watches_a_connection_that_stands() {
        let listener = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let dialled = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let accepted = loop {
            // The listener does not wait.
            if let Ok((accepted, _)) = listener.accept() {
                break accepted;
            }
        };
        prepare_accepted(&accepted).unwrap();
        assert_eq!(SockRef::from(&accepted).tcp_notsent_lowat().unwrap(), NOT_SENT_BYTES_MAX);
        for stream in [dialled, accepted] {
            prepare(&stream).unwrap();
            let socket = SockRef::from(&stream);
            assert!(socket.keepalive().unwrap() && socket.tcp_nodelay().unwrap());
            assert_eq!(socket.tcp_keepalive_time().unwrap(), KEEPALIVE_AFTER);
            assert_eq!(socket.tcp_keepalive_interval().unwrap(), KEEPALIVE_EVERY);
            assert_eq!(socket.tcp_keepalive_retries().unwrap(), KEEPALIVE_TRIES);
            assert_eq!(socket.tcp_user_timeout().unwrap(), Some(UNACKNOWLEDGED_MAX));
        }
    }

    #[test]
    fn a_port_in_use_is_named() {
        let first = listen("127.0.0.1:0".parse().unwrap()).unwrap();
        let taken = first.local_addr().unwrap();
        let error = listen(taken).unwrap_err();
        assert_eq!(error.to_string(), format!("cannot listen on {taken}"));
        assert_eq!(error.source.kind(), io::ErrorKind::AddrInUse);
    }
}
