//! The way of each link between two boxes, and where its mark stands.
//!
//! A straight one mostly. Where it would lead under the box of somebody else it is bent, if that helps and there are not too many.

use super::layout::{CLEARANCE, CLEARED_MAX};
use super::overlaps::TakenRoom;
use super::plane::{Extent, Spot, bounds};
use super::trees::LinkLead;

/// How far the middle of a link may be bent away, in parts of its length, least first.
const BENDS: [f64; 10] = [0.08, -0.08, 0.15, -0.15, 0.24, -0.24, 0.34, -0.34, 0.45, -0.45];
/// Into as many pieces a bent link is cut to see what it leads under.
const PIECES: u8 = 16;
/// The room of a mark.
const MARK: Extent = Extent { width: 12.0, height: 14.0 };
/// Where on its link a mark may stand, first the middle.
const MARK_PARTS: [f64; 9] = [0.5, 0.4, 0.6, 0.3, 0.7, 0.2, 0.8, 0.12, 0.88];

/// A link as it is led.
#[derive(Clone, Copy, Debug)]
pub(super) struct LinkWay {
    pub(super) from: Spot,
    pub(super) to: Spot,
    /// What one that is not straight is drawn towards: the two inner points of a cubic curve.
    pub(super) by: Option<(Spot, Spot)>,
}

impl LinkWay {
    fn at(&self, part: f64) -> Spot {
        let LinkWay { from, to, by } = *self;
        let Some((first, second)) = by else { return from.towards(to, part) };
        let middle = first.towards(second, part);
        let (one, other) =
            (from.towards(first, part).towards(middle, part), middle.towards(second.towards(to, part), part));
        one.towards(other, part)
    }

    fn is_within(&self, least: Spot, most: Spot) -> bool {
        (0..=PIECES)
            .map(|piece| self.at(f64::from(piece) / f64::from(PIECES)))
            .all(|spot| (least.x..=most.x).contains(&spot.x) && (least.y..=most.y).contains(&spot.y))
    }

    fn is_clear(&self, ends: (usize, usize), spots: &[Spot], extents: &[Extent]) -> bool {
        let pieces = if self.by.is_some() { PIECES } else { 1 };
        let others = spots.iter().zip(extents).enumerate().filter(|(place, _)| *place != ends.0 && *place != ends.1);
        let mut others = others.map(|(_, its)| its);
        others.all(|(spot, extent)| {
            (0..pieces).all(|piece| {
                let part = |piece: u8| self.at(f64::from(piece) / f64::from(pieces));
                !extent.is_crossed(*spot, part(piece), part(piece + 1), CLEARANCE - 1.0)
            })
        })
    }

    /// One that leaves its box at right angles, and comes to the other so.
    fn from_side(straight: LinkWay, extents: (Extent, Extent), lead: LinkLead) -> LinkWay {
        let LinkWay { from, to, .. } = straight;
        let side = |extent: Extent, sign: f64| match lead {
            LinkLead::Straight => Spot::default(),
            LinkLead::Down => Spot { x: 0.0, y: sign * extent.height / 2.0 },
            LinkLead::Aside => Spot { x: sign * extent.width / 2.0, y: 0.0 },
        };
        let between = to.minus(from);
        let sign = match lead {
            LinkLead::Down if between.y < 0.0 => -1.0,
            LinkLead::Aside if between.x < 0.0 => -1.0,
            _ => 1.0,
        };
        let (from, to) = (from.plus(side(extents.0, sign)), to.minus(side(extents.1, sign)));
        let half = to.minus(from).times(0.5);
        let off = match lead {
            LinkLead::Down => Spot { x: 0.0, y: half.y },
            _ => Spot { x: half.x, y: 0.0 },
        };
        LinkWay { from, to, by: Some((from.plus(off), to.minus(off))) }
    }
}

/// The way from one box to another.
pub(super) fn way(ends: (usize, usize), lead: LinkLead, spots: &[Spot], extents: &[Extent]) -> Option<LinkWay> {
    let (from, to) = (*spots.get(ends.0)?, *spots.get(ends.1)?);
    let straight = LinkWay { from, to, by: None };
    if lead != LinkLead::Straight {
        return Some(LinkWay::from_side(straight, (*extents.get(ends.0)?, *extents.get(ends.1)?), lead));
    }
    if spots.len() > CLEARED_MAX || straight.is_clear(ends, spots, extents) {
        return Some(straight);
    }
    let along = to.minus(from);
    let bent = BENDS.iter().map(|bend| {
        // The middle of the curve is three quarters as far away as what it is drawn towards.
        let off = Spot { x: -along.y, y: along.x }.times(bend / 0.75);
        LinkWay { by: Some((straight.at(0.2).plus(off), straight.at(0.8).plus(off))), ..straight }
    });
    // A picture ends where its boxes do, and below it is said what it means.
    let (least, most) = bounds(spots, extents);
    let mut bent = bent.filter(|way| way.is_within(least, most) && way.is_clear(ends, spots, extents));
    Some(bent.next().unwrap_or(straight))
}

/// Where on its way a mark is seen.
pub(super) fn mark(way: &LinkWay, taken: &TakenRoom) -> Option<Spot> {
    MARK_PARTS.iter().map(|part| way.at(*part)).find(|spot| taken.is_free(*spot, MARK))
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of three in a row the way from the first to the last leads under the second, and aside only where there is a picture.
    #[test]
    fn a_way_is_bent_around_boxes_and_not_out_of_the_picture() {
        let row = [0.0, 100.0, 200.0].map(|x| Spot { x, y: 0.0 });
        let extent = Extent { width: 40.0, height: 20.0 };
        let first_to_last =
            |spots: &[Spot]| way((0, 2), LinkLead::Straight, spots, &vec![extent; spots.len()]).unwrap();
        assert!(first_to_last(&row).by.is_none());
        let roomy = [&row[..], &[Spot { x: 100.0, y: 200.0 }]].concat();
        assert!(first_to_last(&roomy).by.is_some());
    }
}
