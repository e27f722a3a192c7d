//! Overlays to be drawn: of every shape of the simulator, and with everything that an overlay can have.

use std::net::SocketAddr;

use drawing::{Discovery, DrawnOverlay, TerminalStyle, dot, drawn, mermaid, svg, tree};
use sim::random::Random;
use sim::shapes::{Shape, draw};

pub(crate) fn address(place: usize) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, 1], u16::try_from(9001 + place).unwrap()))
}

/// One of a shape, in which every third servent has a name.
pub(crate) fn shaped(shape: &Shape, servents: usize, degree: usize, seed: u64) -> DrawnOverlay {
    let graph = draw(shape, servents, degree, &mut Random::new(seed));
    let name = |place: usize| (place % 3 == 2).then(|| format!("servent {place}"));
    let all: Vec<_> = (0..servents).map(|place| (address(place), name(place))).collect();
    let links: Vec<_> = graph.links().map(|(one, other)| (address(one as usize), address(other as usize))).collect();
    DrawnOverlay::declared(address(0), &all, &links)
}

/// The shapes that a person can ask for by a name.
pub(crate) fn shapes() -> impl Iterator<Item = Shape> {
    Shape::NAMED.into_iter().map(|(_, shape)| shape)
}

/// Names of strangers that would like to be something else.
pub(crate) fn nasty_names() -> Vec<String> {
    let ampersands = "&".repeat(64);
    let more = "\u{1}".repeat(64);
    let marks = format!("a{}", "\u{301}".repeat(31));
    let names = [
        "quotes \" and '",
        "]",
        "-->",
        "--> n0",
        "%% comment",
        "; n0",
        "#quot;",
        "end",
        "<script>alert(1)</script>",
        "]]>",
        "&lt;",
        "\\",
        "a\\N\\G\\n",
        "line\nfeed",
        "\0",
        "\u{202e}evil",
        "\u{ffff}\u{fffe}",
        "👩\u{200d}🍳🍕",
        "台所",
        "مطبخ",
        "﷽﷽﷽﷽",
        "1. one",
        "`$$x$$`",
        "fa:fa-user",
        "**bold** _it_",
        "http://example.org",
        "{{{}}}((()))",
        " ",
        &ampersands,
        &more,
        &marks,
    ];
    names.map(str::to_owned).to_vec()
}

/// A star of servents with these names.
pub(crate) fn named(names: &[String]) -> DrawnOverlay {
    let all: Vec<_> = names.iter().enumerate().map(|(place, name)| (address(place), Some(name.clone()))).collect();
    let links: Vec<_> = (1..all.len()).map(|place| (address(0), address(place))).collect();
    DrawnOverlay::declared(address(0), &all, &links)
}

/// One with all that there is: links that the flood took and that it did not take, one that an end does not know, a servent at the
/// horizon, one with more neighbors than are drawn, and what is new and gone.
pub(crate) fn everything() -> DrawnOverlay {
    let mut before = Discovery::default();
    before.add(address(0), Some("north"), &[address(0)], Some(&[address(1), address(2), address(8)]));
    before.add(address(1), None, &[address(0), address(1)], Some(&[address(0), address(2), address(3)]));
    before.add(address(2), None, &[address(0), address(2)], Some(&[address(0), address(1)]));
    before.add(address(3), None, &[address(0), address(1), address(3)], Some(&[address(1)]));
    before.add(address(8), Some("west"), &[address(0), address(8)], Some(&[address(0)]));
    let mut now = Discovery::default();
    let many: Vec<SocketAddr> = (20..40).map(address).chain([address(0), address(1), address(3)]).collect();
    now.add(address(0), Some("north"), &[address(0)], Some(&[address(1), address(2), address(9)]));
    now.add(address(1), None, &[address(0), address(1)], Some(&[address(0), address(2), address(3)]));
    now.add(address(2), Some("east"), &[address(0), address(2)], Some(&many));
    now.add(address(3), None, &[address(0), address(1), address(3)], Some(&[address(1)]));
    now.add(address(9), Some("south"), &[address(0), address(9)], Some(&[address(0), address(1)]));
    now.overlay().unwrap().since(&before.overlay().unwrap())
}

/// Every form there is, by its name: for a terminal in Unicode and in ASCII, and for others.
pub(crate) fn in_every_form(overlay: &DrawnOverlay) -> [(&'static str, String); 7] {
    let style = |unicode| TerminalStyle { columns: 0, unicode, colour: false };
    [
        ("drawn", drawn(overlay, &style(true))),
        ("drawn in ASCII", drawn(overlay, &style(false))),
        ("tree", tree(overlay, &style(true))),
        ("tree in ASCII", tree(overlay, &style(false))),
        ("dot", dot(overlay)),
        ("mermaid", mermaid(overlay)),
        ("svg", svg(overlay, "")),
    ]
}
