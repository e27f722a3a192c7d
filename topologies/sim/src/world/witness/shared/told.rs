//! What servents tell of, from when on, and what of it they may have withdrawn since: what their disks showed, as it is
//! published then.

use std::collections::BTreeMap;
use std::sync::Arc;

use common::content::ContentHash;
use common::link::LinkId;

use super::{Nanos, ToldFile, WatchedShared};
use crate::cast;
use crate::graph::number;

/// What a servent tells of from some moment on.
#[derive(Clone, Debug, Default)]
pub(super) struct ToldVersion {
    pub(super) from: Nanos,
    /// Each that its disk showed, with since when it may have been withdrawn.
    shown: Vec<(ToldFile, Option<Withdrawn>)>,
    published: Arc<PublishedNames>,
    is_published_only: bool,
}

/// The names of files that are published, with what each is described as.
pub(in crate::world::witness) type PublishedNames = BTreeMap<Vec<u8>, Vec<u8>>;

impl ToldVersion {
    /// Each file that is offered, as it is told.
    pub(super) fn files(&self) -> impl Iterator<Item = (ToldFile, Option<Withdrawn>)> {
        self.shown.iter().filter_map(|(file, withdrawn)| {
            let is_offered = !self.is_published_only || self.published.contains_key(&file.name);
            let description = self.text_of(&file.name).unwrap_or(&file.description).to_vec();
            is_offered.then(|| (ToldFile { description, ..file.clone() }, *withdrawn))
        })
    }

    /// What a file is published as; of one that is published without a word there is nothing.
    pub(super) fn text_of(&self, name: &[u8]) -> Option<&[u8]> {
        self.published.get(name).map(Vec::as_slice).filter(|text| !text.is_empty())
    }

    /// The same from now on, of which nothing is known to be withdrawn.
    fn afresh(&self, now: Nanos) -> ToldVersion {
        let shown = self.shown.iter().map(|(file, _)| (file.clone(), None)).collect();
        ToldVersion { from: now, shown, ..self.clone() }
    }
}

/// That a file was not what it was.
#[derive(Clone, Copy, Debug)]
pub(super) struct Withdrawn {
    pub(super) at: Nanos,
    /// Whether its servent said so. It does not where nobody fetches it any more.
    pub(super) is_certain: bool,
}

/// A file that was read for a fetch, and was not what it was.
#[derive(Debug)]
pub(super) struct ReadInVain {
    servent: usize,
    fetch: (LinkId, u32),
    name: Vec<u8>,
    at: Nanos,
}

impl WatchedShared<'_> {
    // ---- what happens ----

    /// A servent begins to live, and tells of nothing.
    pub(in crate::world::witness) fn on_born(&mut self, now: Nanos, servent: usize) {
        let is_published_only = self.is_published_only(servent);
        let version = ToldVersion { from: now, is_published_only, ..ToldVersion::default() };
        self.told.entry(servent).or_default().push(version);
    }

    /// From now on it tells of these.
    pub(in crate::world::witness) fn on_tells(&mut self, now: Nanos, servent: usize, files: Vec<ToldFile>) {
        let shown = files.into_iter().map(|file| (file, None)).collect();
        let versions = self.told.entry(servent).or_default();
        let version = ToldVersion { from: now, shown, ..versions.last().cloned().unwrap_or_default() };
        versions.push(version);
    }

    /// From now on these are published, and no others.
    pub(in crate::world::witness) fn on_published(&mut self, now: Nanos, servent: usize, published: &PublishedNames) {
        let versions = self.told.entry(servent).or_default();
        let last = versions.last().cloned().unwrap_or_default();
        if *last.published != *published {
            versions.push(ToldVersion { from: now, published: Arc::new(published.clone()), ..last });
        }
    }

    /// From now on it tells again of all that it told of.
    pub(in crate::world::witness) fn on_tells_again(&mut self, now: Nanos, servent: usize) {
        let versions = self.told.entry(servent).or_default();
        let Some(last) = versions.last().filter(|last| last.shown.iter().any(|(_, at)| at.is_some())) else { return };
        let version = last.afresh(now);
        versions.push(version);
    }

    /// From now on it may not tell of this one, which was read for a fetch.
    pub(in crate::world::witness) fn on_withdraws(
        &mut self,
        now: Nanos,
        servent: usize,
        name: &[u8],
        fetch: (LinkId, u32),
    ) {
        self.withdrawing = Some(ReadInVain { servent, fetch, name: name.to_vec(), at: now });
        let last = self.told.get_mut(&servent).and_then(|versions| versions.last_mut());
        for (file, withdrawn) in last.into_iter().flat_map(|last| &mut last.shown) {
            if file.name == name {
                withdrawn.get_or_insert(Withdrawn { at: now, is_certain: false });
            }
        }
    }

    /// A servent refuses a fetch: if something was read for it in vain just now, that is certain.
    pub(in crate::world::witness) fn on_refused(&mut self, servent: usize, fetch: (LinkId, u32)) {
        let is_of = |read: &mut ReadInVain| (read.servent, read.fetch) == (servent, fetch);
        let Some(ReadInVain { name, at, .. }) = self.withdrawing.take_if(is_of) else {
            return;
        };
        let last = self.told.get_mut(&servent).and_then(|versions| versions.last_mut());
        for (file, withdrawn) in last.into_iter().flat_map(|last| &mut last.shown) {
            // Before this it may have been told of, whatever was read in vain.
            if let Some(withdrawn) = withdrawn.as_mut().filter(|known| file.name == name && !known.is_certain) {
                *withdrawn = Withdrawn { at, is_certain: true };
            }
        }
    }

    // ---- what is known of it ----

    pub(super) fn versions_since(&self, servent: usize, since: Nanos) -> &[ToldVersion] {
        let versions = self.told.get(&servent).map_or(&[][..], Vec::as_slice);
        let later = versions.iter().rposition(|version| version.from <= since).unwrap_or_default();
        versions.get(later..).unwrap_or_default()
    }

    /// Whether a servent told of a content from then on until now.
    pub(in crate::world::witness) fn has_told_since(&self, servent: usize, hash: ContentHash, since: Nanos) -> bool {
        let versions = self.versions_since(servent, since);
        let tells =
            |version: &ToldVersion| version.files().any(|(file, withdrawn)| file.hash == hash && withdrawn.is_none());
        versions.first().is_some_and(|first| first.from <= since) && versions.iter().all(tells)
    }

    /// The names of all files that a servent told of from then on until now, where that was always the same.
    pub(in crate::world::witness) fn names_since(&self, servent: usize, since: Nanos) -> Option<Vec<Vec<u8>>> {
        let [only] = self.versions_since(servent, since) else { return None };
        let is_whole = only.files().all(|(_, withdrawn)| withdrawn.is_none());
        let mut names: Vec<Vec<u8>> = only.files().map(|(file, _)| file.name).collect();
        names.sort_unstable();
        is_whole.then_some(names)
    }

    /// Whether a servent has a file of this name now that could be published; nothing where it shares nothing.
    pub(in crate::world::witness) fn has_now(&self, servent: usize, name: &[u8]) -> Option<bool> {
        cast::held_by(self.scene, servent).next()?;
        let last = self.told.get(&servent).and_then(|versions| versions.last());
        // What was read in vain for a fetch that was over by then is no news to its servent.
        let is_known = |withdrawn: Option<Withdrawn>| withdrawn.is_none_or(|withdrawn| !withdrawn.is_certain);
        let mut files = last.into_iter().flat_map(|last| &last.shown);
        Some(files.any(|(file, withdrawn)| file.name == name && is_known(*withdrawn)))
    }

    /// Whether a servent may give a content now, as far as that goes by what is published.
    pub(in crate::world::witness) fn may_give(&self, servent: usize, hash: ContentHash) -> bool {
        let last = self.told.get(&servent).and_then(|versions| versions.last());
        last.is_some_and(|last| last.files().any(|(file, _)| file.hash == hash))
    }

    /// The same of a file.
    pub(in crate::world::witness) fn may_read(&self, servent: usize, name: &[u8]) -> bool {
        let last = self.told.get(&servent).and_then(|versions| versions.last());
        last.is_some_and(|last| last.files().any(|(file, _)| file.name == name))
    }

    /// Whether a servent offers only what is published.
    pub(in crate::world::witness) fn is_published_only(&self, servent: usize) -> bool {
        self.scene.published_only.contains(&number(servent))
    }
}
