//! What addresses this machine has, and which it would use towards whom.
//!
//! It asks the system and opens nothing that anybody hears of; where there is nothing to tell, it tells of nothing.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, UdpSocket};

use ipnet::{IpNet, Ipv4Net};
use nix::sys::socket::SockaddrStorage;

/// A port to choose a route to; nothing is sent there.
const DISCARD_PORT: u16 = 9;
const LOOPBACK: Ipv4Net = Ipv4Net::new_assert(Ipv4Addr::new(127, 0, 0, 0), 8);

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

/// The addresses of this machine's interfaces that are up and carry something, but for loopback.
pub(crate) fn own_ips() -> Vec<IpAddr> {
    use nix::net::if_::InterfaceFlags;
    let wanted = InterfaceFlags::IFF_UP | InterfaceFlags::IFF_RUNNING;
    let interfaces = nix::ifaddrs::getifaddrs().into_iter().flatten();
    let carrying = interfaces.filter(|interface| interface.flags.contains(wanted));
    carrying.filter_map(|interface| ip_of(interface.address.as_ref()?)).filter(|ip| !ip.is_loopback()).collect()
}

/// The address this machine would use towards the rest of the world.
#[must_use]
pub fn outward_ip() -> Option<IpAddr> {
    outward_ips().into_iter().next()
}

/// The same of each family, IPv4 first: towards TEST-NET-1 of RFC 5737 and the documentation prefix of RFC 3849.
pub(crate) fn outward_ips() -> Vec<IpAddr> {
    let world: [SocketAddr; 2] = [
        (Ipv4Addr::new(192, 0, 2, 1), DISCARD_PORT).into(),
        (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 1), DISCARD_PORT).into(),
    ];
    world.into_iter().filter_map(source_towards).collect()
}

/// The address this machine would use towards another. Nothing is sent: connecting a UDP socket only chooses a route.
pub(crate) fn source_towards(address: SocketAddr) -> Option<IpAddr> {
    let any: IpAddr = if address.is_ipv4() { Ipv4Addr::UNSPECIFIED.into() } else { Ipv6Addr::UNSPECIFIED.into() };
    let socket = UdpSocket::bind((any, 0)).ok()?;
    socket.connect(address).ok()?;
    Some(socket.local_addr().ok()?.ip())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_way_to_this_machine_starts_at_this_machine() {
        let source = |text: &str| source_towards(text.parse().unwrap());
        assert_eq!(source("127.0.0.1:9"), Some(Ipv4Addr::LOCALHOST.into()));
        assert!(own_ips().iter().all(|ip| !ip.is_loopback() && !ip.is_unspecified()));
    }
}
