//! What servents share, as their disks showed it, and what they say of it.
//!
//! - What is answered to whoever looks for a content, and listed, is what that servent tells of then: each file as its disk
//!   showed it, and as it is published, in order, none that does not match, none left out before one that is told, and all
//!   others counted. Where only what is published is offered none else is told of.
//! - Of what was read to be given no more is unsent than may be: what is queued, a block, and what is read at once.
//! - A listing that is complete has all, where nothing changed meanwhile. So has a query for contents whoever told of some all
//!   the while, over links that stood.

mod entries;
#[cfg(test)]
mod tests;
mod told;

use std::collections::{BTreeMap, BTreeSet, HashMap, HashSet};

use common::content::ContentHash;
use common::content::search::Entries;
use common::limits::{BLOCK_BYTES_MIN, BLOCKS_READ_BYTES_MAX, BULK_UNSENT_BYTES_MAX, UPLOADS_MAX};
use common::link::LinkId;
use common::query::{AnswerBody, Ask, ContactName, QueryId};

use super::Nanos;
use crate::cast;
use crate::scene::Scene;
use crate::world::disks::ToldFile;
use entries::{key, matches, wrong_of};
pub(super) use told::PublishedNames;
use told::{ReadInVain, ToldVersion, Withdrawn};

/// What was read for one link and has not left it, at most.
const UNSENT_MAX: u64 = (BULK_UNSENT_BYTES_MAX + BLOCK_BYTES_MIN + BLOCKS_READ_BYTES_MAX) as u64;

/// Something that a client asked.
struct WatchedAsk {
    ask: Ask,
    since: Nanos,
    answered: BTreeSet<usize>,
}

/// Who tells of what.
pub(crate) struct WatchedShared<'s> {
    scene: &'s Scene,
    told: BTreeMap<usize, Vec<ToldVersion>>,
    /// What clients asked that fetch something.
    asks: HashMap<QueryId, WatchedAsk>,
    /// What their queries are called by their contacts; nothing where a forger has called another one so.
    names: HashMap<(ContactName, u64), Option<QueryId>>,
    /// When a life of a servent first heard of one.
    heard: HashMap<(usize, u32, QueryId), Nanos>,
    /// From which name on a listing is, by its link and number.
    lists: HashMap<(LinkId, u32), Vec<u8>>,
    read_bytes: BTreeMap<LinkId, u64>,
    /// What was read in vain just now, and for which fetch.
    withdrawing: Option<ReadInVain>,
    /// To which queries a life of a servent was brought an answer that says it is its own: it was forged.
    brought: HashSet<(usize, u32, ContactName, u64)>,
}

impl<'s> WatchedShared<'s> {
    pub(super) fn new(scene: &'s Scene) -> WatchedShared<'s> {
        let (told, asks, names) = Default::default();
        let (heard, lists, read_bytes, withdrawing, brought) = Default::default();
        WatchedShared { scene, told, asks, names, heard, lists, read_bytes, withdrawing, brought }
    }

    // ---- what happens ----

    /// A client that fetches something asks this.
    pub(super) fn on_asked(&mut self, now: Nanos, id: QueryId, ask: &Ask) {
        self.asks.insert(id, WatchedAsk { ask: ask.clone(), since: now, answered: BTreeSet::new() });
    }

    /// It is told what a servent has.
    pub(super) fn on_answer(&mut self, id: QueryId, servent: usize) {
        if let Some(asked) = self.asks.get_mut(&id) {
            asked.answered.insert(servent);
        }
    }

    /// A copy says that a contact calls a query so.
    pub(super) fn on_named(&mut self, name: (ContactName, u64), id: QueryId) {
        let known = self.names.entry(name).or_insert(Some(id));
        *known = known.filter(|known| *known == id);
    }

    /// A life of a servent hears of a query.
    pub(super) fn on_heard(&mut self, now: Nanos, (servent, life): (usize, u32), id: QueryId) {
        self.heard.entry((servent, life, id)).or_insert(now);
    }

    /// A servent is asked for its files, from this name on.
    pub(super) fn on_list(&mut self, link: LinkId, list: u32, from: &[u8]) {
        self.lists.insert((link, list), from.to_vec());
    }

    /// Bytes were read to be given on a link, of which so many have left it. What is wrong about that.
    pub(super) fn on_read(&mut self, link: LinkId, bytes_count: u64, left_bytes: u64) -> Option<String> {
        let read = self.read_bytes.entry(link).or_default();
        *read += bytes_count;
        let unsent = read.saturating_sub(left_bytes);
        (unsent > UNSENT_MAX)
            .then(|| format!("{unsent} bytes of blocks wait to be sent on {link}, and {UNSENT_MAX} are the most"))
    }

    /// A life of a servent is brought an answer that says it is its own.
    pub(super) fn on_brought(&mut self, (servent, life): (usize, u32), (name, number): (ContactName, u64)) {
        self.brought.insert((servent, life, name, number));
    }

    /// Whether it was.
    pub(super) fn was_brought(&self, (servent, life): (usize, u32), (name, number): (ContactName, u64)) -> bool {
        self.brought.contains(&(servent, life, name, number))
    }

    /// Which query an answer is to that goes back.
    pub(super) fn named(&self, name: (ContactName, u64)) -> Option<QueryId> {
        self.names.get(&name).copied().flatten()
    }

    /// A life of a servent says what it has. What is wrong about that.
    pub(super) fn on_answered(
        &self,
        now: Nanos,
        (servent, life): (usize, u32),
        id: QueryId,
        body: &AnswerBody,
    ) -> Option<String> {
        let WatchedAsk { ask, .. } = self.asks.get(&id)?;
        let since = self.heard.get(&(servent, life, id)).copied().unwrap_or(now);
        if let (Ask::Key(key), AnswerBody::Value(value)) = (ask, body) {
            let is_so = self.may_be_value(servent, since, key.as_bytes(), value);
            return (!is_so).then(|| format!("s{servent} answers `{ask}` with {:?}", String::from_utf8_lossy(value)));
        }
        let AnswerBody::Entries(entries) = body else {
            return Some(format!("s{servent} answers `{ask}` with something else"));
        };
        let wrong = self.wrong_entries(servent, since, entries, |file| matches(ask, file), |file| key(ask, file));
        wrong.map(|what| format!("s{servent} answers `{ask}`, and {what}"))
    }

    /// A servent lists some of its files. What is wrong about that.
    pub(super) fn on_list_part(
        &self,
        now: Nanos,
        servent: usize,
        (link, list): (LinkId, u32),
        entries: &Entries,
    ) -> Option<String> {
        let Some(from) = self.lists.get(&(link, list)) else {
            return Some(format!("s{servent} lists its files for nobody"));
        };
        let by_name = |file: &ToldFile| (ContentHash([0; 32]), file.name.clone());
        let wrong = self.wrong_entries(servent, now, entries, |file| file.name >= *from, by_name);
        wrong.map(|what| format!("s{servent} lists its files, and {what}"))
    }

    /// What is wrong about entries, whatever it told of since then.
    fn wrong_entries<Key: Ord>(
        &self,
        servent: usize,
        since: Nanos,
        told: &Entries,
        matches: impl Fn(&ToldFile) -> bool,
        key: impl Fn(&ToldFile) -> Key,
    ) -> Option<String> {
        if told.uploads as usize > UPLOADS_MAX {
            return Some(format!("{} contents are being given out", told.uploads));
        }
        let mut wrong = Some("it never told of anything".to_owned());
        let is_gone = |withdrawn: Option<Withdrawn>| {
            withdrawn.is_some_and(|withdrawn| withdrawn.is_certain && withdrawn.at < since)
        };
        for version in self.versions_since(servent, since) {
            let mut files: Vec<(ToldFile, bool)> = version
                .files()
                .filter(|(file, withdrawn)| matches(file) && !is_gone(*withdrawn))
                .map(|(file, withdrawn)| (file, withdrawn.is_some()))
                .collect();
            files.sort_by_key(|(file, _)| key(file));
            wrong = wrong_of(&files, told);
            wrong.as_ref()?;
        }
        wrong
    }

    /// Whether this may be what a servent says of a name: what its file of that name is, and what its data says of it.
    fn may_be_value(&self, servent: usize, since: Nanos, name: &[u8], value: &[u8]) -> bool {
        let held = || cast::held_by(self.scene, servent).map(|(_, holder)| holder);
        let said = held().find(|holder| holder.name == name).and_then(|holder| holder.description);
        let is_so = |version: &ToldVersion| match version.files().find(|(file, _)| file.name == name) {
            Some((file, withdrawn)) => {
                let mut whole = format!("{} bytes {}", file.size, file.hash).into_bytes();
                let description = version.text_of(name).or(said.map(str::as_bytes)).unwrap_or_default();
                if !description.is_empty() {
                    whole.push(b' ');
                    whole.extend_from_slice(description);
                }
                value == whole || withdrawn.is_some() && said.is_some_and(|said| value == said.as_bytes())
            }
            None => said.is_some_and(|said| value == said.as_bytes()),
        };
        self.versions_since(servent, since).iter().any(is_so)
    }

    // ---- what is known of it ----

    /// Since when something is asked.
    pub(super) fn asked_since(&self, id: QueryId) -> Option<Nanos> {
        self.asks.get(&id).map(|asked| asked.since)
    }

    /// Whether a servent told all the while of something that is asked, and did not answer.
    pub(super) fn is_missed(&self, id: QueryId, servent: usize, since: Nanos) -> bool {
        let Some(WatchedAsk { ask, answered, .. }) = self.asks.get(&id) else { return false };
        let has_some =
            |version: &ToldVersion| version.files().any(|(file, withdrawn)| withdrawn.is_none() && matches(ask, &file));
        let versions = self.versions_since(servent, since);
        let has_told = versions.first().is_some_and(|first| first.from <= since) && versions.iter().all(has_some);
        has_told && !answered.contains(&servent)
    }
}
