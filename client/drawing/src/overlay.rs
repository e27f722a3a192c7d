//! One graph of all that was told: who answered, who was only heard of, which links there are, and what of it is doubtful.
//!
//! Servents stand in the order of their addresses and links in that of their ends, so that the same overlay is the same graph
//! whoever answered first. It does not know how any of it is drawn.

use std::cmp::Ordering;
use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use common::limits::TTL_MAX;

use crate::hops::HopWalk;

/// Of those who were only heard of so many are drawn beside one servent. A place can name 256 that nobody has met.
pub const HEARD_OF_PER_SERVENT_MAX: usize = 8;
/// And so many in all.
pub const HEARD_OF_MAX: usize = 256;

/// So many on one path may not have answered and are drawn: no query goes farther.
const UNHEARD_ON_PATH_MAX: usize = TTL_MAX as usize + 1;

/// An overlay as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnOverlay {
    contact: usize,
    servents: Vec<DrawnServent>,
    links: Vec<DrawnLink>,
    /// How many servents, of whom others have heard, are not drawn.
    left_out: usize,
    /// What a link stands out for.
    ways: LinkChoice,
    /// By servent: the others it has links with.
    neighbors: Vec<Vec<usize>>,
}

/// For what links are drawn as those that stand out.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
enum LinkChoice {
    /// The query came over them before it came over others.
    #[default]
    Flood,
    /// They are shortest ways from the contact, one to each servent.
    Shortest,
}

/// A servent as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnServent {
    /// The address it goes by.
    pub address: SocketAddr,
    /// What it says it is called: a claim, of a stranger.
    pub name: Option<String>,
    /// How many links there are between it and the contact; nothing where none lead there.
    pub hops: Option<usize>,
    /// Whether it has answered. Otherwise others say that they have a link with it.
    pub has_answered: bool,
    /// Whether it says who its neighbors are: nobody does who has not answered, or speaks TP3.
    pub tells_neighbors: bool,
    /// How many more neighbors it says it has, who have not answered and are not drawn.
    pub left_out: usize,
    /// Whether it is new or gone, where that is known.
    pub since: Since,
}

/// A link as it is drawn.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DrawnLink {
    /// The end with the lower address, by its place among the servents.
    pub one: usize,
    /// The other end.
    pub other: usize,
    /// Who tells of it.
    pub witness: LinkWitness,
    /// Whether both ends say who their neighbors are, and not both name it.
    pub is_doubtful: bool,
    /// Whether it is new or gone, where that is known.
    pub since: Since,
}

/// Who tells of a link.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct LinkWitness {
    /// The end with the lower address.
    pub first: bool,
    /// The other end.
    pub second: bool,
    /// A path: the query came over it before it came over any other.
    pub flood: bool,
}

/// What a servent or a link is beside another drawing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Since {
    /// In both, or there is no other.
    #[default]
    Same,
    /// In this one alone.
    New,
    /// In the other alone.
    Gone,
}

impl DrawnOverlay {
    /// One that servents told of: those who answered, by address, with their names and whether they say who their neighbors are.
    pub(crate) fn told(
        contact: SocketAddr,
        answered: impl Iterator<Item = (SocketAddr, Option<String>, bool)>,
        mut links: BTreeMap<(SocketAddr, SocketAddr), LinkWitness>,
    ) -> DrawnOverlay {
        let heard_of = |address, has_answered| DrawnServent {
            address,
            name: None,
            hops: None,
            has_answered,
            tells_neighbors: false,
            left_out: 0,
            since: Since::Same,
        };
        let mut servents: BTreeMap<SocketAddr, DrawnServent> = answered
            .map(|(address, name, tells_neighbors)| {
                (address, DrawnServent { name, tells_neighbors, ..heard_of(address, true) })
            })
            .collect();
        servents.entry(contact).or_insert_with(|| heard_of(contact, false));
        // Those who have not answered are as many as somebody cares to invent: who of them is drawn is decided before their links.
        let answered: BTreeSet<SocketAddr> =
            servents.values().filter(|servent| servent.has_answered).map(|servent| servent.address).collect();
        let mut kept: BTreeSet<SocketAddr> =
            [contact].into_iter().filter(|contact| !answered.contains(contact)).collect();
        let mut beside: BTreeMap<SocketAddr, usize> = BTreeMap::new();
        for (one, other) in links.keys() {
            let (met, unmet) = match (answered.contains(one), answered.contains(other)) {
                (true, false) => (*one, *other),
                (false, true) => (*other, *one),
                _ => continue,
            };
            let count = beside.entry(met).or_default();
            if *count < HEARD_OF_PER_SERVENT_MAX && kept.len() < HEARD_OF_MAX && kept.insert(unmet) {
                *count += 1;
            }
        }
        // In the middle of a path one stands beside others who have not answered either.
        for _ in 0..UNHEARD_ON_PATH_MAX {
            let count = kept.len();
            for (one, other) in links.keys().filter(|(one, other)| !answered.contains(one) && !answered.contains(other))
            {
                let next = if kept.contains(one) { other } else { one };
                if kept.len() < HEARD_OF_MAX && (kept.contains(one) || kept.contains(other)) {
                    kept.insert(*next);
                }
            }
            if kept.len() == count {
                break;
            }
        }
        let mut left_out = BTreeSet::new();
        links.retain(|(one, other), witness| {
            let is_drawn = |address: &SocketAddr| answered.contains(address) || kept.contains(address);
            let (met, unmet) = match (is_drawn(one), is_drawn(other)) {
                (true, true) => return true,
                (true, false) => (*one, *other),
                (false, true) => (*other, *one),
                (false, false) => return false,
            };
            // What only a path tells of is nobody's neighbor.
            if let Some(servent) = servents.get_mut(&met)
                && (witness.first || witness.second)
            {
                servent.left_out += 1;
                left_out.insert(unmet);
            }
            false
        });
        for address in kept {
            servents.entry(address).or_insert_with(|| heard_of(address, false));
        }
        let all = links.into_iter().map(|(ends, witness)| (ends, witness, Since::Same));
        let drawn = DrawnOverlay::new(contact, servents.into_values().collect(), all);
        DrawnOverlay { left_out: left_out.len(), ..drawn }
    }

    /// One that was declared: nobody has to say anything.
    #[must_use]
    pub fn declared(
        contact: SocketAddr,
        servents: &[(SocketAddr, Option<String>)],
        links: &[(SocketAddr, SocketAddr)],
    ) -> DrawnOverlay {
        let servents: BTreeMap<SocketAddr, DrawnServent> = servents
            .iter()
            .map(|(address, name)| {
                let servent = DrawnServent {
                    address: *address,
                    name: name.clone(),
                    hops: None,
                    has_answered: true,
                    tells_neighbors: true,
                    left_out: 0,
                    since: Since::Same,
                };
                (*address, servent)
            })
            .collect();
        let witness = LinkWitness { first: true, second: true, flood: true };
        let known = |address: &SocketAddr| servents.contains_key(address);
        let links: BTreeMap<(SocketAddr, SocketAddr), LinkWitness> = links
            .iter()
            .filter(|(one, other)| one != other && known(one) && known(other))
            .map(|(one, other)| ((*one.min(other), *one.max(other)), witness))
            .collect();
        let all = links.into_iter().map(|(ends, witness)| (ends, witness, Since::Same));
        let all: Vec<_> = all.collect();
        DrawnOverlay::new(contact, servents.into_values().collect(), all.into_iter())
    }

    /// All that is in this one or in the one before, each marked where it is not in both. Names and what is told are as in
    /// this one, where it is there.
    #[must_use]
    pub fn since(&self, before: &DrawnOverlay) -> DrawnOverlay {
        let mut servents: BTreeMap<SocketAddr, DrawnServent> =
            before.servents.iter().map(|servent| (servent.address, servent.marked(Since::Gone))).collect();
        for servent in &self.servents {
            let since = if servents.contains_key(&servent.address) { Since::Same } else { Since::New };
            servents.insert(servent.address, servent.marked(since));
        }
        let ends = |overlay: &DrawnOverlay| -> BTreeMap<(SocketAddr, SocketAddr), LinkWitness> {
            overlay.links.iter().filter_map(|link| Some((overlay.ends(link)?, link.witness))).collect()
        };
        let (mut old, new) = (ends(before), ends(self));
        let mut links: BTreeMap<(SocketAddr, SocketAddr), (LinkWitness, Since)> = BTreeMap::new();
        for (ends, witness) in new {
            let since = if old.remove(&ends).is_some() { Since::Same } else { Since::New };
            links.insert(ends, (witness, since));
        }
        links.extend(old.into_iter().map(|(ends, witness)| (ends, (witness, Since::Gone))));
        let contact = self.contact().map(|contact| contact.address);
        let Some(contact) = contact else { return self.clone() };
        let all = links.into_iter().map(|(ends, (witness, since))| (ends, witness, since));
        DrawnOverlay {
            left_out: self.left_out,
            ways: self.ways,
            ..DrawnOverlay::new(contact, servents.into_values().collect(), all)
        }
    }

    /// The same with those who had answered before and were not heard now, but for those who are to be forgotten, and their links to
    /// others who were not. Nothing is marked.
    #[must_use]
    pub fn with_unheard(&self, before: &DrawnOverlay, forgotten: &BTreeSet<SocketAddr>) -> DrawnOverlay {
        let mut servents: BTreeMap<SocketAddr, DrawnServent> =
            self.servents.iter().map(|servent| (servent.address, servent.clone())).collect();
        let those = |is_one: fn(&DrawnServent) -> bool| -> BTreeSet<SocketAddr> {
            self.servents.iter().filter(|servent| is_one(servent)).map(|servent| servent.address).collect()
        };
        let heard = those(|servent| servent.has_answered);
        let told_links = those(|servent| servent.tells_neighbors);
        let unheard = before.servents.iter().filter(|servent| {
            servent.has_answered && !heard.contains(&servent.address) && !forgotten.contains(&servent.address)
        });
        servents.extend(unheard.map(|servent| (servent.address, servent.marked(Since::Same))));
        let ends = |overlay: &DrawnOverlay| -> BTreeMap<(SocketAddr, SocketAddr), LinkWitness> {
            overlay.links.iter().filter_map(|link| Some((overlay.ends(link)?, link.witness))).collect()
        };
        let mut links = ends(before);
        // Of its own links whoever was heard has told.
        links.retain(|(one, other), _| {
            !told_links.contains(one)
                && !told_links.contains(other)
                && servents.contains_key(one)
                && servents.contains_key(other)
        });
        links.extend(ends(self));
        let contact = self.contact().map(|contact| contact.address);
        let Some(contact) = contact else { return self.clone() };
        let all = links.into_iter().map(|(ends, witness)| (ends, witness, Since::Same));
        let all = DrawnOverlay::new(contact, servents.into_values().collect(), all);
        DrawnOverlay { left_out: self.left_out, ways: self.ways, ..all }
    }

    /// The servents, by address.
    #[must_use]
    pub fn servents(&self) -> &[DrawnServent] {
        &self.servents
    }

    /// The links, by their ends.
    #[must_use]
    pub fn links(&self) -> &[DrawnLink] {
        &self.links
    }

    /// Where the query began.
    #[must_use]
    pub fn contact(&self) -> Option<&DrawnServent> {
        self.servents.get(self.contact)
    }

    /// The place of the contact among the servents.
    #[must_use]
    pub fn contact_place(&self) -> usize {
        self.contact
    }

    /// With whom a servent has links, by their places.
    #[must_use]
    pub fn neighbors(&self, servent: usize) -> &[usize] {
        self.neighbors.get(servent).map_or(&[], Vec::as_slice)
    }

    /// The neighbor of a servent that is one link nearer the contact; of several the one with the lowest address.
    #[must_use]
    pub fn nearer(&self, servent: usize) -> Option<usize> {
        let hops = |place: usize| self.servents.get(place).and_then(|servent| servent.hops);
        let own = hops(servent)?;
        self.neighbors(servent).iter().copied().find(|neighbor| hops(*neighbor).is_some_and(|hops| hops + 1 == own))
    }

    /// The servents from the contact to this one by a shortest way, always the same; nothing where no links lead there.
    #[must_use]
    pub fn way_to(&self, servent: usize) -> Option<Vec<usize>> {
        self.servents.get(servent)?.hops?;
        let mut way: Vec<usize> = std::iter::successors(Some(servent), |place| self.nearer(*place)).collect();
        way.reverse();
        Some(way)
    }

    /// The same overlay whichever copies of the query came first: the shortest ways stand in the place of those that the flood
    /// took, so that two drawings of it are the same.
    #[must_use]
    pub fn settled(&self) -> DrawnOverlay {
        let mut settled = DrawnOverlay { ways: LinkChoice::Shortest, ..self.clone() };
        for link in &mut settled.links {
            link.witness.flood = self.nearer(link.one) == Some(link.other) || self.nearer(link.other) == Some(link.one);
        }
        settled
    }

    /// Whether anybody tells of a link between two.
    #[must_use]
    pub fn has_link(&self, one: SocketAddr, other: SocketAddr) -> bool {
        let place = |address| self.servents.binary_search_by(|servent| servent.address.cmp(&address)).ok();
        let ends = place(one).zip(place(other));
        ends.is_some_and(|(one, other)| self.neighbors(one).binary_search(&other).is_ok())
    }

    /// How many servents that others have heard of have not answered and are not drawn.
    #[must_use]
    pub fn left_out(&self) -> usize {
        self.left_out
    }

    /// What is said of a link that stands out, and of one that does not.
    #[must_use]
    pub fn words_for_links(&self) -> (&'static str, &'static str) {
        match self.ways {
            LinkChoice::Flood => ("a link the query came by", "another link"),
            LinkChoice::Shortest => ("a shortest way", "another link"),
        }
    }

    /// Whether a servent has neighbors that have not answered: the query went no further, or nobody was there.
    #[must_use]
    pub fn is_at_horizon(&self, servent: usize) -> bool {
        let has_answered = |place: &usize| self.servents.get(*place).is_some_and(|other| other.has_answered);
        self.servents
            .get(servent)
            .is_some_and(|it| it.has_answered && (it.left_out > 0 || !self.neighbors(servent).iter().all(has_answered)))
    }

    fn ends(&self, link: &DrawnLink) -> Option<(SocketAddr, SocketAddr)> {
        Some((self.servents.get(link.one)?.address, self.servents.get(link.other)?.address))
    }

    fn new(
        contact: SocketAddr,
        servents: Vec<DrawnServent>,
        links: impl Iterator<Item = ((SocketAddr, SocketAddr), LinkWitness, Since)>,
    ) -> DrawnOverlay {
        let place = |address: &SocketAddr| servents.binary_search_by(|servent| servent.address.cmp(address)).ok();
        let mut neighbors = vec![Vec::new(); servents.len()];
        let mut drawn = Vec::new();
        for ((first, second), witness, since) in links {
            let (Some(one), Some(other)) = (place(&first), place(&second)) else { continue };
            let (Some(first), Some(second)) = (servents.get(one), servents.get(other)) else { continue };
            let is_denied = first.tells_neighbors && second.tells_neighbors && !(witness.first && witness.second);
            // Of what is gone nobody says anything any more.
            let is_doubtful = since != Since::Gone && is_denied;
            for (from, to) in [(one, other), (other, one)] {
                if let Some(its) = neighbors.get_mut(from) {
                    its.push(to);
                }
            }
            drawn.push(DrawnLink { one, other, witness, is_doubtful, since });
        }
        neighbors.iter_mut().for_each(|its| its.sort_unstable());
        drawn.sort_by(|link, next| match link.one.cmp(&next.one) {
            Ordering::Equal => link.other.cmp(&next.other),
            order => order,
        });
        let contact = place(&contact).unwrap_or_default();
        let mut overlay =
            DrawnOverlay { contact, servents, links: drawn, left_out: 0, ways: LinkChoice::default(), neighbors };
        let mut walk = HopWalk::new(overlay.servents.len());
        walk.meet(contact, |place| overlay.neighbors(place));
        for (place, servent) in overlay.servents.iter_mut().enumerate() {
            servent.hops = walk.hops(place);
        }
        overlay
    }
}

impl DrawnServent {
    fn marked(&self, since: Since) -> DrawnServent {
        DrawnServent { since, ..self.clone() }
    }
}
