//! The files of logs of events, and their whole lines, read in pieces: a file may be larger than what there is of memory.
//!
//! What a line says is `line`'s.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::ops::Range;
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use common::text::Escaped;
use rustix::fs::OFlags;

/// The longest line that may be one of such a log: far more than any servent writes.
pub const LINE_BYTES_MAX: usize = 64 * 1024;
/// What is read at once.
const PIECE_BYTES: usize = 16 * 1024;

/// Something that can be read at any place, any number of times.
pub trait ReadAt {
    /// Reads some bytes from this place on; none at the end.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize>;
}

impl ReadAt for File {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        FileExt::read_at(self, buffer, offset)
    }
}

impl ReadAt for &[u8] {
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<usize> {
        let rest = usize::try_from(offset).ok().and_then(|offset| self.get(offset..)).unwrap_or_default();
        let count = rest.len().min(buffer.len());
        buffer[..count].copy_from_slice(&rest[..count]);
        Ok(count)
    }
}

/// A log and what it is called in messages.
#[derive(Debug)]
pub struct NamedLog<Source> {
    /// Fit for a terminal.
    pub name: String,
    /// Where its lines are.
    pub source: Source,
}

/// Where a line is: in which of the logs, and which of its lines, from 1.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct LinePlace {
    pub(super) log: usize,
    pub(super) line: u64,
}

impl LinePlace {
    /// As compilers name places.
    pub(super) fn told<Source>(self, logs: &[NamedLog<Source>]) -> String {
        let name = logs.get(self.log).map_or("?", |log| &log.name);
        format!("{name}:{}", self.line)
    }
}

/// Opens the files, each once, and before each what it was called before it was begun anew.
pub(super) fn open(paths: &[PathBuf]) -> anyhow::Result<Vec<NamedLog<File>>> {
    let mut logs = Vec::new();
    let mut known = Vec::new();
    let mut add = |path: &Path, file: File| -> anyhow::Result<()> {
        let identity = identity_of(&file).with_context(|| cannot_read(path))?;
        if !known.contains(&identity) {
            known.push(identity);
            logs.push(NamedLog { name: name_of(path), source: file });
        }
        Ok(())
    };
    for path in paths {
        let file = open_one(path)?;
        let before = before(path);
        match open_one(&before) {
            Ok(file) => add(&before, file)?,
            Err(error) if is_missing(&error) => {}
            Err(error) => return Err(error),
        }
        add(path, file)?;
    }
    Ok(logs)
}

/// Which file it is, by whatever path it was opened.
pub(super) fn identity_of(file: &File) -> io::Result<(u64, u64)> {
    let metadata = file.metadata()?;
    Ok((metadata.dev(), metadata.ino()))
}

/// What a log is called once a new one was begun.
pub(super) fn before(path: &Path) -> PathBuf {
    let mut before = path.as_os_str().to_owned();
    before.push(".1");
    PathBuf::from(before)
}

/// Opens what can be read more than once, and waits for nobody.
pub(super) fn open_one(path: &Path) -> anyhow::Result<File> {
    let open = || -> anyhow::Result<File> {
        // Opening a FIFO waits for somebody else, and what comes out of it comes once.
        if !fs::metadata(path)?.is_file() {
            bail!("it is not a regular file");
        }
        let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
        Ok(OpenOptions::new().read(true).custom_flags(flags.bits().cast_signed()).open(path)?)
    };
    open().with_context(|| cannot_read(path))
}

pub(super) fn name_of(path: &Path) -> String {
    Escaped::new(path.as_os_str().as_encoded_bytes()).to_string()
}

fn cannot_read(path: &Path) -> String {
    format!("cannot read {}", name_of(path))
}

fn is_missing(error: &anyhow::Error) -> bool {
    error.downcast_ref::<io::Error>().is_some_and(|error| error.kind() == io::ErrorKind::NotFound)
}

/// The lines of a part of a log, one after the other.
#[derive(Debug)]
pub(super) struct LineReader {
    /// What was read, of which the lines before `begun` were given out.
    buffer: Vec<u8>,
    begun: usize,
    /// Of the byte behind the buffer.
    offset: u64,
    end: u64,
}

/// A line without its end.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct RawLine<'a> {
    pub(super) bytes: &'a [u8],
    /// Where it is, with its end.
    pub(super) range: Range<u64>,
    /// Whether it has an end: the last one may be half written.
    pub(super) is_whole: bool,
}

impl LineReader {
    /// Of the bytes from here to there.
    pub(super) fn new(range: Range<u64>) -> LineReader {
        LineReader { buffer: Vec::new(), begun: 0, offset: range.start, end: range.end }
    }

    /// The next line; nothing at the end of the part.
    pub(super) fn next(&mut self, source: &impl ReadAt) -> anyhow::Result<Option<RawLine<'_>>> {
        let mut searched = self.begun;
        let found = loop {
            if let Some(place) = memchr::memchr(b'\n', &self.buffer[searched..]) {
                break Some(searched + place);
            }
            if self.buffer.len() - self.begun > LINE_BYTES_MAX {
                bail!("it is longer than {LINE_BYTES_MAX} bytes, and no line of such a log is");
            }
            searched = self.buffer.len() - self.begun;
            if !self.fill(source)? {
                break None;
            }
        };
        let first = self.begun;
        let start = self.offset - (self.buffer.len() - first) as u64;
        let (last, next) = found.map_or((self.buffer.len(), self.buffer.len()), |end| (end, end + 1));
        if next == first {
            return Ok(None);
        }
        self.begun = next;
        let range = start..start + (next - first) as u64;
        Ok(Some(RawLine { bytes: &self.buffer[first..last], range, is_whole: found.is_some() }))
    }

    /// Reads more behind what is there, and drops what was given out. False at the end.
    fn fill(&mut self, source: &impl ReadAt) -> io::Result<bool> {
        self.buffer.drain(..std::mem::take(&mut self.begun));
        let held = self.buffer.len();
        let wanted = usize::try_from(self.end.saturating_sub(self.offset)).unwrap_or(usize::MAX).min(PIECE_BYTES);
        self.buffer.resize(held + wanted, 0);
        let read = loop {
            match source.read_at(&mut self.buffer[held..], self.offset) {
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                read => break read,
            }
        };
        let count = *read.as_ref().unwrap_or(&0);
        self.buffer.truncate(held + count);
        self.offset += count as u64;
        read.map(|count| count > 0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines_of(text: &[u8], range: Range<u64>) -> Vec<(Vec<u8>, Range<u64>, bool)> {
        let mut reader = LineReader::new(range);
        let mut lines = Vec::new();
        while let Some(line) = reader.next(&text).unwrap() {
            lines.push((line.bytes.to_vec(), line.range, line.is_whole));
        }
        lines
    }

    #[test]
    fn lines_are_whole_wherever_a_piece_ends() {
        let long = vec![b'x'; 3 * PIECE_BYTES];
        let text = [b"one\n\n", &long[..], b"\ntwo\nhal"].concat();
        let ends = [4, 5, 6 + long.len() as u64, 10 + long.len() as u64, 13 + long.len() as u64];
        let expected = [
            (b"one".to_vec(), 0..ends[0], true),
            (Vec::new(), ends[0]..ends[1], true),
            (long, ends[1]..ends[2], true),
            (b"two".to_vec(), ends[2]..ends[3], true),
            (b"hal".to_vec(), ends[3]..ends[4], false),
        ];
        assert_eq!(lines_of(&text, 0..u64::MAX), expected);
        assert_eq!(lines_of(&text, 4..ends[3]), expected[1..4]);
        assert_eq!(lines_of(b"", 0..u64::MAX), []);
    }

    #[test]
    fn a_line_without_an_end_is_given_up() {
        let text = vec![b'x'; LINE_BYTES_MAX + PIECE_BYTES];
        let error = LineReader::new(0..u64::MAX).next(&&text[..]).map(|_| ()).unwrap_err();
        assert!(error.to_string().contains("longer than 65536 bytes"), "{error}");
    }

    #[test]
    fn what_was_before_comes_before_and_each_once() {
        let directory = tempfile::tempdir().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["a", "a.1", "b"] {
            fs::write(at(name), "").unwrap();
        }
        let logs = open(&[at("b"), at("a"), at("a.1"), at("b")]).unwrap();
        let names: Vec<&str> = logs.iter().map(|log| log.name.rsplit('/').next().unwrap()).collect();
        assert_eq!(names, ["b", "a.1", "a"]);
        let missing = format!("{:#}", open(&[at("c")]).unwrap_err());
        assert!(missing.contains("cannot read ") && missing.contains("c: No such file"), "{missing}");
        let directory = format!("{:#}", open(&[directory.path().to_owned()]).unwrap_err());
        assert!(directory.ends_with(": it is not a regular file"), "{directory}");
    }
}
