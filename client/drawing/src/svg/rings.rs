//! Spots in rings around the first, nearest servents inside: for more than can be laid out by how far each is from each.

use super::plane::{Extent, Spot, real};

/// So many find room in the first ring; there are as many more in each that follows.
const FIRST_RING: usize = 6;

/// Lays out servents that stand in the order in which a breadth-first search meets them. In a ring each is as near as can be to
/// the one it was met from; `room` is what each has for itself.
pub(super) fn ringed(neighbors: &[Vec<usize>], room: Extent) -> Vec<Spot> {
    let mut turns: Vec<Option<f64>> = vec![None; neighbors.len()];
    let mut spots = vec![Spot::default(); neighbors.len()];
    if let Some(first) = turns.first_mut() {
        *first = Some(0.0);
    }
    let (mut start, mut ring) = (1, 1);
    while start < neighbors.len() {
        let end = (start + FIRST_RING * ring).min(neighbors.len());
        let mut wishes: Vec<(f64, usize)> = Vec::with_capacity(end - start);
        for place in start..end {
            // Neighbors inside have their places; one within this ring has its wish, which is as good.
            let near = neighbors.get(place).into_iter().flatten().filter(|other| **other < place);
            let wish = near.filter_map(|other| turns.get(*other).copied().flatten()).next().unwrap_or_default();
            // From the middle all directions are alike.
            let wish = if ring == 1 { real(place - start) / real(end - start) } else { wish };
            if let Some(turn) = turns.get_mut(place) {
                *turn = Some(wish);
            }
            wishes.push((wish, place));
        }
        wishes.sort_by(|one, other| one.0.total_cmp(&other.0).then(one.1.cmp(&other.1)));
        let count = real(end - start);
        let off: f64 =
            wishes.iter().enumerate().map(|(slot, (wish, _))| wish - real(slot) / count).sum::<f64>() / count;
        for (slot, (_, place)) in wishes.iter().enumerate() {
            let turn = real(slot) / count + off;
            let turn = turn - turn.floor();
            // Any two are as far from each other as the corners of their rooms need.
            let step = Spot::step(turn).times(real(ring) * 2.0_f64.sqrt());
            if let (Some(its), Some(spot)) = (turns.get_mut(*place), spots.get_mut(*place)) {
                *its = Some(turn);
                *spot = Spot { x: step.x * room.width, y: step.y * room.height };
            }
        }
        (start, ring) = (end, ring + 1);
    }
    spots
}
