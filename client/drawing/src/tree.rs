//! The tree of an overlay: each servent below the one the query came to it from, and behind it the links that are not in the tree.
//!
//! It is drawn for any width and any number of servents, in time and room that grow with their number: what is too deep to be
//! indented goes on further below, at the left again.

use std::collections::VecDeque;
use std::net::IpAddr;

use crate::label::{address_label, label, shared_ip};
use crate::marks::legend::{Legend, LegendEntry};
use crate::marks::{LinkMark, NOT_LINKED, ip_left_out, marked, tone_of, tone_of_link};
use crate::overlay::{DrawnLink, DrawnOverlay};
use crate::style::{TerminalStyle, Tone};
use crate::width::{columns_of, cut};

/// So many links that are not in the tree are listed behind a servent.
const ALSO_MAX: usize = 8;
/// So deep servents are indented, where the width allows it.
const INDENTS_MAX: usize = 16;
/// And so deep in any case.
const INDENTS_LEAST: usize = 2;
/// Columns of one indent.
const INDENT_COLUMNS: usize = 4;
/// So many columns are left for what stands behind the indents.
const LABEL_COLUMNS_LEAST: usize = 14;

/// The tree, also where there is room for more. Ends with a line feed.
#[must_use]
pub fn tree(overlay: &DrawnOverlay, style: &TerminalStyle) -> String {
    let forest = Forest::of(overlay);
    let mut writer = TreeWriter {
        overlay,
        style,
        forest: &forest,
        ip: shared_ip(overlay),
        legend: Legend::default(),
        text: String::new(),
    };
    let mut roots = forest.roots.iter();
    if let Some(contact) = roots.next() {
        writer.write_tree(*contact);
    }
    let mut others = roots.peekable();
    if others.peek().is_some() {
        writer.text.push('\n');
        writer.line("", &[(NOT_LINKED, Tone::Plain)], Tone::Plain);
    }
    for root in others {
        writer.write_tree(*root);
    }
    for line in std::mem::take(&mut writer.legend).lines(overlay, style) {
        writer.text.push_str(&line);
        writer.text.push('\n');
    }
    writer.text
}

/// Who is below whom.
struct Forest {
    /// First the contact, then whoever no links lead to.
    roots: Vec<usize>,
    /// By servent: who is below it, and the link between them.
    below: Vec<Vec<(usize, usize)>>,
    /// By servent: the other ends of links that are not in the tree, and these links. Each is told once, at its deeper end.
    also: Vec<Vec<(usize, usize)>>,
}

impl Forest {
    fn of(overlay: &DrawnOverlay) -> Forest {
        let count = overlay.servents().len();
        let mut links: Vec<Vec<(usize, usize)>> = vec![Vec::new(); count];
        for (place, link) in overlay.links().iter().enumerate() {
            for (from, to) in [(link.one, link.other), (link.other, link.one)] {
                if let Some(its) = links.get_mut(from) {
                    its.push((to, place));
                }
            }
        }
        let mut forest = Forest { roots: Vec::new(), below: vec![Vec::new(); count], also: vec![Vec::new(); count] };
        let mut depths: Vec<Option<usize>> = vec![None; count];
        let mut is_in_tree = vec![false; overlay.links().len()];
        for start in std::iter::once(overlay.contact_place()).chain(0..count) {
            if depths.get(start).is_none_or(Option::is_some) {
                continue;
            }
            forest.roots.push(start);
            if let Some(depth) = depths.get_mut(start) {
                *depth = Some(0);
            }
            // First along the links of the flood alone, then from all that were found so along any.
            let mut found = vec![start];
            for only_flood in [true, false] {
                let mut next: VecDeque<usize> = found.iter().copied().collect();
                while let Some(servent) = next.pop_front() {
                    let depth = depths.get(servent).copied().flatten().unwrap_or_default();
                    for (other, link) in links.get(servent).into_iter().flatten() {
                        let is_of_flood = overlay.links().get(*link).is_some_and(|link| link.witness.flood);
                        let Some(its @ None) = depths.get_mut(*other) else { continue };
                        if only_flood && !is_of_flood {
                            continue;
                        }
                        *its = Some(depth + 1);
                        if let Some(below) = forest.below.get_mut(servent) {
                            below.push((*other, *link));
                        }
                        if let Some(is_in_tree) = is_in_tree.get_mut(*link) {
                            *is_in_tree = true;
                        }
                        next.push_back(*other);
                        found.push(*other);
                    }
                }
            }
        }
        forest.below.iter_mut().for_each(|below| below.sort_unstable());
        for (place, link) in overlay.links().iter().enumerate() {
            if is_in_tree.get(place).copied().unwrap_or_default() {
                continue;
            }
            let is_deeper = depths.get(link.one) > depths.get(link.other);
            let (at, to) = if is_deeper { (link.one, link.other) } else { (link.other, link.one) };
            if let Some(its) = forest.also.get_mut(at) {
                its.push((to, place));
            }
        }
        forest
    }
}

struct TreeWriter<'a> {
    overlay: &'a DrawnOverlay,
    style: &'a TerminalStyle,
    forest: &'a Forest,
    ip: Option<IpAddr>,
    legend: Legend,
    text: String,
}

impl TreeWriter<'_> {
    fn write_tree(&mut self, root: usize) {
        let indents = match self.style.columns {
            0 => INDENTS_MAX,
            columns => (columns.saturating_sub(LABEL_COLUMNS_LEAST) / INDENT_COLUMNS).clamp(INDENTS_LEAST, INDENTS_MAX),
        };
        // What goes on further below does so in the order in which it was left.
        let mut further = VecDeque::from([root]);
        let mut is_first = true;
        while let Some(root) = further.pop_front() {
            if !is_first {
                self.text.push('\n');
            }
            // What is in front of each that is open: whether anybody comes behind it.
            let mut open: Vec<bool> = Vec::new();
            let mut next = vec![(root, None, 0, true)];
            while let Some((servent, link, depth, is_last)) = next.pop() {
                open.truncate(usize::saturating_sub(depth, 1));
                let front = self.front(&open, link, depth, is_last);
                if depth > 0 {
                    open.push(!is_last);
                }
                let below = self.forest.below.get(servent).map_or(&[][..], Vec::as_slice);
                let goes_on_below = depth >= indents && !below.is_empty();
                let begins_again = depth == 0 && !is_first;
                self.servent(&front, servent, goes_on_below, begins_again);
                if goes_on_below {
                    further.push_back(servent);
                } else {
                    let count = below.len();
                    let below = below.iter().enumerate().rev();
                    next.extend(
                        below.map(|(place, (other, link))| (*other, Some(*link), depth + 1, place + 1 == count)),
                    );
                }
            }
            is_first = false;
        }
    }

    /// What is in front of a servent.
    fn front(&mut self, open: &[bool], link: Option<usize>, depth: usize, is_last: bool) -> (String, Tone) {
        let unicode = self.style.unicode;
        let mut front: String = open
            .iter()
            .map(|is_open| match (is_open, unicode) {
                (false, _) => "    ",
                (true, true) => "│   ",
                (true, false) => "|   ",
            })
            .collect();
        let Some(link) = link.and_then(|link| self.overlay.links().get(link)).filter(|_| depth > 0) else {
            return (front, Tone::Plain);
        };
        front.push(match (is_last, unicode) {
            (false, true) => '├',
            (true, true) => '└',
            (false, false) => '|',
            (true, false) => '`',
        });
        let is_dashed = !link.witness.flood;
        self.legend.add_stroke(is_dashed);
        let stroke = match (is_dashed, unicode) {
            (false, true) => '─',
            (true, true) => '┄',
            (false, false) => '-',
            (true, false) => '.',
        };
        let mut marks = self.marks(link);
        marks.insert(0, stroke);
        marks.push(stroke);
        front.extend(marks.chars().take(if marks.chars().count() > 3 { 3 } else { 2 }));
        front.push(' ');
        (front, tone_of_link(is_dashed, link.since, link.is_doubtful))
    }

    /// What is said of a link by characters on it.
    fn marks(&mut self, link: &DrawnLink) -> String {
        let mut marks = String::new();
        if link.is_doubtful {
            self.legend.add(LegendEntry::DeniedByOne);
            marks.push(LinkMark::Denied.character(self.style.unicode));
        }
        if let Some(mark) = LinkMark::of(link.since) {
            self.legend.add_mark(mark);
            marks.push(mark.character(self.style.unicode));
        }
        marks
    }

    fn servent(&mut self, front: &(String, Tone), place: usize, goes_on_below: bool, begins_again: bool) {
        let Some(servent) = self.overlay.servents().get(place) else { return };
        let called = label(servent, ip_left_out(self.overlay, place, self.ip));
        let label = marked(self.overlay, place, servent, &called);
        let tone = tone_of(self.overlay, place, servent);
        let dash = if self.style.unicode { "─" } else { "-" };
        self.legend.add_servent(self.overlay, place, servent);
        let mut pieces = vec![(label, tone)];
        if begins_again {
            pieces.push((format!(" {dash} from above"), Tone::Faint));
        }
        if goes_on_below {
            // Where there is more room.
            pieces.push((format!(" {dash} below"), Tone::Faint));
        } else {
            pieces.extend(self.also(place));
        }
        let pieces: Vec<(&str, Tone)> = pieces.iter().map(|(text, tone)| (text.as_str(), *tone)).collect();
        self.line(&front.0, &pieces, front.1);
    }

    /// The links of a servent that are not in the tree.
    fn also(&mut self, place: usize) -> Vec<(String, Tone)> {
        let also = self.forest.also.get(place).map_or(&[][..], Vec::as_slice);
        let mut pieces = Vec::new();
        for is_dashed in [false, true] {
            let links = || {
                let links = also.iter().filter_map(|(other, link)| Some((*other, self.overlay.links().get(*link)?)));
                links.filter(|(_, link)| link.witness.flood != is_dashed)
            };
            let listed: Vec<(usize, &DrawnLink)> = links().take(ALSO_MAX).collect();
            if listed.is_empty() {
                continue;
            }
            let left = links().count() - listed.len();
            self.legend.add_stroke(is_dashed);
            let dash = match (is_dashed, self.style.unicode) {
                (false, true) => "─",
                (true, true) => "┄",
                (false, false) => "-",
                (true, false) => "..",
            };
            let faint = tone_of_link(is_dashed, crate::overlay::Since::Same, false);
            pieces.push((format!(" {dash} also"), faint));
            for (other, link) in listed {
                let Some(servent) = self.overlay.servents().get(other) else { continue };
                let marks = self.marks(link);
                let address = address_label(servent.address, self.ip);
                pieces.push((format!(" {marks}{address}"), tone_of_link(is_dashed, link.since, link.is_doubtful)));
            }
            if left > 0 {
                pieces.push((format!(" and {left} more"), faint));
            }
        }
        pieces
    }

    /// One line, cut where there is no room for all of it.
    fn line(&mut self, front: &str, pieces: &[(&str, Tone)], front_tone: Tone) {
        let colour = self.style.colour;
        let mark = self.style.cut_mark();
        let all = std::iter::once((front, front_tone)).chain(pieces.iter().copied());
        let total: usize = all.clone().map(|(text, _)| columns_of(text)).sum();
        let mut room = match self.style.columns {
            0 => usize::MAX,
            columns => columns,
        };
        let is_cut = total > room;
        for (text, tone) in all {
            let columns = columns_of(text);
            // The mark takes its room from the last that has any.
            if is_cut && columns + columns_of(mark) > room {
                let kept = cut(text, room.min(columns.saturating_sub(1)), mark);
                self.text.push_str(&tone.paint(&kept, colour));
                break;
            }
            room -= columns;
            self.text.push_str(&tone.paint(text, colour));
        }
        self.text.push('\n');
    }
}
