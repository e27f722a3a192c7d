//! The addresses that failed and are only remembered, in the order in which they may be forgotten for others.
//!
//! Whoever names a new address may make room for it: how many are remembered must not be what it costs to find one.

use std::collections::{BTreeMap, BTreeSet};

use crate::overlay::errand::Callee;
use crate::overlay::shares::Network;
use crate::time::Time;

#[derive(Debug, Default)]
pub(super) struct Remembered {
    by_age: BTreeSet<(Time, Callee)>,
    by_network: BTreeMap<Network, BTreeSet<(Time, Callee)>>,
}

impl Remembered {
    /// Remembers an address until then.
    pub(super) fn insert(&mut self, until: Time, callee: Callee) {
        self.by_age.insert((until, callee));
        self.by_network.entry(Network::of(callee.address.ip())).or_default().insert((until, callee));
    }

    /// Takes an address out, if it is here.
    pub(super) fn remove(&mut self, until: Time, callee: Callee) {
        if !self.by_age.remove(&(until, callee)) {
            return;
        }
        let network = Network::of(callee.address.ip());
        if let Some(others) = self.by_network.get_mut(&network) {
            others.remove(&(until, callee));
            if others.is_empty() {
                self.by_network.remove(&network);
            }
        }
    }

    /// The one that has been here longest.
    pub(super) fn oldest(&self) -> Option<Callee> {
        self.by_age.first().map(|(_, callee)| *callee)
    }

    /// The one of a network that has been here longest.
    pub(super) fn oldest_of(&self, network: Network) -> Option<Callee> {
        self.by_network.get(&network)?.first().map(|(_, callee)| *callee)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::overlay::Errand;

    #[test]
    fn the_oldest_of_all_and_of_each_network() {
        let at = |seconds| Time::START + Duration::from_secs(seconds);
        let addresses = ["10.0.0.2:1", "10.0.0.1:9", "10.0.0.2:7", "[2001:db8::1]:5", "[2001:db8::2]:4"];
        let callee = |address: &str| Callee { errand: Errand::Answers, address: address.parse().unwrap() };
        let addresses = addresses.map(callee);
        let network = |callee: Callee| Network::of(callee.address.ip());
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
        assert_eq!(remembered.oldest_of(network(callee("9.0.0.1:1"))), None);
    }
}
