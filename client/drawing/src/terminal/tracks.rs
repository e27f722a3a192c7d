//! In which row of a channel the level piece of each line lies, so that few lines cross and few rows are taken.

#![expect(
    clippy::indexing_slicing,
    reason = "a line of a channel is a place in every list that is made for the channel"
)]

use super::buses::Bus;

/// How often each line is tried above and below every other.
const TRACK_ROUNDS: usize = 8;

/// By line: its row, and nothing where no piece of it is level.
pub(crate) fn tracks(channel: &[Bus]) -> Vec<Option<usize>> {
    let mut order: Vec<usize> = (0..channel.len()).filter(|bus| !channel[*bus].is_upright()).collect();
    order.sort_by_key(|bus| {
        let (from, to) = channel[*bus].span();
        (to - from, from, *bus)
    });
    for _ in 0..TRACK_ROUNDS {
        let better = order.clone().into_iter().filter(|bus| try_everywhere(channel, &mut order, *bus)).count();
        if better == 0 {
            break;
        }
    }
    let mut columns: Vec<i64> = channel.iter().flat_map(|bus| bus.ends().map(|end| end.column)).collect();
    columns.sort_unstable();
    let mut rows = vec![None; channel.len()];
    for (place, bus) in order.iter().enumerate() {
        let above = order[..place].iter().filter(|other| !fit_beside(&channel[**other], &channel[*bus], &columns));
        rows[*bus] = Some(above.filter_map(|other| rows[*other]).map(|row: usize| row + 1).max().unwrap_or_default());
    }
    rows
}

/// Whether two may lie in one row: between them is a column that nothing is in, so that nobody takes the one for the other's
/// end.
fn fit_beside(one: &Bus, other: &Bus, columns: &[i64]) -> bool {
    let (left, right) = if one.span().0 <= other.span().0 { (one, other) } else { (other, one) };
    let mut between = left.span().1 + 1..right.span().0;
    between.any(|column| columns.binary_search(&column).is_err())
}

/// Moves a line to where it crosses the least; whether that is anywhere else.
fn try_everywhere(channel: &[Bus], order: &mut Vec<usize>, bus: usize) -> bool {
    let Some(here) = order.iter().position(|it| *it == bus) else { return false };
    let others: Vec<usize> = order.iter().copied().filter(|it| *it != bus).collect();
    let mut cost: i64 = others.iter().map(|other| crossings(&channel[bus], &channel[*other])).sum();
    let mut costs = vec![cost];
    for other in &others {
        cost += crossings(&channel[*other], &channel[bus]) - crossings(&channel[bus], &channel[*other]);
        costs.push(cost);
    }
    let best = (0..costs.len()).min_by_key(|place| (costs[*place], place.abs_diff(here))).unwrap_or(here);
    if costs[best] >= costs[here] {
        return false;
    }
    *order = others;
    order.insert(best, bus);
    true
}

/// How often two cross where the one lies above the other.
fn crossings(upper: &Bus, lower: &Bus) -> i64 {
    let within = |column: i64, bus: &Bus| {
        let (from, to) = bus.span();
        i64::from(from < column && column < to)
    };
    let down: i64 = upper.bottoms.iter().map(|end| within(end.column, lower)).sum();
    let up: i64 = lower.tops.iter().map(|end| within(end.column, upper)).sum();
    down + up
}
