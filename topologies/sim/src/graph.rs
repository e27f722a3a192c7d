//! Who is linked with whom: undirected, without loops or double links, compact enough for ten million servents.

/// An overlay's links, as one list of neighbors after another.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Graph {
    /// Where the neighbors of each servent begin in `ends`; one more entry than servents.
    offsets: Vec<u32>,
    ends: Vec<u32>,
}

impl Graph {
    /// The graph of these links. Left out are loops, links to nobody, and the second of two equal links.
    #[must_use]
    pub fn from_links(servents: usize, links: &[(u32, u32)]) -> Graph {
        let sound = || links.iter().filter(|(a, b)| a != b && (*a).max(*b) as usize <= servents.saturating_sub(1));
        // Sorted by counting: a comparison sort of as many pairs takes several times as long.
        let mut offsets = vec![0_u32; servents + 1];
        for (a, b) in sound() {
            offsets[*a as usize + 1] += 1;
            offsets[*b as usize + 1] += 1;
        }
        for place in 1..offsets.len() {
            offsets[place] += offsets[place - 1];
        }
        let mut next = offsets.clone();
        let mut ends = vec![0; offsets[servents] as usize];
        for (a, b) in sound() {
            for (from, to) in [(*a, *b), (*b, *a)] {
                ends[next[from as usize] as usize] = to;
                next[from as usize] += 1;
            }
        }
        let mut kept = 0;
        for servent in 0..servents {
            let range = offsets[servent] as usize..offsets[servent + 1] as usize;
            ends[range.clone()].sort_unstable();
            let start = kept;
            for place in range {
                if kept == start || ends[kept - 1] != ends[place] {
                    ends[kept] = ends[place];
                    kept += 1;
                }
            }
            offsets[servent] = number(start);
        }
        offsets[servents] = number(kept);
        ends.truncate(kept);
        Graph { offsets, ends }
    }

    /// The same without the links of some servents, which keep their numbers.
    #[must_use]
    pub fn without(&self, absent: &[bool]) -> Graph {
        let gone = |servent: u32| absent.get(servent as usize).is_some_and(|absent| *absent);
        let links: Vec<(u32, u32)> = self.links().filter(|(a, b)| !gone(*a) && !gone(*b)).collect();
        Graph::from_links(self.servents(), &links)
    }

    /// How many servents there are.
    #[must_use]
    pub fn servents(&self) -> usize {
        self.offsets.len() - 1
    }

    /// Where the neighbors of a servent stand in [`Graph::ends`].
    #[must_use]
    pub fn range(&self, servent: usize) -> std::ops::Range<usize> {
        self.offsets[servent] as usize..self.offsets[servent + 1] as usize
    }

    /// The neighbors of every servent, one list after another, each in ascending order.
    #[must_use]
    pub fn ends(&self) -> &[u32] {
        &self.ends
    }

    /// The neighbors of a servent, in ascending order.
    #[must_use]
    pub fn neighbors(&self, servent: usize) -> &[u32] {
        &self.ends[self.range(servent)]
    }

    /// Where one servent stands among the neighbors of another, in [`Graph::ends`]; nothing where it is none of them.
    #[must_use]
    pub fn place_of(&self, servent: usize, neighbor: usize) -> Option<usize> {
        if servent >= self.servents() {
            return None;
        }
        let place = self.neighbors(servent).binary_search(&number(neighbor)).ok()?;
        Some(self.range(servent).start + place)
    }

    /// How many links there are.
    #[must_use]
    pub fn links_count(&self) -> usize {
        self.ends.len() / 2
    }

    /// Every link once, the smaller end first.
    pub fn links(&self) -> impl Iterator<Item = (u32, u32)> + '_ {
        (0..self.servents()).flat_map(|from| {
            self.neighbors(from).iter().filter(move |to| from < **to as usize).map(move |to| (number(from), *to))
        })
    }
}

impl oracle::Adjacency for Graph {
    fn servents_count(&self) -> usize {
        self.servents()
    }

    fn neighbors_of(&self, servent: usize) -> impl ExactSizeIterator<Item = usize> {
        self.neighbors(servent).iter().map(|neighbor| *neighbor as usize)
    }
}

/// The number of a servent. There are never so many that it does not fit: `Graph` holds fewer.
pub fn number(servent: usize) -> u32 {
    u32::try_from(servent).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::random::Random;

    /// What `from_links` does, without a thought of speed.
    fn plainly(servents: usize, links: &[(u32, u32)]) -> Vec<Vec<u32>> {
        let mut lists = vec![std::collections::BTreeSet::new(); servents];
        for (a, b) in links {
            if a != b && (*a as usize) < servents && (*b as usize) < servents {
                lists[*a as usize].insert(*b);
                lists[*b as usize].insert(*a);
            }
        }
        lists.into_iter().map(|list| list.into_iter().collect()).collect()
    }

    #[test]
    fn links_become_lists_in_order_and_once() {
        let mut random = Random::new(1);
        for servents in 0..20_u32 {
            for _ in 0..20 {
                // One number too many: a link to nobody comes up now and then.
                let mut end = || number(random.index(servents as usize + 1));
                let links: Vec<(u32, u32)> = (0..servents * 2).map(|_| (end(), end())).collect();
                let graph = Graph::from_links(servents as usize, &links);
                let lists = plainly(servents as usize, &links);
                assert_eq!(graph.servents(), lists.len());
                for (servent, list) in lists.iter().enumerate() {
                    assert_eq!(graph.neighbors(servent), list, "{links:?}");
                }
                assert_eq!(graph.links_count(), lists.iter().map(Vec::len).sum::<usize>() / 2);
                assert_eq!(graph.links().count(), graph.links_count());
            }
        }
    }

    #[test]
    fn whoever_is_absent_keeps_the_number_and_nothing_else() {
        let graph = Graph::from_links(4, &[(0, 1), (1, 2), (2, 3), (3, 0)]);
        let less = graph.without(&[false, true, false, false]);
        assert_eq!(less.servents(), 4);
        assert_eq!(less.links().collect::<Vec<_>>(), [(0, 3), (2, 3)]);
    }
}
