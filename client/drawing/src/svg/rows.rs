//! Chains and rings, which would waste a plane as they are: a long chain is folded into rows, and so is a long ring.

use super::plane::{Extent, Spot, real};

/// As many of a ring stand around it; a longer one is folded.
const AROUND_MAX: usize = 24;
/// As many of a chain stand in one row.
const ROW_MAX: usize = 8;
/// How much wider than high a folded one is.
const WIDER: f64 = 1.5;

/// The servents of a chain from one end to the other, or of a ring once around. Nothing where it is neither.
pub(super) fn in_a_row(neighbors: &[Vec<usize>]) -> Option<(Vec<usize>, bool)> {
    let degree = |count| move |all: &&Vec<usize>| all.len() == count;
    let is_thread = neighbors.len() > 1 && neighbors.iter().all(|all| matches!(all.len(), 1 | 2));
    if !is_thread {
        return None;
    }
    let is_ring = neighbors.iter().all(|all| degree(2)(&all));
    let start = if is_ring { 0 } else { neighbors.iter().position(|all| all.len() == 1)? };
    let mut order = vec![start];
    let (mut before, mut place) = (start, start);
    while let Some(next) = neighbors.get(place)?.iter().copied().find(|next| *next != before) {
        if next == start || order.len() >= neighbors.len() {
            break;
        }
        order.push(next);
        (before, place) = (place, next);
    }
    (order.len() == neighbors.len()).then_some((order, is_ring))
}

/// Their spots in that order, each with so much room for itself.
pub(super) fn folded(count: usize, room: Extent, is_ring: bool) -> Vec<Spot> {
    match is_ring {
        true if count <= AROUND_MAX => around(count, room),
        true => ring_in_rows(count, room),
        false => chain_in_rows(count, room),
    }
}

/// Around an ellipse that is as much wider than high as boxes are, but not more than twice.
fn around(count: usize, room: Extent) -> Vec<Spot> {
    let wider = (room.width / room.height).clamp(1.0, 1.7);
    let steps: Vec<Spot> = (0..count).map(|place| Spot::step(real(place) / real(count) + 0.75)).collect();
    let fits = |height: f64| {
        let at = |step: &Spot| Spot { x: step.x * height * wider, y: step.y * height };
        let next = steps.iter().cycle().skip(1);
        steps.iter().zip(next).all(|(one, other)| {
            // Side by side they need the gap of a link; one above the other as well.
            !room.overlaps(at(one), room, at(other), -1.0)
        })
    };
    let mut height = room.height;
    while !fits(height) && height < room.width * real(count) {
        height *= 1.03;
    }
    steps.iter().map(|step| Spot { x: step.x * height * wider, y: step.y * height }).collect()
}

/// The least number of columns with which rows are not too high for their width.
fn columns(count: usize, room: Extent) -> usize {
    (1..count)
        .find(|columns| real(*columns) * room.width >= WIDER * real(count.div_ceil(*columns)) * room.height)
        .unwrap_or(count)
}

fn at(column: usize, row: usize, room: Extent) -> Spot {
    Spot { x: real(column) * room.width, y: real(row) * room.height }
}

/// To the right, below that to the left, and so on.
fn chain_in_rows(count: usize, room: Extent) -> Vec<Spot> {
    let columns = if count <= ROW_MAX { count } else { columns(count, room) };
    let spot = |place: usize| {
        let (row, along) = (place / columns, place % columns);
        at(if row.is_multiple_of(2) { along } else { columns - 1 - along }, row, room)
    };
    (0..count).map(spot).collect()
}

/// The first column is the way back, the others are rows as those of a chain. Where a row is not needed to its end it turns
/// earlier, and so does the one below it.
fn ring_in_rows(count: usize, room: Extent) -> Vec<Spot> {
    let columns = columns(count, room).max(3);
    let rows = count.div_ceil(columns).next_multiple_of(2);
    // As many are missing: two at the end of each pair of rows, one in the corner where the number is odd.
    let missing = (rows * columns).saturating_sub(count);
    let mut pairs_missing = missing / 2;
    let mut spots = Vec::with_capacity(count);
    for pair in 0..rows / 2 {
        let pairs_left = rows / 2 - pair;
        let short = pairs_missing.div_ceil(pairs_left).min(columns.saturating_sub(2));
        pairs_missing -= short;
        let end = columns - short;
        spots.extend((1..end).map(|column| at(column, 2 * pair, room)));
        spots.extend((1..end).rev().map(|column| at(column, 2 * pair + 1, room)));
    }
    spots.extend((usize::from(!missing.is_multiple_of(2))..rows).rev().map(|row| at(0, row, room)));
    spots
}

#[cfg(test)]
mod tests {
    use super::*;

    const ROOM: Extent = Extent { width: 140.0, height: 60.0 };

    fn thread(count: usize, is_ring: bool) -> Vec<Vec<usize>> {
        let mut neighbors = vec![Vec::new(); count];
        let links = (1..count).map(|place| (place - 1, place)).chain(is_ring.then_some((count - 1, 0)));
        for (one, other) in links {
            neighbors.get_mut(one).unwrap().push(other);
            neighbors.get_mut(other).unwrap().push(one);
        }
        neighbors
    }

    #[test]
    fn chains_and_rings_of_every_length_get_a_spot_for_each() {
        for is_ring in [false, true] {
            for count in (3..200).chain([1_000, 9_999, 10_000]) {
                let (order, ring) = in_a_row(&thread(count, is_ring)).unwrap();
                assert_eq!((order.len(), ring), (count, is_ring));
                let spots = folded(count, ROOM, is_ring);
                assert_eq!(spots.len(), count, "{is_ring}");
                let mut all: Vec<String> = spots.iter().map(|spot| format!("{} {}", spot.x, spot.y)).collect();
                all.sort();
                all.dedup();
                assert_eq!(all.len(), count, "{is_ring}");
                if count > AROUND_MAX || !is_ring {
                    // Each beside the next, or below it; one link of an odd ring is aslant.
                    let next = spots.iter().skip(1).chain(is_ring.then(|| spots.first().unwrap()));
                    let far = |(one, other): (&Spot, &Spot)| {
                        let way = one.minus(*other);
                        way.x.abs() / ROOM.width + way.y.abs() / ROOM.height
                    };
                    let aslant = spots.iter().zip(next).map(far).filter(|far| *far > 1.01).count();
                    assert!(aslant <= count % 2, "{count}: {aslant}");
                }
            }
        }
        assert_eq!(in_a_row(&[vec![1, 2, 3], vec![0], vec![0], vec![0]]), None);
    }
}
