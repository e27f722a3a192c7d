//! Two logs of events of any bytes, told in one order.
//!
//! Whether that can be true is not said once more here: tests beside the code have logs of which it is known.

use common::text::misleads;
use topology::events::{EventLine, LINE_BYTES_MAX, NamedLog, tell};

use crate::Outcome;

/// What divides the bytes into two logs: no line has it.
const BETWEEN: u8 = 0;

pub(crate) fn run(bytes: &[u8]) -> Outcome {
    let (one, other) = bytes.split_at(bytes.iter().position(|byte| *byte == BETWEEN).unwrap_or(bytes.len()));
    let other = other.get(1..).unwrap_or_default();
    let Some(as_they_are) = told(one, other, true) else {
        assert!(told(one, other, false).is_none() && told(other, one, true).is_none(), "it is refused or it is not");
        let all_lines = [one, other].into_iter().flat_map(whole_lines).collect::<Vec<_>>();
        let is_bad = |line: &&[u8]| line.len() > LINE_BYTES_MAX || EventLine::parse(line).is_err();
        assert!(all_lines.iter().any(is_bad), "nothing is wrong with it");
        return Outcome::Refused;
    };
    let key_of = |line| {
        let line = EventLine::parse(line).expect("it was told");
        (line.clock, line.servent, line.n)
    };
    let keys: Vec<_> = lines_of(&as_they_are).map(key_of).collect();
    assert!(keys.is_sorted(), "by clock, address and number");

    // Each that is one, and each once. What is none is left of one that was killed, before another that was started.
    let mut expected: Vec<&[u8]> =
        [one, other].into_iter().flat_map(whole_lines).filter(|line| EventLine::parse(line).is_ok()).collect();
    let mut found: Vec<&[u8]> = lines_of(&as_they_are).collect();
    expected.sort_unstable();
    found.sort_unstable();
    assert_eq!(found, expected);

    let turned = told(other, one, true).expect("whichever comes first");
    // Where two are equal none is the first.
    let is_one_order = keys.is_sorted_by(|one, next| one < next);
    assert!(!is_one_order || turned == as_they_are, "it does not matter in which order they are named");
    let in_words = String::from_utf8(told(one, other, false).expect("in words as well")).expect("text");
    assert_eq!(in_words.lines().count(), keys.len(), "each on a line");
    assert!(!in_words.chars().any(|letter| misleads(letter) && letter != '\n'), "{in_words:?}");
    Outcome::taken_if(!keys.is_empty())
}

/// What is told of two logs, if they are such.
fn told(one: &[u8], other: &[u8], as_they_are: bool) -> Option<Vec<u8>> {
    let logs = [("one", one), ("other", other)].map(|(name, source)| NamedLog { name: name.to_owned(), source });
    let mut out = Vec::new();
    let verdict = tell(&logs, as_they_are, &mut out).ok()?;
    assert_eq!(verdict.differences.is_empty(), verdict.differences.told().next().is_none());
    assert_eq!(verdict.lines, lines_of(&out).count() as u64);
    Some(out)
}

fn lines_of(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    text.split_inclusive(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\n").unwrap_or(line))
}

/// Those that have an end, and anything in them.
fn whole_lines(text: &[u8]) -> impl Iterator<Item = &[u8]> {
    let end = text.iter().rposition(|byte| *byte == b'\n').map_or(0, |end| end + 1);
    lines_of(&text[..end]).filter(|line| !line.is_empty())
}
