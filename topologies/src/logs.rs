//! A log for each servent of an overlay: a plain file, that can be read by whoever likes while it is written.
//!
//! The servent itself writes it, so nothing is lost when this program ends. How the servents are started is `fleet`'s.

use std::collections::BTreeSet;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};

use anyhow::{Context, bail};
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, WatchFlags};
use rustix::io::Errno;

use crate::declared::Topology;

/// The logs of an overlay's servents, in the order of the file that declares it.
#[derive(Clone, Debug)]
pub struct Logs {
    paths: Vec<PathBuf>,
}

impl Logs {
    /// Makes the directory, and in it an empty file for each servent: `9001.log` for the one on port 9001, or
    /// `127.0.0.1_9001.log` where several have the same port on different addresses. What was there is overwritten.
    pub fn create(directory: &Path, topology: &Topology) -> anyhow::Result<Logs> {
        fs::create_dir_all(directory).with_context(|| format!("cannot make {}", directory.display()))?;
        let listens = topology.servents.iter().map(|declared| declared.listen);
        let ports: BTreeSet<u16> = listens.clone().map(|listen| listen.port()).collect();
        let names = listens.map(|listen| {
            let port = listen.port();
            if ports.len() == topology.servents.len() { port.to_string() } else { format!("{}_{port}", listen.ip()) }
        });
        let logs = Logs { paths: names.map(|name| directory.join(name + ".log")).collect() };
        for path in &logs.paths {
            if fs::metadata(path).is_ok_and(|metadata| !metadata.is_file()) {
                bail!("cannot write a log to {}: it is not a regular file", path.display());
            }
            File::create(path).with_context(|| format!("cannot write a log to {}", path.display()))?;
        }
        Ok(logs)
    }

    /// Where the log of a servent is.
    #[must_use]
    pub fn path(&self, place: usize) -> &Path {
        &self.paths[place]
    }
}

/// A log about to be written by one process, and to be read meanwhile.
pub(crate) struct Followed {
    log: File,
    events: OwnedFd,
    /// The beginning of a line of which the end is not written yet.
    begun: Vec<u8>,
}

impl Followed {
    /// Opens the log to be written at its end, for the process, and to be read from there on.
    pub(crate) fn open(path: &Path) -> anyhow::Result<(File, Followed)> {
        let open = || -> std::io::Result<(File, Followed)> {
            let writer = OpenOptions::new().append(true).open(path)?;
            let mut log = File::open(path)?;
            log.seek(SeekFrom::End(0))?;
            let events = inotify::init(CreateFlags::CLOEXEC)?;
            inotify::add_watch(&events, path, WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE)?;
            Ok((writer, Followed { log, events, begun: Vec::new() }))
        };
        open().with_context(|| format!("cannot follow the log {}", path.display()))
    }

    /// Gives every line to `line` as it is written, until whoever writes has closed the log, as its end does.
    pub(crate) fn read_lines(mut self, mut line: impl FnMut(String)) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let Followed { log, events, begun } = &mut self;
        let mut events = inotify::Reader::new(events, &mut buffer);
        let mut is_closed = false;
        while !is_closed {
            is_closed = match events.next() {
                Ok(event) => event.events().contains(ReadFlags::CLOSE_WRITE),
                Err(error) => error != Errno::INTR,
            };
            // What cannot be read is not shown; it is in the file all the same.
            let _ = log.read_to_end(begun);
            while let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
                let whole: Vec<u8> = begun.drain(..=end).collect();
                line(String::from_utf8_lossy(whole.trim_ascii_end()).into_owned());
            }
        }
        if !begun.is_empty() {
            line(String::from_utf8_lossy(begun).into_owned());
        }
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;

    use super::*;

    fn topology(text: &str) -> Topology {
        Topology::parse("test", text, Path::new("")).unwrap()
    }

    #[test]
    fn a_log_is_called_by_its_port() {
        let directory = tempfile::tempdir().unwrap();
        let names = |text: &str| {
            let logs = Logs::create(directory.path(), &topology(text)).unwrap();
            let name = |path: &PathBuf| path.file_name().unwrap().to_str().unwrap().to_owned();
            logs.paths.iter().map(name).collect::<Vec<_>>()
        };
        assert_eq!(names("9001 -\n9002 -\n"), ["9001.log", "9002.log"]);
        assert_eq!(
            names("9001 -\n127.0.0.2:9001 -\n[::1]:9002 -\n"),
            ["127.0.0.1_9001.log", "127.0.0.2_9001.log", "::1_9002.log"]
        );
        fs::create_dir(directory.path().join("9003.log")).unwrap();
        let error = Logs::create(directory.path(), &topology("9003 -\n")).unwrap_err().to_string();
        assert!(error.contains("9003.log: it is not a regular file"), "{error}");
    }

    #[test]
    fn lines_come_as_they_are_written_until_it_is_closed() {
        let file = tempfile::NamedTempFile::new().unwrap();
        fs::write(file.path(), "of an earlier servent\n").unwrap();
        let (mut writer, followed) = Followed::open(file.path()).unwrap();
        let (sender, lines) = std::sync::mpsc::channel();
        let reader = std::thread::spawn(move || followed.read_lines(|line| sender.send(line).unwrap()));
        writer.write_all(b"one\ntw").unwrap();
        assert_eq!(lines.recv().unwrap(), "one");
        writer.write_all(b"o\ncaf\xe9").unwrap();
        assert_eq!(lines.recv().unwrap(), "two");
        drop(writer);
        assert_eq!(lines.recv().unwrap(), "caf\u{fffd}");
        reader.join().unwrap();
        assert!(lines.recv().is_err());
    }
}
