//! Looking through the directory that is shared: what is in it, what has changed, what of that is to be hashed, and a
//! catalogue of it.
//!
//! A pass walks through all names, and hashes what the hashes file does not have. It is done in pieces: whoever asks comes
//! back for the next. When the next pass begins is not decided here. What is never to be shared ends a piece as soon as that
//! is read: it is told without what it names, however long there is still to be hashed.
//!
//! A hash is kept for what a file shows of itself (its [`FileStamp`]), which is true only if whoever writes to the file
//! changes that. The clock of a file system goes in ticks: what was written twice in one tick shows the same. So nothing is
//! hashed that was changed just now; a pass comes to it in the end, and waits for it once. What is written through a
//! mapping without being written out shows nothing at all until it is: such a file is told as it was.

use std::collections::{BTreeSet, VecDeque};
use std::fs::File;
use std::io;
use std::os::unix::fs::FileExt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use common::content::block_hashes::{ContentHasher, HashedContent};
use common::content::catalogue::{Catalogue, Listed, SharedFile};
use common::content::{Blocks, ContentHash, FileStamp};
use common::disk::LookedThrough;
use common::limits::{LOOK_THROUGH_PAUSE, SHARED_FILES_MAX};
use common::store::Store;
use rustix::fs::{Advice, fadvise};
use rustix::io::Errno;

use crate::logging;

use super::beneath::{NotOpened, SharedRoot, stamp_of};
use super::hashes_file::{HashesFile, record_bytes_of};
use super::how_far::HowFar;
use super::left_out::LeftOut;
use super::never::{NeverFile, NeverList};
use super::reader::{NOT_KEPT, ShareReader};
use super::shown;
use super::walk::{Walk, WalkStep};

/// So much is read of a file at once.
pub(super) const PIECE_BYTES: usize = 256 * 1024;
/// What a catalogue took to make may not be more than a part of this of the time until the next.
const CATALOGUE_SHARE: u32 = 10;
/// No clock of a file system that tells parts of seconds stands still for as long.
const TICK_MAX: Duration = Duration::from_millis(100);
/// Nor one that tells whole seconds, or every second one.
const LONG_TICK_MAX: Duration = Duration::from_millis(2_100);
/// Where so many times as many files are known as may be shared, those of directories that are not there are forgotten.
const KNOWN_FOR_EACH: usize = 2;

/// How much is done at once, and how often.
#[derive(Clone, Copy, Debug)]
pub(super) struct LookRules {
    pub(super) files_max: usize,
    /// How long somebody who asks waits for what comes of it.
    pub(super) piece: Duration,
    /// Where hashing takes longer, names are walked through again meanwhile.
    pub(super) walk_every: Duration,
    /// How often it is said how far hashing is, and how often shown on a terminal.
    pub(super) say_every: Duration,
    pub(super) show_every: Duration,
}

impl LookRules {
    pub(super) const USUAL: LookRules = LookRules {
        files_max: SHARED_FILES_MAX,
        piece: Duration::from_secs(2),
        walk_every: LOOK_THROUGH_PAUSE,
        say_every: Duration::from_secs(10),
        show_every: Duration::from_millis(100),
    };
}

/// All that is known of the directory.
pub(super) struct Looking {
    path: PathBuf,
    rules: LookRules,
    hashes: HashesFile,
    reader: ShareReader,
    /// What was told last.
    told: Arc<Catalogue>,
    /// What was told before: it is let go of here, and not by whoever was told, since that takes long.
    told_before: Option<Arc<Catalogue>>,
    told_at: Instant,
    telling_took: Duration,
    /// The data by which what was told is described.
    described_by: Option<Arc<Store>>,
    /// What was read last of what is never to be shared.
    list: Arc<NeverList>,
    pass: Option<LookPass>,
    /// Something else is shared than when a whole pass ended last.
    has_changed: bool,
    /// Files hashed since then.
    hashed_count: u64,
    buffer: Vec<u8>,
    /// What was said last of what is not shared.
    said: String,
    has_said_unkept: bool,
}

/// A pass under way.
struct LookPass {
    root: Option<SharedRoot>,
    /// Nothing once it has been everywhere.
    walk: Option<Walk>,
    walked_at: Instant,
    /// Where in what was told the walk is.
    place: usize,
    /// Places of files in what was told that are not to be told any more.
    gone: Vec<usize>,
    /// Files to be told.
    found: Vec<SharedFile>,
    /// Files to be hashed.
    wanted: VecDeque<WantedFile>,
    hashing: Option<HashingFile>,
    /// Those that were changed just now. They are waited for once.
    young: VecDeque<WantedFile>,
    young_until: Instant,
    has_waited: bool,
    /// Something that was told is never to be shared. It is told at once, and then all is compared again.
    has_banned: bool,
    left_out: LeftOut,
    /// Why there is nothing to walk through.
    unopened: Option<String>,
    /// What is known and not told: hashes of it are kept too.
    known: BTreeSet<(u64, u64)>,
    devices: BTreeSet<u64>,
    has_no_room: bool,
    how_far: HowFar,
    said_at: Instant,
}

struct WantedFile {
    name: Box<[u8]>,
    size: u64,
}

struct HashingFile {
    name: Box<[u8]>,
    file: File,
    stamp: FileStamp,
    hasher: ContentHasher,
}

impl Looking {
    pub(super) fn new(path: PathBuf, rules: LookRules, hashes: HashesFile, reader: ShareReader) -> Looking {
        Looking {
            path,
            rules,
            hashes,
            reader,
            told: Arc::default(),
            told_before: None,
            told_at: Instant::now(),
            telling_took: Duration::ZERO,
            described_by: None,
            list: Arc::default(),
            pass: None,
            has_changed: true,
            hashed_count: 0,
            buffer: Vec::new(),
            said: String::new(),
            has_said_unkept: false,
        }
    }

    /// Does a piece of it. An error leaves what was told as it is, and the next time it begins anew.
    pub(super) fn look_through(&mut self, store: &Arc<Store>, never: &NeverFile) -> Result<LookedThrough, String> {
        self.told_before = None;
        let until = Instant::now() + self.rules.piece;
        let went = if self.hashes.load(until) { self.go_on(until, never) } else { Ok(false) };
        let is_whole = went.map_err(|error| self.give_up(error))?;
        let has_told = self.tell_in_time(store, is_whole);
        let hashed_count = self.hashed_count;
        if !is_whole {
            let catalogue = has_told.then(|| Arc::clone(&self.told));
            return Ok(LookedThrough { catalogue, is_whole, hashed_count });
        }
        self.end_pass();
        // What was told in pieces is told once more as a whole.
        let catalogue = self.has_changed.then(|| Arc::clone(&self.told));
        (self.has_changed, self.hashed_count) = (false, 0);
        Ok(LookedThrough { catalogue, is_whole, hashed_count })
    }

    fn give_up(&mut self, error: Errno) -> String {
        self.pass = None;
        format!("cannot look through {}: {error}", shown(&self.path))
    }

    /// Goes on until then; true where the pass is at its end.
    fn go_on(&mut self, until: Instant, never: &NeverFile) -> Result<bool, Errno> {
        let mut pass = match self.pass.take() {
            Some(pass) => pass,
            None => self.begin()?,
        };
        if std::mem::take(&mut pass.has_banned) {
            self.begin_walk(&mut pass)?;
        }
        let went = loop {
            let list = never.list();
            self.ban(&mut pass, &list);
            if pass.has_banned {
                break Ok(false);
            }
            match self.step(&mut pass, &list, never) {
                Ok(true) => break Ok(true),
                Ok(false) if Instant::now() < until => {}
                Ok(false) => break Ok(false),
                Err(error) => break Err(error),
            }
        };
        if let Some(walk) = &mut pass.walk {
            walk.rest();
        }
        self.pass = Some(pass);
        went
    }

    fn begin(&mut self) -> Result<LookPass, Errno> {
        let now = Instant::now();
        let mut pass = LookPass {
            root: None,
            walk: None,
            walked_at: now,
            place: 0,
            gone: Vec::new(),
            found: Vec::new(),
            wanted: VecDeque::new(),
            hashing: None,
            young: VecDeque::new(),
            young_until: now,
            has_waited: false,
            has_banned: false,
            left_out: LeftOut::default(),
            unopened: None,
            known: BTreeSet::new(),
            devices: BTreeSet::new(),
            has_no_room: false,
            how_far: HowFar::new(now),
            said_at: now,
        };
        self.begin_walk(&mut pass)?;
        Ok(pass)
    }

    /// Where the list is another, what is in it is not to be told any more.
    fn ban(&mut self, pass: &mut LookPass, list: &Arc<NeverList>) {
        if Arc::ptr_eq(list, &self.list) {
            return;
        }
        self.list = Arc::clone(list);
        let told = (0..).map_while(|place| self.told.get(place));
        let banned: Vec<usize> = told.filter(|file| list.has(&file.hash)).map(|file| file.place).collect();
        let found_count = pass.found.len();
        pass.found.retain(|file| !list.has(&file.hash));
        pass.has_banned = !banned.is_empty() || pass.found.len() < found_count;
        pass.gone.extend(banned);
        // Some of them may have been passed by the walk, for another reason.
        pass.gone.sort_unstable();
        pass.gone.dedup();
    }

    /// What is wanted and what was told are compared from the beginning.
    fn begin_walk(&mut self, pass: &mut LookPass) -> Result<(), Errno> {
        (pass.walked_at, pass.place, pass.has_waited) = (Instant::now(), 0, false);
        pass.wanted.clear();
        pass.young.clear();
        pass.left_out = LeftOut::default();
        pass.unopened = None;
        match SharedRoot::open(&self.path) {
            Ok(root) => {
                self.reader.set_root(root.clone());
                pass.walk = Some(Walk::begin(root.clone(), self.rules.files_max, &mut pass.left_out)?);
                pass.root = Some(root);
            }
            Err(error) => {
                if let NotOpened::Exhausted(error) = error.into() {
                    return Err(error);
                }
                pass.unopened = Some(error.to_string());
                pass.gone.extend(0..self.told.len());
            }
        }
        Ok(())
    }

    /// True where there is no more to do.
    fn step(&mut self, pass: &mut LookPass, list: &NeverList, never: &NeverFile) -> Result<bool, Errno> {
        if let Some(walk) = &mut pass.walk {
            match walk.step(&mut pass.left_out)? {
                WalkStep::Nothing => {}
                WalkStep::File(stamp) => self.on_seen(pass, list, &stamp)?,
                WalkStep::End => self.on_walked(pass),
            }
            return Ok(false);
        }
        // Never between what was compared with what was told and its being told: places would be others.
        let is_told = pass.gone.is_empty() && pass.found.is_empty();
        if pass.walked_at.elapsed() >= self.rules.walk_every && is_told && pass.unopened.is_none() {
            self.begin_walk(pass)?;
            return Ok(false);
        }
        if let Some(hashing) = pass.hashing.take() {
            self.hash_on(pass, list, hashing);
            return Ok(false);
        }
        if let Some(wanted) = pass.wanted.pop_front() {
            self.begin_hashing(pass, list, wanted)?;
            return Ok(false);
        }
        if pass.young.is_empty() {
            return Ok(true);
        }
        pass.wanted = std::mem::take(&mut pass.young);
        pass.has_waited = true;
        never.wait(pass.young_until.saturating_duration_since(Instant::now()));
        Ok(false)
    }

    // ---- the walk ----

    /// A file is there. What was told of files with names before its own is not there any more.
    fn on_seen(&mut self, pass: &mut LookPass, list: &NeverList, stamp: &FileStamp) -> Result<(), Errno> {
        let Some(walk) = &pass.walk else { return Ok(()) };
        let name = walk.name();
        pass.devices.insert(stamp.device);
        while let Some(told) = self.told.get(pass.place).filter(|told| told.name <= name) {
            pass.place += 1;
            if told.name == name && told.stamp == *stamp && !list.has(&told.hash) {
                return Ok(());
            }
            pass.gone.push(told.place);
        }
        if let Some(hashing) = pass.hashing.take_if(|hashing| *hashing.name == *name) {
            if hashing.stamp == *stamp {
                pass.hashing = Some(hashing);
                return Ok(());
            }
            log::debug!("a file was changed while it was hashed: it is hashed anew");
            pass.how_far.put_back(hashing.stamp.size);
        }
        let name: Box<[u8]> = name.into();
        match self.hashes.get(stamp) {
            Some((hash, hashes_at)) => {
                let Some(root) = &pass.root else { return Ok(()) };
                // Seen for the first time, it may be one that this user cannot read.
                match root.file(&name) {
                    Ok((_, found)) if found == *stamp => pass.take_in(list, name, hash, *stamp, hashes_at),
                    Ok(_) => pass.wanted.push_back(WantedFile { name, size: stamp.size }),
                    Err(why) => return pass.not_opened(why),
                }
            }
            None => pass.wanted.push_back(WantedFile { name, size: stamp.size }),
        }
        Ok(())
    }

    /// It has been everywhere.
    fn on_walked(&mut self, pass: &mut LookPass) {
        pass.gone.extend(pass.place..self.told.len());
        pass.walk = None;
        let now = Instant::now();
        pass.how_far.set_to_come(now, pass.wanted.iter().map(|wanted| wanted.size).sum());
        pass.said_at = now;
    }

    // ---- hashing ----

    fn begin_hashing(&mut self, pass: &mut LookPass, list: &NeverList, wanted: WantedFile) -> Result<(), Errno> {
        let WantedFile { name, size } = wanted;
        pass.how_far.take_up(size);
        // Before it is looked at: what is written to it after that is written later than this.
        let now = SystemTime::now();
        let Some(root) = &pass.root else { return Ok(()) };
        let (file, stamp) = match root.file(&name) {
            Ok(opened) => opened,
            Err(why) => return pass.not_opened(why),
        };
        if !pass.left_out.is_of_size(&stamp) {
            return Ok(());
        }
        if let Some((hash, hashes_at)) = self.hashes.get(&stamp) {
            pass.take_in(list, name, hash, stamp, hashes_at);
            return Ok(());
        }
        if let Some(wait) = settles_after(now, &stamp) {
            if pass.has_waited {
                pass.left_out.changing += 1;
            } else {
                pass.young_until = pass.young_until.max(Instant::now() + wait);
                pass.young.push_back(WantedFile { name, size: stamp.size });
                pass.how_far.put_back(size);
            }
            return Ok(());
        }
        let Ok(blocks) = Blocks::of(stamp.size) else { return Ok(()) };
        if blocks.count() > 1 {
            // Where there was none it is seen to before a file is hashed in vain again.
            let ask = if self.has_said_unkept { HashesFile::try_room } else { HashesFile::ask_room };
            if !pass.has_no_room
                && let Err(error) = ask(&self.hashes, stamp.size)
            {
                pass.has_no_room = true;
                self.say_unkept(&error);
            }
            if pass.has_no_room {
                pass.left_out.unkept += 1;
                return Ok(());
            }
            // A system that does not take the advice reads as well.
            let _ = fadvise(&file, 0, None, Advice::Sequential);
        }
        self.hash_on(pass, list, HashingFile { name, file, stamp, hasher: ContentHasher::new(blocks) });
        Ok(())
    }

    /// Hashes the next piece of a file.
    fn hash_on(&mut self, pass: &mut LookPass, list: &NeverList, mut hashing: HashingFile) {
        self.say_how_far(pass, &hashing);
        let HashingFile { file, stamp, hasher, .. } = &mut hashing;
        self.buffer.resize(PIECE_BYTES, 0);
        let left = usize::try_from(stamp.size - hasher.hashed_count()).unwrap_or(usize::MAX);
        let piece = self.buffer.get_mut(..left.min(PIECE_BYTES)).unwrap_or_default();
        match file.read_at(piece, hasher.hashed_count()) {
            Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
            Err(error) => {
                log::debug!("a file cannot be read: {error}");
                pass.left_out.unreadable += 1;
                return;
            }
            // It was cut, which shows.
            Ok(0) => return self.end_hashing(pass, list, hashing),
            // No more is read than it has.
            Ok(count) => {
                let _ = hasher.update(piece.get(..count).unwrap_or_default());
                pass.how_far.on_hashed(count);
            }
        }
        if hasher.hashed_count() == stamp.size {
            return self.end_hashing(pass, list, hashing);
        }
        pass.hashing = Some(hashing);
    }

    /// A terminal is shown it as it changes, whoever reads a log now and then.
    fn say_how_far(&self, pass: &mut LookPass, hashing: &HashingFile) {
        let is_live = log::log_enabled!(log::Level::Info) && logging::is_live();
        let pause = if is_live { self.rules.show_every } else { self.rules.say_every };
        if pass.said_at.elapsed() < pause {
            return;
        }
        let (now, left) = (Instant::now(), hashing.stamp.size - hashing.hasher.hashed_count());
        if is_live {
            logging::show(Some(&pass.how_far.shown(now, left)));
        } else {
            log::info!("{}", pass.how_far.said(left));
        }
        pass.said_at = now;
    }

    fn end_hashing(&mut self, pass: &mut LookPass, list: &NeverList, hashing: HashingFile) {
        let HashingFile { name, file, stamp, hasher } = hashing;
        let hashed = hasher.finish();
        let (Ok(HashedContent { hash, hashes }), Ok(true)) = (hashed, stamp_of(&file).map(|now| now == Some(stamp)))
        else {
            pass.left_out.changing += 1;
            return;
        };
        self.hashed_count += 1;
        // Nobody asks for that of a single block: it is the content.
        let blocks = if hashes.blocks().count() == 1 { &[] } else { hashes.as_slice() };
        match self.hashes.put(&stamp, &hash, blocks) {
            Ok(hashes_at) => {
                self.has_said_unkept &= blocks.is_empty();
                pass.take_in(list, name, hash, stamp, hashes_at);
            }
            Err(error) => {
                self.say_unkept(&error);
                if blocks.is_empty() {
                    pass.take_in(list, name, hash, stamp, NOT_KEPT);
                } else {
                    pass.has_no_room = true;
                    pass.left_out.unkept += 1;
                }
            }
        }
    }

    fn say_unkept(&mut self, error: &io::Error) {
        if !std::mem::replace(&mut self.has_said_unkept, true) {
            log::error!(
                "hashes cannot be kept ({error}): until they can be, files of several blocks are not shared anew"
            );
        }
    }

    // ---- what is told ----

    /// Makes a catalogue of what there is now, unless there is one or it is too soon; true if it did.
    fn tell_in_time(&mut self, store: &Arc<Store>, is_whole: bool) -> bool {
        let Some(pass) = &mut self.pass else { return false };
        let is_described = self.described_by.as_ref().is_some_and(|by| Arc::ptr_eq(by, store));
        if is_described && pass.gone.is_empty() && pass.found.is_empty() {
            return false;
        }
        if !is_whole
            && !pass.has_banned
            && (pass.walk.is_some() || self.told_at.elapsed() < CATALOGUE_SHARE * self.telling_took)
        {
            return false;
        }
        let begun = Instant::now();
        let mut gone = std::mem::take(&mut pass.gone).into_iter().peekable();
        let mut files = std::mem::take(&mut pass.found);
        files.reserve(self.told.len());
        for file in (0..).map_while(|place| self.told.get(place)) {
            if gone.next_if_eq(&file.place).is_none() {
                files.push(as_shared(&file));
            }
        }
        if is_whole {
            self.compact(&mut files);
        }
        let catalogue = Arc::new(Catalogue::new(files, store));
        self.told_before = Some(std::mem::replace(&mut self.told, catalogue));
        self.described_by = Some(Arc::clone(store));
        (self.told_at, self.telling_took, self.has_changed) = (Instant::now(), begun.elapsed(), true);
        true
    }

    /// Leaves hashes of files that are gone out of the hashes file, where they are most of it.
    fn compact(&mut self, files: &mut [SharedFile]) {
        // Nobody has addresses of what was there before it was written anew the last time any more.
        self.hashes.forget_old();
        let live_bytes = files.iter().map(|file| record_bytes_of(&file.stamp)).sum();
        let Some(pass) = &self.pass else { return };
        if !self.hashes.is_mostly_dead(live_bytes) {
            return;
        }
        let inode = |stamp: &FileStamp| (stamp.device, stamp.inode);
        let mut live: Vec<(u64, u64)> = files.iter().map(|file| inode(&file.stamp)).collect();
        live.extend(&pass.known);
        live.sort_unstable();
        // A disk that is not there just now comes back with all its files.
        let keeps_absent = self.hashes.len() <= KNOWN_FOR_EACH * self.rules.files_max;
        let stays = |stamp: &FileStamp| {
            live.binary_search(&inode(stamp)).is_ok() || keeps_absent && !pass.devices.contains(&stamp.device)
        };
        if let Err(error) = self.hashes.compact(stays) {
            log::warn!("the hashes file cannot be written anew: {error}");
            return;
        }
        for file in files {
            file.hashes_at = self.hashes.address_of(&file.stamp).unwrap_or(NOT_KEPT);
        }
    }

    /// Says what is not shared, where that is not what was said last.
    fn end_pass(&mut self) {
        let Some(pass) = self.pass.take() else { return };
        logging::show(None);
        let said = match pass.unopened {
            Some(reason) => format!("nothing is shared: {} cannot be looked through: {reason}", shown(&self.path)),
            None if pass.left_out.is_empty() => String::new(),
            None => format!("not shared of {}: {}", shown(&self.path), pass.left_out),
        };
        if said != self.said && !said.is_empty() {
            log::warn!("{said}");
        }
        self.said = said;
    }
}

impl LookPass {
    /// A file of this hash is to be told, unless it never is.
    fn take_in(&mut self, list: &NeverList, name: Box<[u8]>, hash: ContentHash, stamp: FileStamp, hashes_at: u64) {
        if list.has(&hash) {
            self.left_out.never += 1;
            self.known.insert((stamp.device, stamp.inode));
        } else {
            self.found.push(SharedFile { name: name.into_vec(), hash, stamp, hashes_at });
        }
    }

    fn not_opened(&mut self, why: NotOpened) -> Result<(), Errno> {
        self.left_out.add_not_opened(why);
        if let NotOpened::Exhausted(error) = why { Err(error) } else { Ok(()) }
    }
}

fn as_shared(file: &Listed<'_>) -> SharedFile {
    SharedFile { name: file.name.to_vec(), hash: file.hash, stamp: file.stamp, hashes_at: file.hashes_at }
}

/// After how long what is written to a file shows, where that is not yet so.
fn settles_after(now: SystemTime, stamp: &FileStamp) -> Option<Duration> {
    let is_in_seconds = stamp.changed % 1_000_000_000 == 0;
    let tick = if is_in_seconds { LONG_TICK_MAX } else { TICK_MAX };
    let now = now.duration_since(UNIX_EPOCH).ok()?.as_nanos().cast_signed();
    let tick_nanos = tick.as_nanos().cast_signed();
    let age = now - i128::from(stamp.changed);
    // What is said to be changed in a while was changed when the clock was wrong: what is written now shows.
    if age >= tick_nanos || age <= -tick_nanos {
        return None;
    }
    u64::try_from(tick_nanos - age).ok().map(Duration::from_nanos)
}

#[cfg(test)]
mod tests;
