//! docs/SCALE.md against what it is made of: no table, chart or command of it is older than the code.
//!
//! What is small is measured again; all of it is drawn again. `make scale` measures the large ones.

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;

use sim::plan::Plan;
use sim::scene::Scene;
use topology::scale::{self, Run, page};

/// The copies a run may cost to be measured again here: some milliseconds of them.
const COPIES_MAX: u64 = 20_000;
const SERVENTS_MAX: usize = 10_000;

fn docs() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../docs")
}

fn read(name: &str) -> String {
    let path = docs().join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn kept() -> scale::Runs {
    scale::read(&read("scale/runs.jsonl")).unwrap()
}

#[test]
fn the_runs_are_those_of_the_studies() {
    assert_eq!(scale::write(&kept()).unwrap(), read("scale/runs.jsonl"), "`make scale` makes it anew");
}

#[test]
fn small_runs_come_to_what_is_kept() {
    let kept = kept();
    let small = |plan: &Plan| plan.servents <= SERVENTS_MAX && kept[&plan.command_line()].copies <= COPIES_MAX;
    let plans: Vec<Plan> = scale::plans().into_iter().filter(small).collect();
    assert!(plans.len() > 150, "{}", plans.len());
    let measured = scale::measure_all(&plans).unwrap();
    assert_eq!(measured.len(), plans.len());
    for (command, run) in measured {
        assert_eq!(run, kept[&command], "`make scale` makes it anew");
    }
}

#[test]
fn an_overlay_that_is_shared_by_ttls_is_the_one_each_would_have() {
    let plan = scale::plan(&scale::SHAPES[2], 100, scale::DEGREE, 7, 1);
    let alone = Run::new(&plan, &sim::run(&Scene::draw(&plan).unwrap())).unwrap();
    assert_eq!(alone, kept()[&plan.command_line()]);
}

#[test]
fn what_every_run_claims_adds_up() {
    for run in kept().into_values() {
        let command = &run.command;
        assert_eq!(run.copies, run.duplicates + run.reached - 1, "{command}");
        assert_eq!(run.echoes, run.copies, "{command}");
        let words: Vec<&str> = command.split(' ').collect();
        let servents: u64 = words[words.iter().position(|word| *word == "--servents").unwrap() + 1].parse().unwrap();
        assert!(run.reached <= servents, "{command}");
        if run.stopped == 0 && run.reached == servents {
            assert_eq!(run.copies, 2 * run.links - (servents - 1), "{command}");
        }
    }
}

#[test]
fn charts_and_tables_are_drawn_from_the_runs() {
    let runs = kept();
    let charts = page::charts(&runs).unwrap();
    let mut files: BTreeSet<String> = fs::read_dir(docs().join("scale"))
        .unwrap()
        .map(|file| file.unwrap().file_name().into_string().unwrap())
        .collect();
    let page = read("SCALE.md");
    for (name, chart) in charts {
        let svg = chart.svg();
        assert!(svg.len() < 100_000, "{name}: {}", svg.len());
        assert_eq!(svg, read(&format!("scale/{name}")), "{name}: `make scale` makes it anew");
        assert!(page.contains(&format!("](scale/{name})")), "{name} is not on the page");
        assert!(files.remove(&name));
    }
    assert_eq!(files.into_iter().collect::<Vec<_>>(), [scale::RUNS]);
    assert_eq!(page::fill_in(&page, &runs).unwrap(), page, "`make scale` makes it anew");
}
