//! Overlays to draw: what a client would have been told of them.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::net::SocketAddr;

use drawing::{Discovery, DrawnOverlay};
use sim::random::Random;
use sim::shapes::{Shape, draw};

/// The address of a servent, the first of which is the contact.
pub(crate) fn address(servent: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], 9001 + u16::try_from(servent).unwrap()))
}

/// Of whom somebody tells, and of what.
#[derive(Clone, Default)]
pub(crate) struct Told {
    pub(crate) names: BTreeMap<usize, String>,
    neighbors: Vec<BTreeSet<usize>>,
    /// Who names others, and does not name these.
    pub(crate) conceals: BTreeSet<(usize, usize)>,
    /// Who tells nothing of neighbors.
    pub(crate) tells_nothing: BTreeSet<usize>,
    /// Whoever is further away does not answer.
    pub(crate) ttl: Option<usize>,
}

impl Told {
    pub(crate) fn of(servents: usize, links: &[(usize, usize)]) -> Told {
        let mut told = Told { neighbors: vec![BTreeSet::new(); servents], ..Told::default() };
        for (one, other) in links.iter().filter(|(one, other)| one != other) {
            told.neighbors[*one].insert(*other);
            told.neighbors[*other].insert(*one);
        }
        told
    }

    pub(crate) fn shape(shape: &Shape, servents: usize, degree: usize, seed: u64) -> Told {
        Told::of(servents, &links(shape, servents, degree, seed))
    }

    pub(crate) fn named(mut self, names: &[(usize, &str)]) -> Told {
        self.names.extend(names.iter().map(|(servent, name)| (*servent, (*name).to_owned())));
        self
    }

    /// What a client makes of it whose query goes to neighbors in the order of their addresses.
    pub(crate) fn overlay(&self) -> DrawnOverlay {
        let mut paths: Vec<Option<Vec<usize>>> = vec![None; self.neighbors.len()];
        paths[0] = Some(vec![0]);
        let mut next = VecDeque::from([0]);
        while let Some(servent) = next.pop_front() {
            let path = paths[servent].clone().unwrap();
            if self.ttl.is_some_and(|ttl| path.len() > ttl) {
                continue;
            }
            for neighbor in &self.neighbors[servent] {
                if paths[*neighbor].is_none() {
                    paths[*neighbor] = Some([&path[..], &[*neighbor]].concat());
                    next.push_back(*neighbor);
                }
            }
        }
        let mut discovery = Discovery::default();
        for (servent, path) in paths.iter().enumerate() {
            let Some(path) = path else { continue };
            let path: Vec<SocketAddr> = path.iter().map(|servent| address(*servent)).collect();
            let named = self.neighbors[servent].iter().filter(|other| !self.conceals.contains(&(servent, **other)));
            let neighbors: Vec<SocketAddr> = named.map(|other| address(*other)).collect();
            let neighbors = (!self.tells_nothing.contains(&servent)).then_some(&neighbors[..]);
            discovery.add(address(servent), self.names.get(&servent).map(String::as_str), &path, neighbors);
        }
        discovery.overlay().unwrap()
    }
}

pub(crate) fn links(shape: &Shape, servents: usize, degree: usize, seed: u64) -> Vec<(usize, usize)> {
    let graph = draw(shape, servents, degree, &mut Random::new(seed));
    graph.links().map(|(one, other)| (one as usize, other as usize)).collect()
}

/// One that was declared: of nobody it is known how the query came to it.
pub(crate) fn declared(servents: usize, links: &[(usize, usize)]) -> DrawnOverlay {
    let all: Vec<_> = (0..servents).map(|servent| (address(servent), None)).collect();
    let links: Vec<_> = links.iter().map(|(one, other)| (address(*one), address(*other))).collect();
    DrawnOverlay::declared(address(0), &all, &links)
}
