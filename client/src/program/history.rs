//! The lines of a person, remembered from one session to the next in a file that all sessions share.
//!
//! A line is appended when it is entered, in one write, so a session that is killed forgets none and sessions beside it
//! lose none. The file is replaced (written beside, and renamed) only where it has grown too long, and nobody ever waits
//! for it. What cannot be read costs itself only, what cannot be written costs the memory of it: the history is a
//! convenience, and no reason not to ask. Going through the lines is the line editor's.
//!
//! The form is that of rustyline's own files, which earlier versions wrote: `#V2`, then a line each, in which `\n` and
//! `\\` stand for a line feed and a backslash.

use std::fs::{self, File, OpenOptions, Permissions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{FileExt, MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use common::limits::COMMAND_BYTES_MAX;
use etcetera::BaseStrategy;
use rustix::fs::{FlockOperation, OFlags, flock};

/// Lines that are remembered. A file with more is shortened to so many when a session begins.
pub(crate) const LINES_MAX: usize = 1_000;
/// So much of the end of a file is read. That is twice as much as the longest lines take, and every byte of them escaped.
const READ_BYTES_MAX: u64 = 4 * (LINES_MAX * COMMAND_BYTES_MAX) as u64;
/// A file that is replaced again and again while a line is added to it has a stranger at work.
const APPEND_TRIES_MAX: usize = 8;

/// Read and written by nobody else: what people ask for is their own business.
const MODE: u32 = 0o600;
const HEADER: &[u8] = b"#V2\n";

/// Where lines are remembered.
pub(crate) struct History {
    /// Nothing when the system names no place, or there is something else in it.
    path: Option<PathBuf>,
}

impl History {
    /// The history in its usual place, and the lines in it, the oldest first.
    pub(crate) fn open() -> (History, Vec<String>) {
        let opened = place().and_then(|path| {
            let lines = load(&path)?;
            Ok((path, lines))
        });
        match opened {
            Ok((path, lines)) => (History { path: Some(path) }, lines),
            Err(error) => {
                log::debug!("nothing is remembered: {error:#}");
                (History { path: None }, Vec::new())
            }
        }
    }

    /// Remembers a line. Once this has returned no end of the program forgets it.
    pub(crate) fn remember(&self, line: &[u8]) {
        if let Some(path) = &self.path
            && line.len() <= COMMAND_BYTES_MAX
            && let Err(error) = append(path, &escaped(line))
        {
            log::debug!("a line is not remembered: {error:#}");
        }
    }
}

fn place() -> anyhow::Result<PathBuf> {
    let strategy = etcetera::choose_base_strategy()?;
    let directory = strategy.state_dir().unwrap_or_else(|| strategy.data_dir()).join("servent");
    fs::create_dir_all(&directory).with_context(|| format!("cannot make {}", directory.display()))?;
    let path = directory.join("client-history");
    // Where it is a link, what it leads to is the file to write beside.
    Ok(fs::canonicalize(&path).unwrap_or(path))
}

/// Opens the file, or what lies in its place: without waiting, and only if it is a file.
fn open(path: &Path) -> anyhow::Result<File> {
    open_with(path, OpenOptions::new().append(true).create(true))
}

fn open_with(path: &Path, options: &mut OpenOptions) -> anyhow::Result<File> {
    let flags = OFlags::NONBLOCK | OFlags::NOCTTY;
    // Before it is opened, because opening a device may do something, and after, because it may be another by then.
    if let Ok(metadata) = fs::metadata(path)
        && !metadata.is_file()
    {
        bail!("{} is no file", path.display());
    }
    let file = options
        .read(true)
        .mode(MODE)
        .custom_flags(flags.bits().cast_signed())
        .open(path)
        .with_context(|| format!("cannot open {}", path.display()))?;
    if !file.metadata()?.is_file() {
        bail!("{} is no file", path.display());
    }
    Ok(file)
}

/// The lines of the file that can be remembered. Shortens it where it has more than that.
fn load(path: &Path) -> anyhow::Result<Vec<String>> {
    let mut file = match open(path) {
        Ok(file) => file,
        // Where nothing can be written what is there can be remembered all the same.
        Err(error) => match open_with(path, &mut OpenOptions::new()) {
            Ok(mut file) => return Ok(read(&mut file)?.0),
            Err(_) => return Err(error),
        },
    };
    if file.metadata()?.permissions().mode() & 0o777 != MODE {
        file.set_permissions(Permissions::from_mode(MODE))?;
    }
    let (lines, may_stay) = read(&mut file)?;
    if !may_stay && let Err(error) = shorten(path, &mut file) {
        log::debug!("the history stays as long as it is: {error:#}");
    }
    Ok(lines)
}

/// The lines, and whether the file may stay as it is.
fn read(file: &mut File) -> io::Result<(Vec<String>, bool)> {
    let mut header = [0; HEADER.len()];
    let is_escaped = match file.read_exact_at(&mut header, 0) {
        Ok(()) => header == HEADER,
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => false,
        Err(error) => return Err(error),
    };
    let length = file.metadata()?.len();
    let skipped = length.saturating_sub(READ_BYTES_MAX);
    file.seek(SeekFrom::Start(skipped))?;
    let mut bytes = Vec::new();
    // What others append meanwhile is read as well, and no more than a bounded part of it.
    (&*file).take(2 * READ_BYTES_MAX).read_to_end(&mut bytes)?;
    let is_short = skipped == 0 && bytes.iter().filter(|byte| **byte == b'\n').count() <= 1 + LINES_MAX;
    let mut lines = Vec::new();
    // Of the first line of a part there is only a part.
    let parts = bytes.split(|byte| *byte == b'\n').skip(usize::from(skipped > 0));
    for line in parts.filter(|line| !line.is_empty() && *line != HEADER.trim_ascii_end()) {
        let line = if is_escaped { unescaped(line) } else { Some(line.to_vec()) };
        let Some(line) = line.and_then(|line| String::from_utf8(line).ok()).filter(|line| is_fit(line)) else {
            log::debug!("a line of the history is skipped: it cannot have been entered");
            continue;
        };
        // What was entered twice in a row, in whichever sessions, is one line.
        if lines.last() != Some(&line) {
            lines.push(line);
        }
    }
    lines.drain(..lines.len().saturating_sub(LINES_MAX));
    Ok((lines, length == 0 || (is_escaped && is_short)))
}

/// Whether a line may be shown in the line editor, which shows it as it is.
fn is_fit(line: &str) -> bool {
    line.len() <= COMMAND_BYTES_MAX && !line.chars().any(|character| character.is_control() && character != '\t')
}

/// Replaces the file by one with the last lines only. A line that is appended meanwhile is either read here, or its
/// session sees that the file is another.
fn shorten(path: &Path, file: &mut File) -> anyhow::Result<()> {
    flock(&*file, FlockOperation::NonBlockingLockExclusive).context("another session is at it")?;
    if !is_in_place(path, file)? {
        bail!("another session has done it");
    }
    let (lines, _) = read(file)?;
    let read_bytes = file.stream_position()?;
    let mut text = HEADER.to_vec();
    for line in &lines {
        text.extend(escaped(line.as_bytes()));
    }
    let mut beside = path.as_os_str().to_owned();
    beside.push(".new");
    let beside = PathBuf::from(beside);
    // What a killed session left there. Nobody else is at it: the lock says so.
    let _ = fs::remove_file(&beside);
    let replaced = replace(path, &beside, &text);
    if replaced.is_err() {
        let _ = fs::remove_file(&beside);
    }
    let mut new = replaced?;
    file.seek(SeekFrom::Start(read_bytes))?;
    let mut late = Vec::new();
    file.take(READ_BYTES_MAX).read_to_end(&mut late)?;
    if !late.is_empty() {
        new.write_all(&late)?;
    }
    Ok(())
}

fn replace(path: &Path, beside: &Path, text: &[u8]) -> anyhow::Result<File> {
    let mut new = OpenOptions::new().append(true).create_new(true).mode(MODE).open(beside)?;
    new.write_all(text)?;
    // Renamed before it is on the disk it could be empty after a power cut.
    new.sync_all()?;
    fs::rename(beside, path)?;
    Ok(new)
}

fn is_in_place(path: &Path, file: &File) -> io::Result<bool> {
    let ours = file.metadata()?;
    match fs::metadata(path) {
        Ok(theirs) => Ok((ours.dev(), ours.ino()) == (theirs.dev(), theirs.ino())),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error),
    }
}

/// Appends a line in one write.
fn append(path: &Path, line: &[u8]) -> anyhow::Result<()> {
    for _ in 0..APPEND_TRIES_MAX {
        let mut file = open(path)?;
        let length = file.metadata()?.len();
        let mut bytes = Vec::with_capacity(line.len() + HEADER.len());
        if length == 0 {
            bytes.extend(HEADER);
        } else if !ends_a_line(&file, length)? {
            // A full disk took half a line of somebody. It costs itself only.
            bytes.push(b'\n');
        }
        bytes.extend(line);
        let written = file.write(&bytes)?;
        if written < bytes.len() {
            // Half a line would be remembered as a whole one. If others came behind it, it has to stay.
            let end = length + written as u64;
            if file.metadata()?.len() == end {
                file.set_len(length)?;
            }
            bail!("{} takes no more", path.display());
        }
        // Somebody who shortened it meanwhile may have read it before this line was there.
        if is_in_place(path, &file)? {
            return Ok(());
        }
    }
    bail!("{} is never the same", path.display())
}

fn ends_a_line(file: &File, length: u64) -> io::Result<bool> {
    let mut last = [0];
    file.read_exact_at(&mut last, length - 1)?;
    Ok(last == *b"\n")
}

/// A line as it stands in the file, with its end.
fn escaped(line: &[u8]) -> Vec<u8> {
    let mut escaped = Vec::with_capacity(line.len() + 1);
    for byte in line {
        match byte {
            b'\\' => escaped.extend(br"\\"),
            b'\n' => escaped.extend(br"\n"),
            byte => escaped.push(*byte),
        }
    }
    escaped.push(b'\n');
    escaped
}

/// A line as it was entered; nothing where a backslash stands for nothing.
fn unescaped(line: &[u8]) -> Option<Vec<u8>> {
    let mut unescaped = Vec::with_capacity(line.len());
    let mut bytes = line.iter();
    while let Some(byte) = bytes.next() {
        unescaped.push(match byte {
            b'\\' => match bytes.next()? {
                b'\\' => b'\\',
                b'n' => b'\n',
                _ => return None,
            },
            byte => *byte,
        });
    }
    Some(unescaped)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;

    use rustix::fs::{CWD, FileType, Mode, mknodat};
    use tempfile::TempDir;

    use super::*;

    fn home() -> (TempDir, PathBuf) {
        let home = TempDir::new().unwrap();
        let path = home.path().join("client-history");
        (home, path)
    }

    fn remember(path: &Path, line: &str) {
        append(path, &escaped(line.as_bytes())).unwrap();
    }

    /// Sessions that enter lines beside each other, each its own number and that of the line.
    fn sessions(path: &Path, sessions: usize, lines: usize) -> Vec<std::thread::JoinHandle<()>> {
        let session = |session: usize| {
            let path = path.to_owned();
            std::thread::spawn(move || (0..lines).for_each(|line| remember(&path, &format!("{session} {line}"))))
        };
        (0..sessions).map(session).collect()
    }

    #[test]
    fn lines_of_sessions_beside_each_other_are_all_there_and_those_twice_in_a_row_once() {
        let (_home, path) = home();
        assert_eq!(load(&path).unwrap(), [""; 0]);
        sessions(&path, 8, 50).into_iter().for_each(|session| session.join().unwrap());
        let lines = load(&path).unwrap();
        assert_eq!(lines.len(), 8 * 50);
        for session in 0..8 {
            let own = lines.iter().filter(|line| line.starts_with(&format!("{session} ")));
            assert!(own.eq(&(0..50).map(|line| format!("{session} {line}")).collect::<Vec<_>>()));
        }
        remember(&path, "again");
        remember(&path, "again");
        assert_eq!(load(&path).unwrap().iter().filter(|line| *line == "again").count(), 1);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
    }

    #[test]
    fn a_line_comes_back_as_it_was() {
        let (_home, path) = home();
        for line in [r"? a\nb", r"? \", r"\\", "? caf\u{e9}", "? tab\tbed", "# V2"] {
            remember(&path, line);
            assert_eq!(load(&path).unwrap().last().unwrap(), line);
        }
    }

    #[test]
    fn a_file_that_is_too_long_is_shortened_beside_sessions_that_write_to_it() {
        let (home, path) = home();
        let old: String = (0..LINES_MAX + 7).map(|line| format!("old {line}\n")).collect();
        fs::write(&path, format!("#V2\n{old}")).unwrap();
        let sessions = sessions(&path, 4, 100);
        for _ in 0..50 {
            assert!(load(&path).unwrap().len() <= LINES_MAX);
        }
        sessions.into_iter().for_each(|session| session.join().unwrap());
        let lines = load(&path).unwrap();
        assert!(lines.len() <= LINES_MAX && lines[0].starts_with("old "), "{} lines", lines.len());
        for session in 0..4 {
            for line in 0..100 {
                assert!(lines.contains(&format!("{session} {line}")), "{session} {line} is forgotten");
            }
        }
        let lines_in_file = fs::read_to_string(&path).unwrap().lines().count();
        assert!(lines_in_file <= LINES_MAX + 1, "{lines_in_file} lines and their head");
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1, "nothing is left beside it");
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, MODE);
    }

    #[test]
    fn a_file_that_cannot_be_shortened_loses_nothing() {
        let (home, path) = home();
        let old: String = (0..LINES_MAX + 7).map(|line| format!("old {line}\n")).collect();
        fs::write(&path, format!("#V2\n{old}")).unwrap();
        fs::create_dir_all(home.path().join("client-history.new/in-the-way")).unwrap();
        assert_eq!(load(&path).unwrap().len(), LINES_MAX);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("#V2\n{old}"));
        // Nor while another session is at it.
        fs::remove_dir_all(home.path().join("client-history.new")).unwrap();
        let other = open(&path).unwrap();
        flock(&other, FlockOperation::NonBlockingLockExclusive).unwrap();
        assert_eq!(load(&path).unwrap().len(), LINES_MAX);
        assert_eq!(fs::read_to_string(&path).unwrap(), format!("#V2\n{old}"));
        remember(&path, "new");
        assert_eq!(load(&path).unwrap().last().unwrap(), "new");
    }

    #[test]
    fn what_cannot_be_written_is_read_all_the_same() {
        let (_home, path) = home();
        remember(&path, "? tea");
        // Nobody can write to a program that is running, root neither.
        let program = std::env::current_exe().unwrap();
        assert!(open(&program).is_err());
        assert!(load(&program).is_ok());
        fs::set_permissions(&path, Permissions::from_mode(0o400)).unwrap();
        assert_eq!(load(&path).unwrap(), ["? tea"]);
    }

    #[test]
    fn a_bad_byte_or_line_costs_itself_only() {
        let (_home, path) = home();
        let long = [b"x".repeat(COMMAND_BYTES_MAX + 1), b"\n".to_vec()].concat();
        let bad =
            [&b"#V2\none\nt\xffo\n\nhalf \\\nno \\x\n\x1b[2J\n#V2\nnul\0\n"[..], &long, b"two\nhalf a li"].concat();
        fs::write(&path, bad).unwrap();
        assert_eq!(load(&path).unwrap(), ["one", "two", "half a li"]);
        remember(&path, "three");
        assert_eq!(load(&path).unwrap(), ["one", "two", "half a li", "three"]);
    }

    #[test]
    fn a_file_without_a_head_has_no_escapes_and_gets_one() {
        let (_home, path) = home();
        fs::write(&path, "a\\nb\n? tea\n").unwrap();
        assert_eq!(load(&path).unwrap(), [r"a\nb", "? tea"]);
        remember(&path, r"c\d");
        assert_eq!(load(&path).unwrap(), [r"a\nb", "? tea", r"c\d"]);
    }

    #[test]
    fn of_a_huge_file_the_end_is_read() {
        let (_home, path) = home();
        let file = File::create(&path).unwrap();
        file.set_len(100 << 30).unwrap();
        drop(file);
        remember(&path, "the last");
        assert_eq!(load(&path).unwrap(), ["the last"]);
        assert!(fs::metadata(&path).unwrap().len() < 100);
    }

    #[test]
    fn what_is_no_file_is_not_opened() {
        let (home, path) = home();
        mknodat(CWD, &path, FileType::Fifo, Mode::from_raw_mode(MODE), 0).unwrap();
        assert!(load(&path).is_err());
        assert!(append(&path, b"line\n").is_err());
        fs::remove_file(&path).unwrap();
        fs::create_dir(&path).unwrap();
        assert!(load(&path).is_err());
        fs::remove_dir(&path).unwrap();
        let _socket = UnixListener::bind(&path).unwrap();
        assert!(load(&path).is_err());
        fs::remove_file(&path).unwrap();
        symlink("/dev/zero", &path).unwrap();
        assert!(load(&path).is_err());
        assert_eq!(fs::read_dir(home.path()).unwrap().count(), 1);
    }
}
