//! The one line that changes while a content comes, on a terminal.
//!
//! What is told is how far it is; when, is for whoever has it come.

use std::time::Duration;

use common::fetch::FetchProgress;
use indicatif::{ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle};

use crate::program::get::humane_bytes;

/// The line. It is gone once this is.
pub(crate) struct LiveLine {
    bar: ProgressBar,
}

impl LiveLine {
    pub(crate) fn new(called: &str) -> LiveLine {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        let style = ProgressStyle::with_template("{msg}  {percent:>3} % ▕{bar:20}▏ {here}  {rate}  {left}");
        bar.set_style(
            style
                .unwrap_or_else(|_| ProgressStyle::default_bar())
                .progress_chars("█▉▊▋▌▍▎▏ ")
                .with_key("here", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
                    let _ = write!(text, "{}", of_all(state.pos(), state.len()));
                })
                .with_key("rate", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
                    if comes(state) {
                        let _ = write!(text, "{}/s", humane_bytes(state.per_sec()));
                    }
                })
                .with_key("left", |state: &ProgressState, text: &mut dyn std::fmt::Write| {
                    if comes(state) {
                        let _ = write!(text, "{} left", seconds(state.eta()));
                    }
                }),
        );
        bar.set_message(called.to_owned());
        LiveLine { bar }
    }

    pub(crate) fn show(&mut self, progress: &FetchProgress) {
        // Each change draws the line.
        if let Some(size) = progress.size.filter(|size| self.bar.length() != Some(*size)) {
            self.bar.set_length(size);
        }
        self.bar.set_position(progress.here_bytes);
    }

    /// Says something above it.
    pub(crate) fn suspend(&mut self, say: impl FnOnce()) {
        self.bar.suspend(say);
    }
}

impl Drop for LiveLine {
    fn drop(&mut self) {
        self.bar.finish_and_clear();
    }
}

/// Whether it can be said how fast it comes, and when it is over.
fn comes(state: &ProgressState) -> bool {
    state.per_sec() > 0.0
}

/// `16.0 of 26.2 MB`.
fn of_all(here: u64, all: Option<u64>) -> String {
    #[allow(clippy::cast_precision_loss, reason = "it is shown to three digits")]
    let as_float = |bytes: u64| bytes as f64;
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
