//! Points and boxes, and what is computed of them.
//!
//! Only with `+ - * /` and square roots, which come out the same on every machine: the sine of a system's own library does not.

use std::f64::consts::TAU;

/// A point, in pixels or in hops.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Spot {
    pub(super) x: f64,
    pub(super) y: f64,
}

/// How much room something takes, around the spot in its middle.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Extent {
    pub(super) width: f64,
    pub(super) height: f64,
}

impl Spot {
    pub(super) fn plus(self, other: Spot) -> Spot {
        Spot { x: self.x + other.x, y: self.y + other.y }
    }

    pub(super) fn minus(self, other: Spot) -> Spot {
        Spot { x: self.x - other.x, y: self.y - other.y }
    }

    pub(super) fn times(self, factor: f64) -> Spot {
        Spot { x: self.x * factor, y: self.y * factor }
    }

    pub(super) fn length(self) -> f64 {
        (self.x * self.x + self.y * self.y).sqrt()
    }

    /// Where somebody is who has gone so much of the way to another spot.
    pub(super) fn towards(self, other: Spot, part: f64) -> Spot {
        self.plus(other.minus(self).times(part))
    }

    /// One step in a direction, which is given in turns: none is to the right, a quarter is down.
    pub(super) fn step(turn: f64) -> Spot {
        let turn = turn - turn.floor();
        let quarters = (turn * 4.0).floor();
        let angle = (turn - quarters / 4.0) * TAU;
        let (mut sine, mut cosine, mut term) = (0.0, 0.0, 1.0);
        for power in (0_u8..20).step_by(2) {
            let power = f64::from(power);
            cosine += term;
            term *= angle / (power + 1.0);
            sine += term;
            term *= -angle / (power + 2.0);
        }
        match quarters {
            1.0 => Spot { x: -sine, y: cosine },
            2.0 => Spot { x: -cosine, y: -sine },
            3.0 => Spot { x: sine, y: -cosine },
            _ => Spot { x: cosine, y: sine },
        }
    }
}

impl Extent {
    /// By how much this one here and that one there come too close to each other, sideways and in height: where either is not
    /// above nothing they do not.
    pub(super) fn overlap(self, here: Spot, that: Extent, there: Spot, gap: f64) -> Spot {
        let between = there.minus(here);
        Spot {
            x: (self.width + that.width) / 2.0 + gap - between.x.abs(),
            y: (self.height + that.height) / 2.0 + gap - between.y.abs(),
        }
    }

    pub(super) fn overlaps(self, here: Spot, that: Extent, there: Spot, gap: f64) -> bool {
        let by = self.overlap(here, that, there, gap);
        by.x > 0.0 && by.y > 0.0
    }

    /// Whether a straight way from one spot to another leads through this box.
    pub(super) fn is_crossed(self, middle: Spot, from: Spot, to: Spot, gap: f64) -> bool {
        let (way, begin) = (to.minus(from), from.minus(middle));
        let (mut first, mut last) = (0.0_f64, 1.0_f64);
        let sides = [(begin.x, way.x, self.width / 2.0 + gap), (begin.y, way.y, self.height / 2.0 + gap)];
        for (begin, way, reach) in sides {
            if way.abs() < 1e-9 {
                if begin.abs() > reach {
                    return false;
                }
            } else {
                let (one, other) = ((-reach - begin) / way, (reach - begin) / way);
                first = first.max(one.min(other));
                last = last.min(one.max(other));
            }
        }
        first < last
    }
}

/// The corners of what surrounds all boxes: the one with the least of both, and the other.
pub(super) fn bounds(spots: &[Spot], extents: &[Extent]) -> (Spot, Spot) {
    let mut all = spots.iter().zip(extents).map(|(spot, extent)| {
        let half = Spot { x: extent.width / 2.0, y: extent.height / 2.0 };
        (spot.minus(half), spot.plus(half))
    });
    let first = all.next().unwrap_or_default();
    all.fold(first, |(least, most), (low, high)| {
        (Spot { x: least.x.min(low.x), y: least.y.min(low.y) }, Spot { x: most.x.max(high.x), y: most.y.max(high.y) })
    })
}

/// A count as a number to compute with. There are never so many that it does not fit.
pub(super) fn real(count: usize) -> f64 {
    f64::from(u32::try_from(count).unwrap_or(u32::MAX))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_as_long_in_every_direction() {
        for turn in 0..360_u16 {
            let (turn, angle) = (f64::from(turn) / 360.0, f64::from(turn).to_radians());
            let step = Spot::step(turn);
            assert!((step.x - angle.cos()).abs() < 1e-12 && (step.y - angle.sin()).abs() < 1e-12, "{turn}");
        }
    }

    #[test]
    fn a_box_is_crossed_by_what_leads_through_it() {
        let square = Extent { width: 2.0, height: 2.0 };
        let spot = |x, y| Spot { x, y };
        for (from, to, crossed) in [
            (spot(-5.0, 0.0), spot(5.0, 0.0), true),
            (spot(-5.0, 3.0), spot(5.0, 3.0), false),
            (spot(0.0, -5.0), spot(0.0, -2.0), false),
            (spot(0.0, -5.0), spot(0.0, 5.0), true),
            (spot(-2.0, 0.5), spot(0.5, -2.0), true),
            (spot(-4.0, 0.0), spot(0.0, -4.0), false),
        ] {
            assert_eq!(square.is_crossed(Spot::default(), from, to, 0.0), crossed, "{from:?} {to:?}");
        }
    }
}
