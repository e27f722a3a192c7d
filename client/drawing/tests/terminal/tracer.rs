//! Reads links off a drawing, as somebody would who follows each line with a finger, and knows nothing of how it was made.
//!
//! The rules: a line goes on where it points to. Where it meets one that runs crosswise it goes on behind it. A line with ends
//! above and below links each above it with each below it; one with two ends above and none below, these two.

use std::collections::{BTreeMap, BTreeSet};

use unicode_width::UnicodeWidthChar;

/// By the ports of both ends, the lower first: whether the line is dashed, where that can be seen.
pub(crate) type TracedLinks = BTreeMap<(u16, u16), Option<bool>>;

const UP: usize = 0;
const DOWN: usize = 1;
const LEFT: usize = 2;
const RIGHT: usize = 3;

struct Grid {
    is_unicode: bool,
    rows: Vec<Vec<char>>,
    /// By place: the port of the servent that is written there.
    owners: BTreeMap<(usize, usize), u16>,
}

/// What is linked in a drawing that has no legend. Panics where a line leads nowhere.
pub(crate) fn traced(drawing: &str, is_unicode: bool) -> (BTreeSet<u16>, TracedLinks) {
    let grid = Grid::read(drawing, is_unicode);
    let servents = grid.owners.values().copied().collect();
    let mut links = TracedLinks::new();
    let mut add = |one: u16, other: u16, is_dashed: Option<bool>| {
        assert_ne!(one, other, "{drawing}");
        let before = links.insert((one.min(other), one.max(other)), is_dashed);
        assert_eq!(before, None, "{one} and {other} are linked twice:\n{drawing}");
    };
    let mut seen = BTreeSet::new();
    for ((row, column), owner) in &grid.owners {
        let below = (row + 1, *column);
        if !grid.owners.contains_key(&below) && grid.meets(below, UP) && !seen.contains(&below) {
            let line = grid.follow(below);
            seen.extend(line.cells.iter().copied());
            let above: Vec<u16> = line.ends.iter().filter(|end| end.1).map(|end| end.0).collect();
            let beneath: Vec<u16> = line.ends.iter().filter(|end| !end.1).map(|end| end.0).collect();
            assert!(above.contains(owner));
            if beneath.is_empty() {
                let [one, other] = above[..] else { panic!("{above:?} hang on one line:\n{drawing}") };
                add(one, other, line.is_dashed);
            }
            for upper in &above {
                beneath.iter().for_each(|lower| add(*upper, *lower, line.is_dashed));
            }
        }
        // One to the right, after a blank.
        let is_last = grid.owners.get(&(*row, column + 1)) != Some(owner);
        if is_last && grid.at((*row, column + 1)) == ' ' && grid.is_level((*row, column + 2)) {
            let mut end = column + 2;
            let mut is_dashed = None;
            while grid.is_level((*row, end)) {
                is_dashed = grid.is_dashed((*row, end)).or(is_dashed);
                end += 1;
            }
            assert_eq!(grid.at((*row, end)), ' ', "{drawing}");
            let other =
                grid.owners.get(&(*row, end + 1)).unwrap_or_else(|| panic!("nobody at {row}, {end}:\n{drawing}"));
            add(*owner, *other, is_dashed);
        }
    }
    (servents, links)
}

struct Followed {
    cells: BTreeSet<(usize, usize)>,
    /// Whom it meets, and whether that is from below.
    ends: BTreeSet<(u16, bool)>,
    is_dashed: Option<bool>,
}

impl Grid {
    fn read(drawing: &str, is_unicode: bool) -> Grid {
        let mut rows: Vec<Vec<char>> = Vec::new();
        for line in drawing.lines() {
            let mut row = Vec::new();
            for character in line.chars() {
                let width = character.width().unwrap();
                row.extend([character].into_iter().chain(['\0'; 2]).take(width));
            }
            rows.push(row);
        }
        let mut grid = Grid { is_unicode, rows, owners: BTreeMap::new() };
        for row in 0..grid.rows.len() {
            for column in 0..grid.rows[row].len() {
                let text: String = grid.rows[row][column..].iter().take(5).collect();
                let digits = text.strip_prefix(":9").filter(|digits| digits.chars().all(|c| c.is_ascii_digit()));
                if digits.is_some_and(|digits| digits.len() == 3) {
                    grid.claim(row, column, text[1..].parse().unwrap());
                }
            }
        }
        grid
    }

    /// All that is written of a servent whose port is here.
    fn claim(&mut self, row: usize, column: usize, port: u16) {
        let cells = &self.rows[row];
        let (mut from, mut to) = (column, column + 5);
        let before = |from: usize, text: &str| {
            let start = from.checked_sub(text.len());
            start.filter(|start| cells[*start..from].iter().collect::<String>() == text)
        };
        from = before(from, "127.0.0.1").unwrap_or(from);
        let rest: String = cells[to..].iter().filter(|cell| **cell != '\0').collect();
        let name = rest.strip_prefix(" n").map_or(0, |rest| rest.chars().take_while(char::is_ascii_digit).count());
        to += if name > 0 { name + 2 } else { 0 };
        if cells.get(to) == Some(&')') {
            from = before(from, "(").unwrap();
            to += 1;
        }
        from = before(from, "+").or(before(from, "-")).unwrap_or(from);
        for text in [" ~", "+"] {
            let rest: String = cells[to..].iter().collect();
            if rest.starts_with(text) {
                to += text.len();
                to += cells[to..].iter().take_while(|cell| cell.is_ascii_digit()).count();
            }
        }
        let open = cells[..from].iter().rposition(|cell| *cell != ' ').filter(|open| cells[*open] == '[');
        if let Some(open) = open {
            from = open;
            to += cells[to..].iter().position(|cell| *cell == ']').unwrap() + 1;
        }
        let is_new = (from..to).all(|column| self.owners.insert((row, column), port).is_none());
        assert!(is_new, "two in one place");
        // A name below it.
        let named = format!("n{port}");
        for start in from.saturating_sub(named.len())..to {
            let below: String = self.rows.get(row + 1).into_iter().flatten().skip(start).take(named.len()).collect();
            if below == named {
                self.owners.extend((start..start + named.len()).map(|column| ((row + 1, column), port)));
            }
        }
    }

    fn at(&self, (row, column): (usize, usize)) -> char {
        self.rows.get(row).and_then(|row| row.get(column)).copied().unwrap_or(' ')
    }

    fn is_mark(&self, at: (usize, usize)) -> bool {
        let marks = if self.is_unicode { ['?', 'x', '+'] } else { ['?', 'x', '*'] };
        !self.owners.contains_key(&at) && marks.contains(&self.at(at))
    }

    fn is_level(&self, at: (usize, usize)) -> bool {
        !self.owners.contains_key(&at) && (matches!(self.at(at), '─' | '┄' | '-' | '.') || self.is_mark(at))
    }

    fn is_upright(&self, at: (usize, usize)) -> bool {
        !self.owners.contains_key(&at) && matches!(self.at(at), '│' | '┆' | '|' | ':')
    }

    fn is_dashed(&self, at: (usize, usize)) -> Option<bool> {
        match self.at(at) {
            '┄' | '┆' | '╭' | '╮' | '╰' | '╯' | '.' | ':' => Some(true),
            '─' | '│' | '┌' | '┐' | '└' | '┘' | '-' | '|' => Some(false),
            _ => None,
        }
    }

    fn step(at: (usize, usize), direction: usize) -> Option<(usize, usize)> {
        Some(match direction {
            UP => (at.0.checked_sub(1)?, at.1),
            DOWN => (at.0 + 1, at.1),
            LEFT => (at.0, at.1.checked_sub(1)?),
            _ => (at.0, at.1 + 1),
        })
    }

    /// Whether a line that is here points somewhere.
    fn meets(&self, at: (usize, usize), direction: usize) -> bool {
        if self.owners.contains_key(&at) {
            return false;
        }
        let arms = match self.at(at) {
            '│' | '┆' | '|' | ':' => [true, true, false, false],
            '─' | '┄' | '-' | '.' => [false, false, true, true],
            '┘' | '╯' => [true, false, true, false],
            '└' | '╰' => [true, false, false, true],
            '┐' | '╮' => [false, true, true, false],
            '┌' | '╭' => [false, true, false, true],
            '┤' => [true, true, true, false],
            '├' => [true, true, false, true],
            '┴' => [true, false, true, true],
            '┬' => [false, true, true, true],
            '┼' => [true; 4],
            '+' if !self.is_unicode => [UP, DOWN, LEFT, RIGHT].map(|direction| self.goes_on(at, direction)),
            _ if self.is_mark(at) => [true, true, false, false],
            _ => [false; 4],
        };
        arms[direction]
    }

    /// Whether somebody who sees a `+` would look on in a direction.
    fn goes_on(&self, at: (usize, usize), direction: usize) -> bool {
        // One on a short line between two has nothing above or below it.
        let is_upright_mark = |at| {
            let beyond = Grid::step(at, direction).unwrap_or(at);
            let is_line = self.is_upright(beyond) || self.is_mark(beyond) || self.at(beyond) == '+';
            self.is_mark(at) && (is_line || self.owners.contains_key(&beyond))
        };
        let is_along =
            |at| if direction < LEFT { self.is_upright(at) || is_upright_mark(at) } else { self.is_level(at) };
        let is_crosswise =
            |at| if direction < LEFT { self.is_level(at) && !self.is_mark(at) } else { self.is_upright(at) };
        let Some(mut next) = Grid::step(at, direction) else { return false };
        if self.owners.contains_key(&next) {
            return direction < LEFT;
        }
        let is_plus = |at| self.at(at) == '+' && !self.owners.contains_key(&at);
        if is_along(next) || is_plus(next) {
            return direction >= LEFT || !is_plus(next) || is_along(next);
        }
        let mut crossed = false;
        while is_crosswise(next) {
            crossed = true;
            let Some(further) = Grid::step(next, direction) else { return false };
            next = further;
        }
        // Only what is dashed goes on behind what is level.
        let is_dashed = self.at(next) == ':' && !self.owners.contains_key(&next);
        let is_hidden =
            if direction < LEFT { is_dashed || is_upright_mark(next) } else { is_along(next) || is_plus(next) };
        crossed && is_hidden
    }

    /// All of the line that leads down from a servent here.
    fn follow(&self, start: (usize, usize)) -> Followed {
        let shown = || self.rows.iter().map(|row| row.iter().collect::<String>() + "\n").collect::<String>();
        let mut line = Followed { cells: BTreeSet::new(), ends: BTreeSet::new(), is_dashed: None };
        // The end it begins at.
        let mut next = vec![(start, DOWN)];
        line.ends.insert((self.owners[&(start.0 - 1, start.1)], true));
        let mut been = BTreeSet::new();
        while let Some((at, direction)) = next.pop() {
            if !been.insert((at, direction)) {
                continue;
            }
            if let Some(owner) = self.owners.get(&at) {
                assert!(direction < LEFT, "a line runs into the side of {owner}:\n{}", shown());
                let is_new = line.ends.insert((*owner, direction == UP));
                assert!(is_new || direction == UP, "a line meets {owner} twice:\n{}", shown());
                continue;
            }
            let came_from = [DOWN, UP, RIGHT, LEFT][direction];
            if self.meets(at, came_from) || self.is_mark(at) {
                // Solid and dashed pieces are never of one line.
                if let Some(is_dashed) = self.is_dashed(at) {
                    assert!(line.is_dashed.is_none_or(|before| before == is_dashed), "{at:?}:\n{}", shown());
                    line.is_dashed = Some(is_dashed);
                }
                line.cells.insert(at);
                for onward in [UP, DOWN, LEFT, RIGHT] {
                    let is_onward = if self.is_mark(at) { onward == direction } else { self.meets(at, onward) };
                    if onward != came_from && is_onward {
                        next.push((Grid::step(at, onward).unwrap(), onward));
                    }
                }
            } else {
                let is_crossing =
                    if direction < LEFT { self.is_level(at) && !self.is_mark(at) } else { self.is_upright(at) };
                assert!(is_crossing, "a line leads nowhere at {at:?}:\n{}", shown());
                next.push((Grid::step(at, direction).unwrap(), direction));
            }
        }
        line
    }
}
