//! What must hold of what a servent's mind says of the files it shares, whatever was looked through, and when it wants that
//! done.
//!
//! By what files are found is held by tests of the core; here is that nothing else is told, and not too much of it.

use std::collections::BTreeSet;
use std::sync::Arc;

use common::content::FileStamp;
use common::content::catalogue::{Catalogue, SharedFile};
use common::content::search::{Entries, Entry, List, ListPart};
use common::disk::{Job, JobDone, LookedThrough};
use common::limits::{ENTRIES_BYTES_MAX, ENTRIES_MAX};
use common::store::Store;

use crate::reader::Reader;
use crate::targets::words;

/// What is shared, as the mind was told last.
pub(super) struct SharingWitness {
    pub(super) shares: bool,
    names: BTreeSet<Vec<u8>>,
    /// And ever: an answer may have waited for its client.
    ever: BTreeSet<Vec<u8>>,
}

impl SharingWitness {
    pub(super) fn new(shares: bool) -> SharingWitness {
        SharingWitness { shares, names: BTreeSet::new(), ever: BTreeSet::new() }
    }

    /// What comes of looking through a directory, where that comes to something.
    pub(super) fn looked_through(&mut self, reader: &mut Reader<'_>, store: &Store) -> JobDone {
        let catalogue = (!reader.flag()).then(|| Arc::new(catalogue(reader, store)));
        if let Some(catalogue) = &catalogue {
            self.names = catalogue.from(&[]).map(|file| file.name.to_vec()).collect();
            self.ever.extend(self.names.iter().cloned());
        }
        let is_whole = reader.byte() % 4 != 3;
        JobDone::LookedThrough(Ok(LookedThrough { catalogue, is_whole, hashed_count: 0 }))
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
        assert!(names.iter().all(|name| self.ever.contains(*name)), "it was never shared: {found:?}");
        assert_eq!(names.iter().collect::<BTreeSet<_>>().len(), names.len(), "a file is told twice: {found:?}");
    }

    pub(super) fn look_at_list(&self, list: &List, part: &ListPart) {
        assert_eq!(list.list, part.list, "it is a part of another listing");
        let names = look_at_told(&part.entries);
        let expected: Vec<&[u8]> = self.names.range(list.from.clone()..).map(Vec::as_slice).collect();
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
    assert_eq!(*uploads, 0, "nothing is given out");
    entries.iter().map(|entry| entry.name.as_bytes()).collect()
}

/// One of the names there are, and sometimes of many others.
fn catalogue(reader: &mut Reader<'_>, store: &Store) -> Catalogue {
    let has_many = reader.byte() % 8 == 7;
    let mut names: Vec<Vec<u8>> = (0..reader.below(6)).map(|_| words::name(reader).as_bytes().to_vec()).collect();
    names.extend((0..if has_many { 100 } else { 0 }).map(|place| format!("file {place}").into_bytes()));
    let files = names.into_iter().map(|name| {
        let stamp = FileStamp { device: 0, inode: 0, size: words::count(reader), modified: 0, changed: 0 };
        SharedFile { name, hash: words::hash(reader), stamp, hashes_at: 0 }
    });
    Catalogue::new(files.collect(), store)
}
