//! The tables and charts of docs/SCALE.md, from runs that were measured.
//!
//! Prose is written by hand; every figure of a table stands between two marks of the page, with the command that makes
//! it, and is put there from here. Nothing is measured here.

use anyhow::{Context, bail};
use common::limits::{CONTACT_QUIET_MAX, CONTACTS_MAX};

use super::{
    DEGREE, DEGREE_SIZE, DEGREES, GNUTELLA, Run, Runs, SHAPES, SIZES, TTL_MOST, TTL_SIZE, TTLS, degrees, plan, seeds,
};
use crate::runs::chart::{Chart, Series};
use sim::plan::Plan;
use sim::shapes::Shape;

/// The bytes of a query for `kernel` and of its echo, with their lengths: the examples of docs/PROTOCOL.md, which a
/// test of `common` compares with the code.
const QUERY_BYTES: f64 = 46.0;
const ECHO_BYTES: f64 = 41.0;
/// Headers of IPv4 and TCP, where each message travels alone.
const HEADER_BYTES: f64 = 40.0;

const LARGEST: usize = SIZES[SIZES.len() - 1];
/// The sizes for which the cost of asking everybody is worked out; the last two are beyond what was measured.
const INTERNET_SIZES: [f64; 6] = [1e3, 1e4, 1e5, 1e6, 1e7, 1e8];
/// Queries that each user asks in a minute.
const PER_MINUTE: [f64; 3] = [0.1, 1.0, 10.0];

/// What the runs of several seeds come to, on average.
#[derive(Clone, Copy, Debug, Default)]
struct Mean {
    links: f64,
    reached: f64,
    least: u64,
    most: u64,
    copies: f64,
    duplicates: f64,
    echoes: f64,
    bytes: f64,
}

fn mean(runs: &Runs, shape: &Shape, servents: usize, degree: usize, ttl: u8) -> anyhow::Result<Mean> {
    let commands = (1..=seeds(shape, servents)).map(|seed| plan(shape, servents, degree, ttl, seed).command_line());
    let found: Vec<&Run> = commands
        .map(|command| runs.get(&command).with_context(|| format!("not measured: {command}")))
        .collect::<anyhow::Result<_>>()?;
    let average = |what: fn(&Run) -> u64| found.iter().map(|run| what(run) as f64).sum::<f64>() / found.len() as f64;
    Ok(Mean {
        links: average(|run| run.links),
        reached: average(|run| run.reached),
        least: found.iter().map(|run| run.reached).min().unwrap_or_default(),
        most: found.iter().map(|run| run.reached).max().unwrap_or_default(),
        copies: average(|run| run.copies),
        duplicates: average(|run| run.duplicates),
        echoes: average(|run| run.echoes),
        bytes: average(|run| run.bytes_per_servent),
    })
}

impl Mean {
    fn range(&self) -> (f64, f64) {
        (self.least as f64, self.most as f64)
    }

    /// How many were reached, with the range beside it where the runs differ.
    fn reached_and_range(&self) -> String {
        let (least, most) = self.range();
        let spread = if least < most { format!(" ({} to {})", grouped(least), grouped(most)) } else { String::new() };
        format!("{}{spread}", grouped(self.reached))
    }
}

/// Points at a height, each with the range it stands for.
type Points = Vec<(f64, f64, (f64, f64))>;

/// A chart with a line per shape.
fn by_shape(
    title: &str,
    (x_label, x_log): (&str, bool),
    (y_label, y_log): (&str, bool),
    points: impl Fn(&Shape) -> anyhow::Result<Points>,
) -> anyhow::Result<Chart> {
    let line = |shape: &Shape| {
        let found = points(shape)?;
        let points = found.iter().map(|(x, y, _)| (*x, *y)).collect();
        let ranges = found.iter().map(|(x, _, (low, high))| (*x, *low, *high)).collect();
        anyhow::Ok(Series { name: shape.to_string(), points, ranges })
    };
    Ok(Chart {
        title: title.to_owned(),
        x_label: x_label.to_owned(),
        y_label: y_label.to_owned(),
        x_log,
        y_log,
        series: SHAPES.iter().map(line).collect::<anyhow::Result<_>>()?,
    })
}

/// Every chart, with the name of its file.
pub fn charts(runs: &Runs) -> anyhow::Result<Vec<(String, Chart)>> {
    let mut charts = Vec::new();
    let title = format!("Reach by TTL, {} servents", grouped(TTL_SIZE as f64));
    let chart = by_shape(&title, ("TTL", false), ("servents reached", true), |shape| {
        let point = |ttl| {
            let mean = mean(runs, shape, TTL_SIZE, DEGREE, ttl)?;
            Ok((f64::from(ttl), mean.reached, mean.range()))
        };
        (0..=TTL_MOST).map(point).collect()
    })?;
    charts.push(("reach-by-ttl.svg".to_owned(), chart));
    for ttl in TTLS {
        let title = format!("Reach by size, TTL {ttl}");
        let chart = by_shape(&title, ("servents", true), ("servents reached", true), |shape| {
            let point = |servents| {
                let mean = mean(runs, shape, servents, DEGREE, ttl)?;
                Ok((servents as f64, mean.reached, mean.range()))
            };
            SIZES.into_iter().map(point).collect()
        })?;
        charts.push((format!("reach-by-size-ttl{ttl}.svg"), chart));
    }
    let title = format!("Copies of one query by size, TTL {TTL_MOST}");
    let chart = by_shape(&title, ("servents", true), ("copies", true), |shape| {
        let point = |servents| {
            let copies = mean(runs, shape, servents, DEGREE, TTL_MOST)?.copies;
            Ok((servents as f64, copies, (copies, copies)))
        };
        SIZES.into_iter().map(point).collect()
    })?;
    charts.push(("copies-by-size.svg".to_owned(), chart));
    let size = grouped(DEGREE_SIZE as f64);
    let title = format!("Copies per servent reached by degree, {size} servents, TTL {TTL_MOST}");
    let chart = by_degree(&title, "copies per servent reached", |shape, degree| {
        let mean = mean(runs, shape, DEGREE_SIZE, degree, TTL_MOST)?;
        Ok(mean.copies / mean.reached)
    })?;
    charts.push(("copies-by-degree.svg".to_owned(), chart));
    let title = format!("Memory of an idle servent by degree, {size} servents");
    let chart =
        by_degree(&title, "bytes", |shape, degree| Ok(mean(runs, shape, DEGREE_SIZE, degree, TTL_MOST)?.bytes))?;
    charts.push(("memory-by-degree.svg".to_owned(), chart));
    charts.push(("internet.svg".to_owned(), internet_chart(runs)?));
    Ok(charts)
}

fn by_degree(
    title: &str,
    y_label: &str,
    value: impl Fn(&Shape, usize) -> anyhow::Result<f64>,
) -> anyhow::Result<Chart> {
    let mut chart = by_shape(title, ("degree", false), (y_label, false), |shape| {
        let point = |degree| value(shape, degree).map(|value| (degree as f64, value, (value, value)));
        degrees(shape).map(point).collect()
    })?;
    chart.series.retain(|line| !line.points.is_empty());
    Ok(chart)
}

/// Bytes a second that every servent sends where every query goes to everybody.
fn bytes_a_second(copies_per_servent: f64, servents: f64, per_minute: f64) -> f64 {
    per_minute / 60.0 * copies_per_servent * servents * (QUERY_BYTES + ECHO_BYTES)
}

/// Copies of one query per servent, where everybody is reached.
fn copies_per_servent(runs: &Runs) -> anyhow::Result<f64> {
    let mean = mean(runs, &Shape::Random, LARGEST, DEGREE, TTL_MOST)?;
    if mean.least != LARGEST as u64 {
        bail!("not everybody is reached");
    }
    Ok(mean.copies / mean.reached)
}

fn internet_chart(runs: &Runs) -> anyhow::Result<Chart> {
    let each = copies_per_servent(runs)?;
    let line = |per_minute: f64| Series {
        name: format!("{per_minute} a minute"),
        points: INTERNET_SIZES.map(|servents| (servents, bytes_a_second(each, servents, per_minute) * 8.0)).to_vec(),
        ranges: Vec::new(),
    };
    Ok(Chart {
        title: "What every servent sends when every query goes to everybody".to_owned(),
        x_label: "servents, each with a user who asks so often".to_owned(),
        y_label: "bit/s, without headers".to_owned(),
        x_log: true,
        y_log: true,
        series: PER_MINUTE.map(line).to_vec(),
    })
}

/// The page with every table and command in its place.
pub fn fill_in(page: &str, runs: &Runs) -> anyhow::Result<String> {
    let mut filled = String::new();
    let mut rest = page;
    while let Some((before, after)) = rest.split_once("<!-- made: ") {
        let (name, after) = after.split_once(" -->\n").context("a mark does not end")?;
        let (_, after) = after.split_once("<!-- end -->").with_context(|| format!("{name} does not end"))?;
        filled += &format!("{before}<!-- made: {name} -->\n{}<!-- end -->", section(name, runs)?);
        rest = after;
    }
    filled += rest;
    Ok(filled)
}

fn section(name: &str, runs: &Runs) -> anyhow::Result<String> {
    match name {
        "ttl" => ttl_table(runs),
        "size" => size_table(runs),
        "formula" => formula_table(runs),
        "degree" => degree_table(runs),
        "gnutella" => gnutella_table(runs),
        "frames" => Ok(frames()),
        "internet" => internet_table(runs),
        "horizon" => horizon_table(runs),
        _ => bail!("the page wants `{name}`, which nobody makes"),
    }
}

/// The command that makes one row, as one types it.
fn command(plan: &Plan) -> String {
    format!("```\n$ target/release/{}\n```\n\n", plan.command_line())
}

/// A table under the words of its columns, which are given as they stand in their line.
fn table(head: &str, rows: &[Vec<String>]) -> String {
    let line = |cells: &str| format!("| {cells} |\n");
    let under = vec!["--:"; head.split(" | ").count()].join(" | ");
    rows.iter().fold(line(head) + &line(&under), |text, row| text + &line(&row.join(" | ")))
}

fn with_shapes(first: &str) -> String {
    format!("{first} | {}", SHAPES.each_ref().map(ToString::to_string).join(" | "))
}

fn ttl_table(runs: &Runs) -> anyhow::Result<String> {
    let mut rows = Vec::new();
    for ttl in 0..=TTL_MOST {
        let mut row = vec![ttl.to_string()];
        for shape in &SHAPES {
            row.push(mean(runs, shape, TTL_SIZE, DEGREE, ttl)?.reached_and_range());
        }
        rows.push(row);
    }
    Ok(command(&plan(&Shape::Random, TTL_SIZE, DEGREE, 3, 1)) + &table(&with_shapes("TTL"), &rows))
}

fn size_table(runs: &Runs) -> anyhow::Result<String> {
    let mut rows = Vec::new();
    for ttl in TTLS {
        for servents in SIZES {
            let mut row = vec![ttl.to_string(), grouped(servents as f64)];
            for shape in &SHAPES {
                row.push(mean(runs, shape, servents, DEGREE, ttl)?.reached_and_range());
            }
            rows.push(row);
        }
    }
    let head = with_shapes("TTL | servents");
    Ok(command(&plan(&Shape::ScaleFree, SIZES[2], DEGREE, TTLS[0], 1)) + &table(&head, &rows))
}

fn formula_table(runs: &Runs) -> anyhow::Result<String> {
    let mut rows = Vec::new();
    for shape in &SHAPES {
        for servents in SIZES {
            let mean = mean(runs, shape, servents, DEGREE, TTL_MOST)?;
            let whole = mean.least == servents as u64;
            let formula = 2.0 * mean.links - (servents as f64 - 1.0);
            rows.push(vec![
                shape.to_string(),
                grouped(servents as f64),
                grouped(mean.links),
                grouped(mean.reached),
                if whole { grouped(formula) } else { "(the TTL ends it)".to_owned() },
                grouped(mean.copies),
                grouped(mean.duplicates),
                grouped(mean.echoes),
            ]);
        }
    }
    let head = "shape | servents | links | reached | formula | copies | duplicates | echoes";
    Ok(command(&plan(&Shape::Random, LARGEST, DEGREE, TTL_MOST, 1)) + &table(head, &rows))
}

fn degree_table(runs: &Runs) -> anyhow::Result<String> {
    let mut rows = Vec::new();
    for degree in DEGREES {
        for shape in SHAPES.iter().filter(|shape| degrees(shape).any(|its| its == degree)) {
            let mean = mean(runs, shape, DEGREE_SIZE, degree, TTL_MOST)?;
            rows.push(vec![
                degree.to_string(),
                shape.to_string(),
                grouped(mean.links),
                grouped(mean.reached),
                format!("{:.2}", mean.copies / mean.reached),
                format!("{:.1} %", 100.0 * mean.duplicates / mean.copies),
                grouped(mean.bytes),
            ]);
        }
    }
    let head = "degree | shape | links | reached | copies per servent | duplicates | bytes per idle servent";
    Ok(command(&plan(&Shape::Random, DEGREE_SIZE, 32, TTL_MOST, 1)) + &table(head, &rows))
}

fn gnutella_table(runs: &Runs) -> anyhow::Result<String> {
    let (degree, ttl) = GNUTELLA;
    let bound = tree_bound(degree, ttl);
    let mut rows = Vec::new();
    for servents in SIZES {
        let mean = mean(runs, &Shape::Random, servents, degree, ttl)?;
        rows.push(vec![
            grouped(servents as f64),
            grouped(bound.min(servents as f64)),
            grouped(mean.reached),
            of_all(mean.reached, servents),
            grouped(mean.copies),
            format!("{:.1} %", 100.0 * mean.duplicates / mean.copies),
        ]);
    }
    let head = "servents | bound | reached | of all | copies | duplicates";
    Ok(command(&plan(&Shape::Random, LARGEST, degree, ttl, 1)) + &table(head, &rows))
}

/// A part of all servents. What is nearly all is not shown as all.
fn of_all(reached: f64, servents: usize) -> String {
    let percent = 100.0 * reached / servents as f64;
    if (99.5..100.0).contains(&percent) { format!("{percent:.2} %") } else { format!("{} %", significant(percent)) }
}

/// The most a TTL can reach where everybody has so many neighbors: a tree, and the contact.
fn tree_bound(degree: usize, ttl: u8) -> f64 {
    let each = degree as f64;
    1.0 + (0..=i32::from(ttl)).map(|depth| each * (each - 1.0).powi(depth)).sum::<f64>()
}

fn frames() -> String {
    let rows =
        [("query", QUERY_BYTES), ("echo", ECHO_BYTES), ("both", QUERY_BYTES + ECHO_BYTES)].map(|(name, bytes)| {
            let headers = if name == "both" { 2.0 * HEADER_BYTES } else { HEADER_BYTES };
            vec![name.to_owned(), grouped(bytes), grouped(bytes + headers)]
        });
    let head = "frame | bytes | bytes, alone in a segment of TCP over IPv4";
    "```\n$ cargo test -p common --test it wire::\n```\n\n".to_owned() + &table(head, &rows)
}

fn internet_table(runs: &Runs) -> anyhow::Result<String> {
    let each = copies_per_servent(runs)?;
    let contacts_max = f64::from(u32::try_from(CONTACTS_MAX)?);
    let with_headers = 1.0 + 2.0 * HEADER_BYTES / (QUERY_BYTES + ECHO_BYTES);
    let mut rows = Vec::new();
    for servents in INTERNET_SIZES {
        for per_minute in PER_MINUTE {
            let queries = servents * per_minute / 60.0;
            let bytes = bytes_a_second(each, servents, per_minute);
            // Whoever asks once in so long is remembered all the time.
            let contacts = servents.min(queries * CONTACT_QUIET_MAX.as_secs_f64());
            let fits = if contacts <= contacts_max { "yes" } else { "no" };
            rows.push(vec![
                grouped(servents),
                per_minute.to_string(),
                significant(queries),
                significant(2.0 * each * queries),
                format!("{}bit/s", with_unit(bytes * 8.0)),
                format!("{}bit/s", with_unit(bytes * 8.0 * with_headers)),
                significant(contacts),
                fits.to_owned(),
            ]);
        }
    }
    let head = "servents | queries per user and minute | new queries/s | messages/s sent by each servent | sent by each servent | with headers | contacts remembered | there is room for them";
    let note = format!(
        "\nCopies per servent and query: {each:.3}. A servent has room for {} contacts that were heard of within {} s.\n",
        grouped(contacts_max),
        CONTACT_QUIET_MAX.as_secs(),
    );
    Ok(command(&plan(&Shape::Random, LARGEST, DEGREE, TTL_MOST, 1)) + &table(head, &rows) + &note)
}

/// What a horizon costs instead: the same at every size.
fn horizon_table(runs: &Runs) -> anyhow::Result<String> {
    let mut rows = Vec::new();
    for (degree, ttl) in [(DEGREE, TTLS[0]), GNUTELLA, (DEGREE, TTLS[1]), (DEGREE, TTL_MOST)] {
        let mean = mean(runs, &Shape::Random, LARGEST, degree, ttl)?;
        let bytes = mean.copies * (QUERY_BYTES + ECHO_BYTES) / 60.0;
        rows.push(vec![
            degree.to_string(),
            ttl.to_string(),
            grouped(mean.reached),
            of_all(mean.reached, LARGEST),
            grouped(mean.copies),
            significant(2.0 * mean.copies / 60.0),
            format!("{}bit/s", with_unit(bytes * 8.0)),
        ]);
    }
    let head =
        "degree | TTL | reached | of all | copies per query | messages/s sent by each servent | sent by each servent";
    Ok(command(&plan(&Shape::Random, LARGEST, DEGREE, TTLS[0], 1)) + &table(head, &rows))
}

/// A whole number with commas.
fn grouped(value: f64) -> String {
    let digits = format!("{value:.0}");
    let mut text = String::new();
    for (place, digit) in digits.chars().enumerate() {
        if place > 0 && (digits.len() - place).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    text
}

/// A number to three digits, whole from 100 on.
fn significant(value: f64) -> String {
    if value >= 99.95 {
        return grouped(value);
    }
    let mut decimals = 0;
    let mut size = value;
    while size > 0.0 && size < 99.95 && decimals < 8 {
        size *= 10.0;
        decimals += 1;
    }
    let text = format!("{value:.decimals$}");
    if text.contains('.') { text.trim_end_matches('0').trim_end_matches('.').to_owned() } else { text }
}

/// A number to three digits and the start of its unit.
fn with_unit(value: f64) -> String {
    let units = [(1e12, "T"), (1e9, "G"), (1e6, "M"), (1e3, "k")];
    let (unit, name) = units.into_iter().find(|(unit, _)| value >= *unit).unwrap_or((1.0, ""));
    format!("{} {name}", significant(value / unit))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_read_at_a_glance() {
        for (value, text) in [(0.0, "0"), (999.0, "999"), (1000.0, "1,000"), (7_000_001.0, "7,000,001")] {
            assert_eq!(grouped(value), text);
        }
        for (value, text) in [(0.0, "0"), (0.003_201, "0.0032"), (53.35, "53.4"), (100.0, "100"), (2184.5, "2,184")] {
            assert_eq!(significant(value), text);
        }
        for (value, text) in [(12.0, "12 "), (59_733.0, "59.7 k"), (5.973e9, "5.97 G")] {
            assert_eq!(with_unit(value), text);
        }
    }

    /// What the examples are is held by `common`, byte for byte.
    #[test]
    fn frames_are_as_long_as_the_examples_of_the_protocol() {
        let page = include_str!("../../../../docs/PROTOCOL.md");
        for (name, bytes) in [("query", QUERY_BYTES), ("echo", ECHO_BYTES)] {
            let (_, example) = page.split_once(&format!("```hex\n# {name}\n")).expect("the example is there");
            let (example, _) = example.split_once("```").expect("it ends");
            // What the bytes mean stands two blanks or more behind them.
            let words = example.lines().filter_map(|line| line.split("  ").next()).flat_map(str::split_whitespace);
            assert!((words.count() as f64 - bytes).abs() < 1e-9, "{name}");
        }
    }

    #[test]
    fn a_tree_is_the_bound() {
        assert!((tree_bound(4, 6) - 4373.0).abs() < 1e-9);
        assert!((tree_bound(8, 3) - 3201.0).abs() < 1e-9);
        assert!((tree_bound(2, 15) - 33.0).abs() < 1e-9);
    }

    #[test]
    fn marks_that_do_not_end_are_refused() {
        let runs = Runs::new();
        assert_eq!(fill_in("only prose\n", &runs).unwrap(), "only prose\n");
        let page = "a\n<!-- made: frames -->\nold\n<!-- end -->\nb\n";
        let filled = fill_in(page, &runs).unwrap();
        assert!(filled.starts_with("a\n<!-- made: frames -->\n```") && filled.ends_with("|\n<!-- end -->\nb\n"));
        assert_eq!(fill_in(&filled, &runs).unwrap(), filled);
        for wrong in ["<!-- made: frames -->\n", "<!-- made: frames", "<!-- made: what -->\n<!-- end -->"] {
            assert!(fill_in(wrong, &runs).is_err(), "{wrong}");
        }
    }
}
