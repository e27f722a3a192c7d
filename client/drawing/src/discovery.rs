//! What servents tell of their places, as their answers come.
//!
//! Nothing is judged here: that is `overlay`, once all have answered.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use crate::overlay::{DrawnOverlay, LinkWitness};

/// Answers that are kept of one query.
pub const PLACES_MAX: usize = 65_536;
/// Addresses in their paths and among their neighbors, in all. A place may name 256 neighbors.
pub const ADDRESSES_TOLD_MAX: usize = 1024 * 1024;

/// What a query for the topology has told so far.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Discovery {
    /// Where the query began, as whoever asked knows it.
    contact: Option<SocketAddr>,
    /// By the addresses they answer by.
    places: BTreeMap<SocketAddr, GivenPlace>,
    /// How many addresses paths and neighbors have, of all.
    told: usize,
}

#[derive(Clone, Debug, Default, PartialEq, Eq)]
struct GivenPlace {
    name: Option<String>,
    path: Vec<SocketAddr>,
    /// Nothing where it speaks a dialect that has no words for them.
    neighbors: Option<BTreeSet<SocketAddr>>,
}

impl Discovery {
    /// Of a query that began at this contact. Nobody is believed who says that it began elsewhere.
    #[must_use]
    pub fn at(contact: SocketAddr) -> Discovery {
        Discovery { contact: Some(contact), ..Discovery::default() }
    }

    /// What one servent answered. Of two answers from one address the first holds: the second may be of somebody who says to be
    /// there. False where it is not kept, or there is no room for more.
    pub fn add(
        &mut self,
        from: SocketAddr,
        name: Option<&str>,
        path: &[SocketAddr],
        neighbors: Option<&[SocketAddr]>,
    ) -> bool {
        let told = self.told + path.len() + neighbors.map_or(0, <[SocketAddr]>::len);
        if self.places.len() >= PLACES_MAX || told > ADDRESSES_TOLD_MAX || self.places.contains_key(&from) {
            return false;
        }
        self.told = told;
        let neighbors = neighbors.map(|all| all.iter().copied().filter(|neighbor| *neighbor != from).collect());
        self.places.insert(from, GivenPlace { name: name.map(str::to_owned), path: path.to_vec(), neighbors });
        true
    }

    /// Where most paths begin, and of several such the one with the lowest address.
    fn begin_of_most(&self) -> Option<SocketAddr> {
        let mut begins: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        for begin in self.places.values().filter_map(|place| place.path.first()) {
            *begins.entry(*begin).or_default() += 1;
        }
        // Of several that are greatest the first is found by what is the less.
        begins.into_iter().min_by_key(|(_, count)| Reverse(*count)).map(|(begin, _)| begin)
    }

    /// Who names whom by a port that means nobody: a servent that was dialled by one whose dialect has no words for addresses knows
    /// that one by where its connection comes from. Those are as many as stand beside it on paths, say nothing of neighbors, and
    /// are not named by it.
    fn passing(&self) -> BTreeSet<(SocketAddr, SocketAddr)> {
        let mut beside: BTreeMap<SocketAddr, BTreeSet<SocketAddr>> = BTreeMap::new();
        for path in self.places.values().map(|place| &place.path) {
            for (one, other) in path.iter().zip(path.iter().skip(1)) {
                beside.entry(*one).or_default().insert(*other);
                beside.entry(*other).or_default().insert(*one);
            }
        }
        let is_silent = |servent: &SocketAddr| self.places.get(servent).is_some_and(|place| place.neighbors.is_none());
        let mut passing = BTreeSet::new();
        for (from, place) in &self.places {
            let (Some(neighbors), Some(beside)) = (&place.neighbors, beside.get(from)) else { continue };
            let silent = beside.difference(neighbors).filter(|servent| is_silent(servent)).count();
            let unknown = neighbors.difference(beside).filter(|servent| !self.places.contains_key(servent));
            if silent > 0 && unknown.clone().count() <= silent {
                passing.extend(unknown.map(|neighbor| (*from, *neighbor)));
            }
        }
        passing
    }

    /// The overlay that was told of; nothing where nobody has answered.
    #[must_use]
    pub fn overlay(&self) -> Option<DrawnOverlay> {
        let contact = self.contact.filter(|contact| self.places.contains_key(contact));
        let contact = contact.or_else(|| self.begin_of_most()).or_else(|| self.places.keys().next().copied())?;
        let mut links: BTreeMap<(SocketAddr, SocketAddr), LinkWitness> = BTreeMap::new();
        let mut see = |one: SocketAddr,
                       other: SocketAddr,
                       by: fn(&mut LinkWitness) -> &mut bool,
                       turned: fn(&mut LinkWitness) -> &mut bool| {
            if one != other {
                let (ends, seen) = if one < other { ((one, other), by) } else { ((other, one), turned) };
                *seen(links.entry(ends).or_default()) = true;
            }
        };
        let passing = self.passing();
        for (from, place) in &self.places {
            for neighbor in place.neighbors.iter().flatten().filter(|neighbor| !passing.contains(&(*from, **neighbor)))
            {
                see(*from, *neighbor, |link| &mut link.first, |link| &mut link.second);
            }
            for (one, other) in place.path.iter().zip(place.path.iter().skip(1)) {
                see(*one, *other, |link| &mut link.flood, |link| &mut link.flood);
            }
        }
        let answered =
            self.places.iter().map(|(address, place)| (*address, place.name.clone(), place.neighbors.is_some()));
        Some(DrawnOverlay::told(contact, answered, links))
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;

    use super::*;
    use crate::{HEARD_OF_PER_SERVENT_MAX, OverlayFigures};

    fn address(port: u16) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], port))
    }

    #[test]
    fn a_diamond_is_told_of() {
        let [north, west, east, south] = [9001, 9002, 9003, 9004].map(address);
        let mut discovery = Discovery::default();
        assert!(discovery.overlay().is_none());
        discovery.add(south, None, &[north, west, south], Some(&[west, east]));
        discovery.add(north, Some("north"), &[north], Some(&[west, east]));
        discovery.add(east, None, &[north, east], Some(&[north, south]));
        discovery.add(west, None, &[north, west], Some(&[south, north]));
        let overlay = discovery.overlay().unwrap();
        assert_eq!(overlay.contact().map(|contact| contact.address), Some(north));
        let hops: Vec<_> = overlay.servents().iter().map(|servent| (servent.address.port(), servent.hops)).collect();
        assert_eq!(hops, [(9001, Some(0)), (9002, Some(1)), (9003, Some(1)), (9004, Some(2))]);
        let links: Vec<_> = overlay.links().iter().map(|link| (link.one, link.other, link.witness.flood)).collect();
        assert_eq!(links, [(0, 1, true), (0, 2, true), (1, 3, true), (2, 3, false)]);
        assert!(overlay.links().iter().all(|link| !link.is_doubtful));
        assert_eq!(overlay.way_to(3), Some(vec![0, 1, 3]));
        assert_eq!(overlay.settled().links(), overlay.links());

        // Whoever says that it began elsewhere.
        let mut lied_to = Discovery::at(north);
        for (from, path) in
            [(north, vec![north]), (west, vec![north, west]), (east, vec![east]), (south, vec![east, south])]
        {
            lied_to.add(from, None, &path, Some(&[]));
        }
        assert_eq!(lied_to.overlay().unwrap().contact().map(|contact| contact.address), Some(north));

        // Whichever way the query came first.
        assert!(!discovery.add(south, None, &[north, east, south], Some(&[])), "whoever answered first holds");
        assert_eq!(discovery.overlay().unwrap(), overlay);
        let mut other = Discovery::at(north);
        other.add(south, None, &[north, east, south], Some(&[west, east]));
        other.add(north, Some("north"), &[north], Some(&[west, east]));
        other.add(east, None, &[north, east], Some(&[north, south]));
        other.add(west, None, &[north, west], Some(&[south, north]));
        let other = other.overlay().unwrap();
        assert_ne!(other, overlay);
        assert_eq!(other.settled(), overlay.settled());
        assert_ne!(other.words_for_links(), other.settled().words_for_links());
    }

    #[test]
    fn whoever_is_on_a_path_and_has_not_answered_stands_between_those_who_have() {
        let on_path: Vec<SocketAddr> = (0..=5).map(address).collect();
        let mut discovery = Discovery::at(on_path[0]);
        discovery.add(on_path[0], None, &on_path[..1], None);
        discovery.add(on_path[5], None, &on_path, None);
        let overlay = discovery.overlay().unwrap();
        assert_eq!(overlay.way_to(5), Some(vec![0, 1, 2, 3, 4, 5]));
        assert!(overlay.servents()[1..5].iter().all(|servent| !servent.has_answered));
    }

    /// A native servent, which one that speaks TP3 has dialled, between two of those.
    #[test]
    fn a_passing_port_is_nobody() {
        let [first, native, last, port, beyond] = [1, 2, 3, 40_000, 4].map(address);
        let told = |neighbors: &[SocketAddr]| {
            let mut discovery = Discovery::at(first);
            discovery.add(first, None, &[first], None);
            discovery.add(native, None, &[first, native], Some(neighbors));
            discovery.add(last, None, &[first, native, last], None);
            let overlay = discovery.overlay().unwrap();
            overlay.servents().iter().map(|servent| servent.address).collect::<Vec<_>>()
        };
        assert_eq!(told(&[first, port]), [first, native, last]);
        assert_eq!(told(&[port]), [first, native, last]);
        // Of so many it is not known which is which.
        assert_eq!(told(&[first, port, beyond]), [first, native, last, beyond, port]);
        assert_eq!(told(&[first, last, beyond]), [first, native, last, beyond]);
    }

    /// Each of many names the same that nobody has met.
    #[test]
    fn inventions_are_counted_once_and_few_are_drawn() {
        let inventions: Vec<SocketAddr> = (1000..1250).map(address).collect();
        let mut discovery = Discovery::at(address(1));
        for port in 1..=3 {
            discovery.add(address(port), None, &[address(1), address(port)], Some(&inventions));
        }
        let overlay = discovery.overlay().unwrap();
        let heard_of = overlay.servents().iter().filter(|servent| !servent.has_answered).count();
        assert_eq!(heard_of, 3 * HEARD_OF_PER_SERVENT_MAX);
        assert_eq!(OverlayFigures::of(&overlay).heard_of, inventions.len());
        assert_eq!(OverlayFigures::of(&overlay).links, 3 * inventions.len() + 2);
    }

    #[test]
    fn so_many_places_and_addresses_are_kept() {
        let at = |ip: u32| SocketAddr::from((Ipv4Addr::from_bits(ip), 1));
        let mut discovery = Discovery::default();
        let neighbors: Vec<SocketAddr> = (0..1024).map(at).collect();
        let kept = (0..2000).filter(|ip| discovery.add(at(*ip), None, &[], Some(&neighbors))).count();
        assert_eq!(kept, ADDRESSES_TOLD_MAX / neighbors.len());
        let mut discovery = Discovery::default();
        let most = u32::try_from(PLACES_MAX).unwrap();
        let kept = (0..most + 2).filter(|ip| discovery.add(at(*ip), None, &[], None)).count();
        assert_eq!(kept, PLACES_MAX);
    }
}
