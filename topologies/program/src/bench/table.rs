//! How rows are told: one table for people, one JSON object a row, or a table for docs/PERFORMANCE.md.
//!
//! A row is told once it is measured, which may be minutes before the next; so the columns are as wide as they are.

use std::io::{self, Write};

use serde::Serialize;

use super::row::{BenchRow, Spread};

/// How wide the longest name and the longest unit are.
const NAME: usize = 22;
const UNIT: usize = 20;

/// How rows are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TableKind {
    /// For people.
    Columns,
    /// One object a row.
    Json,
    /// A table in Markdown.
    Markdown,
}

/// Rows on their way to somebody who reads.
#[derive(Debug)]
pub struct Table<Out> {
    out: Out,
    kind: TableKind,
    is_begun: bool,
}

#[derive(Serialize)]
struct JsonRow<'a> {
    name: &'a str,
    value: Option<f64>,
    floor: Option<f64>,
    unit: &'a str,
    ratio: Option<f64>,
    target: Option<String>,
    met: Option<bool>,
    rounds: usize,
    lost: u64,
    #[serde(skip_serializing_if = "Option::is_none")]
    not_measured: Option<&'a str>,
}

impl<Out: Write> Table<Out> {
    /// A table that is still empty.
    pub fn new(out: Out, kind: TableKind) -> Table<Out> {
        Table { out, kind, is_begun: false }
    }

    /// Tells a row.
    pub fn add(&mut self, row: &BenchRow) -> io::Result<()> {
        match self.kind {
            TableKind::Json => {
                serde_json::to_writer(&mut self.out, &JsonRow::of(row))?;
                writeln!(self.out)?;
            }
            TableKind::Markdown => self.add_markdown(row)?,
            TableKind::Columns => self.add_columns(row)?,
        }
        self.is_begun = true;
        self.out.flush()
    }

    fn add_columns(&mut self, row: &BenchRow) -> io::Result<()> {
        if !self.is_begun {
            self.line(
                ["row", "ours", "(min..max)", "floor", "(min..max)", "unit"],
                ["ratio", "(min..max)"],
                ["target", "met", "rounds", "lost"],
            )?;
        }
        if let Some(why) = row.not_measured {
            return writeln!(self.out, "{:<NAME$} {:>6} not measured: {why}", row.name, "-");
        }
        let [value, floor, ratio] = [row.value, row.floor, row.ratio].map(|spread| shown(spread.as_ref()));
        let target = targets(row).unwrap_or_else(|| "-".to_owned());
        let (rounds, lost) = (row.rounds.to_string(), row.lost.to_string());
        self.line(
            [row.name, &value.0, &value.1, &floor.0, &floor.1, row.unit],
            [&ratio.0, &ratio.1],
            [&target, met(row), &rounds, &lost],
        )
    }

    fn add_markdown(&mut self, row: &BenchRow) -> io::Result<()> {
        if !self.is_begun {
            writeln!(self.out, "| row | ours | floor | unit | ratio | target | met | rounds | lost |")?;
            writeln!(self.out, "|---|--:|--:|---|--:|---|---|--:|--:|")?;
        }
        let (name, unit) = (row.name, row.unit);
        if let Some(why) = row.not_measured {
            return writeln!(self.out, "| `{name}` | not measured: {why} | | {unit} | | | | | |");
        }
        let [value, floor, ratio] = [row.value, row.floor, row.ratio].map(|spread| {
            let (median, range) = shown(spread.as_ref());
            format!("{median} {range}").trim_end().to_owned()
        });
        let target = targets(row).unwrap_or_else(|| "-".to_owned());
        let (met, BenchRow { rounds, lost, .. }) = (met(row), row);
        writeln!(self.out, "| `{name}` | {value} | {floor} | {unit} | {ratio} | {target} | {met} | {rounds} | {lost} |")
    }

    fn line(&mut self, figures: [&str; 6], ratio: [&str; 2], judged: [&str; 4]) -> io::Result<()> {
        let [name, value, value_range, floor, floor_range, unit] = figures;
        let ([ratio, ratio_range], [target, met, rounds, lost]) = (ratio, judged);
        writeln!(
            self.out,
            "{name:<NAME$} {value:>6} {value_range:<14} {floor:>6} {floor_range:<14} {unit:<UNIT$} {ratio:>5} {ratio_range:<12} \
             {target:<18} {met:<3} {rounds:>6} {lost:>4}"
        )
    }
}

impl<'a> JsonRow<'a> {
    fn of(row: &'a BenchRow) -> JsonRow<'a> {
        JsonRow {
            name: row.name,
            value: row.value.map(|value| value.median),
            floor: row.floor.map(|floor| floor.median),
            unit: row.unit,
            ratio: row.ratio.map(|ratio| ratio.median),
            target: targets(row),
            met: row.is_met(),
            rounds: row.rounds,
            lost: row.lost,
            not_measured: row.not_measured,
        }
    }
}

/// Whether what is demanded is so, in a word.
fn met(row: &BenchRow) -> &'static str {
    row.is_met().map_or("-", |is_met| if is_met { "yes" } else { "NO" })
}

/// All that is demanded of a row, in words.
fn targets(row: &BenchRow) -> Option<String> {
    let words: Vec<String> = row.targets.iter().map(ToString::to_string).collect();
    (!words.is_empty()).then(|| words.join(", "))
}

fn shown(spread: Option<&Spread>) -> (String, String) {
    let Some(Spread { median, min, max }) = spread else { return ("-".to_owned(), String::new()) };
    (figure(*median), format!("({}..{})", figure(*min), figure(*max)))
}

/// Three digits, or as many as stand before the point.
fn figure(figure: f64) -> String {
    let digits = match figure.abs() {
        100.0.. => 0,
        10.0.. => 1,
        _ => 2,
    };
    format!("{figure:.digits$}")
}

#[cfg(test)]
mod tests {
    use super::super::row::{Bound, Of};
    use super::*;

    fn rows() -> [BenchRow; 3] {
        let lookup = BenchRow::of_pairs("lookup", "us", &[(131.25, 100.0), (128.0, 100.0), (300.0, 200.0)], 0).unwrap();
        let memory = BenchRow::of_values("memory", "MiB", &[17.25], 3).unwrap();
        [
            lookup.with_target(Bound::AtMost(Of::Ratio, 1.5)),
            memory.with_target(Bound::AtMost(Of::Value, 16.0)).with_target(Bound::AtMost(Of::Ratio, 1.1)),
            BenchRow::not_measured("peer", "k/s", "no redis-server").with_target(Bound::AtLeast(Of::Ratio, 1.0)),
        ]
    }

    fn told(kind: TableKind) -> String {
        let mut out = Vec::new();
        let mut table = Table::new(&mut out, kind);
        for row in rows() {
            table.add(&row).unwrap();
        }
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn people_get_aligned_columns() {
        let expected = "\
row                      ours (min..max)      floor (min..max)     unit                 ratio (min..max)   target             met rounds lost
lookup                    131 (128..300)        100 (100..200)     us                    1.31 (1.28..1.50) <= 1.5             yes      3    0
memory                   17.2 (17.2..17.2)        -                MiB                      -              value <= 16, <= 1.1 NO       1    3
peer                        - not measured: no redis-server
";
        assert_eq!(told(TableKind::Columns), expected);
    }

    #[test]
    fn programs_get_one_object_a_row() {
        let expected = "\
{\"name\":\"lookup\",\"value\":131.25,\"floor\":100.0,\"unit\":\"us\",\"ratio\":1.3125,\"target\":\"<= 1.5\",\"met\":true,\
\"rounds\":3,\"lost\":0}
{\"name\":\"memory\",\"value\":17.25,\"floor\":null,\"unit\":\"MiB\",\"ratio\":null,\"target\":\"value <= 16, <= 1.1\",\
\"met\":false,\"rounds\":1,\"lost\":3}
{\"name\":\"peer\",\"value\":null,\"floor\":null,\"unit\":\"k/s\",\"ratio\":null,\"target\":\">= 1\",\"met\":null,\
\"rounds\":0,\"lost\":0,\"not_measured\":\"no redis-server\"}
";
        assert_eq!(told(TableKind::Json), expected);
    }

    #[test]
    fn a_page_gets_a_table_of_its_own() {
        let expected = "\
| row | ours | floor | unit | ratio | target | met | rounds | lost |
|---|--:|--:|---|--:|---|---|--:|--:|
| `lookup` | 131 (128..300) | 100 (100..200) | us | 1.31 (1.28..1.50) | <= 1.5 | yes | 3 | 0 |
| `memory` | 17.2 (17.2..17.2) | - | MiB | - | value <= 16, <= 1.1 | NO | 1 | 3 |
| `peer` | not measured: no redis-server | | k/s | | | | | |
";
        assert_eq!(told(TableKind::Markdown), expected);
    }
}
