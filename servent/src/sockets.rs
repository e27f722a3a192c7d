//! How sockets are opened: the options every connection of ours has, and names turned into addresses.
//!
//! Nothing is read or written here. Only [`resolve`] may wait, for a name server, and it is called before any loop.

use std::io;
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream, ToSocketAddrs, UdpSocket};
use std::time::Duration;

use anyhow::{Context, bail};
use common::address::{Dialect, Neighbor};
use common::config::{DIAL_WAIT_MAX, NEIGHBOR_BEAT, NEIGHBOR_QUIET_MAX};
use ipnet::{IpNet, Ipv4Net};
use nix::sys::socket::SockaddrStorage;
use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};

const LOOPBACK: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);
/// What stands before the host:port of whoever speaks TP3.
pub const TP3_SCHEME: &str = "tp3://";
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

/// Within so long it is noticed that the other end of a connection has vanished, whether something is on its way or not.
const NOTICED_MAX: Duration = Duration::from_secs(15);

const _: () = {
    assert!(KEEPALIVE_AFTER.as_secs() + KEEPALIVE_EVERY.as_secs() * (KEEPALIVE_TRIES as u64) < NOTICED_MAX.as_secs());
    assert!(UNACKNOWLEDGED_MAX.as_secs() < NOTICED_MAX.as_secs());
    // Who is there and says nothing is noticed by the mind, in beats.
    assert!(NEIGHBOR_QUIET_MAX.as_secs() + NEIGHBOR_BEAT.as_secs() < NOTICED_MAX.as_secs());
};

/// Opens a listener that does not block.
pub fn listen(address: SocketAddr) -> anyhow::Result<TcpListener> {
    open_listener(address).with_context(|| format!("cannot listen on {address}"))
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
        let socket = open_for_dial(address)?;
        socket.set_reuse_address(true)?;
        socket.set_reuse_port(true)?;
        socket.bind(&own.into())?;
        begin_connect(socket, address)
    };
    // A connection between the same two ports that has just ended stands in the way for a while.
    from_own().or_else(|_| dial(address))
}

/// Begins to connect and does not wait. The connect is over when the socket is writable; [`TcpStream::take_error`] then
/// tells how it went.
pub fn dial(address: SocketAddr) -> io::Result<TcpStream> {
    begin_connect(open_for_dial(address)?, address)
}

fn open_for_dial(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    socket.set_nonblocking(true)?;
    // Without it a dark address keeps the system trying for minutes.
    socket.set_tcp_user_timeout(Some(DIAL_WAIT_MAX))?;
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

/// Allows this process as many descriptors as the system grants on request; the default is often few.
pub fn raise_descriptor_limit() {
    let limit = getrlimit(Resource::Nofile);
    if let Err(error) = setrlimit(Resource::Nofile, Rlimit { current: limit.maximum, ..limit }) {
        log::debug!("the limit on descriptors stays at {:?}: {error}", limit.current);
    }
}

/// Asks what addresses a `host:port` stands for.
pub fn resolve(name: &str) -> anyhow::Result<Neighbor> {
    let (host, dialect) = match name.strip_prefix(TP3_SCHEME) {
        Some(host) => (host, Dialect::Tp3),
        None => (name, Dialect::Native),
    };
    if let Some((scheme, _)) = host.split_once("://") {
        bail!("`{name}` is not the host:port of a servent: there is no dialect called {scheme}");
    }
    let found = host.to_socket_addrs().map_err(|error| match error.kind() {
        io::ErrorKind::InvalidInput => anyhow::Error::new(error)
            .context(format!("`{name}` is not the host:port of a servent, such as localhost:9000")),
        _ => anyhow::Error::new(error).context(format!("cannot tell what address `{name}` stands for")),
    })?;
    let mut addresses: Vec<SocketAddr> = Vec::new();
    for mut address in found {
        // The scope of a link-local address stays: without it nobody here can dial it.
        address.set_ip(address.ip().to_canonical());
        if address.port() == 0 {
            bail!("`{name}` is not the host:port of a servent: nobody listens on port 0");
        }
        if !addresses.contains(&address) {
            addresses.push(address);
        }
    }
    if addresses.is_empty() {
        bail!("`{name}` stands for no address");
    }
    Ok(Neighbor { name: name.to_owned(), addresses, dialect })
}

/// The networks this machine is in, loopback among them.
#[must_use]
pub fn own_networks() -> Vec<IpNet> {
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let mut networks: Vec<IpNet> = interfaces
        .filter_map(|interface| {
            let ip = ip_of(interface.address.as_ref()?)?;
            IpNet::with_netmask(ip, ip_of(interface.netmask.as_ref()?)?).ok()
        })
        .collect();
    networks.push(IpNet::V4(LOOPBACK));
    networks.sort_unstable();
    networks.dedup();
    networks
}

fn ip_of(address: &SockaddrStorage) -> Option<IpAddr> {
    let v4 = address.as_sockaddr_in().map(|address| IpAddr::V4(address.ip()));
    v4.or_else(|| address.as_sockaddr_in6().map(|address| IpAddr::V6(address.ip())))
}

/// The address this machine would use towards the rest of the world. Nothing is sent: connecting a UDP socket only
/// chooses a route (here towards TEST-NET-1 of RFC 5737 and the documentation prefix of RFC 3849).
#[must_use]
pub fn outward_ip() -> Option<IpAddr> {
    let towards = |from: &str, to: &str| -> io::Result<IpAddr> {
        let socket = UdpSocket::bind(from)?;
        socket.connect(to)?;
        Ok(socket.local_addr()?.ip())
    };
    towards("0.0.0.0:0", "192.0.2.1:9").or_else(|_| towards("[::]:0", "[2001:db8::1]:9")).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_that_are_no_servents_are_refused_by_name() {
        for name in [
            "tp4://127.0.0.1:9000",
            "tp3://",
            "tp3://tp3://127.0.0.1:1",
            "",
            "9000",
            "localhost",
            "127.0.0.1:0",
            "127.0.0.1:99999",
            "a b:1",
        ] {
            let error = resolve(name).map_err(|error| format!("{error:#}")).unwrap_err();
            assert!(error.contains(&format!("`{name}`")), "{error}");
        }
    }

    #[test]
    fn a_name_may_stand_for_several_addresses() {
        assert_eq!(resolve("127.0.0.1:9000").unwrap().addresses, vec!["127.0.0.1:9000".parse().unwrap()]);
        assert!(!resolve("localhost:9000").unwrap().addresses.is_empty());
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
        let error = format!("{:#}", listen(taken).unwrap_err());
        assert!(error.contains(&format!("cannot listen on {taken}")), "{error}");
    }
}
