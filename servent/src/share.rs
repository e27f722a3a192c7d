//! The directory that is shared, `--share DIR`: what is in it, and how it is read by whoever gives it to others.
//!
//! When it is looked through is for the mind to say, and who is told of it; it is done in the thread of its lane (`disk`).
//! No link is followed (`beneath`), names are walked through in order (`walk`), what the hashes file (`hashes_file`) does not
//! have is hashed, and what is never to be shared (`never`) is not told; how this goes together is in `looking`, how far it is in
//! `how_far`, and what is left out in `left_out`. `reader` is for what is read of it later.

mod beneath;
mod hashes_file;
mod how_far;
mod left_out;
mod looking;
mod never;
mod reader;
mod walk;

use std::fmt::Display;
use std::fmt::Write as _;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};

use anyhow::Context;
use common::content::catalogue::Catalogue;
use common::counted::{bytes, counted, grouped};
use common::disk::LookedThrough;
use common::limits::SHARED_FILES_MAX;
use common::store::Store;
use common::text::Escaped;

use beneath::{NotOpened, SharedRoot};
use hashes_file::HashesFile;
pub(crate) use hashes_file::NAMES_IN_CACHE;
use left_out::LeftOut;
use looking::{LookRules, Looking};
use never::NeverFile;
pub(crate) use reader::ShareReader;
use walk::{Walk, WalkStep};

use crate::options::Options;

/// What is shared. Whoever looks it through has it alone meanwhile.
pub(crate) struct SharedDirectory {
    never: NeverFile,
    reader: ShareReader,
    looking: Mutex<Looking>,
}

impl SharedDirectory {
    /// Opens what these options name, if they do. What cannot be shared is an error now; nothing is looked through yet.
    pub(crate) fn open(options: &Options) -> anyhow::Result<Option<SharedDirectory>> {
        let Some(path) = &options.share else { return Ok(None) };
        let root = SharedRoot::open_first(path)?;
        let never = NeverFile::load(options.never.as_deref())?;
        let hashes = HashesFile::open(options.cache.as_deref())?;
        let reader = ShareReader::new(root, hashes.reader());
        let looking = Looking::new(path.clone(), LookRules::USUAL, hashes, reader.clone());
        Ok(Some(SharedDirectory { never, reader, looking: Mutex::new(looking) }))
    }

    /// Says to whom it is given, how fast, and how much never is: what a word too many or too few in these options would change.
    pub(crate) fn announce_rules(&self, options: &Options) {
        let Some(path) = &options.share else { return };
        let (whom, rate) = (shared_with(options), rate_of(options));
        let never = options.never.as_deref().map(|file| (shown(file), counted(self.never.list().len(), "content")));
        let never = never.map(|(file, count)| format!("; never file {file}: {count} never to be shared"));
        let what = only_published(options.published_only);
        log::info!("{what}{} is shared with {whom}, {rate}{}", shown(path), never.unwrap_or_default());
    }

    /// Looks it through, for a while. What is told is described as this data says.
    pub(crate) fn look_through(&self, store: &Arc<Store>) -> Result<LookedThrough, String> {
        self.looking.lock().unwrap_or_else(PoisonError::into_inner).look_through(store, &self.never)
    }

    /// Reads again what is never to be shared.
    pub(crate) fn read_never_anew(&self) {
        self.never.read_anew();
    }

    /// For whoever reads what is shared, in any thread.
    pub(crate) fn reader(&self) -> ShareReader {
        self.reader.clone()
    }
}

/// Says what is shared from now on: all of it, or what is published of it, now or later.
pub(crate) fn announce(catalogue: &Catalogue, hashed_count: u64, is_published_only: bool) {
    let (files, size) = (counted(catalogue.len(), "file"), bytes(catalogue.bytes_count()));
    let what = only_published(is_published_only);
    log::info!("sharing {what}{files}, {size} ({} hashed anew)", grouped(hashed_count));
}

fn only_published(is_published_only: bool) -> &'static str {
    if is_published_only { "only what is published of " } else { "" }
}

/// What a check says of what these options name: each with its name, in the order in which it is printed. Nothing is hashed,
/// and nothing written.
pub(crate) fn look_at(options: &Options) -> anyhow::Result<Vec<(&'static str, String)>> {
    let Some(path) = &options.share else { return Ok(Vec::new()) };
    let root = SharedRoot::open_first(path)?;
    let never = options.never.as_deref().map(never::NeverList::load).transpose()?;
    let cache = options.cache.as_deref().map(hashes_file::look_at_cache).transpose()?;
    let (files_count, bytes_count, left_out) =
        count(&root).with_context(|| format!("cannot look through {}", shown(path)))?;
    let what = only_published(options.published_only);
    let mut said = format!("{what}{}: {}, {}", shown(path), counted(files_count, "file"), bytes(bytes_count));
    if !left_out.is_empty() {
        // Into a `String` nothing fails.
        let _ = write!(said, "; not shared: {left_out}");
    }
    let mut page = vec![("share", said), ("share-to", shared_with(options)), ("share-rate", rate_of(options))];
    if let (Some(list), Some(path)) = (never, &options.never) {
        // Which files these are a hash would tell.
        let among = if list.len() == 0 { "" } else { ", counted above where they are there" };
        page.push(("never", format!("{}: {}{among}", shown(path), counted(list.len(), "content"))));
    }
    if let (Some(cache), Some(path)) = (cache, &options.cache) {
        page.push(("cache", format!("{}: {cache}", shown(path))));
    }
    Ok(page)
}

fn shared_with(options: &Options) -> String {
    if options.share_to.is_empty() {
        return "everybody".to_owned();
    }
    let networks: Vec<String> = options.share_to.iter().map(|network| network.trunc().to_string()).collect();
    format!("clients in {}", networks.join(" "))
}

fn rate_of(options: &Options) -> String {
    let rate = options.share_rate.map(|rate| format!("at most {} a second, to all together", bytes(rate)));
    rate.unwrap_or_else(|| "as fast as it goes".to_owned())
}

/// How many files there are, how many bytes they have, and what else there is.
fn count(root: &SharedRoot) -> Result<(u64, u64, LeftOut), rustix::io::Errno> {
    let (mut files_count, mut bytes_count, mut left_out) = (0, 0_u64, LeftOut::default());
    let mut walk = Walk::begin(root.clone(), SHARED_FILES_MAX, &mut left_out)?;
    loop {
        match walk.step(&mut left_out)? {
            WalkStep::Nothing => {}
            WalkStep::End => return Ok((files_count, bytes_count, left_out)),
            WalkStep::File(stamp) => match root.file(walk.name()) {
                Ok(_) => {
                    files_count += 1;
                    bytes_count = bytes_count.saturating_add(stamp.size);
                }
                Err(NotOpened::Exhausted(error)) => return Err(error),
                Err(why) => left_out.add_not_opened(why),
            },
        }
    }
}

/// A path as it may be shown.
fn shown(path: &Path) -> impl Display {
    Escaped::new(path.as_os_str().as_bytes())
}
