//! Drawings: whatever servents tell of their places, each form says who has answered, and nothing of what strangers say but
//! text.

use std::collections::BTreeMap;
use std::net::SocketAddr;

use drawing::{Discovery, DrawnOverlay, OverlayFigures, Since, TerminalStyle};
use unicode_width::UnicodeWidthStr;

use super::escaped::is_forbidden;
use crate::Outcome;
use crate::reader::Reader;

/// So many servents answer at most: what else there is to find is found with few.
const PLACES_MAX: usize = 24;
/// Fewer columns have no room for an address.
const COLUMNS_LEAST: usize = 16;

/// What one servent tells.
struct Told {
    name: Option<String>,
    path: Vec<SocketAddr>,
    neighbors: Option<Vec<SocketAddr>>,
}

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let mut reader = Reader::new(bytes);
    let columns = reader.one_of(&[0, 1, COLUMNS_LEAST, 30, 80, 65_535]);
    let style = TerminalStyle { columns, unicode: reader.flag(), colour: false };
    let mut told = BTreeMap::new();
    while !reader.is_over() && told.len() < PLACES_MAX {
        let from = servent(&mut reader);
        told.insert(from, place(&mut reader));
    }
    let overlay = overlay(told.iter());
    let Some(overlay) = overlay else {
        assert!(told.is_empty());
        return Outcome::Refused;
    };
    // Whoever answered first.
    assert_eq!(Some(&overlay), self::overlay(told.iter().rev()).as_ref());
    let answered = overlay.servents().iter().filter(|servent| servent.has_answered);
    assert!(answered.map(|servent| servent.address).eq(told.keys().copied()));
    let figures = OverlayFigures::of(&overlay);
    assert_eq!(figures.servents, told.len());
    assert!(figures.links >= overlay.links().len());
    let settled = overlay.settled();
    assert_eq!(settled, settled.settled());
    assert!(overlay.since(&overlay).links().iter().all(|link| link.since == Since::Same));

    for overlay in [&overlay, &settled, &overlay.since(&some_of(&told))] {
        for text in [drawing::drawn(overlay, &style), drawing::tree(overlay, &style)] {
            is_text(&text);
            let widest = text.lines().map(UnicodeWidthStr::width).max().unwrap_or(0);
            assert!(columns < COLUMNS_LEAST || widest <= columns, "{widest} of {columns} columns:\n{text}");
            for address in told.keys().filter(|_| columns == 0 || columns >= 80) {
                assert!(text.contains(&format!(":{}", address.port())), "{address} is not in\n{text}");
            }
        }
        let (svg, dot, mermaid) = (drawing::svg(overlay, "<&\">"), drawing::dot(overlay), drawing::mermaid(overlay));
        [&svg, &dot, &mermaid].into_iter().for_each(|text| is_text(text));
        assert!(svg.starts_with("<svg ") && svg.ends_with("</svg>\n"));
        assert_eq!(svg.matches("<svg").count(), svg.matches("</svg>").count());
        assert!(dot.starts_with("graph overlay {\n") && dot.ends_with("\n}\n"));
        assert!(mermaid.starts_with("flowchart "));
        for address in told.keys() {
            assert!(dot.contains(&format!("\n  \"{address}\" [")), "{address} is not in\n{dot}");
            assert!(mermaid.contains(&address.to_string()), "{address} is not in\n{mermaid}");
        }
    }
    Outcome::taken_if(!overlay.links().is_empty())
}

fn servent(reader: &mut Reader<'_>) -> SocketAddr {
    let byte = reader.byte();
    SocketAddr::from(([10, 0, 0, byte >> 6], 9000 + u16::from(byte & 0x1f)))
}

fn place(reader: &mut Reader<'_>) -> Told {
    let count = reader.below(65);
    let name = String::from_utf8_lossy(reader.take(count)).into_owned();
    let count = reader.below(6);
    let path = (0..count).map(|_| servent(reader)).collect();
    let neighbors = reader.flag().then(|| {
        let count = reader.below(32);
        (0..count).map(|_| servent(reader)).collect()
    });
    Told { name: (!name.is_empty()).then_some(name), path, neighbors }
}

fn overlay<'a>(told: impl Iterator<Item = (&'a SocketAddr, &'a Told)>) -> Option<DrawnOverlay> {
    let mut discovery = Discovery::default();
    for (from, Told { name, path, neighbors }) in told {
        discovery.add(*from, name.as_deref(), path, neighbors.as_deref());
    }
    discovery.overlay()
}

/// What was told before the last had answered, or the same.
fn some_of(told: &BTreeMap<SocketAddr, Told>) -> DrawnOverlay {
    let some = overlay(told.iter().take(told.len().saturating_sub(1)));
    some.or_else(|| overlay(told.iter())).expect("somebody has answered")
}

fn is_text(text: &str) {
    assert!(text.ends_with('\n'));
    assert!(!text.chars().any(|character| is_forbidden(character) && character != '\n'), "{text:?}");
}
