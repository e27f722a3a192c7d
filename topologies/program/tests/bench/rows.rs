//! Every row of the benchmark, alone and with the others, and what is said of those that cannot be measured here.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::process::Output;

use serde_json::Value;
use topology::bench::{BENCHMARKS, When, instructions};

use crate::support::{DEBUG_WARNING, Mark, stderr, stdout};

/// What came of it, and what of it still runs.
///
/// What needs other programs is not measured: they are not found.
fn bench(words: &[&str]) -> (Output, Vec<String>) {
    let mut command = crate::bench(words, "/nowhere");
    let mark = Mark::put_on(&mut command);
    let output = command.output().unwrap();
    let left = mark.processes().into_iter().map(|process| process.name).collect();
    (output, left)
}

/// Those that are measured with other people's programs, and those that are not.
fn names_by_peers() -> [Vec<&'static str>; 2] {
    [true, false].map(|peers| {
        let those = BENCHMARKS.iter().filter(|benchmark| (benchmark.when == When::Peers) == peers);
        those.flat_map(|benchmark| benchmark.rows).map(|(name, _)| *name).collect()
    })
}

#[test]
fn every_row_is_measured_and_nothing_is_lost_or_left() {
    let (output, left) = bench(&["--long", "--json", "--rounds", "1", "--queries", "40"]);
    let (text, said) = (stdout(&output), stderr(&output));
    let rows: Vec<Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    assert_eq!(rows.iter().map(|row| row["name"].as_str().unwrap()).collect::<Vec<_>>(), names_by_peers()[1], "{said}");
    let is_measured = |row: &&Value| row["not_measured"].is_null();
    // A machine may have no disk but its memory.
    let needs_more = |row: &&Value| !is_measured(row) && row["not_measured"] != "no directory on a disk";
    let without: Vec<&Value> = rows.iter().filter(needs_more).map(|row| &row["name"]).collect();
    let counted = instructions::ROWS.iter().map(|(name, _)| *name);
    let wanted: Vec<&str> = ["writes-slow", "writes-none"].into_iter().chain(counted).collect();
    let is_on_a_disk = rows.iter().any(|row| row["name"] == "writes-one" && is_measured(&row));
    assert_eq!(without, wanted.get(usize::from(!is_on_a_disk)..).unwrap());
    for row in rows.iter().filter(is_measured) {
        assert_eq!((&row["lost"], &row["rounds"]), (&Value::from(0), &Value::from(1)), "{row}");
        assert!(row["value"].as_f64().unwrap() > 0.0 || row["name"] == "one-shot", "{row}");
        let has_floor =
            !["one-shot", "one-shot-rate", "writes-slow-simulated"].contains(&row["name"].as_str().unwrap());
        assert_eq!(row["floor"].as_f64().is_some_and(|floor| floor > 0.0), has_floor, "{row}");
    }
    let are_met = rows.iter().all(|row| row["met"] != false);
    assert_eq!((output.status.code(), said), (Some(i32::from(!are_met)), DEBUG_WARNING.to_owned()));
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_row_can_be_measured_alone_and_one_that_is_not_there_is_refused_with_those_that_are() {
    let (output, left) = bench(&["whole", "--rounds", "2", "--queries", "20"]);
    let text = stdout(&output);
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 2, "{text}");
    assert!(lines[0].starts_with("row ") && lines[1].starts_with("whole "), "{text}");
    assert_eq!(left, Vec::<String>::new());

    let (output, _) = bench(&["whole", "part"]);
    let said = stderr(&output);
    assert_eq!((output.status.code(), output.stdout.as_slice()), (Some(2), &b""[..]));
    assert!(said.contains("there is no row part"), "{said}");
    assert!(names_by_peers().iter().flatten().all(|name| said.contains(name)), "{said}");
}

#[test]
fn rows_that_begin_with_one_word_are_asked_for_by_it_and_no_row_stands_for_others() {
    let output =
        crate::bench(&["instructions", "--json", "--rounds", "1", "--queries", "20"], "/nowhere").output().unwrap();
    let text = stdout(&output);
    assert_eq!((output.status.code(), text.lines().count()), (Some(0), instructions::ROWS.len()), "{text}");
    assert!(text.lines().all(|line| line.contains("\"instructions-")), "{text}");

    let output = crate::bench(&["lookup", "--json", "--rounds", "1", "--queries", "20"], "/nowhere").output().unwrap();
    let text = stdout(&output);
    assert!(text.lines().count() == 1 && text.contains("\"lookup\""), "{text}");

    let output = crate::bench(&["look"], "/nowhere").output().unwrap();
    assert_eq!(output.status.code(), Some(2), "{}", stdout(&output));
}

/// What the system is asked for comes a twentieth of a second later, and that is no turn of the loop.
#[test]
fn a_disk_that_is_slow_is_measured_where_there_is_strace() {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let output = crate::bench(&["writes-slow", "--json", "--rounds", "1", "--queries", "20"], path).output().unwrap();
    let (text, said) = (stdout(&output), stderr(&output));
    let row: Value = serde_json::from_str(&text).unwrap_or_else(|_| panic!("{text}{said}"));
    if !row["not_measured"].is_null() {
        eprintln!("skipped: {}", row["not_measured"]);
        return;
    }
    assert!(row["value"].as_f64().unwrap() > 0.0 && row["lost"] == 0, "{row}");
}

#[test]
fn of_programs_that_are_not_installed_it_is_said_and_nothing_fails() {
    let (output, left) = bench(&["--peers"]);
    let (text, said) = (stdout(&output), stderr(&output));
    assert_eq!((output.status.code(), said), (Some(0), DEBUG_WARNING.to_owned()), "{text}");
    let lines: Vec<Vec<&str>> = text.lines().skip(1).map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines.iter().map(|line| line[0]).collect::<Vec<_>>(), names_by_peers()[0]);
    assert!(lines.iter().all(|line| line[1..5] == ["-", "not", "measured:", "no"]), "{text}");
    assert_eq!(left, Vec::<String>::new());
}

#[test]
fn a_program_that_is_installed_and_does_not_start_is_an_error() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("redis-server");
    fs::write(&file, "#!/bin/sh\nexit 3\n").unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o755)).unwrap();
    let output = crate::bench(&["peer-redis"], directory.path()).output().unwrap();
    let said = stderr(&output);
    assert_eq!(output.status.code(), Some(1), "{said}");
    assert!(said.contains("redis-server has ended, exit status: 3"), "{said}");
}

#[test]
fn help_says_what_each_row_is() {
    let (output, _) = bench(&["--help"]);
    let text = stdout(&output);
    for (name, about) in BENCHMARKS.iter().flat_map(|benchmark| benchmark.rows) {
        let begin = about.split(' ').take(4).collect::<Vec<_>>().join(" ");
        let is_told = |line: &str| line.trim_start().starts_with(name) && line.contains(&begin);
        assert!(text.lines().any(is_told), "{name}: {text}");
    }
    assert!(text.contains("Example: topology bench lookup"), "{text}");
    // Whoever only wants to see it run need not guess how.
    assert!(["--rounds <N>", "--queries <N>"].iter().all(|option| text.contains(option)), "{text}");
}
