//! The colours and strokes of a picture, by day and by night.
//!
//! Each colour is written out for both: not every program that shows pictures knows variables.

use std::fmt::Write as _;

use super::labels::FONT;

/// What is drawn so, which property it is, its colour by day, and by night.
const COLOURS: [(&str, &str, &str, &str); 19] = [
    (".paper", "fill", "#ffffff", "#0d1117"),
    ("text", "fill", "#1f2328", "#e6edf3"),
    (".quiet", "fill", "#59636e", "#9198a1"),
    (".link,.unused", "stroke", "#818b98", "#7d8590"),
    (".doubtful", "stroke", "#bc4c00", "#f0883e"),
    (".new", "stroke", "#1a7f37", "#3fb950"),
    (".gone", "stroke", "#cf222e", "#f85149"),
    ("rect.servent", "fill", "#f6f8fa", "#161b22"),
    ("rect.servent", "stroke", "#818b98", "#7d8590"),
    ("rect.contact", "fill", "#ddf4ff", "#12304f"),
    ("rect.contact", "stroke", "#0969da", "#58a6ff"),
    ("rect.silent", "fill", "#ffffff", "#0d1117"),
    ("rect.new", "stroke", "#1a7f37", "#3fb950"),
    ("rect.new", "fill", "#dafbe1", "#12351f"),
    ("rect.gone", "stroke", "#cf222e", "#f85149"),
    ("rect.gone", "fill", "#ffffff", "#0d1117"),
    ("rect.horizon", "stroke", "#818b98", "#7d8590"),
    (".mark", "stroke", "#ffffff", "#0d1117"),
    (".rule", "stroke", "#d1d9e0", "#30363d"),
];

/// What is the same by day and by night.
const STROKES: &str = "\
path{fill:none;stroke-width:1.3}
.unused{stroke-dasharray:6 4}
.doubtful{stroke-dasharray:1 4;stroke-linecap:round;stroke-width:2}
path.new{stroke-width:2.4}
path.gone{stroke-width:1.8;stroke-dasharray:10 3 2 3}
.many path{stroke-opacity:.7}
.crowded path{stroke-opacity:.3}
rect.servent{stroke-width:1.2}
rect.contact{stroke-width:2.6}
rect.silent{stroke-dasharray:3 3}
rect.new{stroke-width:2.4}
rect.gone{stroke-width:1.8;stroke-dasharray:10 3 2 3}
rect.horizon{fill:none;stroke-width:1}
.middle{text-anchor:middle}
.mark{text-anchor:middle;font-weight:bold;stroke-width:4;stroke-linejoin:round;paint-order:stroke}
.head{font-weight:bold}
";

/// The style sheet.
pub(super) fn style() -> String {
    let mut style = format!("svg{{font-family:ui-monospace,monospace;font-size:{FONT}px}}\n{STROKES}");
    for (what, property, day, _) in COLOURS {
        let _ = writeln!(style, "{what}{{{property}:{day}}}");
    }
    style.push_str("@media (prefers-color-scheme:dark){\n");
    for (what, property, _, night) in COLOURS {
        let _ = writeln!(style, "{what}{{{property}:{night}}}");
    }
    style.push_str("}\n");
    style
}
