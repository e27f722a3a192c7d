//! In which columns servents stand, and where lines meet them.
//!
//! Each servent wants to stand in the middle of those it is linked with. What a layer comes to with the room there is, in the
//! order it has, is what is nearest to all these wishes (isotonic regression, by pooling adjacent violators: Ayer and others
//! 1955). No column of a channel is taken by the ends of two lines, whence no upright piece of one lies on that of another.

#![expect(clippy::indexing_slicing, reason = "a servent of a part is a place in every list that is made for the part")]

use super::buses::{Bus, BusEnd};
use super::part::{LayeredPart, as_i64};

/// A column has so many parts while it is being settled where a servent stands.
const COLUMN_PARTS: i64 = 64;
/// Rounds from the top to the bottom and back.
const COLUMN_ROUNDS: usize = 12;
/// What is tried: a link the flood used pulls so many times as much as another. All alike, what is symmetric looks so; otherwise
/// the tree that the query took is straighter.
pub(crate) const FLOOD_PULLS: [i64; 2] = [1, 4];
/// Rounds in which lines are made straight that are nearly so.
const STRAIGHT_ROUNDS: usize = 4;
/// What a line costs that is not straight, and one that nearly is.
const JOG_COST: i64 = 2;
const SMALL_JOG_COST: i64 = 5;
/// What nearly is: so many columns.
const SMALL_JOG: i64 = 2;
/// What it costs where two lines meet a servent in columns side by side, in columns beside where they should.
const CROWDED_COST: i64 = 4;
/// What it costs where a line that could be straight is not.
const BENT_COST: i64 = 6;

/// Where servents may stand.
pub(crate) struct ColumnRoom<'a> {
    /// By servent: how many columns it takes.
    pub(crate) cells: &'a [i64],
    /// How many columns there are between the servents of a layer: by servent, to the one on its right.
    pub(crate) gaps: &'a [i64],
    /// How many columns there are.
    pub(crate) columns: i64,
    /// How many times as much a link pulls that the flood used.
    pub(crate) flood_pull: i64,
}

impl ColumnRoom<'_> {
    /// How many columns a servent takes on the left of its middle.
    pub(crate) fn left(&self, servent: usize) -> i64 {
        (self.cells[servent] - 1) / 2
    }

    /// And on the right.
    pub(crate) fn right(&self, servent: usize) -> i64 {
        self.cells[servent] / 2
    }

    fn between(&self, one: usize, next: usize) -> i64 {
        self.right(one) + self.gaps[one] + 1 + self.left(next)
    }
}

/// The middle of each servent; nothing where there is no room for them.
pub(crate) fn middles(part: &LayeredPart, room: &ColumnRoom<'_>) -> Option<Vec<i64>> {
    let mut pulls: [Vec<Vec<(usize, i64)>>; 2] =
        [vec![Vec::new(); part.servents.len()], vec![Vec::new(); part.servents.len()]];
    for link in part.links.iter().filter(|link| !part.is_across(link)) {
        let pull = if link.stroke.is_dashed { 1 } else { room.flood_pull };
        pulls[0][link.lower].push((link.upper, pull));
        pulls[1][link.upper].push((link.lower, pull));
    }
    let [above, below] = pulls;
    let mut at = vec![room.columns * COLUMN_PARTS / 2; part.servents.len()];
    let last = part.layers.len().saturating_sub(1);
    for layer in 0..=last {
        settle(part, room, layer, &mut at, &|at, servent| (at[servent], 1))?;
    }
    let wish = |pulls: &[Vec<(usize, i64)>], at: &[i64], servent: usize| {
        let weight: i64 = pulls[servent].iter().map(|(_, pull)| pull).sum();
        let sum: i64 = pulls[servent].iter().map(|(other, pull)| at[*other] * pull).sum();
        sum.checked_div(weight).map_or((at[servent], 1), |middle| (middle, weight))
    };
    for _ in 0..COLUMN_ROUNDS {
        for layer in 1..=last {
            settle(part, room, layer, &mut at, &|at, servent| wish(&above, at, servent))?;
        }
        for layer in (0..last).rev() {
            settle(part, room, layer, &mut at, &|at, servent| wish(&below, at, servent))?;
        }
    }
    let mut middles: Vec<i64> = at.iter().map(|at| (at + COLUMN_PARTS / 2).div_euclid(COLUMN_PARTS)).collect();
    for layer in &part.layers {
        for pair in layer.windows(2) {
            middles[pair[1]] = middles[pair[1]].max(middles[pair[0]] + room.between(pair[0], pair[1]));
        }
        let mut limit = room.columns - 1;
        for servent in layer.iter().rev() {
            middles[*servent] = middles[*servent].min(limit - room.right(*servent));
            limit = middles[*servent] - room.left(*servent) - 1 - gap_before(layer, room, *servent);
        }
    }
    straighten(part, room, &mut middles);
    let first = (0..middles.len()).map(|servent| middles[servent] - room.left(servent)).min()?;
    middles.iter_mut().for_each(|middle| *middle -= first);
    Some(middles)
}

/// Moves servents by a column or two where that makes lines straight.
fn straighten(part: &LayeredPart, room: &ColumnRoom<'_>, middles: &mut [i64]) {
    let mut others: Vec<Vec<usize>> = vec![Vec::new(); part.servents.len()];
    for link in part.links.iter().filter(|link| !part.is_across(link) && !link.stroke.is_dashed) {
        others[link.upper].push(link.lower);
        others[link.lower].push(link.upper);
    }
    let cost = |middles: &[i64], servent: usize, at: i64| -> i64 {
        let jogs = others[servent].iter().map(|other| (middles[*other] - at).abs());
        jogs.map(|jog| match jog {
            0 => 0,
            1..=SMALL_JOG => SMALL_JOG_COST,
            _ => JOG_COST,
        })
        .sum()
    };
    for _ in 0..STRAIGHT_ROUNDS {
        let mut is_better = false;
        for layer in &part.layers {
            for (place, servent) in layer.iter().enumerate() {
                let before = place.checked_sub(1).map(|before| layer[before]);
                let least = before.map_or(room.left(*servent), |it| middles[it] + room.between(it, *servent));
                let next = layer.get(place + 1);
                let most = next
                    .map_or(room.columns - 1 - room.right(*servent), |it| middles[*it] - room.between(*servent, *it));
                let here = middles[*servent];
                let tried = (here - SMALL_JOG..=here + SMALL_JOG).filter(|at| (least..=most).contains(at));
                let best = tried.min_by_key(|at| (cost(middles, *servent, *at), (at - here).abs())).unwrap_or(here);
                is_better |= cost(middles, *servent, best) < cost(middles, *servent, here);
                middles[*servent] = best;
            }
        }
        if !is_better {
            break;
        }
    }
}

fn gap_before(layer: &[usize], room: &ColumnRoom<'_>, servent: usize) -> i64 {
    let place = layer.iter().position(|it| *it == servent).unwrap_or_default();
    place.checked_sub(1).map_or(0, |before| room.gaps[layer[before]])
}

/// Where a servent wants to be, and how much that counts, by where all of them are.
type SettlingWish<'a> = dyn Fn(&[i64], usize) -> (i64, i64) + 'a;

/// Puts a layer as near to its wishes as its order and the room allow.
fn settle(
    part: &LayeredPart,
    room: &ColumnRoom<'_>,
    layer: usize,
    at: &mut [i64],
    wish: &SettlingWish<'_>,
) -> Option<()> {
    let layer = &part.layers[layer];
    // Without the least there must be between them they may stand anywhere, as long as none is left of the one before it.
    let mut before = 0;
    let mut offsets = Vec::with_capacity(layer.len());
    let mut blocks: Vec<(i64, i64, usize)> = Vec::new();
    for (place, servent) in layer.iter().enumerate() {
        if place > 0 {
            before += room.between(layer[place - 1], *servent) * COLUMN_PARTS;
        }
        offsets.push(before);
        let (wanted, weight) = wish(at, *servent);
        let mut block = ((wanted - before) * weight, weight, 1);
        while let Some(last) = blocks.pop() {
            if last.0.div_euclid(last.1) <= block.0.div_euclid(block.1) {
                blocks.push(last);
                break;
            }
            block = (block.0 + last.0, block.1 + last.1, block.2 + last.2);
        }
        blocks.push(block);
    }
    let (Some(first), Some(last)) = (layer.first(), layer.last()) else { return Some(()) };
    let least = room.left(*first) * COLUMN_PARTS;
    let most = (room.columns - 1 - room.right(*last)) * COLUMN_PARTS - before;
    if most < least {
        return None;
    }
    let settled = blocks.iter().flat_map(|(sum, weight, count)| std::iter::repeat_n(sum.div_euclid(*weight), *count));
    for ((servent, offset), settled) in layer.iter().zip(&offsets).zip(settled) {
        at[*servent] = settled.clamp(least, most) + offset;
    }
    Some(())
}

/// Gives each end of each line of a channel its column. Where a servent takes too few columns for that, it is named.
pub(crate) fn give_columns(channel: &mut [Bus], middles: &[i64], room: &ColumnRoom<'_>) -> Result<(), usize> {
    let towards: Vec<Vec<(usize, i64)>> =
        channel.iter().map(|bus| bus.ends().map(|end| (end.servent, middles[end.servent])).collect()).collect();
    // Where the rest of a line is, from a servent it meets.
    let rest = |bus: usize, servent: usize| {
        let others = || towards[bus].iter().filter(|(it, _)| *it != servent).map(|(_, middle)| middle * 256);
        others().sum::<i64>().checked_div(as_i64(others().count())).unwrap_or_default()
    };
    for (servent, mut its) in ends_by_servent(channel, |bus| &bus.tops) {
        its.sort_by_key(|(bus, end)| (rest(*bus, servent), *bus, *end));
        let first = middles[servent] - as_i64(its.len()) + 1;
        for (place, (bus, end)) in (0_i64..).zip(its) {
            channel[bus].tops[end].column = first + 2 * place;
        }
    }
    let taken: Vec<(i64, usize)> = {
        let columns =
            channel.iter().enumerate().flat_map(|(bus, its)| its.tops.iter().map(move |end| (end.column, bus)));
        let mut taken: Vec<_> = columns.collect();
        taken.sort_unstable();
        taken
    };
    let taken_by =
        |column: i64| taken.binary_search_by_key(&column, |(column, _)| *column).ok().map(|place| taken[place].1);
    for (servent, mut its) in ends_by_servent(channel, |bus| &bus.bottoms) {
        let (left, right) = (middles[servent] - room.left(servent), middles[servent] + room.right(servent));
        let straight = |bus: usize| match (&*channel[bus].tops, &*channel[bus].bottoms) {
            ([top], [_]) if (left..=right).contains(&top.column) => Some(top.column),
            _ => None,
        };
        its.sort_by_key(|(bus, end)| (straight(*bus).map_or(rest(*bus, servent), |column| column * 256), *bus, *end));
        let first = middles[servent] - as_i64(its.len()) + 1;
        let wishes: Vec<EndWish> = (0_i64..)
            .zip(&its)
            .map(|(place, (bus, _))| EndWish {
                column: first + 2 * place,
                straight: straight(*bus),
                allowed: (left..=right).map(|column| taken_by(column).is_none_or(|other| other == *bus)).collect(),
            })
            .collect();
        let columns = chosen(left, &wishes).ok_or(servent)?;
        for ((bus, end), column) in its.into_iter().zip(columns) {
            channel[bus].bottoms[end].column = column;
        }
    }
    Ok(())
}

/// Where a line should meet a servent from above.
struct EndWish {
    column: i64,
    /// Where it would be straight.
    straight: Option<i64>,
    /// By column of the servent: whether no other line comes down there.
    allowed: Vec<bool>,
}

impl EndWish {
    fn cost(&self, column: i64) -> i64 {
        match self.straight {
            Some(straight) if straight == column => 0,
            Some(_) => BENT_COST + (self.column - column).abs(),
            None => (self.column - column).abs(),
        }
    }
}

/// The columns that cost least, from the left to the right.
fn chosen(left: i64, wishes: &[EndWish]) -> Option<Vec<i64>> {
    // By wish, and by column: the least that all up to this one cost, and the column of the one before.
    let mut costs: Vec<Vec<Option<(i64, usize)>>> = Vec::with_capacity(wishes.len());
    for wish in wishes {
        let of_column = |(place, is_allowed): (usize, &bool)| {
            let own = wish.cost(left + as_i64(place));
            let before = match costs.last() {
                None => Some((0, 0)),
                Some(before) => {
                    let each = before.iter().take(place).enumerate();
                    let sums = each.filter_map(|(other, cost)| {
                        let crowded = if place - other == 1 { CROWDED_COST } else { 0 };
                        cost.map(|(cost, _)| (cost + crowded, other))
                    });
                    sums.min()
                }
            };
            before.filter(|_| *is_allowed).map(|(cost, other)| (cost + own, other))
        };
        costs.push(wish.allowed.iter().enumerate().map(of_column).collect());
    }
    let last = costs.last()?;
    let mut place = (0..last.len()).filter(|place| last[*place].is_some()).min_by_key(|place| last[*place])?;
    let mut columns = Vec::with_capacity(wishes.len());
    for costs in costs.iter().rev() {
        columns.push(left + as_i64(place));
        place = costs[place]?.1;
    }
    columns.reverse();
    Some(columns)
}

/// By servent: the lines that meet it on one side, and which of their ends that is.
fn ends_by_servent(channel: &[Bus], side: impl Fn(&Bus) -> &Vec<BusEnd>) -> Vec<(usize, Vec<(usize, usize)>)> {
    let mut all: Vec<(usize, usize, usize)> = channel
        .iter()
        .enumerate()
        .flat_map(|(bus, it)| side(it).iter().enumerate().map(move |(end, its)| (its.servent, bus, end)))
        .collect();
    all.sort_unstable();
    all.chunk_by(|one, next| one.0 == next.0)
        .map(|its| (its[0].0, its.iter().map(|(_, bus, end)| (*bus, *end)).collect()))
        .collect()
}
