//! Instructions are counted where valgrind is there, come to the same each time, and are missed without a fuss where it is
//! not.

use topology::bench::instructions::{CountedWork, InstructionCount, ROWS, count};

use crate::bench;
use crate::support::{DEBUG_WARNING, stderr, stdout};

#[test]
fn the_same_work_comes_to_the_same_count() {
    let relay = |queries| count(CountedWork::Relay, 30, queries).unwrap();
    let counted = [relay(50), relay(50), relay(100)];
    if counted[0] == InstructionCount::NoValgrind {
        assert!(counted.iter().all(|counted| *counted == InstructionCount::NoValgrind));
        eprintln!("skipped: no valgrind");
        return;
    }
    let figures = counted.map(|counted| match counted {
        InstructionCount::PerMessage(instructions) => instructions,
        InstructionCount::NoValgrind => panic!("valgrind was there"),
    });
    // A debug build needs ten times as many; nothing at all would be a sign that the name that is counted is not found.
    assert!(figures[0] > 1000.0, "{figures:?}");
    let apart = |one: f64, other: f64| (one / other - 1.0).abs();
    assert!(apart(figures[0], figures[1]) < 0.02, "{figures:?}");
    // What comes before and after is not counted; a table that is made larger is.
    assert!(apart(figures[0], figures[2]) < 0.25, "{figures:?}");
}

#[test]
fn without_valgrind_every_row_says_so_and_nothing_fails() {
    let names: Vec<&str> = ROWS.iter().map(|(name, _)| *name).collect();
    let output = bench(&names, "/nowhere").output().unwrap();
    let text = stdout(&output);
    assert_eq!((output.status.code(), stderr(&output).as_str()), (Some(0), DEBUG_WARNING), "{text}");
    let lines: Vec<&str> = text.lines().collect();
    assert_eq!(lines.len(), 1 + names.len(), "{text}");
    for (line, name) in lines[1..].iter().zip(&names) {
        assert_eq!(line.split_whitespace().next(), Some(*name));
        assert!(line.ends_with("not measured: no valgrind"), "{line}");
    }
    let output = bench(&["instructions-relay", "--json"], "/nowhere").output().unwrap();
    let row: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(row["not_measured"], "no valgrind");
    assert!(row["value"].is_null() && row["met"].is_null(), "{row}");
}
