//! A script: commands line by line, of a file or a pipe. What becomes of each is `repl`.

use std::io::{self, BufRead, Read};

use common::config::COMMAND_BYTES_MAX;

/// The next line of a script; nothing at the end of the file. Of a line too long to be a command only a mark is left,
/// which is none either: its beginning might be one.
pub(crate) fn read_line(script: &mut impl BufRead) -> io::Result<Option<Vec<u8>>> {
    let mut line = Vec::new();
    let limit = COMMAND_BYTES_MAX as u64 + 1;
    if script.by_ref().take(limit).read_until(b'\n', &mut line)? == 0 {
        return Ok(None);
    }
    if line.last() != Some(&b'\n') && line.len() > COMMAND_BYTES_MAX {
        script.skip_until(b'\n')?;
        line = TOO_LONG.to_vec();
    }
    Ok(Some(line))
}

/// Stands for a line that is too long, also where an unknown command is repeated.
const TOO_LONG: &[u8] = b"(a line too long)";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::command::Command;

    #[test]
    fn a_line_too_long_costs_itself_only() {
        let long = [vec![b'x'; 3 * COMMAND_BYTES_MAX], b"\n".to_vec()].concat();
        let script = [&b"? tea\n"[..], &long, b"Q"].concat();
        let mut rest = &script[..];
        let mut lines = Vec::new();
        while let Some(line) = read_line(&mut rest).unwrap() {
            lines.push(Command::parse(&line));
        }
        assert_eq!(lines.len(), 3);
        assert_eq!(lines[1], Command::Unknown);
        assert_eq!(lines[2], Command::Quit);
    }
}
