//! The ends of a crowd's links: whose each is, which is the other end of the same link, and whether it stands.
//!
//! The graph is where links begin: the end of a link that it drew has the number of its place there, and costs a few
//! bytes, because there are millions. Links that are made later have the numbers after those. No number is ever used
//! again. Who opens a link or closes it, and who is told so, is not known here.

use common::overlay::Dial;

use crate::graph::{Graph, number};

/// Whose an end is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum EndOwner {
    Servent(usize),
    Client(usize),
    /// Nobody has the address that was dialled.
    Nobody,
}

/// A link that the graph did not draw. Its ends have two numbers that differ in the last bit.
struct LaterLink {
    /// Whoever dialled, and whom; or the contact, and the client that attached.
    owners: [EndOwner; 2],
    is_open: [bool; 2],
    /// What it was dialled for; nothing where a client attached, or whoever dialled is gone.
    dial: Option<Dial>,
    /// When what was last sent from each end arrives: nothing overtakes it.
    last: [u64; 2],
}

impl LaterLink {
    fn is_between_servents(&self) -> bool {
        self.owners.iter().all(|owner| matches!(owner, EndOwner::Servent(_)))
    }
}

pub(super) struct Ends<'a> {
    graph: &'a Graph,
    /// Whose each end is that the graph drew, and the other end of the same link.
    owners: Vec<u32>,
    mates: Vec<u32>,
    is_open: Vec<bool>,
    /// As in a later link; only where delays differ.
    last: Vec<u64>,
    later: Vec<LaterLink>,
    /// Whether any link between servents has been made or closed that the graph does not know of.
    has_changed: bool,
}

impl<'a> Ends<'a> {
    /// Those of a graph, of which none stands yet.
    pub(super) fn of(graph: &'a Graph, are_delays_equal: bool) -> Ends<'a> {
        let count = graph.ends().len();
        let mut owners = vec![0; count];
        let mut mates = vec![0; count];
        for servent in 0..graph.servents() {
            for end in graph.range(servent) {
                owners[end] = number(servent);
                mates[end] = graph.place_of(graph.ends()[end] as usize, servent).map_or(0, number);
            }
        }
        let last = vec![0; if are_delays_equal { 0 } else { count }];
        Ends { graph, owners, mates, is_open: vec![false; count], last, later: Vec::new(), has_changed: false }
    }

    /// The end of a servent of the link that the graph drew to another, while it does not stand. That is for the
    /// beginning: once it has stood its number is used up.
    pub(super) fn drawn(&self, servent: usize, other: usize) -> Option<u32> {
        let end = self.graph.place_of(servent, other)?;
        (!self.is_open[end] && !self.is_open[self.mates[end] as usize]).then(|| number(end))
    }

    /// Adds a link, and gives the first of its ends. It does not stand yet.
    pub(super) fn add(&mut self, owners: [EndOwner; 2], dial: Option<Dial>) -> u32 {
        let place = self.later.len();
        self.later.push(LaterLink { owners, is_open: [false; 2], dial, last: [0; 2] });
        self.first_later() + number(2 * place)
    }

    /// An even number, so that the two ends differ in the last bit.
    fn first_later(&self) -> u32 {
        number(self.owners.len().next_multiple_of(2))
    }

    /// The later link that an end is of, and which end of it.
    fn later(&self, end: u32) -> Option<(&LaterLink, usize)> {
        let place = end.checked_sub(self.first_later())? as usize;
        Some((self.later.get(place / 2)?, place % 2))
    }

    fn later_mut(&mut self, end: u32) -> Option<(&mut LaterLink, usize)> {
        let place = end.checked_sub(self.first_later())? as usize;
        Some((self.later.get_mut(place / 2)?, place % 2))
    }

    pub(super) fn owner(&self, end: u32) -> EndOwner {
        match self.owners.get(end as usize) {
            Some(servent) => EndOwner::Servent(*servent as usize),
            None => self.later(end).map_or(EndOwner::Nobody, |(link, side)| link.owners[side]),
        }
    }

    /// The servent whose an end is.
    pub(super) fn servent(&self, end: u32) -> Option<u32> {
        self.owners.get(end as usize).copied().or_else(|| match self.owner(end) {
            EndOwner::Servent(servent) => Some(number(servent)),
            EndOwner::Client(_) | EndOwner::Nobody => None,
        })
    }

    pub(super) fn mate(&self, end: u32) -> u32 {
        self.mates.get(end as usize).copied().unwrap_or(end ^ 1)
    }

    /// What whoever has this end dialled the link for, if it did and still wants it.
    pub(super) fn dial(&self, end: u32) -> Option<Dial> {
        self.later(end)?.0.dial
    }

    pub(super) fn is_open(&self, end: u32) -> bool {
        match self.is_open.get(end as usize) {
            Some(is_open) => *is_open,
            None => self.later(end).is_some_and(|(link, side)| link.is_open[side]),
        }
    }

    /// Has a link stand, at both ends.
    pub(super) fn open(&mut self, end: u32) {
        let mate = self.mate(end);
        for end in [end, mate] {
            if let Some(is_open) = self.is_open.get_mut(end as usize) {
                *is_open = true;
            } else if let Some((link, side)) = self.later_mut(end) {
                link.is_open[side] = true;
                let is_new = link.is_between_servents();
                self.has_changed |= is_new;
            }
        }
    }

    /// Closes an end. False where it was not open.
    pub(super) fn close(&mut self, end: u32) -> bool {
        if let Some(is_open) = self.is_open.get_mut(end as usize) {
            self.has_changed = true;
            return std::mem::take(is_open);
        }
        let Some((link, side)) = self.later_mut(end) else { return false };
        let was_open = std::mem::take(&mut link.is_open[side]);
        let is_change = link.is_between_servents();
        self.has_changed |= is_change;
        was_open
    }

    /// Nobody wants what a servent has dialled any more. Gives its ends that are still open.
    pub(super) fn abandon(&mut self, servent: usize) -> Vec<u32> {
        let own = EndOwner::Servent(servent);
        let first = self.first_later();
        let mut open: Vec<u32> = self.graph.range(servent).filter(|end| self.is_open[*end]).map(number).collect();
        for (link, place) in self.later.iter_mut().zip(0_u32..) {
            if link.owners[0] == own {
                link.dial = None;
            }
            let ends = (0_u32..).zip(link.owners).zip(link.is_open);
            open.extend(
                ends.filter(|((_, owner), is_open)| *owner == own && *is_open)
                    .map(|((side, _), _)| first + 2 * place + side),
            );
        }
        open
    }

    /// When something that is sent now from this end and takes this long arrives.
    pub(super) fn arrival(&mut self, end: u32, at: u64) -> u64 {
        let last = if (end as usize) < self.owners.len() {
            self.last.get_mut(end as usize)
        } else {
            self.later_mut(end).map(|(link, side)| &mut link.last[side])
        };
        let Some(last) = last else { return at };
        *last = at.max(*last);
        *last
    }

    /// Who is linked with whom by links that both ends know, if it is not as the graph has it. An errand makes nobody a
    /// neighbor.
    pub(super) fn standing(&self) -> Option<Graph> {
        if !self.has_changed && self.is_open.iter().all(|is_open| *is_open) {
            return None;
        }
        let drawn = (0..self.owners.len()).filter(|end| self.is_open[*end] && self.is_open[self.mates[*end] as usize]);
        let drawn = drawn.map(|end| (self.owners[end], self.graph.ends()[end]));
        let later = self.later.iter().filter_map(|link| match (link.owners, link.is_open, link.dial) {
            ([EndOwner::Servent(a), EndOwner::Servent(b)], [true, true], Some(Dial::Neighbor(_))) => {
                Some((number(a), number(b)))
            }
            _ => None,
        });
        Some(Graph::from_links(self.graph.servents(), &drawn.chain(later).collect::<Vec<_>>()))
    }
}
