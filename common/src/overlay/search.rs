//! What a servent answers: the policy on top of the flood.
//!
//! It does not decide whether a query is new (`flood`) nor how an answer travels (`delivery`, `calls`).

use std::collections::BTreeSet;
use std::net::SocketAddr;

use crate::content::Blocks;
use crate::content::catalogue::{Catalogue, Listed};
use crate::content::search::{Entries, Entry, FileName, List, ListPart};
use crate::content::transfer::Have;
use crate::limits::VALUE_BYTES_MAX;
use crate::query::{Answer, AnswerBody, Ask, AskHash, Query};
use crate::store::Store;

/// What a servent holds that can be asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held<'a> {
    pub(super) store: &'a Store,
    /// None where nothing is shared with whoever asks.
    pub(super) files: Option<SharedNow<'a>>,
    /// Contents that are being given out.
    pub(super) uploads: u32,
}

/// The files that a servent shares, but for those that are not what they were.
#[derive(Clone, Copy, Debug)]
pub(super) struct SharedNow<'a> {
    pub(super) catalogue: &'a Catalogue,
    /// Places in it.
    pub(super) withdrawn: &'a BTreeSet<usize>,
}

/// The answer to a query, if this servent has one: a key it holds; its own place, always; files that are looked for.
/// `query.path` already ends with this servent.
pub(super) fn answer(query: &Query, held: Held<'_>, neighbors: impl Iterator<Item = SocketAddr>) -> Option<Answer> {
    let body = match &query.ask {
        Ask::Key(key) => AnswerBody::Value(value(key.as_bytes(), held)?),
        Ask::Topology => AnswerBody::Place { path: query.path.clone(), neighbors: neighbors.collect() },
        Ask::Find(words) => entries(held, |catalogue| catalogue.find(words))?,
        Ask::Named(name) => entries(held, |catalogue| catalogue.named(name.as_bytes()).into_iter())?,
        Ask::Hashed(start) => entries(held, |catalogue| catalogue.hashed(start.as_bytes()))?,
    };
    Some(Answer { sequence: query.sequence, asked: Some(AskHash::of(&query.ask)), hops: query.hops, body })
}

/// What a client is told that lists the files of this servent.
pub(super) fn list_part(list: List, held: Held<'_>) -> ListPart {
    let List { list, from } = list;
    ListPart { list, entries: told(held, |catalogue| catalogue.from(&from)) }
}

/// The value of a key. Of a file that is shared under that name it is what the file is, and what the data says of it.
fn value(key: &[u8], held: Held<'_>) -> Option<Vec<u8>> {
    let said = held.store.get(key);
    let shared =
        held.files.and_then(|files| files.catalogue.named(key).filter(|file| !files.withdrawn.contains(&file.place)));
    let Some(Listed { hash, stamp, .. }) = shared else { return said.map(<[u8]>::to_vec) };
    let mut value = format!("{} bytes {hash}", stamp.size).into_bytes();
    if let Some(description) = said.filter(|description| !description.is_empty()) {
        value.push(b' ');
        let room = VALUE_BYTES_MAX - value.len();
        value.extend_from_slice(description.get(..room).unwrap_or(description));
    }
    Some(value)
}

fn entries<'a, Files>(held: Held<'a>, find: impl FnOnce(&'a Catalogue) -> Files) -> Option<AnswerBody>
where
    Files: Iterator<Item = Listed<'a>>,
{
    let found = told(held, find);
    (!found.entries.is_empty()).then_some(AnswerBody::Entries(found))
}

/// What is told of those files that are what they were.
fn told<'a, Files>(held: Held<'a>, find: impl FnOnce(&'a Catalogue) -> Files) -> Entries
where
    Files: Iterator<Item = Listed<'a>>,
{
    let Some(SharedNow { catalogue, withdrawn }) = held.files else {
        return Entries { uploads: held.uploads, ..Entries::default() };
    };
    let files = find(catalogue);
    // How many there are is known without a look at each, where none has to be left out.
    if withdrawn.is_empty() {
        return Entries::of(files, entry, held.uploads);
    }
    Entries::of(files.filter(|file| !withdrawn.contains(&file.place)), entry, held.uploads)
}

/// What is told of a file.
fn entry(file: Listed<'_>) -> Option<Entry> {
    let size = file.stamp.size;
    Some(Entry {
        name: FileName::new(file.name).ok()?,
        size,
        hash: file.hash,
        description: file.description.to_vec(),
        have: Have::all(Blocks::of(size).ok()?.count()),
    })
}
