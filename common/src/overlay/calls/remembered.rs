//! The addresses that failed and are only remembered, in the order in which they may be forgotten for others.
//!
//! Whoever names a new address may make room for it: how many are remembered must not be what it costs to find one.

use std::collections::BTreeSet;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};

use super::shares::Network;
use crate::time::Time;

/// No address comes before this one.
const FIRST: SocketAddr = SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 0));

#[derive(Debug, Default)]
pub(super) struct Remembered {
    by_age: BTreeSet<(Time, SocketAddr)>,
    by_network: BTreeSet<(Network, Time, SocketAddr)>,
}

impl Remembered {
    /// Remembers an address until then.
    pub(super) fn insert(&mut self, until: Time, to: SocketAddr) {
        self.by_age.insert((until, to));
        self.by_network.insert((Network::of(to.ip()), until, to));
    }

    /// Takes an address out, if it is here.
    pub(super) fn remove(&mut self, until: Time, to: SocketAddr) {
        if self.by_age.remove(&(until, to)) {
            self.by_network.remove(&(Network::of(to.ip()), until, to));
        }
    }

    /// The one that has been here longest.
    pub(super) fn oldest(&self) -> Option<SocketAddr> {
        self.by_age.first().map(|(_, to)| *to)
    }

    /// The one of a network that has been here longest.
    pub(super) fn oldest_of(&self, network: Network) -> Option<SocketAddr> {
        let (owner, _, to) = self.by_network.range((network, Time::START, FIRST)..).next()?;
        (*owner == network).then_some(*to)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn the_oldest_of_all_and_of_each_network() {
        let at = |seconds| Time::START + Duration::from_secs(seconds);
        let addresses = ["10.0.0.2:1", "10.0.0.1:9", "10.0.0.2:7", "[2001:db8::1]:5", "[2001:db8::2]:4"];
        let addresses = addresses.map(|address| address.parse::<SocketAddr>().unwrap());
        let network = |address: SocketAddr| Network::of(address.ip());
        let mut remembered = Remembered::default();
        assert_eq!(remembered.oldest(), None);
        assert_eq!(remembered.oldest_of(network(addresses[0])), None);
        for (age, address) in addresses.iter().enumerate() {
            remembered.insert(at(age as u64), *address);
        }
        assert_eq!(remembered.oldest(), Some(addresses[0]));
        assert_eq!(remembered.oldest_of(network(addresses[1])), Some(addresses[1]));
        assert_eq!(remembered.oldest_of(network(addresses[4])), Some(addresses[3]), "one network");
        remembered.remove(at(0), addresses[0]);
        assert_eq!(remembered.oldest(), Some(addresses[1]));
        assert_eq!(remembered.oldest_of(network(addresses[0])), Some(addresses[2]));
        remembered.remove(at(0), addresses[2]);
        assert_eq!(remembered.oldest_of(network(addresses[0])), Some(addresses[2]), "not until then");
        remembered.remove(at(2), addresses[2]);
        assert_eq!(remembered.oldest_of(network(addresses[0])), None);
        assert_eq!(remembered.oldest_of(network("9.0.0.1:1".parse().unwrap())), None);
    }
}
