//! The drawing for a terminal and the tree: as they were looked at, and read back line by line.
//!
//! What is in `drawings` was looked at by people and found readable; `DRAWINGS=record` writes it anew.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod overlays;
mod tracer;

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

use drawing::{DrawnOverlay, Since, TerminalStyle, drawn, tree};
use sim::random::Random;
use sim::shapes::Shape;
use unicode_width::UnicodeWidthStr;

use self::overlays::{Told, declared, links};
use self::tracer::traced;

fn style(columns: usize, unicode: bool) -> TerminalStyle {
    TerminalStyle { columns, unicode, colour: false }
}

/// A drawing without what its marks mean.
fn without_legend(drawing: &str) -> String {
    let begins = [
        "── ",
        "-- ",
        "┄┄ ",
        ".. ",
        "└┬┴┬┘ ",
        "+-+-+ ",
        "( ) ",
        "~ ",
        "~+12 ",
        "? ",
        "+ new",
        "- gone",
        "* new",
        "x link",
    ];
    match drawing.rsplit_once("\n\n") {
        Some((picture, legend)) if begins.iter().any(|begin| legend.starts_with(begin)) => format!("{picture}\n"),
        _ => drawing.to_owned(),
    }
}

/// All that is to be looked at, with the name of its file.
fn looked_at() -> Vec<(&'static str, DrawnOverlay)> {
    let diamond = Told::of(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]);
    let mut strangers = Told::of(8, &[(0, 1), (0, 2), (0, 5), (1, 2), (1, 3), (3, 4), (5, 6), (5, 7)]);
    strangers.conceals.insert((2, 1));
    strangers.tells_nothing.insert(4);
    strangers.ttl = Some(2);
    let mut silent = diamond.clone();
    silent.tells_nothing.extend(0..4);
    let mut horizon = Told::of(16, &(1..16).map(|leaf| (1, leaf)).chain([(0, 1)]).collect::<Vec<_>>());
    horizon.ttl = Some(1);
    let before = Told::of(6, &[(0, 1), (0, 2), (1, 2), (1, 3), (2, 4), (3, 5)]);
    let after = Told::of(7, &[(0, 1), (0, 2), (1, 3), (2, 3), (2, 6), (3, 5)]);
    let wide = [(0, "kitchen"), (1, "台所"), (2, "👩\u{200d}🚀 rocket"), (3, "\x1b[2J\u{202e}evil\n")];
    let long = [(1, "a name that has as many bytes as any may have, which is 64 of it"), (2, "short")];
    vec![
        ("diamond", diamond.overlay()),
        ("chain", Told::shape(&Shape::Chain, 4, 0, 1).overlay()),
        ("ring", Told::shape(&Shape::Ring, 8, 0, 1).overlay()),
        ("star", Told::shape(&Shape::Star, 5, 0, 1).overlay()),
        ("tree", Told::of(15, &(1..15).map(|servent| ((servent - 1) / 2, servent)).collect::<Vec<_>>()).overlay()),
        ("grid", Told::shape(&Shape::Grid, 16, 0, 1).overlay()),
        ("twelve", {
            let links: Vec<_> = links(&Shape::Random, 12, 3, 3).into_iter().take(17).collect();
            Told::of(12, &links).overlay()
        }),
        ("thirty", Told::shape(&Shape::SmallWorld, 30, 4, 1).overlay()),
        (
            "all_with_all",
            Told::of(5, &(0..5).flat_map(|one| (0..one).map(move |it| (it, one))).collect::<Vec<_>>()).overlay(),
        ),
        (
            "each_with_each",
            declared(
                7,
                &[(0, 1), (0, 2), (0, 3)]
                    .into_iter()
                    .chain((1..4).flat_map(|one| (4..7).map(move |it| (one, it))))
                    .collect::<Vec<_>>(),
            ),
        ),
        ("strangers", strangers.overlay()),
        ("horizon", horizon.overlay()),
        ("tp3", silent.overlay()),
        ("changed", after.overlay().since(&before.overlay())),
        ("parts", declared(7, &[(0, 1), (3, 4), (4, 5), (3, 5)])),
        ("names", diamond.clone().named(&wide).overlay()),
        ("long_name", diamond.named(&long).overlay()),
    ]
}

#[test]
fn drawings_are_as_they_were_looked_at() {
    let home = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/terminal/drawings");
    let mut wrong = Vec::new();
    for (name, overlay) in looked_at() {
        let drawings = [
            drawn(&overlay, &style(80, true)),
            drawn(&overlay, &style(80, false)),
            tree(&overlay, &style(80, true)),
            tree(&overlay, &style(30, false)),
        ];
        let text = drawings.join("\n\n");
        let file = home.join(format!("{name}.txt"));
        if std::env::var("DRAWINGS").is_ok_and(|word| word == "record") {
            fs::write(&file, &text).unwrap();
        }
        if fs::read_to_string(&file).unwrap_or_default() != text {
            wrong.push(format!("{name} is drawn otherwise:\n{text}"));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn a_diamond_takes_five_rows() {
    let overlay = Told::of(4, &[(0, 1), (0, 2), (1, 3), (2, 3)]).overlay();
    let text = drawn(&overlay, &style(80, true));
    assert_eq!(text.lines().position(str::is_empty), Some(5), "{text}");
    assert!(text.ends_with("\n"), "{text}");
}

/// Overlays of every kind, some with marks of every kind.
fn many() -> Vec<(String, DrawnOverlay)> {
    let mut all = Vec::new();
    for (name, shape) in Shape::NAMED {
        for servents in [1, 2, 4, 9, 16, 30] {
            for seed in 0..2 {
                for degree in [3, 4] {
                    all.push((
                        format!("{name}:{servents}:{degree}:{seed}"),
                        servents,
                        links(&shape, servents, degree, seed),
                    ));
                }
            }
        }
    }
    // Nobody would build such.
    let mut random = Random::new(19);
    for number in 0..60 {
        let servents = 2 + random.index(15);
        let count = random.index(3 * servents);
        let links = (0..count).map(|_| (random.index(servents), random.index(servents))).collect();
        all.push((format!("odd:{number}"), servents, links));
    }
    let mut overlays = Vec::new();
    for (name, servents, links) in all {
        let mut told = Told::of(servents, &links);
        overlays.push((name.clone(), told.overlay()));
        overlays.push((format!("{name} declared"), declared(servents, &links)));
        let others: Vec<_> = links.iter().copied().filter(|_| random.chance(80)).collect();
        let before = Told::of(servents, &others).overlay();
        told.conceals.extend(links.iter().copied().filter(|_| random.chance(10)));
        told.conceals.extend(links.iter().map(|(one, other)| (*other, *one)).filter(|_| random.chance(10)));
        told.tells_nothing.extend((0..servents).filter(|_| random.chance(10)));
        told.ttl = random.chance(30).then_some(2);
        overlays.push((format!("{name} marked"), told.overlay().since(&before)));
        told.names.extend((0..servents).filter(|_| random.chance(70)).map(|it| (it, format!("n{}", 9001 + it))));
        overlays.push((format!("{name} named"), told.overlay()));
    }
    overlays
}

#[test]
fn every_link_can_be_traced_from_one_end_to_the_other() {
    let mut traced_count = 0;
    for (name, overlay) in many() {
        for (columns, is_unicode) in [(0, true), (80, true), (80, false)] {
            let text = drawn(&overlay, &style(columns, is_unicode));
            // A tree is not made of lines that cross.
            if text == tree(&overlay, &style(columns, is_unicode)) && overlay.servents().len() > 1 {
                continue;
            }
            assert!(is_unicode || text.is_ascii(), "{name}\n{text}");
            traced_count += 1;
            let port = |servent: usize| overlay.servents()[servent].address.port();
            let expected: BTreeMap<(u16, u16), bool> =
                overlay.links().iter().map(|link| ((port(link.one), port(link.other)), !link.witness.flood)).collect();
            let (servents, found) = traced(&without_legend(&text), is_unicode);
            let all: BTreeSet<u16> = (0..overlay.servents().len()).map(port).collect();
            assert_eq!(servents, all, "{name}\n{text}");
            let ends = |links: &BTreeMap<(u16, u16), bool>| links.keys().copied().collect::<Vec<_>>();
            assert_eq!(found.keys().copied().collect::<Vec<_>>(), ends(&expected), "{name}\n{text}");
            for (ends, is_dashed) in found {
                assert!(is_dashed.is_none_or(|is_dashed| is_dashed == expected[&ends]), "{name} {ends:?}\n{text}");
            }
        }
    }
    assert!(traced_count > 1_500, "{traced_count}");
}

#[test]
fn nothing_is_wider_than_the_terminal() {
    let names = [
        "台所台所台所台所台所台所台所台所台所台所台",
        "👩\u{200d}🚀👩\u{200d}🚀❤\u{fe0f}",
        "\x1b[2J",
        "x",
        "a name that has as many bytes as any may have, which is 64 of it",
    ];
    for (name, shape) in Shape::NAMED {
        for servents in [1, 4, 12, 30, 100] {
            let mut told = Told::shape(&shape, servents, 4, 1);
            told.names.extend((0..servents).map(|servent| (servent, names[servent % names.len()].to_owned())));
            let overlay = told.overlay();
            for columns in [1, 2, 3, 10, 30, 79, 80, 200, usize::from(u16::MAX)] {
                for is_unicode in [true, false] {
                    for text in
                        [drawn(&overlay, &style(columns, is_unicode)), tree(&overlay, &style(columns, is_unicode))]
                    {
                        let widest = text.lines().map(UnicodeWidthStr::width).max().unwrap();
                        assert!(widest <= columns, "{name}:{servents} at {columns}: {widest}\n{text}");
                        assert!(widest <= 1_000, "{name}:{servents} at {columns}: {widest}");
                    }
                }
            }
            // Where nobody knows, everything is told.
            let text = tree(&overlay, &style(0, true));
            assert!(servents < 5 || text.contains("which is 64 of it"), "{text}");
            assert!(!text.contains('…'), "{text}");
        }
    }
}

/// Whatever names are, they neither move the cursor nor begin a line.
#[test]
fn nothing_of_strangers_reaches_the_screen_as_it_is() {
    let told = Told::shape(&Shape::Ring, 9, 2, 1);
    let rows = |overlay: &DrawnOverlay| drawn(overlay, &style(0, true)).lines().count();
    let plain = rows(&told.clone().named(&[(0, "x"), (3, "y")]).overlay());
    for name in [
        "\x1b[2J\x1b[H",
        "\n\n\n",
        "\r\u{85}\u{2028}",
        "\u{202e}\u{2066}",
        "\0\0\0",
        "\u{200b}\u{feff}\u{e0041}",
        "\t\x08\x7f",
    ] {
        let overlay = told.clone().named(&[(0, name), (3, name)]).overlay();
        for unicode in [true, false] {
            for colour in [true, false] {
                let style = TerminalStyle { columns: 0, unicode, colour };
                for text in [drawn(&overlay, &style), tree(&overlay, &style)] {
                    let without_colour = ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"]
                        .iter()
                        .fold(text.clone(), |text, code| if colour { text.replace(code, "") } else { text });
                    let odd = without_colour.chars().find(|c| *c != '\n' && common::text::misleads(*c));
                    assert_eq!(odd, None, "{name:?}: {text:?}");
                }
            }
        }
        assert_eq!(rows(&overlay), plain, "{name:?}");
    }
}

/// Whoever follows lines goes on where a name would have drawn one.
#[test]
fn no_name_can_be_taken_for_a_link() {
    let told = Told::of(3, &[(0, 1), (0, 2)]);
    for (name, shown) in [("a ├── :9003", r"a \u{251c}\u{2500}\u{2500} :9003"), ("┄ ╿", r"\u{2504} \u{257f}")]
    {
        let overlay = told.clone().named(&[(1, name)]).overlay();
        let plain = told.clone().named(&[(1, "plain")]).overlay();
        for unicode in [true, false] {
            for draw in [drawn, tree] {
                let text = draw(&overlay, &style(0, unicode));
                assert!(text.contains(shown), "{name}\n{text}");
                let lines_of = |text: &str| text.chars().filter(|it| "├┄╿┬┴│".contains(*it)).collect::<String>();
                assert_eq!(lines_of(&text), lines_of(&draw(&plain, &style(0, unicode))), "{name}\n{text}");
            }
        }
    }
}

#[test]
fn colours_change_nothing_but_colours() {
    let mut count = 0;
    for (name, overlay) in looked_at() {
        for draw in [drawn, tree] {
            let plain = draw(&overlay, &style(80, true));
            let coloured = draw(&overlay, &TerminalStyle { colour: true, ..style(80, true) });
            let mut text = coloured.clone();
            for code in ["\x1b[0m", "\x1b[1m", "\x1b[2m", "\x1b[31m", "\x1b[32m", "\x1b[33m"] {
                count += text.matches(code).count();
                text = text.replace(code, "");
            }
            assert_eq!(text, plain, "{name}");
            // Nothing stays coloured behind a line.
            assert!(coloured.lines().all(|line| line.rfind("\x1b[0m") >= line.rfind("\x1b[3")), "{coloured:?}");
        }
    }
    assert!(count > 100, "{count}");
}

#[test]
fn the_same_overlay_is_the_same_drawing() {
    for (name, overlay) in many().into_iter().step_by(7) {
        let again = overlay.clone();
        assert_eq!(drawn(&overlay, &style(100, true)), drawn(&again, &style(100, true)), "{name}");
    }
}

/// Each servent has a line, and of each link there is one trace.
#[test]
fn a_tree_tells_of_every_servent_and_every_link_once() {
    for (name, overlay) in many() {
        let text = tree(&overlay, &style(0, true));
        let also: usize = text
            .lines()
            .filter_map(|line| line.split_once("also "))
            .map(|(_, also)| also.split(" ┄").next().unwrap())
            .map(|also| also.matches(":9").count())
            .sum();
        let lines =
            |text: &str| text.lines().filter(|line| line.contains(":9") && !line.contains("from above")).count();
        assert_eq!(lines(&text), overlay.servents().len(), "{name}\n{text}");
        let below = text
            .lines()
            .filter(|line| line.contains("├") || line.contains("└─") || line.contains("└┄"))
            .filter(|line| line.contains(":9"))
            .count();
        let mut more: usize = 0;
        for (_, count) in text.lines().filter_map(|line| line.split_once(" and ")) {
            more += count.split(' ').next().unwrap().parse::<usize>().unwrap();
        }
        let both: usize = text
            .lines()
            .filter_map(|line| line.split_once("─ also "))
            .filter_map(|(_, also)| also.split_once("┄ also "))
            .map(|(_, also)| also.matches(":9").count())
            .sum();
        assert_eq!(below + also + both + more, overlay.links().len(), "{name}\n{text}");
    }
}

#[test]
fn ten_thousand_servents_are_drawn_in_little_memory() {
    let shapes = [
        (Shape::Random, 4),
        (Shape::Ring, 2),
        (Shape::Star, 2),
        (Shape::ScaleFree, 4),
        (Shape::Chain, 2),
        (Shape::Tree, 3),
    ];
    for (shape, degree) in shapes {
        // Paths of ten thousand would take long to make, and no query goes so far.
        let overlay = match shape {
            Shape::Chain | Shape::Ring => declared(10_000, &links(&shape, 10_000, degree, 1)),
            _ => Told::shape(&shape, 10_000, degree, 1).overlay(),
        };
        for columns in [0, 1, 30, 80, usize::from(u16::MAX)] {
            let (text, cost) = counting_allocator::cost_of(|| drawn(&overlay, &style(columns, true)));
            assert!(text.lines().count() >= 10_000, "{shape} at {columns}");
            // 200 MB are asked for; a line of ten thousand indents in each row would be 400.
            assert!(cost.most < 16 << 20, "{shape} at {columns}: {cost:?}");
            assert!(text.len() < 8 << 20, "{shape} at {columns}: {}", text.len());
            if columns > 30 {
                let ports: BTreeSet<&str> =
                    text.split(':').map(|rest| rest.split([' ', '\n']).next().unwrap()).collect();
                let missing = overlay.servents().iter().find(|it| !ports.contains(&*it.address.port().to_string()));
                assert_eq!(missing, None, "{shape} at {columns}");
            }
        }
    }
}

/// What is as large as a drawing in layers may be, and as odd, is drawn in little memory too.
#[test]
fn the_largest_drawing_in_layers_is_bounded() {
    // So many are looked at in layers, and no more.
    let count = 64;
    let star: Vec<_> = (1..count).map(|leaf| (0, leaf)).collect();
    let two: Vec<_> = (2..count).flat_map(|leaf| [(0, leaf), (1, leaf)]).collect();
    let random = links(&Shape::Random, count, 4, 3);
    for links in [star, two, random] {
        let overlay = Told::of(count, &links).overlay();
        for columns in [0, 80, usize::from(u16::MAX)] {
            let (text, cost) = counting_allocator::cost_of(|| drawn(&overlay, &style(columns, true)));
            assert!(cost.most < 16 << 20, "{cost:?}\n{text}");
        }
    }
}

#[test]
fn what_a_drawing_means_is_told_of_exactly_what_is_in_it() {
    let plain = declared(4, &[(0, 1), (0, 2), (1, 3)]);
    assert!(!drawn(&plain, &style(80, true)).contains("\n\n"));
    for (name, overlay) in many() {
        for text in [drawn(&overlay, &style(0, true)), tree(&overlay, &style(0, true))] {
            let picture = without_legend(&text);
            let servents = overlay.servents();
            for (words, is_there) in [
                ("another link", picture.contains(['┄', '┆', '╭', '╰'])),
                (
                    "a link the query came by",
                    picture.contains(['┄', '┆', '╭', '╰']) && overlay.links().iter().any(|link| link.witness.flood),
                ),
                ("has not answered", servents.iter().any(|it| !it.has_answered)),
                ("has neighbors that", picture.contains('~')),
                ("so many more", servents.iter().any(|it| it.left_out > 0)),
                ("does not name this link", overlay.links().iter().any(|link| link.is_doubtful)),
                ("- gone", servents.iter().any(|it| it.since == Since::Gone)),
                ("link that is gone", overlay.links().iter().any(|link| link.since == Since::Gone)),
            ] {
                assert_eq!(text.contains(words), is_there, "{name}: {words}\n{text}");
            }
        }
    }
}
