//! What ARCHITECTURE.md and the other documents say of the code, held against the files themselves.
//!
//! Only what a compiler or a lint cannot hold is here: which file names which, where `unsafe` is, whether links lead
//! somewhere.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use common::counted::grouped;
use common::dialect::{Dialect, Manners};
use common::limits::{
    COMMAND_BYTES_MAX, DESCRIPTION_BYTES_MAX, KEY_BYTES_MAX, VALUE_BYTES_MAX, WATCHES_PER_CLIENT_MAX,
    WRITTEN_BYTES_MAX, WRITTEN_KEYS_MAX,
};
use topology::bench::BENCHMARKS;

/// Where the code is that ships.
const SHIPPED: [&str; 9] = [
    "common/src",
    "servent/src",
    "servent/database/src",
    "client/src",
    "client/drawing/src",
    "topologies/src",
    "topologies/oracle/src",
    "topologies/sim/src",
    "topologies/program/src",
];

/// This file, which names what it looks for.
const THIS: &str = "topologies/program/tests/documents.rs";

/// The directory that holds everything.
fn home() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).unwrap().to_owned()
}

/// Every file of the project below a directory, as paths from the project's own, without what is built or downloaded.
fn files(below: &str) -> Vec<String> {
    fn walk(directory: &Path, found: &mut Vec<PathBuf>) {
        for entry in fs::read_dir(directory).unwrap() {
            let path = entry.unwrap().path();
            let name = path.file_name().unwrap().to_string_lossy().into_owned();
            if path.is_dir() && name != "target" && name != ".git" {
                walk(&path, found);
            } else if path.is_file() {
                found.push(path);
            }
        }
    }
    let mut found = Vec::new();
    walk(&home().join(below), &mut found);
    let mut names: Vec<String> =
        found.iter().map(|path| path.strip_prefix(home()).unwrap().to_string_lossy().into_owned()).collect();
    names.sort_unstable();
    names
}

fn read(file: &str) -> String {
    fs::read_to_string(home().join(file)).unwrap_or_else(|error| panic!("{file}: {error}"))
}

/// What ships of a file: its text without its tests.
fn shipped(file: &str) -> String {
    read(file).split("#[cfg(test)]\nmod tests").next().unwrap().to_owned()
}

/// Whether something may be a part of a name.
fn is_part(c: char) -> bool {
    c.is_alphanumeric() || c == '_'
}

/// What is used of a module wherever it is named: the names behind it, or all in the braces behind it.
fn names_behind<'a>(module: &str, text: &'a str) -> impl Iterator<Item = &'a str> {
    text.split(module).skip(1).flat_map(|rest| {
        let names = match rest.strip_prefix('{') {
            Some(inside) => inside.split('}').next().unwrap(),
            None => rest.split(|c| !is_part(c)).next().unwrap(),
        };
        names.split(',').map(|name| name.trim().split(|c| !is_part(c)).next().unwrap())
    })
}

fn rust_files(below: &str) -> Vec<String> {
    files(below).into_iter().filter(|file| file.ends_with(".rs")).collect()
}

fn documents() -> Vec<String> {
    files("").into_iter().filter(|file| file.ends_with(".md")).collect()
}

#[test]
fn unsafe_is_where_it_is_said_to_be() {
    let allowed: BTreeSet<String> =
        rust_files("").into_iter().filter(|file| read(file).contains("allow(unsafe_code)")).collect();
    let said = ["fuzz/counting-allocator/src/lib.rs", "servent/src/poller.rs"].map(str::to_owned);
    assert_eq!(allowed.into_iter().filter(|file| file != THIS).collect::<Vec<_>>(), said);
    let page = read("ARCHITECTURE.md");
    said.iter().for_each(|file| assert!(page.contains(file.as_str()), "ARCHITECTURE.md does not name {file}"));
}

#[test]
fn nothing_in_the_core_is_random_but_the_keys_of_one_table() {
    let random = ["RandomState", "getrandom", "thread_rng", "rand"];
    let is_named = |text: &str| text.split(|c| !is_part(c)).any(|word| random.contains(&word));
    let found: Vec<String> = rust_files("common/src").into_iter().filter(|file| is_named(&read(file))).collect();
    assert_eq!(found, ["common/src/overlay/flood/slots.rs"]);
    assert!(read("ARCHITECTURE.md").contains("`flood/slots.rs`"));
}

/// The lints of `common/clippy.toml` name what is likely; this names what is allowed.
#[test]
fn the_core_uses_of_std_what_is_pure_and_nothing_else() {
    const PURE: &str =
        "borrow::Borrow cmp collections error fmt hash iter mem net num ops str sync::Arc time::Duration";
    // Of `net` the addresses.
    const SOCKETS: [&str; 4] = ["TcpStream", "TcpListener", "UdpSocket", "ToSocketAddrs"];
    let mut uses = 0;
    for file in rust_files("common/src") {
        let shipped = shipped(&file);
        for named in shipped.split("std::").skip(1) {
            uses += 1;
            let is_pure = PURE.split(' ').any(|pure| named.starts_with(pure));
            assert!(is_pure, "{file} uses std::{}", named.lines().next().unwrap());
        }
        for socket in SOCKETS {
            assert!(!shipped.contains(socket), "{file} names {socket}");
        }
    }
    assert!(uses > 50, "{uses}");
}

/// What somebody speaks is asked for its manners. It is called by its name in its row, in its codec, and where one is
/// chosen: by an option, by a line that has the same options, or by a scene.
#[test]
fn a_dialect_is_called_by_its_name_where_it_is_made_and_where_it_is_chosen() {
    // Its name, what stands before an address, its option and the field that this is read into.
    let names: Vec<String> = Dialect::ALL
        .iter()
        .flat_map(|dialect| {
            let Manners { scheme, option, .. } = dialect.manners();
            let said = [*scheme, *option].into_iter().filter(|text| !text.is_empty()).map(str::to_owned);
            let field = option.strip_prefix("--").map(|option| format!("options.{}", option.replace('-', "_")));
            said.chain(field).chain([format!("Dialect::{dialect:?}")]).collect::<Vec<_>>()
        })
        .collect();
    assert!(names.len() > Dialect::ALL.len(), "{names:?}");
    let names_one = |file: &String| {
        let code = shipped(file);
        let mut lines = code.lines().filter(|line| !line.trim_start().starts_with("//"));
        lines.any(|line| names.iter().any(|name| line.contains(name.as_str())))
    };
    let files = SHIPPED.into_iter().flat_map(rust_files);
    let named: Vec<String> = files.filter(names_one).filter(|file| !file.ends_with("wire/toy.rs")).collect();
    let said = ["dialect.rs", "wire.rs", "wire/native.rs", "wire/tp3.rs"].map(|file| format!("common/src/{file}"));
    let chosen = ["servent/src/options.rs", "client/src/program/options.rs", "topologies/src/declared.rs"];
    let chosen = [&chosen[..], &["topologies/sim/src/dialects.rs"]].concat();
    assert_eq!(named, [&said[..], &chosen.into_iter().map(str::to_owned).collect::<Vec<_>>()].concat());
}

/// The table of what one more of a kind costs, its second column: one that is there stands for one that will be.
#[test]
fn one_more_of_a_kind_costs_what_is_said() {
    let is_arm = |line: &str, name: &str| {
        let line = line.trim_start();
        // Of an arm that is told in several lines each is one of `|`.
        let part = if line.starts_with("| ") { line } else { "" };
        let pattern = line.split_once("=>").map_or(part, |(pattern, _)| pattern);
        // What is matched together with something else, or inside it, names no more than it has a use for.
        pattern.contains(name) && !line.starts_with('(') && !line.starts_with("Report::")
    };
    // One that is matched inside a dial is for whoever has a use for no other.
    let is_own_arm = |line: &str, name: &str| is_arm(line, name) && line.trim_start().starts_with(name);
    // A long list stands in several lines.
    let is_list = |line: &str, name: &str| {
        line.contains("let ") && line.contains(name) && (line.contains(" = ") || line.ends_with('{'))
    };
    type Counts<'a> = &'a dyn Fn(&str, &str) -> bool;
    let rows: [(&str, Counts<'_>, &[&str]); 11] = [
        ("| `Message` |", &is_arm, &["Message::Finished", "Body::Finished"]),
        ("| `Ask` |", &is_arm, &["Ask::Topology"]),
        ("| `AnswerBody` |", &is_arm, &["AnswerBody::Place", "WireBody::Place"]),
        ("| `Output` about links |", &is_arm, &["Output::Rest"]),
        ("| `Outside`,", &is_arm, &["Outside::Dial"]),
        ("| `Dial`,", &is_arm, &["Dial::Neighbor"]),
        ("| `Job` |", &is_arm, &["Job::ReadData"]),
        ("| `Dialect` |", &is_arm, &["Dialect::Tp3"]),
        ("| `Errand` |", &is_own_arm, &["Errand::Answers"]),
        ("| room in", &is_list, &["RareRooms {"]),
        ("| room that all", &is_list, &[" Rooms {"]),
    ];
    let page = read("ARCHITECTURE.md");
    let files: Vec<String> = SHIPPED.into_iter().flat_map(rust_files).collect();
    for (row, counts, names) in rows {
        let said = page.lines().find(|line| line.starts_with(row)).unwrap().split(" | ").nth(1).unwrap();
        let mut parts = said.split('`').skip(1);
        let mut expected = BTreeMap::new();
        while let (Some(file), Some(rest)) = (parts.next(), parts.next()) {
            let number = rest.trim_start().chars().take_while(char::is_ascii_digit).collect::<String>();
            if let Ok(number) = number.parse::<usize>() {
                expected.insert(file.to_owned(), number);
            }
        }
        let mut found = BTreeMap::new();
        for file in files.iter().filter(|file| !file.ends_with("wire/toy.rs")) {
            let count = shipped(file).lines().filter(|line| names.iter().any(|name| counts(line, name))).count();
            if count > 0 {
                found.insert(file.clone(), count);
            }
        }
        assert_eq!(found, expected, "{row}");
    }
}

#[test]
fn what_the_client_uses_of_the_servent_is_said() {
    let page = read("ARCHITECTURE.md").replace('\n', " ");
    let (program, library): (Vec<_>, Vec<_>) =
        rust_files("client/src").into_iter().partition(|file| file.starts_with("client/src/program"));
    let uses = [
        (library, "the client uses the servent's ", ", its program"),
        (program, "its program also the servent's ", ", the tests"),
    ];
    let mut before = BTreeSet::new();
    for (files, begins, ends) in uses {
        let code: String = files.iter().map(|file| read(file)).collect();
        let is_module = |name: &&str| name.starts_with(|c: char| c.is_ascii_lowercase());
        let used: BTreeSet<String> = names_behind("servent::", &code).filter(is_module).map(str::to_owned).collect();
        let said = page.split(begins).nth(1).unwrap().split(ends).next().unwrap();
        let said: BTreeSet<String> = said.split('`').skip(1).step_by(2).map(str::to_owned).collect();
        // What the library uses already is no more of the program's.
        assert_eq!(&used - &before, said);
        before.extend(used);
    }
}

/// What it needs of the library, everybody may have.
#[test]
fn the_program_of_the_client_uses_what_is_public_of_the_library() {
    let public = read("client/src/lib.rs");
    let files = rust_files("client/src/program");
    let mut used = 0;
    for file in &files {
        let text = read(file).split("#[cfg(test)]").next().unwrap().replace('\n', " ");
        for name in names_behind("crate::", &text) {
            let is_public = public.lines().any(|line| line.starts_with("pub use ") && line.contains(name));
            assert!(name == "program" || is_public, "{file} uses {name}");
            used += usize::from(is_public);
        }
    }
    assert!(used > 5, "{used}");
}

/// Whoever builds on a crate compiles what the crate needs, and not what its program needs.
#[test]
fn without_their_programs_the_crates_depend_on_nothing_that_only_programs_need() {
    const OF_PROGRAMS: &str = "anstream base64 clap env_filter env_logger etcetera humantime rustyline \
                               serde_json signal-hook slotmap unicode-width";
    for (name, own) in [("servent", &["common", "servent"][..]), ("client", &["client", "common", "servent"])] {
        let names = packages_of(name, "--no-default-features --edges normal");
        assert!(own.iter().all(|own| names.contains(*own)), "{name}: {names:?}");
        let odd: Vec<_> = OF_PROGRAMS.split(' ').filter(|of_programs| names.contains(*of_programs)).collect();
        assert!(odd.is_empty(), "{name} depends on {odd:?}");
    }
}

/// What is public for our own programs alone, and whatever is private, is in nobody's way.
#[test]
fn cargo_doc_shows_what_others_build_on_and_nothing_else() {
    // A servent in a process of one's own is started as the program is, so it takes what the program takes.
    let embedded = ["pub use embedded::{Controls, EmbeddedServent};\n", "pub use options::Options;\n"];
    for (crate_name, expected) in [("servent", &embedded[..]), ("client", &[])] {
        let text = read(&format!("{crate_name}/src/lib.rs"));
        let of_program = text.split("#[cfg(feature = \"program\")]\n").skip(1);
        let public = of_program.filter(|item| item.trim_start_matches("#[doc(hidden)]\n").starts_with("pub "));
        let (hidden, shown): (Vec<_>, Vec<_>) = public.partition(|item| item.starts_with("#[doc(hidden)]\n"));
        assert!(hidden.len() >= 2 && shown == expected, "{crate_name} shows {shown:?}");
    }
    // Where `cargo doc` itself writes there would be private items as well.
    let makefile = read("Makefile").replace("\\\n", " ");
    let private: Vec<&str> = makefile.lines().filter(|line| line.contains("--document-private-items")).collect();
    assert!(!private.is_empty() && private.iter().all(|line| line.contains("--target-dir")), "{private:?}");
}

#[test]
fn whatever_a_page_says_can_be_made_can_be_made() {
    let makefile = read("Makefile");
    let mut checked = 0;
    for document in documents() {
        for word in read(&document).split('`').skip(1).step_by(2) {
            let Some(target) = word.strip_prefix("make ").and_then(|rest| rest.split_whitespace().next()) else {
                continue;
            };
            checked += 1;
            assert!(makefile.contains(&format!("\n{target}: ## ")), "{document}: nobody makes {target}");
        }
    }
    assert!(checked > 20, "{checked}");
}

/// What the lints hold they hold in every crate, and what is indexed where others have a say.
#[test]
fn the_lints_that_hold_a_law_are_on() {
    let workspace = read("Cargo.toml");
    for lint in ["expect_used", "iter_over_hash_type", "panic", "todo", "unimplemented", "unwrap_used"] {
        assert!(workspace.contains(&format!("\n{lint} = \"warn\"\n")), "{lint} is off");
    }
    let members = workspace.split("\nmembers = [").nth(1).unwrap().split(']').next().unwrap();
    let members: Vec<&str> = members.split('"').skip(1).step_by(2).collect();
    assert!(members.len() >= 5, "{members:?}");
    for member in members {
        let manifest = read(&format!("{member}/Cargo.toml"));
        assert!(manifest.contains("\n[lints]\nworkspace = true\n"), "{member} has no lints");
    }
    for crate_name in ["common", "servent", "client"] {
        let lints = "\n#![warn(clippy::indexing_slicing)]\n#![cfg_attr(not(test), warn(clippy::string_slice))]\n";
        assert!(read(&format!("{crate_name}/src/lib.rs")).contains(lints), "{crate_name} may index what others say");
    }
}

#[test]
fn only_the_native_wire_names_its_codec() {
    let named: Vec<String> = rust_files("").into_iter().filter(|file| read(file).contains("bincode::")).collect();
    assert_eq!(
        named,
        ["common/src/wire/native.rs", "common/src/wire/native/content.rs", "common/src/wire/native/writes.rs", THIS]
    );
}

/// Nor does anybody open a database but by the crate that says when it is synced.
#[test]
fn only_the_database_names_redb() {
    let named: BTreeSet<String> = rust_files("").into_iter().filter(|file| read(file).contains("redb::")).collect();
    let others = named.iter().filter(|file| !file.starts_with("servent/database/src/")).collect::<Vec<_>>();
    assert_eq!(others, [THIS]);
    assert!(named.len() > 3, "{named:?}");
}

#[test]
fn nobody_walks_a_hash_map_and_few_have_one() {
    let shipped: Vec<String> =
        ["common/src", "servent/src", "servent/database/src", "client/src"].into_iter().flat_map(rust_files).collect();
    // What a client keeps by sequences, which it draws at random: a tree would cost each query a dozen misses.
    let maps: Vec<&String> =
        shipped.iter().filter(|file| ["HashMap", "HashSet"].iter().any(|map| read(file).contains(map))).collect();
    let of_session = ["ended", "pending", "sequences"].map(|file| format!("common/src/session/{file}.rs"));
    assert_eq!(maps, of_session.iter().collect::<Vec<_>>());
    for (file, map) in of_session.iter().zip(["may_come", "by_sequence", "lately_set"]) {
        for walk in ["iter", "into_iter", "drain", "retain", "keys", "values"] {
            assert!(!read(file).contains(&format!("{map}.{walk}")), "{file} walks its map");
        }
    }
    let tables: Vec<&String> = shipped.iter().filter(|file| read(file).contains("HashTable")).collect();
    assert_eq!(tables, ["common/src/overlay/flood/slots.rs", "common/src/store.rs"]);
    for file in &tables {
        for walk in ["iter", "into_iter", "drain", "retain"] {
            assert!(!read(file).contains(&format!("table.{walk}")), "{file} walks its table");
        }
    }
}

#[test]
fn every_limit_of_the_network_is_on_a_page() {
    // How many notes are kept of what has limits of its own is no matter of the protocol.
    const INNER: [&str; 2] = ["LOOKS_MAX", "LOOKS_FEW"];
    let pages = [read("docs/PROTOCOL.md"), read("docs/TP3.md")].concat();
    let limits = read("common/src/limits.rs");
    let names: Vec<&str> =
        limits.lines().filter_map(|line| line.strip_prefix("pub const ")?.split(':').next()).collect();
    assert!(names.len() > 50, "{names:?}");
    for name in names.into_iter().filter(|name| !INNER.contains(name)) {
        assert!(pages.contains(&format!("`{name}`")), "{name} is on no page");
    }
}

/// Whoever keeps something has not read the page of the protocol.
#[test]
fn how_much_may_be_written_is_told_to_its_users_as_it_is() {
    let told = section("README.md", "### Writing");
    let mib = |bytes: usize| format!("{} MiB", bytes >> 20);
    for limit in [
        format!("| in all | {} of keys, values, names and descriptions, ", mib(WRITTEN_BYTES_MAX)),
        format!("and {} keys and names.", grouped(WRITTEN_KEYS_MAX)),
        format!("a value of {}, a key of {} KiB, ", mib(VALUE_BYTES_MAX), KEY_BYTES_MAX >> 10),
        format!("a description of {} bytes; ", grouped(DESCRIPTION_BYTES_MAX)),
        format!("a client watches {WATCHES_PER_CLIENT_MAX} keys"),
        format!("the bytes of FILE, {} at most.", mib(VALUE_BYTES_MAX)),
        format!("a line has at most {} KiB.", COMMAND_BYTES_MAX >> 10),
        format!("Up to {WATCHES_PER_CLIENT_MAX} keys |"),
        format!("{} in values of {} take some 550 MB of the disk", mib(WRITTEN_BYTES_MAX), mib(VALUE_BYTES_MAX)),
    ] {
        assert!(told.contains(&limit), "README does not tell that: {limit}");
    }
}

/// And what it is told where it may not.
#[test]
fn what_whoever_writes_is_told_is_what_the_readme_says() {
    let (told, said) = (section("README.md", "### Writing"), read("client/src/program/writes.rs"));
    for words in [
        "this servent takes no writes (it was started without --store)",
        "its store is full: it keeps as many keys or as many bytes as it may",
        "its disk is full",
        "its disk failed: it serves what it has and takes no more",
        "its database could only be read when it started, as its log says: it serves what it has and takes no more",
    ] {
        let is_told = told.split_whitespace().collect::<Vec<_>>().join(" ").contains(words);
        assert!(is_told && said.contains(words), "{words}");
    }
}

#[test]
fn every_fault_is_on_the_page_of_tests() {
    let page = read("docs/TESTING.md");
    for (_, name, ..) in sim::plan::FaultKind::ALL {
        assert!(page.contains(&format!("`{name}`")), "{name} is on no row");
    }
}

/// A name tells one test, though cargo takes it for all whose names have it in them: what a page says of it is seen in that
/// one. Whoever means all tests of a file names none, or the file as the module it is.
#[test]
fn every_test_a_page_tells_to_run_is_there_and_is_one() {
    let mut checked = 0;
    for document in documents() {
        let text = read(&document);
        for command in text.split("cargo test ").skip(1).filter(|rest| rest.contains("--test ")) {
            let command = command.split(['`', '\n']).next().unwrap();
            let words: Vec<&str> = command.split_whitespace().filter(|word| *word != "--release").collect();
            let ["-p", crate_name, "--test", test, rest @ ..] = words.as_slice() else { continue };
            let tests = tests_of(crate_name, test);
            let Some(name) = rest.first().filter(|name| !name.starts_with('-')) else { continue };
            let named: Vec<&String> = tests.iter().filter(|test| test.contains(name)).collect();
            let is_module = name.ends_with("::") && named.iter().all(|test| test.starts_with(name));
            assert!(named.len() == 1 || is_module && !named.is_empty(), "{document}: {command}: {named:?}");
            checked += 1;
        }
    }
    assert!(checked > 20, "{checked}");
}

/// One that is not there is skipped by nobody, and nobody is told.
#[test]
fn every_slow_test_that_is_kept_from_mutants_is_there() {
    let makefile = read("Makefile").replace("\\\n", " ");
    let slow = makefile.lines().find_map(|line| line.strip_prefix("SLOW_TESTS = ")).unwrap();
    let tests: Vec<String> = rust_files("common").iter().flat_map(|file| test_names(&read(file))).collect();
    let names: Vec<&str> = slow.split_whitespace().collect();
    assert!(names.len() > 10, "{names:?}");
    for name in names {
        assert!(tests.iter().any(|test| test.contains(name)), "no test of the core is called {name}");
    }
}

/// Where a package is.
fn home_of(package: &str) -> &str {
    match package {
        "drawing" => "client/drawing",
        "oracle" => "topologies/oracle",
        "sim" => "topologies/sim",
        "topology" => "topologies/program",
        other => other,
    }
}

/// What the tests of one program of tests are called, with the modules they are in, as cargo has it: the program is a file,
/// or all files of a folder.
fn tests_of(package: &str, program: &str) -> Vec<String> {
    let folder = format!("{}/tests/{program}", home_of(package));
    let file = format!("{folder}.rs");
    let is_file = home().join(&file).is_file();
    let files = if is_file { vec![file] } else { rust_files(&folder) };
    let in_module = |file: &String| {
        let module = file.strip_prefix(&format!("{folder}/")).unwrap_or("main.rs").trim_end_matches(".rs");
        let path = if module == "main" { String::new() } else { module.replace('/', "::") + "::" };
        test_names(&read(file)).into_iter().map(move |name| path.clone() + &name).collect::<Vec<_>>()
    };
    let tests: Vec<String> = files.iter().flat_map(in_module).collect();
    assert!(!tests.is_empty(), "{folder} has no test");
    tests
}

fn test_names(text: &str) -> Vec<String> {
    let mut tests = Vec::new();
    let mut is_test = false;
    for line in text.lines().map(str::trim) {
        if let Some(rest) = line.strip_prefix("fn ") {
            let name = rest.chars().take_while(|c| is_part(*c)).collect();
            tests.extend(std::mem::take(&mut is_test).then_some(name));
        }
        is_test |= line == "#[test]";
        // Those of the targets are made by a macro.
        if let Some(targets) = line.strip_prefix("targets! {") {
            tests.extend(targets.trim_end_matches('}').split_whitespace().map(str::to_owned));
        }
    }
    tests
}

/// Whatever these pages call by a name that only code has.
#[test]
fn every_name_of_the_code_that_the_architecture_and_the_page_of_tests_use_is_in_the_code() {
    let code: String = rust_files("").iter().map(|file| read(file)).chain([read("Makefile")]).collect();
    let pages = ["ARCHITECTURE.md", "CONTRIBUTING.md", "docs/DECISIONS.md", "docs/TESTING.md"].map(read).concat();
    // What holds a law has a test of its own, below.
    let page: String =
        pages.split("\n\n").flat_map(|part| part.split("\n- ")).map(|part| part.split(HELD).next().unwrap()).collect();
    let mut checked = 0;
    for word in page.split('`').skip(1).step_by(2).filter(|word| !word.contains(['/', '.', ' ', '-'])) {
        if word.contains("::") || word.contains('_') {
            // `query::Path` is a name; so is each part of `Message::Query(Arc<Query>)`.
            for name in word.split(|c| !is_part(c)).filter(|name| !name.is_empty()) {
                checked += 1;
                let is_name = |place: usize| {
                    !code[..place].ends_with(is_part) && !code[place + name.len()..].starts_with(is_part)
                };
                assert!(code.match_indices(name).any(|(place, _)| is_name(place)), "nothing is called `{name}`");
            }
        }
    }
    assert!(checked > 20, "{checked}");
}

/// A table of what lives is of the code that there is.
#[test]
fn every_mutant_that_is_told_of_is_one_of_what_the_core_has() {
    let code: String = rust_files("common/src").iter().map(|file| read(file)).collect();
    let page = read("docs/TESTING.md");
    let (_, section) = page.split_once("\n## Mutants\n").unwrap();
    let (section, _) = section.split_once("\n## ").unwrap();
    let places = section.lines().filter_map(|line| line.strip_prefix("| ")?.split('|').next());
    let words = places.flat_map(|place| place.split('`').skip(1).step_by(2));
    let names: Vec<&str> = words.flat_map(|word| word.split("::")).collect();
    for name in &names {
        let is_made = ["fn ", "struct ", "enum ", "const "].iter().any(|kind| {
            let made = format!("{kind}{name}");
            code.match_indices(&made).any(|(place, _)| !code[place + made.len()..].starts_with(is_part))
        });
        assert!(is_made, "the core has no {name}");
    }
    assert!(names.len() > 10, "{names:?}");
}

/// What only tests and fuzz targets use may be called as they like.
#[test]
fn a_type_has_a_name_that_no_other_has() {
    // Of the two minds, and of each program and subcommand.
    const SHARED: [&str; 3] = ["Input", "Options", "Output"];
    let mut files_of: BTreeMap<String, BTreeSet<String>> = BTreeMap::new();
    for file in SHIPPED.into_iter().flat_map(rust_files) {
        for line in shipped(&file).lines() {
            // Those that begin a line: what is inside of something is nobody else's.
            let mut words = line.split(' ').skip_while(|word| word.starts_with("pub") || word.ends_with(')'));
            if let (Some("struct" | "enum" | "trait" | "type"), Some(name)) = (words.next(), words.next()) {
                let name = name.split(|c| !is_part(c)).next().unwrap().to_owned();
                files_of.entry(name).or_default().insert(file.clone());
            }
        }
    }
    assert!(files_of.len() > 200, "{}", files_of.len());
    let shared = files_of.iter().filter(|(_, files)| files.len() > 1);
    for (name, files) in shared {
        assert!(SHARED.contains(&name.as_str()), "{name} is a name for more than one thing: {files:?}");
    }
}

#[test]
fn the_core_does_not_know_that_it_is_simulated_nor_the_oracle_what_it_judges() {
    for file in rust_files("common/src") {
        let text = read(&file);
        let odd = text.lines().find(|line| line.contains("cfg(") && !line.contains("#[cfg(test)]"));
        assert_eq!(odd, None, "{file} is not the same everywhere");
    }
    for file in ["topologies/sim/src/bare.rs", "topologies/src/expected.rs"] {
        assert!(!read(file).contains("common::"), "{file} shares code with what it judges");
    }
    // A crate cannot use what it does not depend on, not even in its tests.
    assert_eq!(packages_of("oracle", WITH_TESTS), BTreeSet::from(["oracle".to_owned()]));
}

/// The names of all that a crate is built of, as these words have it.
fn packages_of(name: &str, words: &str) -> BTreeSet<String> {
    let mut tree = Command::new(env!("CARGO"));
    tree.args(["tree", "--package", name, "--prefix", "none", "--offline", "--locked"]).args(words.split(' '));
    let output = tree.current_dir(home()).output().unwrap();
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    let packages = String::from_utf8(output.stdout).unwrap();
    packages.lines().filter_map(|line| line.split(' ').next()).map(str::to_owned).collect()
}

/// Of a crate and its tests.
const WITH_TESTS: &str = "--edges normal,build,dev";

#[test]
fn no_test_sleeps() {
    for file in rust_files("").iter().filter(|file| *file != THIS) {
        let text = read(file);
        assert!(!text.contains("sleep("), "{file} sleeps");
        assert!(!text.contains("park_timeout("), "{file} sleeps, by another name");
    }
}

/// What took how long depends on what else the machine does. A bound on a wait, and a time that has to pass, do not.
#[test]
fn no_test_judges_by_the_clock() {
    for file in rust_files("").iter().filter(|file| file.contains("/tests/") && *file != THIS) {
        let text = read(file);
        let is_judged = |line: &&str| line.contains("assert") && line.contains("elapsed() <");
        let odd = text.lines().find(|line| is_judged(line) && !line.contains("elapsed() < PATIENCE"));
        assert_eq!(odd, None, "in {file}");
    }
}

#[test]
fn every_seed_a_test_takes_is_told() {
    let page = read("ARCHITECTURE.md");
    let tests: String = rust_files("").iter().filter(|file| file.contains("/tests/")).map(|file| read(file)).collect();
    for name in ["OVERLAY_SEED", "WORLD_SEEDS", "FUZZ_SEED", "FETCH_SEEDS"] {
        assert!(page.contains(&format!("`{name}`")) && tests.contains(&format!("\"{name}\"")), "{name}");
    }
}

#[test]
fn the_table_of_tests_names_every_file_of_the_core_and_every_other_directory() {
    let page = read("ARCHITECTURE.md");
    let table = page.split("## Tests").nth(1).unwrap();
    // What is in a folder beside a file belongs to that.
    let is_first = |file: &&String| file.strip_prefix("common/tests/it/").is_some_and(|name| !name.contains('/'));
    for file in rust_files("common/tests").iter().filter(|file| is_first(file) || file.matches('/').count() == 2) {
        let (_, name) = file.rsplit_once('/').unwrap();
        let is_told = table.contains(&format!("`{name}`")) || table.contains(&format!("`{file}`"));
        assert!(is_told || ["main.rs", "stories.rs"].contains(&name), "the table does not name {file}");
    }
    assert!(table.contains("`common/tests/allocation`"), "the table does not name what counts memory");
    for crate_name in ["servent", "client", "topologies", "topologies/program"] {
        assert!(table.contains(&format!("`{crate_name}/tests`")), "the table does not name {crate_name}/tests");
    }
}

/// What of the core's dependencies could hold a socket, a file, a clock or a thread was looked at one by one.
#[test]
fn the_core_depends_on_nothing_that_was_not_looked_at() {
    let text = read("common/Cargo.toml");
    let table = text.split("[dependencies]").nth(1).unwrap().split('[').next().unwrap();
    let names: Vec<&str> =
        table.lines().filter_map(|line| line.split(['.', ' ', '=']).next()).filter(|name| !name.is_empty()).collect();
    assert_eq!(
        names,
        ["bincode", "blake3", "foldhash", "hashbrown", "ipnet", "log", "memchr", "siphasher", "thiserror"]
    );
}

/// The simulator is half of the code: who tests a program must not wait for it.
#[test]
fn tests_of_the_programs_compile_none_of_the_simulator() {
    for name in ["servent", "client", "topologies"] {
        let packages = packages_of(name, WITH_TESTS);
        let has = |package: &str| packages.contains(package);
        assert!(has("topologies") && !has("sim") && !has("topology"), "tests of {name} are built of {packages:?}");
    }
}

#[test]
fn every_file_a_document_names_is_there() {
    let all = files("");
    let mut checked = 0;
    let pages =
        ["ARCHITECTURE", "CONTRIBUTING", "README", "docs/DECISIONS", "docs/PROTOCOL", "docs/TP3", "docs/TESTING"];
    for document in pages.map(|page| format!("{page}.md")) {
        for word in read(&document).split('`').skip(1).step_by(2) {
            let is_file = [".rs", ".md", ".toml", ".topo"].iter().any(|end| word.ends_with(end)) && word.contains('/');
            if !is_file || word.contains(['*', ' ', '{', '<']) || word.starts_with("./") {
                continue;
            }
            checked += 1;
            let is_there = all.iter().any(|file| file == word || file.ends_with(&format!("/{word}")));
            assert!(is_there, "{document} names `{word}`, which is nowhere");
        }
    }
    assert!(checked > 40, "{checked}");
}

#[test]
fn every_link_leads_somewhere() {
    let mut checked = 0;
    for document in documents() {
        let text = read(&document);
        let directory = Path::new(&document).parent().unwrap();
        for link in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if link.contains("://") || link.contains(' ') {
                continue;
            }
            checked += 1;
            let (path, anchor) = link.split_once('#').unwrap_or((link, ""));
            let target = if path.is_empty() { home().join(&document) } else { home().join(directory).join(path) };
            assert!(target.exists(), "{document} links to {link}, which is nowhere");
            if !anchor.is_empty() {
                let anchors = anchors(&fs::read_to_string(&target).unwrap());
                assert!(anchors.contains(anchor), "{document} links to {link}, where there are {anchors:?}");
            }
        }
    }
    assert!(checked > 20, "{checked}");
}

/// The names by which the headings of a page can be linked to.
fn anchors(text: &str) -> BTreeSet<String> {
    let headings = text.lines().filter(|line| line.starts_with('#'));
    headings
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            let kept = title.chars().filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'));
            kept.map(|c| if c == ' ' { '-' } else { c }).collect()
        })
        .collect()
}

/// The rows of docs/PERFORMANCE.md that say what is measured, in the words of the program.
#[test]
fn every_row_of_the_benchmark_is_on_its_page_and_no_other() {
    let page = read("docs/PERFORMANCE.md");
    let rows: Vec<(&str, &str)> = BENCHMARKS.iter().flat_map(|benchmark| benchmark.rows).copied().collect();
    for (name, about) in &rows {
        let line = format!("| `{name}` | {about} |");
        assert!(page.lines().any(|other| other == line), "docs/PERFORMANCE.md lacks `{line}`");
    }
    let named = page.lines().filter_map(|line| line.strip_prefix("| `")?.split('`').next());
    for name in named {
        assert!(rows.iter().any(|(row, _)| *row == name), "there is no row {name}");
    }
}

#[test]
fn every_option_that_the_page_of_figures_tells_is_one() {
    let page = read("docs/PERFORMANCE.md");
    let help = Command::new(env!("CARGO_BIN_EXE_topology")).args(["bench", "--help"]).output().unwrap();
    let help = String::from_utf8(help.stdout).unwrap();
    let told: BTreeSet<&str> = page
        .lines()
        .filter(|line| line.contains("topology bench"))
        .flat_map(|line| line.split("topology bench").skip(1))
        .flat_map(|words| words.split([' ', '`', ',']).take_while(|word| !word.starts_with('#')))
        .filter(|word| word.starts_with("--"))
        .collect();
    assert!(told.len() >= 4, "{told:?}");
    told.iter().for_each(|option| assert!(help.contains(option), "{option}"));
    let fields = ["name", "value", "floor", "unit", "ratio", "target", "met", "rounds", "lost", "not_measured"];
    fields.iter().for_each(|field| assert!(page.contains(&format!("`{field}`")), "{field}"));
}

// ---- what holds the laws ----

/// The pages whose lists are laws or decisions, and the sections of theirs that are one.
const OF_LAWS: [(&str, &str); 2] = [
    ("ARCHITECTURE.md", "## What holds everywhere"),
    ("docs/DECISIONS.md", "# Decisions, and what they were chosen over"),
];
/// What is told there in another way than as a list ends in the same way.
const OF_WAYS: [&str; 6] = [
    "## One query, from the prompt to the answer",
    "## One reload, from the signal to the last byte let go of",
    "## One content, from its name to a file",
    "## The same code, simulated",
    "## The same programs, measured",
    "## Tests",
];
const HELD: &str = "*Held by*";

/// A section of a page with what is below it.
fn section(page: &str, heading: &str) -> String {
    let text = read(page);
    let level = heading.split(' ').next().unwrap();
    let mut lines = text.lines().skip_while(|line| *line != heading);
    assert!(lines.next().is_some(), "{page} has no {heading}");
    let is_next = |line: &str| line.starts_with('#') && line.split(' ').next().unwrap().len() <= level.len();
    lines.take_while(|line| !is_next(line)).map(|line| format!("{line}\n")).collect()
}

/// Whoever reads a law sees what would notice it broken, or that nothing would. A test goes by a part of its name that no
/// other test has.
#[test]
fn every_law_names_what_holds_it_and_that_is_there() {
    let tests: BTreeSet<String> = rust_files("").iter().flat_map(|file| test_names(&read(file))).collect();
    let manifest = read("Cargo.toml");
    let lints = manifest.split("[workspace.lints.").skip(1).flat_map(str::lines);
    let lints = lints.filter_map(|line| line.split_once(" = ")).map(|(lint, _)| lint);
    // Of every crate, or of some.
    let fronts: String = SHIPPED.iter().map(|crate_home| read(&format!("{crate_home}/lib.rs"))).collect();
    let of_some = fronts.split("warn(clippy::").skip(1).filter_map(|rest| rest.split(')').next());
    let lints: BTreeSet<&str> = lints.chain(of_some).collect();
    let rows = BENCHMARKS.iter().flat_map(|benchmark| benchmark.rows).map(|(row, _)| *row);
    let others: BTreeSet<&str> = rows.chain(["topology bench"]).collect();
    let is_there = |holder: &str| {
        let named: Vec<_> = tests.iter().filter(|test| test.contains(holder)).collect();
        tests.contains(holder)
            || holder.contains('_') && named.len() == 1
            || lints.contains(holder)
            || others.contains(holder)
            || holder.contains('/') && home().join(holder).exists()
    };
    let mut checked = 0;
    let mut check = |law: &str| {
        let law = law.split_whitespace().collect::<Vec<_>>().join(" ");
        let held = law.split_once(HELD).unwrap_or_else(|| panic!("nothing is said to hold this: {law}")).1;
        assert!(!held.contains(". "), "what holds it is not the last that is said: {law}");
        let named: Vec<&str> = held.split('`').skip(1).step_by(2).collect();
        let is_said = ["the compiler", "nobody but readers"].iter().any(|words| held.contains(words));
        assert!(is_said || !named.is_empty(), "what is it that holds this? {law}");
        for holder in named {
            assert!(is_there(holder), "`{holder}` is no lint, no file and no part of the name of one test: {law}");
            checked += 1;
        }
    };
    for (page, heading) in OF_LAWS {
        let section = section(page, heading);
        let laws = section.split("\n- **").skip(1).map(|law| law.split("\n\n").next().unwrap());
        laws.for_each(&mut check);
    }
    for heading in OF_WAYS {
        let section = section("ARCHITECTURE.md", heading);
        let held: Vec<&str> = section.split("\n\n").filter(|paragraph| paragraph.contains(HELD)).collect();
        assert!(!held.is_empty(), "nothing is said to hold {heading}");
        held.into_iter().for_each(&mut check);
    }
    assert!(checked > 150, "{checked}");
}

/// A program has connections, and asks the exchange what to do with them.
#[test]
fn no_program_has_a_link_of_its_own() {
    // What only a link, or the exchange around it, keeps to.
    const OF_LINKS: &str = "Link FRAME_WAIT_MAX LINGER_MAX MESSAGES_PER_VISIT READ_BYTES CLIENT_READ_BYTES TIMERS_PER_TURN \
                            NEIGHBOR_UNSENT_BYTES_MAX";
    for file in ["servent/src", "client/src"].into_iter().flat_map(rust_files) {
        let text = read(&file);
        let code = text.lines().filter(|line| !line.trim_start().starts_with("//")).collect::<Vec<_>>().join("\n");
        let odd = code.split(|c| !is_part(c)).find(|word| OF_LINKS.split(' ').any(|name| name == *word));
        assert_eq!(odd, None, "{file} has a rule about bytes or time of its own");
    }
    let exchange = read("common/src/exchange.rs");
    assert!(OF_LINKS.split(' ').take(3).all(|name| exchange.contains(name)), "they go by other names");
}

/// Whoever shares them may have made them non-blocking, and a servent's loop is not to wait for either.
#[test]
fn few_files_write_to_stdout_or_stderr() {
    let files = ["servent/src", "client/src"].into_iter().flat_map(rust_files);
    let uses = |file: &String| {
        shipped(file).lines().any(|line| {
            let is_code = !line.trim_start().starts_with("//");
            // To ask what it is, or to have it in a patient way, is not to write to it.
            let asks = ["is_terminal()", "AutoStream::choice", "patient::std"].iter().any(|asks| line.contains(asks));
            let names = |name: &str| line.match_indices(name).any(|(place, _)| !line[..place].ends_with('_'));
            is_code && ["stdout()", "stderr()", "print!(", "println!("].into_iter().any(names) && !asks
        })
    };
    let found: Vec<String> = files.filter(uses).collect();
    let of_servents = ["log_sink", "patient", "program"].map(|file| format!("servent/src/{file}.rs"));
    // What is drawn of a line that changes may be lost where nobody takes it.
    let of_client = ["live", "terminal"].map(|file| format!("client/src/program/{file}.rs"));
    assert_eq!(found, [&of_servents[..], &of_client[..]].concat());
}

/// Started elsewhere it would be nobody's to end.
#[test]
fn every_process_is_started_where_it_is_noted() {
    let starts = |file: &String| {
        let text = read(file);
        shipped(file).contains("command.spawn()") || text.contains("Command::new") && text.contains(".spawn()")
    };
    let found: Vec<String> = SHIPPED.into_iter().flat_map(rust_files).filter(starts).collect();
    assert_eq!(found, ["topologies/src/processes.rs"]);
}
