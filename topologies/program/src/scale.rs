//! How a flood grows with TTL, degree and size: the runs behind docs/SCALE.md, and what is made of them.
//!
//! Runs are `sim`'s, and charts are drawn by `runs::chart`; which tables and charts there are is `page`. What was
//! measured is kept as one line per run (docs/scale/runs.jsonl), without anything that depends on the machine: so the
//! page can be drawn again from it at once, and any line of it measured again alone.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::thread;

use anyhow::{Context, bail};
use clap::Args;
use serde::{Deserialize, Serialize};

use crate::runs::batch;
use sim::outcome::RunOutcome;
use sim::plan::{ClientVia, Delays, DiskKind, Faults, Plan, Wire};
use sim::scene::Scene;
use sim::shapes::Shape;
use sim::shapes::built_degree;

pub mod page;

/// The shapes that are compared: any two alike, neighborhoods with some links astray, hubs, and a plane.
pub const SHAPES: [Shape; 4] = [Shape::Random, Shape::SmallWorld, Shape::ScaleFree, Shape::Grid];
/// The sizes.
pub const SIZES: [usize; 5] = [100, 1000, 10_000, 100_000, 1_000_000];
/// The degree where it is not what is varied. A grid has its own, 4.
pub const DEGREE: usize = 8;
/// The TTLs that are followed over all sizes: the default, the most that others accept, and the most there is.
pub const TTLS: [u8; 3] = [3, 7, 15];
/// The size at which every TTL is measured.
pub const TTL_SIZE: usize = 100_000;
/// The most there is.
pub const TTL_MOST: u8 = 15;
/// The size at which degrees are compared.
pub const DEGREE_SIZE: usize = 10_000;
/// The degrees.
pub const DEGREES: [usize; 9] = [2, 3, 4, 6, 8, 12, 16, 24, 32];
/// The overlay that Gnutella's defaults made: 4 neighbors, and 7 links far, which is TTL 6 here.
pub const GNUTELLA: (usize, u8) = (4, 6);

/// How many runs are averaged at a size: small overlays differ from each other, large ones hardly, unless some servents
/// have many more neighbors than others. Then much depends on where the contact is.
#[must_use]
pub fn seeds(shape: &Shape, servents: usize) -> u64 {
    match (servents <= 10_000, shape) {
        (true, _) => 5,
        (false, Shape::ScaleFree) => 6,
        (false, _) => 1,
    }
}

/// Those of [`DEGREES`] that an overlay of a shape can have: a grid leaves no choice, and a small world has even ones only.
pub fn degrees(shape: &Shape) -> impl Iterator<Item = usize> {
    DEGREES.into_iter().filter(move |degree| built_degree(shape, DEGREE_SIZE, *degree) == Some(*degree))
}

/// Where the runs are kept, beside the charts.
pub const RUNS: &str = "runs.jsonl";

/// The command line of `topology scale`.
#[derive(Args, Clone, Debug)]
pub struct Options {
    /// Where the page is: SCALE.md, and what belongs to it in scale/
    #[arg(long, value_name = "DIR", default_value = "docs")]
    out: std::path::PathBuf,

    /// Measure only overlays of so many servents at most; of larger ones what is kept stays
    #[arg(long, value_name = "N", default_value_t = 1_000_000)]
    servents_max: usize,

    /// Measure only what was never measured
    #[arg(long)]
    only_new: bool,
}

/// What came of one query on one overlay.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Run {
    /// What makes it: `topology sim` and its options.
    pub command: String,
    /// Links of the overlay.
    pub links: u64,
    /// Servents the query came to.
    pub reached: u64,
    /// Copies that crossed a link.
    pub copies: u64,
    /// Those of them that brought nothing new.
    pub duplicates: u64,
    /// Echoes that crossed a link.
    pub echoes: u64,
    /// Servents where the TTL ended it with neighbors unasked.
    pub stopped: i64,
    /// What one idle servent holds in memory, on average.
    pub bytes_per_servent: u64,
}

/// The runs there are, by command.
pub type Runs = BTreeMap<String, Run>;

/// A run of a study.
#[must_use]
pub fn plan(shape: &Shape, servents: usize, degree: usize, ttl: u8, seed: u64) -> Plan {
    Plan {
        shape: shape.clone(),
        servents,
        degree,
        ttl,
        queries: 1,
        holders: 10,
        seed,
        delays: Delays::Equal,
        faults: Faults::default(),
        wire: Wire::None,
        via: ClientVia::Direct,
        forward_once: 0,
        with_members: false,
        contents: 0,
        liars: 0,
        writes: 0,
        disk: DiskKind::Quick,
        watch: None,
        without: BTreeSet::new(),
    }
}

/// Every run of every study, each once, in the order of the file.
#[must_use]
pub fn plans() -> Vec<Plan> {
    let mut wanted = Vec::new();
    let mut add = |shape: &Shape, servents: usize, degree: usize, ttl: u8| {
        wanted.extend((1..=seeds(shape, servents)).map(|seed| plan(shape, servents, degree, ttl, seed)));
    };
    for shape in &SHAPES {
        for servents in SIZES {
            let all = servents == TTL_SIZE;
            for ttl in (0..=TTL_MOST).filter(|ttl| all || TTLS.contains(ttl)) {
                add(shape, servents, DEGREE, ttl);
            }
        }
        for degree in degrees(shape).filter(|degree| *degree != DEGREE) {
            add(shape, DEGREE_SIZE, degree, TTL_MOST);
        }
    }
    for servents in SIZES {
        add(&Shape::Random, servents, GNUTELLA.0, GNUTELLA.1);
    }
    wanted
}

impl Run {
    /// What is kept of a run. One that is not as its oracle says has no place here.
    pub fn new(plan: &Plan, outcome: &RunOutcome) -> anyhow::Result<Run> {
        let command = plan.command_line();
        if !outcome.broken.is_empty() {
            bail!("{command}: {}", outcome.broken.join("; "));
        }
        Ok(Run {
            command,
            links: outcome.links as u64,
            reached: outcome.reached,
            copies: outcome.copies,
            duplicates: outcome.duplicates,
            echoes: outcome.echoes,
            stopped: outcome.stopped,
            bytes_per_servent: outcome.bytes_per_servent,
        })
    }
}

/// Measures plans that differ in their TTL alone on one overlay, which is drawn once.
fn measure(plans: &[Plan]) -> anyhow::Result<Vec<Run>> {
    let Some(first) = plans.first() else { return Ok(Vec::new()) };
    let mut scene = Scene::draw(first)?;
    let mut runs = Vec::new();
    for plan in plans {
        scene.plan.ttl = plan.ttl;
        scene.ttls.fill(plan.ttl);
        runs.push(Run::new(plan, &sim::run(&scene))?);
    }
    Ok(runs)
}

/// Measures plans, on every core.
pub fn measure_all(plans: &[Plan]) -> anyhow::Result<Runs> {
    let mut overlays: BTreeMap<(usize, String, usize, u64), Vec<Plan>> = BTreeMap::new();
    for plan in plans {
        let overlay = (plan.servents, plan.shape.to_string(), plan.degree, plan.seed);
        overlays.entry(overlay).or_default().push(plan.clone());
    }
    let threads = thread::available_parallelism().map_or(1, usize::from);
    let mut runs = Runs::new();
    batch::in_order(
        overlays.into_values(),
        threads,
        |plans| measure(&plans),
        |measured| {
            runs.extend(measured?.into_iter().map(|run| (run.command.clone(), run)));
            anyhow::Ok(())
        },
    )?;
    Ok(runs)
}

/// Reads runs that were kept.
pub fn read(text: &str) -> anyhow::Result<Runs> {
    let run = |(line, text): (usize, &str)| -> anyhow::Result<(String, Run)> {
        let run: Run = serde_json::from_str(text).with_context(|| format!("line {}", line + 1))?;
        Ok((run.command.clone(), run))
    };
    text.lines().enumerate().map(run).collect()
}

/// Runs as they are kept: those of the studies, in their order.
pub fn write(runs: &Runs) -> anyhow::Result<String> {
    let mut text = String::new();
    for plan in plans() {
        let command = plan.command_line();
        let run = runs.get(&command).with_context(|| format!("not measured: {command}"))?;
        text += &serde_json::to_string(run)?;
        text.push('\n');
    }
    Ok(text)
}

/// Measures, and writes the runs, the charts and the tables.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let page = options.out.join("SCALE.md");
    let directory = options.out.join("scale");
    let kept = directory.join(RUNS);
    let prose = fs::read_to_string(&page).with_context(|| format!("cannot read {}", page.display()))?;
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;

    let mut wanted = plans();
    let mut runs = Runs::new();
    if options.only_new || wanted.iter().any(|plan| plan.servents > options.servents_max) {
        let text = fs::read_to_string(&kept).with_context(|| format!("cannot read {}", kept.display()))?;
        runs = read(&text).with_context(|| format!("cannot read {}", kept.display()))?;
    }
    wanted.retain(|plan| plan.servents <= options.servents_max);
    wanted.retain(|plan| !(options.only_new && runs.contains_key(&plan.command_line())));
    runs.extend(measure_all(&wanted)?);

    save(&kept, &write(&runs)?)?;
    for (name, chart) in page::charts(&runs)? {
        save(&directory.join(name), &chart.svg())?;
    }
    save(&page, &page::fill_in(&prose, &runs)?)
}

fn save(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}
