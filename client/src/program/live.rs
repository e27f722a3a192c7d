//! The one line that changes while a content comes, on a terminal.
//!
//! What is told is how far it is; when, is for whoever has it come. It is never wider than the terminal is just then, because
//! what has run on into the next row is not taken back by going to the beginning of one.

use std::fmt::Display;
use std::io::Write;
use std::time::{Duration, Instant};

use common::fetch::FetchProgress;
use common::recent_rate::RecentRate;
use rustix::stdio::stderr;
use servent::{output, patient};
use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use crate::program::get::humane_bytes;

/// Cells of the bar.
const BAR_CELLS: usize = 20;
/// With fewer it says less than the percentage beside it.
const BAR_CELLS_LEAST: usize = 5;
/// A name that has no room has so many columns before anything else goes for it.
const NAME_COLUMNS_LEAST: usize = 8;
/// How long is looked back for how fast it comes.
const RATE_OVER: Duration = Duration::from_secs(5);

/// To the beginning of the line, and nothing behind it: whatever it has become since, where the terminal is narrower now.
const CLEAR: &str = "\r\x1b[J";

/// The line. It is gone once this is.
pub(crate) struct LiveLine {
    began: Instant,
    so_far: LineSoFar,
}

impl LiveLine {
    /// Of what is called this, for whose holders it is waited so long.
    pub(crate) fn new(called: &str, wait: Duration) -> LiveLine {
        LiveLine { began: Instant::now(), so_far: LineSoFar::new(called, wait) }
    }

    pub(crate) fn show(&mut self, progress: &FetchProgress) {
        self.so_far.note(self.began.elapsed(), progress);
        self.draw();
    }

    /// Says something above it.
    pub(crate) fn suspend(&mut self, say: impl FnOnce()) {
        put(CLEAR);
        say();
        self.draw();
    }

    fn draw(&self) {
        // In the last column a terminal is about to begin another row.
        let columns = output::columns(stderr()) - 1;
        // The cursor waits at its beginning, from where all of it is cleared; so is the ^C that a terminal puts there.
        put(format_args!("{CLEAR}{}\r", self.so_far.drawn(columns)));
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        put(CLEAR);
    }
}

/// What cannot be shown is not: it changes nothing about what comes.
fn put(text: impl Display) {
    let _ = patient::stderr().write_all(text.to_string().as_bytes());
}

#[allow(clippy::cast_precision_loss, reason = "it is shown to three digits")]
fn as_float(bytes: u64) -> f64 {
    bytes as f64
}

/// Something the line tells behind the percentage, in the order in which it does.
struct LinePiece {
    /// The greatest goes first where there is no room.
    rank: usize,
    text: String,
}

/// What is told, and how far that is.
struct LineSoFar {
    called: String,
    rate: RecentRate,
    progress: FetchProgress,
    wait: Duration,
    /// How long it is waited still, as long as nothing comes.
    wait_left: Duration,
    /// When anything had changed.
    changed_at: Duration,
}

impl LineSoFar {
    fn new(called: &str, wait: Duration) -> LineSoFar {
        LineSoFar {
            called: called.to_owned(),
            rate: RecentRate::over(RATE_OVER),
            progress: FetchProgress::default(),
            wait,
            wait_left: wait,
            changed_at: Duration::ZERO,
        }
    }

    /// It is so far, so long after it began.
    fn note(&mut self, at: Duration, progress: &FetchProgress) {
        // What was here before did not come, and what came in vain brings nothing nearer.
        self.rate.note(at, progress.came_bytes.saturating_sub(progress.wasted_bytes));
        let steps = |progress: &FetchProgress| (progress.size, progress.here_bytes, progress.came_bytes);
        if steps(progress) != steps(&self.progress) {
            self.changed_at = at;
        }
        self.wait_left = self.wait.saturating_sub(at.saturating_sub(self.changed_at));
        self.progress = *progress;
    }

    /// The line, in no more columns than these. The bar is the first to give way, and then what is behind the
    /// percentage, the name, and the percentage itself.
    fn drawn(&self, columns: usize) -> String {
        let LineSoFar { called, rate, progress, wait_left, .. } = self;
        let percent = progress.size.map(|size| percent(progress.here_bytes, size));
        let begin = percent.map_or_else(String::new, |percent| format!("  {percent:>3} %"));
        let pieces = pieces(progress, rate.per_second(), *wait_left);
        // Half of the line is enough for any name, as long as there is something else to say.
        let name = shortened(called, (columns / 2).max(NAME_COLUMNS_LEAST));
        for kept in (0..=pieces.len()).rev() {
            let texts: Vec<&str> = pieces.iter().filter(|piece| piece.rank <= kept).map(|piece| &*piece.text).collect();
            if let Some(size) = progress.size.filter(|_| kept == pieces.len()) {
                let behind = format!("▏ {}", texts.join("  "));
                let taken = columns_of(&name) + begin.width() + " ▕".width() + behind.width();
                let cells = columns.saturating_sub(taken).min(BAR_CELLS);
                if cells >= BAR_CELLS_LEAST {
                    return format!("{name}{begin} ▕{}{behind}", bar(progress.here_bytes, size, cells));
                }
            }
            let rest: String =
                std::iter::once(begin.clone()).chain(texts.iter().map(|text| format!("  {text}"))).collect();
            let Some(room) = columns.checked_sub(rest.width()) else { continue };
            if kept == 0 || kept == 1 && room >= NAME_COLUMNS_LEAST {
                return format!("{}{rest}", shortened(called, room));
            }
            if columns_of(&name) <= room {
                return format!("{name}{rest}");
            }
        }
        let percent = begin.trim_start();
        if percent.width() <= columns { percent.to_owned() } else { String::new() }
    }
}

fn pieces(progress: &FetchProgress, rate: Option<u64>, wait_left: Duration) -> Vec<LinePiece> {
    let amount = of_all(progress.here_bytes, progress.size);
    let is_checking = progress.unchecked_count > 0;
    if progress.is_waiting {
        let seconds = wait_left.as_secs() + u64::from(wait_left.subsec_nanos() > 0);
        let left = common::counted::lasted(Duration::from_secs(seconds));
        let waits = LinePiece { rank: 1, text: format!("waits for a holder, {left} at most") };
        return vec![LinePiece { rank: 2, text: amount }, waits];
    }
    let Some(rate) = rate else {
        let amount = LinePiece { rank: 1, text: amount };
        let checking = LinePiece { rank: 2, text: "checking what is here".to_owned() };
        return [amount].into_iter().chain(is_checking.then_some(checking)).collect();
    };
    let rate = as_float(rate);
    let mut pieces =
        vec![LinePiece { rank: 1, text: amount }, LinePiece { rank: 2, text: format!("{}/s", humane_bytes(rate)) }];
    // How much of what is here will have to come is known once all of it was looked at.
    if let Some(size) = progress.size.filter(|_| !is_checking)
        && let Ok(left) = Duration::try_from_secs_f64(as_float(size.saturating_sub(progress.here_bytes)) / rate)
    {
        pieces.push(LinePiece { rank: 3, text: format!("{} left", seconds(left)) });
    }
    pieces
}

fn percent(here: u64, all: u64) -> u64 {
    let percent = (u128::from(here) * 100).checked_div(all.into()).unwrap_or(100);
    u64::try_from(percent).unwrap_or(100).min(100)
}

/// So much of so many cells, to the eighth of one.
fn bar(here: u64, all: u64, cells: usize) -> String {
    const EIGHTHS: [&str; 8] = [" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"];
    let eighths = (u128::from(here) * cells as u128 * 8).checked_div(all.into());
    let eighths =
        eighths.and_then(|eighths| usize::try_from(eighths).ok()).map_or(cells * 8, |here| here.min(cells * 8));
    let (full, part) = (eighths / 8, EIGHTHS.get(eighths % 8).copied().unwrap_or_default());
    let part = if full < cells { part } else { "" };
    format!("{}{part}{}", "█".repeat(full), " ".repeat(cells.saturating_sub(full + 1)))
}

/// Where each beginning of a text ends, and how many columns it takes at most. Whether characters that belong together are drawn
/// as one sign, which may be wider than they are and narrower, is not the same on every terminal.
fn beginnings(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let ends = text.char_indices().map(|(at, character)| (at + character.len_utf8(), character));
    ends.scan((0, 0), |(before, taken), (end, character)| {
        let width = text.get(..end).unwrap_or_default().width();
        *taken += width.saturating_sub(*before).max(character.width().unwrap_or_default());
        *before = width;
        Some((end, *taken))
    })
}

fn columns_of(text: &str) -> usize {
    beginnings(text).last().map_or(0, |(_, taken)| taken)
}

/// The beginning of a text, with … for what has no room.
fn shortened(text: &str, columns: usize) -> String {
    let mut begin = 0;
    for (end, taken) in beginnings(text) {
        if taken > columns {
            let more = if columns > 0 { "…" } else { "" };
            return format!("{}{more}", text.get(..begin).unwrap_or_default());
        }
        if taken < columns {
            begin = end;
        }
    }
    text.to_owned()
}

/// `16.0 of 26.2 MB`.
fn of_all(here: u64, all: Option<u64>) -> String {
    let Some(all) = all else { return humane_bytes(as_float(here)) };
    let shown = humane_bytes(as_float(all));
    let unit = shown.rsplit(' ').next().unwrap_or_default();
    let scale = match unit {
        "kB" => 1e3,
        "MB" => 1e6,
        "GB" => 1e9,
        "TB" => 1e12,
        _ => 1.0,
    };
    let decimals = usize::from(scale > 1.0 && as_float(all) / scale < 99.95);
    format!("{:.decimals$} of {shown}", as_float(here) / scale)
}

fn seconds(time: Duration) -> String {
    if time < Duration::from_secs(10) {
        format!("{:.2} s", time.as_secs_f64())
    } else {
        common::counted::lasted(time).to_string()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WAIT: Duration = Duration::from_secs(30);

    /// 61 % of 26.2 MB.
    fn some() -> FetchProgress {
        FetchProgress { size: Some(26_214_400), here_bytes: 16_000_000, ..FetchProgress::default() }
    }

    /// The line of what is so far, where so many bytes came in the second since it began.
    fn drawn(called: &str, progress: &FetchProgress, came_bytes: u64, columns: usize) -> String {
        let mut so_far = LineSoFar::new(called, WAIT);
        so_far.note(Duration::from_secs(1), &FetchProgress { came_bytes, ..*progress });
        so_far.drawn(columns)
    }

    #[test]
    fn what_was_here_before_and_what_came_in_vain_is_in_no_rate() {
        let mut so_far = LineSoFar::new("one", WAIT);
        let begin = "one   61 % ▕████████████▏       ▏ 16.0 of 26.2 MB";
        so_far.note(Duration::ZERO, &some());
        assert_eq!(so_far.drawn(100), begin);
        so_far
            .note(Duration::from_secs(1), &FetchProgress { came_bytes: 9_000_000, wasted_bytes: 9_000_000, ..some() });
        assert_eq!(so_far.drawn(100), begin);
        so_far
            .note(Duration::from_secs(2), &FetchProgress { came_bytes: 13_000_000, wasted_bytes: 9_000_000, ..some() });
        assert_eq!(so_far.drawn(100), format!("{begin}  2.0 MB/s  5.11 s left"));
    }

    #[test]
    fn while_nobody_gives_anything_it_is_said_how_long_that_is_waited_for() {
        let mut so_far = LineSoFar::new("farol.mp4", WAIT);
        let at = Duration::from_secs;
        so_far.note(at(1), &some());
        let waiting = FetchProgress { is_waiting: true, ..some() };
        so_far.note(at(2), &waiting);
        let begin = "farol.mp4   61 % ▕████████████▏       ▏ 16.0 of 26.2 MB";
        assert_eq!(so_far.drawn(100), format!("{begin}  waits for a holder, 29 s at most"));
        so_far.note(at(11), &waiting);
        assert_eq!(so_far.drawn(100), format!("{begin}  waits for a holder, 20 s at most"));
        // It begins anew with whatever comes, and matters more than how much there is.
        so_far.note(at(20), &FetchProgress { came_bytes: 1, ..waiting });
        assert_eq!(so_far.drawn(50), "farol.mp4   61 %  waits for a holder, 30 s at most");
        so_far.note(at(49), &FetchProgress { came_bytes: 1, ..waiting });
        assert_eq!(so_far.drawn(48), "farol.m…   61 %  waits for a holder, 1 s at most");
    }

    #[test]
    fn the_line_gives_up_what_matters_least_where_the_terminal_is_narrow() {
        let long = "the lighthouse of Barra at dusk, seen from the sea.mp4";
        for (called, columns, expected) in [
            ("farol.mp4", 120, "farol.mp4   61 % ▕████████████▏       ▏ 16.0 of 26.2 MB  812 MB/s  0.01 s left"),
            ("farol.mp4", 78, "farol.mp4   61 % ▕████████████▏       ▏ 16.0 of 26.2 MB  812 MB/s  0.01 s left"),
            ("farol.mp4", 77, "farol.mp4   61 % ▕███████████▌       ▏ 16.0 of 26.2 MB  812 MB/s  0.01 s left"),
            ("farol.mp4", 63, "farol.mp4   61 % ▕███  ▏ 16.0 of 26.2 MB  812 MB/s  0.01 s left"),
            ("farol.mp4", 60, "farol.mp4   61 %  16.0 of 26.2 MB  812 MB/s  0.01 s left"),
            ("farol.mp4", 55, "farol.mp4   61 %  16.0 of 26.2 MB  812 MB/s"),
            ("farol.mp4", 40, "farol.mp4   61 %  16.0 of 26.2 MB"),
            ("farol.mp4", 32, "farol.m…   61 %  16.0 of 26.2 MB"),
            ("farol.mp4", 20, "farol.mp4   61 %"),
            (
                long,
                120,
                "the lighthouse of Barra at dusk, seen from the sea.mp4   61 % ▕██████████▍      ▏ 16.0 of 26.2 MB  812 MB/s  0.01 s left",
            ),
            (long, 80, "the lighthouse of Barra at dusk, seen f…   61 %  16.0 of 26.2 MB  812 MB/s"),
            (long, 60, "the lighthouse of Barra at dusk, se…   61 %  16.0 of 26.2 MB"),
            (long, 40, "the lighthouse …   61 %  16.0 of 26.2 MB"),
            (long, 20, "the lighthou…   61 %"),
            (long, 8, "…   61 %"),
            (long, 7, "   61 %"),
            (long, 6, "61 %"),
            (long, 3, ""),
            // Two columns for each character.
            (
                "\u{6771}\u{4eac}\u{6771}\u{4eac}\u{6771}\u{4eac}\u{6771}",
                20,
                "\u{6771}\u{4eac}\u{6771}\u{4eac}\u{6771}\u{4eac}…   61 %",
            ),
        ] {
            let line = drawn(called, &some(), 812_000_000, columns);
            assert_eq!(line, expected, "{columns} columns");
        }
    }

    #[test]
    fn the_line_is_never_wider_than_the_terminal() {
        let long = "n".repeat(300);
        // Signs that are wider than their characters are alone, and some that are narrower.
        let signs = ["\u{2764}\u{fe0f}", "1\u{fe0f}\u{20e3}", "\u{1f469}\u{200d}\u{1f467}"].map(|sign| sign.repeat(40));
        let alone = |text: &str| text.chars().filter_map(UnicodeWidthChar::width).sum::<usize>();
        assert!(alone(&signs[0]) < signs[0].width() && alone(&signs[2]) > signs[2].width());
        let sizes = [None, Some(0), Some(26_214_400), Some(u64::MAX)];
        let names = ["", "x", "farol.mp4", &long, "\u{6771}\u{4eac}\u{6771}\u{4eac}\u{6771}\u{4eac}"];
        for columns in (0..=64).chain([80, 120, 200]) {
            for called in names.into_iter().chain(signs.iter().map(|sign| &**sign)) {
                for (size, came_bytes) in
                    sizes.into_iter().flat_map(|size| [0, 1, 1_000_000_000_000].map(|came| (size, came)))
                {
                    for here_bytes in [0, size.unwrap_or(7) / 2, size.unwrap_or(7)] {
                        for (unchecked_count, is_waiting) in [(0, false), (1, false), (0, true)] {
                            let progress = FetchProgress {
                                size,
                                here_bytes,
                                unchecked_count,
                                is_waiting,
                                ..FetchProgress::default()
                            };
                            let line = drawn(called, &progress, came_bytes, columns);
                            assert!(line.width().max(alone(&line)) <= columns, "{columns} columns: {line}");
                        }
                    }
                }
            }
        }
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let unknown = FetchProgress::default();
        assert_eq!(drawn("one", &unknown, 0, 80), "one  0 bytes");
        let begun = FetchProgress { here_bytes: 0, ..some() };
        assert_eq!(drawn("one", &begun, 0, 80), "one    0 % ▕                    ▏ 0.0 of 26.2 MB");
        let empty = FetchProgress { size: Some(0), ..unknown };
        assert_eq!(drawn("one", &empty, 0, 80), "one  100 % ▕████████████████████▏ 0 of 0 bytes");
        // Nothing has come yet, and how much has to is not known.
        let checking = FetchProgress { unchecked_count: 7, ..some() };
        let line = drawn("one", &checking, 0, 80);
        assert_eq!(line, "one   61 % ▕████████████▏       ▏ 16.0 of 26.2 MB  checking what is here");
        assert!(drawn("one", &checking, 1_000_000, 80).ends_with("▏ 16.0 of 26.2 MB  1.0 MB/s"));
    }

    #[test]
    fn what_is_here_is_shown_in_the_unit_of_the_whole() {
        for (here, all, expected) in [
            (16_000_000, Some(26_214_400), "16.0 of 26.2 MB"),
            (0, Some(26_214_400), "0.0 of 26.2 MB"),
            (5, Some(999), "5 of 999 bytes"),
            (500_000, Some(2_000_000_000), "0.0 of 2.0 GB"),
            (500_000, None, "500 kB"),
        ] {
            assert_eq!(of_all(here, all), expected);
        }
    }
}
