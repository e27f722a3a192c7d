//! Spots whose distances are as near to the hops between two servents as the plane allows.
//!
//! By stochastic gradient descent on the stress (Zheng, Pawar and Goodman, Graph Drawing by Stochastic Gradient Descent, 2018).
//! It is told nothing of boxes.

use super::plane::{Spot, real};
use crate::hops::HopWalk;

/// Steps from moving freely to hardly at all.
const STEPS: usize = 33;
/// And steps that only settle.
const SETTLING: usize = 24;
/// A few servents are laid out so many times, from other beginnings, and the best is taken.
const TRIES: usize = 12;
/// The pairs that all tries together may look at.
const TRIED_PAIRS: usize = 40_000;

#[derive(Clone, Copy, Debug)]
struct PulledPair {
    one: u32,
    other: u32,
    /// Links between them.
    hops: f64,
}

/// Lays out servents that links lead to from each other; `neighbors` by their places.
pub(super) fn settled(neighbors: &[Vec<usize>]) -> Vec<Spot> {
    let mut pairs = pairs(neighbors);
    let tries = (TRIED_PAIRS / pairs.len().max(1)).clamp(1, TRIES);
    let mut best: Option<(f64, Vec<Spot>)> = None;
    for attempt in 0..tries {
        let mut chance = ChanceStream::new(attempt);
        let mut spots: Vec<Spot> = neighbors.iter().map(|_| Spot { x: chance.part(), y: chance.part() }).collect();
        descend(&mut spots, &mut pairs, &mut chance);
        let stress = stress(&spots, &pairs);
        if best.as_ref().is_none_or(|(least, _)| stress < *least) {
            best = Some((stress, spots));
        }
    }
    best.map(|(_, spots)| spots).unwrap_or_default()
}

fn pairs(neighbors: &[Vec<usize>]) -> Vec<PulledPair> {
    let mut pairs = Vec::with_capacity(neighbors.len() * neighbors.len() / 2);
    let mut walk = HopWalk::new(neighbors.len());
    let number = |place| u32::try_from(place).unwrap_or(u32::MAX);
    for start in 0..neighbors.len() {
        walk.forget();
        walk.meet(start, |place| neighbors.get(place).map_or(&[], Vec::as_slice));
        let others = (0..start).filter_map(|other| Some((other, walk.hops(other)?)));
        pairs.extend(others.map(|(other, hops)| PulledPair {
            one: number(start),
            other: number(other),
            hops: f64::from(number(hops)),
        }));
    }
    pairs
}

fn descend(spots: &mut [Spot], pairs: &mut [PulledPair], chance: &mut ChanceStream) {
    let farthest = pairs.iter().map(|pair| pair.hops).fold(1.0, f64::max);
    let (first, last) = (farthest * farthest, 0.1);
    // From the first to the last in 32 equal factors.
    let mut factor = last / first;
    for _ in 0..5 {
        factor = f64::sqrt(factor);
    }
    let mut rate = first;
    for step in 0..STEPS + SETTLING {
        for place in (1..pairs.len()).rev() {
            pairs.swap(place, chance.below(place + 1));
        }
        for PulledPair { one, other, hops } in &*pairs {
            let Ok([one, other]) = spots.get_disjoint_mut([*one as usize, *other as usize]) else { continue };
            let between = one.minus(*other);
            let length = between.length().max(1e-6);
            let pull = (rate / (hops * hops)).min(1.0) * (length - hops) / (2.0 * length);
            *one = one.minus(between.times(pull));
            *other = other.plus(between.times(pull));
        }
        rate = if step < STEPS { rate * factor } else { last / real(step - STEPS + 2) };
    }
}

fn stress(spots: &[Spot], pairs: &[PulledPair]) -> f64 {
    let of_pair = |pair: &PulledPair| {
        let (one, other) = (spots.get(pair.one as usize)?, spots.get(pair.other as usize)?);
        let wrong = one.minus(*other).length() - pair.hops;
        Some(wrong * wrong / (pair.hops * pair.hops))
    };
    pairs.iter().filter_map(of_pair).sum()
}

/// Numbers that look like chance, and are the same each time (`SplitMix64`; Steele, Lea and Flood 2014).
#[derive(Debug)]
struct ChanceStream(u64);

impl ChanceStream {
    fn new(seed: usize) -> ChanceStream {
        ChanceStream(seed as u64)
    }

    fn number(&mut self) -> u32 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        let [one, two, three, four, ..] = (mixed ^ (mixed >> 31)).to_be_bytes();
        u32::from_be_bytes([one, two, three, four])
    }

    /// A number from 0 up to 1.
    fn part(&mut self) -> f64 {
        f64::from(self.number()) / f64::from(u32::MAX)
    }

    fn below(&mut self, end: usize) -> usize {
        let wide = u64::from(self.number()) * (end as u64);
        usize::try_from(wide >> 32).unwrap_or_default()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_chain_becomes_a_straight_line() {
        let neighbors: Vec<Vec<usize>> = (0..6_usize)
            .map(|place| [place.checked_sub(1), (place < 5).then_some(place + 1)].into_iter().flatten().collect())
            .collect();
        let spots = settled(&neighbors);
        let (first, last) = (spots.first().unwrap(), spots.last().unwrap());
        assert!((first.minus(*last).length() - 5.0).abs() < 0.05, "{spots:?}");
    }
}
