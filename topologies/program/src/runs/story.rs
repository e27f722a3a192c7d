//! A failing run written down: what broke, the command line that shows it, and what that prints.
//!
//! It makes the text and the file. That a story is told the same later is for the tests that read it.

use std::fs;
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use super::batch;
use super::report::{Printer, ShownRun};
use sim::Engine;
use sim::plan::Plan;
use sim::scene::Scene;
use sim::shapes::Shape;

/// More names than this for one seed are a mistake.
const NAMES_MAX: u32 = 1_000;

/// What `topology sim` prints of this run, but for what it would say of a smaller one.
pub fn told(plan: &Plan, engine: Engine) -> anyhow::Result<String> {
    table(&batch::run(plan, false, engine)?)
}

fn table(report: &ShownRun) -> anyhow::Result<String> {
    let mut text = Vec::new();
    let mut printer = Printer::new(&mut text, false);
    printer.add(report)?;
    printer.end()?;
    Ok(String::from_utf8(text)?)
}

/// The story of a failing run that was made small. It says nothing of the day or the machine.
pub fn of(found: &Plan, smallest: &Plan, engine: Engine) -> anyhow::Result<String> {
    let report = batch::run(smallest, false, engine)?;
    let scene = Scene::draw(smallest)?;
    let mut lines = Vec::new();
    for broken in &report.broken {
        lines.push(format!("# What broke: {broken}"));
    }
    let servents: Vec<String> =
        (0..).zip(&scene.absent).filter(|(_, gone)| !**gone).map(|(s, _): (u32, _)| format!("s{s}")).collect();
    let all = scene.graph.servents();
    if servents.len() < all {
        lines.push(format!("# Of {all} servents are left: {}", servents.join(" ")));
    }
    for fault in &scene.faults {
        let befallen: Vec<String> = fault.servents.iter().map(|servent| format!("s{servent}")).collect();
        lines.push(format!(
            "# What goes wrong: f{}, {} of {} at {:.3} s for {:.3} s",
            fault.number,
            fault.kind.name(),
            if befallen.is_empty() { "all clients".to_owned() } else { befallen.join(" ") },
            fault.at.as_secs_f64(),
            fault.lasts.as_secs_f64()
        ));
    }
    if found != smallest {
        lines.push(format!("# Made small from: {}", found.command_line()));
    }
    lines.push(smallest.command_line());
    lines.push("----".to_owned());
    Ok(lines.join("\n") + "\n" + &table(&report)?)
}

/// Writes a story to a directory, under the name of its shape and seed, and says where. One that is there already under
/// this name is left alone: somebody may have written more into it.
pub fn keep(directory: &Path, plan: &Plan, text: &str) -> io::Result<PathBuf> {
    let shape = match &plan.shape {
        Shape::Declared(declared) => {
            Path::new(&declared.name).file_stem().unwrap_or_default().to_string_lossy().into_owned()
        }
        drawn => drawn.to_string(),
    };
    for turn in 1..=NAMES_MAX {
        let turn = if turn == 1 { String::new() } else { format!("-{turn}") };
        let path = directory.join(format!("{shape}-{}{turn}.txt", plan.seed));
        match fs::File::create_new(&path) {
            Ok(mut file) => {
                file.write_all(text.as_bytes())?;
                return Ok(path);
            }
            Err(error) if error.kind() == io::ErrorKind::AlreadyExists => {
                if fs::read(&path)? == text.as_bytes() {
                    return Ok(path);
                }
            }
            Err(error) => return Err(error),
        }
    }
    Err(io::Error::new(io::ErrorKind::AlreadyExists, "too many stories of this seed"))
}
