//! In which order the servents of a layer stand, so that few links cross.
//!
//! Barycentres (Sugiyama, Tagawa and Toda 1981) bring each near those it is linked with; then each is tried at every place of
//! its layer (sifting: Matuszewski, Schönfeld and Molitor 1999), which sees what barycentres do not: links within the layer,
//! which are a short line where two stand side by side.

#![expect(clippy::indexing_slicing, reason = "a servent of a part is a place in every list that is made for the part")]

use super::part::{LayeredPart, as_i64};

/// Rounds of barycentres, and of sifting. Most are settled after three.
const ORDER_ROUNDS: usize = 8;
/// How many orders are begun with. Some end in a worse place than others.
const ORDER_STARTS: u64 = 12;
/// What is tried: a link the flood used counts so many times as much as another. The more, the less crosses the tree that the
/// query took; the less, the less crosses in all.
const FLOOD_WEIGHTS: [i64; 3] = [1, 2, 4];
/// What a link within a layer costs where its ends do not stand side by side, beside how far they are apart.
const APART_COST: i64 = 3;

/// The part with the servents of each layer in order, in each of the ways that are worth a try.
pub(crate) fn ordered(part: &LayeredPart) -> Vec<LayeredPart> {
    let mut parts: Vec<LayeredPart> = Vec::new();
    for flood_weight in FLOOD_WEIGHTS {
        let layers = best_order(part, flood_weight);
        if parts.iter().all(|other| other.layers != layers) {
            parts.push(LayeredPart { layers, ..part.clone() });
        }
    }
    parts
}

fn best_order(part: &LayeredPart, flood_weight: i64) -> Vec<Vec<usize>> {
    let links = Weights::of(part, flood_weight);
    let by_address = part.layers.clone();
    let along_the_tree = (0..ORDER_STARTS).map(|start| links.depth_first(part, start));
    let mut best: Option<(i64, Vec<Vec<usize>>)> = None;
    for start in along_the_tree.chain([by_address]) {
        let mut ordering = LayerOrdering { links: &links, places: vec![0; part.servents.len()], layers: start };
        let found = ordering.improved();
        if best.as_ref().is_none_or(|(cost, _)| found.0 < *cost) {
            best = Some(found);
        }
    }
    best.map_or_else(|| part.layers.clone(), |(_, layers)| layers)
}

/// By servent: with whom it is linked, and how much that counts.
struct Weights {
    above: Vec<Vec<(usize, i64)>>,
    below: Vec<Vec<(usize, i64)>>,
    /// By layer.
    across: Vec<Vec<(usize, usize, i64)>>,
}

impl Weights {
    fn of(part: &LayeredPart, flood_weight: i64) -> Weights {
        let none = vec![Vec::new(); part.servents.len()];
        let mut weights = Weights { above: none.clone(), below: none, across: vec![Vec::new(); part.layers.len()] };
        for link in &part.links {
            let weight = if link.stroke.is_dashed { 1 } else { flood_weight };
            if part.is_across(link) {
                weights.across[part.layer_of[link.upper]].push((link.upper, link.lower, weight));
            } else {
                weights.below[link.upper].push((link.lower, weight));
                weights.above[link.lower].push((link.upper, weight));
            }
        }
        weights
    }

    /// As they are met going down first: what is below one stands together. Each start turns off elsewhere, the first by address.
    fn depth_first(&self, part: &LayeredPart, start: u64) -> Vec<Vec<usize>> {
        let mut layers = vec![Vec::new(); part.layers.len()];
        let mut seen = vec![false; part.servents.len()];
        let mut next = vec![0];
        while let Some(servent) = next.pop() {
            if std::mem::replace(&mut seen[servent], true) {
                continue;
            }
            layers[part.layer_of[servent]].push(servent);
            let mut below = self.below[servent].clone();
            // What is pushed last is met first: the links of the flood, by address.
            below.sort_by_key(|(lower, weight)| (*weight, shuffled(*lower, start), std::cmp::Reverse(*lower)));
            next.extend(below.into_iter().map(|(lower, _)| lower));
        }
        layers
    }
}

struct LayerOrdering<'a> {
    links: &'a Weights,
    layers: Vec<Vec<usize>>,
    /// By servent: its place in its layer.
    places: Vec<usize>,
}

impl LayerOrdering<'_> {
    /// The best order that is found from this one, and what it costs.
    fn improved(&mut self) -> (i64, Vec<Vec<usize>>) {
        (0..self.layers.len()).for_each(|layer| self.note_places(layer));
        let mut best = (self.cost(), self.layers.clone());
        for _ in 0..ORDER_ROUNDS {
            for layer in 1..self.layers.len() {
                self.sort(layer, true);
            }
            for layer in (0..self.layers.len().saturating_sub(1)).rev() {
                self.sort(layer, false);
            }
            let cost = self.cost();
            if cost >= best.0 {
                break;
            }
            best = (cost, self.layers.clone());
        }
        self.layers.clone_from(&best.1);
        (0..self.layers.len()).for_each(|layer| self.note_places(layer));
        for _ in 0..ORDER_ROUNDS {
            let better = (0..self.layers.len()).filter(|layer| self.sift(*layer)).count();
            if better == 0 {
                break;
            }
        }
        (self.cost(), self.layers.clone())
    }

    fn note_places(&mut self, layer: usize) {
        for (place, servent) in self.layers[layer].iter().enumerate() {
            self.places[*servent] = place;
        }
    }

    /// Sorts a layer by where those stand who are above, or below.
    fn sort(&mut self, layer: usize, by_above: bool) {
        let others = if by_above { &self.links.above } else { &self.links.below };
        let key = |servent: &usize| {
            let weight: i64 = others[*servent].iter().map(|(_, weight)| weight).sum();
            let places = others[*servent].iter().map(|(other, weight)| as_i64(self.places[*other]) * weight);
            (places.sum::<i64>() * 1024).checked_div(weight)
        };
        // Who has nobody there stays where it is, among the others.
        let mut sorted: Vec<(i64, usize)> =
            self.layers[layer].iter().filter_map(|servent| Some((key(servent)?, *servent))).collect();
        sorted.sort_by_key(|(key, _)| *key);
        let mut sorted = sorted.into_iter().map(|(_, servent)| servent);
        let stays = |servent: &usize| others[*servent].is_empty();
        let new: Vec<usize> = self.layers[layer]
            .iter()
            .map(|servent| if stays(servent) { *servent } else { sorted.next().unwrap_or(*servent) })
            .collect();
        self.layers[layer] = new;
        self.note_places(layer);
    }

    /// Tries each of a layer at every place of it; whether anything was better there.
    fn sift(&mut self, layer: usize) -> bool {
        let mut is_better = false;
        for servent in self.layers[layer].clone() {
            let here = self.places[servent];
            let mut others: Vec<usize> = self.layers[layer].iter().copied().filter(|it| *it != servent).collect();
            let left: Vec<i64> = others.iter().map(|other| self.crossings(*other, servent)).collect();
            let right: Vec<i64> = others.iter().map(|other| self.crossings(servent, *other)).collect();
            let mut crossings: i64 = right.iter().sum();
            let mut costs = Vec::with_capacity(others.len() + 1);
            for place in 0..=others.len() {
                costs.push(crossings + self.apart(layer, &others, servent, place));
                if place < others.len() {
                    crossings += left[place] - right[place];
                }
            }
            let best = (0..costs.len()).min_by_key(|place| (costs[*place], place.abs_diff(here))).unwrap_or(here);
            if costs[best] < costs[here] {
                others.insert(best, servent);
                self.layers[layer] = others;
                self.note_places(layer);
                is_better = true;
            }
        }
        is_better
    }

    /// How much crosses of what two of a layer have above and below, where the one stands left of the other.
    fn crossings(&self, one: usize, other: usize) -> i64 {
        let side = |links: &[Vec<(usize, i64)>]| -> i64 {
            let pairs = links[one].iter().flat_map(|left| links[other].iter().map(move |right| (left, right)));
            pairs
                .filter(|(left, right)| self.places[left.0] > self.places[right.0])
                .map(|(left, right)| left.1 * right.1)
                .sum()
        };
        side(&self.links.above) + side(&self.links.below)
    }

    /// What the links within a layer cost, where one of it is put at a place among the others.
    fn apart(&self, layer: usize, others: &[usize], servent: usize, place: usize) -> i64 {
        if self.links.across[layer].is_empty() {
            return 0;
        }
        let mut places: Vec<(usize, usize)> = others
            .iter()
            .enumerate()
            .map(|(before, other)| (*other, if before < place { before } else { before + 1 }))
            .collect();
        places.push((servent, place));
        places.sort_unstable();
        let place_of =
            |servent: usize| places.binary_search_by_key(&servent, |(it, _)| *it).map_or(0, |found| places[found].1);
        self.links.across[layer]
            .iter()
            .map(|(one, other, weight)| apart_cost(place_of(*one).abs_diff(place_of(*other)), *weight))
            .sum()
    }

    fn cost(&self) -> i64 {
        let mut cost = 0;
        for (layer, servents) in self.layers.iter().enumerate() {
            for (place, one) in servents.iter().enumerate() {
                for other in servents.iter().skip(place + 1) {
                    let pairs = self.links.below[*one]
                        .iter()
                        .flat_map(|a| self.links.below[*other].iter().map(move |b| (a, b)));
                    cost +=
                        pairs.filter(|(a, b)| self.places[a.0] > self.places[b.0]).map(|(a, b)| a.1 * b.1).sum::<i64>();
                }
            }
            for (one, other, weight) in &self.links.across[layer] {
                cost += apart_cost(self.places[*one].abs_diff(self.places[*other]), *weight);
            }
        }
        cost
    }
}

/// A number that is another for each start; the first has none.
fn shuffled(number: usize, start: u64) -> u64 {
    // Fibonacci hashing (Knuth 1973).
    (as_i64(number).unsigned_abs() + 1).wrapping_mul(start).wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 32
}

fn apart_cost(distance: usize, weight: i64) -> i64 {
    if distance <= 1 { 0 } else { APART_COST * weight + as_i64(distance) }
}
