//! A script: commands line by line, of a file, a pipe or an argument. What becomes of each is `repl`.

use std::io::{self, BufRead, Read};

use common::limits::COMMAND_BYTES_MAX;

/// What editors of other systems put before a text, to say that it is UTF-8.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

/// A line of a script, with its end.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum ScriptLine {
    /// All of it.
    Whole(Vec<u8>),
    /// None of it: its beginning might be a command, and it is none.
    TooLong,
}

/// A script that is read as it comes.
pub(crate) struct Script<Source> {
    source: Source,
    is_begun: bool,
}

impl<Source: BufRead> Script<Source> {
    pub(crate) fn new(source: Source) -> Script<Source> {
        Script { source, is_begun: false }
    }

    /// The next line; nothing at the end of the script.
    pub(crate) fn next(&mut self) -> io::Result<Option<ScriptLine>> {
        let mut line = read_line(&mut self.source)?;
        if let Some(ScriptLine::Whole(line)) = &mut line
            && !self.is_begun
            && line.starts_with(BYTE_ORDER_MARK)
        {
            line.drain(..BYTE_ORDER_MARK.len());
        }
        self.is_begun = true;
        Ok(line)
    }
}

/// The next line of a text; nothing at its end.
pub(crate) fn read_line(source: &mut impl BufRead) -> io::Result<Option<ScriptLine>> {
    let mut line = Vec::new();
    let limit = COMMAND_BYTES_MAX as u64 + 1;
    if source.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && line.len() > COMMAND_BYTES_MAX {
        source.skip_until(b'\n')?;
        return Ok(Some(ScriptLine::TooLong));
    }
    Ok(Some(ScriptLine::Whole(line)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(script: &[u8]) -> Vec<ScriptLine> {
        let mut script = Script::new(script);
        std::iter::from_fn(|| script.next().unwrap()).collect()
    }

    fn whole(line: &[u8]) -> ScriptLine {
        ScriptLine::Whole(line.to_vec())
    }

    #[test]
    fn a_line_too_long_costs_itself_only() {
        let long = [vec![b'x'; 3 * COMMAND_BYTES_MAX], b"\n".to_vec()].concat();
        let script = [&b"? tea\n"[..], &long, b"Q"].concat();
        assert_eq!(lines(&script), [whole(b"? tea\n"), ScriptLine::TooLong, whole(b"Q")]);
        let longest = [vec![b'x'; COMMAND_BYTES_MAX], b"\n".to_vec()].concat();
        assert_eq!(lines(&longest), [whole(&longest)]);
        assert_eq!(lines(&[b"x", &longest[..]].concat()), [ScriptLine::TooLong]);
    }

    #[test]
    fn a_byte_order_mark_is_skipped_where_a_script_begins_and_nowhere_else() {
        let marked = |line: &[u8]| [BYTE_ORDER_MARK, line].concat();
        assert_eq!(lines(&marked(b"Q\n")), [whole(b"Q\n")]);
        assert_eq!(lines(&marked(b"")), [whole(b"")]);
        assert_eq!(lines(&[b"\n".to_vec(), marked(b"Q")].concat()), [whole(b"\n"), whole(&marked(b"Q"))]);
        assert_eq!(lines(b"\xef\xbbQ"), [whole(b"\xef\xbbQ")]);
    }
}
