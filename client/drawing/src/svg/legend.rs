//! What stands below a picture: each stroke and box that occurs in it, in words, and the line of figures.

use std::fmt::Write as _;

use super::labels::{ADVANCE, LINE};
use super::plane::real;
use super::xml::xml;
use crate::width::columns_apart;

/// Room for the stroke or box that is explained.
const SAMPLE: f64 = 34.0;
/// Between a sample and its words.
const SAMPLE_GAP: f64 = 8.0;
/// Between the words of one and the sample of the next.
const ENTRY_GAP: f64 = 26.0;
/// Between two rows.
const ROW: f64 = 22.0;

/// Something that is explained.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct ExplainedLook {
    pub(super) sample: LookSample,
    pub(super) words: String,
}

/// How it looks.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum LookSample {
    /// A box of these classes, and whether it has a second border.
    Box(&'static str, bool),
    /// A link of this class, and its mark.
    Stroke(&'static str, &'static str),
    /// A text.
    Text(&'static str),
}

impl ExplainedLook {
    fn width(&self) -> f64 {
        SAMPLE + SAMPLE_GAP + real(columns_apart(&self.words)) * ADVANCE
    }
}

/// How wide the widest entry is.
pub(super) fn width(entries: &[ExplainedLook]) -> f64 {
    entries.iter().map(ExplainedLook::width).fold(0.0, f64::max)
}

/// Writes entries in rows of no more than this width, from this corner; says where what comes below it begins.
pub(super) fn write_legend(entries: &[ExplainedLook], left: f64, top: f64, width: f64, out: &mut String) -> f64 {
    let (mut x, mut y) = (left, top);
    for entry in entries {
        if x > left && x + entry.width() > left + width {
            x = left;
            y += ROW;
        }
        let middle = y + ROW / 2.0;
        match &entry.sample {
            LookSample::Box(classes, is_double) => {
                let (box_x, box_y) = (x + 4.0, middle - 6.0);
                if *is_double {
                    let _ = write!(
                        out,
                        r#"<rect class="horizon" x="{:.1}" y="{:.1}" width="32" height="18" rx="7"/>"#,
                        box_x - 3.0,
                        box_y - 3.0
                    );
                }
                let _ = writeln!(
                    out,
                    r#"<rect class="{classes}" x="{box_x:.1}" y="{box_y:.1}" width="26" height="12" rx="4"/>"#
                );
            }
            LookSample::Stroke(class, mark) => {
                let _ = write!(out, r#"<path class="{class}" d="M{x:.1} {middle:.1}h{SAMPLE}"/>"#);
                if !mark.is_empty() {
                    let (x, y) = (x + SAMPLE / 2.0, middle + 4.0);
                    let _ = write!(out, r#"<text class="mark" x="{x:.1}" y="{y:.1}">{mark}</text>"#);
                }
                out.push('\n');
            }
            LookSample::Text(text) => {
                let _ = writeln!(
                    out,
                    r#"<text class="middle quiet" x="{:.1}" y="{:.1}">{text}</text>"#,
                    x + SAMPLE / 2.0,
                    middle + 4.0
                );
            }
        }
        let _ = writeln!(
            out,
            r#"<text x="{:.1}" y="{:.1}">{}</text>"#,
            x + SAMPLE + SAMPLE_GAP,
            middle + 4.0,
            xml(&entry.words)
        );
        x += entry.width() + ENTRY_GAP;
    }
    if entries.is_empty() { y } else { y + ROW }
}

/// A sentence in lines of no more than this width, broken behind commas.
pub(super) fn broken(sentence: &str, width: f64) -> Vec<String> {
    let mut lines: Vec<String> = Vec::new();
    for part in sentence.split_inclusive(", ") {
        match lines
            .last_mut()
            .filter(|line| real(columns_apart(line) + columns_apart(part.trim_end())) * ADVANCE <= width)
        {
            Some(line) => line.push_str(part),
            None => lines.push(part.to_owned()),
        }
    }
    lines.iter().map(|line| line.trim_end().to_owned()).collect()
}

/// The height that so many lines take.
pub(super) fn lines_height(lines: usize) -> f64 {
    real(lines) * LINE
}
