//! A walk through the directory that is shared: every regular file beneath it, in the order of its whole name.
//!
//! It can be left off anywhere and gone on with later; meanwhile no directory is held open. No file is opened here. Whatever
//! changes meanwhile is seen as it is when its turn comes, or not at all.

use std::cmp::Ordering;
use std::os::fd::OwnedFd;

use common::content::FileStamp;
use common::limits::FILE_NAME_BYTES_MAX;
use rustix::fs::{AtFlags, Dir, FileType, statat};
use rustix::io::Errno;

use super::beneath::{NotOpened, SharedRoot, stamp_in};
use super::left_out::LeftOut;

/// For each file that may be seen so many names are held at once: those of directories that are still to be gone into, and
/// of one directory all.
const NAMES_FOR_EACH: usize = 2;

/// A walk under way.
#[derive(Debug)]
pub(super) struct Walk {
    root: SharedRoot,
    /// The directories from the one that is shared to the one the walk is in.
    levels: Vec<WalkLevel>,
    /// The path of the last of them, and behind it the name of the file where the walk is.
    path: Vec<u8>,
    /// The last of them, while it is open.
    directory: Option<OwnedFd>,
    /// Files seen, and the most there may be.
    files_count: usize,
    files_max: usize,
    /// Names in all levels, and the most there may be.
    names_count: usize,
    names_max: usize,
}

/// What is in a directory, in order.
#[derive(Debug)]
struct WalkLevel {
    /// How long the path of this directory is, with a slash behind it.
    path_length: usize,
    names: Vec<u8>,
    places: Vec<NamePlace>,
    next: usize,
}

#[derive(Clone, Copy, Debug)]
struct NamePlace {
    at: u32,
    length: u16,
    is_directory: bool,
}

/// What came of one step.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum WalkStep {
    /// A file; its name is [`Walk::name`].
    File(FileStamp),
    /// Anything else.
    Nothing,
    /// It has been everywhere.
    End,
}

impl Walk {
    /// Begins one that sees so many files at most.
    pub(super) fn begin(root: SharedRoot, files_max: usize, left_out: &mut LeftOut) -> Result<Walk, Errno> {
        let mut walk = Walk {
            root,
            levels: Vec::new(),
            path: Vec::new(),
            directory: None,
            files_count: 0,
            files_max,
            names_count: 0,
            names_max: NAMES_FOR_EACH * files_max,
        };
        walk.go_into(left_out)?;
        Ok(walk)
    }

    /// The name of the file it is at.
    pub(super) fn name(&self) -> &[u8] {
        &self.path
    }

    /// Lets go of the directory it is in until it goes on.
    pub(super) fn rest(&mut self) {
        self.directory = None;
    }

    /// Goes on by one name. An error is one that says nothing of what is there.
    pub(super) fn step(&mut self, left_out: &mut LeftOut) -> Result<WalkStep, Errno> {
        let Some(level) = self.levels.last_mut() else { return Ok(WalkStep::End) };
        self.path.truncate(level.path_length);
        let Some((name, is_directory)) = level.take() else {
            self.names_count -= level.places.len();
            self.levels.pop();
            self.directory = None;
            return Ok(WalkStep::Nothing);
        };
        if self.path.len() + name.len() > FILE_NAME_BYTES_MAX {
            left_out.long_named += 1;
            return Ok(WalkStep::Nothing);
        }
        if !is_directory && self.files_count >= self.files_max {
            left_out.too_many += 1;
            return Ok(WalkStep::Nothing);
        }
        self.path.extend_from_slice(name);
        if is_directory {
            self.path.push(b'/');
            self.directory = None;
            self.go_into(left_out)?;
            return Ok(WalkStep::Nothing);
        }
        self.look_at_file(left_out)
    }

    fn look_at_file(&mut self, left_out: &mut LeftOut) -> Result<WalkStep, Errno> {
        let Some(path_length) = self.levels.last().map(|level| level.path_length) else { return Ok(WalkStep::End) };
        let directory = match &self.directory {
            Some(directory) => directory,
            None => match self.root.directory(self.path.get(..path_length).unwrap_or_default()) {
                Ok(directory) => self.directory.insert(directory),
                Err(why) => {
                    // What else was seen in it cannot be looked at either.
                    if let Some(level) = self.levels.last_mut() {
                        level.next = level.places.len();
                    }
                    return not_opened(left_out, why);
                }
            },
        };
        let stat = match statat(directory, self.path.get(path_length..).unwrap_or_default(), AtFlags::SYMLINK_NOFOLLOW)
        {
            Ok(stat) => stat,
            Err(error) => return not_opened(left_out, error.into()),
        };
        let Some(stamp) = stamp_in(&stat) else {
            left_out.add_kind(FileType::from_raw_mode(stat.st_mode));
            return Ok(WalkStep::Nothing);
        };
        if !left_out.is_of_size(&stamp) {
            return Ok(WalkStep::Nothing);
        }
        self.files_count += 1;
        Ok(WalkStep::File(stamp))
    }

    /// Reads what is in the directory whose path this is.
    fn go_into(&mut self, left_out: &mut LeftOut) -> Result<(), Errno> {
        match self.root.directory(&self.path) {
            Ok(directory) => {
                let level = self.read(&directory, left_out)?;
                self.names_count += level.places.len();
                self.levels.push(level);
                self.directory = Some(directory);
                Ok(())
            }
            Err(why) => not_opened(left_out, why).map(|_| ()),
        }
    }

    fn read(&self, directory: &OwnedFd, left_out: &mut LeftOut) -> Result<WalkLevel, Errno> {
        let mut level = WalkLevel { path_length: self.path.len(), names: Vec::new(), places: Vec::new(), next: 0 };
        let entries = Dir::read_from(directory);
        let entries = match entries {
            Ok(entries) => entries,
            Err(error) => return not_opened(left_out, error.into()).map(|_| level),
        };
        for entry in entries {
            let entry = match entry {
                Ok(entry) => entry,
                // A directory that was removed has no more to tell.
                Err(error) => {
                    not_opened(left_out, error.into())?;
                    break;
                }
            };
            let name = entry.file_name().to_bytes();
            if name == b"." || name == b".." {
                continue;
            }
            if name.starts_with(b".") {
                left_out.dotted += 1;
                continue;
            }
            let kind = match entry.file_type() {
                FileType::Unknown => match statat(directory, name, AtFlags::SYMLINK_NOFOLLOW) {
                    Ok(stat) => FileType::from_raw_mode(stat.st_mode),
                    Err(error) => {
                        not_opened(left_out, error.into())?;
                        continue;
                    }
                },
                kind => kind,
            };
            match kind {
                // However much is in a directory, and in those around it, no more is in memory.
                FileType::RegularFile | FileType::Directory
                    if self.names_count + level.places.len() >= self.names_max =>
                {
                    left_out.too_many += 1;
                }
                FileType::RegularFile => level.add(name, false),
                FileType::Directory => level.add(name, true),
                kind => left_out.add_kind(kind),
            }
        }
        level.sort();
        Ok(level)
    }
}

impl WalkLevel {
    fn add(&mut self, name: &[u8], is_directory: bool) {
        // A name has 255 bytes at most, and there are too few of them for more than this.
        if let (Ok(at), Ok(length)) = (u32::try_from(self.names.len()), u16::try_from(name.len())) {
            self.names.extend_from_slice(name);
            self.places.push(NamePlace { at, length, is_directory });
        }
    }

    fn sort(&mut self) {
        let WalkLevel { names, places, .. } = self;
        places.sort_unstable_by(|one, other| {
            by_whole_name(one.name_in(names), one.is_directory, other.name_in(names), other.is_directory)
        });
    }

    fn take(&mut self) -> Option<(&[u8], bool)> {
        let place = *self.places.get(self.next)?;
        self.next += 1;
        Some((place.name_in(&self.names), place.is_directory))
    }
}

impl NamePlace {
    fn name_in(self, names: &[u8]) -> &[u8] {
        let at = self.at as usize;
        names.get(at..at + usize::from(self.length)).unwrap_or_default()
    }
}

/// Counts it; an error is one that says nothing of what is there.
fn not_opened(left_out: &mut LeftOut, why: NotOpened) -> Result<WalkStep, Errno> {
    left_out.add_not_opened(why);
    if let NotOpened::Exhausted(error) = why { Err(error) } else { Ok(WalkStep::Nothing) }
}

/// The order of two names of one directory that makes an order of all whole names: behind the name of a directory a slash
/// follows.
fn by_whole_name(one: &[u8], one_is_directory: bool, other: &[u8], other_is_directory: bool) -> Ordering {
    let both = one.len().min(other.len());
    let next = |name: &[u8], is_directory: bool| name.get(both).copied().or(is_directory.then_some(b'/'));
    one.get(..both)
        .cmp(&other.get(..both))
        .then_with(|| next(one, one_is_directory).cmp(&next(other, other_is_directory)))
}

#[cfg(test)]
mod tests {
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;
    use std::os::unix::net::UnixListener;
    use std::path::Path;

    use rustix::fs::{CWD, Mode, mkfifoat};
    use tempfile::TempDir;

    use super::*;

    /// A walk and what it left out.
    struct Walked(Walk, LeftOut);

    fn begin(directory: &Path, files_max: usize) -> Walked {
        let mut left_out = LeftOut::default();
        Walked(Walk::begin(SharedRoot::open(directory).unwrap(), files_max, &mut left_out).unwrap(), left_out)
    }

    /// The names it sees.
    fn names(Walked(walk, left_out): &mut Walked) -> Vec<Vec<u8>> {
        let mut names = Vec::new();
        loop {
            match walk.step(left_out).unwrap() {
                WalkStep::File(_) => names.push(walk.name().to_vec()),
                WalkStep::Nothing => walk.rest(),
                WalkStep::End => return names,
            }
        }
    }

    fn write(directory: &TempDir, name: &[u8]) {
        let path = directory.path().join(OsStr::from_bytes(name));
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, name).unwrap();
    }

    #[test]
    fn files_of_any_name_are_seen_in_the_order_of_their_names() {
        let directory = TempDir::new().unwrap();
        let long = [b'n'; 255];
        let mut written: Vec<&[u8]> =
            vec![b"a/b", b"a.b", b"a-b", b"a/a/a", b"a0", b"-", b"-rf", b"a\nb", b"caf\xe9", &long, b"z", b"A"];
        for name in &written {
            write(&directory, name);
        }
        fs::create_dir(directory.path().join("empty")).unwrap();
        let mut walk = begin(directory.path(), 100);
        let seen = names(&mut walk);
        written.sort_unstable();
        assert_eq!(seen, written);
        assert!(walk.1.is_empty(), "{}", walk.1);
        assert_eq!((walk.0.names_count, walk.0.files_count), (0, written.len()));
    }

    #[test]
    fn what_is_no_file_is_counted_and_not_followed() {
        let outside = TempDir::new().unwrap();
        fs::write(outside.path().join("secret"), "s").unwrap();
        let directory = TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["seen", ".part", ".hidden/seen", "here/.part", "here/seen"] {
            write(&directory, name.as_bytes());
        }
        symlink(outside.path().join("secret"), at("file link")).unwrap();
        symlink(outside.path(), at("directory link")).unwrap();
        symlink(at("here"), at("link inside")).unwrap();
        symlink("nowhere", at("broken link")).unwrap();
        mkfifoat(CWD, at("fifo"), Mode::RUSR | Mode::WUSR).unwrap();
        let _socket = UnixListener::bind(at("socket")).unwrap();
        let mut walk = begin(directory.path(), 100);
        assert_eq!(names(&mut walk), [b"here/seen".to_vec(), b"seen".to_vec()]);
        let counted = LeftOut { links: 4, fifos: 1, sockets: 1, dotted: 3, ..LeftOut::default() };
        assert_eq!(walk.1, counted);
    }

    #[test]
    fn devices_are_counted() {
        let mut walk = begin(Path::new("/dev"), 10_000);
        names(&mut walk);
        assert!(walk.1.devices >= 2, "null and zero: {}", walk.1);
    }

    #[test]
    fn a_name_that_is_too_long_is_counted_and_so_is_a_directory() {
        let directory = TempDir::new().unwrap();
        // Four of 255 and the slashes behind them are 1,024: nothing has a name there.
        let deep: Vec<u8> = [[b'd'; 255].as_slice(); 4].join(&b'/');
        let mut at = directory.path().to_owned();
        for part in deep.split(|byte| *byte == b'/').take(3) {
            at.push(OsStr::from_bytes(part));
        }
        fs::create_dir_all(&at).unwrap();
        fs::write(at.join("f".repeat(255)), "1,023 bytes").unwrap();
        fs::create_dir(at.join("d".repeat(255))).unwrap();
        fs::write(at.join("d".repeat(255)).join("x"), "1,025 bytes").unwrap();
        let mut walk = begin(directory.path(), 100);
        let seen = names(&mut walk);
        assert_eq!(seen.iter().map(Vec::len).collect::<Vec<_>>(), [1_023]);
        assert_eq!(walk.1, LeftOut { long_named: 1, ..LeftOut::default() });
    }

    #[test]
    fn so_many_files_are_seen_and_no_more() {
        let directory = TempDir::new().unwrap();
        for name in ["a/1", "a/2", "b/3", "c/4"] {
            write(&directory, name.as_bytes());
        }
        let mut walk = begin(directory.path(), 3);
        assert_eq!(names(&mut walk), [&b"a/1"[..], b"a/2", b"b/3"].map(<[u8]>::to_vec));
        assert_eq!(walk.1, LeftOut { too_many: 1, ..LeftOut::default() });
        let mut walk = begin(directory.path(), 4);
        assert_eq!((names(&mut walk).len(), walk.1.is_empty()), (4, true));
    }

    /// However much is in one directory.
    #[test]
    fn so_many_names_are_held_and_no_more() {
        let directory = TempDir::new().unwrap();
        for number in 0..9 {
            write(&directory, format!("{number}").as_bytes());
        }
        write(&directory, b"more/1");
        let mut walk = begin(directory.path(), 4);
        assert_eq!(walk.0.names_count, 4 * NAMES_FOR_EACH);
        assert_eq!(names(&mut walk).len(), 4);
        assert_eq!(walk.1, LeftOut { too_many: 6, ..LeftOut::default() });
        assert_eq!(walk.0.names_count, 0);
    }

    #[test]
    fn a_directory_that_changes_while_it_is_walked_is_no_error() {
        let directory = TempDir::new().unwrap();
        let at = |name: &str| directory.path().join(name);
        for name in ["a/1", "a/2", "b/1", "c", "d", "e"] {
            write(&directory, name.as_bytes());
        }
        let outside = TempDir::new().unwrap();
        fs::write(outside.path().join("1"), "s").unwrap();
        let mut walk = begin(directory.path(), 100);
        while walk.0.name() != b"a/1" {
            walk.0.step(&mut walk.1).unwrap();
        }
        // The directory it is in, one that it is to go into, and files whose turn is to come.
        fs::remove_dir_all(at("a")).unwrap();
        fs::remove_dir_all(at("b")).unwrap();
        symlink(outside.path(), at("b")).unwrap();
        fs::remove_file(at("c")).unwrap();
        fs::remove_file(at("d")).unwrap();
        symlink(outside.path().join("1"), at("d")).unwrap();
        walk.0.rest();
        assert_eq!(names(&mut walk), [b"e".to_vec()]);
        assert_eq!(walk.1, LeftOut { links: 2, ..LeftOut::default() });
    }

    #[test]
    fn the_order_of_names_in_each_directory_is_the_order_of_all() {
        // Those before a slash and behind it, and one that begins another.
        let parts = [&b"a"[..], b"a.", b"a-b", b"a0", b"aa", b"a\xff", b"-", b"."];
        let paths: Vec<Vec<&[u8]>> =
            parts.iter().flat_map(|one| [vec![*one], vec![*one, b"a"], vec![*one, b"a.", b"x"]]).collect();
        for one in &paths {
            for other in &paths {
                let depth = one.iter().zip(other).take_while(|(one, other)| one == other).count();
                let (Some(one_part), Some(other_part)) = (one.get(depth), other.get(depth)) else { continue };
                let order = by_whole_name(one_part, one.len() > depth + 1, other_part, other.len() > depth + 1);
                assert_eq!(order, one.join(&b'/').cmp(&other.join(&b'/')), "{one:?} {other:?}");
            }
        }
    }
}
