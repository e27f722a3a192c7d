//! What a terminal can show, and what colours say on one that has them.

use crate::width::cut;

/// What a terminal can show.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TerminalStyle {
    /// How many columns it has; 0 where nobody knows, and nothing is cut.
    pub columns: usize,
    /// Whether it shows more than ASCII. Names it shows as they are in either case.
    pub unicode: bool,
    /// Whether it shows colours.
    pub colour: bool,
}

impl TerminalStyle {
    /// As much of a line as there are columns for.
    #[must_use]
    pub fn cut(&self, line: &str) -> String {
        cut(line, self.room(), self.cut_mark()).into_owned()
    }

    /// How many columns a line may have.
    pub(crate) fn room(&self) -> usize {
        if self.columns == 0 { usize::MAX } else { self.columns }
    }

    /// What stands where something was cut.
    pub(crate) fn cut_mark(&self) -> &'static str {
        if self.unicode { "…" } else { ">" }
    }
}

/// What colour says, where there is any.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) enum Tone {
    #[default]
    Plain,
    Strong,
    Faint,
    New,
    Gone,
    Doubtful,
}

impl Tone {
    /// What a terminal is told: Select Graphic Rendition (ECMA-48).
    pub(crate) fn code(self) -> &'static str {
        match self {
            Tone::Plain => "",
            Tone::Strong => "\x1b[1m",
            Tone::Faint => "\x1b[2m",
            Tone::New => "\x1b[32m",
            Tone::Gone => "\x1b[31m",
            Tone::Doubtful => "\x1b[33m",
        }
    }

    /// A text in it.
    pub(crate) fn paint(self, text: &str, colour: bool) -> String {
        if colour && self != Tone::Plain { format!("{}{text}\x1b[0m", self.code()) } else { text.to_owned() }
    }
}
