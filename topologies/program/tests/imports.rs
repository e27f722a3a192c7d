//! Which file of the core names which, and which of the simulated world: what ARCHITECTURE.md says of both, held
//! against the files themselves.
//!
//! A compiler lets any file name any other. Here none of the core names one above it, none is in a circle, and a room
//! is named by the corridor alone. The corridor is one thing in several files: a chapter is a part of `overlay.rs`,
//! which calls it and is called by it. Of the world none names one that comes after it.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;

/// What is on each level, from below. What a file has below it in the tree is on its level, unless it is named itself;
/// but nothing is in the overlay that is not named.
const LEVELS: [(&str, &str); 7] = [
    (
        "words",
        "address clock content counted dialect event features key limits member member_file message on_demand query random rate recent_rate servent_id servent_name text time write written",
    ),
    ("bytes", "wire"),
    ("links and data", "content/catalogue disk link newcomers store"),
    (
        "words of the overlay",
        "overlay/config overlay/copy_name overlay/doors overlay/errand overlay/events overlay/log_names overlay/offered overlay/recipients overlay/shares overlay/speaker",
    ),
    (
        ROOMS,
        "overlay/calls overlay/content overlay/delivery overlay/finds overlay/flood overlay/greeting overlay/keeping overlay/links overlay/members overlay/probes overlay/reload overlay/search overlay/uploads overlay/visits overlay/watches overlay/writes",
    ),
    (
        "minds",
        "overlay overlay/asking overlay/bringing overlay/fetching overlay/holdings overlay/membership overlay/query_log overlay/rooms overlay/writing session fetch",
    ),
    ("between minds and shells", "exchange"),
];
const ROOMS: &str = "rooms";

/// What may name rooms: a file and its chapters.
const CORRIDOR: [&str; 9] = [
    "overlay",
    "overlay/asking",
    "overlay/bringing",
    "overlay/fetching",
    "overlay/holdings",
    "overlay/membership",
    "overlay/query_log",
    "overlay/rooms",
    "overlay/writing",
];

const CORE: &str = "../../common/src";

/// The files below a directory and what each of them names, all as paths from there without their ends.
fn files_and_what_they_name(home: &str) -> BTreeMap<String, BTreeSet<String>> {
    fn walk(directory: &Path, below: &str, texts: &mut BTreeMap<String, String>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = format!("{below}{}", path.file_stem().unwrap().to_string_lossy());
            if path.is_dir() {
                walk(&path, &format!("{name}/"), texts);
            } else {
                texts.insert(name, fs::read_to_string(&path).unwrap());
            }
        }
    }
    let mut texts = BTreeMap::new();
    walk(&Path::new(env!("CARGO_MANIFEST_DIR")).join(home), "", &mut texts);
    texts.remove("lib");
    let all: BTreeSet<String> = texts.keys().cloned().collect();
    texts.iter().map(|(file, text)| (file.clone(), named(file, text, &all))).collect()
}

/// What a file names of all there are: in its `use`s, or as a path in its code. Its tests may name what they like.
fn named(file: &str, text: &str, all: &BTreeSet<String>) -> BTreeSet<String> {
    let shipped = ["mod tests", "pub(crate) mod tests"]
        .into_iter()
        .fold(text, |text, tests| text.split(&format!("#[cfg(test)]\n{tests}")).next().unwrap());
    // A path that says who may see something names nothing.
    let shipped = shipped.replace("pub(in crate::", "pub(in ");
    let mut lines = shipped.lines().map(str::trim_start).filter(|line| !line.starts_with("//"));
    let mut paths = Vec::new();
    // What is called so here, and where that is.
    let mut imported: BTreeMap<String, String> = BTreeMap::new();
    while let Some(line) = lines.next() {
        let is_use = line.starts_with("use ") || line.starts_with("pub") && line.contains(" use ");
        if is_use {
            let mut tree = line.split_once("use ").unwrap().1.to_owned();
            while !tree.contains(';') {
                tree.push_str(lines.next().unwrap());
            }
            for leaf in leaves(tree.split(';').next().unwrap()) {
                let (path, called) = leaf.split_once(" as ").unwrap_or((&leaf, ""));
                let path = path.strip_suffix("::self").unwrap_or(path);
                let own_name = path.rsplit("::").next().unwrap();
                imported.insert(if called.is_empty() { own_name } else { called }.to_owned(), path.to_owned());
                paths.push(path.to_owned());
            }
        } else {
            let is_part = |c: char| c.is_alphanumeric() || matches!(c, '_' | ':');
            paths.extend(line.split(|c| !is_part(c)).filter(|word| word.contains("::")).map(str::to_owned));
        }
    }
    let from_import = |path: &String| {
        let (first, rest) = path.split_once("::").unwrap_or((path, ""));
        let import = imported.get(first).filter(|import| *import != path && !rest.is_empty());
        import.map_or(path.clone(), |import| format!("{import}::{rest}"))
    };
    let found = paths.iter().filter_map(|path| file_of(&absolute(file, &from_import(path)), all));
    found.filter(|other| other != file).collect()
}

/// The same with the corridor as the one thing that it is.
fn parts_and_what_they_name() -> BTreeMap<String, BTreeSet<String>> {
    let part = |file: String| if CORRIDOR.contains(&&*file) { CORRIDOR[0].to_owned() } else { file };
    let mut parts: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for (file, others) in files_and_what_they_name(CORE) {
        let file = part(file);
        let others = others.into_iter().map(part).filter(|other| *other != file);
        parts.entry(file.clone()).or_default().extend(others);
    }
    parts
}

/// The paths of a `use`, one for each name in its braces.
fn leaves(tree: &str) -> Vec<String> {
    let Some((head, rest)) = tree.split_once('{') else { return vec![tree.trim().to_owned()] };
    let mut depth = 0;
    let mut branches = vec![String::new()];
    for c in rest.trim_end().strip_suffix('}').unwrap().chars() {
        depth += i32::from(c == '{') - i32::from(c == '}');
        match c {
            ',' if depth == 0 => branches.push(String::new()),
            c => branches.last_mut().unwrap().push(c),
        }
    }
    let leaves = branches.iter().filter(|branch| !branch.trim().is_empty()).flat_map(|branch| leaves(branch));
    leaves.map(|leaf| format!("{}{leaf}", head.trim())).collect()
}

/// A path as it starts from the crate, and as it starts from the file itself where that is what it may mean.
fn absolute(file: &str, path: &str) -> Vec<String> {
    let mut words: Vec<&str> = path.split("::").collect();
    let mut from: Vec<&str> = file.split('/').collect();
    match words.first() {
        Some(&"crate") => {
            words.remove(0);
            from.clear();
        }
        Some(&"self") => {
            words.remove(0);
        }
        _ => {}
    }
    while words.first() == Some(&"super") {
        words.remove(0);
        from.pop();
    }
    from.into_iter().chain(words).map(str::to_owned).collect()
}

/// The file that a path leads to or into.
fn file_of(path: &[String], all: &BTreeSet<String>) -> Option<String> {
    (1..=path.len()).rev().map(|length| path[..length].join("/")).find(|file| all.contains(file))
}

/// The place among the levels, from below.
fn level_of(file: &str) -> usize {
    let has = |name: &str| if name == "overlay" { file == name } else { is_below(file, name) };
    let longest = |names: &str| names.split(' ').filter(|name| has(name)).map(str::len).max();
    let placed = LEVELS.iter().enumerate().filter_map(|(level, (_, names))| Some((longest(names)?, level)));
    placed.max().unwrap_or_else(|| panic!("{file} is on no level: it belongs into the list at the top")).1
}

fn is_below(file: &str, name: &str) -> bool {
    file == name || file.starts_with(&format!("{name}/"))
}

fn rooms() -> impl Iterator<Item = &'static str> {
    LEVELS.iter().filter(|(name, _)| *name == ROOMS).flat_map(|(_, rooms)| rooms.split(' '))
}

/// The room a file belongs to.
fn room_of(file: &str) -> Option<&'static str> {
    rooms().find(|room| is_below(file, room))
}

#[test]
fn no_file_of_the_core_names_one_above_it() {
    let files = files_and_what_they_name(CORE);
    for (file, others) in &files {
        // Also one that names nobody has its place.
        let from = level_of(file);
        for other in others {
            let to = level_of(other);
            assert!(from >= to, "{file} ({}) names {other} ({})", LEVELS[from].0, LEVELS[to].0);
        }
    }
    for name in LEVELS.iter().flat_map(|(_, names)| names.split(' ')) {
        assert!(files.contains_key(name), "{name} is on a level, and nowhere else");
    }
    let arrows: usize = files.values().map(BTreeSet::len).sum();
    assert!(arrows > 150, "{arrows}");
}

#[test]
fn no_files_of_the_core_name_each_other_in_a_circle() {
    let mut left = parts_and_what_they_name();
    loop {
        let count = left.len();
        // Whoever names nobody that is left, or is named by nobody that is, is in no circle.
        let all: BTreeSet<String> = left.keys().cloned().collect();
        let named: BTreeSet<String> = left.values().flatten().cloned().collect();
        left.retain(|file, others| named.contains(file) && others.iter().any(|other| all.contains(other)));
        if left.len() == count {
            break;
        }
    }
    let circle: Vec<&String> = left.keys().collect();
    assert!(circle.is_empty(), "in a circle: {circle:?}");
}

#[test]
fn a_room_is_named_by_the_corridor_alone() {
    let mut named_rooms = BTreeSet::new();
    for (file, others) in files_and_what_they_name(CORE) {
        for room in others.iter().filter_map(|other| room_of(other)) {
            named_rooms.insert(room);
            let is_own = room_of(&file) == Some(room);
            assert!(is_own || CORRIDOR.contains(&file.as_str()), "{file} names the room {room}");
        }
    }
    assert_eq!(named_rooms.len(), rooms().count(), "a room that nobody names");
}

/// Whoever takes the list of rooms apart names each of them: so the compiler knows of one that is forgotten.
#[test]
fn the_list_of_rooms_is_taken_apart_whole() {
    let read = |file: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let mut taken_apart = 0;
    for file in CORRIDOR.map(|file| format!("../../common/src/{file}.rs")) {
        for list in ["let Rooms {", "let RareRooms {", "let Some(RareRooms {"] {
            let text = read(&file);
            for pattern in text.split(list).skip(1).filter_map(|rest| rest.split('}').next()) {
                assert!(!pattern.contains(".."), "{file}: {list}{pattern}}}");
                taken_apart += 1;
            }
        }
    }
    assert!(taken_apart >= 13, "{taken_apart}");
}

/// What holds above holds only if nothing is overlooked.
#[test]
fn whatever_way_a_file_names_another_is_seen() {
    let all: BTreeSet<String> = ["a", "a/b", "a/b/c", "a/d", "e"].map(str::to_owned).into();
    for (file, text, found) in [
        ("a/b", "use crate::e::Thing;", "e"),
        ("a/b", "use super::d;", "a/d"),
        ("a/b", "use super::{Thing, d::{Other, More}};", "a a/d"),
        ("a/b", "use super::Thing;", "a"),
        ("a/b/c", "use super::super::d::Thing;", "a/d"),
        ("a/b", "pub(super) use c::Thing;", "a/b/c"),
        ("a/b", "pub use self::c::Thing;", "a/b/c"),
        ("a/b", "fn f() -> crate::e::Thing { super::d::thing() }", "a/d e"),
        ("a/b", "fn f() { c::thing(); }", "a/b/c"),
        ("a/b", "use crate::e as x;\nfn f() { x::thing(); }", "e"),
        ("a/b", "use crate::{a as x, e};\nfn f() { x::d::thing(); }", "a a/d e"),
        ("e", "use crate::a;\nfn f() { a::d::thing(); }", "a a/d"),
        ("e", "use crate::a::{self, Thing};\nfn f() -> a::b::c::Thing {}", "a a/b/c"),
        ("a/b/c", "use super::super::d as b;\nfn f() { b::thing(); }", "a/d"),
        ("a/b", "mod c;\n// use crate::e;\nfn f() { other::thing(); }", ""),
        ("a/b", "pub(in crate::a) struct Thing;", ""),
        ("a/b", "use std::fmt;\n#[cfg(test)]\nmod tests { use crate::e; }", ""),
    ] {
        let named: Vec<String> = named(file, text, &all).into_iter().collect();
        assert_eq!(named.join(" "), found, "{file}: {text}");
    }
}

/// The files of the simulator, each after all that it names, and those of its world. What a file has below it in the tree is
/// a part of it.
const SIMULATOR: &str = "random torn_disk records graph bare shapes plan faults contents writes scene outcome dialects cast verdict crowd world";
const WORLD: &str = "clock holds trace ways dials pipes ends events machines network face shell \
                     disks keeping told_stores story_world downloads writing_clients witness troubles false_holders \
                     scenery liar back_liar poisoner hostile greetings fetchers writers faults watch world";

#[test]
fn no_file_of_the_simulator_names_one_that_comes_after_it() {
    let first = |path: &str| path.split('/').next().map(str::to_owned);
    assert_order(SIMULATOR, first, 40);
}

#[test]
fn no_file_of_the_simulated_world_names_one_that_comes_after_it() {
    let of_world = |path: &str| {
        let mut parts = path.split('/');
        let is_world = parts.next() == Some("world");
        is_world.then(|| parts.next().unwrap_or("world").to_owned())
    };
    assert_order(WORLD, of_world, 80);
}

/// Of the files that are a part of anything in this order none names what comes later; there are so many that name
/// another at least.
#[track_caller]
fn assert_order(order: &str, part_of: impl Fn(&str) -> Option<String>, arrows_min: usize) {
    let place_of =
        |part: &str| order.split(' ').position(|known| known == part).unwrap_or_else(|| panic!("where is {part}?"));
    let mut found = BTreeSet::new();
    let mut arrows = 0;
    for (file, others) in files_and_what_they_name("../sim/src") {
        let Some(part) = part_of(&file) else { continue };
        for other in others.iter().filter_map(|other| part_of(other)) {
            assert!(place_of(&other) <= place_of(&part), "{file} names {other}");
            arrows += 1;
        }
        found.insert(part);
    }
    assert_eq!(found, order.split(' ').map(str::to_owned).collect(), "each has its place in the order");
    assert!(arrows > arrows_min, "{arrows}");
}

#[test]
fn every_file_of_the_simulated_world_is_told_of_at_its_head_and_in_the_architecture() {
    let read = |file: &str| fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(file)).unwrap();
    let world = read("../sim/src/world.rs");
    let head = world.split("\nmod ").next().unwrap();
    let architecture = read("../../ARCHITECTURE.md");
    let paragraph = architecture.split("- **`sim/world`**").nth(1).unwrap().split("\n- **").next().unwrap();
    for file in WORLD.split(' ').filter(|file| *file != "world") {
        for (page, text) in [("the head of world.rs", head), ("ARCHITECTURE.md", paragraph)] {
            assert!(text.contains(&format!("`{file}`")), "{page} does not tell of {file}");
        }
    }
}
