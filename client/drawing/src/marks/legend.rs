//! What the marks and strokes of a drawing mean, of exactly those that are in it.

use std::borrow::Cow;
use std::collections::BTreeSet;

use super::LinkMark;
use crate::overlay::{DrawnOverlay, DrawnServent, Since};
use crate::style::TerminalStyle;
use crate::width::{columns_of, cut};

/// Blanks between what is said of two.
const LEGEND_GAP: &str = "   ";

/// Whatever takes words.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum LegendEntry {
    Taken,
    NotTaken,
    EachWithEach,
    Unanswered,
    AtHorizon,
    LeftOut,
    Denied,
    /// Where it is not drawn which.
    DeniedByOne,
    New,
    Gone,
    NewLink,
    GoneLink,
}

/// What is in a drawing.
#[derive(Debug, Default)]
pub(crate) struct Legend {
    entries: BTreeSet<LegendEntry>,
}

impl Legend {
    pub(crate) fn add(&mut self, entry: LegendEntry) {
        self.entries.insert(entry);
    }

    /// What is marked at a servent.
    pub(crate) fn add_servent(&mut self, overlay: &DrawnOverlay, place: usize, servent: &DrawnServent) {
        let marks = [
            (!servent.has_answered, LegendEntry::Unanswered),
            (overlay.is_at_horizon(place), LegendEntry::AtHorizon),
            (servent.left_out > 0, LegendEntry::LeftOut),
            (servent.since == Since::New, LegendEntry::New),
            (servent.since == Since::Gone, LegendEntry::Gone),
        ];
        self.entries.extend(marks.into_iter().filter(|(is_there, _)| *is_there).map(|(_, entry)| entry));
    }

    /// How a link is drawn.
    pub(crate) fn add_stroke(&mut self, is_dashed: bool) {
        self.add(if is_dashed { LegendEntry::NotTaken } else { LegendEntry::Taken });
    }

    /// What stands on a link.
    pub(crate) fn add_mark(&mut self, mark: LinkMark) {
        self.add(match mark {
            LinkMark::Denied => LegendEntry::Denied,
            LinkMark::New => LegendEntry::NewLink,
            LinkMark::Gone => LegendEntry::GoneLink,
        });
    }

    /// In as few lines as there is room for, the first of which has nothing on it; none where there is nothing to say.
    pub(crate) fn lines(mut self, overlay: &DrawnOverlay, style: &TerminalStyle) -> Vec<String> {
        // A line that is like all others says what it is by itself.
        if !self.entries.contains(&LegendEntry::NotTaken) {
            self.entries.remove(&LegendEntry::Taken);
        }
        // One sign, one meaning.
        if style.unicode && self.entries.contains(&LegendEntry::New) {
            self.entries.remove(&LegendEntry::NewLink);
        }
        let room = style.room();
        let mut lines = Vec::new();
        for entry in &self.entries {
            let words = entry.words(overlay, style.unicode);
            let words = cut(&words, room, style.cut_mark()).into_owned();
            match lines.last_mut().filter(|line: &&mut String| {
                !line.is_empty()
                    && columns_of(line) + LEGEND_GAP.len() + columns_of(&words) <= room.min(LEGEND_COLUMNS_MAX)
            }) {
                Some(line) => {
                    line.push_str(LEGEND_GAP);
                    line.push_str(&words);
                }
                None => {
                    if lines.is_empty() {
                        lines.push(String::new());
                    }
                    lines.push(words);
                }
            }
        }
        lines
    }
}

/// A longer line is hard to read, however wide the terminal is.
const LEGEND_COLUMNS_MAX: usize = 100;

impl LegendEntry {
    fn words(self, overlay: &DrawnOverlay, is_unicode: bool) -> Cow<'static, str> {
        let (stands_out, does_not) = overlay.words_for_links();
        Cow::Borrowed(match self {
            LegendEntry::Taken => {
                return Cow::Owned(format!("{} {stands_out}", if is_unicode { "──" } else { "--" }));
            }
            LegendEntry::NotTaken => return Cow::Owned(format!("{} {does_not}", if is_unicode { "┄┄" } else { ".." })),
            LegendEntry::EachWithEach if is_unicode => "└┬┴┬┘ each above is linked with each below",
            LegendEntry::EachWithEach => "+-+-+ each above is linked with each below",
            LegendEntry::Unanswered => "( ) has not answered",
            LegendEntry::AtHorizon => "~ has neighbors that have not answered",
            LegendEntry::LeftOut => "~+12 so many more of them",
            LegendEntry::Denied => "? the servent beside it does not name this link",
            LegendEntry::DeniedByOne => "? one end does not name this link",
            LegendEntry::New => "+ new",
            LegendEntry::Gone => "- gone",
            LegendEntry::NewLink if is_unicode => "+ new link",
            LegendEntry::NewLink => "* new link",
            LegendEntry::GoneLink => "x link that is gone",
        })
    }
}
