//! An overlay as a flowchart of Mermaid, which many pages draw where they find it in a block of code.
//!
//! Mermaid itself draws no more than 500 links unless it is told to (`maxEdges`); nothing is left out here for that.

use std::fmt::Write as _;

use crate::label::{name_in_document, signed_address};
use crate::overlay::{DrawnLink, DrawnOverlay, DrawnServent, Since};

/// The classes of nodes, each where it occurs.
const CLASSES: [(&str, &str); 5] = [
    ("contact", "stroke-width:4px"),
    ("silent", "stroke-dasharray:4 4"),
    ("horizon", "stroke-width:2px"),
    ("new", "stroke:#1a7f37,stroke-width:3px"),
    ("gone", "stroke:#cf222e,stroke-width:2px,stroke-dasharray:10 3 2 3"),
];

/// The strokes of links, each where it occurs.
const STROKES: [(MermaidStroke, &str); 3] = [
    (MermaidStroke::Doubtful, "stroke:#bc4c00"),
    (MermaidStroke::New, "stroke:#1a7f37,stroke-width:3px"),
    (MermaidStroke::Gone, "stroke:#cf222e,stroke-dasharray:10 3 2 3"),
];

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum MermaidStroke {
    Plain,
    Doubtful,
    New,
    Gone,
}

/// An overlay as a flowchart. It ends with a line feed.
#[must_use]
pub fn mermaid(overlay: &DrawnOverlay) -> String {
    let mut text = String::from("flowchart TD\n");
    let mut classes: [Vec<usize>; CLASSES.len()] = Default::default();
    for (place, servent) in overlay.servents().iter().enumerate() {
        let _ = writeln!(text, "  n{place}[\"{}\"]", label(overlay, place, servent));
        let is = [
            place == overlay.contact_place(),
            !servent.has_answered,
            overlay.is_at_horizon(place),
            servent.since == Since::New,
            servent.since == Since::Gone,
        ];
        classes.iter_mut().zip(is).filter(|(_, is)| *is).for_each(|(class, _)| class.push(place));
    }
    let mut strokes: [Vec<usize>; STROKES.len()] = Default::default();
    for (number, link) in overlay.links().iter().enumerate() {
        let line = if link.is_doubtful || !link.witness.flood { "-.-" } else { "---" };
        let mark = match (link.since, link.is_doubtful) {
            (Since::Same, false) => "",
            (Since::Same, true) => "|\"?\"|",
            (Since::New, false) => "|\"#43;\"|",
            (Since::New, true) => "|\"#43;?\"|",
            (Since::Gone, _) => "|\"#45;\"|",
        };
        let _ = writeln!(text, "  n{} {line}{mark} n{}", link.one, link.other);
        let stroke = stroke(link);
        STROKES.iter().zip(&mut strokes).filter(|((its, _), _)| *its == stroke).for_each(|(_, all)| all.push(number));
    }
    for ((class, style), places) in CLASSES.iter().zip(&classes).filter(|(_, places)| !places.is_empty()) {
        let nodes: Vec<String> = places.iter().map(|place| format!("n{place}")).collect();
        let _ = writeln!(text, "  classDef {class} {style}\n  class {} {class}", nodes.join(","));
    }
    for ((_, style), numbers) in STROKES.iter().zip(&strokes).filter(|(_, numbers)| !numbers.is_empty()) {
        let numbers: Vec<String> = numbers.iter().map(ToString::to_string).collect();
        let _ = writeln!(text, "  linkStyle {} {style}", numbers.join(","));
    }
    text
}

fn stroke(link: &DrawnLink) -> MermaidStroke {
    match (link.since, link.is_doubtful) {
        (Since::Same, false) => MermaidStroke::Plain,
        (Since::Same, true) => MermaidStroke::Doubtful,
        (Since::New, _) => MermaidStroke::New,
        (Since::Gone, _) => MermaidStroke::Gone,
    }
}

/// The lines of a label. What has a class of its own for other programs has words here: a class is a colour.
fn label(overlay: &DrawnOverlay, place: usize, servent: &DrawnServent) -> String {
    let mut label = quoted(&signed_address(servent));
    if servent.left_out > 0 {
        let _ = write!(label, " #43;{}", servent.left_out);
    } else if overlay.is_at_horizon(place) {
        label.push_str(" …");
    }
    if let Some(name) = name_in_document(servent) {
        label.push_str("<br/>");
        label.push_str(&parted(&name));
    }
    label
}

/// Text as it stands between quotes: what is neither a letter nor a digit is written by its number, but for what an address needs.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        if character.is_alphanumeric() || matches!(character, ' ' | ':' | '.') {
            quoted.push(character);
        } else {
            let _ = write!(quoted, "#{};", u32::from(character));
        }
    }
    quoted
}

/// The same of what a stranger says. Mermaid reads once more what numbers stood for: there `\n` is the end of a line, `$$` begins a
/// formula and `:fa-user` is an icon. A blank of no width parts them.
fn parted(text: &str) -> String {
    let mut parted = String::with_capacity(text.len());
    for character in text.chars() {
        parted.push_str(&quoted(character.encode_utf8(&mut [0; 4])));
        if matches!(character, '\\' | '$' | ':') {
            parted.push_str("#8203;");
        }
    }
    parted
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_is_written_by_numbers_where_it_could_mean_something() {
        assert_eq!(quoted("a1 ü"), "a1 ü");
        assert_eq!(quoted("\"]-->%%;#`&<"), "#34;#93;#45;#45;#62;#37;#37;#59;#35;#96;#38;#60;");
        assert_eq!(parted(":fa $"), ":#8203;fa #36;#8203;");
    }
}
