//! What becomes of a failing run: it is made small, printed as one command line, and kept as a story.
//!
//! The code that ships has no defect to find, so the engines here are the real one with a broken invariant told on top.

use std::fs;
use std::io::{self, Write};
use std::path::Path;

use serde_json::Value;
use sim::Engine;
use sim::outcome::RunOutcome;
use sim::plan::{FaultKind, Plan};
use sim::scene::Scene;
use topology::runs::{runner, story};

use crate::lines::options;

fn plan(line: &str) -> Plan {
    options(line).plans().unwrap().next().unwrap()
}

/// Whether it was well, and what went to stdout and to stderr.
fn run(line: &str, engine: Engine) -> (bool, String, String) {
    let options = options(line);
    let (mut out, mut err) = (Vec::new(), Vec::new());
    let well = runner::run(&options, options.plans().unwrap(), engine, &mut out, &mut err).unwrap();
    (well, String::from_utf8(out).unwrap(), String::from_utf8(err).unwrap())
}

/// An output that was closed after so many bytes.
struct Closed(usize);

impl Write for Closed {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let count = bytes.len().min(self.0);
        self.0 -= count;
        if count > 0 { Ok(count) } else { Err(io::ErrorKind::BrokenPipe.into()) }
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Wrong whenever somebody crashes and servent 3 is there.
fn fails_on_a_crash(scene: &Scene) -> RunOutcome {
    let mut outcome = sim::run(scene);
    if let Some(crash) = scene.faults.iter().find(|fault| fault.kind == FaultKind::Crash)
        && scene.absent.get(3) == Some(&false)
    {
        outcome.broken.push(format!("s3 minds the crash of s{}", crash.servents[0]));
    }
    outcome
}

/// As `fails_on_a_crash`, in the way a mistake in the code shows itself most often.
fn panics_on_a_crash(scene: &Scene) -> RunOutcome {
    let outcome = fails_on_a_crash(scene);
    assert!(outcome.broken.is_empty(), "index out of bounds:\n  {}", outcome.broken[0]);
    outcome
}

fn words_after<'a>(text: &'a str, what: &str) -> Vec<&'a str> {
    text.lines().filter_map(|line| line.trim().strip_prefix(what)).collect()
}

fn files_in(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> =
        fs::read_dir(directory).unwrap().map(|entry| entry.unwrap().file_name().into_string().unwrap()).collect();
    names.sort();
    names
}

#[test]
fn a_failing_run_is_made_small_and_printed_and_kept() {
    let directory = tempfile::tempdir().unwrap();
    let line = "topology sim grid --servents 30 --faults wild,crash=2 --queries 3 --delays heavy --seed 7";
    let kept = directory.path().join("new");
    let (well, out, err) = run(&format!("{line} --keep {}", kept.display()), fails_on_a_crash);
    assert!(!well);
    let again = words_after(&out, "to see it again: ");
    let smallest = words_after(&out, "smallest: ");
    assert_eq!((again.len(), smallest.len()), (1, 1), "{out}");
    assert!(err.starts_with(&format!("failed, and is made small: {}\n", again[0])), "{err}");

    // It fails as it is, in itself and not by luck, and nothing of it can be left out.
    let small = plan(smallest[0]);
    assert_eq!(small.command_line(), smallest[0]);
    let scene = Scene::draw(&small).unwrap();
    assert!(!fails_on_a_crash(&scene).broken.is_empty());
    assert_eq!((scene.faults.len(), scene.queries.len()), (1, 0), "{}", smallest[0]);
    assert!(scene.servents_here() <= 2, "{}", smallest[0]);
    let (well, out, _) = run(smallest[0], fails_on_a_crash);
    assert!(!well && out.ends_with("  smallest: the same\n"), "{out}");

    // The story is the run of that command line, told as it is told ever after.
    assert_eq!(files_in(&kept), ["grid-7.txt"]);
    let path = kept.join("grid-7.txt");
    let text = fs::read_to_string(&path).unwrap();
    let (head, told) = text.split_once("----\n").unwrap();
    assert!(head.starts_with("# What broke: s3 minds the crash of s"), "{text}");
    assert!(head.contains("# What goes wrong: f500") && head.contains(again[0]), "{text}");
    assert_eq!(head.lines().last(), Some(smallest[0]));
    assert!(head.lines().rev().skip(1).all(|line| line.starts_with('#')));
    assert_eq!(told, story::told(&small, fails_on_a_crash).unwrap());
    assert!(told.contains("\n  broken: s3 minds the crash of s"));

    // Found again, it is the same story; what somebody wrote into it is not lost.
    run(&format!("{line} --keep {}", kept.display()), fails_on_a_crash);
    assert_eq!(files_in(&kept), ["grid-7.txt"]);
    fs::write(&path, "mine").unwrap();
    run(&format!("{line} --keep {}", kept.display()), fails_on_a_crash);
    assert_eq!(files_in(&kept), ["grid-7-2.txt", "grid-7.txt"]);
    assert_eq!(fs::read_to_string(&path).unwrap(), "mine");
    assert_eq!(fs::read_to_string(kept.join("grid-7-2.txt")).unwrap(), text);
}

#[test]
fn a_kept_story_is_the_run_as_well_once_the_defect_is_gone() {
    let line = "topology sim ring --servents 6 --faults crash=1 --seed 3";
    let (_, out, _) = run(line, fails_on_a_crash);
    let small = plan(words_after(&out, "smallest: ")[0]);
    let (before, after) = (story::told(&small, fails_on_a_crash).unwrap(), story::told(&small, sim::run).unwrap());
    assert!(before.starts_with(&after) && before.len() > after.len());
    assert!(!after.contains("broken"));
}

/// Wrong whenever a fetch was cut short.
fn fails_on_a_cut(scene: &Scene) -> RunOutcome {
    let mut outcome = sim::run(scene);
    if outcome.contents.is_some_and(|contents| contents.cuts > 0) {
        outcome.broken.push("a fetch was cut short".to_owned());
    }
    outcome
}

#[test]
fn a_failing_run_with_contents_is_made_small_and_kept_with_one_fetch_of_one() {
    let directory = tempfile::tempdir().unwrap();
    let line = "topology sim chain --servents 4 --contents 2 --holders 2 --liars 1 --disk wild --faults mild --seed 4";
    let (well, out, _) = run(&format!("{line} --keep {}", directory.path().display()), fails_on_a_cut);
    let small = plan(words_after(&out, "smallest: ")[0]);
    let scene = Scene::draw(&small).unwrap();
    assert_eq!((well, scene.contents.len(), scene.fetches.len()), (false, 1, 1), "{out}");
    assert!(scene.faults.is_empty() && scene.servents_here() <= 2, "{out}");
    let text = fs::read_to_string(directory.path().join("chain-4.txt")).unwrap();
    let (head, told) = text.split_once("----\n").unwrap();
    assert!(head.contains("# What broke: a fetch was cut short") && head.contains("--contents"), "{text}");
    assert!(told == story::told(&small, fails_on_a_cut).unwrap() && told.contains("  contents: of 1 fetch "), "{text}");
}

#[test]
fn a_panic_is_made_small_as_well() {
    let (well, out, _) = run("topology sim ring --servents 20 --faults wild,crash=1 --seed 5", panics_on_a_crash);
    assert!(!well);
    assert!(words_after(&out, "broken: panicked: index out of bounds: s3 minds the crash of s").len() == 1, "{out}");
    let smallest = plan(words_after(&out, "smallest: ")[0]);
    assert!(Scene::draw(&smallest).unwrap().servents_here() <= 2);
}

#[test]
fn of_many_failing_runs_the_first_are_made_small() {
    let directory = tempfile::tempdir().unwrap();
    let keep = format!("--keep {}", directory.path().display());
    let line = format!("topology sim any --seeds 0..20 --faults mild,crash=0..1 {keep}");
    let (well, out, _) = run(&format!("{line} --json"), fails_on_a_crash);
    assert!(!well);
    let runs: Vec<Value> = out.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let failed: Vec<&Value> = runs.iter().filter(|run| run["broken"] != Value::Array(Vec::new())).collect();
    assert!(runs.len() == 20 && failed.len() > runner::SHRUNK_MAX);
    for (place, run) in failed.iter().enumerate() {
        assert_eq!(run["smallest"].is_string(), place < runner::SHRUNK_MAX, "{run}");
        assert_eq!(run["kept"].is_string(), place < runner::SHRUNK_MAX, "{run}");
    }
    assert_eq!(files_in(directory.path()).len(), runner::SHRUNK_MAX);
    assert!(runs.iter().all(|run| run["smallest"].is_null() || failed.contains(&run)));
    // The same whatever the threads did, and as a table.
    let (_, table, _) = run(&line, fails_on_a_crash);
    let smallest = failed.iter().filter_map(|run| run["smallest"].as_str());
    assert!(words_after(&table, "smallest: ").into_iter().eq(smallest));
}

#[test]
fn where_a_story_cannot_be_kept_it_is_said_before_anything_runs() {
    let directory = tempfile::tempdir().unwrap();
    let file = directory.path().join("file");
    fs::write(&file, "").unwrap();
    let options = options(&format!("topology sim ring --keep {}", file.display()));
    let mut out = Vec::new();
    let error = runner::run(&options, options.plans().unwrap(), sim::run, &mut out, Vec::new()).unwrap_err();
    assert!(format!("{error:#}").contains("cannot make") && out.is_empty(), "{error:#}");
}

#[test]
fn what_is_well_is_not_made_small_and_nothing_is_kept() {
    let directory = tempfile::tempdir().unwrap();
    let line = format!("topology sim ring --servents 9 --faults mild --keep {}", directory.path().display());
    let (well, out, _) = run(&line, sim::run);
    assert!(well && !out.contains("smallest") && files_in(directory.path()).is_empty());
}

#[test]
fn what_broke_before_the_output_was_closed_has_broken() {
    let options = options("topology sim ring --servents 12 --seeds 0..40 --faults crash=1");
    let seeds: Vec<Plan> = options.plans().unwrap().collect();
    assert!(seeds.iter().any(|plan| !fails_on_a_crash(&Scene::draw(plan).unwrap()).broken.is_empty()));
    let closed = |engine: Engine, bytes| {
        runner::run(&options, options.plans().unwrap(), engine, Closed(bytes), io::sink()).unwrap()
    };
    assert!(!closed(fails_on_a_crash, 4_000));
    assert!(closed(sim::run, 4_000), "nothing broke");
}
