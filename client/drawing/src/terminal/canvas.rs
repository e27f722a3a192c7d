//! Rows of characters that lines, marks and texts are put on, and how they become lines of text.
//!
//! Where a level line meets an upright one that is another, one of them goes on behind the other, so that a crossing never looks
//! like a junction: `┼` and, in ASCII, `+` are always one. In front is whichever is solid, and of two alike the
//! upright one; and whatever touches a servent.

use std::ops::BitOr;

use crate::style::Tone;

/// As many crossings one of two solid lines is worth.
const SOLID_CROSSING_COST: usize = 3;

/// What is drawn so far.
#[derive(Debug)]
pub(crate) struct Canvas {
    is_unicode: bool,
    rows: Vec<Vec<Ink>>,
    texts: Vec<(String, Tone)>,
    crossings: usize,
}

/// What there is in one column of a row.
#[derive(Clone, Copy, Debug, Default)]
enum Ink {
    #[default]
    Blank,
    Line {
        /// Which one, so that a crossing is told from a junction.
        line: usize,
        arms: Arms,
        is_dashed: bool,
        tone: Tone,
    },
    Mark(char, Tone),
    /// The first column of a text.
    Text(usize),
    /// Another column of it.
    Covered,
}

/// Where a piece of a line goes on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Arms(u8);

impl Arms {
    pub(crate) const UP: Arms = Arms(1);
    pub(crate) const DOWN: Arms = Arms(2);
    pub(crate) const LEFT: Arms = Arms(4);
    pub(crate) const RIGHT: Arms = Arms(8);

    fn is_level(self) -> bool {
        self.0 & (Arms::UP.0 | Arms::DOWN.0) == 0
    }
}

impl BitOr for Arms {
    type Output = Arms;

    fn bitor(self, other: Arms) -> Arms {
        Arms(self.0 | other.0)
    }
}

/// The character of a piece of a line.
fn glyph(arms: Arms, is_dashed: bool, is_unicode: bool) -> char {
    let is_upright = arms.0 & (Arms::LEFT.0 | Arms::RIGHT.0) == 0;
    match (is_unicode, is_dashed) {
        _ if !is_unicode && !is_upright && !arms.is_level() => '+',
        (false, false) => {
            if is_upright {
                '|'
            } else {
                '-'
            }
        }
        (false, true) => {
            if is_upright {
                ':'
            } else {
                '.'
            }
        }
        (true, true) if is_upright => '┆',
        (true, true) if arms.is_level() => '┄',
        (true, is_dashed) => match arms.0 {
            1..=3 => '│',
            4 | 8 | 12 => '─',
            5 => {
                if is_dashed {
                    '╯'
                } else {
                    '┘'
                }
            }
            6 => {
                if is_dashed {
                    '╮'
                } else {
                    '┐'
                }
            }
            9 => {
                if is_dashed {
                    '╰'
                } else {
                    '└'
                }
            }
            10 => {
                if is_dashed {
                    '╭'
                } else {
                    '┌'
                }
            }
            7 => '┤',
            11 => '├',
            13 => '┴',
            14 => '┬',
            _ => '┼',
        },
    }
}

impl Canvas {
    pub(crate) fn new(is_unicode: bool) -> Canvas {
        Canvas { is_unicode, rows: Vec::new(), texts: Vec::new(), crossings: 0 }
    }

    pub(crate) fn is_unicode(&self) -> bool {
        self.is_unicode
    }

    /// How often a line goes on behind another; where both are solid, that counts more.
    pub(crate) fn crossings(&self) -> usize {
        self.crossings
    }

    pub(crate) fn rows(&self) -> usize {
        self.rows.len()
    }

    /// How a line is to look.
    pub(crate) fn pen(&mut self, line: usize, is_dashed: bool, tone: Tone) -> Pen<'_> {
        Pen { canvas: self, line, is_dashed, tone }
    }

    /// Puts a character on a line that is drawn already.
    pub(crate) fn mark(&mut self, row: usize, column: i64, mark: char, tone: Tone) {
        if let Some(ink) = self.at(row, column) {
            *ink = Ink::Mark(mark, tone);
        }
    }

    /// Puts a text of so many columns.
    pub(crate) fn text(&mut self, row: usize, column: i64, columns: usize, text: &str, tone: Tone) {
        let number = self.texts.len();
        self.texts.push((text.to_owned(), tone));
        for (place, at) in (column..).take(columns).enumerate() {
            if let Some(ink) = self.at(row, at) {
                *ink = if place == 0 { Ink::Text(number) } else { Ink::Covered };
            }
        }
    }

    fn at(&mut self, row: usize, column: i64) -> Option<&mut Ink> {
        let column = usize::try_from(column).ok()?;
        if self.rows.len() <= row {
            self.rows.resize_with(row + 1, Vec::new);
        }
        let cells = self.rows.get_mut(row)?;
        if cells.len() <= column {
            cells.resize(column + 1, Ink::Blank);
        }
        cells.get_mut(column)
    }

    /// A line of text for each row, without blanks at its end.
    pub(crate) fn lines(&self, colour: bool) -> Vec<String> {
        self.rows.iter().map(|row| self.line(row, colour)).collect()
    }

    fn line(&self, row: &[Ink], colour: bool) -> String {
        let mut line = String::new();
        let mut tone = Tone::Plain;
        let mut blanks = 0;
        for ink in row {
            let mut put = |text: &str, its: Tone| {
                let its = if colour { its } else { Tone::Plain };
                if its != tone {
                    if tone != Tone::Plain {
                        line.push_str("\x1b[0m");
                    }
                    line.extend(std::iter::repeat_n(' ', std::mem::take(&mut blanks)));
                    line.push_str(its.code());
                    tone = its;
                }
                line.extend(std::iter::repeat_n(' ', std::mem::take(&mut blanks)));
                line.push_str(text);
            };
            match ink {
                Ink::Blank => blanks += 1,
                Ink::Covered => {}
                Ink::Mark(mark, its) => put(mark.encode_utf8(&mut [0; 4]), *its),
                Ink::Text(number) => {
                    if let Some((text, its)) = self.texts.get(*number) {
                        put(text, *its);
                    }
                }
                Ink::Line { arms, is_dashed, tone: its, .. } => {
                    put(glyph(*arms, *is_dashed, self.is_unicode).encode_utf8(&mut [0; 4]), *its);
                }
            }
        }
        if tone != Tone::Plain {
            line.push_str("\x1b[0m");
        }
        line
    }
}

/// What draws one line.
pub(crate) struct Pen<'a> {
    canvas: &'a mut Canvas,
    line: usize,
    is_dashed: bool,
    tone: Tone,
}

impl Pen<'_> {
    /// A level piece, both ends included; neither goes on further.
    pub(crate) fn level(&mut self, row: usize, from: i64, to: i64) {
        for column in from..=to {
            let mut arms = Arms(0);
            if column > from {
                arms = arms | Arms::LEFT;
            }
            if column < to {
                arms = arms | Arms::RIGHT;
            }
            self.put(row, column, arms);
        }
    }

    /// A piece that goes from side to side through each of these columns.
    pub(crate) fn dash(&mut self, row: usize, from: i64, to: i64) {
        (from..=to).for_each(|column| self.put(row, column, Arms::LEFT | Arms::RIGHT));
    }

    /// Goes on in these directions.
    pub(crate) fn put(&mut self, row: usize, column: i64, arms: Arms) {
        self.lay(row, column, arms, false);
    }

    /// The piece that touches a servent, which is in front of all: what is hidden there seems not to be linked.
    pub(crate) fn touch(&mut self, row: usize, column: i64) {
        self.lay(row, column, Arms::UP | Arms::DOWN, true);
    }

    fn lay(&mut self, row: usize, column: i64, arms: Arms, is_in_front: bool) {
        let Pen { line, is_dashed, tone, .. } = *self;
        let new = |arms| Ink::Line { line, arms, is_dashed, tone };
        let Some(ink) = self.canvas.at(row, column) else { return };
        let (drawn, crossings) = match *ink {
            Ink::Line { line: other, arms: there, .. } if other == line => (new(there | arms), 0),
            Ink::Line { arms: there, is_dashed: there_dashed, .. } => {
                let rank = |arms: Arms, is_dashed: bool| (!is_dashed, !arms.is_level());
                let is_behind = !is_in_front && rank(there, there_dashed) > rank(arms, is_dashed);
                let is_worse = !is_dashed && !there_dashed;
                (if is_behind { *ink } else { new(arms) }, if is_worse { SOLID_CROSSING_COST } else { 1 })
            }
            _ => (new(arms), 0),
        };
        *ink = drawn;
        self.canvas.crossings += crossings;
    }
}
