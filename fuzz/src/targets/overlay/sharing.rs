//! What must hold of what a servent's mind says of the files it shares, whatever was looked through, and when it wants that
//! done.
//!
//! By what files are found is held by tests of the core; here is that nothing else is told, and not too much of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use common::content::catalogue::{Catalogue, SharedFile};
use common::content::search::{Entries, Entry, List, ListPart};
use common::content::{ContentHash, FileStamp};
use common::disk::{Job, JobDone, LookedThrough, SharedContent};
use common::limits::{BLOCK_BYTES_MIN, ENTRIES_BYTES_MAX, ENTRIES_MAX, UPLOADS_MAX};
use common::store::Store;
use common::written::StoreChange;

use crate::reader::Reader;
use crate::targets::words;

/// What is shared, as the mind was told last.
pub(super) struct SharingWitness {
    pub(super) shares: bool,
    /// Whether what is given may have to wait.
    pub(super) has_rate: bool,
    /// Whether only files that are published are offered.
    pub(super) published_only: bool,
    files: BTreeMap<Vec<u8>, (ContentHash, FileStamp)>,
    /// Those that turned out to be others since they were looked at.
    withdrawn: BTreeSet<Vec<u8>>,
    /// And ever: an answer may have waited for its client.
    ever: BTreeMap<Vec<u8>, Vec<(ContentHash, FileStamp)>>,
    /// The names that are published, as far as the disk has it, and those that ever were.
    published: BTreeSet<Vec<u8>>,
    ever_published: BTreeSet<Vec<u8>>,
}

impl SharingWitness {
    pub(super) fn new(shares: bool, has_rate: bool, published_only: bool) -> SharingWitness {
        let (files, withdrawn, ever) = (BTreeMap::new(), BTreeSet::new(), BTreeMap::new());
        let (published, ever_published) = (BTreeSet::new(), BTreeSet::new());
        SharingWitness { shares, has_rate, published_only, files, withdrawn, ever, published, ever_published }
    }

    /// These are on the disk.
    pub(super) fn on_kept(&mut self, changes: &[StoreChange]) {
        for change in changes {
            match change {
                StoreChange::Publish { name, .. } => {
                    self.published.insert(name.as_bytes().to_vec());
                    self.ever_published.insert(name.as_bytes().to_vec());
                }
                StoreChange::Unpublish { name } => drop(self.published.remove(name.as_bytes())),
                StoreChange::Put { .. } | StoreChange::Hide { .. } | StoreChange::Forget { .. } => {}
            }
        }
    }

    /// What comes of looking through a directory, where that comes to something.
    pub(super) fn looked_through(&mut self, reader: &mut Reader<'_>, store: &Store) -> JobDone {
        let catalogue = (!reader.flag()).then(|| Arc::new(catalogue(reader, store)));
        if let Some(catalogue) = &catalogue {
            let before = std::mem::take(&mut self.files);
            self.files = catalogue.from(&[]).map(|file| (file.name.to_vec(), (file.hash, file.stamp))).collect();
            let stamp_in = |files: &BTreeMap<_, (_, FileStamp)>, name: &Vec<u8>| files.get(name).map(|file| file.1);
            self.withdrawn.retain(|name| stamp_in(&self.files, name) == stamp_in(&before, name));
            for (name, file) in &self.files {
                let ever = self.ever.entry(name.clone()).or_default();
                if !ever.contains(file) {
                    ever.push(*file);
                }
            }
        }
        let is_whole = reader.byte() % 4 != 3;
        if is_whole {
            self.withdrawn.clear();
        }
        JobDone::LookedThrough(Ok(LookedThrough { catalogue, is_whole, hashed_count: 0 }))
    }

    /// A file that somebody fetches could not be read.
    pub(super) fn on_unread(&mut self, content: &SharedContent) {
        if self.files.get(&content.name).is_some_and(|(_, stamp)| *stamp == content.stamp) {
            self.withdrawn.insert(content.name.clone());
        }
    }

    /// Whether a file of this hash and so many bytes is here.
    pub(super) fn shares_now(&self, hash: ContentHash, size: u64) -> bool {
        self.names().any(|name| self.files.get(name).is_some_and(|file| file.0 == hash && file.1.size == size))
    }

    pub(super) fn was_shared(&self, content: &SharedContent, hash: ContentHash) -> bool {
        self.ever.get(&content.name).is_some_and(|files| files.contains(&(hash, content.stamp)))
    }

    fn names(&self) -> impl Iterator<Item = &Vec<u8>> {
        let is_offered = |name: &Vec<u8>| !self.published_only || self.published.contains(name);
        self.files.keys().filter(move |name| !self.withdrawn.contains(*name) && is_offered(name))
    }

    pub(super) fn look_at_job(&self, job: &Job, under_way: &[Job]) {
        if matches!(job, Job::LookThrough(_)) {
            assert!(self.shares, "a directory is looked through, and nobody shares it");
            let is_under_way = under_way.iter().any(|job| matches!(job, Job::LookThrough(_)));
            assert!(!is_under_way, "a directory is looked through twice at once");
        }
    }

    pub(super) fn look_at_found(&self, found: &Entries) {
        let names = look_at_told(found);
        assert!(!names.is_empty(), "nothing is answered");
        assert!(names.iter().all(|name| self.ever.contains_key(*name)), "it was never shared: {found:?}");
        let was_offered = |name: &&[u8]| !self.published_only || self.ever_published.contains(*name);
        assert!(names.iter().all(was_offered), "it was never published: {found:?}");
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a file is told twice: {found:?}");
    }

    pub(super) fn look_at_list(&self, list: &List, part: &ListPart, uploads_count: usize) {
        assert_eq!(list.list, part.list, "it is a part of another listing");
        let names = look_at_told(&part.entries);
        assert_eq!(part.entries.uploads as usize, uploads_count, "{part:?}");
        let expected: Vec<&[u8]> = self.names().map(Vec::as_slice).filter(|name| **name >= *list.from).collect();
        assert_eq!(names.len() as u64 + part.entries.more, expected.len() as u64, "{part:?}");
        assert_eq!(names, expected[..names.len()], "the files from {:?} on", list.from);
    }
}

/// There is no more of what is told than there may be. Gives the names.
fn look_at_told(told: &Entries) -> Vec<&[u8]> {
    let Entries { entries, more, uploads } = told;
    let bytes_count: usize = entries.iter().map(Entry::bytes_count).sum();
    assert!(entries.len() <= ENTRIES_MAX && bytes_count <= ENTRIES_BYTES_MAX, "too much is told: {told:?}");
    assert!(*more == 0 || !entries.is_empty(), "of some nobody is told: {told:?}");
    assert!(*uploads as usize <= UPLOADS_MAX, "too much is given out: {told:?}");
    entries.iter().map(|entry| entry.name.as_bytes()).collect()
}

/// How long most files are: those of one block, of some, and of blocks that are longer.
const SIZES: [u64; 8] = [0, 1, BLOCK, BLOCK + 1, 6 * BLOCK, 300 * BLOCK, 20 << 30, 200 << 30];
const BLOCK: u64 = BLOCK_BYTES_MIN as u64;

/// One of the names there are, and sometimes of many others.
fn catalogue(reader: &mut Reader<'_>, store: &Store) -> Catalogue {
    let has_many = reader.byte() % 8 == 7;
    let mut names: Vec<Vec<u8>> = (0..reader.below(6)).map(|_| words::name(reader).as_bytes().to_vec()).collect();
    names.extend((0..if has_many { 100 } else { 0 }).map(|place| format!("file {place}").into_bytes()));
    let files = names.into_iter().map(|name| {
        let size = words::count(reader);
        let size = SIZES.get(usize::try_from(size).unwrap_or(usize::MAX)).copied().unwrap_or(size);
        let stamp = FileStamp { device: 0, inode: 0, size, modified: 0, changed: 0 };
        SharedFile { name, hash: words::hash(reader), stamp, hashes_at: 0 }
    });
    Catalogue::new(files.collect(), store)
}
