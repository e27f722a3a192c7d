//! Trees: from the contact downwards, or to both sides where that would be too wide.

use super::plane::{Extent, Spot};

/// A tree is no wider than this where it hangs down.
const HANGING_MAX: f64 = 1_200.0;
/// And no higher, nor wider at either, where it grows to both sides.
const SIDE_MAX: f64 = 1_800.0;
/// Between two boxes beside each other.
const BETWEEN: Extent = Extent { width: 18.0, height: 10.0 };
/// Between one level and the next.
const LEVEL_GAP: Extent = Extent { width: 64.0, height: 36.0 };
/// Links to both sides get more room where they fan out: so much of the height.
const FAN: f64 = 0.12;

/// How links lead from one level of a tree to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) enum LinkLead {
    /// It is no tree: straight from middle to middle.
    #[default]
    Straight,
    /// From the lower side of one to the upper side of the other.
    Down,
    /// From the right side of one to the left side of the other.
    Aside,
}

/// A tree as it was met from its root.
#[derive(Debug)]
struct Grown {
    /// By servent: the one it was met from; the root is its own.
    above: Vec<usize>,
    levels: Vec<usize>,
}

/// Lays out a tree whose servents stand in the order in which a breadth-first search meets them. Nothing where it is none, or too
/// large to be read as one.
pub(super) fn tree(neighbors: &[Vec<usize>], extents: &[Extent]) -> Option<(Vec<Spot>, LinkLead)> {
    let ends: usize = neighbors.iter().map(Vec::len).sum();
    if ends / 2 + 1 != neighbors.len() {
        return None;
    }
    let mut grown = Grown { above: Vec::with_capacity(neighbors.len()), levels: Vec::with_capacity(neighbors.len()) };
    for (place, all) in neighbors.iter().enumerate() {
        // Of all neighbors of a tree's servent one was met before it.
        let above = all.iter().copied().find(|other| *other < place).unwrap_or(place);
        let level = if above == place { 0 } else { grown.levels.get(above)? + 1 };
        grown.above.push(above);
        grown.levels.push(level);
    }
    let widths: Vec<f64> = extents.iter().map(|extent| extent.width + BETWEEN.width).collect();
    let breadths = grown.breadths(&widths)?;
    if breadths.first().is_some_and(|width| *width <= HANGING_MAX) {
        let depths = grown.depths(extents, |extent| extent.height, LEVEL_GAP.height);
        let along = grown.along(&widths, &breadths, |_| 0)?;
        let spots = grown.levels.iter().zip(extents).zip(along);
        let spots = spots.map(|((level, extent), x)| Some(Spot { x, y: depths.get(*level)? + extent.height / 2.0 }));
        return Some((spots.collect::<Option<Vec<Spot>>>()?, LinkLead::Down));
    }
    let heights: Vec<f64> = extents.iter().map(|extent| extent.height + BETWEEN.height).collect();
    let breadths = grown.breadths(&heights)?;
    let sides = grown.sides(&breadths)?;
    let all = *breadths.first()?;
    if all / 2.0 > SIDE_MAX {
        return None;
    }
    let depths = grown.depths(extents, |extent| extent.width, LEVEL_GAP.width.max(all / 2.0 * FAN));
    if depths.last().is_some_and(|farthest| *farthest > SIDE_MAX) {
        return None;
    }
    let along = grown.along(&heights, &breadths, |place| sides.get(place).copied().unwrap_or_default())?;
    // The root is in the middle, and what is near to it begins where its half ends.
    let root = extents.first()?.width / 2.0;
    let spots = grown.levels.iter().zip(&sides).zip(extents).zip(along).map(|(((level, side), extent), y)| {
        let x = depths.get(*level)? + extent.width / 2.0 - root;
        Some(Spot { x: if *side == 1 { -x } else { x }, y })
    });
    Some((spots.collect::<Option<Vec<Spot>>>()?, LinkLead::Aside))
}

impl Grown {
    /// How much room each takes with all that hangs on it, across the tree.
    fn breadths(&self, own: &[f64]) -> Option<Vec<f64>> {
        let mut below = vec![0.0; own.len()];
        let mut breadths = vec![0.0; own.len()];
        for place in (0..own.len()).rev() {
            let breadth = f64::max(*below.get(place)?, *own.get(place)?);
            *breadths.get_mut(place)? = breadth;
            let above = *self.above.get(place)?;
            if above != place {
                *below.get_mut(above)? += breadth;
            }
        }
        Some(breadths)
    }

    /// Where each stands across the tree: in the middle of its room. What hangs on the root at either side is in the middle for
    /// itself.
    fn along(&self, own: &[f64], breadths: &[f64], side: impl Fn(usize) -> usize) -> Option<Vec<f64>> {
        let mut below = vec![[0.0; 2]; own.len()];
        for (place, above) in self.above.iter().enumerate().filter(|(place, above)| place != *above) {
            *below.get_mut(*above)?.get_mut(side(place))? += breadths.get(place)?;
        }
        let mut middles = vec![0.0; own.len()];
        // Where the next that hangs on it begins.
        let mut next: Vec<[f64; 2]> = Vec::with_capacity(own.len());
        for (place, above) in self.above.iter().enumerate() {
            if place != *above {
                let next = next.get_mut(*above)?.get_mut(side(place))?;
                *middles.get_mut(place)? = *next + breadths.get(place)? / 2.0;
                *next += breadths.get(place)?;
            }
            let middle = *middles.get(place)?;
            next.push(below.get(place)?.map(|all: f64| middle - all / 2.0));
        }
        Some(middles)
    }

    /// Where each level begins.
    fn depths(&self, extents: &[Extent], side: fn(&Extent) -> f64, gap: f64) -> Vec<f64> {
        let mut sizes: Vec<f64> = Vec::new();
        for (level, extent) in self.levels.iter().zip(extents) {
            match sizes.get_mut(*level) {
                Some(size) => *size = size.max(side(extent)),
                None => sizes.push(side(extent)),
            }
        }
        let begin = |depth: &mut f64, size: f64| {
            let begin = *depth;
            *depth += size + gap;
            Some(begin)
        };
        sizes.into_iter().scan(0.0, begin).collect()
    }

    /// To which side each grows: what hangs on the root is shared out so that both are about as high.
    fn sides(&self, breadths: &[f64]) -> Option<Vec<usize>> {
        let all: f64 = self
            .above
            .iter()
            .zip(breadths)
            .enumerate()
            .filter(|(place, (above, _))| *place > 0 && **above == 0)
            .map(|(_, (_, breadth))| breadth)
            .sum();
        let mut shared = 0.0;
        let mut sides: Vec<usize> = Vec::with_capacity(breadths.len());
        for (place, (above, breadth)) in self.above.iter().zip(breadths).enumerate() {
            let side = if place == 0 {
                0
            } else if *above == 0 {
                let side = usize::from(shared + breadth / 2.0 > all / 2.0);
                shared += breadth;
                side
            } else {
                *sides.get(*above)?
            };
            sides.push(side);
        }
        Some(sides)
    }
}
