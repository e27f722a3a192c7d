//! A picture: that no box lies over another, that it is the same each time, and that names stay names.

use std::net::SocketAddr;
use std::time::Instant;

use drawing::{DrawnOverlay, SinceWords, svg, svg_compared};

use crate::overlays::{address, everything, named, nasty_names, shaped, shapes};

/// A box of a servent: its left, upper, right and lower side.
type Sides = [f64; 4];

fn attribute(element: &str, name: &str) -> f64 {
    let (_, rest) = element.split_once(&format!(" {name}=\"")).unwrap_or_else(|| panic!("no {name} in {element}"));
    rest.split('"').next().unwrap().parse().unwrap()
}

/// The groups of the servents, each of which has a title and a box.
fn servents(picture: &str) -> Vec<&str> {
    picture.lines().filter(|line| line.starts_with("<g><title>")).collect()
}

fn sides(group: &str) -> Sides {
    let element = group.split("<rect ").find(|element| element.starts_with("class=\"servent")).unwrap();
    let element = format!(" {}", element.split("/>").next().unwrap());
    let [x, y, width, height] = ["x", "y", "width", "height"].map(|name| attribute(&element, name));
    [x, y, x + width, y + height]
}

/// Asserts that no box lies over another, nor out of the picture, nor over what is below; and that no text is wider than its box.
fn assert_readable(picture: &str, overlay: &DrawnOverlay, what: &str) {
    let groups = servents(picture);
    assert_eq!(groups.len(), overlay.servents().len(), "{what}");
    let mut all: Vec<Sides> = groups.iter().map(|group| sides(group)).collect();
    let (width, rule) = (attribute(picture, "width"), picture.lines().find(|line| line.contains("\"rule\"")).unwrap());
    let rule: f64 = rule.split("d=\"M").nth(1).unwrap().split([' ', 'h']).nth(1).unwrap().parse().unwrap();
    for (group, [left, top, right, bottom]) in groups.iter().zip(&all) {
        assert!(*left >= 0.0 && *top >= 40.0 && *right <= width && *bottom < rule, "{what}: {group}");
        for text in group.split("<text ").skip(1).map(|text| text.split("</text>").next().unwrap()) {
            let words = text.split_once('>').unwrap().1.replace("<tspan class=\"quiet\">", "").replace("</tspan>", "");
            let letters = if words.is_ascii() && !words.contains('&') { words.len() } else { 0 };
            // The height of a letter is 12, and the widest common font has 0.62 of that.
            let wide = f64::from(u32::try_from(letters).unwrap()) * 12.0 * 0.62;
            assert!(wide + 2.0 <= right - left, "{what}: {words}");
        }
    }
    all.sort_by(|one, other| one[0].total_cmp(&other[0]));
    for (place, one) in all.iter().enumerate() {
        for other in all[place + 1..].iter().take_while(|other| other[0] < one[2]) {
            assert!(one[3] <= other[1] || other[3] <= one[1], "{what}: {one:?} and {other:?} lie over each other");
        }
    }
}

#[test]
fn no_label_lies_over_another_in_any_shape() {
    for shape in shapes() {
        for servents in [1, 2, 3, 4, 12, 30, 61, 200] {
            for degree in [2, 4, 7] {
                let overlay = shaped(&shape, servents, degree, 7);
                assert_readable(&svg(&overlay, ""), &overlay, &format!("{shape} of {servents}, degree {degree}"));
            }
        }
    }
}

#[test]
fn no_label_lies_over_another_in_a_hundred_random_overlays() {
    for seed in 0..100 {
        let overlay = shaped(&sim::shapes::Shape::Random, 30, 4, seed);
        assert_readable(&svg(&overlay, "random"), &overlay, &format!("seed {seed}"));
    }
}

#[test]
fn ten_thousand_servents_are_drawn() {
    for shape in shapes() {
        let overlay = shaped(&shape, 10_000, 4, 1);
        let begin = Instant::now();
        let (picture, cost) = counting_allocator::cost_of(|| svg(&overlay, "many"));
        println!("{shape}: {:?}, {} KB", begin.elapsed(), cost.most / 1_000);
        assert!(cost.most < 20_000_000, "{shape}: {cost:?}");
        assert_readable(&picture, &overlay, &shape.to_string());
        assert_eq!(picture.matches("<path class=\"link\"").count(), overlay.links().len() + 1, "{shape}");
    }
}

/// Between a few and very many others methods take turns.
#[test]
fn some_hundreds_of_servents_are_drawn() {
    for (servents, degree) in [(500, 4), (999, 3), (1_001, 4)] {
        for shape in shapes() {
            let overlay = shaped(&shape, servents, degree, 1);
            assert_readable(&svg(&overlay, ""), &overlay, &format!("{shape} of {servents}"));
        }
    }
}

#[test]
fn parts_that_no_link_joins_stand_beside_each_other() {
    let all: Vec<(SocketAddr, Option<String>)> = (0..400).map(|place| (address(place), None)).collect();
    let links: Vec<_> =
        (0..400).filter(|place| place % 7 > 1).map(|place| (address(place - 1), address(place))).collect();
    let overlay = DrawnOverlay::declared(address(3), &all, &links);
    assert_readable(&svg(&overlay, ""), &overlay, "parts");
}

#[test]
fn long_and_short_labels_stand_beside_each_other() {
    let six = |place: u16| SocketAddr::from(([0x2001, 0xdb8, 0xffff, 0xffff, 0xffff, 0xffff, 0xffff, place], 9001));
    for servents in [5_u16, 40, 200, 2_000] {
        let at = |place: u16| if place.is_multiple_of(2) { six(place) } else { address(usize::from(place)) };
        let name = |place: u16| place.is_multiple_of(5).then(|| "W".repeat(64));
        let all: Vec<_> = (0..servents).map(|place| (at(place), name(place))).collect();
        let links = (1..servents).flat_map(|place| [(place / 2, place), (place / 3, place)]);
        let links: Vec<_> = links.map(|(one, other)| (at(one), at(other))).collect();
        let overlay = DrawnOverlay::declared(at(0), &all, &links);
        assert_readable(&svg(&overlay, ""), &overlay, &format!("{servents} of all lengths"));
    }
}

#[test]
fn the_same_overlay_is_the_same_picture() {
    for shape in shapes() {
        let [one, other] = [0, 0].map(|seed| svg(&shaped(&shape, 40, 4, seed), "twice"));
        assert_eq!(one, other, "{shape}");
    }
}

/// As computed on other machines; whoever changes a layout changes this line.
#[test]
fn a_picture_is_the_same_on_every_machine() {
    let picture = svg(&shaped(&sim::shapes::Shape::Random, 30, 4, 1), "random");
    let sum = picture
        .bytes()
        .fold(0xcbf2_9ce4_8422_2325_u64, |sum, byte| (sum ^ u64::from(byte)).wrapping_mul(0x100_0000_01b3));
    assert_eq!(format!("{sum:016x}"), "ca02aece0886dce3");
}

#[test]
fn names_of_strangers_add_nothing_to_a_picture() {
    let names = nasty_names();
    let overlay = named(&names);
    let picture = svg(&overlay, "<b>\"&\0\u{202e}");
    assert_readable(&picture, &overlay, "nasty names");
    assert!(picture.contains(r"<title>&lt;b&gt;&quot;&amp;\x00\u{202e}</title>"), "{picture}");
    // Nothing but what is written here begins with an angle.
    let tags = picture.split('<').skip(1).map(|rest| rest.split(['>', ' ', '\n']).next().unwrap());
    let known = ["svg", "title", "desc", "style", "rect", "text", "g", "path", "tspan"];
    for tag in tags {
        let name = tag.trim_matches('/');
        assert!(known.contains(&name), "{tag}");
    }
    let forbidden = |c: char| c != '\n' && (common::text::misleads(c) || matches!(c, '\u{fffe}' | '\u{ffff}'));
    assert_eq!(picture.chars().find(|c| forbidden(*c)), None);
    // Ampersands begin entities, and no others than these.
    for rest in picture.split('&').skip(1) {
        assert!(["amp;", "lt;", "gt;", "quot;", "#39;"].iter().any(|entity| rest.starts_with(entity)), "{rest}");
    }
}

#[test]
fn the_legend_says_what_occurs_and_nothing_else() {
    let plain = svg(&shaped(&sim::shapes::Shape::Ring, 4, 2, 0), "ring");
    let everything = svg(&everything(), "everything");
    for (words, is_plain) in [
        (">where the query began<", true),
        (">answered<", true),
        (">did not answer<", false),
        (">has neighbors that did not answer<", false),
        (">and so many more that are not drawn<", false),
        (">link<", true),
        (">a link the query came by<", false),
        (">another link<", false),
        (">one end does not know of it<", false),
        (">servent: new<", false),
        (">link: new<", false),
        (">servent: gone<", false),
        (">link: gone<", false),
    ] {
        assert_eq!(plain.contains(words), is_plain, "{words}");
        assert_eq!(everything.contains(words), words != ">link<", "{words}");
    }
    assert!(plain.contains(">4 servents, 4 links, diameter 2, degree 2<"), "{plain}");
    assert!(everything.contains(" <tspan class=\"quiet\">+12</tspan>"), "{everything}");
    assert!(plain.ends_with("</svg>\n"));
}

#[test]
fn whoever_compares_has_words_of_their_own() {
    let words = SinceWords { new: "found, not declared", gone: "declared, not found" };
    let picture = svg_compared(&everything(), "compared", words);
    for said in ["found, not declared", "declared, not found"] {
        assert!(picture.contains(&format!(">servent: {said}<")), "{said}");
        assert!(picture.contains(&format!(">link: {said}<")), "{said}");
    }
    assert!(!picture.contains(": gone<") && !picture.contains(": new<"));
}

#[test]
fn how_far_a_servent_is_counts_no_link_that_is_gone() {
    let overlay = |servents: usize, links: &[(usize, usize)]| {
        let all: Vec<_> = (0..servents).map(|place| (address(place), None)).collect();
        let links: Vec<_> = links.iter().map(|(one, other)| (address(*one), address(*other))).collect();
        DrawnOverlay::declared(address(0), &all, &links)
    };
    let before = overlay(6, &[(0, 1), (1, 2), (0, 3), (3, 4), (4, 5)]);
    // The short way to the third is gone, and a long one has come; the sixth has left.
    let now = overlay(5, &[(0, 1), (0, 3), (1, 4), (2, 4)]).since(&before);
    let picture = svg_compared(&now, "", SinceWords { new: "come", gone: "left" });
    let tips = servents(&picture).into_iter().map(|group| group.split(['<', '>']).nth(4).unwrap().to_owned());
    let tips: Vec<String> = tips.collect();
    assert_eq!(
        tips,
        [
            "127.0.0.1:9001",
            "127.0.0.1:9002, 1 link away",
            "127.0.0.1:9003, 3 links away",
            "127.0.0.1:9004, 1 link away",
            "127.0.0.1:9005, 2 links away",
            "127.0.0.1:9006, left",
        ]
    );
    let apart = svg_compared(&overlay(2, &[]).since(&overlay(2, &[(0, 1)])), "", SinceWords::default());
    assert!(apart.contains("<title>127.0.0.1:9002</title>") && !apart.contains("away"), "{apart}");
}
