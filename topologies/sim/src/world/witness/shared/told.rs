//! What servents tell of, from when on, and what of it they may have withdrawn since.

use common::content::ContentHash;
use common::link::LinkId;

use super::{Nanos, ToldFile, WatchedShared};

/// What a servent tells of from some moment on.
#[derive(Clone, Debug, Default)]
pub(super) struct ToldVersion {
    pub(super) from: Nanos,
    /// Each with since when it may have been withdrawn.
    pub(super) files: Vec<(ToldFile, Option<Withdrawn>)>,
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
        self.told.entry(servent).or_default().push(ToldVersion { from: now, files: Vec::new() });
    }

    /// From now on it tells of these.
    pub(in crate::world::witness) fn on_tells(&mut self, now: Nanos, servent: usize, files: Vec<ToldFile>) {
        let files = files.into_iter().map(|file| (file, None)).collect();
        self.told.entry(servent).or_default().push(ToldVersion { from: now, files });
    }

    /// From now on it tells again of all that it told of.
    pub(in crate::world::witness) fn on_tells_again(&mut self, now: Nanos, servent: usize) {
        let versions = self.told.entry(servent).or_default();
        let Some(last) = versions.last().filter(|last| last.files.iter().any(|(_, at)| at.is_some())) else { return };
        let files = last.files.iter().map(|(file, _)| (file.clone(), None)).collect();
        versions.push(ToldVersion { from: now, files });
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
        for (file, withdrawn) in last.into_iter().flat_map(|last| &mut last.files) {
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
        for (file, withdrawn) in last.into_iter().flat_map(|last| &mut last.files) {
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
        let tells = |version: &ToldVersion| {
            version.files.iter().any(|(file, withdrawn)| file.hash == hash && withdrawn.is_none())
        };
        versions.first().is_some_and(|first| first.from <= since) && versions.iter().all(tells)
    }

    /// The names of all files that a servent told of from then on until now, where that was always the same.
    pub(in crate::world::witness) fn names_since(&self, servent: usize, since: Nanos) -> Option<Vec<&[u8]>> {
        let [only] = self.versions_since(servent, since) else { return None };
        let is_whole = only.files.iter().all(|(_, withdrawn)| withdrawn.is_none());
        let mut names: Vec<&[u8]> = only.files.iter().map(|(file, _)| file.name.as_slice()).collect();
        names.sort_unstable();
        is_whole.then_some(names)
    }
}
