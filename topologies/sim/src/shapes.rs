//! The links of every shape that is drawn, from its size, its degree and a stream of random numbers.
//!
//! Every size and every degree gives an overlay, and in bounded time: where they do not fit the shape, the degree gives
//! way, as each shape says. [`built_degree`] tells beforehand what becomes of one, so that nobody is given another in
//! silence. What comes of declared topologies is read in `scene`, not drawn here.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::fmt;
use std::sync::Arc;

use common::limits::NEIGHBORS_MAX;

use super::graph::{Graph, number};
use super::random::Random;

type LinkEnds = (u32, u32);

/// How many of a hundred links of a small world go astray.
const ASTRAY_PERCENT: u64 = 10;
/// How often a random partner is tried before something else is done. A sparse overlay refuses hardly any.
const TRIES_MAX: usize = 1000;
/// Two ends meet at random only where there are this many times more servents than neighbors of one.
const SPARSE: u32 = 4;
/// Switches per link that make a regular pattern random.
const SWITCHES: usize = 20;

/// How the servents are linked.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Shape {
    /// Each with the next.
    Chain,
    /// Each with the next, the last with the first.
    Ring,
    /// All with the first.
    Star,
    /// Each but the first below another; `degree` is that of the inner ones.
    Tree,
    /// Rows and columns.
    Grid,
    /// Any two alike, every servent of the same degree where that can be.
    Random,
    /// A ring whose links go astray now and then (Watts and Strogatz 1998).
    SmallWorld,
    /// The more neighbors one has the more it gets (Barabasi and Albert 1999).
    ScaleFree,
    /// As somebody declared it.
    Declared(Arc<DeclaredGraph>),
}

/// An overlay that somebody declared, with all that a run takes from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DeclaredGraph {
    /// What it was called on the command line.
    pub name: String,
    /// Which servents are linked, by their places.
    pub links: Vec<(u32, u32)>,
    /// The TTL each servent starts its clients' queries with: as many as there are servents.
    pub ttls: Vec<u8>,
    /// Which servents pass every query on once only.
    pub forward_once: Vec<bool>,
}

impl Shape {
    /// The shapes with a name, as they are written.
    pub const NAMED: [(&'static str, Shape); 8] = [
        ("chain", Shape::Chain),
        ("ring", Shape::Ring),
        ("star", Shape::Star),
        ("tree", Shape::Tree),
        ("grid", Shape::Grid),
        ("random", Shape::Random),
        ("small-world", Shape::SmallWorld),
        ("scale-free", Shape::ScaleFree),
    ];
}

impl fmt::Display for Shape {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Shape::Declared(declared) => f.write_str(&declared.name),
            drawn => {
                Shape::NAMED.iter().filter(|(_, shape)| shape == drawn).try_for_each(|(name, _)| f.write_str(name))
            }
        }
    }
}

/// Draws the links of a shape. A declared topology gets none.
#[must_use]
pub fn draw(shape: &Shape, servents: usize, degree: usize, random: &mut Random) -> Graph {
    let count = number(servents);
    let degree = number(degree);
    let links = match shape {
        Shape::Chain => (1..count).map(|servent| (servent - 1, servent)).collect(),
        Shape::Ring => (0..count).map(|servent| (servent, (servent + 1) % count)).collect(),
        Shape::Star => (1..count).map(|servent| (0, servent)).collect(),
        // Below 2 no tree grows: 2 is the least.
        Shape::Tree => tree(count, degree.max(2), degree.max(2) - 1),
        Shape::Grid => grid(count),
        Shape::Random => regular(count, degree, random),
        Shape::SmallWorld => small_world(count, degree, random),
        Shape::ScaleFree => scale_free(count, degree, random),
        Shape::Declared(_) => Vec::new(),
    };
    Graph::from_links(servents, &links)
}

/// A tree in which the root, too, has `below` servents below it, at least one, as each other inner servent has; the last
/// may have fewer. Of nothing drawn.
#[must_use]
pub fn even_tree(servents: usize, below: usize) -> Graph {
    let below = number(below.max(1));
    Graph::from_links(servents, &tree(number(servents), below, below))
}

/// Every servent linked with the `degree` nearest on a circle, of which the one is at the opposite side where that is an
/// odd number; with all others if those are fewer. Of nothing drawn.
#[must_use]
pub fn regular_pattern(servents: usize, degree: usize) -> Graph {
    let degree = degree.min(servents.saturating_sub(1));
    Graph::from_links(servents, &pattern(number(servents), number(degree)))
}

/// The degree with which a shape is drawn where this one is asked for; none where the shape leaves no choice. The same
/// overlay comes of both.
#[must_use]
pub fn built_degree(shape: &Shape, servents: usize, degree: usize) -> Option<usize> {
    let others = servents.saturating_sub(1);
    match shape {
        Shape::Chain | Shape::Ring | Shape::Star | Shape::Grid | Shape::Declared(_) => None,
        // Neither grows below that, nor do a few servents know more than each other.
        Shape::Tree => Some(degree.max(2).min(others.max(2))),
        Shape::ScaleFree => Some(degree.max(2).min((2 * others).max(2))),
        Shape::Random => Some(degree.min(others)),
        // As many on either side.
        Shape::SmallWorld => Some(2 * (degree / 2).max(1).min((servents / 2).max(1))),
    }
}

/// So many below the root and so many below each other inner servent, of which the last may have fewer.
fn tree(count: u32, below_root: u32, below: u32) -> Vec<LinkEnds> {
    let above = |servent: u32| if servent <= below_root { 0 } else { 1 + (servent - below_root - 1) / below };
    (1..count).map(|servent| (above(servent), servent)).collect()
}

/// As near to a square as it gets; the last row may be short.
fn grid(count: u32) -> Vec<LinkEnds> {
    let root = count.isqrt();
    let columns = if root * root == count { root } else { root + 1 };
    let right = (0..count).filter(|servent| (servent + 1) % columns != 0).map(|servent| (servent, servent + 1));
    let below = (0..count).map(|servent| (servent, servent.saturating_add(columns)));
    right.chain(below).filter(|(_, other)| *other < count).collect()
}

/// Every servent has `degree` neighbors, or all others if those are fewer; where that is an odd number of ends in all,
/// one servent has one neighbor less. From degree 2 on hardly anything keeps it from being in one piece.
fn regular(count: u32, degree: u32, random: &mut Random) -> Vec<LinkEnds> {
    let degree = degree.min(count.saturating_sub(1));
    if degree == 0 {
        return Vec::new();
    }
    let paired = if count / SPARSE >= degree { pair(count, degree, random) } else { None };
    let mut links = paired.unwrap_or_else(|| switch(pattern(count, degree), random));
    if degree > 1 {
        connect(count, &mut links);
    }
    links
}

/// The pairing model (Bollobas 1980): any two free ends meet. The few loops and double links that come of it are
/// switched with links chosen at random; nothing where that fails.
fn pair(count: u32, degree: u32, random: &mut Random) -> Option<Vec<LinkEnds>> {
    let mut ends: Vec<u32> = (0..count).flat_map(|servent| (0..degree).map(move |_| servent)).collect();
    ends.truncate(ends.len() / 2 * 2);
    for place in (1..ends.len()).rev() {
        ends.swap(place, random.index(place + 1));
    }
    let mut keys: Vec<u64> = ends.chunks_exact(2).map(|pair| key(pair[0], pair[1])).collect();
    keys.sort_unstable();
    let mut links: Vec<LinkEnds> = keys.iter().map(|key| ends_of(*key)).collect();
    let mut added = BTreeSet::new();
    for place in 0..keys.len() {
        let (a, b) = links[place];
        let double = place > 0 && keys[place] == keys[place - 1];
        if (a != b && !double) || key(a, b) != keys[place] {
            continue;
        }
        // A link that was switched away counts as taken for good, which costs a try and saves the books.
        let taken = |key: u64| keys.binary_search(&key).is_ok() || added.contains(&key);
        let (other, one, two) = (0..TRIES_MAX).find_map(|_| {
            let other = random.index(links.len());
            let (c, d) = turned(links[other], random);
            let fine = a != c && b != d && key(a, c) != key(b, d) && !taken(key(a, c)) && !taken(key(b, d));
            fine.then_some((other, (a, c), (b, d)))
        })?;
        added.extend([key(one.0, one.1), key(two.0, two.1)]);
        links[place] = one;
        links[other] = two;
    }
    Some(links)
}

/// A regular overlay for every count and every degree below it, without any randomness: each linked with the nearest on
/// a circle and, for an odd degree, with one at the opposite side.
fn pattern(count: u32, degree: u32) -> Vec<LinkEnds> {
    let near = (1..=degree / 2).flat_map(|step| (0..count).map(move |servent| (servent, (servent + step) % count)));
    let half = count / 2;
    // In an odd circle steps of half of it visit everybody, so that every other such step is a matching.
    let opposite = (0..half * (degree % 2)).map(|place| {
        let turn = |place: u32| low(u64::from(place) * u64::from(half) % u64::from(count));
        if count.is_multiple_of(2) { (place, place + half) } else { (turn(2 * place), turn(2 * place + 1)) }
    });
    near.chain(opposite).collect()
}

/// Makes a small overlay random without changing the degree of anybody.
fn switch(mut links: Vec<LinkEnds>, random: &mut Random) -> Vec<LinkEnds> {
    let mut taken: HashSet<u64> = links.iter().map(|(a, b)| key(*a, *b)).collect();
    for _ in 0..links.len() * SWITCHES {
        let (place, other) = (random.index(links.len()), random.index(links.len()));
        let ((a, b), (c, d)) = (links[place], turned(links[other], random));
        if a == c || b == d || taken.contains(&key(a, c)) || taken.contains(&key(b, d)) {
            continue;
        }
        taken.remove(&key(a, b));
        taken.remove(&key(c, d));
        taken.extend([key(a, c), key(b, d)]);
        links[place] = (a, c);
        links[other] = (b, d);
    }
    links
}

/// A ring in which everybody knows the nearest `degree / 2` on either side, at least one, and of whose links some go
/// astray: they keep one end and get another at random. As many links as the ring had, and always in one piece.
fn small_world(count: u32, degree: u32, random: &mut Random) -> Vec<LinkEnds> {
    let reach = (degree / 2).max(1).min(count / 2);
    let mut astray = HashSet::new();
    let mut links = Vec::new();
    for step in 1..=reach {
        let starts = if 2 * step == count { step } else { count };
        for servent in 0..starts {
            let near = (servent + step) % count;
            let far = if random.chance(ASTRAY_PERCENT) {
                (0..TRIES_MAX).find_map(|_| {
                    let far = number(random.index(count as usize));
                    let along = servent.abs_diff(far);
                    let is_far = along.min(count - along) > reach;
                    (is_far && astray.insert(key(servent, far))).then_some(far)
                })
            } else {
                None
            };
            links.push((servent, far.unwrap_or(near)));
        }
    }
    connect(count, &mut links);
    links
}

/// The first few all know each other; everybody who comes later links with `degree / 2` others, at least one, chosen
/// as often as they have neighbors. An odd degree takes one more at every other servent. Whoever has as many neighbors as
/// a servent takes is chosen no more.
fn scale_free(count: u32, degree: u32, random: &mut Random) -> Vec<LinkEnds> {
    let degree = u64::from(degree).min(u64::from(count.saturating_sub(1)) * 2);
    let first = (low(degree.div_ceil(2)) + 1).max(2).min(count);
    let mut links: Vec<LinkEnds> = (0..first).flat_map(|a| (0..a).map(move |b| (b, a))).collect();
    let mut ends: Vec<u32> = links.iter().flat_map(|(a, b)| [*a, *b]).collect();
    let mut neighbors = vec![0; count as usize];
    ends.iter().for_each(|end| neighbors[*end as usize] += 1);
    let mut chosen: Vec<u32> = Vec::new();
    for servent in first..count {
        let before = u64::from(servent) * degree / 2;
        let wanted = low((u64::from(servent) + 1) * degree / 2 - before).max(1) as usize;
        chosen.clear();
        for _ in 0..wanted * TRIES_MAX {
            let other = ends[random.index(ends.len())];
            if neighbors[other as usize] < NEIGHBORS_MAX && !chosen.contains(&other) {
                chosen.push(other);
            }
            if chosen.len() == wanted {
                break;
            }
        }
        for other in &chosen {
            links.push((*other, servent));
            ends.extend([*other, servent]);
            neighbors[*other as usize] += 1;
            neighbors[servent as usize] += 1;
        }
    }
    links
}

/// Makes one piece of several by switching a link of each that lies on a circle. Degrees and the number of links stay;
/// a piece without a circle stays apart.
fn connect(count: u32, links: &mut [LinkEnds]) {
    let mut pieces = Pieces::new(count);
    let joined = links.iter().filter(|(a, b)| pieces.join(*a, *b)).count();
    if joined + 1 >= count as usize {
        return;
    }
    let mut seen = Pieces::new(count);
    let mut spare = BTreeMap::new();
    for (place, (a, b)) in links.iter().enumerate() {
        if !seen.join(*a, *b) {
            spare.insert(pieces.find(*a), place);
        }
    }
    let mut places = spare.into_values();
    let Some(first) = places.next() else { return };
    // The switched link lies on a circle again, one through both pieces, so the next piece can be tied to it as well.
    for place in places {
        let ((a, b), (c, d)) = (links[first], links[place]);
        links[first] = (a, c);
        links[place] = (b, d);
    }
}

/// Which servents hang together (Galler and Fischer 1964).
struct Pieces(Vec<u32>);

impl Pieces {
    fn new(count: u32) -> Pieces {
        Pieces((0..count).collect())
    }

    fn find(&mut self, mut servent: u32) -> u32 {
        while self.0[servent as usize] != servent {
            let above = self.0[servent as usize];
            self.0[servent as usize] = self.0[above as usize];
            servent = above;
        }
        servent
    }

    /// Whether they were apart.
    fn join(&mut self, a: u32, b: u32) -> bool {
        let (a, b) = (self.find(a), self.find(b));
        self.0[a.max(b) as usize] = a.min(b);
        a != b
    }
}

/// A link as one number, whichever end comes first.
fn key(a: u32, b: u32) -> u64 {
    u64::from(a.min(b)) << 32 | u64::from(a.max(b))
}

fn ends_of(key: u64) -> LinkEnds {
    (low(key >> 32), low(key & u64::from(u32::MAX)))
}

/// A number that is known to fit.
fn low(number: u64) -> u32 {
    u32::try_from(number).unwrap_or(u32::MAX)
}

/// A link from either end.
fn turned((a, b): LinkEnds, random: &mut Random) -> LinkEnds {
    if random.chance(50) { (a, b) } else { (b, a) }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn drawn(shape: &Shape, servents: usize, degree: usize, seed: u64) -> Graph {
        let graph = draw(shape, servents, degree, &mut Random::new(seed));
        assert_eq!(graph.servents(), servents);
        graph
    }

    /// How many pieces there are, by walking; nothing of how pieces are joined above.
    fn pieces(graph: &Graph) -> usize {
        let mut seen = vec![false; graph.servents()];
        let mut count = 0;
        for start in 0..graph.servents() {
            if seen[start] {
                continue;
            }
            count += 1;
            seen[start] = true;
            let mut next = vec![start];
            while let Some(at) = next.pop() {
                for neighbor in graph.neighbors(at) {
                    if !std::mem::replace(&mut seen[*neighbor as usize], true) {
                        next.push(*neighbor as usize);
                    }
                }
            }
        }
        count
    }

    fn degrees(graph: &Graph) -> Vec<usize> {
        (0..graph.servents()).map(|servent| graph.neighbors(servent).len()).collect()
    }

    #[test]
    fn chain_ring_and_star_are_what_they_are_called() {
        for servents in 1..40 {
            let chain = drawn(&Shape::Chain, servents, 9, 1);
            assert_eq!(chain.links_count(), servents - 1);
            assert!(degrees(&chain).iter().all(|degree| *degree <= 2));
            let ring = drawn(&Shape::Ring, servents, 9, 1);
            assert_eq!(ring.links_count(), if servents < 3 { servents - 1 } else { servents });
            assert!(servents < 3 || degrees(&ring).iter().all(|degree| *degree == 2));
            let star = drawn(&Shape::Star, servents, 9, 1);
            assert_eq!(star.links_count(), servents - 1);
            assert_eq!(star.neighbors(0).len(), servents - 1);
            for graph in [chain, ring, star] {
                assert_eq!(pieces(&graph), 1);
            }
        }
    }

    #[test]
    fn the_inner_servents_of_a_tree_have_the_degree() {
        for servents in 1..120 {
            for degree in 0..9 {
                let tree = drawn(&Shape::Tree, servents, degree, 1);
                assert_eq!((tree.links_count(), pieces(&tree)), (servents - 1, 1));
                let inner: Vec<usize> = degrees(&tree).into_iter().filter(|degree| *degree > 1).collect();
                if let Some((_last, full)) = inner.split_last() {
                    assert!(full.iter().all(|inner| *inner == degree.max(2)), "{servents} {degree}: {inner:?}");
                }
            }
        }
    }

    #[test]
    fn an_even_tree_has_as_many_below_its_root_as_elsewhere() {
        for below in 1..6_usize {
            for levels in 1..4 {
                let servents = (0..=levels).map(|level| below.pow(level)).sum::<usize>();
                let graph = even_tree(servents, below);
                assert_eq!((graph.links_count(), pieces(&graph)), (servents - 1, 1));
                assert_eq!(graph.neighbors(0).len(), below);
                let inner = degrees(&graph).into_iter().skip(1).filter(|degree| *degree > 1).collect::<Vec<_>>();
                assert!(inner.iter().all(|degree| *degree == below + 1), "{below} {levels}: {inner:?}");
                assert_eq!(inner.len(), servents - 1 - below.pow(levels));
            }
        }
    }

    #[test]
    fn a_pattern_is_regular_and_in_one_piece() {
        for servents in 2..40 {
            for degree in 2..servents {
                let graph = regular_pattern(servents, degree);
                assert_eq!((graph.links_count(), pieces(&graph)), (servents * degree / 2, 1), "{servents} {degree}");
                let less = degrees(&graph).into_iter().filter(|one| *one != degree).count();
                assert_eq!(less, servents * degree % 2, "{servents} {degree}");
            }
        }
        assert_eq!(regular_pattern(16, 4).neighbors(0), [1, 2, 14, 15]);
        assert_eq!(regular_pattern(5, 99), regular_pattern(5, 4));
    }

    #[test]
    fn a_grid_has_rows_and_columns() {
        for servents in 1..140 {
            let grid = drawn(&Shape::Grid, servents, 1, 1);
            let columns = (1..).find(|side| side * side >= servents).unwrap();
            let rows = servents.div_ceil(columns);
            // In every row one link less than servents, below every servent of the first rows one, as far as there is.
            assert_eq!(grid.links_count(), servents - rows + servents.saturating_sub(columns), "{servents}");
            assert_eq!(pieces(&grid), 1);
            assert!(degrees(&grid).iter().all(|degree| *degree <= 4));
        }
        let grid = drawn(&Shape::Grid, 9, 1, 1);
        assert_eq!(grid.neighbors(4), [1, 3, 5, 7]);
        assert_eq!(grid.neighbors(2), [1, 5]);
    }

    #[test]
    fn a_random_overlay_is_regular_wherever_it_can_be() {
        for servents in 1..34 {
            for degree in 0..36 {
                for seed in 0..2 {
                    let graph = drawn(&Shape::Random, servents, degree, seed);
                    let degree = degree.min(servents - 1);
                    assert_eq!(graph.links_count(), servents * degree / 2, "{servents} {degree} {seed}");
                    let less = degrees(&graph).into_iter().filter(|one| *one != degree).collect::<Vec<_>>();
                    let odd = if servents * degree % 2 == 1 { vec![degree - 1] } else { vec![] };
                    assert_eq!(less, odd, "{servents} {degree} {seed}");
                    assert!(degree < 2 || pieces(&graph) == 1, "{servents} {degree} {seed}");
                }
            }
        }
        for (servents, degree) in [(1000, 2), (1000, 3), (999, 3), (1001, 8), (1024, 255), (1025, 256), (5000, 64)] {
            let graph = drawn(&Shape::Random, servents, degree, 7);
            assert_eq!(graph.links_count(), servents * degree / 2);
            assert_eq!(pieces(&graph), 1);
        }
    }

    #[test]
    fn a_random_overlay_is_random() {
        // Every two of six servents are linked about as often as any other two: 3 of 5.
        let mut times = BTreeMap::new();
        for seed in 0..1000 {
            for link in drawn(&Shape::Random, 6, 3, seed).links() {
                *times.entry(link).or_insert(0) += 1;
            }
        }
        assert_eq!(times.len(), 15);
        assert!(times.values().all(|times| (500..700).contains(times)), "{times:?}");
    }

    #[test]
    fn a_small_world_is_a_ring_gone_astray() {
        for servents in 1..60_usize {
            for degree in 0..20 {
                let graph = drawn(&Shape::SmallWorld, servents, degree, 3);
                let reach = (degree / 2).max(1).min(servents / 2);
                let halved = if servents > 1 && 2 * reach == servents { reach } else { 0 };
                assert_eq!(graph.links_count(), servents * reach - halved, "{servents} {degree}");
                assert_eq!(pieces(&graph), 1, "{servents} {degree}");
            }
        }
        let graph = drawn(&Shape::SmallWorld, 10_000, 6, 3);
        let far = graph.links().filter(|(a, b)| (b - a).min(10_000 - (b - a)) > 3).count();
        assert!((2700..3300).contains(&far), "{far}");
        assert_eq!(pieces(&drawn(&Shape::SmallWorld, 10_000, 2, 3)), 1);
    }

    #[test]
    fn a_scale_free_overlay_has_its_links_and_its_hubs() {
        for servents in 1..60_usize {
            for degree in 0..30 {
                let graph = drawn(&Shape::ScaleFree, servents, degree, 5);
                assert_eq!(pieces(&graph), 1, "{servents} {degree}");
                let degree = degree.min((servents - 1) * 2);
                let first = (degree.div_ceil(2) + 1).max(2).min(servents);
                let later: usize = (first..servents).map(|n| ((n + 1) * degree / 2 - n * degree / 2).max(1)).sum();
                assert_eq!(graph.links_count(), first * (first - 1) / 2 + later, "{servents} {degree}");
            }
        }
        let mut degrees = degrees(&drawn(&Shape::ScaleFree, 10_000, 4, 5));
        degrees.sort_unstable();
        assert!(degrees[0] == 2 && degrees[5000] <= 4 && degrees[9999] > 100, "{:?}", degrees.last());
    }

    #[test]
    fn no_hub_has_more_neighbors_than_a_servent_takes() {
        for seed in 0..3 {
            let graph = drawn(&Shape::ScaleFree, 20_000, 16, seed);
            assert_eq!(degrees(&graph).into_iter().max(), Some(NEIGHBORS_MAX));
            assert_eq!((graph.links_count(), pieces(&graph)), (36 + 19_991 * 8, 1));
        }
    }

    #[test]
    fn the_seed_decides_and_nothing_else() {
        for shape in [Shape::Random, Shape::SmallWorld, Shape::ScaleFree] {
            let graphs: Vec<Graph> = (0..20).map(|seed| drawn(&shape, 100, 5, seed)).collect();
            for (seed, graph) in graphs.iter().enumerate() {
                assert_eq!(*graph, drawn(&shape, 100, 5, seed as u64));
                assert!(graphs[..seed].iter().all(|other| other != graph), "{shape:?} {seed}");
            }
        }
    }

    #[test]
    fn every_shape_takes_every_size() {
        for (_, shape) in Shape::NAMED {
            for servents in [0, 1, 2, 3, 4, 5, 17] {
                for degree in [0, 1, 2, 3, 16, 17, 1000, usize::MAX] {
                    let graph = drawn(&shape, servents, degree, 1);
                    let built = built_degree(&shape, servents, degree);
                    assert_eq!(drawn(&shape, servents, built.unwrap_or(5), 1), graph, "{shape} {servents} {degree}");
                    assert_eq!(built.and_then(|built| built_degree(&shape, servents, built)), built);
                }
            }
        }
    }
}
