//! The drawing for a terminal: layers from the contact, in characters.
//!
//! How many links there are from the contact to a servent says in which layer it stands, so that no link spans more than one.
//! `order` says who stands beside whom, `buses` which links are drawn as one line, `columns` and `tracks` where servents and
//! lines are, and `canvas` makes characters of it. Where there is no room for that it is the tree (`tree.rs`). Nobody is asked
//! how wide the terminal is, and nothing is printed.

mod buses;
mod canvas;
mod columns;
mod order;
mod part;
mod tracks;

use std::net::IpAddr;

use self::buses::{Bus, BusEnd, marks_of};
use self::canvas::{Arms, Canvas};
use self::columns::{ColumnRoom, FLOOD_PULLS};
use self::part::{LayeredPart, PartLink, as_i64};
use crate::label::{address_label, name_label, shared_ip};
use crate::marks::legend::{Legend, LegendEntry};
use crate::marks::{LinkMark, NOT_LINKED, ip_left_out, marked, tone_of, tone_of_link};
use crate::overlay::{DrawnOverlay, Since};
use crate::style::{TerminalStyle, Tone};
use crate::tree::tree;
use crate::width::{columns_of, cut};

/// Of more servents nobody would find one among the lines.
const LAYERED_SERVENTS_MAX: usize = 64;
/// And of more links nobody would follow one.
const LAYERED_LINKS_MAX: usize = 128;
/// A drawing with more rows has to be scrolled: a tree is better for that.
const LAYERED_ROWS_MAX: usize = 60;
/// As wide it may be where nobody knows how wide the terminal is, or where it is wider than anybody looks.
const LAYERED_COLUMNS_MAX: usize = 240;
/// Where more lines cross, somebody who follows one loses it.
const CROSSINGS_PER_LINK_MAX: usize = 2;
/// As many crossings as a row less is worth.
const ROW_COST: usize = 2;
/// A name in a layer takes so many columns at most, where anything may be cut.
const NAME_COLUMNS_MAX: usize = 24;
/// How often servents are made wider for all the lines that meet them.
const WIDENINGS_MAX: usize = 32;

/// The drawing for a terminal: layers from the contact, or a tree where the width does not allow more. Ends with a line feed.
/// The line of figures is not part of it.
#[must_use]
pub fn drawn(overlay: &DrawnOverlay, style: &TerminalStyle) -> String {
    layered(overlay, style).unwrap_or_else(|| tree(overlay, style))
}

/// How much room is taken for servents.
#[derive(Clone, Copy)]
struct ServentSpread {
    /// Blanks between two of a layer.
    gap: i64,
    /// Whether names stand below addresses.
    stacks_names: bool,
}

/// From the roomiest on.
const SPREADS: [ServentSpread; 4] = [
    ServentSpread { gap: 3, stacks_names: false },
    ServentSpread { gap: 2, stacks_names: false },
    ServentSpread { gap: 3, stacks_names: true },
    ServentSpread { gap: 2, stacks_names: true },
];

fn layered(overlay: &DrawnOverlay, style: &TerminalStyle) -> Option<String> {
    if overlay.servents().len() > LAYERED_SERVENTS_MAX || overlay.links().len() > LAYERED_LINKS_MAX {
        return None;
    }
    let parts = LayeredPart::all_of(overlay);
    let fits = |spread: &&ServentSpread| parts.iter().all(|part| has_room(overlay, part, style, **spread));
    let spreads: Vec<&ServentSpread> = SPREADS.iter().filter(fits).collect();
    if spreads.is_empty() {
        return None;
    }
    let parts: Vec<Vec<LayeredPart>> = parts.iter().map(order::ordered).collect();
    spreads.into_iter().find_map(|spread| {
        let mut legend = Legend::default();
        let mut lines = Vec::new();
        for (place, part) in parts.iter().enumerate() {
            if place == 1 {
                lines.extend([String::new(), style.cut(NOT_LINKED)]);
            }
            lines.extend(part_lines(overlay, part, style, *spread, &mut legend)?);
        }
        if lines.len() > LAYERED_ROWS_MAX {
            return None;
        }
        lines.extend(legend.lines(overlay, style));
        Some(lines.iter().flat_map(|line| [line, "\n"]).collect())
    })
}

/// How wide a drawing may be.
fn columns_allowed(style: &TerminalStyle) -> usize {
    if style.columns == 0 { LAYERED_COLUMNS_MAX } else { style.columns.min(LAYERED_COLUMNS_MAX) }
}

/// Whether the texts alone of each layer have room, in whatever order: if not, none is looked for.
fn has_room(overlay: &DrawnOverlay, part: &LayeredPart, style: &TerminalStyle, spread: ServentSpread) -> bool {
    let ip = shared_ip(overlay);
    let gap = usize::try_from(spread.gap).unwrap_or_default();
    part.layers.iter().all(|layer| {
        let places = layer.iter().filter_map(|servent| part.servents.get(*servent));
        let texts = places.filter_map(|place| text_of(overlay, *place, style, spread, ip));
        let columns = texts.map(|text| gap + text.lines.iter().map(|line| columns_of(line)).max().unwrap_or_default());
        columns.sum::<usize>() <= columns_allowed(style) + gap
    })
}

/// What is written of a servent: its address with its marks, and its name below it, where that is not beside it.
struct ServentText {
    lines: Vec<String>,
    tone: Tone,
}

fn text_of(
    overlay: &DrawnOverlay,
    place: usize,
    style: &TerminalStyle,
    spread: ServentSpread,
    ip: Option<IpAddr>,
) -> Option<ServentText> {
    let servent = overlay.servents().get(place)?;
    let name = name_label(servent).map(|name| {
        let most = if style.columns == 0 { usize::MAX } else { NAME_COLUMNS_MAX };
        cut(&name, most, style.cut_mark()).into_owned()
    });
    let address = address_label(servent.address, ip_left_out(overlay, place, ip));
    let lines = match name {
        Some(name) if spread.stacks_names => vec![marked(overlay, place, servent, &address), name],
        Some(name) => vec![marked(overlay, place, servent, &format!("{address} {name}"))],
        None => vec![marked(overlay, place, servent, &address)],
    };
    Some(ServentText { lines, tone: tone_of(overlay, place, servent) })
}

/// One part of an overlay; nothing where there is no room for it.
fn part_lines(
    overlay: &DrawnOverlay,
    orders: &[LayeredPart],
    style: &TerminalStyle,
    spread: ServentSpread,
    legend: &mut Legend,
) -> Option<Vec<String>> {
    let ip = shared_ip(overlay);
    let texts: Option<Vec<ServentText>> =
        orders.first()?.servents.iter().map(|place| text_of(overlay, *place, style, spread, ip)).collect();
    let texts = texts?;
    let tried = orders.iter().flat_map(|part| FLOOD_PULLS.map(|pull| (part, pull)));
    let layouts = tried.filter_map(|(part, pull)| PartLayout::of(part, &texts, style, spread, pull));
    let drawn = layouts.map(|layout| (layout.canvas(style), layout));
    let (canvas, layout) = drawn.min_by_key(|(canvas, _)| canvas.crossings() + ROW_COST * canvas.rows())?;
    let PartLayout { part, channels, .. } = layout;
    if canvas.crossings() > CROSSINGS_PER_LINK_MAX * part.links.len() {
        return None;
    }
    for place in &part.servents {
        if let Some(servent) = overlay.servents().get(*place) {
            legend.add_servent(overlay, *place, servent);
        }
    }
    for link in &part.links {
        legend.add_stroke(link.stroke.is_dashed);
        let marks = marks_of(link);
        marks.0.into_iter().chain(marks.1).for_each(|mark| legend.add_mark(mark));
    }
    if channels.iter().flatten().any(Bus::links_each_with_each) {
        legend.add(LegendEntry::EachWithEach);
    }
    Some(canvas.lines(style.colour))
}

/// Where everything of a part is.
struct PartLayout<'a> {
    part: &'a LayeredPart,
    texts: &'a [ServentText],
    cells: Vec<i64>,
    middles: Vec<i64>,
    /// The links that are a short line between two side by side: by the one on the left.
    short: Vec<Option<&'a PartLink>>,
    /// By layer: the lines below it.
    channels: Vec<Vec<Bus>>,
}

#[expect(clippy::indexing_slicing, reason = "a servent of a part is a place in every list that is made for the part")]
impl<'a> PartLayout<'a> {
    fn of(
        part: &'a LayeredPart,
        texts: &'a [ServentText],
        style: &TerminalStyle,
        spread: ServentSpread,
        flood_pull: i64,
    ) -> Option<PartLayout<'a>> {
        let mut short: Vec<Option<&PartLink>> = vec![None; part.servents.len()];
        for pair in part.layers.iter().flat_map(|layer| layer.windows(2)) {
            let ends = [(pair[0], pair[1]), (pair[1], pair[0])];
            short[pair[0]] = part.links.iter().find(|link| ends.contains(&(link.upper, link.lower)));
        }
        let is_short = |link: &PartLink| short.iter().flatten().any(|it| *it == link);
        let channels = buses::buses(part, |link| !is_short(link));
        let mut cells = least_cells(part, texts, &channels);
        let gaps: Vec<i64> = short
            .iter()
            .map(|link| {
                link.map_or(spread.gap, |link| {
                    let marks = marks_of(link);
                    // A blank on either side, and line on either side of what stands in the middle.
                    let middle = usize::from(link.stroke.since != Since::Same);
                    2 + as_i64(marks.0.len() + marks.1.len() + 1 + middle).max(spread.gap - 1)
                })
            })
            .collect();
        let columns = columns_allowed(style);
        for _ in 0..WIDENINGS_MAX {
            let room = ColumnRoom { cells: &cells, gaps: &gaps, columns: as_i64(columns), flood_pull };
            let middles = columns::middles(part, &room)?;
            let mut channels = channels.clone();
            let narrow = channels.iter_mut().find_map(|channel| columns::give_columns(channel, &middles, &room).err());
            match narrow {
                Some(servent) => cells[servent] += 2,
                None => return Some(PartLayout { part, texts, cells, middles, short, channels }),
            }
        }
        None
    }

    fn canvas(&self, style: &TerminalStyle) -> Canvas {
        let mut canvas = Canvas::new(style.unicode);
        let mut row = 0;
        // Whatever is drawn has a number of its own.
        let mut line = 0;
        for (layer, channel) in self.part.layers.iter().zip(&self.channels) {
            let height = layer.iter().map(|servent| self.texts[*servent].lines.len()).max().unwrap_or_default();
            for servent in layer {
                self.put_servent(&mut canvas, row, height, *servent, &mut line, channel);
            }
            for pair in layer.windows(2) {
                if let Some(link) = self.short[pair[0]] {
                    line += 1;
                    self.put_short(&mut canvas, row, (pair[0], pair[1]), link, line);
                }
            }
            row += height;
            row += put_channel(&mut canvas, row, channel, &mut line, |bus, end| self.seems_to_meet(bus, end));
        }
        canvas
    }

    /// Whether a `+` of a line in the row beside a layer would seem to meet one of it that it does not: it has an arm on the other
    /// side alone.
    fn seems_to_meet(&self, bus: &Bus, end: &BusEnd) -> bool {
        let is_top = bus.tops.contains(end);
        let layer = self.part.layer_of[end.servent];
        let beside =
            if is_top { self.part.layers.get(layer + 1) } else { self.part.layers.get(layer.saturating_sub(1)) };
        let opposite = if is_top { &bus.bottoms } else { &bus.tops };
        let is_there = |servent: &usize| {
            let (left, right) = ((self.cells[*servent] - 1) / 2, self.cells[*servent] / 2);
            (self.middles[*servent] - left..=self.middles[*servent] + right).contains(&end.column)
        };
        // What stands on a short line could stand on an upright one as well.
        let is_marked = |pair: &[usize]| {
            let marks =
                self.short[pair[0]].map(marks_of).is_some_and(|marks| !(marks.0.is_empty() && marks.1.is_empty()));
            marks && (self.middles[pair[0]]..self.middles[pair[1]]).contains(&end.column)
        };
        let Some(beside) = beside.filter(|_| !opposite.iter().any(|other| other.column == end.column)) else {
            return false;
        };
        beside.iter().any(is_there) || beside.windows(2).any(is_marked)
    }

    /// The first and the last column of the address.
    fn extent(&self, servent: usize, is_wide: bool) -> (i64, i64) {
        let columns = if is_wide {
            self.cells[servent]
        } else {
            self.texts[servent].lines.first().map_or(0, |text| as_i64(columns_of(text)))
        };
        let from = self.middles[servent] - (columns - 1) / 2;
        (from, from + columns - 1)
    }

    /// Whether a line would miss the address of a servent, which is then given brackets that are as wide as it takes.
    fn is_wide(&self, servent: usize) -> bool {
        let (from, to) = self.extent(servent, false);
        let layer = self.part.layer_of[servent];
        let above = layer.checked_sub(1).map(|layer| &self.channels[layer]);
        let meets = |end: &&BusEnd| end.servent == servent;
        let from_above = above.into_iter().flatten().flat_map(|bus| &bus.bottoms).filter(meets);
        let from_below = self.channels[layer].iter().flat_map(|bus| &bus.tops).filter(meets);
        from_above.chain(from_below).any(|end| end.column < from || to < end.column)
    }

    fn put_servent(
        &self,
        canvas: &mut Canvas,
        row: usize,
        height: usize,
        servent: usize,
        line: &mut usize,
        channel: &[Bus],
    ) {
        let ServentText { lines, tone } = &self.texts[servent];
        // A line that comes from below goes past the name where there is none.
        for bus in channel {
            *line += 1;
            for end in bus.tops.iter().filter(|end| end.servent == servent) {
                let tone = tone_of_link(bus.stroke.is_dashed, bus.stroke.since, bus.stroke.is_doubtful);
                let mut pen = canvas.pen(*line, bus.stroke.is_dashed, tone);
                (row + 1..row + height).for_each(|row| pen.put(row, end.column, Arms::UP | Arms::DOWN));
            }
        }
        for (place, text) in lines.iter().enumerate() {
            let columns = columns_of(text);
            let (from, columns, text) = if place == 0 && self.is_wide(servent) {
                let (from, to) = self.extent(servent, true);
                let room = usize::try_from(to - from - 1).unwrap_or_default();
                let left = room.saturating_sub(columns) / 2;
                let right = room.saturating_sub(columns + left);
                (from, columns + left + right + 2, format!("[{}{text}{}]", " ".repeat(left), " ".repeat(right)))
            } else {
                (self.middles[servent] - (as_i64(columns) - 1) / 2, columns, text.clone())
            };
            canvas.text(row + place, from, columns, &text, *tone);
        }
    }

    fn put_short(&self, canvas: &mut Canvas, row: usize, (left, right): (usize, usize), link: &PartLink, line: usize) {
        let (from, to) = (self.extent(left, self.is_wide(left)).1 + 2, self.extent(right, self.is_wide(right)).0 - 2);
        let tone = tone_of_link(link.stroke.is_dashed, link.stroke.since, link.stroke.is_doubtful);
        canvas.pen(line, link.stroke.is_dashed, tone).dash(row, from, to);
        let (upper, lower) = marks_of(link);
        let (first, last) = if link.upper == left { (upper, lower) } else { (lower, upper) };
        let is_unicode = canvas.is_unicode();
        // What is said of the link as a whole stands in the middle of it.
        for (marks, end) in [(first, from), (last, to)] {
            for mark in marks {
                let at = if mark == LinkMark::Denied { end } else { (from + to) / 2 };
                canvas.mark(row, at, mark.character(is_unicode), tone);
            }
        }
    }
}

/// How many columns servents take for their texts, and for what meets them on either side.
#[expect(clippy::indexing_slicing, reason = "a servent of a part is a place in every list that is made for the part")]
fn least_cells(part: &LayeredPart, texts: &[ServentText], channels: &[Vec<Bus>]) -> Vec<i64> {
    let mut ends = vec![[0_i64; 2]; part.servents.len()];
    for bus in channels.iter().flatten() {
        bus.tops.iter().for_each(|end| ends[end.servent][1] += 1);
        bus.bottoms.iter().for_each(|end| ends[end.servent][0] += 1);
    }
    let cell = |(text, [above, below]): (&ServentText, &[i64; 2])| {
        let lines = || text.lines.iter().map(|line| as_i64(columns_of(line)));
        let (address, most) = (lines().next().unwrap_or(1), lines().max().unwrap_or(1));
        let needed = most.max(2 * above - 1).max(2 * below - 1);
        // With brackets, where it is more than what stands there.
        if needed > address { needed.max(address + 2) } else { needed }
    };
    texts.iter().zip(&ends).map(cell).collect()
}

/// Draws the lines of a channel from a row on, and says how many rows that takes.
fn put_channel(
    canvas: &mut Canvas,
    row: usize,
    channel: &[Bus],
    line: &mut usize,
    seems_to_meet: impl Fn(&Bus, &BusEnd) -> bool,
) -> usize {
    let tracks = tracks::tracks(channel);
    let most_marks = |ends: fn(&Bus) -> &Vec<BusEnd>| {
        channel.iter().flat_map(ends).map(|end| end.marks.len()).max().unwrap_or_default()
    };
    let (above, below) = (most_marks(|bus| &bus.tops), most_marks(|bus| &bus.bottoms));
    let level = tracks.iter().flatten().max().map_or(0, |most| most + 1);
    // A line is more than what is marked on it.
    let level = if above + below > 0 { level.max(1) } else { level };
    if channel.is_empty() {
        return 0;
    }
    let is_unicode = canvas.is_unicode();
    let is_misleading = |row: usize, ends: fn(&Bus) -> &Vec<BusEnd>| {
        let mut buses = channel.iter().zip(&tracks).filter(|(_, track)| **track == Some(row));
        !is_unicode && buses.any(|(bus, _)| ends(bus).iter().any(|end| seems_to_meet(bus, end)))
    };
    // In ASCII a `+` has arms on all sides, so that there is a row between it and whom it does not meet.
    let above = if is_misleading(0, |bus| &bus.bottoms) { above.max(1) } else { above };
    let below = if is_misleading(level.saturating_sub(1), |bus| &bus.tops) { below.max(1) } else { below };
    let height = (above + level + below).max(1);
    let first = *line;
    // What is level is drawn first: what is upright is in front.
    for (bus, track) in channel.iter().zip(&tracks) {
        *line += 1;
        if let Some(track) = track {
            let (from, to) = bus.span();
            let tone = tone_of_link(bus.stroke.is_dashed, bus.stroke.since, bus.stroke.is_doubtful);
            canvas.pen(*line, bus.stroke.is_dashed, tone).level(row + above + track, from, to);
        }
    }
    for ((bus, track), line) in channel.iter().zip(&tracks).zip(first + 1..) {
        let tone = tone_of_link(bus.stroke.is_dashed, bus.stroke.since, bus.stroke.is_doubtful);
        let mut pen = canvas.pen(line, bus.stroke.is_dashed, tone);
        let last = row + height - 1;
        let mut upright = |rows: std::ops::Range<usize>, column| {
            for at in rows {
                if at == row || at == last {
                    pen.touch(at, column);
                } else {
                    pen.put(at, column, Arms::UP | Arms::DOWN);
                }
            }
        };
        match track {
            Some(track) => {
                let meets = row + above + track;
                bus.tops.iter().for_each(|end| upright(row..meets, end.column));
                bus.bottoms.iter().for_each(|end| upright(meets + 1..row + height, end.column));
                bus.tops.iter().for_each(|end| pen.put(meets, end.column, Arms::UP));
                bus.bottoms.iter().for_each(|end| pen.put(meets, end.column, Arms::DOWN));
            }
            None => upright(row..row + height, bus.span().0),
        }
        for end in &bus.tops {
            for (mark, row) in end.marks.iter().zip(row..) {
                canvas.mark(row, end.column, mark.character(is_unicode), tone);
            }
        }
        for end in &bus.bottoms {
            for (mark, row) in end.marks.iter().zip((row..row + height).rev()) {
                canvas.mark(row, end.column, mark.character(is_unicode), tone);
            }
        }
    }
    height
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_limits_are_those_that_are_told() {
        assert_eq!((LAYERED_SERVENTS_MAX, LAYERED_COLUMNS_MAX), (64, 240), "the tests of drawings name them");
    }
}
