//! `topology sim` as a person or a script meets it: help, exit codes, errors, and the order of what it prints.
//!
//! What comes of the runs themselves is tested beside the engines.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use serde_json::Value;

use crate::support::{sim, stderr, stdout};

fn fine(arguments: &str) -> String {
    let output = sim(arguments).output().unwrap();
    assert!(output.status.success(), "{arguments}: {}{}", stdout(&output), stderr(&output));
    stdout(&output)
}

fn objects(arguments: &str) -> Vec<Value> {
    fine(arguments).lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

#[test]
fn help_tells_what_can_be_said() {
    let help = fine("--help");
    for word in [
        "small-world",
        "--seeds <A..B>",
        "--without",
        "slow-reader",
        "nat=K%",
        "--via <VIA>",
        "Exit code",
        "Examples:",
        "10 to 50",
    ] {
        assert!(help.contains(word), "{word}: {help}");
    }
}

/// To the last figure, whatever was built: who changes what servents do to each other writes down anew what README shows.
#[test]
fn runs_that_readme_shows_come_to_what_it_shows() {
    let page = std::fs::read_to_string(concat!(env!("CARGO_MANIFEST_DIR"), "/../../README.md")).unwrap();
    let mut shown_count = 0;
    for block in page.split("```\n").skip(1).step_by(2) {
        for command in block.split("$ ").filter_map(|command| command.strip_prefix("target/release/topology sim ")) {
            let (arguments, shown) = command.split_once('\n').unwrap();
            if !shown.is_empty() {
                shown_count += 1;
                assert_eq!(fine(arguments), shown, "README shows something else of {arguments}");
            }
        }
    }
    assert_eq!(shown_count, 5);
}

#[test]
fn a_wrong_command_line_is_refused_with_a_reason() {
    for (arguments, expected) in [
        ("", "<SHAPE>"),
        ("rung", "`rung` is none of chain, ring,"),
        ("rung", "no topology is called `rung`; there are chain, diamond"),
        ("rung", "Usage: topology sim"),
        ("ring --faults evil=1", "link-down, flap, clog"),
        ("ring --servents 0", "0 is not in 1..=10000000"),
        ("diamond --servents 9", "--servents is said by the topology itself"),
        ("diamond --forward-once 9", "--forward-once is said by the topology itself"),
        ("ring --forward-once 101", "101 is not in 0..=100"),
        ("./no/such.topo", "cannot read ./no/such.topo"),
        ("ring --seeds 1..2 --seed 3", "cannot be used with"),
        ("ring --colour red", "--colour"),
        ("ring --contents 0", "0 is not in 1..=100"),
        ("ring --holders 2 --liars 1", "--contents <N>"),
        ("ring --contents 2 --disk full", "not one of quick, mild, wild"),
    ] {
        let output = sim(arguments).output().unwrap();
        let stderr = stderr(&output);
        assert_eq!(output.status.code(), Some(2), "{arguments}: {stderr}");
        assert!(output.stdout.is_empty() && stderr.contains(expected), "{arguments}: {stderr}");
    }
}

#[test]
fn what_came_of_contents_is_an_object_of_its_own_and_a_line_below_the_table() {
    let run = "chain --servents 4 --contents 2 --holders 2 --liars 1 --disk wild --seeds 20..40";
    let (mut whole, mut others) = (0, 0);
    let objects: Vec<Value> =
        fine(&format!("{run} --json")).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for object in &objects[..20] {
        let contents = &object["contents"];
        let number = |name: &str| contents[name].as_u64().unwrap();
        let names: Vec<&String> = contents.as_object().unwrap().keys().collect();
        let ends = number("whole") + number("missing") + number("unwritten") + number("unended");
        assert_eq!((names.len(), ends), (10, number("fetches")), "{contents}");
        // Each is begun, and again after each cut; one that is cut while its client asks who has it has not begun.
        assert!(number("lives") <= number("fetches") + number("cuts") && number("lives") > 0, "{contents}");
        assert!(number("wasted_bytes") <= number("came_bytes"), "{contents}");
        whole += number("whole");
        others += ends - number("whole");
    }
    assert!(whole > 40 && others > 10, "{whole} {others}");
    assert_eq!(fine(run).lines().filter(|line| line.starts_with("  contents: of ")).count(), 20);
    let without: Value = serde_json::from_str(fine("chain --servents 4 --json").trim()).unwrap();
    assert!(without.get("contents").is_none() && !fine("chain --servents 4").contains("contents"));
}

#[test]
fn nobody_is_drawn_more_neighbors_than_a_servent_takes() {
    assert_eq!(fine("star --servents 257 --json").lines().count(), 1);
    for arguments in ["star --servents 258", "small-world --servents 2000 --degree 256"] {
        let output = sim(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(1), "{arguments}");
        assert!(stderr(&output).contains("neighbors, and 256 are the most: ask for"), "{}", stderr(&output));
    }
}

#[test]
fn one_run_is_a_header_and_a_line() {
    let output = sim("ring --servents 20").output().unwrap();
    assert!(output.status.success());
    let stdout = stdout(&output);
    let lines: Vec<&str> = stdout.lines().collect();
    assert_eq!(lines.len(), 2, "{stdout}");
    let cells = |line: &str| line.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
    let (names, values) = (cells(lines[0]), cells(lines[1]));
    assert_eq!(names[..4], ["seed", "servents", "links", "ttl"]);
    assert_eq!(values[..4], ["1", "20", "20", "3"]);
    assert_eq!((names.len(), lines[0].len()), (values.len(), lines[1].len()));
    // What depends on the machine is on stderr.
    assert!(stderr(&output).contains("a second"));
}

#[test]
fn the_same_seed_prints_the_same() {
    let arguments = "any --seeds 3..23 --faults mild";
    assert_eq!(fine(arguments), fine(arguments));
    let without_seconds = || {
        let mut objects = objects(&format!("{arguments} --json"));
        for object in &mut objects {
            assert!(object["seconds"].take().is_number());
        }
        objects
    };
    assert_eq!(without_seconds(), without_seconds());
}

#[test]
fn seeds_come_in_order_and_each_can_be_run_alone() {
    let many = objects("any --seeds 100..160 --faults mild --json");
    assert!(many.iter().map(|object| object["seed"].as_u64().unwrap()).eq(100..160));
    for object in many.iter().step_by(13) {
        let line = object["command"].as_str().unwrap();
        let arguments = line.strip_prefix("topology sim ").unwrap();
        let mut alone = objects(&format!("{arguments} --json"));
        assert_eq!(alone.len(), 1);
        alone[0]["seconds"] = object["seconds"].clone();
        assert_eq!(alone[0], *object);
    }
    let table = fine("any --seeds 100..160 --faults mild");
    let lines: Vec<&str> = table.lines().collect();
    assert_eq!(lines.len(), 62, "{table}");
    let seeds = lines[1..61].iter().map(|line| line.split_whitespace().next().unwrap().parse::<u64>().unwrap());
    assert!(seeds.eq(100..160));
    assert!(lines[61].starts_with("60 runs, ") && lines[61].ends_with(", 0 broken invariants"), "{table}");
}

#[test]
fn json_is_one_object_with_the_agreed_keys() {
    let objects = objects(
        "topologies/diamond.topo --json".replace("topologies", concat!(env!("CARGO_MANIFEST_DIR"), "/..")).as_str(),
    );
    assert_eq!(objects.len(), 1);
    for key in
        "shape servents links ttl queries seed delays faults wire via expected answers brought missed untold late doubled \
        waits reached copies duplicates echoes lost events seconds bytes_per_servent trace_hash"
            .split(' ')
    {
        assert!(!objects[0][key].is_null(), "{key}");
    }
    assert_eq!((&objects[0]["servents"], &objects[0]["links"]), (&4.into(), &4.into()));
    let hash = objects[0]["trace_hash"].as_str().unwrap();
    assert!(hash.len() == 16 && hash.chars().all(|c| c.is_ascii_hexdigit()));
}

#[test]
fn what_an_idle_servent_holds_is_measured_where_no_bytes_are_simulated() {
    for (arguments, is_measured) in [
        ("", true),
        ("--delays heavy", true),
        ("--forward-once 100", true),
        ("--forward-once 100 --delays heavy", false),
        ("--wire native", false),
        ("--faults mild", false),
    ] {
        let of_one = &objects(&format!("ring --servents 5 {arguments} --json"))[0]["bytes_per_servent"];
        assert_eq!(of_one.as_u64().unwrap() > 0, is_measured, "{arguments}: {of_one}");
    }
}

#[test]
fn whoever_stops_reading_hears_no_complaint() {
    let mut child =
        sim("ring --servents 5 --seeds 0..1000000000").stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut line).unwrap();
    assert!(line.contains("servents"));
    assert!(child.wait().unwrap().success());
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    assert_eq!(stderr, "");
}
