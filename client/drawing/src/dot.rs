//! An overlay in the language of Graphviz: `dot -Tsvg`, `neato`, and whatever else reads DOT.

use std::fmt::Write as _;

use crate::figures::OverlayFigures;
use crate::label::{name_in_document, signed_address};
use crate::overlay::{DrawnLink, DrawnOverlay, DrawnServent, Since};

/// An overlay as an undirected graph of DOT, whose nodes are called by their addresses. It ends with a line feed.
#[must_use]
pub fn dot(overlay: &DrawnOverlay) -> String {
    let mut text = String::from(
        "graph overlay {\n  graph [fontname=\"monospace\"]\n  node [shape=box style=rounded fontname=\"monospace\"]\n  edge [fontname=\"monospace\"]\n",
    );
    let _ = writeln!(text, "  label=\"{}\"", quoted(&OverlayFigures::of(overlay).to_string()));
    for (place, servent) in overlay.servents().iter().enumerate() {
        let _ = write!(text, "  \"{}\" [label=\"{}\"", servent.address, label(servent));
        for attribute in node_attributes(overlay, place, servent) {
            let _ = write!(text, " {attribute}");
        }
        text.push_str("]\n");
    }
    for link in overlay.links() {
        let ends = overlay.servents().get(link.one).zip(overlay.servents().get(link.other));
        let Some((one, other)) = ends else { continue };
        let _ = write!(text, "  \"{}\" -- \"{}\"", one.address, other.address);
        let attributes = link_attributes(link);
        if !attributes.is_empty() {
            let _ = write!(text, " [{}]", attributes.join(" "));
        }
        text.push('\n');
    }
    text.push_str("}\n");
    text
}

/// The lines of a label, with `\n` between two.
fn label(servent: &DrawnServent) -> String {
    let mut label = signed_address(servent);
    if servent.left_out > 0 {
        let _ = write!(label, " +{}", servent.left_out);
    }
    if let Some(name) = name_in_document(servent) {
        label.push_str("\\n");
        label.push_str(&quoted(&name));
    }
    label
}

/// Text as it stands between quotes. A backslash would begin an escape, and an ampersand an entity of HTML.
fn quoted(text: &str) -> String {
    let mut quoted = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '"' => quoted.push_str("\\\""),
            '\\' => quoted.push_str("\\\\"),
            '&' => quoted.push_str("&amp;"),
            character => quoted.push(character),
        }
    }
    quoted
}

fn node_attributes(overlay: &DrawnOverlay, place: usize, servent: &DrawnServent) -> Vec<&'static str> {
    let mut attributes = Vec::new();
    match (servent.has_answered, place == overlay.contact_place()) {
        (true, true) => attributes.push("style=\"rounded,bold\" penwidth=3"),
        (true, false) => {}
        (false, true) => attributes.push("style=\"rounded,dashed\" penwidth=3"),
        (false, false) => attributes.push("style=\"rounded,dashed\""),
    }
    if overlay.is_at_horizon(place) {
        attributes.push("peripheries=2");
    }
    match servent.since {
        Since::Same => {}
        Since::New => attributes.push("color=forestgreen penwidth=2"),
        Since::Gone => attributes.push("color=red fontcolor=red"),
    }
    attributes
}

fn link_attributes(link: &DrawnLink) -> Vec<&'static str> {
    let mut attributes = Vec::new();
    match (link.since, link.is_doubtful, link.witness.flood) {
        (Since::Gone, ..) | (_, false, true) => {}
        (_, true, _) => attributes.push("style=dotted"),
        (_, false, false) => attributes.push("style=dashed"),
    }
    match (link.since, link.is_doubtful) {
        (Since::Same, false) => {}
        (Since::Same, true) => attributes.push("color=darkorange label=\"?\""),
        (Since::New, false) => attributes.push("color=forestgreen penwidth=2 label=\"+\""),
        (Since::New, true) => attributes.push("color=forestgreen penwidth=2 label=\"+?\""),
        (Since::Gone, _) => attributes.push("style=dashed color=red penwidth=2 label=\"-\""),
    }
    attributes
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn text_ends_no_string_and_begins_no_escape() {
        assert_eq!(quoted(r#"a" b\N c\"#), r#"a\" b\\N c\\"#);
        assert_eq!(quoted("&lt; &#60;"), "&amp;lt; &amp;#60;");
    }
}
