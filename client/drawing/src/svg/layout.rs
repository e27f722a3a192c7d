//! Where each servent stands, so that no box lies over another.
//!
//! Each part that hangs together is laid out by itself: a chain or a ring in rows, up to a thousand servents or so by the hops between
//! them, more in rings. It is told how large each box is and nothing of what stands in it.

use super::overlaps::{boxed, overlapping, push_apart, separate};
use super::plane::{Extent, Spot, bounds, real};
use super::rings::ringed;
use super::rows::{folded, in_a_row};
use super::stress::settled;
use super::trees::{LinkLead, tree};
use crate::hops::linked_parts;
use crate::overlay::DrawnOverlay;

/// Pairs of servents whose distance is looked at, in all parts together: what a thousand servents have.
const PAIRS_MAX: usize = 1_000_000;
/// Up to here every link is led past the boxes it does not belong to, where there is a way.
pub(super) const CLEARED_MAX: usize = 150;
/// What lies between two boxes at least.
pub(super) const GAP: f64 = 8.0;
/// And what lies between two of a row, for the link to be seen.
const LINK_ROOM: Extent = Extent { width: 36.0, height: 32.0 };
/// What lies between two parts.
const PART_GAP: f64 = 40.0;
/// A picture gets no larger for the sake of links than so many times what its boxes need.
const ROOMY: f64 = 7.0;
/// The same where links are led under boxes anyhow.
const ROOMY_WITH_MANY: f64 = 5.0;
/// How often links are cleared.
const CLEARINGS_MAX: usize = 120;
/// What a link keeps away from the box of somebody else.
pub(super) const CLEARANCE: f64 = 5.0;

/// Servents that links lead to from each other, in the order in which a breadth-first search meets them.
#[derive(Debug)]
struct LinkedPart {
    servents: Vec<usize>,
    /// By their places here.
    neighbors: Vec<Vec<usize>>,
    extents: Vec<Extent>,
    /// The first is the contact.
    has_contact: bool,
}

/// The middle of each box, and how the links at it lead.
pub(super) fn spots(overlay: &DrawnOverlay, extents: &[Extent]) -> (Vec<Spot>, Vec<LinkLead>) {
    let mut spots = vec![Spot::default(); extents.len()];
    let mut leads = vec![LinkLead::default(); extents.len()];
    let mut pairs_left = PAIRS_MAX;
    let mut laid: Vec<(LinkedPart, Vec<Spot>)> = Vec::new();
    for part in parts(overlay, extents) {
        let (inner, lead) = laid_out(&part, &mut pairs_left);
        for servent in &part.servents {
            if let Some(its) = leads.get_mut(*servent) {
                *its = lead;
            }
        }
        laid.push((part, inner));
    }
    let width = laid.iter().map(|(part, inner)| {
        let (least, most) = bounds(inner, &part.extents);
        (most.x - least.x + PART_GAP) * (most.y - least.y + PART_GAP)
    });
    // Parts stand in rows that together are wider than high.
    let row_width = (width.sum::<f64>() * 1.8).sqrt();
    let (mut corner, mut row_height) = (Spot::default(), 0.0_f64);
    for (part, inner) in &laid {
        let (least, most) = bounds(inner, &part.extents);
        let size = most.minus(least);
        if corner.x > 0.0 && corner.x + size.x > row_width {
            corner = Spot { x: 0.0, y: corner.y + row_height + PART_GAP };
            row_height = 0.0;
        }
        for (servent, spot) in part.servents.iter().zip(inner) {
            if let Some(its) = spots.get_mut(*servent) {
                *its = spot.minus(least).plus(corner);
            }
        }
        corner.x += size.x + PART_GAP;
        row_height = row_height.max(size.y);
    }
    (spots, leads)
}

/// The part with the contact first, then by their lowest addresses.
fn parts(overlay: &DrawnOverlay, extents: &[Extent]) -> Vec<LinkedPart> {
    let mut places = vec![0; extents.len()];
    let met = linked_parts(overlay).into_iter().enumerate();
    met.map(|(number, met)| {
        let servents: Vec<usize> = met.into_iter().map(|(servent, _)| servent).collect();
        for (place, servent) in servents.iter().enumerate() {
            if let Some(its) = places.get_mut(*servent) {
                *its = place;
            }
        }
        let inside = |servent: &usize| places.get(*servent).copied();
        let neighbors = servents.iter().map(|it| overlay.neighbors(*it).iter().filter_map(inside).collect()).collect();
        let extents = servents.iter().map(|servent| extents.get(*servent).copied().unwrap_or_default()).collect();
        LinkedPart { servents, neighbors, extents, has_contact: number == 0 }
    })
    .collect()
}

fn laid_out(part: &LinkedPart, pairs_left: &mut usize) -> (Vec<Spot>, LinkLead) {
    let count = part.servents.len();
    if let Some((order, is_ring)) = in_a_row(&part.neighbors) {
        let room = most(&part.extents);
        let room = Extent { width: room.width + LINK_ROOM.width, height: room.height + LINK_ROOM.height };
        let mut spots = vec![Spot::default(); count];
        for (place, spot) in order.into_iter().zip(folded(count, room, is_ring)) {
            if let Some(its) = spots.get_mut(place) {
                *its = spot;
            }
        }
        return (spots, LinkLead::Straight);
    }
    if let Some(tree) = tree(&part.neighbors, &part.extents) {
        return tree;
    }
    let pairs = count * count;
    if pairs > *pairs_left {
        let room = common(&part.extents);
        let room = Extent { width: room.width + GAP, height: room.height + GAP };
        let mut spots = ringed(&part.neighbors, room);
        separate(&mut spots, &part.extents, GAP / 2.0);
        return (spots, LinkLead::Straight);
    }
    *pairs_left -= pairs;
    let mut spots = fitted(part, &settled(&part.neighbors));
    push_apart(&mut spots, &part.extents, GAP);
    if count <= CLEARED_MAX {
        clear_links(part, &mut spots);
    }
    separate(&mut spots, &part.extents, GAP / 2.0);
    (spots, LinkLead::Straight)
}

/// The largest width and the largest height.
fn most(extents: &[Extent]) -> Extent {
    extents.iter().fold(Extent::default(), |most, extent| Extent {
        width: most.width.max(extent.width),
        height: most.height.max(extent.height),
    })
}

/// What nine of ten boxes are no larger than: one with a long name shall not drive all others apart.
fn common(extents: &[Extent]) -> Extent {
    let of = |side: fn(&Extent) -> f64| {
        let mut all: Vec<f64> = extents.iter().map(side).collect();
        all.sort_by(f64::total_cmp);
        all.get(all.len() * 9 / 10).or(all.last()).copied().unwrap_or_default()
    };
    Extent { width: of(|extent| extent.width), height: of(|extent| extent.height) }
}

/// Turns what is laid out in hops, and makes it large enough for the boxes: of all directions the one that takes the least room.
fn fitted(part: &LinkedPart, settled: &[Spot]) -> Vec<Spot> {
    let count = settled.len();
    let turns: u8 = if count <= CLEARED_MAX { 36 } else { 4 };
    let room = common(&part.extents);
    let room = Extent { width: room.width + LINK_ROOM.width, height: room.height + LINK_ROOM.height };
    let mut best: Option<(f64, Vec<Spot>)> = None;
    for turn in 0..turns {
        let step = Spot::step(f64::from(turn) / f64::from(turns) / 2.0);
        let turned = settled.iter().map(|spot| Spot {
            x: (spot.x * step.x - spot.y * step.y) * room.width,
            y: (spot.x * step.y + spot.y * step.x) * room.height,
        });
        let turned: Vec<Spot> = turned.collect();
        let scale = scale(&turned, &part.extents);
        let scaled: Vec<Spot> = turned.iter().map(|spot| spot.times(scale)).collect();
        let (least, most) = bounds(&scaled, &part.extents);
        let size = most.minus(least);
        let crossed = if count <= CLEARED_MAX { crossed(part, &scaled).len() } else { 0 };
        // Narrow ones look worse than they are small.
        let side = size.x.max(size.y * 1.5);
        let cost = (size.x * size.y + side * side * 0.2) * (1.0 + real(crossed) / real(count));
        if best.as_ref().is_none_or(|(least, _)| cost < *least * 0.999) {
            best = Some((cost, scaled));
        }
    }
    let mut spots = best.map(|(_, spots)| spots).unwrap_or_default();
    // One reads from the upper left.
    let (least, most) = bounds(&spots, &part.extents);
    let middle = least.towards(most, 0.5);
    if let Some(contact) = spots.first().copied().filter(|_| part.has_contact) {
        for spot in &mut spots {
            if contact.x > middle.x + 1.0 {
                spot.x = 2.0 * middle.x - spot.x;
            }
            if contact.y > middle.y + 1.0 {
                spot.y = 2.0 * middle.y - spot.y;
            }
        }
    }
    spots
}

/// The least of some factors with which few boxes lie over each other, or all have enough room for those that do to be pushed apart.
fn scale(spots: &[Spot], extents: &[Extent]) -> f64 {
    let allowed = spots.len() / 12;
    let needed: f64 = extents.iter().map(|extent| (extent.width + GAP) * (extent.height + GAP)).sum();
    let roomy = if spots.len() <= CLEARED_MAX { ROOMY } else { ROOMY_WITH_MANY };
    let mut scale = 0.3;
    // No more than a hundred times as large.
    for _ in 0..48 {
        let scaled: Vec<Spot> = spots.iter().map(|spot| spot.times(scale)).collect();
        let (least, most) = bounds(&scaled, extents);
        let size = most.minus(least);
        if size.x * size.y > needed * roomy {
            break;
        }
        let mut overlaps = 0;
        overlapping(&scaled, extents, 2.5 * GAP, |_, _| overlaps += 1);
        if overlaps <= allowed {
            break;
        }
        scale *= 1.1;
    }
    scale
}

/// Links that lead under the box of somebody else: the two ends, and whose box it is.
fn crossed(part: &LinkedPart, spots: &[Spot]) -> Vec<(usize, usize, usize)> {
    let mut crossed = Vec::new();
    for (one, neighbors) in part.neighbors.iter().enumerate() {
        for other in neighbors.iter().filter(|other| **other > one) {
            let (Some(from), Some(to)) = (spots.get(one), spots.get(*other)) else { continue };
            for (place, (spot, extent)) in spots.iter().zip(&part.extents).enumerate() {
                if place != one && place != *other && extent.is_crossed(*spot, *from, *to, CLEARANCE) {
                    crossed.push((one, *other, place));
                }
            }
        }
    }
    crossed
}

/// Moves boxes out of the way of links, and keeps the spots with which the fewest are in one's way.
fn clear_links(part: &LinkedPart, spots: &mut Vec<Spot>) {
    let mut best = (crossed(part, spots).len(), spots.clone());
    for _ in 0..CLEARINGS_MAX {
        let crossed_now = crossed(part, spots);
        if crossed_now.len() < best.0 {
            best = (crossed_now.len(), spots.clone());
        }
        if crossed_now.is_empty() {
            break;
        }
        for (one, other, place) in crossed_now {
            let Some(((from, _), (to, _))) = boxed(spots, &part.extents, one).zip(boxed(spots, &part.extents, other))
            else {
                continue;
            };
            let Some((middle, extent)) = boxed(spots, &part.extents, place) else { continue };
            let way = to.minus(from);
            let length = way.length().max(1e-6);
            let across = Spot { x: -way.y / length, y: way.x / length };
            let off = middle.minus(from);
            let off = off.x * across.x + off.y * across.y;
            let reach = (extent.width * across.x.abs() + extent.height * across.y.abs()) / 2.0 + CLEARANCE + 1.0;
            let by = ((reach - off.abs()) / 2.0).clamp(0.0, 10.0) * if off < 0.0 { -1.0 } else { 1.0 };
            let push = across.times(by);
            if let Ok([from, to, middle]) = spots.get_disjoint_mut([one, other, place]) {
                *middle = middle.plus(push);
                *from = from.minus(push.times(0.5));
                *to = to.minus(push.times(0.5));
            }
        }
        push_apart(spots, &part.extents, GAP);
    }
    *spots = best.1;
}
