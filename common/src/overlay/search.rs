//! What a servent answers: the policy on top of the flood.
//!
//! It does not decide whether a query is new (`flood`) nor how an answer travels (`delivery`, `calls`).

use std::net::SocketAddr;

use super::offered::Offered;
use crate::content::catalogue::Listed;
use crate::content::search::{Entries, GatheredEntries, List, ListPart};
use crate::limits::VALUE_BYTES_MAX;
use crate::query::{Answer, AnswerBody, Ask, AskHash, Query};
use crate::store::Store;
use crate::written::{KeptValue, WrittenData};

/// What a servent holds that can be asked for.
#[derive(Clone, Copy, Debug)]
pub(super) struct Held<'a> {
    pub(super) store: &'a Store,
    /// What was written stands above that; nothing where nothing was.
    pub(super) written: Option<&'a WrittenData>,
    /// None where nothing is shared with whoever asks.
    pub(super) files: Option<Offered<'a>>,
    /// Contents that are being given out.
    pub(super) uploads: u32,
}

impl<'a> Held<'a> {
    /// The value of a key in what was written, or in the data.
    pub(super) fn said_of(self, key: &[u8]) -> Option<&'a [u8]> {
        said(self.written.and_then(|written| written.kept(key)), self.store, key)
    }
}

/// The value of a key of which this is kept, above this data.
pub(super) fn said<'a>(kept: Option<&'a KeptValue>, store: &'a Store, key: &[u8]) -> Option<&'a [u8]> {
    match kept {
        Some(KeptValue::Value(value)) => Some(value),
        Some(KeptValue::Hidden) => None,
        None => store.get(key),
    }
}

/// The answer to a query, if this servent has one: a key it holds; its own place, always; files that are looked for.
/// `query.path` already ends with this servent.
pub(super) fn answer(query: &Query, held: Held<'_>, neighbors: impl Iterator<Item = SocketAddr>) -> Option<Answer> {
    let body = match &query.ask {
        Ask::Key(key) => AnswerBody::Value(value(key.as_bytes(), held)?),
        Ask::Topology => AnswerBody::Place { path: query.path.clone(), neighbors: neighbors.collect() },
        // Words are looked for in pieces: that is `finds`. Without any it is known what there is.
        Ask::Find(_) => told_if_any(by_name(held, &[]))?,
        Ask::Named(name) => told_if_any(told(held, |files| files.named(name.as_bytes()).into_iter()))?,
        Ask::Hashed(start) => told_if_any(told(held, |files| files.hashed(start.as_bytes())))?,
    };
    Some(answer_with(query, body))
}

/// The answer with what was found by words, if anything was.
pub(super) fn found(query: &Query, found: GatheredEntries, uploads: u32) -> Option<Answer> {
    Some(answer_with(query, told_if_any(found.told(uploads))?))
}

fn answer_with(query: &Query, body: AnswerBody) -> Answer {
    Answer { sequence: query.sequence, asked: Some(AskHash::of(&query.ask)), hops: query.hops, body }
}

/// What a client is told that lists the files of this servent.
pub(super) fn list_part(list: List, held: Held<'_>) -> ListPart {
    let List { list, from } = list;
    ListPart { list, entries: by_name(held, &from) }
}

/// The value of a key. Of a file that is shared under that name it is what the file is and is described as, unless the key was
/// written: then it is what was.
fn value(key: &[u8], held: Held<'_>) -> Option<Vec<u8>> {
    let kept = held.written.and_then(|written| written.kept(key));
    let shared = held.files.and_then(|files| files.named(key));
    let (Some(Listed { hash, stamp, .. }), None | Some(KeptValue::Hidden)) = (shared, kept) else {
        return said(kept, held.store, key).map(<[u8]>::to_vec);
    };
    let published = held.written.and_then(|written| written.description(key)).map(AsRef::as_ref);
    let published = published.filter(|description: &&[u8]| !description.is_empty());
    let description = published.or_else(|| said(kept, held.store, key));
    let mut value = format!("{} bytes {hash}", stamp.size).into_bytes();
    if let Some(description) = description.filter(|description| !description.is_empty()) {
        value.push(b' ');
        let room = VALUE_BYTES_MAX - value.len();
        value.extend_from_slice(description.get(..room).unwrap_or(description));
    }
    Some(value)
}

fn told_if_any(told: Entries) -> Option<AnswerBody> {
    (!told.entries.is_empty()).then_some(AnswerBody::Entries(told))
}

/// What is told of the files of this name and behind it.
fn by_name(held: Held<'_>, name: &[u8]) -> Entries {
    told(held, |files| files.from(name))
}

/// What is told of some of the files.
fn told<'a, Files>(held: Held<'a>, find: impl FnOnce(Offered<'a>) -> Files) -> Entries
where
    Files: Iterator<Item = Listed<'a>>,
{
    let Some(files) = held.files else {
        return Entries { uploads: held.uploads, ..Entries::default() };
    };
    Entries::of(find(files), Listed::entry, held.uploads)
}
