//! What a query for the topology has found, as it is shown: drawn below its lines at a terminal, or in a form for others to read.
//!
//! How an overlay is drawn is known to the crate `drawing`; which form is wanted, and what this terminal can show, is known here.

use std::env;
use std::ffi::OsString;
use std::fmt::Write;
use std::io;
use std::net::SocketAddr;

use clap::ValueEnum;
use common::limits::TTL_MAX;
use common::query::Path;
use common::servent_name::ServentName;
use common::text::Escaped;
use drawing::{Discovery, DrawnLink, DrawnOverlay, DrawnServent, OverlayFigures, TerminalStyle};
use serde::Serialize;

use crate::program::render::{JsonLine, json_line};
use crate::program::terminal;

/// The forms an overlay can be written in.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum TopologyForm {
    /// As lines: a way to each servent.
    Text,
    /// As a tree of lines.
    Tree,
    /// For Graphviz.
    Dot,
    /// For Mermaid, as many pages show it.
    Mermaid,
    /// As a picture.
    Svg,
    /// As one JSON object.
    Json,
}

/// An overlay as a line of JSON.
#[derive(Serialize)]
pub(crate) struct JsonTopology<'a> {
    contact: Option<SocketAddr>,
    servents: Vec<JsonServent<'a>>,
    links: Vec<JsonLink>,
    figures: JsonFigures,
}

#[derive(Serialize)]
struct JsonServent<'a> {
    address: SocketAddr,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<&'a str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    hops: Option<usize>,
    answered: bool,
    tells_neighbors: bool,
    horizon: bool,
    #[serde(skip_serializing_if = "is_none_left_out")]
    left_out: usize,
}

#[derive(Serialize)]
struct JsonLink {
    ends: Vec<SocketAddr>,
    told_by: Vec<SocketAddr>,
    doubtful: bool,
}

#[derive(Serialize)]
struct JsonFigures {
    servents: usize,
    links: usize,
    diameter: Option<usize>,
    diameter_is_exact: bool,
    degree_least: Option<usize>,
    degree_most: Option<usize>,
    heard_of: usize,
    doubtful: usize,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "it is called so by serde")]
fn is_none_left_out(count: &usize) -> bool {
    *count == 0
}

pub(crate) fn json_topology(overlay: &DrawnOverlay) -> JsonTopology<'_> {
    let address = |place: usize| overlay.servents().get(place).map(|servent| servent.address);
    let servents = overlay.servents().iter().enumerate().map(|(place, servent)| {
        let DrawnServent { address, hops, has_answered, tells_neighbors, left_out, .. } = *servent;
        let (name, horizon) = (servent.name.as_deref(), overlay.is_at_horizon(place));
        JsonServent { address, name, hops, answered: has_answered, tells_neighbors, horizon, left_out }
    });
    let link = |link: &DrawnLink| {
        let told = [(link.witness.first, link.one), (link.witness.second, link.other)];
        let told_by = told.into_iter().filter_map(|(tells, end)| tells.then(|| address(end))?).collect();
        let ends = [link.one, link.other].into_iter().filter_map(address).collect();
        JsonLink { ends, told_by, doubtful: link.is_doubtful }
    };
    let OverlayFigures { servents: answered, links, diameter, diameter_is_exact, degrees, heard_of, doubtful } =
        OverlayFigures::of(overlay);
    JsonTopology {
        contact: overlay.contact().map(|contact| contact.address),
        servents: servents.collect(),
        links: overlay.links().iter().map(link).collect(),
        figures: JsonFigures {
            servents: answered,
            links,
            diameter,
            diameter_is_exact,
            degree_least: degrees.map(|degrees| degrees.least),
            degree_most: degrees.map(|degrees| degrees.most),
            heard_of,
            doubtful,
        },
    }
}

/// A line for each servent that has answered, by address: a shortest way to it, and it once more, as the lines of `T` have it.
pub(crate) fn lines(overlay: &DrawnOverlay) -> String {
    let mut lines = String::new();
    for (place, servent) in overlay.servents().iter().enumerate().filter(|(_, servent)| servent.has_answered) {
        // No flood goes farther: a longer way is somebody's invention.
        let is_way = |way: &Vec<usize>| way.len() <= usize::from(TTL_MAX) + 2;
        for on_way in overlay.way_to(place).filter(is_way).unwrap_or_default() {
            if let Some(on_way) = overlay.servents().get(on_way) {
                let _ = write!(lines, "{} ", on_way.address);
            }
        }
        let _ = writeln!(lines, "{}", servent.address);
    }
    lines
}

/// One more servent has answered. False where that is not kept.
pub(crate) fn add(
    discovery: &mut Discovery,
    from: SocketAddr,
    name: Option<&ServentName>,
    path: &Path,
    neighbors: &[SocketAddr],
) -> bool {
    // Where servents do not say who they are, nobody tells of neighbors.
    let neighbors = matches!(path, Path::Addresses(_)).then_some(neighbors);
    discovery.add(from, name.map(ServentName::as_str), &path.addresses(), neighbors)
}

/// An overlay in one of the forms.
pub(crate) fn written(form: TopologyForm, overlay: &DrawnOverlay) -> io::Result<Vec<u8>> {
    // Whatever terminal and locale there are: the same overlay is to be the same bytes.
    let style = TerminalStyle { columns: 0, unicode: true, colour: false };
    Ok(match form {
        TopologyForm::Text => lines(overlay).into_bytes(),
        TopologyForm::Tree => drawing::tree(overlay, &style).into_bytes(),
        TopologyForm::Dot => drawing::dot(overlay).into_bytes(),
        TopologyForm::Mermaid => drawing::mermaid(overlay).into_bytes(),
        TopologyForm::Svg => {
            let contact = overlay.contact().map(|contact| contact.address.to_string()).unwrap_or_default();
            drawing::svg(overlay, &format!("The overlay around {contact}")).into_bytes()
        }
        TopologyForm::Json => json_line(&JsonLine::Topology(json_topology(overlay)))?,
    })
}

/// What is drawn below the lines at a terminal: the overlay, and what it comes to.
pub(crate) fn drawing(overlay: &DrawnOverlay) -> String {
    format!("{}{}\n", drawing::drawn(overlay, &style_of_results()), OverlayFigures::of(overlay))
}

/// What the terminal that results are shown on can show.
pub(crate) fn style_of_results() -> TerminalStyle {
    let is_set = |name| env::var_os(name).is_some_and(|value| !value.is_empty());
    TerminalStyle {
        columns: terminal::columns_of_results(),
        unicode: is_unicode(|name| env::var_os(name)),
        colour: terminal::can_clear() && !is_set("NO_COLOR"),
    }
}

/// Whether the locale says that text is UTF-8: of the three that can, the first that says anything (POSIX).
fn is_unicode(variable: impl Fn(&str) -> Option<OsString>) -> bool {
    let said = ["LC_ALL", "LC_CTYPE", "LANG"].into_iter().filter_map(variable).find(|value| !value.is_empty());
    let said = said.map(|value| value.to_string_lossy().to_ascii_lowercase());
    said.is_some_and(|value| value.contains("utf-8") || value.contains("utf8"))
}

/// The servents on a path, fit to be shown: a path that came as text may hold anything.
pub(crate) fn words(path: &Path) -> Vec<String> {
    match path {
        Path::Addresses(addresses) => addresses.iter().map(ToString::to_string).collect(),
        Path::Text(text) => {
            let words = text.split(|byte| *byte == b' ').filter(|word| !word.is_empty());
            words.map(|word| Escaped::new(word).to_string()).collect()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_locale_says_whether_there_is_more_than_ascii() {
        let with = |all: &[(&str, &str)]| {
            is_unicode(|name| all.iter().find(|(said, _)| *said == name).map(|(_, value)| OsString::from(value)))
        };
        assert!(!with(&[]));
        assert!(with(&[("LANG", "pt_BR.UTF-8")]));
        assert!(with(&[("LC_CTYPE", "C.utf8"), ("LANG", "C")]));
        assert!(!with(&[("LC_ALL", "C"), ("LANG", "pt_BR.UTF-8")]));
        assert!(with(&[("LC_ALL", ""), ("LANG", "pt_BR.UTF-8")]));
    }

    #[test]
    fn the_same_overlay_is_the_same_lines_and_the_same_json() {
        let [north, west, east, south] = [1, 2, 3, 4].map(|port| SocketAddr::from(([127, 0, 0, 1], 9000 + port)));
        let told = |by: SocketAddr| {
            let mut discovery = Discovery::default();
            discovery.add(south, Some("\u{1b}[2J"), &[north, by, south], Some(&[west, east]));
            discovery.add(west, None, &[north, west], Some(&[south, north]));
            discovery.add(east, None, &[north, east], Some(&[north]));
            discovery.add(north, None, &[north], Some(&[west, east]));
            discovery.overlay().unwrap().settled()
        };
        assert_eq!(lines(&told(west)), lines(&told(east)));
        assert_eq!(
            lines(&told(west)),
            "127.0.0.1:9001 127.0.0.1:9001\n127.0.0.1:9001 127.0.0.1:9002 127.0.0.1:9002\n\
             127.0.0.1:9001 127.0.0.1:9003 127.0.0.1:9003\n\
             127.0.0.1:9001 127.0.0.1:9002 127.0.0.1:9004 127.0.0.1:9004\n"
        );
        let json = |by| serde_json::to_value(json_topology(&told(by))).unwrap();
        assert_eq!(json(west), json(east));
        let json = json(west);
        assert_eq!(json["contact"], "127.0.0.1:9001");
        assert_eq!(json["servents"][3]["hops"], 2);
        assert_eq!(json["servents"][3]["name"], "\u{1b}[2J");
        assert_eq!(json["links"][3]["ends"], serde_json::json!(["127.0.0.1:9003", "127.0.0.1:9004"]));
        assert_eq!(json["links"][3]["told_by"], serde_json::json!(["127.0.0.1:9004"]));
        assert_eq!(json["links"][3]["doubtful"], true);
        assert_eq!(json["figures"]["diameter"], 2);
    }
}
