//! A log for each servent of an overlay: a plain file, that can be read by whoever likes while it is written.
//!
//! The servent itself writes it, so nothing is lost when this program ends. How the servents are started is `fleet`'s.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::fs::{self, File, OpenOptions};
use std::io::{Read, Seek, SeekFrom};
use std::mem::MaybeUninit;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

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

/// Reads logs while processes write them.
///
/// All with one watch of the system, of which a user has few: 128 where nothing else was said
/// (`fs.inotify.max_user_instances`), and an overlay may have more servents.
#[derive(Clone, Debug)]
pub(crate) struct LogWatch(Arc<WatchedLogs>);

#[derive(Debug)]
struct WatchedLogs {
    events: OwnedFd,
    followed: Mutex<FollowedLogs>,
}

#[derive(Debug, Default)]
struct FollowedLogs {
    /// By the system's numbers for them.
    logs: BTreeMap<i32, FollowedLog>,
    /// A thread reads, as long as there is a log to be read.
    has_thread: bool,
}

/// A log that is written by one process, and read meanwhile.
struct FollowedLog {
    log: File,
    /// The beginning of a line of which the end is not written yet.
    begun: Vec<u8>,
    /// Is told each line, and nothing once whoever writes has closed the log, as its end does.
    tell: TellLine,
}

type TellLine = Box<dyn FnMut(Option<String>) + Send>;

impl LogWatch {
    /// A watch over no log yet.
    pub(crate) fn new() -> anyhow::Result<LogWatch> {
        let events = inotify::init(CreateFlags::CLOEXEC).context("cannot watch logs")?;
        Ok(LogWatch(Arc::new(WatchedLogs { events, followed: Mutex::default() })))
    }

    /// Opens the log to be written at its end, for the process, and reads it from there on.
    pub(crate) fn follow(
        &self,
        path: &Path,
        tell: impl FnMut(Option<String>) + Send + 'static,
    ) -> anyhow::Result<File> {
        let follow = || -> std::io::Result<File> {
            let writer = OpenOptions::new().append(true).open(path)?;
            let mut log = File::open(path)?;
            log.seek(SeekFrom::End(0))?;
            // Before anything can be read of it, it is known.
            let mut followed = self.0.followed();
            let watch = inotify::add_watch(&self.0.events, path, WatchFlags::MODIFY | WatchFlags::CLOSE_WRITE)?;
            followed.logs.insert(watch, FollowedLog { log, begun: Vec::new(), tell: Box::new(tell) });
            if !followed.has_thread {
                let watched = Arc::clone(&self.0);
                thread::Builder::new().name("logs".to_owned()).spawn(move || watched.read())?;
                followed.has_thread = true;
            }
            Ok(writer)
        };
        follow().with_context(|| format!("cannot follow the log {}", path.display()))
    }
}

impl WatchedLogs {
    fn followed(&self) -> MutexGuard<'_, FollowedLogs> {
        self.followed.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Reads whatever is written, until no log is left.
    fn read(&self) {
        let mut buffer = [MaybeUninit::uninit(); 4096];
        let mut events = inotify::Reader::new(&self.events, &mut buffer);
        loop {
            let event = events.next().map(|event| (event.wd(), event.events()));
            let mut followed = self.followed();
            match event {
                Ok((watch, what)) => {
                    let is_closed = what.contains(ReadFlags::CLOSE_WRITE);
                    followed.logs.get_mut(&watch).into_iter().for_each(FollowedLog::read);
                    if is_closed && let Some(log) = followed.logs.remove(&watch) {
                        let _ = inotify::remove_watch(&self.events, watch);
                        log.end();
                    }
                    if what.contains(ReadFlags::QUEUE_OVERFLOW) {
                        // Whose it was that was lost is not known.
                        followed.logs.values_mut().for_each(FollowedLog::read);
                    }
                }
                Err(Errno::INTR) => {}
                Err(_) => std::mem::take(&mut followed.logs).into_values().for_each(FollowedLog::end),
            }
            if followed.logs.is_empty() {
                followed.has_thread = false;
                return;
            }
        }
    }
}

impl FollowedLog {
    fn read(&mut self) {
        let FollowedLog { log, begun, tell } = self;
        // What cannot be read is not shown; it is in the file all the same.
        let _ = log.read_to_end(begun);
        while let Some(end) = begun.iter().position(|byte| *byte == b'\n') {
            let whole: Vec<u8> = begun.drain(..=end).collect();
            tell(Some(String::from_utf8_lossy(whole.trim_ascii_end()).into_owned()));
        }
    }

    fn end(mut self) {
        if !self.begun.is_empty() {
            (self.tell)(Some(String::from_utf8_lossy(&self.begun).into_owned()));
        }
        (self.tell)(None);
    }
}

impl fmt::Debug for FollowedLog {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("FollowedLog").field("log", &self.log).finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use std::io::Write;
    use std::sync::mpsc::{Receiver, channel};

    use tempfile::NamedTempFile;

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

    /// A log, the way to write it, and what is told of it.
    fn follow(watch: &LogWatch) -> (NamedTempFile, File, Receiver<Option<String>>) {
        let file = NamedTempFile::new().unwrap();
        fs::write(file.path(), "of an earlier servent\n").unwrap();
        let (sender, lines) = channel();
        let writer = watch.follow(file.path(), move |line| sender.send(line).unwrap()).unwrap();
        (file, writer, lines)
    }

    #[test]
    fn lines_come_as_they_are_written_until_it_is_closed() {
        let watch = LogWatch::new().unwrap();
        // The second begins when nobody reads any more.
        for _ in 0..2 {
            let (_file, mut writer, lines) = follow(&watch);
            let line = || lines.recv().unwrap();
            writer.write_all(b"one\ntw").unwrap();
            assert_eq!(line().as_deref(), Some("one"));
            writer.write_all(b"o\ncaf\xe9").unwrap();
            assert_eq!(line().as_deref(), Some("two"));
            drop(writer);
            assert_eq!([line().as_deref(), line().as_deref()], [Some("caf\u{fffd}"), None]);
            assert!(lines.recv().is_err(), "and nothing more");
        }
    }

    /// As many servents as may be run have one watch together, where a user may have no more than 128.
    #[test]
    fn many_logs_take_one_watch() {
        let watch = LogWatch::new().unwrap();
        let mut logs: Vec<_> = (0..300).map(|_| follow(&watch)).collect();
        for (number, (_, writer, _)) in logs.iter_mut().enumerate().rev() {
            writeln!(writer, "line {number}").unwrap();
        }
        for (number, (_, writer, lines)) in logs.into_iter().enumerate() {
            assert_eq!(lines.recv().unwrap(), Some(format!("line {number}")));
            drop(writer);
            assert_eq!(lines.recv().unwrap(), None);
        }
    }
}
