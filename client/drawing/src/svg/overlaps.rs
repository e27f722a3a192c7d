//! That no box lies over another: they are pushed apart, and what is left after that gets the nearest free spot.

use std::collections::BTreeMap;

use super::plane::{Extent, Spot, real};

/// How often all are pushed apart. Mostly a tenth of it is enough.
const PUSHES_MAX: usize = 200;

/// Boxes that have their spots, found by where they are.
#[derive(Debug)]
pub(super) struct TakenRoom {
    /// How much room is left between two.
    gap: f64,
    cell: Extent,
    cells: BTreeMap<(i64, i64), Vec<(Spot, Extent)>>,
}

impl TakenRoom {
    /// None yet, and none to come is larger than the largest of these.
    pub(super) fn new(extents: &[Extent], gap: f64) -> TakenRoom {
        let cell = largest(extents);
        TakenRoom { gap, cell: Extent { width: cell.width + gap, height: cell.height + gap }, cells: BTreeMap::new() }
    }

    pub(super) fn take(&mut self, spot: Spot, extent: Extent) {
        self.cells.entry(self.cell_of(spot)).or_default().push((spot, extent));
    }

    /// Whether a box there would lie over none.
    pub(super) fn is_free(&self, spot: Spot, extent: Extent) -> bool {
        let (column, row) = self.cell_of(spot);
        let around = (row - 1..=row + 1).flat_map(|row| (column - 1..=column + 1).map(move |column| (column, row)));
        around
            .filter_map(|cell| self.cells.get(&cell))
            .flatten()
            .all(|(there, that)| !extent.overlaps(spot, *that, *there, self.gap))
    }

    #[allow(clippy::cast_possible_truncation, reason = "what is farther away than numbers reach is in the last cell")]
    fn cell_of(&self, spot: Spot) -> (i64, i64) {
        // Two more would not change what is around the last.
        let number = |along: f64| (along.floor() as i64).clamp(i64::MIN + 2, i64::MAX - 2);
        (number(spot.x / self.cell.width), number(spot.y / self.cell.height))
    }

    /// The free spot nearest to this one. Rings of spots around it are tried; there are always more of them than those can be in
    /// the way that have theirs.
    fn nearest_free(&self, wanted: Spot, extent: Extent, taken: usize) -> Spot {
        let step = Spot { x: self.cell.width / 2.0, y: self.cell.height / 4.0 };
        let mut ring = 0_u32;
        loop {
            let reach = i64::from(ring);
            let side = |fixed: i64| (-reach..=reach).map(move |along| (fixed, along));
            let sides = [-reach, reach].into_iter().flat_map(side);
            let mut nearest: Option<(f64, Spot)> = None;
            for (one, other) in sides.flat_map(|(fixed, along)| [(fixed, along), (along, fixed)]) {
                let off = Spot { x: whole(one) * step.x, y: whole(other) * step.y };
                let spot = wanted.plus(off);
                let far = off.length();
                if nearest.is_none_or(|(least, _)| far < least) && self.is_free(spot, extent) {
                    nearest = Some((far, spot));
                }
            }
            // So many cannot all be taken: one that is stands in the way of no more than 32.
            let is_last = f64::from(ring) * f64::from(ring) > 16.0 * real(taken + 1);
            if let Some((_, spot)) = nearest {
                return spot;
            }
            if is_last {
                return wanted;
            }
            ring += 1;
        }
    }
}

fn whole(number: i64) -> f64 {
    f64::from(i32::try_from(number).unwrap_or(i32::MAX))
}

fn largest(extents: &[Extent]) -> Extent {
    extents.iter().fold(Extent { width: 1.0, height: 1.0 }, |most, extent| Extent {
        width: most.width.max(extent.width),
        height: most.height.max(extent.height),
    })
}

/// Which boxes lie over each other, the one with the lower number first.
pub(super) fn overlapping(spots: &[Spot], extents: &[Extent], gap: f64, mut found: impl FnMut(usize, usize)) {
    let mut by_left: Vec<(f64, f64, usize)> = spots
        .iter()
        .zip(extents)
        .enumerate()
        .map(|(place, (spot, extent))| {
            let half = (extent.width + gap) / 2.0;
            (spot.x - half, spot.x + half, place)
        })
        .collect();
    by_left.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.2.cmp(&other.2)));
    let mut rest = by_left.as_slice();
    while let Some(((_, right, place), behind)) = rest.split_first() {
        rest = behind;
        for (_, _, other) in behind.iter().take_while(|(left, ..)| left < right) {
            let (one, other) = (*place.min(other), *place.max(other));
            let both = boxed(spots, extents, one).zip(boxed(spots, extents, other));
            if both.is_some_and(|((here, this), (there, that))| this.overlaps(here, that, there, gap)) {
                found(one, other);
            }
        }
    }
}

pub(super) fn boxed(spots: &[Spot], extents: &[Extent], place: usize) -> Option<(Spot, Extent)> {
    Some((*spots.get(place)?, *extents.get(place)?))
}

/// Pushes boxes apart a little at a time, each pair the way that is shorter. Most overlaps go without a mess being made of what
/// was near to what.
pub(super) fn push_apart(spots: &mut [Spot], extents: &[Extent], gap: f64) {
    let mut pairs = Vec::new();
    for _ in 0..PUSHES_MAX {
        pairs.clear();
        overlapping(spots, extents, gap, |one, other| pairs.push((one, other)));
        if pairs.is_empty() {
            return;
        }
        for (one, other) in &pairs {
            let Some(((here, this), (there, that))) = boxed(spots, extents, *one).zip(boxed(spots, extents, *other))
            else {
                continue;
            };
            let by = this.overlap(here, that, there, gap);
            if by.x <= 0.0 || by.y <= 0.0 {
                continue;
            }
            let away = |from: f64, to: f64| if to < from { -1.0 } else { 1.0 };
            // A hair more, or what is rounded away would have to be pushed again.
            let push = if by.x < by.y {
                Spot { x: away(here.x, there.x) * (by.x / 2.0 + 0.01), y: 0.0 }
            } else {
                Spot { x: 0.0, y: away(here.y, there.y) * (by.y / 2.0 + 0.01) }
            };
            if let Ok([here, there]) = spots.get_disjoint_mut([*one, *other]) {
                *here = here.minus(push);
                *there = there.plus(push);
            }
        }
    }
}

/// Whoever still lies over one with a lower number gets the nearest spot where it lies over none.
pub(super) fn separate(spots: &mut [Spot], extents: &[Extent], gap: f64) {
    let mut taken = TakenRoom::new(extents, gap);
    for (place, (spot, extent)) in spots.iter_mut().zip(extents).enumerate() {
        if !taken.is_free(*spot, *extent) {
            *spot = taken.nearest_free(*spot, *extent, place);
        }
        taken.take(*spot, *extent);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn overlaps(spots: &[Spot], extents: &[Extent]) -> usize {
        let mut count = 0;
        overlapping(spots, extents, 0.0, |_, _| count += 1);
        count
    }

    #[test]
    fn boxes_that_are_all_in_one_spot_get_one_each() {
        let extents: Vec<Extent> = (0..400_u16)
            .map(|number| Extent { width: f64::from(20 + number % 7 * 30), height: f64::from(10 + number % 3 * 10) })
            .collect();
        let mut spots = vec![Spot::default(); extents.len()];
        assert_eq!(overlaps(&spots, &extents), 400 * 399 / 2);
        separate(&mut spots, &extents, 4.0);
        assert_eq!(overlaps(&spots, &extents), 0);
        assert_eq!(spots.first(), Some(&Spot::default()));
    }

    #[test]
    fn what_lies_over_nothing_stays_where_it_is() {
        let extents = [Extent { width: 10.0, height: 4.0 }; 3];
        let apart = [(0.0, 0.0), (15.0, 0.0), (0.0, 9.0)].map(|(x, y)| Spot { x, y });
        let mut spots = apart;
        push_apart(&mut spots, &extents, 4.0);
        separate(&mut spots, &extents, 4.0);
        assert_eq!(spots, apart);
        let mut spots = [(0.0, 0.0), (13.0, 0.0), (0.0, 9.0)].map(|(x, y)| Spot { x, y });
        push_apart(&mut spots, &extents, 4.0);
        assert_eq!(overlaps(&spots, &extents.map(|extent| Extent { width: extent.width + 4.0, ..extent })), 0);
    }
}
