//! A limited amount shared among networks: nobody gets more than what is left for all others.
//!
//! A fixed part for each would be too little for the many who are honest, or too much for the few who are not. With
//! this rule one network may have half while it is alone, and however much others have, whoever comes next may have
//! half of what is left. It counts; what is counted is known to whoever asks.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv6Addr};

/// How much of an IPv6 address names a network. Whoever has one address there can have all others behind it.
const NETWORK_BITS: u32 = 64;

/// Whoever can be at one ip: the ip, or, in IPv6, its network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Network(IpAddr);

impl Network {
    pub(super) fn of(ip: IpAddr) -> Network {
        match ip {
            ip @ IpAddr::V4(_) => Network(ip),
            IpAddr::V6(ip) => Network(Ipv6Addr::from_bits(ip.to_bits() & (u128::MAX << NETWORK_BITS)).into()),
        }
    }
}

/// What each has of something there is only so much of.
#[derive(Debug)]
pub(super) struct Shares<K> {
    max: usize,
    taken: usize,
    by_owner: BTreeMap<K, usize>,
}

impl<K: Copy + Ord> Shares<K> {
    pub(super) fn new(max: usize) -> Shares<K> {
        Shares { max, taken: 0, by_owner: BTreeMap::new() }
    }

    /// What all have together.
    pub(super) fn taken(&self) -> usize {
        self.taken
    }

    /// What nobody has.
    pub(super) fn left(&self) -> usize {
        self.max - self.taken
    }

    pub(super) fn of(&self, owner: K) -> usize {
        self.by_owner.get(&owner).copied().unwrap_or_default()
    }

    /// Whether the owner may have so much more.
    pub(super) fn has_room(&self, owner: K, amount: usize) -> bool {
        self.of(owner) + amount <= self.left()
    }

    pub(super) fn take(&mut self, owner: K, amount: usize) {
        self.taken += amount;
        *self.by_owner.entry(owner).or_default() += amount;
    }

    pub(super) fn give_back(&mut self, owner: K, amount: usize) {
        let Some(share) = self.by_owner.get_mut(&owner) else { return };
        self.taken -= amount;
        *share -= amount;
        if *share == 0 {
            self.by_owner.remove(&owner);
        }
    }
}
