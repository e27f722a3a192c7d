use std::ffi::OsStr;
use std::fs::{self, OpenOptions};
use std::io::Write;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Weak;

use rustix::fs::{AtFlags, CWD, Timespec, Timestamps, statat, utimensat};
use tempfile::TempDir;

use super::*;
use common::counted::bytes;
use common::disk::{ReadFailure, SharedContent};

const PATIENCE: Duration = Duration::from_secs(60);
/// So many blocks that it is hashed in several pieces.
const LARGE: usize = 4 * PIECE_BYTES + 1;

/// A directory, and who looks it through; what was told of it last.
struct Looked {
    directory: TempDir,
    looking: Looking,
    never: NeverFile,
    store: Arc<Store>,
    catalogue: Arc<Catalogue>,
}

impl Looked {
    fn new() -> Looked {
        Looked::with(LookRules::USUAL)
    }

    fn with(rules: LookRules) -> Looked {
        let directory = TempDir::new().unwrap();
        for name in ["shared", "outside"] {
            fs::create_dir(directory.path().join(name)).unwrap();
        }
        let looking = looking_in(&directory, rules);
        let (store, catalogue) = (Arc::default(), Arc::default());
        Looked { directory, looking, never: NeverFile::load(None).unwrap(), store, catalogue }
    }

    /// Another who looks the same through, with what was kept.
    fn restart(&mut self) {
        let rules = self.looking.rules;
        // Two cannot keep hashes in one place.
        self.looking.hashes = HashesFile::open(None).unwrap();
        self.looking = looking_in(&self.directory, rules);
        self.catalogue = Arc::default();
    }

    fn at(&self, name: impl AsRef<[u8]>) -> PathBuf {
        self.directory.path().join("shared").join(OsStr::from_bytes(name.as_ref()))
    }

    fn write(&self, name: impl AsRef<[u8]>, content: impl AsRef<[u8]>) {
        let path = self.at(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(path, content).unwrap();
    }

    /// A piece of a pass.
    fn piece(&mut self) -> LookedThrough {
        let looked = self.looking.look_through(&self.store, &self.never).unwrap();
        if let Some(catalogue) = &looked.catalogue {
            self.catalogue = Arc::clone(catalogue);
        }
        looked
    }

    /// The rest of a pass. How many files were hashed; nothing is told where nothing has changed.
    fn pass(&mut self) -> (bool, u64) {
        loop {
            let looked = self.piece();
            if looked.is_whole {
                return (looked.catalogue.is_some(), looked.hashed_count);
            }
        }
    }

    /// Goes on in the smallest pieces until this is so.
    fn go_on_until(&mut self, is_so: impl Fn(&Looking) -> bool) {
        self.looking.rules.piece = Duration::ZERO;
        while !is_so(&self.looking) {
            assert!(!self.piece().is_whole, "a pass is at its end before that");
        }
        self.looking.rules.piece = LookRules::USUAL.piece;
    }

    /// What is told: of each file its name, and that its hash and those of its blocks are those of these bytes.
    fn check(&self, files: &[(&[u8], &[u8])]) {
        let names: Vec<&[u8]> = self.listed().map(|file| file.name).collect();
        assert_eq!(names, files.iter().map(|(name, _)| *name).collect::<Vec<_>>());
        for (file, (name, content)) in self.listed().zip(files) {
            let shown = String::from_utf8_lossy(name);
            assert_eq!(file.hash.0, *blake3::hash(content).as_bytes(), "{shown}");
            assert_eq!(file.stamp.size, content.len() as u64, "{shown}");
            self.check_blocks(&file, content);
        }
    }

    fn check_blocks(&self, file: &Listed<'_>, content: &[u8]) {
        let blocks = Blocks::of(file.stamp.size).unwrap();
        let mut hasher = ContentHasher::new(blocks);
        hasher.update(content).unwrap();
        let hashes = hasher.finish().unwrap().hashes;
        let (name, stamp) = (file.name.to_vec(), file.stamp);
        let content = SharedContent { name, stamp, hashes_at: file.hashes_at, blocks };
        let found = self.looking.reader.read_hashes(&content, 0, blocks.count());
        assert_eq!(found.as_deref(), Ok(hashes.as_slice()));
    }

    fn listed(&self) -> impl Iterator<Item = Listed<'_>> {
        (0..).map_while(|place| self.catalogue.get(place))
    }

    fn names(&self) -> Vec<String> {
        self.listed().map(|file| String::from_utf8_lossy(file.name).into_owned()).collect()
    }

    fn of_pass(&self) -> &LookPass {
        self.looking.pass.as_ref().unwrap()
    }
}

fn looking_in(directory: &TempDir, rules: LookRules) -> Looking {
    let path = directory.path().join("shared");
    let hashes = HashesFile::open(Some(&directory.path().join("cache"))).unwrap();
    let reader = ShareReader::new(SharedRoot::open(&path).unwrap(), hashes.reader());
    Looking::new(path, rules, hashes, reader)
}

fn large() -> Vec<u8> {
    (0..LARGE).map(|place| (place ^ place >> 9).to_le_bytes()[0]).collect()
}

/// As somebody does who does not want it to show.
fn give_times_of(stat: &rustix::fs::Stat, path: &Path) {
    let time = |seconds, nanoseconds| Timespec { tv_sec: seconds, tv_nsec: nanoseconds };
    let times = Timestamps {
        last_access: time(stat.st_atime, stat.st_atime_nsec.try_into().unwrap()),
        last_modification: time(stat.st_mtime, stat.st_mtime_nsec.try_into().unwrap()),
    };
    utimensat(CWD, path, &times, AtFlags::empty()).unwrap();
}

fn stat_of(path: &Path) -> rustix::fs::Stat {
    statat(CWD, path, AtFlags::SYMLINK_NOFOLLOW).unwrap()
}

#[test]
fn files_are_told_with_their_hashes_and_hashed_once() {
    let mut looked = Looked::new();
    let (long, large) = ([b'n'; 255], large());
    let mut files: Vec<(&[u8], &[u8])> = vec![
        (b"empty", b""),
        (b"-", b"a dash"),
        (b"-rf", b"a dash and more"),
        (b"a\nb", b"two lines"),
        (b"caf\xe9", b"latin"),
        (&long, b"long"),
        (b"deep/er/file", b"deep"),
        (b"block", &large[..65_536]),
        (b"block and one", &large[..65_537]),
        (b"large", &large),
        (b"large again", &large),
    ];
    for (name, content) in &files {
        looked.write(name, content);
    }
    fs::hard_link(looked.at("large"), looked.at("large linked")).unwrap();
    files.push((b"large linked", &large));
    looked.write(".part", "half");
    files.sort_unstable();
    assert_eq!(looked.pass(), (true, files.len() as u64 - 1), "two names of one file are one file");
    looked.check(&files);
    assert!(looked.looking.said.ends_with("/shared: 1 name with a dot before it"), "{}", looked.looking.said);
    let before = Arc::clone(&looked.catalogue);
    assert_eq!(looked.pass(), (false, 0));
    assert!(Arc::ptr_eq(&before, &looked.looking.told));
    looked.restart();
    assert_eq!(looked.pass(), (true, 0), "what was kept is known");
    looked.check(&files);
}

#[test]
fn what_has_changed_is_told_and_nothing_else_hashed() {
    let mut looked = Looked::new();
    assert_eq!(looked.pass(), (true, 0), "that there is nothing is told once");
    assert_eq!(looked.pass(), (false, 0));
    for name in ["a", "b", "c", "d/e", "f"] {
        looked.write(name, name);
    }
    assert_eq!(looked.pass(), (true, 5));
    looked.write("a0", "new");
    fs::remove_file(looked.at("b")).unwrap();
    looked.write("c", "other");
    fs::remove_dir_all(looked.at("d")).unwrap();
    looked.write("g", "new");
    assert_eq!(looked.pass(), (true, 3));
    looked.check(&[(b"a", b"a"), (b"a0", b"new"), (b"c", b"other"), (b"f", b"f"), (b"g", b"new")]);
    for name in ["a", "f", "g"] {
        fs::remove_file(looked.at(name)).unwrap();
    }
    assert_eq!(looked.pass(), (true, 0));
    looked.check(&[(b"a0", b"new"), (b"c", b"other")]);
    assert_eq!(looked.pass(), (false, 0));
}

#[test]
fn what_files_are_described_as_is_told_when_the_data_was_read_anew() {
    let mut looked = Looked::new();
    looked.write("farol.mp4", "film");
    looked.pass();
    let described = |looked: &Looked| looked.listed().map(|file| file.description.to_vec()).collect::<Vec<_>>();
    assert_eq!(described(&looked), [b""]);
    looked.store = Arc::new(Store::parse(b"farol.mp4 the lighthouse\n".to_vec()).unwrap().0);
    assert_eq!(looked.pass(), (true, 0));
    assert_eq!(described(&looked), [b"the lighthouse"]);
    assert_eq!(looked.pass(), (false, 0));
}

/// Freeing a large one takes long, and the loop has only an `Arc` of it.
#[test]
fn a_catalogue_that_was_replaced_is_let_go_of_in_the_next_piece() {
    let mut looked = Looked::new();
    looked.write("a", "a");
    looked.pass();
    let before: Weak<Catalogue> = Arc::downgrade(&looked.catalogue);
    looked.write("b", "b");
    looked.pass();
    assert!(!Weak::ptr_eq(&before, &Arc::downgrade(&looked.catalogue)));
    assert_eq!(before.strong_count(), 1, "who was told has let go of it, and did not free it");
    looked.piece();
    assert_eq!(before.strong_count(), 0);
}

/// What befalls a file while it is hashed: it is left out of that pass, and comes back when it is quiet.
fn changed_while_hashed(change: impl FnOnce(&Looked, &Path), content: &[u8]) {
    let mut looked = Looked::new();
    let large = large();
    looked.write("large", &large);
    looked.write("quiet", "q");
    looked.go_on_until(|looking| looking.pass.as_ref().is_some_and(|pass| pass.hashing.is_some()));
    change(&looked, &looked.at("large"));
    let (_, hashed_count) = looked.pass();
    assert_eq!((looked.names(), hashed_count), (vec!["quiet".to_owned()], 1));
    assert!(looked.looking.said.contains("1 file that changed just then"), "{}", looked.looking.said);
    assert_eq!(looked.pass(), (true, 1));
    looked.check(&[(b"large", content), (b"quiet", b"q")]);
    assert_eq!(looked.looking.said, "");
}

#[test]
fn a_file_that_grows_while_it_is_hashed_comes_back_when_it_is_quiet() {
    let grown = [large(), b"more".to_vec()].concat();
    let grow = |_: &Looked, path: &Path| {
        OpenOptions::new().append(true).open(path).unwrap().write_all(b"more").unwrap();
    };
    changed_while_hashed(grow, &grown);
}

#[test]
fn a_file_that_is_cut_while_it_is_hashed_comes_back_when_it_is_quiet() {
    let cut = |_: &Looked, path: &Path| OpenOptions::new().write(true).open(path).unwrap().set_len(1_000).unwrap();
    changed_while_hashed(cut, &large()[..1_000]);
}

#[test]
fn a_file_that_is_written_to_with_the_same_size_and_time_while_it_is_hashed_comes_back_when_it_is_quiet() {
    let mut other = large();
    other[LARGE - 1] ^= 1;
    let written = other.clone();
    let write = move |_: &Looked, path: &Path| {
        let before = stat_of(path);
        let file = OpenOptions::new().write(true).open(path).unwrap();
        file.write_all_at(&other, 0).unwrap();
        give_times_of(&before, path);
        let after = stat_of(path);
        assert_eq!((after.st_size, after.st_mtime_nsec), (before.st_size, before.st_mtime_nsec));
    };
    changed_while_hashed(write, &written);
}

#[test]
fn a_file_that_is_replaced_by_one_of_the_same_size_and_time_while_it_is_hashed_comes_back_when_it_is_quiet() {
    let mut other = large();
    other[0] ^= 1;
    let replacing = other.clone();
    let replace = move |looked: &Looked, path: &Path| {
        let beside = looked.directory.path().join("outside/new");
        fs::write(&beside, &replacing).unwrap();
        give_times_of(&stat_of(path), &beside);
        fs::rename(beside, path).unwrap();
    };
    changed_while_hashed(replace, &other);
}

/// And is withdrawn once it is seen, if it was told.
#[test]
fn a_file_that_is_told_and_changes_is_not_told_until_it_is_quiet() {
    let mut looked = Looked::new();
    looked.write("large", large());
    looked.pass();
    assert_eq!(looked.names(), ["large"]);
    let other: Vec<u8> = large().into_iter().rev().collect();
    looked.write("large", &other);
    looked.go_on_until(|looking| looking.pass.as_ref().is_some_and(|pass| pass.hashing.is_some()));
    assert_eq!(looked.names(), Vec::<String>::new(), "it is told that it is not there before it is hashed");
    looked.pass();
    looked.check(&[(b"large", &other)]);
}

#[test]
fn a_file_in_whose_place_a_link_is_put_before_it_is_opened_is_not_followed() {
    let mut looked = Looked::new();
    let secret = looked.directory.path().join("outside/secret");
    fs::write(&secret, "secret").unwrap();
    for name in ["a", "b/c", "d", "e", "f/g", ".hidden/g"] {
        looked.write(name, "secret");
    }
    looked.go_on_until(|looking| looking.pass.as_ref().is_some_and(|pass| pass.walk.is_none()));
    fs::remove_file(looked.at("a")).unwrap();
    symlink(&secret, looked.at("a")).unwrap();
    fs::remove_dir_all(looked.at("b")).unwrap();
    fs::rename(&secret, looked.directory.path().join("outside/c")).unwrap();
    symlink(looked.directory.path().join("outside"), looked.at("b")).unwrap();
    // Nor where it leads to what is beneath and not shared.
    fs::remove_file(looked.at("e")).unwrap();
    symlink(".hidden/g", looked.at("e")).unwrap();
    fs::remove_dir_all(looked.at("f")).unwrap();
    symlink(".hidden", looked.at("f")).unwrap();
    assert_eq!(looked.pass(), (true, 1));
    assert_eq!(looked.names(), ["d"]);
    assert!(looked.looking.said.contains("4 links"), "{}", looked.looking.said);
    // Nor is it where it is known, or read.
    let stamp = looked.listed().next().unwrap().stamp;
    let blocks = Blocks::of(6).unwrap();
    let content = SharedContent { name: b"d".to_vec(), stamp, hashes_at: 0, blocks };
    let read = looked.looking.reader.read_blocks(&content, 0, 1, Vec::new()).unwrap();
    assert!(matches!(&read[..], [(0, bytes)] if bytes.as_bytes() == b"secret"), "{read:?}");
    fs::remove_file(looked.at("d")).unwrap();
    symlink(looked.directory.path().join("outside/c"), looked.at("d")).unwrap();
    assert_eq!(looked.looking.reader.read_blocks(&content, 0, 1, Vec::new()), Err(ReadFailure::Gone));
    looked.pass();
    assert_eq!(looked.names(), Vec::<String>::new());
}

#[test]
fn what_was_changed_just_now_is_hashed_last_and_waited_for() {
    let mut looked = Looked::new();
    looked.write("young", "y");
    let is_waited_for = |looking: &Looking| looking.pass.as_ref().is_some_and(|pass| pass.has_waited);
    looked.go_on_until(|looking| looking.pass.as_ref().is_some_and(|pass| pass.walk.is_none()));
    // It may have taken long to come here.
    looked.write("young", "z");
    looked.go_on_until(is_waited_for);
    let age = SystemTime::now().duration_since(fs::metadata(looked.at("young")).unwrap().modified().unwrap());
    assert!(age.unwrap() >= TICK_MAX, "it was waited for");
    assert_eq!((looked.looking.hashed_count, looked.of_pass().wanted.len()), (0, 1));
    looked.pass();
    looked.check(&[(b"young", b"z")]);
    // One that is written to all the time is waited for once.
    looked.write("young", "a");
    looked.go_on_until(is_waited_for);
    looked.write("young", "b");
    assert_eq!(looked.pass(), (true, 0));
    assert!(looked.looking.said.contains("1 file that changed just then"), "{}", looked.looking.said);
    looked.check(&[]);
    looked.pass();
    looked.check(&[(b"young", b"b")]);
}

#[test]
fn a_file_settles_a_tick_after_it_was_changed() {
    const SECOND: i64 = 1_000_000_000;
    let now = UNIX_EPOCH + Duration::from_secs(1_000);
    for (changed, waits) in [
        (1_000 * SECOND - 5, Some(TICK_MAX - Duration::from_nanos(5))),
        (1_000 * SECOND - 99_999_999, Some(Duration::from_nanos(1))),
        (1_000 * SECOND - 100_000_000, None),
        // A clock of whole seconds.
        (1_000 * SECOND, Some(LONG_TICK_MAX)),
        (998 * SECOND, Some(Duration::from_millis(100))),
        (997 * SECOND, None),
        // One that was wrong.
        (1_000 * SECOND + 5, Some(TICK_MAX + Duration::from_nanos(5))),
        (1_000 * SECOND + 99_999_999, Some(TICK_MAX + Duration::from_nanos(99_999_999))),
        (1_000 * SECOND + 100_000_000, None),
        (i64::MAX, None),
        (i64::MIN, None),
    ] {
        let stamp = FileStamp { device: 1, inode: 1, size: 1, modified: 0, changed };
        assert_eq!(settles_after(now, &stamp), waits, "{changed}");
    }
}

#[test]
fn so_many_files_are_told_and_no_more() {
    let mut looked = Looked::with(LookRules { files_max: 3, ..LookRules::USUAL });
    for name in ["a", "b", "c", "d", "e"] {
        looked.write(name, name);
    }
    assert_eq!(looked.pass(), (true, 3));
    assert_eq!(looked.names(), ["a", "b", "c"]);
    assert!(looked.looking.said.ends_with(": 2 files too many"), "{}", looked.looking.said);
    fs::remove_file(looked.at("b")).unwrap();
    assert_eq!(looked.pass(), (true, 1));
    assert_eq!(looked.names(), ["a", "c", "d"]);
}

#[test]
fn a_file_of_more_bytes_than_a_content_may_have_is_not_told() {
    let mut looked = Looked::new();
    let file = File::create(looked.at("sparse")).unwrap();
    file.set_len(common::limits::CONTENT_BYTES_MAX + 1).unwrap();
    assert_eq!(looked.pass(), (true, 0));
    assert!(looked.looking.said.ends_with(": 1 file of more than 274,877,906,944 bytes"), "{}", looked.looking.said);
}

/// What takes long is told in parts, and every now and then the rest is looked at.
#[test]
fn while_it_is_hashed_what_there_is_already_is_told_and_names_are_walked_through_again() {
    let mut looked = Looked::new();
    looked.write("a", "a");
    looked.write("b", "b");
    looked.pass();
    looked.write("c", "c");
    looked.write("large", large());
    looked.go_on_until(|looking| looking.pass.as_ref().is_some_and(|pass| pass.hashing.is_some()));
    // In the order of names, and each is told before the next is begun as long as that takes no time.
    looked.go_on_until(|looking| looking.told.len() == 3);
    assert_eq!(looked.names(), ["a", "b", "c"]);
    fs::remove_file(looked.at("a")).unwrap();
    looked.write("d", "d");
    looked.looking.rules = LookRules { walk_every: Duration::ZERO, piece: Duration::ZERO, ..looked.looking.rules };
    looked.piece();
    assert!(looked.of_pass().walk.is_some() && looked.of_pass().hashing.is_some());
    looked.looking.rules = LookRules::USUAL;
    looked.go_on_until(|looking| looking.told.len() == 2);
    assert_eq!(looked.names(), ["b", "c"], "it is told while the large one is hashed");
    assert!(looked.of_pass().hashing.is_some());
    assert_eq!(looked.pass(), (true, 3), "and nothing is hashed twice");
    let large = large();
    looked.check(&[(b"b", b"b"), (b"c", b"c"), (b"d", b"d"), (b"large", &large)]);
}

#[test]
fn how_far_hashing_is_is_said_of_all_that_is_to_be_hashed() {
    let mut looked = Looked::new();
    looked.write("a", "a");
    looked.write("large", large());
    let of_pass = |looked: &Looked| {
        let pass = looked.of_pass();
        let hashing = pass.hashing.as_ref().unwrap();
        pass.how_far.said(hashing.stamp.size - hashing.hasher.hashed_count())
    };
    for pieces in 1..4 {
        let hashed_count = pieces * PIECE_BYTES as u64;
        looked.go_on_until(|looking| {
            let hashing = looking.pass.as_ref().and_then(|pass| pass.hashing.as_ref());
            hashing.is_some_and(|hashing| hashing.hasher.hashed_count() == hashed_count)
        });
        let all = LARGE as u64 + 1;
        assert_eq!(of_pass(&looked), format!("hashing: {} of {}", bytes(1 + hashed_count), bytes(all)));
    }
}

/// It would be told as it was and as it is, and one of the two is false.
#[test]
fn a_file_that_is_being_hashed_is_not_wanted_once_more_unless_it_has_changed() {
    for has_changed in [false, true] {
        let mut looked = Looked::new();
        let mut content = large();
        looked.write("large", &content);
        looked.go_on_until(|looking| looking.pass.as_ref().is_some_and(|pass| pass.hashing.is_some()));
        if has_changed {
            content[0] ^= 1;
            looked.write("large", &content);
        }
        looked.looking.rules = LookRules { walk_every: Duration::ZERO, piece: Duration::ZERO, ..LookRules::USUAL };
        looked.piece();
        looked.looking.rules = LookRules::USUAL;
        looked.go_on_until(|looking| looking.pass.as_ref().is_some_and(|pass| pass.walk.is_none()));
        let pass = looked.of_pass();
        assert_eq!((pass.hashing.is_some(), pass.wanted.len()), (!has_changed, usize::from(has_changed)));
        assert_eq!(pass.how_far.wanted(), LARGE as u64);
        assert_eq!(looked.pass(), (true, 1));
        looked.check(&[(b"large", &content)]);
        assert_eq!(looked.looking.said, "", "it is hashed once, and not in vain");
    }
}

/// Of a million files a catalogue takes a while to make: of the time that is a tenth.
#[test]
fn what_takes_long_to_tell_is_told_seldom_and_nothing_is_compared_before_it_was() {
    let mut looked = Looked::new();
    looked.write("a", "a");
    looked.pass();
    fs::remove_file(looked.at("a")).unwrap();
    for name in ["b", "c", "d"] {
        looked.write(name, name);
    }
    looked.looking.telling_took = PATIENCE;
    looked.go_on_until(|looking| looking.pass.as_ref().is_some_and(|pass| pass.found.len() == 1));
    looked.looking.rules = LookRules { walk_every: Duration::ZERO, piece: Duration::ZERO, ..LookRules::USUAL };
    looked.piece();
    assert!(looked.of_pass().walk.is_none() && looked.of_pass().found.len() == 2);
    assert_eq!(looked.names(), ["a"]);
    looked.looking.rules = LookRules::USUAL;
    assert_eq!(looked.pass(), (true, 3), "what is whole is told whatever that takes");
    looked.check(&[(b"b", b"b"), (b"c", b"c"), (b"d", b"d")]);
}

#[test]
fn what_is_never_to_be_shared_is_not_told() {
    let mut looked = Looked::new();
    let list = looked.directory.path().join("outside/never");
    let hash_of = |content: &str| format!("{}\n", blake3::hash(content.as_bytes()));
    fs::write(&list, format!("# by order\n{}", hash_of("bad"))).unwrap();
    looked.never = NeverFile::load(Some(&list)).unwrap();
    looked.write("a", "bad");
    looked.write("b", "good");
    assert_eq!(looked.pass(), (true, 2));
    assert_eq!(looked.names(), ["b"]);
    assert!(looked.looking.said.ends_with(": 1 file never to be shared"), "{}", looked.looking.said);
    assert_eq!(looked.pass(), (false, 0), "it is not hashed again to know that");
    fs::write(&list, hash_of("good")).unwrap();
    looked.never.read_anew();
    assert_eq!(looked.pass(), (true, 0));
    assert_eq!(looked.names(), ["a"]);
    // What is wrong with it leaves the list as it was.
    fs::write(&list, "no hash").unwrap();
    looked.never.read_anew();
    assert_eq!(looked.pass(), (false, 0));
    fs::write(&list, "").unwrap();
    looked.never.read_anew();
    assert_eq!(looked.pass(), (true, 0));
    assert_eq!(looked.names(), ["a", "b"]);
}

/// However long there is still to be hashed, and wherever the walk is.
#[test]
fn what_is_named_while_a_look_is_under_way_is_not_told_from_the_next_piece_on() {
    let is_hashing = |looking: &Looking| looking.pass.as_ref().is_some_and(|pass| pass.hashing.is_some());
    let is_half_walked =
        |looking: &Looking| looking.pass.as_ref().is_some_and(|pass| pass.place == 2 && pass.walk.is_some());
    let has_found = |looking: &Looking| looking.pass.as_ref().is_some_and(|pass| pass.found.len() == 1);
    let large = large();
    for (number, is_so) in [&is_hashing as &dyn Fn(&Looking) -> bool, &is_half_walked, &has_found].iter().enumerate() {
        let mut looked = Looked::new();
        let list = looked.directory.path().join("outside/never");
        fs::write(&list, "").unwrap();
        looked.never = NeverFile::load(Some(&list)).unwrap();
        for (name, content) in [("a", "bad"), ("b", "good"), ("c", "bad too"), ("d", "gone")] {
            looked.write(name, content);
        }
        looked.pass();
        fs::remove_file(looked.at("d")).unwrap();
        looked.write("e", "bad as well");
        looked.write("large", &large);
        if number == 2 {
            looked.looking.telling_took = PATIENCE;
        }
        looked.go_on_until(is_so);
        let hashes = ["bad", "bad too", "bad as well"].map(|content| blake3::hash(content.as_bytes()).to_string());
        fs::write(&list, hashes.join("\n")).unwrap();
        looked.never.read_anew();
        let piece = looked.piece();
        assert!(!piece.is_whole && piece.catalogue.is_some(), "{number}");
        let told: Vec<String> = looked.names().into_iter().filter(|name| name != "d").collect();
        assert_eq!(told, ["b"], "{number}");
        looked.looking.rules.piece = Duration::ZERO;
        assert!(looked.piece().catalogue.is_none(), "{number}: it is told once");
        looked.looking.rules.piece = LookRules::USUAL.piece;
        looked.pass();
        looked.check(&[(b"b", b"good"), (b"large", &large)]);
        assert!(looked.looking.said.ends_with(": 3 files never to be shared"), "{}", looked.looking.said);
        assert_eq!(looked.pass(), (false, 0), "{number}");
    }
}

#[test]
fn a_directory_that_is_gone_shares_nothing_until_it_is_back() {
    let mut looked = Looked::new();
    looked.write("a", "a");
    looked.pass();
    let away = looked.directory.path().join("away");
    fs::rename(looked.at(""), &away).unwrap();
    assert_eq!(looked.pass(), (true, 0));
    assert_eq!(looked.names(), Vec::<String>::new());
    assert!(looked.looking.said.contains("cannot be looked through: No such file"), "{}", looked.looking.said);
    assert_eq!(looked.pass(), (false, 0));
    fs::rename(&away, looked.at("")).unwrap();
    assert_eq!(looked.pass(), (true, 0), "what was hashed is known");
    looked.check(&[(b"a", b"a")]);
    assert_eq!(looked.looking.said, "");
}

#[test]
fn hashes_of_files_that_are_gone_are_left_out_when_they_are_most_of_what_is_kept() {
    let mut looked = Looked::new();
    let (never, reader) = (looked.directory.path().join("outside/never"), looked.looking.reader.clone());
    fs::write(&never, format!("{}\n", blake3::hash(b"bad"))).unwrap();
    looked.never = NeverFile::load(Some(&never)).unwrap();
    looked.looking.hashes.compact_whenever_dead();
    let large = large();
    looked.write("bad", "bad");
    looked.write("gone", [&large[..], &large, &large].concat());
    looked.write("kept", &large);
    looked.pass();
    let kept = looked.listed().find(|file| file.name == b"kept").unwrap();
    let (stamp, kept_at) = (kept.stamp, kept.hashes_at);
    let read = |reader: &ShareReader| {
        let blocks = Blocks::of(stamp.size).unwrap();
        reader.read_hashes(&SharedContent { name: b"kept".to_vec(), stamp, hashes_at: kept_at, blocks }, 0, 1)
    };
    assert_eq!(looked.looking.hashes.len(), 3);
    fs::remove_file(looked.at("gone")).unwrap();
    assert_eq!(looked.pass(), (true, 0));
    assert_eq!(looked.looking.hashes.len(), 2, "one that is never to be shared is known still");
    looked.check(&[(b"kept", &large)]);
    assert_ne!(looked.listed().next().unwrap().hashes_at, kept_at);
    assert!(read(&reader).is_ok(), "somebody may have been told so a moment ago");
    looked.write("new", "n");
    assert_eq!(looked.pass(), (true, 1));
    let read = read(&reader);
    assert!(matches!(read, Err(ReadFailure::NotTried(_))), "whoever asks again is told where they are: {read:?}");
    looked.check(&[(b"kept", &large), (b"new", b"n")]);
    looked.restart();
    assert_eq!(looked.pass(), (true, 0));
    looked.check(&[(b"kept", &large), (b"new", b"n")]);
}

/// One that comes back after a while has all its files.
#[test]
fn hashes_of_a_disk_that_is_not_there_stay_as_long_as_there_are_not_too_many() {
    for (files_max, stays) in [(100, true), (1, false)] {
        let mut looked = Looked::with(LookRules { files_max, ..LookRules::USUAL });
        assert!(looked.looking.hashes.load(Instant::now() + PATIENCE));
        let absent = FileStamp { device: 1, inode: 1, size: 1, modified: 0, changed: 0 };
        for inode in 1..3 {
            let stamp = FileStamp { inode, ..absent };
            looked.looking.hashes.put(&stamp, &ContentHash([1; 32]), &[]).unwrap();
        }
        looked.write("a", "a");
        looked.write("b", large());
        looked.pass();
        looked.looking.hashes.compact_whenever_dead();
        for name in ["a", "b"] {
            let _ = fs::remove_file(looked.at(name));
        }
        looked.write("c", "c");
        looked.pass();
        assert_eq!(looked.looking.hashes.get(&absent).is_some(), stays, "{files_max}");
    }
}

#[test]
fn what_is_read_is_of_what_was_hashed_or_nothing() {
    let mut looked = Looked::new();
    let large = large();
    looked.write("here/large", &large);
    looked.pass();
    let reader = looked.looking.reader.clone();
    let stamp = looked.listed().next().unwrap().stamp;
    let content = |name: &[u8], stamp| SharedContent {
        name: name.to_vec(),
        stamp,
        hashes_at: 0,
        blocks: Blocks::of(LARGE as u64).unwrap(),
    };
    let read = |name: &[u8]| reader.read_blocks(&content(name, stamp), 1, 2, Vec::new());
    let blocks = read(b"here/large").unwrap();
    let numbers: Vec<u32> = blocks.iter().map(|(number, _)| *number).collect();
    assert_eq!(numbers, [1, 2]);
    assert!(blocks[0].1.as_bytes() == &large[65_536..131_072] && blocks[1].1.as_bytes() == &large[131_072..196_608]);
    let last = reader.read_blocks(&content(b"here/large", stamp), 16, 1, Vec::new()).unwrap();
    assert_eq!(last[0].1.as_bytes(), &large[LARGE - 1..]);
    for name in [&b"here/small"[..], b"here", b"", b"here/large/x", b"../outside", b"/etc/passwd", b"here\0large"] {
        assert_eq!(read(name), Err(ReadFailure::Gone), "{name:?}");
    }
    let past = reader.read_blocks(&content(b"here/large", stamp), 16, 2, Vec::new());
    assert!(matches!(past, Err(ReadFailure::Failed(_))), "{past:?}");
    for other in [FileStamp { size: 1, ..stamp }, FileStamp { changed: 0, ..stamp }, FileStamp { inode: 1, ..stamp }] {
        assert_eq!(
            reader.read_blocks(&content(b"here/large", other), 0, 1, Vec::new()),
            Err(ReadFailure::Changed),
            "{other:?}"
        );
    }
    let before = stat_of(&looked.at("here/large"));
    OpenOptions::new().write(true).open(looked.at("here/large")).unwrap().write_all(b"x").unwrap();
    give_times_of(&before, &looked.at("here/large"));
    assert_eq!(read(b"here/large"), Err(ReadFailure::Changed));
    fs::remove_file(looked.at("here/large")).unwrap();
    assert_eq!(read(b"here/large"), Err(ReadFailure::Gone));
}
