//! Draws an overlay of any shape, as somebody would who wants to see what pictures look like:
//! `cargo run -rp drawing --example picture -- svg random 30 4 > random.svg`.

use std::io::{self, Write};
use std::net::SocketAddr;

use drawing::{DrawnOverlay, dot, mermaid, svg};
use sim::random::Random;
use sim::shapes::{Shape, draw};

fn main() -> io::Result<()> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let word = |place: usize| words.get(place).map_or("", String::as_str);
    let number = |place: usize, default: usize| word(place).parse().unwrap_or(default);
    let Some((_, shape)) = Shape::NAMED.into_iter().find(|(name, _)| *name == word(1)) else {
        return Err(io::Error::other("usage: picture svg|dot|mermaid SHAPE [SERVENTS [DEGREE [SEED]]]"));
    };
    let (servents, degree, seed) = (number(2, 12), number(3, 4), number(4, 1));
    let graph = draw(&shape, servents, degree, &mut Random::new(seed as u64));
    let address = |place: u32| SocketAddr::from(([127, 0, 0, 1], u16::try_from(9001 + place).unwrap_or_default()));
    let all: Vec<_> = (0..servents).filter_map(|place| Some((address(u32::try_from(place).ok()?), None))).collect();
    let links: Vec<_> = graph.links().map(|(one, other)| (address(one), address(other))).collect();
    let overlay = DrawnOverlay::declared(address(0), &all, &links);
    let picture = match word(0) {
        "dot" => dot(&overlay),
        "mermaid" => mermaid(&overlay),
        _ => svg(&overlay, &format!("{shape} of {servents}")),
    };
    io::stdout().write_all(picture.as_bytes())
}
