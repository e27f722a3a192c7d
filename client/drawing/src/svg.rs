//! An overlay as a picture that stands on its own: an SVG for a browser, a page or a document.
//!
//! It has no script, loads nothing, and is readable by day and by night. Where boxes stand is `svg/layout.rs`, and the ways of links are
//! `svg/links.rs`; what is below the picture is `svg/legend.rs`.

mod labels;
mod layout;
mod legend;
mod links;
mod overlaps;
mod plane;
mod rings;
mod rows;
mod stress;
mod style;
mod trees;
mod xml;

use std::fmt::Write as _;

use common::counted::counted;

use crate::figures::OverlayFigures;
use crate::hops::HopWalk;
use crate::label::name_in_document;
use crate::overlay::{DrawnLink, DrawnOverlay, DrawnServent, Since};
use crate::shown::shown;
use crate::width::{columns_apart, cut_apart};
use labels::{ADVANCE, BoxLabel, LINE};
use layout::GAP;
use legend::{ExplainedLook, LookSample};
use overlaps::TakenRoom;
use plane::{Extent, Spot, bounds, real};
use trees::LinkLead;
use xml::xml;

/// Around everything.
const MARGIN: f64 = 24.0;
/// No picture is narrower, for what stands below it.
const WIDTH_MIN: f64 = 520.0;
/// From this many links on each is fainter.
const MANY_LINKS: usize = 400;
/// And from this many on they are a mere shade.
const CROWDED_LINKS: usize = 4_000;
/// Between the head, the picture and what stands below it.
const BLOCK_GAP: f64 = 18.0;

/// What is said of what two overlays do not have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SinceWords<'a> {
    /// Of [`Since::New`].
    pub new: &'a str,
    /// Of [`Since::Gone`].
    pub gone: &'a str,
}

impl Default for SinceWords<'_> {
    fn default() -> Self {
        SinceWords { new: "new", gone: "gone" }
    }
}

/// An overlay as an SVG document, with this title. It ends with a line feed.
#[must_use]
pub fn svg(overlay: &DrawnOverlay, title: &str) -> String {
    svg_compared(overlay, title, SinceWords::default())
}

/// The same with other words for what is new and what is gone, such as where what was declared is compared with what was found.
#[must_use]
pub fn svg_compared(overlay: &DrawnOverlay, title: &str, words: SinceWords<'_>) -> String {
    let (labels, one_ip) = labels::labels(overlay);
    let extents: Vec<Extent> = labels.iter().map(|label| label.extent).collect();
    let (spots, leads) = layout::spots(overlay, &extents);
    let (least, most) = bounds(&spots, &extents);
    let size = most.minus(least);
    let entries = entries(overlay, words);
    let inner = size.x.max(WIDTH_MIN).max(legend::width(&entries)).ceil();
    let mut figures = OverlayFigures::of(overlay).to_string();
    if let Some(ip) = one_ip {
        let _ = write!(figures, ", all on {ip}");
    }
    let figures_lines = legend::broken(&figures, inner);
    let title = shown(title);

    let top = MARGIN + LINE + BLOCK_GAP;
    let shift = Spot { x: MARGIN + (inner - size.x) / 2.0, y: top }.minus(least);
    let spots: Vec<Spot> = spots.iter().map(|spot| spot.plus(shift)).collect();
    let hops = hops_now(overlay);
    let mut body = String::new();
    write_links(overlay, (&spots, &leads), &extents, &mut body);
    for (place, servent) in overlay.servents().iter().enumerate() {
        if let Some((label, spot)) = labels.get(place).zip(spots.get(place)) {
            let tip = whole(servent, hops.get(place).copied().flatten(), words);
            write_servent(overlay, place, servent, label, *spot, &tip, &mut body);
        }
    }
    let rule = top + size.y + BLOCK_GAP;
    let _ = writeln!(body, r#"<path class="rule" d="M{MARGIN:.1} {rule:.1}h{inner:.1}"/>"#);
    let below = legend::write_legend(&entries, MARGIN, rule + 8.0, inner, &mut body) + 4.0;
    for (number, line) in figures_lines.iter().enumerate() {
        let y = below + real(number + 1) * LINE;
        let _ = writeln!(body, r#"<text class="quiet" x="{MARGIN:.1}" y="{y:.1}">{}</text>"#, xml(line));
    }
    let (width, height) = (inner + 2.0 * MARGIN, (below + legend::lines_height(figures_lines.len()) + MARGIN).ceil());

    let mut document = format!(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{width:.0}\" height=\"{height:.0}\" \
         viewBox=\"0 0 {width:.0} {height:.0}\" role=\"img\">\n\
         <title>{}</title>\n<desc>{}</desc>\n<style>\n{}</style>\n\
         <rect class=\"paper\" width=\"{width:.0}\" height=\"{height:.0}\"/>\n",
        xml(&title),
        xml(&figures),
        style::style(),
    );
    let columns_max = (inner / ADVANCE).floor();
    let fitting = (0..=columns_apart(&title)).rev().find(|count| real(*count) <= columns_max).unwrap_or_default();
    let _ = writeln!(
        document,
        r#"<text class="head" x="{MARGIN:.1}" y="{:.1}">{}</text>"#,
        MARGIN + LINE - 4.0,
        xml(&cut_apart(&title, fitting))
    );
    document.push_str(&body);
    document.push_str("</svg>\n");
    document
}

/// How a link is drawn: its class, and the mark on it.
fn look(link: &DrawnLink) -> (&'static str, &'static str) {
    match (link.since, link.is_doubtful, link.witness.flood) {
        (Since::Gone, ..) => ("gone", "−"),
        (Since::New, true, _) => ("doubtful new", "+?"),
        (Since::New, false, true) => ("new", "+"),
        (Since::New, false, false) => ("unused new", "+"),
        (Since::Same, true, _) => ("doubtful", "?"),
        (Since::Same, false, true) => ("link", ""),
        (Since::Same, false, false) => ("unused", ""),
    }
}

/// The classes of a servent's box.
fn box_look(servent: &DrawnServent, is_contact: bool) -> &'static str {
    match (servent.since, is_contact, servent.has_answered) {
        (Since::Gone, ..) => "servent gone",
        (Since::New, true, _) => "servent contact new",
        (Since::New, false, true) => "servent new",
        (Since::New, false, false) => "servent silent new",
        (Since::Same, true, true) => "servent contact",
        (Since::Same, true, false) => "servent silent contact",
        (Since::Same, false, true) => "servent",
        (Since::Same, false, false) => "servent silent",
    }
}

fn write_links(overlay: &DrawnOverlay, (spots, leads): (&[Spot], &[LinkLead]), extents: &[Extent], out: &mut String) {
    let mut taken = TakenRoom::new(extents, 0.0);
    spots.iter().zip(extents).for_each(|(spot, extent)| taken.take(*spot, *extent));
    let mut marks = String::new();
    let faint = match overlay.links().len() {
        0..MANY_LINKS => "",
        MANY_LINKS..CROWDED_LINKS => r#" class="many""#,
        _ => r#" class="crowded""#,
    };
    let _ = writeln!(out, "<g{faint}>");
    for link in overlay.links() {
        let lead = leads.get(link.one).copied().unwrap_or_default();
        let Some(way) = links::way((link.one, link.other), lead, spots, extents) else { continue };
        let (class, mark) = look(link);
        let links::LinkWay { from, to, by } = way;
        let _ = write!(out, r#"<path class="{class}" d="M{:.1} {:.1}"#, from.x, from.y);
        let _ = match by {
            Some((one, two)) => {
                writeln!(out, r#"C{:.1} {:.1} {:.1} {:.1} {:.1} {:.1}"/>"#, one.x, one.y, two.x, two.y, to.x, to.y)
            }
            None => writeln!(out, r#"L{:.1} {:.1}"/>"#, to.x, to.y),
        };
        if let Some(spot) = Some(mark).filter(|mark| !mark.is_empty()).and_then(|_| links::mark(&way, &taken)) {
            let _ = writeln!(marks, r#"<text class="mark" x="{:.1}" y="{:.1}">{mark}</text>"#, spot.x, spot.y + 4.0);
        }
    }
    out.push_str("</g>\n");
    out.push_str(&marks);
}

fn write_servent(
    overlay: &DrawnOverlay,
    place: usize,
    servent: &DrawnServent,
    label: &BoxLabel,
    spot: Spot,
    tip: &str,
    out: &mut String,
) {
    let BoxLabel { address, name, more, extent } = label;
    let Extent { width, height } = *extent;
    let (left, top) = (spot.x - width / 2.0, spot.y - height / 2.0);
    let class = box_look(servent, place == overlay.contact_place());
    let _ = write!(out, "<g><title>{}</title>", xml(tip));
    if overlay.is_at_horizon(place) {
        // Within the gap that every box has around it.
        let out_by = (GAP / 2.0 - 1.0).min(3.0);
        let _ = write!(
            out,
            r#"<rect class="horizon" x="{:.1}" y="{:.1}" width="{:.1}" height="{:.1}" rx="9"/>"#,
            left - out_by,
            top - out_by,
            width + 2.0 * out_by,
            height + 2.0 * out_by
        );
    }
    let _ = write!(
        out,
        r#"<rect class="{class}" x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}" rx="6"/>"#
    );
    let middle = |line: usize, lines: usize| spot.y + (real(line) - (real(lines) - 1.0) / 2.0) * LINE + 4.0;
    let lines = if name.is_some() { 2 } else { 1 };
    let _ = write!(out, r#"<text class="middle" x="{:.1}" y="{:.1}">{}"#, spot.x, middle(0, lines), xml(address));
    if let Some(more) = more {
        let _ = write!(out, r#" <tspan class="quiet">{more}</tspan>"#);
    }
    out.push_str("</text>");
    match name {
        Some(name) if name.is_ascii() => {
            let (x, y) = (spot.x, middle(1, lines));
            let _ = write!(out, r#"<text class="middle quiet" x="{x:.1}" y="{y:.1}">{}</text>"#, xml(name));
        }
        // How wide and how high other letters are is for fonts to decide: what does not fit the box is cut off at it.
        Some(name) => {
            let (x, y) = (width / 2.0, middle(1, lines) - top);
            let _ = write!(
                out,
                r#"<svg x="{left:.1}" y="{top:.1}" width="{width:.1}" height="{height:.1}"><text class="middle quiet" x="{x:.1}" y="{y:.1}">{}</text></svg>"#,
                xml(name)
            );
        }
        None => {}
    }
    out.push_str("</g>\n");
}

/// By servent: how many links there are to it from the contact, over none that is gone.
fn hops_now(overlay: &DrawnOverlay) -> Vec<Option<usize>> {
    let servents = overlay.servents();
    if overlay.links().iter().all(|link| link.since != Since::Gone) {
        return servents.iter().map(|servent| servent.hops).collect();
    }
    let mut neighbors: Vec<Vec<usize>> = vec![Vec::new(); servents.len()];
    for link in overlay.links().iter().filter(|link| link.since != Since::Gone) {
        for (from, to) in [(link.one, link.other), (link.other, link.one)] {
            if let Some(its) = neighbors.get_mut(from) {
                its.push(to);
            }
        }
    }
    let mut walk = HopWalk::new(servents.len());
    walk.meet(overlay.contact_place(), |place| neighbors.get(place).map_or(&[], Vec::as_slice));
    (0..servents.len()).map(|place| walk.hops(place)).collect()
}

/// What comes up where one points at a servent.
fn whole(servent: &DrawnServent, hops: Option<usize>, words: SinceWords<'_>) -> String {
    let mut whole = servent.address.to_string();
    if let Some(name) = name_in_document(servent) {
        let _ = write!(whole, " {name}");
    }
    match hops {
        Some(0) | None => {}
        Some(hops) => {
            let _ = write!(whole, ", {} away", counted(hops, "link"));
        }
    }
    if !servent.has_answered {
        whole.push_str(", did not answer");
    }
    if servent.left_out > 0 {
        let _ = write!(whole, ", {} more that did not answer", counted(servent.left_out, "neighbor"));
    }
    match servent.since {
        Since::Same => {}
        Since::New => {
            let _ = write!(whole, ", {}", words.new);
        }
        Since::Gone => {
            let _ = write!(whole, ", {}", words.gone);
        }
    }
    whole
}

/// Exactly what occurs in the picture.
fn entries(overlay: &DrawnOverlay, words: SinceWords<'_>) -> Vec<ExplainedLook> {
    let mut entries: Vec<ExplainedLook> = Vec::new();
    let mut say = |occurs: bool, sample: LookSample, words: &str| {
        if occurs {
            entries.push(ExplainedLook { sample, words: words.to_owned() });
        }
    };
    let servent = |which: &dyn Fn(usize, &DrawnServent) -> bool| {
        overlay.servents().iter().enumerate().any(|(place, it)| which(place, it))
    };
    let link = |which: &dyn Fn(&DrawnLink) -> bool| overlay.links().iter().any(which);
    let looks = |classes: &'static str| servent(&|place, it| box_look(it, place == overlay.contact_place()) == classes);
    let is_silent = |it: &DrawnServent| it.since != Since::Gone && !it.has_answered;

    say(overlay.contact().is_some(), LookSample::Box("servent contact", false), "where the query began");
    say(looks("servent"), LookSample::Box("servent", false), "answered");
    say(servent(&|_, it| is_silent(it)), LookSample::Box("servent silent", false), "did not answer");
    let horizon = LookSample::Box("servent", true);
    say(servent(&|place, _| overlay.is_at_horizon(place)), horizon, "has neighbors that did not answer");
    let more = "and so many more that are not drawn";
    say(servent(&|_, it| it.left_out > 0), LookSample::Text("+n"), more);
    for (since, classes, said) in [(Since::New, "servent new", words.new), (Since::Gone, "servent gone", words.gone)] {
        let said = format!("servent: {said}");
        say(servent(&|_, it| it.since == since), LookSample::Box(classes, false), &said);
    }

    let is_told = |it: &DrawnLink| it.since != Since::Gone && !it.is_doubtful;
    let takes_turns = [true, false].map(|flood| link(&|it| is_told(it) && it.witness.flood == flood)) == [true, true];
    let (stands_out, does_not) = overlay.words_for_links();
    for (class, said) in [("link", stands_out), ("unused", does_not)] {
        let said = if takes_turns { said } else { "link" };
        say(link(&|it| look(it).0 == class), LookSample::Stroke(class, ""), said);
    }
    let is_doubtful = |it: &DrawnLink| it.since != Since::Gone && it.is_doubtful;
    say(link(&is_doubtful), LookSample::Stroke("doubtful", "?"), "one end does not know of it");
    for (since, class, mark, said) in [(Since::New, "new", "+", words.new), (Since::Gone, "gone", "−", words.gone)] {
        let said = format!("link: {said}");
        say(link(&|it| it.since == since), LookSample::Stroke(class, mark), &said);
    }
    entries
}
